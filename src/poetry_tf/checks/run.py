"""Running the rules over a project, and applying what mends their findings."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Container
from dataclasses import replace

from poetry_tf import checks
from poetry_tf.checks.findings import RULES, Context, Finding, Rule
from poetry_tf.plan import Plan, PlanError, derive
from poetry_tf.project.edits import apply
from poetry_tf.project.errors import ProjectError
from poetry_tf.project.project import Project
from poetry_tf.releases import load
from poetry_tf.releases.images import load_images
from poetry_tf.settings import read_choices

# Mending one thing can uncover another (a renamed distribution has a pin to narrow) and moves the
# places of the rest, so one finding is mended at a time. No project has as many as this; the bound
# keeps two rules that undo each other from going on for ever.
_ROUNDS = 100

CONTAINER_CODES = frozenset({"TF502", "TF503", "TF504", "TF505", "TF506", "TF507", "TF508"})
"""The rules about what stands in a devcontainer.json that can be read."""


def context_of(project: Project, plan: Plan | None = None) -> Context:
    """What the rules look at; the plan is derived from the project unless it is given."""
    catalog, images = load(), load_images()
    trouble = None
    if plan is None:
        try:
            plan = derive(project, catalog, images)
        except PlanError as error:
            trouble = error
    return Context(project, plan, catalog, images, trouble)


@functools.cache
def _collect() -> None:
    """Imports the rules' modules, each of which registers its own."""
    for module in pkgutil.iter_modules(checks.__path__):
        importlib.import_module(f"{checks.__name__}.{module.name}")


def rules() -> tuple[Rule, ...]:
    """Every rule, in the order of the codes."""
    _collect()
    return tuple(RULES[code] for code in sorted(RULES))


def findings(context: Context) -> tuple[Finding, ...]:
    """Every finding, in the order of the codes and then of the places.

    Without those that the settings let be; `judged` has them too.
    """
    return judged(context)[0]


def judged(context: Context) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """The findings that count, and those that the settings let be."""
    found = [finding for rule in rules() for finding in rule(context)]
    ignored = read_choices(context.project)[0].ignore
    let_be = [any(item.covers(finding.code, finding.name) for item in ignored) for finding in found]
    return (
        tuple(finding for finding, let in zip(found, let_be, strict=True) if not let),
        tuple(finding for finding, let in zip(found, let_be, strict=True) if let),
    )


def mends(project: Project, finding: Finding) -> bool:
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
        for finding in findings(context_of(project, plan)):
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
