"""Ctrl-C ends a command at once, whatever it waits for, and leaves nothing behind."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.hostile import trickle
from tests.support.index import Kind, LocalIndex, Mount
from tests.support.poetry import PoetryRunner, Result, write_pyproject

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it has no such signal")

SECONDS = 3.0
"""In which a command has to end; an answer is waited for longer than that."""

# A look-up that takes long and that no signal ends, as the C library's.
SLOW_LOOKUP = """
import pathlib, signal, socket, time
look_up = socket.getaddrinfo
def slow(host, *arguments, **more):
    if host != "slow.test":
        return look_up(host, *arguments, **more)
    pathlib.Path({begun!r}).touch()
    signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.SIGINT}})
    time.sleep(30)
socket.getaddrinfo = slow
"""


@pytest.fixture
def mirror(index: LocalIndex) -> Mount:
    return index.mount("mirror", metadata=False)


@pytest.fixture
def hanging(poetry: PoetryRunner, tmp_path: Path, mirror: Mount) -> PoetryRunner:
    """A small locked project, a mirror that can be made to hang, and a place for what is left."""
    write_pyproject(poetry.project, ["six", "wrapt"], more='\n[tool.poetry-tf]\ngpu = "none"\n')
    poetry.mirror = mirror.url
    assert poetry.call("lock").ok
    shutil.rmtree(poetry.home / "cache")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    poetry.environ["TMPDIR"] = str(temporary)
    return poetry


def _interrupted(poetry: PoetryRunner, is_waiting: Callable[[], bool], *command: str) -> Result:
    process = poetry.start(*command)
    until = time.monotonic() + 20
    while not is_waiting() and time.monotonic() < until and process.poll() is None:
        time.sleep(0.05)
    time.sleep(0.3)
    assert process.poll() is None, process.communicate()
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert time.monotonic() - begun < SECONDS, out + err
    assert process.returncode != 0
    return Result(process.returncode, out, err)


def _hang(index: LocalIndex, kind: Kind) -> Callable[[], bool]:
    """Has every way hang at what is of this kind; what is returned says whether it does."""
    for mount in index.mounts:
        mount.metadata = False
        mount.hangs = kind
    return lambda: any(mount.is_hanging for mount in index.mounts)


@pytest.mark.parametrize("command", ["lock", "install"])
@pytest.mark.parametrize("kind", ["page", "file"])
@pytest.mark.sample("file-install")
def test_an_answer_that_hangs(
    hanging: PoetryRunner, index: LocalIndex, tmp_path: Path, command: str, kind: Kind
) -> None:
    lock = hanging.project / "poetry.lock"
    before = lock.read_bytes()
    if command == "lock":
        lock.unlink()
    _interrupted(hanging, _hang(index, kind), command)
    assert not list((tmp_path / "temporary").iterdir())
    assert not list(tmp_path.rglob("*.part"))
    assert not lock.exists() if command == "lock" else lock.read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "command"), [("page", "lock"), ("file", "install")])
@pytest.mark.sample("page-lock")
def test_an_answer_that_trickles(
    hanging: PoetryRunner, tmp_path: Path, pypi: Mount, *, kind: Kind, command: str
) -> None:
    """Where there is no other way, so that it is waited for."""
    hanging.mirror = "off"
    if command == "lock":
        (hanging.project / "poetry.lock").unlink()
    pypi.requests.clear()
    pypi.hostile = trickle({kind}, size=1, seconds=0.2)
    _interrupted(hanging, lambda: kind in {request.kind for request in pypi.requests}, command)
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [("lock", "--regenerate"), ("install",), ("tf", "mirror", "test")]
)
@pytest.mark.sample
def test_a_name_that_is_looked_up(
    hanging: PoetryRunner, tmp_path: Path, command: tuple[str, ...]
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    own = Path(hanging._environment(None)["PYTHONPATH"]) / "sitecustomize.py"
    begun = tmp_path / "begun"
    slow = SLOW_LOOKUP.format(begun=str(begun))
    (site / "sitecustomize.py").write_text(own.read_text("utf-8") + slow, "utf-8")
    hanging.environ["PYTHONPATH"] = str(site)
    if command == ("lock",):
        (hanging.project / "poetry.lock").unlink()
    hanging.mirror = "http://slow.test/simple/"
    _interrupted(hanging, begun.exists, *command)
    assert begun.exists()
