"""The files of the lock: can they still be had, by the way in force, and with the same hashes."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from packaging.utils import canonicalize_name

from poetry_tf.files.lock import Lock
from poetry_tf.http.index import IndexFile, ReadError, SimpleIndex
from poetry_tf.http.parallel import run_parallel
from poetry_tf.http.web import Broken, Unreachable, Web, host_of, refusal
from poetry_tf.index.mirrors import without_credentials
from poetry_tf.plan.environments import Target
from poetry_tf.plan.installability import LockedPackages
from poetry_tf.releases.filenames import distributions
from poetry_tf.releases.images import Systems

WORKERS = 8
"""At most so many requests to indexes at the same time."""


@dataclass(frozen=True)
class PackageIndex:
    """A way to packages.

    Attributes:
        name: the name by which a user knows it.
        url: its simple index, without a name and a password.
        is_own: whether it is a source of the project's own, which may not be for everybody.
        has_password: whether its address came with one.
    """

    name: str
    url: str
    is_own: bool = False
    has_password: bool = False


@dataclass(frozen=True)
class Located:
    """A locked file where it is to be had."""

    file: str
    url: str
    size: int | None


@dataclass
class IndexResult:
    """What one index has of the lock.

    Attributes:
        host: its server.
        packages, files: how many it has.
        ours: those of the files that the container installs.
    """

    host: str
    name: str
    packages: int = 0
    files: int = 0
    ours: list[Located] = field(default_factory=list)


@dataclass(frozen=True)
class UnavailableFiles:
    """Files of one package that nobody has as they are locked.

    Attributes:
        needed: whether the container installs one of them.
        other: the versions of the package that are to be had, the newest last.
    """

    package: str
    files: tuple[str, ...]
    why: str
    needed: bool
    other: tuple[str, ...] = ()


@dataclass(frozen=True)
class LockAvailability:
    """What came of asking for the whole lock.

    Attributes:
        indexes: those that were of use, in the order of the ways.
        lost: what can't be had anywhere.
        passed: what was passed over on the way, and why; "PyPI has it" goes without saying.
        troubles: servers that don't answer, with how, and the packages that are for them alone.
        unseen: packages that come from no index.
        guarded: the project's own sources that ask for a password, with what they answer to who
            gives none, and the packages that are for them alone.
    """

    indexes: tuple[IndexResult, ...]
    lost: tuple[UnavailableFiles, ...]
    passed: tuple[str, ...]
    troubles: Mapping[str, tuple[str, tuple[str, ...]]]
    unseen: tuple[str, ...]
    guarded: Mapping[PackageIndex, tuple[int, tuple[str, ...]]] = field(default_factory=dict)


@dataclass(frozen=True)
class _WantedPackage:
    title: str
    name: str
    hashes: tuple[tuple[str, str], ...]
    ours: str | None
    """The file that the container installs; empty where it needs none, None where none fits."""
    routes: tuple[PackageIndex, ...]


@dataclass
class _FileSearch:
    """What came of asking for one package."""

    at: list[tuple[PackageIndex, Located]] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    """The files that aren't found yet, with their hashes."""
    passed: list[str] = field(default_factory=list)
    dead: dict[str, str] = field(default_factory=dict)
    guarded: tuple[PackageIndex, int] | None = None
    why: str = ""
    other: tuple[str, ...] = ()


def check_locked_files(
    lock: Lock,
    packages: LockedPackages,
    web: Web,
    *,
    target: Target,
    systems: Systems,
    routes: Sequence[PackageIndex],
    until: float,
) -> LockAvailability:
    """Looks for every file of a lock, by the first way that has it as it is locked."""
    wanted, unseen = _wanted(lock, packages, target, systems, routes)
    jobs = [functools.partial(_search, package, web) for package in wanted]
    searches = run_parallel(jobs, workers=WORKERS, until=until)
    indexes: dict[str, IndexResult] = {}
    lost: list[UnavailableFiles] = []
    passed: dict[str, None] = {}
    troubles: dict[str, tuple[str, tuple[str, ...]]] = {}
    guarded: dict[PackageIndex, tuple[int, tuple[str, ...]]] = {}
    for index, package in enumerate(wanted):
        host = host_of(package.routes[-1].url)
        late = {host: "gave no answer in time"}
        search = searches.get(index) or _FileSearch(left=dict(package.hashes), dead=late)
        for route, located in search.at:
            found = indexes.setdefault(route.url, IndexResult(host_of(route.url), route.name))
            found.files += 1
            found.ours += [located] if located.file == package.ours else []
        for url in dict.fromkeys(route.url for route, _ in search.at):
            indexes[url].packages += 1
        passed.update(dict.fromkeys(search.passed))
        for dead, cause in search.dead.items():
            troubles.setdefault(dead, (cause, ()))
        if search.guarded is not None:
            route, status = search.guarded
            _, names = guarded.get(route, (status, ()))
            guarded[route] = (status, (*names, package.title))
        elif search.left and host in search.dead:
            cause, names = troubles[host]
            troubles[host] = (cause, (*names, package.title))
        elif search.left:
            needed = package.ours in search.left or package.ours is None
            files = tuple(search.left)
            lost.append(UnavailableFiles(package.title, files, search.why, needed, search.other))
    order = [route.url for package in wanted for route in package.routes]
    return LockAvailability(
        tuple(indexes[url] for url in dict.fromkeys(order) if url in indexes),
        tuple(lost),
        tuple(passed),
        troubles,
        tuple(unseen),
        guarded,
    )


