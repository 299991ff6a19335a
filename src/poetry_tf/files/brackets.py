"""Edits of comma-separated entries in brackets: arrays, objects and inline tables.

They look alike in TOML and JSONC.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from poetry_tf.files.documents import Document
from poetry_tf.files.places import Entry, Root, Value
from poetry_tf.files.positions import (
    NEWLINE,
    Splice,
    indent_at,
    line_end,
    line_start,
    newline_of,
    next_line,
    skip_blanks,
    skip_blanks_back,
    spliced,
    starts_line,
)
from poetry_tf.files.values import KeyPath, nested, with_key, with_value, without


def put_below(document: Document, root: Root, path: KeyPath, value: Any) -> list[Splice]:
    """The splices that set a path at or below the root."""
    trail, owner, box = _trail(root, path)
    done = len(root.path) + len(trail)
    rest = path[done:]
    if not rest:
        return [_replacement(document, owner, box, value)]
    if any(len(entry.keys) > 1 and entry.keys[0] == rest[0] for entry in box.entries):
        # Dotted keys within an inline table are too rare to be edited one by one.
        table = with_value(document.get(path[:done]), rest, value)
        return [_replacement(document, owner, box, table)]
    return _addition(document, owner, box, rest[0], nested(rest[1:], value))


def cut_below(document: Document, root: Root, path: KeyPath) -> list[Splice]:
    """The splices that remove what stands at a path below the root."""
    trail, owner, box = _trail(root, path)
    done = len(root.path) + len(trail)
    if done == len(path):
        box = trail[-2].value if len(trail) > 1 else root.value
        return _removal(document, box, next(i for i, e in enumerate(box.entries) if e is owner))
    table = without(document.get(path[:done]), path[done:])
    return [_replacement(document, owner, box, table)]


def rename_below(document: Document, root: Root, path: KeyPath, new_key: str) -> list[Splice]:
    """The splices that rename the last key of a path below the root."""
    trail, owner, box = _trail(root, path)
    done = len(root.path) + len(trail)
    if done == len(path):
        return [(*trail[-1].spans[0], document.render_key(new_key))]
    table = with_key(document.get(path[:done]), path[done:], new_key)
    return [_replacement(document, owner, box, table)]


def _trail(root: Root, path: KeyPath) -> tuple[list[Entry], Entry | None, Value]:
    """The entries along the path, up to the first step without one; the last, and its value."""
    trail: list[Entry] = []
    owner, box = root.entry, root.value
    for step in path[len(root.path) :]:
        entry = box.child(step)
        if entry is None:
            break
        trail.append(entry)
        owner, box = entry, entry.value
    return trail, owner, box


def _replacement(document: Document, owner: Entry | None, old: Value, value: Any) -> Splice:
    lone = owner is None or starts_line(document.text, owner.start)
    indent = indent_at(document.text, old.start if owner is None else owner.start) if lone else None
    source = document.text[old.start : old.end]
    return old.start, old.end, document.render(value, indent, source)


def _addition(
    document: Document, owner: Entry | None, box: Value, step: str | int, value: Any
) -> list[Splice]:
    """The splices that add an entry at the end of the box."""

    def entry_text(indent: str | None) -> str:
        rendered = document.render(value, indent)
        if box.kind == "array":
            return rendered
        return f"{document.render_key(str(step))}{separator_in(document, box.entries)}{rendered}"

    if box.entries:
        return _addition_after(document, box, box.entries[-1], entry_text)
    return _first_addition(document, owner, box, entry_text)


def separator_in(document: Document, neighbours: tuple[Entry, ...]) -> str:
    """The separator of key and value, without blanks if the last neighbour has none."""
    if neighbours:
        last = neighbours[-1]
        separator = document.text[last.spans[-1][1] : last.value.start]
        if separator == document.SEPARATOR.strip():
            return separator
    return document.SEPARATOR


def _addition_after(
    document: Document, box: Value, last: Entry, entry_text: Callable[[str | None], str]
) -> list[Splice]:
    text = document.text
    trail = _comments_end(document, last.end)
    comma = "" if last.comma is None else ","
    lone = starts_line(text, last.start)
    if lone or (trail > last.end and trail == line_end(text, trail)):
        # A line of its own, after the comment that belongs to the last entry.
        indent = indent_at(text, last.start)
        if not lone and line_start(text, last.start) <= box.start:
            indent += document.indent_unit()
        line = newline_of(text) + indent + entry_text(indent) + comma
        splices = [(trail, trail, line)]
        return splices if comma else [(last.end, last.end, ","), *splices]
    gap = " "
    if len(box.entries) > 1 and text[box.entries[-2].end : last.start] == "":
        gap = ""
    entry = entry_text(None)
    return [(trail, trail, f"{gap}{entry}," if comma else f",{gap}{entry}")]


def _first_addition(
    document: Document, owner: Entry | None, box: Value, entry_text: Callable[[str | None], str]
) -> list[Splice]:
    start, end = box.start + 1, box.end - 1
    inside = document.text[start:end]
    spread = NEWLINE.search(inside) is not None
    newline = newline_of(document.text)
    outer = indent_at(document.text, box.start)
    indent = outer + document.indent_unit()
    if inside.strip():
        # After the comments that are there.
        kept = start + len(inside.rstrip())
        if not spread:
            return [(kept, kept, f" {entry_text(None)}")]
        closing = "" if NEWLINE.search(document.text, kept, end) else newline + outer
        line = newline + indent + entry_text(indent) + document.CLOSING_COMMA
        return [(kept, kept, line + closing)]
    lone = owner is None or starts_line(document.text, owner.start)
    if spread or (document.SPREADS and lone):
        line = newline + indent + entry_text(indent) + document.CLOSING_COMMA
        return [(start, end, line + newline + outer)]
    return [(start, end, inside + entry_text(None) + inside)]


def _removal(document: Document, box: Value, index: int) -> list[Splice]:
    """The splices that remove an entry, a superfluous comma, and an empty line."""
    entry = box.entries[index]
    splices = _line_removal(document, entry) or _inline_removal(document, entry)
    if index and entry.comma is None:
        # The entry before becomes the last one, so its comma goes as well.
        comma = box.entries[index - 1].end - 1
        start, end, _ = splices[0]
        if not document.text[comma + 1 : start].strip() and end == entry.end:
            splices = [(comma, end, "")]
        else:
            splices = [(comma, comma + 1, ""), *splices]
    if len(box.entries) == 1:
        shift = box.start + 1
        moved = [(start - shift, end - shift, new) for start, end, new in splices]
        if not spliced(document.text[shift : box.end - 1], moved).strip():
            return [(shift, box.end - 1, "")]
    return splices


def _line_removal(document: Document, entry: Entry) -> list[Splice]:
    """Removes the entry's lines with the comment that ends them; nothing if it shares them."""
    text = document.text
    if not starts_line(text, entry.start) or NEWLINE.search(text, entry.value.end, entry.end):
        return []
    trail = skip_blanks(text, _comments_end(document, entry.end))
    if trail != line_end(text, trail):
        return []
    return [(line_start(text, entry.start), next_line(text, trail), "")]


def _inline_removal(document: Document, entry: Entry) -> list[Splice]:
    text = document.text
    start, end = entry.start, entry.end
    if entry.comma is not None and NEWLINE.search(text, entry.value.end, end):
        # Comments may stand between the value and its comma, on lines of their own.
        return [(start, entry.value.end, ""), (entry.comma, entry.comma + 1, "")]
    after = skip_blanks(text, end)
    if entry.comma is not None and after != line_end(text, after) and text[after] not in "]}":
        return [(start, after, "")]
    return [(skip_blanks_back(text, start), end, "")]


def _comments_end(document: Document, offset: int) -> int:
    """The end of the comments that follow the offset on its line."""
    match = document.TRAIL.match(document.text, offset)
    return match.end() if match else offset
