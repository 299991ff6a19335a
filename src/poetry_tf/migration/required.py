"""The requirements that a list leads to: how far their versions are relaxed, and their edits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version
from poetry.core.vcs.git import ParsedUrl

from poetry_tf.files.edits import Edit
from poetry_tf.files.project import Project
from poetry_tf.files.toml import Inline
from poetry_tf.files.values import KeyPath
from poetry_tf.migration.entries import ListEntry


class Relaxation(IntEnum):
    """How much of the versions that a list names is required."""

    WRITTEN = 0
    MAJOR = 1
    """From the lowest version that is named to the end of its major series."""
    ANY = 2


@dataclass(frozen=True)
class RequiredEntry:
    """A line that is required.

    Attributes:
        name: its name on PyPI.
        relaxation: how much of its versions is required.
        reason: why its versions are not required as written; empty if they are.
        excluded: the environments that its marker excludes, because it has no file for them.
        bound: the versions that it keeps to when it is relaxed; empty for any.
    """

    entry: ListEntry
    name: str
    relaxation: Relaxation = Relaxation.WRITTEN
    reason: str = ""
    excluded: tuple[str, ...] = ()
    bound: str = ""

    @property
    def key(self) -> NormalizedName:
        return canonicalize_name(self.name)

    @property
    def specifier(self) -> str:
        """The required versions as a standard specifier; empty for any version."""
        if self.relaxation != Relaxation.WRITTEN and self.bound:
            return self.bound
        return relax_specifier(self.entry.specifier, self.relaxation)

    def admits(self, version: Version) -> bool:
        """Whether a version is among those that are required."""
        return SpecifierSet(self.specifier).contains(version, prereleases=True)


def relax_specifier(specifier: str, relaxation: Relaxation) -> str:
    """A specifier, relaxed."""
    if relaxation == Relaxation.WRITTEN or not specifier:
        return specifier
    lowest = lowest_version(specifier)
    if relaxation == Relaxation.ANY or lowest is None:
        return ""
    return f">={lowest.public},<{lowest.major + 1}"


def lowest_version(specifier: str) -> Version | None:
    """The lower bound of a specifier; None if it has none."""
    bounds = [
        Version(item.version.removesuffix(".*"))
        for item in SpecifierSet(specifier)
        if item.operator in {"==", ">=", "~=", ">", "==="}
    ]
    return max(bounds, default=None)


def relax_requirement(item: RequiredEntry, reason: str) -> RequiredEntry | None:
    """The same requirement, relaxed one step further; None if it already admits any version."""
    for relaxation in Relaxation:
        relaxed = replace(item, relaxation=relaxation, reason=reason)
        if relaxation > item.relaxation and relaxed.specifier != item.specifier:
            return relaxed
    return None


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
