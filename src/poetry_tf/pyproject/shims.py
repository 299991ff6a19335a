"""Shims: wheels that hold nothing but a requirement on a distribution of their platform's own."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.utils import canonicalize_name
from packaging.version import Version
from poetry.core.constraints.version import VersionConstraint, parse_constraint
from poetry.core.version.markers import parse_marker

from poetry_tf.plan.environments import ENVIRONMENTS, usable_targets
from poetry_tf.plan.requirement import constraint_series, to_poetry_version
from poetry_tf.pyproject.tensorflow_use import MarkedRequirement, TensorFlowUse
from poetry_tf.releases import Release, whole


def shim_for(release: Release, environment: str) -> str | None:
    """The distribution that the wheels of a release for an environment hand over to."""
    wheels = release.wheels.get(environment)
    return wheels.target if wheels is not None and wheels.kind == "shim" else None


def shim_lines(
    asked: TensorFlowUse, constraint: VersionConstraint | None, written: str
) -> Iterator[MarkedRequirement]:
    for environment in asked.environments:
        name = shim_for(asked.release, environment)
        if name is not None:
            marker = parse_marker(ENVIRONMENTS[environment].marker)
            narrowed = asked.counting(marker, usable_targets(asked.release, environment))
            yield MarkedRequirement(
                canonicalize_name(name),
                _shim_constraint(asked, environment, name, constraint, written),
                ENVIRONMENTS[environment].marker if narrowed == marker else str(narrowed),
            )


def _shim_constraint(
    asked: TensorFlowUse,
    environment: str,
    name: str,
    constraint: VersionConstraint | None,
    written: str,
) -> str:
    """The pin of TensorFlow itself, so that both move together; it ends where the shim does."""
    release = asked.release
    end = _end_of_shim(asked, environment, name)
    if constraint is not None and written and constraint_series(constraint) == release.series:
        beyond = parse_constraint(f">={end}") if end else None
        if constraint.allows(to_poetry_version(release.version)) and not (
            beyond and constraint.allows_any(beyond)
        ):
            return written
    major, minor = release.version.release[:2]
    return f">={release.version},<{end or f'{major}.{minor + 1}.0'}"


def _end_of_shim(asked: TensorFlowUse, environment: str, name: str) -> Version | None:
    """The first later release of the series with which the shim is no more the answer.

    Either TensorFlow's own wheel is a real one from there on, or the shim has none that fits.
    """
    release = asked.release
    mains, shims = whole(release.distribution), whole(name)
    versions = {
        item.version for catalog in (mains, shims) for item in catalog.in_series(release.series)
    }
    pythons = {target.python for target in asked.on(environment)}
    for version in sorted(versions):
        if version <= release.version:
            continue
        main, own_shim = mains.get(version), shims.get(version)
        own = main.wheels.get(environment) if main is not None else None
        if own is not None and (own.kind, own.target) != ("shim", name):
            return version
        if own_shim is not None and not pythons <= {*own_shim.usable_on(environment)}:
            return version
    return None
