"""devcontainer.json as the plan wants it, told as the changes that lead there."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from difflib import ndiff
from importlib import metadata
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version

from poetry_tf.devcontainer import (
    CACHE_FOLDER,
    ENVIRONMENT_VOLUME,
    ContainerSpec,
    Origin,
    container_spec,
    find_changes,
    list_parts,
    synchronize,
)
from poetry_tf.files.documents import DocumentError
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.files.project import DEVCONTAINERS
from poetry_tf.plan.derive import make_plan
from poetry_tf.plan.model import Plan, PlanError
from poetry_tf.plan.settings import GpuChoice, Settings
from poetry_tf.releases import load
from poetry_tf.releases.images import load_images
from tests.made import NOWHERE, SERIES, in_memory, lock_text

CATALOG = load()
IMAGES = load_images()
PATH = NOWHERE / DEVCONTAINERS[0]
POETRY = "2.3.1"
INDEX = Origin(Version("0.1.0"))

CUDA = IMAGES.cuda.reference
OLD_CUDA = f"{IMAGES.cuda.id}:1"
LFS = IMAGES.git_lfs.reference
RETIRED_POETRY = f"{IMAGES.retired_poetry_features[0]}:2"
LIVING_POETRY = f"{IMAGES.poetry_features[0]}:2"
CACHE = f"{IMAGES.cache_features[0]}:1"
VENV = "${containerWorkspaceFolder}/.venv"
NOTE = ".poetry-tf-built"

# The file of the article that this project comes from, for TensorFlow 2.13.
SEED = f"""\
{{
    "name": "Python 3",
    "image": "{IMAGES.repository}:1-3.8-bookworm",
    "runArgs": [
        "--runtime=nvidia",
        "--gpus=all"
    ],
    "features": {{
        "{LFS}": {{
            "autoPull": true,
            "version": "latest"
        }},
        "{OLD_CUDA}": {{
            "installCudnn": true,
            "installToolkit": true,
            "cudaVersion": "11.8",
            "cudnnVersion": "8.6.0.163"
        }},
        "{RETIRED_POETRY}": {{
            "version": "latest"
        }},
        "{CACHE}": {{}}
    }}
}}
"""


def plan_for(series: str = "2.13", gpu: GpuChoice = "auto") -> Plan:
    release = CATALOG.newest(series)
    assert release is not None
    return make_plan(CATALOG, IMAGES, release, Settings(gpu), None)


def plan_of(version: str, gpu: GpuChoice = "pip") -> Plan:
    release = CATALOG.get(version)
    assert release is not None
    return make_plan(CATALOG, IMAGES, release, Settings(gpu), None)


def wanted(
    plan: Plan | None = None,
    *,
    git_lfs: bool = False,
    whole: bool = True,
    poetry: str = POETRY,
    origin: Origin = INDEX,
) -> ContainerSpec:
    return ContainerSpec(
        name="study",
        plan=plan or plan_for(),
        images=IMAGES,
        poetry=Version(poetry),
        poetry_tf=origin,
        git_lfs=git_lfs,
        whole=whole,
    )


def codes(text: str, want: ContainerSpec | None = None) -> list[str]:
    found = find_changes(PATH, JsoncDocument.parse(text), want or wanted())
    return [item.code for item in found if item.code is not None]


def fixed(text: str, want: ContainerSpec | None = None) -> str:
    """The text after every change, as `tf devcontainer` makes them."""
    return synchronize(PATH, JsoncDocument.parse(text), want or wanted()).text


def data(text: str) -> Any:
    return JsoncDocument.parse(text).data


def written(content: Any) -> str:
    return json.dumps(content, indent=2) + "\n"


def container(**keys: Any) -> str:
    """A container that is right for 2.13 in all that the keys don't say otherwise."""
    right = data(fixed("{}"))
    for key, value in keys.items():
        if value is ...:
            right.pop(key, None)
        else:
            right[key] = value
    return written(right)


# -- a new file -----------------------------------------------------------------------------


@pytest.mark.parametrize("git_lfs", [False, True], ids=["no-lfs", "lfs"])
@pytest.mark.parametrize("gpu", ["auto", "system", "pip", "none"])
@pytest.mark.parametrize("series", SERIES)
def test_a_new_container_has_all_that_its_tensorflow_needs(
    series: str, gpu: GpuChoice, git_lfs: bool
):
    try:
        plan = plan_for(series, gpu)
    except PlanError:
        pytest.skip("no such plan")
    want = wanted(plan, git_lfs=git_lfs)
    text = fixed("{}\n", want)
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
    assert find_changes(PATH, JsoncDocument.parse(text), want) == ()
    assert text.endswith("}\n")


def test_a_new_container_for_2_13_has_the_pair_of_the_seed():
    options = data(fixed("{}"))["features"][CUDA]
    assert (options["cudaVersion"], options["cudnnVersion"]) == ("11.8", "8.6.0.163")


def test_git_lfs_pulls_only_where_there_is_a_commit():
    made = data(fixed("{}", wanted(git_lfs=True)))
    assert made["features"][LFS] == {"autoPull": False}
    assert "git rev-parse" in made["postCreateCommand"]
    assert "git lfs" not in json.dumps(data(fixed("{}")))


# -- the seed's file ------------------------------------------------------------------------


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
        },
        "hostRequirements": {"gpu": "optional"},
        "mounts": [{"source": ENVIRONMENT_VOLUME, "target": VENV, "type": "volume"}],
        "containerEnv": {"POETRY_VIRTUALENVS_IN_PROJECT": "true"},
        "customizations": {
            "vscode": {"settings": {"python.defaultInterpreterPath": f"{VENV}/bin/python"}}
        },
        "onCreateCommand": made["onCreateCommand"],
        "postCreateCommand": "poetry install",
        "postStartCommand": made["postStartCommand"],
    }
    assert f"poetry=={POETRY}" in made["onCreateCommand"]
    # The cache is a feature of the file's own, so there is no second one.
    assert CACHE_FOLDER not in made["onCreateCommand"]
    assert fixed(text) == text


def test_each_thing_that_is_wrong_with_the_seeds_file_is_said():
    found = find_changes(PATH, JsoncDocument.parse(SEED), wanted())
    said = {(item.code, item.path) for item in found if item.code}
    assert said == {
        ("TF502", ("image",)),
        ("TF505", ("features", OLD_CUDA)),
        ("TF504", ("hostRequirements",)),
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


# -- what is the user's ---------------------------------------------------------------------

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
        "poetry-tf": "poetry install",
    }
    assert fixed(text) == text


# -- the name -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "becomes"),
    [
        ("study (TensorFlow 2.16)", "study (TensorFlow 2.13)"),
        ("my (old) one (TensorFlow 2.9)", "my (old) one (TensorFlow 2.13)"),
        ("study (TensorFlow 2.13)", "study (TensorFlow 2.13)"),
        ("TensorFlow 2.16", "TensorFlow 2.16"),
        ("study (TensorFlow 2.16.1)", "study (TensorFlow 2.16.1)"),
        ("study (TensorFlow 2.16) on GPU", "study (TensorFlow 2.16) on GPU"),
    ],
)
def test_a_name_that_poetry_tf_made_follows_the_series(name: str, becomes: str):
    text = container(name=name)
    assert codes(text) == []
    assert data(fixed(text))["name"] == becomes
    assert data(fixed(text, wanted(whole=False)))["name"] == name


# -- the image ------------------------------------------------------------------------------


GENERATION = IMAGES.generation


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (f"{IMAGES.repository}:{GENERATION}-3.11-bookworm", None),
        (f"{IMAGES.repository}:{GENERATION}-3.10", None),
        (f"{IMAGES.repository}:{GENERATION}.0.7-3.11-bookworm", None),
        (f"{IMAGES.repository}:dev-{GENERATION}-3.11-bookworm", None),
        (f"{IMAGES.repository}:dev-3.11-bookworm", None),
        (f"{IMAGES.repository}:3.11.4-bookworm", None),
        ("mcr.microsoft.com/vscode/devcontainers/python:3.11", None),
        (f"{IMAGES.repository}:3.11", None),
        (f"{IMAGES.repository}:3.11-bookworm@sha256:{'0' * 64}", None),
        ("python:3.11-slim", None),
        (f"{IMAGES.repository}:{GENERATION}-3.12-bookworm", "TF502"),
        (f"{IMAGES.repository}:1-3.8-bookworm", "TF502"),
        (f"{IMAGES.repository}:3.9", "TF502"),
        (f"{IMAGES.repository}:dev-3.8-bookworm", "TF502"),
        (f"{IMAGES.repository}:2.0.3-3.8-bookworm", "TF502"),
        (f"{IMAGES.repository}:1.2-bookworm", "TF502"),
        (f"{IMAGES.repository}", "TF502"),
        (f"{IMAGES.repository}:3", "TF502"),
        (f"{IMAGES.repository}:latest", "TF502"),
        (f"{IMAGES.repository}:{GENERATION}-bookworm", "TF502"),
        ("python:3.8", "TF502"),
        *[
            (f"{IMAGES.repository}:{generation}-3.11-bookworm", "TF505")
            for generation in sorted(IMAGES.retired_generations)
        ],
        *[
            (f"{IMAGES.repository}:{tag}-3.11-bookworm", "TF505")
            for tag in ("1.2", "1.3.14", "2.0.3", "0.203.10", "dev-1", "dev-2.0.3")
        ],
        ("mcr.microsoft.com/vscode/devcontainers/python:0-3.11-bullseye", "TF505"),
        ("mcr.microsoft.com/vscode/devcontainers/python:0.203.2-3.11", "TF505"),
        ("nvidia/cuda:12.5.1-cudnn-devel-ubuntu22.04", None),
        ("ubuntu", None),
        ("${localEnv:MY_IMAGE}", None),
        (f"example/{IMAGES.repository}:1-3.8", None),
    ],
)
def test_an_image_is_judged_by_its_python_and_generation(image: str, says: str | None):
    text = container(image=image)
    found = [
        item
        for item in find_changes(PATH, JsoncDocument.parse(text), wanted())
        if item.path == ("image",)
    ]
    assert [item.code for item in found] == ([says] if says else [])
    made = data(fixed(text))["image"]
    assert made == (image if says is None else IMAGES.image("3.11"))


