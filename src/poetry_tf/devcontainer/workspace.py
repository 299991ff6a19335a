"""The other files of a repository that a devcontainer.json names: scripts, compose files.

They are only read. One that is outside the repository, too large or not text is as good as absent.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from poetry_tf.files.reading import MAX_JSON_BYTES, read_file


@dataclass(frozen=True)
class Workspace:
    """The folder that is opened in the container."""

    root: Path

    @classmethod
    def of(cls, path: Path) -> Workspace:
        """The one of a devcontainer.json, by the place of that file."""
        folders = (folder for folder in path.parents if folder.name == ".devcontainer")
        return cls(next(folders, path).parent)

    def read(self, path: Path) -> str | None:
        """The text of a file of the repository; None if there is none that can be read."""
        try:
            resolved = path.resolve()
            if not resolved.is_relative_to(self.root.resolve()):
                return None
            return read_file(resolved, MAX_JSON_BYTES).decode("utf-8")
        except (OSError, ValueError, RuntimeError):
            return None
