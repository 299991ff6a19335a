"""Rules, their registry, and their findings in a project."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeAlias

from packaging.version import Version

from poetry_tf import checks
from poetry_tf.devcontainer.changes import find_changes
from poetry_tf.devcontainer.spec import ContainerSpec, container_spec
from poetry_tf.devcontainer.view import Change
from poetry_tf.files.edits import Edit, apply
from poetry_tf.files.positions import Position
from poetry_tf.files.project import Devcontainer, Project, is_fully_managed, readable_configurations
from poetry_tf.files.values import KeyPath
from poetry_tf.plan.derive import derive_plan
from poetry_tf.plan.lines import Line, narrowed_releases, tensorflow_lines
from poetry_tf.plan.model import GpuModeError, Plan, PlanError
from poetry_tf.plan.requirement import locked_tensorflow, tensorflow_requirements
from poetry_tf.plan.settings import SETTINGS_PATH, read_settings
from poetry_tf.releases import DISTRIBUTIONS, Release, load, misspelling_of, whole
from poetry_tf.releases.images import load_images

Severity: TypeAlias = Literal["error", "warning"]
"""An error breaks the project or makes it differ between machines, now or with the next update. A
warning is about what works today but is not right."""


@dataclass(frozen=True)
class Finding:
    """One difference between the plan and the project."""

    file: Path
    position: Position | None
    message: str
    remedy: str
    """What to do, as text in the imperative."""
    edits: tuple[Edit, ...] = ()
    """The fix; empty where a person has to decide, or where locking fixes it."""
    locks: bool = False
    """Whether locking again fixes it."""
    name: str | None = None
    """The distribution it is about, if it is about one, for the setting `ignore`."""
    level: Severity | None = None
    """Its severity, if not that of its rule."""
    code: str = ""
    """The code of the rule that found it, which sets it."""

    @property
    def severity(self) -> Severity:
        """Its own severity, else that of its rule."""
        return self.level or RULES[self.code].severity


@dataclass(frozen=True)
class Context:
    """The project that is checked, and what it is checked against."""

    project: Project
    plan: Plan | None
    """None where no plan can be made; rules that need one then find nothing."""
    plan_error: PlanError | None = None
    """Why there is no plan."""
    without_choice: Plan | None = None
    """The plan with `gpu = "auto"`, where the choice of the project is why there is no other."""

    @cached_property
    def involves_tensorflow(self) -> bool:
        """Whether the project has to do with TensorFlow; no rule looks at others."""
        project = self.project
        return (
            project.pyproject.is_managed
            or locked_tensorflow(project) is not None
            or bool(tensorflow_requirements(project))
            or any(misspelling_of(item.name) for item in project.pyproject.requirements)
        )

    @cached_property
    def containers(self) -> tuple[tuple[Devcontainer, tuple[Change, ...]], ...]:
        """Each dev container that is checked, with its changes for all rules."""
        project = self.project
        if not self.involves_tensorflow:
            return ()
        return tuple(
            (found, find_changes(found.path, found.document, self.container_spec(found)))
            for found in readable_configurations(project)
        )

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """The requirements on TensorFlow, with where each counts."""
        return tensorflow_lines(self.project)

    @cached_property
    def narrowed(self) -> Mapping[KeyPath, Release]:
        """The releases to whose series the requirements that are too wide are narrowed."""
        return narrowed_releases(self.project, self.plan.release if self.plan else None)

    def container_spec(self, found: Devcontainer) -> ContainerSpec:
        """What a dev container has to have."""
        # Without the choice nothing can be demanded, but what is there can be wrong.
        whole = self.without_choice is None and is_fully_managed(self.project, found)
        plan = self.plan or self.without_choice
        return container_spec(self.project, plan, load_images(), whole=whole)

    def at(self, path: KeyPath) -> tuple[Path, Position | None]:
        """The file and the position of a path in pyproject.toml, for a finding."""
        pyproject = self.project.pyproject
        return pyproject.path, pyproject.position(path)


def make_context(project: Project, plan: Plan | None = None) -> Context:
    """The context for the rules; the plan is derived from the project unless it is given."""
    if plan is None:
        try:
            plan = derive_plan(project, load(), load_images())
        except GpuModeError as error:
            return Context(project, None, error, _plan_without_choice(project))
        except PlanError as error:
            return Context(project, None, error)
    return Context(project, plan)


def _plan_without_choice(project: Project) -> Plan | None:
    edit = Edit(project.pyproject.path, "set", (*SETTINGS_PATH, "gpu"), "auto")
    try:
        return derive_plan(apply(project, [edit]), load(), load_images())
    except PlanError:
        return None


def locked_release(name: str, version: Version | None) -> Release | None:
    """A locked release of a distribution, also one that no plan can be made for."""
    if version is None or name not in DISTRIBUTIONS:
        return None
    return load(name).get(version) or whole(name).get(version)


Check: TypeAlias = Callable[[Context], Iterator[Finding]]


@dataclass(frozen=True)
class Rule:
    """A function that finds one kind of difference, with its code and explanation."""

    code: str
    check: Check
    severity: Severity
    fixable: bool
    """Whether `--fix` fixes its findings, except those that a person has to decide."""

    def findings(self, context: Context) -> Iterator[Finding]:
        """What it finds in a project."""
        for finding in self.check(context):
            yield replace(finding, code=self.code)

    @property
    def title(self) -> str:
        """What it finds: the first line of its docstring, without the full stop."""
        return self._paragraphs[0].rstrip(".")

    @property
    def explanation(self) -> tuple[str, ...]:
        """Why it matters and what to do, one string a paragraph."""
        return tuple(" ".join(text.split("\n")) for text in self._paragraphs[1:])

    @property
    def _paragraphs(self) -> list[str]:
        return inspect.cleandoc(self.check.__doc__ or "").split("\n\n")


RULES: dict[str, Rule] = {}
"""Every rule by its code."""
CONTAINER_CODES = frozenset({"TF502", "TF503", "TF504", "TF505", "TF506", "TF507", "TF508"})
"""The rules about the content of a readable devcontainer.json."""


def rule(
    code: str, severity: Severity = "error", *, fixable: bool = False
) -> Callable[[Check], Check]:
    """Registers a function as the rule `code`. Its docstring is the explanation for users.

    Raises `ValueError` for a code that another rule has.
    """

    def register(check: Check) -> Check:
        if code in RULES:
            raise ValueError(f"two rules have the code {code}")
        RULES[code] = Rule(code, check, severity, fixable)
        return check

    return register


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


def findings_of(codes: Container[str], context: Context) -> Iterator[Finding]:
    """The findings of some rules that the project does not ignore, each rule run when it is due."""
    return (finding for finding, is_ignored in _judged(codes, context) if not is_ignored)


def run_rules(context: Context) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """The findings of all rules in the order of the codes: those that count, and the ignored ones.

    The project's setting `ignore` decides which are ignored.
    """
    active: list[Finding] = []
    ignored: list[Finding] = []
    for finding, is_ignored in _judged(RULES, context):
        (ignored if is_ignored else active).append(finding)
    return tuple(_in_order(active, context.project.pyproject.path)), tuple(ignored)


def _judged(codes: Container[str], context: Context) -> Iterator[tuple[Finding, bool]]:
    """The findings of some rules in the order of the codes, and whether each is ignored."""
    settings = read_settings(context.project)[0]
    for rule in rules():
        if rule.code in codes:
            for finding in rule.findings(context):
                yield finding, settings.ignores(finding.code, finding.name)


def _in_order(findings: Sequence[Finding], pyproject: Path) -> Iterator[Finding]:
    """The findings, of which those that a new lock fixes name what fixes pyproject.toml before it.

    By hand that takes an order: `poetry lock` refuses a wide pin, and a fix outdates the lock.
    """
    precedes = any(edit.file == pyproject for item in findings for edit in item.edits)
    for item in findings:
        yield replace(item, remedy=_LOCKS_LAST) if item.locks and precedes else item


_LOCKS_LAST = "Run `poetry tf check --fix`, which fixes pyproject.toml first, then locks"
