"""The releases that an index has of some distributions, read before anything is solved."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import InvalidVersion, Version
from poetry.core.constraints.version import Version as PoetryVersion
from poetry.repositories.exceptions import PackageNotFoundError

from poetry_tf.actions.lock import LockingError
from poetry_tf.http.parallel import run_parallel
from poetry_tf.index.credentials import PYPI
from poetry_tf.index.routed import RoutedRepository
from poetry_tf.migration.classify import IndexRelease
from poetry_tf.plan.environments import ENVIRONMENTS, Target
from poetry_tf.plan.installability import LockedPackage
from poetry_tf.releases.images import load_images

if TYPE_CHECKING:
    from poetry.poetry import Poetry

THREADS = 8
"""The most connections to the index, as many as a solve has."""

T = TypeVar("T")
Item = TypeVar("Item")


class ProjectIndex:
    """The index that a project's PyPI is read from; empty where the project has none.

    Its methods raise `LockingError` where the index can't be read.
    """

    def __init__(self, poetry: Poetry) -> None:
        pool = poetry.pool
        repository = pool.repository(PYPI) if pool.has_repository(PYPI) else None
        self._repository = repository if isinstance(repository, RoutedRepository) else None
        if self._repository is not None:
            self._repository.choose()

    def offers(
        self, names: Iterable[NormalizedName], targets: Sequence[Target]
    ) -> dict[NormalizedName, list[IndexRelease] | None]:
        """The releases of distributions, ascending; None for a name that the index doesn't have.

        The first of the targets is the one that a release has to fit.
        """
        if (repository := self._repository) is None:
            return {}
        distinct = list(dict.fromkeys(names))
        return dict(
            zip(
                distinct,
                _each(lambda name: _offers(repository, name, targets), distinct),
                strict=True,
            )
        )

    def requires(
        self, releases: Mapping[NormalizedName, Version], target: Target
    ) -> dict[NormalizedName, tuple[NormalizedName, ...]]:
        """What releases require in a target, extras aside."""
        if (repository := self._repository) is None:
            return {}
        answers = _each(lambda item: _requires(repository, *item, target), releases.items())
        return dict(zip(releases, answers, strict=True))

    def fault(self, name: NormalizedName, version: Version) -> str | None:
        """Why the source of a release can't be read; None where it can."""
        if (repository := self._repository) is None:
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of setuptools, for the package's authors
                repository.package(name, PoetryVersion.parse(str(version)))
        except Exception as error:  # a build may fail in any way
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            return lines[0] if lines else type(error).__name__
        return None


def _each(request: Callable[[Item], T], items: Iterable[Item]) -> list[T]:
    """The result of a request for each item, in order."""
    try:
        return [*run_parallel([partial(request, item) for item in items], workers=THREADS).values()]
    except Exception as error:  # the network's, and the repository's own
        raise LockingError(str(error) or type(error).__name__) from error


def _offers(
    repository: RoutedRepository, name: NormalizedName, targets: Sequence[Target]
) -> list[IndexRelease] | None:
    try:
        page = repository.get_page(name)
    except PackageNotFoundError:
        return None
    systems = load_images().systems
    files: dict[Version, list[tuple[str, str]]] = {}
    for version in page.versions(name):
        links = [link for link in page.links_for_version(name, version) if not link.yanked]
        try:
            known = files.setdefault(Version(version.text), [])
        except InvalidVersion:
            continue
        known += [(link.filename, link.requires_python or "*") for link in links]
    found = []
    for number, named in sorted(files.items()):
        packages = [
            LockedPackage(
                name, str(number), optional=False, pythons=pythons, files=(file,), markers=None
            )
            for file, pythons in named
        ]
        usable = [item for item in packages if item.admits_python(targets[0].python)]
        if packages:
            fits, *elsewhere = (
                any(item.has_wheel(target, systems) for item in usable) for target in targets
            )
            has_wheel = any(item.tags for item in packages)
            has_source = any(item.has_source for item in usable)
            lacking = tuple(
                target.environment
                for target, there in zip(targets[1:], elsewhere, strict=True)
                if not (there or has_source)
            )
            found.append(IndexRelease(number, fits, lacking, has_wheel, has_source))
    return [offer for offer in found if not offer.version.is_prerelease] or found


def _requires(
    repository: RoutedRepository, name: NormalizedName, version: Version, target: Target
) -> tuple[NormalizedName, ...]:
    try:
        package = repository.package(name, PoetryVersion.parse(str(version)))
    except PackageNotFoundError:
        return ()
    variables = dict(ENVIRONMENTS[target.environment].variables(target.python))
    return tuple(
        dict.fromkeys(
            canonicalize_name(item.name)
            for item in package.requires
            if not item.in_extras and item.marker.validate(variables)
        )
    )


def nearest_release(offers: Sequence[IndexRelease], version: Version | None) -> Version | None:
    """The release to be looked at for one that was installed: it, or the next after it.

    None where no release has a wheel, since a source would have to be built to be looked at.
    """
    wheels = [offer.version for offer in offers if offer.has_wheel]
    if not wheels:
        return None
    return next((item for item in wheels if version is None or item >= version), wheels[-1])
