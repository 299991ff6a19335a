"""Upper bounds that a release needs and its own requirements lack.

They stand in no wheel: what was too new came out after it. Kept by hand in `data/bounds.json`, each
with its source.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.version import Version

from poetry_tf.releases.model import Release
from poetry_tf.releases.names import normalize
from poetry_tf.releases.resources import read_json


@dataclass(frozen=True, slots=True)
class Bound:
    """A version of a dependency from which on a release doesn't work.

    Attributes:
        name: the dependency, normalised.
        below: the first version that is too new.
        why: what goes wrong, as the end of a sentence about the release.
    """

    name: str
    below: str
    why: str


def bounds(release: Release) -> tuple[Bound, ...]:
    """The bounds that are missing from a release's requirements."""
    return tuple(_bounds(release))


def _bounds(release: Release) -> Iterator[Bound]:
    for entry in read_json("bounds.json")["bounds"]:
        if release.version >= Version(entry["before"]):
            continue
        asked = [Requirement(text) for text in release.requires if _is_on(text, entry["name"])]
        if any(requirement.specifier.contains(entry["below"]) for requirement in asked):
            yield Bound(entry["name"], entry["below"], entry["why"])


def _is_on(text: str, name: str) -> bool:
    # To parse every requirement would take longer than all the rest.
    return text.lower().startswith(name) and normalize(Requirement(text).name) == name
