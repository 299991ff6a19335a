"""Guards around ``poetry add``, ``lock`` and ``update``: TensorFlow stays within one series."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name
from poetry.console.commands.add import AddCommand
from poetry.console.exceptions import ConsoleMessage, PoetryRuntimeError
from poetry.core.constraints.version import VersionConstraint, parse_constraint

from poetry_tf.plan import (
    CONTAINER_PLATFORM,
    PlanError,
    choose_release,
    distributions,
    fitting,
    series_of,
)
from poetry_tf.project.errors import ProjectError
from poetry_tf.project.project import Project
from poetry_tf.project.pyproject import Requirement
from poetry_tf.releases import load
from poetry_tf.releases.images import load_images

if TYPE_CHECKING:
    from cleo.events.console_command_event import ConsoleCommandEvent
    from cleo.io.io import IO

Finder = Callable[..., tuple[str, str]]

WHY = (
    "TensorFlow does not follow semantic versioning: with this constraint the next "
    "<c1>poetry update</> may move the project to another minor series and break it."
)


def guard(event: ConsoleCommandEvent) -> None:
    """Judges the project as it would be after the command, before anything is solved.

    Raises `PoetryRuntimeError`, which Poetry shows as its own errors, for a pin that is too wide
    in a project with ``[tool.poetry-tf]``; elsewhere that is one line of warning.
    """
    command: Any = event.command
    try:
        root = command.poetry.pyproject_path.parent
        managed = "poetry-tf" in command.poetry.pyproject.data.get("tool", {})
    except Exception:
        return  # no project, or one that Poetry itself is about to complain of
    replaced: set[str] = set()
    if isinstance(command, AddCommand):
        # The command has no input of its own yet; the event's is bound to the arguments already.
        replaced = {
            _name(text) for text in event.io.input.argument("name") if "@" in text or "=" in text
        }
        _guard_finder(command, event.io, managed=managed, python=_python(command))
    if not any(item.name in distributions() for item in command.poetry.package.all_requires):
        return
    try:
        project = Project.read(root)
        requirements = project.pyproject.requirements
    except ProjectError as error:
        raise PoetryRuntimeError(f"<error>poetry-tf: {error}</error>") from error
    for item in requirements:
        wide = item.name in distributions() and series_of(item.constraint) is None
        if wide and item.name not in replaced:
            position = project.pyproject.position(item.constraint_path)
            place = f"pyproject.toml:{position.line}"
            _refuse(
                event.io,
                f"{item.name} {item.written or '(without a version)'} in {place}",
                _suggestion(item),
                managed=managed,
            )


def _guard_finder(command: AddCommand, io: IO, *, managed: bool, python: VersionConstraint) -> None:
    # Poetry chooses the constraint of a bare `add` in this method and has no hook around it. It is
    # replaced on this one command object; `InitCommand` is where to look when it moves.
    find: Finder | None = getattr(command, "_find_best_version_for_package", None)
    if find is None:
        io.write_error_line(
            "<warning>poetry-tf: this Poetry chooses versions in a way poetry-tf doesn't know: "
            "look at the constraint that is written for TensorFlow.</>"
        )
        return

    def guarded(name: str, required_version: str | None = None, **kwargs: Any) -> tuple[str, str]:
        if canonicalize_name(name) not in distributions():
            return find(name, required_version, **kwargs)
        if required_version is not None:
            constraint = parse_constraint(required_version)
            if not constraint.is_empty() and series_of(constraint) is None:
                _refuse(
                    io,
                    f"{name} {required_version}",
                    f"Add one series: <c1>poetry add {name}@~{_example(constraint)}</>",
                    managed=managed,
                )
            return find(name, required_version, **kwargs)
        found, constraint_text = find(name, None, **kwargs)
        newest = constraint_text.lstrip("^~")
        return found, f"~{_fitting(newest, python)}"

    # An attribute of the object hides the method of its class.
    command._find_best_version_for_package = guarded  # type: ignore[method-assign, assignment]


def _fitting(newest: str, python: VersionConstraint) -> str:
    """The newest release for the project's Pythons, given the newest that the index has.

    A release that the data doesn't know is newer than the data: nothing speaks against it.
    """
    catalog = load()
    known = catalog.get(newest)
    if known is None:
        return newest
    fits = [
        release.version
        for release in catalog.releases
        if release.version <= known.version
        and not release.yanked
        and fitting(release.pythons_on(CONTAINER_PLATFORM), python)
    ]
    return str(max(fits, default=known.version))


def _python(command: AddCommand) -> VersionConstraint:
    return command.poetry.package.python_constraint


def _suggestion(item: Requirement) -> str:
    version = _example(item.constraint)
    pin = f">={version},<{_next_series(version)}" if item.is_pep508 else f"~{version}"
    return f'Write "{pin}", or run <c1>poetry tf init</>, which writes it.'


def _example(constraint: VersionConstraint) -> str:
    """A release to suggest: that of the series which the constraint was written for."""
    catalog = load()
    try:
        return str(choose_release(catalog, load_images(), constraint=constraint).version)
    except PlanError:
        return str(catalog.releases[-1].version)


def _next_series(version: str) -> str:
    major, minor, *_ = version.split(".")
    return f"{major}.{int(minor) + 1}.0"


def _refuse(io: IO, what: str, remedy: str, *, managed: bool) -> None:
    if not managed:
        io.write_error_line(
            f"<warning>poetry-tf: {what} admits more than one minor series of TensorFlow. "
            f"{remedy}</>"
        )
        return
    raise PoetryRuntimeError(
        f"<error>{what} admits more than one minor series of TensorFlow.</error>",
        [ConsoleMessage(WHY), ConsoleMessage(remedy)],
    )


def _name(text: str) -> str:
    """The distribution that an argument of ``poetry add`` names: ``tensorflow[and-cuda]@~2.18``."""
    for mark in "[@=<>~! ":
        text = text.partition(mark)[0]
    return canonicalize_name(text)
