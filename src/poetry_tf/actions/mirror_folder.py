"""What `mirror save` has to put into a folder: targets, tools, build requirements, addresses."""

from __future__ import annotations

import hashlib
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from cleo.io.null_io import NullIO
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import NormalizedName, canonicalize_name

from poetry_tf.actions.lock import solve_lock
from poetry_tf.actions.packed_wheel import packed_requirements
from poetry_tf.devcontainer.image import container_python
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.lock import Lock
from poetry_tf.files.project import PYPROJECT, Devcontainer, Project
from poetry_tf.files.reading import MAX_LOCK_BYTES, read_file
from poetry_tf.http.parallel import run_parallel
from poetry_tf.index.config import SettingLayer
from poetry_tf.index.manifest import HashOrigin, Use
from poetry_tf.index.saved_folder import PAGES, hash_of, is_plain, part_of, write_whole
from poetry_tf.plan.derive import derive_plan
from poetry_tf.plan.environments import Target, format_targets, make_targets
from poetry_tf.plan.model import CONTAINER_PLATFORM, PlanError
from poetry_tf.plan.needed_files import ElsewherePackage, needed_files
from poetry_tf.plan.python import admitted_minors, project_pythons, python_range
from poetry_tf.plan.settings import read_settings
from poetry_tf.releases import load
from poetry_tf.releases.images import load_images
from poetry_tf.releases.model import numbers

if TYPE_CHECKING:
    from poetry_tf.index.repository import RoutedRepository

WORKERS = 8
"""Requests at a time, as many as one host has to bear; of large files one of a host."""
_MINOR = re.compile(r"3\.\d{1,2}")


@dataclass(frozen=True)
class SaveOptions:
    """The options of `mirror save`; None where one was not given."""

    folder: Path
    environments: tuple[str, ...] | None = None
    pythons: tuple[str, ...] | None = None
    mirror: str | None = None
    prune: bool = False


@dataclass(frozen=True)
class WantedFile:
    """A file that has to be in the folder."""

    name: NormalizedName
    version: str
    filename: str
    hash: str
    use: Use
    hash_from: HashOrigin
    url: str = ""
    size: int = 0

    def path(self, folder: Path) -> Path:
        return folder / PAGES / self.name / self.filename


# -- targets --------------------------------------------------------------------------------


def settle_targets(project: Project, options: SaveOptions) -> tuple[Target, ...]:
    """The targets to save for: by default the container's Python on the declared environments."""
    declared = read_settings(project)[0].environments
    environments = options.environments or declared or (CONTAINER_PLATFORM,)
    pythons = options.pythons or (_container_python(project),)
    for minor in pythons:
        if not _MINOR.fullmatch(minor):
            raise PlanError(f"{minor!r} is not a minor version of Python", "Give one such as 3.12.")
        if not admitted_minors([minor], project_pythons(project)):
            raise PlanError(
                f"The project does not allow Python {minor}", "Give another with --python."
            )
    return make_targets(dict.fromkeys(environments), tuple(dict.fromkeys(pythons)))


def _container_python(project: Project) -> str:
    """The Python of the container, else the one that a container would have."""
    found = project.devcontainer
    python = container_python(found.document) if isinstance(found, Devcontainer) else None
    if python is None and (plan := derive_plan(project, load(), load_images())) is not None:
        python = plan.python
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    if python is None and admitted_minors([running], project_pythons(project)):
        python = running  # without TensorFlow no container is planned
    if python is None:
        raise PlanError(
            "The project does not say for which Python to save", "Give it with --python."
        )
    return python


# -- what is wanted -------------------------------------------------------------------------


def wanted_of_lock(
    lock: Lock, project: Project, targets: Sequence[Target], use: Use, hash_from: HashOrigin
) -> tuple[list[WantedFile], tuple[ElsewherePackage, ...]]:
    """What targets install of a lock, and what they install that PyPI does not have.

    Raises `PlanError` where a package has no file for a target.
    """
    needed = needed_files(lock, project.pyproject, targets, load_images().systems)
    if needed.obstacles:
        first = needed.obstacles[0]
        raise PlanError(
            f"{first.package.name} {first.package.version} has no file for "
            f"{format_targets(first.targets, ())}",
            "Give others with --environments and --python.",
        )
    for file in needed.files:
        if not (is_plain(file.name) and is_plain(file.filename)):
            raise PlanError(f"{file.filename!r} of {file.name} is not a file name", "")
    files = [
        WantedFile(file.name, file.version, file.filename, file.hash, use, hash_from)
        for file in needed.files
    ]
    return files, needed.elsewhere


def poetry_requirement(lock: Lock) -> tuple[str, str | None]:
    """The version of Poetry to save: that of the lock; and a note where it can't be that one."""
    own = metadata.version("poetry")
    version = lock.poetry_version
    admitted = next(
        Requirement(line).specifier
        for line in packed_requirements()
        if canonicalize_name(Requirement(line).name) == "poetry"
    )
    if version is None:
        return own, f"The lock file does not say which Poetry wrote it: Poetry {own} is saved"
    if not admitted.contains(version, prereleases=True):
        note = f"poetry-tf needs Poetry {admitted}, but the lock file is from {version}"
        return own, f"{note}: Poetry {own} is saved"
    return str(version), None


