"""Whether what Poetry locks can be installed in every declared environment.

First with the made-up TensorFlow, by `poetry tf check`; then with the real one, for every series of
note and each environment that it supports.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from poetry_tf.files.lock import Lock
from poetry_tf.files.project import Project
from poetry_tf.plan.environments import (
    ENVIRONMENTS,
    Target,
    format_targets,
    make_targets,
    required_pythons,
)
from poetry_tf.plan.installability import LockedPackages
from poetry_tf.plan.python import release_pythons
from poetry_tf.releases import DISTRIBUTIONS, load, whole
from poetry_tf.releases.images import Systems, load_images
from poetry_tf.releases.model import (
    LINUX_AARCH64,
    LINUX_X86_64,
    MACOS_ARM64,
    WINDOWS_AMD64,
    numbers,
)
from tests.support.index import LocalIndex
from tests.support.poetry import PoetryRunner, locked, write_pyproject

FOUR = (LINUX_X86_64, LINUX_AARCH64, MACOS_ARM64, WINDOWS_AMD64)

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
@pytest.mark.sample(every=4)
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
    everywhere = make_targets(ENVIRONMENTS, ["3.10", "3.11"])
    for ours, theirs in zip(old.packages, new.packages, strict=True):
        assert ours.markers is None
        assert theirs.markers is not None
        needed = [target for target in everywhere if new.needs(theirs, target)]
        assert [target for target in everywhere if old.needs(ours, target)] == needed, ours


def _as_of_poetry_1(lock: Lock) -> Lock:
    packages = [
        {key: value for key, value in package.items() if key not in {"groups", "markers"}}
        for package in lock.data["package"]
    ]
    return replace(lock, data={**lock.data, "package": packages})


# The real TensorFlow -------------------------------------------------------------------------

SERIES = [
    pytest.param(
        series,
        id=series,
        marks=[
            pytest.mark.index,
            pytest.mark.skipif(series not in load().series, reason="no plan is made for it"),
        ],
    )
    for series in ("2.10", "2.13", "2.15", "2.16", "2.18", "2.20", "2.21")
]


@pytest.mark.parametrize("series", SERIES)
def test_what_is_locked_for_every_environment_can_be_installed_there(
    real_poetry: PoetryRunner, project: Path, tmp_path: Path, series: str
) -> None:
    release = load().newest(series)
    assert release is not None
    environments = [name for name in FOUR if release.usable_on(name)]
    pythons = release_pythons(release, environments)
    real_poetry.python_version = f"{max(pythons, key=numbers)}.2"
    named = ", ".join(f'"{name}"' for name in environments)
    (project / "pyproject.toml").write_text(
        f'[project]\nname = "study"\nversion = "0"\n\n[tool.poetry-tf]\nenvironments = [{named}]\n',
        "utf-8",
    )
    done = real_poetry.run(
        "tf", "init", "-n", "--tensorflow", series, "--mirror", "off", timeout=300
    )
    assert done.ok, done.output
    made = Project.read(project)
    lock = made.valid_lock
    assert lock is not None
    assert "[package.source]" not in lock.text
    assert locked(project)["tensorflow"] == str(release.version)

    # By the files' tags, with every Python that the project admits.
    assert made.pyproject.python is not None
    admitted = required_pythons(made.pyproject.python.constraint)
    assert admitted
    judged = make_targets(environments, admitted)
    packages = LockedPackages.of(lock, made.pyproject)
    systems = load_images().systems
    assert [
        f"{item.package.name} {item.package.version}: {item.reason}, "
        f"{format_targets(item.targets, judged)}"
        for item in packages.obstacles(judged, systems)
    ] == []
    assert [target for target in judged if not _has_tensorflow(packages, target)] == []

    # By pip, which knows nothing of Poetry.
    with LocalIndex() as stand_ins:
        _stand_in(stand_ins, packages)
        for name in environments:
            target = Target(name, admitted[-1])
            needed = [item for item in packages.packages if packages.needs(item, target)]
            wanted = {
                f"{item.name}=={item.version}" for item in needed if item.has_wheel(target, systems)
            }
            assert any(item.startswith("tensorflow") for item in wanted)
            assert _installed_by_pip(stand_ins, wanted, target, systems, tmp_path) == wanted

    # By Poetry without the plugin.
    fresh = real_poetry.run("check", "--lock", plugins=False)
    assert fresh.stdout == "All set!\n", fresh.output
    dry = real_poetry.run("install", "--dry-run", plugins=False)
    assert dry.ok, dry.output
    assert f"Installing tensorflow ({release.version})" in dry.stdout

    checked = real_poetry.run("tf", "check")
    assert checked.stdout.startswith("All set! "), checked.output


def _has_tensorflow(packages: LockedPackages, target: Target) -> bool:
    """Whether what is installed in a target holds TensorFlow itself, not only what hands over."""
    for item in packages.packages:
        known = whole(item.name).get(item.version) if item.name in DISTRIBUTIONS else None
        wheels = known.wheels.get(target.environment) if known else None
        if wheels and wheels.kind == "real" and packages.needs(item, target):
            return True
    return False


def _stand_in(index: LocalIndex, packages: LockedPackages) -> None:
    """Fills an index with tiny wheels that have the names of those in the lock."""
    for item in packages.packages:
        if item.tags:
            python = None if item.pythons == "*" else item.pythons
            index.add(item.name, item.version, requires_python=python, tags=sorted(item.tags))


def _installed_by_pip(
    index: LocalIndex, wanted: set[str], target: Target, systems: Systems, folder: Path
) -> set[str]:
    """What pip would install in a target when it is asked for all of these."""
    platforms = [option for name in _for_pip(target, systems) for option in ("--platform", name)]
    report = folder / "report.json"
    options = (
        f"--dry-run --ignore-installed --target {folder / 'target'} --no-deps "
        f"--only-binary=:all: --implementation cp --python-version {target.python} "
        f"--abi cp{target.python.replace('.', '')} --index-url {index.url} --report {report} "
        "--quiet"
    ).split(" ")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--isolated", "install", *options, *platforms, *wanted],
        env={**os.environ, "PIP_CONFIG_FILE": os.devnull, "NO_PROXY": "*"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, f"{target}: {done.stderr}"
    found = [item["metadata"] for item in json.loads(report.read_text("utf-8"))["install"]]
    return {f"{canonicalize_name(item['name'])}=={item['version']}" for item in found}


def _for_pip(target: Target, systems: Systems) -> list[str]:
    """pip wants every glibc named; of macOS it goes down by itself."""
    machine = target.environment.partition("-")[2]
    if target.environment.startswith("linux"):
        minors = range(5, int(systems.glibc.partition(".")[2]) + 1)
        return [f"manylinux2014_{machine}", *(f"manylinux_2_{one}_{machine}" for one in minors)]
    if target.environment.startswith("macos"):
        return [f"macosx_{systems.macos.replace('.', '_')}_{machine}"]
    return ["win_amd64"]
