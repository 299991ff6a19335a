"""Poetry, what poetry-tf requires and pip, as made-up packages of a local index.

`poetry tf mirror save` saves them beside a project's own.
"""

from __future__ import annotations

from importlib.metadata import requires, version

from packaging.requirements import Requirement

from tests.support.index import LocalIndex


def add_tools(index: LocalIndex) -> None:
    """Adds each in the version that is installed here, without requirements of its own."""
    for line in (*(requires("poetry-tf") or ()), "pip"):
        name = Requirement(line).name
        index.add(name, version(name))
