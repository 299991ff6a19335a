"""What an answer of an index is worth: its status, its form, and the files that it must list."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from poetry_tf.http.failures import Failure

if TYPE_CHECKING:
    import requests

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


_LINK = re.compile(
    rb"""href\s*=\s*["']?[^"'>]*\.(?:whl|tar\.(?:gz|bz2|xz|Z)|tgz|tar|zip|egg|exe|msi|rpm)\b""",
    re.IGNORECASE,
)


def form_of(body: bytes) -> Literal["json", "html"] | None:
    """The form of a page, by its content: some mirrors send JSON as text/html."""
    start = body[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"{"):
        return "json" if b'"files"' in body and body.rstrip().endswith(b"}") else None
    return "html" if start.startswith(b"<") else None


def failure_of_page(
    status: int, kind: str, body: bytes, name: str, *, retry_after: str | None = None
) -> Failure | None:
    """What is wrong with an index page as such, whatever it should list."""
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
    """What pages must list. A page without it is older than what is known of PyPI already."""

    locked: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The files in the lock and the version of each, by distribution."""
    releases: Callable[[str], Sequence[str]] = lambda _: ()
    """The versions that a distribution is known to have, ascending."""

    def failure_of_list(self, name: str, body: bytes) -> Failure | None:
        """What a page lacks. The names are searched for in its text, which needs no parsing."""
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
        what = f"{name} {versions[-1]}" if versions else _missing_file(name, *files[0], body)
        return Failure("missing", name=what, lacking=len(versions) + len(files))


def _missing_file(name: str, file: str, version: str, body: bytes) -> str:
    """The version if the page has no file of it, else the one file."""
    stem = f"{file.partition('-')[0]}-{version}".encode()
    return file if stem in body else f"{name} {version}"
