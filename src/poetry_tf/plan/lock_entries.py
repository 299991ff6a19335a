"""The packages of a lock, as far as their installation goes."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final

from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms, parse_tag
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version
from poetry.core.constraints.version import Version as PoetryVersion
from poetry.core.constraints.version import VersionConstraint, VersionRange, parse_constraint
from poetry.core.packages.utils.utils import create_nested_marker
from poetry.core.version.markers import BaseMarker, EmptyMarker, parse_marker

from poetry_tf.files.bounds import bounded
from poetry_tf.files.pyproject import Pyproject
from poetry_tf.files.requirements import Requirement, required_name
from poetry_tf.files.values import as_table, as_text, as_texts
from poetry_tf.plan.environments import ENVIRONMENTS, Target
from poetry_tf.releases.images import Systems
from poetry_tf.releases.model import (
    LINUX_AARCH64,
    LINUX_X86_64,
    MACOS_ARM64,
    MACOS_X86_64,
    WINDOWS_AMD64,
    numbers,
)

# The file extensions of source distributions that Poetry builds from.
_SOURCES: Final = (".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".tar")

# The combinations of a compressed tag of a wheel; those on PyPI have fewer than 50.
_MOST_TAGS: Final = 1_000

# The sources of packages that are built from a folder, a repository or a URL: no file of an index
# has to fit.
_NO_INDEX: Final = frozenset({"directory", "git", "url"})


@dataclass(frozen=True)
class DependencyEdge:
    """A requirement of a package, or of the project, on a package."""

    name: NormalizedName
    constraint: str
    marker: str = ""
    extras: frozenset[NormalizedName] = frozenset()
    """The extras of the required package that are requested."""


@dataclass(frozen=True, eq=False)
class LockedPackage:
    """One ``[[package]]`` of a lock, as far as its installation goes.

    A malformed value counts as absent, and an absent one is no obstacle: Poetry refuses such a
    lock itself.
    """

    name: NormalizedName
    version: str
    optional: bool
    """Whether it is installed for extras of the project only."""
    pythons: str
    """Its Requires-Python."""
    files: tuple[str, ...]
    """The names of its files; empty where none are known."""
    markers: tuple[str, ...] | None
    """It is needed where one of these holds, or everywhere if empty. None in locks before 2.1,
    which do not say."""
    requires: tuple[DependencyEdge, ...] = field(default=(), repr=False)

    @functools.cached_property
    def parsed(self) -> Version | None:
        """Its version; None where that is no standard version (a path, an old lock)."""
        try:
            return Version(self.version)
        except ValueError:
            return None

    @functools.cached_property
    def has_source(self) -> bool:
        """Whether it has a source distribution, to be built where no wheel fits."""
        return any(map(is_source, self.files))

    @functools.cached_property
    def tags(self) -> frozenset[str]:
        """The tags of its wheels as file names spell them: `cp311-abi3-win_amd64`."""
        return frozenset(tag for name in self.files if (tag := wheel_tag(name)))

    def has_file(self, target: Target, systems: Systems) -> bool:
        """Whether one of its files can be installed in a target, or no files are known."""
        return not self.files or self.has_source or self.has_wheel(target, systems)

    def has_wheel(self, target: Target, systems: Systems) -> bool:
        """Whether one of its wheels fits a target."""
        return any(tag_rank(tag, target, systems) is not None for tag in self.tags)

    def installed_file(self, target: Target, systems: Systems) -> str | None:
        """The file that is installed in a target: the best wheel, else a source distribution."""
        ranked = {name: tag_rank(wheel_tag(name), target, systems) for name in self.files}
        wheels = [(rank, name) for name, rank in ranked.items() if rank is not None]
        if wheels:
            return min(wheels, key=itemgetter(0))[1]
        return next(filter(is_source, self.files), None)

    def admits_python(self, python: str) -> bool:
        """Whether its Requires-Python admits any patch release of a Python minor."""
        return admits_python(self.pythons, python)

    def satisfies(self, constraint: VersionConstraint) -> bool:
        """Whether a constraint admits its version; true for a version that is not standard."""
        version = _poetry_version(self.version)
        return version is None or constraint.allows(version)


def is_source(filename: str) -> bool:
    """Whether a file is a source distribution that Poetry builds from."""
    return filename.lower().endswith(_SOURCES)


# -- reading --------------------------------------------------------------------------------


def read_packages(data: Mapping[str, Any]) -> Iterator[LockedPackage]:
    """The packages of a lock's data, in its order."""
    infos: Sequence[Mapping[str, Any]] = data.get("package", [])
    metadata_files = as_table(data.get("metadata", {}).get("files"))  # in locks before 2.0
    by_name = {canonicalize_name(name): value for name, value in metadata_files.items()}
    names = [canonicalize_name(info["name"]) for info in infos]
    counts = Counter(names)
    for name, info in zip(names, infos, strict=True):
        files = _file_names(info.get("files", by_name.get(name)))
        if "files" not in info and counts[name] > 1:
            files = tuple(file for file in files if _is_file_of(file, info["version"]))
        source = as_text(as_table(info.get("source")).get("type"))
        yield LockedPackage(
            name=name,
            version=info["version"],
            optional=info.get("optional") is True,
            pythons=as_text(info.get("python-versions"), "*"),
            files=() if source in _NO_INDEX else files,
            markers=_markers(info),
            requires=tuple(_edges(info)),
        )


