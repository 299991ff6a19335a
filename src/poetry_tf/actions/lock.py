"""Locking an edited project with Poetry, without writing any of its files.

Poetry's factory reads pyproject.toml from the disk and its locker writes poetry.lock there. Both
get temporary files in the same folder, so that relative paths in them stay valid.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cleo.io.io import IO
from poetry.config.config import Config
from poetry.console.exceptions import PoetryRuntimeError
from poetry.factory import Factory
from poetry.packages.locker import Locker
from poetry.puzzle.exceptions import SolverProblemError
from poetry.repositories.installed_repository import InstalledRepository
from poetry.utils.env import EnvManager

from poetry_tf.actions.progress import without_build_warnings
from poetry_tf.actions.solver_failure import (
    conflicts_of_path_dependencies,
    missing_paths,
    shortened,
    without_styles,
)
from poetry_tf.files.errors import disk_error, write_error
from poetry_tf.files.lock import Lock
from poetry_tf.files.project import LOCK, PYPROJECT, Project
from poetry_tf.http.addresses import url_fault
from poetry_tf.index import routing
from poetry_tf.index.config import SettingLayer, option_layer, setting_layers
from poetry_tf.index.mirrors import without_credentials
from poetry_tf.poetry_internals.installing import StagedInstaller
from poetry_tf.poetry_internals.patches import locate_project
from poetry_tf.poetry_internals.reads import failure_causes

if TYPE_CHECKING:
    from poetry.core.packages.dependency import Dependency
    from poetry.poetry import Poetry


NOT_WRITTEN = "nothing was written"

_STALE_AFTER = 24 * 3600
"""Seconds after which a staged file is left over: no solve takes a day."""


class LockingError(Exception):
    """The project could not be locked; the text says why."""


class UnsolvedError(LockingError):
    """The solver found no set of packages; the text is its explanation.

    Attributes:
        conflicting: the distributions required by the project whose versions conflict.
        involved: these, and the distributions behind them.
    """

    def __init__(self, message: str, conflicting: frozenset[str], involved: frozenset[str]) -> None:
        super().__init__(message)
        self.conflicting, self.involved = conflicting, involved


def mirrors_in_force(project: Project, option: str | None = None) -> tuple[SettingLayer, ...]:
    """The layers of ``tf.mirror`` to solve a project with: the option of a command before all.

    The project's own poetry.toml may not be written yet.
    """
    layers = setting_layers(project.root, project.poetry_toml)
    return layers if option is None else (option_layer(option), *layers)


def solve_lock(project: Project, mirrors: tuple[SettingLayer, ...], io: IO) -> Lock:
    """The new lock of a project; versions in an existing lock change only if they have to.

    `mirrors` are the layers of ``tf.mirror`` to use. Raises `LockingError`.
    """
    with open_poetry(project, mirrors, io) as poetry:
        routing.choose(poetry)
        _run(project, poetry, io)
        path = Path(poetry.locker.lock)
        return Lock.read(project.root / LOCK, path.read_bytes().decode("utf-8"))


def relock(project: Project, io: IO, mirror: str | None = None) -> Lock:
    """`solve_lock` with the mirror in force, and Poetry's progress on stderr.

    `mirror` is the option of a command.
    """
    error = io.error_output
    return solve_lock(project, mirrors_in_force(project, mirror), IO(io.input, error, error))


@contextmanager
def open_poetry(project: Project, mirrors: tuple[SettingLayer, ...], io: IO) -> Iterator[Poetry]:
    """Poetry for an edited project, whose files exist as temporary ones meanwhile.

    `mirrors` are the layers of ``tf.mirror`` to use. Raises `LockingError` for a pyproject.toml
    that Poetry refuses, and `WriteError` for files that can't be written.
    """
    root = project.root
    check_sources(project)
    check_paths(project)
    _remove_stale_files(root)
    existing = project.valid_lock
    with (
        _staged(root, "pyproject", project.pyproject.document.text) as pyproject,
        _staged(root, "lock", existing.text if existing else None) as lock,
        routing.forced(mirrors),
        # A new project has no pyproject.toml yet, and Poetry would then download the build
        # requirements from PyPI and not from the mirror.
        locate_project(root, pyproject),
    ):
        yield _create_poetry(pyproject, lock, io)


def check_sources(project: Project) -> None:
    """Raises `LockingError` for an address of a source with which Poetry fails without a place."""
    for source in project.pyproject.sources:
        if source.url and (fault := url_fault(source.url)):
            shown = without_credentials(source.url)
            message = f"the address {shown} of the source {source.name} {fault}"
            raise LockingError(str(project.pyproject.error((*source.path, "url"), message)))


def check_paths(project: Project) -> None:
    """Raises `LockingError` for packages that are required from a path where there is none."""
    if missing := [*missing_paths(project)]:
        raise LockingError("\n".join(missing))


def _create_poetry(pyproject: Path, lock: Path, io: IO) -> Poetry:
    try:
        poetry = Factory().create_poetry(pyproject.parent, io=io)
    except PoetryRuntimeError:
        raise  # a refusal of this plugin
    except Exception as error:  # Poetry refuses pyproject.toml
        raise locking_error(error, PYPROJECT) from error
    poetry.set_locker(Locker(lock, poetry.pyproject.data))
    return poetry


def _run(project: Project, poetry: Poetry, io: IO) -> None:
    installer = StagedInstaller(
        io,
        # Locking installs nothing: Poetry only reads the path of the environment.
        EnvManager.get_system_env(naive=True),
        poetry.package,
        poetry.locker,
        poetry.pool,
        poetry.config,
        installed=InstalledRepository([]),
    )
    installer.lock(update=False)
    try:
        with without_build_warnings():
            status = installer.run()
    except SolverProblemError as error:
        causes = failure_causes(error)
        own = [names for names in causes if any(item.is_root for item in names)]
        lines = [*conflicts_of_path_dependencies(project, causes), shortened(str(error))]
        raise UnsolvedError("\n".join(lines), _names(own), _names(causes)) from error
    except Exception as error:
        # Repositories and the network raise various types.
        raise locking_error(error, LOCK if _is_lock_refused(poetry) else "") from error
    if status:
        raise LockingError(f"Poetry ended with status {status}")


def _is_lock_refused(poetry: Poetry) -> bool:
    """Whether Poetry can't read the existing lock."""
    try:
        poetry.locker.locked_repository()
    except Exception:
        return poetry.locker.is_locked()
    return False


