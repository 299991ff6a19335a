"""Where poetry-tf takes hold of Poetry: each place that is no documented interface, once.

Everything in here was tried on Poetry 2.1 to 2.5 (tests/compatibility runs it). A place that a
later Poetry has moved is found missing, never guessed at: the function then returns False and its
caller says which guard is off.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from cleo.io.io import IO
    from packaging.utils import NormalizedName
    from poetry.core.constraints.version import Version
    from poetry.core.packages.dependency import Dependency
    from poetry.core.packages.package import Package
    from poetry.core.packages.project_package import ProjectPackage
    from poetry.inspection.info import PackageInfo
    from poetry.poetry import Poetry
    from poetry.repositories.repository_pool import RepositoryPool

# Where Solver.__init__ keeps the root package; `lock`, `add` and `update` hand it the project's.
SOLVERS_ROOT = "_package"

Finder = Callable[..., tuple[str, str]]
"""What finds the constraint of a bare name: name, constraint or None -> name, constraint."""


def choose_versions(command: object, wrap: Callable[[Finder], Finder]) -> bool:
    """Puts another function in place of the one that chooses what a bare ``add`` writes.

    Poetry has no hook there. `InitCommand._find_best_version_for_package` is where to look when it
    moves; it is replaced on this one command, where an attribute hides the method of the class.
    """
    name = "_find_best_version_for_package"
    find: Finder | None = getattr(command, name, None)
    if find is None:
        return False
    setattr(command, name, wrap(find))
    return True


def hear_answer(command: Any, question: str, hear: Callable[[str], None]) -> None:
    """Calls `hear` with what the user answers to the question that begins with these words.

    ``poetry init`` keeps the answers of its dialogue in local variables; `Command.ask` is public.
    """
    ask = command.ask

    def asked(asking: Any, *arguments: Any, **more: Any) -> Any:
        answer = ask(asking, *arguments, **more)
        asked_for = str(getattr(asking, "question", asking)).strip()
        if answer and asked_for.startswith(question):
            hear(str(answer))
        return answer

    command.ask = asked


def preferred_python(io: IO) -> str:
    """The minor of the Python that ``poetry init`` would take, "3.11".

    `Python` came with Poetry 2.1 and is no documented interface.
    """
    try:
        from poetry.config.config import Config
        from poetry.utils.env.python import Python

        return Python.get_preferred_python(Config.create(), io).minor_version.to_string()
    except Exception:
        return f"{sys.version_info.major}.{sys.version_info.minor}"


def pool_of(command: Any) -> RepositoryPool:
    """The repositories that a command chooses versions from.

    Without a project (``poetry init``) that is a pool which the command makes for itself, and which
    no plugin is told of.
    """
    return command._get_pool()  # type: ignore[no-any-return]


def find_in_pool(
    pool: RepositoryPool, wrap: Callable[[Callable[[Dependency], list[Package]]], Any]
) -> None:
    """Puts another function in place of the pool's `find_packages`, which lists the candidates.

    The method is public, and the solver calls it on the pool that the project has.
    """
    pool.find_packages = wrap(pool.find_packages)  # type: ignore[method-assign]


def mend_records(repository: Any, mend: Callable[[PackageInfo, str, Version], PackageInfo]) -> None:
    """Lets `mend` change the record of each release that a repository hands on.

    `CachedRepository.get_release_info` returns a record made for this call from what is cached;
    what is changed in it gets into no cache.
    """
    read = repository.get_release_info
    if getattr(read, "mends", False):
        return  # once is enough

    def read_and_mend(name: NormalizedName, version: Version) -> PackageInfo:
        return mend(read(name, version), name, version)

    read_and_mend.mends = True  # type: ignore[attr-defined]

    repository.get_release_info = read_and_mend


Fetch = Callable[[Any, "Package", str, "Path", Callable[[int, int], None]], None]
"""What takes a file: the repository, the locked package, address, destination, progress."""


def download_by(kind: type, fetch: Fetch) -> bool:
    """Lets a repository of this kind take the files of its packages itself when they are installed.

    `Executor._download_archive` does it for all, by a session that the executor makes for itself,
    and shows how far it is. The class is changed, since executors are made anew for each isolated
    build; packages of other repositories go Poetry's own way.
    """
    from poetry.installation.executor import Executor

    own = getattr(Executor, "_download_archive", None)
    if own is None:
        return False
    if getattr(own, "is_routed", False):
        return True

    def download(executor: Any, operation: Any, url: str, dest: Path) -> None:
        package = operation.package
        repository = None
        # The chooser of links is the only one that keeps the pool; it takes packages that name no
        # source from PyPI, if that is in it.
        pool = getattr(executor._chooser, "_pool", None)
        if package.source_type is None and pool is not None and pool.has_repository("PyPI"):
            repository = pool.repository("PyPI")
        if isinstance(repository, kind):
            with _shown(executor, operation) as progress:
                fetch(repository, package, url, dest, progress)
        else:
            own(executor, operation, url, dest)

    download.is_routed = True  # type: ignore[attr-defined]
    Executor._download_archive = download  # type: ignore[assignment, method-assign]
    return True


@contextmanager
def _shown(executor: Any, operation: Any) -> Iterator[Callable[[int, int], None]]:
    """Shows how far a download is on the line that the executor has for it, as it does itself."""
    names = ("supports_fancy_output", "_sections", "_lock", "get_operation_message")
    if not all(hasattr(executor, name) for name in names) or not executor.supports_fancy_output():
        yield lambda *_: None
        return
    from cleo.ui.progress_bar import ProgressBar

    message = f"  <fg=blue;options=bold>-</> {executor.get_operation_message(operation)}: "
    bars: list[ProgressBar] = []

    def show(position: int, total: int) -> None:
        with executor._lock:
            if not bars:
                section = executor._sections[id(operation)]
                section.clear()
                bars.append(ProgressBar(section, max=total))
                bars[0].set_format(f"{message}<info>Downloading...</> <b>%percent%%</b>")
                bars[0].start()
            bars[0].set_progress(position)

    yield show
    if bars:
        with executor._lock:
            bars[0].finish()


def before_locking(poetry: Poetry, complete: Callable[[Any], None]) -> None:
    """Calls `complete` with the content of pyproject.toml that ``add`` is about to lock.

    ``add`` hands it to the locker, solves, and then writes that very object, a tomlkit document,
    to the file: what `complete` adds to it is written too. The locker's method is public.
    """
    locker = poetry.locker
    hand_over = locker.set_pyproject_data

    def completed(content: Any) -> None:
        complete(content)
        hand_over(content)

    locker.set_pyproject_data = completed  # type: ignore[assignment, method-assign]


def read_package_anew(poetry: Poetry, content: Mapping[str, Any]) -> bool:
    """Gives the project's package the requirements that pyproject.toml would have.

    `Factory.configure_package` is what reads them for Poetry itself, into a new package; that the
    groups are held in `_dependency_groups` is an implementation detail. `add` changes the package
    in place as well, and goes on with this very object.
    """
    from poetry.core.packages.project_package import ProjectPackage
    from poetry.core.pyproject.toml import PyProjectTOML
    from poetry.factory import Factory

    class Read(PyProjectTOML):
        """A pyproject.toml that isn't on the disk yet."""

        @property
        def data(self) -> dict[str, Any]:
            return dict(content)

    package, groups = poetry.package, "_dependency_groups"
    if not (hasattr(package, groups) and hasattr(Factory, "configure_package")):
        return False
    anew = ProjectPackage(package.name, package.version)
    path = poetry.pyproject_path
    Factory.configure_package(anew, Read(path), path.parent)
    setattr(package, groups, getattr(anew, groups))
    package.extras = anew.extras
    return True


