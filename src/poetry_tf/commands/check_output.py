"""The findings of ``poetry tf check`` for programs: JSON, and annotations for GitHub.

The README describes the JSON. A key may be added to it; any other change takes another `VERSION`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from poetry_tf.actions.fix import is_fixable
from poetry_tf.checks.findings import Context, Finding
from poetry_tf.commands.base import document_head, error_value
from poetry_tf.plan.requirement import locked_tensorflow

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
        return sum(self.can_fix(finding) for finding in self.found)

    def can_fix(self, finding: Finding) -> bool:
        return is_fixable(self.context.project, finding)

    @property
    def error(self) -> tuple[str, str] | None:
        """Why part of the project can't be checked, and the remedy; None if a finding says so."""
        error = self.context.plan_error
        if error is None or any(item.message == error.message for item in self.found):
            return None
        return error.message, error.remedy


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
    }


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
    return f"::{kind} {written}::{_escape_data(message)}" + (
        f"%0A{_escape_data(remedy)}" if remedy else ""
    )


def _escape_data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape_data(text).replace(":", "%3A").replace(",", "%2C")


def _from_workspace(root: Path, path: Path) -> str:
    """The path in the repository, which may be larger than the project."""
    if workspace := os.environ.get("GITHUB_WORKSPACE"):
        top = Path(workspace).resolve()
        if path.is_relative_to(top):
            return _relative(top, path)
    return _relative(root, path)
