"""A file that is being taken: how far it is, from where, and whether it is the right one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import requests

CHUNK = 64 * 1024
"""Bytes that are written at a time; what is less when a connection breaks is lost."""


class Download:
    """Takes answers one after another until their bytes are the whole file."""

    def __init__(
        self,
        out: BinaryIO,
        name: str,
        hashes: Collection[str],
        size: int,
        progress: Callable[[int, int], None],
    ) -> None:
        self.name, self.total, self.position = name, size, 0
        self.is_resumable = False
        """Whether the server that was asked last sends parts."""
        self._out, self._hashes, self._progress = out, hashes, progress
        self._sources: set[str] = set()
        self._promised: int | None = None

    @property
    def percent(self) -> int:
        return 100 * self.position // self.total if self.total else 0

    @property
    def is_mixed(self) -> bool:
        """Whether not all of it came by one way."""
        return len(self._sources) > 1

    @property
    def is_whole(self) -> bool:
        """Whether as much came as the last answer promised."""
        return self._promised is None or self.position == self._promised

    def restart(self) -> None:
        """Drops what came so far."""
        self.position = 0
        self._sources.clear()
        self._out.seek(0)
        self._out.truncate()

    def begin(self, response: requests.Response, source: str) -> None:
        """Reads an answer's headers; one that isn't about the rest starts the file anew."""
        self.is_resumable = response.headers.get("Accept-Ranges") == "bytes"
        self._promised = None
        if response.status_code == 206:
            self.is_resumable = True
            span = re.match(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
            # Another part than was asked for is never the whole.
            right = span is not None and int(span[1]) == self.position
            self._promised = int(span[2]) if span is not None and right else -1
        elif self.position:
            self.restart()
        length = response.headers.get("Content-Length", "")
        if response.status_code == 200 and length.isdigit():
            self._promised = int(length)
        if self._promised is not None and self._promised > 0:
            self.total = self._promised
        self._sources.add(source)

    def copy(self, response: requests.Response) -> None:
        """Adds an answer's body."""
        for chunk in response.iter_content(CHUNK):
            self._out.write(chunk)
            self.position += len(chunk)
            self._progress(self.position, self.total)
        self._out.flush()

    def is_right(self) -> bool:
        """Whether it is the file that is wanted, by one of the hashes; any if there is none."""
        if not self._hashes:
            return True
        for name in {entry.partition(":")[0] for entry in self._hashes}:
            if not _can_make(name):
                continue
            self._out.seek(0)
            digest = hashlib.new(name)
            while chunk := self._out.read(CHUNK):
                digest.update(chunk)
            self._out.seek(self.position)
            if f"{name}:{digest.hexdigest()}" in self._hashes:
                return True
        return False


def is_one_of(content: bytes, hashes: Mapping[str, str]) -> bool:
    """Whether content has the hash that is listed for it; any if there is none we can make."""
    known = [name for name in hashes if _can_make(name)]
    return not known or any(
        hashlib.new(name, content).hexdigest() == hashes[name] for name in known
    )


def _can_make(name: str) -> bool:
    # Those of the name shake have as many digits as one likes.
    return name in hashlib.algorithms_available and not name.startswith("shake")
