"""The plugin classes that Poetry loads. They register commands and listeners.

Poetry imports this module at every start, also for ``poetry --version`` in a folder without
TensorFlow. So it imports nothing heavy at its top; what a command or a listener needs is imported
when it runs.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from cleo.events.console_command_event import ConsoleCommandEvent
from cleo.events.console_event import ConsoleEvent
from cleo.events.console_events import COMMAND, ERROR, TERMINATE
from cleo.exceptions import CleoError
from poetry.plugins.application_plugin import ApplicationPlugin
from poetry.plugins.plugin import Plugin

if TYPE_CHECKING:
    from cleo.commands.command import Command as BaseCommand
    from cleo.events.event import Event
    from cleo.events.event_dispatcher import EventDispatcher
    from cleo.io.io import IO
    from poetry.console.application import Application
    from poetry.poetry import Poetry

# Name of the command -> module of `poetry_tf.commands` and class in it.
COMMANDS = {
    "tf allow": ("allow", "AllowCommand"),
    "tf init": ("init", "InitCommand"),
    "tf check": ("check", "CheckCommand"),
    "tf devcontainer": ("devcontainer", "DevcontainerCommand"),
    "tf doctor": ("doctor", "DoctorCommand"),
    "tf mirror": ("mirror", "MirrorCommand"),
    "tf mirror list": ("mirror", "MirrorListCommand"),
    "tf mirror off": ("mirror", "MirrorOffCommand"),
    "tf mirror test": ("mirror", "MirrorTestCommand"),
    "tf mirror use": ("mirror", "MirrorUseCommand"),
    "tf mirror verify": ("mirror", "MirrorVerifyCommand"),
    "tf releases": ("releases", "ReleasesCommand"),
    "tf upgrade": ("upgrade", "UpgradeCommand"),
}

# Poetry's own listeners have priority 0 and create the virtual environment and the installer. A
# command is refused before them; the installer exists only after them.
BEFORE_POETRY, AFTER_POETRY = 100, -100

# The commands that choose a version of TensorFlow, or may change the locked one.
WATCHED = {"add", "install", "lock", "remove", "sync", "update"}
# The commands that ask for requirements before there is a project.
DIALOGUES = {"init", "new"}


class TensorFlowApplicationPlugin(ApplicationPlugin):
    """Adds the ``poetry tf …`` commands, and listeners around Poetry's own commands."""

    def activate(self, application: Application) -> None:
        _fault.reported = False
        # The `commands` property of ApplicationPlugin would import each command's module here;
        # a factory imports it when the command is run or listed.
        for name, (module, cls) in COMMANDS.items():
            application.command_loader.register_factory(name, partial(_make_command, module, cls))
        if (dispatcher := application.event_dispatcher) is not None:
            dispatcher.add_listener(COMMAND, partial(_listen, "on_command"), BEFORE_POETRY)
            dispatcher.add_listener(COMMAND, partial(_listen, "on_installer_ready"), AFTER_POETRY)
            dispatcher.add_listener(COMMAND, _watch_interrupts, AFTER_POETRY)
            dispatcher.add_listener(ERROR, partial(_listen, "on_error"))
            dispatcher.add_listener(TERMINATE, partial(_listen, "on_terminate"))


class TensorFlowPlugin(Plugin):
    """Replaces PyPI by the configured mirrors, and prepares the solving of a managed project."""

    def activate(self, poetry: Poetry, io: IO) -> None:
        if os.environ.get("POETRY_TF_MIRROR") == "":
            # A variable that is unset on the host is empty in its container: it must not count.
            del os.environ["POETRY_TF_MIRROR"]
        managed = "poetry-tf" in poetry.pyproject.data.get("tool", {})
        settings = poetry.config.config
        is_set = (
            poetry.config.get("tf.mirror")
            or settings.get("tf")
            or os.environ.get("POETRY_PYPI_MIRROR_URL")
            or settings.get("plugins")
        )
        if not (managed or is_set):
            return
        try:
            from poetry_tf.hooks import setup

            setup.set_up_project(poetry, io, managed=managed)
        except Exception as error:  # optional help must not stop Poetry
            _fault.report(io, error)


def _make_command(module: str, cls: str) -> BaseCommand:
    command = getattr(importlib.import_module(f"poetry_tf.commands.{module}"), cls)
    return command()  # type: ignore[no-any-return]


