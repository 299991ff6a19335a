"""What TensorFlow needs beside it on its platforms: missing, wrong and redundant requirements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from poetry.core.version.markers import parse_marker

from poetry_tf.files.edits import Edit, apply
from poetry_tf.files.project import Project
from poetry_tf.files.requirements import Requirement
from poetry_tf.plan.alternatives import alternatives
from poetry_tf.plan.environments import (
    ENVIRONMENTS,
    MINORS,
    Target,
    make_targets,
)
from poetry_tf.plan.lines import tensorflow_lines
from poetry_tf.plan.model import Plan
from poetry_tf.plan.python import admitted_minors
from poetry_tf.plan.requirement import to_poetry_version
from poetry_tf.pyproject.places import Place, places
from poetry_tf.pyproject.platform_lines import (
    FILESYSTEM,
    admitted_in,
    has_wheel,
    is_ours,
    shim_for,
    versions_for,
)
from poetry_tf.pyproject.requirement_edits import (
    MarkedRequirement,
    add_edits,
    constraint_edits,
    remove_edits,
    same_list,
)
from poetry_tf.releases import Release, role
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
    bound: str = ""
    """What the requirement would have to keep to, where it admits nothing of that."""


def missing_requirements(project: Project, plan: Plan) -> Iterator[RequirementIssue]:
    """The requirements beside TensorFlow that are missing or wrong in a project."""
    found = [*places(project, plan)]
    for place in found:
        for line in place.lines:
            if line.name != FILESYSTEM and (issue := _shim_issue(place, line)) is not None:
                yield issue
        is_needed = any(not one.use.filesystem.is_empty() for one in found)
        if (issue := _filesystem_issue(place, is_needed=is_needed)) is not None:
            yield issue


def _shim_issue(place: Place, line: MarkedRequirement) -> RequirementIssue | None:
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
            f"{line.name} {wrong[0].written} is not the version that {place.name} needs on "
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
        f"on {environments} {place.name} only requires {line.name}, which a lock file for several "
        "platforms has only if pyproject.toml requires it"
    )
    if found:
        remedy = f"Change the marker of {line.name} so that it holds there: {line.marker}"
        return RequirementIssue(found[0], message, remedy, ())
    edits = add_edits(place.project, place.item, [line])
    return RequirementIssue(place.item, message, format_addition([line]), edits)


def _filesystem_issue(place: Place, *, is_needed: bool) -> RequirementIssue | None:
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
            f"{place.name} no longer needs {FILESYSTEM}",
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
        f"{place.name} needs {FILESYSTEM}, but the version that Poetry locks has no wheel on "
        f"{where}{with_python}"
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
    found = list(places(project, plan)) if items else []
    for item in items:
        issues = (_redundancy(place, item) for place in found)
        if (issue := next(filter(None, issues), None)) is not None:
            yield issue


def _redundancy(place: Place, item: Requirement) -> RequirementIssue | None:
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
    why = "both hold the same files" if clashes else "which has no files of its own there"
    sep = ": " if clashes else ", "
    is_fixable = is_served and _is_our_marker(place, item, environments)
    return RequirementIssue(
        item,
        f"on {format_list(environments)} {place.name} no longer needs {item.name}{sep}{why}",
        f"Remove {item.name}" if is_served else "Give them markers that exclude each other",
        remove_edits(place.project, [item]) if is_fixable else (),
        "error" if clashes else "warning",
    )


def _shared_targets(place: Place, item: Requirement) -> list[Target]:
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


def _counts_wherever(place: Place, item: Requirement, environments: Iterable[str]) -> bool:
    """Whether TensorFlow's line counts wherever another counts in these environments."""
    targets = make_targets(environments, admitted_minors(MINORS, place.use.python))
    return all(
        one.installs(place.item) and target.admits(place.use.where, one.extras)
        for one in alternatives(place.project.pyproject)
        for target in targets
        if one.counts(item, target)
    )


def _is_our_marker(place: Place, item: Requirement, environments: Sequence[str]) -> bool:
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
    for place in places(project, plan):
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
    place: Place, found: Sequence[Requirement], lines: Sequence[MarkedRequirement]
) -> tuple[Edit, ...]:
    """The edits that replace the requirements that were found by `lines`."""
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
