"""What TensorFlow needs beside it on its platforms: missing, wrong and redundant requirements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from packaging.utils import NormalizedName
from poetry.core.constraints.version import (
    Version,
    VersionConstraint,
    VersionUnion,
    parse_constraint,
)
from poetry.core.version.markers import AnyMarker, BaseMarker, parse_marker

from poetry_tf.files.edits import Edit, apply
from poetry_tf.files.project import Project
from poetry_tf.files.requirements import MAIN, Requirement
from poetry_tf.plan.alternatives import alternatives
from poetry_tf.plan.environments import (
    ENVIRONMENTS,
    MINORS,
    Target,
    make_targets,
    next_minor,
    pythons_with_wheels,
    required_environments,
)
from poetry_tf.plan.lines import tensorflow_lines
from poetry_tf.plan.model import Plan
from poetry_tf.plan.python import admitted_minors, marker_pythons, project_pythons, release_pythons
from poetry_tf.plan.requirement import constraint_series, to_poetry_version
from poetry_tf.plan.settings import read_settings
from poetry_tf.pyproject.platform_lines import (
    FILESYSTEM,
    TensorFlowUse,
    admitted_in,
    filesystem_lines,
    has_wheel,
    is_ours,
    shim_for,
    shim_lines,
    union_markers,
    versions_for,
    where_required,
)
from poetry_tf.pyproject.requirement_edits import (
    MarkedRequirement,
    add_edits,
    constraint_edits,
    group,
    names_beside,
    remove_edits,
    same_list,
)
from poetry_tf.releases import Release, load, role
from poetry_tf.releases.model import Kind, numbers
from poetry_tf.text import format_list


@dataclass(frozen=True)
class RequirementIssue:
    """A requirement that is missing beside TensorFlow, wrong or redundant."""

    item: Requirement
    """The requirement to report: the one on TensorFlow, or the one that is wrong."""
    message: str
    remedy: str
    edits: tuple[Edit, ...]
    """The fix; empty where a person has to decide."""
    severity: Literal["error", "warning"] = "error"


# -- where a project requires TensorFlow ----------------------------------------------------


@dataclass(frozen=True)
class _Place:
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


def _places(project: Project, plan: Plan) -> Iterator[_Place]:
    """Each list or table that requires TensorFlow, once for each series that it pins."""
    version = plan.release.version

    def series(item: Requirement) -> str | None:
        if item.source and project.valid_lock is None:
            return constraint_series(item.constraint)  # only the lock will tell what a source has
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


def _place(project: Project, items: Sequence[Requirement], release: Release) -> _Place:
    python, settings = project_pythons(project), read_settings(project)[0]
    where = union_markers(item.marker for item in items)
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
    return _Place(project, items[0], use, lines)


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

    A solver takes the newest release of a series that all of `items` admit. None where neither the
    lock nor the series has one.
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
    for release in reversed(fits):
        # A solver skips a release whose shim requires another version than a line admits.
        shim_names = {shim_for(release, name) for name in ENVIRONMENTS}
        if all(
            item.constraint.allows(to_poetry_version(release.version))
            for item in shims
            if item.name in shim_names
        ):
            return release
    return fits[-1] if fits else None


# -- what differs ---------------------------------------------------------------------------


def missing_requirements(project: Project, plan: Plan) -> Iterator[RequirementIssue]:
    """The requirements beside TensorFlow that are missing or wrong in a project."""
    places = [*_places(project, plan)]
    for place in places:
        for line in place.lines:
            if line.name != FILESYSTEM and (issue := _shim_issue(place, line)) is not None:
                yield issue
        is_needed = any(not one.use.filesystem.is_empty() for one in places)
        if (issue := _filesystem_issue(place, is_needed=is_needed)) is not None:
            yield issue


def _shim_issue(place: _Place, line: MarkedRequirement) -> RequirementIssue | None:
    version = to_poetry_version(place.release.version)
    marker = parse_marker(line.marker)
    targets = [target for target in place.use.targets if target.admits(marker)]
    found = place.found(line.name)
    if place.has_direct(line.name):
        return None
    environments = format_list(dict.fromkeys(target.environment for target in targets))
    wrong = [
        item
        for item in found
        if any(target.admits(item.marker) for target in targets)
        and not item.constraint.allows(version)
    ]
    if wrong:
        return RequirementIssue(
            wrong[0],
            f"{line.name} {wrong[0].written} is not the one that {place.name} needs on "
            f"{environments}",
            f'Write "{line.constraint}"',
            tuple(
                edit
                for item in wrong
                for edit in constraint_edits(place.project, item, line.constraint)
            ),
        )
    if all(any(target.admits(item.marker) for item in found) for target in targets):
        return None
    message = (
        f"on {environments} {place.name} is nothing but a requirement on {line.name}, which a "
        "lock for several platforms gets only if pyproject.toml asks for it"
    )
    if found:
        remedy = f"Let the marker of {line.name} hold there: {line.marker}"
        return RequirementIssue(found[0], message, remedy, ())
    edits = add_edits(place.project, place.item, [line])
    return RequirementIssue(place.item, message, format_addition([line]), edits)


def _filesystem_issue(place: _Place, *, is_needed: bool) -> RequirementIssue | None:
    """What is wrong with the lines of the file system, which another place may need as well."""
    use, release = place.use, place.release
    lines = [line for line in place.lines if line.name == FILESYSTEM]
    found = place.found(FILESYSTEM)
    is_own = is_ours(found)
    if use.filesystem.is_empty():
        if not is_own or is_needed:
            return None
        return RequirementIssue(
            found[0],
            f"{place.name} doesn't need {FILESYSTEM} any more",
            f"Remove {_quoted(f'{item.name} {item.written}' for item in found)}",
            remove_edits(place.project, found),
        )
    if not found and (not lines or place.has_direct(FILESYSTEM)):
        return None
    unserved = [
        target
        for target in use.targets
        if target.admits(use.filesystem) or any(target.admits(item.marker) for item in found)
        if not _gets_wheel(target, found, release)
    ]
    if not unserved or not (lines or is_own):
        return None
    where = format_list(dict.fromkeys(target.environment for target in unserved))
    pythons = sorted({target.python for target in unserved}, key=numbers)
    every = {target.python for target in use.targets}
    with_python = "" if {*pythons} == every else f" with Python {format_list(pythons)}"
    message = (
        f"of {FILESYSTEM}, which {place.name} needs, the version that gets locked has no wheel "
        f"on {where}{with_python}"
    )
    if not found:
        edits = add_edits(place.project, place.item, lines)
        return RequirementIssue(place.item, message, format_addition(lines), edits)
    write = f"Write {_quoted(line.text for line in lines)} instead"
    if not is_own:
        return RequirementIssue(found[0], message, write, ())
    # Written by `filesystem_lines` for another release or other Pythons.
    remedy = write if lines else "Remove it"
    return RequirementIssue(found[0], message, remedy, _replace_edits(place, found, lines))


def _gets_wheel(target: Target, found: Sequence[Requirement], release: Release) -> bool:
    """Whether the version that a solver takes for a target, the newest admitted, has a wheel."""
    admitted = admitted_in(target, found, versions_for(release))
    return bool(admitted) and has_wheel(admitted[-1], release, target)


def redundant_requirements(project: Project, plan: Plan) -> Iterator[RequirementIssue]:
    """Requirements on a shim's distribution where TensorFlow's own wheel has the files.

    A shim's wheel that has the same files is an error, one that has none a warning.
    """
    items = [item for item in project.pyproject.requirements if role(item.name) == "shim"]
    places = list(_places(project, plan)) if items else []
    for item in items:
        issues = (_redundancy(place, item) for place in places)
        if (issue := next(filter(None, issues), None)) is not None:
            yield issue


def _redundancy(place: _Place, item: Requirement) -> RequirementIssue | None:
    """The issue of a shim's line beside a real wheel; None if the shim is needed somewhere."""
    shared = _shared_targets(place, item)
    if any(shim_for(place.release, target.environment) == item.name for target in shared):
        return None
    own = admitted_release(place.project, item)
    kinds = {
        target: wheel_kind(own, target)
        for target in shared
        if place.release.wheels[target.environment].kind == "real"
    }
    clashes = [target for target, kind in kinds.items() if kind == "real"]
    where = clashes or [target for target, kind in kinds.items() if kind == "shim"]
    environments = tuple(dict.fromkeys(target.environment for target in where))
    is_served = _counts_wherever(place, item, environments)
    if not where or not (clashes or is_served):
        return None
    why = "both hold the same files" if clashes else "that one has no files of its own there"
    is_fixable = is_served and _is_our_marker(place, item, environments)
    return RequirementIssue(
        item,
        f"on {format_list(environments)} {place.name} needs no {item.name} any more, and {why}",
        f"Remove {item.name}" if is_served else "Give them markers that exclude each other",
        remove_edits(place.project, [item]) if is_fixable else (),
        "error" if clashes else "warning",
    )


