"""``poetry tf upgrade``: moves the project to another TensorFlow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from cleo.helpers import argument, option
from cleo.io.inputs.argument import Argument
from cleo.io.inputs.option import Option
from cleo.io.io import IO
from cleo.io.outputs.output import Type
from cleo.ui.confirmation_question import ConfirmationQuestion

from poetry_tf.actions.companion_moves import CompanionMove
from poetry_tf.actions.fix_and_lock import fix_and_lock
from poetry_tf.actions.init import open_project
from poetry_tf.actions.lock import LockingError, mirror_in_force, solve_lock
from poetry_tf.actions.mirror import validate_mirror
from poetry_tf.actions.upgrade import (
    Blocker,
    Upgrade,
    UpgradeGoal,
    find_blockers,
    format_series,
    plan_upgrade,
    with_matching_containers,
)
from poetry_tf.checks.findings import RULES
from poetry_tf.checks.run import find_problems, make_context
from poetry_tf.commands.base import TensorFlowCommand, plain
from poetry_tf.commands.devcontainer_output import unproven_warning, up_command
from poetry_tf.commands.upgrade_output import VERSION, UpgradeReport
from poetry_tf.files.configurations import readable_configurations
from poetry_tf.files.edits import changed_texts
from poetry_tf.files.lock import Lock
from poetry_tf.files.project import Project
from poetry_tf.index.mirrors import MIRRORS
from poetry_tf.plan.model import PlanError
from poetry_tf.text import format_list


class UpgradeCommand(TensorFlowCommand):
    name = "tf upgrade"
    description = "Moves the project to another series of TensorFlow."
    arguments: ClassVar[list[Argument]] = [
        argument(
            "release",
            "The series (2.18), for its newest release, or the release (2.18.0), also an older "
            "one. Default: the newest that the project's Pythons and companions allow.",
            optional=True,
        )
    ]
    options: ClassVar[list[Option]] = [
        option(
            "legacy-keras",
            None,
            "Keep Keras 2 where TensorFlow has Keras 3: require tf-keras, and set "
            "TF_USE_LEGACY_KERAS in the container.",
        ),
        option(
            "mirror",
            None,
            f"The mirror to lock through, this time: auto, off, a URL, or one of "
            f"{', '.join(MIRRORS)}. Default: the one that is set.",
            flag=False,
        ),
        option("dry-run", None, "Show the page and write nothing."),
        option("json", None, "The page as JSON, for programs; asks nothing."),
    ]
    loggers: ClassVar[list[str]] = ["poetry.repositories.pypi_repository"]
    help = """\
Shows on one page what moving to another TensorFlow takes: Python, CUDA, cuDNN, the driver, NumPy, \
Keras, the packages that go with TensorFlow, what to look at in the code, and what would change in \
<comment>pyproject.toml</>, <comment>poetry.lock</> and <comment>devcontainer.json</>. Then it \
asks, and writes all of them or none; with <info>-n</> it doesn't ask.

