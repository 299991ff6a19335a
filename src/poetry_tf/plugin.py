"""The plugin classes that Poetry loads. They register commands and listeners.

Poetry imports this module at every start, also for ``poetry --version`` in a folder without
TensorFlow. So it imports nothing heavy at its top; what a command or a listener needs is imported
when it runs. At its top it needs nothing of Poetry but the documented base classes: where a later
Poetry or cleo has moved something else, that is handled here (`_handle`).
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from poetry.plugins.application_plugin import ApplicationPlugin
from poetry.plugins.plugin import Plugin

if TYPE_CHECKING:
    from cleo.commands.command import Command as BaseCommand
    from cleo.events.console_event import ConsoleEvent
    from cleo.events.event_dispatcher import EventDispatcher
    from cleo.io.io import IO
    from poetry.console.application import Application
    from poetry.poetry import Poetry

# Name of the command -> module of `poetry_tf.commands` and class in it, in the order of the list.
COMMANDS = {
    "tf": ("listing", "ListCommand"),
    "tf init": ("init", "InitCommand"),
    "tf check": ("check", "CheckCommand"),
    "tf upgrade": ("upgrade", "UpgradeCommand"),
    "tf devcontainer": ("devcontainer", "DevcontainerCommand"),
    "tf doctor": ("doctor", "DoctorCommand"),
    "tf env": ("env", "EnvCommand"),
    "tf releases": ("releases", "ReleasesCommand"),
    "tf mirror": ("mirror", "MirrorCommand"),
    "tf mirror list": ("mirror", "MirrorListCommand"),
    "tf mirror use": ("mirror", "MirrorUseCommand"),
    "tf mirror off": ("mirror", "MirrorOffCommand"),
    "tf mirror test": ("mirror", "MirrorTestCommand"),
    "tf mirror verify": ("mirror", "MirrorVerifyCommand"),
    "tf mirror save": ("mirror_save", "MirrorSaveCommand"),
    "tf allow": ("allow", "AllowCommand"),
}

# Poetry's own listeners have priority 0 and create the virtual environment and the installer. A
# command is refused before them; the installer exists only after them.
BEFORE_POETRY, AFTER_POETRY = 100, -100

# The commands that choose a version of TensorFlow, or may change the locked one.
WATCHED = {"add", "install", "lock", "remove", "sync", "update"}
# Those that are refused in a managed project where the plugin fails; the others go on without it.
GUARDED = {"add", "lock", "update"}
# The commands that ask for requirements before there is a project.
DIALOGUES = {"init", "new"}

MAX_LOCK_BYTES = 32 * 1024 * 1024


class TensorFlowApplicationPlugin(ApplicationPlugin):
    """Adds the ``poetry tf …`` commands, and listeners around Poetry's own commands."""

    def activate(self, application: Application) -> None:
        _state.__init__()  # type: ignore[misc]
        try:
            # The `commands` property of ApplicationPlugin would import each command's module here;
            # a factory imports it when the command is run or listed.
            for name, place in COMMANDS.items():
                application.command_loader.register_factory(
                    name, partial(_make_command, name, *place)
                )
            if (dispatcher := application.event_dispatcher) is not None:
                _add_listeners(dispatcher)
        except Exception as error:
            _state.error = error  # handled once a project is known to concern it
            if "tf" in sys.argv[1:]:
                raise _refusal(error) from error


class TensorFlowPlugin(Plugin):
    """Replaces PyPI by the configured mirrors, and prepares solving for a managed project or us."""

    def activate(self, poetry: Poetry, io: IO) -> None:
        if os.environ.get("POETRY_TF_MIRROR") == "":
            # A variable that is unset on the host is empty in its container: it must not count.
            del os.environ["POETRY_TF_MIRROR"]
        managed = False
        try:
            managed = "poetry-tf" in poetry.pyproject.data.get("tool", {})
            settings = poetry.config.config
            has_mirror = (
                poetry.config.get("tf.mirror")
                or settings.get("tf")
                or os.environ.get("POETRY_PYPI_MIRROR_URL")
                or settings.get("plugins")
            )
            # Loaded if one of our own commands is about to solve, for which no listener is called.
            routing = sys.modules.get("poetry_tf.index.routing")
            is_ours = routing is not None and routing.is_forced()
            if not (managed or has_mirror or is_ours):
                return
            if _state.error is not None:
                raise _state.error
            from poetry_tf.hooks import metadata, setup

            failed = partial(_handle, io=io, managed=managed)
            if not (managed or has_mirror):
                metadata.fix_metadata(poetry, io, managed=False, failed=failed, only_new=True)
                return
            setup.set_up_project(poetry, io, managed=managed, failed=failed)
        except Exception as error:
            managed = managed or _has_table()
            if managed or os.environ.get("POETRY_TF_MIRROR"):
                _handle(error, io=io, managed=managed)


