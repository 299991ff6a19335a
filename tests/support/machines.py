"""Machines that answer as a recording of ``poetry tf doctor --record`` does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from poetry_tf.doctor.host.machine import LIMIT, CommandResult, LoadResult, command_key


class RecordedMachine:
    """Replays a recording. What was not recorded is missing."""

    def __init__(self, recording: Mapping[str, Any]) -> None:
        self.system: str = recording["system"]
        self.architecture: str = recording["architecture"]
        self._recording = recording

    def run(self, *command: str, limit: float = LIMIT) -> CommandResult:
        ran = self._recording.get("run", {}).get(command_key(command))
        return (
            CommandResult(None, trouble="missing")
            if ran is None
            else CommandResult(**{"status": None, **ran})
        )

    def read(self, path: str) -> str | None:
        text: str | None = self._recording.get("read", {}).get(path)
        return text

    def find(self, pattern: str) -> tuple[str, ...]:
        return tuple(self._recording.get("find", {}).get(pattern, ()))

    def load(self, library: str) -> LoadResult:
        loaded = self._recording.get("load", {}).get(library)
        if loaded is None:
            message = "cannot open shared object file: No such file or directory"
            return LoadResult(error=f"{library}: {message}")
        return LoadResult(**loaded)

    def variable(self, name: str) -> str | None:
        value: str | None = self._recording.get("variable", {}).get(name)
        return value
