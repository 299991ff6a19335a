"""What a project asks of TensorFlow in one place, and a line that is wanted beside that."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from packaging.utils import NormalizedName
from poetry.core.constraints.version import VersionConstraint, parse_constraint
from poetry.core.packages.utils.utils import get_python_constraint_from_marker
from poetry.core.version.markers import BaseMarker

from poetry_tf.plan.environments import Target
from poetry_tf.releases import Release


@dataclass(frozen=True)
class MarkedRequirement:
    """One marked requirement that is wanted beside the one on TensorFlow."""

    name: NormalizedName
    constraint: str
    """The versions, spelt so that both [project] and Poetry's own tables take it."""
    marker: str
    """Where it counts; empty for everywhere."""


@dataclass(frozen=True)
class TensorFlowUse:
    """What is asked of TensorFlow in one place of a project."""

    release: Release
    targets: tuple[Target, ...]
    """Those that the project admits, in which the requirement counts and the release is usable."""
    python: VersionConstraint
    where: BaseMarker
    """Where the requirement counts."""
    filesystem: BaseMarker
    """Where TensorFlow asks for `FILESYSTEM`."""

    @cached_property
    def environments(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(target.environment for target in self.targets))

    def on(self, environment: str) -> tuple[Target, ...]:
        return tuple(target for target in self.targets if target.environment == environment)

    def counting(self, marker: BaseMarker, targets: Iterable[Target]) -> BaseMarker:
        """A marker of a platform narrowed to where the requirement counts, if that matters."""
        if all(target.admits(self.where) for target in targets) and not narrows(
            self.where, marker, self.python
        ):
            return marker
        return marker.intersect(self.where)


def narrows(own: BaseMarker, marker: BaseMarker, python: VersionConstraint) -> bool:
    """Whether of the project's Pythons for which `marker` holds, `own` holds for fewer."""
    whole_range = _pythons(marker).intersect(python)
    return not _pythons(marker.intersect(own)).allows_all(whole_range)


def _pythons(marker: BaseMarker) -> VersionConstraint:
    # By way of its text: made of a marker, "<3.12" would hold 3.12's prereleases, which the same
    # words elsewhere leave out.
    return parse_constraint(str(get_python_constraint_from_marker(marker)))
