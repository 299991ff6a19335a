"""Where a list of requirements needs TensorFlow: its release, targets and markers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from poetry.core.constraints.version import VersionConstraint
from poetry.core.version.markers import BaseMarker, EmptyMarker

from poetry_tf.plan.environments import Target
from poetry_tf.plan.python import marker_pythons
from poetry_tf.releases import Release


@dataclass(frozen=True)
class TensorFlowUse:
    """The use of one release of TensorFlow by the requirements of one list or table."""

    release: Release
    targets: tuple[Target, ...]
    """The project's targets in which the requirements count and the release is usable."""
    python: VersionConstraint
    """The Pythons that the project admits."""
    where: BaseMarker
    """Where the requirements count."""
    filesystem: BaseMarker
    """Where the release requires `FILESYSTEM`."""

    @cached_property
    def environments(self) -> tuple[str, ...]:
        """The environments of the targets, each once."""
        return tuple(dict.fromkeys(target.environment for target in self.targets))

    def pythons_on(self, environment: str) -> frozenset[str]:
        """The Python minors of the targets in one environment."""
        return frozenset(item.python for item in self.targets if item.environment == environment)

    def narrowed(self, marker: BaseMarker, targets: Iterable[Target]) -> BaseMarker:
        """The marker of a platform, narrowed to where the requirements count if they count less."""
        if all(target.admits(self.where) for target in targets) and not narrows(
            self.where, marker, self.python
        ):
            return marker
        return marker.intersect(self.where)


def union_markers(markers: Iterable[BaseMarker]) -> BaseMarker:
    """A marker that holds where any of them does; of no markers, nowhere."""
    result: BaseMarker = EmptyMarker()
    for marker in markers:
        result = result.union(marker)
    return result


def narrows(own: BaseMarker, marker: BaseMarker, python: VersionConstraint) -> bool:
    """Whether `own` holds for fewer of the project's Pythons than `marker` does."""
    whole_range = marker_pythons(marker).intersect(python)
    return not marker_pythons(marker.intersect(own)).allows_all(whole_range)
