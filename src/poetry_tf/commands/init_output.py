"""What became of a list, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from poetry_tf.migration.classify import Classification, DropReason
from poetry_tf.migration.entries import PackageList, SkippedLine
from poetry_tf.migration.names import is_assumed
from poetry_tf.migration.relax import RequiredEntry
from poetry_tf.text import format_count, format_list

_SHOWN = 6
"""Names in a line, where not all are asked for."""

_DROP_TEXTS: dict[DropReason, str] = {
    "tensorflow": "TensorFlow brings along",
    "needed": "Come with the others, and are in the lock",
    "container": "Left to the container, which has what this TensorFlow needs",
    "builds": "Intel's builds for Conda; PyPI's wheels take their place",
    "system": "No Python packages; wheels hold the libraries that they need",
    "tools": "Conda's tools and installers, whose work Poetry does",
    "python": "A part of Python by now, or of Poetry's work",
    "elsewhere": "For other systems than this project's container",
    "present": "Required by the project already, as it says",
}


@dataclass(frozen=True)
class MigrationReport:
    """The account of a list: lines for a person, and what that person has to decide."""

    lines: tuple[str, ...]
    undecided: tuple[SkippedLine, ...]


def make_migration_report(
    listing: PackageList, found: Classification, sentences: tuple[str, ...], *, whole: bool = False
) -> MigrationReport:
    """The account; `whole` names every package."""
    left = tuple(item for item in found.skipped if item.actionable)
    return MigrationReport((*_migration_lines(listing, found, sentences, whole=whole),), left)


def _migration_lines(
    listing: PackageList, found: Classification, sentences: tuple[str, ...], *, whole: bool
) -> Iterator[str]:
    kind = "an export of what was installed, " if listing.is_export else ""
    yield f"From {listing.file}, {kind}{format_count(len(listing.entries), 'package')}:"
    for sentence in sentences:
        yield f"  {sentence}"
    as_written = [item.name for item in found.required if not item.reason]
    if as_written:
        yield f"  Required ({len({*as_written})}): {_format_names(as_written, whole=whole)}"
    other = [item for item in found.required if item.reason]
    if other:
        yield f"  Required with other versions ({len(other)}):"
    for item in other:
        yield f"    {_format_change(item)}"
    for item in found.required:
        if item.excluded:
            where = format_list(item.excluded)
            yield f"  Left out on {where}, for which it has no file: {item.name}"
    renamed = [item for item in found.required if canonicalize_name(item.name) != item.entry.key]
    if renamed:
        pairs = ", ".join(f"{item.entry.name} is {item.name}" for item in renamed)
        yield f"  By PyPI's names: {pairs}"
    assumed = [item.entry.name for item in found.required if is_assumed(item.entry)]
    if assumed:
        text = _format_names(assumed, whole=whole)
        yield f"  Taken to have the same name on PyPI ({len({*assumed})}): {text}"
    for reason, text in _DROP_TEXTS.items():
        names = [item.entry.name for item in found.dropped if item.reason == reason]
        if names:
            yield f"  {text} ({len({*names})}): {_format_names(names, whole=whole)}"
    if whole:
        for aside in found.skipped:
            if not aside.actionable:
                yield f"  {aside.written}: {aside.reason}"


def _format_change(item: RequiredEntry) -> str:
    return f"{item.name} {item.specifier or 'of any version'}: {item.reason} ({item.entry.written})"


def _format_names(names: list[str], *, whole: bool) -> str:
    names = list(dict.fromkeys(names))
    if whole or len(names) <= _SHOWN + 1:
        return ", ".join(names)
    return f"{', '.join(names[:_SHOWN])} and {len(names) - _SHOWN} more (all with -v)"
