"""Locks a series of TensorFlow with its companions, installs it with plain Poetry, and uses it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from poetry_tf.releases import Release, load
from poetry_tf.releases.companions import newest
from poetry_tf.releases.images import load_images
from poetry_tf.releases.model import numbers
from tests.compatibility.environments import find_python
from tests.integration.conftest import NETWORK, PYPI
from tests.support.poetry import PoetryRunner, write_pyproject

COMPANIONS: Final = (
    *("tensorboard", "tensorflow-probability", "tensorflow-hub", "tensorflow-text"),
)
USE: Final = Path(__file__).with_name("use.py")
PLATFORM: Final = "linux-x86_64"
SETTINGS: Final = f'\n[tool.poetry-tf]\ngpu = "none"\nenvironments = ["{PLATFORM}"]\n'


@dataclass(frozen=True)
class Case:
    """A series on the newest of the container's Pythons that it and its companions have wheels for.

    Attributes:
        companions: those that have a release for it there.
    """

    series: str
    python: str
    companions: tuple[str, ...]


@dataclass(frozen=True)
class Used:
    """What came of using a package: its version, or the error."""

    name: str
    ok: bool
    text: str


def cases(series: Sequence[str] = ()) -> list[Case]:
    """Every series that the container's Pythons run, or those that are named."""
    found = (_case(name) for name in series or load().series)
    return [case for case in found if case is not None]


def _case(series: str) -> Case | None:
    release = load().newest(series)
    assert release is not None
    container = load_images().pythons
    minors = [minor for minor in release.pythons_on(PLATFORM) if minor in container]
    if not minors:
        return None
    available = {minor: _companions(release, minor) for minor in minors}
    python = max(minors, key=lambda minor: (len(available[minor]), numbers(minor)))
    return Case(series, python, available[python])


def _companions(release: Release, python: str) -> tuple[str, ...]:
    """Those with a wheel for a Python; of the two that the data does not know there is one."""
    fits = {name: newest(name, release) for name in COMPANIONS}
    return tuple(
        name
        for name, fit in fits.items()
        if name in {"tensorboard", "tensorflow-hub"}
        or (fit is not None and python in fit.companion.pythons_for(release, PLATFORM))
    )


def set_up(folder: Path, case: Case) -> PoetryRunner:
    """A project that requires TensorFlow and the companions, locked by init; `check` is clean."""
    project = folder / "project"
    project.mkdir()
    network = {name: os.environ[name] for name in NETWORK if name in os.environ}
    home, cache = folder / "home", folder / "cache"
    poetry = PoetryRunner(
        project, home, pypi=PYPI, mirror="pypi", cache=cache, in_project=True, environ=network
    )
    interpreter = find_python(case.python)
    assert interpreter is not None, f"Python {case.python} is not installed"
    subprocess.run([interpreter, "-m", "venv", "--without-pip", project / ".venv"], check=True)
    major, minor = case.series.split(".")
    write_pyproject(
        project,
        [f"tensorflow (>={case.series},<{major}.{int(minor) + 1})", *case.companions],
        requires_python=f">={case.python},<3.{numbers(case.python)[1] + 1}",
        more=SETTINGS,
    )
    run(poetry, "tf", "init", "-n", "--mirror", "pypi")
    assert run(poetry, "tf", "check").startswith("All set! ")
    return poetry


def install_and_use(
    poetry: PoetryRunner, companions: Sequence[str], *, legacy_keras: bool = False
) -> list[Used]:
    """Installs what is locked, and uses TensorFlow's Keras and the companions once each."""
    run(poetry, "install", "--quiet")
    environ = {**os.environ, "TF_USE_LEGACY_KERAS": "1" if legacy_keras else "0"}
    done = subprocess.run(
        [poetry.python, "-W", "ignore", USE, "keras", *companions],
        env={name: value for name, value in environ.items() if not name.startswith("PYTHON")},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    found = [Used(*json.loads(line)) for line in done.stdout.splitlines()]
    assert len(found) == len(companions) + 1, done.stderr
    return found


def run(poetry: PoetryRunner, *arguments: str) -> str:
    """The standard output of a command that has to succeed."""
    done = poetry.run(*arguments, timeout=900)
    assert done.ok, done.output
    return done.stdout
