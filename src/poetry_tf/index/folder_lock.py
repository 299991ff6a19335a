"""Allows one writer at a time in a saved folder, also if other machines mount it.

A file that is created exclusively is the lock, as NFS and SMB don't always carry the locks of a
system. Its holder changes it every few seconds. One that does not change any more is of a machine
that crashed or lost the folder, and is taken over.
"""

from __future__ import annotations

import hashlib
import os
import platform
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from poetry_tf.files.errors import WriteError
from poetry_tf.files.reading import read_file
from poetry_tf.files.state import Report, state_folder, write_lock
from poetry_tf.index.saved_folder import MANIFESTS, named

LOCK_FILE: Final = f"{MANIFESTS}/saving.lock"
BEAT_SECONDS: float = 3.0
"""How often the holder changes the file."""
WAIT_SECONDS: float = 30.0
"""How long to wait for another holder. One that changes nothing in this time is taken for dead."""
_LOOK_SECONDS: Final = 0.2
_MOST_BYTES: Final = 1000


class BusyFolderError(WriteError):
    """Another machine, or another user, is saving in the folder."""

    def __init__(self, folder: Path, holder: str) -> None:
        self.folder, self.holder = folder, holder
        super().__init__(
            f"{holder} is saving in {folder}; nothing was written",
            "Wait for it, and run the command again.",
        )


class LostFolderError(WriteError):
    """Another machine took over the folder, because this one could not reach it for some time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(
            f"{folder} could not be reached for too long, and another machine is saving there now",
            "Run the command again: what was downloaded stays.",
        )


class FolderLock:
    """The lock of a folder, while it is held."""

    def __init__(self, folder: Path, token: str) -> None:
        self._folder, self._path = folder, folder / LOCK_FILE
        self._owner = f"{token} {platform.node() or 'another machine'}"
        self._ended = threading.Event()
        self._beats = 0

    def check(self) -> None:
        """Raises `LostFolderError` if the lock is not held any more."""
        if not _read(self._path).startswith(f"{self._owner}\n"):
            raise LostFolderError(self._folder)

    def try_create(self) -> bool:
        try:
            with self._path.open("x", encoding="utf-8") as file:
                file.write(self._text())
        except FileExistsError:
            return False
        except OSError as error:
            raise named(error, self._path) from error
        return True

    @contextmanager
    def beating(self) -> Iterator[FolderLock]:
        """Changes the file regularly, and deletes it at the end."""
        thread = threading.Thread(target=self._beat, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            thread.join()
            with suppress(OSError, LostFolderError):
                self.check()
                self._path.unlink()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            self._beats += 1
            try:
                self.check()
                # In place and of the same length, so that nobody reads a part of it.
                with self._path.open("r+", encoding="utf-8") as file:
                    file.write(self._text())
            except LostFolderError:
                return
            except OSError:
                continue  # the share may come back

    def _text(self) -> str:
        return f"{self._owner}\n{self._beats:010d}\n"


@contextmanager
def folder_lock(folder: Path, report: Report) -> Iterator[FolderLock]:
    """Holds a folder against every other process, user and machine.

    Raises `LockedError` or `BusyFolderError` where it is in use for too long, `OSError` with the
    file's name.
    """
    with write_lock(folder.resolve(), report):
        # Of this user and machine nobody holds it now: a lock of an earlier run was left.
        name = hashlib.sha256(os.fsencode(os.path.normcase(folder.resolve()))).hexdigest()[:32]
        last = state_folder() / f"{name}.run"
        token = secrets.token_hex(8)
        lock = FolderLock(folder, token)
        path = folder / LOCK_FILE
        left = _read(path)
        if left and left.partition(" ")[0] == _read(last):
            path.unlink(missing_ok=True)
        last.write_text(token, "utf-8")
        if not lock.try_create():
            _wait(lock, folder, report)
        with lock.beating():
            yield lock


def _wait(lock: FolderLock, folder: Path, report: Report) -> None:
    """Creates the lock once its holder has ended or is taken for dead."""
    path = folder / LOCK_FILE
    first = _read(path)
    report(f"Waiting for {_holder(first)}, which is saving in {folder}")
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        if lock.try_create():
            return
        time.sleep(_LOOK_SECONDS)
    seen = _read(path)
    if seen == first:
        path.unlink(missing_ok=True)
    if not lock.try_create():
        raise BusyFolderError(folder, _holder(seen or first))


def _holder(text: str) -> str:
    host = text.partition("\n")[0].partition(" ")[2]
    return f"another user or machine ({host})" if host else "another machine"


def _read(path: Path) -> str:
    """The text of a small file; empty where there is none."""
    try:
        return read_file(path, _MOST_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise named(error, path) from error
