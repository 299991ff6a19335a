"""The index pages of packages, from the first mirror that has a correct one."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from packaging.utils import NormalizedName, canonicalize_name

from poetry_tf.http.failures import Failure
from poetry_tf.http.pages import (
    JSON_TYPE,
    IndexFile,
    MalformedPage,
    filename_of,
    package_of,
    parse_html,
    parse_json,
)
from poetry_tf.index.answers import NO_PAGE, ExpectedFiles, failure_of_page, form_of
from poetry_tf.index.failover import (
    NO_METADATA,
    Failover,
    IndexRequest,
    IndexRoot,
    NotDownloadedError,
)
from poetry_tf.index.pages import is_in_json, read_page
from poetry_tf.index.saved_folder import is_saved_page
from poetry_tf.index.transport import Transport

if TYPE_CHECKING:
    from poetry.core.constraints.version import Version
    from poetry.repositories.link_sources.base import LinkSource

PREFER_JSON = {"Accept": f"{JSON_TYPE}, */*;q=0.1"}
UNCACHED = {"Cache-Control": "no-cache"}


class MirrorPages:
    """The pages of this run, each requested once of an index, and the files that they list."""

    def __init__(self, failover: Failover, transport: Transport, expected: ExpectedFiles) -> None:
        self._failover, self._transport, self._expected = failover, transport, expected
        self._answers: dict[
            tuple[IndexRoot, str], tuple[requests.Response | None, Failure | None]
        ] = {}
        self._chosen: dict[str, tuple[IndexRoot | None, requests.Response | None]] = {}
        self._files: dict[tuple[IndexRoot, str], Mapping[str, IndexFile]] = {}
        self._read: dict[requests.Response, LinkSource] = {}
        self._choosing: dict[str, threading.Lock] = defaultdict(threading.Lock)

    # -- pages ------------------------------------------------------------------------------

    def get(self, name: str, headers: Mapping[str, str]) -> requests.Response | None:
        """The page of a package; None where no index has one. Raises `NotDownloadedError`."""
        root, response = self._choose(name, headers)
        witness = self._expected.witness
        if witness is not None and not self._expected.has_hashes_of(name):
            with suppress(NotDownloadedError):
                self._choose(witness, headers)
            if root is not None and self._failover.is_faulty(root):
                self._chosen.pop(name, None)
                root, response = self._choose(name, headers)
        return response

    def _choose(
        self, name: str, headers: Mapping[str, str]
    ) -> tuple[IndexRoot | None, requests.Response | None]:
        with self._choosing[name]:
            if name not in self._chosen:
                self._chosen[name] = self._find(name, headers)
            return self._chosen[name]

    def links(self, response: requests.Response) -> LinkSource:
        """The files of a page as Poetry reads it, with the hashes as PyPI writes them."""
        if response not in self._read:
            self._read[response] = read_page(response, as_pypi=True)
        return self._read[response]

    def reject(self, name: str) -> None:
        """Makes the next index be asked for a page that can't be read."""
        root, page = self._chosen.pop(name, (None, None))
        if root is not None and page is not None:
            failure = Failure("malformed", name=page.headers["Content-Type"])
            self._answers[root, name] = (None, failure)

    def _find(
        self, name: str, headers: Mapping[str, str]
    ) -> tuple[IndexRoot | None, requests.Response | None]:
        request = _page_request(name)
        while True:
            while (root := self._failover.next_root(request)) is not None:
                self._failover.report_switch(request, root)
                response, failure = self._page_of(root, name, headers, request)
                if failure is None or (root.final and failure.kind == "wrong-hash"):
                    self._failover.settle(request, root, failure)
                    self._failover.report_missing(request.failures, root)
                    return root, response
                self._failover.record(request, root, failure)
                if failure.is_missing and root.final:
                    break
            incomplete = [(root, item) for root, item in request.failures if item.is_missing]
            if incomplete:
                return self._most_complete(name, request, incomplete)
            self._failover.pause(request)

    def _most_complete(
        self, name: str, request: IndexRequest, incomplete: list[tuple[IndexRoot, Failure]]
    ) -> tuple[IndexRoot | None, requests.Response | None]:
        """The most complete page, where every index that answers lacks something."""
        best, failure = min(incomplete, key=lambda pair: pair[1].lacking)
        worse = [pair for pair in incomplete if pair[1].lacking > failure.lacking]
        self._failover.report_missing(worse, best)
        for root, found in request.failures:
            if found.wrong:
                self._failover.report(root, found, f": using {best.name}")
        all_answer = len(incomplete) >= len(self._failover.roots)
        if not all_answer and not any(root.final for root, _ in incomplete):
            # Of a part of PyPI every page lacks something.
            self._failover.report(best, failure, ", and no other mirror answers", once="incomplete")
        return best, self._answers[best, name][0]

    def _page_of(
        self, root: IndexRoot, name: str, headers: Mapping[str, str], request: IndexRequest
    ) -> tuple[requests.Response | None, Failure | None]:
        """The page that one index has, and what is missing; kept if the index has answered."""
        with suppress(KeyError):
            return self._answers[root, name]
        is_last = self._failover.is_last(request, root)
        url = f"{root.url}/{name}/"
        answer = self._transport.fetch("get", url, root, request, is_last=is_last, headers=headers)
        if isinstance(answer, Failure):
            return None, answer
        failure = failure_of_page(
            answer.status_code,
            answer.headers.get("Content-Type", ""),
            answer.content,
            name,
            retry_after=answer.headers.get("Retry-After"),
        )
        if failure is not None and not failure.is_missing:
            return None, failure
        page = answer if failure is None or failure.lacking < NO_PAGE else None
        if page is not None:
            # The server may name one that takes for ever, and a guess takes long.
            page.encoding = "utf-8"
        if page is not None and (form := form_of(page.content)) is not None:
            # Poetry goes by the type alone.
            page.headers["Content-Type"] = {"json": JSON_TYPE, "html": "text/html"}[form]
        if failure is None:
            failure = self._failure_of_files(name, answer)
        is_wrong = failure is not None and failure.kind == "wrong-hash"
        was_cached = getattr(answer, "from_cache", False) and "Cache-Control" not in headers
        if is_wrong and was_cached:
            return self._page_of(root, name, {**headers, **UNCACHED}, request)
        self._answers[root, name] = (page if root.final or not is_wrong else None, failure)
        return self._answers[root, name]

    def _failure_of_files(self, name: str, page: requests.Response) -> Failure | None:
        """What a page lacks, or lists differently from what is known."""
        failure = None
        if self._expected.has_hashes_of(name):
            with suppress(ValueError, LookupError, TypeError, AttributeError):
                # A page that Poetry cannot read is reported by Poetry itself.
                links = self.links(page)
                failure = self._expected.failure_of_hashes(canonicalize_name(name), links)
        if failure is not None and failure.kind == "wrong-hash":
            return failure
        failure = self._expected.failure_of_list(name, page.content) or failure
        if failure is None and is_saved_page(page.content):
            failure = Failure("missing", name=f"files of {name}", lacking=1)
        return failure

    def wrong_files(self, name: str, record: Mapping[str, Any]) -> NotDownloadedError | None:
        """The error if Poetry's record of a release has another hash than is known of a file.

        Poetry computes those that the page of a mirror does not list.
        """
        root, _ = self._chosen.get(name, (None, None))
        if root is None or root.final:
            return None
        listed = [
            (file["file"], dict([file["hash"].split(":", 1)])) for file in record.get("files", ())
        ]
        if not (wrong := self._expected.wrong_hashes(name, listed)):
            return None
        failure = Failure("wrong-hash", wrong=wrong)
        return NotDownloadedError(f"{name} {record['version']}", [(root, failure)])

    def unlisted_files(self, name: NormalizedName, version: Version) -> list[tuple[str, str]]:
        """The locked files of a release, with their hashes, that the page of a mirror lacks.

        It is used only where no other mirror answers, and says nothing about what PyPI has: such a
        file stays in the lock. PyPI's own page counts as it is.
        """
        root, page = self._chosen.get(name, (None, None))
        if root is None or root.final:
            return []
        files = self._expected.locked.get(name, {}).items()
        of_release = [(file, one.hash) for file, one in files if one.version == version.text]
        links = (
            self.links(page).links_for_version(name, version)
            if of_release and page is not None
            else ()
        )
        listed = {link.filename for link in links}
        return [(file, digest) for file, digest in of_release if file not in listed]

    def is_incomplete(self, name: str) -> bool:
        """Whether the page of a mirror lacks something, or is missing, and PyPI did not answer."""
        return self.incomplete_root(name) is not None

    def incomplete_root(self, name: str) -> IndexRoot | None:
        """The mirror whose page is incomplete."""
        root, _ = self._chosen.get(name, (None, None))
        if root is None or root.final:
            return None
        _, failure = self._answers.get((root, name), (None, None))
        asked = any((item, name) in self._answers for item in self._failover.roots if item.final)
        return root if failure is not None and failure.is_missing and not asked else None

    def saved_root(self, name: str) -> IndexRoot | None:
        """The mirror that is a saved folder, if its page is used as PyPI did not answer."""
        root = self.incomplete_root(name)
        page = None if root is None else self._answers[root, name][0]
        return root if page is not None and is_saved_page(page.content) else None

    # -- the files that pages list -----------------------------------------------------------

    def files(self, name: str) -> Mapping[str, IndexFile]:
        """The files that the page of a package lists, by name, after `get`."""
        origin, _ = self._chosen.get(name, (None, None))
        return self._files_of(origin, name) if origin is not None else {}

    def file_at(self, url: str) -> IndexFile | None:
        """The file at an address, as the page lists it that the address came from."""
        filename = filename_of(url)
        return self.files(package_of(filename)).get(filename)

    def locations(self, url: str, request: IndexRequest) -> Iterator[tuple[IndexRoot, str]]:
        """The addresses of a file, one index after another: the same name and the same hash."""
        origin, _ = self._chosen.get(package_of(filename_of(url)), (None, None))
        if origin is None:
            yield IndexRoot(urlsplit(url).hostname or "the server", url), url
            return
        while (root := self._failover.next_root(request, first=origin)) is not None:
            address: str | Failure = url
            if root != origin:
                address = self._address_on(root, url, "metadata" in request.scopes)
            if isinstance(address, Failure):
                request.failures.append((root, address))
                continue
            self._failover.report_switch(request, root)
            yield root, address

    def _address_on(self, root: IndexRoot, url: str, only_metadata: bool) -> str | Failure:
        """The address of the same file, or of its metadata, on another index."""
        if only_metadata and root.final:
            return NO_METADATA  # reading the wheels of the mirror that lists it is faster
        filename = filename_of(url)
        file = self._file_on(root, package_of(filename), filename)
        if isinstance(file, Failure):
            return file
        # To look for it the page it came from is parsed whole, which may list thousands of files.
        expected = self.file_at(url)
        if expected is not None and not expected.is_same_as(file):
            return Failure("different", name=filename)
        if only_metadata:
            return f"{file.url}.metadata" if file.has_metadata else NO_METADATA
        return file.url

    def _file_on(self, root: IndexRoot, name: str, filename: str) -> IndexFile | Failure:
        """The file as another index lists it, or why it doesn't or can't be asked."""
        if (root, name) not in self._answers:
            if (known := self._failover.failure_of(root, ("pages",))) is not None:
                return known
            request = _page_request(name)
            _, failure = self._page_of(root, name, PREFER_JSON, request)
            if failure is not None and not failure.is_missing:
                self._failover.record(request, root, failure)
                return failure
        return self._files_of(root, name).get(filename) or Failure("missing", name=filename)

    def _files_of(self, root: IndexRoot, name: str) -> Mapping[str, IndexFile]:
        if (root, name) not in self._files:
            page, _ = self._answers.get((root, name), (None, None))
            self._files[root, name] = {} if page is None else _parsed(page)
        return self._files[root, name]


def _parsed(page: requests.Response) -> dict[str, IndexFile]:
    """The files of a page by name; none where it is malformed: Poetry's own class reports that."""
    try:
        files = (
            parse_json(page.content, page.url)
            if is_in_json(page)
            else parse_html(page.text, page.url)
        )
    except MalformedPage:
        return {}
    return {file.filename: file for file in files}


def _page_request(name: str) -> IndexRequest:
    return IndexRequest(f"the index page of {name}", ("pages",))
