"""The environment in which Poetry runs a project's programs, found as Poetry finds it.

`EnvManager.get` alone is not that: where the preferred Python is none that the project admits, it
returns that Python's own environment, and `EnvManager.create_venv`, which each of Poetry's commands
goes through, takes another Python. This is `create_venv` without making anything.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from poetry.poetry import Poetry
    from poetry.utils.env import Env, EnvManager


@dataclass(frozen=True)
class ProjectEnvironment:
    """The environment of a project.

    Attributes:
        kind: ``own`` if Poetry makes it, ``active`` if it was activated before, ``gone`` if its
            folder was removed since, ``system`` if Poetry may make none, ``none`` if no Python
            fits the project.
        python: its interpreter; None if it is not made yet.
        version: the version of its Python; empty for ``none``.
        path: its folder; empty if it is not made yet.
        variable: what names the active one.
        is_admitted: whether the project admits its Python. If not, Poetry refuses each command.
        env: Poetry's own object; None if it is not made yet.
    """

    kind: Literal["own", "active", "gone", "system", "none"]
    python: str | None = None
    version: str = ""
    path: str = ""
    variable: str = ""
    is_admitted: bool = True
    env: Env | None = field(default=None, repr=False, compare=False)

    @property
    def site(self) -> Path | None:
        """The folder in which TensorFlow is installed; None if the environment is not made yet."""
        return self.env.platlib if self.env is not None else None


def project_environment(poetry: Poetry) -> ProjectEnvironment:
    """The environment that Poetry would use for a project; nothing is made."""
    from poetry.utils.env import EnvManager, VirtualEnv
    from poetry.utils.env.python import Python
    from poetry.utils.env.python.exceptions import NoCompatiblePythonVersionFoundError

    manager, active = EnvManager(poetry), activated()
    if active is not None and active.is_missing and not _has_chosen(manager):
        # Poetry would take whatever `python` is on PATH for that of the environment.
        path, variable = str(active.folder), active.variable
        return ProjectEnvironment("gone", path=path, variable=variable, is_admitted=False)
    env = manager.get()
    if env.is_venv():
        own = (manager.in_project_venv, poetry.config.virtualenvs_path)
        is_own = any(env.path.is_relative_to(folder) for folder in own)
        return _described("own" if is_own else "active", env, poetry)
    if not poetry.config.get("virtualenvs.create"):
        return _described("system", env, poetry)
    python = Python.get_preferred_python(poetry.config)
    if not poetry.package.python_constraint.allows(python.patch_version):
        try:
            python = Python.get_compatible_python(poetry)
        except NoCompatiblePythonVersionFoundError:
            return ProjectEnvironment("none")
    name = f"{manager.base_env_name}-py{python.minor_version.to_string()}"
    folder = poetry.config.virtualenvs_path / name
    if manager.use_in_project_venv() or not folder.is_dir():
        return ProjectEnvironment("own", version=python.patch_version.to_string())
    return _described("own", VirtualEnv(folder), poetry)


def _has_chosen(manager: EnvManager) -> bool:
    """Whether `poetry env use` has chosen an environment, which goes before an activated one."""
    file = manager.envs_file
    return file.exists() and manager.base_env_name in file.read()


def _described(
    kind: Literal["own", "active", "system"], env: Env, poetry: Poetry
) -> ProjectEnvironment:
    from poetry.core.constraints.version import Version

    version = ".".join(str(part) for part in env.version_info[:3])
    admitted = poetry.package.python_constraint.allows(Version.parse(version))
    active = activated() if kind == "active" else None
    variable = active.variable if active is not None else ""
    path = str(env.path)
    return ProjectEnvironment(kind, str(env.python), version, path, variable, admitted, env)


@dataclass(frozen=True)
class Activated:
    """The environment that a variable of the shell names."""

    variable: Literal["VIRTUAL_ENV", "CONDA_PREFIX"]
    folder: Path

    @property
    def is_missing(self) -> bool:
        """Whether there is no such folder (any more)."""
        return not self.folder.is_dir()

    @property
    def interpreter(self) -> Path | None:
        """Its Python; None where it has none, so that Poetry makes an environment of its own."""
        from poetry.utils.env import VirtualEnv

        environment = VirtualEnv(self.folder)
        return Path(environment.python) if environment.is_sane() else None


def activated() -> Activated | None:
    """The activated environment, by the test that Poetry makes."""
    variables: tuple[Literal["VIRTUAL_ENV", "CONDA_PREFIX"], ...] = ("VIRTUAL_ENV", "CONDA_PREFIX")
    variable = next((name for name in variables if name in os.environ), None)
    if variable is None or not os.environ[variable]:
        return None
    if os.environ.get("CONDA_DEFAULT_ENV") == "base":
        return None
    return Activated(variable, Path(os.environ[variable]))
