"""A devcontainer.json as it is, its edits, and a change to it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

from poetry_tf.devcontainer.image import (
    feature_id,
    feature_path,
    from_registry_of,
    has_own_base,
)
from poetry_tf.devcontainer.lifecycle import HOOKS, Task, tasks
from poetry_tf.devcontainer.workspace import Workspace
from poetry_tf.files.documents import Document
from poetry_tf.files.edits import Edit
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.files.values import KeyPath, as_table

_EMPTY_OBJECT = re.compile(r"\{\s*\}\Z")


@dataclass(frozen=True)
class Change:
    """One change that a devcontainer.json needs: a rule's finding, or a convenience."""

    code: str | None
    """None for a convenience, which ``poetry tf devcontainer`` makes and no rule reports."""
    message: str
    remedy: str
    path: KeyPath
    """The place that it is about; it may be absent in the file."""
    edits: tuple[Edit, ...]
    """Empty where a person has to decide. They are valid for this document only: after other edits
    they have to be derived again."""

    @classmethod
    def convenience(cls, *edits: Edit) -> Change:
        return cls(None, "", "", (), edits)


@dataclass(frozen=True)
class View:
    """What a devcontainer.json holds, and edits of its parts. Knows no rule."""

    path: Path
    document: JsoncDocument
    is_new: bool
    """Whether the file is being created."""

    @cached_property
    def workspace(self) -> Workspace:
        return Workspace.of(self.path)

    def get(self, *path: str) -> Any:
        return self.document.get(path)

    def object(self, key: str) -> dict[str, Any]:
        return as_table(self.get(key))

    def set(self, *path: str, value: Any) -> Edit:
        return Edit(self.path, "set", path, value)

    def replace(self, text: str) -> Edit:
        """Another text for the whole file."""
        return Edit(self.path, "create", (), text)

    def remove(self, *path: str | int) -> Edit:
        return Edit(self.path, "remove", path)

    def rename(self, *path: str, to: str) -> Edit:
        return Edit(self.path, "rename", path, to)

    def remove_member(self, key: str, name: str) -> Edit:
        """Removes a member of an object, and the object with its last one."""
        if len(self.object(key)) > 1:
            return self.remove(key, name)
        left = self.document.remove((key, name)).source((key,))
        if left is not None and _EMPTY_OBJECT.match(left):  # nor is there a comment in it
            return self.remove(key)
        return self.remove(key, name)

    def sets_variable(self, name: str) -> bool:
        """Whether an environment variable is set in the container."""
        return name in self.object("containerEnv") or name in self.object("remoteEnv")

    @property
    def own_base(self) -> bool:
        return has_own_base(self.document)

    @property
    def is_root(self) -> bool:
        """Whether the file says that the container's user is root."""
        user = self.get("remoteUser") or self.get("containerUser")
        return isinstance(user, str) and user == "root"

    def features(self, *ids: str) -> tuple[str, ...]:
        """The keys under which features stand, whatever their versions and registries."""
        paths = set(map(feature_path, ids))
        return tuple(key for key in self.object("features") if feature_path(key) in paths)

    @property
    def run_arguments(self) -> list[str]:
        value = self.get("runArgs")
        return [str(item) for item in value] if isinstance(value, list) else []

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """The commands of every lifecycle hook, in the order in which they run."""
        return tuple(task for hook in HOOKS for task in self._tasks(hook))

    def _tasks(self, hook: str) -> tuple[Task, ...]:
        return tasks(hook, self.get(hook), self._script)

    def _script(self, name: str) -> str | None:
        return self.workspace.read(self.workspace.root / name)

    @property
    def installs_poetry(self) -> bool:
        """Whether a command installs it."""
        return any(task.installations for task in self.tasks)

    def with_edits(self, edits: Iterable[Edit]) -> View:
        """The file after the edits."""
        document: Document = self.document
        for edit in edits:
            document = edit.on(document)
        assert isinstance(document, JsoncDocument)
        return dataclasses.replace(self, document=document)

    def add_command(self, hook: str, command: str, *, is_install: bool = False) -> Edit:
        """Adds a command to a lifecycle hook, beside those that are there.

        They run in parallel. What installs the project comes after one that may use Poetry.
        """
        present = self.get(hook)
        if present in (None, "", []):
            return self.set(hook, value=command)
        if is_install and (earlier := [item for item in self._tasks(hook) if item.may_use_poetry]):
            path, text = earlier[-1].followed_by(command)
            return Edit(self.path, "set", path, text)
        if isinstance(present, str | list) and tasks(hook, present):
            return self.set(hook, value={"project": present, "poetry-tf": command})
        name = next(name for name in _names("poetry-tf") if self.get(hook, name) in (None, "", []))
        return self.set(hook, name, value=command)


def _names(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{number}" for number in count(2))


def with_version(id_: str, key: str) -> str:
    """Another feature's key with the registry and the version of a key.

    A digest, which is not the other's, goes.
    """
    version = key.removeprefix(feature_id(key))
    return from_registry_of(key, id_ if version.startswith("@") else id_ + version)
