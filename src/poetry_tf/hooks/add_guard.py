"""Guards requirements that are added, by ``poetry add`` or in the dialogue of ``poetry init``.

TensorFlow's version is chosen by its wheels, a companion's by TensorFlow's, and a misspelt name is
refused before anything of that name is requested.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version
from poetry.console.exceptions import PoetryRuntimeError
from poetry.core.constraints.version import VersionConstraint, VersionRange, parse_constraint
from poetry.core.packages.dependency import Dependency

from poetry_tf.files.errors import ProjectError
from poetry_tf.hooks.candidates import (
    ReleaseDemand,
    candidate_filter_of,
    filter_for_requirement,
    known_release,
    project_demand,
)
from poetry_tf.hooks.guards import (
    WHY,
    WIDE,
    GuardSettings,
    command_error,
    example_version,
    is_wide,
    read_project,
    refuse,
    refuse_name,
)
from poetry_tf.migration.names import is_forwarding, proper_name
from poetry_tf.plan.environments import is_open_ended, required_pythons
from poetry_tf.plan.python import narrowed_range, python_range, release_pythons
from poetry_tf.plan.requirement import tensorflow_distributions
from poetry_tf.poetry_internals import MOVED, Failed, patches, reads
from poetry_tf.poetry_internals.notices import write_notice
from poetry_tf.releases import DISTRIBUTIONS, misspelling_of, role, whole
from poetry_tf.releases.keras2 import need_keras_2
from poetry_tf.text import escape_markup, format_list

if TYPE_CHECKING:
    from cleo.io.io import IO
    from poetry.poetry import Poetry

    from poetry_tf.index.new_releases import NewReleases
    from poetry_tf.poetry_internals.patches import Solve

_WHOLE = frozenset({"main", "nightly", "vendor"})
"""The roles of distributions that are all of TensorFlow."""

Finder: TypeAlias = Callable[[], tuple[str, str]]
"""Finds a version: the distribution, and the constraint to write."""


@dataclass
class AddGuard:
    """Guards a command that adds requirements: ``add``, or the dialogue of ``init``.

    Attributes:
        failed: takes a failure of the guard.
        poetry: None if there is no project yet.
        python: the Python range of a project that is not written yet.
        given: the arguments of ``add`` that have a version, by distribution.
        bare: the distributions that were asked for without one, TensorFlow's own left out.
        pins: the constraints that were chosen for companions of TensorFlow among them.
        content: the content of pyproject.toml that ``add`` is about to lock and write.
    """

    command: Any
    io: IO
    setting: GuardSettings
    failed: Failed
    poetry: Poetry | None = None
    python: VersionConstraint = field(default_factory=VersionRange)
    given: Mapping[str, str] = field(default_factory=dict)
    bare: set[NormalizedName] = field(default_factory=set)
    pins: dict[NormalizedName, str] = field(default_factory=dict)
    content: Any = None

    def guard(self) -> None:
        """Lets the command choose TensorFlow's version by its wheels."""
        patches.replace_version_finder(self.command, self._guarded)

    def _guarded(self, find: patches.VersionFinder) -> patches.VersionFinder:
        def guarded(name: str, required_version: str | None = None, **more: Any) -> tuple[str, str]:
            plain = partial(find, name, required_version, **more)
            self.judge_name(name)
            canonical = canonicalize_name(name)
            if more.get("source") is None:
                judge_proper_name(canonical, self.io, self.setting)
            self._refuse_second(canonical)
            if canonical not in tensorflow_distributions():
                if required_version is not None or not self.setting.managed:
                    return plain()
                if (pin := self._companion_pin(canonical)) is not None:
                    self.pins[canonical] = pin
                    return find(name, pin, **more)[0], pin
                self.bare.add(canonical)
                return plain()
            try:
                return self._find(plain, name, required_version)
            except MOVED as error:
                self.failed(error)
                return plain()

        return guarded

    def _find(self, find: Finder, name: str, required_version: str | None) -> tuple[str, str]:
        """A version of TensorFlow, and the constraint to write."""
        if role(canonicalize_name(name)) == "retired":
            shown = escape_markup(name)
            if required_version is None and self.setting.managed:
                raise command_error(
                    f"{shown} is retired: building its last release only says so.",
                    "<c1>tensorflow</> replaces it, with a GPU and without one. "
                    "Run: <c1>poetry add tensorflow</>",
                )
            text = f"{shown} is retired; tensorflow replaces it. Add that instead."
            write_notice(self.io, f"<warning>poetry-tf: {text}</>")
        if required_version is None:
            return self._newest(find, name)
        self._judge_constraint(name, required_version)
        return self._explained(find)

    def _refuse_second(self, name: NormalizedName) -> None:
        """Refuses a second TensorFlow distribution with the same files for the same targets.

        One for a group, an extra or a part of the targets is left to the rules.
        """
        if self.poetry is None or not self.setting.managed or self.setting.accepts("TF104", name):
            return
        option = self.io.input.option
        is_apart = option("group") not in {None, "main"} or option("dev") or option("optional")
        if is_apart or role(name) not in _WHOLE:
            return
        others = [
            item.name
            for item in self.poetry.package.requires
            if role(item.name) in _WHOLE and item.name != name and not item.in_extras
        ]
        if others and self._requirement(name).marker.is_any():
            raise command_error(
                f"{name} holds the same files as {others[0]}, which the project requires.",
                f"They cannot be installed together. To replace {others[0]}: "
                f"<c1>poetry remove {others[0]}</>, then <c1>poetry add {name}</>",
            )

    def _companion_pin(self, name: NormalizedName) -> str | None:
        """The constraint of a companion on a release for the project's TensorFlow."""
        if role(name) != "companion" or self.poetry is None:
            return None
        from poetry_tf.hooks.companions import companion_pin

        is_marked = not self._requirement(name).marker.is_any()
        return companion_pin(read_project(self.poetry), name, marked=is_marked)

    def complete(self, content: Any) -> None:
        """Completes what ``add`` is about to lock, where something belongs to what is added."""
        self.content = content
        if self.poetry is not None and _brings_others(self.io):
            from poetry_tf.hooks.companions import complete_requirements

            complete_requirements(self.poetry, self.io, content, self.pins)

    def judge_name(self, name: str) -> None:
        """Refuses a misspelt name before anything of that name is requested."""
        if self.setting.suspects(name):
            meant = misspelling_of(canonicalize_name(name))
            command = f"<c1>poetry add {meant}</>" if self.poetry is not None else f"<c1>{meant}</>"
            refuse_name(name, "", f"Did you mean {command}?")

    def judge_answer(self, answer: str) -> None:
        """Judges an answer of the dialogue: a name, optionally with a constraint."""
        name = _distribution_name(answer)
        self.judge_name(name)
        rest = re.sub(r"^[^@=<>~!^ ]*[@ ]*", "", answer)
        if name in tensorflow_distributions() and rest and rest != "latest":
            with suppress(ValueError):  # Poetry reports it
                self._judge_constraint(name, rest)

    def _judge_constraint(self, name: str, required: str) -> None:
        constraint, canonical = parse_constraint(required), canonicalize_name(name)
        if not is_wide(constraint) or self.setting.accepts("TF101", canonical):
            return
        project = read_project(self.poetry) if self.poetry is not None else None
        what = f"{escape_markup(f'{name} {required}')} {WIDE}"
        given = escape_markup(re.split(r"[@=<>~!^ ]", self.given.get(canonical, name))[0])
        example = example_version(project, constraint, self.python)
        remedy = (
            f"Add one series: <c1>poetry add {given}@~{example}</>, or the newest that fits: "
            f"<c1>poetry add {given}</>"
        )
        refuse(self.io, self.setting.pin, what, WHY, remedy)

    def _explained(self, find: Finder) -> tuple[str, str]:
        """Calls `find`; if the available wheels are why it fails, the error explains that."""
        try:
            return find()
        except ValueError as error:
            candidates = candidate_filter_of(reads.command_pool(self.command))
            why = candidates.explanation() if candidates is not None else None
            if why is None:
                raise
            raise command_error(why.headline, why.details) from error

    def _newest(self, find: Finder, name: str) -> tuple[str, str]:
        """The newest release that all targets can install, pinned to its minor series."""
        requirement, demand = self._requirement(name), self._demand()
        with self._filtered(requirement, demand):
            try:
                found, text = self._explained(find)
            except PoetryRuntimeError:
                if self.setting.managed:
                    raise
                found, text = self._newest_for_any_target(find, requirement, demand)
        version = text.lstrip("^~")
        if requirement.marker.is_any():
            self._offer_narrower_python(canonicalize_name(name), version, demand)
        return found, f"~{version}"

    def _newest_for_any_target(
        self, find: Finder, requirement: Dependency, demand: ReleaseDemand
    ) -> tuple[str, str]:
        """In a project that is not managed: the newest for the lowest Python, else any."""
        if pythons := required_pythons(demand.python):
            lowest = ReleaseDemand(python_range(pythons[:1]), demand.environments)
            with self._filtered(requirement, lowest), suppress(ValueError):
                return find()
        any_python = ReleaseDemand(VersionRange(), demand.environments)
        with self._filtered(requirement, any_python):
            return find()

    def _filtered(
        self, requirement: Dependency, demand: ReleaseDemand
    ) -> AbstractContextManager[None]:
        pool = reads.command_pool(self.command)

        def reader() -> NewReleases | None:
            from poetry_tf.hooks.new_releases import reader_for

            return reader_for(pool, self.io)

        def is_readable(name: str, version: Version) -> bool:
            if name not in DISTRIBUTIONS or whole(name).standing(version) != "newer":
                return True
            from poetry_tf.hooks.new_releases import can_read

            return version.is_prerelease or can_read(reader(), self.io, name, version)

        return filter_for_requirement(
            pool, requirement, demand, self.failed, reader=reader, can_read=is_readable
        )

    def _demand(self) -> ReleaseDemand:
        if self.poetry is None:
            return ReleaseDemand(self.python)
        return project_demand(self.poetry.package, self.setting.settings)

    def _requirement(self, name: str) -> Dependency:
        """The requirement that is added, with the marker that the options of ``add`` give it."""
        from poetry.factory import Factory

        markers = {}
        if self.poetry is not None:
            for key in ("python", "platform", "markers"):
                if self.command.definition.has_option(key) and (value := self.io.input.option(key)):
                    markers[key] = value
        return Factory.create_dependency(name, {"version": "*", **markers})

    def _offer_narrower_python(self, name: str, version: str, demand: ReleaseDemand) -> None:
        release = known_release(name, version)
        minors = release_pythons(release, demand.environments) if release is not None else ()
        if not minors or python_range(minors).allows_all(demand.python):
            return
        how = "as the Python versions of the project"
        if self.poetry is not None:
            how = "<c1>poetry tf check --fix</> writes it"
        python = narrowed_range(demand.python, minors)
        what = "is open-ended" if is_open_ended(demand.python) else "admits others"
        write_notice(
            self.io,
            f"poetry-tf: {escape_markup(f'{name} {version}')} has wheels for Python "
            f"{format_list(minors)}, but this "
            f'project {what}: set requires-python = "{python}" ({how})',
        )


