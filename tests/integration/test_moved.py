"""Poetry with one thing moved that the plugin reaches for: what moved stops no more than it must.

The list of such things is derived from the plugin's code, so that a new one is tested too.
"""

from __future__ import annotations

import ast
import functools
import inspect
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cleo
import poetry as poetry_package
import pytest

import poetry_tf
from poetry_tf.index.pages import SortedPage
from poetry_tf.index.repository import RoutedRepository
from poetry_tf.index.session import MirrorSession
from poetry_tf.poetry_internals import MovedError, overrides, patches, reads
from poetry_tf.poetry_internals.overrides import require_overrides
from tests.support import moved
from tests.support.index import LocalIndex, Mount
from tests.support.poetry import NO_NETWORK, PoetryRunner, write_pyproject
from tests.support.projects import contents, restore

SOURCE = Path(poetry_tf.__file__).parent
Seam = tuple[str, ...]
NOTHING: Seam = ("",)

# What is moved


def _trees(*rooms: str) -> Iterator[ast.Module]:
    for room in rooms:
        yield from map(_tree, sorted((SOURCE / room).rglob("*.py")))


@functools.cache
def _tree(path: Path) -> ast.Module:
    """A module of the plugin's as it runs, without what only type checkers read."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", None) == "TYPE_CHECKING":
            node.body = []
    return tree


def _imports() -> Iterator[Seam]:
    """Every name that the plugin imports from Poetry or cleo when it runs."""
    for tree in _trees("."):
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                module = node.module or ""
                if module.partition(".")[0] in {"poetry", "cleo"}:
                    yield from (("hide", module, alias.name) for alias in node.names)


@functools.cache
def _names_in_poetry() -> frozenset[str]:
    files = [
        file
        for package in (poetry_package, cleo)
        for folder in package.__path__
        for file in Path(folder).rglob("*.py")
    ]
    return frozenset(
        name for file in files for name in re.findall(r"\b_[a-z]\w+", file.read_text("utf-8"))
    )


def _private_names() -> Iterator[Seam]:
    """Every private name of Poetry's in the two rooms that may use one."""
    for tree in _trees("poetry_internals", "index", "hooks"):
        for node in ast.walk(tree):
            name = getattr(node, "attr", getattr(node, "value", None))
            if isinstance(name, str) and name in _names_in_poetry():
                yield "rename", name


def _overridden() -> Iterator[tuple[type, type, str]]:
    """Every method of Poetry's that the plugin overrides: in which class, of which base, and how
    it is called."""
    for cls in (RoutedRepository, MirrorSession, SortedPage):
        for owner in cls.__mro__:
            for name, item in vars(owner).items():
                if getattr(overrides._function(item), "__override__", False):
                    bases = (base for base in owner.__mro__[1:] if name in vars(base))
                    base = next(bases)
                    if not base.__module__.startswith("poetry_tf"):
                        yield cls, base, name


def _overrides() -> Iterator[Seam]:
    for _, _, name in _overridden():
        yield "rename", name


def _reaches() -> Iterator[Seam]:
    """Every function by which the plugin reaches into Poetry."""
    for module in (patches, reads):
        for name, item in vars(module).items():
            if inspect.isfunction(item) and item.__module__ == module.__name__ and name[0] != "_":
                yield "fail", module.__name__, name


# Libraries and files have these words too, so that they can't be replaced in Poetry's text.
SHARED = {
    *("request", "url", "search", "package", "links", "packages", "versions", "yanked"),
    *("_lock", "_files", "_path", "_versions"),
}
# Without these documented bases there is no plugin to load.
BASES = {"ApplicationPlugin", "Plugin"}
SEAMS = sorted(
    seam
    for seam in {*_imports(), *_private_names(), *_overrides(), *_reaches()}
    if seam[-1] not in SHARED | BASES
)


def test_there_are_seams() -> None:
    assert len(SEAMS) > 100


