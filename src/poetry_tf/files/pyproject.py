"""pyproject.toml: what a project declares, in whichever of the places Poetry reads it from.

Legacy ``[tool.poetry.dependencies]`` (strings, tables, arrays of tables, groups) and the standard
``[project]``, extras and ``[dependency-groups]`` all become the same `Requirement`, so that no
rule needs to know how a project spells its dependencies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from packaging.utils import NormalizedName, canonicalize_name
from poetry.core.constraints.version import (
    Version,
    VersionConstraint,
    VersionRange,
    parse_constraint,
)
from poetry.core.packages.dependency import Dependency
from poetry.core.version.markers import AnyMarker, BaseMarker, parse_marker

from poetry_tf.files.documents import DocumentError, KeyPath, Position, position_at
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.toml import TomlDocument

MAIN = "main"
PEP508 = re.compile(
    r"""(?P<name>\s*[A-Za-z0-9][A-Za-z0-9._-]*)
        (?P<extras>\s*\[[^\]]*\])?
        (?P<space>\s*)
        (?P<version>\([^)]*\)|[^;]*?)
        (?P<rest>\s*(?:;.*)?|\s+\#.*)\Z""",
    re.VERBOSE | re.DOTALL,
)
"""The parts of a requirement string: what is between name and marker is the version, in
parentheses or without, or an address. `rest` is the marker, or the comment that Poetry admits."""

# A requirement string as most are: a name, extras and versions, without a marker or an address.
_PLAIN = re.compile(
    r"""(?P<name>[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?)[ ]*
        (?:\[(?P<extras>[A-Za-z0-9][\w-]*(?:,[ ]*[A-Za-z0-9][\w-]*)*)\])?[ ]*
        (?P<open>\()?(?P<versions>{one}(?:,[ ]*{one})*)?(?(open)\))""".replace(
        "{one}", r"(?:[~=!<>]=|[<>])[ ]*\d[\w.]*(?:\.\*)?"
    ),
    re.VERBOSE | re.ASCII,
)

# Git's, without which the other two markers of a conflict do not stand.
_CONFLICT = re.compile(r"^<{7}(?= |\r?$)", re.MULTILINE)
_DIRECT = frozenset({"git", "path", "file", "url"})


@dataclass(frozen=True)
class Requirement:
    """One declared dependency on a distribution of an index (not on a path, URL or repository)."""

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
    """Installed only when an extra is asked for."""
    path: KeyPath
    """Where the whole requirement stands in pyproject.toml."""
    constraint_path: KeyPath
    """Where its version constraint stands: `path` for a PEP 508 string, unless only the entry that
    enriches it has one."""
    enriched_at: KeyPath | None = None
    """The entry of Poetry's own table that adds to a PEP 508 string (a source, say)."""
    source: str | None = None
    """The name of the index that it is to come from, where it names one."""

    @property
    def is_pep508(self) -> bool:
        """Whether it is written as a PEP 508 string rather than in Poetry's own form."""
        return self.path[0] in {"project", "dependency-groups"}


@dataclass(frozen=True)
class PythonRange:
    """A declared range of Python versions and where it stands."""

    constraint: VersionConstraint
    written: str
    path: KeyPath

    @property
    def is_exact(self) -> bool:
        """Whether it is one version: "3.11" means 3.11.0 and no other, which nobody wants."""
        return isinstance(self.constraint, Version)


@dataclass(frozen=True)
class Source:
    """An entry of ``[[tool.poetry.source]]``: an index besides PyPI, or in its place."""

    name: str
    url: str
    """Empty where it has none, as the one that is PyPI."""
    priority: str
    path: KeyPath

    @property
    def is_explicit(self) -> bool:
        """Whether only what names it comes from it."""
        return self.priority == "explicit"

    @property
    def precedes_pypi(self) -> bool:
        """Whether it is asked in PyPI's place or before it, for everything."""
        return self.priority not in {"explicit", "supplemental"}


