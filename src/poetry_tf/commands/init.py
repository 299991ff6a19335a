"""``poetry tf init``: sets up a new or an existing project."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

from cleo.io.inputs.option import Option
from cleo.io.io import IO

from poetry_tf.actions.container import with_containers
from poetry_tf.actions.here import lacks_gpu, read_here
from poetry_tf.actions.init import (
    is_new,
    loses_name,
    open_project,
    with_options,
    with_options_fixed,
)
from poetry_tf.actions.lock import LockingError
from poetry_tf.actions.migrate import Migration, lock_prepared
from poetry_tf.actions.mirror import check_source, validate_mirror
from poetry_tf.actions.new_releases import chooses_new_series, read_new_series
from poetry_tf.actions.options import (
    InitOptions,
    given_options,
    may_keep_pin,
    parse_environments,
    parse_gpu,
    plan_options,
    replaced_settings,
)
from poetry_tf.checks.findings import find_problems, make_context
from poetry_tf.commands.allow import allow_mirrors
from poetry_tf.commands.base import TensorFlowCommand, nothing_written, plain
from poetry_tf.commands.devcontainer_output import plan_summary, unproven_warning
from poetry_tf.commands.init_dialogue import (
    ask_container,
    ask_options,
    choose_list,
    choose_name,
    is_place_open,
)
from poetry_tf.commands.init_here import (
    chosen_python_note,
    gpu_note,
    missing_environment_note,
    no_python_warning,
)
from poetry_tf.commands.init_options import OPTIONS
from poetry_tf.commands.init_output import (
    added_lines,
    cuda_origin,
    lock_summary,
    migration_lines,
    newer_release_note,
    next_steps,
    series_notes,
    staying_notes,
    untaken_note,
)
from poetry_tf.files.edits import changed_texts, diffs
from poetry_tf.files.project import (
    LOCK,
    PYPROJECT,
    Project,
    is_fully_managed,
    readable_configurations,
)
from poetry_tf.index.config import is_set_on_machine
from poetry_tf.migration import read_list
from poetry_tf.migration.decoding import MAX_BYTES, lists_beside, read_list_file
from poetry_tf.migration.entries import STDIN
from poetry_tf.plan.derive import wants_container
from poetry_tf.plan.here import Here, choosable_minors, environments_here, python_here
from poetry_tf.plan.main_line import main_requirement
from poetry_tf.plan.model import CONTAINER_PLATFORM, Plan
from poetry_tf.plan.python import admitted_minors, project_pythons
from poetry_tf.plan.settings import read_settings, require_valid_settings
from poetry_tf.poetry_internals.environment import activated
from poetry_tf.poetry_internals.notices import fit_terminal
from poetry_tf.poetry_internals.pythons import found_pythons, oldest_minor
from poetry_tf.poetry_internals.reads import input_tokens

SOURCE_COST = """\
The lock file is tied to this mirror: it names the source for every package, changing or removing \
the mirror makes it out of date, and nobody can install without access to the mirror. The default, \
a setting in poetry.toml, has none of these costs."""


HELP = """\
In an empty folder this creates a project: <comment>pyproject.toml</> with TensorFlow pinned to \
one minor series and the Pythons that it has wheels for, <comment>poetry.toml</> with the mirror, \
<comment>poetry.lock</>, and a <comment>.devcontainer/devcontainer.json</> with matching Python, \
CUDA and cuDNN. In a Poetry project it changes only what has to change.

