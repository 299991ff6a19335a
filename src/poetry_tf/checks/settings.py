"""TF0xx: the settings of poetry-tf itself."""

from __future__ import annotations

from collections.abc import Iterator

from poetry_tf.checks.findings import RULES, Context, Finding, rule
from poetry_tf.files.project import POETRY_TOML
from poetry_tf.files.values import spelled
from poetry_tf.plan.model import GpuModeError
from poetry_tf.plan.poetry_settings import poetry_setting_problems
from poetry_tf.plan.requirement import tensorflow_requirements
from poetry_tf.plan.settings import SETTINGS_PATH, is_named_like_ours, read_settings


@rule("TF001")
def unknown_setting(context: Context) -> Iterator[Finding]:
    """A setting of poetry-tf is unknown, or contradicts a requirement.

    A key or a value in `[tool.poetry-tf]` that poetry-tf doesn't know has no effect: an unknown
    key, a `gpu` that the project's TensorFlow can't have, an entry of `ignore` for an unknown rule
    or without a reason.

    So does a key or a value under `[tf]` in the project's `poetry.toml`, a `mirror` outside of that
    table, and a table with another name or in another place, such as `[tool.poetry_tf]` or
    `[tool.poetry.tf]`.

    A contradiction is `gpu = "system"` or `gpu = "none"` beside a requirement on
    `tensorflow[and-cuda]`: CUDA from the container and CUDA from the wheels conflict.
    """
    if isinstance(error := context.plan_error, GpuModeError):
        place = context.at((*SETTINGS_PATH, "gpu"))
        yield Finding(*place, error.message, error.remedy)
    yield from _misnamed_table(context)
    yield from _poetry_settings(context)
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


def _misnamed_table(context: Context) -> Iterator[Finding]:
    """Tables that are meant to be `[tool.poetry-tf]`, by their name or their place."""
    pyproject = context.project.pyproject
    tool = pyproject.table("tool")
    paths: list[tuple[str, ...]] = [
        ("tool", name) for name in tool if name not in {SETTINGS_PATH[1], "tf"}
    ]
    paths += [("tool", "poetry", name) for name in pyproject.table("tool", "poetry")]
    for path in paths:
        if is_named_like_ours(path[-1]):
            yield Finding(
                *context.at(path), f"[{spelled(path)}] has no effect", "Write [tool.poetry-tf]"
            )


def _poetry_settings(context: Context) -> Iterator[Finding]:
    """What has no effect under [tf] in poetry.toml."""
    document = context.project.poetry_toml
    if document is None or not context.involves_tensorflow:
        return
    file = context.project.root / POETRY_TOML
    for problem in poetry_setting_problems(document, is_projects=True):
        place = document.nearest(problem.path)
        yield Finding(file, place, problem.message, problem.remedy)
