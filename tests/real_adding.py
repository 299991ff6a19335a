"""Adds popular packages to a project of each series of TensorFlow, and prints what came of it.

    python -m tests.real_adding [SERIES ...]

For each series a project is made by ``tf init --gpu none``, and to copies of it ``poetry add
--lock`` adds one package each, with the real index. "plain" is what came of it where the project is
not managed, which leaves all to Poetry. Nothing is installed.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import tomlkit
from packaging.requirements import Requirement

from poetry_tf.files.project import Project
from poetry_tf.plan.python import admitted_minors
from poetry_tf.releases import load
from poetry_tf.releases.images import load_images
from tests.integration.conftest import NETWORK, PYPI
from tests.real_use.cases import PLATFORM, run
from tests.support.poetry import PoetryRunner, Result, locked
from tests.support.projects import contents, restore

NAMES: Final = (
    *("pandas", "scipy", "opencv-python-headless", "matplotlib", "scikit-learn", "keras"),
    *("tf-keras", "tensorflow-text", "tensorflow-probability", "tensorflow-hub"),
    *("tensorflow-datasets", "transformers"),
)
CLEAN: Final = "All set! "
TABLE: Final = re.compile(r"^\[tool\.poetry-tf\]\n(?:[^\[\n].*\n|\n)*", re.MULTILINE)


@dataclass(frozen=True)
class Added:
    """What came of one ``poetry add``.

    Attributes:
        written: the requirement in pyproject.toml, and the locked version; the error without one.
        told: what the plugin said of it.
        found: the codes that `check` finds afterwards.
    """

    ok: bool
    written: str
    told: tuple[str, ...]
    found: tuple[str, ...]

    @property
    def verdict(self) -> str:
        return ("ok" if not self.found else " ".join(self.found)) if self.ok else "failed"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.real_adding")
    parser.add_argument("series", nargs="*", help="such as 2.18 (default: all with a container)")
    parser.add_argument("--names", nargs="+", default=NAMES, help="instead of the popular packages")
    options = parser.parse_args()
    print("| series | package | plain | poetry-tf | seconds | written (locked) | told |")
    print("| --- " * 7 + "|", flush=True)
    bad = 0
    with tempfile.TemporaryDirectory(prefix="poetry-tf-adding-") as folder:
        for series in options.series or load().series:
            release = load().newest(series)
            if release is None or not {*release.pythons_on(PLATFORM)} & {*load_images().pythons}:
                continue
            poetry, files = _set_up(Path(folder) / series, series)
            for name in options.names:
                plain = _add(poetry, name, files, managed=False)
                begin = time.monotonic()
                added = _add(poetry, name, files, managed=True)
                seconds = time.monotonic() - begin
                bad += added.verdict != "ok"
                cells = (series, name, plain.verdict, added.verdict, f"{seconds:.0f}")
                told = "; ".join(added.told)
                print(f"| {' | '.join(cells)} | {added.written} | {told} |", flush=True)
    print(f"{bad} failed or not clean")
    return int(bool(bad))


def _set_up(folder: Path, series: str) -> tuple[PoetryRunner, Mapping[str, bytes]]:
    """What runs Poetry on the project's Python, and the files that `init` makes of nothing."""
    project = folder / "project"
    project.mkdir(parents=True)
    network = {name: os.environ[name] for name in NETWORK if name in os.environ}
    home, cache = folder / "home", folder.parent / "cache"
    poetry = PoetryRunner(project, home, pypi=PYPI, mirror="pypi", cache=cache, environ=network)
    run(poetry, "tf", "init", "-n", "--tensorflow", series, "--gpu", "none")
    python = Project.read(project).pyproject.python
    assert python is not None
    (minor,) = admitted_minors(load_images().pythons, python.constraint)
    return replace(poetry, home=folder / minor, python_version=f"{minor}.9"), contents(project)


def _add(poetry: PoetryRunner, name: str, files: Mapping[str, bytes], *, managed: bool) -> Added:
    restore(poetry.project, files)
    path = poetry.project / "pyproject.toml"
    if not managed:
        path.write_text(TABLE.sub("", path.read_text("utf-8")), "utf-8")
    done = poetry.run("add", "--lock", name, timeout=900)
    told = tuple(
        line.removeprefix("poetry-tf: ")
        for line in done.stderr.splitlines()
        if line.startswith("poetry-tf: ") and not line.startswith("poetry-tf: Looking for")
    )
    if not done.ok:
        return Added(ok=False, written=_error(done), told=told, found=())
    written = _written(path, name)
    if not managed:
        settings = TABLE.search(files["pyproject.toml"].decode())
        assert settings is not None
        path.write_text(path.read_text("utf-8") + settings[0], "utf-8")
    checked = poetry.run("check", program="poetry_tf")
    codes = dict.fromkeys(re.findall(r"\bTF\d{3}\b", checked.output))
    assert checked.ok or codes, checked.output
    version = locked(poetry.project)[name]
    return Added(ok=True, written=f"{written} ({version})", told=told, found=(*codes,))


def _written(path: Path, name: str) -> str:
    lines = tomlkit.parse(path.read_text("utf-8")).unwrap()["project"]["dependencies"]
    return str(next(item for item in map(Requirement, lines) if item.name == name).specifier)


def _error(done: Result) -> str:
    return " / ".join(line for line in done.output.splitlines() if line.strip())


if __name__ == "__main__":
    sys.exit(main())
