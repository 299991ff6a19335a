"""Index pages in JSON for the Poetrys that read them in HTML alone, which are those before 2.3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from poetry.repositories.legacy_repository import LegacyRepository
from poetry.repositories.link_sources.html import HTMLPage

if TYPE_CHECKING:
    import requests

# Poetry asks this of an answer, in a method that it got together with the reading of JSON.
POETRY_READS_JSON = hasattr(LegacyRepository, "_is_json_response")


def read_page(response: requests.Response) -> HTMLPage:
    """The page of a package, in whichever form it came."""
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip()
    in_json = kind.startswith("application/") and kind.endswith("+json")
    return HTMLPage(response.url, as_html(response.json()) if in_json else response.text)


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
