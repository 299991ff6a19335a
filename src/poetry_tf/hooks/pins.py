"""Guards around ``poetry add``, ``lock`` and ``update``: TensorFlow stays within one series."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name
from poetry.console.commands.add import AddCommand
from poetry.console.exceptions import ConsoleMessage, PoetryRuntimeError
from poetry.core.constraints.version import VersionConstraint, parse_constraint

from poetry_tf.hooks import routes
from poetry_tf.pins import pin_text
from poetry_tf.plan import (
    CONTAINER_PLATFORM,
    Plan,
    PlanError,
    as_poetrys,
    choose_release,
    derive,
    distributions,
    fitting,
    series_of,
)
from poetry_tf.project.errors import ProjectError
from poetry_tf.project.project import Project
from poetry_tf.project.pyproject import Requirement
from poetry_tf.releases import load, misspelling_of
from poetry_tf.releases.images import load_images

if TYPE_CHECKING:
    from cleo.events.console_command_event import ConsoleCommandEvent
    from cleo.io.io import IO
    from poetry.poetry import Poetry

Finder = Callable[..., tuple[str, str]]

WIDE = "admits more than one minor series of TensorFlow."
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
        poetry = command.poetry
        managed = "poetry-tf" in poetry.pyproject.data.get("tool", {})
    except Exception:
        return  # no project, or one that Poetry itself is about to complain of
    replaced: dict[str, str] = {}
    if isinstance(command, AddCommand):
        # The command has no input of its own yet; the event's is bound to the arguments already.
        arguments = event.io.input.argument("name")
        replaced = {_name(text): text for text in arguments if "@" in text or "=" in text}
        _guard_finder(command, event.io, replaced, managed=managed)
    if any(item.name in distributions() for item in poetry.package.all_requires):
        project = _read(poetry)
        for item in project.pyproject.requirements:
            wide = item.name in distributions() and series_of(item.constraint) is None
            if wide and item.name not in replaced:
                place = f"pyproject.toml:{project.pyproject.position(item.constraint_path).line}"
                what = f"{item.name} {item.written or '(without a version)'} in {place}"
                remedy = _suggestion(project, item)
                _refuse(event.io, f"{what} {WIDE}", remedy, why=WHY, managed=managed)
    routes.choose(poetry)


def _read(poetry: Poetry) -> Project:
    try:
        project = Project.read(poetry.pyproject_path.parent)
        _ = project.pyproject.requirements  # read lazily, so a fault would come later
    except ProjectError as error:
        raise PoetryRuntimeError(f"<error>poetry-tf: {error}</error>") from error
    return project


def _guard_finder(
    command: AddCommand, io: IO, arguments: Mapping[str, str], *, managed: bool
) -> None:
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
        canonical = canonicalize_name(name)
        if (meant := misspelling_of(canonical)) is not None:
            what = f"{name} looks like a misspelling of {meant}."
            _refuse(io, what, f"Add it by its name: <c1>poetry add {meant}</>", managed=managed)
        if canonical not in distributions():
            return find(name, required_version, **kwargs)
        if required_version is not None:
            constraint = parse_constraint(required_version)
            if not constraint.is_empty() and series_of(constraint) is None:
                given = re.split(r"[@=<>~!^ ]", arguments.get(canonical, name))[0]
                example = _example(_read(command.poetry), constraint)
                remedy = f"Add one series: <c1>poetry add {given}@~{example}</>"
                what = f"{name} {required_version} {WIDE}"
                _refuse(io, what, remedy, why=WHY, managed=managed)
            return find(name, required_version, **kwargs)
        found, constraint_text = find(name, None, **kwargs)
        newest = constraint_text.lstrip("^~")
        return found, f"~{_fitting(newest, command.poetry.package.python_constraint)}"

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


def _suggestion(project: Project, item: Requirement) -> str:
    plan = _plan(project)
    if plan is not None and item.constraint.allows(as_poetrys(plan.release.version)):
        pin = pin_text(item, plan)
    else:
        pin = f"~{_example(project, item.constraint)}"
    return f'Write "{pin}", or run <c1>poetry tf init</>, which writes it.'


def _example(project: Project, constraint: VersionConstraint) -> str:
    """The release to suggest: that of the plan, which `check` goes by too, where it is admitted."""
    catalog, images = load(), load_images()
    python = project.pyproject.python
    plan = _plan(project)
    if plan is not None and constraint.allows(as_poetrys(plan.release.version)):
        return str(plan.release.version)
    try:
        release = choose_release(
            catalog, images, constraint=constraint, python=python.constraint if python else None
        )
    except PlanError:
        release = catalog.releases[-1]
    return str(release.version)


def _plan(project: Project) -> Plan | None:
    try:
        return derive(project, load(), load_images())
    except PlanError:
        return None


def _refuse(io: IO, what: str, remedy: str, *, why: str = "", managed: bool) -> None:
    if not managed:
        io.write_error_line(f"<warning>poetry-tf: {what} {remedy}</>")
        return
    messages = [ConsoleMessage(text) for text in (why, remedy) if text]
    raise PoetryRuntimeError(f"<error>{what}</error>", messages)


def _name(text: str) -> str:
    """The distribution that an argument of ``poetry add`` names: ``tensorflow[and-cuda]@~2.18``."""
    return canonicalize_name(re.split(r"[\[@=<>~!^ ]", text)[0])
