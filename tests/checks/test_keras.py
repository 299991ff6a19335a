"""TF109: what needs Keras 2 gets it, or is reported."""

from __future__ import annotations

import json

import pytest

from poetry_tf.actions.fix import fix
from poetry_tf.files.project import Project
from tests.made import codes, content_hash, found, in_memory, lock_text

MANAGED = '[tool.poetry]\npackage-mode = false\n[tool.poetry-tf]\ngpu = "none"\n'
PROBABILITY = "tensorflow-probability (>=0.25.0,<0.26.0)"


def project(*lines: str, locked: tuple[tuple[str, str], ...] = (), more: str = MANAGED) -> Project:
    text = (
        f'[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.10,<3.12"\n'
        f"dependencies = {json.dumps(lines)}\n{more}"
    )
    return in_memory(text, lock=lock_text(*locked) if locked else None)


@pytest.mark.parametrize(
    "line",
    [
        *(PROBABILITY, "tensorflow_probability", "tensorflow-model-optimization (==0.8.0)"),
        "tensorflow-hub (==0.16.0)",
        *("transformers (<5)", "transformers (>=4.30,<4.58)"),
    ],
)
def test_what_needs_keras_2_gets_it(line: str):
    before = project("tensorflow (~=2.18.0)", line)
    (finding,) = found(before, "TF109")
    assert "needs Keras 2 with TensorFlow 2.18" in finding.message
    assert finding.remedy == "Require tf-keras (>=2.18,<2.19)"
    after = fix(before, codes={"TF109"})
    assert "tf-keras (>=2.18,<2.19)" in after.pyproject.data["project"]["dependencies"]
    assert "TF109" not in codes(after)


@pytest.mark.parametrize(
    "lines",
    [
        ("tensorflow (~=2.15.0)", "tensorflow-probability (~=0.23.0)"),
        ("tensorflow (~=2.18.0)", PROBABILITY, "tf-keras (>=2.18,<2.19)"),
        ("tensorflow (~=2.18.0)", "tensorflow-hub (==0.16.1)"),  # requires it itself
        ("tensorflow (~=2.18.0)", "tensorflow-model-optimization (>=0.8.1)"),
        ("tensorflow (~=2.18.0)", "tensorflow-probability (>=0.26)"),  # not known
        ("tensorflow-probability",),
        ("tensorflow (~=2.18.0)", "tensorflow-probability[tf]"),
        # The newest of those that are admitted does not need it.
        *(
            ("tensorflow (~=2.18.0)", line)
            for line in (
                *("tensorflow-hub", "tensorflow-hub (>=0.12)", "tensorflow-model-optimization"),
                *("transformers", "transformers (>=4.38)"),
            )
        ),
    ],
)
def test_what_has_it_or_does_not_need_it_is_let_be(lines: tuple[str, ...]):
    assert found(project(*lines), "TF109") == []


def test_the_lock_decides():
    tensorflow = ("tensorflow", "2.18.1")
    lines = ("tensorflow (~=2.18.0)", "tensorflow-probability")
    locked = (tensorflow, ("tensorflow-probability", "0.25.0"))
    (finding,) = found(project(*lines, locked=locked), "TF109")
    assert "tensorflow-probability 0.25.0 needs Keras 2" in finding.message
    brought = (*locked, ("tf-keras", "2.18.0"))  # by something else
    assert found(project(*lines, locked=brought), "TF109") == []
    (finding,) = found(project(lines[0], "a-package", locked=locked), "TF109")
    assert "tensorflow-probability 0.25.0, which is locked, needs Keras 2" in finding.message
    newer = (tensorflow, ("tensorflow-model-optimization", "0.8.1"))
    lines = (lines[0], "tensorflow-model-optimization")
    assert found(project(*lines, locked=newer), "TF109") == []


