"""Which release of a companion a project takes beside a release of TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from packaging.utils import NormalizedName
from packaging.version import Version
from poetry.core.constraints.version import VersionConstraint, VersionRange

from poetry_tf.files.lock import Lock
from poetry_tf.files.requirements import Requirement
from poetry_tf.plan.lock_entries import read_constraint, read_packages
from poetry_tf.plan.model import CONTAINER_PLATFORM
from poetry_tf.plan.requirement import to_poetry_version
from poetry_tf.releases import Companion, Release, fits, load
from poetry_tf.releases.companions import available_fits, companions


def fitting_companions(name: NormalizedName, release: Release) -> list[Companion]:
    """The releases of a companion that fit, ascending; yanked ones only if there is no other."""
    return [fit.companion for fit in available_fits(name, release)]


def usable_companions(
    name: NormalizedName, release: Release, pythons: Sequence[str]
) -> list[Companion]:
    """The releases of a companion that a project may take, ascending.

    Those that fit and have wheels for the container's Pythons; all that fit if none has.
    """
    fitting = fitting_companions(name, release)
    return [one for one in fitting if has_wheels(one, release, pythons)] or fitting


def has_wheels(companion: Companion, release: Release, pythons: Sequence[str]) -> bool:
    """Whether it has wheels for the container's Pythons; true if it has none for Linux at all."""
    minors = companion.pythons_for(release, CONTAINER_PLATFORM)
    return not minors or {*pythons} <= {*minors}


def admits_no_fit(item: Requirement, release: Release) -> bool:
    """Whether a requirement on a companion admits known releases, of which none fits a TensorFlow.

    A later one, which is not known, may fit.
    """
    if item.source is not None:
        return False
    known = companions().get(item.name, ())
    admitted = [one for one in known if item.constraint.allows(to_poetry_version(one.version))]
    fitting = {fit.companion.version for fit in fits(item.name, release)}
    return bool(admitted) and not any(
        one.version in fitting or one.basis is None for one in admitted
    )


def admits_later(item: Requirement) -> bool:
    """Whether a requirement on a companion admits a release that is later than the known ones."""
    newest = companions()[item.name][-1].version
    return item.constraint.allows_any(VersionRange(to_poetry_version(newest)))


def later_misfits(name: NormalizedName, version: Version) -> list[Version]:
    """The later releases of a companion that are not made for the same TensorFlow."""
    known = companions().get(name, ())
    fit = next((one.fits for one in known if one.version == version), None)
    return [
        one.version for one in known if not one.yanked and one.version > version and one.fits != fit
    ]


def next_series_with(name: NormalizedName, release: Release, pythons: Sequence[str]) -> str | None:
    """The next later series of TensorFlow with a companion for the container's Pythons."""
    for series in load().series:
        later = load().in_series(series)[-1]
        if (
            later.version > release.version
            and {*pythons} <= {*later.pythons_on(CONTAINER_PLATFORM)}
            and any(has_wheels(one, later, pythons) for one in fitting_companions(name, later))
        ):
            return series
    return None


def series_with(name: NormalizedName) -> tuple[str, ...]:
    """The series of TensorFlow that a companion has a release for, ascending."""
    catalog = load()
    return tuple(
        series
        for series in catalog.series
        if any(fits(name, release) for release in catalog.in_series(series))
    )


def refusing(
    lock: Lock | None, name: str, admits: Callable[[VersionConstraint], bool]
) -> tuple[NormalizedName, str] | None:
    """The locked package whose requirement on a distribution does not admit what is needed.

    Its name, and text with the requirement; None without one.
    """
    for package in read_packages(lock.data) if lock else ():
        for edge in package.requires:
            if edge.name == name and not admits(read_constraint(edge.constraint)):
                text = f"{package.name} {package.version} requires {name} {edge.constraint}"
                return package.name, text
    return None
