"""Whether what is locked can be installed in a target: an environment with a Python minor.

A lock names every file by its hash, and Poetry installs no other. So it can be read off the lock
where an installation will fail: where a package is needed and none of its files fits.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms, parse_tag
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version
from poetry.core.constraints.version import Version as PoetryVersion
from poetry.core.constraints.version import VersionConstraint, VersionRange, parse_constraint
from poetry.core.packages.utils.utils import create_nested_marker
from poetry.core.version.markers import BaseMarker, EmptyMarker, parse_marker

from poetry_tf.files.lock import Lock
from poetry_tf.files.pyproject import Pyproject
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
from poetry_tf.text import format_list

Reason: TypeAlias = Literal["file", "python"]
"""Why a package can't be had: no file fits, or it doesn't admit the Python at all."""

# The endings of source distributions that Poetry builds from.
_SOURCES: Final = (".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".tar")

# How often the walk through an old lock starts anew; real locks come to rest in two or three.
_ROUNDS: Final = 8

# Where a package comes from when no file of an index is meant: its folder or repository is always
# there to be built from.
_NO_INDEX: Final = frozenset({"directory", "git", "url"})

# The first glibc for which wheels were made for a processor, and the names that the platform tags
# of these had before they spelled it (PEP 513, 571, 599, 600).
_FIRST_GLIBC: Final = {"x86_64": 5, "aarch64": 17}
_OLD_NAMES: Final = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}


@dataclass(frozen=True)
class DependencyEdge:
    """A requirement of one package on another, or of the project on it."""

    name: NormalizedName
    constraint: str
    marker: str = ""
    extras: frozenset[NormalizedName] = frozenset()
    """Those of the required package that are asked for."""


@dataclass(frozen=True, eq=False)
class LockedPackage:
    """One ``[[package]]`` of a lock, as far as its installation goes.

    What can't be made sense of counts as absent, and what is absent as no obstacle: a lock that
    was tampered with is for Poetry to refuse.
    """

    name: NormalizedName
    version: str
    optional: bool
    """Whether only extras of the project bring it."""
    pythons: str
    """The Pythons that it admits (its Requires-Python)."""
    files: tuple[str, ...]
    """The names of its files; empty where none are known."""
    markers: tuple[str, ...] | None
    """Where it is needed: where one of these holds. None in locks that don't say (before 2.1)."""
    requires: tuple[DependencyEdge, ...] = field(default=(), repr=False)

    @functools.cached_property
    def parsed(self) -> Version | None:
        """Its version; None where that is of its own making (on a path, in an old lock)."""
        try:
            return Version(self.version)
        except ValueError:
            return None

    @functools.cached_property
    def has_source(self) -> bool:
        """Whether it can be built where no wheel fits, given a compiler and what it needs."""
        return any(name.lower().endswith(_SOURCES) for name in self.files)

    @functools.cached_property
    def tags(self) -> frozenset[str]:
        """The tags of its wheels, as their names spell them: `cp311-abi3-win_amd64`."""
        return frozenset(
            "-".join(parts[-3:])
            for name in self.files
            if name.endswith(".whl") and len(parts := name[:-4].split("-")) >= 5
        )

    def has_file(self, target: Target, systems: Systems) -> bool:
        """Whether one of its files can be installed in a target; so too where none are known."""
        return not self.files or self.has_source or self.has_wheel(target, systems)

    def has_wheel(self, target: Target, systems: Systems) -> bool:
        """Whether one of its wheels fits a target."""
        return any(_fits(tag, target, systems) for tag in self.tags)

    def installed_file(self, target: Target, systems: Systems) -> str | None:
        """The file that is installed in a target: the wheel that fits best, else a source."""
        ranks = tag_ranking(target, systems)
        best: tuple[int, str] | None = None
        for name in self.files:
            parts = name.removesuffix(".whl").split("-")
            if not name.endswith(".whl") or len(parts) < 5:
                continue
            fitting = [ranks[tag] for tag in _each("-".join(parts[-3:])) if tag in ranks]
            if fitting and (best is None or min(fitting) < best[0]):
                best = (min(fitting), name)
        if best is not None:
            return best[1]
        return next((name for name in self.files if name.lower().endswith(_SOURCES)), None)

    def admits_python(self, python: str) -> bool:
        """Whether its Requires-Python has room for any patch release of a Python minor."""
        return _admits_python(self.pythons, python)

    def satisfies(self, constraint: VersionConstraint) -> bool:
        """Whether its version is within a constraint; a version of its own making is."""
        version = _poetrys(self.version)
        return version is None or constraint.allows(version)


