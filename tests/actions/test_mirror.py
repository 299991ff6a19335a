"""The mirror as a setting or as a source."""

from __future__ import annotations

import pytest

from poetry_tf.actions.mirror import validate_mirror
from poetry_tf.actions.options import InitOptions
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.project import Project
from poetry_tf.index.mirrors import AUTO_MIRROR, MIRRORS, mirror_at
from poetry_tf.plan.model import PlanError
from poetry_tf.plan.settings import read_settings
from tests.actions.projects import LEGACY, prepared
from tests.made import found, in_memory


def test_a_mirror_that_means_nothing_is_refused():
    for option in ("auto", "off", *MIRRORS, "https://pypi.example.com/simple/"):
        validate_mirror(option)
    with pytest.raises(PlanError, match=r"^--mirror: 'nowhere' is not a mirror"):
        validate_mirror("nowhere", "--mirror: ")


@pytest.mark.parametrize(
    ("setting", "option", "wanted"),
    [
        (None, None, "auto"),
        ("off", None, "off"),
        ("off", "auto", "auto"),
        (None, "tuna", "tuna"),
        (None, "off", "off"),
        ("off", "tuna", "tuna"),
    ],
)
def test_the_mirror_setting_is_asked_for_else_as_it_was_else_auto(
    setting: str | None, option: str | None, wanted: str
):
    settings = None if setting is None else f'# mine\n[tf]\nmirror = "{setting}" # why\n'
    after = prepared(in_memory(LEGACY, poetry_toml=settings), InitOptions(mirror=option))
    assert after.poetry_toml is not None
    assert after.poetry_toml.data == {"tf": {"mirror": wanted}}
    if settings is not None:
        assert after.poetry_toml.text == settings.replace(str(setting), wanted)


def test_several_mirrors_are_written_as_a_list():
    after = prepared(in_memory(LEGACY), InitOptions(mirror="tuna, aliyun"))
    assert after.poetry_toml is not None
    assert after.poetry_toml.text == '[tf]\nmirror = ["tuna", "aliyun"]\n'


def with_source(text: str, mirror: str | None = None) -> Project:
    return prepared(in_memory(text), InitOptions(write_source=True, mirror=mirror))


@pytest.mark.parametrize(
    ("option", "name", "url"),
    [
        (None, "tuna", AUTO_MIRROR.url),
        ("bfsu", "bfsu", MIRRORS["bfsu"].url),
        (
            "https://pypi.example.com/simple/",
            "pypi-example-com",
            "https://pypi.example.com/simple/",
        ),
    ],
)
def test_the_mirror_is_written_as_a_source_where_that_is_asked_for(
    option: str | None, name: str, url: str
):
    after = with_source(LEGACY, option)
    sources = after.pyproject.data["tool"]["poetry"]["source"]
    assert sources == [{"name": name, "url": url, "priority": "primary"}]
    assert after.poetry_toml is None
    # It was asked for, so it is nothing to find.
    assert found(after, "TF401") == []
    accepted = [item.code for item in read_settings(after)[0].ignore]
    assert accepted == (["TF401"] if mirror_at(url) else [])
    rest = iter(after.pyproject.document.text.splitlines())
    assert all(line in rest for line in LEGACY.splitlines())
    assert with_source(after.pyproject.document.text, option).pyproject.document.text == (
        after.pyproject.document.text
    )


@pytest.mark.parametrize("source", ["[3]", '"x"', "{name = 'x'}"])
def test_sources_of_an_odd_type_are_no_traceback(source: str):
    text = LEGACY.replace('name = "study"', f'name = "study"\nsource = {source}')
    with pytest.raises((PlanError, ProjectError)):
        with_source(text)


def test_no_source_is_written_for_no_mirror():
    assert "source" not in with_source(LEGACY, "off").pyproject.data["tool"]["poetry"]


def test_a_source_holds_no_credentials():
    with pytest.raises(PlanError) as caught:
        with_source(LEGACY, "https://user:s3cr3t@pypi.example.com/simple/")
    assert "s3cr3t" not in str(caught.value)


def test_a_project_with_a_source_in_place_of_pypi_gets_no_mirror():
    first = with_source(LEGACY)
    again = prepared(first, InitOptions())
    assert again.poetry_toml is None
    assert again.pyproject.document.text == first.pyproject.document.text