def _shared_targets(place: _Place, item: Requirement) -> list[Target]:
    """The targets with a wheel of TensorFlow in which it and another line are both installed."""
    together = [
        one.extras
        for one in alternatives(place.project.pyproject)
        if one.installs(place.item) and one.installs(item)
    ]
    return [
        target
        for name in place.release.wheels
        for target in make_targets(
            [name], admitted_minors(place.release.pythons_on(name), place.use.python)
        )
        if any(
            target.admits(item.marker, extras) and target.admits(place.use.where, extras)
            for extras in together
        )
    ]


def admitted_release(project: Project, item: Requirement) -> Release | None:
    """The release of a requirement's distribution that is locked, else the newest admitted one."""
    line = next((one for one in tensorflow_lines(project) if one.item == item), None)
    return next(reversed(line.locked or line.admitted), None) if line is not None else None


def wheel_kind(release: Release | None, target: Target) -> Kind | None:
    """What the wheel of a release holds in a target; None if there is none.

    That of an unknown release is taken to have files.
    """
    if release is None:
        return "real"
    has_wheel = target.python in release.pythons_on(target.environment)
    return release.wheels[target.environment].kind if has_wheel else None


def _counts_wherever(place: _Place, item: Requirement, environments: Iterable[str]) -> bool:
    """Whether TensorFlow's line counts wherever another counts in these environments."""
    targets = make_targets(environments, admitted_minors(MINORS, place.use.python))
    return all(
        one.installs(place.item) and target.admits(place.use.where, one.extras)
        for one in alternatives(place.project.pyproject)
        for target in targets
        if one.counts(item, target)
    )


