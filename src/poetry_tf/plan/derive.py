"""Release + project + settings -> plan: the only place where a plan is made."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from poetry.core.constraints.version import VersionConstraint

from poetry_tf.files.project import LOCK, PYPROJECT, Project, configurations
from poetry_tf.plan.environments import pythons_with_wheels
from poetry_tf.plan.lines import narrowed_release
from poetry_tf.plan.main_line import (
    admitted_locked_tensorflow,
    joint_constraint,
    main_environments,
    main_pythons,
    main_requirement,
    required_catalog,
)
from poetry_tf.plan.model import CONTAINER_PLATFORM, Plan, PlanError, needs_keras_2
from poetry_tf.plan.release import choose_release, plan_gpu, planned_pythons
from poetry_tf.plan.requirement import requires_cuda_wheels
from poetry_tf.plan.second_cuda import container_clashes
from poetry_tf.plan.settings import Settings, read_settings, requirement_pin_severity
from poetry_tf.releases import Catalog, Release
from poetry_tf.releases.images import Images
from poetry_tf.text import format_list


def make_plan(
    catalog: Catalog,
    images: Images,
    release: Release,
    settings: Settings,
    python: VersionConstraint | None,
    *,
    has_wheels: bool = False,
    given: str = "",
) -> Plan:
    """The plan for a release.

    `python` is the project's range, None for any; with `has_wheels` the project requires the
    and-cuda extra already. Raises `PlanError` where the settings or the Pythons forbid the release;
    the commands that it suggests repeat the options `given`.
    """
    container = settings.devcontainer != "off"
    gpu = plan_gpu(catalog, release, settings.gpu, has_wheels=has_wheels, container=container)
    pythons = planned_pythons(
        catalog, images, release, settings, mode=gpu.mode, python=python, given=given
    )
    legacy_keras = settings.keras == "legacy" and needs_keras_2(release)
    return Plan(release, pythons, gpu, legacy_keras)


# How another tool prints the requirements of a project, as `init --from` reads them.
_EXPORTS: Final = {
    "uv": "uv export --no-hashes --no-emit-project > requirements.txt",
    "pdm": "pdm export --without-hashes > requirements.txt",
    "hatch": "hatch dep show requirements > requirements.txt",
}


# The keys for requirements in the tables of other tools.
_UNREAD: Final = ("dev-dependencies", "sources", "override-dependencies", "constraint-dependencies")

OTHER_LOCKS: Final = {"uv": "uv.lock", "pdm": "pdm.lock", "pixi": "pixi.lock"}
"""The lock files of other tools, which Poetry does not read."""


def require_poetry(project: Project, *, to_set_up: bool = False) -> None:
    """Raises `PlanError` for a project that another tool manages, with the ways to Poetry.

    One with a poetry.lock is Poetry's, whatever builds it; but nothing sets it up (`to_set_up`).
    """
    if (foreign := project.pyproject.foreign_manager) is None:
        return
    if project.lock is not None and not to_set_up:
        return
    is_package = "build-system" in project.pyproject.data
    remedies = [
        f"To move it to Poetry, add this to {PYPROJECT} and run `poetry tf init`:",
        "    [tool.poetry]",
        *([] if is_package else ["    package-mode = false"]),
    ]
    own = project.pyproject.table("tool").get(foreign)
    if unread := [key for key in _UNREAD if isinstance(own, dict) and own.get(key)]:
        remedies.append(
            f"Poetry does not read {format_list(unread)} in [tool.{foreign}]: write groups in "
            "[dependency-groups], and where a package comes from in its requirement."
        )
    if (lock := OTHER_LOCKS.get(foreign)) is not None:
        remedies.append(f"After that {lock} can be deleted: Poetry locks in {LOCK}.")
    if (export := _EXPORTS.get(foreign)) is not None:
        remedies += [
            "To keep it, make a project for Poetry in another folder, from its requirements:",
            f"    {export}",
            "    poetry tf init --from requirements.txt  # in the other folder",
        ]
    raise PlanError(f"{PYPROJECT}: this project uses {foreign}, not Poetry", "\n".join(remedies))


def wants_container(project: Project) -> bool:
    """Whether a project has a dev container, or `init` makes one for it."""
    return bool(configurations(project)) or read_settings(project)[0].devcontainer != "off"


def needs_container(project: Project) -> bool:
    """Whether a project has a dev container, or poetry-tf manages it and it is to have one."""
    if project.pyproject.is_managed:
        return wants_container(project)
    return bool(configurations(project))


def without_image_limits(images: Images, catalog: Catalog) -> Images:
    """The images with every Python that has wheels, for a project without a container."""
    return replace(images, pythons=pythons_with_wheels(catalog.releases, [CONTAINER_PLATFORM]))


def keeps_wide_pin(project: Project) -> bool:
    """Whether the main requirement may stay as wide as it is: a solver then takes the newest."""
    main = main_requirement(project)
    return main is not None and requirement_pin_severity(project, main) != "error"


def derive_plan(
    project: Project, catalog: Catalog, images: Images, *, makes_container: bool = False
) -> Plan | None:
    """The plan for a project as it is; None where it neither requires nor locks TensorFlow.

    With `makes_container` a dev container is about to be made. Raises `PlanError` where no
    plan can be made.
    """
    locked = admitted_locked_tensorflow(project)
    constraint = joint_constraint(project)
    if constraint is None and locked is None:
        return None
    catalog = required_catalog(project, catalog)
    settings, _ = read_settings(project)
    if not (makes_container or needs_container(project)):
        images = without_image_limits(images, catalog)
    elif settings.devcontainer == "off":  # one that the user keeps
        settings = replace(settings, devcontainer="warn")
    environments = main_environments(project, settings.environments)
    settings = replace(settings, environments=environments)
    python = main_pythons(project)
    release = choose_release(
        catalog,
        images,
        settings,
        constraint=constraint,
        locked=locked,
        python=python,
        narrowed=narrowed_release(project),
        newest=keeps_wide_pin(project),
    )
    plan = make_plan(
        catalog, images, release, settings, python, has_wheels=requires_cuda_wheels(project)
    )
    wheels = dict.fromkeys(clash.wheel for clash in container_clashes(project))
    if plan.gpu.mode == "none" or not wheels:
        return plan
    names = tuple(f"{wheel.name} {wheel.version}" for wheel in wheels)
    return replace(plan, gpu=replace(plan.gpu, proven=False, clashing=names))


def required_plan(
    project: Project, catalog: Catalog, images: Images, *, makes_container: bool = False
) -> Plan:
    """`derive_plan`, for what can't do without; raises `PlanError` if there is no TensorFlow."""
    plan = derive_plan(project, catalog, images, makes_container=makes_container)
    if plan is None:
        raise PlanError(
            "The project has no TensorFlow: pyproject.toml does not require it, and none is locked",
            "Add it with `poetry tf init`.",
        )
    return plan
