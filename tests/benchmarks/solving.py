"""How long commands take: Poetry alone, with poetry-tf, with another mirror plugin, and uv.

    python -m tests.benchmarks.solving [--rounds 5] [--sides poetry-tf,uv] [--tasks 'lock;add']
                                       [--upstream SIMPLE_URL] [--folder DIR] [NAME …]

All go through one slow index on this machine (see `slow_index`), in turns, so that a busy machine
is busy for all. Printed are medians of the rounds: seconds and their ratio to uv's, processor
seconds, the peak memory of the process in MB, and the requests and megabytes of a run. A first
round fills the index's folder; uv and the other plugin are installed into it too.
"""

from __future__ import annotations

import argparse
import inspect
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
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
SMALL, _, ONE_PYTHON, _ = PROJECTS
SIDES = ("poetry", "poetry-tf", "pypi-mirror", "uv")


@dataclass(frozen=True)
class Task:
    """What is timed, by side: `commands`, in a project that `before` has brought that far.

    It then has its lock file and no cache; if it is `warm`, its cache and no lock file.
    """

    commands: Mapping[str, Sequence[str]]
    before: Mapping[str, str] | None = None
    warm: bool = False
    only: str | None = None


def _poetry(command: str) -> dict[str, Sequence[str]]:
    return {
        "poetry": [f"poetry --no-plugins {command}"],
        "poetry-tf": [f"poetry {command}"],
        "pypi-mirror": [f"poetry {command}"],
    }


LOCKING: dict[str, Sequence[str]] = {**_poetry("lock"), "uv": ["uv lock -q"]}
LOCK = {side: command for side, (command,) in LOCKING.items()}
TASKS = {
    "lock": Task(LOCKING),
    "lock, cache warm": Task(LOCKING, before=LOCK, warm=True),
    "add": Task({**_poetry("add --lock humanize"), "uv": ["uv add -q --no-sync humanize"]}, LOCK),
    "update": Task({**_poetry("update --lock"), "uv": ["uv lock -q --upgrade"]}, LOCK),
    "init": Task(
        {
            "poetry-tf": ["rm pyproject.toml", "poetry tf init -n --tensorflow 2.18 --gpu none"],
            "uv": [
                "rm pyproject.toml",
                "uv init -q --bare --python 3.11",
                "uv add -q --no-sync tensorflow~=2.18.0",
            ],
        },
        only=SMALL,
    ),
    "upgrade": Task(
        {
            "poetry-tf": ["poetry tf upgrade 2.18 -n --dry-run"],
            "uv": ["uv add -q --no-sync tensorflow~=2.18.0"],
        },
        LOCK,
        only=ONE_PYTHON,
    ),
    "install": Task({**_poetry("install -q"), "uv": ["uv sync -q --frozen"]}, LOCK, only=SMALL),
}


@dataclass(frozen=True)
class Run:
    """One run: seconds, processor seconds, MB at most, requests and bytes."""

    seconds: float
    processor: float
    memory: float
    requests: int
    bytes: int


def main() -> int:
    """Runs it all and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("names", nargs="*", help="words of the projects' names; all by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sides", default=",".join(SIDES))
    parser.add_argument("--tasks", default=";".join(TASKS), help="separated by ;")
    parser.add_argument("--upstream", default=f"{PYPI}simple/", help="where packages come from")
    parser.add_argument("--folder", type=Path, default=Path(".benchmarks"))
    options = parser.parse_args()
    folder = options.folder.absolute()
    bench = Bench(_tools(folder), options.sides.split(","), options.rounds)
    with SlowIndex(options.upstream, folder / "index", Shape()).running() as index:
        print(HEADER)
        for name in PROJECTS:
            if options.names and not any(word in name for word in options.names):
                continue
            for title in options.tasks.split(";"):
                if TASKS[title].only in {None, name}:
                    bench.compare(index, name, title)
    return 0


HEADER = f"{'':46} {'side':12} {'s':>6} {'of uv':>6} {'cpu s':>6} {'MB':>5} {'asked':>6} {'MB':>6}"


@dataclass(frozen=True)
class Bench:
    """Runs each side of a task in turns."""

    tools: Mapping[str, Path]
    sides: Sequence[str]
    rounds: int

    def compare(self, index: SlowIndex, name: str, title: str) -> None:
        """Prints one line for each side."""
        task = TASKS[title]
        sides = [side for side in self.sides if side in task.commands]
        runs: dict[str, list[Run]] = {side: [] for side in sides}
        for turn in range(self.rounds + 1):
            for side in sides:
                with tempfile.TemporaryDirectory() as folder:
                    run = self._run(index, side, name, task, Path(folder))
                if turn:  # the first fills the index
                    runs[side].append(run)
        for side in sides:
            seconds, processor, memory = (
                statistics.median(getattr(run, field) for run in runs[side])
                for field in ("seconds", "processor", "memory")
            )
            uv = statistics.median(run.seconds for run in runs.get("uv", runs[side]))
            print(
                f"{f'{name}: {title}':46} {side:12} {seconds:6.2f} {seconds / uv:6.2f} "
                f"{processor:6.2f} {memory:5.0f} {runs[side][-1].requests:6} "
                f"{runs[side][-1].bytes / 1e6:6.1f}",
                flush=True,
            )

    def _run(self, index: SlowIndex, side: str, name: str, task: Task, folder: Path) -> Run:
        project = folder / "benchmark"
        project.mkdir()
        url = index.url(side)
        _write(project, side, url, *PROJECTS[name])
        program = self.tools[side]
        environ = _environment(side, url, folder)
        if task.before:
            _timed(program, task.before[side], project, environ)
        if task.warm:
            (project / LOCK_NAME.get(side, "poetry.lock")).unlink()
        else:
            shutil.rmtree(folder / "cache", ignore_errors=True)
        index.counts.clear()
        found = [_timed(program, command, project, environ) for command in task.commands[side]]
        seconds, processor, memory = zip(*found, strict=True)
        count = index.counts[side]
        return Run(sum(seconds), sum(processor), max(memory), count.requests, count.bytes)


LOCK_NAME = {"uv": "uv.lock"}


def _environment(side: str, url: str, folder: Path) -> dict[str, str]:
    return {
        **{
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("POETRY_", "VIRTUAL_ENV", "UV_"))
        },
        "POETRY_CACHE_DIR": str(folder / "cache"),
        "POETRY_CONFIG_DIR": str(folder / "config"),
        "POETRY_VIRTUALENVS_IN_PROJECT": "true",
        "UV_CACHE_DIR": str(folder / "cache"),
        "UV_DEFAULT_INDEX": url,
        "UV_PYTHON": sys.executable,
        **{
            "poetry-tf": {"POETRY_TF_MIRROR": url},
            "pypi-mirror": {"POETRY_PYPI_MIRROR_URL": url},
        }.get(side, {}),
    }


def _timed(
    program: Path, command: str, project: Path, environ: Mapping[str, str]
) -> tuple[float, float, float]:
    """Seconds, processor seconds, and the peak memory in MB."""
    name, *arguments = shlex.split(command)
    begin = time.perf_counter()
    done = subprocess.Popen(
        [program if name == program.name else name, *arguments],
        cwd=project,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.stdout
    output = done.stdout.read()
    _, status, used = os.wait4(done.pid, 0)
    done.returncode = status  # it was waited for
    seconds = time.perf_counter() - begin
    if status:
        sys.exit(f"{command}: {output}")
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


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
