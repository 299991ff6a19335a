"""The environment that doctor looks at is the one in which Poetry runs the project's programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
from poetry.core.constraints.version import Version
from poetry.factory import Factory
from poetry.utils.env import EnvManager
from poetry.utils.env.python import Python

from poetry_tf.poetry_internals.environment import (
    ProjectEnvironment,
    project_environment,
)
from tests.support.poetry import write_pyproject

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
FULL = ".".join(map(str, sys.version_info[:3]))
OWN = f">={RUNNING},<3.{sys.version_info.minor + 1}"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for a project, in which Poetry finds no environment and no settings."""
    variables = {
        "POETRY_CONFIG_DIR": str(tmp_path / "config"),
        "POETRY_CACHE_DIR": str(tmp_path / "cache"),
        "POETRY_VIRTUALENVS_OPTIONS_NO_PIP": "true",
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
    }
    folder = tmp_path / "project"
    folder.mkdir()
    with (
        mock.patch.dict(os.environ, variables, clear=True),
        mock.patch("poetry.config.config._default_config", None),
        mock.patch("poetry.config.config.CONFIG_DIR", tmp_path / "config"),
    ):
        yield folder


@contextmanager
def preferring(version: str, *others: str) -> Iterator[None]:
    """Lets Poetry prefer a Python of a version; besides it finds those of the others."""

    def pretended(number: str) -> Python:
        return Python(executable=sys.executable, version=Version.parse(number))

    with (
        mock.patch.object(Python, "get_preferred_python", lambda *_, **__: pretended(version)),
        mock.patch.object(Python, "find_all", lambda: map(pretended, (version, *others))),
    ):
        yield


def look(folder: Path) -> ProjectEnvironment:
    return project_environment(Factory().create_poetry(folder))


def make(folder: Path) -> Path:
    """Lets Poetry make the environment, as `poetry install` does."""
    env = EnvManager(Factory().create_poetry(folder)).create_venv()
    assert env.is_venv()
    return env.path


def test_an_environment_that_is_not_made_yet_has_no_interpreter(folder: Path):
    write_pyproject(folder, requires_python=OWN)
    with preferring(FULL):
        assert look(folder) == ProjectEnvironment("own", version=FULL)


@pytest.mark.parametrize("preferred", [FULL, "3.99.1"])
def test_it_is_found_after_poetry_has_made_it(folder: Path, preferred: str):
    """Also where the preferred Python is none that the project admits."""
    write_pyproject(folder, requires_python=OWN)
    with preferring(preferred, FULL):
        path = make(folder)
        env = look(folder)
    assert (env.kind, env.path, env.is_admitted) == ("own", str(path), True)
    assert env.python is not None
    assert Path(env.python).is_relative_to(path)


def test_an_environment_in_the_project_is_found(folder: Path):
    write_pyproject(folder, requires_python=OWN)
    (folder / "poetry.toml").write_text("[virtualenvs]\nin-project = true\n")
    with preferring("3.99.1", FULL):
        assert look(folder) == ProjectEnvironment("own", version=FULL)
        assert make(folder) == folder / ".venv"
        assert look(folder).path == str(folder / ".venv")


def test_the_one_that_env_use_chose_is_taken(folder: Path):
    write_pyproject(folder, requires_python=">=3.8")
    with preferring("3.99.1", FULL):
        env = EnvManager(Factory().create_poetry(folder)).activate(sys.executable)
        assert look(folder).path == str(env.path)


def test_one_of_a_python_that_the_project_admits_no_more_is_refused(folder: Path):
    write_pyproject(folder, requires_python=OWN)
    with preferring(FULL):
        path = make(folder)
        write_pyproject(folder, requires_python=">=3.99")
        env = look(folder)
    assert (env.kind, env.path, env.version, env.is_admitted) == ("own", str(path), FULL, False)


def test_without_environments_the_systems_python_is_taken(folder: Path):
    write_pyproject(folder, requires_python=">=3.99")
    (folder / "poetry.toml").write_text("[virtualenvs]\ncreate = false\n")
    env = look(folder)
    assert (env.kind, env.is_admitted) == ("system", False)
    assert env.python is not None


def test_an_active_one_is_taken(folder: Path, tmp_path: Path):
    write_pyproject(folder, requires_python=OWN)
    with preferring(FULL):
        path = make(folder)
    with mock.patch.dict(os.environ, {"VIRTUAL_ENV": str(path.rename(tmp_path / "active"))}):
        env = look(folder)
    assert (env.kind, env.path) == ("active", str(tmp_path / "active"))


def test_without_a_python_that_fits_there_is_none(folder: Path):
    write_pyproject(folder, requires_python=">=3.99")
    with preferring(FULL, "3.6.1"):
        assert look(folder) == ProjectEnvironment("none")


@pytest.mark.parametrize("variable", ["VIRTUAL_ENV", "CONDA_PREFIX"])
def test_an_active_one_whose_folder_was_removed_is_gone(
    folder: Path, tmp_path: Path, variable: str
):
    write_pyproject(folder, requires_python=OWN)
    gone = str(tmp_path / "gone")
    with preferring(FULL), mock.patch.dict(os.environ, {variable: gone}):
        env = look(folder)
        assert (env.kind, env.path, env.variable, env.site) == ("gone", gone, variable, None)
        chosen = EnvManager(Factory().create_poetry(folder)).activate(sys.executable)
        assert look(folder).path == str(chosen.path)
