"""TF105: packages that are built for, or bound to, certain releases of TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version
from poetry.core.constraints.version import VersionRange

from poetry_tf.checks.findings import Context, Finding, locked_release, rule
from poetry_tf.files.requirements import Requirement
from poetry_tf.plan.requirement import (
    admitted_locked_tensorflow,
    constraint_series,
    locked_tensorflow,
    tensorflow_distributions,
    tensorflow_requirements,
    to_poetry_version,
)
from poetry_tf.releases import Companion, Release, fits, load, named
from poetry_tf.releases.companions import bounds_on, companions, newest


@rule("TF105")
def companion_that_does_not_fit(context: Context) -> Iterator[Finding]:
    """A companion of TensorFlow is locked, or required, in a release for another TensorFlow.

    `tensorflow-io`, `tensorflow-addons`, `tensorflow-probability`, `tensorflow-metal` and others
    are each made for certain releases of TensorFlow, and most of them don't say so in what a solver
    reads. Poetry takes the newest, and the import fails, or what is imported misbehaves.

    Judged are locked releases, and requirements that no fitting release satisfies where the solver
    would not see that by itself. What is newer than what poetry-tf knows is not judged.
    """
    required = tuple(_required(context))
    yield from required
    names = {finding.name for finding in required}
    yield from (finding for finding in _locked(context) if finding.name not in names)


def _required(context: Context) -> Iterator[Finding]:
    locked = admitted_locked_tensorflow(context.project)
    release = locked_release("tensorflow", locked)
    if locked is None and context.plan is not None:
        release = context.plan.release
    for item in context.project.pyproject.requirements:
        if release is None or item.name not in named("companion"):
            continue
        if not _is_beside(context, item, release):
            continue
        if (message := _misfit(item, release)) is not None:
            place = context.at(item.constraint_path)
            yield Finding("TF105", *place, message, _remedy(item.name, release), name=item.name)


def _locked(context: Context) -> Iterator[Finding]:
    lock, tensorflow = context.project.valid_lock, locked_tensorflow(context.project)
    if lock is None or tensorflow is None:
        return
    names = lock.versions.keys() & map(canonicalize_name, tensorflow_distributions())
    release = locked_release("tensorflow", tensorflow)
    if release is None or len({version for name in names for version in lock.versions[name]}) > 1:
        return  # which companion goes with which TensorFlow is not known
    for name in sorted(lock.versions.keys() & map(canonicalize_name, named("companion"))):
        for version in lock.versions[name]:
            message = _mismatch(name, version, release)
            if message is not None and not lock.has_source(name, version):
                yield Finding(
                    "TF105",
                    lock.path,
                    lock.position(name, version),
                    f"{name} {version} is locked, {message}",
                    _remedy(name, release),
                    name=name,
                )


def _is_beside(context: Context, item: Requirement, release: Release) -> bool:
    """Whether a requirement is used with a TensorFlow of this release's series and with no other.

    An extra, a group or a marker may have a TensorFlow of its own, and a wide pin may admit
    another; then only what is locked is checked.
    """
    items = [
        one
        for one in tensorflow_requirements(context.project)
        if not one.marker.intersect(item.marker).is_empty()
    ]
    items = [one for one in items if one.path[:-1] == item.path[:-1]] or items
    version = to_poetry_version(release.version)
    return all(
        one.constraint.allows(version) and constraint_series(one.constraint) == release.series
        for one in items
    )


def _misfit(item: Requirement, release: Release) -> str | None:
    """What is wrong with a requirement that no fitting release satisfies."""
    known = companions().get(item.name, ())
    if not known or item.source is not None or bounds_on(item.name, release) is not None:
        return None  # a solver respects what TensorFlow itself requires
    if item.constraint.allows_any(VersionRange(to_poetry_version(known[-1].version))):
        return None
    admitted = [one for one in known if item.constraint.allows(to_poetry_version(one.version))]
    fitting = {fit.companion.version for fit in fits(item.name, release)}
    if any(one.version in fitting or one.basis is None for one in admitted):
        return None
    if all(one.basis == "metadata" for one in admitted):
        return None  # a solver finds it
    what = _made_for(admitted[0]) if len(admitted) == 1 else _made_for(admitted[0], admitted[-1])
    return f"{item.name} {item.written} is {what}, not for TensorFlow {release.version}"


def _mismatch(name: str, version: Version, release: Release) -> str | None:
    """What is wrong with a companion's release beside a release of TensorFlow."""
    if (bounds := bounds_on(name, release)) is not None:
        # The solver has read what an inferred release really requires.
        if release.inferred_from is not None or bounds.contains(version, prereleases=True):
            return None
        return f"but TensorFlow {release.version} requires {name} {bounds}"
    companion = next((one for one in companions().get(name, ()) if one.version == version), None)
    if companion is None or companion.fits is None:
        return None
    if any(fit.companion is companion for fit in fits(name, release)):
        return None
    return f"which is {_made_for(companion)}, not for TensorFlow {release.version}"


def _made_for(*ends: Companion) -> str:
    """The series of TensorFlow that releases of a companion, from first to last, are made for."""
    series = [
        known.series
        for known in load().releases
        if any(SpecifierSet(one.fits or "").contains(known.version) for one in ends)
    ]
    if not series:
        return f"made for TensorFlow {' and '.join(one.fits or '?' for one in ends)}"
    first, last = series[0], series[-1]
    return f"made for TensorFlow {first}" + (f" to {last}" if last != first else "")


def _remedy(name: str, release: Release) -> str:
    if bounds_on(name, release) is not None:
        return "Run `poetry lock`, and look at what changed the lock"
    if (fit := newest(name, release)) is not None:
        return f"{name} {fit.companion.version} fits TensorFlow {release.version}: require that"
    last = next((one for one in reversed(companions().get(name, ())) if one.fits), None)
    text = f"No release of {name} is known to fit TensorFlow {release.version}"
    return f"{text}; {last.version} is {_made_for(last)}" if last else text
