"""What the name and tags of a file contain: version, platforms, Pythons."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag
from packaging.utils import (
    BuildTag,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version

from poetry_tf.releases.model import (
    LINUX_AARCH64,
    LINUX_X86_64,
    MACOS_ARM64,
    MACOS_X86_64,
    PLATFORMS,
    WINDOWS_AMD64,
    major_minor,
    numbers,
)

if TYPE_CHECKING:
    from poetry_tf.http.pages import IndexFile


@dataclass(frozen=True, slots=True)
class Distribution:
    """A file of an index, with its parsed name.

    Attributes:
        build: the wheel's build tag; empty for most wheels, and for a source distribution.
        tags: the wheel's tags, compressed sets expanded; empty for a source distribution.
    """

    file: IndexFile
    version: Version
    build: BuildTag = ()
    tags: frozenset[Tag] = frozenset()

    @property
    def is_wheel(self) -> bool:
        """Whether it is a wheel; else it is a source distribution."""
        return bool(self.tags)


def distributions(files: Iterable[IndexFile]) -> dict[Version, list[Distribution]]:
    """The wheels and source distributions by version, in the order of the files.

    Others (eggs, installers, invalid names) are ignored, as by installers.
    """
    found: defaultdict[Version, list[Distribution]] = defaultdict(list)
    for file in files:
        try:
            if file.filename.endswith(".whl"):
                _, version, build, tags = parse_wheel_filename(file.filename)
                found[version].append(Distribution(file, version, build, tags))
            else:
                _, version = parse_sdist_filename(file.filename)
                found[version].append(Distribution(file, version))
        except ValueError:
            continue
    return dict(found)


def platforms(tag: Tag) -> tuple[str, ...]:
    """The platforms of `poetry_tf.releases.PLATFORMS` that a wheel of this tag is for.

    None for others (32 bits, musl, …), and all for `any`.
    """
    name = tag.platform
    if name == "any":
        return PLATFORMS
    if name == "win_amd64":
        return (WINDOWS_AMD64,)
    if re.fullmatch(r"(manylinux\w*|linux)_x86_64", name):
        return (LINUX_X86_64,)
    if re.fullmatch(r"(manylinux\w*|linux)_aarch64", name):
        return (LINUX_AARCH64,)
    if re.fullmatch(r"macosx_\d+_\d+_\w+", name):
        if name.endswith("universal2"):
            return MACOS_X86_64, MACOS_ARM64
        if name.endswith("arm64"):
            return (MACOS_ARM64,)
        # `intel` is 32 and 64 bits: CPython 3.5 itself was built so.
        return (MACOS_X86_64,) if name.endswith(("x86_64", "intel")) else ()
    return ()


def minors_by_platform(wheels: Iterable[Distribution]) -> dict[str, tuple[str, ...]]:
    """By platform the CPython minors that wheels are built for, in the order of `PLATFORMS`.

    Only tags of one CPython (`cp311-cp311`) count, and no free-threaded builds.
    """
    return {
        platform: ascending(minor for minors in tags.values() for minor in minors)
        for platform, tags in tags_by_platform(wheels).items()
    }


def tags_by_platform(wheels: Iterable[Distribution]) -> dict[str, dict[str, tuple[str, ...]]]:
    """By platform and platform tag (as in the file name) the CPython minors of wheels.

    Platforms in the order of `PLATFORMS`, tags sorted, minors ascending.
    """
    return tags_of_files((wheel.file.filename, wheel.tags) for wheel in wheels)


def tags_of_files(
    wheels: Iterable[tuple[str, frozenset[Tag]]],
) -> dict[str, dict[str, tuple[str, ...]]]:
    """`tags_by_platform` of wheels' names and tags."""
    found: defaultdict[str, defaultdict[str, set[str]]]
    found = defaultdict(lambda: defaultdict(set))
    for filename, tags in wheels:
        spelled = filename.removesuffix(".whl").rpartition("-")[2]
        for tag in tags:
            # Of CPython alone, and neither `cp3` nor free-threaded.
            match = re.fullmatch(r"cp(\d)(\d+)", tag.interpreter)
            if match is None or tag.abi.rstrip("mu") != tag.interpreter:
                continue
            for platform in platforms(tag):
                found[platform][spelled].add(f"{match[1]}.{match[2]}")
    return {
        platform: {tag: ascending(found[platform][tag]) for tag in sorted(found[platform])}
        for platform in PLATFORMS
        if platform in found
    }


def ascending(minors: Iterable[str]) -> tuple[str, ...]:
    """Python minors, each once, ascending: 3.9 before 3.10."""
    return tuple(sorted(set(minors), key=numbers))


def fits(distribution: Distribution, python: str, platform: str) -> bool:
    """Whether a file can be installed on a CPython minor (`"3.11"`) of a platform.

    A source distribution fits every platform. Requires-Python counts unless it is malformed.
    """
    try:
        bounds = SpecifierSet(distribution.file.requires_python or "")
    except InvalidSpecifier:
        bounds = SpecifierSet()
    # A late patch release stands for the minor: 3.9.99 matches `>=3.9.2` and `!=3.9.0`.
    if not bounds.contains(f"{python}.99"):
        return False
    if not distribution.is_wheel:
        return True
    minor = major_minor(python)
    return any(platform in platforms(tag) and _runs(tag, minor) for tag in distribution.tags)


def satisfying(
    requirement: Requirement, available: dict[Version, list[Distribution]]
) -> Iterator[Distribution]:
    """The files that satisfy a requirement. A yanked file satisfies an exact pin only (PEP 592)."""
    pinned = any(part.operator in ("==", "===") for part in requirement.specifier)
    # A prerelease satisfies only a requirement that names one, as with installers.
    prereleases = bool(requirement.specifier.prereleases)
    for version, files in available.items():
        if requirement.specifier.contains(version, prereleases=prereleases):
            yield from (file for file in files if pinned or not file.file.yanked)


def _runs(tag: Tag, minor: tuple[int, int]) -> bool:
    """Whether a CPython minor runs a wheel with this tag, apart from the platform."""
    generic = re.fullmatch(r"(?:py|cp)(\d)(\d*)", tag.interpreter)
    if generic is None:
        return False
    least = (int(generic[1]), int(generic[2] or 0))
    if least[0] != minor[0]:
        return False
    if tag.abi == "abi3" or (tag.abi == "none" and tag.interpreter.startswith("py")):
        return least <= minor
    return least == minor and (tag.abi == "none" or tag.abi.rstrip("mu") == tag.interpreter)
