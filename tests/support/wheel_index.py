"""A small package index on this machine, with wheels made for the purpose, and with faults."""

from __future__ import annotations

import hashlib
import html
import io
import json
import re
import threading
import time
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BUILD_INFO = """# Generated.
import collections

build_info = collections.OrderedDict([('cuda_compute_capabilities', ['sm_60', 'compute_80']), \
('cuda_version', '{cuda}'), ('cudnn_version', '{cudnn}'), ('is_cuda_build', True)])
"""
CPU_BUILD_INFO = "build_info = {'is_cuda_build': False}\n"
CUDNN_VERSION = """/* NVIDIA's */
#define CUDNN_MAJOR {0}
#define CUDNN_MINOR {1}
#define CUDNN_PATCHLEVEL {2}
#define CUDNN_VERSION (CUDNN_MAJOR * 10000 + CUDNN_MINOR * 100 + CUDNN_PATCHLEVEL)
"""
CUDA_CONFIG = """#define TF_CUDA_VERSION "{cuda}"
#define TF_CUDNN_VERSION "{cudnn}"
"""
INFO_PATH = "tensorflow/python/platform/build_info.py"
CUDNN_PATH = "tensorflow/include/external/cuda_cudnn/include/cudnn_version.h"
CONFIG_PATH = "tensorflow/include/third_party/gpus/cuda/cuda_config.h"
FRAMEWORK_PATH = "tensorflow/libtensorflow_framework.so.2"
LINUX = "manylinux_2_17_x86_64.manylinux2014_x86_64"


def metadata(name: str, version: str, requires: Iterable[str] = ()) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    return "\n".join([*lines, *(f"Requires-Dist: {one}" for one in requires), "", "Long text."])


def zipped(members: Mapping[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, text in members.items():
            archive.writestr(zipfile.ZipInfo(name), text, method)
    return stream.getvalue()


def tensorflow_wheel(
    version: str,
    *,
    requires: Iterable[str] = (),
    cuda: str | None = "12.5.1",
    cudnn: str = "9",
    exact: str | None = None,
    runpath: str | None = None,
    padding: int = 0,
) -> bytes:
    """A wheel with the members that matter, behind and before `padding` others."""
    members: dict[str, str | bytes] = {
        f"tensorflow/include/before/{i:05}.h": "" for i in range(padding)
    }
    members[INFO_PATH] = BUILD_INFO.format(cuda=cuda, cudnn=cudnn) if cuda else CPU_BUILD_INFO
    if runpath is not None:
        members[FRAMEWORK_PATH] = library(runpath)
    if exact:
        members[CUDNN_PATH] = CUDNN_VERSION.format(*exact.split("."))
    members |= {f"tensorflow/include/behind/{i:05}.h": "" for i in range(padding)}
    members[f"tensorflow-{version}.dist-info/METADATA"] = metadata("tensorflow", version, requires)
    return zipped(members)


def library(runpath: str, before: bytes = b"", behind: bytes = b"") -> bytes:
    """As much of a library as its RUNPATH is read from."""
    return b"\x7fELF" + before + b"\0" + runpath.encode() + b"\0" + behind


def hollow_wheel(name: str, version: str, requires: Iterable[str] = ()) -> bytes:
    """A wheel with nothing but metadata, as shims are, and companions as far as they matter."""
    path = f"{name.replace('-', '_')}-{version}.dist-info/METADATA"
    return zipped({path: metadata(name, version, requires)})


@dataclass
class File:
    """One file of the index."""

    name: str
    content: bytes = b""
    yanked: bool | str = False
    uploaded: str = "2024-05-06T07:08:09.123456Z"
    requires_python: str | None = None
    hashed: bool = True

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass
class MadeIndex:
    """What the server serves, and what it has seen."""

    projects: dict[str, list[File]] = field(default_factory=dict)
    json: bool = True
    ranges: bool = True
    gone: set[str] = field(default_factory=set)
    """Names of files and projects that are answered with 404."""
    broken: dict[str, int] = field(default_factory=dict)
    """Names of files and projects that are answered with this status."""
    pages: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Pages served as they are: media type and body."""
    delay: float = 0.0

    requests: list[str] = field(default_factory=list)
    whole: list[str] = field(default_factory=list)
    """The files that were asked for without a range."""
    open: int = 0
    most_open: int = 0
    url: str = ""

    def add(self, project: str, *files: File) -> None:
        self.projects.setdefault(project, []).extend(files)

    def files_asked(self) -> list[str]:
        return [path for path in self.requests if path.startswith("/files/")]

    def page(self, project: str) -> tuple[str, bytes]:
        if project in self.pages:
            return self.pages[project]
        files = self.projects[project]
        if self.json:
            body: dict[str, Any] = {
                "meta": {"api-version": "1.1"},
                "name": project,
                "files": [
                    {
                        "filename": file.name,
                        "url": f"../../files/{project}/{file.name}",
                        "hashes": {"sha256": file.sha256} if file.hashed else {},
                        "requires-python": file.requires_python,
                        "yanked": file.yanked,
                        "upload-time": file.uploaded,
                    }
                    for file in files
                ],
            }
            return "application/vnd.pypi.simple.v1+json", json.dumps(body).encode()
        links = []
        for file in files:
            more = f"#sha256={file.sha256}" if file.hashed else ""
            attributes = "" if file.yanked is False else f' data-yanked="{file.yanked}"'
            if file.requires_python:
                attributes += f' data-requires-python="{html.escape(file.requires_python)}"'
            href = f"../../files/{project}/{file.name}{more}"
            links.append(f'<a href="{href}"{attributes}>{file.name}</a><br/>')
        head = '<!DOCTYPE html><html><body><a href="../">up</a>'
        return "text/html; charset=utf-8", (head + "\n".join(links) + "</body></html>").encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for the client's acknowledgement
    index: MadeIndex
    lock: threading.Lock

    def setup(self) -> None:
        super().setup()
        with self.lock:
            self.index.open += 1
            self.index.most_open = max(self.index.most_open, self.index.open)

    def finish(self) -> None:
        with self.lock:
            self.index.open -= 1
        super().finish()

    def do_GET(self) -> None:
        index = self.index
        with self.lock:
            index.requests.append(self.path)
        time.sleep(index.delay)
        kind, project, *rest = self.path.strip("/").split("/")
        name = rest[0] if rest else project
        if name in index.broken:
            return self.answer(index.broken[name])
        if name in index.gone or (kind == "simple" and project not in index.projects):
            return self.answer(404)
        if kind == "simple":
            media, body = index.page(project)
            return self.answer(200, body, {"Content-Type": media})
        content = next(file.content for file in index.projects[project] if file.name == name)
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if wanted is None:
            index.whole.append(name)
        if not index.ranges or wanted is None:
            return self.answer(200, content)
        size = len(content)
        if not wanted[1]:
            first, last = max(0, size - int(wanted[2])), size - 1
        else:
            first, last = int(wanted[1]), min(int(wanted[2]), size - 1)
        span = {"Content-Range": f"bytes {first}-{last}/{size}"}
        return self.answer(206, content[first : last + 1], span)

    def answer(self, status: int, body: bytes = b"", headers: Mapping[str, str] = {}) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Serving:
    """`with Serving(index):` serves it at `index.url` meanwhile."""

    def __init__(self, index: MadeIndex) -> None:
        handler = type("Handler", (_Handler,), {"index": index, "lock": threading.Lock()})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        index.url = f"http://127.0.0.1:{self._server.server_address[1]}/simple/"

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
