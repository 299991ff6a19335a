"""Whether the lock's files are still available, with the same hashes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from packaging.utils import canonicalize_name

from poetry_tf.files.lock import Lock
from poetry_tf.http.client import Client
from poetry_tf.http.errors import BadResponse, NoResponse, ReadError, host_of
from poetry_tf.http.pages import BadPage, IndexFile, SimpleIndex
from poetry_tf.http.parallel import run_parallel
from poetry_tf.index.mirrors import without_credentials
from poetry_tf.plan.environments import Target
from poetry_tf.plan.installability import LockedPackages
from poetry_tf.releases.filenames import distributions
from poetry_tf.releases.images import Systems

WORKERS = 8
"""The most requests to indexes at the same time."""


@dataclass(frozen=True)
class PackageIndex:
    """A simple index.

    Attributes:
        name: its name for users.
        url: its address, without user name and password.
        is_own: whether it is a source of the project, which may require a login.
        has_password: whether its address came with one.
    """

    name: str
    url: str
    is_own: bool = False
    has_password: bool = False


@dataclass
class IndexResult:
    """How many of the locked packages and files one index has."""

    host: str
    name: str
    packages: int = 0
    files: int = 0


@dataclass(frozen=True)
class UnavailableFiles:
    """Files of one package that no index has as they are locked.

    Attributes:
        reason: what the last index has instead, in words that follow its name.
        is_needed: whether the container installs one of them.
        versions: the available versions of the package, the newest last.
    """

    package: str
    files: tuple[str, ...]
    reason: str
    is_needed: bool
    versions: tuple[str, ...] = ()


@dataclass(frozen=True)
class LockAvailability:
    """What the indexes have of the whole lock.

    Attributes:
        indexes: those that have something of it, in their order.
        unavailable: what no index has.
        skipped: texts for what an index lacks, so the next was searched.
        unreachable: servers that do not answer with pages, with the error, and the packages that
            only they could have.
        unchecked: packages that come from no index.
        protected: the project's sources that require a password, with the status that they answer
            without one, and the packages that only they have.
        local: the project's sources on the local network, which are not asked, and their packages.
    """

    indexes: tuple[IndexResult, ...]
    unavailable: tuple[UnavailableFiles, ...]
    skipped: tuple[str, ...]
    unreachable: Mapping[str, tuple[Exception, tuple[str, ...]]]
    unchecked: tuple[str, ...]
    protected: Mapping[PackageIndex, tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    local: Mapping[PackageIndex, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class _RequiredPackage:
    title: str
    name: str
    hashes: tuple[tuple[str, str], ...]
    container_file: str | None
    """The file that the container installs; empty where it needs none, None where none fits."""
    indexes: tuple[PackageIndex, ...]


@dataclass
class _FileSearch:
    """The search for the files of one package."""

    located: Counter[PackageIndex] = field(default_factory=Counter)
    """How many files each index has."""
    missing: dict[str, str] = field(default_factory=dict)
    """The files that are not found yet, with their hashes."""
    skipped: list[str] = field(default_factory=list)
    unreachable: dict[str, Exception] = field(default_factory=dict)
    protected: tuple[PackageIndex, int] | None = None
    reason: str = ""
    versions: tuple[str, ...] = ()


def check_locked_files(
    lock: Lock,
    packages: LockedPackages,
    client: Client,
    *,
    target: Target,
    systems: Systems,
    indexes: Sequence[PackageIndex],
    until: float,
) -> LockAvailability:
    """Searches each file of a lock in the indexes, until one has it as it is locked."""
    required, unchecked = _required_packages(lock, packages, target, systems, indexes)
    local: dict[PackageIndex, tuple[str, ...]] = {}
    for package in [item for item in required if item.indexes[0].is_own]:
        if not client.may_ask((index := package.indexes[0]).url):
            local[index] = (*local.get(index, ()), package.title)
            required.remove(package)
    jobs = [partial(_search, package, client) for package in required]
    searches = run_parallel(jobs, workers=WORKERS, until=until)
    results: dict[str, IndexResult] = {}
    unavailable: list[UnavailableFiles] = []
    skipped: dict[str, None] = {}
    unreachable: dict[str, tuple[Exception, tuple[str, ...]]] = {}
    protected: dict[PackageIndex, tuple[int, tuple[str, ...]]] = {}
    for number, package in enumerate(required):
        host = host_of(package.indexes[-1].url)
        search = searches.get(number) or _FileSearch(
            missing=dict(package.hashes),
            unreachable={host: BadResponse("did not answer in time", host=host)},
        )
        for index, count in search.located.items():
            result = results.setdefault(index.url, IndexResult(host_of(index.url), index.name))
            result.files += count
            result.packages += 1
        skipped.update(dict.fromkeys(search.skipped))
        for server, error in search.unreachable.items():
            unreachable.setdefault(server, (error, ()))
        if search.protected is not None:
            index, status = search.protected
            _, names = protected.get(index, (status, ()))
            protected[index] = (status, (*names, package.title))
        elif search.missing and host in search.unreachable:
            error, names = unreachable[host]
            unreachable[host] = (error, (*names, package.title))
        elif search.missing:
            unavailable.append(
                UnavailableFiles(
                    package.title,
                    tuple(search.missing),
                    search.reason,
                    package.container_file is None or package.container_file in search.missing,
                    search.versions,
                )
            )
    order = [index.url for package in required for index in package.indexes]
    return LockAvailability(
        tuple(results[url] for url in dict.fromkeys(order) if url in results),
        tuple(unavailable),
        tuple(skipped),
        unreachable,
        tuple(unchecked),
        protected,
        local,
    )


def _required_packages(
    lock: Lock,
    packages: LockedPackages,
    target: Target,
    systems: Systems,
    indexes: Sequence[PackageIndex],
) -> tuple[list[_RequiredPackage], list[str]]:
    required, unchecked = [], []
    infos: Sequence[Mapping[str, Any]] = lock.data.get("package", [])
    for info, package in zip(infos, packages.packages, strict=True):
        title = f"{info['name']} {info['version']}"
        own = indexes
        if "source" in info:
            source = info["source"] if isinstance(info["source"], dict) else {}
            url = source.get("url")
            if source.get("type") != "legacy" or not isinstance(url, str):
                unchecked.append(f"{title} comes from {source.get('type', 'elsewhere')}")
                continue
            # A password in it is only for Poetry.
            bare = without_credentials(url)
            own = (PackageIndex(str(source.get("reference")), bare, True, bare != url),)
        if not (hashes := lock.hashes(info)):
            unchecked.append(f"{title} is locked without a file")
            continue
        file = package.installed_file(target, systems) if packages.needs(package, target) else ""
        name = canonicalize_name(info["name"])
        required.append(_RequiredPackage(title, name, tuple(hashes), file, tuple(own)))
    return required, unchecked


def _search(package: _RequiredPackage, client: Client) -> _FileSearch:
    search = _FileSearch(missing=dict(package.hashes))
    for index in package.indexes:
        if not search.missing:
            break
        try:
            page = SimpleIndex(index.url, client).files(package.name)
        except NoResponse as error:
            search.unreachable[error.host] = error
            continue
        except (ReadError, ValueError) as error:
            if index.is_own and isinstance(error, BadPage) and error.status in (401, 403):
                search.protected = (index, error.status)
            else:
                search.unreachable[host_of(index.url)] = error
            continue
        _locate(search, index, page)
        if search.missing:
            search.reason = _format_missing(package.name, search, page)
            search.versions = _versions(page)
            if index != package.indexes[-1]:
                search.skipped.append(f"{index.name} {search.reason}")
    return search


def _locate(search: _FileSearch, index: PackageIndex, page: Sequence[IndexFile]) -> None:
    for file in page:
        kind, _, digest = search.missing.get(file.filename, "").partition(":")
        # An index without hashes is trusted here: Poetry checks the file when it installs it.
        is_same = kind != "sha256" or file.sha256 in (None, digest)
        if file.filename in search.missing and is_same:
            del search.missing[file.filename]
            search.located[index] += 1


def _format_missing(package: str, search: _FileSearch, page: Sequence[IndexFile]) -> str:
    if not page:
        return f"has no package {package}"
    name = next(iter(search.missing))
    if any(file.filename == name for file in page):
        return f"has another file named {name}"
    more = len(search.missing) - 1
    return f"has no {name}" + (f", and lacks {more} more" if more else "")


def _versions(page: Sequence[IndexFile]) -> tuple[str, ...]:
    found = distributions(file for file in page if not file.yanked)
    return tuple(str(version) for version in sorted(found) if not version.is_prerelease)