@pytest.mark.parametrize(("cls", "base", "name"), [*_overridden()])
def test_an_override_is_missed_where_poetry_has_renamed_it_or_calls_it_otherwise(
    cls: type, base: type, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def called_otherwise(self: object, moved: bool) -> None:
        """Takes what the override does not."""

    look = require_overrides.__wrapped__
    look(cls)
    monkeypatch.setattr(base, name, called_otherwise)
    own = inspect.signature(overrides._function(inspect.getattr_static(cls, name)))
    if "**" not in str(own):
        with pytest.raises(MovedError):
            look(cls)
    monkeypatch.delattr(base, name)
    if not any(name in vars(further) for further in base.__mro__[1:]):
        with pytest.raises(MovedError):
            look(cls)


# What is run


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    status: int
    stdout: str
    stderr: str
    files: Mapping[str, bytes]

    @property
    def own_lines(self) -> list[str]:
        """The lines that are of poetry-tf."""
        return [line for line in self.stderr.splitlines() if line.startswith("poetry-tf")]


PLAIN, UNMANAGED, MANAGED = "plain", "unmanaged", "managed"
GUARDED = ("lock", "add --lock six", "add --lock tensorflow@~2.18.0", "update --lock")
OWN = ("tf check", "tf init -n")
COMMANDS = {
    MANAGED: ("install", "sync", "show", "remove --lock wrapt", *GUARDED, *OWN),
    UNMANAGED: ("install", "lock", "add --lock tensorflow@~2.18.0"),
    PLAIN: ("--version", "check", "list", "add --lock wrapt"),
}


@dataclass
class Bench:
    """Runs commands, each in a fresh copy of a project, in a Poetry with something moved."""

    runner: PoetryRunner
    folder: Path
    projects: Mapping[str, Mapping[str, bytes]]

    def run(self, seam: Seam, *, plugins: bool = True) -> dict[tuple[str, str], Outcome]:
        base = self.folder / f"{len(list(self.folder.iterdir()))}"
        jobs: list[dict[str, object]] = []
        places: dict[tuple[str, str], Path] = {}
        for kind, commands in COMMANDS.items():
            for command in commands:
                if command in OWN and not plugins:
                    continue
                place = base / f"{len(jobs)}"
                (place / "project").mkdir(parents=True)
                restore(place / "project", dict(self.projects[kind]))
                arguments = [*([] if plugins else ["--no-plugins"]), *command.split()]
                jobs.append(
                    {"arguments": arguments, "folder": f"{place / 'project'}", "out": f"{place}"}
                )
                places[kind, command] = place
        environ = self.runner._environment({"VIRTUAL_ENV": f"{base / 'venv'}"})
        shutil.copytree(self.runner.venv, base / "venv", symlinks=True)
        done = subprocess.run(
            [sys.executable, moved.__file__],
            input=json.dumps({"seam": seam, "commands": jobs}),
            env=environ,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return {
            key: Outcome(
                status,
                (place / "stdout").read_text("utf-8"),
                (place / "stderr").read_text("utf-8"),
                contents(place / "project"),
            )
            for (key, place), status in zip(places.items(), json.loads(done.stdout), strict=True)
        }


@pytest.fixture(scope="module")
def bench(tensorflow_index: LocalIndex, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    home = tmp_path_factory.mktemp("moved")
    project = home / "project"
    project.mkdir()
    tensorflow_index.reset()
    pypi: Mount = tensorflow_index.mount("pypi", api=True)
    runner = PoetryRunner(project, home / "home", pypi.root, environ=dict(NO_NETWORK))
    projects = {}
    for kind, requirements, more in (
        (PLAIN, ["six"], ""),
        (UNMANAGED, ["tensorflow ~=2.18.0", "wrapt"], ""),
        (MANAGED, ["tensorflow ~=2.18.0", "wrapt"], '\n[tool.poetry-tf]\ngpu = "none"\n'),
    ):
        write_pyproject(project, requirements, requires_python="~=3.11.0", more=more)
        done = runner.call("lock")
        assert done.ok, done.output
        projects[kind] = contents(project)
        for path in project.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (home / "runs").mkdir()
    return Bench(runner, home / "runs", projects)


@pytest.fixture(scope="module")
def without(bench: Bench) -> dict[tuple[str, str], Outcome]:
    """What Poetry does alone."""
    return bench.run(NOTHING, plugins=False)


@pytest.fixture(scope="module")
def healthy(bench: Bench) -> dict[tuple[str, str], Outcome]:
    """What it does with the plugin, where nothing has moved."""
    return bench.run(NOTHING)


@pytest.mark.slow
def test_where_nothing_has_moved_all_is_well(
    healthy: dict[tuple[str, str], Outcome], without: dict[tuple[str, str], Outcome]
) -> None:
    failed = [key for key, item in {**without, **healthy}.items() if item.status != 0]
    assert failed == [(MANAGED, "tf check")]  # there is no dev container yet
    # What there is to install depends on the running Python.
    assert "Installing dependencies from lock file" in healthy[MANAGED, "install"].stdout


@pytest.mark.parametrize("seam", SEAMS, ids=" ".join)
@pytest.mark.slow
def test_what_has_moved_stops_no_more_than_it_must(
    bench: Bench,
    without: dict[tuple[str, str], Outcome],
    healthy: dict[tuple[str, str], Outcome],
    seam: Seam,
) -> None:
    wrong = []
    for key, outcome in bench.run(seam).items():
        before = bench.projects[key[0]]
        if problem := _problem(key, outcome, healthy[key], without.get(key), before):
            wrong.append(f"{': '.join(key)}: {problem}\n{outcome.stdout}{outcome.stderr}")
    assert not wrong, "\n".join(wrong)


def _problem(
    key: tuple[str, str],
    outcome: Outcome,
    right: Outcome,
    alone: Outcome | None,
    before: Mapping[str, bytes],
) -> str | None:
    kind, command = key
    said = [line for line in outcome.own_lines if line not in right.own_lines]
    if "Traceback" in outcome.stdout + outcome.stderr:
        return "a traceback"
    if (outcome.status, outcome.files) == (right.status, right.files):
        return None if len(said) <= (kind != PLAIN) else "more than a line"
    if kind == PLAIN:
        return "not as without the plugin"
    if command in OWN or (kind == MANAGED and command in GUARDED):
        if outcome.status == 0 or outcome.files != before:
            return "neither right nor refused"
        messages = outcome.stderr.count("does not work with")
        return None if messages <= 1 else "more than one message"
    assert alone is not None, "of Poetry's own"
    if (outcome.status, outcome.files) != (alone.status, alone.files):
        return "neither as with the plugin nor as without it"
    return None if len(said) <= 1 else "more than a line"
