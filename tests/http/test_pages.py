from __future__ import annotations

import html
import json

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from poetry.repositories.link_sources.html import HTMLPage

from poetry_tf.http.client import Client, masked
from poetry_tf.http.errors import ReadError
from poetry_tf.http.pages import (
    FILES,
    IndexFile,
    MalformedPage,
    SimpleIndex,
    filename_of,
    package_of,
    parse_html,
    parse_json,
)
from poetry_tf.http.ranges import RemoteFile
from tests.support.wheel_index import File, MadeIndex, Serving

HASH = "ab" * 32
BASE = "https://index.test/simple/a/"


@pytest.fixture
def made():
    index = MadeIndex()
    index.add("a", File("a-1.tar.gz", b"0123456789" * 10))
    with Serving(index):
        yield index


@pytest.fixture
def client():
    client = Client()
    yield client
    client.close()


def test_a_page_of_json():
    page = {
        "meta": {"api-version": "1.4"},
        "files": [
            {
                "filename": "a-1.tar.gz",
                "url": "../../f/a-1.tar.gz#egg=a",
                "hashes": {"sha256": HASH.upper()},
                "yanked": "broken",
                "upload-time": "2024-01-02T03:04:05Z",
                "requires-python": ">=3.9",
            },
            {
                "filename": "a-2.tar.gz",
                "url": "https://files.test/a-2.tar.gz",
                "hashes": {},
                "yanked": None,
            },
        ],
    }
    assert parse_json(json.dumps(page).encode(), BASE) == (
        IndexFile(
            "a-1.tar.gz",
            "https://index.test/f/a-1.tar.gz",
            {"sha256": HASH},
            True,
            "2024-01-02T03:04:05Z",
            ">=3.9",
        ),
        IndexFile("a-2.tar.gz", "https://files.test/a-2.tar.gz"),
    )


def test_a_page_of_html():
    page = f"""<!DOCTYPE html><html><head><base href="/elsewhere/"></head><body>
    <A HREF="a-1%2Bcpu.whl#sha256={HASH}" data-requires-python="&gt;=3.9" data-yanked>a</A>
    <a href="https://files.test/a-2.tar.gz?x=1#md5=00">a</a> <a href="../">up</a>
    <a name="n">n</a>"""
    assert parse_html(page, BASE) == (
        IndexFile(
            "a-1+cpu.whl",
            "https://index.test/elsewhere/a-1%2Bcpu.whl",
            {"sha256": HASH},
            True,
            None,
            ">=3.9",
        ),
        IndexFile("a-2.tar.gz", "https://files.test/a-2.tar.gz?x=1", {"md5": "00"}),
    )


@pytest.mark.parametrize("digest", ["../../etc/passwd", "00", "g" * 64, ""])
def test_a_hash_that_is_none_is_not_believed(digest):
    assert parse_html(f'<a href="a-1.whl#sha256={digest}">a</a>', BASE)[0].sha256 is None


@pytest.mark.parametrize(
    ("offered", "is_offered"),
    [
        ({}, False),
        ({"core-metadata": False}, False),
        ({"core-metadata": True}, True),
        ({"dist-info-metadata": {"sha256": HASH}}, True),
        ({"core-metadata": False, "dist-info-metadata": True}, True),
    ],
)
def test_whether_a_file_has_metadata(offered, is_offered):
    entry = {"filename": "a-1.whl", "url": "a-1.whl", **offered}
    in_json = json.dumps({"meta": {"api-version": "1.0"}, "files": [entry]}).encode()
    assert parse_json(in_json, BASE)[0].has_metadata == is_offered
    said = {True: "true", False: "false"}
    attributes = [
        f'data-{name}="{said.get(value) if isinstance(value, bool) else "sha256=" + HASH}"'
        for name, value in offered.items()
    ]
    page = f"<a href='a-1.whl' {' '.join(attributes)}>a</a>"
    assert parse_html(page, BASE)[0].has_metadata == is_offered


def test_metadata_may_be_offered_without_a_value():
    assert parse_html("<a href=a-1.whl data-core-metadata>a</a>", BASE)[0].has_metadata


@pytest.mark.parametrize(
    "entry",
    [{}, {"filename": "a-2.whl"}, {"url": "a-2.whl"}, {"filename": "a-2.whl", "url": 2}, 2],
)
def test_a_file_that_cannot_be_read_is_not_passed_over(entry):
    files = [{"filename": "a-1.whl", "url": "a-1.whl"}, entry]
    with pytest.raises(MalformedPage):
        parse_json(json.dumps({"files": files}).encode(), BASE)


def test_an_address_that_is_none():
    with pytest.raises(MalformedPage):
        parse_html('<a href="http://[a-1.whl">a</a>', BASE)