Locked versions stay unless they have to move. In the project's own series it moves to the newest \
release of that.
"""

    def run_in(self, root: Path) -> int:
        if (mirror := self.option("mirror")) is not None:
            validate_mirror(mirror, "--mirror: ")
        goal = UpgradeGoal(self.argument("release"), legacy_keras=self.option("legacy-keras"))
        upgrade = plan_upgrade(open_project(root), goal)
        if upgrade.blocking:
            return self._refuse(upgrade)
        try:
            final = self._locked(upgrade)
        except LockingError as error:
            return self._not_solved(upgrade, str(error))
        page = UpgradeReport(upgrade, final, find_problems(make_context(final)))
        texts, told = changed_texts(final), page.plain()
        if not self.option("json"):
            self._show(page, root)
        applies = bool(texts) and not self.option("dry-run")
        if applies and not self._agreed():
            self.line("Nothing was changed.")
            return 1
        if applies:
            self.write_files(root, texts, final.snapshot)
        if self.option("json"):
            self._write({**told, "applied": applies, "error": None})
        else:
            self._conclude(page, root, final, texts, applied=applies)
        return 0

    # -- locking ----------------------------------------------------------------------------

    def _locked(self, upgrade: Upgrade) -> Project:
        """The project as it would be, with its lock and its containers."""
        fixed = fix_and_lock(upgrade.after, RULES, self._relock).project
        return with_matching_containers(fixed)

    def _relock(self, project: Project) -> Lock:
        # What Poetry tells while it solves is no part of the page.
        error = self.io.error_output
        mirror = mirror_in_force(project, self.option("mirror"))
        return solve_lock(project, mirror, IO(self.io.input, error, error))

    # -- what can't be done -----------------------------------------------------------------

    def _refuse(self, upgrade: Upgrade) -> int:
        """Companions that no release fits: the user has to part with them, or go elsewhere."""
        release = upgrade.new
        names = format_list(item.name for item in upgrade.blocking)
        message = (
            f"No release of {names} goes with TensorFlow {release.series}; nothing was changed"
        )
        remedies = [_companion_remedy(item, upgrade) for item in upgrade.blocking]
        remedies.append(
            f"Or take {names} out (poetry remove {' '.join(i.name for i in upgrade.blocking)}) "
            "and run this again."
        )
        return self._cannot(upgrade, message, "\n".join(remedies))

    def _not_solved(self, upgrade: Upgrade, account: str) -> int:
        release = upgrade.new
        message = f"No set of packages has TensorFlow {release.version}; nothing was changed"
        lines = [self._told(upgrade, item) for item in find_blockers(upgrade, account)]
        if release.unsatisfiable and not upgrade.before.pyproject.is_managed:
            lines.append(
                f"TensorFlow {release.version} requires {format_list(release.unsatisfiable)}, "
                "which "
                "there is not. In a project with [tool.poetry-tf] that is mended: run "
                "`poetry tf init`."
            )
        if lines:
            lines.append("")
        lines += ["Poetry's own account:", account.strip()]
        return self._cannot(upgrade, message, "\n".join(lines))

    def _told(self, upgrade: Upgrade, blocker: Blocker) -> str:
        project, item = upgrade.after, blocker.item
        position = project.pyproject.position(item.constraint_path)
        place = f"{project.pyproject.path.name}:{position.line}"
        written = f"{item.name} {item.written}".strip()
        if blocker.wanted:
            return (
                f"{place}: you require {written}, and TensorFlow {upgrade.new.version} needs "
                f"{item.name} {blocker.wanted}: let yours admit that."
            )
        return (
            f"{place}: you require {written}, which doesn't go together with the rest: admit other "
            "versions of it, or take it out."
        )

    def _cannot(self, upgrade: Upgrade, message: str, remedy: str) -> int:
        page = UpgradeReport(upgrade)
        if self.option("json"):
            error = {"message": message, "remedy": remedy}
            self._write({**page.plain(), "applied": False, "error": error})
        else:
            for line in page.lines():
                self.line(plain(line))
            self.line("")
        return super().fail(message, remedy)

    def fail(self, message: str, remedy: str = "") -> int:
        if self.option("json"):
            error = {"message": message, "remedy": remedy}
            self._write({"version": VERSION, "applied": False, "error": error})
        return super().fail(message, remedy)

    # -- telling ----------------------------------------------------------------------------

    def _show(self, page: UpgradeReport, root: Path) -> None:
        for line in page.lines():
            style = {"  +": "fg=green", "  -": "fg=red"}.get(line[:3])
            self.line(f"<{style}>{plain(line)}</>" if style else plain(line))
        self.line("")
        if (doubt := unproven_warning(page.upgrade.plan)) is not None:
            self.line_error(f"<warning>{plain(doubt)}</warning>")
        if page.left:
            self.line_error("<warning>Left for you to decide after that:</warning>")
        for finding in page.left:
            self.show_finding(finding, root)

    def _agreed(self) -> bool:
        if self.option("json") or not self.io.is_interactive():
            return True
        question = ConfirmationQuestion("Do it?", True)
        question.set_max_attempts(1)  # an end of input would be asked for without end
        try:
            return bool(self.ask(question))
        except Exception as error:  # cleo raises a bare one at the end of its input
            raise PlanError(
                f"The question was not answered: {error}",
                "Answer it in a terminal, or give -n to go on without.",
            ) from None

    def _conclude(
        self,
        page: UpgradeReport,
        root: Path,
        final: Project,
        texts: dict[Path, str],
        *,
        applied: bool,
    ) -> None:
        if not texts:
            self.line("Nothing to change.")
            return
        if not applied:
            self.line("Nothing was written (--dry-run).")
            return
        self.line(f"<info>Moved to TensorFlow {page.plain()['tensorflow']['to']}</>")
        for path in texts:
            self.line(f"  <c1>{path.relative_to(root).as_posix()}</>")
        if readable_configurations(final):
            self.line(
                "Next: rebuild the container (<c1>Dev Containers: Rebuild Container</> in VS Code, "
                f"or <c1>{plain(up_command(final, '--remove-existing-container'))}</>)"
            )
        else:
            self.line("Next: install it with <c1>poetry sync</>")

    def _write(self, value: dict[str, Any]) -> None:
        self.io.write_line(json.dumps(value, indent=2), type=Type.RAW)


def _companion_remedy(item: CompanionMove, upgrade: Upgrade) -> str:
    lines = []
    if (retired := item.retired) is not None:
        sources = ", ".join(retired.sources)
        lines.append(f"{item.name}: {retired.why}. {retired.instead} ({sources})")
    if item.series:
        text = f"TensorFlow {format_series(item.series)} has a release of {item.name}"
        is_there = upgrade.old is not None and upgrade.old.series in item.series[-1:]
        lines.append(f"{text}, and the project is there." if is_there else f"{text}.")
    return "\n".join(lines)
