"""Releases of TensorFlow that the data does not know, read from the index that a command asks.

The file names tell the Pythons and the platforms. Requirements, CUDA and cuDNN are read from the
wheels as `releases.reader` reads them for the data, so that a lock is the same as it will be with
data that knows the release. What was read is kept in Poetry's cache.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import requests
from packaging.utils import canonicalize_name
from packaging.version import Version
from poetry.console.exceptions import PoetryRuntimeError
from poetry.core.constraints.version import Version as PoetryVersion
from poetry.repositories.exceptions import PackageNotFoundError
from poetry.repositories.http_repository import HTTPRepository
from poetry.repositories.pypi_repository import PyPiRepository

from poetry_tf.http.client import Client
from poetry_tf.http.errors import ReadError
from poetry_tf.http.failures import Stopped
from poetry_tf.http.pages import IndexFile, SimpleIndex, package_of
from poetry_tf.index.config import pypi_index
from poetry_tf.index.mirror_pages import PREFER_JSON
from poetry_tf.index.mirrors import without_credentials
from poetry_tf.index.repository import RoutedRepository, stands_for_pypi
from poetry_tf.index.saved_folder import write_whole
from poetry_tf.poetry_internals.overrides import override
from poetry_tf.releases import Release, whole
from poetry_tf.releases.catalog import add_read, described, is_known_series
from poetry_tf.releases.filenames import Distribution, distributions
from poetry_tf.releases.reader.derive import Available, outline, served
from poetry_tf.releases.reader.index_reader import IndexReader, RefreshReport, read_release

if TYPE_CHECKING:
    from poetry.repositories.repository_pool import RepositoryPool

READER: Final = "1"
"""Another one for each change in what is read, or in what follows from it."""


class UnreadReleaseError(Exception):
    """A release that the data does not know could not be read."""

    def __init__(self, name: str, version: Version, reason: str) -> None:
        super().__init__(
            f"{name} {version} is newer than the data of this poetry-tf "
            f"({whole().data_version}), and its wheels could not be read: {reason}"
        )
        self.name, self.version, self.reason = name, version, reason


def new_releases(pool: RepositoryPool, report: Callable[[str], None]) -> NewReleases | None:
    """The reader of the index that a pool uses as PyPI, else of its first; None without any."""
    readable = [one for one in pool.repositories if isinstance(one, HTTPRepository)]
    first = [*filter(stands_for_pypi, readable), *readable][:1]
    return reader_of(first[0], report) if first else None


def reader_of(repository: HTTPRepository, report: Callable[[str], None]) -> NewReleases:
    """The reader of an index, the same one throughout a run.

    It is kept with the repository, which it refers to: a table of all would keep both.
    """
    kept: dict[str, Any] = vars(repository)
    if _READER not in kept:
        kept[_READER] = NewReleases(repository, report)
    reader: NewReleases = kept[_READER]
    return reader


_READER: Final = "_poetry_tf_new_releases"


class NewReleases:
    """Reads releases of TensorFlow's distributions, each once."""

    def __init__(self, repository: HTTPRepository, report: Callable[[str], None]) -> None:
        self._repository, self._report = repository, report
        self._listed: dict[str, Available] = {}
        self._read: dict[tuple[str, Version], Release] = {}
        self._blocks: dict[tuple[str, Version], Mapping[str, Any]] = {}
        self._failed: dict[tuple[str, Version], UnreadReleaseError] = {}

    def versions(self, name: str) -> tuple[Version, ...]:
        """The final releases that the index has and the data does not, ascending; not yanked ones.

        Raises `ReadError`.
        """
        catalog = whole(name)
        return tuple(
            version
            for version, files in sorted(self._files(name).items())
            if not version.is_prerelease
            and catalog.standing(version) == "newer"
            and outline(files)["platforms"]
            and not all(file.file.yanked for file in files)
        )

    def prereleases(self, name: str) -> tuple[Version, ...]:
        """The alphas, betas and release candidates that the data does not know, ascending.

        Raises `ReadError`.
        """
        catalog = whole(name)
        return tuple(
            version
            for version in sorted(self._files(name))
            if version.is_prerelease and catalog.standing(version) == "newer"
        )

    def block(self, name: str, version: Version) -> Mapping[str, Any]:
        """A release that was read, as it is in a data file."""
        return self._blocks[name, version]

    def outline(self, name: str, version: Version) -> Release | None:
        """What the file names of a release tell: the platforms and the Pythons.

        None for a release that has no wheel, or that the data knows. Raises `ReadError`.
        """
        files = self._files(name).get(version, [])
        if whole(name).standing(version) != "newer" or not outline(files)["platforms"]:
            return None
        return described(name, version, outline(files))

    def read(self, name: str, version: Version) -> Release:
        """A release that the data does not know.

        One of a series that it does not know either is known in this run from now on.

        Raises `UnreadReleaseError`.
        """
        key = name, version
        if key in self._failed:
            raise self._failed[key]
        if key not in self._read:
            try:
                block = self._block(name, version)
                self._read[key] = described(name, version, block)
            except ReadError as error:
                self._failed[key] = UnreadReleaseError(name, version, str(error))
                raise self._failed[key] from error
            self._blocks[key] = block
            if not is_known_series(name, version):
                add_read(name, version, block)
        return self._read[key]

    def _files(self, name: str) -> Available:
        if name not in self._listed:
            self._listed[name] = distributions(_pages(self._repository).files(name))
        return self._listed[name]

    def _block(self, name: str, version: Version) -> Mapping[str, Any]:
        files = self._files(name).get(version, [])
        if not outline(files)["platforms"]:
            raise ReadError("it has no wheel")
        cached = self._cache_file(files)
        if cached is not None:
            with suppress(OSError, ValueError):
                return json.loads(cached.read_text("utf-8"))  # type: ignore[no-any-return]
        self._report(
            f"{name} {version} is newer than the data of this poetry-tf "
            f"({whole().data_version}): reading its wheels"
        )
        problems = _Problems()
        client = SessionClient(self._repository)
        pages = _pages(self._repository)
        metadata = _metadata_source(self._repository)
        reader = IndexReader(pages, client, None, problems, metadata, needs_build=False)
        try:
            block = read_release(reader, name, version, self._files(name))
        finally:
            if problems.found:  # the cause of what is raised
                raise ReadError(problems.found[0])
        if not described(name, version, block).is_build_known:
            self._report(
                "the index offers no partial downloads: what the wheels require is read from "
                "their metadata; the CUDA and cuDNN that they are built with are unknown"
            )
        if cached is not None:
            with suppress(OSError):
                cached.parent.mkdir(parents=True, exist_ok=True)
                write_whole(cached, json.dumps(block, indent=1).encode())
        return block

    def _cache_file(self, files: Sequence[Distribution]) -> Path | None:
        """Where a release is kept: by the index, the reader, and the hashes of the wheels."""
        wheels = [file.file for file in served(files) if file.is_wheel]
        if self._repository._disable_cache or not all(wheel.sha256 for wheel in wheels):
            return None
        lines = sorted(f"{wheel.filename} {wheel.sha256}" for wheel in wheels)
        origin = _digest(without_credentials(_index_url(self._repository)))
        folder = self._repository._cache_dir.parent / "releases-read"
        return folder / origin / f"reader-{READER}" / f"{_digest(*lines)}.json"


