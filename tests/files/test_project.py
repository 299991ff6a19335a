"""The user's files as they are: read whole, and handed on as one thing that knows no rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from poetry_tf.files.errors import ProjectError
from poetry_tf.files.lock import Lock
from poetry_tf.files.positions import Position
from poetry_tf.files.project import DEVCONTAINERS, Devcontainer, Project, read_text
from poetry_tf.files.toml import TomlDocument
from tests.made import lock_text, on_disk

PYPROJECT = {"pyproject.toml": '[project]\nname = "study"\n'}


def test_a_folder_without_a_pyproject_is_no_project(tmp_path: Path):
    with pytest.raises(ProjectError, match=r"not found in"):
        Project.read(tmp_path)


@pytest.mark.parametrize("name", ["pyproject.toml", "poetry.toml"])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a = \n", "1:5"),
        (b"a = 1\n\nb = '\xff'\n", "3:1: byte 0xff is not UTF-8"),
        (b"\xef\xbb\xbfa = 1\n", "byte order mark"),
        (b"a = '\xc3", "1:1: byte 0xc3 is not UTF-8"),
    ],
)
def test_a_broken_file_is_named_with_its_place(
    tmp_path: Path, name: str, content: bytes, says: str
):
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ProjectError) as caught:
        Project.read(tmp_path)
    assert str(caught.value).startswith(name)
    assert says in str(caught.value)


@pytest.mark.parametrize("name", ["pyproject.toml", "poetry.toml"])
def test_a_folder_in_a_files_place_is_named(tmp_path: Path, name: str):
    (tmp_path / name).mkdir()
    if name != "pyproject.toml":
        (tmp_path / "pyproject.toml").touch()
    with pytest.raises(ProjectError, match="cannot be read"):
        Project.read(tmp_path)


def test_what_is_absent_is_none(tmp_path: Path):
    project = on_disk(tmp_path, PYPROJECT)
    assert (project.lock, project.poetry_toml, project.devcontainer) == (None, None, None)
    assert project.valid_lock is None
    assert project.devcontainer_path == tmp_path / DEVCONTAINERS[0]
    assert not project.uses_git_lfs


@pytest.mark.parametrize(
    ("text", "fine"), [(lock_text(("a", "1")), True), ("", False), ("a = \n", False)]
)
def test_a_broken_lock_is_an_error_that_is_handed_on(tmp_path: Path, text: str, fine: bool):
    project = on_disk(tmp_path, {**PYPROJECT, "poetry.lock": text})
    assert isinstance(project.lock, Lock if fine else ProjectError)
    assert (project.valid_lock is not None) is fine


@pytest.mark.parametrize("name", DEVCONTAINERS)
def test_a_container_is_found_where_the_tools_look_for_it(tmp_path: Path, name: str):
    project = on_disk(tmp_path, {**PYPROJECT, name: '// mine\n{"name": "x",}'})
    assert isinstance(project.devcontainer, Devcontainer)
    assert project.devcontainer.document.data == {"name": "x"}
    assert project.devcontainer_path == tmp_path / name


def test_of_two_containers_the_one_in_the_folder_counts(tmp_path: Path):
    files = {name: f'{{"name": "{name}"}}' for name in reversed(DEVCONTAINERS)}
    project = on_disk(tmp_path, {**PYPROJECT, **files})
    assert project.devcontainer_path == tmp_path / DEVCONTAINERS[0]


def test_a_container_in_a_folder_of_its_own_is_nobodys_default(tmp_path: Path):
    project = on_disk(tmp_path, {**PYPROJECT, ".devcontainer/gpu/devcontainer.json": "{}"})
    assert project.devcontainer is None


@pytest.mark.parametrize(
    ("text", "position"),
    [("", (1, 1)), ("[]", (1, 1)), ('"x"', (1, 1)), ('{"a": 1\n"b": 2}', (2, 1))],
)
def test_a_broken_container_is_an_error_with_its_place(
    tmp_path: Path, text: str, position: tuple[int, int]
):
    project = on_disk(tmp_path, {**PYPROJECT, DEVCONTAINERS[1]: text})
    assert isinstance(project.devcontainer, ProjectError)
    assert project.devcontainer.position == Position(*position)
    assert project.devcontainer_path == tmp_path / DEVCONTAINERS[1]
    assert project.document(project.devcontainer_path) is None


@pytest.mark.parametrize(
    ("name", "text", "uses"),
    [
        (".gitattributes", "*.h5 filter=lfs diff=lfs merge=lfs -text\n", True),
        (".gitattributes", "*.h5\tfilter=lfs\r\n", True),
        ("models/.gitattributes", "* filter=lfs\n", True),
        (".gitattributes", "# *.h5 filter=lfs\n", False),
        (".gitattributes", "*.h5 -filter=lfs2 text\n", False),
        (".gitattributes", "*.h5 text=auto\n", False),
        ("a/b/.gitattributes", "* filter=lfs\n", False),
        (".gitattributes/x", "* filter=lfs\n", False),
    ],
)
def test_git_lfs_is_used_where_attributes_say_so(tmp_path: Path, name: str, text: str, uses: bool):
    assert on_disk(tmp_path, {**PYPROJECT, name: text}).uses_git_lfs is uses


def test_attributes_in_another_encoding_are_read_all_the_same(tmp_path: Path):
    (tmp_path / ".gitattributes").write_bytes(b"\xe9.h5 filter=lfs\n")
    assert on_disk(tmp_path, PYPROJECT).uses_git_lfs


def test_line_ends_are_read_as_they_are(tmp_path: Path):
    (tmp_path / "x").write_bytes(b"a\r\nb\rc\n")
    assert read_text(tmp_path / "x") == "a\r\nb\rc\n"
    assert read_text(tmp_path / "y") is None


def test_another_text_of_a_file_makes_another_project(tmp_path: Path):
    project = on_disk(tmp_path, PYPROJECT)
    document = TomlDocument.parse("[project]\n")
    changed = project.with_document(tmp_path / "pyproject.toml", document)
    assert changed.document(tmp_path / "pyproject.toml") is document
    assert project.pyproject.name == "study"
    assert changed.pyproject.name is None
    changed = project.with_document(tmp_path / "poetry.toml", document)
    assert changed.poetry_toml is document
    assert project.document(tmp_path / "poetry.toml") is None


@pytest.mark.parametrize(
    ("path", "position"),
    [
        (("a", "b", "c"), (3, 1)),
        (("a", "b", "x"), (2, 4)),
        (("a", "x", "y"), (2, 2)),
        (("x",), (1, 1)),
        ((), (1, 1)),
    ],
)
def test_a_place_that_is_absent_is_reported_at_its_nearest_parent(
    path: tuple[str, ...], position: tuple[int, int]
):
    document = TomlDocument.parse("# top\n[a.b]\nc = 1\n")
    assert document.nearest(path) == Position(*position)
