"""Which TensorFlow and Python a list means, and the nearest that can be set up today."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from packaging.markers import Marker
from poetry.core.version.markers import parse_marker

from poetry_tf.migration.entries import ListEntry, PackageList
from poetry_tf.migration.line_releases import (
    accepts,
    admits_release,
    is_between,
    named_release,
    nearest_final,
)
from poetry_tf.migration.names import classify_name
from poetry_tf.plan.environments import DEFAULT_ENVIRONMENTS, ENVIRONMENTS, MINORS, Target
from poetry_tf.plan.model import PlanError
from poetry_tf.plan.python import container_pythons
from poetry_tf.plan.release import plan_gpu
from poetry_tf.plan.settings import GpuChoice
from poetry_tf.releases import Catalog
from poetry_tf.releases.images import Images
from poetry_tf.releases.model import LINUX_X86_64, numbers, series_of
from poetry_tf.releases.resources import read_json
from poetry_tf.text import format_list

_SHARED_KERAS_MINORS = range(4, 16)
"""Minors of TensorFlow 2 whose Keras has the same version (2.4 to 2.15)."""

_FOR_ONE_PYTHON = re.compile(r"-cp3(\d+)-cp3\1-[^/]+\.whl(?:[?#]|\Z)")

Pair = tuple[str, str]
"""A series of TensorFlow and a Python minor."""


@dataclass(frozen=True)
class MigrationGoal:
    """What a project is set up for, according to a list.

    Attributes:
        tensorflow: a series, or the lowest release of one; None if the list leaves it open.
        python: a Python minor; None if the list leaves it open.
        gpu: the GPU mode; None if the list leaves it open.
        changes: what differs from the list, a sentence each.
        notes: what else the user has to know, a sentence each.
    """

    tensorflow: str | None = None
    python: str | None = None
    gpu: GpuChoice | None = None
    changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class GivenOptions:
    """Options of the command line, which take precedence over the list."""

    tensorflow: str | None = None
    python: str | None = None
    others: str = ""
    """The other options that a suggested command repeats, each after a space."""


def tensorflow_lines(listing: PackageList) -> tuple[ListEntry, ...]:
    """The lines that require TensorFlow, by any of its names, and the constraints on it."""
    lines = (*listing.entries, *listing.constraints)
    return tuple(item for item in lines if classify_name(item).kind == "main")


def counting_lines(
    listing: PackageList, environments: Sequence[str] | None
) -> tuple[ListEntry, ...]:
    """The lines on TensorFlow that count in the project's environments; all where none does."""
    lines = tensorflow_lines(listing)
    declared = environments or DEFAULT_ENVIRONMENTS
    found = tuple(
        item
        for item in lines
        if any(holds_in(item.marker, Target(name, minor)) for name in declared for minor in MINORS)
    )
    return found or lines


def holds_in(marker: str, target: Target) -> bool:
    """Whether an environment marker is true in a target; an empty one always is."""
    if not marker:
        return True
    variables = {**ENVIRONMENTS[target.environment].variables(target.python), "extra": ""}
    try:
        return Marker(marker).evaluate(variables)
    except ValueError:  # values that can't be compared: Poetry reports it
        return True


def is_python(item: ListEntry) -> bool:
    """Whether a line requires Python itself."""
    return item.key == "python" and item.manager == "conda"


