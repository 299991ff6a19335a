"""An index that is asked for no more than a solve needs, and as early as it can be told.

What is handed on is what Poetry's `LegacyRepository` would hand on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packaging.utils import NormalizedName
from poetry.inspection.info import PackageInfo
from poetry.repositories.exceptions import PackageNotFoundError
from poetry.repositories.legacy_repository import LegacyRepository

from poetry_tf.index import known_metadata, pages, prefetch, wheels
from poetry_tf.index.json_pages import POETRY_READS_JSON

if TYPE_CHECKING:
    from poetry.core.constraints.version import Version
    from poetry.core.packages.utils.link import Link
    from poetry.repositories.link_sources.base import LinkSource


class PrefetchingRepository(LegacyRepository):
    """A simple index, read with few requests.

    Every page is asked for by `_get_response`, every file by the session.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.ahead = prefetch.Prefetcher(self)
        self._without_tails: set[str] = set()
        """Hosts that don't give the end of a file."""

    def page_ahead(self, name: NormalizedName) -> LinkSource:
        return self.get_page(name)

    def record_ahead(self, name: NormalizedName, version: Version) -> dict[str, Any]:
        """A record out of the cache, or a new one, which gets into the cache when it is used."""
        if not self._disable_cache:
            cached = self._release_cache.get(f"{name}:{version}")
            if cached is not None:
                return cached
        return self._get_release_info(name, version)

    def _get_page(self, name: NormalizedName) -> LinkSource:
        return self.ahead.take(("page", name), lambda: self._read_page(name))

    def _get_release_info(self, name: NormalizedName, version: Version) -> dict[str, Any]:
        def make() -> dict[str, Any]:
            return super(PrefetchingRepository, self)._get_release_info(name, version)

        # Poetry takes apart the record that it is given.
        return {**self.ahead.take(("record", name, version), make)}

    def _read_page(self, name: NormalizedName) -> LinkSource:
        # Older Poetrys take every page for HTML, and one in JSON for a page without files.
        wish = {"headers": self._get_prefer_json_header()} if POETRY_READS_JSON else {}
        if not (response := self._get_response(f"/{name}/", **wish)):
            raise PackageNotFoundError(f"Package [{name}] not found.")
        return pages.read_page(response)

    def _get_info_from_metadata(self, link: Link) -> PackageInfo | None:
        """Poetry asks for this first of the file that it has chosen to speak for a release."""
        return known_metadata.info(link.hashes) or super()._get_info_from_metadata(link)

    def _get_info_from_wheel(self, link: Link) -> PackageInfo:
        if (info := known_metadata.info(link.hashes)) is not None:
            return info
        host = link.netloc
        if (
            self._lazy_wheel
            and self._supports_range_requests.get(host, True)
            and host not in self._without_tails
        ):
            metadata = wheels.metadata_of(link.url, self.session)
            if metadata is not None:
                self._supports_range_requests[host] = True
                return PackageInfo.from_metadata(metadata)
            self._without_tails.add(host)
        return super()._get_info_from_wheel(link)
