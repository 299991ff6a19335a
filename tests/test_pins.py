"""How a requirement on TensorFlow is spelt: the edits that write or change one."""

from __future__ import annotations

import pytest
from poetry.core.constraints.version import parse_constraint
from poetry.core.version.markers import parse_marker

from poetry_tf.pins import (
    MARKED_FOR_CUDA,
    MARKED_FOR_OTHERS,
    new_requirement_edits,
    pin_edits,
    rename_edits,
    requirement_texts,
    wheel_edits,
)
from poetry_tf.plan import Choices, GpuChoice, Plan, make_plan, tensorflow_requirements
from poetry_tf.project.edits import apply
from poetry_tf.releases import load
from poetry_tf.releases.images import load_images
from tests.made import in_memory, requirement_of

CATALOG = load()
FIRST_SERIES, LAST_SERIES = CATALOG.series[0], CATALOG.series[-1]


def plan_for(gpu: GpuChoice = "system", series: str = "2.18") -> Plan:
    release = CATALOG.newest(series)
    assert release is not None
    return make_plan(CATALOG, load_images(), release, Choices(gpu), None)


PLAN, PIP = plan_for(), plan_for("pip")
SPECIFIER, TILDE = PLAN.specifier, PLAN.tilde


def pinned(text: str) -> str:
    project = in_memory(text)
    edits = [
        edit for item in tensorflow_requirements(project) for edit in pin_edits(project, item, PLAN)
    ]
    return apply(project, edits).pyproject.document.text


def with_wheels(text: str, plan: Plan = PIP) -> str:
    project = in_memory(text)
    return apply(project, wheel_edits(project, plan)).pyproject.document.text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("tensorflow", f"tensorflow ({SPECIFIER})"),
        ("  tensorflow", f"  tensorflow ({SPECIFIER})"),
        ("tensorflow[and-cuda]", f"tensorflow[and-cuda] ({SPECIFIER})"),
        ("tensorflow[and-cuda]>=2.13", f"tensorflow[and-cuda]{SPECIFIER}"),
        ("tensorflow [and-cuda] >=2.13", f"tensorflow [and-cuda] {SPECIFIER}"),
        ("tensorflow>=2.13", f"tensorflow{SPECIFIER}"),
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


def test_a_requirement_without_a_version_gets_one():
    text = '[tool.poetry.dependencies]\ntensorflow = {extras = ["and-cuda"]}\n'
    assert requirement_of(pinned(text)).written == TILDE


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[project]\ndependencies = [\"{}[a]~=2.13 ; os_name=='x'\"]", "tensorflow-cpu"),
        ('[tool.poetry.dependencies]\n{} = "^2.13" # it', "tensorflow-cpu"),
        ('[tool.poetry.dependencies.{}]\nversion = "^2.13"', "tensorflow-cpu"),
        (
            '[tool.poetry.dependencies]\n{} = [{{version = "^2.13"}}, {{version = "^2.14"}}]',
            "tensorflow-cpu",
        ),
    ],
)
def test_a_renamed_requirement_changes_its_name_and_nothing_else(before: str, after: str):
    text = before.format("tersorflow")
    project = in_memory(text)
    edits = rename_edits(project, project.pyproject.requirements[0], after)
    assert apply(project, edits).pyproject.document.text == before.format(after)


# -- a new requirement ----------------------------------------------------------------------


@pytest.mark.parametrize("plan", [PLAN, PIP, plan_for("none")], ids=lambda plan: plan.gpu.mode)
@pytest.mark.parametrize(
    "text",
    [
        "",
        '[tool.poetry]\nname = "x"\n',
        '[tool.poetry.dependencies]\npython = "^3.11"\n',
        '[project]\nname = "x"\n',
        "[project]\ndependencies = []\n",
        '[project]\ndependencies = [\n    "numpy",  # numbers\n]\n',
    ],
)
def test_a_new_requirement_goes_where_the_project_has_the_others(plan: Plan, text: str):
    project = in_memory(text)
    assert project.pyproject.requirements in {(), project.pyproject.requirements}
    after = apply(project, new_requirement_edits(project, plan))
    items = tensorflow_requirements(after)
    assert len(items) == (2 if plan.gpu.mode == "pip" else 1)
    for item in items:
        assert item.is_pep508 is ("[project]" in text)
        assert item.constraint == parse_constraint(plan.tilde)
        assert item.group == "main"
    assert [*project.pyproject.requirements] == [
        item for item in after.pyproject.requirements if item not in items
    ]
    # The lines that were there are there.
    rest = iter(after.pyproject.document.text.splitlines())
    assert all(line in rest or line == "dependencies = []" for line in text.splitlines())


def test_the_two_lines_for_cuda_by_pip_cover_every_machine_once():
    first, second = (
        requirement_of(f"[project]\ndependencies = ['{text}']") for text in requirement_texts(PIP)
    )
    assert [sorted(item.extras) for item in (first, second)] == [["and-cuda"], []]
    assert first.marker.intersect(second.marker).is_empty()
    assert first.marker.union(second.marker).is_any()
    assert parse_marker(MARKED_FOR_CUDA) == first.marker
    assert parse_marker(MARKED_FOR_OTHERS) == second.marker


