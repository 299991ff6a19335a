"""Pages and metadata that are fetched before Poetry needs them.

Poetry's solver requests one thing at a time and waits for it. What it will need next is mostly
known: the page of each requirement, and the metadata of the newest version that a page has for it.
While a solve runs, and already while Poetry prepares it, a few threads fetch that, and Poetry finds
it there.

Nothing here decides anything. What was prefetched is the same answer that Poetry would have got a
little later; what could not be fetched, Poetry requests itself and reports the failure; and what
Poetry does not need ends with the process, so that no cache holds what no solve requested.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from packaging.utils import NormalizedName
from poetry.core.constraints.version import Version, VersionConstraint, parse_constraint
from poetry.core.packages.dependency import Dependency
from poetry.repositories.exceptions import PackageNotFoundError

from poetry_tf.http.transfer import working
from poetry_tf.releases import DISTRIBUTIONS, named, whole

if TYPE_CHECKING:
    from poetry.repositories.link_sources.base import LinkSource

THREADS = 7
"""With Poetry's own that makes 8 connections, which is as many as one host may have to bear."""
AT_MOST = 1500
"""Results that are prefetched for one solve."""
NEXT = 4
"""Older versions that are fetched where Poetry goes through versions that were not foreseen."""
RUN = 48
"""Versions of one package that are fetched, from the newest on, where none of them fits."""

_THREAD_PREFIX = "poetry-tf-prefetch"

T = TypeVar("T")
Key = tuple[Any, ...]


@dataclass
class _Job:
    """One page or record: one thread fetches it, the others wait for the result."""

    done: threading.Event = field(default_factory=threading.Event)
    result: Any = None
    error: BaseException | None = None

    @property
    def has_result(self) -> bool:
        return self.done.is_set() and self.error is None


@dataclass
class _Combined:
    """The requirements of a package that are known so far, combined."""

    constraint: VersionConstraint
    extras: frozenset[str]
    lines: list[str] = field(default_factory=list)
    """The requirements of the versions that were read, followed again for a new extra."""


class Prefetcher:
    """Prefetches from one index between `begin` and `end`.

    Args:
        fetch_page: fetches the page of a package. This and the next call `get`.
        fetch_record: fetches the record of a release.
    """

    def __init__(
        self,
        fetch_page: Callable[[NormalizedName], object],
        fetch_record: Callable[[NormalizedName, Version], dict[str, Any]],
    ) -> None:
        self.fetch_page, self.fetch_record = fetch_page, fetch_record
        self._lock = threading.RLock()
        self._new = threading.Condition(self._lock)
        self._solve: _Solve | None = None
        self._jobs: dict[Key, _Job] = {}

    def begin(
        self,
        python: VersionConstraint,
        requirements: Iterable[Dependency],
        locked: Mapping[NormalizedName, Version] | None = None,
        *,
        ahead: bool = False,
    ) -> None:
        """Starts to fetch what a project with these requirements needs.

        `locked` are the locked versions that are kept where possible. `ahead` says that the solve
        itself begins later, with another call; if it is for the same Pythons and locked versions,
        what was fetched by then stays, and what is new is fetched as well.
        """
        locked = locked or {}
        solve = self._solve
        if solve is None or not solve.is_ahead_of(python, locked):
            self.end()
            _mute()
            self._jobs = {key: job for key, job in self._jobs.items() if job.has_result}
            solve = self._solve = _Solve(self, python, locked, self._jobs)
            for name, version in locked.items():
                solve.enqueue(1, ("record", name, version))
            for number in range(THREADS):
                threading.Thread(
                    target=solve.work, name=f"{_THREAD_PREFIX}-{number}", daemon=True
                ).start()
        solve.is_ahead = ahead
        for requirement in requirements:
            solve.require(requirement)

    def end(self) -> None:
        """Fetches nothing more; the result of a request that is running is dropped."""
        with self._lock:
            solve, self._solve = self._solve, None
            if solve is not None:
                solve.over = True
                self._new.notify_all()

    def get(self, key: Key, make: Callable[[], T]) -> T:
        """The result for a key: prefetched, from a thread that is fetching it, or made now."""
        solve = self._solve
        if solve is None:
            return make()
        with self._lock:
            job, own = solve.jobs.get(key), False
            if job is None:
                job, own = solve.jobs.setdefault(key, _Job()), True
        if own:
            try:
                job.result = make()
            except Exception as error:
                job.error = error
                raise
            except BaseException as error:
                # Without the traceback, which would keep unfinished files.
                job.error = type(error)()
                raise
            finally:
                job.done.set()
            solve.enqueue(0, ("learn", *key))
            if key[0] == "record" and not _is_prefetching(threading.current_thread().name):
                solve.record_miss(key[1], key[2])
            return job.result  # type: ignore[no-any-return]
        job.done.wait()
        if isinstance(job.error, PackageNotFoundError):
            raise job.error
        return make() if job.error is not None else job.result


