"""The places of values in a text, as a parser finds them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from poetry_tf.files.values import KeyPath


@dataclass(frozen=True, slots=True)
class Value:
    """The place of a value in a text, with its entries if it is in brackets."""

    start: int
    end: int
    kind: Literal["scalar", "array", "table"] = "scalar"
    entries: tuple[Entry, ...] = ()
    _by_key: dict[str | int, Entry] = field(default_factory=dict, compare=False, repr=False)
    """The entries of a table by their keys, once one has been looked for."""

    def child(self, step: str | int) -> Entry | None:
        """The entry one step down; of equal keys the last, which wins."""
        if self.kind == "array":
            inside = isinstance(step, int) and 0 <= step < len(self.entries)
            return self.entries[int(step)] if inside else None
        if not self._by_key:
            self._by_key.update(
                (entry.keys[0], entry) for entry in self.entries if len(entry.keys) == 1
            )
        return self._by_key.get(step)

    def locate(self, path: KeyPath) -> tuple[int, Value | None] | None:
        """The offset of the path's last key (or element), and its value.

        None if the path is absent; no value for a table that only dotted keys define.
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
    """An element or a member: its keys (several if dotted, none in arrays), value and comma."""

    keys: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    value: Value
    comma: int | None = None

    @property
    def start(self) -> int:
        return self.spans[0][0] if self.spans else self.value.start

    @property
    def end(self) -> int:
        """The end of the entry with its comma."""
        return self.value.end if self.comma is None else self.comma + 1


@dataclass(frozen=True, slots=True)
class Root:
    """A value that is written in one piece, with its path and its entry."""

    path: KeyPath
    value: Value
    entry: Entry | None = None
    """None if the value is the whole document."""
