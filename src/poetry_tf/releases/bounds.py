"""Known breakages: versions of a distribution that fail with a newer version of a dependency.

Their own requirements do not exclude it, because it was released later. Kept by hand in
`data/bounds.json`, each with its source and the day it was checked.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import date
from typing import Literal

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName

from poetry_tf.files.requirements import required_name
from poetry_tf.releases.model import Release
from poetry_tf.releases.resources import read_entries


@dataclass(frozen=True, slots=True)
class Bound:
    """The first version of a dependency with which some versions of a distribution fail.

    Attributes:
        breaks: the distribution that fails; "tensorflow" stands for each distribution of it.
        versions: the versions of it that fail; with an upper bound.
        name: the dependency.
        below: the first version of the dependency that is too new.
        severity: an error where the import fails, a warning where only a part does.
        why: what fails, as the end of a sentence about the distribution.
        only_together: whether it matters only where both are locked, since what breaks does not
            require the dependency: another package does.
    """

    breaks: NormalizedName
    versions: SpecifierSet
    name: NormalizedName
    below: str
    severity: Literal["error", "warning"]
    why: str
    source: str
    checked: date
    only_together: bool = False


@functools.cache
def bounds() -> tuple[Bound, ...]:
    """All known breakages."""
    return read_entries(Bound, "bounds.json", "bounds")


def admits_breaking_version(release: Release, bound: Bound) -> bool:
    """Whether a release of TensorFlow fails with a version that its own requirements admit."""
    return bound.versions.contains(release.version, prereleases=True) and any(
        specifier.contains(bound.below) for specifier in required_by(release, bound.name)
    )


def required_by(
    release: Release, name: str, *, in_extras: bool = False
) -> tuple[SpecifierSet, ...]:
    """The versions of a distribution that a release requires itself, a specifier for each line.

    Without its extras, or in its extras alone. The name has to be normalised.
    """
    return tuple(
        requirement.specifier
        for text in release.requires
        # Parsing each requirement would be slow.
        if required_name(text) == name
        if ("extra ==" in str((requirement := Requirement(text)).marker or "")) == in_extras
    )
