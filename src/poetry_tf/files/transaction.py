"""Files that are written together or not at all.

What to write was decided by what the files held when they were read. If one of them has changed
since, nothing is written. They are compared first, and again right before each rename. What is
written into an old file after that, in place, is found after the renames and restored, because the
backup is a second name of that file. Two things can still be lost: a file that an editor renames
over the old one (or, where there are no hard links, any save) between our last comparison and our
rename, well below a millisecond; and what a program writes into an old file that it has kept open
until we are done.

Every new content, and a second name or copy of every old one, is put beside its target first:
what can fail for want of space or rights fails there, with nothing changed. Then the new files
are renamed into place one by one. A journal in the project says at every moment how to go on, so
that the next run can settle what a killed one left.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal

from poetry_tf.files.snapshot import FileState, Snapshot

JOURNAL: Final = ".poetry-tf-journal.json"

_STAGING: Final = "staging"
_RENAMING: Final = "renaming"
_UNDOING: Final = "undoing"


Change = Literal["changed", "created", "deleted"]


class WriteError(Exception):
    """Files could not be written, or an interrupted write could not be settled."""

    remedy: str = ""


class ChangedError(WriteError):
    """Files are not what they were when they were read, so that nothing was written."""

    remedy = "Run the command again."

    def __init__(self, changes: Mapping[str, Change]) -> None:
        self.changes = changes
        """What happened to each file, by its path from the root."""
        told = " and ".join(f"{name} was {change}" for name, change in changes.items())
        super().__init__(f"{told} while poetry-tf was running; nothing was written")


def write_together(root: Path, files: Mapping[Path, bytes], read: Snapshot) -> None:
    """Writes every file or, upon any failure, none.

    `read` is what was read before it was decided what to write: every file of `files`, and those
    that the decision rests on. Raises `ChangedError` if one of them has changed since, unless it
    holds by now what would be written.

    Relative paths are taken from `root`. Missing folders are made; files that hold the content
    already are left alone; modes of existing files are kept; a symbolic link stays one and the
    file it leads to is written. Raises `WriteError`, with the old files in place, if a target is
    outside `root`, cannot be written, or if an interrupted write was not settled by `recover`.
    """
    files = {root / path: content for path, content in files.items()}
    expected = _Expected(root, files, {root / path: state for path, state in read.items()})
    if not files:
        return
    expected.check()
    root = _real(root)
    changes = _changes(root, files)
    if not changes:
        return
    if (root / JOURNAL).exists():
        raise WriteError(f"an earlier write was interrupted, or is going on: see {root / JOURNAL}")
    targets = [change for _, change in changes]
    write = _Write(root, secrets.token_hex(4), tuple(targets), _missing_folders(root, targets))
    current = root / JOURNAL
    try:
        write.note(_STAGING)
        for path, change in changes:
            current = change.target
            write.stage(change, files[path])
        current = root / JOURNAL
        write.note(_RENAMING)
    except BaseException as error:
        write.clean()
        if isinstance(error, OSError):
            expected.check()  # perhaps it is that a file is gone
            raise _refused(error, current, "nothing was written") from error
        raise
    try:
        for _, change in changes:
            current = change.target
            expected.check()
            write.rename(change)
            expected = expected.without(change.target)
        if saved := [path for path, change in changes if write.has_other_backup(change)]:
            raise expected.error(dict.fromkeys(saved, "changed"))
    except BaseException as error:
        write.undo()
        if isinstance(error, OSError):
            raise _refused(error, current, "nothing was written") from error
        raise
    write.clean()


def recover(root: Path) -> tuple[Path, ...]:
    """Settles a write that was interrupted, and returns the files whose content that changed.

    If everything had been staged, the new contents are renamed into place; otherwise, or if a
    file that was still to be written has been changed by somebody else since, the old contents
    are put back. Does nothing where no write was interrupted. Raises `WriteError` if the journal
    is damaged or the files cannot be written.
    """
    root = _real(root)
    journal = root / JOURNAL
    try:
        content = journal.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise _refused(error, journal, "an interrupted write cannot be settled") from error
    state, write = _read_journal(root, content)
    changed: tuple[Path, ...] = ()
    try:
        # What is staged no more was renamed, and is its owner's to change since.
        pending = [change for change in write.changes if write.staged(change).exists()]
        if state == _UNDOING or (state == _RENAMING and not all(map(write.can_rename, pending))):
            return write.undo()
        if state == _RENAMING:
            for change in pending:
                write.rename(change)
            changed = tuple(change.target for change in pending)
    except OSError as error:
        raise _refused(error, journal, "an interrupted write cannot be settled") from error
    write.clean()
    return changed


@dataclass(frozen=True, slots=True)
class _Expected:
    """What has to be on the disk for a write to go on."""

    root: Path
    files: Mapping[Path, bytes]
    """What is to be written."""
    read: Snapshot

    def __post_init__(self) -> None:
        if unread := self.files.keys() - self.read.keys():
            raise ValueError(f"what is written has to be read first: {sorted(unread)}")

    def check(self) -> None:
        """Raises `ChangedError` if a file is neither what was read nor what is to be written."""
        changes: dict[Path, Change] = {}
        for path, before in self.read.items():
            now = FileState.of(path)
            if now == before or (now.content is not None and now.content == self.files.get(path)):
                continue
            if before.content is None and now.content is not None:
                changes[path] = "created"
            else:
                changes[path] = "changed" if os.path.lexists(path) else "deleted"
        if changes:
            raise self.error(changes)

    def without(self, target: Path) -> _Expected:
        """The same once a file is written, by whatever names: from then on it is its owner's."""
        read = {path: state for path, state in self.read.items() if state.real != target}
        files = {path: content for path, content in self.files.items() if path in read}
        return _Expected(self.root, files, read)

    def error(self, changes: Mapping[Path, Change]) -> ChangedError:
        return ChangedError(
            {
                Path(os.path.relpath(path, self.root)).as_posix(): how
                for path, how in changes.items()
            }
        )


