"""The way to PyPI: a repository that takes PyPI's place in Poetry's pool.

It reads the simple index, of a mirror or of PyPI itself, which every index serves, and hands
packages on as PyPI's own: without a source, so that no trace of the way gets into the lock. One
repository for every way also means one lock for every way.
"""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import requests
from poetry.repositories.pypi_repository import PyPiRepository
from poetry.utils.cache import FileCache

from poetry_tf.hooks import ahead
from poetry_tf.hooks.sparing import SparingRepository
from poetry_tf.mirrors import (
    AUTO,
    Mirror,
    MirrorError,
    parse_mirror,
    without_credentials,
)

if TYPE_CHECKING:
    from cleo.io.io import IO
    from poetry.config.config import Config
    from poetry.core.constraints.version import Version
    from poetry.core.packages.dependency import Dependency
    from poetry.core.packages.package import Package
    from poetry.poetry import Poetry

PYPI = "PyPI"
AUTO_TIMEOUT = 2.0
"""Seconds within which the mirror of ``auto`` has to answer."""


@dataclass(frozen=True)
class Route:
    """The chosen way: the address of a simple index, and the line that tells the user."""

    url: str
    notice: str | None = None


# Set while poetry-tf itself solves with a mirror that no file says yet: Poetry makes itself anew
# for each isolated build, and that one has to go the same way.
_in_force: ContextVar[object | None] = ContextVar("_in_force", default=None)


@contextmanager
def forced(setting: object) -> Iterator[None]:
    """Within it, every Poetry that is made goes by this value of ``tf.mirror``."""
    token = _in_force.set(setting)
    try:
        yield
    finally:
        _in_force.reset(token)


def install(poetry: Poetry, io: IO, *, managed: bool) -> None:
    """Replaces the pool's PyPI in place, keeping the order and priority of the sources.

    In a managed project that is done without a mirror too: PyPI is then read by its simple index,
    so that the lock is the same with and without one. A setting that can't be read costs one line
    of warning, and Poetry goes its own way.
    """
    pool = poetry.pool
    if not pool.has_repository(PYPI):
        return  # the project has sources of its own in place of PyPI
    current = pool.repository(PYPI)
    if not isinstance(current, PyPiRepository):
        return  # done already, or by another plugin
    setting = _in_force.get()
    if setting is None:
        setting = poetry.config.get("tf.mirror")
    try:
        parsed = parse_mirror(setting)
    except MirrorError as error:
        io.write_error_line(f"<warning>poetry-tf: tf.mirror is not understood: {error}</>")
        return
    if parsed.kind == "off" and not (managed or setting):
        return
    mirror = parsed.mirror and _without_secrets(parsed.mirror, poetry.config)
    # The address of PyPI is Poetry's to know.
    pypi = current.url.rstrip("/")

    def choose() -> Route:
        if parsed.kind == "auto":
            return automatic(pypi)
        return mirrored(mirror) if mirror else Route(pypi)

    replacement = RoutedRepository(
        functools.cache(_announcing(choose, io)),
        config=poetry.config,
        disable_cache=poetry.disable_cache,
        pool_size=max(poetry.config.installer_max_workers, ahead.THREADS + 1),
    )
    # The pool has no replacing: all are taken out and put back in their order.
    order = [(item, pool.get_priority(item.name)) for item in pool.all_repositories]
    for repository, _ in order:
        pool.remove_repository(repository.name)
    for repository, priority in order:
        pool.add_repository(replacement if repository is current else repository, priority=priority)


def choose(poetry: Poetry) -> None:
    """Chooses the way now, so that its line is not printed into the middle of Poetry's."""
    if poetry.pool.has_repository(PYPI):
        repository = poetry.pool.repository(PYPI)
        if isinstance(repository, RoutedRepository):
            repository.choose()