@pytest.mark.parametrize(
    "more",
    [
        '[tool.poetry]\npackages = [{ include = "lib" }]\n[tool.poetry-tf]\ngpu = "none"\n',
        "[tool.poetry]\npackage-mode = false\n",
        "[tool.hatch]\n[tool.poetry-tf]\n",
    ],
)
def test_elsewhere_it_is_a_finding_only(more: str):
    (finding,) = found(project("tensorflow (~=2.18.0)", PROBABILITY, more=more), "TF109")
    assert finding.edits == ()


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("tensorflow-recommenders", "0.7.6"),
        ("tensorflow_recommenders (>=0.7)", "0.7.7"),
        ("tensorflow-gnn (~=1.0)", "1.0.3"),
    ],
)
@pytest.mark.parametrize("is_locked", [True, False])
def test_what_needs_it_as_tf_keras_is_left_to_the_author(line: str, version: str, is_locked: bool):
    """Keras 2 in the lock is not enough: TF_USE_LEGACY_KERAS has to be set as well."""
    name = line.partition(" ")[0].replace("_", "-")
    locked = (("tensorflow", "2.18.1"), ("tf-keras", "2.18.0"), (name, version))
    lines = ("tensorflow (~=2.18.0)", line)
    made = project(*lines, locked=locked if is_locked else ())
    (finding,) = found(made, "TF109")
    assert finding.severity == "warning" and not finding.edits
    assert f"{name} " in finding.message and "needs tf.keras to be Keras 2" in finding.message
    assert 'keras = "legacy"' in finding.remedy
    chosen = MANAGED + 'keras = "legacy"\n'
    assert found(project(*lines, locked=locked, more=chosen), "TF109") == []
    older = (("tensorflow", "2.15.1"), *locked[1:])
    assert found(project("tensorflow (~=2.15.0)", line, locked=older), "TF109") == []
    fine = (*locked[:2], ("tensorflow-recommenders", "0.7.3"))
    assert found(project(lines[0], "tensorflow-recommenders", locked=fine), "TF109") == []


GROUPS = """
[dependency-groups]
old = ["tensorflow (~=2.15.0)", "tensorflow-probability (~=0.23.0)"]
new = ["tensorflow (~=2.18.0)", "tensorflow-probability (~=0.25.0)"]
{more}
[tool.poetry.group.old]
optional = true
[tool.poetry.group.new]
optional = true
"""


@pytest.mark.parametrize(
    ("more", "is_found"),
    [('more = ["tf-keras"]\n', False), ("[tool.poetry.group.more]\noptional = true\n", True)],
)
def test_each_alternative_is_judged_by_itself(more: str, is_found: bool):
    """Keras 2 in an optional group serves no other; TensorFlow 2.15 needs none."""
    if is_found:
        more = 'more = ["tf-keras"]\n' + more
    locked = (
        *(("tensorflow", "2.15.1"), ("tensorflow", "2.18.1")),
        *(("tensorflow-probability", "0.23.0"), ("tensorflow-probability", "0.25.0")),
        ("tf-keras", "2.18.0"),
    )
    text = f'[project]\nname = "x"\nrequires-python = ">=3.10,<3.12"\n{GROUPS.format(more=more)}'
    made = in_memory(text)
    digest = content_hash(made.pyproject.document.text)
    made = in_memory(text, lock=lock_text(*locked, content_hash=digest))
    assert [one.message.partition(" needs")[0] for one in found(made, "TF109")] == (
        ["tensorflow-probability 0.25.0"] if is_found else []
    )


def test_each_python_is_judged_by_itself():
    lines = (
        'tensorflow (~=2.15.0); python_version < "3.11"',
        'tensorflow (~=2.18.0); python_version >= "3.11"',
        'tensorflow-probability (~=0.23.0); python_version < "3.11"',
    )
    later = 'tensorflow-probability (~=0.25.0); python_version >= "3.11"'
    locked = (
        *(("tensorflow", "2.15.1"), ("tensorflow", "2.18.1")),
        *(("tensorflow-probability", "0.23.0"), ("tensorflow-probability", "0.25.0")),
    )
    (finding,) = found(project(*lines, later, locked=locked), "TF109")
    assert "tensorflow-probability 0.25.0" in finding.message
    # On the Python with 2.15 only.
    first = (*locked[:3],)
    assert found(project(*lines, locked=first), "TF109") == []


