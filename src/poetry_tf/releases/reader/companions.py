"""Derives the data of the companions: Keras, TensorFlow Text and others. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from poetry_tf.releases import names
from poetry_tf.releases.filenames import (
    Distribution,
    minors_by_platform,
)
from poetry_tf.releases.model import numbers
from poetry_tf.releases.reader.derive import Available, Block, served, upload_days
from poetry_tf.releases.reader.requirement_lines import RequirementLine, parse_requirement_line

COMPANIONS: Final[tuple[str, ...]] = (
    "keras",
    "tensorflow-addons",
    "tensorflow-decision-forests",
    "tensorflow-io",
    "tensorflow-io-gcs-filesystem",
    "tensorflow-metal",
    "tensorflow-probability",
    "tensorflow-text",
    "tf-keras",
)


@dataclass(frozen=True, slots=True)
class CompanionFacts:
    """What was read from one wheel of a companion.

    Attributes:
        least: the minimum TensorFlow (`"2.13"`) that its code checks for when imported.
    """

    requires: tuple[str, ...]
    least: str | None = None


def companion_blocks(
    listed: Mapping[str, Available], facts: Mapping[tuple[str, Version], CompanionFacts]
) -> Block:
    """The releases of the companions, by name and version.

    A release whose wheels were not read is left out.

    Args:
        listed: the files of each companion's final releases, by name.
        facts: what was read from one wheel of each release.
    """
    found: Block = {}
    for name, versions in sorted(listed.items()):
        minima = sorted(
            {
                read.least
                for (companion, _), read in facts.items()
                if companion == name and read.least is not None
            },
            key=numbers,
        )
        found[name] = {
            str(version): _companion_block(files, facts.get((name, version)), minima)
            for version, files in sorted(versions.items())
            if (name, version) in facts or not any(file.is_wheel for file in files)
        }
    return found


def _companion_block(
    files: Sequence[Distribution], facts: CompanionFacts | None, minima: Sequence[str]
) -> Block:
    wheels = [file for file in served(files) if file.is_wheel]
    lines = [parse_requirement_line(text) for text in facts.requires] if facts else []
    specifier, by = _compatible_tensorflow(lines, facts.least if facts else None, minima)
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


def _compatible_tensorflow(
    lines: Sequence[RequirementLine], least: str | None, minima: Sequence[str]
) -> tuple[str | None, str | None]:
    """The TensorFlow versions that a companion works with, as a specifier, and its source.

    `metadata`: a plain requirement with both bounds, which a solver follows. `open`: one with a
    lower bound only; the series of that bound is assumed. `code`: the code checks for a minimum
    when it is imported; it works with the series it was made for, up to what the next release
    requires. `extra`: the requirements of an extra, which is optional. With the last three a solver
    alone does not choose the right version.
    """
    own = [line for line in lines if line.name in names.own() and line.requirement.specifier]
    own.sort(key=lambda line: line.name != "tensorflow")  # stable: the first of that name
    plain = [line for line in own if "extra ==" not in str(line.requirement.marker or "")]
    if plain:
        specifier = plain[0].requirement.specifier
        first_series = _first_series(specifier)
        return (first_series, "open") if first_series else (str(specifier), "metadata")
    if least is not None:
        after = [version for version in minima if numbers(version) > numbers(least)]
        return f">={least}" + (f",<{after[0]}" if after else ""), "code"
    return (str(own[0].requirement.specifier), "extra") if own else (None, None)


def _first_series(specifier: SpecifierSet) -> str | None:
    """The first series of a specifier without an upper bound; None for one that has one."""
    starts = [Version(part.version) for part in specifier if part.operator in (">=", "~=", ">")]
    if not starts or not specifier.contains(f"{starts[0].major}.9999"):
        return None
    start = max(starts)
    return f">={start},<{start.major}.{start.minor + 1}"
