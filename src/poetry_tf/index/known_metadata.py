"""The metadata of wheels that is packaged with poetry-tf.

`data/closure.json`, which ``.ci/closure.py`` makes, has the metadata of wheels that solves of
TensorFlow need, by the hash of the wheel: a wheel never changes, so it is the same from any index.
Other metadata is requested from the index.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from poetry_tf.releases.resources import read_json

if TYPE_CHECKING:
    from poetry.inspection.info import PackageInfo

DATA = "closure.json"
PREFIX = 24
"""Digits of a hash that are kept, which is enough to be unique."""


@dataclass(frozen=True)
class KnownMetadata:
    """The metadata of wheels, as far as Poetry needs it, by the first digits of their hashes."""

    files: Mapping[str, Mapping[str, Any]]
    requires: Sequence[Sequence[str] | None]

    def get(self, sha256: str) -> PackageInfo | None:
        from poetry.inspection.info import PackageInfo

        record = self.files.get(sha256[:PREFIX])
        if record is None:
            return None
        requires = self.requires[record["requires"]]
        return PackageInfo(
            name=record["name"],
            version=record["version"],
            summary=record["summary"],
            requires_dist=None if requires is None else list(requires),
            requires_python=record["python"],
        )


def info(hashes: Mapping[str, str]) -> PackageInfo | None:
    """The metadata of the wheel with these hashes; None if it is not packaged."""
    sha256 = hashes.get("sha256")
    return _known().get(sha256) if sha256 else None


@functools.cache
def _known() -> KnownMetadata:
    try:
        data = read_json(DATA)
    except OSError:
        return KnownMetadata({}, ())
    return KnownMetadata(data["files"], data["requires"])
