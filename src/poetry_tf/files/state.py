"""What poetry-tf keeps for this user, outside of every project: locks and journals.

A file in a project may come from a repository, and is not trusted. What is in this folder is ours.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from poetry_tf.files.errors import LockedError, WriteError, format_process

VARIABLE: Final = "POETRY_TF_STATE_DIR"

# Writing takes well below a second, also on a slow disk.
QUIET_SECONDS: Final = 1.0
WAIT_SECONDS: Final = 30.0

Report = Callable[[str], object]


def state_folder() -> Path:
    """The folder, made where it is missing. Raises `WriteError` if it is not safe to use."""
    from platformdirs import user_state_path

    given = os.environ.get(VARIABLE)
    folder = Path(given) if given else user_state_path("poetry-tf", appauthor=False)
    try:
        if not folder.is_absolute():
            raise _unusable(folder, "it is not an absolute path")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
        if not os.access(folder, os.W_OK | os.X_OK):
            raise _unusable(folder, "it is read-only")
    except OSError as error:
        raise _unusable(folder, error.strerror or str(error)) from None
    if os.name != "nt":
        if status.st_uid != os.geteuid() != 0:
            raise _unusable(folder, "it belongs to another user")
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise _unusable(folder, "other users can write to it")
    return folder


@contextmanager
def write_lock(root: Path, report: Report) -> Iterator[None]:
    """Holds the lock of the project at `root`, a real path.

    `report` is given one line if another process has to be waited for. Raises `LockedError` if that
    takes too long, `WriteError` if files cannot be locked. The system releases the lock of a killed
    process. The lock file stays: a waiting process may have it open.
    """
    from filelock import FileLock, Timeout

    folder = state_folder()
    name = hashlib.sha256(os.fsencode(os.path.normcase(root))).hexdigest()[:32]
    holder = folder / f"{name}.pid"
    lock = FileLock(folder / f"{name}.lock")
    try:
        try:
            lock.acquire(timeout=QUIET_SECONDS)
        except Timeout:
            report(f"Waiting for {format_process(_read_pid(holder))}, which is writing in {root}")
            lock.acquire(timeout=WAIT_SECONDS)
    except Timeout:
        raise LockedError(root, _read_pid(holder), WAIT_SECONDS) from None
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _unusable(folder, f"files can't be locked there ({reason})") from error
    try:
        with suppress(OSError):  # It only helps a message.
            holder.write_text(str(os.getpid()), "utf-8")
        yield
    finally:
        lock.release()


def _read_pid(holder: Path) -> int | None:
    try:
        return int(holder.read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _unusable(folder: Path, reason: str) -> WriteError:
    return WriteError(
        f"{folder} can't be used for locks and journals: {reason}; nothing was written",
        f"Set {VARIABLE} to a folder on a local disk that only you can write to.",
    )
