"""Which releases of TensorFlow serve which of a project's targets, line by line.

A line is one requirement on a distribution of TensorFlow. It counts in the targets where its marker
holds, and each of its releases serves those for which it has a wheel. Lines that are installed
together are kept in one series where there is one that serves them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from poetry.core.constraints.version import VersionConstraint
from poetry.core.packages.dependency import Dependency
from poetry.core.version.markers import BaseMarker

from poetry_tf.files.project import Project
from poetry_tf.files.requirements import MAIN, Requirement, required_name
from poetry_tf.files.values import KeyPath
from poetry_tf.plan.companions import admits_no_fit
from poetry_tf.plan.environments import (
    DEFAULT_ENVIRONMENTS,
    ENVIRONMENTS,
    MINORS,
    Target,
    holds_in,
    make_targets,
    pythons_with_wheels,
    required_pythons,
)
from poetry_tf.plan.main_line import main_requirement, with_locked
from poetry_tf.plan.python import marker_pythons, project_pythons
from poetry_tf.plan.requirement import (
    admitted_releases,
    constraint_series,
    lower_bound,
    tensorflow_requirements,
    to_poetry_version,
)
from poetry_tf.plan.settings import read_settings
from poetry_tf.releases import DISTRIBUTIONS, Catalog, Release, load, role, whole
from poetry_tf.releases.model import numbers


@dataclass(frozen=True)
class Line:
    """A requirement on TensorFlow with the places in which it counts."""

    item: Requirement
    python: VersionConstraint
    """The Pythons of the project for which it counts."""
    declared: tuple[str, ...] | None
    """The environments that the project declares; None for the default ones."""
    admitted: tuple[Release, ...]
    """The known releases that it admits, ascending, without yanked ones if there are others."""
    locked: tuple[Release, ...]
    """Those of them that are locked, ascending."""
    beside: tuple[Requirement, ...] = ()
    """The project's requirements on the distributions that hold the files of one platform."""
    is_narrowed: bool = False
    """Whether `admitted` is of one series, to which the constraint will be narrowed."""

    @property
    def is_wide(self) -> bool:
        """Whether it admits more than one minor series."""
        constraint = self.item.constraint
        return not constraint.is_empty() and constraint_series(constraint) is None

    def in_series(self, series: str) -> Line:
        """The line as it would be if it admitted one series only."""
        admitted = tuple(one for one in self.admitted if one.series == series)
        return replace(self, admitted=admitted, is_narrowed=True)

    @cached_property
    def environments(self) -> tuple[str, ...]:
        """The environments of the project in which it counts.

        Where none is declared these are the default ones that have TensorFlow: a wheel of the
        release that is locked, or that plain Poetry would lock. A line that counts in none of these
        is for others, and counts in those.
        """
        if self.declared is not None:
            return tuple(filter(self.counts_in, self.declared))
        default, every = (
            tuple(filter(self.counts_in, names)) for names in (DEFAULT_ENVIRONMENTS, ENVIRONMENTS)
        )
        solved = self._solved
        # What is solved may have no wheel at all: the last release for a platform may be empty.
        for releases in ((solved,) if solved else (), self.admitted):
            for names in (default, every):
                if available := tuple(
                    name for name in names if any(one.usable_on(name) for one in releases)
                ):
                    return available
        return default or every

    @property
    def _solved(self) -> Release | None:
        """The release that is locked, else the one that plain Poetry would lock: none whose first
        Python is above the lowest of the line."""
        releases = self.admitted if self.is_narrowed else self.locked or self.admitted
        lowest = next(iter(required_pythons(self.python) or ()), None)
        for release in reversed(releases):
            first = next(iter(pythons_with_wheels([release])), None)
            if lowest is None or first is None or numbers(first) <= numbers(lowest):
                return release
        return releases[-1] if releases else None

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """The targets that TensorFlow has to be installable in; of an open range the lowest Python.

        Empty where the project names no Python.
        """
        targets = make_targets(self.environments, required_pythons(self.python) or ())
        return tuple(target for target in targets if target.admits(self.item.marker))

    @cached_property
    def pythons(self) -> tuple[str, ...]:
        """The Python minors, ascending, that one of the admitted releases serves: in every
        environment of the project, and in one where it is for platforms that nobody declared."""
        return tuple(
            minor
            for minor in MINORS
            if any(self._serves_python(one, minor) for one in self.admitted)
        )

    def counts_in(self, environment: str) -> bool:
        """Whether its marker holds for any Python of an environment."""
        return holds_in(environment, self.item.marker)

    def _serves_python(self, release: Release, minor: str) -> bool:
        targets = make_targets(self.environments, [minor])
        counting = [target for target in targets if target.admits(self.item.marker)]
        served = [target for target in counting if serves(release, target)]
        if self.declared is None and not {*self.environments} & {*DEFAULT_ENVIRONMENTS}:
            return bool(served)
        return bool(counting) and served == counting

    def is_served_by(self, release: Release) -> bool:
        """Whether a release serves every target that any of the admitted ones serves."""
        return all(self._is_target_served_by(release, target) for target in self.servable)

    def _is_target_served_by(self, release: Release, target: Target) -> bool:
        """Whether a lock has TensorFlow's files for a target.

        Where its wheel only requires another distribution, a lock has that one if a requirement
        names it: poetry-tf writes one for the environments that the project is planned for.
        """
        name = target.environment
        wheels = release.wheels.get(name)
        if wheels is None or target.python not in wheels.usable or wheels.kind != "shim":
            return serves(release, target)
        return name in (self.declared or DEFAULT_ENVIRONMENTS) or any(
            item.name == wheels.target and target.admits(item.marker) for item in self.beside
        )

    @cached_property
    def servable(self) -> tuple[Target, ...]:
        """The targets that any of the admitted releases serves."""
        return tuple(
            target
            for target in self.targets
            if any(self._is_target_served_by(one, target) for one in self.admitted)
        )