It asks for what the options leave open. With <info>-n</> it uses the defaults and makes a \
container. It writes all files or none.
"""


class InitCommand(TensorFlowCommand):
    name = "tf init"
    description = "Sets up a project for TensorFlow: pin, lock and dev container."
    options: ClassVar[list[Option]] = OPTIONS
    loggers: ClassVar[list[str]] = ["poetry.repositories.pypi_repository"]
    help = HELP
    examples: ClassVar[Mapping[str, str]] = {
        "poetry tf init": "asks what the project needs",
        "poetry tf init -n --tensorflow 2.18 --gpu pip": "TensorFlow 2.18, CUDA from its wheels",
        "poetry tf init -n --no-devcontainer": "for this machine, without a container",
        "poetry tf init --from environment.yml": "takes over a Conda environment",
    }

    def run(self, io: IO) -> int:
        # cleo takes a lone hyphen for an option, unless it is in the same word.
        tokens = input_tokens(io)
        for index, pair in enumerate(pairwise(tokens)):
            if pair == ("--from", "-"):
                tokens[index : index + 2] = ["--from=-"]
        return super().run(io)

    def root(self) -> Path:
        folder = self.start()
        above = next((item for item in folder.parents if (item / PYPROJECT).is_file()), None)
        if above is not None and is_new(folder):
            text = plain(f"This creates a separate project inside the one in {above}")
            self.line_error(f"<comment>{text}</>")
        return folder

    def run_in(self, root: Path) -> int:
        new = is_new(root)
        lists = lists_beside(root) if new and self.option("from") is None else ()
        migration = self._read_migration(root, lists)
        project = open_project(root, choose_name(self, root) if new and loses_name(root) else None)
        options = self._given_options()
        require_valid_settings(project, replaced_settings(options))
        options = replace(options, container=options.container and wants_container(project))
        here = read_here()
        if self.io.is_interactive() and is_place_open(project, options, here):
            options = replace(options, container=ask_container(self, here))
        if not options.container:
            here = self._look_around(here, root)
            options = replace(options, pythons=choosable_minors(here))
            if new and options.environments is None:
                options = replace(options, environments=environments_here(here))
        if migration is not None:
            options = migration.choose_options(project, options)
        options = replace(options, keeps_pin=may_keep_pin(project, options))
        if not self.option("no-lock") and chooses_new_series(project, options):
            read_new_series(project, options, self.io, default="auto")
        if self.io.is_interactive():
            options = ask_options(self, project, options, here, new=new)
        plan = plan_options(project, options)
        choice = options.gpu or read_settings(project)[0].gpu
        given = given_options(project, replace(options, gpu=None))
        note = gpu_note(plan, choice, here, container=options.container, given=given)
        if note is not None:
            self.warn(note)
        if not new:
            for note in series_notes(project, options, plan):
                self.report(note)
        default = None if is_set_on_machine() else "auto"
        prepare = with_options_fixed if migration is None else with_options
        prepared = prepare(project, options, plan, new=new, mirror=default)
        if not options.container:
            self._show_python(project, prepared, plan, options, here)
        if migration is None:
            self._show_added(project, prepared)
            for note in staying_notes(prepared, options, plan):
                self.line_error(plain(note))
        locks = not self.option("no-lock")
        try:
            project = lock_prepared(
                prepared, plan, options, self.io, migration=migration, locks=locks
            )
        except LockingError as error:
            return self._not_locked(error, prepared, plan, options, migration)
        if options.container:
            project, plan = with_containers(project)
        elif locks:
            plan = make_context(project).plan or plan
        if migration is not None:
            self._show_added(migration.with_requirements(prepared), project)
            _show_migration(self, migration, cuda_origin(plan, container=options.container))
            lists = ()
        return self._finish(project, plan, options, here=here, migration=migration, lists=lists)

    # -- the options ------------------------------------------------------------------------

    def _read_migration(self, root: Path, lists: Sequence[str]) -> Migration | None:
        """The list that is given, or else chosen of those beside a new project."""
        source: str | None = self.option("from")
        if lists and not self.io.is_interactive():
            self.report(untaken_note(lists))
        elif lists and (name := choose_list(self, lists)) is not None:
            source = name if root == Path.cwd().resolve() else str(root / name)
        if source is None:
            return None
        if source == "-":
            self.io.interactive(False)  # standard input is the list
            listing = read_list(sys.stdin.buffer.read(MAX_BYTES + 1), Path(STDIN))
        else:
            listing = read_list(read_list_file(Path(source)), Path(source))
        return Migration(listing, self.report)

    def _given_options(self) -> InitOptions:
        gpu, mirror = self.option("gpu"), self.option("mirror")
        write_source: bool = self.option("write-source")
        setting = None
        if mirror is not None:
            setting = validate_mirror(mirror, "--mirror: ", shared=True)
        if write_source and setting is not None:
            check_source(setting)
        environments: list[str] = self.option("environments")
        return InitOptions(
            tensorflow=self.option("tensorflow"),
            python=self.option("python"),
            gpu=parse_gpu(gpu) if gpu is not None else None,
            environments=parse_environments(environments) if environments else None,
            mirror=mirror,
            write_source=write_source,
            container=not self.option("no-devcontainer"),
        )

    def _look_around(self, here: Here, root: Path) -> Here:
        """The machine with its Pythons and its GPU; it starts programs, which may take seconds."""
        if (active := activated()) is not None and active.is_missing:
            self.warn(missing_environment_note(active.variable, str(active.folder)))
        self.line_error("<c2>Looking for Pythons on this machine …</>")
        may_use_one = here.environment == CONTAINER_PLATFORM and not here.has_modules
        return replace(
            here,
            lacks_gpu=may_use_one and lacks_gpu(),
            oldest=oldest_minor(),
            pythons=found_pythons(root),
        )

    # -- the output -------------------------------------------------------------------------

    def _not_locked(
        self,
        error: LockingError,
        prepared: Project,
        plan: Plan,
        options: InitOptions,
        migration: Migration | None,
    ) -> int:
        self.fail("Could not lock the project; nothing was written")
        self.show_lines(str(error))
        if migration is not None:
            prepared = migration.with_requirements_fixed(prepared, plan)
        self._show_undecided(prepared, {"TF302", "TF501"}, migration)
        if options.mirror not in {None, "auto", "off"}:
            self.line_error("If the mirror is the cause, try --mirror auto or another mirror.")
        return 1

    def _finish(
        self,
        project: Project,
        plan: Plan,
        options: InitOptions,
        *,
        here: Here,
        migration: Migration | None,
        lists: Sequence[str],
    ) -> int:
        texts = changed_texts(project)
        undecided = {"TF302"} if self.option("no-lock") else set()
        if self.option("dry-run"):
            _show_diffs(self, project, texts)
            if migration is not None:
                self._show_undecided(project, undecided, migration)
            self.line_error(nothing_written(self))
            return 0
        self.write_files(project.root, texts, project.snapshot)
        if options.mirror is not None:
            allow_mirrors(self, options.mirror)
        if options.container and (warning := unproven_warning(plan)) is not None:
            self.warn(warning)
        self.line("")
        self._show_files(project, plan, options, here, texts)
        self._show_undecided(project, undecided, migration)
        if (note := newer_release_note(project, options, plan)) is not None:
            self.report(note)
        self.line("Next:")
        if self.option("directory") or self.option("project"):
            folder = shlex.quote(self.path_from_here(project.root))
            self.line(f"  - Go to the project's folder: <c1>cd {plain(folder)}</>")
        for step in next_steps(project, plan, options, here, lists):
            self.line(f"  - {step}")
        return 0

    def _show_python(
        self, before: Project, project: Project, plan: Plan, options: InitOptions, here: Here
    ) -> None:
        """Shows which Python of this machine a new requirement gets, or that none fits."""
        minors = admitted_minors(plan.pythons, project_pythons(project))
        if (warning := no_python_warning(plan, here, minors)) is not None:
            self.warn(warning)
        elif main_requirement(before) is None:
            newest = plan_options(before, replace(options, pythons=())).release.series
            if (note := chosen_python_note(plan, newest, here, minors)) is not None:
                self.report(note)

    def _show_added(self, before: Project, after: Project) -> None:
        for line in added_lines(before, after):
            self.line_error(plain(line))

    def _show_files(
        self,
        project: Project,
        plan: Plan,
        options: InitOptions,
        here: Here,
        texts: dict[Path, str],
    ) -> None:
        minors = admitted_minors(plan.pythons, project_pythons(project))
        if not options.container and (found := python_here(here, minors)) is not None:
            plan = replace(plan, pythons=(found.minor,))
        managed = (
            item.document
            for item in readable_configurations(project)
            if is_fully_managed(project, item)
        )
        summary = plain(plan_summary(plan, next(managed, None) if options.container else None))
        if not texts:
            self.line(f"Nothing to change: {summary}")
            return
        self.line(f"<info>{summary}</>")
        self.show_paths(texts)
        if options.write_source:
            self.line_error(f"<warning>{SOURCE_COST}</warning>")

    def _show_undecided(
        self, project: Project, expected: set[str], migration: Migration | None
    ) -> None:
        """Shows the lines and the findings that are left to the user, but not expected ones."""
        findings = [
            item for item in find_problems(make_context(project)) if item.code not in expected
        ]
        lines = migration.classification.undecided if migration is not None else ()
        if findings or lines:
            self.line_error("<warning>Left for you to decide:</warning>")
        for line in lines:
            self.line_error(f"<c1>{plain(str(line.location))}</> {plain(line.written)}")
            reason = f"    {plain(line.reason)}"
            self.line_error(fit_terminal(self.io.error_output, reason, is_prose=True))
        for finding in findings:
            self.show_finding(finding)


def _show_migration(command: InitCommand, migration: Migration, cuda: str) -> None:
    command.line("")
    sentences = (*migration.goal.changes, *migration.goal.notes)
    for line in migration_lines(
        migration.listing, migration.classification, sentences, cuda, whole=command.io.is_verbose()
    ):
        command.line(fit_terminal(command.io.output, plain(line), is_prose=True))


def _show_diffs(command: InitCommand, project: Project, texts: Mapping[Path, str]) -> None:
    """Shows the diffs; that of the lock file only if verbose."""
    verbose = command.io.is_verbose()
    shown = {path: text for path, text in texts.items() if path.name != LOCK or verbose}
    command.show_diffs(diffs(project, shown))
    for path in texts.keys() - shown.keys():
        command.line(lock_summary(path, texts[path]))
