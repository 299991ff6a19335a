"""The way to PyPI: a repository that takes PyPI's place in Poetry's pool.

It reads the simple index, of a mirror or of PyPI itself, which every index serves, and hands
packages on as PyPI's own: without a source, so that no trace of the way gets into the lock. One
repository for every way also means one lock for every way.
"""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import requests
from packaging.metadata import parse_email
from packaging.utils import canonicalize_name
from poetry.repositories import http_repository
from poetry.repositories.pypi_repository import PyPiRepository
from poetry.utils.cache import FileCache

from poetry_tf.files.errors import ProjectError
from poetry_tf.files.lock import Lock
from poetry_tf.index import prefetch
from poetry_tf.index.auto import choice_memory, choose_automatically
from poetry_tf.index.config import mirror_value, setting_layers
from poetry_tf.index.credentials import PYPI, Grant, make_grants, user_mirrors
from poetry_tf.index.failover import ExpectedFiles, IndexRoot
from poetry_tf.index.mirrors import (
    Mirror,
    MirrorError,
    independent_of,
    parse_mirror,
    without_credentials,
)
from poetry_tf.index.repository import PrefetchingRepository
from poetry_tf.index.session import PREFER_JSON, MirrorSession, NotDownloadedError
from poetry_tf.poetry_internals import patches
from poetry_tf.releases import DISTRIBUTIONS, load

if TYPE_CHECKING:
    from cleo.io.io import IO
    from poetry.config.config import Config
    from poetry.core.constraints.version import Version
    from poetry.core.packages.dependency import Dependency
    from poetry.core.packages.package import Package
    from poetry.core.packages.utils.link import Link
    from poetry.inspection.info import PackageInfo
    from poetry.poetry import Poetry


