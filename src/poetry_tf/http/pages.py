"""The project pages of simple indexes (PEP 503, 691, 700)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import requests
from packaging.utils import canonicalize_name

from poetry_tf.http.client import Client
from poetry_tf.http.errors import BadResponse

ACCEPT: Final = ", ".join(
    (
        "application/vnd.pypi.simple.v1+json",
        "application/vnd.pypi.simple.v1+html;q=0.2",
        "text/html;q=0.1",
    )
)


@dataclass(frozen=True, slots=True)
class IndexFile:
    """One file as a project's page lists it.

    Attributes:
        filename: its name, unescaped.
        url: where it is, absolute, without a fragment.
        sha256: its hash in lower-case hexadecimal digits; None where the index gives none.
        yanked: whether it is yanked (PEP 592), with or without a reason.
        uploaded: when it was uploaded, as the index writes it (ISO 8601); None from HTML pages.
        requires_python: its Requires-Python; None where there is none.
        size: its bytes; None where the index doesn't say (HTML pages never do).
    """

    filename: str
    url: str
    sha256: str | None = None
    yanked: bool = False
    uploaded: str | None = None
    requires_python: str | None = None
    size: int | None = None


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
        try:
            if kind.endswith("json"):
                files = parse_json(body, base)
            # requests would take an unnamed encoding for Latin-1, as mail did; pages are UTF-8.
            elif kind in ("text/html", "application/vnd.pypi.simple.v1+html"):
                files = parse_html(body.decode("utf-8"), base)
            else:
                raise BadPage(name, f"answers with {kind or 'an untyped page'}")
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            problem = f"is malformed ({error})"
            raise BadPage(name, problem, subject="the index's page") from error
        if not files:
            raise BadPage(name, "lists no file", subject="the index's page")
        return files


def parse_json(body: bytes, base: str) -> tuple[IndexFile, ...]:
    """The files of a PEP 691 page.

    Raises:
        ValueError, LookupError, TypeError, AttributeError: it isn't one.
    """
    page: dict[str, Any] = json.loads(body)
    major = str(page["meta"]["api-version"]).partition(".")[0]
    if major != "1":
        raise ValueError(f"API version {major} is not known")
    return tuple(
        IndexFile(
            filename=str(entry["filename"]),
            url=urldefrag(urljoin(base, entry["url"])).url,
            sha256=_digest(entry["hashes"].get("sha256")),
            # True, or the reason. (In HTML the bare attribute is enough.)
            yanked=bool(entry.get("yanked")),
            uploaded=entry.get("upload-time"),
            requires_python=entry.get("requires-python"),
            size=_size(entry.get("size")),
        )
        for entry in page["files"]
    )


def parse_html(text: str, base: str) -> tuple[IndexFile, ...]:
    """The files of a PEP 503 page: every link whose path ends in a file name."""
    parser = _Page(base)
    parser.feed(text)
    parser.close()
    return tuple(parser.files)


class _Page(HTMLParser):
    def __init__(self, base: str) -> None:
        super().__init__(convert_charrefs=True)
        self.files: list[IndexFile] = []
        self._base = base

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        href = values.get("href")
        if tag == "base" and href:
            self._base = urljoin(self._base, href)
        if tag != "a" or not href:
            return
        url, fragment = urldefrag(urljoin(self._base, href))
        filename = unquote(urlsplit(url).path.rpartition("/")[2])
        if not filename:  # a link to a folder: navigation, not a file
            return
        algorithm, _, digest = fragment.partition("=")
        self.files.append(
            IndexFile(
                filename=filename,
                url=url,
                sha256=_digest(digest) if algorithm == "sha256" else None,
                yanked="data-yanked" in values,
                requires_python=values.get("data-requires-python"),
            )
        )


def _size(value: object) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def _digest(value: str | None) -> str | None:
    """The hash if it is a whole SHA-256: it becomes part of a path, so nothing else will do."""
    if value is not None and re.fullmatch(r"[0-9a-fA-F]{64}", value):
        return value.lower()
    return None
