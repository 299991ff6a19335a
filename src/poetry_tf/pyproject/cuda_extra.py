"""The requirement on TensorFlow with and without the ``and-cuda`` extra.

The extra has no markers of its own and its wheels exist for Linux only, so a project that takes
CUDA from them has two complementary requirements.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from packaging.utils import canonicalize_name
from poetry.core.version.markers import parse_marker

from poetry_tf.files.edits import Edit
from poetry_tf.files.project import Project
from poetry_tf.files.requirements import Requirement
from poetry_tf.files.values import KeyPath, as_table
from poetry_tf.plan.model import Plan
from poetry_tf.plan.requirement import constraint_series, tensorflow_requirements
from poetry_tf.pyproject.pins import pin_text, series_specifier, series_tilde
from poetry_tf.pyproject.requirement_edits import (
    LEGACY_DEPENDENCIES,
    match_pep508,
    requirement_match,
    with_version,
)
from poetry_tf.releases import role

AND_CUDA = "and-cuda"
MARKED_FOR_CUDA = 'sys_platform == "linux" and platform_machine == "x86_64"'
MARKED_FOR_OTHERS = 'sys_platform != "linux" or platform_machine != "x86_64"'


def new_requirement_edits(project: Project, plan: Plan) -> tuple[Edit, ...]:
    """The edits that add the requirement on TensorFlow where the project has its dependencies."""
    file = project.pyproject.path
    if project.pyproject.uses_poetry_tables:
        pin = series_tilde(plan.release)
        value = _legacy_pair({"version": pin}) if plan.gpu.mode == "pip" else pin
        return (Edit(file, "set", (*LEGACY_DEPENDENCIES, plan.release.distribution), value),)
    place: KeyPath = ("project", "dependencies")
    return tuple(Edit(file, "append", place, text) for text in requirement_texts(plan))


def requirement_texts(plan: Plan) -> tuple[str, ...]:
    """The PEP 508 requirements on TensorFlow: two complementary ones where CUDA comes by pip."""
    if plan.gpu.mode != "pip":
        return (f"{plan.release.distribution} ({series_specifier(plan.release)})",)
    return (
        f"tensorflow[{AND_CUDA}] ({series_specifier(plan.release)}) ; {MARKED_FOR_CUDA}",
        f"tensorflow ({series_specifier(plan.release)}) ; {MARKED_FOR_OTHERS}",
    )


def cuda_extra_edits(project: Project, plan: Plan) -> tuple[Edit, ...]:
    """The edits that add the ``and-cuda`` extra if the plan takes CUDA from wheels, else remove it.

    Only a single requirement on ``tensorflow`` without a marker is split in two; several are left
    to the user.
    """
    items = [item for item in tensorflow_requirements(project) if role(item.name) != "shim"]
    has = [item for item in items if AND_CUDA in item.extras]
    if plan.gpu.mode != "pip":
        return _without_cuda_extra(project, items) if has else ()
    if has or len(items) != 1 or items[0].name != "tensorflow" or not items[0].marker.is_any():
        return ()
    return _with_cuda_extra(project, items[0], plan)


def _with_cuda_extra(project: Project, item: Requirement, plan: Plan) -> tuple[Edit, ...]:
    """Splits a requirement in two, and pins it if it is not pinned."""
    is_pinned = constraint_series(item.constraint) is not None
    if item.is_pep508:
        match = requirement_match(project, item)
        if not is_pinned:
            match = match_pep508(with_version(match, pin_text(item, plan.release)))
        pair: list[Any] = [
            _with_marker(match, _with_extra(match["extras"]), MARKED_FOR_CUDA),
            _with_marker(match, match["extras"] or "", MARKED_FOR_OTHERS),
        ]
    else:
        others = as_table(project.pyproject.document.get(item.path))
        version = item.written if is_pinned else pin_text(item, plan.release)
        pair = _legacy_pair({**others, "version": version})
    file = project.pyproject.path
    if not isinstance(item.path[-1], int):
        return (Edit(file, "set", item.path, pair),)
    # A string of a list, or the only table in an array of them.
    return (Edit(file, "set", item.path, pair[0]), Edit(file, "append", item.path[:-1], pair[1]))


def _legacy_pair(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The two complementary entries for one, in Poetry's own tables."""
    others = _common_keys(entry)
    extras = list(entry.get("extras", ()))
    second = {**others, "extras": extras} if extras else others
    return [
        {**others, "extras": [*extras, AND_CUDA], "markers": MARKED_FOR_CUDA},
        {**second, "markers": MARKED_FOR_OTHERS},
    ]


