"""TF108: the CUDA libraries of another framework beside TensorFlow, by what is locked."""

from __future__ import annotations

from itertools import pairwise

import pytest

from poetry_tf.checks.findings import Finding
from poetry_tf.commands.devcontainer_output import plan_summary, unproven_warning
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.files.project import Project
from poetry_tf.plan.derive import derive_plan
from poetry_tf.plan.model import Plan
from poetry_tf.releases import load
from poetry_tf.releases.images import load_images
from tests.made import found, in_memory

LINUX = "platform_system == 'Linux' and platform_machine == 'x86_64'"
Packages = dict[str, tuple[str, dict[str, str]]]

# What the wheels of these releases require, as far as it is judged.
TORCH_2_5: Packages = {
    "torch": ("2.5.1", {"nvidia-cudnn-cu12": "9.1.0.70", "nvidia-cublas-cu12": "12.4.5.8"}),
    "nvidia-cudnn-cu12": ("9.1.0.70", {"nvidia-cublas-cu12": "12.4.5.8"}),
    "nvidia-cublas-cu12": ("12.4.5.8", {}),
}
TORCH_2_7: Packages = {
    "torch": ("2.7.1", {"nvidia-cudnn-cu12": "9.5.1.17", "nvidia-cublas-cu12": "12.6.4.1"}),
    "nvidia-cudnn-cu12": ("9.5.1.17", {}),
    "nvidia-cublas-cu12": ("12.6.4.1", {}),
}
TORCH_2_3: Packages = {
    "torch": ("2.3.1", {"nvidia-cudnn-cu12": "8.9.2.26"}),
    "nvidia-cudnn-cu12": ("8.9.2.26", {}),
}
TORCH_2_11: Packages = {
    "torch": (
        "2.11.0",
        {
            "nvidia-cudnn-cu13": "9.19.0.56",
            "nvidia-nccl-cu13": "2.28.9",
            "nvidia-cublas": "13.1.0.3",
        },
    ),
    "nvidia-cudnn-cu13": ("9.19.0.56", {}),
    "nvidia-nccl-cu13": ("2.28.9", {}),
    "nvidia-cublas": ("13.1.0.3", {}),
}
JAX: Packages = {
    "jax": ("0.10.2", {"jax-cuda12-plugin": "0.10.2"}),
    "jax-cuda12-plugin": (
        "0.10.2",
        {"nvidia-cudnn-cu12": "9.10.2.21", "nvidia-nccl-cu12": "2.27.7"},
    ),
    "nvidia-cudnn-cu12": ("9.10.2.21", {}),
    "nvidia-nccl-cu12": ("2.27.7", {}),
}


def tensorflow(version: str, name: str = "tensorflow", *, cuda: bool = False) -> Packages:
    own: Packages = {
        "nvidia-cudnn-cu12": ("9.3.0.75", {}),
        "nvidia-nccl-cu12": ("2.25.1", {}),
    }
    if not cuda:
        return {name: (version, {})}
    return {name: (version, {key: own[key][0] for key in own}), **own}


def project_of(
    lines: str, *packages: Packages, python: str = ">=3.11,<3.13", more: str = ""
) -> Project:
    text = f'[project]\nname = "x"\nrequires-python = "{python}"\ndependencies = {lines}\n{more}'
    blocks = []
    for name, (version, requires) in {k: v for one in packages for k, v in one.items()}.items():
        edges = "".join(
            f'{key} = {{version = "{value}", markers = "{LINUX}"}}\n'
            for key, value in requires.items()
        )
        blocks.append(
            f'[[package]]\nname = "{name}"\nversion = "{version}"\noptional = false\n'
            f'groups = ["main"]\nfiles = []\n\n[package.dependencies]\n{edges}\n'
        )
    lock = "".join(blocks) + '[metadata]\nlock-version = "2.1"\ncontent-hash = "0"\n'
    return in_memory(text, lock=lock)


def findings(lines: str, *packages: Packages, more: str = "") -> list[Finding]:
    return found(project_of(lines, *packages, more=more), "TF108")


BOTH = '["tensorflow", "torch", "jax"]'


