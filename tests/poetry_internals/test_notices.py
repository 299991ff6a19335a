"""Lines on a terminal: between words, and not behind Poetry's spinner."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import ClassVar

import pytest
from cleo.commands.command import Command
from cleo.descriptors.text_descriptor import TextDescriptor
from cleo.helpers import option
from cleo.io.inputs.argv_input import ArgvInput
from cleo.io.inputs.option import Option
from cleo.io.io import IO
from cleo.io.outputs.stream_output import StreamOutput

from poetry_tf.poetry_internals.notices import fit_help, fit_terminal, write_notice

if sys.platform == "win32":
    pytest.skip("no pseudo-terminals", allow_module_level=True)

import fcntl
import struct
import termios

COLUMNS = 30
LINE = "The mirror did not answer, so PyPI itself is used."


class Terminal:
    """A terminal of `COLUMNS` columns, and what stands on it."""

    def __init__(self) -> None:
        self._main, terminal = os.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
        self.stream = os.fdopen(terminal, "w", encoding="utf-8")
        output = StreamOutput(self.stream, decorated=True)
        self.io = IO(ArgvInput([""]), output, output)

    def lines(self) -> list[str]:
        """The lines that a person sees: a return to the first column and an erased line count."""
        self.stream.flush()
        os.set_blocking(self._main, False)
        text = ""
        with contextlib.suppress(BlockingIOError):
            while True:
                text += os.read(self._main, 65536).decode()
        shown = [line.removesuffix("\r").split("\r\x1b[2K")[-1] for line in text.split("\n")]
        return [line for line in shown if line]

    def close(self) -> None:
        self.stream.close()
        os.close(self._main)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    terminal.close()


def test_a_notice_takes_the_line_of_the_spinner(terminal: Terminal) -> None:
    terminal.io.write("Resolving dependencies... (0.3s)")
    write_notice(terminal.io, LINE)
    assert terminal.lines() == ["The mirror did not answer, so", "PyPI itself is used."]


def test_lines_that_may_be_commands_stay_whole(terminal: Terminal) -> None:
    for text in (f"  {LINE}", "short"):
        assert fit_terminal(terminal.io.output, text) == text
    assert fit_terminal(terminal.io.output, f"  {LINE}", is_prose=True) != f"  {LINE}"


def test_the_help_breaks_between_words(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    class Example(Command):
        name = "example"
        help = LINE
        options: ClassVar[list[Option]] = [option("one", None, "What it does, in a few words.")]

    monkeypatch.setattr(sys, "stdout", terminal.stream)
    command = Example()
    fit_help(command)
    TextDescriptor().describe(terminal.io, command)
    shown = [line.strip() for line in terminal.lines()]
    assert shown[-2:] == ["The mirror did not answer,", "so PyPI itself is used."]
    (first,) = [number for number, line in enumerate(shown) if "--one" in line]
    assert shown[first].endswith("What it does, in a few")
    assert shown[first + 1] == "words."


def test_what_is_no_terminal_gets_whole_lines(tmp_path) -> None:
    with (tmp_path / "log").open("w") as stream:
        output = StreamOutput(stream)
        write_notice(IO(ArgvInput([""]), output, output), LINE)
    assert (tmp_path / "log").read_text() == f"{LINE}\n"
