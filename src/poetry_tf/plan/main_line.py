"""The requirement on TensorFlow by which a project's container is planned."""

from __future__ import annotations

from collections.abc import Sequence

from packaging.utils import canonicalize_name
from packaging.version import Version
from poetry.core.constraints.version import VersionConstraint, VersionRange

from poetry_tf.files.project import Project
from poetry_tf.files.requirements import Requirement
from poetry_tf.plan.alternatives import container_alternative
from poetry_tf.plan.environments import MINORS, Target, holds_in
from poetry_tf.plan.model import CONTAINER_PLATFORM
from poetry_tf.plan.python import admitted_minors, marker_pythons, project_pythons
from poetry_tf.plan.requirement import (
    constraint_series,
    locked_tensorflow,
    tensorflow_requirements,
    to_poetry_version,
)
from poetry_tf.releases import DISTRIBUTIONS, Catalog, load, role
from poetry_tf.releases.model import series_of


def main_requirement(project: Project) -> Requirement | None:
    """The requirement to plan for: one that the container installs, on its newest Python.

    ``tensorflow`` comes before its variants, and main before groups.
    """
    items = tensorflow_requirements(project)
    if len(items) < 2:
        return items[0] if items else None
    installed = container_alternative(project)
    pythons = project_pythons(project)
    minors = admitted_minors(MINORS, pythons) or MINORS

    def rank(item: Requirement) -> tuple[object, ...]:
        newest = next(
            (
                index
                for index, minor in enumerate(reversed(minors))
                if Target(CONTAINER_PLATFORM, minor).admits(item.marker)
            ),
            len(minors),
        )
        return (
            not installed.installs(item),
            newest == len(minors),
            item.name != "tensorflow",
            item.optional,
            item.group != "main",
            newest,
            not item.marker.is_any(),
        )

    return min(items, key=rank)


def main_pythons(project: Project) -> VersionConstraint | None:
    """The Pythons of a project for which the main requirement counts; None for any."""
    declared, main = project.pyproject.python, main_requirement(project)
    own = VersionRange() if main is None else marker_pythons(main.marker)
    if own.is_any():
        return declared.constraint if declared else None
    return project_pythons(project).intersect(own)


def main_environments(project: Project, names: Sequence[str] | None) -> tuple[str, ...] | None:
    """The environments for which the main requirement is planned, of those that are declared.

    Left out are those for which there is a requirement on another distribution, or on another
    series. None where none is declared.
    """
    main = main_requirement(project)
    if names is None or main is None:
        return None if names is None else tuple(names)
    series = constraint_series(main.constraint)
    others = [
        item
        for item in tensorflow_requirements(project)
        if item.name != main.name or constraint_series(item.constraint) != series
    ]
    found = tuple(
        name
        for name in names
        if holds_in(name, main.marker) or not any(holds_in(name, item.marker) for item in others)
    )
    return found or tuple(names)


def joint_constraint(project: Project) -> VersionConstraint | None:
    """What the main requirement and those that hold together with it admit; None without any.

    A requirement that contradicts those before it, or names a retired distribution, does not count.
    """
    main = main_requirement(project)
    if main is None:
        return None
    constraint = main.constraint
    for item in tensorflow_requirements(project):
        both = constraint.intersect(item.constraint)
        if both.is_empty() or role(item.name) == "retired":
            continue
        # What TensorFlow hands over to on a platform moves with it.
        if role(item.name) == "shim" or not item.marker.intersect(main.marker).is_empty():
            constraint = both
    return constraint


def required_catalog(project: Project, catalog: Catalog) -> Catalog:
    """The releases of the distribution that a project requires, `catalog` if that is tensorflow.

    The same version of tensorflow-cpu has wheels for other platforms. What is locked and newer than
    the data is described as far as the lock tells.
    """
    main = main_requirement(project)
    if main is None:
        lock = project.valid_lock
        names = [name for name in (lock.versions if lock else ()) if role(name) == "main"]
    else:
        names = [main.name] if role(main.name) == "main" else []
    is_known = len(names) == 1 and names[0] in DISTRIBUTIONS
    if is_known and names[0] != "tensorflow":
        catalog = load(names[0])
    return with_locked(catalog, project)


def with_locked(catalog: Catalog, project: Project) -> Catalog:
    """The catalog with the locked releases of series that it does not know, as the lock tells."""
    lock, name = project.valid_lock, canonicalize_name(catalog.distribution)
    versions = lock.versions.get(name, ()) if lock is not None else ()
    unknown = {
        version
        for version in versions
        if not version.is_prerelease
        and catalog.standing(version) == "newer"
        and catalog.newest(series_of(version)) is None
    }
    if lock is None or not unknown:
        return catalog
    from poetry_tf.plan.locked_facts import describe_locked

    return catalog.with_releases(describe_locked(lock, name, unknown))


def admitted_locked_tensorflow(project: Project) -> Version | None:
    """The locked version of the main requirement, the newest that it admits; None if it has none.

    The pin has then changed since, and the lock follows the pin. Without a requirement it is the
    locked version of TensorFlow.
    """
    main, lock = main_requirement(project), project.valid_lock
    if main is None or lock is None:
        return locked_tensorflow(project)
    versions = lock.versions.get(main.name) or [locked_tensorflow(project)]
    return max(
        (one for one in versions if one and main.constraint.allows(to_poetry_version(one))),
        default=None,
    )
