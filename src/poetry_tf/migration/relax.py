"""The requirements that a list leads to, and how far their versions are relaxed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from poetry_tf.migration.entries import ListEntry


class Relaxation(IntEnum):
    """How much of the versions that a list names is required."""

    WRITTEN = 0
    MAJOR = 1
    """From the lowest version that is named to the end of its major series."""
    ANY = 2


@dataclass(frozen=True)
class RequiredEntry:
    """A line that is required.

    Attributes:
        entry: the line.
        name: its name on PyPI.
        relaxation: how much of its versions is required.
        reason: why its versions are not required as written; empty if they are.
        excluded: the environments that its marker excludes, because it has no file for them.
    """

    entry: ListEntry
    name: str
    relaxation: Relaxation = Relaxation.WRITTEN
    reason: str = ""
    excluded: tuple[str, ...] = ()

    @property
    def key(self) -> NormalizedName:
        return canonicalize_name(self.name)

    @property
    def specifier(self) -> str:
        """The required versions as a standard specifier; empty for any version."""
        return relax_specifier(self.entry.specifier, self.relaxation)

    def admits(self, version: Version) -> bool:
        """Whether a version is among those that are required."""
        return SpecifierSet(self.specifier).contains(version, prereleases=True)


def relax_specifier(specifier: str, relaxation: Relaxation) -> str:
    """A specifier, relaxed."""
    if relaxation == Relaxation.WRITTEN or not specifier:
        return specifier
    lowest = lowest_version(specifier)
    if relaxation == Relaxation.ANY or lowest is None:
        return ""
    return f">={lowest.public},<{lowest.major + 1}"


def lowest_version(specifier: str) -> Version | None:
    """The lower bound of a specifier; None if it has none."""
    bounds = [
        Version(item.version.removesuffix(".*"))
        for item in SpecifierSet(specifier)
        if item.operator in {"==", ">=", "~=", ">", "==="}
    ]
    return max(bounds, default=None)


def relax_requirement(item: RequiredEntry, reason: str) -> RequiredEntry | None:
    """The same requirement, relaxed one step further; None if it already admits any version."""
    for relaxation in Relaxation:
        if relaxation > item.relaxation and relax_specifier(item.entry.specifier, relaxation) != (
            item.specifier
        ):
            return replace(item, relaxation=relaxation, reason=reason)
    return None
