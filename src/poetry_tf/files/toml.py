"""TOML, as in pyproject.toml and poetry.toml: read by the standard reader, edited in place.

`tomllib` says what a text means and where it is malformed, but not where anything stands. So a
scanner finds the places, and only when one is asked for; as it reads text that is known to be
valid, it can be short and fast.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import tomlkit

from poetry_tf.files.documents import (
    ABSENT,
    BOM,
    MAX_DEPTH,
    Document,
    DocumentError,
    Entry,
    KeyPath,
    Position,
    Splice,
    Value,
    indent_at,
    line_end,
    line_start,
    nested,
    newline_of,
    next_line,
    position_at,
    spelled,
    with_key,
    with_value,
    without,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from typing_extensions import Self

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
# What matters for finding the bracket that closes a value.
_IN_BRACKETS: Final = re.compile(rf"{_STRING}|#[^\n]*|[\[\]{{}}]")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+\Z")
# What a string in single quotes cannot hold.
_NOT_LITERAL: Final = re.compile(r"['\x00-\x08\x0a-\x1f\x7f]")
_COMMENT_LINE: Final = re.compile(r"[ \t]*#")
_ERROR_PLACE: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")
_DEFAULT_INDENT: Final = "    "


class Inline(dict[str, Any]):
    """A table that is to be written as `{…}` on its key's line, not as a section of its own."""


