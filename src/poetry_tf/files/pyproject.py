"""pyproject.toml: what a project declares of itself, its Pythons, sources and requirements."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name
from poetry.core.constraints.version import Version, VersionConstraint

from poetry_tf.files.requirements import MAIN, Requirement, declared_requirements, read_constraint
from poetry_tf.files.toml import TomlFile, parse_toml
from poetry_tf.files.values import KeyPath, as_text

MAX_SOURCES: Final = 20
"""More indexes than any project has."""


@dataclass(frozen=True)
class PythonRange:
    """A declared range of Python versions, and its place."""

    constraint: VersionConstraint
    written: str
    path: KeyPath

    @property
    def is_exact(self) -> bool:
        """Whether it is one version: "3.11" means 3.11.0 alone, which is never intended."""
        return isinstance(self.constraint, Version)


@dataclass(frozen=True)
class Source:
    """An entry of ``[[tool.poetry.source]]``: an index besides PyPI, or in its place."""

    name: str
    url: str
    """Empty for PyPI."""
    priority: str
    path: KeyPath

    @property
    def is_explicit(self) -> bool:
        """Whether it serves only packages that name it."""
        return self.priority == "explicit"

    @property
    def precedes_pypi(self) -> bool:
        """Whether it replaces or precedes PyPI for every package."""
        return self.priority not in {"explicit", "supplemental"}


@dataclass(frozen=True)
class Pyproject(TomlFile):
    """A pyproject.toml that is well-formed TOML. Everything is read from it lazily."""

    @classmethod
    def read(cls, path: Path, text: str) -> Pyproject:
        """Raises `ProjectError` where the text is not TOML or its tables are not tables."""
        return cls(path, parse_toml(path, text))

    # -- what kind of project it is ---------------------------------------------------------

    @property
    def is_managed(self) -> bool:
        """Whether it has ``[tool.poetry-tf]``, which lets poetry-tf enforce its plan."""
        return "poetry-tf" in self.table("tool")

    @property
    def uses_poetry_tables(self) -> bool:
        """Whether run-time dependencies are in Poetry's own table rather than in [project]."""
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
            return f"the build backend {backend}" if self._foreign_backend is not None else None
        others = ("pdm", "hatch", "uv", "rye", "pixi", "flit")
        return next((name for name in others if name in tool), None)

    @property
    def _foreign_backend(self) -> str | None:
        backend = as_text(self.table("build-system").get("build-backend"))
        return None if not backend or backend.startswith("poetry") else backend

    @cached_property
    def is_poetrys(self) -> bool:
        """Whether the file says that Poetry manages or builds the project."""
        backend = as_text(self.table("build-system").get("build-backend"))
        tool = self.table("tool")
        return "poetry" in tool or "poetry-tf" in tool or backend.startswith("poetry")

    @cached_property
    def package_mode(self) -> bool:
        """Poetry's ``package-mode``, on by default."""
        return self.table("tool", "poetry").get("package-mode", True) is not False

    @cached_property
    def ships_package(self) -> bool:
        """Whether there is something to install: packages, scripts, plugins, or the module.

        Another build backend than Poetry's looks for it in ways of its own, so there is.
        """
        if self._foreign_backend is not None:
            return True
        poetry, project = self.table("tool", "poetry"), self.table("project")
        if any(poetry.get(key) for key in ("packages", "include", "scripts", "plugins", "build")):
            return True
        if any(project.get(key) for key in ("scripts", "gui-scripts", "entry-points")):
            return True
        name = self.name
        if not name:
            return False
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

    def publishes(self, item: Requirement) -> bool:
        """Whether a requirement goes into the metadata of a package that the project ships."""
        return item.group == MAIN and self.package_mode and self.ships_package

    @property
    def name(self) -> str | None:
        for table in (self.table("project"), self.table("tool", "poetry")):
            if isinstance(name := table.get("name"), str):
                return name
        return None

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """The indexes that it declares, without malformed entries, which Poetry reports.

        Only the first `MAX_SOURCES`: each may be a finding whose fix reads the file again.
        """
        path = ("tool", "poetry", "source")
        entries = self.document.get(path)
        return tuple(
            Source(
                name=as_text(entry.get("name")),
                url=as_text(entry.get("url")),
                priority=as_text(entry.get("priority", "primary")).lower(),
                path=(*path, index),
            )
            for index, entry in enumerate(
                entries[:MAX_SOURCES] if isinstance(entries, list) else ()
            )
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
                return PythonRange(read_constraint(self, place, written), written, place)
        return None

    @property
    def python_path(self) -> KeyPath:
        """The place of the range of Pythons, also where there is none yet."""
        if self.python is not None:
            return self.python.path
        if self.uses_poetry_tables:
            return ("tool", "poetry", "dependencies", "python")
        return ("project", "requires-python")

    # -- requirements -----------------------------------------------------------------------

    @cached_property
    def requirements(self) -> tuple[Requirement, ...]:
        """The requirements on an index, main ones first; `ProjectError` for one that is malformed.

        Where ``[project]`` or ``[dependency-groups]`` lists dependencies, Poetry's tables only add
        to those, and their entries are no requirements of their own.
        """
        return tuple(item for item in self.declared_requirements if not item.is_direct)

    @cached_property
    def declared_requirements(self) -> tuple[Requirement, ...]:
        """The same with those on paths, URLs and repositories."""
        return declared_requirements(self)
