"""The places of sections and statements in a TOML text.

`tomllib` reports the data and syntax errors, but no places. The scanner here finds them; as it
reads text that `tomllib` has accepted, it can be short and fast.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import takewhile
from operator import eq
from typing import Final, Literal

from poetry_tf.files.places import Entry, Root, Value
from poetry_tf.files.positions import line_start, next_line, position_at, without_blank_lines
from poetry_tf.files.values import KeyPath

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_STRING: Final = (
    r'"""[^"\\]*(?:(?:\\[\s\S]|"{1,2}(?!"))[^"\\]*)*"""(?:"{0,2})'
    r"|'''[\s\S]*?'''(?:'{0,2})"
    r'|"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
    r"|'[^'\n]*'"
)
_TRIVIA: Final = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_KEY: Final = re.compile(r"""[ \t]*([A-Za-z0-9_-]+|"[^"\\\n]*(?:\\.[^"\\\n]*)*"|'[^'\n]*')[ \t]*""")
# A date and a time may be separated by a space.
_SCALAR: Final = re.compile(rf"{_STRING}|\d{{4}}-\d\d-\d\d \d[^\s,#\]}}]*|[^\s,#\]}}]+")
_COMMENT_LINE: Final = re.compile(r"[ \t]*#")


@dataclass(frozen=True, slots=True)
class Statement:
    """A line `key = value`: its full path, and how much of that its section gives."""

    path: KeyPath
    depth: int
    entry: Entry

    @property
    def root(self) -> Root:
        return Root(self.path, self.entry.value, self.entry)


@dataclass(frozen=True, slots=True)
class Section:
    """A header with the statements below it; the first section is the root's, without a header."""

    path: KeyPath
    header: int | None = None
    end: int = 0
    spans: tuple[tuple[int, int], ...] = ()
    statements: list[Statement] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Outline:
    """The places of sections and statements in a text."""

    text: str
    sections: list[Section]
    keys: dict[KeyPath, int]
    """The offset at which each table and key is first named."""
    values: dict[KeyPath, Statement]

    @classmethod
    def of(cls, text: str) -> Outline:
        """Outlines a text that `tomllib` has accepted."""
        outline = cls(text, [Section(())], {}, {})
        lengths: dict[KeyPath, int] = {}
        at = _skip(text, 0)
        while at < len(text):
            if text[at] == "[":
                section = _header(text, at, lengths)
                outline.sections.append(section)
                outline.note(section.path, 0, section.spans, at)
                at = section.end
            else:
                section = outline.sections[-1]
                entry = _member(text, at)
                statement = Statement(section.path + entry.keys, len(section.path), entry)
                section.statements.append(statement)
                outline.note(statement.path, statement.depth, entry.spans, at)
                outline.values[statement.path] = statement
                at = entry.end
            at = _skip(text, at)
        return outline

    def note(self, path: KeyPath, depth: int, spans: Iterable[tuple[int, int]], start: int) -> None:
        """Notes the keys of a header or statement, which begin at a depth of the path."""
        places = iter(spans)
        for length in range(depth + 1, len(path) + 1):
            # An element of an array of tables stands where its header does.
            place = start if isinstance(path[length - 1], int) else next(places)[0]
            self.keys.setdefault(path[:length], place)

    def statement(self, path: KeyPath) -> Statement | None:
        """The statement in whose value, or at whose key, the path ends."""
        for length in range(1, len(path) + 1):
            if found := self.values.get(path[:length]):
                return found
        return None

    def last_below(self, table: KeyPath) -> Statement | None:
        """The last statement whose dotted keys define the table."""
        length = len(table)
        found = None
        for section in self.sections:
            if len(section.path) < length and section.path == table[: len(section.path)]:
                for statement in section.statements:
                    if len(statement.path) > length and statement.path[:length] == table:
                        found = statement
        return found

    def mentions(self, path: KeyPath) -> list[tuple[int, int]]:
        """Every place where the last key of the path is written, in headers and dotted keys."""
        spans = []
        length = len(path)
        for section in self.sections:
            if len(section.path) >= length:
                if section.path[:length] == path:
                    index = sum(isinstance(step, str) for step in path) - 1
                    spans.append(section.spans[index])
                continue
            for statement in section.statements:
                if statement.path[:length] == path:
                    spans.append(statement.entry.spans[length - statement.depth - 1])
        return spans

    def end_of_related(self, path: KeyPath) -> int:
        """The end of the last section that shares the longest part of the path."""
        sections = self.sections
        # How many steps each has in common with the path at its start.
        shared = [sum(takewhile(bool, map(eq, section.path, path))) for section in sections]
        longest = max(shared)
        index = len(sections) - 1
        if longest:
            index -= shared[::-1].index(longest)
        start = self.body_end(index)
        end = len(self.text)
        if index + 1 < len(sections):
            end = self.comments_before(sections[index + 1], start)
        return start + len(without_blank_lines(self.text[start:end]))

    def body_end(self, index: int) -> int:
        """The start of the line after a section's last statement, or after its header."""
        section = self.sections[index]
        if section.statements:
            return next_line(self.text, section.statements[-1].entry.end)
        return 0 if section.header is None else next_line(self.text, section.end)

    def comments_before(self, section: Section, floor: int) -> int:
        """The start of the comment lines right before a header; of the header if there are none."""
        assert section.header is not None
        start = line_start(self.text, section.header)
        while start > floor:
            ending = 2 if self.text[start - 2 : start] == "\r\n" else 1
            above = line_start(self.text, start - ending)
            if not _COMMENT_LINE.match(self.text, above):
                break
            start = above
        return start

    def section_end(self, index: int) -> int:
        """The end of a section's statements and of the comments right below them."""
        sections = self.sections
        end = self.body_end(index)
        limit = len(self.text)
        if index + 1 < len(sections):
            limit = self.comments_before(sections[index + 1], end)
        while end < limit and _COMMENT_LINE.match(self.text, end):
            end = next_line(self.text, end)
        return end


def _skip(text: str, at: int) -> int:
    """The next offset that is neither in white space nor in a comment."""
    return _match(_TRIVIA, text, at).end()


def _match(pattern: re.Pattern[str], text: str, at: int) -> re.Match[str]:
    match = pattern.match(text, at)
    if match is None:
        raise RuntimeError(f"internal error: TOML not understood at {position_at(text, at)}")
    return match


def _key(text: str, at: int) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...], int]:
    """A key, dotted or not: its parts, the place of each, and the offset after it."""
    parts = []
    spans = []
    while True:
        match = _match(_KEY, text, at)
        part = match[1]
        if part[0] == "'" or (part[0] == '"' and "\\" not in part):
            parts.append(part[1:-1])
        elif part[0] == '"':
            parts.append(tomllib.loads(f"key = {part}")["key"])
        else:
            parts.append(part)
        spans.append(match.span(1))
        at = match.end()
        if text[at] != ".":
            return tuple(parts), tuple(spans), at
        at += 1


