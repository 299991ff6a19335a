"""Where ``tf.mirror`` is set."""

from __future__ import annotations

import pytest

from poetry_tf.index.config import mirror_setting
from tests.made import in_memory


@pytest.mark.parametrize(
    ("poetry_toml", "expected"),
    [
        (None, None),
        ("", None),
        ('[tf]\nmirror = "auto"', "auto"),
        ('tf.mirror = "off"', "off"),
        ("[tf]\nmirror = 3", 3),
        ("tf = 3", None),
        ("[tf]", None),
    ],
)
def test_the_mirror_setting_is_read_from_poetry_toml(poetry_toml: str | None, expected: object):
    assert mirror_setting(in_memory("", poetry_toml=poetry_toml)) == expected