class SessionClient(Client):
    """The client of the reader, which requests by the session of a repository."""

    def __init__(self, repository: HTTPRepository) -> None:
        super().__init__()
        self._poetrys = repository.session

    @override
    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        follow: bool = True,  # noqa: ARG002  # Poetry's session follows redirects
        most: int | None = None,  # noqa: ARG002  # and the mirrors' has limits of its own
    ) -> requests.Response:
        self._count(requests_=1)
        try:
            return self._poetrys.request(  # without the body, which may be half a gigabyte
                method, url, raise_for_status=False, headers=dict(headers), stream=True
            )
        except (PoetryRuntimeError, requests.RequestException, Stopped, OSError) as error:
            lines = str(error).strip().splitlines()
            raise ReadError(lines[0] if lines else type(error).__name__) from error

    @override
    def body(self, response: requests.Response) -> bytes:
        return response.content


class MirrorPageIndex(SimpleIndex):
    """The pages of the mirrors, each requested once in a run."""

    def __init__(self, repository: RoutedRepository, client: Client) -> None:
        super().__init__(repository.url, client)
        self._pages = repository.mirrors.pages

    @override
    def files(self, project: str) -> tuple[IndexFile, ...]:
        try:
            self._pages.get(project, PREFER_JSON)
        except PoetryRuntimeError as error:
            raise ReadError(str(error).strip().partition("\n")[0]) from error
        return tuple(self._pages.files(project).values())


class _Problems(RefreshReport):
    """Keeps the problems instead of writing them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    @override
    def info(self, line: str) -> None:
        pass

    @override
    def problem(self, line: str) -> None:
        self.found.append(line)

    @override
    def progress(self, what: str, done: int, total: int) -> None:
        pass


def _pages(repository: HTTPRepository) -> SimpleIndex:
    client = SessionClient(repository)
    if isinstance(repository, RoutedRepository):
        repository.choose()
        return MirrorPageIndex(repository, client)
    return SimpleIndex(_index_url(repository), client)


def _index_url(repository: HTTPRepository) -> str:
    # Poetry's own PyPI has the address of its API.
    return pypi_index() if isinstance(repository, PyPiRepository) else repository.url


def _metadata_source(
    repository: HTTPRepository,
) -> Callable[[Distribution], str | None] | None:
    """What is served beside a wheel (PEP 658), by the mirrors; None where the reader asks."""
    if not isinstance(repository, RoutedRepository):
        return None

    def metadata(wheel: Distribution) -> str | None:
        name = canonicalize_name(package_of(wheel.file.filename))
        with suppress(PackageNotFoundError, PoetryRuntimeError):
            page, version = repository.get_page(name), PoetryVersion.parse(str(wheel.version))
            for link in page.links_for_version(name, version):
                if link.filename == wheel.file.filename:
                    return repository.mirrors.metadata_text(link)
        return None

    return metadata


def _digest(*lines: str) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]
