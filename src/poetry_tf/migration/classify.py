"""What becomes of each line of a list: required, left to others, or left to the user.

Nothing here asks an index. What one has is handed in, as a table of releases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, Literal, TypeAlias

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version
from poetry.core.vcs.git import ParsedUrl

from poetry_tf.files.edits import Edit
from poetry_tf.files.project import Project
from poetry_tf.files.toml import Inline
from poetry_tf.files.values import KeyPath
from poetry_tf.migration.entries import ListEntry, PackageList, SkippedLine
from poetry_tf.migration.names import (
    NameClass,
    classify_name,
    has_other_versions,
    is_implied,
    is_imported,
    version_cap,
)
from poetry_tf.migration.tensorflow import admits_release, is_python
from poetry_tf.plan.environments import ENVIRONMENTS, Target
from poetry_tf.releases import Release, role
from poetry_tf.releases.breaking import keras_major

Fate: TypeAlias = Literal[
    "tensorflow", "needed", "container", "system", "builds", "tools", "python", "elsewhere", "had"
]
"""Why a line is not required: its kind (see `names.Kind`), or

- `needed`: another line's package requires it, so that the lock has it.
- `elsewhere`: it, or its marker, is for other systems than the project.
- `had`: the project requires it already.
"""


class Relaxation(IntEnum):
    """How much of the versions that a list names is asked for."""

    WRITTEN = 0
    MAJOR = 1
    """From the least that was named to the end of its major series."""
    ANY = 2


@dataclass(frozen=True)
class RequiredEntry:
    """A line that is required.

    Attributes:
        wanted: the line.
        name: PyPI's name for it.
        looseness: how much of its versions is asked for.
        why: why it is no more.
        lacking: the environments that it leaves out, where it can't be installed.
    """

    wanted: ListEntry
    name: str
    looseness: Relaxation = Relaxation.WRITTEN
    why: str = ""
    lacking: tuple[str, ...] = ()

    @property
    def key(self) -> NormalizedName:
        return canonicalize_name(self.name)

    @property
    def specifier(self) -> str:
        """What is asked for, as a standard specifier; empty for any version."""
        return relax_specifier(self.wanted.specifier, self.looseness)

    def admits(self, version: Version) -> bool:
        """Whether a version is within what is asked for."""
        return SpecifierSet(self.specifier).contains(version, prereleases=True)


@dataclass(frozen=True)
class DroppedEntry:
    """A line that is not required."""

    wanted: ListEntry
    fate: Fate


@dataclass(frozen=True)
class Classification:
    """What became of a list."""

    carried: tuple[RequiredEntry, ...]
    gone: tuple[DroppedEntry, ...]
    left: tuple[SkippedLine, ...]


def relax_specifier(specifier: str, looseness: Relaxation) -> str:
    """A specifier, with less of it the looser it is to be."""
    if looseness == Relaxation.WRITTEN or not specifier:
        return specifier
    least = lowest_version(specifier)
    if looseness == Relaxation.ANY or least is None:
        return ""
    return f">={least.public},<{least.major + 1}"


def lowest_version(specifier: str) -> Version | None:
    """The least version that a specifier names to begin with."""
    bounds = [
        Version(item.version.removesuffix(".*"))
        for item in SpecifierSet(specifier)
        if item.operator in {"==", ">=", "~=", ">", "==="}
    ]
    return max(bounds, default=None)


def relax_requirement(item: RequiredEntry, why: str) -> RequiredEntry | None:
    """The same, asking for less; None where there is nothing less to ask for."""
    for looseness in Relaxation:
        if looseness > item.looseness and relax_specifier(item.wanted.specifier, looseness) != (
            item.specifier
        ):
            return replace(item, looseness=looseness, why=why)
    return None


def classify_entries(
    listing: PackageList, release: Release, python: str, had: Iterable[str], *, moved: bool = False
) -> Classification:
    """Sorts the lines of a list for a project with a TensorFlow on a Python.

    `had` are the distributions that the project requires already; `moved` is whether the list
    meant another TensorFlow or Python, so that the versions of what these need mean nothing.
    """
    carried: dict[tuple[NormalizedName, str], RequiredEntry] = {}
    gone: list[DroppedEntry] = []
    left: list[SkippedLine] = list(listing.asides)
    known = {canonicalize_name(name) for name in had}
    own = {name for name in _required(release) if not is_imported(name)}
    for item in listing.wanted:
        if is_python(item):
            continue
        what = classify_name(item)
        fate = _fate(item, what, release, python)
        if fate is None and moved and what.kind == "package" and item.key in own:
            fate = "tensorflow"
        if fate is not None:
            gone.append(DroppedEntry(item, fate))
        elif what.kind == "collection":
            why = "a collection of packages: add those that are imported with `poetry add`"
            left.append(SkippedLine(item.written, why, item.place))
        elif what.kind == "main":
            left += _of_tensorflow(item)
        elif canonicalize_name(what.name) in known:
            gone.append(DroppedEntry(item, "had"))
        else:
            new = _first(item, what, release)
            key = (new.key, item.marker)
            if key in carried:
                new, notes = _both(carried[key], new)
                left += notes
            carried[key] = new
    return Classification(tuple(carried.values()), tuple(gone), tuple(left))


def _required(release: Release) -> set[NormalizedName]:
    """What a release of TensorFlow requires itself."""
    return {canonicalize_name(Requirement(line).name) for line in release.requires}


def _fate(item: ListEntry, what: NameClass, release: Release, python: str) -> Fate | None:
    if item.marker and not _holds_somewhere(item.marker, python):
        return "elsewhere"
    if what.kind in {"tensorflow", "container", "system", "builds", "tools", "python", "elsewhere"}:
        return what.kind
    if item.key == "keras" and not _own_keras(item, release):
        return "tensorflow"
    return None


def _own_keras(item: ListEntry, release: Release) -> bool:
    """Whether a line on Keras asks for a version where TensorFlow leaves a choice."""
    return keras_major(release) == 3 and bool(item.specifier) and admits_release(item, "3")


def _holds_somewhere(marker: str, python: str) -> bool:
    return any(_holds(marker, Target(name, python)) for name in ENVIRONMENTS)


def _holds(marker: str, target: Target) -> bool:
    variables = {**ENVIRONMENTS[target.environment].variables(target.python), "extra": ""}
    try:
        return not marker or Marker(marker).evaluate(variables)
    except ValueError:  # it compares what can't be compared; Poetry says so
        return True


def _of_tensorflow(item: ListEntry) -> Iterator[SkippedLine]:
    """What is to be said of a line that becomes the requirement on TensorFlow."""
    if role(item.name) == "nightly":
        why = "a nightly build is of no release: the newest final release is required in its place"
        yield SkippedLine(item.written, why, item.place)
    elif role(item.name) == "vendor":
        why = "TensorFlow for other devices than NVIDIA's: TensorFlow itself is required instead"
        yield SkippedLine(item.written, why, item.place)


def _first(item: ListEntry, what: NameClass, release: Release) -> RequiredEntry:
    """A line as it is required before anything was asked."""
    carried = RequiredEntry(item, what.name)
    if item.lost and not item.lost.startswith("@"):
        why = f"{item.lost!r} can't be said in a requirement"
        return replace(carried, why=why)
    series = f"{release.version.major}.{release.version.minor}"
    if (cap := version_cap(carried.key, series)) is not None:
        below, why = cap
        fits = item.exact is not None and item.exact < Version(below)
        lower = [
            part for part in SpecifierSet(item.specifier) if part.operator in {">=", ">", "!="}
        ]
        bounds = ",".join([*map(str, lower), f"<{below}"])
        return (
            carried if fits else replace(carried, wanted=replace(item, specifier=bounds), why=why)
        )
    if item.exact is not None and item.exact.local:
        why = f"PyPI has no builds that are called +{item.exact.local}"
        return replace(carried, wanted=replace(item, specifier=f"=={item.exact.public}"), why=why)
    if has_other_versions(item) and item.specifier:
        why = "under its own name it has other versions"
        return replace(carried, wanted=replace(item, specifier=""), why=why)
    is_bound = role(carried.name) in {"companion", "other"} and carried.key != "keras"
    is_bound = is_bound and item.exact is not None
    if is_bound and not item.specifier.startswith(f"=={series}."):
        why = "it has to fit TensorFlow, and the lock sees to that"
        return replace(carried, looseness=Relaxation.ANY, why=why)
    return carried


def _both(one: RequiredEntry, other: RequiredEntry) -> tuple[RequiredEntry, list[SkippedLine]]:
    """Two lines on one distribution as one; what pip was to install came last, and so it counts."""
    extras = tuple(sorted({*one.wanted.extras, *other.wanted.extras}))
    texts = [item.wanted.specifier for item in (one, other) if item.wanted.specifier]
    later = replace(other, wanted=replace(other.wanted, extras=extras))
    if one.wanted.address or other.wanted.address:
        return (later if other.wanted.address else one), []
    if not other.wanted.specifier:
        return replace(one, wanted=replace(one.wanted, extras=extras)), []
    if len({*texts}) < 2:
        return later, []
    joint = SpecifierSet(",".join(texts))
    exact = [item.version for item in joint if item.operator == "==" and "*" not in item.version]
    if not exact or all(joint.contains(version, prereleases=True) for version in exact):
        return replace(later, wanted=replace(later.wanted, specifier=str(joint))), []
    note = SkippedLine(
        one.wanted.written,
        f"contradicts {other.wanted.written!r} in line {other.wanted.place.line}, which is taken",
        one.wanted.place,
    )
    return later, [note]


# -- exports --------------------------------------------------------------------------------

Requires: TypeAlias = Mapping[NormalizedName, Iterable[NormalizedName]]
"""What each distribution requires, as an index has it."""


def tensorflow_entries(found: Classification) -> tuple[RequiredEntry, ...]:
    """The lines that TensorFlow brings along, as if they were required."""
    return tuple(
        RequiredEntry(item.wanted, item.wanted.name)
        for item in found.gone
        if item.fate == "tensorflow"
    )


def direct_entries(found: Classification, requires: Requires, release: Release) -> Classification:
    """An export without what is only there because something else, or TensorFlow, requires it.

    Kept is what no other line's package requires, and what people import by itself. `requires`
    also has what TensorFlow brings along.
    """
    names = [item.key for item in found.carried]
    listed = {*names}
    of_tensorflow = _required(release)
    for name in requires.keys() - listed:
        of_tensorflow.update(requires[name])
    below = {
        name: {other for other in requires.get(name, ()) if other in listed and other != name}
        for name in dict.fromkeys(names)
    }
    required = of_tensorflow.union(*below.values())
    roots = [name for name in below if name not in required and not is_implied(name)]
    reached = _reached([*roots, *(of_tensorflow & listed)], below)
    for name in below:  # those that require each other, and that nothing else requires
        if name not in reached and not is_implied(name):
            roots.append(name)
            reached |= _reached([name], below)
    stays = {*roots, *(name for name in names if is_imported(name))}
    return replace(
        found,
        carried=tuple(item for item in found.carried if item.key in stays),
        gone=(
            *found.gone,
            *(
                DroppedEntry(item.wanted, "needed")
                for item in found.carried
                if item.key not in stays
            ),
        ),
    )


def _reached(
    roots: Iterable[NormalizedName], below: Mapping[NormalizedName, Iterable[NormalizedName]]
) -> set[NormalizedName]:
    reached: set[NormalizedName] = set()
    queue = [*roots]
    while queue:
        name = queue.pop()
        if name not in reached:
            reached.add(name)
            queue += below[name]
    return reached


# -- what an index has ----------------------------------------------------------------------


@dataclass(frozen=True)
class IndexRelease:
    """One release that an index has.

    Attributes:
        version: its version.
        fits: whether a wheel of it can be installed in the project's environment.
        lacking: the further environments of the project in which nothing of it can be installed.
        has_wheel: whether it has a wheel for any environment.
        has_source: whether it can be built from source, if a compiler and libraries are there.
    """

    version: Version
    fits: bool
    lacking: tuple[str, ...] = ()
    has_wheel: bool = False
    has_source: bool = False


def fit_to_index(
    found: Classification,
    offers: Mapping[NormalizedName, Sequence[IndexRelease] | None],
    target: Target,
) -> Classification:
    """What is required, as far as an index has it for a Python.

    `offers` has None for a name that the index doesn't know; what it lacks wasn't asked for.
    """
    carried: list[RequiredEntry] = []
    left = [*found.left]
    for item in found.carried:
        if item.key not in offers or item.wanted.address:
            carried.append(item)
        elif offers[item.key] and not _holds(item.wanted.marker, target):
            carried.append(item)  # what it is for is not looked at
        elif (releases := offers[item.key]) is None:
            left.append(SkippedLine(item.wanted.written, _unknown(item), item.wanted.place))
        elif item.wanted.exact is not None and item.wanted.exact.is_prerelease:
            carried.append(item)  # such are not among the offers
        elif (chosen := _had(item, releases, target)) is not None:
            carried.append(chosen)
        else:
            why = f"PyPI has nothing of it that Python {target.python} could install"
            left.append(SkippedLine(item.wanted.written, why, item.wanted.place))
    return replace(found, carried=tuple(carried), left=tuple(left))


def _unknown(item: RequiredEntry) -> str:
    if item.wanted.manager == "conda":
        return (
            "PyPI has no package of that name: it may have another name there, or be a library "
            "that belongs into the container's image"
        )
    return "PyPI has no package of that name"


def _had(
    item: RequiredEntry, offers: Sequence[IndexRelease], target: Target
) -> RequiredEntry | None:
    """The strictest form of a requirement that something there satisfies."""
    # Where there are wheels at all, what has only its source is a release from before they were.
    usable = [offer for offer in offers if offer.fits] or [
        offer for offer in offers if offer.has_source
    ]
    current: RequiredEntry | None = item
    why = item.why
    while current is not None:
        admitted = [offer for offer in usable if current.admits(offer.version)]
        if admitted:
            return _marked(current, admitted[-1].lacking)
        if not why:
            there = any(item.admits(offer.version) for offer in offers)
            why = (
                f"no wheel for Python {target.python}"
                if there
                else f"PyPI has no {item.wanted.exact or 'such version'}"
            )
        current = relax_requirement(current, why)
    return None


CONFLICT = "doesn't go with the others"


def without_unreadable_sources(
    found: Classification,
    offers: Mapping[NormalizedName, Sequence[IndexRelease] | None],
    fault: Callable[[NormalizedName, Version], str | None],
) -> Classification:
    """The same without what can't be locked because its source can't be made sense of here.

    `fault` says of a release why that is, None where it isn't. Of a package with wheels nothing is
    asked.
    """
    carried, left = [], [*found.left]
    for item in found.carried:
        admitted = [offer for offer in offers.get(item.key) or () if item.admits(offer.version)]
        newest = max((offer.version for offer in admitted), default=None)
        reason = None
        if newest is not None and not any(offer.has_wheel for offer in admitted):
            reason = fault(item.key, newest)
        if reason is None:
            carried.append(item)
        else:
            why = (
                "PyPI has its source only, which can't be built here "
                f"({reason.rstrip('.')}): add it with `poetry add {item.name}` where the "
                "libraries it needs are installed"
            )
            left.append(SkippedLine(item.wanted.written, why, item.wanted.place))
    return replace(found, carried=tuple(carried), left=tuple(left))


def _marked(item: RequiredEntry, lacking: Sequence[str]) -> RequiredEntry:
    """A requirement that leaves the environments out in which it can't be installed."""
    if not lacking or item.wanted.marker:
        return item
    marker = " and ".join(
        f'(sys_platform != "{ENVIRONMENTS[name].sys_platform}" or '
        f'platform_machine != "{ENVIRONMENTS[name].platform_machine}")'
        for name in lacking
    )
    marker = marker[1:-1] if len(lacking) == 1 else marker
    return replace(item, wanted=replace(item.wanted, marker=marker), lacking=tuple(lacking))