@dataclass(frozen=True)
class TomlDocument(Document):
    """A TOML text, its data and the places of its values.

    A dict that is set where no table was becomes a section with a header, after the sections it
    has most in common with; as an `Inline` it becomes `key = {…}`. Tables within it are inline.

    Removing a table takes its sections: their headers, their lines, the comments between those,
    and those that follow the last without a blank line. Comments before a header stay. A table
    that existed only through what is removed (`tool`, after the last `[tool.x]`) goes with it.
    """

    _TRAIL = re.compile(r"(?:[ \t]*#[^\r\n]*)?")
    _SEPARATOR = " = "
    _CLOSING_COMMA = ","

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads a text. Raises `DocumentError`, with the position, if it is malformed."""
        if text.startswith(BOM):
            raise DocumentError(
                "the file begins with a byte order mark, which TOML readers, Poetry's among them,"
                " reject; save it as UTF-8 without one",
                Position(1, 1),
            )
        try:
            data = tomllib.loads(text)
        except RecursionError as error:
            raise DocumentError("nested too deeply") from error
        except ValueError as error:
            raise _syntax_error(text, error) from error
        _check_depth(data)
        return cls(text, data)

    @cached_property
    def _outline(self) -> _Outline:
        return _Outline.of(self.text)

    def append(self, path: KeyPath, value: Any) -> Self:
        """The document with one more element in the array at the path, which is made if absent.

        A dict (that is no `Inline`) becomes a section `[[…]]` where the array has such sections,
        or where there is no array yet. Raises `DocumentError` if something else than an array
        stands there, or as `set` does.
        """
        if _is_section(value) and self.get(path, ABSENT) is ABSENT and not self._is_inline(path):
            self._check_route(path)
            splices = self._new_section((*path, 0), value)
            return self._edited(splices, with_value(self.data, path, [value]))
        return super().append(path, value)

    def _locate(self, path: KeyPath) -> tuple[int, Value | None] | None:
        statement = self._outline.statement(path)
        if statement is None or len(path) == len(statement.path):
            key = self._outline.keys.get(path)
            return None if key is None else (key, statement.entry.value if statement else None)
        return self._whole(statement).locate(path[len(statement.path) :])

    def _whole(self, statement: _Statement) -> Value:
        """The statement's value with its entries, which the outline leaves out."""
        return _value(self.text, statement.entry.value.start)

    def _is_inline(self, path: KeyPath) -> bool:
        """Whether the path leads into a value that is written in one piece."""
        return self._outline.statement(path) is not None

    # Setting

    def _set_elements(self, path: KeyPath, old: list[Any], value: list[Any]) -> Self:
        tables = all(isinstance(element, dict) for element in value)
        # Sections can hold nothing but tables; the array is then written otherwise.
        return super()._set_elements(path, old, value) if tables or self._is_inline(path) else self

    def _put(self, path: KeyPath, value: Any) -> Self:
        intended = with_value(self.data, path, value)
        if statement := self._outline.statement(path):
            at, rest = statement.path, path[len(statement.path) :]
            whole = self._whole(statement)
            return self._edited(self._put_below(at, whole, statement.entry, rest, value), intended)
        if not path:
            raise DocumentError("a TOML document as a whole is always a table")
        first = next((path[:n] for n in range(1, len(path) + 1) if not self._has(path[:n])), None)
        if first and isinstance(first[-1], int):
            path, value = first, nested(path[len(first) :], value)
        if isinstance(path[-1], int) and not isinstance(value, dict):
            raise DocumentError(
                f"{spelled(path[:-1])} is written as tables, element by element",
                self.value_position(path[:-1]),
            )
        if first is None:
            document = self._cut(path)
            if isinstance(value, list) and value and all(map(_is_section, value)):
                for element in value:
                    document = document.append(path, element)
                return document._verified(intended)
            return document._put(path, value)._verified(intended)
        if isinstance(path[-1], int) or _is_section(value):
            return self._edited(self._new_section(path, value), intended)
        return self._edited(self._new_line(path[:-1], str(path[-1]), value), intended)

    def _has(self, path: KeyPath) -> bool:
        return self.get(path, ABSENT) is not ABSENT

    def _new_line(self, table: KeyPath, key: str, value: Any) -> list[Splice]:
        """The splices that add a key to a table that is not inline."""
        section = next((s for s in self._outline.sections if s.path == table), None)
        last = section.statements[-1] if section and section.statements else None
        prefix = ""
        if section is None:
            # The table may exist through dotted keys; then one more of them is added.
            last = self._outline.last_below(table)
            if last is None:
                return self._new_section(table, {key: value})
            spans = last.entry.spans[: len(table) - last.depth]
            prefix = f"{self.text[spans[0][0] : spans[-1][1]]}."
        anchor = last.entry.start if last else (section.header if section else None)
        indent = "" if anchor is None else indent_at(self.text, anchor)
        separator = self._separator_in((last.entry,) if last else ())
        line = f"{indent}{prefix}{self._render_key(key)}{separator}{self._render(value, indent)}"
        newline = newline_of(self.text)
        if last:
            end = next_line(self.text, last.entry.end)
        elif section and section.header is not None:
            end = next_line(self.text, section.end)
        else:
            end = self._preamble_end()
            if end < len(self.text):
                # Nothing stood before the first header, so nothing separates it either.
                line += newline
        if end == len(self.text) and not self._ends_line(end):
            return [(end, end, newline + line)]
        return [(end, end, line + newline)]

    def _preamble_end(self) -> int:
        """Where a first key of the root goes: before the first header and its comments."""
        sections = self._outline.sections
        return len(self.text) if len(sections) == 1 else self._comments_before(sections[1], 0)

    def _new_section(self, path: KeyPath, table: dict[str, Any]) -> list[Splice]:
        """The splices that add a section, for a path that ends with an index one with `[[…]]`."""
        text, newline = self.text, newline_of(self.text)
        name = self._dotted(path)
        lines = [f"[[{name}]]" if isinstance(path[-1], int) else f"[{name}]"]
        lines += [f"{self._render_key(key)} = {self._render(table[key], '')}" for key in table]
        block = newline.join(lines)
        end = self._end_of_kin(path)
        if not text[:end].strip():
            return [(end, end, block + newline + (newline if text[end:].strip() else ""))]
        before = newline if self._ends_line(end) else newline * 2
        if end == len(text):
            return [(end, end, before + block + (newline if self._ends_line(end) else ""))]
        follows = text[end : line_end(text, end)].strip()
        return [(end, end, before + block + newline * (2 if follows else 1))]

    def _end_of_kin(self, path: KeyPath) -> int:
        """Where the last of the sections ends that share the longest part of the path."""
        sections = self._outline.sections
        shared = [_shared(section.path, path) for section in sections]
        longest = max(shared)
        index = len(sections) - 1
        if longest:
            index -= shared[::-1].index(longest)
        start = self._body_end(index)
        end = len(self.text)
        if index + 1 < len(sections):
            end = self._comments_before(sections[index + 1], start)
        return start + len(_without_blank_lines(self.text[start:end]))

    def _body_end(self, index: int) -> int:
        """Where the line after a section's last statement begins, or after its header."""
        section = self._outline.sections[index]
        if section.statements:
            return next_line(self.text, section.statements[-1].entry.end)
        return 0 if section.header is None else next_line(self.text, section.end)

    def _comments_before(self, section: _Section, floor: int) -> int:
        """Where the comment lines begin that stand right before a header; the header if none do."""
        assert section.header is not None
        start = line_start(self.text, section.header)
        while start > floor:
            ending = 2 if self.text[start - 2 : start] == "\r\n" else 1
            above = line_start(self.text, start - ending)
            if not _COMMENT_LINE.match(self.text, above):
                break
            start = above
        return start

    def _ends_line(self, offset: int) -> bool:
        return offset == 0 or self.text[offset - 1] == "\n"

    def _dotted(self, path: KeyPath) -> str:
        return ".".join(self._render_key(key) for key in path if isinstance(key, str))

    # Removing and renaming

    def remove_with_comments(self, path: KeyPath) -> Self:
        """As `remove`, but the comment lines right above a section's header go with it.

        Not those that the file begins with, which are about the file.
        """
        return self if self.get(path, ABSENT) is ABSENT else self._cut(path, comments=True)

    def _cut(self, path: KeyPath, *, comments: bool = False) -> Self:
        outline = self._outline
        intended = without(self.data, path)
        statement = outline.statement(path)
        if statement and len(path) > len(statement.path):
            at, rest = statement.path, path[len(statement.path) :]
            splices = self._cut_below(at, self._whole(statement), statement.entry, rest)
        else:
            splices = self._cut_sections(path, comments=comments)
        # A table that no header names, and an array of tables, ends with what it consists of.
        for length in range(len(path) - 1, 0, -1):
            table = path[:length]
            explicit = outline.statement(table) or any(s.path == table for s in outline.sections)
            if explicit or _get(intended, table):
                break
            intended = without(intended, table)
        return self._edited(splices, intended)

    def _cut_sections(self, path: KeyPath, *, comments: bool) -> list[Splice]:
        """The splices that remove every statement and section at or below the path."""
        lines: list[tuple[int, int]] = []
        blocks: list[tuple[int, int]] = []
        for index, section in enumerate(self._outline.sections):
            if section.path[: len(path)] == path and section.header is not None:
                start = line_start(self.text, section.header)
                if comments:
                    start = self._comments_before(section, self._body_end(index - 1)) or start
                # Adjacent blocks become one, so that the blank lines around them are judged once.
                end = self._section_end(index)
                if blocks and not self.text[blocks[-1][1] : start].strip():
                    start = blocks.pop()[0]
                blocks.append((start, end))
                continue
            for statement in section.statements:
                if statement.path[: len(path)] == path:
                    start = line_start(self.text, statement.entry.start)
                    lines.append((start, next_line(self.text, statement.entry.end)))
        spans = [*lines, *(self._with_blank_lines(*block) for block in blocks)]
        return [(*self._with_newline_before(*span), "") for span in _merged(spans)]

    def _section_end(self, index: int) -> int:
        """The end of a section's own lines: its statements and the comments that cling to them."""
        sections = self._outline.sections
        end = self._body_end(index)
        limit = len(self.text)
        if index + 1 < len(sections):
            limit = self._comments_before(sections[index + 1], end)
        while end < limit and _COMMENT_LINE.match(self.text, end):
            end = next_line(self.text, end)
        return end

    def _with_blank_lines(self, start: int, end: int) -> tuple[int, int]:
        """The lines with the fewer of the blank ones around them; with all at the file's end."""
        before = len(_without_blank_lines(self.text[:start]))
        rest = self.text[end:]
        after = len(self.text) - len(rest.lstrip())
        if after == len(self.text):
            return before, after
        after = line_start(self.text, after)
        if start == 0 or 0 < after - end <= start - before:
            return start, after
        return (before, end) if before < start and end < after else (start, end)

    def _with_newline_before(self, start: int, end: int) -> tuple[int, int]:
        """The span; with the line ending before it, if it is the unended last line of the file."""
        if end == len(self.text) and not self._ends_line(end) and start:
            start -= 2 if self.text[start - 2 : start] == "\r\n" else 1
        return start, end

    def _rename(self, path: KeyPath, new_key: str) -> Self:
        intended = with_key(self.data, path, new_key)
        statement = self._outline.statement(path)
        if statement and len(path) > len(statement.path):
            at, rest = statement.path, path[len(statement.path) :]
            whole = self._whole(statement)
            splices = self._rename_below(at, whole, statement.entry, rest, new_key)
        else:
            key = self._render_key(new_key)
            splices = [(*span, key) for span in self._outline.mentions(path)]
        return self._edited(splices, intended)

    # Rendering

    def _render(self, value: Any, indent: str | None, old: str = "") -> str:
        if isinstance(value, str) and old[:1] == "'" and old[:3] != "'''":
            if not _NOT_LITERAL.search(value):
                return f"'{value}'"
        elif isinstance(value, list) and value and old[:1] == "[" and "\n" in old:
            match = re.search(r"\n([ \t]*)[^\s#\]]", old)
            inner = match[1] if match else (indent or "") + _DEFAULT_INDENT
            newline = newline_of(self.text)
            lines = [f"{newline}{inner}{_rendered(element)}," for element in value]
            return f"[{''.join(lines)}{newline}{indent or ''}]"
        return _rendered(value)

    def _render_key(self, key: str) -> str:
        return key if _BARE_KEY.match(key) else _rendered(key)

    def _indent_unit(self) -> str:
        return _DEFAULT_INDENT

    def _spreads(self, owner: Entry | None) -> bool:  # noqa: ARG002
        return False


