"""Reads the packaged data files, and makes values of their entries."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def read_json(name: str, beside: str = __file__) -> dict[str, Any]:
    """The content of a data file, from a folder or a zip.

    `beside` is the `__file__` of a module next to the `data` folder.
    """
    content: dict[str, Any] = json.loads(read_text(name, beside))
    return content


def read_text(name: str, beside: str = __file__) -> str:
    """The text of a data file."""
    # As pkgutil.get_data; importing importlib.resources would take longer than the read.
    loader: Any = __spec__.loader
    data: bytes = loader.get_data(str(Path(beside).parent / "data" / name))
    return data.decode("utf-8")


def read_entries(kind: type[T], name: str, key: str) -> tuple[T, ...]:
    """The entries under a key of a data file that is kept by hand."""
    from packaging.specifiers import SpecifierSet  # slow, and not needed for names

    read: dict[str, Callable[[str], Any]] = {
        "versions": SpecifierSet,
        "checked": date.fromisoformat,
    }
    return tuple(
        value_of(kind, entry, **{key: read[key](entry[key]) for key in read if key in entry})
        for entry in read_json(name)[key]
    )


def value_of(kind: type[T], entry: Mapping[str, Any], **values: Any) -> T:
    """A dataclass from the keys of an entry that are its fields, lists as tuples.

    `values` are those of fields that the entry has in another form.
    """
    names = {item.name for item in fields(kind)}  # type: ignore[arg-type]
    found = {key: value for key, value in entry.items() if key in names}
    frozen = {key: tuple(one) if isinstance(one, list) else one for key, one in found.items()}
    return kind(**(frozen | values))
