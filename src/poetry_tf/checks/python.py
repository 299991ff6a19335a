"""TF2xx: whether TensorFlow has wheels for the Pythons that the project admits."""

from __future__ import annotations

from collections.abc import Iterator

from poetry.core.constraints.version import VersionConstraint

from poetry_tf.checks.findings import Context, Finding, rule
from poetry_tf.files.edits import Edit
from poetry_tf.plan.python import (
    admitted_minors,
    format_python_range,
    marker_pythons,
    narrowed_range,
    project_pythons,
    python_range,
    release_pythons,
)
from poetry_tf.plan.requirement import (
    admitted_locked_tensorflow,
    admitted_releases,
    constraint_series,
    lower_bound,
    main_requirement,
    required_catalog,
    to_poetry_version,
)
from poetry_tf.plan.settings import read_settings
from poetry_tf.releases import Release, load
from poetry_tf.releases.model import numbers


@rule("TF201", fixable=True)
def python_without_wheel(context: Context) -> Iterator[Finding]:
    """A Python is admitted for which TensorFlow has no wheel.

    TensorFlow's own Requires-Python has no upper bound, so Poetry locks it for Pythons that no
    wheel fits, and the installation fails there. The project's range has to say where it ends. A
    single version (`3.11`, which means 3.11.0) admits a Python that no container has.

    The range is cut to the Pythons that have wheels, with its lower bound as it is where that has
    one.
    """
    if (judged := _judged(context)) is None:
        return
    python, releases, minors = judged
    project = context.project.pyproject
    declared = project.python
    if declared is not None and declared.is_exact:
        lowest = lower_bound(declared.constraint)
        assert lowest is not None, "a single version is its own bound"
        pin = str(python_range([f"{lowest.major}.{lowest.minor or 0}"]))
        yield Finding(
            *context.at(declared.path),
            f"Python {declared.written} means {declared.constraint} and no other patch release",
            f'Write "{pin}"',
            (Edit(project.path, "set", declared.path, pin),),
        )
        return
    if not admitted_minors(minors, python) or python_range(minors).allows_all(python):
        return
    what = "The project admits every Python, also those"
    if declared is not None:
        what = f"Python {declared.written} admits Pythons"
    range_ = narrowed_range(declared.constraint if declared else None, minors)
    yield Finding(
        *context.at(project.python_path),
        f"{what} for which TensorFlow {_named(releases)} has no wheel",
        f'It has wheels for Python {", ".join(minors)}: write "{range_}"',
        (Edit(project.path, "set", project.python_path, range_),),
    )


@rule("TF202")
def no_python_fits(context: Context) -> Iterator[Finding]:
    """TensorFlow has no wheel for any Python that the project admits.

    The lock succeeds all the same, because TensorFlow's metadata doesn't say so; the installation
    then fails everywhere. Another Python or another series has to be chosen: `poetry tf releases`
    shows which go together.
    """
    if (judged := _judged(context)) is None:
        return
    python, releases, minors = judged
    if not admitted_minors(minors, python):
        yield Finding(
            *context.at(context.project.pyproject.python_path),
            f"TensorFlow {_named(releases)} has no wheel for Python {format_python_range(python)}",
            f"It has wheels for Python {', '.join(minors)}: take one of these, or another series "
            "of TensorFlow",
        )


def _judged(
    context: Context,
) -> tuple[VersionConstraint, tuple[Release, ...], tuple[str, ...]] | None:
    """The Pythons that TensorFlow is required for, the releases in question, and their Pythons.

    The releases are the locked one, else all that the pin admits. None without TensorFlow, or with
    releases that the data does not have.
    """
    item, locked = main_requirement(context.project), admitted_locked_tensorflow(context.project)
    catalog = required_catalog(context.project, load())
    releases: tuple[Release, ...] = ()
    if locked is not None:
        known = catalog.get(locked)
        releases = (known,) if known else ()
    elif item is not None:
        if any(item.constraint.allows(to_poetry_version(old)) for old in catalog.older):
            return None  # the data does not have the wheels of older releases, which may fit
        if context.plan and constraint_series(item.constraint) is None:
            # TF101 narrows a pin that is too wide to the series of the plan.
            releases = (context.plan.release,)
        else:
            releases = admitted_releases(catalog, item.constraint)
    if not releases:
        return None
    python = project_pythons(context.project)
    if item is not None:
        python = python.intersect(marker_pythons(item.marker))
    environments = read_settings(context.project)[0].environments
    minors = {minor for release in releases for minor in release_pythons(release, environments)}
    return python, releases, tuple(sorted(minors, key=numbers))


def _named(releases: tuple[Release, ...]) -> str:
    first, last = releases[0], releases[-1]
    return str(last.version) if first is last else f"{first.version} to {last.version}"
