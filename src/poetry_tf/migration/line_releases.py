"""Which releases a line on TensorFlow, Python or Keras admits, and which one it names."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from poetry_tf.migration.entries import ListEntry
from poetry_tf.releases import Catalog
from poetry_tf.releases.model import series_of

_PATCHES = 40
"""More than any series of TensorFlow or any minor of Python has patch releases."""


def admits_release(item: ListEntry, minor: str) -> bool:
    """Whether a line admits any release of a TensorFlow series, Python minor or major version."""
    if not item.specifier:
        return True
    # Conda's ~=3.7 is the standard's, which admits 3.10.
    return accepts(item.specifier, minor)


@functools.lru_cache(maxsize=4096)
def accepts(specifier: str, minor: str) -> bool:
    """Whether a specifier admits any release of a series, Python minor or major version."""
    specifiers = SpecifierSet(specifier)
    numbered = [f"{minor}.{patch}" for patch in range(_PATCHES)]
    numbered += (
        [] if "." in minor else [f"{item}.{patch}" for item in numbered for patch in range(9)]
    )
    # A candidate or a post-release that is named is of its series as well.
    numbered += [
        item.version
        for item in specifiers
        if item.operator in {"==", "==="} and item.version.startswith(f"{minor}.")
    ]
    return any(specifiers.contains(version, prereleases=True) for version in numbered)


def named_release(lines: Iterable[ListEntry], series: str, catalog: Catalog) -> str | None:
    """The final release of a series that an exact line names; None if none does."""
    for item in lines:
        if item.exact is not None and len(item.exact.release) > 2:
            release = catalog.get(nearest_final(catalog, item.exact) or item.exact)
            is_known = release is not None and release.inferred_from is None
            if release is not None and is_known and not release.yanked and release.series == series:
                return str(release.version)
    return None


def is_between(version: Version) -> bool:
    """Whether a version is a release candidate or a post-release."""
    return version.is_prerelease or version.is_postrelease


def nearest_final(catalog: Catalog, version: Version) -> Version | None:
    """The final release of a version's series that is nearest to it; None if it has none.

    That is the one it comes before or after, else the next one: there is no 2.16.0.
    """
    if not is_between(version):
        return version
    base = Version(version.base_version)
    releases = [one.version for one in catalog.in_series(series_of(version)) if not one.yanked]
    return next((one for one in releases if one >= base), max(releases, default=None))
