"""TF105: the packages that are built for, or bound to, certain releases of TensorFlow."""

from __future__ import annotations

import json

import pytest

from poetry_tf.actions.fix import fix
from poetry_tf.files.project import Project
from poetry_tf.releases import load
from poetry_tf.releases.companions import companions, newest
from tests.made import found, in_memory, lock_text, place

RELEASE = load().get("2.15.1")
assert RELEASE is not None
FITS = newest("tensorflow-io", RELEASE)
assert FITS is not None and not FITS.solved
FITTING = str(FITS.companion.version)


def project(*lines: str, locked: tuple[tuple[str, str], ...] = ()) -> Project:
    listed = "".join(f'    "{line}",\n' for line in lines)
    text = f'[project]\nrequires-python = ">=3.10,<3.12"\ndependencies = [\n{listed}]\n'
    return in_memory(text, lock=lock_text(*locked) if locked else None)


def test_a_companion_locked_for_another_tensorflow_is_reported_with_the_one_that_fits():
    locked = (("tensorflow", "2.15.1"), ("tensorflow-io", "0.37.1"))
    (finding,) = found(project("tensorflow~=2.15.0", "tensorflow-io", locked=locked), "TF105")
    assert place(finding) == "poetry.lock:10:1"
    assert "tensorflow-io 0.37.1" in finding.message and "2.16" in finding.message
    assert FITTING in finding.remedy
    assert not finding.edits and not finding.locks


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("tensorflow-io", FITTING),
        ("tensorflow-io", "9.0.0"),  # newer than the data
        ("keras", "2.15.0"),
        ("tensorflow-probability", "0.23.0"),
        ("tensorflow-directml-plugin", "0.4.0"),  # of which nothing is known
    ],
)
def test_a_companion_that_fits_or_is_not_known_is_let_be(name: str, version: str):
    locked = (("tensorflow", "2.15.1"), (name, version))
    assert found(project("tensorflow~=2.15.0", name, locked=locked), "TF105") == []


def test_a_lock_that_contradicts_what_tensorflow_asks_for_is_reported():
    locked = (("tensorflow", "2.15.1"), ("keras", "3.3.3"))
    (finding,) = found(project("tensorflow~=2.15.0", locked=locked), "TF105")
    assert "requires keras" in finding.message and "poetry lock" in finding.remedy


def test_where_no_release_fits_the_series_of_the_last_is_named():
    locked = (("tensorflow", "2.18.1"), ("tensorflow-addons", "0.23.0"))
    (finding,) = found(project("tensorflow~=2.18.0", locked=locked), "TF105")
    last = companions()["tensorflow-addons"][-1]
    assert "made for TensorFlow 2.15," in finding.message and finding.severity == "error"
    assert f"{last.version} is made for" in finding.remedy


@pytest.mark.parametrize(("version", "level"), [("0.22.0", "warning"), ("0.20.0", "error")])
@pytest.mark.parametrize("line", ["tensorflow-addons", "tensorflow-addons=={}"])
def test_addons_that_name_the_tensorflow_in_an_extra_only_are_a_warning(
    line: str, version: str, level: str
):
    locked = (("tensorflow", "2.13.1"), ("tensorflow-addons", version))
    made = project("tensorflow~=2.13.0", line.format(version), locked=locked)
    (finding,) = found(made, "TF105")
    assert finding.severity == level
    assert "tensorflow-addons 0.21.0, which fits" in finding.remedy


@pytest.mark.parametrize(
    ("tensorflow", "version", "fits"),
    [
        ("2.20.0", "0.37.1", True),
        ("2.20.0", "0.31.0", True),  # for Windows; TensorFlow's extra names it
        ("2.20.0", "0.23.0", False),
        ("2.21.0", "0.37.1", False),  # TensorFlow's extra names it, and it fails
    ],
)
def test_the_optional_file_system_works_up_to_2_20(tensorflow: str, version: str, fits: bool):
    name = "tensorflow-io-gcs-filesystem"
    locked = (("tensorflow", tensorflow), (name, version))
    findings = found(project(f"tensorflow~={tensorflow}", name, locked=locked), "TF105")
    assert bool(findings) is not fits


