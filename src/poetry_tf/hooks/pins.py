"""Guards around Poetry's solving commands: TensorFlow stays within one series, by its right name.

What is judged is the project as it would be after the command, and before anything is solved.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from packaging.utils import canonicalize_name
from poetry.console.exceptions import ConsoleMessage, PoetryRuntimeError
from poetry.core.constraints.version import VersionConstraint, VersionRange, parse_constraint
from poetry.core.packages.dependency import Dependency

from poetry_tf.environments import is_open, judged_pythons
from poetry_tf.hooks import seams
from poetry_tf.hooks.candidates import Demand, asked_for, candidates_of, demand_of, known
from poetry_tf.pins import pin_text
from poetry_tf.plan import (
    Plan,
    PlanError,
    as_poetrys,
    choose_release,
    derive,
    distributions,
    listed,
    narrowed,
    python_range,
    release_pythons,
    series_of,
)
from poetry_tf.project.errors import ProjectError
from poetry_tf.project.project import Project
from poetry_tf.project.pyproject import Requirement
from poetry_tf.releases import load, misspelling_of
from poetry_tf.releases.images import load_images
from poetry_tf.settings import Choices, PinChoice, choices_of

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
class Setting:
    """How a project wants to be guarded.

    Attributes:
        managed: whether it has a ``[tool.poetry-tf]``.
        choices: what that says.
    """

    managed: bool
    choices: Choices

    @property
    def pin(self) -> PinChoice:
        """A project that poetry-tf doesn't manage is advised, not refused."""
        return self.choices.pin if self.managed or self.choices.pin == "off" else "warn"

    def suspects(self, name: str) -> bool:
        """Whether a name looks like a misspelling that the project doesn't say it means."""
        canonical = canonicalize_name(name)
        let_be = any(entry.covers("TF106", canonical) for entry in self.choices.ignore)
        return not let_be and misspelling_of(canonical) is not None


def setting_of(poetry: Poetry) -> Setting:
    table = poetry.pyproject.data.get("tool", {}).get("poetry-tf")
    return Setting(table is not None, choices_of({} if table is None else table)[0])


# -- the project as it is -------------------------------------------------------------------


def judge_project(poetry: Poetry, io: IO, setting: Setting, replaced: Mapping[str, str]) -> None:
    """Refuses, or warns of, a pin that is too wide and a misspelt name, wherever they stand.

    `replaced` are the distributions that the command itself is about to write anew. Raises
    `PoetryRuntimeError`, which Poetry shows as its own errors.
    """
    names = {item.name for item in poetry.package.all_requires}
    suspects = {name for name in names if setting.suspects(name)}
    if not (suspects or names & distributions()):
        return
    project = read(poetry)
    for item in project.pyproject.requirements:
        place = f"pyproject.toml:{project.pyproject.position(item.constraint_path).line}"
        if item.name in suspects:
            _refuse_name(item.name, f" in {place}", "Write that, or run <c1>poetry tf check</>.")
        wide = item.name in distributions() and series_of(item.constraint) is None
        if wide and item.name not in replaced and not item.constraint.is_empty():
            what = f"{item.name} {item.written or '(without a version)'} in {place}"
            refuse(io, setting.pin, f"{what} {WIDE}", _suggestion(project, item), why=WHY)


def read(poetry: Poetry) -> Project:
    """The project's files; a fault in one of them is told as Poetry tells its own."""
    try:
        project = Project.read(poetry.pyproject_path.parent)
        _ = project.pyproject.requirements  # read lazily, so a fault would come later
    except ProjectError as error:
        raise PoetryRuntimeError(f"<error>poetry-tf: {error}</error>") from error
    return project


def _suggestion(project: Project, item: Requirement) -> str:
    plan = _plan(project)
    if plan is not None and item.constraint.allows(as_poetrys(plan.release.version)):
        pin = pin_text(item, plan)
    else:
        pin = f"~{_example(project, item.constraint)}"
    return f'Write "{pin}", or run <c1>poetry tf check --fix</>, which writes it.'


def _example(project: Project | None, constraint: VersionConstraint) -> str:
    """The release to suggest: that of the plan, which `check` goes by too, where it is admitted."""
    catalog, images = load(), load_images()
    python = project.pyproject.python if project else None
    plan = _plan(project) if project else None
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


