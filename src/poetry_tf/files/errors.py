"""The one error that reading a project's files raises."""

from __future__ import annotations

from pathlib import Path

from poetry_tf.files.documents import Position


class ProjectError(Exception):
    """A file of the project that cannot be read or understood: which, where and why."""

    def __init__(self, path: Path, message: str, position: Position | None = None) -> None:
        super().__init__(message)
        self.path = path
        self.message = message
        self.position = position

    def __str__(self) -> str:
        # A file in a hidden folder is known by both names: .devcontainer/devcontainer.json. Of
        # those in folders below .devcontainer there are several.
        *_, above, parent, name = ("", "", *self.path.parts)
        place = f"{parent}/{name}" if parent.startswith(".") else name
        if above == ".devcontainer":
            place = f"{above}/{parent}/{name}"
        if self.position is not None:
            place += f":{self.position.line}:{self.position.column}"
        return f"{place}: {self.message}"
