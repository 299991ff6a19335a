"""What an answer of a way is worth, and which way is the next."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetry_tf.http.failures import Failure, format_failure
from poetry_tf.index.failover import (
    ExpectedFiles,
    IndexRoot,
    ListedFile,
    failure_of_page,
    failure_of_status,
    filename_of,
    form_of,
    format_failures,
    package_of,
    remaining_mirrors,
)

TUNA, BFSU = IndexRoot("TUNA", "https://tuna", "tuna"), IndexRoot("BFSU", "https://bfsu", "tuna")
ALIYUN, OWN = (
    IndexRoot("Aliyun", "https://aliyun", "aliyun"),
    IndexRoot("own", "https://own", "own"),
)
PYPI = IndexRoot("PyPI", "https://pypi", final=True)


@pytest.mark.parametrize(
    ("ways", "faulty", "wanted"),
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
def test_an_independent_way_comes_before_one_that_shares_a_fault(
    ways: list[IndexRoot], faulty: list[IndexRoot], wanted: list[IndexRoot]
) -> None:
    assert remaining_mirrors(ways, faulty) == wanted


@given(st.permutations([TUNA, BFSU, ALIYUN, OWN]), st.sets(st.sampled_from([TUNA, BFSU, ALIYUN])))
def test_no_way_is_lost_and_none_is_tried_twice(
    ways: list[IndexRoot], faulty: set[IndexRoot]
) -> None:
    order = remaining_mirrors([*ways, PYPI], faulty)
    assert order[-1] == PYPI
    assert {*order} | faulty == {*ways, PYPI}
    assert len(order) == len({*order})


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, None),
        (206, None),
        (404, "missing"),
        (410, "missing"),
        (401, "down"),
        (403, "down"),
        (429, "busy"),
        (503, "busy"),
        # About the request: Poetry asks in another way then.
        (400, None),
        (416, None),
        (501, None),
    ],
)
def test_a_status(status: int, expected: str | None) -> None:
    failure = failure_of_status(status, "six")
    assert (failure and _verdict(failure)) == expected


def _verdict(failure: Failure) -> str:
    return "busy" if failure.is_busy else "missing" if failure.is_missing else "down"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("3", 3.0), (None, 0.0), ("", 0.0), ("-1", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0)],
)
def test_how_long_a_server_asks_to_be_left_alone(header: str | None, seconds: float) -> None:
    failure = failure_of_status(429, "six", retry_after=header)
    assert failure is not None
    assert failure.retry_after == seconds


JSON = b'{"files": [{"filename": "six-1.0-py3-none-any.whl"}]}'
HTML = b"<!DOCTYPE html><a href='../../p/six-1.0-py3-none-any.whl#sha256=00'>six</a>"


@pytest.mark.parametrize("kind", ["text/html", "application/octet-stream", ""])
@pytest.mark.parametrize("body", [JSON, HTML, b"\xef\xbb\xbf\n" + JSON, b"\n " + HTML.lower()])
def test_a_page_is_known_by_what_it_holds(kind: str, body: bytes) -> None:
    assert failure_of_page(200, kind, body, "six") is None
    assert form_of(body) == ("json" if b"{" in body else "html")


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (b"", "has an empty page for six"),
        (b"<html></html>", "has an empty page for six"),
        (b'<a href="/login?next=/simple/six/">', "has an empty page for six"),
        (b'{"meta": {}, "files": []}', "has an empty page for six"),
        (JSON[:-1], "answers with text/plain that is no index page"),
        (b'{"message": "blocked"}', "answers with text/plain that is no index page"),
        (b"GIF89a", "answers with text/plain that is no index page"),
    ],
)
def test_a_page_without_what_a_page_has(body: bytes, cause: str) -> None:
    failure = failure_of_page(200, "text/plain; charset=utf-8", body, "six")
    assert failure is not None
    assert format_failure(failure) == cause


@given(st.binary(), st.text())
def test_any_page_is_judged(body: bytes, kind: str) -> None:
    failure_of_page(200, kind, body, "six")


def test_a_page_that_is_older_than_the_lock() -> None:
    wants = ExpectedFiles(
        locked={"six": {"six-1.1-py3-none-any.whl": "1.1", "six-1.1.tar.gz": "1.1"}}
    )
    assert wants.failure_of_list("other", b"") is None
    assert wants.failure_of_list("six", b"six-1.1-py3-none-any.whl six-1.1.tar.gz") is None
    none = wants.failure_of_list("six", b"six-1.0-py3-none-any.whl six-1.0.tar.gz")
    one = wants.failure_of_list("six", b"six-1.1-py3-none-any.whl six-1.0.tar.gz")
    assert none is not None and one is not None
    assert format_failure(none) == "lacks six 1.1"
    assert format_failure(one) == "lacks six-1.1.tar.gz"
    assert none.lacking > one.lacking


def test_a_page_that_is_older_than_the_data() -> None:
    wants = ExpectedFiles(
        releases=lambda name: ["2.17.0", "2.18.0"] if name == "tensorflow-cpu" else []
    )
    page = b"tensorflow_cpu-2.17.0-cp311 tensorflow_cpu-2.18.0rc0-cp311"
    failure = wants.failure_of_list("tensorflow-cpu", page)
    assert failure is not None
    assert (failure.name, failure.is_missing) == ("tensorflow-cpu 2.18.0", True)
    assert wants.failure_of_list("tensorflow-cpu", page + b" tensorflow_cpu-2.18.0-cp311") is None


@pytest.mark.parametrize(
    ("url", "filename", "package"),
    [
        ("https://a/b/six-1.0-py3-none-any.whl", "six-1.0-py3-none-any.whl", "six"),
        ("https://a/TF_keras-1.0-py3-none-any.whl.metadata#x=1", None, "tf-keras"),
        (
            "https://a/x%2B1/jax-1.0%2Bcuda-py3-none-any.whl?a=b",
            "jax-1.0+cuda-py3-none-any.whl",
            "jax",
        ),
        ("https://a/absl-py-1.0.tar.gz", "absl-py-1.0.tar.gz", "absl-py"),
        ("https://a/odd-name-1.0.tar.bz2", "odd-name-1.0.tar.bz2", "odd-name"),
        ("https://a/nothing", "nothing", "nothing"),
    ],
)
def test_the_file_and_the_package_of_an_address(
    url: str, filename: str | None, package: str
) -> None:
    name = filename_of(url)
    assert filename is None or name == filename
    assert package_of(name) == package


def test_the_same_file() -> None:
    one = ListedFile("https://a", {"sha256": "00"})
    assert one.is_same_as(ListedFile("https://b", {"sha256": "00", "md5": "11"}))
    assert one.is_same_as(ListedFile("https://b", {}))
    assert not one.is_same_as(ListedFile("https://b", {"sha256": "01"}))


def test_what_was_tried_is_listed_once() -> None:
    failure = failure_of_status(503, "six")
    assert failure is not None
    assert format_failures([(TUNA, failure), (PYPI, failure), (TUNA, failure)]) == [
        "TUNA answers 503",
        "PyPI answers 503",
    ]
