"""Known breakages: versions of a distribution that fail with a newer dependency than they knew.

Their own requirements don't exclude it, because it came out after them. Kept by hand in
`data/bounds.json`, each with its source and the day it was checked.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import date
from typing import Literal

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name

from poetry_tf.releases.model import Release
from poetry_tf.releases.names import normalize
from poetry_tf.releases.resources import read_json


@dataclass(frozen=True, slots=True)
class Bound:
    """The version of a dependency from which on some versions of a distribution fail.

    Attributes:
        breaks: the distribution that fails; "tensorflow" stands for each distribution of it.
        versions: the versions of it that fail; they have an upper end.
        name: the dependency.
        below: the first version of the dependency that is too new.
        severity: an error where the import fails, a warning where only a part does.
        why: what goes wrong, as the end of a sentence about the distribution.
        source: where that was found.
        checked: the day it was found, or last looked at.
    """

    breaks: NormalizedName
    versions: SpecifierSet
    name: NormalizedName
    below: str
    severity: Literal["error", "warning"]
    why: str
    source: str
    checked: date


@functools.cache
def bounds() -> tuple[Bound, ...]:
    """Every known breakage."""
    return tuple(
        Bound(
            breaks=canonicalize_name(entry["breaks"]),
            versions=SpecifierSet(entry["versions"]),
            name=canonicalize_name(entry["name"]),
            below=entry["below"],
            severity=entry["severity"],
            why=entry["why"],
            source=entry["source"],
            checked=date.fromisoformat(entry["checked"]),
        )
        for entry in read_json("bounds.json")["bounds"]
    )


def admits_breaking_version(release: Release, bound: Bound) -> bool:
    """Whether a release of TensorFlow is one that breaks, and its own requirement allows it."""
    return bound.versions.contains(release.version, prereleases=True) and any(
        specifier.contains(bound.below) for specifier in required_by(release, bound.name)
    )


def required_by(release: Release, name: str) -> tuple[SpecifierSet, ...]:
    """What a release of TensorFlow itself requires of a distribution."""
    return tuple(
        Requirement(text).specifier
        for text in release.requires
        # To parse every requirement would take longer than all the rest.
        if text.lower().startswith(name) and normalize(Requirement(text).name) == name
    )
