"""Derives the data of a TensorFlow release from the index and its wheels. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

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
from poetry_tf.releases.reader.members import EXTRA, UNKNOWN, Build
from poetry_tf.releases.reader.requirement_lines import (
    RequirementLine,
    environment,
    parse_requirement_line,
    restrict,
    without_extra,
)

Block: TypeAlias = dict[str, Any]
"""A release in a data file, or a part of one, as JSON."""

Available: TypeAlias = dict[Version, list[Distribution]]
"""The files of one distribution in the index, by version."""

Place: TypeAlias = tuple[str, Version, str]
"""A distribution's normalised name, a version, and a platform."""

Lines: TypeAlias = Mapping[str, Sequence[RequirementLine]]
"""The requirements of a platform's wheels, by Python minor, ascending."""


@dataclass(frozen=True, slots=True)
class WheelFacts:
    """What was read from one wheel of a release.

    Attributes:
        shim: whether it contains nothing but metadata.
        folders: the folders of NVIDIA's wheels in its RUNPATH; None if that was not read.
        by_python: the requirements of the same platform's other wheels, by Python minor, where they
            differ from these.
    """

    requires: tuple[str, ...]
    build: Build
    shim: bool = False
    folders: tuple[str, ...] | None = None
    by_python: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    def requires_on(self, python: str) -> tuple[str, ...]:
        """The requirements of the wheel for a Python minor."""
        return self.by_python.get(python, self.requires)


def facts_of_metadata(place: Place, minors: Iterable[str], requires: tuple[str, ...]) -> WheelFacts:
    """What the metadata of a wheel for some Pythons tells alone: what it is built with is unknown.

    One that hands over to another distribution of TensorFlow's contains nothing else.
    """
    name, _, platform = place
    lines = map(parse_requirement_line, requires)
    shim = any(
        line.name in names.own() - {name} and line.is_exact and line.applies(platform, minors)
        for line in lines
    )
    return WheelFacts(requires, Build() if shim else UNKNOWN, shim)


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
    """For each platform, the wheel that is read whole: the one for the oldest Python.

    The wheels of a platform contain the same build; a fixed choice makes the data reproducible.
    """
    return {
        # The first of those that are not yanked, else the first.
        platform: min(wheels.values(), key=lambda wheel: wheel.file.yanked)
        for platform, wheels in by_python(files).items()
    }


