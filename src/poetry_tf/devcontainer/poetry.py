"""Poetry in a container, in the version that fits the lock, and the project that it installs."""

from __future__ import annotations

from collections.abc import Iterator

from poetry_tf.devcontainer.lifecycle import HOOKS, Installation, Task
from poetry_tf.devcontainer.plugin import install_step
from poetry_tf.devcontainer.spec import ContainerSpec
from poetry_tf.devcontainer.view import Change, View, feature_id
from poetry_tf.files.edits import Edit
from poetry_tf.files.values import KeyPath
from poetry_tf.releases.images import Images

CACHE_VOLUME = "poetry-tf-cache"
CACHE_FOLDER = "/mnt/poetry-cache"
ENVIRONMENT = ".venv"
ENVIRONMENT_VOLUME = "poetry-tf-venv-${devcontainerId}"

# Where poetry-tf has Poetry installed, and then the project.
_PREPARES = "onCreateCommand"
_INSTALLS = "postCreateCommand"
_INTERPRETER: KeyPath = ("customizations", "vscode", "settings", "python.defaultInterpreterPath")
# Unset on a machine it arrives empty, which means unset.
MIRROR = "POETRY_TF_MIRROR"
_IN_PROJECT = "POETRY_VIRTUALENVS_IN_PROJECT"
# The volume outlives the container, and so may hold the environment of another Python.
_RENEWAL = (
    '(python3 -c "import os, sys; v = sys.version_info; '
    f"sys.exit(not os.path.isdir('{ENVIRONMENT}/lib/python%d.%d' % v[:2]))\" "
    f"|| sudo find {ENVIRONMENT} -mindepth 1 -delete)"
)


def retired_feature(view: View, wanted: ContainerSpec) -> Iterator[Change]:
    """A feature that installed Poetry and is gone."""
    images = wanted.images
    prepares = wanted.plan is not None and wanted.whole and not view.own_base
    elsewhere = bool(view.features(*images.poetry_features)) or _installs_poetry(view)
    for key in view.features(*images.retired_poetry_features):
        trouble = f"{key} is gone: its organisation was deleted"
        if elsewhere or prepares:
            remedy = f"Install Poetry with pipx install poetry=={wanted.poetry}"
            if elsewhere:
                remedy = "Remove it: Poetry is installed besides"
            edits: tuple[Edit, ...] = (view.remove_member("features", key),)
        else:
            # Nothing else would install Poetry.
            successor = _successor(key, images.poetry_features[0])
            remedy, edits = f"Use {successor}", _renamed(view, wanted, key, successor)
        yield Change("TF505", trouble, remedy, ("features", key), edits)


def _successor(key: str, id_: str) -> str:
    """The key of a feature in its new place: the version stays, a digest means nothing there."""
    version = key.removeprefix(feature_id(key))
    return id_ if version.startswith("@") else id_ + version


def _renamed(view: View, wanted: ContainerSpec, key: str, successor: str) -> tuple[Edit, ...]:
    rename = view.rename("features", key, to=successor)
    if wanted.plan is None:
        return (rename,)  # the container's Python may not run the Poetry that is wanted
    return rename, _version_edit(view, wanted, key, successor)


def _version_edit(view: View, wanted: ContainerSpec, key: str, new_key: str) -> Edit:
    version = str(wanted.poetry)
    if isinstance(view.get("features", key), dict):
        return view.set("features", new_key, "version", value=version)
    return view.set("features", new_key, value={"version": version})


def poetry(view: View, wanted: ContainerSpec) -> Iterator[Change]:
    """Whether Poetry is installed, and in the version that is wanted."""
    if wanted.plan is None:
        return
    features = view.features(*wanted.images.poetry_features)
    for key in features:
        yield from _feature_version(view, wanted, key)
    for task in view.tasks:
        for installation in task.installations:
            yield from _pin(view, wanted, installation)
    # What makes a base of the user's own is where Poetry is installed in it.
    if wanted.whole and not features and not _installs_poetry(view) and not view.own_base:
        yield Change(
            "TF506",
            "Poetry is not installed in a fixed version",
            f"Install poetry=={wanted.poetry} in {_PREPARES}",
            (_PREPARES,),
            tuple(_preparation(view, wanted)),
        )


def asked_for(view: View, images: Images) -> Iterator[tuple[str, KeyPath]]:
    """Each version of Poetry that a container asks for, as it is written, and where it stands."""
    for key in view.features(*images.poetry_features, *images.retired_poetry_features):
        value = view.get("features", key)
        version = value.get("version") if isinstance(value, dict) else value
        if isinstance(version, str):
            is_table = isinstance(value, dict)
            yield version, ("features", key, "version") if is_table else ("features", key)
    for task in view.tasks:
        for installation in task.installations:
            yield installation.written, installation.path


def _installs_poetry(view: View) -> bool:
    return any(task.installations for task in view.tasks)


