"""Guards around Poetry's solving commands: TensorFlow stays within one series, by its right name.

What is judged is the project as it would be after the command, and before anything is solved.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from packaging.utils import canonicalize_name
from poetry.console.exceptions import ConsoleMessage, PoetryRuntimeError
from poetry.core.constraints.version import VersionConstraint, VersionRange, parse_constraint
from poetry.core.packages.dependency import Dependency

from poetry_tf.files.errors import ProjectError
from poetry_tf.files.project import Project
from poetry_tf.files.requirements import Requirement
from poetry_tf.hooks.candidates import (
    ReleaseDemand,
    asked_for,
    candidates_of,
    demand_of,
    known_release,
)
from poetry_tf.plan.derive import derive_plan
from poetry_tf.plan.environments import is_open_ended, required_pythons
from poetry_tf.plan.model import Plan, PlanError
from poetry_tf.plan.python import narrowed_range, python_range, release_pythons
from poetry_tf.plan.release import choose_release
from poetry_tf.plan.requirement import (
    constraint_series,
    tensorflow_distributions,
    to_poetry_version,
)
from poetry_tf.plan.settings import PinChoice, Settings, parse_settings
from poetry_tf.poetry_internals import patches
from poetry_tf.pyproject.pins import pin_text
from poetry_tf.releases import load, misspelling_of, role
from poetry_tf.releases.images import load_images
from poetry_tf.text import format_list

if TYPE_CHECKING:
    from cleo.io.io import IO
    from poetry.poetry import Poetry

WIDE = "admits more than one minor series of TensorFlow."
WHY = (
    "TensorFlow does not follow semantic versioning: with this constraint the next "
    "<c1>poetry update</> may move the project to another minor series and break it."
)
MOVED = (
    "This Poetry chooses versions in a way poetry-tf doesn't know: what is written for TensorFlow "
    "is not guarded. <c1>poetry tf check</> says whether it is right."
)


@dataclass(frozen=True)
class GuardSettings:
    """How a project wants to be guarded.

    Attributes:
        managed: whether it has a ``[tool.poetry-tf]``.
        choices: what that says.
        problem: the first thing in it that means nothing, in a sentence.
    """

    managed: bool
    settings: Settings
    problem: str | None = None

    @property
    def pin(self) -> PinChoice:
        """A project that poetry-tf doesn't manage is advised, not refused."""
        return self.settings.pin if self.managed or self.settings.pin == "off" else "warn"

    def suspects(self, name: str) -> bool:
        """Whether a name looks like a misspelling that the project doesn't say it means."""
        canonical = canonicalize_name(name)
        return misspelling_of(canonical) is not None and not self.accepts("TF106", canonical)

    def accepts(self, code: str, name: str) -> bool:
        """Whether the project's `ignore` accepts what a rule finds of a distribution."""
        return any(entry.covers(code, name) for entry in self.settings.ignore)


def guard_settings(poetry: Poetry) -> GuardSettings:
    table = poetry.pyproject.data.get("tool", {}).get("poetry-tf")
    settings, problems = parse_settings({} if table is None else table)
    told = f"[tool.poetry-tf]: {problems[0].message}. {problems[0].remedy}" if problems else None
    return GuardSettings(table is not None, settings, told)


# -- the project as it is -------------------------------------------------------------------


def judge_names(poetry: Poetry, setting: GuardSettings, without: Iterable[str] = ()) -> None:
    """Refuses a misspelt name among the project's requirements, by whatever command.

    Even ``poetry install`` without a lock solves, and to solve is to download, and from an sdist to
    run, what has that name. `without` are the names that the command is about to remove. Raises
    `PoetryRuntimeError`, which Poetry shows as its own errors.
    """
    removed = set(map(canonicalize_name, without))
    suspects = {item.name for item in poetry.package.all_requires if setting.suspects(item.name)}
    if not suspects - removed:
        return
    project = read_project(poetry)
    for item in project.pyproject.requirements:
        if item.name in suspects - removed:
            meant = misspelling_of(item.name)
            remedy = f"Write {meant}, or run <c1>poetry tf check --fix</>, which writes it."
            _refuse_name(item.name, f" in {_place(project, item)}", remedy)


def judge_project(
    poetry: Poetry, io: IO, setting: GuardSettings, replaced: Mapping[str, str]
) -> None:
    """Refuses, or warns of, a pin that is too wide, wherever it stands.

    `replaced` are the distributions that the command itself is about to write anew. Raises
    `PoetryRuntimeError`.
    """
    if not {item.name for item in poetry.package.all_requires} & tensorflow_distributions():
        return
    project = read_project(poetry)
    for item in project.pyproject.requirements:
        wide = (
            item.name in tensorflow_distributions() and constraint_series(item.constraint) is None
        )
        if (
            wide
            and item.name not in replaced
            and not item.constraint.is_empty()
            and not setting.accepts("TF101", item.name)
        ):
            written = item.written or "(without a version)"
            what = f"{item.name} {written} in {_place(project, item)} {WIDE}"
            refuse(io, setting.pin, what, _suggestion(project, item), why=WHY)


