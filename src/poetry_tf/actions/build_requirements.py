"""What a build needs, read from a source distribution or a folder without running it."""

from __future__ import annotations

import itertools
import tarfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from poetry_tf.files.documents import DocumentError
from poetry_tf.files.project import PYPROJECT, Project
from poetry_tf.files.reading import MAX_BYTES, read_file
from poetry_tf.files.toml import TomlDocument
from poetry_tf.files.values import as_table, as_text, as_texts
from poetry_tf.index.folder_setting import is_of_another_machine
from poetry_tf.plan.needed_files import ElsewherePackage

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


def build_requirements(place: Path) -> tuple[str, ...]:
    """The requirements in the pyproject.toml of a source distribution, or of a folder.

    A backend may add to them when it is run. setuptools before 70.1 adds wheel, which is so common
    that it is among them. Raises `OSError` for what can't be read.
    """
    try:
        content = _in_folder(place) if place.is_dir() else _member(place, PYPROJECT)
        text = (content or b"").decode("utf-8")
        table = as_table(TomlDocument.parse(text).data.get("build-system"))
    except (DocumentError, UnicodeDecodeError):
        table = {}  # the build fails with the reason
    requires: Sequence[str] = as_texts(table.get("requires")) if "requires" in table else _DEFAULT
    backend = as_text(table.get("build-backend"), "setuptools")
    more = ("wheel",) if backend.startswith("setuptools") else ()
    return tuple(sorted({*requires, *more}))


def local_builds(
    project: Project, packages: Iterable[ElsewherePackage]
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """What installing builds of packages that don't come from PyPI, by name, with what each build
    needs; and the names of those where only the download tells.

    The project itself is built where it has a build script.
    """
    known: dict[str, tuple[str, ...]] = {}
    unknown: list[str] = []
    for package in packages:
        if not package.is_built:
            continue
        try:
            if package.path is None or is_of_another_machine(package.path):
                raise FileNotFoundError(package.path)
            known[package.name] = build_requirements(project.root / package.path)
        except OSError:
            unknown.append(package.name)
    pyproject = project.pyproject
    if pyproject.package_mode and "build" in pyproject.table("tool", "poetry"):
        known[pyproject.name or project.root.name] = build_requirements(project.root)
    return known, sorted(unknown)


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


def _in_folder(folder: Path) -> bytes | None:
    try:
        return read_file(folder / PYPROJECT, MAX_BYTES)
    except FileNotFoundError:
        return None


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
