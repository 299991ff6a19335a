"""Fitting the requirements of a list to what an index has and to what a solver reports.

Nothing here accesses the index: its releases are passed in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from poetry_tf.migration.classify import Classification
from poetry_tf.migration.entries import ListEntry, SkippedLine
from poetry_tf.migration.required import Relaxation, RequiredEntry, relax_requirement
from poetry_tf.migration.tensorflow import holds_in
from poetry_tf.plan.environments import Target, marker_without
from poetry_tf.text import format_list, shell_word

_CONFLICT = "conflicts with the other packages"


@dataclass(frozen=True)
class IndexRelease:
    """A release of a distribution in an index.

    Attributes:
        fits: whether a wheel of it can be installed in the project's environment.
        missing: the project's other environments in which no file of it can be installed.
        has_wheel: whether it has a wheel for any environment.
        has_source: whether it has a source distribution for the project's Python.
        is_compiled: whether it has a wheel for one platform only.
    """

    version: Version
    fits: bool
    missing: tuple[str, ...] = ()
    has_wheel: bool = False
    has_source: bool = False
    is_compiled: bool = False


def fit_to_index(
    found: Classification,
    releases: Mapping[NormalizedName, Sequence[IndexRelease] | None],
    target: Target,
) -> Classification:
    """The classification with its requirements relaxed, or skipped, to match an index.

    `releases` has None for a name that the index does not have. Names that are not in it were not
    looked up, and stay as they are.
    """
    required: list[RequiredEntry] = []
    skipped = [*found.skipped]
    for item in found.required:
        if item.key not in releases or item.entry.address:
            required.append(item)
        elif releases[item.key] and not holds_in(item.entry.marker, target):
            required.append(item)  # only this target was looked up
        elif (existing := releases[item.key]) is None:
            reason = "PyPI has no package of this name"
            if item.entry.manager == "conda":
                reason += (
                    ": it may have another name there, or be a library that belongs in the "
                    "container's image"
                )
            skipped.append(SkippedLine(item.entry.written, reason, item.entry.location))
        elif item.entry.exact is not None and item.entry.exact.is_prerelease:
            required.append(item)  # the table has no prereleases
        elif (chosen := _strictest_available(item, existing, target)) is not None:
            required.append(chosen)
        else:
            reason = f"PyPI has no file of it for Python {target.python}"
            skipped.append(SkippedLine(item.entry.written, reason, item.entry.location))
    return replace(found, required=tuple(required), skipped=tuple(skipped))


def _strictest_available(
    item: RequiredEntry, releases: Sequence[IndexRelease], target: Target
) -> RequiredEntry | None:
    """The requirement, relaxed until a release satisfies it; None if none can be installed."""
    # If there are wheels at all, a release with only its source is older than these.
    usable = [release for release in releases if release.fits] or [
        release for release in releases if release.has_source
    ]
    current: RequiredEntry | None = item
    reason = item.reason
    while current is not None:
        admitted = [release for release in usable if current.admits(release.version)]
        if admitted:
            return _excluding(current, admitted[-1].missing)
        if not reason:
            exists = any(item.admits(release.version) for release in releases)
            reason = (
                f"no wheel for Python {target.python}"
                if exists
                else f"PyPI has no {item.entry.exact or 'such version'}"
            )
        current = relax_requirement(current, reason)
    return None


def without_builds(
    found: Classification,
    releases: Mapping[NormalizedName, Sequence[IndexRelease] | None],
    obstacle: Callable[[NormalizedName, Version], str | None],
    target: Target,
) -> Classification:
    """The classification without the packages that would have to be compiled in the container.

    `obstacle` returns why a release can't simply be built from source, None if it can. It is called
    only for packages without any wheel.
    """
    required, skipped = [], [*found.skipped]
    for item in found.required:
        admitted = [one for one in releases.get(item.key) or () if item.admits(one.version)]
        newest = max((one.version for one in admitted), default=None)
        reason = None
        if newest is None or any(one.fits for one in admitted):
            pass
        elif not holds_in(item.entry.marker, target):
            pass  # only this target was looked up
        elif any(one.is_compiled for one in admitted):
            reason = (
                f"PyPI has no wheel of it for Python {target.python}, only source code to compile"
            )
        elif not any(one.has_wheel for one in admitted):
            why = obstacle(item.key, newest)
            reason = why and f"PyPI has only its source code, {why}"
        if reason is None:
            required.append(item)
        else:
            pin = f"@{item.entry.exact}" if item.entry.exact else item.entry.specifier
            word = shell_word(f"{item.name}{pin}") or "NAME"
            reason += (
                f": add it with `poetry add {word}` where the libraries it needs are installed"
            )
            skipped.append(SkippedLine(item.entry.written, reason, item.entry.location))
    return replace(found, required=tuple(required), skipped=tuple(skipped))


def fit_addresses(
    found: Classification, targets: Sequence[Target], fits: Callable[[str, Target], bool]
) -> Classification:
    """The classification without the wheels from addresses where these are for something else.

    `fits` is whether a wheel of a file name can be installed in a target. What can't be in the
    first target is left to the user.
    """
    required, skipped = [], [*found.skipped]
    for item in found.required:
        file = unquote(re.split(r"[?#]", item.entry.address)[0].rpartition("/")[2])
        missing = [one for one in targets if file.endswith(".whl") and not fits(file, one)]
        if targets[0] in missing and holds_in(item.entry.marker, targets[0]):
            where = f"Python {targets[0].python} on {targets[0].environment}"
            reason = f"its wheel is not for {where}: add another with `poetry add`"
            skipped.append(SkippedLine(item.entry.written, reason, item.entry.location))
        else:
            required.append(_excluding(item, [one.environment for one in missing]))
    return replace(found, required=tuple(required), skipped=tuple(skipped))


def without_unreadable(
    found: Classification, fault: Callable[[RequiredEntry], str | None]
) -> Classification:
    """The classification without what comes from addresses that can't be read.

    `fault` returns why a requirement's address can't be read, None if it can.
    """
    required, skipped = [], [*found.skipped]
    for item in found.required:
        why = fault(item) if item.entry.address else None
        if why is None:
            required.append(item)
        else:
            reason = f"its address can't be read ({why}): add it with `poetry add` where it can"
            skipped.append(SkippedLine(item.entry.written, reason, item.entry.location))
    return replace(found, required=tuple(required), skipped=tuple(skipped))


def without_missing_files(
    found: Classification,
    missing: Mapping[NormalizedName, Sequence[str]],
    brought: Mapping[NormalizedName, frozenset[NormalizedName]],
    environment: str,
) -> Classification | None:
    """The classification without requirements whose dependencies have no file in an environment.

    `missing` are the packages with these environments, `brought` what each requirement brings, and
    `environment` the one that the project needs most: what it has no file of is left to the user,
    elsewhere a marker leaves it out. None where that changes nothing.
    """
    required, skipped = [], [*found.skipped]
    for item in found.required:
        lacking = {name: missing[name] for name in brought.get(item.key, ()) if name in missing}
        places = [one for environments in lacking.values() for one in environments]
        if environment in places:
            names = format_list(sorted(lacking))
            reason = f"it requires {names}, which has no file for {environment}"
            skipped.append(SkippedLine(item.entry.written, reason, item.entry.location))
        else:
            required.append(_excluding(item, list(dict.fromkeys(places))))
    after = replace(found, required=tuple(required), skipped=tuple(skipped))
    return after if after != found else None


def within_bounds(
    found: Classification, broken: Mapping[NormalizedName, tuple[str, str]]
) -> Classification | None:
    """The classification with the requirements that break beside what is locked in other versions.

    `broken` are their names, each with the versions that work and why the others do not. None where
    that changes nothing.
    """

    def bounded(item: RequiredEntry) -> RequiredEntry:
        if item.key not in broken:
            return item
        bound, reason = broken[item.key]
        return replace(item, relaxation=Relaxation.ANY, bound=bound, reason=reason)

    after = replace(found, required=tuple(map(bounded, found.required)))
    return after if after != found else None


def _excluding(item: RequiredEntry, environments: Sequence[str]) -> RequiredEntry:
    """The requirement with a marker that excludes environments."""
    if not environments or item.entry.marker:
        return item
    marker = marker_without(environments)
    return replace(item, entry=replace(item.entry, marker=marker), excluded=tuple(environments))


def relax_conflicting(
    found: Classification, conflicting: Iterable[str], *, everything: bool = False
) -> Classification | None:
    """The classification with the conflicting requirements relaxed one step further.

    With `everything`, every requirement admits any version. None if nothing can be relaxed.
    """
    names = set(map(canonicalize_name, conflicting))
    changed = False
    required: list[RequiredEntry] = []
    for item in found.required:
        current = item
        if everything or item.key in names:
            while (more := relax_requirement(current, _CONFLICT)) is not None:
                current = more
                if not everything:
                    break
        changed |= current is not item
        required.append(current)
    return replace(found, required=tuple(required)) if changed else None


def listed_versions(
    entries: Iterable[RequiredEntry],
    releases: Mapping[NormalizedName, Sequence[IndexRelease] | None],
) -> dict[NormalizedName, Version]:
    """The one version of each package that a list names, of those that can be installed."""
    return {
        item.key: item.entry.exact
        for item in entries
        if item.entry.exact is not None
        and any(
            one.fits and one.version == item.entry.exact for one in releases.get(item.key) or ()
        )
    }


def constrained_versions(
    constraints: Iterable[ListEntry],
    releases: Mapping[NormalizedName, Sequence[IndexRelease] | None],
) -> dict[NormalizedName, Version]:
    """The newest version of each package within its constraints, of those that can be installed."""
    specifiers: dict[NormalizedName, list[str]] = {}
    for item in constraints:
        if item.specifier:
            specifiers.setdefault(item.key, []).append(item.specifier)
    found: dict[NormalizedName, Version] = {}
    for name, texts in specifiers.items():
        joint = SpecifierSet(",".join(texts))
        fitting = (one.version for one in releases.get(name) or () if one.fits)
        admitted = [one for one in fitting if joint.contains(one, prereleases=True)]
        if admitted:
            found[name] = max(admitted)
    return found


def free_versions(
    found: Classification, listed: Mapping[NormalizedName, Version]
) -> Classification | None:
    """The classification with all listed versions relaxed one step further; None if they are open.

    A solver that prefers these versions keeps most of them.
    """

    def freed(item: RequiredEntry) -> RequiredEntry:
        more = relax_requirement(item, _CONFLICT) if item.key in listed else None
        return item if more is None else more

    after = replace(found, required=tuple(map(freed, found.required)))
    return after if after != found else None


def keep_versions(
    freed: Classification,
    before: Classification,
    locked: Mapping[NormalizedName, Collection[Version]],
) -> Classification:
    """The freed classification with each requirement as strict as before, or as its lock allows."""
    known = {(item.key, item.entry.marker): item for item in before.required}

    def kept(item: RequiredEntry) -> RequiredEntry:
        current: RequiredEntry | None = known.get((item.key, item.entry.marker))
        while current is not None:
            if all(map(current.admits, locked.get(item.key, ()))):
                return current
            current = relax_requirement(current, _CONFLICT)
        return item

    return replace(freed, required=tuple(map(kept, freed.required)))


def without_conflicting(
    found: Classification, conflicting: Iterable[str], *, every: bool = False
) -> Classification | None:
    """The classification without the last of the conflicting requirements, or without all of them.

    What is left out is left to the user. None if no requirement of the list is among them.
    """
    names = set(map(canonicalize_name, conflicting))
    among = [item for item in found.required if item.key in names]
    if not among:
        return None
    left_out = among if every else among[-1:]
    skipped = [
        SkippedLine(
            item.entry.written,
            "no version fits the other packages: add it later with `poetry add`",
            item.entry.location,
        )
        for item in left_out
    ]
    required = tuple(item for item in found.required if item not in left_out)
    return replace(found, required=required, skipped=(*found.skipped, *skipped))
