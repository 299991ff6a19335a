"""The entries of a list of packages, whatever its format."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import InvalidVersion, Version

from poetry_tf.text import shell_word

STDIN = "standard input"
"""The file name shown for a list from standard input."""

Manager: TypeAlias = Literal["conda", "pip"]
"""Whose names and version syntax a line uses."""


@dataclass(frozen=True)
class EntryLocation:
    """The file and line of an entry."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class ListEntry:
    """One package in a list.

    Attributes:
        name: its name, as written.
        written: the whole entry, as written.
        manager: whose name it is.
        specifier: its versions as a standard specifier; empty for any.
        build: Conda's build string; empty if it has none.
        marker: its environment marker; empty for every environment.
        address: the URL that it comes from instead of an index (`name @ git+https://…`).
        untranslated: its versions as written, if no standard specifier means the same.
    """

    name: str
    location: EntryLocation
    written: str
    manager: Manager
    specifier: str = ""
    build: str = ""
    extras: tuple[str, ...] = ()
    marker: str = ""
    address: str = ""
    untranslated: str = ""

    @property
    def key(self) -> NormalizedName:
        return canonicalize_name(self.name)

    @property
    def exact(self) -> Version | None:
        """The one version that it admits; None if it admits several."""
        match = re.fullmatch(r"={2,3}([^=*,]+)", self.specifier)
        try:
            return Version(match[1]) if match else None
        except InvalidVersion:
            return None


@dataclass(frozen=True)
class SkippedLine:
    """A line of a list that does not lead to a requirement, and why."""

    written: str
    reason: str
    location: EntryLocation
    actionable: bool = True
    """Whether the user has to do something about it."""


@dataclass(frozen=True)
class PackageList:
    """A list of packages.

    Attributes:
        constraints: the lines of its constraints files, which limit what other lines bring.
    """

    file: str
    entries: tuple[ListEntry, ...]
    skipped: tuple[SkippedLine, ...] = ()
    constraints: tuple[ListEntry, ...] = ()

    @property
    def argument(self) -> str:
        """The file as an argument on the command line."""
        return "-" if self.file == STDIN else shell_word(self.file) or "FILE"

    @property
    def is_export(self) -> bool:
        """Whether a program exported it from an environment.

        Such a list also has the dependencies of dependencies, each at the installed version.
        """
        named = [item for item in self.entries if not item.address]
        exact = sum(item.exact is not None for item in named)
        built = sum(bool(item.build) for item in named)
        return len(named) >= 10 and (exact >= 0.9 * len(named) or built >= 0.5 * len(named))
