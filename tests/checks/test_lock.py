"""TF3xx: the lock, and what Poetry is told to do with the project."""

from __future__ import annotations

from pathlib import Path

import pytest

from poetry_tf.checks.run import fix
from tests.made import content_hash, found, in_memory, lock_text, on_disk, place

TEXT = """\
[project]
name = "study"
requires-python = ">=3.10,<3.12"
dependencies = ["tensorflow~=2.13.0"]
"""
MANAGED = f"{TEXT}[tool.poetry]\npackage-mode = false\n[tool.poetry-tf]\n"


def lock_of(pyproject: str, *packages: tuple[str, str]) -> str:
    return lock_text(*packages, content_hash=content_hash(pyproject))


# -- package mode ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "after"),
    [
        ('[tool.poetry]\nname = "x"\n', 1, '[tool.poetry]\nname = "x"\npackage-mode = false\n'),
        (
            "[tool.poetry]\npackage-mode = true # on\n",
            2,
            "[tool.poetry]\npackage-mode = false # on\n",
        ),
        ("[tool.poetry]\n", 1, "[tool.poetry]\npackage-mode = false\n"),
    ],
)
def test_package_mode_is_turned_off_where_there_is_no_package(text: str, line: int, after: str):
    requirement = '\n[tool.poetry.dependencies]\ntensorflow = "~2.13.0"\npython = "~3.11"\n'
    project = in_memory(text + requirement)
    (finding,) = found(project, "TF301")
    assert finding.position is not None
    assert finding.position.line == line
    assert fix(project).pyproject.document.text == after + requirement
    assert found(fix(project), "TF301") == []


@pytest.mark.parametrize(
    "text",
    [
        "[tool.poetry]\npackage-mode = false",
        '[tool.poetry]\npackages = [{include = "lib"}]',
        '[tool.poetry.scripts]\nrun = "a:b"',
        '[project]\nname = "x"',  # nothing says that it is Poetry's
        '[project]\nname = "x"\n[tool.uv]',
    ],
)
def test_package_mode_is_no_matter_where_it_is_off_or_meant(text: str):
    assert found(in_memory(text), "TF301") == []


def test_package_mode_is_no_matter_without_tensorflow():
    assert found(in_memory('[tool.poetry]\nname = "x"\n')) == []


def test_a_lock_says_that_the_project_is_poetrys(tmp_path: Path):
    project = on_disk(tmp_path, {"pyproject.toml": TEXT, "poetry.lock": lock_of(TEXT)})
    assert [item.code for item in found(project)] == ["TF301"]


# -- the lock -------------------------------------------------------------------------------


def test_a_managed_project_has_to_be_locked(tmp_path: Path):
    (finding,) = found(on_disk(tmp_path, {"pyproject.toml": MANAGED}), "TF302")
    assert place(finding) == "poetry.lock:None"
    assert "poetry lock" in finding.remedy
    assert found(in_memory(TEXT), "TF302") == []


def test_a_fresh_lock_is_fine(tmp_path: Path):
    lock = lock_of(MANAGED, ("tensorflow", "2.13.1"))
    project = on_disk(tmp_path, {"pyproject.toml": MANAGED, "poetry.lock": lock})
    assert [item.code for item in found(project)] == ["TF501"]


def test_a_lock_from_before_a_change_is_stale(tmp_path: Path):
    changed = MANAGED.replace("2.13.0", "2.13.1")
    lock = lock_of(MANAGED, ("tensorflow", "2.13.1"))
    project = on_disk(tmp_path, {"pyproject.toml": changed, "poetry.lock": lock})
    (finding,) = found(project, "TF302")
    assert place(finding) == "poetry.lock:1:1"


def test_a_lock_of_another_managers_project_is_not_judged(tmp_path: Path):
    text = f'{TEXT}[build-system]\nbuild-backend = "hatchling.build"\n'
    lock = lock_of(TEXT.replace("2.13.0", "2.13.1"))
    project = on_disk(tmp_path, {"pyproject.toml": text, "poetry.lock": lock})
    assert found(project, "TF302") == []


