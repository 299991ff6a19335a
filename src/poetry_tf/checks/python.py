"""TF2xx: whether TensorFlow has wheels for the Pythons that the project admits."""

from __future__ import annotations

from collections.abc import Iterator

from poetry.core.constraints.version import VersionConstraint, parse_constraint
from poetry.core.version.markers import parse_marker

from poetry_tf.checks.findings import Context, Finding, rule
from poetry_tf.files.edits import Edit
from poetry_tf.files.pyproject import PythonRange
from poetry_tf.plan.alternatives import default_alternative
from poetry_tf.plan.environments import MINORS, make_targets, next_minor
from poetry_tf.plan.lines import Line
from poetry_tf.plan.python import (
    admitted_minors,
    consecutive_runs,
    format_python_range,
    narrowed_range,
    python_range,
    release_pythons,
)
from poetry_tf.plan.requirement import lower_bound, to_poetry_version
from poetry_tf.pyproject.requirement_edits import marker_edits
from poetry_tf.releases import load, role, whole
from poetry_tf.releases.model import numbers
from poetry_tf.text import format_list


@rule("TF201", fixable=True)
def python_without_wheel(context: Context) -> Iterator[Finding]:
    """The project admits a Python that TensorFlow has no wheel for.

    TensorFlow's own Requires-Python has no upper bound, so Poetry locks it for Pythons that no
    wheel fits, and the installation fails there. The project's range has to end where the wheels
    end. A single version (`3.11`, which means 3.11.0) admits a Python that no container has.

    `--fix` cuts the range to the Pythons for which an admitted release has wheels, and keeps its
    lower bound where that has one. Where TensorFlow is in an extra or an optional group, or another
    requirement serves the other Pythons, the requirement gets a marker instead.
    """
    lines = _judged(context)
    declared = context.project.pyproject.python
    if declared is not None and declared.is_exact:
        if lines:
            yield _exact_version(context, declared)
        return
    default = default_alternative(context.project.pyproject)
    for line in lines:
        lacking = _lacking(line)
        if lacking.is_empty() or not admitted_minors(line.pythons, line.python):
            continue
        others = [
            one
            for one in _lines(context)
            if one.item != line.item and default.installs(one.item) and _may_serve(one, lacking)
        ]
        if default.installs(line.item) and not others:
            yield _range_finding(context, line)
            return
        yield _line_finding(context, line)


@rule("TF202")
def no_python_fits(context: Context) -> Iterator[Finding]:
    """TensorFlow has no wheel for any Python that the project admits.

    Locking succeeds all the same, because TensorFlow's metadata doesn't say so; the installation
    then fails everywhere. Choose another Python or another series: `poetry tf releases` shows which
    go together. Each of several requirements is checked for the Pythons that it is for.
    """
    lines = _judged(context)
    pyproject = context.project.pyproject
    for line in lines:
        if not admitted_minors(line.pythons, line.python):
            place = line.item.path if len(lines) > 1 else pyproject.python_path
            pythons = ", ".join(_pythons_with_wheels(line))
            yield Finding(
                *context.at(place),
                f"TensorFlow {_named(line)} has no wheel for Python "
                f"{format_python_range(line.python)}",
                f"It has wheels for Python {pythons}: use one of these, or another series of "
                "TensorFlow"
                if pythons
                else f"It has no wheel for {format_list(line.environments)} at all: use another "
                "series of TensorFlow, or declare fewer environments in [tool.poetry-tf]",
            )


def _judged(context: Context) -> tuple[Line, ...]:
    """The requirements on TensorFlow whose Pythons are known and that count for any.

    Those on the distribution that TensorFlow hands over to on a platform are judged with it. One
    that is too wide is judged by the series that TF101 narrows it to, if it can.
    """
    lines = _lines(context)
    mains = [line for line in lines if role(line.item.name) != "shim"]
    return tuple(
        line
        for line in lines
        if line.admitted and line.environments and not line.python.is_empty()
        if not _admits_unknown(line)
        if role(line.item.name) != "shim" or not any(_is_beside(line, main) for main in mains)
    )


def _lines(context: Context) -> tuple[Line, ...]:
    narrowed = context.narrowed
    return tuple(
        line.in_series(release.series) if (release := narrowed.get(line.item.path)) else line
        for line in context.lines
    )


