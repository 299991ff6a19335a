"""TF4xx: the mirrors through which packages come, and what of them ends up in the lock."""

from __future__ import annotations

import pytest

from poetry_tf.actions.fix import fix
from poetry_tf.files.project import Project
from poetry_tf.index.mirrors import MIRRORS, mirror_at
from tests.made import content_hash, found, in_memory, lock_text, place

TUNA = MIRRORS["tuna"].url
REQUIRES = '[project]\ndependencies = ["tensorflow~=2.15.0"]\n'


def with_source(url: str, *, priority: str | None = "primary", lock: str | None = None) -> Project:
    line = f'priority = "{priority}"\n' if priority else ""
    return in_memory(
        f'{REQUIRES}[[tool.poetry.source]]\nname = "near"\nurl = "{url}"\n{line}', lock=lock
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
def test_a_mirror_in_pypis_place_is_reported_once_a_source(url: str, priority: str | None):
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


def test_a_lock_from_a_mirror_is_reported_once_with_the_first_place():
    lock = locked_from(None, TUNA.rstrip("/"), TUNA.rstrip("/"))
    (finding,) = found(in_memory(REQUIRES, lock=lock), "TF401")
    assert place(finding) == "poetry.lock:11:1"
    assert finding.message.startswith("2 locked packages come only from pypi.tuna")
    (finding,) = found(in_memory(REQUIRES, lock=locked_from(TUNA)), "TF401")
    assert finding.message.startswith("a locked package comes only from")


def bound(text: str, lock: str, *, poetry_toml: str | None = None) -> Project:
    """A project whose lock was made from it."""
    assert 'content-hash = "0"' in lock
    lock = lock.replace('content-hash = "0"', f'content-hash = "{content_hash(text)}"')
    return in_memory(text, lock=lock, poetry_toml=poetry_toml)


SOURCE = f'[[tool.poetry.source]]\nname = "near"\nurl = "{TUNA}"\n'


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_source_goes_with_its_comments_and_nothing_else_does(newline: str):
    before = f"# the file\n\n{REQUIRES}\n# kept\n\n"
    after = "\n# of mypy\n[tool.mypy]\nstrict = true # yes\n"
    text = f"{before}# 清华镜像\n# near by\n{SOURCE}# within\n{after}".replace("\n", newline)
    project = bound(text, locked_from(TUNA.rstrip("/"), None).replace("\n", newline))
    fixed = fix(project, codes={"TF401"})
    assert fixed.pyproject.document.text == (before + after.lstrip()).replace("\n", newline)
    assert fixed.is_locked
    assert fixed.valid_lock is not None
    digest = content_hash(fixed.pyproject.document.text)
    expected = locked_from(None, None).replace('"0"', f'"{digest}"').replace("\n", newline)
    assert fixed.valid_lock.text == expected
    assert found(fixed, "TF401") == []


def test_a_setting_that_is_there_stays():
    toml = "tf.mirror = ['aliyun'] # ours\n"
    fixed = fix(bound(REQUIRES + SOURCE, locked_from(TUNA), poetry_toml=toml), codes={"TF401"})
    assert fixed.poetry_toml is not None and fixed.poetry_toml.text == toml


@pytest.mark.parametrize(
    ("table", "left"),
    [
        ('six = { version = "^1", source = "near" }', 'six = { version = "^1" }'),
        (
            'six = { version = "^1", source = "NEAR", optional = true }',
            'six = { version = "^1", optional = true }',
        ),
        (
            'six = [\n    { version = "^1", source = "near", python = "<3.12" }, # old\n'
            '    { version = "^2", source = "other", python = ">=3.12" },\n]',
            'six = [\n    { version = "^1", python = "<3.12" }, # old\n'
            '    { version = "^2", source = "other", python = ">=3.12" },\n]',
        ),
        (
            '[tool.poetry.dependencies.six]\nversion = "^1"\nsource = "near"\noptional = true',
            '[tool.poetry.dependencies.six]\nversion = "^1"\noptional = true',
        ),
    ],
)
@pytest.mark.parametrize("group", ["dependencies", "dev-dependencies", "group.x.dependencies"])
def test_what_names_the_source_names_it_no_more(table: str, left: str, group: str):
    head = f"[tool.poetry.{group}]\ntensorflow = '~2.15.0'\n"
    table, left = (t.replace("poetry.dependencies.", f"poetry.{group}.") for t in (table, left))
    fixed = fix(bound(f"{head}{table}\n\n{SOURCE}", locked_from(TUNA)), codes={"TF401"})
    assert fixed.pyproject.document.text == f"{head}{left}\n"
    assert fixed.is_locked


def test_an_entry_that_only_names_the_source_goes():
    text = f"{REQUIRES}\n[tool.poetry.dependencies]\ntensorflow = {{ source = 'near' }}\n\n{SOURCE}"
    fixed = fix(bound(text, locked_from(TUNA)), codes={"TF401"})
    assert fixed.pyproject.document.text == f"{REQUIRES}\n[tool.poetry.dependencies]\n"


@pytest.mark.parametrize("first", [True, False])
def test_beside_another_source_pypi_itself_takes_the_mirrors_place(first: bool):
    own = '[[tool.poetry.source]]\nname = "own"\nurl = "https://nexus.example.com/pypi/simple"\n'
    pypi = '[[tool.poetry.source]]\nname = "PyPI"\n'
    order = [SOURCE, own] if first else [own, SOURCE]
    text = f"{REQUIRES}\n" + "\n".join(order)
    lock = locked_from(TUNA, None).replace(
        "[metadata]",
        '[[package]]\nname = "own"\nversion = "1.0"\n\n[package.source]\ntype = "legacy"\n'
        'url = "https://nexus.example.com/pypi/simple"\nreference = "own"\n\n[metadata]',
    )
    fixed = fix(bound(text, lock), codes={"TF401"})
    assert fixed.pyproject.document.text == text.replace(SOURCE, pypi)
    assert fixed.is_locked
    assert fixed.valid_lock is not None
    assert [index.reference for index in fixed.valid_lock.indexes] == ["own"]


def test_an_explicit_mirror_is_taken_out_once_something_is_locked_from_it():
    text = (
        f"[tool.poetry.dependencies]\ntensorflow = {{ version = '~2.15.0', source = 'near' }}\n\n"
        f'{SOURCE}priority = "explicit"\n'
    )
    project = bound(text, locked_from(TUNA, None))
    (finding,) = found(project, "TF401")
    assert place(finding).startswith("poetry.lock")
    fixed = fix(project, codes={"TF401"})
    assert fixed.pyproject.sources == () and "near" not in fixed.pyproject.document.text
    assert fixed.is_locked and found(fixed, "TF401") == []


def test_a_lock_from_a_mirror_that_is_no_source_any_more_is_freed():
    """Poetry itself can't: `poetry lock` looks for the source that the lock names."""
    project = bound(REQUIRES, locked_from(TUNA, None, MIRRORS["bfsu"].url))
    fixed = fix(project, codes={"TF401"})
    assert fixed.pyproject == project.pyproject
    assert fixed.is_locked
    assert fixed.poetry_toml is not None and fixed.poetry_toml.data == {"tf": {"mirror": "tuna"}}
    assert fixed.valid_lock is not None and not fixed.valid_lock.indexes


def test_a_stale_lock_is_freed_and_stays_stale():
    fixed = fix(in_memory(REQUIRES + SOURCE, lock=locked_from(TUNA)), codes={"TF401"})
    assert fixed.valid_lock is not None and not fixed.valid_lock.indexes
    assert not fixed.is_locked


def test_a_lock_of_an_older_poetry_gets_the_hash_that_one_takes():
    """Before 2.3 Poetry left [dependency-groups] out of it."""
    text = f"{REQUIRES}[dependency-groups]\nx = ['six']\n"
    head = "# This file is automatically @generated by Poetry 2.2.1 and …\n\n"
    lock = head + locked_from(TUNA)
    bare = bound(REQUIRES, lock).valid_lock
    source = in_memory(text + SOURCE, lock=(bare.text if bare else ""))
    assert source.valid_lock is not None
    old = source.valid_lock.rehashed(source.pyproject.data)
    fixed = fix(in_memory(text + SOURCE, lock=old.text), codes={"TF401"})
    assert fixed.is_locked
    assert fixed.valid_lock is not None
    without_groups = content_hash(REQUIRES)
    assert fixed.valid_lock.data["metadata"]["content-hash"] == without_groups


def test_what_cannot_be_fixed_safely_says_why():
    pypi = '[[tool.poetry.source]]\nname = "PyPI"\npriority = "explicit"\n'
    (finding,) = found(in_memory(f"{REQUIRES}{SOURCE}{pypi}"), "TF401")
    assert not finding.edits and "PyPI itself is an explicit source" in finding.remedy
    odd = locked_from(TUNA).replace('type = "legacy"\n', 'type = "legacy" # by hand\n')
    project = in_memory(REQUIRES + SOURCE, lock=odd)
    for finding in found(project, "TF401"):
        assert not finding.edits and "not the form in which Poetry writes it" in finding.remedy
    assert fix(project, codes={"TF401"}) == project
    broken = in_memory(REQUIRES + SOURCE, poetry_toml="tf = 3\n")
    (finding,) = found(broken, "TF401")
    assert not finding.edits and "poetry.toml:1:" in finding.remedy


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
def test_an_unfit_source_is_reported_at_its_address(url: str, word: str):
    (finding,) = found(with_source(url, priority="supplemental"), "TF402")
    assert place(finding) == "pyproject.toml:5:1"
    assert word in finding.message
    assert bool(finding.edits) is (mirror_at(url) is not None)


@pytest.mark.parametrize(
    ("url", "mirror"),
    [
        ("https://pypi.doubanio.com/simple/", "auto"),
        (TUNA.replace("https", "http"), "tuna"),
        ("http://mirrors.163.com/pypi/simple/", "auto"),
    ],
)
@pytest.mark.parametrize("priority", ["primary", "supplemental", "explicit"])
def test_an_unfit_source_becomes_a_setting(url: str, mirror: str, priority: str):
    fixed = fix(with_source(url, priority=priority), codes={"TF402"})
    assert fixed.pyproject.document.text == REQUIRES
    assert fixed.poetry_toml is not None and fixed.poetry_toml.data == {"tf": {"mirror": mirror}}
    assert found(fixed, "TF401") == found(fixed, "TF402") == []


def test_an_unfit_source_that_is_meant_to_be_one_stays_one_by_https():
    http, accepted = TUNA.replace("https", "http"), '{ code = "TF401", reason = "ours" }'
    project = with_source(http, lock=locked_from(http.rstrip("/"), None))
    text = f"{project.pyproject.document.text}[tool.poetry-tf]\nignore = [{accepted}]\n"
    project = in_memory(text, lock=locked_from(http.rstrip("/"), None))
    fixed = fix(project, codes={"TF402"})
    assert fixed.pyproject.document.text == text.replace(http, TUNA)
    assert fixed.poetry_toml is None
    assert fixed.valid_lock is not None
    assert fixed.valid_lock.text == locked_from(TUNA.rstrip("/"), None)


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
        ('["tuna", "https://pypi.douban.com/simple"]', '["tuna"]'),
        ('["https://pypi.douban.com/simple"]', '["auto"]'),
        ('"tuna,http://mirrors.aliyun.com/pypi/simple"', f'"tuna, {MIRRORS["aliyun"].url}"'),
        ('"https://pypi.douban.com/simple, bfsu"', '"bfsu"'),
    ],
)
def test_an_unfit_setting_is_fixed_and_the_rest_stays(before: str, after: str):
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
