"""The environments that a project is to be installable in, and what can be had in them.

An environment is an operating system on a processor, by the names that `releases` uses for wheels'
platforms. Together with a Python minor it is a target: the smallest thing about which it can be
said that a release has a wheel for it or has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from poetry.core.constraints.version import VersionConstraint, VersionUnion, parse_constraint
from poetry.core.version.markers import BaseMarker

from poetry_tf.releases import Release
from poetry_tf.releases.model import (
    LINUX_AARCH64,
    LINUX_X86_64,
    MACOS_ARM64,
    MACOS_X86_64,
    WINDOWS_AMD64,
)

DEFAULT_ENVIRONMENTS: Final = (LINUX_X86_64, LINUX_AARCH64)
"""What is meant where nothing is declared: the containers on PCs and on Apple silicon. Of the
second a release that can't be had there at all is excused."""

# Python minors that a bounded range is looked through for. Nothing of TensorFlow 2 runs on an
# earlier one, and the last is merely beyond every Python there is.
_FIRST, _LAST = 5, 40


@dataclass(frozen=True)
class Environment:
    """One environment in the words of requirements' markers (PEP 508)."""

    name: str
    sys_platform: str
    platform_system: str
    platform_machine: str
    os_name: str

    @property
    def marker(self) -> str:
        """The marker that holds in this environment and in no other of those known."""
        return (
            f'sys_platform == "{self.sys_platform}" and '
            f'platform_machine == "{self.platform_machine}"'
        )

    def variables(self, python: str) -> dict[str, str]:
        """What markers read there, with CPython of a minor."""
        return {
            "python_version": python,
            "python_full_version": f"{python}.9",
            "sys_platform": self.sys_platform,
            "platform_system": self.platform_system,
            "platform_machine": self.platform_machine,
            "os_name": self.os_name,
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
        }


ENVIRONMENTS: Final[Mapping[str, Environment]] = {
    item.name: item
    for item in (
        Environment(LINUX_X86_64, "linux", "Linux", "x86_64", "posix"),
        Environment(LINUX_AARCH64, "linux", "Linux", "aarch64", "posix"),
        Environment(MACOS_X86_64, "darwin", "Darwin", "x86_64", "posix"),
        Environment(MACOS_ARM64, "darwin", "Darwin", "arm64", "posix"),
        Environment(WINDOWS_AMD64, "win32", "Windows", "AMD64", "nt"),
    )
}
"""Every environment by its name; the names are those of `releases.model.PLATFORMS`."""


@dataclass(frozen=True, order=True)
class Target:
    """An environment with a Python minor: `linux-aarch64` and `3.11`."""

    environment: str
    python: str

    def admits(self, marker: BaseMarker) -> bool:
        """Whether a requirement with this marker counts here."""
        return marker.validate(ENVIRONMENTS[self.environment].variables(self.python))


def make_targets(environments: Iterable[str], pythons: Sequence[str]) -> tuple[Target, ...]:
    """Every pair of the two, the environments' order first."""
    return tuple(Target(name, python) for name in environments for python in pythons)


def is_open_ended(python: VersionConstraint) -> bool:
    """Whether a range of Pythons has no end worth the name: none, or Python 4."""
    return python.allows_any(parse_constraint(f">=3.{_LAST},<4"))


def required_pythons(python: VersionConstraint) -> tuple[str, ...] | None:
    """The Python minors for which a release must have wheels, ascending; None for no demand.

    Every minor that a range admits; of one that is open-ended (`>=3.11`, as `poetry init` writes
    it) only the lowest, because no release could have wheels for all that are to come. A range
    that is open downwards as well says nothing.
    """
    minors = tuple(
        f"3.{minor}"
        for minor in range(_FIRST, _LAST)
        if python.allows_any(parse_constraint(f">=3.{minor},<3.{minor + 1}"))
    )
    if not is_open_ended(python):
        return minors
    return minors[:1] if minors and not _begins_with_first(python) else None


def _begins_with_first(python: VersionConstraint) -> bool:
    ranges = python.ranges if isinstance(python, VersionUnion) else [python]
    return getattr(ranges[0], "min", None) is None


def required_environments(
    release: Release,
    environments: Sequence[str] | None,
    *,
    default: Sequence[str] = DEFAULT_ENVIRONMENTS,
) -> tuple[str, ...]:
    """The environments in which a release has to be usable: the declared ones, else the default.

    What is declared is meant; of the default, after the first, only where the release can be had
    at all.
    """
    if environments is not None:
        return tuple(environments)
    first, *others = default
    return (first, *(name for name in others if release.usable_on(name)))


def unserved_targets(release: Release, wanted: Iterable[Target]) -> tuple[Target, ...]:
    """Those of the targets in which installing a release gives no TensorFlow."""
    return tuple(
        target for target in wanted if target.python not in release.usable_on(target.environment)
    )


def usable_targets(release: Release, environment: str) -> tuple[Target, ...]:
    """The targets of one environment in which a release can be had."""
    return make_targets([environment], release.usable_on(environment))


def next_minor(minor: str) -> str:
    """The Python minor after one: "3.13" after "3.12"."""
    major, number = minor.split(".")
    return f"{major}.{int(number) + 1}"
