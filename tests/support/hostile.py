"""Answers that are meant to harm who reads them: for `Mount.hostile`.

Each is a function of what an honest server would send, and gives all bytes that are sent instead.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import json
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import cache

from tests.support.index import JSON_TYPE, Hostile, Kind

MB = 1_000_000


def sent(
    *parts: bytes, status: str = "200 OK", kind: str = JSON_TYPE, headers: Iterable[str] = ()
) -> Iterator[bytes]:
    """An answer with these headers and parts, without a length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", *headers, "", ""]
    yield "\r\n".join(lines).encode()
    yield from parts


def always(kinds: set[Kind], make: Callable[[], Iterable[bytes]]) -> Hostile:
    """In place of each answer of these kinds."""
    return lambda kind, _body, _span: make() if kind in kinds else None


def page(*parts: bytes, kind: str = JSON_TYPE, headers: Iterable[str] = ()) -> Hostile:
    """In place of each page."""
    return always({"page"}, lambda: sent(*parts, kind=kind, headers=headers))


def html(text: str) -> Hostile:
    return page(f"<!DOCTYPE html><html><body>{text}".encode(), kind="text/html")


def raw(*parts: bytes) -> Hostile:
    """In place of each page, from the first byte on."""
    return always({"page"}, lambda: parts)


def endless(part: bytes, *, head: bytes = b"", seconds: float = 0.0) -> Iterator[bytes]:
    """For ever the same, with pauses."""
    yield head
    for _ in itertools.count():
        yield part
        time.sleep(seconds)


def trickle(kinds: set[Kind], *, size: int, seconds: float) -> Hostile:
    """The honest answer, so many bytes at a time."""

    def answer(kind: Kind, body: bytes, span: str | None) -> Iterator[bytes] | None:
        if kind not in kinds:
            return None
        length = f"Content-Length: {10 * MB}"
        status = "206 Partial Content" if span else "200 OK"
        ranges = [f"Content-Range: bytes 0-{10 * MB - 1}/{10 * MB}"] if span else []
        head = b"".join(sent(status=status, headers=[length, *ranges]))
        return endless(b" " * size, head=head, seconds=seconds)

    return answer


def edited(**changes: object) -> Hostile:
    """Each page with these fields in each file."""

    def answer(kind: Kind, body: bytes, _: str | None) -> Iterator[bytes] | None:
        if kind != "page":
            return None
        content = json.loads(body)
        for file in content["files"]:
            file.update(changes)
        return sent(json.dumps(content).encode().replace(b'"1e999"', b"1e999"))

    return answer


def added(**file: object) -> Hostile:
    """Each page with one more file."""

    def answer(kind: Kind, body: bytes, _: str | None) -> Iterator[bytes] | None:
        if kind != "page":
            return None
        content = json.loads(body)
        content["files"].append({**content["files"][-1], **file})
        return sent(json.dumps(content).encode())

    return answer


def in_html(charset: str) -> Hostile:
    """Each page in HTML, long, and said to be in this charset."""

    def answer(kind: Kind, body: bytes, _: str | None) -> Iterator[bytes] | None:
        if kind != "page":
            return None
        links = [
            f'<a href="{file["url"]}#sha256={file["hashes"]["sha256"]}">{file["filename"]}</a>'
            for file in json.loads(body)["files"]
        ]
        text = f"<html><body>{''.join(links)}{'x-' * MB}</body></html>"
        return sent(text.encode(), kind=f"text/html; charset={charset}")

    return answer


def wheel(members: dict[str, bytes], *, spoil: tuple[bytes, bytes] = (b"", b"")) -> Hostile:
    """In place of each wheel, one with these members; of its directory one part is replaced."""
    content = _archive(tuple(members.items())).replace(*spoil) if spoil[0] else None

    def answer(kind: Kind, body: bytes, span: str | None) -> Iterator[bytes] | None:
        if kind != "file":
            return None
        data = content or _archive(tuple(members.items()))
        if span is None:
            return sent(data, headers=[f"Content-Length: {len(data)}", "Accept-Ranges: bytes"])
        first, _, last = span.removeprefix("bytes=").partition("-")
        start = int(first) if first else max(0, len(data) - int(last))
        end = min(int(last) if first and last else len(data) - 1, len(data) - 1)
        part = data[start : end + 1]
        headers = [
            f"Content-Length: {len(part)}",
            f"Content-Range: bytes {start}-{end}/{len(data)}",
            "Accept-Ranges: bytes",
        ]
        return sent(part, status="206 Partial Content", headers=headers)

    return answer


def metadata_beside(content: bytes) -> Hostile:
    """In place of the metadata beside each wheel (PEP 658), with the hash that the page lists."""
    listed = edited(**{"core-metadata": {"sha256": hashlib.sha256(content).hexdigest()}})

    def answer(kind: Kind, body: bytes, span: str | None) -> Iterable[bytes] | None:
        return sent(content) if kind == "metadata" else listed(kind, body, span)

    return answer


def whole_wheel(members: dict[str, bytes]) -> Hostile:
    """In place of each wheel, one with these members, with the hash that the page lists.

    It is sent whole alone.
    """

    def answer(kind: Kind, body: bytes, span: str | None) -> Iterable[bytes] | None:
        data = _archive(tuple(members.items()))
        if kind == "file":
            return sent(data, headers=[f"Content-Length: {len(data)}"])
        listed = edited(hashes={"sha256": hashlib.sha256(data).hexdigest()}, size=len(data))
        return listed(kind, body, span)

    return answer


@cache
def _archive(members: tuple[tuple[str, bytes], ...]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            with archive.open(name, "w") as file:
                repeats = 500 if data == b"bomb" else 1
                for _ in range(repeats):
                    file.write(b"\n" * MB if data == b"bomb" else data)
    return buffer.getvalue()


@cache
def packed(times: int = 1) -> bytes:
    """What unpacks to 2 GB, or, packed twice, to that many of these."""
    member = gzip.compress(bytes(64 * MB))
    once = member * 32
    return once if times == 1 else gzip.compress(once * 100)
