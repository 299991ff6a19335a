"""TF5xx: the dev container against what the locked TensorFlow needs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from poetry_tf.actions.fix import fix
from poetry_tf.files.project import Devcontainer
from poetry_tf.releases.images import load_images
from tests.made import codes, content_hash, found, in_memory, lock_text, on_disk, place

IMAGES = load_images()
PYPROJECT = """\
[project]
name = "study"
requires-python = ">=3.10,<3.12"
dependencies = ["tensorflow~=2.13.0"]

[tool.poetry]
package-mode = false
"""
BOUNDED = PYPROJECT.replace('~=2.13.0"', '~=2.13.0", "setuptools<82"')
MANAGED = f"""\
{BOUNDED}
[tool.poetry-tf]
environments = ["linux-x86_64"]
"""
LOCK = lock_text(("tensorflow", "2.13.1"), content_hash=content_hash(MANAGED))

CONTAINER = f"""\
{{
  // the study's
  "image": "{IMAGES.repository}:1-3.8-bookworm",
  "runArgs": ["--runtime=nvidia"],
  "features": {{
    "{IMAGES.cuda.id}:1": {{
      "installToolkit": true, "installCudnn": true,
      "cudaVersion": "11.8",
      "cudnnVersion": "8.7.0.84"
    }},
    "{IMAGES.poetry_features[0]}:2": {{"version": "latest"}}
  }},
  "postCreateCommand": "poetry install"
}}
"""
NAME = ".devcontainer/devcontainer.json"


def test_a_managed_project_has_to_have_a_container():
    (finding,) = found(in_memory(MANAGED), "TF501")
    assert place(finding) == "devcontainer.json:None"
    assert found(in_memory(PYPROJECT), "TF501") == []
    assert found(in_memory(MANAGED, container="{}"), "TF501") == []


@pytest.mark.parametrize("name", [NAME, ".devcontainer.json"])
@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "1:1"),
        ("[]", "1:1"),
        ("3", "1:1"),
        ('{\n  "a": 1\n  "b": 2}', "3:3"),
        ("{\n  'a': 1}", "2:3"),
    ],
)
@pytest.mark.parametrize("pyproject", [PYPROJECT, MANAGED])
def test_a_container_that_cannot_be_read_is_reported_with_its_place(
    tmp_path: Path, name: str, text: str, where: str, pyproject: str
):
    project = on_disk(tmp_path, {"pyproject.toml": pyproject, name: text})
    (finding,) = (item for item in found(project) if item.code.startswith("TF5"))
    assert (finding.code, finding.file) == ("TF501", tmp_path / name)
    assert place(finding).endswith(f"devcontainer.json:{where}")
    assert finding.edits == ()
    assert fix(project).devcontainer is project.devcontainer


def test_each_thing_is_reported_where_it_stands(tmp_path: Path):
    files = {"pyproject.toml": MANAGED, "poetry.lock": LOCK, NAME: CONTAINER}
    reported = [(item.code, str(item.position)) for item in found(on_disk(tmp_path, files))]
    assert reported == [
        ("TF502", "3:3"),
        ("TF503", "9:7"),
        ("TF504", "1:1"),
        ("TF505", "6:5"),
        ("TF505", "4:3"),
        ("TF506", "11:5"),
    ]


def test_a_fixed_container_is_clean_and_keeps_the_rest(tmp_path: Path):
    files = {"pyproject.toml": MANAGED, "poetry.lock": LOCK, NAME: CONTAINER}
    project = fix(on_disk(tmp_path, files))
    assert found(project) == []
    assert fix(project) == project
    after = project.document(project.devcontainer_path)
    assert after is not None
    (tmp_path / NAME).write_text(after.text)
    assert found(on_disk(tmp_path, {})) == []
    assert "  // the study's\n" in after.text
    assert project.pyproject.document.text == MANAGED


def test_without_tensorflow_nothing_is_said_of_what_is_in_the_container():
    text = '[project]\nname = "x"\ndependencies = ["numpy"]'
    assert found(in_memory(text, container=CONTAINER)) == []


@pytest.mark.parametrize(
    "change",
    [('">=3.10,<3.12"', '"~=3.8.0"'), ("~=2.13.0", "==2.999.0")],
    ids=["no image has its Python", "an unknown release"],
)
@pytest.mark.parametrize("pyproject", [PYPROJECT, MANAGED])
def test_where_no_container_can_be_made_it_is_told_what_is_retired_in_it(
    pyproject: str, change: tuple[str, str]
):
    retired = CONTAINER.replace(IMAGES.poetry_features[0], IMAGES.retired_poetry_features[0])
    project = in_memory(pyproject.replace(*change), container=retired)
    reported = [place(item) for item in found(project, "TF505")]
    # The image, the CUDA feature, --runtime=nvidia, and what installed Poetry.
    assert reported == [f"devcontainer.json:{at}" for at in ("3:3", "6:5", "4:3", "11:5")]
    after = fix(project).document(project.devcontainer_path)
    assert after is not None
    assert "nvidia-cuda:1" in after.text and "1-3.8" in after.text
    assert "--runtime" not in after.text and IMAGES.poetry_features[0] in after.text


def test_in_a_project_that_is_not_managed_fixing_takes_poetry_from_nobody(tmp_path: Path):
    retired = CONTAINER.replace(IMAGES.poetry_features[0], IMAGES.retired_poetry_features[0])
    files = {"pyproject.toml": PYPROJECT, "poetry.lock": LOCK, NAME: retired}
    after = fix(on_disk(tmp_path, files))
    assert [item for item in found(after) if item.code.startswith("TF5")] == []
    document = after.document(after.devcontainer_path)
    assert document is not None
    assert f"{IMAGES.poetry_features[0]}:2" in document.text


@pytest.mark.parametrize("series", ["2.16", "2.17"])
def test_wheels_that_are_to_bring_cuda_have_to_be_asked_for(series: str):
    text = MANAGED.replace("2.13.0", f"{series}.1")
    project = in_memory(text, container="{}")
    (finding,) = (item for item in found(project, "TF503") if item.file.name == "pyproject.toml")
    assert place(finding) == "pyproject.toml:4:17"
    after = fix(project)
    assert [item for item in found(after, "TF503") if item.file.name == "pyproject.toml"] == []
    assert "tensorflow[and-cuda]" in after.pyproject.document.text
    # Who does not use poetry-tf has decided otherwise.
    assert found(in_memory(text.replace("[tool.poetry-tf]\n", ""), container="{}"), "TF503") == []


OLD_PYTHON = """\
[tool.poetry]
package-mode = false
[tool.poetry.dependencies]
python = "~3.9"
setuptools = "<82"
"""


@pytest.mark.parametrize(
    ("more", "codes"),
    [
        ('tensorflow = "~2.13.0"\n[tool.poetry-tf]\n', ["TF302", "TF501", "TF502"]),
        ('tensorflow = "~2.13.0"\n', []),
    ],
    ids=["managed", "not asked for"],
)
def test_it_is_found_where_no_container_can_be_made(more: str, codes: list[str]):
    assert [item.code for item in found(in_memory(OLD_PYTHON + more))] == codes


# TF507: the container of a project that keeps Keras 2 switches to it

KEEPS_KERAS_2 = """\
[project]
name = "study"
requires-python = ">=3.11,<3.12"
dependencies = ["tensorflow~=2.18.1", "tf-keras"]

[tool.poetry]
package-mode = false

[tool.poetry-tf]
keras = "legacy"
"""


@pytest.mark.parametrize(
    ("env", "wrong"),
    [
        ({}, True),
        ({"TF_USE_LEGACY_KERAS": "0"}, True),
        ({"TF_USE_LEGACY_KERAS": "1"}, False),
        ({"TF_USE_LEGACY_KERAS": "true"}, False),
    ],
)
def test_the_container_switches_to_keras_2(env: dict[str, str], wrong: bool):
    text = json.dumps({"image": "x/y", "containerEnv": {"A": "b", **env}}, indent=2)
    project = in_memory(KEEPS_KERAS_2, container=text)
    assert ("TF507" in codes(project)) is wrong
    fixed = fix(project, codes={"TF507"})
    assert "TF507" not in codes(fixed)
    assert isinstance(fixed.devcontainer, Devcontainer)
    if wrong:
        assert fixed.devcontainer.document.get(("containerEnv",)) == {
            "A": "b",
            "TF_USE_LEGACY_KERAS": "1",
        }