def _without_cuda_extra(project: Project, items: Sequence[Requirement]) -> tuple[Edit, ...]:
    """Joins requirements that `cuda_extra_edits` has split; others lose only the extra."""
    file = project.pyproject.path
    edits: list[Edit] = []
    joined: list[KeyPath] = []
    for item in items:
        if AND_CUDA not in item.extras:
            continue
        rest = (other for other in items if other.path not in joined)
        other = next((other for other in rest if _is_complement(project, item, other)), None)
        if item.is_pep508:
            match = requirement_match(project, item)
            extras = _without_extra(match["extras"])
            if other is not None:
                joined.append(other.path)
                text = _with_marker(match, extras)
            else:
                text = f"{match['name']}{extras}{match.string[match.end('extras') :]}"
            edits.append(Edit(file, "set", item.path, text))
        elif other is not None:
            entry = project.pyproject.document.get(item.path)
            edits.append(Edit(file, "set", item.path[:-1], _joined_entry(entry)))
        else:
            edits.append(_extra_edit(project, item))
    # Last, and from the end, because a removal moves what follows.
    joined.sort(key=itemgetter(-1), reverse=True)
    return (*edits, *(Edit(file, "remove", path) for path in joined))


def _is_complement(project: Project, item: Requirement, other: Requirement) -> bool:
    """Whether two requirements are what `cuda_extra_edits` makes of one."""
    if item.path[:-1] != other.path[:-1] or item.name != other.name or item.path == other.path:
        return False
    if item.marker != parse_marker(MARKED_FOR_CUDA) or other.marker != parse_marker(
        MARKED_FOR_OTHERS
    ):
        return False
    if item.extras - {AND_CUDA} != other.extras or item.constraint != other.constraint:
        return False
    if item.is_pep508:
        return True
    document = project.pyproject.document
    array = document.get(item.path[:-1])
    return len(array) == 2 and _common_keys(document.get(item.path)) == _common_keys(
        document.get(other.path)
    )


def _common_keys(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in {"extras", "markers"}}


def _joined_entry(entry: Mapping[str, Any]) -> str | dict[str, Any]:
    """An entry without the extra and its marker, in its shortest form."""
    extras = _other_extras(entry["extras"])
    kept = {**_common_keys(entry), "extras": extras} if extras else _common_keys(entry)
    return kept["version"] if kept.keys() == {"version"} else kept


def _extra_edit(project: Project, item: Requirement) -> Edit:
    path = (*item.path, "extras")
    if kept := _other_extras(project.pyproject.document.get(path)):
        return Edit(project.pyproject.path, "set", path, kept)
    return Edit(project.pyproject.path, "remove", path)


def _other_extras(extras: Iterable[str]) -> list[str]:
    return [extra for extra in extras if canonicalize_name(extra.strip()) != AND_CUDA]


def _with_marker(match: re.Match[str], extras: str, marker: str = "") -> str:
    """The requirement string with other extras and another marker."""
    text = f"{match['name']}{extras}{match['space']}{match['version']}".rstrip()
    return f"{text} ; {marker}" if marker else text


def _with_extra(written: str | None) -> str:
    if written is None or not (inner := written.strip()[1:-1].strip()):
        return f"[{AND_CUDA}]"
    return f"{written[: written.index('[')]}[{inner}{', ' if ', ' in inner else ','}{AND_CUDA}]"


def _without_extra(written: str) -> str:
    if not (kept := _other_extras(written.strip()[1:-1].split(","))):
        return ""
    return f"{written[: written.index('[')]}[{','.join(kept).strip()}]"
