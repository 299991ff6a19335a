"""A project's files as they are, read whole."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from poetry_tf.files.documents import Document
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.files.lock import Lock
from poetry_tf.files.positions import Position
from poetry_tf.files.pyproject import Pyproject
from poetry_tf.files.reading import read_file
from poetry_tf.files.snapshot import FileState, Snapshot
from poetry_tf.files.toml import TomlDocument, parse_toml

T = TypeVar("T")

PYPROJECT = "pyproject.toml"
LOCK = "poetry.lock"
POETRY_TOML = "poetry.toml"
# In the order in which the dev container tools look for the default one. Configurations in folders
# below .devcontainer are used only when they are chosen, so they are no default.
NAMED_DEVCONTAINERS = ".devcontainer/*/devcontainer.json"
DEVCONTAINERS = (".devcontainer/devcontainer.json", ".devcontainer.json")
# Commands, variables and volumes that poetry-tf writes.
_OURS = re.compile(r"poetry-tf|poetry tf |POETRY_TF_")
# Poetry, which installs the project with its TensorFlow, and CUDA.
_CONCERNED = re.compile(r"poetry|/nvidia-cuda\b", re.IGNORECASE)
_PARTS = {"features", "mounts", "containerEnv", "remoteEnv"}
_ON_THE_HOST = "initializeCommand"


@dataclass(frozen=True)
class Devcontainer:
    """A devcontainer.json that is well-formed JSON with comments, holding an object."""

    path: Path
    document: JsoncDocument


@dataclass(frozen=True)
class Project:
    """A project's files. A file that is absent is None; one that is broken is a `ProjectError`.

    pyproject.toml is the exception: without it, or with a broken one, there is no project, so
    reading raises.
    """

    root: Path
    pyproject: Pyproject
    lock: Lock | ProjectError | None
    poetry_toml: TomlDocument | None
    devcontainer: Devcontainer | ProjectError | None
    """The default one; after `with_configuration` the chosen one."""
    uses_git_lfs: bool
    """Whether a .gitattributes of the project sends files through Git LFS."""
    snapshot: Snapshot = field(repr=False, compare=False)
    """What was read at the paths of all these files but .gitattributes: a write is refused if one
    of them has changed since."""
    other_devcontainers: tuple[Devcontainer | ProjectError, ...] = ()
    """The others, also those that have nothing to do with TensorFlow."""

    @classmethod
    def read(cls, root: Path) -> Project:
        """Raises `ProjectError` for a pyproject.toml or poetry.toml that can't be used."""
        path, reader = root / PYPROJECT, FileReader()
        text = reader.read(path)
        if text is None:
            raise ProjectError(path, f"not found in {root}")
        return cls.reading(root, Pyproject.read(path, text), reader.files[path])

    @classmethod
    def reading(cls, root: Path, pyproject: Pyproject, on_disk: FileState) -> Project:
        """The project of a pyproject.toml that may be in memory only.

        `on_disk` is the file that it comes from, or will be written to.
        """
        reader = FileReader({pyproject.path: on_disk})
        poetry_toml = root / POETRY_TOML
        settings = reader.read(poetry_toml)
        devcontainer = _attempt(lambda: _read_devcontainer(root, reader))
        return cls(
            root=root,
            pyproject=pyproject,
            lock=_attempt(lambda: _read_lock(root, reader)),
            poetry_toml=None if settings is None else parse_toml(poetry_toml, settings),
            devcontainer=devcontainer,
            uses_git_lfs=_uses_git_lfs(root),
            other_devcontainers=tuple(_other_devcontainers(root, devcontainer, reader)),
            snapshot=reader.files,
        )

    def with_configuration(self, name: str) -> Project:
        """The project with the named dev container alone, in place of its default one.

        Raises `ProjectError` where there is none of that name, or one that can't be read.
        """
        path = self.root / ".devcontainer" / name / "devcontainer.json"
        reader = FileReader({**self.snapshot})
        found = _devcontainer_at(path, reader) if Path(name).name == name else None
        if found is None:
            raise ProjectError(path, f"not found in .devcontainer/{name}")
        return replace(self, devcontainer=found, other_devcontainers=(), snapshot=reader.files)

    @property
    def valid_lock(self) -> Lock | None:
        return self.lock if isinstance(self.lock, Lock) else None

    @property
    def is_locked(self) -> bool:
        """Whether there is a lock, made from pyproject.toml as it is."""
        lock = self.valid_lock
        return lock is not None and lock.is_fresh(self.pyproject.data)

    @property
    def devcontainer_path(self) -> Path:
        """Where the default devcontainer.json is, or would be written."""
        if self.devcontainer is not None:
            return self.devcontainer.path
        return self.root / DEVCONTAINERS[0]

    @property
    def devcontainers(self) -> tuple[Devcontainer | ProjectError, ...]:
        """Every dev container, the default one first."""
        default = () if self.devcontainer is None else (self.devcontainer,)
        return (*default, *self.other_devcontainers)

    def document(self, path: Path) -> Document | None:
        """The document at the path of an editable file."""
        if path.name == PYPROJECT:
            return self.pyproject.document
        if path.name == POETRY_TOML:
            return self.poetry_toml
        found = next((item for item in self.devcontainers if item.path == path), None)
        return found.document if isinstance(found, Devcontainer) else None

    def with_document(self, path: Path, document: Document) -> Project:
        """The project with another text in one of its editable files."""
        if path.name == PYPROJECT:
            assert isinstance(document, TomlDocument)
            return replace(self, pyproject=replace(self.pyproject, document=document))
        if path.name == POETRY_TOML:
            assert isinstance(document, TomlDocument)
            return replace(self, poetry_toml=document)
        assert isinstance(document, JsoncDocument)
        new = Devcontainer(path, document)
        others = tuple(new if item.path == path else item for item in self.other_devcontainers)
        if new in others:
            return replace(self, other_devcontainers=others)
        return replace(self, devcontainer=new)


