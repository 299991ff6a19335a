"""How a requirement on TensorFlow is spelt: the edits that write or change one.

In ``[project]`` and ``[dependency-groups]`` a requirement is one PEP 508 string, in Poetry's own
tables a key with a string or a table. Only what must change does: extras, markers, other keys
and the user's habit of writing (with parentheses or without) stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from poetry_tf.plan import Plan, tensorflow_requirements
from poetry_tf.project.documents import KeyPath
from poetry_tf.project.edits import Edit
from poetry_tf.project.project import Project
from poetry_tf.project.pyproject import Requirement

# Name, extras, and what is between them and the marker: a version in parentheses or without.
_PEP508 = re.compile(
    r"""(?P<name>\s*[A-Za-z0-9][A-Za-z0-9._-]*)
        (?P<extras>\s*\[[^\]]*\])?
        (?P<space>\s*)
        (?P<version>\([^)]*\)|[^;]*?)
        (?P<rest>\s*(?:;.*)?)\Z""",
    re.VERBOSE | re.DOTALL,
)
MARKED_FOR_CUDA = 'sys_platform == "linux" and platform_machine == "x86_64"'
MARKED_FOR_OTHERS = 'sys_platform != "linux" or platform_machine != "x86_64"'


def pin_edits(project: Project, item: Requirement, plan: Plan) -> tuple[Edit, ...]:
    """Changes the version of a requirement to the plan's pin."""
    file = project.pyproject.path
    if not item.is_pep508:
        return (Edit(file, "set", item.constraint_path, plan.tilde),)
    match = _match(project, item)
    bare = match["version"] and not match["version"].startswith("(")
    version = plan.specifier if bare else f"({plan.specifier})"
    space = match["space"] if match["version"] else " "
    text = f"{match['name']}{match['extras'] or ''}{space}{version}{match['rest']}"
    return (Edit(file, "set", item.path, text),)


def rename_edits(project: Project, item: Requirement, name: str) -> tuple[Edit, ...]:
    """Changes the distribution that a requirement names."""
    file = project.pyproject.path
    if item.is_pep508:
        match = _match(project, item)
        return (Edit(file, "set", item.path, name + match.string[match.end("name") :]),)
    # The key: the last part of the path, or the one before an index in an array of tables.
    key: KeyPath = item.path[:-1] if isinstance(item.path[-1], int) else item.path
    return (Edit(file, "rename", key, name),)


def new_requirement_edits(project: Project, plan: Plan) -> tuple[Edit, ...]:
    """Adds the requirement on TensorFlow to the place where the project has its dependencies."""
    file = project.pyproject.path
    if project.pyproject.uses_poetry_tables:
        table: KeyPath = ("tool", "poetry", "dependencies")
        value = _legacy_pair(plan) if plan.gpu.mode == "pip" else plan.tilde
        return (Edit(file, "set", (*table, "tensorflow"), value),)
    place: KeyPath = ("project", "dependencies")
    return tuple(Edit(file, "append", place, text) for text in requirement_texts(plan))


def wheel_edits(project: Project, plan: Plan) -> tuple[Edit, ...]:
    """Makes the ``and-cuda`` extra stand where the plan takes it, and nowhere else.

    Only a single requirement on ``tensorflow`` without markers of its own is split in two; what a
    user has spread over several is the user's to change.
    """
    file = project.pyproject.path
    items = tensorflow_requirements(project)
    has = [item for item in items if "and-cuda" in item.extras]
    if plan.gpu.mode == "pip" and not has:
        if len(items) != 1 or items[0].name != "tensorflow" or not items[0].marker.is_any():
            return ()
        item = items[0]
        if not item.is_pep508:
            written = project.pyproject.document.get(item.path)
            others = written if isinstance(written, dict) else {}
            return (Edit(file, "set", item.path, _legacy_pair(plan, others)),)
        first, second = requirement_texts(plan, item.extras)
        return (Edit(file, "set", item.path, first), Edit(file, "append", item.path[:-1], second))
    if plan.gpu.mode != "pip" and has:
        return _without_wheels(project, plan, items)
    return ()


def _without_wheels(
    project: Project, plan: Plan, items: tuple[Requirement, ...]
) -> tuple[Edit, ...]:
    """Takes back the two requirements that `wheel_edits` writes; others lose only the extra."""
    file = project.pyproject.path
    if len(items) == 2 and {item.name for item in items} == {"tensorflow"}:
        first, second = items
        if first.is_pep508 and first.path[:-1] == second.path[:-1]:
            return (
                Edit(file, "remove", second.path),
                Edit(file, "set", first.path, f"tensorflow ({plan.specifier})"),
            )
        if not first.is_pep508 and first.path[:-1] == second.path[:-1]:
            return (Edit(file, "set", first.path[:-1], plan.tilde),)
    edits = []
    for item in items:
        if "and-cuda" in item.extras and item.is_pep508:
            match = _match(project, item)
            text = match.string[: match.start("extras")] + match.string[match.end("extras") :]
            edits.append(Edit(file, "set", item.path, text))
        elif "and-cuda" in item.extras:
            edits.append(Edit(file, "remove", (*item.path, "extras")))
    return tuple(edits)


def _legacy_pair(plan: Plan, others: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """The two complementary entries; `others` is what one says besides (``optional``, say)."""
    entry = {**(others or {}), "version": plan.tilde}
    extras = [*entry.pop("extras", ()), "and-cuda"]
    first = {**entry, "extras": extras, "markers": MARKED_FOR_CUDA}
    second = {**entry, "markers": MARKED_FOR_OTHERS}
    return [first, {**second, "extras": extras[:-1]} if extras[1:] else second]


def requirement_texts(plan: Plan, extras: Iterable[str] = ()) -> tuple[str, ...]:
    """The PEP 508 requirements on TensorFlow: two complementary ones where CUDA comes by pip.

    The ``and-cuda`` extra has no markers of its own and its wheels exist for Linux only.
    """
    plain, wheels = _bracketed(extras), _bracketed([*extras, "and-cuda"])
    if plan.gpu.mode != "pip":
        return (f"tensorflow{plain} ({plan.specifier})",)
    return (
        f"tensorflow{wheels} ({plan.specifier}) ; {MARKED_FOR_CUDA}",
        f"tensorflow{plain} ({plan.specifier}) ; {MARKED_FOR_OTHERS}",
    )


def _bracketed(extras: Iterable[str]) -> str:
    return f"[{','.join(sorted(extras))}]" if extras else ""


def _match(project: Project, item: Requirement) -> re.Match[str]:
    match = _PEP508.match(str(project.pyproject.document.get(item.path)))
    assert match is not None, "a requirement that poetry-core has parsed"
    return match
