"""Whether what is locked can be installed in a target: an environment with a Python minor.

A lock names every file by its hash, and Poetry installs no other. So the lock shows where an
installation will fail: where a package is needed and none of its files fits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from packaging.utils import NormalizedName
from poetry.core.constraints.version import VersionConstraint

from poetry_tf.files.lock import Lock
from poetry_tf.files.pyproject import Pyproject
from poetry_tf.plan.environments import Target
from poetry_tf.plan.lock_entries import (
    DependencyEdge,
    LockedPackage,
    holds,
    read_constraint,
    read_packages,
    read_requirements,
)
from poetry_tf.releases.images import Systems

Reason: TypeAlias = Literal["file", "python"]
"""Why a package can't be installed: no file fits, or its Requires-Python excludes the Python."""

# The most rounds of the walk through a lock without markers; real locks need two or three.
_ROUNDS: Final = 8


@dataclass(frozen=True)
class Obstacle:
    """A locked package that can't be installed in some of the targets that need it."""

    package: LockedPackage
    targets: tuple[Target, ...]
    reason: Reason


class LockedPackages:
    """The packages of a lock, and the targets in which each is needed and can be installed."""

    def __init__(
        self, packages: Iterable[LockedPackage], roots: Iterable[DependencyEdge] = ()
    ) -> None:
        """`roots` are the project's own requirements. A lock with markers does not need them."""
        self.packages = tuple(packages)
        self._roots = tuple(roots)
        self._by_name: dict[NormalizedName, tuple[LockedPackage, ...]] = {}
        for package in self.packages:
            self._by_name[package.name] = (*self._by_name.get(package.name, ()), package)
        self._needed: dict[Target, frozenset[LockedPackage]] = {}

    @classmethod
    def of(cls, lock: Lock, pyproject: Pyproject) -> LockedPackages:
        """The packages of a project's lock.

        Raises `ProjectError` for a pyproject.toml with a malformed requirement.
        """
        packages = tuple(read_packages(lock.data))
        if all(package.markers is not None for package in packages):
            return cls(packages)
        return cls(packages, read_requirements(pyproject))

    def needs(self, package: LockedPackage, target: Target) -> bool:
        """Whether `poetry install` with all groups and extras installs a package in a target."""
        if package.markers is not None:
            return not package.markers or any(holds(text, target) for text in package.markers)
        return package in self.installed(target)

    def installed(self, target: Target) -> frozenset[LockedPackage]:
        """What the given requirements bring in a target, whatever else the lock is for."""
        if target not in self._needed:
            self._needed[target] = self._walk(target)
        return self._needed[target]

    def constraints_on(self, name: NormalizedName, target: Target) -> tuple[VersionConstraint, ...]:
        """The constraints on one package of those that are needed in a target."""
        return tuple(
            read_constraint(edge.constraint)
            for package in self.packages
            for edge in package.requires
            if edge.name == name and holds(edge.marker, target) and self.needs(package, target)
        )

    def brought_by(
        self, root: DependencyEdge, targets: Iterable[Target]
    ) -> frozenset[NormalizedName]:
        """What a requirement brings in any of the targets."""
        return frozenset(
            package.name
            for target in targets
            for package in LockedPackages(self.packages, [root]).installed(target)
        )

    def obstacles(self, targets: Sequence[Target], systems: Systems) -> Iterator[Obstacle]:
        """Every package that can't be installed in some of the targets, in the lock's order."""
        for package in self.packages:
            # `needs` comes after `has_file` because it is slow and hardly any package gets there.
            without = [
                target
                for target in targets
                if not package.has_file(target, systems)
                and self.needs(package, target)
                and not self._has_alternative(package, target, systems)
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
        """What is needed in a target, found by following the project's requirements.

        Of several versions of a package one is taken that all constraints on it admit. The first
        round also follows the requirements of the other versions, so it takes several rounds.
        """
        chosen = self._by_name
        for _ in range(_ROUNDS):
            reached, constraints = self._reach(target, chosen)
            better = dict(self._by_name)
            for name, texts in constraints.items():
                if len(self._by_name.get(name, ())) > 1:
                    better[name] = _newest_fit(self._by_name[name], texts, target)
            if better == chosen:
                break
            chosen = better
        return frozenset(reached)

    def _has_alternative(self, package: LockedPackage, target: Target, systems: Systems) -> bool:
        """Whether the walk also reached another version of the package, which has a file."""
        return package.markers is None and any(
            other is not package and self.needs(other, target) and other.has_file(target, systems)
            for other in self._by_name[package.name]
        )

    def _reach(
        self, target: Target, known: Mapping[NormalizedName, tuple[LockedPackage, ...]]
    ) -> tuple[Iterable[LockedPackage], Mapping[NormalizedName, list[str]]]:
        """The packages that requirements lead to, and the constraints on each name."""
        reached: dict[LockedPackage, frozenset[NormalizedName]] = {}
        met: dict[NormalizedName, list[str]] = {}
        every_extra: frozenset[NormalizedName] | None = None  # as `holds` takes it
        queue = [(edge, every_extra) for edge in self._roots]
        while queue:
            edge, extras = queue.pop()
            if not holds(edge.marker, target, extras):
                continue
            met.setdefault(edge.name, []).append(edge.constraint)
            candidates = known.get(edge.name, ())
            for package in candidates:
                if len(candidates) > 1 and not package.satisfies(read_constraint(edge.constraint)):
                    continue
                before = reached.get(package)
                if before is None or not edge.extras <= before:
                    reached[package] = edge.extras | (before or frozenset())
                    queue += [(item, reached[package]) for item in package.requires]
        return reached, met


def _newest_fit(
    packages: Sequence[LockedPackage], constraints: Iterable[str], target: Target
) -> tuple[LockedPackage, ...]:
    """Of several versions of one package the one that Poetry installs in a target.

    All of them where the constraints contradict each other, and several where only their source or
    local version differs: the lock does not hold the source that a requirement names.
    """
    parsed = [read_constraint(text) for text in constraints]
    fit = [
        package
        for package in packages
        if package.admits_python(target.python) and all(map(package.satisfies, parsed))
    ]
    newest = max((package.parsed for package in fit if package.parsed), default=None)
    if not fit or newest is None:
        return tuple(fit or packages)
    return tuple(one for one in fit if one.parsed and one.parsed.public == newest.public)
