"""Choosing the mirrors of PyPI by ``tf.mirror``, and putting them in the place of Poetry's PyPI.

PyPI is read as a simple index, of a mirror or its own, and packages are handed on as PyPI's own:
without a source, so that no trace of the mirror gets into the lock. One repository for every
mirror also means one lock for every mirror.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from packaging.utils import canonicalize_name
from poetry.core.packages.package import Package
from poetry.repositories.legacy_repository import LegacyRepository
from poetry.repositories.pypi_repository import PyPiRepository

import poetry_tf
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.lock import Lock
from poetry_tf.files.reading import MAX_LOCK_BYTES, read_file
from poetry_tf.index import prefetch
from poetry_tf.index.answers import ExpectedFiles, LockedFile
from poetry_tf.index.auto import choice_memory, choose_automatically
from poetry_tf.index.config import SettingLayer, pypi_index, setting_layers
from poetry_tf.index.credentials import PYPI, make_grants
from poetry_tf.index.failover import IndexRoot, MirrorRoute
from poetry_tf.index.folder_repository import (
    ANY_COMMAND,
    CommandLine,
    FolderRepository,
    NotLockedError,
)
from poetry_tf.index.folder_setting import folder_value
from poetry_tf.index.locked_packages import locked_from_pypi
from poetry_tf.index.mirrors import (
    Mirror,
    MirrorError,
    MirrorSetting,
    independent_of,
    without_credentials,
)
from poetry_tf.index.pages import SortedPage
from poetry_tf.index.repository import RoutedRepository
from poetry_tf.index.resolve import (
    ResolvedMirror,
    may_name,
    parse_layer,
    resolve,
    user_mirrors,
)
from poetry_tf.index.saved_folder import SavedFolder
from poetry_tf.index.session import MirrorSession
from poetry_tf.poetry_internals import patches, reads
from poetry_tf.poetry_internals.notices import write_notice
from poetry_tf.poetry_internals.overrides import require_overrides
from poetry_tf.releases import DISTRIBUTIONS, hashes, load
from poetry_tf.text import escape_markup, shell_word

if TYPE_CHECKING:
    from cleo.io.io import IO
    from cleo.io.outputs.output import Output
    from poetry.config.config import Config
    from poetry.poetry import Poetry
    from poetry.repositories.repository import Repository


# Set while poetry-tf itself solves with a mirror that is in no file yet: Poetry creates a new
# instance of itself for each isolated build, which has to use the same mirror.
_in_force: ContextVar[tuple[SettingLayer, ...] | None] = ContextVar("_in_force", default=None)
# What was reported already, by the output of the command: it may create several instances too.
_reported: WeakKeyDictionary[Output, set[str]] = WeakKeyDictionary()


_PLACES = frozenset({"--directory", "--project"})
"""Poetry's options that say where the project is."""
_OPTION = re.compile(r"-[\w.,=-]*", re.ASCII)


@contextmanager
def forced(layers: tuple[SettingLayer, ...]) -> Iterator[None]:
    """Within it, every Poetry instance uses these layers of ``tf.mirror``."""
    token = _in_force.set(layers)
    try:
        yield
    finally:
        _in_force.reset(token)


def is_forced() -> bool:
    """Whether a command of poetry-tf solves, within `forced`."""
    return _in_force.get() is not None


