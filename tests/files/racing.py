"""Processes that write one project at the same time, or are killed while they do."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from poetry_tf.files.errors import WriteError
from poetry_tf.files.snapshot import FileState
from poetry_tf.files.transaction import recover, write_together

NAMES = ("pyproject.toml", "poetry.lock", "poetry.toml", ".devcontainer/devcontainer.json")


def version(writer: str) -> dict[str, bytes]:
    """The files of one writer; none has the content of another file, or of another writer."""
    return {name: f"{name} of {writer}\n".encode() * 40 for name in NAMES}


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def put(root: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def write_as(root: Path, writer: str) -> str | None:
    """Settles, reads and writes as a command does; returns why it refused."""
    try:
        recover(root)
        read = {root / name: FileState.of(root / name) for name in NAMES}
        write_together(root, {root / k: v for k, v in version(writer).items()}, read)
    except WriteError as error:
        return str(error)
    return None


@dataclass(frozen=True)
class Writer:
    """A process that writes when it is told to."""

    name: str
    pid: int
    connection: Connection

    def begin(self, root: Path, after: float) -> None:
        self.connection.send((root, self.name, after))

    def outcome(self) -> str | None:
        """None where it wrote, else why it refused."""
        answer: str | None = self.connection.recv()
        return answer


def _serve(connection: Connection) -> None:
    while (order := connection.recv()) is not None:
        root, name, after = order
        time.sleep(after)
        connection.send(write_as(root, name))


@contextmanager
def writer(name: str) -> Iterator[Writer]:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    assert process.pid is not None
    try:
        yield Writer(name, process.pid, ours)
    finally:
        process.kill()
        process.join()


def race(root: Path, rounds: int) -> Iterator[tuple[dict[str, bytes], dict[str, str | None]]]:
    """What two writers leave, each round, and why each of them refused."""
    random.seed(17)
    with writer("one") as one, writer("two") as two:
        for _ in range(rounds):
            put(root, version("before"))
            for each in (one, two):
                each.begin(root, random.uniform(0, 0.004))
            outcomes = {each.name: each.outcome() for each in (one, two)}
            yield contents(root), outcomes


def kill(root: Path, rounds: int) -> Iterator[None]:
    """Kills a writer at some moment of its writing, once a round."""
    random.seed(18)
    for _ in range(rounds):
        with writer("one") as one:
            # The second write tells how long one takes here, once everything is imported.
            for _ in range(2):
                put(root, version("before"))
                begun = time.monotonic()
                one.begin(root, 0)
                assert one.outcome() is None
                took = time.monotonic() - begun
            put(root, version("before"))
            one.begin(root, 0)
            time.sleep(random.uniform(0, took))
            os.kill(one.pid, signal.SIGKILL)
        yield
