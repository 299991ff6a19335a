"""Files are written together or not at all, whatever fails or is killed at whatever step."""

from __future__ import annotations

import errno
import itertools
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poetry_tf.files import journal, transaction
from poetry_tf.files.errors import ChangedError, UnsettledError, WriteError
from poetry_tf.files.journal import MARKER, FileWrite
from poetry_tf.files.snapshot import FileState
from poetry_tf.files.state import VARIABLE, state_folder
from poetry_tf.files.transaction import recover, write_together

OLD = {"pyproject.toml": b"old = 1\r\n", "sub/poetry.lock": b"old lock\n"}
NEW = {
    "pyproject.toml": b"new = 1\r\n",
    "sub/poetry.lock": b"new lock\n",
    ".devcontainer/deep/devcontainer.json": b"{}\n",
}

THEIRS = b"theirs\r\n"
PYPROJECT, LOCK, CONTAINER = NEW
READ = "poetry.toml"
"""Read, and not written."""

# Kills the process at its n-th rename, before or after that is done.
KILLED = """
import os, sys
from pathlib import Path
import tests.files.test_transaction as cases
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
cases.write(Path(sys.argv[1]), cases.NEW)
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


def read(root: Path, *names: str) -> dict[Path, FileState]:
    return {Path(name): FileState.of(root / name) for name in names}


def write(
    root: Path, files: dict[str, bytes], snapshot: dict[Path, FileState] | None = None
) -> None:
    """Writes what was read in that moment, or earlier."""
    contents = {Path(name): content for name, content in files.items()}
    write_together(root, contents, read(root, *files) if snapshot is None else snapshot)


def folders(root: Path) -> set[str]:
    return {path.name for path in root.rglob("*") if path.is_dir()}


def test_writes_all_and_leaves_nothing_else(root: Path) -> None:
    write(root, NEW)
    assert held(root) == NEW
    assert recover(root) == ()
    assert held(root) == NEW


def test_absolute_paths_and_an_unrelated_working_directory(root: Path) -> None:
    path = root / "pyproject.toml"
    write_together(root, {path: b"x"}, {path: FileState.of(path)})
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


@pytest.mark.skipif(os.name == "nt", reason="links need rights")
@pytest.mark.parametrize("folder", [".git", "sub/.git", ".Git"])
def test_what_is_of_git_is_not_written(root: Path, folder: str) -> None:
    """A cloned repository can hold a link to what its clone will have."""
    (root / folder / "hooks").mkdir(parents=True)
    (root / "link.toml").symlink_to(f"{folder}/hooks/post-checkout")
    (root / "hooks").symlink_to(f"{folder}/hooks")
    for name in ("link.toml", "hooks/new.json", f"{folder}/config"):
        with pytest.raises(WriteError, match="which belongs to Git: nothing was written"):
            write(root, {"pyproject.toml": b"x", name: b"yours"})
    assert not any((root / folder / "hooks").iterdir())
    assert (root / "pyproject.toml").read_bytes() == OLD["pyproject.toml"]


def test_two_names_of_one_file_and_folders_are_refused(root: Path) -> None:
    with pytest.raises(WriteError, match="the same file"):
        write(root, {"pyproject.toml": b"x", "sub/../pyproject.toml": b"y"})
    with pytest.raises(WriteError, match="not a file"):
        write(root, {"pyproject.toml": b"x", "sub": b"y"})
    with pytest.raises(WriteError, match="pyproject"):
        write(root, {"sub/poetry.lock": b"x", "pyproject.toml/below": b"y"})
    assert held(root) == OLD


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
@pytest.mark.parametrize("name", ["poetry.toml", "new/devcontainer.json"])
def test_a_folder_that_is_read_only_is_named(
    root: Path, monkeypatch: pytest.MonkeyPatch, number: int, name: str
) -> None:
    """Not the journal or the temporary file that could not be created there."""

    create = os.open

    def refuse(path: Any, flags: int, *more: Any, **options: Any) -> int:
        if Path(path).is_relative_to(root) and flags & os.O_CREAT:
            raise OSError(number, os.strerror(number))
        return create(path, flags, *more, **options)

    before = held(root)
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(WriteError) as caught:
        write(root, {name: b""}, {Path(name): FileState.absent(root / name)})
    monkeypatch.undo()
    assert str(caught.value) == f"{root}: {os.strerror(number)}; nothing was written"
    assert "writable" in caught.value.remedy
    assert held(root) == before


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
    (journal, "_write_new"),
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
                    places = (*NEW, MARKER, str(state_folder()), str(root))
                    assert any(Path(known).name in str(raised) for known in places)
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
@pytest.mark.sample(every=5)
def test_a_killed_write_is_settled(root: Path, nth: int, when: str) -> None:
    outcome = subprocess.run(
        [sys.executable, "-c", KILLED, str(root), str(nth), when],
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert outcome.returncode == 9
    changed = recover(root)
    renaming = nth > 2 or (nth == 2 and when == "after")
    assert held(root) == (NEW if renaming else OLD), "and no draft"
    renamed = max(0, nth - 2 - (when == "before"))
    assert [path.relative_to(root).as_posix() for path in changed] == (
        list(NEW)[renamed:] if renaming else []
    )
    assert folders(root) - {".devcontainer", "deep"} == {"sub"}
    assert recover(root) == ()
    write(root, NEW)
    assert held(root) == NEW


def journal_of(root: Path) -> Path:
    """The journal of the write that was interrupted in `root`."""
    return state_folder() / f"{json.loads((root / MARKER).read_bytes())['token']}.json"


def killed(root: Path, nth: int) -> None:
    """Leaves `root` as a process does that is killed before its n-th rename."""
    script = [sys.executable, "-c", KILLED, str(root), str(nth), "before"]
    subprocess.run(script, cwd=Path(__file__).parents[2], check=False)
    assert (root / MARKER).exists()


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
    saved = {path: path.read_bytes() for path in (root / MARKER, journal_of(root))}
    recover(root)
    for path, content in saved.items():
        path.write_bytes(content)
    (root / "sub/poetry.lock").write_bytes(b"later")
    assert recover(root) == ()
    assert held(root) == {**NEW, "sub/poetry.lock": b"later"}


def test_damaged_journals(root: Path) -> None:
    killed(root, 4)
    path = journal_of(root)
    good = json.loads(path.read_bytes())
    (root.parent / "outside").write_bytes(b"mine")
    entry = good["files"][0]
    bad = [
        {**good, "state": "other"},
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
    before = held(root)
    for text in (b"", b"\xff\xfe", b"{", b"[" * 100_000, *(json.dumps(b).encode() for b in bad)):
        path.write_bytes(text)
        with pytest.raises(UnsettledError, match="is not for"):
            recover(root)
    assert held(root) == before
    assert (root.parent / "outside").read_bytes() == b"mine"


@pytest.mark.skipif(os.name == "nt", reason="links need rights")
def test_a_folder_that_has_become_a_link_since(root: Path) -> None:
    killed(root, 4)
    outside = (root / "sub").rename(root.parent / "moved")
    (root / "sub").symlink_to(outside)
    before = held(root.parent)
    with pytest.raises(UnsettledError, match="is not for"):
        recover(root)
    assert held(root.parent) == before


# A marker that is in a repository


def forged(path: str, content: bytes) -> dict[str, Any]:
    """A journal that has a file deleted: it names the file's hash as that of a new one."""
    entry = {"path": path, "new": journal.sha256(content), "old": None}
    return {"about": "", "state": "undoing", "token": "0" * 8, "folders": [], "files": [entry]}