def test_a_retired_image_keeps_the_python_that_it_has():
    text = container(image=f"{IMAGES.repository}:1-3.10-bookworm")
    assert data(fixed(text))["image"] == IMAGES.image("3.10")


BASES: list[dict[str, Any]] = [
    {"build": {"dockerfile": "Dockerfile"}},
    {"dockerFile": "Dockerfile"},
    {"dockerComposeFile": "compose.yml", "service": "app"},
    {"image": "tensorflow/tensorflow:2.13.0-gpu"},
]


@pytest.mark.parametrize("base", BASES, ids=lambda base: next(iter(base)))
def test_a_base_of_the_users_own_is_left_alone(base: dict[str, Any]):
    text = written({"name": "mine", **base})
    made = data(fixed(text))
    assert made.pop("hostRequirements") == {"gpu": "optional"}
    assert made == {"name": "mine", **base}


@pytest.mark.parametrize("base", BASES, ids=lambda base: next(iter(base)))
def test_a_feature_on_a_base_of_the_users_own_is_judged_all_the_same(base: dict[str, Any]):
    text = written({**base, "features": {OLD_CUDA: {"cudaVersion": "12.0"}}})
    assert data(fixed(text))["features"] == data(container())["features"]


@pytest.mark.parametrize(
    ("value", "made"),
    [
        ({}, {"version": POETRY}),
        ({"version": "latest", "x": 1}, {"version": POETRY, "x": 1}),
        ("1.8.2", {"version": POETRY}),
        (None, {"version": POETRY}),
    ],
    ids=repr,
)
@pytest.mark.parametrize(
    ("tag", "new_tag"), [(":2", ":2"), (":2.0.1", ":2.0.1"), ("", ""), ("@sha256:0a", "")]
)
@pytest.mark.parametrize("base", BASES, ids=lambda base: next(iter(base)))
def test_a_retired_poetry_feature_is_not_taken_without_a_replacement(
    base: dict[str, Any], tag: str, new_tag: str, value: Any, made: Any
):
    retired, living = IMAGES.retired_poetry_features[0], IMAGES.poetry_features[0]
    text = written({**base, "features": {LFS: {}, f"{retired}{tag}": value}})
    assert codes(text) == ["TF504", "TF505"]
    assert data(fixed(text))["features"] == {LFS: {}, f"{living}{new_tag}": made}
    # Nor where nothing else is to be added.
    text = written({"image": IMAGES.image("3.11"), "features": {f"{retired}{tag}": value}})
    after = fixed(text, wanted(whole=False))
    assert data(after)["features"] == {f"{living}{new_tag}": made}
    assert fixed(after, wanted(whole=False)) == after


@pytest.mark.parametrize(
    "besides",
    [{"features": {LIVING_POETRY: {}}}, {"onCreateCommand": "pip install poetry"}],
    ids=["a feature", "a command"],
)
def test_a_retired_poetry_feature_goes_where_poetry_is_installed_besides(besides: dict[str, Any]):
    features = {**besides.get("features", {}), RETIRED_POETRY: {}, LFS: {}}
    made = data(fixed(written({**BASES[0], **besides, "features": features})))
    assert RETIRED_POETRY not in made["features"]
    assert (LIVING_POETRY in made["features"]) == ("features" in besides)
    assert POETRY in json.dumps(made)


def test_poetry_that_a_base_of_the_users_own_installs_by_a_command_is_pinned():
    text = written({**BASES[0], "postCreateCommand": "pip install poetry==1.8.2; make"})
    assert "TF506" in codes(text)
    assert data(fixed(text))["postCreateCommand"] == f"pip install poetry=={POETRY}; make"


# -- CUDA -----------------------------------------------------------------------------------


OPTIONS = {
    "installToolkit": True,
    "installCudnn": True,
    "cudaVersion": "11.8",
    "cudnnVersion": "8.6.0.163",
}


@pytest.mark.parametrize(
    "options",
    [
        {},
        None,
        True,
        "11.8",
        3,
        [],
        {"cudaVersion": "11.8.0"},
        {"cudaVersion": 11.8},
        {**OPTIONS, "cudnnVersion": "automatic"},
        {**OPTIONS, "cudnnVersion": "8.6.0"},
        {**OPTIONS, "installCudnn": False},
        {**OPTIONS, "installToolkit": "true"},
    ],
    ids=repr,
)
def test_options_of_cuda_that_do_not_fit_are_written_right(options: Any):
    text = container(features={CUDA: options})
    assert codes(text) == ["TF503"]
    made = data(fixed(text))["features"]
    assert made[CUDA].items() >= OPTIONS.items()
    assert codes(fixed(text)) == []


@pytest.mark.parametrize("whole", [True, False])
def test_a_misspelt_option_is_replaced_in_its_place(whole: bool):
    options = (
        '"installToolkit": true,\n'
        '            "installCudann": true, // cuDNN\n'
        '            "cudannVersion": "8.9.7.29",\n'
        '            "cudaVersion": "11.8"'
    )
    lines = json.dumps(OPTIONS, indent=12)[1:-1].strip()
    text = fixed("{}").replace(lines, options)
    assert options in text
    want = wanted(whole=whole)
    assert codes(text, want) == ["TF505", "TF505", "TF503"]
    right = options.replace("Cudann", "Cudnn").replace("cudann", "cudnn")
    assert right.replace("8.9.7.29", "8.6.0.163") in fixed(text, want)
    assert codes(fixed(text, want), want) == []


def test_a_misspelt_option_beside_the_right_one_goes():
    text = container(features={CUDA: {**OPTIONS, "installCuDNN": True, "cudnnversion": "8"}})
    assert codes(text) == ["TF505", "TF505"]
    assert data(fixed(text))["features"] == {CUDA: OPTIONS}


def test_an_option_of_which_nobody_knows_what_it_means_is_told_and_stays():
    features = {CUDA: {**OPTIONS, "driver": "550"}, LFS: {"autopul": False, "lfs": 1}}
    text = container(features=features)
    want = wanted(git_lfs=True)
    assert codes(text, want) == ["TF505", "TF505", "TF505"]
    made = data(fixed(text, want))["features"]
    assert made == {CUDA: {**OPTIONS, "driver": "550"}, LFS: {"autoPull": False, "lfs": 1}}
    assert codes(fixed(text, want), want) == ["TF505", "TF505"]


@pytest.mark.parametrize("key", ["containerEnv", "remoteEnv"])
def test_a_path_of_the_users_own_stays(key: str):
    right = data(container())
    right["remoteEnv"].pop("PATH")
    right[key]["PATH"] = "/mine"
    assert data(fixed(written(right))) == right


def test_cuda_goes_from_path_where_it_goes_from_the_container():
    text = fixed("{}", wanted(plan_for("2.18", "system")))
    made = data(fixed(text, wanted(plan_for("2.18", "none"))))
    assert list(made["remoteEnv"]) == ["POETRY_TF_MIRROR"]


def test_options_that_poetry_tf_does_not_judge_stay():
    text = container(features={CUDA: {**OPTIONS, "installNvtx": True}})
    assert codes(text) == []
    assert fixed(text) == text


@pytest.mark.parametrize("tag", [":1", ":2", ":1.2.1", "", f"@sha256:{'0' * 64}"])
def test_another_version_of_the_cuda_feature_is_retired(tag: str):
    text = container(features={f"{IMAGES.cuda.id}{tag}": OPTIONS})
    assert codes(text) == ["TF505"]
    assert data(fixed(text))["features"] == {CUDA: OPTIONS}


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_versions_of_the_cuda_feature_one_is_left(order: int):
    features = {OLD_CUDA: OPTIONS, CUDA: OPTIONS}
    text = container(features=dict(list(features.items())[::order]))
    assert codes(text) == ["TF505"]
    assert data(fixed(text))["features"] == {CUDA: OPTIONS}


def test_of_two_retired_versions_of_the_cuda_feature_the_first_is_mended():
    features = {OLD_CUDA: {"cudaVersion": "11.8"}, f"{IMAGES.cuda.id}:2": OPTIONS}
    text = container(features=features)
    assert codes(text) == ["TF503", "TF505", "TF505"]
    assert data(fixed(text))["features"] == {CUDA: OPTIONS}


@pytest.mark.parametrize(("gpu", "why"), [("none", "no GPU"), ("pip", "wheels bring CUDA")])
def test_cuda_is_taken_out_where_it_is_not_to_be_in_the_container(gpu: GpuChoice, why: str):
    plan = plan_for("2.18", gpu)
    text = fixed("{}", wanted(plan_for("2.18", "system")))
    (change,) = (
        item for item in find_changes(PATH, JsoncDocument.parse(text), wanted(plan)) if item.code
    )
    assert change.code == "TF503"
    assert why in change.message
    # What is left empty by that goes as well, and a comment in it stays.
    assert "features" not in data(fixed(text, wanted(plan)))
    commented = text.replace('"features": {', '"features": { // mine')
    assert data(fixed(commented, wanted(plan)))["features"] == {}
    beside = written({**data(text), "features": {CUDA: OPTIONS, OLD_CUDA: {}, LFS: {}}})
    assert data(fixed(beside, wanted(plan)))["features"] == {LFS: {}}
    # Where only what is there is judged, a feature that is too many is the user's.
    assert find_changes(PATH, JsoncDocument.parse(text), wanted(plan, whole=False)) == ()


