"""The dev container follows when a command has changed the TensorFlow that is locked.

This is help: the command has done its work by then, and whatever goes wrong here is one line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from packaging.version import Version

from poetry_tf.actions.fix import fix
from poetry_tf.checks.findings import Context
from poetry_tf.checks.run import CONTAINER_CODES, find_problems, make_context
from poetry_tf.devcontainer.changes import with_current_series
from poetry_tf.devcontainer.facts import differences
from poetry_tf.devcontainer.spec import container_spec
from poetry_tf.files.configurations import configurations, is_fully_managed, readable_configurations
from poetry_tf.files.errors import ChangedError, ProjectError, WriteError
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.files.project import Project
from poetry_tf.files.transaction import write_together
from poetry_tf.hooks.guards import GuardSettings
from poetry_tf.releases.images import load_images
from poetry_tf.text import format_list

if TYPE_CHECKING:
    from pathlib import Path

    from cleo.io.io import IO


WHERE = "poetry tf check tells where"


def follow(
    root: Path,
    before: Mapping[str, Version],
    after: Mapping[str, Version],
    io: IO,
    setting: GuardSettings,
) -> None:
    """Brings each devcontainer.json in step with the lock, or says that it is not.

    `before` and `after` are the locked distributions of TensorFlow. Nothing is done where they are
    the same, where there is no devcontainer.json, or where the setting `devcontainer` is "off".
    """
    if before == after or not after or setting.settings.devcontainer == "off":
        return
    outcome = _outcome(root, sync=setting.managed and setting.settings.devcontainer == "sync")
    if outcome is not None:
        text = io.error_output.formatter.escape(f"{_moved(before, after)}. {outcome}")
        io.write_error_line(f"poetry-tf: {text}")


def _outcome(root: Path, *, sync: bool) -> str | None:
    """What became of the dev containers, a sentence each; None where there is nothing to say."""
    try:
        project = Project.read(root)
    except ProjectError as error:
        return f"The dev container was not looked at: {error}"
    told = [
        f"{_name(root, item.path)} is left as it is, since it can't be read ({item}): "
        f"{_by_hand(item.path)}"
        for item in configurations(project)
        if isinstance(item, ProjectError)
    ]
    if readable_configurations(project):
        context = make_context(project)
        if context.trouble is not None:
            told.append(f"No dev container can be made for it: {context.trouble.message}")
        else:
            told += _synced(context) if sync else _noticed(context)
    return ". ".join(told) or None


def _noticed(context: Context) -> Iterator[str]:
    """That some no longer fit, where they are not to follow."""
    root = context.project.root
    names = [_name(root, path) for path in _out_of_step(context)]
    if names:
        yield f"{format_list(names)} no longer {'fits' if len(names) == 1 else 'fit'} it: {WHERE}"


def _synced(context: Context) -> Iterator[str]:
    """Writes those that are to follow, all together, and says what became of each."""
    project, out = context.project, _out_of_step(context)
    fixed = fix(project, codes=CONTAINER_CODES)
    named = _with_current_names(fixed)
    moved: dict[Path, JsoncDocument] = {}
    for found in readable_configurations(project):
        path, text = found.path, found.document.text
        after, document = fixed.document(path), named.document(path)
        assert after is not None
        assert isinstance(document, JsoncDocument)
        if after.text == text and path in out:
            name = _name(project.root, path)
            yield f"{name} no longer fits it, and a person has to change it: {WHERE}"
        elif document.text != text:
            moved[path] = document
    if not moved:
        return
    try:
        texts = {path: document.text.encode("utf-8") for path, document in moved.items()}
        write_together(project.root, texts, project.snapshot)
    except ChangedError as error:
        yield f"The dev container does not follow ({error}): {_rerun(*moved)}"
        return
    except WriteError as error:
        names = format_list(_name(project.root, path) for path in moved)
        yield f"{names} could not be written ({error}): {_by_hand(*moved)}"
        return
    # Only the containers were written: what goes with them in pyproject.toml may be left.
    written = project
    for path, document in moved.items():
        before = project.document(path)
        assert isinstance(before, JsoncDocument)
        parts = differences(before, document, load_images())
        told = f" ({', '.join(parts)})" if parts else ""
        rebuild = ": rebuild the container" if path in out else " in its name"
        yield f"{_name(project.root, path)} follows{told}{rebuild}"
        written = written.with_document(path, document)
    if moved.keys() & _out_of_step(make_context(written)):
        yield "That is not all: run poetry tf check --fix"


def _with_current_names(project: Project) -> Project:
    """The project with the series in each container's name right, where poetry-tf put it there."""
    context = make_context(project)
    for found in readable_configurations(project):
        whole = is_fully_managed(project, found)
        wanted = container_spec(project, context.plan, context.images, whole=whole)
        document = with_current_series(found.path, found.document, wanted)
        project = project.with_document(found.path, document)
    return project


def _out_of_step(context: Context) -> dict[Path, None]:
    """The dev containers that don't fit what is locked, in their order.

    What is found in pyproject.toml (a container brings CUDA, and so do the wheels) is about each.
    """
    found = {item.file for item in find_problems(context) if item.code in CONTAINER_CODES}
    paths = dict.fromkeys(item.path for item in readable_configurations(context.project))
    return paths if found - paths.keys() else {path: None for path in paths if path in found}


def _by_hand(*paths: Path) -> str:
    return f"mend it, then {_rerun(*paths)}"


def _rerun(*paths: Path) -> str:
    if all(path.parent.parent.name != ".devcontainer" for path in paths):
        return "run poetry tf devcontainer"
    return "run poetry tf check --fix"


def _name(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _moved(before: Mapping[str, Version], after: Mapping[str, Version]) -> str:
    parts = []
    for name, now in after.items():
        was = before.get(name)
        if was != now:
            parts.append(f"{name} {now} is locked" if was is None else f"{name} {was} -> {now}")
    return ", ".join(parts) or "TensorFlow changed"