# -- what is about to be added --------------------------------------------------------------


@dataclass
class Adding:
    """A command that adds requirements: ``add``, or the dialogue of ``init``."""

    command: Any
    io: IO
    setting: Setting
    poetry: Poetry | None = None
    """None where there is no project yet."""
    python: VersionConstraint = field(default_factory=VersionRange)
    """The range of a project that is yet to be written."""
    given: Mapping[str, str] = field(default_factory=dict)
    """The arguments of ``add`` that name a version, by distribution."""

    def guard(self) -> None:
        """From here on the command chooses TensorFlow's version by what its wheels say."""
        if not seams.choose_versions(self.command, self._guarded):
            self.io.write_error_line(f"<warning>poetry-tf: {MOVED}</>")

    def _guarded(self, find: seams.Finder) -> seams.Finder:
        def guarded(name: str, required_version: str | None = None, **more: Any) -> tuple[str, str]:
            canonical = canonicalize_name(name)
            if self.setting.suspects(name):
                _refuse_name(name, "", "Add it by that name.")
            if canonical not in distributions():
                return find(name, required_version, **more)
            if required_version is None:
                return self._newest(find, name, more)
            self._judge(name, required_version)
            return self._explained(lambda: find(name, required_version, **more))

        return guarded

    def _judge(self, name: str, required: str) -> None:
        constraint = parse_constraint(required)
        if constraint.is_empty() or series_of(constraint) is not None:
            return
        project = read(self.poetry) if self.poetry is not None else None
        given = re.split(r"[@=<>~!^ ]", self.given.get(canonicalize_name(name), name))[0]
        remedy = f"Add one series: <c1>poetry add {given}@~{_example(project, constraint)}</>"
        refuse(self.io, self.setting.pin, f"{name} {required} {WIDE}", remedy, why=WHY)

    def _explained(self, find: Callable[[], tuple[str, str]]) -> tuple[str, str]:
        """What `find` finds; its failure with the reason, where that is what wheels there are."""
        try:
            return find()
        except ValueError as error:
            candidates = candidates_of(seams.pool_of(self.command))
            why = candidates.explanation() if candidates is not None else None
            if why is None:
                raise
            details = [ConsoleMessage(why.details)]
            raise PoetryRuntimeError(f"<error>{why.headline}</error>", details) from error

    def _newest(self, find: seams.Finder, name: str, more: dict[str, Any]) -> tuple[str, str]:
        """The newest release that can be installed where it has to, as one minor series."""
        requirement, demand = self._requirement(name), self._demand()
        pool = seams.pool_of(self.command)
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
        find: seams.Finder,
        name: str,
        more: dict[str, Any],
        requirement: Dependency,
        demand: Demand,
    ) -> tuple[str, str]:
        """Where poetry-tf only advises: the newest for the lowest Python, else any."""
        pool, pythons = seams.pool_of(self.command), judged_pythons(demand.python)
        if pythons:
            lowest = Demand(python_range(pythons[:1]), demand.environments)
            with asked_for(pool, requirement, lowest):
                try:
                    return find(name, None, **more)
                except ValueError:
                    pass
        with asked_for(pool, requirement, Demand(VersionRange(), demand.environments)):
            return find(name, None, **more)

    def _demand(self) -> Demand:
        if self.poetry is None:
            return Demand(self.python)
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

    def _offer_narrower_python(self, name: str, version: str, demand: Demand) -> None:
        release = known(name, version)
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
        wanted = narrowed(demand.python, minors)
        what = "is open-ended" if is_open(demand.python) else "admits others"
        self.io.write_error_line(
            f"poetry-tf: {name} {version} has wheels for Python {listed(minors)}, but this project "
            f'{what}: better requires-python = "{wanted}" ({how})'
        )


def requested(arguments: list[str]) -> dict[str, str]:
    """The distributions that arguments of ``poetry add`` give a version for, with the argument."""
    return {_name(text): text for text in arguments if "@" in text or "=" in text}


def adds_tensorflow(arguments: list[str]) -> bool:
    """Whether arguments of ``poetry add`` name a distribution of TensorFlow."""
    return any(_name(text) in distributions() for text in arguments)


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
