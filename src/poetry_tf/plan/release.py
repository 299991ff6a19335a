"""The release of TensorFlow that a project is on, or should be on."""

from __future__ import annotations

from collections.abc import Sequence

from packaging.version import Version
from poetry.core.constraints.version import (
    VersionConstraint,
)

from poetry_tf.plan.gpu import plan_gpu
from poetry_tf.plan.model import PlanError
from poetry_tf.plan.python import admitted_minors, container_pythons, release_pythons
from poetry_tf.plan.requirement import admitted_releases, lower_bound
from poetry_tf.plan.settings import GpuChoice
from poetry_tf.releases import Catalog, Release
from poetry_tf.releases.images import Images
from poetry_tf.text import format_list


def requested_release(catalog: Catalog, wanted: str) -> Release:
    """The release that ``--tensorflow 2.13`` (newest of a series) or ``2.13.1`` asks for.

    Raises `PlanError` where there is none, naming what there is.
    """
    try:
        version = Version(wanted)
    except ValueError:
        raise PlanError(
            f"{wanted!r} is no version of TensorFlow",
            f"Give a series such as {catalog.series[-1]}, or a release such as "
            f"{catalog.releases[-1].version}.",
        ) from None
    if len(version.release) == 1:
        raise PlanError(
            f"{wanted} is no series of TensorFlow", f"Give one such as {catalog.series[-1]}."
        )
    if len(version.release) == 2 and not version.is_prerelease:
        series = f"{version.major}.{version.minor}"
        if (release := catalog.newest(series)) is not None:
            return release
    elif (release := catalog.get(version)) is not None:
        return release
    first, last = catalog.releases[0].version, catalog.releases[-1].version
    known = f"poetry-tf knows the final releases from {first} to {last}."
    if catalog.standing(version) == "older":
        own = f"tensorflow/tensorflow:{wanted if len(version.release) > 2 else f'{wanted}.0'}-gpu"
        raise PlanError(
            f"TensorFlow {wanted} is older than what poetry-tf knows",
            f"{known} Who must stay on it has TensorFlow's own image, {own}.",
        )
    if version.is_prerelease:
        raise PlanError(f"TensorFlow {wanted} is a prerelease", known)
    if catalog.standing(version) == "newer":
        raise newer_than_data(catalog, f"TensorFlow {wanted}")
    raise PlanError(
        f"There is no TensorFlow {wanted}",
        f"The series are {format_list(catalog.series)}; the newest release is {last}.",
    )


def newer_than_data(catalog: Catalog, what: str) -> PlanError:
    """The error for a series that came, or may come, after the data was made."""
    return PlanError(
        f"{what} is newer than the data of this poetry-tf ({catalog.data_version}), which ends "
        f"with the series {catalog.series[-1]}",
        "Update poetry-tf: poetry self update poetry-tf",
    )


def choose_release(
    catalog: Catalog,
    images: Images,
    *,
    constraint: VersionConstraint | None = None,
    locked: Version | None = None,
    python: VersionConstraint | None = None,
    choice: GpuChoice = "auto",
    environments: Sequence[str] | None = None,
) -> Release:
    """The release a project is on, or should be on, when nobody names one.

    What is locked stays. Otherwise a constraint within one series means the newest release of it
    that fits; a wider one means the nearest series to its lower end that fits, because that is
    what the project was written for; without any, the newest series that fits is taken.

    Raises `PlanError` where nothing fits.
    """
    if locked is not None:
        release = catalog.get(locked)
        if release is None:
            if catalog.standing(locked) == "newer" and not locked.is_prerelease:
                raise newer_than_data(catalog, f"The locked TensorFlow {locked}")
            first, last = catalog.releases[0].version, catalog.releases[-1].version
            raise PlanError(
                f"poetry-tf knows nothing of the locked TensorFlow {locked}, only of the final "
                f"releases from {first} to {last}",
                f"Move the project to one of them with `poetry tf init --tensorflow "
                f"{catalog.series[0]}`. Who must stay on it has TensorFlow's own image, "
                f"tensorflow/tensorflow:{locked}-gpu."
                if locked < first
                else "A newer poetry-tf may know more.",
            )
        return release
    allowed = catalog.releases if constraint is None else admitted_releases(catalog, constraint)
    allowed = tuple(release for release in allowed if not release.yanked) or allowed
    if not allowed:
        lowest = lower_bound(constraint) if constraint is not None else None
        if lowest is not None and catalog.standing(lowest.text) == "newer":
            raise newer_than_data(catalog, f"TensorFlow {constraint}")
        raise PlanError(
            f"No TensorFlow release that poetry-tf knows satisfies {constraint}",
            f"It knows the series {format_list(catalog.series)}: move the project to one of them "
            "with "
            "`poetry tf init --tensorflow`.",
        )
    fits = [
        item
        for item in allowed
        if (choice != "system" or catalog.container_pair(item) is not None)
        and _fits(item, images, choice, python, environments)
    ]
    if not fits:
        # Said by the one function that knows why, for the release that comes nearest.
        near = [
            item for item in allowed if admitted_minors(release_pythons(item, environments), python)
        ]
        nearest = (near or list(allowed))[-1]
        plan_gpu(catalog, nearest, choice)
        container_pythons(nearest, images, choice, python, environments)
    open_below = constraint is None or lower_bound(constraint) is None
    series = fits[-1].series if open_below else fits[0].series
    return [release for release in fits if release.series == series][-1]


def _fits(
    release: Release,
    images: Images,
    choice: GpuChoice,
    python: VersionConstraint | None,
    environments: Sequence[str] | None,
) -> bool:
    if choice == "pip" and release.and_cuda is None:
        return False
    try:
        container_pythons(release, images, choice, python, environments)
    except PlanError:
        return False
    return True
