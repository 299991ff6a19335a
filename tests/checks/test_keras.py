"""TF107 and TF507: a project that keeps Keras 2 requires it, and its container switches to it."""

from __future__ import annotations

import json

import pytest

from poetry_tf.actions.fix import fix
from poetry_tf.files.project import Devcontainer
from tests.made import codes, in_memory

HEAD = '[project]\nname = "a"\nversion = "1"\nrequires-python = ">=3.11,<3.12"\n'
LEGACY = '\n[tool.poetry]\npackage-mode = false\n\n[tool.poetry-tf]\nkeras = "legacy"\n'


def _project(*requirements: str, settings: str = LEGACY) -> str:
    lines = "".join(f"    '{item}',\n" for item in requirements)
    return f"{HEAD}dependencies = [\n{lines}]\n{settings}"


@pytest.mark.parametrize(
    ("requirements", "found"),
    [
        (["tensorflow (>=2.18.1,<2.19)"], True),
        (["tensorflow (>=2.18.1,<2.19)", "tf-keras (>=2.18,<2.19)"], False),
        (["tensorflow (>=2.18.1,<2.19)", "tf-keras"], False),
        (["tensorflow (>=2.18.1,<2.19)", "tf-keras (>=2.16,<2.17)"], True),
        (["tensorflow (>=2.18.1,<2.19)", "tf-keras @ git+https://example.org/a.git"], False),
        (["tensorflow (>=2.15.1,<2.16)"], False),
    ],
    ids=["none", "right", "open", "another series", "an address", "a release with Keras 2"],
)
def test_keras_2_is_required_in_the_series_of_tensorflow(requirements: list[str], found: bool):
    project = in_memory(_project(*requirements))
    assert ("TF107" in codes(project)) is found
    fixed = fix(project, codes={"TF107"})
    assert "TF107" not in codes(fixed)
    if found:
        assert '"tf-keras (>=2.18,<2.19)"' in fixed.pyproject.document.text.replace("'", '"')
    else:
        assert fixed == project


def test_it_is_written_beside_tensorflow_in_poetrys_own_tables():
    project = in_memory(
        '[tool.poetry]\nname = "a"\npackage-mode = false\n\n[tool.poetry.dependencies]\n'
        'python = "~3.11"\ntensorflow = "~2.18.1"\n\n[tool.poetry-tf]\nkeras = "legacy"\n'
    )
    fixed = fix(project, codes={"TF107"}).pyproject.document
    assert fixed.get(("tool", "poetry", "dependencies", "tf-keras")) == ">=2.18,<2.19"


@pytest.mark.parametrize(
    ("env", "found"),
    [
        ({}, True),
        ({"TF_USE_LEGACY_KERAS": "0"}, True),
        ({"TF_USE_LEGACY_KERAS": "1"}, False),
        ({"TF_USE_LEGACY_KERAS": "true"}, False),
    ],
)
def test_the_container_switches_to_keras_2(env: dict[str, str], found: bool):
    text = json.dumps({"image": "x/y", "containerEnv": {"A": "b", **env}}, indent=2)
    project = in_memory(_project("tensorflow~=2.18.1", "tf-keras"), container=text)
    assert ("TF507" in codes(project)) is found
    fixed = fix(project, codes={"TF507"})
    assert "TF507" not in codes(fixed)
    assert isinstance(fixed.devcontainer, Devcontainer)
    if found:
        assert fixed.devcontainer.document.get(("containerEnv",)) == {
            "A": "b",
            "TF_USE_LEGACY_KERAS": "1",
        }


@pytest.mark.parametrize(
    "pyproject",
    [
        _project("tensorflow~=2.18.1", settings='\n[tool.poetry-tf]\ngpu = "auto"\n'),
        _project("tensorflow~=2.15.1"),
    ],
    ids=["not chosen", "Keras 2 anyway"],
)
def test_who_did_not_choose_keras_2_or_has_it_is_left_alone(pyproject: str):
    project = in_memory(pyproject, container='{"image": "x/y"}\n')
    assert not {"TF107", "TF507"} & {*codes(project)}
