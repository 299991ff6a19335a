"""Whatever stands in the files: one account of it, in time, and nothing is written."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cleo.testers.command_tester import CommandTester

from tests.robustness.mutations import mutated

INPUTS = 10_200
PROCESSES = 2
SECONDS = 2
"""Of the processor's time, which how busy the machine is doesn't change."""
OPTIONS = ("", "", "--format json", "--format github", "--strict")


class Hang(BaseException):
    """Not an `Exception`, so that nothing takes it for a fault of the input."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Hang

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def fault_of(number: int, root: Path) -> str | None:
    """What is wrong with how a mutated project is checked; None where nothing is."""
    from poetry_tf.commands.check import CheckCommand

    files = mutated(number)
    for name, content in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(content)
    # The fixes are derived as well now and then; that takes ten times as long.
    options = "--diff" if number % 50 == 0 else OPTIONS[number % len(OPTIONS)]
    tester = CommandTester(CheckCommand())
    try:
        with limited(SECONDS):
            status = tester.execute(options)
        output = tester.io.fetch_output(), tester.io.fetch_error()
    except Hang:
        return f"{options}: took longer than {SECONDS} s"
    except BaseException as error:
        return f"{options}: {type(error).__name__}: {error}"
    # Nothing to annotate is nothing to say.
    if status not in {0, 1, 2} or not (any(output) or (status == 0 and "github" in options)):
        return f"{options}: status {status} without a word"
    if "json" in options and json.loads(output[0])["version"] != 1:
        return f"{options}: not the JSON that is documented"
    if contents(root) != files:
        return f"{options}: something was written"
    return None


def faults_of(numbers: range) -> list[str]:
    faults = []
    for number in numbers:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            if (fault := fault_of(number, Path(folder))) is not None:
                faults.append(f"mutated({number}): {fault}")
            os.chdir("/")
    return faults


@pytest.mark.slow
def test_mutated_files_are_judged_or_refused_and_left_alone():
    """`fault_of(number, folder)` in an empty working folder shows one of them again."""
    parts = [range(first, INPUTS, PROCESSES) for first in range(PROCESSES)]
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        faults = [fault for found in pool.map(faults_of, parts) for fault in found]
    assert faults == []


@pytest.mark.slow
def test_some_mutated_files_are_judged_or_refused_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for number in range(INPUTS, INPUTS + 60):
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        assert fault_of(number, folder) is None, f"mutated({number})"
