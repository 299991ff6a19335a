"""What each command does where a write was interrupted, or a repository says that one was."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from poetry_tf.files import state
from poetry_tf.files.journal import MARKER, FileWrite, sha256
from poetry_tf.files.snapshot import FileState
from poetry_tf.files.state import write_lock
from poetry_tf.files.transaction import write_together
from tests.support.poetry import PoetryRunner
from tests.support.projects import contents

PYPROJECT, LOCK, CONTAINER = "pyproject.toml", "poetry.lock", ".devcontainer/devcontainer.json"

READS = [
    "check",
    "check --diff",
    "devcontainer --diff",
    "devcontainer --dry-run",
    "devcontainer --check",
    "devcontainer --explain",
    "doctor --brief",
    "init -n --dry-run",
    "upgrade -n --dry-run 2.19",
]
WRITES = ["check --fix", "devcontainer", "init -n", "upgrade -n 2.19", "mirror use aliyun --local"]
WARNING = (
    "Warning: a change of these files was interrupted, or is still running. To complete or undo it,"
    " run poetry tf check --fix\n"
)


class Killed(BaseException):
    pass


@pytest.fixture
def interrupted(right: PoetryRunner, project: Path) -> PoetryRunner:
    """A project in which a comment is written into two files, and only one has it yet."""
    paths = (project / PYPROJECT, project / CONTAINER)
    read = {path: FileState.of(path) for path in paths}
    signs = (b"#", b"//")
    new = {p: s + b" new\n" + (read[p].content or b"") for p, s in zip(paths, signs, strict=True)}
    rename = FileWrite.rename

    def killed(self: FileWrite, change: object) -> None:
        if (project / PYPROJECT).read_bytes() == new[project / PYPROJECT]:
            raise Killed
        rename(self, change)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FileWrite, "rename", killed)
        patch.setattr(FileWrite, "undo", lambda self: ())
        with pytest.raises(Killed):
            write_together(project, new, read)
    return right


@pytest.mark.sample
@pytest.mark.parametrize("command", READS)
def test_what_only_reads_says_so_and_settles_nothing(
    interrupted: PoetryRunner, project: Path, command: str
) -> None:
    before = contents(project)
    result = interrupted.call("tf", *command.split())
    assert result.stderr.count(WARNING) == 1
    assert "Settled" not in result.stderr
    assert contents(project) == before


@pytest.mark.sample
@pytest.mark.parametrize("command", WRITES)
def test_what_writes_settles_it_first(
    interrupted: PoetryRunner, project: Path, command: str
) -> None:
    result = interrupted.call("tf", *command.split())
    assert result.ok, result.output
    assert f"Completed or undid an interrupted change: {CONTAINER}\n" in result.stderr
    after = contents(project)
    assert after[PYPROJECT].startswith(b"# new\n")
    assert after[CONTAINER].startswith(b"// new\n")
    assert {Path(name).name for name in after} <= {
        PYPROJECT,
        LOCK,
        "poetry.toml",
        "devcontainer.json",
    }


def test_poetrys_own_command_leaves_it_and_says_so(
    interrupted: PoetryRunner, project: Path
) -> None:
    path = project / PYPROJECT
    path.write_bytes(path.read_bytes().replace(b">=2.18.1,<2.19.0", b">=2.19.0,<2.20.0"))
    shutil.rmtree(interrupted.venv, ignore_errors=True)
    interrupted.python_version = "3.12.9"
    result = interrupted.call("lock")
    assert result.ok, "what Poetry was asked for is done"
    assert f"{CONTAINER} could not be written (an earlier write was interrupted" in result.stderr
    assert (project / MARKER).exists()


def forge(project: Path, name: str) -> None:
    """A journal of a repository that would have a file deleted."""
    entry = {"path": name, "new": sha256((project / name).read_bytes()), "old": None}
    token = "0" * 32
    text = {"about": "", "state": "undoing", "token": token, "folders": [], "files": [entry]}
    (project / MARKER).write_text(json.dumps(text), "utf-8")


@pytest.mark.parametrize("name", [".git/HEAD", PYPROJECT, LOCK, CONTAINER])
@pytest.mark.parametrize("command", [*READS, *WRITES])
@pytest.mark.sample(every=4)
def test_a_journal_from_a_repository_deletes_nothing(
    right: PoetryRunner, project: Path, command: str, name: str
) -> None:
    (project / ".git").mkdir()
    (project / ".git/HEAD").write_text("ref: refs/heads/main\n", "utf-8")
    forge(project, name)
    before = contents(project)
    result = right.call("tf", *command.split())
    assert contents(project) == before
    if command in WRITES:
        assert result.returncode == (2 if command == "check --fix" else 1)
        assert f"{MARKER} is not from a write by this user on this machine" in result.stderr
        assert "Compare the project's files with your last commit, then delete it" in result.stderr


def test_another_command_that_writes_is_waited_for(
    right: PoetryRunner, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "QUIET_SECONDS", 0.2)
    monkeypatch.setattr(state, "WAIT_SECONDS", 0.2)
    (project / CONTAINER).unlink()
    before = contents(project)
    with write_lock(project.resolve(), lambda _: None):
        result = right.call("tf", "devcontainer")
    assert result.returncode == 1
    told = result.stderr.splitlines()
    assert told[0].startswith("Waiting for another poetry-tf (process ")
    assert told[1].startswith("Error: another poetry-tf (process ")
    assert told[2] == "Stop it or wait for it, then run the command again."
    assert contents(project) == before


def test_where_no_folder_can_be_had_nothing_is_written(right: PoetryRunner, project: Path) -> None:
    (project / CONTAINER).unlink()
    before = contents(project)
    result = right.call("tf", "devcontainer", environ={"POETRY_TF_STATE_DIR": "/dev/null/state"})
    assert result.returncode == 1
    assert "can't be used for locks and journals" in result.stderr
    assert "Set POETRY_TF_STATE_DIR to a folder" in result.stderr
    assert contents(project) == before
    assert right.call("tf", "check", environ={"POETRY_TF_STATE_DIR": "/dev/null/state"}).output