def judge_proper_name(name: NormalizedName, io: IO, setting: GuardSettings) -> None:
    """Refuses a name that PyPI has nothing, a notice or an old package for, or warns of it."""
    if (meant := proper_name(name)) is None:
        return
    command = f"<c1>poetry add {meant}</>"
    if is_forwarding(name):
        what = f"{name} only installs {meant}. Add that instead: {command}"
    elif setting.managed:
        raise command_error(f"{name} is {meant} on PyPI.", f"Run: {command}")
    else:
        what = f"{name} is {meant} on PyPI: {command}"
    write_notice(io, f"<warning>poetry-tf: {what}</>")


def solve_addition(guard: AddGuard, solver: Any, solve: Solve) -> Any:
    """Solves for ``add``: where the newest versions fail, with versions that fit.

    What only the lock shows is completed as well.
    """
    from poetry.puzzle.exceptions import SolverProblemError

    poetry, io, content = guard.poetry, guard.io, guard.content
    if poetry is None or content is None:
        return solve(solver)
    try:
        transaction = solve(solver)
    except SolverProblemError as error:
        from poetry_tf.hooks.adding import Addition

        addition = Addition(poetry, io, guard.setting, frozenset(guard.bare), content)
        try:
            transaction = addition.solve_otherwise(solver, solve, error)
        except MOVED as moved:
            guard.failed(moved)
            raise error from moved
    from poetry_tf.hooks.companions import complete_by_lock

    # `report_findings` says what is left.
    with suppress(*MOVED, ProjectError, ValueError):
        return complete_by_lock(
            poetry, io, content, transaction, lambda: solve(patches.another_solver(solver))
        )
    return transaction


