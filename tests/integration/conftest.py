"""Fixtures for tests that run the real Poetry."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.poetry import NO_NETWORK, PoetryRunner


@pytest.fixture(scope="session")
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of Poetry's that lives as long as the worker does."""
    return tmp_path_factory.mktemp("poetry-cache")


@pytest.fixture
def poetry(poetry: PoetryRunner) -> PoetryRunner:
    """Poetry in `project`, cut off from everything but the local index."""
    poetry.environ |= NO_NETWORK
    return poetry


@pytest.fixture
def warm_poetry(poetry: PoetryRunner, session_cache: Path) -> PoetryRunner:
    """`poetry` with a cache shared by all tests of the worker: faster, but count no requests."""
    poetry.cache = session_cache
    return poetry
