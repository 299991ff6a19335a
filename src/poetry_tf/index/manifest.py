"""What a project saved in a folder, and the pages that list all that is saved there."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any, Final, Literal, get_args
from urllib.parse import quote
from zipfile import BadZipFile, ZipFile

from packaging.utils import NormalizedName, canonicalize_name

from poetry_tf.files.reading import read_file
from poetry_tf.files.values import as_table
from poetry_tf.http.pages import MalformedPage
from poetry_tf.index.pages import as_html
from poetry_tf.index.release_records import RELEASES
from poetry_tf.index.saved_folder import (
    GENERATOR,
    MANIFESTS,
    PAGE,
    PAGES,
    SavedFolder,
    hash_of,
    is_plain,
    named,
    write_whole,
)
from poetry_tf.index.transport import METADATA

VERSION: Final = 1
LOCKS: Final = f"{MANIFESTS}/locks"
SAVED: Final = f"{MANIFESTS}/saved.txt"
"""The files that were ever saved in the folder, a line each: "numpy/numpy-2.0.2.tar.gz"."""
MAX_MANIFEST: Final = 20_000_000
"""Bytes; a project of 5,000 files has 2 MB."""

Use = Literal["project", "poetry", "build"]
"""What a file is for: the lock, Poetry with poetry-tf, or building a source distribution."""
HashOrigin = Literal["poetry.lock", "index", "packed"]
"""Who says its hash: the project's lock, the index that it came from, or this machine, which made
the file."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, order=True)
class SavedFile:
    """A file in the folder."""

    name: NormalizedName
    filename: str
    version: str
    sha256: str
    size: int
    use: Use
    hash_from: HashOrigin
    requires_python: str | None = None
    metadata: str | None = None
    """The SHA-256 of the metadata beside it."""


@dataclass(frozen=True)
class Manifest:
    """What a project saved when it last did."""

    project: str
    targets: str
    """For a person: "linux-x86_64 with Python 3.12"."""
    poetry: str
    locks: tuple[str, ...]
    """The files of the locks of Poetry and of what builds, in the folder `LOCKS`."""
    releases: tuple[str, ...]
    """The releases in the lock: "numpy 2.0.2"."""
    files: tuple[SavedFile, ...]


Fault = Literal["unreadable", "malformed", "newer"]
"""Why a manifest can't be read: no access, no manifest at all, or one of a newer poetry-tf."""


class ManifestError(ValueError):
    """A manifest that can't be read: the file, and why."""

    def __init__(self, path: Path, fault: Fault) -> None:
        super().__init__(f"{path}: {fault}")
        self.path, self.fault = path, fault

    @property
    def project(self) -> str:
        """The project that it belongs to, by the name of the file."""
        return self.path.stem.rpartition("-")[0] or self.path.stem


