"""Releases of TensorFlow that the data does not know, while Poetry solves; and the hooks' errors.

What reads them is imported only where an index has such a release.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version
from poetry.console.exceptions import ConsoleMessage, PoetryRuntimeError

from poetry_tf.releases import DISTRIBUTIONS, whole
from poetry_tf.text import escape_markup

if TYPE_CHECKING:
    from cleo.io.io import IO
    from poetry.repositories.repository_pool import RepositoryPool

    from poetry_tf.index.new_releases import NewReleases, UnreadReleaseError


def command_error(headline: str, *details: str) -> PoetryRuntimeError:
    """An error that Poetry shows as its own."""
    messages = [ConsoleMessage(text) for text in details]
    return PoetryRuntimeError(f"<error>{headline}</error>", messages)


def reader_for(pool: RepositoryPool, io: IO) -> NewReleases | None:
    """The reader of releases that the data does not know, which tells what it does on stderr."""
    from poetry_tf.index.new_releases import new_releases

    return new_releases(pool, lambda line: io.write_error_line(f"poetry-tf: {escape_markup(line)}"))


def unread_error(error: UnreadReleaseError) -> PoetryRuntimeError:
    """The error for a release whose requirements would reach the lock unread."""
    return command_error(
        f"{escape_markup(str(error))}.",
        "Nothing is locked with requirements that were not read. Try again, use another mirror "
        "(POETRY_TF_MIRROR), or keep TensorFlow below it.",
    )


def can_read(reader: NewReleases | None, io: IO, name: str, version: Version) -> bool:
    """Whether a release is known or can be read; that it can't is told."""
    if name not in DISTRIBUTIONS or version.is_prerelease:
        return True
    if reader is None or whole(name).standing(version) != "newer":
        return True
    from poetry_tf.index.new_releases import UnreadReleaseError

    try:
        reader.read(name, version)
    except UnreadReleaseError as error:
        line = f"poetry-tf: {error}. An older release is taken"
        io.write_error_line(f"<warning>{escape_markup(line)}</>")
        return False
    return True
