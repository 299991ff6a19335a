"""The Pythons of this machine that Poetry would make a project's environment of.

`poetry.utils.env.python` is new in Poetry 2.1 and not documented. It was tested with 2.1 to 2.5
(tests/compatibility); where a later Poetry has moved it, no Python is found, and nothing is said of
any.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from poetry_tf.poetry_internals.environment import (
    ProjectEnvironment,
    activated,
    project_environment,
)

if TYPE_CHECKING:
    from poetry.poetry import Poetry

_LIMIT = 5.0
"""Seconds to wait for an interpreter, as Poetry does."""

# A wrapper, such as a shim of pyenv, says which interpreter it starts.
_FACTS = """\
import json, os, platform, sys, sysconfig
print(json.dumps({
    "prefix": sys.prefix,
    "version": list(sys.version_info[:2]),
    "level": sys.version_info[3],
    "implementation": platform.python_implementation(),
    "is_64bit": sys.maxsize > 2**32,
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "conda_base": os.path.isdir(os.path.join(sys.base_prefix, "conda-meta"))
    and os.path.isdir(os.path.join(sys.base_prefix, "condabin")),
}))
"""

Origin = Literal["project", "environment", "poetry", "pyenv", "system"]


@dataclass(frozen=True)
class FoundPython:
    """A Python that Poetry finds."""

    minor: str
    executable: Path
    origin: Origin
    """Where it comes from: the environment that the project has, an activated one, `poetry python
    install`, pyenv, or the system: what is on PATH, in the registry of Windows, or of another
    tool."""
    prefix: Path = Path()
    """The folder that it is installed in, or that of its environment."""
    unfit: str = ""
    """Why no TensorFlow can be installed for it, or no environment made of it; else empty."""


def found_pythons(root: Path | None = None) -> tuple[FoundPython, ...]:
    """The Pythons in the order in which Poetry tries them; of an interpreter the first name.

    That of the environment that the project at `root` has is before all others. In an activated
    environment it is the one of that environment, as Poetry uses no other there. None if this
    Poetry does not say.
    """
    try:
        active, own = activated(), _own(root) if root is not None else None
        first = tuple(_described([own], origin="project")) if own is not None else ()
        if active is not None and (python := active.interpreter) is not None:
            return first or tuple(_described([python], origin="environment"))
        return (*first, *_described(_candidates()))
    except Exception:  # whatever Poetry raises where it has moved this, or can't read its settings
        return ()


def oldest_minor() -> tuple[int, ...]:
    """The oldest Python of which Poetry's virtualenv makes an environment; empty for any.

    It refuses those that its own wheels of pip are not for, unless it is to install no pip.
    """
    from poetry.config.config import Config

    if Config.create().get("virtualenvs.options.no-pip"):
        return ()
    try:
        from virtualenv.seed.wheels.embed import OLDEST_SUPPORTED
    except ImportError:  # before it refused any
        return ()
    return tuple(OLDEST_SUPPORTED)


def pythons_outside() -> tuple[FoundPython, ...]:
    """Those that Poetry tries in a shell without the activated environment."""
    try:
        active = activated()
        folder = os.path.realpath(active.folder) if active is not None else None
        found = _described(_candidates())
        return tuple(one for one in found if os.path.realpath(one.prefix) != folder)
    except Exception:  # as in `found_pythons`
        return ()


def refused_environment(root: Path, minors: Iterable[str]) -> ProjectEnvironment | None:
    """The environment of a project with which Poetry refuses its commands, because it has no Python
    of these minors; None where it refuses none.

    One whose name is on PATH is taken for found: Poetry looks at every Python, which takes ten
    seconds on a machine with many.
    """
    try:
        may_have_own = activated() is not None or (root / ".venv").exists()
        if not may_have_own and any(shutil.which(f"python{minor}") for minor in minors):
            return None
        found = project_environment(_open(root))
    except Exception:  # as in `found_pythons`
        return None
    return found if found.kind == "none" or not found.is_admitted else None


def _own(root: Path) -> Path | None:
    """The interpreter of the environment that Poetry would use for a project; None without one."""
    try:
        environment = project_environment(_open(root))
    except Exception:  # whatever is wrong with the project or its environment
        return None
    is_own = environment.kind == "own" and environment.python is not None
    return Path(str(environment.python)) if is_own else None


def _open(root: Path) -> Poetry:
    """Poetry for a project, which may not be there yet."""
    from poetry.config.config import Config
    from poetry.core.packages.project_package import ProjectPackage
    from poetry.factory import Factory
    from poetry.packages.locker import Locker
    from poetry.poetry import Poetry

    file = root / "pyproject.toml"
    if file.is_file():
        return Factory().create_poetry(root)
    package = ProjectPackage(root.name, "0")
    return Poetry(file, {}, package, Locker(root / "poetry.lock", {}), Config.create())


def _candidates() -> Iterator[Path]:
    from poetry.config.config import Config
    from poetry.utils.env.python import Python

    config = Config.create()
    if not config.get("virtualenvs.create"):
        yield Path(sys.executable)  # into whose environment it installs then
        return
    yield Path(Python.get_preferred_python(config).python.executable)
    for found in Python.find_all():
        if found.major == 3:
            yield Path(found.python.executable)


def _described(candidates: Iterable[Path], origin: Origin | None = None) -> Iterator[FoundPython]:
    files = dict[str, Path]()
    for candidate in candidates:
        files.setdefault(os.path.realpath(candidate), candidate)
    seen = set[tuple[str, str, bool]]()
    for candidate in files.values():
        if (facts := _facts(candidate)) is None:
            continue
        minor = ".".join(map(str, facts["version"]))
        identity = facts["prefix"], minor, facts["free_threaded"]
        if identity not in seen:
            seen.add(identity)
            prefix = Path(facts["prefix"])
            unfit = _unfit(facts)
            if origin is None and tuple(facts["version"]) < oldest_minor():
                unfit = unfit or "too old for virtualenv"
            yield FoundPython(minor, candidate, origin or _origin(prefix), prefix, unfit)


def _facts(executable: Path) -> dict[str, Any] | None:
    """What an interpreter reports about itself; None for one that is a stub, broken or hangs."""
    try:
        done = subprocess.run(
            [executable, "-I", "-c", _FACTS],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LIMIT,
            check=True,
        )
        facts: dict[str, Any] = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return facts


def _unfit(facts: dict[str, Any]) -> str:
    if facts["implementation"] != "CPython":
        return str(facts["implementation"])
    if facts["free_threaded"]:
        return "free-threaded"
    if not facts["is_64bit"]:
        return "32-bit"
    if facts["level"] != "final":
        return "a prerelease"
    return "Conda's base environment" if facts["conda_base"] else ""


def _origin(prefix: Path) -> Origin:
    from poetry.config.config import Config

    pyenv = os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv"
    folders: tuple[tuple[Origin, Path], ...] = (
        ("poetry", Config.create().python_installation_dir),
        ("pyenv", Path(pyenv) / "versions"),
    )
    within = (origin for origin, folder in folders if prefix.is_relative_to(folder))
    return next(within, "system")
