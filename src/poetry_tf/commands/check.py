"""``poetry tf check``: whether the project still fits its TensorFlow.

docs/reference/json.md describes its JSON. A key may be added to it; any other change takes
another `VERSION`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from cleo.helpers import option
from cleo.io.inputs.option import Option
from cleo.io.outputs.output import Type
from packaging.utils import canonicalize_name

from poetry_tf.actions.fix import MAX_FIXES, UnservedError, fix_and_lock, is_fixable
from poetry_tf.checks.findings import Context, Finding, make_context, rules, run_rules
from poetry_tf.commands.base import (
    FORMAT_OPTIONS,
    TensorFlowCommand,
    document_head,
    error_value,
    nothing_written,
    plain,
)
from poetry_tf.commands.devcontainer_output import rebuild_step
from poetry_tf.commands.setting_warnings import warn_of_machine
from poetry_tf.files.edits import changed_texts, diffs
from poetry_tf.files.project import LOCK, Project
from poetry_tf.plan.derive import require_poetry
from poetry_tf.plan.model import PlanError
from poetry_tf.plan.requirement import locked_tensorflow, tensorflow_distributions
from poetry_tf.poetry_internals.reads import project_environments
from poetry_tf.releases import load
from poetry_tf.text import format_count, format_list, visible

CLEAN, FINDINGS, COULD_NOT_CHECK = range(3)
VERSION = 1
"""The version of the JSON."""


@dataclass(frozen=True)
class CheckReport:
    """The result of a check, and of the fixes before it."""

    context: Context
    found: tuple[Finding, ...]
    ignored: tuple[Finding, ...]
    """The findings that the settings ignore."""
    fixed: Counter[str] = field(default_factory=Counter)
    """The number of fixed findings by code."""
    written: tuple[Path, ...] = ()
    outdates_container: bool = False
    """Whether a container that was there has to be rebuilt after the fixes."""

    @property
    def root(self) -> Path:
        return self.context.project.root

    @property
    def counts(self) -> Counter[str]:
        """The number of findings by code."""
        return Counter(finding.code for finding in self.found)

    @property
    def warnings(self) -> int:
        return sum(finding.severity == "warning" for finding in self.found)

    @property
    def errors(self) -> int:
        return len(self.found) - self.warnings

    @property
    def fixable(self) -> int:
        return len(self._fixable)

    def can_fix(self, finding: Finding) -> bool:
        return id(finding) in self._fixable

    @cached_property
    def _fixable(self) -> frozenset[int]:
        """The findings that one run of `--fix` fixes. Each of them is tried."""
        project = self.context.project
        fixable = (id(finding) for finding in self.found if is_fixable(project, finding))
        return frozenset(islice(fixable, MAX_FIXES))

    @property
    def error(self) -> tuple[str, str] | None:
        """Why part of the project can't be checked, and the remedy; None if a finding says so."""
        error = self.context.plan_error
        if error is None or any(item.message == error.message for item in self.found):
            return None
        return error.message, error.remedy


