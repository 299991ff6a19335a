"""The releases of TensorFlow's companions that go with another release of TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from poetry_tf.files.edits import apply
from poetry_tf.files.project import Project
from poetry_tf.files.requirements import Requirement
from poetry_tf.plan.model import CONTAINER_PLATFORM
from poetry_tf.plan.requirement import to_poetry_version
from poetry_tf.pyproject.pins import companion_pin_text
from poetry_tf.pyproject.requirement_edits import constraint_edits
from poetry_tf.releases import Companion, Release, fits, load, role
from poetry_tf.releases.breaking import Retired, ended
from poetry_tf.releases.companions import bounds_on, companions

# Its lines are written for platforms.
_FILESYSTEM = canonicalize_name("tensorflow-io-gcs-filesystem")


@dataclass(frozen=True)
class CompanionMove:
    """A required companion, and its release that goes with the new TensorFlow."""

    requirement: Requirement
    locked: Version | None
    fit: Version | None
    """The release to require; None if none fits or nothing is known."""
    edits: bool
    """Whether the requirement has to change."""
    series: tuple[str, ...] = ()
    """If none fits, the series of TensorFlow that have one."""
    retired: Retired | None = None

    @property
    def name(self) -> NormalizedName:
        return self.requirement.name

    @property
    def is_known(self) -> bool:
        """Whether it is known what it fits; if not, the solver decides."""
        return self.fit is not None or bool(self.series) or self.retired is not None

    @property
    def blocks(self) -> bool:
        """Whether it prevents the move."""
        return self.is_known and self.fit is None


def companion_requirements(project: Project) -> Iterator[Requirement]:
    """The requirements on companions of TensorFlow that come from the index."""
    for item in project.pyproject.requirements:
        if role(item.name) == "companion" and item.source is None and item.name != _FILESYSTEM:
            yield item


def companion_move(
    project: Project, item: Requirement, release: Release, pythons: Sequence[str]
) -> CompanionMove:
    """The move of a companion to a release that fits a release of TensorFlow.

    The locked release is preferred, then the newest one that the requirement allows, then the
    newest one with wheels for the Pythons.
    """
    lock = project.valid_lock
    locked = max(lock.versions.get(item.name, ()), default=None) if lock else None
    fitting = [fit.companion for fit in fits(item.name, release)]
    fitting = [one for one in fitting if not one.yanked] or fitting
    retired = ended(item.name, release.series)
    if not fitting or retired is not None:
        return CompanionMove(item, locked, None, False, _series_with(item.name), retired)
    good = [one for one in fitting if _has_wheels(one, release, pythons)] or fitting
    allowed = [one for one in good if item.constraint.allows(to_poetry_version(one.version))]
    edits = not allowed or _admits_misfit(item, release, {one.version for one in fitting})
    kept = next((one.version for one in allowed if one.version == locked), None)
    return CompanionMove(item, locked, kept or (allowed or good)[-1].version, edits)


def _admits_misfit(item: Requirement, release: Release, versions: set[Version]) -> bool:
    """Whether a requirement admits releases that don't fit and that no solver would exclude."""
    if bounds_on(item.name, release) is not None:
        return False
    return any(
        one.version not in versions
        and not one.yanked
        and one.basis != "metadata"
        and item.constraint.allows(to_poetry_version(one.version))
        for one in companions().get(item.name, ())
    )


def _has_wheels(companion: Companion, release: Release, pythons: Sequence[str]) -> bool:
    """Whether it has wheels for the container's Pythons; true if it has none for Linux at all."""
    minors = companion.pythons_for(release, CONTAINER_PLATFORM)
    return not minors or {*pythons} <= {*minors}


def _series_with(name: str) -> tuple[str, ...]:
    """The series of TensorFlow that a companion has a release for, ascending."""
    catalog = load()
    return tuple(
        series
        for series in catalog.series
        if any(fits(name, release) for release in catalog.in_series(series))
    )


def with_companion(project: Project, move: CompanionMove) -> Project:
    """The project with a companion's requirement changed as its move says."""
    if not move.edits or move.fit is None:
        return project
    known = companions().get(move.name, ())
    series = next((one.fits for one in known if one.version == move.fit), None)
    wrong = [
        one.version
        for one in known
        if not one.yanked and one.version > move.fit and one.fits != series
    ]
    place = (move.name, move.requirement.marker, move.requirement.group)
    for item in project.pyproject.requirements:
        if (item.name, item.marker, item.group) == place:
            text, own = (
                companion_pin_text(one, move.fit, wrong)
                for one in (item, replace(item, path=item.enriched_at or item.path))
            )
            return apply(project, constraint_edits(project, item, text, legacy_text=own))
    return project
