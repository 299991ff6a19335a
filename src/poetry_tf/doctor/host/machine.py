"""The interface to a machine: run a command, read a file, load a library.

Probes use nothing but a `Machine`, so a machine can be recorded and replayed elsewhere.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import platform
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

LIMIT = 5.0
"""Seconds after which a probe is abandoned."""
OWN_PYTHON = "<python>"
"""Stands for the interpreter that runs poetry-tf, whose path differs between machines."""
_LONGEST = 1_000_000
"""Maximum characters of a file or an output; useful ones are shorter."""

Trouble = Literal["", "missing", "timeout", "denied"]
T = TypeVar("T")


@dataclass(frozen=True)
class CommandResult:
    """The result of a command.

    Attributes:
        status: its exit status; None if it did not finish.
        output, error: stdout and stderr as text, stripped; up to the timeout if there was one.
        trouble: why it did not finish: the program is missing, may not be run, or timed out.
    """

    status: int | None
    output: str = ""
    error: str = ""
    trouble: Trouble = ""

    @property
    def succeeded(self) -> bool:
        return self.status == 0


@dataclass(frozen=True)
class LoadResult:
    """The result of loading a shared library.

    Attributes:
        path: the loaded file; empty if it could not be loaded.
        error: the loader's error message.
    """

    path: str = ""
    error: str = ""


class Machine(Protocol):
    """Read-only access to a machine."""

    system: str
    """``Linux``, ``Windows`` or ``Darwin``, as `platform.system` says."""
    architecture: str
    """``x86_64``, ``aarch64``, ``arm64``, ``AMD64``, as `platform.machine` says."""

    def run(self, *command: str, limit: float = LIMIT) -> CommandResult:
        """Runs a command that changes nothing, for at most `limit` seconds.

        `OWN_PYTHON` is always available as the program.
        """
        ...

    def read(self, path: str) -> str | None:
        """The text of a file; None if it cannot be read, or not within `LIMIT`."""
        ...

    def find(self, pattern: str) -> tuple[str, ...]:
        """The sorted paths that match a pattern with ``*``; none on a timeout."""
        ...

    def load(self, library: str) -> LoadResult:
        """Loads a library by name or by path, in a process of its own."""
        ...

    def variable(self, name: str) -> str | None:
        """An environment variable; None if it is not set."""
        ...


# In a process of its own: a library may crash or block the process that loads it.
_LOAD = """\
import ctypes, json, sys
name = sys.argv[1]
found = {"path": name}
try:
    ctypes.CDLL(name)
    base = name.rpartition("/")[2]
    with open("/proc/self/maps") as maps:
        paths = [line.split(None, 5)[5].strip() for line in maps if base in line]
    found["path"] = next(iter(paths), name)
except OSError as error:
    found["error"] = str(error)
