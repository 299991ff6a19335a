"""The metadata of wheels without a whole download: packaged with poetry-tf, or read from the end.

`data/closure.json`, which ``.ci/closure.py`` makes, has the metadata of wheels that solves of
TensorFlow need, by the hash of the wheel: a wheel never changes, so it is the same from any index.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

from packaging.metadata import RawMetadata, parse_email
from poetry.console.exceptions import PoetryRuntimeError
from poetry.inspection.info import PackageInfo
from poetry.inspection.lazy_wheel import LazyWheelOverHTTP

from poetry_tf.index.transport import METADATA
from poetry_tf.poetry_internals.overrides import override
from poetry_tf.releases.resources import read_json

if TYPE_CHECKING:
    from poetry.utils.authenticator import Authenticator

DATA = "closure.json"
PREFIX = 24
"""Digits of a hash that are kept, which is enough to be unique."""
TAIL = 32 * 1024
"""Bytes of a wheel that are requested first: enough for three of four on PyPI."""


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


class _Wheel(LazyWheelOverHTTP):
    """Poetry's own requests so few bytes that every second wheel takes two or three requests."""

    @classmethod
    @override
    def _initial_chunk_length(cls) -> int:
        return TAIL

    @override
    def read_metadata(self, name: str) -> bytes:
        with ZipFile(self) as archive:
            member = self._prefetch_metadata(name)
            _check_size(archive, member, name)
            return archive.read(member)


class OversizedMetadataError(PoetryRuntimeError):
    """A wheel whose metadata is larger than any metadata is."""

    def __init__(self, filename: str) -> None:
        most = f"{METADATA // 1_000_000} MB"
        super().__init__(f"<error>The metadata in {filename} is larger than {most}.</error>")


def check_metadata(path: Path) -> None:
    """Raises `OversizedMetadataError` for a wheel; one that can't be read is left to Poetry."""
    with suppress(BadZipFile, ValueError, OSError, NotImplementedError), ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".dist-info/METADATA"):
                _check_size(archive, name, path.name)


def _check_size(archive: ZipFile, member: str, filename: str) -> None:
    # zipfile unpacks no more than is claimed here.
    if archive.getinfo(member).file_size > METADATA:
        raise OversizedMetadataError(filename)


def metadata_of(filename: str, url: str, session: Authenticator) -> RawMetadata | None:
    """The metadata of the wheel at an address; None where it cannot be read in parts.

    Raises `OversizedMetadataError`.
    """
    try:
        with _Wheel(url, session) as wheel:
            return parse_email(wheel.read_metadata(filename))[0]
    except OversizedMetadataError:
        raise
    except Exception:  # of the network, of the server, of the archive: Poetry reports it better
        return None
