"""``poetry tf devcontainer``: the dev container that fits the locked TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from cleo.helpers import option
from cleo.io.inputs.option import Option

from poetry_tf.commands.base import TensorFlowCommand, plain
from poetry_tf.initialise import with_container
from poetry_tf.plan import Plan
from poetry_tf.project.edits import changed_texts, diff
from poetry_tf.project.project import Project
from poetry_tf.project.transaction import write_together


class DevcontainerCommand(TensorFlowCommand):
    name = "tf devcontainer"
    description = "Writes the devcontainer.json that fits the project's TensorFlow."
    options: ClassVar[list[Option]] = [
        option("dry-run", None, "Show the changes as unified diffs and write nothing."),
    ]
    loggers: ClassVar[list[str]] = []
    help = """\
Writes <comment>.devcontainer/devcontainer.json</>, or changes the one that is there, so that \
Python, CUDA, cuDNN and Poetry in the container fit the TensorFlow that is locked (or, without a \
lock, pinned). Comments and all that is yours in the file stay as they are.
"""

    def run_in(self, root: Path) -> int:
        project, plan = with_container(Project.read(root))
        texts = changed_texts(project)
        if self.option("dry-run"):
            self.show_diffs(diff(root, path, text) for path, text in texts.items())
            return 0
        write_together(root, {path: text.encode() for path, text in texts.items()})
        name = project.devcontainer_path.relative_to(root).as_posix()
        verb = "Wrote" if texts else "Nothing to change in"
        self.line(f"{verb} <c1>{name}</>: {plain(summary(plan))}")
        return 0


def summary(plan: Plan) -> str:
    """What a container holds, in one line, and why."""
    cuda = {
        "system": f"CUDA {plan.gpu.cuda} and cuDNN {plan.gpu.cudnn}",
        "pip": "CUDA and cuDNN from TensorFlow's own wheels",
        "none": "no CUDA",
    }[plan.gpu.mode]
    return f"TensorFlow {plan.release.version}, Python {plan.python}, {cuda} ({plan.gpu.why})"