def serves(release: Release, target: Target) -> bool:
    """Whether installing a release gives a TensorFlow in a target."""
    return target.python in release.usable_on(target.environment)


def tensorflow_lines(project: Project) -> tuple[Line, ...]:
    """The requirements on the distributions whose releases are known."""
    items = tensorflow_requirements(project)
    return tuple(
        _line(project, item) for item in items if item.name in DISTRIBUTIONS and not item.source
    )


def _catalog(project: Project, item: Requirement) -> Catalog:
    """The releases of a requirement's distribution, with the older ones where it admits those."""
    # A retired distribution will be renamed to tensorflow.
    name = "tensorflow" if role(item.name) == "retired" else item.name
    known = with_locked(load(name), project)
    is_old = any(item.constraint.allows(to_poetry_version(version)) for version in known.older)
    return whole(name) if is_old else known


def _line(project: Project, item: Requirement) -> Line:
    catalog, lock = _catalog(project, item), project.valid_lock
    admitted = admitted_releases(catalog, item.constraint)
    admitted = tuple(release for release in admitted if not release.yanked) or admitted
    versions = lock.versions.get(item.name, ()) if lock else ()
    known = filter(None, map(catalog.get, sorted(versions)))
    locked = tuple(one for one in known if item.constraint.allows(to_poetry_version(one.version)))
    return Line(
        item,
        project_pythons(project).intersect(marker_pythons(item.marker)),
        read_settings(project)[0].environments,
        admitted,
        locked,
        tuple(one for one in project.pyproject.requirements if role(one.name) == "shim"),
    )


def releases_by_pythons(line: Line) -> tuple[tuple[Release, tuple[str, ...]], ...]:
    """The fewest releases that serve a line's targets, each for a run of Pythons, ascending.

    Empty where one Python needs several, for its environments.
    """
    rest = sorted({target.python for target in line.servable}, key=numbers)
    found: list[tuple[Release, tuple[str, ...]]] = []
    while rest:
        runs = {release: _run_served(line, release, rest) for release in reversed(line.admitted)}
        release = max(runs, key=lambda one: len(runs[one]))
        if not runs[release]:
            return ()
        found.insert(0, (release, runs[release]))
        rest = rest[: -len(runs[release])]
    return tuple(found)


def _run_served(line: Line, release: Release, pythons: Sequence[str]) -> tuple[str, ...]:
    """The last of some Pythons, back to the first that a release doesn't serve everywhere."""
    run: list[str] = []
    for python in reversed(pythons):
        if not all(serves(release, one) for one in line.servable if one.python == python):
            break
        run.insert(0, python)
    return tuple(run)


# -- the series of a pin that is too wide -----------------------------------------------------


def narrowed_releases(
    project: Project, planned: Release | None = None
) -> Mapping[KeyPath, Release]:
    """The releases whose series pins the lines that are too wide, by the paths of the lines.

    Lines that are installed together get one series where one serves all of them: that of
    `planned`, the release of the project's plan, else the newest locked series that serves every
    target. Without a lock it is the first that the pins admit if it serves them, else the newest
    admitted one that does. A line that no series serves is missing.
    """
    lines = tensorflow_lines(project)
    if not any(line.is_wide for line in lines):
        return {}
    fits = _series_finder(project)
    required = project.pyproject.requirements
    common = [line for line in lines if line.item.group == MAIN and not line.item.optional]
    preferred = planned.series if planned is not None else None
    found = _narrowed_together(common, fits, preferred, required)
    for line in lines:
        if line.is_wide and line.item.path not in found:
            beside = [*common, line] if line not in common else [line]
            together = _narrowed_together(beside, fits, preferred, required) or _narrowed_together(
                [line], fits, preferred, required
            )
            if line.item.path in together:
                found[line.item.path] = together[line.item.path]
    return found


