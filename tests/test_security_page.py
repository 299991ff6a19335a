"""docs/background/security.md: each threat names the tests that hold it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROWS = [
    line
    for line in (ROOT / "docs" / "background" / "security.md").read_text("utf-8").splitlines()
    if line.startswith("|") and line.count("|") == 4
]
THREATS = ROWS[ROWS.index("| threat | what holds it | tests |") + 2 :]


@pytest.mark.parametrize("row", [row for row in THREATS if not row.startswith("| **")])
def test_each_threat_has_tests(row: str) -> None:
    tests = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row.split("|")[3])
    assert tests
    for file, name in tests:
        tree = ast.parse((ROOT / file).read_text("utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
