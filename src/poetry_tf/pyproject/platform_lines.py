"""The requirements that have to stand beside a TensorFlow: on its shims, on its file system."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from packaging.utils import canonicalize_name
from packaging.version import Version
from poetry.core.constraints.version import VersionConstraint, VersionRange, parse_constraint
from poetry.core.packages.dependency import Dependency
from poetry.core.version.markers import BaseMarker, EmptyMarker, parse_marker

from poetry_tf.files.requirements import Requirement
from poetry_tf.plan.environments import ENVIRONMENTS, Target, unserved_targets, usable_targets
from poetry_tf.plan.python import marker_pythons
from poetry_tf.plan.requirement import constraint_series, to_poetry_version
from poetry_tf.pyproject.requirement_edits import MarkedRequirement
from poetry_tf.releases import Companion, Release, normalize, whole
from poetry_tf.releases.companions import companions
from poetry_tf.releases.model import numbers

FILESYSTEM = canonicalize_name("tensorflow-io-gcs-filesystem")


@dataclass(frozen=True)
class TensorFlowUse:
    """The use of one release of TensorFlow by the requirements of one list or table."""

    release: Release
    targets: tuple[Target, ...]
    """The project's targets in which the requirements count and the release is usable."""
    python: VersionConstraint
    """The Pythons that the project admits."""
    where: BaseMarker
    """Where the requirements count."""
    filesystem: BaseMarker
    """Where the release requires `FILESYSTEM`."""

    def narrowed(self, marker: BaseMarker, targets: Iterable[Target]) -> BaseMarker:
        """The marker of a platform, narrowed to where the requirements count if they count less."""
        if all(target.admits(self.where) for target in targets) and not narrows(
            self.where, marker, self.python
        ):
            return marker
        return marker.intersect(self.where)


def union_markers(markers: Iterable[BaseMarker]) -> BaseMarker:
    """A marker that holds where any of them does; of no markers, nowhere."""
    result: BaseMarker = EmptyMarker()
    for marker in markers:
        result = result.union(marker)
    return result


def narrows(own: BaseMarker, marker: BaseMarker, python: VersionConstraint) -> bool:
    """Whether `own` holds for fewer of the project's Pythons than `marker` does."""
    whole_range = marker_pythons(marker).intersect(python)
    return not marker_pythons(marker.intersect(own)).allows_all(whole_range)


# -- shims: wheels that only require the distribution that holds the files of their platform ----


def shim_for(release: Release, environment: str) -> str | None:
    """The distribution that a release's wheel for an environment requires, if that is a shim."""
    wheels = release.wheels.get(environment)
    return wheels.target if wheels is not None and wheels.kind == "shim" else None


def shim_lines(
    use: TensorFlowUse, constraint: VersionConstraint, written: str
) -> Iterator[MarkedRequirement]:
    """The requirements on shims' distributions that a use of TensorFlow needs.

    `constraint` is the pin of TensorFlow and `written` its text, empty where it can't be copied.
    """
    for environment in dict.fromkeys(target.environment for target in use.targets):
        name = shim_for(use.release, environment)
        if name is not None:
            marker = parse_marker(ENVIRONMENTS[environment].marker)
            narrowed = use.narrowed(marker, usable_targets(use.release, environment))
            yield MarkedRequirement(
                canonicalize_name(name),
                _shim_constraint(use, environment, name, constraint, written),
                ENVIRONMENTS[environment].marker if narrowed == marker else str(narrowed),
            )


def _shim_constraint(
    use: TensorFlowUse, environment: str, name: str, constraint: VersionConstraint, written: str
) -> str:
    """The pin of TensorFlow itself, so that both move together; it ends where the shim does.

    Of an inferred release it begins at the known one: whether the shim's distribution has the same
    patch only the index tells.
    """
    release = use.release
    first = release.inferred_from or release.version
    end = _end_of_shim(use, environment, name)
    if written and constraint_series(constraint) == release.series:
        beyond = parse_constraint(f">={end}") if end else None
        if constraint.allows(to_poetry_version(first)) and not (
            beyond and constraint.allows_any(beyond)
        ):
            return written
    major, minor = release.version.release[:2]
    return f">={first},<{end or f'{major}.{minor + 1}.0'}"


def _end_of_shim(use: TensorFlowUse, environment: str, name: str) -> Version | None:
    """The first later release of the series that does not use this shim.

    From there on TensorFlow's own wheel is a real one, or the shim's distribution has no wheel.
    """
    release = use.release
    mains, shims = whole(release.distribution), whole(name)
    versions = {
        item.version for catalog in (mains, shims) for item in catalog.in_series(release.series)
    }
    targets = [target for target in use.targets if target.environment == environment]
    for version in sorted(item for item in versions if item > release.version):
        main, shim = mains.get(version), shims.get(version)
        wheels = main.wheels.get(environment) if main is not None else None
        if wheels is not None and (wheels.kind, wheels.target) != ("shim", name):
            return version
        if shim is not None and unserved_targets(shim, targets):
            return version
    return None


# -- the file system ------------------------------------------------------------------------
# Its newest version has no wheel for Windows and old Pythons. A solver takes that version all the
# same, and a single requirement holds everywhere. So the project needs several, with complementary
# markers and each with versions that have wheels there.


def where_required(release: Release, extras: Iterable[str]) -> BaseMarker:
    """Where a release requires the file system, with these extras."""
    return union_markers(
        dependency.marker.without_extras()
        for dependency in _requirements_of(release)
        if not dependency.in_extras or {*dependency.in_extras} & {*extras}
    )


