"""The edits that add the requirements of a list to pyproject.toml."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from poetry.core.vcs.git import ParsedUrl

from poetry_tf.files.edits import Edit
from poetry_tf.files.project import Project
from poetry_tf.files.toml import Inline
from poetry_tf.files.values import KeyPath
from poetry_tf.migration.relax import RequiredEntry


def line_edits(project: Project, required: Iterable[RequiredEntry]) -> tuple[Edit, ...]:
    """The edits that add requirements to the table that holds the project's own."""
    file = project.pyproject.path
    if not project.pyproject.uses_poetry_tables:
        table: KeyPath = ("project", "dependencies")
        return tuple(Edit(file, "append", table, requirement_text(item)) for item in required)
    entries: dict[str, list[Any]] = {}
    for item in required:
        entries.setdefault(item.name, []).append(_poetry_entry(item))
    table = ("tool", "poetry", "dependencies")
    return tuple(
        Edit(file, "set", (*table, name), _single_value(items) if len(items) == 1 else items)
        for name, items in entries.items()
    )


def requirement_text(item: RequiredEntry) -> str:
    """A requirement in PEP 508 syntax, spelled as Poetry writes it."""
    extras = f"[{','.join(item.entry.extras)}]" if item.entry.extras else ""
    if item.entry.address:
        text = f"{item.name}{extras} @ {item.entry.address}"
    else:
        text = f"{item.name}{extras}" + (f" ({item.specifier})" if item.specifier else "")
    return f"{text} ; {item.entry.marker}" if item.entry.marker else text


def _poetry_entry(item: RequiredEntry) -> dict[str, Any]:
    """A requirement as an entry of Poetry's own tables."""
    if not item.entry.address:
        entry: dict[str, Any] = {"version": item.specifier or "*"}
    elif item.entry.address.startswith("git+"):
        # An address can contain a user name, and a branch name a slash.
        parsed = ParsedUrl.parse(item.entry.address.removeprefix("git+"))
        entry = {"git": parsed.url} | ({"rev": parsed.rev} if parsed.rev else {})
    else:
        entry = {"url": item.entry.address}
    extras = {"extras": list(item.entry.extras)} if item.entry.extras else {}
    return entry | extras | ({"markers": item.entry.marker} if item.entry.marker else {})


def _single_value(entries: list[dict[str, Any]]) -> Any:
    (entry,) = entries
    return entry["version"] if entry.keys() == {"version"} else Inline(entry)
