"""What supplies the files of locked packages to Poetry's installer."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poetry_tf.poetry_internals import MOVED, patches

if TYPE_CHECKING:
    from poetry.core.packages.package import Package


_building = threading.local()
"""Poetry solves the requirements of a build in the thread that builds."""


def begin_build() -> None:
    """From here to `end_build` this thread is given what was saved, locked or not."""
    _building.depth = getattr(_building, "depth", 0) + 1


def end_build() -> None:
    _building.depth -= 1


def is_building() -> bool:
    return getattr(_building, "depth", 0) > 0


class FileSupply(ABC):
    """A repository that puts files where the installer wants them, instead of Poetry's client."""

    @abstractmethod
    def fetch(
        self, package: Package, url: str, dest: Path, progress: Callable[[int, int], None]
    ) -> None:
        """Puts a file of a locked package at `dest`, with one of the locked hashes."""

    def explain_unfit(
        self,
        package: Package,  # noqa: ARG002
        python: str,  # noqa: ARG002
        error: Exception,  # noqa: ARG002
    ) -> Exception | None:
        """The error for a package of which no file fits the environment; None for what it is."""
        return None


def supply_files() -> bool:
    """Has the installer take files by `FileSupply`; false if this Poetry installs otherwise."""
    with suppress(*MOVED):
        patches.explain_choosing(FileSupply, _explain_unfit)
    with suppress(*MOVED):
        return patches.download_by(FileSupply, _fetch)
    return False


def _fetch(supply: FileSupply, *arguments: Any) -> None:
    supply.fetch(*arguments)


def _explain_unfit(supply: FileSupply, *arguments: Any) -> Exception | None:
    return supply.explain_unfit(*arguments)
