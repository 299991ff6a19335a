"""What ``poetry add tensorflow`` writes besides: what the declared environments need.

Poetry writes one requirement. Where a platform's wheel of TensorFlow hands over to another
distribution, or where a requirement of TensorFlow's has no wheel, marked requirements go beside it;
``poetry tf check`` calls their absence TF305 and mends it by the same edits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tomlkit
from poetry.core.packages.dependency import Dependency

from poetry_tf.checks.run import context_of, findings
from poetry_tf.hooks import seams
from poetry_tf.project.documents import KeyPath
from poetry_tf.project.edits import Edit, apply
from poetry_tf.project.errors import ProjectError
from poetry_tf.project.project import Project
from poetry_tf.project.pyproject import MAIN, Pyproject, parse_toml

if TYPE_CHECKING:
    from pathlib import Path

    from cleo.io.io import IO
    from poetry.poetry import Poetry

CODE = "TF305"


def install(poetry: Poetry, io: IO) -> None:
    """From here on ``add`` completes what it is about to lock."""
    seams.before_locking(poetry, lambda content: _complete(content, poetry, io))


def _complete(content: Any, poetry: Poetry, io: IO) -> None:
    path = poetry.pyproject_path
    try:
        pyproject = Pyproject(path, parse_toml(path, content.as_string()))
        edits = missing(Project.reading(path.parent, pyproject))
    except ProjectError:
        return  # what is wrong there is Poetry's to tell
    for edit in edits:
        group = _group(edit.path)
        if group is None:
            continue
        for dependency in _dependencies(edit, group, path.parent):
            poetry.package.add_dependency(dependency)
        _write(content, edit)
        io.write_error_line(f"poetry-tf: {_spelt(edit)} goes with it in pyproject.toml")


def missing(project: Project) -> tuple[Edit, ...]:
    """The edits that add what TF305 finds missing."""
    edits: list[Edit] = []
    for finding in findings(context_of(project)):
        if finding.code == CODE:
            edits += [edit for edit in finding.edits if edit.file == project.pyproject.path]
    apply(project, edits)  # raises where something else stands in the way
    return tuple(edits)


def _group(path: KeyPath) -> str | None:
    """The group that a place belongs to; None for an extra, which ``add`` sees to by itself."""
    if path[:2] in {("project", "dependencies"), ("tool", "poetry")} and "group" not in path:
        return MAIN
    if path[0] == "dependency-groups":
        return str(path[1])
    if path[:3] == ("tool", "poetry", "group"):
        return str(path[3])
    return None


def _dependencies(edit: Edit, group: str, root: Path) -> list[Dependency]:
    from poetry.factory import Factory

    if isinstance(edit.value, str) and edit.action == "append":
        # The poetry-core of Poetry 2.1 takes no groups here, because it reads such requirements in
        # the main one alone, which is the one that goes without saying.
        groups: dict[str, Any] = {} if group == MAIN else {"groups": [group]}
        return [Dependency.create_from_pep_508(edit.value, **groups)]
    values = edit.value if isinstance(edit.value, list) else [edit.value]
    name = str(edit.path[-1])
    return [
        Factory.create_dependency(name, value, groups=[group], root_dir=root) for value in values
    ]


def _write(content: Any, edit: Edit) -> None:
    """Makes the edit in the tomlkit document that Poetry goes on with, and will write."""
    *place, last = edit.path
    parent = content
    for key in place:
        parent = parent[key]
    if edit.action == "append":
        parent[last].append(edit.value)
    else:
        parent[last] = tomlkit.item(edit.value)


def _spelt(edit: Edit) -> str:
    return edit.value if isinstance(edit.value, str) else f"{edit.path[-1]} = {edit.value}"
