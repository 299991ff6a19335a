"""The files of a lock written at once.

Of each file Poetry's locker makes an inline table with its keys and strings, a dozen objects of
tomlkit; with 4,000 files that takes a second. Here the locker makes the lock without them, and each
list of files is put in with its text. Whether that is the text which tomlkit would write is seen at
one package, which the locker makes with its files; if it isn't, the locker makes them all.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tomlkit.items import Array, Trivia

if TYPE_CHECKING:
    from poetry.core.packages.package import Package
    from poetry.packages.locker import Locker
    from tomlkit import TOMLDocument

File = Mapping[str, str]


def write_files_at_once() -> None:
    """Replaces `Locker._compute_lock_data`; nothing if this Poetry has none."""
    from poetry.packages.locker import Locker

    compute: Any = getattr(Locker, "_compute_lock_data", None)
    if compute is None or getattr(compute, "is_patched", False):
        return

    @functools.wraps(compute)
    def compute_quickly(locker: Locker, root: Package, packages: Any) -> TOMLDocument:
        with suppress(Exception):  # Poetry's own does it, or fails, then
            if (lock := _compute(compute, locker, root, packages)) is not None:
                return lock
        return compute(locker, root, packages)  # type: ignore[no-any-return]

    compute_quickly.is_patched = True  # type: ignore[attr-defined]
    Locker._compute_lock_data = compute_quickly  # type: ignore[method-assign, assignment]


def _compute(compute: Any, locker: Any, root: Package, packages: Any) -> TOMLDocument | None:
    """The lock; None if the text of its files is not the locker's."""
    list_packages, taken = locker._lock_packages, {}

    def without_files(*arguments: Any) -> list[dict[str, Any]]:
        specs: list[dict[str, Any]] = list_packages(*arguments)
        plain = [number for number, spec in enumerate(specs) if _is_plain(spec["files"])]
        for number in plain[1:]:
            taken[number], specs[number]["files"] = specs[number]["files"], []
        taken.update((number, specs[number]["files"]) for number in plain[:1])
        return specs

    locker._lock_packages = without_files
    try:
        lock: TOMLDocument = compute(locker, root, packages)
    finally:
        del locker._lock_packages
    tables: Any = lock["package"] if taken else ()
    for number in sorted(taken):
        files = _Files(taken[number])
        if number == min(taken) and tables[number]["files"].as_string() != files.as_string():
            return None
        tables[number]["files"] = files
    return lock


def _is_plain(files: Sequence[File]) -> bool:
    """Whether these are names and hashes that TOML writes as they are."""
    return bool(files) and all(
        {*file} == {"file", "hash"} and all(map(_is_written_alike, file.values())) for file in files
    )


def _is_written_alike(text: str) -> bool:
    return text.isascii() and text.isprintable() and not {'"', "\\"} & {*text}


class _Files(Array):
    """The files of one package, one a line."""

    def __init__(self, files: Sequence[File]) -> None:
        super().__init__([], Trivia())
        list.extend(self, files)

    def as_string(self) -> str:
        lines = (
            f'    {{file = "{file["file"]}", hash = "{file["hash"]}"}},\n'
            for file in list.__iter__(self)
        )
        return f"[\n{''.join(lines)}]"