@pytest.mark.parametrize(
    ("tensorflow", "advice"),
    [
        ("2.18.1", "tensorflowjs 3.18.0 requires tensorflow-hub <0.13: require another version"),
        ("2.20.0", "no other release of tensorflowjs works: "),
    ],
)
def test_what_does_not_admit_the_later_release_is_named(tensorflow: str, advice: str):
    """tensorflowjs 4 requires tensorflow-decision-forests, which ends before 2.20."""
    packages = (
        ("tensorflow", tensorflow),
        ("tensorflow-hub", "0.12.0"),
        ("tensorflowjs", "3.18.0"),
    )
    lock = lock_text(("tensorflow", tensorflow), *packages).replace(
        "[metadata]", '[package.dependencies]\ntensorflow-hub = "<0.13"\n\n[metadata]'
    )
    made = project(f"tensorflow (~={tensorflow})", "tensorflowjs")
    (finding,) = found(in_memory(made.pyproject.document.text, lock=lock), "TF109")
    assert "tensorflow-hub 0.12.0, which is locked, does not work" in finding.message
    assert advice in finding.remedy
    assert ("Use it with TensorFlow 2.19.0" in finding.remedy) is (tensorflow == "2.20.0")


@pytest.mark.parametrize(
    ("line", "version", "later"),
    [
        ("tensorflow-hub (~=0.15.0)", "0.15.0", "0.16.1"),
        ("tensorflow_hub (>=0.13,<0.15)", "0.14.0", "0.16.1"),
        ("tensorflow-model-optimization (~=0.7.0)", "0.7.5", "0.8.1"),
        ("tensorflow-lattice (==2.0.13)", "2.0.13", "2.1.1"),
    ],
)
@pytest.mark.parametrize("keras", ["", 'keras = "legacy"\n'])
@pytest.mark.parametrize("is_locked", [True, False])
def test_what_works_with_no_keras_there_needs_a_later_release(
    line: str, version: str, later: str, keras: str, is_locked: bool
):
    name = line.partition(" ")[0].replace("_", "-")
    locked = (("tensorflow", "2.18.1"), ("tf-keras", "2.18.0"), (name, version))
    lines = ("tensorflow (~=2.18.0)", "tf-keras (~=2.18.0)", line)
    made = project(*lines, locked=locked if is_locked else (), more=MANAGED + keras)
    (finding,) = found(made, "TF109")
    assert finding.severity == "error" and not finding.edits
    assert f"{name} " in finding.message and "does not work with TensorFlow 2.18" in finding.message
    assert f"Require {name} {later} or later" in finding.remedy
    fine = (*locked[:2], (name, later))
    wide = (*lines[:2], name)
    assert found(project(*wide, locked=fine, more=MANAGED + keras), "TF109") == []
    assert found(project(*wide, more=MANAGED + keras), "TF109") == []


@pytest.mark.parametrize("is_locked", [True, False])
def test_what_refuses_keras_2_does_not_go_with_the_choice_of_it(is_locked: bool):
    locked = (("tensorflow", "2.18.1"), ("tf-keras", "2.18.0"), ("keras-tuner", "1.4.8"))
    lines = ("tensorflow (~=2.18.0)", "tf-keras (~=2.18.0)", "keras_tuner")
    chosen = MANAGED + 'keras = "legacy"\n'
    (finding,) = found(project(*lines, locked=locked if is_locked else (), more=chosen), "TF109")
    assert finding.severity == "warning" and not finding.edits
    assert finding.message.startswith("keras-tuner 1.4.8 does" if is_locked else "keras-tuner does")
    assert found(project(*lines, locked=locked), "TF109") == []
    older = (("tensorflow", "2.15.1"), *locked[1:])
    lines = ("tensorflow (~=2.15.0)", *lines[1:])
    assert found(project(*lines, locked=older, more=chosen), "TF109") == []


