"""What a mirror can do wrong: the run goes on with the next one, says so, and gives one lock."""

from __future__ import annotations

import base64
import re
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from poetry_tf.http import transfer
from poetry_tf.index import download, failover, mirrors, transport
from poetry_tf.index.mirrors import Mirror
from tests.support.hostile import sent, trickle
from tests.support.index import Kind, LocalIndex, Mount
from tests.support.pages import named
from tests.support.poetry import PoetryRunner, write_pyproject
from tests.support.projects import contents

UNTRUSTED = Path(__file__).parents[1] / "support" / "untrusted.pem"
REFUSES = "http://127.0.0.1:9/simple/"
"""The discard port, where nobody listens."""


pytestmark = pytest.mark.usefixtures("short_pauses")


@pytest.fixture(autouse=True)
def short_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time over which a speed is measured made so short that no test waits for it."""
    monkeypatch.setattr(transfer, "WINDOW", 1.0)


@pytest.fixture
def tuna(index: LocalIndex) -> Mount:
    return index.mount("tuna", absolute=False, metadata=False)


@pytest.fixture
def aliyun(index: LocalIndex) -> Mount:
    return index.mount("aliyun", absolute=False, metadata=False)


@pytest.fixture
def known(
    monkeypatch: pytest.MonkeyPatch, index: LocalIndex, tuna: Mount, aliyun: Mount
) -> dict[str, Mirror]:
    """The mirrors that have names, as mounts of the index; BFSU is run by those who run TUNA."""
    bfsu = index.mount("bfsu", absolute=False, metadata=False)
    found = {
        "tuna": Mirror("TUNA", tuna.url, "tuna"),
        "bfsu": Mirror("BFSU", bfsu.url, "tuna"),
        "aliyun": Mirror("Aliyun", aliyun.url, "aliyun"),
    }
    monkeypatch.setattr(mirrors, "MIRRORS", found)
    return found


@pytest.fixture
def routed(poetry: PoetryRunner, known: dict[str, Mirror]) -> PoetryRunner:
    """A small project that uses TUNA."""
    _write(poetry, "absl-py", "six", "wrapt")
    poetry.mirror = "tuna"
    return poetry


def _write(poetry: PoetryRunner, *requirements: str) -> None:
    more = '\n[tool.poetry-tf]\ngpu = "none"\n'
    write_pyproject(poetry.project, requirements, requires_python="~=3.11.0", more=more)


TENSORFLOW = "tensorflow (>=2.18.1,<2.19.0)"
LOCKS: dict[str, bytes] = {}


def _right_lock(poetry: PoetryRunner, index: LocalIndex) -> bytes:
    """The lock of the project while all is in order, made once a worker."""
    key = (poetry.project / "pyproject.toml").read_text("utf-8")
    if key not in LOCKS:
        cache, poetry.cache = poetry.cache, poetry.home / "another-cache"
        done = poetry.call("lock")
        assert done.ok, done.output
        lock = poetry.project / "poetry.lock"
        LOCKS[key] = lock.read_bytes()
        lock.unlink()
        poetry.cache = cache
        poetry.settle()
        index.requests.clear()
        for mount in index.mounts:
            mount.requests.clear()
    return LOCKS[key]


@pytest.fixture
def right_lock(routed: PoetryRunner, index: LocalIndex) -> bytes:
    """The lock of the small project."""
    return _right_lock(routed, index)


def _lines(stderr: str) -> list[str]:
    first, *rest = stderr.splitlines()
    assert first == "poetry-tf: PyPI via TUNA"
    return [line.removeprefix("poetry-tf: ") for line in rest]


def _relock(poetry: PoetryRunner, lock: bytes | None = None) -> list[str]:
    """Locks, expecting `lock` if given, and returns the messages on mirrors."""
    done = poetry.call("lock")
    assert done.ok, done.output
    if lock is not None:
        assert (poetry.project / "poetry.lock").read_bytes() == lock
    return _lines(done.stderr)


def _without_file_names(messages: list[str]) -> list[str]:
    return [re.sub(r"\S+\.whl", "{file}", message) for message in messages]


# Index faults -> how the line goes on after "TUNA ".
PAGES: dict[str, tuple[Callable[[Mount], None], str]] = {
    "403": (
        lambda tuna: setattr(tuna, "page_status", 403),
        "answers 403: using Aliyun",
    ),
    "429": (
        lambda tuna: setattr(tuna, "page_status", 429),
        "answers 429: using Aliyun",
    ),
    "503": (
        lambda tuna: setattr(tuna, "page_status", 503),
        "answers 503: using Aliyun",
    ),
    "hangs": (
        lambda tuna: setattr(tuna, "delay", 3.0),
        "does not answer within 1 s: using Aliyun",
    ),
    "trickles": (
        lambda tuna: setattr(tuna, "pace", 100),
        "sends less than 1 kB/s: using Aliyun",
    ),
    "is cut short": (
        lambda tuna: setattr(tuna, "cut_pages", True),
        "sends incomplete answers: using Aliyun",
    ),
    "wrong type": (
        lambda tuna: tuna.__dict__.update(page_body=b"\x00\x01\x02", page_type="image/png"),
        "answers with image/png, not with an index page: using Aliyun",
    ),
    "json that is none": (
        lambda tuna: setattr(tuna, "page_body", b'{"files": ['),
        "answers with application/vnd.pypi.simple.v1+json, not with an index page: using Aliyun",
    ),
    "empty page": (
        lambda tuna: tuna.__dict__.update(
            page_body=b"<!DOCTYPE html><html><body></body></html>", page_type="text/html"
        ),
        "has an empty page for six: using Aliyun",
    ),
    "a page to log in": (
        lambda tuna: tuna.__dict__.update(
            page_body=b'<html><a href="/login.html">log in</a></html>', page_type="text/html"
        ),
        "has an empty page for six: using Aliyun",
    ),
    "lacks a package": (
        lambda tuna: setattr(tuna, "hidden", ("wrapt",)),
        "does not have wrapt: using Aliyun",
    ),
}


@pytest.mark.sample
@pytest.mark.parametrize(("break_it", "line"), PAGES.values(), ids=PAGES)
def test_a_fault_of_the_index_is_reported_once_and_the_lock_is_the_same(
    routed: PoetryRunner,
    right_lock: bytes,
    index: LocalIndex,
    break_it: Callable[[Mount], None],
    line: str,
    *,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tuna, aliyun = (index.named(name) for name in ("tuna", "aliyun"))
    if "within" in line:
        monkeypatch.setattr(transport, "READ", 1.4)
    break_it(tuna)
    # Which package is asked for first is the solver's affair.
    (message,) = _relock(routed, right_lock)
    assert re.sub(r"(page for) \S+:", r"\1 six:", message) == f"TUNA {line}"
    pages = [request.path for request in aliyun.requests if request.kind == "page"]
    assert len(pages) == len({*pages}) <= 3


@pytest.mark.slow
def test_a_release_that_the_data_knows_is_taken_though_the_mirror_lacks_it(
    routed: PoetryRunner, index: LocalIndex, tuna: Mount, aliyun: Mount
) -> None:
    _write(routed, TENSORFLOW)
    right = _right_lock(routed, index)
    tuna.hidden = ("tensorflow==2.18.1",)
    assert _relock(routed) == ["TUNA does not have tensorflow 2.18.1: using Aliyun"]
    assert (routed.project / "poetry.lock").read_bytes() == right
    assert {request.package for request in aliyun.requests} == {"tensorflow"}


@pytest.mark.parametrize("formats", [("json",), ("html",)], ids=["json", "html"])
def test_a_page_is_known_by_what_it_holds(
    routed: PoetryRunner, right_lock: bytes, tuna: Mount, formats: tuple[str, ...]
) -> None:
    """Mirrors have sent JSON as text/html, and pages as plain text."""
    tuna.formats = formats  # type: ignore[assignment]
    tuna.page_type = "text/html" if formats == ("json",) else "text/plain"
    assert _relock(routed, right_lock) == []


@pytest.mark.slow
def test_a_page_as_large_as_the_largest_of_pypi_is_read(
    routed: PoetryRunner, right_lock: bytes, tuna: Mount
) -> None:
    """That of ddtrace has 21 MB."""
    padding = b" " * 22_000_000
    tuna.hostile = lambda kind, body, _: sent(body, padding) if kind == "page" else None
    assert _relock(routed, right_lock) == []


def test_a_mirror_that_refuses(
    routed: PoetryRunner, right_lock: bytes, known: dict[str, Mirror]
) -> None:
    known["tuna"] = Mirror("TUNA", REFUSES, "tuna")
    assert _relock(routed, right_lock) == ["TUNA refuses connections: using Aliyun"]


def test_a_mirror_whose_name_nobody_knows(
    routed: PoetryRunner, right_lock: bytes, known: dict[str, Mirror]
) -> None:
    known["tuna"] = Mirror("TUNA", "http://mirror.invalid/simple/", "tuna")
    assert _relock(routed) == ["TUNA could not be found: no such host: using Aliyun"]


@pytest.fixture
def untrusted() -> Iterator[str]:
    """A server with a certificate that nobody has signed."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(503)

        def log_message(self, format: str, *args: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(UNTRUSTED)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}/simple/"
    server.shutdown()
    server.server_close()


