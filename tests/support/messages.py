"""What the program can say, read from its source: the texts, with `…` for each part that varies."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator

from tests.support.pages import ROOT

STYLE = re.compile(r"</?[\w=;]*>")
FIXED = 10
"""The characters of a message that a quotation has to have in one piece, to be found by them."""


@functools.cache
def messages() -> frozenset[str]:
    """Every line in the source that is not of a docstring, without the marks of colours."""
    return frozenset(
        text
        for path in (ROOT / "src").rglob("*.py")
        for text in _texts(ast.parse(path.read_text("utf-8")))
    )


def _texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if isinstance(node, ast.JoinedStr):
            yield from _lines("".join(map(_part, node.values)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from _lines(node.value)
        yield from _texts(node)


def _part(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else "…"


def _lines(text: str) -> list[str]:
    return [line.strip() for line in STYLE.sub("", text).splitlines()]


def is_said(quoted: str) -> bool:
    """Whether a text, in which `…` stands for anything, is one that the program can say."""
    pieces = quoted.strip().split("…")
    if max(map(len, pieces)) < FIXED:
        raise ValueError(f"too little to find it by: {quoted}")
    pattern = re.compile(".*".join(map(re.escape, pieces)))
    return any(pattern.fullmatch(text) for text in messages())
