"""Files are written together or not at all, whatever fails or is killed at whatever step."""

from __future__ import annotations

import errno
import itertools
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from poetry_tf.project import transaction
from poetry_tf.project.transaction import JOURNAL, WriteError, recover, write_together

OLD = {"pyproject.toml": b"old = 1\r\n", "sub/poetry.lock": b"old lock\n"}
NEW = {
    "pyproject.toml": b"new = 1\r\n",
    "sub/poetry.lock": b"new lock\n",
    ".devcontainer/deep/devcontainer.json": b"{}\n",
}

# Kills the process at its n-th rename, before or after that is done.
KILLED = """
import os, sys
from pathlib import Path
from poetry_tf.project.transaction import write_together
import tests.project.test_transaction as cases
renames = 0
rename = Path.replace
def replace(self, target):
    global renames
    renames += 1
    if renames == int(sys.argv[2]) and sys.argv[3] == "before":
        os._exit(9)
    result = rename(self, target)
    if renames == int(sys.argv[2]):
        os._exit(9)
    return result
Path.replace = replace
write_together(Path(sys.argv[1]), {Path(k): v for k, v in cases.NEW.items()})
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for name, content in OLD.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def held(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def write(root: Path, files: dict[str, bytes]) -> None:
    write_together(root, {Path(name): content for name, content in files.items()})


def folders(root: Path) -> set[str]:
    return {path.name for path in root.rglob("*") if path.is_dir()}


def test_writes_all_and_leaves_nothing_else(root: Path) -> None:
    write(root, NEW)
    assert held(root) == NEW
    assert recover(root) == ()
    assert held(root) == NEW


def test_absolute_paths_and_an_unrelated_working_directory(root: Path) -> None:
    write_together(root, {root / "pyproject.toml": b"x"})
    assert (root / "pyproject.toml").read_bytes() == b"x"


def test_unchanged_files_are_left_alone(root: Path) -> None:
    path = root / "pyproject.toml"
    os.utime(path, (1, 1))
    before = path.stat()
    write(root, {**OLD, "other.toml": b"x"})
    assert path.stat().st_mtime == 1
    assert path.stat().st_ino == before.st_ino


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_modes_are_kept(root: Path) -> None:
    (root / "pyproject.toml").chmod(0o640)
    write(root, NEW)
    assert stat.S_IMODE((root / "pyproject.toml").stat().st_mode) == 0o640
    umask = os.umask(0)
    os.umask(umask)
    mode = (root / ".devcontainer/deep/devcontainer.json").stat().st_mode
    assert stat.S_IMODE(mode) == 0o666 & ~umask


@pytest.mark.skipif(os.name == "nt", reason="links need rights")
def test_links_stay_links(root: Path) -> None:
    (root / "link.toml").symlink_to("pyproject.toml")
    write(root, {"link.toml": b"through"})
    assert (root / "link.toml").is_symlink()
    assert (root / "pyproject.toml").read_bytes() == b"through"


@pytest.mark.skipif(os.name == "nt", reason="links need rights")
def test_targets_outside_are_refused(root: Path) -> None:
    outside = root.parent / "outside.toml"
    outside.write_bytes(b"mine")
    (root / "link.toml").symlink_to(outside)
    (root / "circle.toml").symlink_to("circle.toml")
    for name in ("link.toml", "../outside.toml", str(outside), "circle.toml"):
        with pytest.raises(WriteError, match=Path(name).name):
            write(root, {"pyproject.toml": b"x", name: b"yours"})
    assert outside.read_bytes() == b"mine"
    assert (root / "pyproject.toml").read_bytes() == OLD["pyproject.toml"]


def test_two_names_of_one_file_and_folders_are_refused(root: Path) -> None:
    with pytest.raises(WriteError, match="one file"):
        write(root, {"pyproject.toml": b"x", "sub/../pyproject.toml": b"y"})
    with pytest.raises(WriteError, match="not a file"):
        write(root, {"pyproject.toml": b"x", "sub": b"y"})
    with pytest.raises(WriteError, match="pyproject"):
        write(root, {"sub/poetry.lock": b"x", "pyproject.toml/below": b"y"})
    assert held(root) == OLD


def test_read_only_files_are_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, _: Path(path).name != "poetry.lock")
    with pytest.raises(WriteError, match=r"poetry\.lock is read-only"):
        write(root, NEW)
    assert held(root) == OLD


class Failing:
    """Lets the n-th call of a function fail, once or from then on."""

    def __init__(self, function, nth: int, error: BaseException, once: bool = True) -> None:
        self.function, self.nth, self.error, self.once = function, nth, error, once
        self.calls = 0

    def bound(self):
        def call(*args, **kwargs):
            self.calls += 1
            if self.calls == self.nth or (not self.once and self.calls > self.nth):
                raise self.error
            return self.function(*args, **kwargs)

        return call


STEPS = [
    (Path, "replace"),
    (transaction, "_write_new"),
    (Path, "mkdir"),
    (Path, "chmod"),
    (os, "fsync"),
]
FULL = OSError(errno.ENOSPC, "No space left on device")
REFUSED = PermissionError(errno.EACCES, "The file is in use")


@pytest.mark.parametrize(("owner", "name"), STEPS, ids=[name for _, name in STEPS])
@pytest.mark.parametrize("error", [FULL, REFUSED, KeyboardInterrupt()], ids=repr)
def test_a_failure_at_any_step_changes_nothing(
    root: Path, owner, name: str, error: BaseException
) -> None:
    for nth in itertools.count(1):
        with pytest.MonkeyPatch.context() as patch:
            failing = Failing(getattr(owner, name), nth, error)
            patch.setattr(owner, name, failing.bound())
            try:
                write(root, NEW)
            except (WriteError, KeyboardInterrupt) as raised:
                if isinstance(raised, WriteError):
                    assert any(Path(known).name in str(raised) for known in (*NEW, JOURNAL))
                assert held(root) == OLD
                assert folders(root) == {"sub"}
                assert recover(root) == ()
            else:
                # The calls ran out, or the failure was of a step that may fail.
                assert held(root) == NEW
                for path in NEW.keys() - OLD.keys():
                    (root / path).unlink()
                for path in (".devcontainer/deep", ".devcontainer"):
                    (root / path).rmdir()
                for path, content in OLD.items():
                    (root / path).write_bytes(content)
                if failing.calls < nth:
                    return


def test_without_hard_links_backups_are_copies(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", Failing(os.link, 1, FULL, once=False).bound())
    # The journal is renamed twice, then the files.
    monkeypatch.setattr(Path, "replace", Failing(Path.replace, 4, REFUSED).bound())
    with pytest.raises(WriteError, match=r"poetry\.lock: The file is in use; nothing was written"):
        write(root, NEW)
    assert held(root) == OLD


def test_a_rollback_that_fails_is_left_to_the_next_run(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", Failing(Path.replace, 4, REFUSED, once=False).bound())
        with pytest.raises(WriteError, match="old content is in"):
            write(root, NEW)
    with pytest.raises(WriteError, match="interrupted"):
        write(root, NEW)
    recover(root)
    assert held(root) in (OLD, NEW)


@pytest.mark.parametrize("nth", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_killed_write_is_settled(root: Path, nth: int, when: str) -> None:
    outcome = subprocess.run(
        [sys.executable, "-c", KILLED, str(root), str(nth), when],
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert outcome.returncode == 9
    changed = recover(root)
    files = {name: content for name, content in held(root).items() if "journal" not in name}
    renaming = nth > 2 or (nth == 2 and when == "after")
    assert files == (NEW if renaming else OLD)
    renamed = max(0, nth - 2 - (when == "before"))
    assert [path.relative_to(root).as_posix() for path in changed] == (
        list(NEW)[renamed:] if renaming else []
    )
    assert folders(root) - {".devcontainer", "deep"} == {"sub"}
    assert recover(root) == ()
    write(root, NEW)
    assert held(root) == NEW


def killed(root: Path, nth: int) -> None:
    """Leaves `root` as a process does that is killed before its n-th rename."""
    script = [sys.executable, "-c", KILLED, str(root), str(nth), "before"]
    subprocess.run(script, cwd=Path(__file__).parents[2], check=False)
    assert (root / JOURNAL).exists()


def test_lost_staged_content_means_undoing(root: Path) -> None:
    killed(root, 4)
    for path in (root / "sub").glob(".*.new"):
        path.write_bytes(b"cut off")
    assert recover(root) == (root / "pyproject.toml",)
    assert held(root) == OLD
    assert folders(root) == {"sub"}


def test_what_somebody_changed_since_is_theirs(root: Path) -> None:
    killed(root, 4)
    (root / "sub/poetry.lock").write_bytes(b"theirs")
    recover(root)
    assert held(root) == {**OLD, "sub/poetry.lock": b"theirs"}


def test_what_was_renamed_may_have_been_changed_since(root: Path) -> None:
    killed(root, 4)
    (root / "pyproject.toml").write_bytes(b"theirs")
    recover(root)
    assert held(root) == {**NEW, "pyproject.toml": b"theirs"}


def test_a_journal_left_after_everything_was_done(root: Path) -> None:
    killed(root, 4)
    journal = (root / JOURNAL).read_bytes()
    recover(root)
    (root / JOURNAL).write_bytes(journal)
    (root / "sub/poetry.lock").write_bytes(b"later")
    assert recover(root) == ()
    assert held(root) == {**NEW, "sub/poetry.lock": b"later"}


def test_damaged_and_forged_journals(root: Path) -> None:
    killed(root, 4)
    good = json.loads((root / JOURNAL).read_bytes())
    (root.parent / "outside").write_bytes(b"mine")
    entry = good["files"][0]
    bad = [
        {**good, "state": "other"},
        {**good, "token": "../x"},
        {**good, "token": 1},
        {**good, "files": [{**entry, "path": "../outside"}]},
        {**good, "files": [{**entry, "path": str(root.parent / "outside")}]},
        {**good, "files": [{**entry, "path": "."}]},
        {**good, "files": [{**entry, "path": 3}]},
        {**good, "files": [{**entry, "new": None}]},
        {**good, "files": 3},
        {**good, "folders": ["../"]},
        {},
        [],
    ]
    for text in (b"", b"\xff\xfe", b"{", b"[" * 100_000, *(json.dumps(b).encode() for b in bad)):
        (root / JOURNAL).write_bytes(text)
        with pytest.raises(WriteError, match=f"{JOURNAL} is damaged"):
            recover(root)
    assert (root.parent / "outside").read_bytes() == b"mine"


def test_a_journal_that_cannot_be_read(root: Path) -> None:
    (root / JOURNAL).mkdir()
    with pytest.raises(WriteError, match=JOURNAL):
        recover(root)


def test_nothing_to_recover(tmp_path: Path) -> None:
    assert recover(tmp_path) == ()
    assert recover(tmp_path / "absent") == ()
