"""What a container is for."""

from __future__ import annotations

from importlib import metadata

import pytest
from packaging.version import Version

from poetry_tf.devcontainer.spec import ContainerSpec, container_spec
from poetry_tf.plan.settings import GpuChoice
from tests.devcontainer.containers import IMAGES, INSTALL, data, fixed, plan_for
from tests.made import NOWHERE, in_memory, lock_text


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
    assert data(fixed("{}", made))["postCreateCommand"] == (
        f"{INSTALL}{options} || echo 'run: poetry install{options}'"
    )


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
