"""Several dev containers in one project: which are looked at, and how much is asked of each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from poetry_tf.actions.fix import fix, fix_requirements
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.files.project import DEVCONTAINERS, Project
from poetry_tf.releases.images import load_images
from tests.checks.test_container import CONTAINER, LOCK, MANAGED, NAME, PYPROJECT
from tests.made import found, on_disk

IMAGES = load_images()
GPU = ".devcontainer/gpu/devcontainer.json"
CPU = ".devcontainer/cpu/devcontainer.json"
DOCS = ".devcontainer/docs/devcontainer.json"
BESIDE = DEVCONTAINERS[1]
FILES = {"pyproject.toml": MANAGED, "poetry.lock": LOCK}
BROKEN = '{\n  "a": 1\n  "b": 2}'

NODE = """\
{
\t// the documentation
\t"image": "mcr.microsoft.com/devcontainers/javascript-node:1-18-bookworm",
\t"runArgs": ["--runtime=nvidia", "--gpus=all"],
\t"postCreateCommand": "npm ci",
}
"""
ON_PYTHON = f"""\
{{
  "image": "{IMAGES.repository}:1-3.8-bookworm",
  "initializeCommand": "poetry export -o docs/requirements.txt",
  "postCreateCommand": "pip install -r docs/requirements.txt"
}}
"""
# Written by hand for the CPU: the wrong Python, a Poetry of no fixed version, no CUDA.
HAND = f"""\
{{
  "image": "{IMAGES.repository}:3-3.12-bookworm", // newest
  "onCreateCommand": "pipx install poetry",
  "postCreateCommand": "poetry install"
}}
"""


def container_codes(project: Project) -> list[tuple[str, str]]:
    """The codes of the rules on containers, each with the file that it names."""
    return [
        (item.code, item.file.relative_to(project.root).as_posix())
        for item in found(project)
        if item.code.startswith("TF5") or item.code == "TF306"
    ]


def texts(project: Project, *names: str) -> list[str]:
    documents = [project.document(project.root / name) for name in names]
    assert None not in documents
    return [document.text for document in documents if document is not None]


@pytest.fixture
def ours(tmp_path: Path) -> str:
    """A container as poetry-tf writes it."""
    project = fix(on_disk(tmp_path / "made", FILES))
    (text,) = texts(project, NAME)
    return text


def test_each_file_is_judged_and_fixed_for_itself(tmp_path: Path):
    files = {NAME: CONTAINER, GPU: CONTAINER.replace("\n", "\r\n"), DOCS: NODE}
    alone = on_disk(tmp_path / "alone", {**FILES, NAME: CONTAINER})
    project = on_disk(tmp_path / "all", {**FILES, **files})
    codes = [code for code, _ in container_codes(alone)]
    assert sorted(container_codes(project)) == sorted(
        (code, name) for code in codes for name in (NAME, GPU)
    )
    places = [(item.code, str(item.position)) for item in found(alone)]
    for name in (NAME, GPU):
        file = project.root / name
        assert [
            (item.code, str(item.position)) for item in found(project) if item.file == file
        ] == places
    fixed = fix(project)
    assert container_codes(fixed) == []
    (default,) = texts(fix(alone), NAME)
    assert texts(fixed, NAME, DOCS) == [default, NODE]
    (named,) = texts(fixed, GPU)
    assert "\r\n  // the study's\r\n" in named
    assert "\n" not in named.replace("\r\n", "")
    assert fix(fixed) == fixed


@pytest.mark.parametrize("text", [NODE, ON_PYTHON, "{}", '{"image": "mine"}'])
@pytest.mark.parametrize("name", [DOCS, BESIDE])
def test_one_that_has_nothing_to_do_with_it_is_left_alone(
    tmp_path: Path, ours: str, text: str, name: str
):
    project = on_disk(tmp_path, {**FILES, NAME: ours, name: text})
    assert container_codes(project) == []
    assert fix(project) == project


def test_one_that_has_nothing_to_do_with_it_is_no_container_for_the_project(tmp_path: Path):
    project = on_disk(tmp_path, {**FILES, DOCS: NODE})
    assert container_codes(project) == [("TF501", NAME)]
    off = MANAGED + 'devcontainer = "off"\n'
    assert container_codes(on_disk(tmp_path, {"pyproject.toml": off})) == []


@pytest.mark.parametrize("text", [CONTAINER, HAND])
def test_named_ones_alone_are_enough(tmp_path: Path, text: str):
    for setting in ("", 'devcontainer = "off"\n'):
        files = {**FILES, "pyproject.toml": MANAGED + setting, GPU: text}
        project = on_disk(tmp_path, files)
        assert {name for _, name in container_codes(project)} == {GPU}
        fixed = fix(project)
        assert container_codes(fixed) == []
        assert fixed.devcontainer is None


@pytest.mark.parametrize("name", [CPU, BESIDE])
def test_one_written_by_hand_is_judged_by_what_is_in_it(tmp_path: Path, ours: str, name: str):
    project = on_disk(tmp_path, {**FILES, NAME: ours, name: HAND})
    assert container_codes(project) == [("TF502", name), ("TF506", name)]
    fixed = fix(project)
    assert container_codes(fixed) == []
    (text,) = texts(fixed, name)
    assert f'"{IMAGES.image("3.11")}", // newest' in text
    assert "poetry==2.1.4" in text
    data = JsoncDocument.parse(text).data
    assert {*data} == {"image", "onCreateCommand", "postCreateCommand"}, "no CUDA, no GPU"


@pytest.mark.parametrize(
    "parts",
    [
        {"features": {f"{IMAGES.poetry_features[0]}:2": {"version": "2.1.4"}}},
        {"features": {IMAGES.cuda.reference: {}}},
        {"containerEnv": {"POETRY_VIRTUALENVS_CREATE": "false"}},
        {"remoteEnv": {"POETRY_CACHE_DIR": "/cache"}},
        {"mounts": ["source=poetry-cache,target=/cache,type=volume"]},
        {"updateContentCommand": {"install": ["poetry", "install"]}},
        {"postStartCommand": "poetry run pytest"},
    ],
    ids=lambda parts: next(iter(parts)),
)
def test_poetry_or_cuda_in_it_make_it_one_for_the_project(tmp_path: Path, parts: dict[str, Any]):
    data = {"image": f"{IMAGES.repository}:3-3.12-bookworm", **parts}
    project = on_disk(tmp_path, {**FILES, CPU: json.dumps(data)})
    assert ("TF502", CPU) in container_codes(project)
    assert {name for _, name in container_codes(project)} == {CPU}


def test_of_one_that_poetry_tf_has_written_all_is_asked(tmp_path: Path, ours: str):
    data = JsoncDocument.parse(ours).data
    del data["features"], data["hostRequirements"]
    project = on_disk(tmp_path, {**FILES, NAME: ours, GPU: json.dumps(data)})
    assert container_codes(project) == [("TF503", GPU), ("TF504", GPU)]
    # Nor is that asked where poetry-tf manages nothing.
    unmanaged = on_disk(tmp_path, {"pyproject.toml": PYPROJECT})
    assert container_codes(unmanaged) == []


@pytest.mark.parametrize("name", [GPU, BESIDE])
@pytest.mark.parametrize("pyproject", [PYPROJECT, MANAGED])
def test_one_that_cannot_be_read_is_reported_with_its_place(
    tmp_path: Path, ours: str, name: str, pyproject: str
):
    project = on_disk(tmp_path, {"pyproject.toml": pyproject, NAME: ours, name: BROKEN})
    (finding,) = (item for item in found(project) if item.code == "TF501")
    assert (finding.file, str(finding.position)) == (tmp_path / name, "3:3")
    assert finding.edits == ()
    assert project.document(tmp_path / name) is None
    assert fix(project).other_devcontainers == project.other_devcontainers


def test_one_that_cannot_be_read_keeps_another_from_being_made(tmp_path: Path):
    assert container_codes(on_disk(tmp_path, {**FILES, GPU: BROKEN})) == [("TF501", GPU)]


def test_a_link_to_another_is_not_another(tmp_path: Path, ours: str):
    on_disk(tmp_path, {**FILES, NAME: CONTAINER})
    (tmp_path / GPU).parent.mkdir()
    try:
        (tmp_path / GPU).symlink_to(tmp_path / NAME)
        (tmp_path / BESIDE).symlink_to(tmp_path / NAME)
        (tmp_path / ".devcontainer" / "own").symlink_to(tmp_path / ".devcontainer" / "gpu")
    except OSError:
        pytest.skip("no links can be made here")
    project = Project.read(tmp_path)
    assert [item.path for item in project.devcontainers] == [tmp_path / NAME]


def test_requirements_are_fixed_without_a_look_at_containers(tmp_path: Path):
    project = on_disk(tmp_path, {**FILES, NAME: CONTAINER, GPU: CONTAINER, CPU: BROKEN})
    wide = on_disk(tmp_path, {"pyproject.toml": MANAGED.replace("~=2.13.0", ">=2.13")})
    fixed = fix_requirements(wide)
    assert fixed.pyproject != wide.pyproject
    assert texts(fixed, NAME, GPU) == [CONTAINER, CONTAINER]
    assert len(fixed.devcontainers) == len(project.devcontainers) == 3


def test_a_lock_that_a_named_container_cannot_read(tmp_path: Path, ours: str):
    old = HAND.replace("3-3.12", "3-3.11").replace("install poetry", "install poetry==1.1.15")
    project = on_disk(tmp_path, {**FILES, NAME: ours, CPU: old})
    assert container_codes(project) == [("TF306", CPU), ("TF506", CPU)]
    assert container_codes(fix(project)) == []
    assert texts(fix(project), NAME) == [ours]


def test_a_project_that_no_container_can_be_made_for_is_reported_once(tmp_path: Path):
    pyproject = PYPROJECT.replace(">=3.10,<3.12", "==3.8.*")
    project = on_disk(tmp_path, {"pyproject.toml": pyproject, CPU: HAND, GPU: CONTAINER})
    places = container_codes(project)
    assert [place for code, place in places if code == "TF502"] == ["pyproject.toml"]
    assert ("TF505", GPU) in places, "what is retired works for nobody"


def test_commands_of_an_earlier_version_are_fixed_where_they_stand(tmp_path: Path, ours: str):
    earlier = ours.replace("chown -R $(id -u):$(id -g) ", r"chown \"$(id -u):$(id -g)\" ")
    assert earlier != ours
    project = on_disk(tmp_path, {**FILES, NAME: earlier})
    assert container_codes(project) == [("TF509", NAME)]
    fixed = fix(project)
    assert container_codes(fixed) == []
    (text,) = texts(fixed, NAME)
    assert text == ours