def test_an_older_cudnn_that_tensorflow_refuses_is_an_error():
    error, warning = findings(BOTH, tensorflow("2.18.1"), TORCH_2_5)
    assert error.severity == "error"
    assert error.message == (
        "nvidia-cudnn-cu12 9.1.0.70 (required by torch) is older than the cuDNN 9.3 that "
        "TensorFlow 2.18.1 is built with; TensorFlow finds it before the container's and refuses it"
    )
    assert error.remedy == (
        "Require a build of torch without CUDA, or one that requires cuDNN 9.3 or later, or keep "
        "TensorFlow and torch in separate environments"
    )
    assert not error.edits
    # TensorFlow does not check the version of the others.
    assert warning.severity == "warning"
    assert "nvidia-cublas-cu12 12.4.5.8 (required by torch) is older" in warning.message


@pytest.mark.parametrize("version", ["2.15.1", "2.16.1", "2.17.1", "2.18.0", "2.19.1", "2.20.0"])
def test_a_newer_minor_or_another_soname_is_let_be(version: str):
    newer = TORCH_2_7 if version >= "2.18" else TORCH_2_3
    assert findings(BOTH, tensorflow(version), newer) == []
    other = TORCH_2_3 if version >= "2.18" else TORCH_2_7
    (*rest,) = findings(
        BOTH, tensorflow(version), {**other, "nvidia-cublas-cu12": ("12.6.4.1", {})}
    )
    assert all("cudnn" not in finding.message for finding in rest)


@pytest.mark.parametrize("cuda_first", [True, False])
def test_two_cuda_majors_with_the_same_files_are_an_error(cuda_first: bool):
    parts = [tensorflow("2.20.0", cuda=True), TORCH_2_11]
    cudnn, nccl = findings(
        '["tensorflow[and-cuda]", "torch"]', *(parts if cuda_first else reversed(parts))
    )
    assert cudnn.severity == nccl.severity == "error"
    assert cudnn.message == (
        "nvidia-cudnn-cu12 9.3.0.75 (required by tensorflow) and nvidia-cudnn-cu13 9.19.0.56 "
        "(required by torch) hold the same files for CUDA 12 and CUDA 13: both use the one "
        "that is installed last"
    )
    assert "torch without CUDA" in cudnn.remedy and "tensorflow without" not in cudnn.remedy
    assert "nvidia-nccl-cu13" in nccl.message
    # cuBLAS has a folder for each CUDA.
    assert not any("cublas" in one.message for one in (cudnn, nccl))


@pytest.mark.parametrize(
    ("line", "wheel", "remedy"),
    [
        (
            "tensorflow",
            ("nvidia-cudnn-cu12", "9.1.0.70"),
            "Remove the requirement on nvidia-cudnn-cu12, or require 9.3 or later",
        ),
        (
            "tensorflow",
            ("nvidia-cublas-cu12", "12.1.3.1"),
            "Remove the requirement on nvidia-cublas-cu12, or require the version of TensorFlow's "
            "and-cuda extra",
        ),
        (
            "tensorflow[and-cuda]",
            ("nvidia-cudnn-cu13", "9.19.0.56"),
            "Remove the requirement on nvidia-cudnn-cu13",
        ),
    ],
)
def test_a_wheel_that_the_project_requires_itself_is_no_matter_of_builds(
    line: str, wheel: tuple[str, str], remedy: str
):
    name, version = wheel
    tensorflow_ = tensorflow("2.18.1", cuda="and-cuda" in line)
    (finding,) = findings(f'["{line}", "{name}"]', tensorflow_, {name: (version, {})})
    assert finding.remedy == remedy


def test_a_library_for_another_cuda_is_a_warning():
    (finding,) = findings(BOTH, tensorflow("2.18.1"), TORCH_2_11)
    assert finding.severity == "warning"
    assert "nvidia-cudnn-cu13 9.19.0.56 (required by torch) is built for CUDA 13" in finding.message
    # Only from 2.21 on does TensorFlow look for NCCL there.
    (finding,) = findings(BOTH, tensorflow("2.21.0"), TORCH_2_11)
    assert "nvidia-cudnn-cu13 9.19.0.56 and nvidia-nccl-cu13 2.28.9" in finding.message
    older = {**TORCH_2_11, "nvidia-cudnn-cu13": ("9.2.0.1", {})}
    older["torch"] = ("2.11.0", {"nvidia-cudnn-cu13": "9.2.0.1"})
    # Older than the data, so nothing is known of it.
    assert findings(BOTH, tensorflow("2.18.1"), older) == []


