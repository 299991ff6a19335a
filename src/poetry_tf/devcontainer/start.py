"""The command that prints, at each start of a container, what TensorFlow will run on.

It is the same command for every TensorFlow, because it looks when it runs, and it always succeeds.
Where poetry-tf is not installed, it lists TensorFlow's devices and advises how to install it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from poetry_tf.devcontainer.lifecycle import Task
from poetry_tf.devcontainer.origin import NAME
from poetry_tf.devcontainer.plugin import names_no_address, plugin_requirement, with_plugin
from poetry_tf.devcontainer.poetry import MIRROR
from poetry_tf.devcontainer.spec import ContainerSpec
from poetry_tf.devcontainer.view import Change, View
from poetry_tf.files.edits import Edit
from poetry_tf.text import shell_word

STARTS = "postStartCommand"

# Without double quotes, which would be escaped in devcontainer.json.
_PROGRAM = (
    "import tensorflow as tf; "
    "print(tf.__name__, tf.__version__, *[d.name for d in tf.config.list_physical_devices()])"
)
_BROKEN = "TensorFlow cannot be imported: poetry install"
_BRIEF = "--brief"
_DOCTOR = f"poetry tf doctor {_BRIEF}"
_DEVICES = f" 2>/dev/null || {{ on=$(poetry run python -c '{_PROGRAM}' 2>/dev/null) && echo $on "
_ELSE = f"; }} || echo '{_BROKEN}'"
_LINE = re.compile(
    rf"{re.escape(_DOCTOR)}(?P<option>[^|]*?){re.escape(_DEVICES)}(?P<advice>.*)"
    rf"{re.escape(_ELSE)}",
    re.DOTALL,
)


def status(view: View, spec: ContainerSpec) -> Iterator[Change]:
    """Whether a container that poetry-tf has prepared prints at each start what it runs on."""
    origin, requirement = spec.poetry_tf, plugin_requirement(view)
    by_name = requirement is not None and names_no_address(requirement)
    if by_name and origin.source != "index":
        requirement = origin.requirement  # which replaces it
    for task, match in _lines(view):
        advises_name = match["advice"] == shlex.quote(_advice(NAME))
        if advises_name and origin.source != "index":
            right = _line(requirement or origin.requirement, match["option"])
            edit = Edit(view.path, "set", task.path, right)
            message = (
                f"it advises poetry self add {NAME} at each start, but anybody may take that name "
                "on PyPI"
            )
            yield Change("TF508", message, f"Write {right}", task.path, (edit,))
            return
    if spec.plan is None or view.own_base or not spec.whole:
        return
    for task, match in _lines(view):
        right = _line(requirement, match["option"])
        if requirement is not None and match[0] != right:
            yield Change.convenience(Edit(view.path, "set", task.path, right))
            return
        if requirement is None and match[0] == right and (joined := with_plugin(view, origin)):
            # Poetry was installed alone because poetry-tf was not available.
            yield Change.convenience(joined)
            return
    prepared = requirement is not None or (
        origin.source == "local" and view.sets_variable(MIRROR) and view.installs_poetry
    )
    texts = [word.text for task in view.tasks for word in task.words]
    if prepared and not any(_BRIEF in text for text in texts):
        folder = view.path.parent
        named = folder.parent.name == ".devcontainer"
        word = shell_word(folder.name, posix=True)
        option = f" --config {word}" if named and word is not None else ""
        yield Change.convenience(view.add_command(STARTS, _line(requirement, option)))


def _line(requirement: str | None, option: str) -> str:
    return f"{_DOCTOR}{option}{_DEVICES}{shlex.quote(_advice(requirement))}{_ELSE}"


def _advice(requirement: str | None) -> str:
    """What to run where there is no poetry-tf."""
    if requirement is None:
        return "(no GPU? poetry tf doctor on the host)"
    argument = NAME if names_no_address(requirement) else requirement.partition("@")[2]
    return f"(no GPU? poetry self add {shlex.quote(argument)} && poetry tf doctor)"


def _lines(view: View) -> Iterator[tuple[Task, re.Match[str]]]:
    """The tasks that are such a command, whatever it advises."""
    for task in view.tasks:
        if isinstance(task.value, str) and (match := _LINE.fullmatch(task.value.strip())):
            yield task, match
