"""Moving takes TensorFlow from nobody, in what the real Poetry locks as well."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from poetry.core.version.markers import parse_marker

from poetry_tf.files.lock import Lock
from poetry_tf.files.project import LOCK, PYPROJECT, Project
from poetry_tf.plan.alternatives import Alternative, alternatives
from poetry_tf.plan.environments import make_targets, required_pythons
from poetry_tf.plan.lines import tensorflow_lines
from poetry_tf.plan.python import project_pythons
from poetry_tf.plan.settings import read_settings
from poetry_tf.releases import DISTRIBUTIONS, load, whole
from tests.made import SERIES
from tests.plan.served import Served
from tests.plan.test_served import projects
from tests.support.poetry import PoetryRunner
from tests.support.projects import contents

pytestmark = pytest.mark.slow

# Each example locks twice or thrice.
few = settings(
    max_examples=max(5, settings.default.max_examples // 12),  # type: ignore[union-attr]
    suppress_health_check=[*HealthCheck],
)


def begin(poetry: PoetryRunner, text: str) -> Project:
    """The project, locked by plain Poetry; an example that it can't lock is dropped."""
    shutil.rmtree(poetry.project)
    poetry.project.mkdir()
    (poetry.project / PYPROJECT).write_text(text, "utf-8")
    assume(poetry.call("lock", plugins=False).ok)
    return Project.read(poetry.project)


def served(project: Project) -> set[Served]:
    """The targets in which an installation from the lock gets TensorFlow."""
    assert isinstance(project.lock, Lock)
    pythons = required_pythons(project_pythons(project)) or ()
    declared = read_settings(project)[0].environments or ("linux-x86_64",)
    lines = tensorflow_lines(project)
    environments = dict.fromkeys((*declared, *(one for line in lines for one in line.environments)))
    return {
        Served(one.group or one.extra or "", target)
        for one in alternatives(project.pyproject)
        for target in make_targets(environments, pythons)
        for package in project.lock.data["package"]
        if package["name"] in DISTRIBUTIONS
        and (release := whole(package["name"]).get(package["version"])) is not None
        and target.python in release.usable_on(target.environment)
        and any(target.admits(parse_marker(text), one.extras) for text in markers(package, one))
    }


def markers(package: dict[str, Any], alternative: Alternative) -> Iterator[str]:
    """The markers under which an alternative installs a locked package, one for each group."""
    written = package.get("markers", "")
    for group in package["groups"]:
        if group in alternative.groups:
            yield written if isinstance(written, str) else written.get(group, "")


def check_is_fresh(poetry: PoetryRunner) -> None:
    done = poetry.call("check", "--lock", plugins=False)
    assert "poetry.lock" not in done.output, done.output


# Poetry's solver does not know that two requirements of other names are never installed together.
# Whether it still solves what two releases require of one distribution depends on how their ranges
# are written.
# The index of the tests has not every release of every distribution.
SHARED = re.compile(
    r"depends on tensorflow(-intel|-macos|-cpu-aws)? \(|tensorflow.* which doesn't match any"
)


@few
@given(text=projects(), is_locked=st.booleans())
def test_fixing_leaves_nothing_unserved(
    warm_poetry: PoetryRunner, text: str, is_locked: bool
) -> None:
    before = begin(warm_poetry, text)
    if not is_locked:
        (warm_poetry.project / LOCK).unlink()
    files = contents(warm_poetry.project)
    done = warm_poetry.call("tf", "check", "--fix")
    if "Could not lock the project" in done.output:
        assert SHARED.search(done.output), done.output
        assert contents(warm_poetry.project) == files
        return
    if not (warm_poetry.project / LOCK).exists():
        locked = warm_poetry.call("lock", plugins=False)
        assume("Current Python version" not in locked.output)  # the Python of the tests was cut
        assert locked.ok or SHARED.search(locked.output), locked.output
        assume(locked.ok)
    check_is_fresh(warm_poetry)
    after = Project.read(warm_poetry.project)
    assert served(before) - served(after) == set(), after.pyproject.document.text
    again = json.loads(warm_poetry.call("tf", "check", "--format", "json").stdout)
    if "nothing was written" in done.output:
        # Poetry would take other releases for a pin that a person has to decide on first.
        assert "the new lock file would have no TensorFlow for" in done.output
        assert contents(warm_poetry.project) == files
        assert any(one["code"] == "TF101" and not one["fixable"] for one in again["findings"])
    elif is_locked:
        fixable = [item for item in again["findings"] if item["fixable"]]
        assert fixable == [], f"{done.output}\n{after.pyproject.document.text}\n{again}"


@few
@given(text=projects(), series=st.sampled_from(SERIES))
def test_moving_leaves_nothing_unserved(warm_poetry: PoetryRunner, text: str, series: str) -> None:
    before = begin(warm_poetry, text)
    files = contents(warm_poetry.project)
    done = warm_poetry.call("tf", "upgrade", "-n", series)
    if not done.ok:
        assert contents(warm_poetry.project) == files
        return
    check_is_fresh(warm_poetry)
    after = Project.read(warm_poetry.project)
    # The page names the Pythons for which the series that was asked for has no wheels.
    newest = load().newest(series)
    assert newest is not None
    lost = {
        gone
        for gone in served(before) - served(after)
        if gone.target.python in newest.usable_on(gone.target.environment)
    }
    assert lost == set(), f"{done.output}\n{after.pyproject.document.text}"
