"""Prepares a project before Poetry solves it: mirrors, candidates, metadata, prefetching."""

from __future__ import annotations

import atexit
import functools
import gc
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from poetry_tf.hooks import metadata
from poetry_tf.hooks.candidates import filter_pool, listed_by, project_demand
from poetry_tf.index import routing
from poetry_tf.index.fetching import begin_build, end_build
from poetry_tf.index.folder_repository import FolderRepository
from poetry_tf.index.prefetch import Prefetcher
from poetry_tf.index.repository import PrefetchingRepository
from poetry_tf.plan.settings import parse_settings
from poetry_tf.poetry_internals import Failed, lock_text, patches, reads

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from cleo.io.io import IO
    from packaging.utils import NormalizedName
    from poetry.core.constraints.version import Version
    from poetry.core.packages.project_package import ProjectPackage
    from poetry.poetry import Poetry
    from poetry.puzzle.exceptions import SolverProblemError
    from poetry.repositories.repository_pool import RepositoryPool

    from poetry_tf.index.new_releases import NewReleases


def set_up_project(poetry: Poetry, io: IO, *, managed: bool, failed: Failed) -> None:
    """Prepares a project. Poetry also makes one for each isolated build, so this can run twice."""
    routing.install(poetry, io, managed=managed)
    metadata.fix_metadata(poetry, io, managed=managed, failed=failed)

    def reader() -> NewReleases | None:
        from poetry_tf.hooks.new_releases import reader_for

        return reader_for(poetry.pool, io)

    if managed:
        settings = parse_settings(poetry.pyproject.data["tool"]["poetry-tf"])[0]
        filter_pool(
            poetry.pool,
            lambda: project_demand(poetry.package, settings),
            lambda: poetry.package.all_requires,
            failed,
            listed_by(reader),
        )
    patches.around_solving(_begin_solving, _end_solving, _explain_failure)
    lock_text.write_files_at_once()


def fetch_ahead(poetry: Poetry, kept: Mapping[NormalizedName, Version]) -> None:
    """Starts to fetch what the solve of this command will need, while Poetry prepares it.

    `kept` are the locked versions that stay if possible.
    """
    _begin_prefetching(poetry.pool, poetry.package, kept, ahead=True)


_ahead: WeakSet[Prefetcher] = WeakSet()


def end_fetching() -> None:
    """Ends what `fetch_ahead` started, where Poetry did not come to solve."""
    while _ahead:
        _ahead.pop().end()


def _begin_solving(solver: Any, latest: Collection[NormalizedName]) -> None:
    problem = reads.solver_problem(solver, latest)
    if problem.is_of_build:
        begin_build()
    _begin_prefetching(problem.pool, problem.root, problem.kept)


def _begin_prefetching(
    pool: RepositoryPool,
    root: ProjectPackage,
    kept: Mapping[NormalizedName, Version],
    *,
    ahead: bool = False,
) -> None:
    match pool.repositories:
        # Only if PyPI is the only source: names of private packages must not be sent to PyPI.
        case [PrefetchingRepository() as repository]:
            _search_rarely()
            prefetcher, python = repository.prefetcher, root.python_constraint
            prefetcher.begin(python, root.all_requires, kept, ahead=ahead)
            if ahead:
                _ahead.add(prefetcher)


@functools.cache
def _search_rarely() -> None:
    """Searches for garbage rarely from here on, and not at all at the end of the process.

    A solve makes millions of objects that stay. With 220 packages a sixth of the processor time
    was the search of them, in which next to nothing was found.
    """
    gc.freeze()
    gc.set_threshold(200_000, 20, 20)
    atexit.register(gc.freeze)


def _explain_failure(solver: Any, error: SolverProblemError) -> Exception | None:
    """What a saved folder lacks for a build, in place of the failure of the solver."""
    problem = reads.solver_problem(solver)
    unmet = [cause[0] for cause in reads.failure_causes(error) if len(cause) == 1]
    for repository in problem.pool.repositories if problem.is_of_build else ():
        if isinstance(repository, FolderRepository):
            return repository.explain_build(unmet)
    return None


def _end_solving(solver: Any) -> None:
    problem = reads.solver_problem(solver)
    for repository in problem.pool.repositories:
        if isinstance(repository, PrefetchingRepository):
            repository.prefetcher.end()
    if problem.is_of_build:
        end_build()
