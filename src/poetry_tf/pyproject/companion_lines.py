"""The lines of a companion: one for each TensorFlow that it is installed with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from packaging.version import Version
from poetry.core.version.markers import parse_marker

from poetry_tf.files.edits import Edit, apply
from poetry_tf.files.project import Project
from poetry_tf.files.requirements import Requirement
from poetry_tf.plan.companions import later_misfits, usable_companions
from poetry_tf.plan.requirement import to_poetry_version
from poetry_tf.pyproject.beside import every_target, joint_marker, pairings
from poetry_tf.pyproject.pins import companion_pin_edits, companion_pin_text
from poetry_tf.pyproject.requirement_edits import (
    MarkedRequirement,
    add_edits,
    constraint_edits,
    group,
    marker_edits,
)
from poetry_tf.releases import Companion, Release


@dataclass(frozen=True)
class CompanionLine:
    """A release of a companion for a TensorFlow, and where that is installed."""

    companion: Companion
    marker: str
    """Empty for everywhere."""

    @property
    def version(self) -> Version:
        return self.companion.version

    def required(self, item: Requirement) -> MarkedRequirement:
        """The line, in the style of a requirement."""
        misfits = later_misfits(item.name, self.version)
        pin = companion_pin_text(item, self.version, misfits)
        return MarkedRequirement(item.name, pin, self.marker)


def companion_lines(
    project: Project,
    item: Requirement,
    release: Release,
    pythons: Sequence[str],
    *,
    as_required: bool = True,
) -> tuple[CompanionLine, ...]:
    """What a requirement on a companion has to become, for each TensorFlow beside it.

    `release` is the one that is planned for, and counts where no requirement on TensorFlow is
    beside it. With `as_required` only releases count that the requirement admits. Empty where one
    of the TensorFlows has none, or where the lines would not hold apart or leave something out.
    """
    pairs = [*pairings(project, release, [item])]
    lines: list[CompanionLine] = []
    for here in group(pairs, lambda one, other: one.release.series == other.release.series):
        fit = _newest_fit(item, here[0].release, pythons, as_required=as_required)
        if fit is None:
            return ()
        marker = joint_marker(project, (pair.cause for pair in here))[1]
        lines.append(CompanionLine(fit, marker))
    if not pairs:
        fit = _newest_fit(item, release, pythons, as_required=as_required)
        return (CompanionLine(fit, ""),) if fit is not None else ()
    if len({line.version for line in lines}) == 1:
        return (CompanionLine(lines[0].companion, ""),)
    markers = [parse_marker(line.marker) for line in lines]
    counts = [
        sum(target.admits(marker) for marker in markers)
        for target in every_target(project)
        if target.admits(item.marker)
    ]
    return tuple(lines) if {*counts} == {1} else ()


def _newest_fit(
    item: Requirement, release: Release, pythons: Sequence[str], *, as_required: bool
) -> Companion | None:
    fitting = [
        one
        for one in usable_companions(item.name, release, pythons)
        if not as_required or item.constraint.allows(to_poetry_version(one.version))
    ]
    return fitting[-1] if fitting else None


def companion_line_edits(
    project: Project, item: Requirement, lines: Sequence[CompanionLine]
) -> tuple[Edit, ...]:
    """The edits that write the lines in place of a requirement."""
    if len(lines) == 1:
        return companion_pin_edits(project, item, lines[0].version)
    first, *others = (line.required(item) for line in lines)
    pinned = constraint_edits(project, item, first.constraint)
    project = apply(project, pinned)
    marked = marker_edits(project, _at(project, item), first.marker)
    if not marked:
        return ()
    project = apply(project, marked)
    return (*pinned, *marked, *add_edits(project, _at(project, item), others))


def _at(project: Project, item: Requirement) -> Requirement:
    return next(one for one in project.pyproject.requirements if one.path == item.path)
