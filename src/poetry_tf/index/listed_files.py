"""The files that an index page lists, by their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit

from packaging.utils import InvalidSdistFilename, NormalizedName, canonicalize_name
from packaging.utils import parse_sdist_filename as parse_sdist
from poetry.repositories.link_sources.html import HTMLPage

from poetry_tf.index.json_pages import is_in_json

if TYPE_CHECKING:
    import requests


@dataclass(frozen=True)
class ListedFile:
    """A file as a page lists it; `metadata`: whether its metadata can be downloaded (PEP 658)."""

    url: str
    hashes: Mapping[str, str]
    metadata: bool = False
    size: int = 0

    def is_same_as(self, other: ListedFile) -> bool:
        """Whether the hashes that both have are equal; true where one page has none."""
        shared = self.hashes.keys() & other.hashes.keys()
        return all(self.hashes[name] == other.hashes[name] for name in shared)


def filename_of(url: str) -> str:
    """The name of the file at an address, or of the file whose metadata is there."""
    name = unquote(urlsplit(url).path.rpartition("/")[2])
    return name.removesuffix(".metadata")


def package_of(filename: str) -> NormalizedName:
    """The distribution that a file belongs to, by its file name."""
    if filename.endswith(".whl"):
        return canonicalize_name(filename.partition("-")[0])
    try:
        return parse_sdist(filename)[0]
    except (InvalidSdistFilename, ValueError):
        return canonicalize_name(filename.rpartition("-")[0] or filename)


def files_of(response: requests.Response) -> dict[str, ListedFile]:
    """The files that a page lists, by name; none for a page that cannot be parsed.

    HTML is parsed by Poetry's own class, because the addresses that Poetry requests come from it.
    """
    try:
        if is_in_json(response):
            return dict(_files(response.url, response.json()))
        links = HTMLPage(response.url, response.text).links
        return {
            link.filename: ListedFile(link.url_without_fragment, link.hashes, link.has_metadata)
            for link in links
        }
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def _files(base: str, page: Mapping[str, Any]) -> Iterator[tuple[str, ListedFile]]:
    for file in page["files"]:
        metadata = file.get("core-metadata") or file.get("dist-info-metadata")
        yield (
            file["filename"],
            ListedFile(
                urljoin(base, file["url"]).partition("#")[0],
                file.get("hashes") or {},
                bool(metadata),
                file.get("size") or 0,
            ),
        )