class CheckCommand(TensorFlowCommand):
    name = "tf check"
    description = "Checks that pin, lock file and dev container fit the project's TensorFlow."
    options: ClassVar[list[Option]] = [
        option("fix", None, "Fix what needs no decision, and lock again if needed."),
        option("diff", None, "Show what --fix would write as unified diffs, and write nothing."),
        option("strict", None, "Exit with status 1 for warnings as well."),
        option(
            "select",
            None,
            "Check only these rules: codes, or beginnings of codes (TF1), separated by commas.",
            flag=False,
            multiple=True,
        ),
        option("ignore", None, "Check all but these rules.", flag=False, multiple=True),
        option(
            "format",
            None,
            "text; json, for programs; or github, for annotations in GitHub Actions.",
            flag=False,
            default="text",
        ),
        FORMAT_OPTIONS[1],
        option(
            "explain",
            None,
            "Explain a rule (TF101), or list all rules, and check nothing.",
            flag=False,
            value_required=False,
        ),
    ]
    loggers: ClassVar[list[str]] = ["poetry.repositories.pypi_repository"]
    formats: ClassVar[tuple[str, ...]] = ("text", "json", "github")
    examples: ClassVar[Mapping[str, str]] = {
        "poetry tf check": "check the project",
        "poetry tf check --fix": "fix what needs no decision",
        "poetry tf check --explain TF101": "what a code means",
    }
    help = """\
Compares <comment>pyproject.toml</>, <comment>poetry.lock</> and <comment>devcontainer.json</> \
with what the TensorFlow that is locked (or, without a lock, pinned) needs, and prints each \
difference with its place, its code and a hint. It reads files only: no network, nothing is written.

<info>--fix</> fixes what needs no decision, and writes all files or none. It locks again only if \
the lock file is missing or out of date, or becomes so; other versions stay as they are.

Exit status: 0 without problems, 1 with problems (with <info>--fix</>: if some are left), 2 if the \
project, or a part of it, could not be checked, <info>--fix</> failed, or the command line is \
not valid. A warning is a problem only with <info>--strict</>.
"""

    def act(self) -> int:
        if self.io.input.has_parameter_option("--explain", only_params=True):
            code = self.option("explain")
            return self._explain(code) if code else self._list_rules()
        self._check_options()
        return self.run_in(self.root())

    def fail(self, message: str, remedy: str = "", report: CheckReport | None = None) -> int:
        """Shows an error, after the document of a format for programs; returns exit status 2."""
        self._write_report(report, (message, remedy))
        super().fail(message, remedy)
        return COULD_NOT_CHECK

    def _check_options(self) -> None:
        self.check_format()
        if self.option("diff") and self.format != "text":
            raise PlanError(f"--diff and --format {self.format} contradict each other", "Give one.")

    def _codes(self) -> frozenset[str]:
        """The rules that --select and --ignore leave; raises `PlanError`."""
        known = [rule.code for rule in rules()]
        chosen = _matching_codes(known, self.option("select")) or frozenset(known)
        return chosen - _matching_codes(known, self.option("ignore"))

    def run_in(self, root: Path) -> int:
        codes, shows = self._codes(), self.option("diff")
        fixes = self.option("fix") and not shows
        if fixes:
            self.recover(root)
        project = Project.read(root)
        require_poetry(project)
        report = _make_report(project, codes)
        if not (report.context.involves_tensorflow or report.found):
            return self._conclude(report, "The project has no TensorFlow: nothing to check.")
        if shows:
            fixed = fix_and_lock(project, codes, None)
            self.show_diffs(diffs(fixed.project, changed_texts(fixed.project)))
            if fixed.lock_due:
                self.line_error(f"<comment>--fix would also update {LOCK}; --diff does not lock</>")
        elif fixes:
            return self._fix(report, codes)
        status = self._conclude(report)
        if shows:
            self.line_error(nothing_written(self))
        return status

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
            without = fix_and_lock(report.context.project, codes, None).project
            paths = [*changed_texts(without), report.root / LOCK]
            names = format_list(map(self.path_from_here, dict.fromkeys(paths)))
            message = f"Could not lock the project; not written: {names}"
            return self.fail(message, str(error).strip(), report)
        except UnservedError as error:
            self._show_findings(report)
            remedy = "First fix what is said above about tensorflow in pyproject.toml."
            return self.fail(f"{error}; nothing was written", remedy, report)
        texts = changed_texts(fixed)
        self.write_files(report.root, texts, fixed.snapshot)
        left = _make_report(Project.read(report.root), codes)
        solved = report.counts - left.counts
        outdated = any(found.path in texts for found, _ in report.context.containers)
        return self._conclude(
            replace(left, fixed=solved, written=tuple(texts), outdates_container=outdated)
        )

    # -- the output -------------------------------------------------------------------------

    def _conclude(self, report: CheckReport, nothing: str | None = None) -> int:
        """Shows the report and returns the exit status; `nothing` replaces the usual last line."""
        self._show_fixed(report)
        self._show_findings(report)
        self._write_report(report, report.error)
        if self.format == "text":
            for note in not_judged(report.context):
                self.report(note)
        interrupted = self._show_warnings(report)
        self._show_counts(report)
        if self.format == "text" and not report.found:
            if nothing is not None or report.error is not None:
                self.line(nothing or "No problems found in what could be checked.")
            else:
                self.info(plain(f"All set! {self._format_checked(report)}: no problems found."))
        if report.error is not None:
            return COULD_NOT_CHECK
        counts = report.errors or (self.option("strict") and (report.warnings or interrupted))
        return FINDINGS if counts else CLEAN

    def _format_checked(self, report: CheckReport) -> str:
        """What was checked: "TensorFlow 2.18.1, 2 containers"."""
        context, codes = report.context, self._codes()
        names = map(canonicalize_name, tensorflow_distributions())
        lock = context.project.valid_lock
        versions = {one for name in names for one in (lock.versions.get(name, ()) if lock else ())}
        if not versions and context.plan is not None:
            versions = {context.plan.release.version}
        parts = [
            f"TensorFlow {format_list(map(str, sorted(versions)))}" if versions else "TensorFlow"
        ]
        if lock is None:
            parts.append("no lock file")
        count = len(context.containers)
        parts.append(format_count(count, "container") if count else "no container")
        if len(codes) < len(rules()):
            parts.append(f"{len(codes)} of {len(rules())} rules")
        return ", ".join(parts)

    def _show_findings(self, report: CheckReport) -> None:
        if self.format == "text":
            for finding in report.found:
                self.show_finding(finding, fixable=report.can_fix(finding))

    def _show_warnings(self, report: CheckReport) -> bool:
        """Shows why the check is incomplete; returns whether a change was interrupted."""
        interrupted = self.warn_if_interrupted(report.root)
        if self.format == "text":
            warn_of_machine(self)
        if report.error is not None and self.format == "text":
            message, remedy = report.error
            self.warn(f"Warning: {message}")
            self.line_error(plain(remedy))
        return interrupted

    def _show_fixed(self, report: CheckReport) -> None:
        if not report.written or self.format != "text":
            return
        fixed = report.fixed.items()
        codes = ", ".join(f"{code} ({count})" if count > 1 else code for code, count in fixed)
        self.line(f"Fixed {codes or 'some of the problems'} in")
        self.show_paths(report.written)
        name = report.context.project.pyproject.name
        if report.root / LOCK in report.written and project_environments(report.root, name):
            self.line("Next: install what changed in the lock file: <c1>poetry install</>")
        if report.outdates_container:
            self.line(rebuild_step(report.context.project))

    def _show_counts(self, report: CheckReport) -> None:
        if report.ignored:
            codes = ", ".join(sorted({finding.code for finding in report.ignored}))
            count = format_count(len(report.ignored), "problem")
            self.line_error(f"<comment>{count} ignored by [tool.poetry-tf]: {codes}</>")
        if not report.found:
            return
        text = format_count(len(report.found), "problem" if report.errors else "warning")
        if report.warnings and report.errors:
            text += f" ({format_count(report.warnings, 'warning')})"
        if report.fixable:
            text += f", {report.fixable} fixable with `poetry tf check --fix`"
        style = "error" if report.errors else "warning"
        self.line_error(f"<{style}>{plain(text)}</{style}>")

    def _write_report(self, report: CheckReport | None, error: tuple[str, str] | None) -> None:
        if self.format == "json":
            self.write_json(as_document(report, error))
        elif self.format == "github":
            for line in to_annotations(report, error):
                self.io.write_line(line, type=Type.RAW)

    # -- --explain --------------------------------------------------------------------------

    def _list_rules(self) -> int:
        for rule in rules():
            mark = "[*]" if rule.fixable else "   "
            self.line(f"<{rule.severity}>{rule.code}</> {mark} {plain(rule.title)}")
        self.line("")
        self.line(plain(f"[*] {_FIXES}"))
        return CLEAN

    def _explain(self, code: str) -> int:
        known = {rule.code: rule for rule in rules()}
        if (rule := known.get(code.upper())) is None:
            raise PlanError(f"Unknown rule {code!r}", f"The rules are {', '.join(known)}.")
        self.line(f"<c1>{rule.code}</> <options=bold>{plain(rule.title)}</>")
        fixable = _FIXES if rule.fixable else "you have to decide how to fix it"
        self.line(plain(f"{rule.severity.capitalize()}; {fixable}."))
        for paragraph in rule.explanation:
            self.line("")
            self.line(plain(paragraph))
        return CLEAN


