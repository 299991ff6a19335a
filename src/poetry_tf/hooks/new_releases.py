"""Releases of TensorFlow that the data does not know, while Poetry solves.

It is imported only where an index has such a release.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version
from poetry.console.exceptions import ConsoleMessage, PoetryRuntimeError

from poetry_tf.index.new_releases import NewReleases, UnreadReleaseError, new_releases, reader_of
from poetry_tf.poetry_internals.notices import write_notice
from poetry_tf.text import escape_markup

if TYPE_CHECKING:
    from collections.abc import Callable

    from cleo.io.io import IO
    from poetry.repositories.http_repository import HTTPRepository
    from poetry.repositories.repository_pool import RepositoryPool

    from poetry_tf.releases import Release


def reader_for(pool: RepositoryPool, io: IO) -> NewReleases | None:
    """The reader of releases that the data does not know, which reports what it does on stderr."""
    return new_releases(pool, _report_to(io))


def read_from(repository: HTTPRepository, io: IO, name: str, version: Version) -> Release:
    """A release of an index that the data does not know. Raises `UnreadReleaseError`."""
    return reader_of(repository, _report_to(io)).read(name, version)


def _report_to(io: IO) -> Callable[[str], None]:
    return lambda line: write_notice(io, f"poetry-tf: {escape_markup(line)}")


def unread_error(error: UnreadReleaseError) -> PoetryRuntimeError:
    """The error for a release whose requirements would reach the lock unread."""
    details = ConsoleMessage(
        "A release is locked only with requirements that were read. Try again, use another mirror "
        "(POETRY_TF_MIRROR), or require an older TensorFlow."
    )
    return PoetryRuntimeError(f"<error>{escape_markup(str(error))}.</error>", [details])


def can_read(reader: NewReleases | None, io: IO, name: str, version: Version) -> bool:
    """Whether a newer release can be read, if there is what reads it; that it can't is told."""
    if reader is None:
        return True
    try:
        reader.read(name, version)
    except UnreadReleaseError as error:
        line = f"poetry-tf: {error}. An older release is used"
        write_notice(io, f"<warning>{escape_markup(line)}</>")
        return False
    return True
