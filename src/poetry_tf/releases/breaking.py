"""The breaking changes between series of TensorFlow, which a person has to check.

Kept by hand in `data/breaking.json`, each entry with its sources. What can be read from the wheels
(Pythons, CUDA, requirements) is in the generated data.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import date

from packaging.utils import NormalizedName

from poetry_tf.releases.bounds import required_by
from poetry_tf.releases.model import Release, numbers
from poetry_tf.releases.resources import read_entries


@dataclass(frozen=True, slots=True)
class Breaking:
    """A change in a series.

    Attributes:
        at: the first series with the change.
        what: what has changed, as a clause about TensorFlow.
        do: what to do about it, in sentences.
        checked: the day on which a person last compared it with its sources.
        back: what to check in a downgrade below that series; empty if nothing.
        environments: where it matters; empty for everywhere.
        package: the distribution of whose locked majors it depends: it matters where they differ.
        major: that which has to be one of the two; None for any.
        recurs: whether it may matter in every move from that series on.
        unless_legacy_keras: whether it does not matter with Keras 2.
        unless_required: a distribution; projects that require it are not affected.
        if_required: a distribution; only projects that require it are affected.
        gpu: whether it matters only with a GPU.
        until: the last series with the change; None where it stays.
    """

    at: str
    what: str
    do: str
    sources: tuple[str, ...]
    checked: date
    back: str = ""
    environments: tuple[str, ...] = ()
    package: NormalizedName | None = None
    major: int | None = None
    recurs: bool = False
    unless_legacy_keras: bool = False
    unless_required: NormalizedName | None = None
    if_required: NormalizedName | None = None
    gpu: bool = False
    until: str | None = None


@dataclass(frozen=True, slots=True)
class Retired:
    """A companion that is no longer released.

    Attributes:
        last: the last series of TensorFlow with a release of it.
        why: why there is none for later series, as a clause about it.
        instead: what replaces it, in sentences.
    """

    name: NormalizedName
    last: str
    why: str
    instead: str
    sources: tuple[str, ...]
    checked: date


@functools.cache
def breaking() -> tuple[Breaking, ...]:
    """All changes, by series ascending."""
    return read_entries(Breaking, "breaking.json", "changes")


@functools.cache
def retired() -> tuple[Retired, ...]:
    """The companions that are no longer released."""
    return read_entries(Retired, "breaking.json", "retired")


def passed(old: str, new: str) -> tuple[Breaking, ...]:
    """The changes between two series, in the direction of the move.

    For a downgrade, only those that have something to check then.
    """
    if numbers(new) >= numbers(old):
        return tuple(
            one
            for one in breaking()
            if numbers("0" if one.recurs and new != old else old) < numbers(one.at) <= numbers(new)
            and numbers(new) <= numbers(one.until or new)
        )
    return tuple(
        one
        for one in reversed(breaking())
        if one.back and numbers(one.at) <= numbers(old)
        if one.recurs or numbers(new) < numbers(one.at)
    )


def no_longer_brought(name: str, series: str) -> bool:
    """Whether a distribution came with TensorFlow once and does not with this series."""
    return any(
        one.unless_required == name and numbers(one.at) <= numbers(series) for one in breaking()
    )


def ended(name: str, series: str) -> Retired | None:
    """The companion of this name, if it has no release for a series of TensorFlow."""
    return next(
        (one for one in retired() if one.name == name and numbers(series) > numbers(one.last)), None
    )


# -- from the wheels -------------------------------------------------------------------------


def keras_major(release: Release) -> int | None:
    """The major of the Keras in `tf.keras`; None if the wheels do not require it."""
    return next(iter(majors(release, "keras")), None)


def majors(release: Release, name: str) -> tuple[int, ...]:
    """The majors of a distribution that a release admits: that of its lower bound, and the next.

    `numpy (<2.1.0,>=1.26.0)` admits 1 and 2. Empty if the release does not require it.
    """
    found = set()
    for specifier in required_by(release, name):
        least = [part.version for part in specifier if part.operator in {">=", "~=", "==", ">"}]
        if not least:
            continue
        first = int(least[0].partition(".")[0])
        found |= {first}
        if specifier.contains(f"{first + 1}.0.0"):
            found |= {first + 1}
    return tuple(sorted(found))
