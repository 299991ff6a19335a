"""The rooms of the house: imports point down one list, and nothing grows past its size."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import poetry_tf

SOURCE = Path(poetry_tf.__file__).parent

ROOMS = (
    "__main__",
    "plugin",
    "commands",
    "hooks",
    "actions",
    "migration",
    "checks",
    "doctor",
    "devcontainer",
    "pyproject",
    "plan",
    "index",
    "releases",
    "http",
    "files",
    "poetry_internals",
    "text",
)
"""From the top down: each imports what stands below it, and itself."""

OF_POETRY: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("plugin", "commands", "hooks", "actions", "index"), ("poetry", "cleo")),
    "__main__": ("poetry",),
    "poetry_internals": ("poetry", "cleo"),
    "files": ("poetry.core", "poetry.packages.locker"),
    **dict.fromkeys(
        ("migration", "checks", "doctor", "devcontainer", "pyproject", "plan"), ("poetry.core",)
    ),
}
"""What of Poetry's own a room imports; a room that isn't here imports nothing of it."""

LONGEST_MODULE = 500
LONGEST_CLASS = 250


@cache
def trees() -> Mapping[str, ast.Module]:
    """Every module of the package with its syntax tree."""
    return {name_of(path): ast.parse(path.read_text("utf-8")) for path in SOURCE.rglob("*.py")}


def name_of(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    return module.split(".")[1]


def imports_of(nodes: Iterator[ast.AST] | list[ast.stmt]) -> Iterator[str]:
    """The modules that syntax nodes import, as precisely as their names tell."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the room"
            assert node.module is not None
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in trees() else node.module


def is_within(module: str, names: tuple[str, ...]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in names)


def imported() -> Iterator[tuple[str, str]]:
    for module, tree in trees().items():
        for other in imports_of(ast.walk(tree)):
            yield module, other


def test_every_room_has_its_place():
    assert {room_of(module) for module in trees() if module != "poetry_tf"} == {*ROOMS}


def test_imports_point_down():
    up = [
        f"{module} imports {other}"
        for module, other in imported()
        if other.startswith("poetry_tf.")
        and ROOMS.index(room_of(other)) < ROOMS.index(room_of(module))
    ]
    assert not up


def test_no_circle():
    graph: dict[str, set[str]] = defaultdict(set)
    for module, other in imported():
        if other in trees() and other != module:
            graph[module].add(other)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_rooms_below_the_commands_know_little_of_poetry():
    wrong = [
        f"{module} imports {other}"
        for module, other in imported()
        if is_within(other, ("poetry", "cleo"))
        and not is_within(other, OF_POETRY.get(room_of(module), ()))
    ]
    assert not wrong


def test_no_module_and_no_class_is_too_long():
    long = [
        f"{name}: {lines} lines"
        for name in trees()
        if (lines := len(path_of(name).read_text("utf-8").splitlines())) > LONGEST_MODULE
    ]
    for module, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and node.end_lineno is not None:
                lines = node.end_lineno - node.lineno + 1
                long += [f"{module}.{node.name}: {lines} lines"] * (lines > LONGEST_CLASS)
    assert not long


def path_of(module: str) -> Path:
    path = SOURCE.parent / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def test_no_name_stands_for_two_classes():
    found: dict[str, list[str]] = defaultdict(list)
    for module, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(module)
    assert {name: modules for name, modules in found.items() if len(modules) > 1} == {}


def test_overrides_of_poetrys_classes_live_in_index_alone():
    wrong = []
    for module, tree in trees().items():
        poetrys = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("poetry.repos")
            for alias in node.names
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
                if bases & poetrys and room_of(module) != "index":
                    wrong.append(f"{module}.{node.name}")
    assert not wrong


# -- what is loaded -------------------------------------------------------------------------


def loaded_with(modules: str) -> set[str]:
    program = f"import sys, {modules}\nprint(*sorted(sys.modules), sep='\\n')"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


def test_the_plugin_loads_nothing_else_of_the_package():
    """Poetry loads it at every start, in every folder."""
    top = trees()["poetry_tf.plugin"].body
    assert not any(is_within(item, ("poetry_tf",)) for item in imports_of(top))
    loaded = {item for item in loaded_with("poetry_tf.plugin") if is_within(item, ("poetry_tf",))}
    assert loaded == {"poetry_tf", "poetry_tf.plugin"}


def test_the_plan_and_the_rules_load_nothing_of_the_network():
    loaded = loaded_with("poetry_tf.checks.findings, poetry_tf.devcontainer, poetry_tf.actions.fix")
    assert not loaded & {"requests", "urllib3", "poetry.console.application", "cleo"}


def test_the_releases_load_nothing_of_poetry():
    loaded = loaded_with(
        "poetry_tf.releases, poetry_tf.releases.catalog, poetry_tf.releases.images"
    )
    assert not {item for item in loaded if is_within(item, ("poetry", "cleo", "tomlkit"))}
