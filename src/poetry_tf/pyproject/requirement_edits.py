"""The edits that add, change, rename or remove a requirement.

In ``[project]`` and ``[dependency-groups]`` a requirement is one PEP 508 string, in Poetry's own
tables a key with a string or a table. An edit changes only what it has to: extras, markers, other
keys and the user's style (with parentheses or without) stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name
from poetry.core.constraints.version import parse_constraint

from poetry_tf.files.edits import Edit
from poetry_tf.files.project import Project
from poetry_tf.files.requirements import PEP508, Requirement
from poetry_tf.files.toml import Inline
from poetry_tf.files.values import KeyPath, as_table

T = TypeVar("T")

LEGACY_DEPENDENCIES: KeyPath = ("tool", "poetry", "dependencies")
_LEGACY_EXTRAS: KeyPath = ("tool", "poetry", "extras")


@dataclass(frozen=True)
class MarkedRequirement:
    """A requirement to write, with the marker that says where it counts."""

    name: NormalizedName
    constraint: str
    """The versions, in a form that both [project] and Poetry's own tables take."""
    marker: str = ""
    """Empty for everywhere."""

    @property
    def text(self) -> str:
        """The requirement as a PEP 508 string."""
        return f"{self.name} ({self.constraint}) ; {self.marker}".rstrip(" ;")


# -- changing a requirement -----------------------------------------------------------------


def constraint_edits(
    project: Project, item: Requirement, text: str, *, legacy_text: str | None = None
) -> tuple[Edit, ...]:
    """The edits that change the constraint of a requirement to `text`.

    `legacy_text` is the constraint for the entry of Poetry's table that enriches it; None for the
    same one.
    """
    file = project.pyproject.path
    if not item.is_pep508:
        return (Edit(file, "set", item.constraint_path, text),)
    text = _standard(text)
    changed = with_version(requirement_match(project, item), text)
    edits = (Edit(file, "set", item.path, changed),)
    if item.enriched_at is None:
        return edits
    # Poetry takes both together, so its own table must not forbid the constraint.
    entry = project.pyproject.document.get(item.enriched_at)
    place = (*item.enriched_at, "version") if isinstance(entry, dict) else item.enriched_at
    written = project.pyproject.document.get(place)
    if written is None or parse_constraint(written).allows_all(parse_constraint(text)):
        return edits
    return (*edits, Edit(file, "set", place, legacy_text or text))


def marker_edits(project: Project, item: Requirement, marker: str) -> tuple[Edit, ...]:
    """The edits that change where a requirement counts; an empty marker stands for everywhere.

    Empty where something else than the requirement says a part of that, or a comment would be lost.
    """
    file, document = project.pyproject.path, project.pyproject.document
    if item.is_pep508:
        enriching = as_table(document.get(item.enriched_at)) if item.enriched_at else {}
        if _PLACES.intersection(enriching):
            return ()
        match = requirement_match(project, item)
        if match["rest"].lstrip().startswith("#"):
            return ()
        text = match.string[: match.end("version")].rstrip()
        return (Edit(file, "set", item.path, f"{text} ; {marker}".rstrip(" ;")),)
    entry = document.get(item.path)
    if not isinstance(entry, dict):
        whole = {"version": entry, "markers": marker}
        return (Edit(file, "set", item.path, Inline(whole)),) if marker else ()
    others = tuple(
        Edit(file, "remove", (*item.path, key))
        for key in ("python", "platform", *([] if marker else ["markers"]))
        if key in entry
    )
    own = (Edit(file, "set", (*item.path, "markers"), marker),) if marker else ()
    return (*others, *own)


_PLACES = frozenset({"markers", "python", "platform"})
"""The keys of an entry in Poetry's own tables that say where it counts."""


def _standard(text: str) -> str:
    """A constraint as a standard specifier, without Poetry's own operators."""
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        return str(parse_constraint(text)).replace(" ", "")
    return text


def rename_edits(project: Project, item: Requirement, name: str) -> tuple[Edit, ...]:
    """The edits that change the distribution of a requirement everywhere in its list or table.

    Empty where that list or table has the other name already: only the user knows which of the two
    has to stay, and with which version.
    """
    document, file = project.pyproject.document, project.pyproject.path
    if not item.is_pep508:
        return _rename_key_edits(project, item.path, name)
    place = item.path[:-1]
    named = {
        index: match
        for index, text in enumerate(document.get(place))
        if isinstance(text, str) and (match := PEP508.match(text))
    }
    names = {index: _name_of(match) for index, match in named.items()}
    if canonicalize_name(name) in names.values():
        return ()
    edits = [
        Edit(file, "set", (*place, index), name + match.string[match.end("name") :])
        for index, match in named.items()
        if names[index] == item.name
    ]
    if item.enriched_at is not None:
        edits += _rename_key_edits(project, item.enriched_at, name)
    return tuple(edits)


