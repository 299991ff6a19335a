"""What these tests share: plain data edits to compare with, and comparisons."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

from poetry.core.constraints.version import VersionConstraint

from poetry_tf.files.documents import Document
from poetry_tf.files.positions import Position
from poetry_tf.files.values import KeyPath

COMMENT = re.compile(r"<\d+>")
"""Generated comments are numbered, so that each can be told from the others."""


def paths(data: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Every path that leads somewhere, the root first."""
    yield path
    if isinstance(data, dict | list):
        for step, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from paths(value, (*path, step))


def at(data: Any, path: KeyPath) -> Any:
    for step in path:
        data = data[step]
    return data


def changed(data: Any, path: KeyPath, value: Any) -> Any:
    """The data with the value at the path, or with the element added there."""
    if not path:
        return value
    data = copy.deepcopy(data)
    box = at(data, path[:-1])
    if isinstance(box, list) and path[-1] == len(box):
        box.append(value)
    else:
        box[path[-1]] = value
    return data


def removed(data: Any, path: KeyPath) -> Any:
    data = copy.deepcopy(data)
    del at(data, path[:-1])[path[-1]]
    return data


def offset(text: str, position: Position | None) -> int:
    """The offset of a position, reckoned otherwise than the package does."""
    assert position is not None
    lines = re.split(r"(?<=\n)|(?<=\r)(?!\n)", text)
    before = sum(map(len, lines[: position.line - 1]))
    return before + position.column - 1 + (position.line == 1 and text.startswith("\ufeff"))


def is_subsequence(part: str, whole: str) -> bool:
    rest = iter(whole)
    return all(char in rest for char in part)


def visible(text: str) -> str:
    return "".join(text.split())


def comments(text: str) -> list[str]:
    return COMMENT.findall(text)


def comments_elsewhere(document: Document, path: KeyPath) -> list[str]:
    """The comments that stand on none of the lines on which the path's key and value stand."""
    text = document.text
    source = document.source(path)
    assert source is not None
    start = offset(text, document.position(path))
    end = offset(text, document.value_position(path)) + len(source)
    # A comma may stand on a later line; comments in between belong to no line of their own.
    end += len(re.match(r"[^,\]}]*", text[end:])[0])  # type: ignore[index]
    newline = re.compile(r"[\r\n]")
    while start and not newline.match(text[start - 1]):
        start -= 1
    following = newline.search(text, end)
    return comments(text[:start]) + comments(text[following.start() :] if following else "")


def equal(one: VersionConstraint, other: VersionConstraint) -> bool:
    return one.allows_all(other) and other.allows_all(one)
