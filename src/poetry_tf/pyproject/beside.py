"""With which TensorFlow a requirement is installed, and where what both need has to stand."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from poetry.core.version.markers import BaseMarker

from poetry_tf.files.project import Project
from poetry_tf.files.requirements import Requirement
from poetry_tf.plan.alternatives import Alternative, alternatives
from poetry_tf.plan.environments import ENVIRONMENTS, Target, make_targets, pythons_with_wheels
from poetry_tf.plan.installability import LockedPackages
from poetry_tf.plan.lines import narrowed_releases, serves
from poetry_tf.plan.lock_entries import LockedPackage, read_packages, requirement_edge
from poetry_tf.plan.python import admitted_minors, project_pythons
from poetry_tf.plan.requirement import (
    admitted_releases,
    constraint_series,
    tensorflow_requirements,
    to_poetry_version,
)
from poetry_tf.plan.settings import read_settings
from poetry_tf.pyproject.places import expected_release, is_installed_with
from poetry_tf.pyproject.platform_lines import union_markers
from poetry_tf.releases import DISTRIBUTIONS, Release, load, role


@dataclass(frozen=True)
class Cause:
    """A requirement beside which another one is needed."""

    item: Requirement
    what: str
    """What needs it, as text."""
    targets: frozenset[Target]
    """The targets in which it is needed."""
    marker: BaseMarker


def joint_marker(project: Project, causes: Iterable[Cause]) -> tuple[tuple[Cause, ...], str]:
    """The causes that need a line somewhere where none before them does, and its marker.

    The marker is empty where it holds everywhere in the project.
    """
    kept: list[Cause] = []
    for cause in causes:
        if not cause.targets <= frozenset().union(*(other.targets for other in kept)):
            kept.append(cause)
    marker = union_markers(cause.marker for cause in kept)
    everywhere = all(target.admits(marker) for target in every_target(project))
    return tuple(kept), "" if everywhere else str(marker)


def narrower(project: Project, item: Requirement, other: Requirement) -> Requirement:
    """Of two requirements the one that never comes without the other; the first without any."""
    is_wider = is_installed_with(project, item, other) and not is_installed_with(
        project, other, item
    )
    return other if is_wider else item


def may_write(project: Project, item: Requirement) -> bool:
    """Whether poetry-tf may write beside a requirement.

    It may not in what a package publishes, nor in a project of another tool.
    """
    pyproject = project.pyproject
    return pyproject.foreign_manager is None and not pyproject.publishes(item)


# -- what is installed with which TensorFlow ------------------------------------------------


@dataclass(frozen=True)
class Pairing:
    """A requirement and a TensorFlow that are installed together."""

    item: Requirement
    main: Requirement
    """The requirement on TensorFlow."""
    release: Release
    """The release of TensorFlow that is locked for it, or that a solver would take."""
    where: tuple[tuple[Alternative, Target], ...]

    @property
    def marker(self) -> BaseMarker:
        """Where both count."""
        return self.item.marker.intersect(self.main.marker)

    @property
    def cause(self) -> Cause:
        """The requirement as why another one is needed where both are installed."""
        targets = frozenset(target for _, target in self.where)
        return Cause(self.item, self.item.name, targets, self.marker)


def pairings(project: Project, planned: Release, items: Iterable[Requirement]) -> Iterator[Pairing]:
    """Requirements with each TensorFlow that they are installed with in some target.

    A requirement on TensorFlow goes with itself alone. `planned` is the release of the plan.
    """
    known = alternatives(project.pyproject)
    mains = [(main, _release(project, planned, main)) for main in tensorflow_requirements(project)]
    own, targets = {main.path for main, _ in mains}, every_target(project)
    for item in items:
        for main, release in mains:
            if release is None or (item.path in own and item != main):
                continue
            both = [
                (one, target)
                for one in known
                if one.installs(item) and one.installs(main)
                for target in targets
                if one.counts(item, target) and one.counts(main, target)
            ]
            # What is planned for a Python without a wheel is found by other rules.
            served = [(one, target) for one, target in both if serves(release, target)]
            if both:
                yield Pairing(item, main, release, tuple(served or both))


def _release(project: Project, planned: Release, item: Requirement) -> Release | None:
    is_planned = item.constraint.allows(to_poetry_version(planned.version))
    if role(item.name) == "retired":
        return None
    if item.name not in DISTRIBUTIONS or item.name == planned.distribution:
        if is_planned:
            return planned
        if item.name not in DISTRIBUTIONS:
            return None
    series = planned.series if is_planned else constraint_series(item.constraint)
    if series is None:
        narrowed = narrowed_releases(project, planned).get(item.path)
        series = narrowed.series if narrowed is not None else None
    release = expected_release(project, series, [item])
    if release is not None or series is None:
        return release
    return next(iter(admitted_releases(load(item.name), item.constraint)), None)


def requirements_leading_to(
    project: Project, locked: Iterable[LockedPackage]
) -> tuple[Requirement, ...]:
    """The project's requirements that bring one of some locked packages in some target."""
    wanted = {(one.name, one.version) for one in locked}
    packages = tuple(read_packages(project.valid_lock.data)) if project.valid_lock else ()
    above, grown = {name for name, _ in wanted}, True
    while grown:  # following markers too would be slow for all of them
        more = {one.name for one in packages if any(edge.name in above for edge in one.requires)}
        above, grown = above | more, not more <= above

    def leads(item: Requirement) -> bool:
        found = LockedPackages(packages, [requirement_edge(item)])
        return any(
            (package.name, package.version) in wanted
            for target in project_targets(project)
            for package in found.installed(target)
        )

    declared = project.pyproject.declared_requirements
    return tuple(item for item in declared if item.name in above and leads(item))


# -- targets --------------------------------------------------------------------------------


def project_targets(project: Project) -> tuple[Target, ...]:
    """The targets in the environments that a project declares; without any, in all of them."""
    return _targets_of(project, read_settings(project)[0].environments or ENVIRONMENTS)


def every_target(project: Project) -> tuple[Target, ...]:
    """Every target with the Pythons that a project admits."""
    return _targets_of(project, ENVIRONMENTS)


def _targets_of(project: Project, environments: Iterable[str]) -> tuple[Target, ...]:
    return make_targets(environments, admitted_minors(_pythons(), project_pythons(project)))


@functools.cache
def _pythons() -> tuple[str, ...]:
    return pythons_with_wheels(load().releases)
