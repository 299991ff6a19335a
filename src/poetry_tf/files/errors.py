"""The errors of reading and writing a project's files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from poetry_tf.files.positions import Position


class ProjectError(Exception):
    """A file of the project that cannot be read or understood: which, where and why."""

    def __init__(self, path: Path, message: str, position: Position | None = None) -> None:
        super().__init__(message)
        self.path = path
        self.message = message
        self.position = position

    def __str__(self) -> str:
        # A file in a hidden folder is shown with the folder: .devcontainer/devcontainer.json. Of
        # those in folders below .devcontainer there may be several.
        *_, above, parent, name = ("", "", *self.path.parts)
        place = f"{parent}/{name}" if parent.startswith(".") else name
        if above == ".devcontainer":
            place = f"{above}/{parent}/{name}"
        if self.position is not None:
            place += f":{self.position.line}:{self.position.column}"
        return f"{place}: {self.message}"


class WriteError(Exception):
    """Files could not be written, or an interrupted write could not be settled."""

    remedy: str = ""


FileEvent: TypeAlias = Literal["changed", "created", "deleted"]


class ChangedError(WriteError):
    """Files have changed since they were read, so that nothing was written."""

    remedy = "Run the command again."

    def __init__(self, changes: Mapping[str, FileEvent]) -> None:
        self.changes = changes
        """What happened to each file, by its path from the root."""
        text = " and ".join(f"{name} was {change}" for name, change in changes.items())
        super().__init__(f"{text} while poetry-tf was running; nothing was written")
