"""Requirements of a pyproject.toml, in any of the places from which Poetry reads them.

Legacy ``[tool.poetry.dependencies]`` (strings, tables, arrays of tables, groups) and the standard
``[project]``, extras and ``[dependency-groups]`` all become the same `Requirement`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from packaging.utils import NormalizedName, canonicalize_name
from poetry.core.constraints.version import VersionConstraint, VersionRange, parse_constraint
from poetry.core.packages.dependency import Dependency
from poetry.core.packages.path_dependency import PathDependency
from poetry.core.version.markers import AnyMarker, BaseMarker, parse_marker

from poetry_tf.files.bounds import bounded, cut
from poetry_tf.files.toml import TomlFile
from poetry_tf.files.values import KeyPath, as_text, as_texts

MAIN = "main"
PEP508 = re.compile(
    r"""(?P<name>\s*[A-Za-z0-9][A-Za-z0-9._-]*)
        (?P<extras>\s*\[[^\]]*\])?
        (?P<space>\s*)
        (?P<version>\([^)]*\)|[^;]*?)
        (?P<rest>\s*(?:;.*)?|\s+\#.*)\Z""",
    re.VERBOSE | re.DOTALL,
)
"""The parts of a requirement string. `version` is a constraint, in parentheses or without, or an
address; `rest` is the marker, or the comment that Poetry admits."""

# The usual requirement string: a name, extras and versions, without a marker or an address.
_PLAIN = re.compile(
    r"""(?P<name>[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?)[ ]*
        (?:\[(?P<extras>[A-Za-z0-9][\w-]*(?:,[ ]*[A-Za-z0-9][\w-]*)*)\])?[ ]*
        (?P<open>\()?(?P<versions>{one}(?:,[ ]*{one})*)?(?(open)\))""".replace(
        "{one}", r"(?:[~=!<>]=|[<>])[ ]*\d[\w.]*(?:\.\*)?"
    ),
    re.VERBOSE | re.ASCII,
)
MAX_LINES: Final = 100
"""The requirements on one distribution. Each declared environment takes one or two."""
_DIRECT = frozenset({"git", "path", "file", "url"})


@dataclass(frozen=True)
class Requirement:
    """One declared dependency on a distribution, as Poetry reads it."""

    name: NormalizedName
    constraint: VersionConstraint
    written: str
    """The version constraint as the user wrote it; empty where none was."""
    extras: frozenset[str]
    marker: BaseMarker
    """When it applies: the written marker and the legacy ``python`` and ``platform`` keys."""
    group: str
    """The dependency group, `MAIN` for run-time dependencies."""
    optional: bool
    """Installed only with an extra."""
    path: KeyPath
    """The place of the whole requirement in pyproject.toml."""
    constraint_path: KeyPath
    """The place of its version constraint: `path` for a PEP 508 string, unless only the entry that
    enriches it has one."""
    enriched_at: KeyPath | None = None
    """The entry of Poetry's own table that adds to a PEP 508 string (a source, say)."""
    source: str | None = None
    """The name of the index that it has to come from, if any."""
    extra: str | None = None
    """The extra of [project] in whose list it stands."""
    is_direct: bool = False
    """Whether it is on a path, URL or repository; its constraint then means nothing."""
    required_path: str | None = None
    """The path that it is on, from the project's folder."""

    @property
    def is_pep508(self) -> bool:
        """Whether it is written as a PEP 508 string rather than in Poetry's own form."""
        return self.path[0] in {"project", "dependency-groups"}


def declared_requirements(file: TomlFile) -> tuple[Requirement, ...]:
    """Every dependency, main ones first; `ProjectError` for one that is malformed."""
    dynamic = {"dependencies", "optional-dependencies"}.intersection(
        as_texts(file.table("project").get("dynamic"))
    )
    poetrys = [*_poetry_table(file, ("tool", "poetry", "dependencies"), MAIN)]
    found = [*_together(file, [*_project_lists(file)], poetrys, mixed=bool(dynamic))]
    own: dict[str, list[Requirement]] = {}
    own["dev"] = [*_poetry_table(file, ("tool", "poetry", "dev-dependencies"), "dev")]
    for group in file.table("tool", "poetry", "group"):
        file.table("tool", "poetry", "group", group)
        path = ("tool", "poetry", "group", group, "dependencies")
        own.setdefault(canonicalize_name(group), []).extend(_poetry_table(file, path, group))
    standard: dict[str, list[Requirement]] = {}
    for group in file.table("dependency-groups"):
        items = _pep508_list(file, ("dependency-groups", group), group)
        standard.setdefault(canonicalize_name(group), []).extend(items)
    for key in dict.fromkeys([*own, *standard]):
        found += _together(file, standard.get(key, []), own.get(key, []))
    _refuse_too_many(file, found)
    return tuple(found)


