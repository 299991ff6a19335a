"""Runs the rules over a project."""

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
"""The rules about the content of a readable devcontainer.json."""


def make_context(project: Project, plan: Plan | None = None) -> Context:
    """The context for the rules; the plan is derived from the project unless it is given."""
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
    """Imports the modules of this package, which registers their rules."""
    for module in pkgutil.iter_modules(checks.__path__):
        importlib.import_module(f"{checks.__name__}.{module.name}")


def rules() -> tuple[Rule, ...]:
    """Every rule, in the order of the codes."""
    _collect()
    return tuple(RULES[code] for code in sorted(RULES))


def find_problems(context: Context) -> tuple[Finding, ...]:
    """The findings of all rules that the project does not ignore, in the order of the codes."""
    return run_rules(context)[0]


def run_rules(context: Context) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """The findings of all rules in the order of the codes: those that count, and the ignored ones.

    The project's setting `ignore` decides which are ignored.
    """
    entries = read_settings(context.project)[0].ignore
    active: list[Finding] = []
    ignored: list[Finding] = []
    for rule in rules():
        for finding in rule.check(context):
            is_ignored = any(entry.covers(finding.code, finding.name) for entry in entries)
            (ignored if is_ignored else active).append(finding)
    return tuple(active), tuple(ignored)