# -- the GPU --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        (["--runtime=nvidia", "--gpus=all"], None),
        (["--runtime", "nvidia", "--gpus", "all"], None),
        (["--gpus=all"], None),
        (["--runtime=nvidia"], None),
        (["--ipc=host", "--gpus=all"], ["--ipc=host"]),
        (["--gpus", "all", "--ipc=host"], ["--ipc=host"]),
        (
            ["--shm-size", "8g", "--runtime", "nvidia", "-e", "A=1"],
            ["--shm-size", "8g", "-e", "A=1"],
        ),
    ],
)
def test_arguments_that_fail_without_a_gpu_give_way_to_a_request(
    arguments: list[str], left: list[str] | None
):
    text = container(runArgs=arguments, hostRequirements=...)
    assert codes(text) == ["TF504", "TF505"]
    made = data(fixed(text))
    assert made.get("runArgs") == left
    assert made["hostRequirements"] == {"gpu": "optional"}
    assert codes(fixed(text)) == []


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        (
            '[\n\t\t"--gpus", "all", // every GPU\n\t\t"--ipc=host" // for workers\n\t]',
            '[\n\t\t// every GPU\n\t\t"--ipc=host" // for workers\n\t]',
        ),
        ('["--ipc=host", "--gpus=all" /* every GPU */]', '["--ipc=host" /* every GPU */]'),
    ],
)
def test_why_a_retired_argument_stood_there_stays(arguments: str, left: str):
    for newline in ("\n", "\r\n"):
        text = container(runArgs="here", hostRequirements=...).replace('"here"', arguments)
        made = fixed(text.replace("\n", newline))
        assert left.replace("\n", newline) in made
        assert codes(made) == []


def test_comments_of_what_goes_whole_stay_where_it_was():
    text = container(runArgs="here", hostRequirements=...).replace(
        '"here"', '[ // for the GPU\n\t\t"--gpus=all" // all of them\n\t]'
    )
    made = fixed(text)
    assert "runArgs" not in data(made)
    assert [line.strip() for line in made.splitlines() if "//" in line and "ghcr" not in line] == [
        "// for the GPU",
        "// all of them",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--gpus=1"],
        ["--gpus", "device=0"],
        ["--device", "nvidia.com/gpu=all"],
        ["--device=nvidia.com/gpu=all"],
    ],
)
def test_a_request_of_the_users_own_kind_stays(arguments: list[str]):
    text = container(runArgs=arguments, hostRequirements=...)
    assert codes(text) == []
    assert fixed(text) == text


@pytest.mark.parametrize("gpu", ["optional", True, {"cores": 2}])
def test_a_gpu_that_is_asked_for_is_not_asked_for_again(gpu: Any):
    assert codes(container(hostRequirements={"gpu": gpu})) == []


@pytest.mark.parametrize("requirements", [{}, {"gpu": False}, {"gpu": None}, {"cpus": 4}])
def test_what_else_the_host_must_have_stays_beside_the_request(requirements: dict[str, Any]):
    text = container(hostRequirements=requirements)
    assert codes(text) == ["TF504"]
    assert data(fixed(text))["hostRequirements"] == {**requirements, "gpu": "optional"}


def test_no_gpu_is_asked_for_where_none_is_wanted():
    assert "hostRequirements" not in data(fixed("{}", wanted(plan_for(gpu="none"))))


@pytest.mark.parametrize(
    ("requirements", "left"),
    [
        ({"gpu": "optional"}, None),
        ({"gpu": "optional", "cpus": 4}, {"cpus": 4}),
        ({"gpu": True}, {"gpu": True}),
        ({"gpu": {"cores": 2}}, {"gpu": {"cores": 2}}),
        ({}, {}),
    ],
)
def test_the_request_that_poetry_tf_made_is_taken_back(requirements: Any, left: Any):
    text = written({"image": IMAGES.image("3.11"), "hostRequirements": requirements})
    made = data(fixed(text, wanted(plan_for(gpu="none"))))
    assert made.get("hostRequirements") == left
    same = data(fixed(text, wanted(plan_for(gpu="none"), whole=False)))
    assert same["hostRequirements"] == requirements


@pytest.mark.parametrize("plan", [None, plan_for()], ids=["no plan", "plan"])
def test_a_runtime_that_was_the_only_way_to_a_gpu_is_replaced(plan: Plan | None):
    text = written({"image": "mine", "runArgs": ["--runtime=nvidia", "--ipc=host"]})
    made = data(fixed(text, replace(wanted(whole=False), plan=plan)))
    assert made["runArgs"] == ["--ipc=host"]
    assert made["hostRequirements"] == {"gpu": "optional"}
    none = data(fixed(text, wanted(plan_for(gpu="none"), whole=False)))
    assert "hostRequirements" not in none


def having(**given: Any) -> ContainerSpec:
    return replace(wanted(), settings=Settings(**given))


PODMAN, REQUIRED = "--device=nvidia.com/gpu=all", "--gpus=all"


@pytest.mark.parametrize(
    ("given", "argument"),
    [
        ({"engine": "podman"}, PODMAN),
        ({"gpu_required": True}, REQUIRED),
        ({"engine": "podman", "gpu_required": True}, PODMAN),
    ],
)
@pytest.mark.parametrize(
    ("keys", "left"),
    [
        ({}, []),
        ({"hostRequirements": {"gpu": True}}, []),
        ({"runArgs": ["--ipc=host"]}, ["--ipc=host"]),
        ({"runArgs": ["--runtime=nvidia"], "hostRequirements": ...}, []),
        ({"runArgs": ["--runtime=nvidia", "--ipc=host"]}, ["--ipc=host"]),
    ],
)
def test_an_engine_and_a_gpu_that_must_be_there_are_asked_for_in_their_own_way(
    given: dict[str, Any], argument: str, keys: dict[str, Any], left: list[str]
):
    want, text = having(**given), container(**keys)
    assert "TF504" in codes(text, want)
    made = data(fixed(text, want))
    assert made["runArgs"] == [*left, argument]
    assert "hostRequirements" not in made
    assert codes(fixed(text, want), want) == []
    assert fixed(fixed(text, want), want) == fixed(text, want)


def test_podman_is_not_asked_in_dockers_way():
    want = having(engine="podman")
    text = container(runArgs=["--gpus", "all"], hostRequirements=...)
    assert data(fixed(text, want))["runArgs"] == [PODMAN]
    own = container(runArgs=["--device", "nvidia.com/gpu=0"], hostRequirements=...)
    assert fixed(own, want) == own
    none = replace(wanted(plan_for(gpu="none")), settings=Settings(engine="podman"))
    made = data(fixed(container(runArgs=[PODMAN], hostRequirements=...), none))
    assert "runArgs" not in made and "hostRequirements" not in made
    made = data(fixed(container(runArgs=[PODMAN, "-q"], hostRequirements=...), none))
    assert made["runArgs"] == ["-q"]


@pytest.mark.parametrize("spelling", [[PODMAN], ["--device", "nvidia.com/gpu=all"]])
def test_who_goes_back_to_docker_has_nothing_of_podmans_left(spelling: list[str]):
    text = container(runArgs=["--ipc=host", *spelling], hostRequirements=...)
    made = data(fixed(text, having(engine="docker")))
    assert made["runArgs"] == ["--ipc=host"]
    assert made["hostRequirements"] == {"gpu": "optional"}
    made = data(fixed(text, having(engine="docker", gpu_required=True)))
    assert made["runArgs"] == ["--ipc=host", REQUIRED]
    none = replace(wanted(plan_for(gpu="none")), settings=Settings(engine="docker"))
    made = data(fixed(text, none))
    assert made["runArgs"] == ["--ipc=host"] and "hostRequirements" not in made
    # Where nobody has said which it is, it may be somebody's Podman.
    assert data(fixed(text, wanted()))["runArgs"] == ["--ipc=host", *spelling]


def test_what_the_host_must_have_besides_the_gpu_stays():
    text = container(hostRequirements={"gpu": "optional", "cpus": 4})
    made = data(fixed(text, having(gpu_required=True)))
    assert made["hostRequirements"] == {"cpus": 4}


def test_a_compose_file_has_to_give_its_service_the_gpu_itself():
    text = written({"dockerComposeFile": "c.yml", "hostRequirements": {"gpu": "optional"}})
    want = having(engine="podman")
    (change,) = find_changes(PATH, JsoncDocument.parse(text), want)
    assert change.code == "TF504" and "compose file" in change.remedy
    assert "runArgs" not in data(fixed(text, want))
    assert "hostRequirements" not in data(fixed(text, want))


# -- the registry ---------------------------------------------------------------------------

BY_VARIABLE = "${localEnv:POETRY_TF_REGISTRY:mcr.microsoft.com}/devcontainers/python"


def test_each_machine_may_name_the_registry_where_that_is_asked_for():
    want = having(registry="mcr.microsoft.com")
    made = fixed("{}", want)
    tag = IMAGES.image("3.11").rpartition(":")[2]
    assert data(made)["image"] == f"{BY_VARIABLE}:{tag}"
    assert find_changes(PATH, JsoncDocument.parse(made), want) == ()
    # A file that is there follows, with its own tag.
    text = container(image=f"{IMAGES.repository}:{GENERATION}-3.10-bookworm")
    assert codes(text, want) == []
    assert data(fixed(text, want))["image"] == f"{BY_VARIABLE}:{GENERATION}-3.10-bookworm"
    assert fixed(fixed(text, want)) == text, "nobody wants it any more"
    other = having(registry="mirror.example/mcr")
    assert data(fixed(text, other))["image"] == (
        f"${{localEnv:POETRY_TF_REGISTRY:mirror.example/mcr}}/devcontainers/python"
        f":{GENERATION}-3.10-bookworm"
    )


