"""The project pages of simple indexes (PEP 503, 691, 700)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit

import requests
from packaging.utils import NormalizedName, canonicalize_name, parse_sdist_filename

from poetry_tf.http.client import Client
from poetry_tf.http.errors import BadResponse

JSON_TYPE: Final = "application/vnd.pypi.simple.v1+json"
ACCEPT: Final = f"{JSON_TYPE}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"

FILES: Final = 200_000
"""The most files of a page, four times those of the longest on PyPI (ddtrace: 47,000)."""
TAG: Final = 4096
"""The most characters of a tag; those of links on PyPI have some hundreds, and a reason for which a
file is yanked can be longer."""
NAME: Final = 1024
"""The most characters of a file's name; file systems take 255."""

# The attributes that tell of a file's metadata: that of PEP 714, and of PEP 658.
_METADATA: Final = ("core-metadata", "dist-info-metadata")
_HASH = re.compile(r"(md5|sha1|sha224|sha256|sha384|sha512)=([0-9a-f]+)")
# The characters of a path or a query that Poetry escapes before it requests an address.
_UNSAFE = re.compile(r"[^A-Za-z0-9$&+,/:;=?@.#%_\\|-]")
# An absolute address without any of them; thousands are in a page.
_USUAL = re.compile(r"(https?://[A-Za-z0-9.:-]+/[A-Za-z0-9$&+,/:;=@.%_-]*)(?:#.*)?\Z")


@dataclass(frozen=True, slots=True)
class IndexFile:
    """One file as a project's page lists it.

    Attributes:
        filename: its name, unescaped.
        url: where it is, absolute, escaped as Poetry escapes it, without a fragment.
        hashes: its hashes in lower-case hexadecimal digits, by algorithm.
        yanked: whether it is yanked (PEP 592), with or without a reason.
        uploaded: when it was uploaded, as the index writes it (ISO 8601); None from HTML pages.
        requires_python: its Requires-Python; None where there is none.
        size: its bytes; None where the index doesn't say (HTML pages never do).
        has_metadata: whether its metadata can be downloaded from beside it (PEP 658).
    """

    filename: str
    url: str
    hashes: Mapping[str, str] = field(default_factory=dict)
    yanked: bool = False
    uploaded: str | None = None
    requires_python: str | None = None
    size: int | None = None
    has_metadata: bool = False

    @property
    def sha256(self) -> str | None:
        """The hash if it is a whole SHA-256: it becomes part of a path, so nothing else will do."""
        digest = self.hashes.get("sha256", "")
        return digest if re.fullmatch(r"[0-9a-f]{64}", digest) else None

    def is_same_as(self, other: IndexFile) -> bool:
        """Whether the hashes that both have are equal; true where one page has none."""
        shared = self.hashes.keys() & other.hashes.keys()
        return all(self.hashes[name] == other.hashes[name] for name in shared)


class MalformedPage(ValueError):
    """The text of a page that can't be read."""


class BadPage(BadResponse):
    """An index answered without a page of a project, or with one that can't be read."""

    def __init__(
        self, project: str, problem: str, *, subject: str = "the index", status: int = 0
    ) -> None:
        super().__init__(problem, status=status)
        self.args = (f"{project}: {subject} {problem}",)


class SimpleIndex:
    """The project pages of one simple index."""

    def __init__(self, url: str, client: Client) -> None:
        self.url = url.rstrip("/") + "/"
        self._client = client

    def files(self, project: str) -> tuple[IndexFile, ...]:
        """Every file of a project, in the page's order; none where the index has no such project.

        Raises:
            BadPage: the page can't be read, or is none. A page that lists no file at all is taken
                for a fault of the index, because concluding from it that a version doesn't exist
                would be worse than stopping.
            NoResponse, Interrupted: as `Client.get` and `Client.body`.
        """
        name = canonicalize_name(project)
        with self._client.get(f"{self.url}{name}/", {"Accept": ACCEPT}) as response:
            if response.status_code == requests.codes.not_found:
                return ()
            if response.status_code != requests.codes.ok:
                status = response.status_code
                raise BadPage(name, f"answers {status}", status=status)
            kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            body = self._client.body(response)
            base = response.url
        if is_too_long(body):
            raise BadPage(name, "lists too many files", subject="the index's page")
        try:
            if kind.endswith("json"):
                files = parse_json(body, base)
            # requests would take an unnamed encoding for Latin-1, as mail did; pages are UTF-8.
            elif kind in ("text/html", "application/vnd.pypi.simple.v1+html"):
                files = parse_html(body.decode("utf-8"), base)
            else:
                raise BadPage(name, f"answers with {kind or 'a page of no type'}")
        except ValueError as error:
            problem = f"is malformed ({error})"
            raise BadPage(name, problem, subject="the index's page") from error
        if not files:
            raise BadPage(name, "lists no file", subject="the index's page")
        return files


