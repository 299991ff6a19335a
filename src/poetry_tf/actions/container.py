"""A project with its dev containers as the plan needs them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, get_args

from poetry_tf.devcontainer.changes import synchronize
from poetry_tf.devcontainer.spec import container_spec
from poetry_tf.files.documents import DocumentError
from poetry_tf.files.edits import Edit, apply
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.files.project import Devcontainer, Project, is_fully_managed, readable_configurations
from poetry_tf.plan.derive import required_plan
from poetry_tf.plan.model import Plan, PlanError
from poetry_tf.plan.settings import REGISTRY_REMEDY, SETTINGS_PATH, EngineChoice, is_registry
from poetry_tf.releases import load
from poetry_tf.releases.images import load_images


@dataclass(frozen=True)
class ContainerOptions:
    """The options of `devcontainer`; None where one was not given."""

    engine: str | None = None
    gpu_required: bool | None = None
    registry: str | None = None
    """A registry, or ``off``."""


def with_container_options(project: Project, options: ContainerOptions) -> Project:
    """The project with the options as its settings; raises `PlanError` for an invalid one."""
    values: dict[str, Any] = {}
    if options.engine is not None:
        if options.engine not in get_args(EngineChoice):
            known = ", ".join(get_args(EngineChoice))
            raise PlanError(f"{options.engine!r} is not an engine", f"Give one of {known}.")
        values["engine"] = options.engine
    if options.gpu_required is not None:
        values["gpu-required"] = options.gpu_required
    if options.registry not in (None, "off"):
        if not is_registry(str(options.registry)):
            raise PlanError(f"{options.registry!r} is not a registry", REGISTRY_REMEDY)
        values["registry"] = options.registry
    file = project.pyproject.path
    edits = [Edit(file, "set", (*SETTINGS_PATH, key), value) for key, value in values.items()]
    if options.registry == "off" and project.pyproject.document.get((*SETTINGS_PATH, "registry")):
        edits.append(Edit(file, "remove", (*SETTINGS_PATH, "registry")))
    return apply(project, edits)


def with_container(project: Project) -> tuple[Project, Plan]:
    """The project with its devcontainer.json matching the locked, else the pinned, TensorFlow.

    Raises `PlanError` if there is no TensorFlow or no container for it, `ProjectError` for a
    devcontainer.json that can't be read.
    """
    plan = _container_plan(project, (project.devcontainer,))
    found = project.devcontainer
    found = found if isinstance(found, Devcontainer) else _empty_container(project)
    return _synchronized(project, found, plan, whole=True), plan


def with_containers(project: Project) -> tuple[Project, Plan]:
    """The project with each of its dev containers matching TensorFlow; a new one if it has none.

    Raises the errors of `with_container`.
    """
    plan = _container_plan(project, project.devcontainers)
    for found in readable_configurations(project) or (_empty_container(project),):
        whole = found.path == project.devcontainer_path or is_fully_managed(project, found)
        project = _synchronized(project, found, plan, whole=whole)
    return project, plan


def _empty_container(project: Project) -> Devcontainer:
    return Devcontainer(project.devcontainer_path, JsoncDocument.parse("{}\n"))


def _container_plan(
    project: Project, containers: Iterable[Devcontainer | ProjectError | None]
) -> Plan:
    for broken in containers:
        if isinstance(broken, ProjectError):
            raise broken
    return required_plan(project, load(), load_images(), makes_container=True)


def _synchronized(project: Project, found: Devcontainer, plan: Plan, *, whole: bool) -> Project:
    spec = container_spec(project, plan, load_images(), whole=whole)
    try:
        document = synchronize(found.path, found.document, spec)
    except DocumentError as error:
        raise ProjectError(found.path, error.message, error.position) from None
    return project.with_document(found.path, document)
