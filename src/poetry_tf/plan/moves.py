"""Where each line of a project goes when the project moves to another release of TensorFlow.

A line moves by the releases of its own distribution. A distribution that serves one platform gives
way to TensorFlow itself where that has wheels of its own. A line stays where the new series would
leave one of its targets without TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from poetry.core.constraints.version import VersionRange

from poetry_tf.files.project import Project
from poetry_tf.files.requirements import Requirement
from poetry_tf.plan.alternatives import main_alternative
from poetry_tf.plan.environments import (
    DEFAULT_ENVIRONMENTS,
    ENVIRONMENTS,
    MINORS,
    Target,
    format_targets,
    make_targets,
    required_pythons,
)
from poetry_tf.plan.lines import Line, serves, tensorflow_lines
from poetry_tf.plan.main_line import main_requirement
from poetry_tf.plan.model import PlanError
from poetry_tf.plan.python import admitted_minors
from poetry_tf.plan.requirement import constraint_series, tensorflow_requirements
from poetry_tf.plan.settings import read_settings
from poetry_tf.releases import DISTRIBUTIONS, Release, role, whole
from poetry_tf.releases.model import numbers
from poetry_tf.text import format_list


@dataclass(frozen=True)
class LineMove:
    """The move of one requirement on TensorFlow."""

    item: Requirement
    release: Release | None
    """The release to require, of TensorFlow itself where that takes the place of a distribution for
    one platform; None if the requirement stays as it is."""
    reason: str = ""
    """Why it stays, as a clause."""
    blocks: bool = False
    """Whether the project can't move then: the requirement is for another platform, and installed
    together with the main one."""

    @property
    def is_replaced(self) -> bool:
        """Whether TensorFlow itself takes its place."""
        return (
            self.release is not None
            and role(self.item.name) == "shim"
            and self.release.distribution != self.item.name
        )


def line_moves(project: Project, release: Release) -> tuple[LineMove, ...]:
    """The move of each requirement on TensorFlow to the series of a release."""
    main = main_requirement(project)
    if main is None:
        return ()
    lines = {line.item: line for line in tensorflow_lines(project)}
    main_line = lines.get(main)
    served = served_targets(main_line) if main_line is not None else ()
    # The range of Pythons of the project is cut by these.
    lost = {
        target.python
        for target in served
        if target.environment in release.wheels and not serves(release, target)
    }
    installed = main_alternative(project.pyproject, main)
    # What nobody has declared does not keep a project from an older series.
    declared = read_settings(project)[0].environments
    optional = DEFAULT_ENVIRONMENTS[1:] if declared is None else ()
    pythons = main_line.python if main_line is not None else VersionRange()

    def move(item: Requirement, line: Line | None) -> LineMove:
        if line is None:
            if item.name in DISTRIBUTIONS or item == main:
                return LineMove(item, release)  # from an index of its own
            return LineMove(item, None, f"poetry-tf knows no releases of {item.name}")
        if item == main and item.name == release.distribution:
            left = [
                target
                for target in served
                if target.environment not in optional and not release.usable_on(target.environment)
            ]
            if not left:
                return LineMove(item, release)
            return LineMove(item, None, _reason(line, release, left), blocks=True)
        is_beside = line.python.allows_any(pythons)
        targets = [
            target
            for target in served_targets(line)
            if not (is_beside and target.python in lost)
            and not (target.environment in optional and not release.usable_on(target.environment))
        ]
        if (found := _release_for(line, release, targets)) is not None:
            return LineMove(item, found)
        if constraint_series(item.constraint) == release.series:
            return LineMove(item, release)
        blocks = is_beside and bool(line.environments) and installed.installs(item)
        return LineMove(item, None, _reason(line, release, targets), blocks)

    return tuple(move(item, lines.get(item)) for item in tensorflow_requirements(project))


def staying_lines(project: Project, release: Release) -> tuple[LineMove, ...]:
    """The requirements that a project that has moved to a release keeps in another series."""
    return tuple(
        replace(move, release=None, reason=f"{release.distribution} is in another extra")
        if move.is_replaced
        else move
        for move in line_moves(project, release)
        if move.release is None or move.is_replaced
    )


def served_targets(line: Line) -> tuple[Target, ...]:
    """The targets that a line serves: by what is locked, else by what it admits.

    Where it counts in none of the project's environments, those that its marker admits. Where an
    open range begins before the first Python with wheels, the newest Python of each environment.
    """
    names = line.environments or [*filter(line.counts_in, ENVIRONMENTS)]

    def served(minors: Sequence[str]) -> tuple[Target, ...]:
        return tuple(
            target
            for target in make_targets(names, minors)
            if target.admits(line.item.marker)
            and any(serves(one, target) for one in line.locked or line.admitted)
        )

    if found := served(required_pythons(line.python) or ()):
        return found
    newest = {one.environment: one for one in served(admitted_minors(MINORS, line.python))}
    return tuple(newest.values())


def _release_for(line: Line, release: Release, targets: Sequence[Target]) -> Release | None:
    """The release that serves the targets of a line after a move to `release`."""
    if role(line.item.name) != "shim":
        fits = _same_series(line.item.name, release)
        return next((one for one in fits if _serves_all(one, targets)), None)
    if all(has_files(release, target) for target in targets):
        return release
    own = (
        one
        for one in _same_series(line.item.name, release)
        if all(has_files(one, target) for target in targets)
    )
    return next(own, None)


def _same_series(name: str, release: Release) -> Iterator[Release]:
    """The releases of a distribution in the series of another: its version, then the newest."""
    if name == release.distribution or role(name) == "retired":
        yield release
        name = release.distribution
    catalog = whole(name)
    if (same := catalog.get(release.version)) is not None:
        yield same
    yield from (one for one in reversed(catalog.in_series(release.series)) if not one.yanked)


def _serves_all(release: Release, targets: Sequence[Target]) -> bool:
    return all(serves(release, target) for target in targets)


def has_files(release: Release, target: Target) -> bool:
    """Whether a release itself has TensorFlow's files for a target."""
    wheels = release.wheels.get(target.environment)
    return wheels is not None and wheels.kind == "real" and serves(release, target)


def _reason(line: Line, release: Release, targets: Sequence[Target]) -> str:
    name = line.item.name
    best = next(_same_series(name, release), None)
    if best is None:
        return f"{name} has no release in {release.series}"
    lacking = [target for target in targets if not serves(best, target)] or targets
    minors = sorted({target.python for target in lacking}, key=numbers)
    if all(best.usable_on(target.environment) for target in lacking):
        return f"{name} {best.version} has no wheel for Python {format_list(minors)}"
    return f"{name} {best.version} has no wheel for {format_targets(lacking, targets)}"


def refuse_lost_platforms(project: Project, release: Release) -> None:
    """Raises `PlanError` where a move to a release would leave a platform without TensorFlow."""
    for move in line_moves(project, release):
        if move.blocks:
            pyproject = project.pyproject
            position = pyproject.position(move.item.path)
            place = f"{pyproject.path.name}:{position.line}" if position else pyproject.path.name
            raise PlanError(
                f"{place}: {move.item.name} {move.item.written} can't move to "
                f"{release.series}: {move.reason}",
                "Use another series, or give that requirement a marker that leaves these platforms "
                "out.",
            )
