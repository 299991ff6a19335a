"""Downloads a file from one mirror after another, and resumes a large one that was interrupted."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import requests

from poetry_tf.http.failures import Failure, Stopped, failure_of_error
from poetry_tf.http.pages import filename_of
from poetry_tf.index import transport
from poetry_tf.index.answers import failure_of_file
from poetry_tf.index.failover import Failover, IndexRequest, IndexRoot
from poetry_tf.index.mirror_pages import MirrorPages
from poetry_tf.index.transport import Transport

CHUNK = 64 * 1024
"""Bytes that are written at a time."""
LARGE = 100_000_000
"""Bytes from which files are downloaded one at a time and resumed: mirrors block a client that
downloads many at once."""
CUTS = 5
"""How often one mirror may cut off a large file while there is progress."""
MOST = 20_000_000_000
"""The largest file where no page says its size; PyPI's have a few GB at most."""


class Download:
    """A file that is written from one answer after another until it is whole."""

    def __init__(
        self,
        out: BinaryIO,
        name: str,
        hashes: Collection[str],
        size: int,
        progress: Callable[[int, int], None],
        *,
        unless_ranges: type[Exception] | None = None,
    ) -> None:
        self.name, self.total, self.position = name, size, 0
        self._most = size or MOST
        self.is_resumable = False
        """Whether the last server sends parts."""
        self._out, self._hashes, self._progress = out, hashes, progress
        self._unless_ranges = unless_ranges
        self._sources: set[str] = set()
        self._promised: int | None = None

    @property
    def percent(self) -> int:
        return 100 * self.position // self.total if self.total else 0

    @property
    def is_mixed(self) -> bool:
        """Whether it came from several mirrors."""
        return len(self._sources) > 1

    @property
    def is_whole(self) -> bool:
        """Whether it has the length that the last answer promised."""
        return self._promised is None or self.position == self._promised

    def resume(self) -> bool:
        """Continues what an earlier run has left; returns whether that is the whole file."""
        self.position = self._out.seek(0, os.SEEK_END)
        if self.position == 0:
            return False
        if self._hashes and self.is_right():
            return True
        if self.position >= self._most:
            self.restart()
        else:
            self._sources.add("an earlier run")
        return False

    def restart(self) -> None:
        """Discards what was downloaded so far."""
        self.position = 0
        self._sources.clear()
        self._out.seek(0)
        self._out.truncate()

    def begin(self, response: requests.Response, source: str) -> None:
        """Reads an answer's headers; one that is not about the rest starts the file again.

        Raises `unless_ranges`, if that was given, where the server sends parts.
        """
        if self._unless_ranges and response.headers.get("Accept-Ranges") == "bytes":
            raise self._unless_ranges
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
        """Appends an answer's body. Raises `Stopped` where it has more than the page lists."""
        for chunk in response.iter_content(CHUNK):
            if self.position + len(chunk) > self._most:
                raise Stopped(Failure("too-large"))
            self._out.write(chunk)
            self.position += len(chunk)
            self._progress(self.position, self.total)
        self._out.flush()

    def is_right(self) -> bool:
        """Whether it has one of the expected hashes; true if there are none."""
        if not self._hashes:
            return True
        for name in {entry.partition(":")[0] for entry in self._hashes}:
            if not _is_computable(name):
                continue
            self._out.seek(0)
            digest = hashlib.new(name)
            while chunk := self._out.read(CHUNK):
                digest.update(chunk)
            self._out.seek(self.position)
            if f"{name}:{digest.hexdigest()}" in self._hashes:
                return True
        return False