def _place(project: Project, item: Requirement) -> str:
    return f"pyproject.toml:{project.pyproject.position(item.constraint_path).line}"


def read_project(poetry: Poetry) -> Project:
    """The project's files; a fault in one of them is told as Poetry tells its own."""
    try:
        project = Project.read(poetry.pyproject_path.parent)
        _ = project.pyproject.requirements  # read lazily, so a fault would come later
    except ProjectError as error:
        raise PoetryRuntimeError(f"<error>poetry-tf: {error}</error>") from error
    return project


def _suggestion(project: Project, item: Requirement) -> str:
    plan = _plan(project)
    if plan is not None and item.constraint.allows(to_poetry_version(plan.release.version)):
        pin = pin_text(item, plan)
    else:
        pin = f"~{_example(project, item.constraint)}"
    return f'Write "{pin}", or run <c1>poetry tf check --fix</>, which writes it.'


def _example(
    project: Project | None,
    constraint: VersionConstraint,
    range_: VersionConstraint | None = None,
) -> str:
    """The release to suggest: that of the plan, which `check` goes by too, where it is admitted.

    `range_` are the Pythons of a project that isn't there yet.
    """
    catalog, images = load(), load_images()
    if project is not None:
        declared = project.pyproject.python
        range_ = declared.constraint if declared else None
    plan = _plan(project) if project else None
    if plan is not None and constraint.allows(to_poetry_version(plan.release.version)):
        return str(plan.release.version)
    try:
        release = choose_release(catalog, images, constraint=constraint, python=range_)
    except PlanError:
        release = catalog.releases[-1]
    return str(release.version)


def _plan(project: Project) -> Plan | None:
    try:
        return derive_plan(project, load(), load_images())
    except PlanError:
        return None


# -- what is about to be added --------------------------------------------------------------


