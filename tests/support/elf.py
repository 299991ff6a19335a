"""The least that a library of Linux has to hold so that it has a RUNPATH."""

from __future__ import annotations

import struct


def elf(runpath: str) -> bytes:
    """A library with this RUNPATH and nothing else."""
    strings = b"\0" + runpath.encode() + b"\0"
    table = 64 + 2 * 56  # the header and its two program headers
    entries = table + len(strings)
    dynamic = struct.pack("<qQqQqQ", 5, 0x1000 + table, 29, 1, 0, 0)
    size = entries + len(dynamic)
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    loads = struct.pack("<IIQQQQQQ", 1, 4, 0, 0x1000, 0, size, size, 4096)
    place = struct.pack("<IIQQQQQQ", 2, 4, entries, 0x1000 + entries, 0, *[len(dynamic)] * 2, 8)
    return head + loads + place + strings + dynamic


def runpath_of(*folders: str) -> str:
    """The RUNPATH of a TensorFlow that looks in these folders of NVIDIA's wheels.

    Each is named twice, as in the real ones: once for libraries in `tensorflow/python`.
    """
    parts = [f"$ORIGIN/{up}/nvidia/{name}/lib" for name in folders for up in ("../..", "..")]
    return ":".join(["$ORIGIN/../tensorrt", *parts])