@dataclass(frozen=True, slots=True)
class _Change:
    """A file that is written: its real path, and the digests of what it will hold and holds."""

    target: Path
    new: str
    old: str | None


@dataclass(frozen=True, slots=True)
class _Write:
    """The files that are written together, and the steps of doing so."""

    root: Path
    token: str
    changes: tuple[_Change, ...]
    folders: tuple[Path, ...]
    """The folders that are made, the outermost first."""

    def staged(self, change: _Change) -> Path:
        return self._beside(change, "new")

    def backup(self, change: _Change) -> Path:
        return self._beside(change, "old")

    def _beside(self, change: _Change, what: str) -> Path:
        return change.target.with_name(f".{change.target.name}.{self.token}.{what}")

    # The steps forward

    def note(self, state: str) -> None:
        """Writes the journal, so that it is there whole or not at all."""
        content = {
            "about": "poetry-tf was writing these files together; its next run settles this",
            "state": state,
            "token": self.token,
            "folders": [self._relative(folder) for folder in self.folders],
            "files": [
                {"path": self._relative(change.target), "new": change.new, "old": change.old}
                for change in self.changes
            ],
        }
        journal = self.root / JOURNAL
        draft = self._journal_draft()
        draft.unlink(missing_ok=True)
        _write_new(draft, json.dumps(content, indent=2).encode() + b"\n")
        draft.replace(journal)
        _sync_folder(self.root)

    def stage(self, change: _Change, content: bytes) -> None:
        """Puts the new content and the old one beside the target."""
        target, staged = change.target, self.staged(change)
        for folder in self.folders:
            folder.mkdir(exist_ok=True)
        _write_new(staged, content)
        if change.old is not None:
            status = target.stat()
            _give_to(staged, status)
            staged.chmod(stat.S_IMODE(status.st_mode))
            try:
                os.link(target, self.backup(change))
            except OSError:  # A file system without hard links.
                shutil.copy2(target, self.backup(change))
        _sync_folder(target.parent)

    def can_rename(self, change: _Change) -> bool:
        """Whether the staged content is whole, and nobody changed the target meanwhile."""
        return (
            _digest_of(self.staged(change)) == change.new
            and _digest_of(change.target) == change.old
        )

    def rename(self, change: _Change) -> None:
        """Renames the new content into place."""
        self.staged(change).replace(change.target)
        _sync_folder(change.target.parent)

    def has_other_backup(self, change: _Change) -> bool:
        """Whether somebody wrote into the old file, of which the backup is a second name."""
        return _digest_of(self.backup(change)) not in {None, change.old}

    # The way back

    def undo(self) -> tuple[Path, ...]:
        """Puts the old contents back, removes what was made, and returns the files put back.

        Raises `WriteError`, and leaves the journal to the next run, if that is impossible.
        """
        with contextlib.suppress(OSError):
            # If this cannot be noted and we are killed, the next run goes forward instead.
            self.note(_UNDOING)
        back = []
        for change in self.changes:
            backup = self.backup(change)
            try:
                # What was not renamed yet, or was changed since, is not ours.
                if self.staged(change).exists() or _digest_of(change.target) != change.new:
                    continue
                if change.old is None:
                    change.target.unlink()
                elif backup.exists():
                    backup.replace(change.target)
                else:
                    continue
            except OSError as error:
                raise _refused(error, change.target, f"its old content is in {backup}") from error
            back.append(change.target)
        self.clean()
        return tuple(back)

    def clean(self) -> None:
        """Removes what helped, the journal last: while it is there, a next run can clean as well.

        What cannot be removed is left: the files are as they should be.
        """
        for change in self.changes:
            _unlink(self.staged(change))
            _unlink(self.backup(change))
        for folder in reversed(self.folders):
            with contextlib.suppress(OSError):  # It holds a file, so it stays.
                folder.rmdir()
        _unlink(self._journal_draft())
        _unlink(self.root / JOURNAL)

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def _journal_draft(self) -> Path:
        return self.root / f"{JOURNAL}.new"