print(json.dumps(found))
"""


class ThisMachine:
    """The machine that poetry-tf runs on."""

    def __init__(self, limit: float = LIMIT) -> None:
        self.system = platform.system()
        self.architecture = platform.machine()
        self._limit = limit

    def run(self, *command: str, limit: float = LIMIT) -> CommandResult:
        program, *arguments = command
        program = sys.executable if program == OWN_PYTHON else program
        try:
            process = subprocess.Popen(
                [program, *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                stdin=subprocess.DEVNULL,
                # So that its child processes can be killed with it.
                start_new_session=True,
                # Messages are parsed, so they must be in English.
                env={**os.environ, "LC_ALL": "C", "LANGUAGE": "C"},
            )
        except PermissionError:
            return CommandResult(None, trouble="denied")
        except (OSError, ValueError):
            return CommandResult(None, trouble="missing")
        try:
            output, error = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired as expired:
            _end(process)
            return CommandResult(None, _text(expired.stdout), _text(expired.stderr), "timeout")
        except BaseException:
            # In its own session it does not receive a Ctrl-C.
            _end(process)
            raise
        return CommandResult(process.returncode, _text(output), _text(error))

    def read(self, path: str) -> str | None:
        def text() -> str | None:
            try:
                with Path(path).open("rb") as file:
                    return file.read(_LONGEST).decode("utf-8", errors="replace")
            except (OSError, ValueError):
                return None

        return _within(self._limit, text, None)

    def find(self, pattern: str) -> tuple[str, ...]:
        def found() -> tuple[str, ...]:
            return tuple(sorted(glob.glob(pattern)))  # noqa: PTH207 - the patterns are absolute

        return _within(self._limit, found, ())

    def load(self, library: str) -> LoadResult:
        ran = self.run(OWN_PYTHON, "-c", _LOAD, library)
        if ran.trouble == "timeout":
            return LoadResult(error=f"did not answer within {LIMIT:g} seconds")
        try:
            found: dict[str, str] = json.loads(ran.output)
        except ValueError:
            return LoadResult(
                error=f"crashed the process that loaded it (exit status {ran.status})"
            )
        if "error" in found:
            return LoadResult(error=found["error"])
        return LoadResult(**found)

    def variable(self, name: str) -> str | None:
        return os.environ.get(name)


def _within(limit: float, call: Callable[[], T], default: T) -> T:
    """The result of a call that may block, as a read from a lost network drive does.

    On a timeout the call is left in a daemon thread.
    """
    answers: list[T] = []
    thread = threading.Thread(target=lambda: answers.append(call()), daemon=True)
    thread.start()
    thread.join(limit)
    return answers[0] if answers else default


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kills a process and its children; one that is blocked in the kernel is abandoned."""
    with contextlib.suppress(OSError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=1)


def _text(written: bytes | None) -> str:
    written = written or b""
    # Programs of Windows (wsl.exe) write UTF-16, in which every other byte of English is 0.
    encoding = "utf-16-le" if written[1:2] == b"\0" else "utf-8"
    return written[:_LONGEST].decode(encoding, errors="replace").replace("\r\n", "\n").strip()


class CachingMachine:
    """Caches the answers of a machine, and returns them as a recording.

    So several probes can query the same facts.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        kinds = ("run", "read", "find", "load", "variable")
        self._answers: dict[str, dict[str, Any]] = {kind: {} for kind in kinds}
        self.system = machine.system
        self.architecture = machine.architecture

    def run(self, *command: str, limit: float = LIMIT) -> CommandResult:
        return self._once(
            "run", command_key(command), lambda: self._machine.run(*command, limit=limit)
        )

    def read(self, path: str) -> str | None:
        return self._once("read", path, lambda: self._machine.read(path))

    def find(self, pattern: str) -> tuple[str, ...]:
        return self._once("find", pattern, lambda: self._machine.find(pattern))

    def load(self, library: str) -> LoadResult:
        return self._once("load", library, lambda: self._machine.load(library))

    def variable(self, name: str) -> str | None:
        return self._once("variable", name, lambda: self._machine.variable(name))

    def _once(self, kind: str, key: str, call: Callable[[], T]) -> T:
        answers: dict[str, T] = self._answers[kind]
        if key not in answers:
            answers[key] = call()
        return answers[key]

    def recording(self) -> dict[str, Any]:
        """All queries and their answers, by kind."""
        answers = self._answers
        return {
            "system": self.system,
            "architecture": self.architecture,
            "run": {key: _spare(asdict(ran)) for key, ran in answers["run"].items()},
            "load": {key: _spare(asdict(one)) for key, one in answers["load"].items()},
            "find": {key: list(found) for key, found in answers["find"].items() if found},
            "read": {key: text for key, text in answers["read"].items() if text is not None},
            "variable": {
                key: text for key, text in answers["variable"].items() if text is not None
            },
        }


def command_key(command: tuple[str, ...]) -> str:
    """The key of a command in recordings: the first line of each argument."""
    return " ".join(part.partition("\n")[0] for part in command)


def _spare(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value or value == 0}