class Downloader:
    """Downloads files from the first mirror that sends them whole and right."""

    def __init__(self, failover: Failover, transport: Transport, pages: MirrorPages) -> None:
        self._failover, self._transport, self._pages = failover, transport, pages

    def download(
        self,
        url: str,
        dest: Path,
        hashes: Collection[str] | None = None,
        *,
        progress: Callable[[int, int], None] = lambda *_: None,
        unless_ranges: type[Exception] | None = None,
        part: Path | None = None,
    ) -> None:
        """A whole file of one of these hashes ("sha256:…"), else of the hash that is listed.

        `progress` is called with the bytes so far and in all. With `part` an unfinished file is
        kept there, and the next run goes on with it.

        Raises:
            NotDownloadedError: no mirror gave it.
            unless_ranges: the server could send parts.
        """
        filename, listed = filename_of(url), self._pages.file_at(url)
        if hashes is None:
            hashes = [f"{name}:{value}" for name, value in listed.hashes.items()] if listed else []
        size = (listed.size if listed else None) or 0
        with _part_file(dest, part) as path, path.open("r+b") as out:
            download = Download(out, filename, hashes, size, progress, unless_ranges=unless_ranges)
            request = IndexRequest(
                filename,
                ("files", "large") if size >= LARGE else ("files",),
                percent=lambda: download.percent,
            )
            is_whole = download.resume()
            while not (is_whole or self._try_all(download, url, request)):
                self._failover.pause(request)
            out.close()
            path.replace(dest)

    def _try_all(self, download: Download, url: str, request: IndexRequest) -> bool:
        for root, address in self._pages.locations(url, request):
            failure = self._try(download, root, address, request)
            if failure is None:
                self._failover.report_missing(request.failures, root)
                return True
            self._failover.record(request, root, failure)
        return False

    def _try(
        self, download: Download, root: IndexRoot, address: str, request: IndexRequest
    ) -> Failure | None:
        """The file, or its rest, from one mirror, which may cut off a large one now and then."""
        for _ in range(CUTS + 2):
            position, scopes = download.position, request.scopes
            failure = self._try_once(download, root, address, request)
            if request.scopes != scopes:
                continue
            if failure is None and (download.is_right() or not download.is_mixed):
                break
            if failure is None:
                download.restart()  # one of the mirrors sent something else, and which is unknown
            elif (
                failure.is_slow
                or not (download.is_resumable and download.total >= LARGE)
                or download.position <= position
            ):
                break
            else:
                consequence = f": resuming at {download.percent} %"
                self._failover.report(root, failure, consequence, once="cut, and going on")
        if failure is None and not download.is_right():
            failure = Failure("corrupt", name=download.name)
            download.restart()
        elif failure is not None and download.total < LARGE and not failure.is_slow:
            download.restart()
        return failure

    def _try_once(
        self, download: Download, root: IndexRoot, address: str, request: IndexRequest
    ) -> Failure | None:
        with ExitStack() as stack:
            if "large" in request.scopes:
                stack.enter_context(self._transport.large_slot(address))
            stack.enter_context(self._transport.slot(address))
            headers = {"Accept-Encoding": "identity", "Cache-Control": "no-store"}
            if download.position:
                headers["Range"] = f"bytes={download.position}-"
            is_last = self._failover.is_last(request, root)
            answer = self._transport.send(
                "get", address, root, request, is_last=is_last, headers=headers
            )
            if isinstance(answer, Failure):
                return answer
            stack.callback(answer.close)
            if answer.status_code == requests.codes.requested_range_not_satisfiable:
                download.restart()
                return Failure("no-resume", name=download.name)
            failure = failure_of_file(
                answer,
                download.name,
                scope="large files here" if "large" in request.scopes else "files",
            )
            if failure is not None or not answer.ok:
                return failure or Failure("status", answer.status_code)
            download.begin(answer, root.url)
            if download.total >= LARGE and "large" not in request.scopes:
                # HTML pages do not say how large a file is. It is requested again in a large slot:
                # waiting for that must not occupy a connection that others need.
                request.scopes = (*request.scopes, "large")
                return None
            try:
                download.copy(answer)
            except Stopped as error:
                if not error.failure.is_slow:
                    download.restart()
                return error.failure
            except requests.RequestException as error:
                if failure_of_error(error, transport.READ).kind == "timeout":
                    return Failure("stalled", seconds=transport.READ)
                return Failure("cut-off", name=download.name)
            return None if download.is_whole else Failure("cut-off", name=download.name)


@contextmanager
def _part_file(dest: Path, kept: Path | None) -> Iterator[Path]:
    """The one that is kept, else one beside `dest`, deleted unless it is moved there."""
    if kept is not None:
        kept.touch()
        yield kept
        return
    handle, raw = tempfile.mkstemp(prefix=f"{dest.name}.", suffix=".part", dir=dest.parent)
    os.close(handle)
    part = Path(raw)
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def is_one_of(content: bytes, hashes: Mapping[str, str]) -> bool:
    """Whether content has the hash that is listed for it; true if none of them can be computed."""
    known = [name for name in hashes if _is_computable(name)]
    return not known or any(
        hashlib.new(name, content).hexdigest() == hashes[name] for name in known
    )


def _is_computable(name: str) -> bool:
    # The hashes of the shake family have any length.
    return name in hashlib.algorithms_available and not name.startswith("shake")
