"""TF0xx: the settings of poetry-tf itself."""

from __future__ import annotations

from collections.abc import Iterator

from poetry_tf.checks.findings import Context, Finding, rule
from poetry_tf.plan import read_choices


@rule("TF001")
def unknown_setting(context: Context) -> Iterator[Finding]:
    """A key or a value in [tool.poetry-tf] that poetry-tf doesn't know.

    It counts as unset, so what was meant by it does not happen.
    """
    _, problems = read_choices(context.project)
    for problem in problems:
        yield Finding("TF001", *context.at(problem.path), problem.message, problem.remedy)