@pytest.mark.parametrize(
    "prefix",
    ["${localEnv:MINE}/devcontainers/python", "${localEnv:MINE:a.example/b}/devcontainers/python"],
)
def test_a_registry_that_a_variable_names_stays_where_the_image_does_not_fit(prefix: str):
    text = container(image=f"{prefix}:1-3.8-bookworm")
    assert codes(text) == ["TF502"]
    tag = IMAGES.image("3.11").rpartition(":")[2]
    assert data(fixed(text))["image"] == f"{prefix}:{tag}"
    retired = container(image=f"{prefix}:1-3.10-bookworm")
    assert codes(retired) == ["TF505"]
    assert data(fixed(retired))["image"].startswith(f"{prefix}:{GENERATION}-3.10")


# -- Poetry ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "pinned"),
    [
        ("pipx install poetry==1.8.2", f"pipx install poetry=={POETRY}"),
        ("pip install poetry", f"pip install poetry=={POETRY}"),
        ("pip3 install 'poetry==1.8.2'", f"pip3 install poetry=={POETRY}"),
        ('pip install "poetry"', f"pip install poetry=={POETRY}"),
        (
            "pipx install poetry && poetry install",
            f"pipx install poetry=={POETRY} && poetry install",
        ),
        ("cd x; pipx install poetry; ls", f"cd x; pipx install poetry=={POETRY}; ls"),
        ("pipx install --force poetry", f"pipx install --force poetry=={POETRY}"),
        ("pipx install poetry==1.8.2", f"pipx install poetry=={POETRY}"),
        ("python3 -m pip install poetry", f"python3 -m pip install poetry=={POETRY}"),
        ("sudo -H pip3.11 install Poetry", f"sudo -H pip3.11 install poetry=={POETRY}"),
        ("/usr/bin/pip install poetry", f"/usr/bin/pip install poetry=={POETRY}"),
        ("uv tool install poetry@1.8.2", f"uv tool install poetry=={POETRY}"),
        (
            "uv tool install --with poetry-x poetry",
            f"uv tool install --with poetry-x poetry=={POETRY}",
        ),
        ("pip install poetry>=1.8", f"pip install poetry=={POETRY}"),
        ("pip install poetry>log", f"pip install poetry=={POETRY}>log"),
        ("pip install poetry==$V # ours", f"pip install poetry=={POETRY} # ours"),
        ("pip install poetry==1.8.*", f"pip install poetry=={POETRY}"),
        ("pip install \\\n  poetry numpy", f"pip install \\\n  poetry=={POETRY} numpy"),
        ('bash -lc "make; pipx install poetry"', f'bash -lc "make; pipx install poetry=={POETRY}"'),
        ("su me -c 'pip install poetry'", f"su me -c 'pip install poetry=={POETRY}'"),
        (
            "curl -sSL https://install.python-poetry.org | python3 -",
            f"curl -sSL https://install.python-poetry.org | python3 - --version {POETRY}",
        ),
        (
            "curl -sSL https://install.python-poetry.org | sudo python3",
            f"curl -sSL https://install.python-poetry.org | sudo python3 - --version {POETRY}",
        ),
        (
            "curl -sSL 'https://install.python-poetry.org' | python3 - -y --version '1.8.2' && x",
            f"curl -sSL 'https://install.python-poetry.org' | python3 - -y --version {POETRY} && x",
        ),
        (
            "curl https://install.python-poetry.org | POETRY_VERSION=1.8.2 python3 -",
            f"curl https://install.python-poetry.org | POETRY_VERSION={POETRY} python3 -",
        ),
        (
            "curl https://install.python-poetry.org | python3 - --version=1.8.2",
            f"curl https://install.python-poetry.org | python3 - --version={POETRY}",
        ),
        *[
            (f"{before}{tail}", f"{before}=={POETRY}")
            for before in ("pip install --user poetry", "pip install -U pip poetry")
            for tail in ("", "==1.8.2")
        ],
        ("pipx install poetry~=1.8", f"pipx install poetry=={POETRY}"),
        ("pipx install 'poetry<2'", f"pipx install poetry=={POETRY}"),
        ("pipx install 'poetry>=1.8'", f"pipx install poetry=={POETRY}"),
        ("pipx install  poetry", f"pipx install  poetry=={POETRY}"),
        ("(pipx install poetry)", f"(pipx install poetry=={POETRY})"),
    ],
)
@pytest.mark.parametrize("key", ["onCreateCommand", "updateContentCommand"])
def test_poetry_that_is_installed_in_another_version_is_pinned_in_place(
    key: str, command: str, pinned: str
):
    text = container(**{"onCreateCommand": ..., key: command})
    assert codes(text) == ["TF506"]
    made = data(fixed(text))
    assert made[key] == pinned
    assert {"onCreateCommand", "updateContentCommand"} & set(made) == {key}
    assert codes(fixed(text)) == []


def test_a_hook_that_installs_poetry_last_installs_the_project_after_it():
    text = container(onCreateCommand=..., postCreateCommand="pipx install poetry==1.8.2")
    assert data(fixed(text))["postCreateCommand"] == (
        f"pipx install poetry=={POETRY} && poetry install"
    )


def test_poetry_is_pinned_at_once_wherever_it_is_installed():
    text = container(onCreateCommand=..., postCreateCommand="pipx install poetry==1.8.2")
    assert fixed(fixed(text)) == fixed(text)


@pytest.mark.parametrize(
    "command",
    [
        "pipx install poetry-core",
        "pip install 'poetry_core>=1'",
        "pipx inject poetry poetry-plugin-up",
        "pip install -t poetry numpy",
        "pip download poetry",
        "pipx install poetry-plugin-export",
        "pipx install poetrylint",
        "pip install -r poetry.txt",
        "echo poetry",
        ["bash", "-c", "make"],
    ],
)
def test_another_command_stays_and_poetry_is_installed_beside_it(command: Any):
    text = container(onCreateCommand=command)
    made = data(fixed(text))["onCreateCommand"]
    assert made["project"] == command
    assert f"pipx install poetry=={POETRY} " in made["poetry-tf"]
    assert fixed(fixed(text)) == fixed(text)


@pytest.mark.parametrize("index", [0, 1])
def test_poetry_is_pinned_in_one_of_several_commands(index: int):
    commands = ["make", "make"]
    commands[index] = "pipx install poetry"
    text = container(onCreateCommand=dict(zip("ab", commands, strict=True)))
    assert data(fixed(text))["onCreateCommand"]["ab"[index]] == f"pipx install poetry=={POETRY}"
    assert codes(fixed(text)) == []


def test_a_new_command_goes_beside_several():
    text = container(onCreateCommand={"a": "make", "b": ["make", "all"]}, postCreateCommand={})
    made = data(fixed(text))
    assert {**made["onCreateCommand"], "poetry-tf": ""} == {
        "a": "make",
        "b": ["make", "all"],
        "poetry-tf": "",
    }
    assert made["postCreateCommand"] == {"poetry-tf": "poetry install"}


@pytest.mark.parametrize(
    "command",
    [
        "poetry install",
        "poetry install --no-root && echo done",
        "cd app && poetry sync",
        {"deps": "poetry install", "hooks": "pre-commit install"},
        ["poetry", "install"],
        {"deps": ["poetry", "install"]},
    ],
)
@pytest.mark.parametrize("key", ["onCreateCommand", "updateContentCommand", "postCreateCommand"])
def test_the_project_is_installed_once(key: str, command: Any):
    keys = {"postCreateCommand": ..., key: command}
    if key == "onCreateCommand":
        keys["updateContentCommand"] = f"pipx install poetry=={POETRY}"
    text = container(**keys)
    assert fixed(text) == text


@pytest.mark.parametrize(
    ("command", "pinned"),
    [
        (["pipx", "install", "poetry==1.8.2"], ["pipx", "install", f"poetry=={POETRY}"]),
        (["pip", "install", "poetry"], ["pip", "install", f"poetry=={POETRY}"]),
        (["pip", "install", "poetry >=1, <2"], ["pip", "install", f"poetry=={POETRY}"]),
        (
            ["bash", "-lc", "make && pipx install poetry==1.8.2"],
            ["bash", "-lc", f"make && pipx install poetry=={POETRY}"],
        ),
        (
            ["sudo", "/bin/sh", "-ec", "curl https://install.python-poetry.org | python3 -"],
            [
                "sudo",
                "/bin/sh",
                "-ec",
                f"curl https://install.python-poetry.org | python3 - --version {POETRY}",
            ],
        ),
    ],
)
@pytest.mark.parametrize("inner", [False, True])
def test_poetry_that_an_array_installs_is_pinned_in_its_element(
    command: list[str], pinned: list[str], inner: bool
):
    text = container(onCreateCommand={"a": command} if inner else command)
    assert codes(text) == ["TF506"]
    made = data(fixed(text))["onCreateCommand"]
    assert made == ({"a": pinned} if inner else pinned)


