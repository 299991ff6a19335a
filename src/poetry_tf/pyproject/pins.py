"""The pins of TensorFlow and of its companions: their text and the edits that write them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from packaging.version import Version
from poetry.core.constraints.version import Version as PoetryVersion
from poetry.core.constraints.version import parse_constraint

from poetry_tf.files.edits import Edit
from poetry_tf.files.project import Project
from poetry_tf.files.requirements import Requirement
from poetry_tf.plan.companions import later_misfits
from poetry_tf.plan.requirement import constraint_series, lower_bound
from poetry_tf.pyproject.requirement_edits import constraint_edits
from poetry_tf.releases import Release, role, whole


def series_specifier(release: Release) -> str:
    """The pin on a release's minor series as a standard version specifier."""
    major, minor = release.version.release[:2]
    return f">={release.version},<{major}.{minor + 1}.0"


def series_tilde(release: Release) -> str:
    """The same pin with Poetry's tilde."""
    return f"~{release.version}"


def pin_text(item: Requirement, release: Release, *, at_release: bool = False) -> str:
    """The pin on a release's series, as a specifier or with a tilde, like the requirement.

    A constraint that is too wide but begins in that series keeps its lower bound. Otherwise, and
    with `at_release` (the user named one release), the pin begins at the release.
    """
    if not at_release and (text := _narrowed(item, release)) is not None:
        return text
    return series_specifier(release) if item.is_pep508 else series_tilde(release)


def _narrowed(item: Requirement, release: Release) -> str | None:
    """The pin from the constraint's own lower bound on; None where it is no pin on the series."""
    lowest = lower_bound(item.constraint)
    if lowest is None or lowest.minor is None or constraint_series(item.constraint) is not None:
        return None
    # "2.13.*" begins at 2.13.dev0, which is not what the user wrote.
    begin = lowest.stable if lowest.is_devrelease() else lowest
    if item.is_pep508:
        # With as many parts as the lower bound: >=2.13,<2.14 and >=2.13.0,<2.14.0.
        end = f"{begin.major}.{lowest.minor + 1}{'' if begin.patch is None else '.0'}"
        text = f">={begin.text},<{end}"
    else:
        text = f"~{begin.text}"
    pin = parse_constraint(text)
    # No pin where the constraint excludes the bound or a release above it (>2.13.0, !=2.13.1), or
    # where the release is of another series or below the bound.
    fits = constraint_series(pin) == release.series and item.constraint.allows_all(pin)
    return text if fits and pin.allows_all(parse_constraint(str(release.version))) else None


def pin_edits(
    project: Project, item: Requirement, release: Release, *, at_release: bool = False
) -> tuple[Edit, ...]:
    """The edits that change the constraint of a requirement to the pin that `pin_text` returns.

    Empty for a retired distribution, which has no release to pin to.
    """
    if role(item.name) == "retired":
        return ()
    own = replace(item, path=item.enriched_at or item.path)
    return constraint_edits(
        project,
        item,
        pin_text(item, release, at_release=at_release),
        legacy_text=pin_text(own, release, at_release=at_release),
    )


def shim_pin_edits(
    project: Project, item: Requirement, release: Release, *, at_release: bool = False
) -> tuple[Edit, ...]:
    """As `pin_edits`, for a distribution that serves one platform.

    The pin ends before a release of the series that has no files of its own.
    """
    later = (one for one in whole(item.name).in_series(release.series))
    end = next(
        (one for one in later if one.version > release.version and not _has_files(one)), None
    )
    if end is None:
        return pin_edits(project, item, release, at_release=at_release)
    return constraint_edits(project, item, f">={release.version},<{end.version}")


def _has_files(release: Release) -> bool:
    return any(wheels.kind == "real" for wheels in release.wheels.values())


def companion_pin_text(item: Requirement, version: Version, misfits: Iterable[Version]) -> str:
    """The pin of a companion on a release, as a specifier or with a tilde, like the requirement.

    It admits the release's own minor series. It admits the release alone if that series has one of
    `misfits`, or if the requirement is on a single release already.
    """
    exact = f"=={version}"
    if isinstance(item.constraint, PoetryVersion):
        return exact if item.is_pep508 or item.written.startswith("=") else str(version)
    major, minor = (*version.release, 0)[:2]
    text = f">={version},<{major}.{minor + 1}.0" if item.is_pep508 else f"~{version}"
    return text if _excludes(text, misfits) else exact


def companion_tilde(version: Version, misfits: Iterable[Version]) -> str:
    """`companion_pin_text` for a companion that is not required yet, as ``poetry add`` takes it."""
    return tilde if _excludes(tilde := f"~{version}", misfits) else f"=={version}"


def _excludes(text: str, versions: Iterable[Version]) -> bool:
    pin = parse_constraint(text)
    return not any(pin.allows(PoetryVersion.parse(str(version))) for version in versions)


def companion_pin_edits(project: Project, item: Requirement, version: Version) -> tuple[Edit, ...]:
    """The edits that pin a companion to a release, so that a solver takes none for another series.

    It is found by its name, version and place, so that it may be of the project before an edit. An
    equal line in the same list is pinned as well.
    """
    misfits = later_misfits(item.name, version)
    edits: list[Edit] = []
    for one in project.pyproject.requirements:
        if _stands_as(one, item):
            text, own = (
                companion_pin_text(requirement, version, misfits)
                for requirement in (one, replace(one, path=one.enriched_at or one.path))
            )
            edits += constraint_edits(project, one, text, legacy_text=own)
    return tuple(edits)


def _stands_as(item: Requirement, other: Requirement) -> bool:
    return all(
        getattr(item, name) == getattr(other, name)
        for name in ("name", "constraint", "marker", "group", "extra", "optional")
    )


def tf_keras_pin(release: Release) -> str:
    """The constraint on tf-keras: its series have the numbers of TensorFlow's."""
    major, minor = release.version.release[:2]
    return f">={major}.{minor},<{major}.{minor + 1}"