def narrowed_release(project: Project) -> Release | None:
    """The release whose series pins the main requirement; None if that is not too wide."""
    main = main_requirement(project)
    return None if main is None else narrowed_releases(project).get(main.path)


_Finder = Callable[[Line, str], "Release | None"]


def _narrowed_together(
    lines: Sequence[Line],
    fits: _Finder,
    preferred: str | None,
    required: Sequence[Requirement],
) -> dict[KeyPath, Release]:
    """The releases of the wide lines, all in one series that serves every line.

    `required` are the requirements of the project, among them those on companions.
    """
    wide = [line for line in lines if line.is_wide and line.admitted]
    if not wide:
        return {}
    series = {release.series for line in wide for release in line.admitted}
    good = [
        one
        for one in sorted(series, key=numbers)
        if all(fits(line, one) for line in lines if line.admitted)
    ]

    def excluding(series: str) -> int:
        return sum(
            admits_no_fit(item, release)
            for item in required
            for line in wide
            if not item.marker.intersect(line.item.marker).is_empty()
            if (release := fits(line, series)) is not None
        )

    chosen = preferred if preferred in good else _chosen_series(wide, good, excluding)
    if chosen is None:
        return {}
    return {line.item.path: release for line in wide if (release := fits(line, chosen)) is not None}


def _chosen_series(
    wide: Sequence[Line], good: Sequence[str], excluding: Callable[[str], int]
) -> str | None:
    """The series to pin to, of those that serve every target.

    `excluding` counts the requirements on companions that exclude a series.
    """
    if locked := {release.series for line in wide for release in line.locked}:
        return max((one for one in good if one in locked), key=numbers, default=None)
    # Plans are made for these only.
    planned = load().series
    usable = [one for one in good if one in planned]
    counts = {one: excluding(one) for one in usable}
    usable = [one for one in usable if counts[one] == min(counts.values())]
    starts = [
        next(release.series for release in line.admitted if release.series in planned)
        for line in (wide if usable else ())
        if lower_bound(line.item.constraint) is not None
    ]
    first = max(starts, key=numbers, default=None)
    return first if first in usable else next(reversed(usable), None)


def _series_finder(project: Project) -> _Finder:
    """The function that finds the release of a series that serves a line: what is locked, else the
    newest."""
    others = _required_constraints(project)
    known: dict[tuple[KeyPath, str], Release | None] = {}

    def find(line: Line, series: str) -> Release | None:
        # What is locked stays, and can be locked.
        for release in (*reversed(line.locked), *reversed(line.admitted)):
            if (
                release.series == series
                and line.is_served_by(release)
                and (release in line.locked or can_be_locked(project, release, line.item.marker))
                and not _contradicts(release, line, others)
            ):
                return release
        return None

    def cached(line: Line, series: str) -> Release | None:
        key = line.item.path, series
        if key not in known:
            known[key] = find(line, series)
        return known[key]

    return cached


def can_be_locked(project: Project, release: Release, where: BaseMarker) -> bool:
    """Whether Poetry can lock a release that is required with the marker `where`.

    It can't if a requirement of the release on what does not exist counts there. In a managed
    project poetry-tf leaves such a requirement out.
    """
    return project.pyproject.is_managed or all(
        Dependency.create_from_pep_508(text).marker.intersect(where).is_empty()
        for text in release.unsatisfiable
    )


def _required_constraints(project: Project) -> Mapping[str, Sequence[Requirement]]:
    found: dict[str, list[Requirement]] = {}
    for item in project.pyproject.requirements:
        found.setdefault(item.name, []).append(item)
    return found


def _contradicts(release: Release, line: Line, others: Mapping[str, Sequence[Requirement]]) -> bool:
    """Whether a release requires, in one of the targets, a version that the project excludes."""
    for needed in _requirements_on(release, others):
        if needed.in_extras and not {*needed.in_extras} & {*line.item.extras}:
            continue
        marker = needed.marker.without_extras()
        for item in others[needed.name]:
            if item.constraint.allows_any(needed.constraint):
                continue
            if any(target.admits(marker) and target.admits(item.marker) for target in line.targets):
                return True
    return False


def _requirements_on(release: Release, names: Mapping[str, object]) -> Iterator[Dependency]:
    # Parsing one takes long, and a release has dozens.
    for text in release.requires:
        if required_name(text) in names:
            yield Dependency.create_from_pep_508(text)
