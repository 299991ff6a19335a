"""A registry of images and an apt repository on 127.0.0.1, served as the real ones do it.

with Server() as server:
    server.image("devcontainers/python", "3-3.11-bookworm", ["amd64"])
    server.repository("/cuda/", [package("cuda-libraries-12-5", "12.5.1-1")])
    ...  # ask server.host, or server.url
    assert server.asked == ["/v2/devcontainers/python/manifests/3-3.11-bookworm"]
"""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
TOKEN = "a-pass-for-everybody"


@dataclass(frozen=True)
class Answer:
    """What a path is answered with; `hangs` is for ever, or until the server ends."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    hangs: bool = False


def digest_of(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def anywhere(_url: str) -> bool:
    """What a client may ask that is let into the local network, where these servers are."""
    return True


def refused(status: int, code: str) -> Answer:
    """A registry's way to refuse."""
    return Answer(status, json.dumps({"errors": [{"code": code, "message": "no"}]}).encode())


class Server:
    """The server. `wants_token` is a registry that hands a pass to everybody who asks for one."""

    def __init__(self, *, wants_token: bool = True) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.headers: list[Mapping[str, str]] = []
        self.wants_token = wants_token
        self.ended = threading.Event()
        self._server = _Http(self)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def __enter__(self) -> Server:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()

    def image(self, name: str, tag: str, processors: Sequence[str]) -> str:
        """Adds an image for these processors; returns its digest."""
        # Where it came from and how it was made is listed as an image for no processor.
        entries = [
            {"digest": digest_of(processor.encode()), "platform": {"architecture": processor}}
            for processor in (*processors, "unknown")
        ]
        document = {"mediaType": INDEX, "manifests": entries}
        return self._add_manifest(name, tag, document)

    def feature(self, name: str, tag: str) -> str:
        """Adds a feature, which is the same for all processors; returns its digest."""
        layers = [{"size": 10_240, "digest": digest_of(name.encode())}]
        return self._add_manifest(name, tag, {"mediaType": MANIFEST, "layers": layers})

    def repository(self, path: str, packages: Iterable[str]) -> None:
        """Adds an apt repository without folders, as NVIDIA's is."""
        self.answers[f"{path}Packages.gz"] = Answer(
            200, gzip.compress("\n".join(packages).encode())
        )

    def _add_manifest(self, name: str, tag: str, document: Mapping[str, Any]) -> str:
        body = json.dumps(document).encode()
        headers = {"Docker-Content-Digest": digest_of(body), "Content-Type": INDEX}
        for version in (tag, digest_of(body)):
            self.answers[f"/v2/{name}/manifests/{version}"] = Answer(200, body, headers)
        return digest_of(body)

    def answer(self, path: str, headers: Mapping[str, str]) -> Answer:
        self.asked.append(path)
        self.headers.append(dict(headers))
        plain = path.partition("?")[0]
        if plain == "/token" and "/token" not in self.answers:
            return Answer(200, json.dumps({"token": TOKEN}).encode())
        is_registry = plain.startswith("/v2/")
        if is_registry and self.wants_token and headers.get("Authorization") != f"Bearer {TOKEN}":
            realm = f'Bearer realm="{self.url}/token",service="here",scope="repository:x:pull"'
            return Answer(401, b"", {"WWW-Authenticate": realm})
        if plain in self.answers:
            return self.answers[plain]
        return refused(404, "MANIFEST_UNKNOWN") if is_registry else Answer(404)


def package(name: str, version: str) -> str:
    """A paragraph of an apt repository's index."""
    lines = [f"Package: {name}", f"Version: {version}", "Architecture: amd64"]
    lines += [f"Filename: ./{name}_{version}_amd64.deb", "Description: a stand-in", " of two lines"]
    return "\n".join(lines) + "\n"


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, owner: Server) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.owner = owner

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        owner = cast("_Http", self.server).owner
        answer = owner.answer(self.path, {key: self.headers[key] for key in self.headers})
        if answer.hangs:
            owner.ended.wait()
            return
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """What was asked is in `asked`."""
