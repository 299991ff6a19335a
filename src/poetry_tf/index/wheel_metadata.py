"""The metadata of wheels without a whole download: packaged with poetry-tf, or read from the end.

`data/closure.json`, which ``.ci/closure.py`` makes, has the metadata of wheels that solves of
TensorFlow need, by the hash of the wheel: a wheel never changes, so it is the same from any index.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile, ZipInfo

from packaging.metadata import parse_email
from packaging.utils import canonicalize_name
from packaging.version import Version
from poetry.console.exceptions import PoetryRuntimeError
from poetry.core.packages.dependency import Dependency
from poetry.inspection.info import PackageInfo
from poetry.inspection.lazy_wheel import LazyWheelOverHTTP, UnsupportedWheelError

from poetry_tf.files.bounds import MAX_CALLS, MAX_LENGTH, check_text, counted, cut, is_simple
from poetry_tf.http.pages import package_of
from poetry_tf.index.transport import METADATA
from poetry_tf.poetry_internals.overrides import override
from poetry_tf.releases.resources import read_json
from poetry_tf.text import escape_markup

if TYPE_CHECKING:
    from poetry.utils.authenticator import Authenticator

DATA = "closure.json"
PREFIX = 24
"""Digits of a hash that are kept, which is enough to be unique."""
TAIL = 32 * 1024
"""Bytes of a wheel that are requested first: enough for three of four on PyPI."""

LENGTH, CALLS = 10 * MAX_LENGTH, 10 * MAX_CALLS
"""The bounds of one requirement, and of all of a release: there are some with 100 extras."""


def known_metadata(hashes: Mapping[str, str]) -> PackageInfo | None:
    """The metadata of the wheel with these hashes; None if it is not packaged."""
    data = _packaged()
    record = data["files"].get(hashes.get("sha256", "")[:PREFIX])
    if record is None:
        return None
    requires = data["requires"][record["requires"]]
    return PackageInfo(
        name=record["name"],
        version=record["version"],
        summary=record["summary"],
        requires_dist=None if requires is None else list(requires),
        requires_python=record["python"],
    )


@functools.cache
def _packaged() -> Mapping[str, Any]:
    data: Mapping[str, Any] = read_json(DATA)
    return data


_MEMBER = re.compile(r"[^/]*\.dist-info/METADATA")
_END = re.compile(rb"\r?\n\r?\n")


class _Wheel(LazyWheelOverHTTP):
    """Poetry's own requests so few bytes that every second wheel takes two or three requests."""

    @classmethod
    @override
    def _initial_chunk_length(cls) -> int:
        return TAIL

    @override
    def read_metadata(self, name: str) -> bytes:
        with ZipFile(self) as archive:  # Poetry's own opens it twice: there may be 10,000 members
            found = (one for one in archive.infolist() if _MEMBER.fullmatch(one.filename))
            if (member := next(found, None)) is None:
                raise UnsupportedWheelError(name)
            _check_size(member, name)
            start, starts = member.header_offset, (one.header_offset for one in archive.infolist())
            end = min((one for one in starts if one > start), default=archive.start_dir)
            self._ensure_downloaded(start, end)
            return archive.read(member)


class OversizedMetadataError(PoetryRuntimeError):
    """A wheel whose metadata is larger than any metadata is."""

    def __init__(self, filename: str) -> None:
        most = f"{METADATA // 1_000_000} MB"
        super().__init__(f"<error>The metadata in {filename} is larger than {most}.</error>")


class SlowRequirementError(PoetryRuntimeError):
    """A release with a requirement that would take hours to read."""

    def __init__(self, filename: str, written: str, reason: object) -> None:
        what = escape_markup(f"{filename} has a requirement that can't be read: {reason}")
        super().__init__(f"<error>{what}</error>\n  {escape_markup(cut(written))}")


def check_metadata(path: Path) -> None:
    """Raises `OversizedMetadataError` for a wheel; one that can't be read is left to Poetry."""
    with suppress(BadZipFile, ValueError, OSError, NotImplementedError), ZipFile(path) as archive:
        for name in archive.namelist():
            if _MEMBER.fullmatch(name):
                _check_size(archive.getinfo(name), path.name)


def _check_size(member: ZipInfo, filename: str) -> None:
    # zipfile unpacks no more than is claimed here.
    if member.file_size > METADATA:
        raise OversizedMetadataError(filename)


def metadata_of(filename: str, url: str, session: Authenticator) -> PackageInfo | None:
    """The metadata of the wheel at an address; None where it cannot be read in parts.

    No hash covers a part, so a mirror can send anything: what is too large, or belongs to another
    wheel, is not taken.
    """
    try:
        with _Wheel(url, session) as wheel:
            return own_metadata(filename, wheel.read_metadata(filename))
    except Exception:  # of the network, of the server, of the archive: Poetry reports it better
        return None


def own_metadata(filename: str, content: bytes) -> PackageInfo | None:
    """Metadata that can be read and has the name and the version of the wheel's file name."""
    headers = _END.split(content, maxsplit=1)[0]  # what follows is the description
    info = PackageInfo.from_metadata(parse_email(headers)[0])
    _, version, *_ = *filename.split("-"), ""
    is_own = canonicalize_name(info.name or "") == package_of(filename)
    if is_own and _is_same(info.version or "", version):
        with suppress(SlowRequirementError):
            return check_requirements(filename, info)
    return None


def check_requirements(filename: str, info: PackageInfo) -> PackageInfo:
    """The same metadata. Raises `SlowRequirementError`, before Poetry reads the requirements."""
    written = info.requires_python or ""
    try:
        check_text(written)
        for written in info.requires_dist or ():
            check_text(written, LENGTH)
        slow = [line for line in info.requires_dist or () if not is_simple(line)]
        with counted(CALLS) if slow else nullcontext():  # counting slows down all code
            for written in slow:
                with suppress(ValueError):  # Poetry skips what is no requirement
                    Dependency.create_from_pep_508(written).to_pep_508()
    except ValueError as error:
        raise SlowRequirementError(filename, written, error) from None
    return info


def _is_same(version: str, written: str) -> bool:
    """Whether a version is the one that a file name has, where old tools write `_` for `-+!`."""
    with suppress(ValueError):
        return Version(version) == Version(written)
    return re.sub(r"[^\w.]+", "_", version) == written