@pytest.mark.parametrize(
    ("line", "column"),
    [("tensorflow-io~=0.31.0", 5), ("TensorFlow_IO (==0.32.0)", 5)],
)
def test_a_requirement_that_nothing_fitting_satisfies_is_reported_where_it_stands(
    line: str, column: int
):
    (finding,) = found(project("tensorflow~=2.15.0", line), "TF105")
    assert place(finding) == f"pyproject.toml:5:{column}"
    assert FITTING in finding.remedy
    # The lock says the same, and is not told of besides.
    locked = (("tensorflow", "2.15.1"), ("tensorflow-io", "0.32.0"))
    assert [
        place(item) for item in found(project("tensorflow~=2.15.0", line, locked=locked), "TF105")
    ] == [place(finding)]


@pytest.mark.parametrize(
    "line",
    [
        "tensorflow-io~=0.36.0",
        "tensorflow-io>=0.31",  # may be anything newer: what is locked will be judged
        "tensorflow-text~=2.13.0",  # which a solver refuses by itself
        "keras==3.3.3",
        "tensorflow-io==0.31.1",  # there is none, as a solver finds
        "numpy==1.0",
    ],
)
def test_a_requirement_that_fits_or_that_a_solver_judges_is_let_be(line: str):
    assert found(project("tensorflow~=2.15.0", line), "TF105") == []


@pytest.mark.parametrize(
    ("constraint", "solvable"), [("~=0.23.0", False), (">=0.23,<0.24", False), (">=0.20", True)]
)
def test_the_advice_can_be_followed(constraint: str, solvable: bool):
    """tf-agents 0.19 requires a Probability that is made for TensorFlow 2.15."""
    packages = (("tensorflow", "2.18.1"), ("tensorflow-probability", "0.23.0"))
    lock = lock_text(*packages, ("tf-agents", "0.19.0")).replace(
        "[metadata]",
        f'[package.dependencies]\ntensorflow-probability = "{constraint}"\n\n[metadata]',
    )
    made = project("tensorflow~=2.18.0", "tf-agents", locked=packages)
    made = in_memory(made.pyproject.document.text, lock=lock)
    (finding,) = found(made, "TF105")
    assert ("0.25.0, which fits" in finding.remedy) is solvable
    assert (f"tf-agents 0.19.0 requires tensorflow-probability {constraint}" in finding.remedy) is (
        not solvable
    )


def test_two_tensorflows_distinguished_by_markers_leave_companions_unjudged():
    locked = (("tensorflow", "2.15.1"), ("tensorflow", "2.16.2"), ("tensorflow-io", "0.37.1"))
    assert found(project("tensorflow", "tensorflow-io", locked=locked), "TF105") == []


def test_companions_without_tensorflow_are_let_be():
    assert found(project("tensorflow-io==0.31.0"), "TF105") == []
    assert found(in_memory("", lock=lock_text(("keras", "3.3.3"))), "TF105") == []


@pytest.mark.parametrize(
    "tensorflows",
    [
        ("tensorflow>=2.12",),  # may end up as one that fits
        ("tensorflow~=2.15.0 ; python_version < '3.11'", "tensorflow~=2.12.0"),
    ],
)
def test_a_requirement_is_judged_only_beside_one_series(tensorflows: tuple[str, ...]):
    assert found(project(*tensorflows, "tensorflow-io==0.32.0"), "TF105") == []


def test_each_extra_may_have_a_tensorflow_of_its_own():
    text = """\
[project.optional-dependencies]
new = ["tensorflow~=2.15.0", "tensorflow-io==0.36.0"]
old = ["tensorflow~=2.12.0", "tensorflow-io==0.32.0"]
odd = ["tensorflow~=2.15.0", "tensorflow-io==0.32.0"]
"""
    assert [place(item) for item in found(in_memory(text), "TF105")] == ["pyproject.toml:4:30"]


def test_a_lock_outside_the_pin_is_judged_by_itself():
    locked = (("tensorflow", "2.16.2"), ("tensorflow-io", "0.37.1"))
    assert found(project("tensorflow~=2.15.0", "tensorflow-io", locked=locked), "TF105") == []


MANAGED = '[tool.poetry]\npackage-mode = false\n[tool.poetry-tf]\ngpu = "none"\n'


def managed(line: str, more: str = MANAGED) -> Project:
    made = project("tensorflow~=2.15.0", line)
    text = f"{made.pyproject.document.text.replace('[project]', NAMED)}{more}"
    return in_memory(text, lock=lock_text(("tensorflow", "2.15.1"), (made_name(line), "0.37.1")))


NAMED = '[project]\nname = "x"\nversion = "1"'


