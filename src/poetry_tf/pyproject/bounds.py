"""The upper bounds that are missing in a project for what it requires: see `releases.bounds`.

A bound follows from the requirement that brings the version which breaks: on TensorFlow, on what
TensorFlow itself requires (TensorBoard), or on that distribution directly. In a project that
poetry-tf manages pyproject.toml has to hold the bound, or else the next `poetry update` breaks it.
Elsewhere, and in what a package publishes, only the lock counts, if there is one.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet
from poetry.core.constraints.version import VersionConstraint, parse_constraint
from poetry.core.version.markers import AnyMarker, parse_marker

from poetry_tf.files.edits import Edit, apply
from poetry_tf.files.project import Project
from poetry_tf.files.requirements import Requirement
from poetry_tf.plan.environments import Target
from poetry_tf.plan.installability import LockedPackages
from poetry_tf.plan.lock_entries import LockedPackage
from poetry_tf.plan.main_line import main_requirement
from poetry_tf.plan.requirement import (
    admitted_releases,
    constraint_series,
    tensorflow_distributions,
)
from poetry_tf.pyproject.beside import (
    Cause,
    every_target,
    joint_marker,
    may_write,
    narrower,
    project_targets,
    requirements_leading_to,
)
from poetry_tf.pyproject.places import expected_release, is_installed_with
from poetry_tf.pyproject.platforms import RequirementIssue, format_addition
from poetry_tf.pyproject.requirement_edits import (
    MarkedRequirement,
    add_edits,
    constraint_edits,
    group,
    names_beside,
    remove_edits,
    same_list,
)
from poetry_tf.releases import DISTRIBUTIONS, Release, load, whole
from poetry_tf.releases.bounds import Bound, admits_breaking_version, bounds, required_by

_TENSORFLOW = "tensorflow"


@dataclass(frozen=True)
class _NeededBound:
    """A bound that the requirements of one list or table need."""

    bound: Bound
    causes: tuple[Cause, ...]
    marker: str
    """Where it is needed; empty for everywhere."""

    @property
    def item(self) -> Requirement:
        """The requirement beside which the bound has to stand."""
        return self.causes[0].item

    @property
    def line(self) -> MarkedRequirement:
        """The requirement that holds the bound."""
        return MarkedRequirement(self.bound.name, f"<{self.bound.below}", self.marker)

    @property
    def targets(self) -> frozenset[Target]:
        """The targets of all causes."""
        return frozenset().union(*(cause.targets for cause in self.causes))

    def is_as_in(self, project: Project, other: _NeededBound) -> bool:
        """Whether another is the same requirement in the same list."""
        return (
            self.bound == other.bound
            and self.marker == other.marker
            and same_list(project, self.item, other.item)
        )

    def is_of(self, project: Project, item: Requirement) -> bool:
        """Whether a requirement stands where this one has to.

        With `only_together` another one than the cause says where.
        """
        return self.bound.only_together or (
            item.marker == parse_marker(self.marker) and same_list(project, item, self.item)
        )


def missing_bounds(project: Project) -> Iterator[RequirementIssue]:
    """The known breakages that nothing in the project prevents."""
    locked = _locked(project)
    alone = tuple(bound for bound in bounds() if not bound.only_together)
    for needed in (*_needed_bounds(project, locked, alone), *_bounds_of_lock(project, locked)):
        if (issue := _issue(project, needed, locked)) is not None:
            yield issue


def outdated_bound_edits(before: Project, after: Project) -> tuple[Edit, ...]:
    """The edits that remove the bounds from a changed project that only its old versions needed.

    Empty in a project that poetry-tf does not manage. Only requirements in the form that is written
    here are removed.
    """
    if not before.pyproject.is_managed:
        return ()
    edits: list[Edit] = []
    needed = _needed_bounds(after, _locked(after), bounds())
    for old in _needed_bounds(before, _locked(before), bounds()):
        if any(old.is_as_in(after, other) for other in needed):
            continue
        own = [
            item
            for item in after.pyproject.requirements
            if item.name == old.bound.name
            and item.constraint == parse_constraint(old.line.constraint)
            and not item.extras
            and item.source is None
            and old.is_of(after, item)
        ]
        removed = remove_edits(after, own)
        after = apply(after, removed)
        edits += removed
    return tuple(edits)


# -- what brings a version that breaks ------------------------------------------------------


def _needed_bounds(
    project: Project, locked: LockedPackages | None, known: Iterable[Bound]
) -> tuple[_NeededBound, ...]:
    """Each bound that the project's own requirements need, once for each list that needs it.

    One with `only_together` is needed where the lock has both besides.
    """
    return tuple(
        _needed_bound(project, bound, causes)
        for bound in known
        for causes in group(
            _causes(project, bound, locked),
            lambda cause, other: same_list(project, cause.item, other.item),
        )
    )


def _needed_bound(project: Project, bound: Bound, causes: Iterable[Cause]) -> _NeededBound:
    # Last a direct requirement, which may also count where a version is locked that works.
    ordered = sorted(causes, key=lambda cause: cause.item.name == bound.breaks)
    kept, marker = joint_marker(project, ordered)
    return _NeededBound(bound, kept, "" if bound.only_together else marker)


def _causes(project: Project, bound: Bound, locked: LockedPackages | None) -> Iterator[Cause]:
    everywhere = every_target(project)
    for item in project.pyproject.requirements:
        where = [target for target in everywhere if target.admits(item.marker)]
        if item.name in tensorflow_distributions() & {*DISTRIBUTIONS}:
            release = _release(project, item)
            if release is None:
                continue
            where = [
                target for target in where if target.python in release.usable_on(target.environment)
            ]
            if bound.breaks == _TENSORFLOW:
                if where and admits_breaking_version(release, bound):
                    what = f"{item.name} {release.version}"
                    yield Cause(item, what, frozenset(where), item.marker)
                continue
            required = [_constraint(one) for one in required_by(release, bound.breaks)]
        elif item.name == bound.breaks:
            required = [item.constraint]
        else:
            continue
        for constraint in required:
            what, broken = _breaking(bound, constraint, where, locked)
            if broken:
                yield Cause(item, what, broken, item.marker)


def _release(project: Project, item: Requirement) -> Release | None:
    """The release of TensorFlow that is locked for a requirement, or that a solver would take.

    One that is not in the data is inferred from its series.
    """
    series = constraint_series(item.constraint)
    release = expected_release(project, series, [item])
    if release is not None or series is None:
        return release
    return next(iter(admitted_releases(load(item.name), item.constraint)), None)


def _breaking(
    bound: Bound,
    constraint: VersionConstraint,
    where: Iterable[Target],
    locked: LockedPackages | None,
) -> tuple[str, frozenset[Target]]:
    """The version that breaks, of those that a requirement admits, and where it is installed.

    The lock decides, if it has an admitted version; without one, all admitted versions have to
    break.
    """
    admitted = [
        package for package in _packages(locked, {bound.breaks}) if package.satisfies(constraint)
    ]
    if locked is None or not admitted:
        fails = _constraint(bound.versions).allows_all(constraint) and not constraint.is_empty()
        return f"{bound.breaks} {constraint}", frozenset(where if fails else ())
    broken = [package for package in admitted if _is_broken(bound, package)]
    found = frozenset(
        target for target in where if any(locked.needs(package, target) for package in broken)
    )
    return (f"{bound.breaks} {broken[0].version}" if broken else ""), found


def _bounds_of_lock(project: Project, locked: LockedPackages | None) -> Iterator[_NeededBound]:
    """The bounds that a lock which is up to date needs and no requirement of the project."""
    lock = project.valid_lock
    items = project.pyproject.requirements
    if locked is None or lock is None or not items:
        return
    for bound in bounds():
        if not bound.only_together and any(_causes(project, bound, locked)):
            continue
        targets = _clash(project, bound, locked)
        if not targets or not lock.is_fresh(project.pyproject.data):
            continue
        causes = tuple(_lock_causes(project, bound, locked, targets))
        for here in group(causes, lambda one, other: same_list(project, one.item, other.item)):
            yield _NeededBound(bound, *joint_marker(project, here))


def _lock_causes(
    project: Project, bound: Bound, locked: LockedPackages, targets: frozenset[Target]
) -> Iterator[Cause]:
    """The requirements that bring together what breaks and a dependency that is too new for it."""
    packages = _broken(bound, locked)
    what = f"{packages[0].name} {packages[0].version}, which is locked,"
    bringing = requirements_leading_to(project, packages)
    too_new = requirements_leading_to(project, _too_new(bound, locked))
    if not bringing or not too_new:
        item = main_requirement(project) or project.pyproject.requirements[0]
        yield Cause(item, what, targets, AnyMarker())
    for item in too_new:
        for other in bringing:
            marker = item.marker.intersect(other.marker)
            where = frozenset(target for target in targets if target.admits(marker))
            if where:
                yield Cause(narrower(project, item, other), what, where, marker)


# -- the lock -------------------------------------------------------------------------------


def _locked(project: Project) -> LockedPackages | None:
    lock = project.valid_lock
    return LockedPackages.of(lock, project.pyproject) if lock is not None else None


def _packages(locked: LockedPackages | None, names: Set[str]) -> tuple[LockedPackage, ...]:
    return tuple(one for one in (locked.packages if locked else ()) if one.name in names)


def _broken(bound: Bound, locked: LockedPackages) -> tuple[LockedPackage, ...]:
    """The locked packages that break with a dependency that is too new."""
    names = tensorflow_distributions() if bound.breaks == _TENSORFLOW else {bound.breaks}
    return tuple(one for one in _packages(locked, names) if _is_broken(bound, one))


def _too_new(bound: Bound, locked: LockedPackages) -> tuple[LockedPackage, ...]:
    """The locked versions of a dependency with which others break."""
    return tuple(
        one
        for one in _packages(locked, {bound.name})
        if one.parsed is not None and one.satisfies(_excluded(bound))
    )


def _is_broken(bound: Bound, package: LockedPackage) -> bool:
    version = package.parsed
    return version is not None and bound.versions.contains(version, prereleases=True)


def _clash(project: Project, bound: Bound, locked: LockedPackages) -> frozenset[Target]:
    """The targets in which the lock has both what breaks and a dependency too new for it."""
    broken = _broken(bound, locked)
    too_new = _too_new(bound, locked)
    if not broken or not too_new:
        return frozenset()
    return frozenset(
        target
        for target in project_targets(project)
        if any(locked.needs(one, target) and _has_files(one, target) for one in broken)
        and any(locked.needs(one, target) for one in too_new)
    )


def _has_files(package: LockedPackage, target: Target) -> bool:
    """Whether a package has files for a target, where it is a TensorFlow: some hold nothing."""
    if package.name not in DISTRIBUTIONS or package.parsed is None:
        return True
    release = whole(package.name).get(package.parsed)
    if release is None:
        return True
    wheels = release.wheels.get(target.environment)
    return wheels is not None and wheels.kind != "shim"


# -- what is missing ------------------------------------------------------------------------


def _issue(
    project: Project, needed: _NeededBound, locked: LockedPackages | None
) -> RequirementIssue | None:
    """What is wrong with the project for a bound that it needs; None where it has the bound."""
    bound = needed.bound
    targets = needed.targets & {*project_targets(project)}
    writes = project.pyproject.is_managed and may_write(project, needed.item)
    found = [
        item
        for item in project.pyproject.requirements
        # One lock serves all groups: where nothing is written, each of them can hold the bound.
        if item.name == bound.name and (not writes or is_installed_with(project, item, needed.item))
    ]
    wide = [
        item
        for item in found
        if item.constraint.allows_any(_excluded(bound))
        and any(target.admits(item.marker) for target in targets)
    ]
    narrow = [item for item in found if not item.constraint.allows_any(_excluded(bound))]
    if all(any(target.admits(item.marker) for item in narrow) for target in targets):
        return None
    if not writes and (locked is None or not _clash(project, bound, locked)):
        return None
    message = f"{needed.causes[0].what} admits {bound.name} {bound.below}: {bound.why}"
    for item in wide:
        allowed = _narrowed(item, bound)
        if allowed is None:
            remedy = f"Require {bound.name} below {bound.below}"
            end = f"<{bound.below}"
            return RequirementIssue(item, message, remedy, (), bound.severity, end)
        if writes and may_write(project, item) and _is_within(project, item, needed):
            edits = constraint_edits(project, item, allowed)
            return RequirementIssue(item, message, f'Write "{allowed}"', edits, bound.severity)
    beside = names_beside(project, needed.item)
    if not found and bound.name in beside:
        return None  # from a path, a URL or a repository
    can_add = writes and (needed.item.is_pep508 or bound.name not in beside)
    edits = add_edits(project, needed.item, [needed.line]) if can_add else ()
    remedy = format_addition([needed.line])
    if not may_write(project, needed.item):
        remedy += (
            " to a dependency group, so that only the lock file has it; in the dependencies it "
            "would be published with the package"
        )
    item = found[0] if found and not edits else needed.item
    return RequirementIssue(item, message, remedy, edits, bound.severity)


def _narrowed(item: Requirement, bound: Bound) -> str | None:
    """The constraint of a requirement, cut at the bound; None where nothing is left."""
    end = f"<{bound.below}"
    allowed = item.constraint.intersect(parse_constraint(end))
    if allowed.is_empty():
        return None
    if item.constraint.is_any():
        return end
    text = str(allowed).replace(" ", "")
    return f"{item.written.strip('() ')},{end}" if "||" in text else text


def _is_within(project: Project, item: Requirement, needed: _NeededBound) -> bool:
    """Whether a requirement counts only where the bound is needed."""
    marker = parse_marker(needed.marker)
    return all(
        target.admits(marker) for target in every_target(project) if target.admits(item.marker)
    )


# -- versions ------------------------------------------------------------------------------


def _excluded(bound: Bound) -> VersionConstraint:
    """The versions that are too new."""
    return parse_constraint(f">={bound.below}")


@functools.cache
def _constraint(specifier: SpecifierSet) -> VersionConstraint:
    return parse_constraint(str(specifier) or "*")
