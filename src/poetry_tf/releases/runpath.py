"""The RUNPATH of the library that opens the CUDA libraries: the folders in which it looks."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

FRAMEWORK: Final = "libtensorflow_framework.so.2"
"""The library of TensorFlow that opens those of CUDA by their names."""

_ORIGIN: Final = b"$ORIGIN/"


def find_runpath(content: Iterable[bytes]) -> str | None:
    """The RUNPATH of a library, from the pieces of its content; None if they hold none.

    It is in the string table near the start, so the rest is not asked for.
    """
    rest = b""
    for piece in content:
        whole, end, rest = (rest + piece).rpartition(b"\0")
        at = whole.find(_ORIGIN) if end else -1
        if at >= 0:
            first = whole.rfind(b"\0", 0, at) + 1
            return whole[first:].partition(b"\0")[0].decode("utf-8", "replace")
    return None


def nvidia_folders(runpath: str) -> tuple[str, ...]:
    """The folders of NVIDIA's wheels in TensorFlow's RUNPATH: `cublas` for `nvidia/cublas/lib`.

    Only paths relative to TensorFlow's own folder count; others do not lead to installed wheels.
    """
    matches = (
        re.fullmatch(r"\$ORIGIN/\.\./nvidia/(\w+)/lib/?", path) for path in runpath.split(":")
    )
    return tuple(sorted({match[1] for match in matches if match}))
