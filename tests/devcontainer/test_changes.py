"""The changes of a devcontainer.json as a whole."""

from __future__ import annotations

import json
from dataclasses import replace
from difflib import ndiff

import pytest

from poetry_tf.devcontainer.changes import find_changes
from poetry_tf.devcontainer.poetry import CACHE_FOLDER, ENVIRONMENT_VOLUME
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.plan.model import PlanError
from poetry_tf.plan.settings import GpuChoice
from tests.devcontainer.containers import (
    CACHE,
    CUDA,
    IMAGES,
    INSTALL,
    INSTALL_ALONE,
    LFS,
    LIVING_POETRY,
    OLD_CUDA,
    PATH,
    POETRY,
    RETIRED_POETRY,
    SEED,
    VENV,
    codes,
    data,
    fixed,
    make_spec,
    plan_for,
    written,
)
from tests.made import SERIES


@pytest.mark.parametrize("git_lfs", [False, True], ids=["no-lfs", "lfs"])
@pytest.mark.parametrize("gpu", ["auto", "system", "pip", "none"])
@pytest.mark.parametrize("series", SERIES)
@pytest.mark.sample(every=4)
def test_a_new_container_has_all_that_its_tensorflow_needs(
    series: str, gpu: GpuChoice, git_lfs: bool
):
    try:
        plan = plan_for(series, gpu)
    except PlanError:
        pytest.skip("no such plan")
    spec = make_spec(plan, git_lfs=git_lfs)
    text = fixed("{}\n", spec)
    made = data(text)
    assert made["image"] == IMAGES.image(plan.python)
    features = made.get("features", {})
    assert set(features) == ({CUDA} if plan.gpu.mode == "system" else set()) | (
        {LFS} if git_lfs else set()
    )
    if plan.gpu.mode == "system":
        assert features[CUDA] == {
            "installToolkit": True,
            "installCudnn": True,
            "cudaVersion": plan.gpu.cuda,
            "cudnnVersion": plan.gpu.cudnn,
        }
    asks = {"hostRequirements": {"gpu": "optional"}} if plan.gpu.mode != "none" else {}
    assert {key: made[key] for key in ("hostRequirements",) if key in made} == asks
    assert "runArgs" not in made
    assert f"pipx install poetry=={POETRY}" in made["onCreateCommand"]
    assert "poetry install" in made["postCreateCommand"]
    assert [mount["target"] for mount in made["mounts"]] == [CACHE_FOLDER, VENV]
    assert made["containerEnv"]["POETRY_CACHE_DIR"] == CACHE_FOLDER
    assert made["containerEnv"]["POETRY_VIRTUALENVS_IN_PROJECT"] == "true"
    assert made["customizations"]["vscode"]["settings"] == {
        "python.defaultInterpreterPath": f"{VENV}/bin/python"
    }
    assert ("/usr/local/cuda/bin" in made["remoteEnv"].get("PATH", "")) == (
        plan.gpu.mode == "system"
    )
    assert made["remoteEnv"]["POETRY_TF_MIRROR"] == "${localEnv:POETRY_TF_MIRROR}"
    assert "poetry tf doctor --brief" in made["postStartCommand"]
    assert made["name"] == "study"
    # A second run has nothing to do.
    assert find_changes(PATH, JsoncDocument.parse(text), spec) == ()
    assert text.endswith("}\n")


def test_a_new_container_for_2_13_has_the_pair_of_the_seed():
    options = data(fixed("{}"))["features"][CUDA]
    assert (options["cudaVersion"], options["cudnnVersion"]) == ("11.8", "8.6.0.163")


def test_git_lfs_pulls_before_the_project_is_installed():
    made = data(fixed("{}", make_spec(git_lfs=True)))
    assert made["features"][LFS] == {"autoPull": False}
    assert made["postCreateCommand"] == f"(git lfs pull || true) && {INSTALL_ALONE}"
    assert "git lfs" not in json.dumps(data(fixed("{}")))


def test_the_seeds_file_is_turned_into_one_that_works():
    text = fixed(SEED)
    made = data(text)
    assert made == {
        "name": "Python 3",
        "image": IMAGES.image(plan_for().python),
        "features": {
            LFS: {"autoPull": True, "version": "latest"},
            CUDA: {
                "installCudnn": True,
                "installToolkit": True,
                "cudaVersion": "11.8",
                "cudnnVersion": "8.6.0.163",
            },
            CACHE: {},
        },
        "remoteEnv": {
            "PATH": "${containerEnv:PATH}:/usr/local/cuda/bin",
            "POETRY_TF_MIRROR": "${localEnv:POETRY_TF_MIRROR}",
            "POETRY_PYPI_MIRROR_URL": "${localEnv:POETRY_PYPI_MIRROR_URL}",
            "PIP_INDEX_URL": "${localEnv:PIP_INDEX_URL}",
        },
        "hostRequirements": {"gpu": "optional"},
        "mounts": [{"source": ENVIRONMENT_VOLUME, "target": VENV, "type": "volume"}],
        "containerEnv": {"POETRY_VIRTUALENVS_IN_PROJECT": "true"},
        "customizations": {
            "vscode": {"settings": {"python.defaultInterpreterPath": f"{VENV}/bin/python"}}
        },
        "onCreateCommand": made["onCreateCommand"],
        "updateContentCommand": "pipx inject poetry poetry-tf==0.1.0 || true",
        "postCreateCommand": INSTALL_ALONE,
        "waitFor": "postCreateCommand",
        "postStartCommand": made["postStartCommand"],
    }
    assert f"poetry=={POETRY}" in made["onCreateCommand"]
    # The cache is a feature of the file's own, so there is no second one.
    assert CACHE_FOLDER not in made["onCreateCommand"]
    assert fixed(text) == text


