"""``poetry-tf …`` is ``poetry tf …``, for machines where Poetry itself was never set up.

Unlike Poetry it loads no plugins from the project's own folder, so that a cloned project runs no
code by it.
"""

from __future__ import annotations

import io
import os
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from poetry.console.application import Application

import poetry_tf
from poetry_tf.poetry_internals import MovedError
from poetry_tf.poetry_internals.patches import leave_project_plugins
from poetry_tf.releases import load

# Poetry's own options that take a value and may stand before the command.
_WITH_VALUE = {"-C", "--directory", "-P", "--project"}


def translate(arguments: list[str]) -> list[str]:
    """The arguments of ``poetry`` that mean the same: ``tf`` goes before the command's name.

    Without a command's name ``tf`` goes last: ``poetry-tf`` alone lists the commands.
    """
    index = 0
    while index < len(arguments) and arguments[index].startswith("-"):
        index += 2 if arguments[index] in _WITH_VALUE else 1
    if index < len(arguments):
        return [*arguments[:index], "tf", *arguments[index:]]
    return [*(item for item in arguments if item not in {"-h", "--help"}), "tf"]


class _Pipe(io.FileIO):
    """A stream that drops what is no longer read (``poetry-tf check | head``)."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or 0
        except BrokenPipeError:
            return len(data)


def _open_streams() -> None:
    """Makes all three standard streams usable, as cleo needs them: one may be closed."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115
    out = sys.stdout
    if out is sys.__stdout__ and isinstance(out, io.TextIOWrapper):
        raw = io.BufferedWriter(_Pipe(out.fileno(), "w", closefd=False))
        sys.stdout = io.TextIOWrapper(
            raw, out.encoding, out.errors, line_buffering=out.line_buffering
        )


def main() -> int:
    """Runs Poetry with the translated arguments and returns its exit status."""
    if {"--version", "-V"} & {*sys.argv[1:]}:
        sys.stdout.write(
            f"poetry-tf {metadata.version('poetry-tf')} (Poetry {metadata.version('poetry')}, "
            f"TensorFlow up to {load().releases[-1].version})\n"
        )
        return 0
    _open_streams()
    try:
        Path.cwd()
    except OSError as error:
        sys.exit(f"Error: could not read the current folder: {error.strerror}")
    poetry_tf.program = "poetry-tf"
    sys.argv[1:] = translate(sys.argv[1:])
    try:
        leave_project_plugins()
    except (MovedError, ImportError) as error:
        sys.exit(
            f"poetry-tf does not work with this Poetry {metadata.version('poetry')}: it could not "
            f"keep the project's own plugins from being loaded ({error}). Update poetry-tf."
        )
    return Application().run()


if __name__ == "__main__":
    sys.exit(main())
