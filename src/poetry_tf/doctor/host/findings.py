"""The findings of the probes, and how to fix them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

State = Literal["ok", "note", "warning", "error"]
"""``note`` is no problem; with an ``error`` TensorFlow cannot use the GPU."""

System = Literal["arch", "debian", "fedora", "windows"]
"""The systems with commands of their own: Arch, Debian and Ubuntu, Fedora and RHEL, Windows."""


@dataclass(frozen=True)
class Remedy:
    """How to fix a problem. No command is run.

    Attributes:
        what: what to do, in words.
        commands: the commands that differ by system.
        everywhere: the commands that are the same on each system.
        where: the machine on which to run them: here, on the host of the container, or there, on
            a remote machine whose engine is used. The last two may have any system.
    """

    what: str
    commands: Mapping[System, tuple[str, ...]] = field(default_factory=dict)
    everywhere: tuple[str, ...] = ()
    where: Literal["here", "host", "there"] = "here"


@dataclass(frozen=True)
class HostFinding:
    """A finding of a probe.

    Attributes:
        probe: the stable name of the probe: ``driver``, ``engine``, ``libraries``.
        state: how severe it is.
        seen: what was found, in a few words.
        needed: what is required and why; empty if that is clear.
        remedy: how to fix it.
    """

    probe: str
    state: State
    seen: str
    needed: str = ""
    remedy: Remedy | None = None
