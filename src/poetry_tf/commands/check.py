"""``poetry tf check``: does the project still hold what its TensorFlow needs?"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import poetry_tf
from poetry_tf.checks.run import context_of, findings
from poetry_tf.commands.base import TensorFlowCommand, plain
from poetry_tf.plan import PlanError
from poetry_tf.project.errors import ProjectError
from poetry_tf.project.project import Project
from poetry_tf.project.transaction import JOURNAL

COULD_NOT_CHECK = 2


class CheckCommand(TensorFlowCommand):
    name = "tf check"
    description = "Checks that pin, lock and dev container fit the project's TensorFlow."
    loggers: ClassVar[list[str]] = []
    help = """\
Compares <comment>pyproject.toml</>, <comment>poetry.lock</> and <comment>devcontainer.json</> \
with what the TensorFlow that is locked (or, without a lock, pinned) needs, and prints each \
difference with its code, place and remedy. Reads files only: no network, nothing is written.

Exit status: 0 when all is well, 1 with findings, 2 when the project can't be read.

Run <info>poetry tf init</> to have mended what can be mended.
"""

    def handle(self) -> int:
        try:
            root = self.root()
            project = Project.read(root)
            return self._check(project, root)
        except ProjectError as error:
            self.fail(str(error))
        except PlanError as error:
            self.fail(error.message, error.remedy)
        return COULD_NOT_CHECK

    def _check(self, project: Project, root: Path) -> int:
        context = context_of(project)
        found, trouble = findings(context), context.trouble
        if not (context.concerned or found):
            self.line("The project has no TensorFlow: nothing to check.")
            return 0
        if (root / JOURNAL).exists():
            self.line_error(
                "<warning>Warning: a change of these files was interrupted; run "
                f"<c1>{poetry_tf.program} init</c1> to settle it</warning>"
            )
        for finding in found:
            self.show_finding(finding, root)
        told = any(finding.message == trouble.message for finding in found) if trouble else True
        if trouble is not None and not told:
            self.line_error(f"<warning>Warning: {plain(trouble.message)}</warning>")
            self.line_error(plain(trouble.remedy))
        if found:
            count = f"{len(found)} finding" + ("s" if len(found) > 1 else "")
            self.line_error(f"<error>{count}</error>")
            return 1
        if trouble is not None:
            self.line("Nothing was found in what could be checked.")
        else:
            self.info("All set!")
        return 0
