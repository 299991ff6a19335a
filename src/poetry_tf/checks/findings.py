"""What a rule is and what it finds, and the registry that collects the rules."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeAlias

from poetry_tf.devcontainer.changes import find_changes
from poetry_tf.devcontainer.spec import container_spec
from poetry_tf.devcontainer.view import Change
from poetry_tf.files.configurations import is_fully_managed, readable_configurations
from poetry_tf.files.edits import Edit
from poetry_tf.files.positions import Position
from poetry_tf.files.project import Devcontainer, Project
from poetry_tf.files.values import KeyPath
from poetry_tf.plan.model import Plan, PlanError
from poetry_tf.plan.requirement import locked_tensorflow, tensorflow_requirements
from poetry_tf.releases import Catalog, misspelling_of
from poetry_tf.releases.images import Images

Severity: TypeAlias = Literal["error", "warning"]
"""An error breaks the project or makes it differ between machines, now or with the next update; a
warning works today and isn't right."""


@dataclass(frozen=True)
class Finding:
    """One difference between the plan and the project."""

    code: str
    file: Path
    position: Position | None
    message: str
    remedy: str
    """What to do, as a sentence in the imperative."""
    edits: tuple[Edit, ...] = ()
    """What mends it; empty where a person has to decide, or where `locks` does."""
    locks: bool = False
    """Whether locking anew mends it."""
    name: str | None = None
    """The distribution it is about, where it is about one; settings can let that one be."""
    level: Severity | None = None
    """Its severity, where that is not its rule's."""

    @property
    def severity(self) -> Severity:
        return self.level or RULES[self.code].severity


@dataclass(frozen=True)
class Context:
    """What a rule looks at."""

    project: Project
    plan: Plan | None
    """None where no plan can be made: rules that need one then have nothing to say."""
    catalog: Catalog
    images: Images
    trouble: PlanError | None = None
    """Why there is no plan."""

    @cached_property
    def concerned(self) -> bool:
        """Whether the project has to do with TensorFlow; others are none of our business."""
        project = self.project
        return (
            project.pyproject.is_managed
            or locked_tensorflow(project) is not None
            or bool(tensorflow_requirements(project))
            or any(misspelling_of(item.name) for item in project.pyproject.requirements)
        )

    @cached_property
    def containers(self) -> tuple[tuple[Devcontainer, tuple[Change, ...]], ...]:
        """Each dev container that is looked at, and all that it should have otherwise.

        Several rules pick theirs from that.
        """
        project = self.project
        if not self.concerned:
            return ()
        return tuple((found, self._changes(found)) for found in readable_configurations(project))

    def _changes(self, found: Devcontainer) -> tuple[Change, ...]:
        whole = is_fully_managed(self.project, found)
        wanted = container_spec(self.project, self.plan, self.images, whole=whole)
        return find_changes(found.path, found.document, wanted)

    def at(self, path: KeyPath) -> tuple[Path, Position | None]:
        """A place in pyproject.toml, as a finding wants it."""
        pyproject = self.project.pyproject
        return pyproject.path, pyproject.position(path)


Judge: TypeAlias = Callable[[Context], Iterator[Finding]]


@dataclass(frozen=True)
class Rule:
    """A function that finds one kind of difference, and what users are told of it."""

    code: str
    judge: Judge
    severity: Severity
    fixable: bool
    """Whether `--fix` mends its findings, at least those that leave nothing to decide."""

    def __call__(self, context: Context) -> Iterator[Finding]:
        return self.judge(context)

    @property
    def title(self) -> str:
        """What it finds: the first line of its explanation, without the stop."""
        return self._explained[0].rstrip(".")

    @property
    def explanation(self) -> tuple[str, ...]:
        """Why that matters and what to do, in paragraphs."""
        return tuple(" ".join(text.split("\n")) for text in self._explained[1:])

    @property
    def _explained(self) -> list[str]:
        return inspect.cleandoc(self.judge.__doc__ or "").split("\n\n")


RULES: dict[str, Rule] = {}
"""Every rule by its code."""


def rule(
    code: str, severity: Severity = "error", *, fixable: bool = False
) -> Callable[[Judge], Judge]:
    """Registers a function as the rule `code`. Its docstring explains it to users."""

    def register(judge: Judge) -> Judge:
        if code in RULES:
            raise ValueError(f"two rules have the code {code}")
        RULES[code] = Rule(code, judge, severity, fixable)
        return judge

    return register
