"""Whether what Poetry locks can be installed in every declared environment.

First with the made-up TensorFlow, by `poetry tf check`; then with the real one, for every series of
note and each environment that it supports.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from poetry_tf.environments import ENVIRONMENTS, cells
from poetry_tf.installable import LockedPackages
from poetry_tf.project.lock import Lock
from poetry_tf.project.project import Project
from tests.support.index import LocalIndex
from tests.support.poetry import PoetryRunner, write_pyproject

FILESYSTEM = "tensorflow-io-gcs-filesystem"
MANAGED = """
[tool.poetry-tf]
environments = ["linux-x86_64", "linux-aarch64", "windows-amd64"]
"""
PIN = "tensorflow (>=2.16.2,<2.17)"
APART = [
    f'{FILESYSTEM} (==0.31.0); sys_platform == "win32" and python_version < "3.12"',
    f'{FILESYSTEM} (>=0.37.1); sys_platform != "win32" and python_version < "3.12"',
]


def _found(poetry: PoetryRunner, code: str) -> list[str]:
    result = poetry.call("tf", "check")
    assert "Traceback" not in result.output
    return [line for line in result.stderr.splitlines() if f" {code} " in line]


def test_a_lock_of_poetrys_that_cannot_be_installed_is_found(
    warm_poetry: PoetryRunner, project: Path, index: LocalIndex
) -> None:
    write_pyproject(project, [PIN], requires_python=">=3.10,<3.13", more=MANAGED)
    assert warm_poetry.call("lock", plugins=False).ok
    index.requests.clear()
    (line,) = _found(warm_poetry, "TF304")
    lock = (project / "poetry.lock").read_text("utf-8").splitlines()
    number = int(line.split(":")[1])
    assert lock[number - 2 : number] == [f'name = "{FILESYSTEM}"', 'version = "0.37.1"']
    assert line.endswith(
        f"{FILESYSTEM} 0.37.1 has no file for windows-amd64 with Python 3.10 and 3.11"
    )
    assert index.requests == []

    write_pyproject(project, [PIN, *APART], requires_python=">=3.10,<3.13", more=MANAGED)
    assert warm_poetry.call("lock", plugins=False).ok
    assert _found(warm_poetry, "TF304") == []


def test_where_no_environment_is_declared_the_container_is_meant(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    write_pyproject(project, [PIN], requires_python=">=3.10,<3.13", more="[tool.poetry-tf]\n")
    assert warm_poetry.call("lock", plugins=False).ok
    assert _found(warm_poetry, "TF304") == []


@pytest.mark.parametrize(
    "dependencies",
    [
        [PIN],
        [PIN, *APART],
        ['tensorflow[and-cuda] (>=2.20,<2.21); sys_platform == "linux"'],
        [
            'tensorflow (>=2.13.1,<2.14); python_version < "3.11"',
            'tensorflow (>=2.16.2,<2.17); python_version >= "3.11"',
            'tensorflow-cpu-aws (>=2.13,<2.14); platform_machine == "aarch64" and '
            'python_version < "3.11"',
            'tensorflow-probability[tf]; python_version >= "3.11"',
        ],
    ],
    ids=["plain", "apart", "cuda", "two"],
)
def test_without_poetrys_markers_the_same_is_found_to_be_needed(
    warm_poetry: PoetryRunner, project: Path, dependencies: list[str]
) -> None:
    """Locks of Poetry 1 have none: there the requirements are followed. Poetry 2 is the judge."""
    more = "\n[tool.poetry.group.dev.dependencies]\nh5py = {version = '*', python = '>=3.11'}\n"
    write_pyproject(project, dependencies, requires_python=">=3.10,<3.12", more=more)
    done = warm_poetry.call("lock", plugins=False)
    assert done.ok, done.output
    made = Project.read(project)
    lock = made.valid_lock
    assert lock is not None
    new = LockedPackages.of(lock, made.pyproject)
    old = LockedPackages.of(_as_of_poetry_1(lock), made.pyproject)
    everywhere = cells(ENVIRONMENTS, ["3.10", "3.11"])
    for ours, theirs in zip(old.packages, new.packages, strict=True):
        assert ours.markers is None
        assert theirs.markers is not None
        needed = [cell for cell in everywhere if new.needs(theirs, cell)]
        assert [cell for cell in everywhere if old.needs(ours, cell)] == needed, ours


def _as_of_poetry_1(lock: Lock) -> Lock:
    packages = [
        {key: value for key, value in package.items() if key not in {"groups", "markers"}}
        for package in lock.data["package"]
    ]
    return replace(lock, data={**lock.data, "package": packages})
