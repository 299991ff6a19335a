"""Adds the requirements that ``poetry add tensorflow`` needs besides TensorFlow.

Poetry writes one requirement. Others belong to it where a platform's wheel of TensorFlow redirects
to another distribution, where a requirement of TensorFlow has no wheel, and where CUDA comes from
wheels. ``poetry tf check`` finds the same and fixes it by the same edits.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit
from packaging.utils import NormalizedName
from poetry.core.constraints.version import parse_constraint

from poetry_tf.checks.findings import Finding, find_problems, locked_release, make_context
from poetry_tf.files.edits import Edit, apply, apply_until_stable
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.lock import Lock
from poetry_tf.files.project import LOCK, Project
from poetry_tf.files.pyproject import Pyproject
from poetry_tf.files.requirements import Requirement
from poetry_tf.files.snapshot import FileState
from poetry_tf.files.toml import parse_toml
from poetry_tf.hooks.guards import command_error
from poetry_tf.plan.companions import (
    fitting_companions,
    has_wheels,
    later_misfits,
    next_series_with,
    series_with,
    usable_companions,
)
from poetry_tf.plan.environments import marker_without, required_environments
from poetry_tf.plan.installability import LockedPackages
from poetry_tf.plan.main_line import admitted_locked_tensorflow, main_requirement
from poetry_tf.plan.model import CONTAINER_PLATFORM, TF_KERAS, Plan
from poetry_tf.plan.requirement import to_poetry_version
from poetry_tf.plan.settings import read_settings
from poetry_tf.poetry_internals import MOVED, patches, reads
from poetry_tf.poetry_internals.notices import write_notice
from poetry_tf.pyproject.bounds import outdated_bound_edits
from poetry_tf.pyproject.companion_lines import companion_line_edits, companion_lines
from poetry_tf.pyproject.pins import companion_tilde
from poetry_tf.pyproject.requirement_edits import marker_edits
from poetry_tf.releases.breaking import ended, keras_major
from poetry_tf.releases.companions import bounds_on
from poetry_tf.releases.images import load_images
from poetry_tf.releases.model import numbers
from poetry_tf.text import escape_markup, format_list

if TYPE_CHECKING:
    from cleo.io.io import IO
    from poetry.poetry import Poetry
    from poetry.puzzle.exceptions import SolverProblemError

    from poetry_tf.hooks.candidates import ReleaseDemand
    from poetry_tf.releases import Companion, Release

# A superfluous platform line, a bound, Keras 2, a missing platform line, CUDA's wheels.
CODES = {"TF104", "TF107", "TF109", "TF305", "TF503"}
# More edits than any project needs.
_ROUNDS = 50


def complete_requirements(
    poetry: Poetry, io: IO, content: Any, pins: Mapping[NormalizedName, str]
) -> None:
    """Completes the content of pyproject.toml that ``add`` is about to lock and write.

    `pins` are the constraints of `companion_pin` that are in it.
    """
    path = poetry.pyproject_path
    try:
        given = before = project_with(poetry, content)
        old = Project.read(path.parent)
        fitted = [edit for item in _pinned(before, pins) for edit in _fit(before, item)]
        fitting = before = apply(before, fitted)
        limits = [edit for item in _pinned(before, pins) for edit in _limit(before, item, io)]
        before = apply(before, limits)
        outdated = outdated_bound_edits(old, before)
        after, more = completed(apply(before, outdated))
    except ProjectError:
        return  # Poetry reports the error
    edits = (*fitted, *limits, *outdated, *more)
    if not edits:
        return
    for edit in edits:
        apply_edit(content, edit)
    patches.reload_requirements(poetry, content)
    _tell_changes(io, given, fitting)
    _tell_changes(io, before, after)


def complete_by_lock(
    poetry: Poetry, io: IO, content: Any, transaction: Any, solve: Callable[[], Any]
) -> Any:
    """The transaction for the content of pyproject.toml, completed by what only its lock shows.

    What `check` finds in the project as it is stays. `solve` returns the transaction for the
    requirements that the project's package has by then; where it fails, nothing is completed.
    """
    from poetry.puzzle.exceptions import SolverProblemError

    root = poetry.pyproject_path.parent
    lock = Lock.read(root / LOCK, reads.lock_text(poetry.package, transaction, content))
    before = replace(project_with(poetry, content), lock=lock)
    if not completed(before)[1]:
        return transaction
    known = {item.message for item in find_problems(make_context(Project.read(root)))}
    after, edits = completed(before, known)
    if not edits:
        return transaction
    patches.reload_requirements(poetry, tomlkit.parse(after.pyproject.document.text))
    try:
        found = solve()
    except (SolverProblemError, *MOVED):
        patches.reload_requirements(poetry, content)
        return transaction
    for edit in edits:
        apply_edit(content, edit)
    poetry.locker.set_pyproject_data(content)
    _tell_changes(io, before, after)
    return found


def _tell_changes(io: IO, before: Project, after: Project) -> None:
    """Reports the requirements that were added and removed."""
    lost, gained = _changed_texts(before, after), _changed_texts(after, before)
    for name, texts in gained.items():
        instead = lost.pop(name, None)
        place = f" instead of {', '.join(instead)}" if instead else ""
        what = f"added {', '.join(texts)} to pyproject.toml{place}"
        write_notice(io, f"poetry-tf: {escape_markup(what)}")
    for texts in lost.values():
        what = f"removed {', '.join(texts)} from pyproject.toml, as no longer needed"
        write_notice(io, f"poetry-tf: {escape_markup(what)}")


def _changed_texts(project: Project, other: Project) -> dict[NormalizedName, list[str]]:
    """The requirements of a project that another does not have, by distribution."""
    there = set(map(_format_requirement, other.pyproject.requirements))
    found: dict[NormalizedName, list[str]] = {}
    for item in project.pyproject.requirements:
        if (text := _format_requirement(item)) not in there:
            found.setdefault(item.name, []).append(text)
    return found


def project_with(poetry: Poetry, content: Any) -> Project:
    """The project with content of pyproject.toml that is not on disk; Poetry itself writes it."""
    path = poetry.pyproject_path
    pyproject = Pyproject(path, parse_toml(path, content.as_string()))
    return Project.reading(path.parent, pyproject, FileState.of(path))


def _pinned(project: Project, pins: Mapping[NormalizedName, str]) -> Iterator[Requirement]:
    for item in project.pyproject.requirements:
        if item.name in pins and item.constraint == parse_constraint(pins[item.name]):
            yield item


def _fit(project: Project, item: Requirement) -> tuple[Edit, ...]:
    """The edits that make the requirement on a companion fit each TensorFlow beside it."""
    plan = make_context(project).plan
    release = _release(project, plan)
    if release is None:
        return ()
    pythons = plan.pythons if plan else ()
    lines = companion_lines(project, item, release, pythons, as_required=False)
    is_pinned = len(lines) == 1 and item.constraint.allows(to_poetry_version(lines[0].version))
    return () if not lines or is_pinned else companion_line_edits(project, item, lines)


def _limit(project: Project, item: Requirement, io: IO) -> Iterator[Edit]:
    """The edits that leave out the environments for which a companion has no wheel."""
    release = _release(project, make_context(project).plan)
    if release is None or not item.marker.is_any():
        return
    fitting = [
        one
        for one in fitting_companions(item.name, release)
        if item.constraint.allows(to_poetry_version(one.version))
    ]
    declared = read_settings(project)[0].environments
    lacking = [
        name
        for name in required_environments(release, declared)
        if all(name in one.lacks(release) for one in fitting)
    ]
    if fitting and lacking:
        edits = marker_edits(project, item, marker_without(lacking))
        if edits:
            what = f"{item.name} {fitting[-1].version} has no wheel for {format_list(lacking)}"
            write_notice(io, f"poetry-tf: {escape_markup(what)}: its marker excludes that")
        yield from edits


def _release(project: Project, plan: Plan | None) -> Release | None:
    """The release of TensorFlow that is locked, else the one that is planned for."""
    locked = admitted_locked_tensorflow(project)
    return locked_release("tensorflow", locked) or (plan.release if plan else None)


def companion_pin(project: Project, name: NormalizedName, *, marked: bool) -> str | None:
    """The constraint that keeps a companion at releases for the project's TensorFlow.

    `marked` is whether it is added for a part of the targets only. None where a solver chooses it,
    or nothing is known. Raises `PoetryRuntimeError` where no release of the companion fits.
    """
    plan = make_context(project).plan
    release = _release(project, plan)
    if release is None or bounds_on(name, release) is not None or not series_with(name):
        return None
    pythons = plan.pythons if plan else ()
    usable = usable_companions(name, release, pythons)
    if usable and (marked or has_wheels(usable[-1], release, pythons)):
        version = usable[-1].version
        return companion_tilde(version, later_misfits(name, version))
    raise command_error(
        f"No release of {name} fits TensorFlow {release.version} here.",
        "\n".join(_why_none_fits(project, name, release, pythons, usable)),
    )


def _why_none_fits(
    project: Project,
    name: NormalizedName,
    release: Release,
    pythons: Sequence[str],
    fitting: Sequence[Companion],
) -> Iterator[str]:
    """Why no release of a companion fits, where that is written, and what helps."""
    if (gone := ended(name, release.series)) is not None:
        yield f"{name}: {gone.why}. {gone.instead}"
        return
    if fitting:
        minors = fitting[-1].pythons_for(release, CONTAINER_PLATFORM)
        yield (
            f"{name} {fitting[-1].version} has wheels for Python {format_list(minors)}, and the "
            f"project is for {format_list(pythons)}."
        )
        yield python_place(project)
        contained = {*load_images().pythons} & {*release.pythons_on(CONTAINER_PLATFORM)}
        if python := next((minor for minor in reversed(minors) if minor in contained), None):
            yield (
                f"With Python {python} it fits: <c1>poetry tf init --python {python}</>, then add "
                "it again."
            )
    else:
        yield f"It has releases for TensorFlow {format_list(series_with(name))}."
        if (item := main_requirement(project)) is not None:
            yield requirement_place(project, item)
        if name == TF_KERAS and keras_major(release) == 2:
            yield f"TensorFlow {release.series} needs none: its tf.keras is Keras 2."
        if numbers(release.series) > numbers(newest := series_with(name)[-1]):
            yield (
                f"{newest} is the newest that has one: <c1>poetry tf upgrade {newest}</> moves "
                "back to it."
            )
    if (series := next_series_with(name, release, pythons)) is not None:
        yield (
            f"TensorFlow {series} has one: <c1>poetry tf upgrade {series}</>, then add it again."
        )


def requirement_place(project: Project, item: Requirement) -> str:
    """Where a requirement is written, and what."""
    line = project.pyproject.position(item.constraint_path).line
    return escape_markup(f"pyproject.toml:{line}: {item.name} {item.written}")


def python_place(project: Project) -> str:
    """Where the project's Pythons are written."""
    line = project.pyproject.position(project.pyproject.python_path).line
    return f"pyproject.toml:{line} admits these Pythons."


