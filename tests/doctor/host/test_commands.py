"""Each command that the doctor names is one: Poetry's are parsed by Poetry, others by a shell."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from cleo.commands.command import Command
from cleo.io.inputs.argv_input import ArgvInput
from poetry.console.application import COMMANDS as OF_POETRY
from poetry.console.application import load_command
from tests.doctor.host.test_host import CASES as HOST
from tests.doctor.host.test_inside import CASES as INSIDE
from tests.doctor.host.test_place import needs as needs_here
from tests.support.machines import RecordedMachine

from poetry_tf.doctor.host.model import HostSpec, Remedy, UnusablePython
from poetry_tf.doctor.host.possibilities import find_possibilities
from poetry_tf.doctor.host.probes import run_probes, summary_line
from poetry_tf.plugin import COMMANDS as OURS

RECORDINGS = Path(__file__).with_name("recordings")
PYTHONS = ((), ("3.9",), ("3.12", "3.8"), ("3.6",), ("3.14",))


def command_of(words: list[str]) -> tuple[Command, list[str]]:
    """The command of Poetry or of ours that words name, and the rest of the words."""
    for count in (3, 2, 1):
        name = " ".join(words[:count])
        if name in OURS and name != "tf":
            module, cls = OURS[name]
            command: Command = getattr(import_module(f"poetry_tf.commands.{module}"), cls)()
            return command, words[count:]
        if name in OF_POETRY:
            return load_command(name)(), words[count:]
    raise AssertionError(f"{words} is no command of Poetry's")


def parse(command: str) -> None:
    """Fails for a command that no shell, or that Poetry, does not take."""
    subprocess.run(["bash", "-n", "-c", command], check=True)
    words = shlex.split(command, comments=True)
    if "poetry" in words:  # also after what runs it on another machine
        found, rest = command_of(words[words.index("poetry") + 1 :])
        ArgvInput(["", *rest]).bind(found.definition)


def commands_in(remedy: Remedy | None) -> Iterator[str]:
    if remedy is not None:
        yield from remedy.everywhere
        for commands in remedy.commands.values():
            yield from commands


def specs() -> Iterator[tuple[str, HostSpec]]:
    yield from ((f"host-{name}", spec) for name, spec, _ in HOST)
    yield from ((f"container-{name}", spec) for name, spec, *_ in INSIDE)
    for path in RECORDINGS.glob("*.json"):
        yield path.stem, needs_here()
        yield path.stem, needs_here(mode="system")


def played(name: str) -> RecordedMachine:
    return RecordedMachine(json.loads((RECORDINGS / f"{name}.json").read_text("utf-8")))


@pytest.mark.slow
def test_each_command_of_a_remedy_is_one():
    named = set()
    for name, spec in specs():
        for finding in run_probes(played(name), spec):
            named |= {*commands_in(finding.remedy)}
            named |= {*re.findall(r"`(poetry [^`]*)`", f"{finding.seen} {finding.needed}")}
    assert any("srun" in command for command in named)
    for command in named:
        parse(command)


def test_each_command_at_the_end_of_the_line_of_a_start_is_one():
    named = {summary_line(played(name), spec).rpartition(": ")[2] for name, spec in specs()}
    for command in named:
        if command.startswith(("poetry ", "srun ", "sudo ")):
            parse(command)


@pytest.mark.slow
def test_each_command_that_makes_a_project_is_one():
    named = set()
    for path in RECORDINGS.glob("*.json"):
        for pythons in PYTHONS:
            found = find_possibilities(played(path.stem), pythons)
            for item in found.items:
                assert bool(item.commands) == (item.plan is not None)
                named |= {*item.commands}
            for note in found.notes:
                named |= {*commands_in(note.remedy)}
    assert any("--no-devcontainer" in command for command in named)
    for command in named:
        parse(command)


@pytest.mark.parametrize("kind", ["missing", "environment", "active", "system"])
@pytest.mark.parametrize("has_suggested", [True, False])
def test_each_command_for_a_python_is_one(kind: str, has_suggested: bool):
    unusable = UnusablePython(kind, ">=3.13", ("3.12",), "/a", "3.13", has_suggested)  # type: ignore[arg-type]
    findings = list(run_probes(played("place-docker"), needs_here(unusable=unusable)))
    (finding,) = (item for item in findings if item.probe == "python")
    commands = [*commands_in(finding.remedy)]
    assert commands[-1] == "poetry install", "which alone fails"
    assert len(commands) > 1
    assert "tensorflow" not in {item.probe for item in findings}
    for command in commands:
        parse(command)


def test_a_word_that_poetry_does_not_know_is_found():
    for command in ("poetry tf init --gpus none", "srun poetry tf docter", "poetry run 'a"):
        with pytest.raises(Exception, match=r".+"):
            parse(command)
