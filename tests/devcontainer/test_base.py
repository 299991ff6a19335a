"""The name, the image and its registry."""

from __future__ import annotations

import json
from typing import Any

import pytest

from poetry_tf.devcontainer.changes import find_changes
from poetry_tf.devcontainer.image import PYTHON_FEATURE
from poetry_tf.files.jsonc import JsoncDocument
from tests.devcontainer.containers import (
    IMAGES,
    LFS,
    LIVING_POETRY,
    OLD_CUDA,
    PATH,
    POETRY,
    RETIRED_POETRY,
    codes,
    container,
    data,
    fixed,
    having,
    make_spec,
    plan_for,
    written,
)


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
    assert data(fixed(text, make_spec(whole=False)))["name"] == name


GENERATION = IMAGES.generation


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (f"{IMAGES.repository}:{GENERATION}-3.11-bookworm", None),
        (f"{IMAGES.repository}:{GENERATION}-3.10-bullseye", None),
        (f"{IMAGES.repository}:{GENERATION}.0.7-3.11-bookworm", None),
        (f"{IMAGES.repository}:dev-{GENERATION}-3.11-bookworm", None),
        (f"{IMAGES.repository}:dev-3.11-bookworm", None),
        (f"{IMAGES.repository}:3.11.4-bookworm", None),
        ("mcr.microsoft.com/vscode/devcontainers/python:3.11", None),
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
        ("ghcr.io/me/devcontainers/python:1-3.8", None),
        ("registry.example/python:3.8", None),
        ("docker.m.daocloud.io/library/python:3.8", "TF502"),
    ],
)
def test_an_image_is_judged_by_its_python_and_generation(image: str, says: str | None):
    text = container(image=image)
    found = [
        item
        for item in find_changes(PATH, JsoncDocument.parse(text), make_spec())
        if item.path == ("image",)
    ]
    assert [item.code for item in found] == ([says] if says else [])
    made = data(fixed(text))["image"]
    assert made == (image if says is None else IMAGES.image("3.11"))


@pytest.mark.parametrize("repository", [IMAGES.repository, "mcr.azure.cn/devcontainers/python"])
@pytest.mark.parametrize(
    ("tag", "right"),
    [
        ("3-3.11-trixie", "3-3.11-bookworm"),
        ("3.0.7-3.10-trixie", "3.0.7-3.10-bookworm"),
        ("dev-3-3.11-trixie", "dev-3-3.11-bookworm"),
        (f"3-3.11-trixie@sha256:{'0' * 64}", "3-3.11-bookworm"),
        ("3-3.11", "3-3.11-bookworm"),
        ("3.11", "3.11-bookworm"),
        ("3-3.11-bookworm", None),
        ("3-3.11-bullseye", None),
        (f"3-3.11@sha256:{'0' * 64}", None),
    ],
)
def test_cuda_has_to_be_installable_in_the_distribution(
    repository: str, tag: str, right: str | None
):
    text = container(image=f"{repository}:{tag}")
    assert codes(text) == ["TF503"] * (right is not None)
    assert data(fixed(text))["image"] == f"{repository}:{right or tag}"
    assert codes(fixed(text)) == []
    # A newer CUDA can be installed in any of them, and so can none.
    for plan in (plan_for("2.18", "system"), plan_for("2.18", "none")):
        assert data(fixed(text, make_spec(plan)))["image"] == f"{repository}:{tag}"


@pytest.mark.parametrize(
    ("image", "right"),
    [
        (
            "mcr.microsoft.com/devcontainers/base:trixie",
            "mcr.microsoft.com/devcontainers/base:bookworm",
        ),
        ("python:3.11-slim-trixie", "python:3.11-slim-bookworm"),
        (f"{IMAGES.repository}:latest", IMAGES.image("3.11")),
        (IMAGES.repository, IMAGES.image("3.11")),
        (f"{IMAGES.repository}:trixie", IMAGES.image("3.11")),
        (f"{IMAGES.repository}:3-trixie", f"{IMAGES.repository}:3-bookworm"),
        ("mcr.microsoft.com/devcontainers/base", None),
        ("mcr.microsoft.com/vscode/devcontainers/python:3.11", None),
        ("python:3.11-slim", None),
        ("mine:trixie", None),
    ],
)
def test_so_it_has_where_a_feature_installs_python(image: str, right: str | None):
    features = {**data(container())["features"], f"{PYTHON_FEATURE}:1": {"version": "3.11"}}
    text = container(image=image, features=features)
    assert codes(text) == ["TF503"] * (right is not None)
    assert data(fixed(text))["image"] == (right or image)


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
    # Of a compose file that is not there nothing is known.
    request = None if "dockerComposeFile" in base else {"gpu": "optional"}
    assert made.pop("hostRequirements", None) == request
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
    # Of a compose file that is not there nothing is known.
    assert codes(text) == ["TF505"] if "dockerComposeFile" in base else ["TF504", "TF505"]
    assert data(fixed(text))["features"] == {LFS: {}, f"{living}{new_tag}": made}
    # Nor where nothing else is to be added.
    text = written({"image": IMAGES.image("3.11"), "features": {f"{retired}{tag}": value}})
    after = fixed(text, make_spec(whole=False))
    assert data(after)["features"] == {f"{living}{new_tag}": made}
    assert fixed(after, make_spec(whole=False)) == after


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


BY_VARIABLE = "${localEnv:POETRY_TF_REGISTRY:mcr.microsoft.com}/devcontainers/python"


