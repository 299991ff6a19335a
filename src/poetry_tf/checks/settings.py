"""TF0xx: the settings of poetry-tf itself."""

from __future__ import annotations

from collections.abc import Iterator

from poetry_tf.checks.findings import RULES, Context, Finding, rule
from poetry_tf.plan.model import GpuModeError
from poetry_tf.plan.requirement import tensorflow_requirements
from poetry_tf.plan.settings import SETTINGS_PATH, read_settings


@rule("TF001")
def unknown_setting(context: Context) -> Iterator[Finding]:
    """A setting of poetry-tf is unknown, or contradicts a requirement.

    A key or a value in `[tool.poetry-tf]` that poetry-tf doesn't know has no effect: an unknown
    key, a `gpu` that the project's TensorFlow can't have, an entry of `ignore` for an unknown rule
    or without a reason.

    A contradiction is `gpu = "system"` or `gpu = "none"` beside a requirement on
    `tensorflow[and-cuda]`: CUDA from the container and CUDA from the wheels conflict.
    """
    if isinstance(error := context.plan_error, GpuModeError):
        place = context.at((*SETTINGS_PATH, "gpu"))
        yield Finding(*place, error.message, error.remedy)
    settings, problems = read_settings(context.project)
    for problem in problems:
        yield Finding(*context.at(problem.path), problem.message, problem.remedy)
    for entry in settings.ignore:
        if entry.code not in RULES:
            yield Finding(
                *context.at(entry.path),
                f"ignore: unknown rule {entry.code}",
                "List the rules with `poetry tf check --explain`",
            )
    if settings.gpu in {"system", "none"}:
        for item in tensorflow_requirements(context.project):
            if "and-cuda" in item.extras:
                yield Finding(
                    *context.at(item.path),
                    f'{item.name} is required with and-cuda, but gpu is "{settings.gpu}" in '
                    "[tool.poetry-tf]",
                    f'Remove it (`poetry tf init --gpu {settings.gpu}`), or write gpu = "pip"',
                )