# The outline


@dataclass(frozen=True, slots=True)
class _Statement:
    """A line `key = value`: its full path, and how much of that its section gives."""

    path: KeyPath
    depth: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class _Section:
    """A header with the statements below it; the first section is the root's, without a header."""

    path: KeyPath
    header: int | None = None
    end: int = 0
    spans: tuple[tuple[int, int], ...] = ()
    statements: list[_Statement] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Outline:
    """Where the sections and statements of a text stand; what is in brackets is passed over."""

    sections: list[_Section]
    keys: dict[KeyPath, int]
    """Where each table and key is first named."""
    values: dict[KeyPath, _Statement]

    @classmethod
    def of(cls, text: str) -> _Outline:
        """Outlines a text that `tomllib` has accepted."""
        outline = cls([_Section(())], {}, {})
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
                statement = _Statement(section.path + entry.keys, len(section.path), entry)
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

    def statement(self, path: KeyPath) -> _Statement | None:
        """The statement in whose value, or at whose key, the path ends."""
        for length in range(1, len(path) + 1):
            if found := self.values.get(path[:length]):
                return found
        return None

    def last_below(self, table: KeyPath) -> _Statement | None:
        """The last statement by whose dotted keys the table exists."""
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


def _skip(text: str, at: int) -> int:
    """The next offset that is neither in white space nor in a comment."""
    return _match(_TRIVIA, text, at).end()


