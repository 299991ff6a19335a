"""Setting a project up: from what is there and what was asked for to the project as it should be.

Nothing here writes or talks. A new project and an existing one go the same way: the choices are
settled, the plan is made, and the edits of everything that differs from it are applied.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import tomlkit
from packaging.utils import canonicalize_name
from poetry.core.constraints.version import VersionConstraint, VersionRange, parse_constraint
from poetry.core.packages.dependency import Dependency
from poetry.core.version.markers import parse_marker

from poetry_tf.actions.fix import fix, fix_requirements
from poetry_tf.devcontainer.changes import synchronize
from poetry_tf.devcontainer.spec import container_spec
from poetry_tf.files.configurations import configurations, is_fully_managed, readable_configurations
from poetry_tf.files.documents import DocumentError
from poetry_tf.files.edits import Edit, apply
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.files.project import PYPROJECT, Devcontainer, Project
from poetry_tf.files.pyproject import Pyproject
from poetry_tf.files.snapshot import FileState
from poetry_tf.files.toml import Inline, TomlDocument
from poetry_tf.index.mirrors import (
    AUTO_MIRROR,
    MirrorError,
    is_plain_http,
    mirror_at,
    mirror_key,
    parse_mirror,
    setting_value,
    without_credentials,
)
from poetry_tf.plan.derive import (
    derive_plan,
    make_plan,
    mirror_setting,
    wants_container,
    without_image_limits,
)
from poetry_tf.plan.environments import (
    DEFAULT_ENVIRONMENTS,
    ENVIRONMENTS,
    make_targets,
    required_environments,
)
from poetry_tf.plan.model import CPU, Plan, PlanError
from poetry_tf.plan.python import python_range
from poetry_tf.plan.release import choose_release, requested_release
from poetry_tf.plan.requirement import (
    admitted_locked_tensorflow,
    constraint_series,
    joint_constraint,
    required_catalog,
    requires_cuda_wheels,
    tensorflow_requirements,
)
from poetry_tf.plan.settings import (
    REGISTRY_REMEDY,
    SETTINGS_PATH,
    EngineChoice,
    GpuChoice,
    Settings,
    is_registry,
    read_settings,
)
from poetry_tf.pyproject.bounds import outdated_bound_edits
from poetry_tf.pyproject.cuda_extra import cuda_extra_edits, new_requirement_edits
from poetry_tf.pyproject.pins import pin_edits
from poetry_tf.pyproject.requirement_edits import remove_edits, rename_edits
from poetry_tf.pyproject.shims import shim_for
from poetry_tf.releases import Release, load, role
from poetry_tf.releases.companions import companions
from poetry_tf.releases.images import load_images

MIRROR: tuple[str, str] = ("tf", "mirror")
# What a new project begins with; the edits that an existing project gets add the rest.
NEW_PYPROJECT = """\
[project]
name = {name}
version = "0.1.0"
description = ""
requires-python = ">=3"
dependencies = [
]

