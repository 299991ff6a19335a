"""What the two editable formats, TOML and JSONC, have in common.

A document is a text that was read, the data it stands for, and the places of its keys. An edit
splices the text and leaves every other byte as it is; the outcome is read again and must be
exactly the intended data. Comma-separated entries in brackets (arrays, objects, inline tables)
look alike in both formats, so adding and removing them is done here, once.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from typing_extensions import Self

KeyPath: TypeAlias = tuple[str | int, ...]
"""Keys of tables and indexes of arrays, from the root down; `()` is the root."""

Splice: TypeAlias = tuple[int, int, str]
"""Start and end in the text, and what stands there afterwards."""

BOM: Final = "\ufeff"
MAX_DEPTH: Final = 100
"""Deeper nesting is refused: nobody writes it, and it would exhaust Python's stack."""

ABSENT: Final = object()
"""What `Document.get` can be told to return for a path that leads nowhere; equal to no value."""

_NEWLINE: Final = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a text: line and column, both counted from 1, columns in characters."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


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


# The text


def position_at(text: str, offset: int) -> Position:
    """The line and column of an offset. A byte order mark has no width, as in editors."""
    return _position(_line_starts(text), offset)


def _line_starts(text: str) -> list[int]:
    first = 1 if text.startswith(BOM) else 0
    return [first, *(match.end() for match in _NEWLINE.finditer(text))]


def _position(line_starts: list[int], offset: int) -> Position:
    line = max(1, bisect_right(line_starts, offset))
    return Position(line, max(1, offset - line_starts[line - 1] + 1))


def newline_of(text: str) -> str:
    """The line ending that the text uses, judged by its first; a line feed where it has none."""
    match = _NEWLINE.search(text)
    return match[0] if match else "\n"


def line_start(text: str, offset: int) -> int:
    """Where the line that holds the offset begins."""
    return max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1


def line_end(text: str, offset: int) -> int:
    """Where the line that holds the offset ends, its line ending not included."""
    match = _NEWLINE.search(text, offset)
    return match.start() if match else len(text)


def next_line(text: str, offset: int) -> int:
    """Where the line after the one that holds the offset begins, at most the text's end."""
    match = _NEWLINE.search(text, offset)
    return match.end() if match else len(text)


def indent_at(text: str, offset: int) -> str:
    """The blanks with which the line that holds the offset begins."""
    start = line_start(text, offset)
    return text[start : skip_blanks(text, start)]


def starts_line(text: str, offset: int) -> bool:
    """Whether nothing but blanks stands before the offset on its line."""
    return not text[line_start(text, offset) : offset].strip(" \t")


def skip_blanks(text: str, offset: int) -> int:
    """The first offset from this one on that holds neither a space nor a tab."""
    while text[offset : offset + 1] in (" ", "\t"):
        offset += 1
    return offset


def skip_blanks_back(text: str, offset: int) -> int:
    """The offset after the last character before this one that is neither space nor tab."""
    while offset and text[offset - 1] in " \t":
        offset -= 1
    return offset


def spliced(text: str, splices: Iterable[Splice]) -> str:
    """The text with every splice made; splices must not overlap.

    Two insertions at one offset come out in the order in which they are given.
    """
    pieces = []
    done = 0
    for start, end, replacement in sorted(splices, key=lambda splice: splice[:2]):
        if start < done:
            raise RuntimeError("internal error: edits overlap")
        pieces += [text[done:start], replacement]
        done = end
    return "".join([*pieces, text[done:]])


# The data


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same document data: equal, and of the same type at every level."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) is not isinstance(other, bool):
        return False
    if isinstance(one, float) is not isinstance(other, float):
        return False
    if isinstance(one, float) and math.isnan(one):
        return isinstance(other, float) and math.isnan(other)
    return bool(one == other)


