"""What an answer of an index is worth."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from poetry_tf.http.failures import Failure, format_failure
from poetry_tf.http.pages import FILES as MOST
from poetry_tf.index.answers import (
    ExpectedFiles,
    LockedFile,
    failure_of_page,
    failure_of_status,
    form_of,
)
from poetry_tf.index.pages import POETRY_READS_JSON, json_page


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
        (JSON[:-1], "answers with text/plain, not with an index page"),
        (b'{"message": "blocked"}', "answers with text/plain, not with an index page"),
        (
            b'{"files": [' + b"{}," * 6 * MOST + b"{}]}",
            "answers with text/plain, not with an index page",
        ),
        (
            b'{"files": [{"filename": "six", "url": [' + b"1," * 12 * MOST + b"1]}]}",
            "answers with text/plain, not with an index page",
        ),
        (HTML + b"<a>" * 4 * MOST, "answers with text/plain, not with an index page"),
        (b"GIF89a", "answers with text/plain, not with an index page"),
    ],
)
def test_a_page_without_what_a_page_has(body: bytes, cause: str) -> None:
    failure = failure_of_page(200, "text/plain; charset=utf-8", body, "six")
    assert failure is not None
    assert format_failure(failure) == cause


@pytest.mark.parametrize(
    ("form", "file"),
    [
        ("json", b'{"filename": "", "url": "", "hashes": {"sha256": ""}, "size": 0, "yanked": 0},'),
        ("html", b"<a href='a.whl'>a.whl</a><br />\n"),
    ],
)
def test_a_long_page_is_one(form: str, file: bytes) -> None:
    body = file * MOST
    body = b'{"files": [' + body + b"{}]}" if form == "json" else body
    assert failure_of_page(200, "text/plain", body, "six") is None
    assert form_of(body) == form


@given(st.binary(), st.text())
def test_any_page_is_judged(body: bytes, kind: str) -> None:
    failure_of_page(200, kind, body, "six")


def test_a_page_that_is_older_than_the_lock() -> None:
    wants = ExpectedFiles(
        locked={
            "six": {
                name: LockedFile("1.1", "sha256:00")
                for name in ("six-1.1-py3-none-any.whl", "six-1.1.tar.gz")
            }
        }
    )
    assert wants.failure_of_list("other", b"") is None
    assert wants.failure_of_list("six", b"six-1.1-py3-none-any.whl six-1.1.tar.gz") is None
    none = wants.failure_of_list("six", b"six-1.0-py3-none-any.whl six-1.0.tar.gz")
    one = wants.failure_of_list("six", b"six-1.1-py3-none-any.whl six-1.0.tar.gz")
    assert none is not None and one is not None
    assert format_failure(none) == "does not have six 1.1"
    assert format_failure(one) == "does not have six-1.1.tar.gz"
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


FILES = ("six-1.0-py3-none-any.whl", "six-1.1-py3-none-any.whl", "six-1.1.tar.gz")
DIGITS = {"sha256": "0" * 64, "sha512": "1" * 128}
Listed = dict[str, object]
LISTED: st.SearchStrategy[Listed] = st.dictionaries(
    st.sampled_from(["md5", *DIGITS]),
    st.sampled_from([*DIGITS.values(), "f" * 64, "", "\x1b", 5, None]),
)


@pytest.mark.skipif(not POETRY_READS_JSON, reason="Poetry reads one hash a file, from HTML")
@given(
    locked=st.dictionaries(
        st.sampled_from(FILES), st.sampled_from([f"{name}:{DIGITS[name]}" for name in DIGITS])
    ),
    packaged=st.dictionaries(st.sampled_from(FILES), st.just(DIGITS["sha256"])),
    page=st.lists(st.tuples(st.sampled_from(FILES), LISTED | st.none() | st.just(["sha256"]))),
)
def test_the_hashes_of_a_page(
    locked: dict[str, str], packaged: dict[str, str], page: list[tuple[str, Listed | None]]
) -> None:
    wants = ExpectedFiles(
        locked={"six": {file: LockedFile(file[4:7], entry) for file, entry in locked.items()}},
        packaged=lambda name: packaged if name == "six" else {},
    )
    files = [
        {"filename": file, "url": f"https://files.example.com/{file}", "hashes": hashes}
        for file, hashes in page
    ]
    name = canonicalize_name("six")
    failure = wants.failure_of_hashes(name, json_page("https://example.com/six/", {"files": files}))
    known: list[tuple[str, Listed, str, str]] = []
    for file, hashes in page:
        entries = [locked[file]] if file in locked else []
        entries += [f"sha256:{packaged[file]}"] if file in packaged else []
        for algorithm, _, digits in (entry.partition(":") for entry in entries):
            known.append((file, hashes if isinstance(hashes, dict) else {}, algorithm, digits))
    wrong = {file for file, hashes, name, digits in known if hashes.get(name, digits) != digits}
    lacking = {file for file, hashes, name, _ in known if name not in hashes}
    if wrong:
        assert failure is not None and failure.kind == "wrong-hash"
        assert {one.file for one in failure.wrong} == wrong
        assert format_failure(failure).isprintable()
    elif lacking:
        assert failure is not None and failure.kind == "unhashed" and failure.is_missing
        assert failure.name in lacking
    else:
        assert failure is None
    other = canonicalize_name("other")
    assert not wants.has_hashes_of(other)
    assert wants.has_hashes_of(name) is bool(locked or packaged)
