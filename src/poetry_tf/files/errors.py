"""The errors of reading and writing a project's files."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from poetry_tf.files.positions import Position


class ProjectError(Exception):
    """A file of the project that can't be read or understood: which, where and why."""

    def __init__(
        self, path: Path, message: str, position: Position | None = None, remedy: str = ""
    ) -> None:
        super().__init__(message)
        self.path = path
        self.message = message
        self.position = position
        self.remedy = remedy

    def __str__(self) -> str:
        # A file in a hidden folder is shown with the folder: .devcontainer/devcontainer.json. Of
        # those in folders below .devcontainer there may be several.
        *_, above, parent, name = ("", "", *(self.path.parts or (".",)))
        place = f"{parent}/{name}" if parent.startswith(".") else name
        if above == ".devcontainer":
            place = f"{above}/{parent}/{name}"
        if self.position is not None:
            place += f":{self.position.line}:{self.position.column}"
        return f"{place}: {self.message}"


class WriteError(Exception):
    """Files could not be written, or an interrupted write could not be finished or undone."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


_READ_ONLY = {errno.EACCES, errno.EPERM, errno.EROFS}


def write_error(error: OSError, path: Path | str, outcome: str) -> WriteError:
    """The error for a file that could not be written; `path` says which: not all errors know it.

    Where the file could not be created, it names the folder.
    """
    place, remedy = path, ""
    if error.errno in _READ_ONLY and isinstance(path, Path):
        place = next((item for item in (path, *path.parents) if os.path.lexists(item)), path)
        if place.is_dir():
            remedy = "Make this folder writable, or use another one."
    return WriteError(f"{place}: {error.strerror or error}; {outcome}", remedy)


# What writing to an open file raises, then without a name; Windows has no EDQUOT.
_OF_DISKS = {errno.EFBIG, errno.EIO, errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def disk_error(error: BaseException | None) -> OSError | None:
    """The error of a file or a disk that an error is, or was raised from; None if there is none.

    Errors of the network are `OSError`s too, but name no file.
    """
    while error is not None:
        if isinstance(error, OSError) and (error.filename or error.errno in _OF_DISKS):
            return error
        error = error.__cause__ or error.__context__
    return None


class LockedError(WriteError):
    """Another process has been writing in the project for too long; nothing was written."""

    def __init__(self, root: Path, pid: int | None, seconds: float) -> None:
        self.root = root
        self.pid = pid
        """The process, if it is known."""
        self.seconds = seconds
        """How long it was waited for."""
        super().__init__(
            f"{format_process(pid)} has been writing in {root} for {seconds:.0f} seconds; "
            "nothing was written",
            "Stop it or wait for it, then run the command again.",
        )


def format_process(pid: int | None) -> str:
    return "another poetry-tf" if pid is None else f"another poetry-tf (process {pid})"


class UnsettledError(WriteError):
    """A write was interrupted, and is not finished or undone yet, or cannot be."""


FileEvent: TypeAlias = Literal["changed", "created", "deleted"]


class ChangedError(WriteError):
    """Files have changed since they were read, so that nothing was written."""

    def __init__(self, changes: Mapping[str, FileEvent]) -> None:
        self.changes = changes
        """What happened to each file, by its path from the root."""
        text = " and ".join(f"{name} was {change}" for name, change in changes.items())
        super().__init__(
            f"{text} while poetry-tf was running; nothing was written", "Run the command again."
        )
