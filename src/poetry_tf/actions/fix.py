"""Fixing what the rules find: a project's edits, and a new lock only where that is necessary.

What is written into pyproject.toml decides the lock, and the lock decides the container, so that is
the order. Nothing is written here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container
from dataclasses import dataclass, replace

from poetry_tf.checks.findings import RULES, Finding, findings_of, make_context, rules
from poetry_tf.devcontainer.changes import with_current_series
from poetry_tf.files.edits import apply, apply_until_stable
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.lock import Lock
from poetry_tf.files.project import Project, readable_configurations
from poetry_tf.plan.environments import Target, format_targets
from poetry_tf.plan.installability import LockedPackages
from poetry_tf.plan.lines import tensorflow_lines
from poetry_tf.plan.model import Plan
from poetry_tf.plan.python import admitted_minors
from poetry_tf.plan.served import served_targets
from poetry_tf.releases.model import numbers

# More fixes than any project needs.
MAX_FIXES = 100
# A new lock can show what the old one hid, and the fix of that can make it out of date in turn. The
# second lock is then of what the first one led to; a third one was never seen to be needed.
_LOCKS = 3


class UnservedError(Exception):
    """A new lock installs no TensorFlow with files where the lock before it does.

    Which releases Poetry's solver takes for a wide requirement depends on what else is required.

    Attributes:
        targets: where.
    """

    def __init__(self, targets: Collection[Target]) -> None:
        self.targets = tuple(
            sorted(targets, key=lambda one: (one.environment, numbers(one.python)))
        )
        super().__init__(
            "the new lock file would have no TensorFlow for " + format_targets(self.targets, ())
        )


@dataclass(frozen=True)
class FixedProject:
    """A project as it would be after fixing."""

    project: Project
    lock_due: bool
    """Whether it still has to be locked, which may change the container."""


def fix_and_lock(
    project: Project, codes: Container[str], relock: Callable[[Project], Lock] | None
) -> FixedProject:
    """Fixes the findings of the rules in `codes`.

    `relock` makes the lock of a project, and what it raises comes through. Without it the project
    is fixed as far as possible without a new lock.

    Raises:
        UnservedError: where the new lock serves less than that of the project.
    """
    before = found = project
    for _ in range(_LOCKS):
        project = fix_requirements(project, codes=codes)
        if not _lock_due(before, project, codes):
            return FixedProject(fix(project, codes=codes), lock_due=False)
        if relock is None:
            return FixedProject(fix(project, codes=codes), lock_due=True)
        before = replace(project, lock=relock(project))
        if lost := _lost_targets(found, before):
            raise UnservedError(lost)
        project = with_current_names(fix(before, codes=codes))
        if project.pyproject == before.pyproject:
            break
    return FixedProject(project, lock_due=False)


def _lost_targets(before: Project, after: Project) -> list[Target]:
    """The targets that the lock serves no more, though a requirement still counts there."""
    old, new = before.valid_lock, after.valid_lock
    if not before.is_locked or old is None or new is None:
        return []
    lines = tensorflow_lines(after)
    served, still = (
        served_targets(project, LockedPackages.of(lock, project.pyproject), lines)
        for project, lock in ((before, old), (after, new))
    )
    return [
        target
        for target in served - still
        if any(
            target.admits(line.item.marker) and admitted_minors([target.python], line.python)
            for line in lines
        )
    ]


def _lock_due(before: Project, project: Project, codes: Container[str]) -> bool:
    if before.is_locked and not project.is_locked and not project.pyproject.foreign_manager:
        return True  # by our own edits, whichever rules they come from
    return any(finding.locks for finding in findings_of(codes, make_context(project)))


def fix_requirements(
    project: Project, plan: Plan | None = None, codes: Container[str] = RULES
) -> Project:
    """As `fix`, but without the containers: they follow once the lock is there."""
    others = [rule.code for rule in rules() if rule.code in codes and rule.code != "TF501"]
    fixed = fix(replace(project, devcontainer=None, other_devcontainers=()), plan, others)
    return replace(
        fixed, devcontainer=project.devcontainer, other_devcontainers=project.other_devcontainers
    )


def fix(project: Project, plan: Plan | None = None, codes: Container[str] = RULES) -> Project:
    """The project with every finding fixed that edits can fix. Writes nothing, and doesn't lock.

    With `codes` only the findings of these rules.
    """

    def fix_one(project: Project) -> Project | None:
        # One fix can uncover another finding (a renamed distribution has a pin to narrow) and moves
        # the places of the rest.
        findings = findings_of(codes, make_context(project, plan))
        fixes = (_fixed(project, finding) for finding in findings)
        return next((fixed for fixed in fixes if fixed is not None), None)

    return apply_until_stable(project, fix_one, MAX_FIXES)


def with_current_names(project: Project) -> Project:
    """The project with the current series in each container name that poetry-tf has written."""
    context = make_context(project)
    for found in readable_configurations(project):
        document = with_current_series(found.path, found.document, context.container_spec(found))
        project = project.with_document(found.path, document)
    return project


def is_fixable(project: Project, finding: Finding) -> bool:
    """Whether a finding is fixed without a decision: by its edits, or by a new lock."""
    return finding.locks or _fixed(project, finding) is not None


def _fixed(project: Project, finding: Finding) -> Project | None:
    """The project after a finding's edits; None where they change nothing or cannot be made."""
    try:
        fixed = apply(project, finding.edits)
    except ProjectError:
        return None  # something else stands where they would write: a person has to look
    return None if fixed == project else fixed
