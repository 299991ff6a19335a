"""What a project's requirements lack around TensorFlow, or have too much of, and what mends it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from packaging.utils import NormalizedName
from poetry.core.constraints.version import (
    Version,
    VersionConstraint,
    VersionRange,
    VersionUnion,
    parse_constraint,
)
from poetry.core.version.markers import AnyMarker, BaseMarker, EmptyMarker, parse_marker

from poetry_tf.files.edits import Edit, apply
from poetry_tf.files.project import Project
from poetry_tf.files.requirements import MAIN, Requirement
from poetry_tf.plan.environments import ENVIRONMENTS, Target, next_minor, required_environments
from poetry_tf.plan.model import Plan
from poetry_tf.plan.python import admitted_minors, release_pythons
from poetry_tf.plan.requirement import to_poetry_version
from poetry_tf.plan.settings import read_settings
from poetry_tf.pyproject.filesystem import (
    FILESYSTEM,
    admitted_in,
    filesystem_lines,
    has_wheel,
    is_ours,
    versions_for,
    where_required,
)
from poetry_tf.pyproject.pins import (
    added_edits,
    constraint_edits,
    names_beside,
    removed_edits,
    same_list,
)
from poetry_tf.pyproject.shims import shim_for, shim_lines
from poetry_tf.pyproject.tensorflow_use import MarkedRequirement, TensorFlowUse
from poetry_tf.releases import Release, load, role
from poetry_tf.releases.model import numbers
from poetry_tf.text import format_list


@dataclass(frozen=True)
class RequirementIssue:
    """What a project's requirements lack, or have too much of, around one on TensorFlow."""

    item: Requirement
    """The requirement to tell it at: that on TensorFlow, or the one that is wrong."""
    message: str
    remedy: str
    edits: tuple[Edit, ...]
    """What mends it; empty where a person has to decide."""
    severity: Literal["error", "warning"] = "error"


# -- what a project has of it ---------------------------------------------------------------


@dataclass(frozen=True)
class _Place:
    """The requirements on one distribution of TensorFlow in one list or table, taken together."""

    project: Project
    items: tuple[Requirement, ...]
    release: Release
    """The release that a lock of the project has, or will have."""
    asked: TensorFlowUse
    lines: tuple[MarkedRequirement, ...]

    @property
    def item(self) -> Requirement:
        return self.items[0]

    def found(self, name: NormalizedName) -> tuple[Requirement, ...]:
        """The project's requirements on a distribution that hold wherever those here do."""
        return tuple(
            item
            for item in self.project.pyproject.requirements
            if item.name == name and is_installed_with(self.project, item, self.item)
        )


def is_installed_with(project: Project, item: Requirement, main: Requirement) -> bool:
    """Whether a requirement is there whenever that on TensorFlow is."""
    if not item.optional and item.group in {MAIN, main.group}:
        return True
    return item.group == main.group and same_list(project, item, main)


def _places(project: Project, plan: Plan) -> Iterator[_Place]:
    """Each list or table that asks for the plan's TensorFlow."""
    lists: list[list[Requirement]] = []
    for item in project.pyproject.requirements:
        if role(item.name) != "main" or not item.constraint.allows(
            to_poetry_version(plan.release.version)
        ):
            continue
        for others in lists:
            if others[0].name == item.name and same_list(project, item, others[0]):
                others.append(item)
                break
        else:
            lists.append([item])
    for items in lists:
        release = expected_release(project, plan.release.series, items) or load(items[0].name).get(
            plan.release.version
        )
        if release is not None and release.is_opened:
            yield _place(project, tuple(items), release)


def _place(project: Project, items: tuple[Requirement, ...], release: Release) -> _Place:
    declared = project.pyproject.python
    range_ = declared.constraint if declared else VersionRange()
    settings, _ = read_settings(project)
    where = _union(item.marker for item in items)
    end = _end_of_pythons(release, range_)
    markers = {item: where_required(release, item.extras).intersect(end) for item in items}
    first = markers[items[0]]
    asked = TensorFlowUse(
        release,
        tuple(
            target
            for name in required_environments(release, settings.environments)
            for minor in admitted_minors(release.usable_on(name), range_)
            if (target := Target(name, minor)).admits(where)
        ),
        range_,
        where,
        where.intersect(first)
        if all(marker == first for marker in markers.values())
        else _union(item.marker.intersect(marker) for item, marker in markers.items()),
    )
    constraint = _joint(items)
    written = _spelt(items[0]) if constraint == items[0].constraint else ""
    lines = (*shim_lines(asked, constraint, written), *filesystem_lines(asked))
    return _Place(project, items, release, asked, lines)


def _end_of_pythons(release: Release, python: VersionConstraint) -> BaseMarker:
    """The Pythons that a release has wheels for, where a project admits others after these.

    What TensorFlow needs may end with them, and then there is no solution for the others.
    """
    minors = {minor for name in ENVIRONMENTS for minor in release.pythons_on(name)}
    last = max(minors, key=numbers)
    after = next_minor(last)
    if python.allows_any(parse_constraint(f">={after}")):
        return parse_marker(f'python_version < "{after}"')
    return AnyMarker()


