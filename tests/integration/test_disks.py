"""Files that can't be written while a project is locked: a message that names the file."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from poetry_tf.actions.lock import LockingError, locking_error
from poetry_tf.files.errors import WriteError
from tests.support.poetry import PoetryRunner
from tests.support.projects import contents

COMMANDS = ["upgrade -n 2.17", "check --fix", "init -n --tensorflow 2.17"]


def _error(number: int, name: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), name)


@pytest.fixture
def stale(right: PoetryRunner) -> PoetryRunner:
    """A project that every command of `COMMANDS` has to lock."""
    path = right.project / "pyproject.toml"
    path.write_text(path.read_text("utf-8").replace('name = "', 'keywords = ["x"]\nname = "'))
    (right.project / "poetry.lock").unlink()
    return right


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_is_read_only_is_told_as_that(
    stale: PoetryRunner, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **more: Any) -> None:
        raise _error(errno.EROFS, f"{more['dir']}/x")

    before = contents(stale.project)
    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    done = stale.call("tf", *command.split())
    assert done.returncode in {1, 2}
    assert f"{stale.project}: {os.strerror(errno.EROFS)}; nothing was written" in done.output
    assert "No set of packages" not in done.output
    assert contents(stale.project) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_is_told_with_the_file(
    stale: PoetryRunner, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write: Callable[[Path, bytes], int] = Path.write_bytes

    def fill(path: Path, data: bytes) -> int:
        if path.name.startswith(".poetry-tf-"):
            raise _error(errno.ENOSPC)
        return write(path, data)

    before = contents(stale.project)
    monkeypatch.setattr(Path, "write_bytes", fill)
    done = stale.call("tf", *command.split())
    monkeypatch.undo()
    assert done.returncode in {1, 2}
    assert f"Error: {stale.project}{os.sep}.poetry-tf-pyproject-" in done.stderr
    assert f"{os.strerror(errno.ENOSPC)}; nothing was written" in done.stderr
    assert "None" not in done.output
    assert contents(stale.project) == before


def test_what_poetry_could_not_write_is_no_fault_of_the_requirements() -> None:
    error = RuntimeError("the cache")
    error.__cause__ = _error(errno.ENOSPC)
    found = locking_error(error)
    assert isinstance(found, WriteError)
    assert "a file of Poetry's in " in str(found)
    assert "None" not in str(found)


def test_a_fault_of_the_network_is_none_of_the_disks() -> None:
    refused = requests.ConnectionError("refused")
    refused.__context__ = _error(errno.EACCES)
    assert isinstance(locking_error(refused), LockingError)
