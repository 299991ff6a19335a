"""Lines for the user on a terminal where Poetry shows progress."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from poetry_tf.text import wrap_markup

if TYPE_CHECKING:
    from cleo.commands.command import Command
    from cleo.io.io import IO
    from cleo.io.outputs.output import Output

_NARROWEST = 24
_ERASE_LINE = "\r\x1b[2K"


def write_notice(io: IO, text: str) -> None:
    """Writes a line with style tags to stderr, without running into Poetry's spinner.

    The spinner leaves the cursor at the end of its line, which this line replaces; the spinner
    continues below. stderr, because scripts read what Poetry writes to stdout.
    """
    output = io.error_output
    erase = _ERASE_LINE if output.is_decorated() else ""
    output.write_line(erase + fit_terminal(output, text))


def fit_terminal(output: Output, text: str, *, is_prose: bool = False) -> str:
    """A line with style tags, broken between words where it is wider than the terminal.

    An indented line may be a command or part of a table, and stays as it is unless it is prose. So
    does a line for anything but a terminal.
    """
    is_prose = is_prose or not text.startswith(" ") or text.lstrip().startswith("- ")
    width = _width(getattr(output, "stream", None)) if is_prose else None
    return wrap_markup(text, width) if width else text


def fit_stderr(text: str) -> str:
    """Text with style tags for an error that Poetry shows, each line as by `fit_terminal`."""
    return _fit(text, _width(sys.stderr))


def fit_help(command: Command) -> None:
    """Breaks the lines of a command's help, which is about to be shown, between words.

    cleo aligns the lines of a description; that of an option has no setter (`Option._description`).
    Where a later cleo keeps it elsewhere, the help has long lines.
    """
    if (width := _width(sys.stdout)) is None:
        return
    command.help = _fit(command.help, width - 2)
    options, arguments = command.definition.options, command.definition.arguments
    names = [f"    --{one.name}{f'={one.name}' if one.accepts_value() else ''}" for one in options]
    left = max(map(len, [*names, *(one.name for one in arguments)]), default=0) + 4
    described: list[Any] = [*options, *arguments]
    for one in described:
        if hasattr(one, "_description"):
            text = " ".join(one.description.split())
            one._description = wrap_markup(text, max(width - left, _NARROWEST))


def _fit(text: str, width: int | None) -> str:
    lines = text.split("\n")
    return "\n".join(
        wrap_markup(line, width) if width and not line.startswith(" ") else line for line in lines
    )


def _width(stream: Any) -> int | None:
    """The columns of the terminal that a stream is; None for anything else."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (AttributeError, OSError, ValueError):
        return None
