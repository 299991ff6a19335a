"""Which mirror to ask next: their order, the ones that are down, and what is reported of them.

A mirror can be down, which holds for the rest of the run; it can work and lack one thing; and it
can be busy, so that another try may succeed. No request is made here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from poetry.console.exceptions import PoetryRuntimeError

import poetry_tf
from poetry_tf.http.failures import Failure, Kind, format_failure
from poetry_tf.http.transfer import wait
from poetry_tf.text import escape_markup, shell_word

PAUSES = (0.5, 1.0, 2.0)
"""Seconds between further rounds, where every mirror failed and one of them may only be busy."""
LONGEST_PAUSE = 10.0
"""Seconds that a server can make us wait for it."""
PENALTY = 5.0
"""Seconds for which a mirror with too many requests is not asked, if it names no time itself."""
TOO_MANY_REQUESTS = 429
NO_METADATA = Failure("metadata-not-offered")
"""Most mirrors have none, so it is not reported."""

Scope = Literal["pages", "files", "large", "metadata"]
"""A kind of requests. A mirror that is down for one may still work for another."""
_SCOPES: tuple[Scope, ...] = get_args(Scope)

_ONCE: Mapping[Kind, str] = {
    "cut-off": "cut",
    "stalled": "cut",
    "corrupt": "corrupt",
    "slow": "slow",
    "too-long": "slow",
}
"""The kinds of failures that are reported once of a mirror, whichever file they are about."""


@dataclass(frozen=True)
class IndexRoot:
    """The root of a simple index, without a slash at its end, and the name that users know."""

    name: str
    url: str
    fate: str = ""
    """Mirrors with the same fate fail together; empty for one that does not depend on others."""
    final: bool = False
    """PyPI itself: what it lacks does not exist."""


@dataclass(frozen=True)
class MirrorRoute:
    """The chosen indexes in the order in which they are tried, and a line for the user."""

    roots: tuple[IndexRoot, ...]
    notice: str | None = None
    reconsider: Callable[[], None] = lambda: None
    """Called when the first index fails: a remembered choice has to be made again."""
    folders: tuple[str, ...] = ()
    """The folders that supply files, and could be the only mirror."""

    @property
    def url(self) -> str:
        """The address of the first index."""
        return self.roots[0].url


@dataclass
class IndexRequest:
    """One page or file that is requested, and the failures so far."""

    subject: str
    scopes: tuple[Scope, ...]
    """A mirror must work for all of these."""
    failures: list[tuple[IndexRoot, Failure]] = field(default_factory=list)
    unreported: tuple[IndexRoot, Failure] | None = None
    pauses: Iterator[float] = field(default_factory=lambda: iter(PAUSES))
    percent: Callable[[], int] = lambda: 0
    is_patient: bool = False
    """Whether a slow index has been accepted for it, because there is no faster one."""


class NotDownloadedError(PoetryRuntimeError):
    """No index could supply something; the message lists the failures."""

    def __init__(
        self,
        subject: str,
        failures: Sequence[tuple[IndexRoot, Failure]],
        folders: Sequence[str] = (),
    ) -> None:
        self.subject = subject = escape_markup(subject)
        lines = "\n".join(f"  - {escape_markup(line)}" for line in format_failures(failures))
        remedy = (
            "Start the proxy, or unset the variable that names it."
            if all(failure.kind == "proxy" for _, failure in failures)
            else "If your network works, choose another mirror: "
            "<c1>POETRY_TF_MIRROR=name poetry …</>"
        )
        alone = escape_markup(shell_word(",".join(folders)) or "FOLDER")
        if folders:
            remedy += (
                "\nTo use only what is saved in the folder, without an index: "
                f"<c1>POETRY_TF_MIRROR={alone} poetry …</c1>"
            )
        super().__init__(
            f"<error>Could not download {subject} from any mirror:</error>\n{lines}\n{remedy}"
        )

    def shortened(self) -> PoetryRuntimeError:
        """The same error for use after another one was shown in full."""
        return PoetryRuntimeError(f"<error>Could not download {self.subject} either.</error>")


class NoFittingFileError(PoetryRuntimeError):
    """A mirror has no file of a locked release for the environment, and PyPI does not answer."""

    def __init__(self, root: IndexRoot, title: str, python: str) -> None:
        self.root, self.title, self.python = root, title, python
        super().__init__(
            f"<error>{escape_markup(root.name)} has no file of {escape_markup(title)} for Python "
            f"{python} on this system, and PyPI does not answer.</error>\n"
            "If the mirror is a saved folder on a web server, run where there is a network:\n"
            f"  <c1>{poetry_tf.program} mirror save FOLDER --python {python}</c1>\n"
            "For another system add --environments."
        )


def format_failures(failures: Iterable[tuple[IndexRoot, Failure]]) -> list[str]:
    """Each failure once, a line each."""
    return list(
        dict.fromkeys(f"{root.name} {format_failure(failure)}" for root, failure in failures)
    )


def remaining_mirrors(roots: Sequence[IndexRoot], failed: Collection[IndexRoot]) -> list[IndexRoot]:
    """The indexes that are left, in the order in which they should be tried.

    As they are listed, but those that share the fate of a failed one after the others. PyPI, where
    it is listed last, stays last: it is the farthest from where mirrors are needed.
    """
    fates = {root.fate for root in failed if root.fate}
    last = roots[-1]

    def rank(root: IndexRoot) -> int:
        return 2 if root is last and root.final else int(root.fate in fates)

    return sorted((root for root in roots if root not in failed), key=rank)


class Failover:
    """The indexes of a route and what is known of their failures, shared by all requests."""

    def __init__(self, route: MirrorRoute, report: Callable[[str], None]) -> None:
        self.roots, self._folders = route.roots, route.folders
        self._on_first_failure, self._report = route.reconsider, report
        self._lock = threading.Lock()
        # Until when (of the monotonic clock) an index is down, and why.
        self._down: dict[tuple[IndexRoot, Scope], tuple[float, Failure]] = {}
        self._reported: set[tuple[str, str]] = set()
        self._accepted: set[tuple[IndexRoot, Scope]] = set()
        """The slow indexes that are used, because there is no faster one."""
        self._gave_up = False

    # -- the order --------------------------------------------------------------------------

    def next_root(self, request: IndexRequest, first: IndexRoot | None = None) -> IndexRoot | None:
        """The index to ask next, `first` as long as it works; None where none is left."""
        remaining = self._remaining(request)
        return first if first in remaining else next(iter(remaining), None)

    def is_last(self, request: IndexRequest, root: IndexRoot) -> bool:
        """Whether there is no other index for a request, or no faster one."""
        return (
            root not in self.roots
            or (root, request.scopes[0]) in self._accepted
            or not (set(self._remaining(request)) - {root} or self._slow(request, root))
        )

    def _slow(self, request: IndexRequest, root: IndexRoot) -> bool:
        """Whether another index is slow, which may yet be the fastest."""
        return not request.is_patient and any(
            failure.is_slow for other, failure in self._failures(request) if other != root
        )

    def _failures(self, request: IndexRequest) -> list[tuple[IndexRoot, Failure]]:
        known = [(root, self.failure_of(root, request.scopes)) for root in self.roots]
        return request.failures + [(root, item) for root, item in known if item is not None]

    def failure_of(self, root: IndexRoot, scopes: Sequence[Scope]) -> Failure | None:
        """Why an index is down for requests of these kinds; None if it is not."""
        for scope in scopes:
            until, failure = self._down.get((root, scope), (0.0, None))
            if until > time.monotonic():
                return failure
        return None

    def _remaining(self, request: IndexRequest) -> list[IndexRoot]:
        down = {root for root in self.roots if self.failure_of(root, request.scopes) is not None}
        return remaining_mirrors(self.roots, down | {root for root, _ in request.failures})

    # -- failures ---------------------------------------------------------------------------

    def record(self, request: IndexRequest, root: IndexRoot, failure: Failure) -> None:
        """Keeps a failure; the index is down unless it only lacks something.

        One that lists another hash than is known is judged by what the next ones list: `settle`.
        """
        request.failures.append((root, failure))
        if failure.is_missing or failure.kind == "wrong-hash":
            return
        is_penalty = failure.status == TOO_MANY_REQUESTS
        seconds = max(failure.retry_after, PENALTY) if is_penalty else float("inf")
        # A mirror that blocks large files may still send others.
        scope = request.scopes[-1 if failure.kind == "status" else 0]
        self._down[root, scope] = (time.monotonic() + seconds, failure)
        request.unreported = (root, failure)
        if root in self.roots[:1]:
            self._on_first_failure()

    def settle(self, request: IndexRequest, root: IndexRoot, failure: Failure | None) -> None:
        """Judges the indexes that list other hashes than are known, by the page of this one.

        It lists the known ones, unless it is PyPI itself and `failure` says what it lists instead:
        its files never change, so what was known is wrong, and so are only those that list
        something else.
        """
        right = {(one.file, one.listed) for one in failure.wrong} if failure else set()
        for other, found in request.failures:
            if any((one.file, one.listed) not in right for one in found.wrong):
                for scope in _SCOPES:
                    self._down[other, scope] = (float("inf"), found)
                if other in self.roots[:1]:
                    self._on_first_failure()
                self.report(other, found, f": using {root.name}", once="wrong-hash")
        if failure is not None:
            origin = failure.wrong[0].origin
            self.report(root, failure, f": files on PyPI never change, so {origin} is wrong")

    def is_faulty(self, root: IndexRoot) -> bool:
        """Whether an index was found to list wrong hashes."""
        known = self.failure_of(root, ("pages",))
        return known is not None and known.kind == "wrong-hash"

    def pause(self, request: IndexRequest) -> None:
        """Waits before another round over the indexes; where they are slow, accepts the fastest.

        Raises:
            NotDownloadedError: another round would not help.
        """
        failures = self._failures(request)
        if self._accept_slow(request, failures):
            return
        busy = [failure for _, failure in failures if failure.is_busy]
        pause = next(request.pauses, None)
        if not busy or pause is None or self._gave_up:
            self._gave_up = True
            raise NotDownloadedError(request.subject, failures, self._folders)
        wait(min(max(pause, *(failure.retry_after for failure in busy)), LONGEST_PAUSE))
        with self._lock:
            for key, (_, failure) in list(self._down.items()):
                if failure.is_busy and key[1] in request.scopes:
                    del self._down[key]
        request.failures = [(root, failure) for root, failure in failures if not failure.is_busy]

    def _accept_slow(
        self, request: IndexRequest, failures: Sequence[tuple[IndexRoot, Failure]]
    ) -> bool:
        slow = {root: failure.speed for root, failure in failures if failure.is_slow}
        if request.is_patient or not slow:
            return False
        scope = request.scopes[0]
        with self._lock:
            known = [root for root in slow if (root, scope) in self._accepted]
            best = known[0] if known else max(slow, key=lambda root: slow[root])
            self._accepted.add((best, scope))
            self._down.pop((best, scope), None)
        request.is_patient = True
        request.failures = [(root, failure) for root, failure in failures if root != best]
        return True

    # -- reports ----------------------------------------------------------------------------

    def report_switch(self, request: IndexRequest, root: IndexRoot) -> None:
        """Reports why this index is used instead of the last one."""
        if request.unreported is not None:
            percent = request.percent()
            at = f"resuming from {root.name} at {percent} %" if percent else f"using {root.name}"
            failed, failure = request.unreported
            self.report(failed, failure, f": {at}", once=_ONCE.get(failure.kind))
            request.unreported = None

    def report_waiting(self, root: IndexRoot, speed: float) -> None:
        """Reports that an index is slow and is waited for, unless that was reported before."""
        failure = Failure("slow", speed=speed)
        consequence = ": waiting, because no faster mirror is left"
        self.report(root, failure, consequence, once=_ONCE["slow"])

    def report_missing(
        self, failures: Iterable[tuple[IndexRoot, Failure]], root: IndexRoot
    ) -> None:
        """Reports the indexes that lacked what this one had."""
        for other, failure in failures:
            if failure.is_missing and failure != NO_METADATA:
                self.report(other, failure, f": using {root.name}", once="lacks")

    def report(
        self, root: IndexRoot, failure: Failure, consequence: str, once: str | None = None
    ) -> None:
        """Reports a failure, once for each text, or for each `once`, and index."""
        text = format_failure(failure)
        with self._lock:
            key = (root.url, once or text)
            if key not in self._reported:
                self._reported.add(key)
                self._report(f"{root.name} {text}{consequence}")
