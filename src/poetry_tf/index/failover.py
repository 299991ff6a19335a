"""What an answer of a way to PyPI is worth, and which way is the next. Nothing here asks anything.

A way can be down, which holds for the rest of the run; it can be in order and lack one thing; and
what it sends can be broken. The words for each are made here too, so that a fault is called the
same wherever it shows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote, urlsplit

from packaging.utils import InvalidSdistFilename, NormalizedName, canonicalize_name
from packaging.utils import parse_sdist_filename as parse_sdist

from poetry_tf.http.failures import Failure, format_failure


@dataclass(frozen=True)
class IndexRoot:
    """The root of a simple index, without a slash at its end, and how a user knows it."""

    name: str
    url: str
    fate: str = ""
    """Ways of one fate fail together; empty for one that depends on no other."""
    final: bool = False
    """PyPI itself: what it lacks doesn't exist."""


# What lacks is more than any page that is there can lack.
NO_PAGE, NO_FILES = 1_000_000, 999_999

# A server that answers so is not able or willing to serve anything. Others (400, 405, 416, 501) are
# about the request, which may have asked for parts of a file in a form that it doesn't know.
_REFUSALS = frozenset({401, 403, 407, 408, 418, 429, 500, 502, 503, 504})
_GONE = frozenset({404, 410})


def remaining_mirrors(ways: Sequence[IndexRoot], faulty: Collection[IndexRoot]) -> list[IndexRoot]:
    """The ways that are left, in the order in which they should be tried.

    As they are listed, but those that share the fate of a faulty one after those that don't. PyPI,
    where it is listed last, stays there: it is the farthest from where mirrors are needed.
    """
    fates = {way.fate for way in faulty if way.fate}
    last = ways[-1]

    def rank(way: IndexRoot) -> int:
        return 2 if way is last and way.final else int(way.fate in fates)

    return sorted((way for way in ways if way not in faulty), key=rank)


# -- answers --------------------------------------------------------------------------------


def failure_of_status(status: int, name: str, *, retry_after: str | None = None) -> Failure | None:
    """What a status says, if it is no answer to work with. `retry_after` is the header."""
    if status in _GONE:
        return Failure("missing", name=name, lacking=NO_PAGE)
    if status in _REFUSALS:
        return Failure("status", status, retry_after=_seconds(retry_after))
    return None


def _seconds(header: str | None) -> float:
    try:
        return max(0.0, float(header or 0))
    except ValueError:
        return 0.0  # a date is allowed, and seldom sent


_LINK = re.compile(
    rb"""href\s*=\s*["']?[^"'>]*\.(?:whl|tar\.(?:gz|bz2|xz|Z)|tgz|tar|zip|egg|exe|msi|rpm)\b""",
    re.IGNORECASE,
)


def form_of(body: bytes) -> Literal["json", "html"] | None:
    """What a page is, by what stands in it: mirrors have been seen to send JSON as text/html."""
    start = body[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"{"):
        return "json" if b'"files"' in body and body.rstrip().endswith(b"}") else None
    return "html" if start.startswith(b"<") else None


def failure_of_page(
    status: int, kind: str, body: bytes, name: str, *, retry_after: str | None = None
) -> Failure | None:
    """What is wrong with an index page as such; what it should list is not looked at."""
    if status != 200:
        return failure_of_status(status, name, retry_after=retry_after) or Failure("status", status)
    form = form_of(body)
    if form is None and body.strip():
        kind = kind.partition(";")[0].strip() or "something"
        return Failure("malformed", name=kind)
    if (b'"filename"' in body) if form == "json" else _LINK.search(body):
        return None
    return Failure("empty", name=name, lacking=NO_FILES)


@dataclass(frozen=True)
class ExpectedFiles:
    """What pages must list: else they are older than what is known of PyPI already."""

    locked: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The files that the lock holds, and the version that each is of, by distribution."""
    releases: Callable[[str], Sequence[str]] = lambda _: ()
    """The versions that a distribution is known to have, ascending."""

    def failure_of_list(self, name: str, body: bytes) -> Failure | None:
        """What a page lacks. A search for the names is all that is needed, and costs no parsing."""
        versions = [
            version
            for version in self.releases(name)
            if f"{name.replace('-', '_')}-{version}-".encode() not in body
        ]
        files = [
            (file, version)
            for file, version in self.locked.get(name, {}).items()
            if file.encode() not in body
        ]
        if not (versions or files):
            return None
        what = f"{name} {versions[-1]}" if versions else _files(name, *files[0], body)
        return Failure("missing", name=what, lacking=len(versions) + len(files))


def _files(name: str, file: str, version: str, body: bytes) -> str:
    """A version where nothing is there of it, else the one file."""
    stem = f"{file.partition('-')[0]}-{version}".encode()
    return file if stem in body else f"{name} {version}"


# -- files ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class ListedFile:
    """A file as a page lists it."""

    url: str
    hashes: Mapping[str, str]
    metadata: bool = False
    size: int = 0

    def is_same_as(self, other: ListedFile) -> bool:
        """Whether the hashes that both have are equal; a page without any is believed."""
        shared = self.hashes.keys() & other.hashes.keys()
        return all(self.hashes[name] == other.hashes[name] for name in shared)


def filename_of(url: str) -> str:
    """The name of the file that an address leads to, also where it is asked for its metadata."""
    name = unquote(urlsplit(url).path.rpartition("/")[2])
    return name.removesuffix(".metadata")


def package_of(filename: str) -> NormalizedName:
    """The distribution that a file belongs to, by its name."""
    if filename.endswith(".whl"):
        return canonicalize_name(filename.partition("-")[0])
    try:
        return parse_sdist(filename)[0]
    except (InvalidSdistFilename, ValueError):
        return canonicalize_name(filename.rpartition("-")[0] or filename)


def format_failures(tried: Iterable[tuple[IndexRoot, Failure]]) -> list[str]:
    """What was tried and why it failed, a line each."""
    return list(dict.fromkeys(f"{way.name} {format_failure(failure)}" for way, failure in tried))
