"""What wheels say of themselves, for those that are known already.

`data/closure.json` has the metadata of wheels that solves of TensorFlow have asked for, each under
the wheel's own hash: a wheel never changes, so the answer is the index's own, from wherever the
wheel comes. It is made by ``.ci/closure.py``. What it doesn't have is asked of the index.
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
"""So much of a hash is kept: it can't be met by chance."""


@dataclass(frozen=True)
class KnownMetadata:
    """The metadata of wheels, as far as Poetry asks for it, by the beginnings of their hashes."""

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
    """The metadata of the wheel with these hashes; None where it isn't known."""
    sha256 = hashes.get("sha256")
    return _known().get(sha256) if sha256 else None


@functools.cache
def _known() -> KnownMetadata:
    try:
        data = read_json(DATA)
    except OSError:
        return KnownMetadata({}, ())
    return KnownMetadata(data["files"], data["requires"])
