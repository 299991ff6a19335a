"""A project on a Windows drive, which a container on Linux reads slowly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.model import HostFinding, Remedy, Subject

_DRIVE = Subject("drive")


def check_drive(machine: Machine, root: Path) -> Iterator[HostFinding]:
    """A project that a container, which runs on Linux, reads over the border to Windows."""
    place = _windows_drive(machine, root)
    if place is None:
        return
    yield _DRIVE.warning(
        f"the project is on {place}",
        "A container works in WSL, and reads each file there over the border to Windows: many "
        "small files, as Git and Python have them, take many times as long",
        Remedy(
            "Move it into WSL's own file system, and open it from there",
            everywhere=(f"git clone . ~/{root.name or 'project'}",)
            if machine.system != "Windows"
            else (r"explorer \\wsl.localhost",),
        ),
    )


def _windows_drive(machine: Machine, root: Path) -> str | None:
    if machine.system == "Windows":
        name = root.drive
        return None if not name or name.startswith("\\\\") else f"the Windows drive {name}"
    is_wsl = "microsoft" in (machine.read("/proc/version") or "").lower()
    best: tuple[int, str | None] = (-1, None)
    for line in (machine.read("/proc/mounts") or "").splitlines():
        fields = line.split(" ")
        if len(fields) < 4:
            continue
        device, target, kind, options = (_unescaped(field) for field in fields[:4])
        if not root.is_relative_to(target) or len(target) < best[0]:
            continue
        letter = re.match(r"([A-Za-z]:)(?:\\|$)", device)
        # 9p is other things too: what says that it is a drive is its name, or the options.
        is_drive = kind == "drvfs" or (
            kind in ("9p", "virtiofs") and bool(letter or "drvfs" in device + options)
        )
        if kind == "virtiofs" and not is_wsl:
            is_drive = False
        name = f"the Windows drive {letter[1]}" if letter else "a Windows drive"
        best = (len(target), f"{name} ({target})" if is_drive else None)
    return best[1]


def _unescaped(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
