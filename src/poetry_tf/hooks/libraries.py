"""Lets an installed TensorFlow find the libraries of NVIDIA's wheels, after Poetry's commands.

The command has succeeded by then: a failure here is reported in one line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from poetry_tf.actions.link_libraries import link_libraries
from poetry_tf.poetry_internals.notices import write_notice
from poetry_tf.text import escape_markup

if TYPE_CHECKING:
    from cleo.io.io import IO

INSTALLING = frozenset({"add", "install", "remove", "sync", "update"})
"""The commands that change what is installed."""


def link_installed(command: Any, io: IO) -> None:
    """Links the libraries in the environment of a command, if it may have changed it."""
    options = command.definition
    if command.name not in INSTALLING or any(
        options.has_option(name) and io.input.option(name) for name in ("dry-run", "lock")
    ):
        return
    try:
        links = link_libraries(command.env.platlib)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        text = f"could not link NVIDIA's libraries for TensorFlow in {error.filename} ({reason})"
        _tell(io, f'{text}. To set their folders in a shell: eval "$(poetry tf env)"')
        return
    if links.missing:
        count = len(links.missing)
        _tell(io, f"linked {count} of NVIDIA's libraries where TensorFlow looks for them")


def _tell(io: IO, text: str) -> None:
    write_notice(io, f"poetry-tf: {escape_markup(text)}")
