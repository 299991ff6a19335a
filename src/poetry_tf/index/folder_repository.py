"""PyPI from folders only: the locked releases, with files from the folders and no network.

A folder holds only some of the files of a release, so no lock can be made from its pages. Poetry
gets the locked releases, as the lock has them: with the requirements and with every hash. Only the
build of a source distribution, which locks nothing, chooses among the files that are there.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

from packaging.utils import NormalizedName, canonicalize_name
from poetry.console.exceptions import PoetryRuntimeError
from poetry.core.constraints.version import Version, VersionConstraint
from poetry.core.packages.package import Package
from poetry.core.packages.utils.link import Link
from poetry.inspection.info import PackageInfo
from poetry.repositories.cached_repository import CachedRepository
from poetry.repositories.exceptions import PackageNotFoundError
from poetry.repositories.link_sources.base import LinkSource

import poetry_tf
from poetry_tf.http.pages import MalformedPage
from poetry_tf.index.credentials import PYPI
from poetry_tf.index.fetching import FileSupply, is_building, supply_files
from poetry_tf.index.locked_packages import as_indexed, by_name
from poetry_tf.index.release_records import read_record
from poetry_tf.index.saved_folder import SavedFolder
from poetry_tf.index.wheel_metadata import check_requirements
from poetry_tf.poetry_internals.overrides import override
from poetry_tf.text import escape_markup, format_list, shell_word

if TYPE_CHECKING:
    from poetry.config.config import Config
    from poetry.core.packages.dependency import Dependency


_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


@dataclass(frozen=True)
class CommandLine:
    """What is running, for a shell."""

    text: str
    """To run it again: "poetry add six"."""
    place: str = ""
    """Its options that say where the project is, each after a space."""


ANY_COMMAND: Final = CommandLine("poetry …")


class FolderError(PoetryRuntimeError):
    """Something that can't be had from folders only."""


class NotLockedError(FolderError):
    """A release that is not locked was requested, and a saved folder is the only mirror."""

    def __init__(
        self,
        name: str,
        wanted: VersionConstraint,
        locked: Sequence[Version],
        server: str = "",
        folders: Sequence[SavedFolder] = (),
        *,
        command: CommandLine,
        lock: Path | None,
    ) -> None:
        """The only mirror is a saved folder on a web server, or folders of this machine."""
        self.name, self.wanted, self.locked = name, wanted, tuple(locked)
        has_lock = lock is None or lock.is_file()
        place = f"saved folder at {server}" if server else "folder "
        place += format_list(str(folder.path) for folder in folders)
        # A constraint looks like no style: what follows its "<" is a number.
        what = escape_markup(name) + ("" if wanted.is_any() else f" ({wanted})")
        held = f" (locked: {format_list(map(str, locked))})" if locked else ""
        why = f"{what} is not in poetry.lock{held}" if has_lock else "There is no poetry.lock"
        restore = "" if has_lock else "Restore poetry.lock if it was deleted. "
        super().__init__(
            f"<error>{why}, and the only mirror is the {escape_markup(place)}, "
            "which has only what was locked.</error>\n"
            f"{restore}Where there is a network, run the command with another mirror, and save "
            "again:\n"
            f"  <c1>POETRY_TF_MIRROR=pypi {escape_markup(command.text)}</c1>\n"
            f"  <c1>{_save_command(folders, command)}</c1>"
        )


class NotSavedError(FolderError):
    """The folders have no file of a locked release, or none for the environment."""

    def __init__(
        self,
        package: Package,
        folders: Sequence[SavedFolder],
        command: CommandLine,
        python: str | None = None,
    ) -> None:
        self.package, self.python = package, python
        title = f"{package.pretty_name} {package.version}"
        what = f"file of {title}"
        fit = "" if python is None else f" for Python {python} on this system"
        where = format_list(str(folder.path) for folder in folders)
        options = "" if python is None else f" --python {python}"
        super().__init__(
            f"<error>The folder {escape_markup(where)} has no {escape_markup(what)}{fit}."
            "</error>\nWhere there is a network, run:\n"
            f"  <c1>{_save_command(folders, command)}{options}</c1>"
            + ("" if python is None else "\nFor another system add --environments.")
        )


