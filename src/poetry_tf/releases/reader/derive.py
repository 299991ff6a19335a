"""Derives the data of a TensorFlow release from the index and its wheels. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from poetry_tf.http.errors import ReadError
from poetry_tf.releases import names
from poetry_tf.releases.filenames import (
    Distribution,
    ascending,
    fits,
    minors_by_platform,
    satisfying,
    tags_by_platform,
)
from poetry_tf.releases.model import LINUX_X86_64, PLATFORMS, numbers
from poetry_tf.releases.reader.members import Build
from poetry_tf.releases.reader.requirement_lines import (
    RequirementLine,
    environment,
    parse_requirement_line,
    restrict_to_platforms,
    without_extra,
)

EXTRA: Final = "and-cuda"

Block: TypeAlias = dict[str, Any]
"""A release in a data file, or a part of one, as JSON."""

Available: TypeAlias = dict[Version, list[Distribution]]
"""The files of one distribution in the index, by version."""

Place: TypeAlias = tuple[str, Version, str]
"""A distribution's normalised name, a version, and a platform."""


@dataclass(frozen=True, slots=True)
class WheelFacts:
    """What was read from one wheel of a release.

    Attributes:
        shim: whether it contains nothing but metadata.
        folders: the folders of NVIDIA's wheels in its RUNPATH; None if that was not read.
    """

    requires: tuple[str, ...]
    build: Build
    shim: bool = False
    folders: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Everything that was read from an index.

    Attributes:
        listed: the files of each of TensorFlow's own distributions, by name.
        facts: what was read from the wheels that were opened.
        available: the files of the distributions that decide whether requirements can be satisfied,
            by name.
    """

    listed: Mapping[str, Available] = field(hash=False)
    facts: Mapping[Place, WheelFacts] = field(hash=False)
    available: Mapping[str, Available] = field(hash=False)

    def minors(self, name: str, version: Version, platform: str) -> tuple[str, ...]:
        """The Python minors that a distribution has wheels for, in a version and on a platform."""
        files = self.listed.get(name, {}).get(version, ())
        return minors_by_platform(served(files)).get(platform, ())


def served(files: Sequence[Distribution]) -> Sequence[Distribution]:
    """The files that are not yanked, or all if all are yanked."""
    return [file for file in files if not file.file.yanked] or files


def representatives(files: Sequence[Distribution]) -> dict[str, Distribution]:
    """For each platform, the wheel that is read: the one for the oldest Python.

    The wheels of a platform contain the same facts; a fixed choice makes the data reproducible.
    """
    ranked: dict[str, list[tuple[bool, tuple[int, ...], str, Distribution]]] = {}
    for wheel in files:
        for platform, minors in minors_by_platform([wheel]).items():
            entry = (wheel.file.yanked, numbers(minors[0]), wheel.file.filename, wheel)
            ranked.setdefault(platform, []).append(entry)
    return {
        platform: min(ranked[platform], key=lambda entry: entry[:3])[3]
        for platform in PLATFORMS
        if platform in ranked
    }


def outline(files: Sequence[Distribution]) -> Block:
    """What the file names of a release contain."""
    return {
        "uploaded": min(upload_days(files), default=None),
        "yanked": all(file.file.yanked for file in files),
        "platforms": {
            platform: {"pythons": {tag: list(minors) for tag, minors in tags.items()}}
            for platform, tags in tags_by_platform(served(files)).items()
        },
    }


def block_of(name: str, version: Version, known: Knowledge) -> Block:
    """The data of one release whose wheels were opened.

    Raises:
        ReadError: one of its wheels was not read, a requirement is malformed, or the page of a
            required distribution is missing.
    """
    files = known.listed[name][version]
    block = outline(files)
    wheels = representatives(served(files))
    own: dict[str, list[RequirementLine]] = {}
    for platform, part in block["platforms"].items():
        facts = _facts(known, (name, version, platform))
        own[platform] = [parse_requirement_line(text) for text in facts.requires]
        build = facts.build
        part["kind"] = "shim" if facts.shim else "real"
        if facts.shim:
            part["target"] = target_of(name, platform, own[platform], known, version)
        minors = known.minors(name, version, platform)
        if (there := usable(name, version, platform, known)) != minors:
            part["usable"] = list(there)
        if build != Build():
            part |= {"cuda": build.cuda, "cudnn": build.cudnn, "compute": list(build.compute)}
            part["said_by"] = dict(build.sources)
        if facts.folders is not None:
            part["looks_in"] = list(facts.folders)
        # Evidence for reviews of the file, as `said_by` is: no program reads these three.
        part["wheel"] = wheels[platform].file.filename
        part["sha256"] = wheels[platform].file.sha256
    unsatisfied = unsatisfiable(own.values(), known)
    requires = union_requirements(name, version, own, known, unsatisfied)
    extra = own.get(LINUX_X86_64) or next(iter(own.values()), [])
    return block | {
        "requires": requires,
        "unsatisfiable": unsatisfied,
        "said": platform_requirements(own, requires),
        "and_cuda": and_cuda_of(
            (line.requirement for line in extra),
            {platform: _minors(block, platform) for platform in block["platforms"]},
            known.available,
        ),
    }


def platform_requirements(
    own: Mapping[str, Sequence[RequirementLine]], requires: Sequence[str]
) -> list[Block]:
    """The Requires-Dist of the platforms that differ from the union.

    Platforms with the same lines, in any order, are grouped.
    """
    groups: dict[frozenset[str], list[str]] = {}
    for platform, lines in own.items():
        groups.setdefault(frozenset(line.text for line in lines), []).append(platform)
    return [
        {"platforms": platforms, "requires": [line.text for line in own[platforms[0]]]}
        for lines, platforms in groups.items()
        if lines != set(requires)
    ]


def union_requirements(
    name: str,
    version: Version,
    own: Mapping[str, Sequence[RequirementLine]],
    known: Knowledge,
    unsatisfied: Iterable[str],
) -> list[str]:
    """The requirements that a lock needs so that a release works on each of its platforms.

    A line is for the platforms on which its marker can be true and whose own wheel, or the wheel
    that a shim redirects to, has it. If its marker is true on other platforms too, the marker is
    restricted. A line for no platform (a `tensorflow-cpu-aws` that only wheels for other platforms
    have) is left out, and so is a requirement on the release itself.
    """
    minors = {platform: known.minors(name, version, platform) for platform in own}
    required = {
        platform: {
            line.key for line in _effective_lines(name, version, platform, known, frozenset())
        }
        for platform in own
    }
    without = {parse_requirement_line(text).key for text in unsatisfied}
    order = sorted(own, key=lambda platform: (platform != LINUX_X86_64, PLATFORMS.index(platform)))
    found: dict[tuple[str, ...], str] = {}
    for line in (line for platform in order for line in own[platform]):
        reached = [platform for platform in own if line.applies(platform, minors[platform])]
        platforms = [platform for platform in reached if line.key in required[platform]]
        if line.name == name and not line.requirement.extras:
            continue
        if platforms and line.key not in found and line.key not in without:
            found[line.key] = (
                line.text if platforms == reached else restrict_to_platforms(line, platforms)
            )
    return list(found.values())


def _effective_lines(
    name: str, version: Version, platform: str, known: Knowledge, seen: frozenset[str]
) -> Iterator[RequirementLine]:
    """The lines that apply on a platform: those of its wheel, and of a shim's target."""
    facts = _facts(known, (name, version, platform))
    minors = known.minors(name, version, platform)
    lines = [
        line
        for text in facts.requires
        if (line := parse_requirement_line(text)).applies(platform, minors)
    ]
    yield from lines
    target = target_of(name, platform, lines, known, version) if facts.shim else None
    if target is not None and target not in seen:
        yield from _effective_lines(target, version, platform, known, seen | {name})