VICTIMS = [".git/HEAD", ".git/hooks/pre-commit", "src/main.py", "pyproject.toml", "sub/poetry.lock"]


@pytest.mark.parametrize("name", VICTIMS)
def test_a_journal_from_a_repository_deletes_nothing(root: Path, name: str) -> None:
    save(root / name, b"precious")
    for token in ("0" * 8, "0" * 32):
        text = json.dumps({**forged(name, b"precious"), "token": token})
        (root / MARKER).write_text(text, "utf-8")
        before = held(root)
        with pytest.raises(UnsettledError, match=r"is from the repository.*nothing was written"):
            recover(root)
        with pytest.raises(UnsettledError, match="interrupted"):
            write(root, NEW)
        assert held(root) == before


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b"[" * 100_000,
        b"\xff",
        b"[]",
        b'{"token": 3}',
        b'{"token": "../../x"}',
        b'{"token": "0123456789abcdef0123456789abcdef\\n"}',
        b" " * 10_000,
        None,
    ],
)
def test_markers_that_are_none_of_ours(root: Path, text: bytes | None) -> None:
    if text is None:
        (root / MARKER).mkdir()
    else:
        (root / MARKER).write_bytes(text)
    with pytest.raises(UnsettledError, match=MARKER) as caught:
        recover(root)
    assert caught.value.remedy.endswith("then delete it.")
    assert (root / MARKER).exists()


