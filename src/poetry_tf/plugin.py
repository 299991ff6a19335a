"""The classes that Poetry loads: they register commands and listeners and decide nothing.

Poetry imports this module at every start, also for ``poetry --version`` in a folder that has
nothing to do with TensorFlow. So nothing heavy is imported at its top, and what a command or a
listener needs is imported when it runs.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from cleo.events.console_command_event import ConsoleCommandEvent
from cleo.events.console_events import COMMAND
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
    "tf releases": ("releases", "ReleasesCommand"),
}

# Poetry's own listeners have priority 0, and by then the virtual environment exists. A guard that
# refuses a command should do so before anything is made.
BEFORE_POETRY = 100


class TensorFlowApplicationPlugin(ApplicationPlugin):
    """Adds the ``poetry tf …`` commands and the guards around Poetry's own."""

    def activate(self, application: Application) -> None:
        # The `commands` property of ApplicationPlugin would import each command's module here;
        # a factory imports it when the command is run or listed.
        for name, (module, cls) in COMMANDS.items():
            application.command_loader.register_factory(name, _factory(module, cls))
        if application.event_dispatcher is not None:
            application.event_dispatcher.add_listener(COMMAND, _before_command, BEFORE_POETRY)


class TensorFlowPlugin(Plugin):
    """Puts the configured route to PyPI in place of PyPI, where one is configured."""

    def activate(self, poetry: Poetry, io: IO) -> None:
        managed = "poetry-tf" in poetry.pyproject.data.get("tool", {})
        if not (managed or poetry.config.get("tf.mirror")):
            return
        try:
            from poetry_tf.hooks import routes

            routes.install(poetry, io, managed=managed)
        except Exception as error:  # a mirror is a help, and help never stops Poetry
            io.write_error_line(f"<warning>poetry-tf: going on without a mirror: {error}</>")


def _factory(module: str, cls: str) -> Callable[[], BaseCommand]:
    def make() -> BaseCommand:
        command = getattr(importlib.import_module(f"poetry_tf.commands.{module}"), cls)
        return command()  # type: ignore[no-any-return]

    return make


def _before_command(event: Event, _name: str, _dispatcher: EventDispatcher) -> None:
    # `add`, `lock`, `update` are the commands that solve; the others are none of our business.
    if isinstance(event, ConsoleCommandEvent) and event.command.name in {"add", "lock", "update"}:
        from poetry_tf.hooks import pins

        pins.guard(event)
