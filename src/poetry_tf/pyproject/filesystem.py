"""tensorflow-io-gcs-filesystem, whose newest version has no wheel for Windows and old Pythons.

A solver doesn't know: it takes the newest, and one line that forbids that holds everywhere. It
takes lines whose markers part the world, each with the versions that can be had in its part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations

from packaging.utils import canonicalize_name
from packaging.version import Version
from poetry.core.constraints.version import VersionRange
from poetry.core.packages.dependency import Dependency
from poetry.core.version.markers import BaseMarker, EmptyMarker, parse_marker

from poetry_tf.files.requirements import Requirement
from poetry_tf.plan.environments import ENVIRONMENTS, Target, usable_targets
from poetry_tf.plan.requirement import to_poetry_version
from poetry_tf.pyproject.tensorflow_use import MarkedRequirement, TensorFlowUse, narrows
from poetry_tf.releases import Companion, Release, normalize
from poetry_tf.releases.companions import companions
from poetry_tf.releases.model import numbers

FILESYSTEM = canonicalize_name("tensorflow-io-gcs-filesystem")


def where_required(release: Release, extras: Iterable[str]) -> BaseMarker:
    """Where a release requires the file system, with these extras asked for."""
    marker: BaseMarker = EmptyMarker()
    for dependency in requirements_of(release):
        if not dependency.in_extras or {*dependency.in_extras} & {*extras}:
            marker = marker.union(dependency.marker.without_extras())
    return marker


def requirements_of(release: Release) -> Iterator[Dependency]:
    for text in release.requires:
        if normalize(text).startswith(FILESYSTEM):
            yield Dependency.create_from_pep_508(text)


def versions_for(release: Release) -> tuple[Companion, ...]:
    """The versions of the file system that a release admits, ascending."""
    constraints = [dependency.constraint for dependency in requirements_of(release)]
    return tuple(
        companion
        for companion in companions()[FILESYSTEM]
        if not companion.yanked
        and all(
            constraint.allows(to_poetry_version(companion.version)) for constraint in constraints
        )
    )


def has_wheel(companion: Companion, release: Release, target: Target) -> bool:
    return target.python in companion.pythons_for(release, target.environment)


def filesystem_lines(asked: TensorFlowUse) -> tuple[MarkedRequirement, ...]:
    """Complementary lines, as few as do, that give each target a version which has a wheel there.

    Environments that aren't declared get what they would get without.
    """
    release, versions = asked.release, versions_for(asked.release)
    needing = [target for target in asked.targets if target.admits(asked.filesystem)]
    lacking = [
        target
        for target in needing
        if not has_wheel(versions[-1], release, target)
        and any(has_wheel(version, release, target) for version in versions)
    ]
    if not lacking:
        return ()
    groups = _grouped(lacking, versions[:-1], release)
    pythons = sorted({target.python for target in needing}, key=numbers)
    # Where nothing is lacking, which is said of the undeclared environments as well.
    well = [
        target
        for name in ENVIRONMENTS
        for target in usable_targets(release, name)
        if target not in lacking
        and target.python in pythons
        and target.admits(asked.filesystem)
        and has_wheel(versions[-1], release, target)
    ]
    bound = _bound(release)
    lines: list[MarkedRequirement] = []
    every: BaseMarker = EmptyMarker()
    for version, group in groups.items():
        others = [target for target in (*well, *lacking) if target not in group]
        text = _described(group, others, pythons)
        lines.append(_filesystem_line(asked, f"{bound},<{_after(version)}", text, version))
        every = every.union(parse_marker(text))
    rest = every.invert()
    if not rest.is_empty():
        lines.append(_filesystem_line(asked, bound, str(rest), versions[-1]))
    return tuple(lines)


def _filesystem_line(
    asked: TensorFlowUse, constraint: str, text: str, version: Companion
) -> MarkedRequirement:
    """A line that doesn't ask for the file system where that can't be had, or TensorFlow isn't."""
    marker = parse_marker(text)
    astray = any(
        target.admits(marker)
        and not target.admits(asked.filesystem)
        and not has_wheel(version, asked.release, target)
        for target in asked.targets
    )
    if astray or narrows(asked.filesystem, marker, asked.python):
        text = str(marker.intersect(asked.filesystem))
    return MarkedRequirement(FILESYSTEM, constraint, text)