def _make_command(name: str, module: str, cls: str) -> BaseCommand:
    try:
        command = getattr(importlib.import_module(f"poetry_tf.commands.{module}"), cls)
        return command()  # type: ignore[no-any-return]
    except Exception as error:  # Poetry makes every command to list them
        return _broken_command(name, error)


def _broken_command(title: str, error: Exception) -> BaseCommand:
    """The replacement for a command that could not be created."""
    from cleo.commands.command import Command

    class BrokenCommand(Command):
        name = title
        description = "Does not work with this Poetry."

        def handle(self) -> int:
            raise _refusal(error) from error

        def _run(self, io: IO) -> int:  # noqa: ARG002  # whatever its options
            raise _refusal(error) from error

    return BrokenCommand()


def _prepare_installer(*_: object) -> None:
    """Has the installer, where the command has one, take files by a mirror, until Ctrl-C."""
    if {"poetry_tf.index.repository", "poetry.installation.executor"} <= sys.modules.keys():
        with suppress(Exception):  # Ctrl-C takes longer then
            from poetry_tf.index.fetching import supply_files
            from poetry_tf.index.repository import watch_interrupts

            # Before the first file is chosen: what runs then isn't explained.
            supply_files()
            watch_interrupts()


def _end_fetching(*_: object) -> None:
    """Ends what was fetched ahead of a solve that did not come, whatever failed."""
    if (setup := sys.modules.get("poetry_tf.hooks.setup")) is not None:
        with suppress(Exception):
            setup.end_fetching()


def _add_listeners(dispatcher: EventDispatcher) -> None:
    from cleo.events.console_events import COMMAND, ERROR, TERMINATE

    dispatcher.add_listener(COMMAND, partial(_listen, "on_command"), BEFORE_POETRY)
    dispatcher.add_listener(COMMAND, partial(_listen, "on_installer_ready"), AFTER_POETRY)
    dispatcher.add_listener(COMMAND, _prepare_installer, AFTER_POETRY)
    dispatcher.add_listener(ERROR, partial(_listen, "on_error"))
    dispatcher.add_listener(TERMINATE, partial(_listen, "on_terminate"))
    dispatcher.add_listener(TERMINATE, _end_fetching)


def _listen(listener: str, event: Any, _name: str, _dispatcher: EventDispatcher) -> None:
    """Calls a listener of `poetry_tf.hooks.events` for a command that concerns TensorFlow."""
    try:
        if _state.error is None:
            _state.command = event.command.name
            if _is_relevant(event):
                from poetry_tf.hooks import events

                failed = partial(_handle, io=event.io, managed=_is_managed(event.command))
                getattr(events, listener)(event, failed)
    except Exception as error:
        if _is_refusal(error, event):
            raise
        # After the command there is nothing to refuse.
        managed = listener not in {"on_error", "on_terminate"} and _is_managed(event.command)
        _handle(error, io=event.io, managed=managed)


# -- failures -------------------------------------------------------------------------------
#
# They may come from a Poetry that has moved something, so that nothing here relies on Poetry.


class _State:
    """What is known of the running command.

    Attributes:
        command: its name; empty until its first event.
        error: the first failure of the plugin, which then does nothing more.
        is_reported: whether a person has been told.
    """

    def __init__(self) -> None:
        self.command = ""
        self.error: Exception | None = None
        self.is_reported = False


_state = _State()


def _handle(error: Exception, *, io: IO, managed: bool) -> None:
    """Refuses a command that is guarded in managed projects; else Poetry goes on, with one line."""
    if _is_refusal(error):
        raise error
    _state.error = error
    if managed and _is_guarded():
        raise _refusal(error) from error
    if not _state.is_reported:
        _state.is_reported = True
        line = f"{_problem()}, which goes on without it. {_REMEDY}"
        try:
            from poetry_tf.poetry_internals.notices import write_notice

            write_notice(io, f"<warning>{line.format('<c1>', '</>')}</>")
        except Exception:
            sys.stderr.write(f"{line.format('', '')}\n")


def _is_guarded() -> bool:
    if _state.command:
        return _state.command in GUARDED or _state.command.startswith("tf ")
    # Its event has not come; a false positive refuses a command that would do without the plugin.
    return not {*GUARDED, "tf"}.isdisjoint(sys.argv[1:])