def made_name(line: str) -> str:
    return line.partition(">")[0].partition("<")[0].strip()


@pytest.mark.parametrize(
    ("line", "pinned"),
    [
        ("tensorflow-io", f"tensorflow-io (>={FITTING},<0.37.0)"),
        ("tensorflow-io>=0.31", f"tensorflow-io>={FITTING},<0.37.0"),
    ],
)
def test_a_requirement_that_admits_what_fits_is_pinned_to_it(line: str, pinned: str):
    after = fix(managed(line), codes={"TF105"})
    assert pinned in after.pyproject.data["project"]["dependencies"]


@pytest.mark.parametrize(
    "more",
    [
        "[tool.poetry]\npackage-mode = false\n",
        '[tool.poetry]\npackages = [{ include = "lib" }]\n[tool.poetry-tf]\n',
        "[tool.hatch]\n[tool.poetry-tf]\n",
    ],
)
def test_elsewhere_the_pin_is_the_authors(more: str):
    (finding,) = found(managed("tensorflow-io", more), "TF105")
    assert not finding.edits


def test_what_admits_nothing_that_fits_was_chosen_by_somebody():
    assert not any(finding.edits for finding in found(managed("tensorflow-io>0.36.1"), "TF105"))


EARLIER, LATER = 'python_version < "3.11"', 'python_version >= "3.11"'
PROBABILITY = "tensorflow-probability"
LOCKED = (("tensorflow", "2.15.1"), ("tensorflow", "2.18.1"), (PROBABILITY, "0.25.0"))
FOR_EACH = [
    f"{PROBABILITY} (>=0.23.0,<0.24.0) ; {EARLIER}",
    f"{PROBABILITY} (>=0.25.0,<0.26.0) ; {LATER}",
]


def beside_two(*lines: str, more: str = MANAGED) -> Project:
    """A project with a TensorFlow for each of two Pythons, and a lock that has what fits one."""
    mains = (f"tensorflow~=2.15.0; {EARLIER}", f"tensorflow~=2.18.0; {LATER}")
    text = f"""{NAMED}
requires-python = ">=3.10,<3.12"
dependencies = {json.dumps([*mains, *lines])}
{more}"""
    return in_memory(text, lock=lock_text(*LOCKED))


def test_what_is_beside_two_tensorflows_gets_a_line_for_each():
    made = beside_two(PROBABILITY)
    (finding,) = found(made, "TF105")
    assert all(f"'{line}'" in finding.remedy for line in FOR_EACH), "the advice is the whole"
    after = fix(made, codes={"TF105"})
    lines = after.pyproject.data["project"]["dependencies"]
    assert [line for line in lines if line.startswith(PROBABILITY)] == FOR_EACH
    (finding,) = found(beside_two(PROBABILITY, more=""), "TF105")
    assert all(f"'{line}'" in finding.remedy for line in FOR_EACH) and not finding.edits
    # What admits nothing that fits one of them was chosen by somebody.
    (finding,) = found(beside_two(f"{PROBABILITY} (>=0.24)"), "TF105")
    assert not finding.edits


def test_in_poetrys_own_tables_it_gets_a_line_for_each():
    text = (
        '[tool.poetry]\npackage-mode = false\n[tool.poetry.dependencies]\npython = ">=3.10,<3.12"\n'
        f"tensorflow = [{{ version = '~2.15.0', markers = '{EARLIER}' }}, "
        f"{{ version = '~2.18.0', markers = '{LATER}' }}]\n"
        f'{PROBABILITY} = "*"\n[tool.poetry-tf]\ngpu = "none"\n'
    )
    after = fix(in_memory(text, lock=lock_text(*LOCKED)), codes={"TF105"})
    assert after.pyproject.data["tool"]["poetry"]["dependencies"][PROBABILITY] == [
        {"version": "~0.23.0", "markers": EARLIER},
        {"version": "~0.25.0", "markers": LATER},
    ]


def test_what_does_not_hold_apart_is_for_a_person():
    extras = (
        "[project.optional-dependencies]\n"
        'old = ["tensorflow~=2.15.0"]\nnew = ["tensorflow~=2.18.0"]\n'
    )
    text = f"""{NAMED}
requires-python = ">=3.10,<3.12"
dependencies = ["{PROBABILITY}"]
{extras}{MANAGED}"""
    made = in_memory(text, lock=lock_text(*LOCKED))
    assert [item.edits for item in found(made, "TF105")] == [()]


