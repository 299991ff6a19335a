"""The requirements on TensorFlow in a project, and the versions that they admit and lock."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from packaging.utils import canonicalize_name
from packaging.version import Version
from poetry.core.constraints.version import Version as PoetryVersion
from poetry.core.constraints.version import VersionConstraint, VersionRange, parse_constraint

from poetry_tf.files.project import Project
from poetry_tf.files.requirements import Requirement
from poetry_tf.index.mirrors import mirror_at
from poetry_tf.releases import DISTRIBUTIONS, Catalog, Release, load, named, role, series_of

# The number of newest series that may get a patch release after a newer series is out, as 2.18.1
# and 2.19.1 did. The data may lack such a release.
_PATCHED = 3


def tensorflow_requirements(project: Project) -> tuple[Requirement, ...]:
    """Every requirement on a distribution of TensorFlow."""
    names = tensorflow_distributions()
    return tuple(item for item in project.pyproject.requirements if item.name in names)


def tensorflow_distributions() -> frozenset[str]:
    """The distributions of TensorFlow that have its version numbers (nightlies do not)."""
    return named("main", "retired", "shim", "vendor")


def requires_cuda_wheels(project: Project) -> bool:
    """Whether a requirement on TensorFlow has the ``and-cuda`` extra."""
    return any("and-cuda" in item.extras for item in tensorflow_requirements(project))


def locked_tensorflow(project: Project) -> Version | None:
    """The locked version of TensorFlow, the newest if several are locked; None without any."""
    if (lock := project.valid_lock) is None:
        return None
    for name in sorted(tensorflow_distributions(), key=lambda name: (name != "tensorflow", name)):
        if versions := lock.versions.get(canonicalize_name(name)):
            return max(versions)
    return None


def primary_distributions(versions: Mapping[str, Version]) -> dict[str, Version]:
    """The versions of TensorFlow's distributions, without those that serve one platform.

    Where there are only such, all of them.
    """
    names = versions.keys() & tensorflow_distributions()
    primary = {name for name in names if role(name) != "shim"}
    return {name: versions[name] for name in sorted(primary or names)}


def constraint_series(constraint: VersionConstraint) -> str | None:
    """The one minor series ("2.13") that a constraint stays within; None where it doesn't.

    Its spelling does not matter: ``~2.13``, ``2.13.*``, ``>=2.13,<2.14`` and ``==2.13.1`` are all
    in 2.13. A range may end below the next minor's first release candidate or its final release.
    """
    lowest = lower_bound(constraint)
    if lowest is None or lowest.minor is None:
        return None
    major, minor = lowest.major, lowest.minor
    # In poetry-core "<2.14" excludes all prereleases of 2.14, "<2.14.0rc0" those from rc0 on.
    whole = parse_constraint(f">={major}.{minor}.dev0,<{major}.{minor + 1}.0rc0")
    return f"{major}.{minor}" if whole.allows_all(constraint) else None


def lower_bound(constraint: VersionConstraint) -> PoetryVersion | None:
    """The lowest version that a constraint names, None where it is open below."""
    ranges = getattr(constraint, "ranges", [constraint])  # those of a union, ascending
    lowest: PoetryVersion | None = getattr(ranges[0], "min", None)
    return lowest


@functools.cache  # of the same few hundred releases, again and again
def to_poetry_version(version: Version) -> PoetryVersion:
    """The same version for constraints of poetry-core."""
    return PoetryVersion.parse(str(version))


def admitted_releases(catalog: Catalog, constraint: VersionConstraint) -> tuple[Release, ...]:
    """The known releases that a constraint admits, ascending.

    Where there is none, the inferred release at its lower bound.
    """
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


def has_own_index(project: Project) -> bool:
    """Whether packages come from another index than PyPI and its mirrors."""
    return any(
        source.url and not source.is_explicit and mirror_at(source.url) is None
        for source in project.pyproject.sources
    )


def unavailable_versions(project: Project, item: Requirement) -> str | None:
    """The text for what a requirement admits, if none of it is available; None if some may be."""
    if item.name not in DISTRIBUTIONS or item.source is not None or has_own_index(project):
        return None
    if item.constraint.is_empty():
        return "no version"
    catalog, lock = load(item.name), project.valid_lock
    if _may_be_newer(item.name, item.constraint) or any(
        catalog.standing(version) == "newer" and item.constraint.allows(to_poetry_version(version))
        for version in (lock.versions.get(item.name, ()) if lock else ())
    ):
        return None
    newest_first = [release.version for release in reversed(catalog.releases)]
    yanked = False
    for version in (*newest_first, *catalog.prereleases, *catalog.older):
        if item.constraint.allows(to_poetry_version(version)):
            if version not in catalog.yanked:
                return None
            yanked = True
    return "only yanked releases" if yanked else f"no release published by {catalog.data_version}"


def stays_in_series(project: Project, item: Requirement, series: str) -> bool:
    """Whether a requirement is within a series, and on a release that may be available."""
    is_within = constraint_series(item.constraint) == series
    return is_within and unavailable_versions(project, item) is None


def _may_be_newer(name: str, constraint: VersionConstraint) -> bool:
    """Whether a constraint admits a version that may have been released after the data was made.

    The known versions of TensorFlow itself count for its other distributions as well: one that
    lacks an older series will not get it.
    """
    catalog = load()
    known = [*(release.version for release in catalog.releases), *catalog.prereleases]
    if constraint.allows_any(VersionRange(to_poetry_version(max(known)))):
        return True
    for series in catalog.series[-_PATCHED:]:
        last = max(version for version in known if series_of(version) == series)
        end = PoetryVersion.parse(f"{last.major}.{last.minor + 1}.dev0")
        if load(name).in_series(series) and constraint.allows_any(
            VersionRange(to_poetry_version(last), end)
        ):
            return True
    return False