# -- what a solver says ---------------------------------------------------------------------


def relax_conflicting(
    found: Classification, conflicting: Iterable[str], *, everything: bool = False
) -> Classification | None:
    """The same with those requirements looser that a solver found to be in conflict.

    None where none of them can be.
    """
    names = set(map(canonicalize_name, conflicting))
    changed = False
    carried: list[RequiredEntry] = []
    for item in found.carried:
        current = item
        if everything or item.key in names:
            while (more := relax_requirement(current, CONFLICT)) is not None:
                current = more
                if not everything:
                    break
        changed |= current is not item
        carried.append(current)
    return replace(found, carried=tuple(carried)) if changed else None


# -- into the project -----------------------------------------------------------------------


def line_edits(project: Project, carried: Iterable[RequiredEntry]) -> tuple[Edit, ...]:
    """Adds the requirements where the project has its own."""
    file = project.pyproject.path
    if not project.pyproject.uses_poetry_tables:
        place: KeyPath = ("project", "dependencies")
        return tuple(Edit(file, "append", place, requirement_text(item)) for item in carried)
    entries: dict[str, list[Any]] = {}
    for item in carried:
        entries.setdefault(item.name, []).append(_entry(item))
    place = ("tool", "poetry", "dependencies")
    return tuple(
        Edit(file, "set", (*place, name), _single(items) if len(items) == 1 else items)
        for name, items in entries.items()
    )


