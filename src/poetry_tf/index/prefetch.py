"""Pages and metadata, fetched before Poetry asks for them.

Poetry's solver asks one question at a time and waits for each answer. What it will ask for next can
mostly be told: the page of each requirement, and the metadata of the newest version that a page has
for it. While a solve runs, a few threads fetch that, and Poetry finds it there when it asks.

Nothing here decides anything. What was fetched ahead is the very answer that Poetry would have got
a little later; what couldn't be fetched, Poetry asks for itself and tells of the failure; and what
was fetched in vain is forgotten, so that no cache holds what no solve asked for.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from packaging.utils import NormalizedName
from poetry.core.constraints.version import VersionConstraint, parse_constraint
from poetry.core.packages.dependency import Dependency
from poetry.repositories.exceptions import PackageNotFoundError

from poetry_tf.releases import DISTRIBUTIONS, named, whole

if TYPE_CHECKING:
    from poetry.core.constraints.version import Version
    from poetry.core.packages.package import Package
    from poetry.repositories.link_sources.base import LinkSource

THREADS = 7
"""With Poetry's own that makes 8 connections, which is as many as one host may have to bear."""
AT_MOST = 1500
"""Questions that a solve is spared."""
NEXT = 4
"""Versions that are fetched below those that Poetry is going down through unforeseen."""
RUN = 48
"""Versions of one package, from the newest on, that are fetched because none of them will do."""

_NAME = "poetry-tf-ahead"

T = TypeVar("T")
Key = tuple[Any, ...]


class Index(Protocol):
    """What is asked; both ask by way of `Ahead.take`."""

    def prefetch_page(self, name: NormalizedName) -> LinkSource:
        """The page of a package."""

    def prefetch_record(self, name: NormalizedName, version: Version) -> dict[str, Any]:
        """The record of a release."""


@dataclass
class _Job:
    """One question: who has taken it answers it, whoever else has it waits for the answer."""

    answered: threading.Event = field(default_factory=threading.Event)
    answer: Any = None
    error: BaseException | None = None


@dataclass
class _Wish:
    """What the requirements that were met so far want of a package."""

    constraint: VersionConstraint
    extras: frozenset[str]
    lines: list[str] = field(default_factory=list)
    """The requirements of the versions that were looked at, followed anew for a new extra."""


