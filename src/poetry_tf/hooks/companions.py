"""Adds the requirements that ``poetry add tensorflow`` needs besides TensorFlow.

Poetry writes one requirement. Others belong to it where a platform's wheel of TensorFlow redirects
to another distribution, where a requirement of TensorFlow has no wheel, and where CUDA comes from
wheels. ``poetry tf check`` finds the same and fixes it by the same edits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tomlkit

from poetry_tf.checks.findings import find_problems, make_context
from poetry_tf.files.edits import Edit, apply, apply_until_stable
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.project import Project
from poetry_tf.files.pyproject import Pyproject
from poetry_tf.files.requirements import Requirement
from poetry_tf.files.snapshot import FileState
from poetry_tf.files.toml import parse_toml
from poetry_tf.poetry_internals import patches
from poetry_tf.pyproject.bounds import outdated_bound_edits
from poetry_tf.text import escape_markup

if TYPE_CHECKING:
    from cleo.io.io import IO
    from poetry.poetry import Poetry

# A superfluous platform line, Keras 2, a missing platform line, CUDA's wheels.
CODES = {"TF104", "TF107", "TF305", "TF503"}
# More edits than any project needs.
_ROUNDS = 50


def complete_requirements(poetry: Poetry, io: IO, content: Any) -> None:
    """Completes the content of pyproject.toml that ``add`` is about to lock and write."""
    path = poetry.pyproject_path
    try:
        pyproject = Pyproject(path, parse_toml(path, content.as_string()))
        # Poetry itself writes the result.
        before = Project.reading(path.parent, pyproject, FileState.of(path))
        old = Project.read(path.parent)
        outdated = outdated_bound_edits(old, before)
        after, more = completed(apply(before, outdated))
    except ProjectError:
        return  # Poetry reports the error
    edits = (*outdated, *more)
    if not edits:
        return
    for edit in edits:
        _apply_edit(content, edit)
    patches.reload_requirements(poetry, content)
    old_texts, new_texts = (
        list(map(_format_requirement, item.pyproject.requirements)) for item in (before, after)
    )
    for text in new_texts:
        if text not in old_texts:
            io.write_error_line(
                f"poetry-tf: pyproject.toml gets {escape_markup(text)}, which goes with it"
            )
    for text in old_texts:
        if text not in new_texts:
            io.write_error_line(
                f"poetry-tf: pyproject.toml loses {escape_markup(text)}, which doesn't go with it"
            )


def conflict_hint(poetry: Poetry) -> str | None:
    """A hint at requirements that no longer match TensorFlow, if Poetry found no solution."""
    try:
        project = Project.read(poetry.pyproject_path.parent)
        problems = find_problems(make_context(project))
    except ProjectError:
        return None
    for item in problems:
        if item.code in CODES and item.edits:
            return (
                f"It may be for this: {escape_markup(item.message)}. "
                "<c1>poetry tf check --fix</> puts that right and locks."
            )
    return None


def completed(project: Project) -> tuple[Project, list[Edit]]:
    """The project with fixed requirements around TensorFlow, and the edits that fix them."""

    def complete_one(state: tuple[Project, list[Edit]]) -> tuple[Project, list[Edit]] | None:
        project, made = state
        for finding in find_problems(make_context(project)):
            edits = [edit for edit in finding.edits if edit.file == project.pyproject.path]
            if finding.code in CODES and edits and (after := apply(project, edits)) != project:
                return after, [*made, *edits]
        return None

    none: list[Edit] = []
    return apply_until_stable((project, none), complete_one, _ROUNDS)


def _apply_edit(content: Any, edit: Edit) -> None:
    """Applies an edit to the tomlkit document that Poetry uses and writes."""
    *parents, last = edit.path
    parent = content
    for key in parents:
        parent = parent[key]
    if edit.action == "append":
        parent[last].append(_toml_item(edit.value))
    elif edit.action == "remove":
        del parent[last]
    else:
        parent[last] = _toml_item(edit.value)


def _toml_item(value: Any) -> Any:
    """The tomlkit item of a value, with the entries of a list on one line each."""
    if isinstance(value, dict):
        table = tomlkit.inline_table()
        table.update(value)
        return table
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        array = tomlkit.array()
        array.extend(map(_toml_item, value))
        return array.multiline(True)
    return tomlkit.item(value)


def _format_requirement(item: Requirement) -> str:
    extras = f"[{','.join(sorted(item.extras))}]" if item.extras else ""
    marker = "" if item.marker.is_any() else f" ; {item.marker}"
    return f"{item.name}{extras} ({item.written}){marker}"