class NoBuilderError(FolderError):
    """The folders lack what a build requires."""

    def __init__(
        self, unmet: Sequence[Dependency], folders: Sequence[SavedFolder], command: CommandLine
    ) -> None:
        where = format_list(str(folder.path) for folder in folders)
        what = format_list(dict.fromkeys(item.base_pep_508_name for item in unmet))
        names = " ".join(dict.fromkeys(item.name for item in unmet))
        add = f"poetry add --group build {names}{command.place}"
        super().__init__(
            f"<error>The folder {escape_markup(where)} does not have {escape_markup(what)}, which "
            "the build requires.</error>\nWhere there is a network, run:\n"
            f"  <c1>{_save_command(folders, command)}</c1>\n"
            "What builds a package from Git, a URL or another index is saved with a group that has "
            f"it. Before that, run:\n  <c1>{escape_markup(add)}</c1>"
        )


class CorruptFileError(FolderError):
    """A file in the folder does not have the locked hash."""

    def __init__(self, path: Path, folders: Sequence[SavedFolder], command: CommandLine) -> None:
        self.path = path
        super().__init__(
            f"<error>{escape_markup(str(path))} is corrupt: its hash is not the one in "
            "poetry.lock.</error>\nWhere there is a network, run:\n"
            f"  <c1>{_save_command(folders, command)}</c1>"
        )


class NoFolderError(FolderError):
    """None of the folders that the setting names exists."""

    def __init__(self, folders: Sequence[SavedFolder], place: str) -> None:
        self.folders = tuple(folders)
        where = escape_markup(format_list(str(folder.path) for folder in folders))
        what = (
            f"folder {where} does not exist, and is the only mirror"
            if len(folders) == 1
            else f"folders {where} do not exist, and are the only mirrors"
        )
        super().__init__(
            f"<error>The {what} ({escape_markup(place)}).</error>\n"
            "Mount it, or use another mirror: <c1>POETRY_TF_MIRROR=pypi poetry …</c1>\n"
            "In a container use the address of a web server that serves it."
        )


def _save_command(folders: Sequence[SavedFolder], command: CommandLine) -> str:
    folder = (shell_word(str(folders[0].path)) if folders else None) or "FOLDER"
    return escape_markup(f"{poetry_tf.program} mirror save {folder}{command.place}")


