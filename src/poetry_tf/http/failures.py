"""Why something could not be downloaded, as one kind of value, and the words for each kind."""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

import requests
import urllib3
from requests.utils import get_environ_proxies, select_proxy

Kind = Literal[
    # No connection, or no answer on it.
    "certificate",
    "tls",
    "proxy",
    "timeout",
    "refused",
    "unknown-host",
    "connection-lost",
    "unreachable",
    "local",
    # An answer that is of no use.
    "status",
    "malformed",
    "cut-short",
    "encoding",
    # An answer, or a file, that costs more than it may.
    "slow",
    "too-long",
    "given-up",
    "too-large",
    # A file that is sent, but not to its end or not as it is listed.
    "stalled",
    "cut-off",
    "no-resume",
    "corrupt",
    # An answer without what is expected.
    "missing",
    "empty",
    "different",
    "unhashed",
    # A page that contradicts what is known of a file.
    "wrong-hash",
    "metadata-not-offered",
    "metadata-missing",
    "metadata-not-sent",
    "metadata-corrupt",
]

_TEMPORARY: frozenset[Kind] = frozenset(
    {"connection-lost", "cut-short", "stalled", "cut-off", "no-resume"}
)
_TEMPORARY_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
_MISSING: frozenset[Kind] = frozenset(
    {"missing", "empty", "different", "unhashed", "metadata-not-offered"}
)

_WORDS: dict[Kind, str] = {
    "certificate": "has a certificate that is not valid",
    "tls": "breaks the encrypted connection",
    "proxy": "can't be reached through the proxy {name}",
    "timeout": "does not answer within {seconds:.0f} s",
    "refused": "refuses connections",
    "unknown-host": "could not be found: no such host",
    "connection-lost": "drops connections",
    "unreachable": "can't be reached",
    "local": "redirects to {name} on the local network, which was not followed",
    "status": "answers {status}",
    "malformed": "answers with {name}, not with an index page",
    "cut-short": "sends incomplete answers",
    "encoding": "sends answers in an encoding that was not requested",
    "slow": "sends less than {speed} kB/s",
    "too-long": "takes longer than {seconds:.0f} s for one answer",
    "given-up": "sends less than {speed} kB/s, and did not finish in {seconds:.0f} s",
    "too-large": "sends more than was requested",
    "stalled": "does not answer within {seconds:.0f} s",
    "cut-off": "stops in the middle of {name}",
    "no-resume": "can't resume {name}",
    "corrupt": "sends a corrupt {name}",
    "missing": "does not have {name}",
    "empty": "has an empty page for {name}",
    "different": "has a different {name}",
    "unhashed": "lists no hash of {name} to compare",
    "wrong-hash": "lists a different hash of {name} ({listed}) than {origin} ({expected})",
    "metadata-not-offered": "offers no metadata",
    "metadata-missing": "does not have the metadata that it lists",
    "metadata-not-sent": "sends no metadata",
    "metadata-corrupt": "sends corrupt metadata",
}


@dataclass(frozen=True)
class WrongHash:
    """A file that an index lists with another hash than is known of it.

    Attributes:
        file: its name.
        listed: the hash that the index lists, such as "sha256:…".
        expected: the known one.
        origin: where that is known from, such as "poetry.lock".
    """

    file: str
    listed: str
    expected: str
    origin: str


@dataclass(frozen=True)
class Failure:
    """Why a server gave no usable answer.

    Attributes:
        kind: what happened.
        status: the HTTP status, where the kind is "status".
        name: the file, the release, the content type or the proxy that the failure is about; for a
            status, the kind of files that it concerns where it does not concern everything.
        seconds: how long the answer was waited for.
        retry_after: seconds after which the server wants to be asked again; 0 if it names none.
        lacking: how much is missing, to compare two answers that both lack something.
        wrong: the files with another hash, where the kind is "wrong-hash".
        speed: bytes a second, where it is too slow.
    """

    kind: Kind
    status: int | None = None
    name: str = ""
    seconds: float = 0.0
    retry_after: float = 0.0
    lacking: int = 0
    wrong: tuple[WrongHash, ...] = ()
    speed: float = 0.0

    @property
    def is_busy(self) -> bool:
        """Whether another try may succeed."""
        return self.kind in _TEMPORARY or self.status in _TEMPORARY_STATUSES

    @property
    def is_slow(self) -> bool:
        """Whether it works, but so slowly that others are preferred."""
        return self.kind in {"slow", "too-long"}

    @property
    def is_missing(self) -> bool:
        """Whether one thing is missing, which says nothing of other requests to the server."""
        return self.kind in _MISSING


