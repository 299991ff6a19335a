"""Guards around Poetry's solving: TensorFlow stays in one series, and its name is spelt right.

They judge the project as it would be after the command, and what Poetry has solved before anything
is installed or written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from packaging.utils import canonicalize_name
from packaging.version import Version
from poetry.console.exceptions import ConsoleMessage, PoetryRuntimeError
from poetry.core.constraints.version import VersionConstraint

from poetry_tf.files.errors import ProjectError
from poetry_tf.files.project import Project
from poetry_tf.files.requirements import Requirement
from poetry_tf.plan.derive import derive_plan
from poetry_tf.plan.lines import narrowed_releases
from poetry_tf.plan.model import Plan, PlanError
from poetry_tf.plan.release import choose_release
from poetry_tf.plan.requirement import (
    constraint_series,
    primary_distributions,
    tensorflow_distributions,
    to_poetry_version,
)
from poetry_tf.plan.settings import PinChoice, Settings, parse_settings, pin_severity
from poetry_tf.poetry_internals.notices import fit_stderr, write_notice
from poetry_tf.pyproject.pins import pin_text
from poetry_tf.releases import load, misspelling_of
from poetry_tf.releases.images import load_images
from poetry_tf.releases.model import series_of
from poetry_tf.text import escape_markup, shell_word

if TYPE_CHECKING:
    from cleo.io.io import IO
    from poetry.core.packages.package import Package
    from poetry.core.packages.project_package import ProjectPackage
    from poetry.poetry import Poetry


WIDE = "admits more than one minor series of TensorFlow."
WHY = (
    "TensorFlow does not follow semantic versioning: with this constraint the next "
    "<c1>poetry update</> may move the project to another minor series and break it."
)


@dataclass(frozen=True)
class GuardSettings:
    """The settings by which a project is guarded.

    Attributes:
        managed: whether it has a ``[tool.poetry-tf]`` table.
        settings: the content of that table.
        problem: a message about the first invalid setting.
    """

    managed: bool
    settings: Settings
    problem: str | None = None

    @property
    def pin(self) -> PinChoice:
        """What a wide pin is; no command is refused where poetry-tf does not manage the project."""
        return pin_severity(self.settings, advises=not self.managed)

    def suspects(self, name: str) -> bool:
        """Whether a name looks like a misspelling, and the project does not ignore that."""
        canonical = canonicalize_name(name)
        return misspelling_of(canonical) is not None and not self.accepts("TF106", canonical)

    def accepts(self, code: str, name: str) -> bool:
        """Whether the project's `ignore` has this rule for a distribution."""
        return self.settings.ignores(code, name)


def guard_settings(poetry: Poetry) -> GuardSettings:
    table = poetry.pyproject.data.get("tool", {}).get("poetry-tf")
    settings, problems = parse_settings({} if table is None else table)
    problem = f"[tool.poetry-tf]: {problems[0].message}. {problems[0].remedy}" if problems else None
    return GuardSettings(table is not None, settings, problem)


# -- the project as it is -------------------------------------------------------------------


def judge_names(poetry: Poetry, setting: GuardSettings, without: Iterable[str] = ()) -> None:
    """Refuses a misspelt name among the project's requirements, for any command.

    Even ``poetry install`` solves if there is no lock file, and solving downloads packages of that
    name, and runs the build of an sdist. `without` are the names that the command removes.

    Raises:
        PoetryRuntimeError: a name is misspelt. Poetry shows it as its own errors.
    """
    removed = set(map(canonicalize_name, without))
    names = {item.name for item in poetry.package.all_requires} - removed
    suspects = {name for name in names if setting.suspects(name)}
    if not suspects:
        return
    project = read_project(poetry)
    for item in project.pyproject.requirements:
        if item.name in suspects:
            meant = misspelling_of(item.name)
            remedy = f"Write {meant}, or run <c1>poetry tf check --fix</>, which writes it."
            refuse_name(item.name, f" in {_format_position(project, item)}", remedy)


def judge_project(
    poetry: Poetry, io: IO, setting: GuardSettings, replaced: Mapping[str, str]
) -> None:
    """Refuses a pin that is too wide, or warns of it, in any table.

    `replaced` are the distributions whose requirements the command replaces.

    Raises:
        PoetryRuntimeError: a pin is too wide and the setting `pin` is "error".
    """
    if not {item.name for item in poetry.package.all_requires} & tensorflow_distributions():
        return
    project = read_project(poetry)
    for item in project.pyproject.requirements:
        if (
            item.name in tensorflow_distributions()
            and item.name not in replaced
            and is_wide(item.constraint)
            and not setting.accepts("TF101", item.name)
        ):
            written = item.written or "(without a version)"
            what = (
                f"{item.name} {escape_markup(written)} in {_format_position(project, item)} {WIDE}"
            )
            refuse(io, setting.pin, what, WHY, _suggestion(project, item))


def is_wide(constraint: VersionConstraint) -> bool:
    return not constraint.is_empty() and constraint_series(constraint) is None


