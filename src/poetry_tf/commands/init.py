"""``poetry tf init``: sets a project up, or puts an existing one right."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

from cleo.helpers import option
from cleo.io.inputs.option import Option
from cleo.io.io import IO
from cleo.ui.question import Question

import poetry_tf
from poetry_tf.actions.init import (
    InitOptions,
    added_for_environments,
    is_new,
    open_project,
    parse_environments,
    parse_gpu,
    plan_options,
    validate_mirror,
    with_containers,
    with_options,
    with_options_fixed,
)
from poetry_tf.actions.lock import LockingError, machine_mirror, mirror_in_force, solve_lock
from poetry_tf.checks.run import find_problems, make_context
from poetry_tf.commands.base import TensorFlowCommand, plain
from poetry_tf.commands.devcontainer import summary, up, warning, without_plugin
from poetry_tf.commands.init_from import Migration
from poetry_tf.files.configurations import is_fully_managed, readable_configurations
from poetry_tf.files.edits import changed_texts, diffs
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.project import LOCK, PYPROJECT, Project
from poetry_tf.index.mirrors import MIRRORS, parse_mirror
from poetry_tf.plan.derive import mirror_setting, wants_container
from poetry_tf.plan.environments import DEFAULT_ENVIRONMENTS, ENVIRONMENTS
from poetry_tf.plan.model import Plan, PlanError
from poetry_tf.plan.requirement import (
    constraint_series,
    joint_constraint,
    locked_tensorflow,
    lower_bound,
    main_requirement,
)
from poetry_tf.plan.settings import read_settings
from poetry_tf.poetry_internals.reads import input_tokens
from poetry_tf.releases import load

SOURCE_COST = """\
The lock is bound to this mirror: every package in it names the source, changing or removing \
the mirror makes the lock stale, and who can't reach it can't install. The default, a setting in \
poetry.toml, costs none of that."""


class InitCommand(TensorFlowCommand):
    name = "tf init"
    description = "Sets up a project for TensorFlow: pin, lock and dev container."
    options: ClassVar[list[Option]] = [
        option(
            "from",
            None,
            "Take over the packages of an environment.yml of Conda's, of what <info>conda list</> "
            "exports, or of a requirements.txt; <info>-</> reads it from standard input.",
            flag=False,
        ),
        option(
            "tensorflow",
            None,
            "The series of TensorFlow (2.18), or the release to begin it at (2.18.1). "
            "Default: the newest.",
            flag=False,
        ),
        option(
            "python",
            None,
            "The Python minor version (3.11). Default: the newest that TensorFlow has wheels for.",
            flag=False,
        ),
        option(
            "gpu",
            None,
            "auto, system (CUDA and cuDNN installed in the container), pip (TensorFlow's "
            "and-cuda wheels) or none.",
            flag=False,
        ),
        option(
            "environments",
            None,
            f"Where the lock has to be installable: some of {', '.join(ENVIRONMENTS)}, between "
            f"commas or repeated. Default: {' and '.join(DEFAULT_ENVIRONMENTS)}, the container's.",
            flag=False,
            multiple=True,
        ),
        option(
            "mirror",
            None,
            f"auto, off, a URL, one of {', '.join(MIRRORS)}, or several of these with commas "
            "between them, the preferred first. Default: auto, which is TUNA unless it fails or "
            "PyPI is clearly faster from here.",
            flag=False,
        ),
        option(
            "write-source",
            None,
            "Write the mirror into pyproject.toml as a source, which binds the lock to it.",
        ),
        option("no-lock", None, "Don't lock the project."),
        option(
            "no-devcontainer",
            None,
            "Don't write a devcontainer.json, and say so in <comment>[tool.poetry-tf]</>.",
        ),
        option("dry-run", None, "Show the changes as unified diffs and write nothing."),
    ]
    loggers: ClassVar[list[str]] = ["poetry.repositories.pypi_repository"]
    help = """\
In an empty folder this makes a project: <comment>pyproject.toml</> with TensorFlow pinned to one \
minor series and the Pythons it has wheels for, <comment>poetry.toml</> with the mirror, \
<comment>poetry.lock</>, and a <comment>.devcontainer/devcontainer.json</> whose Python, CUDA and \
cuDNN fit. In a Poetry project it changes only what must change.

