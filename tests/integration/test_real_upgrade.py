"""`poetry tf upgrade` on the real TensorFlow, from the index that this machine has for PyPI's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from poetry_tf.files.project import Project
from poetry_tf.plan.environments import make_targets, required_pythons
from poetry_tf.plan.installability import LockedPackages
from poetry_tf.plan.python import release_pythons
from poetry_tf.plan.settings import read_settings
from poetry_tf.releases import load
from poetry_tf.releases.images import load_images
from tests.support.poetry import PoetryRunner, locked, write_pyproject
from tests.support.projects import contents, read_jsonc

pytestmark = pytest.mark.index


def begin(
    poetry: PoetryRunner, series: str, python: str, beside: Sequence[str] = (), more: str = ""
) -> None:
    """A project for a series, set up by init."""
    poetry.python_version = f"{python}.2"
    major, minor = series.split(".")
    end = f"3.{int(python.split('.')[1]) + 1}"
    wanted = [f"tensorflow (>={series},<{major}.{int(minor) + 1})", *beside]
    settings = more or "\n[tool.poetry-tf]\n"
    write_pyproject(poetry.project, wanted, requires_python=f">={python},<{end}", more=settings)
    done = poetry.run("tf", "init", "-n", "--mirror", "off", timeout=300)
    assert done.ok, done.output
    assert locked(poetry.project)["tensorflow"].startswith(f"{series}.")


def upgrade(poetry: PoetryRunner, *arguments: str) -> str:
    """Moves the project, and holds that what comes of it is right; returns the page."""
    done = poetry.run("tf", "upgrade", "-n", "--mirror", "off", *arguments, timeout=300)
    assert done.ok, done.output
    checked = poetry.run("tf", "check")
    assert checked.stdout.startswith("All set! "), checked.output

    made = Project.read(poetry.project)
    lock = made.valid_lock
    assert lock is not None
    assert made.pyproject.python is not None
    assert "[package.source]" not in lock.text
    release = load().get(lock.versions["tensorflow"][0])  # type: ignore[index]
    assert release is not None
    admitted = required_pythons(made.pyproject.python.constraint)
    assert admitted
    environments = read_settings(made)[0].environments
    assert {*admitted} <= {*release_pythons(release, environments)}
    judged = make_targets(environments or ["linux-x86_64", "linux-aarch64"], admitted)
    packages = LockedPackages.of(lock, made.pyproject)
    assert [*packages.obstacles(judged, load_images().systems)] == []

    assert poetry.run("check", "--lock", plugins=False).stdout == "All set!\n"
    poetry.python_version = f"{admitted[-1]}.2"
    dry = poetry.run("install", "--dry-run", plugins=False)
    assert dry.ok, dry.output
    assert f"Installing tensorflow ({release.version})" in dry.stdout
    return done.stdout


@pytest.mark.parametrize(
    ("series", "python", "target"),
    [
        ("2.13", "3.11", "2.15"),
        ("2.15", "3.11", "2.18"),
        ("2.18", "3.12", None),
        ("2.21", "3.12", "2.18"),
    ],
)
def test_a_project_moves(
    real_poetry: PoetryRunner, project: Path, series: str, python: str, target: str | None
) -> None:
    begin(real_poetry, series, python)
    upgrade(real_poetry, *([target] if target else []))
    release = load().newest(target)
    assert release is not None
    assert locked(project)["tensorflow"] == str(release.version)
    after = contents(project)
    again = real_poetry.run("tf", "upgrade", "-n", *([target] if target else []))
    assert again.stdout.endswith("Nothing to change.\n"), again.output
    assert contents(project) == after


def test_a_project_keeps_keras_2_and_goes_back(real_poetry: PoetryRunner, project: Path) -> None:
    begin(real_poetry, "2.15", "3.11")
    upgrade(real_poetry, "2.16", "--legacy-keras")
    assert locked(project)["tf-keras"].startswith("2.16.")
    made = read_jsonc(project / ".devcontainer" / "devcontainer.json")
    assert made["containerEnv"]["TF_USE_LEGACY_KERAS"] == "1"
    upgrade(real_poetry, "2.15")
    assert locked(project)["tf-keras"].startswith("2.15.")


def test_a_project_with_companions_moves(real_poetry: PoetryRunner, project: Path) -> None:
    beside = ["tensorflow-probability (>=0.23,<0.24)", "tensorflow-text"]
    more = '\n[tool.poetry-tf]\nenvironments = ["linux-x86_64"]\n'
    begin(real_poetry, "2.15", "3.11", beside, more)
    page = upgrade(real_poetry, "2.18")
    assert re.search(r"tensorflow-probability +0\.23\.0 -> 0\.25\.0", page)
    assert locked(project)["tensorflow-text"].startswith("2.18.")


def test_a_project_with_what_has_ended_stays(real_poetry: PoetryRunner, project: Path) -> None:
    more = '\n[tool.poetry-tf]\nenvironments = ["linux-x86_64"]\n'
    begin(real_poetry, "2.13", "3.11", ["tensorflow-addons (>=0.21,<0.22)"], more)
    before = contents(project)
    done = real_poetry.run("tf", "upgrade", "-n", "--mirror", "off", "2.18")
    assert done.returncode == 1
    assert "TensorFlow 2.8 to 2.15 has a release of tensorflow-addons." in done.stderr
    assert contents(project) == before
    # As far as it goes that is where it moves by default.
    page = upgrade(real_poetry)
    assert page.startswith("TensorFlow 2.13.1 -> 2.15.1\n")
    assert locked(project)["tensorflow-addons"] == "0.23.0"
