"""What the options of `init` mean."""

from __future__ import annotations

import pytest
from poetry.core.constraints.version import parse_constraint

from poetry_tf.actions.options import parse_gpu, parse_python
from poetry_tf.plan.model import PlanError


def test_python_3_11_means_all_of_it_and_nothing_else():
    assert parse_python("3.11") == parse_constraint(">=3.11,<3.12")
    assert parse_python("3.9") == parse_constraint(">=3.9,<3.10")


@pytest.mark.parametrize(
    "wish",
    [
        "3",
        "3.11.4",
        "^3.11",
        "2.7",
        "",
        "3.111",
        "3.11\n",
        "py311",
        "3.\uff11\uff11",
    ],
)
def test_what_is_no_python_minor_is_refused(wish: str):
    with pytest.raises(PlanError, match="is no Python version"):
        parse_python(wish)


def test_a_gpu_mode_is_one_of_four():
    assert [parse_gpu(mode) for mode in ("auto", "system", "pip", "none")] == [
        "auto",
        "system",
        "pip",
        "none",
    ]
    for wish in ("", "AUTO", "cuda", "True"):
        with pytest.raises(PlanError, match="is no GPU mode"):
            parse_gpu(wish)
