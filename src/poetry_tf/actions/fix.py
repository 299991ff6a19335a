"""Fixing what the rules find: a project's edits, applied until nothing changes."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

from poetry_tf.checks.findings import RULES, Finding
from poetry_tf.checks.run import find_problems, make_context, rules
from poetry_tf.files.edits import apply
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.project import Project
from poetry_tf.plan.model import Plan

# Mending one thing can uncover another (a renamed distribution has a pin to narrow) and moves the
# places of the rest, so one finding is mended at a time. No project has as many as this; the bound
# keeps two rules that undo each other from going on for ever.
_ROUNDS = 100


def is_fixable(project: Project, finding: Finding) -> bool:
    """Whether a finding is mended without asking: by its edits, or by locking anew."""
    return finding.locks or _mended(project, finding) is not None


def _mended(project: Project, finding: Finding) -> Project | None:
    """The project after a finding's edits; None where they change nothing, or can't be made."""
    try:
        fixed = apply(project, finding.edits)
    except ProjectError:
        return None  # something else stands where they would write: a person has to look
    return None if fixed == project else fixed


def fix(project: Project, plan: Plan | None = None, codes: Container[str] = RULES) -> Project:
    """The project with every finding mended that edits mend. Writes nothing, and doesn't lock.

    With `codes` only the findings of these rules.
    """
    for _ in range(_ROUNDS):
        for finding in find_problems(make_context(project, plan)):
            if finding.code in codes and (fixed := _mended(project, finding)) is not None:
                project = fixed
                break
        else:
            break
    return project


def fix_requirements(
    project: Project, plan: Plan | None = None, codes: Container[str] = RULES
) -> Project:
    """As `fix`, but the containers are left alone: they follow once the lock is there."""
    others = [rule.code for rule in rules() if rule.code in codes and rule.code != "TF501"]
    fixed = fix(replace(project, devcontainer=None, other_devcontainers=()), plan, others)
    return replace(
        fixed,
        devcontainer=project.devcontainer,
        other_devcontainers=project.other_devcontainers,
    )
