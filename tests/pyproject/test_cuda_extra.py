"""The requirement on TensorFlow with and without the and-cuda extra."""

from __future__ import annotations

import pytest
from poetry.core.constraints.version import parse_constraint
from poetry.core.version.markers import parse_marker

from poetry_tf.files.edits import apply
from poetry_tf.plan.model import Plan
from poetry_tf.plan.requirement import tensorflow_requirements
from poetry_tf.pyproject.cuda_extra import (
    MARKED_FOR_CUDA,
    MARKED_FOR_OTHERS,
    cuda_extra_edits,
    new_requirement_edits,
    requirement_texts,
)
from poetry_tf.pyproject.pins import series_specifier, series_tilde
from tests.made import in_memory, plan_for, requirement_of

PLAN, PIP = plan_for(), plan_for("pip")
SPECIFIER, TILDE = series_specifier(PLAN.release), series_tilde(PLAN.release)


def with_wheels(text: str, plan: Plan = PIP) -> str:
    project = in_memory(text)
    return apply(project, cuda_extra_edits(project, plan)).pyproject.document.text


# -- a new requirement ----------------------------------------------------------------------


@pytest.mark.parametrize("plan", [PLAN, PIP, plan_for("none")], ids=lambda plan: plan.gpu.mode)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "[tool.ruff]\nline-length = 100\n",
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
        assert item.is_pep508 is ("[tool.poetry" not in text)
        assert item.constraint == parse_constraint(series_tilde(plan.release))
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


@pytest.mark.parametrize(
    "text",
    [
        f'{TABLE}tensorflow = {{version = "{TILDE}", optional = true}}\n',
        f'{TABLE}tensorflow = {{version = "{TILDE}", source = "mine"}}\n',
        f'{TABLE}tensorflow = {{version = "{TILDE}", extras = ["x", "y"], optional = true}}\n',
        f'{TABLE[:-2]}.tensorflow]\nversion = "{TILDE}"\nsource = "mine"\n',
        f'[project]\ndependencies = ["tensorflow[x] ({SPECIFIER})"]\n',
        f'[project]\ndependencies = ["TensorFlow [x, y] {SPECIFIER}", "numpy"]\n',
        '[project]\ndependencies = ["numpy", "tensorflow==2.18.0"]\n',
        f'{TABLE}tensorflow = "2.18.*"\n',
        # A source that Poetry's table adds, which both of the two then have.
        f'[project]\ndependencies = ["tensorflow ({SPECIFIER})"]\n'
        f'{TABLE}tensorflow = {{source = "mine"}}\n',
    ],
)
def test_what_else_a_requirement_says_comes_back_when_the_wheels_go(text: str):
    back = with_wheels(with_wheels(text), PLAN)
    assert in_memory(back).pyproject.data == in_memory(text).pyproject.data


@pytest.mark.parametrize(
    "text",
    [
        f"""[project]\ndependencies = [\n"tensorflow[and-cuda] ({SPECIFIER}); os_name == 'nt'","""
        f"""\n"tensorflow ({SPECIFIER}) ; os_name != 'nt'"]\n""",
        f'{TABLE}tensorflow = [\n{{version = "{TILDE}", python = "<3.12", extras = ["and-cuda"]}}'
        ",\n"
        f'{{version = "{TILDE}", python = ">=3.12"}},\n]\n',
        # Our markers, but not the same besides, or not alone.
        f"""[project]\ndependencies = ['tensorflow[and-cuda] ({SPECIFIER}) ; {MARKED_FOR_CUDA}',"""
        f"""\n'tensorflow (=={PLAN.release.version}) ; {MARKED_FOR_OTHERS}']\n""",
        f"""{TABLE}tensorflow = [\n{{version = "{TILDE}", extras = ["and-cuda"], source = "mine","""
        f"""markers = '{MARKED_FOR_CUDA}'}},\n"""
        f"""{{version = "{TILDE}", markers = '{MARKED_FOR_OTHERS}'}},\n]\n""",
        f"""{TABLE}tensorflow = [\n{{version = "{TILDE}", extras = ["and_cuda"], """
        f"""markers = '{MARKED_FOR_CUDA}'}},\n"""
        f"""{{version = "{TILDE}", markers = '{MARKED_FOR_OTHERS}'}},\n"""
        f"""{{version = "{TILDE}", python = "<3"}},\n]\n""",
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
        (
            f'[project]\ndependencies = ["tensorflow[and-cuda,x] ({SPECIFIER})"]\n',
            f'[project]\ndependencies = ["tensorflow[x] ({SPECIFIER})"]\n',
        ),
        (
            f"[project]\ndependencies = [\"tensorflow [a, AND_cuda]{SPECIFIER};os_name=='a'\"]\n",
            f"[project]\ndependencies = [\"tensorflow [a]{SPECIFIER};os_name=='a'\"]\n",
        ),
        (
            f"{TABLE}tensorflow = {{extras = ['and-cuda', 'x'], version = '{TILDE}'}} # it\n",
            f"{TABLE}tensorflow = {{extras = ['x'], version = '{TILDE}'}} # it\n",
        ),
        (
            f'{TABLE}tensorflow = [{{version = "{TILDE}", extras = ["and-cuda"]}}]\n',
            f'{TABLE}tensorflow = [{{version = "{TILDE}"}}]\n',
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


@pytest.mark.parametrize(
    "text",
    [
        f'{TABLE}tensorflow = [{{version = "{TILDE}"}}]\n',
        f'{TABLE}tensorflow = [\n  {{version = "{TILDE}"}}, # it\n]\n',
        f"{TABLE.replace('dependencies', 'group.ml.dependencies')}\n"
        f'[[tool.poetry.group.ml.dependencies.tensorflow]]\nversion = "{TILDE}"\n',
    ],
)
def test_a_single_entry_in_an_array_is_split_too(text: str):
    made = with_wheels(text)
    items = tensorflow_requirements(in_memory(made))
    assert [sorted(item.extras) for item in items] == [["and-cuda"], []]
    assert all(line in made for line in text.splitlines() if "{" not in line)
    back = tensorflow_requirements(in_memory(with_wheels(made, PLAN)))
    assert [(item.written, item.marker.is_any()) for item in back] == [(TILDE, True)]


@pytest.mark.parametrize("text", ['"tensorflow"', '"tensorflow>=2.9"', '"tensorflow[x] (>=2.9)"'])
def test_a_requirement_that_is_no_pin_becomes_one_when_it_is_split(text: str):
    items = tensorflow_requirements(in_memory(with_wheels(f"[project]\ndependencies = [{text}]")))
    assert [item.written for item in items] == [SPECIFIER, SPECIFIER]
    table = "[tool.poetry.dependencies]\ntensorflow = {}\n"
    for value in ('"*"', '{extras = ["x"]}', '{version = ">=2.9"}'):
        items = tensorflow_requirements(in_memory(with_wheels(table.format(value))))
        assert [item.written for item in items] == [TILDE, TILDE]


def test_several_pairs_in_a_list_are_taken_back_together():
    pairs = requirement_texts(PIP) * 2
    before = ["numpy", *[f"x{number}" for number in range(9)]]
    text = f"[project]\ndependencies = {[*before, *pairs, 'pandas']}\n"
    after = in_memory(with_wheels(text, PLAN)).pyproject.data["project"]["dependencies"]
    assert after == [*before, *[f"tensorflow ({SPECIFIER})"] * 2, "pandas"]
