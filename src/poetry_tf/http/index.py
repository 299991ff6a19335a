"""A client for simple indexes (PEP 503, 691, 700), and for ranges of the files they list.

Importing it imports requests, so only what asks an index does.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit

import requests
from packaging.utils import canonicalize_name
from requests.adapters import HTTPAdapter, Retry
from requests.auth import HTTPBasicAuth

ACCEPT: Final = ", ".join(
    (
        "application/vnd.pypi.simple.v1+json",
        "application/vnd.pypi.simple.v1+html;q=0.2",
        "text/html;q=0.1",
    )
)
TIMEOUT: Final = (10.0, 60.0)
"""Seconds to wait for a connection, and for the next bytes on it."""


_OTHER_RANGE: Final = "the server serves another range than was asked for"


class ReadError(Exception):
    """What was asked of an index or a file can't be had. The message is one line for people."""


@dataclass(frozen=True, slots=True)
class IndexFile:
    """One file as a project's page lists it.

    Attributes:
        filename: its name, unescaped.
        url: where it is, absolute, without a fragment.
        sha256: its hash in lower-case hexadecimal digits; None where the index gives none.
        yanked: whether it is yanked (PEP 592), with or without a reason.
        uploaded: when it was uploaded, as the index writes it (ISO 8601); None from HTML pages.
        requires_python: its Requires-Python; None where there is none.
        size: its bytes; None where the index doesn't say (HTML pages never do).
    """

    filename: str
    url: str
    sha256: str | None = None
    yanked: bool = False
    uploaded: str | None = None
    requires_python: str | None = None
    size: int | None = None