It asks for what the options leave open; with <info>-n</> it takes the defaults. Either all files \
are written or none.
"""

    def run(self, io: IO) -> int:
        # cleo takes a lone hyphen for the beginning of an option, unless it is in the same word.
        tokens = input_tokens(io)
        for index, pair in enumerate(pairwise(tokens)):
            if pair == ("--from", "-"):
                tokens[index : index + 2] = ["--from=-"]
        return super().run(io)

    def root(self) -> Path:
        folder = self.start()
        above = next((item for item in folder.parents if (item / PYPROJECT).is_file()), None)
        if above is not None and is_new(folder):
            self.line_error(
                f"<comment>This makes a project of its own inside the one in {above}</>"
            )
        return folder

    def run_in(self, root: Path) -> int:
        new = is_new(root)
        source: str | None = self.option("from")
        if source == "-":
            self.io.interactive(False)  # the answers would come from where the list does
        leaving = None if source is None else Migration(self, source)
        project = open_project(root)
        options = self._wishes()
        options = replace(options, container=options.container and wants_container(project))
        if leaving is not None:
            options = leaving.options(project, options)
        options = self._ask(project, options, new=new)
        plan = plan_options(project, options)
        if not new:
            self._explain_series(project, options, plan)
        default = None if machine_mirror() else "auto"
        if leaving is not None:
            prepared = with_options(project, options, plan, new=new, mirror=default)
        else:
            prepared = with_options_fixed(project, options, plan, new=new, mirror=default)
            self._tell_of_added(project, prepared)
        return self._carry_out(root, prepared, plan, options, leaving)

    def _tell_of_added(self, before: Project, after: Project) -> None:
        for name, environments in added_for_environments(before, after).items():
            self.line_error(f"Required as well: {name}, for {', '.join(environments)}")

    def _explain_series(self, project: Project, options: InitOptions, plan: Plan) -> None:
        """Says which series an open pin becomes, because that is a decision made for the user."""
        item, constraint = main_requirement(project), joint_constraint(project)
        if (
            options.tensorflow is not None
            or item is None
            or constraint is None
            or constraint_series(constraint) is not None
        ):
            return
        written = f"{item.name} {item.written}".strip()
        lowest = lower_bound(constraint)
        if locked_tensorflow(project) is not None:
            where = "is locked"
        elif lowest is None:
            where = "is the newest that fits"
        elif plan.release.version.release[:2] == (lowest.major, lowest.minor):
            where = f'is where "{written}" begins'
        else:
            where = f'is the nearest that fits to where "{written}" begins'
        self.line_error(
            f"<comment>TensorFlow {plan.release.series} {where}; for another series give "
            "--tensorflow.</>"
        )
        if project.pyproject.ships_package:
            self.line_error(
                "<comment>This project ships a package: the narrower requirements go into its "
                "metadata as well.</>"
            )

    # -- what is wanted ---------------------------------------------------------------------

    def _wishes(self) -> InitOptions:
        gpu, mirror = self.option("gpu"), self.option("mirror")
        write_source: bool = self.option("write-source")
        if mirror is not None:
            validate_mirror(mirror, "--mirror: ")
        if write_source and mirror is not None and parse_mirror(mirror).kind == "off":
            raise PlanError(
                "--write-source has no mirror to write", "Give one with --mirror, or leave it out."
            )
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

    def _ask(self, project: Project, options: InitOptions, *, new: bool) -> InitOptions:
        """Asks for what neither an option nor the project says. Not when it can't ask."""
        if not self.io.is_interactive():
            return options
        answers: dict[str, Any] = {}
        if options.tensorflow is None and main_requirement(project) is None:
            newest = plan_options(project, options).release.series
            series = list(load().series)
            answers["tensorflow"] = self._choose("TensorFlow series", series, newest)
        settled = plan_options(project, replace(options, **answers))
        if options.python is None and (new or project.pyproject.python is None):
            answers["python"] = self._choose("Python", list(settled.pythons), settled.python)
        if (
            options.gpu is None
            and project.pyproject.document.get(("tool", "poetry-tf", "gpu")) is None
        ):
            self.line_error(
                "<comment>auto: GPU support that is known to work (recommended); system: installed "
                "in the container; pip: as Python packages; none: CPU only</>"
            )
            modes = ["auto", "system", "pip", "none"]
            answers["gpu"] = self._choose("GPU", modes, read_settings(project)[0].gpu)
        if (
            options.mirror is None
            and not options.write_source
            and mirror_setting(project) is None
            and machine_mirror() is None
        ):
            answers["mirror"] = self._ask_mirror()
        return replace(options, **answers)

    def _choose(self, what: str, settings: list[str], default: str) -> str:
        def valid(answer: str) -> str:
            if answer not in settings:
                raise ValueError(f"{answer} is none of {', '.join(settings)}")
            return answer

        question = self.create_question(
            f"{what} (<info>{', '.join(settings)}</>) [<comment>{default}</>]:", default=default
        )
        question.set_validator(valid)
        return self._answer(question)

    def _answer(self, question: Question) -> str:
        """The answer; an end of input is no answer, and would be asked for without end."""
        question.set_max_attempts(3)
        try:
            return str(self.ask(question))
        except Exception as error:  # cleo raises a bare one at the end of its input
            raise PlanError(
                f"The questions were not answered: {error}",
                "Answer them in a terminal, or give -n to take the defaults.",
            ) from None

    def _ask_mirror(self) -> str:
        def valid(answer: str) -> str:
            try:
                validate_mirror(answer)
            except PlanError as error:
                raise ValueError(error.message) from None
            return answer

        names = ", ".join(["auto", "off", *MIRRORS])
        question = self.create_question(
            f"PyPI mirror (<info>{names}</>, or a URL) [<comment>auto</>]:", default="auto"
        )
        question.set_validator(valid)
        return self._answer(question)

    # -- doing it ---------------------------------------------------------------------------

    def _carry_out(
        self,
        root: Path,
        prepared: Project,
        plan: Plan,
        options: InitOptions,
        leaving: Migration | None,
    ) -> int:
        project = prepared
        dry_run: bool = self.option("dry-run")
        locks = not self.option("no-lock")
        if leaving is not None and not locks:
            project = leaving.unasked(prepared, plan)
        elif locks and (leaving is not None or not project.is_locked):
            try:
                project = self._lock(project, plan, options, leaving)
            except LockingError as error:
                self.fail("the project can't be locked, and nothing was written")
                self.line_error(plain(str(error)))
                tried = project if leaving is None else leaving.prepared(project, plan)
                self._tell_what_is_left(root, tried, {"TF302", "TF501"}, leaving)
                if options.mirror not in {None, "auto", "off"}:
                    self.line_error("If the mirror is at fault, try --mirror auto or another one.")
                return 1
        if options.container:
            project, plan = with_containers(project)
        texts = changed_texts(project)
        if leaving is not None:
            self._tell_of_added(leaving.with_lines(prepared), project)
            self._tell_of_list(leaving)
        if dry_run:
            self._show(project, texts)
            return 0
        self.write_files(root, texts, project.snapshot)
        ours = [
            item.document
            for item in readable_configurations(project)
            if is_fully_managed(project, item)
        ]
        told = summary(plan, next(iter(ours), None) if options.container else None)
        if options.container and (doubt := warning(plan)) is not None:
            self.line_error(f"<warning>{plain(doubt)}</warning>")
        self.line("")
        self._tell_of_files(root, texts, plan_summary=told, options=options)
        switched_off = set() if locks else {"TF302"}
        self._tell_what_is_left(root, project, switched_off, leaving)
        self._next_steps(project, plan, options)
        return 0

    def _tell_of_list(self, leaving: Migration) -> None:
        self.line("")
        for line in leaving.report(whole=self.io.is_verbose()).lines:
            self.line(plain(line))

    def _show(self, project: Project, texts: dict[Path, str]) -> None:
        """The diffs; that of the lock, which nobody reads, only when asked to be verbose."""
        shown = {
            path: text for path, text in texts.items() if path.name != LOCK or self.io.is_verbose()
        }
        self.show_diffs(diffs(project, shown))
        for path in texts.keys() - shown.keys():
            count = texts[path].count("\n[[package]]\n")
            self.line(f"{path.name}: {count} packages (the whole diff with -v)")

    def _lock(
        self, project: Project, plan: Plan, options: InitOptions, leaving: Migration | None
    ) -> Project:
        if isinstance(project.lock, ProjectError):
            raise project.lock
        mirror = mirror_in_force(project, options.mirror)
        if leaving is not None:
            return leaving.locked(project, plan, mirror)
        return replace(project, lock=solve_lock(project, mirror, self.io))

    def _tell_of_files(
        self, root: Path, texts: dict[Path, str], *, plan_summary: str, options: InitOptions
    ) -> None:
        if not texts:
            self.line(f"Nothing to change: {plain(plan_summary)}")
        else:
            self.line(f"<info>{plain(plan_summary)}</>")
            for path in texts:
                self.line(f"  <c1>{path.relative_to(root).as_posix()}</>")
        if options.write_source and texts:
            self.line_error(f"<warning>{SOURCE_COST}</warning>")

    def _tell_what_is_left(
        self, root: Path, project: Project, but: set[str], leaving: Migration | None
    ) -> None:
        """What a person has to decide: findings, without those that are no surprise, and lines."""
        left = [item for item in find_problems(make_context(project)) if item.code not in but]
        asides = leaving.report(whole=False).left if leaving is not None else ()
        if left or asides:
            self.line_error("<warning>Left for you to decide:</warning>")
        for aside in asides:
            self.line_error(f"<c1>{plain(str(aside.place))}</> {plain(aside.written)}")
            self.line_error(f"    {plain(aside.why)}")
        for finding in left:
            self.show_finding(finding, root)

    def _next_steps(self, project: Project, plan: Plan, options: InitOptions) -> None:
        steps = []
        if project.lock is None:
            steps.append(f"Lock the project: <c1>{poetry_tf.program} init</> or <c1>poetry lock</>")
        if options.container:
            steps.append(
                "Open the folder in VS Code and choose <c1>Reopen in Container</>, or run "
                f"<c1>{plain(up(project))}</>"
            )
            if any(
                "nvidia-cuda" in item.document.text for item in readable_configurations(project)
            ):
                steps.append(
                    "The first start downloads 2 to 3 GiB. For the GPU the host needs an NVIDIA "
                    "driver and, on Linux, the NVIDIA Container Toolkit; without, it runs on the "
                    "CPU"
                )
            steps += [plain(why.removesuffix(".")) for why in without_plugin(project, plan)]
        else:
            steps.append("Install it here: <c1>poetry install</>")
        steps.append(f"In CI and before commits: <c1>{poetry_tf.program} check</>")
        self.line("Next:")
        for step in steps:
            self.line(f"  - {step}")
