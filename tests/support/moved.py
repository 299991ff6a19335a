"""A Poetry in which one name has moved, and commands of it: a program for a process of its own.

It reads a `Job` in JSON and writes what each command did. A moved name is one that Poetry uses
throughout by another name, so that Poetry works and only the plugin does not find it.
"""

from __future__ import annotations

import builtins
import contextlib
import importlib
import importlib.abc
import importlib.machinery
import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

AT_ONCE = 3


class _Renaming(importlib.machinery.SourceFileLoader):
    """Loads a module of Poetry's with a name replaced by another one, and does not cache it."""

    def __init__(self, fullname: str, path: str, name: str) -> None:
        super().__init__(fullname, path)
        self._name = re.compile(rf"\b{re.escape(name)}\b".encode())

    def get_data(self, path: str) -> bytes:
        if not path.endswith(".py"):
            raise OSError(path)
        return self._name.sub(lambda found: found[0] + b"_moved", super().get_data(path))

    def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
        """Keeps the bytecode out of the cache."""


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name.partition(".")[0] not in {"poetry", "cleo"}:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.origin is not None and spec.origin.endswith(".py"):
            spec.loader = _Renaming(name, spec.origin, self._name)
        return spec


def rename(name: str) -> None:
    """Poetry and cleo use another name."""
    # After the finder of `site/sitecustomize.py`, which asks the others.
    place = sys.meta_path.index(importlib.machinery.PathFinder)
    sys.meta_path.insert(place, _Finder(name))


def hide(module: str, name: str) -> None:
    """What the plugin imports is somewhere else, or has another name."""
    import_ = builtins.__import__

    def importing(
        wanted: str,
        globals: Any = None,
        locals: Any = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        importer = (globals or {}).get("__name__", "")
        if importer.startswith("poetry_tf") and wanted == module:
            if not fromlist:
                raise ModuleNotFoundError(f"No module named {module!r}")
            if name in fromlist:
                raise ImportError(f"cannot import name {name!r} from {module!r}")
        return import_(wanted, globals, locals, fromlist, level)

    builtins.__import__ = importing  # type: ignore[assignment]


def fail(module: str, name: str) -> None:
    """A function by which the plugin reaches into Poetry finds something else there."""

    def failing(*_: object, **__: object) -> None:
        raise AttributeError(f"{name} has moved")

    setattr(importlib.import_module(module), name, failing)


def start(arguments: Sequence[str], folder: str, out: str) -> int:
    """Starts a command in a fork, so that none leaves anything behind."""
    child = os.fork()
    if child:
        return child
    status: Any = "none"
    try:
        os.chdir(folder)
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(Path(out, name), os.O_WRONLY | os.O_CREAT), number)
        sys.argv = ["poetry", *arguments]
        importlib.import_module("poetry.console.application").main()
    except SystemExit as leave:
        status = leave.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status if isinstance(status, int) else 70)


def run(commands: Sequence[Mapping[str, Any]]) -> list[int]:
    """Runs commands, `AT_ONCE` at a time, and returns their statuses."""
    statuses: dict[int, int] = {}
    children: list[int] = []

    def wait() -> None:
        child, status = os.wait()
        statuses[child] = os.waitstatus_to_exitcode(status)

    for command in commands:
        if len(children) - len(statuses) == AT_ONCE:
            wait()
        children.append(start(**command))
    while len(statuses) < len(children):
        wait()
    return [statuses[child] for child in children]


def main() -> None:
    """Runs the commands of a job: each has arguments, a folder to run in and one for its output."""
    del sys.path[0]  # this folder, which has a poetry.py
    job = json.load(sys.stdin)
    kind, *seam = job["seam"]
    if kind:
        move: dict[str, Callable[..., None]] = {"rename": rename, "hide": hide, "fail": fail}
        move[kind](*seam)
    importlib.import_module("poetry.console.application")
    for warm in ("poetry.puzzle.solver", "poetry.console.commands.add"):
        with contextlib.suppress(ImportError):
            importlib.import_module(warm)
    json.dump(run(job["commands"]), sys.stdout)


if __name__ == "__main__":
    main()
