"""TF105: companions of TensorFlow in releases that are made for another TensorFlow."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from poetry_tf.checks.findings import Context, Finding, Severity, locked_release, rule
from poetry_tf.files.edits import Edit
from poetry_tf.files.project import Project
from poetry_tf.files.requirements import Requirement
from poetry_tf.plan.companions import admits_later, admits_no_fit, refusing, usable_companions
from poetry_tf.plan.installations import installations
from poetry_tf.plan.main_line import admitted_locked_tensorflow
from poetry_tf.plan.model import LEGACY_KERAS, TF_KERAS
from poetry_tf.plan.requirement import (
    constraint_series,
    tensorflow_distributions,
    tensorflow_requirements,
    to_poetry_version,
)
from poetry_tf.pyproject.beside import may_write, pairings
from poetry_tf.pyproject.companion_lines import companion_line_edits, companion_lines
from poetry_tf.releases import Companion, Release, fits, load, named
from poetry_tf.releases.bounds import required_by
from poetry_tf.releases.breaking import keras_major
from poetry_tf.releases.companions import bounds_on, companions, has_extra_for
from poetry_tf.text import format_list


@rule("TF105", fixable=True)
def companion_that_does_not_fit(context: Context) -> Iterator[Finding]:
    """A companion of TensorFlow is locked, or required, in a release for another TensorFlow.

    `tensorflow-io`, `tensorflow-addons`, `tensorflow-probability`, `tensorflow-metal` and others
    are each made for certain releases of TensorFlow. Most of them do not say so in the metadata
    that a solver reads. Poetry takes the newest, and the import fails, or the package misbehaves.

    The rule checks locked releases against the TensorFlow that is installed with them in each
    environment. It checks a requirement that no fitting release satisfies, where the solver would
    not notice. It does not check what is newer than poetry-tf's data.

    tensorflow-addons beside a TensorFlow that its extra names, but that its compiled code was not
    built for, is a warning.

    `--fix` pins a requirement that also admits a release that fits. It leaves a requirement that
    admits none, because somebody chose it, and a pin of a published package, because that is for
    its author to decide.
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
            remedy = _remedy(context, item.name, release)
            admitted = [one.version for one in companions()[item.name] if _admits(item, one)]
            level = _level(item.name, admitted, release)
            yield Finding(*place, message, remedy, name=item.name, level=level)


def _locked(context: Context) -> Iterator[Finding]:
    lock = context.project.valid_lock
    names = {canonicalize_name(name) for name in named("companion")}
    names &= lock.versions.keys() if lock is not None else set()
    releases = _locked_releases(context)
    if lock is None or not any(
        _mismatch(name, version, release)
        for name in names
        for version in lock.versions[name]
        for release in releases
    ):
        return
    together = _installed_together(context.project, names)
    for name in sorted(names):
        for version in lock.versions[name]:
            # What no requirement leads to goes with the one TensorFlow, if there is one.
            beside = together.get((name, version)) or (releases if len(releases) == 1 else ())
            found = ((one, _mismatch(name, version, one)) for one in beside)
            release, message = next(((one, text) for one, text in found if text), (None, None))
            if release is None or lock.has_source(name, version):
                continue
            if _is_unused(context, name, release):
                continue
            yield Finding(
                lock.path,
                lock.position(name, version),
                f"{name} {version} is locked, {message}",
                _remedy(context, name, release, version),
                _companion_edits(context, name, version, release),
                name=name,
                level=_level(name, [version], release),
            )


def _is_unused(context: Context, name: str, release: Release) -> bool:
    """Whether it is Keras 2 that another package brings where TensorFlow's own Keras is that.

    tensorflow-hub 0.16 requires it with every TensorFlow, and imports it where Keras is another.
    """
    own = {item.name for item in context.project.pyproject.requirements}
    return name == TF_KERAS and name not in own and keras_major(release) == LEGACY_KERAS


def _locked_releases(context: Context) -> tuple[Release, ...]:
    """The locked releases of TensorFlow."""
    lock = context.project.valid_lock
    names = map(canonicalize_name, tensorflow_distributions())
    versions = {one for name in names for one in (lock.versions.get(name, ()) if lock else ())}
    found = (locked_release("tensorflow", version) for version in sorted(versions))
    return tuple(release for release in found if release is not None)


def _installed_together(
    project: Project, names: Collection[NormalizedName]
) -> dict[tuple[NormalizedName, Version], tuple[Release, ...]]:
    """The releases of TensorFlow that each release of a companion is installed with."""
    found: dict[tuple[NormalizedName, Version], tuple[Release, ...]] = {}
    for installation in installations(project):
        if (release := installation.tensorflow) is None:
            continue
        for package in installation.packages:
            if package.name in names and package.parsed is not None:
                key = package.name, package.parsed
                found[key] = tuple(dict.fromkeys((*found.get(key, ()), release)))
    return found


