"""The files of a lock that targets install."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from packaging.utils import NormalizedName

from poetry_tf.files.lock import Lock
from poetry_tf.files.pyproject import Pyproject
from poetry_tf.files.values import as_table, as_text
from poetry_tf.plan.environments import Target
from poetry_tf.plan.installability import LockedPackages, Obstacle
from poetry_tf.plan.lock_entries import LockedPackage, is_source
from poetry_tf.releases.images import Systems

_FOLDERS: Final = frozenset({"directory", "git"})
"""The sources of packages that are always built."""


@dataclass(frozen=True)
class NeededFile:
    """A file that a target installs, with its locked hash ("sha256:…")."""

    name: NormalizedName
    version: str
    filename: str
    hash: str


@dataclass(frozen=True)
class ElsewherePackage:
    """A package that doesn't come from PyPI: from another index, a path, a repository, a URL."""

    name: NormalizedName
    is_built: bool
    """Whether a target has to build it."""
    path: str | None
    """Where it is, from the folder of the lock on; None where no path leads to it."""


@dataclass(frozen=True)
class NeededFiles:
    """What targets install of a lock."""

    files: tuple[NeededFile, ...]
    elsewhere: tuple[ElsewherePackage, ...]
    obstacles: tuple[Obstacle, ...]
    """The packages that have no file for a target."""


def needed_files(
    lock: Lock, pyproject: Pyproject, targets: Sequence[Target], systems: Systems
) -> NeededFiles:
    """Raises `ProjectError` for a pyproject.toml with a malformed requirement."""
    packages = LockedPackages.of(lock, pyproject)
    files: dict[str, NeededFile] = {}
    elsewhere: list[ElsewherePackage] = []
    for package, info in zip(packages.packages, lock.data.get("package", []), strict=True):
        needing = [target for target in targets if packages.needs(package, target)]
        if not needing:
            continue
        if "source" in info:
            found = [package.installed_file(target, systems) for target in needing]
            elsewhere.append(_elsewhere(package, as_table(info["source"]), found))
            continue
        hashes = dict(lock.hashes(info))
        for target in needing:
            filename = package.installed_file(target, systems)
            if filename is not None and filename in hashes:
                files[filename] = NeededFile(
                    package.name, package.version, filename, hashes[filename]
                )
    obstacles = packages.obstacles(targets, systems)
    without = tuple(item for item in obstacles if item.reason == "file")
    return NeededFiles(tuple(files.values()), tuple(elsewhere), without)


def _elsewhere(
    package: LockedPackage, source: Mapping[str, Any], installed: Sequence[str | None]
) -> ElsewherePackage:
    kind, path = as_text(source.get("type")), None
    if kind in {"directory", "file"}:
        parts = (as_text(source.get("url")), as_text(source.get("subdirectory")))
        path = "/".join(filter(None, parts))
    # The lock has no files of folders and repositories.
    is_built = any(kind in _FOLDERS if file is None else is_source(file) for file in installed)
    return ElsewherePackage(package.name, is_built, path)
