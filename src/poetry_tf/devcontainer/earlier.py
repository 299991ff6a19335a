"""Commands as earlier versions of poetry-tf wrote them, and the present ones that replace them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from poetry_tf.devcontainer.base import with_comment, written_by
from poetry_tf.devcontainer.lifecycle import Task
from poetry_tf.devcontainer.plugin import (
    INSTALLS_PLUGIN,
    chained_step,
    has_own_hook,
    install_command,
    plugin_requirement,
)
from poetry_tf.devcontainer.poetry import (
    ENVIRONMENT,
    INSTALLS_PROJECT,
    environment,
    install_alone,
    install_poetry,
    install_project,
    mirrors,
    needs_environment,
)
from poetry_tf.devcontainer.spec import ContainerSpec
from poetry_tf.devcontainer.start import STARTS
from poetry_tf.devcontainer.start_line import start_line
from poetry_tf.devcontainer.view import Change, View
from poetry_tf.files.edits import Edit

_RENEWAL = r'\(python3 -c "import os, sys; [^"]*" \|\| sudo find \.venv -mindepth 1 -delete\) && '
_OWNER = r"\$\(id -u\):\$\(id -g\)"
_PLUGIN = (
    r" && \(pipx inject poetry (?P<requirement>'[^']*'|[^\s'|]+) \|\| "
    r"echo 'poetry-tf could not be installed: going on with Poetry alone'\)"
)
_POETRY = re.compile(
    rf"(?:sudo chown (?:-R {_OWNER}|(?P<owner>\"?{_OWNER}\"?)) (?P<folders>[^&|;]+?) && )?"
    rf"(?P<renewal>{_RENEWAL})?"
    rf"pipx install poetry==(?P<version>[\w.+!-]+)(?P<plugin>{_PLUGIN})?(?= && |\Z)"
)
_LFS = "(! git rev-parse -q --verify HEAD || git lfs pull) && "
_START = re.compile(
    r"f=(?P<file>\S+); b=\$HOME/\.poetry-tf-built; .*|"
    r"poetry tf doctor --brief[^|]* 2>/dev/null \|\| .*list_physical_devices\(\).* \|\| "
    r"echo 'TensorFlow cannot be imported: poetry install'",
    re.DOTALL,
)


def earlier_form(view: View, spec: ContainerSpec) -> Iterator[Change]:
    """Whether a command is one of those that earlier versions wrote."""
    if spec.plan is None or view.own_base or not spec.whole:
        return
    found = next((task for task in view.tasks if _is_earlier(task)), None)
    if found is None:
        return
    after = _with_poetry(view)
    after = _with_installation(after, spec)
    after = _with_start(after)
    if not after.document.before.strip():
        after = after.with_edits([with_comment(after, written_by(spec.plan))])
    yield Change(
        "TF509",
        "these commands have the form of an earlier poetry-tf",
        "Write them in the present form",
        found.path,
        (view.replace(after.document.text),),
    )


def _is_earlier(task: Task) -> bool:
    for _, text in task.texts:
        match = _POETRY.match(text)
        if match and (match["owner"] or match["renewal"] or match["plugin"]):
            return True
        if _START.fullmatch(text) or text.startswith((_LFS, f"poetry env use python3 && {_LFS}")):
            return True
    return False


def _with_poetry(view: View) -> View:
    """With Poetry and poetry-tf installed by a short command each."""
    for task in view.tasks:
        for path, text in task.texts:
            if (match := _POETRY.match(text)) is None:
                continue
            edits = list(mirrors(view))
            folders = (match["folders"] or "").split()
            if needs_environment(view):
                folders.append(ENVIRONMENT)
                edits += environment(view)
            command, rest = install_poetry(view, match["version"], folders), text[match.end() :]
            edits.append(Edit(view.path, "set", path, f"{command}{rest}"))
            after = view.with_edits(edits)
            if match["plugin"] is None:
                return after
            requirement = match["requirement"].strip("'")
            if rest or not has_own_hook(after):
                chained = f"{command}{chained_step(requirement)}{rest}"
                return after.with_edits([Edit(view.path, "set", path, chained)])
            step = install_command(requirement)
            return after.with_edits([after.add_command(INSTALLS_PLUGIN, step)])
    return view


def _with_installation(view: View, spec: ContainerSpec) -> View:
    """With the command that installs the project, if it is as poetry-tf wrote it."""
    for task in view.tasks:
        if task.hook != INSTALLS_PROJECT or not isinstance(task.value, str):
            continue
        core = task.value.replace(_LFS, "").removeprefix("poetry env use python3 && ")
        if re.sub(r" \|\| echo 'run: poetry install[^']*'\Z", "", core) != spec.install:
            continue
        if task.path == (INSTALLS_PROJECT,):
            return view.with_edits(install_alone(view, spec))
        return view.with_edits([Edit(view.path, "set", task.path, install_project(view, spec))])
    return view


def _with_start(view: View) -> View:
    """With the line at each start."""
    line = start_line(view, plugin_requirement(view))
    for task in view.tasks:
        if isinstance(task.value, str) and _START.fullmatch(task.value):
            return view.with_edits([Edit(view.path, "set", task.path, line)])
    # The first version wrote none.
    return view if view.get(STARTS) else view.with_edits([view.add_command(STARTS, line)])
