"""Checks the answers of an index: status, format, and the files that it must list."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from poetry.core.constraints.version import Version

from poetry_tf.http.failures import Failure, WrongHash
from poetry_tf.http.pages import is_too_long
from poetry_tf.index.pages import SortedPage

if TYPE_CHECKING:
    import requests
    from packaging.utils import NormalizedName
    from poetry.repositories.link_sources.base import LinkSource

# The size of what is missing: more than a page that exists can lack.
NO_PAGE, NO_FILES = 1_000_000, 999_999

# The server is not able or willing to serve anything. Other statuses (400, 405, 416, 501) are about
# the request, which may have asked for parts of a file in a form that the server does not know.
_REFUSALS = frozenset({401, 403, 407, 408, 418, 429, 500, 502, 503, 504})
_GONE = frozenset({404, 410})


def failure_of_status(status: int, name: str, *, retry_after: str | None = None) -> Failure | None:
    """The failure that a status means, if any. `retry_after` is the header Retry-After."""
    if status in _GONE:
        return Failure("missing", name=name, lacking=NO_PAGE)
    if status in _REFUSALS:
        return Failure("status", status, retry_after=_seconds(retry_after))
    return None


def failure_of_file(response: requests.Response, filename: str, scope: str) -> Failure | None:
    """The failure that the answer to a request for a file means; `scope`: what is not served."""
    retry_after = response.headers.get("Retry-After")
    failure = failure_of_status(response.status_code, filename, retry_after=retry_after)
    return failure if failure is None or failure.is_missing else replace(failure, name=scope)


def _seconds(header: str | None) -> float:
    try:
        return max(0.0, float(header or 0))
    except ValueError:
        return 0.0  # a date is allowed, but rare


_HREF = re.compile(rb"""href\s*=\s*["']?([^"'>]*)""", re.IGNORECASE)
_FILE = re.compile(rb"\.(?:whl|tar\.(?:gz|bz2|xz|Z)|tgz|tar|zip|egg|exe|msi|rpm)\b", re.IGNORECASE)


def form_of(body: bytes) -> Literal["json", "html"] | None:
    """The form of a page, by its content: some mirrors send JSON as text/html."""
    start = body[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"{"):
        is_page = b'"files"' in body and body.rstrip().endswith(b"}")
        return "json" if is_page else None
    return "html" if start.startswith(b"<") else None


def failure_of_page(
    status: int, kind: str, body: bytes, name: str, *, retry_after: str | None = None
) -> Failure | None:
    """What is wrong with an index page itself, not with the files that it lists."""
    if status != 200:
        return failure_of_status(status, name, retry_after=retry_after) or Failure("status", status)
    form = form_of(body)
    if (form is None and body.strip()) or is_too_long(body):
        kind = kind.partition(";")[0].strip() or "something"
        return Failure("malformed", name=kind)
    if (b'"filename"' in body) if form == "json" else _has_link(body):
        return None
    return Failure("empty", name=name, lacking=NO_FILES)


def _has_link(body: bytes) -> bool:
    return any(_FILE.search(address[1]) for address in _HREF.finditer(body))


@dataclass(frozen=True)
class LockedFile:
    """A file in the lock: the version that it belongs to, and its hash ("sha256:…")."""

    version: str
    hash: str


@dataclass(frozen=True)
class ExpectedFiles:
    """What pages must list: files, and their hashes.

    A page without a file is older than what is known of PyPI already. A file on PyPI never changes:
    a page that lists another hash is wrong.
    """

    locked: Mapping[str, Mapping[str, LockedFile]] = field(default_factory=dict)
    """The files in the lock, by distribution."""
    releases: Callable[[str], Sequence[str]] = lambda _: ()
    """The versions that a distribution is known to have, ascending."""
    packaged: Callable[[str], Mapping[str, str]] = lambda _: {}
    """The SHA-256 of a distribution's files, as packaged with poetry-tf."""
    witness: NormalizedName | None = None
    """A distribution of the project with known hashes. Its page tells whether an index can be
    believed about one of which nothing is known."""

    def has_hashes_of(self, name: str) -> bool:
        """Whether the page of a distribution can be compared with something."""
        return bool(self.locked.get(name) or self.packaged(name))

    def failure_of_hashes(self, name: NormalizedName, page: LinkSource) -> Failure | None:
        """The failure of a page with another hash of a file, or none that can be compared."""
        listed: list[tuple[str, Mapping[str, str]]] = []
        for version in self._versions(name, page):
            with suppress(Exception):  # what Poetry cannot read either, and reports itself
                for file, hashes in _hashes_in(page, name, version):
                    listed.append((file, hashes if isinstance(hashes, Mapping) else {}))
        if wrong := self.wrong_hashes(name, listed):
            return Failure("wrong-hash", name=wrong[0].file, wrong=wrong)
        unhashed = [
            file
            for file, hashes in listed
            for algorithm, _, _ in self._known(name, file)
            if algorithm not in hashes
        ]
        return Failure("unhashed", name=unhashed[0], lacking=len(unhashed)) if unhashed else None

    def _versions(self, name: NormalizedName, page: LinkSource) -> Iterable[Version]:
        """The versions of which a hash may be known."""
        if self.packaged(name):
            return [*page.versions(name)]
        texts = {file.version for file in self.locked.get(name, {}).values()}
        return [Version.parse(text) for text in texts]

    def wrong_hashes(
        self, name: str, listed: Iterable[tuple[str, Mapping[str, str]]]
    ) -> tuple[WrongHash, ...]:
        """The files of which another hash is known. `listed`: each with its hashes by algorithm."""
        return tuple(
            WrongHash(file, f"{algorithm}:{hashes[algorithm]}", f"{algorithm}:{known}", origin)
            for file, hashes in listed
            for algorithm, known, origin in self._known(name, file)
            if algorithm in hashes
            if hashes[algorithm] != known
        )

    def _known(self, name: str, file: str) -> Iterator[tuple[str, str, str]]:
        """What is known of a file: an algorithm, digits, and their origin."""
        if (locked := self.locked.get(name, {}).get(file)) is not None:
            algorithm, _, digits = locked.hash.partition(":")
            yield algorithm, digits, "poetry.lock"
        if (known := self.packaged(name).get(file)) is not None:
            yield "sha256", known, "the data of this poetry-tf"

    def failure_of_list(self, name: str, body: bytes) -> Failure | None:
        """What a page lacks. The names are searched for in its text, which needs no parsing."""
        text = _Text(body)
        stem = name.replace("-", "_")
        versions = [
            version for version in self.releases(name) if f"{stem}-{version}-".encode() not in text
        ]
        files = [
            (file, locked.version)
            for file, locked in self.locked.get(name, {}).items()
            if file.encode() not in text
        ]
        if not (versions or files):
            return None
        what = f"{name} {versions[-1]}" if versions else _missing_file(name, *files[0], body)
        return Failure("missing", name=what, lacking=len(versions) + len(files))


def _hashes_in(
    page: LinkSource, name: NormalizedName, version: Version
) -> Iterable[tuple[str, Mapping[str, str]]]:
    if isinstance(page, SortedPage):
        return page.hashes(name, version)
    return ((link.filename, link.hashes) for link in page.links_for_version(name, version))


class _Text:
    """A page in which each name is searched for from the place of the one before.

    It lists what belongs together, mostly in the order of what is known, and may have megabytes.
    """

    def __init__(self, body: bytes) -> None:
        self._body, self._place = body, 0

    def __contains__(self, name: bytes) -> bool:
        place = self._body.find(name, self._place)
        if place < 0:
            place = self._body.find(name, 0, self._place + len(name))
        if place >= 0:
            self._place = place
        return place >= 0


def _missing_file(name: str, file: str, version: str, body: bytes) -> str:
    """The version if the page has no file of it, else the one file."""
    stem = f"{file.partition('-')[0]}-{version}".encode()
    return file if stem in body else f"{name} {version}"
