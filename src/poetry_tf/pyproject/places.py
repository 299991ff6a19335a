"""Where a project requires TensorFlow, and what has to be required beside it there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from packaging.utils import NormalizedName
from poetry.core.constraints.version import (
    Version,
    VersionConstraint,
    VersionUnion,
    parse_constraint,
)
from poetry.core.version.markers import AnyMarker, BaseMarker, parse_marker

from poetry_tf.files.project import Project
from poetry_tf.files.requirements import MAIN, Requirement
from poetry_tf.plan.environments import (
    ENVIRONMENTS,
    MINORS,
    Target,
    make_targets,
    next_minor,
    pythons_with_wheels,
    required_environments,
)
from poetry_tf.plan.lines import can_be_locked, narrowed_releases
from poetry_tf.plan.model import Plan
from poetry_tf.plan.python import admitted_minors, marker_pythons, project_pythons, release_pythons
from poetry_tf.plan.requirement import constraint_series, to_poetry_version
from poetry_tf.plan.settings import read_settings
from poetry_tf.pyproject.platform_lines import (
    TensorFlowUse,
    filesystem_lines,
    shim_for,
    shim_lines,
    union_markers,
    where_required,
)
from poetry_tf.pyproject.requirement_edits import (
    MarkedRequirement,
    group,
    names_beside,
    same_list,
)
from poetry_tf.releases import Release, load, role


@dataclass(frozen=True)
class Place:
    """The requirements on one distribution of TensorFlow in one list or table, taken together."""

    project: Project
    item: Requirement
    """The first of them."""
    use: TensorFlowUse
    lines: tuple[MarkedRequirement, ...]
    """The requirements that have to stand beside them."""

    @property
    def release(self) -> Release:
        """The release that a lock of the project has, or will have."""
        return self.use.release

    @property
    def name(self) -> str:
        """The distribution and its release as text."""
        return f"{self.item.name} {self.release.version}"

    def found(self, name: NormalizedName) -> tuple[Requirement, ...]:
        """The project's requirements on a distribution that are installed with those here."""
        return tuple(
            item
            for item in self.project.pyproject.requirements
            if item.name == name
            and is_installed_with(self.project, item, self.item)
            and not item.marker.intersect(self.use.where).is_empty()
        )

    def has_direct(self, name: NormalizedName) -> bool:
        """Whether the list has a distribution from a path, a URL or a repository."""
        from_index = any(
            item.name == name and is_installed_with(self.project, item, self.item)
            for item in self.project.pyproject.requirements
        )
        return not from_index and name in names_beside(self.project, self.item)


def is_installed_with(project: Project, item: Requirement, main: Requirement) -> bool:
    """Whether a requirement is installed whenever `main`, the one on TensorFlow, is."""
    if not item.optional and item.group in {MAIN, main.group}:
        return True
    return item.group == main.group and same_list(project, item, main)


def covers(project: Project, where: BaseMarker, item: Requirement) -> bool:
    """Whether a marker holds in every environment in which a requirement counts."""
    targets = make_targets(ENVIRONMENTS, admitted_minors(MINORS, project_pythons(project)))
    return all(target.admits(where) for target in targets if target.admits(item.marker))


def places(project: Project, plan: Plan) -> Iterator[Place]:
    """Each list or table that requires TensorFlow, once for each series that it pins.

    A requirement that is too wide counts as what it will be narrowed to. One that no series serves
    gets several releases, and what goes beside one of them would rule the others out.
    """
    version, narrowed = plan.release.version, narrowed_releases(project, plan.release)

    def series(item: Requirement) -> str | None:
        if constraint_series(item.constraint) is None and item.path not in narrowed:
            return None
        if item.constraint.allows(to_poetry_version(version)):
            return plan.release.series
        return constraint_series(item.constraint)

    found = (
        item
        for item in project.pyproject.requirements
        if role(item.name) == "main"
        and series(item) is not None
        and not project_pythons(project).intersect(marker_pythons(item.marker)).is_empty()
    )
    for items in group(
        found,
        lambda item, other: (
            item.name == other.name
            and series(item) == series(other)
            and same_list(project, item, other)
        ),
    ):
        own = series(items[0])
        release = expected_release(project, own, items)
        if release is None and own == plan.release.series:
            release = load(items[0].name).get(version)
        if release is not None and release.is_opened:
            yield _place(project, items, release)


