"""Environments with one Poetry on one Python, made with pip and kept from run to run.

An environment holds what a user would have, Poetry and the plugin from a wheel, and pytest, so that
the other tests can be run in it.

A pair that has a list in `locked/` for this system gets each distribution by version and hash:
`python -m tests.compatibility.environments poetry2.1.4-python3.10` writes it. Only the fixed pair
of `.ci/run` has one: for all it would be five hundred lines of hashes. The newest Poetry can have
none, since it is there to meet what nobody has seen yet.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent.parent
NEWEST = "newest"
POETRYS = ("2.1.4", "2.2.1", "2.3.4", "2.4.1", NEWEST)
PYTHONS = ("3.10", "3.13")

HASHED = ("--only-binary", ":all:", "--require-hashes", "-r")

# Of the group `dev`, what no test asks for.
LINTERS = {"mypy", "ruff"}

BUILD = "import sys; from poetry.core.masonry.api import build_wheel; build_wheel(sys.argv[1])"


@dataclass(frozen=True)
class Pair:
    """A Poetry, by its version or as the newest that the index has, and a minor of Python."""

    poetry: str
    python: str

    def __str__(self) -> str:
        return f"poetry{self.poetry}-python{self.python}"

    @property
    def locked(self) -> Path:
        """The list of its distributions for this system, if there is one."""
        return Path(__file__).parent / "locked" / f"{self}-{sysconfig.get_platform()}.txt"

    @property
    def wanted(self) -> list[str]:
        """What is installed where there is none, beside the plugin."""
        return ["poetry" if self.poetry == NEWEST else f"poetry=={self.poetry}", *_testing()]


PAIRS = [Pair(poetry, python) for poetry in POETRYS for python in PYTHONS]


@dataclass(frozen=True)
class Environment:
    """Where Poetry and the plugin are installed."""

    python: Path
    version: str
    """The Poetry that was installed, so what the newest is too."""


def build_wheel(folder: Path) -> Path:
    """The plugin as it would be released, from this working tree."""
    folder.mkdir(parents=True, exist_ok=True)
    _run([sys.executable, "-c", BUILD, str(folder)])
    return next(folder.glob("*.whl"))


def find_python(minor: str) -> Path | None:
    """An interpreter of a minor: one that pyenv installed, else that of the PATH."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    versions = sorted((pyenv / "versions").glob(f"{minor}.*"), key=_numbers, reverse=True)
    on_path = shutil.which(f"python{minor}")
    candidates = [version / "bin" / "python" for version in versions]
    for path in [*candidates, *([Path(on_path)] if on_path else [])]:
        # pyenv puts a python3.X on the PATH also for one that isn't switched on, and it then fails.
        version = "import sys; print('%d.%d' % sys.version_info[:2])"
        with contextlib.suppress(OSError):
            result = subprocess.run(
                [path, "-c", version], capture_output=True, text=True, check=False
            )
            if result.stdout.strip() == minor:
                return path
    return None


def _numbers(version: Path) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version.name)]


def make(pair: Pair, interpreter: Path, folder: Path, wheel: Path) -> Environment:
    """The environment in `folder`: as it was left if it is still what is wanted, else made anew.

    The plugin is installed each time, and the newest Poetry is looked for each time.
    """
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = folder / "made-of.json"
    locked = pair.locked.read_text("utf-8") if pair.locked.exists() else ""
    made_of = json.dumps([str(interpreter), *pair.wanted, *dependencies(), locked])
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if stamp.exists() and stamp.read_text("utf-8") == made_of:
        if pair.poetry == NEWEST:
            _run([*pip, "--upgrade", "poetry", str(wheel)])
        _run([*pip, "--force-reinstall", "--no-deps", str(wheel)])
    else:
        shutil.rmtree(folder, ignore_errors=True)
        _run([str(interpreter), "-m", "venv", str(folder)])
        if locked:
            _run([*pip, *HASHED, str(pair.locked)])
            _run([*pip, "--no-deps", str(wheel)])
        else:
            _run([*pip, *pair.wanted, str(wheel)])
        stamp.write_text(made_of, "utf-8")
    version = "from importlib.metadata import version; print(version('poetry'))"
    return Environment(python, _run([str(python), "-c", version]).strip())


def _pyproject() -> dict[str, Any]:
    return tomlkit.parse((ROOT / "pyproject.toml").read_text("utf-8")).unwrap()


def dependencies() -> list[str]:
    return list(_pyproject()["project"]["dependencies"])


def _testing() -> list[str]:
    lines = _pyproject()["dependency-groups"]["dev"]
    names = {line: Requirement(line).name for line in lines}
    return [line for line in lines if not names[line].startswith(("types-", *LINTERS))]


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, encoding="utf-8", env=bare(), check=False
    )
    if done.returncode:
        pytest.fail(f"{' '.join(command)}\n{done.stdout}{done.stderr}", pytrace=False)
    return done.stdout


def bare() -> dict[str, str]:
    """The process's variables without those that say how these tests are being run."""
    ours = ("PYTEST_", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def lock(pair: Pair) -> None:
    """Writes the list of a pair: what pip would install now, each file by its hash."""
    interpreter = find_python(pair.python)
    assert interpreter is not None
    with tempfile.TemporaryDirectory() as folder:
        _run([str(interpreter), "-m", "venv", "--without-pip", folder])
        pip = [sys.executable, "-m", "pip", "--python", folder, "install", "--quiet", "--dry-run"]
        options = ["--only-binary", ":all:", "--report", "-"]
        report = json.loads(_run([*pip, *options, *pair.wanted, *dependencies()]))
    lines = [
        f"{item['metadata']['name']}=={item['metadata']['version']} "
        f"--hash=sha256:{item['download_info']['archive_info']['hashes']['sha256']}\n"
        for item in report["install"]
    ]
    pair.locked.parent.mkdir(exist_ok=True)
    pair.locked.write_text("".join(sorted(lines, key=str.lower)), "utf-8")


if __name__ == "__main__":
    for named in sys.argv[1:]:
        lock(next(pair for pair in PAIRS if str(pair) == named))
