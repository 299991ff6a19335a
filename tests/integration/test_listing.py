"""`poetry tf` alone, a misspelt command, and the help of the commands."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest
from cleo.io.inputs.argv_input import ArgvInput
from poetry.console.application import Application

from poetry_tf.plugin import COMMANDS
from tests.support.poetry import PoetryRunner, Program
from tests.support.projects import contents

NAMES = [name.removeprefix("tf ") for name in COMMANDS if name != "tf"]
WITHOUT_EXAMPLES = (
    "tf",
    "tf env",
    "tf mirror",
    "tf mirror list",
    "tf mirror off",
)


@pytest.mark.parametrize("words", ["tf", "tf list", "tf help", "-C . tf"])
def test_the_commands_are_listed(poetry: PoetryRunner, project: Path, words: str):
    done = poetry.call(*words.split())
    assert (done.returncode, done.stderr) == (0, "")
    listed = done.stdout.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    assert [re.split(r" {2,}", line.strip())[0] for line in listed] == NAMES
    assert contents(project) == {}


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("chek", "check"),
        ("chek --fix", "check"),
        ("upgrad 2.18", "upgrade 2.18"),
        ("mirror usse tuna", "mirror use tuna"),
        ("miror use tuna", "mirror use tuna"),
        ("mirrorlist", "mirror list"),
        ("help chek", "check"),
    ],
)
@pytest.mark.parametrize("program", ["poetry", "poetry_tf"])
def test_a_misspelt_command_is_told_the_right_one(
    poetry: PoetryRunner, program: Program, words: str, meant: str
):
    start = "poetry tf" if program == "poetry" else "poetry-tf"
    done = poetry.call(*(["tf"] if program == "poetry" else []), *words.split(), program=program)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: Unknown command: {start} ")
    assert f"Did you mean `{start} {meant}`?" in done.stderr
    assert f"Run `{start} help`" in done.stderr


def test_a_word_that_is_like_no_command_is_told_the_list(poetry: PoetryRunner):
    done = poetry.call("tf", "xyzzy")
    assert done.returncode == 1
    assert "Did you mean" not in done.output
    assert "Run `poetry tf help` for a list of the commands" in done.stderr


@pytest.mark.parametrize("ask", ["tf {} --help", "tf help {}"])
def test_the_help_has_our_options_and_names_poetrys_in_one_line(poetry: PoetryRunner, ask: str):
    shown = poetry.call(*ask.format("check").split()).stdout
    assert "  poetry tf check [options]\n" in shown
    assert re.findall(r"^ +(?:-\S, )?--(\S+)", shown, re.MULTILINE)[:2] == ["fix", "diff"]
    assert "--no-cache" not in shown and "-C FOLDER" in shown
    assert re.search(r"^ +poetry tf check --fix {2,}fix", shown, re.MULTILINE)


def test_an_example_is_a_command_line_that_poetry_takes():
    for name, (module, cls) in COMMANDS.items():
        command = getattr(import_module(f"poetry_tf.commands.{module}"), cls)()
        command.set_application(Application())
        command.merge_application_definition()  # Poetry's own options, such as -n
        for example in command.examples:
            assert example.startswith(f"poetry {name}")
            words = shlex.split(example.removeprefix(f"poetry {name}"))
            ArgvInput(["", *words]).bind(command.definition)
        assert command.examples or name in WITHOUT_EXAMPLES
