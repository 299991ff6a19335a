"""The edits that rename a requirement."""

from __future__ import annotations

import pytest

from poetry_tf.files.edits import apply
from poetry_tf.pyproject.requirement_edits import rename_edits
from tests.made import in_memory


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[project]\ndependencies = [\"{}[a]~=2.13 ; os_name=='x'\"]", "tensorflow-cpu"),
        ('[tool.poetry.dependencies]\n{} = "^2.13" # it', "tensorflow-cpu"),
        ('[tool.poetry.dependencies.{}]\nversion = "^2.13"', "tensorflow-cpu"),
        (
            '[tool.poetry.dependencies]\n{} = [{{version = "^2.13"}}, {{version = "^2.14"}}]',
            "tensorflow-cpu",
        ),
    ],
)
def test_a_renamed_requirement_changes_its_name_and_nothing_else(before: str, after: str):
    text = before.format("tersorflow")
    project = in_memory(text)
    edits = rename_edits(project, project.pyproject.requirements[0], after)
    assert apply(project, edits).pyproject.document.text == before.format(after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            '[project]\ndependencies = ["{}; os_name==\'a\'", "numpy", "{}; os_name==\'b\'"]',
            "tensorflow",
        ),
        (
            '[project]\ndependencies = ["{}"]\n[tool.poetry.dependencies]\n'
            '{} = {{source = "mine"}}\n',
            "tensorflow",
        ),
        (
            '[tool.poetry.dependencies]\n{} = {{version = "*", optional = true}}\n'
            "[tool.poetry.extras]\nall = ['numpy', '{}'] # all\nnone = ['numpy']\nodd = 3\n",
            "tensorflow",
        ),
    ],
)
def test_a_name_is_changed_everywhere_it_must(before: str, after: str):
    project = in_memory(before.format("tersorflow", "tersorflow"))
    edits = rename_edits(project, project.pyproject.requirements[0], after)
    assert apply(project, edits).pyproject.document.text == before.format(after, after)


@pytest.mark.parametrize(
    "text",
    [
        '[tool.poetry.dependencies]\ntersorflow = "*"\nTensorFlow = "~2.13"\n',
        '[tool.poetry.dependencies]\ntersorflow = [{version = "*"}]\ntensorflow = {path = "x"}\n',
        '[project]\ndependencies = ["tersorflow", "Tensorflow[and-cuda]~=2.13.0"]\n',
        '[project]\ndependencies = ["tersorflow", "tensorflow @ https://example.com/a.zip"]\n',
        '[dependency-groups]\nml = ["tersorflow", {include-group = "x"}, "tensorflow"]\nx = []\n',
    ],
)
def test_a_name_that_is_taken_is_not_given_twice(text: str):
    project = in_memory(text)
    item = next(item for item in project.pyproject.requirements if item.name == "tersorflow")
    assert rename_edits(project, item, "tensorflow") == ()


def test_a_name_that_another_list_has_may_be_given():
    text = (
        '[project]\ndependencies = ["tensorflow"]\n[dependency-groups]\nml = ["tersorflow"]\n'
        '[tool.poetry.group.dev.dependencies]\ntersorflow = "*"\n'
        '[tool.poetry.extras]\nall = ["tersorflow"]\n'
    )
    project = in_memory(text)
    for item in project.pyproject.requirements:
        project = apply(project, rename_edits(project, item, "tensorflow"))
    # An extra is about main dependencies alone.
    assert project.pyproject.document.text.count("tersorflow") == 1


def test_an_extra_is_not_made_to_name_one_distribution_twice():
    text = (
        '[tool.poetry.dependencies]\ntersorflow = "*"\n'
        '[tool.poetry.extras]\nall = ["tersorflow", "tensorflow"]\n'
    )
    project = in_memory(text)
    after = apply(project, rename_edits(project, project.pyproject.requirements[0], "tensorflow"))
    assert after.pyproject.data["tool"]["poetry"]["extras"] == {"all": ["tensorflow"]}
