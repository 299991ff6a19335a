"""TensorFlow that comes in through other packages alone stays in the series that is locked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.poetry import PoetryRunner, locked, write_pyproject
from tests.support.projects import contents

MANAGED = "\n[tool.poetry-tf]\n"
# tensorflow-text goes with one series of TensorFlow each.
OLD, NEW = "tensorflow-text ~=2.13.0", "tensorflow-text ~=2.15.0"


LOCKS: dict[str, bytes] = {}
"""The lock of `text_project`, by what is in its pyproject.toml; made once."""


def text_project(poetry: PoetryRunner, *, more: str = MANAGED) -> Path:
    """A project locked with 2.13 that now asks for a package which takes 2.15."""
    path = write_pyproject(poetry.project, [OLD], requires_python="~=3.11.0", more=more)
    if more not in LOCKS:
        done = poetry.call("lock")
        assert done.ok, done.output
        LOCKS[more] = (poetry.project / "poetry.lock").read_bytes()
    (poetry.project / "poetry.lock").write_bytes(LOCKS[more])
    path.write_text(path.read_text("utf-8").replace(OLD, NEW), "utf-8")
    return path


COMMANDS = [
    ["lock"],
    ["lock", "--regenerate"],
    ["update"],
    ["update", "--dry-run"],
    ["update", "--lock", "--no-interaction"],
    ["add", "six"],
    ["add", "--dry-run", "six"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.sample
def test_another_series_is_refused_before_anything_happens(
    warm_poetry: PoetryRunner, command: list[str]
) -> None:
    text_project(warm_poetry)
    before = contents(warm_poetry.project)
    done = warm_poetry.call(*command)
    assert done.returncode == 1, done.output
    assert contents(warm_poetry.project) == before
    assert "This would move tensorflow from 2.13.1 to 2.15.1" in done.stderr
    assert "it comes in through tensorflow-text alone" in done.stderr
    assert "poetry add tensorflow@~2.13.1" in done.stderr
    assert "poetry add tensorflow@~2.15.1" in done.stderr
    assert "Installing" not in done.output


def test_the_pin_that_is_proposed_moves_it_on_purpose(warm_poetry: PoetryRunner) -> None:
    text_project(warm_poetry)
    done = warm_poetry.call("add", "--lock", "tensorflow@~2.15.1")
    assert done.ok, done.output
    assert locked(warm_poetry.project)["tensorflow"] == "2.15.1"


def test_within_the_series_it_may_move(warm_poetry: PoetryRunner) -> None:
    path = text_project(warm_poetry)
    path.write_text(path.read_text("utf-8").replace(NEW, OLD), "utf-8")
    assert warm_poetry.call("update", "--lock").ok


@pytest.mark.parametrize(
    "more", ["", '\n[tool.poetry-tf]\npin = "warn"\n'], ids=["not managed", "pin = warn"]
)
@pytest.mark.sample(every=2)
def test_where_it_is_not_enforced_it_is_one_line(warm_poetry: PoetryRunner, more: str) -> None:
    text_project(warm_poetry, more=more)
    done = warm_poetry.call("lock")
    assert done.ok, done.output
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("poetry-tf: This moves tensorflow from 2.13.1 to 2.15.1")
    assert locked(warm_poetry.project)["tensorflow"] == "2.15.1"


def test_switched_off_it_says_nothing(warm_poetry: PoetryRunner) -> None:
    text_project(warm_poetry, more='\n[tool.poetry-tf]\npin = "off"\n')
    done = warm_poetry.call("lock")
    assert (done.ok, done.stderr) == (True, ""), done.output


def test_a_pin_of_the_projects_own_may_be_moved_by_hand(warm_poetry: PoetryRunner) -> None:
    path = write_pyproject(
        warm_poetry.project, ["tensorflow ~=2.13.0"], requires_python="~=3.11.0", more=MANAGED
    )
    assert warm_poetry.call("lock").ok
    path.write_text(path.read_text("utf-8").replace("2.13.0", "2.15.0"), "utf-8")
    done = warm_poetry.call("lock")
    assert done.ok, done.output


def test_what_has_left_the_project_is_no_move(warm_poetry: PoetryRunner) -> None:
    path = text_project(warm_poetry)
    path.write_text(path.read_text("utf-8").replace(NEW, "six"), "utf-8")
    done = warm_poetry.call("lock")
    assert done.ok, done.output
    assert "tensorflow" not in locked(warm_poetry.project)


@pytest.mark.slow
def test_the_remedy_repeats_what_was_being_added(warm_poetry: PoetryRunner) -> None:
    write_pyproject(warm_poetry.project, [OLD], requires_python="~=3.11.0", more=MANAGED)
    assert warm_poetry.call("lock").ok
    refused = warm_poetry.call("add", "--lock", "tensorflow-text@~2.15.0")
    remedy = refused.stderr.partition("on purpose: poetry add ")[2].partition(".\n")[0].split()
    assert remedy == ["tensorflow@~2.15.1", "tensorflow-text@~2.15.0"]
    done = warm_poetry.call("add", "--lock", *remedy)
    assert done.ok, done.output
    assert locked(warm_poetry.project)["tensorflow"] == "2.15.1"
