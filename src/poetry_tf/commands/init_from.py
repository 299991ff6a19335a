"""``poetry tf init --from``: a project after the list of an environment of Conda's, or of pip's."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from poetry_tf.actions.fix import fix_requirements
from poetry_tf.actions.init import is_new
from poetry_tf.actions.lock import LockingError, open_poetry, solve_lock
from poetry_tf.actions.offers import ProjectIndex, nearest_release
from poetry_tf.actions.options import InitOptions
from poetry_tf.commands.base import TensorFlowCommand, plain
from poetry_tf.commands.init_output import MigrationReport, make_migration_report
from poetry_tf.files.edits import Edit, apply
from poetry_tf.files.project import Project
from poetry_tf.migration.classify import (
    Classification,
    classify_entries,
    direct_entries,
    tensorflow_entries,
)
from poetry_tf.migration.decoding import read_list_file
from poetry_tf.migration.edits import line_edits
from poetry_tf.migration.entries import STDIN, PackageList
from poetry_tf.migration.fit import (
    IndexRelease,
    fit_to_index,
    relax_conflicting,
    without_unreadable_sources,
)
from poetry_tf.migration.formats import read_list
from poetry_tf.migration.relax import RequiredEntry, lowest_version
from poetry_tf.migration.tensorflow import (
    GivenOptions,
    MigrationGoal,
    choose_goal,
    tensorflow_lines,
)
from poetry_tf.plan.derive import without_image_limits
from poetry_tf.plan.environments import Target, required_environments
from poetry_tf.plan.model import Plan
from poetry_tf.plan.requirement import main_requirement
from poetry_tf.plan.settings import read_settings
from poetry_tf.releases import load
from poetry_tf.releases.images import load_images
from poetry_tf.text import format_count, format_list

ROUNDS = 10
"""Solves at most; in the last but one every version that the list names is given up."""

STAYS = "TensorFlow stays as the project requires it; `poetry tf upgrade` moves it"


class Migration:
    """One list on its way into a project."""

    def __init__(self, command: TensorFlowCommand, argument: str) -> None:
        """Reads the list; raises `ProjectError`."""
        self._command = command
        path = Path(STDIN if argument == "-" else argument)
        data = sys.stdin.buffer.read() if argument == "-" else read_list_file(path)
        self._listing: PackageList = read_list(data, path)
        self._aim = MigrationGoal()
        self._found: Classification | None = None

    def options(self, project: Project, options: InitOptions) -> InitOptions:
        """What was asked for, with what the list says where that leaves it open.

        Raises `PlanError` where what the list says can't be.
        """
        catalog, images = load(), load_images()
        settings = read_settings(project)[0]
        if main_requirement(project) is not None:  # so it gets the rest of the list only
            if options.tensorflow is None and tensorflow_lines(self._listing):
                self._aim = MigrationGoal(notes=(STAYS,))
            return options
        self._aim = choose_goal(
            self._listing,
            GivenOptions(options.tensorflow, options.python),
            catalog,
            images if options.container else without_image_limits(images, catalog),
            choice=options.gpu or settings.gpu,
            environments=options.environments or settings.environments,
        )
        return replace(
            options,
            tensorflow=options.tensorflow or self._aim.tensorflow,
            python=options.python or self._aim.python,
            gpu=options.gpu or self._aim.gpu,
        )

    def report(self, *, whole: bool) -> MigrationReport:
        """What became of the list."""
        found = self._found or Classification((), (), self._listing.skipped)
        sentences = (*self._aim.changes, *self._aim.notes)
        return make_migration_report(self._listing, found, sentences, whole=whole)

    # -- the way ----------------------------------------------------------------------------

    def unasked(self, prepared: Project, plan: Plan) -> Project:
        """The project with the lines of the list as they are, nothing of them looked up."""
        self._found = self._sorted(prepared, plan)
        return self.prepared(prepared, plan)

    def locked(self, prepared: Project, plan: Plan, mirror: object) -> Project:
        """The project with what it requires after the list, and its lock.

        Versions that can't be had, or not together, are given up step by step. Raises
        `LockingError`.
        """
        self._found = self._looked_up(prepared, plan, mirror)
        for left in range(ROUNDS, 0, -1):
            project = self.prepared(prepared, plan)
            try:
                return replace(project, lock=solve_lock(project, mirror, self._command.io))
            except LockingError as error:
                before = self._found
                found = relax_conflicting(before, error.conflicting, everything=left == 2)
                if found is None or left == 1 or not error.conflicting:
                    raise
                self._found = found
                given_up = [
                    new.name
                    for old, new in zip(before.required, found.required, strict=True)
                    if old != new
                ]
                self._say(f"No way with the versions of {format_list(given_up)}; trying others")
        raise AssertionError

    def prepared(self, begun: Project, plan: Plan) -> Project:
        """The project with the lines as they are required by now, and what they make necessary."""
        return fix_requirements(self.with_lines(begun), plan)

    def _sorted(self, prepared: Project, plan: Plan) -> Classification:
        had = {item.name for item in prepared.pyproject.requirements}
        if not is_new(prepared.root) and (name := prepared.pyproject.name) is not None:
            had.add(canonicalize_name(name))
        moved = bool(self._aim.changes)
        return classify_entries(self._listing, plan.release, plan.python, had, moved=moved)

    def with_lines(self, prepared: Project) -> Project:
        """The project with the lines of the list, as far as they are required by now."""
        required = self._found.required if self._found is not None else ()
        project = apply(prepared, line_edits(prepared, required))
        name = prepared.pyproject.document.get(("project", "name"))
        if is_new(prepared.root) and name in {item.key for item in required}:
            # A project that is called like a package it requires could not be solved.
            edit = Edit(project.pyproject.path, "set", ("project", "name"), f"{name}-project")
            project = apply(project, [edit])
        return project

    def _looked_up(self, prepared: Project, plan: Plan, mirror: object) -> Classification:
        found = self._sorted(prepared, plan)
        environments = read_settings(prepared)[0].environments
        targets = [
            Target(name, plan.python) for name in required_environments(plan.release, environments)
        ]
        with open_poetry(prepared, mirror, self._command.io) as poetry:
            index = ProjectIndex(poetry)
            lines = [item for item in found.required if not item.entry.address]
            if self._listing.is_export:
                lines += tensorflow_entries(found)
            names = dict.fromkeys(item.key for item in lines)
            if names:
                self._say(f"Asking for {format_count(len(names), 'package')}")
            offers = index.releases(names, targets)
            if self._listing.is_export:
                releases = _looked_at(lines, offers)
                requires = index.requires(releases, targets[0])
                found = direct_entries(found, requires, plan.release)
            found = fit_to_index(found, offers, targets[0])
            return without_unreadable_sources(found, offers, self._heard(index.build_error))

    def _heard(
        self, fault: Callable[[NormalizedName, Version], str | None]
    ) -> Callable[[NormalizedName, Version], str | None]:
        def ask(name: NormalizedName, version: Version) -> str | None:
            self._say(f"{name} has no wheel: asking its source what it requires")
            return fault(name, version)

        return ask

    def _say(self, line: str) -> None:
        self._command.line_error(f"<comment>{plain(line)}</>")


def _looked_at(
    required: Sequence[RequiredEntry],
    offers: Mapping[NormalizedName, Sequence[IndexRelease] | None],
) -> dict[NormalizedName, Version]:
    """The release of each package that tells what it requires."""
    found = {}
    for item in required:
        least = lowest_version(item.entry.specifier) if item.entry.specifier else None
        if (version := nearest_release(offers.get(item.key) or (), least)) is not None:
            found[item.key] = version
    return found