[tool.poetry]
package-mode = false
"""


@dataclass(frozen=True)
class InitOptions:
    """What the user asked for; None is what was left open."""

    tensorflow: str | None = None
    """A series or a release."""
    python: str | None = None
    """A Python minor."""
    gpu: GpuChoice | None = None
    environments: tuple[str, ...] | None = None
    """Where the lock has to be installable."""
    mirror: str | None = None
    write_source: bool = False
    """Write the mirror as a source into pyproject.toml instead of as a setting."""
    container: bool = True
    """Write a devcontainer.json."""

    @property
    def names_release(self) -> bool:
        """Whether one release is asked for (2.18.1) rather than a series (2.18)."""
        return self.tensorflow is not None and self.tensorflow.count(".") > 1


def is_new(root: Path) -> bool:
    """Whether there is no pyproject.toml yet."""
    return not (root / PYPROJECT).exists()


def open_project(root: Path) -> Project:
    """The project to set up, an empty one in memory where there is none.

    Raises `ProjectError` for files that can't be read, `PlanError` for a project that isn't
    Poetry's.
    """
    if is_new(root):
        # Read for what else may lie there: a devcontainer.json, a poetry.toml.
        pyproject = _new_pyproject(root)
        return Project.reading(root, pyproject, FileState.absent(pyproject.path))
    project = Project.read(root)
    if foreign := project.pyproject.foreign_manager:
        raise PlanError(
            f"{PYPROJECT}: this project is not Poetry's: it uses {foreign}",
            "poetry-tf sets up projects that Poetry manages. Run it in another folder, or move "
            "this project to Poetry first.",
        )
    for broken in (*project.devcontainers, project.lock):
        if isinstance(broken, ProjectError):
            raise broken
    return with_corrected_names(project)


def with_corrected_names(project: Project) -> Project:
    """The project with the names of distributions put right, without which nothing else is."""
    return fix(project, codes={"TF103", "TF106"})


def _new_pyproject(root: Path) -> Pyproject:
    path = root / PYPROJECT
    name = tomlkit.item(project_name(root)).as_string()
    return Pyproject(path, TomlDocument.parse(NEW_PYPROJECT.format(name=name)))


def project_name(root: Path) -> str:
    """A valid project name from the folder's: what no name may hold becomes a hyphen.

    A project that is called like something TensorFlow needs could not be solved: a distribution
    of that name would be required and be the project itself.
    """
    name = re.sub(r"[^A-Za-z0-9]+", "-", root.resolve().name).strip("-").lower()
    needed = (line for release in load().releases for line in release.requires)
    taken = {canonicalize_name(re.split(r"[^\w.-]", line)[0]) for line in needed}
    if role(name) is not None or canonicalize_name(name) in taken:
        return f"{name}-project"
    return name or "tensorflow-project"


def parse_python(wish: str) -> VersionConstraint:
    """The range that ``--python 3.11`` means; raises `PlanError` for what is no Python minor."""
    if re.fullmatch(r"3\.[0-9]{1,2}", wish) is None:
        raise PlanError(f"{wish!r} is no Python version", "Give a minor version such as 3.11.")
    return python_range([wish])


def parse_gpu(wish: str) -> GpuChoice:
    """The GPU mode that ``--gpu`` names; raises `PlanError` for any other word."""
    for choice in get_args(GpuChoice):
        if choice == wish:
            return choice  # type: ignore[no-any-return]
    raise PlanError(f"{wish!r} is no GPU mode", f"Give one of {', '.join(get_args(GpuChoice))}.")


def parse_environments(options: Iterable[str]) -> tuple[str, ...]:
    """The environments that ``--environments`` names, each once, between commas or repeated.

    Raises `PlanError` for one that isn't known, and where none is named.
    """
    names = [name.strip() for wish in options for name in wish.split(",") if name.strip()]
    known = f"Give some of {', '.join(ENVIRONMENTS)}."
    for name in names:
        if name not in ENVIRONMENTS:
            raise PlanError(f"{name!r} is no environment that poetry-tf knows", known)
    if not names:
        raise PlanError("--environments names no environment", known)
    return tuple(dict.fromkeys(names))


def plan_options(project: Project, options: InitOptions) -> Plan:
    """The plan for a project and what was asked for; raises `PlanError` where there is none."""
    catalog, images = load(), load_images()
    if not options.container:
        images = without_image_limits(images, catalog)
    declared = project.pyproject.python
    range_: VersionConstraint = declared.constraint if declared else VersionRange()
    if options.python is not None:
        wish = parse_python(options.python)
        # A range that holds the wish keeps its bounds; else the wish takes its place.
        range_ = range_.intersect(wish) if range_.allows_any(wish) else wish
    settings, _ = read_settings(project)
    settings = replace(
        settings,
        gpu=options.gpu or settings.gpu,
        environments=options.environments or settings.environments,
    )
    has_main = any(role(item.name) == "main" for item in project.pyproject.requirements)
    if not _goes_back(project, options):
        catalog = required_catalog(project, catalog)
    constraint, locked = joint_constraint(project), admitted_locked_tensorflow(project)
    if options.tensorflow is not None:
        release = requested_release(catalog, options.tensorflow)
        exact = options.names_release
        present = catalog.get(locked) if locked is not None else None
        stays = not exact and present is not None and present.series == release.series
        if not stays:
            locked = release.version if exact else None
            constraint = None if exact else parse_constraint(f"~{release.series}")
    release = choose_release(
        catalog, images, settings, constraint=constraint, locked=locked, python=range_
    )
    has_wheels = options.gpu is None and requires_cuda_wheels(project)
    if (options.gpu or (None if has_main else settings.gpu)) == "none":
        release = _without_gpu(project, release, settings) or release
    return make_plan(catalog, images, release, settings, range_, has_wheels=has_wheels)


def _goes_back(project: Project, options: InitOptions) -> bool:
    """Whether tensorflow is to take tensorflow-cpu's place, if that is what is required.

    So it is where a GPU is asked for and was not, and for environments that only tensorflow has
    wheels for.
    """
    said = read_settings(project)[0].gpu
    names = options.environments or ()
    return (
        options.gpu in {"system", "pip"}
        or (options.gpu == "auto" and said == "none")
        or not any(all(map(release.usable_on, names)) for release in load(CPU).releases)
    )


def _without_gpu(project: Project, release: Release, settings: Settings) -> Release | None:
    """The same release of tensorflow-cpu, where the project can do with that.

    It can where tensorflow-cpu has wheels for each of its environments, and where nothing else
    draws in tensorflow itself: the two hold the same files.
    """
    same = load(CPU).get(release.version)
    if same is None or same.yanked or same.inferred_from or _needs_tensorflow_itself(project):
        return None
    for name in required_environments(release, settings.environments):
        if not {*release.usable_on(name)} <= {*same.usable_on(name)}:
            return None
    return same


def _needs_tensorflow_itself(project: Project) -> bool:
    """Whether something besides the project requires tensorflow, as far as that is known.

    Of some packages that go with TensorFlow nothing is known, so they are taken to.
    """
    for item in project.pyproject.requirements:
        if role(item.name) == "other":
            return True
        for companion in companions().get(item.name, ()):
            for required in map(Dependency.create_from_pep_508, companion.requires):
                is_asked = not required.in_extras or {*required.in_extras} & item.extras
                if required.name == "tensorflow" and is_asked:
                    return True
    lock = project.valid_lock
    packages = lock.data.get("package", []) if lock is not None else []
    return any(
        "tensorflow" in package.get("dependencies", {})
        for package in packages
        if role(package["name"]) not in {"main", "shim"}
    )


def with_options_fixed(
    project: Project, options: InitOptions, plan: Plan, *, new: bool, mirror: str | None = "auto"
) -> Project:
    """The project with everything that pyproject.toml and poetry.toml need, not yet locked.

    The arguments are those of `begin`.
    """
    return fix_requirements(with_options(project, options, plan, new=new, mirror=mirror), plan)


def with_options(
    project: Project, options: InitOptions, plan: Plan, *, new: bool, mirror: str | None = "auto"
) -> Project:
    """The project with what was asked for, and nothing yet of what that makes necessary.

    `mirror` is what to set where neither the user nor the project says; None leaves it unset.
    Raises `ProjectError`.
    """
    file = project.pyproject.path
    if new:
        range_ = str(python_range([plan.python]))
        project = apply(project, [Edit(file, "set", ("project", "requires-python"), range_)])
    elif not project.pyproject.uses_poetry_tables and not project.pyproject.table("project"):
        for key, value in (("name", project_name(project.root)), ("version", "0.1.0")):
            project = apply(project, [Edit(file, "set", ("project", key), value)])
    project = with_requirement(project, options, plan)
    if not project.pyproject.ships_package:
        mode = Edit(file, "set", ("tool", "poetry", "package-mode"), False)
        project = apply(project, [mode])
    choice = options.gpu or read_settings(project)[0].gpu
    project = apply(project, [Edit(file, "set", (*SETTINGS_PATH, "gpu"), choice)])
    if not options.container and wants_container(project) and not configurations(project):
        project = apply(project, [Edit(file, "set", (*SETTINGS_PATH, "devcontainer"), "off")])
    if options.environments is not None:
        names = list(options.environments)
        if names != project.pyproject.document.get((*SETTINGS_PATH, "environments")):
            edit = Edit(file, "set", (*SETTINGS_PATH, "environments"), names)
            project = apply(project, [edit])
    project = apply(project, _mirror_edits(project, options, mirror))
    if options.write_source:
        project = _with_source(project, options.mirror)
    return project


def with_requirement(project: Project, options: InitOptions, plan: Plan) -> Project:
    """The project with its Python and its requirement on TensorFlow as they were asked for."""
    before = project
    project = apply(project, _python_edits(project, options))
    project = _with_name(project, plan.release.distribution)
    project = apply(project, _requirement_edits(project, options, plan))
    if options.tensorflow is None:
        return project
    project = _without_old_shims(project, plan)
    return apply(project, outdated_bound_edits(before, project))


def _python_edits(project: Project, options: InitOptions) -> list[Edit]:
    """requires-python as `--python` wants it, where the project's own range doesn't admit that."""
    declared = project.pyproject.python
    if options.python is None:
        return []
    wish = parse_python(options.python)
    if declared is not None and declared.constraint.allows_any(wish):
        return []
    return [Edit(project.pyproject.path, "set", project.pyproject.python_path, str(wish))]


def _with_name(project: Project, name: str) -> Project:
    """The project requiring one of TensorFlow's main distributions where it did another."""
    for item in tensorflow_requirements(project):
        if role(item.name) == "main" and item.name != name:
            renamed = apply(project, rename_edits(project, item, name))
            if renamed != project:  # the places of what follows may have moved
                return _with_name(renamed, name)
    return project


