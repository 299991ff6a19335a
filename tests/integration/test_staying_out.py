"""Poetry without TensorFlow is Poetry, and a fault of the plugin's is none of Poetry's."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.support.poetry import PoetryRunner, locked, write_pyproject
from tests.support.projects import contents

MANAGED = "\n[tool.poetry-tf]\n"
NO_FIT = r"poetry-tf \S+ does not work with this Poetry [\d.]+, "
HELPLESS = f"{NO_FIT}which goes on without it. To update it: poetry self update poetry-tf"
REFUSED = f"{NO_FIT}so poetry lock would not keep TensorFlow in its series"
# Runs Poetry and says which modules of the plugin it has imported.
TELLING = """
import runpy, sys
try:
    runpy.run_module("poetry", run_name="__main__", alter_sys=True)
finally:
    print("MODULES", *sorted(name for name in sys.modules if name.startswith("poetry_tf")))
"""


def modules(poetry: PoetryRunner, *arguments: str) -> set[str]:
    """The plugin's modules that a command of Poetry's imports."""
    done = subprocess.run(
        [sys.executable, "-c", TELLING, *arguments],
        cwd=poetry.project,
        env=poetry._environment(None),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("MODULES"))
    return set(line.split()[1:])


ALONE = {"poetry_tf", "poetry_tf.plugin"}
COMMANDS = [
    ["--version"],
    ["check"],
    ["add", "--lock", "six"],
]
MORE_COMMANDS = [
    ["lock"],
    ["add", "--lock", "torch"],
    ["update", "--lock"],
    ["install"],
    ["remove", "--lock", "six"],
    ["version", "-s"],
]
ALL_COMMANDS = [
    *(pytest.param(item, id=" ".join(item)) for item in COMMANDS),
    *(pytest.param(item, id=" ".join(item), marks=pytest.mark.slow) for item in MORE_COMMANDS),
]


@pytest.mark.parametrize("command", ALL_COMMANDS)
@pytest.mark.sample
def test_without_tensorflow_nothing_is_imported(poetry: PoetryRunner, command: list[str]) -> None:
    write_pyproject(poetry.project, ["six"], requires_python="~=3.11.0")
    assert modules(poetry, *command) == ALONE


@pytest.mark.parametrize("command", [["--version"], ["check"], ["version", "-s"]], ids=" ".join)
@pytest.mark.sample
def test_with_tensorflow_neither_by_commands_that_have_nothing_to_do_with_it(
    poetry: PoetryRunner, command: list[str]
) -> None:
    write_pyproject(poetry.project, ["tensorflow ~=2.15.0"], requires_python="~=3.11.0")
    assert modules(poetry, *command) == ALONE


@pytest.mark.slow
def test_a_name_that_may_be_meant_for_tensorflow_is_looked_at(poetry: PoetryRunner) -> None:
    write_pyproject(poetry.project, [], requires_python="~=3.11.0")
    assert "poetry_tf.hooks.guards" in modules(poetry, "add", "--lock", "tersorflow")


# Faults


@pytest.fixture
def without() -> Iterator[Callable[[str], None]]:
    """Lets a module of the plugin fail when it is imported, until the test is over."""
    rooms = ("poetry_tf.hooks.", "poetry_tf.index.")
    known = {name: module for name, module in sys.modules.items() if name.startswith(rooms)}

    def forget() -> None:
        for name in [item for item in sys.modules if item.startswith(rooms)]:
            room, _, leaf = name.rpartition(".")
            vars(sys.modules[room]).pop(leaf, None)
            del sys.modules[name]

    def fail(name: str) -> None:
        forget()
        sys.modules[f"poetry_tf.{name}"] = None  # type: ignore[assignment]

    yield fail
    forget()
    sys.modules.update(known)
    for name, module in known.items():
        room, _, leaf = name.rpartition(".")
        setattr(sys.modules[room], leaf, module)


def _has_moved(*_: object) -> None:
    raise AttributeError("_package")


@pytest.mark.parametrize(
    "module",
    ["hooks.events", "hooks.candidates", "index.routing", "hooks.sync", "hooks.metadata"],
)
@pytest.mark.sample
def test_a_fault_of_the_plugins_is_one_warning(
    warm_poetry: PoetryRunner, without: Callable[[str], None], module: str
) -> None:
    write_pyproject(warm_poetry.project, ["tensorflow ~=2.15.0"], requires_python="~=3.11.0")
    without(module)
    done = warm_poetry.call("lock")
    assert done.ok, done.output
    assert locked(warm_poetry.project)["tensorflow"] == "2.15.1"
    (line,) = done.stderr.splitlines()
    assert re.fullmatch(HELPLESS, line)


def test_a_fault_of_the_help_is_one_warning_in_a_managed_project_too(
    warm_poetry: PoetryRunner, without: Callable[[str], None]
) -> None:
    write_pyproject(
        warm_poetry.project, ["tensorflow ~=2.15.0"], requires_python="~=3.11.0", more=MANAGED
    )
    without("hooks.sync")
    done = warm_poetry.call("lock")
    assert done.ok, done.output
    (line,) = done.stderr.splitlines()
    assert re.fullmatch(HELPLESS, line)


def test_a_fault_of_what_enforces_stops_a_managed_project(
    warm_poetry: PoetryRunner, without: Callable[[str], None]
) -> None:
    write_pyproject(
        warm_poetry.project, ["tensorflow ~=2.15.0"], requires_python="~=3.11.0", more=MANAGED
    )
    without("hooks.events")
    before = contents(warm_poetry.project)
    done = warm_poetry.call("lock")
    assert (done.returncode, contents(warm_poetry.project)) == (1, before)
    assert re.search(REFUSED, done.stderr)
    assert "Without poetry-tf nothing keeps TensorFlow in its series" in done.stderr
    assert "Cause" not in done.output
    assert "Traceback" not in done.output
    told = warm_poetry.call("lock", "-v")
    assert "Cause: ModuleNotFoundError: " in told.output
    assert warm_poetry.call("lock", plugins=False).ok


def test_a_fault_of_what_enforces_stops_no_command_that_installs(
    warm_poetry: PoetryRunner, without: Callable[[str], None]
) -> None:
    write_pyproject(
        warm_poetry.project, ["tensorflow ~=2.15.0"], requires_python="~=3.11.0", more=MANAGED
    )
    assert warm_poetry.call("lock").ok
    without("hooks.guards")
    done = warm_poetry.call("install", "--dry-run")
    assert done.ok, done.output
    (line,) = done.stderr.splitlines()
    assert re.fullmatch(HELPLESS, line)


def test_a_poetry_that_solves_otherwise_locks_no_managed_project(
    warm_poetry: PoetryRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = "tensorflow-text ~=2.13.0", "tensorflow-text ~=2.15.0"
    path = write_pyproject(warm_poetry.project, [old], requires_python="~=3.11.0", more=MANAGED)
    assert warm_poetry.call("lock").ok
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    monkeypatch.setattr("poetry_tf.poetry_internals.reads.solver_root", _has_moved)
    before = contents(warm_poetry.project)
    done = warm_poetry.call("lock")
    assert (done.returncode, contents(warm_poetry.project)) == (1, before)
    assert len(re.findall(REFUSED, done.stderr)) == 1


def test_a_poetry_that_chooses_otherwise_is_reported(
    warm_poetry: PoetryRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    from poetry.console.commands.init import InitCommand

    write_pyproject(warm_poetry.project, ["tensorflow ~=2.15.0"], requires_python="~=3.11.0")
    name = "_find_best_version_for_package"
    find = getattr(InitCommand, name)
    monkeypatch.setattr(InitCommand, "_choose_version", find, raising=False)
    monkeypatch.delattr(InitCommand, name)
    done = warm_poetry.call("add", "--lock", "six@*")
    (line, *_) = done.stderr.strip().splitlines()
    assert re.fullmatch(HELPLESS, line)