def _rename_key_edits(project: Project, path: KeyPath, name: str) -> tuple[Edit, ...]:
    """Renames a requirement in Poetry's own tables and in the extras that it belongs to."""
    document, file = project.pyproject.document, project.pyproject.path
    # The key: the last part of the path, or the one before an index in an array of tables.
    key = path[:-1] if isinstance(path[-1], int) else path
    new, old = canonicalize_name(name), canonicalize_name(str(key[-1]))
    if new in map(canonicalize_name, document.get(key[:-1])):
        return ()
    edits = [Edit(file, "rename", key, name)]
    if key[:-1] == LEGACY_DEPENDENCIES:
        for extra, members in as_table(document.get(_LEGACY_EXTRAS)).items():
            if not isinstance(members, list) or not all(isinstance(item, str) for item in members):
                continue
            changed = [name if canonicalize_name(item) == old else item for item in members]
            if changed != members:
                changed = list(dict.fromkeys(changed))
                edits.append(Edit(file, "set", (*_LEGACY_EXTRAS, extra), changed))
    return tuple(edits)


def replace_edits(project: Project, item: Requirement, name: NormalizedName) -> tuple[Edit, ...]:
    """The edits that replace one requirement by another distribution, without extras.

    Others on the old distribution stay. Empty where Poetry's own tables leave no way to.
    """
    document, file = project.pyproject.document, project.pyproject.path
    if item.is_pep508:
        match = requirement_match(project, item)
        text = name + match.string[match.end("extras" if match["extras"] else "name") :]
        edits = (Edit(file, "set", item.path, text),)
        if item.enriched_at is None:
            return edits
        renamed = _rename_key_edits(project, item.enriched_at, name)
        return (*edits, *renamed) if renamed else ()
    table = _list_path(item)
    is_taken = any(canonicalize_name(key) == name for key in document.get(table))
    is_in_array = isinstance(item.path[-1], int)
    if not is_taken and (not is_in_array or len(document.get(item.path[:-1])) == 1):
        return _rename_key_edits(project, item.path, name)
    own = _entry(document.get(item.path))
    own.pop("extras", None)
    extras = _legacy_extras(project, item)
    removed = remove_edits(project, [item])
    if is_taken and table == LEGACY_DEPENDENCIES:
        if extras != _legacy_extras(project, replace(item, name=name)):
            return ()
        extras = []
    members = (Edit(file, "append", (*_LEGACY_EXTRAS, extra), name) for extra in extras)
    return (*_entry_edits(project, table, name, [own]), *members, *removed)


def _entry(value: Any) -> dict[str, Any]:
    """An entry of Poetry's own tables as a table."""
    return {**value} if isinstance(value, dict) else {"version": value}


# -- adding and removing --------------------------------------------------------------------


def add_edits(
    project: Project, item: Requirement, lines: Sequence[MarkedRequirement]
) -> tuple[Edit, ...]:
    """The edits that add requirements on one distribution beside `item`, in the style of that."""
    file = project.pyproject.path
    if item.is_pep508:
        match = requirement_match(project, item)
        texts = (
            f"{line.name}{_spaced_version(match, line.constraint)} ; {line.marker}".rstrip(" ;")
            for line in lines
        )
        return tuple(Edit(file, "append", item.path[:-1], text) for text in texts)
    entries = [
        {"version": line.constraint}
        | ({"markers": line.marker} if line.marker else {})
        | ({"optional": True} if item.optional else {})
        for line in lines
    ]
    name, table = lines[0].name, _list_path(item)
    extras = [
        extra
        for extra in _legacy_extras(project, item)
        if extra not in _legacy_extras(project, replace(item, name=name))
    ]
    members = (Edit(file, "append", (*_LEGACY_EXTRAS, extra), name) for extra in extras)
    return (*_entry_edits(project, table, name, entries), *members)


def _entry_edits(
    project: Project, table: KeyPath, name: NormalizedName, entries: Sequence[dict[str, Any]]
) -> tuple[Edit, ...]:
    """The edits that add entries for a distribution to a table, beside others that it has."""
    file, document = project.pyproject.path, project.pyproject.document
    taken = next((key for key in document.get(table) if canonicalize_name(key) == name), None)
    if taken is None:
        value: Any = [*entries] if len(entries) > 1 else Inline(entries[0])
        if len(entries) == 1 and entries[0].keys() == {"version"}:
            value = entries[0]["version"]
        return (Edit(file, "set", (*table, name), value),)
    place, existing = (*table, taken), document.get((*table, taken))
    known = [_entry(one) for one in (existing if isinstance(existing, list) else [existing])]
    # An optional one that another extra has serves this one as well.
    entries = [one for one in entries if one not in known]
    if not entries:
        return ()
    if isinstance(existing, list):
        return tuple(Edit(file, "append", place, entry) for entry in entries)
    return (Edit(file, "set", place, [_entry(existing), *entries]),)


