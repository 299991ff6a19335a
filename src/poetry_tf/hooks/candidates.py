"""Which releases of TensorFlow Poetry may choose: those that can be installed where they have to.

TensorFlow's metadata has no upper bound for Python and says nothing of platforms, so for Poetry
every release fits every project. What its wheels say is in the data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from packaging.version import Version
from poetry.core.constraints.version import VersionConstraint, parse_constraint

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
from poetry_tf.plan.settings import parse_settings
from poetry_tf.poetry_internals import patches
from poetry_tf.releases import DISTRIBUTIONS, Release, named, whole
from poetry_tf.text import format_list

if TYPE_CHECKING:
    from poetry.core.packages.dependency import Dependency
    from poetry.core.packages.package import Package
    from poetry.core.packages.project_package import ProjectPackage
    from poetry.poetry import Poetry
    from poetry.repositories.repository_pool import RepositoryPool

Cells: TypeAlias = tuple[Target, ...]


@dataclass(frozen=True)
class ReleaseDemand:
    """What a project asks of a release, as far as wheels can answer it.

    Attributes:
        python: the project's range of Pythons.
        environments: those that are declared; None for the container's.
    """

    python: VersionConstraint
    environments: tuple[str, ...] | None = None

    def targets(self, release: Release | None) -> Cells:
        """Where a release has to be usable; None for one that is older than the data."""
        pythons = required_pythons(self.python)
        if release is None:
            return make_targets(self.environments or DEFAULT_ENVIRONMENTS[:1], pythons or ("3.8",))
        if pythons is None:
            # Nothing is said, so that each release may be judged by its own newest Python.
            pythons = release_pythons(release, self.environments)[-1:]
        return make_targets(required_environments(release, self.environments), pythons)


def demand_of(package: ProjectPackage, settings: object) -> ReleaseDemand:
    """What a project demands, given the value of ``[tool.poetry-tf]``."""
    # By way of its text: Poetry makes this range of a marker, and there "<3.13" holds 3.13's
    # prereleases, which the same words elsewhere leave out.
    python = parse_constraint(str(package.python_constraint))
    return ReleaseDemand(python, parse_settings(settings)[0].environments)


def known_release(name: str, version: object) -> Release | None:
    """The release of a distribution of TensorFlow; None for what the data doesn't know.

    An inferred one is not known: its wheels may be for other Pythons, and only the index tells.
    """
    release = whole(name).get(str(version)) if name in DISTRIBUTIONS else None
    return release if release is not None and release.inferred_from is None else None


def rules_out(
    name: str, version: object, demand: ReleaseDemand, requirements: Iterable[Dependency]
) -> Cells:
    """The targets in which a release would be needed and can't be had; empty for a candidate.

    It is needed where a requirement of the project's that admits it counts; one that comes through
    other packages alone is needed everywhere. A release newer than the data is a candidate.
    """
    if name not in named("main"):
        return ()
    release = known_release(name, version)
    parsed = Version(str(version))
    if release is None and parsed > whole(name).releases[0].version:
        return ()
    wanted = demand.targets(release)
    lines = [
        item.marker
        for item in requirements
        if item.name == name and item.constraint.allows(to_poetry_version(parsed))
    ]
    if lines:
        wanted = tuple(
            target for target in wanted if any(target.admits(marker) for marker in lines)
        )
    if release is None:
        # TensorFlow 1 ended with Python 3.7, which nothing that Poetry runs on has to do with.
        return wanted
    return unserved_targets(release, wanted)


class Candidates:
    """The pool's candidates without those that are ruled out, and a record of these."""

    def __init__(
        self,
        find: Callable[[Dependency], list[Package]],
        demand: Callable[[], ReleaseDemand],
        requirements: Callable[[], Sequence[Dependency]],
    ) -> None:
        self._find = find
        # Asked for anew each time: `add` changes the project while it runs.
        self._demand = demand
        self._requirements = requirements
        self.nothing_left: dict[str, dict[Version, Cells]] = {}
        """By distribution: what was ruled out of a list of which nothing was left."""

    def find_packages(self, dependency: Dependency) -> list[Package]:
        found = self._find(dependency)
        if not found or dependency.name not in tensorflow_distributions():
            return found
        demand, requirements = self._demand(), self._requirements()
        out = {
            Version(item.version.text): why
            for item in found
            if (why := rules_out(dependency.name, item.version.text, demand, requirements))
        }
        left = [item for item in found if Version(item.version.text) not in out]
        if not left:
            self.nothing_left.setdefault(dependency.name, {}).update(out)
        return left

    def explanation(self) -> Explanation | None:
        """Why nothing was left, and what would help; None where that was not the case."""
        for name, out in sorted(self.nothing_left.items()):
            return explain(name, out, self._demand())
        return None


def install(poetry: Poetry) -> None:
    """Lets the pool of a managed project list only candidates."""
    settings = poetry.pyproject.data.get("tool", {}).get("poetry-tf")
    filter_pool(
        poetry.pool,
        lambda: demand_of(poetry.package, settings),
        lambda: poetry.package.all_requires,
    )


