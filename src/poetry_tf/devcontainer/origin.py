"""Where the running poetry-tf was installed from, and what installs the same one in a container.

By PEP 610: an installer records in `direct_url.json` what did not come from an index. The name
alone is written into a container only once the project is on PyPI, which the packaged data says:
until then anybody may take that name, wherever the one here is from.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from packaging.version import Version

from poetry_tf.files.values import as_table, as_text
from poetry_tf.releases.images import load_images

NAME = "poetry-tf"
_HOST = re.compile(r"[A-Za-z0-9.-]+(?::\d+)?")
_THIS_MACHINE = re.compile(r"(?:localhost|127\.[\d.]+|0\.0\.0\.0)(?::\d+)?", re.IGNORECASE)
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NOT_PYPI = "the index that it was installed from here, and is not on PyPI"
_FOLDER = re.compile(r"[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*/?")


@dataclass(frozen=True)
class Origin:
    """Where a poetry-tf was installed from."""

    version: Version
    source: Literal["index", "git", "archive", "local"] = "index"
    """`local` is what a container can't install from: a path, ssh, an archive without hash, an
    index while the project is not on PyPI."""
    url: str = ""
    """With the commit (Git) or the hash (archive); of `local` only to show. Without credentials."""

    @property
    def requirement(self) -> str | None:
        """The requirement with which pip and pipx install the same one; None if there is none."""
        if self.source == "local":
            return None
        return f"{NAME}@{self.url}" if self.url else f"{NAME}=={self.version}"


@functools.cache
def running_origin() -> Origin:
    """The origin of the poetry-tf that runs."""
    distribution = metadata.distribution(NAME)
    return read_origin(
        Version(distribution.version),
        distribution.read_text("direct_url.json"),
        on_pypi=load_images().poetry_tf_on_pypi,
    )


def read_origin(version: Version, direct_url: str | None, *, on_pypi: bool) -> Origin:
    """The origin in a `direct_url.json`; None means that there is no such file."""
    if direct_url is None:
        return Origin(version) if on_pypi else Origin(version, "local", _NOT_PYPI)
    try:
        table = as_table(json.loads(direct_url))
    except (ValueError, RecursionError):
        table = {}
    url = as_text(table.get("url"))
    public, shown = _public(url), _without_credentials(url)
    if public is not None and (git := _git(public, table)) is not None:
        return Origin(version, "git", git)
    if public is not None and (archive := _archive(public, table)) is not None:
        return Origin(version, "archive", archive)
    return Origin(version, "local", shown)


def _git(url: str, table: Mapping[str, Any]) -> str | None:
    info = as_table(table.get("vcs_info"))
    commit, folder = str(info.get("commit_id")), table.get("subdirectory")
    if info.get("vcs") != "git" or not _COMMIT.fullmatch(commit):
        return None
    if folder is None:
        return f"git+{url}@{commit}"
    if not isinstance(folder, str) or not _FOLDER.fullmatch(folder):
        return None
    return f"git+{url}@{commit}#subdirectory={folder}"


def _archive(url: str, table: Mapping[str, Any]) -> str | None:
    info = as_table(table.get("archive_info"))
    sha256 = as_table(info.get("hashes")).get("sha256")
    if sha256 is None:  # the older key
        sha256 = str(info.get("hash")).removeprefix("sha256=")
    if "subdirectory" in table or not _SHA256.fullmatch(str(sha256)):
        return None
    return f"{url}#sha256={sha256}"


def _public(url: str) -> str | None:
    """The https address without credentials; None if access needs any.

    So do ssh, and a query, which may hold a token.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    host = parts.netloc.rpartition("@")[2]
    if parts.scheme != "https" or parts.query or "@" in parts.path or not parts.path.strip("/"):
        return None
    if not _HOST.fullmatch(host) or _THIS_MACHINE.fullmatch(host):
        return None
    return f"https://{host}{quote(parts.path, safe='/%')}"


def _without_credentials(url: str) -> str:
    """An address to show, which is written into no file."""
    if url.startswith("file:"):
        return url
    scheme, mark, _ = url.partition("://")
    rest = re.split(r"[?#]", url, maxsplit=1)[0].removeprefix(f"{scheme}{mark}")
    return f"{scheme if mark else ''}{mark}{rest.rpartition('@')[2]}"
