"""The questions of ``poetry tf init``, about what neither the options nor the project say."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from poetry_tf.actions.init import project_name, valid_name
from poetry_tf.actions.mirror import validate_mirror
from poetry_tf.actions.options import InitOptions, plan_options
from poetry_tf.commands.base import TensorFlowCommand, plain
from poetry_tf.commands.questions import answer
from poetry_tf.files.project import Project, configurations
from poetry_tf.index.config import is_set_on_machine, mirror_setting
from poetry_tf.index.mirrors import MIRRORS
from poetry_tf.plan.here import Here, python_here
from poetry_tf.plan.main_line import main_requirement
from poetry_tf.plan.model import CONTAINER_PLATFORM, PlanError
from poetry_tf.plan.settings import SETTINGS_PATH, GpuChoice, read_settings
from poetry_tf.poetry_internals.notices import fit_terminal
from poetry_tf.releases import load
from poetry_tf.text import format_list

_MODES_OF_CONTAINER: Mapping[GpuChoice, str] = {
    "auto": " (recommended): the GPU support that is known to work with this TensorFlow",
    "system": ": CUDA is installed in the container",
    "pip": ": CUDA comes as Python packages",
    "none": ": CPU only",
}
_MODES_HERE: Mapping[GpuChoice, str] = {
    "auto": ": the CUDA of this machine, where it has one that fits",
    "system": ": CUDA is installed on this machine already",
    "pip": " (recommended with an NVIDIA GPU): CUDA comes as Python packages",
    "none": ": CPU only",
}


def is_place_open(project: Project, options: InitOptions, here: Here) -> bool:
    """Whether a container is still open and this machine could not run one."""
    return (
        options.container
        and not here.runs_containers
        and not configurations(project)
        and project.pyproject.document.get((*SETTINGS_PATH, "devcontainer")) is None
    )


def choose_name(command: TensorFlowCommand, root: Path) -> str:
    """The name of a new project that can't have that of its folder.

    Raises `PlanError` for a missing answer.
    """
    default = project_name(root)
    if not command.io.is_interactive():
        _explain(
            command,
            f"The project is named {default}: a project's name has only ASCII letters and digits",
        )
        return default

    def validate(answer: str) -> str:
        if valid_name(answer) != re.sub(r"[-_.]+", "-", answer).lower():
            raise ValueError(
                f"{answer!r} can't be the name of this project; try {valid_name(answer)}"
            )
        return answer

    _explain(
        command,
        "A project's name has only ASCII letters, digits, -, _ and ., so the folder's name "
        f"{root.resolve().name} can't be the project's.",
    )
    return _ask(command, f"Project name [<comment>{default}</>]:", default, validate)


def choose_list(command: TensorFlowCommand, lists: Sequence[str]) -> str | None:
    """The list whose packages a new project gets; raises `PlanError` for a missing answer."""
    _explain(
        command,
        f"The folder has {format_list(lists)}. The project gets the packages of one list, in "
        "versions that fit its TensorFlow, or none.",
    )
    chosen = _choose(command, "Packages of", [*lists, "none"], lists[0])
    return chosen if chosen != "none" else None


def ask_container(command: TensorFlowCommand, here: Here) -> bool:
    """Whether the project is to have a container; raises `PlanError` for a missing answer."""
    place = "container" if here.is_container else "machine"
    without = "in this container" if here.is_container else "without a container, on this machine"
    _explain(
        command,
        f"This {place} has neither Docker nor Podman. here (recommended): {without}. container: in "
        "a dev container, on a machine that has one of them.",
    )
    default, container = places = ["here", "container"]
    return _choose(command, "Where TensorFlow runs", places, default) == container


def ask_options(
    command: TensorFlowCommand, project: Project, options: InitOptions, here: Here, *, new: bool
) -> InitOptions:
    """The options, completed by the user's answers; raises `PlanError` for a missing answer."""
    answers: dict[str, Any] = {}
    if options.tensorflow is None and main_requirement(project) is None:
        answers["tensorflow"] = _ask_tensorflow(command, project, options)
    if options.keeps_pin:
        _explain(
            command,
            "The project publishes a package that admits several series of TensorFlow. keep "
            '(recommended): they stay, with pin = "warn" in [tool.poetry-tf]. narrow: one series.',
        )
        answers["keeps_pin"] = _choose(command, "Pin", ["keep", "narrow"], "keep") == "keep"
    if options.python is None and (new or project.pyproject.python is None):
        answers["python"] = _ask_python(command, project, replace(options, **answers), here)
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