_FIXES = "`poetry tf check --fix` fixes what needs no decision"


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
            raise PlanError(f"Unknown rule {text!r}", f"The rules are {', '.join(known)}.")
        found |= codes if text else set()
    return frozenset(found)


# -- documents ------------------------------------------------------------------------------


def as_document(report: CheckReport | None, error: tuple[str, str] | None) -> dict[str, Any]:
    """The document for programs; the report is None if the project could not be checked."""
    return {
        **document_head(VERSION),
        "project": report and _project(report),
        "findings": (report and [_finding(report, item) for item in report.found]) or [],
        "counts": {
            "error": report.errors if report else 0,
            "warning": report.warnings if report else 0,
            "fixable": report.fixable if report else 0,
            "ignored": len(report.ignored) if report else 0,
        },
        "fixed": {
            "codes": dict(report.fixed) if report else {},
            "files": [_relative(report.root, path) for path in report.written] if report else [],
        },
        "trouble": error and error_value(*error),
    }


def _project(report: CheckReport) -> dict[str, Any]:
    context = report.context
    project, plan = context.project, context.plan
    tensorflow = plan.release.version if plan else locked_tensorflow(project)
    return {
        "root": str(report.root),
        "name": project.pyproject.name,
        "managed": project.pyproject.is_managed,
        "tensorflow": str(tensorflow) if tensorflow else None,
        "origin": plan.release.origin if plan else None,
        "not_judged": list(not_judged(context)),
    }