def read_text(path: Path) -> str | None:
    """The file's text with its line ends as they are; None where there is no such file.

    Raises `ProjectError` for what `read_file` does not read, or bytes that are not UTF-8.
    """
    return FileReader().read(path)


@dataclass(frozen=True)
class FileReader:
    """Reads each file once, and keeps its state."""

    files: dict[Path, FileState] = field(default_factory=dict)

    def read(self, path: Path) -> str | None:
        """As `read_text`."""
        if path not in self.files:
            self.files[path] = FileState.of(path)
        content = self.files[path].content
        try:
            if content is None:
                # It is absent, or reading it raises why it can't be read.
                read_file(path)
                return None
            return content.decode("utf-8")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            message = f"byte {error.object[error.start]:#04x} is not UTF-8"
            raise ProjectError(path, message, Position(line, 1)) from None
        except OSError as error:
            raise ProjectError(path, f"cannot be read: {error.strerror or error}") from None


def _attempt(read: Callable[[], T]) -> T | ProjectError:
    try:
        return read()
    except ProjectError as error:
        return error


def _read_lock(root: Path, reader: FileReader) -> Lock | None:
    text = reader.read(root / LOCK)
    return None if text is None else Lock.read(root / LOCK, text)


def _read_devcontainer(root: Path, reader: FileReader) -> Devcontainer | None:
    found = (_devcontainer_at(root / name, reader) for name in DEVCONTAINERS)
    return next(filter(None, found), None)


def _other_devcontainers(
    root: Path, default: Devcontainer | ProjectError | None, reader: FileReader
) -> Iterator[Devcontainer | ProjectError]:
    # One may be a link to another: then they are the same file.
    seen = set() if default is None else {os.path.realpath(default.path)}
    for path in (root / DEVCONTAINERS[1], *sorted(root.glob(NAMED_DEVCONTAINERS))):
        if (real := os.path.realpath(path)) in seen:
            continue
        seen.add(real)
        if (found := _attempt(partial(_devcontainer_at, path, reader))) is not None:
            yield found


def _devcontainer_at(path: Path, reader: FileReader) -> Devcontainer | None:
    from poetry_tf.files.documents import DocumentError

    if (text := reader.read(path)) is None:
        return None
    try:
        document = JsoncDocument.parse(text)
    except DocumentError as error:
        raise ProjectError(path, error.message, error.position) from None
    if not isinstance(document.data, dict):
        raise ProjectError(path, "does not contain an object", Position(1, 1))
    return Devcontainer(path, document)


def _uses_git_lfs(root: Path) -> bool:
    """Whether `git lfs track` was used in the project, at its top or in a folder right below."""
    for path in (root / ".gitattributes", *sorted(root.glob("*/.gitattributes"))):
        try:
            lines = read_file(path).decode("utf-8", errors="replace").splitlines()
        except OSError:
            continue
        if any("filter=lfs" in line.partition("#")[0].split() for line in lines):
            return True
    return False


# -- the dev containers that are checked ----------------------------------------------------
# A project may have several: the default one, and others that a person chooses by their folder's
# name. The others may have nothing to do with TensorFlow (one for the documentation, on Node.js).


def configurations(project: Project) -> tuple[Devcontainer | ProjectError, ...]:
    """The dev containers that are checked, the default one first.

    The default one always is, and so is one that can't be read, because its content is unknown. Of
    the others those are that use Poetry or install CUDA.
    """
    return tuple(
        item
        for item in project.devcontainers
        if item is project.devcontainer
        or isinstance(item, ProjectError)
        or _mentions(item, _CONCERNED)
    )


def readable_configurations(project: Project) -> tuple[Devcontainer, ...]:
    """The configurations that can be read."""
    return tuple(item for item in configurations(project) if isinstance(item, Devcontainer))


def is_fully_managed(project: Project, devcontainer: Devcontainer) -> bool:
    """Whether a dev container has to have all that the project's TensorFlow needs.

    A managed project's default one has, and each that poetry-tf has written into. In another only
    what is there is judged: it may do without CUDA or Poetry.
    """
    default = project.devcontainer
    is_default = isinstance(default, Devcontainer) and default.path == devcontainer.path
    return project.pyproject.is_managed and (is_default or _mentions(devcontainer, _OURS))


def _mentions(devcontainer: Devcontainer, words: re.Pattern[str]) -> bool:
    """Whether a dev container installs or runs something with such words."""
    return any(
        words.search(json.dumps(value))
        for key, value in devcontainer.document.data.items()
        if key in _PARTS or (key.endswith("Command") and key != _ON_THE_HOST)
    )
