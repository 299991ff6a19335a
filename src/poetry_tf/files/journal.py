"""The files of one write, its steps, and the journal that says how to continue after each.

Every new content, and a second name or copy of every old one, is put beside its target first:
what can fail for lack of space or rights fails there, with nothing changed. Then the new files
are renamed into place one by one. The next run settles what a killed one left.

The journal is in the user's own folder. In the project there is only a marker with the token that
the journal is found by, so that a project that was moved takes it along, and a repository that
brings a marker has nothing to be settled by.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from poetry_tf.files.errors import UnsettledError, WriteError, write_error
from poetry_tf.files.state import state_folder

MARKER: Final = ".poetry-tf-journal.json"
_MARKER_SIZE: Final = 1000
_TOKEN: Final = re.compile(r"[0-9a-f]{32}")

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
    """Random, so that the names of temporary files can't be guessed."""
    journal: Path
    changes: tuple[FileChange, ...]
    folders: tuple[Path, ...]
    """The folders to make, the outermost first."""

    def staged(self, change: FileChange) -> Path:
        return self._beside(change, "new")

    def backup(self, change: FileChange) -> Path:
        return self._beside(change, "old")

    def _beside(self, change: FileChange, what: str) -> Path:
        return change.target.with_name(f".{change.target.name}.{self.token}.{what}")

    def mark(self) -> None:
        """Writes the marker. Raises `FileExistsError` if there is one."""
        content = {"about": _ABOUT, "token": self.token}
        _write_new(self.root / MARKER, json.dumps(content, indent=2).encode() + b"\n")
        _sync_folder(self.root)

    def note(self, state: str) -> None:
        """Writes the journal, whole or not at all."""
        content = {
            "root": str(self.root),
            "state": state,
            "folders": [self._relative(folder) for folder in self.folders],
            "files": [
                {"path": self._relative(change.target), "new": change.new, "old": change.old}
                for change in self.changes
            ],
        }
        draft = self._journal_draft()
        draft.unlink(missing_ok=True)
        _write_new(draft, json.dumps(content, indent=2).encode() + b"\n", mode=0o600)
        draft.replace(self.journal)
        _sync_folder(self.journal.parent)

    def stage(self, change: FileChange, content: bytes) -> None:
        """Puts the new content and the old one beside the target."""
        target, staged = change.target, self.staged(change)
        for folder in self.folders:
            folder.mkdir(exist_ok=True)
        if change.old is None:
            _write_new(staged, content)
        else:
            status, backup = target.stat(), self.backup(change)
            mode = stat.S_IMODE(status.st_mode)
            _write_new(staged, content, mode=mode & 0o600)
            _give_to(staged, status)
            staged.chmod(mode)
            try:
                os.link(target, backup)
            except OSError:  # A file system without hard links.
                _write_new(backup, target.read_bytes(), mode=mode & 0o600)
                shutil.copystat(target, backup)
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
        """Removes temporary files, then the marker and the journal: with them a run can clean up.

        What cannot be removed is left: the files are as they should be.
        """
        for change in self.changes:
            _unlink(self.staged(change))
            _unlink(self.backup(change))
        for folder in reversed(self.folders):
            with contextlib.suppress(OSError):  # It holds a file, so it stays.
                folder.rmdir()
        if self._is_marked():
            _unlink(self.root / MARKER)
        if not self._is_marked():
            _unlink(self._journal_draft())
            _unlink(self.journal)

    def _is_marked(self) -> bool:
        """Whether the marker is this write's, or may be since it cannot be read."""
        try:
            return read_marker(self.root) == self.token
        except UnsettledError:
            return False
        except WriteError:
            return True

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def _journal_draft(self) -> Path:
        return self.journal.with_name(f"{self.journal.name}.new")


_ABOUT: Final = (
    "poetry-tf was writing several files of this project. Its next command that writes finishes "
    "or undoes this, if the same user runs it on the same machine."
)


def is_interrupted(root: Path) -> bool:
    """Whether a write in the project was interrupted, or is still running."""
    return os.path.lexists(root / MARKER)


def read_marker(root: Path) -> str | None:
    """The token of the marker, None if there is no marker.

    The token is empty if the marker is: the process was killed before it staged anything. Raises
    `UnsettledError` if the marker is not one of ours.
    """
    marker = root / MARKER
    try:
        if not stat.S_ISREG(marker.lstat().st_mode):
            raise _foreign(root)
        with marker.open("rb") as file:
            text = file.read(_MARKER_SIZE)
        if not text:
            return ""
        token = json.loads(text)["token"]
        if isinstance(token, str) and _TOKEN.fullmatch(token):
            return token
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(error, marker) from error
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    raise _foreign(root)


def _unreadable(error: OSError, path: Path) -> WriteError:
    return write_error(error, path, "an interrupted write could not be finished or undone")


def journal_path(token: str) -> Path:
    return state_folder() / f"{token}.json"


def _foreign(root: Path, token: str | None = None) -> UnsettledError:
    drafts = "" if token is None else f", and files named .*.{token}.new or .old beside them"
    return UnsettledError(
        f"{root / MARKER} is not from a write by this user on this machine: it is from the "
        "repository, another machine, another user or a container; nothing was written",
        f"Compare the project's files with your last commit, then delete it{drafts}.",
    )


def real_path(path: Path) -> Path:
    try:
        resolved = path.resolve()
        if resolved.is_symlink():
            # Links in a circle: Python 3.13 and later leave them as they are.
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        return resolved
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, before Python 3.13.
        raise WriteError(f"{path} can't be followed: {error}") from error


def read_journal(root: Path, token: str) -> tuple[str, FileWrite]:
    """The state of an interrupted write, and the write. Raises `UnsettledError`.

    The journal is ours, but folders of the project may have become links since, so paths that
    lead outside the root are refused.
    """
    journal = journal_path(token)
    try:
        content = json.loads(journal.read_bytes())
        state = content["state"]
        if state not in (STAGING, RENAMING, UNDOING):
            raise ValueError("state")
        folders = tuple(_inside(root, name) for name in content["folders"])
        changes = tuple(_read_change(root, entry) for entry in content["files"])
    except FileNotFoundError:
        raise _foreign(root, token) from None
    except OSError as error:
        raise _unreadable(error, journal) from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UnsettledError(
            f"{journal} is not for {root}: the interrupted write could not be finished or undone",
            f"Compare the project's files with your last commit, then delete {root / MARKER}.",
        ) from error
    return state, FileWrite(root, token, journal, changes, folders)


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


def _write_new(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Writes a file that is not there yet; on failure it is not there."""
    # `Path.open` takes no mode.
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            file.close()
            _unlink(path)
            raise


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
