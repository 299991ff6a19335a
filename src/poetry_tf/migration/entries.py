"""What stands in the list of an environment, as plain values, whatever its form."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Literal, TypeAlias

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import InvalidVersion, Version

STDIN = "standard input"
"""What stands for the file's name where there is none."""

Manager: TypeAlias = Literal["conda", "pip"]
"""By whose names and versions a line is written."""


@dataclass(frozen=True)
class EntryLocation:
    """Where a line stands."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class ListEntry:
    """One package that a list asks for.

    Attributes:
        name: its name, as it is written.
        place: where it stands.
        written: the whole entry, as it is written.
        manager: who is to read the name.
        specifier: its versions as a standard specifier; empty for any.
        build: Conda's build string; only an export, or a person who knows why, has one.
        extras: the extras that are asked for.
        marker: pip's environment marker; empty for everywhere.
        address: where it comes from in an index's place (`name @ git+https://…`).
        lost: what of its versions the standard has no word for, as it is written.
    """

    name: str
    place: EntryLocation
    written: str
    manager: Manager
    specifier: str = ""
    build: str = ""
    extras: tuple[str, ...] = ()
    marker: str = ""
    address: str = ""
    lost: str = ""

    @property
    def key(self) -> NormalizedName:
        return canonicalize_name(self.name)

    @property
    def exact(self) -> Version | None:
        """The one version that it asks for; None where it leaves a choice."""
        match = re.fullmatch(r"={2,3}([^=*,]+)", self.specifier)
        try:
            return Version(match[1]) if match else None
        except InvalidVersion:
            return None


@dataclass(frozen=True)
class SkippedLine:
    """Something in a list that is no package and that the project does not get by itself."""

    written: str
    why: str
    place: EntryLocation
    matters: bool = True
    """Whether a person has to do something about it."""


@dataclass(frozen=True)
class PackageList:
    """A list as it was read."""

    file: str
    wanted: tuple[ListEntry, ...]
    asides: tuple[SkippedLine, ...] = ()

    @property
    def argument(self) -> str:
        """The file as the command line takes it."""
        return "-" if self.file == STDIN else shlex.quote(self.file)

    @property
    def is_export(self) -> bool:
        """Whether a program wrote it from what was installed, and not a person.

        Such a list has the dependencies' dependencies as well, each at the version that was there.
        """
        named = [item for item in self.wanted if not item.address]
        exact = sum(item.exact is not None for item in named)
        built = sum(bool(item.build) for item in named)
        return len(named) >= 10 and (exact >= 0.9 * len(named) or built >= 0.5 * len(named))
