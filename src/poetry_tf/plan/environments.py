"""The environments in which a project has to be installable, and what is available in them.

An environment is an operating system on a processor, named as `releases` names the platforms of
wheels. An environment with a Python minor is a target: a release has a wheel for it or has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from packaging.utils import NormalizedName
from poetry.core.constraints.version import VersionConstraint, parse_constraint
from poetry.core.version.markers import BaseMarker

from poetry_tf.plan.requirement import lower_bound
from poetry_tf.releases import Release
from poetry_tf.releases.model import (
    LINUX_AARCH64,
    LINUX_X86_64,
    MACOS_ARM64,
    MACOS_X86_64,
    WINDOWS_AMD64,
    numbers,
)
from poetry_tf.text import format_list

DEFAULT_ENVIRONMENTS: Final = (LINUX_X86_64, LINUX_AARCH64)
"""The environments of a project that declares none: containers on x86-64 and on ARM. The second
counts only for a release that is available there."""

# The Python 3 minors that are looked for in a range: from the first that TensorFlow 2 runs on to
# one beyond every Python that exists.
_FIRST, _LAST = 5, 40
MINORS: Final = tuple(f"3.{minor}" for minor in range(_FIRST, _LAST))
"""These minors, ascending."""


@dataclass(frozen=True)
class Environment:
    """One environment, with the values of the environment markers (PEP 508)."""

    name: str
    sys_platform: str
    platform_system: str
    platform_machine: str
    os_name: str

    @property
    def marker(self) -> str:
        """The marker that holds in this environment and in no other of `ENVIRONMENTS`."""
        return (
            f'sys_platform == "{self.sys_platform}" and '
            f'platform_machine == "{self.platform_machine}"'
        )

    def variables(self, python: str) -> dict[str, str]:
        """The values of the marker variables for CPython `python`, a minor such as "3.11"."""
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

    def admits(self, marker: BaseMarker, extras: frozenset[NormalizedName] | None = None) -> bool:
        """Whether a marker holds here, with `extras` requested; None stands for all of them."""
        if marker.is_any():
            return True
        variables: dict[str, Any] = dict(ENVIRONMENTS[self.environment].variables(self.python))
        if extras is not None:
            variables["extra"] = set(extras)
        return marker.validate(variables)


def holds_in(environment: str, marker: BaseMarker) -> bool:
    """Whether a marker holds for any Python of an environment."""
    return any(target.admits(marker) for target in make_targets([environment], MINORS))


def marker_without(environments: Sequence[str]) -> str:
    """The marker that holds everywhere but in some environments."""
    parts = [
        f'sys_platform != "{ENVIRONMENTS[name].sys_platform}" or '
        f'platform_machine != "{ENVIRONMENTS[name].platform_machine}"'
        for name in environments
    ]
    return " and ".join(f"({part})" for part in parts) if len(parts) > 1 else "".join(parts)


def make_targets(environments: Iterable[str], pythons: Sequence[str]) -> tuple[Target, ...]:
    """Every pair of the two, ordered by environment, then by Python."""
    return tuple(Target(name, python) for name in environments for python in pythons)


def is_open_ended(python: VersionConstraint) -> bool:
    """Whether a range of Pythons has no upper bound, or only Python 4."""
    return python.allows_any(parse_constraint(f">=3.{_LAST},<4"))


def required_pythons(python: VersionConstraint) -> tuple[str, ...] | None:
    """The Python minors for which a release must have wheels, ascending.

    These are all minors that a range admits. Of an open-ended range (`>=3.11`, as `poetry init`
    writes it) only the lowest counts, because no release has wheels for future Pythons. None for a
    range without any bound.
    """
    minors = tuple(
        minor
        for minor in MINORS
        if python.allows_any(parse_constraint(f">={minor},<{next_minor(minor)}"))
    )
    if not is_open_ended(python):
        return minors
    return minors[:1] if minors and lower_bound(python) is not None else None


def required_environments(release: Release, environments: Sequence[str] | None) -> tuple[str, ...]:
    """The environments in which a release has to be usable: the declared ones, else the default.

    Of the default, the first always counts and the others only where the release is available.
    """
    if environments is not None:
        return tuple(environments)
    first, *others = DEFAULT_ENVIRONMENTS
    return (first, *(name for name in others if release.usable_on(name)))


def unserved_targets(release: Release, targets: Iterable[Target]) -> tuple[Target, ...]:
    """Those of the targets in which installing a release gives no TensorFlow."""
    return tuple(
        target for target in targets if target.python not in release.usable_on(target.environment)
    )


def pythons_with_wheels(
    releases: Iterable[Release], environments: Iterable[str] = tuple(ENVIRONMENTS)
) -> tuple[str, ...]:
    """The Python minors, ascending, for which any of the releases has wheels in an environment."""
    minors = {
        minor for item in releases for name in environments for minor in item.pythons_on(name)
    }
    return tuple(sorted(minors, key=numbers))


def usable_targets(release: Release, environment: str) -> tuple[Target, ...]:
    """The targets of one environment in which a release is usable."""
    return make_targets([environment], release.usable_on(environment))


def next_minor(minor: str) -> str:
    """The Python minor after one: "3.13" after "3.12"."""
    major, number = minor.split(".")
    return f"{major}.{int(number) + 1}"


def format_targets(targets: Iterable[Target], judged: Iterable[Target]) -> str:
    """Targets as text: "linux-aarch64 with Python 3.8".

    The Pythons are left out where they are all that an environment has in `judged`.
    """
    all_pythons = _by_environment(judged)
    names_by_pythons: dict[tuple[str, ...], list[str]] = {}
    for name, minors in _by_environment(targets).items():
        shown = () if set(minors) == set(all_pythons.get(name, ())) else minors
        names_by_pythons.setdefault(shown, []).append(name)
    return " and ".join(
        format_list(names) + (f" with Python {format_list(minors)}" if minors else "")
        for minors, names in names_by_pythons.items()
    )


def _by_environment(targets: Iterable[Target]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for target in targets:
        found[target.environment] = (*found.get(target.environment, ()), target.python)
    return found