@dataclass
class Adding:
    """A command that adds requirements: ``add``, or the dialogue of ``init``."""

    command: Any
    io: IO
    setting: GuardSettings
    poetry: Poetry | None = None
    """None where there is no project yet."""
    python: VersionConstraint = field(default_factory=VersionRange)
    """The range of a project that is yet to be written."""
    given: Mapping[str, str] = field(default_factory=dict)
    """The arguments of ``add`` that name a version, by distribution."""

    def guard(self) -> None:
        """From here on the command chooses TensorFlow's version by what its wheels say."""
        if not patches.choose_versions(self.command, self._guarded):
            self.io.write_error_line(f"<warning>poetry-tf: {MOVED}</>")

    def _guarded(self, find: patches.Finder) -> patches.Finder:
        def guarded(name: str, required_version: str | None = None, **more: Any) -> tuple[str, str]:
            canonical = canonicalize_name(name)
            self.judge_name(name)
            if canonical not in tensorflow_distributions():
                return find(name, required_version, **more)
            if role(canonical) == "retired":
                self.io.write_error_line(
                    f"<warning>poetry-tf: {name} is retired: tensorflow itself is what it was. "
                    "Add that.</>"
                )
            if required_version is None:
                return self._newest(find, name, more)
            self._judge(name, required_version)
            return self._explained(lambda: find(name, required_version, **more))

        return guarded

    def judge_name(self, name: str) -> None:
        """Refuses a misspelt name before anything of that name is asked for."""
        if self.setting.suspects(name):
            meant = misspelling_of(canonicalize_name(name))
            command = f"<c1>poetry add {meant}</>" if self.poetry is not None else f"<c1>{meant}</>"
            _refuse_name(name, "", f"Meant is perhaps {command}.")

    def judge_answer(self, answer: str) -> None:
        """Judges what was answered in the dialogue: a name, perhaps with a constraint."""
        name = _name(answer)
        self.judge_name(name)
        rest = re.sub(r"^[^@=<>~!^ ]*[@ ]*", "", answer)
        if name in tensorflow_distributions() and rest and rest != "latest":
            with suppress(ValueError):  # Poetry complains of it itself
                self._judge(name, rest)

    def _judge(self, name: str, required: str) -> None:
        constraint = parse_constraint(required)
        if constraint.is_empty() or constraint_series(constraint) is not None:
            return
        if self.setting.accepts("TF101", canonicalize_name(name)):
            return
        project = read_project(self.poetry) if self.poetry is not None else None
        given = re.split(r"[@=<>~!^ ]", self.given.get(canonicalize_name(name), name))[0]
        example = _example(project, constraint, self.python)
        remedy = (
            f"Add one series: <c1>poetry add {given}@~{example}</>, or the newest that fits: "
            f"<c1>poetry add {given}</>"
        )
        refuse(self.io, self.setting.pin, f"{name} {required} {WIDE}", remedy, why=WHY)

    def _explained(self, find: Callable[[], tuple[str, str]]) -> tuple[str, str]:
        """What `find` finds; its failure with the reason, where that is what wheels there are."""
        try:
            return find()
        except ValueError as error:
            candidates = candidates_of(patches.pool_of(self.command))
            why = candidates.explanation() if candidates is not None else None
            if why is None:
                raise
            details = [ConsoleMessage(why.details)]
            raise PoetryRuntimeError(f"<error>{why.headline}</error>", details) from error

    def _newest(self, find: patches.Finder, name: str, more: dict[str, Any]) -> tuple[str, str]:
        """The newest release that can be installed where it has to, as one minor series."""
        requirement, demand = self._requirement(name), self._demand()
        pool = patches.pool_of(self.command)
        with asked_for(pool, requirement, demand):
            try:
                found, text = self._explained(lambda: find(name, None, **more))
            except PoetryRuntimeError:
                if self.setting.managed:
                    raise
                found, text = self._newest_at_all(find, name, more, requirement, demand)
        version = text.lstrip("^~")
        if requirement.marker.is_any():
            self._offer_narrower_python(canonicalize_name(name), version, demand)
        return found, f"~{version}"

    def _newest_at_all(
        self,
        find: patches.Finder,
        name: str,
        more: dict[str, Any],
        requirement: Dependency,
        demand: ReleaseDemand,
    ) -> tuple[str, str]:
        """Where poetry-tf only advises: the newest for the lowest Python, else any."""
        pool, pythons = patches.pool_of(self.command), required_pythons(demand.python)
        if pythons:
            lowest = ReleaseDemand(python_range(pythons[:1]), demand.environments)
            with asked_for(pool, requirement, lowest):
                try:
                    return find(name, None, **more)
                except ValueError:
                    pass
        with asked_for(pool, requirement, ReleaseDemand(VersionRange(), demand.environments)):
            return find(name, None, **more)

    def _demand(self) -> ReleaseDemand:
        if self.poetry is None:
            return ReleaseDemand(self.python)
        table = self.poetry.pyproject.data.get("tool", {}).get("poetry-tf", {})
        return demand_of(self.poetry.package, table)

    def _requirement(self, name: str) -> Dependency:
        """What is being added, as far as options say where it counts."""
        from poetry.factory import Factory

        said = {}
        if self.poetry is not None:
            for key in ("python", "platform", "markers"):
                if self.command.definition.has_option(key) and (value := self.io.input.option(key)):
                    said[key] = value
        return Factory.create_dependency(name, {"version": "*", **said})

    def _offer_narrower_python(self, name: str, version: str, demand: ReleaseDemand) -> None:
        release = known_release(name, version)
        if release is None:
            return
        minors = release_pythons(release, demand.environments)
        if not minors or python_range(minors).allows_all(demand.python):
            return
        how = (
            "<c1>poetry tf check --fix</> writes it"
            if self.poetry is not None
            else "as the Python versions of the project"
        )
        wanted = narrowed_range(demand.python, minors)
        what = "is open-ended" if is_open_ended(demand.python) else "admits others"
        self.io.write_error_line(
            f"poetry-tf: {name} {version} has wheels for Python {format_list(minors)}, but this "
            "project "
            f'{what}: better requires-python = "{wanted}" ({how})'
        )


def requested(arguments: list[str]) -> dict[str, str]:
    """The distributions that arguments of ``poetry add`` give a version for, with the argument."""
    return {_name(text): text for text in arguments if "@" in text or "=" in text}


def adds_tensorflow(arguments: list[str]) -> bool:
    """Whether arguments of ``poetry add`` name a distribution of TensorFlow."""
    return any(_name(text) in tensorflow_distributions() for text in arguments)


def _name(text: str) -> str:
    """The distribution that an argument of ``poetry add`` names: ``tensorflow[and-cuda]@~2.18``."""
    return canonicalize_name(re.split(r"[\[@=<>~!^ ]", text)[0])


# -- refusing -------------------------------------------------------------------------------


def _refuse_name(name: str, where: str, remedy: str) -> NoReturn:
    meant = misspelling_of(name)
    raise PoetryRuntimeError(
        f"<error>{name}{where} looks like a misspelling of {meant}.</error>",
        [
            ConsoleMessage(
                "Names one slip away from a popular one are what malicious packages are published "
                "under, so nothing of that name was downloaded."
            ),
            ConsoleMessage(remedy),
            ConsoleMessage(
                "If it is meant, say so in pyproject.toml: <c1>[tool.poetry-tf]</> "
                f'<c1>ignore = [{{ code = "TF106", name = "{name}", reason = "…" }}]</>'
            ),
        ],
    )


def refuse(io: IO, strictness: PinChoice, what: str, remedy: str, *, why: str = "") -> None:
    """Stops the command, or says one line, as the setting `pin` has it."""
    if strictness == "warn":
        io.write_error_line(f"<warning>poetry-tf: {what} {remedy}</>")
    elif strictness == "error":
        messages = [ConsoleMessage(text) for text in (why, remedy) if text]
        raise PoetryRuntimeError(f"<error>{what}</error>", messages)