def locking_error(error: Exception, place: str = "") -> Exception:
    """The error for what Poetry raised: `WriteError` if it could not write its own files.

    `place` is the file that it could not read, which the error of a value in it does not say.
    """
    if (disk := disk_error(error)) is None:
        message = without_styles(str(error)) or type(error).__name__
        is_of_value = isinstance(error, ValueError) and place and place not in message
        return LockingError(f"{place}: {message}" if is_of_value else message)
    cache, temporary = Config.create().get("cache-dir"), tempfile.gettempdir()
    own = f"a file of Poetry's in {cache} or {temporary}"
    return write_error(disk, Path(disk.filename) if disk.filename else own, NOT_WRITTEN)


def _names(causes: Iterable[Iterable[Dependency]]) -> frozenset[str]:
    return frozenset(dependency.name for cause in causes for dependency in cause)


def _remove_stale_files(root: Path) -> None:
    """Removes the staged files of killed runs, but none that a running one may need."""
    for path in root.glob(".poetry-tf-*.toml"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _STALE_AFTER:
                path.unlink()


@contextmanager
def _staged(root: Path, name: str, text: str | None) -> Iterator[Path]:
    """A temporary file beside pyproject.toml; it does not exist yet if `text` is None."""
    path = root
    try:
        handle, raw = tempfile.mkstemp(prefix=f".poetry-tf-{name}-", suffix=".toml", dir=root)
        os.close(handle)
        path = Path(raw)
        if text is None:
            path.unlink()
        else:
            path.write_bytes(text.encode("utf-8"))
    except OSError as error:
        if path != root:
            path.unlink(missing_ok=True)
        raise write_error(error, path, NOT_WRITTEN) from error
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
