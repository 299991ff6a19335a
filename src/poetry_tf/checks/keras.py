"""TF109: packages that need Keras 2 beside a TensorFlow with another Keras."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from packaging.version import Version
from poetry.core.constraints.version import parse_constraint

from poetry_tf.checks.findings import Context, Finding, rule
from poetry_tf.files.requirements import Requirement
from poetry_tf.plan.main_line import main_requirement
from poetry_tf.plan.model import LEGACY_KERAS, TF_KERAS
from poetry_tf.plan.requirement import locked_tensorflow, to_poetry_version
from poetry_tf.pyproject.pins import legacy_keras_edits, tf_keras_pin
from poetry_tf.releases.breaking import keras_major
from poetry_tf.releases.keras2 import NeedsKeras2, need_keras_2


@rule("TF109", fixable=True)
def keras_2_needed(context: Context) -> Iterator[Finding]:
    """A package needs Keras 2 beside TensorFlow 2.16 or later, and nothing requires it.

    From 2.16 on `tf.keras` is Keras 3, and Keras 2 is the distribution `tf-keras`. TensorFlow
    Probability and others need it and do not require it themselves, so that they fail when they are
    imported or first used. `--fix` requires `tf-keras` in the series of TensorFlow; in a package
    that is published that is for its author to decide.

    What uses `tf.keras` in the project's own code is not affected: for that, see `keras` in
    `[tool.poetry-tf]`.
    """
    plan, project = context.plan, context.project
    main = main_requirement(project)
    if plan is None or main is None or plan.legacy_keras:
        return
    if keras_major(plan.release) in {None, LEGACY_KERAS}:
        return
    edits = legacy_keras_edits(project, plan)
    if edits is None or _is_locked(context):
        return
    pyproject = project.pyproject
    writes = (
        pyproject.is_managed and pyproject.foreign_manager is None and not pyproject.publishes(main)
    )
    for need in _needs(context):
        place = context.at((need.item or main).path)
        yield Finding(
            *place,
            f"{need.what} needs Keras 2 with TensorFlow {plan.release.version}, and {TF_KERAS} is "
            f"not required: {need.known.why}",
            f"Require {TF_KERAS} ({tf_keras_pin(plan)})",
            edits if writes else (),
            name=need.known.name,
        )


@dataclass(frozen=True)
class _Need:
    known: NeedsKeras2
    item: Requirement | None
    """The project's own requirement on it."""
    what: str


def _is_locked(context: Context) -> bool:
    """Whether Keras 2 is locked, for the TensorFlow that is planned for."""
    lock, plan = context.project.valid_lock, context.plan
    if lock is None or plan is None:
        return False
    locked = locked_tensorflow(context.project)
    if locked is None or locked != plan.release.version:
        return False
    return TF_KERAS in lock.versions


def _needs(context: Context) -> Iterator[_Need]:
    """What needs Keras 2: by its locked versions, else by what its requirement admits."""
    project = context.project
    lock = project.valid_lock
    for known in need_keras_2():
        locked: tuple[Version, ...] = lock.versions.get(known.name, ()) if lock else ()
        items = [item for item in project.pyproject.requirements if item.name == known.name]
        for item in items:
            admitted = [one for one in locked if item.constraint.allows(to_poetry_version(one))]
            if admitted:
                if any(known.versions.contains(one) for one in admitted):
                    yield _Need(known, item, f"{known.name} {admitted[0]}")
            elif item.constraint.allows_any(parse_constraint(str(known.versions))):
                yield _Need(known, item, f"{known.name} {item.written}".strip())
        if not items and any(known.versions.contains(one) for one in locked):
            yield _Need(known, None, f"{known.name} {locked[0]}, which is locked,")