def format_failure(failure: Failure) -> str:
    """The words that follow the server's name: "answers 503"."""
    known: dict[str, object] = {
        "name": failure.name,
        "status": failure.status,
        "seconds": failure.seconds,
        "speed": 1 + int(failure.speed // 1000),
    }
    if failure.wrong:
        first = failure.wrong[0]
        known |= {"name": first.file, "origin": first.origin}
        known |= {"listed": _shortened(first.listed), "expected": _shortened(first.expected)}
    text = _WORDS[failure.kind].format(**known)
    return f"{text} for {failure.name}" if failure.status and failure.name else text.rstrip()


def _shortened(digest: str) -> str:
    """The first digits of a hash; an index may list any text as one."""
    algorithm, _, digits = digest.partition(":")
    return f"{algorithm}:{re.sub('[^0-9a-f]', '?', digits[:12])}…"


# -- errors ---------------------------------------------------------------------------------


class Stopped(requests.RequestException):
    """A request that is not sent, or an answer that is not read on, because a bound forbids it."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(format_failure(failure))
        self.failure = failure


def failure_of_error(error: BaseException, seconds: float) -> Failure:
    """The failure behind an exception; `seconds` is how long an answer was waited for.

    The exception's text is not used: it holds the address, with the secrets in it.
    """
    if isinstance(error, Stopped):
        return error.failure
    kind = _kind_of_error(error)
    name = _proxy_of(error) if kind == "proxy" else ""
    return Failure(kind, name=name, seconds=seconds if kind == "timeout" else 0.0)


def _kind_of_error(error: BaseException) -> Kind:
    origins = [*_origins(error)]
    if isinstance(error, requests.exceptions.SSLError):
        return "certificate" if any(map(_is_about_certificate, origins)) else "tls"
    if isinstance(error, requests.exceptions.ProxyError):
        return "proxy"
    if isinstance(error, requests.Timeout) or any(map(_is_timeout, origins)):
        return "timeout"
    if isinstance(
        error, (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)
    ):
        return "cut-short"
    for origin in origins:
        if isinstance(origin, ConnectionRefusedError):
            return "refused"
        if isinstance(origin, socket.gaierror):
            return "unknown-host"
        if isinstance(
            origin,
            (
                ConnectionError,
                urllib3.exceptions.ProtocolError,
                urllib3.exceptions.ClosedPoolError,
            ),
        ):
            return "connection-lost"
    return "unreachable"


def _proxy_of(error: BaseException) -> str:
    """The proxy that a request went by, without a password, and the variable that names it."""
    url = getattr(getattr(error, "request", None), "url", None)
    if url is None:
        return ""
    address = str(select_proxy(url, get_environ_proxies(url)) or "")
    names = (f"{urlsplit(url).scheme}_proxy", "all_proxy")
    spellings = [spelling for name in names for spelling in (name, name.upper())]
    where = next((name for name in spellings if os.environ.get(name, "") == address), "")
    scheme, divided, rest = address.rpartition("://")
    shown = scheme + divided + rest.rpartition("@")[2]
    return f"{shown} (from {where})" if where else shown


def _origins(error: BaseException) -> Iterator[BaseException]:
    """The error and those that it was made of, the innermost last."""
    at: object = error
    while isinstance(at, BaseException):
        yield at
        # requests and urllib3 keep them in the arguments or in `reason`, PySocks in `socket_err`;
        # urllib3 1 leaves the error of the socket to Python. That of others may be unrelated.
        known = (
            *at.args,
            getattr(at, "reason", None),
            getattr(at, "socket_err", None),
            at.__cause__,
            at.__context__ if isinstance(at, urllib3.exceptions.HTTPError) else None,
        )
        at = next((item for item in known if isinstance(item, BaseException)), None)


def _is_about_certificate(error: BaseException) -> bool:
    return isinstance(error, ssl.SSLCertVerificationError) or (
        # What a server says of the client's: "SSLV3_ALERT_BAD_CERTIFICATE".
        isinstance(error, ssl.SSLError) and "CERTIFICATE" in str(getattr(error, "reason", ""))
    )


def _is_timeout(error: BaseException) -> bool:
    # In urllib3 1 every failure to connect is a timeout too.
    return isinstance(error, (TimeoutError, urllib3.exceptions.TimeoutError)) and not isinstance(
        error, urllib3.exceptions.NewConnectionError
    )
