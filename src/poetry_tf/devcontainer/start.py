"""The command that prints, at each start of a container, what TensorFlow will run on.

It is the same command for every TensorFlow, because it looks when it runs, and it always succeeds.
Where poetry-tf is not installed, TensorFlow lists its devices itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from poetry_tf.devcontainer.lifecycle import Task
from poetry_tf.devcontainer.plugin import add_plugin, names_no_address, plugin_requirement
from poetry_tf.devcontainer.poetry import MIRROR
from poetry_tf.devcontainer.spec import ContainerSpec
from poetry_tf.devcontainer.view import Change, View
from poetry_tf.files.edits import Edit
from poetry_tf.text import shell_word

STARTS = "postStartCommand"

_BRIEF = "--brief"
_DOCTOR = f"poetry tf doctor {_BRIEF}"
_ELSE = " || echo 'GPU not checked. Run on the host: poetry tf doctor'"
# Without double quotes, which would be escaped in devcontainer.json.
_DEVICES = (
    "poetry run python -c 'import tensorflow as tf; print(tf.config.list_physical_devices())' "
    "|| true"
)
_LINE = re.compile(rf"{re.escape(_DEVICES)}|{re.escape(_DOCTOR)}[^|]*{re.escape(_ELSE)}")


def status(view: View, spec: ContainerSpec) -> Iterator[Change]:
    """Whether a container that poetry-tf has prepared prints at each start what it runs on."""
    if spec.plan is None or view.own_base or not spec.whole:
        return
    origin, requirement = spec.poetry_tf, plugin_requirement(view)
    if requirement is not None and names_no_address(requirement) and origin.source != "index":
        requirement = origin.requirement  # which replaces it
    for task in _lines(view):
        if requirement is None and task.value == _DEVICES and (joined := add_plugin(view, origin)):
            # Poetry was installed alone because poetry-tf was not available.
            yield Change.convenience(joined)
            return
        is_outdated = task.value == _DEVICES if requirement else task.value != _DEVICES
        if is_outdated and (requirement or origin.requirement is None):
            yield Change.convenience(
                Edit(view.path, "set", task.path, start_line(view, requirement))
            )
            return
    prepared = requirement is not None or (
        origin.source == "local" and view.sets_variable(MIRROR) and view.installs_poetry
    )
    texts = [word.text for task in view.tasks for word in task.words]
    if prepared and not any(_BRIEF in text for text in texts) and not any(_lines(view)):
        yield Change.convenience(view.add_command(STARTS, start_line(view, requirement)))


def start_line(view: View, requirement: str | None) -> str:
    """The command, by what installs poetry-tf in the container."""
    if requirement is None:
        return _DEVICES
    folder = view.path.parent
    named = folder.parent.name == ".devcontainer"
    word = shell_word(folder.name, posix=True)
    option = f" --config {word}" if named and word is not None else ""
    return f"{_DOCTOR}{option}{_ELSE}"


def _lines(view: View) -> Iterator[Task]:
    """The tasks that are such a command."""
    for task in view.tasks:
        if isinstance(task.value, str) and _LINE.fullmatch(task.value):
            yield task