def is_too_long(page: bytes) -> bool:
    """Whether a page may list more than `FILES` files: each takes many times its size in memory.

    Of a file there are eleven values in JSON, and three tags in HTML.
    """
    values = sum(map(page.count, (b"{", b"[", b",")))
    return values > 12 * FILES or page.count(b"<") > 4 * FILES


def parse_json(body: bytes, base: str) -> tuple[IndexFile, ...]:
    """The files of a PEP 691 page.

    A file without a name or an address makes the whole page `MalformedPage`: a page that is read
    without it would say that the file does not exist.
    """
    try:
        page: dict[str, Any] = json.loads(body)
        major = str(page.get("meta", {}).get("api-version", "1.0")).partition(".")[0]
        if major != "1":
            raise MalformedPage(f"API version {major} is not known")
        return tuple(_of_entry(entry, base) for entry in page["files"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedPage(str(error)) from error


def _of_entry(entry: Mapping[str, Any], base: str) -> IndexFile:
    size = entry.get("size")
    return IndexFile(
        filename=str(entry["filename"]),
        url=_address(entry["url"], base),
        hashes={name: str(value).lower() for name, value in (entry.get("hashes") or {}).items()},
        # True, or the reason. (In HTML the bare attribute is enough.)
        yanked=bool(entry.get("yanked")),
        uploaded=entry.get("upload-time"),
        requires_python=entry.get("requires-python"),
        size=size if isinstance(size, int) and size >= 0 else None,
        has_metadata=any(map(entry.get, _METADATA)),
    )


def parse_html(text: str, base: str) -> tuple[IndexFile, ...]:
    """The files of a PEP 503 page: every link whose path ends in a file name.

    Raises `MalformedPage`.
    """
    check_markup(text)
    page = _Page()
    page.feed(text)
    page.close()
    try:
        base = urljoin(base, page.base or "")
        files = [_of_anchor(anchor, base) for anchor in page.anchors]
    except ValueError as error:  # an address with a bracket where its host would be
        raise MalformedPage(str(error)) from error
    # A link to a folder is navigation, not a file.
    return tuple(file for file in files if file.filename)


def check_markup(text: str) -> None:
    """Raises `MalformedPage` for markup that is not closed soon.

    `html.parser` searches for the end of each such tag again and again, in quadratic time.
    """
    at = text.find("<")
    while at >= 0:
        if text.startswith("<!--", at):
            end = text.find("-->", at + 4)
        elif text.startswith("<![", at):
            end = -1
        else:
            end = text.find(">", at, at + TAG)
        if end < 0:
            raise MalformedPage("a tag is not closed")
        at = text.find("<", end)


class _Page(HTMLParser):
    """The links of a page, and the address that they are relative to if it names one."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.anchors: list[dict[str, str | None]] = []
        self.base: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "base" and self.base is None:
            self.base = attributes.get("href")
        elif tag == "a" and attributes.get("href"):
            self.anchors.append(attributes)


def _of_anchor(anchor: Mapping[str, str | None], base: str) -> IndexFile:
    href = anchor["href"] or ""
    url = _address(href, base)
    offered = [anchor[f"data-{name}"] for name in _METADATA if f"data-{name}" in anchor]
    return IndexFile(
        filename=unquote(urlsplit(url).path.rpartition("/")[2]),
        url=url,
        hashes=dict(_HASH.findall(urldefrag(href).fragment.lower())),
        yanked="data-yanked" in anchor,
        requires_python=anchor.get("data-requires-python"),
        has_metadata=any((value or "true").strip().lower() != "false" for value in offered),
    )


def _address(address: str, base: str) -> str:
    if found := _USUAL.match(address):
        return found[1]
    parts = urlsplit(urljoin(base, address))
    path, query = (_UNSAFE.sub(_escaped, part) for part in (parts.path, parts.query))
    return urlunsplit(parts._replace(path=path, query=query, fragment=""))


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02x}" for byte in found[0].encode())


def filename_of(url: str) -> str:
    """The name of the file at an address, or of the file whose metadata is there."""
    return unquote(urlsplit(url).path.rpartition("/")[2]).removesuffix(".metadata")


def package_of(filename: str) -> NormalizedName:
    """The distribution that a file belongs to, by its file name."""
    if filename.endswith(".whl"):
        return canonicalize_name(filename.partition("-")[0])
    try:
        return parse_sdist_filename(filename)[0]
    except ValueError:
        return canonicalize_name(filename.rpartition("-")[0] or filename)
