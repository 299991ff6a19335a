"""What the two editable formats, TOML and JSONC, have in common.

A document is a text that was read, its data, and the places of its keys. An edit splices the text
and leaves every other byte as it is; the result is read again and must be exactly the intended
data.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final

from poetry_tf.files.places import Value
from poetry_tf.files.positions import Position, Splice, line_starts, position_in, spliced
from poetry_tf.files.values import ABSENT, KeyPath, same, spelled, surplus, value_at

if TYPE_CHECKING:
    from typing_extensions import Self

MAX_DEPTH: Final = 100
"""The deepest nesting that is accepted; more could exhaust Python's stack."""


class DocumentError(Exception):
    """Malformed input, or an edit that the document does not admit."""

    def __init__(self, message: str, position: Position | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.position = position

    def __str__(self) -> str:
        if self.position is None:
            return self.message
        return f"{self.message} (line {self.position.line}, column {self.position.column})"


@dataclass(frozen=True)
class Document(ABC):
    """A text with its data. Immutable: an edit returns another document.

    Values are plain ones: dict with string keys, list, str, int, float, bool, and what else the
    format knows. An edit raises `DocumentError` where the document does not admit it, and
    `RuntimeError` if the result is not the intended one, which is a bug.
    """

    text: str
    data: Any = field(repr=False, compare=False)

    TRAIL: ClassVar[re.Pattern[str]]
    """Matches the comments, if any, that follow something on the same line."""
    SEPARATOR: ClassVar[str]
    """What separates key and value unless the neighbours leave out the blanks."""
    CLOSING_COMMA: ClassVar[str]
    """What follows the only entry in brackets that are spread over lines."""
    SPREADS: ClassVar[bool]
    """Whether empty brackets on a line of their key are spread over lines for a first entry."""

    @classmethod
    @abstractmethod
    def parse(cls, text: str) -> Self:
        """Reads a text. Raises `DocumentError`, with the position, if it is malformed."""

    @abstractmethod
    def _locate(self, path: KeyPath) -> tuple[int, Value | None] | None:
        """The offset of the path's last key (or element), and its value if it is in one piece."""

    @abstractmethod
    def _put(self, path: KeyPath, value: Any) -> Self:
        """Sets a path that is absent, or whose value must be replaced whole."""

    @abstractmethod
    def _cut(self, path: KeyPath) -> Self:
        """Removes what stands at the path."""

    @abstractmethod
    def _rename(self, path: KeyPath, new_key: str) -> Self:
        """Renames the last key of the path."""

    @abstractmethod
    def render(self, value: Any, indent: str | None, old: str = "") -> str:
        """The value's text. Raises `DocumentError` for what the format cannot express.

        `indent` is that of the line on which the value begins; None asks for a single line. `old`
        is the text that is replaced.
        """

    @abstractmethod
    def render_key(self, key: str) -> str:
        """The key's text."""

    @abstractmethod
    def indent_unit(self) -> str:
        """What a level of nesting is indented by."""

    # Reading

    @cached_property
    def _line_starts(self) -> list[int]:
        return line_starts(self.text)

    def get(self, path: KeyPath, default: Any = None) -> Any:
        """The value at the path, or the default."""
        return value_at(self.data, path, default)

    def position(self, path: KeyPath) -> Position | None:
        """The position of the path's last key, or of the array element; None if it is absent."""
        if not path:
            return Position(1, 1)
        found = self._locate(path)
        return found and position_in(self._line_starts, found[0])

    def value_position(self, path: KeyPath) -> Position | None:
        """The start of the value; the position of its key if it is not written in one piece."""
        found = self._locate(path)
        return found and position_in(self._line_starts, found[1].start if found[1] else found[0])

    def nearest(self, path: KeyPath) -> Position:
        """The position of the path, or of the longest part of it that exists."""
        for length in range(len(path), 0, -1):
            if (position := self.position(path[:length])) is not None:
                return position
        return Position(1, 1)

    def source(self, path: KeyPath) -> str | None:
        """The value's text as written; None if it is absent or not written in one piece."""
        found = self._locate(path)
        return self.text[found[1].start : found[1].end] if found and found[1] else None

    # Editing

    def set(self, path: KeyPath, value: Any) -> Self:
        """The document with the value at the path; missing tables on the way are made.

        Of a table or array that is there already, only what differs is touched, so that the rest
        keeps its comments. An index may be the array's length: that appends. Raises
        `DocumentError` if the path runs through something else than tables and arrays, or if the
        value cannot be expressed.
        """
        old = self.get(path, ABSENT)
        if old is ABSENT:
            self._check_route(path)
            return self._put(path, value)
        if same(old, value):
            return self
        document = self
        if isinstance(old, dict) and isinstance(value, dict):
            for key, member in value.items():
                document = document.set((*path, key), member)
            for key in old:
                if key not in value:
                    document = document.remove((*path, key))
        elif isinstance(old, list) and isinstance(value, list):
            document = self._set_elements(path, old, value)
        return document if same(document.get(path, ABSENT), value) else document._put(path, value)

    def append(self, path: KeyPath, value: Any) -> Self:
        """The document with one more element in the array at the path, which is made if absent.

        Raises `DocumentError` if something else than an array stands there, or as `set` does.
        """
        old = self.get(path, ABSENT)
        if old is ABSENT:
            return self.set(path, [value])
        if not isinstance(old, list):
            raise DocumentError(f"{spelled(path)} is not an array", self.value_position(path))
        return self._put((*path, len(old)), value)

    def remove(self, path: KeyPath) -> Self:
        """The document without what stands at the path; the same document if nothing does.

        A line that becomes empty goes, with the comment that ends it; comments on other lines
        stay. Raises `DocumentError` for the root.
        """
        if not path:
            raise DocumentError("the whole document can't be removed")
        return self if self.get(path, ABSENT) is ABSENT else self._cut(path)

    def rename(self, path: KeyPath, new_key: str) -> Self:
        """The document with the last key of the path renamed in its place.

        Raises `DocumentError` if there is no such key or the new one is taken.
        """
        if not path or isinstance(path[-1], int) or self.get(path, ABSENT) is ABSENT:
            raise DocumentError(f"there is no key {spelled(path)}")
        if path[-1] == new_key:
            return self
        taken = (*path[:-1], new_key)
        if self.get(taken, ABSENT) is not ABSENT:
            raise DocumentError(f"{spelled(taken)} exists already", self.position(taken))
        return self._rename(path, new_key)

    def _check_route(self, path: KeyPath) -> None:
        """Raises `DocumentError` unless the absent path can be created."""
        here: Any = self.data
        for depth, step in enumerate(path):
            if isinstance(here, dict) and isinstance(step, str):
                missing = step not in here
            elif isinstance(here, list) and isinstance(step, int) and 0 <= step <= len(here):
                missing = step == len(here)
            elif isinstance(here, dict | list):
                at = self.value_position(path[:depth])
                raise DocumentError(f"there is no {spelled(path[: depth + 1])}", at)
            else:
                at = self.value_position(path[:depth])
                kind = "a table" if isinstance(step, str) else "an array"
                raise DocumentError(f"{spelled(path[:depth])} is not {kind}", at)
            if missing:
                for index in (s for s in path[depth + 1 :] if isinstance(s, int)):
                    raise DocumentError(f"there is no array for element {index} of {spelled(path)}")
                return
            here = here[step]

    def _set_elements(self, path: KeyPath, old: list[Any], value: list[Any]) -> Self:
        """Changes the array by steps that keep comments beside their elements.

        Returns the document unchanged if that takes more than one kind of step.
        """
        document = self
        if same(value[: len(old)], old):
            for element in value[len(old) :]:
                document = document.append(path, element)
            return document
        if len(value) == len(old):
            changes = [at for at, element in enumerate(value) if not same(element, old[at])]
            # An element that only moved must not inherit the comment of another.
            if not any(same(value[at], element) for at in changes for element in old):
                for at in changes:
                    document = document.set((*path, at), value[at])
            return document
        extra = surplus(old, value)
        for at in reversed(extra or ()):
            document = document.remove((*path, at))
        return document

    def _edited(self, splices: Iterable[Splice], intended: Any) -> Self:
        """The document after the splices. Raises `RuntimeError` if its data is not the intended."""
        try:
            document = self.parse(spliced(self.text, splices))
        except DocumentError as error:
            raise RuntimeError(f"internal error: an edit broke the document: {error}") from error
        return document._verified(intended)

    def _verified(self, intended: Any) -> Self:
        if not same(self.data, intended):
            raise RuntimeError("internal error: an edit changed something else")
        return self
