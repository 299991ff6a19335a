"""Which releases of TensorFlow Poetry may choose: those that the project's targets can install.

TensorFlow's metadata has no upper bound for Python and does not name platforms, so for Poetry every
release fits every project. Which wheels there are is in the data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from packaging.version import Version
from poetry.core.constraints.version import VersionConstraint, parse_constraint

from poetry_tf.http.errors import ReadError
from poetry_tf.plan.environments import (
    DEFAULT_ENVIRONMENTS,
    Target,
    make_targets,
    required_environments,
    required_pythons,
    unserved_targets,
)
from poetry_tf.plan.python import admitted_minors, narrowed_range, release_pythons
from poetry_tf.plan.requirement import tensorflow_distributions, to_poetry_version
from poetry_tf.plan.settings import Settings
from poetry_tf.poetry_internals import Failed, patches
from poetry_tf.releases import DISTRIBUTIONS, Release, named, whole
from poetry_tf.text import format_list

if TYPE_CHECKING:
    from poetry.core.packages.dependency import Dependency
    from poetry.core.packages.package import Package
    from poetry.core.packages.project_package import ProjectPackage
    from poetry.repositories.repository_pool import RepositoryPool

    from poetry_tf.index.new_releases import NewReleases

Targets: TypeAlias = tuple[Target, ...]


@dataclass(frozen=True)
class ReleaseDemand:
    """What a project requires of a release's wheels.

    Attributes:
        python: the project's Python range.
        environments: the declared environments; None for that of the container.
    """

    python: VersionConstraint
    environments: tuple[str, ...] | None = None

    def targets(self, release: Release | None) -> Targets:
        """The targets that a release must serve; `release` is None if it is older than the data."""
        pythons = required_pythons(self.python)
        if release is None:
            return make_targets(self.environments or DEFAULT_ENVIRONMENTS[:1], pythons or ("3.8",))
        if pythons is None:
            # No range is declared: only the newest Python of each release counts.
            pythons = release_pythons(release, self.environments)[-1:]
        return make_targets(required_environments(release, self.environments), pythons)


def project_demand(package: ProjectPackage, settings: Settings) -> ReleaseDemand:
    """The demand of a project."""
    # Parsed from its text: Poetry derives this range from a marker, in which "<3.13" includes the
    # prereleases of 3.13; parsed as a constraint it does not.
    python = parse_constraint(str(package.python_constraint))
    return ReleaseDemand(python, settings.environments)


Listed: TypeAlias = Callable[[str, Version], "Release | None"]
"""What the index tells of a release that the data does not know; None for another one."""


def known_release(name: str, version: object, listed: Listed | None = None) -> Release | None:
    """The release of a TensorFlow distribution; None if nothing is known of its wheels.

    An inferred release is not known: its wheels, which only the index has, may differ.
    """
    release = whole(name).get(str(version)) if name in DISTRIBUTIONS else None
    if release is not None and release.inferred_from is None:
        return release
    return listed(name, Version(str(version))) if listed is not None else None


def listed_by(reader: Callable[[], NewReleases | None]) -> Listed:
    """The releases of an index, which is asked only for what is newer than the data."""

    def listed(name: str, version: Version) -> Release | None:
        if name not in DISTRIBUTIONS or whole(name).standing(version) != "newer":
            return None
        found = reader()
        # Without the page there would be no candidate.
        with suppress(ReadError):
            return found.outline(name, version) if found is not None else None
        return None

    return listed


def missing_targets(
    name: str,
    version: object,
    demand: ReleaseDemand,
    requirements: Iterable[Dependency],
    listed: Listed | None = None,
) -> Targets:
    """The targets that need a release and cannot install it; empty for a candidate.

    The targets are those in which a requirement of the project that admits the release applies; all
    of them if only other packages require it. A release newer than the data is a candidate.
    """
    if name not in named("main"):
        return ()
    release = known_release(name, version, listed)
    parsed = Version(str(version))
    if release is None and parsed > whole(name).releases[0].version:
        return ()
    targets = demand.targets(release)
    markers = [
        item.marker
        for item in requirements
        if item.name == name and item.constraint.allows(to_poetry_version(parsed))
    ]
    if markers:
        targets = tuple(
            target for target in targets if any(target.admits(marker) for marker in markers)
        )
    # TensorFlow 1 has no wheels for Pythons after 3.7.
    return targets if release is None else unserved_targets(release, targets)


class CandidateFilter:
    """Filters the candidates of a pool, and records the ones that were ruled out."""

    def __init__(
        self,
        find: Callable[[Dependency], list[Package]],
        demand: Callable[[], ReleaseDemand],
        requirements: Callable[[], Sequence[Dependency]],
        failed: Failed,
        *,
        listed: Listed | None = None,
        can_read: Callable[[str, Version], bool] | None = None,
    ) -> None:
        self._find = find
        self._failed = failed
        self.listed = listed
        # Whether the newest candidate can be taken, where another one may be.
        self._can_read = can_read
        # Functions, because `add` changes the project while it runs.
        self._demand = demand
        self._requirements = requirements
        self.without_candidates: dict[str, dict[Version, Targets]] = {}
        """The ruled out versions by distribution, where no candidate was left."""

    def find_packages(self, dependency: Dependency) -> list[Package]:
        found = self._find(dependency)
        if not found or dependency.name not in tensorflow_distributions():
            return found
        try:
            return self._candidates(dependency.name, found)
        except Exception as error:
            self._failed(error)
            return found

    def _candidates(self, name: str, found: Sequence[Package]) -> list[Package]:
        demand, requirements = self._demand(), self._requirements()
        ruled_out: dict[Version, Targets] = {}
        left: list[Package] = []
        for item in found:
            version = item.version.text
            if missing := missing_targets(name, version, demand, requirements, self.listed):
                ruled_out[Version(version)] = missing
            else:
                left.append(item)
        if self._can_read is not None:
            left.sort(key=lambda item: item.version)
            while left and not self._can_read(name, Version(left[-1].version.text)):
                left.pop()
        if not left:
            self.without_candidates.setdefault(name, {}).update(ruled_out)
        return left

    def explanation(self) -> Explanation | None:
        """Why no candidate was left, and what would help; None if some were."""
        for name, ruled_out in sorted(self.without_candidates.items()):
            return Explanation(name, ruled_out, self._demand(), self.listed)
        return None


def filter_pool(
    pool: RepositoryPool,
    demand: Callable[[], ReleaseDemand],
    requirements: Callable[[], Sequence[Dependency]],
    failed: Failed,
    listed: Listed,
) -> None:
    """Limits a pool to candidates, unless it has a `CandidateFilter` already."""
    if candidate_filter_of(pool) is None:
        patches.replace_find_packages(
            pool,
            lambda find: (
                CandidateFilter(find, demand, requirements, failed, listed=listed).find_packages
            ),
        )


def candidate_filter_of(pool: RepositoryPool) -> CandidateFilter | None:
    """The filter of a pool, if it has one."""
    owner = getattr(pool.find_packages, "__self__", None)
    return owner if isinstance(owner, CandidateFilter) else None


@contextmanager
def filter_for_requirement(
    pool: RepositoryPool,
    requirement: Dependency,
    demand: ReleaseDemand,
    failed: Failed,
    *,
    reader: Callable[[], NewReleases | None],
    can_read: Callable[[str, Version], bool],
) -> Iterator[None]:
    """Filters by a requirement that is about to be added and a demand, within the context."""
    existing = candidate_filter_of(pool)

    def make(find: Callable[[Dependency], list[Package]]) -> Callable[[Dependency], list[Package]]:
        find = find if existing is None else existing._find
        return CandidateFilter(
            find,
            lambda: demand,
            lambda: (requirement,),
            failed,
            listed=listed_by(reader),
            can_read=can_read,
        ).find_packages

    with patches.replaced_find_packages(pool, make):
        yield


@dataclass(frozen=True)
class Explanation:
    """Why versions of a distribution are ruled out, and the smallest changes that would help."""

    name: str
    ruled_out: Mapping[Version, Targets]
    demand: ReleaseDemand
    listed: Listed | None = None

    @property
    def headline(self) -> str:
        return f"No {self.name} that the project admits has wheels for all of its targets."

    @property
    def details(self) -> str:
        lines = []
        for versions, reason in self._by_reason():
            first, last = versions[0], versions[-1]
            span = f"{first}" if first == last else f"{first} to {last}"
            lines.append(f"  - {span}: no wheel for {reason}")
        return "\n".join([*lines, *self._remedies()])

    def _by_reason(self) -> list[tuple[list[Version], str]]:
        """The versions, ascending; neighbours with the same reason are grouped."""
        groups: list[tuple[list[Version], str]] = []
        for version in sorted(self.ruled_out):
            release = known_release(self.name, version, self.listed)
            if release is None:
                continue  # before 2.0
            reason = _format_targets(self.ruled_out[version], self._environments(release))
            if groups and groups[-1][1] == reason:
                groups[-1][0].append(version)
            else:
                groups.append(([version], reason))
        return groups

    def _environments(self, release: Release) -> tuple[str, ...]:
        return required_environments(release, self.demand.environments)

    def _remedies(self) -> list[str]:
        """The smallest changes: fewer Pythons, another series, fewer environments."""
        name, lines = self.name, list(self._fewer_pythons())
        fits = [
            release
            for release in whole(name).releases
            if release.is_opened
            and not release.yanked
            and release.version not in self.ruled_out
            and not unserved_targets(release, self.demand.targets(release))
        ]
        if fits:
            first, last = fits[0].series, fits[-1].series
            series = last if first == last else f"{first} to {last}"
            lines.append(
                f"{'Or use' if lines else 'Use'} TensorFlow {series}: "
                f"<c1>poetry add {name}@~{last}</>"
            )
        return lines or [self._fewer_environments()]

    def _fewer_pythons(self) -> Iterator[str]:
        """The newest release that a narrower Python range would admit, with the widest such."""
        for release in self._known_releases():
            minors = release_pythons(release, self.demand.environments)
            if admitted_minors(minors, self.demand.python):
                python = narrowed_range(self.demand.python, minors)
                yield (
                    f'Narrow requires-python to "{python}": {self.name} {release.version} has '
                    "wheels for that."
                )
                return

    def _fewer_environments(self) -> str:
        for release in self._known_releases():
            missing = {target.environment for target in self.ruled_out[release.version]}
            left = [item for item in self._environments(release) if item not in missing]
            if left:
                written = ", ".join(f'"{item}"' for item in left)
                return (
                    f"With environments = [{written}] in [tool.poetry-tf] {self.name} "
                    f"{release.version} can be locked."
                )
        return "poetry-tf knows no release that can be installed there."

    def _known_releases(self) -> Iterator[Release]:
        for version in sorted(self.ruled_out, reverse=True):
            release = known_release(self.name, version, self.listed)
            if release is not None and not release.yanked:
                yield release


def _format_targets(missing: Targets, environments: Sequence[str]) -> str:
    """Targets as text: "Python 3.13", "linux-aarch64 with Python 3.9".

    Environments are named if the targets are not in all of them.
    """
    names: dict[tuple[str, ...], list[str]] = {}
    for name in dict.fromkeys(target.environment for target in missing):
        pythons = tuple(target.python for target in missing if target.environment == name)
        names.setdefault(pythons, []).append(name)
    return ", nor for ".join(
        f"Python {format_list(pythons)}"
        if set(where) == set(environments)
        else f"{format_list(where)} with Python {format_list(pythons)}"
        for pythons, where in names.items()
    )
