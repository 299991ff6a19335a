"""TF109: what needs Keras 2 gets it, or is reported."""

from __future__ import annotations

import json

import pytest

from poetry_tf.actions.fix import fix
from poetry_tf.files.project import Project
from tests.made import codes, found, in_memory, lock_text

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
