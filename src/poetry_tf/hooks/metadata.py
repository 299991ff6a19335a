"""What a release of TensorFlow requires, the same whichever of its wheels is read.

The wheels of one release differ in their requirements, some ask for distributions that don't exist,
and Poetry reads whichever wheel the index lists first. The data has what all of them say together.
Files and hashes are always the index's, and only what is handed on is mended, never what is cached:
Poetry without this plugin reads the same cache.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from packaging.utils import NormalizedName, canonicalize_name
from poetry.repositories.legacy_repository import LegacyRepository
from poetry.repositories.pypi_repository import PyPiRepository

from poetry_tf.index.mirrors import MIRRORS
from poetry_tf.index.repository import RoutedRepository
from poetry_tf.plan.environments import ENVIRONMENTS, next_minor, required_environments
from poetry_tf.plan.settings import parse_settings
from poetry_tf.poetry_internals import patches
from poetry_tf.releases import DISTRIBUTIONS, Release, named, whole
from poetry_tf.releases.model import numbers

if TYPE_CHECKING:
    from cleo.io.io import IO
    from poetry.core.constraints.version import Version
    from poetry.inspection.info import PackageInfo
    from poetry.poetry import Poetry

# A hard requirement of 2.7 to 2.19 that ends at some Python itself: in a project that is open
# upwards it can never be satisfied, whatever TensorFlow is needed there.
_ENDS_BEFORE_PYTHON = "tensorflow-io-gcs-filesystem"


def requirements(release: Release, environments: Sequence[str]) -> list[str]:
    """The Requires-Dist of a release for a project that declares these environments.

    Lines that hand over to the distribution of another platform are left out: Poetry without this
    plugin, which reads one wheel, would lose them from the lock again.
    """
    lines = [line for line in release.requires if not _hands_elsewhere(release, line, environments)]
    return [_bounded(line, release) for line in lines]


def satisfiable(release: Release, lines: Iterable[str]) -> list[str]:
    """The Requires-Dist of one wheel of a release without those that no index can satisfy."""
    useless = {_name(line) for line in release.unsatisfiable}
    return [_bounded(line, release) for line in lines if _name(line) not in useless]


def _hands_elsewhere(release: Release, line: str, environments: Sequence[str]) -> bool:
    name = _name(line)
    if name not in named("shim"):
        return False
    platforms = {at for at, wheels in release.wheels.items() if wheels.target == name}
    return platforms.isdisjoint(environments)


def _bounded(line: str, release: Release) -> str:
    """The line for those Pythons alone that it can be satisfied for, where that is not all.

    In a project that admits others too it could not be solved, though TensorFlow is of no use
    there.
    """
    name = _name(line)
    if name == _ENDS_BEFORE_PYTHON:
        minors = {minor for at in ENVIRONMENTS for minor in release.pythons_on(at)}
        return _restricted(line, f'python_version < "{next_minor(max(minors, key=numbers))}"')
    for at, wheels in release.wheels.items():
        # A platform's own distribution can lack Pythons that TensorFlow's wheel for it has.
        if (
            wheels.target == name
            and wheels.usable
            and wheels.usable[0] != release.pythons_on(at)[0]
        ):
            return _restricted(line, f'python_version >= "{wheels.usable[0]}"')
    return line


def _restricted(line: str, bound: str) -> str:
    requirement, _, marker = line.partition(";")
    marker = f"({marker.strip()}) and {bound}" if marker.strip() else bound
    return f"{requirement.strip()} ; {marker}"


def _name(line: str) -> NormalizedName:
    return canonicalize_name(re.split(r"[^\w.-]", line.strip(), maxsplit=1)[0])


def install(poetry: Poetry, io: IO, *, managed: bool) -> None:
    """Mends what the project's ways to PyPI tell of TensorFlow; other sources stay as they are.

    A private source may have a TensorFlow that somebody has built differently. In a project that
    poetry-tf doesn't manage the index's own requirements stay, without what can't be satisfied.
    """
    table = poetry.pyproject.data.get("tool", {}).get("poetry-tf", {})
    environments = parse_settings(table)[0].environments
    told: list[str] = []

    def mend(info: PackageInfo, name: str, version: Version) -> PackageInfo:
        canonical = canonicalize_name(name)
        if canonical not in DISTRIBUTIONS:
            return info
        catalog = whole(canonical)
        release = catalog.get(version.text)
        if release is None or release.inferred_from is not None:
            if catalog.standing(version.text) in {"newer", "missing"} and not told:
                told.append("once")
                io.write_error_line(
                    f"poetry-tf: {canonical} {version.text} is not in the data of this poetry-tf "
                    f"({catalog.data_version}): its requirements are taken from the index"
                )
        elif release.is_opened:
            info.requires_dist = (
                requirements(release, required_environments(release, environments))
                if managed
                else satisfiable(release, info.requires_dist or [])
            )
        return info

    for repository in poetry.pool.repositories:
        if _is_pypi(repository):
            patches.mend_records(repository, mend)


def _is_pypi(repository: object) -> bool:
    if isinstance(repository, RoutedRepository):
        return True
    if isinstance(repository, PyPiRepository):
        return repository.name == "PyPI"
    urls = {mirror.url.rstrip("/") for mirror in MIRRORS.values()}
    return isinstance(repository, LegacyRepository) and repository.url.rstrip("/") in urls
