"""Project folders as tests look at them: all their bytes, and what a diff would make of them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from poetry_tf.files.jsonc import JsoncDocument

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_NO_NEWLINE = "\\ No newline at end of file\n"


def read_jsonc(path: Path) -> Any:
    """What a devcontainer.json holds."""
    return JsoncDocument.parse(path.read_text("utf-8")).data


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by its path, hidden ones too."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def restore(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes what `contents` gave."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def patched(files: Mapping[str, bytes], output: str) -> dict[str, bytes]:
    """The files after every unified diff in `output`, as strictly as ``git apply`` takes them.

    Lines before and between the diffs are passed over; a context line that isn't in the file is
    an `AssertionError`.
    """
    result = dict(files)
    lines = output.split("\n")
    index = 0
    while index < len(lines):
        if not lines[index].startswith("--- "):
            index += 1
            continue
        old, new = lines[index][4:], lines[index + 1].removeprefix("+++ b/")
        source = [] if old == "/dev/null" else _lines(result[old.removeprefix("a/")].decode())
        made, index = _hunks(source, lines, index + 2)
        result[new] = made.encode()
    return result


def _hunks(source: list[str], lines: list[str], index: int) -> tuple[str, int]:
    made: list[str] = []
    taken = 0
    while index < len(lines) and (hunk := _HUNK.fullmatch(lines[index])):
        goes, comes = (int(count) if count else 1 for count in hunk.group(2, 3))
        start = int(hunk[1]) - bool(goes)
        made += source[taken:start]
        taken, index = start, index + 1
        while goes or comes:
            mark, text, index = lines[index][:1], lines[index][1:] + "\n", index + 1
            if index < len(lines) and lines[index] + "\n" == _NO_NEWLINE:
                text, index = text[:-1], index + 1
            assert mark in {" ", "+", "-"}, f"{mark + text!r} in a hunk"
            if mark != "+":
                assert source[taken] == text, f"line {taken + 1} is {source[taken]!r}, not {text!r}"
                taken, goes = taken + 1, goes - 1
            if mark != "-":
                made.append(text)
                comes -= 1
    return "".join(made + source[taken:]), index


def _lines(text: str) -> list[str]:
    """Lines with their ends; only a line feed ends one."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def changed_lines(before: bytes, after: bytes) -> tuple[list[str], list[str]]:
    """The lines that are gone and those that are new, with their ends."""
    compared = list(difflib.ndiff(_lines(before.decode()), _lines(after.decode())))
    gone, new = ([line[2:] for line in compared if line[0] == mark] for mark in "-+")
    return gone, new
