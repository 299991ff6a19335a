"""Reads of Poetry's private attributes and undocumented interfaces: each place once.

All were tested with Poetry 2.1 to 2.5 (tests/compatibility), and with each place moved
(tests/integration/test_moved.py). Where a later Poetry has moved one, `preferred_python`,
`project_environments` and `input_tokens` return what can be had without it, `failure_causes` and
`python_causes` none, and the others raise `AttributeError`: what the callers do then,
`poetry_tf.poetry_internals.patches` says.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from poetry_tf.poetry_internals import MOVED

if TYPE_CHECKING:
    from cleo.io.io import IO
    from packaging.utils import NormalizedName
    from poetry.core.constraints.version import Version
    from poetry.core.packages.dependency import Dependency
    from poetry.core.packages.project_package import ProjectPackage
    from poetry.puzzle.exceptions import SolverProblemError
    from poetry.repositories.repository_pool import RepositoryPool


def solver_root(solver: Any) -> ProjectPackage:
    """The root package of a solver: for `lock`, `add` and `update`, the package of the project."""
    return solver._package  # type: ignore[no-any-return]


def preferred_python(io: IO) -> str:
    """The minor of the Python that ``poetry init`` would choose, "3.11".

    `Python` is new in Poetry 2.1 and not documented; else it is the minor of the running Python.
    """
    try:
        from poetry.config.config import Config
        from poetry.utils.env.python import Python

        return Python.get_preferred_python(Config.create(), io).minor_version.to_string()
    except Exception:
        return f"{sys.version_info.major}.{sys.version_info.minor}"


def project_environments(root: Path, name: str | None) -> tuple[Path, ...]:
    """The virtual environments of a project that are there: `.venv`, and those in Poetry's folder.

    No program is started for it, so an environment elsewhere is not among them. `generate_env_name`
    is not documented; without it only `.venv` is found. A project without a name has the one that
    poetry-core's Factory gives it.
    """
    found = [root / ".venv"]
    with suppress(Exception):
        from poetry.config.config import Config
        from poetry.utils.env import EnvManager

        prefix = EnvManager.generate_env_name(
            canonicalize_name(name or "non-package-mode"), str(root)
        )
        found += sorted(Config.create().virtualenvs_path.glob(f"{prefix}-py*"))
    return tuple(folder for folder in found if folder.is_dir())


def command_pool(command: Any) -> RepositoryPool:
    """The repositories from which a command chooses versions.

    Without a project (``poetry init``) the command makes the pool itself; plugins do not get it.
    """
    return command._get_pool()  # type: ignore[no-any-return]


def failure_causes(error: SolverProblemError) -> list[list[Dependency]]:
    """What the solver's failure follows from: a requirement with the root or package that has it,
    or a distribution alone, of which no version is admitted.

    None if this Poetry does not keep it in `SolveFailureError._incompatibility`.
    """
    with suppress(*MOVED):
        return _failure_causes(error)
    return []


def _failure_causes(error: SolverProblemError) -> list[list[Dependency]]:
    return [[term.dependency for term in item.terms] for item in _incompatibilities(error)]


def python_causes(error: SolverProblemError) -> list[tuple[Dependency, str, str]]:
    """Which distributions a solver's failure follows from because of their Requires-Python.

    Each with the Pythons that it requires and those of the project. None if this Poetry does not
    keep them in `PythonCauseError`.
    """
    with suppress(*MOVED):
        from poetry.mixology.incompatibility_cause import PythonCauseError

        return [
            (item.terms[0].dependency, item.cause.python_version, item.cause.root_python_version)
            for item in _incompatibilities(error)
            if isinstance(item.cause, PythonCauseError)
        ]
    return []


def _incompatibilities(error: SolverProblemError) -> list[Any]:
    """What a failure follows from and does not follow from anything else itself."""
    from poetry.mixology.incompatibility_cause import ConflictCauseError

    found: list[Any] = []
    queue, seen = [error.error._incompatibility], set[int]()
    while queue:  # a graph: one cause may have several effects
        item = queue.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item.cause, ConflictCauseError):
            queue += [item.cause.conflict, item.cause.other]
        else:
            found.append(item)
    return found


def content_hash(pyproject: Mapping[str, Any]) -> str:
    """The hash that this Poetry writes into a lock made from this content of pyproject.toml.

    Raises:
        AttributeError: this Poetry does not keep it in `Locker._content_hash`.
    """
    from poetry.packages.locker import Locker

    return Locker(Path("poetry.lock"), dict(pyproject))._content_hash


def lock_text(package: ProjectPackage, transaction: Any, pyproject: Mapping[str, Any]) -> str:
    """The text of the lock that Poetry writes for the transaction of a solver.

    `Locker.set_lock_data` and `Transaction.get_solved_packages` are what the installer calls.
    """
    from poetry.packages.locker import Locker

    with tempfile.TemporaryDirectory(prefix="poetry-tf-") as folder:
        path = Path(folder) / "poetry.lock"
        Locker(path, dict(pyproject)).set_lock_data(package, transaction.get_solved_packages())
        return path.read_text("utf-8")


def input_tokens(io: IO) -> list[str]:
    """The words of the command line: the list itself; a new one if cleo keeps them elsewhere."""
    tokens: list[str] = getattr(io.input, "_tokens", [])
    return tokens


def command_tokens(io: IO) -> tuple[list[str], str, list[str]]:
    """The words of the command line: those before the command's name, that name, those after it.

    Poetry puts its own options in front, in their long form with the value as the next word, and
    cleo makes one word of a name of several. The name is empty where there is none.
    """
    tokens, index = input_tokens(io), 0
    while index < len(tokens) and tokens[index].startswith("-"):
        index += 2 if tokens[index] in {"--directory", "--project"} else 1
    return tokens[:index], "".join(tokens[index : index + 1]), tokens[index + 1 :]


@dataclass(frozen=True)
class SolverProblem:
    """The input of a solver.

    Attributes:
        root: the package of the project.
        pool: the repositories.
        kept: the locked versions of PyPI that stay if possible.
    """

    root: ProjectPackage
    pool: RepositoryPool
    kept: Mapping[NormalizedName, Version]

    @property
    def is_of_build(self) -> bool:
        """Whether these are the requirements of a build, for which Poetry makes a root."""
        return self.root.pretty_name == "__root__"


def solver_problem(solver: Any, latest: Collection[NormalizedName] = ()) -> SolverProblem:
    """Reads what `Solver.__init__` keeps.

    `latest` is what `Solver.solve` is given: the packages that don't stay at their locked versions.

    Raises:
        AttributeError: this Poetry keeps it elsewhere.
    """
    kept = {
        item.name: item.version
        for item in solver._locked_packages
        if item.name not in latest and not item.source_type
    }
    return SolverProblem(solver_root(solver), solver._pool, kept)