def after_solving(
    command: Any,
    judge: Callable[[ProjectPackage, Iterable[Package]], None],
    is_off: Callable[[], None],
) -> None:
    """Calls `judge` with the project and what was solved for it, before any of it has an effect.

    Between the solver and what follows (installing, or writing the lock, or, in a dry run, neither)
    the installer has no hook. So while this one command's installer runs, `Solver.solve` is
    replaced; other solves in the same process (an isolated build's) have another root package.
    `is_off` is called where the replacement can't be made or doesn't see what it should.
    """
    from poetry.puzzle.solver import Solver

    installer, solve = getattr(command, "installer", None), getattr(Solver, "solve", None)
    if solve is None or not callable(run := getattr(installer, "run", None)):
        is_off()
        return

    def solve_and_judge(solver: Any, *arguments: Any, **more: Any) -> Any:
        transaction = solve(solver, *arguments, **more)
        root = getattr(solver, SOLVERS_ROOT, None)
        if root is None or not hasattr(transaction, "get_solved_packages"):
            is_off()
        elif root is command.poetry.package:
            judge(root, transaction.get_solved_packages())
        return transaction

    def guarded_run() -> int:
        Solver.solve = solve_and_judge  # type: ignore[assignment, method-assign]
        try:
            return run()  # type: ignore[no-any-return]
        finally:
            Solver.solve = solve  # type: ignore[method-assign]

    installer.run = guarded_run  # type: ignore[union-attr]


def around_solving(begin: Callable[[Any], None], end: Callable[[Any], None]) -> None:
    """Calls `begin` and `end` with the solver before and after each solve of the process.

    The installer makes its solver itself and has no hook for it. Both are help: what they raise is
    passed over. Where `Solver.solve` has moved, neither is called.
    """
    from poetry.puzzle.solver import Solver

    solve: Any = getattr(Solver, "solve", None)
    if solve is None or getattr(solve, "is_surrounded", False):
        return

    def solve_between(solver: Any, *arguments: Any, **more: Any) -> Any:
        with suppress(Exception):
            begin(solver)
        try:
            return solve(solver, *arguments, **more)
        finally:
            with suppress(Exception):
                end(solver)

    solve_between.is_surrounded = True  # type: ignore[attr-defined]
    Solver.solve = solve_between  # type: ignore[assignment, method-assign]


@dataclass(frozen=True)
class Problem:
    """What a solver was given, as far as it can be told."""

    root: ProjectPackage
    pool: RepositoryPool
    stays: tuple[Package, ...]
    """The locked packages whose versions are to stay if they may."""


def problem_of(solver: Any) -> Problem:
    """What `Solver.__init__` and `Provider.use_latest_for` have kept. Raises `AttributeError`."""
    latest = solver.provider.use_latest
    stays = tuple(item for item in solver._locked_packages if item.name not in latest)
    return Problem(getattr(solver, SOLVERS_ROOT), solver._pool, stays)