def masked(url: str) -> str:
    """The URL as it may be shown: a user name and password in it are replaced by `***`."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc="***@" + parts.netloc.rpartition("@")[2]))


Login = tuple[str, str]
"""A user name and a password."""


def login_in(url: str) -> Login | None:
    """The user name and the password that stand in an address."""
    parts = urlsplit(url)
    if parts.username is None:
        return None
    return unquote(parts.username), unquote(parts.password or "")


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

    def __init__(self, login_of: Callable[[str], Login | None] = login_in) -> None:
        super().__init__()
        self._login_of = login_of
        self.auth = self._sign

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        login = self._login_of(request.url or "")
        return request if login is None else HTTPBasicAuth(*login)(request)

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        if origin_of(response.request.url or "") != origin_of(prepared_request.url or ""):
            prepared_request.headers.pop("Authorization", None)
            self._sign(prepared_request)


class Client:
    """HTTP with one connection for each thread that uses it, counting what it costs.

    So a pool of four threads never has more than four connections open. `tries` is how often a
    busy server is asked again; `login_of` gives the login of an address.
    """

    def __init__(
        self,
        *,
        timeout: tuple[float, float] = TIMEOUT,
        tries: int = 2,
        login_of: Callable[[str], Login | None] = login_in,
    ) -> None:
        self._timeout, self._tries, self._login_of = timeout, tries, login_of
        self._lock = threading.Lock()
        self._sessions: dict[threading.Thread, requests.Session] = {}
        self.requests = 0
        self.bytes = 0

    def get(self, url: str, headers: dict[str, str]) -> requests.Response:
        """Starts a GET; the body has yet to be read, and the response to be closed.

        Raises:
            ReadError: no answer came. An answer of any status is returned.
        """
        self._count(requests_=1)
        try:
            return self._session().get(url, headers=headers, timeout=self._timeout, stream=True)
        except requests.RequestException as error:
            raise ReadError(f"no answer from {_host(url)} ({_cause(error)})") from error

    def body(self, response: requests.Response) -> bytes:
        """Reads the rest of a response.

        Raises:
            ReadError: the connection broke before its end.
        """
        try:
            content = response.content
        except requests.RequestException as error:
            raise ReadError(
                f"the answer from {_host(response.url)} broke off ({_cause(error)})"
            ) from error
        self._count(bytes_=len(content))
        return content

    def close(self) -> None:
        """Closes every connection."""
        with self._lock:
            for session in self._sessions.values():
                session.close()
            self._sessions.clear()

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
        session = Session(self._login_of)
        # A busy server is asked again; what is wrong for good is told at once.
        retry = Retry(
            total=self._tries,
            backoff_factor=0.5,
            status_forcelist=(429, 502, 503, 504),
            raise_on_status=False,
        )
        # One pool of one connection: the index's is closed when files' are wanted.
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=1, max_retries=retry)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session

    def _count(self, requests_: int = 0, bytes_: int = 0) -> None:
        with self._lock:
            self.requests += requests_
            self.bytes += bytes_


class SimpleIndex:
    """The project pages of one simple index."""

    def __init__(self, url: str, client: Client) -> None:
        self.url = url.rstrip("/") + "/"
        self._client = client

    def files(self, project: str) -> tuple[IndexFile, ...]:
        """Every file of a project, in the page's order; none where the index has no such project.

        Raises:
            ReadError: the page couldn't be read, or is none. A page that lists no file at all is
                taken for a fault of the index, because concluding from it that a version doesn't
                exist would be worse than stopping.
        """
        name = canonicalize_name(project)
        with self._client.get(f"{self.url}{name}/", {"Accept": ACCEPT}) as response:
            if response.status_code == requests.codes.not_found:
                return ()
            if response.status_code != requests.codes.ok:
                raise ReadError(f"{name}: the index answers {response.status_code}")
            kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            body = self._client.body(response)
            base = response.url
        try:
            if kind.endswith("json"):
                files = parse_json(body, base)
            # requests would take an unnamed encoding for Latin-1, as mail did; pages are UTF-8.
            elif kind in ("text/html", "application/vnd.pypi.simple.v1+html"):
                files = parse_html(body.decode("utf-8"), base)
            else:
                raise ReadError(f"{name}: the index answers with {kind or 'an untyped page'}")
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ReadError(f"{name}: the index's page is malformed ({error})") from error
        if not files:
            raise ReadError(f"{name}: the index's page lists no file")
        return files


def parse_json(body: bytes, base: str) -> tuple[IndexFile, ...]:
    """The files of a PEP 691 page.

    Raises:
        ValueError, LookupError, TypeError, AttributeError: it isn't one.
    """
    page: dict[str, Any] = json.loads(body)
    major = str(page["meta"]["api-version"]).partition(".")[0]
    if major != "1":
        raise ValueError(f"API version {major} is not known")
    return tuple(
        IndexFile(
            filename=str(entry["filename"]),
            url=urldefrag(urljoin(base, entry["url"])).url,
            sha256=_digest(entry["hashes"].get("sha256")),
            # True, or the reason. (In HTML the bare attribute is enough.)
            yanked=bool(entry.get("yanked")),
            uploaded=entry.get("upload-time"),
            requires_python=entry.get("requires-python"),
            size=_size(entry.get("size")),
        )
        for entry in page["files"]
    )


def parse_html(text: str, base: str) -> tuple[IndexFile, ...]:
    """The files of a PEP 503 page: every link whose path ends in a file name."""
    parser = _Page(base)
    parser.feed(text)
    parser.close()
    return tuple(parser.files)


class _Page(HTMLParser):
    def __init__(self, base: str) -> None:
        super().__init__(convert_charrefs=True)
        self.files: list[IndexFile] = []
        self._base = base

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        href = values.get("href")
        if tag == "base" and href:
            self._base = urljoin(self._base, href)
        if tag != "a" or not href:
            return
        url, fragment = urldefrag(urljoin(self._base, href))
        filename = unquote(urlsplit(url).path.rpartition("/")[2])
        if not filename:  # a link to a folder: navigation, not a file
            return
        algorithm, _, digest = fragment.partition("=")
        self.files.append(
            IndexFile(
                filename=filename,
                url=url,
                sha256=_digest(digest) if algorithm == "sha256" else None,
                yanked="data-yanked" in values,
                requires_python=values.get("data-requires-python"),
            )
        )


class RemoteFile:
    """One file on a server, read in ranges."""

    def __init__(self, url: str, client: Client) -> None:
        self._url = url
        self._client = client

    def tail(self, length: int) -> tuple[bytes, int]:
        """The last `length` bytes, or all of a shorter file, and the whole file's size in bytes.

        Raises:
            ReadError: the file isn't there, or the server doesn't serve ranges.
        """
        body, first, size = self._range(f"bytes=-{length}")
        if first != max(0, size - length):
            raise ReadError(_OTHER_RANGE)
        return body, size

    def read(self, start: int, length: int) -> bytes:
        """`length` bytes from `start` on; fewer only at the file's end.

        Raises:
            ReadError: as for `tail`.
        """
        body, first, size = self._range(f"bytes={start}-{start + length - 1}")
        if first != start or len(body) != min(length, size - start):
            raise ReadError(_OTHER_RANGE)
        return body

    def _range(self, wanted: str) -> tuple[bytes, int, int]:
        """The bytes that were served, the place of the first of them, and the file's size."""
        # Compression would make the ranges those of the compressed body.
        headers = {"Range": wanted, "Accept-Encoding": "identity"}
        with self._client.get(self._url, headers) as response:
            if response.status_code == requests.codes.ok:
                # Leaving the block drops the connection: the body may be half a gigabyte.
                raise ReadError("the server doesn't serve ranges")
            if response.status_code != requests.codes.partial_content:
                raise ReadError(f"the server answers {response.status_code}")
            span = re.fullmatch(
                r"bytes (\d+)-(\d+)/(\d+)", response.headers.get("Content-Range", "").strip()
            )
            if span is None:
                raise ReadError("the server doesn't say which range it serves")
            first, last, size = (int(part) for part in span.groups())
            body = self._client.body(response)
        if len(body) != last - first + 1:
            raise ReadError("the server broke off in the middle of a range")
        return body, first, size


def _size(value: object) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def _digest(value: str | None) -> str | None:
    """The hash if it is a whole SHA-256: it becomes part of a path, so nothing else will do."""
    if value is not None and re.fullmatch(r"[0-9a-fA-F]{64}", value):
        return value.lower()
    return None


def _host(url: str) -> str:
    return urlsplit(url).hostname or "the server"


def _cause(error: BaseException) -> str:
    """The kind of a failure. requests' own text repeats the URL, credentials and all."""
    return type(error).__name__