hrefs = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(
        [
            "",
            "./",
            "../../f/",
            "/p/",
            "//files.test/",
            "https://files.test/f/",
            "https://a.test/~me/",
            "?a=/",
            "x:y/",
        ]
    ),
    st.text("adx1/.-_~ !'()*,;:@&=+$|^`{}[]<>%25?", max_size=8),
    st.sampled_from(["a-1-py3-none-any.whl", "a-1%2Bcpu-py3-none-any.whl", "a-1.tar.gz", "a-1"]),
    st.sampled_from(["", "?x=1&y=a b~", "?", ";v=1", "%20", "/"]),
    st.sampled_from(["", "#", f"#sha256={HASH}", f"#egg=a&md5={HASH[:32]}"]),
)
bases = st.sampled_from(["", "<base href>", '<base href="">', '<base href="https://b.test/s/a">'])


@given(st.lists(st.tuples(hrefs, st.booleans()), max_size=4), bases, st.booleans())
@example([("https://files.test/a~ b/a-1.tar.gz?x=a b", True)], "", False)
@example([("../a-1.tar.gz", True)], '<base href="https://b.test/s/a"><base href="/">', True)
def test_the_addresses_are_those_that_poetry_requests(links, base, is_base_last):
    """Not where Poetry's can't be requested: with a base without a host, or beyond ASCII."""
    anchors = "".join(
        f'<a href="{html.escape(href)}"{" data-core-metadata" if offers else ""}>a</a>'
        for href, offers in links
    )
    page = anchors + base if is_base_last else base + anchors
    try:
        expected = {link.filename: link for link in HTMLPage(BASE, page).links}
    except ValueError:  # a name with a slash
        assume(False)
    files = {file.filename: file for file in parse_html(page, BASE)}
    # Poetry takes the name of a folder for that of a file.
    for name, link in expected.items():
        if not link.url_without_fragment.partition("?")[0].endswith("/"):
            assert files[name].url == link.url_without_fragment
            assert files[name].hashes == link.hashes
            assert files[name].has_metadata or not link.has_metadata


@pytest.mark.parametrize("kind", ["json", "html"])
def test_both_kinds_of_index(made, client, kind):
    made.json = kind == "json"
    (file,) = SimpleIndex(made.url, client).files("A")
    assert file.filename == "a-1.tar.gz"
    assert file.sha256 == made.projects["a"][0].sha256
    assert (file.uploaded is None) == (kind == "html")
    assert RemoteFile(file.url, client).read(10, 10) == b"0123456789"
    assert SimpleIndex(made.url.rstrip("/"), client).files("nothing-such") == ()


@pytest.mark.parametrize(
    ("media", "body", "expected"),
    [
        ("text/html", b"<html></html>", "no file"),
        ("text/html", b"\xff\xfe", "malformed"),
        ("text/html", b'{"files": []}', "no file"),
        ("application/vnd.pypi.simple.v1+json", b"<html>", "malformed"),
        ("application/json", b"[]", "malformed"),
        ("application/json", b'{"meta": {"api-version": "2.0"}, "files": []}', "malformed"),
        ("application/json", b'{"meta": {"api-version": "1.0"}, "files": [{}]}', "malformed"),
        ("image/png", b"PNG", "image/png"),
    ],
)
def test_a_page_that_is_none(made, client, media, body, expected):
    made.pages["a"] = (media, body)
    with pytest.raises(ReadError, match=expected) as caught:
        SimpleIndex(made.url, client).files("a")
    assert str(caught.value).startswith("a: ")
    assert "\n" not in str(caught.value)


def test_a_page_with_too_many_files(made, client):
    made.pages["a"] = "text/html", b"<a>" * 4 * FILES + b"<a>"
    with pytest.raises(ReadError, match="a: the index's page lists too many files"):
        SimpleIndex(made.url, client).files("a")


def test_an_index_that_refuses(made, client):
    made.broken["a"] = 403
    with pytest.raises(ReadError, match="a: the index answers 403"):
        SimpleIndex(made.url, client).files("a")


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
def test_the_file_and_the_package_of_an_address(url, filename, package):
    name = filename_of(url)
    assert filename is None or name == filename
    assert package_of(name) == package


def test_the_same_file():
    one = IndexFile("a", "https://a", {"sha256": "00"})
    assert one.is_same_as(IndexFile("a", "https://b", {"sha256": "00", "md5": "11"}))
    assert one.is_same_as(IndexFile("a", "https://b"))
    assert not one.is_same_as(IndexFile("a", "https://b", {"sha256": "01"}))


def test_ranges(made, client):
    file = RemoteFile(made.url.replace("/simple/", "/files/a/a-1.tar.gz"), client)
    assert file.tail(5) == (b"56789", 100)
    assert file.tail(1000) == (b"0123456789" * 10, 100)
    assert file.read(95, 50) == b"56789"
    made.ranges = False
    with pytest.raises(ReadError, match="doesn't serve ranges"):
        file.tail(5)
    made.gone.add("a-1.tar.gz")
    with pytest.raises(ReadError, match="answers 404"):
        file.tail(5)


@pytest.mark.usefixtures("short_pauses")
def test_nobody_listens(client):
    secret = "http://user:secret@127.0.0.1:9/simple/"
    with pytest.raises(ReadError) as caught:
        SimpleIndex(secret, client).files("a")
    assert "secret" not in str(caught.value)


def test_masked():
    assert masked("https://me:pw@h.test:8/s/") == "https://***@h.test:8/s/"
    assert masked("https://h.test/s/") == "https://h.test/s/"