def _requirement_edits(project: Project, options: InitOptions, plan: Plan) -> list[Edit]:
    items = tensorflow_requirements(project)
    if not items:
        return list(new_requirement_edits(project, plan))
    edits: list[Edit] = []
    exact = options.names_release
    mains = {item.written for item in items if role(item.name) != "shim"}
    for item in items:
        other_series = constraint_series(item.constraint) != plan.release.series
        if mains and role(item.name) == "shim" and (other_series or item.written not in mains):
            continue  # what a platform needs in that series, if anything, is for `platforms` to say
        if options.tensorflow is not None and (
            other_series or (exact and item.written != plan.tilde)
        ):
            edits += pin_edits(project, item, plan, at_release=exact)
    edits += cuda_extra_edits(apply(project, edits), plan)
    return edits


def _without_old_shims(project: Project, plan: Plan) -> Project:
    """Without the lines for a platform that the release doesn't hand over to any more.

    Where it has a wheel of its own the rules find that; where it has none at all nothing does.
    """
    ours = [
        item
        for item in project.pyproject.requirements
        for environment in ENVIRONMENTS.values()
        if role(item.name) == "shim"
        and item.marker == parse_marker(environment.marker)
        and shim_for(plan.release, environment.name) != item.name
    ]
    return apply(project, remove_edits(project, ours))