def test_each_machine_may_name_the_registry_where_the_project_sets_that():
    spec = having(registry="mcr.microsoft.com")
    made = fixed("{}", spec)
    tag = IMAGES.image("3.11").rpartition(":")[2]
    assert data(made)["image"] == f"{BY_VARIABLE}:{tag}"
    assert find_changes(PATH, JsoncDocument.parse(made), spec) == ()
    # A file that is there follows, with its own tag.
    text = container(image=f"{IMAGES.repository}:{GENERATION}-3.10-bookworm")
    assert codes(text, spec) == []
    assert data(fixed(text, spec))["image"] == f"{BY_VARIABLE}:{GENERATION}-3.10-bookworm"
    assert fixed(fixed(text, spec)) == text, "nobody wants it any more"
    other = having(registry="mirror.example/mcr")
    assert data(fixed(text, other))["image"] == (
        f"${{localEnv:POETRY_TF_REGISTRY:mirror.example/mcr}}/devcontainers/python"
        f":{GENERATION}-3.10-bookworm"
    )


@pytest.mark.parametrize(
    "prefix",
    [
        "${localEnv:MINE}/devcontainers/python",
        "${localEnv:MINE:a.example/b}/devcontainers/python",
        "mcr.azure.cn/devcontainers/python",
        "m.daocloud.io/mcr.microsoft.com/devcontainers/python",
        "harbor.example:8443/mcr-proxy/devcontainers/python",
        "localhost:5000/devcontainers/python",
    ],
)
def test_another_registry_stays_where_the_image_does_not_fit(prefix: str):
    text = container(image=f"{prefix}:1-3.8-bookworm")
    assert codes(text) == ["TF502"]
    tag = IMAGES.image("3.11").rpartition(":")[2]
    assert data(fixed(text))["image"] == f"{prefix}:{tag}"
    retired = container(image=f"{prefix}:1-3.10-bookworm")
    assert codes(retired) == ["TF505"]
    assert data(fixed(retired))["image"].startswith(f"{prefix}:{GENERATION}-3.10")


OLD, NEW = IMAGES.moved_features.old, IMAGES.moved_features.new


@pytest.mark.parametrize("name", ["pipenv", "ffmpeg-apt-get", "ruff"])
@pytest.mark.parametrize(
    ("tag", "new_tag"), [("", ""), (":1", ":1"), (":1.0.2", ":1.0.2"), ("@sha256:0a", "")]
)
@pytest.mark.parametrize("whole", [True, False])
def test_a_feature_of_the_deleted_organisation_gives_way_to_its_successor(
    name: str, tag: str, new_tag: str, whole: bool
):
    text = container(features={**data(container())["features"], f"{OLD}{name}{tag}": {"a": "b"}})
    spec = make_spec(whole=whole)
    assert codes(text, spec) == ["TF505"]
    made = fixed(text, spec)
    assert data(made)["features"] == {
        **data(container())["features"],
        f"{NEW}{name}{new_tag}": {"a": "b"},
    }
    assert codes(made, spec) == []


def test_a_feature_of_the_deleted_organisation_stays_with_its_mirror():
    mirror = "ghcr.nju.edu.cn"
    old, new = (text.replace("ghcr.io", mirror) for text in (OLD, NEW))
    features = data(container())["features"]
    text = container(features={**features, f"{old}ruff:1": {}, f"{old}pipx-package:1": {}})
    assert codes(text) == ["TF505", "TF505"]
    assert data(fixed(text))["features"] == {
        **features,
        f"{new}ruff:1": {},
        f"{old}pipx-package:1": {},
    }


@pytest.mark.parametrize("tag", ["", ":2"])
def test_the_order_of_installation_follows_the_features(tag: str):
    order = [f"{OLD}poetry{tag}", f"{LFS}", f"{OLD}pipenv{tag}", f"{OLD}gone{tag}", 3]
    features: dict[str, Any] = {RETIRED_POETRY: {}, LFS: {}, f"{OLD}pipenv:2": {}}
    text = container(features=features, overrideFeatureInstallOrder=order)
    made = fixed(text)
    assert data(made)["overrideFeatureInstallOrder"] == [LFS, f"{NEW}pipenv{tag}", 3]
    assert codes(made) == [] and fixed(made) == made
    # On a base of the user's own a feature goes on to install Poetry.
    made = fixed(written({**BASES[0], "features": features, "overrideFeatureInstallOrder": order}))
    assert data(made)["overrideFeatureInstallOrder"][0] == f"{NEW}poetry{tag}"
    # What an earlier fix has left there.
    left = container(overrideFeatureInstallOrder=[f"{OLD}poetry"])
    assert codes(left) == ["TF505"]
    assert fixed(left) == container()
    both = [f"{NEW}ruff", f"{OLD}ruff"]
    text = container(features={f"{NEW}ruff:1": {}}, overrideFeatureInstallOrder=both)
    assert data(fixed(text))["overrideFeatureInstallOrder"] == both[:1]


def test_a_feature_of_the_deleted_organisation_without_a_successor_is_left_and_said():
    text = container(features={**data(container())["features"], f"{OLD}pipx-package:1": {}})
    (change,) = (
        item for item in find_changes(PATH, JsoncDocument.parse(text), make_spec()) if item.code
    )
    assert (change.code, change.edits) == ("TF505", ())
    assert "nothing replaces it" in change.remedy
    assert fixed(text) == text


def test_a_feature_of_the_deleted_organisation_goes_where_its_successor_is_there():
    features = {**data(container())["features"], f"{NEW}ruff:1": {}}
    text = container(features={**features, f"{OLD}ruff:1": {}})
    assert data(fixed(text))["features"] == features
