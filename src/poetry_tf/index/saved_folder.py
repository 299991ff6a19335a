"""A folder with saved files: a static simple index (PEP 503), and what each project saved there.

FOLDER/simple/<name>/index.html           a page that pip, uv and any web server can serve
FOLDER/simple/<name>/<file>               a wheel or a source distribution
FOLDER/simple/<name>/<file>.metadata      the metadata of a wheel (PEP 658)
FOLDER/manifests/<project>.json           which files a project saved, by `index.manifest`
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import tempfile
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from packaging.utils import NormalizedName

from poetry_tf.files.reading import read_file
from poetry_tf.http.pages import IndexFile, MalformedPage, parse_html

PAGES: Final = "simple"
MANIFESTS: Final = "manifests"
PAGE: Final = "index.html"
MAX_PAGE: Final = 20_000_000
"""Bytes of a page, as of one from the network."""
GENERATOR: Final = '<meta name="generator" content="poetry tf mirror save">'
"""The mark of a page that lists only what was saved. A web server sends it along."""
_HEAD: Final = 1000
_CHUNK: Final = 1024 * 1024

Progress = Callable[[int, int], None]


class SavedFolder:
    """A folder that `poetry tf mirror save` has filled, or any folder that is a simple index."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def pages(self) -> Path:
        """The root of the simple index."""
        own = self.path / PAGES
        return own if own.is_dir() else self.path

    @property
    def is_there(self) -> bool:
        with suppress(OSError):  # a name that is too long, a folder that can't be entered
            return self.path.is_dir()
        return False

    def path_of(self, name: NormalizedName, filename: str) -> Path | None:
        """Where a file of a distribution is; None if it isn't there."""
        if not (is_plain(name) and is_plain(filename)):
            return None
        path = self.pages / name / filename
        return path if path.is_file() else None

    def files(self, name: NormalizedName) -> Mapping[str, IndexFile]:
        """The files of a distribution that its page lists, and that are there, by name.

        Raises `OSError` or `MalformedPage` for a page that can't be read.
        """
        if not is_plain(name):
            return {}
        page = self.pages / name / PAGE
        try:
            text = read_file(page, MAX_PAGE).decode("utf-8")
        except FileNotFoundError:
            return {}
        except UnicodeDecodeError as error:
            raise MalformedPage(str(error)) from error
        found = parse_html(text, page.absolute().as_uri())
        return {
            file.filename: file for file in found if self.path_of(name, file.filename) is not None
        }

    def names(self) -> list[str]:
        """The distributions that have a folder here."""
        with suppress(OSError):
            return sorted(item.name for item in self.pages.iterdir() if (item / PAGE).is_file())
        return []

    def copy(
        self,
        name: NormalizedName,
        filename: str,
        dest: Path,
        hashes: Collection[str],
        progress: Progress,
    ) -> bool:
        """Copies a file that has one of these hashes ("sha256:…"); false if there is none.

        Nothing is left at `dest` unless it is whole.
        """
        source = self.path_of(name, filename)
        algorithms = {item.partition(":")[0] for item in hashes} & hashlib.algorithms_available
        if source is None or not algorithms:
            return False
        digests = {algorithm: hashlib.new(algorithm) for algorithm in algorithms}
        handle, raw = tempfile.mkstemp(prefix=f"{dest.name}.", suffix=".part", dir=dest.parent)
        part = Path(raw)
        try:
            with source.open("rb") as file, os.fdopen(handle, "wb") as out:
                total, position = os.fstat(file.fileno()).st_size, 0
                while chunk := file.read(_CHUNK):
                    out.write(chunk)
                    for digest in digests.values():
                        digest.update(chunk)
                    position += len(chunk)
                    progress(position, total)
            found = {f"{name}:{digest.hexdigest()}" for name, digest in digests.items()}
            if found.isdisjoint(hashes):
                return False
            part.replace(dest)
        finally:
            part.unlink(missing_ok=True)
        return True


def is_plain(name: str) -> bool:
    """Whether a name can be that of a file or a folder right in another, on every system."""
    return (
        bool(name)
        and not name.startswith(".")
        and not any(character in name for character in '/\\:\0<>"|?*')
    )


def is_saved_page(content: bytes) -> bool:
    """Whether a page is of a saved folder, and lists only a part of PyPI's files."""
    return GENERATOR.encode() in content[:_HEAD]


def part_of(path: Path) -> Path:
    """Where an unfinished download of a file is kept."""
    return path.with_name(f"{path.name}.part")


def hash_of(path: Path, algorithm: str) -> str:
    """The hash of a file, in the form of a lock: "sha256:…"."""
    digest: Any = hashlib.new(algorithm)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return f"{algorithm}:{digest.hexdigest()}"


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file in one step: others may read it meanwhile. Raises `OSError` with its name.

    It is left alone where it has that content already.
    """
    try:
        if path.is_file() and path.read_bytes() == content:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        # A name of its own: another machine may write the same file.
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        try:
            part.write_bytes(content)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise named(error, path) from error


def named(error: OSError, path: Path) -> OSError:
    """The same error with the name of the file, which writing to an open file leaves out."""
    number = error.errno or errno.EIO
    return OSError(number, error.strerror or os.strerror(number), str(path))