@pytest.mark.parametrize(
    ("command", "made"),
    [
        ("pipx install poetry; ", f"pipx install poetry=={POETRY} && poetry install"),
        ("pipx install poetry &", f"pipx install poetry=={POETRY} & wait && poetry install"),
        ("pipx install poetry # it", f"pipx install poetry=={POETRY} # it\npoetry install"),
        (["pipx", "install", "poetry"], f"pipx install poetry=={POETRY} && poetry install"),
        (
            ["bash", "-c", "pipx install poetry"],
            ["bash", "-c", f"pipx install poetry=={POETRY} && poetry install"],
        ),
        (
            {"a": "make", "b": "pipx install poetry"},
            {"a": "make", "b": f"pipx install poetry=={POETRY} && poetry install"},
        ),
        (
            {"a": ["make"], "b": ["pip", "install", "a b", "poetry"]},
            {"a": ["make"], "b": f"pip install 'a b' poetry=={POETRY} && poetry install"},
        ),
    ],
)
@pytest.mark.parametrize("hook", ["postCreateCommand", "postStartCommand"])
def test_the_project_is_installed_where_poetry_is_installed_late(
    hook: str, command: Any, made: Any
):
    own = {"onCreateCommand": ..., "postCreateCommand": ..., "postStartCommand": NOTE}
    text = container(**{**own, hook: command})
    after = data(fixed(text))
    assert after[hook] == made
    assert {key for key in after if key.endswith("Command")} == {hook, "postStartCommand"}
    assert fixed(fixed(text)) == fixed(text)


@pytest.mark.parametrize(
    ("command", "key"),
    [
        ("poetry install", None),
        ("poetry config virtualenvs.in-project true; make", None),
        (["poetry", "install"], None),
        ({"a": "make", "b": "poetry install"}, "b"),
    ],
)
def test_poetry_is_installed_before_a_command_that_needs_it(command: Any, key: str | None):
    text = container(onCreateCommand=command, postCreateCommand="poetry install")
    made = data(fixed(text))["onCreateCommand"]
    made = made[key] if key else made
    assert f"pipx install poetry=={POETRY} " in made
    assert made.endswith(" && poetry install") or made.endswith("in-project true; make")
    assert fixed(fixed(text)) == fixed(text)


@pytest.mark.parametrize(
    ("command", "where"),
    [
        ("curl -o x.py https://install.python-poetry.org; sh x", ("onCreateCommand",)),
        ("sh <(curl https://install.python-poetry.org)", ("onCreateCommand",)),
    ],
)
def test_what_cannot_be_pinned_in_place_is_left_to_a_person(command: str, where: tuple[str]):
    text = container(onCreateCommand=command)
    (change,) = find_changes(PATH, JsoncDocument.parse(text), wanted())
    assert (change.code, change.path, change.edits) == ("TF506", where, ())
    assert fixed(text) == text


@pytest.mark.parametrize("options", [{}, {"version": "latest"}, {"version": "1.8.2", "x": 1}])
def test_the_living_poetry_feature_is_told_the_version(options: dict[str, Any]):
    text = container(features={CUDA: OPTIONS, LIVING_POETRY: options}, onCreateCommand=...)
    assert codes(text) == ["TF506"]
    made = data(fixed(text))
    assert made["features"][LIVING_POETRY] == {**options, "version": POETRY}
    assert "onCreateCommand" not in made
    assert fixed(fixed(text)) == fixed(text)


def test_the_living_poetry_feature_may_have_its_version_for_a_value():
    text = container(features={CUDA: OPTIONS, LIVING_POETRY: "1.8.2"}, onCreateCommand=...)
    assert data(fixed(text))["features"][LIVING_POETRY] == {"version": POETRY}
    right = container(features={CUDA: OPTIONS, LIVING_POETRY: POETRY}, onCreateCommand=...)
    assert codes(right) == []


def test_a_retired_poetry_feature_gives_way_to_a_command():
    text = container(features={CUDA: OPTIONS, RETIRED_POETRY: {}}, onCreateCommand=...)
    assert codes(text) == ["TF505", "TF506"]
    made = data(fixed(text))
    assert made["features"] == {CUDA: OPTIONS}
    assert f"poetry=={POETRY}" in made["onCreateCommand"]


def test_the_plugin_is_not_needed_for_poetry_to_be_there():
    command = data(fixed("{}"))["onCreateCommand"]
    before, _, after = command.partition("(pipx inject poetry poetry-tf==0.1.0 ||")
    assert before.endswith(f"pipx install poetry=={POETRY} && ")
    assert "echo" in after


def test_a_poetry_in_the_container_that_did_not_write_the_lock_may_be_any_that_will_do():
    for version, says in (("2.1.4", []), ("2.5.0", []), ("1.8.5", ["TF506"]), ("3.0", ["TF506"])):
        text = container(onCreateCommand=f"pipx install poetry=={version}")
        assert codes(text, replace(wanted(), wrote_lock=False)) == says
        assert codes(text) == ["TF506"]


def test_the_cache_keeps_a_mount_and_a_variable_of_the_users():
    mounts = [f"source=mine,target={CACHE_FOLDER},type=volume"]
    variables = {"POETRY_CACHE_DIR": CACHE_FOLDER, "POETRY_VIRTUALENVS_PATH": "/e"}
    text = container(mounts=mounts, containerEnv=variables, onCreateCommand=...)
    made = data(fixed(text))
    assert (made["mounts"], made["containerEnv"]) == (mounts, variables)
    text = container(mounts=["source=a,target=/b,type=bind"], containerEnv=..., onCreateCommand=...)
    made = data(fixed(text))
    assert [made["mounts"][0], *(mount["target"] for mount in made["mounts"][1:])] == [
        "source=a,target=/b,type=bind",
        CACHE_FOLDER,
        VENV,
    ]
    assert made["containerEnv"] == {
        "POETRY_CACHE_DIR": CACHE_FOLDER,
        "POETRY_VIRTUALENVS_IN_PROJECT": "true",
    }


@pytest.mark.parametrize(
    "keys",
    [
        {"containerEnv": {"POETRY_VIRTUALENVS_CREATE": "false"}},
        {"remoteEnv": {"POETRY_VIRTUALENVS_PATH": "/e"}},
        {"mounts": ["source=mine,target=/workspaces/x/.venv,type=volume"]},
    ],
    ids=lambda keys: next(iter(keys)),
)
def test_an_environment_of_the_users_own_stays_where_it_is(keys: dict[str, Any]):
    text = written({"image": IMAGES.image("3.11"), **keys})
    made = data(fixed(text))
    (key,) = keys
    if key == "mounts":
        assert made["mounts"][:-1] == keys["mounts"]
    else:
        assert made[key].items() >= keys[key].items()
    assert ENVIRONMENT_VOLUME not in json.dumps(made)
    assert ".venv" not in made["onCreateCommand"]
    assert "settings" not in json.dumps(made.get("customizations", {}))


def test_an_interpreter_of_the_users_own_stays():
    vscode = {"settings": {"python.defaultInterpreterPath": "/mine", "x": 1}}
    text = written({"image": IMAGES.image("3.11"), "customizations": {"vscode": vscode}})
    assert data(fixed(text))["customizations"]["vscode"] == vscode


# -- CUDA from wheels that TensorFlow overlooks ----------------------------------------------

# The RUNPATH of these lacks folders of their own wheels: tensorflow#63362 is of the second.
LACKS_ONE, LACKS_FIVE, LACKS_NONE = plan_of("2.21.0"), plan_of("2.16.1"), plan_of("2.20.0")
FIVE = ("cublas", "cudnn", "cufft", "cusolver", "cusparse")
IMAGES_OWN = "${containerEnv:LD_LIBRARY_PATH:/nonexistent}"


def folder(part: str, python: str = "3.13") -> str:
    return f"{VENV}/lib/python{python}/site-packages/nvidia/{part}/lib"


def library_path(text: str) -> Any:
    return data(text).get("remoteEnv", {}).get("LD_LIBRARY_PATH")


def test_folders_that_tensorflow_overlooks_are_named_to_it():
    assert library_path(fixed("{}", wanted(LACKS_ONE))) == f"{folder('cusolver')}:{IMAGES_OWN}"
    five = ":".join(folder(part, "3.12") for part in FIVE)
    assert library_path(fixed("{}", wanted(LACKS_FIVE))) == f"{five}:{IMAGES_OWN}"
    for plan in (LACKS_NONE, plan_of("2.21.0", "system"), plan_of("2.21.0", "none")):
        assert library_path(fixed("{}", wanted(plan))) is None


def test_they_follow_tensorflow_and_python():
    text = fixed("{}", wanted(LACKS_FIVE))
    assert library_path(fixed(text, wanted(LACKS_ONE))) == f"{folder('cusolver', '3.12')}:" + (
        IMAGES_OWN
    )
    newer = text.replace(IMAGES.image("3.12"), IMAGES.image("3.13"))
    assert codes(newer, wanted(LACKS_ONE)) == ["TF503"]
    assert folder("cusolver") in library_path(fixed(newer, wanted(LACKS_ONE)))
    assert codes(text, wanted(plan_of("2.16.2"))) == ["TF503"]
    assert fixed(text, wanted(plan_of("2.16.2"))) == fixed("{}", wanted(plan_of("2.16.2")))


def test_that_they_are_not_named_is_told():
    right = data(fixed("{}", wanted(LACKS_ONE)))
    right["remoteEnv"].pop("LD_LIBRARY_PATH")
    (change,) = find_changes(PATH, JsoncDocument.parse(written(right)), wanted(LACKS_ONE))
    assert change.code == "TF503"
    assert "nvidia/cusolver/lib" in change.message
    assert codes(written(right), wanted(LACKS_ONE, whole=False)) == []


@pytest.mark.parametrize(
    ("theirs", "left"),
    [
        ("/mine", "/mine"),
        ("/mine:${localEnv:X:/a}:", "/mine:${localEnv:X:/a}:"),
        ("", None),
        (None, None),
    ],
)
def test_a_library_path_of_the_users_own_is_kept_behind_them(theirs: Any, left: str | None):
    text = container(remoteEnv={"LD_LIBRARY_PATH": theirs, "X": "1"})
    made = fixed(text, wanted(LACKS_ONE))
    rest = theirs or IMAGES_OWN
    assert library_path(made) == f"{folder('cusolver', '3.11')}:{rest}"
    assert fixed(made, wanted(LACKS_ONE)) == made
    back = fixed(made, wanted(LACKS_NONE))
    assert library_path(back) == left
    assert data(back)["remoteEnv"]["X"] == "1"


