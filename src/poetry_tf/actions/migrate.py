"""Migrating a Conda or pip list: its packages become requirements that can be locked together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from urllib.parse import urlsplit

from cleo.io.io import IO
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from poetry_tf.actions.direct_origin import address_fault
from poetry_tf.actions.fix import UnservedError, fix_and_lock, fix_requirements
from poetry_tf.actions.init import is_new
from poetry_tf.actions.lock import (
    LockingError,
    UnsolvedError,
    mirrors_in_force,
    open_poetry,
    solve_lock,
)
from poetry_tf.actions.options import InitOptions, given_options
from poetry_tf.actions.progress import told_regularly
from poetry_tf.actions.project_index import ProjectIndex, nearest_release
from poetry_tf.checks.findings import CONTAINER_CODES, rules
from poetry_tf.files.edits import Edit, apply
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.lock import Lock
from poetry_tf.files.project import LOCK, Project
from poetry_tf.index.config import SettingLayer
from poetry_tf.migration.classify import (
    Classification,
    classify_entries,
    direct_entries,
    required_names,
    tensorflow_entries,
    with_constraints,
    with_unneeded,
)
from poetry_tf.migration.entries import PackageList
from poetry_tf.migration.fit import (
    IndexRelease,
    constrained_versions,
    fit_addresses,
    fit_to_index,
    free_versions,
    keep_versions,
    listed_versions,
    relax_conflicting,
    within_bounds,
    without_builds,
    without_conflicting,
    without_missing_files,
    without_unreadable,
)
from poetry_tf.migration.required import (
    RequiredEntry,
    line_edits,
    lowest_version,
    requirement_text,
)
from poetry_tf.migration.tensorflow import (
    GivenOptions,
    MigrationGoal,
    choose_goal,
    holds_in,
    tensorflow_lines,
)
from poetry_tf.plan.derive import without_image_limits
from poetry_tf.plan.environments import Target, required_environments
from poetry_tf.plan.installability import LockedPackages
from poetry_tf.plan.lock_entries import DependencyEdge, tag_rank, wheel_tag
from poetry_tf.plan.main_line import main_requirement
from poetry_tf.plan.model import Plan
from poetry_tf.plan.settings import read_settings
from poetry_tf.poetry_internals.notices import write_notice
from poetry_tf.pyproject.bounds import missing_bounds
from poetry_tf.releases import load
from poetry_tf.releases.images import load_images
from poetry_tf.text import format_count, format_list

_MOST_RELAXED = 10
"""The solves with the whole list. Before the last of them, every version in it is dropped."""
_MOST_SOLVES = 20
"""After them packages are left out, one after the other; before the last solve, all in conflict."""
_TELL_SECONDS = 15.0
"""How often a running solve is reported."""
_TELL_LOOKUP_SECONDS = 3.0
"""How often the progress of looking up a list is reported."""

_EMPTY_LOCK = '[metadata]\nlock-version = "2.1"\npython-versions = "*"\ncontent-hash = ""\n'
_LOCKED = (
    '\n[[package]]\nname = "{name}"\nversion = "{version}"\noptional = false\n'
    'python-versions = "*"\ngroups = ["main"]\nfiles = []\n'
)
"""A package of which a solver only sees the version."""

_TENSORFLOW_STAYS = "The project's TensorFlow was kept; to change it, run `poetry tf upgrade`"


class Migration:
    """The migration of one list into a project.

    Attributes:
        goal: the TensorFlow and the Python that it is for.
        classification: what becomes of its lines, as far as is known.
    """

    def __init__(self, listing: PackageList, progress: Callable[[str], None]) -> None:
        """`progress` gets a line of text for each step that takes time."""
        self.listing = listing
        self.goal = MigrationGoal()
        self.classification = Classification((), (), listing.skipped)
        self._progress = progress
        self._listed: dict[NormalizedName, Version] = {}
        """The versions that the list names and that can be installed."""
        self._constrained: dict[NormalizedName, Version] = {}
        """The versions within its constraints on what only others bring."""
        self._freed: Classification | None = None
        """What the list was before its versions were only preferred."""

    def choose_options(self, project: Project, options: InitOptions) -> InitOptions:
        """The options, completed from the list; raises `PlanError` if it contradicts itself."""
        catalog, images = load(), load_images()
        settings = read_settings(project)[0]
        if main_requirement(project) is not None:  # only the rest of the list is migrated
            if options.tensorflow is None and tensorflow_lines(self.listing):
                self.goal = MigrationGoal(notes=(_TENSORFLOW_STAYS,))
            return replace(options, listing=self.listing.argument)
        self.goal = choose_goal(
            self.listing,
            GivenOptions(options.tensorflow, options.python, given_options(project, options)),
            catalog,
            images if options.container else without_image_limits(images, catalog),
            choice=options.gpu or settings.gpu,
            environments=options.environments or settings.environments,
        )
        return replace(
            options,
            listing=self.listing.argument,
            tensorflow=self.goal.tensorflow or options.tensorflow,
            python=options.python or self.goal.python,
            gpu=options.gpu or self.goal.gpu,
        )

    def without_lookup(self, prepared: Project, plan: Plan) -> Project:
        """The project with the requirements of the list as written, without an index."""
        self.classification = self._classify(prepared, plan)
        return self.with_requirements_fixed(prepared, plan)

    def lock(
        self, prepared: Project, plan: Plan, mirrors: tuple[SettingLayer, ...], io: IO
    ) -> Project:
        """The project with the requirements of the list, and its lock.

        The versions of the list are preferred also where they are not required. Those that are not
        available are relaxed. Where some conflict, none is required, and those that are then locked
        are required again; what conflicts also then is relaxed step by step. Raises `LockingError`.
        """
        self.classification = self._look_up(prepared, plan, mirrors, io)
        own = required_names(plan.release)  # of which TensorFlow decides
        listed = {name: one for name, one in self._listed.items() if name not in own}
        listed |= self._constrained
        preferred = _with_preferred(prepared, listed) if listed else prepared.valid_lock
        for number in range(1, _MOST_SOLVES + 1):
            project = self.with_requirements_fixed(prepared, plan)
            try:
                with _told_off_terminal(f"Still resolving, attempt {number}", io):
                    preferred = solve_lock(replace(project, lock=preferred), mirrors, io)
                locked = replace(project, lock=preferred)
                changed = (
                    self._with_kept_versions(locked)
                    or self._without_missing_files(locked, plan)
                    or self._within_bounds(locked)
                )
                if changed is None or number == _MOST_SOLVES:
                    if locked.valid_lock is not None:
                        versions = locked.valid_lock.versions
                        found = with_unneeded(self.classification, versions)
                        self.classification = with_constraints(found, versions)
                    return locked
                self.classification = changed
            except UnsolvedError as error:
                changed = self._with_free_versions(error.conflicting) or self._without_conflict(
                    number, error.conflicting
                )
                if changed is None or number == _MOST_SOLVES:
                    raise
                self.classification = changed
        raise AssertionError

    def _with_free_versions(self, conflicting: Collection[str]) -> Classification | None:
        """The list with its versions preferred, not required; None where they were already."""
        names = [item.name for item in self.classification.required if item.key in conflicting]
        changed = free_versions(self.classification, self._listed) if names else None
        if changed is not None:
            self._freed = self._freed or self.classification
            what = format_list(dict.fromkeys(names))
            self._progress(f"The versions of {what} conflict; keeping what goes together")
        return changed

    def _with_kept_versions(self, locked: Project) -> Classification | None:
        """The list with the preferred versions that are locked required again; None without any."""
        if self._freed is None or (lock := locked.valid_lock) is None:
            return None
        before, self._freed = self._freed, None
        return keep_versions(self.classification, before, lock.versions)

    def _without_missing_files(self, locked: Project, plan: Plan) -> Classification | None:
        """The list without what brings a package that has no file; None where all have one."""
        if (lock := locked.valid_lock) is None:
            return None
        packages = LockedPackages.of(lock, locked.pyproject)
        targets = self._targets(locked, plan)
        missing = {
            item.package.name: [target.environment for target in item.targets]
            for item in packages.obstacles(targets, load_images().systems)
            if item.reason == "file"
        }
        if not missing:
            return None
        brought = {
            item.key: packages.brought_by(
                DependencyEdge(
                    item.key, "*", extras=frozenset(map(canonicalize_name, item.entry.extras))
                ),
                targets,
            )
            for item in self.classification.required
        }
        changed = without_missing_files(
            self.classification, missing, brought, targets[0].environment
        )
        if changed is not None:
            self._progress(f"No file of {format_list(sorted(missing))}; leaving it out there")
        return changed

    def _within_bounds(self, locked: Project) -> Classification | None:
        """The list with other versions of what breaks beside what is locked; None without such."""
        broken = {
            issue.item.name: (issue.bound, issue.message)
            for issue in missing_bounds(locked)
            if issue.bound
        }
        changed = within_bounds(self.classification, broken)
        if changed is not None:
            self._progress(f"Trying versions of {format_list(sorted(broken))} that work")
        return changed

    def _targets(self, project: Project, plan: Plan) -> list[Target]:
        environments = read_settings(project)[0].environments
        return [
            Target(name, plan.python) for name in required_environments(plan.release, environments)
        ]

    def _without_conflict(self, number: int, conflicting: Collection[str]) -> Classification | None:
        """The list for the next solve: with other versions, or less of it; None without one."""
        before = self.classification
        if conflicting and number < _MOST_RELAXED:
            everything = number == _MOST_RELAXED - 1
            relaxed = relax_conflicting(before, conflicting, everything=everything)
            if relaxed is not None:
                pairs = zip(before.required, relaxed.required, strict=True)
                names = [new.name for old, new in pairs if old != new]
                self._progress(f"The versions of {format_list(names)} conflict; trying others")
                return relaxed
        left = without_conflicting(before, conflicting, every=number == _MOST_SOLVES - 1)
        if left is not None:
            names = [item.name for item in before.required if item not in left.required]
            self._progress(f"Leaving out {format_list(names)}: no version fits the rest")
        return left

    def with_requirements_fixed(self, prepared: Project, plan: Plan) -> Project:
        """The project with the current requirements of the list and what they make necessary."""
        return fix_requirements(self.with_requirements(prepared), plan)

    def with_requirements(self, prepared: Project) -> Project:
        """The project with the current requirements of the list."""
        required = self.classification.required
        project = apply(prepared, line_edits(prepared, required))
        name = prepared.pyproject.document.get(("project", "name"))
        if is_new(prepared.root) and name in {item.key for item in required}:
            # A project with the name of a package that it requires can't be solved.
            edit = Edit(project.pyproject.path, "set", ("project", "name"), f"{name}-project")
            project = apply(project, [edit])
        return project

    def _classify(self, prepared: Project, plan: Plan) -> Classification:
        present = {item.name for item in prepared.pyproject.requirements}
        if not is_new(prepared.root) and (name := prepared.pyproject.name) is not None:
            present.add(canonicalize_name(name))
        moved = bool(self.goal.changes)
        return classify_entries(
            self.listing,
            plan.release,
            plan.pythons,
            present,
            moved=moved,
            environments=read_settings(prepared)[0].environments,
        )

    def _look_up(
        self, prepared: Project, plan: Plan, mirrors: tuple[SettingLayer, ...], io: IO
    ) -> Classification:
        targets = self._targets(prepared, plan)
        found = fit_addresses(self._classify(prepared, plan), targets, _fits)
        with open_poetry(prepared, mirrors, io) as poetry:
            faults: dict[str, str] = {}

            def fault(item: RequiredEntry) -> str | None:
                parts = urlsplit(item.entry.address)
                if parts.netloc in faults:
                    return faults[parts.netloc]
                self._progress(f"Reading {item.name} from its address")
                why = address_fault(poetry, requirement_text(item))
                if why is not None and parts.hostname and parts.hostname in why:
                    faults[parts.netloc] = why  # the host can't be reached
                return why

            found = without_unreadable(found, fault)
            index = ProjectIndex(poetry)
            entries = [item for item in found.required if not item.entry.address]
            if self.listing.is_export:
                entries += tensorflow_entries(found)
            constraints = [item.entry for item in found.dropped if item.reason == "unfollowed"]
            names = dict.fromkeys(
                [*(item.key for item in entries), *(item.key for item in constraints)]
            )
            if names:
                self._progress(f"Looking up {format_count(len(names), 'package')}")

            def tell(_: int) -> None:
                self._progress(f"Looked up {index.answered} of {index.asked}")

            with told_regularly(tell, _TELL_LOOKUP_SECONDS):
                releases = index.releases(names, targets)
                self._listed = listed_versions(found.required, releases)
                holding = [one for one in constraints if holds_in(one.marker, targets[0])]
                self._constrained = constrained_versions(holding, releases)
                if self.listing.is_export:
                    requires = index.requires(_nearest_releases(entries, releases), targets[0])
                    found = direct_entries(found, requires, plan.release)
            found = fit_to_index(found, releases, targets[0])

            def obstacle(name: NormalizedName, version: Version) -> str | None:
                self._progress(f"{name} has no wheel: reading what its source requires")
                return index.build_obstacle(name, version)

            return without_builds(found, releases, obstacle, targets[0])


def lock_prepared(
    prepared: Project,
    plan: Plan,
    options: InitOptions,
    io: IO,
    *,
    migration: Migration | None,
    locks: bool,
) -> Project:
    """The prepared project with the migrated requirements and a valid lock.

    What only the lock shows is fixed as well, and locked. With `locks` false, nothing is locked or
    looked up. Raises `LockingError`.
    """
    if not locks:
        return prepared if migration is None else migration.without_lookup(prepared, plan)
    if isinstance(prepared.lock, ProjectError):
        raise prepared.lock
    mirrors = mirrors_in_force(prepared, options.mirror)

    def solve(edited: Project) -> Lock:
        with _told_off_terminal("Still resolving", io):
            return solve_lock(edited, mirrors, io)

    locked = prepared
    if migration is not None:
        locked = migration.lock(prepared, plan, mirrors, io)
    elif not prepared.is_locked:
        locked = replace(prepared, lock=solve(prepared))
    codes = {rule.code for rule in rules()} - CONTAINER_CODES - {"TF501"}
    # `check` says what is left.
    with suppress(LockingError, UnservedError):
        return fix_and_lock(locked, codes, solve).project
    return locked


def _with_preferred(project: Project, versions: Mapping[NormalizedName, Version]) -> Lock:
    """A lock for a solve that prefers versions, beside what is locked already."""
    existing = project.valid_lock
    known = existing.versions if existing is not None else {}
    text = existing.text if existing is not None else _EMPTY_LOCK
    for name, version in versions.items():
        if name not in known:
            text += _LOCKED.format(name=name, version=version)
    return Lock.read(project.root / LOCK, text)


def _told_off_terminal(text: str, io: IO) -> AbstractContextManager[None]:
    """Reports regularly that a solve continues; on a terminal Poetry does."""
    if io.output.is_decorated():
        return nullcontext()
    return told_regularly(
        lambda seconds: write_notice(io, f"<comment>{text} ({seconds} s)</>"), _TELL_SECONDS
    )


def _fits(wheel: str, target: Target) -> bool:
    """Whether a wheel of a file name can be installed in a target."""
    return tag_rank(wheel_tag(wheel), target, load_images().systems) is not None


def _nearest_releases(
    entries: Iterable[RequiredEntry],
    releases: Mapping[NormalizedName, Sequence[IndexRelease] | None],
) -> dict[NormalizedName, Version]:
    """The release of each package that its dependencies are read from."""
    found = {}
    for item in entries:
        lowest = lowest_version(item.entry.specifier)
        if (version := nearest_release(releases.get(item.key) or (), lowest)) is not None:
            found[item.key] = version
    return found