def _union(markers: Iterable[BaseMarker]) -> BaseMarker:
    result: BaseMarker = EmptyMarker()
    for marker in markers:
        result = result.union(marker)
    return result


def _joint(items: Sequence[Requirement]) -> VersionConstraint:
    constraint = items[0].constraint
    for item in items[1:]:
        constraint = constraint.intersect(item.constraint)
    return constraint


def _spelt(item: Requirement) -> str:
    """A requirement's constraint as another in the same place can have it; empty if none can."""
    if item.enriched_at is None:
        return item.written
    if isinstance(item.constraint, Version):
        return f"=={item.constraint}"
    return "" if isinstance(item.constraint, VersionUnion) else str(item.constraint)


def expected_release(
    project: Project, series: str | None, items: Sequence[Requirement]
) -> Release | None:
    """The release of the required distribution that is locked, or that a solver would take.

    That is the newest of a series which the pin admits, and not always the one at which the pin
    begins. None where neither a lock nor a series tells.
    """
    constraint = _joint(items)
    catalog = load(items[0].name)
    if (lock := project.valid_lock) is not None:
        for version in sorted(lock.versions.get(items[0].name, ()), reverse=True):
            known = catalog.get(version)
            if known is not None and constraint.allows(to_poetry_version(version)):
                return known
    settings, _ = read_settings(project)
    declared = project.pyproject.python
    range_ = declared.constraint if declared else None
    shims = [item for item in project.pyproject.requirements if role(item.name) == "shim"]
    fits = [
        release
        for release in (catalog.in_series(series) if series is not None else ())
        if constraint.allows(to_poetry_version(release.version))
        and not release.yanked
        and admitted_minors(release_pythons(release, settings.environments), range_)
    ]
    for release in reversed(fits):
        # One that requires another version of a shim than a line admits is no candidate.
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
    """What TensorFlow needs in an environment of the project and pyproject.toml doesn't say."""
    for place in _places(project, plan):
        for line in place.lines:
            if line.name != FILESYSTEM and (need := _shim_need(place, line)) is not None:
                yield need
        if (need := _filesystem_need(place)) is not None:
            yield need


def _shim_need(place: _Place, line: MarkedRequirement) -> RequirementIssue | None:
    version = to_poetry_version(place.release.version)
    marker = parse_marker(line.marker)
    targets = [target for target in place.asked.targets if target.admits(marker)]
    found = place.found(line.name)
    if not found and _is_direct(place, line.name):
        return None
    counting = [item for item in found if any(target.admits(item.marker) for target in targets)]
    wrong = [item for item in counting if not item.constraint.allows(version)]
    environments = format_list(dict.fromkeys(target.environment for target in targets))
    if wrong:
        edits = [
            edit
            for item in wrong
            for edit in constraint_edits(place.project, item, line.constraint)
        ]
        return RequirementIssue(
            wrong[0],
            f"{line.name} {wrong[0].written} is not the one that {_name(place)} needs on "
            f"{environments}",
            f'Write "{line.constraint}"',
            tuple(edits),
        )
    if all(any(target.admits(item.marker) for item in found) for target in targets):
        return None
    message = (
        f"on {environments} {_name(place)} is nothing but a requirement on {line.name}, which a "
        "lock for several platforms gets only if pyproject.toml asks for it"
    )
    if found:
        remedy = f"Let the marker of {line.name} hold there: {line.marker}"
        return RequirementIssue(found[0], message, remedy, ())
    return RequirementIssue(place.item, message, add_text([line]), _added(place, [line]))


def _filesystem_need(place: _Place) -> RequirementIssue | None:
    asked, release = place.asked, place.release
    wanted = [line for line in place.lines if line.name == FILESYSTEM]
    found = place.found(FILESYSTEM)
    own = is_ours(found)
    if asked.filesystem.is_empty():
        if not own:
            return None
        return RequirementIssue(
            found[0],
            f"{_name(place)} doesn't need {FILESYSTEM} any more",
            f"Remove {_quoted(_told(found))}",
            removed_edits(place.project, found),
        )
    if not found and (not wanted or _is_direct(place, FILESYSTEM)):
        return None
    lacking = [
        target
        for target in asked.targets
        if target.admits(asked.filesystem) or any(target.admits(item.marker) for item in found)
        if not _gets_wheel(target, found, release)
    ]
    if not lacking or not (wanted or own):
        return None
    where = format_list(dict.fromkeys(target.environment for target in lacking))
    pythons = sorted({target.python for target in lacking}, key=numbers)
    every = {target.python for target in asked.targets}
    with_python = "" if {*pythons} == every else f" with Python {format_list(pythons)}"
    message = (
        f"of {FILESYSTEM}, which {_name(place)} needs, the version that gets locked has no wheel "
        f"on {where}{with_python}"
    )
    if not found:
        return RequirementIssue(place.item, message, add_text(wanted), _added(place, wanted))
    if not own:
        return RequirementIssue(found[0], message, f"Write {_quoted(_texts(wanted))} instead", ())
    # Ours, for another release or other Pythons.
    remedy = f"Write {_quoted(_texts(wanted))} instead" if wanted else "Remove it"
    return RequirementIssue(found[0], message, remedy, _replaced(place, found, wanted))


