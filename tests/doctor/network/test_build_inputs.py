"""What a build asks for, as the project's files say it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.poetry import write_pyproject

from poetry_tf.devcontainer.spec import container_spec
from poetry_tf.doctor.network.apt import PackageRequest
from poetry_tf.doctor.network.build_inputs import (
    BuildInputs,
    base_images,
    read_build_inputs,
    substituted,
)
from poetry_tf.doctor.network.registry import Reference
from poetry_tf.files.project import Project
from poetry_tf.plan.derive import derive_plan
from poetry_tf.releases import load
from poetry_tf.releases.images import load_images

CUDA = "ghcr.io/devcontainers/features/nvidia-cuda"
OPTIONS = {
    "installCudnn": True,
    "installToolkit": True,
    "cudaVersion": "11.8",
    "cudnnVersion": "8.6.0.163",
}


def asked(project: Path, content: Any, variables: dict[str, str] | None = None) -> BuildInputs:
    write_pyproject(project, ["tensorflow>=2.18.0,<2.19.0"], requires_python=">=3.10,<3.13")
    (project / ".devcontainer").mkdir(exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (project / ".devcontainer/devcontainer.json").write_text(text, "utf-8")
    read, images = Project.read(project), load_images()
    wanted = container_spec(read, derive_plan(read, load(), images), images, whole=True)
    return read_build_inputs(read, wanted, (variables or {}).get)


def test_the_seeds_file_asks_for_what_is_reported_against_it(project: Path):
    """The published file of 2024."""
    found = asked(
        project,
        {
            "image": "mcr.microsoft.com/devcontainers/python:1-3.8-bookworm",
            "features": {
                "ghcr.io/devcontainers/features/git-lfs:1": {"version": "latest"},
                f"{CUDA}:1": OPTIONS,
                "ghcr.io/devcontainers-contrib/features/poetry:2": {"version": "latest"},
            },
        },
    )
    image, lfs, cuda, poetry = found.artifacts
    assert image.reference == Reference(
        "mcr.microsoft.com", "devcontainers/python", "1-3.8-bookworm"
    )
    assert image.instead == "Use mcr.microsoft.com/devcontainers/python:3-3.12-bookworm"
    assert "features can't be installed" in image.problem
    assert (lfs.problem, lfs.instead) == ("", "")
    assert cuda.instead == f"Use {CUDA}:3"
    assert "its organisation was deleted" in poetry.problem
    (packages,) = found.packages
    assert "ubuntu2004" in packages.url
    assert packages.requests == (
        PackageRequest("cuda-libraries-11-8"),
        PackageRequest("libcudnn8", "8.6.0.163-1+cuda11.8"),
        PackageRequest("cuda-toolkit-11-8"),
    )
    assert found.servers == (("github.com", "ghcr.io/devcontainers/features/git-lfs:1"),)


def test_a_mirrors_feature_downloads_from_where_it_always_does(project: Path):
    key = "ghcr.mirror.example/devcontainers/features/git-lfs:1"
    found = asked(project, {"image": "python:3.11", "features": {key: {}}})
    assert found.servers == (("github.com", key),)


def test_cudnn_9_is_named_for_its_cuda(project: Path):
    options = {**OPTIONS, "cudaVersion": "12.5", "cudnnVersion": "9.3.0.75", "installNvtx": True}
    (packages,) = asked(project, {"features": {f"{CUDA}:3": options}}).packages
    assert "ubuntu2204" in packages.url
    assert PackageRequest("libcudnn9-cuda-12", "9.3.0.75-1") in packages.requests
    assert PackageRequest("cuda-nvtx-12-5") in packages.requests


@pytest.mark.parametrize("options", [{}, {"cudaVersion": "automatic"}, "12.5", None])
def test_a_feature_that_chooses_itself_has_nothing_to_look_for(project: Path, options: Any):
    assert asked(project, {"features": {f"{CUDA}:3": options}}).packages == ()


def test_the_registry_is_the_one_that_this_machine_names(project: Path):
    name = "${localEnv:POETRY_TF_REGISTRY:mcr.microsoft.com}/devcontainers/python:3-3.11-bookworm"
    (here,) = asked(project, {"image": name}, {"POETRY_TF_REGISTRY": "a.test:5000"}).artifacts
    assert here.reference.registry == "a.test:5000"
    (elsewhere,) = asked(project, {"image": name}).artifacts
    assert elsewhere.reference.registry == "mcr.microsoft.com"


def test_a_feature_that_was_fixed_is_asked_for_as_fixed(project: Path):
    key, digest = f"{CUDA}:3", f"sha256:{'a' * 64}"
    (project / ".devcontainer").mkdir()
    entry = {"version": "3.0.0", "resolved": f"{CUDA}@{digest}", "integrity": digest}
    (project / ".devcontainer/devcontainer-lock.json").write_text(
        json.dumps({"features": {key: entry}}), "utf-8"
    )
    (thing,) = asked(project, {"features": {key: {}}}).artifacts
    assert thing.locked is not None and thing.locked.digest == digest
    assert thing.reference.tag == "3"


def test_a_dockerfiles_images_are_asked_for(project: Path):
    (project / ".devcontainer").mkdir()
    (project / ".devcontainer/My.dockerfile").write_text(
        "ARG PYTHON=3.10\nARG OTHER\nFROM --platform=linux/amd64 python:${PYTHON}-slim AS base\n"
        "FROM base\nFROM nvidia/cuda:${OTHER:-12.5.1}-base\nFROM scratch\n",
        "utf-8",
    )
    content = {"build": {"dockerfile": "My.dockerfile", "args": {"PYTHON": "${localEnv:PY:3.11}"}}}
    found = asked(project, content)
    assert [thing.name for thing in found.artifacts] == [
        "python:3.11-slim",
        "nvidia/cuda:12.5.1-base",
    ]


@pytest.mark.parametrize(
    "content",
    [
        {"image": "a.test/own:${localEnv:TOKEN}"},
        {"image": "${env:TOKEN:x}.a.test/own:1"},
        {"build": {"dockerfile": "My.dockerfile", "args": {"TAG": "${localEnv:TOKEN}"}}},
    ],
)
def test_a_variable_of_the_host_is_sent_to_no_registry(project: Path, content: Any):
    (project / ".devcontainer").mkdir()
    (project / ".devcontainer/My.dockerfile").write_text(
        "ARG TAG=1\nFROM a.test/own:${TAG}\n", "utf-8"
    )
    found = asked(project, content, {"TOKEN": "s3cr3t"})
    assert found.artifacts == () and "TOKEN is not sent to servers" in found.unchecked[0][1]
    assert "s3cr3t" not in str(found)


@pytest.mark.parametrize(
    ("content", "unseen"),
    [
        ({"dockerComposeFile": "compose.yml"}, "dockerComposeFile"),
        ({"build": {"dockerfile": "None"}}, "file not found"),
        ({"image": "Not A Name"}, "not a valid image name"),
        ({"features": {"git-lfs": {}}}, "git-lfs"),
        ({"features": {"https://a.test/x.tgz": {}}}, "a.test"),
    ],
)
def test_what_cannot_be_looked_for_is_said(project: Path, content: Any, unseen: str):
    found = asked(project, content)
    assert found.artifacts == ()
    assert any(unseen in text for _, text in found.unchecked)


@pytest.mark.parametrize(
    "text",
    [
        '{\n  "image": "http://[::1/python:3"\n}',
        '{"features": {\n  "[::1/features/git-lfs:1": {}}}',
    ],
)
def test_what_is_no_name_is_said_with_its_line(project: Path, text: str):
    (project / ".devcontainer").mkdir()
    found = asked(project, text)
    assert found.unchecked[0][1].startswith("devcontainer.json:2: the ")


def test_a_folder_of_the_projects_is_no_feature_to_fetch(project: Path):
    assert asked(project, {"features": {"./mine": {}}}) == BuildInputs()


def test_poetrys_and_poetry_tfs_versions_are_asked_for(project: Path):
    command = "pipx install poetry==2.1.4 && (pipx inject poetry poetry-tf==0.1.0 || echo no)"
    found = asked(project, {"image": "python:3.11", "onCreateCommand": command})
    assert found.tools == (("poetry", "2.1.4"), ("poetry-tf", "0.1.0"))


@given(st.text(), st.dictionaries(st.text(), st.text()))
def test_any_text_is_read_as_a_dockerfile(text: str, given_: dict[str, str]):
    assert all(isinstance(image, str) for image in base_images(text, given_))
    assert isinstance(substituted(text, given_.get), str)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
keys = st.sampled_from(
    ["image", "build", "dockerFile", "features", "onCreateCommand", "containerEnv", "remoteEnv"]
)


@example({"dockerFile": "\0"})
@given(st.dictionaries(keys, values | st.dictionaries(st.just(f"{CUDA}:3"), values)))
def test_any_devcontainer_is_read(tmp_path_factory, content: Any):
    asked(tmp_path_factory.mktemp("project"), content)
