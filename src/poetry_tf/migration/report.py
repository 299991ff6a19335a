"""What became of a list, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from poetry_tf.migration.classify import Classification, Fate, RequiredEntry
from poetry_tf.migration.entries import PackageList, SkippedLine
from poetry_tf.migration.names import is_assumed
from poetry_tf.text import format_count, format_list

_SHOWN = 6
"""Names in a line, where not all are asked for."""

_FATES: dict[Fate, str] = {
    "tensorflow": "TensorFlow brings along",
    "needed": "Come with the others, and are in the lock",
    "container": "Left to the container, which has what this TensorFlow needs",
    "builds": "Intel's builds for Conda; PyPI's wheels take their place",
    "system": "No Python packages; wheels hold the libraries that they need",
    "tools": "Conda's tools and installers, whose work Poetry does",
    "python": "A part of Python by now, or of Poetry's work",
    "elsewhere": "For other systems than this project's container",
    "had": "Required by the project already, as it says",
}


@dataclass(frozen=True)
class MigrationReport:
    """The account of a list: lines for a person, and what that person has to decide."""

    lines: tuple[str, ...]
    left: tuple[SkippedLine, ...]


def make_report(
    listing: PackageList, found: Classification, moved: tuple[str, ...], *, whole: bool = False
) -> MigrationReport:
    """The account; `whole` names every package."""
    left = tuple(item for item in found.left if item.matters)
    return MigrationReport((*_lines(listing, found, moved, whole=whole),), left)


def _lines(
    listing: PackageList, found: Classification, moved: tuple[str, ...], *, whole: bool
) -> Iterator[str]:
    kind = "an export of what was installed, " if listing.is_export else ""
    yield f"From {listing.file}, {kind}{format_count(len(listing.wanted), 'package')}:"
    for sentence in moved:
        yield f"  {sentence}"
    as_written = [item.name for item in found.carried if not item.why]
    if as_written:
        yield f"  Required ({len({*as_written})}): {_names(as_written, whole=whole)}"
    other = [item for item in found.carried if item.why]
    if other:
        yield f"  Required with other versions ({len(other)}):"
    for item in other:
        yield f"    {_change(item)}"
    for item in found.carried:
        if item.lacking:
            where = format_list(item.lacking)
            yield f"  Left out on {where}, for which it has no file: {item.name}"
    renamed = [item for item in found.carried if canonicalize_name(item.name) != item.wanted.key]
    if renamed:
        pairs = ", ".join(f"{item.wanted.name} is {item.name}" for item in renamed)
        yield f"  By PyPI's names: {pairs}"
    assumed = [item.wanted.name for item in found.carried if is_assumed(item.wanted)]
    if assumed:
        text = _names(assumed, whole=whole)
        yield f"  Taken to have the same name on PyPI ({len({*assumed})}): {text}"
    for fate, text in _FATES.items():
        names = [item.wanted.name for item in found.gone if item.fate == fate]
        if names:
            yield f"  {text} ({len({*names})}): {_names(names, whole=whole)}"
    if whole:
        for aside in found.left:
            if not aside.matters:
                yield f"  {aside.written}: {aside.why}"


def _change(item: RequiredEntry) -> str:
    return f"{item.name} {item.specifier or 'of any version'}: {item.why} ({item.wanted.written})"


def _names(names: list[str], *, whole: bool) -> str:
    names = list(dict.fromkeys(names))
    if whole or len(names) <= _SHOWN + 1:
        return ", ".join(names)
    return f"{', '.join(names[:_SHOWN])} and {len(names) - _SHOWN} more (all with -v)"
