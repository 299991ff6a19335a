"""TF0xx: the settings of poetry-tf itself."""

from __future__ import annotations

from collections.abc import Iterator

from poetry_tf.checks.findings import Context, Finding, rule
from poetry_tf.plan import ChoiceError, tensorflow_requirements
from poetry_tf.settings import SETTINGS, read_choices


@rule("TF001")
def unknown_setting(context: Context) -> Iterator[Finding]:
    """A key or a value in [tool.poetry-tf] that poetry-tf doesn't know.

    It counts as unset, so what was meant by it does not happen. The same where a requirement
    contradicts it: CUDA in the container and from the and-cuda wheels get in each other's way.
    """
    if isinstance(context.trouble, ChoiceError):
        yield Finding(
            "TF001",
            *context.at((*SETTINGS, "gpu")),
            context.trouble.message,
            context.trouble.remedy,
        )
    choices, problems = read_choices(context.project)
    for problem in problems:
        yield Finding("TF001", *context.at(problem.path), problem.message, problem.remedy)
    if choices.gpu in {"system", "none"}:
        for item in tensorflow_requirements(context.project):
            if "and-cuda" in item.extras:
                yield Finding(
                    "TF001",
                    *context.at(item.path),
                    f'{item.name} is required with and-cuda, but gpu is "{choices.gpu}" in '
                    "[tool.poetry-tf]",
                    f'Remove it (`poetry tf init --gpu {choices.gpu}`), or write gpu = "pip"',
                )
