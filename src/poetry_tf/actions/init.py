"""Setting a project up: from its files and the options to the project as it should be.

Nothing here writes files or uses the console. A new project and an existing one are handled alike:
the settings and the plan decide, and the edits of everything that differs are applied.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import tomlkit
from packaging.utils import canonicalize_name

from poetry_tf.actions.fix import MAX_FIXES, fix, fix_requirements
from poetry_tf.actions.mirror import mirror_edits, source_edits
from poetry_tf.actions.options import InitOptions, parse_python
from poetry_tf.files.edits import Edit, apply, apply_until_stable
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.project import PYPROJECT, Project, configurations
from poetry_tf.files.pyproject import Pyproject
from poetry_tf.files.requirements import Requirement, required_name
from poetry_tf.files.snapshot import FileState
from poetry_tf.files.toml import TomlDocument
from poetry_tf.files.values import KeyPath
from poetry_tf.plan.alternatives import main_alternative
from poetry_tf.plan.derive import require_poetry, wants_container, without_image_limits
from poetry_tf.plan.environments import DEFAULT_ENVIRONMENTS, make_targets
from poetry_tf.plan.main_line import main_requirement
from poetry_tf.plan.model import Plan
from poetry_tf.plan.moves import line_moves
from poetry_tf.plan.python import python_range
from poetry_tf.plan.requirement import stays_in_series, tensorflow_requirements
from poetry_tf.plan.settings import SETTINGS_PATH, read_settings
from poetry_tf.pyproject.bounds import outdated_bound_edits
from poetry_tf.pyproject.cuda_extra import cuda_extra_edits, new_requirement_edits
from poetry_tf.pyproject.pins import pin_edits, series_tilde, shim_pin_edits
from poetry_tf.pyproject.replaced_lines import replaced_line_edits
from poetry_tf.pyproject.requirement_edits import rename_edits
from poetry_tf.releases import load, role
from poetry_tf.releases.images import load_images

# The edits that an existing project gets add the rest.
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


def is_new(root: Path) -> bool:
    """Whether there is no pyproject.toml yet."""
    return not (root / PYPROJECT).exists()


def open_project(root: Path, name: str | None = None) -> Project:
    """The project to set up; in memory only if there is no pyproject.toml yet.

    `name` is the one of a new project; None stands for that of the folder.

    Raises `ProjectError` for files that can't be read, `PlanError` for a project that Poetry does
    not manage.
    """
    if is_new(root):
        value = tomlkit.item(name or project_name(root)).as_string()
        document = TomlDocument.parse(NEW_PYPROJECT.format(name=value))
        pyproject = Pyproject(root / PYPROJECT, document)
        # The folder may have a devcontainer.json or a poetry.toml.
        return Project.reading(root, pyproject, FileState.absent(pyproject.path))
    project = Project.read(root)
    require_poetry(project, to_set_up=True)
    for broken in (*project.devcontainers, project.lock):
        if isinstance(broken, ProjectError):
            raise broken
    return with_corrected_names(project)


def with_corrected_names(project: Project) -> Project:
    """The project with misspelled and retired distribution names fixed."""
    return fix(project, codes={"TF103", "TF106"})


def project_name(root: Path) -> str:
    """A valid project name from the name of a folder."""
    return valid_name(root.resolve().name)


def loses_name(root: Path) -> bool:
    """Whether the folder's name has characters that a project name can't have, such as Chinese."""
    name = root.resolve().name
    return not name.isascii() or re.search(r"[A-Za-z0-9]", name) is None


def valid_name(text: str) -> str:
    """A text as a valid project name.

    A project with the name of a distribution that TensorFlow requires could not be solved, so it
    gets a suffix.
    """
    name = re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-").lower()
    required = (line for release in load().releases for line in release.requires)
    taken = {required_name(line) for line in required}
    if role(name) is not None or canonicalize_name(name) in taken:
        return f"{name}-project"
    return name or "tensorflow-project"


def with_options_fixed(
    project: Project, options: InitOptions, plan: Plan, *, new: bool, mirror: str | None = "auto"
) -> Project:
    """`with_options`, and everything else that pyproject.toml needs then; not yet locked."""
    return fix_requirements(with_options(project, options, plan, new=new, mirror=mirror), plan)


def with_options(
    project: Project, options: InitOptions, plan: Plan, *, new: bool, mirror: str | None = "auto"
) -> Project:
    """The project with the options applied, without the fixes that this makes necessary.

    `mirror` is the mirror to set if neither the options nor the project name one; None sets none.
    Raises `ProjectError`.
    """
    project = apply(project, _metadata_edits(project, plan, new=new))
    project = with_requirement(project, options, plan)
    edits = [*_settings_edits(project, options), *mirror_edits(project, options, mirror)]
    if options.write_source:
        edits += source_edits(project, options.mirror)
    return apply(project, edits)


def _metadata_edits(project: Project, plan: Plan, *, new: bool) -> list[Edit]:
    values: dict[str, str] = {}
    if new:
        values = {"requires-python": str(python_range([plan.python]))}
    elif not project.pyproject.uses_poetry_tables and not project.pyproject.table("project"):
        values = {"name": project_name(project.root), "version": "0.1.0"}
    file = project.pyproject.path
    return [Edit(file, "set", ("project", key), value) for key, value in values.items()]


def _settings_edits(project: Project, options: InitOptions) -> list[Edit]:
    """The edits of `package-mode` and of ``[tool.poetry-tf]``."""
    values: dict[KeyPath, object] = {}
    if not project.pyproject.ships_package:
        values[("tool", "poetry", "package-mode")] = False
    values[(*SETTINGS_PATH, "gpu")] = options.gpu or read_settings(project)[0].gpu
    if not options.container and wants_container(project) and not configurations(project):
        values[(*SETTINGS_PATH, "devcontainer")] = "off"
    if options.keeps_pin:
        values[(*SETTINGS_PATH, "pin")] = "warn"
    if options.environments is not None:
        path, names = (*SETTINGS_PATH, "environments"), list(options.environments)
        if names != project.pyproject.document.get(path):
            values[path] = names
    file = project.pyproject.path
    return [Edit(file, "set", path, value) for path, value in values.items()]


def with_requirement(project: Project, options: InitOptions, plan: Plan) -> Project:
    """The project with Python and TensorFlow required as the options and the plan say."""
    before = project
    project = apply(project, _python_edits(project, options))
    project = _with_distribution(project, plan.release.distribution)
    if options.tensorflow is not None:
        project = _with_tensorflow_itself(project, plan, exact=options.names_release)
    project = apply(project, _requirement_edits(project, options, plan))
    if options.tensorflow is None:
        return project
    return apply(project, outdated_bound_edits(before, project))


def _python_edits(project: Project, options: InitOptions) -> list[Edit]:
    """Sets requires-python to `--python` if the project's own range excludes it."""
    declared = project.pyproject.python
    if options.python is None:
        return []
    requested = parse_python(options.python)
    if declared is not None and declared.constraint.allows_any(requested):
        return []
    return [Edit(project.pyproject.path, "set", project.pyproject.python_path, str(requested))]