def test_a_library_path_of_the_whole_container_stays_as_it_is():
    environment = {**data(container())["containerEnv"], "LD_LIBRARY_PATH": "/mine"}
    made = fixed(container(containerEnv=environment), wanted(LACKS_ONE))
    assert data(made)["containerEnv"] == environment
    assert library_path(made) == f"{folder('cusolver', '3.11')}:{IMAGES_OWN}"


@pytest.mark.parametrize("key", ["containerEnv", "remoteEnv"])
def test_folders_that_the_user_has_named_are_not_named_again(key: str):
    right = data(fixed("{}", wanted(LACKS_ONE)))
    right["remoteEnv"].pop("LD_LIBRARY_PATH")
    right[key]["LD_LIBRARY_PATH"] = "/workspaces/a/.venv/lib/python3.13/site-packages/nvidia/" + (
        "cusolver/lib/:/mine"
    )
    text = written(right)
    assert fixed(text, wanted(LACKS_ONE)) == text
    assert fixed(text, wanted(LACKS_NONE)) == text


@pytest.mark.parametrize(
    "keys",
    [
        {"containerEnv": {"POETRY_VIRTUALENVS_IN_PROJECT": "false"}},
        {"remoteEnv": {"POETRY_VIRTUALENVS_PATH": "/e"}},
        {"onCreateCommand": f"pipx install poetry=={POETRY}"},
        {"image": "mine:1"},
    ],
    ids=["outside", "path", "prepared", "image"],
)
def test_where_the_environment_lies_elsewhere_a_person_has_to_name_them(keys: dict[str, Any]):
    text = written({"image": IMAGES.image("3.11"), **keys})
    found = find_changes(PATH, JsoncDocument.parse(text), wanted(LACKS_ONE))
    (change,) = [item for item in found if "cusolver" in item.message]
    assert (change.code, change.edits) == ("TF503", ())
    assert library_path(fixed(text, wanted(LACKS_ONE))) is None
    named = {"LD_LIBRARY_PATH": "/e/lib/python3.11/site-packages/nvidia/cusolver/lib"}
    text = written({**data(text), "remoteEnv": {**data(text).get("remoteEnv", {}), **named}})
    found = find_changes(PATH, JsoncDocument.parse(text), wanted(LACKS_ONE))
    assert not any("cusolver" in item.message for item in found)


def test_what_they_are_named_for_is_explained():
    def told(plan: Plan) -> list[str]:
        document = JsoncDocument.parse(fixed("{}", wanted(plan)))
        found = list_parts(PATH, document, wanted(plan), CATALOG)
        return [f"{part.value}: {part.origin}" for part in found if part.name == "LD_LIBRARY_PATH"]

    (line,) = told(LACKS_ONE)
    assert line.startswith("nvidia/cusolver/lib: what TensorFlow 2.21.0 opens lies there")
    assert told(LACKS_NONE) == told(plan_of("2.21.0", "system")) == []


def test_how_an_image_can_be_fixed_is_explained():
    def told(image: str) -> str:
        document = JsoncDocument.parse(container(image=image))
        return list_parts(PATH, document, wanted(), CATALOG)[0].origin

    fixed = f"{IMAGES.image('3.11')}@sha256:{'0' * 64}"
    assert codes(container(image=fixed)) == []
    assert "its digest fixes it" in told(fixed)
    assert "the tag stays" in told(IMAGES.image("3.11"))


# -- what the container gets of the driver --------------------------------------------------


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("compute", "compute,utility"),
        ("video", "video,compute,utility"),
        ("graphics, compute", "graphics, compute,utility"),
        ("utility,compute", None),
        ("all", None),
        ("", None),
        ("${localEnv:CAPABILITIES}", None),
        (None, None),
    ],
)
@pytest.mark.parametrize("where", ["containerEnv", "-e", "--env"])
def test_a_driver_of_which_parts_are_withheld(said: Any, right: str | None, where: str):
    name = "NVIDIA_DRIVER_CAPABILITIES"

    def text(value: Any) -> str:
        if where == "containerEnv":
            return container(containerEnv={**data(container())["containerEnv"], name: value})
        argument = f"{name}={value}"
        return container(runArgs=["-e", argument] if where == "-e" else [f"{where}={argument}"])

    want = wanted(plan_of("2.21.0", "system"))
    for_older = wanted(plan_of("2.20.0", "none"))
    made = fixed(text(said), want)
    if said is not None or where == "containerEnv":
        assert ("TF504" in codes(text(said), want)) == (right is not None)
        assert made == fixed(text(right or said), want)
    assert fixed(made, want) == made
    assert "TF504" not in codes(text(said), for_older)


def test_an_older_tensorflow_needs_no_nvml():
    text = container(runArgs=["-e", "NVIDIA_DRIVER_CAPABILITIES=compute"])
    assert codes(text, wanted(plan_of("2.20.0", "system"))) == ["TF503"]
    text = container(runArgs=["-e", "NVIDIA_DRIVER_CAPABILITIES=utility"])
    assert "TF504" in codes(text, wanted(plan_of("2.20.0", "system")))


# -- where only what is there is judged -----------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "x"}',
        f'{{"image": "{IMAGES.image("3.11")}"}}',
        f'{{"image": "{IMAGES.image("3.11")}", "runArgs": ["--gpus=all"]}}',
        '{"postCreateCommand": "make"}',
    ],
)
def test_in_a_project_that_is_not_managed_nothing_is_asked_to_be_added(text: str):
    assert codes(text, wanted(whole=False)) == []


def test_in_a_project_that_is_not_managed_what_is_there_has_to_fit():
    said = codes(SEED, wanted(whole=False))
    # --gpus=all is a way to ask for the GPU, --runtime=nvidia never helps.
    assert said == ["TF502", "TF505", "TF505", "TF505"]
    without = SEED.replace('"--gpus=all"', '"--ipc=host"')
    assert "TF504" in codes(without, wanted(whole=False))


# -- odd files ------------------------------------------------------------------------------


ODD: list[Any] = [None, True, False, 0, 3, 1.5, "", "x", "gpu", [], [None], [3], {}, {"a": None}]
JUDGED = (
    "name",
    "image",
    "features",
    "runArgs",
    "hostRequirements",
    "containerEnv",
    "remoteEnv",
    "mounts",
    "onCreateCommand",
    "updateContentCommand",
    "postCreateCommand",
    "postStartCommand",
    "customizations",
    "build",
    "dockerFile",
    "dockerComposeFile",
)


def holds(new: Any, old: Any) -> bool:
    """Whether a value is still there: as it was, added to, or as one of several."""
    if type(new) is type(old) and new == old:
        return True
    if isinstance(new, list):
        return isinstance(old, list) and all(item in new for item in old)
    if not isinstance(new, dict):
        return False
    if isinstance(old, dict) and all(key in new and holds(new[key], old[key]) for key in old):
        return True
    return any(holds(value, old) for value in new.values())


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("value", ODD, ids=repr)
@pytest.mark.parametrize("key", JUDGED)
def test_a_value_of_an_odd_type_stays_or_is_refused(key: str, value: Any, whole: bool):
    text = written({key: value, "x-kept": [1, {"a": None}]})
    want = wanted(whole=whole)
    try:
        after = fixed(text, want)
    except DocumentError:
        return
    assert data(after)["x-kept"] == [1, {"a": None}]
    nothing = value in (None, "", []) and key.endswith("Command")
    assert nothing or value is None or holds(data(after)[key], value)
    assert fixed(after, want) == after


@pytest.mark.parametrize("value", ODD, ids=repr)
@pytest.mark.parametrize(
    ("key", "inner"),
    [
        ("features", OLD_CUDA),
        ("features", CUDA),
        ("features", LFS),
        ("features", RETIRED_POETRY),
        ("features", LIVING_POETRY),
        ("features", CACHE),
        ("hostRequirements", "gpu"),
        ("containerEnv", "POETRY_CACHE_DIR"),
        ("onCreateCommand", "a"),
        ("postCreateCommand", "a"),
        ("customizations", "vscode"),
    ],
)
def test_an_inner_value_of_an_odd_type_stays_or_is_refused(key: str, inner: str, value: Any):
    text = written({key: {inner: value}, "x-kept": 1})
    try:
        after = data(fixed(text, wanted(git_lfs=True)))
    except DocumentError:
        return
    assert after["x-kept"] == 1
    assert fixed(written(after), wanted(git_lfs=True)) == written(after)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (key, value)
        for key, values in {
            "mounts": [True, 3, "x", {}, None],
            "containerEnv": ["x", 3, [], None],
            "features": ["x", 3, [], None],
            "hostRequirements": ["gpu", True, []],
            "onCreateCommand": [3, True, [3]],
            "postCreateCommand": [3, True, [None]],
        }.items()
        for value in values
    ],
)
def test_a_place_that_is_not_what_it_has_to_be_is_refused_by_its_name(key: str, value: Any):
    keys = {"image": IMAGES.image("3.11"), key: value}
    with pytest.raises(DocumentError, match=key):
        fixed(written(keys))
    assert codes(written(keys))  # which can be judged all the same


