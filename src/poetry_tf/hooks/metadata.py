"""Fixes the requirements of a TensorFlow release, the same whichever wheel Poetry reads.

The wheels of a release differ in their requirements, some require distributions that do not exist,
and Poetry reads whichever wheel the index lists first. The data has the combined requirements.
Files and hashes are always those of the index. Only what Poetry receives is fixed, not what is
cached: Poetry without this plugin reads the same cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import Version as ParsedVersion
from poetry.repositories.http_repository import HTTPRepository

from poetry_tf.files.requirements import required_name
from poetry_tf.index.folder_repository import FolderRepository
from poetry_tf.index.repository import stands_for_pypi
from poetry_tf.plan.environments import ENVIRONMENTS, next_minor, required_environments
from poetry_tf.plan.settings import parse_settings
from poetry_tf.poetry_internals import Failed, patches
from poetry_tf.poetry_internals.notices import write_notice
from poetry_tf.releases import DISTRIBUTIONS, Release, named, whole
from poetry_tf.releases.model import numbers
from poetry_tf.text import escape_markup

if TYPE_CHECKING:
    from cleo.io.io import IO
    from poetry.core.constraints.version import Version
    from poetry.inspection.info import PackageInfo
    from poetry.poetry import Poetry
    from poetry.repositories.repository import Repository

# A requirement of 2.7 to 2.19 that lacks wheels for newer Pythons than TensorFlow's: in a project
# without an upper Python bound it can never be satisfied.
_ENDS_BEFORE_PYTHON = "tensorflow-io-gcs-filesystem"


def combined_requirements(release: Release, environments: Sequence[str]) -> list[str]:
    """The Requires-Dist of a release for a project that declares these environments.

    Requirements on the distributions of other platforms are left out: Poetry without this plugin,
    which reads one wheel, would drop them from the lock again.
    """
    return [
        _limit_pythons(line, release)
        for line in release.requires
        if not _is_for_another_platform(release, line, environments)
    ]


def satisfiable_requirements(release: Release, lines: Iterable[str]) -> list[str]:
    """The Requires-Dist of one wheel of a release, without those that no index can satisfy."""
    unsatisfiable = {required_name(line) for line in release.unsatisfiable}
    return [
        _limit_pythons(line, release) for line in lines if required_name(line) not in unsatisfiable
    ]


def _is_for_another_platform(release: Release, line: str, environments: Sequence[str]) -> bool:
    name = required_name(line)
    if name not in named("shim"):
        return False
    platforms = {at for at, wheels in release.wheels.items() if wheels.target == name}
    return platforms.isdisjoint(environments)


def _limit_pythons(line: str, release: Release) -> str:
    """The line, limited to the Pythons for which it can be satisfied.

    Without the limit a project that admits other Pythons could not be solved, although TensorFlow
    has no wheels for those either.
    """
    name = required_name(line)
    if name == _ENDS_BEFORE_PYTHON:
        minors = {minor for at in ENVIRONMENTS for minor in release.pythons_on(at)}
        return _add_marker(line, f'python_version < "{next_minor(max(minors, key=numbers))}"')
    for at, wheels in release.wheels.items():
        # A platform's own distribution can lack Pythons that TensorFlow's wheel has there.
        first = wheels.usable[0] if wheels.target == name and wheels.usable else None
        if first is not None and first != release.pythons_on(at)[0]:
            return _add_marker(line, f'python_version >= "{first}"')
    return line


def _add_marker(line: str, bound: str) -> str:
    requirement, _, marker = line.partition(";")
    marker = f"({marker.strip()}) and {bound}" if marker.strip() else bound
    return f"{requirement.strip()} ; {marker}"


def fix_metadata(
    poetry: Poetry, io: IO, *, managed: bool, failed: Failed, only_new: bool = False
) -> None:
    """Fixes the metadata of TensorFlow from PyPI and its mirrors.

    Another source may have its own builds of TensorFlow: of that only releases that the data does
    not know are fixed, by what is read from their own wheels there. In a project that poetry-tf
    does not manage the requirements of the index stay, without those that cannot be satisfied;
    with `only_new` they stay as they are, but for releases that the data does not know.
    """
    table = poetry.pyproject.data.get("tool", {}).get("poetry-tf", {})
    environments = parse_settings(table)[0].environments

    def fix(
        repository: Repository, read: Callable[[], PackageInfo], name: str, version: Version
    ) -> PackageInfo:
        canonical = canonicalize_name(name)
        if canonical not in DISTRIBUTIONS:
            return read()
        release = None
        try:
            # First, so that nothing is downloaded for a release that is refused.
            release = _known_release(repository, io, canonical, version, managed=managed)
        except Exception as error:
            failed(error)
        info = read()
        try:
            is_left = only_new and release is not None and release.origin == "packaged"
            if release is not None and release.is_opened and not is_left:
                info.requires_dist = requirements(release, info.requires_dist or [])
        except Exception as error:
            failed(error)
        return info

    def requirements(release: Release, lines: Sequence[str]) -> list[str]:
        # Of wheels that differ by Python one alone would be wrong for the other Pythons.
        if managed or any(wheels.requires_by_python for wheels in release.wheels.values()):
            return combined_requirements(release, required_environments(release, environments))
        return satisfiable_requirements(release, lines)

    for repository in poetry.pool.repositories:
        if isinstance(repository, HTTPRepository | FolderRepository):
            patches.patch_release_info(repository, partial(fix, repository))


def _known_release(
    repository: Repository, io: IO, name: str, version: Version, *, managed: bool
) -> Release | None:
    """A release by the data, or read from its index; None for one that can't be read there.

    Raises `PoetryRuntimeError` where a managed project would get requirements of PyPI's that were
    not read.
    """
    catalog, parsed, is_pypi = whole(name), ParsedVersion(version.text), stands_for_pypi(repository)
    release = catalog.get(parsed)
    if release is not None and release.origin == "packaged":
        return release if is_pypi else None
    is_new = release is not None or catalog.standing(parsed) == "newer"
    if parsed.is_prerelease or not is_new or not isinstance(repository, HTTPRepository):
        return None
    from poetry_tf.hooks.new_releases import read_from, unread_error
    from poetry_tf.index.new_releases import UnreadReleaseError

    try:
        return read_from(repository, io, name, parsed)
    except UnreadReleaseError as error:
        if managed and is_pypi:
            raise unread_error(error) from error
        line = f"{error}. Its requirements are those that the index names first"
        write_notice(io, f"<warning>poetry-tf: {escape_markup(line)}</>")
        return None
