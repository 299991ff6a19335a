"""The generation of a GPU: its compute capability, and the last driver that supports it.

Source: nvidia.custhelp.com ("Unix graphics feature deprecation schedule", "Support
timeframes for Unix legacy GPU releases"): branch 390 is the last for Fermi, 470 for Kepler, 580 for
Maxwell, Pascal and Volta. On Windows the same branches have slightly higher numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from poetry_tf.doctor.host.machine import Machine
from poetry_tf.releases.model import major_minor, numbers

_VENDOR = "0x10de"
# The class of a PCI display controller.
_DISPLAY = "0x03"


@dataclass(frozen=True)
class Generation:
    """A generation of GPUs that newer drivers do not support.

    Attributes:
        branch: the last branch of the NVIDIA driver for it, as in the names of packages.
        windows: the highest first number of that branch's versions on Windows.
    """

    name: str
    branch: int
    windows: int

    def last(self, *, windows: bool) -> int:
        """The first number of the version of its newest driver."""
        return self.windows if windows else self.branch


_GENERATIONS: tuple[tuple[tuple[int, int], Generation], ...] = (
    # By the highest compute capability of each (CUDA C++ Programming Guide).
    ((2, 1), Generation("Fermi", 390, 391)),
    ((3, 7), Generation("Kepler", 470, 475)),
    ((5, 3), Generation("Maxwell", 580, 582)),
    ((6, 2), Generation("Pascal", 580, 582)),
    ((7, 2), Generation("Volta", 580, 582)),
)
# Ranges of PCI device IDs, and their compute capability. IDs are assigned in blocks, one for each
# chip (https://pci-ids.ucw.cz); from 0x1e00 on they are Turing and later.
_DEVICES: tuple[tuple[int, int, str], ...] = (
    (0x06C0, 0x06DF, "2.0"),
    (0x0DC0, 0x0F0F, "2.1"),
    (0x0FC0, 0x0FFF, "3.0"),
    (0x102D, 0x102D, "3.7"),
    (0x1000, 0x103F, "3.5"),
    (0x1040, 0x117F, "2.1"),
    (0x1180, 0x11FF, "3.0"),
    (0x1200, 0x127F, "2.1"),
    (0x1280, 0x12BF, "3.5"),
    (0x1340, 0x13BF, "5.0"),
    (0x13C0, 0x143F, "5.2"),
    (0x15F0, 0x15FF, "6.0"),
    (0x1600, 0x167F, "5.2"),
    (0x1740, 0x17BF, "5.0"),
    (0x17C0, 0x17FF, "5.2"),
    (0x1B00, 0x1D7F, "6.1"),
    (0x1D80, 0x1DFF, "7.0"),
)
# For machines whose PCI devices cannot be read, such as Windows. Drivers that do not report the
# compute capability support only these (https://developer.nvidia.com/cuda-gpus, legacy GPUs).
_NAMES: tuple[tuple[str, str], ...] = (
    (r"Tesla K80", "3.7"),
    (r"Tesla K[24]0\w*|GeForce GTX 780(?: Ti)?|GeForce GTX TITAN(?: Black| Z)?", "3.5"),
    (r"Quadro K(?:6000|5200)", "3.5"),
    (r"Tesla K10|GeForce GTX 6[5-9]0(?: Ti)?|GeForce GTX 7[67]0|Quadro K(?:600|[245]000)", "3.0"),
)


def generation(capability: str | None) -> Generation | None:
    """The generation of a GPU; None if the newest driver supports it, or it is not known."""
    if capability is None:
        return None
    pair = major_minor(capability)
    return next((item for highest, item in _GENERATIONS if pair <= highest), None)


def pci_displays(machine: Machine) -> tuple[str, ...]:
    """The folders of NVIDIA GPUs among the PCI devices."""
    found = []
    for path in machine.find("/sys/bus/pci/devices/*/vendor"):
        folder = path.removesuffix("vendor")
        kind = machine.read(f"{folder}class") or ""
        if (machine.read(path) or "").strip() == _VENDOR and kind.startswith(_DISPLAY):
            found.append(folder)
    return tuple(found)


def pci_capabilities(machine: Machine) -> frozenset[str | None]:
    """The compute capabilities of NVIDIA GPUs on PCI; None for newer or unknown ones."""
    devices = (machine.read(f"{folder}device") or "" for folder in pci_displays(machine))
    return frozenset(map(_capability, devices))


def newest_capability(capabilities: Iterable[str | None]) -> str | None:
    """The highest compute capability; None if one is not known."""
    found = [*capabilities]
    known = [item for item in found if item is not None]
    return max(known, key=numbers) if known and len(known) == len(found) else None


def named_capability(name: str) -> str | None:
    """The compute capability of an old GPU by its name; None for others."""
    bare = name.removeprefix("NVIDIA ")
    return next((known for pattern, known in _NAMES if re.fullmatch(pattern, bare)), None)


def _capability(device: str) -> str | None:
    match = re.fullmatch(r"0x([0-9a-f]{4})", device.strip())
    if match is None:
        return None
    number = int(match[1], 16)
    return next((known for first, last, known in _DEVICES if first <= number <= last), None)