def _format_position(project: Project, item: Requirement) -> str:
    return f"pyproject.toml:{project.pyproject.position(item.constraint_path).line}"


def read_project(poetry: Poetry) -> Project:
    """Reads the project's files; an error in one is raised as Poetry's own."""
    try:
        project = Project.read(poetry.pyproject_path.parent)
        _ = project.pyproject.requirements  # lazy: raise errors here
    except ProjectError as error:
        raise command_error(f"poetry-tf: {escape_markup(str(error))}") from error
    return project


def _suggestion(project: Project, item: Requirement) -> str:
    plan = _admitted_plan(project, item.constraint)
    release = narrowed_releases(project, plan.release if plan else None).get(item.path)
    if release is None:
        return f'Pin it to one series, such as "~{example_version(project, item.constraint)}".'
    pin = pin_text(item, release)
    return f'Write "{pin}", or run <c1>poetry tf check --fix</>, which writes it.'


def example_version(
    project: Project | None, constraint: VersionConstraint, python: VersionConstraint | None = None
) -> str:
    """The version to suggest: that of the plan, as in `check`, if the constraint admits it.

    `python` is the Python range of a project that does not exist yet.
    """
    if project is not None:
        if (plan := _admitted_plan(project, constraint)) is not None:
            return str(plan.release.version)
        declared = project.pyproject.python
        python = declared.constraint if declared else None
    try:
        release = choose_release(load(), load_images(), constraint=constraint, python=python)
    except PlanError:
        release = load().releases[-1]
    return str(release.version)


def _admitted_plan(project: Project, constraint: VersionConstraint) -> Plan | None:
    """The plan of a project, if there is one and the constraint admits its release."""
    try:
        plan = derive_plan(project, load(), load_images())
    except PlanError:
        return None
    is_admitted = plan is not None and constraint.allows(to_poetry_version(plan.release.version))
    return plan if is_admitted else None


# -- the solution ---------------------------------------------------------------------------


def judge_solution(
    root: ProjectPackage,
    solved: Iterable[Package],
    locked: Mapping[str, Version],
    *,
    io: IO,
    setting: GuardSettings,
    added: Sequence[str] = (),
) -> None:
    """Refuses another series than the locked one, or warns of it, if no requirement names it.

    `locked` are the TensorFlow distributions in the lock before the command, `added` the arguments
    of ``add``, which the remedy repeats. Raises `PoetryRuntimeError`.
    """
    if {item.name for item in root.all_requires} & tensorflow_distributions():
        return  # the project's own pin decides
    packages, versions = list(solved), dict[str, Version]()
    for package in packages:
        if package.name in tensorflow_distributions():
            version = Version(package.version.text)
            versions[package.name] = max(version, versions.get(package.name, version))
    for name, now in primary_distributions(versions).items():
        before = locked.get(name)
        if before is None or series_of(before) == series_of(now):
            continue
        parents = sorted(
            {
                package.pretty_name
                for package in packages
                if package.name not in tensorflow_distributions()
                and any(item.name == name for item in package.requires)
            }
        )
        through = f" through {escape_markup(', '.join(parents))} alone" if parents else ""
        moves = "would move" if setting.pin == "error" else "moves"
        also = escape_markup("".join(f" {shell_word(item) or '…'}" for item in added))
        refuse(
            io,
            setting.pin,
            f"This {moves} {name} from {before} to {now}: another minor series.",
            f"Nothing in pyproject.toml names it: it comes in{through}, and TensorFlow does not "
            "follow semantic versioning.",
            f"To stay in the series: <c1>poetry add {name}@~{before}</>. "
            f"To move on purpose: <c1>poetry add {name}@~{now}{also}</>.",
        )


# -- refusing -------------------------------------------------------------------------------


def refuse_name(name: str, where: str, remedy: str) -> NoReturn:
    meant, name = misspelling_of(name), escape_markup(name)
    raise command_error(
        f"{name}{where} looks like a misspelling of {meant}.",
        "Malicious packages are published under names that are one typo away from a popular one, "
        "so nothing of that name was downloaded.",
        remedy,
        "If you mean it, add to pyproject.toml: <c1>[tool.poetry-tf]</> "
        f'<c1>ignore = [{{ code = "TF106", name = "{name}", reason = "…" }}]</>',
    )


def refuse(io: IO, strictness: PinChoice, what: str, why: str, remedy: str) -> None:
    """Stops the command, writes a warning, or does nothing, by the setting `pin`."""
    if strictness == "warn":
        write_notice(io, f"<warning>poetry-tf: {what} {remedy}</>")
    elif strictness == "error":
        raise command_error(what, why, remedy)


def command_error(headline: str, *details: str) -> PoetryRuntimeError:
    """An error that Poetry shows as its own."""
    messages = [ConsoleMessage(fit_stderr(text)) for text in details]
    return PoetryRuntimeError(f"<error>{fit_stderr(headline)}</error>", messages)