@pytest.mark.sample
@pytest.mark.skipif(os.name == "nt", reason="links need rights")
@pytest.mark.parametrize("target", ["/dev/zero", "nowhere", "own"])
def test_a_marker_that_is_a_link(root: Path, target: str) -> None:
    killed(root, 4)
    (root / MARKER).rename(root / "own")
    (root / MARKER).symlink_to(target)
    before = held(root)
    with pytest.raises(UnsettledError, match="is from the repository"):
        recover(root)
    assert held(root) == before


def test_killed_while_the_marker_was_begun(root: Path) -> None:
    (root / MARKER).write_bytes(b"")
    assert recover(root) == ()
    assert held(root) == OLD


def test_a_project_that_was_moved_since(root: Path) -> None:
    killed(root, 4)
    moved = root.rename(root.with_name("moved"))
    root.mkdir()
    assert recover(root) == ()
    assert recover(moved) == (moved / LOCK, moved / CONTAINER)
    assert held(moved) == NEW


def test_another_user_settles_nothing_and_writes_nothing(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(root, 4)
    before = held(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(tmp_path / "theirs"))
        with pytest.raises(UnsettledError, match="another user or a container") as caught:
            recover(root)
        token = journal_of(root).stem
        assert f".*.{token}.new" in caught.value.remedy
        with pytest.raises(UnsettledError, match="interrupted"):
            write(root, {PYPROJECT: b"x"})
        # It is there by the time that theirs is made.
        patch.setattr(transaction, "is_interrupted", lambda _: False)
        with pytest.raises(UnsettledError, match="interrupted"):
            write(root, {PYPROJECT: b"x"})
    assert held(root) == before
    recover(root)
    assert held(root) == NEW


# Drafts


def test_drafts_have_names_that_nobody_can_guess(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[str] = set()

    def act(self: FileWrite, change: object) -> None:
        for path in set(held(root)) - {*OLD, *NEW, MARKER}:
            token = Path(path).name.split(".")[-2]
            assert len(token) == 32
            assert int(token, 16)
            seen.add(token)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(FileWrite, "rename", act)
    for _ in range(3):
        with pytest.raises(WriteError):
            write(root, NEW)
        assert held(root) == OLD
    assert len(seen) == 3


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
@pytest.mark.parametrize("links", [True, False])
def test_drafts_of_a_private_file_are_private(
    root: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    (root / PYPROJECT).chmod(0o600)
    if not links:
        monkeypatch.setattr(os, "link", Failing(os.link, 1, FULL, once=False).bound())
    modes: set[int] = set()
    fsync = os.fsync

    def act(handle: int) -> None:
        modes.update(stat.S_IMODE(path.stat().st_mode) for path in root.glob(f".{PYPROJECT}.*"))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", act)
    write(root, NEW)
    assert modes == {0o600}
    assert stat.S_IMODE((root / PYPROJECT).stat().st_mode) == 0o600


def test_nothing_to_recover(tmp_path: Path) -> None:
    assert recover(tmp_path) == ()
    assert recover(tmp_path / "absent") == ()


# What somebody saves between reading and writing


def save(path: Path, content: bytes = THEIRS) -> None:
    """As an editor does that writes into the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def save_by_rename(path: Path, content: bytes = THEIRS) -> None:
    """As an editor does that renames a new file over the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name("draft~")
    draft.write_bytes(content)
    draft.replace(path)


def link(path: Path) -> None:
    """Puts a link to a file of the same content in the file's place."""
    content = path.read_bytes()
    path.unlink()
    target = path.with_name("shared.toml")
    target.write_bytes(content)
    path.symlink_to(target.name)


def with_bom(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())


def with_line_feeds(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n"))


CHANGES: list[tuple[str, Callable[[Path], object], str]] = [
    (PYPROJECT, save, "changed"),
    (PYPROJECT, save_by_rename, "changed"),
    (PYPROJECT, with_bom, "changed"),
    (PYPROJECT, with_line_feeds, "changed"),
    (PYPROJECT, Path.unlink, "deleted"),
    (PYPROJECT, link, "changed"),
    (LOCK, save, "changed"),
    (LOCK, Path.unlink, "deleted"),
    (CONTAINER, save, "created"),
    (READ, save, "created"),
    ("read.json", save, "changed"),
    ("read.json", Path.unlink, "deleted"),
]


@pytest.fixture
def snapshot(root: Path) -> dict[Path, FileState]:
    (root / "read.json").write_bytes(b"{}")
    return read(root, *NEW, READ, "read.json")


def refused(root: Path, snapshot: dict[Path, FileState]) -> ChangedError:
    """A write that fails, and leaves what is there as it is, links and folders included."""
    before, names = held(root), set(root.rglob("*"))
    with pytest.raises(ChangedError, match="nothing was written") as caught:
        write(root, NEW, snapshot)
    assert held(root) == before
    assert set(root.rglob("*")) == names
    return caught.value


@pytest.mark.skipif(os.name == "nt", reason="links need rights")
@pytest.mark.parametrize(("name", "change", "how"), CHANGES)
def test_what_changed_since_it_was_read_is_not_overwritten(
    root: Path, snapshot: dict[Path, FileState], name: str, change, how: str
) -> None:
    change(root / name)
    error = refused(root, snapshot)
    assert error.changes == {name: how}
    assert str(error) == f"{name} was {how} while poetry-tf was running; nothing was written"


def test_every_file_that_changed_is_named(root: Path, snapshot: dict[Path, FileState]) -> None:
    save(root / PYPROJECT)
    (root / LOCK).unlink()
    assert str(refused(root, snapshot)).startswith(
        f"{PYPROJECT} was changed and {LOCK} was deleted while"
    )


@pytest.mark.skipif(os.name == "nt", reason="links need rights")
def test_a_link_that_leads_elsewhere_by_now(root: Path) -> None:
    for name in ("one.toml", "two.toml"):
        (root / name).write_bytes(b"the same")
    path = root / "link.toml"
    path.symlink_to("one.toml")
    snapshot = read(root, *NEW, "link.toml")
    path.unlink()
    path.symlink_to("two.toml")
    assert refused(root, snapshot).changes == {"link.toml": "changed"}


@pytest.mark.skipif(os.name == "nt", reason="links need rights")
def test_a_second_name_of_a_file_that_is_written_has_not_changed(root: Path) -> None:
    (root / "link.toml").symlink_to(PYPROJECT)
    write(root, NEW, read(root, *NEW, "link.toml"))
    assert held(root) == {**NEW, "link.toml": NEW[PYPROJECT]}


@pytest.mark.parametrize("name", NEW)
def test_what_is_as_it_is_to_be_has_not_changed(
    root: Path, snapshot: dict[Path, FileState], name: str
) -> None:
    save(root / name, NEW[name])
    write(root, NEW, snapshot)
    assert {name: held(root)[name] for name in NEW} == NEW


def test_a_file_that_was_saved_without_a_change(
    root: Path, snapshot: dict[Path, FileState]
) -> None:
    save_by_rename(root / PYPROJECT, OLD[PYPROJECT])
    write(root, NEW, snapshot)
    assert held(root)[PYPROJECT] == NEW[PYPROJECT]


def test_nothing_is_written_that_was_not_read(root: Path) -> None:
    with pytest.raises(ValueError, match=PYPROJECT):
        write(root, NEW, read(root, LOCK, CONTAINER))
    assert held(root) == OLD


class Meanwhile:
    """Does something right before the n-th call of a function."""

    def __init__(self, patch: pytest.MonkeyPatch, owner: Any, name: str, nth: int, act) -> None:
        self.left, function = nth, getattr(owner, name)

        def call(*args: Any, **more: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                act()
            return function(*args, **more)

        patch.setattr(owner, name, call)


@pytest.mark.parametrize("change", [save, save_by_rename])
@pytest.mark.parametrize("name", [*NEW, READ])
@pytest.mark.parametrize("nth", range(1, 9))
def test_what_is_saved_while_it_is_staged_is_not_overwritten(
    root: Path, name: str, change: Callable[[Path], None], nth: int
) -> None:
    snapshot = read(root, *NEW, READ)
    with pytest.MonkeyPatch.context() as patch:
        meanwhile = Meanwhile(patch, os, "fsync", nth, lambda: change(root / name))
        with pytest.raises(ChangedError) as caught:
            write(root, NEW, snapshot)
    assert meanwhile.left <= 0
    assert caught.value.changes.keys() == {name}
    assert held(root) == {**OLD, name: THEIRS}


# The journal is renamed twice, then the files are, in the order of `NEW`.
@pytest.mark.parametrize(("nth", "name"), [(3, PYPROJECT), (3, LOCK), (4, LOCK)])
def test_what_is_written_into_an_old_file_right_before_a_rename_is_restored(
    root: Path, nth: int, name: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        Meanwhile(patch, Path, "replace", nth, lambda: save(root / name))
        with pytest.raises(ChangedError) as caught:
            write(root, NEW)
    assert caught.value.changes == {name: "changed"}
    assert held(root) == {**OLD, name: THEIRS}


@pytest.mark.parametrize("name", NEW)
def test_what_is_saved_as_it_is_to_be_stays_when_another_file_stops_the_write(
    root: Path, name: str
) -> None:
    def act() -> None:
        save(root / name, NEW[name])
        save(root / READ)

    snapshot = read(root, *NEW, READ)
    with pytest.MonkeyPatch.context() as patch:
        Meanwhile(patch, os, "fsync", 1, act)
        with pytest.raises(ChangedError):
            write(root, NEW, snapshot)
    assert held(root) == {**OLD, name: NEW[name], READ: THEIRS}


def test_what_is_saved_into_a_new_file_is_its_owners(root: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        Meanwhile(patch, Path, "replace", 4, lambda: save(root / PYPROJECT))
        write(root, NEW)
    assert held(root) == {**NEW, PYPROJECT: THEIRS}


CONTENTS = st.sampled_from([b"", b"a = 1\n", b"a = 1\r\n", b"\xef\xbb\xbfa = 1\n", b"\xff"])
NAMES = ("a.toml", "b.lock", "c/d.json", "e.toml")


def files(contents: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(NAMES), contents, max_size=len(NAMES))


@settings(deadline=None)
@given(files(CONTENTS), files(CONTENTS), files(st.none() | CONTENTS), st.data())
def test_nothing_that_anybody_saves_is_lost(
    there: dict[str, bytes],
    new: dict[str, bytes],
    saved: dict[str, bytes | None],
    data: st.DataObject,
) -> None:
    """Files are saved or deleted before or while others are written: both hold, or one does."""
    moment = data.draw(st.integers(0, 14), label="the call of fsync, 0 for before writing")
    way = data.draw(st.sampled_from([save, save_by_rename]))

    def meanwhile() -> None:
        for name, content in saved.items():
            if content is None:
                (project / name).unlink(missing_ok=True)
            else:
                way(project / name, content)

    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        project = Path(folder).resolve()
        for name, content in there.items():
            save(project / name, content)
        snapshot = read(project, *NAMES)
        at = Meanwhile(patch, os, "fsync", moment, meanwhile)
        if not moment:
            meanwhile()
        refused: ChangedError | None = None
        try:
            write(project, new, snapshot)
        except ChangedError as error:
            refused = error
        after = held(project)
    happened = at.left <= 0
    changed = {name for name in saved if happened and saved[name] != there.get(name)}
    for name in changed:
        # The same bytes saved over a new file can't be told from ours, which are taken back.
        taken_back = {there.get(name)} if refused and saved[name] == new.get(name) else set()
        assert after.get(name) in {saved[name], *taken_back}
    for name in {*NAMES} - changed:
        expected = there if refused else {**there, **new}
        given = {expected.get(name), saved.get(name)} if happened else {expected.get(name)}
        assert after.get(name) in given
    assert after.keys() <= {*NAMES}, "nothing else is left"
    if refused:
        assert refused.changes.keys() <= changed