def findings_after_adding(root: Path) -> list[Finding]:
    """What the rules on companions and on what is locked find in a project."""
    try:
        problems = find_problems(make_context(Project.read(root)))
    except ProjectError:
        return []  # `check` reports the error
    return [item for item in problems if item.code in {*CODES, "TF105", "TF304"} - {"TF503"}]


def source_builds(
    root: Path,
    demand: ReleaseDemand,
    requested: Collection[NormalizedName],
    locked: Collection[NormalizedName],
) -> Iterator[str]:
    """What was added and has no wheel for a target, and what its installation needs there.

    Of what came with a `requested` distribution, and was not `locked` before, only what has wheels
    for other platforms: what has none at all is often pure Python.
    """
    try:
        project = Project.read(root)
        if (lock := project.valid_lock) is None:
            return
        packages = LockedPackages.of(lock, project.pyproject)
    except ProjectError:
        return  # `check` reports the error
    targets = demand.targets(locked_release("tensorflow", admitted_locked_tensorflow(project)))
    for package in packages.packages:
        is_compiled = any(not tag.endswith("-any") for tag in package.tags)
        is_new = package.name in requested or (is_compiled and package.name not in locked)
        if not (is_new and package.has_source):
            continue
        where = dict.fromkeys(
            target.environment
            for target in targets
            if not package.has_wheel(target, load_images().systems)
            and packages.needs(package, target)
        )
        if where:
            how = "" if is_compiled else ", unless it is pure Python"
            yield (
                f"{package.name} {package.version} has no wheel for {format_list([*where])}: "
                f"installing it there needs a compiler and the libraries that it uses{how}"
            )