def _file_names(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else []
    return tuple(as_texts([as_table(item).get("file") for item in items]))


def _is_file_of(file: str, version: str) -> bool:
    """Whether a file name has a version; true where the version can't be read."""
    if file.endswith(".whl"):
        written = [*file.split("-"), ""][1]
    else:
        stem = next((file[: -len(end)] for end in _SOURCES if file.endswith(end)), file)
        written = stem.rpartition("-")[2]
    try:
        return Version(written) == Version(version)
    except ValueError:
        return True


def _markers(info: Mapping[str, Any]) -> tuple[str, ...] | None:
    groups, written = info.get("groups"), info.get("markers")
    if not isinstance(groups, list):
        return None
    if isinstance(written, dict):
        # A group that is missing here has no marker.
        texts = [written.get(group) for group in groups if isinstance(group, str)]
    else:
        texts = [written]
    found = [text for text in texts if isinstance(text, str)]
    return tuple(found) if len(found) == len(texts) else ()


def _edges(info: Mapping[str, Any]) -> Iterator[DependencyEdge]:
    bringing = _bringing(as_table(info.get("extras")))
    for name, value in as_table(info.get("dependencies")).items():
        for item in value if isinstance(value, list) else [value]:
            entry = {"version": item} if isinstance(item, str) else as_table(item)
            yield DependencyEdge(
                canonicalize_name(name),
                as_text(entry.get("version"), "*"),  # absent for a path or a repository
                _edge_marker(entry, bringing.get(canonicalize_name(name), ())),
                frozenset(map(canonicalize_name, as_texts(entry.get("extras")))),
            )


def _bringing(extras: Mapping[str, Any]) -> Mapping[NormalizedName, Sequence[str]]:
    """The extras of a package that bring each distribution."""
    found: dict[NormalizedName, list[str]] = {}
    for extra, lines in extras.items():
        for name in dict.fromkeys(map(required_name, as_texts(lines))):
            found.setdefault(name, []).append(canonicalize_name(extra))
    return found


def _edge_marker(entry: Mapping[str, Any], bringing: Sequence[str]) -> str:
    written = as_text(entry.get("markers"))
    conditions = [written] if written else []
    if python := as_text(entry.get("python")):  # as Poetry 1.0 wrote it
        conditions.append(create_nested_marker("python_version", read_constraint(python)))
    if entry.get("optional") is True and "extra" not in written:
        # A package on a path has its extras in a list of their own.
        conditions += [" or ".join(f'extra == "{extra}"' for extra in bringing)] if bringing else []
    return " and ".join(f"({text})" for text in conditions if text)


def read_requirements(pyproject: Pyproject) -> Iterator[DependencyEdge]:
    """The project's own requirements, those on paths, URLs and repositories included.

    Raises `ProjectError` for a malformed one.
    """
    return map(requirement_edge, pyproject.declared_requirements)


def requirement_edge(item: Requirement) -> DependencyEdge:
    """A requirement of the project as an edge to what it brings."""
    extras = frozenset(map(canonicalize_name, item.extras))
    return DependencyEdge(item.name, str(item.constraint), str(item.marker), extras)


# -- markers and constraints ----------------------------------------------------------------
# Cached: a lock repeats the same few, and parsing one is slow.


@functools.cache
def holds(text: str, target: Target, extras: frozenset[NormalizedName] | None = None) -> bool:
    """Whether a marker holds in a target, with `extras` requested; None stands for all of them."""
    if not text:
        return True
    variables: dict[str, Any] = dict(ENVIRONMENTS[target.environment].variables(target.python))
    if extras is not None:
        variables["extra"] = set(extras)
    return _marker(text).validate(variables)


@functools.cache
def _marker(text: str) -> BaseMarker:
    try:
        with bounded(text):
            return parse_marker(text)
    except Exception:  # poetry-core raises several kinds
        return EmptyMarker()


@functools.cache
def read_constraint(text: str) -> VersionConstraint:
    """A constraint from its text; a malformed one admits every version."""
    try:
        with bounded(text):
            return parse_constraint(text)
    except ValueError:
        return VersionRange()


@functools.cache
def _poetry_version(version: str) -> PoetryVersion | None:
    try:
        return PoetryVersion.parse(version)
    except ValueError:
        return None


@functools.cache
def admits_python(constraint: str, python: str) -> bool:
    """Whether a constraint admits any patch release of a Python minor."""
    major, minor = numbers(python)
    return read_constraint(constraint).allows_any(
        parse_constraint(f">={major}.{minor},<{major}.{minor + 1}")
    )


# -- the tags of wheels, as a target installs them ------------------------------------------

# The first glibc 2.x for which wheels were made for a processor, and the platform tags that do not
# name the glibc (PEP 513, 571, 599, 600).
_FIRST_GLIBC: Final = {"x86_64": 5, "aarch64": 17}
_OLD_NAMES: Final = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}