def choose_goal(
    listing: PackageList,
    given: GivenOptions,
    catalog: Catalog,
    images: Images,
    *,
    choice: GpuChoice = "auto",
    environments: Sequence[str] | None = None,
) -> MigrationGoal:
    """Chooses a series of TensorFlow and a Python minor for a list.

    Raises `PlanError` if the list combines versions that never worked together, or does not admit
    TensorFlow 2.
    """
    gpu = _listed_gpu(listing)
    if given.tensorflow is not None and given.python is not None:
        release = named_release(counting_lines(listing, environments), given.tensorflow, catalog)
        return MigrationGoal(tensorflow=release, gpu=gpu)
    possible = tuple(_supported_pairs(catalog, images, choice, environments))
    gpus = () if (choice if gpu is None else gpu) == "none" else _series_with_gpu(catalog)
    listed = _ListedVersions(listing, given, catalog, gpus, environments)
    existing = listed.existing()
    fits = [pair for pair in possible if pair in existing]
    if fits:
        chosen = max(fits, key=_sort_key)
    elif existing or listed.is_soft:
        chosen = listed.nearest(possible)
    else:
        raise listed.contradiction(possible)
    return MigrationGoal(
        tensorflow=(
            named_release(listed.lines, given.tensorflow, catalog)
            if given.tensorflow
            else listed.release(chosen, catalog)
        ),
        python=chosen[1] if listed.names_python and not given.python else None,
        gpu=gpu,
        changes=tuple(listed.changes(chosen, catalog, images)),
        notes=(
            *listed.without_tensorflow(),
            *listed.without_gpu(chosen),
            *listed.final_releases(catalog),
        ),
    )


def _listed_gpu(listing: PackageList) -> GpuChoice | None:
    lines = [item for item in listing.entries if classify_name(item).kind == "main"]
    names = {item.key for item in lines}
    if names == {"tensorflow-cpu"} or any(item.key == "cpuonly" for item in listing.entries):
        return "none"
    return "pip" if any("and-cuda" in item.extras for item in lines) else None


def _supported_pairs(
    catalog: Catalog, images: Images, choice: GpuChoice, environments: Sequence[str] | None
) -> Iterator[Pair]:
    """The pairs that a project can be set up for."""
    for series in catalog.series:
        release = catalog.newest(series)
        if release is None:
            continue
        try:
            pythons = container_pythons(release, images, choice, None, environments)
        except PlanError:
            continue
        yield from ((series, minor) for minor in pythons)


def _series_with_gpu(catalog: Catalog) -> tuple[str, ...]:
    """The series for which a GPU setup is known to work."""
    newest = (catalog.newest(series) for series in catalog.series)
    return tuple(
        release.series
        for release in newest
        if release is not None and plan_gpu(catalog, release, "auto").mode != "none"
    )


def known_pairs(catalog: Catalog) -> Mapping[str, tuple[str, ...]]:
    """Each series of TensorFlow 2 with the Python minors it has wheels for, ascending."""
    history: dict[str, list[str]] = read_json("history.json", __file__)["pythons"]
    found = {series: tuple(pythons) for series, pythons in history.items()}
    for series in catalog.series:
        releases = catalog.in_series(series)
        every = {minor for release in releases for minor in release.pythons_on(LINUX_X86_64)}
        found[series] = tuple(sorted(every, key=numbers))
    return found