def _header(text: str, start: int, lengths: dict[KeyPath, int]) -> Section:
    """A header. `lengths` holds how many elements each array of tables has so far."""
    brackets = 2 if text.startswith("[[", start) else 1
    keys, spans, at = _key(text, start + brackets)
    path: KeyPath = ()
    for key in keys[:-1]:
        path = (*path, key)
        if path in lengths:
            path = (*path, lengths[path] - 1)
    path = (*path, keys[-1])
    if brackets == 2:
        lengths[path] = lengths.get(path, 0) + 1
        path = (*path, lengths[path] - 1)
    return Section(path, start, at + brackets, spans)


def _member(text: str, at: int) -> Entry:
    """`key = value`."""
    keys, spans, at = _key(text, at)
    return Entry(keys, spans, _value(text, _skip(text, at + 1)))


def _value(text: str, start: int) -> Value:
    """A value with its entries."""
    if text[start] not in "[{":
        return Value(start, _match(_SCALAR, text, start).end())
    kind: Literal["array", "table"] = "array" if text[start] == "[" else "table"
    entries = []
    at = _skip(text, start + 1)
    while text[at] not in "]}":
        entry = _member(text, at) if kind == "table" else Entry((), (), _value(text, at))
        at = _skip(text, entry.value.end)
        if text[at] == ",":
            entry = replace(entry, comma=at)
            at = _skip(text, at + 1)
        entries.append(entry)
    return Value(start, at + 1, kind, tuple(entries))
