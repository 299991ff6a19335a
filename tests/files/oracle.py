"""What these tests share: plain data edits to compare with, and comparisons."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any, TypeVar

import pytest
from hypothesis import assume
from hypothesis import strategies as st
from poetry.core.constraints.version import VersionConstraint

from poetry_tf.files.documents import Document, DocumentError
from poetry_tf.files.positions import Position
from poetry_tf.files.values import KeyPath

DocumentT = TypeVar("DocumentT", bound=Document)

COMMENT = re.compile(r"<\d+>")
"""Generated comments are numbered, so that each can be told from the others."""


def paths(data: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Every path that leads somewhere, the root first."""
    yield path
    if isinstance(data, dict | list):
        for step, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from paths(value, (*path, step))


def draw_path(data: st.DataObject, document: Document) -> KeyPath:
    """A path below the root."""
    present = list(paths(document.data))[1:]
    assume(present)
    return data.draw(st.sampled_from(present))


def draw_key(data: st.DataObject, document: Document) -> KeyPath:
    """A path that ends with a key."""
    present = [path for path in paths(document.data) if path and isinstance(path[-1], str)]
    assume(present)
    return data.draw(st.sampled_from(present))


def draw_table(data: st.DataObject, document: Document) -> KeyPath:
    """A path to a table or an array, the root included."""
    present = [path for path in paths(document.data) if isinstance(document.get(path), dict | list)]
    return data.draw(st.sampled_from(present))


def mutate(data: st.DataObject, text: str, alphabet: str) -> str:
    """The text with up to three characters replaced by others."""
    place = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 3))
    return text[:place] + data.draw(st.text(alphabet, max_size=3)) + text[place + length :]


def edited(document: DocumentT, edit: Any) -> DocumentT:
    """The document after an edit: the name of its method, and the arguments."""
    action, *arguments = edit
    result: DocumentT = getattr(document, action)(*arguments)
    return result


def check_edit(document: Document, edit: Any, before: str, after: str) -> None:
    """An edit turns `before` into `after` and changes nothing else."""
    newline = "\r\n" if "\r\n" in document.text else "\n"
    before, after = before.replace("\n", newline), after.replace("\n", newline)
    assert document.text.count(before) == 1
    assert edited(document, edit).text == document.text.replace(before, after)


def check_refusal(
    document: Document, edit: Any, message: str, position: tuple[int, int] | None
) -> None:
    with pytest.raises(DocumentError, match=message) as caught:
        edited(document, edit)
    assert caught.value.position == (position and Position(*position))


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