# -- where tf-keras is written --------------------------------------------------------------

LEGACY = MANAGED + 'keras = "legacy"\n'
PIN = "(>=2.18,<2.19)"
KERAS = f"tf-keras {PIN}"
CPU_AND_GPU = (
    "[project.optional-dependencies]\n"
    'cpu = ["tensorflow-cpu (~=2.18.0)"]\ngpu = ["tensorflow (~=2.18.0)"]\n'
)
EARLIER, LATER = 'python_version < "3.11"', 'python_version >= "3.11"'
OPTIONAL = "\n[tool.poetry.group.ml]\noptional = true\n"


def written(made: Project, code: str) -> list[tuple[str, str]]:
    """The list and the text of each requirement on tf-keras after the fix, which fixes it all."""
    assert all(finding.edits for finding in found(made, code))
    after = fix(made, codes={code})
    assert code not in codes(after)
    document = after.pyproject.document
    return [
        (str(item.path[-2]), document.get(item.path))
        for item in after.pyproject.requirements
        if item.name == "tf-keras"
    ]


@pytest.mark.parametrize(
    ("lines", "more", "after"),
    [
        ((), CPU_AND_GPU, [("cpu", KERAS), ("gpu", KERAS)]),
        (
            ("tensorflow (~=2.18.0)", "tf-keras (~=2.18.0); sys_platform == 'darwin'"),
            "",
            [
                ("dependencies", "tf-keras (~=2.18.0); sys_platform == 'darwin'"),
                ("dependencies", KERAS),
            ],
        ),
        (
            ("tensorflow (~=2.18.0)",),
            f'[project.optional-dependencies]\nold = ["{KERAS}"]\n',
            [("dependencies", KERAS), ("old", KERAS)],
        ),
        (
            ("tensorflow (~=2.18.0)",),
            f'[dependency-groups]\nml = ["{KERAS}"]{OPTIONAL}',
            [("dependencies", KERAS), ("ml", KERAS)],
        ),
        (
            (f"tensorflow (~=2.15.0) ; {EARLIER}", f"tensorflow (~=2.18.0) ; {LATER}"),
            "",
            [("dependencies", f"{KERAS} ; {LATER}")],
        ),
        (
            (f"tensorflow (~=2.17.0) ; {EARLIER}", f"tensorflow (~=2.18.0) ; {LATER}"),
            "",
            [
                ("dependencies", f"tf-keras (>=2.17,<2.18) ; {EARLIER}"),
                ("dependencies", f"{KERAS} ; {LATER}"),
            ],
        ),
        (
            ("tensorflow (~=2.18.0); sys_platform == 'linux'",),
            "",
            [("dependencies", f'{KERAS} ; sys_platform == "linux"')],
        ),
        # What stands in main serves the others.
        (("tensorflow (~=2.18.0)",), CPU_AND_GPU, [("dependencies", KERAS)]),
    ],
    ids=[
        *("extras", "one platform", "an extra", "a group", "two lines", "two series"),
        *("a marker", "main and extras"),
    ],
)
def test_who_keeps_keras_2_gets_it_wherever_tensorflow_is(
    lines: tuple[str, ...], more: str, after: list[tuple[str, str]]
):
    assert written(project(*lines, more=more + LEGACY), "TF107") == after