def target_of(
    name: str, platform: str, lines: Iterable[RequirementLine], known: Knowledge, version: Version
) -> str | None:
    """The distribution that a shim redirects to on a platform.

    None if it requires only itself, or one without a wheel for the platform in this version.
    """
    minors = known.minors(name, version, platform)
    for line in lines:
        if (
            line.name in names.own()
            and line.name != name
            and line.is_exact
            and line.applies(platform, minors)
            and known.minors(line.name, version, platform)
        ):
            return line.name
    return None


def usable(name: str, version: Version, platform: str, known: Knowledge) -> tuple[str, ...]:
    """The Pythons on which a release is usable on a platform; a shim's target has them too."""
    minors = known.minors(name, version, platform)
    facts = _facts(known, (name, version, platform))
    if not facts.shim:
        return minors
    lines = [parse_requirement_line(text) for text in facts.requires]
    target = target_of(name, platform, lines, known, version)
    if target is None:
        return ()
    # No endless recursion: the shims of one release redirect in one direction.
    return ascending(set(minors) & set(usable(target, version, platform, known)))


def required_distributions(facts: Iterable[WheelFacts]) -> set[str]:
    """The distributions whose files decide whether requirements can be satisfied."""
    found = set()
    for text in {text for fact in facts for text in fact.requires}:
        try:
            line = parse_requirement_line(text)
            if line.name in names.own() or without_extra(line.requirement, EXTRA) is not None:
                found.add(line.name)
        except ReadError:
            continue  # reported where the release is put together
    return found


