"""Running the rules over a project."""

from __future__ import annotations

import functools
import importlib
import pkgutil

from poetry_tf import checks
from poetry_tf.checks.findings import RULES, Context, Finding, Rule
from poetry_tf.files.project import Project
from poetry_tf.plan.derive import derive_plan
from poetry_tf.plan.model import Plan, PlanError
from poetry_tf.plan.settings import read_settings
from poetry_tf.releases import load
from poetry_tf.releases.images import load_images

CONTAINER_CODES = frozenset({"TF502", "TF503", "TF504", "TF505", "TF506", "TF507", "TF508"})
"""The rules about what stands in a devcontainer.json that can be read."""


def make_context(project: Project, plan: Plan | None = None) -> Context:
    """What the rules look at; the plan is derived from the project unless it is given."""
    catalog, images = load(), load_images()
    trouble = None
    if plan is None:
        try:
            plan = derive_plan(project, catalog, images)
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


def find_problems(context: Context) -> tuple[Finding, ...]:
    """Every finding, in the order of the codes and then of the places.

    Without those that the settings let be; `judged` has them too.
    """
    return judge(context)[0]


def judge(context: Context) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """The findings that count, and those that the settings let be."""
    found = [finding for rule in rules() for finding in rule(context)]
    ignored = read_settings(context.project)[0].ignore
    let_be = [any(item.covers(finding.code, finding.name) for item in ignored) for finding in found]
    return (
        tuple(finding for finding, let in zip(found, let_be, strict=True) if not let),
        tuple(finding for finding, let in zip(found, let_be, strict=True) if let),
    )
