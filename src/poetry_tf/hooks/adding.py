"""``poetry add`` of names without versions: the versions that fit the project.

Poetry writes the newest version, and solves after that. Where this fails, the names are solved
without versions, and what is found is written as Poetry writes a version, with one line that says
why. Where nothing fits the project, the error names both requirements and what helps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import tomlkit
from cleo.io.null_io import NullIO
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version
from poetry.console.exceptions import PoetryRuntimeError
from poetry.core.constraints.version import parse_constraint
from poetry.puzzle.exceptions import SolverProblemError
from poetry.repositories.exceptions import PackageNotFoundError

from poetry_tf.actions.conflict import PYTHON, Conflict, find_conflict
from poetry_tf.actions.fix import UnservedError
from poetry_tf.actions.lock import LockingError, relock
from poetry_tf.actions.progress import told_regularly, without_build_warnings
from poetry_tf.actions.project_index import ProjectIndex
from poetry_tf.actions.solver_failure import shortened
from poetry_tf.actions.upgrade import lock_upgrade, plan_upgrade, required_specifier
from poetry_tf.checks.findings import find_problems, make_context
from poetry_tf.files.edits import Edit, apply
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.project import Project
from poetry_tf.files.requirements import Requirement
from poetry_tf.hooks.candidates import candidate_filter_of, known_release, project_demand
from poetry_tf.hooks.companions import (
    apply_edit,
    companion_pin,
    project_with,
    python_place,
    requirement_place,
)
from poetry_tf.hooks.guards import GuardSettings, command_error
from poetry_tf.plan.environments import Target
from poetry_tf.plan.main_line import main_requirement
from poetry_tf.plan.model import PlanError
from poetry_tf.plan.requirement import (
    constraint_series,
    locked_tensorflow,
    tensorflow_distributions,
    to_poetry_version,
)
from poetry_tf.poetry_internals import patches, reads
from poetry_tf.poetry_internals.notices import write_notice
from poetry_tf.poetry_internals.patches import Solve
from poetry_tf.pyproject.requirement_edits import constraint_edits
from poetry_tf.releases import Release, load, role
from poetry_tf.text import escape_markup, format_list

if TYPE_CHECKING:
    from cleo.io.io import IO
    from poetry.core.packages.dependency import Dependency
    from poetry.core.packages.package import Package
    from poetry.poetry import Poetry

ANY_VERSION = ">=0"
# Later series that are solved for, until one fits what is added.
_MOST_SERIES = 3
_TELL_SECONDS = 10.0
"""How often it is said that a search goes on."""


@dataclass(frozen=True)
class Addition:
    """What one ``poetry add`` adds to a managed project.

    Attributes:
        bare: the distributions that were named without a version.
        content: the content of pyproject.toml that Poetry is about to lock and write, a tomlkit
            document.
    """

    poetry: Poetry
    io: IO
    setting: GuardSettings
    bare: frozenset[NormalizedName]
    content: Any = field(repr=False)

    def solve_otherwise(self, solver: Any, solve: Solve, error: SolverProblemError) -> Any:
        """The transaction with versions that fit the project, where the newest do not.

        `error` is the failure of a solver with them. Raises it, or `PoetryRuntimeError` with the
        reason and what helps.
        """
        attempt, filtered = _Attempt(solver, solve), candidate_filter_of(self.poetry.pool)
        if filtered is not None and filtered.explanation() is not None:
            raise error
        before = self._project()
        added = _added(self._project_on_disk(), before)
        main = next((one for one in added if one.name in tensorflow_distributions()), None)
        if main is not None:  # everything else has to fit it
            raise _upgrade_instead(self._project_on_disk(), main, self.io) or error
        opened = [item for item in added if item.name in self.bare]
        if opened:
            names = format_list(sorted({item.name for item in opened}))
            self._tell(f"Looking for versions of {names} that fit, because the newest do not")
        with _told(self.io, "Still solving"), without_build_warnings():
            return self._solve_with_others(attempt, before, added, opened, error)

    def _solve_with_others(
        self,
        attempt: _Attempt,
        before: Project,
        added: Sequence[Requirement],
        opened: Sequence[Requirement],
        error: SolverProblemError,
    ) -> Any:
        """The transaction with other versions of what is `opened`."""
        if opened:
            wheels = self._wheels(opened)
            found = self._versions(attempt, before, opened, wheels)
            reasons = [self._reason(attempt, before, opened, found, name) for name in found]
            for texts in _constraints(found, wheels) if found else ():
                edits = _edits(before, opened, texts)
                transaction = self._solve_with(attempt, apply(before, edits))
                if transaction is not None and _have_wheels(transaction, found, wheels):
                    self._write(edits)
                    for (name, version), reason in zip(found.items(), reasons, strict=True):
                        self._tell(f"{name} {version}: {reason}")
                    return transaction
        raise self._refusal(attempt, before, added, error)

    # -- versions that fit -------------------------------------------------------------------

    def _versions(
        self,
        attempt: _Attempt,
        before: Project,
        opened: Sequence[Requirement],
        wheels: Mapping[NormalizedName, _Wheels],
    ) -> dict[NormalizedName, Version]:
        """The lowest version of each name that a solve without versions gives; empty without one.

        A name whose newest version is in that solution is left out.
        """
        texts = {item.name: ANY_VERSION for item in opened}

        def filtered(find: Callable[[Dependency], list[Package]]) -> Any:
            def find_packages(dependency: Dependency) -> list[Package]:
                found = find(dependency)
                if dependency.name not in texts:
                    return found
                has_wheels = wheels[dependency.name].are_there
                return [one for one in found if has_wheels(Version(one.version.text))]

            return find_packages

        with patches.replaced_find_packages(self.poetry.pool, filtered):
            edits = _edits(before, opened, texts)
            transaction = self._solve_with(attempt, apply(before, edits))
        if transaction is None:
            return {}
        versions: dict[NormalizedName, list[Version]] = {}
        for package in transaction.get_solved_packages():
            if package.name in texts:
                version = Version(package.version.without_local().text)
                versions.setdefault(package.name, []).append(version)
        lowest = {name: min(found) for name, found in versions.items()}
        return {
            item.name: lowest[item.name]
            for item in opened
            if item.name in lowest
            and not item.constraint.allows(to_poetry_version(lowest[item.name]))
        }

    def _wheels(self, items: Sequence[Requirement]) -> dict[NormalizedName, _Wheels]:
        """The wheels of distributions; none are known of one that another source has."""
        locked = locked_tensorflow(self._project_on_disk())
        release = known_release("tensorflow", locked) if locked is not None else None
        demand = project_demand(self.poetry.package, self.setting.settings)
        targets, index = demand.targets(release), ProjectIndex(self.poetry)
        found = {item.name: _Wheels({}) for item in items}
        for item in items:
            if item.source is None:
                with suppress(PackageNotFoundError):
                    found[item.name] = _Wheels(index.wheels(item.name, targets))
        return found

    def _solve_with(self, attempt: _Attempt, project: Project) -> Any:
        """The transaction for other requirements, which stay in force; None without a solution."""
        self._require(project)
        return attempt.again()

    def _require(self, project: Project) -> None:
        content = tomlkit.parse(project.pyproject.document.text)
        patches.reload_requirements(self.poetry, content)

    def _write(self, edits: Iterable[Edit]) -> None:
        for edit in edits:
            apply_edit(self.content, edit)
        self.poetry.locker.set_pyproject_data(self.content)

    # -- what is said ------------------------------------------------------------------------

    def _reason(
        self,
        attempt: _Attempt,
        before: Project,
        opened: Sequence[Requirement],
        found: Mapping[NormalizedName, Version],
        name: NormalizedName,
    ) -> str:
        """Why the newest version of one does not fit, the others being as they were found."""
        others = {other: version for other, version in found.items() if other != name}
        self._require(apply(before, _edits(before, opened, _carets(others))))
        failure = attempt.failure()
        conflict = self._conflict(name, failure) if failure is not None else None
        if conflict is not None and conflict.on == PYTHON:
            # Others between the two may be for these Pythons, and do not fit for another reason.
            texts = {**_carets(others), name: f">{found[name]}"}
            self._require(apply(before, _edits(before, opened, texts)))
            if (failure := attempt.failure()) is not None:
                conflict = find_conflict(name, reads.failure_causes(failure), ()) or conflict
        return conflict.text if conflict else "a later one does not fit the other requirements"

    def _conflict(self, name: NormalizedName, error: SolverProblemError) -> Conflict | None:
        found = find_conflict(name, reads.failure_causes(error), reads.python_causes(error))
        if found is not None and found.on == PYTHON:
            # Poetry may solve for a part of the project's Pythons.
            python = parse_constraint(self.poetry.package.python_versions)
            return replace(found, admitted=python)
        return found

    def _tell(self, text: str) -> None:
        write_notice(self.io, f"poetry-tf: {escape_markup(text)}")

    def _refusal(
        self,
        attempt: _Attempt,
        before: Project,
        added: Sequence[Requirement],
        error: SolverProblemError,
    ) -> Exception:
        """The error to raise where nothing fits."""
        conflict = next(
            (found for item in added if (found := self._conflict(item.name, error))), None
        )
        if conflict is None:
            return error
        item = next(one for one in added if one.name == conflict.name)
        headline = f"{item.name} {_written(item)} conflicts with what the project requires."
        lines = [escape_markup(f"{conflict.sentence}."), *self._places(conflict)]
        lines += self._other_version(attempt, before, item)
        lines += self._move(before, conflict)
        solver = map(escape_markup, shortened(str(error)).splitlines())
        return command_error(escape_markup(headline), "\n".join(lines), "\n".join(solver))

    def _places(self, conflict: Conflict) -> list[str]:
        """Where the other requirement is written, if it is TensorFlow's or the project's own."""
        project = self._project_on_disk()
        if conflict.on == PYTHON:
            return [python_place(project)]
        if conflict.is_with_tensorflow:
            item = main_requirement(project)
        elif conflict.owner is None:
            requirements = project.pyproject.requirements
            item = next((one for one in requirements if one.name == conflict.on), None)
        else:
            return []
        return [] if item is None else [requirement_place(project, item)]

    def _other_version(
        self, attempt: _Attempt, before: Project, item: Requirement
    ) -> Iterable[str]:
        """Another version of what was added with a version, if one fits."""
        if item.name in self.bare:
            return
        if role(item.name) == "companion":
            with suppress(PoetryRuntimeError):
                if companion_pin(self._project_on_disk(), item.name, marked=True) is not None:
                    yield f"Another version fits: <c1>poetry add {escape_markup(item.name)}</>"
            return
        same = [one for one in _added(self._project_on_disk(), before) if one.name == item.name]
        found = self._versions(attempt, before, same, self._wheels(same))
        if item.name in found:
            what = escape_markup(f"{item.name}@^{found[item.name]}")
            yield f"Another version fits: <c1>poetry add {what}</>"

    def _move(self, before: Project, conflict: Conflict) -> Iterable[str]:
        """The next later series of TensorFlow that it fits, found by locking."""
        series = [item.series for item in _later_releases(self._project_on_disk(), conflict)]
        for tried in series[:_MOST_SERIES]:
            self._tell(f"Trying TensorFlow {tried}")
            if _can_move(before, self._project_on_disk(), tried, self.io):
                yield (
                    f"TensorFlow {tried} fits it: "
                    f"<c1>poetry tf upgrade {tried}</>, then add it again."
                )
                return
        if series:
            names = format_list(series[:_MOST_SERIES])
            yield f"No lock with TensorFlow {names} passes <c1>poetry tf check</>."

    # -- the project -------------------------------------------------------------------------

    def _project_on_disk(self) -> Project:
        return Project.read(self.poetry.pyproject_path.parent)

    def _project(self) -> Project:
        """The project with the content that is about to be locked."""
        return project_with(self.poetry, self.content)


@dataclass(frozen=True)
class _Attempt:
    """A solver that has failed, and what solves with one."""

    solver: Any
    solve: Solve

    def again(self) -> Any:
        """The transaction for the project as it is now; None without a solution."""
        with suppress(SolverProblemError):
            return self.solve(patches.another_solver(self.solver))
        return None

    def failure(self) -> SolverProblemError | None:
        """Why there is no solution for the project as it is now; None where there is one."""
        try:
            self.solve(patches.another_solver(self.solver))
        except SolverProblemError as error:
            return error
        return None


@dataclass(frozen=True)
class _Wheels:
    """The releases of a distribution, each with the targets for which it has a wheel."""

    targets: Mapping[Version, frozenset[Target]]

    def are_there(self, version: Version) -> bool:
        """Whether a release has wheels for every target that the newest one has wheels for."""
        newest = max(
            (one for one in self.targets if not one.is_prerelease),
            default=max(self.targets, default=None),
        )
        return newest is None or self.targets.get(version, frozenset()) >= self.targets[newest]

    def next_without(self, version: Version) -> Version | None:
        """The next later release without them."""
        later = (one for one in sorted(self.targets) if one > version)
        return next((one for one in later if not self.are_there(one)), None)


def _added(before: Project, after: Project) -> list[Requirement]:
    """The requirements that are new or changed."""

    def key(item: Requirement) -> tuple[Any, ...]:
        return item.name, item.group, item.path[:-1], str(item.marker), item.written

    known = {key(item) for item in before.pyproject.requirements}
    return [item for item in after.pyproject.requirements if key(item) not in known]


def _edits(
    project: Project, items: Iterable[Requirement], texts: Mapping[NormalizedName, str]
) -> list[Edit]:
    return [
        edit
        for item in items
        if item.name in texts
        for edit in constraint_edits(project, item, texts[item.name])
    ]


def _carets(versions: Mapping[NormalizedName, Version]) -> dict[NormalizedName, str]:
    """The constraints that Poetry writes for versions."""
    return {name: f"^{version}" for name, version in versions.items()}


def _constraints(
    found: Mapping[NormalizedName, Version], wheels: Mapping[NormalizedName, _Wheels]
) -> Iterator[dict[NormalizedName, str]]:
    """The constraints to try: those that Poetry writes, then without later versions that have no
    wheels."""
    carets = _carets(found)
    yield carets
    ends = {name: wheels[name].next_without(version) for name, version in found.items()}
    yield {
        name: f">={found[name]},<{end}" if (end := ends[name]) is not None else text
        for name, text in carets.items()
    }


def _have_wheels(
    transaction: Any,
    found: Mapping[NormalizedName, Version],
    wheels: Mapping[NormalizedName, _Wheels],
) -> bool:
    return all(
        wheels[package.name].are_there(Version(package.version.text))
        for package in transaction.get_solved_packages()
        if package.name in found
    )


def _later_releases(project: Project, conflict: Conflict) -> list[Release]:
    """The newest release of each later series that does not have the conflict."""
    locked, catalog, on = locked_tensorflow(project), load(), canonicalize_name(conflict.on)
    is_own = on in tensorflow_distributions()
    if locked is None or not (is_own or conflict.is_with_tensorflow):
        return []

    def is_without(release: Release) -> bool:
        if is_own:
            return conflict.needed.allows(to_poetry_version(release.version))
        specifier = required_specifier(release, on)
        return not specifier or parse_constraint(specifier).allows_any(conflict.needed)

    newest = (catalog.in_series(series)[-1] for series in catalog.series)
    return [
        release
        for release in newest
        if release.version > locked and release.is_opened and is_without(release)
    ]


def _told(io: IO, text: str, *, on_terminal: bool = False) -> AbstractContextManager[None]:
    """Reports regularly that work continues, on a terminal or elsewhere.

    On a terminal Poetry shows the progress of its own solves.
    """
    if io.output.is_decorated() != on_terminal:
        return nullcontext()
    return told_regularly(
        lambda seconds: write_notice(io, f"poetry-tf: {text} ({seconds} s)"), _TELL_SECONDS
    )


def _can_move(project: Project, before: Project, series: str, io: IO) -> bool:
    """Whether a project can be moved to a series with a lock in which `check` finds no more.

    `before` is the project on disk.
    """
    with suppress(PlanError, ProjectError, LockingError, UnservedError):
        moved = plan_upgrade(project, series, legacy_keras=False)
        if not moved.blocking:
            with _told(io, f"Trying TensorFlow {series}", on_terminal=True):
                after = lock_upgrade(moved, lambda edited: relock(edited, NullIO()))
            return _errors(after) <= _errors(before)
    return False


def _upgrade_instead(project: Project, item: Requirement, io: IO) -> Exception | None:
    """The error for another TensorFlow that conflicts with what the project requires.

    None where the project can't be moved to it either.
    """
    series = constraint_series(item.constraint)
    if series is None or not _can_move(project, project, series, io):
        return None
    written = escape_markup(f"{item.name} {_written(item)}")
    return command_error(
        f"{written} conflicts with what the project requires.",
        "To move TensorFlow together with the packages that depend on it: "
        f"<c1>poetry tf upgrade {series}</>",
    )


def _errors(project: Project) -> set[tuple[str, str]]:
    """What `check` finds wrong with a project, its container left out."""
    return {
        (item.code, item.message)
        for item in find_problems(make_context(project))
        if item.severity == "error" and not item.code.startswith("TF5")
    }


def _written(item: Requirement) -> str:
    return item.written or "*"