class Prefetcher:
    """What is fetched ahead of one index; nothing outside of `begin` and `end`."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._lock = threading.RLock()
        self._new = threading.Condition(self._lock)
        self._solve: _Solve | None = None

    def begin(
        self,
        python: VersionConstraint,
        requirements: Iterable[Dependency],
        locked: Iterable[Package] = (),
    ) -> None:
        """Starts to fetch what a project with these requirements needs.

        `locked` are the packages whose versions stay as the lock has them if they may.
        """
        self.end()
        _mute()
        solve = self._solve = _Solve(self, python, {item.name: item for item in locked})
        for package in solve.locked.values():
            solve.ask(1, ("record", package.name, package.version))
        for requirement in requirements:
            solve.want(requirement)
        for number in range(THREADS):
            threading.Thread(target=solve.work, name=f"{_NAME}-{number}", daemon=True).start()

    def end(self) -> None:
        """Fetches nothing further; a request that is under way comes to its end unheard."""
        with self._lock:
            solve, self._solve = self._solve, None
            if solve is not None:
                solve.over = True
                self._new.notify_all()

    def take(self, key: Key, make: Callable[[], T]) -> T:
        """The answer to a question, made now unless it is there already or about to be."""
        solve = self._solve
        if solve is None:
            return make()
        with self._lock:
            job, own = solve.jobs.get(key), False
            if job is None:
                job, own = solve.jobs.setdefault(key, _Job()), True
        if own:
            try:
                job.answer = make()
            except BaseException as error:
                job.error = error
                raise
            finally:
                job.answered.set()
            solve.ask(0, ("learn", *key))
            if key[0] == "record" and not _is_ahead(threading.current_thread().name):
                solve.was_missed(key[1], key[2])
            return job.answer  # type: ignore[no-any-return]
        job.answered.wait()
        if isinstance(job.error, PackageNotFoundError):
            raise job.error
        return make() if job.error is not None else job.answer


class _Solve:
    """What is known and wanted while one solve runs."""

    def __init__(
        self, ahead: Prefetcher, python: VersionConstraint, locked: dict[NormalizedName, Package]
    ) -> None:
        self.jobs: dict[Key, _Job] = {}
        self.locked = locked
        self.over = False
        self._index, self._lock, self._new = ahead._index, ahead._lock, ahead._new
        self._python = python
        self._wishes: dict[NormalizedName, _Wish] = {}
        self._queue: list[tuple[int, int, Key]] = []
        self._asked: set[Key] = set()
        self._missed: Counter[NormalizedName] = Counter()
        self._numbers = itertools.count()

    def ask(self, rank: int, key: Key) -> None:
        """Puts a question into the queue, once; lower ranks come first."""
        with self._lock:
            if self.over or key in self._asked or len(self._asked) > 4 * AT_MOST:
                return
            if key[0] == "record" and len(self.jobs) > AT_MOST:
                return
            self._asked.add(key)
            heapq.heappush(self._queue, (rank, next(self._numbers), key))
            self._new.notify()

    def work(self) -> None:
        """What each of the threads does."""
        while True:
            with self._lock:
                while not (self._queue or self.over):
                    self._new.wait()
                if self.over:
                    return
                _, _, key = heapq.heappop(self._queue)
            # Whatever goes wrong: Poetry will ask again, and say what is wrong.
            with suppress(Exception):
                self._do(key)

    def _do(self, key: Key) -> None:
        match key:
            case "learn", "page", name:
                self._choose(name)
            case "learn", "record", name, version:
                if (job := self.jobs[key[1:]]).answer is not None:
                    self._read(name, job.answer.get("requires_dist") or ())
            case "below", name, version:
                page: LinkSource = self.jobs["page", name].answer
                lower = (
                    item
                    for item in page.versions(name)
                    if item < version and item.is_stable() and not page.yanked(name, item)
                )
                for item in heapq.nlargest(NEXT, lower):
                    self.ask(2, ("record", name, item))
            case _ if key in self.jobs:
                pass  # Poetry was faster
            case "page", name:
                self._index.prefetch_page(name)
            case "record", name, version:
                record = self._index.prefetch_record(name, version)
                if key not in self.jobs:  # it came out of a cache
                    self._read(name, record.get("requires_dist") or ())

    def was_missed(self, name: NormalizedName, version: Version) -> None:
        """Poetry had to ask for a record itself: where it does so again, it goes on downwards."""
        self._missed[name] += 1
        if self._missed[name] > 1:
            self.ask(1, ("below", name, version))

    # -- what will be asked for

    def want(self, requirement: Dependency) -> None:
        """A requirement was met with."""
        if requirement.is_direct_origin() or requirement.source_name:
            return
        name, constraint = requirement.name, requirement.constraint
        if not self._python.allows_any(requirement.python_constraint):
            return
        with self._lock:
            wish = self._wishes.get(name)
            grown: list[str] = []
            if wish is None:
                wish = self._wishes[name] = _Wish(constraint, requirement.extras)
                is_new, is_narrower = True, False
            else:
                both = wish.constraint.intersect(constraint)
                # They may be meant for different environments.
                both = constraint if both.is_empty() else both
                is_new, is_narrower = False, both != wish.constraint
                wish.constraint = both
                if not requirement.extras <= wish.extras:
                    wish.extras |= requirement.extras
                    grown = list(wish.lines)
        if is_new:
            self._meet(name, constraint)
        elif is_narrower:
            self._choose(name)
        self._follow(name, grown)

    def _meet(self, name: NormalizedName, constraint: VersionConstraint) -> None:
        locked = self.locked.get(name)
        if locked is not None and constraint.allows(locked.version):
            return  # asked for already; its page isn't needed
        self.ask(0, ("page", name))
        if name in DISTRIBUTIONS:
            # What TensorFlow will require needs no question.
            known = [item for item in whole(name).releases if item.is_opened and not item.yanked]
            for release in reversed(known):
                if constraint.allows(_parsed(str(release.version))):
                    self._read(name, release.requires)
                    break

    def _choose(self, name: NormalizedName) -> None:
        """Asks for the versions that Poetry will try first."""
        job, wish = self.jobs.get(("page", name)), self._wishes.get(name)
        if job is None or job.answer is None or wish is None:
            return
        page: LinkSource = job.answer
        versions = [item for item in page.versions(name) if wish.constraint.allows(item)]
        versions.sort(key=lambda item: (item.is_stable(), item), reverse=True)
        sound = (item for item in versions if not page.yanked(name, item))
        for number, version in enumerate(itertools.islice(sound, RUN)):
            self.ask(1 if number == 0 else 2, ("record", name, version))
            if self._is_admitted(page, name, version):
                break  # Poetry goes on to an older one only for what isn't to be seen here

    def _is_admitted(self, page: LinkSource, name: NormalizedName, version: Version) -> bool:
        """Whether the page knows nothing against a version in any Python of the project's."""
        link = next(iter(page.links_for_version(name, version)), None)
        said = link.requires_python if link else None
        return said is None or _pythons(said).allows_all(self._python)

    def _read(self, name: NormalizedName, lines: Iterable[str]) -> None:
        if name in DISTRIBUTIONS:
            # The distributions of other platforms are another matter, and seldom wanted.
            lines = [line for line in lines if _first_word(line) not in named("shim")]
        with self._lock:
            if (wish := self._wishes.get(name)) is not None:
                wish.lines.extend(lines)
        self._follow(name, lines)

    def _follow(self, name: NormalizedName, lines: Iterable[str]) -> None:
        wish = self._wishes.get(name)
        extras = wish.extras if wish else frozenset()
        for line in lines:
            marker = line.partition(";")[2]
            if "extra" in marker and not any(extra in marker for extra in extras):
                continue
            with suppress(Exception):  # Poetry passes over a line that it can't read, and says so
                requirement = Dependency.create_from_pep_508(line)
                if not requirement.in_extras or extras.intersection(requirement.in_extras):
                    self.want(requirement)


@functools.lru_cache(maxsize=1024)
def _pythons(said: str) -> VersionConstraint:
    try:
        return parse_constraint(said)
    except ValueError:
        return parse_constraint("*")


@functools.lru_cache(maxsize=1024)
def _parsed(version: str) -> Version:
    from poetry.core.constraints.version import Version

    return Version.parse(version)


def _first_word(line: str) -> str:
    return line.replace(";", " ").split()[0].lower().replace("_", "-")


class _Elsewhere(logging.Filter):
    """Lets nothing through that the threads log: they may be asking in vain."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not _is_ahead(record.threadName or "")


def _is_ahead(thread: str) -> bool:
    return thread.startswith(_NAME)


_elsewhere = _Elsewhere()


def _mute() -> None:
    loggers = [
        logging.getLogger(),
        *map(logging.getLogger, tuple(logging.Logger.manager.loggerDict)),
    ]
    handlers = [handler for logger in loggers for handler in logger.handlers]
    for handler in (*handlers, logging.lastResort):
        if handler is not None:
            handler.addFilter(_elsewhere)