class _ListedVersions:
    """The series and the Python minors that a list admits."""

    def __init__(
        self,
        listing: PackageList,
        given: GivenOptions,
        catalog: Catalog,
        gpus: tuple[str, ...],
        environments: Sequence[str] | None,
    ) -> None:
        self.known = known_pairs(catalog)
        self.listing, self.given = listing, given
        self.gpus = gpus
        self.first = (*gpus, *catalog.series)[0]
        # Those that name versions first: messages are about the first.
        lines = counting_lines(listing, environments)
        self.lines = tuple(sorted(lines, key=lambda item: not item.specifier))
        self.environments = environments or DEFAULT_ENVIRONMENTS
        self.python = next(filter(is_python, reversed(listing.entries)), None)
        every = sorted({minor for minors in self.known.values() for minor in minors}, key=numbers)
        self.pythons = tuple(minor for minor in every if self._admits_python(minor))
        self.series = tuple(self._series())
        if self.python is None and (hint := _python_of_wheels(listing)) is not None:
            minors = {minor for series in self.series for minor in self.known[series]}
            if any(admits_release(hint, minor) for minor in minors & {*self.pythons}):
                self.python = hint
                self.pythons = tuple(filter(self._admits_python, self.pythons))

    @property
    def is_soft(self) -> bool:
        """Whether the listed versions may change: an option takes precedence over them.

        They may in an export as well: Conda has builds of TensorFlow for Pythons that PyPI has no
        wheels for.
        """
        built = [item for item in (*self.lines, self.python) if item is not None and item.build]
        return bool(built or self.given.python or self.given.tensorflow)

    @property
    def names_python(self) -> bool:
        """Whether the list names a version of Python."""
        return self.python is not None and bool(self.python.specifier)

    def existing(self) -> tuple[Pair, ...]:
        """The pairs that the list admits and that have wheels."""
        return tuple(pair for pair in self.pairs() if pair[1] in self.known[pair[0]])

    def pairs(self) -> tuple[Pair, ...]:
        """The pairs that the list admits, with or without wheels."""
        return tuple(
            (series, minor)
            for series in self.series
            for minor in self.pythons
            if self._admits_series(series, minor)
        )

    def _admits_series(self, series: str, minor: str) -> bool:
        """Whether the lines that count on a Python admit a series."""
        if self.given.tensorflow is not None:
            return True
        lines = [
            item
            for item in self.lines
            if any(holds_in(item.marker, Target(name, minor)) for name in self.environments)
        ]
        return all(admits_release(item, series) for item in lines) if lines else not self.lines

    def _admits_python(self, minor: str) -> bool:
        if self.given.python is not None:
            return minor == self.given.python
        return self.python is None or admits_release(self.python, minor)

    def _series(self) -> Iterator[str]:
        if self.given.tensorflow is not None:
            yield ".".join(self.given.tensorflow.split(".")[:2])
            return
        lines = self.lines or self._by_keras()
        _check_contradictions(lines, self.known)
        found = [name for name in self.known if self._is_admitted(name, lines)]
        if not found and lines:
            known = [one for one in lines if any(admits_release(one, name) for name in self.known)]
            line = next((one for one in lines if one not in known), lines[0])
            raise _no_series_error(line, self.listing, self.known, self.first, self.given)
        yield from found

    def _is_admitted(self, series: str, lines: Sequence[ListEntry]) -> bool:
        if any(item.marker for item in lines):
            return any(self._admits_series(series, minor) for minor in self.pythons or MINORS)
        return all(admits_release(item, series) for item in lines)

    def _by_keras(self) -> tuple[ListEntry, ...]:
        """The lines on Keras that imply a series of TensorFlow: both had the same version."""
        numbered = [f"2.{minor}" for minor in _SHARED_KERAS_MINORS]
        return tuple(
            item
            for item in (*self.listing.entries, *self.listing.constraints)
            if item.key == "keras"
            and item.specifier
            and any(admits_release(item, series) for series in numbered)
            and not admits_release(item, "3.0")
        )

    def release(self, chosen: Pair, catalog: Catalog) -> str | None:
        """The release that an exact line names, else the series; None if the list names neither."""
        lines = self.lines or self._by_keras()
        if not any(item.specifier for item in lines) and chosen in self.existing():
            return None
        return named_release(self.lines, chosen[0], catalog) or chosen[0]

    def without_tensorflow(self) -> Iterator[str]:
        """A note if the list names no TensorFlow."""
        if not self.lines and not self.given.tensorflow:
            by_keras = " its Keras" if self._by_keras() else ""
            yield (
                f"The list has no TensorFlow: the newest that fits{by_keras} was chosen. To choose "
                "another, give --tensorflow"
            )

    def final_releases(self, catalog: Catalog) -> Iterator[str]:
        """A note on each release that a line names and that is taken for a final one."""
        for item in self.lines:
            if (version := item.exact) is not None and is_between(version):
                final = nearest_final(catalog, version)
                kind = "candidate" if version.is_prerelease else "post-release"
                yield (
                    f"TensorFlow {version} is a {kind}: {final or 'its series'} is the nearest "
                    "final release"
                )
            elif version is not None and len(version.release) > 2 and not self.given.tensorflow:
                series = series_of(version)
                known = [one.version for one in catalog.in_series(series)]
                if known and version not in known:
                    yield (
                        f"{item.location}: unknown TensorFlow {version}; the newest of {series} "
                        f"is required instead"
                    )

    def nearest(self, possible: Sequence[Pair]) -> Pair:
        """The nearest pair; if the series has to change, one with a GPU is preferred."""
        # A Python that no TensorFlow has wheels for is newer than all known ones.
        listed = self.existing() or self.pairs() or [(self.series[-1], possible[-1][1])]
        series = {item for item, _ in listed}
        with_gpu = [pair for pair in possible if pair[0] in self.gpus]
        if with_gpu and not any(pair[0] in series for pair in possible):
            possible = with_gpu
        return _nearest_pair(possible, listed)

    def changes(self, chosen: Pair, catalog: Catalog, images: Images) -> Iterator[str]:
        series, minor = chosen
        first = images.pythons[0]
        if minor not in self.pythons and self.names_python:
            why = (
                f"a dev container needs at least Python {first}"
                if self.pythons and numbers(self.pythons[-1]) < numbers(first)
                else f"TensorFlow {series} has wheels for Python {format_list(self.known[series])}"
            )
            yield f"Python {_format_versions(self.python)} becomes {minor}: {why}"
        if series not in self.series and (lines := self.lines or self._by_keras()):
            with_gpu = " with a GPU" if self.gpus else ""
            before = numbers(self.series[-1]) < numbers(catalog.series[0])
            why = (
                f"{self.first} is the first that poetry-tf can set up{with_gpu}"
                if before
                else f"{self.series[-1]} has no wheel for Python {minor}"
            )
            yield f"TensorFlow {_format_versions(lines[0])} becomes {series}: {why}"

    def without_gpu(self, chosen: Pair) -> Iterator[str]:
        """A note if the list needs a GPU and the series has no GPU setup for a container."""
        names = {item.key for item in self.lines}
        kinds = {classify_name(item).kind for item in self.listing.entries}
        needs_gpu = "tensorflow-gpu" in names or "container" in kinds
        if needs_gpu and self.gpus and chosen[0] not in self.gpus and not self.given.tensorflow:
            later = [item for item in self.gpus if numbers(item) > numbers(chosen[0])]
            yield (
                f"TensorFlow {chosen[0]} runs on the CPU: no CUDA is known that works with it in a "
                f"container. The nearest with a GPU: --tensorflow {later[0]}"
            )

    def contradiction(self, possible: Sequence[Pair]) -> PlanError:
        """The error for a TensorFlow without wheels for the listed Python, with alternatives."""
        python = self.python
        line = self.lines[0] if self.lines else None
        where = (line or python or self.listing.entries[0]).location
        shown_python = f"Python {_format_versions(python)}" if python else "any Python"
        if not self.pythons:
            message = f"{where}: TensorFlow 2 has no wheels for {shown_python}"
        else:
            minors = format_list(
                sorted({item for name in self.series for item in self.known[name]}, key=numbers)
            )
            beside = f" ({python.location})" if python and python.location != where else ""
            message = (
                f"{where}: TensorFlow {_format_versions(line)} never had a wheel for "
                f"{shown_python}{beside}: {format_list(self.series)} had them for Python {minors}"
            )
        alternatives = []
        for kept, others in (
            ("the TensorFlow", [pair for pair in possible if pair[0] in self.series]),
            ("the Python", [pair for pair in possible if pair[1] in self.pythons]),
        ):
            if others:
                alternatives.append((f"To keep {kept} of the list", max(others, key=_sort_key)))
        if not alternatives:
            near = self.nearest(possible)
            alternatives.append(("The nearest that works", near))
        remedies = [
            f"{kept}: `poetry tf init --from {self.listing.argument} "
            f"--tensorflow {series} --python {minor}{self.given.others}`"
            for kept, (series, minor) in alternatives
        ]
        return PlanError(message, "\n".join(remedies))