def _admits_unknown(line: Line) -> bool:
    """Whether it admits older releases, whose wheels the data does not have and which may fit."""
    constraint = line.item.constraint
    return (
        not line.is_narrowed
        and any(constraint.allows(to_poetry_version(old)) for old in load(line.item.name).older)
        and any(constraint.allows(to_poetry_version(old)) for old in whole(line.item.name).older)
    )


def _may_serve(line: Line, python: VersionConstraint) -> bool:
    """Whether a requirement has, or may have, a release for some of these Pythons."""
    known = line.python if _admits_unknown(line) else python_range(line.pythons)
    return known.intersect(line.python).allows_any(python)


def _is_beside(line: Line, main: Line) -> bool:
    """Whether a main requirement counts in all places where another does."""
    minors = admitted_minors(MINORS, line.python)
    targets = make_targets(line.environments, minors)
    return all(
        target.admits(main.item.marker) for target in targets if target.admits(line.item.marker)
    )


def _lacking(line: Line) -> VersionConstraint:
    """The Pythons for which a requirement counts and none of its releases has wheels."""
    lacking = line.python
    for run in consecutive_runs(line.pythons):
        # "3.8.*" begins with the prereleases of 3.8.
        lacking = lacking.difference(parse_constraint(f">={run[0]}.dev0,<{next_minor(run[-1])}"))
    return lacking


def _exact_version(context: Context, declared: PythonRange) -> Finding:
    lowest = lower_bound(declared.constraint)
    assert lowest is not None, "a single version is its own bound"
    pin = str(python_range([f"{lowest.major}.{lowest.minor or 0}"]))
    return Finding(
        *context.at(declared.path),
        f"Python {declared.written} means {declared.constraint} and no other patch release",
        f'Write "{pin}"',
        (Edit(context.project.pyproject.path, "set", declared.path, pin),),
    )


def _range_finding(context: Context, line: Line) -> Finding:
    """The finding whose fix cuts those Pythons of the project that a requirement doesn't serve."""
    project = context.project.pyproject
    declared = project.python
    what = "the project admits every Python, including those"
    if declared is not None:
        what = f"Python {declared.written} admits Pythons"
    own = declared.constraint if declared else None
    lacking = _lacking(line)
    minors = [
        minor
        for minor in admitted_minors(MINORS, own)
        if not lacking.allows_any(python_range([minor]))
    ]
    remedy = f"It has wheels for Python {', '.join(line.pythons)}"
    edits: tuple[Edit, ...] = ()
    if len(consecutive_runs(minors)) == 1:
        range_ = narrowed_range(own, minors)
        remedy += f': write "{range_}"'
        edits = (Edit(project.path, "set", project.python_path, range_),)
    return Finding(
        *context.at(project.python_path),
        f"{what} for which TensorFlow {_named(line)} has no wheel",
        remedy,
        edits,
    )


def _line_finding(context: Context, line: Line) -> Finding:
    """The finding whose fix gives a requirement a marker for the Pythons that it serves."""
    item, served = line.item, admitted_minors(line.pythons, line.python)
    first, end = served[0], next_minor(served[-1])
    lacking = _lacking(line)
    parts = []
    if lacking.allows_any(parse_constraint(f"<{first}")):
        parts.append(f'python_version >= "{first}"')
    if lacking.allows_any(parse_constraint(f">={end}")):
        parts.append(f'python_version < "{end}"')
    marker = " and ".join(parts)
    if not item.marker.is_any():
        marker = str(item.marker.intersect(parse_marker(marker)))
    return Finding(
        *context.at(item.path),
        f"{item.name} {item.written or 'without a version'} counts for Python "
        f"{format_python_range(line.python)}, but TensorFlow {_named(line)} has wheels for Python "
        f"{', '.join(served)} only",
        f"Give it the marker: {marker}",
        marker_edits(context.project, item, marker),
        name=item.name,
    )


def _pythons_with_wheels(line: Line) -> list[str]:
    """The Python minors on which its releases are usable where it counts, whatever its marker."""
    minors = {
        minor for release in line.admitted for minor in release_pythons(release, line.environments)
    }
    return sorted(minors, key=numbers)


def _named(line: Line) -> str:
    first, last = line.admitted[0], line.admitted[-1]
    return str(last.version) if first is last else f"{first.version} to {last.version}"
