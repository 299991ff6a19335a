"""Saving in a folder what a lock needs on its targets, with Poetry and poetry-tf.

Valid files stay, corrupt ones are downloaded again, and interrupted downloads continue. Pages and
the manifest are written at the end, so that they list only files that are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from poetry_tf.actions.build_requirements import build_requirements, local_builds
from poetry_tf.actions.folder_content import (
    announcement,
    check_space,
    packed,
    record_releases,
    recorded,
    settle_unnamed,
    write_all_pages,
)
from poetry_tf.actions.lock import LockingError, mirrors_in_force
from poetry_tf.actions.mirror_folder import (
    WORKERS,
    Counter,
    SaveOptions,
    WantedFile,
    begun_bytes,
    build_lines,
    is_right,
    located,
    measured,
    merged,
    poetry_requirement,
    settle_targets,
    solve_requirements,
    wanted_of_lock,
)
from poetry_tf.actions.packed_wheel import NAME, packed_requirements, runs_on
from poetry_tf.files.errors import ProjectError, disk_error, write_error
from poetry_tf.files.lock import Lock
from poetry_tf.files.project import LOCK, Project
from poetry_tf.http.parallel import run_parallel
from poetry_tf.index.config import SettingLayer, option_layer
from poetry_tf.index.folder_lock import FolderLock, folder_lock
from poetry_tf.index.manifest import (
    LOCKS,
    Manifest,
    ManifestError,
    SavedFile,
    Use,
    manifest_name,
    read_saved,
    remove_left_parts,
    write_manifest,
    write_saved,
)
from poetry_tf.index.mirrors import MirrorError
from poetry_tf.index.resolve import may_name, parse_layer, resolve
from poetry_tf.index.routing import expected_files, locked_files, routed_repository
from poetry_tf.index.saved_folder import (
    MANIFESTS,
    PAGES,
    SavedFolder,
    named,
)
from poetry_tf.plan.environments import Target, format_targets
from poetry_tf.plan.lock_entries import is_source
from poetry_tf.plan.model import PlanError
from poetry_tf.plan.needed_files import ElsewherePackage
from poetry_tf.text import format_count, format_list, format_size

if TYPE_CHECKING:
    from poetry_tf.index.repository import RoutedRepository

_ROUNDS = 5
"""How often what builds a build requirement is looked for."""
SHOWN = 200_000_000
"""Bytes from which reading them takes so long that it is told."""
_READERS = 4
"""Files whose hashes are computed at a time."""
_KEPT = "what was saved is kept, and the same command continues from there"

UNKNOWN_BUILDS = (
    "Not saved, as it is not known before they are downloaded: what builds {}. Add that to a group "
    "(poetry add --group build NAME), and save again"
)


@dataclass(frozen=True)
class SaveWatcher:
    """Receives the progress of saving."""

    report: Callable[[str], None]
    """Gets a line for a person."""
    begin: Callable[[int, int, int], None]
    """Gets the number of files that are downloaded, their bytes, and those that are there already,
    of a run that was cut."""
    progress: Callable[[int, int], None]
    """Gets the files that are done, and the bytes. Called by several threads, one at a time."""


@dataclass(frozen=True)
class SaveResult:
    """What is in the folder for the project now."""

    targets: tuple[Target, ...]
    poetry: str
    files: tuple[SavedFile, ...]
    downloaded: int
    """How many of the files came now."""
    corrupt: tuple[str, ...]
    """The files that were there with another hash, and came again."""
    unnamed: tuple[Path, ...]
    """The files that no manifest names; deleted if that was asked for."""
    unnamed_bytes: int
    unreadable: tuple[ManifestError, ...]
    """The manifests of other projects that can't be read: nothing is deleted then."""
    notes: tuple[str, ...]


def save_folder(project: Project, options: SaveOptions, watcher: SaveWatcher) -> SaveResult:
    """Saves what the lock of a project needs.

    Raises `PlanError`, `ProjectError`, `WriteError`, and `NotDownloadedError` where no index gives
    something.
    """
    lock = _fresh_lock(project)
    targets = settle_targets(project, options)
    _prepare(options.folder)
    folder = options.folder
    with _disk_errors(folder), folder_lock(folder, watcher.report) as folder_held:
        remove_left_parts(folder)
        saving = _Saving(project, lock, targets, options, watcher, folder_held)
        return saving.run()


def _fresh_lock(project: Project) -> Lock:
    if isinstance(project.lock, ProjectError):
        raise project.lock
    if project.lock is None:
        raise PlanError(f"There is no {LOCK} in {project.root}", "Create it with `poetry lock`.")
    if not project.is_locked:
        raise PlanError(f"{LOCK} is out of date", "Run `poetry lock` first.")
    return project.lock


