"""The listeners on Poetry's commands, in the order of their events.

What only some commands need is imported when one of them runs.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from packaging.utils import canonicalize_name
from packaging.version import Version
from poetry.console.commands.add import AddCommand
from poetry.console.commands.init import InitCommand
from poetry.console.commands.remove import RemoveCommand
from poetry.console.exceptions import PoetryRuntimeError
from poetry.core.constraints.version import Version as SolverVersion

from poetry_tf.files.errors import ProjectError
from poetry_tf.files.lock import Lock
from poetry_tf.files.project import LOCK, Project, read_text, readable_configurations
from poetry_tf.hooks import metadata
from poetry_tf.hooks.candidates import candidate_filter_of
from poetry_tf.hooks.guards import (
    GuardSettings,
    command_error,
    guard_settings,
    judge_names,
    judge_project,
    judge_solution,
)
from poetry_tf.hooks.setup import fetch_ahead
from poetry_tf.index import routing
from poetry_tf.plan.python import python_range
from poetry_tf.plan.requirement import primary_distributions
from poetry_tf.plan.settings import Settings
from poetry_tf.poetry_internals import Failed, MovedError, patches, reads
from poetry_tf.poetry_internals.notices import write_notice
from poetry_tf.poetry_internals.patches import Solve
from poetry_tf.text import escape_markup, visible

if TYPE_CHECKING:
    from cleo.events.console_command_event import ConsoleCommandEvent
    from cleo.events.console_error_event import ConsoleErrorEvent
    from cleo.events.console_terminate_event import ConsoleTerminateEvent
    from packaging.utils import NormalizedName
    from poetry.poetry import Poetry

    from poetry_tf.hooks.add_guard import AddGuard

# The commands that are guarded; `install`, `sync` and `remove` are never blocked by a wide pin.
SOLVING = {"add", "lock", "update"}

# The lock file before a command; None if there was none that can be read.
_lock_before: WeakKeyDictionary[Any, Lock | None] = WeakKeyDictionary()
# The guards of ``add`` in managed projects.
_adding: WeakKeyDictionary[Any, AddGuard] = WeakKeyDictionary()


def on_command(event: ConsoleCommandEvent, failed: Failed) -> None:
    """Runs before Poetry prepares the command. Raises `PoetryRuntimeError` to refuse it."""
    command: Any = event.command
    poetry = project_of(command)
    if poetry is None:
        if isinstance(command, InitCommand):
            _guard_dialogue(event, failed)
        return
    setting = guard_settings(poetry)
    lock = _lock_before[command] = _read_lock(poetry.pyproject_path.parent)
    removed = event.io.input.argument("packages") if isinstance(command, RemoveCommand) else ()
    judge_names(poetry, setting, without=removed)
    if command.name not in SOLVING:
        return
    if setting.problem is not None:
        write_notice(event.io, f"<warning>poetry-tf: {escape_markup(setting.problem)}</>")
    replaced: dict[str, str] = {}
    if isinstance(command, AddCommand):
        # The command has no input yet; that of the event is already bound to the arguments.
        from poetry_tf.hooks.add_guard import AddGuard, requested_versions

        replaced = requested_versions(event.io.input.argument("name"))
        guard = AddGuard(command, event.io, setting, failed, poetry, given=replaced)
        guard.guard()
        if setting.managed:
            _adding[command] = guard
            patches.before_locking(poetry, guard.complete, failed)
    judge_project(poetry, event.io, setting, replaced)
    metadata.fix_metadata(poetry, event.io, managed=setting.managed, failed=failed)
    routing.choose(poetry)
    with suppress(Exception):  # it is slower without
        fetch_ahead(poetry, _kept(event, lock))


def on_installer_ready(event: ConsoleCommandEvent, failed: Failed) -> None:
    """Runs after Poetry has given the command its installer."""
    command: Any = event.command
    poetry = project_of(command)
    if poetry is None or command.name not in SOLVING:
        return
    before, guard = _tensorflow_in(_lock_before.get(command)), _adding.get(command)
    if not before and guard is None:
        return
    setting, io = guard_settings(poetry), event.io
    # The remedy repeats the arguments of `add`.
    added = io.input.argument("name") if command.name == "add" else []

    def solve_and_judge(solver: Any, solve: Solve) -> Any:
        if guard is not None:
            from poetry_tf.hooks.add_guard import solve_addition

            transaction = solve_addition(guard, solver, solve)
        else:
            transaction = solve(solver)
        if before:
            try:
                packages = transaction.get_solved_packages()
                judge_solution(
                    poetry.package, packages, before, io=io, setting=setting, added=added
                )
            except Exception as error:
                failed(error)
        return transaction

    patches.replace_solving(command, solve_and_judge, failed)


def on_error(event: ConsoleErrorEvent, _failed: Failed) -> None:
    """Adds the place of a malformed source, why no release of TensorFlow was left, or what helps
    where Poetry refuses the Python."""
    from poetry.puzzle.exceptions import SolverProblemError
    from poetry.utils.env.python.exceptions import PythonVersionError

    poetry = project_of(event.command)
    if poetry is None and isinstance(event.error, ValueError):
        if (fault := _fault_of_sources(event.command)) is not None:
            event.set_error(command_error(escape_markup(fault)))
        return
    if poetry is not None and isinstance(event.error, PythonVersionError):
        if guard_settings(poetry).managed:
            event.set_error(command_error(_shown(event.error), _python_hint(poetry, event.command)))
        return
    if poetry is None or not isinstance(event.error, SolverProblemError):
        return
    text = _shown(event.error)
    candidates = candidate_filter_of(poetry.pool)
    if candidates is not None and (why := candidates.explanation()) is not None:
        event.set_error(command_error(why.headline, why.details, text))
    elif guard_settings(poetry).managed:
        from poetry_tf.hooks.companions import conflict_hint

        if (hint := conflict_hint(poetry, event.error)) is not None:
            event.set_error(command_error(text, hint))


def _shown(error: Exception) -> str:
    return "\n".join(map(visible, str(error).split("\n")))


def _python_hint(poetry: Poetry, command: Any) -> str:
    """What to do where Poetry has no Python for a project."""
    here = "To get such a Python here: <c1>poetry tf doctor</>"
    with suppress(ProjectError):
        if readable_configurations(Project.read(poetry.pyproject_path.parent)):
            return f"The container has one: run <c1>poetry {command.name}</> there. {here}"
    return here


def _fault_of_sources(command: Any) -> str | None:
    """Which source has an address that can't be read, and where it is written."""
    from poetry.factory import Factory

    from poetry_tf.actions.lock import LockingError, check_sources

    with suppress(ProjectError, RuntimeError):  # which Poetry reports
        try:
            pyproject = Factory.locate(command.application.project_directory)
            check_sources(Project.read(pyproject.parent))
        except LockingError as error:
            return str(error)
    return None