def added_for_environments(before: Project, after: Project) -> dict[str, tuple[str, ...]]:
    """The distributions that are required beside TensorFlow now, and the environments they serve.

    Of complementary lines the one that leaves everything open serves none.
    """
    had = {(item.name, item.marker) for item in before.pyproject.requirements}
    environments = read_settings(after)[0].environments or DEFAULT_ENVIRONMENTS
    minors = without_image_limits(load_images(), load()).pythons
    found: dict[str, tuple[str, ...]] = {}
    for item in after.pyproject.requirements:
        is_beside = role(item.name) != "main"
        if is_beside and (item.name, item.marker) not in had and "<" in str(item.constraint):
            wanted = make_targets(environments, minors)
            serves = {target.environment for target in wanted if target.admits(item.marker)}
            known = found.get(item.name, ())
            served = serves.difference(known)
            found[item.name] = (*known, *(name for name in environments if name in served))
    return found


def _mirror_edits(project: Project, options: InitOptions, default: str | None) -> list[Edit]:
    """The setting in poetry.toml: what was asked for, else what is there, else `default`."""
    value = default if mirror_setting(project) is None else mirror_setting(project)
    if options.mirror is not None:
        value = setting_value(options.mirror)
    if options.write_source or value is None:
        return []
    if mirror_setting(project) is None and options.mirror is None and replaces_pypi(project):
        return []  # the project has a source in place of PyPI, so there is nothing to route
    return [Edit(project.root / "poetry.toml", "set", MIRROR, value)]


def replaces_pypi(project: Project) -> bool:
    """Whether a source of the project's own stands in place of PyPI, as Poetry decides that."""
    sources = _sources(project)
    named = any(str(source.get("name")).lower() == "pypi" for source in sources)
    primary = any(source.get("priority", "primary") == "primary" for source in sources)
    return primary and not named


def _sources(project: Project) -> list[dict[str, Any]]:
    sources = project.pyproject.table("tool", "poetry").get("source", [])
    if not isinstance(sources, list) or not all(isinstance(item, dict) for item in sources):
        path = ("tool", "poetry", "source")
        position = project.pyproject.position(path)
        raise ProjectError(project.pyproject.path, "source is no array of tables", position)
    return sources


def _with_source(project: Project, wish: str | None) -> Project:
    """The mirror as Poetry's own primary source, as it was done before there was this plugin."""
    setting = parse_mirror(wish or "auto")
    mirror = setting.mirrors[0] if setting.mirrors else AUTO_MIRROR
    if setting.kind == "off":
        return project
    edits: list[Edit] = []
    file = project.pyproject.path
    if not any(mirror.url == source.get("url") for source in _sources(project)):
        if without_credentials(mirror.url) != mirror.url:
            raise PlanError(
                "The mirror's address holds a password, which doesn't belong into pyproject.toml",
                "Leave out --write-source, or use `poetry config http-basic`.",
            )
        name = re.sub(r"[^a-z0-9]+", "-", (mirror_key(mirror) or mirror.name).lower()).strip("-")
        source = {"name": name, "url": mirror.url, "priority": "primary"}
        edits.append(Edit(file, "append", ("tool", "poetry", "source"), source))
    if mirror_at(mirror.url) is not None and not any(
        item.covers("TF401", None) for item in read_settings(project)[0].ignore
    ):
        # Asked for, so it is nothing to find from now on; and a reader of the file is told why.
        entry = Inline(code="TF401", reason="chosen with init --write-source")
        edits.append(Edit(file, "append", (*SETTINGS_PATH, "ignore"), entry))
    return apply(project, edits)


