"""Replacements of Poetry's functions where Poetry has no documented hook: each place once.

All were tested with Poetry 2.1 to 2.5 (tests/compatibility), and with each place moved
(tests/integration/test_moved.py). Where a later Poetry has moved one:

function                what it is for                              then
replace_version_finder  the pin that ``add`` writes                 `MovedError`
replace_find_packages   releases that every target can install      `AttributeError`
patch_release_info      the requirements of a release               `AttributeError`
before_locking          the lines that belong to TensorFlow         `AttributeError`
reload_requirements     the same: to solve with them                `MovedError`
replace_solving         the series of a TensorFlow that comes in    `MovedError`, or `failed`
                        through another distribution; a version
                        that fits for a name that is added
another_solver          the latter                                  `AttributeError`: no version
                                                                    is looked for
without_source          no trace of a mirror in the lock            `AttributeError`
locate_project          solving a project that is not written yet   `AttributeError`
watch_answer            the guards in the dialogue of ``init``      `AttributeError`
download_by             files of the lock by the mirrors            False: Poetry downloads them
explain_choosing        which file a saved folder lacks             Poetry's own error
leave_project_plugins   no code of a project in ``poetry-tf``       `MovedError`: nothing is run
around_solving          prefetching; what a saved folder lacks      nothing: it is slower, and
                        for a build                                 has Poetry's own error
`lock_text`             the files of a lock, written at once        nothing: it is slower

The caller handles an error as `poetry_tf.plugin` does: ``add``, ``lock`` and ``update`` of a
managed project are refused before anything is written, everything else goes on with one line.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.utils import NormalizedName
    from poetry.core.constraints.version import Version
    from poetry.core.packages.dependency import Dependency
    from poetry.core.packages.package import Package
    from poetry.inspection.info import PackageInfo
    from poetry.poetry import Poetry
    from poetry.puzzle.exceptions import SolverProblemError
    from poetry.repositories.repository_pool import RepositoryPool
from poetry_tf.poetry_internals import Failed, MovedError, reads

VersionFinder = Callable[..., tuple[str, str]]
"""Chooses a version for a name: (name, constraint or None) -> (name, constraint)."""


def replace_version_finder(command: object, wrap: Callable[[VersionFinder], VersionFinder]) -> None:
    """Wraps the function that chooses the version which ``add NAME`` writes.

    That is `InitCommand._find_best_version_for_package`, replaced on this one command.
    """
    name = "_find_best_version_for_package"
    find: VersionFinder | None = getattr(command, name, None)
    if find is None:
        raise MovedError(f"InitCommand.{name}")
    setattr(command, name, wrap(find))


def watch_answer(command: Any, question: str, callback: Callable[[str], None]) -> None:
    """Calls `callback` with each answer to the question that starts with this text.

    ``poetry init`` keeps the answers of its dialogue in local variables; `Command.ask` is public.
    """
    ask = command.ask

    def ask_and_report(prompt: Any, *arguments: Any, **more: Any) -> Any:
        answer = ask(prompt, *arguments, **more)
        text = str(getattr(prompt, "question", prompt)).strip()
        if answer and text.startswith(question):
            callback(str(answer))
        return answer

    command.ask = ask_and_report


def replace_find_packages(
    pool: RepositoryPool, wrap: Callable[[Callable[[Dependency], list[Package]]], Any]
) -> None:
    """Wraps the pool's `find_packages`, which lists the candidates for a dependency.

    The method is public; the solver calls it on the pool of the project.
    """
    pool.find_packages = wrap(pool.find_packages)  # type: ignore[method-assign]


@contextmanager
def replaced_find_packages(
    pool: RepositoryPool, wrap: Callable[[Callable[[Dependency], list[Package]]], Any]
) -> Iterator[None]:
    """`replace_find_packages` within the context."""
    original = pool.find_packages
    replace_find_packages(pool, wrap)
    try:
        yield
    finally:
        pool.find_packages = original  # type: ignore[method-assign]


def patch_release_info(
    repository: Any, fix: Callable[[Callable[[], PackageInfo], str, Version], PackageInfo]
) -> None:
    """Has `fix` return the metadata of each release of a repository; once per repository.

    It is given what reads the metadata, which may take the download of a whole wheel.

    `CachedRepository.get_release_info` returns an object made for this call, so a change to it does
    not reach the cache.
    """
    read = repository.get_release_info
    if getattr(read, "is_patched", False):
        return

    def read_and_fix(name: NormalizedName, version: Version) -> PackageInfo:
        return fix(lambda: read(name, version), name, version)

    read_and_fix.is_patched = True  # type: ignore[attr-defined]

    repository.get_release_info = read_and_fix


Solve = Callable[[Any], Any]
"""Solves with a solver and returns its transaction."""

Fetch = Callable[[Any, "Package", str, "Path", Callable[[int, int], None]], None]
"""Downloads a file: repository, locked package, URL, destination, progress callback."""


def download_by(kind: type, fetch: Fetch) -> bool:
    """Downloads the files of packages from repositories of this type by `fetch`.

    `Executor._download_archive` downloads all files with a session of its own, and shows progress.
    The class is patched, because Poetry makes an executor for each isolated build; packages of
    other repositories are downloaded by Poetry. Returns False if this Poetry has no such function.
    """
    from poetry.installation.executor import Executor

    original = getattr(Executor, "_download_archive", None)
    if original is None:
        return False
    if getattr(original, "is_routed", False):
        return True

    def download(executor: Any, operation: Any, url: str, dest: Path) -> None:
        package = operation.package
        repository = None
        # Only the chooser keeps the pool; it takes packages without a source from PyPI, if the pool
        # has it.
        pool = getattr(getattr(executor, "_chooser", None), "_pool", None)
        if package.source_type is None and pool is not None and pool.has_repository("PyPI"):
            repository = pool.repository("PyPI")
        if isinstance(repository, kind):
            with _show_progress(executor, operation) as progress:
                fetch(repository, package, url, dest, progress)
        else:
            original(executor, operation, url, dest)

    download.is_routed = True  # type: ignore[attr-defined]
    Executor._download_archive = download  # type: ignore[assignment, method-assign]
    return True


def explain_choosing(
    kind: type, explain: Callable[[Any, Package, str, Exception], Exception | None]
) -> None:
    """Has a repository of this type explain why none of its files fits an environment.

    `Chooser.choose_for` gives advice for an index: to lock again. `explain` gets the repository,
    the package, the environment's Python ("3.12") and what was raised.
    """
    from poetry.installation.chooser import Chooser

    original = Chooser.choose_for
    if getattr(original, "is_explained", False):
        return

    @functools.wraps(original)
    def choose(chooser: Any, package: Package) -> Any:
        try:
            return original(chooser, package)
        except Exception as error:
            pool = getattr(chooser, "_pool", None)
            if package.source_type is None and pool is not None and pool.has_repository("PyPI"):
                repository, env = pool.repository("PyPI"), getattr(chooser, "_env", None)
                version = getattr(env, "version_info", ("?", "?"))
                python = f"{version[0]}.{version[1]}"
                if isinstance(repository, kind):
                    why = explain(repository, package, python, error)
                    if why is not None:
                        raise why from error
            raise

    choose.is_explained = True  # type: ignore[attr-defined]
    Chooser.choose_for = choose  # type: ignore[assignment, method-assign]


def watch_interrupts(watch: Callable[[Callable[[], bool]], AbstractContextManager[None]]) -> None:
    """Runs the threads of an installation within `watch`, which gets what says of an interrupt.

    Poetry waits for them at Ctrl-C, of which only the main thread hears. They are in
    `Executor._execute_operation`, and `_shutdown` is set when Poetry is interrupted. Where this
    Poetry has neither, they end when their requests do.
    """
    from poetry.installation.executor import Executor

    original = getattr(Executor, "_execute_operation", None)
    if original is None or getattr(original, "is_interruptible", False):
        return

    def execute(executor: Any, operation: Any) -> None:
        with watch(lambda: getattr(executor, "_shutdown", False)):
            original(executor, operation)

    execute.is_interruptible = True  # type: ignore[attr-defined]
    Executor._execute_operation = execute  # type: ignore[assignment, method-assign]


@contextmanager
def _show_progress(executor: Any, operation: Any) -> Iterator[Callable[[int, int], None]]:
    """Shows the progress of a download on the executor's line for it, as Poetry does."""
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


