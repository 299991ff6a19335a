"""pyproject.toml: what a project declares, in whichever of the places Poetry reads it from.

Legacy ``[tool.poetry.dependencies]`` (strings, tables, arrays of tables, groups) and the standard
``[project]``, extras and ``[dependency-groups]`` all become the same `Requirement`, so that no
rule needs to know how a project spells its dependencies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from packaging.utils import NormalizedName, canonicalize_name
from poetry.core.constraints.version import VersionConstraint, parse_constraint
from poetry.core.packages.dependency import Dependency
from poetry.core.version.markers import AnyMarker, BaseMarker, parse_marker

from poetry_tf.project.documents import KeyPath, Position
from poetry_tf.project.errors import ProjectError
from poetry_tf.project.toml import TomlDocument

MAIN = "main"


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
    """Where its version constraint stands; the same as `path` for a PEP 508 string."""

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
        return "dependencies" in self.table("tool", "poetry") or not project

    @cached_property
    def foreign_manager(self) -> str | None:
        """The other tool that builds or manages this project, None if Poetry does or may."""
        tool = self.table("tool")
        if "poetry" in tool:
            return None
        backend = self.table("build-system").get("build-backend")
        if isinstance(backend, str) and not backend.startswith("poetry"):
            return f"the build backend {backend}"
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
        if name is None:
            return False
        # Poetry's own search for a package: the name as a module, at the top or below src.
        module = canonicalize_name(name).replace("-", "_")
        folders = (self.path.parent, self.path.parent / "src")
        return any(
            (folder / module).is_dir() or (folder / f"{module}.py").is_file() for folder in folders
        )

    @property
    def name(self) -> str | None:
        for table in (self.table("project"), self.table("tool", "poetry")):
            if isinstance(name := table.get("name"), str):
                return name
        return None

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

    # -- requirements -----------------------------------------------------------------------

    @cached_property
    def requirements(self) -> tuple[Requirement, ...]:
        """Every declared requirement, main ones first; `ProjectError` for one that is malformed.

        Where ``[project]`` lists dependencies, Poetry's table only adds to them what the standard
        cannot say (a source, say); its entries are then no requirements of their own, unless
        ``dynamic`` says that the table is where dependencies are.
        """
        found = [*self._project_requirements()]
        dynamic = _strings(self.table("project").get("dynamic"))
        if not found or {"dependencies", "optional-dependencies"} & set(dynamic):
            found += self._poetry_table(("tool", "poetry", "dependencies"), MAIN)
        found += self._poetry_table(("tool", "poetry", "dev-dependencies"), "dev")
        for group in self.table("tool", "poetry", "group"):
            self.table("tool", "poetry", "group", group)
            found += self._poetry_table(("tool", "poetry", "group", group, "dependencies"), group)
        for group in self.table("dependency-groups"):
            found += self._pep508_list(("dependency-groups", group), group, optional=False)
        return tuple(found)

    def _project_requirements(self) -> Iterator[Requirement]:
        project = self.table("project")
        if "dependencies" in project:
            yield from self._pep508_list(("project", "dependencies"), MAIN, optional=False)
        for extra in self.table("project", "optional-dependencies"):
            path = ("project", "optional-dependencies", extra)
            yield from self._pep508_list(path, MAIN, optional=True)

    def _pep508_list(self, path: KeyPath, group: str, *, optional: bool) -> Iterator[Requirement]:
        items = self.document.get(path)
        if not isinstance(items, list):
            raise self._error(path, f"{'.'.join(map(str, path))} is not an array of requirements")
        for index, item in enumerate(items):
            place = (*path, index)
            if isinstance(item, dict) and path[0] == "dependency-groups":
                continue  # {include-group = "…"}: its members are read where they stand
            if not isinstance(item, str):
                raise self._error(place, f"{item!r} is not a requirement string")
            if (requirement := self._pep508(place, item, group, optional)) is not None:
                yield requirement

    def _pep508(self, path: KeyPath, text: str, group: str, optional: bool) -> Requirement | None:
        try:
            dependency = Dependency.create_from_pep_508(text)
        except Exception as error:  # poetry-core raises several kinds, some of them ValueError
            reason = str(error).partition("\n")[0]  # a drawing may follow
            raise self._error(path, f"{text!r} is not a valid requirement: {reason}") from None
        if dependency.is_direct_origin():
            return None
        constraint = dependency.constraint
        return Requirement(
            name=dependency.name,
            constraint=constraint,
            written="" if constraint.is_any() else str(dependency.pretty_constraint),
            extras=frozenset(dependency.extras),
            marker=dependency.marker,
            group=group,
            optional=optional,
            path=path,
            constraint_path=path,
        )

    def _poetry_table(self, path: tuple[str, ...], group: str) -> Iterator[Requirement]:
        for name in self.table(*path):
            if name.lower() == "python":
                continue
            value = self.document.get((*path, name))
            if isinstance(value, list):
                for index, item in enumerate(value):
                    yield from self._poetry_entry((*path, name, index), name, item, group)
            else:
                yield from self._poetry_entry((*path, name), name, value, group)

    def _poetry_entry(
        self, path: KeyPath, name: str, value: object, group: str
    ) -> Iterator[Requirement]:
        entry: Mapping[str, Any]
        if isinstance(value, str):
            entry, constraint_path = {"version": value}, path
        elif isinstance(value, dict):
            entry, constraint_path = value, (*path, "version")
        else:
            raise self._error(path, f"{name} has the value {value!r}, which is no constraint")
        if {"git", "path", "file", "url"} & set(entry):
            return
        written = entry.get("version", "*")
        yield Requirement(
            name=canonicalize_name(name),
            constraint=self._constraint(constraint_path, written),
            written=written,
            extras=frozenset(map(canonicalize_name, _strings(entry.get("extras")))),
            marker=self._entry_marker(path, entry),
            group=group,
            optional=entry.get("optional") is True,
            path=path,
            constraint_path=constraint_path,
        )

    def _constraint(self, path: KeyPath, written: object) -> VersionConstraint:
        try:
            if not isinstance(written, str):
                raise ValueError("not a string")
            return parse_constraint(written)
        except ValueError as error:
            raise self._error(path, f"{written!r} is no version constraint: {error}") from None

    def _entry_marker(self, path: KeyPath, entry: Mapping[str, Any]) -> BaseMarker:
        marker: BaseMarker = AnyMarker()
        try:
            if isinstance(text := entry.get("markers"), str):
                marker = marker.intersect(parse_marker(text))
            if isinstance(python := entry.get("python"), str):
                marker = marker.intersect(_python_marker(python))
            if isinstance(platform := entry.get("platform"), str):
                marker = marker.intersect(parse_marker(f'sys_platform == "{platform}"'))
        except Exception as error:  # as above: several kinds
            raise self._error(path, f"a marker of {path[-1]} is not valid: {error}") from None
        return marker


def parse_toml(path: Path, text: str) -> TomlDocument:
    """Raises `ProjectError` with the file, the line and what is wrong there."""
    from poetry_tf.project.documents import DocumentError

    try:
        return TomlDocument.parse(text)
    except DocumentError as error:
        raise ProjectError(path, error.message, error.position) from None


def _strings(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _python_marker(python: str) -> BaseMarker:
    from poetry.core.packages.utils.utils import create_nested_marker

    return parse_marker(create_nested_marker("python_version", parse_constraint(python)))
