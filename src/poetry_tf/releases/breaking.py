"""What a person has to look at when a project moves to another series of TensorFlow.

Kept by hand in `data/breaking.json`, each entry with its sources. What can be read from the wheels
(Pythons, CUDA, what is required) stands in the other data and is not repeated there.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from poetry_tf.releases.model import Release, numbers
from poetry_tf.releases.resources import read_json

_ASKS = re.compile(r"[\w.-]+")


@dataclass(frozen=True, slots=True)
class Breaking:
    """Something that is different from one series on.

    Attributes:
        at: the first series in which it is so.
        what: what is different, as a clause about TensorFlow.
        do: what to do about it, in sentences.
        back: what to look at on the way down past that series; empty where nothing is.
        sources: where that was found, as URLs.
        environments: where it matters; empty for everywhere.
        numpy: the major of NumPy that it is about: it matters only where that one gets locked.
        unless_legacy_keras: whether it doesn't matter to who keeps Keras 2.
        unless_required: the distribution whose users it doesn't concern if they require it.
        gpu: whether it matters only where a GPU is wanted.
    """

    at: str
    what: str
    do: str
    back: str
    sources: tuple[str, ...]
    environments: tuple[str, ...]
    numpy: int | None
    unless_legacy_keras: bool
    unless_required: NormalizedName | None
    gpu: bool


@dataclass(frozen=True, slots=True)
class Retired:
    """A companion that has ended.

    Attributes:
        name: the distribution.
        last: the last series of TensorFlow that has a release of it.
        why: why there is none for later ones, as a clause about it.
        instead: what takes its place, in sentences.
        sources: where that was found, as URLs.
    """

    name: NormalizedName
    last: str
    why: str
    instead: str
    sources: tuple[str, ...]


@functools.cache
def breaking() -> tuple[Breaking, ...]:
    """Every entry, by series ascending."""
    return tuple(
        Breaking(
            at=entry["at"],
            what=entry["what"],
            do=entry["do"],
            back=entry.get("back", ""),
            sources=tuple(entry["sources"]),
            environments=tuple(entry.get("environments", ())),
            numpy=entry.get("numpy"),
            unless_legacy_keras=entry.get("unless_legacy_keras", False),
            unless_required=canonicalize_name(entry["unless_required"])
            if "unless_required" in entry
            else None,
            gpu=entry.get("gpu", False),
        )
        for entry in read_json("breaking.json")["changes"]
    )


@functools.cache
def retired() -> tuple[Retired, ...]:
    """The companions that have ended."""
    return tuple(
        Retired(
            canonicalize_name(entry["name"]),
            entry["last"],
            entry["why"],
            entry["instead"],
            tuple(entry["sources"]),
        )
        for entry in read_json("breaking.json")["retired"]
    )


def passed(old: str, new: str) -> tuple[Breaking, ...]:
    """What is different between two series: in the order in which one meets it.

    On the way down only what has something to say of that.
    """
    if numbers(new) >= numbers(old):
        return tuple(one for one in breaking() if numbers(old) < numbers(one.at) <= numbers(new))
    return tuple(
        one
        for one in reversed(breaking())
        if numbers(new) < numbers(one.at) <= numbers(old) and one.back
    )


def ended(name: str, series: str) -> Retired | None:
    """The companion of a name, where it has ended before a series of TensorFlow."""
    for one in retired():
        if one.name == name and numbers(series) > numbers(one.last):
            return one
    return None


# -- what stands in the wheels ----------------------------------------------------------------


def keras_major(release: Release) -> int | None:
    """The major of the Keras that `tf.keras` is; None where the wheels don't say."""
    return next(iter(majors(release, "keras")), None)


def majors(release: Release, name: str) -> tuple[int, ...]:
    """The majors of a distribution that a release admits, of those up to the one after its least.

    `numpy (<2.1.0,>=1.26.0)` admits 1 and 2. Empty where the release doesn't require it.
    """
    asked = [
        requirement.specifier
        for text in release.requires
        if (match := _ASKS.match(text)) and canonicalize_name(match[0]) == name
        if "extra ==" not in str((requirement := Requirement(text)).marker or "")
    ]
    found = set()
    for specifier in asked:
        least = [part.version for part in specifier if part.operator in {">=", "~=", "==", ">"}]
        if not least:
            continue
        first = int(least[0].partition(".")[0])
        found |= {first}
        if specifier.contains(f"{first + 1}.0.0"):
            found |= {first + 1}
    return tuple(sorted(found))