def filter_pool(
    pool: RepositoryPool,
    demand: Callable[[], ReleaseDemand],
    requirements: Callable[[], Sequence[Dependency]],
) -> None:
    """Puts `Candidates` in place of the pool's own list; once, however often it is called."""
    if candidates_of(pool) is None:
        patches.find_in_pool(
            pool, lambda find: Candidates(find, demand, requirements).find_packages
        )


def candidates_of(pool: RepositoryPool) -> Candidates | None:
    """The filter that a pool has, if it has one."""
    owner = getattr(pool.find_packages, "__self__", None)
    return owner if isinstance(owner, Candidates) else None


@contextmanager
def asked_for(
    pool: RepositoryPool, requirement: Dependency, demand: ReleaseDemand
) -> Iterator[Candidates]:
    """The filter as it is for a requirement that is about to be added, and this demand."""
    own = filtered = candidates_of(pool)
    if filtered is None:
        filter_pool(pool, lambda: demand, lambda: (requirement,))
        filtered = candidates_of(pool)
    assert filtered is not None, "just put there"
    before, filtered._requirements = filtered._requirements, lambda: (requirement,)
    demanded, filtered._demand = filtered._demand, lambda: demand
    filtered.nothing_left.clear()
    try:
        yield filtered
    finally:
        filtered._requirements, filtered._demand = before, demanded
        if own is None:
            pool.find_packages = filtered._find  # type: ignore[assignment, method-assign]


# -- the explanation ------------------------------------------------------------------------


@dataclass(frozen=True)
class Explanation:
    """Why nothing was left, in one line and in those that follow it."""

    headline: str
    details: str

    def __str__(self) -> str:
        return f"{self.headline}\n{self.details}"


def explain(name: str, ruled_out: Mapping[Version, Cells], demand: ReleaseDemand) -> Explanation:
    """What rules each series out, and the smallest change that would help."""
    lines = []
    for versions, reason in _by_reason(name, ruled_out, demand):
        first, last = versions[0], versions[-1]
        span = f"{first}" if first == last else f"{first} to {last}"
        lines.append(f"  - {span}: no wheel for {reason}")
    return Explanation(
        f"No {name} that the project admits can be installed everywhere it would have to be.",
        "\n".join([*lines, *_remedies(name, ruled_out, demand)]),
    )


def _by_reason(
    name: str, ruled_out: Mapping[Version, Cells], demand: ReleaseDemand
) -> list[tuple[list[Version], str]]:
    """Neighbouring versions with one reason together, ascending."""
    groups: list[tuple[list[Version], str]] = []
    for version in sorted(ruled_out):
        release = known_release(name, version)
        if release is None:
            continue  # before 2.0: of no interest to anybody who reads this
        reason = describe_targets(
            ruled_out[version], required_environments(release, demand.environments)
        )
        if groups and groups[-1][1] == reason:
            groups[-1][0].append(version)
        else:
            groups.append(([version], reason))
    return groups


def describe_targets(missing: Cells, environments: Sequence[str]) -> str:
    """Cells for a person: "Python 3.13", "macos-x86_64", "linux-aarch64 with Python 3.9".

    Environments are named where the targets are not in all of those that are wanted.
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


def _remedies(name: str, ruled_out: Mapping[Version, Cells], demand: ReleaseDemand) -> list[str]:
    """The nearest ways out: fewer Pythons, another series, fewer environments."""
    lines = []
    if (narrower := _fewer_pythons(name, ruled_out, demand)) is not None:
        version, wanted = narrower
        lines.append(f'Narrow requires-python to "{wanted}": {name} {version} has wheels for that.')
    fits = [
        release
        for release in whole(name).releases
        if release.is_opened
        and not release.yanked
        and release.version not in ruled_out
        and not unserved_targets(release, demand.targets(release))
    ]
    if fits:
        first, last = fits[0].series, fits[-1].series
        series = last if first == last else f"{first} to {last}"
        lines.append(
            f"{'Or take' if lines else 'Take'} TensorFlow {series}: "
            f"<c1>poetry add {name}@~{last}</>"
        )
    return lines or _fewer_environments(name, ruled_out, demand)


def _fewer_pythons(
    name: str, ruled_out: Mapping[Version, Cells], demand: ReleaseDemand
) -> tuple[Version, str] | None:
    """The newest release that a narrower range would let in, with the widest such range."""
    for release in _newest_first(name, ruled_out):
        minors = release_pythons(release, demand.environments)
        if admitted_minors(minors, demand.python):
            return release.version, narrowed_range(demand.python, minors)
    return None


def _fewer_environments(
    name: str, ruled_out: Mapping[Version, Cells], demand: ReleaseDemand
) -> list[str]:
    for release in _newest_first(name, ruled_out):
        out = {target.environment for target in ruled_out[release.version]}
        left = [
            item for item in required_environments(release, demand.environments) if item not in out
        ]
        if left:
            written = ", ".join(f'"{item}"' for item in left)
            return [
                f"With environments = [{written}] in [tool.poetry-tf] {name} {release.version} "
                "could be locked."
            ]
    return ["No release that poetry-tf knows could be installed there."]


def _newest_first(name: str, ruled_out: Mapping[Version, Cells]) -> Iterator[Release]:
    for version in sorted(ruled_out, reverse=True):
        release = known_release(name, version)
        if release is not None and not release.yanked:
            yield release
