"""How long `poetry tf check` takes beside `poetry check`, in the same projects.

    python -m tests.benchmarks.check [--pairs 15]

Whole processes are timed, in pairs of which each begins with the other command, so that what else
the machine does weighs on both alike. Printed are the medians and the median of the pairs' ratios.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.projects import PROJECTS, write

CHECK, TF_CHECK = ("check",), ("tf", "check")


def seconds(root: Path, environ: dict[str, str], command: Sequence[str]) -> float:
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "poetry", *command],
        cwd=root,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    took = time.perf_counter() - start
    if done.returncode not in {0, 1}:
        raise SystemExit(f"poetry {' '.join(command)}: {done.stdout}{done.stderr}")
    return took


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=15)
    pairs: int = parser.parse_args().pairs
    for name, packages in PROJECTS.items():
        with tempfile.TemporaryDirectory() as folder:
            root, home = Path(folder, "project"), Path(folder, "home")
            write(root, packages)
            environ = {
                **os.environ,
                "HOME": str(home),
                "POETRY_CACHE_DIR": str(home / "cache"),
                "POETRY_CONFIG_DIR": str(home / "config"),
                # As in an installation, where nothing is compiled anew.
                "PYTHONPYCACHEPREFIX": str(home / "compiled"),
            }
            environ.pop("PYTHONDONTWRITEBYTECODE", None)
            times: dict[Sequence[str], list[float]] = {CHECK: [], TF_CHECK: []}
            for number in range(pairs + 1):
                for command in (CHECK, TF_CHECK) if number % 2 else (TF_CHECK, CHECK):
                    took = seconds(root, environ, command)
                    if number:  # the first pair warms the caches
                        times[command].append(took)
            ratios = [
                ours / theirs for ours, theirs in zip(times[TF_CHECK], times[CHECK], strict=True)
            ]
            sys.stdout.write(
                f"{name}: poetry check {statistics.median(times[CHECK]):.3f} s, "
                f"poetry tf check {statistics.median(times[TF_CHECK]):.3f} s, "
                f"ratio {statistics.median(ratios):.2f} (median of {pairs} pairs)\n"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