def _with_distribution(project: Project, name: str) -> Project:
    """The project with this distribution of TensorFlow where its main requirement has another.

    What is installed together with the main requirement is renamed with it; another optional group
    or extra keeps what it has.
    """
    main = main_requirement(project)
    if main is None or main.name == name:
        return project
    installed = main_alternative(project.pyproject, main)
    for item in tensorflow_requirements(project):
        if role(item.name) == "main" and item.name != name and installed.installs(item):
            renamed = apply(project, rename_edits(project, item, name))
            if renamed != project:  # the paths of the rest may have changed
                return _with_distribution(renamed, name)
    return project


def _requirement_edits(project: Project, options: InitOptions, plan: Plan) -> list[Edit]:
    items = tensorflow_requirements(project)
    if not items:
        return list(new_requirement_edits(project, plan))
    edits: list[Edit] = []
    if options.tensorflow is not None:
        edits += _move_edits(project, plan, exact=options.names_release)
    edits += cuda_extra_edits(apply(project, edits), plan)
    return edits


def _move_edits(project: Project, plan: Plan, *, exact: bool) -> Iterator[Edit]:
    """The edits that move each requirement on TensorFlow that can move."""
    moves = line_moves(project, plan.release)
    mains = {move.item.written for move in moves if role(move.item.name) != "shim"}
    for move in moves:
        item = move.item
        if move.release is None or move.is_replaced:
            continue
        stays = stays_in_series(project, item, plan.release.series)
        if role(item.name) == "shim":
            # Of what is in the series already the rules decide what a platform needs.
            if not stays or (exact and item.written in mains):
                yield from shim_pin_edits(project, item, move.release, at_release=exact)
        elif not stays or (exact and item.written != series_tilde(move.release)):
            yield from pin_edits(project, item, move.release, at_release=exact)


def _with_tensorflow_itself(project: Project, plan: Plan, *, exact: bool) -> Project:
    """The project with TensorFlow itself in place of what served one platform only.

    A requirement that can't be replaced stays as it is.
    """

    name = canonicalize_name(plan.release.distribution)

    def replace_one(project: Project) -> Project | None:
        moves = line_moves(project, plan.release)
        mains = [
            move.item for move in moves if move.release == plan.release and move.item.name == name
        ]
        for move in moves:
            if move.is_replaced:
                edits = replaced_line_edits(project, move.item, mains, name)
                if edits:
                    return _pinned(apply(project, edits), move.item, plan, exact=exact)
        return None

    return apply_until_stable(project, replace_one, MAX_FIXES)


def _pinned(project: Project, old: Requirement, plan: Plan, *, exact: bool) -> Project:
    """The project with the requirement that took the place of `old`, if there is one, pinned."""
    place = plan.release.distribution, old.constraint, old.marker, old.group
    for item in tensorflow_requirements(project):
        if (item.name, item.constraint, item.marker, item.group) == place:
            return apply(project, pin_edits(project, item, plan.release, at_release=exact))
    return project


def added_for_environments(before: Project, after: Project) -> dict[str, tuple[str, ...]]:
    """The distributions newly required for some environments, and these environments.

    Of complementary lines only the one with an upper bound counts.
    """
    known = {(item.name, item.marker) for item in before.pyproject.requirements}
    environments = read_settings(after)[0].environments or DEFAULT_ENVIRONMENTS
    targets = make_targets(environments, without_image_limits(load_images(), load()).pythons)
    added: dict[str, tuple[str, ...]] = {}
    for item in after.pyproject.requirements:
        is_bounded = role(item.name) != "main" and "<" in str(item.constraint)
        if is_bounded and (item.name, item.marker) not in known:
            served = {target.environment for target in targets if target.admits(item.marker)}
            others = added.get(item.name, ())
            new = [name for name in environments if name in served and name not in others]
            added[item.name] = (*others, *new)
    return added