def manifest_name(project: str, root: Path) -> str:
    """The file name of a project's manifest. Two projects of one name have two."""
    digest = hashlib.sha256(str(root).encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{project}-{digest}.json"


def read_manifests(folder: Path, but: str) -> tuple[list[Manifest], list[ManifestError]]:
    """The manifests, and why others can't be read; without the one of this file name."""
    manifests: list[Manifest] = []
    errors: list[ManifestError] = []
    for path in sorted((folder / MANIFESTS).glob("*.json")):
        if path.name != but:
            try:
                manifests.append(_read(path))
            except ManifestError as error:
                errors.append(error)
    return manifests, errors


def write_manifest(folder: Path, name: str, manifest: Manifest) -> None:
    """Raises `OSError`, with the file's name."""
    document = {"version": VERSION, **asdict(manifest)}
    document["files"] = [_entry(file) for file in sorted(manifest.files)]
    text = json.dumps(document, indent=1, ensure_ascii=True)
    write_whole(folder / MANIFESTS / name, f"{text}\n".encode())


def _entry(file: SavedFile) -> dict[str, Any]:
    return {key: value for key, value in asdict(file).items() if value is not None}


def _read(path: Path) -> Manifest:
    try:
        data = as_table(json.loads(read_file(path, MAX_MANIFEST)))
        version = data["version"]
        if version != VERSION:
            is_newer = isinstance(version, int) and version > VERSION
            raise ManifestError(path, "newer" if is_newer else "malformed")
        return Manifest(
            str(data["project"]),
            str(data["targets"]),
            str(data["poetry"]),
            tuple(map(str, data["locks"])),
            tuple(map(str, data["releases"])),
            tuple(_read_file(entry) for entry in data["files"]),
        )
    except OSError as error:
        raise ManifestError(path, "unreadable") from error
    except ManifestError:
        raise
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ManifestError(path, "malformed") from error


def _read_file(entry: Mapping[str, Any]) -> SavedFile:
    file = SavedFile(**entry)
    is_right = (
        is_plain(file.filename)
        and is_plain(file.name)
        and file.name == canonicalize_name(file.name)
        and _SHA256.fullmatch(file.sha256)
        and isinstance(file.size, int)
        and file.use in get_args(Use)
    )
    if not is_right:
        raise ValueError(f"the entry of {file.filename!r} is not valid")
    return file


# -- pages ----------------------------------------------------------------------------------


def write_pages(folder: Path, files: Iterable[SavedFile]) -> None:
    """Writes the page of each distribution, and the list of them. Raises `OSError`."""
    by_name: dict[NormalizedName, dict[str, SavedFile]] = {}
    for file in files:
        by_name.setdefault(file.name, {})[file.filename] = file
    for name, own in by_name.items():
        write_whole(folder / PAGES / name / PAGE, page_of(name, own.values()).encode())
    links = "".join(f'<a href="{name}/">{name}</a><br>\n' for name in sorted(by_name))
    write_whole(folder / PAGES / PAGE, _document("Simple index", links).encode())


def listed_files(folder: Path) -> Iterator[SavedFile]:
    """The files that the pages list now, as far as a page says what they are."""
    saved = SavedFolder(folder)
    for name in map(canonicalize_name, saved.names()):
        with suppress(OSError, MalformedPage):
            for file in saved.files(name).values():
                path = saved.path_of(name, file.filename)
                if path is not None and file.sha256 is not None:
                    beside = path.with_name(f"{path.name}.metadata")
                    metadata = hash_of(beside, "sha256") if file.has_metadata else None
                    yield SavedFile(
                        name,
                        file.filename,
                        version="",
                        sha256=file.sha256,
                        size=path.stat().st_size,
                        use="project",
                        hash_from="index",
                        requires_python=file.requires_python,
                        metadata=metadata and metadata.partition(":")[2],
                    )


def page_of(name: str, files: Iterable[SavedFile]) -> str:
    """The page of a distribution (PEP 503, 658 and 714)."""
    entries = [
        {
            "filename": file.filename,
            "url": quote(file.filename),
            "hashes": {"sha256": file.sha256},
            "requires-python": file.requires_python,
            **({"core-metadata": {"sha256": file.metadata}} if file.metadata else {}),
            **({"dist-info-metadata": {"sha256": file.metadata}} if file.metadata else {}),
        }
        for file in sorted(files)
    ]
    links = as_html({"files": entries}).replace("\n", "<br>\n")
    return _document(f"Links for {name}", f"{links}\n")


def _document(title: str, links: str) -> str:
    return (
        '<!DOCTYPE html>\n<html>\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="pypi:repository-version" content="1.0">\n{GENERATOR}\n'
        f"<title>{escape(title)}</title>\n</head>\n<body>\n<h1>{escape(title)}</h1>\n"
        f"{links}</body>\n</html>\n"
    )


def write_metadata(wheel: Path) -> bytes | None:
    """Writes the metadata of a wheel beside it, and returns it; None where it has none.

    Raises `OSError`, with the file's name.
    """
    try:
        with ZipFile(wheel) as archive:
            stem = "-".join(wheel.name.split("-")[:2])
            members = [
                item
                for item in archive.infolist()
                if re.fullmatch(r"[^/]+\.dist-info/METADATA", item.filename)
            ]
            own = [item for item in members if item.filename.startswith(f"{stem}.dist-info/")]
            members = own or members
            if len(members) != 1 or members[0].file_size > METADATA:
                return None
            content = archive.read(members[0])
    except (BadZipFile, ValueError, NotImplementedError):
        return None
    except OSError as error:
        raise named(error, wheel) from error
    write_whole(wheel.with_name(f"{wheel.name}.metadata"), content)
    return content


# -- what nothing names ---------------------------------------------------------------------

Key = tuple[str, str]
"""A file: its distribution, and its name."""


def read_saved(folder: Path) -> set[Key]:
    """The files that were ever saved here, by any project. Other files are not ours."""
    with suppress(OSError, UnicodeDecodeError):
        lines = read_file(folder / SAVED, MAX_MANIFEST).decode("utf-8").splitlines()
        keys = {(name, file) for name, _, file in (line.partition("/") for line in lines)}
        return {(name, file) for name, file in keys if is_plain(name) and is_plain(file)}
    return set()


def write_saved(folder: Path, saved: Iterable[Key]) -> None:
    """Raises `OSError`, with the file's name."""
    lines = [f"{name}/{file}\n" for name, file in sorted(saved)]
    write_whole(folder / SAVED, "".join(lines).encode())


def unnamed_files(
    folder: Path, manifests: Sequence[Manifest], saved: Collection[Key]
) -> list[Path]:
    """What no manifest names: files saved earlier, and what interrupted downloads have left."""
    locks = {lock for manifest in manifests for lock in manifest.locks}
    releases = {release for manifest in manifests for release in manifest.releases}
    keep = {(file.name, file.filename) for manifest in manifests for file in manifest.files}
    found: list[Path] = []
    for path in _files_in(folder / PAGES):
        whole = path.name.removesuffix(".part").removesuffix(".metadata")
        own = (path.parent.name, whole)
        if own in saved and (own not in keep or path.name.endswith(".part")):
            found.append(path)
    found += [path for path in sorted((folder / LOCKS).glob("*.lock")) if path.name not in locks]
    records = _files_in(folder / RELEASES)
    return found + [path for path in records if f"{path.parent.name} {path.stem}" not in releases]


def remove_left_parts(folder: Path) -> None:
    """Deletes the temporary files of killed runs. Raises `OSError`.

    An unfinished download stays where it is wanted: the next run goes on with it.
    """
    saved = read_saved(folder)
    for path in _files_in(folder / PAGES):
        match = _COPIED.fullmatch(path.name)
        if _WRITTEN.fullmatch(path.name) or (match and (path.parent.name, match[1]) in saved):
            path.unlink()
    for path in (*(folder / PAGES).glob(".*.part"), *(folder / MANIFESTS).rglob(".*.part")):
        if _WRITTEN.fullmatch(path.name):
            path.unlink()


# As `saved_folder.write_whole` and `SavedFolder.copy` name them.
_WRITTEN: Final = re.compile(r"\..+\.[0-9a-f]{8}\.part")
_COPIED: Final = re.compile(r"(.+)\.[a-z0-9_]{8}\.part")


def prune(folder: Path, manifests: Sequence[Manifest], unnamed: Iterable[Path]) -> None:
    """Deletes these files, and the pages and folders that are then empty.

    Raises `OSError`.
    """
    saved = read_saved(folder)
    for path in unnamed:
        path.unlink()
    named = {(file.name, file.filename) for manifest in manifests for file in manifest.files}
    for name in {name for name, _ in saved} - {name for name, _ in named}:
        (folder / PAGES / name / PAGE).unlink(missing_ok=True)
    for parent in (folder / PAGES, folder / RELEASES):
        for path in parent.iterdir() if parent.is_dir() else ():
            if path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
                path.rmdir()
    write_saved(folder, saved & named)


def _files_in(pages: Path) -> Iterator[Path]:
    """The files two levels below, and nothing behind a link."""
    if not pages.is_dir():
        return
    for parent in sorted(pages.iterdir()):
        if parent.is_dir() and not parent.is_symlink():
            yield from (path for path in sorted(parent.iterdir()) if path.is_file())