GPUS: tuple[GpuChoice, ...] = get_args(GpuChoice)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.sampled_from(
        [
            *("", "--gpus=all", "all", "--gpus", "--runtime=nvidia", "poetry install", "optional"),
            *("pipx install poetry", "pipx", "install", "poetry", "bash", "-c", "poetry==1.8"),
            *("NVIDIA_DRIVER_CAPABILITIES=video", folder("cusolver"), f"a:{folder('cufft')}:"),
            *("curl https://install.python-poetry.org | python3 -", "a (TensorFlow 2.9)"),
        ]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("gpu", "a", "poetry-tf", CUDA, OLD_CUDA, LIVING_POETRY, RETIRED_POETRY),
                    *("LD_LIBRARY_PATH", "NVIDIA_DRIVER_CAPABILITIES"),
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(JUDGED), values, max_size=4),
    st.booleans(),
    st.sampled_from([None, plan_of("2.21.0"), *(plan_for("2.18", gpu) for gpu in GPUS)]),
)
def test_any_file_is_mended_or_refused_and_mended_once(
    keys: dict[str, Any], whole: bool, plan: Plan | None
):
    want = replace(wanted(whole=whole), plan=plan)
    try:
        text = fixed(written(keys), want)
    except DocumentError:
        return
    try:
        assert fixed(text, want) == text
    except DocumentError:
        pytest.fail("mended, and then refused")
    left = find_changes(PATH, JsoncDocument.parse(text), want)
    assert [item for item in left if item.edits] == []


# -- without a plan -------------------------------------------------------------------------


def without_plan(text: str, *, whole: bool = True) -> list[tuple[str | None, bool]]:
    """What is said where no container can be made, and whether it can be mended."""
    found = find_changes(PATH, JsoncDocument.parse(text), replace(wanted(whole=whole), plan=None))
    return [(item.code, bool(item.edits)) for item in found]


@pytest.mark.parametrize("whole", [True, False])
def test_without_a_plan_it_is_told_what_is_retired(whole: bool):
    # Python 3.8 is in no image that works, and its CUDA may be in no version that does.
    assert without_plan(SEED, whole=whole) == [("TF505", False)] * 2 + [("TF505", True)] * 2
    want = replace(wanted(whole=whole), plan=None)
    made, before = data(fixed(SEED, want)), data(SEED)
    living = before["features"].pop(RETIRED_POETRY)
    assert made == {
        **before,
        "runArgs": ["--gpus=all"],
        "features": {**before["features"], LIVING_POETRY: living},
    }
    assert without_plan(fixed(SEED, want), whole=whole) == [("TF505", False)] * 2


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
    assert fixed(text, replace(wanted(git_lfs=True), plan=None)) == text


def test_without_a_plan_an_image_keeps_its_python():
    text = written({"image": f"{IMAGES.repository}:2-3.12-bookworm"})
    assert without_plan(text) == [("TF505", True)]
    made = data(fixed(text, replace(wanted(), plan=None)))
    assert made == {"image": IMAGES.image("3.12")}


def test_without_a_plan_one_version_of_the_cuda_feature_is_left():
    text = written({"features": {OLD_CUDA: {}, CUDA: {"cudaVersion": "11.8"}}})
    made = data(fixed(text, replace(wanted(), plan=None)))
    assert made == {"features": {CUDA: {"cudaVersion": "11.8"}}}


# -- what a container is made for -----------------------------------------------------------


def made_for(lock: str | None, pyproject: str = '[project]\nname = "study"') -> ContainerSpec:
    return container_spec(in_memory(pyproject, lock=lock), plan_for(), IMAGES, whole=True)


def test_the_container_has_the_poetry_that_wrote_the_lock():
    made = made_for(lock_text(poetry="2.1.4"))
    assert (made.poetry, made.wrote_lock) == (Version("2.1.4"), True)


def poetry_lock(version: str) -> str:
    return lock_text(poetry=version)


@pytest.mark.parametrize(
    "lock",
    [
        None,
        *map(poetry_lock, ["2.2.0.dev0", "2.2.0+mine", "and", "1.8.5", "2.0.1", "3.0.0"]),
    ],
    ids=["none", "development", "local", "not said", "1.x", "too old", "too new"],
)
def test_the_running_poetry_takes_its_place_where_that_is_none_that_will_do(lock: str | None):
    made = made_for(lock)
    assert made.poetry == Version(metadata.version("poetry"))
    assert not made.wrote_lock


@pytest.mark.parametrize(
    ("pyproject", "name"),
    [
        ('[project]\nname = "study"', "study (TensorFlow 2.13)"),
        ('[tool.poetry]\nname = "study"', "study (TensorFlow 2.13)"),
        ("", f"{NOWHERE.name} (TensorFlow 2.13)"),
    ],
)
def test_a_new_container_is_named_after_project_and_series(pyproject: str, name: str):
    assert made_for(None, pyproject).name == name


def test_without_a_plan_it_has_the_name_of_the_project():
    project = in_memory('[project]\nname = "study"')
    assert container_spec(project, None, IMAGES, whole=True).name == "study"


LEGACY = """\
[tool.poetry.dependencies]
python = ">=3.10,<3.12"
"""


@pytest.mark.parametrize(
    ("pyproject", "options"),
    [
        ('[project]\ndependencies = ["tensorflow"]', ""),
        ('[project.optional-dependencies]\ntf = ["numpy", "tensorflow"]', " --extras tf"),
        (
            '[project]\ndependencies = ["tensorflow"]\n'
            '[project.optional-dependencies]\ntf = ["tensorflow"]',
            "",
        ),
        (
            "[project]\ndependencies = [\"tensorflow-macos ; sys_platform == 'darwin'\"]\n"
            "[project.optional-dependencies]\ntf = [\"tensorflow ; sys_platform == 'linux'\"]",
            " --extras tf",
        ),
        (
            "[project.optional-dependencies]\ncpu = ['tensorflow-cpu']\ngpu = ['tensorflow']",
            " --extras gpu",
        ),
        (f'{LEGACY}tensorflow = "^2.13"', ""),
        (
            f'{LEGACY}tensorflow = {{version = "^2.13", optional = true}}\n'
            '[tool.poetry.extras]\na = ["numpy"]\nb = ["numpy", "TensorFlow"]',
            " --extras b",
        ),
        (f'{LEGACY}tensorflow = {{version = "^2.13", optional = true}}', ""),
        ('[tool.poetry.group.ml.dependencies]\ntensorflow = "^2.13"', ""),
        (
            "[tool.poetry.group.ml]\noptional = true\n"
            '[tool.poetry.group.ml.dependencies]\ntensorflow = "^2.13"',
            " --with ml",
        ),
        (
            '[dependency-groups]\nml = ["tensorflow"]\n[tool.poetry.group.ml]\noptional = true',
            " --with ml",
        ),
        ('[dependency-groups]\nml = ["tensorflow"]', ""),
        ('[tool.poetry.dev-dependencies]\ntensorflow = "^2.13"', ""),
        ('[project]\nname = "x"', ""),
    ],
)
def test_the_project_is_installed_with_what_its_tensorflow_is_in(pyproject: str, options: str):
    made = container_spec(in_memory(pyproject), plan_for(), IMAGES, whole=True)
    assert data(fixed("{}", made))["postCreateCommand"] == f"poetry install{options}"


def test_where_wheels_bring_cuda_the_extra_that_has_them_is_installed():
    pyproject = """\
[project]
dependencies = ["tensorflow"]
[project.optional-dependencies]
gpu = ["tensorflow[and-cuda] ; sys_platform == 'linux'"]
"""
    project = in_memory(pyproject)
    gpu: GpuChoice
    for gpu in ("pip", "system", "none"):
        plan, options = plan_for("2.18", gpu), " --extras gpu" if gpu == "pip" else ""
        made = container_spec(project, plan, IMAGES, whole=True)
        assert made.install == f"poetry install{options}"


# -- the line at each start -----------------------------------------------------------------

# What stood here before there was `tf doctor`, for 2.13; only its ends and the note are known.
FORMER = (
    "f=.devcontainer/devcontainer.json; b=$HOME/.poetry-tf-built; facts() { grep -oE 'x' $f; }; "
    '[ -e $b ] || facts > $b; if [ "$(facts)" != "$(cat $b)" ]; then echo "rebuild"; '
    'else poetry run python -c "import sys\nprint(1)\n" "$f"; fi; true'
)
TENSORFLOW = """
class config:
    @staticmethod
    def list_physical_devices():
        return [type("Device", (), {"name": "/physical_device:GPU:0"})]
__version__ = "2.99.0"
"""


