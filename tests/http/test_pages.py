from __future__ import annotations

import json

import pytest

from poetry_tf.http.client import Client, masked
from poetry_tf.http.errors import ReadError
from poetry_tf.http.pages import IndexFile, SimpleIndex, parse_html, parse_json
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
            HASH,
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
            HASH,
            True,
            None,
            ">=3.9",
        ),
        IndexFile("a-2.tar.gz", "https://files.test/a-2.tar.gz?x=1"),
    )


@pytest.mark.parametrize("digest", ["../../etc/passwd", "00", "g" * 64, ""])
def test_a_hash_that_is_none_is_not_believed(digest):
    assert parse_html(f'<a href="a-1.whl#sha256={digest}">a</a>', BASE)[0].sha256 is None


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


def test_an_index_that_refuses(made, client):
    made.broken["a"] = 403
    with pytest.raises(ReadError, match="a: the index answers 403"):
        SimpleIndex(made.url, client).files("a")


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
