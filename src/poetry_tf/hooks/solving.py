"""What is set up for a project in which Poetry may solve: the way, the candidates, the metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poetry_tf.hooks import candidates, metadata, routes

if TYPE_CHECKING:
    from cleo.io.io import IO
    from poetry.poetry import Poetry


def install(poetry: Poetry, io: IO, *, managed: bool) -> None:
    """Sets a project up. Poetry makes one anew for each isolated build, so twice does no harm."""
    routes.install(poetry, io, managed=managed)
    metadata.install(poetry, io, managed=managed)
    if managed:
        candidates.install(poetry)
