"""The breaking changes between series of TensorFlow, which a person has to check.

Kept by hand in `data/breaking.json`, each entry with its sources. What can be read from the wheels
(Pythons, CUDA, requirements) is in the generated data.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from packaging.utils import NormalizedName

from poetry_tf.releases.bounds import required_by
from poetry_tf.releases.model import Release, numbers
from poetry_tf.releases.resources import read_json, value_of


@dataclass(frozen=True, slots=True)
class Breaking:
    """A change in a series.

    Attributes:
        at: the first series with the change.
        what: what has changed, as a clause about TensorFlow.
        do: what to do about it, in sentences.
        back: what to check in a downgrade below that series; empty if nothing.
        environments: where it matters; empty for everywhere.
        numpy: the major of NumPy for which it matters; None for any.
        unless_legacy_keras: whether it does not matter with Keras 2.
        unless_required: a distribution; projects that require it are not affected.
        gpu: whether it matters only with a GPU.
        until: the last series with the change; None where it stays.
    """

    at: str
    what: str
    do: str
    sources: tuple[str, ...]
    back: str = ""
    environments: tuple[str, ...] = ()
    numpy: int | None = None
    unless_legacy_keras: bool = False
    unless_required: NormalizedName | None = None
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


@functools.cache
def breaking() -> tuple[Breaking, ...]:
    """All changes, by series ascending."""
    return tuple(value_of(Breaking, entry) for entry in read_json("breaking.json")["changes"])


@functools.cache
def retired() -> tuple[Retired, ...]:
    """The companions that are no longer released."""
    return tuple(value_of(Retired, entry) for entry in read_json("breaking.json")["retired"])


def passed(old: str, new: str) -> tuple[Breaking, ...]:
    """The changes between two series, in the direction of the move.

    For a downgrade, only those that have something to check then.
    """
    if numbers(new) >= numbers(old):
        return tuple(
            one
            for one in breaking()
            if numbers(old) < numbers(one.at) <= numbers(new) <= numbers(one.until or new)
        )
    return tuple(
        one
        for one in reversed(breaking())
        if numbers(new) < numbers(one.at) <= numbers(old) and one.back
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