def _grouped(
    lacking: Sequence[Target], versions: Sequence[Companion], release: Release
) -> Mapping[Companion, list[Target]]:
    """The targets by the version that each is to get: few versions first, then new ones."""
    newest_first = versions[::-1]
    for count in range(1, len(newest_first) + 1):
        for chosen in combinations(newest_first, count):
            found: dict[Companion, list[Target]] = {}
            for target in lacking:
                fits = (item for item in chosen if has_wheel(item, release, target))
                if (version := next(fits, None)) is None:
                    break
                found.setdefault(version, []).append(target)
            else:
                return found
    raise AssertionError("every lacking target has a version")


def _bound(release: Release) -> str:
    """TensorFlow's own constraint on the file system."""
    first = next(requirements_of(release))
    return str(first.constraint).replace(" ", "")


def _after(companion: Companion) -> str:
    """The version that follows, as short as it can be written: 0.32 after 0.31.0."""
    later = next(
        item.version for item in companions()[FILESYSTEM] if item.version > companion.version
    )
    return f"{later.major}.{later.minor}" if not later.micro else str(later)


def _described(group: Sequence[Target], others: Sequence[Target], pythons: Sequence[str]) -> str:
    """A marker that holds in every target of a group and in none of the others, short to read.

    `pythons`: all minors in question, ascending.
    """
    mixed = {target.python for target in others}
    common = {target.python for target in group} - mixed
    terms = [_python_text(common, pythons)] if common else []
    if common and not terms[0]:
        return ""
    left: dict[str, set[str]] = {}
    for target in group:
        if target.python not in common:
            left.setdefault(target.environment, set()).add(target.python)
    alike: dict[str, list[str]] = {}
    for name, minors in left.items():
        shared = any(target.environment == name for target in others)
        alike.setdefault(_python_text(minors, pythons) if shared else "", []).append(name)
    elsewhere = {target.environment for target in others}
    for text, names in alike.items():
        for place in _environments_text(names, (elsewhere | {*left}) - {*names}):
            terms.append(f"{place} and {text}" if text else place)
    return " or ".join(
        f"({term})" if " and " in term and len(terms) > 1 else term for term in terms
    )


def _python_text(minors: set[str], pythons: Sequence[str]) -> str:
    """A marker for some of the Python minors; empty where it is all of them."""
    places = sorted(pythons.index(minor) for minor in minors)
    first, last = places[0], places[-1]
    if len(places) < last - first + 1:
        return "({})".format(" or ".join(f'python_version == "{pythons[at]}"' for at in places))
    parts = [f'python_version >= "{pythons[first]}"'] if first else []
    if last + 1 < len(pythons):
        parts.append(f'python_version < "{pythons[last + 1]}"')
    return " and ".join(parts)


def _environments_text(names: Sequence[str], others: Iterable[str]) -> Iterator[str]:
    """Markers for environments, by the system alone where that says enough."""
    taken = {ENVIRONMENTS[name].sys_platform for name in others}
    systems = dict.fromkeys(ENVIRONMENTS[name].sys_platform for name in names)
    for system in systems:
        if system not in taken:
            yield f'sys_platform == "{system}"'
    for name in names:
        if ENVIRONMENTS[name].sys_platform in taken:
            yield ENVIRONMENTS[name].marker


def admitted_in(
    target: Target, found: Sequence[Requirement], versions: Sequence[Companion]
) -> tuple[Companion, ...]:
    """The versions that Poetry has to choose from for a target, ascending.

    It solves by markers only where there are several requirements to tell apart; a single one
    holds everywhere, whatever its marker says.
    """
    if len({item.constraint for item in found}) > 1:
        found = [item for item in found if target.admits(item.marker)]
    return tuple(
        version
        for version in versions
        if all(item.constraint.allows(to_poetry_version(version.version)) for item in found)
    )


def is_ours(found: Sequence[Requirement]) -> bool:
    """Whether these requirements are what this module writes, for whatever release.

    Several with markers that exclude each other, one of them with no more than TensorFlow's lower
    bound and each other one with that and the next version as its end.
    """
    if len(found) < 2 or len({item.path[:-1] for item in found}) > 1:
        return False
    ends = {companion.version for companion in companions()[FILESYSTEM]}
    lows = {item.constraint.min for item in found if isinstance(item.constraint, VersionRange)}
    highs = [item.constraint.max for item in found if isinstance(item.constraint, VersionRange)]
    bounded = [high for high in highs if high is not None]
    return (
        len(highs) == len(found) == len(bounded) + 1
        and len(lows) == 1
        and None not in lows
        and all(Version(str(high.stable)) in ends for high in bounded)
        and not any(item.extras for item in found)
        and all(
            one.marker.intersect(other.marker).is_empty() for one, other in combinations(found, 2)
        )
    )
