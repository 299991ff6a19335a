"""What the plugin costs where there is no TensorFlow: Poetry with it and without, side by side.

    python -m tests.benchmarks.beside [rounds]

Each round runs each command once with the plugin and once with its entry points hidden, as whole
processes in one project, so that a busy machine is busy for both. Printed are the medians, their
ratio, and the median of the rounds' differences.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMANDS = (["--version"], ["check"], ["lock"])
PROJECT = """\
[project]
name = "plain"
version = "0.1.0"
requires-python = ">=3.10,<4.0"
dependencies = []

[tool.poetry]
package-mode = false
"""
# Poetry asks for the entry points of its plugins by this function; both sides pay for the patch.
PATCH = """\
import importlib.metadata as metadata

found = metadata.entry_points


def entry_points(**wanted):
    points = found(**wanted)
    return metadata.EntryPoints(item for item in points if not item.value.startswith({hidden!r}))


metadata.entry_points = entry_points
"""


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as raw:
        folder = Path(raw)
        project = folder / "project"
        project.mkdir()
        (project / "pyproject.toml").write_text(PROJECT, "utf-8")
        sides = {
            "with": _site(folder / "with", "nothing has this name"),
            "without": _site(folder / "without", "poetry_tf."),
        }
        print(f"{'':12} {'without':>9} {'with':>9} {'ratio':>7} {'difference':>11}")
        for command in COMMANDS:
            taken: dict[str, list[float]] = {side: [] for side in sides}
            for _ in range(rounds):
                for side, site in sides.items():
                    taken[side].append(_seconds(command, project, site))
            without, with_ = (statistics.median(taken[side]) for side in ("without", "with"))
            pairs = zip(taken["with"], taken["without"], strict=True)
            difference = statistics.median(one - other for one, other in pairs)
            print(
                f"{' '.join(command):12} {without * 1000:6.0f} ms {with_ * 1000:6.0f} ms "
                f"{with_ / without:7.2f} {difference * 1000:+8.1f} ms"
            )


def _site(folder: Path, hidden: str) -> Path:
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(PATCH.format(hidden=hidden), "utf-8")
    return folder


def _seconds(command: list[str], project: Path, site: Path) -> float:
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "poetry", *command],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(site), "POETRY_VIRTUALENVS_CREATE": "false"},
        capture_output=True,
        check=True,
    )
    return time.perf_counter() - begun


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
