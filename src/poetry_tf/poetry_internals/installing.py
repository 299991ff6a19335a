"""Poetry's installer for a lock file that is not the project's."""

from __future__ import annotations

from typing import Any

from cleo.io.null_io import NullIO
from poetry.installation.installer import Installer


class StagedInstaller(Installer):
    """Does not say that it writes the lock file: it writes a temporary one.

    `Installer._write_lock_file` is not documented. Where a later Poetry has moved it, it says so.
    """

    def _write_lock_file(self, *arguments: Any, **options: Any) -> None:
        io, self._io = self._io, NullIO()
        try:
            super()._write_lock_file(*arguments, **options)
        finally:
            self._io = io