def _is_our_marker(place: _Place, item: Requirement, environments: Sequence[str]) -> bool:
    """Whether a requirement has the marker that `shim_lines` writes."""
    markers = (parse_marker(ENVIRONMENTS[name].marker) for name in environments)
    return any(item.marker in (one, one.intersect(place.use.where)) for one in markers)


def unlocked_requirements(project: Project, plan: Plan) -> Iterator[tuple[Requirement, str]]:
    """The distributions beside TensorFlow that pyproject.toml requires and the lock lacks.

    Each comes with the requirement on TensorFlow that needs it.
    """
    lock = project.valid_lock
    if lock is None:
        return
    for place in _places(project, plan):
        for name in dict.fromkeys(line.name for line in place.lines):
            versions = [to_poetry_version(version) for version in lock.versions.get(name, ())]
            for item in place.found(name):
                if not any(target.admits(item.marker) for target in place.use.targets):
                    continue
                if name == FILESYSTEM or place.release.inferred_from:
                    is_there = any(map(item.constraint.allows, versions))
                else:
                    is_there = to_poetry_version(place.release.version) in versions
                if not is_there:
                    yield place.item, name
                    break


def format_addition(lines: Sequence[MarkedRequirement]) -> str:
    """The remedy that adds requirements."""
    return f"Add {_quoted(line.text for line in lines)}"


def _replace_edits(
    place: _Place, found: Sequence[Requirement], lines: Sequence[MarkedRequirement]
) -> tuple[Edit, ...]:
    """The edits that write `lines` in place of the requirements that were found."""
    removed = remove_edits(place.project, found)
    if not lines:
        return removed
    # A removal moves what follows in its list, which may be the requirement on TensorFlow.
    after = apply(place.project, removed)
    item = next(
        item
        for item in after.pyproject.requirements
        if item.name == place.item.name and same_list(after, item, place.item)
    )
    return (*removed, *add_edits(after, item, lines))


def _quoted(texts: Iterable[str]) -> str:
    return " and ".join(f"'{text}'" for text in texts)
