"""On the PYTHONPATH of Poetry under test: makes an address of the test's stand for PyPI.

Where TESTS_PYPI_URL is set, the default address of Poetry's PyPiRepository becomes that one, at the
moment when Poetry imports the class; and where it is not PyPI's own, no hash of a file is known.
Nothing else is touched and nothing is imported early.
"""

from __future__ import annotations

import atexit
import gc
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any


def _patch_address(module: Any) -> None:
    init = module.PyPiRepository.__init__
    init.__defaults__ = (os.environ["TESTS_PYPI_URL"], *init.__defaults__[1:])


def _patch_hashes(module: Any) -> None:
    module.hashes = lambda _: {}


class _Finder(importlib.abc.MetaPathFinder):
    """Finds a module by the other finders and patches it once it has been run."""

    def __init__(self, module: str, patch: Callable[[Any], None]) -> None:
        self._module, self._patch = module, patch

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != self._module:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def run_and_patch(module: Any) -> None:
                run(module)
                self._patch(module)

            spec.loader.exec_module = run_and_patch  # type: ignore[method-assign]
        return spec


if "TESTS_PYPI_URL" in os.environ:
    sys.meta_path.insert(0, _Finder("poetry.repositories.pypi_repository", _patch_address))
    if os.environ["TESTS_PYPI_URL"].startswith("http:"):
        sys.meta_path.insert(0, _Finder("poetry_tf.index.routing", _patch_hashes))

if "TESTS_FROZEN" in os.environ:

    @atexit.register
    def write_frozen():
        """The objects that the end of the process does not search."""
        Path(os.environ["TESTS_FROZEN"]).write_text(str(gc.get_freeze_count()), "ascii")


if "TESTS_PEAK" in os.environ:

    @atexit.register
    def write_peak():
        """The most memory that the process had, in bytes."""
        status = Path("/proc/self/status").read_text("ascii")
        kilobytes = status.partition("VmHWM:")[2].split()[0]
        Path(os.environ["TESTS_PEAK"]).write_text(str(int(kilobytes) * 1024), "ascii")
