"""Getting pages and files by the first way that has them, and by the next where that fails.

A `Courier` is the session of the repository that stands for PyPI, in the place of Poetry's own, so
that whatever Poetry asks there goes by it: pages, metadata, parts of wheels and whole files. What
it learns of a way holds for the run: one that is down isn't asked for every package again.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import requests
from poetry.console.exceptions import PoetryRuntimeError
from poetry.utils.authenticator import Authenticator, RepositoryCertificateConfig
from poetry.utils.constants import REQUESTS_TIMEOUT, STATUS_FORCELIST
from poetry.utils.password_manager import HTTPAuthCredential
from requests.utils import get_netrc_auth

from poetry_tf.http.client import Login, Session
from poetry_tf.http.failures import Failure, failure_of_error, format_failure
from poetry_tf.index.credentials import PYPI, Grant, Logins, grant_for, mirror_certificates
from poetry_tf.index.download import Download, is_one_of
from poetry_tf.index.failover import (
    NO_PAGE,
    ExpectedFiles,
    IndexRoot,
    ListedFile,
    failure_of_page,
    failure_of_status,
    filename_of,
    form_of,
    format_failures,
    package_of,
    remaining_mirrors,
)
from poetry_tf.index.json_pages import JSON_TYPE, files_of
from poetry_tf.index.mirrors import TF_MIRROR

if TYPE_CHECKING:
    from collections.abc import Collection

# Seconds until a way that is silent is left for the next one. An address that has two numbers is
# tried at both, so that the first of these may count twice.
CONNECT, READ = 2.4, 4.7
PAUSES = (0.5, 1.0, 2.0)
"""Seconds between further tries where no way is left and one of them may only be busy."""
LONGEST_PAUSE = 10.0
"""Seconds that a server can make us wait for it."""
RESTS = 5.0
"""Seconds for which a way that has too many requests is left alone, if it doesn't say."""
AT_ONCE = 8
"""Connections to one host at a time."""
LARGE = 100_000_000
"""Bytes from which files are taken one at a time and resumed: mirrors block who takes many."""
CUTS = 5
"""How often one way may cut a large file off while it still gets on with it."""
_READ_AT_ONCE = 8_000_000  # bytes; a longer answer is handed on as a stream

NO_METADATA = Failure("metadata-not-offered")
"""As most mirrors; nobody needs to be told."""
_ONCE: Mapping[str, str] = {"cut-off": "cut", "stalled": "cut", "corrupt": "corrupt"}
"""What is reported once of a mirror whichever file it is about, by the kinds of failures."""
TOO_MANY = 429
PREFER_JSON = {"Accept": f"{JSON_TYPE}, */*;q=0.1"}


Turn = TypeVar("Turn", threading.Semaphore, threading.Lock)


class NotDownloadedError(PoetryRuntimeError):
    """Something that no way to PyPI gave; the message lists what was tried."""

    def __init__(self, what: str, tried: Sequence[tuple[IndexRoot, Failure]]) -> None:
        self.what = what
        ways = "\n".join(f"  - {line}" for line in format_failures(tried))
        super().__init__(
            f"<error>{what} was not to be had by any way to PyPI:</error>\n{ways}\n"
            "If the network is in order, name a mirror that answers: "
            "<c1>POETRY_TF_MIRROR=name poetry …</>"
        )

    def shortened(self) -> PoetryRuntimeError:
        """The same for where another one has been told already."""
        return PoetryRuntimeError(f"<error>{self.what} was not to be had either.</error>")


class _Once(Exception):
    """Carries an answer or an error past `Authenticator.request`, which would try again and wait.

    It retries on an `OSError` and on certain statuses, five times, and has no setting for that.
    """

    def __init__(self, response: requests.Response | None, error: Exception | None = None) -> None:
        super().__init__()
        self.response, self.error = response, error


@dataclass
class _Request:
    """One thing that is wanted, and what came of asking for it so far."""

    what: str
    kinds: tuple[str, ...]
    """What of a way has to be in order for it: "pages", "files", "large", "metadata"."""
    failed: list[tuple[IndexRoot, Failure]] = field(default_factory=list)
    untold: tuple[IndexRoot, Failure] | None = None
    pauses: Iterator[float] = field(default_factory=lambda: iter(PAUSES))
    percent: Callable[[], int] = lambda: 0

    @property
    def tried(self) -> set[IndexRoot]:
        return {way for way, _ in self.failed}


