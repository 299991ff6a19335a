"""``poetry tf mirror save``: a folder with all that a project installs, for machines offline."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from cleo.helpers import argument, option
from cleo.io.inputs.argument import Argument
from cleo.io.inputs.option import Option

import poetry_tf
from poetry_tf.actions.mirror_folder import SaveOptions
from poetry_tf.actions.options import parse_environments
from poetry_tf.actions.save_folder import SaveResult, SaveWatcher, save_folder
from poetry_tf.commands.base import TensorFlowCommand, plain
from poetry_tf.files.project import Project
from poetry_tf.index.failover import NotDownloadedError
from poetry_tf.index.folder_setting import folder_value, is_path, users_folder
from poetry_tf.index.manifest import Fault, ManifestError
from poetry_tf.index.saved_folder import PAGES
from poetry_tf.plan.derive import require_poetry
from poetry_tf.plan.environments import ENVIRONMENTS, format_targets
from poetry_tf.plan.model import PlanError
from poetry_tf.text import format_count, format_size, shell_word

QUICK, SLOW = 0.2, 5.0
"""Seconds between two reports of progress: on a terminal, and in a file."""


_AGAIN = (
    "Run `{program} mirror save` in {project} again, or delete the manifest if that project no "
    "longer exists."
)
_FAULTS: dict[Fault, tuple[str, str]] = {
    "unreadable": ("could not be read", "Make the file readable."),
    "malformed": ("is not a manifest", _AGAIN),
    "newer": ("is from a newer poetry-tf", "Update poetry-tf here."),
}
"""The words that follow a manifest, and what to do."""


class MirrorSaveCommand(TensorFlowCommand):
    name = "tf mirror save"
    description = "Saves all files that the project installs, for machines without a network."
    arguments: ClassVar[list[Argument]] = [
        argument(
            "folder", "The folder, for example on a USB stick. Several projects may share one."
        )
    ]
    options: ClassVar[list[Option]] = [
        option(
            "environments",
            None,
            f"The environments, separated by commas: {', '.join(ENVIRONMENTS)}. Default: those in "
            "<comment>[tool.poetry-tf]</>, or linux-x86_64.",
            flag=False,
        ),
        option(
            "python",
            None,
            "The Pythons, separated by commas: 3.11,3.12. Default: the container's.",
            flag=False,
        ),
        option("mirror", None, "Use another mirror for this download.", flag=False),
        option("prune", None, "Delete files that no project needs."),
    ]
    examples: ClassVar[Mapping[str, str]] = {
        "poetry tf mirror save /media/usb": "for the project's own environments",
        "poetry tf mirror save usb --environments windows-amd64 --python 3.12": "for others",
    }
    help = """\
Downloads every file of <comment>poetry.lock</> that these environments install, checked by its \
locked hash; what is needed to build source distributions; and the Poetry that wrote the lock \
file, with this poetry-tf. Run it again to download what is missing or corrupt, and to continue an \
interrupted download.

