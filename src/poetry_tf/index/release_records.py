"""What an index says of each locked release, kept in a folder: requirements, Pythons, summary.

The lock has that too, but not to the letter: of requirements that differ by marker it holds what
Poetry made of them. A lock that is made from the folder is to have the same bytes.

    FOLDER/manifests/releases/<name>/<version>.json
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from packaging.utils import NormalizedName
from poetry.inspection.info import PackageInfo

from poetry_tf.files.reading import read_file
from poetry_tf.index.saved_folder import MANIFESTS, is_plain, write_whole
from poetry_tf.index.transport import METADATA

RELEASES: Final = f"{MANIFESTS}/releases"
_TEXTS: Final = ("summary", "requires_python")


def record_path(folder: Path, name: NormalizedName, version: str) -> Path | None:
    """The file of a release; None for a name that can't be one."""
    if not (is_plain(name) and is_plain(version)):
        return None
    return folder / RELEASES / name / f"{version}.json"


def write_record(path: Path, info: PackageInfo) -> None:
    """Raises `OSError`, with the file's name."""
    record = {
        "summary": info.summary,
        "requires_python": info.requires_python,
        "requires_dist": info.requires_dist,
        "yanked": info.yanked,
    }
    write_whole(path, f"{json.dumps(record, indent=1)}\n".encode())


def read_record(folder: Path, name: NormalizedName, version: str) -> dict[str, Any] | None:
    """The record of a release; None where there is none that can be read."""
    path = record_path(folder, name, version)
    with suppress(OSError, ValueError, RecursionError):
        data = json.loads(read_file(path, METADATA)) if path is not None else None
        if isinstance(data, dict) and _is_right(data):
            return data
    return None


def _is_right(data: dict[str, Any]) -> bool:
    lines = data.get("requires_dist")
    return (
        all(isinstance(data.get(key), str | None) for key in _TEXTS)
        and isinstance(data.get("yanked"), str | bool)
        and (lines is None or isinstance(lines, list))
        and all(isinstance(line, str) for line in lines or ())
    )