@pytest.mark.parametrize(
    ("lock", "where"),
    [
        ("x = \n", "poetry.lock:1:5"),
        ("", "poetry.lock:1:1"),
        ("package = 3\n[metadata]\n", "poetry.lock:1:1"),
        ("[[package]]\n[metadata]\n", "poetry.lock:1:1"),
        ("<<<<<<< HEAD\n", "poetry.lock:1:1"),
    ],
)
def test_a_lock_that_cannot_be_read_is_told_with_its_place(tmp_path: Path, lock: str, where: str):
    project = on_disk(tmp_path, {"pyproject.toml": MANAGED, "poetry.lock": lock})
    (finding,) = found(project, "TF302")
    assert place(finding) == where
    assert "can't be used" in finding.message


@pytest.mark.parametrize(
    "metadata",
    [
        "",
        'content-hash = "0"',
        "content-hash = 3",
        'lock-version = "99.0"\ncontent-hash = "0"',
        'lock-version = "x"',
        "hashes = {}",
    ],
)
def test_a_lock_of_another_time_is_stale_whatever_it_lacks(tmp_path: Path, metadata: str):
    lock = f"[metadata]\n{metadata}\n"
    project = on_disk(tmp_path, {"pyproject.toml": MANAGED, "poetry.lock": lock})
    assert [item.code for item in found(project)] == ["TF302", "TF501"]


# -- what is locked -------------------------------------------------------------------------


@pytest.mark.parametrize(("packages", "told"), [([], 1), ([("tensorflow", "2.13.1")], 0)])
def test_a_group_that_was_left_out_of_a_fresh_lock_is_told(
    tmp_path: Path, packages: list[tuple[str, str]], told: int
):
    """Which Poetry 2.1 does with [dependency-groups], and says nothing of."""
    text = '[project]\nname = "study"\n[dependency-groups]\ntrain = ["tensorflow~=2.13.0"]\n'
    files = {"pyproject.toml": text, "poetry.lock": lock_of(text, *packages)}
    findings = found(on_disk(tmp_path, files), "TF303")
    assert [place(finding) for finding in findings] == ["pyproject.toml:4:10"] * told
    assert all("Poetry 2.2 or later" in str(finding.remedy) for finding in findings)


def test_a_locked_release_outside_the_pin_is_told_where_it_is_locked(tmp_path: Path):
    lock = lock_of(TEXT, ("numpy", "1.24.3"), ("tensorflow", "2.15.1"))
    project = on_disk(tmp_path, {"pyproject.toml": TEXT, "poetry.lock": lock})
    (finding,) = found(project, "TF303")
    line = lock.splitlines().index('version = "2.15.1"') + 1
    assert place(finding) == f"poetry.lock:{line}:1"
    assert finding.message.startswith("tensorflow 2.15.1 is locked, but pyproject.toml asks for ")


@pytest.mark.parametrize(
    "packages",
    [
        [("tensorflow", "2.13.0")],
        [("tensorflow", "2.13.1"), ("tensorflow-intel", "2.13.1")],
        [("numpy", "1.24.3")],
        [],
    ],
)
def test_a_locked_release_within_the_pin_is_fine(tmp_path: Path, packages: list[tuple[str, str]]):
    files = {"pyproject.toml": TEXT, "poetry.lock": lock_of(TEXT, *packages)}
    assert found(on_disk(tmp_path, files), "TF303") == []


def test_several_locked_releases_that_markers_tell_apart_are_fine(tmp_path: Path):
    text = """\
[tool.poetry]
package-mode = false
[tool.poetry.dependencies]
python = ">=3.9,<3.12"
tensorflow = [
    {version = "~2.13.0", python = "<3.10"},
    {version = "~2.15.0", python = ">=3.10"},
]
"""
    lock = lock_of(text, ("tensorflow", "2.13.1"), ("tensorflow", "2.15.1"))
    project = on_disk(tmp_path, {"pyproject.toml": text, "poetry.lock": lock})
    assert found(project, "TF303") == []
