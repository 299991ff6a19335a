"""An index on 127.0.0.1 that is as slow as a mirror somewhere, and counts what it is asked.

Its packages are those of another simple index, the upstream, of which it keeps each page and each
part of a file in a folder: the second run through it asks the upstream nothing. Like mirrors it has
JSON pages and ranges, and no metadata beside the wheels.

    http://127.0.0.1:PORT/<side>/simple/<name>/

Requests and bytes are counted by side, a word that each tool is given in its address.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import json
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import urljoin

import requests

CHUNK = 65536
JSON = "application/vnd.pypi.simple.v1+json"


@dataclass(frozen=True)
class Shape:
    """How slow: seconds for a request, for a connection, and bytes a second on each."""

    request: float = 0.03
    connection: float = 0.06
    bandwidth: float = 10_000_000


@dataclass
class Count:
    """What one side has asked."""

    requests: int = 0
    bytes: int = 0


class SlowIndex:
    """The server; `counts` may be cleared at any time."""

    def __init__(self, upstream: str, folder: Path, shape: Shape) -> None:
        self.counts: dict[str, Count] = defaultdict(Count)
        self.shape = shape
        self._upstream, self._folder = upstream.rstrip("/"), folder
        self._files: dict[str, dict[str, Any]] = {}
        self._locks: dict[Path, threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()
        self._server = _Server(self)
        folder.mkdir(parents=True, exist_ok=True)

    def url(self, side: str) -> str:
        """The simple index as one side is to ask it."""
        return f"http://127.0.0.1:{self._server.server_port}/{side}/simple/"

    @contextmanager
    def running(self) -> Iterator[SlowIndex]:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()

    def count(self, side: str, sent: int) -> None:
        with self._lock:
            self.counts[side].requests += 1
            self.counts[side].bytes += sent

    @functools.cache  # noqa: B019 - there is one of these a process
    def page(self, name: str) -> bytes | None:
        """The page of a package, with the files named relative to it; None if there is none."""
        raw = self._kept(f"{self._upstream}/{name}/", {"Accept": JSON})
        if raw is None:
            return None
        page = json.loads(raw.read_bytes())
        for file in page["files"]:
            url = urljoin(f"{self._upstream}/{name}/", file["url"])
            key = hashlib.sha256(url.encode()).hexdigest()[:16]
            self._files[key] = {"url": url, "size": file.get("size")}
            file["url"] = f"../../files/{key}/{file['filename']}"
            for name_of_it in ("core-metadata", "dist-info-metadata", "data-dist-info-metadata"):
                file.pop(name_of_it, None)
        return json.dumps(page).encode()

    def size(self, key: str) -> int:
        """The size of a file."""
        file = self._files[key]
        if file["size"] is None:
            answer = requests.head(file["url"], timeout=60, allow_redirects=True)
            file["size"] = int(answer.headers["Content-Length"])
        return cast("int", file["size"])

    def part(self, key: str, start: int, end: int) -> Path:
        """A file with bytes of a file, the last one included."""
        found = self._kept(self._files[key]["url"], {"Range": f"bytes={start}-{end}"})
        assert found is not None
        return found

    def _kept(self, url: str, headers: dict[str, str]) -> Path | None:
        name = hashlib.sha256(json.dumps([url, headers]).encode()).hexdigest()
        path = self._folder / name
        with self._lock:
            lock = self._locks[path]
        with lock:
            if not path.exists():
                answer = requests.get(url, headers=headers, timeout=300, stream=True)
                if answer.status_code == 404:
                    return None
                answer.raise_for_status()
                part = path.with_suffix(".part")
                with part.open("wb") as file:
                    for chunk in answer.iter_content(CHUNK):
                        file.write(chunk)
                part.rename(path)
            return path


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, index: SlowIndex) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.index = index
        self.packed: dict[str, bytes] = {}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else small answers stall for 40 ms

    def setup(self) -> None:
        super().setup()
        self._is_fresh = True

    def do_GET(self) -> None:
        server = cast("_Server", self.server)
        index, shape = server.index, server.index.shape
        side, kind, *rest = self.path.strip("/").split("/")
        status, headers, length = 404, {}, 0
        body: IO[bytes] = io.BytesIO()
        if kind == "simple" and rest and (page := index.page(rest[0])) is not None:
            status, headers["Content-Type"] = 200, JSON
            if "gzip" in self.headers.get("Accept-Encoding", ""):
                if rest[0] not in server.packed:
                    server.packed[rest[0]] = gzip.compress(page, 5)
                headers["Content-Encoding"], page = "gzip", server.packed[rest[0]]
            body, length = io.BytesIO(page), len(page)
        elif kind == "files" and rest[0] in index._files:
            size = index.size(rest[0])
            status, start, end = _span(self.headers.get("Range"), size)
            headers = {"Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
            if status == 206:
                headers["Content-Range"] = f"bytes {start}-{end}/{size}"
            length = end - start + 1
            if self.command == "GET":
                body = index.part(rest[0], start, end).open("rb")
        time.sleep(shape.request + (shape.connection if self._is_fresh else 0))
        self._is_fresh = False
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(length)}.items():
            self.send_header(name, value)
        self.end_headers()
        with body:
            while self.command != "HEAD" and (chunk := body.read(CHUNK)):
                self.wfile.write(chunk)
                time.sleep(len(chunk) / shape.bandwidth)
        index.count(side, 0 if self.command == "HEAD" else length)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """It is counted."""


def _span(header: str | None, size: int) -> tuple[int, int, int]:
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", header or "")
    if found is None or found[0] == "bytes=-":
        return 200, 0, size - 1
    if not found[1]:
        return 206, max(size - int(found[2]), 0), size - 1
    return 206, int(found[1]), min(int(found[2]), size - 1) if found[2] else size - 1
