"""The data of a document: paths into it, and copies with one thing changed."""

from __future__ import annotations

import math
from typing import Any, Final, TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]
"""Keys of tables and indexes of arrays, from the root down; `()` is the root."""

ABSENT: Final = object()
"""A default for `Document.get` that is equal to no value."""


def as_table(value: Any) -> dict[str, Any]:
    """The value if it is a table, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_texts(value: Any) -> list[str]:
    """The strings in an array; none in anything else."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def as_text(value: Any, default: str = "") -> str:
    """The value if it is a string, else the default."""
    return value if isinstance(value, str) else default


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


def value_at(data: Any, path: KeyPath, default: Any = None) -> Any:
    """The value at the path, or the default."""
    for step in path:
        if isinstance(data, list):
            is_there = step in range(len(data))
        else:
            is_there = isinstance(data, dict) and step in data
        if not is_there:
            return default
        data = data[step]
    return data


def nested(path: KeyPath, value: Any) -> Any:
    """The value in new tables, one for each key of the path."""
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
    """A copy of the data without what stands at the path, which must be there."""
    step, rest = path[0], path[1:]
    if isinstance(data, list):
        assert isinstance(step, int)
        inner = [without(data[step], rest)] if rest else []
        return [*data[:step], *inner, *data[step + 1 :]]
    if rest:
        return {**data, step: without(data[step], rest)}
    return {key: value for key, value in data.items() if key != step}


def spelled(path: KeyPath) -> str:
    """The path in a message: `tool.poetry.source[0].name`."""
    if not path:
        return "the document"
    return "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in path).removeprefix(".")


def with_key(data: Any, path: KeyPath, new_key: str) -> Any:
    """A copy of the data with the last key of the path renamed."""
    step, rest = path[0], path[1:]
    if rest:
        inner = with_key(data[step], rest, new_key)
        return with_value(data, (step,), inner)
    return {(new_key if key == step else key): value for key, value in data.items()}


def surplus(old: list[Any], new: list[Any]) -> list[int] | None:
    """The indexes to remove from the old list to get the new; None if removing is not enough."""
    indexes = []
    kept = 0
    for at, element in enumerate(old):
        if kept < len(new) and same(element, new[kept]):
            kept += 1
        else:
            indexes.append(at)
    return indexes if kept == len(new) else None
