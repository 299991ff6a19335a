"""Bounds for what Poetry's readers of versions and markers are given.

They split a constraint with patterns that take the square of its blanks, and bring a marker into
normal forms: for `a and b or c and d or …` with five alternatives that takes hours.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

MAX_LENGTH: Final = 4_000
"""The characters of a requirement, a constraint or a marker. Poetry's own have a few hundred."""

MAX_CALLS: Final = 1_000_000
"""The calls that reading a marker takes, some tenths of a second. Those in locks take 10,000."""

_SIMPLE: Final = 8
"""The alternatives of a marker that never takes many calls. Nearly all markers have fewer."""
_BLANKS: Final = re.compile(r"\s{100}")
_TOKEN: Final = re.compile(r"""'[^']*'|"[^"]*"|[()]|[\w.]+""")


class _ExceededError(BaseException):
    """Not an `Exception`, so that poetry-core doesn't take it for one of its own."""


@contextmanager
def bounded(text: str) -> Iterator[None]:
    """Raises `ValueError` if reading a requirement, constraint or marker would take too long."""
    check_text(text)
    if is_simple(text):
        yield
        return
    with counted(MAX_CALLS):
        yield


def check_text(text: str, most: int = MAX_LENGTH) -> None:
    """Raises `ValueError` for a text whose length or blanks would take too long."""
    if len(text) > most:
        raise ValueError(f"it has more than {most} characters")
    if _BLANKS.search(text):
        raise ValueError("it has 100 blanks in a row")


def is_simple(text: str) -> bool:
    """Whether its marker never takes many calls, as nearly all."""
    return "and" not in text or "or" not in text or _alternatives(text) <= _SIMPLE


@contextmanager
def counted(most: int) -> Iterator[None]:
    """Raises `ValueError` if it takes more calls than that to read the markers within."""
    left = most

    def count(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise _ExceededError

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield
    except _ExceededError:
        raise ValueError("its marker has too many alternatives") from None
    finally:
        sys.setprofile(before)


def cut(text: str) -> str:
    """A text as a message shows it."""
    return text if len(text) <= 200 else f"{text[:100]}…"


def _alternatives(marker: str) -> int:
    """The terms of the larger one of a marker's normal forms, counted up to a limit.

    Of each part both sizes are known: as alternatives (of `and`, the sizes multiply) and as
    conditions (of `or`).
    """
    above: list[tuple[int, int, int, int]] = []
    # Of the alternatives so far, and of the one that is being read.
    either, every, terms, conditions = 0, 1, 1, 0
    part = 1, 1
    for token in (*_TOKEN.findall(marker), ")"):
        if token == "(":
            above.append((either, every, terms, conditions))
            either, every, terms, conditions = 0, 1, 1, 0
            part = 1, 1
        elif token in {"and", "or", ")"}:
            terms, conditions = _limited(terms * part[0]), _limited(conditions + part[1])
            part = 1, 1
            if token != "and":
                either, every = _limited(either + terms), _limited(every * conditions)
                terms, conditions = 1, 0
            if token == ")":
                part = either, every
                if above:
                    either, every, terms, conditions = above.pop()
    return max(part)


def _limited(number: int) -> int:
    return min(number, _SIMPLE + 1)