@pytest.fixture
def start(tmp_path: Path):
    """Starts a container as a shell sees it: `poetry` and TensorFlow are stand-ins."""
    site, programs = tmp_path / "site", tmp_path / "bin"
    site.mkdir()
    programs.mkdir()
    poetry = programs / "poetry"

    def run(text: str, *, doctor: str, tensorflow: str = TENSORFLOW) -> list[str]:
        (site / "tensorflow.py").write_text(tensorflow)
        poetry.write_text(
            f'#!/bin/sh\nif [ "$1" = tf ]; then {doctor}; exit; fi\n'
            f'shift 2\nPYTHONPATH={site} exec {sys.executable} "$@"\n'
        )
        poetry.chmod(0o755)
        done = subprocess.run(
            ["/bin/sh", "-c", data(text)["postStartCommand"]],
            cwd=tmp_path,
            env={"PATH": f"{programs}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        return done.stdout.splitlines()

    return run


def test_a_start_says_what_the_doctor_says(start: Callable[..., list[str]]):
    assert start(fixed("{}"), doctor='echo "$@"') == ["tf doctor --brief"]


def test_a_start_without_poetry_tf_names_tensorflows_devices(start: Callable[..., list[str]]):
    missing = 'echo "The command tf does not exist" >&2; false'
    (told,) = start(fixed("{}"), doctor=missing)
    mends = "(no GPU? poetry self add poetry-tf && poetry tf doctor)"
    assert told == f"tensorflow 2.99.0 /physical_device:GPU:0 {mends}"


def test_a_start_without_tensorflow_says_so_and_succeeds(start: Callable[..., list[str]]):
    told = start(fixed("{}"), doctor="false", tensorflow="raise ImportError")
    assert told == ["TensorFlow cannot be imported: poetry install"]


def test_the_line_is_the_same_for_every_tensorflow_and_short():
    command = data(fixed("{}"))["postStartCommand"]
    assert command == data(fixed("{}", wanted(plan_for("2.18", "none"))))["postStartCommand"]
    assert len(json.dumps(command)) - 2 == len(command) < 350, "nothing in it has to be escaped"


@pytest.mark.parametrize(
    "hook", [FORMER, {"mine": "make", "poetry-tf": FORMER}], ids=["alone", "beside"]
)
def test_the_former_line_gives_way_to_the_new_one_in_its_place(hook: Any):
    new = data(fixed("{}"))["postStartCommand"]
    after = data(fixed(container(postStartCommand=hook)))["postStartCommand"]
    assert after == (new if isinstance(hook, str) else {"mine": "make", "poetry-tf": new})


@pytest.mark.parametrize("own", [f"{FORMER} && make", "poetry tf doctor --brief && make"])
def test_a_line_that_was_changed_by_hand_stays(own: str):
    assert data(fixed(container(postStartCommand=own)))["postStartCommand"] == own


@pytest.mark.parametrize("path", [*DEVCONTAINERS, ".devcontainer/it's mine/devcontainer.json"])
def test_the_file_is_looked_at_where_it_lies(path: str):
    made = synchronize(NOWHERE / path, JsoncDocument.parse("{}"), wanted()).data
    words = shlex.split(made["postStartCommand"].partition(" 2>")[0])
    named = ["--config", "it's mine"] if "mine" in path else []
    assert words == ["poetry", "tf", "doctor", "--brief", *named]


# -- where poetry-tf comes from ---------------------------------------------------------------

REPOSITORY = "git+https://git.example/owner/poetry-tf"
GIT = Origin(Version("0.1.0"), "git", f"{REPOSITORY}@{'a' * 40}")
LATER = Origin(Version("0.1.0"), "git", f"{REPOSITORY}@{'b' * 40}")
FOLDER = Origin(Version("0.1.0"), "git", f"{REPOSITORY}@{'a' * 40}#subdirectory=plugin")
ARCHIVE = Origin(
    Version("0.1.0"), "archive", f"https://files.example/poetry_tf.whl#sha256={'c' * 64}"
)
LOCAL = Origin(Version("0.1.0"), "local", "file:///home/jane/poetry-tf")
ORIGINS = {"index": INDEX, "git": GIT, "folder": FOLDER, "archive": ARCHIVE, "local": LOCAL}
# What a file may hold before poetry-tf prepares the container.
STARTED_BY = [{}, {"onCreateCommand": "poetry install"}, {"onCreateCommand": ["poetry", "install"]}]


def injected(text: str) -> list[str]:
    """What `pipx inject poetry` is given in a container, as a shell reads it."""
    found = []
    for value in data(text).values():
        for command in value.values() if isinstance(value, dict) else [value]:
            if not isinstance(command, str) or "pipx inject" not in command:
                continue
            lexer = shlex.shlex(command, posix=True, punctuation_chars="();&|")
            lexer.whitespace_split = True
            words = list(lexer)
            found.append(words[words.index("inject") + 2])
    return found


def from_(origin: Origin) -> ContainerSpec:
    return wanted(origin=origin)


@pytest.mark.parametrize("origin", ORIGINS.values(), ids=ORIGINS)
@pytest.mark.parametrize("keys", STARTED_BY)
def test_poetry_tf_comes_from_where_the_one_here_came_from(keys: dict[str, Any], origin: Origin):
    want = from_(origin)
    text = fixed(written(keys), want)
    assert injected(text) == ([] if origin is LOCAL else [origin.requirement])
    assert f"pipx install poetry=={POETRY}" in text
    assert "poetry install" in text
    assert codes(text, want) == []
    assert fixed(text, want) == text
    if origin is not INDEX:
        assert "poetry-tf==" not in text
        assert "self add poetry-tf" not in text


@pytest.mark.parametrize("origin", [GIT, FOLDER, ARCHIVE, LOCAL], ids=lambda item: item.source)
@pytest.mark.parametrize("keys", STARTED_BY)
@pytest.mark.parametrize("whole", [True, False])
def test_a_name_gives_way_where_no_index_vouches_for_it(
    keys: dict[str, Any], origin: Origin, whole: bool
):
    before = fixed(written(keys))
    want = wanted(origin=origin, whole=whole)
    assert codes(before, want) == ["TF508", "TF508"]
    after = fixed(before, want)
    assert codes(after, want) == []
    assert after == fixed(after, want)
    if whole:
        assert after == fixed(written(keys), want), "as one that is new"
    assert injected(after) == ([] if origin is LOCAL else [origin.requirement])
    assert codes(before) == []


@pytest.mark.parametrize("here", ORIGINS.values(), ids=ORIGINS)
@pytest.mark.parametrize("there", [GIT, ARCHIVE], ids=["git", "archive"])
def test_an_address_in_the_file_stays(there: Origin, here: Origin):
    text = fixed("{}", from_(there))
    want = from_(here)
    assert codes(text, want) == []
    if here is not FOLDER:
        assert fixed(text, want) == text


def test_a_commit_of_the_same_repository_follows():
    text = fixed("{}", from_(GIT))
    assert codes(text, from_(LATER)) == []
    assert fixed(text, from_(LATER)) == fixed("{}", from_(LATER))
    by_branch = text.replace("a" * 40, "main")
    assert injected(fixed(by_branch, from_(LATER))) == [f"poetry-tf@{REPOSITORY}@main"]
    elsewhere = replace(GIT, url=GIT.url.replace("owner", "another"))
    assert injected(fixed(text, from_(elsewhere))) == [GIT.requirement]


@pytest.mark.parametrize("origin", [INDEX, GIT, ARCHIVE], ids=lambda item: item.source)
def test_a_container_without_poetry_tf_gets_it_once_it_can_be_had(origin: Origin):
    text = fixed("{}", from_(LOCAL))
    assert codes(text, from_(origin)) == []
    assert fixed(text, from_(origin)) == fixed("{}", from_(origin))


@pytest.mark.parametrize("origin", [INDEX, GIT, LOCAL], ids=lambda item: item.source)
def test_poetry_tf_that_a_person_took_out_stays_out(origin: Origin):
    text = container(onCreateCommand=f"pipx install poetry=={POETRY}", postStartCommand="true")
    assert fixed(text, from_(origin)) == text or origin is LOCAL
    assert injected(fixed(text, from_(origin))) == []


@pytest.mark.parametrize(
    "command",
    [
        "pipx inject poetry poetry-tf",
        "pipx inject poetry poetry_tf==0.1.0 || true",
        "pipx inject -f poetry other 'poetry-tf >=0.1'",
        "pip install poetry-tf",
        "pip install Poetry.TF[x]==1",
        "poetry self add poetry-tf@latest",
        "poetry self add poetry-tf@^0.1",
        ["bash", "-lc", "sudo pip3 install poetry-tf~=0.1"],
    ],
)
def test_a_name_that_a_person_wrote_is_told(command: Any):
    text = container(updateContentCommand=command, postStartCommand="true")
    text = text.replace(" && (pipx inject poetry poetry-tf==0.1.0", " && (true")
    (change,) = (
        item
        for item in find_changes(PATH, JsoncDocument.parse(text), from_(LOCAL))
        if item.code is not None
    )
    assert (change.code, change.path[0], change.edits) == ("TF508", "updateContentCommand", ())
    assert codes(text) == []


@pytest.mark.parametrize(
    "command",
    [
        f"pipx inject poetry {REPOSITORY}",
        f"poetry self add {REPOSITORY}@main",
        "pip install poetry-tf@https://files.example/poetry_tf.whl",
        "pip install ./poetry_tf-0.1.0-py3-none-any.whl poetry-tf-other==1",
        "pipx inject poetry-tf six",
        "echo pip install poetry-tf-x",
    ],
)
def test_what_is_no_bare_name_is_not(command: str):
    text = container(updateContentCommand=command, postStartCommand="true")
    text = text.replace(" && (pipx inject poetry poetry-tf==0.1.0", " && (true")
    assert codes(text, from_(LOCAL)) == []


@pytest.mark.parametrize("origin", ORIGINS.values(), ids=ORIGINS)
def test_a_start_without_poetry_tf_advises_what_works(
    start: Callable[..., list[str]], origin: Origin
):
    (told,) = start(fixed("{}", from_(origin)), doctor="false")
    advice = told.partition("(no GPU? ")[2].rstrip(")")
    if origin is LOCAL:
        assert advice == "poetry tf doctor on the host"
    else:
        wants = origin.url or "poetry-tf"
        assert shlex.split(advice) == [
            *("poetry", "self", "add", wants),
            *("&&", "poetry", "tf", "doctor"),
        ]


@pytest.mark.parametrize("origin", ORIGINS.values(), ids=ORIGINS)
def test_where_poetry_tf_comes_from_is_told(origin: Origin):
    document = JsoncDocument.parse(fixed("{}", from_(origin)))
    (part,) = (
        item
        for item in list_parts(PATH, document, from_(origin), CATALOG)
        if item.name == "poetry-tf"
    )
    assert part.value == (origin.requirement or "none")
    if origin is LOCAL:
        assert LOCAL.url in part.origin
        assert "run poetry tf devcontainer" in part.origin
