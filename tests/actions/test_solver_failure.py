"""The message for a project that can't be locked."""

from __future__ import annotations

import pytest

from poetry_tf.actions.lock import LockingError, locking_error
from poetry_tf.actions.solver_failure import without_styles


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<fg=blue;options=bold>* </><fg=default;options=bold>Check</>: it", "* Check: it"),
        (
            "<error>All attempts to connect to <c1>a.b</> failed.</>",
            "All attempts to connect to a.b failed.",
        ),
        ("<b>Note:</> <c2>1</c2> <warning>w</warning> <info>i</info>", "Note: 1 w i"),
        ("<options=bold>Note:</> it <fg=black;bg=yellow>is</>", "Note: it is"),
        ("<fg=no-such-colour>a</> <foo=bar> <fg> <>", "<fg=no-such-colour>a <foo=bar> <fg> <>"),
        # What looks like a style and is none.
        (
            "six (>=1,<2) requires Python <3.10 or <4,>3",
            "six (>=1,<2) requires Python <3.10 or <4,>3",
        ),
        ("Failed to clone <https://a.b/c>", "Failed to clone <https://a.b/c>"),
    ],
)
def test_the_styles_of_poetrys_console_are_taken_out(text: str, shown: str):
    assert without_styles(text) == shown
    error = locking_error(RuntimeError(text))
    assert isinstance(error, LockingError) and str(error) == shown