def remove_edits(project: Project, items: Sequence[Requirement]) -> tuple[Edit, ...]:
    """The edits that remove requirements, also from the extras that no other of the name is in."""
    document, file = project.pyproject.document, project.pyproject.path
    paths: list[KeyPath] = []
    members: list[tuple[KeyPath, NormalizedName]] = []
    for item in items:
        if item.is_pep508:
            paths.append(item.path)
            if item.enriched_at is not None:
                paths.append(item.enriched_at)
            continue
        is_in_array = isinstance(item.path[-1], int)
        key = item.path[:-1] if is_in_array else item.path
        removed = sum(other.path[:-1] == key for other in items)
        if is_in_array and len(document.get(key)) > removed:
            paths.append(item.path)
            continue
        paths.append(key)
        extras = _legacy_extras(project, item)
        members += [((*_LEGACY_EXTRAS, extra), item.name) for extra in extras]
    edits = [
        Edit(
            file,
            "set",
            path,
            [member for member in document.get(path) if canonicalize_name(str(member)) != name],
        )
        for path, name in dict.fromkeys(members)
    ]
    # From the end, because a removal from a list moves what follows.
    ordered = sorted(dict.fromkeys(paths), key=_last_index, reverse=True)
    return (*edits, *(Edit(file, "remove", path) for path in ordered))


def _last_index(path: KeyPath) -> int:
    return path[-1] if isinstance(path[-1], int) else -1


# -- where a requirement stands -------------------------------------------------------------


def same_list(project: Project, item: Requirement, other: Requirement) -> bool:
    """Whether two requirements stand in one list or table, so that `other` never comes alone."""
    if _list_path(item) != _list_path(other) or item.optional != other.optional:
        return False
    if item.is_pep508 or not item.optional:
        return True
    return {*_legacy_extras(project, other)} <= {*_legacy_extras(project, item)}


def group(items: Iterable[T], is_together: Callable[[T, T], bool]) -> list[list[T]]:
    """The items in groups: each joins the first group with whose first item it is together."""
    groups: list[list[T]] = []
    for item in items:
        known = next((known for known in groups if is_together(item, known[0])), None)
        if known is None:
            groups.append([item])
        else:
            known.append(item)
    return groups


def names_beside(project: Project, item: Requirement) -> frozenset[NormalizedName]:
    """Every distribution in the list or table of a requirement, also those on paths and URLs."""
    entries = project.pyproject.document.get(_list_path(item))
    if isinstance(entries, dict):
        return frozenset(map(canonicalize_name, entries))
    matches = [PEP508.match(text) for text in entries if isinstance(text, str)]
    return frozenset(_name_of(match) for match in matches if match)


def _list_path(item: Requirement) -> KeyPath:
    """The list or the table in which a requirement stands."""
    is_in_array = not item.is_pep508 and isinstance(item.path[-1], int)
    return item.path[: -2 if is_in_array else -1]


def _legacy_extras(project: Project, item: Requirement) -> list[str]:
    """The extras of Poetry's own table that a requirement of Poetry's own table belongs to."""
    if _list_path(item) != LEGACY_DEPENDENCIES:
        return []
    extras = as_table(project.pyproject.document.get(_LEGACY_EXTRAS))
    return [
        extra
        for extra, members in extras.items()
        if isinstance(members, list) and item.name in map(canonicalize_name, map(str, members))
    ]


# -- PEP 508 strings ------------------------------------------------------------------------


def requirement_match(project: Project, item: Requirement) -> re.Match[str]:
    """The parts of a requirement that is a PEP 508 string, by the groups of `PEP508`."""
    return match_pep508(str(project.pyproject.document.get(item.path)))


def match_pep508(text: str) -> re.Match[str]:
    """The parts of a valid PEP 508 string, by the groups of `PEP508`."""
    match = PEP508.match(text)
    assert match is not None, "a requirement that poetry-core has parsed"
    return match


def with_version(match: re.Match[str], text: str) -> str:
    """The requirement string with another version, in parentheses unless the user omits them."""
    return f"{match['name']}{match['extras'] or ''}{_spaced_version(match, text)}{match['rest']}"


def _spaced_version(match: re.Match[str], text: str) -> str:
    """A version with the space before it, in the style of a requirement string."""
    is_bare = match["version"] and not match["version"].startswith("(")
    space = match["space"] if match["version"] else " "
    return f"{space}{text if is_bare else f'({text})'}"


def _name_of(match: re.Match[str]) -> NormalizedName:
    return canonicalize_name(match["name"].strip())
