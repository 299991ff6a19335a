"""Changes to a project's files, as data: they can be shown, applied, or left alone."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from poetry_tf.files.documents import Document, DocumentError
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.files.lock import IndexSource
from poetry_tf.files.project import Project
from poetry_tf.files.toml import TomlDocument
from poetry_tf.files.values import KeyPath

T = TypeVar("T")


@dataclass(frozen=True)
class Edit:
    """One change to one place of pyproject.toml, poetry.toml or devcontainer.json.

    Or, as ``bind``, to the sources of the packages in poetry.lock; a lock that is fresh before the
    edits stays fresh.
    """

    file: Path
    action: Literal["set", "append", "remove", "remove-with-comments", "rename", "create", "bind"]
    path: KeyPath
    value: Any = None
    """The new value; for ``append`` the new element, for ``rename`` the new key, for ``create``
    the whole text of a file, for ``bind`` the new addresses, None for PyPI, by
    `IndexSource`."""

    def on(self, document: Document) -> Document:
        """The document after the edit. Raises `DocumentError` if something is in the way."""
        if self.action == "create":
            return document.parse(self.value)
        if self.action == "set":
            return document.set(self.path, self.value)
        if self.action == "append":
            return document.append(self.path, self.value)
        if self.action == "rename":
            return document.rename(self.path, self.value)
        if self.action == "remove-with-comments" and isinstance(document, TomlDocument):
            return document.remove_with_comments(self.path)
        if isinstance(document, JsoncDocument):
            # The user may have written the reason beside it.
            return document.remove_but_comments(self.path)
        return document.remove(self.path)


def apply(project: Project, edits: Iterable[Edit]) -> Project:
    """The project after the edits; files that don't exist yet start empty. Writes nothing.

    Raises `ProjectError`, with file and position, if a value of another type is in the way.
    """
    before = project
    for edit in edits:
        if edit.action == "bind":
            project = _bind(project, edit.value, fresh=before.is_locked)
            continue
        document = project.document(edit.file) or _empty(edit.file)
        try:
            document = edit.on(document)
        except DocumentError as error:
            position = error.position or document.nearest(edit.path)
            raise ProjectError(edit.file, error.message, position) from None
        project = project.with_document(edit.file, document)
    return project


def apply_until_stable(state: T, step: Callable[[T], T | None], limit: int) -> T:
    """The state after as many steps as change it, each from the state before it.

    A step returns None where nothing is left to change. The limit ends steps that undo each other.
    """
    for _ in range(limit):
        after = step(state)
        if after is None:
            break
        state = after
    return state


def _bind(project: Project, changes: Mapping[IndexSource, str | None], *, fresh: bool) -> Project:
    if (lock := project.valid_lock) is None:
        return project
    lock = lock.with_indexes(changes)
    return replace(project, lock=lock.rehashed(project.pyproject.data) if fresh else lock)


def _empty(path: Path) -> Document:
    return JsoncDocument.parse("{}\n") if path.suffix == ".json" else TomlDocument.parse("")


def changed_texts(project: Project) -> dict[Path, str]:
    """The texts of the files that differ from what was read, new files included."""
    paths = [
        project.pyproject.path,
        project.root / "poetry.toml",
        *(item.path for item in project.devcontainers),
    ]
    texts = {path: document.text for path in paths if (document := project.document(path))}
    if (lock := project.valid_lock) is not None:
        texts[lock.path] = lock.text
    return {
        path: text
        for path, text in texts.items()
        if project.snapshot[path].content != text.encode("utf-8")
    }


def _lines(text: str) -> list[str]:
    """The lines as `diff` and `patch` count them: `str.splitlines` knows more line endings."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def diffs(project: Project, texts: Mapping[Path, str]) -> Iterator[str]:
    """A diff for each file, against what was read."""
    for path, text in texts.items():
        old = project.snapshot[path].content
        name = path.relative_to(project.root).as_posix()
        yield diff(name, None if old is None else old.decode("utf-8", "replace"), text)


def diff(name: str, old: str | None, new: str) -> str:
    """A unified diff with file names as in Git; `old` is None for a new file."""
    lines = difflib.unified_diff(
        _lines(old or ""), _lines(new), "/dev/null" if old is None else f"a/{name}", f"b/{name}"
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
