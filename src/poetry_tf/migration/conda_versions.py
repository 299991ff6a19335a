"""Conda's words for versions in those of the standard (PEP 440)."""

from __future__ import annotations

import re

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

_PART = re.compile(r"(?P<operator>==|>=|<=|!=|~=|=|>|<)?(?P<version>[^=<>!~|,\s]+)\Z")


def to_specifier(written: str, *, exact: bool = False) -> tuple[str, str]:
    """The specifier that means what Conda means, and what of it can't be said so.

    Args:
        written: Conda's versions, an operator included: ``=1.2``, ``>=1,<2``, ``1.2|1.3``, ``1.*``.
        exact: whether one build is named, so that ``=1.2`` is 1.2 and not any 1.2.x.
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
        # To Conda 1.21.5 has all of 1.21.5.*, of which there hardly ever is more than that one.
        is_open = is_open or not (exact or len(parsed.release) > 2 or parsed.is_prerelease)
        operator = "=="
    if operator == "~=" and len(parsed.release) == 1:
        return [f">={version}"]
    return [
        f"{operator}{version}.*" if is_open and operator in {"==", "!="} else operator + version
    ]


def _least_of(written: str) -> tuple[str, str]:
    """Alternatives can't be said in a requirement: the nearest is the least of them and above."""
    least: list[Version] = []
    for choice in written.split("|"):
        specifier, lost = to_specifier(choice)
        bounds = [
            item.version.removesuffix(".*")
            for item in (SpecifierSet(specifier) if not lost else ())
            if item.operator in {"==", ">=", "~="}
        ]
        if not bounds:
            return "", written
        least.append(max(map(Version, bounds)))
    return f">={min(least)}", written