def before_locking(poetry: Poetry, complete: Callable[[Any], None], failed: Failed) -> None:
    """Calls `complete` with the content of pyproject.toml that ``add`` is about to lock.

    ``add`` passes it to the locker, solves, and then writes the same object, a tomlkit document, to
    the file, so changes by `complete` are written too. The locker's method is public.
    """
    locker = poetry.locker
    set_data = locker.set_pyproject_data

    def complete_and_set(content: Any) -> None:
        try:
            complete(content)
        except Exception as error:
            failed(error)
        set_data(content)

    locker.set_pyproject_data = complete_and_set  # type: ignore[assignment, method-assign]


def reload_requirements(poetry: Poetry, content: Mapping[str, Any]) -> None:
    """Replaces the requirements of the project's package by those of this pyproject.toml content.

    `Factory.configure_package` reads them into a new package, and they are copied: ``add`` keeps
    using the existing object. It keeps them in `_dependency_groups`, which is private.
    """
    from poetry.core.packages.project_package import ProjectPackage
    from poetry.core.pyproject.toml import PyProjectTOML
    from poetry.factory import Factory

    class UnwrittenPyproject(PyProjectTOML):
        """A pyproject.toml that is not on disk yet."""

        @property
        def data(self) -> dict[str, Any]:
            return dict(content)

    package, groups = poetry.package, "_dependency_groups"
    if not (hasattr(package, groups) and hasattr(Factory, "configure_package")):
        raise MovedError(f"ProjectPackage.{groups}")
    updated = ProjectPackage(package.name, package.version)
    path = poetry.pyproject_path
    Factory.configure_package(updated, UnwrittenPyproject(path), path.parent)
    setattr(package, groups, getattr(updated, groups))
    package.extras = updated.extras