def step_into(data: Any, step: str | int) -> Any:
    """The value one step down, or `ABSENT`."""
    if isinstance(data, dict) and isinstance(step, str):
        return data.get(step, ABSENT)
    if isinstance(data, list) and isinstance(step, int) and 0 <= step < len(data):
        return data[step]
    return ABSENT


def nested(path: KeyPath, value: Any) -> Any:
    """The value within new tables, one for each key of the path."""
    for key in reversed(path):
        value = {key: value}
    return value


def with_value(data: Any, path: KeyPath, value: Any) -> Any:
    """A copy of the data with the value at the path; missing tables are made."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(data, list):
        assert isinstance(step, int)
        inner = data[step] if step < len(data) else {}
        return [*data[:step], with_value(inner, rest, value), *data[step + 1 :]]
    return {**data, step: with_value(data.get(step, {}), rest, value)}


def without(data: Any, path: KeyPath) -> Any:
    """A copy of the data in which the path, which must be there, leads nowhere."""
    step, rest = path[0], path[1:]
    if isinstance(data, list):
        assert isinstance(step, int)
        inner = [without(data[step], rest)] if rest else []
        return [*data[:step], *inner, *data[step + 1 :]]
    if rest:
        return {**data, step: without(data[step], rest)}
    return {key: value for key, value in data.items() if key != step}


def spelled(path: KeyPath) -> str:
    """A path as a message names it: `tool.poetry.source[0].name`."""
    if not path:
        return "the document"
    return "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in path).removeprefix(".")


# The places


@dataclass(frozen=True, slots=True)
class Value:
    """A value as it stands in the text, with its entries if it is one in brackets."""

    start: int
    end: int
    kind: Literal["scalar", "array", "table"] = "scalar"
    entries: tuple[Entry, ...] = ()

    def child(self, step: str | int) -> Entry | None:
        """The entry that is the value one step down; of equal keys the last, which wins."""
        if self.kind == "array":
            inside = isinstance(step, int) and 0 <= step < len(self.entries)
            return self.entries[int(step)] if inside else None
        return next((entry for entry in reversed(self.entries) if entry.keys == (step,)), None)

    def has_dotted(self, step: str | int) -> bool:
        """Whether the value one step down is a table that exists through dotted keys alone."""
        return any(len(entry.keys) > 1 and entry.keys[0] == step for entry in self.entries)

    def locate(self, path: KeyPath) -> tuple[int, Value | None] | None:
        """Where the last key of the path (or the element) stands, and its value.

        None if there is no such thing; no value for a table that exists through dotted keys alone.
        """
        start, here = self.start, self
        while path:
            depth = 1
            entry = here.child(path[0])
            for other in here.entries if entry is None else ():
                depth = len(other.keys)
                if depth and other.keys == path[:depth]:
                    entry = other
                    break
                if depth > len(path) and other.keys[: len(path)] == path:
                    return other.spans[len(path) - 1][0], None
            if entry is None:
                return None
            start, here = entry.spans[-1][0] if entry.spans else entry.start, entry.value
            path = path[depth:]
        return start, here

    def walk(self) -> Iterator[Entry]:
        """Every entry at every depth, in the order of the text."""
        for entry in self.entries:
            yield entry
            yield from entry.value.walk()


@dataclass(frozen=True, slots=True)
class Entry:
    """An element or a member: its keys (dotted in TOML; none in arrays), value and comma."""

    keys: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    value: Value
    comma: int | None = None

    @property
    def start(self) -> int:
        return self.spans[0][0] if self.spans else self.value.start

    @property
    def end(self) -> int:
        """Where the entry ends, its comma included."""
        return self.value.end if self.comma is None else self.comma + 1


def steps_down(root: Value, path: KeyPath) -> list[Entry]:
    """The entries along the path, as far as each step has an entry of its own."""
    trail: list[Entry] = []
    for step in path:
        entry = (trail[-1].value if trail else root).child(step)
        if entry is None:
            break
        trail.append(entry)
    return trail


# The document


@dataclass(frozen=True)
class Document(ABC):
    """A text with its data. Immutable: an edit returns another document.

    Values are plain ones: dict with string keys, list, str, int, float, bool, and what else the
    format knows. An edit raises `DocumentError` where the document does not admit it, and
    `RuntimeError` if the outcome should not be what was asked for (a mistake in this package;
    nothing is returned then).
    """

    text: str
    data: Any = field(repr=False, compare=False)

    _TRAIL: ClassVar[re.Pattern[str]]
    """Matches the comments that follow something on the same line (perhaps none)."""
    _SEPARATOR: ClassVar[str]
    """What stands between key and value unless the neighbours leave out the blanks."""
    _CLOSING_COMMA: ClassVar[str]
    """What follows the only entry of brackets that are spread over lines."""

    @classmethod
    @abstractmethod
    def parse(cls, text: str) -> Self:
        """Reads a text. Raises `DocumentError`, with the position, if it is malformed."""

    @abstractmethod
    def _locate(self, path: KeyPath) -> tuple[int, Value | None] | None:
        """Where the last key of the path (or the element) stands, and its value if in one piece."""

    @abstractmethod
    def _put(self, path: KeyPath, value: Any) -> Self:
        """Sets a path that leads nowhere yet, or to something that must be replaced whole."""

    @abstractmethod
    def _cut(self, path: KeyPath) -> Self:
        """Removes what stands at the path."""

    @abstractmethod
    def _rename(self, path: KeyPath, new_key: str) -> Self:
        """Renames the key that the path ends with."""

    @abstractmethod
    def _render(self, value: Any, indent: str | None, old: str = "") -> str:
        """The value's text. Raises `DocumentError` for what the format cannot express.

        `indent` is that of the line on which the value begins; None asks for a single line. `old`
        is the text that is replaced.
        """

    @abstractmethod
    def _render_key(self, key: str) -> str:
        """The key's text."""

    @abstractmethod
    def _indent_unit(self) -> str:
        """What a level of nesting is indented by."""

    @abstractmethod
    def _spreads(self, owner: Entry | None) -> bool:
        """Whether the owner's empty brackets are spread over lines for their first entry."""

    # Reading

    @cached_property
    def _line_starts(self) -> list[int]:
        return _line_starts(self.text)

    def get(self, path: KeyPath, default: Any = None) -> Any:
        """The value at the path, or the default."""
        here = self.data
        for step in path:
            here = step_into(here, step)
            if here is ABSENT:
                return default
        return here

    def position(self, path: KeyPath) -> Position | None:
        """Where the path's last key, or the element of an array, stands; None if it is absent."""
        if not path:
            return Position(1, 1)
        found = self._locate(path)
        return found and _position(self._line_starts, found[0])

    def value_position(self, path: KeyPath) -> Position | None:
        """Where the value begins; for a value that is not written in one piece, its position."""
        found = self._locate(path)
        return found and _position(self._line_starts, found[1].start if found[1] else found[0])

    def nearest(self, path: KeyPath) -> Position:
        """Where the path leads, or the longest part of it that leads anywhere."""
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
            document = self._set_members(path, old, value)
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
            raise DocumentError("the whole document cannot be removed")
        return self if self.get(path, ABSENT) is ABSENT else self._cut(path)

    def rename(self, path: KeyPath, new_key: str) -> Self:
        """The document in which the key that the path ends with is called otherwise, in its place.

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
        """Raises `DocumentError` unless an absent path can be brought into being."""
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

    def _set_members(self, path: KeyPath, old: dict[str, Any], value: dict[str, Any]) -> Self:
        document = self
        for key, member in value.items():
            document = document.set((*path, key), member)
        for key in old:
            if key not in value:
                document = document.remove((*path, key))
        return document

    def _set_elements(self, path: KeyPath, old: list[Any], value: list[Any]) -> Self:
        """Goes from one array to the other by steps that keep comments beside their elements.

        Returns the document unchanged where that would take more than one kind of step.
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
        surplus = _surplus(old, value)
        for at in reversed(surplus or ()):
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

    # Brackets. `root` is a value that is written in one piece, `at` its path, `owner` its entry.

    def _put_below(
        self, at: KeyPath, root: Value, owner: Entry | None, path: KeyPath, value: Any
    ) -> list[Splice]:
        """The splices that set a path below the root, or replace the root."""
        trail = steps_down(root, path)
        owner, box = (trail[-1], trail[-1].value) if trail else (owner, root)
        rest = path[len(trail) :]
        if not rest:
            return [self._replacement(owner, box, value)]
        if box.has_dotted(rest[0]):
            # Dotted keys within an inline table are too rare to be edited one by one.
            table = with_value(self.get(at + path[: len(trail)]), rest, value)
            return [self._replacement(owner, box, table)]
        return self._addition(owner, box, rest[0], nested(rest[1:], value))

    def _cut_below(
        self, at: KeyPath, root: Value, owner: Entry | None, path: KeyPath
    ) -> list[Splice]:
        """The splices that remove what stands at a path below the root."""
        trail = steps_down(root, path)
        if len(trail) == len(path):
            box = trail[-2].value if len(trail) > 1 else root
            return self._removal(box, next(i for i, e in enumerate(box.entries) if e is trail[-1]))
        owner, box = (trail[-1], trail[-1].value) if trail else (owner, root)
        table = without(self.get(at + path[: len(trail)]), path[len(trail) :])
        return [self._replacement(owner, box, table)]

    def _rename_below(
        self, at: KeyPath, root: Value, owner: Entry | None, path: KeyPath, new_key: str
    ) -> list[Splice]:
        """The splices that rename the last key of a path below the root."""
        trail = steps_down(root, path)
        if len(trail) == len(path):
            return [(*trail[-1].spans[0], self._render_key(new_key))]
        owner, box = (trail[-1], trail[-1].value) if trail else (owner, root)
        done = len(trail)
        table = with_key(self.get(at + path[:done]), path[done:], new_key)
        return [self._replacement(owner, box, table)]

    def _replacement(self, owner: Entry | None, old: Value, value: Any) -> Splice:
        lone = owner is None or starts_line(self.text, owner.start)
        indent = indent_at(self.text, old.start if owner is None else owner.start) if lone else None
        source = self.text[old.start : old.end]
        return old.start, old.end, self._render(value, indent, source)

    def _addition(
        self, owner: Entry | None, box: Value, step: str | int, value: Any
    ) -> list[Splice]:
        """The splices that add an entry at the end of the box."""

        def render(indent: str | None) -> str:
            rendered = self._render(value, indent)
            if box.kind == "array":
                return rendered
            return f"{self._render_key(str(step))}{self._separator_in(box.entries)}{rendered}"

        if box.entries:
            return self._addition_after(box, box.entries[-1], render)
        return self._first_addition(owner, box, render)

    def _separator_in(self, neighbours: tuple[Entry, ...]) -> str:
        """What stands between key and value, as tight as the last neighbour has it."""
        if neighbours:
            last = neighbours[-1]
            separator = self.text[last.spans[-1][1] : last.value.start]
            if separator == self._SEPARATOR.strip():
                return separator
        return self._SEPARATOR

    def _addition_after(
        self, box: Value, last: Entry, render: Callable[[str | None], str]
    ) -> list[Splice]:
        text = self.text
        trail = self._comments_end(last.end)
        comma = "" if last.comma is None else ","
        lone = starts_line(text, last.start)
        if lone or (trail > last.end and trail == line_end(text, trail)):
            # A line of its own, after the comment that belongs to the last entry.
            indent = indent_at(text, last.start)
            if not lone and line_start(text, last.start) <= box.start:
                indent += self._indent_unit()
            line = newline_of(text) + indent + render(indent) + comma
            splices = [(trail, trail, line)]
            return splices if comma else [(last.end, last.end, ","), *splices]
        gap = " "
        if len(box.entries) > 1 and text[box.entries[-2].end : last.start] == "":
            gap = ""
        entry = render(None)
        return [(trail, trail, f"{gap}{entry}," if comma else f",{gap}{entry}")]

    def _first_addition(
        self, owner: Entry | None, box: Value, render: Callable[[str | None], str]
    ) -> list[Splice]:
        start, end = box.start + 1, box.end - 1
        inside = self.text[start:end]
        spread = _NEWLINE.search(inside) is not None
        newline = newline_of(self.text)
        outer = indent_at(self.text, box.start)
        indent = outer + self._indent_unit()
        if inside.strip():
            # Behind the comments that stand there.
            kept = start + len(inside.rstrip())
            if not spread:
                return [(kept, kept, f" {render(None)}")]
            closing = "" if _NEWLINE.search(self.text, kept, end) else newline + outer
            line = newline + indent + render(indent) + self._CLOSING_COMMA
            return [(kept, kept, line + closing)]
        if spread or self._spreads(owner):
            line = newline + indent + render(indent) + self._CLOSING_COMMA
            return [(start, end, line + newline + outer)]
        return [(start, end, inside + render(None) + inside)]

    def _removal(self, box: Value, index: int) -> list[Splice]:
        """The splices that remove an entry, a comma that would be too many, and an empty line."""
        entry = box.entries[index]
        splices = self._line_removal(entry) or self._inline_removal(entry)
        if index and entry.comma is None:
            # The last entry goes, and the one before becomes the last: it had a comma, as had none.
            comma = box.entries[index - 1].end - 1
            start, end, _ = splices[0]
            if not self.text[comma + 1 : start].strip() and end == entry.end:
                splices = [(comma, end, "")]
            else:
                splices = [(comma, comma + 1, ""), *splices]
        if len(box.entries) == 1:
            shift = box.start + 1
            moved = [(start - shift, end - shift, new) for start, end, new in splices]
            if not spliced(self.text[shift : box.end - 1], moved).strip():
                return [(shift, box.end - 1, "")]
        return splices

    def _line_removal(self, entry: Entry) -> list[Splice]:
        """The entry's lines with the comment that ends them; nothing if it shares its lines."""
        text = self.text
        if not starts_line(text, entry.start) or _NEWLINE.search(text, entry.value.end, entry.end):
            return []
        trail = skip_blanks(text, self._comments_end(entry.end))
        if trail != line_end(text, trail):
            return []
        return [(line_start(text, entry.start), next_line(text, trail), "")]

    def _inline_removal(self, entry: Entry) -> list[Splice]:
        text = self.text
        start, end = entry.start, entry.end
        if entry.comma is not None and _NEWLINE.search(text, entry.value.end, end):
            # Comments may stand between the value and its comma, on lines of their own.
            return [(start, entry.value.end, ""), (entry.comma, entry.comma + 1, "")]
        after = skip_blanks(text, end)
        if entry.comma is not None and after != line_end(text, after) and text[after] not in "]}":
            return [(start, after, "")]
        return [(skip_blanks_back(text, start), end, "")]

    def _comments_end(self, offset: int) -> int:
        """Where the comments end that follow the offset on its line."""
        match = self._TRAIL.match(self.text, offset)
        return match.end() if match else offset


def with_key(data: Any, path: KeyPath, new_key: str) -> Any:
    """A copy of the data in which the key that the path ends with is called otherwise."""
    step, rest = path[0], path[1:]
    if rest:
        inner = with_key(data[step], rest, new_key)
        return with_value(data, (step,), inner)
    return {(new_key if key == step else key): value for key, value in data.items()}


def _surplus(old: list[Any], new: list[Any]) -> list[int] | None:
    """The indexes of what the old list has more than the new; None if that is not all."""
    indexes = []
    kept = 0
    for at, element in enumerate(old):
        if kept < len(new) and same(element, new[kept]):
            kept += 1
        else:
            indexes.append(at)
    return indexes if kept == len(new) else None
