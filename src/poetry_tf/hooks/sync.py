"""Updates the dev containers after a command has changed the locked TensorFlow.

The command has succeeded by then: a failure here is reported in one line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from packaging.version import Version

from poetry_tf.actions.fix import fix, with_current_names
from poetry_tf.checks.findings import CONTAINER_CODES, Context, findings_of, make_context
from poetry_tf.devcontainer.changes import differences
from poetry_tf.files.errors import ChangedError, ProjectError, WriteError
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.files.project import Project, configurations, readable_configurations
from poetry_tf.files.state import Report
from poetry_tf.files.transaction import write_together
from poetry_tf.hooks.guards import GuardSettings
from poetry_tf.poetry_internals.notices import write_notice
from poetry_tf.releases.images import load_images
from poetry_tf.text import escape_markup, format_list

if TYPE_CHECKING:
    from pathlib import Path

    from cleo.io.io import IO


DETAILS_HINT = "run poetry tf check for details"


def sync_containers(
    root: Path,
    before: Mapping[str, Version],
    after: Mapping[str, Version],
    io: IO,
    setting: GuardSettings,
) -> None:
    """Updates each devcontainer.json to the lock, or reports that it is out of date.

    `before` and `after` are the locked distributions of TensorFlow, which differ. Nothing is done
    if there is no devcontainer.json, or if the setting `devcontainer` is "off".
    """
    if setting.settings.devcontainer == "off":
        return

    def tell(text: str) -> None:
        write_notice(io, f"poetry-tf: {escape_markup(text)}")

    sync = setting.managed and setting.settings.devcontainer == "sync"
    outcome = _report(root, tell, sync=sync)
    if outcome is not None:
        tell(f"{_format_changes(before, after)}. {outcome}")


def _report(root: Path, tell: Report, *, sync: bool) -> str | None:
    """Updates the dev containers, and returns a sentence for each; None if there is none."""
    try:
        return ". ".join(_sentences(root, tell, sync=sync)) or None
    except ProjectError as error:  # of pyproject.toml, which is also read lazily
        return f"The dev container was not checked: {error}"


def _sentences(root: Path, tell: Report, *, sync: bool) -> list[str]:
    project = Project.read(root)
    sentences = [
        f"{_relative_path(root, item.path)} was not changed, because it can't be read ({item}): "
        f"{_by_hand(item.path)}"
        for item in configurations(project)
        if isinstance(item, ProjectError)
    ]
    if readable_configurations(project):
        context = make_context(project)
        if context.plan_error is not None:
            sentences.append(f"No dev container can be made for it: {context.plan_error.message}")
        else:
            sentences += _write_synced(context, tell) if sync else _report_outdated(context)
    return sentences


def _report_outdated(context: Context) -> Iterator[str]:
    root = context.project.root
    names = [_relative_path(root, path) for path in _outdated_containers(context)]
    if names:
        verb = "fits" if len(names) == 1 else "fit"
        yield f"{format_list(names)} no longer {verb} it: {DETAILS_HINT}"


def _write_synced(context: Context, tell: Report) -> Iterator[str]:
    """Updates those that can be, all together, and reports the result for each."""
    project, outdated = context.project, _outdated_containers(context)
    fixed = fix(project, codes=CONTAINER_CODES)
    named = with_current_names(fixed)
    updated: dict[Path, JsoncDocument] = {}
    for found in readable_configurations(project):
        path, text = found.path, found.document.text
        after, document = fixed.document(path), named.document(path)
        assert after is not None
        assert isinstance(document, JsoncDocument)
        if after.text == text and path in outdated:
            name = _relative_path(project.root, path)
            yield f"{name} no longer fits it and has to be changed by hand: {DETAILS_HINT}"
        elif document.text != text:
            updated[path] = document
    if not updated:
        return
    try:
        texts = {path: document.text.encode("utf-8") for path, document in updated.items()}
        write_together(project.root, texts, project.snapshot, tell)
    except ChangedError as error:
        yield f"The dev container was not updated ({error}): {_rerun(*updated)}"
        return
    except WriteError as error:
        names = format_list(_relative_path(project.root, path) for path in updated)
        yield f"{names} could not be written ({error}): {_by_hand(*updated)}"
        return
    # Only the containers were written, not what pyproject.toml needs for them.
    written = project
    for path, document in updated.items():
        before = project.document(path)
        assert isinstance(before, JsoncDocument)
        parts = differences(before, document, load_images())
        changed = f" ({', '.join(parts)})" if parts else ""
        rebuild = ": rebuild the container" if path in outdated else " (its name)"
        yield f"{_relative_path(project.root, path)} was updated{changed}{rebuild}"
        written = written.with_document(path, document)
    if updated.keys() & _outdated_containers(make_context(written)):
        yield "There is more to fix: run poetry tf check --fix"


def _outdated_containers(context: Context) -> dict[Path, None]:
    """The dev containers that do not match the lock, in their order.

    A finding in pyproject.toml (CUDA in the container and in the wheels) concerns all of them.
    """
    found = {item.file for item in findings_of(CONTAINER_CODES, context)}
    paths = dict.fromkeys(item.path for item in readable_configurations(context.project))
    return paths if found - paths.keys() else {path: None for path in paths if path in found}


def _by_hand(*paths: Path) -> str:
    return f"fix it, then {_rerun(*paths)}"


def _rerun(*paths: Path) -> str:
    if all(path.parent.parent.name != ".devcontainer" for path in paths):
        return "run poetry tf devcontainer"
    return "run poetry tf check --fix"


def _relative_path(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _format_changes(before: Mapping[str, Version], after: Mapping[str, Version]) -> str:
    parts = [
        f"{name} {before[name]} -> {now}" if name in before else f"{name} {now} is locked"
        for name, now in after.items()
        if before.get(name) != now
    ]
    return ", ".join(parts) or "TensorFlow changed"