def install(poetry: Poetry, io: IO, *, managed: bool) -> None:
    """Replaces the pool's PyPI in place, keeping the order and priority of the sources.

    In a managed project also without a mirror: PyPI is then read as a simple index, so that the
    lock is the same with and without one. A setting that is not understood costs one line of
    warning, and Poetry's own PyPI stays.
    """
    pool = poetry.pool
    if not pool.has_repository(PYPI):
        return  # the project has other sources in place of PyPI
    layers = _in_force.get()
    if layers is None:
        layers = setting_layers(poetry.pyproject_path.parent)
    current = pool.repository(PYPI)
    if not (managed or layers) or not (
        isinstance(current, PyPiRepository) or _is_plugins(current, layers)
    ):
        return
    try:
        first = parse_layer(layers[0]) if layers else MirrorSetting("off")
        # A folder decides what stands in PyPI's place; another setting is resolved when it is used.
        resolved = resolve(layers, may_name) if _name_folders(layers) else ResolvedMirror(first)
    except MirrorError as error:
        what = escape_markup(f"tf.mirror is not understood: {error}")
        write_notice(io, f"<warning>poetry-tf: {what}</>")
        return
    if first.kind == "off" and not (managed or layers[0].value):
        return

    def report(line: str) -> None:
        # stderr, because scripts read what Poetry writes to stdout.
        write_notice(io, f"poetry-tf: {escape_markup(line)}")

    def locked() -> list[Package]:
        return locked_from_pypi(poetry.locker.locked_repository().packages)

    folders = [SavedFolder(path) for path in resolved.folders]
    replacement: Repository
    if resolved.setting.kind == "folder":
        require_overrides(FolderRepository)
        assert resolved.layer is not None
        there = [folder for folder in folders if folder.is_there]
        gone = [folder for folder in folders if folder not in there] if there else ()
        missing = [f"the folder {folder.path} does not exist: not used" for folder in gone]
        replacement = FolderRepository(
            there or folders,
            resolved.layer.place,
            locked=locked,
            lock=Path(poetry.locker.lock),
            command=_command_of(io),
            notices=_unreported(io, [*resolved.notices, *missing]),
            report=report,
            config=poetry.config,
        )
    else:
        replacement = routed_repository(
            layers,
            folders,
            config=poetry.config,
            disable_cache=poetry.disable_cache,
            expected=lambda: _expected_files(poetry),
            locked=locked,
            command=_command_of(io),
            lock=Path(poetry.locker.lock),
            unreported=lambda notices: _unreported(io, notices),
            report=report,
        )
    # The pool cannot replace one: all are removed and added again in their order.
    order = [(item, pool.get_priority(item.name)) for item in pool.all_repositories]
    for repository, _ in order:
        pool.remove_repository(repository.name)
    for repository, priority in order:
        pool.add_repository(replacement if repository is current else repository, priority=priority)


def routed_repository(
    layers: Sequence[SettingLayer],
    folders: Sequence[SavedFolder],
    *,
    config: Config,
    disable_cache: bool,
    expected: Callable[[], ExpectedFiles],
    locked: Callable[[], Sequence[Package]] = tuple,
    may_stand_alone: bool = True,
    command: CommandLine = ANY_COMMAND,
    lock: Path | None = None,
    unreported: Callable[[Sequence[str]], Sequence[str]],
    report: Callable[[str], None],
) -> RoutedRepository:
    """PyPI by the mirrors of these layers; files also from the folders.

    `may_stand_alone`: whether the folders could be the only mirror. `unreported` are those of the
    notices that have not been shown by this command.
    """
    for cls in (RoutedRepository, MirrorSession, SortedPage):
        require_overrides(cls)
    # Tried now: in the middle of a solve it would stop commands that can do without a mirror.
    patches.without_source(
        Package("x", "0", source_type="legacy", source_url="x", source_reference="x")
    )
    named = [mirror for layer in layers for mirror in _mirrors_of(layer)]
    # Poetry knows the address of PyPI.
    pypi = IndexRoot(PYPI, pypi_index().rstrip("/"), final=True)

    def choose_route() -> MirrorRoute:
        resolved = resolve(layers, may_name)
        for line in unreported(resolved.notices):
            report(line)
        for folder in folders:
            if not folder.is_there:
                report(f"the folder {folder.path} does not exist: every file comes from the index")
        if resolved.setting.kind == "auto":
            memory = choice_memory(config)
            choice = choose_automatically(pypi.url, memory)
            route = MirrorRoute((*map(_root, choice.mirrors), pypi), choice.notice, memory.forget)
        else:
            route = mirrored(resolved.setting.mirrors, pypi)
        for line in unreported([route.notice] if route.notice else []):
            report(line)
        there = tuple(folder_value(folder.path) for folder in folders if folder.is_there)
        return replace(route, folders=there if may_stand_alone else ())

    return RoutedRepository(
        choose_route,
        grants=make_grants(named, user_mirrors(layers)),
        report=report,
        expected=expected,
        locked=locked,
        folders=folders,
        not_locked=functools.partial(NotLockedError, command=command, lock=lock),
        config=config,
        disable_cache=disable_cache,
        pool_size=max(config.installer_max_workers, prefetch.THREADS + 1),
    )


def _command_of(io: IO) -> CommandLine:
    """The command that is running, for a shell; shortened where its words are not known."""
    before, name, after = reads.command_tokens(io)
    words = [
        token if _OPTION.fullmatch(token) else shell_word(token) for token in (*before, *after)
    ]
    known = [word for word in words if word is not None]
    if not name or len(known) < len(words):
        return ANY_COMMAND
    options, program = known[: len(before)], "poetry"
    if name.startswith("tf ") and poetry_tf.program != "poetry tf":
        program, name = poetry_tf.program, name.removeprefix("tf ")
    places = [f" {option} {value}" for option, value in pairwise(options) if option in _PLACES]
    line = " ".join([program, *options, name, *known[len(before) :]])
    return CommandLine(line, "".join(places))