# What is to be written


def _real(path: Path) -> Path:
    try:
        resolved = path.resolve()
        if resolved.is_symlink():
            # Links in a circle: Python 3.13 and later leave them as they are.
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        return resolved
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, before Python 3.13.
        raise WriteError(f"{path} leads nowhere: {error}") from error


def _changes(root: Path, files: Mapping[Path, bytes]) -> list[tuple[Path, _Change]]:
    """The files that don't hold their content yet, by the paths they were given by."""
    changes = []
    seen: dict[Path, Path] = {}
    for path, content in files.items():
        target = _real(path)
        if not target.is_relative_to(root):
            raise WriteError(f"{path} is outside {root}: nothing was written")
        if target in seen:
            raise WriteError(f"{path} and {seen[target]} are one file: nothing was written")
        seen[target] = path
        old = None
        try:
            if target.is_file():
                old = target.read_bytes()
            elif target.exists():
                raise WriteError(f"{path} is not a file: nothing was written")
        except OSError as error:
            raise _refused(error, target, "nothing was written") from error
        if old == content:
            continue
        if old is not None and not os.access(target, os.W_OK):
            raise WriteError(f"{path} is read-only: nothing was written")
        digest = None if old is None else _digest(old)
        changes.append((path, _Change(target, _digest(content), digest)))
    return changes


def _missing_folders(root: Path, changes: list[_Change]) -> tuple[Path, ...]:
    missing = {
        folder
        for change in changes
        for folder in change.target.parents
        if folder.is_relative_to(root) and not folder.exists()
    }
    return tuple(sorted(missing, key=lambda folder: len(folder.parts)))


# The journal of an earlier run


def _read_journal(root: Path, text: bytes) -> tuple[str, _Write]:
    """Reads a journal; as it may come from anywhere, nothing outside the root is believed of it."""
    try:
        content = json.loads(text)
        state, token = content["state"], content["token"]
        if state not in (_STAGING, _RENAMING, _UNDOING) or not isinstance(token, str):
            raise ValueError("state or token")
        bytes.fromhex(token)
        folders = tuple(_inside(root, name) for name in content["folders"])
        changes = tuple(_read_change(root, entry) for entry in content["files"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise WriteError(
            f"{root / JOURNAL} is damaged: compare the project's files with your last commit,"
            " then delete it"
        ) from error
    return state, _Write(root, token, changes, folders)


def _read_change(root: Path, entry: Any) -> _Change:
    new, old = entry["new"], entry["old"]
    if not isinstance(new, str) or not (old is None or isinstance(old, str)):
        raise TypeError("digest")
    return _Change(_inside(root, entry["path"]), new, old)


def _inside(root: Path, name: Any) -> Path:
    """The path that a journal names. Raises `ValueError` if it is none below the root."""
    if not isinstance(name, str):
        raise TypeError("path")
    relative = PurePosixPath(name)
    path = root / relative
    if relative.is_absolute() or ".." in relative.parts or path == root or _real(path) != path:
        raise ValueError(name)
    return path


# Small helpers


def _write_new(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _give_to(path: Path, status: os.stat_result) -> None:
    """Lets the file have the owner of the old one, as far as we may: a container runs as root."""
    if hasattr(os, "chown"):
        with contextlib.suppress(OSError):
            os.chown(path, status.st_uid, status.st_gid)


def _sync_folder(folder: Path) -> None:
    """Makes renames survive a power cut, where the system offers that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _unlink(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _digest_of(path: Path) -> str | None:
    try:
        return _digest(path.read_bytes())
    except FileNotFoundError:
        return None


def _refused(error: OSError, path: Path, outcome: str) -> WriteError:
    return WriteError(f"{path}: {error.strerror or error}; {outcome}")