def unsatisfiable(own: Iterable[Sequence[RequirementLine]], known: Knowledge) -> list[str]:
    """The lines of all platforms that nothing in the index satisfies, each once."""
    found: dict[tuple[str, ...], str] = {}
    for line in (line for lines in own for line in lines):
        if line.key not in found and is_unsatisfiable(line, known.available):
            found[line.key] = line.text
    return list(found.values())


def is_unsatisfiable(line: RequirementLine, available: Mapping[str, Available]) -> bool:
    """Whether a requirement pins a TensorFlow distribution to a version that the index lacks.

    Other distributions are not considered: a version missing today may be uploaded later. The parts
    of a TensorFlow release are uploaded together or never.

    Raises:
        ReadError: the page of that distribution was not read.
    """
    if line.name not in names.own() or not line.is_exact:
        return False
    return not any(satisfying(line.requirement, _page(available, line.name)))


def and_cuda_of(
    requirements: Iterable[Requirement],
    minors: Mapping[str, Iterable[str]],
    available: Mapping[str, Available],
) -> Block | None:
    """The extra `and-cuda`, and by platform the Pythons on which it can be installed.

    Raises:
        ReadError: the page of a required distribution was not read.
    """
    parts = [part for one in requirements if (part := without_extra(one, EXTRA)) is not None]
    if not parts:
        return None
    pythons = {
        platform: [minor for minor in listed if _all_fit(parts, minor, platform, available)]
        for platform, listed in minors.items()
    }
    return {
        "requires": [str(part) for part in parts],
        "pythons": {platform: found for platform, found in pythons.items() if found},
    }


def _all_fit(
    parts: Iterable[Requirement], minor: str, platform: str, available: Mapping[str, Available]
) -> bool:
    """Whether each requirement that applies to a Python on a platform has a file for it."""
    return all(
        any(
            fits(file, minor, platform)
            for file in satisfying(part, _page(available, canonicalize_name(part.name)))
        )
        for part in parts
        if part.marker is None or part.marker.evaluate(environment(platform, minor))
    )


def _facts(known: Knowledge, place: Place) -> WheelFacts:
    try:
        return known.facts[place]
    except KeyError:
        name, version, platform = place
        raise ReadError(f"the wheel of {name} {version} for {platform} wasn't read") from None


def _page(available: Mapping[str, Available], name: str) -> Available:
    try:
        return available[name]
    except KeyError:
        raise ReadError(f"whether {name} can be had isn't known") from None


def _minors(block: Block, platform: str) -> tuple[str, ...]:
    tags: Mapping[str, Sequence[str]] = block["platforms"][platform]["pythons"]
    return ascending(minor for minors in tags.values() for minor in minors)


def upload_days(files: Iterable[Distribution]) -> list[str]:
    """The days (UTC, `YYYY-MM-DD`) on which files were uploaded, where the index has them."""
    return [file.file.uploaded[:10] for file in files if file.file.uploaded]