def _feature_version(view: View, wanted: ContainerSpec, key: str) -> Iterator[Change]:
    value = view.get("features", key)
    version = value.get("version") if isinstance(value, dict) else value
    if not isinstance(version, str) or not wanted.accepts_poetry(version):
        said = version if isinstance(version, str) else "of no fixed version"
        yield Change(
            "TF506",
            f"Poetry {said} is installed, but Poetry {wanted.poetry} {wanted.why_poetry}",
            f'Write "version": "{wanted.poetry}"',
            ("features", key),
            (_version_edit(view, wanted, key, key),),
        )


def _pin(view: View, wanted: ContainerSpec, installation: Installation) -> Iterator[Change]:
    if installation.exact and wanted.accepts_poetry(installation.written):
        return
    text, path = installation.pinned(str(wanted.poetry)), installation.path
    yield Change(
        "TF506",
        f"Poetry {installation.written or 'of no fixed version'} is installed, but Poetry "
        f"{wanted.poetry} {wanted.why_poetry}",
        f"Install Poetry {wanted.poetry}",
        path,
        () if text is None else (Edit(view.path, "set", path, text),),
    )


def _preparation(view: View, wanted: ContainerSpec) -> Iterator[Edit]:
    command = f"pipx install poetry=={wanted.poetry}{install_step(wanted.poetry_tf)}"
    owned = []
    if not view.features(*wanted.images.cache_features):
        owned.append(CACHE_FOLDER)
        yield from _cache(view)
    if _takes_environment(view):
        owned.append(ENVIRONMENT)
        command = f"{_RENEWAL} && {command}"
        yield from _environment(view)
    if owned:
        command = f'sudo chown "$(id -u):$(id -g)" {" ".join(owned)} && {command}'
    if not view.sets_variable(MIRROR):
        yield view.set("remoteEnv", MIRROR, value=f"${{localEnv:{MIRROR}}}")
    waiting = [task for task in view.tasks if task.hook == _PREPARES and task.uses_poetry]
    if waiting:
        path, text = waiting[0].preceded_by(command)
        yield Edit(view.path, "set", path, text)
    else:
        yield from view.add_command(_PREPARES, command)


def _cache(view: View) -> Iterator[Edit]:
    if not _mounts(view, CACHE_FOLDER):
        mount = {"source": CACHE_VOLUME, "target": CACHE_FOLDER, "type": "volume"}
        yield Edit(view.path, "append", ("mounts",), mount)
    if "POETRY_CACHE_DIR" not in view.object("containerEnv"):
        yield view.set("containerEnv", "POETRY_CACHE_DIR", value=CACHE_FOLDER)


def _mounts(view: View, folder: str) -> bool:
    mounts = view.get("mounts")
    return isinstance(mounts, list) and any(folder in str(item) for item in mounts)


def _takes_environment(view: View) -> bool:
    """Whether nothing says yet where Poetry is to make the environment."""
    variables = (*view.object("containerEnv"), *view.object("remoteEnv"))
    says = any(name.startswith("POETRY_VIRTUALENVS_") for name in variables)
    return not says and not _mounts(view, ENVIRONMENT)


def environment_in_project(view: View, wanted: ContainerSpec) -> bool:
    """Whether the environment lies in the workspace, or will once the container is set up."""
    said = {**view.object("remoteEnv"), **view.object("containerEnv")}.get(_IN_PROJECT)
    if said is not None:
        return str(said).lower() in {"true", "1"}
    set_up = view.own_base or view.features(*wanted.images.poetry_features)
    return not set_up and not _installs_poetry(view) and _takes_environment(view)


def _environment(view: View) -> Iterator[Edit]:
    """The environment at a path that VS Code finds, in a volume because the workspace may be slow.

    The volume belongs to this container alone, and outlives it.
    """
    place = f"${{containerWorkspaceFolder}}/{ENVIRONMENT}"
    volume = {"source": ENVIRONMENT_VOLUME, "target": place, "type": "volume"}
    yield Edit(view.path, "append", ("mounts",), volume)
    yield view.set("containerEnv", _IN_PROJECT, value="true")
    if view.document.get(_INTERPRETER) is None:
        yield Edit(view.path, "set", _INTERPRETER, f"{place}/bin/python")


def project(view: View, wanted: ContainerSpec) -> Iterator[Change]:
    """Whether the project is installed, once Poetry is there."""
    if wanted.plan is None or view.own_base or not wanted.whole:
        return
    if any(task.installs_project for task in view.tasks):
        return
    command = wanted.install
    if wanted.git_lfs:
        command = f"(! git rev-parse -q --verify HEAD || git lfs pull) && {command}"
    task = _first_installing(view)
    if task is None or HOOKS.index(task.hook) < HOOKS.index(_INSTALLS):
        edits = tuple(view.add_command(_INSTALLS, command))
    else:
        # Commands of a hook run at the same time, so it has to be the same command.
        path, text = task.followed_by(command)
        edits = (Edit(view.path, "set", path, text),)
    yield Change(None, "the project is not installed", "", (_INSTALLS,), edits)


def _first_installing(view: View) -> Task | None:
    """The first command that installs Poetry."""
    return next((task for task in view.tasks if task.installations), None)
