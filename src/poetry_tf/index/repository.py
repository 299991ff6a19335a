"""Poetry's repository classes as poetry-tf overrides them: an index with few requests, and PyPI by
mirrors. Both return what Poetry's `LegacyRepository` would return."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from packaging.utils import NormalizedName, canonicalize_name
from poetry.console.exceptions import PoetryRuntimeError
from poetry.core.packages.dependency import Dependency
from poetry.core.packages.package import Package
from poetry.inspection.info import PackageInfo
from poetry.repositories import http_repository
from poetry.repositories.exceptions import PackageNotFoundError
from poetry.repositories.legacy_repository import LegacyRepository
from poetry.repositories.pypi_repository import PyPiRepository
from poetry.utils.cache import FileCache

from poetry_tf.http.pages import MalformedPage
from poetry_tf.http.transfer import interrupted_by
from poetry_tf.index import pages, prefetch
from poetry_tf.index.credentials import PYPI, Grant
from poetry_tf.index.failover import MirrorRoute, NoFittingFileError, NotDownloadedError
from poetry_tf.index.fetching import FileSupply, is_building, supply_files
from poetry_tf.index.folder_repository import FolderRepository, NotLockedError
from poetry_tf.index.locked_packages import as_indexed, by_name
from poetry_tf.index.mirror_pages import PREFER_JSON
from poetry_tf.index.mirrors import MIRRORS
from poetry_tf.index.saved_folder import part_of
from poetry_tf.index.session import MirrorSession
from poetry_tf.index.wheel_metadata import (
    check_metadata,
    check_requirements,
    known_metadata,
    metadata_of,
)
from poetry_tf.poetry_internals import patches
from poetry_tf.poetry_internals.overrides import override, require_attributes

if TYPE_CHECKING:
    from pathlib import Path

    import requests
    from poetry.config.config import Config
    from poetry.core.constraints.version import Version
    from poetry.core.packages.utils.link import Link
    from poetry.repositories.link_sources.base import LinkSource
    from poetry.repositories.repository import Repository

    from poetry_tf.http.pages import IndexFile
    from poetry_tf.index.answers import ExpectedFiles
    from poetry_tf.index.saved_folder import SavedFolder


class _RangesSupportedError(Exception):
    """A whole file was requested of a server that sends parts."""


# Poetry has moved its class between its modules, but always raised it from here.
_RANGES: type[Exception] = getattr(
    http_repository, "HTTPRangeRequestSupportedError", _RangesSupportedError
)


def watch_interrupts() -> None:
    """Makes Ctrl-C stop the downloads in the threads of an installation."""
    patches.watch_interrupts(interrupted_by)


class FlatCache(FileCache[Any]):
    """Poetry's cache of records without its seven levels of folders.

    It makes or looks at each of them for each record, and all threads wait for the system.
    """

    @override
    def _path(self, key: str) -> Path:
        return self.path / super()._path(key).name


class PrefetchingRepository(LegacyRepository):
    """A simple index that is read with few requests, as early as they are known.

    Pages are requested by `_get_response`, files by the session.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.prefetcher = prefetch.Prefetcher(self.get_page, self._fetch_record)

    def _fetch_record(self, name: NormalizedName, version: Version) -> dict[str, Any]:
        """A record from the cache, or a new one, which is cached when it is used."""
        if not self._disable_cache:
            cached = self._release_cache.get(f"{name}:{version}")
            if cached is not None:
                return cached
        return self._get_release_info(name, version)

    @override
    def _get_page(self, name: NormalizedName) -> LinkSource:
        return self.prefetcher.get(("page", name), lambda: self._read_page(name))

    @override
    def _get_release_info(self, name: NormalizedName, version: Version) -> dict[str, Any]:
        def make() -> dict[str, Any]:
            return super(PrefetchingRepository, self)._get_release_info(name, version)

        # Poetry changes the record that it is given.
        return {**self.prefetcher.get(("record", name, version), make)}

    def _read_page(self, name: NormalizedName) -> LinkSource:
        # Older versions of Poetry parse every page as HTML; in JSON they see no files.
        prefer_json: Callable[[], Any] = getattr(self, "_get_prefer_json_header", dict)
        settings = {"headers": prefer_json()} if pages.POETRY_READS_JSON else {}
        if not (response := self._get_response(f"/{name}/", **settings)):
            raise PackageNotFoundError(f"Package [{name}] not found.")
        return self._links_in(response)

    def _links_in(self, response: requests.Response) -> LinkSource:
        return pages.read_page(response)

    @override
    def _get_info_from_metadata(self, link: Link) -> PackageInfo | None:
        """Poetry calls this first, for the file that represents a release."""
        return known_metadata(link.hashes) or self._get_sent_metadata(link)

    def _get_sent_metadata(self, link: Link) -> PackageInfo | None:
        info = super()._get_info_from_metadata(link)
        return info and check_requirements(link.filename, info)

    @override
    def _get_info_from_wheel(self, link: Link) -> PackageInfo:
        if (info := known_metadata(link.hashes)) is not None:
            return info
        host = link.netloc
        is_lazy = self._lazy_wheel
        if is_lazy and self._supports_range_requests.get(host, True):
            if (info := metadata_of(link.filename, link.url, self.session)) is not None:
                self._supports_range_requests[host] = True
                return info
            self._supports_range_requests.setdefault(host, False)
            is_lazy = False
        # Not by Poetry's own method, which takes whatever it reads by ranges.
        try:
            with self._whole_file(link, raise_accepts_ranges=is_lazy) as wheel:
                return check_requirements(link.filename, PackageInfo.from_wheel(wheel))
        except _RANGES:
            self._supports_range_requests[host] = True
            return self._get_info_from_wheel(link)

    def _whole_file(
        self, link: Link, *, raise_accepts_ranges: bool
    ) -> AbstractContextManager[Path]:
        # Poetry 2.1 to 2.4 have it by the second name.
        names = ("_downloaded_file", "_cached_or_downloaded_file")
        download: Any = next(getattr(self, name) for name in names if hasattr(self, name))
        return download(link, raise_accepts_ranges=raise_accepts_ranges)  # type: ignore[no-any-return]

    @override
    def _get_info_from_sdist(self, link: Link) -> PackageInfo:
        return check_requirements(link.filename, super()._get_info_from_sdist(link))