def _python_of_wheels(listing: PackageList) -> ListEntry | None:
    """The one Python that wheels from addresses are for, as a line; None without one."""
    found: dict[str, ListEntry] = {}
    for item in listing.entries:
        if tag := _FOR_ONE_PYTHON.search(item.address):
            found.setdefault(f"3.{tag[1]}", item)
    if len(found) != 1:
        return None
    ((minor, item),) = found.items()
    return ListEntry("python", item.location, item.written, "conda", f"=={minor}.*")


def _check_contradictions(lines: Sequence[ListEntry], known: Iterable[str]) -> None:
    """Raises `PlanError` if lines on TensorFlow admit no common series."""
    admitted = [{series for series in known if admits_release(item, series)} for item in lines]
    for item, series in zip(lines, admitted, strict=True):
        is_apart = _are_apart(item, lines[0])
        if series and admitted[0] and not series & admitted[0] and not is_apart:
            raise PlanError(
                f"{item.location}: {item.written!r} contradicts {lines[0].written!r} "
                f"({lines[0].location})",
                "Keep one of them, or give --tensorflow.",
            )


def _are_apart(one: ListEntry, other: ListEntry) -> bool:
    """Whether the markers of two lines are never both true."""
    if not (one.marker and other.marker):
        return False
    return parse_marker(one.marker).intersect(parse_marker(other.marker)).is_empty()


