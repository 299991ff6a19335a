"""Poetry in a container, in the version that fits the lock, and the project that it installs."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from poetry_tf.devcontainer.lifecycle import HOOKS
from poetry_tf.devcontainer.plugin import (
    INSTALLS_PLUGIN,
    INSTALLS_POETRY,
    chained_step,
    has_own_hook,
    install_command,
    plugin_requirement,
)
from poetry_tf.devcontainer.spec import INSTALL, ContainerSpec
from poetry_tf.devcontainer.view import Change, View, with_version
from poetry_tf.files.edits import Edit
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.files.values import KeyPath, as_text
from poetry_tf.releases.images import Images

CACHE_VOLUME = "poetry-tf-cache"
CACHE_FOLDER = "/mnt/poetry-cache"
ENVIRONMENT = ".venv"
ENVIRONMENT_VOLUME = "poetry-tf-venv-${devcontainerId}"
_PLACE = f"${{containerWorkspaceFolder}}/{ENVIRONMENT}"
# The folders, as a command in the workspace names them, with the volume and its place.
_VOLUMES = {
    CACHE_FOLDER: (CACHE_VOLUME, CACHE_FOLDER),
    ENVIRONMENT: (ENVIRONMENT_VOLUME, _PLACE),
}
_OWNER = re.compile(
    r"sudo chown -R \$\(id -u\):\$\(id -g\) (?P<folders>[^&|;]+?) && (?=pipx install poetry)"
)
# The names of a mount's place.
_TARGETS = ("target", "destination", "dst")

# The hook in which the project is installed.
INSTALLS_PROJECT = "postCreateCommand"
_INTERPRETER: KeyPath = ("customizations", "vscode", "settings", "python.defaultInterpreterPath")
# Where a machine does not set it, it is empty in the container, which means unset.
MIRROR = "POETRY_TF_MIRROR"
# pip reads its own in the commands that install Poetry.
_MIRRORS = (MIRROR, "POETRY_PYPI_MIRROR_URL", "PIP_INDEX_URL")
_IN_PROJECT = "POETRY_VIRTUALENVS_IN_PROJECT"
_CACHE = "POETRY_CACHE_DIR"
# In place of a version.
_NOT_FIXED = "of no fixed version"
# The volume outlives the container, and so may hold the environment of another Python. Poetry keeps
# one that fits, and replaces any other by a new one.
_RENEWAL = "poetry env use python3"
# It fails in a repository without a commit, and without access to the files.
_PULL = "(git lfs pull || true)"


def retired_feature(view: View, spec: ContainerSpec) -> Iterator[Change]:
    """A feature that installed Poetry and no longer exists."""
    images = spec.images
    will_install = spec.plan is not None and spec.whole and not view.own_base
    is_installed = bool(view.features(*images.poetry_features)) or view.installs_poetry
    for key in view.features(*images.retired_poetry_features):
        message = f"{key} is gone: its organisation was deleted"
        if is_installed or will_install:
            remedy = f"Install Poetry with pipx install poetry=={spec.poetry}"
            if is_installed:
                remedy = "Remove it: another command installs Poetry"
            edits: tuple[Edit, ...] = (view.remove_member("features", key),)
        else:
            # Nothing else would install Poetry.
            successor = with_version(images.poetry_features[0], key)
            remedy, edits = f"Use {successor}", (view.rename("features", key, to=successor),)
            if spec.plan is not None:  # else the container's Python may not run that Poetry
                edits = (*edits, _version_edit(view, spec, key, successor))
        yield Change("TF505", message, remedy, ("features", key), edits)


def _version_edit(view: View, spec: ContainerSpec, key: str, new_key: str) -> Edit:
    version = str(spec.poetry)
    if isinstance(view.get("features", key), dict):
        return view.set("features", new_key, "version", value=version)
    return view.set("features", new_key, value={"version": version})


def poetry(view: View, spec: ContainerSpec) -> Iterator[Change]:
    """Whether Poetry is installed, and in the specified version."""
    if spec.plan is None:
        return
    features = view.features(*spec.images.poetry_features)
    for key in features:
        written = as_text(_feature_version(view, key)[1], _NOT_FIXED)
        if not spec.accepts_poetry(written):
            edit = _version_edit(view, spec, key, key)
            remedy = f'Write "version": "{spec.poetry}"'
            yield _other_version(spec, written, remedy, ("features", key), (edit,))
    for task in view.tasks:
        for item in task.installations:
            if not (item.exact and spec.accepts_poetry(item.written)):
                text = f"{item.before}{spec.poetry}{item.after}"
                edits = () if item.before is None else (Edit(view.path, "set", item.path, text),)
                place = f" in {item.script}" if item.script else ""
                remedy = f"Install Poetry {spec.poetry}{place}"
                yield _other_version(spec, item.written or _NOT_FIXED, remedy, item.path, edits)
    if spec.whole and _lacks_poetry(view, spec):
        yield Change(
            "TF506",
            "the container installs no fixed version of Poetry",
            f"Install poetry=={spec.poetry} in {INSTALLS_POETRY}",
            (INSTALLS_POETRY,),
            tuple(_preparation(view, spec)),
        )
    elif spec.whole and not view.own_base:
        yield from _unmounted(view)


def _lacks_poetry(view: View, spec: ContainerSpec) -> bool:
    """Whether nothing installs Poetry. On their own base the user installs it."""
    features = view.features(*spec.images.poetry_features)
    return not features and not view.installs_poetry and not view.own_base


def gets_plugin(view: View, spec: ContainerSpec) -> bool:
    """Whether a container installs poetry-tf, or will once it is set up."""
    if plugin_requirement(view) is not None:
        return True
    return spec.poetry_tf.requirement is not None and spec.whole and _lacks_poetry(view, spec)


def container_poetrys(
    path: Path, document: JsoncDocument, images: Images
) -> Iterator[tuple[str, KeyPath]]:
    """Each version of Poetry that a devcontainer.json requests, as written, and its place."""
    view = View(path, document, is_new=False)
    for key in view.features(*images.poetry_features, *images.retired_poetry_features):
        place, version = _feature_version(view, key)
        if isinstance(version, str):
            yield version, place
    for task in view.tasks:
        for installation in task.installations:
            yield installation.written, installation.path


def _feature_version(view: View, key: str) -> tuple[KeyPath, Any]:
    """The place of the version that a feature installs, and the version."""
    value = view.get("features", key)
    if isinstance(value, dict):
        return ("features", key, "version"), value.get("version")
    return ("features", key), value


def _other_version(
    spec: ContainerSpec, written: str, remedy: str, path: KeyPath, edits: tuple[Edit, ...]
) -> Change:
    message = f"Poetry {written} is installed, but Poetry {spec.poetry} {spec.why_poetry}"
    return Change("TF506", message, remedy, path, edits)


def _unmounted(view: View) -> Iterator[Change]:
    """Folders of which the command that installs Poetry makes the user the owner, and which are
    not there: it fails, and Poetry is not installed."""
    for task in view.tasks:
        for path, text in task.texts:
            if (match := _OWNER.match(text)) is None:
                continue
            folders = match["folders"].split()
            for folder in _VOLUMES:
                if folder not in folders or _mounts(view, folder):
                    continue
                rest = [item for item in folders if item != folder]
                command = f"{_own(rest)}{text[match.end() :]}"
                remedy, edits = "Remove it there", (Edit(view.path, "set", path, command),)
                if _is_used(view, folder):
                    remedy, edits = "Mount a volume there", (_mount(view, folder),)
                message = f"{folder} is not mounted, so the command that installs Poetry fails"
                yield Change("TF506", message, remedy, path, edits)


def _is_used(view: View, folder: str) -> bool:
    """Whether a variable has Poetry use the folder."""
    variables = {**view.object("remoteEnv"), **view.object("containerEnv")}
    if folder == ENVIRONMENT:
        return _is_true(variables.get(_IN_PROJECT))
    return variables.get(_CACHE) == folder


def _preparation(view: View, spec: ContainerSpec) -> Iterator[Edit]:
    folders = []
    if not view.features(*spec.images.cache_features):
        folders.append(CACHE_FOLDER)
        yield from _cache(view)
    if needs_environment(view):
        folders.append(ENVIRONMENT)
        yield from environment(view)
    elif _has_volume(view, ENVIRONMENT):
        folders.append(ENVIRONMENT)
    command = install_poetry(view, str(spec.poetry), folders)
    requirement = spec.poetry_tf.requirement
    in_own_hook = has_own_hook(view)
    if not in_own_hook:
        command += chained_step(requirement)
    yield from mirrors(view)
    dependent = [task for task in view.tasks if task.hook == INSTALLS_POETRY and task.uses_poetry]
    if dependent:
        path, text = dependent[0].script
        yield Edit(view.path, "set", path, f"{command} && {text}")
    else:
        yield view.add_command(INSTALLS_POETRY, command)
    if in_own_hook and requirement is not None:
        yield view.add_command(INSTALLS_PLUGIN, install_command(requirement))


def install_poetry(view: View, version: str, folders: Iterable[str]) -> str:
    """The command that installs Poetry, and makes the user the owner of the volumes."""
    return f"{'' if view.is_root else _own(folders)}pipx install poetry=={version}"


def _own(folders: Iterable[str]) -> str:
    # The cache may hold files of a container that ran as root.
    names = " ".join(folders)
    return f"sudo chown -R $(id -u):$(id -g) {names} && " if names else ""


def mirrors(view: View) -> Iterator[Edit]:
    """The mirrors of the machine. Their values, which may hold a password, stay out of the file."""
    for name in _MIRRORS:
        if not view.sets_variable(name):
            yield view.set("remoteEnv", name, value=f"${{localEnv:{name}}}")


def _cache(view: View) -> Iterator[Edit]:
    if not _mounts(view, CACHE_FOLDER):
        yield _mount(view, CACHE_FOLDER)
    if _CACHE not in view.object("containerEnv"):
        yield view.set("containerEnv", _CACHE, value=CACHE_FOLDER)


def _mount(view: View, folder: str) -> Edit:
    source, target = _VOLUMES[folder]
    mount = {"source": source, "target": target, "type": "volume"}
    return Edit(view.path, "append", ("mounts",), mount)


def _mounts(view: View, folder: str) -> bool:
    """Whether something is mounted at a folder, or at one of that name."""
    targets = [posixpath.normpath(as_text(mount.get("target"))) for mount in _all_mounts(view)]
    if folder == ENVIRONMENT:
        targets = list(map(posixpath.basename, targets))
    return folder in targets or any(folder in argument for argument in view.run_arguments)


def _has_volume(view: View, folder: str) -> bool:
    """Whether a volume, which belongs to root at first, is mounted at a folder."""
    target = _VOLUMES[folder][1]
    return any(
        mount.get("target") == target and mount.get("type") == "volume"
        for mount in _all_mounts(view)
    )


def _all_mounts(view: View) -> Iterator[dict[str, Any]]:
    """The mounts, each with the key `target`."""
    mounts = view.get("mounts")
    for item in mounts if isinstance(mounts, list) else []:
        parts = item
        if isinstance(item, str):
            parts = dict(part.partition("=")[::2] for part in item.split(","))
        if isinstance(parts, dict):
            target = next((parts[key] for key in _TARGETS if key in parts), "")
            yield {**parts, "target": target}


def needs_environment(view: View) -> bool:
    """Whether the file leaves open where Poetry makes the environment."""
    variables = (*view.object("containerEnv"), *view.object("remoteEnv"))
    is_set = any(name.startswith("POETRY_VIRTUALENVS_") for name in variables)
    return not is_set and not _mounts(view, ENVIRONMENT)


def environment_in_project(view: View, spec: ContainerSpec) -> bool:
    """Whether the environment is in the workspace, or will be once the container is set up."""
    value = {**view.object("remoteEnv"), **view.object("containerEnv")}.get(_IN_PROJECT)
    if value is not None:
        return _is_true(value)
    return _lacks_poetry(view, spec) and needs_environment(view)


def _is_true(value: Any) -> bool:
    return str(value).lower() in {"true", "1"}


def environment(view: View) -> Iterator[Edit]:
    """The environment at a path that VS Code finds, in a volume because the workspace may be slow.

    The volume belongs to this container alone, and outlives it.
    """
    yield _mount(view, ENVIRONMENT)
    yield view.set("containerEnv", _IN_PROJECT, value="true")
    if view.document.get(_INTERPRETER) is None:
        yield Edit(view.path, "set", _INTERPRETER, f"{_PLACE}/bin/python")


def project(view: View, spec: ContainerSpec) -> Iterator[Change]:
    """Whether the project is installed, once Poetry is there."""
    if spec.plan is None or view.own_base or not spec.whole:
        return
    if any(task.installs_project for task in view.tasks):
        return
    command = install_project(view, spec)
    task = next((task for task in view.tasks if task.installations), None)
    if task is None or HOOKS.index(task.hook) < HOOKS.index(INSTALLS_PROJECT):
        if view.get(INSTALLS_PROJECT) in (None, "", []):
            yield Change.convenience(*install_alone(view, spec))
            return
        edit = view.add_command(INSTALLS_PROJECT, command, is_install=True)
    else:
        # Commands of a hook run at the same time, so it has to be the same command.
        path, text = task.followed_by(command)
        edit = Edit(view.path, "set", path, text)
    yield Change.convenience(edit)


def install_project(view: View, spec: ContainerSpec) -> str:
    """The command that installs the project."""
    command = spec.install
    if ENVIRONMENT_VOLUME in str(view.get("mounts")):
        command = f"{_RENEWAL} && {command}"
    return f"{_PULL} && {command}" if spec.git_lfs else command


def install_alone(view: View, spec: ContainerSpec) -> Iterator[Edit]:
    """The installation as the only command of its hook: the container opens also where it fails.

    Else the hooks that follow are skipped. An editor waits for it, as its Python is not there
    before. It is no command of a prebuild, which has neither a person's secrets nor their mirror.
    """
    shown = INSTALL if "'" in spec.install else spec.install
    yield view.set(INSTALLS_PROJECT, value=f"{install_project(view, spec)} || echo 'run: {shown}'")
    if view.get("waitFor") is None:
        yield view.set("waitFor", value=INSTALLS_PROJECT)