class FolderRepository(CachedRepository, FileSupply):
    """Poetry's PyPI from folders.

    Args:
        locked: the packages of PyPI in the lock of the project.
        lock: the file.
        command: what is running, to run it again.
        notices: what a person is told before the first use.
    """

    def __init__(
        self,
        folders: Sequence[SavedFolder],
        place: str,
        *,
        locked: Callable[[], Sequence[Package]],
        lock: Path,
        command: CommandLine,
        notices: Sequence[str],
        report: Callable[[str], None],
        config: Config,
    ) -> None:
        super().__init__(PYPI, disable_cache=True, config=config)
        self.folders, self._place = folders, place
        self._read_locked, self._notices, self._report = locked, list(notices), report
        self._lock, self._command = lock, command
        self._choosing = threading.Lock()

    def choose(self) -> None:
        """Reports the notices, once. Raises `NoFolderError`."""
        with self._choosing:
            notices, self._notices = self._notices, []
        for line in notices:
            self._report(line)
        if not any(folder.is_there for folder in self.folders):
            raise NoFolderError(self.folders, self._place)

    @cached_property
    def _locked(self) -> dict[NormalizedName, tuple[Package, ...]]:
        return by_name(self._read_locked())

    def _saved(self, name: NormalizedName) -> Iterator[tuple[Version, Path, str]]:
        """The saved files of a distribution: version, place, hash."""
        for folder in self.folders:
            with suppress(OSError, MalformedPage):
                for filename, file in folder.files(name).items():
                    path = folder.path_of(name, filename)
                    package = LinkSource.link_package_data(Link(file.url))
                    version = package.version if package is not None else None
                    if path is not None and version is not None and file.sha256 is not None:
                        yield version, path, f"sha256:{file.sha256}"

    # -- what Poetry asks -------------------------------------------------------------------

    @override
    def find_packages(self, dependency: Dependency) -> list[Package]:
        self.choose()
        name, constraint = dependency.name, dependency.constraint
        if not _NAME.fullmatch(name):
            return []  # a path that leads nowhere, say: Poetry tells that it found nothing
        if is_building():
            saved = {version for version, _, _ in self._saved(name)}
            return [Package(name, version) for version in saved if constraint.allows(version)]
        packages = self._locked.get(name, ())
        versions = [item.version for item in packages if constraint.allows(item.version)]
        found = [Package(name, version) for version in versions]
        if not found:
            held = [item.version for item in packages]
            raise self._not_locked(name, constraint, held)
        return found

    def explain_build(self, unmet: Sequence[Dependency]) -> NoBuilderError | None:
        """The error for a build with these requirements that nothing meets; None if all are met."""
        lacking = [
            item
            for item in unmet
            if not any(item.constraint.allows(version) for version, _, _ in self._saved(item.name))
        ]
        return NoBuilderError(lacking, self.folders, self._command) if lacking else None

    @override
    def _find_packages(self, name: NormalizedName, constraint: Any) -> list[Package]:
        raise NotImplementedError  # only for `find_packages`

    @override
    def package(self, name: str, version: Version) -> Package:
        self.choose()
        if is_building():
            return super().package(name, version)
        locked = self._locked_package(canonicalize_name(name), version)
        # Without a record the lock alone is near enough to go on with.
        return super().package(name, version) if self._record(locked) else as_indexed(locked)

    @override
    def _get_release_info(self, name: NormalizedName, version: Version) -> dict[str, Any]:
        if is_building():
            return self._saved_info(name, version).asdict()
        locked = self._locked_package(name, version)
        files: list[Any] = [{key: file[key] for key in ("file", "hash")} for file in locked.files]
        record = self._record(locked) or {}
        info = PackageInfo(
            name=name,
            version=version.text,
            files=files,
            cache_version=str(self.CACHE_VERSION),
            **record,
        )
        return check_requirements(name, info).asdict()

    def _locked_package(self, name: NormalizedName, version: Version) -> Package:
        for package in self._locked.get(name, ()):
            if package.version == version:
                return package
        raise self._not_locked(name, version, ())

    def _not_locked(
        self, name: str, wanted: VersionConstraint, held: Sequence[Version]
    ) -> NotLockedError:
        return NotLockedError(
            name,
            wanted,
            held,
            folders=self.folders,
            command=self._command,
            lock=self._lock,
        )

    def _record(self, locked: Package) -> dict[str, Any] | None:
        for folder in self.folders:
            record = read_record(folder.path, locked.name, locked.version.text)
            if record is not None:
                return record
        return None

    def _saved_info(self, name: NormalizedName, version: Version) -> PackageInfo:
        files = [(path, digest) for item, path, digest in self._saved(name) if item == version]
        if not files:
            raise PackageNotFoundError(f"{name} ({version}) is not saved.")
        wheels = [path for path, _ in files if path.suffix == ".whl"]
        path = (wheels or [files[0][0]])[0]
        info = PackageInfo.from_wheel(path) if wheels else PackageInfo.from_sdist(path)
        info = check_requirements(path.name, info)
        return PackageInfo(
            name=name,
            version=version.text,
            summary=info.summary,
            requires_dist=info.requires_dist,
            requires_python=info.requires_python,
            files=[{"file": path.name, "hash": digest} for path, digest in files],
            cache_version=str(self.CACHE_VERSION),
        )

    @override
    def find_links_for_package(self, package: Package) -> list[Link]:
        """The files of a locked package that are there, with their locked hashes."""
        self.choose()
        supply_files()
        links = []
        for file in package.files:
            algorithm, _, digits = file["hash"].partition(":")
            for folder in self.folders:
                path = folder.path_of(package.name, file["file"])
                if path is not None:
                    links.append(Link(f"{path.absolute().as_uri()}#{algorithm}={digits}"))
                    break
        if not links:
            raise NotSavedError(package, self.folders, self._command)
        return links

    # -- what the installer asks ------------------------------------------------------------

    @override
    def fetch(
        self, package: Package, url: str, dest: Path, progress: Callable[[int, int], None]
    ) -> None:
        path = Path(url2pathname(urlsplit(url).path))
        hashes = [file["hash"] for file in package.files if file["file"] == path.name]
        for folder in self.folders:
            if folder.copy(package.name, path.name, dest, hashes, progress):
                return
        raise CorruptFileError(path, self.folders, self._command)

    @override
    def explain_unfit(self, package: Package, python: str, error: Exception) -> Exception | None:
        is_own = isinstance(error, FolderError)
        return None if is_own else NotSavedError(package, self.folders, self._command, python)
