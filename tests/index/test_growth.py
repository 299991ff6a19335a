"""Pages that are made to be read slowly: four times the page takes four times as long."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from poetry_tf.http.pages import parse_html
from poetry_tf.index.answers import failure_of_page
from poetry_tf.index.pages import read_page

URL = "https://a.test/simple/demo/"


def _read(text: str) -> None:
    """As Poetry uses it: every version, and the links of each."""
    response: Any = SimpleNamespace(headers={"Content-Type": "text/html"}, url=URL, text=text)
    page = read_page(response)
    for package in list(page.packages):
        list(page.links_for_version(package.name, package.version))


READERS: dict[str, Callable[[str], object]] = {
    "judging": lambda text: failure_of_page(200, "text/html", text.encode(), "demo"),
    "listing": lambda text: parse_html(text, URL),
    "solving": _read,
}
# Each page is of a number of these.
PAGES: dict[str, Callable[[int], str]] = {
    "href=": lambda n: "href=" * n,
    "href and blanks": lambda n: "href" + " " * n,
    "open quotes": lambda n: 'href="' * n,
    "blanks in an open tag": lambda n: "<a" + " " * n,
    "blanks in a tag": lambda n: "<a" + " " * n + ">",
    "open tags": lambda n: "<a " * n,
    "tags with an open quote": lambda n: '<a x=">' * n,
    "tags of blanks": lambda n: ("<a x" + " " * 2000 + "y>") * (n // 2000),
    "tags of slashes": lambda n: ("<a " + "/" * 2000 + ">") * (n // 2000),
    "open comments": lambda n: "<!--" * n,
    "comments that end early": lambda n: "<!-- >" * n,
    "open sections": lambda n: "<![CDATA[ >" * n,
    "declarations": lambda n: "<!doctype [ >" * n,
    "instructions": lambda n: "<? >" * n,
    "open scripts": lambda n: "<script>" * n,
    "ends in a script": lambda n: "<script>" + "</a>" * n,
    "ampersands": lambda n: "&" * n,
    "less-than signs": lambda n: "<" * n,
    "hyphens in names": lambda n: f'<a href="a{"-1" * 400}.tar.gz">x</a>' * (n // 400),
    "dots in names": lambda n: f'<a href="a-1{".1" * 400}.whl">x</a>' * (n // 400),
    "folders": lambda n: f'<a href="{"../" * 1000}a-1.tar.gz">x</a>' * (n // 1000),
    "hashes": lambda n: f'<a href="a-1.tar.gz#{"sha256=" * 400}">x</a>' * (n // 400),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
@pytest.mark.sample(every=4)
def test_reading_grows_as_the_page_does(
    page: Callable[[int], str], read: Callable[[str], object]
) -> None:
    def seconds(count: int) -> float:
        text = f"<!DOCTYPE html><html><body>{page(count)}"
        begun = time.process_time()
        with suppress(ValueError):
            read(text)
        return time.process_time() - begun

    seconds(1000)
    small = min(seconds(8_000) for _ in range(3))
    # What takes no time at all has no ratio.
    assert seconds(32_000) <= 7 * small + 0.1
