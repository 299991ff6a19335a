"""From what an index and its wheels say to what the data files say of a release. No I/O."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
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
from poetry_tf.releases.reader.wheel import Build

EXTRA: Final = "and-cuda"

Block: TypeAlias = dict[str, Any]
"""One release as it stands in the data file, or a part of it."""

Available: TypeAlias = dict[Version, list[Distribution]]
"""The files of one distribution in the index, by version."""

Place: TypeAlias = tuple[str, Version, str]
"""A distribution's normalised name, a version, and a platform."""

_SYSTEMS: Final = {
    "linux": ("linux", "Linux", "posix"),
    "macos": ("darwin", "Darwin", "posix"),
    "windows": ("win32", "Windows", "nt"),
}
"""What markers call an operating system: sys_platform, platform_system, os_name."""


@dataclass(frozen=True, slots=True)
class WheelFacts:
    """What one wheel says of its release.

    Attributes:
        requires: its Requires-Dist.
        build: what it was built with.
        shim: whether there is nothing else in it.
        folders: those of NVIDIA's wheels that it looks in by itself; None where it wasn't asked.
    """

    requires: tuple[str, ...]
    build: Build
    shim: bool = False
    folders: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class CompanionFacts:
    """What a wheel of a companion says.

    Attributes:
        requires: its Requires-Dist.
        least: the TensorFlow (`"2.13"`) that its code demands at least when it is imported.
    """

    requires: tuple[str, ...]
    least: str | None = None


@dataclass(frozen=True, slots=True)
class Knowledge:
    """All that was read of an index, to be put together.

    Attributes:
        listed: the files of each of TensorFlow's own distributions, by name.
        facts: what the wheels say that were opened.
        available: the files of the distributions that decide what can be met, by name.
    """

    listed: Mapping[str, Available] = field(hash=False)
    facts: Mapping[Place, WheelFacts] = field(hash=False)
    available: Mapping[str, Available] = field(hash=False)

    def minors(self, name: str, version: Version, platform: str) -> tuple[str, ...]:
        """The Pythons that a distribution's version has wheels for on a platform."""
        files = self.listed.get(name, {}).get(version, ())
        return minors_by_platform(served(files)).get(platform, ())


@dataclass(frozen=True, slots=True)
class RequirementLine:
    """One Requires-Dist, understood.

    Attributes:
        text: as the wheel spells it.
        requirement: what it says.
        key: what is the same for lines that mean the same: name, extras, versions, marker.
    """

    text: str
    requirement: Requirement = field(hash=False, compare=False)
    key: tuple[str, ...]

    @property
    def name(self) -> str:
        """The distribution it names, normalised."""
        return str(canonicalize_name(self.requirement.name))

    @property
    def is_exact(self) -> bool:
        """Whether it pins one version."""
        return any(part.operator in ("==", "===") for part in self.requirement.specifier)

    def applies(self, platform: str, minors: Iterable[str]) -> bool:
        """Whether it can ever count on a platform: on one of the Pythons, with or without extra."""
        marker = str(self.requirement.marker or "")
        return not marker or any(_holds(marker, platform, minor) for minor in minors)


@functools.cache
def parse_requirement_line(text: str) -> RequirementLine:
    """A Requires-Dist, understood.

    Raises:
        ReadError: it is malformed.
    """
    try:
        one = Requirement(text)
    except InvalidRequirement as error:
        raise ReadError(f"its requirement {text!r} is malformed") from error
    name = str(canonicalize_name(one.name))
    return RequirementLine(
        text, one, (name, *sorted(one.extras), str(one.specifier), str(one.marker or ""))
    )


def served(files: Sequence[Distribution]) -> Sequence[Distribution]:
    """The files that are not yanked; all of them where all are."""
    return [file for file in files if not file.file.yanked] or files


def representatives(files: Sequence[Distribution]) -> dict[str, Distribution]:
    """Platform to the wheel that speaks for a release there: that of the oldest Python.

    All of a platform's say the same; a fixed choice makes the data the same each time.
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
    """What the names of a release's files say of it."""
    return {
        "uploaded": min(upload_days(files), default=None),
        "yanked": all(file.file.yanked for file in files),
        "platforms": {
            platform: {"pythons": {tag: list(minors) for tag, minors in tags.items()}}
            for platform, tags in tags_by_platform(served(files)).items()
        },
    }


