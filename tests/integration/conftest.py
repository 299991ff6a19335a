"""Fixtures for tests that run the real Poetry."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from poetry.repositories.pypi_repository import PyPiRepository

from tests.support.index import LocalIndex
from tests.support.poetry import NO_NETWORK, PoetryRunner
from tests.support.projects import contents, restore

PYPI: str = inspect.signature(PyPiRepository).parameters["url"].default
# What the machine says of the network, which the runner keeps out.
NETWORK = (
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
)


@pytest.fixture(scope="session")
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of Poetry's that lives as long as the worker does."""
    return tmp_path_factory.mktemp("poetry-cache")


@pytest.fixture
def poetry(poetry: PoetryRunner) -> Iterator[PoetryRunner]:
    """Poetry in `project`, cut off from everything but the local index."""
    poetry.environ |= NO_NETWORK
    yield poetry
    with suppress(AssertionError):  # the next test's index would count what is under way
        poetry.settle(seconds=0.5)


@pytest.fixture
def warm_poetry(poetry: PoetryRunner, session_cache: Path) -> PoetryRunner:
    """`poetry` with a cache shared by all tests of the worker: faster, but count no requests."""
    poetry.cache = session_cache
    return poetry


@pytest.fixture
def engine(tmp_path: Path, poetry: PoetryRunner) -> None:
    """A machine that runs containers; without one there is another question."""
    program = tmp_path / "bin" / ("docker.exe" if os.name == "nt" else "docker")
    program.parent.mkdir()
    program.touch(0o755)
    poetry.environ["PATH"] = f"{os.environ['PATH']}{os.pathsep}{program.parent}"


SetUp = Callable[..., PoetryRunner]


@pytest.fixture(scope="session")
def projects_set_up() -> dict[tuple[str, ...], dict[str, bytes]]:
    """The files that `set_up` has made in this worker, by its options."""
    return {}


@pytest.fixture
def set_up(
    warm_poetry: PoetryRunner,
    project: Path,
    index: LocalIndex,
    projects_set_up: dict[tuple[str, ...], dict[str, bytes]],
) -> SetUp:
    """Sets the project up by `tf init -n` with the options that it is given.

    The files are made once in an empty folder and copied from then on, also over changed ones.
    """

    def copy(*options: str) -> PoetryRunner:
        if options not in projects_set_up:
            assert not contents(project)
            done = warm_poetry.call("tf", "init", "-n", *options)
            assert done.ok, done.output
            projects_set_up[options] = contents(project)
        restore(project, projects_set_up[options])
        warm_poetry.settle()
        index.requests.clear()
        return warm_poetry

    return copy


RIGHT: dict[str, bytes] = {}
"""The files of `right`, by their paths; empty until a test has first asked for it."""


@pytest.fixture
def right(set_up: SetUp) -> PoetryRunner:
    """A project for 2.18 in which all is as it should be."""
    poetry = set_up("--tensorflow", "2.18")
    RIGHT.update(contents(poetry.project))
    return poetry


@pytest.fixture(scope="session")
def real_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache for what comes from PyPI, never to be mixed with what was made up."""
    return tmp_path_factory.mktemp("real-cache")


@pytest.fixture
def real_poetry(project: Path, tmp_path: Path, real_cache: Path) -> PoetryRunner:
    """Poetry with PyPI for PyPI, and one cache for all tests of the worker."""
    network = {name: os.environ[name] for name in NETWORK if name in os.environ}
    home = tmp_path / "home"
    return PoetryRunner(project, home, pypi=PYPI, cache=real_cache, environ=network)
