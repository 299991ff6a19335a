"""What holds of every finding of these tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from poetry_tf.checks.findings import Context, Finding, Rule

_findings = Rule.findings


@pytest.fixture(autouse=True)
def findings_agree_with_their_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a rule with the mark has fixes, and no hint says otherwise of its finding."""

    def findings(rule: Rule, context: Context) -> Iterator[Finding]:
        for finding in _findings(rule, context):
            has_fix = bool(finding.edits or finding.locks)
            assert rule.fixable or not has_fix, finding
            assert not (has_fix and "by hand" in finding.remedy), finding
            assert has_fix or "--fix" not in finding.remedy, finding
            yield finding

    monkeypatch.setattr(Rule, "findings", findings)
