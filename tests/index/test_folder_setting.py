"""Which values of ``tf.mirror`` name a folder, and which of these a project may name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from poetry_tf.index.folder_setting import (
    FAULTS,
    is_of_another_machine,
    is_path,
    names_folder,
    projects_folder,
    users_folder,
)
from poetry_tf.index.mirrors import MirrorError, MirrorSetting, parse_mirror

OF_OTHERS = [
    r"\\server\share",
    "//server/share",
    r"\/server\share",
    r"\\?\UNC\server\share",
    r"\\.\pipe\x",
    "file://server/share",
    "file:////server/share",
    r"file:///\\server\share",
    "file:///%5C%5Cserver/share",
    "FILE://server/share",
]


@pytest.mark.parametrize("text", [*OF_OTHERS, "/mnt/usb", "./wheels", "..", "~/x", "C:\\x", "d:/x"])
def test_these_name_a_folder(text: str) -> None:
    assert names_folder(text)


@pytest.mark.parametrize(
    "text", ["tuna", "auto", "wheels", "https://a.example.com/simple/", "file:"]
)
def test_these_do_not(text: str) -> None:
    assert not names_folder(text)


@pytest.mark.parametrize(
    "text", ["/x", "x", "./x y", "~", "C:\\x", "d:/x", "file:///x", "a:b", "x/http:"]
)
def test_these_can_be_paths(text: str) -> None:
    assert is_path(text)


@pytest.mark.parametrize(
    "text",
    ["", "  ", "http://a:8000/simple", "HTTPS://a", "http:/a", "ftp://a", "file:", "file://"],
)
def test_these_are_none(text: str) -> None:
    assert not is_path(text)


@pytest.mark.parametrize("text", OF_OTHERS)
def test_a_project_leads_to_no_other_machine(text: str, tmp_path: Path) -> None:
    assert is_of_another_machine(text)
    assert projects_folder(text, tmp_path) == "elsewhere"


@pytest.mark.parametrize(
    "text", ["/etc", "..", "../x", "./a/../../x", "~", "~/x", "file:///etc", "~root/x"]
)
def test_a_project_leads_to_no_folder_outside_of_itself(text: str, tmp_path: Path) -> None:
    assert projects_folder(text, tmp_path) == "outside"


def test_nor_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "outside" / "wheels").mkdir(parents=True)
    (tmp_path / "project" / "link").symlink_to(tmp_path / "outside")
    for text in ("./link", "./link/wheels"):
        assert projects_folder(text, tmp_path / "project") == "link"


def test_a_folder_inside_is_the_projects_to_name(tmp_path: Path) -> None:
    inside = tmp_path / "wheels"
    for text in ("./wheels", "./a/../wheels", str(inside), inside.as_uri()):
        assert projects_folder(text, tmp_path) == inside


@pytest.mark.skipif(os.name == "nt", reason="they are paths there")
@pytest.mark.parametrize("text", ["C:\\x", "d:/x", "file://server/share"])
def test_a_path_of_another_system_is_none_here(text: str, tmp_path: Path) -> None:
    assert users_folder(text, tmp_path) == "foreign"
    assert projects_folder(text, tmp_path) in {"foreign", "elsewhere"}


def test_a_relative_path_of_the_user_needs_a_base(tmp_path: Path) -> None:
    assert users_folder("./x", None) == "relative"
    assert users_folder("./x", tmp_path) == tmp_path / "x"
    assert users_folder("~/x", None) == Path.home() / "x"
    assert {*FAULTS} >= {"relative", "foreign", "outside", "elsewhere", "link"}


@pytest.mark.parametrize(
    ("value", "kind", "folders"),
    [
        ("/mnt/usb", "folder", ("/mnt/usb",)),
        (["/a", "/b", "/a"], "folder", ("/a", "/b")),
        ("/a, pypi", "off", ("/a",)),
        (["auto", "/a"], "auto", ("/a",)),
        (["tuna", "/a", "bfsu"], "mirror", ("/a",)),
    ],
)
def test_folders_stand_beside_mirrors_or_alone(
    value: object, kind: str, folders: tuple[str, ...]
) -> None:
    found = parse_mirror(value)
    assert (found.kind, found.folders) == (kind, folders)
    rest = [item for item in value if item not in folders] if isinstance(value, list) else []
    assert found.mirrors == (parse_mirror(rest) if rest else MirrorSetting("off")).mirrors


@pytest.mark.parametrize(("value", "folder"), [("wheels", "./wheels"), ("a/b", "./a/b")])
def test_a_folder_without_its_dot_is_told_how_to_write_it(value: str, folder: str) -> None:
    with pytest.raises(MirrorError, match=f"a folder \\({folder}, "):
        parse_mirror(value)
