"""The HTTP client: connections per thread, limits, credentials by address, counting.

Importing it imports requests, so only what makes requests does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter, Retry
from requests.auth import HTTPBasicAuth

from poetry_tf.http.errors import BadResponse, Interrupted, NoResponse, host_of
from poetry_tf.http.failures import (
    Failure,
    Stopped,
    failure_of_error,
    format_failure,
)
from poetry_tf.http.transfer import ENCODINGS, Bounds, receive

_CHUNK: Final = 65_536
MAX_BYTES: Final = 40_000_000
"""The largest answer that is read whole, twice the largest page of PyPI (ddtrace: 21 MB)."""
_REDIRECT: Final = 65_536  # bytes of a redirect's own body, which are read to keep the connection
_HOPS: Final = 10  # redirects that are followed


def masked(url: str) -> str:
    """The URL as it may be shown, with `***` for a user name and a password."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc="***@" + parts.netloc.rpartition("@")[2]))


Login = tuple[str, str]
"""A user name and a password."""


def login_in(url: str) -> Login | None:
    """The user name and the password in an address."""
    parts = urlsplit(url)
    if parts.username is None:
        return None
    return unquote(parts.username), unquote(parts.password or "")


@lru_cache(maxsize=256)  # a dozen places ask of each request
def origin_of(url: str) -> tuple[str, str, int | None]:
    """The scheme, the host and the port of an address."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return "", url, None
    return parts.scheme, parts.hostname or "", port


class Session(requests.Session):
    """A session that sends the login of each address, and no other, also after a redirect.

    requests alone would read one out of a netrc for every host that it is redirected to.
    """

    def __init__(
        self,
        login_of: Callable[[str], Login | None] = login_in,
        may_ask: Callable[[str], bool] = lambda _: True,
    ) -> None:
        super().__init__()
        self._login_of, self._may_ask = login_of, may_ask
        self._settings: dict[tuple[object, ...], Mapping[str, Any]] = {}
        self.auth = self._sign
        self.max_redirects = _HOPS
        self.headers["Accept-Encoding"] = ENCODINGS

    def send(self, request: requests.PreparedRequest, **settings: Any) -> requests.Response:
        # requests sends what follows a redirect by this method too.
        if not self._may_ask(request.url or ""):
            raise Stopped(Failure("local", name=host_of(request.url or "")))
        return super().send(request, **settings)

    def merge_environment_settings(
        self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> Any:
        # requests goes through all variables of the environment for every address.
        if proxies:
            return super().merge_environment_settings(url, proxies, stream, verify, cert)
        key = (origin_of(url or ""), stream, verify, cert)
        if key not in self._settings:
            self._settings[key] = super().merge_environment_settings(url, {}, stream, verify, cert)
        found = self._settings[key]
        return {**found, "proxies": {**found["proxies"]}}

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        login = self._login_of(request.url or "")
        return request if login is None else HTTPBasicAuth(*login)(request)

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        if origin_of(response.request.url or "") != origin_of(prepared_request.url or ""):
            prepared_request.headers.pop("Authorization", None)
            self._sign(prepared_request)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        target = super().get_redirect_target(resp)
        length = resp.headers.get("Content-Length", "")
        is_small = length.isdigit() and int(length) <= _REDIRECT
        packed = {"Content-Encoding", "Transfer-Encoding"} & {*map(str.title, resp.headers)}
        if target is not None and (packed or not is_small):
            # requests would read all of it.
            resp.raw.close()
            resp._content, resp._content_consumed = b"", True  # type: ignore[attr-defined]
        return target


@dataclass(frozen=True)
class Limits:
    """The limits of a client.

    Attributes:
        connect: seconds to wait for a connection.
        read: seconds to wait for the next bytes on it.
        retries: how often a busy server is asked again.
        connections: servers to which each thread keeps a connection.
        gives_up: whether a server that gave no answer is not asked again, except once where it
            only broke a connection off.
        start: seconds until an answer begins.
        max_bytes: bytes of an answer, if the request names no number.
        max_seconds: seconds that an answer may take; None for any time.
    """

    connect: float = 10.0
    read: float = 60.0
    retries: int = 2
    # With one, the index's connection is closed when files' are opened.
    connections: int = 1
    gives_up: bool = False
    start: float = 120.0
    max_bytes: int = MAX_BYTES
    max_seconds: float | None = 600.0


class Client:
    """HTTP with sessions that no two threads share at a time, counting what it costs.

    So four threads never have more than four connections open, where `Limits.connections` is 1.

    Args:
        login_of: the login for an address.
        user_agent: what the client calls itself, if not requests.
        instead: other addresses for servers: "http://127.0.0.1:1234" for "https://a.test".
        may_ask: whether an address may be asked, also after a redirect.
    """

    def __init__(
        self,
        limits: Limits = Limits(),
        *,
        login_of: Callable[[str], Login | None] = login_in,
        user_agent: str | None = None,
        instead: Mapping[str, str] | None = None,
        may_ask: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self.may_ask = may_ask
        self._limits, self._login_of, self._user_agent = limits, login_of, user_agent
        self._instead = dict(instead or {})
        self._lock = threading.Lock()
        self._sessions: dict[threading.Thread, requests.Session] = {}
        self._given_up: dict[str, tuple[Failure, str]] = {}
        self.requests = 0
        self.bytes = 0

    def get(
        self, url: str, headers: Mapping[str, str], *, most: int | None = None
    ) -> requests.Response:
        """Starts a GET. See `request`."""
        return self.request("GET", url, headers, most=most)

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        follow: bool = True,
        most: int | None = None,
    ) -> requests.Response:
        """Starts a request; the body has yet to be read, and the response to be closed.

        Args:
            follow: whether redirects are followed.
            most: bytes of the answer that are read, if not `Limits.max_bytes`.

        Raises:
            NoResponse: no answer came, now or earlier. An answer of any status is returned.
        """
        host, limits = host_of(url), self._limits
        bounds = Bounds(limits.start, limits.max_seconds, most or limits.max_bytes)
        for is_last in (False, True):
            if host in self._given_up:
                raise NoResponse(url, *self._given_up[host])
            self._count(requests_=1)
            send = partial(
                self._session().request,
                method,
                self._address(url),
                headers=dict(headers),
                timeout=(limits.connect, limits.read),
                stream=True,
                allow_redirects=follow,
            )
            try:
                return receive(send, bounds)
            # Beyond requests' own: a redirect to what is no address, or one that no codec takes.
            except (requests.RequestException, ValueError, OSError) as error:
                failure, name = failure_of_error(error, limits.read), type(error).__name__
                if limits.gives_up and failure.is_busy and not is_last:
                    continue
                if limits.gives_up:
                    # A redirect may have led to another server, but only by way of this one.
                    self._given_up[host] = failure, name
                raise NoResponse(url, failure, name) from error
        raise AssertionError("the last try returns or raises")

    def body(self, response: requests.Response) -> bytes:
        """Reads the rest of a response.

        Raises:
            Interrupted: the connection broke before its end.
            BadResponse: it is larger, or takes longer, than the limits allow.
        """
        parts: list[bytes] = []
        try:
            parts.extend(response.iter_content(_CHUNK))
            return b"".join(parts)
        except Stopped as error:
            raise BadResponse(format_failure(error.failure)) from error
        except (requests.RequestException, OSError) as error:
            failure = failure_of_error(error, self._limits.read)
            raise Interrupted(response.url, failure, type(error).__name__) from error
        finally:
            self._count(bytes_=_received(response, sum(map(len, parts))))

    def close(self) -> None:
        """Closes every connection."""
        with self._lock:
            for session in self._sessions.values():
                session.close()
            self._sessions.clear()

    def _address(self, url: str) -> str:
        for server, other in self._instead.items():
            if url == server or url.startswith(f"{server}/"):
                return other + url[len(server) :]
        return url

    def _session(self) -> requests.Session:
        """This thread's session: that of a thread that has ended, or a new one."""
        thread = threading.current_thread()
        with self._lock:
            if thread not in self._sessions:
                ended = next((other for other in self._sessions if not other.is_alive()), None)
                self._sessions[thread] = (
                    self._new_session() if ended is None else self._sessions.pop(ended)
                )
            return self._sessions[thread]

    def _new_session(self) -> requests.Session:
        session = Session(self._login_of, self.may_ask)
        if self._user_agent is not None:
            session.headers["User-Agent"] = self._user_agent
        # A busy server is asked again; what is wrong for good is raised at once.
        retry = Retry(
            total=self._limits.retries,
            backoff_factor=0.5,
            status_forcelist=(429, 502, 503, 504),
            raise_on_status=False,
        )
        adapter = HTTPAdapter(
            pool_connections=self._limits.connections,
            pool_maxsize=self._limits.connections,
            max_retries=retry,
        )
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session

    def _count(self, requests_: int = 0, bytes_: int = 0) -> None:
        with self._lock:
            self.requests += requests_
            self.bytes += bytes_


def _received(response: requests.Response, unpacked: int) -> int:
    """The bytes of a response that came over the network: pages come compressed."""
    try:
        return int(response.raw.tell())
    except (AttributeError, OSError, ValueError, TypeError):
        return unpacked
