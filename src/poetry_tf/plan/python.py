"""Python minors: ranges of them, and those that a release, an image and a project all admit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from poetry.core.constraints.version import (
    EmptyConstraint,
    VersionConstraint,
    VersionRange,
    VersionUnion,
    parse_constraint,
)
from poetry.core.packages.utils.utils import get_python_constraint_from_marker
from poetry.core.version.markers import BaseMarker

from poetry_tf.files.project import Project
from poetry_tf.plan.environments import next_minor, required_environments
from poetry_tf.plan.model import CONTAINER_PLATFORM, GpuModeError, NoContainerError, PlanError
from poetry_tf.plan.requirement import lower_bound
from poetry_tf.plan.settings import GpuChoice
from poetry_tf.releases import Release
from poetry_tf.releases.images import Images
from poetry_tf.releases.model import numbers
from poetry_tf.text import format_list


def python_range(minors: Iterable[str]) -> VersionConstraint:
    """The constraint that admits exactly these Python minors, given in ascending order."""
    # One range for each run: ranges that only touch would have a gap between them, because "<3.10"
    # excludes the prereleases of 3.10.
    result: VersionConstraint = EmptyConstraint()
    for run in consecutive_runs(minors):
        result = result.union(parse_constraint(f">={run[0]},<{next_minor(run[-1])}"))
    return result


def consecutive_runs(minors: Iterable[str]) -> list[list[str]]:
    """Python minors, ascending, split into runs without a gap."""
    found: list[list[str]] = []
    for minor in minors:
        if found and next_minor(found[-1][-1]) == minor:
            found[-1].append(minor)
        else:
            found.append([minor])
    return found


def format_python_range(python: VersionConstraint | None) -> str:
    """A range of Pythons as text: "3.14" rather than ">=3.14,<3.15"."""
    if python is None:
        return "at all"
    lowest = lower_bound(python)
    if lowest is not None and lowest.minor is not None:
        minor = f"{lowest.major}.{lowest.minor}"
        if python_range([minor]) == python:
            return minor
    return str(python)


def admitted_minors(minors: Iterable[str], python: VersionConstraint | None) -> tuple[str, ...]:
    """The Python minors with a version that a range admits; None is no range."""
    if python is None:
        return tuple(minors)
    return tuple(minor for minor in minors if python.allows_any(python_range([minor])))


def project_pythons(project: Project) -> VersionConstraint:
    """The Pythons that a project admits; all of them where it declares none."""
    declared = project.pyproject.python
    return declared.constraint if declared else VersionRange()


def marker_pythons(marker: BaseMarker) -> VersionConstraint:
    """The Pythons for which a marker holds in some environment."""
    # Parsed again from its text: otherwise "<3.12" admits the prereleases of 3.12, which a
    # constraint with that text does not.
    return parse_constraint(str(get_python_constraint_from_marker(marker)))


def narrowed_range(python: VersionConstraint | None, minors: Iterable[str]) -> str:
    """The widest range within `python` that admits none but these minors, as a specifier.

    Where the minors have a gap the part below it is dropped, because not every tool reads a union
    in requires-python.
    """
    whole = python_range(consecutive_runs(admitted_minors(minors, python))[-1])
    result = whole if python is None else python.intersect(whole)
    text = str(result)
    if isinstance(result, VersionUnion) and "||" in text:
        text = _last_piece(result)
    return text.replace(" ", "")


def _last_piece(union: VersionUnion) -> str:
    """The last range of a union, with the ranges before it that are at most one version apart.

    They touch it ("<3.10", ">=3.10"), or a single excluded version is between them, which
    poetry-core up to Poetry 2.4 writes as a union as well.
    """
    *before, last = union.ranges
    excluded: list[str] = []
    for item in reversed(before):
        if item.max is None or last.min is None or item.max.stable != last.min:
            break
        if not (item.include_max or last.include_min):
            if item.max != last.min:
                break
            excluded.insert(0, f"!={last.min}")
        last = VersionRange(item.min, last.max, item.include_min, last.include_max)
    first, *rest = str(last).split(",")
    return ",".join([first, *excluded, *rest])


def release_pythons(release: Release, environments: Sequence[str] | None = None) -> tuple[str, ...]:
    """The Python minors, ascending, on which a release is usable in every environment.

    `environments` are those that the project declares; None stands for the default ones.
    """
    first, *others = required_environments(release, environments)
    return tuple(
        minor
        for minor in release.usable_on(first)
        if all(minor in release.usable_on(other) for other in others)
    )


def container_pythons(
    release: Release,
    images: Images,
    choice: GpuChoice,
    python: VersionConstraint | None,
    environments: Sequence[str] | None = None,
) -> tuple[str, ...]:
    """The Python minors that the release, the image and the project's range all admit.

    Raises `PlanError`, which says which of the three leaves no Python. Its remedy says what there
    is, but names no command.
    """
    everywhere = release_pythons(release, environments)
    wheels = tuple(item for item in release.pythons_on(CONTAINER_PLATFORM) if item in everywhere)
    subject = f"TensorFlow {release.version}"
    if not wheels:
        names = required_environments(release, environments)
        lacks = [item for item in names if not release.usable_on(item)]
        raise PlanError(
            f"{subject} can't be installed on {format_list(lacks or names)}",
            "Use another series, or declare fewer environments in [tool.poetry-tf].",
        )
    if choice == "pip" and release.and_cuda is not None:
        wheels = tuple(minor for minor in wheels if minor in release.and_cuda.pythons)
        subject = f"The and-cuda extra of TensorFlow {release.version}"
    admits = admitted_minors(wheels, python)
    if not wheels:
        raise GpuModeError(f"{subject} can't be installed", 'Use gpu = "system" or "auto".')
    in_images = [minor for minor in wheels if minor in images.pythons]
    has = f"It has wheels for Python {format_list(wheels)}"
    if in_images and len(in_images) < len(wheels):
        has += f"; a dev container can have {format_list(in_images)}"
    if not admits:
        raise PlanError(
            f"{subject} has no wheel for Python {format_python_range(python)}", f"{has}."
        )
    usable = tuple(minor for minor in admits if minor in images.pythons)
    if not usable:
        first, last = images.pythons[0], images.pythons[-1]
        raise NoContainerError(
            f"No dev container can be made for Python {format_list(admits)}: "
            + (
                f"the newest image that this poetry-tf knows has Python {last}"
                if numbers(admits[0]) > numbers(last)
                else "the images that still work, and the Poetry that can lock a project, begin at "
                f"Python {first}"
            ),
            f"{has}.",
        )
    return usable
