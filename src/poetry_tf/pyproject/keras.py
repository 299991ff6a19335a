"""The requirement on Keras 2 (tf-keras) beside TensorFlow."""

from __future__ import annotations

from poetry.core.constraints.version import parse_constraint

from poetry_tf.files.edits import Edit
from poetry_tf.files.project import Project
from poetry_tf.plan.model import TF_KERAS, Plan
from poetry_tf.plan.requirement import main_requirement
from poetry_tf.pyproject.requirement_edits import (
    MarkedRequirement,
    add_edits,
    constraint_edits,
    names_beside,
)


def series_pin(plan: Plan) -> str:
    """The constraint on tf-keras: its series have the numbers of TensorFlow's."""
    major, minor = plan.release.version.release[:2]
    return f">={major}.{minor},<{major}.{minor + 1}"


def legacy_keras_edits(project: Project, plan: Plan) -> tuple[Edit, ...] | None:
    """The edits that make a project require Keras 2 beside TensorFlow; None where it does."""
    found = [item for item in project.pyproject.requirements if item.name == TF_KERAS]
    main = main_requirement(project)
    if main is None or TF_KERAS in names_beside(project, main) - {item.name for item in found}:
        return None  # from a path, a URL or a repository
    pin = series_pin(plan)
    if not found:
        return add_edits(project, main, [MarkedRequirement(TF_KERAS, pin)])
    if any(item.constraint.allows_any(parse_constraint(pin)) for item in found):
        return None
    return constraint_edits(project, found[0], pin)
