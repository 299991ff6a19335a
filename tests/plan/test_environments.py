"""Where a release has to be usable, and where it is."""

from __future__ import annotations

import pytest
from packaging.markers import Marker
from poetry.core.constraints.version import parse_constraint
from poetry.core.version.markers import parse_marker

from poetry_tf.plan.environments import (
    DEFAULT_ENVIRONMENTS,
    ENVIRONMENTS,
    Target,
    is_open_ended,
    make_targets,
    required_environments,
    required_pythons,
    unserved_targets,
)
from poetry_tf.releases import PLATFORMS, load
from poetry_tf.releases.model import LINUX_AARCH64, LINUX_X86_64, MACOS_X86_64


def the(version: str):
    release = load().get(version)
    assert release is not None
    return release


def test_every_platform_of_the_data_is_an_environment():
    assert tuple(ENVIRONMENTS) == PLATFORMS


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_environments_marker_holds_there_and_nowhere_else(name: str):
    marker = Marker(ENVIRONMENTS[name].marker)
    holds = [item.name for item in ENVIRONMENTS.values() if marker.evaluate(item.variables("3.11"))]
    assert holds == [name]


@pytest.mark.parametrize(
    ("marker", "environment", "python", "admits"),
    [
        ("", LINUX_X86_64, "3.11", True),
        ('sys_platform == "win32"', LINUX_X86_64, "3.11", False),
        ('platform_system == "Linux"', LINUX_AARCH64, "3.11", True),
        ('python_version < "3.10"', LINUX_X86_64, "3.9", True),
        ('python_version < "3.10"', LINUX_X86_64, "3.10", False),
        ('python_full_version >= "3.10.1"', LINUX_X86_64, "3.10", True),
        ('platform_machine == "AMD64"', "windows-amd64", "3.10", True),
        ('implementation_name == "pypy"', LINUX_X86_64, "3.10", False),
    ],
)
def test_whether_a_requirement_counts_in_a_target(
    marker: str, environment: str, python: str, admits: bool
):
    assert Target(environment, python).admits(parse_marker(marker)) is admits


@pytest.mark.parametrize(
    ("python", "judged"),
    [
        (">=3.10,<3.13", ("3.10", "3.11", "3.12")),
        ("~3.9", ("3.9",)),
        (">=3.9.1,<3.11", ("3.9", "3.10")),
        ("3.11.4", ("3.11",)),
        ("~3.9 || ~3.11", ("3.9", "3.11")),
        # As `poetry init` writes them, or as a caret means them: only where they begin.
        (">=3.11", ("3.11",)),
        (">=3.8.1,<4", ("3.8",)),
        ("^3.10", ("3.10",)),
        (">=3.9,!=3.9.7", ("3.9",)),
        ("~3.9 || >=3.11", ("3.9",)),
        # Open on both sides: nothing is said.
        ("*", None),
        ("!=3.9.7", None),
        ("<2", ()),
    ],
)
def test_the_pythons_a_release_is_judged_by(python: str, judged: tuple[str, ...] | None):
    assert required_pythons(parse_constraint(python)) == judged


def test_what_has_no_end_is_open():
    assert is_open_ended(parse_constraint(">=3.11"))
    assert is_open_ended(parse_constraint("^3.11"))
    assert not is_open_ended(parse_constraint(">=3.11,<3.14"))


def test_what_is_declared_is_meant_and_the_default_as_far_as_there_are_wheels():
    both, alone = the("2.15.1"), the("2.15.0.post1")
    assert required_environments(both, None) == DEFAULT_ENVIRONMENTS
    assert required_environments(alone, None) == (LINUX_X86_64,)
    assert required_environments(alone, DEFAULT_ENVIRONMENTS) == DEFAULT_ENVIRONMENTS


def test_the_targets_in_which_a_release_is_not_available():
    targets = make_targets((LINUX_X86_64, MACOS_X86_64), ("3.12", "3.13"))
    assert unserved_targets(the("2.16.2"), targets) == (
        Target(LINUX_X86_64, "3.13"),
        Target(MACOS_X86_64, "3.13"),
    )
    assert [target.environment for target in unserved_targets(the("2.18.1"), targets)] == [
        LINUX_X86_64,
        MACOS_X86_64,
        MACOS_X86_64,
    ]
