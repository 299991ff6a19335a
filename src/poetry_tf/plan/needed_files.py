"""The files of a lock that targets install."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from packaging.utils import NormalizedName

from poetry_tf.files.lock import Lock
from poetry_tf.files.pyproject import Pyproject
from poetry_tf.plan.environments import Target
from poetry_tf.plan.installability import LockedPackages, Obstacle
from poetry_tf.plan.lock_entries import LockedPackage
from poetry_tf.releases.images import Systems


@dataclass(frozen=True)
class NeededFile:
    """A file that a target installs, with its locked hash ("sha256:…")."""

    name: NormalizedName
    version: str
    filename: str
    hash: str


@dataclass(frozen=True)
class NeededFiles:
    """What targets install of a lock."""

    files: tuple[NeededFile, ...]
    elsewhere: tuple[LockedPackage, ...]
    """The packages that don't come from PyPI: from another index, a path, a repository, a URL."""
    obstacles: tuple[Obstacle, ...]
    """The packages that have no file for a target."""


def needed_files(
    lock: Lock, pyproject: Pyproject, targets: Sequence[Target], systems: Systems
) -> NeededFiles:
    """Raises `ProjectError` for a pyproject.toml with a malformed requirement."""
    packages = LockedPackages.of(lock, pyproject)
    files: dict[str, NeededFile] = {}
    elsewhere: list[LockedPackage] = []
    for package, info in zip(packages.packages, lock.data.get("package", []), strict=True):
        needing = [target for target in targets if packages.needs(package, target)]
        if not needing:
            continue
        if "source" in info:
            elsewhere.append(package)
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
