"""What building a source distribution needs, read from the archive without running it."""

from __future__ import annotations

import itertools
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from poetry_tf.files.documents import DocumentError
from poetry_tf.files.reading import MAX_BYTES
from poetry_tf.files.toml import TomlDocument
from poetry_tf.files.values import as_table, as_text, as_texts

_DEFAULT: Final = ("setuptools>=40.8.0",)
"""Without a pyproject.toml that says otherwise (PEP 517)."""
_MOST_MEMBERS: Final = 100_000
_COMPILED: Final = (
    ".c",
    ".cc",
    ".cpp",
    ".cxx",
    ".cu",
    ".f",
    ".f90",
    ".go",
    ".pyx",
    ".rs",
    ".swg",
    ".i",
)
"""The ends of the names of files that a compiler, or SWIG, has to read."""
_BESIDE: Final = frozenset({"test", "tests", "testing", "doc", "docs", "example", "examples"})
"""Folders with files that are not built."""


def build_requirements(archive: Path) -> tuple[str, ...]:
    """The requirements in the pyproject.toml of a source distribution.

    A backend may add to them when it is run. setuptools before 70.1 adds wheel, which is so common
    that it is among them.
    """
    try:
        text = (_member(archive, "pyproject.toml") or b"").decode("utf-8")
        table = as_table(TomlDocument.parse(text).data.get("build-system"))
    except (DocumentError, UnicodeDecodeError):
        table = {}  # the build fails with the reason
    requires: Sequence[str] = as_texts(table.get("requires")) if "requires" in table else _DEFAULT
    backend = as_text(table.get("build-backend"), "setuptools")
    more = ("wheel",) if backend.startswith("setuptools") else ()
    return tuple(sorted({*requires, *more}))


def package_info(archive: Path) -> bytes | None:
    """The metadata in a source distribution (PKG-INFO); None where it has none."""
    return _member(archive, "PKG-INFO")


def compiled_source(archive: Path) -> str | None:
    """A file in a source distribution that has to be compiled; None where there is none."""
    for name in _names(archive):
        folders = {part.lower() for part in name.split("/")[:-1]}
        if name.lower().endswith(_COMPILED) and not folders & _BESIDE:
            return name.partition("/")[2] or name
    return None


def _names(archive: Path) -> list[str]:
    try:
        if archive.name.lower().endswith(".zip"):
            with zipfile.ZipFile(archive) as file:
                return [info.filename for info in file.infolist()[:_MOST_MEMBERS]]
        with tarfile.open(archive) as tar:
            return [member.name for member in itertools.islice(tar, _MOST_MEMBERS)]
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, ValueError):
        return []  # Poetry says what is wrong with it when it builds it


def _member(archive: Path, name: str) -> bytes | None:
    """A file right in the archive's own folder; None where there is none that can be read."""
    try:
        if archive.name.lower().endswith(".zip"):
            with zipfile.ZipFile(archive) as file:
                for info in file.infolist()[:_MOST_MEMBERS]:
                    if _is_own(info.filename, name) and info.file_size <= MAX_BYTES:
                        return file.read(info)
            return None
        with tarfile.open(archive) as tar:
            for member in itertools.islice(tar, _MOST_MEMBERS):
                if _is_own(member.name, name) and member.isreg() and member.size <= MAX_BYTES:
                    content = tar.extractfile(member)
                    return None if content is None else content.read(MAX_BYTES)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, ValueError):
        return None  # Poetry says what is wrong with it when it builds it
    return None


def _is_own(member: str, name: str) -> bool:
    folder, _, file = member.removeprefix("./").partition("/")
    return bool(folder) and file == name