def replace_solving(command: Any, replace: Callable[[Any, Solve], Any], failed: Failed) -> None:
    """Has `replace` solve the project of a command; it gets the solver, and what solves with one.

    The installer makes its solver itself and has no hook for it. So `Solver.solve` is replaced
    while the installer of this command runs; other solves in the process (of isolated builds) have
    another root package.
    """
    from poetry.puzzle.solver import Solver

    installer, solve = getattr(command, "installer", None), getattr(Solver, "solve", None)
    if solve is None or not callable(run := getattr(installer, "run", None)):
        raise MovedError("Solver.solve or Installer.run")

    def solve_own(solver: Any, *arguments: Any, **more: Any) -> Any:
        try:
            is_own = reads.solver_root(solver) is command.poetry.package
        except Exception as error:
            failed(error)
            is_own = False
        if not is_own:
            return solve(solver, *arguments, **more)
        return replace(solver, lambda solver: solve(solver, *arguments, **more))

    def run_with_replaced() -> int:
        Solver.solve = solve_own  # type: ignore[assignment, method-assign]
        try:
            return run()  # type: ignore[no-any-return]
        finally:
            Solver.solve = solve  # type: ignore[method-assign]

    installer.run = run_with_replaced  # type: ignore[union-attr]


def another_solver(solver: Any) -> Any:
    """A solver for the same problem, with the requirements that the project's package has now.

    One that has failed keeps what it tried. `Solver.__init__` keeps its arguments in private
    attributes.

    Raises:
        AttributeError, TypeError: this Poetry makes its solvers in another way.
    """
    made = type(solver)(
        solver._package,
        solver._pool,
        solver._installed_packages,
        solver._locked_packages,
        solver._io,
    )
    made.provider._source_root = solver.provider._source_root
    return made


def around_solving(
    begin: Callable[[Any, Collection[NormalizedName]], None],
    end: Callable[[Any], None],
    explain: Callable[[Any, SolverProblemError], Exception | None],
) -> None:
    """Calls `begin` and `end` with the solver before and after each solve of the process.

    `begin` is also given the packages that are solved for their latest versions; `explain` returns
    what is raised in place of a failure, if anything. The installer makes its solver itself and has
    no hook for it. All are optional: exceptions are ignored, and if this Poetry has no
    `Solver.solve`, none is called.
    """
    from poetry.puzzle.exceptions import SolverProblemError
    from poetry.puzzle.solver import Solver

    solve: Any = getattr(Solver, "solve", None)
    if solve is None or getattr(solve, "is_patched", False):
        return

    def solve_between(
        solver: Any, use_latest: Collection[NormalizedName] | None = None, **more: Any
    ) -> Any:
        with suppress(Exception):
            begin(solver, use_latest or ())
        try:
            return solve(solver, use_latest, **more)
        except SolverProblemError as error:
            why = None
            with suppress(Exception):
                why = explain(solver, error)
            if why is None:
                raise
            raise why from error
        finally:
            with suppress(Exception):
                end(solver)

    solve_between.is_patched = True  # type: ignore[attr-defined]
    Solver.solve = solve_between  # type: ignore[assignment, method-assign]


def without_source(package: Package) -> Package:
    """The same package without a source, as Poetry's PyPI repository returns it.

    A package's source has no public setter; Poetry's own repositories assign these too. A source
    would be written into the lock as [package.source].

    Raises:
        AttributeError: this Poetry keeps the source elsewhere.
    """
    package._source_type = None
    package._source_url = None
    package._source_reference = None
    if package.source_type or package.source_url or package.source_reference:
        raise AttributeError("a package keeps its source elsewhere")
    return package


def leave_project_plugins() -> None:
    """Keeps Poetry from loading plugins, and any other code, from the project's own folder.

    Poetry puts ``.poetry/plugins`` of the project on the path and runs its ``.pth`` files before
    any command, also where it came with a cloned repository, by
    `PluginManager.add_project_plugin_path`.
    """
    from poetry.plugins.plugin_manager import PluginManager

    name = "add_project_plugin_path"
    if not hasattr(PluginManager, name):
        raise MovedError(f"PluginManager.{name}")
    setattr(PluginManager, name, staticmethod(lambda _directory: None))


@contextmanager
def locate_project(root: Path, pyproject: Path) -> Iterator[None]:
    """Makes Poetry find this file when it locates the project in `root`, or in no given folder.

    It does so for each isolated build, which `Factory.create_poetry` gives no other way.
    `Factory.locate` is public, and inherited from poetry-core's `Factory`.
    """
    from poetry.factory import Factory

    original = Factory.locate

    def locate(cls: type[Factory], cwd: Path | None = None) -> Path:  # noqa: ARG001
        # Any other folder is a path dependency.
        return pyproject if cwd is None or cwd.resolve() == root.resolve() else original(cwd)

    Factory.locate = classmethod(locate)  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        del Factory.locate
