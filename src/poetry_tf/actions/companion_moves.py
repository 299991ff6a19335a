"""The releases of TensorFlow's companions that go with another release of TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from poetry_tf.files.edits import apply
from poetry_tf.files.project import Project
from poetry_tf.files.pyproject import Requirement
from poetry_tf.plan.model import CONTAINER_PLATFORM, Plan
from poetry_tf.plan.requirement import to_poetry_version
from poetry_tf.pyproject.pins import companion_pin_text, constraint_edits
from poetry_tf.releases import Companion, Release, fits, load, role
from poetry_tf.releases.breaking import Retired, ended
from poetry_tf.releases.companions import bounds_on, companions

# The lines on this one are `platforms`' to write.
_FILESYSTEM = canonicalize_name("tensorflow-io-gcs-filesystem")


@dataclass(frozen=True)
class CompanionMove:
    """A companion that the project requires, and the release of it that goes with the new one."""

    item: Requirement
    locked: Version | None
    fit: Version | None
    """The release to require; None where none fits, or where nothing is known."""
    edits: bool
    """Whether the requirement has to be changed for it."""
    series: tuple[str, ...] = ()
    """Where none fits: the series of TensorFlow that have one."""
    retired: Retired | None = None

    @property
    def name(self) -> NormalizedName:
        return self.item.name

    @property
    def is_known(self) -> bool:
        """Whether anything is known of what it fits; else the solver alone decides."""
        return self.fit is not None or bool(self.series) or self.retired is not None

    @property
    def blocks(self) -> bool:
        """Whether the move can't be made with it."""
        return self.is_known and self.fit is None


# -- companions -----------------------------------------------------------------------------


def companion_requirements(project: Project) -> Iterator[Requirement]:
    """The requirements on companions of TensorFlow's that come from the index."""
    for item in project.pyproject.requirements:
        if role(item.name) == "companion" and item.source is None and item.name != _FILESYSTEM:
            yield item


def companion_moves(project: Project, plan: Plan) -> Iterator[CompanionMove]:
    for item in companion_requirements(project):
        yield companion_move(project, item, plan.release, plan.pythons)


def companion_move(
    project: Project, item: Requirement, release: Release, pythons: Sequence[str]
) -> CompanionMove:
    lock = project.valid_lock
    locked = max(lock.versions.get(item.name, ()), default=None) if lock else None
    every = fits(item.name, release)
    sound = [fit.companion for fit in every if not fit.companion.yanked]
    fit = sound or [fit.companion for fit in every]
    retired = ended(item.name, release.series)
    if not fit or retired is not None:
        return CompanionMove(item, locked, None, False, _series_with(item.name), retired)
    good = [one for one in fit if _has_wheels(one, release, pythons)] or fit
    versions = {one.version for one in fit}
    within = [one for one in good if item.constraint.allows(to_poetry_version(one.version))]
    if within and not _admits_misfit(item, release, versions):
        stays = next((one.version for one in within if one.version == locked), None)
        return CompanionMove(item, locked, stays or within[-1].version, False)
    stays = next((one.version for one in within if one.version == locked), None)
    return CompanionMove(item, locked, stays or (within or good)[-1].version, True)


def _admits_misfit(item: Requirement, release: Release, versions: set[Version]) -> bool:
    """Whether a requirement admits what doesn't fit and no solver would rule out."""
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
    """Whether there are wheels for the Pythons in the container; some are for no Linux at all."""
    minors = companion.pythons_for(release, CONTAINER_PLATFORM)
    return not minors or {*pythons} <= {*minors}


def _series_with(name: str) -> tuple[str, ...]:
    """The series of TensorFlow of which a release has one of a companion, ascending."""
    catalog = load()
    return tuple(
        series
        for series in catalog.series
        if any(fits(name, release) for release in catalog.in_series(series))
    )


def with_companion(project: Project, moving: CompanionMove) -> Project:
    if not moving.edits or moving.fit is None:
        return project
    fit = moving.fit
    wrong = [
        one.version
        for one in companions().get(moving.name, ())
        if not one.yanked and one.version > fit and one.fits != _series_fitted(moving.name, fit)
    ]
    for item in project.pyproject.requirements:
        if (item.name, item.marker, item.group) == (
            moving.name,
            moving.item.marker,
            moving.item.group,
        ):
            text = companion_pin_text(item, fit, wrong)
            own = companion_pin_text(replace(item, path=item.enriched_at or item.path), fit, wrong)
            return apply(project, constraint_edits(project, item, text, in_own_table=own))
    return project


def _series_fitted(name: str, version: Version) -> str | None:
    return next((one.fits for one in companions().get(name, ()) if one.version == version), None)