def _requirements_of(release: Release) -> Iterator[Dependency]:
    for text in release.requires:
        if normalize(text).startswith(FILESYSTEM):
            yield Dependency.create_from_pep_508(text)


def versions_for(release: Release) -> tuple[Companion, ...]:
    """The versions of the file system that a release admits, ascending."""
    constraints = [dependency.constraint for dependency in _requirements_of(release)]
    return tuple(
        companion
        for companion in companions()[FILESYSTEM]
        if not companion.yanked
        and all(
            constraint.allows(to_poetry_version(companion.version)) for constraint in constraints
        )
    )


def has_wheel(companion: Companion, release: Release, target: Target) -> bool:
    """Whether a version of the file system has a wheel in a target, beside a release."""
    return target.python in companion.pythons_for(release, target.environment)


def filesystem_lines(use: TensorFlowUse) -> tuple[MarkedRequirement, ...]:
    """The fewest complementary requirements that give each target a version with a wheel.

    Environments that are not declared get the version that they get without them.
    """
    release, versions = use.release, versions_for(use.release)
    requiring = [target for target in use.targets if target.admits(use.filesystem)]
    unserved = [
        target
        for target in requiring
        if not has_wheel(versions[-1], release, target)
        and any(has_wheel(version, release, target) for version in versions)
    ]
    if not unserved:
        return ()
    groups = _grouped(unserved, versions[:-1], release)
    pythons = sorted({target.python for target in requiring}, key=numbers)
    # In every environment, so that the undeclared ones keep the newest version.
    served = [
        target
        for name in ENVIRONMENTS
        for target in usable_targets(release, name)
        if target not in unserved
        and target.python in pythons
        and target.admits(use.filesystem)
        and has_wheel(versions[-1], release, target)
    ]
    # TensorFlow's own constraint.
    bound = str(next(_requirements_of(release)).constraint).replace(" ", "")
    lines: list[MarkedRequirement] = []
    texts: list[str] = []
    for version, group in groups.items():
        others = [target for target in (*served, *unserved) if target not in group]
        texts.append(_described(group, others, pythons))
        lines.append(_filesystem_line(use, f"{bound},<{_after(version)}", texts[-1], version))
    rest = union_markers(map(parse_marker, texts)).invert()
    if not rest.is_empty():
        lines.append(_filesystem_line(use, bound, str(rest), versions[-1]))
    return tuple(lines)


def _filesystem_line(
    use: TensorFlowUse, constraint: str, text: str, version: Companion
) -> MarkedRequirement:
    """A requirement whose marker excludes targets without TensorFlow or without a wheel."""
    marker = parse_marker(text)
    is_too_wide = any(
        target.admits(marker)
        and not target.admits(use.filesystem)
        and not has_wheel(version, use.release, target)
        for target in use.targets
    )
    if is_too_wide or narrows(use.filesystem, marker, use.python):
        text = str(marker.intersect(use.filesystem))
    return MarkedRequirement(FILESYSTEM, constraint, text)


def _grouped(
    unserved: Sequence[Target], versions: Sequence[Companion], release: Release
) -> Mapping[Companion, list[Target]]:
    """The targets by the version that each gets: as few versions, and then as new, as possible."""
    newest_first = versions[::-1]
    for count in range(1, len(newest_first) + 1):
        for chosen in combinations(newest_first, count):
            found: dict[Companion, list[Target]] = {}
            for target in unserved:
                fits = (item for item in chosen if has_wheel(item, release, target))
                if (version := next(fits, None)) is None:
                    break
                found.setdefault(version, []).append(target)
            else:
                return found
    raise AssertionError("every unserved target has a version")


def _after(companion: Companion) -> str:
    """The version that follows, in its shortest form: 0.32 after 0.31.0."""
    later = next(
        item.version for item in companions()[FILESYSTEM] if item.version > companion.version
    )
    return f"{later.major}.{later.minor}" if not later.micro else str(later)


def _described(group: Sequence[Target], others: Sequence[Target], pythons: Sequence[str]) -> str:
    """A short marker that holds in every target of a group and in none of the others.

    `pythons` are all minors of the targets, ascending.
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
    indexes = sorted(pythons.index(minor) for minor in minors)
    first, last = indexes[0], indexes[-1]
    if len(indexes) < last - first + 1:
        return "({})".format(" or ".join(f'python_version == "{pythons[at]}"' for at in indexes))
    parts = [f'python_version >= "{pythons[first]}"'] if first else []
    if last + 1 < len(pythons):
        parts.append(f'python_version < "{pythons[last + 1]}"')
    return " and ".join(parts)


def _environments_text(names: Sequence[str], others: Iterable[str]) -> Iterator[str]:
    """Markers for environments, by the system alone where that is enough."""
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
    """The versions from which Poetry chooses for a target, ascending.

    Poetry solves by markers only where there are several constraints; a single one holds
    everywhere, whatever its marker.
    """
    if len({item.constraint for item in found}) > 1:
        found = [item for item in found if target.admits(item.marker)]
    return tuple(
        version
        for version in versions
        if all(item.constraint.allows(to_poetry_version(version.version)) for item in found)
    )


def is_ours(found: Sequence[Requirement]) -> bool:
    """Whether these requirements are what `filesystem_lines` returns for some release.

    They have markers that exclude each other. All have TensorFlow's lower bound; all but one also
    end at a version of the file system.
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