@dataclass(frozen=True)
class Obstacle:
    """A locked package that can't be had in some targets in which it is needed."""

    package: LockedPackage
    targets: tuple[Target, ...]
    reason: Reason


class LockedPackages:
    """The packages of a lock, and in which targets each is needed and can be had."""

    def __init__(
        self, packages: Iterable[LockedPackage], roots: Iterable[DependencyEdge] = ()
    ) -> None:
        """`roots` is what the project requires; locks that say themselves what is needed where
        can do without."""
        self.packages = tuple(packages)
        self._roots = tuple(roots)
        self._by_name: dict[NormalizedName, tuple[LockedPackage, ...]] = {}
        for package in self.packages:
            self._by_name[package.name] = (*self._by_name.get(package.name, ()), package)
        self._walked: dict[Target, frozenset[LockedPackage]] = {}

    @classmethod
    def of(cls, lock: Lock, pyproject: Pyproject) -> LockedPackages:
        """Raises `ProjectError` for a pyproject.toml with a malformed requirement."""
        packages = tuple(_packages(lock.data))
        if all(package.markers is not None for package in packages):
            return cls(packages)
        return cls(packages, _roots(pyproject))

    def needs(self, package: LockedPackage, target: Target) -> bool:
        """Whether an installation in a target, with every group and extra, installs a package."""
        if package.markers is not None:
            return not package.markers or any(_holds(text, target) for text in package.markers)
        if target not in self._walked:
            self._walked[target] = self._walk(target)
        return package in self._walked[target]

    def constraints_on(self, name: NormalizedName, target: Target) -> tuple[VersionConstraint, ...]:
        """What the locked packages that are needed in a target ask of one of them."""
        return tuple(
            _constraint(edge.constraint)
            for package in self.packages
            for edge in package.requires
            if edge.name == name and _holds(edge.marker, target) and self.needs(package, target)
        )

    def obstacles(self, targets: Sequence[Target], systems: Systems) -> Iterator[Obstacle]:
        """Every package that can't be had in some of the targets, in the order of the lock."""
        for package in self.packages:
            # Whether it is needed is asked last, because that takes longest, and hardly any
            # package gets so far.
            without = [
                target
                for target in targets
                if not package.has_file(target, systems)
                and self.needs(package, target)
                and not self._has_twin(package, target, systems)
            ]
            if without:
                yield Obstacle(package, tuple(without), "file")
            refused = [
                target
                for target in targets
                if target not in without
                and not package.admits_python(target.python)
                and self.needs(package, target)
            ]
            if refused:
                yield Obstacle(package, tuple(refused), "python")

    def _walk(self, target: Target) -> frozenset[LockedPackage]:
        """What is needed in a target, found by following the requirements from the project's on.

        Of several versions of a package one is taken that all requirements met on the way admit.
        What the others require was met as well at first, so it takes some rounds.
        """
        chosen = self._by_name
        for _ in range(_ROUNDS):
            reached, asked = self._reach(target, chosen)
            better = dict(self._by_name)
            for name, constraints in asked.items():
                if len(self._by_name.get(name, ())) > 1:
                    better[name] = _newest_fit(self._by_name[name], constraints, target)
            if better == chosen:
                break
            chosen = better
        return frozenset(reached)

    def _has_twin(self, package: LockedPackage, target: Target, systems: Systems) -> bool:
        """Whether the walk couldn't tell a package from another of its name that can be had."""
        return package.markers is None and any(
            other is not package and self.needs(other, target) and other.has_file(target, systems)
            for other in self._by_name[package.name]
        )

    def _reach(
        self, target: Target, known: Mapping[NormalizedName, tuple[LockedPackage, ...]]
    ) -> tuple[Iterable[LockedPackage], Mapping[NormalizedName, list[str]]]:
        """The packages that requirements lead to, and the constraints that they are met with."""
        reached: dict[LockedPackage, frozenset[NormalizedName]] = {}
        asked: dict[NormalizedName, list[str]] = {}
        nothing: frozenset[NormalizedName] | None = None  # the project's extras are all meant
        ahead = [(edge, nothing) for edge in self._roots]
        while ahead:
            edge, extras = ahead.pop()
            if not _holds(edge.marker, target, extras):
                continue
            asked.setdefault(edge.name, []).append(edge.constraint)
            candidates = known.get(edge.name, ())
            for package in candidates:
                if len(candidates) > 1 and not package.satisfies(_constraint(edge.constraint)):
                    continue
                before = reached.get(package)
                if before is None or not edge.extras <= before:
                    reached[package] = edge.extras | (before or frozenset())
                    ahead += [(item, reached[package]) for item in package.requires]
        return reached, asked


