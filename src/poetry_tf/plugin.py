"""The classes that Poetry loads: they register commands and listeners, and let most pass by.

Poetry imports this module at every start, also for ``poetry --version`` in a folder that has
nothing to do with TensorFlow. So nothing heavy is imported at its top, and what a command or a
listener needs is imported when it runs.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Callable
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

# Poetry's own listeners have priority 0, and by then the virtual environment exists: a guard that
# refuses a command should do so before anything is made. The installer exists only after them.
BEFORE_POETRY, AFTER_POETRY = 100, -100

# The commands that choose TensorFlow's version, or may change which one is locked.
WATCHED = {"add", "install", "lock", "remove", "sync", "update"}
# The commands that ask for requirements where there is no project yet.
DIALOGUES = {"init", "new"}


class TensorFlowApplicationPlugin(ApplicationPlugin):
    """Adds the ``poetry tf …`` commands and what is done around Poetry's own."""

    def activate(self, application: Application) -> None:
        _fault.told = False
        # The `commands` property of ApplicationPlugin would import each command's module here;
        # a factory imports it when the command is run or listed.
        for name, (module, cls) in COMMANDS.items():
            application.command_loader.register_factory(name, _factory(module, cls))
        if (dispatcher := application.event_dispatcher) is not None:
            dispatcher.add_listener(COMMAND, _listener("before"), BEFORE_POETRY)
            dispatcher.add_listener(COMMAND, _listener("with_installer"), AFTER_POETRY)
            dispatcher.add_listener(ERROR, _listener("failed"))
            dispatcher.add_listener(TERMINATE, _listener("after"))


class TensorFlowPlugin(Plugin):
    """Puts the configured route to PyPI in place of PyPI, and keeps a managed project's solving."""

    def activate(self, poetry: Poetry, io: IO) -> None:
        if os.environ.get("POETRY_TF_MIRROR") == "":
            # What is unset on a host arrives empty in its container, and would hide poetry.toml's.
            del os.environ["POETRY_TF_MIRROR"]
        managed = "poetry-tf" in poetry.pyproject.data.get("tool", {})
        if not (managed or poetry.config.get("tf.mirror") or poetry.config.config.get("tf")):
            return
        try:
            from poetry_tf.hooks import setup

            setup.install(poetry, io, managed=managed)
        except Exception as error:  # this is help, and help never stops Poetry
            _fault.tell(io, error)


def _factory(module: str, cls: str) -> Callable[[], BaseCommand]:
    def make() -> BaseCommand:
        command = getattr(importlib.import_module(f"poetry_tf.commands.{module}"), cls)
        return command()  # type: ignore[no-any-return]

    return make


def _listener(name: str) -> Callable[[Event, str, EventDispatcher], None]:
    def listen(event: Event, _name: str, _dispatcher: EventDispatcher) -> None:
        if _fault.told or not (isinstance(event, ConsoleEvent) and _is_concerned(event)):
            return
        try:
            from poetry_tf.hooks import events

            getattr(events, name)(event)
        except CleoError:
            raise  # a refusal, in the form that Poetry shows as its own
        except Exception as error:
            if isinstance(event, ConsoleCommandEvent) and _is_managed(event.command):
                raise _could_not_judge(error) from error
            _fault.tell(event.io, error)

    return listen


# -- faults ---------------------------------------------------------------------------------


class _Fault:
    """What goes wrong in here is told once a command, and the rest of the help is left out."""

    def __init__(self) -> None:
        self.told = False

    def tell(self, io: IO, error: Exception) -> None:
        if not self.told:
            self.told = True
            what = io.error_output.formatter.escape(f"{type(error).__name__}: {error}")
            io.write_error_line(f"<warning>poetry-tf: going on without its help: {what}</>")


_fault = _Fault()


def _is_managed(command: BaseCommand) -> bool:
    try:
        return "poetry-tf" in command.poetry.pyproject.data["tool"]  # type: ignore[attr-defined]
    except Exception:
        return False


def _could_not_judge(error: Exception) -> Exception:
    """Enforcement that fails stops the command; help that fails does not."""
    from poetry.console.exceptions import ConsoleMessage, PoetryRuntimeError

    way_out = "Nothing was changed. With <c1>--no-plugins</> Poetry goes on without poetry-tf."
    return PoetryRuntimeError(
        "<error>poetry-tf could not judge this project, which is a fault of poetry-tf's: "
        f"{type(error).__name__}: {error}</error>",
        [ConsoleMessage(way_out)],
    )


# -- whether any of it concerns TensorFlow ----------------------------------------------------
#
# This stands here and not in a module of its own because a project without TensorFlow pays for each
# import. A false alarm costs some milliseconds; nothing is judged by these.


_known: WeakKeyDictionary[BaseCommand, bool] = WeakKeyDictionary()


def _is_concerned(event: ConsoleEvent) -> bool:
    """What `_concerns` says, asked once a command: each command has several events."""
    if event.command not in _known:
        _known[event.command] = _concerns(event)
    return _known[event.command]


def _concerns(event: ConsoleEvent) -> bool:
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
            return _speaks_of_tensorflow(folder)
    return False


def _arguments(event: ConsoleEvent) -> list[str]:
    try:
        return list(event.io.input.argument("name"))
    except CleoError:
        return []  # Poetry is about to complain of the command line


def _speaks_of_tensorflow(folder: Path) -> bool:
    pyproject, lock = (_lowered(folder / name) for name in ("pyproject.toml", "poetry.lock"))
    return (
        b"poetry-tf" in pyproject
        or b"tensorflow" in lock
        # The words that begin as TensorFlow's names do, in whatever way they go on.
        or any(
            _may_mean_tensorflow(word.decode()) for word in re.findall(rb"\bt[\w.-]+", pyproject)
        )
    )


def _lowered(path: Path) -> bytes:
    try:
        return path.read_bytes().lower()
    except OSError:
        return b""


def _may_mean_tensorflow(argument: str) -> bool:
    """Whether a name has nearly all the letters of TensorFlow's, which two slips can't change."""
    letters = set(argument.lower())
    names = (set("tensorflow"), set("tfnightly"))
    return any(len(letters & name) >= len(name) - 2 for name in names)
