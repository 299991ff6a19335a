"""The pins of TensorFlow and of its companions, in the user's style."""

from __future__ import annotations

import pytest
from packaging.version import Version
from poetry.core.constraints.version import parse_constraint

from poetry_tf.files.edits import apply
from poetry_tf.plan.model import Plan
from poetry_tf.plan.requirement import tensorflow_requirements
from poetry_tf.pyproject.pins import (
    companion_pin_text,
    pin_edits,
    pin_text,
    series_specifier,
    series_tilde,
)
from tests.made import in_memory, plan_for, requirement_of

PLAN = plan_for()
SPECIFIER, TILDE = series_specifier(PLAN.release), series_tilde(PLAN.release)


def pinned(text: str) -> str:
    project = in_memory(text)
    edits = [
        edit
        for item in tensorflow_requirements(project)
        for edit in pin_edits(project, item, PLAN.release)
    ]
    return apply(project, edits).pyproject.document.text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("tensorflow", f"tensorflow ({SPECIFIER})"),
        ("  tensorflow", f"  tensorflow ({SPECIFIER})"),
        ("tensorflow[and-cuda]", f"tensorflow[and-cuda] ({SPECIFIER})"),
        ("tensorflow[and-cuda]>=2.13", f"tensorflow[and-cuda]{SPECIFIER}"),
        ("tensorflow [and-cuda] >=2.13", f"tensorflow [and-cuda] {SPECIFIER}"),
        ("tensorflow>=2.13", f"tensorflow{SPECIFIER}"),
        ("tensorflow>=2.13 # why", f"tensorflow{SPECIFIER} # why"),
        ("tensorflow >=2.13, <3", f"tensorflow {SPECIFIER}"),
        ("tensorflow (>=2.13)", f"tensorflow ({SPECIFIER})"),
        ("tensorflow( >=2.13 )", f"tensorflow({SPECIFIER})"),
        ("tensorflow>=2.13;python_version>'3'", f"tensorflow{SPECIFIER};python_version>'3'"),
        ("tensorflow;python_version>'3'", f"tensorflow ({SPECIFIER});python_version>'3'"),
        ("TensorFlow_CPU~=2.13", f"TensorFlow_CPU{SPECIFIER}"),
    ],
)
@pytest.mark.parametrize(
    "place",
    ['[project]\ndependencies = ["{}"] # it\n', '[dependency-groups]\nml = [\n\t"{}",\n]\n'],
)
def test_a_standard_requirement_gets_the_pin_and_keeps_its_spelling(
    place: str, before: str, after: str
):
    assert pinned(place.format(before)) == place.format(after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('tensorflow = "*"', f'tensorflow = "{TILDE}"'),
        ("tensorflow='^2.13' # why", f"tensorflow='{TILDE}' # why"),
        (
            'tensorflow = {extras = ["and-cuda"], version = "^2.13", optional = true}',
            f'tensorflow = {{extras = ["and-cuda"], version = "{TILDE}", optional = true}}',
        ),
        (
            'tensorflow = [{version = "^2.13", python = "<3.12"}, {version = "^2.16"}]',
            f'tensorflow = [{{version = "{TILDE}", python = "<3.12"}}, {{version = "{TILDE}"}}]',
        ),
        ('"tensorflow" = "*"', f'"tensorflow" = "{TILDE}"'),
    ],
)
def test_a_requirement_of_poetrys_own_gets_the_tilde(before: str, after: str):
    table = "[tool.poetry.dependencies]\n{}\n"
    assert pinned(table.format(before)) == table.format(after)


def bounds_of(plan: Plan, digits: int) -> tuple[str, str]:
    """A lower bound in the plan's series, with so many digits, and the one that ends the series."""
    major, minor = plan.release.version.release[:2]
    zeros = ".0" * (digits - 2)
    return f"{major}.{minor}{zeros}", f"{major}.{minor + 1}{zeros}"


