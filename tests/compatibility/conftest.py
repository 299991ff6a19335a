"""Fixtures of the compatibility tests: each test runs once for every Poetry on every Python."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.compatibility.environments import PAIRS, Environment, build_wheel, find_python, make
from tests.support.index import Mount
from tests.support.poetry import NO_NETWORK, PoetryRunner


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session", params=PAIRS, ids=str)
def environment(
    request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Environment:
    """The environment of one pair.

    Kept in COMPATIBILITY_ENVIRONMENTS, or in pytest's cache. Where an interpreter lacks, its tests
    are skipped, and fail if COMPATIBILITY_REQUIRED is set.
    """
    pair = request.param
    interpreter = find_python(pair.python)
    if interpreter is None:
        reason = (
            f"no Python {pair.python}: `pyenv install {pair.python}`, or put python{pair.python} "
            "on the PATH"
        )
        if os.environ.get("COMPATIBILITY_REQUIRED"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    kept = os.environ.get("COMPATIBILITY_ENVIRONMENTS")
    cache = getattr(request.config, "cache", None)
    if kept:
        folder = Path(kept).absolute()
    elif cache is not None:
        folder = cache.mkdir("compatibility")
    else:
        folder = tmp_path_factory.mktemp("compatibility")
    return make(pair, interpreter, folder / str(pair), wheel)


@pytest.fixture
def poetry(environment: Environment, project: Path, tmp_path: Path, pypi: Mount) -> PoetryRunner:
    """The Poetry of the environment, which only `run` reaches, in `project`, as a user has it."""
    return PoetryRunner(
        project=project,
        home=tmp_path / "home",
        pypi=pypi.root,
        interpreter=environment.python,
        environ=dict(NO_NETWORK),
    )
