"""What a rule is and what it finds, and the registry that collects the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from poetry_tf.container import Change, changes, wanted_container
from poetry_tf.plan import Plan, PlanError, locked_tensorflow, tensorflow_requirements
from poetry_tf.project.documents import KeyPath, Position
from poetry_tf.project.edits import Edit
from poetry_tf.project.project import Devcontainer, Project
from poetry_tf.releases import Catalog, misspelling_of
from poetry_tf.releases.images import Images


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
    def container_changes(self) -> tuple[Change, ...]:
        """All that devcontainer.json should have otherwise; several rules pick theirs from it."""
        project, found = self.project, self.project.devcontainer
        if not self.concerned or not isinstance(found, Devcontainer):
            return ()
        whole = project.pyproject.is_managed
        wanted = wanted_container(project, self.plan, self.images, whole=whole)
        return changes(found.path, found.document, wanted)

    def at(self, path: KeyPath) -> tuple[Path, Position | None]:
        """A place in pyproject.toml, as a finding wants it."""
        pyproject = self.project.pyproject
        return pyproject.path, pyproject.position(path)


Rule = Callable[[Context], Iterator[Finding]]

RULES: dict[str, Rule] = {}
"""Every rule by its code."""


def rule(code: str) -> Callable[[Rule], Rule]:
    """Registers a function as the rule `code`. Its docstring explains it to users."""

    def register(function: Rule) -> Rule:
        if code in RULES:
            raise ValueError(f"two rules have the code {code}")
        RULES[code] = function
        return function

    return register
