"""What a wheel says of itself, mostly by one request for its last bytes.

Poetry asks for so few of them that every second wheel takes it two or three requests. Anything
unusual gives None, and Poetry's own way is taken then.
"""

from __future__ import annotations

import io
import re
import zipfile
from typing import TYPE_CHECKING

from packaging.metadata import RawMetadata, parse_email

if TYPE_CHECKING:
    import requests
    from poetry.utils.authenticator import Authenticator

TAIL = 32 * 1024
"""Bytes of a wheel that are asked for at first: enough for three of four on PyPI."""

_AT_MOST = 4
"""Requests for one wheel."""
_METADATA = re.compile(r"[^/]*\.dist-info/METADATA")
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
# What a browser's cache, or a proxy's, makes of parts of files isn't to be relied on; a part that
# is compressed for its way is no part of the file.
_HEADERS = {"Cache-Control": "no-cache", "Accept-Encoding": "identity"}


class _OtherwiseError(Exception):
    """The server answers in another way than for ranges."""


class _MissingError(Exception):
    """A place in the file that wasn't fetched yet."""

    def __init__(self, start: int, length: int) -> None:
        self.start, self.length = start, length


def metadata_of(url: str, session: Authenticator) -> RawMetadata | None:
    """The metadata of the wheel at an address; None where it can't be had in this way."""
    try:
        file = _Parts(url, session)
        for _ in range(_AT_MOST - 1):
            try:
                return parse_email(_read(file))[0]
            except _MissingError as missing:
                file.fetch(missing.start, missing.length)
    except Exception:  # of the network, of the server, of the archive: Poetry tells it better
        return None
    return None


def _read(file: io.RawIOBase) -> bytes:
    file.seek(0)
    with zipfile.ZipFile(file) as archive:
        entries = sorted(archive.infolist(), key=lambda entry: entry.header_offset)
        found = next(item for item in archive.infolist() if _METADATA.fullmatch(item.filename))
        # The whole of it at once, up to where the next begins.
        later = [item.header_offset for item in entries if item.header_offset > found.header_offset]
        end = min(later, default=archive.start_dir)
        file.seek(found.header_offset)
        file.read(end - found.header_offset)
        return archive.read(found)


class _Parts(io.RawIOBase):
    """A file of which only some parts are there; reading another raises `_MissingError`."""

    def __init__(self, url: str, session: Authenticator) -> None:
        self._url, self._session = url, session
        self._parts: list[tuple[int, bytes]] = []
        self._at = 0
        self._size = self._fetch(f"bytes=-{TAIL}")

    def fetch(self, start: int, length: int) -> None:
        self._fetch(f"bytes={start}-{min(start + length, self._size) - 1}")

    def _fetch(self, span: str) -> int:
        """Asks for a part and keeps it; the size of the file."""
        answer: requests.Response = self._session.get(
            self._url, headers={**_HEADERS, "Range": span}, stream=True
        )
        try:
            start, end, size = _span(answer)
            if size - start > TAIL and span.startswith("bytes=-"):
                raise _OtherwiseError  # "-n" was taken for something else
            content = answer.content
        finally:
            answer.close()
        if len(content) != end - start + 1:
            raise _OtherwiseError
        self._parts.append((start, content))
        return size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if self._at < 0:
            raise OSError("before the beginning")  # as files do, which zipfile relies on
        return self._at

    def read(self, size: int = -1) -> bytes:
        length = max(self._size - self._at, 0)
        length = length if size < 0 else min(size, length)
        for start, content in self._parts:
            if start <= self._at and self._at + length <= start + len(content):
                found = content[self._at - start : self._at - start + length]
                self._at += length
                return found
        raise _MissingError(self._at, length)


def _span(answer: requests.Response) -> tuple[int, int, int]:
    """First and last byte of what was answered, and the size of the file."""
    if answer.status_code == 200:
        # A file that is smaller than what was asked for comes as a whole.
        size = int(answer.headers["Content-Length"])
        if size > TAIL or answer.headers.get("Accept-Ranges") != "bytes":
            raise _OtherwiseError
        return 0, size - 1, size
    found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if answer.status_code != 206 or found is None:
        raise _OtherwiseError
    start, end, size = map(int, found.groups())
    return start, end, size
