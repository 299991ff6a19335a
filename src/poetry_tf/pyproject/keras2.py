"""Keras 2 (tf-keras) beside what needs it: the requirements that are missing or wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from poetry.core.constraints.version import parse_constraint
from poetry.core.version.markers import parse_marker

from poetry_tf.files.edits import Edit
from poetry_tf.files.project import Project
from poetry_tf.files.requirements import MAIN, Requirement
from poetry_tf.plan.alternatives import Alternative
from poetry_tf.plan.environments import Target
from poetry_tf.plan.model import TF_KERAS, needs_keras_2
from poetry_tf.pyproject.beside import Pairing, joint_marker, narrower, project_targets
from poetry_tf.pyproject.pins import tf_keras_pin
from poetry_tf.pyproject.requirement_edits import (
    MarkedRequirement,
    add_edits,
    constraint_edits,
    group,
    names_beside,
    same_list,
)
from poetry_tf.releases import Release


@dataclass(frozen=True)
class MissingKeras2:
    """Keras 2 that is missing in one list, or required there in the wrong series."""

    item: Requirement
    """The requirement beside which it has to stand, or the wrong one on tf-keras."""
    release: Release
    """The TensorFlow that it is for."""
    lines: tuple[MarkedRequirement, ...]
    edits: tuple[Edit, ...]
    """Empty where a person has to decide."""

    @property
    def is_wrong(self) -> bool:
        """Whether it is required in the wrong series."""
        return self.item.name == TF_KERAS

    @property
    def text(self) -> str:
        """What has to be required."""
        return " and ".join(line.text for line in self.lines)


def missing_keras_2(project: Project, pairs: Iterable[Pairing]) -> Iterator[MissingKeras2]:
    """What is missing where requirements need Keras 2 with a TensorFlow, list by list.

    What stands in main counts in each group and extra as well, so that comes first.
    """
    found = [item for item in project.pyproject.requirements if item.name == TF_KERAS]
    needing = [
        _KerasNeed(pair, narrower(project, pair.item, pair.main))
        for pair in pairs
        if needs_keras_2(pair.release)
    ]
    needing.sort(key=lambda need: (need.beside.optional, need.beside.group != MAIN))
    added: list[_Addition] = []
    for here in group(needing, lambda one, other: same_list(project, one.beside, other.beside)):
        lacking = [need for need in here if need.lacks(project, found, added)]
        beside = here[0].beside
        if not lacking or TF_KERAS in names_beside(project, beside) - {item.name for item in found}:
            continue  # the second: from a path, a URL or a repository
        additions = [*_additions(project, here, {need.series for need in lacking})]
        added += additions
        lines = tuple(one.line for one in additions)
        release = lacking[0].pair.release
        wrong = [item for item in found if any(need.meets(item) for need in lacking)]
        wrong = [item for item in wrong if not any(need.admits(item) for need in lacking)]
        if not wrong:
            edits = add_edits(project, beside, lines)
            yield MissingKeras2(beside, release, lines, edits)
        else:
            is_right = any(need.meets(wrong[0]) and need.admits(wrong[0]) for need in needing)
            edits = constraint_edits(project, wrong[0], lines[0].constraint)
            yield MissingKeras2(
                wrong[0], release, lines, () if is_right or len(lines) > 1 else edits
            )


@dataclass(frozen=True)
class _KerasNeed:
    pair: Pairing
    beside: Requirement
    """The requirement beside which Keras 2 has to stand."""

    @property
    def series(self) -> str:
        return self.pair.release.series

    def admits(self, item: Requirement) -> bool:
        """Whether a requirement on Keras 2 admits what is made for this TensorFlow."""
        return item.constraint.allows_any(parse_constraint(tf_keras_pin(self.pair.release)))

    def meets(self, item: Requirement) -> bool:
        """Whether a requirement is installed with this TensorFlow somewhere."""
        return any(one.counts(item, target) for one, target in self.pair.where)

    def lacks(
        self, project: Project, found: Iterable[Requirement], added: Iterable[_Addition]
    ) -> bool:
        """Whether a target of the project lacks Keras 2 for this TensorFlow."""
        targets, fitting = {*project_targets(project)}, [*filter(self.admits, found)]
        own = [one for one in added if one.series == self.series]
        return any(
            target in targets
            and not any(one.counts(item, target) for item in fitting)
            and not any(addition.counts(one, target) for addition in own)
            for one, target in self.pair.where
        )


@dataclass(frozen=True)
class _Addition:
    """A requirement on Keras 2 that is about to be added."""

    beside: Requirement
    series: str
    line: MarkedRequirement

    def counts(self, installed: Alternative, target: Target) -> bool:
        return installed.installs(self.beside) and target.admits(parse_marker(self.line.marker))


def _additions(
    project: Project, needing: Sequence[_KerasNeed], series: set[str]
) -> Iterator[_Addition]:
    """What has to be added to one list for TensorFlow of some series."""
    for here in group(needing, lambda one, other: one.series == other.series):
        if here[0].series not in series:
            continue
        marker = joint_marker(project, (need.pair.cause for need in here))[1]
        line = MarkedRequirement(TF_KERAS, tf_keras_pin(here[0].pair.release), marker)
        yield _Addition(here[0].beside, here[0].series, line)
