"""``poetry-tf …`` is ``poetry tf …``, for machines where Poetry itself was never set up."""

from __future__ import annotations

import sys

from poetry.console.application import Application

# Options of Poetry's own that take a value and may stand before the command.
_WITH_VALUE = {"-C", "--directory", "-P", "--project"}


def translate(arguments: list[str]) -> list[str]:
    """The arguments of ``poetry`` that mean the same: ``tf`` goes before the command's name.

    Without a command's name there is nothing to put it before: ``poetry-tf`` alone lists the
    commands, and ``poetry-tf --version`` is Poetry's.
    """
    index = 0
    while index < len(arguments):
        if not arguments[index].startswith("-"):
            if arguments[index] in {"list", "help"}:
                return [*arguments[: index + 1], "tf", *arguments[index + 1 :]]
            return [*arguments[:index], "tf", *arguments[index:]]
        index += 2 if arguments[index] in _WITH_VALUE else 1
    if not arguments or {"-h", "--help"} & set(arguments):
        return ["list", "tf"]
    return arguments


def main() -> int:
    """Runs Poetry with the translated arguments and returns its exit status."""
    sys.argv[1:] = translate(sys.argv[1:])
    return Application().run()


if __name__ == "__main__":
    sys.exit(main())
