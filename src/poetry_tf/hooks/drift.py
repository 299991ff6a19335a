"""The dev container follows when a command has changed the TensorFlow that is locked.

This is help: the command has done its work by then, and whatever goes wrong here is one line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.version import Version

from poetry_tf.checks.findings import Context
from poetry_tf.checks.run import CONTAINER_CODES, context_of, findings, fix
from poetry_tf.container import differences, wanted_container, with_current_name
from poetry_tf.hooks.pins import Setting
from poetry_tf.project.errors import ProjectError
from poetry_tf.project.project import Devcontainer, Project
from poetry_tf.project.transaction import WriteError, write_together
from poetry_tf.releases.images import load_images

if TYPE_CHECKING:
    from pathlib import Path

    from cleo.io.io import IO


WHERE = "poetry tf check tells where"
BY_HAND = "mend it, then run poetry tf devcontainer"


def follow(
    root: Path,
    before: Mapping[str, Version],
    after: Mapping[str, Version],
    io: IO,
    setting: Setting,
) -> None:
    """Brings devcontainer.json in step with the lock, or says that it is not.

    `before` and `after` are the locked distributions of TensorFlow. Nothing is done where they are
    the same, where there is no devcontainer.json, or where the setting `devcontainer` is "off".
    """
    if before == after or not after or setting.choices.devcontainer == "off":
        return
    outcome = _outcome(root, sync=setting.managed and setting.choices.devcontainer == "sync")
    if outcome is not None:
        text = io.error_output.formatter.escape(f"{_moved(before, after)}. {outcome}")
        io.write_error_line(f"poetry-tf: {text}")


def _outcome(root: Path, *, sync: bool) -> str | None:
    """What became of devcontainer.json, in one sentence; None where there is nothing to say."""
    try:
        project = Project.read(root)
    except ProjectError as error:
        return f"The dev container was not looked at: {error}"
    found = project.devcontainer
    if found is None:
        return None
    name = found.path.relative_to(root).as_posix()
    if isinstance(found, ProjectError):
        return f"{name} is left as it is, since it can't be read ({found}): {BY_HAND}"
    context = context_of(project)
    if context.trouble is not None:
        return f"No dev container can be made for it: {context.trouble.message}"
    is_out = _out_of_step(context)
    if not sync:
        return f"{name} no longer fits it: {WHERE}" if is_out else None
    return _synced(project, found, name, is_out=is_out)


def _synced(project: Project, found: Devcontainer, name: str, *, is_out: bool) -> str | None:
    fixed = fix(project, codes=CONTAINER_CODES)
    if not isinstance(fixed.devcontainer, Devcontainer):
        return None
    document = fixed.devcontainer.document
    if document.text == found.document.text and is_out:
        return f"{name} no longer fits it, and a person has to change it: {WHERE}"
    context = context_of(fixed)
    wanted = wanted_container(fixed, context.plan, context.images, whole=True)
    document = with_current_name(found.path, document, wanted)
    if document.text == found.document.text:
        return None
    fixed = fixed.with_document(found.path, document)
    try:
        write_together(project.root, {found.path: document.text.encode("utf-8")})
    except WriteError as error:
        return f"{name} could not be written ({error}): {BY_HAND}"
    parts = differences(found.document, document, load_images())
    told = f" ({', '.join(parts)})" if parts else ""
    # Only the container was written: what goes with it in pyproject.toml may be left.
    written = replace(project, devcontainer=fixed.devcontainer)
    left = (
        ". That is not all: run poetry tf check --fix" if _out_of_step(context_of(written)) else ""
    )
    rebuild = ": rebuild the container" if is_out else " in its name"
    return f"{name} follows{told}{rebuild}{left}"


def _out_of_step(context: Context) -> bool:
    return any(item.code in CONTAINER_CODES for item in findings(context))


def _moved(before: Mapping[str, Version], after: Mapping[str, Version]) -> str:
    parts = []
    for name, now in after.items():
        was = before.get(name)
        if was != now:
            parts.append(f"{name} {now} is locked" if was is None else f"{name} {was} -> {now}")
    return ", ".join(parts) or "TensorFlow changed"
