"""Shims: wheels that only require the distribution that holds the files of their platform."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.utils import canonicalize_name
from packaging.version import Version
from poetry.core.constraints.version import VersionConstraint, parse_constraint
from poetry.core.version.markers import parse_marker

from poetry_tf.plan.environments import ENVIRONMENTS, usable_targets
from poetry_tf.plan.requirement import constraint_series, to_poetry_version
from poetry_tf.pyproject.requirement_edits import MarkedRequirement
from poetry_tf.pyproject.tensorflow_use import TensorFlowUse
from poetry_tf.releases import Release, whole


def shim_for(release: Release, environment: str) -> str | None:
    """The distribution that a release's wheel for an environment requires, if that is a shim."""
    wheels = release.wheels.get(environment)
    return wheels.target if wheels is not None and wheels.kind == "shim" else None


def shim_lines(
    use: TensorFlowUse, constraint: VersionConstraint, written: str
) -> Iterator[MarkedRequirement]:
    """The requirements on shims' distributions that a use of TensorFlow needs.

    `constraint` is the pin of TensorFlow and `written` its text, empty where it can't be copied.
    """
    for environment in use.environments:
        name = shim_for(use.release, environment)
        if name is not None:
            marker = parse_marker(ENVIRONMENTS[environment].marker)
            narrowed = use.narrowed(marker, usable_targets(use.release, environment))
            yield MarkedRequirement(
                canonicalize_name(name),
                _shim_constraint(use, environment, name, constraint, written),
                ENVIRONMENTS[environment].marker if narrowed == marker else str(narrowed),
            )


def _shim_constraint(
    use: TensorFlowUse, environment: str, name: str, constraint: VersionConstraint, written: str
) -> str:
    """The pin of TensorFlow itself, so that both move together; it ends where the shim does.

    Of an inferred release it begins at the known one: whether the shim's distribution has the same
    patch only the index tells.
    """
    release = use.release
    first = release.inferred_from or release.version
    end = _end_of_shim(use, environment, name)
    if written and constraint_series(constraint) == release.series:
        beyond = parse_constraint(f">={end}") if end else None
        if constraint.allows(to_poetry_version(first)) and not (
            beyond and constraint.allows_any(beyond)
        ):
            return written
    major, minor = release.version.release[:2]
    return f">={first},<{end or f'{major}.{minor + 1}.0'}"


def _end_of_shim(use: TensorFlowUse, environment: str, name: str) -> Version | None:
    """The first later release of the series that does not use this shim.

    From there on TensorFlow's own wheel is a real one, or the shim's distribution has no wheel.
    """
    release = use.release
    mains, shims = whole(release.distribution), whole(name)
    versions = {
        item.version for catalog in (mains, shims) for item in catalog.in_series(release.series)
    }
    for version in sorted(versions):
        if version <= release.version:
            continue
        main, shim = mains.get(version), shims.get(version)
        wheels = main.wheels.get(environment) if main is not None else None
        if wheels is not None and (wheels.kind, wheels.target) != ("shim", name):
            return version
        if shim is not None and not use.pythons_on(environment) <= {*shim.usable_on(environment)}:
            return version
    return None