def stands_for_pypi(repository: Repository) -> bool:
    """Whether a repository is PyPI, or one of its mirrors that have a name."""
    if isinstance(repository, RoutedRepository | FolderRepository):
        return True
    if isinstance(repository, PyPiRepository):
        return repository.name == PYPI
    urls = {mirror.url.rstrip("/") for mirror in MIRRORS.values()}
    return isinstance(repository, LegacyRepository) and repository.url.rstrip("/") in urls


class RoutedRepository(PrefetchingRepository, FileSupply):
    """PyPI as a simple index, by a route that is chosen when it is first needed.

    Commands that need no index (``poetry check``, ``poetry version``) choose none.
    """

    def __init__(
        self,
        route: Callable[[], MirrorRoute],
        *,
        grants: Sequence[Grant],
        report: Callable[[str], None],
        expected: Callable[[], ExpectedFiles],
        locked: Callable[[], Sequence[Package]],
        folders: Sequence[SavedFolder] = (),
        not_locked: Callable[..., NotLockedError],
        config: Config,
        disable_cache: bool,
        pool_size: int,
    ) -> None:
        self._route, self._grants, self._expected = route, grants, expected
        self._read_locked, self._folders, self._not_locked = locked, folders, not_locked
        # The address is set by `choose`, before the first request is made.
        super().__init__(PYPI, "", config=config, disable_cache=disable_cache, pool_size=pool_size)
        require_attributes(
            self,
            *("_authenticator", "_cache_dir", "_disable_cache", "_lazy_wheel", "_release_cache"),
            *("_supports_range_requests", "_url"),
        )
        self.mirrors = MirrorSession(
            report, config, cache_id=PYPI, disable_cache=disable_cache, pool_size=pool_size
        )
        self._authenticator = self.mirrors
        self._caches = config.repository_cache_directory / "poetry-tf"
        self._choosing = threading.Lock()
        self._chosen = self._warned = self._shown_in_full = False
        self._compared: set[str] = set()
        """The records in the cache that were compared with their pages."""

    @property
    @override
    def url(self) -> str:
        self.choose()
        return self._url

    def choose(self) -> None:
        """Sets the address, once, before the first request."""
        # Poetry installs with several threads, each of which may be the first.
        with self._choosing:
            if not self._chosen:
                route = self._route()
                self._url = route.url
                self.mirrors.use(route, self._grants, self._expected())
                # Poetry without this plugin reads the cache of PyPI as well, and mirrors lack
                # different things: each has its own cache. CachedRepository keeps it in
                # `_release_cache`.
                self._cache_dir = self._caches / hashlib.sha256(self._url.encode()).hexdigest()[:16]
                self._release_cache = FlatCache(path=self._cache_dir)
                self._chosen = True

    @override
    def find_packages(self, dependency: Dependency) -> list[Package]:
        self.choose()
        found = [patches.without_source(package) for package in super().find_packages(dependency)]
        name, known = dependency.name, {package.version for package in found}
        locked = [item.version for item in self._kept(name)]
        more = [item for item in locked if dependency.constraint.allows(item)]
        found += [Package(name, item) for item in more if item not in known]
        if (root := self.mirrors.pages.saved_root(name)) is None or is_building():
            return found
        if found := [package for package in found if package.version in locked]:
            return found  # of another release the folder has only some of the files
        raise self._not_locked(name, dependency.constraint, locked, root.name)

    @override
    def package(self, name: str, version: Version) -> Package:
        self.choose()
        try:
            return patches.without_source(super().package(name, version))
        except PackageNotFoundError:
            for package in self._kept(canonicalize_name(name)):
                if package.version == version:
                    return as_indexed(package)
            raise

    @cached_property
    def _locked(self) -> Mapping[NormalizedName, Sequence[Package]]:
        return by_name(self._read_locked())

    def _kept(self, name: NormalizedName) -> Sequence[Package]:
        """The locked packages of a distribution that stay in the lock, listed or not."""
        return self._locked.get(name, ()) if self.mirrors.pages.is_incomplete(name) else ()

    @override
    def _read_page(self, name: NormalizedName) -> LinkSource:
        while True:
            try:
                return super()._read_page(name)
            except MalformedPage:
                self.mirrors.pages.reject(name)

    @override
    def _get_response(
        self, endpoint: str, *, headers: dict[str, str] | None = None
    ) -> requests.Response | None:
        self.choose()
        return self.mirrors.pages.get(endpoint.strip("/"), headers or PREFER_JSON)

    @override
    def _links_in(self, response: requests.Response) -> LinkSource:
        return self.mirrors.pages.links(response)

    @override
    def get_release_info(self, name: NormalizedName, version: Version) -> PackageInfo:
        self.choose()
        self._forget_unlisted(name, version)
        info = super().get_release_info(name, version)
        unlisted = self.mirrors.pages.unlisted_files(name, version)
        # Not in the cache, which serves other projects.
        more: list[Any] = [{"file": file, "hash": digest} for file, digest in unlisted]
        info.files = [*info.files, *more]
        return info

    @override
    def _fetch_record(self, name: NormalizedName, version: Version) -> dict[str, Any]:
        self.choose()  # which cache is used depends on it
        self._forget_unlisted(name, version)
        return super()._fetch_record(name, version)

    @override
    def _get_release_info(self, name: NormalizedName, version: Version) -> dict[str, Any]:
        record = super()._get_release_info(name, version)
        if (error := self.mirrors.pages.wrong_files(name, record)) is not None:
            raise error
        return record

    def _forget_unlisted(self, name: NormalizedName, version: Version) -> None:
        """Removes a record from the cache if the page now lists other hashes."""
        key = f"{name}:{version}"
        if self._disable_cache or key in self._compared:
            return
        if (record := self._release_cache.get(key)) is not None:
            with suppress(PackageNotFoundError, ValueError):
                links = self.get_page(name).links_for_version(name, version)
                listed = {link.filename: link.hashes.get("sha256") for link in links}
                if self.mirrors.pages.wrong_files(name, record) or any(
                    (digits := listed.get(file["file"])) and file["hash"] != f"sha256:{digits}"
                    for file in record.get("files", ())
                ):
                    self._release_cache.forget(key)
        self._compared.add(key)

    @override
    def _get_sent_metadata(self, link: Link) -> PackageInfo | None:
        return self.mirrors.metadata(link)

    @override
    def _download(self, url: str, dest: Path, *, raise_accepts_ranges: bool = False) -> None:
        self.mirrors.download_for_metadata(url, dest, _RANGES if raise_accepts_ranges else None)
        if dest.suffix == ".whl":
            check_metadata(dest)

    @override
    def fetch(
        self, package: Package, url: str, dest: Path, progress: Callable[[int, int], None]
    ) -> None:
        """Downloads a file of a locked package for the installer, or takes it from a folder."""
        hashes = [file["hash"] for file in package.files if file["file"] == dest.name]
        if self._copy(package.name, dest.name, dest, hashes, progress):
            return
        with self._shown_in_full_once():
            self.mirrors.downloads.download(url, dest, hashes or None, progress=progress)

    def save(
        self,
        name: NormalizedName,
        url: str,
        dest: Path,
        hashes: Collection[str],
        progress: Callable[[int, int], None],
    ) -> None:
        """Downloads a file of a distribution to stay; a run that is cut leaves what it has."""
        if not self._copy(name, dest.name, dest, hashes, progress):
            part = part_of(dest)
            self.mirrors.downloads.download(url, dest, hashes, progress=progress, part=part)

    def _copy(
        self,
        name: NormalizedName,
        filename: str,
        dest: Path,
        hashes: Collection[str],
        progress: Callable[[int, int], None],
    ) -> bool:
        """Takes a file from one of the folders. What can't be read there is downloaded."""
        for folder in self._folders:
            with suppress(OSError):
                if folder.copy(name, filename, dest, hashes, progress):
                    return True
        return False

    def listed(self, name: NormalizedName) -> Mapping[str, IndexFile]:
        """The files of a distribution on its page, by name. Raises `NotDownloadedError`."""
        self.choose()
        self.mirrors.pages.get(name, PREFER_JSON)
        return self.mirrors.pages.files(name)

    @contextmanager
    def _shown_in_full_once(self) -> Iterator[None]:
        """Shortens the error after the first: several files are downloaded at a time."""
        try:
            yield
        except NotDownloadedError as error:
            with self._choosing:
                was_shown, self._shown_in_full = self._shown_in_full, True
            if was_shown:
                raise error.shortened() from None
            raise

    @override
    def find_links_for_package(self, package: Package) -> list[Link]:
        self.choose()
        # Only the installer asks for links, and it downloads what they lead to.
        if not (supply_files() or self._warned):
            self._warned = True
            self.mirrors.report(
                "this version of Poetry installs in a way that poetry-tf does not know: if a "
                "download fails, no other mirror is tried"
            )
        with self._shown_in_full_once():
            return super().find_links_for_package(package)

    @override
    def explain_unfit(self, package: Package, python: str, error: Exception) -> Exception | None:
        root = self.mirrors.pages.incomplete_root(package.name)
        # Other errors are of a hash that isn't the locked one.
        is_unfit = isinstance(error, PoetryRuntimeError) and not isinstance(
            error, NotDownloadedError
        )
        if root is None or not is_unfit:
            return None
        return NoFittingFileError(root, f"{package.pretty_name} {package.version}", python)

    @override
    def search(self, query: str | list[str]) -> list[Package]:
        """Search by name: PyPI's list of all names has 40 MB."""
        names = [query] if isinstance(query, str) else query
        return [package for name in names for package in self.find_packages(Dependency(name, "*"))]
