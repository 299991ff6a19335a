"""TOML, as in pyproject.toml and poetry.toml: read by the standard reader, edited in place."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import tomlkit

from poetry_tf.files.brackets import cut_below, put_below, rename_below, separator_in
from poetry_tf.files.documents import MAX_DEPTH, Document, DocumentError
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.places import Value
from poetry_tf.files.positions import (
    BOM,
    Position,
    Splice,
    ends_line,
    indent_at,
    line_end,
    line_start,
    newline_of,
    next_line,
    position_at,
    without_blank_lines,
)
from poetry_tf.files.toml_outline import Outline
from poetry_tf.files.values import (
    ABSENT,
    KeyPath,
    nested,
    spelled,
    value_at,
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

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+\Z")
# What a string in single quotes cannot hold.
_NOT_LITERAL: Final = re.compile(r"['\x00-\x08\x0a-\x1f\x7f]")
_ERROR_PLACE: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")
_DEFAULT_INDENT: Final = "    "
# The first of Git's three conflict markers; the others never stand without it.
_CONFLICT = re.compile(r"^<{7}(?= |\r?$)", re.MULTILINE)
_CONFLICT_REMEDY = "Choose what stays and remove the markers."


class Inline(dict[str, Any]):
    """A table to be written as `{…}` on its key's line, not as a section."""


