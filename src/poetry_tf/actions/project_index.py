"""The releases that an index has of some distributions, looked up before a project is solved."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import InvalidVersion, Version
from poetry.repositories.exceptions import PackageNotFoundError

from poetry_tf.actions.build_requirements import compiled_source
from poetry_tf.actions.lock import LockingError, locking_error
from poetry_tf.actions.progress import without_build_warnings
from poetry_tf.actions.solver_failure import first_line
from poetry_tf.http.parallel import run_parallel
from poetry_tf.index.credentials import PYPI
from poetry_tf.index.repository import RoutedRepository
from poetry_tf.migration.fit import IndexRelease
from poetry_tf.plan.environments import ENVIRONMENTS, Target
from poetry_tf.plan.lock_entries import LockedPackage
from poetry_tf.plan.requirement import to_poetry_version
from poetry_tf.releases.images import Systems, load_images

if TYPE_CHECKING:
    from poetry.core.constraints.version import Version as PoetryVersion
    from poetry.poetry import Poetry

THREADS = 8
"""Connections to one host, as many as a solve has."""

T = TypeVar("T")
Item = TypeVar("Item")


class ProjectIndex:
    """The index that a project uses as PyPI; it has no releases if the project uses none.

    Its methods raise `LockingError` if the index can't be accessed.

    Attributes:
        asked: the number of distributions that the last call asks for.
        answered: how many of them the index has answered.
    """

    asked = answered = 0

    def __init__(self, poetry: Poetry) -> None:
        pool = poetry.pool
        repository = pool.repository(PYPI) if pool.has_repository(PYPI) else None
        self._repository = repository if isinstance(repository, RoutedRepository) else None
        if self._repository is not None:
            self._repository.choose()

    def releases(
        self, names: Iterable[NormalizedName], targets: Sequence[Target]
    ) -> dict[NormalizedName, list[IndexRelease] | None]:
        """The releases of distributions, ascending; None for a name that the index does not have.

        Releases have to fit the first target; the others are the project's further environments.
        """
        if (repository := self._repository) is None:
            return {}
        names = list(dict.fromkeys(names))
        return dict(
            zip(
                names,
                self._each(
                    lambda name: _for(name, partial(_releases, repository, name, targets)), names
                ),
                strict=True,
            )
        )

    def wheels(
        self, name: NormalizedName, targets: Sequence[Target]
    ) -> dict[Version, frozenset[Target]]:
        """The releases of a distribution, each with the targets for which it has a wheel."""
        if (repository := self._repository) is None:
            return {}
        return {
            release: frozenset(
                target
                for target in targets
                if any(
                    item.admits_python(target.python) and item.has_wheel(target, _systems())
                    for item in packages
                )
            )
            for release, packages in _files(repository, name).items()
        }

    def requires(
        self, releases: Mapping[NormalizedName, Version], target: Target
    ) -> dict[NormalizedName, tuple[NormalizedName, ...]]:
        """The distributions that releases require in a target, without extras."""
        if (repository := self._repository) is None:
            return {}
        required = self._each(
            lambda item: _for(item[0], partial(_requires, repository, *item, target)),
            releases.items(),
        )
        return dict(zip(releases, required, strict=True))

    def build_obstacle(self, name: NormalizedName, version: Version) -> str | None:
        """Why a release can't simply be built from source, as a clause; None if it can."""
        if (repository := self._repository) is None:
            return None
        number = to_poetry_version(version)
        try:
            if (compiled := _compiled_source(repository, name, number)) is not None:
                return f"which has to be compiled ({compiled})"
            with without_build_warnings():
                repository.package(name, number)
        except Exception as error:  # builds raise anything
            return f"which can't be built here ({first_line(error)})"
        return None

    def _each(self, request: Callable[[Item], T], items: Iterable[Item]) -> list[T]:
        """The result of a request for each item, in order."""
        jobs = [partial(request, item) for item in items]
        self.asked, self.answered = len(jobs), 0

        def count(results: Mapping[int, T]) -> None:
            self.answered = len(results)

        return [*run_parallel(jobs, workers=THREADS, on_result=count).values()]


def _compiled_source(
    repository: RoutedRepository, name: NormalizedName, version: PoetryVersion
) -> str | None:
    """A file in a release's source distribution that has to be compiled."""
    for link in repository.get_page(name).links_for_version(name, version):
        if not link.is_wheel and not link.yanked:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / link.filename
                hashes = [f"{kind}:{value}" for kind, value in link.hashes.items()]
                repository.save(name, link.url_without_fragment, path, hashes, lambda *_: None)
                return compiled_source(path)
    return None


def _for(name: NormalizedName, request: Callable[[], T]) -> T:
    """The result of a request; an error says which distribution it was for."""
    try:
        return request()
    except Exception as error:  # the network's, and the repository's own
        failure = locking_error(error)
        if isinstance(failure, LockingError):
            raise LockingError(f"looking up {name}: {failure}") from error
        raise failure from error


def _releases(
    repository: RoutedRepository, name: NormalizedName, targets: Sequence[Target]
) -> list[IndexRelease] | None:
    try:
        files = _files(repository, name)
    except PackageNotFoundError:
        return None
    found = []
    for number, packages in files.items():
        usable = [item for item in packages if item.admits_python(targets[0].python)]
        fits, *elsewhere = (
            any(item.has_wheel(target, _systems()) for item in usable) for target in targets
        )
        has_wheel = any(item.tags for item in packages)
        has_source = any(item.has_source for item in usable)
        missing = tuple(
            target.environment
            for target, there in zip(targets[1:], elsewhere, strict=True)
            if not (there or has_source)
        )
        is_compiled = any(not tag.endswith("-any") for item in packages for tag in item.tags)
        found.append(IndexRelease(number, fits, missing, has_wheel, has_source, is_compiled))
    return [release for release in found if not release.version.is_prerelease] or found


def _files(
    repository: RoutedRepository, name: NormalizedName
) -> dict[Version, list[LockedPackage]]:
    """The files of each release that are not yanked, ascending, each as a package of its own.

    Raises `PackageNotFoundError`.
    """
    page = repository.get_page(name)
    files: dict[Version, list[LockedPackage]] = {}
    for version in page.versions(name):
        try:
            known = files.setdefault(Version(version.text), [])
        except InvalidVersion:
            continue
        known += [
            LockedPackage(
                name,
                version.text,
                optional=False,
                pythons=link.requires_python or "*",
                files=(link.filename,),
                markers=None,
            )
            for link in page.links_for_version(name, version)
            if not link.yanked
        ]
    return {number: files[number] for number in sorted(files) if files[number]}


def _systems() -> Systems:
    return load_images().systems


def _requires(
    repository: RoutedRepository, name: NormalizedName, version: Version, target: Target
) -> tuple[NormalizedName, ...]:
    try:
        package = repository.package(name, to_poetry_version(version))
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


def nearest_release(releases: Sequence[IndexRelease], version: Version | None) -> Version | None:
    """The release with a wheel that is nearest to an installed version: it, or the next later one.

    None if no release has a wheel: its metadata would have to be built.
    """
    wheels = [release.version for release in releases if release.has_wheel]
    later = (item for item in wheels if version is None or item >= version)
    return next(later, wheels[-1]) if wheels else None
