"""Asking servers, each for no longer than it deserves.

A server that doesn't answer is given up and not asked again. Nothing secret is sent: no password
of this machine's, and no token but those that registries hand to everybody.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from poetry_tf.http.failures import Failure, failure_of_error, format_failure
from poetry_tf.http.index import Client, ReadError, Session

LIMIT = 5.0
"""Seconds to wait for a connection, and for the next bytes on it."""
_LONGEST = 20.0
"""Seconds that one answer may take as a whole, however slowly it comes."""
_LARGEST = 32_000_000
"""Bytes of an answer that is read as a whole; no page or manifest has so many."""
_CHUNK = 65_536


class Unreachable(ReadError):
    """A server doesn't answer; the text goes on from its name: "refuses connections"."""

    def __init__(self, host: str, cause: str) -> None:
        super().__init__(f"{host} {cause}")
        self.host, self.cause = host, cause


class Broken(ReadError):
    """A server answers, but not with what was asked for; the text goes on from its name."""


@dataclass(frozen=True)
class Sample:
    """The beginning of a file, and how long it took from its first byte on."""

    bytes: int
    seconds: float

    @property
    def rate(self) -> float:
        """Bytes a second."""
        return self.bytes / max(self.seconds, 0.001)


class Web(Client):
    """HTTP for a survey; its threads share what they learn of servers.

    `instead` names other addresses for servers: "https://a.test" may be "http://127.0.0.1:1234".
    """

    def __init__(self, instead: Mapping[str, str] | None = None, limit: float = LIMIT) -> None:
        super().__init__(timeout=(limit, limit), tries=0, login_of=lambda _: None)
        self._limit = limit
        self._instead = dict(instead or {})
        self._dead: dict[str, Failure] = {}

    def get(self, url: str, headers: dict[str, str]) -> requests.Response:
        return self.ask("GET", url, headers)

    def ask(
        self, method: str, url: str, headers: Mapping[str, str], *, follow: bool = True
    ) -> requests.Response:
        """Starts a request; the body has yet to be read, and the response to be closed.

        Raises:
            Unreachable: no answer came, now or before. An answer of any status is returned.
        """
        host = host_of(url)
        for is_last in (False, True):
            if host in self._dead:
                raise Unreachable(host, format_failure(self._dead[host]))
            self._count(requests_=1)
            try:
                return self._session().request(
                    method,
                    self._address(url),
                    headers={"User-Agent": "poetry-tf", **headers},
                    timeout=self._timeout,
                    stream=True,
                    allow_redirects=follow,
                )
            # Beyond requests' own: a redirect to what is no address, or one that no codec takes.
            except (requests.RequestException, ValueError, OSError) as error:
                failure = failure_of_error(error, self._limit)
                # It may be another server that a redirect leads to, but it is the way to this one.
                if is_last or not failure.is_busy:
                    self._dead[host] = failure
        raise Unreachable(host, format_failure(self._dead[host]))

    def body(self, response: requests.Response) -> bytes:
        return self.part(response, _LARGEST)

    def part(self, response: requests.Response, most: int) -> bytes:
        """The rest of a response. Raises `Broken` for one that is too long, or too slow."""
        until = time.monotonic() + _LONGEST
        found = bytearray()
        try:
            for chunk in response.iter_content(_CHUNK):
                found += chunk
                if len(found) > most:
                    raise Broken("sends more than was asked for")
                if time.monotonic() > until:
                    raise Broken(f"takes longer than {_LONGEST:.0f} s for one answer")
        except (requests.RequestException, OSError) as error:
            raise Broken(format_failure(failure_of_error(error, self._limit))) from None
        finally:
            self._count(bytes_=_moved(response, len(found)))
        return bytes(found)

    def text(self, url: str, headers: Mapping[str, str] | None = None) -> str | None:
        """A short text; None where the server has no such thing, or doesn't want to tell it."""
        with self.ask("GET", url, headers or {}) as response:
            if response.status_code != requests.codes.ok:
                return None
            return self.body(response).decode("utf-8", errors="replace")

    def sample(
        self, url: str, headers: Mapping[str, str], most: int, seconds: float
    ) -> Sample | None:
        """How fast a file comes, by its first bytes; None where it doesn't."""
        asked = {"Range": f"bytes=0-{most - 1}", "Accept-Encoding": "identity", **headers}
        count = 0
        with contextlib.suppress(ReadError, requests.RequestException, OSError):
            with self.ask("GET", url, asked) as response:
                if response.status_code not in (200, 206):
                    return None
                begin = time.monotonic()
                for chunk in response.iter_content(16_384):
                    count += len(chunk)
                    if count >= most or time.monotonic() - begin > seconds:
                        break
            self._count(bytes_=count)
            return Sample(count, time.monotonic() - begin) if count else None
        return None

    def length(self, url: str, headers: Mapping[str, str] | None = None) -> int | None:
        """How large a file is; None where the server doesn't say. Raises `Unreachable`."""
        with self.ask("HEAD", url, {"Accept-Encoding": "identity", **(headers or {})}) as answer:
            written = answer.headers.get("Content-Length", "")
            return int(written) if answer.ok and written.isdecimal() else None

    def _address(self, url: str) -> str:
        for name, other in self._instead.items():
            if url == name or url.startswith(f"{name}/"):
                return other + url[len(name) :]
        return url

    def _new_session(self) -> requests.Session:
        session = Session(self._login_of)
        adapter = HTTPAdapter(pool_connections=4, pool_maxsize=4)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session


def _moved(response: requests.Response, unpacked: int) -> int:
    """The bytes that came over the network: pages come packed."""
    try:
        return int(response.raw.tell())
    except (AttributeError, OSError, ValueError, TypeError):
        return unpacked


def host_of(url: str) -> str:
    """The server of an address as people write it, with a port that isn't the usual one."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "the server", parts.port
    except ValueError:
        return "the server"
    return host if port is None else f"{host}:{port}"


def refusal(status: int, more: Any = None) -> str:
    """What a status says that isn't one to work with, in words that go on from a server's name."""
    if status in (403, 451):
        return f"refuses ({status}): it may be closed to where you are, or to your proxy's address"
    if status == 429:
        return "refuses (429): too much was asked of it from your address of late"
    if status in (401, 407):
        return f"wants a password ({status})"
    return f"answers {status}" + (f" ({more})" if more else "")
