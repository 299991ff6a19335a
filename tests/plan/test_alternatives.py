"""What is installed together: groups, extras, and what includes or names others of them."""

from __future__ import annotations

import json

import pytest

from poetry_tf.plan.alternatives import alternatives, container_alternative, default_alternative
from poetry_tf.plan.derive import derive_plan
from poetry_tf.plan.environments import Target
from poetry_tf.plan.main_line import main_requirement
from poetry_tf.releases import load
from poetry_tf.releases.images import load_images
from tests.made import in_memory

HERE = Target("linux-x86_64", "3.11")
HEAD = '[project]\nname = "demo"\nversion = "0"\nrequires-python = ">=3.10,<3.12"\n'
LEGACY = """\
[tool.poetry]
name = "demo"
version = "0"
[tool.poetry.dependencies]
python = ">=3.10,<3.12"
tensorflow = {version = "~2.18.0", optional = true}
tensorflow-cpu = {version = "~2.18.0", optional = true}
[tool.poetry.extras]
gpu = ["tensorflow"]
Cpu = ["TensorFlow-CPU"]
"""
EXTRAS = f"""\
{HEAD}
[project.optional-dependencies]
gpu = ["tensorflow ~=2.18.0"]
cpu = ["tensorflow-cpu ~=2.18.0"]
all = ["demo[gpu]"]
"""
GROUPS = f"""\
{HEAD}
[dependency-groups]
gpu = ["tensorflow ~=2.18.0"]
cpu = ["tensorflow-cpu ~=2.18.0"]
everything = [{{include-group = "gpu"}}]
[tool.poetry.group.gpu]
optional = true
[tool.poetry.group.cpu]
optional = true
[tool.poetry.group.everything]
optional = true
"""
MARKED = """\
[tool.poetry]
name = "demo"
version = "0"
[tool.poetry.dependencies]
python = ">=3.10,<3.12"
tensorflow = {version = "~2.18.0", markers = "extra == 'gpu' and extra != 'cpu'"}
tensorflow-cpu = {version = "~2.18.0", markers = "extra == 'cpu'"}
[tool.poetry.extras]
gpu = ["tensorflow"]
cpu = ["tensorflow-cpu"]
"""


def brought(text: str) -> dict[str, list[str]]:
    """The distributions of each alternative, by its group or extra."""
    pyproject = in_memory(text).pyproject
    return {
        one.group or one.extra or "": [
            item.name
            for item in pyproject.requirements
            if one.counts(item, HERE)
            if item.name != "demo"
        ]
        for one in alternatives(pyproject)
    }


def test_extras():
    assert brought(LEGACY) == {"": [], "gpu": ["tensorflow"], "cpu": ["tensorflow-cpu"]}
    assert brought(EXTRAS) == {
        "": [],
        "gpu": ["tensorflow"],
        "cpu": ["tensorflow-cpu"],
        "all": ["tensorflow"],
    }


def test_optional_groups():
    assert brought(GROUPS) == {
        "": [],
        "cpu": ["tensorflow-cpu"],
        "everything": ["tensorflow"],
        "gpu": ["tensorflow"],
    }
    # A group that is not optional brings what it includes with it.
    always = GROUPS.replace("[tool.poetry.group.everything]\noptional = true\n", "")
    assert brought(always) == {"": ["tensorflow"], "cpu": ["tensorflow", "tensorflow-cpu"]}


def test_groups_of_poetrys_own_table_and_the_old_one():
    text = (
        f'{HEAD}[tool.poetry.group.Ml]\noptional = true\ninclude-groups = ["more"]\n'
        "[tool.poetry.group.more]\noptional = true\n"
        '[tool.poetry.group.more.dependencies]\ntensorflow = "~2.18.0"\n'
        '[tool.poetry.dev-dependencies]\ntensorflow-cpu = "~2.18.0"\n'
    )
    assert brought(text) == {
        "": ["tensorflow-cpu"],
        "ml": ["tensorflow-cpu", "tensorflow"],
        "more": ["tensorflow-cpu", "tensorflow"],
    }


def test_groups_that_include_each_other_end():
    text = (
        f'{HEAD}[dependency-groups]\na = [{{include-group = "b"}}, "tensorflow"]\n'
        'b = [{include-group = "a"}]\n'
    )
    assert default_alternative(in_memory(text).pyproject).groups >= {"a", "b", "main"}


def test_extra_markers_are_honoured():
    assert brought(MARKED) == {"": [], "cpu": ["tensorflow-cpu"], "gpu": ["tensorflow"]}


@pytest.mark.parametrize(
    ("text", "command", "name"),
    [
        (GROUPS, "poetry install --with cpu", "tensorflow-cpu"),
        (GROUPS, "poetry sync --with=gpu --no-root", "tensorflow"),
        (
            GROUPS,
            "poetry env use 3.11 && poetry install --with 'dev,cpu' && echo ok",
            "tensorflow-cpu",
        ),
        (EXTRAS, "poetry install -E cpu", "tensorflow-cpu"),
        (EXTRAS, 'poetry install --extras "cpu dev"', "tensorflow-cpu"),
        (LEGACY, "poetry install --extras Cpu", "tensorflow-cpu"),
        # Where it names neither, TensorFlow itself is meant.
        (GROUPS, "poetry install", "tensorflow"),
        (EXTRAS, "poetry install --all-extras", "tensorflow"),
        (GROUPS, "make", "tensorflow"),
    ],
)
@pytest.mark.parametrize(
    "form", [lambda text: text, lambda text: text.split(" "), lambda text: {"a": text}]
)
def test_the_container_takes_what_its_command_names(text: str, command: str, name: str, form):
    container = json.dumps({"image": "x", "postCreateCommand": form(command)})
    project = in_memory(text, container=container)
    main = main_requirement(project)
    assert main is not None
    assert main.name == name
    plan = derive_plan(project, load(), load_images())
    assert plan is not None
    assert plan.release.distribution == name


def test_a_command_that_is_none_names_nothing():
    for value in (None, 7, [1], {"a": None}):
        container = json.dumps({"postCreateCommand": value, "x": "poetry install --with cpu"})
        project = in_memory(GROUPS, container=container)
        assert container_alternative(project) == default_alternative(project.pyproject)