def _no_series_error(
    line: ListEntry,
    listing: PackageList,
    known: Mapping[str, object],
    first: str,
    given: GivenOptions,
) -> PlanError:
    command = f"poetry tf init --from {listing.argument}{given.others} --tensorflow"
    if any(accepts(line.specifier, f"{major}.{minor}") for major in (0, 1) for minor in range(16)):
        exact, versions = line.exact or "1.15.5", _format_versions(line)
        return PlanError(
            f"{line.location}: programs for TensorFlow {versions} do not run unchanged with "
            "TensorFlow 2",
            "Port them first (TensorFlow's tf_upgrade_v2 does part of it), and set the project up "
            f"with `{command} {first}`. To run them unchanged, use TensorFlow's own image, "
            f"tensorflow/tensorflow:{exact}-gpu.",
        )
    newest, versions = [*known][-1], _format_versions(line)
    return PlanError(
        f"{line.location}: unknown TensorFlow {versions}; the newest known is {newest}",
        f"To use that: `{command} {newest}`.",
    )


def _nearest_pair(possible: Sequence[Pair], listed: Sequence[Pair]) -> Pair:
    """The possible pair with the nearest series, then the nearest Python."""
    series = [item for item, _ in listed]
    minors = [item for _, item in listed]

    def distance(pair: Pair) -> tuple[int, int, int, int]:
        by_series = min(abs(_number(pair[0]) - _number(item)) for item in series)
        by_python = min(abs(_number(pair[1]) - _number(item)) for item in minors)
        # Of two equally near ones, the newer.
        return by_series, by_python, -_number(pair[0]), -_number(pair[1])

    return min(possible, key=distance)


def _number(minor: str) -> int:
    major, rest = numbers(minor)[:2]
    return major * 100 + rest


def _sort_key(pair: Pair) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return numbers(pair[0]), numbers(pair[1])


def _format_versions(item: ListEntry | None) -> str:
    """The versions of a line for a person: "3.9" rather than "==3.9.*"."""
    if item is None:
        return ""
    text = item.specifier or item.untranslated
    exact = re.fullmatch(r"==([\d.]+?)(?:\.\*)?", text)
    return exact[1] if exact else text
