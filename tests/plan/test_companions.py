"""The release of a companion that a project gets, by whatever command."""

from __future__ import annotations

import pytest
from packaging.utils import NormalizedName, canonicalize_name
from poetry.core.constraints.version import Version, parse_constraint

from poetry_tf.actions.fix import fix
from poetry_tf.actions.upgrade import companion_move
from poetry_tf.checks.findings import make_context
from poetry_tf.files.project import Project
from poetry_tf.hooks.companions import companion_pin
from tests.made import in_memory, lock_text

TEXT = """\
[project]
name = "x"
version = "1"
requires-python = "~=3.{python}.0"
dependencies = ["tensorflow~={series}.0", "setuptools<82"{more}]

[tool.poetry]
package-mode = false

[tool.poetry-tf]
gpu = "none"
environments = ["linux-x86_64"]
"""


def project(tensorflow: str, python: int, companion: str = "", locked: str = "") -> Project:
    series = tensorflow.rpartition(".")[0]
    more = f', "{companion}"' if companion else ""
    name = canonicalize_name(companion.partition(">")[0])
    packages = [("tensorflow", tensorflow), *([(name, locked)] if locked else [])]
    text = TEXT.format(series=series, python=python, more=more)
    return in_memory(text, lock=lock_text(*packages))


@pytest.mark.parametrize(
    ("name", "tensorflow", "python", "locked", "release"),
    [
        ("tensorflow-addons", "2.13.1", 10, "0.23.0", "0.21.0"),
        ("tensorflow-addons", "2.15.1", 11, "0.21.0", "0.23.0"),
        ("tensorflow-io", "2.13.1", 11, "0.37.1", "0.34.0"),
        ("tensorflow-io", "2.15.1", 11, "0.37.1", "0.36.0"),
        ("tensorflow-io-gcs-filesystem", "2.20.0", 12, "0.23.0", "0.37.1"),
        ("tensorflow-probability", "2.18.1", 12, "0.23.0", "0.25.0"),
        ("tf-keras", "2.14.1", 11, "2.15.0", "2.14.1"),
    ],
)
def test_add_check_and_upgrade_take_the_same(
    name: NormalizedName, tensorflow: str, python: int, locked: str, release: str
) -> None:
    added = companion_pin(project(tensorflow, python), name, marked=False)
    assert added is not None
    found = project(tensorflow, python, name, locked)
    plan = make_context(found).plan
    assert plan is not None
    (item,) = (one for one in found.pyproject.requirements if one.name == name)
    assert str(companion_move(found, item, plan.release, plan.pythons).fit) == release
    after = fix(found, codes={"TF105"})
    (item,) = (one for one in after.pyproject.requirements if one.name == name)
    assert item.constraint == parse_constraint(added)
    assert item.constraint.allows(Version.parse(release))


def test_check_takes_the_newest_that_the_requirement_admits() -> None:
    found = project("2.13.1", 11, "tensorflow-io>=0.31,<0.34", "0.32.0")
    after = fix(found, codes={"TF105"})
    assert "tensorflow-io>=0.33.0,<0.34.0" in after.pyproject.data["project"]["dependencies"]
