"""One request to one server: how long it may take, how many run at a time, and why it failed."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import requests
from cachecontrol.adapter import CacheControlAdapter
from poetry.utils.authenticator import RepositoryCertificateConfig
from poetry.utils.constants import REQUESTS_TIMEOUT, STATUS_FORCELIST
from requests.adapters import HTTPAdapter

from poetry_tf.http.client import MAX_BYTES, Login, Session
from poetry_tf.http.failures import Failure, Stopped, failure_of_error
from poetry_tf.http.transfer import Bounds, receive
from poetry_tf.index.failover import Failover, IndexRequest, IndexRoot
from poetry_tf.poetry_internals.overrides import override

# Seconds after which a silent server is given up while another mirror is left. A host with two
# addresses is tried at both, so that the first of these may count twice.
CONNECT, READ = 2.4, 4.7
SPEED = 20_000
"""Bytes a second that all transfers share, below which a mirror is left while another is left: so
1/8 of it each for eight, which is less than a slow line of 30 kB/s gives each of them."""
START, WHOLE = 12.0, 60.0
"""Seconds for an answer to begin, and for one that is read whole, while another mirror is left."""
LAST_START, LAST_WHOLE = 60.0, 240.0
"""The same where none is left: 240 s are enough for 2 MB at 10 kB/s, and for 7 MB at 30 kB/s."""
PAGE = MAX_BYTES
"""The largest page."""
METADATA = 4_000_000
"""The largest metadata; PyPI's are below one MB, and few above 100 kB."""
AT_ONCE = 8
"""Connections to one host at a time."""


class SingleAnswer(Exception):
    """Carries an answer or an error past `Authenticator.request`, which would try again and wait.

    It retries on an `OSError` and on certain statuses, five times, and has no setting for that.
    """

    def __init__(self, response: requests.Response | None, error: Exception | None = None) -> None:
        super().__init__()
        self.response, self.error = response, error


class SingleAttemptSession(Session):
    """A session that tries once, with the certificates of each address, also after a redirect.

    `Authenticator.request` would try again, and requests keep the certificates of the first.
    """

    def __init__(
        self,
        login_of: Callable[[str], Login | None],
        certificates_of: Callable[[str], RepositoryCertificateConfig],
    ) -> None:
        super().__init__(login_of)
        self._certificates_of = certificates_of

    @override
    def send(self, request: requests.PreparedRequest, **settings: Any) -> requests.Response:
        own = self._certificates_of(request.url or "")
        verify = str(own.cert) if own.cert else own.verify
        client = str(own.client_cert) if own.client_cert else None
        merged = self.merge_environment_settings(request.url, {}, None, verify, client)
        settings |= {"verify": merged["verify"], "cert": merged["cert"]}
        try:
            response = super().send(request, **settings)
        # A redirect to what is no address is a ValueError.
        except (OSError, ValueError) as error:
            raise SingleAnswer(None, error) from error
        if response.status_code in STATUS_FORCELIST:
            raise SingleAnswer(response)
        return response


class WholeAnswers(CacheControlAdapter):
    """Poetry's cache of answers, without parts of files.

    It keeps none, but would first write each of them to a file of its own.
    """

    @override
    def build_response(
        self,
        request: requests.PreparedRequest,
        response: Any,
        from_cache: bool = False,
        cacheable_methods: Collection[str] | None = None,
    ) -> requests.Response:
        if "Range" in request.headers and not from_cache:
            return HTTPAdapter.build_response(self, request, response)
        return super().build_response(request, response, from_cache, cacheable_methods)


class Transport:
    """Sends requests by `send`, which is `Authenticator.request` over a `SingleAttemptSession`."""

    def __init__(self, send: Callable[..., requests.Response], failover: Failover) -> None:
        self._send, self._failover = send, failover
        self._lock = threading.Lock()
        self._slots: dict[str, threading.Semaphore] = defaultdict(
            lambda: threading.BoundedSemaphore(AT_ONCE)
        )
        self._large: dict[str, threading.Lock] = defaultdict(threading.Lock)

    def slot(self, url: str) -> threading.Semaphore:
        """Held during a request: `AT_ONCE` of a host exist."""
        with self._lock:
            return self._slots[urlsplit(url).netloc]

    def large_slot(self, url: str) -> threading.Lock:
        """Held during the download of a large file: one of a host exists."""
        with self._lock:
            return self._large[urlsplit(url).netloc]

    def fetch(
        self,
        method: str,
        url: str,
        root: IndexRoot,
        request: IndexRequest,
        *,
        is_last: bool,
        most: int = PAGE,
        **settings: Any,
    ) -> requests.Response | Failure:
        """An answer with its body, of at most so many bytes, which may fail too.

        The body of an answer that is larger by its own account is not read.
        """
        with self.slot(url):
            answer = self.send(method, url, root, request, is_last=is_last, most=most, **settings)
            if isinstance(answer, Failure) or method == "head":
                return answer
            length = answer.headers.get("Content-Length", "")
            if settings.get("stream") and length.isdigit() and int(length) > most:
                return answer
            try:
                answer.content  # noqa: B018  # is kept in the response
            except requests.RequestException as error:
                return failure_of_error(error, READ)
            return answer

    def send(
        self,
        method: str,
        url: str,
        root: IndexRoot,
        request: IndexRequest,
        *,
        is_last: bool,
        most: int | None = None,
        headers: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> requests.Response | Failure:
        """An answer whose body has yet to be read; the caller holds a slot.

        Args:
            is_last: whether no other mirror is left, or no faster one, so that a slow one is waited
                for.
            most: the bytes of a body that will be read whole; without it, one of any size that
                may take any time, as long as it is not too slow.
        """
        # Another request may have failed while this one waited for its slot.
        known = self._failover.failure_of(root, request.scopes)
        if known is not None and not is_last:
            return known
        read = max(READ, float(REQUESTS_TIMEOUT)) if is_last else READ
        limits = (max(CONNECT, read) if is_last else CONNECT, read)
        bounds = (
            Bounds(
                LAST_START,
                LAST_WHOLE if most else None,
                most,
                SPEED,
                on_slow=partial(self._failover.report_waiting, root),
            )
            if is_last
            else Bounds(START, WHOLE if most else None, most, SPEED)
        )
        # A copy of the headers: Poetry 2.1 writes the credentials of one host into them.
        settings |= {"headers": {**(headers or {})}, "stream": True, "timeout": limits}
        for is_second in (False, True):
            try:
                return receive(partial(self._send_once, method, url, settings), bounds)
            except Stopped as error:
                return error.failure
            except SingleAnswer as single:
                assert single.error is not None
                connecting = isinstance(single.error, requests.ConnectTimeout)
                failure = failure_of_error(single.error, limits[0] if connecting else read)
                # A server may close a connection that was kept open just when it is used again.
                if is_second or not failure.is_busy:
                    return failure
        raise AssertionError

    def _send_once(self, method: str, url: str, settings: dict[str, Any]) -> requests.Response:
        try:
            return self._send(method, url, **settings)
        except SingleAnswer as single:
            if single.response is None:
                raise
            return single.response