def _unreported(io: IO, notices: Sequence[str]) -> list[str]:
    """Those of the notices that this command has not reported yet, which count as reported now."""
    reported = _reported.setdefault(io.error_output, set())
    found = [line for line in notices if line not in reported]
    reported.update(notices)
    return found


def _name_folders(layers: Sequence[SettingLayer]) -> bool:
    """Whether any of the layers names a folder; one that is not valid names none."""
    for layer in layers:
        with suppress(MirrorError):
            if parse_layer(layer).folders:
                return True
    return False


def _mirrors_of(layer: SettingLayer) -> tuple[Mirror, ...]:
    try:
        return parse_layer(layer).mirrors
    except MirrorError:
        return ()


def _is_plugins(repository: Repository, layers: Sequence[SettingLayer]) -> bool:
    """Whether poetry-plugin-pypi-mirror has put it in PyPI's place, which it does before or after.

    Its address is then the one that the setting of that plugin names.
    """
    if isinstance(repository, RoutedRepository) or not isinstance(repository, LegacyRepository):
        return False
    named = [item for layer in layers if isinstance(layer.value, list) for item in layer.value]
    return repository.url.rstrip("/") in {str(item).rstrip("/") for item in named}


def choose(poetry: Poetry) -> None:
    """Chooses the mirrors now: later the notice would be in the middle of Poetry's output."""
    if poetry.pool.has_repository(PYPI):
        repository = poetry.pool.repository(PYPI)
        if isinstance(repository, RoutedRepository | FolderRepository):
            repository.choose()


def mirrored(mirrors: Sequence[Mirror], pypi: IndexRoot) -> MirrorRoute:
    """The route by these mirrors, with another one and PyPI for where they fail."""
    if not mirrors:
        return MirrorRoute((pypi,))
    further = independent_of(mirrors)
    roots = [_root(mirror) for mirror in (*mirrors, *([further] if further else []))]
    return MirrorRoute((*roots, pypi), f"PyPI via {mirrors[0].name}")


def _root(mirror: Mirror) -> IndexRoot:
    # Poetry prints addresses in messages.
    return IndexRoot(mirror.name, without_credentials(mirror.url).rstrip("/"), mirror.fate)


def _expected_files(poetry: Poetry) -> ExpectedFiles:
    required = {
        dependency.name
        for dependency in poetry.package.all_requires
        if dependency.source_name is None and not dependency.is_direct_origin()
    }
    return expected_files(_locked_files(poetry), required)


def expected_files(
    locked: Mapping[str, Mapping[str, LockedFile]], required: Collection[str] = ()
) -> ExpectedFiles:
    """What pages must list for locked files, in a project that requires distributions."""
    own = (name for name in DISTRIBUTIONS if name in {*locked, *required})
    witness = next(own, None) or min(locked, default=None)
    return ExpectedFiles(
        locked,
        _known_releases,
        _packaged_hashes,
        canonicalize_name(witness) if witness is not None else None,
    )


def _locked_files(poetry: Poetry) -> Mapping[str, Mapping[str, LockedFile]]:
    """The files of PyPI in the lock, by distribution."""
    path = Path(poetry.locker.lock)
    try:
        return locked_files(Lock.read(path, read_file(path, MAX_LOCK_BYTES).decode("utf-8")))
    except (OSError, UnicodeDecodeError, ProjectError):
        return {}


def locked_files(lock: Lock) -> Mapping[str, Mapping[str, LockedFile]]:
    """The files of PyPI in a lock, by distribution."""
    found: dict[str, dict[str, LockedFile]] = {}
    for package in lock.data.get("package", []):
        files = {
            file: LockedFile(package["version"], digest)
            for file, digest in lock.hashes(package)
            if "source" not in package and ":" in digest
        }
        if files:
            found.setdefault(canonicalize_name(package["name"]), {}).update(files)
    return found


def _packaged_hashes(name: str) -> Mapping[str, str]:
    return hashes(name) if name in DISTRIBUTIONS else {}


@functools.cache
def _known_releases(name: str) -> tuple[str, ...]:
    """The releases of a distribution of TensorFlow that a project can be planned for, ascending."""
    if name not in DISTRIBUTIONS:
        return ()
    return tuple(str(release.version) for release in load(name).releases)