def not_judged(context: Context) -> Iterator[str]:
    """What can't be judged of a TensorFlow that is newer than the data, a sentence each."""
    plan = context.plan or context.without_choice
    release = plan.release if plan else None
    if release is None or release.origin == "packaged":
        return
    from poetry_tf.releases.summary import origin_note

    origin = origin_note(release, load().data_version)
    name = f"{release.distribution} {release.version}"
    if release.origin == "inferred":
        yield f"{name} is {origin}: what changed since was not checked"
    else:
        yield (
            f"{name} is {origin}: the CUDA and cuDNN of its build, the packages that go with it "
            "and its known faults were not checked"
        )


def _finding(report: CheckReport, finding: Finding) -> dict[str, Any]:
    position = finding.position
    return {
        "code": finding.code,
        "severity": finding.severity,
        "file": _relative(report.root, finding.file),
        "line": position and position.line,
        "column": position and position.column,
        "message": finding.message,
        "remedy": finding.remedy,
        "fixable": report.can_fix(finding),
    }


def _relative(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


# -- GitHub ---------------------------------------------------------------------------------


def to_annotations(report: CheckReport | None, error: tuple[str, str] | None) -> Iterator[str]:
    """The workflow commands that make GitHub show findings at their lines."""
    for finding in report.found if report else ():
        assert report is not None
        place = {"file": _from_workspace(report.root, finding.file)}
        if finding.position is not None:
            place |= {"line": str(finding.position.line), "col": str(finding.position.column)}
        yield _command(finding.severity, finding.code, finding.message, finding.remedy, place)
    if error is not None:
        is_partial = report is not None and error == report.error
        yield _command("warning" if is_partial else "error", "poetry-tf", *error, {})


def _command(kind: str, title: str, message: str, remedy: str, place: dict[str, str]) -> str:
    properties = {**place, "title": title}
    written = ",".join(f"{key}={_escape_property(value)}" for key, value in properties.items())
    lines = (message, *(remedy.split("\n") if remedy else ()))
    return f"::{kind} {written}::{'%0A'.join(map(_escape_data, lines))}"


def _escape_data(text: str) -> str:
    return visible(text).replace("%", "%25")


def _escape_property(text: str) -> str:
    return _escape_data(text).replace(":", "%3A").replace(",", "%2C")


def _from_workspace(root: Path, path: Path) -> str:
    """The path in the repository, which may be larger than the project."""
    if workspace := os.environ.get("GITHUB_WORKSPACE"):
        top = Path(workspace).resolve()
        if path.is_relative_to(top):
            return _relative(top, path)
    return _relative(root, path)
