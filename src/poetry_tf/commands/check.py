"""``poetry tf check``: whether the project still fits its TensorFlow."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from cleo.helpers import option
from cleo.io.inputs.option import Option
from cleo.io.outputs.output import Type

import poetry_tf
from poetry_tf.actions.fix import FixedProject, fix_and_lock
from poetry_tf.checks.findings import make_context, rules, run_rules
from poetry_tf.commands.base import TensorFlowCommand, plain
from poetry_tf.commands.check_output import CheckReport, as_document, to_annotations
from poetry_tf.files.edits import changed_texts, diffs
from poetry_tf.files.journal import JOURNAL
from poetry_tf.files.project import LOCK, Project
from poetry_tf.plan.model import PlanError
from poetry_tf.text import format_count

CLEAN, FINDINGS, COULD_NOT_CHECK = range(3)
FORMATS = ("text", "json", "github")


class CheckCommand(TensorFlowCommand):
    name = "tf check"
    description = "Checks that pin, lock and dev container fit the project's TensorFlow."
    options: ClassVar[list[Option]] = [
        option("fix", None, "Mend what needs no decision, and lock anew if that has to be."),
        option("diff", None, "Show what --fix would write as unified diffs, and write nothing."),
        option("strict", None, "Let warnings count for the exit status."),
        option(
            "select",
            None,
            "Only these rules: codes, or beginnings of codes (TF1), with commas between.",
            flag=False,
            multiple=True,
        ),
        option("ignore", None, "All but these rules.", flag=False, multiple=True),
        option(
            "format",
            None,
            "text; json, for programs; or github, for annotations in GitHub Actions.",
            flag=False,
            default=FORMATS[0],
        ),
        option("explain", None, "Explain a rule (TF101) and check nothing.", flag=False),
    ]
    loggers: ClassVar[list[str]] = ["poetry.repositories.pypi_repository"]
    help = """\
Compares <comment>pyproject.toml</>, <comment>poetry.lock</> and <comment>devcontainer.json</> \
with what the TensorFlow that is locked (or, without a lock, pinned) needs, and prints each \
difference with its code, place and remedy. Reads files only: no network, nothing is written.

With <info>--fix</> it mends what it can without a decision, all files together or none. It locks \
anew only where the lock is missing or stale, or becomes so; other versions stay as they are.