def _newest_fit(
    packages: Sequence[LockedPackage], constraints: Iterable[str], target: Target
) -> tuple[LockedPackage, ...]:
    """Of several versions of one package the one that Poetry takes in a target, if it can be told.

    All of them where the constraints contradict each other, and those that differ by their source
    or their local version alone: which source a requirement names doesn't stand in the lock.
    """
    wanted = [_constraint(text) for text in constraints]
    fit = [
        package
        for package in packages
        if package.admits_python(target.python) and all(map(package.satisfies, wanted))
    ]
    public = {package: package.parsed.public if package.parsed else "" for package in fit}
    newest = max((package.parsed for package in fit if package.parsed), default=None)
    if not fit or newest is None:
        return tuple(fit or packages)
    return tuple(package for package in fit if public[package] == newest.public)


# -- reading --------------------------------------------------------------------------------


def _packages(data: Mapping[str, Any]) -> Iterator[LockedPackage]:
    infos: Sequence[Mapping[str, Any]] = data.get("package", [])
    metadata = data.get("metadata", {})
    elsewhere = _table(metadata.get("files"))  # where locks before 2.0 have them
    by_name = {canonicalize_name(name): value for name, value in elsewhere.items()}
    names = [canonicalize_name(info["name"]) for info in infos]
    for name, info in zip(names, infos, strict=True):
        files = _file_names(info.get("files", by_name.get(name)))
        if "files" not in info and names.count(name) > 1:
            files = tuple(file for file in files if _is_of(file, info["version"]))
        source = _text(_table(info.get("source")).get("type"), "")
        yield LockedPackage(
            name=name,
            version=info["version"],
            optional=info.get("optional") is True,
            pythons=_text(info.get("python-versions"), "*"),
            files=() if source in _NO_INDEX else files,
            markers=_markers(info),
            requires=tuple(_edges(info)),
        )