def on_terminate(event: ConsoleTerminateEvent, _failed: Failed) -> None:
    """Runs after a command; if it succeeded, updates what depends on the new lock."""
    command: Any = event.command
    poetry = project_of(command)
    is_known, guard = command in _lock_before, _adding.pop(command, None)
    lock = _lock_before.pop(command, None)
    if poetry is None or not is_known or event.exit_code != 0:
        return
    root, setting = poetry.pyproject_path.parent, guard_settings(poetry)
    if guard is not None:
        from poetry_tf.hooks.add_guard import report_findings

        report_findings(guard, frozenset(lock.names if lock is not None else ()))
    before, after = _tensorflow_in(lock), locked_tensorflow(root)
    if after and before != after:
        from poetry_tf.hooks.sync import sync_containers

        sync_containers(root, before, after, event.io, setting)
    if setting.managed:
        from poetry_tf.hooks.libraries import link_installed

        link_installed(command, event.io)


def project_of(command: Any) -> Poetry | None:
    """The project of a command; None if there is none, or a broken one, which Poetry reports."""
    if not hasattr(type(command), "poetry"):
        raise MovedError("Command.poetry")
    try:
        poetry: Poetry = command.poetry
    except PoetryRuntimeError:
        raise
    except Exception:
        return None
    _ = poetry.pyproject.data
    return poetry


def _read_lock(root: Path) -> Lock | None:
    """A project's lock file; None if there is none, or a broken one, which Poetry reports."""
    try:
        text = read_text(root / LOCK)
        return Lock.read(root / LOCK, text) if text is not None else None
    except ProjectError:
        return None


def locked_tensorflow(root: Path) -> dict[str, Version]:
    """The newest version of each TensorFlow distribution in a project's lock file."""
    return _tensorflow_in(_read_lock(root))


def _tensorflow_in(lock: Lock | None) -> dict[str, Version]:
    versions = lock.versions if lock is not None else {}
    return primary_distributions({str(name): max(found) for name, found in versions.items()})


def _kept(event: ConsoleCommandEvent, lock: Lock | None) -> dict[NormalizedName, SolverVersion]:
    """The locked versions that a command keeps where they fit, as Poetry's installer decides."""
    if lock is None:
        return {}
    given = event.io.input
    match event.command.name:
        case "add":
            from poetry_tf.hooks.add_guard import requested_names

            solved_again = requested_names(event.io)
        case "update" if names := given.argument("packages"):
            solved_again = frozenset(map(canonicalize_name, names))
        case "lock" if not given.option("regenerate"):
            solved_again = frozenset()
        case _:
            return {}
    return {
        name: SolverVersion.parse(version)
        for name, version in lock.from_pypi
        if name not in solved_again
    }


def _guard_dialogue(event: ConsoleCommandEvent, failed: Failed) -> None:
    """Guards ``poetry init`` and ``poetry new``, which ask for the Pythons, then for packages."""
    from poetry_tf.hooks.add_guard import AddGuard

    command: Any = event.command
    unmanaged = GuardSettings(managed=False, settings=Settings())
    adding = AddGuard(command, event.io, unmanaged, failed)

    def set_python(answer: str) -> None:
        from poetry.core.constraints.version import parse_constraint

        with suppress(ValueError):  # Poetry reports it later
            adding.python = parse_constraint(answer)

    given = event.io.input.option("python") if command.definition.has_option("python") else None
    if given:
        set_python(given)
    else:
        lowest = python_range([reads.preferred_python(event.io)])
        set_python(f">={str(lowest).removeprefix('>=').partition(',')[0]}")
    patches.watch_answer(command, "Compatible Python versions", set_python)
    for question in ("Package to add", "Add a package"):
        patches.watch_answer(command, question, adding.judge_answer)
    adding.guard()
