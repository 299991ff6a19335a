"""Files that are written together or not at all.

What to write was decided by what the files held when they were read. If one of them has changed
since, nothing is written. They are compared first, and again right before each rename. What is
written into an old file after that, in place, is found after the renames and restored, because the
backup is a second name of that file. Two things can still be lost: a file that an editor renames
over the old one (or, where there are no hard links, any save) between our last comparison and our
rename, well below a millisecond; and what a program writes into an old file that it has kept open
until we are done.

One process at a time settles or writes in a project: a lock outside of the project holds the others
of the same user on the same machine, and the marker in the project refuses the rest.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from poetry_tf.files.errors import ChangedError, FileEvent, UnsettledError, WriteError, write_error
from poetry_tf.files.journal import (
    MARKER,
    RENAMING,
    STAGING,
    UNDOING,
    FileChange,
    FileWrite,
    is_interrupted,
    journal_path,
    read_journal,
    read_marker,
    real_path,
    sha256,
)
from poetry_tf.files.snapshot import FileState, Snapshot
from poetry_tf.files.state import Report, write_lock


def write_together(
    root: Path, files: Mapping[Path, bytes], read: Snapshot, report: Report = lambda _: None
) -> None:
    """Writes every file or, upon any failure, none.

    `read` is what was read before it was decided what to write: every file of `files`, and those
    that the decision rests on. Raises `ChangedError` if one of them has changed since, unless it
    holds the new content already. `report` is given a line if another process is waited for.

    Relative paths are taken from `root`. Missing folders are made; files that hold the content
    already are left alone; modes of existing files are kept; a symbolic link stays one and the
    file it leads to is written. Raises `WriteError`, with the old files in place, if a target is
    outside `root` or in its .git, cannot be written, or if an interrupted write was not settled by
    `recover`.
    """
    files = {root / path: content for path, content in files.items()}
    expected = _Expected(root, files, {root / path: state for path, state in read.items()})
    if files:
        root = real_path(root)
        with write_lock(root, report):
            _write(root, files, expected)


def _write(root: Path, files: Mapping[Path, bytes], expected: _Expected) -> None:
    expected.check()
    changes = _changes(root, files)
    if not changes:
        return
    if is_interrupted(root):
        raise _unsettled(root)
    targets = [change for _, change in changes]
    token = secrets.token_hex(16)
    folders = _missing_folders(root, targets)
    write = FileWrite(root, token, journal_path(token), tuple(targets), folders)
    current = write.journal
    try:
        write.note(STAGING)
        current = root / MARKER
        write.mark()
        for path, change in changes:
            current = change.target
            write.stage(change, files[path])
        current = write.journal
        write.note(RENAMING)
    except BaseException as error:
        write.clean()
        if isinstance(error, FileExistsError) and current == root / MARKER:
            raise _unsettled(root) from None
        if isinstance(error, OSError):
            expected.check()  # a file may be gone
            raise write_error(error, current, "nothing was written") from error
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
            raise write_error(error, current, "nothing was written") from error
        raise
    write.clean()


def recover(root: Path, report: Report = lambda _: None) -> tuple[Path, ...]:
    """Settles an interrupted write, and returns the files that this changed.

    If everything had been staged, the new contents are renamed into place; otherwise, or if a
    file that was still to be written has changed since, the old contents are restored. Does
    nothing where no write was interrupted, and waits where one is going on: `report` is given a
    line then. Raises `UnsettledError` if the marker or the journal is not ours, `WriteError` if
    the files cannot be written.
    """
    if not is_interrupted(root):
        return ()
    root = real_path(root)
    with write_lock(root, report):
        token = read_marker(root)
        if token == "":
            with suppress(OSError):
                (root / MARKER).unlink()
        return _settle(*read_journal(root, token)) if token else ()


def _settle(state: str, write: FileWrite) -> tuple[Path, ...]:
    changed: tuple[Path, ...] = ()
    try:
        # A file that is no longer staged was renamed, and may have changed since.
        pending = [change for change in write.changes if write.staged(change).exists()]
        if state == UNDOING or (state == RENAMING and not all(map(write.can_rename, pending))):
            return write.undo()
        if state == RENAMING:
            for change in pending:
                write.rename(change)
            changed = tuple(change.target for change in pending)
    except OSError as error:
        raise write_error(
            error, write.root, "an interrupted write could not be finished or undone"
        ) from error
    write.clean()
    return changed


def _unsettled(root: Path) -> UnsettledError:
    return UnsettledError(
        f"an earlier write was interrupted or is still running: see {root / MARKER}; "
        "nothing was written",
        "Run `poetry tf check --fix` to finish or undo it.",
    )


@dataclass(frozen=True, slots=True)
class _Expected:
    """The content on the disk that a write requires."""

    root: Path
    files: Mapping[Path, bytes]
    """What is to be written."""
    read: Snapshot

    def __post_init__(self) -> None:
        if unread := self.files.keys() - self.read.keys():
            raise ValueError(f"what is written has to be read first: {sorted(unread)}")

    def check(self) -> None:
        """Raises `ChangedError` if a file is neither what was read nor what is to be written."""
        changes: dict[Path, FileEvent] = {}
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
        """The same without a file, by all its names: once written it may change."""
        read = {path: state for path, state in self.read.items() if state.real != target}
        files = {path: content for path, content in self.files.items() if path in read}
        return _Expected(self.root, files, read)

    def error(self, changes: Mapping[Path, FileEvent]) -> ChangedError:
        return ChangedError(
            {
                Path(os.path.relpath(path, self.root)).as_posix(): how
                for path, how in changes.items()
            }
        )


def _changes(root: Path, files: Mapping[Path, bytes]) -> list[tuple[Path, FileChange]]:
    """The files that don't hold their new content yet, with the paths given for them."""
    changes = []
    seen: dict[Path, Path] = {}
    for path, content in files.items():
        target = real_path(path)
        if not target.is_relative_to(root):
            raise WriteError(f"{path} leads to {target}, outside {root}: nothing was written")
        if ".git" in map(str.lower, target.relative_to(root).parts):
            raise WriteError(f"{path} leads to {target}, which belongs to Git: nothing was written")
        if target in seen:
            raise WriteError(f"{path} and {seen[target]} are the same file: nothing was written")
        seen[target] = path
        old = None
        try:
            if target.is_file():
                old = target.read_bytes()
            elif target.exists():
                raise WriteError(f"{path} is not a file: nothing was written")
        except OSError as error:
            raise write_error(error, target, "nothing was written") from error
        if old == content:
            continue
        if old is not None and not os.access(target, os.W_OK):
            raise WriteError(f"{path} is read-only: nothing was written")
        digest = None if old is None else sha256(old)
        changes.append((path, FileChange(target, sha256(content), digest)))
    return changes


def _missing_folders(root: Path, changes: list[FileChange]) -> tuple[Path, ...]:
    missing = {
        folder
        for change in changes
        for folder in change.target.parents
        if folder.is_relative_to(root) and not folder.exists()
    }
    return tuple(sorted(missing, key=lambda folder: len(folder.parts)))