@pytest.mark.parametrize(
    ("lines", "more", "after"),
    [
        ((PROBABILITY,), CPU_AND_GPU, [("cpu", KERAS), ("gpu", KERAS)]),
        (
            (
                f"tensorflow (~=2.15.0) ; {EARLIER}",
                f"tensorflow (~=2.18.0) ; {LATER}",
                "tensorflow-probability",
            ),
            "",
            [("dependencies", f"{KERAS} ; {LATER}")],
        ),
        (
            ("tensorflow (~=2.18.0)",),
            f'[project.optional-dependencies]\nprob = ["{PROBABILITY}"]\n',
            [("prob", KERAS)],
        ),
        (
            ("tensorflow (~=2.18.0)",),
            f'[dependency-groups]\nml = ["{PROBABILITY}"]\n',
            [("ml", KERAS)],
        ),
        (
            ("tensorflow (~=2.18.0)",),
            f'[dependency-groups]\nml = ["{PROBABILITY}"]{OPTIONAL}',
            [("ml", KERAS)],
        ),
        (
            ("tensorflow (~=2.18.0)", f"{PROBABILITY} ; {LATER}"),
            "",
            [("dependencies", f"{KERAS} ; {LATER}")],
        ),
        (("tensorflow (~=2.18.0)", f'{PROBABILITY} ; python_version < "3.10"'), "", []),
    ],
    ids=[
        *("extras", "two lines", "an extra", "a group", "an optional group", "a marker"),
        "a marker that holds nowhere",
    ],
)
def test_keras_2_stands_beside_what_needs_it(
    lines: tuple[str, ...], more: str, after: list[tuple[str, str]]
):
    assert written(project(*lines, more=more + MANAGED), "TF109") == after


def test_keras_2_stands_beside_what_brings_what_needs_it():
    made = project(
        "tensorflow (~=2.18.0)", more='[dependency-groups]\nml = ["a-package"]\n' + MANAGED
    )
    text = made.pyproject.document.text
    packages = (
        *(("tensorflow", "2.18.1"), ("tensorflow-probability", "0.25.0"), ("a-package", "1.0")),
    )
    lock = lock_text(*packages, content_hash=content_hash(text)).replace(
        "[metadata]", '[package.dependencies]\ntensorflow-probability = "*"\n\n[metadata]'
    )
    assert written(in_memory(text, lock=lock), "TF109") == [("ml", KERAS)]


def test_poetrys_own_tables_get_a_line_for_each_tensorflow():
    made = in_memory(
        '[tool.poetry]\npackage-mode = false\n[tool.poetry.dependencies]\npython = ">=3.10,<3.12"\n'
        f"tensorflow = [{{ version = '~2.17.0', markers = '{EARLIER}' }}, "
        f"{{ version = '~2.18.0', markers = '{LATER}' }}]\n"
        'tensorflow-probability = "~0.25.0"\n[tool.poetry-tf]\ngpu = "none"\n'
    )
    after = fix(made, codes={"TF109"})
    assert "TF109" not in codes(after)
    assert after.pyproject.data["tool"]["poetry"]["dependencies"]["tf-keras"] == [
        {"version": ">=2.17,<2.18", "markers": EARLIER},
        {"version": ">=2.18,<2.19", "markers": LATER},
    ]


def test_one_optional_line_in_poetrys_own_table_serves_several_extras():
    made = in_memory(
        '[tool.poetry]\npackage-mode = false\n[tool.poetry.dependencies]\npython = ">=3.10,<3.12"\n'
        'tensorflow-cpu = { version = "~2.18.0", optional = true }\n'
        'tensorflow = { version = "~2.18.0", optional = true }\n'
        '[tool.poetry.extras]\ncpu = ["tensorflow-cpu"]\ngpu = ["tensorflow"]\n'
        '[tool.poetry-tf]\ngpu = "none"\nkeras = "legacy"\n'
    )
    after = fix(made, codes={"TF107"})
    assert "TF107" not in codes(after)
    tables = after.pyproject.data["tool"]["poetry"]
    assert tables["dependencies"]["tf-keras"] == {"version": ">=2.18,<2.19", "optional": True}
    assert tables["extras"] == {
        "cpu": ["tensorflow-cpu", "tf-keras"],
        "gpu": ["tensorflow", "tf-keras"],
    }


def test_keras_2_that_fits_another_tensorflow_is_not_changed():
    lines = (
        f"tensorflow (~=2.17.0) ; {EARLIER}",
        f"tensorflow (~=2.18.0) ; {LATER}",
        KERAS,
    )
    made = project(*lines, more=LEGACY)
    (finding,) = found(made, "TF107")
    assert not finding.edits
    assert f"tf-keras (>=2.17,<2.18) ; {EARLIER}" in finding.remedy
