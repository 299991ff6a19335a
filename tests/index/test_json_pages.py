"""A page in JSON says the same when older Poetrys read it as HTML."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from packaging.utils import canonicalize_name
from poetry.core.constraints.version import Version
from poetry.core.packages.utils.link import Link
from poetry.repositories.link_sources.html import HTMLPage

from poetry_tf.index.pages import as_html, read_page
from tests.support.index import JSON_TYPE, LocalIndex

URL = "https://example.org/simple/demo/"
WHEEL = "demo-1.0-py3-none-any.whl"
SHA = "ab" * 32


def link(**file: Any) -> Link:
    """The only link of a page with one file."""
    page = HTMLPage(URL, as_html({"files": [{"filename": WHEEL, "url": WHEEL, **file}]}))
    links = page.links_for_version(canonicalize_name("demo"), Version.parse("1.0"))
    return next(iter(links))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"https://files.example.org/a/{WHEEL}", f"https://files.example.org/a/{WHEEL}"),
        (f"../../packages/{WHEEL}", f"https://example.org/packages/{WHEEL}"),
        (f"/p/{WHEEL}?a=1&b=2", f"https://example.org/p/{WHEEL}?a=1&b=2"),
    ],
)
def test_addresses(url: str, expected: str) -> None:
    assert link(url=url).url_without_fragment == expected


@pytest.mark.parametrize(
    ("hashes", "expected"),
    [
        ({"sha256": SHA}, {"sha256": SHA}),
        ({"md5": "00", "sha256": SHA}, {"sha256": SHA}),
        ({"sha512": "cd" * 64}, {"sha512": "cd" * 64}),
        ({}, {}),
    ],
)
def test_hashes(hashes: dict[str, str], expected: dict[str, str]) -> None:
    assert link(hashes=hashes).hashes == expected
    assert link(url=f"{WHEEL}#sha256=00", hashes=hashes).hashes == expected


def test_pythons() -> None:
    assert link(**{"requires-python": ">=3.8,<4"}).requires_python == ">=3.8,<4"
    assert link(**{"requires-python": None}).requires_python is None


@pytest.mark.parametrize("reason", ['"broken" <on> Windows & more', "it isn't good"])
def test_yanked(reason: str) -> None:
    assert link(yanked=reason).yanked_reason == reason
    assert link(yanked=True).yanked
    assert not link(yanked=False).yanked
    assert not link().yanked


def test_metadata() -> None:
    for name in ("core-metadata", "dist-info-metadata"):
        assert link(**{name: {"sha256": SHA}}).metadata_hashes == {"sha256": SHA}
        assert link(**{name: True}).has_metadata
        assert not link(**{name: False}).has_metadata
    assert not link().has_metadata


def test_a_page_is_the_same_in_either_form() -> None:
    with LocalIndex() as index:
        index.add("demo", "1.0", requires_python=">=3.8", tags=("py3-none-any", "cp311-none-any"))
        index.add("demo", "1.1", yanked="broken")
        in_json, in_html = (
            read_page(requests.get(f"{index.url}demo/", headers={"Accept": form}, timeout=10))
            for form in (JSON_TYPE, "text/html")
        )
    reported = [
        [
            (
                item.url_without_fragment,
                item.hashes,
                item.requires_python,
                item.yanked,
                item.metadata_hashes,
            )
            for version in page.versions(canonicalize_name("demo"))
            for item in page.links_for_version(canonicalize_name("demo"), version)
        ]
        for page in (in_json, in_html)
    ]
    assert reported[0] == reported[1]
    assert len(reported[0]) == 3


def test_an_empty_page() -> None:
    assert not list(HTMLPage(URL, as_html({"files": []})).versions(canonicalize_name("demo")))
    assert not as_html({})