def test_each_thing_that_is_wrong_with_the_seeds_file_is_said():
    found = find_changes(PATH, JsoncDocument.parse(SEED), make_spec())
    reported = {(item.code, item.path) for item in found if item.code}
    assert reported == {
        ("TF502", ("image",)),
        ("TF505", ("features", OLD_CUDA)),
        ("TF505", ("runArgs",)),
        ("TF505", ("features", RETIRED_POETRY)),
        ("TF506", ("onCreateCommand",)),
    }
    assert all(item.message and item.remedy for item in found if item.code)


def test_only_the_lines_that_are_wrong_in_the_seeds_file_go():
    diff = ndiff(SEED.splitlines(), fixed(SEED).splitlines())
    gone = [line[2:].strip() for line in diff if line.startswith("- ")]
    assert gone == [
        f'"image": "{IMAGES.repository}:1-3.8-bookworm",',
        '"runArgs": [',
        '"--runtime=nvidia",',
        '"--gpus=all"',
        "],",
        f'"{OLD_CUDA}": {{',
        f'"{RETIRED_POETRY}": {{',
        '"version": "latest"',
        "},",
        "}",  # a comma follows now
    ]


OWN = f"""\
// For format details, see the reference.
{{
\t"name": "mine", // my name
\t/* the image
\t   is old */
\t"image": "{IMAGES.repository}:1-3.11-bookworm",\r
\t"forwardPorts": [8888, 6006,],
\t"customizations": {{"vscode": {{"extensions": []}}}}, // none
\t"postCreateCommand": "pip install -r requirements.txt", // mine
\t"x-my-key": {{"a": [1, 2.50, "\\u00e9"]}},
}}
"""


def test_comments_and_keys_of_the_users_stay_as_they_are():
    text = fixed(OWN)
    for piece in (
        "// For format details, see the reference.\n",
        '\t"name": "mine", // my name\n',
        "/* the image\n\t   is old */",
        '\t"forwardPorts": [8888, 6006,],\n',
        '\t"customizations": {"vscode": {"extensions": []',
        "}, // none\n",
        " // mine\n",
        '\t"x-my-key": {"a": [1, 2.50, "\\u00e9"]},\n',
    ):
        assert piece in text
    assert f'"image": "{IMAGES.image("3.11")}",\r\n' in text
    assert data(text)["postCreateCommand"] == {
        "project": "pip install -r requirements.txt",
        "poetry-tf": INSTALL,
    }
    assert fixed(text) == text


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "x"}',
        f'{{"image": "{IMAGES.image("3.11")}"}}',
        f'{{"image": "{IMAGES.image("3.11")}", "runArgs": ["--gpus=all"]}}',
        '{"postCreateCommand": "make"}',
    ],
)
def test_in_a_project_that_is_not_managed_nothing_has_to_be_added(text: str):
    assert codes(text, make_spec(whole=False)) == []


def test_in_a_project_that_is_not_managed_what_is_there_has_to_fit():
    reported = codes(SEED, make_spec(whole=False))
    # --gpus=all is a way to ask for the GPU, --runtime=nvidia never helps.
    assert reported == ["TF502", "TF505", "TF505", "TF505"]
    without = SEED.replace('"--gpus=all"', '"--ipc=host"')
    assert "TF504" in codes(without, make_spec(whole=False))


def without_plan(text: str, *, whole: bool = True) -> list[tuple[str | None, bool]]:
    """The codes where no container can be made, and whether each can be fixed."""
    found = find_changes(
        PATH, JsoncDocument.parse(text), replace(make_spec(whole=whole), plan=None)
    )
    return [(item.code, bool(item.edits)) for item in found]


@pytest.mark.parametrize("whole", [True, False])
def test_without_a_plan_it_is_told_what_is_retired(whole: bool):
    # Python 3.8 is in no image that works, and its CUDA may be in no version that does.
    assert without_plan(SEED, whole=whole) == [("TF505", False)] * 2 + [("TF505", True)] * 2
    spec = replace(make_spec(whole=whole), plan=None)
    made, before = data(fixed(SEED, spec)), data(SEED)
    living = before["features"].pop(RETIRED_POETRY)
    assert made == {
        **before,
        "runArgs": ["--gpus=all"],
        "features": {**before["features"], LIVING_POETRY: living},
    }
    assert without_plan(fixed(SEED, spec), whole=whole) == [("TF505", False)] * 2


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"image": "python:3.8", "name": "x (TensorFlow 2.9)"}',
        written({"image": f"{IMAGES.repository}:3.8", "onCreateCommand": "pip install poetry"}),
        written({"features": {CUDA: {"cudaVersion": "9.0"}, LIVING_POETRY: {}}}),
        written({"hostRequirements": {"gpu": "optional"}, "runArgs": ["--gpus=all"]}),
    ],
)
def test_without_a_plan_nothing_else_is_said(text: str, whole: bool):
    assert without_plan(text, whole=whole) == []
    assert fixed(text, replace(make_spec(git_lfs=True), plan=None)) == text


def test_without_a_plan_an_image_keeps_its_python():
    text = written({"image": f"{IMAGES.repository}:2-3.12-bookworm"})
    assert without_plan(text) == [("TF505", True)]
    made = data(fixed(text, replace(make_spec(), plan=None)))
    assert made == {"image": IMAGES.image("3.12")}


def test_without_a_plan_one_version_of_the_cuda_feature_is_left():
    text = written({"features": {OLD_CUDA: {}, CUDA: {"cudaVersion": "11.8"}}})
    made = data(fixed(text, replace(make_spec(), plan=None)))
    assert made == {"features": {CUDA: {"cudaVersion": "11.8"}}}
