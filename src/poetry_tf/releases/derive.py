"""From what an index and a wheel say to what the data file says of a release. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from poetry_tf.releases import names
from poetry_tf.releases.files import Distribution, fits, minors_by_platform, satisfying
from poetry_tf.releases.index import ReadError
from poetry_tf.releases.model import LINUX_X86_64
from poetry_tf.releases.wheel import Build

EXTRA: Final = "and-cuda"

Block: TypeAlias = dict[str, Any]
"""One release as it stands in the data file, or a part of it."""

Available: TypeAlias = dict[Version, list[Distribution]]
"""The files of one distribution in the index, by version."""


@dataclass(frozen=True, slots=True)
class WheelFacts:
    """What one wheel says of its release: its Requires-Dist, and what it was built with."""

    requires: tuple[str, ...]
    build: Build


def representative(files: Sequence[Distribution]) -> Distribution:
    """The wheel that speaks for a release: of its Linux x86_64 wheels, that of the oldest Python.

    All of them say the same; a fixed choice makes the data the same each time.

    Raises:
        ReadError: there is none.
    """
    ranked = [
        (wheel.file.yanked, Version(minors[0]), wheel.file.filename, wheel)
        for wheel in files
        if (minors := minors_by_platform([wheel]).get(LINUX_X86_64))
    ]
    if not ranked:
        raise ReadError("it has no Linux x86_64 wheel of a certain Python")
    return min(ranked, key=lambda entry: entry[:3])[3]


def block_of(
    files: Sequence[Distribution], facts: WheelFacts, available: Mapping[str, Available]
) -> Block:
    """Puts together what the data says of one release.

    Args:
        files: all its files.
        facts: what its Linux x86_64 wheel says.
        available: the files of the distributions that decide what can be met, by name.

    Raises:
        ReadError: a requirement is malformed, or the page that decides about one is missing.
    """
    served = [file for file in files if not file.file.yanked] or files
    pythons = minors_by_platform(served)
    requirements = [_requirement(text) for text in facts.requires]
    lost = {
        text
        for text, requirement in zip(facts.requires, requirements, strict=True)
        if is_unsatisfiable(requirement, available)
    }
    wheel = representative(files)
    return {
        "uploaded": min(upload_days(files), default=None),
        "yanked": all(file.file.yanked for file in files),
        "pythons": {key: list(minors) for key, minors in pythons.items()},
        "cuda": facts.build.cuda,
        "cudnn": facts.build.cudnn,
        # Evidence, for whoever reviews the file: no program reads these three.
        "said_by": dict(facts.build.sources),
        "wheel": wheel.file.filename,
        "sha256": wheel.file.sha256,
        "requires": [text for text in facts.requires if text not in lost],
        "unsatisfiable": [text for text in facts.requires if text in lost],
        "and_cuda": and_cuda_of(requirements, pythons.get(LINUX_X86_64, ()), available),
    }


def names_to_ask(facts: Iterable[WheelFacts]) -> set[str]:
    """The distributions whose files decide whether a requirement can be met."""
    own = names.own()
    found = set()
    for text in {text for fact in facts for text in fact.requires}:
        try:
            requirement = _requirement(text)
            name = canonicalize_name(requirement.name)
            if name in own or without_extra(requirement, EXTRA) is not None:
                found.add(str(name))
        except ReadError:
            continue  # reported where the release is put together
    return found


def is_unsatisfiable(requirement: Requirement, available: Mapping[str, Available]) -> bool:
    """Whether a requirement pins a distribution of TensorFlow's own to what the index hasn't got.

    Others' distributions aren't judged: what they lack today they may have tomorrow. A
    TensorFlow release is uploaded with all its parts or stays without them.

    Raises:
        ReadError: that distribution's page couldn't be read, so nothing may be concluded.
    """
    name = canonicalize_name(requirement.name)
    if name not in names.own() or not any(
        part.operator in ("==", "===") for part in requirement.specifier
    ):
        return False
    return not any(satisfying(requirement, _page(available, name)))


def and_cuda_of(
    requirements: Iterable[Requirement],
    minors: Iterable[str],
    available: Mapping[str, Available],
) -> Block | None:
    """The extra `and-cuda`, and on which of the release's Linux x86_64 Pythons it can be had.

    Raises:
        ReadError: a page that decides about it couldn't be read.
    """
    parts = [part for one in requirements if (part := without_extra(one, EXTRA)) is not None]
    if not parts:
        return None
    return {
        "requires": [str(part) for part in parts],
        "pythons": [
            minor
            for minor in minors
            if all(
                any(
                    fits(file, minor, LINUX_X86_64)
                    for file in satisfying(part, _page(available, canonicalize_name(part.name)))
                )
                for part in parts
                if part.marker is None or part.marker.evaluate(_environment(minor))
            )
        ],
    }


def without_extra(requirement: Requirement, extra: str) -> Requirement | None:
    """A requirement of an extra as it reads inside of it; None where it is none of that extra's.

    Of its marker, `extra == "…"` at the end is left out; what `and` had joined to it is kept.

    Raises:
        ReadError: the marker names the extra in another way, which no wheel has done so far.
    """
    marker = str(requirement.marker or "")
    if f'"{extra}"' not in marker:
        return None
    match = re.fullmatch(rf'(?:(?P<rest>.+) and )?extra == "{re.escape(extra)}"', marker)
    rest = match["rest"] if match else None
    outermost = re.sub(r"\([^()]*\)", "", rest or "")
    # Unless all of its `or` is in parentheses, the `and` doesn't bind the whole rest.
    if match is None or " or " in outermost or "(" in outermost:
        raise ReadError(f"the marker of its requirement {str(requirement)!r} is not understood")
    part = Requirement(str(requirement))
    part.marker = Marker(rest) if rest else None
    return part


def _requirement(text: str) -> Requirement:
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        raise ReadError(f"its requirement {text!r} is malformed") from error


def _page(available: Mapping[str, Available], name: str) -> Available:
    try:
        return available[name]
    except KeyError:
        raise ReadError(f"whether {name} can be had isn't known") from None


def _environment(minor: str) -> dict[str, str]:
    """What markers see on a CPython minor of Linux x86_64."""
    return {
        "python_version": minor,
        "python_full_version": f"{minor}.99",
        "implementation_version": f"{minor}.99",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "os_name": "posix",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "platform_release": "",
        "platform_version": "",
        "extra": "",
    }


def upload_days(files: Iterable[Distribution]) -> list[str]:
    """The days (UTC, `YYYY-MM-DD`) files were uploaded, as far as the index tells."""
    return [file.file.uploaded[:10] for file in files if file.file.uploaded]
