"""The message for a project that can't be locked."""

from __future__ import annotations

import pytest

from poetry_tf.actions.lock import LockingError, locking_error
from poetry_tf.actions.solver_failure import shortened, without_styles


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


def test_of_a_long_explanation_the_end_is_shown():
    lines = [f"Because a (1.{number}) depends on b" for number in range(200)]
    shown = shortened("\n".join([*lines, "So, version solving failed." + " x" * 5000])).splitlines()
    assert shown[0] == "(171 lines of Poetry's explanation left out)"
    assert shown[1] == lines[171] and len(shown) == 31
    assert shown[-1].startswith("So, version solving failed.") and len(shown[-1]) < 700
    assert shortened("<fg=red>Because</> no") == "Because no"
