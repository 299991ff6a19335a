"""One process at a time writes a project; the others wait, and then write on it or refuse."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from poetry_tf.files import state
from poetry_tf.files.errors import LockedError, WriteError
from poetry_tf.files.journal import MARKER
from poetry_tf.files.snapshot import FileState
from poetry_tf.files.state import VARIABLE, state_folder, write_lock
from poetry_tf.files.transaction import recover, write_together
from tests.files.racing import NAMES, contents, kill, put, race, version, write_as

# Writes, and waits before its first rename until its standard input ends.
HOLDS = """
import sys
from pathlib import Path
from poetry_tf.files.journal import FileWrite
from tests.files.racing import write_as
rename, held = FileWrite.rename, []
def slowly(self, change):
    if not held:
        held.append(print("held", flush=True))
        sys.stdin.read()
    rename(self, change)
FileWrite.rename = slowly
sys.exit(write_as(Path(sys.argv[1]), "one"))
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    put(root, version("before"))
    return root


@contextmanager
def writing(root: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that writes `root`, and is right before its first rename."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(root)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def end(process: subprocess.Popen[str]) -> None:
    process.communicate()
    assert process.returncode == 0


def snapshot(root: Path) -> dict[Path, FileState]:
    return {root / name: FileState.of(root / name) for name in NAMES}


def write(root: Path, report: Callable[[str], object] = lambda _: None) -> None:
    files = {root / name: content for name, content in version("two").items()}
    write_together(root, files, snapshot(root), report)


def races(root: Path, rounds: int) -> Counter[str]:
    """Races, of which each has to leave the files of one writer, whole, and nothing else."""
    count: Counter[str] = Counter()
    for held, refused in race(root, rounds):
        wrote = [name for name, why in refused.items() if why is None]
        assert wrote, refused
        assert held in [version(name) for name in wrote], refused
        for why in refused.values():
            assert why is None or why.endswith("while poetry-tf was running; nothing was written")
        count[f"{len(wrote)} wrote"] += 1
    return count


def kills(root: Path, rounds: int) -> Counter[str]:
    """Kills, after each of which the next run leaves the files before or after, whole."""
    count: Counter[str] = Counter()
    for _ in kill(root, rounds):
        count["interrupted"] += (root / MARKER).exists()
        recover(root)
        held = contents(root)
        assert held in [version("before"), version("one")]
        count["completed" if held == version("one") else "as before"] += 1
        assert write_as(root, "two") is None
        assert contents(root) == version("two")
    return count


@pytest.mark.slow
def test_two_writers(root: Path) -> None:
    assert races(root, 15).total() == 15


def test_killed_writers(root: Path) -> None:
    assert kills(root, 4)["interrupted"] <= 4


@pytest.mark.slow
def test_a_thousand_races(root: Path) -> None:
    begun = time.monotonic()
    assert races(root, 1000).total() == 1000
    assert time.monotonic() - begun < 900


@pytest.mark.slow
def test_three_hundred_kills(root: Path) -> None:
    begun = time.monotonic()
    count = kills(root, 300)
    assert count["interrupted"] >= 30, "it was killed while it wrote"
    assert count["completed"] >= 10
    assert count["as before"] >= 10
    assert time.monotonic() - begun < 900


def test_a_write_whose_writer_lives_is_not_settled(root: Path) -> None:
    with writing(root) as other:
        begun = contents(root)
        assert MARKER in begun
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(state, "QUIET_SECONDS", 0.2)
            patch.setattr(state, "WAIT_SECONDS", 0.2)
            with pytest.raises(LockedError):
                recover(root)
        assert contents(root) == begun
        end(other)
    assert contents(root) == version("one")
    assert recover(root) == ()


@pytest.mark.sample
@pytest.mark.parametrize("act", [recover, write])
def test_it_waits_says_so_and_goes_on(
    root: Path, act: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "QUIET_SECONDS", 0.2)
    told: list[str] = []
    with writing(root) as other:

        def report(line: str) -> None:
            told.append(line)
            end(other)

        if act is recover:
            act(root, report)
            assert contents(root) == version("one")
        else:
            with pytest.raises(WriteError, match="was changed while poetry-tf was running"):
                act(root, report)
            assert contents(root) == version("one")
        process = f"another poetry-tf (process {other.pid})"
    assert told == [f"Waiting for {process}, which is writing in {root}"]


def test_it_gives_up(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "QUIET_SECONDS", 0.2)
    monkeypatch.setattr(state, "WAIT_SECONDS", 0.2)
    with writing(root) as other:
        with pytest.raises(LockedError, match="nothing was written") as caught:
            write(root)
        assert caught.value.pid == other.pid
        assert f"(process {other.pid}) has been writing in {root}" in str(caught.value)
        assert caught.value.remedy == "Stop it or wait for it, then run the command again."


def test_the_lock_of_a_killed_process_is_free(root: Path) -> None:
    with writing(root):
        pass
    assert (root / MARKER).exists()
    assert set(recover(root)) == {root / name for name in NAMES}
    assert contents(root) == version("one")


def test_projects_do_not_wait_for_each_other(root: Path) -> None:
    inner = root / "inner"
    put(inner, version("before"))
    with writing(root):
        begun = time.monotonic()
        write(inner)
        assert contents(inner) == version("two")
        assert time.monotonic() - begun < 1


@pytest.mark.skipif(os.name == "nt", reason="links need rights")
def test_a_project_is_one_by_all_its_names(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "QUIET_SECONDS", 0.2)
    monkeypatch.setattr(state, "WAIT_SECONDS", 0.2)
    alias = root.parent / "alias"
    alias.symlink_to(root)
    with writing(root), pytest.raises(LockedError):
        write(alias)


def test_no_lock_is_taken_where_nothing_was_interrupted(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(root / "state"))
    assert recover(root) == ()
    write_together(root, {}, {})
    assert not (root / "state").exists()


def test_reading_imports_nothing_to_lock_with() -> None:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from poetry_tf.files.transaction import recover\n"
        "recover(Path())\n"
        "assert not {'filelock', 'platformdirs'} & {*sys.modules}\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


# The folder of locks and journals


@pytest.mark.skipif(sys.platform != "linux", reason="Linux's folders")
def test_the_folder_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = state_folder()
    assert folder == tmp_path / ".local/state/poetry-tf"
    assert folder.stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert state_folder() == tmp_path / "state/poetry-tf"
    monkeypatch.setenv(VARIABLE, str(tmp_path / "mine"))
    assert state_folder() == tmp_path / "mine"


def refused(root: Path, reason: str) -> None:
    before = contents(root)
    with pytest.raises(WriteError, match=f"{reason}; nothing was written") as caught:
        write(root)
    assert caught.value.remedy.startswith(f"Set {VARIABLE} to a folder")
    assert contents(root) == before


def test_a_folder_that_cannot_be_made(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root.parent / "file").write_bytes(b"")
    monkeypatch.setenv(VARIABLE, str(root.parent / "file" / "state"))
    refused(root, "Not a directory")
    monkeypatch.setenv(VARIABLE, "relative")
    refused(root, "not an absolute path")


def test_a_folder_that_is_read_only(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(os.environ[VARIABLE])
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != folder)
    refused(root, "it is read-only")


@pytest.mark.skipif(os.name == "nt", reason="POSIX owners and modes")
def test_a_folder_of_others(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "state"
    monkeypatch.setenv(VARIABLE, str(folder))
    for mode in (0o777, 0o1777, 0o770):
        folder.mkdir(exist_ok=True)
        folder.chmod(mode)
        refused(root, "other users can write to it")
    folder.chmod(0o700)
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    refused(root, "it belongs to another user")


@pytest.mark.parametrize(
    "error", [OSError(37, "No locks available"), NotImplementedError("does not support flock")]
)
def test_a_file_system_without_locks(
    root: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    from filelock import FileLock

    def fail(*arguments: object, **more: object) -> None:
        raise error

    monkeypatch.setattr(FileLock, "acquire", fail)
    refused(root, r"files can't be locked there \(.*\)")


def test_the_lock_is_released_after_a_failure(root: Path) -> None:
    shutil.rmtree(root)
    with pytest.raises(RuntimeError), write_lock(root, lambda _: None):
        raise RuntimeError
    with write_lock(root, lambda _: None):
        pass