def validate_mirror(
    wish: str, said_by: str = "", remedy: str = "Without it the default is auto."
) -> None:
    """Raises `PlanError` for a mirror that means nothing, or that TF402 would find fault with.

    Its message begins with `said_by`.
    """
    try:
        setting = parse_mirror(wish)
    except MirrorError as error:
        raise PlanError(f"{said_by}{error}", remedy) from None
    for mirror in setting.mirrors:
        known = mirror_at(mirror.url)
        shown = without_credentials(mirror.url)
        if known is not None and known.retired:
            raise PlanError(f"{said_by}the mirror {shown} is retired", remedy)
        if is_plain_http(mirror.url):
            https = known.today.url if known is not None and known.today else "its https address"
            raise PlanError(
                f"{said_by}{shown} is plain http: whoever sits between can change what it answers",
                f"Give {https}.",
            )


# -- the container --------------------------------------------------------------------------


@dataclass(frozen=True)
class ContainerOptions:
    """What was asked for of the container; None is what was left open."""

    engine: str | None = None
    gpu_required: bool | None = None
    registry: str | None = None
    """A registry, or ``off``."""


def with_container_options(project: Project, options: ContainerOptions) -> Project:
    """The project with what was asked for as its settings, so that every command agrees.

    Raises `PlanError` for what means nothing.
    """
    wanted: dict[str, Any] = {}
    if options.engine is not None:
        if options.engine not in get_args(EngineChoice):
            known = ", ".join(get_args(EngineChoice))
            raise PlanError(f"{options.engine!r} is no engine", f"Give one of {known}.")
        wanted["engine"] = options.engine
    if options.gpu_required is not None:
        wanted["gpu-required"] = options.gpu_required
    if options.registry not in (None, "off"):
        if not is_registry(str(options.registry)):
            raise PlanError(f"{options.registry!r} can't stand for a registry", REGISTRY_REMEDY)
        wanted["registry"] = options.registry
    file = project.pyproject.path
    edits = [Edit(file, "set", (*SETTINGS_PATH, key), value) for key, value in wanted.items()]
    if options.registry == "off" and project.pyproject.document.get((*SETTINGS_PATH, "registry")):
        edits.append(Edit(file, "remove", (*SETTINGS_PATH, "registry")))
    return apply(project, edits)


def with_container(project: Project) -> tuple[Project, Plan]:
    """The project with its devcontainer.json as the locked, else the pinned, TensorFlow needs it.

    Raises `PlanError` where no container can be made or there is no TensorFlow, `ProjectError`
    for a devcontainer.json that can't be read.
    """
    plan = _plan_for(project, (project.devcontainer,))
    found = project.devcontainer
    found = found if isinstance(found, Devcontainer) else _empty(project)
    return _in_step(project, found, plan, whole=True), plan


def with_containers(project: Project) -> tuple[Project, Plan]:
    """The project with each of its dev containers that are looked at as `with_container` has one.

    Where there is none, with a default one. Raises what that does.
    """
    plan = _plan_for(project, project.devcontainers)
    for found in readable_configurations(project) or (_empty(project),):
        whole = found.path == project.devcontainer_path or is_fully_managed(project, found)
        project = _in_step(project, found, plan, whole=whole)
    return project, plan


def _empty(project: Project) -> Devcontainer:
    return Devcontainer(project.devcontainer_path, JsoncDocument.parse("{}\n"))


def _plan_for(project: Project, read: Iterable[Devcontainer | ProjectError | None]) -> Plan:
    for broken in read:
        if isinstance(broken, ProjectError):
            raise broken
    plan = derive_plan(project, load(), load_images())
    if plan is None:
        raise PlanError(
            "The project has no TensorFlow: pyproject.toml doesn't ask for it, and none is locked",
            "Add it with `poetry tf init`.",
        )
    return plan


def _in_step(project: Project, found: Devcontainer, plan: Plan, *, whole: bool) -> Project:
    wanted = container_spec(project, plan, load_images(), whole=whole)
    try:
        document = synchronize(found.path, found.document, wanted)
    except DocumentError as error:
        raise ProjectError(found.path, error.message, error.position) from None
    return project.with_document(found.path, document)