def block_of(name: str, version: Version, known: Knowledge) -> Block:
    """Puts together what the data says of one release whose wheels were opened.

    Raises:
        ReadError: one of its wheels wasn't read, a requirement is malformed, or the page that
            decides about one is missing.
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
        # Evidence, like `said_by`, for whoever reviews the file: no program reads these three.
        part["wheel"] = wheels[platform].file.filename
        part["sha256"] = wheels[platform].file.sha256
    lost = unsatisfiable(own.values(), known)
    requires = union_requirements(name, version, own, known, lost)
    extra = own.get(LINUX_X86_64) or next(iter(own.values()), [])
    return block | {
        "requires": requires,
        "unsatisfiable": lost,
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
    """The Requires-Dist of the platforms that don't say just what the union says.

    Platforms that say the same are together; in which order they say it makes no difference.
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
    lost: Iterable[str],
) -> list[str]:
    """What a lock must hold so that a release works on each of its platforms.

    A line is for the platforms on which it can count and whose own wheel says it, or, behind a
    shim, the wheel that this hands over to. Where its marker lets it reach others as well, one that
    doesn't is put to it. A line that is for none (a `tensorflow-cpu-aws` that only wheels for other
    platforms mention) is left out, and so is a requirement on the release itself.
    """
    minors = {platform: known.minors(name, version, platform) for platform in own}
    needs = {
        platform: {line.key for line in _reach(name, version, platform, known, frozenset())}
        for platform in own
    }
    without = {parse_requirement_line(text).key for text in lost}
    order = sorted(own, key=lambda platform: (platform != LINUX_X86_64, PLATFORMS.index(platform)))
    found: dict[tuple[str, ...], str] = {}
    for line in (line for platform in order for line in own[platform]):
        reached = [one for one in own if line.applies(one, minors[one])]
        wanted = [one for one in reached if line.key in needs[one]]
        if line.name == name and not line.requirement.extras:
            continue
        if wanted and line.key not in found and line.key not in without:
            found[line.key] = line.text if wanted == reached else _confined(line, wanted)
    return list(found.values())


def _reach(
    name: str, version: Version, platform: str, known: Knowledge, seen: frozenset[str]
) -> Iterator[RequirementLine]:
    """The lines that count on a platform: a wheel's, and those of a shim's target."""
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
        yield from _reach(target, version, platform, known, seen | {name})


def target_of(
    name: str, platform: str, lines: Iterable[RequirementLine], known: Knowledge, version: Version
) -> str | None:
    """The distribution that a shim hands over to on a platform.

    None where it names none but itself, or one that has no wheel for the platform in this version.
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
    """The Pythons on which a release can be had on a platform: its wheels', or its targets' too."""
    minors = known.minors(name, version, platform)
    facts = _facts(known, (name, version, platform))
    if not facts.shim:
        return minors
    lines = [parse_requirement_line(text) for text in facts.requires]
    target = target_of(name, platform, lines, known, version)
    if target is None:
        return ()
    # A target's own target can't lead back: the shims of one release hand over in one direction.
    there = known.minors(target, version, platform)
    if _facts(known, (target, version, platform)).shim:
        there = usable(target, version, platform, known)
    return ascending(set(minors) & set(there))


def _confined(line: RequirementLine, wanted: Sequence[str]) -> str:
    """A line with a marker that lets it count on these platforms alone."""
    conditions = []
    for platform in wanted:
        system, _, machine = platform.partition("-")
        machine = machine.upper() if system == "windows" else machine
        conditions.append(
            f'sys_platform == "{_SYSTEMS[system][0]}" and platform_machine == "{machine}"'
        )
    where = " or ".join(conditions)
    where = f"({where})" if len(conditions) > 1 else where
    requirement = Requirement(line.text)
    rest = str(requirement.marker or "")
    rest = f"({rest}) and " if " or " in rest else f"{rest} and " if rest else ""
    requirement.marker = Marker(f"{rest}{where}")
    return str(requirement)


def names_to_ask(facts: Iterable[WheelFacts]) -> set[str]:
    """The distributions, other than TensorFlow's, whose files decide what can be met."""
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
    """The lines of any platform that nothing can satisfy, each once."""
    found: dict[tuple[str, ...], str] = {}
    for line in (line for lines in own for line in lines):
        if line.key not in found and is_unsatisfiable(line, known.available):
            found[line.key] = line.text
    return list(found.values())


def is_unsatisfiable(line: RequirementLine, available: Mapping[str, Available]) -> bool:
    """Whether a requirement pins a distribution of TensorFlow's own to what the index hasn't got.

    Others' distributions aren't judged: what they lack today they may have tomorrow. A
    TensorFlow release is uploaded with all its parts or stays without them.

    Raises:
        ReadError: that distribution's page couldn't be read, so nothing may be concluded.
    """
    if line.name not in names.own() or not line.is_exact:
        return False
    return not any(satisfying(line.requirement, _page(available, line.name)))


