"""A TOML file of the project: its text, its tables, and errors with file and line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from poetry_tf.files.documents import DocumentError
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.positions import Position, position_at
from poetry_tf.files.toml import TomlDocument
from poetry_tf.files.values import KeyPath

# The first of Git's three conflict markers; the others never stand without it.
_CONFLICT = re.compile(r"^<{7}(?= |\r?$)", re.MULTILINE)


@dataclass(frozen=True)
class TomlFile:
    """A TOML file of the project, and the errors that name a place in it."""

    path: Path
    document: TomlDocument

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = self.document.data
        return data

    def position(self, path: KeyPath) -> Position:
        """The position of `path`, or of the longest part of it that exists."""
        return self.document.nearest(path)

    def table(self, *path: str) -> dict[str, Any]:
        """The table at `path`, empty where it is absent; `ProjectError` where it is no table."""
        value: dict[str, Any] = self.data
        for depth, key in enumerate(path, start=1):
            value = value.get(key, {})
            if not isinstance(value, dict):
                raise self.error(path[:depth], f"[{'.'.join(path[:depth])}] is not a table")
        table: dict[str, Any] = value
        return table

    def error(self, path: KeyPath, message: str) -> ProjectError:
        return ProjectError(self.path, message, self.position(path))


def parse_toml(path: Path, text: str) -> TomlDocument:
    """The document. Raises `ProjectError` with the file, the line and what is wrong there."""
    try:
        return TomlDocument.parse(text)
    except DocumentError as error:
        # The reader reports an invalid statement or a duplicate key.
        if conflict := _CONFLICT.search(text):
            message = "merge conflict markers: decide what stays and remove them"
            raise ProjectError(path, message, position_at(text, conflict.start())) from None
        raise ProjectError(path, error.message, error.position) from None