def wheel_tag(filename: str) -> str:
    """The tag of a wheel as its file name spells it, maybe compressed; empty for other files."""
    parts = filename.removesuffix(".whl").split("-")
    return "-".join(parts[-3:]) if filename.endswith(".whl") and len(parts) >= 5 else ""


@functools.cache
def tag_rank(tag: str, target: Target, systems: Systems) -> int | None:
    """The rank of a tag in a target, 0 for the best; None where the target does not install it."""
    ranks = supported_tags(target, systems)
    return min((ranks[one] for one in _expanded(tag) if one in ranks), default=None)


@functools.cache
def _expanded(tag: str) -> frozenset[Tag]:
    """The tags that a compressed one (`py2.py3-none-any`) stands for; empty if it is malformed."""
    parts = [{*part.split(".")} for part in tag.split("-")]
    if math.prod(map(len, parts)) > _MOST_TAGS:
        return frozenset()
    try:
        return frozenset(parse_tag("-".join(map(".".join, parts))))
    except ValueError:
        return frozenset()


@functools.cache
def supported_tags(target: Target, systems: Systems) -> Mapping[Tag, int]:
    """The tags that CPython installs in a target, each with its rank.

    Those of the free-threaded build are not among them.
    """
    major, minor = numbers(target.python)
    platforms = list(_platforms(target.environment, systems))
    interpreter = f"cp{major}{minor}"
    # Before 3.8 the ABI had a mark for the memory allocator.
    abi = f"{interpreter}m" if (major, minor) < (3, 8) else interpreter
    tags = (
        *cpython_tags((major, minor), abis=[abi], platforms=platforms),
        *compatible_tags((major, minor), interpreter=interpreter, platforms=platforms),
    )
    return {tag: rank for rank, tag in reversed([*enumerate(tags)])}


def _platforms(environment: str, systems: Systems) -> Iterator[str]:
    machine = environment.partition("-")[2]
    if environment in {LINUX_X86_64, LINUX_AARCH64}:
        newest = numbers(systems.glibc)[1]
        for minor in range(newest, _FIRST_GLIBC[machine] - 1, -1):
            yield f"manylinux_2_{minor}_{machine}"
            if minor in _OLD_NAMES:
                yield f"{_OLD_NAMES[minor]}_{machine}"
        yield f"linux_{machine}"
    elif environment in {MACOS_X86_64, MACOS_ARM64}:
        major, minor = numbers(systems.macos)
        yield from mac_platforms((major, minor), machine)
    elif environment == WINDOWS_AMD64:
        yield "win_amd64"
