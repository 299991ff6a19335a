"""What becomes of each line of a list: required, dropped, or skipped for the user to decide.

Nothing here accesses an index.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version
from poetry.core.constraints.version import parse_constraint
from poetry.core.version.markers import parse_marker

from poetry_tf.migration.entries import ListEntry, PackageList, SkippedLine
from poetry_tf.migration.line_releases import admits_release
from poetry_tf.migration.names import (
    NameClass,
    classify_name,
    has_other_versions,
    is_implied,
    is_imported,
    marker_of,
    version_cap,
)
from poetry_tf.migration.required import Relaxation, RequiredEntry
from poetry_tf.migration.tensorflow import counting_lines, holds_in, is_python
from poetry_tf.plan.companions import (
    fitting_companions,
    later_misfits,
    series_with,
    usable_companions,
)
from poetry_tf.plan.environments import ENVIRONMENTS, Target
from poetry_tf.pyproject.pins import companion_tilde
from poetry_tf.releases import Release, fits, role
from poetry_tf.releases.breaking import ended, keras_major, no_longer_brought
from poetry_tf.releases.companions import bounds_on, companions
from poetry_tf.text import format_list

DropReason: TypeAlias = Literal[
    "main",
    "tensorflow",
    "needed",
    "unneeded",
    "container",
    "system",
    "builds",
    "tools",
    "python",
    "elsewhere",
    "present",
    "constraint",
    "unfollowed",
]
"""Why a line is not required: its kind (see `names.Kind`; `main` becomes the requirement on
TensorFlow), or

