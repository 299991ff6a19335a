"""Index pages in JSON for the Poetrys that read them in HTML alone, which are those before 2.3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from poetry.repositories.legacy_repository import LegacyRepository
from poetry.repositories.link_sources.html import HTMLPage

from poetry_tf.index.failover import ListedFile

if TYPE_CHECKING:
    import requests

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
# Poetry asks this of an answer, in a method that it got together with the reading of JSON.
POETRY_READS_JSON = hasattr(LegacyRepository, "_is_json_response")


def is_in_json(response: requests.Response) -> bool:
    """Whether a page came in JSON, by what its server calls it."""
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip()
    return kind.startswith("application/") and kind.endswith("+json")


def files_of(response: requests.Response) -> dict[str, ListedFile]:
    """The files that a page lists, by name; none for a page that can't be read."""
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
    return f"<a {' '.join(_written(attributes))}>{escape(file.get('filename', ''))}</a>"


def _written(attributes: Mapping[str, str]) -> Iterator[str]:
    for name, value in attributes.items():
        yield f'{name}="{escape(value)}"'


def _hash(hashes: object) -> str:
    """One hash as pages in HTML have it; sha256 by preference, which is the one that locks have."""
    if not isinstance(hashes, Mapping) or not hashes:
        return ""
    name = "sha256" if "sha256" in hashes else next(iter(hashes))
    return f"{name}={hashes[name]}"