@dataclass(frozen=True)
class MirrorRoute:
    """The ways that were chosen, in the order in which they are tried, and a line for the user."""

    ways: tuple[IndexRoot, ...]
    notice: str | None = None
    reconsider: Callable[[], None] = lambda: None
    """Called when the first way fails: a choice that was remembered is to be made anew."""

    @property
    def url(self) -> str:
        """The address of the first way."""
        return self.ways[0].url


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
    # The address of PyPI is Poetry's to know.
    pypi = IndexRoot(PYPI, current.url.rstrip("/"), final=True)

    def choose() -> MirrorRoute:
        if parsed.kind == "auto":
            memory = choice_memory(poetry.config)
            choice = choose_automatically(pypi.url, memory)
            return MirrorRoute((*map(_way, choice.mirrors), pypi), choice.notice, memory.forget)
        return mirrored(mirrors, pypi) if mirrors else MirrorRoute((pypi,))

    def tell(line: str) -> None:
        io.write_error_line(f"poetry-tf: {io.error_output.formatter.escape(line)}")

    replacement = RoutedRepository(
        functools.cache(_announcing(choose, tell)),
        grants=grants,
        tell=tell,
        wants=functools.cache(lambda: ExpectedFiles(_locked_files(poetry), _known_releases)),
        config=poetry.config,
        disable_cache=poetry.disable_cache,
        pool_size=max(poetry.config.installer_max_workers, prefetch.THREADS + 1),
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


def mirrored(mirrors: Sequence[Mirror], pypi: IndexRoot) -> MirrorRoute:
    """The way by the mirrors that were named, and what is tried where they fail."""
    further = independent_of(mirrors)
    ways = [_way(mirror) for mirror in (*mirrors, *([further] if further else []))]
    return MirrorRoute((*ways, pypi), f"PyPI via {mirrors[0].name}")


def _way(mirror: Mirror) -> IndexRoot:
    return IndexRoot(mirror.name, mirror.url.rstrip("/"), mirror.fate)


def _announcing(
    choose: Callable[[], MirrorRoute], tell: Callable[[str], None]
) -> Callable[[], MirrorRoute]:
    def chosen() -> MirrorRoute:
        route = choose()
        if route.notice:
            # stderr, because scripts read what Poetry writes to stdout.
            tell(route.notice)
        return route

    return chosen


def _locked_files(poetry: Poetry) -> Mapping[str, Mapping[str, str]]:
    """What the lock has of PyPI's: the files of each distribution, and the version each is of."""
    path = Path(poetry.locker.lock)
    try:
        lock = Lock.read(path, path.read_bytes().decode("utf-8"))
    except (OSError, UnicodeDecodeError, ProjectError):
        return {}
    found: dict[str, dict[str, str]] = {}
    for package in lock.data.get("package", []):
        files = package.get("files")
        if "source" in package or not isinstance(files, list):
            continue
        names = [file.get("file") for file in files if isinstance(file, dict)]
        of = found.setdefault(canonicalize_name(package["name"]), {})
        of.update({name: package["version"] for name in names if isinstance(name, str)})
    return found


@functools.cache
def _known_releases(name: str) -> tuple[str, ...]:
    """The releases of a distribution of TensorFlow that a project can be planned for, ascending."""
    if name not in DISTRIBUTIONS:
        return ()
    return tuple(str(release.version) for release in load(name).releases)


class RoutedRepository(PrefetchingRepository):
    """PyPI as a simple index shows it, by a route that is chosen when it is first needed.

    Commands that never ask an index (``poetry check``, ``poetry version``) so never choose one.
    """

    def __init__(
        self,
        route: Callable[[], MirrorRoute],
        *,
        grants: Sequence[Grant],
        tell: Callable[[str], None],
        wants: Callable[[], ExpectedFiles],
        config: Config,
        disable_cache: bool,
        pool_size: int,
    ) -> None:
        self._route, self._grants, self._wants = route, grants, wants
        # The address is set by `choose`, before the first request is made.
        super().__init__(PYPI, "", config=config, disable_cache=disable_cache, pool_size=pool_size)
        self.courier = MirrorSession(
            tell, config, cache_id=PYPI, disable_cache=disable_cache, pool_size=pool_size
        )
        self._authenticator = self.courier
        self._caches = config.repository_cache_directory / "poetry-tf"
        self._choosing = threading.Lock()
        self._chosen = self._warned = self._told_in_full = False

    @property
    def url(self) -> str:
        self.choose()
        return self._url

    def choose(self) -> None:
        """Settles the address, once; every request is made after that."""
        # Poetry installs with several threads, each of which may be the first to ask.
        with self._choosing:
            if not self._chosen:
                route = self._route()
                self._url = route.url
                self.courier.go_by(route.ways, self._grants, self._wants(), route.reconsider)
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

    def _get_response(
        self, endpoint: str, *, headers: dict[str, str] | None = None
    ) -> requests.Response | None:
        self.choose()
        return self.courier.page(endpoint.strip("/"), headers or PREFER_JSON)

    def _get_info_from_metadata(self, link: Link) -> PackageInfo | None:
        if not link.has_metadata or link.metadata_url is None:
            return None
        metadata = self.courier.metadata(link.metadata_url, link.metadata_hashes or {})
        if metadata is None:
            return None
        from poetry.inspection.info import PackageInfo

        return PackageInfo.from_metadata(parse_email(metadata)[0])

    def _download(self, url: str, dest: Path, *, raise_accepts_ranges: bool = False) -> None:
        # Poetry has moved this one between its modules, but always raised it from here.
        ranges = getattr(http_repository, "HTTPRangeRequestSupportedError", None)
        self.courier.download(url, dest, unless_ranges=ranges if raise_accepts_ranges else None)

    def fetch(
        self, package: Package, url: str, dest: Path, progress: Callable[[int, int], None]
    ) -> None:
        """A file of a locked package, for the installer; one of another hash is never accepted."""
        hashes = [file["hash"] for file in package.files if file["file"] == dest.name]
        with self._told_in_full_once():
            self.courier.download(url, dest, hashes or None, progress=progress)

    @contextmanager
    def _told_in_full_once(self) -> Iterator[None]:
        """Shortens what is said where nothing answers: several files are taken at a time."""
        try:
            yield
        except NotDownloadedError as error:
            with self._choosing:
                told, self._told_in_full = self._told_in_full, True
            if told:
                raise error.shortened() from None
            raise

    def find_links_for_package(self, package: Package) -> list[Link]:
        self.choose()
        # It is the installer that asks for links, and what it does with one is download it.
        if not (patches.download_by(RoutedRepository, RoutedRepository.fetch) or self._warned):
            self._warned = True
            self.courier.tell(
                "this Poetry installs in a way poetry-tf doesn't know: where a file fails, no "
                "other mirror is asked for it"
            )
        with self._told_in_full_once():
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