class MirrorSession(Authenticator):
    """Poetry's session, by several ways."""

    def __init__(self, tell: Callable[[str], None], config: Any, **more: Any) -> None:
        super().__init__(config, **more)
        self.tell = tell
        self._told: set[tuple[str, str]] = set()
        self._ways: tuple[IndexRoot, ...] = ()
        self._wants = ExpectedFiles()
        # Until when a way is out for a kind of request, and why.
        self._out: dict[tuple[IndexRoot, str], tuple[float, Failure]] = {}
        self._pages: dict[
            tuple[IndexRoot, str], tuple[requests.Response | None, Failure | None]
        ] = {}
        self._taken: dict[str, tuple[IndexRoot | None, requests.Response | None]] = {}
        self._lists: dict[tuple[IndexRoot, str], Mapping[str, ListedFile]] = {}
        self._state = threading.RLock()
        self._slots: dict[str, threading.Semaphore] = defaultdict(
            lambda: threading.BoundedSemaphore(AT_ONCE)
        )
        self._one_large: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._gave_up = False
        self._grants: tuple[Grant, ...] = ()
        self._mirrors_login_of = Logins(())
        self._certificates: dict[Grant, RepositoryCertificateConfig] = {}

    def go_by(
        self,
        ways: Sequence[IndexRoot],
        grants: Sequence[Grant],
        wants: ExpectedFiles,
        first_failed: Callable[[], None] = lambda: None,
    ) -> None:
        """Settles the ways, and what may go to each, before the first request."""
        self._ways, self._wants = tuple(ways), wants
        self._first_failed = first_failed
        given = {grant.url: grant for grant in grants}
        self._grants = tuple(
            # What Poetry itself sends to PyPI.
            Grant(way.url, repository=PYPI) if way.final else given.get(way.url, Grant(way.url))
            for way in ways
        )
        self._mirrors_login_of = Logins(self._grants)
        pypis = RepositoryCertificateConfig.create(PYPI, self._config)
        self._certificates = {
            grant: pypis if grant.repository == PYPI else mirror_certificates(grant, pypis)
            for grant in self._grants
        }
        # A project's poetry.toml may give these names to hosts of its own.
        for name in [*self.configured_repositories]:
            if name.lower().replace("_", "-") in {PYPI.lower(), TF_MIRROR}:
                del self.configured_repositories[name]
        for way in ways:
            if way.final:
                self.add_repository(PYPI, way.url)

    # -- what goes along ----------------------------------------------------------------------

    def create_session(self) -> requests.Session:
        plain = super().create_session()
        session = _Session(self._login_of, self.get_certs_for_url)
        session.headers, session.adapters = plain.headers, plain.adapters
        return session

    def get_credentials_for_url(self, url: str) -> HTTPAuthCredential:
        login = self._login_of(url)
        return HTTPAuthCredential() if login is None else HTTPAuthCredential(*login)

    def _login_of(self, url: str) -> Login | None:
        grant = grant_for(url, self._grants)
        if grant is None or grant.repository != PYPI:
            return self._mirrors_login_of(url)
        found = super().get_credentials_for_url(url)
        if found.username is None and found.password is None:
            return get_netrc_auth(url)
        return found.username or "", found.password or ""

    def get_certs_for_url(self, url: str) -> RepositoryCertificateConfig:
        grant = grant_for(url, self._grants)
        return super().get_certs_for_url(url) if grant is None else self._certificates[grant]

    # -- pages ------------------------------------------------------------------------------

    def page(self, name: str, headers: Mapping[str, str]) -> requests.Response | None:
        """The index page of a package; None where there is none by any way.

        Raises `Unreachable`.
        """
        with suppress(KeyError):
            return self._taken[name][1]
        way, response = self._find_page(name, headers)
        self._taken[name] = (way, response)
        return response

    def _find_page(
        self, name: str, headers: Mapping[str, str]
    ) -> tuple[IndexRoot | None, requests.Response | None]:
        errand = _Request(f"the index page of {name}", ("pages",))
        while True:
            while (way := self._next(errand)) is not None:
                self._goes_on(errand, way)
                response, fault = self._page_by(way, name, headers, errand)
                if fault is None:
                    self._had(errand.failed, way)
                    return way, response
                self._failed(errand, way, fault)
                if fault.is_missing and way.final:
                    break
            lacking = [(way, fault) for way, fault in errand.failed if fault.is_missing]
            if lacking:
                return self._best(name, lacking)
            self._pause(errand)

    def _best(
        self, name: str, lacking: list[tuple[IndexRoot, Failure]]
    ) -> tuple[IndexRoot | None, requests.Response | None]:
        """The most that is to be had where every way that answers lacks something."""
        best, fault = min(lacking, key=lambda pair: pair[1].lacking)
        self._had([pair for pair in lacking if pair[1].lacking > fault.lacking], best)
        if len(lacking) < len(self._ways) and not any(way.final for way, _ in lacking):
            self._say(best, fault, ", and no other way answers")
        return best, self._pages[best, name][0]

    def _page_by(
        self, way: IndexRoot, name: str, headers: Mapping[str, str], errand: _Request
    ) -> tuple[requests.Response | None, Failure | None]:
        """The page as one way has it. What came of it is kept, if the way answered at all."""
        with suppress(KeyError):
            return self._pages[way, name]
        url, last = f"{way.url}/{name}/", self._is_last(errand, way)
        response, fault = self._fetch("get", url, way, errand.kinds, last=last, headers=headers)
        if response is None:
            return None, fault
        kind = response.headers.get("Content-Type", "")
        retry_after = response.headers.get("Retry-After")
        fault = failure_of_page(
            response.status_code, kind, response.content, name, retry_after=retry_after
        )
        if fault is None:
            fault = self._wants.failure_of_list(name, response.content)
        if fault is not None and not fault.is_missing:
            return None, fault
        there = response if fault is None or fault.lacking < NO_PAGE else None
        if there is not None and (form := form_of(there.content)) is not None:
            # Poetry goes by the type alone.
            there.headers["Content-Type"] = {"json": JSON_TYPE, "html": "text/html"}[form]
        self._pages[way, name] = (there, fault)
        return there, fault

    # -- files ------------------------------------------------------------------------------

    def request(
        self, method: str, url: str, raise_for_status: bool = True, **more: Any
    ) -> requests.Response:
        """What Poetry asks of a file: parts of it, or how long it is. Raises `Unreachable`."""
        more.pop("timeout", None)
        filename = filename_of(url)
        errand = _Request(filename, ("files",))
        while True:
            for way, address in self._places(url, errand):
                last = self._is_last(errand, way)
                response, fault = self._fetch(method, address, way, errand.kinds, last=last, **more)
                if response is not None:
                    retry_after = response.headers.get("Retry-After")
                    fault = failure_of_status(
                        response.status_code, filename, retry_after=retry_after
                    )
                    if fault is not None and not fault.is_missing:
                        fault = replace(fault, name="files")
                if fault is None and response is not None:
                    self._had(errand.failed, way)
                    if raise_for_status:
                        response.raise_for_status()
                    return response
                self._failed(errand, way, fault or Failure("unreachable"))
            self._pause(errand)

    def metadata(self, url: str, hashes: Mapping[str, str]) -> bytes | None:
        """What stands beside a wheel (PEP 658); None where no way has it, though one lists it."""
        errand = _Request(f"the metadata of {filename_of(url)}", ("metadata",))
        for way, address in self._places(url, errand):
            response, fault = self._fetch("get", address, way, errand.kinds, last=False)
            if response is not None:
                fault = failure_of_status(response.status_code, "")
                if fault is not None and fault.is_missing:
                    fault = Failure("metadata-missing")
                elif fault is None and not is_one_of(response.content, hashes):
                    fault = Failure("metadata-corrupt")
            if fault is None and response is not None and response.status_code == 200:
                self._had(errand.failed, way)
                return response.content
            self._failed(errand, way, fault or Failure("metadata-not-sent"))
        if errand.untold is not None:
            self._say(*errand.untold, ": reading the wheels instead")
        return None

    def download(
        self,
        url: str,
        dest: Path,
        hashes: Collection[str] | None = None,
        *,
        progress: Callable[[int, int], None] = lambda *_: None,
        unless_ranges: type[Exception] | None = None,
    ) -> None:
        """A whole file, of one of these hashes ("sha256:…") or else of the one that is listed.

        Of `progress` it is told how far it is. `unless_ranges` is raised where the server could
        send parts. Raises `Unreachable`.
        """
        filename = filename_of(url)
        listed_as = self._as_listed(url)
        if hashes is None:
            hashes = [
                f"{name}:{value}" for name, value in (listed_as.hashes if listed_as else {}).items()
            ]
        size = listed_as.size if listed_as else 0
        with _beside(dest) as part, part.open("w+b") as out:
            taking = Download(out, filename, hashes, size, progress)
            kinds = ("files", "large") if size >= LARGE else ("files",)
            errand = _Request(filename, kinds, percent=lambda: taking.percent)
            while not self._is_had(url, errand, taking, unless_ranges):
                self._pause(errand)
            out.close()
            part.replace(dest)

    def _is_had(
        self, url: str, errand: _Request, taking: Download, unless_ranges: type[Exception] | None
    ) -> bool:
        for way, address in self._places(url, errand):
            fault = self._take(taking, way, address, errand, unless_ranges)
            if fault is None:
                self._had(errand.failed, way)
                return True
            self._failed(errand, way, fault)
        return False

    def _take(
        self,
        taking: Download,
        way: IndexRoot,
        address: str,
        errand: _Request,
        unless_ranges: type[Exception] | None,
    ) -> Failure | None:
        """A file, or the rest of it, by one way, which may cut a large one off now and then."""
        for _ in range(CUTS + 2):
            before, kinds = taking.position, errand.kinds
            fault = self._take_once(taking, way, address, errand, unless_ranges)
            if errand.kinds != kinds:
                continue
            if fault is None and (taking.is_right() or not taking.is_mixed):
                break
            if fault is None:
                taking.restart()  # which of the ways has sent something else nobody knows
            elif not (taking.is_resumable and taking.total >= LARGE) or taking.position <= before:
                break
            else:
                on = f": going on from {taking.percent} %"
                self._say(way, fault, on, once="cut, and going on")
        if fault is None and not taking.is_right():
            fault = Failure("corrupt", name=taking.name)
            taking.restart()
        elif fault is not None and taking.total < LARGE:
            taking.restart()
        return fault

    def _take_once(
        self,
        taking: Download,
        way: IndexRoot,
        address: str,
        errand: _Request,
        unless_ranges: type[Exception] | None,
    ) -> Failure | None:
        with ExitStack() as held:
            if "large" in errand.kinds:
                held.enter_context(self._turn(self._one_large, address))
            held.enter_context(self._turn(self._slots, address))
            headers = {"Accept-Encoding": "identity", "Cache-Control": "no-store"}
            if taking.position:
                headers["Range"] = f"bytes={taking.position}-"
            last = self._is_last(errand, way)
            response, fault = self._ask(
                "get", address, way, errand.kinds, last=last, headers=headers, stream=True
            )
            if response is None:
                return fault
            held.callback(response.close)
            if response.status_code == 416:
                taking.restart()
                return Failure("no-resume", name=taking.name)
            retry_after = response.headers.get("Retry-After")
            fault = failure_of_status(response.status_code, taking.name, retry_after=retry_after)
            if fault is not None and not fault.is_missing:
                what = "large files here" if "large" in errand.kinds else "files"
                return replace(fault, name=what)
            if fault is not None or not response.ok:
                return fault or Failure("status", response.status_code)
            if unless_ranges and response.headers.get("Accept-Ranges") == "bytes":
                raise unless_ranges
            taking.begin(response, way.url)
            if taking.total >= LARGE and "large" not in errand.kinds:
                # Pages in HTML don't say how large a file is. It is asked for once more, in its
                # turn: who waits for that must hold no connection that the others need.
                errand.kinds = (*errand.kinds, "large")
                return None
            try:
                taking.copy(response)
            except requests.RequestException as error:
                if failure_of_error(error, READ).kind == "timeout":
                    return Failure("stalled", seconds=READ)
                return Failure("cut-off", name=taking.name)
            return None if taking.is_whole else Failure("cut-off", name=taking.name)

    # -- ways -------------------------------------------------------------------------------

    def _places(self, url: str, errand: _Request) -> Iterator[tuple[IndexRoot, str]]:
        """Where a file is to be had, one way after another: the same file, by name and hash."""
        filename = filename_of(url)
        name = package_of(filename)
        origin, _ = self._taken.get(name, (None, None))
        if origin is None:
            yield IndexRoot(urlsplit(url).hostname or "the server", url), url
            return
        wanted = self._as_listed(url)
        while (way := self._next(errand, first=origin)) is not None:
            only_metadata = "metadata" in errand.kinds
            if only_metadata and way.final and way != origin:
                # The wheels of the way that lists it are nearer.
                errand.failed.append((way, NO_METADATA))
                continue
            there = wanted if way == origin else self._file_by(way, name, filename)
            if way == origin:
                address = url
            elif there is None:
                errand.failed.append((way, Failure("missing", name=filename)))
                continue
            elif wanted is not None and not wanted.is_same_as(there):
                errand.failed.append((way, Failure("different", name=filename)))
                continue
            elif only_metadata and not there.metadata:
                errand.failed.append((way, NO_METADATA))
                continue
            else:
                address = there.url + (".metadata" if only_metadata else "")
            self._goes_on(errand, way)
            yield way, address

    def _as_listed(self, url: str) -> ListedFile | None:
        """A file as the page lists it that it was taken from."""
        filename = filename_of(url)
        name = package_of(filename)
        way, _ = self._taken.get(name, (None, None))
        return self._list(way, name).get(filename) if way is not None else None

    def _file_by(self, way: IndexRoot, name: str, filename: str) -> ListedFile | None:
        if (way, name) not in self._pages:
            if self._fault_of(way, ("pages",)) is not None:
                return None
            errand = _Request(f"the index page of {name}", ("pages",))
            _, fault = self._page_by(way, name, PREFER_JSON, errand)
            if fault is not None and not fault.is_missing:
                self._failed(errand, way, fault)
        return self._list(way, name).get(filename)

    def _list(self, way: IndexRoot, name: str) -> Mapping[str, ListedFile]:
        if (way, name) not in self._lists:
            page, _ = self._pages.get((way, name), (None, None))
            self._lists[way, name] = {} if page is None else files_of(page)
        return self._lists[way, name]

    def _next(self, errand: _Request, first: IndexRoot | None = None) -> IndexRoot | None:
        """The next way to try."""
        left = self._left(errand)
        return first if first in left else next(iter(left), None)

    def _goes_on(self, errand: _Request, way: IndexRoot) -> None:
        """Tells why the way that was tried last is left for this one."""
        if errand.untold is not None:
            at = errand.percent()
            on = f": going on from {way.name} at {at} %" if at else f": going on by {way.name}"
            left, fault = errand.untold
            self._say(left, fault, on, once=_ONCE.get(fault.kind))
            errand.untold = None

    def _left(self, errand: _Request) -> list[IndexRoot]:
        faulty = {way for way in self._ways if self._fault_of(way, errand.kinds) is not None}
        return remaining_mirrors(self._ways, faulty | errand.tried)

    def _is_last(self, errand: _Request, way: IndexRoot) -> bool:
        return way not in self._ways or not set(self._left(errand)) - {way}

    def _fault_of(self, way: IndexRoot, kinds: Sequence[str]) -> Failure | None:
        """Why a way is out for requests of these kinds; None if it isn't."""
        for kind in kinds:
            until, fault = self._out.get((way, kind), (0.0, None))
            if until > time.monotonic():
                return fault
        return None

    def _failed(self, errand: _Request, way: IndexRoot, fault: Failure) -> None:
        """Remembers what is wrong with a way; what it merely lacks is another matter."""
        errand.failed.append((way, fault))
        if fault.is_missing:
            return
        rests = max(fault.retry_after, RESTS) if fault.status == TOO_MANY else float("inf")
        # Who blocks large files need not block the others.
        kind = errand.kinds[-1 if fault.kind == "status" else 0]
        self._out[way, kind] = (time.monotonic() + rests, fault)
        errand.untold = (way, fault)
        if way == self._ways[0]:
            self._first_failed()

    def _had(self, failed: list[tuple[IndexRoot, Failure]], way: IndexRoot) -> None:
        """Tells of the ways that lacked what another one had."""
        for other, fault in failed:
            if fault.is_missing and fault != NO_METADATA:
                self._say(other, fault, f": taking it by {way.name}", once="lacks")

    def _say(self, way: IndexRoot, fault: Failure, then: str, once: str | None = None) -> None:
        with self._state:
            cause = format_failure(fault)
            key = (way.url, once or cause)
            if key not in self._told:
                self._told.add(key)
                self.tell(f"{way.name} {cause}{then}")

    def _pause(self, errand: _Request) -> None:
        """Waits before another round if that may help, and raises `Unreachable` if not."""
        known = [(way, self._fault_of(way, errand.kinds)) for way in self._ways]
        failed = errand.failed + [(way, fault) for way, fault in known if fault is not None]
        busy = [fault for _, fault in failed if fault.is_busy]
        pause = next(errand.pauses, None)
        if not busy or pause is None or self._gave_up:
            self._gave_up = True
            raise NotDownloadedError(errand.what, failed)
        time.sleep(min(max(pause, *(fault.retry_after for fault in busy)), LONGEST_PAUSE))
        with self._state:
            for key, (_, fault) in list(self._out.items()):
                if fault.is_busy and key[1] in errand.kinds:
                    del self._out[key]
        errand.failed = [(way, fault) for way, fault in failed if not fault.is_busy]

    # -- requests ---------------------------------------------------------------------------

    def _fetch(
        self,
        method: str,
        url: str,
        way: IndexRoot,
        kinds: Sequence[str],
        *,
        last: bool,
        **more: Any,
    ) -> tuple[requests.Response | None, Failure | None]:
        """`_ask`, with the body read as well unless it is long: that may fail too."""
        with self._turn(self._slots, url):
            response, fault = self._ask(method, url, way, kinds, last=last, **more)
            if response is None or method == "head":
                return response, fault
            length = response.headers.get("Content-Length", "")
            if more.get("stream") and not (length.isdigit() and int(length) <= _READ_AT_ONCE):
                return response, None
            try:
                response.content  # noqa: B018  # is kept in the response
            except requests.RequestException as error:
                return None, failure_of_error(error, READ)
            return response, None

    def _ask(
        self,
        method: str,
        url: str,
        way: IndexRoot,
        kinds: Sequence[str],
        *,
        last: bool,
        **more: Any,
    ) -> tuple[requests.Response | None, Failure | None]:
        """One request: the answer, or why there is none."""
        # While this one waited for its turn another may have found out.
        if not last and (known := self._fault_of(way, kinds)) is not None:
            return None, known
        # Where there is no other way there is no reason to be hasty.
        read = max(READ, float(REQUESTS_TIMEOUT)) if last else READ
        limits = (max(CONNECT, read) if last else CONNECT, read)
        headers = more.pop("headers", None)
        for again in (True, False):
            # A copy for each: Poetry 2.1 writes the credentials of one host into what it is given.
            asked = {"stream": True, **more, "headers": {**(headers or {})}}
            try:
                return super().request(
                    method, url, raise_for_status=False, timeout=limits, **asked
                ), None
            except _Once as once:
                if once.error is None:
                    return once.response, None
                connecting = isinstance(once.error, requests.ConnectTimeout)
                fault = failure_of_error(once.error, limits[0] if connecting else read)
                # A server may end a connection that was kept open just when it is used again.
                if not (again and fault.is_busy):
                    return None, fault
        raise AssertionError

    def _turn(self, turns: Mapping[str, Turn], url: str) -> Turn:
        """What a host's requests take turns by; the first to ask makes it."""
        with self._state:
            return turns[urlsplit(url).netloc]


