"""The one error that reading a project's files raises."""

from __future__ import annotations

from pathlib import Path

from poetry_tf.project.documents import Position


class ProjectError(Exception):
    """A file of the project that cannot be read or understood: which, where and why."""

    def __init__(self, path: Path, message: str, position: Position | None = None) -> None:
        super().__init__(message)
        self.path = path
        self.message = message
        self.position = position

    def __str__(self) -> str:
        # A file in a hidden folder is known by both names: .devcontainer/devcontainer.json.
        parent = self.path.parent.name
        place = f"{parent}/{self.path.name}" if parent.startswith(".") else self.path.name
        if self.position is not None:
            place += f":{self.position.line}:{self.position.column}"
        return f"{place}: {self.message}"
