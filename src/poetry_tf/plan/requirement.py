"""The requirements on TensorFlow in a project, and the versions that they and its lock name."""

from __future__ import annotations

from collections.abc import Mapping

from packaging.utils import canonicalize_name
from packaging.version import Version
from poetry.core.constraints.version import (
    EmptyConstraint,
    VersionConstraint,
    VersionRangeConstraint,
    parse_constraint,
)
from poetry.core.constraints.version import Version as PoetryVersion

from poetry_tf.files.project import Project
from poetry_tf.files.requirements import Requirement
from poetry_tf.releases import DISTRIBUTIONS, Catalog, Release, load, named, role


def tensorflow_requirements(project: Project) -> tuple[Requirement, ...]:
    """Every requirement on TensorFlow itself, whichever of its distributions it names."""
    names = tensorflow_distributions()
    return tuple(item for item in project.pyproject.requirements if item.name in names)


def tensorflow_distributions() -> frozenset[str]:
    """The distributions that are TensorFlow and have its version numbers (nightlies don't)."""
    return named("main", "retired", "shim", "vendor")


def requires_cuda_wheels(project: Project) -> bool:
    """Whether a requirement on TensorFlow has the ``and-cuda`` extra."""
    return any("and-cuda" in item.extras for item in tensorflow_requirements(project))


def main_requirement(project: Project) -> Requirement | None:
    """The requirement the plan goes by: ``tensorflow`` before its variants, main before groups."""
    ranked = sorted(
        tensorflow_requirements(project),
        key=lambda item: (
            item.name != "tensorflow",
            item.optional,
            item.group != "main",
            not item.marker.is_any(),
        ),
    )
    return ranked[0] if ranked else None


def required_catalog(project: Project, catalog: Catalog) -> Catalog:
    """The releases of the distribution that a project requires; `catalog` are tensorflow's own.

    The same version of tensorflow-cpu has wheels for other platforms.
    """
    main = main_requirement(project)
    if main is None:
        lock = project.valid_lock
        names = [name for name in (lock.versions if lock else ()) if role(name) == "main"]
    else:
        names = [main.name] if role(main.name) == "main" else []
    is_known = len(names) == 1 and names[0] in DISTRIBUTIONS
    return load(names[0]) if is_known and names[0] != "tensorflow" else catalog


def joint_constraint(project: Project) -> VersionConstraint | None:
    """What all requirements on TensorFlow together admit, as far as they agree.

    Lines for different platforms are about one TensorFlow: where one of them is narrower, that is
    the one to go by. A line that contradicts those before it is left out.
    """
    main = main_requirement(project)
    if main is None:
        return None
    constraint = main.constraint
    for item in tensorflow_requirements(project):
        both = constraint.intersect(item.constraint)
        if role(item.name) != "retired" and not both.is_empty():
            constraint = both
    return constraint


def locked_tensorflow(project: Project) -> Version | None:
    """The locked version of TensorFlow, the newest if markers lock several."""
    if (lock := project.valid_lock) is None:
        return None
    for name in sorted(tensorflow_distributions(), key=lambda name: (name != "tensorflow", name)):
        if versions := lock.versions.get(canonicalize_name(name)):
            return max(versions)
    return None


def admitted_locked_tensorflow(project: Project) -> Version | None:
    """The locked version that a project is judged by.

    None where no requirement admits it: the pin was moved since, and the lock follows the pin.
    """
    locked, items = locked_tensorflow(project), tensorflow_requirements(project)
    if locked is None or not items:
        return locked
    # A platform's own distribution follows the others, and may be a line that was left behind.
    items = tuple(item for item in items if role(item.name) != "shim") or items
    version = to_poetry_version(locked)
    return locked if any(item.constraint.allows(version) for item in items) else None


def primary_distributions(versions: Mapping[str, Version]) -> dict[str, Version]:
    """Those of TensorFlow's distributions that speak for the rest.

    The ones that serve one platform go along with the others, and are told of only where there is
    no other.
    """
    names = versions.keys() & tensorflow_distributions()
    own = {name for name in names if role(name) != "shim"}
    return {name: versions[name] for name in sorted(own or names)}


def constraint_series(constraint: VersionConstraint) -> str | None:
    """The one minor series ("2.13") that a constraint stays within; None where it doesn't.

    Judged by meaning: ``~2.13``, ``2.13.*``, ``>=2.13,<2.14`` and ``==2.13.1`` are all in 2.13.
    A range that ends below the next minor's first release candidate or below its final release
    counts alike, since both spellings are in use.
    """
    lowest = lower_bound(constraint)
    if lowest is None or lowest.minor is None:
        return None
    major, minor = lowest.major, lowest.minor
    # poetry-core's "<2.14" leaves out 2.14's prereleases too, "<2.14.0rc0" only from that one on.
    whole = parse_constraint(f">={major}.{minor}.dev0,<{major}.{minor + 1}.0rc0")
    return f"{major}.{minor}" if whole.allows_all(constraint) else None


def lower_bound(constraint: VersionConstraint) -> PoetryVersion | None:
    """The lowest version that a constraint names, None where it is open downwards."""
    if isinstance(constraint, EmptyConstraint):
        return None
    if isinstance(constraint, VersionRangeConstraint):
        return constraint.min
    ranges = getattr(constraint, "ranges", None)  # a union, in ascending order
    return lower_bound(ranges[0]) if ranges else None


def to_poetry_version(version: Version) -> PoetryVersion:
    """The same version as poetry-core's constraints take it."""
    return PoetryVersion.parse(str(version))


def admitted_releases(catalog: Catalog, constraint: VersionConstraint) -> tuple[Release, ...]:
    """The known releases that a constraint admits, ascending; where there is none, the inferred
    one at which it begins."""
    known = tuple(
        release
        for release in catalog.releases
        if constraint.allows(to_poetry_version(release.version))
    )
    lowest = lower_bound(constraint)
    if known or lowest is None:
        return known
    first = lowest if constraint.allows(lowest) else lowest.next_patch()
    release = catalog.get(first.text) if constraint.allows(first) else None
    return (release,) if release is not None else ()