def by_python(files: Sequence[Distribution]) -> dict[str, dict[str, Distribution]]:
    """For each platform and Python minor, ascending, the wheel whose metadata counts.

    Of several for one Python it is the first by name.
    """
    ranked: dict[str, dict[str, list[tuple[bool, tuple[int, ...], str, Distribution]]]] = {}
    for wheel in files:
        for platform, minors in minors_by_platform([wheel]).items():
            entry = (wheel.file.yanked, numbers(minors[0]), wheel.file.filename, wheel)
            for minor in minors:
                ranked.setdefault(platform, {}).setdefault(minor, []).append(entry)
    return {
        platform: {
            minor: min(ranked[platform][minor], key=lambda entry: entry[:3])[3]
            for minor in ascending(ranked[platform])
        }
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
    own: dict[str, Lines] = {}
    for platform, part in block["platforms"].items():
        facts = _facts(known, (name, version, platform))
        minors = known.minors(name, version, platform)
        own[platform] = {
            minor: [parse_requirement_line(text) for text in facts.requires_on(minor)]
            for minor in minors
        }
        build = facts.build
        part["kind"] = "shim" if facts.shim else "real"
        if facts.shim:
            lines = own[platform][minors[0]]
            part["target"] = target_of(name, platform, lines, known, version)
        if (there := usable(name, version, platform, known)) != minors:
            part["usable"] = list(there)
        if build != Build():
            part |= {"cuda": build.cuda, "cudnn": build.cudnn, "compute": build.compute}
            part["compute"] = None if build.compute is None else list(build.compute)
            part["said_by"] = dict(build.sources)
        if facts.folders is not None:
            part["looks_in"] = list(facts.folders)
        # Evidence for reviews of the file, as `said_by` is: no program reads these three.
        part["wheel"] = wheels[platform].file.filename
        part["sha256"] = wheels[platform].file.sha256
    unsatisfied = unsatisfiable((line for lines in own.values() for line in lines.values()), known)
    requires = union_requirements(name, version, own, known, unsatisfied)
    return block | {
        "requires": requires,
        "unsatisfiable": unsatisfied,
        "said": platform_requirements(own, requires),
        "and_cuda": _and_cuda(name, version, own, known),
    }


def _and_cuda(
    name: str, version: Version, own: Mapping[str, Lines], known: Knowledge
) -> Block | None:
    """The extra of the Linux x86_64 wheels, or of the first platform that there is."""
    platform = LINUX_X86_64 if LINUX_X86_64 in own else next(iter(own), None)
    if platform is None:
        return None
    lines = [*own[platform].values()]
    found = lines[0]
    if any(one != found for one in lines):
        # For some Pythons it requires something else.
        texts = union_requirements(name, version, {platform: own[platform]}, known, ())
        found = [parse_requirement_line(text) for text in texts]
    minors = {platform: [*by_minor] for platform, by_minor in own.items()}
    return and_cuda_of((line.requirement for line in found), minors, known.available)


def platform_requirements(own: Mapping[str, Lines], requires: Sequence[str]) -> list[Block]:
    """The Requires-Dist of the platforms that differ from the union.

    Platforms with the same lines, in any order, are grouped. The Pythons of a platform whose lines
    differ from those of its oldest one are named.
    """
    groups: dict[tuple[tuple[str, ...], frozenset[str]], list[str]] = {}
    texts: dict[frozenset[str], list[str]] = {}
    for platform, by_minor in own.items():
        pythons: dict[frozenset[str], list[str]] = {}
        for minor, lines in by_minor.items():
            key = frozenset(line.text for line in lines)
            texts.setdefault(key, [line.text for line in lines])
            pythons.setdefault(key, []).append(minor)
        oldest, *others = pythons
        groups.setdefault(((), oldest), []).append(platform)
        for key in others:
            groups.setdefault((tuple(pythons[key]), key), []).append(platform)
    return [
        {
            "platforms": platforms,
            **({"pythons": list(minors)} if minors else {}),
            "requires": texts[key],
        }
        for (minors, key), platforms in groups.items()
        if minors or key != set(requires)
    ]


def union_requirements(
    name: str,
    version: Version,
    own: Mapping[str, Lines],
    known: Knowledge,
    unsatisfied: Iterable[str],
) -> list[str]:
    """The requirements that a lock needs so that a release works on each of its platforms.

    A line is for the platforms and Pythons on which its marker can be true and whose own wheel, or
    the wheel that a shim redirects to, has it. If its marker is true on others too, the marker is
    restricted. A line for no platform (a `tensorflow-cpu-aws` that only wheels for other platforms
    have) is left out, and so is a requirement on the release itself.
    """
    required = {
        (platform, minor): {
            line.key for line in _effective_lines((name, version, platform), minor, known)
        }
        for platform, by_minor in own.items()
        for minor in by_minor
    }
    without = {parse_requirement_line(text).key for text in unsatisfied}
    order = sorted(own, key=lambda platform: (platform != LINUX_X86_64, PLATFORMS.index(platform)))
    found: dict[tuple[str, ...], str] = {}
    for line in (line for one in order for lines in own[one].values() for line in lines):
        if line.key in found or line.key in without:
            continue
        if line.name == name and not line.requirement.extras:
            continue
        reached = {
            platform: [minor for minor in own[platform] if line.applies(platform, [minor])]
            for platform in own
        }
        places = {
            platform: [minor for minor in minors if line.key in required[platform, minor]]
            for platform, minors in reached.items()
        }
        if any(places.values()):
            found[line.key] = line.text if places == reached else restrict(line, places, reached)
    return list(found.values())


def _effective_lines(
    place: Place, minor: str, known: Knowledge, seen: frozenset[str] = frozenset()
) -> Iterator[RequirementLine]:
    """The lines that apply in a target: those of its wheel, and of what a shim redirects to."""
    name, version, platform = place
    facts = _facts(known, place)
    lines = [
        line
        for text in facts.requires_on(minor)
        if (line := parse_requirement_line(text)).applies(platform, [minor])
    ]
    yield from lines
    target = target_of(name, platform, lines, known, version) if facts.shim else None
    if target is not None and target not in seen:
        yield from _effective_lines((target, version, platform), minor, known, seen | {name})


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
    for text in {
        text
        for fact in facts
        for lines in (fact.requires, *fact.by_python.values())
        for text in lines
    }:
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
        raise ReadError(f"could not read the wheel of {name} {version} for {platform}") from None


def _page(available: Mapping[str, Available], name: str) -> Available:
    try:
        return available[name]
    except KeyError:
        raise ReadError(f"could not find out whether {name} is available") from None


def upload_days(files: Iterable[Distribution]) -> list[str]:
    """The days (UTC, `YYYY-MM-DD`) on which files were uploaded, where the index has them."""
    return [file.file.uploaded[:10] for file in files if file.file.uploaded]