def _file_names(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else []
    names = [item.get("file") for item in items if isinstance(item, dict)]
    return tuple(name for name in names if isinstance(name, str))


def _is_of(file: str, version: str) -> bool:
    """Whether a file is of a version, by its name; so too where that can't be told."""
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
        # By group; one that isn't there has no marker, so that it always applies.
        texts = [written.get(group) for group in groups if isinstance(group, str)]
    else:
        texts = [written]
    found = [text for text in texts if isinstance(text, str)]
    return tuple(found) if len(found) == len(texts) else ()


def _edges(info: Mapping[str, Any]) -> Iterator[DependencyEdge]:
    extras = _table(info.get("extras"))
    for name, value in _table(info.get("dependencies")).items():
        for item in value if isinstance(value, list) else [value]:
            entry = {"version": item} if isinstance(item, str) else _table(item)
            yield DependencyEdge(
                canonicalize_name(name),
                _text(entry.get("version"), "*"),  # none where it is on a path or a repository
                _edge_marker(canonicalize_name(name), entry, extras),
                frozenset(map(canonicalize_name, _texts(entry.get("extras")))),
            )


def _edge_marker(name: NormalizedName, entry: Mapping[str, Any], extras: Mapping[str, Any]) -> str:
    written = _text(entry.get("markers"), "")
    conditions = [written] if written else []
    if python := _text(entry.get("python"), ""):  # as Poetry 1.0 wrote it
        conditions.append(create_nested_marker("python_version", _constraint(python)))
    if entry.get("optional") is True and "extra" not in written:
        # Of a package on a path only the list of its extras says which of them brings it.
        bringing = [
            f'extra == "{canonicalize_name(extra)}"'
            for extra, lines in extras.items()
            if any(_name_in(line) == name for line in _texts(lines))
        ]
        conditions += [" or ".join(bringing)] if bringing else []
    return " and ".join(f"({text})" for text in conditions if text)


def _name_in(requirement: str) -> NormalizedName:
    return canonicalize_name(re.split(r"[^\w.-]", requirement.strip(), maxsplit=1)[0])


def _roots(pyproject: Pyproject) -> Iterator[DependencyEdge]:
    for item in (*pyproject.requirements, *pyproject.direct_requirements):
        extras = frozenset(map(canonicalize_name, item.extras))
        yield DependencyEdge(item.name, str(item.constraint), str(item.marker), extras)


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _text(value: object, default: str) -> str:
    return value if isinstance(value, str) else default


# -- markers and constraints ----------------------------------------------------------------
# A lock repeats the same few again and again, and reading one takes long.


@functools.cache
def _holds(text: str, target: Target, extras: frozenset[NormalizedName] | None = None) -> bool:
    """Whether a marker holds in a target. Where no extras are given, as if each were asked for."""
    if not text:
        return True
    variables: dict[str, Any] = dict(ENVIRONMENTS[target.environment].variables(target.python))
    if extras is not None:
        variables["extra"] = set(extras)
    return _marker(text).validate(variables)


@functools.cache
def _marker(text: str) -> BaseMarker:
    try:
        return parse_marker(text)
    except Exception:  # poetry-core raises several kinds
        return EmptyMarker()


@functools.cache
def _constraint(text: str) -> VersionConstraint:
    try:
        return parse_constraint(text)
    except ValueError:
        return VersionRange()


@functools.cache
def _poetrys(version: str) -> PoetryVersion | None:
    try:
        return PoetryVersion.parse(version)
    except ValueError:
        return None


@functools.cache
def _admits_python(constraint: str, python: str) -> bool:
    major, minor = numbers(python)
    return _constraint(constraint).allows_any(
        parse_constraint(f">={major}.{minor},<{major}.{minor + 1}")
    )


# -- tags -----------------------------------------------------------------------------------


@functools.cache
def supported_tags(target: Target, systems: Systems) -> frozenset[Tag]:
    """The wheels' tags that CPython of a target installs; not those of its free-threaded build."""
    return frozenset(tag_ranking(target, systems))


@functools.cache
def tag_ranking(target: Target, systems: Systems) -> Mapping[Tag, int]:
    """The same, each with its rank: of several wheels the one of the lowest is installed."""
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


@functools.cache
def _fits(tag: str, target: Target, systems: Systems) -> bool:
    return not supported_tags(target, systems).isdisjoint(_each(tag))


@functools.cache
def _each(tag: str) -> frozenset[Tag]:
    """Every tag that a compressed one (`py2.py3-none-any`) stands for; none if it is no tag."""
    try:
        return frozenset(parse_tag(tag))
    except ValueError:
        return frozenset()


# -- telling --------------------------------------------------------------------------------


def format_targets(targets: Iterable[Target], judged: Iterable[Target]) -> str:
    """Cells for a person: "linux-aarch64 with Python 3.8".

    The Pythons are left out where they are all that an environment is judged with.
    """
    all_pythons, pythons = _by_environment(judged), _by_environment(targets)
    together: dict[tuple[str, ...] | None, list[str]] = {}
    for name, minors in pythons.items():
        said = None if set(minors) == set(all_pythons.get(name, ())) else minors
        together.setdefault(said, []).append(name)
    return " and ".join(
        format_list(names) + (f" with Python {format_list(minors)}" if minors else "")
        for minors, names in together.items()
    )


def _by_environment(targets: Iterable[Target]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for target in targets:
        found[target.environment] = (*found.get(target.environment, ()), target.python)
    return found
