"""Positions in a text: lines, columns, indentation, and changes by offset."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

Splice: TypeAlias = tuple[int, int, str]
"""Start and end of a stretch of text, and its replacement."""

BOM: Final = "\ufeff"
NEWLINE: Final = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a text: line and column, both counted from 1, columns in characters."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


def position_at(text: str, offset: int) -> Position:
    """The line and column of an offset. A byte order mark has no width, as in editors."""
    return position_in(line_starts(text), offset)


def line_starts(text: str) -> list[int]:
    """The offset at which each line begins."""
    first = 1 if text.startswith(BOM) else 0
    return [first, *(match.end() for match in NEWLINE.finditer(text))]


def position_in(starts: list[int], offset: int) -> Position:
    """As `position_at`, in a text with these line starts."""
    line = max(1, bisect_right(starts, offset))
    return Position(line, max(1, offset - starts[line - 1] + 1))


def newline_of(text: str) -> str:
    """The first line ending of the text; a line feed where it has none."""
    match = NEWLINE.search(text)
    return match[0] if match else "\n"


def line_start(text: str, offset: int) -> int:
    """The start of the line that holds the offset."""
    return max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1


def line_end(text: str, offset: int) -> int:
    """The end of the line that holds the offset, without its line ending."""
    match = NEWLINE.search(text, offset)
    return match.start() if match else len(text)


def next_line(text: str, offset: int) -> int:
    """The start of the next line, at most the text's end."""
    match = NEWLINE.search(text, offset)
    return match.end() if match else len(text)


def ends_line(text: str, offset: int) -> bool:
    """Whether a line begins at the offset."""
    return offset == 0 or text[offset - 1] == "\n"


def indent_at(text: str, offset: int) -> str:
    """The indentation of the line that holds the offset."""
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


def without_blank_lines(text: str) -> str:
    """The text without the blank lines at its end; the last line keeps its line ending."""
    return text[: next_line(text, len(text.rstrip()))] if text.strip() else ""


def spliced(text: str, splices: Iterable[Splice]) -> str:
    """The text with every splice made; splices must not overlap.

    Two insertions at one offset keep the order in which they are given.
    """
    pieces = []
    done = 0
    for start, end, replacement in sorted(splices, key=lambda splice: splice[:2]):
        if start < done:
            raise RuntimeError("internal error: edits overlap")
        pieces += [text[done:start], replacement]
        done = end
    return "".join([*pieces, text[done:]])