def _watch_interrupts(*_: object) -> None:
    """Lets Ctrl-C end downloads by a mirror, where the command has an installer for them."""
    if {"poetry_tf.index.repository", "poetry.installation.executor"} <= sys.modules.keys():
        from poetry_tf.index.repository import watch_interrupts

        watch_interrupts()


def _listen(listener: str, event: Event, _name: str, _dispatcher: EventDispatcher) -> None:
    """Calls a listener of `poetry_tf.hooks.events` for a command that concerns TensorFlow."""
    if _fault.reported or not (isinstance(event, ConsoleEvent) and _is_relevant(event)):
        return
    try:
        from poetry_tf.hooks import events

        getattr(events, listener)(event)
    except CleoError:
        raise  # a refusal, shown by Poetry as its own error
    except Exception as error:
        if isinstance(event, ConsoleCommandEvent) and _is_managed(event.command):
            raise _enforcement_error(error) from error
        _fault.report(event.io, error)


# -- failures -------------------------------------------------------------------------------


class _Fault:
    """Reports a failure of the plugin once per command; the listeners then do nothing more."""

    def __init__(self) -> None:
        self.reported = False

    def report(self, io: IO, error: Exception) -> None:
        if not self.reported:
            self.reported = True
            from poetry_tf.text import escape_markup

            what = escape_markup(f"{type(error).__name__}: {error}")
            io.write_error_line(f"<warning>poetry-tf: going on without its help: {what}</>")


_fault = _Fault()


def _is_managed(command: BaseCommand) -> bool:
    try:
        return "poetry-tf" in command.poetry.pyproject.data["tool"]  # type: ignore[attr-defined]
    except Exception:
        return False


def _enforcement_error(error: Exception) -> Exception:
    """The error that stops a command in a managed project whose checks have failed."""
    from poetry.console.exceptions import ConsoleMessage, PoetryRuntimeError

    from poetry_tf.text import escape_markup

    what = escape_markup(f"{type(error).__name__}: {error}")
    hint = "Nothing was changed. With <c1>--no-plugins</> Poetry goes on without poetry-tf."
    return PoetryRuntimeError(
        "<error>poetry-tf could not judge this project, which is a fault of poetry-tf's: "
        f"{what}</error>",
        [ConsoleMessage(hint)],
    )


# -- whether a command concerns TensorFlow ----------------------------------------------------
#
# These are not in a module of their own because a project without TensorFlow pays for each import.
# A false positive costs a few milliseconds and nothing else.

_known: WeakKeyDictionary[BaseCommand, bool] = WeakKeyDictionary()


def _is_relevant(event: ConsoleEvent) -> bool:
    """`_concerns_tensorflow`, cached per command: each command has several events."""
    if event.command not in _known:
        _known[event.command] = _concerns_tensorflow(event)
    return _known[event.command]


def _concerns_tensorflow(event: ConsoleEvent) -> bool:
    command = event.command
    if command.name in DIALOGUES:
        return True
    if command.name not in WATCHED:
        return False
    if command.name == "add" and any(map(_may_mean_tensorflow, _arguments(event))):
        return True
    start = Path(getattr(command.application, "project_directory", "")).resolve()
    for folder in (start, *start.parents):
        if (folder / "pyproject.toml").is_file():
            return _mentions_tensorflow(folder)
    return False


def _arguments(event: ConsoleEvent) -> list[str]:
    try:
        return list(event.io.input.argument("name"))
    except CleoError:
        return []  # Poetry reports the command line


def _mentions_tensorflow(folder: Path) -> bool:
    pyproject, lock = (
        _lowercase_bytes(folder / name) for name in ("pyproject.toml", "poetry.lock")
    )
    return (
        b"poetry-tf" in pyproject
        or b"tensorflow" in lock
        # Words that begin like TensorFlow's names.
        or any(
            _may_mean_tensorflow(word.decode()) for word in re.findall(rb"\bt[\w.-]+", pyproject)
        )
    )


def _lowercase_bytes(path: Path) -> bytes:
    from poetry_tf.files.reading import read_file

    try:
        return read_file(path).lower()
    except OSError:
        return b""


def _may_mean_tensorflow(argument: str) -> bool:
    """Whether a name has all letters of a TensorFlow name but two: also misspelt names do."""
    letters = set(argument.lower())
    names = (set("tensorflow"), set("tfnightly"))
    return any(len(letters & name) >= len(name) - 2 for name in names)
