"""`poetry add tensorflow` writes what the declared environments need besides."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomlkit

from tests.support.poetry import KNOWS_DEPENDENCY_GROUPS, PoetryRunner, locked, write_pyproject
from tests.support.projects import contents

CPU_AWS = (
    "tensorflow-cpu-aws (>=2.15.1,<2.16.0) ; "
    'sys_platform == "linux" and platform_machine == "aarch64"'
)
SETUPTOOLS = "setuptools (<82)"
WINDOWS = 'environments = ["linux-x86_64", "windows-amd64"]\n'
NO_GPU = 'gpu = "none"\n'
SETTINGS = "\n[tool.poetry-tf]\n"


def codes(poetry: PoetryRunner) -> set[str]:
    lines = poetry.call("tf", "check").stderr.splitlines()
    return {word for line in lines for word in line.split() if word.startswith("TF")}


def dependencies(path: Path) -> list[str]:
    found: list[str] = tomlkit.parse(path.read_text("utf-8")).unwrap()["project"]["dependencies"]
    return found


@pytest.mark.slow
def test_beside_tensorflow_goes_the_distribution_of_a_platform(warm_poetry: PoetryRunner) -> None:
    path = write_pyproject(warm_poetry.project, requires_python="~=3.11.0", more=SETTINGS)
    done = warm_poetry.call("add", "--lock", "tensorflow@>=2.15.1,<2.16.0")
    assert done.ok, done.output
    assert dependencies(path) == ["tensorflow (>=2.15.1,<2.16.0)", CPU_AWS, SETUPTOOLS]
    assert done.stderr.splitlines() == [
        f"poetry-tf: added {line} to pyproject.toml" for line in (CPU_AWS, SETUPTOOLS)
    ]
    assert locked(warm_poetry.project)["tensorflow-cpu-aws"] == "2.15.1"
    assert warm_poetry.call("check", "--lock", plugins=False).ok
    assert codes(warm_poetry) == {"TF501"}, "only the container is missing"


def test_plain_poetry_keeps_what_was_locked(warm_poetry: PoetryRunner) -> None:
    write_pyproject(warm_poetry.project, requires_python="~=3.11.0", more=SETTINGS)
    assert warm_poetry.call("add", "--lock", "tensorflow@~2.15.1").ok
    before = locked(warm_poetry.project)
    again = warm_poetry.call("lock", plugins=False)
    assert again.ok, again.output
    assert locked(warm_poetry.project).items() >= before.items()


@pytest.mark.slow
def test_two_lines_where_one_dependency_has_no_wheel(warm_poetry: PoetryRunner) -> None:
    path = write_pyproject(
        warm_poetry.project, requires_python="~=3.11.0", more=SETTINGS + NO_GPU + WINDOWS
    )
    done = warm_poetry.call("add", "--lock", "tensorflow@~2.16.2")
    assert done.ok, done.output
    names = [line.partition(" ")[0] for line in dependencies(path)]
    assert names.count("tensorflow-io-gcs-filesystem") == 2
    assert "tensorflow-intel" in names
    lock = (warm_poetry.project / "poetry.lock").read_text("utf-8")
    for version in ("0.31.0", "0.37.1"):
        assert f'name = "tensorflow-io-gcs-filesystem"\nversion = "{version}"' in lock
    assert codes(warm_poetry) == {"TF501"}


LEGACY = """\
[tool.poetry]
name = "example"
version = "0.1.0"
description = ""
authors = []
package-mode = false

[tool.poetry.dependencies]
python = "~3.11"

