"""The questions of ``poetry tf init``: what neither an option nor the project decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from poetry_tf.actions.lock import machine_mirror
from poetry_tf.actions.mirror import validate_mirror
from poetry_tf.actions.options import InitOptions, plan_options
from poetry_tf.commands.base import TensorFlowCommand
from poetry_tf.files.project import Project
from poetry_tf.index.config import mirror_setting
from poetry_tf.index.mirrors import MIRRORS
from poetry_tf.plan.model import PlanError
from poetry_tf.plan.requirement import main_requirement
from poetry_tf.plan.settings import SETTINGS_PATH, read_settings
from poetry_tf.releases import load


def ask_options(
    command: TensorFlowCommand, project: Project, options: InitOptions, *, new: bool
) -> InitOptions:
    """The options, completed by the user's answers; raises `PlanError` for a missing answer."""
    answers: dict[str, Any] = {}
    if options.tensorflow is None and main_requirement(project) is None:
        newest = plan_options(project, options).release.series
        answers["tensorflow"] = _choose(command, "TensorFlow series", load().series, newest)
    plan = plan_options(project, replace(options, **answers))
    if options.python is None and (new or project.pyproject.python is None):
        answers["python"] = _choose(command, "Python", plan.pythons, plan.python)
    if options.gpu is None and project.pyproject.document.get((*SETTINGS_PATH, "gpu")) is None:
        command.line_error(
            "<comment>auto: GPU support that is known to work (recommended); system: installed "
            "in the container; pip: as Python packages; none: CPU only</>"
        )
        modes = ["auto", "system", "pip", "none"]
        answers["gpu"] = _choose(command, "GPU", modes, read_settings(project)[0].gpu)
    if (
        options.mirror is None
        and not options.write_source
        and mirror_setting(project) is None
        and machine_mirror() is None
    ):
        answers["mirror"] = _ask_mirror(command)
    return replace(options, **answers)


def _choose(command: TensorFlowCommand, what: str, choices: Sequence[str], default: str) -> str:
    def validate(answer: str) -> str:
        if answer not in choices:
            raise ValueError(f"{answer} is none of {', '.join(choices)}")
        return answer

    text = f"{what} (<info>{', '.join(choices)}</>) [<comment>{default}</>]:"
    return _ask(command, text, default, validate)


def _ask_mirror(command: TensorFlowCommand) -> str:
    def validate(answer: str) -> str:
        try:
            validate_mirror(answer)
        except PlanError as error:
            raise ValueError(error.message) from None
        return answer

    names = ", ".join(["auto", "off", *MIRRORS])
    text = f"PyPI mirror (<info>{names}</>, or a URL) [<comment>auto</>]:"
    return _ask(command, text, "auto", validate)


def _ask(
    command: TensorFlowCommand, text: str, default: str, validate: Callable[[str], str]
) -> str:
    question = command.create_question(text, default=default)
    question.set_validator(validate)
    answer = command.answer(
        question,
        attempts=3,
        unanswered="The questions were not answered",
        remedy="Answer them in a terminal, or give -n to take the defaults.",
    )
    return str(answer)