def conflict_hint(poetry: Poetry, error: SolverProblemError) -> str | None:
    """A hint at requirements that no longer match TensorFlow, where the solver failed by one."""
    try:
        project = Project.read(poetry.pyproject_path.parent)
        problems = find_problems(make_context(project))
    except ProjectError:
        return None
    involved = {item.name for cause in reads.failure_causes(error) for item in cause}
    for item in problems:
        if item.code in CODES and item.edits and (not involved or item.name in involved):
            return (
                f"A possible cause: {escape_markup(item.message)}. "
                "<c1>poetry tf check --fix</> fixes it and updates the lock file."
            )
    return None


def completed(project: Project, known: Collection[str] = ()) -> tuple[Project, list[Edit]]:
    """The project with fixed requirements around TensorFlow, and the edits that fix them.

    The findings with `known` messages are left.
    """

    def complete_one(state: tuple[Project, list[Edit]]) -> tuple[Project, list[Edit]] | None:
        project, made = state
        for finding in find_problems(make_context(project)):
            edits = [edit for edit in finding.edits if edit.file == project.pyproject.path]
            if finding.code not in CODES or finding.message in known or not edits:
                continue
            if (after := apply(project, edits)) != project:
                return after, [*made, *edits]
        return None

    none: list[Edit] = []
    return apply_until_stable((project, none), complete_one, _ROUNDS)


def apply_edit(content: Any, edit: Edit) -> None:
    """Applies an edit to the tomlkit document that Poetry uses and writes."""
    *parents, last = edit.path
    parent = content
    for key in parents:
        parent = parent[key]
    if edit.action == "append":
        parent[last].append(_toml_item(edit.value))
    elif edit.action == "remove":
        del parent[last]
    else:
        parent[last] = _toml_item(edit.value)


def _toml_item(value: Any) -> Any:
    """The tomlkit item of a value, with the entries of a list on one line each."""
    if isinstance(value, dict):
        table = tomlkit.inline_table()
        table.update(value)
        return table
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        array = tomlkit.array()
        array.extend(map(_toml_item, value))
        return array.multiline(True)
    return tomlkit.item(value)


def _format_requirement(item: Requirement) -> str:
    extras = f"[{','.join(sorted(item.extras))}]" if item.extras else ""
    marker = "" if item.marker.is_any() else f" ; {item.marker}"
    return f"{item.name}{extras} ({item.written}){marker}"
