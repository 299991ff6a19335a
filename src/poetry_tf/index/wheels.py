"""The metadata of a wheel, mostly by one request for its last bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.metadata import RawMetadata, parse_email
from poetry.inspection.lazy_wheel import LazyWheelOverHTTP

if TYPE_CHECKING:
    from poetry.utils.authenticator import Authenticator

TAIL = 32 * 1024
"""Bytes of a wheel that are requested first: enough for three of four on PyPI."""


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
