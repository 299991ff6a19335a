"""Tries every series, or those that are named, and prints a table of what came of it.

    python -m tests.real_use [--upgrade] [SERIES ...]

With `--upgrade` each series is moved to the next one before it is installed, from 2.16 on also with
`--legacy-keras`. It downloads half a gigabyte for each, and removes it again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from poetry_tf.releases.model import numbers
from tests.real_use.cases import COMPANIONS, Case, Used, cases, install_and_use, run, set_up
from tests.support.poetry import locked

COLUMNS = ("keras", *COMPANIONS)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.real_use")
    parser.add_argument("--upgrade", action="store_true", help="move each to the next one first")
    parser.add_argument("series", nargs="*", help="such as 2.18 (default: all)")
    options = parser.parse_args()
    print(f"| series | Python | TensorFlow | {' | '.join(COLUMNS)} | seconds |")
    print("| --- " * (len(COLUMNS) + 4) + "|", flush=True)
    failed = False
    for name, case, move in _moves(cases(options.series), upgrade=options.upgrade):
        begin = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="poetry-tf-use-") as folder:
            try:
                version, used = _try(Path(folder), case, move)
            except AssertionError as error:
                version, used = f"failed: {str(error).strip()[-400:]}".replace("\n", " "), []
        failed |= not used or not all(one.ok for one in used)
        cells = {one.name: one.text if one.ok else f"FAILED: {one.text}" for one in used}
        row = [name, case.python, version, *(cells.get(column, "-") for column in COLUMNS)]
        print(f"| {' | '.join(row)} | {time.monotonic() - begin:.0f} |", flush=True)
    return int(failed)


def _moves(found: list[Case], *, upgrade: bool) -> Iterator[tuple[str, Case, tuple[str, ...]]]:
    """What is tried: its name, the series that it begins with, and the options of `upgrade`."""
    if not upgrade:
        yield from ((case.series, case, ()) for case in found)
        return
    for old, new in pairwise(found):
        yield f"{old.series} -> {new.series}", old, (new.series,)
        if numbers(new.series) >= (2, 16):
            legacy = (new.series, "--legacy-keras")
            yield f"{old.series} -> {new.series}, Keras 2", old, legacy


def _try(folder: Path, case: Case, move: tuple[str, ...]) -> tuple[str, list[Used]]:
    """The locked TensorFlow, and what came of the use of each package."""
    poetry = set_up(folder, case)
    if move:
        run(poetry, "tf", "upgrade", "-n", "--mirror", "pypi", *move)
        assert run(poetry, "tf", "check").startswith("All set! ")
    legacy = "--legacy-keras" in move
    used = install_and_use(poetry, case.companions, legacy_keras=legacy)
    return locked(poetry.project)["tensorflow"], used


if __name__ == "__main__":
    sys.exit(main())
