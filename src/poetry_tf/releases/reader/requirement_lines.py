"""Requires-Dist lines of wheels: parsed, evaluated by platform, and rewritten. No I/O."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from poetry_tf.http.errors import ReadError
from poetry_tf.releases.filenames import ascending

_SYSTEMS: Final = {
    "linux": ("linux", "Linux", "posix"),
    "macos": ("darwin", "Darwin", "posix"),
    "windows": ("win32", "Windows", "nt"),
}
"""The values of sys_platform, platform_system and os_name on an operating system."""


@dataclass(frozen=True, slots=True)
class RequirementLine:
    """One parsed Requires-Dist.

    Attributes:
        text: as the wheel spells it.
        key: equal for lines that mean the same: name, extras, versions, marker.
    """

    text: str
    requirement: Requirement = field(hash=False, compare=False)
    key: tuple[str, ...]

    @property
    def name(self) -> str:
        """The normalised name of the required distribution."""
        return str(canonicalize_name(self.requirement.name))

    @property
    def is_exact(self) -> bool:
        """Whether it pins one version."""
        return any(part.operator in ("==", "===") for part in self.requirement.specifier)

    def applies(self, platform: str, minors: Iterable[str]) -> bool:
        """Whether its marker can be true on a platform, for one of the Pythons and any extra."""
        marker = str(self.requirement.marker or "")
        return not marker or any(_can_be_true(marker, platform, minor) for minor in minors)


@functools.cache
def parse_requirement_line(text: str) -> RequirementLine:
    """Parses a Requires-Dist.

    Raises:
        ReadError: it is malformed.
    """
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise ReadError(f"its requirement {text!r} is malformed") from error
    name = str(canonicalize_name(requirement.name))
    return RequirementLine(
        text,
        requirement,
        (
            name,
            *sorted(requirement.extras),
            str(requirement.specifier),
            str(requirement.marker or ""),
        ),
    )


def restrict(
    line: RequirementLine,
    places: Mapping[str, Sequence[str]],
    reached: Mapping[str, Sequence[str]],
) -> str:
    """The line with a marker that is true in these places only.

    Args:
        line: a line.
        places: by platform the Python minors it is for, ascending; not empty for each platform.
        reached: by platform those for which its own marker is true.
    """
    limits = {
        platform: _python_condition(minors, reached[platform])
        for platform, minors in places.items()
        if minors
    }
    # A platform that the line is not for at all limits the platforms, not the Pythons.
    inside = {minor for platform in limits for minor in places[platform]}
    outside = {
        minor for platform in limits for minor in reached[platform] if minor not in places[platform]
    }
    by_platform = [platform for platform in reached if reached[platform] and platform not in limits]
    if inside.isdisjoint(outside):
        python = _python_condition(ascending(inside), ascending(inside | outside))
        conditions = [python] if python else []
        if by_platform:
            conditions.append(_or(_platform_condition(platform) for platform in limits))
        where = " and ".join(conditions)
    else:
        where = _or(
            " and ".join(filter(None, (_platform_condition(platform), python)))
            for platform, python in limits.items()
        )
    requirement = Requirement(line.text)
    rest = str(requirement.marker or "")
    rest = f"({rest}) and " if " or " in rest else f"{rest} and " if rest else ""
    requirement.marker = Marker(f"{rest}{where}")
    return str(requirement)


def _platform_condition(platform: str) -> str:
    system, _, machine = platform.partition("-")
    machine = machine.upper() if system == "windows" else machine
    return f'sys_platform == "{_SYSTEMS[system][0]}" and platform_machine == "{machine}"'


def _python_condition(minors: Sequence[str], among: Sequence[str]) -> str:
    """A condition that is true for some of several Python minors, in ascending order.

    Below the first of them and above the last it is true where it is for that one, so that no
    Python is without any of several lines. Empty if it is true for all.
    """
    if list(minors) == list(among):
        return ""
    runs: list[list[str]] = []
    for before, minor in zip(("", *among), among, strict=False):
        if minor in minors:
            if runs and before in runs[-1]:
                runs[-1].append(minor)
            else:
                runs.append([minor])
    conditions = []
    for run in runs:
        after = among[among.index(run[-1]) + 1 :]
        bounds = [f'python_version >= "{run[0]}"'] if run[0] != among[0] else []
        bounds += [f'python_version < "{after[0]}"'] if after else []
        conditions.append(" and ".join(bounds))
    return _or(conditions)


def _or(conditions: Iterable[str]) -> str:
    found = list(conditions)
    return f"({' or '.join(found)})" if len(found) > 1 else found[0]


def without_extra(requirement: Requirement, extra: str) -> Requirement | None:
    """A requirement of an extra without `extra == "…"`; None if it is not of that extra.

    Conditions that the marker joins to the extra by `and` are kept.

    Raises:
        ReadError: the marker names the extra in another form; no wheel has done so yet.
    """
    marker = str(requirement.marker or "")
    if f'"{extra}"' not in marker:
        return None
    match = re.fullmatch(rf'(?:(?P<rest>.+) and )?extra == "{re.escape(extra)}"', marker)
    rest = match["rest"] if match else None
    outermost = re.sub(r"\([^()]*\)", "", rest or "")
    # An `or` outside of parentheses: the `and` does not apply to the whole rest.
    if match is None or " or " in outermost or "(" in outermost:
        raise ReadError(f"the marker of its requirement {str(requirement)!r} is not understood")
    part = Requirement(str(requirement))
    part.marker = Marker(rest) if rest else None
    return part


def environment(platform: str, minor: str, extra: str = "") -> dict[str, str]:
    """The marker environment of a CPython minor on a platform."""
    system, _, machine = platform.partition("-")
    sys_platform, platform_system, os_name = _SYSTEMS[system]
    return {
        "python_version": minor,
        "python_full_version": f"{minor}.99",
        "implementation_version": f"{minor}.99",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "os_name": os_name,
        "sys_platform": sys_platform,
        "platform_system": platform_system,
        "platform_machine": machine.upper() if system == "windows" else machine,
        "platform_release": "",
        "platform_version": "",
        "extra": extra,
    }


@functools.cache
def _can_be_true(marker: str, platform: str, minor: str) -> bool:
    """Whether a marker can be true for a Python on a platform, with any extra or none."""
    extras = ("", *re.findall(r"extra == \"([^\"]*)\"", marker))
    parsed = Marker(marker)
    return any(parsed.evaluate(environment(platform, minor, extra)) for extra in extras)
