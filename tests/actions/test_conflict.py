"""Why a distribution does not fit, in one clause."""

from __future__ import annotations

import pytest
from packaging.utils import canonicalize_name
from poetry.core.constraints.version import parse_constraint
from poetry.core.packages.dependency import Dependency

from poetry_tf.actions.conflict import find_conflict


def cause(*texts: str) -> list[Dependency]:
    found = []
    for text in texts:
        name, _, constraint = text.partition(" ")
        dependency = Dependency(name, constraint or "*")
        if name == "root":
            dependency.is_root = True
        found.append(dependency)
    return found


TENSORFLOW = cause("tensorflow 2.15.1", "numpy >=1.23.5,<2.0.0.dev0")


@pytest.mark.parametrize(
    ("causes", "pythons", "clause"),
    [
        (
            [TENSORFLOW, cause("pandas 3.1.1", "numpy >=2.0.2")],
            [],
            "3.1.1 needs numpy >=2.0.2, TensorFlow 2.15 numpy <2",
        ),
        (
            [TENSORFLOW, cause("pandas 3.0", "numpy >=2"), cause("pandas 3.10", "numpy >=2.1")],
            [],
            "3.10 needs numpy >=2.1, TensorFlow 2.15 numpy <2",
        ),
        (
            [
                TENSORFLOW,
                cause("pandas 3.1", "middle >=2"),
                cause("middle 2.5", "numpy >=2"),
            ],
            [],
            "3.1 needs middle 2.5, which needs numpy >=2, TensorFlow 2.15 numpy <2",
        ),
        (
            [
                cause("tensorflow 2.17.1", "protobuf >=3.20.3,!=4.21.0,!=4.21.1,<5.0.0.dev0"),
                cause("pandas 1.21.0", "protobuf >=6,<7"),
            ],
            [],
            "1.21.0 needs protobuf >=6, TensorFlow 2.17 protobuf <5",
        ),
        (
            [cause("root", "numpy !=1.25,<2"), cause("pandas 3.1", "numpy ==1.25")],
            [],
            # Which poetry-core of Poetry 2.1 writes as a union.
            f"3.1 needs numpy 1.25, the project numpy {parse_constraint('!=1.25,<2')}",
        ),
        (
            [cause("root", "numpy <1.20"), cause("pandas 3.1", "numpy >=2")],
            [],
            "3.1 needs numpy >=2, the project numpy <1.20",
        ),
        (
            [cause("root", "pandas >=3,<4"), cause("tool 1.0", "pandas <3")],
            [],
            "tool 1.0 needs pandas <3",
        ),
        (
            [],
            [(cause("pandas 3.1")[0], ">=3.12", ">=3.11,<3.12.dev0")],
            "3.1 needs Python >=3.12, the project Python >=3.11,<3.12",
        ),
        ([TENSORFLOW, cause("other 1.0", "numpy >=2")], [], None),
        ([], [], None),
    ],
)
def test_a_conflict(
    causes: list[list[Dependency]],
    pythons: list[tuple[Dependency, str, str]],
    clause: str | None,
) -> None:
    found = find_conflict(canonicalize_name("pandas"), causes, pythons)
    assert (found and found.text) == clause


def test_requirements_in_a_circle_end() -> None:
    circle = [cause("pandas 1.0", "tool 1.0"), cause("tool 1.0", "pandas 1.0"), TENSORFLOW]
    assert find_conflict(canonicalize_name("pandas"), circle, []) is None
