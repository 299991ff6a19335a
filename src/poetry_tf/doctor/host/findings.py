"""What came of probing a machine: what was seen, what was needed, and what mends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

State = Literal["ok", "note", "warning", "error"]
"""``note`` is worth knowing and no fault; an ``error`` keeps the GPU from TensorFlow."""

System = Literal["arch", "debian", "fedora", "windows"]
"""The systems that commands are known for: Arch, Debian and Ubuntu, Fedora and its kin, Windows."""


@dataclass(frozen=True)
class Remedy:
    """How something is mended. Nothing of it is run.

    Attributes:
        what: what is to be done, in words.
        commands: the commands for each system that differs.
        everywhere: the commands that are the same everywhere.
        where: the machine on which to run them: here, on the host of the container, or there, on
            another machine whose Docker is used. The latter two may be of any system.
    """

    what: str
    commands: Mapping[System, tuple[str, ...]] = field(default_factory=dict)
    everywhere: tuple[str, ...] = ()
    where: Literal["here", "host", "there"] = "here"


@dataclass(frozen=True)
class HostFinding:
    """What one probe found.

    Attributes:
        probe: the probe's name, which doesn't change: ``driver``, ``engine``, ``libraries``.
        state: how it stands.
        seen: what was seen, in a few words.
        needed: what was needed and why; empty where that is plain.
        remedy: how to mend it.
    """

    probe: str
    state: State
    seen: str
    needed: str = ""
    remedy: Remedy | None = None
