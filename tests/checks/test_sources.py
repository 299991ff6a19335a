"""TF4xx: the mirrors through which packages come, and what of them ends up in the lock."""

from __future__ import annotations

import pytest

from poetry_tf.checks.run import fix
from poetry_tf.mirrors import MIRRORS, mirror_at
from poetry_tf.project.project import Project
from tests.made import found, in_memory, lock_text, place

TUNA = MIRRORS["tuna"].url
REQUIRES = '[project]\ndependencies = ["tensorflow~=2.15.0"]\n'


def with_source(url: str, *, priority: str | None = "primary", lock: str | None = None) -> Project:
    said = f'priority = "{priority}"\n' if priority else ""
    return in_memory(
        f'{REQUIRES}[[tool.poetry.source]]\nname = "near"\nurl = "{url}"\n{said}', lock=lock
    )


def locked_from(*urls: str | None) -> str:
    blocks = "".join(
        f'[[package]]\nname = "p{number}"\nversion = "1.0"\n\n'
        + (
            f'[package.source]\ntype = "legacy"\nurl = "{url}"\nreference = "near"\n\n'
            if url
            else ""
        )
        for number, url in enumerate(urls)
    )
    return blocks + '[metadata]\nlock-version = "2.1"\ncontent-hash = "0"\n'


@pytest.mark.parametrize("priority", ["primary", None, "default"])
@pytest.mark.parametrize("url", [TUNA, TUNA.rstrip("/"), "https://mirrors.163.com/pypi/simple/"])
def test_a_mirror_in_pypis_place_is_told_once_a_source(url: str, priority: str | None):
    (finding,) = found(with_source(url, priority=priority), "TF401")
    assert place(finding) == "pyproject.toml:3:1"
    assert "near" in finding.message and "poetry.toml" in finding.remedy
    assert ('"tuna"' in finding.remedy) == ("tuna" in url)


@pytest.mark.parametrize(
    ("url", "priority"),
    [
        (TUNA, "supplemental"),
        (TUNA, "explicit"),
        ("https://nexus.example.com/repository/pypi/simple/", "primary"),
        ("https://mirrors.aliyun.com/pytorch-wheels/cu118/", "primary"),
        ("", "primary"),
    ],
)
def test_what_does_not_stand_for_pypi_is_let_be(url: str, priority: str):
    assert found(with_source(url, priority=priority), "TF401") == []


def test_a_lock_from_a_mirror_is_told_once_with_the_first_place():
    lock = locked_from(None, TUNA.rstrip("/"), TUNA.rstrip("/"))
    (finding,) = found(in_memory(REQUIRES, lock=lock), "TF401")
    assert place(finding) == "poetry.lock:11:1"
    assert finding.message.startswith("2 locked packages come from pypi.tuna")
    (finding,) = found(in_memory(REQUIRES, lock=locked_from(TUNA)), "TF401")
    assert finding.message.startswith("a locked package comes from")


def test_a_lock_from_pypi_or_an_index_of_ones_own_is_let_be():
    lock = locked_from(None, "https://nexus.example.com/pypi/simple")
    assert found(in_memory(REQUIRES, lock=lock), "TF401") == []


def test_nothing_is_said_in_a_project_without_tensorflow():
    text = f'[[tool.poetry.source]]\nname = "near"\nurl = "{TUNA}"\n'
    assert found(in_memory(text, poetry_toml='tf.mirror = "http://pypi.douban.com/simple"')) == []


# -- retired mirrors and plain http ---------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("https://pypi.doubanio.com/simple/", "retired"),
        ("http://pypi.douban.com/simple", "retired"),
        (TUNA.replace("https", "http"), "plain http"),
        ("http://index.example.com/simple/", "plain http"),
    ],
)
def test_an_unfit_source_is_told_at_its_address(url: str, word: str):
    (finding,) = found(with_source(url, priority="supplemental"), "TF402")
    assert place(finding) == "pyproject.toml:5:1"
    assert word in finding.message and not finding.edits


@pytest.mark.parametrize(
    "url",
    [
        TUNA,
        "https://index.example.com/simple/",
        "http://localhost:8080/simple/",
        "http://127.0.0.1:8080/simple/",
        "http://10.1.2.3/simple/",
        "http://nexus/simple/",
        "http://nexus.local/simple/",
        "file:///srv/index",
        "http://[::1",
    ],
)
def test_https_and_ones_own_network_are_let_be(url: str):
    assert found(with_source(url, priority="supplemental"), "TF402") == []
    assert found(in_memory(REQUIRES, poetry_toml=f'[tf]\nmirror = "{url}"\n'), "TF402") == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"https://pypi.douban.com/simple"', '"auto"'),
        ("'http://pypi.tuna.tsinghua.edu.cn/simple'", f"'{TUNA}'"),
        ('["http://pypi.mirrors.ustc.edu.cn/simple"]', f'["{MIRRORS["ustc"].url}"]'),
    ],
)
def test_an_unfit_setting_is_mended_and_the_rest_stays(before: str, after: str):
    text = "# here\n[tf]\nmirror = {} # near\n"
    project = in_memory(REQUIRES, poetry_toml=text.format(before))
    (finding,) = found(project, "TF402")
    assert place(finding).startswith("poetry.toml:3:")
    fixed = fix(project)
    assert fixed.poetry_toml is not None
    assert fixed.poetry_toml.data == in_memory("", poetry_toml=text.format(after)).poetry_toml.data  # type: ignore[union-attr]
    assert fixed.poetry_toml.text.startswith("# here\n[tf]\nmirror = ")
    assert fixed.poetry_toml.text.endswith(" # near\n")
    assert found(fixed, "TF402") == []


def test_an_http_mirror_without_a_known_https_address_is_left_to_a_person():
    url = "http://user:s3cr3t@index.example.com/simple/"
    (finding,) = found(in_memory(REQUIRES, poetry_toml=f'[tf]\nmirror = "{url}"\n'), "TF402")
    assert not finding.edits
    assert "s3cr3t" not in finding.message + finding.remedy


@pytest.mark.parametrize("value", ["auto", "tuna", "off", "3", "[1, 2]", "{}"])
def test_other_settings_are_let_be(value: str):
    text = f'tf.mirror = "{value}"' if value.isalpha() else f"tf.mirror = {value}"
    assert found(in_memory(REQUIRES, poetry_toml=text), "TF402") == []


def test_every_mirror_that_has_a_name_is_known_by_its_address():
    for mirror in MIRRORS.values():
        known = mirror_at(mirror.url)
        assert known is not None and known.today == mirror and not known.retired


def test_the_locked_tensorflow_is_judged_whatever_index_it_came_from():
    lock = lock_text(("tensorflow", "2.13.1"))
    assert found(with_source(TUNA, lock=lock), "TF303") != []
