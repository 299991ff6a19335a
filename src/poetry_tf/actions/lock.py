"""Solving a project as it would be, with Poetry itself, without writing any of its files.

Poetry's factory reads pyproject.toml from the disk and its locker writes poetry.lock there. Both
are given files of other names in the same folder, the same so that relative paths in pyproject.toml
and poetry.lock mean what they say, and removed again whatever happens.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poetry.config.config import Config
from poetry.factory import Factory
from poetry.installation.installer import Installer
from poetry.mixology.incompatibility_cause import ConflictCauseError
from poetry.packages.locker import Locker
from poetry.puzzle.exceptions import SolverProblemError
from poetry.repositories.installed_repository import InstalledRepository
from poetry.utils.env import EnvManager

from poetry_tf.files.lock import Lock
from poetry_tf.files.project import LOCK, Project
from poetry_tf.index import routed
from poetry_tf.index.config import VARIABLE
from poetry_tf.plan.derive import mirror_setting
from poetry_tf.poetry_internals.reads import failed_incompatibility

if TYPE_CHECKING:
    from cleo.io.io import IO
    from poetry.poetry import Poetry


_STALE = 24 * 3600
"""Seconds after which a staged file is nobody's any more: no solve takes a day."""


class LockingError(Exception):
    """The project can't be locked; the text is Poetry's own account of why.

    Attributes:
        conflicting: the distributions that the project requires and whose versions the solver
            found to be in conflict; empty where something else is the matter.
    """

    def __init__(self, message: str, conflicting: frozenset[str] = frozenset()) -> None:
        super().__init__(message)
        self.conflicting = conflicting


def mirror_in_force(project: Project, wish: str | None = None) -> object:
    """The value of ``tf.mirror`` to solve a project with: an option, `wish`, goes before the rest.

    The rest comes in Poetry's own order, of which the project's part may not be written yet.
    """
    if wish is not None:
        return wish
    return os.environ.get(VARIABLE) or mirror_setting(project) or machine_mirror()


def machine_mirror() -> Any:
    """``tf.mirror`` of the user's own config.toml, None where it isn't set there."""
    settings = Config.create().config.get("tf")
    return settings.get("mirror") if isinstance(settings, dict) else None


def solve_lock(project: Project, mirror: object, io: IO, *, disable_cache: bool = False) -> Lock:
    """The lock of a project; what an existing lock holds moves only if it must.

    `mirror` is the value of ``tf.mirror`` to go by. Raises `LockingError`.
    """
    with open_poetry(project, mirror, io, disable_cache=disable_cache) as poetry:
        routed.choose(poetry)
        _run(poetry, io, disable_cache=disable_cache)
        path = Path(poetry.locker.lock)
        return Lock.read(project.root / LOCK, path.read_bytes().decode("utf-8"))


@contextmanager
def open_poetry(
    project: Project, mirror: object, io: IO, *, disable_cache: bool = False
) -> Iterator[Poetry]:
    """Poetry for a project as it would be, while its files lie there under other names.

    `mirror` is the value of ``tf.mirror`` to go by. Raises `LockingError` for what Poetry refuses
    in pyproject.toml, and for files that can't be written.
    """
    root = project.root
    _sweep(root)
    existing = project.valid_lock
    try:
        with (
            _staged(root, "pyproject", project.pyproject.document.text) as pyproject,
            _staged(root, "lock", existing.text if existing else None) as lock,
            routed.forced(mirror),
            _located(root, pyproject),
        ):
            yield _made(pyproject, lock, io, disable_cache=disable_cache)
    except OSError as error:
        raise LockingError(f"{error.filename}: {error.strerror}") from error


def _made(pyproject: Path, lock: Path, io: IO, *, disable_cache: bool) -> Poetry:
    try:
        poetry = Factory().create_poetry(pyproject.parent, io=io, disable_cache=disable_cache)
    except Exception as error:  # what Poetry refuses in pyproject.toml
        raise LockingError(str(error) or type(error).__name__) from error
    poetry.set_locker(Locker(lock, poetry.pyproject.data))
    return poetry


@contextmanager
def _located(root: Path, pyproject: Path) -> Iterator[None]:
    """Within it, Poetry finds the staged file where it looks for its project.

    It does so anew for each isolated build; where it finds none, as in the folder of a project
    that is not written yet, it would ask PyPI for what the build needs, whatever the mirror.
    """
    own = Factory.locate

    def locate(cls: type[Factory], cwd: Path | None = None) -> Path:  # noqa: ARG001
        # Any other folder is that of a dependency on a path.
        return pyproject if cwd is None or Path(cwd).resolve() == root.resolve() else own(cwd)

    Factory.locate = classmethod(locate)  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        del Factory.locate  # what it had was its base class's


def _run(poetry: Poetry, io: IO, *, disable_cache: bool) -> None:
    installer = Installer(
        io,
        # No package is installed when locking: Poetry only asks the environment for its path, and
        # none needs to be made for that.
        EnvManager.get_system_env(naive=True),
        poetry.package,
        poetry.locker,
        poetry.pool,
        poetry.config,
        installed=InstalledRepository([]),
        disable_cache=disable_cache,
    )
    installer.lock(update=False)
    try:
        status = installer.run()
    except SolverProblemError as error:
        raise LockingError(str(error), _conflicting(error)) from error
    except Exception as error:
        # The repositories and the network below them each raise kinds of their own.
        raise LockingError(str(error) or type(error).__name__) from error
    if status:
        raise LockingError(f"Poetry ended with status {status}")


def _conflicting(error: SolverProblemError) -> frozenset[str]:
    """What the project itself requires of that from which the solver derived its failure."""
    found: set[str] = set()
    queue, seen = [failed_incompatibility(error)], set[int]()
    while queue:  # a graph, in which one reason may stand behind many
        item = queue.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item.cause, ConflictCauseError):
            queue += [item.cause.conflict, item.cause.other]
        elif any(term.dependency.is_root for term in item.terms):
            found.update(term.dependency.name for term in item.terms)
    return frozenset(found)


def _sweep(root: Path) -> None:
    """Removes what runs that were killed have left, but nothing that a running one may need."""
    for path in root.glob(".poetry-tf-*.toml"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _STALE:
                path.unlink()


@contextmanager
def _staged(root: Path, name: str, text: str | None) -> Iterator[Path]:
    """A file beside pyproject.toml for as long as it is needed; absent where `text` is None."""
    handle, raw = tempfile.mkstemp(prefix=f".poetry-tf-{name}-", suffix=".toml", dir=root)
    os.close(handle)
    path = Path(raw)
    try:
        if text is None:
            path.unlink()
        else:
            path.write_bytes(text.encode("utf-8"))
        yield path
    finally:
        path.unlink(missing_ok=True)