def and_cuda_of(
    requirements: Iterable[Requirement],
    minors: Mapping[str, Iterable[str]],
    available: Mapping[str, Available],
) -> Block | None:
    """The extra `and-cuda`, and on which of the release's Pythons it can be had, by platform.

    Raises:
        ReadError: a page that decides about it couldn't be read.
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
    """Whether each requirement that counts on a Python of a platform has a file that fits it."""
    return all(
        any(
            fits(file, minor, platform)
            for file in satisfying(part, _page(available, canonicalize_name(part.name)))
        )
        for part in parts
        if part.marker is None or part.marker.evaluate(environment(platform, minor))
    )


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


def environment(platform: str, minor: str, extra: str = "") -> dict[str, str]:
    """What markers see on a CPython minor of a platform."""
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
def _holds(marker: str, platform: str, minor: str) -> bool:
    """Whether a marker can be true on a Python of a platform, whatever extra is asked for."""
    extras = ("", *re.findall(r"extra == \"([^\"]*)\"", marker))
    parsed = Marker(marker)
    return any(parsed.evaluate(environment(platform, minor, extra)) for extra in extras)


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
    """The days (UTC, `YYYY-MM-DD`) files were uploaded, as far as the index tells."""
    return [file.file.uploaded[:10] for file in files if file.file.uploaded]


def companion_blocks(
    listed: Mapping[str, Available], said: Mapping[tuple[str, Version], CompanionFacts]
) -> Block:
    """What the data says of the companions' releases.

    A release that has wheels, none of which was read, is left out.

    Args:
        listed: the files of each companion's final releases, by name.
        said: what one wheel of each says.
    """
    found: Block = {}
    for name, versions in sorted(listed.items()):
        demands = sorted(
            {
                facts.least
                for (one, _), facts in said.items()
                if one == name and facts.least is not None
            },
            key=numbers,
        )
        found[name] = {
            str(version): _companion(files, said.get((name, version)), demands)
            for version, files in sorted(versions.items())
            if (name, version) in said or not any(file.is_wheel for file in files)
        }
    return found


def _companion(
    files: Sequence[Distribution], facts: CompanionFacts | None, demands: Sequence[str]
) -> Block:
    wheels = [file for file in served(files) if file.is_wheel]
    lines = [parse_requirement_line(text) for text in facts.requires] if facts else []
    specifier, by = _fitting(lines, facts.least if facts else None, demands)
    related = names.named("main", "retired", "shim", "vendor", "companion")
    return {
        "uploaded": min(upload_days(files), default=None),
        "yanked": all(file.file.yanked for file in files),
        "requires_python": files[0].file.requires_python,
        "pure": any(tag.platform == "any" for wheel in wheels for tag in wheel.tags),
        "pythons": {key: list(minors) for key, minors in minors_by_platform(wheels).items()},
        "fits": specifier,
        "by": by,
        "requires": [line.text for line in lines if line.name in related],
    }


def _fitting(
    lines: Sequence[RequirementLine], least: str | None, demands: Sequence[str]
) -> tuple[str | None, str | None]:
    """The TensorFlows that a companion fits, as a specifier, and what says so.

    `metadata`: a plain requirement with both ends, which a solver follows. `open`: one that names
    the least TensorFlow only; it is taken to fit the series of that one. `code`: it checks for the
    least when it is imported; that it goes with the one that it was made for, up to what the next
    release demands, is how it is developed. `extra`: an extra's requirements, which nobody has to
    ask for. A solver follows none of the latter three to the right end.
    """
    own = [line for line in lines if line.name in names.own() and line.requirement.specifier]
    own.sort(key=lambda line: line.name != "tensorflow")  # stable: the first of that name
    plain = [line for line in own if "extra ==" not in str(line.requirement.marker or "")]
    if plain:
        specifier = plain[0].requirement.specifier
        made_for = _made_for(specifier)
        return (made_for, "open") if made_for else (str(specifier), "metadata")
    if least is not None:
        after = [one for one in demands if numbers(one) > numbers(least)]
        return f">={least}" + (f",<{after[0]}" if after else ""), "code"
    return (str(own[0].requirement.specifier), "extra") if own else (None, None)


def _made_for(specifier: SpecifierSet) -> str | None:
    """The series that an open-ended specifier begins with; None for one that ends."""
    starts = [Version(part.version) for part in specifier if part.operator in (">=", "~=", ">")]
    if not starts or not specifier.contains(f"{starts[0].major}.9999"):
        return None
    start = max(starts)
    return f">={start},<{start.major}.{start.minor + 1}"
