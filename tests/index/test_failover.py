"""Which mirror is asked next."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetry_tf.http.failures import Failure
from poetry_tf.index.failover import IndexRoot, format_failures, remaining_mirrors

TUNA, BFSU = IndexRoot("TUNA", "https://tuna", "tuna"), IndexRoot("BFSU", "https://bfsu", "tuna")
ALIYUN, OWN = (
    IndexRoot("Aliyun", "https://aliyun", "aliyun"),
    IndexRoot("own", "https://own", "own"),
)
PYPI = IndexRoot("PyPI", "https://pypi", final=True)


@pytest.mark.parametrize(
    ("roots", "failed", "expected"),
    [
        ([TUNA, BFSU, ALIYUN, PYPI], [], [TUNA, BFSU, ALIYUN, PYPI]),
        ([TUNA, BFSU, ALIYUN, PYPI], [TUNA], [ALIYUN, BFSU, PYPI]),
        ([TUNA, BFSU, ALIYUN, PYPI], [ALIYUN], [TUNA, BFSU, PYPI]),
        ([BFSU, OWN, TUNA, ALIYUN, PYPI], [BFSU], [OWN, ALIYUN, TUNA, PYPI]),
        ([TUNA, BFSU, PYPI], [TUNA], [BFSU, PYPI]),
        # PyPI that comes first, because it is the fastest way from here.
        ([PYPI, TUNA, ALIYUN], [], [PYPI, TUNA, ALIYUN]),
        ([PYPI, TUNA, ALIYUN], [PYPI], [TUNA, ALIYUN]),
        ([PYPI], [PYPI], []),
    ],
)
def test_an_independent_mirror_comes_before_one_that_shares_a_fault(
    roots: list[IndexRoot], failed: list[IndexRoot], expected: list[IndexRoot]
) -> None:
    assert remaining_mirrors(roots, failed) == expected


@given(st.permutations([TUNA, BFSU, ALIYUN, OWN]), st.sets(st.sampled_from([TUNA, BFSU, ALIYUN])))
def test_no_mirror_is_lost_and_none_is_tried_twice(
    roots: list[IndexRoot], failed: set[IndexRoot]
) -> None:
    order = remaining_mirrors([*roots, PYPI], failed)
    assert order[-1] == PYPI
    assert {*order} | failed == {*roots, PYPI}
    assert len(order) == len({*order})


def test_what_was_tried_is_listed_once() -> None:
    failure = Failure("status", 503)
    assert format_failures([(TUNA, failure), (PYPI, failure), (TUNA, failure)]) == [
        "TUNA answers 503",
        "PyPI answers 503",
    ]