def test_a_bad_certificate(
    routed: PoetryRunner,
    right_lock: bytes,
    known: dict[str, Mirror],
    untrusted: str,
) -> None:
    known["tuna"] = Mirror("TUNA", untrusted, "tuna")
    assert _relock(routed, right_lock) == ["TUNA has a certificate that is not valid: using Aliyun"]


def test_a_certificate_that_the_user_trusts_is_one(
    routed: PoetryRunner, known: dict[str, Mirror], untrusted: str
) -> None:
    """`poetry config certificates.PyPI.cert`: the server answers, if only with 503."""
    known["tuna"] = Mirror("TUNA", untrusted, "tuna")
    poetry = routed
    assert poetry.call("config", "certificates.PyPI.cert", str(UNTRUSTED)).ok
    done = poetry.call("lock")
    assert _lines(done.stderr) == ["TUNA answers 503: using Aliyun"]
    assert named("mirror-fails").replace("TUNA (Tsinghua)", "TUNA") in done.stderr


@pytest.mark.slow
def test_a_mirror_that_hangs_is_left_within_five_seconds(
    routed: PoetryRunner,
    tuna: Mount,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the limits that users have."""
    monkeypatch.undo()
    monkeypatch.setattr(mirrors, "MIRRORS", {"tuna": Mirror("TUNA", tuna.url, "tuna")})
    write_pyproject(routed.project, ["six"])
    tuna.delay = 8.0
    begun = time.monotonic()
    assert _relock(routed) == ["TUNA does not answer within 5 s: using PyPI"]
    assert time.monotonic() - begun < 7.5


# Files, while Poetry solves


FILES: dict[str, tuple[Callable[[Mount], None], list[str]]] = {
    "403": (
        lambda tuna: setattr(tuna, "file_status", 403),
        ["TUNA answers 403 for files: using Aliyun"],
    ),
    "503": (
        lambda tuna: setattr(tuna, "file_status", 503),
        ["TUNA answers 503 for files: using Aliyun"],
    ),
    "are gone": (
        lambda tuna: setattr(tuna, "file_status", 404),
        ["TUNA does not have {file}: using Aliyun"],
    ),
    "parts are cut short": (
        lambda tuna: setattr(tuna, "cut", -1),
        ["TUNA sends incomplete answers: using Aliyun"],
    ),
    "whole files are cut short": (
        lambda tuna: tuna.__dict__.update(cut=-1, range=False),
        ["TUNA sends incomplete answers: using Aliyun"],
    ),
    "corrupt": (
        lambda tuna: tuna.__dict__.update(corrupt=True, range=False),
        ["TUNA sends a corrupt {file}: using Aliyun"],
    ),
    "metadata is listed and missing": (
        lambda tuna: tuna.__dict__.update(metadata=True, metadata_status=404),
        ["TUNA does not have the metadata that it lists: reading the wheels instead"],
    ),
}


@pytest.mark.sample
@pytest.mark.parametrize(("break_it", "lines"), FILES.values(), ids=FILES)
def test_a_fault_of_files_is_reported_once_and_the_lock_is_the_same(
    routed: PoetryRunner,
    right_lock: bytes,
    tuna: Mount,
    break_it: Callable[[Mount], None],
    lines: list[str],
) -> None:
    break_it(tuna)
    assert _without_file_names(_relock(routed, right_lock)) == lines


def test_metadata_that_one_mirror_lacks_comes_from_another(
    routed: PoetryRunner,
    right_lock: bytes,
    tuna: Mount,
    aliyun: Mount,
) -> None:
    tuna.metadata, tuna.metadata_status, aliyun.metadata = True, 404, True
    assert _relock(routed, right_lock) == [
        "TUNA does not have the metadata that it lists: using Aliyun"
    ]
    assert "file" not in {request.kind for request in (*tuna.requests, *aliyun.requests)}


@pytest.mark.parametrize("what", ["page", "file"])
@pytest.mark.sample("page")
def test_a_mirror_that_is_down_is_not_asked_for_every_package_again(
    routed: PoetryRunner, tuna: Mount, aliyun: Mount, what: str
) -> None:
    _write(routed, TENSORFLOW)
    setattr(tuna, f"{what}_status", 403)
    done = routed.call("lock")
    assert done.ok, done.output
    assert len(_lines(done.stderr)) == 1
    # As many as may be under way when the first answer comes.
    assert 1 <= len([r for r in tuna.requests if r.kind == what]) <= transport.AT_ONCE
    assert len({r.package for r in aliyun.requests if r.kind == what}) > 2 * transport.AT_ONCE


# What the lock holds


def test_what_the_lock_holds_stays_though_the_mirror_lacks_it(
    routed: PoetryRunner, right_lock: bytes, tuna: Mount, index: LocalIndex
) -> None:
    lock = routed.project / "poetry.lock"
    lock.write_bytes(right_lock)
    newest = index.versions("six")[-1]
    tuna.hidden = (f"six=={newest}",)
    assert _relock(routed) == [f"TUNA does not have six {newest}: using Aliyun"]
    assert lock.read_bytes() == right_lock


# Which way is the next


def test_a_mirror_that_shares_the_fault_comes_after_one_that_does_not(
    routed: PoetryRunner, right_lock: bytes, index: LocalIndex, tuna: Mount
) -> None:
    tuna.page_status = 503
    routed.mirror = "tuna, bfsu, aliyun"
    done = routed.call("lock")
    assert _lines(done.stderr) == ["TUNA answers 503: using Aliyun"]
    assert {request.mount for request in index.requests} == {"tuna", "aliyun"}


def test_it_comes_before_pypi(
    routed: PoetryRunner,
    right_lock: bytes,
    index: LocalIndex,
    tuna: Mount,
    aliyun: Mount,
) -> None:
    tuna.page_status, aliyun.page_status = 503, 403
    routed.mirror = "tuna, bfsu, aliyun"
    done = routed.call("lock")
    assert _lines(done.stderr) == [
        "TUNA answers 503: using Aliyun",
        "Aliyun answers 403: using BFSU",
    ]
    assert {request.mount for request in index.requests} == {"tuna", "aliyun", "bfsu"}


def test_an_address_of_ones_own_is_followed_by_pypi_alone(
    routed: PoetryRunner, right_lock: bytes, index: LocalIndex
) -> None:
    own = index.mount("own", page_status=503)
    routed.mirror = own.url
    done = routed.call("lock")
    assert done.stderr.splitlines()[1:] == ["poetry-tf: 127.0.0.1 answers 503: using PyPI"]
    assert (routed.project / "poetry.lock").read_bytes() == right_lock
    assert {request.mount for request in index.requests} == {"own", "pypi"}


@pytest.mark.parametrize("status", [503, 429])
@pytest.mark.sample("503")
def test_who_is_busy_is_waited_for_where_there_is_no_other(
    poetry: PoetryRunner, pypi: Mount, status: int
) -> None:
    write_pyproject(poetry.project, ["six"])
    poetry.mirror = "off"
    pypi.page_status, pypi.retry_after = status, "0.3"
    # Down for two answers, of which the second is to another try.
    pypi.recovers = 2
    begun = time.monotonic()
    done = poetry.call("lock")
    assert done.ok, done.output
    assert [r.status for r in pypi.requests if r.kind == "page"] == [status, status, 200]
    assert time.monotonic() - begun > 0.6


def test_no_server_makes_us_wait_for_long(
    poetry: PoetryRunner, pypi: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failover, "LONGEST_PAUSE", 0.05)
    write_pyproject(poetry.project, ["six"])
    poetry.mirror = "off"
    pypi.page_status, pypi.retry_after = 429, "3600"
    done = poetry.call("lock")
    assert done.returncode == 1
    assert "  - PyPI answers 429\n" in done.stderr


# Where nothing helps


def test_every_way_that_failed_is_listed_once(
    routed: PoetryRunner,
    tuna: Mount,
    aliyun: Mount,
    pypi: Mount,
    known: dict[str, Mirror],
) -> None:
    poetry = routed
    tuna.page_status, aliyun.page_status, pypi.page_status = 503, 403, 429
    before = contents(poetry.project)
    done = poetry.call("lock", "-v")
    assert done.returncode == 1
    assert "Traceback" not in done.output and "Stack trace" not in done.output
    message = done.stderr[done.stderr.index("the index page of") :]
    for line in ("  - TUNA answers 503", "  - Aliyun answers 403", "  - PyPI answers 429"):
        assert message.count(line + "\n") == 1
    assert contents(poetry.project) == before


def test_init_lists_them_too(
    poetry: PoetryRunner, known: dict[str, Mirror], tuna: Mount, aliyun: Mount, pypi: Mount
) -> None:
    tuna.page_status = aliyun.page_status = pypi.page_status = 403
    done = poetry.call("tf", "init", "-n", "--tensorflow", "2.18", "--mirror", "tuna")
    assert done.returncode == 1
    for name in ("TUNA", "Aliyun", "PyPI"):
        assert f"  - {name} answers 403\n" in done.stderr
    assert "Traceback" not in done.output
    assert not contents(poetry.project)


def test_credentials_are_neither_shown_nor_sent_elsewhere(
    routed: PoetryRunner, index: LocalIndex, pypi: Mount
) -> None:
    first, second = index.mount("first", page_status=503), index.mount("second", file_status=403)
    # Credentials are for a host; that of PyPI is another.
    secret = [
        mount.url.replace("://127.0.0.1", f"://jane:s3cret-{mount.name}@localhost")
        for mount in (first, second)
    ]
    routed.mirror = ",".join(secret)
    second.absolute = False
    done = routed.call("lock", "-vvv")
    assert done.ok, done.output
    assert "s3cret" not in done.output
    assert "s3cret" not in (routed.project / "poetry.lock").read_text("utf-8")
    for mount in (first, second):
        sent = {base64.b64decode(str(r.credentials).split()[-1]) for r in mount.requests}
        assert sent == {f"jane:s3cret-{mount.name}".encode()}
    assert {request.credentials for request in pypi.requests} == {None}


# Installing


@pytest.fixture
def locked_project(routed: PoetryRunner, right_lock: bytes) -> PoetryRunner:
    (routed.project / "poetry.lock").write_bytes(right_lock)
    return routed


def _imports(poetry: PoetryRunner) -> str:
    code = "import absl_py, six, wrapt; print(six.__version__)"
    ran = subprocess.run([poetry.python, "-c", code], capture_output=True, text=True, check=True)
    return ran.stdout.strip()


def _install(poetry: PoetryRunner) -> list[str]:
    """Installs the lock and returns the messages on mirrors."""
    done = poetry.call("install")
    assert done.ok, done.output
    assert _imports(poetry) == "1.12.1"
    return _lines(done.stderr)


INSTALLING: dict[str, tuple[Callable[[Mount], None], list[str]]] = {
    "403 of pages": (
        lambda tuna: setattr(tuna, "page_status", 403),
        ["TUNA answers 403: using Aliyun"],
    ),
    "403": (
        lambda tuna: setattr(tuna, "file_status", 403),
        ["TUNA answers 403 for files: using Aliyun"],
    ),
    "429": (
        lambda tuna: setattr(tuna, "file_status", 429),
        ["TUNA answers 429 for files: using Aliyun"],
    ),
    "503": (
        lambda tuna: setattr(tuna, "file_status", 503),
        ["TUNA answers 503 for files: using Aliyun"],
    ),
    "are gone": (
        lambda tuna: setattr(tuna, "file_status", 404),
        ["TUNA does not have {file}: using Aliyun"],
    ),
    "cut short": (
        lambda tuna: setattr(tuna, "cut", -1),
        ["TUNA stops in the middle of {file}: using Aliyun"],
    ),
    "corrupt": (
        lambda tuna: setattr(tuna, "corrupt", True),
        ["TUNA sends a corrupt {file}: using Aliyun"],
    ),
    "lacks a package": (
        lambda tuna: setattr(tuna, "hidden", ("wrapt",)),
        ["TUNA does not have wrapt: using Aliyun"],
    ),
    "lacks a version": (
        lambda tuna: setattr(tuna, "hidden", ("six==1.12.1",)),
        ["TUNA does not have six 1.12.1: using Aliyun"],
    ),
}


@pytest.mark.parametrize(("break_it", "lines"), INSTALLING.values(), ids=INSTALLING)
@pytest.mark.sample(every=3)
def test_a_fault_is_reported_and_the_lock_is_installed(
    locked_project: PoetryRunner,
    tuna: Mount,
    pypi: Mount,
    break_it: Callable[[Mount], None],
    lines: list[str],
) -> None:
    # One worker, since several find the same fault in as many files at once.
    locked_project.environ["POETRY_INSTALLER_MAX_WORKERS"] = "1"
    break_it(tuna)
    assert _without_file_names(_install(locked_project)) == lines
    assert not pypi.requests


def test_a_file_that_no_way_has_right_is_not_installed(
    locked_project: PoetryRunner, tuna: Mount, aliyun: Mount, pypi: Mount
) -> None:
    tuna.corrupt = aliyun.corrupt = pypi.corrupt = True
    done = locked_project.call("install")
    assert done.returncode == 1
    for name in ("TUNA", "Aliyun", "PyPI"):
        assert re.search(rf"- {name} sends a corrupt \S+\.whl$", done.output, re.MULTILINE)
    assert "Traceback" not in done.output
    assert not list(locked_project.home.rglob("*.whl"))
    assert not list(locked_project.home.rglob("*.part"))


def test_what_was_tried_is_reported_in_full_once_though_many_files_fail(
    locked_project: PoetryRunner, tuna: Mount, aliyun: Mount, pypi: Mount
) -> None:
    tuna.file_status = aliyun.file_status = pypi.file_status = 403
    locked_project.environ["POETRY_INSTALLER_MAX_WORKERS"] = "3"
    done = locked_project.call("install")
    assert done.returncode == 1
    for name in ("TUNA", "Aliyun", "PyPI"):
        assert done.output.count(f"  - {name} answers 403 for files\n") == 1
    assert "Traceback" not in done.output and "HTTPError" not in done.output


def test_a_large_file_is_gone_on_with_where_it_was_cut_off(
    locked_project: PoetryRunner, tuna: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "LARGE", 100)
    monkeypatch.setattr(transfer, "CHUNK", 16)
    locked_project.environ["POETRY_INSTALLER_MAX_WORKERS"] = "1"
    tuna.cut = 2
    (line,) = _install(locked_project)
    assert re.fullmatch(r"TUNA stops in the middle of \S+\.whl: resuming at (59|60) %", line)
    ranges = [r.range for r in tuna.requests if r.kind == "file"]
    assert ranges[0] is None
    assert ranges[1] is not None and ranges[2] is not None
    assert set(ranges[3:]) == {None}


def test_a_large_file_is_gone_on_with_from_another_mirror(
    locked_project: PoetryRunner, tuna: Mount, aliyun: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mirrors block who takes much, in the middle of it."""
    monkeypatch.setattr(download, "LARGE", 100)
    monkeypatch.setattr(transfer, "CHUNK", 16)
    locked_project.environ["POETRY_INSTALLER_MAX_WORKERS"] = "1"
    tuna.cut, tuna.blocks_after = 1, 1
    cut, blocked = _install(locked_project)
    assert re.fullmatch(r"TUNA stops in the middle of \S+\.whl: resuming at (59|60) %", cut)
    assert re.fullmatch(
        r"TUNA answers 403 for large files here: resuming from Aliyun at (59|60) %", blocked
    )
    files = [r for r in aliyun.requests if r.kind == "file"]
    assert files[0].range is not None and files[0].status == 206
    assert {r.range for r in files[1:]} == {None}


# Slow servers


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The speed measured over half a second, in small parts."""
    monkeypatch.setattr(transfer, "WINDOW", 0.5)
    monkeypatch.setattr(transfer, "CHUNK", 64)


@pytest.fixture
def big_file(poetry: PoetryRunner, index: LocalIndex, known: dict[str, Mirror]) -> PoetryRunner:
    """A locked project with one file of 30 kB, which the mirror is slow to send."""
    index.add("big", "1.0", members={"big/data": bytes(30_000)})
    _write(poetry, "big")
    poetry.mirror = "tuna"
    done = poetry.call("lock")
    assert done.ok, done.output
    poetry.environ["POETRY_INSTALLER_MAX_WORKERS"] = "1"
    for mount in index.mounts:
        mount.requests.clear()
    return poetry


def _parts(mount: Mount) -> list[str | None]:
    return [request.range for request in mount.requests if request.kind == "file"]


def test_a_file_that_trickles_is_gone_on_with_from_another_mirror(
    big_file: PoetryRunner, tuna: Mount, aliyun: Mount, watched: None
) -> None:
    """Where it is left, whatever its size."""
    tuna.pace = 6_000
    done = big_file.call("install")
    assert done.ok, done.output
    (line,) = _lines(done.stderr)
    assert re.fullmatch(r"TUNA sends less than [4-8] kB/s: resuming from Aliyun at \d+ %", line)
    assert _parts(tuna) == [None]
    (span,) = _parts(aliyun)
    assert span is not None and int(span.removeprefix("bytes=").rstrip("-")) > 1_000


@pytest.mark.slow
def test_where_all_are_slow_the_fastest_goes_on(
    big_file: PoetryRunner, tuna: Mount, aliyun: Mount, pypi: Mount, watched: None
) -> None:
    """No part comes twice, and no mirror is left again."""
    tuna.pace, aliyun.pace, pypi.pace = 3_000, 10_000, 5_000
    done = big_file.call("install")
    assert done.ok, done.output
    told = [re.sub(r"[\d.]+ (?=%|kB)", "", line) for line in _lines(done.stderr)]
    assert told == [
        "TUNA sends less than kB/s: resuming from Aliyun at %",
        "Aliyun sends less than kB/s: resuming from PyPI at %",
        "PyPI sends less than kB/s: resuming from Aliyun at %",
    ]
    assert [len(_parts(mount)) for mount in (tuna, aliyun, pypi)] == [1, 2, 1]
    starts = [
        int(str(span).removeprefix("bytes=").rstrip("-"))
        for span in (*_parts(aliyun), *_parts(pypi))
    ]
    assert sorted(starts) == [starts[0], starts[2], starts[1]]


@pytest.mark.slow
def test_slow_pages_come_from_the_fastest_where_all_are_slow(
    routed: PoetryRunner,
    right_lock: bytes,
    tuna: Mount,
    aliyun: Mount,
    pypi: Mount,
    *,
    watched: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transport, "SPEED", 1e6)
    tuna.pace, aliyun.pace, pypi.pace = 400, 2_000, 400
    tuna.metadata = aliyun.metadata = True
    done = routed.call("lock")
    assert done.ok, done.output
    assert (routed.project / "poetry.lock").read_bytes() == right_lock
    assert _lines(done.stderr)[-1].endswith("using Aliyun")


@pytest.mark.slow
def test_a_slow_pypi_is_waited_for_and_that_is_told_once(
    big_file: PoetryRunner, pypi: Mount, watched: None
) -> None:
    big_file.mirror = "off"
    pypi.pace = 12_000
    done = big_file.call("install")
    assert done.ok, done.output
    (line,) = done.stderr.splitlines()
    assert re.fullmatch(
        r"poetry-tf: PyPI sends less than 1[0-4] kB/s: waiting, because no faster mirror is left",
        line,
    )


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "command"), [("page", "lock"), ("file", "install")])
@pytest.mark.sample("file-install")
def test_a_pypi_that_sends_next_to_nothing_is_given_up(
    big_file: PoetryRunner,
    pypi: Mount,
    kind: Kind,
    command: str,
    *,
    watched: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transfer, "PATIENCE", 1.5)
    big_file.mirror = "off"
    pypi.hostile = trickle({kind}, size=1, seconds=0.05)
    begun = time.monotonic()
    done = big_file.call(command)
    assert time.monotonic() - begun < 15
    assert not done.ok
    assert done.stderr.count("waiting, because") == 1
    assert re.search(
        r"  - PyPI sends less than 1 kB/s, and did not finish in [2-4] s\n", done.output
    )


def test_a_slow_line_for_several_files_is_no_slow_mirror(
    locked_project: PoetryRunner, tuna: Mount, watched: None
) -> None:
    """Each of eight transfers gets an eighth of what one would get."""
    tuna.pace = 4 * transport.SPEED
    done = locked_project.call("install")
    assert done.ok, done.output
    assert _lines(done.stderr) == []


def test_large_files_are_taken_one_at_a_time(
    locked_project: PoetryRunner, tuna: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "LARGE", 100)
    locked_project.environ["POETRY_INSTALLER_MAX_WORKERS"] = "4"
    tuna.delay = 0.02
    assert locked_project.call("install").ok
    assert tuna.most_files_at_once == 1


def test_no_host_gets_more_than_eight_connections_at_a_time(
    locked_project: PoetryRunner, tuna: Mount, index: LocalIndex
) -> None:
    locked_project.environ["POETRY_INSTALLER_MAX_WORKERS"] = "30"
    tuna.delay = 0.1
    assert locked_project.call("install").ok
    assert 2 < tuna.most_at_once <= 8


def test_packages_of_other_sources_are_installed_by_poetry_itself(
    poetry: PoetryRunner, known: dict[str, Mirror], index: LocalIndex, tuna: Mount
) -> None:
    extra = index.mount("extra")
    source = (
        f'\n[[tool.poetry.source]]\nname = "extra"\nurl = "{extra.url}"\npriority = "explicit"\n'
    )
    bound = '\n[tool.poetry.dependencies]\nsix = { source = "extra" }\n'
    write_pyproject(poetry.project, ["six", "wrapt"], more=f"{bound}{source}")
    poetry.mirror = "tuna"
    assert poetry.call("lock").ok
    extra.file_status = 403
    done = poetry.call("install")
    assert done.returncode == 1
    assert {r.package for r in tuna.requests if r.kind == "file"} == {"wrapt"}