def _companion_edits(
    context: Context, name: str, version: Version, release: Release
) -> tuple[Edit, ...]:
    """The edits that make the project's own requirements admit what fits, and nothing newer.

    Empty where one admits nothing that fits, and where it is for the author to decide.
    """
    project, pyproject = context.project, context.project.pyproject
    items = _bringing(context, name, version, release)
    if (
        bounds_on(name, release) is not None
        or not pyproject.is_managed
        or not all(may_write(project, item) and item.source is None for item in items)
        or _refusing(context, name, release)
    ):
        return ()
    edits: list[Edit] = []
    for item in items:
        lines = companion_lines(project, item, release, _pythons(context))
        own = () if any(line.companion.basis == "metadata" for line in lines) else lines
        if not own or not (made := companion_line_edits(project, item, own)):
            return ()
        edits += made
    return tuple(edits)


def _bringing(context: Context, name: str, version: Version, release: Release) -> list[Requirement]:
    """The project's own requirements that bring a locked release beside one of TensorFlow."""
    project = context.project
    items = [
        item
        for item in project.pyproject.requirements
        if item.name == name and item.constraint.allows(to_poetry_version(version))
    ]
    beside = [*pairings(project, release, items)]
    others = {pair.item.path for pair in beside}
    own = {pair.item.path for pair in beside if pair.release.series == release.series}
    return [item for item in items if item.path in own or item.path not in others]


def _pythons(context: Context) -> tuple[str, ...]:
    return context.plan.pythons if context.plan is not None else ()


def _usable(context: Context, name: str, release: Release) -> list[Companion]:
    return usable_companions(canonicalize_name(name), release, _pythons(context))


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
    if bounds_on(item.name, release) is not None:
        return None  # a solver respects what TensorFlow itself requires
    if not admits_no_fit(item, release) or admits_later(item):
        return None
    admitted = [one for one in companions()[item.name] if _admits(item, one)]
    if all(one.basis == "metadata" for one in admitted):
        return None  # a solver finds it
    what = _made_for(admitted[0]) if len(admitted) == 1 else _made_for(admitted[0], admitted[-1])
    return f"{item.name} {item.written} is {what}, not for TensorFlow {release.version}"


def _admits(item: Requirement, companion: Companion) -> bool:
    return item.constraint.allows(to_poetry_version(companion.version))


def _level(name: str, versions: Collection[Version], release: Release) -> Severity | None:
    """A warning if one of the releases names the TensorFlow in an extra, without being made for it.

    tensorflow-addons does: only what it has compiled is for a single series.
    """
    known = [one for one in companions().get(name, ()) if one.version in versions]
    return "warning" if any(has_extra_for(one, release) for one in known) else None


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
    if companion.basis != "documented" and any(
        specifier.contains(version) for specifier in required_by(release, name, in_extras=True)
    ):
        return None
    return f"which is {_made_for(companion)}, not for TensorFlow {release.version}"


def _refusing(context: Context, name: str, release: Release) -> tuple[NormalizedName, str] | None:
    """The locked package that admits no release of a companion which fits; None without one."""
    fitting = [to_poetry_version(fit.companion.version) for fit in fits(name, release)]
    return refusing(
        context.project.valid_lock, name, lambda constraint: any(map(constraint.allows, fitting))
    )


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


def _remedy(context: Context, name: str, release: Release, locked: Version | None = None) -> str:
    if bounds_on(name, release) is not None:
        return "Run `poetry lock`, and find out what changed the lock file"
    if usable := _usable(context, name, release):
        if (refused := _refusing(context, name, release)) is not None:
            return (
                f"{refused[1]}, which no release of {name} for TensorFlow {release.version} "
                "satisfies: require another version of it, remove it, or stay with a TensorFlow "
                "that both are made for"
            )
        for item in _bringing(context, name, locked, release) if locked is not None else ():
            lines = companion_lines(
                context.project, item, release, _pythons(context), as_required=False
            )
            if len(lines) > 1:
                texts = format_list(f"'{line.required(item).text}'" for line in lines)
                return f"Require {texts}, one for each TensorFlow"
        return f"Require {name} {usable[-1].version}, which fits TensorFlow {release.version}"
    last = next((one for one in reversed(companions().get(name, ())) if one.fits), None)
    text = f"No release of {name} is known to fit TensorFlow {release.version}"
    return f"{text}; {last.version} is {_made_for(last)}" if last else text
