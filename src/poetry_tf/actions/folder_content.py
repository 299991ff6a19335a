"""What is in the folder of `mirror save`: entries, pages, space, and what nothing names."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Sequence
from email.parser import BytesHeaderParser
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import NormalizedName, canonicalize_name
from poetry.core.constraints.version import Version
from poetry.repositories.exceptions import PackageNotFoundError

from poetry_tf.actions.build_requirements import package_info
from poetry_tf.actions.mirror_folder import WORKERS, WantedFile
from poetry_tf.actions.packed_wheel import NAME, pack
from poetry_tf.files.errors import WriteError
from poetry_tf.files.lock import Lock
from poetry_tf.http.parallel import run_parallel
from poetry_tf.index.failover import NotDownloadedError
from poetry_tf.index.manifest import (
    Manifest,
    ManifestError,
    SavedFile,
    listed_files,
    prune,
    read_manifests,
    read_saved,
    unnamed_files,
    write_metadata,
    write_pages,
)
from poetry_tf.index.release_records import record_path, write_record
from poetry_tf.index.saved_folder import PAGES, hash_of, write_whole
from poetry_tf.text import format_count, format_list, format_size

if TYPE_CHECKING:
    from poetry_tf.index.repository import RoutedRepository

_ROUNDS = 5
"""How often pages are written where other machines save meanwhile."""


def announcement(found: Sequence[WantedFile], sources: Sequence[WantedFile]) -> str:
    """How much there is to download, of which `sources` come first: more will follow of them."""
    size = format_size(sum(file.size for file in found))
    names, is_one = format_list(file.filename for file in sources), len(sources) == 1
    return (
        f"To download: {format_count(len(found), 'file')} ({size}), and what building {names} "
        f"needs, which is known once {'that file is' if is_one else 'those files are'} downloaded"
    )


def check_space(folder: Path, needed: int) -> None:
    """Raises `WriteError` where the disk can't hold so many bytes more."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise WriteError(
            f"{folder} needs {format_size(needed)}, but its disk has only {format_size(free)} left",
            "Free some space, or give another folder, fewer environments or fewer Pythons.",
        )


def write_all_pages(
    folder: Path, key: str, own: Manifest, remember: Callable[[Iterable[SavedFile]], None]
) -> tuple[list[Manifest], list[ManifestError]]:
    """Writes the pages for what every project saved. Returns the manifests, and faults.

    Where a manifest can't be read, pages keep what they list. They are written again where another
    machine has saved meanwhile.
    """
    others, unreadable = read_manifests(folder, key)
    for _ in range(_ROUNDS):
        manifests = [*others, own]
        files = [file for manifest in manifests for file in manifest.files]
        remember(files)
        write_pages(folder, [*(listed_files(folder) if unreadable else ()), *files])
        others, unreadable = read_manifests(folder, key)
        if [*others, own] == manifests:
            break
    return [*others, own], unreadable


def settle_unnamed(
    folder: Path, manifests: Sequence[Manifest], *, delete: bool
) -> tuple[tuple[Path, ...], int]:
    """Finds or deletes what no manifest names: paths and bytes."""
    unnamed = unnamed_files(folder, manifests, read_saved(folder))
    size = sum(path.stat().st_size for path in unnamed)
    if delete:
        prune(folder, manifests, unnamed)
    return tuple(unnamed), size


def packed(folder: Path) -> SavedFile:
    """The wheel of the running poetry-tf."""
    filename, content = pack()
    name = canonicalize_name(NAME)
    path = folder / PAGES / name / filename
    write_whole(path, content)
    version = filename.split("-")[1]
    digest = hashlib.sha256(content).hexdigest()
    file = WantedFile(name, version, filename, f"sha256:{digest}", "poetry", "packed")
    return recorded(file, folder)


def recorded(file: WantedFile, folder: Path) -> SavedFile:
    """The entry of a file that is in the folder; writes the metadata beside a wheel."""
    path = file.path(folder)
    is_wheel = path.suffix == ".whl"
    algorithm, _, digits = file.hash.partition(":")
    metadata = write_metadata(path) if is_wheel else package_info(path)
    return SavedFile(
        name=file.name,
        filename=file.filename,
        version=file.version,
        sha256=digits if algorithm == "sha256" else hash_of(path, "sha256").partition(":")[2],
        size=path.stat().st_size,
        use=file.use,
        hash_from=file.hash_from,
        requires_python=_requires_python(metadata or b""),
        metadata=hashlib.sha256(metadata).hexdigest() if metadata and is_wheel else None,
    )


def record_releases(
    lock: Lock, folder: Path, repository: RoutedRepository
) -> tuple[tuple[str, ...], list[str]]:
    """Keeps what the index says of each locked release. Returns the releases, and notes.

    Nothing is built for it: of a release without a wheel the lock says enough.
    """
    releases: list[str] = []
    jobs: list[Callable[[], str]] = []
    for package in lock.data.get("package", []):
        name, version = canonicalize_name(package["name"]), package["version"]
        path = record_path(folder, name, version)
        has_wheel = any(file.endswith(".whl") for file, _ in lock.hashes(package))
        if "source" in package or path is None or not has_wheel:
            continue
        releases.append(f"{name} {version}")
        if not path.is_file():
            jobs.append(partial(_record_release, repository, name, version, path))
    notes = run_parallel(jobs, workers=WORKERS).values()
    return tuple(sorted(releases)), [*filter(None, notes)]


def _record_release(
    repository: RoutedRepository, name: NormalizedName, version: str, path: Path
) -> str:
    """Keeps what the index says of a release; a note where it says nothing, else empty."""
    try:
        info = repository.get_release_info(name, Version.parse(version))
    except (PackageNotFoundError, NotDownloadedError):
        return f"{name} {version}: no index says what it requires; using the lock file"
    write_record(path, info)
    return ""


def _requires_python(metadata: bytes) -> str | None:
    value = BytesHeaderParser().parsebytes(metadata)["Requires-Python"]
    return None if value is None else str(value).strip() or None