class _Session(Session):
    """A session that asks once, and takes the certificates of each address, also after a redirect.

    `Authenticator.request` would ask again, and requests keep the certificates of the first.
    """

    def __init__(
        self,
        login_of: Callable[[str], Login | None],
        certificates_of: Callable[[str], RepositoryCertificateConfig],
    ) -> None:
        super().__init__(login_of)
        self._certificates_of = certificates_of

    def send(self, request: requests.PreparedRequest, **more: Any) -> requests.Response:
        own = self._certificates_of(request.url or "")
        verify = str(own.cert) if own.cert else own.verify
        client = str(own.client_cert) if own.client_cert else None
        settings = self.merge_environment_settings(request.url, {}, None, verify, client)
        more |= {"verify": settings["verify"], "cert": settings["cert"]}
        try:
            response = super().send(request, **more)
        except OSError as error:
            raise _Once(None, error) from error
        if response.status_code in STATUS_FORCELIST:
            raise _Once(response)
        return response


@contextmanager
def _beside(dest: Path) -> Iterator[Path]:
    """A file in the same folder for as long as what is to be there isn't whole."""
    handle, raw = tempfile.mkstemp(prefix=f"{dest.name}.", suffix=".part", dir=dest.parent)
    os.close(handle)
    part = Path(raw)
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)