def solve_requirements(
    requirements: Iterable[str],
    targets: Sequence[Target],
    layers: tuple[SettingLayer, ...],
    locks: Path,
    begin: Callable[[], None],
) -> tuple[Path, Lock, Project]:
    """A lock of requirements for the Pythons of the targets, and its file in the folder `locks`.

    One that is there stays: it is the same for every project that needs the same. Else `begin` is
    called. Raises `LockingError`, and `OSError` with the file's name.
    """
    pythons = sorted({target.python for target in targets}, key=numbers)
    lines = "".join(f"  {_toml(line)},\n" for line in requirements)
    # The last table has Poetry read PyPI as it does in the project.
    text = (
        f'[project]\nname = "saved"\nversion = "0"\nrequires-python = "{python_range(pythons)}"\n'
        f"dependencies = [\n{lines}]\n\n"
        '[tool.poetry]\npackage-mode = false\n\n[tool.poetry-tf]\ndevcontainer = "off"\n'
    )
    path = locks / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.lock"
    with tempfile.TemporaryDirectory(prefix="poetry-tf-") as folder:
        root = Path(folder)
        (root / PYPROJECT).write_text(text, "utf-8")
        project = Project.read(root)
        with suppress(OSError, UnicodeDecodeError, ProjectError):
            lock = Lock.read(path, read_file(path, MAX_LOCK_BYTES).decode("utf-8"))
            if replace(project, lock=lock).is_locked:
                return path, lock, project
        begin()
        lock = solve_lock(project, layers, NullIO())
    write_whole(path, lock.text.encode())
    return path, lock, project


def _toml(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def build_lines(requires: Iterable[str]) -> tuple[list[str], list[str]]:
    """Build requirements that an index serves, and those that none does."""
    served: list[str] = []
    other: list[str] = []
    for line in requires:
        try:
            (other if Requirement(line).url else served).append(line)
        except InvalidRequirement:
            other.append(line)
    return served, other


# -- where it is ----------------------------------------------------------------------------


def located(files: Sequence[WantedFile], repository: RoutedRepository) -> list[WantedFile]:
    """The files with address and size, as the index lists them.

    Raises `PlanError` for one that no index lists, `NotDownloadedError` where none answers.
    """
    names = list(dict.fromkeys(file.name for file in files))
    jobs = [partial(repository.listed, name) for name in names]
    pages = dict(zip(names, run_parallel(jobs, workers=WORKERS).values(), strict=True))
    found: list[WantedFile] = []
    for file in files:
        listed = pages[file.name].get(file.filename)
        if listed is None:
            raise PlanError(
                f"No index lists {file.filename}",
                "It may have been deleted. To compare with PyPI: poetry tf mirror verify",
            )
        found.append(replace(file, url=listed.url, size=listed.size or 0))
    return found


def measured(files: Sequence[WantedFile], repository: RoutedRepository) -> list[WantedFile]:
    """The files with their sizes, which pages in HTML don't have; 0 where no server says it."""
    jobs: list[Callable[[], WantedFile]] = [partial(_measured, file, repository) for file in files]
    return [*run_parallel(jobs, workers=WORKERS).values()]


def _measured(file: WantedFile, repository: RoutedRepository) -> WantedFile:
    if file.size:
        return file
    answer = repository.mirrors.request("head", file.url, raise_for_status=False)
    length = answer.headers.get("Content-Length", "")
    return replace(file, size=int(length) if answer.ok and length.isdigit() else 0)


# -- what is there --------------------------------------------------------------------------


def merged(files: Sequence[WantedFile]) -> list[WantedFile]:
    """Each file once; of two uses the first counts."""
    found: dict[tuple[str, str], WantedFile] = {}
    for file in files:
        found.setdefault((file.name, file.filename), file)
    return [*found.values()]


def is_right(file: WantedFile, folder: Path) -> bool | None:
    """Whether a file has its hash; None where it isn't there."""
    path = file.path(folder)
    if not path.is_file():
        return None
    return hash_of(path, file.hash.partition(":")[0]) == file.hash


def begun_bytes(files: Iterable[WantedFile], folder: Path) -> int:
    """The bytes of these files that an interrupted run has left."""
    begun = 0
    for file in files:
        with suppress(OSError):
            begun += part_of(file.path(folder)).stat().st_size
    return begun


class Counter:
    """Adds up the progress of several downloads, and reports it, one at a time."""

    def __init__(self, progress: Callable[[int, int], None]) -> None:
        self._progress, self._lock = progress, threading.Lock()
        self._bytes: dict[str, int] = {}
        self._done: set[str] = set()

    def move(self, filename: str, position: int, _total: int) -> None:
        with self._lock:
            self._bytes[filename] = position
            self._tell()

    def end(self, filename: str, size: int) -> None:
        with self._lock:
            self._bytes[filename] = size
            self._done.add(filename)
            self._tell()

    def _tell(self) -> None:
        self._progress(len(self._done), sum(self._bytes.values()))
