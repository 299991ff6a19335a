"""The state of files when they were read, so that no later change is overwritten."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from poetry_tf.files.reading import read_file


@dataclass(frozen=True, slots=True)
class FileState:
    """The state of a file at one moment."""

    real: Path
    """The path with symbolic links resolved."""
    content: bytes | None
    """None where there is no file, or none that can be read."""

    @classmethod
    def of(cls, path: Path) -> FileState:
        try:
            content = read_file(path)
        except OSError:
            content = None
        return cls(_real(path), content)

    @classmethod
    def absent(cls, path: Path) -> FileState:
        return cls(_real(path), None)


Snapshot = Mapping[Path, FileState]
"""The files that were read, by path; those not found included."""


def _real(path: Path) -> Path:
    # No file has a name with a null byte, and realpath raises for one.
    return path if "\0" in str(path) else Path(os.path.realpath(path))
