"""How long locking takes: Poetry alone, with poetry-tf, with poetry-plugin-pypi-mirror, and uv.

    python -m tests.benchmarks.solving [--rounds 3] [--upstream SIMPLE_URL] [--folder DIR] [NAME …]

All go through one slow index on this machine (see `slow_index`), in turns, so that a busy machine
is busy for all. Printed are ratios to Poetry alone (medians of the rounds), and the requests and
bytes of a cold run. Cold is with an empty cache; warm is once more after that, without the lock. A
first run fills the index's folder; uv and the other plugin are installed into it too.
"""

from __future__ import annotations

import argparse
import inspect
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from poetry.repositories.pypi_repository import PyPiRepository

from tests.benchmarks.slow_index import Shape, SlowIndex

PYPI: str = inspect.signature(PyPiRepository).parameters["url"].default
UV = "uv==0.13.9"
OTHER_PLUGIN = "poetry-plugin-pypi-mirror"

PROJECTS = {
    "TF 2.18, Python >=3.10,<3.13": (">=3.10,<3.13", ["tensorflow (>=2.18.0,<2.19.0)"]),
    "TF 2.13, Python >=3.8,<3.12": (">=3.8,<3.12", ["tensorflow (>=2.13.0,<2.14.0)"]),
    "TF 2.13, Python >=3.11,<3.12": (">=3.11,<3.12", ["tensorflow (>=2.13.0,<2.14.0)"]),
    "large": (
        ">=3.10,<3.13",
        [
            "tensorflow (>=2.18.0,<2.19.0)",
            "jupyter (>=1.0)",
            "scikit-learn (>=1.3)",
            "matplotlib (>=3.8)",
            "mlflow (>=2.15,<3)",
            "transformers (>=4.40,<5)",
            "pandas (>=2)",
            "seaborn (>=0.13)",
            "fastapi (>=0.110)",
        ],
    ),
}
SIDES = ("poetry", "poetry-tf", "pypi-mirror", "uv")


@dataclass(frozen=True)
class Run:
    """One locking."""

    seconds: float
    requests: int
    bytes: int
    packages: int


def main() -> int:
    """Runs it all and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("names", nargs="*", help="words of the projects' names; all by default")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--upstream", default=f"{PYPI}simple/", help="where packages come from")
    parser.add_argument("--folder", type=Path, default=Path(".benchmarks"))
    options = parser.parse_args()
    folder = options.folder.absolute()
    tools = _tools(folder)
    with SlowIndex(options.upstream, folder / "index", Shape()).running() as index:
        print(f"{'':29} {'':12} {'cold':>6} {'warm':>6} {'requests':>9} {'warm':>5} {'MB':>6}")
        for name, (python, requirements) in PROJECTS.items():
            if options.names and not any(word in name for word in options.names):
                continue
            runs = _measured(index, tools, python, requirements, options.rounds)
            _print(name, runs)
    return 0


def _measured(
    index: SlowIndex,
    tools: dict[str, Path],
    python: str,
    requirements: Sequence[str],
    rounds: int,
) -> dict[str, list[tuple[Run, Run]]]:
    runs: dict[str, list[tuple[Run, Run]]] = {side: [] for side in SIDES}
    for turn in range(rounds + 1):
        for side in SIDES:
            with tempfile.TemporaryDirectory() as raw:
                project = Path(raw) / "benchmark"
                project.mkdir()
                _write(project, side, index.url(side), python, requirements)
                cold, warm = (_lock(index, tools, side, project) for _ in range(2))
            if turn:  # the first fills the index
                runs[side].append((cold, warm))
    return runs


def _write(project: Path, side: str, url: str, python: str, requirements: Sequence[str]) -> None:
    lines = "".join(f'    "{line.replace("(", "").replace(")", "")}",\n' for line in requirements)
    text = (
        f'[project]\nname = "benchmark"\nversion = "0.1.0"\nrequires-python = "{python}"\n'
        f"dependencies = [\n{lines}]\n\n[tool.poetry]\npackage-mode = false\n"
    )
    if side == "poetry":
        text += f'\n[[tool.poetry.source]]\nname = "mirror"\nurl = "{url}"\npriority = "primary"\n'
    if side == "poetry-tf":
        text += '\n[tool.poetry-tf]\ngpu = "none"\n'
    (project / "pyproject.toml").write_text(text, "utf-8")


def _lock(index: SlowIndex, tools: dict[str, Path], side: str, project: Path) -> Run:
    kept = project.parent
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("POETRY_")},
        "POETRY_CACHE_DIR": str(kept / "cache"),
        "POETRY_CONFIG_DIR": str(kept / "config"),
        "POETRY_VIRTUALENVS_CREATE": "false",
        "UV_CACHE_DIR": str(kept / "cache"),
    }
    url = index.url(side)
    commands = {
        "poetry": ["--no-plugins", "lock"],
        "poetry-tf": ["lock"],
        "pypi-mirror": ["lock"],
        "uv": ["lock", "-q", "--default-index", url, "--python", sys.executable],
    }
    environ |= {
        "poetry-tf": {"POETRY_TF_MIRROR": url},
        "pypi-mirror": {"POETRY_PYPI_MIRROR_URL": url},
    }.get(side, {})
    lock = project / ("uv.lock" if side == "uv" else "poetry.lock")
    lock.unlink(missing_ok=True)
    index.counts.clear()
    begin = time.perf_counter()
    done = subprocess.run(
        [tools[side], *commands[side]],
        cwd=project,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - begin
    if done.returncode:
        sys.exit(f"{side}: {done.stdout}{done.stderr}")
    count = index.counts[side]
    return Run(seconds, count.requests, count.bytes, lock.read_text("utf-8").count("[[package]]"))


def _print(name: str, runs: dict[str, list[tuple[Run, Run]]]) -> None:
    def middle(side: str, which: int) -> float:
        return statistics.median(pair[which].seconds for pair in runs[side])

    for number, side in enumerate(SIDES):
        cold, warm = runs[side][-1]
        title = f"{name} ({cold.packages})" if number == 0 else ""
        ratios = [middle(side, which) / middle("poetry", which) for which in (0, 1)]
        print(
            f"{title:29} {side:12} {ratios[0]:6.2f} {ratios[1]:6.2f} {cold.requests:9} "
            f"{warm.requests:5} {cold.bytes / 1e6:6.1f}",
            flush=True,
        )


def _tools(folder: Path) -> dict[str, Path]:
    """The programs, those that aren't here installed into environments of their own."""
    bin_name = "Scripts" if os.name == "nt" else "bin"
    here = Path(sys.executable).parent / "poetry"
    wanted = {"pypi-mirror": ("poetry", ["poetry", OTHER_PLUGIN]), "uv": ("uv", [UV])}
    tools = {"poetry": here, "poetry-tf": here}
    for side, (program, packages) in wanted.items():
        tools[side] = folder / side / bin_name / program
        if not tools[side].exists():
            shutil.rmtree(folder / side, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", folder / side], check=True)
            python = folder / side / bin_name / "python"
            subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
    return tools


if __name__ == "__main__":
    sys.exit(main())