_REMEDY = "To update it: {}poetry self update poetry-tf{}"


def _problem() -> str:
    from importlib.metadata import version

    return f"poetry-tf {version('poetry-tf')} does not work with this Poetry {version('poetry')}"


def _refusal(error: Exception) -> Exception:
    """The error that stops a command; Poetry shows it as its own, the cause with ``-v``."""
    command = _state.command or "this command"
    without = (
        "Nothing was changed. Without poetry-tf nothing keeps TensorFlow in its series: "
        f"{{}}poetry --no-plugins {command}{{}}"
    )
    lines = [_REMEDY] if command.startswith("tf") or not _state.command else [_REMEDY, without]
    headline, cause = f"{_problem()}", f"{type(error).__name__}: {error}"
    if _state.command in GUARDED:
        headline += f", so poetry {command} would not keep TensorFlow in its series"
    try:
        from poetry.console.exceptions import ConsoleMessage, PoetryRuntimeError

        from poetry_tf.text import escape_markup

        messages = [ConsoleMessage(line.format("<c1>", "</>")) for line in lines]
        messages.append(ConsoleMessage(f"Cause: {escape_markup(cause)}", debug=True))
        return PoetryRuntimeError(f"<error>{headline}.</error>", messages)
    except Exception:
        plain = [line.format("", "") for line in lines]
        return RuntimeError("\n".join([f"{headline}.", *plain]))


def _is_refusal(error: Exception, event: Any = None) -> bool:
    """Whether Poetry shows an error as its own: a refusal, or one of the command line."""
    try:
        from cleo.exceptions import CleoError
        from poetry.console.exceptions import PoetryConsoleError
    except ImportError:
        return False
    if isinstance(error, PoetryConsoleError) or not isinstance(error, CleoError):
        return isinstance(error, PoetryConsoleError)
    try:
        event.io.input.bind(event.command.definition)
        event.io.input.validate()
    except CleoError:
        return True
    except Exception:
        return False
    return False


def _is_managed(command: BaseCommand) -> bool:
    try:
        return "poetry-tf" in command.poetry.pyproject.data["tool"]  # type: ignore[attr-defined]
    except Exception:
        return _has_table()


def _has_table() -> bool:
    """Whether the project has a table of poetry-tf, if Poetry no longer reads it as expected."""
    folder = _project_folder(Path())
    return folder is not None and b"[tool.poetry-tf" in _lowercase_bytes(folder / "pyproject.toml")


# -- whether a command concerns TensorFlow ----------------------------------------------------
#
# These are not in a module of their own because a project without TensorFlow pays for each import.
# A false positive costs a few milliseconds and nothing else.

_known: WeakKeyDictionary[BaseCommand, bool] = WeakKeyDictionary()


def _is_relevant(event: ConsoleEvent) -> bool:
    """`_concerns_tensorflow`, cached per command: each command has several events."""
    if event.command not in _known:
        try:
            _known[event.command] = _concerns_tensorflow(event)
        except Exception:  # Poetry or cleo has moved something
            folder = _project_folder(Path())
            _known[event.command] = folder is not None and _mentions_tensorflow(folder)
    return _known[event.command]


def _concerns_tensorflow(event: ConsoleEvent) -> bool:
    command = event.command
    if command.name in DIALOGUES:
        return True
    if command.name not in WATCHED:
        return False
    if command.name == "add" and any(map(_may_mean_tensorflow, _arguments(event))):
        return True
    folder = _project_folder(Path(getattr(command.application, "project_directory", "")))
    return folder is not None and _mentions_tensorflow(folder)


def _arguments(event: ConsoleEvent) -> list[str]:
    try:
        return list(event.io.input.argument("name"))
    except Exception:
        return []  # Poetry reports the command line


def _project_folder(start: Path) -> Path | None:
    # Poetry has already changed to the folder of -C, but keeps its relative path.
    start = start if start.is_absolute() else Path.cwd()
    folders = (start, *start.parents)
    return next((folder for folder in folders if (folder / "pyproject.toml").is_file()), None)


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
    # As `files.reading` reads it, which would have to be imported.
    try:
        is_read = path.is_file() and path.stat().st_size <= MAX_LOCK_BYTES
        return path.read_bytes().lower() if is_read else b""
    except OSError:
        return b""


def _may_mean_tensorflow(argument: str) -> bool:
    """Whether a name has all letters of a TensorFlow name but two: also misspelt names do."""
    letters = set(argument.lower())
    names = (set("tensorflow"), set("tfnightly"))
    return any(len(letters & name) >= len(name) - 2 for name in names)