def _place(project: Project, items: Sequence[Requirement], release: Release) -> Place:
    python, settings = project_pythons(project), read_settings(project)[0]
    where = union_markers(
        item.marker for item in (*items, *_handed_over(project, items[0], release))
    )
    end = _end_of_pythons(release, python)
    markers = {item: where_required(release, item.extras).intersect(end) for item in items}
    first = markers[items[0]]
    use = TensorFlowUse(
        release,
        tuple(
            target
            for name in required_environments(release, settings.environments)
            for minor in admitted_minors(release.usable_on(name), python)
            if (target := Target(name, minor)).admits(where)
        ),
        python,
        where,
        where.intersect(first)
        if all(marker == first for marker in markers.values())
        else union_markers(item.marker.intersect(marker) for item, marker in markers.items()),
    )
    constraint = _joint(items)
    written = _copyable(items[0]) if constraint == items[0].constraint else ""
    lines = (*shim_lines(use, constraint, written), *filesystem_lines(use))
    return Place(project, items[0], use, lines)


def _handed_over(project: Project, main: Requirement, release: Release) -> Iterator[Requirement]:
    """The requirements on the distributions that a release hands over to, where none on TensorFlow
    itself counts. There it is as good as installed: what it needs is needed."""
    names = {shim_for(release, name) for name in ENVIRONMENTS}
    items = project.pyproject.requirements
    mains = [item for item in items if role(item.name) == "main"]
    for item in items:
        if (
            item.name in names
            and is_installed_with(project, item, main)
            and item.constraint.allows(to_poetry_version(release.version))
            and all(item.marker.intersect(one.marker).is_empty() for one in mains)
        ):
            yield item


def _end_of_pythons(release: Release, python: VersionConstraint) -> BaseMarker:
    """The Pythons up to the last with a wheel, if a project admits later ones; else any.

    TensorFlow's dependencies may have no version for the later ones.
    """
    after = next_minor(pythons_with_wheels([release])[-1])
    if python.allows_any(parse_constraint(f">={after}")):
        return parse_marker(f'python_version < "{after}"')
    return AnyMarker()


def _joint(items: Sequence[Requirement]) -> VersionConstraint:
    constraint = items[0].constraint
    for item in items[1:]:
        constraint = constraint.intersect(item.constraint)
    return constraint


def _copyable(item: Requirement) -> str:
    """A requirement's constraint as another in the same place can have it; empty if it can't."""
    if item.enriched_at is None:
        return item.written
    if isinstance(item.constraint, Version):
        return f"=={item.constraint}"
    return "" if isinstance(item.constraint, VersionUnion) else str(item.constraint)


def expected_release(
    project: Project, series: str | None, items: Sequence[Requirement]
) -> Release | None:
    """The release of the required distribution that is locked, or that a solver would take.

    A solver takes the newest release of a series that all of `items` admit and that can be locked.
    None where neither the lock nor the series has one.
    """
    constraint = _joint(items)
    catalog = load(items[0].name)
    if (lock := project.valid_lock) is not None:
        for version in sorted(lock.versions.get(items[0].name, ()), reverse=True):
            known = catalog.get(version)
            if known is not None and constraint.allows(to_poetry_version(version)):
                return known
    python, settings = project_pythons(project), read_settings(project)[0]
    shims = [item for item in project.pyproject.requirements if role(item.name) == "shim"]
    fits = [
        release
        for release in (catalog.in_series(series) if series is not None else ())
        if constraint.allows(to_poetry_version(release.version))
        and not release.yanked
        and admitted_minors(release_pythons(release, settings.environments), python)
    ]
    where = union_markers(item.marker for item in items)
    for release in reversed(fits):
        # A solver skips a release whose shim requires another version than a line admits.
        shim_names = {shim_for(release, name) for name in ENVIRONMENTS}
        if can_be_locked(project, release, where) and all(
            item.constraint.allows(to_poetry_version(release.version))
            for item in shims
            if item.name in shim_names
        ):
            return release
    return fits[-1] if fits else None