The folder is a simple index: <comment>tf.mirror</>, pip and uv read it directly, and any web \
server can serve it.
"""

    def act(self) -> int:
        project = Project.read(self.root())
        require_poetry(project)
        environments = self.option("environments")
        options = SaveOptions(
            folder=self._folder(self.argument("folder")),
            environments=parse_environments([environments]) if environments else None,
            pythons=_words(self.option("python")),
            mirror=self.option("mirror"),
            prune=self.option("prune"),
        )
        progress = _Progress(self)
        watcher = SaveWatcher(self.report, progress.begin, progress.move)
        try:
            result = save_folder(project, options, watcher)
        except NotDownloadedError as failure:
            progress.end()
            return self.fail_with(failure)
        except KeyboardInterrupt:
            progress.end()
            self.line_error("<comment>Interrupted. Run the same command to continue.</>")
            return 130
        progress.end()
        self._show(result, options)
        return self._refuse_to_prune(result.unreadable) if options.prune else 0

    def _folder(self, text: str) -> Path:
        folder = users_folder(text, Path.cwd()) if is_path(text) else None
        if not isinstance(folder, Path):
            raise PlanError(
                f"{text!r} is not a folder on this machine",
                "Give the path of a folder; files can't be saved to a web server.",
            )
        with suppress(OSError):  # what can't be looked at can't be made either, which is told
            if folder.exists() and not folder.is_dir():
                raise PlanError(
                    f"{folder} is not a folder", "Give the path of a folder, or of a new one."
                )
        return folder

    def fail_with(self, error: NotDownloadedError) -> int:
        """Shows an error that has its own markup."""
        self.line_error(str(error))
        return 1

    def _show(self, result: SaveResult, options: SaveOptions) -> None:
        for name in result.corrupt:
            self.line_error(plain(f"{name} was corrupt and was downloaded again"))
        for note in result.notes:
            self.warn(note)
        size = sum(file.size for file in result.files)
        files = format_count(len(result.files), "file")
        new = f"{result.downloaded} of them new" if result.downloaded else "all saved before"
        self.line(
            plain(
                f"{options.folder} has {files} for this project ({format_size(size)}, {new}), for "
                f"{format_targets(result.targets, ())}"
            )
        )
        if result.unnamed:
            count = format_count(len(result.unnamed), "file")
            freed = format_size(result.unnamed_bytes)
            self.line(
                plain(
                    f"Deleted {count} that no project needs ({freed})"
                    if options.prune
                    else f"{count} ({freed}) that no project needs: --prune deletes them"
                )
            )
        self._show_next(result, options)

    def _refuse_to_prune(self, unreadable: Sequence[ManifestError]) -> int:
        """Tells which manifests keep everything from being deleted. Returns the exit status."""
        status = 0
        for error in unreadable:
            what, remedy = _FAULTS[error.fault]
            status = self.fail(
                f"Nothing was deleted, because the files of the project {error.project} are "
                f"unknown: {error.path} {what}",
                remedy.format(project=error.project, program=poetry_tf.program),
            )
        return status

    def _show_next(self, result: SaveResult, options: SaveOptions) -> None:
        """The commands for a machine without a network."""
        own = next(file for file in result.files if file.hash_from == "packed")
        index = (options.folder / PAGES).as_uri()
        folder = shell_word(folder_value(options.folder)) or "FOLDER"
        targets = format_targets(result.targets, ())
        self.line(plain(f"On {targets}, without a network and with the folder in the same place:"))
        pins = f"poetry=={result.poetry} poetry-tf=={own.version}"
        if any(file.use == "poetry" and file.name == "poetry" for file in result.files):
            self.line(f"  <c1>{plain(f'pip install --index-url {index} {pins}')}</>")
        self.line(f"  <c1>{plain(f'POETRY_TF_MIRROR={folder} poetry install')}</>")


class _Progress:
    """Shows how far the downloads are: one line that changes, or in a file a line now and then."""

    def __init__(self, command: TensorFlowCommand) -> None:
        self._command = command
        self._output = command.io.error_output
        self._is_live = self._output.is_decorated()
        self._write: Callable[[str], None] = self._output.write
        self._files = self._bytes = self._before = 0
        self._shown = self._begun = 0.0
        self._is_open = False

    def begin(self, files: int, size: int, begun: int) -> None:
        self.end()
        self._files, self._bytes, self._before = files, size, begun
        known = format_size(size) if size else "of unknown size"
        known += f", {format_size(begun)} already there" if begun else ""
        self._command.line_error(plain(f"Downloading {format_count(files, 'file')} ({known})"))
        self._shown = self._begun = time.monotonic()

    def move(self, done: int, size: int) -> None:
        now = time.monotonic()
        is_last = done == self._files
        if now - self._shown < (QUICK if self._is_live else SLOW) and not is_last:
            return
        self._shown = now
        of = f" of {format_size(self._bytes)}" if self._bytes else ""
        new = max(0, size - self._before)
        rate = format_size(round(new / max(now - self._begun, 0.1)))
        line = f"  {done} of {format_count(self._files, 'file')}, {format_size(size)}{of}, {rate}/s"
        if self._is_live:
            self._write(f"\r\x1b[2K{line}")
            self._is_open = True
        else:
            self._command.line_error(plain(line))

    def end(self) -> None:
        """Leaves the line that changes."""
        if self._is_open:
            self._write("\n")
            self._is_open = False


def _words(text: str | None) -> tuple[str, ...] | None:
    words = tuple(word.strip() for word in (text or "").split(",") if word.strip())
    return words or None