class _Solve:
    """What is known and needed while one solve runs."""

    def __init__(
        self,
        prefetcher: Prefetcher,
        python: VersionConstraint,
        locked: Mapping[NormalizedName, Version],
        jobs: dict[Key, _Job],
    ) -> None:
        self.jobs = jobs
        self._most = len(jobs) + AT_MOST
        self.locked = locked
        self.is_ahead = self.over = False
        self._prefetcher, self._lock, self._new = prefetcher, prefetcher._lock, prefetcher._new
        self._python = python
        self._combined: dict[NormalizedName, _Combined] = {}
        self._queue: list[tuple[int, int, Key]] = []
        self._enqueued: set[Key] = set()
        self._missed: Counter[NormalizedName] = Counter()
        self._numbers = itertools.count()

    def is_ahead_of(
        self, python: VersionConstraint, locked: Mapping[NormalizedName, Version]
    ) -> bool:
        """Whether this was begun ahead of a solve for these Pythons and locked versions."""
        return self.is_ahead and python == self._python and locked == self.locked

    def enqueue(self, rank: int, key: Key) -> None:
        """Puts a page or record into the queue, once; lower ranks come first."""
        with self._lock:
            if self.over or key in self._enqueued or len(self._enqueued) > 4 * AT_MOST:
                return
            if key[0] == "record" and len(self.jobs) > self._most:
                return
            self._enqueued.add(key)
            heapq.heappush(self._queue, (rank, next(self._numbers), key))
            self._new.notify()

    def work(self) -> None:
        """The loop of each thread."""
        while True:
            with self._lock:
                while not (self._queue or self.over):
                    self._new.wait()
                if self.over:
                    return
                _, _, key = heapq.heappop(self._queue)
            # Poetry will request it again, and report what fails.
            with suppress(Exception), working():
                self._do(key)

    def _do(self, key: Key) -> None:
        match key:
            case "learn", "page", name:
                self._enqueue_versions(name)
            case "learn", "record", name, version:
                if (job := self.jobs[key[1:]]).result is not None:
                    self._read(name, job.result.get("requires_dist") or ())
            case "below", name, version:
                page: LinkSource = self.jobs["page", name].result
                lower = (
                    item
                    for item in page.versions(name)
                    if item < version and item.is_stable() and not page.yanked(name, item)
                )
                for item in heapq.nlargest(NEXT, lower):
                    self.enqueue(2, ("record", name, item))
            case _ if (known := self.jobs.get(key)) is not None:
                # An earlier solve has it; or Poetry was faster.
                if known.has_result:
                    self.enqueue(0, ("learn", *key))
            case "page", name:
                self._prefetcher.fetch_page(name)
            case "record", name, version:
                record = self._prefetcher.fetch_record(name, version)
                if key not in self.jobs:  # it came from a cache
                    self._read(name, record.get("requires_dist") or ())

    def record_miss(self, name: NormalizedName, version: Version) -> None:
        """Notes that Poetry requested a record itself; from the second on it goes to older ones."""
        self._missed[name] += 1
        if self._missed[name] > 1:
            self.enqueue(1, ("below", name, version))

    # -- what will be needed

    def require(self, requirement: Dependency) -> None:
        """Adds a requirement."""
        if requirement.is_direct_origin() or requirement.source_name:
            return
        name, constraint = requirement.name, requirement.constraint
        if not self._python.allows_any(requirement.python_constraint):
            return
        with self._lock:
            combined = self._combined.get(name)
            again: list[str] = []
            if combined is None:
                combined = self._combined[name] = _Combined(constraint, requirement.extras)
                is_new, is_narrower = True, False
            else:
                both = combined.constraint.intersect(constraint)
                # They may be for different environments.
                both = constraint if both.is_empty() else both
                is_new, is_narrower = False, both != combined.constraint
                combined.constraint = both
                if not requirement.extras <= combined.extras:
                    combined.extras |= requirement.extras
                    again = list(combined.lines)
        if is_new:
            self._enqueue_package(name, constraint)
        elif is_narrower:
            self._enqueue_versions(name)
        self._follow(name, again)

    def _enqueue_package(self, name: NormalizedName, constraint: VersionConstraint) -> None:
        locked = self.locked.get(name)
        if locked is not None and constraint.allows(locked):
            return  # its record is in the queue already, and its page is not needed
        self.enqueue(0, ("page", name))
        if name in DISTRIBUTIONS:
            # The requirements of TensorFlow are in the packaged data.
            known = [item for item in whole(name).releases if item.is_opened and not item.yanked]
            for release in reversed(known):
                if constraint.allows(_parsed(str(release.version))):
                    self._read(name, release.requires)
                    break

    def _enqueue_versions(self, name: NormalizedName) -> None:
        """Enqueues the versions that Poetry will try first."""
        job, combined = self.jobs.get(("page", name)), self._combined.get(name)
        if job is None or job.result is None or combined is None:
            return
        page: LinkSource = job.result
        versions = [item for item in page.versions(name) if combined.constraint.allows(item)]
        versions.sort(key=lambda item: (item.is_stable(), item), reverse=True)
        sound = (item for item in versions if not page.yanked(name, item))
        for number, version in enumerate(itertools.islice(sound, RUN)):
            if name in DISTRIBUTIONS and whole(name).standing(version.text) == "newer":
                break  # it is read from all its wheels, or refused
            self.enqueue(1 if number == 0 else 2, ("record", name, version))
            if self._is_admitted(page, name, version):
                break  # Poetry tries an older one only for reasons that the page does not show

    def _is_admitted(self, page: LinkSource, name: NormalizedName, version: Version) -> bool:
        """Whether the page admits a version for every Python of the project."""
        link = next(iter(page.links_for_version(name, version)), None)
        required = link.requires_python if link else None
        return required is None or _parse_python(required).allows_all(self._python)

    def _read(self, name: NormalizedName, lines: Iterable[str]) -> None:
        if name in DISTRIBUTIONS:
            # The distributions for other platforms are rarely needed.
            lines = [line for line in lines if _name_in(line) not in named("shim")]
        with self._lock:
            if (combined := self._combined.get(name)) is not None:
                combined.lines.extend(lines)
        self._follow(name, lines)

    def _follow(self, name: NormalizedName, lines: Iterable[str]) -> None:
        combined = self._combined.get(name)
        extras = combined.extras if combined else frozenset()
        for line in lines:
            marker = line.partition(";")[2]
            if "extra" in marker and not any(extra in marker for extra in extras):
                continue
            with suppress(Exception):  # Poetry skips a line that it cannot parse, and reports it
                requirement = Dependency.create_from_pep_508(line)
                if not requirement.in_extras or extras.intersection(requirement.in_extras):
                    self.require(requirement)


@functools.lru_cache(maxsize=1024)
def _parse_python(text: str) -> VersionConstraint:
    try:
        return parse_constraint(text)
    except ValueError:
        return parse_constraint("*")


@functools.lru_cache(maxsize=1024)
def _parsed(version: str) -> Version:
    return Version.parse(version)


def _name_in(line: str) -> str:
    return line.replace(";", " ").split()[0].lower().replace("_", "-")


def _is_prefetching(thread: str) -> bool:
    return thread.startswith(_THREAD_PREFIX)


def _mute() -> None:
    """Drops what the threads log, once a process: Poetry may never need what they request.

    Also by handlers that are added later, such as those of the command.
    """
    make = logging.getLogRecordFactory()
    if getattr(make, "mutes_prefetching", False):
        return

    def make_record(*arguments: Any, **more: Any) -> logging.LogRecord:
        record = make(*arguments, **more)
        if _is_prefetching(record.threadName or ""):
            record.levelno = -1  # below every handler's level
        return record

    make_record.mutes_prefetching = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(make_record)