def test_jax_with_the_same_cuda_is_let_be():
    assert findings('["tensorflow", "jax[cuda12]"]', tensorflow("2.18.1"), JAX) == []
    with_both = findings(
        '["tensorflow", "jax[cuda12]", "torch"]', tensorflow("2.18.1"), JAX, TORCH_2_11
    )
    assert {one.severity for one in with_both} == {"error"}
    assert any("required by jax-cuda12-plugin" in one.message for one in with_both)


@pytest.mark.parametrize(
    "package", [tensorflow("2.18.1", "tensorflow-cpu"), tensorflow("2.13.1"), {}]
)
def test_a_build_without_cuda_or_runpath_finds_no_library_of_another(package: Packages):
    lines = '["tensorflow-cpu", "tensorflow", "torch"]'
    assert findings(lines, package, TORCH_2_5) == []


def test_a_build_without_cuda_is_not_judged_at_all():
    assert findings('["tensorflow-cpu", "torch", "jax"]', JAX, TORCH_2_11) == []


def test_what_is_never_installed_together_is_let_be():
    more = '[project.optional-dependencies]\na = ["tensorflow"]\nb = ["torch"]\n'
    assert findings("[]", tensorflow("2.18.1"), TORCH_2_5, more=more) == []
    more = more.replace('b = ["torch"]', 'b = ["torch", "tensorflow"]')
    assert findings("[]", tensorflow("2.18.1"), TORCH_2_5, more=more)
    groups = (
        '[dependency-groups]\na = ["tensorflow"]\nb = ["torch"]\n'
        "[tool.poetry.group.a]\noptional = true\n[tool.poetry.group.b]\noptional = true\n"
    )
    assert findings("[]", tensorflow("2.18.1"), TORCH_2_5, more=groups) == []
    lines = "[\"tensorflow; python_version < '3.12'\", \"torch; python_version >= '3.12'\"]"
    assert findings(lines, tensorflow("2.18.1"), TORCH_2_5) == []
    mac = '["tensorflow", "torch; sys_platform == \'darwin\'"]'
    assert findings(mac, tensorflow("2.18.1"), TORCH_2_5) == []
    declared = '[tool.poetry-tf]\nenvironments = ["macos-arm64"]\n'
    assert findings(BOTH, tensorflow("2.18.1"), TORCH_2_5, more=declared) == []


@pytest.mark.parametrize("gpu", ["auto", "system"])
@pytest.mark.parametrize("torch", [TORCH_2_5, TORCH_2_11])
def test_no_pair_is_called_proven_beside_such_a_lock(gpu: str, torch: Packages):
    more = f'[tool.poetry-tf]\ngpu = "{gpu}"\n'

    def plan(*packages: Packages) -> Plan:
        project = project_of('["tensorflow~=2.18.0", "torch"]', *packages, more=more)
        plan = derive_plan(project, load(), load_images(), makes_container=True)
        assert plan is not None
        return plan

    container = JsoncDocument.parse('{"image": "mcr.microsoft.com/devcontainers/python:3.11"}')
    beside = plan(tensorflow("2.18.1"), torch)
    warning = unproven_warning(beside)
    assert warning is not None and "nvidia-cudnn" in warning and "TF108" in warning
    assert not beside.gpu.proven and "proven" not in plan_summary(beside, container)
    alone = plan(tensorflow("2.18.1"))
    assert unproven_warning(alone) is None
    assert "(proven for this TensorFlow)" in plan_summary(alone, container)


def test_the_order_of_the_lock_does_not_matter():
    orders = [(tensorflow("2.18.1"), TORCH_2_5), (TORCH_2_5, tensorflow("2.18.1"))]
    texts = [[one.message for one in findings(BOTH, *order)] for order in orders]
    assert all(first == second for first, second in pairwise(texts))
