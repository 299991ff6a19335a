"""The locked packages of PyPI, used where an index has nothing about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from poetry.core.version.markers import parse_marker

if TYPE_CHECKING:
    from packaging.utils import NormalizedName
    from poetry.core.packages.package import Package


def by_name(packages: Sequence[Package]) -> dict[NormalizedName, tuple[Package, ...]]:
    """The packages of each distribution: a lock may have several versions of one."""
    found: dict[NormalizedName, tuple[Package, ...]] = {}
    for package in packages:
        found[package.name] = (*found.get(package.name, ()), package)
    return found


def as_indexed(locked: Package) -> Package:
    """A locked package as an index has it, as far as the lock knows.

    The lock has the requirements of the extras that the project uses among the others, and those
    of every extra besides.
    """
    package = locked.clone()
    for extra, requirements in locked.extras.items():
        known = {item.name for item in locked.requires if extra in item.in_extras}
        for requirement in requirements:
            if requirement.name not in known:
                added = requirement.clone()
                added.marker = added.marker.intersect(parse_marker(f'extra == "{extra}"'))
                package.add_dependency(added)
    return package


def locked_from_pypi(packages: Sequence[Package]) -> list[Package]:
    """The packages of a lock that don't come from a source of the project."""
    return [package for package in packages if package.source_type is None]
