"""The made-up TensorFlow: it has what the real one has, and the real Poetry can solve it."""

from __future__ import annotations

import subprocess

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from poetry_tf.releases import load
from tests.support.index import LocalIndex, Mount
from tests.support.poetry import PoetryRunner, locked, write_pyproject
from tests.support.tensorflow import distributions

NEWEST = load().releases[-1].version
PYTHON = {"requires_python": ">=3.11,<3.12"}


def test_every_release_is_there(index: LocalIndex) -> None:
    versions = {str(release.version) for release in load().releases}
    assert set(index.versions("tensorflow")) == versions | {"2.22.0rc0"}


def test_the_wheels_are_those_that_the_data_tells_of() -> None:
    found = {
        tag
        for distribution in distributions()
        if (distribution.name, distribution.version) == ("tensorflow", "2.12.1")
        for tag in distribution.tags
    }
    assert "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64" in found
    assert "cp38-cp38-win_amd64" in found
    assert not any("cp312" in tag or "macosx_12_0_arm64" in tag for tag in found)


@pytest.mark.parametrize("release", load().releases, ids=lambda release: str(release.version))
def test_every_requirement_can_be_satisfied(index: LocalIndex, release) -> None:
    for line in (*release.requires, *(release.and_cuda.requires if release.and_cuda else ())):
        requirement = Requirement(line)
        versions = index.versions(canonicalize_name(requirement.name))
        assert list(requirement.specifier.filter(versions)), line


def test_a_release_says_one_thing_through_pypi_and_another_through_a_mirror(
    poetry: PoetryRunner, mirror: Mount
) -> None:
    """As the real ones do (python-poetry/poetry#8271)."""
    source = f'[[tool.poetry.source]]\nname = "mirror"\nurl = "{mirror.url}"\n'
    write_pyproject(poetry.project, ["tensorflow (==2.18.1)"], **PYTHON)
    through_pypi = poetry.call("lock", plugins=False)
    write_pyproject(poetry.project, ["tensorflow (==2.18.1)"], **PYTHON, more=source)
    through_mirror = poetry.call("lock", plugins=False)
    assert "tensorflow-intel (2.18.1)" in through_pypi.output
    assert (through_pypi.returncode, through_mirror.returncode) == (1, 0)


def test_plain_poetry_locks_and_installs_it(poetry: PoetryRunner, pypi: Mount) -> None:
    write_pyproject(poetry.project, [f"tensorflow (=={NEWEST})"], **PYTHON)
    assert poetry.call("install", plugins=False).ok
    packages = locked(poetry.project)
    assert packages["tensorflow"] == str(NEWEST)
    assert {"keras", "numpy", "protobuf"} <= set(packages)
    code = (
        "import tensorflow, keras\n"
        "from tensorflow.python.platform.build_info import build_info\n"
        "print(tensorflow.__version__, 'is_cuda_build' in build_info)"
    )
    ran = subprocess.run([poetry.python, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == f"{NEWEST} True\n"
    assert {request.kind for request in pypi.requests} >= {"page", "api", "file"}


def test_the_cuda_wheels_come_with_the_extra(poetry: PoetryRunner) -> None:
    write_pyproject(poetry.project, [f"tensorflow[and-cuda] (=={NEWEST})"], **PYTHON)
    done = poetry.call("lock", plugins=False)
    assert done.ok, done.output
    assert "nvidia-cudnn-cu12" in locked(poetry.project)
