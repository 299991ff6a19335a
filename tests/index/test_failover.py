"""Which mirror is asked next."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetry_tf.http import failures
from poetry_tf.http.failures import Failure
from poetry_tf.index.failover import (
    Failover,
    IndexRequest,
    IndexRoot,
    MirrorRoute,
    NotDownloadedError,
    Scope,
    format_failures,
    remaining_mirrors,
)

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
        # PyPI that comes first, because it is the fastest from here.
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


@pytest.fixture(params=["today's words", "other words"])
def failover(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Failover:
    """The words for failures decide nothing."""
    if request.param == "other words":
        monkeypatch.setattr(
            failures, "_WORDS", dict.fromkeys(failures._WORDS, "429 answers within")
        )
    return Failover(MirrorRoute((TUNA, ALIYUN, PYPI)), lambda line: None)


@pytest.mark.parametrize(
    ("failure", "down"),
    [
        (Failure("status", 403), {"large"}),
        (Failure("refused"), {"files"}),
        (Failure("malformed", name="answers 429"), {"files"}),
        (Failure("missing", name="answers 429"), set()),
    ],
)
def test_what_a_mirror_is_down_for(failover: Failover, failure: Failure, down: set[Scope]) -> None:
    request = IndexRequest("six-1.0.tar.gz", ("files", "large"))
    failover.record(request, TUNA, failure)
    scopes: list[Scope] = ["files", "large", "pages"]
    assert {item for item in scopes if failover.failure_of(TUNA, [item])} == down
    assert failover.next_root(request, first=TUNA) == ALIYUN


@pytest.mark.parametrize(
    ("failure", "seconds"),
    [
        (Failure("status", 429, retry_after=60.0), 60.0),
        (Failure("status", 429), 5.0),
        (Failure("status", 503, retry_after=60.0), float("inf")),
        (Failure("corrupt", name="answers 429"), float("inf")),
    ],
)
def test_how_long_a_mirror_is_down(
    failover: Failover, failure: Failure, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("poetry_tf.index.failover.time.monotonic", lambda: now[0])
    failover.record(IndexRequest("six", ("pages",)), TUNA, failure)
    now[0] += min(seconds, 1e9) - 0.1
    assert failover.failure_of(TUNA, ["pages"]) == failure
    now[0] += 0.2
    assert (failover.failure_of(TUNA, ["pages"]) is None) == (seconds < 1e9)


def test_another_round_only_where_a_mirror_is_busy(
    failover: Failover, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("poetry_tf.index.failover.wait", pauses.append)
    request = IndexRequest("six", ("pages",))
    for root in (TUNA, PYPI):
        failover.record(request, root, Failure("refused"))
    failover.record(request, ALIYUN, Failure("status", 503, retry_after=3.0))
    failover.pause(request)
    assert pauses == [3.0]
    assert failover.next_root(request) == ALIYUN
    failover.record(request, ALIYUN, Failure("status", 403))
    with pytest.raises(NotDownloadedError):
        failover.pause(request)