def _match(pattern: re.Pattern[str], text: str, at: int) -> re.Match[str]:
    match = pattern.match(text, at)
    if match is None:
        raise RuntimeError(f"internal error: TOML not understood at {position_at(text, at)}")
    return match


def _key(text: str, at: int) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...], int]:
    """A key, dotted or not: its parts, where each stands, and where what follows begins."""
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


def _header(text: str, start: int, lengths: dict[KeyPath, int]) -> _Section:
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
    return _Section(path, start, at + brackets, spans)


def _member(text: str, at: int) -> Entry:
    """`key = value`, the value without its entries."""
    keys, spans, at = _key(text, at)
    start = _skip(text, at + 1)
    if text[start] not in "[{":
        return Entry(keys, spans, Value(start, _match(_SCALAR, text, start).end()))
    depth = 0
    for match in _IN_BRACKETS.finditer(text, start):
        token = match[0]
        if token in ("[", "{"):
            depth += 1
        elif token in ("]", "}"):
            depth -= 1
            if depth == 0:
                return Entry(keys, spans, Value(start, match.end()))
    raise RuntimeError("internal error: TOML brackets not understood")


def _value(text: str, start: int) -> Value:
    """A value with all that is in it."""
    if text[start] not in "[{":
        return Value(start, _match(_SCALAR, text, start).end())
    entries = []
    at = _skip(text, start + 1)
    while text[at] not in "]}":
        keys: tuple[str, ...] = ()
        spans: tuple[tuple[int, int], ...] = ()
        if text[start] == "{":
            keys, spans, at = _key(text, at)
            at = _skip(text, at + 1)
        value = _value(text, at)
        at = _skip(text, value.end)
        comma = at if text[at] == "," else None
        at = at if comma is None else _skip(text, comma + 1)
        entries.append(Entry(keys, spans, value, comma))
    return Value(start, at + 1, "array" if text[start] == "[" else "table", tuple(entries))


