"""The line that a container prints at each start: what TensorFlow will run on.

It is the same command for every TensorFlow, because what it says is looked at when it runs, and it
succeeds whatever it finds. Where poetry-tf could not be had, TensorFlow is asked for its devices,
and what would say more is named.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from poetry_tf.container.view import Change, View
from poetry_tf.container.wanted import Wanted
from poetry_tf.project.edits import Edit

STARTS = "postStartCommand"

# There is no double quote in it, which would be escaped in devcontainer.json.
_PROGRAM = (
    "import tensorflow as tf; "
    "print(tf.__name__, tf.__version__, *[d.name for d in tf.config.list_physical_devices()])"
)
_MENDS = "(no GPU? poetry self add poetry-tf && poetry tf doctor)"
_BROKEN = "TensorFlow cannot be imported: poetry install"
_BRIEF = "--brief"
# What stood here before there was `tf doctor`: it noted what the container was made for.
_NOTE = ".poetry-tf-built"
_FORMER = re.compile(rf"f=.*; b=\$HOME/{re.escape(_NOTE)}; .*; true", re.DOTALL)


def status(view: View, wanted: Wanted) -> Iterator[Change]:
    """Whether a container that poetry-tf has prepared says at each start what it runs on."""
    if wanted.plan is None or view.own_base or not wanted.whole:
        return
    right = command(view.path)
    for task in view.tasks:
        if isinstance(task.value, str) and _FORMER.fullmatch(task.value.strip()):
            edit = Edit(view.path, "set", task.path, right)
            yield Change(None, "what it says of the GPU is long-winded", "", task.path, (edit,))
            return
    texts = [word.text for task in view.tasks for word in task.words]
    prepared = any("poetry-tf==" in text for text in texts)
    if prepared and not any(_BRIEF in text or _NOTE in text for text in texts):
        edits = tuple(view.add_command(STARTS, right))
        yield Change(None, "nothing is said of the GPU", "", (STARTS,), edits)


def command(path: Path) -> str:
    """The command for the container of a devcontainer.json."""
    named = path.parent.parent.name == ".devcontainer"
    option = f" --config {shlex.quote(path.parent.name)}" if named else ""
    return (
        f"poetry tf doctor {_BRIEF}{option} 2>/dev/null"
        f" || {{ on=$(poetry run python -c '{_PROGRAM}' 2>/dev/null) && echo $on '{_MENDS}'; }}"
        f" || echo '{_BROKEN}'"
    )
