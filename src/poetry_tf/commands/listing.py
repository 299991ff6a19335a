"""``poetry tf``: the list of the commands, and what a name may mean that is none of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import metadata
from typing import Any, ClassVar

from cleo.descriptors.text_descriptor import TextDescriptor
from cleo.helpers import argument
from cleo.io.inputs.argument import Argument

import poetry_tf
from poetry_tf.commands.base import TensorFlowCommand, align_columns, plain
from poetry_tf.plan.model import PlanError
from poetry_tf.text import closest


def command_names(application: Any) -> tuple[str, ...]:
    """The names of all commands, without ``tf``."""
    names = application.command_loader.names
    return tuple(name.removeprefix("tf ") for name in names if name.startswith("tf "))


def unknown_command(application: Any, words: Sequence[str]) -> PlanError:
    """The error for words that name no command, with the command that may be meant."""
    for count in (2, 1):
        typed, rest = " ".join(words[:count]), words[count:]
        names = [name for name in command_names(application) if count == 1 or " " in name]
        if found := closest(typed, names):
            break
    meant = f"Did you mean `poetry tf {' '.join([found, *rest])}`?\n" if found else ""
    return PlanError(
        f"Unknown command: poetry tf {' '.join(words)}",
        f"{meant}Run `poetry tf help` for a list of the commands.",
    )


class ListCommand(TensorFlowCommand):
    name = "tf"
    description = "Lists the commands of poetry-tf."
    arguments: ClassVar[list[Argument]] = [
        argument(
            "name",
            "One of the commands below, after <comment>help</>.",
            optional=True,
            multiple=True,
        )
    ]

    def configure(self) -> None:
        # A misspelt command may have options, which are not this command's.
        self.ignore_validation_errors()
        super().configure()

    @property
    def processed_help(self) -> str:
        return "\n".join(self._commands())

    def act(self) -> int:
        words: list[str] = self.argument("name")
        if words[:1] == ["help"] and words != ["help"]:
            return self._help(words[1:])
        if words not in ([], ["help"], ["list"]):
            raise unknown_command(self.application, words)
        self.line(f"""\
poetry-tf {metadata.version("poetry-tf")}

<b>Usage:</b>
  {poetry_tf.program} <c1>COMMAND</> [options]

<b>Commands:</b>""")
        for line in self._commands():
            self.line(f"  {line}")
        self.line(
            f"\nThe options of a command, with examples: <c1>{poetry_tf.program} COMMAND --help</>"
        )
        return 0

    def _help(self, words: Sequence[str]) -> int:
        name = " ".join(words)
        if name not in command_names(self.application):
            raise unknown_command(self.application, words)
        assert self.application is not None
        self.line("")
        TextDescriptor().describe(self.io, self.application.find(f"tf {name}"))
        return 0

    def _commands(self) -> Iterator[str]:
        """Each command with its description, as lines."""
        assert self.application is not None
        names = command_names(self.application)
        rows = [(name, self.application.find(f"tf {name}").description) for name in names]
        for name, line in zip(names, align_columns(rows), strict=True):
            yield f"<c1>{name}</>{plain(line.removeprefix(name))}"