@pytest.mark.parametrize("digits", [2, 3])
@pytest.mark.parametrize("wide", ["^{}", ">={}", ">={},<3", "^{} || ^3"])
def test_a_wide_constraint_is_narrowed_from_where_it_begins(digits: int, wide: str):
    begin, end = bounds_of(PLAN, digits)
    legacy = f'[tool.poetry.dependencies]\ntensorflow = "{wide.format(begin)}"\n'
    assert requirement_of(pinned(legacy)).written == f"~{begin}"
    if "^" not in wide:
        standard = f"[project]\ndependencies = ['tensorflow {wide.format(begin)}']\n"
        assert requirement_of(pinned(standard)).written == f">={begin},<{end}"


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        # The bound is one that the user excludes, of another series, or above the release.
        (f">{bounds_of(PLAN, 3)[0]}", TILDE),
        (f">={bounds_of(PLAN, 3)[0]},!={PLAN.release.version}", TILDE),
        ("^2.13", TILDE),
        (">=2", TILDE),
        ("<3", TILDE),
        ("*", TILDE),
        (f">={bounds_of(PLAN, 2)[0]}.99", TILDE),
        # A wildcard begins before its first prerelease, which nobody writes.
        (f"{PLAN.release.series}.* || 2.99.*", f"~{PLAN.release.series}"),
        (f"^{bounds_of(PLAN, 3)[0]}rc1", f"~{bounds_of(PLAN, 3)[0]}rc1"),
    ],
)
def test_where_its_beginning_is_no_pin_the_plans_release_is_taken(wide: str, narrow: str):
    text = f'[tool.poetry.dependencies]\ntensorflow = "{wide}"\n'
    assert requirement_of(pinned(text)).written == narrow
    assert pin_text(requirement_of(text), PLAN.release) == narrow


def test_the_release_that_was_asked_for_is_where_the_pin_begins():
    begin, _ = bounds_of(PLAN, 3)
    text = f'[tool.poetry.dependencies]\ntensorflow = "^{begin}"\n'
    project, item = in_memory(text), requirement_of(text)
    edits = pin_edits(project, item, PLAN.release, at_release=True)
    assert apply(project, edits).pyproject.document.text == text.replace(f"^{begin}", TILDE)
    assert pin_text(item, PLAN.release, at_release=True) == TILDE


@pytest.mark.parametrize("text", ['"~2.13.0"', '"2.13.*"', '{version = "2.13.1"}'])
def test_a_pin_of_one_series_is_moved_and_not_narrowed(text: str):
    table = "[tool.poetry.dependencies]\ntensorflow = {}\n"
    assert requirement_of(pinned(table.format(text))).written == TILDE


def test_a_retired_distribution_is_not_pinned():
    text = '[tool.poetry.dependencies]\ntensorflow-gpu = "*"\n'
    assert pinned(text) == text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{source = 'mine'}", "{source = 'mine'}"),
        ("{version = '>=2.9', source = 'mine'}", "{version = '>=2.9', source = 'mine'}"),
        ("{version = '~2.13', source = 'mine'}", f"{{version = '{TILDE}', source = 'mine'}}"),
        ("'~2.13' # it", f"'{TILDE}' # it"),
    ],
)
@pytest.mark.parametrize("standard", ["tensorflow", "tensorflow (>=2.9)"])
def test_an_entry_that_enriches_a_requirement_does_not_forbid_its_pin(
    standard: str, before: str, after: str
):
    text = '[project]\ndependencies = ["{}"]\n[tool.poetry.dependencies]\ntensorflow = {}\n'
    made = pinned(text.format(standard, before))
    assert made == text.format(f"tensorflow ({SPECIFIER})", after)
    assert parse_constraint(TILDE).allows_all(requirement_of(made).constraint)


def test_a_requirement_without_a_version_gets_one():
    text = '[tool.poetry.dependencies]\ntensorflow = {extras = ["and-cuda"]}\n'
    assert requirement_of(pinned(text)).written == TILDE


@pytest.mark.parametrize(
    ("requirement", "version", "misfits", "pin"),
    [
        ("'tfx (>=0.23,<0.24)'", "0.25.0", [], ">=0.25.0,<0.26.0"),
        ("'tfx>=0.23'", "0.25.0", [], ">=0.25.0,<0.26.0"),
        ("'tfx'", "1.12", ["1.13"], ">=1.12,<1.13.0"),
        ("'tfx'", "0.25.0", ["0.25.1"], "==0.25.0"),
        ("'tfx ==0.23.0'", "0.25.0", [], "==0.25.0"),
    ],
)
def test_a_companion_is_pinned_as_it_was_written(
    requirement: str, version: str, misfits: list[str], pin: str
):
    item = requirement_of(f'[project]\nname = "a"\ndependencies = [{requirement}]\n')
    found = companion_pin_text(item, Version(version), map(Version, misfits))
    assert found == pin


@pytest.mark.parametrize(
    ("written", "pin"), [("^0.23", "~0.25.0"), ("*", "~0.25.0"), ("0.23.0", "0.25.0")]
)
def test_a_companion_in_poetrys_own_table_is_pinned_as_it_was_written(written: str, pin: str):
    item = requirement_of(f'[tool.poetry.dependencies]\ntfx = "{written}"\n')
    assert companion_pin_text(item, Version("0.25.0"), []) == pin
