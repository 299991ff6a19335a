"""``poetry tf upgrade``: moves the project to another TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from cleo.helpers import argument, option
from cleo.io.inputs.argument import Argument
from cleo.io.inputs.option import Option
from cleo.ui.confirmation_question import ConfirmationQuestion

from poetry_tf.actions.init import open_project
from poetry_tf.actions.lock import LockingError, UnsolvedError, relock
from poetry_tf.actions.mirror import validate_mirror
from poetry_tf.actions.new_releases import chooses_new_series, read_new_series
from poetry_tf.actions.options import InitOptions
from poetry_tf.actions.upgrade import Upgrade, lock_upgrade, plan_upgrade
from poetry_tf.checks.findings import find_problems, make_context
from poetry_tf.commands.base import (
    FORMAT_OPTIONS,
    TensorFlowCommand,
    error_value,
    nothing_written,
    plain,
)
from poetry_tf.commands.devcontainer_output import rebuild_step, unproven_warning
from poetry_tf.commands.questions import answer
from poetry_tf.commands.upgrade_output import (
    VERSION,
    UpgradeReport,
    blocked_error,
    unsolved_error,
)
from poetry_tf.files.edits import changed_texts, diffs
from poetry_tf.files.project import LOCK, Project, readable_configurations
from poetry_tf.index.mirrors import MIRRORS
from poetry_tf.plan.settings import require_valid_settings
from poetry_tf.releases.summary import Plain


class UpgradeCommand(TensorFlowCommand):
    name = "tf upgrade"
    description = "Moves the project to another series of TensorFlow."
    arguments: ClassVar[list[Argument]] = [
        argument(
            "release",
            "The series (2.18: its newest release) or the release (2.18.0); it may be older. "
            "Default: the newest that the project's Pythons and packages allow.",
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
            f"Use another mirror for this run: auto, off, a URL, or one of "
            f"{', '.join(MIRRORS)}. Default: the one that is set.",
            flag=False,
        ),
        option("diff", None, "Show the page and the changes as unified diffs, and write nothing."),
        option("dry-run", None, "Show the page and write nothing."),
        *FORMAT_OPTIONS,
    ]
    loggers: ClassVar[list[str]] = ["poetry.repositories.pypi_repository"]
    examples: ClassVar[Mapping[str, str]] = {
        "poetry tf upgrade": "to the newest series that fits",
        "poetry tf upgrade 2.18": "to the newest release of 2.18",
        "poetry tf upgrade --diff": "only show what would change",
    }
    help = """\
Shows on one page what moving to another TensorFlow takes: Python, CUDA, cuDNN, the driver, NumPy, \
Keras, the packages that go with TensorFlow, what to look at in the code, and what would change in \
<comment>pyproject.toml</>, <comment>poetry.lock</> and <comment>devcontainer.json</>. Then it \
asks, and writes all of them or none. With <info>-n</> or <info>--json</> it doesn't ask.

Locked versions stay unless they have to change. Within the project's own series it moves to the \
newest release.
"""

    def run_in(self, root: Path) -> int:
        self.check_format()
        mirror: str | None = self.option("mirror")
        if mirror is not None:
            validate_mirror(mirror, "--mirror: ")
        project, to = open_project(root), self.argument("release")
        require_valid_settings(project)
        options = InitOptions(tensorflow=to, mirror=mirror)
        if to is None or chooses_new_series(project, options):
            read_new_series(project, options, self.io)
        upgrade = plan_upgrade(project, to, legacy_keras=self.option("legacy-keras"))
        if upgrade.blocking:
            return self._refuse(upgrade, *blocked_error(upgrade))
        try:
            final = lock_upgrade(upgrade, lambda project: relock(project, self.io, mirror))
        except UnsolvedError as error:
            return self._refuse(upgrade, *unsolved_error(upgrade, error))
        except LockingError as error:
            message = "Could not lock the project; nothing was changed"
            return self._refuse(upgrade, message, str(error))
        report = UpgradeReport(upgrade, final, find_problems(make_context(final)))
        texts, page = changed_texts(final), report.plain()
        if self.format == "text":
            self._show(report)
            if self.option("diff"):
                shown = {path: text for path, text in texts.items() if path.name != LOCK}
                self.show_diffs(diffs(final, shown))
        applies = bool(texts) and self.writes()
        if applies and not self._confirmed():
            self.line("Nothing was changed.")
            return 1
        if applies:
            self.write_files(root, texts, final.snapshot)
        if self.format == "json":
            self.write_json({**page, "applied": applies, "error": None})
        else:
            self._conclude(page, final, texts, applied=applies)
        return 0

    def _refuse(self, upgrade: Upgrade, message: str, remedy: str) -> int:
        report = UpgradeReport(upgrade)
        if self.format == "json":
            error = error_value(message, remedy)
            self.write_json({**report.plain(), "applied": False, "error": error})
        else:
            for line in report.lines():
                self.line(plain(line))
            self.line("")
        return super().fail(message, remedy)

    def fail(self, message: str, remedy: str = "") -> int:
        if self.format == "json":
            error = error_value(message, remedy)
            self.write_json({"version": VERSION, "applied": False, "error": error})
        return super().fail(message, remedy)

    def _show(self, report: UpgradeReport) -> None:
        for line in report.lines():
            style = {"  +": "fg=green", "  -": "fg=red"}.get(line[:3])
            self.line(f"<{style}>{plain(line)}</>" if style else plain(line))
        self.line("")
        if (warning := unproven_warning(report.upgrade.plan)) is not None:
            self.warn(warning)
        if report.findings:
            self.line_error("<warning>You have to decide after that:</warning>")
        for finding in report.findings:
            self.show_finding(finding)

    def _confirmed(self) -> bool:
        if self.format == "json" or not self.io.is_interactive():
            return True
        given = answer(
            self,
            ConfirmationQuestion("Do it?", True),
            attempts=1,
            unanswered="The question was not answered",
            otherwise="give -n to go on without it",
        )
        return bool(given)

    def _conclude(
        self, page: Plain, final: Project, texts: dict[Path, str], *, applied: bool
    ) -> None:
        if not texts:
            self.line("Nothing to change.")
            return
        if not applied:
            self.line(nothing_written(self))
            return
        before, after = page["tensorflow"]["from"], page["tensorflow"]["to"]
        self.line(f"<info>{'Moved to' if before != after else 'Kept'} TensorFlow {after}</>")
        self.show_paths(texts)
        if any(found.path in texts for found in readable_configurations(final)):
            self.line(rebuild_step(final))
        elif final.lock is None:
            self.line(
                "poetry.lock was not written, because the project has none. "
                "Next: <c1>poetry install</>"
            )
        else:
            self.line("Next: install it with <c1>poetry sync</>")
