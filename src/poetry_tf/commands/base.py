"""What the commands share: errors, questions, findings, diffs and documents on the console."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from cleo.exceptions import CleoError, CleoMissingArgumentsError
from cleo.helpers import option
from cleo.io.outputs.output import Output, Type, Verbosity
from cleo.io.outputs.stream_output import StreamOutput
from poetry.console.commands.command import Command

import poetry_tf
from poetry_tf.checks.findings import Finding
from poetry_tf.files.errors import ProjectError, WriteError
from poetry_tf.files.journal import is_interrupted
from poetry_tf.files.project import PYPROJECT
from poetry_tf.files.snapshot import Snapshot
from poetry_tf.files.transaction import recover, write_together
from poetry_tf.plan.model import PlanError
from poetry_tf.poetry_internals.notices import fit_help, fit_terminal
from poetry_tf.poetry_internals.reads import input_tokens
from poetry_tf.text import closest, escape_markup, visible

if TYPE_CHECKING:
    from cleo.io.io import IO


CONFIG_OPTION = option(
    "config",
    None,
    "Use the configuration in this folder of <comment>.devcontainer</>.",
    flag=False,
)


FORMAT_OPTIONS = (
    option("format", None, "text, or json for programs.", flag=False, default="text"),
    option("json", None, "The same as <comment>--format json</>."),
)
DIFF_OPTION = option("diff", None, "Show the changes as unified diffs and write nothing.")

_OPTIONS_OF_POETRY = (
    "Poetry's own options work as well: <info>-C FOLDER</> runs the command there, <info>-n</> "
    "asks nothing, <info>-v</> says more."
)


class TensorFlowCommand(Command):
    """A ``poetry tf …`` command: `run_in` does the work, and an error becomes one message."""

    examples: ClassVar[Mapping[str, str]] = {}
    """Command lines of the help, and what each does."""
    formats: ClassVar[tuple[str, ...]] = ("text", "json")
    """The values of ``--format``, where the command has it."""

    def synopsis(self, short: bool = False) -> str:
        return f"{poetry_tf.program} {super().synopsis(short).removeprefix('tf').lstrip()}"

    def merge_application_definition(self, merge_args: bool = True) -> None:
        # Without arguments it is for the help, which names Poetry's own options in one line.
        if merge_args:
            super().merge_application_definition()
        else:
            fit_help(self)

    @property
    def processed_help(self) -> str:
        lines = [super().processed_help.rstrip().replace("poetry tf ", f"{poetry_tf.program} ")]
        if self.examples:
            rows = [(plain(line), what) for line, what in self.examples.items()]
            lines += ["", "<b>Examples:</b>"]
            lines += [f"  {line}" for line in align_columns(rows)]
        return "\n".join([*lines, "", _OPTIONS_OF_POETRY])

    def run(self, io: IO) -> int:
        for output in (io.output, io.error_output):
            show_unencodable(output)
        for handler in logging.root.handlers:
            handler.addFilter(_make_visible)
        if not self._ignore_validation_errors:
            self.merge_application_definition()
            try:
                io.input.bind(self.definition)
                io.input.validate()
            except CleoError as error:
                self._io = io
                return self.fail(str(error).rstrip("."), _usage(self, error, input_tokens(io)))
        return super().run(io)

    def handle(self) -> int:
        try:
            return self.act()
        except ProjectError as error:
            return self.fail(self._format_error(error), error.remedy)
        except PlanError as error:
            return self.fail(error.message, error.remedy)
        except WriteError as error:
            return self.fail(str(error), error.remedy)

    def act(self) -> int:
        """Does the command's work and returns the exit status."""
        root = self.root()
        if self.writes():
            self.recover(root)
        else:
            self.warn_if_interrupted(root)
        return self.run_in(root)

    def writes(self) -> bool:
        """Whether the options allow changes to the project's files."""
        return not any(
            self.option(name)
            for name in ("check", "diff", "dry-run", "explain")
            if self.definition.has_option(name)
        )

    def run_in(self, root: Path) -> int:
        """Runs the command in the project at `root` and returns the exit status."""
        raise NotImplementedError

    @property
    def format(self) -> str:
        """The format of the output; ``text`` where the options are not valid."""
        if self.option("json"):
            return "json"
        given = str(self.option("format"))
        return given if given in self.formats else "text"

    def check_format(self) -> None:
        """Raises `PlanError` where ``--format`` and ``--json`` are not valid."""
        given, formats = self.option("format"), ", ".join(self.formats)
        if given not in self.formats:
            raise PlanError(f"Unknown format {given!r}", f"Give --format one of {formats}.")
        if self.option("json") and given not in {"text", "json"}:
            raise PlanError(f"--json and --format {given} contradict each other", "Give one.")

    def root(self) -> Path:
        """The nearest folder upwards with a pyproject.toml, as Poetry locates projects."""
        start = self.start()
        for folder in (start, *start.parents):
            try:
                if (folder / PYPROJECT).is_file():
                    return folder
            except OSError as error:  # nor can the folders above be read
                raise ProjectError(folder, f"cannot be read: {error.strerror}") from None
        raise PlanError(
            f"No {PYPROJECT} in {start} or above it",
            "Run `poetry tf init` to set up a project here.",
        )

    def start(self) -> Path:
        """The folder that the command was started in, or that of -C or -P."""
        directory = Path(getattr(self.application, "project_directory", ""))
        # Poetry has already changed to the folder of -C, but keeps its relative path.
        return directory.resolve() if directory.is_absolute() else Path.cwd().resolve()

    def recover(self, folder: Path) -> None:
        """Completes or undoes the changes of a run that was killed while it wrote."""
        for path in recover(folder, self.report):
            name = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path
            self.line_error(
                f"<comment>Completed or undid an interrupted change: {plain(str(name))}</>"
            )

    def warn_if_interrupted(self, root: Path) -> bool:
        """Says that a write was interrupted, for a command that doesn't settle it."""
        interrupted = is_interrupted(root)
        if interrupted:
            self.line_error(
                "<warning>Warning: a change of these files was interrupted, or is still running. "
                f"To complete or undo it, run <c1>{poetry_tf.program} check --fix</c1></warning>"
            )
        return interrupted

    def line(
        self, text: str, style: str | None = None, verbosity: Verbosity = Verbosity.NORMAL
    ) -> None:
        """Writes a line of text, broken between words where the terminal is narrower."""
        super().line(fit_terminal(self.io.output, text), style, verbosity)

    def line_error(
        self, text: str, style: str | None = None, verbosity: Verbosity = Verbosity.NORMAL
    ) -> None:
        super().line_error(fit_terminal(self.io.error_output, text), style, verbosity)

    def report(self, line: str) -> None:
        """Reports a line on stderr."""
        self.line_error(f"<comment>{plain(line)}</>")

    def fail(self, message: str, remedy: str = "") -> int:
        """Shows an error as Poetry does and returns exit status 1; the remedy may have lines."""
        self.line_error(f"<error>Error: {plain(message)}</error>")
        if remedy:
            self.show_lines(remedy)
        return 1

    def show_lines(self, text: str) -> None:
        """Shows a text of several lines."""
        for line in text.split("\n"):
            self.line_error(plain(line))

    def write_files(self, root: Path, texts: Mapping[Path, str], read: Snapshot) -> None:
        """Writes all files or none; raises `WriteError`, also if one changed since it was read."""
        contents = {path: text.encode("utf-8") for path, text in texts.items()}
        write_together(root, contents, read, self.report)

    def write_json(self, document: Mapping[str, Any]) -> None:
        """Writes a document for programs; ASCII, so that the terminal's encoding is no matter."""
        text = json.dumps(document, indent=2)
        # JSON leaves DEL as it is, and a CI service takes "##[" anywhere for a command.
        text = text.replace("\x7f", r"\u007f").replace("##", r"#\u0023")
        self.io.write_line(text, type=Type.RAW)

    def warn(self, message: str) -> None:
        self.line_error(f"<warning>{plain(message)}</warning>")

    def path_from_here(self, path: Path) -> str:
        """A path from the folder that the command was typed in, so that a terminal can open it."""
        folder = Path(self.option("directory") or "")  # Poetry has changed to it
        try:
            relative = os.path.relpath(path, Path.cwd())
        except ValueError:  # on another drive
            return path.as_posix()
        return (
            path.as_posix()
            if folder.is_absolute()
            else Path(os.path.normpath(folder / relative)).as_posix()
        )

    def _format_error(self, error: ProjectError) -> str:
        """An error of a file, with its place for a terminal to open."""
        with suppress(ProjectError, PlanError):
            if error.path.is_relative_to(self.root()):
                line = f":{error.position.line}:{error.position.column}" if error.position else ""
                return f"{self.path_from_here(error.path)}{line}: {error.message}"
        return str(error)

    def show_paths(self, paths: Iterable[Path]) -> None:
        for path in paths:
            self.line(f"  <c1>{plain(self.path_from_here(path))}</>")

    def show_finding(self, finding: Finding, *, fixable: bool = False) -> None:
        """Shows a finding; `[*]` marks what `check --fix` fixes, as in ruff."""
        place = self.path_from_here(finding.file)
        if finding.position is not None:
            place += f":{finding.position.line}:{finding.position.column}"
        kind, mark = finding.severity, " [*]" if fixable else ""
        self.line_error(
            f"<c1>{plain(place)}</> <{kind}>{finding.code}</{kind}>{mark} {plain(finding.message)}"
        )
        remedy = f"    <info>hint:</> {plain(finding.remedy)}"
        self.line_error(fit_terminal(self.io.error_output, remedy, is_prose=True))

    def show_diffs(self, diffs: Iterable[str]) -> None:
        for text in diffs:
            for line in text.removesuffix("\n").split("\n"):
                style = {"+": "fg=green", "-": "fg=red", "@": "fg=cyan"}.get(line[:1])
                # `git apply` needs the line ends of the file.
                end = "\r" if line.endswith("\r") else ""
                shown = escape_markup(line.removesuffix(end))
                # Not wrapped, unlike `line`.
                super().line(f"<{style}>{shown}</>{end}" if style else f"{shown}{end}")


