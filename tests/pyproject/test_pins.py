"""How a requirement on TensorFlow is spelt: the edits that write or change one."""

from __future__ import annotations

import pytest
from packaging.version import Version
from poetry.core.constraints.version import parse_constraint
from poetry.core.version.markers import parse_marker

from poetry_tf.files.edits import apply
from poetry_tf.plan.derive import make_plan
from poetry_tf.plan.model import Plan
from poetry_tf.plan.requirement import tensorflow_requirements
from poetry_tf.plan.settings import GpuChoice, Settings
from poetry_tf.pyproject.cuda_extra import (
    MARKED_FOR_CUDA,
    MARKED_FOR_OTHERS,
    cuda_extra_edits,
    new_requirement_edits,
    requirement_texts,
)
from poetry_tf.pyproject.pins import companion_pin_text, pin_edits, pin_text
from poetry_tf.pyproject.requirement_edits import rename_edits
from poetry_tf.releases import load
from poetry_tf.releases.images import load_images
from tests.made import in_memory, requirement_of

CATALOG = load()
FIRST_SERIES, LAST_SERIES = CATALOG.series[0], CATALOG.series[-1]


def plan_for(gpu: GpuChoice = "system", series: str = "2.18") -> Plan:
    release = CATALOG.newest(series)
    assert release is not None
    return make_plan(CATALOG, load_images(), release, Settings(gpu), None)


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
    return apply(project, cuda_extra_edits(project, plan)).pyproject.document.text


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
    assert pin_text(requirement_of(text), PLAN) == narrow


def test_the_release_that_was_asked_for_is_where_the_pin_begins():
    begin, _ = bounds_of(PLAN, 3)
    text = f'[tool.poetry.dependencies]\ntensorflow = "^{begin}"\n'
    project, item = in_memory(text), requirement_of(text)
    edits = pin_edits(project, item, PLAN, at_release=True)
    assert apply(project, edits).pyproject.document.text == text.replace(f"^{begin}", TILDE)
    assert pin_text(item, PLAN, at_release=True) == TILDE


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


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            '[project]\ndependencies = ["{}; os_name==\'a\'", "numpy", "{}; os_name==\'b\'"]',
            "tensorflow",
        ),
        (
            '[project]\ndependencies = ["{}"]\n[tool.poetry.dependencies]\n'
            '{} = {{source = "mine"}}\n',
            "tensorflow",
        ),
        (
            '[tool.poetry.dependencies]\n{} = {{version = "*", optional = true}}\n'
            "[tool.poetry.extras]\nall = ['numpy', '{}'] # all\nnone = ['numpy']\nodd = 3\n",
            "tensorflow",
        ),
    ],
)
def test_a_name_is_changed_everywhere_it_must(before: str, after: str):
    project = in_memory(before.format("tersorflow", "tersorflow"))
    edits = rename_edits(project, project.pyproject.requirements[0], after)
    assert apply(project, edits).pyproject.document.text == before.format(after, after)


@pytest.mark.parametrize(
    "text",
    [
        '[tool.poetry.dependencies]\ntersorflow = "*"\nTensorFlow = "~2.13"\n',
        '[tool.poetry.dependencies]\ntersorflow = [{version = "*"}]\ntensorflow = {path = "x"}\n',
        '[project]\ndependencies = ["tersorflow", "Tensorflow[and-cuda]~=2.13.0"]\n',
        '[project]\ndependencies = ["tersorflow", "tensorflow @ https://example.com/a.zip"]\n',
        '[dependency-groups]\nml = ["tersorflow", {include-group = "x"}, "tensorflow"]\nx = []\n',
    ],
)
def test_a_name_that_is_taken_is_not_given_twice(text: str):
    project = in_memory(text)
    item = next(item for item in project.pyproject.requirements if item.name == "tersorflow")
    assert rename_edits(project, item, "tensorflow") == ()


def test_a_name_that_another_list_has_may_be_given():
    text = (
        '[project]\ndependencies = ["tensorflow"]\n[dependency-groups]\nml = ["tersorflow"]\n'
        '[tool.poetry.group.dev.dependencies]\ntersorflow = "*"\n'
        '[tool.poetry.extras]\nall = ["tersorflow"]\n'
    )
    project = in_memory(text)
    for item in project.pyproject.requirements:
        project = apply(project, rename_edits(project, item, "tensorflow"))
    # An extra is about main dependencies alone.
    assert project.pyproject.document.text.count("tersorflow") == 1


def test_an_extra_is_not_made_to_name_one_distribution_twice():
    text = (
        '[tool.poetry.dependencies]\ntersorflow = "*"\n'
        '[tool.poetry.extras]\nall = ["tersorflow", "tensorflow"]\n'
    )
    project = in_memory(text)
    after = apply(project, rename_edits(project, project.pyproject.requirements[0], "tensorflow"))
    assert after.pyproject.data["tool"]["poetry"]["extras"] == {"all": ["tensorflow"]}


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
