"""Running the rules over a project, and applying what mends their findings."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Container

from poetry_tf import checks
from poetry_tf.checks.findings import RULES, Context, Finding
from poetry_tf.plan import Plan, PlanError, derive
from poetry_tf.project.edits import apply
from poetry_tf.project.project import Project
from poetry_tf.releases import load
from poetry_tf.releases.images import load_images

# Mending one thing can uncover another (a renamed distribution has a pin to narrow) and moves the
# places of the rest, so one finding is mended at a time. No project has as many as this; the bound
# keeps two rules that undo each other from going on for ever.
_ROUNDS = 100

CONTAINER_CODES = frozenset({"TF502", "TF503", "TF504", "TF505", "TF506"})
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


def findings(context: Context) -> tuple[Finding, ...]:
    """Every finding, in the order of the codes and then of the places."""
    _collect()
    return tuple(finding for code in sorted(RULES) for finding in RULES[code](context))


def fix(project: Project, plan: Plan | None = None, codes: Container[str] = RULES) -> Project:
    """The project with every finding mended that can be mended without asking. Writes nothing.

    With `codes` only the findings of these rules.
    """
    for _ in range(_ROUNDS):
        for finding in findings(context_of(project, plan)):
            if finding.code not in codes:
                continue
            fixed = apply(project, finding.edits)
            if fixed != project:
                break
        else:
            return project
        project = fixed
    return project
