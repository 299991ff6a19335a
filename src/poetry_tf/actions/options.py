"""The options of `init`, and the plan for a project with some of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import get_args

from poetry.core.constraints.version import VersionConstraint, VersionRange, parse_constraint
from poetry.core.packages.dependency import Dependency

from poetry_tf.files.project import Project
from poetry_tf.plan.alternatives import main_alternative
from poetry_tf.plan.derive import keeps_wide_pin, make_plan, without_image_limits
from poetry_tf.plan.environments import ENVIRONMENTS, required_environments
from poetry_tf.plan.lines import narrowed_release, tensorflow_lines
from poetry_tf.plan.main_line import (
    admitted_locked_tensorflow,
    joint_constraint,
    main_environments,
    main_pythons,
    main_requirement,
    required_catalog,
)
from poetry_tf.plan.model import CPU, Plan, PlanError
from poetry_tf.plan.moves import refuse_lost_platforms
from poetry_tf.plan.python import python_range
from poetry_tf.plan.release import choose_release, fitting_release, requested_release
from poetry_tf.plan.requirement import (
    admitted_releases,
    constraint_series,
    requires_cuda_wheels,
    stays_in_series,
    tensorflow_requirements,
)
from poetry_tf.plan.settings import SETTINGS_PATH, GpuChoice, Settings, read_settings
from poetry_tf.releases import Catalog, Release, load, role
from poetry_tf.releases.companions import companions
from poetry_tf.releases.images import load_images
from poetry_tf.text import did_you_mean, shell_word


@dataclass(frozen=True)
class InitOptions:
    """The options of `init`; None where one was not given."""

    tensorflow: str | None = None
    """A series or a release."""
    python: str | None = None
    """A Python minor."""
    gpu: GpuChoice | None = None
    environments: tuple[str, ...] | None = None
    """The environments that the lock has to be installable in."""
    mirror: str | None = None
    listing: str | None = None
    """The list of packages to take over, as an argument of the command line."""
    write_source: bool = False
    """Write the mirror as a source into pyproject.toml instead of as a setting."""
    container: bool = True
    """Write a devcontainer.json."""
    keeps_pin: bool = False
    """Leave a pin on several series, which a package publishes, and say so in the settings."""
    pythons: tuple[tuple[str, ...], ...] = ()
    """Without a container, the Python minors to choose among where nothing else names one: that of
    the project's environment, those of this machine, then those that its system has packages for.
    The first that serve count."""

    @property
    def names_release(self) -> bool:
        """Whether `tensorflow` is a release (2.18.1) rather than a series (2.18)."""
        return self.tensorflow is not None and self.tensorflow.count(".") > 1


def given_options(project: Project, options: InitOptions) -> str:
    """The options that a suggested ``init`` repeats, each after a space.

    They are those that the settings of the project do not hold.
    """
    settings = read_settings(project)[0]
    named = {
        "from": options.listing,
        "gpu": options.gpu if options.gpu != settings.gpu else None,
        "environments": options.environments and ",".join(options.environments),
        "mirror": shell_word(options.mirror or "") if options.mirror != "auto" else None,
    }
    here = "" if options.container or settings.devcontainer == "off" else " --no-devcontainer"
    return here + "".join(f" --{name} {value}" for name, value in named.items() if value)


def parse_python(text: str) -> VersionConstraint:
    """The range that ``--python 3.11`` means; raises `PlanError` for anything but a minor."""
    if re.fullmatch(r"3\.[0-9]{1,2}", text) is None:
        raise PlanError(
            f"--python: {text!r} is not a Python version", "Give a minor version such as 3.11."
        )
    return python_range([text])


def replaced_settings(options: InitOptions) -> tuple[str, ...]:
    """The settings that these options decide, whatever the project has."""
    found = {
        "gpu": options.gpu is not None,
        "environments": options.environments is not None,
        "devcontainer": not options.container,
    }
    return tuple(name for name, is_given in found.items() if is_given)


def parse_gpu(text: str) -> GpuChoice:
    """The GPU mode that ``--gpu`` names; raises `PlanError` for any other word."""
    for choice in get_args(GpuChoice):
        if choice == text:
            return choice  # type: ignore[no-any-return]
    modes = ", ".join(get_args(GpuChoice))
    raise PlanError(f"--gpu: {text!r} is not a GPU mode", f"Give one of {modes}.")


def parse_environments(options: Iterable[str]) -> tuple[str, ...]:
    """The environments of ``--environments``, separated by commas or repeated, each once.

    Raises `PlanError` for an unknown one, and if there is none.
    """
    names = [name.strip() for option in options for name in option.split(",") if name.strip()]
    known = f"Give some of {', '.join(ENVIRONMENTS)}."
    for name in names:
        if name not in ENVIRONMENTS:
            raise PlanError(
                f"--environments: {name!r} is not a known environment",
                did_you_mean(name, ENVIRONMENTS) + known,
            )
    if not names:
        raise PlanError("--environments is empty", known)
    return tuple(dict.fromkeys(names))


def plan_options(project: Project, options: InitOptions) -> Plan:
    """The plan for a project with some options; raises `PlanError` if there is none."""
    range_: VersionConstraint = main_pythons(project) or VersionRange()
    if options.python is not None:
        requested = parse_python(options.python)
        range_ = range_.intersect(requested) if range_.allows_any(requested) else requested
    elif main_requirement(project) is None:
        for minors in filter(None, options.pythons):
            with suppress(PlanError):
                return _plan_among(project, options, range_, python_range(minors))
    return _plan_among(project, options, range_, VersionRange())


def _plan_among(
    project: Project, options: InitOptions, range_: VersionConstraint, here: VersionConstraint
) -> Plan:
    """The plan for a project's range of Pythons, for a release that fits one of those `here`.

    A new project, which has no range yet, gets one of them.
    """
    catalog, images = load(), load_images()
    if not options.container:
        images = without_image_limits(images, catalog)
    among = range_.intersect(here)
    state = project.snapshot.get(project.pyproject.path)
    if state is not None and state.content is None:
        range_ = among
    settings, _ = read_settings(project)
    given = given_options(project, options)
    settings = replace(
        settings,
        devcontainer="sync" if options.container else "off",
        gpu=options.gpu or settings.gpu,
        environments=main_environments(project, options.environments or settings.environments),
    )
    has_main = any(role(item.name) == "main" for item in project.pyproject.requirements)
    if not _replaces_cpu_distribution(project, options):
        catalog = required_catalog(project, catalog)
    constraint, locked = joint_constraint(project), admitted_locked_tensorflow(project)
    if options.tensorflow is not None:
        release = requested_release(catalog, options.tensorflow)
        exact = options.names_release
        current = catalog.get(locked) if locked is not None else None
        stays = not exact and current is not None and current.series == release.series
        if not stays:
            locked, constraint = None, None
            if exact:
                locked = fitting_release(catalog, release, images, settings, among).version
            else:
                constraint = _series_constraint(project, catalog, release.series)
    release = choose_release(
        catalog,
        images,
        settings,
        constraint=constraint,
        locked=locked,
        python=among,
        narrowed=narrowed_release(project),
        newest=options.keeps_pin or (options.tensorflow is None and keeps_wide_pin(project)),
        given=given,
    )
    has_wheels = options.gpu is None and requires_cuda_wheels(project)
    if (options.gpu or (None if has_main else settings.gpu)) == "none":
        release = _cpu_release(project, release, settings) or release
    plan = make_plan(catalog, images, release, settings, range_, has_wheels=has_wheels, given=given)
    if options.tensorflow is not None:
        refuse_lost_platforms(project, release)
    return plan


def _series_constraint(project: Project, catalog: Catalog, series: str) -> VersionConstraint:
    """What the project admits of a series: all of it, or the pin that stays."""
    main = main_requirement(project)
    if (
        main is not None
        and stays_in_series(project, main, series)
        and admitted_releases(catalog, main.constraint)
    ):
        return main.constraint
    return parse_constraint(f"~{series}")


def may_keep_pin(project: Project, options: InitOptions) -> bool:
    """Whether a package publishes a pin on several series that no option or setting decides on."""
    if options.tensorflow is not None or project.pyproject.document.get((*SETTINGS_PATH, "pin")):
        return False
    return any(
        project.pyproject.publishes(item)
        and not item.constraint.is_empty()
        and constraint_series(item.constraint) is None
        for item in tensorflow_requirements(project)
    )


def _replaces_cpu_distribution(project: Project, options: InitOptions) -> bool:
    """Whether tensorflow replaces a required tensorflow-cpu.

    It does if a GPU is requested and was not before, or an environment that only tensorflow has
    wheels for.
    """
    previous = read_settings(project)[0].gpu
    names = options.environments or ()
    return (
        options.gpu in {"system", "pip"}
        or (options.gpu == "auto" and previous == "none")
        or not any(all(map(release.usable_on, names)) for release in load(CPU).releases)
    )


def _cpu_release(project: Project, release: Release, settings: Settings) -> Release | None:
    """The same release of tensorflow-cpu; None if the project can't use it.

    The project can't if tensorflow-cpu lacks wheels for one of its environments, or if another
    package requires tensorflow itself: the two install the same files.
    """
    same = load(CPU).get(release.version)
    if same is None or same.yanked or same.inferred_from or _needs_tensorflow_itself(project):
        return None
    main = main_requirement(project)
    installed = main_alternative(project.pyproject, main) if main is not None else None
    names = {*required_environments(release, settings.environments)}
    for line in tensorflow_lines(project):
        # Another line may be for other platforms.
        if installed is not None and installed.installs(line.item):
            names.update(line.environments or filter(line.counts_in, ENVIRONMENTS))
    if all({*release.usable_on(name)} <= {*same.usable_on(name)} for name in names):
        return same
    return None


def _needs_tensorflow_itself(project: Project) -> bool:
    """Whether a package besides the project requires tensorflow.

    Packages that need TensorFlow and whose dependencies are unknown are assumed to.
    """
    for item in project.pyproject.requirements:
        if role(item.name) == "other":
            return True
        for companion in companions().get(item.name, ()):
            for required in map(Dependency.create_from_pep_508, companion.requires):
                is_required = not required.in_extras or {*required.in_extras} & item.extras
                if required.name == "tensorflow" and is_required:
                    return True
    lock = project.valid_lock
    packages = lock.data.get("package", []) if lock is not None else []
    return any(
        "tensorflow" in package.get("dependencies", {})
        for package in packages
        if role(package["name"]) not in {"main", "shim"}
    )