def test_equal_lines_in_two_extras_are_both_pinned():
    extras = (
        "[project.optional-dependencies]\n"
        'cpu = ["tensorflow-cpu~=2.15.0", "tensorflow-io"]\n'
        'gpu = ["tensorflow~=2.15.0", "tensorflow-io"]\n'
    )
    text = f"""{NAMED}
requires-python = ">=3.10,<3.12"
{extras}{MANAGED}"""
    locked = (("tensorflow", "2.15.1"), ("tensorflow-cpu", "2.15.1"), ("tensorflow-io", "0.37.1"))
    after = fix(in_memory(text, lock=lock_text(*locked)), codes={"TF105"})
    lists = after.pyproject.data["project"]["optional-dependencies"]
    assert {lines[1] for lines in lists.values()} == {f"tensorflow-io (>={FITTING},<0.37.0)"}


def locked_with_macos(*requires: str) -> str:
    """A lock in which something brings a distribution of TensorFlow for Macs."""
    text = lock_text(
        ("tensorflow", "2.15.1"),
        ("tensorflow-io", "0.37.1"),
        ("tensorflow-macos", "2.9.2"),
        ("tensorflow-text", "2.15.0"),
    )
    edges = "".join(f"{line}\n" for line in requires)
    return text.replace("[metadata]", f"[package.dependencies]\n{edges}\n[metadata]")


@pytest.mark.parametrize("environments", ['["linux-x86_64"]', '["linux-x86_64", "macos-arm64"]'])
def test_a_companion_is_judged_by_the_tensorflow_of_its_target(environments: str):
    """A second distribution of TensorFlow, for another platform, hides nothing."""
    lock = locked_with_macos(
        """tensorflow-macos = {version = "*", markers = "sys_platform == 'darwin'"}"""
    )
    lines = ("tensorflow~=2.15.0", "tensorflow-text", "tensorflow-io")
    text = project(*lines).pyproject.document.text
    made = in_memory(f"{text}[tool.poetry-tf]\nenvironments = {environments}\n", lock=lock)
    messages = [item.message for item in found(made, "TF105") if item.name == "tensorflow-io"]
    assert len(messages) == 1 and "not for TensorFlow 2.15.1" in messages[0]


def test_keras_2_that_another_package_brings_is_let_be_where_tensorflow_has_its_own():
    locked = (("tensorflow", "2.13.1"), ("tensorflow-hub", "0.16.1"), ("tf-keras", "2.15.0"))
    lines = ("tensorflow~=2.13.0", "tensorflow-hub")
    assert found(project(*lines, locked=locked), "TF105") == []
    assert found(project(*lines, "tf-keras", locked=locked), "TF105")
    newer = (("tensorflow", "2.18.1"), *locked[1:])
    assert found(project("tensorflow~=2.18.0", "tensorflow-hub", locked=newer), "TF105")


@pytest.mark.parametrize(
    ("pin", "companions", "series"),
    [
        (">=2.15,<3", ["tensorflow-text==2.18.*"], "2.18"),
        (">=2.13", ["tf-keras>=2.16,<2.17"], "2.16"),
        (">=2.13,<2.19", ["tensorflow_probability (>=0.24,<0.25)"], "2.17"),
        (">=2.15,<3", ["tensorflow-text>=2.16"], "2.21"),
        (">=2.15,<3", ["tensorflow-text==2.18.*; sys_platform == 'win32'"], "2.18"),
        (">=2.15,<3", ["tensorflow-io"], "2.15"),
        # One of them fits no series that the other does.
        (">=2.13,<2.19", ["tensorflow-text==2.14.*", "tensorflow-text==2.16.*"], "2.16"),
    ],
)
@pytest.mark.parametrize("group", ["dependencies", "optional-dependencies"])
def test_a_wide_pin_is_narrowed_to_what_its_companions_fit(
    pin: str, companions: list[str], series: str, group: str
):
    beside = {"x": companions} if group == "optional-dependencies" else {}
    lines = [f"tensorflow{pin}", *([] if beside else companions)]
    text = (
        f'[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.10,<3.12"\n'
        f"dependencies = {json.dumps(lines)}\n"
        + (f"optional-dependencies.x = {json.dumps(companions)}\n" if beside else "")
        + "[tool.poetry]\npackage-mode = false\n"
    )
    (finding,) = found(in_memory(text), "TF101")
    assert finding.remedy.endswith(f"to stay with TensorFlow {series}")
