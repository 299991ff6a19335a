"""A question on the console, asked until there is a valid answer or no more input."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from poetry_tf.commands.base import TensorFlowCommand, plain
from poetry_tf.plan.model import PlanError

if TYPE_CHECKING:
    from cleo.ui.question import Question


class _NotValidError(ValueError):
    """An answer that is not valid."""


def answer(
    command: TensorFlowCommand,
    question: Question,
    validate: Callable[[str], str] | None = None,
    *,
    attempts: int,
    unanswered: str,
    otherwise: str,
) -> Any:
    """The answer to a question; raises `PlanError` without a valid one.

    `validate` raises `ValueError` for an answer that is not valid. `otherwise` is what to do
    instead of answering.
    """

    def validated(given: str) -> str:
        assert validate is not None
        try:
            return validate(given)
        except ValueError as error:
            raise _NotValidError(str(error)) from None

    if validate is not None:
        question.set_validator(validated)
    question.set_max_attempts(1)  # cleo's own go on at the end of the input
    problem = f"no valid answer in {attempts} attempts"
    for _ in range(attempts):
        try:
            return command.ask(question)
        except _NotValidError as error:
            command.line_error(f"<error>{plain(str(error))}</error>")
        except Exception:  # cleo raises a bare one
            problem = "the input ended"
            break
    again = "Run the command again" if sys.stdin.isatty() else "Run it in a terminal"
    raise PlanError(f"{unanswered}: {problem}", f"{again}, or {otherwise}.")
