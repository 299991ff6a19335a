"""Index pages in JSON for the Poetrys that read them in HTML alone, which are those before 2.3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from poetry.repositories.legacy_repository import LegacyRepository

if TYPE_CHECKING:
    import requests

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
# Poetry got this method together with its parser of JSON pages.
POETRY_READS_JSON = hasattr(LegacyRepository, "_is_json_response")


def is_in_json(response: requests.Response) -> bool:
    """Whether a page is JSON by its content type."""
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip()
    return kind.startswith("application/") and kind.endswith("+json")


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