def _refuse_too_many(file: TomlFile, found: Iterable[Requirement]) -> None:
    """Raises `ProjectError` where one distribution has too many lines: each is compared with the
    others."""
    counts: Counter[NormalizedName] = Counter()
    for item in found:
        counts[item.name] += 1
        if counts[item.name] > MAX_LINES:
            raise file.error(item.path, f"{item.name} has more than {MAX_LINES} requirements")


def _together(
    file: TomlFile,
    standard: Sequence[Requirement],
    own: Sequence[Requirement],
    *,
    mixed: bool = False,
) -> Iterator[Requirement]:
    """What Poetry makes of the standard list and of its own table for a group.

    The same as in `DependencyGroup.dependencies_for_locking` of poetry-core. `mixed`: one of
    the two kinds of dependencies, optional or not, is dynamic and may be in Poetry's table.
    """
    if not standard:
        yield from own
        return
    _refuse_too_many(file, standard)
    _refuse_too_many(file, own)
    for item in standard:
        yield from _enriched(file, item, own)
    kinds = {item.optional for item in standard}
    for item in own if mixed and len(kinds) == 1 else ():
        if item.optional not in kinds:
            yield item


def _enriched(
    file: TomlFile, item: Requirement, own: Sequence[Requirement]
) -> Iterator[Requirement]:
    """A requirement of the standard list with what Poetry's own entries for its name add.

    Several entries apply each where their markers do; one with a direct origin decides.
    """
    marker = item.marker
    if item.extra is not None:
        # An entry can be for one extra alone.
        text = f'extra == "{canonicalize_name(item.extra)}"'
        marker = marker.intersect(_marker(file, item.path, text))
    entries = [
        (entry, both)
        for entry in own
        if entry.name == item.name and not (both := marker.intersect(entry.marker)).is_empty()
    ]
    if not entries:
        yield item
    for entry, both in entries:
        joined = replace(item, marker=item.marker if both == marker else both)
        if item.is_direct or entry.is_direct:
            direct = entry if entry.is_direct else joined
            yield replace(
                joined, is_direct=True, required_path=direct.required_path, path=direct.path
            )
        else:
            yield _joined(file, joined, entry)


def _joined(file: TomlFile, requirement: Requirement, entry: Requirement) -> Requirement:
    constraint = requirement.constraint.intersect(entry.constraint)
    if constraint.is_empty():
        message = (
            f"{entry.written!r} contradicts {requirement.written!r}, "
            f"which {requirement.name} has in [{requirement.path[0]}]"
        )
        raise file.error(entry.constraint_path, message)
    says_more = entry.written not in {"*", requirement.written}
    written = [requirement.written, entry.written] if says_more else [requirement.written]
    only_there = says_more and not requirement.written
    return replace(
        requirement,
        constraint=constraint,
        written=", ".join(text for text in written if text),
        constraint_path=entry.constraint_path if only_there else requirement.constraint_path,
        enriched_at=entry.path,
        source=entry.source,
    )


def _project_lists(file: TomlFile) -> Iterator[Requirement]:
    project = file.table("project")
    if "dependencies" in project:
        yield from _pep508_list(file, ("project", "dependencies"), MAIN)
    for extra in file.table("project", "optional-dependencies"):
        path = ("project", "optional-dependencies", extra)
        yield from _pep508_list(file, path, MAIN, extra=extra)


def _pep508_list(
    file: TomlFile, path: KeyPath, group: str, *, extra: str | None = None
) -> Iterator[Requirement]:
    items = file.document.get(path)
    if not isinstance(items, list):
        raise file.error(path, f"{'.'.join(map(str, path))} is not an array of requirements")
    for index, item in enumerate(items):
        place = (*path, index)
        if isinstance(item, dict) and path[0] == "dependency-groups":
            continue  # {include-group = "…"}: its members are read where they stand
        if not isinstance(item, str):
            raise file.error(place, f"{item!r} is not a requirement string")
        yield _pep508(file, place, item, group, extra)


def _pep508(file: TomlFile, path: KeyPath, text: str, group: str, extra: str | None) -> Requirement:
    try:
        # Relative paths start at the project, not in the folder where the process runs.
        with bounded(text):
            dependency = _parse_plain(text) or Dependency.create_from_pep_508(
                text, relative_to=file.path.parent
            )
    except Exception as error:  # poetry-core raises several kinds, some of them ValueError
        reason = str(error).partition("\n")[0]  # a drawing may follow
        raise file.error(path, f"{cut(text)!r} is not a valid requirement: {cut(reason)}") from None
    match = PEP508.match(text)
    written = match["version"] if match else str(dependency.pretty_constraint)
    return Requirement(
        name=dependency.name,
        constraint=dependency.constraint,
        written=written.removeprefix("(").removesuffix(")").strip(),
        extras=frozenset(dependency.extras),
        marker=dependency.marker,
        group=group,
        optional=extra is not None,
        path=path,
        constraint_path=path,
        extra=extra,
        is_direct=dependency.is_direct_origin(),
        required_path=str(dependency.path) if isinstance(dependency, PathDependency) else None,
    )


