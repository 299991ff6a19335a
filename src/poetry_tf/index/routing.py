"""Choosing the mirrors of PyPI by ``tf.mirror``, and putting them in the place of Poetry's PyPI.

PyPI is read as a simple index, of a mirror or its own, and packages are handed on as PyPI's own:
without a source, so that no trace of the mirror gets into the lock. One repository for every
mirror also means one lock for every mirror.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from poetry.repositories.pypi_repository import PyPiRepository

from poetry_tf.files.errors import ProjectError
from poetry_tf.files.lock import Lock
from poetry_tf.index import prefetch
from poetry_tf.index.answers import ExpectedFiles, LockedFile
from poetry_tf.index.auto import choice_memory, choose_automatically
from poetry_tf.index.config import mirror_value, setting_layers
from poetry_tf.index.credentials import PYPI, make_grants, user_mirrors
from poetry_tf.index.failover import IndexRoot, MirrorRoute
from poetry_tf.index.mirrors import (
    Mirror,
    MirrorError,
    independent_of,
    parse_mirror,
    without_credentials,
)
from poetry_tf.index.repository import RoutedRepository
from poetry_tf.releases import DISTRIBUTIONS, hashes, load

if TYPE_CHECKING:
    from cleo.io.io import IO
    from poetry.poetry import Poetry


# Set while poetry-tf itself solves with a mirror that is in no file yet: Poetry creates a new
# instance of itself for each isolated build, which has to use the same mirror.
_in_force: ContextVar[object | None] = ContextVar("_in_force", default=None)


@contextmanager
def forced(setting: object) -> Iterator[None]:
    """Within it, every Poetry instance uses this value of ``tf.mirror``."""
    token = _in_force.set(setting)
    try:
        yield
    finally:
        _in_force.reset(token)


def install(poetry: Poetry, io: IO, *, managed: bool) -> None:
    """Replaces the pool's PyPI in place, keeping the order and priority of the sources.

    In a managed project also without a mirror: PyPI is then read as a simple index, so that the
    lock is the same with and without one. A setting that is not understood costs one line of
    warning, and Poetry's own PyPI stays.
    """
    pool = poetry.pool
    if not pool.has_repository(PYPI):
        return  # the project has other sources in place of PyPI
    current = pool.repository(PYPI)
    if not isinstance(current, PyPiRepository):
        return  # already replaced, by this plugin or another
    setting = _in_force.get()
    where = ""
    if setting is None:
        setting = mirror_value(poetry.config)
        first = next(iter(setting_layers(poetry.pyproject_path.parent)), None)
        where = f" (in {first.place})" if first is not None else ""
    try:
        parsed = parse_mirror(setting)
    except MirrorError as error:
        what = io.error_output.formatter.escape(f"tf.mirror is not understood: {error}{where}")
        io.write_error_line(f"<warning>poetry-tf: {what}</>")
        return
    if parsed.kind == "off" and not (managed or setting):
        return
    grants = make_grants(parsed.mirrors, user_mirrors())
    # Poetry prints addresses in messages.
    mirrors = [replace(mirror, url=without_credentials(mirror.url)) for mirror in parsed.mirrors]
    # Poetry knows the address of PyPI.
    pypi = IndexRoot(PYPI, current.url.rstrip("/"), final=True)

    def report(line: str) -> None:
        # stderr, because scripts read what Poetry writes to stdout.
        io.write_error_line(f"poetry-tf: {io.error_output.formatter.escape(line)}")

    def choose_route() -> MirrorRoute:
        if parsed.kind == "auto":
            memory = choice_memory(poetry.config)
            choice = choose_automatically(pypi.url, memory)
            route = MirrorRoute((*map(_root, choice.mirrors), pypi), choice.notice, memory.forget)
        else:
            route = mirrored(mirrors, pypi) if mirrors else MirrorRoute((pypi,))
        if route.notice:
            report(route.notice)
        return route

    replacement = RoutedRepository(
        choose_route,
        grants=grants,
        report=report,
        expected=lambda: _expected_files(poetry),
        config=poetry.config,
        disable_cache=poetry.disable_cache,
        pool_size=max(poetry.config.installer_max_workers, prefetch.THREADS + 1),
    )
    # The pool cannot replace one: all are removed and added again in their order.
    order = [(item, pool.get_priority(item.name)) for item in pool.all_repositories]
    for repository, _ in order:
        pool.remove_repository(repository.name)
    for repository, priority in order:
        pool.add_repository(replacement if repository is current else repository, priority=priority)


def choose(poetry: Poetry) -> None:
    """Chooses the mirrors now: later the notice would be in the middle of Poetry's output."""
    if poetry.pool.has_repository(PYPI):
        repository = poetry.pool.repository(PYPI)
        if isinstance(repository, RoutedRepository):
            repository.choose()


def mirrored(mirrors: Sequence[Mirror], pypi: IndexRoot) -> MirrorRoute:
    """The route by these mirrors, with another one and PyPI for where they fail."""
    further = independent_of(mirrors)
    roots = [_root(mirror) for mirror in (*mirrors, *([further] if further else []))]
    return MirrorRoute((*roots, pypi), f"PyPI via {mirrors[0].name}")


def _root(mirror: Mirror) -> IndexRoot:
    return IndexRoot(mirror.name, mirror.url.rstrip("/"), mirror.fate)


def _expected_files(poetry: Poetry) -> ExpectedFiles:
    locked = _locked_files(poetry)
    required = {
        dependency.name
        for dependency in poetry.package.all_requires
        if dependency.source_name is None and not dependency.is_direct_origin()
    }
    own = (name for name in DISTRIBUTIONS if name in locked.keys() | required)
    witness = next(own, None) or min(locked, default=None)
    return ExpectedFiles(
        locked,
        _known_releases,
        _packaged_hashes,
        canonicalize_name(witness) if witness is not None else None,
    )


def _locked_files(poetry: Poetry) -> Mapping[str, Mapping[str, LockedFile]]:
    """The files of PyPI in the lock, by distribution."""
    path = Path(poetry.locker.lock)
    try:
        lock = Lock.read(path, path.read_bytes().decode("utf-8"))
    except (OSError, UnicodeDecodeError, ProjectError):
        return {}
    found: dict[str, dict[str, LockedFile]] = {}
    for package in lock.data.get("package", []):
        files = {
            file: LockedFile(package["version"], digest)
            for file, digest in lock.hashes(package)
            if "source" not in package and ":" in digest
        }
        if files:
            found.setdefault(canonicalize_name(package["name"]), {}).update(files)
    return found


def _packaged_hashes(name: str) -> Mapping[str, str]:
    return hashes(name) if name in DISTRIBUTIONS else {}


@functools.cache
def _known_releases(name: str) -> tuple[str, ...]:
    """The releases of a distribution of TensorFlow that a project can be planned for, ascending."""
    if name not in DISTRIBUTIONS:
        return ()
    return tuple(str(release.version) for release in load(name).releases)