- `needed`: the package of another line requires it, so the lock has it.
- `unneeded`: nothing that is locked requires it.
- `elsewhere`: it, or its marker, is for other systems or Pythons than the project's.
- `present`: the project requires it already.
- `constraint`: it limits what other lines bring, and the locked version is within it.
- `unfollowed`: it limits what other lines bring, and nothing is locked.
"""


@dataclass(frozen=True)
class DroppedEntry:
    """A line that is not required."""

    entry: ListEntry
    reason: DropReason


@dataclass(frozen=True)
class Classification:
    """What became of a list."""

    required: tuple[RequiredEntry, ...]
    dropped: tuple[DroppedEntry, ...]
    skipped: tuple[SkippedLine, ...]

    @property
    def undecided(self) -> tuple[SkippedLine, ...]:
        """The skipped lines that the user has to do something about, each for its last reason."""
        last = {(item.written, item.location): item for item in self.skipped}
        return tuple(item for item in last.values() if item.actionable)


def classify_entries(
    listing: PackageList,
    release: Release,
    pythons: Sequence[str],
    present: Iterable[str],
    *,
    moved: bool = False,
    environments: Sequence[str] | None = None,
) -> Classification:
    """Classifies the lines of a list for a TensorFlow release on the project's Python minors.

    The minors are ascending. `present` are the distributions that the project already requires;
    `moved` is whether the list is for another TensorFlow or Python, so that its versions of their
    dependencies do not count; `environments` are those that the project declares.
    """
    main = counting_lines(listing, environments)
    targets = [Target(name, minor) for name in ENVIRONMENTS for minor in pythons]
    moves_tensorflow = any(
        not admits_release(item, release.series)
        for item in main
        if any(holds_in(item.marker, target) for target in targets)
    )
    required: dict[tuple[NormalizedName, str], RequiredEntry] = {}
    dropped: list[DroppedEntry] = []
    skipped: list[SkippedLine] = list(listing.skipped)
    known = {canonicalize_name(name) for name in present}
    own = {name for name in required_names(release) if not is_imported(name)}
    for item in listing.entries:
        if is_python(item):
            continue
        what = classify_name(item)
        reason = _drop_reason(item, what, release, targets)
        if reason is None and moved and what.kind == "package" and item.key in own:
            reason = "tensorflow"
        if reason is not None:
            dropped.append(DroppedEntry(item, reason))
        elif what.kind == "collection":
            text = "a collection of packages: add those that are imported with `poetry add`"
            skipped.append(SkippedLine(item.written, text, item.location))
        elif what.kind == "main":
            skipped += _tensorflow_notes(item)
            dropped.append(DroppedEntry(item, "main" if item in main else "elsewhere"))
        elif canonicalize_name(what.name) in known:
            dropped.append(DroppedEntry(item, "present"))
        elif (why := _why_none_fits(canonicalize_name(what.name), release)) is not None:
            skipped.append(SkippedLine(item.written, why, item.location))
        else:
            new = _to_required(item, what, release, pythons[-1], moved=moves_tensorflow)
            key = (new.key, item.marker)
            if key in required:
                new, notes = _merge(required[key], new)
                skipped += notes
            required[key] = new
    for item in listing.constraints:
        what = classify_name(item)
        reason = _drop_reason(item, what, release, targets)
        new = _to_required(item, what, release, pythons[-1], moved=moves_tensorflow)
        lines = [line for (name, _), line in required.items() if name == new.key]
        if what.kind == "main":
            dropped.append(DroppedEntry(item, "main" if item in main else "elsewhere"))
        elif reason not in {None, "tensorflow"}:
            dropped.append(DroppedEntry(item, reason))
        elif not lines:
            is_own = moved and (reason == "tensorflow" or item.key in own)
            dropped.append(DroppedEntry(item, "tensorflow" if is_own else "unfollowed"))
        for line in lines if reason is None else ():
            for joint, notes in _constrain(line, new, item.marker, targets):
                required[joint.key, joint.entry.marker] = joint
                skipped += notes
    return Classification(tuple(required.values()), tuple(dropped), tuple(skipped))


def _constrain(
    line: RequiredEntry, new: RequiredEntry, marker: str, targets: Iterable[Target]
) -> Iterator[tuple[RequiredEntry, list[SkippedLine]]]:
    """A line within a constraint, or another line beside it where that holds in some targets."""
    own = line.entry.marker
    holds = [holds_in(marker, target) for target in targets if holds_in(own, target)]
    if not any(holds):
        return
    both = parse_marker(own).intersect(parse_marker(marker))
    joint, notes = _merge(line, new)
    marker = own if all(holds) else str(both)
    yield replace(joint, entry=replace(joint.entry, marker=marker)), notes


def required_names(release: Release) -> set[NormalizedName]:
    """The distributions that a release of TensorFlow requires."""
    return {canonicalize_name(Requirement(line).name) for line in release.requires}


def _drop_reason(
    item: ListEntry, what: NameClass, release: Release, targets: Iterable[Target]
) -> DropReason | None:
    if not any(holds_in(item.marker, target) for target in targets):
        return "elsewhere"
    if what.kind == "tensorflow" and no_longer_brought(item.key, release.series):
        return None
    if what.kind in {"tensorflow", "container", "system", "builds", "tools", "python", "elsewhere"}:
        return what.kind
    if item.key == "keras":
        # TensorFlow leaves the choice of a version of Keras 3.
        is_free = keras_major(release) == 3 and item.specifier and admits_release(item, "3")
        return None if is_free else "tensorflow"
    return None


def _tensorflow_notes(item: ListEntry) -> Iterator[SkippedLine]:
    """What the user has to know of a line that becomes the requirement on TensorFlow."""
    if role(item.name) == "nightly":
        reason = (
            "a nightly build has no release number: the newest final release is required instead"
        )
        yield SkippedLine(item.written, reason, item.location)
    elif role(item.name) == "vendor":
        reason = "TensorFlow for other devices than NVIDIA's: TensorFlow itself is required instead"
        yield SkippedLine(item.written, reason, item.location)
    elif item.address:
        reason = "TensorFlow from an address: PyPI's release is required instead"
        yield SkippedLine(item.written, reason, item.location)


def _to_required(
    item: ListEntry, what: NameClass, release: Release, python: str, *, moved: bool
) -> RequiredEntry:
    """A line as a requirement, before anything is looked up.

    `moved` is whether the list is for another TensorFlow.
    """
    required = RequiredEntry(replace(item, marker=item.marker or marker_of(item)), what.name)
    item = required.entry
    if item.untranslated and not item.untranslated.startswith("@"):
        reason = f"{item.untranslated!r} can't be written as a requirement"
        return replace(required, reason=reason)
    series = f"{release.version.major}.{release.version.minor}"
    if (cap := version_cap(required.key, series)) is not None:
        below, reason = cap
        if item.exact is not None and item.exact < Version(below):
            return required
        parts = SpecifierSet(item.specifier)
        lower = [str(part) for part in parts if part.operator in {">=", ">", "!="}]
        bounds = ",".join([*lower, f"<{below}"])
        return replace(required, entry=replace(item, specifier=bounds), reason=reason)
    if item.exact is not None and item.exact.local:
        reason = f"PyPI has no builds named +{item.exact.local}"
        public = f"=={item.exact.public}"
        return replace(required, entry=replace(item, specifier=public), reason=reason)
    if has_other_versions(item) and item.specifier:
        reason = "the package of this name has other versions"
        return replace(required, entry=replace(item, specifier=""), reason=reason)
    if role(required.name) != "companion":
        return required
    return _to_fit(required, release, python, moved=moved)


def _to_fit(
    required: RequiredEntry, release: Release, python: str, *, moved: bool
) -> RequiredEntry:
    """A companion whose versions are for another TensorFlow, in a release for this one."""
    item, key = required.entry, required.key
    fitting = _fitting_specifier(key, release, python)
    required = replace(required, bound=fitting or "")
    if any(required.admits(one.companion.version) for one in fits(key, release)):
        return required
    moves = moved and item.exact is not None
    if fitting is None and moves:
        reason = "it has to fit TensorFlow; the lock decides the version"
        return replace(required, relaxation=Relaxation.ANY, reason=reason)
    if fitting and (moves or any(required.admits(one.version) for one in companions()[key])):
        reason = f"it has to fit TensorFlow {release.series}"
        return replace(required, entry=replace(item, specifier=fitting), reason=reason)
    return required


def _why_none_fits(name: NormalizedName, release: Release) -> str | None:
    """Why no release of a companion fits a TensorFlow; None if one does, or none is known."""
    is_known = role(name) == "companion" and bounds_on(name, release) is None and series_with(name)
    if not is_known or fitting_companions(name, release):
        return None
    if (gone := ended(name, release.series)) is not None:
        return f"{gone.why}. {gone.instead}"
    series = format_list(series_with(name))
    return f"no release fits TensorFlow {release.version}; it has releases for {series}"


def _fitting_specifier(name: NormalizedName, release: Release, python: str) -> str | None:
    """The versions of a companion that fit a TensorFlow; None where nothing is known of them."""
    usable = usable_companions(name, release, [python])
    if bounds_on(name, release) is not None or not usable:
        return None
    newest = usable[-1].version
    pin = companion_tilde(newest, later_misfits(name, newest))
    specifier = str(parse_constraint(pin)).replace(" ", "")
    return specifier if "," in specifier else f"=={newest}"


def _merge(one: RequiredEntry, other: RequiredEntry) -> tuple[RequiredEntry, list[SkippedLine]]:
    """Two lines on one distribution as one; the later one wins, since pip installs last."""
    extras = tuple(sorted({*one.entry.extras, *other.entry.extras}))
    texts = [item.entry.specifier for item in (one, other) if item.entry.specifier]
    later = replace(other, entry=replace(other.entry, extras=extras))
    if one.entry.address or other.entry.address:
        return (later if other.entry.address else one), []
    if not other.entry.specifier:
        return replace(one, entry=replace(one.entry, extras=extras)), []
    if len({*texts}) < 2:
        return later, []
    joint = SpecifierSet(",".join(texts))
    exact = [item.version for item in joint if item.operator == "==" and "*" not in item.version]
    if not exact or all(joint.contains(version, prereleases=True) for version in exact):
        specifier = f"=={exact[0]}" if exact else str(joint)
        return replace(later, entry=replace(later.entry, specifier=specifier)), []
    there = other.entry.location
    place = f"line {there.line}" if there.file == one.entry.location.file else str(there)
    note = SkippedLine(
        one.entry.written,
        f"contradicts {other.entry.written!r} in {place}, which is taken",
        one.entry.location,
    )
    return later, [note]


# -- exports --------------------------------------------------------------------------------

Dependencies: TypeAlias = Mapping[NormalizedName, Iterable[NormalizedName]]
"""The distributions that each distribution requires, from an index."""


def tensorflow_entries(found: Classification) -> tuple[RequiredEntry, ...]:
    """The lines that TensorFlow requires itself, as requirements."""
    return tuple(
        RequiredEntry(item.entry, item.entry.name)
        for item in found.dropped
        if item.reason == "tensorflow"
    )


def direct_entries(
    found: Classification, requires: Dependencies, release: Release
) -> Classification:
    """An export without the packages that other packages, or TensorFlow, require.

    Packages that no other line's package requires are kept, and those that people import directly.
    `requires` also has the dependencies of TensorFlow.
    """
    names = [item.key for item in found.required]
    listed = {*names}
    of_tensorflow = required_names(release)
    for name in requires.keys() - listed:
        of_tensorflow.update(requires[name])
    below = {
        name: {other for other in requires.get(name, ()) if other in listed and other != name}
        for name in dict.fromkeys(names)
    }
    dependencies = of_tensorflow.union(*below.values())
    roots = [name for name in below if name not in dependencies and not is_implied(name)]
    reached = _reachable([*roots, *(of_tensorflow & listed)], below)
    for name in below:  # a circle that nothing else requires
        if name not in reached and not is_implied(name):
            roots.append(name)
            reached |= _reachable([name], below)
    kept = {*roots, *(name for name in names if is_imported(name))}
    required = tuple(item for item in found.required if item.key in kept)
    needed = (DroppedEntry(item.entry, "needed") for item in found.required if item.key not in kept)
    return replace(found, required=required, dropped=(*found.dropped, *needed))


def with_unneeded(found: Classification, locked: Collection[NormalizedName]) -> Classification:
    """The classification in which dependencies of others that are not locked are unneeded.

    Conda's parts of TensorFlow are in none of PyPI's distributions, and stay what they are.
    """

    def judged(item: DroppedEntry) -> DroppedEntry:
        is_brought = item.reason == "needed" or (
            item.reason == "tensorflow" and item.entry.manager == "pip"
        )
        is_missing = is_brought and item.entry.key not in locked
        return replace(item, reason="unneeded") if is_missing else item

    return replace(found, dropped=tuple(map(judged, found.dropped)))


def with_constraints(
    found: Classification, locked: Mapping[NormalizedName, Collection[Version]]
) -> Classification:
    """The classification in which constraints are judged by what is locked.

    Those that could not be followed are left to the user.
    """
    dropped: list[DroppedEntry] = []
    skipped = [*found.skipped]
    for item in found.dropped:
        entry, versions = item.entry, locked.get(item.entry.key, ())
        if item.reason != "unfollowed":
            dropped.append(item)
        elif not versions:
            dropped.append(replace(item, reason="unneeded"))
        elif _is_followed(entry, versions):
            dropped.append(replace(item, reason="constraint"))
        else:
            text = format_list(sorted(map(str, versions)))
            reason = f"the lock file has {entry.key} {text}: nothing in this constraint fits"
            skipped.append(SkippedLine(entry.written, reason, entry.location))
    return replace(found, dropped=tuple(dropped), skipped=tuple(skipped))


def _is_followed(constraint: ListEntry, versions: Collection[Version]) -> bool:
    """Whether versions are within a constraint; with a marker, one of them for where that holds."""
    admitted = [
        SpecifierSet(constraint.specifier).contains(one, prereleases=True) for one in versions
    ]
    return any(admitted) if constraint.marker else all(admitted)


def _reachable(
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
