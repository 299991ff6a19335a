"""The metadata of wheels without a whole download: packaged with poetry-tf, or read from the end.

`data/closure.json`, which ``.ci/closure.py`` makes, has the metadata of wheels that solves of
TensorFlow need, by the hash of the wheel: a wheel never changes, so it is the same from any index.
"""

from __future__ import annotations

import functools
import os
import re
import struct
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
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
_METADATA = re.compile(rb"\.dist-info/METADATA")
_END = re.compile(rb"\r?\n\r?\n")


class _Wheel(LazyWheelOverHTTP):
    """Poetry's own requests so few bytes that every second wheel takes two or three requests."""

    @classmethod
    @override
    def _initial_chunk_length(cls) -> int:
        return TAIL

    @override
    def read_metadata(self, name: str) -> bytes:
        # Poetry's own opens the archive twice, each time with an object for every member, of which
        # some wheels have 10,000.
        with ZipFile(BytesIO(archive_of_metadata(self, name))) as archive:
            (member,) = archive.infolist()
            _check_size(member, name)
            return archive.read(member)


_ENTRY = struct.Struct("<20xL4xH12xL")
"""An entry of the directory: the packed size of a member, the length of its name, its offset."""
_LOCAL = struct.Struct("<26xHH")
"""What precedes a member: the lengths of its name and of its extra field."""
_END_OF_DIRECTORY = struct.Struct("<4s4xHHLLH")
_EXTRA = 64  # bytes of an extra field that are read along with a member


def archive_of_metadata(wheel: IO[bytes], name: str) -> bytes:
    """An archive of a wheel's METADATA alone.

    The format is in https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT (4.3).

    Raises:
        UnsupportedWheelError: it has none, or its directory is not where its end says.
        OversizedMetadataError: it is larger than any metadata is.
    """
    wheel.seek(max(wheel.seek(0, os.SEEK_END) - TAIL, 0))
    tail = wheel.read()
    if (last := tail.rfind(b"PK\5\6")) < 0:
        raise UnsupportedWheelError(name)
    *_, length, begin, _ = _END_OF_DIRECTORY.unpack_from(tail, last)
    wheel.seek(begin)
    directory = wheel.read(length)
    for found in _METADATA.finditer(directory):
        at = directory.rfind(b"PK\1\2", 0, found.start())
        size, named, offset = _ENTRY.unpack_from(directory, max(at, 0))
        written = directory[at + _ENTRY.size : found.end()]
        if at >= 0 and len(written) == named and written.count(b"/") == 1:
            break
    else:
        raise UnsupportedWheelError(name)
    if size > METADATA:
        raise OversizedMetadataError(name)
    wheel.seek(offset)
    member = wheel.read(max(min(_LOCAL.size + named + _EXTRA + size, begin - offset), 0))
    end = _LOCAL.size + sum(_LOCAL.unpack_from(member)) + size
    member = member[:end] + wheel.read(max(end - len(member), 0))
    # Without its extra field and its comment, and with the member at the start.
    entry = directory[at : at + 30] + bytes(4) + directory[at + 34 : at + 42] + bytes(4) + written
    return b"".join(
        (member, entry, _END_OF_DIRECTORY.pack(b"PK\5\6", 1, 1, len(entry), len(member), 0))
    )


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