Exit status: 0 when all is well, 1 with findings (with <info>--fix</>: with some left), 2 when \
the project can't be read or <info>--fix</> could not do its work. A warning counts with \
<info>--strict</> only.
"""

    def act(self) -> int:
        if (code := self.option("explain")) is not None:
            return self._explain(code)
        self._check_options()
        return self.run_in(self.root())

    def fail(self, message: str, remedy: str = "", report: CheckReport | None = None) -> int:
        """Shows an error, after the document of a format for programs; returns exit status 2."""
        self._write_report(report, (message, remedy))
        super().fail(message, remedy)
        return COULD_NOT_CHECK

    def _check_options(self) -> None:
        if self._format not in FORMATS:
            raise PlanError(
                f"{self._format!r} is no format of findings", f"Give one of {', '.join(FORMATS)}."
            )
        if self.option("diff") and self._format != "text":
            raise PlanError(
                f"--diff shows text, and --format {self._format} something else",
                "Leave one of them out.",
            )

    @property
    def _format(self) -> str:
        return str(self.option("format"))

    def _codes(self) -> frozenset[str]:
        """The rules that --select and --ignore leave; raises `PlanError`."""
        known = [rule.code for rule in rules()]
        chosen = _matching_codes(known, self.option("select")) or frozenset(known)
        return chosen - _matching_codes(known, self.option("ignore"))

    def run_in(self, root: Path) -> int:
        codes, diffs = self._codes(), self.option("diff")
        fixes = self.option("fix") and not diffs
        if fixes:
            self.recover(root)
        project = Project.read(root)
        report = _make_report(project, codes)
        if not (report.context.involves_tensorflow or report.found):
            return self._conclude(report, "The project has no TensorFlow: nothing to check.")
        if diffs:
            self._show_fixes(fix_and_lock(project, codes, None))
        elif fixes:
            return self._fix(report, codes)
        return self._conclude(report)

    # -- fixing -----------------------------------------------------------------------------

    def _fix(self, report: CheckReport, codes: frozenset[str]) -> int:
        # Imported late: only locking needs the modules that use the network.
        from poetry_tf.actions.lock import LockingError, relock

        try:
            fixed = fix_and_lock(
                report.context.project, codes, lambda edited: relock(edited, self.io)
            ).project
        except LockingError as error:
            self._show_findings(report)
            message = "the project can't be locked, and nothing was written"
            return self.fail(message, str(error), report)
        texts = changed_texts(fixed)
        self.write_files(report.root, texts, fixed.snapshot)
        left = _make_report(Project.read(report.root), codes)
        solved = report.counts - left.counts
        return self._conclude(replace(left, fixed=solved, written=tuple(texts)))

    def _show_fixes(self, fixed: FixedProject) -> None:
        self.show_diffs(diffs(fixed.project, changed_texts(fixed.project)))
        if fixed.lock_due:
            self.line_error(f"<comment>{LOCK} would be made anew, which is not tried here</>")

    # -- the output -------------------------------------------------------------------------

    def _conclude(self, report: CheckReport, nothing: str | None = None) -> int:
        """Shows the report and returns the exit status; `nothing` replaces the usual last line."""
        self._show_fixed(report)
        self._show_findings(report)
        self._write_report(report, report.error)
        warned = self._show_warnings(report)
        self._show_counts(report)
        if self._format == "text" and not report.found:
            if nothing is not None or report.error is not None:
                self.line(nothing or "Nothing was found in what could be checked.")
            else:
                self.info("All set!")
        counts = report.errors or (self.option("strict") and (report.warnings or warned))
        return FINDINGS if counts else CLEAN

    def _show_findings(self, report: CheckReport) -> None:
        if self._format == "text":
            for finding in report.found:
                self.show_finding(finding, report.root)

    def _show_warnings(self, report: CheckReport) -> bool:
        """Shows why the check is incomplete; returns whether it is."""
        interrupted = (report.root / JOURNAL).exists()
        if interrupted:
            self.line_error(
                "<warning>Warning: a change of these files was interrupted; run "
                f"<c1>{poetry_tf.program} check --fix</c1> to settle it</warning>"
            )
        if report.error is not None and self._format == "text":
            message, remedy = report.error
            self.warn(f"Warning: {message}")
            self.line_error(plain(remedy))
        return interrupted or report.error is not None

    def _show_fixed(self, report: CheckReport) -> None:
        if not report.written or self._format != "text":
            return
        fixed = report.fixed.items()
        codes = ", ".join(f"{code} ({count})" if count > 1 else code for code, count in fixed)
        self.line(f"Mended {codes or 'part of what was found'} in")
        self.show_paths(report.root, report.written)

    def _show_counts(self, report: CheckReport) -> None:
        if report.ignored:
            codes = ", ".join(sorted({finding.code for finding in report.ignored}))
            count = format_count(len(report.ignored), "finding")
            self.line_error(f"<comment>{count} ignored by [tool.poetry-tf]: {codes}</>")
        if not report.found:
            return
        if report.warnings and report.errors:
            text = f"{format_count(len(report.found), 'finding')}, {report.warnings} of them "
            text += "a warning" if report.warnings == 1 else "warnings"
        else:
            text = format_count(len(report.found), "finding" if report.errors else "warning")
        if report.fixable:
            text += f", of which `poetry tf check --fix` mends {report.fixable}"
        style = "error" if report.errors else "warning"
        self.line_error(f"<{style}>{plain(text)}</{style}>")

    def _write_report(self, report: CheckReport | None, error: tuple[str, str] | None) -> None:
        if self._format == "json":
            self.write_json(as_document(report, error))
        elif self._format == "github":
            for line in to_annotations(report, error):
                self.io.write_line(line, type=Type.RAW)

    # -- --explain --------------------------------------------------------------------------

    def _explain(self, code: str) -> int:
        known = {rule.code: rule for rule in rules()}
        if (rule := known.get(code.upper())) is None:
            raise PlanError(f"{code!r} is no rule", f"The rules are {', '.join(known)}.")
        self.line(f"<c1>{rule.code}</> <options=bold>{plain(rule.title)}</>")
        fixable = (
            "`poetry tf check --fix` mends it where that leaves nothing to decide"
            if rule.fixable
            else "it needs a decision of yours"
        )
        self.line(plain(f"{rule.severity.capitalize()}; {fixable}."))
        for paragraph in rule.explanation:
            self.line("")
            for line in textwrap.wrap(paragraph, 80, break_long_words=False):
                self.line(plain(line))
        return CLEAN


def _make_report(project: Project, codes: frozenset[str]) -> CheckReport:
    context = make_context(project)
    found, ignored = run_rules(context)
    return CheckReport(
        context,
        tuple(finding for finding in found if finding.code in codes),
        tuple(finding for finding in ignored if finding.code in codes),
    )


def _matching_codes(known: Iterable[str], options: Iterable[str]) -> frozenset[str]:
    """The codes that are named, or whose beginning is."""
    known, found = list(known), set()
    for text in (part.strip() for value in options for part in value.split(",")):
        codes = {code for code in known if code.startswith(text.upper())}
        if text and not (codes and text.upper().startswith("TF")):
            raise PlanError(f"{text!r} is no rule", f"The rules are {', '.join(known)}.")
        found |= codes if text else set()
    return frozenset(found)
