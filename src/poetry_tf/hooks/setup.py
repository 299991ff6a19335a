"""What is set up for a project in which Poetry may solve: the way, the candidates, the metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from poetry_tf.hooks import candidates, metadata
from poetry_tf.index import routing
from poetry_tf.index.repository import PrefetchingRepository
from poetry_tf.poetry_internals import patches

if TYPE_CHECKING:
    from cleo.io.io import IO
    from poetry.poetry import Poetry


def install(poetry: Poetry, io: IO, *, managed: bool) -> None:
    """Sets a project up. Poetry makes one anew for each isolated build, so twice does no harm."""
    routing.install(poetry, io, managed=managed)
    metadata.install(poetry, io, managed=managed)
    if managed:
        candidates.install(poetry)
    patches.around_solving(_fetch_ahead, _fetch_no_more)


def _fetch_ahead(solver: Any) -> None:
    problem = patches.problem_of(solver)
    match problem.pool.repositories:
        # Beside another source Poetry may not ask PyPI of every name, and a private one is none
        # of PyPI's business.
        case [PrefetchingRepository() as repository]:
            root = problem.root
            repository.prefetcher.begin(root.python_constraint, root.all_requires, problem.stays)


def _fetch_no_more(solver: Any) -> None:
    for repository in patches.problem_of(solver).pool.repositories:
        if isinstance(repository, PrefetchingRepository):
            repository.prefetcher.end()
