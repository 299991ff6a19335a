"""What a lock tells of a TensorFlow of a series that the data does not know.

The names of its files tell the Pythons and the platforms, and its entry the requirements. What the
wheels contain is unknown. So a project can be judged without an index, and by its files alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version
from poetry.core.packages.dependency import Dependency
from poetry.core.version.markers import parse_marker

from poetry_tf.files.lock import Lock
from poetry_tf.files.values import as_table, as_texts
from poetry_tf.plan.environments import Target
from poetry_tf.plan.lock_entries import LockedPackage, read_packages
from poetry_tf.plan.model import CONTAINER_PLATFORM
from poetry_tf.releases import Release
from poetry_tf.releases.catalog import described
from poetry_tf.releases.filenames import tags_of_files
from poetry_tf.releases.images import load_images
from poetry_tf.releases.model import LINUX_AARCH64

EXTRA = "and-cuda"


def describe_locked(lock: Lock, name: str, versions: Collection[Version]) -> Iterator[Release]:
    """The locked releases of a distribution, as far as their files are wheels."""
    packages = [*read_packages(lock.data)]
    for package, info in zip(packages, lock.data["package"], strict=True):
        if package.name == name and package.parsed is not None and package.parsed in versions:
            release = _release(package, package.parsed, _extra(info), packages)
            if release.wheels:
                yield release


def _release(
    package: LockedPackage,
    version: Version,
    extra: list[Requirement],
    packages: list[LockedPackage],
) -> Release:
    platforms = tags_of_files(_wheels(package))
    block = {
        "uploaded": None,
        "yanked": False,
        "platforms": {
            platform: {"pythons": tags, "kind": "real", "compute": None}
            for platform, tags in platforms.items()
        },
        "requires": [*_requirements(package), *(f'{one}; extra == "{EXTRA}"' for one in extra)],
        "and_cuda": _and_cuda(extra, packages, platforms),
    }
    return described(package.name, version, block, origin="locked")


def _wheels(package: LockedPackage) -> Iterator[tuple[str, Any]]:
    for name in package.files:
        if name.endswith(".whl"):
            with suppress(ValueError):
                yield name, parse_wheel_filename(name)[3]


def _requirements(package: LockedPackage) -> Iterator[str]:
    for edge in package.requires:
        if "extra ==" in edge.marker:
            continue
        with suppress(ValueError):
            dependency = Dependency(edge.name, edge.constraint, extras=edge.extras)
            if edge.marker:
                dependency.marker = parse_marker(edge.marker)
            yield dependency.to_pep_508()


def _and_cuda(
    requires: list[Requirement],
    packages: list[LockedPackage],
    platforms: Mapping[str, Mapping[str, tuple[str, ...]]],
) -> Mapping[str, Any] | None:
    """The extra; where it is not locked, it is taken to be for the container's platform alone."""
    if not requires:
        return None
    systems = load_images().systems
    names = {canonicalize_name(one.name) for one in requires}
    locked = [one for one in packages if one.name in names]

    def fits(platform: str, python: str) -> bool:
        if {one.name for one in locked} != names:
            return platform == CONTAINER_PLATFORM
        target = Target(platform, python)
        return all(one.has_file(target, systems) for one in locked)

    pythons = {
        platform: [minor for minors in tags.values() for minor in minors if fits(platform, minor)]
        for platform, tags in platforms.items()
        if platform in {CONTAINER_PLATFORM, LINUX_AARCH64}
    }
    return {
        "requires": [str(one) for one in requires],
        "pythons": {platform: minors for platform, minors in pythons.items() if minors},
    }


def _extra(info: Mapping[str, Any]) -> list[Requirement]:
    """What the extra requires, as an entry of the lock says: `nvidia-nccl-cu12 (>=2.25.1,<3.0)`."""
    found = []
    for text in as_texts(as_table(info.get("extras")).get(EXTRA, [])):
        with suppress(InvalidRequirement):
            found.append(Requirement(text))
    return found