# -- the and-cuda extra ---------------------------------------------------------------------


TABLE = "[tool.poetry.dependencies]\n"


@pytest.mark.parametrize(
    "text",
    [
        f'[project]\ndependencies = ["tensorflow ({SPECIFIER})"]\n',
        f'[project]\ndependencies = [\n    "numpy", # n\n    "tensorflow ({SPECIFIER})",\n'
        '    "pandas",\n]\n',
        f'[dependency-groups]\nml = ["tensorflow ({SPECIFIER})"]\n',
        f'{TABLE}tensorflow = "{TILDE}"\n',
        f'[tool.poetry.group.ml.dependencies]\ntensorflow = "{TILDE}" # it\n',
    ],
)
def test_wheels_are_asked_for_where_they_fit_and_given_back_to_the_byte(text: str):
    after = with_wheels(text)
    items = tensorflow_requirements(in_memory(after))
    assert [sorted(item.extras) for item in items] == [["and-cuda"], []]
    assert items[0].marker == parse_marker(MARKED_FOR_CUDA)
    assert items[1].marker == parse_marker(MARKED_FOR_OTHERS)
    assert with_wheels(after) == after
    back = with_wheels(after, PLAN)
    assert in_memory(back).pyproject.data == in_memory(text).pyproject.data
    assert back.count("\n") == text.count("\n")


LOST = pytest.mark.xfail(
    strict=True, reason="two requirements become one without looking what else they say"
)


@LOST
@pytest.mark.parametrize(
    "text",
    [
        f'{TABLE}tensorflow = {{version = "{TILDE}", optional = true}}\n',
        f'{TABLE}tensorflow = {{version = "{TILDE}", source = "mine"}}\n',
        f'[project]\ndependencies = ["tensorflow[x] ({SPECIFIER})"]\n',
    ],
)
def test_what_else_a_requirement_says_comes_back_when_the_wheels_go(text: str):
    back = with_wheels(with_wheels(text), PLAN)
    assert in_memory(back).pyproject.data == in_memory(text).pyproject.data


@LOST
@pytest.mark.parametrize(
    "text",
    [
        f"""[project]\ndependencies = [\n"tensorflow[and-cuda] ({SPECIFIER}); os_name == 'nt'","""
        f"""\n"tensorflow ({SPECIFIER}) ; os_name != 'nt'"]\n""",
        f'{TABLE}tensorflow = [\n{{version = "{TILDE}", python = "<3.12", extras = ["and-cuda"]}}'
        ",\n"
        f'{{version = "{TILDE}", python = ">=3.12"}},\n]\n',
    ],
)
def test_two_requirements_of_the_users_own_lose_the_extra_only(text: str):
    after = in_memory(with_wheels(text, PLAN))
    before = tensorflow_requirements(in_memory(text))
    items = tensorflow_requirements(after)
    assert [(item.marker, item.written) for item in items] == [
        (item.marker, item.written) for item in before
    ]
    assert not any(item.extras for item in items)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            f'[project]\ndependencies = ["tensorflow[and-cuda] ({SPECIFIER})"]\n',
            f'[project]\ndependencies = ["tensorflow ({SPECIFIER})"]\n',
        ),
        (
            f'{TABLE}tensorflow = {{version = "{TILDE}", extras = ["and-cuda"]}}\n',
            f'{TABLE}tensorflow = {{version = "{TILDE}"}}\n',
        ),
        pytest.param(
            f'[project]\ndependencies = ["tensorflow[and-cuda,x] ({SPECIFIER})"]\n',
            f'[project]\ndependencies = ["tensorflow[x] ({SPECIFIER})"]\n',
            marks=LOST,
        ),
    ],
)
def test_a_single_requirement_loses_the_extra(before: str, after: str):
    assert with_wheels(before, PLAN) == after


@pytest.mark.parametrize(
    "text",
    [
        # A marker of the user's own, a variant, and what is spread over several lines.
        f"""[project]\ndependencies = ["tensorflow ({SPECIFIER}) ; python_version > '3.9'"]\n""",
        f'[project]\ndependencies = ["tensorflow-cpu ({SPECIFIER})"]\n',
        f"""{TABLE}tensorflow = [{{version = "{TILDE}", python = "<3.12"}}, """
        f"""{{version = "{TILDE}", python = ">=3.12"}}]\n""",
        '[project]\ndependencies = ["numpy"]\n',
    ],
)
def test_what_the_user_has_spread_is_left_to_the_user(text: str):
    assert with_wheels(text) == text


@pytest.mark.xfail(strict=True, reason="the pair is put into the array as its first element")
def test_a_single_entry_in_an_array_is_split_too():
    after = in_memory(with_wheels(f'{TABLE}tensorflow = [{{version = "{TILDE}"}}]\n'))
    assert len(tensorflow_requirements(after)) == 2