def report_findings(guard: AddGuard, locked: Collection[NormalizedName]) -> None:
    """Reports what `check` finds after ``add``, and what has to be built from source.

    `locked` are the distributions that were locked before.
    """
    io, poetry = guard.io, guard.poetry
    if poetry is None or io.input.option("dry-run"):
        return
    from poetry_tf.hooks.companions import findings_after_adding, source_builds

    root = poetry.pyproject_path.parent
    demand = project_demand(poetry.package, guard.setting.settings)
    for text in source_builds(root, demand, requested_names(io), locked):
        write_notice(io, f"poetry-tf: {escape_markup(text)}")
    for finding in findings_after_adding(root) if _brings_others(io) else ():
        remedy = "poetry tf check --fix" if finding.edits else "poetry tf check"
        what = escape_markup(finding.message)
        write_notice(io, f"<warning>poetry-tf: {what}: see <c1>{remedy}</></>")


def requested_names(io: IO) -> frozenset[NormalizedName]:
    """The distributions in the arguments of ``poetry add``."""
    return frozenset(_distribution_name(text) for text in io.input.argument("name"))


def requested_versions(arguments: list[str]) -> dict[str, str]:
    """The arguments of ``poetry add`` that have a version, by distribution."""
    return {_distribution_name(text): text for text in arguments if "@" in text or "=" in text}


def _brings_others(io: IO) -> bool:
    """Whether other requirements may belong to one of the arguments of ``add``."""
    names = requested_names(io)
    return bool(names & {item.name for item in need_keras_2()}) or any(map(role, names))


def _distribution_name(text: str) -> NormalizedName:
    """The distribution in an argument of ``poetry add``, as ``tensorflow[and-cuda]@~2.18``."""
    return canonicalize_name(re.split(r"[\[@=<>~!^ ]", text)[0])
