"""Which settings have no effect, for the commands that go on without them."""

from __future__ import annotations

from poetry_tf.commands.base import TensorFlowCommand
from poetry_tf.files.project import Project
from poetry_tf.plan.poetry_settings import machine_setting_problems
from poetry_tf.plan.settings import read_settings


def warn_of_machine(command: TensorFlowCommand) -> None:
    """The user's own settings and variables."""
    for problem in machine_setting_problems():
        command.warn(f"Warning: {problem}")


def warn_of_project(command: TensorFlowCommand, project: Project) -> None:
    """The settings of a project."""
    place = command.path_from_here(project.pyproject.path)
    for problem in read_settings(project)[1]:
        position = project.pyproject.position(problem.path)
        line = f"{place}:{position.line}:{position.column}" if position else place
        command.warn(f"Warning: {line}: {problem.message}. {problem.remedy}")