[tool.poetry-tf]
"""


def test_in_legacy_tables(warm_poetry: PoetryRunner) -> None:
    path = warm_poetry.project / "pyproject.toml"
    path.write_text(LEGACY + WINDOWS, "utf-8")
    done = warm_poetry.call("add", "--lock", "tensorflow@~2.15.1")
    assert done.ok, done.output
    table = tomlkit.parse(path.read_text("utf-8")).unwrap()["tool"]["poetry"]["dependencies"]
    assert table["tensorflow-intel"]["version"] == "~2.15.1"
    assert 'sys_platform == "win32"' in table["tensorflow-intel"]["markers"]
    assert len(table["tensorflow-io-gcs-filesystem"]) == 2
    assert codes(warm_poetry) == {"TF501"}


@pytest.mark.sample
@pytest.mark.parametrize("more", ["", "\n[dependency-groups]\ntrain = []\n"])
def test_in_a_group(warm_poetry: PoetryRunner, more: str) -> None:
    path = write_pyproject(warm_poetry.project, requires_python="~=3.11.0", more=more + SETTINGS)
    done = warm_poetry.call("add", "--lock", "--group", "train", "tensorflow@~2.15.1")
    assert done.ok, done.output
    written = tomlkit.parse(path.read_text("utf-8")).unwrap()
    if KNOWS_DEPENDENCY_GROUPS:
        group = [line.partition(" ")[0] for line in written["dependency-groups"]["train"]]
    else:
        group = list(written["tool"]["poetry"]["group"]["train"]["dependencies"])
    assert group == ["tensorflow", "tensorflow-cpu-aws", "setuptools"]
    assert locked(warm_poetry.project)["tensorflow-cpu-aws"] == "2.15.1"
    assert codes(warm_poetry) == {"TF501"}


@pytest.mark.slow
def test_a_dry_run_writes_nothing(warm_poetry: PoetryRunner) -> None:
    write_pyproject(warm_poetry.project, requires_python="~=3.11.0", more=SETTINGS)
    before = contents(warm_poetry.project)
    done = warm_poetry.call("add", "--lock", "--dry-run", "tensorflow@~2.15.1")
    assert done.ok, done.output
    assert contents(warm_poetry.project) == before


@pytest.mark.sample
@pytest.mark.parametrize(
    ("more", "package"),
    [("", "tensorflow@~2.15.1"), (SETTINGS, "six"), (SETTINGS, "tensorflow@~2.21")],
    ids=["not managed", "another package", "nothing is needed"],
)
def test_nothing_is_written_besides(warm_poetry: PoetryRunner, more: str, package: str) -> None:
    path = write_pyproject(warm_poetry.project, requires_python="~=3.11.0", more=more)
    done = warm_poetry.call("add", "--lock", package)
    assert (done.ok, done.stderr) == (True, ""), done.output
    assert len(dependencies(path)) == 1


# Another series


@pytest.mark.parametrize(
    ("series", "more"),
    [
        ("2.13", ""),
        ("2.18", 'environments = ["linux-x86_64", "windows-amd64"]\n'),
        ("2.20", 'environments = ["linux-x86_64", "windows-amd64"]\n'),
        ("2.21", ""),
    ],
)
@pytest.mark.sample(every=3)
def test_what_stands_beside_it_moves_along(
    warm_poetry: PoetryRunner, series: str, more: str
) -> None:
    path = write_pyproject(warm_poetry.project, requires_python="~=3.11.0", more=SETTINGS + more)
    assert warm_poetry.call("add", "--lock", "tensorflow@~2.15.1").ok
    done = warm_poetry.call("add", "--lock", f"tensorflow@~{series}")
    assert done.ok, done.output
    assert locked(warm_poetry.project)["tensorflow"].startswith(series)
    assert codes(warm_poetry) == {"TF501"}
    if series in {"2.20", "2.21"}:
        assert dependencies(path)[1:] == ([SETUPTOOLS] if series == "2.20" else [])
        assert "removed tensorflow-" in done.stderr


@pytest.mark.slow
def test_a_pin_that_was_moved_by_hand_is_fixed_before_locking(warm_poetry: PoetryRunner) -> None:
    path = write_pyproject(warm_poetry.project, requires_python="~=3.11.0", more=SETTINGS)
    assert warm_poetry.call("add", "--lock", "tensorflow@~2.15.1").ok
    text = path.read_text("utf-8").replace("tensorflow (>=2.15.1,<2.16.0)", "tensorflow (~=2.18.0)")
    path.write_text(text, "utf-8")
    refused = warm_poetry.call("lock")
    assert refused.returncode == 1
    assert "tensorflow-cpu-aws" in refused.stderr
    assert "poetry tf check --fix" in refused.stderr
    fixed = warm_poetry.call("tf", "check", "--fix")
    assert fixed.ok, fixed.output
    assert locked(warm_poetry.project)["tensorflow"] == "2.18.1"
    assert "tensorflow-cpu-aws" not in path.read_text("utf-8")


@pytest.mark.slow
def test_what_was_beside_a_tensorflow_that_is_gone_goes_too(warm_poetry: PoetryRunner) -> None:
    """But not a bound, which could be the user's own."""
    path = write_pyproject(warm_poetry.project, requires_python="~=3.11.0", more=SETTINGS)
    assert warm_poetry.call("add", "--lock", "tensorflow@~2.15.1", "six").ok
    assert warm_poetry.call("remove", "--lock", "tensorflow").ok
    assert warm_poetry.call("tf", "check", "--fix", "--select", "TF1,TF3").ok
    assert [line.partition(" ")[0] for line in dependencies(path)] == ["six", "setuptools"]


@pytest.mark.slow
def test_cuda_by_wheels_is_asked_for_where_the_project_wants_it(warm_poetry: PoetryRunner) -> None:
    path = write_pyproject(warm_poetry.project, requires_python="~=3.11.0", more=SETTINGS)
    done = warm_poetry.call("add", "--lock", "tensorflow@~2.16.2")
    assert done.ok, done.output
    assert [line.partition(" ")[0] for line in dependencies(path)] == [
        "tensorflow[and-cuda]",
        "setuptools",
        "tensorflow",
    ]
    assert "nvidia-cudnn-cu12" in locked(warm_poetry.project)
    assert codes(warm_poetry) == {"TF501"}


@pytest.mark.slow
def test_in_an_extra(warm_poetry: PoetryRunner) -> None:
    path = write_pyproject(warm_poetry.project, requires_python="~=3.11.0", more=SETTINGS)
    done = warm_poetry.call("add", "--lock", "--optional", "ml", "tensorflow@~2.15.1")
    assert done.ok, done.output
    extra = tomlkit.parse(path.read_text("utf-8")).unwrap()["project"]["optional-dependencies"]
    names = [line.partition(" ")[0] for line in extra["ml"]]
    assert names == ["tensorflow", "tensorflow-cpu-aws", "setuptools"]
    lock = (warm_poetry.project / "poetry.lock").read_text("utf-8")
    assert "tensorflow-cpu-aws" in lock.partition("[extras]")[2]
    assert codes(warm_poetry) == {"TF501"}
