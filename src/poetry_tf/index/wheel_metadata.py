"""The metadata of wheels without a whole download: packaged with poetry-tf, or read from the end.

`data/closure.json`, which ``.ci/closure.py`` makes, has the metadata of wheels that solves of
TensorFlow need, by the hash of the wheel: a wheel never changes, so it is the same from any index.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from packaging.metadata import RawMetadata, parse_email
from poetry.inspection.info import PackageInfo
from poetry.inspection.lazy_wheel import LazyWheelOverHTTP

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
    def _initial_chunk_length(cls) -> int:
        return TAIL


def metadata_of(filename: str, url: str, session: Authenticator) -> RawMetadata | None:
    """The metadata of the wheel at an address; None where it cannot be read in parts."""
    try:
        with _Wheel(url, session) as wheel:
            return parse_email(wheel.read_metadata(filename))[0]
    except Exception:  # of the network, of the server, of the archive: Poetry reports it better
        return None