def _wanted(
    lock: Lock,
    packages: LockedPackages,
    target: Target,
    systems: Systems,
    routes: Sequence[PackageIndex],
) -> tuple[list[_WantedPackage], list[str]]:
    wanted, unseen = [], []
    infos: Sequence[Mapping[str, Any]] = lock.data.get("package", [])
    for info, package in zip(infos, packages.packages, strict=True):
        title = f"{info['name']} {info['version']}"
        own = routes
        if "source" in info:
            source = info["source"] if isinstance(info["source"], dict) else {}
            url = source.get("url")
            if source.get("type") != "legacy" or not isinstance(url, str):
                unseen.append(f"{title} comes from {source.get('type', 'elsewhere')}")
                continue
            # A password that stands in it is for Poetry to send, not for a survey.
            bare = without_credentials(url)
            own = (PackageIndex(str(source.get("reference")), bare, True, bare != url),)
        if not (hashes := lock.hashes(info)):
            unseen.append(f"{title} is locked without a file")
            continue
        ours = package.installed_file(target, systems) if packages.needs(package, target) else ""
        wanted.append(
            _WantedPackage(title, canonicalize_name(info["name"]), tuple(hashes), ours, tuple(own))
        )
    return wanted, unseen


def _search(package: _WantedPackage, web: Web) -> _FileSearch:
    search = _FileSearch(left=dict(package.hashes))
    for route in package.routes:
        if not search.left:
            break
        try:
            page = SimpleIndex(route.url, web).files(package.name)
        except Unreachable as error:
            search.dead[error.host] = error.cause
            continue
        except (ReadError, ValueError) as error:
            if route.is_own and (status := _status(error)) in (401, 403):
                search.guarded = (route, status)
            else:
                search.dead[host_of(route.url)] = _cause(error)
            continue
        _take(search, route, page)
        if search.left:
            search.why = _lack(search, page)
            search.other = _versions(page)
            search.passed.append(f"{route.name} {search.why}")
    return search


def _status(error: Exception) -> int:
    """The status that an index answered with in place of a page; 0 where it was something else."""
    match = re.search(r": the index answers (\d+)$", str(error))
    return int(match[1]) if match else 0


def _cause(error: Exception) -> str:
    """What is wrong with a page, in words that go on from its server's name."""
    if status := _status(error):
        return refusal(status)
    text = str(error).rpartition(": the index ")[2]
    return text if isinstance(error, Broken) else "sends pages that can't be read"


def _take(search: _FileSearch, route: PackageIndex, page: Sequence[IndexFile]) -> None:
    for file in page:
        locked = search.left.get(file.filename)
        # An index that gives no hash is believed here: Poetry will see when it installs.
        if locked is None or not _same(locked, file.sha256):
            continue
        del search.left[file.filename]
        search.at.append((route, Located(file.filename, file.url, file.size)))


def _same(locked: str, sha256: str | None) -> bool:
    kind, _, digest = locked.partition(":")
    return kind != "sha256" or sha256 is None or digest == sha256


def _lack(search: _FileSearch, page: Sequence[IndexFile]) -> str:
    if not page:
        return "has no such package"
    name = next(iter(search.left))
    if any(file.filename == name for file in page):
        return f"has another file by the name of {name}"
    more = len(search.left) - 1
    return f"lacks {name}" + (f" and {more} more" if more else "")


def _versions(page: Sequence[IndexFile]) -> tuple[str, ...]:
    found = distributions(file for file in page if not file.yanked)
    return tuple(str(version) for version in sorted(found) if not version.is_prerelease)
