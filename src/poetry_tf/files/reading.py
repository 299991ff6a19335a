"""Reading regular files of a bounded size.

A project may come from anybody: its `poetry.lock` may be a link to /dev/zero, a pipe that nobody
writes to, or 10 GB of nothing.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

MAX_BYTES: Final = MIB
"""Of a file that people write: pyproject.toml, poetry.toml, a Dockerfile. The largest known have
less than 200 kB."""

MAX_JSON_BYTES: Final = 256 * KIB
"""Of devcontainer.json and the lock file beside it, which have a few kB."""

MAX_LOCK_BYTES: Final = 32 * MIB
"""Of poetry.lock: 5,000 packages, with the hashes of 25 files each, have about 20 MB."""

_KINDS: Final = (
    (stat.S_ISDIR, errno.EISDIR, os.strerror(errno.EISDIR)),
    (stat.S_ISFIFO, errno.EINVAL, "Is a pipe, not a file"),
    (stat.S_ISSOCK, errno.EINVAL, "Is a socket, not a file"),
    (lambda mode: not stat.S_ISREG(mode), errno.EINVAL, "Is a device, not a file"),
)


def read_file(path: Path, limit: int | None = None) -> bytes:
    """The content of a regular file, also at the end of a symbolic link.

    The limit is by default that for a file of this name. Raises `OSError` for anything else than a
    file, and for one with more bytes than the limit.
    """
    if limit is None:
        limit = MAX_JSON_BYTES if path.suffix == ".json" else MAX_BYTES
        limit = MAX_LOCK_BYTES if path.name == "poetry.lock" else limit
    if "\0" in str(path):  # an address in a file of the project may be any text
        raise OSError(errno.EINVAL, "Has a name that is not valid", str(path))
    # Opening a device may do something, so it is not tried. Opening a pipe would wait for a writer,
    # if there is one in the file's place by then.
    _refuse_other_kinds(path, path.stat())
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
    with open(path, "rb", opener=lambda name, mode: os.open(name, mode | flags)) as file:
        status = os.fstat(file.fileno())
        _refuse_other_kinds(path, status)
        content = file.read(limit + 1) if status.st_size <= limit else None
    if content is None or len(content) > limit:
        raise OSError(errno.EFBIG, f"Has more than {_format_size(limit)}", str(path))
    return content


def _format_size(size: int) -> str:
    return f"{size // MIB} MiB" if size >= MIB else f"{size // KIB} KiB"


def _refuse_other_kinds(path: Path, status: os.stat_result) -> None:
    for is_kind, number, message in _KINDS:
        if is_kind(status.st_mode):
            raise OSError(number, message, str(path))
