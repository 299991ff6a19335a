"""``poetry tf check``: does the project still hold what its TensorFlow needs?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from cleo.helpers import option
from cleo.io.inputs.option import Option
from cleo.io.io import IO

import poetry_tf
from poetry_tf.checks.findings import Context, Finding
from poetry_tf.checks.run import context_of, findings, known_codes, mends
from poetry_tf.commands.base import TensorFlowCommand, plain
from poetry_tf.mending import Mended, mend
from poetry_tf.plan import PlanError
from poetry_tf.project.edits import changed_texts, diff
from poetry_tf.project.errors import ProjectError
from poetry_tf.project.lock import Lock
from poetry_tf.project.project import LOCK, Project
from poetry_tf.project.transaction import JOURNAL, WriteError

COULD_NOT_CHECK = 2


class CheckCommand(TensorFlowCommand):
    name = "tf check"
    description = "Checks that pin, lock and dev container fit the project's TensorFlow."
    options: ClassVar[list[Option]] = [
        option("fix", None, "Mend what needs no decision, and lock anew if that has to be."),
        option("diff", None, "Show what --fix would write as unified diffs, and write nothing."),
    ]
    loggers: ClassVar[list[str]] = ["poetry.repositories.pypi_repository"]
    help = """\
Compares <comment>pyproject.toml</>, <comment>poetry.lock</> and <comment>devcontainer.json</> \
with what the TensorFlow that is locked (or, without a lock, pinned) needs, and prints each \
difference with its code, place and remedy. Reads files only: no network, nothing is written.

With <info>--fix</> it mends what it can without a decision, all files together or none. It locks \
anew only where the lock is missing or stale, or becomes so; other versions stay as they are.

Exit status: 0 when all is well, 1 with findings (with <info>--fix</>: with some left), 2 when \
the project can't be read or <info>--fix</> could not do its work.
"""

    def handle(self) -> int:
        try:
            return self._run(self.root())
        except ProjectError as error:
            self.fail(str(error))
        except PlanError as error:
            self.fail(error.message, error.remedy)
        except WriteError as error:
            self.fail(str(error))
        return COULD_NOT_CHECK

    def _run(self, root: Path) -> int:
        diffs: bool = self.option("diff")
        fixes: bool = self.option("fix") and not diffs
        if fixes:
            self.recover(root)
        elif (root / JOURNAL).exists():
            self.line_error(
                "<warning>Warning: a change of these files was interrupted; run "
                f"<c1>{poetry_tf.program} check --fix</c1> to settle it</warning>"
            )
        project = Project.read(root)
        context = context_of(project)
        found = findings(context)
        if not (context.concerned or found):
            self.line("The project has no TensorFlow: nothing to check.")
            return 0
        codes = known_codes()
        if diffs:
            self._show(root, mend(project, codes, None))
        elif fixes:
            from poetry_tf.locking import LockingError

            try:
                mended = mend(project, codes, self._relock)
            except LockingError as error:
                self.fail("the project can't be locked, and nothing was written")
                self.line_error(plain(str(error)))
                self._tell(context, found, root)
                return COULD_NOT_CHECK
            texts = changed_texts(mended.project)
            self.write_files(root, texts)
            context = context_of(Project.read(root))
            left = findings(context)
            self._tell_mended(root, texts, found, left)
            found = left
        return self._tell(context, found, root)

    def _relock(self, project: Project) -> Lock:
        from poetry_tf.locking import mirror_in_force, solve

        # What Poetry tells while it solves is no result: stdout is for those.
        error = self.io.error_output
        return solve(project, mirror_in_force(project), IO(self.io.input, error, error))

    def _show(self, root: Path, mended: Mended) -> None:
        texts = changed_texts(mended.project)
        self.show_diffs(diff(root, path, text) for path, text in texts.items())
        if mended.lock_due:
            self.line_error(f"<comment>{LOCK} would be made anew, which is not tried here</>")

    def _tell_mended(
        self,
        root: Path,
        texts: Iterable[Path],
        before: Iterable[Finding],
        after: Iterable[Finding],
    ) -> None:
        gone = Counter(item.code for item in before) - Counter(item.code for item in after)
        if not texts:
            return
        codes = (f"{code} ({count})" if count > 1 else code for code, count in gone.items())
        self.line(f"Mended {', '.join(codes)} in")
        for path in texts:
            self.line(f"  <c1>{path.relative_to(root).as_posix()}</>")

    def _tell(self, context: Context, found: tuple[Finding, ...], root: Path) -> int:
        """Findings and trouble, and the exit status that they make."""
        trouble = context.trouble
        for finding in found:
            self.show_finding(finding, root)
        told = any(finding.message == trouble.message for finding in found) if trouble else True
        if trouble is not None and not told:
            self.line_error(f"<warning>Warning: {plain(trouble.message)}</warning>")
            self.line_error(plain(trouble.remedy))
        if found:
            count = f"{len(found)} finding" + ("s" if len(found) > 1 else "")
            if mendable := sum(mends(context.project, finding) for finding in found):
                count += f", of which `poetry tf check --fix` mends {mendable}"
            self.line_error(f"<error>{plain(count)}</error>")
            return 1
        if trouble is not None:
            self.line("Nothing was found in what could be checked.")
        else:
            self.info("All set!")
        return 0
