"""The text of the command at each start of a container."""

from __future__ import annotations

import re
from collections.abc import Iterator

from poetry_tf.devcontainer.lifecycle import Task
from poetry_tf.devcontainer.view import View
from poetry_tf.text import shell_word

BRIEF = "--brief"
_DOCTOR = f"poetry tf doctor {BRIEF}"
_ELSE = " || echo 'GPU not checked. Run on the host: poetry tf doctor'"
# Without double quotes, which would be escaped in devcontainer.json.
DEVICES = (
    "poetry run python -c 'import tensorflow as tf; print(tf.config.list_physical_devices())' "
    "|| true"
)
_LINE = re.compile(rf"{re.escape(DEVICES)}|{re.escape(_DOCTOR)}[^|]*{re.escape(_ELSE)}")


def start_line(view: View, requirement: str | None) -> str:
    """The command, by what installs poetry-tf in the container."""
    if requirement is None:
        return DEVICES
    folder = view.path.parent
    named = folder.parent.name == ".devcontainer"
    word = shell_word(folder.name, posix=True)
    option = f" --config {word}" if named and word is not None else ""
    return f"{_DOCTOR}{option}{_ELSE}"


def start_tasks(view: View) -> Iterator[Task]:
    """The tasks that are such a command."""
    for task in view.tasks:
        if isinstance(task.value, str) and _LINE.fullmatch(task.value):
            yield task
