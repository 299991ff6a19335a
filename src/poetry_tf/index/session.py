"""Poetry's session for PyPI, which sends every request by the mirrors.

It stands in the place of Poetry's own in the repository for PyPI, so that whatever Poetry requests
there goes by it: pages, metadata, parts of wheels and whole files. What it learns of a mirror
holds for the run: one that is down is not asked for every package again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import requests
from poetry.utils.authenticator import Authenticator, RepositoryCertificateConfig
from poetry.utils.password_manager import HTTPAuthCredential
from requests.utils import get_netrc_auth

from poetry_tf.http.client import Login
from poetry_tf.http.failures import Failure, Stopped
from poetry_tf.http.pages import filename_of
from poetry_tf.index import transport
from poetry_tf.index.answers import ExpectedFiles, failure_of_file, failure_of_status
from poetry_tf.index.credentials import PYPI, Grant, Logins, grant_for, mirror_certificates
from poetry_tf.index.download import LARGE, Downloader, is_one_of
from poetry_tf.index.failover import Failover, IndexRequest, MirrorRoute
from poetry_tf.index.mirror_pages import MirrorPages
from poetry_tf.index.transport import SingleAttemptSession, Transport, WholeAnswers
from poetry_tf.index.wheel_metadata import own_metadata
from poetry_tf.poetry_internals.overrides import override, require_attributes

if TYPE_CHECKING:
    from pathlib import Path

    from poetry.core.packages.utils.link import Link
    from poetry.inspection.info import PackageInfo


class MirrorSession(Authenticator):
    """Poetry's session over several mirrors: `pages`, `downloads`, and the requests of Poetry."""

    def __init__(self, report: Callable[[str], None], config: Any, **settings: Any) -> None:
        super().__init__(config, **settings)
        require_attributes(self, "_cache_control", "_config", "_pool_size", "_user_agent")
        self.report = report
        self._reported: set[str] = set()
        self._grants: tuple[Grant, ...] = ()
        self._mirror_login_of = Logins(())
        self._certificates: dict[Grant, RepositoryCertificateConfig] = {}

    def use(self, route: MirrorRoute, grants: Sequence[Grant], expected: ExpectedFiles) -> None:
        """Sets the mirrors, and what may be sent to each, before the first request."""
        self._failover = Failover(route, self.report)
        self._transport = Transport(self._request_once, self._failover)
        self.pages = MirrorPages(self._failover, self._transport, expected)
        self.downloads = Downloader(self._failover, self._transport, self.pages)
        given = {grant.url: grant for grant in grants}
        self._grants = tuple(
            # What Poetry itself sends to PyPI.
            Grant(root.url, is_pypi=True) if root.final else given.get(root.url, Grant(root.url))
            for root in route.roots
        )
        self._mirror_login_of = Logins(self._grants)
        pypis = RepositoryCertificateConfig.create(PYPI, self._config)
        self._certificates = {
            grant: pypis if grant.is_pypi else mirror_certificates(grant, pypis)
            for grant in self._grants
        }
        # A project's poetry.toml may give this name to a host of its own.
        for name in [*self.configured_repositories]:
            if name.lower() == PYPI.lower():
                del self.configured_repositories[name]
        for root in route.roots:
            if root.final:
                self.add_repository(PYPI, root.url)

    # -- credentials ------------------------------------------------------------------------

    @override
    def create_session(self) -> requests.Session:
        session = SingleAttemptSession(self._login_of, self.get_certs_for_url)
        session.headers["User-Agent"] = self._user_agent
        if self._cache_control is not None:
            adapter = WholeAnswers(cache=self._cache_control, pool_maxsize=self._pool_size)
            session.mount("http://", adapter)
            session.mount("https://", adapter)
        return session

    @override
    def get_credentials_for_url(self, url: str) -> HTTPAuthCredential:
        login = self._login_of(url)
        return HTTPAuthCredential() if login is None else HTTPAuthCredential(*login)

    def _login_of(self, url: str) -> Login | None:
        grant = grant_for(url, self._grants)
        if grant is None or not grant.is_pypi:
            return self._mirror_login_of(url)
        found = super().get_credentials_for_url(url)
        if found.username is None and found.password is None:
            return get_netrc_auth(url)
        return found.username or "", found.password or ""

    @override
    def get_certs_for_url(self, url: str) -> RepositoryCertificateConfig:
        grant = grant_for(url, self._grants)
        return super().get_certs_for_url(url) if grant is None else self._certificates[grant]

    # -- files ------------------------------------------------------------------------------

    @override
    def request(
        self, method: str, url: str, raise_for_status: bool = True, **settings: Any
    ) -> requests.Response:
        """What Poetry requests of a file: a part of it, or its length.

        Raises:
            NotDownloadedError: no mirror answers.
            Stopped: it is a larger part than anything that is read in parts.
        """
        settings.pop("timeout", None)
        most = _length_of_range((settings.get("headers") or {}).get("Range", ""))
        if most > transport.PAGE:  # by what a wheel's own list of members claims
            raise Stopped(Failure("too-large"))
        filename = filename_of(url)
        request = IndexRequest(filename, ("files",))
        while True:
            for root, address in self.pages.locations(url, request):
                is_last = self._failover.is_last(request, root)
                answer = self._transport.fetch(
                    method, address, root, request, is_last=is_last, most=most, **settings
                )
                if isinstance(answer, Failure):
                    self._failover.record(request, root, answer)
                elif failure := failure_of_file(answer, filename, scope="files"):
                    self._failover.record(request, root, failure)
                else:
                    self._failover.report_missing(request.failures, root)
                    if raise_for_status:
                        answer.raise_for_status()
                    return answer
            self._failover.pause(request)

    def download_for_metadata(
        self, url: str, dest: Path, unless_ranges: type[Exception] | None
    ) -> None:
        """Downloads a whole file, see `Downloader.download`, and reports a large one once."""

        def report(_: int, size: int) -> None:
            if size >= LARGE and url not in self._reported:
                self._reported.add(url)
                self.report(
                    f"downloading {dest.name} ({size // 1_000_000} MB) for its metadata, because "
                    "the index offers neither metadata files nor partial downloads"
                )

        self.downloads.download(url, dest, unless_ranges=unless_ranges, progress=report)

    def metadata(self, link: Link) -> PackageInfo | None:
        """The metadata beside a wheel (PEP 658); None where no mirror has what one lists."""
        found = self._sent_metadata(link)
        return None if found is None else found[0]

    def metadata_text(self, link: Link) -> str | None:
        """The text of `metadata`."""
        found = self._sent_metadata(link)
        return None if found is None else found[1].decode("utf-8", "replace")

    def _sent_metadata(self, link: Link) -> tuple[PackageInfo, bytes] | None:
        url = link.metadata_url
        if not link.has_metadata or url is None:
            return None
        request = IndexRequest(f"the metadata of {link.filename}", ("metadata",))
        for root, address in self.pages.locations(url, request):
            answer = self._transport.fetch(
                "get", address, root, request, is_last=False, most=transport.METADATA
            )
            found = answer if isinstance(answer, Failure) else _metadata_in(answer, link)
            if not isinstance(found, Failure):
                self._failover.report_missing(request.failures, root)
                return found
            self._failover.record(request, root, found)
        if request.unreported is not None:
            self._failover.report(*request.unreported, ": reading the wheels instead")
        return None

    def _request_once(self, method: str, url: str, **settings: Any) -> requests.Response:
        return super().request(method, url, raise_for_status=False, **settings)


def _length_of_range(header: str) -> int:
    """The bytes that a header Range requests; without one, those of the largest page."""
    found = re.fullmatch(r"bytes=(\d*)-(\d+)", header)
    if found is None:
        return transport.PAGE
    return int(found[2]) - int(found[1]) + 1 if found[1] else int(found[2])


def _metadata_in(response: requests.Response, link: Link) -> tuple[PackageInfo, bytes] | Failure:
    failure = failure_of_status(response.status_code, "")
    if failure is not None:
        return Failure("metadata-missing") if failure.is_missing else failure
    if not is_one_of(response.content, link.metadata_hashes or {}):
        return Failure("metadata-corrupt")
    if response.status_code != requests.codes.ok:
        return Failure("metadata-not-sent")
    # The mirror lists this hash itself.
    info = own_metadata(link.filename, response.content)
    return (info, response.content) if info is not None else Failure("metadata-corrupt")