def _usage(command: TensorFlowCommand, error: CleoError, words: Sequence[str]) -> str:
    """What to type where the command line is not valid."""
    known = [one.name for one in command.definition.options]
    names = [word[2:].partition("=")[0] for word in words if word.startswith("--")]
    meant = next((closest(name, known) for name in names if name not in known), None)
    ways = [f"Did you mean `--{meant}`?"] if meant is not None else []
    if isinstance(error, CleoMissingArgumentsError) and command.examples:
        ways.append(f"For example: {next(iter(command.examples))}")
    return "\n".join([*ways, f"Run `poetry {command.name} --help` for its options and arguments."])


def nothing_written(command: TensorFlowCommand) -> str:
    """The last line of a run that only shows what it would write. It goes to stderr after a diff,
    which `git apply` may read."""
    has_diff = command.definition.has_option("diff") and command.option("diff")
    return f"Nothing was written (--{'diff' if has_diff else 'dry-run'})."


def document_head(version: int) -> dict[str, Any]:
    """The first keys of a document for programs, by the version of its form."""
    tool = {"name": "poetry-tf", "version": metadata.version("poetry-tf")}
    return {"version": version, "tool": tool}


def error_value(message: str, remedy: str) -> dict[str, str]:
    """An error in a document for programs."""
    return {"message": message, "remedy": remedy}


def align_columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows as lines, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(map(str.ljust, row, widths)).rstrip()


def titled_section(title: str, lines: Iterable[str]) -> Iterator[str]:
    """A blank line, a title and the lines below it; nothing if there are no lines."""
    body = list(lines)
    if body:
        yield ""
        yield title
        yield from (f"  {line}" for line in body)


def plain(text: str) -> str:
    """Text to show on one line, with the program's name in the commands that it mentions."""
    return escape_markup(text.replace("poetry tf ", f"{poetry_tf.program} "))


def show_unencodable(output: Output) -> None:
    """Lets an output show a character that its encoding lacks as an escape, and not fail."""
    stream = output.stream if isinstance(output, StreamOutput) else None
    if isinstance(stream, TextIOWrapper) and stream.errors == "strict":
        stream.reconfigure(errors="backslashreplace")


def _make_visible(record: logging.LogRecord) -> bool:
    """Escapes what Poetry logs about a project, as `plain` does for our own text."""
    record.msg = "\n".join(map(visible, record.getMessage().split("\n")))
    record.args = ()
    return True