# Small helpers


def _syntax_error(text: str, error: ValueError) -> DocumentError:
    """What `tomllib` says, with the position that its message ends with as one of our own."""
    message = str(error)
    place = _ERROR_PLACE.search(message)
    if place is None:
        return DocumentError(message)
    position = position_at(text, len(text))
    if place[1]:
        position = Position(int(place[1]), int(place[2]))
    message = message[: place.start()]
    return DocumentError(message[:1].lower() + message[1:], position)


def _check_depth(data: dict[str, Any]) -> None:
    """Refuses data that functions which call themselves could not go through."""
    level: list[Any] = [data]
    for _ in range(MAX_DEPTH + 1):
        members = [v for box in level for v in (box.values() if isinstance(box, dict) else box)]
        level = [member for member in members if isinstance(member, dict | list)]
        if not level:
            return
    raise DocumentError("nested too deeply")


def _is_section(value: Any) -> bool:
    return isinstance(value, dict) and not isinstance(value, Inline)


def _shared(one: KeyPath, other: KeyPath) -> int:
    """The length of the part that two paths begin with in common."""
    length = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        length += 1
    return length


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans in order, those that touch each other made one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _get(data: Any, path: KeyPath) -> Any:
    for step in path:
        data = data[step]
    return data


def _without_blank_lines(text: str) -> str:
    """The text without the blank lines at its end; the last line keeps its line ending."""
    return text[: next_line(text, len(text.rstrip()))] if text.strip() else ""


def _rendered(value: Any) -> str:
    """A value on one line. Raises `DocumentError` for what TOML cannot express."""
    if isinstance(value, dict):
        members = ", ".join(
            f"{key if _BARE_KEY.match(key) else _rendered(key)} = {_rendered(value[key])}"
            for key in value
        )
        return f"{{{members}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_rendered, value))}]"
    try:
        text: str = tomlkit.item(value).as_string()
        text.encode()  # Half a surrogate pair is no character to TOML.
    except (TypeError, ValueError) as error:
        raise DocumentError(f"not a TOML value: {value!r}") from error
    return text
