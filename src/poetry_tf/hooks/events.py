"""What is done around one of Poetry's commands, in the order in which it is done.

What only some commands need is imported when one of them runs.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from packaging.version import Version
from poetry.console.commands.add import AddCommand
from poetry.console.commands.init import InitCommand
from poetry.console.commands.remove import RemoveCommand
from poetry.console.exceptions import ConsoleMessage, PoetryRuntimeError

from poetry_tf.files.errors import ProjectError
from poetry_tf.files.lock import Lock
from poetry_tf.files.project import LOCK, read_text
from poetry_tf.hooks import metadata
from poetry_tf.hooks.candidates import candidates_of
from poetry_tf.hooks.guards import (
    Adding,
    GuardSettings,
    adds_tensorflow,
    guard_settings,
    judge_names,
    judge_project,
    requested,
)
from poetry_tf.hooks.transitive import judge_solution
from poetry_tf.index import routing
from poetry_tf.plan.python import python_range
from poetry_tf.plan.requirement import primary_distributions
from poetry_tf.plan.settings import Settings
from poetry_tf.poetry_internals import patches

if TYPE_CHECKING:
    from cleo.events.console_command_event import ConsoleCommandEvent
    from cleo.events.console_error_event import ConsoleErrorEvent
    from cleo.events.console_terminate_event import ConsoleTerminateEvent
    from poetry.poetry import Poetry

# The commands that solve. What `install`, `sync` and `remove` do is never blocked.
SOLVING = {"add", "lock", "update"}

# What was locked before a command ran.
_locked_before: WeakKeyDictionary[Any, dict[str, Version]] = WeakKeyDictionary()


def before(event: ConsoleCommandEvent) -> None:
    """Before Poetry prepares anything for the command. Raises `PoetryRuntimeError` to refuse it."""
    command: Any = event.command
    poetry = project_of(command)
    if poetry is None:
        if isinstance(command, InitCommand):
            _guard_dialogue(event)
        return
    setting = guard_settings(poetry)
    _locked_before[command] = locked(poetry.pyproject_path.parent)
    removed = event.io.input.argument("packages") if isinstance(command, RemoveCommand) else ()
    judge_names(poetry, setting, without=removed)
    if command.name not in SOLVING:
        return
    if setting.problem is not None:
        event.io.write_error_line(f"<warning>poetry-tf: {setting.problem}</>")
    replaced: dict[str, str] = {}
    if isinstance(command, AddCommand):
        # The command has no input of its own yet; the event's is bound to the arguments already.
        replaced = requested(event.io.input.argument("name"))
        Adding(command, event.io, setting, poetry, given=replaced).guard()
        if setting.managed and adds_tensorflow(event.io.input.argument("name")):
            from poetry_tf.hooks import companions

            companions.install(poetry, event.io)
    judge_project(poetry, event.io, setting, replaced)
    metadata.install(poetry, event.io, managed=setting.managed)
    routing.choose(poetry)


def with_installer(event: ConsoleCommandEvent) -> None:
    """Once Poetry has given the command its installer."""
    command: Any = event.command
    poetry = project_of(command)
    before = _locked_before.get(command)
    if poetry is None or not before or command.name not in SOLVING:
        return
    setting, io = guard_settings(poetry), event.io
    # What is being added has to be said again where TensorFlow is to move with it.
    added = io.input.argument("name") if command.name == "add" else []
    told: list[str] = []

    def is_off() -> None:
        if not told:
            told.append("once")
            io.write_error_line(
                "<warning>poetry-tf: this Poetry solves in a way poetry-tf doesn't know: whether "
                "TensorFlow stays in its series is not guarded.</>"
            )

    patches.after_solving(
        command,
        lambda root, solved: judge_solution(
            root, solved, before, io=io, setting=setting, added=added
        ),
        is_off,
    )


def failed(event: ConsoleErrorEvent) -> None:
    """Adds to an error of the solver's why no release of TensorFlow was left for it."""
    from poetry.puzzle.exceptions import SolverProblemError

    poetry = project_of(event.command)
    if poetry is None or not isinstance(event.error, SolverProblemError):
        return
    account = str(event.error)
    candidates = candidates_of(poetry.pool)
    if candidates is not None and (why := candidates.explanation()) is not None:
        messages = [ConsoleMessage(why.details), ConsoleMessage(account)]
        event.set_error(PoetryRuntimeError(f"<error>{why.headline}</error>", messages))
    elif guard_settings(poetry).managed:
        from poetry_tf.hooks.companions import left_behind

        if (what := left_behind(poetry)) is not None:
            messages = [ConsoleMessage(what)]
            event.set_error(PoetryRuntimeError(f"<error>{account}</error>", messages))


def after(event: ConsoleTerminateEvent) -> None:
    """After a command that went well."""
    command: Any = event.command
    poetry = project_of(command)
    before = _locked_before.pop(command, None)
    if poetry is None or before is None or event.exit_code != 0:
        return
    from poetry_tf.hooks import sync

    root = poetry.pyproject_path.parent
    sync.follow(root, before, locked(root), event.io, guard_settings(poetry))


def project_of(command: Any) -> Poetry | None:
    """The project that a command works in; None where there is none, or a broken one.

    Poetry itself is about to complain of that.
    """
    try:
        poetry: Poetry = command.poetry
        _ = poetry.pyproject.data
    except Exception:
        return None
    return poetry


def locked(root: Path) -> dict[str, Version]:
    """The distributions of TensorFlow in a project's lock, the newest version of each."""
    try:
        text = read_text(root / LOCK)
        lock = Lock.read(root / LOCK, text) if text is not None else None
    except ProjectError:
        return {}  # Poetry itself has something to say to that
    versions = lock.versions if lock is not None else {}
    return primary_distributions({str(name): max(found) for name, found in versions.items()})


def _guard_dialogue(event: ConsoleCommandEvent) -> None:
    """``poetry init`` and ``poetry new`` ask for a project's Pythons, then for its packages."""
    command: Any = event.command
    adding = Adding(command, event.io, GuardSettings(managed=False, settings=Settings()))

    def hear(answer: str) -> None:
        from poetry.core.constraints.version import parse_constraint

        with suppress(ValueError):  # Poetry complains of it later
            adding.python = parse_constraint(answer)

    said = event.io.input.option("python") if command.definition.has_option("python") else None
    if said:
        hear(said)
    else:
        lowest = python_range([patches.preferred_python(event.io)])
        hear(f">={str(lowest).removeprefix('>=').partition(',')[0]}")
    patches.hear_answer(command, "Compatible Python versions", hear)
    for question in ("Package to add", "Add a package"):
        patches.hear_answer(command, question, adding.judge_answer)
    adding.guard()
