"""What ``poetry tf init`` asks for, where neither the options nor the project say it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from poetry_tf.actions.mirror import validate_mirror
from poetry_tf.actions.options import InitOptions, plan_options
from poetry_tf.commands.base import TensorFlowCommand
from poetry_tf.files.project import Project, configurations
from poetry_tf.index.config import is_set_on_machine, mirror_setting
from poetry_tf.index.mirrors import MIRRORS
from poetry_tf.plan.here import Here
from poetry_tf.plan.main_line import main_requirement
from poetry_tf.plan.model import CONTAINER_PLATFORM, PlanError
from poetry_tf.plan.settings import SETTINGS_PATH, read_settings
from poetry_tf.releases import load


def is_place_open(project: Project, options: InitOptions, here: Here) -> bool:
    """Whether a container is not decided on and this machine could not run one."""
    return (
        options.container
        and not here.runs_containers
        and not configurations(project)
        and project.pyproject.document.get((*SETTINGS_PATH, "devcontainer")) is None
    )


def ask_container(command: TensorFlowCommand) -> bool:
    """Whether the project is to have a container; raises `PlanError` for a missing answer."""
    command.line_error(
        "<comment>Neither Docker nor Podman was found. here: installed on this machine, without "
        "them; container: a dev container, for a machine that has one of them</>"
    )
    here, container = places = ["here", "container"]
    return _choose(command, "Where TensorFlow runs", places, here) == container


def ask_options(
    command: TensorFlowCommand, project: Project, options: InitOptions, here: Here, *, new: bool
) -> InitOptions:
    """The options, completed by the user's answers; raises `PlanError` for a missing answer."""
    answers: dict[str, Any] = {}
    if options.tensorflow is None and main_requirement(project) is None:
        newest = plan_options(project, options).release.series
        answers["tensorflow"] = _choose(command, "TensorFlow series", load().series, newest)
    if options.keeps_pin:
        command.line_error(
            "<comment>The project publishes a package that admits several series of TensorFlow. "
            'keep: they stay, with pin = "warn" in [tool.poetry-tf]; narrow: one series</>'
        )
        answers["keeps_pin"] = _choose(command, "Pin", ["keep", "narrow"], "keep") == "keep"
    plan = plan_options(project, replace(options, **answers))
    if options.python is None and (new or project.pyproject.python is None):
        every = plan_options(project, replace(options, **answers, pythons=()))
        answers["python"] = _choose(command, "Python", every.pythons, plan.python)
    if options.gpu is None and project.pyproject.document.get((*SETTINGS_PATH, "gpu")) is None:
        answers["gpu"] = _ask_gpu(command, project, replace(options, **answers), here)
    if (
        options.mirror is None
        and not options.write_source
        and mirror_setting(project) is None
        and not is_set_on_machine()
    ):
        answers["mirror"] = _ask_mirror(command)
    return replace(options, **answers)


def _ask_gpu(command: TensorFlowCommand, project: Project, options: InitOptions, here: Here) -> str:
    default = read_settings(project)[0].gpu
    if options.container:
        text = (
            "auto: GPU support that is known to work (recommended); system: installed in the "
            "container; pip: as Python packages; none: CPU only"
        )
    else:
        text = (
            "pip: CUDA as Python packages (recommended with a GPU); system: CUDA that is "
            "installed on this machine; none: CPU only"
        )
        is_usable = here.environment == CONTAINER_PLATFORM and not here.lacks_gpu
        if is_usable and _has_cuda_wheels(project, options):
            default = "pip"
    command.line_error(f"<comment>{text}</>")
    return _choose(command, "GPU", ["auto", "system", "pip", "none"], default)


def _has_cuda_wheels(project: Project, options: InitOptions) -> bool:
    try:
        plan_options(project, replace(options, gpu="pip"))
    except PlanError:
        return False
    return True


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
            validate_mirror(answer, shared=True)
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
    answer = command.answer(
        question,
        validate,
        attempts=3,
        unanswered="The questions were not answered",
        remedy="Answer them in a terminal, or give -n to take the defaults.",
    )
    return str(answer)
