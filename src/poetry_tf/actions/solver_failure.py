"""The message for a project that Poetry can't lock."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from poetry.core.packages.directory_dependency import DirectoryDependency

from poetry_tf.files.errors import ProjectError
from poetry_tf.files.project import PYPROJECT, Project
from poetry_tf.files.pyproject import Pyproject
from poetry_tf.files.reading import read_file
from poetry_tf.files.values import KeyPath
from poetry_tf.plan.python import project_pythons
from poetry_tf.text import format_count

if TYPE_CHECKING:
    from poetry.core.packages.dependency import Dependency

# The tags of Poetry's console. cleo's own formatter refuses some that a foreign text may hold.
_STYLE = (
    r"(?:(?:b|c1|c2|comment|debug|error|info|question|success|warning)(?:_dark)?"
    r"|(?:fg|bg|options)=[\w,;=#]+)"
)
_TAG = re.compile(rf"<{_STYLE}>|</{_STYLE}?>")

_MOST_LINES = 30
_LONGEST_LINE = 600


def without_styles(text: str) -> str:
    """A text of Poetry's without the style tags in it: ``<fg=blue;options=bold>``, ``<c1>``."""
    return _TAG.sub("", text)


def first_line(error: Exception) -> str:
    """The first line of what Poetry raised, as a clause; the error's type where it says nothing."""
    lines = (line.strip().rstrip(".") for line in without_styles(str(error)).splitlines())
    return next(filter(None, lines), type(error).__name__)


def shortened(text: str) -> str:
    """The end of a solver's explanation, which draws the conclusion, in lines of bounded length."""
    lines = [
        line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]} ..."
        for line in without_styles(text).splitlines()
    ]
    left_out = len(lines) - _MOST_LINES
    if left_out > 0:
        lines[:left_out] = [f"({format_count(left_out, 'line')} of Poetry's explanation left out)"]
    return "\n".join(lines)


def missing_paths(project: Project) -> Iterator[str]:
    """The packages that a project requires from a path where there is none, with file and line.

    So for the projects in other folders that it requires, and those that these require.
    """
    # The lines are those of the file as it is, not as it is about to be written.
    pyproject = _read(project.pyproject.path) or project.pyproject
    queue, seen = [pyproject], {pyproject.path}
    while queue:
        current = queue.pop(0)
        for item in current.declared_requirements:
            if item.required_path is None:
                continue
            full = current.path.parent / item.required_path
            if (fault := _path_fault(full)) is not None:
                place = f"{_relative(current.path, project)}:{current.position(item.path).line}"
                yield f"{place}: {item.name} is required from {item.required_path}, {fault}"
            elif (path := Path(os.path.normpath(full / PYPROJECT))) not in seen:
                seen.add(path)
                if (other := _read(path)) is not None:
                    queue.append(other)


def _path_fault(path: Path) -> str | None:
    if not path.exists():
        return "which does not exist"
    if path.is_dir() and not any((path / name).exists() for name in (PYPROJECT, "setup.py")):
        return f"a folder without {PYPROJECT} or setup.py"
    return None


def _read(path: Path) -> Pyproject | None:
    """The project in another folder; None if only Poetry can read it."""
    try:
        return Pyproject.read(path, read_file(path).decode("utf-8"))
    except (OSError, ProjectError, UnicodeDecodeError):
        return None


def _relative(path: Path, project: Project) -> str:
    return Path(os.path.relpath(path, project.root)).as_posix()


def conflicts_of_path_dependencies(
    project: Project, causes: Sequence[Sequence[Dependency]]
) -> Iterator[str]:
    """What projects in other folders require that has a part in a failure, with file and line."""
    for first, *others in causes:
        if not isinstance(first, DirectoryDependency):
            continue
        if (other := _read(Path(first.full_path) / PYPROJECT)) is None:
            continue
        try:
            conflict = (
                _required_by(project, other, others[0])
                if others
                else _required_python(project, other)
            )
        except ProjectError:
            continue  # Poetry reads other forms too
        if conflict is not None:
            place, what = conflict
            name = _relative(other.path, project)
            yield f"{name}:{other.position(place).line}: {first.name} requires {what}"


def _required_python(project: Project, other: Pyproject) -> tuple[KeyPath, str] | None:
    own, declared = project_pythons(project), other.python
    if declared is None or declared.constraint.allows_all(own):
        return None
    what = f"Python {declared.written}, but this project admits {own}"
    return declared.path, f"{what}{_at(project, project.pyproject.python_path)}"


def _required_by(
    project: Project, other: Pyproject, required: Dependency
) -> tuple[KeyPath, str] | None:
    def named(pyproject: Pyproject) -> Iterator[tuple[KeyPath, str]]:
        for item in pyproject.requirements:
            if item.name == required.name:
                yield item.constraint_path, f"{item.name} {item.written or '*'}"

    found = next(named(other), None)
    if found is None:
        return None
    place, what = found
    if (own := next(named(project.pyproject), None)) is not None:
        what += f", and this project {own[1]}{_at(project, own[0])}"
    return place, what


def _at(project: Project, path: KeyPath) -> str:
    return f" ({PYPROJECT}:{project.pyproject.position(path).line})"