def requirement_text(item: RequiredEntry) -> str:
    """A requirement in the standard's spelling (PEP 508), as Poetry writes one."""
    extras = f"[{','.join(item.wanted.extras)}]" if item.wanted.extras else ""
    if item.wanted.address:
        text = f"{item.name}{extras} @ {item.wanted.address}"
    else:
        text = f"{item.name}{extras}" + (f" ({item.specifier})" if item.specifier else "")
    return f"{text} ; {item.wanted.marker}" if item.wanted.marker else text


def _entry(item: RequiredEntry) -> dict[str, Any]:
    """A requirement as Poetry's own tables have it."""
    if not item.wanted.address:
        entry: dict[str, Any] = {"version": item.specifier or "*"}
    elif item.wanted.address.startswith("git+"):
        # An address may have a user's name in it, and a branch's name a slash.
        parsed = ParsedUrl.parse(item.wanted.address.removeprefix("git+"))
        entry = {"git": parsed.url} | ({"rev": parsed.rev} if parsed.rev else {})
    else:
        entry = {"url": item.wanted.address}
    extras = {"extras": list(item.wanted.extras)} if item.wanted.extras else {}
    return entry | extras | ({"markers": item.wanted.marker} if item.wanted.marker else {})


def _single(entries: list[dict[str, Any]]) -> Any:
    (entry,) = entries
    return entry["version"] if entry.keys() == {"version"} else Inline(entry)
