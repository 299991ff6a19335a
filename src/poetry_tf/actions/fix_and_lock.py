"""Mending a project: all that needs no decision, with a lock anew only where that can't be avoided.

What is written into pyproject.toml decides the lock, and the lock decides the container, so that is
the order. Nothing is written here.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, replace

from poetry_tf.actions.fix import fix, fix_requirements
from poetry_tf.checks.run import find_problems, make_context
from poetry_tf.files.lock import Lock
from poetry_tf.files.project import Project

# A new lock can show what the old one hid, and what mends that can make it stale in turn. The
# second lock is then of what the first one led to; a third one was never seen to be needed.
_LOCKS = 3


@dataclass(frozen=True)
class FixedProject:
    """A project as it would be after mending."""

    project: Project
    lock_due: bool
    """Whether it still has to be locked anew; the container may then come out otherwise."""


def fix_and_lock(
    project: Project, codes: Container[str], relock: Callable[[Project], Lock] | None
) -> FixedProject:
    """Mends the findings of the rules in `codes`.

    `relock` makes the lock of a project, and what it raises comes through. Without it the project
    is mended as far as that goes without a lock.
    """
    before = project
    for _ in range(_LOCKS):
        project = fix_requirements(project, codes=codes)
        if not _lock_due(before, project, codes):
            return FixedProject(fix(project, codes=codes), lock_due=False)
        if relock is None:
            return FixedProject(fix(project, codes=codes), lock_due=True)
        before = replace(project, lock=relock(project))
        project = fix(before, codes=codes)
        if project.pyproject == before.pyproject:
            break
    return FixedProject(project, lock_due=False)


def _lock_due(before: Project, project: Project, codes: Container[str]) -> bool:
    if before.is_locked and not project.is_locked and not project.pyproject.foreign_manager:
        return True  # by our own edits, whichever rules they come from
    found = find_problems(make_context(project))
    return any(finding.locks and finding.code in codes for finding in found)