def _prepare(folder: Path) -> None:
    """Makes the folder. Raises `PlanError` where something else has its place."""
    pages, manifests = folder / PAGES, folder / MANIFESTS
    try:
        if pages.is_dir() and any(pages.iterdir()) and not manifests.is_dir():
            raise PlanError(
                f"{pages} exists, and was not made by `poetry tf mirror save`",
                "Give an empty folder.",
            )
        manifests.mkdir(parents=True, exist_ok=True)
        pages.mkdir(exist_ok=True)
    except OSError as error:
        raise write_error(error, Path(error.filename or folder), "nothing was written") from error


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    """Raises the error of a disk as `WriteError` with the file."""
    try:
        yield
    except OSError as error:
        if (disk := disk_error(error)) is None:
            raise
        raise write_error(disk, Path(disk.filename or folder), _KEPT) from error


@dataclass
class _Saving:
    """One run of `save_folder`."""

    project: Project
    lock: Lock
    targets: tuple[Target, ...]
    options: SaveOptions
    watcher: SaveWatcher
    held: FolderLock
    notes: list[str] = field(default_factory=list)
    corrupt: list[str] = field(default_factory=list)
    locks: set[str] = field(default_factory=set)
    right: set[Path] = field(default_factory=set)
    """The files in the folder whose hashes were compared."""
    places: dict[Path, WantedFile] = field(default_factory=dict)
    """The missing files as the index lists them."""
    downloaded: int = 0
    layers: tuple[SettingLayer, ...] = ()

    @cached_property
    def repository(self) -> RoutedRepository:
        """PyPI by the mirrors in force."""
        return self._repository()

    def run(self) -> SaveResult:
        folder = self.options.folder
        self.layers = self._layers()
        files, elsewhere = wanted_of_lock(
            self.lock, self.project, self.targets, "project", "poetry.lock"
        )
        if names := sorted({item.name for item in elsewhere}):
            self.notes.append(f"Not saved, as they don't come from PyPI: {format_list(names)}")
        poetry, note = poetry_requirement(self.lock)
        self.notes += [note] if note else []
        files = merged([*files, *self._tools(poetry)])
        files = merged([*files, *self._builders(files, elsewhere)])
        self._download(self._found(files))
        releases, unsaid = record_releases(self.lock, folder, self.repository)
        self.notes += unsaid
        saved = [*map(partial(recorded, folder=folder), files), packed(folder)]
        name = self.project.pyproject.name or self.project.root.name
        shown = format_targets(self.targets, ())
        manifest = Manifest(name, shown, poetry, tuple(sorted(self.locks)), releases, tuple(saved))
        key = manifest_name(canonicalize_name(name), self.project.root)
        self.held.check()
        write_manifest(folder, key, manifest)
        manifests, unreadable = write_all_pages(folder, key, manifest, self._remember)
        self.held.check()
        unnamed, freed = (
            ((), 0) if unreadable else settle_unnamed(folder, manifests, delete=self.options.prune)
        )
        return SaveResult(
            self.targets,
            poetry,
            manifest.files,
            self.downloaded,
            tuple(self.corrupt),
            unnamed,
            freed,
            tuple(unreadable),
            tuple(self.notes),
        )

    # -- the way to PyPI --------------------------------------------------------------------

    def _layers(self) -> tuple[SettingLayer, ...]:
        """The mirrors in force, without folders that stand alone: they can't supply themselves."""
        layers = mirrors_in_force(self.project, self.options.mirror)
        try:
            found = tuple(layer for layer in layers if parse_layer(layer).kind != "folder")
            resolve(found, may_name)
        except MirrorError as error:
            raise PlanError(str(error), "See `poetry tf mirror list`.") from None
        return found or (option_layer("pypi"),)

    def _repository(self) -> RoutedRepository:
        from poetry.config.config import Config

        shown: set[str] = set()

        def unreported(lines: Sequence[str]) -> list[str]:
            new = [line for line in lines if line not in shown]
            shown.update(lines)
            return new

        folders = [SavedFolder(path) for path in resolve(self.layers, may_name).folders]
        return routed_repository(
            self.layers,
            folders,
            config=Config.create(),
            disable_cache=False,
            expected=lambda: expected_files(locked_files(self.lock)),
            may_stand_alone=False,
            unreported=unreported,
            report=self.watcher.report,
        )

    # -- what is wanted ---------------------------------------------------------------------

    def _tools(self, poetry: str) -> list[WantedFile]:
        """Poetry and what poetry-tf requires; and pip, which pipx fetches for itself."""
        targets = tuple(target for target in self.targets if runs_on(target.python))
        if len(targets) < len(self.targets):
            left = sorted(
                {item.python for item in self.targets} - {item.python for item in targets}
            )
            self.notes.append(
                f"poetry-tf does not run on Python {format_list(left)}: Poetry is not saved for it"
            )
        requirements = [f"poetry=={poetry}", *packed_requirements(), "pip"]
        what = f"what Poetry {poetry} and poetry-tf need"
        return self._solved(what, requirements, "poetry", targets) if targets else []

    def _builders(
        self, files: Sequence[WantedFile], elsewhere: Sequence[ElsewherePackage]
    ) -> list[WantedFile]:
        """What builds the source distributions and the folders, and what builds that."""
        found = self._local_builders(elsewhere)
        known: set[tuple[str, ...]] = set()
        sources = [file for file in merged([*files, *found]) if is_source(file.filename)]
        for _ in range(_ROUNDS):
            if not sources:
                break
            if missing := self._missing(sources):
                self._announce(merged([*files, *found]), missing)
                self._download(self._found(missing))
            more: list[WantedFile] = []
            for file in sources:
                requires = build_requirements(file.path(self.options.folder))
                if requires not in known:
                    known.add(requires)
                    more += self._builder(file.filename, requires)
            new = [item for item in merged(more) if item not in found]
            found += new
            sources = [item for item in new if is_source(item.filename)]
        return found

    def _local_builders(self, elsewhere: Sequence[ElsewherePackage]) -> list[WantedFile]:
        """What builds the packages at paths, which travel with the project."""
        builds, unknown = local_builds(self.project, elsewhere)
        found: list[WantedFile] = []
        for name, requires in builds.items():
            try:
                found += self._builder(name, requires)
            except PlanError as error:  # a source of the project may have it
                self.notes.append(f"{error.message}: it is not saved")
        if unknown:
            self.notes.append(UNKNOWN_BUILDS.format(format_list(unknown)))
        return merged(found)

    def _builder(self, name: str, requires: Sequence[str]) -> list[WantedFile]:
        lines, other = build_lines(requires)
        if other:
            self.notes.append(
                f"Not saved, because no index has it: {format_list(other)}, needed to build {name}"
            )
        what = f"what builds {name}"
        return self._solved(what, lines, "build", self.targets) if lines else []

    def _solved(
        self, what: str, lines: Sequence[str], use: Use, targets: Sequence[Target]
    ) -> list[WantedFile]:
        locks = self.options.folder / LOCKS
        begin = partial(self.watcher.report, f"Looking up {what}")
        try:
            path, lock, project = solve_requirements(lines, targets, self.layers, locks, begin)
        except LockingError as error:
            raise PlanError(f"Could not resolve {what} for these targets", str(error)) from error
        self.locks.add(path.name)
        files, _ = wanted_of_lock(lock, project, targets, use, "index")
        # It is packed, and no index is asked for it.
        return [file for file in files if file.name != NAME]

    # -- files ------------------------------------------------------------------------------

    def _missing(self, files: Sequence[WantedFile]) -> list[WantedFile]:
        """The files that aren't in the folder, or with another hash."""
        folder = self.options.folder
        files = [file for file in files if file.path(folder) not in self.right]
        there = [path for file in files if (path := file.path(folder)).is_file()]
        if (size := sum(path.stat().st_size for path in there)) > SHOWN:
            count = format_count(len(there), "file")
            self.watcher.report(f"Checking {count} that {folder} already has ({format_size(size)})")
        jobs = [partial(is_right, file, folder) for file in files]
        results = run_parallel(jobs, workers=_READERS).values()
        missing = []
        for file, right in zip(files, results, strict=True):
            if right:
                self.right.add(file.path(folder))
            else:
                missing.append(file)
            if right is False:
                self.corrupt.append(file.filename)
                file.path(folder).unlink()
        return missing

    def _announce(self, files: Sequence[WantedFile], sources: Sequence[WantedFile]) -> None:
        """Reports how much there is to download, before the sources that will need more."""
        self.watcher.report(announcement(self._found(files), sources))

    def _found(self, files: Sequence[WantedFile]) -> list[WantedFile]:
        """Those that are missing, with address and size."""
        missing = self._missing(files)
        if new := [file for file in missing if file.path(self.options.folder) not in self.places]:
            for file in measured(located(new, self.repository), self.repository):
                self.places[file.path(self.options.folder)] = file
        return [self.places[file.path(self.options.folder)] for file in missing]

    def _download(self, files: Sequence[WantedFile]) -> None:
        if not files:
            return
        total, begun = sum(file.size for file in files), begun_bytes(files, self.options.folder)
        check_space(self.options.folder, total - begun)
        self._remember(files)
        self.watcher.begin(len(files), total, begun)
        counter = Counter(self.watcher.progress)
        run_parallel([partial(self._fetch, file, counter) for file in files], workers=WORKERS)
        self.downloaded += len(files)
        self.right.update(file.path(self.options.folder) for file in files)

    def _remember(self, files: Iterable[WantedFile | SavedFile]) -> None:
        """Keeps which files are of this folder, before they are there: others are never deleted."""
        folder = self.options.folder
        self.held.check()
        write_saved(folder, read_saved(folder) | {(file.name, file.filename) for file in files})

    def _fetch(self, file: WantedFile, counter: Counter) -> None:
        path = file.path(self.options.folder)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            progress = partial(counter.move, file.filename)
            self.repository.save(file.name, file.url, path, [file.hash], progress)
            counter.end(file.filename, path.stat().st_size)
        except OSError as error:
            if disk_error(error) is None:
                raise
            raise named(error, path) from error