@dataclass(frozen=True)
class TomlDocument(Document):
    """A TOML text, its data and the places of its values.

    A dict that is set where no table was becomes a section with a header, after the sections with
    the longest common path; as an `Inline` it becomes `key = {…}`. Tables within it are inline.

    Removing a table takes its sections: their headers, their lines, the comments between those,
    and those that follow the last without a blank line. Comments before a header stay. A table
    that existed only through what is removed (`tool`, after the last `[tool.x]`) goes with it.
    """

    TRAIL = re.compile(r"(?:[ \t]*#[^\r\n]*)?")
    SEPARATOR = " = "
    CLOSING_COMMA = ","
    SPREADS = False

    @classmethod
    def parse(cls, text: str) -> Self:
        if text.startswith(BOM):
            raise DocumentError(
                "the file begins with a byte order mark, which Poetry and other TOML readers"
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
    def _outline(self) -> Outline:
        return Outline.of(self.text)

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
        return statement.entry.value.locate(path[len(statement.path) :])

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
            return self._edited(put_below(self, statement.root, path, value), intended)
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
            # Dotted keys may define the table; then one more of them is added.
            last = self._outline.last_below(table)
            if last is None:
                return self._new_section(table, {key: value})
            spans = last.entry.spans[: len(table) - last.depth]
            prefix = f"{self.text[spans[0][0] : spans[-1][1]]}."
        anchor = last.entry.start if last else (section.header if section else None)
        indent = "" if anchor is None else indent_at(self.text, anchor)
        separator = separator_in(self, (last.entry,) if last else ())
        line = f"{indent}{prefix}{self.render_key(key)}{separator}{self.render(value, indent)}"
        newline = newline_of(self.text)
        if last:
            end = next_line(self.text, last.entry.end)
        elif section and section.header is not None:
            end = next_line(self.text, section.end)
        else:
            # A first key of the root, before the first header and its comments.
            _, *headers = self._outline.sections
            end = self._outline.comments_before(headers[0], 0) if headers else len(self.text)
            if end < len(self.text):
                # Nothing stood before the first header, so nothing separates it either.
                line += newline
        if end == len(self.text) and not ends_line(self.text, end):
            return [(end, end, newline + line)]
        return [(end, end, line + newline)]

    def _new_section(self, path: KeyPath, table: dict[str, Any]) -> list[Splice]:
        """The splices that add a section, `[[…]]` for a path that ends with an index."""
        text, newline = self.text, newline_of(self.text)
        name = ".".join(self.render_key(key) for key in path if isinstance(key, str))
        lines = [f"[[{name}]]" if isinstance(path[-1], int) else f"[{name}]"]
        lines += [f"{self.render_key(key)} = {self.render(table[key], '')}" for key in table]
        block = newline.join(lines)
        end = self._outline.end_of_related(path)
        if not text[:end].strip():
            return [(end, end, block + newline + (newline if text[end:].strip() else ""))]
        before = newline if ends_line(text, end) else newline * 2
        if end == len(text):
            return [(end, end, before + block + (newline if ends_line(text, end) else ""))]
        follows = text[end : line_end(text, end)].strip()
        return [(end, end, before + block + newline * (2 if follows else 1))]

    # Removing and renaming

    def remove_with_comments(self, path: KeyPath) -> Self:
        """As `remove`, but the comment lines right above a section's header go with it.

        Comments at the start of the file stay: they are about the file.
        """
        return self if self.get(path, ABSENT) is ABSENT else self._cut(path, comments=True)

    def _cut(self, path: KeyPath, *, comments: bool = False) -> Self:
        outline = self._outline
        intended = without(self.data, path)
        statement = outline.statement(path)
        if statement and len(path) > len(statement.path):
            splices = cut_below(self, statement.root, path)
        else:
            splices = self._cut_sections(path, comments=comments)
        # A table without a header, and an array of tables, go with their last part.
        for length in range(len(path) - 1, 0, -1):
            table = path[:length]
            explicit = outline.statement(table) or any(s.path == table for s in outline.sections)
            if explicit or value_at(intended, table):
                break
            intended = without(intended, table)
        return self._edited(splices, intended)

    def _cut_sections(self, path: KeyPath, *, comments: bool) -> list[Splice]:
        """The splices that remove every statement and section at or below the path."""
        lines: list[tuple[int, int]] = []
        blocks: list[tuple[int, int]] = []
        outline = self._outline
        for index, section in enumerate(outline.sections):
            if section.path[: len(path)] == path and section.header is not None:
                start = line_start(self.text, section.header)
                if comments:
                    start = outline.comments_before(section, outline.body_end(index - 1)) or start
                # Adjacent blocks become one, so that the blank lines around them are judged once.
                end = outline.section_end(index)
                if blocks and not self.text[blocks[-1][1] : start].strip():
                    start = blocks.pop()[0]
                blocks.append((start, end))
                continue
            for statement in section.statements:
                if statement.path[: len(path)] == path:
                    start = line_start(self.text, statement.entry.start)
                    lines.append((start, next_line(self.text, statement.entry.end)))
        spans = [*lines, *(_with_blank_lines(self.text, *block) for block in blocks)]
        return [(*_with_newline_before(self.text, *span), "") for span in _merged(spans)]

    def _rename(self, path: KeyPath, new_key: str) -> Self:
        intended = with_key(self.data, path, new_key)
        statement = self._outline.statement(path)
        if statement and len(path) > len(statement.path):
            splices = rename_below(self, statement.root, path, new_key)
        else:
            key = self.render_key(new_key)
            splices = [(*span, key) for span in self._outline.mentions(path)]
        return self._edited(splices, intended)

    # Rendering

    def render(self, value: Any, indent: str | None, old: str = "") -> str:
        if isinstance(value, str) and old[:1] == "'" and old[:3] != "'''":
            if not _NOT_LITERAL.search(value):
                return f"'{value}'"
        elif isinstance(value, list) and value and old[:1] == "[" and "\n" in old:
            match = re.search(r"\n([ \t]*)[^\s#\]]", old)
            inner = match[1] if match else (indent or "") + _DEFAULT_INDENT
            newline = newline_of(self.text)
            lines = [f"{newline}{inner}{rendered(element)}," for element in value]
            return f"[{''.join(lines)}{newline}{indent or ''}]"
        return rendered(value)

    def render_key(self, key: str) -> str:
        return key if _BARE_KEY.match(key) else rendered(key)

    def indent_unit(self) -> str:
        return _DEFAULT_INDENT


@dataclass(frozen=True)
class TomlFile:
    """A TOML file of the project, and the errors that name a place in it."""

    path: Path
    document: TomlDocument

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = self.document.data
        return data

    def position(self, path: KeyPath) -> Position:
        """The position of `path`, or of the longest part of it that exists."""
        return self.document.nearest(path)

    def table(self, *path: str) -> dict[str, Any]:
        """The table at `path`, empty where it is absent; `ProjectError` where it is no table."""
        value: dict[str, Any] = self.data
        for depth, key in enumerate(path, start=1):
            value = value.get(key, {})
            if not isinstance(value, dict):
                raise self.error(path[:depth], f"[{'.'.join(path[:depth])}] is not a table")
        return value

    def error(self, path: KeyPath, message: str) -> ProjectError:
        return ProjectError(self.path, message, self.position(path))


def parse_toml(path: Path, text: str, conflict_remedy: str = _CONFLICT_REMEDY) -> TomlDocument:
    """The document. Raises `ProjectError` with the file, the line and what is wrong there."""
    try:
        return TomlDocument.parse(text)
    except DocumentError as error:
        # The reader reports an invalid statement or a duplicate key.
        if conflict := _CONFLICT.search(text):
            position = position_at(text, conflict.start())
            raise ProjectError(
                path, "it has merge conflict markers", position, conflict_remedy
            ) from None
        raise ProjectError(path, error.message, error.position) from None


# Small helpers


def _syntax_error(text: str, error: ValueError) -> DocumentError:
    """The error of `tomllib`, with the position from the end of its message."""
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
    """Refuses data that is nested too deeply for recursive functions."""
    level: list[Any] = [data]
    for _ in range(MAX_DEPTH + 1):
        members = [v for box in level for v in (box.values() if isinstance(box, dict) else box)]
        level = [member for member in members if isinstance(member, dict | list)]
        if not level:
            return
    raise DocumentError("nested too deeply")


def _is_section(value: Any) -> bool:
    return isinstance(value, dict) and not isinstance(value, Inline)


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans in order, joined where they touch."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _with_blank_lines(text: str, start: int, end: int) -> tuple[int, int]:
    """The lines with the blank lines before or after them, whichever are fewer; all at the end."""
    before = len(without_blank_lines(text[:start]))
    rest = text[end:]
    after = len(text) - len(rest.lstrip())
    if after == len(text):
        return before, after
    after = line_start(text, after)
    if start == 0 or 0 < after - end <= start - before:
        return start, after
    return (before, end) if before < start and end < after else (start, end)


def _with_newline_before(text: str, start: int, end: int) -> tuple[int, int]:
    """The span; with the line ending before it if it is a last line without one."""
    if end == len(text) and not ends_line(text, end) and start:
        start -= 2 if text[start - 2 : start] == "\r\n" else 1
    return start, end


def rendered(value: Any) -> str:
    """A value on one line. Raises `DocumentError` for what TOML cannot express."""
    if isinstance(value, dict):
        members = ", ".join(
            f"{key if _BARE_KEY.match(key) else rendered(key)} = {rendered(value[key])}"
            for key in value
        )
        return f"{{{members}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(rendered, value))}]"
    try:
        text: str = tomlkit.item(value).as_string()
        text.encode()  # Half a surrogate pair is no character to TOML.
    except (TypeError, ValueError) as error:
        raise DocumentError(f"not a TOML value: {value!r}") from error
    return text
