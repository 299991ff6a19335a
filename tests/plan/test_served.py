"""Fixing takes TensorFlow from nobody: whatever the requirements, what is served stays served."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from poetry_tf.actions.fix import fix_requirements
from poetry_tf.files.project import Project
from poetry_tf.plan.requirement import tensorflow_requirements
from tests.made import found, in_memory, lock_text
from tests.plan.served import Served, plain, served

MAC = 'sys_platform == "darwin" and platform_machine == "arm64"'
PLATFORMS = (
    ("",),
    ('sys_platform == "linux"', 'sys_platform != "linux"'),
    (MAC, 'sys_platform != "darwin" or platform_machine != "arm64"'),
    ('platform_system == "Linux"', "platform_system == 'Darwin'"),
)
PINS = st.sampled_from(
    [">=2.2,<3", ">=2.8", ">=2.9,<2.14", ">=2.13", ">=2.15,<2.19", ">=2.16,<2.17", ">=2.17.0,<2.18",
     ">=2.20,<2.21", ">=2.21", "==2.15.1", "==2.18.0", ">=2.10,<2.11", "*"]
)  # fmt: skip
RANGES = st.sampled_from(
    [">=3.9,<3.13", ">=3.8,<3.11", ">=3.10,<3.12", ">=3.10,<3.14", ">=3.9,<3.15", ">=3.8,<3.14",
     ">=3.11", ">=3.12,<3.13"]
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    name: str
    pin: str
    marker: str


@st.composite
def markers(draw: st.DrawFn) -> list[str]:
    """Markers that exclude each other, by platforms and at times by Pythons as well."""
    platforms = draw(st.sampled_from(PLATFORMS))
    split = draw(st.sampled_from(["", "3.10", "3.11", "3.12"]))
    if not split or platforms != ("",):
        return list(platforms)
    return [f'python_version < "{split}"', f'python_version >= "{split}"']


@st.composite
def lists(draw: st.DrawFn) -> list[Line]:
    lines = []
    for marker in draw(markers()):
        names = ["tensorflow", "tensorflow", "tensorflow-cpu"]
        if "darwin" in marker.lower() and "!=" not in marker:
            names = ["tensorflow", "tensorflow-macos"]
        lines.append(Line(draw(st.sampled_from(names)), draw(PINS), marker))
    return lines


def standard(lines: Sequence[Line]) -> list[str]:
    return [
        f"{line.name}{'' if line.pin == '*' else f' ({line.pin})'} ; {line.marker}".rstrip(" ;")
        for line in lines
    ]


def entries(lines: Sequence[Line]) -> str:
    """The same in Poetry's own table."""
    named: dict[str, list[str]] = {}
    for line in lines:
        marker = f", markers = {json.dumps(line.marker)}" if line.marker else ""
        named.setdefault(line.name, []).append(f'{{version = "{line.pin}"{marker}}}')
    return "".join(
        f"{name} = {items[0] if len(items) == 1 else '[' + ', '.join(items) + ']'}\n"
        for name, items in named.items()
    )


@st.composite
def projects(draw: st.DrawFn) -> str:
    lines, python = draw(lists()), draw(RANGES)
    place = draw(st.sampled_from(["main", "legacy", "group", "optional", "extra"]))
    head = f'[project]\nname = "demo"\nversion = "0.1.0"\nrequires-python = "{python}"\n'
    text = {
        "main": f"{head}dependencies = {json.dumps(standard(lines))}\n",
        "legacy": f'[tool.poetry.dependencies]\npython = "{python}"\n{entries(lines)}',
        "group": f"{head}dependencies = []\n[dependency-groups]\n"
        f"ml = {json.dumps(standard(lines))}\n",
        "optional": f"{head}dependencies = []\n[tool.poetry.group.ml]\noptional = true\n"
        f"[tool.poetry.group.ml.dependencies]\n{entries(lines)}",
        "extra": f"{head}dependencies = []\n[project.optional-dependencies]\n"
        f"ml = {json.dumps(standard(lines))}\n",
    }[place]
    managed = draw(st.booleans())
    environments = draw(
        st.sampled_from(
            [
                None,
                ["linux-x86_64"],
                ["linux-x86_64", "macos-arm64"],
                ["linux-x86_64", "windows-amd64"],
            ]
        )
    )
    text += "[tool.poetry]\npackage-mode = false\n"
    if managed:
        text += "[tool.poetry-tf]\n"
        text += f"environments = {json.dumps(environments)}\n" if environments else ""
    return text


def lost(before: Project, after: Project) -> set[Served]:
    """What was served and is not any more. A Python that TF201 cuts was not."""
    return served(before) - served(after)


# Each example fixes a whole project.
few = settings(max_examples=min(100, settings.default.max_examples))  # type: ignore[union-attr]


@pytest.mark.slow
@few
@given(projects())
def test_fixing_leaves_nothing_unserved(text: str):
    project = in_memory(text)
    after = fix_requirements(project)
    assert lost(project, after) == set(), after.pyproject.document.text
    assert fix_requirements(after) == after
    left = [item for item in found(after) if item.edits and item.code != "TF501"]
    assert left == []


@pytest.mark.slow
@few
@given(projects())
def test_nor_where_it_is_locked(text: str):
    project = in_memory(text)
    releases = {
        (item.name, str(release.version))
        for item in tensorflow_requirements(project)
        if (release := plain(project, item)) is not None
    }
    assume(releases)
    project = in_memory(text, lock=lock_text(*sorted(releases)))
    after = fix_requirements(project)
    assert lost(project, after) == set(), after.pyproject.document.text
    assert fix_requirements(after) == after
