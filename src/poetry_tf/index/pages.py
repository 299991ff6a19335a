"""An index page, parsed only for the versions that Poetry needs.

Poetry makes an object of every file of a page, for some packages thousands, of which a solve needs
a few. Here the files are only sorted by their version; for a version that Poetry needs, its own
class parses a page with the files of that version alone. So a file means the same as in Poetry. A
page with anything unusual is parsed by Poetry's class as a whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from html import escape
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from packaging.utils import NormalizedName, canonicalize_name
from poetry.core.constraints.version import Version
from poetry.repositories.legacy_repository import LegacyRepository
from poetry.repositories.link_sources.base import LinkSource
from poetry.repositories.link_sources.html import HTMLPage

from poetry_tf.http.pages import NAME, MalformedPage, check_markup, parse_html
from poetry_tf.poetry_internals.overrides import override

if TYPE_CHECKING:
    import requests
    from poetry.core.packages.package import Package
    from poetry.core.packages.utils.link import Link

Key = tuple[NormalizedName, Version]

# The names of wheels and source archives that are sorted here. They have only characters that are
# the same in an address as in a file name: which of the two is parsed depends on the version of
# Poetry. In the name of a source archive the version begins after the last hyphen.
_WHEEL = re.compile(
    r"([A-Za-z0-9_.]+)-(\d[A-Za-z0-9_.+]*)(?:-\d[A-Za-z0-9_.]*)?(?:-[A-Za-z0-9_.]+){3}\.whl"
)
_SDIST = re.compile(
    r"([A-Za-z][A-Za-z0-9_.-]*)-(\d[A-Za-z0-9_.+]*)(?<!\.sdist)(?<!\.[Tt][Aa][Rr])\.(?:tar\.gz|zip)"
)

# What an HTML page may contain so that these patterns find its links.
_MARKUP = re.compile(r"<([^<>]*)>")
_TAG = re.compile(r"/?(!?[a-z0-9]+)(?=[\s/]|$)", re.IGNORECASE)
_PLAIN = {"!doctype", "html", "head", "meta", "title", "body", "h1", "a", "br", "p", "hr", "pre"}
_TITLE = re.compile(r"<title>[^<]*</title>", re.IGNORECASE)
_ANCHOR = re.compile(r"<a\s([^<>]*)>[^<>]*</a>", re.IGNORECASE)
_ATTRIBUTES = re.compile(r"""(?:[a-z-]+(?:="[^"']*")?(?:\s+|$))*""", re.IGNORECASE)
_SHA256 = re.compile(r"(?<=sha256=)[0-9a-f]*[A-F][0-9A-Fa-f]*")
_HREF = re.compile(r'(?:^|\s)href="([^"]*)"', re.IGNORECASE)


# Poetry got this method together with its parser of JSON pages, in 2.3; older ones read HTML alone.
try:
    from poetry.repositories.link_sources.json import SimpleJsonPage
except ImportError:
    POETRY_READS_JSON = False
else:
    POETRY_READS_JSON = hasattr(LegacyRepository, "_is_json_response")


def is_in_json(response: requests.Response) -> bool:
    """Whether a page is JSON by its content type."""
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip()
    return kind.startswith("application/") and kind.endswith("+json")


def read_page(response: requests.Response, *, as_pypi: bool = False) -> LinkSource:
    """The page of a package, in JSON or HTML. Raises `MalformedPage`.

    Args:
        as_pypi: whether each file has the one hash that PyPI lists, spelled alike: Poetry locks the
            longest, in any spelling.
    """
    if not is_in_json(response):
        text = response.text
        if as_pypi:
            text = _SHA256.sub(lambda found: found[0].lower(), text)
        check_markup(text)
        if "[" in text:  # in the place of a host it makes an address none
            parse_html(text, response.url)
        return html_page(response.url, text)
    try:
        content = json.loads(response.content)
        check_files(content, any_hashes=as_pypi)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedPage(str(error)) from error
    return json_page(response.url, content, as_pypi=as_pypi)


_TEXT, _NUMBER = frozenset({str, type(None)}), frozenset({int, bool, type(None)})
_ALLOWED = (("requires-python", _TEXT), ("upload-time", _TEXT), ("size", _NUMBER))


def check_files(content: Any, *, any_hashes: bool = False) -> None:
    """Raises an error for a page that Poetry could not read later.

    A page may list 10,000 files: they are compared by the sets of the types of their values.
    """
    files = content["files"]
    names, urls = ([file[key] for file in files] for key in ("filename", "url"))
    described = all({type(file.get(key)) for file in files} <= allowed for key, allowed in _ALLOWED)
    if not any_hashes:
        hashes = chain.from_iterable((file.get("hashes") or {}).values() for file in files)
        described &= {*map(type, hashes)} <= {str}
    if not described or max(map(len, names), default=0) > NAME:
        raise MalformedPage("the entry of a file does not follow the standard")
    if "[" in "".join(names + urls):
        for url in urls:
            urlsplit(url)  # in the place of a host it makes an address none


def json_page(url: str, content: Mapping[str, Any], *, as_pypi: bool = False) -> LinkSource:
    """A page in JSON (PEP 691); for `as_pypi` see `read_page`."""
    make = _of_files_as_pypi if as_pypi else _of_files
    try:
        return SortedPage(url, _sorted_files(url, content, make), make, _is_sound_file)
    except (LookupError, TypeError, AttributeError, ValueError):
        # Which fails as in Poetry; what is to be as on PyPI was checked before.
        return make(url, content["files"]) if as_pypi else _of_content(url, content)


def html_page(url: str, text: str) -> LinkSource:
    """A page in HTML (PEP 503)."""
    try:
        return SortedPage(url, _sorted_anchors(url, text), _of_anchors, _is_sound_anchor)
    except ValueError:  # anything unusual
        return HTMLPage(url, text)


class SortedPage(LinkSource):
    """A page whose files are sorted by version; links are made for one version at a time."""

    def __init__(
        self,
        url: str,
        files: Mapping[Key, list[Any]],
        make: Callable[[str, Iterable[Any]], LinkSource],
        is_sound: Callable[[Any], bool],
    ) -> None:
        super().__init__(url)
        self._address = url
        self._files = files
        self._make = make
        self._is_sound = is_sound
        self._made: dict[Key, LinkSource] = {}

    @override
    def versions(self, name: NormalizedName) -> Iterator[Version]:
        return (version for named, version in self._files if named == name)

    @override
    def links_for_version(self, name: NormalizedName, version: Version) -> Iterator[Link]:
        return self._page_of((name, version)).links_for_version(name, version)

    @override
    def yanked(self, name: NormalizedName, version: Version) -> str | bool:
        # A version is yanked only if all its files are.
        if any(map(self._is_sound, self._files.get((name, version), ()))):
            return False
        return self._page_of((name, version)).yanked(name, version)

    def hashes(
        self, name: NormalizedName, version: Version
    ) -> Iterator[tuple[str, Mapping[str, str]]]:
        """The files of a version with their hashes by algorithm, as its links have them."""
        files = self._files.get((name, version), ())
        if self._make is _of_files_as_pypi and all(map(_is_named_alike, files)):
            # Of TensorFlow all files are compared: nearly 2,000 that no solve makes links of.
            return ((file["filename"], _as_pypi(file.get("hashes"))) for file in files)
        return ((link.filename, link.hashes) for link in self.links_for_version(name, version))

    @property
    @override
    def links(self) -> Iterator[Link]:
        # By name, in the order of the page, as in Poetry's classes.
        for name in dict.fromkeys(name for name, _ in self._files):
            for version in self.versions(name):
                yield from self.links_for_version(name, version)

    @property
    @override
    def packages(self) -> Iterator[Package]:
        for link in self.links:
            if package := self.link_package_data(link):
                yield package

    def _page_of(self, key: Key) -> LinkSource:
        if key not in self._made:
            self._made[key] = self._make(self._address, self._files.get(key, ()))
        return self._made[key]


def _sort(
    url: str, named: Iterable[tuple[str, Any]], make: Callable[[str, Iterable[Any]], LinkSource]
) -> dict[Key, list[Any]]:
    found: dict[Key, list[Any]] = {}
    as_written: dict[tuple[str, ...], list[Any]] = {}
    """The same lists by name and version as they are written: most releases have many files."""
    for filename, item in named:
        if len(filename) > NAME:
            continue
        if parts := _WHEEL.fullmatch(filename) or _SDIST.fullmatch(filename):
            written = parts.group(1, 2)
            if (files := as_written.get(written)) is not None:
                files.append(item)
                continue
            if (key := _parsed(*written)) is not None:
                as_written[written] = found.setdefault(key, [])
                as_written[written].append(item)
                continue
        # Poetry decides what this file is; often it is nothing.
        for package in make(url, [item]).packages:
            found.setdefault((package.name, package.version), []).append(item)
    return found


def _parsed(name: str, version: str) -> Key | None:
    """The key of a file with a regular name."""
    try:
        return canonicalize_name(name), Version.parse(version)
    except ValueError:
        return None


# -- JSON -----------------------------------------------------------------------------------


def _sorted_files(
    url: str, content: Mapping[str, Any], make: Callable[[str, Iterable[Any]], LinkSource]
) -> dict[Key, list[Any]]:
    def named() -> Iterator[tuple[str, Any]]:
        for file in content["files"]:
            yield (file["filename"] if _is_named_alike(file) else ""), file

    return _sort(url, named(), make)


def _is_named_alike(file: Mapping[str, Any]) -> bool:
    """Whether the address of a file ends with its name."""
    return bool(file["url"].partition("#")[0].endswith(f"/{file['filename']}"))


def _of_files(url: str, files: Iterable[Any]) -> LinkSource:
    return _of_content(url, {"files": list(files)})


def _of_files_as_pypi(url: str, files: Iterable[Any]) -> LinkSource:
    """With the one hash that PyPI lists, spelled alike."""
    return _of_files(url, ({**file, "hashes": _as_pypi(file.get("hashes"))} for file in files))


def _as_pypi(hashes: Any) -> Mapping[str, Any]:
    if not isinstance(hashes, dict):
        return {}
    return {"sha256": str(hashes["sha256"]).lower()} if "sha256" in hashes else hashes


def _of_content(url: str, content: Mapping[str, Any]) -> LinkSource:
    if not POETRY_READS_JSON:
        return HTMLPage(url, as_html(content))
    return SimpleJsonPage(url, dict(content))


def as_html(page: Mapping[str, Any]) -> str:
    """A page of the simple index in JSON (PEP 691) as the same page in HTML (PEP 503)."""
    return "\n".join(_anchor(file) for file in page.get("files", []))


def _anchor(file: Mapping[str, Any]) -> str:
    hashes = _hash(file.get("hashes"))
    attributes = {"href": file["url"].partition("#")[0] + (f"#{hashes}" if hashes else "")}
    if python := file.get("requires-python"):
        attributes["data-requires-python"] = python
    if yanked := file.get("yanked"):
        attributes["data-yanked"] = yanked if isinstance(yanked, str) else ""
    for name in ("core-metadata", "dist-info-metadata"):
        if metadata := file.get(name):
            attributes[f"data-{name}"] = _hash(metadata) or "true"
    return f"<a {' '.join(_format_attributes(attributes))}>{escape(file.get('filename', ''))}</a>"


def _format_attributes(attributes: Mapping[str, str]) -> Iterator[str]:
    for name, value in attributes.items():
        yield f'{name}="{escape(value)}"'


def _hash(hashes: object) -> str:
    """One hash in the form of HTML pages; preferably sha256, which lock files hold."""
    if not isinstance(hashes, Mapping) or not hashes:
        return ""
    name = "sha256" if "sha256" in hashes else next(iter(hashes))
    return f"{name}={hashes[name]}"


def _is_sound_file(file: Mapping[str, Any]) -> bool:
    return file.get("yanked", False) is False


# -- HTML -----------------------------------------------------------------------------------


def _sorted_anchors(url: str, text: str) -> dict[Key, list[Any]]:
    markup = _MARKUP.findall(text)
    tags = [tag[1].lower() if (tag := _TAG.match(item)) else "" for item in markup]
    anchors = list(_ANCHOR.finditer(text))
    if (
        not len(markup) == text.count("<") == text.count(">")
        or any(item.count('"') % 2 or "'" in item for item in markup)
        or not set(tags) <= _PLAIN
        or tags.count("a") != 2 * len(anchors)
        or tags.count("title") != 2 * len(_TITLE.findall(text))
    ):
        raise ValueError("unusual markup")

    def named() -> Iterator[tuple[str, Any]]:
        for anchor in anchors:
            attributes = anchor[1].lstrip()
            hrefs = _HREF.findall(attributes)
            if len(hrefs) != 1 or not _ATTRIBUTES.fullmatch(attributes):
                raise ValueError(anchor[0])
            path = hrefs[0].partition("#")[0]
            yield ("" if "?" in path else path.rpartition("/")[2]), anchor[0]

    return _sort(url, named(), _of_anchors)


def _of_anchors(url: str, anchors: Iterable[str]) -> HTMLPage:
    return HTMLPage(url, "\n".join(anchors))


def _is_sound_anchor(anchor: str) -> bool:
    return "data-yanked" not in anchor.lower()