def _ask_tensorflow(command: TensorFlowCommand, project: Project, options: InitOptions) -> str:
    """A series that the other options admit, or a release of one."""

    def validate(answer: str) -> str:
        try:
            plan_options(project, replace(options, tensorflow=answer))
        except PlanError as error:
            raise ValueError(error.message) from None
        return answer

    every = reversed(load().series)
    series = [one for one in every if _is_possible(project, replace(options, tensorflow=one))]
    recommended = plan_options(project, options).release
    why = "the newest" if recommended.series == load().series[-1] else "the newest that fits"
    _explain(
        command,
        f"A series gets its newest patch release; a release such as {recommended.version} is "
        f"accepted too. Recommended: {recommended.series}, {why}.",
    )
    text = _question("TensorFlow series", series, recommended.series)
    return _ask(command, text, recommended.series, validate)


def _ask_python(
    command: TensorFlowCommand, project: Project, options: InitOptions, here: Here
) -> str:
    plan = plan_options(project, options)
    pythons = plan_options(project, replace(options, pythons=())).pythons[::-1]
    if plan.python == pythons[0]:
        why = f"the newest that fits TensorFlow {plan.release.series}"
    elif python_here(here, [plan.python]) is not None:
        why = "which this machine has"
    else:
        why = "which this system has a package for"
    _explain(command, f"Recommended: Python {plan.python}, {why}.")
    return _choose(command, "Python", pythons, plan.python)


def _ask_gpu(command: TensorFlowCommand, project: Project, options: InitOptions, here: Here) -> str:
    """A GPU mode that TensorFlow can have."""
    default = read_settings(project)[0].gpu
    texts = _MODES_OF_CONTAINER if options.container else _MODES_HERE
    modes = [mode for mode in texts if _is_possible(project, replace(options, gpu=mode))]
    is_usable = here.environment == CONTAINER_PLATFORM and not here.lacks_gpu
    if not options.container and is_usable and "pip" in modes:
        default = "pip"
    _explain(command, " ".join(f"{mode}{texts[mode]}." for mode in modes))
    return _choose(command, "GPU", modes, default)


def _is_possible(project: Project, options: InitOptions) -> bool:
    try:
        plan_options(project, options)
    except PlanError:
        return False
    return True


def _choose(command: TensorFlowCommand, what: str, choices: Sequence[str], default: str) -> str:
    def validate(answer: str) -> str:
        if answer not in choices:
            raise ValueError(f"{answer} is not one of {', '.join(choices)}")
        return answer

    return _ask(command, _question(what, choices, default), default, validate)


def _question(what: str, choices: Sequence[str], default: str) -> str:
    return f"{what} (<info>{', '.join(choices)}</>) [<comment>{default}</>]:"


def _explain(command: TensorFlowCommand, text: str) -> None:
    command.line_error(f"<comment>{plain(text)}</>")


def _ask_mirror(command: TensorFlowCommand) -> str:
    def validate(answer: str) -> str:
        try:
            validate_mirror(answer, shared=True)
        except PlanError as error:
            raise ValueError(f"{error.message}. {error.remedy}") from None
        return answer

    _explain(
        command,
        "auto (recommended): TUNA, Tsinghua University's mirror, or PyPI where TUNA fails or PyPI "
        "is clearly faster from here. off: PyPI itself.",
    )
    names = ", ".join(["auto", "off", *MIRRORS])
    text = f"PyPI mirror (<info>{names}</>, or a URL) [<comment>auto</>]:"
    return _ask(command, text, "auto", validate)


def _ask(
    command: TensorFlowCommand, text: str, default: str, validate: Callable[[str], str]
) -> str:
    text = fit_terminal(command.io.error_output, text)
    question = command.create_question(text, default=default)
    given = answer(
        command,
        question,
        validate,
        attempts=3,
        unanswered="The questions were not answered",
        otherwise="give -n to take the defaults",
    )
    return str(given)
