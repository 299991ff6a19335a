"""A package index on 127.0.0.1: wheels made on the fly, served as PyPI and its mirrors do it.

One set of packages is seen through several mounts, each with an address and a behaviour of its
own, so that a mirror and PyPI can be told apart in the log and still give the same files:

    with LocalIndex() as index:
        index.add("demo", "1.0", requires=["numpy (>=1.20)"])
        pypi = index.mount("pypi", api=True)
        mirror = index.mount("mirror", formats=("html",), metadata=False)
        ...  # point an installer at mirror.url
        mirror.page_status = 503  # from now on
        assert [r.status for r in mirror.requests if r.kind == "page"] == [200, 503]
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import re
import threading
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email.message import Message
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, cast
from urllib.parse import unquote, urlsplit

from packaging.tags import parse_tag
from packaging.utils import canonicalize_name
from packaging.version import Version

Format = Literal["json", "html"]
Kind = Literal["root", "page", "api", "metadata", "file", "other"]

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
ANY = "py3-none-any"

Hostile = Callable[[Kind, bytes, "str | None"], "Iterable[bytes] | None"]
"""(kind, honest body, header Range) -> all bytes that are sent, or None for the honest answer."""


@dataclass(frozen=True)
class Wheel:
    """One file as the index serves it. The same distribution gives the same bytes in every run."""

    filename: str
    content: bytes
    metadata: bytes

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def metadata_sha256(self) -> str:
        return hashlib.sha256(self.metadata).hexdigest()


@dataclass(frozen=True)
class Distribution:
    """Wheels of one version that share their metadata.

    A version whose wheels differ by platform, as TensorFlow's do, is several distributions.
    """

    name: str
    version: str
    requires: tuple[str, ...] = ()
    requires_python: str | None = None
    tags: tuple[str, ...] = (ANY,)
    members: Mapping[str, bytes] = field(default_factory=dict)
    yanked: str | None = None
    uploaded: str = "2024-01-01T00:00:00.000000Z"
    hollow: bool = False
    """Whether the wheels have nothing but metadata."""
    sdist: bool = False
    """Whether there is a source archive besides; it is no real one."""

    @property
    def key(self) -> str:
        """The normalised name, under which the index has it."""
        return canonicalize_name(self.name)

    @property
    def extras(self) -> tuple[str, ...]:
        """The extras that the requirements' markers speak of."""
        found = (re.findall(r"extra\s*==\s*[\"']([^\"']+)[\"']", line) for line in self.requires)
        return tuple(sorted({extra for extras in found for extra in extras}))

    @property
    def metadata(self) -> bytes:
        """The METADATA file."""
        lines = ["Metadata-Version: 2.1", f"Name: {self.name}", f"Version: {self.version}"]
        lines.append(f"Summary: A stand-in for {self.name}")
        if self.requires_python:
            lines.append(f"Requires-Python: {self.requires_python}")
        lines += [f"Provides-Extra: {extra}" for extra in self.extras]
        lines += [f"Requires-Dist: {requirement}" for requirement in self.requires]
        return ("\n".join(lines) + "\n").encode()

    @cached_property
    def wheels(self) -> tuple[Wheel, ...]:
        """The files, one a tag."""
        stem = f"{self.key.replace('-', '_')}-{self.version}"
        sdist = Wheel(f"{stem}.tar.gz", stem.encode(), self.metadata)
        return (*(self._wheel(stem, tag) for tag in self.tags), *[sdist][: self.sdist])

    def _wheel(self, stem: str, tag: str) -> Wheel:
        info = f"{stem}.dist-info"
        module = self.key.replace("-", "_")
        pure = "true" if tag.endswith("-none-any") else "false"
        tags = "".join(f"Tag: {one}\n" for one in sorted(map(str, parse_tag(tag))))
        code = f'__version__ = "{self.version}"\n'
        members = {
            **({} if self.hollow else {f"{module}/__init__.py": code.encode()}),
            **self.members,
            f"{info}/METADATA": self.metadata,
            f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: {pure}\n{tags}".encode(),
        }
        record = "".join(f"{path},{_digest(data)},{len(data)}\n" for path, data in members.items())
        members[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
        return Wheel(f"{stem}-{tag}.whl", _archive(members), self.metadata)


def _digest(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
    return f"sha256={digest.decode().rstrip('=')}"


def _archive(members: Mapping[str, bytes]) -> bytes:
    """A zip file that says nothing of the time and the machine that made it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, data in members.items():
            entry = zipfile.ZipInfo(path, (2024, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, data)
    return buffer.getvalue()


@dataclass(frozen=True)
class Request:
    """One request as the log keeps it; `path` is as asked, the mount's name included."""

    mount: str
    method: str
    path: str
    kind: Kind
    range: str | None
    status: int
    credentials: str | None = None
    """The header Authorization."""

    @property
    def package(self) -> str | None:
        """The package that a page, an API record, a file or its metadata was asked of."""
        parts = self.path.strip("/").split("/")[1:]
        if self.kind in {"page", "api"}:
            return parts[1]
        if self.kind in {"file", "metadata"}:
            return canonicalize_name(parts[1].split("-")[0])
        return None


@dataclass
class Mount:
    """One way to see the index. Every field may be set at any time and holds from then on."""

    name: str
    root: str
    """Where the mount begins: what Poetry's own PyPiRepository takes as its address."""
    formats: tuple[Format, ...] = ("json", "html")
    """What index pages are offered as; with both, the Accept header decides."""
    absolute: bool = True
    """Whether pages name files by whole addresses, as PyPI does, or relative to the page."""
    range: bool = True
    """Whether parts of files can be asked for."""
    metadata: bool = True
    """Whether the METADATA of wheels is served beside them (PEP 658)."""
    api: bool = False
    """Whether there is `/pypi/<name>/<version>/json`, as on PyPI and on no mirror."""
    delay: float = 0.0
    """Seconds before each answer."""
    hangs: Kind | None = None
    """The kind of answers that take for ever."""
    is_hanging: bool = False
    """Whether one was asked for."""
    pace: float | None = None
    """Bytes a second at which pages and files are sent."""
    page_status: int | None = None
    """Answered to every page and to the API instead of what was asked for."""
    file_status: int | None = None
    """Answered to every file and its metadata instead of what was asked for."""
    metadata_status: int | None = None
    """Answered to the metadata of every file, whether it is listed or not."""
    retry_after: str | None = None
    """Sent along with each of these statuses."""
    page_type: str | None = None
    """The content type that every page claims to be of."""
    page_body: bytes | None = None
    """Sent in place of every page."""
    cut_pages: bool = False
    """Whether pages end after three fifths."""
    cut: int = 0
    """How many answers with a file end after three fifths of it; -1: all of them."""
    blocks_after: int | None = None
    """After how many answers with a file the rest get 403."""
    recovers: int | None = None
    """After how many answers `page_status` is over."""
    corrupt: bool = False
    """Whether files have another byte in their middle, if they are asked for as a whole."""
    hostile: Hostile | None = None
    """What is sent in place of an answer."""
    hidden: tuple[str, ...] = ()
    """Packages, or versions (`"demo==1.1"`), that are not there."""
    hashes: Callable[[Wheel], Mapping[str, str]] = lambda wheel: {"sha256": wheel.sha256}
    """The hashes that pages list for a file."""
    max_age: int | None = None
    """Seconds for which pages may be cached."""
    requests: list[Request] = field(default_factory=list)
    """What was asked of this mount, in order."""
    at_once: dict[str, int] = field(default_factory=dict, repr=False)
    """How many answers are under way, and how many were at most: all, and those with a file."""

    @property
    def most_at_once(self) -> int:
        return self.at_once.get("most", 0)

    @property
    def most_files_at_once(self) -> int:
        return self.at_once.get("most files", 0)

    @property
    def url(self) -> str:
        """The address of the simple index, with a slash at its end."""
        return f"{self.root}simple/"

    def address(self, wheel: Wheel) -> str:
        """A file's address as pages have it."""
        return f"{self.root if self.absolute else '../../'}packages/{wheel.filename}"

    def shows(self, distribution: Distribution) -> bool:
        """Whether the distribution is to be seen here."""
        key = distribution.key
        return not {key, f"{key}=={distribution.version}"} & set(self.hidden)


@dataclass(frozen=True)
class _Answer:
    status: int
    body: bytes = b""
    kind: Kind = "other"
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    raw: Iterable[bytes] | None = None
    pace: float | None = None


class LocalIndex:
    """The server. A context manager; the packages may be added before and while it runs.

    The keyword arguments are the behaviour of the mount that is there from the start (see `Mount`);
    `url` is that one's address.
    """

    def __init__(self, **behaviour: Any) -> None:
        self.requests: list[Request] = []
        self._distributions: dict[str, list[Distribution]] = {}
        self._mounts: dict[str, Mount] = {}
        self._lock = threading.Lock()
        self._busy = 0
        self.busiest = 0
        """The most requests that were being answered at the same time."""
        self._server = _Server(self)
        self._behaviour = behaviour
        self.default = self.mount("index", **behaviour)

    @property
    def url(self) -> str:
        """The simple root of the mount that is there from the start; ends in `/simple/`."""
        return self.default.url

    def named(self, name: str) -> Mount:
        """The mount of this name."""
        return self._mounts[name]

    @property
    def mounts(self) -> list[Mount]:
        """All ways in which the packages are to be seen."""
        return list(self._mounts.values())

    def mount(self, name: str, **behaviour: Any) -> Mount:
        """The packages once more, at an address of their own; replaces a mount of that name."""
        root = f"http://127.0.0.1:{self._server.server_port}/{name}/"
        self._mounts[name] = Mount(name=name, root=root, **behaviour)
        return self._mounts[name]

    def add(
        self,
        name: str,
        version: str,
        *,
        requires: Iterable[str] = (),
        requires_python: str | None = None,
        tags: Iterable[str] = (ANY,),
        members: Mapping[str, bytes] | None = None,
        yanked: str | None = None,
        uploaded: str = Distribution.uploaded,
        sdist: bool = False,
    ) -> Distribution:
        """Adds wheels; a second call with the same name and version adds further wheels to it."""
        distribution = Distribution(
            name,
            version,
            requires=tuple(requires),
            requires_python=requires_python,
            tags=tuple(tags),
            members=members or {},
            yanked=yanked,
            uploaded=uploaded,
            sdist=sdist,
        )
        self.extend([distribution])
        return distribution

    def extend(self, distributions: Iterable[Distribution]) -> None:
        """Adds distributions that exist already: their wheels are made once for all indexes."""
        for distribution in distributions:
            self._distributions.setdefault(distribution.key, []).append(distribution)

    @property
    def distributions(self) -> list[Distribution]:
        """All that it has, to be put into another index."""
        return [item for items in self._distributions.values() for item in items]

    def versions(self, name: str) -> list[str]:
        """The versions that the index has of a package, in the order in which they were added."""
        known = self._distributions.get(canonicalize_name(name), [])
        return list(dict.fromkeys(distribution.version for distribution in known))

    def reset(self) -> None:
        """Forgets the log and all mounts; the first is as it was made, and the packages stay."""
        with self._lock:
            self.requests.clear()
            self._mounts.clear()
            self.default = self.mount("index", **self._behaviour)

    def __enter__(self) -> LocalIndex:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    # What follows runs in the server's threads.

    def answer(self, method: str, path: str, headers: Message) -> _Answer:
        """The answer to one request; the log gets its line before the client gets the answer."""
        parts = [unquote(part) for part in urlsplit(path).path.strip("/").split("/")]
        mount = self._mounts.get(parts[0])
        if mount is None:
            return _Answer(404)
        with self._lock:
            self._busy += 1
            self.busiest = max(self.busiest, self._busy)
        with self._counted(mount, "packages" in parts):
            if mount.delay:
                time.sleep(mount.delay)
            answer = self._route(mount, parts[1:], headers)
        span = headers.get("Range")
        answer = replace(answer, pace=mount.pace)
        if answer.kind == mount.hangs:
            mount.is_hanging = True
            time.sleep(60)
        if mount.hostile is not None:
            answer = replace(answer, raw=mount.hostile(answer.kind, answer.body, span))
        secret = headers.get("Authorization")
        request = Request(mount.name, method, path, answer.kind, span, answer.status, secret)
        with self._lock:
            self._busy -= 1
            self.requests.append(request)
            mount.requests.append(request)
        return answer

    @contextmanager
    def _counted(self, mount: Mount, is_file: bool) -> Iterator[None]:
        kinds = ("", " files") if is_file else ("",)
        count = mount.at_once
        with self._lock:
            for kind in kinds:
                count[f"now{kind}"] = count.get(f"now{kind}", 0) + 1
                count[f"most{kind}"] = max(count.get(f"most{kind}", 0), count[f"now{kind}"])
        yield
        with self._lock:
            for kind in kinds:
                count[f"now{kind}"] -= 1

    def _route(self, mount: Mount, parts: list[str], headers: Message) -> _Answer:
        match parts:
            case ["simple"]:
                return _or_status(mount, mount.page_status, "root", self._root(mount, headers))
            case ["simple", name]:
                answer = self._page(mount, name, headers)
                if answer.status == 200:
                    body = answer.body if mount.page_body is None else mount.page_body
                    kind = mount.page_type or answer.content_type
                    cut = mount.cut_pages
                    answer = replace(answer, body=body, content_type=kind, cut=cut)
                    if mount.max_age is not None:
                        answer = _cacheable(answer, mount.max_age, headers)
                if mount.recovers is not None:
                    mount.recovers -= 1
                    if mount.recovers < 0:
                        mount.page_status = None
                return _or_status(mount, mount.page_status, "page", answer)
            case ["pypi", name, *version, "json"] if len(version) < 2:
                return _or_status(mount, mount.page_status, "api", self._api(mount, name, version))
            case ["packages", filename] if filename.endswith(".metadata"):
                answer = self._metadata(mount, filename.removesuffix(".metadata"))
                status = mount.metadata_status or mount.file_status
                return _or_status(mount, status, "metadata", answer)
            case ["packages", filename]:
                answer = self._file(mount, filename, headers)
                if mount.blocks_after is not None:
                    mount.blocks_after -= 1
                    if mount.blocks_after < 0:
                        mount.file_status = 403
                if mount.cut and answer.status in {200, 206}:
                    mount.cut -= 1
                    answer = replace(answer, cut=True)
                return _or_status(mount, mount.file_status, "file", answer)
        return _Answer(404)

    def _shown(self, mount: Mount, name: str) -> list[Distribution]:
        known = self._distributions.get(canonicalize_name(name), [])
        return [distribution for distribution in known if mount.shows(distribution)]

    def _root(self, mount: Mount, headers: Message) -> _Answer:
        names = sorted(name for name in self._distributions if self._shown(mount, name))
        if _wants_json(mount, headers):
            return _json({"meta": {"api-version": "1.1"}, "projects": [{"name": n} for n in names]})
        return _html("Simple index", (f'<a href="{name}/">{name}</a>' for name in names))

    def _page(self, mount: Mount, name: str, headers: Message) -> _Answer:
        shown = self._shown(mount, name)
        if not shown:
            return _Answer(404)
        wheels = [(distribution, wheel) for distribution in shown for wheel in distribution.wheels]
        if not _wants_json(mount, headers):
            return _html(f"Links for {name}", (_anchor(mount, *pair) for pair in wheels))
        return _json(
            {
                "meta": {"api-version": "1.1"},
                "name": shown[0].key,
                "versions": list(dict.fromkeys(distribution.version for distribution in shown)),
                "files": [_file_record(mount, *pair) for pair in wheels],
            }
        )

    def _api(self, mount: Mount, name: str, version: list[str]) -> _Answer:
        shown = self._shown(mount, name) if mount.api else []
        versions = version or [distribution.version for distribution in shown]
        asked = max(map(Version, versions), default=None)
        shown = [distribution for distribution in shown if Version(distribution.version) == asked]
        if not shown:
            return _Answer(404, b"{}", content_type="application/json")
        # As on PyPI, the file that was uploaded first speaks for its version.
        first = min(shown, key=lambda distribution: distribution.uploaded)
        info = {
            "name": first.name,
            "version": first.version,
            "summary": f"A stand-in for {first.name}",
            "requires_dist": list(first.requires) or None,
            "requires_python": first.requires_python,
            "yanked": first.yanked is not None,
            "yanked_reason": first.yanked,
        }
        urls = [
            {
                "filename": wheel.filename,
                "packagetype": "bdist_wheel",
                "digests": {"sha256": wheel.sha256},
                "url": f"{mount.root}packages/{wheel.filename}",
                "size": len(wheel.content),
                "upload_time_iso_8601": distribution.uploaded,
                "requires_python": distribution.requires_python,
                "yanked": distribution.yanked is not None,
                "yanked_reason": distribution.yanked,
            }
            for distribution in shown
            for wheel in distribution.wheels
        ]
        return _json({"info": info, "urls": urls}, "application/json")

    def _wheel(self, mount: Mount, filename: str) -> Wheel | None:
        for distribution in self._shown(mount, filename.split("-", maxsplit=1)[0]):
            for wheel in distribution.wheels:
                if wheel.filename == filename:
                    return wheel
        return None

    def _metadata(self, mount: Mount, filename: str) -> _Answer:
        wheel = self._wheel(mount, filename) if mount.metadata else None
        return _Answer(200, wheel.metadata) if wheel else _Answer(404)

    def _file(self, mount: Mount, filename: str, headers: Message) -> _Answer:
        wheel = self._wheel(mount, filename)
        if wheel is None:
            return _Answer(404)
        content = wheel.content
        if mount.corrupt and (not mount.range or headers.get("Range") is None):
            middle = len(content) // 2
            content = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        if not mount.range:
            return _Answer(200, content, content_type="application/octet-stream")
        return _ranged(content, headers.get("Range"))


def _cacheable(answer: _Answer, age: int, headers: Message) -> _Answer:
    """An answer that may be cached, or that what is cached still holds."""
    tag = f'"{hashlib.sha256(answer.body).hexdigest()}"'
    sent = {"Cache-Control": f"max-age={age}", "ETag": tag}
    if headers.get("If-None-Match") == tag:
        return _Answer(304, kind="page", headers=sent)
    return replace(answer, headers=sent)


def _or_status(mount: Mount, status: int | None, kind: Kind, answer: _Answer) -> _Answer:
    if status is not None:
        wait = {"Retry-After": mount.retry_after} if mount.retry_after else {}
        body = f"status {status}, as the test asked for".encode()
        return _Answer(status, body, kind, headers=wait)
    return replace(answer, kind=kind)


def _wants_json(mount: Mount, headers: Message) -> bool:
    if "html" not in mount.formats:
        return True
    return "json" in mount.formats and JSON_TYPE in headers.get("Accept", "")


def _json(content: Mapping[str, Any], content_type: str = JSON_TYPE) -> _Answer:
    return _Answer(200, json.dumps(content).encode(), content_type=content_type)


def _html(title: str, anchors: Iterable[str]) -> _Answer:
    lines = "".join(f"    {anchor}<br/>\n" for anchor in anchors)
    text = f"<!DOCTYPE html>\n<html>\n  <head><title>{title}</title></head>\n  <body>\n{lines}"
    return _Answer(200, f"{text}  </body>\n</html>\n".encode(), content_type="text/html")


def _file_record(mount: Mount, distribution: Distribution, wheel: Wheel) -> dict[str, Any]:
    record: dict[str, Any] = {
        "filename": wheel.filename,
        "url": mount.address(wheel),
        "hashes": dict(mount.hashes(wheel)),
        "size": len(wheel.content),
        "upload-time": distribution.uploaded,
        "yanked": distribution.yanked or False,
    }
    if distribution.requires_python:
        record["requires-python"] = distribution.requires_python
    if mount.metadata:
        digest = {"sha256": wheel.metadata_sha256}
        record |= {"core-metadata": digest, "data-dist-info-metadata": digest}  # PyPI's spelling
    return record


def _anchor(mount: Mount, distribution: Distribution, wheel: Wheel) -> str:
    fragment = "&".join(f"{name}={digits}" for name, digits in mount.hashes(wheel).items())
    attributes = {"href": f"{mount.address(wheel)}#{fragment}".removesuffix("#")}
    if distribution.requires_python:
        attributes["data-requires-python"] = distribution.requires_python
    if distribution.yanked is not None:
        attributes["data-yanked"] = distribution.yanked
    if mount.metadata:
        digest = f"sha256={wheel.metadata_sha256}"
        attributes |= {"data-core-metadata": digest, "data-dist-info-metadata": digest}
    text = " ".join(f'{name}="{html.escape(value)}"' for name, value in attributes.items())
    return f"<a {text}>{wheel.filename}</a>"


def _ranged(content: bytes, span: str | None) -> _Answer:
    """A file, or the part of it that `bytes=a-b`, `bytes=a-` or `bytes=-n` asks for."""
    kind, size = "application/octet-stream", len(content)
    accepts = {"Accept-Ranges": "bytes"}
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", span or "")
    if match is None or match.group() == "bytes=-":
        return _Answer(200, content, content_type=kind, headers=accepts)
    first, last = match.groups()
    start = int(first) if first else max(size - int(last), 0)
    end = min(int(last), size - 1) if first and last else size - 1
    if start > end:
        return _Answer(416, headers={**accepts, "Content-Range": f"bytes */{size}"})
    part = {**accepts, "Content-Range": f"bytes {start}-{end}/{size}"}
    return _Answer(206, content[start : end + 1], content_type=kind, headers=part)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, index: LocalIndex) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.index = index

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else small answers stall for 40 ms

    def do_GET(self) -> None:
        index = cast("_Server", self.server).index
        answer = index.answer(self.command, self.path, self.headers)
        if answer.raw is not None:
            self.close_connection = True
            for part in answer.raw:
                self.wfile.write(part)
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if answer.cut:
            self.close_connection = True
        if self.command != "HEAD":
            size = len(answer.body)
            body = answer.body[: size * 3 // 5 if answer.cut else size]
            step = max(1, int(answer.pace / 50)) if answer.pace else max(1, len(body))
            for start in range(0, len(body), step):
                self.wfile.write(body[start : start + step])
                if answer.pace:
                    time.sleep(0.02)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """The log is the index's `requests`."""
