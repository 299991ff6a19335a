"""The generated data file: its bytes, and how two states of it differ."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

SCHEMA: Final = 2
WIDTH: Final = 100


def render(value: Any, indent: int = 0, used: int = 0) -> str:
    """JSON in which what fits on a line stands on one, so that a change shows as a few lines.

    Args:
        value: what `json.dumps` takes.
        indent: the columns that the value's own lines begin at.
        used: the columns of its first line that are taken already.
    """
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value:
        return line
    nested = isinstance(value, dict) and any(isinstance(item, dict) for item in value.values())
    if not nested and indent + used + len(line) < WIDTH and indent:
        return line
    pad = " " * (indent + 2)
    if isinstance(value, list):
        body = [pad + render(item, indent + 2) for item in value]
        return "[\n" + ",\n".join(body) + "\n" + " " * indent + "]"
    body = []
    for key, item in value.items():
        head = f"{json.dumps(key, ensure_ascii=False)}: "
        body.append(pad + head + render(item, indent + 2, len(head)))
    return "{\n" + ",\n".join(body) + "\n" + " " * indent + "}"


def write(path: Path, text: str) -> None:
    """Puts a text in a file's place, whole or not at all.

    Raises:
        OSError: it couldn't be written; the file is as it was.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        # A temporary file is its owner's alone; a data file is everybody's to read.
        temporary.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def known_before(path: Path) -> dict[str, Any]:
    """The content of a data file; an empty one where there isn't any, or none that can be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    sound = isinstance(content, dict) and content.get("schema") == SCHEMA
    return content if sound else {}


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What the index has that the data lacks or contradicts, a line each.

    Only what the index tells counts: an upload day that an HTML page lacks contradicts nothing, nor
    does a release that a lagging mirror hasn't got.
    """
    found = list(_in_releases(old.get("releases", {}), new.get("releases", {}), ""))
    for name, releases in new.get("companions", {}).items():
        found += _in_releases(old.get("companions", {}).get(name, {}), releases, f"{name} ")
    for key in ("prereleases", "older"):
        found += [
            f"{version}: a version that the data lacks"
            for version in new.get(key, ())
            if version not in old.get(key, ())
        ]
    return found


def _in_releases(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for version, block in new.items():
        if version in old:
            for where, line in _in_values(old[version], block, ""):
                yield f"{prefix}{version}: {where}: {line}"
        else:
            yield f"{prefix}{version}: a release that the data lacks"


def _in_values(old: Any, new: Any, where: str) -> Iterator[tuple[str, str]]:
    """The places, as dotted keys, where two values differ, and how."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*new, *old)):
            if new.get(key) is None and key in ("uploaded", "sha256"):
                continue
            yield from _in_values(old.get(key), new.get(key), f"{where}.{key}" if where else key)
    elif old != new:
        yield where, f"the index says {json.dumps(new)}, the data {json.dumps(old)}"