def _gets_wheel(target: Target, found: Sequence[Requirement], release: Release) -> bool:
    """Whether the version that a solver takes for a target, which is the newest, has a wheel."""
    admitted = admitted_in(target, found, versions_for(release))
    return bool(admitted) and has_wheel(admitted[-1], release, target)


def redundant_requirements(project: Project, plan: Plan) -> Iterator[RequirementIssue]:
    """Lines for a shim where TensorFlow's own wheel is a real one: both would be installed."""
    items = [
        item
        for item in project.pyproject.requirements
        if role(item.name) == "shim" and not item.marker.is_any()
    ]
    places = list(_places(project, plan)) if items else []
    for item in items:
        for place in places:
            if not is_installed_with(project, item, place.item):
                continue
            clash = _clash(place, item)
            if clash:
                yield RequirementIssue(
                    item,
                    f"on {format_list(clash)} {_name(place)} needs no {item.name} any more, and "
                    "both "
                    "hold the same files",
                    f"Remove {item.name}",
                    removed_edits(project, [item]) if _is_our_marker(place, item, clash) else (),
                )
                break


def _clash(place: _Place, item: Requirement) -> tuple[str, ...]:
    """The environments in which a shim's line counts beside a real wheel; none if it is of use."""
    clash: dict[str, None] = {}
    for name, wheels in place.release.wheels.items():
        minors = admitted_minors(place.release.pythons_on(name), place.asked.python)
        for target in (Target(name, minor) for minor in minors):
            if target.admits(item.marker) and target.admits(place.asked.where):
                if shim_for(place.release, name) == item.name:
                    return ()
                if wheels.kind == "real":
                    clash[name] = None
    return tuple(clash)


def _is_our_marker(place: _Place, item: Requirement, environments: Sequence[str]) -> bool:
    """Whether a line has the marker that this module gives it."""
    for name in environments:
        marker = parse_marker(ENVIRONMENTS[name].marker)
        if item.marker in (marker, marker.intersect(place.asked.where)):
            return True
    return False


# -- the lock -------------------------------------------------------------------------------


def unlocked_requirements(project: Project, plan: Plan) -> Iterator[tuple[Requirement, str]]:
    """Lines that pyproject.toml has and a lock made from it lacks: the main one, and which."""
    lock = project.valid_lock
    if lock is None:
        return
    for place in _places(project, plan):
        for name in dict.fromkeys(line.name for line in place.lines):
            versions = [to_poetry_version(version) for version in lock.versions.get(name, ())]
            for item in place.found(name):
                if not any(target.admits(item.marker) for target in place.asked.targets):
                    continue
                if name == FILESYSTEM:
                    is_there = any(map(item.constraint.allows, versions))
                else:
                    is_there = to_poetry_version(place.release.version) in versions
                if not is_there:
                    yield place.item, name
                    break


# -- words and edits ------------------------------------------------------------------------


def _name(place: _Place) -> str:
    return f"{place.item.name} {place.release.version}"


def add_text(lines: Sequence[MarkedRequirement]) -> str:
    return f"Add {_quoted(_texts(lines))}"


def _texts(lines: Sequence[MarkedRequirement]) -> list[str]:
    return [f"{line.name} ({line.constraint}) ; {line.marker}".rstrip(" ;") for line in lines]


def _told(items: Sequence[Requirement]) -> list[str]:
    return [f"{item.name} {item.written}" for item in items]


def _added(place: _Place, lines: Sequence[MarkedRequirement]) -> tuple[Edit, ...]:
    return added_edits(
        place.project,
        place.item,
        lines[0].name,
        [(line.constraint, line.marker) for line in lines],
    )


def _replaced(
    place: _Place, found: Sequence[Requirement], lines: Sequence[MarkedRequirement]
) -> tuple[Edit, ...]:
    removed = removed_edits(place.project, found)
    if not lines:
        return removed
    # What is removed from a list moves what follows it, the requirement on TensorFlow maybe.
    after = apply(place.project, removed)
    item = next(
        item
        for item in after.pyproject.requirements
        if item.name == place.item.name and same_list(after, item, place.item)
    )
    return (*removed, *_added(replace(place, project=after, items=(item,)), lines))


def _is_direct(place: _Place, name: NormalizedName) -> bool:
    """Whether the project takes a distribution from a path, URL or repository of its own."""
    return name in names_beside(place.project, place.item)


def _quoted(texts: Iterable[str]) -> str:
    return " and ".join(f"'{text}'" for text in texts)
