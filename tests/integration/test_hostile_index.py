"""A mirror that means harm: the lock is the same by the next way, in bounded time and memory."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.hostile import (
    MB,
    added,
    always,
    edited,
    endless,
    html,
    in_html,
    metadata_beside,
    packed,
    page,
    raw,
    sent,
    trickle,
    wheel,
    whole_wheel,
)
from tests.support.index import Distribution, Hostile, LocalIndex, Mount
from tests.support.poetry import PoetryRunner, Result, locked, write_pyproject

pytestmark = pytest.mark.slow

SECONDS, MEMORY = 60.0, 600 * MB
"""What no hostile mirror may cost more than; an honest lock takes 2 s and 80 MB."""
CHUNK = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
CHUNKED = "Transfer-Encoding: chunked"
PARTIAL = "206 Partial Content"
INFO = "six-1.12.1.dist-info"


def _metadata(name: str = "six", version: str = "1.12.1", marker: str = "") -> bytes:
    return (
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: absl-py{marker}\n"
    ).encode()


SLOW = " or ".join(f'(python_version == "3.{n}" and os_name == "{n}")' for n in range(40))
WRONG: dict[str, bytes] = {
    "metadata of another package": _metadata(name="wrapt-2"),
    "metadata of another version": _metadata(version="1.12.2"),
    "metadata with a marker that takes hours": _metadata(marker=f" ; {SLOW}"),
}


def _redirect(to: str) -> Hostile:
    return always(
        {"page"},
        lambda: sent(status="302 Found", headers=[f"Location: {to}", "Content-Length: 0"]),
    )


def _packed(encoding: str, times: int = 1) -> Hostile:
    return always({"page"}, lambda: sent(packed(times), headers=[f"Content-Encoding: {encoding}"]))


PAGES: dict[str, Hostile] = {
    "a byte a second": trickle({"page"}, size=1, seconds=1),
    "two kilobytes a second": trickle({"page"}, size=200, seconds=0.1),
    "headers a byte a second": always(
        {"page"}, lambda: endless(b"x", head=b"HTTP/1.1 200 OK\r\nX: ", seconds=1)
    ),
    "100 Continue for ever": always(
        {"page"}, lambda: endless(b"HTTP/1.1 100 Continue\r\n\r\n", seconds=0.01)
    ),
    "headers without end": always(
        {"page"}, lambda: endless(b"A: " + b"b" * 60_000 + b"\r\n", head=b"HTTP/1.1 200 OK\r\n")
    ),
    "a header of 10 MB": raw(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 10 * MB + b"\r\n\r\n"),
    "no HTTP": raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "a status that is none": raw(b"HTTP/1.1 -1 x\r\n\r\n"),
    "no answer": raw(),
    "a redirect to itself": _redirect("?"),
    "a redirect to a file": _redirect("file:///etc/passwd"),
    "a redirect to no address": _redirect("http://["),
    "a redirect to another protocol": _redirect("ftp://127.0.0.1/x"),
    "a redirect with a body without end": always(
        {"page"},
        lambda: endless(
            CHUNK, head=b"".join(sent(status="302 F", headers=["Location: ?", CHUNKED]))
        ),
    ),
    "shorter than it says": page(b'{"files": []}', headers=["Content-Length: 5000"]),
    "longer than it says": page(b'{"files": [{"filename": "x"}]}', headers=["Content-Length: 20"]),
    "chunks without end": always(
        {"page"}, lambda: endless(CHUNK, head=b"".join(sent(headers=[CHUNKED])))
    ),
    "a body without end": always({"page"}, lambda: endless(b" " * 65_536, head=b"".join(sent()))),
    "a chunk of no size": page(b"zz\r\nx\r\n", headers=[CHUNKED]),
    "a chunk of 2**63": page(b"8000000000000000\r\nx\r\n", headers=[CHUNKED]),
    "gzip that unpacks to 2 GB": _packed("gzip"),
    "gzip in gzip": _packed("gzip, gzip", 2),
    "an encoding that nobody asked for": _packed("zstd"),
    "gzip that is none": page(b'{"files": []}', headers=["Content-Encoding: gzip"]),
    "a million brackets": page(b'{"files": [' + b"[" * MB + b"]" * MB + b"]}"),
    "nested objects": page(
        b'{"files": [{"filename": "x", "a": ' + b'{"a":' * MB + b"}" * MB + b"}]}"
    ),
    "six million files": page(b'{"files": [{"filename": "x"},' + b"{}," * 6 * MB + b"{}]}"),
    "a size that is infinite": edited(size="1e999"),
    "a size of many digits": page(
        b'{"files": [{"filename": "x", "size": ' + b"9" * 5 * MB + b"}]}"
    ),
    "hashes that are none": edited(hashes=["sha256"]),
    "files that are none": page(b'{"files": {"filename": "x"}}'),
    "a name of 10 MB": added(filename="six-" + "1" * 10 * MB + ".tar.gz"),
    "a name that a regular expression reads slowly": added(
        filename="six" + "-1" * 100_000 + ".tar.gz"
    ),
    "a name with NUL and newlines": added(filename="six-1.0\n::error::\0.tar.gz"),
    "an address that is none": added(url="http://[/six-1.0.tar.gz"),
    "many href": html("href=" * 60_000),
    "an open tag of blanks": html("<a" + " " * 100_000),
    "many open tags": html('<a href="' * 30_000),
    "many open comments": html("<!--" * 100_000),
    "many open sections": html("<![CDATA[ >" * 50_000),
    "a charset that takes long": in_html(charset="punycode"),
}


def _file(*parts: bytes, span: str, forever: bytes = b"") -> Hostile:
    def make() -> object:
        head = b"".join(sent(*parts, status=PARTIAL, headers=[f"Content-Range: {span}"]))
        return endless(forever, head=head) if forever else [head]

    return always({"file"}, make)  # type: ignore[arg-type]


FILES: dict[str, Hostile] = {
    "parts without end": _file(span="bytes 0-32767/32768", forever=b"x" * 65_536),
    "a whole file without end for a part": always(
        {"file"}, lambda: endless(b"x" * 65_536, head=b"".join(sent()))
    ),
    "a part of a file of 10**30 bytes": _file(b"x" * 100, span=f"bytes 0-99/{10**30}"),
    "parts a byte a second": trickle({"file"}, size=1, seconds=1),
    "metadata that unpacks to 500 MB": wheel({f"{INFO}/METADATA": b"bomb"}),
    "a list of members that lies about its size": wheel(
        {f"{INFO}/METADATA": b"Name: six\nVersion: 1.12.1\n"}, spoil=(b"PK\x05\x06", b"PK\x05\x07")
    ),
    "no metadata": wheel({"six.py": b""}),
    **{name: wheel({f"{INFO}/METADATA": content}) for name, content in WRONG.items()},
}
METADATA: dict[str, Hostile] = {
    "metadata without end": always(
        {"metadata"}, lambda: endless(CHUNK, head=b"".join(sent(headers=[CHUNKED])))
    ),
    "metadata a byte a second": trickle({"metadata"}, size=1, seconds=1),
    "metadata that unpacks to 2 GB": always(
        {"metadata"}, lambda: sent(packed(), headers=["Content-Encoding: gzip"])
    ),
    **{name: metadata_beside(content) for name, content in WRONG.items()},
}
WHOLE: dict[str, tuple[bytes, str]] = {
    "unpacks to 500 MB": (b"bomb", "The metadata in six-1.12.1-py3-none-any.whl is larger than"),
    "has a marker that takes hours": (
        _metadata(marker=f" ; {SLOW}"),
        "six-1.12.1-py3-none-any.whl has a requirement that can't be read: its marker has too many",
    ),
}


@pytest.fixture
def locks(poetry: PoetryRunner) -> PoetryRunner:
    """A project of which the mirror and PyPI have everything."""
    write_pyproject(poetry.project, ["six", "wrapt"], more='\n[tool.poetry-tf]\ngpu = "none"\n')
    assert poetry.call("lock").ok
    return poetry


def _lock(poetry: PoetryRunner, mirror: Mount, tmp_path: Path) -> Result:
    """Locks in a process, within the bounds."""
    poetry.mirror, poetry.cache = mirror.url, tmp_path / "another-cache"
    peak = tmp_path / "peak"
    poetry.environ["TESTS_PEAK"] = str(peak)
    begun = time.monotonic()
    done = poetry.run("lock", timeout=SECONDS * 4)
    seconds = time.monotonic() - begun
    memory = int(peak.read_text()) if sys.platform == "linux" else 0
    print(f"{seconds:.1f} s, {memory // MB} MB: {done.stderr}")  # noqa: T201 - for reports
    assert seconds < SECONDS
    assert memory < MEMORY
    assert "Traceback" not in done.output and "Stack trace" not in done.output
    return done


@pytest.mark.parametrize("hostile", [*PAGES.values(), *FILES.values()], ids=[*PAGES, *FILES])
def test_a_hostile_mirror_changes_no_lock(
    locks: PoetryRunner, index: LocalIndex, tmp_path: Path, hostile: Hostile
) -> None:
    lock = locks.project / "poetry.lock"
    right = lock.read_bytes()
    lock.unlink()
    mirror = index.mount("mirror", metadata=False, hostile=hostile)
    done = _lock(locks, mirror, tmp_path)
    assert done.ok, done.output
    assert lock.read_bytes() == right


@pytest.mark.parametrize("hostile", METADATA.values(), ids=METADATA)
def test_hostile_metadata_changes_no_lock(
    locks: PoetryRunner, index: LocalIndex, tmp_path: Path, hostile: Hostile
) -> None:
    lock = locks.project / "poetry.lock"
    right = lock.read_bytes()
    lock.unlink()
    done = _lock(locks, index.mount("mirror", hostile=hostile), tmp_path)
    assert done.ok, done.output
    assert lock.read_bytes() == right


@pytest.mark.parametrize(("metadata", "message"), WHOLE.values(), ids=WHOLE)
def test_a_whole_wheel_that_means_harm_ends_with_one_error(
    locks: PoetryRunner, index: LocalIndex, tmp_path: Path, metadata: bytes, message: str
) -> None:
    """It has the hash that its mirror lists, and no lock says another."""
    write_pyproject(locks.project, ["six"], more='\n[tool.poetry-tf]\ngpu = "none"\n')
    (locks.project / "poetry.lock").unlink()
    hostile = whole_wheel({f"{INFO}/METADATA": metadata})
    mirror = index.mount("mirror", metadata=False, hostile=hostile)
    done = _lock(locks, mirror, tmp_path)
    assert not done.ok
    assert done.stderr.count(message) == 1
    assert not (locks.project / "poetry.lock").exists()


@dataclass(frozen=True)
class Mislabelled(Distribution):
    """A wheel whose own metadata says something else than its file name."""

    content: bytes = b""

    @property
    def metadata(self) -> bytes:
        return self.content


@pytest.mark.parametrize("beside", [True, False])
@pytest.mark.parametrize("name", ["metadata of another package", "metadata of another version"])
def test_a_mislabelled_wheel_is_read_as_poetry_reads_it(
    poetry: PoetryRunner, tmp_path: Path, name: str, beside: bool
) -> None:
    """Which is by what the whole wheel says."""
    lock = poetry.project / "poetry.lock"
    outcomes = []
    with LocalIndex(metadata=beside) as index:
        index.add("absl-py", "2.0")
        index.extend([Mislabelled("six", "1.12.1", content=WRONG[name])])
        poetry.mirror = index.url
        own = f'\n[[tool.poetry.source]]\nname = "own"\nurl = "{index.url}"\n'
        for plugins, more in ((True, ""), (False, own)):
            write_pyproject(poetry.project, ["six"], more=more)
            lock.unlink(missing_ok=True)
            poetry.cache = tmp_path / f"cache-{plugins}"
            done = poetry.run("lock", plugins=plugins)
            assert done.ok, done.output
            outcomes.append(locked(poetry.project))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0]["absl-py"] == "2.0"