def _without_secrets(mirror: Mirror, config: Config) -> Mirror:
    """Takes user name and password out of the mirror's address, and gives them to Poetry.

    Poetry prints addresses in messages and finds a repository's credentials by its name in the
    configuration; the installer, which downloads by a session of its own, finds them there too.
    """
    parts = urlsplit(mirror.url)
    if parts.username is None:
        return mirror
    url = without_credentials(mirror.url)
    secrets = {"username": unquote(parts.username), "password": unquote(parts.password or "")}
    config.merge({"repositories": {PYPI: {"url": url}}, "http-basic": {PYPI: secrets}})
    return Mirror(mirror.name, url)


def mirrored(mirror: Mirror) -> Route:
    """The way by a mirror that was named."""
    return Route(mirror.url.rstrip("/"), f"PyPI via {mirror.name}")


def automatic(pypi: str) -> Route:
    """The mirror if it answers in time, else PyPI itself."""
    try:
        answer = requests.get(AUTO.url + "pip/", timeout=AUTO_TIMEOUT, stream=True)
        answer.close()
        reason = None if answer.ok else f"answered {answer.status_code}"
    except requests.Timeout:
        reason = f"did not answer within {AUTO_TIMEOUT:.0f} s"
    except requests.RequestException:
        reason = "could not be reached"
    if reason is None:
        return mirrored(AUTO)
    return Route(pypi, f"PyPI itself, since {AUTO.name} {reason}")


def _announcing(choose: Callable[[], Route], io: IO) -> Callable[[], Route]:
    def chosen() -> Route:
        route = choose()
        if route.notice:
            # stderr, because scripts read what Poetry writes to stdout.
            io.write_error_line(f"poetry-tf: {route.notice}")
        return route

    return chosen


class RoutedRepository(SparingRepository):
    """PyPI as a simple index shows it, by a route that is chosen when it is first needed.

    Commands that never ask an index (``poetry check``, ``poetry version``) so never choose one.
    """

    def __init__(
        self,
        route: Callable[[], Route],
        *,
        config: Config,
        disable_cache: bool,
        pool_size: int,
    ) -> None:
        self._route = route
        # The address is set by `choose`, before the first request is made.
        super().__init__(PYPI, "", config=config, disable_cache=disable_cache, pool_size=pool_size)
        self._caches = config.repository_cache_directory / "poetry-tf"
        self._choosing = threading.Lock()
        self._chosen = False

    @property
    def url(self) -> str:
        self.choose()
        return self._url

    def choose(self) -> None:
        """Settles the address, once; every request is made after that."""
        # Poetry installs with several threads, each of which may be the first to ask.
        with self._choosing:
            if not self._chosen:
                self._url = self._route().url
                self._authenticator.add_repository(PYPI, self._url)
                # What is cached under PyPI's own name is read by Poetry without this plugin as
                # well, and what one mirror lacks another may have: each way has records of its
                # own. `_release_cache` is where CachedRepository keeps them.
                self._cache_dir = self._caches / hashlib.sha256(self._url.encode()).hexdigest()[:16]
                self._release_cache = FileCache(path=self._cache_dir)
                self._chosen = True

    def find_packages(self, dependency: Dependency) -> list[Package]:
        self.choose()
        return [_as_pypis(package) for package in super().find_packages(dependency)]

    def package(self, name: str, version: Version) -> Package:
        self.choose()
        return _as_pypis(super().package(name, version))

    def find_links_for_package(self, package: Package) -> list:  # type: ignore[type-arg]
        self.choose()
        return super().find_links_for_package(package)

    def search(self, query: str | list[str]) -> list[Package]:
        """By name: the list of all names, which other indexes are searched by, has 40 MB here."""
        from poetry.core.packages.dependency import Dependency

        names = query if isinstance(query, list) else [query]
        return [package for name in names for package in self.find_packages(Dependency(name, "*"))]


def _as_pypis(package: Package) -> Package:
    """The same package without a source, as Poetry's PyPI repository would give it.

    A package's source has no public setter; Poetry's own repositories assign these too. A source
    would be written into the lock as [package.source].
    """
    package._source_type = None
    package._source_url = None
    package._source_reference = None
    return package
