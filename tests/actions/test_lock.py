"""What a project is solved with. The solving itself is tested by the commands that do it."""

from __future__ import annotations

import pytest

from poetry_tf.actions.lock import mirrors_in_force
from poetry_tf.index.config import VARIABLE
from tests.made import in_memory


@pytest.mark.parametrize(
    ("option", "variable", "setting", "expected"),
    [
        ("tuna", "bfsu", "ustc", "tuna"),
        ("off", "bfsu", None, "off"),
        (None, "bfsu", "ustc", "bfsu"),
        (None, "", "ustc", "ustc"),
        (None, None, "auto", "auto"),
    ],
)
def test_an_option_goes_before_the_variable_and_that_before_the_projects_setting(
    monkeypatch: pytest.MonkeyPatch,
    option: str | None,
    variable: str | None,
    setting: str | None,
    expected: str,
):
    monkeypatch.delenv(VARIABLE, raising=False)
    if variable is not None:
        monkeypatch.setenv(VARIABLE, variable)
    settings = None if setting is None else f'[tf]\nmirror = "{setting}"'
    first = mirrors_in_force(in_memory("", poetry_toml=settings), option)[0]
    assert (first.value, first.is_projects) == (expected, expected == setting)