@dataclass(frozen=True)
class _Declared:
    """A dependency as one place declares it, before Poetry takes the places together."""

    requirement: Requirement
    is_direct: bool
    """Whether it is on a path, URL or repository; the constraint then says nothing."""
    extra: str | None = None
    """The extra of [project] in whose list it stands."""


@dataclass(frozen=True)
class Pyproject:
    """A pyproject.toml that is well-formed TOML. Everything is read from it lazily."""

    path: Path
    document: TomlDocument

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = self.document.data
        return data

    @classmethod
    def read(cls, path: Path, text: str) -> Pyproject:
        """Raises `ProjectError` where the text is not TOML or its tables are not tables."""
        return cls(path, parse_toml(path, text))

    def with_document(self, document: TomlDocument) -> Pyproject:
        return Pyproject(self.path, document)

    def position(self, path: KeyPath) -> Position:
        """Where `path` stands, or the nearest of its parents that is there."""
        return self.document.nearest(path)

    def table(self, *path: str) -> dict[str, Any]:
        """The table at `path`, empty where it is absent; `ProjectError` where it is no table."""
        value: dict[str, Any] = self.data
        for depth, key in enumerate(path, start=1):
            value = value.get(key, {})
            if not isinstance(value, dict):
                raise self._error(path[:depth], f"[{'.'.join(path[:depth])}] is not a table")
        table: dict[str, Any] = value
        return table

    def _error(self, path: KeyPath, message: str) -> ProjectError:
        return ProjectError(self.path, message, self.position(path))

    # -- what kind of project it is ---------------------------------------------------------

    @property
    def is_managed(self) -> bool:
        """Whether it has ``[tool.poetry-tf]``, by which poetry-tf may enforce its plan."""
        return "poetry-tf" in self.table("tool")

    @property
    def uses_poetry_tables(self) -> bool:
        """Whether run-time dependencies stand in Poetry's own table rather than in [project]."""
        project = self.table("project")
        if "dependencies" in project or "optional-dependencies" in project:
            return False
        if "poetry" not in self.table("tool"):
            return False
        return "dependencies" in self.table("tool", "poetry") or not project

    @cached_property
    def foreign_manager(self) -> str | None:
        """The other tool that builds or manages this project, None if Poetry does or may."""
        tool = self.table("tool")
        if "poetry" in tool:
            return None
        backend = self.table("build-system").get("build-backend")
        if isinstance(backend, str):
            # Others may have a table beside Poetry (an index for uv), but none builds with it.
            return None if backend.startswith("poetry") else f"the build backend {backend}"
        for name in ("pdm", "hatch", "uv", "rye", "pixi", "flit"):
            if name in tool:
                return name
        return None

    @cached_property
    def is_poetrys(self) -> bool:
        """Whether the file says that Poetry manages or builds the project."""
        backend = self.table("build-system").get("build-backend")
        tool = self.table("tool")
        return (
            "poetry" in tool
            or "poetry-tf" in tool
            or (isinstance(backend, str) and backend.startswith("poetry"))
        )

    @cached_property
    def package_mode(self) -> bool:
        """Poetry's ``package-mode``, which is on where it isn't set."""
        return self.table("tool", "poetry").get("package-mode", True) is not False

    @cached_property
    def ships_package(self) -> bool:
        """Whether there is something to install: packages, scripts, plugins, or the module."""
        poetry, project = self.table("tool", "poetry"), self.table("project")
        if any(poetry.get(key) for key in ("packages", "include", "scripts", "plugins", "build")):
            return True
        if any(project.get(key) for key in ("scripts", "gui-scripts", "entry-points")):
            return True
        name = self.name
        if not name:
            return False  # as a module it would be the folder itself
        # Poetry's own search for a package: the name as a module, at the top or below src.
        module = canonicalize_name(name).replace("-", "_")
        folders = (self.path.parent, self.path.parent / "src")
        try:
            return any(
                (folder / module).is_dir() or (folder / f"{module}.py").is_file()
                for folder in folders
            )
        except OSError:
            return False  # a name that no file can have, or a folder that can't be looked into

    @property
    def name(self) -> str | None:
        for table in (self.table("project"), self.table("tool", "poetry")):
            if isinstance(name := table.get("name"), str):
                return name
        return None

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """The indexes that it declares; entries that are none are for Poetry to complain of."""
        path = ("tool", "poetry", "source")
        entries = self.document.get(path)
        return tuple(
            Source(
                name=_string(entry.get("name")),
                url=_string(entry.get("url")),
                priority=_string(entry.get("priority", "primary")).lower(),
                path=(*path, index),
            )
            for index, entry in enumerate(entries if isinstance(entries, list) else ())
            if isinstance(entry, dict)
        )

    # -- Pythons ----------------------------------------------------------------------------

    @cached_property
    def python(self) -> PythonRange | None:
        """The Pythons that Poetry locks for: its own ``python`` entry, else requires-python."""
        places: tuple[KeyPath, ...] = (
            ("tool", "poetry", "dependencies", "python"),
            ("project", "requires-python"),
        )
        for path in places:
            written, place = self.document.get(path), path
            if isinstance(written, dict):
                written, place = written.get("version"), (*path, "version")
            if written is not None:
                return PythonRange(self._constraint(place, written), written, place)
        return None

    @property
    def python_path(self) -> KeyPath:
        """Where the range of Pythons stands, or would stand if there were one."""
        if self.python is not None:
            return self.python.path
        if self.uses_poetry_tables:
            return ("tool", "poetry", "dependencies", "python")
        return ("project", "requires-python")

    # -- requirements -----------------------------------------------------------------------

    @cached_property
    def requirements(self) -> tuple[Requirement, ...]:
        """Every declared requirement, main ones first; `ProjectError` for one that is malformed.

        Where ``[project]`` or ``[dependency-groups]`` lists dependencies, Poetry's tables only add
        to those what the standard cannot say; their entries are no requirements of their own then.
        """
        return tuple(item.requirement for item in self._declared if not item.is_direct)

    @cached_property
    def direct_requirements(self) -> tuple[Requirement, ...]:
        """Those on a path, URL or repository; their constraint says nothing."""
        return tuple(item.requirement for item in self._declared if item.is_direct)

    @cached_property
    def _declared(self) -> tuple[_Declared, ...]:
        dynamic = {"dependencies", "optional-dependencies"}.intersection(
            _strings(self.table("project").get("dynamic"))
        )
        poetrys = [*self._poetry_table(("tool", "poetry", "dependencies"), MAIN)]
        found = [*self._together([*self._project_lists()], poetrys, mixed=bool(dynamic))]
        own: dict[str, list[_Declared]] = {
            canonicalize_name("dev"): [
                *self._poetry_table(("tool", "poetry", "dev-dependencies"), "dev")
            ]
        }
        for group in self.table("tool", "poetry", "group"):
            self.table("tool", "poetry", "group", group)
            path = ("tool", "poetry", "group", group, "dependencies")
            own.setdefault(canonicalize_name(group), []).extend(self._poetry_table(path, group))
        standard: dict[str, list[_Declared]] = {}
        for group in self.table("dependency-groups"):
            items = self._pep508_list(("dependency-groups", group), group)
            standard.setdefault(canonicalize_name(group), []).extend(items)
        for key in dict.fromkeys([*own, *standard]):
            found += self._together(standard.get(key, []), own.get(key, []))
        return tuple(found)

    def _together(
        self, standard: Sequence[_Declared], own: Sequence[_Declared], *, mixed: bool = False
    ) -> Iterator[_Declared]:
        """What Poetry makes of what the standard's list and its own table declare for a group.

        The same as in `DependencyGroup.dependencies_for_locking` of poetry-core. `mixed`: one of
        the two kinds of dependencies, optional or not, is dynamic and may be in Poetry's table.
        """
        if not standard:
            yield from own
            return
        for item in standard:
            yield from self._enriched(item, own)
        kinds = {item.requirement.optional for item in standard}
        for item in own if mixed and len(kinds) == 1 else ():
            if item.requirement.optional not in kinds:
                yield item

    def _enriched(self, item: _Declared, own: Sequence[_Declared]) -> Iterator[_Declared]:
        """A requirement of the standard's with what the entries of its name in a table add.

        Several entries apply each where their markers do; one that is a direct origin decides.
        """
        requirement = item.requirement
        marker = requirement.marker
        if item.extra is not None:
            # An entry can be for one extra alone, so it matters in whose list this one is.
            text = f'extra == "{canonicalize_name(item.extra)}"'
            marker = marker.intersect(self._marker(requirement.path, text))
        entries = [
            (entry, both)
            for entry in own
            if entry.requirement.name == requirement.name
            and not (both := marker.intersect(entry.requirement.marker)).is_empty()
        ]
        if not entries:
            yield item
        for entry, both in entries:
            narrowed = requirement.marker if both == marker else both
            joined = replace(requirement, marker=narrowed)
            is_direct = item.is_direct or entry.is_direct
            if not is_direct:
                joined = self._joined(joined, entry.requirement)
            yield replace(item, requirement=joined, is_direct=is_direct)

    def _joined(self, requirement: Requirement, entry: Requirement) -> Requirement:
        constraint = requirement.constraint.intersect(entry.constraint)
        if constraint.is_empty():
            message = (
                f"{entry.written!r} contradicts {requirement.written!r}, "
                f"which {requirement.name} has in [{requirement.path[0]}]"
            )
            raise self._error(entry.constraint_path, message)
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

    def _project_lists(self) -> Iterator[_Declared]:
        project = self.table("project")
        if "dependencies" in project:
            yield from self._pep508_list(("project", "dependencies"), MAIN)
        for extra in self.table("project", "optional-dependencies"):
            path = ("project", "optional-dependencies", extra)
            yield from self._pep508_list(path, MAIN, extra=extra)

    def _pep508_list(
        self, path: KeyPath, group: str, *, extra: str | None = None
    ) -> Iterator[_Declared]:
        items = self.document.get(path)
        if not isinstance(items, list):
            raise self._error(path, f"{'.'.join(map(str, path))} is not an array of requirements")
        for index, item in enumerate(items):
            place = (*path, index)
            if isinstance(item, dict) and path[0] == "dependency-groups":
                continue  # {include-group = "…"}: its members are read where they stand
            if not isinstance(item, str):
                raise self._error(place, f"{item!r} is not a requirement string")
            yield self._pep508(place, item, group, extra)

    def _pep508(self, path: KeyPath, text: str, group: str, extra: str | None) -> _Declared:
        try:
            # Relative paths are the project's; else poetry-core would look for them, and complain
            # that they are not there, where the process happens to run.
            dependency = _plain(text) or Dependency.create_from_pep_508(
                text, relative_to=self.path.parent
            )
        except Exception as error:  # poetry-core raises several kinds, some of them ValueError
            reason = str(error).partition("\n")[0]  # a drawing may follow
            raise self._error(path, f"{text!r} is not a valid requirement: {reason}") from None
        match = PEP508.match(text)
        written = match["version"] if match else str(dependency.pretty_constraint)
        requirement = Requirement(
            name=dependency.name,
            constraint=dependency.constraint,
            written=written.removeprefix("(").removesuffix(")").strip(),
            extras=frozenset(dependency.extras),
            marker=dependency.marker,
            group=group,
            optional=extra is not None,
            path=path,
            constraint_path=path,
        )
        return _Declared(requirement, dependency.is_direct_origin(), extra)

    def _poetry_table(self, path: tuple[str, ...], group: str) -> Iterator[_Declared]:
        for name in self.table(*path):
            if name.lower() == "python":
                continue
            value = self.document.get((*path, name))
            if isinstance(value, list):
                for index, item in enumerate(value):
                    yield self._poetry_entry((*path, name, index), name, item, group)
            else:
                yield self._poetry_entry((*path, name), name, value, group)

    def _poetry_entry(self, path: KeyPath, name: str, value: object, group: str) -> _Declared:
        if not name:
            raise self._error(path, "a requirement has no name")
        entry: Mapping[str, Any]
        if isinstance(value, str):
            entry, constraint_path = {"version": value}, path
        elif isinstance(value, dict):
            entry, constraint_path = value, (*path, "version")
        else:
            raise self._error(path, f"{name} has the value {value!r}, which is no constraint")
        is_direct = not _DIRECT.isdisjoint(entry)
        written = "*" if is_direct else entry.get("version", "*")
        requirement = Requirement(
            name=canonicalize_name(name),
            constraint=VersionRange() if is_direct else self._constraint(constraint_path, written),
            written=written,
            extras=frozenset(map(canonicalize_name, _strings(entry.get("extras")))),
            marker=self._entry_marker(path, entry),
            group=group,
            optional=entry.get("optional") is True,
            path=path,
            constraint_path=constraint_path,
            source=source if isinstance(source := entry.get("source"), str) else None,
        )
        return _Declared(requirement, is_direct)

    def _constraint(self, path: KeyPath, written: object) -> VersionConstraint:
        try:
            if not isinstance(written, str):
                raise ValueError("not a string")
            return parse_constraint(written)
        except ValueError as error:
            raise self._error(path, f"{written!r} is no version constraint: {error}") from None

    def _entry_marker(self, path: KeyPath, entry: Mapping[str, Any]) -> BaseMarker:
        marker: BaseMarker = AnyMarker()
        if isinstance(text := entry.get("markers"), str):
            marker = marker.intersect(self._marker(path, text))
        if isinstance(python := entry.get("python"), str):
            marker = marker.intersect(self._python_marker(path, python))
        if isinstance(platform := entry.get("platform"), str):
            marker = marker.intersect(self._marker(path, f'sys_platform == "{platform}"'))
        return marker

    def _python_marker(self, path: KeyPath, python: str) -> BaseMarker:
        from poetry.core.packages.utils.utils import create_nested_marker

        try:
            text = create_nested_marker("python_version", parse_constraint(python))
        except Exception as error:  # poetry-core raises several kinds here too
            raise self._marker_error(path, error) from None
        return self._marker(path, text)

    def _marker(self, path: KeyPath, text: str) -> BaseMarker:
        try:
            return parse_marker(text)
        except Exception as error:  # as above
            raise self._marker_error(path, error) from None

    def _marker_error(self, path: KeyPath, error: Exception) -> ProjectError:
        name = path[-2] if isinstance(path[-1], int) else path[-1]
        reason = str(error).partition("\n")[0]
        return self._error(path, f"a marker of {name} is not valid: {reason}")


def _plain(text: str) -> Dependency | None:
    """The dependency of a requirement string of the simplest form; None for any other.

    It is the one that poetry-core would make. To build poetry-core's parser takes longer than all
    else that is read of a project.
    """
    match = _PLAIN.fullmatch(text)
    if match is None or (match["open"] and not match["versions"]):
        return None
    try:
        constraint = parse_constraint(match["versions"] or "*")
    except ValueError:
        return None
    if constraint.is_empty():
        return None  # which poetry-core refuses, and says how
    extras = re.split(r", *", match["extras"]) if match["extras"] else ()
    return Dependency(match["name"], constraint, extras=extras)


def parse_toml(path: Path, text: str) -> TomlDocument:
    """Raises `ProjectError` with the file, the line and what is wrong there."""
    try:
        return TomlDocument.parse(text)
    except DocumentError as error:
        # The reader would speak of an invalid statement, or of a key that is there twice.
        if conflict := _CONFLICT.search(text):
            message = "merge conflict markers: decide what stays and remove them"
            raise ProjectError(path, message, position_at(text, conflict.start())) from None
        raise ProjectError(path, error.message, error.position) from None


def _strings(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
