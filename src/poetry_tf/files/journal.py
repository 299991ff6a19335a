"""The files of one write, its steps, and the journal that says how to go on after each.

Every new content, and a second name or copy of every old one, is put beside its target first:
what can fail for lack of space or rights fails there, with nothing changed. Then the new files
are renamed into place one by one. The next run settles what a killed one left.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from poetry_tf.files.errors import WriteError

JOURNAL: Final = ".poetry-tf-journal.json"

STAGING: Final = "staging"
RENAMING: Final = "renaming"
UNDOING: Final = "undoing"


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file to write: its real path, and the hashes of its new and its old content."""

    target: Path
    new: str
    old: str | None


@dataclass(frozen=True, slots=True)
class FileWrite:
    """The files to write together, and the steps of doing so."""

    root: Path
    token: str
    changes: tuple[FileChange, ...]
    folders: tuple[Path, ...]
    """The folders to make, the outermost first."""

    def staged(self, change: FileChange) -> Path:
        return self._beside(change, "new")

    def backup(self, change: FileChange) -> Path:
        return self._beside(change, "old")

    def _beside(self, change: FileChange, what: str) -> Path:
        return change.target.with_name(f".{change.target.name}.{self.token}.{what}")

    def note(self, state: str) -> None:
        """Writes the journal, whole or not at all."""
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

    def stage(self, change: FileChange, content: bytes) -> None:
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

    def can_rename(self, change: FileChange) -> bool:
        """Whether the staged content is whole and the target unchanged."""
        return (
            file_sha256(self.staged(change)) == change.new
            and file_sha256(change.target) == change.old
        )

    def rename(self, change: FileChange) -> None:
        """Renames the new content into place."""
        self.staged(change).replace(change.target)
        _sync_folder(change.target.parent)

    def has_other_backup(self, change: FileChange) -> bool:
        """Whether the old file, of which the backup is a second name, was written to."""
        return file_sha256(self.backup(change)) not in {None, change.old}

    def undo(self) -> tuple[Path, ...]:
        """Restores the old contents, removes what was made, and returns the restored files.

        Raises `WriteError`, and leaves the journal to the next run, if that is impossible.
        """
        with contextlib.suppress(OSError):
            # If this fails and the process is killed, the next run goes forward instead.
            self.note(UNDOING)
        back = []
        for change in self.changes:
            backup = self.backup(change)
            try:
                # What was not renamed yet, or has changed since, is not ours.
                if self.staged(change).exists() or file_sha256(change.target) != change.new:
                    continue
                if change.old is None:
                    change.target.unlink()
                elif backup.exists():
                    backup.replace(change.target)
                else:
                    continue
            except OSError as error:
                raise write_error(
                    error, change.target, f"its old content is in {backup}"
                ) from error
            back.append(change.target)
        self.clean()
        return tuple(back)

    def clean(self) -> None:
        """Removes temporary files, the journal last: while it is there, the next run can clean up.

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


def real_path(path: Path) -> Path:
    try:
        resolved = path.resolve()
        if resolved.is_symlink():
            # Links in a circle: Python 3.13 and later leave them as they are.
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        return resolved
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, before Python 3.13.
        raise WriteError(f"{path} leads nowhere: {error}") from error


def read_journal(root: Path, text: bytes) -> tuple[str, FileWrite]:
    """Reads a journal. It may come from anywhere, so paths outside the root are refused."""
    try:
        content = json.loads(text)
        state, token = content["state"], content["token"]
        if state not in (STAGING, RENAMING, UNDOING) or not isinstance(token, str):
            raise ValueError("state or token")
        bytes.fromhex(token)
        folders = tuple(_inside(root, name) for name in content["folders"])
        changes = tuple(_read_change(root, entry) for entry in content["files"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise WriteError(
            f"{root / JOURNAL} is damaged: compare the project's files with your last commit,"
            " then delete it"
        ) from error
    return state, FileWrite(root, token, changes, folders)


def _read_change(root: Path, entry: Any) -> FileChange:
    new, old = entry["new"], entry["old"]
    if not isinstance(new, str) or not (old is None or isinstance(old, str)):
        raise TypeError("digest")
    return FileChange(_inside(root, entry["path"]), new, old)


def _inside(root: Path, name: Any) -> Path:
    """The path that a journal names. Raises `ValueError` if it is not below the root."""
    if not isinstance(name, str):
        raise TypeError("path")
    relative = PurePosixPath(name)
    path = root / relative
    if relative.is_absolute() or ".." in relative.parts or path == root or real_path(path) != path:
        raise ValueError(name)
    return path


def _write_new(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _give_to(path: Path, status: os.stat_result) -> None:
    """Gives the file the owner of the old one, if permitted: a container runs as root."""
    if hasattr(os, "chown"):
        with contextlib.suppress(OSError):
            os.chown(path, status.st_uid, status.st_gid)


def _sync_folder(folder: Path) -> None:
    """Makes renames survive a power cut, where the system supports that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _unlink(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def file_sha256(path: Path) -> str | None:
    try:
        return sha256(path.read_bytes())
    except FileNotFoundError:
        return None


def write_error(error: OSError, path: Path, outcome: str) -> WriteError:
    return WriteError(f"{path}: {error.strerror or error}; {outcome}")
