"""Imports point one way: commands and hooks, checks, plan, then project and releases."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import poetry_tf

SOURCE = Path(poetry_tf.__file__).parent
PROGRAM = "import sys, {module}\nprint(*sorted(sys.modules), sep='\\n')"


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path, *, at_top_only: bool = False) -> Iterator[str]:
    """The modules that a file imports anywhere, or only when it is itself imported."""
    tree = ast.parse(path.read_text("utf-8"))
    nodes: list[ast.AST] = list(ast.walk(tree))
    if at_top_only:
        nodes = [*tree.body]
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} has a relative import"
            assert node.module is not None
            # `from poetry_tf import checks` imports a module as well.
            yield node.module
            yield from (
                f"{node.module}.{alias.name}"
                for alias in node.names
                if (SOURCE.parent / node.module.replace(".", "/") / f"{alias.name}.py").exists()
                or (SOURCE.parent / node.module.replace(".", "/") / alias.name).is_dir()
            )


def within(module: str, rooms: tuple[str, ...]) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


CORE = ("poetry.core",)
# From the bottom up: what of poetry_tf a room or module may import besides itself. Each may import
# what those before it may, and them.
DATA = ("poetry_tf.project", "poetry_tf.releases", "poetry_tf.words")
PLANNING = (
    "poetry_tf.configurations",
    "poetry_tf.environments",
    "poetry_tf.settings",
    "poetry_tf.plan",
)
EDITING = ("poetry_tf.pins", "poetry_tf.platforms", "poetry_tf.container")
RULES: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
    ("poetry_tf.releases", (), ()),
    ("poetry_tf.project", (), (*CORE, "poetry.packages.locker")),
    ("poetry_tf.mirrors", (), ()),
    ("poetry_tf.words", (), ()),
    ("poetry_tf.configurations", ("poetry_tf.project",), ()),
    ("poetry_tf.environments", ("poetry_tf.releases",), CORE),
    ("poetry_tf.settings", ("poetry_tf.environments", *DATA), CORE),
    ("poetry_tf.plan", (*PLANNING, *DATA), CORE),
    ("poetry_tf.pins", (*PLANNING, *DATA), CORE),
    ("poetry_tf.installable", ("poetry_tf.environments", *DATA), CORE),
    ("poetry_tf.platforms", ("poetry_tf.pins", "poetry_tf.installable", *PLANNING, *DATA), CORE),
    ("poetry_tf.container", (*PLANNING, *DATA), CORE),
    ("poetry_tf.host", ("poetry_tf.releases", "poetry_tf.words"), ()),
    ("poetry_tf.unbinding", ("poetry_tf.mirrors", *PLANNING, *DATA), CORE),
    ("poetry_tf.layers", ("poetry_tf.project",), ("poetry.locations", "poetry.config.config")),
    (
        "poetry_tf.checks",
        (
            "poetry_tf.installable",
            "poetry_tf.mirrors",
            "poetry_tf.unbinding",
            *EDITING,
            *PLANNING,
            *DATA,
        ),
        CORE,
    ),
    # What it becomes is for a project to require; what an index has of it is asked elsewhere.
    ("poetry_tf.leaving", ("poetry_tf.mirrors", *PLANNING, *DATA), CORE),
    # Above the rules, and below what talks to the user.
    (
        "poetry_tf.initialise",
        ("poetry_tf.checks", "poetry_tf.mirrors", *EDITING, *PLANNING, *DATA),
        CORE,
    ),
    (
        "poetry_tf.upgrading",
        ("poetry_tf.initialise", "poetry_tf.checks", *EDITING, *PLANNING, *DATA),
        CORE,
    ),
    (
        "poetry_tf.mending",
        ("poetry_tf.checks", "poetry_tf.project"),
        (),
    ),
    # It asks the network, and calls faults what the hooks call them.
    (
        "poetry_tf.network",
        (
            "poetry_tf.hooks.ways",
            "poetry_tf.host",
            "poetry_tf.installable",
            "poetry_tf.mirrors",
            "poetry_tf.container",
            *PLANNING,
            *DATA,
        ),
        CORE,
    ),
    (
        "poetry_tf.hooks",
        ("poetry_tf.checks", "poetry_tf.layers", "poetry_tf.mirrors", *EDITING, *PLANNING, *DATA),
        ("poetry",),
    ),
]


@pytest.mark.parametrize(("room", "own", "poetrys"), RULES, ids=lambda item: str(item)[:24])
def test_a_room_imports_what_lies_below_it_and_nothing_else(
    room: str, own: tuple[str, ...], poetrys: tuple[str, ...]
):
    files = [path for path in modules() if within(name_of(path), (room,))]
    assert files, f"{room} is gone: mend this test"
    for path in files:
        for module in imports_of(path):
            if within(module, ("poetry_tf",)) and module != "poetry_tf":
                assert within(module, (room, *own)), f"{name_of(path)} imports {module}"
            if within(module, ("poetry", "cleo")):
                assert within(module, poetrys) or (
                    room == "poetry_tf.hooks" and within(module, ("cleo",))
                ), f"{name_of(path)} imports {module}"


def test_nothing_below_the_commands_and_hooks_imports_poetrys_console():
    above = (
        "poetry_tf.commands",
        "poetry_tf.hooks",
        "poetry_tf.plugin",
        "poetry_tf.__main__",
    )
    for path in modules():
        if within(name_of(path), above):
            continue
        for module in imports_of(path):
            if name_of(path) == "poetry_tf.locking" and module.startswith("cleo.io"):
                continue  # handed on to Poetry's own installer, for its type only
            assert not within(module, ("poetry.console", "cleo")), f"{name_of(path)}: {module}"


def test_nothing_imports_the_commands_but_the_commands():
    for path in modules():
        if not within(name_of(path), ("poetry_tf.commands",)):
            assert not any(within(item, ("poetry_tf.commands",)) for item in imports_of(path))


def test_every_module_has_a_place_in_these_rules():
    known = (
        *(room for room, _, _ in RULES),
        "poetry_tf.commands",
        "poetry_tf.locking",
        "poetry_tf.asking",
        "poetry_tf.probing",
        "poetry_tf.verifying",
        "poetry_tf.plugin",
        "poetry_tf.__main__",
    )
    for path in modules():
        name = name_of(path)
        assert name == "poetry_tf" or within(name, known), f"{name} has no rule yet"


def loaded_with(module: str) -> set[str]:
    program = PROGRAM.format(module=module)
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


def test_the_plugin_loads_nothing_else_of_the_package():
    """Poetry loads it at every start, in every folder."""
    plugin = SOURCE / "plugin.py"
    assert not any(within(item, ("poetry_tf",)) for item in imports_of(plugin, at_top_only=True))
    loaded = {item for item in loaded_with("poetry_tf.plugin") if within(item, ("poetry_tf",))}
    assert loaded == {"poetry_tf", "poetry_tf.plugin"}


def test_the_plan_and_the_rules_load_nothing_of_the_network():
    loaded = loaded_with("poetry_tf.checks.run, poetry_tf.container, poetry_tf.pins")
    assert not loaded & {"requests", "urllib3", "poetry.console.application", "cleo"}


def test_the_releases_load_nothing_of_poetry():
    loaded = loaded_with(
        "poetry_tf.releases, poetry_tf.releases.catalog, poetry_tf.releases.images"
    )
    assert not {item for item in loaded if within(item, ("poetry", "cleo", "tomlkit"))}
