"""The libraries of NVIDIA's wheels that an installed TensorFlow finds, and those it overlooks.

TensorFlow opens them by name, from `libtensorflow_framework.so.2`, whose RUNPATH names some of
their folders: 2.16.1 only one, 2.21.0 not that of cuSOLVER, and those up to 2.19 not that of CUPTI,
which the profiler opens. Every program finds a library through a symbolic link in a folder that
the RUNPATH names, without a variable. The libraries find their own dependencies by paths such as
`$ORIGIN/../../cublas/lib`. The loader takes the folder of the link for `$ORIGIN`, so these paths
are right from any `nvidia/*/lib` (tried with the wheels of 2.16.1, 2.18.1, 2.20.0 and 2.21.0).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from poetry_tf.releases.runpath import FRAMEWORK, find_runpath, nvidia_folders

_PIECE: Final = 1024 * 1024
_MOST: Final = 64
"""Bytes that are read at once, and how many times at most: the RUNPATH is near the start."""
_OURS: Final = re.compile(r"\.\./\.\./\w+/lib/(?P<name>[^/]+)")


@dataclass(frozen=True)
class LibraryLinks:
    """The links by which TensorFlow finds the libraries of NVIDIA's wheels that it overlooks.

    Attributes:
        missing: the links to make, each with what it points to, relative to its folder.
        outdated: the links that point to nothing, or are no longer needed.
    """

    missing: Mapping[Path, str] = field(default_factory=dict, hash=False)
    outdated: tuple[Path, ...] = ()

    @property
    def overlooked(self) -> tuple[str, ...]:
        """The names of the libraries that are not found."""
        return tuple(path.name for path in self.missing)

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders of the libraries that are not found."""
        targets = (os.path.normpath(path.parent / to) for path, to in self.missing.items())
        return tuple(dict.fromkeys(Path(target).parent for target in targets))


def library_links(site: Path) -> LibraryLinks:
    """The links that a folder `site-packages` lacks, and those that it has too many.

    Both are empty without a TensorFlow for Linux, or where no NVIDIA wheel is in a folder that
    its RUNPATH names. Raises `OSError`.
    """
    nvidia = site / "nvidia"
    libraries = sorted(nvidia.glob("*/lib/*.so*"))
    links = {path: str(path.readlink()) for path in libraries if _is_link(path)}
    wanted: dict[Path, str] = {}
    searched = _searched_folders(site)
    found = {path.name for path in libraries if path.parent in searched and path not in links}
    for path in libraries:
        is_overlooked = path.parent not in searched and path not in links
        if searched and is_overlooked and path.name not in found:
            target = f"../../{path.parent.parent.name}/lib/{path.name}"
            wanted.setdefault(searched[0] / path.name, target)
    return LibraryLinks(
        {path: target for path, target in wanted.items() if links.get(path) != target},
        tuple(path for path, target in links.items() if wanted.get(path) != target),
    )


def _searched_folders(site: Path) -> list[Path]:
    """The folders of NVIDIA's wheels in which TensorFlow looks, of those that are there."""
    framework = site / "tensorflow" / FRAMEWORK
    runpath = find_runpath(_pieces(framework)) if framework.is_file() else None
    folders = [site / "nvidia" / name / "lib" for name in nvidia_folders(runpath or "")]
    return [folder for folder in folders if folder.is_dir()]


def _is_link(path: Path) -> bool:
    """Whether a path is a link of ours; wheels contain none."""
    match = _OURS.fullmatch(str(path.readlink())) if path.is_symlink() else None
    return match is not None and match["name"] == path.name


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        for _ in range(_MOST):
            if not (piece := file.read(_PIECE)):
                return
            yield piece
