"""Words for a person to read."""

from __future__ import annotations

from collections.abc import Iterable


def format_list(items: Iterable[str]) -> str:
    """Words as a sentence lists them: "3.10, 3.11 and 3.12"."""
    *head, last = list(items) or ["none"]
    return f"{', '.join(head)} and {last}" if head else last


def format_count(number: int, word: str) -> str:
    """A number of things: "1 package", "2 packages"."""
    return f"{number} {word}{'' if number == 1 else 's'}"
