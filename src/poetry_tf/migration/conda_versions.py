"""Converting Conda's version syntax to standard specifiers (PEP 440)."""

from __future__ import annotations

import re

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

_PART = re.compile(r"(?P<operator>==|>=|<=|!=|~=|=|>|<)?(?P<version>[^=<>!~|,\s]+)\Z")


def to_specifier(written: str, *, exact: bool = False) -> tuple[str, str]:
    """The specifier that means the same, and what was written if none does exactly.

    Args:
        written: Conda's versions with their operators: ``=1.2``, ``>=1,<2``, ``1.2|1.3``, ``1.*``.
        exact: whether a build is named, so that ``=1.2`` is 1.2 and not any 1.2.x.
    """
    written = written.strip()
    if written in {"", "*", "=*", "==*"}:
        return "", ""
    if "|" in written:
        return _least_of(written)
    found: list[str] = []
    for part in written.split(","):
        specifier = _one(part.strip(), exact=exact)
        if specifier is None:
            return "", written
        found += specifier
    text = ",".join(found)
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        return "", written
    return text, ""


def _one(part: str, *, exact: bool) -> list[str] | None:
    match = _PART.match(part)
    if match is None:
        return None
    operator, version = match["operator"] or "==", match["version"]
    is_open = version.endswith("*")
    version = version.rstrip("*").rstrip(".")
    if not version:
        return []
    try:
        parsed = Version(version)
    except InvalidVersion:
        return None
    if operator == "=":
        # To Conda =1.21.5 is 1.21.5.*, which hardly ever is more than 1.21.5.
        is_open = is_open or not (exact or len(parsed.release) > 2 or parsed.is_prerelease)
        operator = "=="
    if operator == "~=" and len(parsed.release) == 1:
        return [f">={version}"]
    return [
        f"{operator}{version}.*" if is_open and operator in {"==", "!="} else operator + version
    ]


def _least_of(written: str) -> tuple[str, str]:
    """Specifiers have no alternatives: the nearest is the lowest one and above."""
    lowest: list[Version] = []
    for choice in written.split("|"):
        specifier, untranslated = to_specifier(choice)
        bounds = [
            item.version.removesuffix(".*")
            for item in (SpecifierSet(specifier) if not untranslated else ())
            if item.operator in {"==", ">=", "~="}
        ]
        if not bounds:
            return "", written
        lowest.append(max(map(Version, bounds)))
    return f">={min(lowest)}", written
