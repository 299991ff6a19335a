"""The generated data files: how they are written, compared, and completed from older ones."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from packaging.version import Version

from poetry_tf.releases.reader.companions import COMPANIONS
from poetry_tf.releases.reader.derive import Block

SCHEMA: Final = 2
WIDTH: Final = 100


def render(value: Any, indent: int = 0, used: int = 0) -> str:
    """JSON with one line for each value that fits on it, so that a change is a diff of few lines.

    Args:
        value: what `json.dumps` takes.
        indent: the column at which the value's own lines begin.
        used: the columns of its first line that are already used.
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
    """Replaces a file's text, whole or not at all.

    Raises:
        OSError: it could not be written; the file is unchanged.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        # A temporary file is readable by its owner only; a data file by everybody.
        temporary.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def known_before(path: Path) -> dict[str, Any]:
    """The content of a data file; empty if it is missing or invalid."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    is_valid = isinstance(content, dict) and content.get("schema") == SCHEMA
    return content if is_valid else {}


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What the index has that the data lacks or contradicts, one line each.

    Only what the index has counts: an upload day that an HTML page lacks is no difference, nor is a
    release that a mirror does not have yet.
    """
    found = list(_in_releases(old.get("releases", {}), new.get("releases", {}), ""))
    for name, releases in new.get("companions", {}).items():
        found += _in_releases(old.get("companions", {}).get(name, {}), releases, f"{name} ")
    for name, files in new.get("hashes", {}).items():
        known = old.get("hashes", {}).get(name, {})
        found += [
            f"{file}: the index says {digest}, the data {known.get(file, 'nothing')}"
            for file, digest in files.items()
            if digest != known.get(file)
        ]
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


def keep_unread(
    unread: Iterable[tuple[str, str]], content: Block, before: Block
) -> list[tuple[str, str]]:
    """Copies releases that could not be read from the old content into the new one, in place.

    Returns:
        The releases that the old content had.
    """
    kept = []
    for name, releases in before.get("companions", {}).items():
        # Its page could not be read; a distribution that is no longer a companion is left out.
        if name in COMPANIONS and name not in content["companions"]:
            content["companions"][name] = releases
            kept += [(name, version) for version in releases]
    for name, hashes in before.get("hashes", {}).items():
        content["hashes"].setdefault(name, hashes)
    if "companions" in content:
        content["companions"] = dict(sorted(content["companions"].items()))
    for name, version in unread:
        old, new = _releases_in(before, name), _releases_in(content, name)
        if version in old:
            new[version] = old[version]
            kept.append((name, version))
            for known in sorted(new, key=Version):  # a dict keeps the order of insertion
                new[known] = new.pop(known)
    return kept


def _releases_in(content: Block, name: str) -> dict[str, Block]:
    """The releases of a distribution in a data file's content: the dict itself, not a copy."""
    found: dict[str, Block] = (
        content.get("companions", {}).get(name, {})
        if "companions" in content
        else content.get("releases", {})
    )
    return found
