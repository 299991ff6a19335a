"""The command that prints, at each start of a container, what TensorFlow will run on.

It is the same command for every TensorFlow, because it looks when it runs, and it always succeeds.
Where poetry-tf is not installed, TensorFlow lists its devices itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from poetry_tf.devcontainer.plugin import add_plugin, names_no_address, plugin_requirement
from poetry_tf.devcontainer.poetry import MIRROR
from poetry_tf.devcontainer.spec import ContainerSpec
from poetry_tf.devcontainer.start_line import BRIEF, DEVICES, start_line, start_tasks
from poetry_tf.devcontainer.view import Change, View
from poetry_tf.files.edits import Edit

STARTS = "postStartCommand"
_AFTER_START = "postAttachCommand"


def status(view: View, spec: ContainerSpec) -> Iterator[Change]:
    """Whether a container that poetry-tf has prepared prints at each start what it runs on."""
    if spec.plan is None or view.own_base or not spec.whole:
        return
    origin, requirement = spec.poetry_tf, plugin_requirement(view)
    if requirement is not None and names_no_address(requirement) and origin.source != "index":
        requirement = origin.requirement  # which replaces it
    for task in start_tasks(view):
        if requirement is None and task.value == DEVICES and (joined := add_plugin(view, origin)):
            # Poetry was installed alone because poetry-tf was not available.
            yield Change.convenience(joined)
            return
        is_outdated = task.value == DEVICES if requirement else task.value != DEVICES
        if is_outdated and (requirement or origin.requirement is None):
            yield Change.convenience(
                Edit(view.path, "set", task.path, start_line(view, requirement))
            )
            return
    prepared = requirement is not None or (
        origin.source == "local" and view.sets_variable(MIRROR) and view.installs_poetry
    )
    texts = [word.text for task in view.tasks for word in task.words]
    if prepared and not any(BRIEF in text for text in texts) and not any(start_tasks(view)):
        # Commands of a hook run at the same time, and one may still install the project.
        is_busy = any(task.may_use_poetry for task in view.tasks if task.hook == STARTS)
        hook = _AFTER_START if is_busy else STARTS
        yield Change.convenience(view.add_command(hook, start_line(view, requirement)))