def _poetry_table(file: TomlFile, path: tuple[str, ...], group: str) -> Iterator[Requirement]:
    for name in file.table(*path):
        if name.lower() == "python":
            continue
        value = file.document.get((*path, name))
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield _poetry_entry(file, (*path, name, index), name, item, group)
        else:
            yield _poetry_entry(file, (*path, name), name, value, group)


def _poetry_entry(
    file: TomlFile, path: KeyPath, name: str, value: object, group: str
) -> Requirement:
    if not name:
        raise file.error(path, "a requirement has no name")
    entry: Mapping[str, Any]
    if isinstance(value, str):
        entry, constraint_path = {"version": value}, path
    elif isinstance(value, dict):
        entry, constraint_path = value, (*path, "version")
    else:
        raise file.error(path, f"{name} has the value {value!r}, which is not a constraint")
    is_direct = not _DIRECT.isdisjoint(entry)
    written = "*" if is_direct else entry.get("version", "*")
    return Requirement(
        name=canonicalize_name(name),
        constraint=VersionRange() if is_direct else read_constraint(file, constraint_path, written),
        written=written,
        extras=frozenset(map(canonicalize_name, as_texts(entry.get("extras")))),
        marker=_entry_marker(file, path, entry),
        group=group,
        optional=entry.get("optional") is True,
        path=path,
        constraint_path=constraint_path,
        source=source if isinstance(source := entry.get("source"), str) else None,
        is_direct=is_direct,
        required_path=as_text(entry.get("path", entry.get("file"))) or None,
    )


def required_name(text: str) -> NormalizedName:
    """The distribution that a requirement string begins with."""
    return canonicalize_name(re.split(r"[^\w.-]", text.strip(), maxsplit=1)[0])


def requested_extras(text: str) -> frozenset[NormalizedName]:
    """The extras in a requirement string, which may be malformed otherwise."""
    match = PEP508.match(text)
    written = (match["extras"] or "").strip().strip("[]") if match else ""
    return frozenset(canonicalize_name(one.strip()) for one in written.split(",") if one.strip())


def read_constraint(file: TomlFile, path: KeyPath, written: object) -> VersionConstraint:
    """The version constraint that stands at a path; `ProjectError` if it is malformed."""
    try:
        if not isinstance(written, str):
            raise ValueError("not a string")
        with bounded(written):
            return parse_constraint(written)
    except ValueError as error:
        message = f"{cut(repr(written))} is not a version constraint: {cut(str(error))}"
        raise file.error(path, message) from None


def _entry_marker(file: TomlFile, path: KeyPath, entry: Mapping[str, Any]) -> BaseMarker:
    marker: BaseMarker = AnyMarker()
    for key, to_marker in _MARKER_KEYS.items():
        if isinstance(text := entry.get(key), str):
            marker = marker.intersect(_marker(file, path, text, to_marker))
    return marker


def _python_marker(python: str) -> str:
    from poetry.core.packages.utils.utils import create_nested_marker

    with bounded(python):
        return create_nested_marker("python_version", parse_constraint(python))


_MARKER_KEYS: Mapping[str, Callable[[str], str]] = {
    "markers": str,
    "python": _python_marker,
    "platform": 'sys_platform == "{}"'.format,
}
"""The keys of an entry in Poetry's own tables that say where it applies, as markers."""


def _marker(
    file: TomlFile, path: KeyPath, text: str, to_marker: Callable[[str], str] = str
) -> BaseMarker:
    try:
        with bounded(text):
            return parse_marker(to_marker(text))
    except Exception as error:  # poetry-core raises several kinds here too
        name = path[-2] if isinstance(path[-1], int) else path[-1]
        reason = str(error).partition("\n")[0]
        raise file.error(path, f"a marker of {name} is not valid: {cut(reason)}") from None


def _parse_plain(text: str) -> Dependency | None:
    """The dependency of a requirement string of the simplest form; None for any other.

    It is the one that poetry-core would make. Building poetry-core's parser takes longer than
    reading the rest of a project.
    """
    match = _PLAIN.fullmatch(text)
    if match is None or (match["open"] and not match["versions"]):
        return None
    try:
        constraint = parse_constraint(match["versions"] or "*")
    except ValueError:
        return None
    if constraint.is_empty():
        return None  # poetry-core refuses it with a message
    extras = re.split(r", *", match["extras"]) if match["extras"] else ()
    return Dependency(match["name"], constraint, extras=extras)
