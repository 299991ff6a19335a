"""A page that is sorted by version says what Poetry's own class makes of the whole page."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name
from poetry.core.constraints.version import Version
from poetry.repositories.link_sources.base import LinkSource
from poetry.repositories.link_sources.html import HTMLPage

from poetry_tf.index import pages
from poetry_tf.index.pages import POETRY_READS_JSON, SortedPage, as_html, html_page, json_page

URL = "https://example.org/simple/demo/"
NAMES = ("demo", "demo-two", "")

names = st.sampled_from(["demo", "Demo", "demo_two", "demo-two", "de.mo", "1demo", "", "dé"])
versions = st.sampled_from(
    ["1.0", "1.0.0", "2.0rc1", "2.0.dev3", "0.6c11", "1.0+cu12", "1!2.0", "v3", "2013b", "x", "1_0"]
)
ENDINGS = """
    -py3-none-any.whl -cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl
    -1-py3-none-any.whl -1build-py3-none-any.whl -b1-py3-none-any.whl -none-any.whl .whl
    .tar.gz .zip .tar.bz2 .tar .tar.Z .sdist.tar.gz .tgz .TAR.GZ .tar.zip -3.zip
    .win32-py2.4.exe -py2.7.egg -py3-none-any.whl.metadata
"""
endings = st.sampled_from(ENDINGS.split())
AROUND = [
    "{}",
    "<!DOCTYPE html><html><head><title>Links</title></head><body><h1>x</h1>{}</body>",
    "<base href='https://b.example.org/'>{}",
    "<!-- {} -->{}",
    "<script>{}</script>{}",
    "<title>{}</title>",
    '<meta content="{}">{}',
    "<pre>{}</pre>",
    "a < b {}",
    "<p>{}",
    ">{}",
]
filenames = st.one_of(
    st.builds("{}-{}{}".format, names, versions, endings),
    st.text("ademo123-_.+!%/\\ é~", max_size=12).map("{}.whl".format),
    st.sampled_from(
        ["demo.whl", ".whl", "-1.0.zip", "demo-1.0", "a/demo-1.0.zip", "demo%2D1.0.zip"]
    ),
)
yanks = st.sampled_from([False, True, "", "broken", 'so "it" <goes> & on', None])
pythons = st.sampled_from([None, "", ">=3.8", ">=3.9,<4", "no range", "!=3.0.*"])
metadata = st.sampled_from([None, True, False, {"sha256": "ab" * 32}, "sha256=" + "cd" * 32])


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    """A file as a page in JSON has it, soundly or not."""
    filename = draw(filenames)
    where = draw(st.sampled_from(["https://f.example.org/a/", "../../p/", "", "/p/", "//f.org/"]))
    end = draw(st.sampled_from(["", "#sha256=" + "00" * 32, "?a=1&b=2", "#egg=demo", "/"]))
    other = draw(st.one_of(st.just(filename), st.just(filename), filenames))
    file: dict[str, Any] = {"filename": filename, "url": f"{where}{other}{end}"}
    file["hashes"] = draw(st.sampled_from([{}, {"sha256": "ef" * 32}, {"md5": "0" * 32}]))
    for key, values in (
        ("yanked", yanks),
        ("requires-python", pythons),
        ("core-metadata", metadata),
        ("size", st.sampled_from([None, 5])),
        ("upload-time", st.sampled_from([None, "2024-01-01T00:00:00Z"])),
    ):
        if draw(st.booleans()):
            file[key] = draw(values)
    return file


def _told(read: Callable[[], LinkSource]) -> object:
    """All that Poetry asks of a page, as far as it can be read at all."""
    try:
        page = read()
        versions = {name: list(page.versions(canonicalize_name(name))) for name in NAMES}
        found = [
            (version, page.yanked(canonicalize_name(name), version), _links(page, name, version))
            for name in NAMES
            for version in versions[name]
        ]
        every = [link.url for link in page.links]
        packages = [(package.name, package.version) for package in page.packages]
        absent = page.yanked(canonicalize_name("demo"), Version.parse("99"))
        return versions, found, every, packages, absent
    except Exception as error:
        return type(error)


def _links(page: LinkSource, name: str, version: Version) -> list[object]:
    return [
        (
            link.url,
            link.filename,
            link.hashes,
            link.requires_python,
            link.yanked,
            link.yanked_reason,
            link.has_metadata,
            link.metadata_hashes,
            getattr(link, "size", None),
            getattr(link, "upload_time_isoformat", None),
        )
        for link in page.links_for_version(canonicalize_name(name), version)
    ]


def _of_poetry(content: dict[str, Any]) -> LinkSource:
    if not POETRY_READS_JSON:
        return HTMLPage(URL, as_html(content))
    from poetry.repositories.link_sources.json import SimpleJsonPage

    return SimpleJsonPage(URL, content)


@given(st.lists(files(), max_size=8))
@example([{"filename": "demo-1.0.zip", "url": "demo-1.0.zip"}])
@example([{"filename": "demo-1.0.zip"}])
@example([{"filename": f"demo-1.0+a{end}", "url": f"/demo-1.0+a{end}"} for end in ENDINGS.split()])
def test_a_page_in_json_is_read_as_poetry_reads_it(found: list[dict[str, Any]]) -> None:
    content = {"files": found}
    assert _told(lambda: json_page(URL, content)) == _told(lambda: _of_poetry(content))


@given(
    st.lists(files(), max_size=6),
    st.sampled_from(AROUND),
    st.sampled_from(
        ["<a {}>{}</a>", "<A {}>{}</A><br/>", "<a {}>{}", "<a\n{}>{}</a>", "<a x='{}>{}</a>"]
    ),
    st.booleans(),
)
def test_a_page_in_html_is_read_as_poetry_reads_it(
    found: list[dict[str, Any]], around: str, anchor: str, is_escaped: bool
) -> None:
    lines = []
    for file in found:
        attributes = [f'href="{file["url"]}"']
        for key in ("yanked", "requires-python", "core-metadata"):
            if (value := file.get(key)) is not None:
                text = str(value)
                attributes.append(f'data-{key}="{html.escape(text) if is_escaped else text}"')
        if file.get("yanked") is True:
            attributes.append("data-yanked")
        lines.append(anchor.format(" ".join(attributes), file["filename"]))
    text = around.replace("{}", "\n".join(lines))
    assert _told(lambda: html_page(URL, text)) == _told(lambda: HTMLPage(URL, text))


@given(st.text("<>a/ \"'=hrefb!-dmo1.0zip\n", max_size=60))
@example('<meta content="> <a href="x-1.0.zip">b</a><br ">')
@example("<a href=\"demo-1.0.zip\" href='demo-2.0.zip'>x</a>")
def test_whatever_stands_there_instead_of_a_page(text: str) -> None:
    assert _told(lambda: html_page(URL, text)) == _told(lambda: HTMLPage(URL, text))


@pytest.mark.parametrize("name", ["json", "html"])
def test_a_usual_page_makes_links_of_what_is_asked_for_alone(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [
        {
            "filename": f"demo-{number}.0-{python}-none-any.whl",
            "url": f"../../packages/demo-{number}.0-{python}-none-any.whl",
            "hashes": {"sha256": "ab" * 32},
            "yanked": False,
        }
        for number in range(50)
        for python in ("cp311", "cp312")
    ]
    content: dict[str, Any] = {"files": found}
    text = f"<!DOCTYPE html>\n<html><body>\n{as_html(content)}\n</body></html>"
    page = json_page(URL, content) if name == "json" else html_page(URL, text)
    assert isinstance(page, SortedPage)
    made: list[int] = []

    def counted(url: str, items: Any) -> LinkSource:
        made.append(len(items))
        return make(url, items)

    make = page._make
    monkeypatch.setattr(page, "_make", counted)
    demo = canonicalize_name("demo")
    assert len(list(page.versions(demo))) == 50
    assert not any(page.yanked(demo, version) for version in page.versions(demo))
    assert len(list(page.links_for_version(demo, Version.parse("7.0")))) == 2
    assert made == [2]


def test_the_page_of_an_answer() -> None:
    answer = requests.Response()
    answer.url = URL
    file = {"filename": "demo-1.0.zip", "url": "a/demo-1.0.zip"}
    answer._content = json.dumps({"files": [file]}).encode()
    answer.headers["Content-Type"] = "application/vnd.pypi.simple.v1+json; charset=utf-8"
    assert list(pages.read_page(answer).versions(canonicalize_name("demo")))
    answer._content = b'<a href="demo-1.0.zip">demo-1.0.zip</a>'
    answer.headers["Content-Type"] = "text/html"
    assert list(pages.read_page(answer).versions(canonicalize_name("demo")))
