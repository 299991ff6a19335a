"""``poetry tf mirror``: shows, sets, tests and verifies the mirror of PyPI."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from cleo.helpers import argument, option
from cleo.io.inputs.argument import Argument
from cleo.io.inputs.option import Option

from poetry_tf.actions.mirror import replaces_pypi, validate_mirror
from poetry_tf.actions.progress import told_regularly
from poetry_tf.commands.allow import allow_mirrors, write_setting
from poetry_tf.commands.base import TensorFlowCommand, align_columns, plain
from poetry_tf.commands.listing import unknown_command
from poetry_tf.commands.setting_warnings import warn_of_machine
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.project import LOCK, POETRY_TOML, Project
from poetry_tf.http.errors import NoResponse
from poetry_tf.index.config import (
    SETTING,
    SettingLayer,
    pypi_index,
    setting_layers,
    shown_path,
    user_settings_file,
)
from poetry_tf.index.folder_setting import folder_value, names_folder, users_folder
from poetry_tf.index.mirrors import (
    AUTO_FALLBACK,
    AUTO_MIRROR,
    MIRRORS,
    Mirror,
    MirrorError,
    format_value,
    holds_login,
    mirror_key,
    parse_mirror,
    setting_value,
    without_credentials,
)
from poetry_tf.index.resolve import ResolvedMirror, may_name, resolve
from poetry_tf.index.saved_folder import SavedFolder
from poetry_tf.plan.derive import require_poetry
from poetry_tf.plan.model import PlanError
from poetry_tf.text import format_count, format_few, shell_word

NAMES = ", ".join(MIRRORS)
_TELL_SECONDS = 2.0
"""How often it is said how far `verify` is."""


class _MirrorCommand(TensorFlowCommand):
    """The base of the commands. Only `verify` needs a project."""

    def folder(self) -> Path | None:
        """The project's folder, None outside of one."""
        try:
            return self.root()
        except PlanError:
            return None

    def resolved(self, layers: Sequence[SettingLayer]) -> ResolvedMirror:
        """The setting in force; raises `PlanError` where it is not valid."""
        try:
            found = resolve(layers, may_name)
        except MirrorError as error:
            remedy = "Change it there, or with `poetry tf mirror use`."
            raise PlanError(error.fault, f"{error.remedy}. {remedy}".removeprefix(". ")) from None
        for line in found.notices:
            self.report(line)
        return found


class MirrorCommand(_MirrorCommand):
    name = "tf mirror"
    description = "Shows which mirror of PyPI is used, and where it is set."
    arguments: ClassVar[list[Argument]] = [
        argument(
            "subcommand",
            "list, use, off, test, verify or save. Each is a command with its own help.",
            optional=True,
            multiple=True,
        )
    ]
    help = """\
Shows the setting <comment>tf.mirror</> that is in force, the file and line or the variable that \
it comes from, and other settings, which it overrides. It asks no index.

<info>poetry tf mirror list</> shows the mirrors that have a name, <info>poetry tf mirror use</> \
chooses one, <info>poetry tf mirror test</> tests them.
"""

    def act(self) -> int:
        if words := self.argument("subcommand"):
            raise unknown_command(self.application, ["mirror", *words])
        root = self.folder()
        found = setting_layers(root)
        if not found:
            self.line("No mirror is set: packages come from PyPI")
            self.line_error(plain("Set one with `poetry tf mirror use auto`."))
        else:
            resolved = self.resolved(found)
            self._show(resolved)
            for layer in found:
                if layer is not resolved.layer:
                    value = format_value(layer.value)
                    self.line(plain(f"not in force: {value}, set in {layer.place}"))
        warn_of_machine(self)
        if root is not None and found and replaces_pypi(Project.read(root)):
            self.line_error(
                "<comment>This project replaces PyPI by its own sources, so no mirror of PyPI is "
                "used</>"
            )
        return 0

    def _show(self, resolved: ResolvedMirror) -> None:
        layer, setting = resolved.layer, resolved.setting
        if layer is not None:
            self.line(f"<c1>{plain(format_value(layer.value))}</>, set in {plain(layer.place)}")
        for path in resolved.folders:
            self.line(plain(f"  {_format_folder(path)}"))
        if setting.kind == "folder":
            is_there = any(SavedFolder(path).is_there for path in resolved.folders)
            what = "installs what is locked, with files from there" if is_there else "no files"
            self.line(f"  no network: {what}")
        for mirror in setting.mirrors:
            self.line(plain(f"  {mirror.name}: {without_credentials(mirror.url)}"))
        if setting.kind == "off":
            self.line("  PyPI itself")
        if setting.kind == "auto":
            self._show_choice()

    def _show_choice(self) -> None:
        from poetry.config.config import Config

        from poetry_tf.index.auto import DAY, choice_memory, remembered_choice

        choice = remembered_choice(pypi_index(), choice_memory(Config.create()))
        if choice is None:
            self.line("  not chosen yet: the next command that needs an index chooses")
        else:
            since, until = _format_time(choice.since), _format_time(choice.since + DAY)
            self.line(plain(f"  {choice.notice}"))
            self.line(f"  chosen {since}, kept until {until}")


class MirrorListCommand(_MirrorCommand):
    name = "tf mirror list"
    description = "Shows the mirrors that have a name."
    help = """\
The names that <info>poetry tf mirror use</> and the setting <comment>tf.mirror</> take, with the \
address of each, who runs it, and with which other mirror it fails: after a failure, poetry-tf \
asks a mirror that does not fail with it.
"""

    def act(self) -> int:
        rows = [("name", "address", "fails with", "run by")]
        for name, mirror in MIRRORS.items():
            fate = "" if mirror.fate == name else mirror.fate
            rows.append((name, mirror.url, fate, mirror.run_by))
        for line in align_columns(rows):
            self.line(plain(line))
        return 0


class _SettingCommand(_MirrorCommand):
    """A command that writes the setting into a file."""

    options: ClassVar[list[Option]] = [
        # Not --project, which is Poetry's own, for a folder; `poetry config` calls it --local too.
        option(
            "local",
            None,
            "Write it for everybody who works on this project, into its poetry.toml, and not for "
            "you alone, into Poetry's config.toml.",
        )
    ]

    def put(self, value: Any, *, is_secret: bool = False) -> int:
        root = self.root() if self.option("local") else None
        if root is not None:
            require_poetry(Project.read(root))
        # Poetry keeps passwords in auth.toml, and reads it after config.toml.
        auth = user_settings_file("auth.toml")
        is_in_auth = any(layer.file == auth for layer in setting_layers(None))
        file = auth if is_secret or is_in_auth else user_settings_file()
        file = file if root is None else root / POETRY_TOML
        write_setting(self, file, root, SETTING, value)
        place = shown_path(file) if root is None else POETRY_TOML
        self.line(f"tf.mirror is <c1>{plain(format_value(value))}</> in {plain(place)}")
        self._warn_if_overridden(file, value)
        return 0

    def _warn_if_overridden(self, file: Path, value: Any) -> None:
        """Names the layer that overrides the one just written, and how to change it."""
        first = next(iter(setting_layers(self.folder())), None)
        if first is None or first.file == file:
            return
        if first.is_projects:
            items = [format_value(item) for item in (value if isinstance(value, list) else [value])]
            words = "off" if value == "off" else f"use {' '.join(map(_word, items))}"
            how = f"To change it for this project: poetry tf mirror {words} --local"
        elif first.variable is not None:
            how = f"To use the new value, unset {first.variable}"
        else:
            how = f"To use the new value, remove that line from {first.place}"
        self.warn(f"Not in force here: {first.place} says {format_value(first.value)}. {how}")


class MirrorUseCommand(_SettingCommand):
    name = "tf mirror use"
    description = "Sets the mirror, or several in order of preference."
    arguments: ClassVar[list[Argument]] = [
        argument(
            "mirror",
            f"auto, or one or more of {NAMES}, URLs of simple indexes, and folders, in order of "
            "preference.",
            multiple=True,
        )
    ]
    examples: ClassVar[Mapping[str, str]] = {
        "poetry tf mirror use auto": "Tsinghua's mirror, or PyPI where it is faster",
        "poetry tf mirror use ustc tuna": "USTC's mirror, and Tsinghua's if it fails",
        "poetry tf mirror use --local tuna": "for everybody in this project",
    }
    help = """\
Writes the setting <comment>tf.mirror</> into Poetry's <comment>config.toml</>, for you, or with \
<info>--local</> into the project's <comment>poetry.toml</>. The variable \
<comment>POETRY_TF_MIRROR</> overrides both, and the project's setting overrides yours.

A folder from <info>poetry tf mirror save</> supplies the files. Alone it works without a network; \
together with a mirror or <comment>pypi</>, the index supplies the pages.

The lock file is the same whatever the mirror. <comment>auto</> uses Tsinghua's mirror unless it \
fails or PyPI is clearly faster from here. It keeps that choice for a day; this command resets it.
"""

    def act(self) -> int:
        words = self.argument("mirror")
        value = ",".join(words if self.option("local") else map(_with_whole_paths, words))
        remedy = "See `poetry tf mirror list`."
        setting = validate_mirror(value, remedy=remedy, shared=self.option("local"))
        if setting.kind == "auto":
            from poetry.config.config import Config

            from poetry_tf.index.auto import choice_memory

            choice_memory(Config.create()).forget()
        if self.option("local"):
            allow_mirrors(self, value)
        is_secret = any(holds_login(mirror) for mirror in setting.mirrors)
        return self.put(setting_value(value), is_secret=is_secret)


class MirrorOffCommand(_SettingCommand):
    name = "tf mirror off"
    description = "Uses PyPI itself, without a mirror."
    help = """\
Writes <comment>mirror = "off"</> under <comment>[tf]</> into Poetry's <comment>config.toml</>, or \
with <info>--local</> into the project's <comment>poetry.toml</>.
"""

    def act(self) -> int:
        return self.put("off")


class MirrorTestCommand(_MirrorCommand):
    name = "tf mirror test"
    description = "Tests which mirrors answer, how fast, and how up to date they are."
    arguments: ClassVar[list[Argument]] = [
        argument(
            "mirror",
            f"Some of {NAMES}, pypi, and URLs. Default: all of these, and what is set.",
            optional=True,
            multiple=True,
        )
    ]
    examples: ClassVar[Mapping[str, str]] = {
        "poetry tf mirror test": "compare all mirrors",
        "poetry tf mirror test tuna pypi": "compare two",
    }
    help = """\
Asks each mirror for a page of some tens of kilobytes, for TensorFlow's page, and for the first \
bytes of a wheel of TensorFlow. Prints how long the first took, the newest TensorFlow, the day of \
its last file if the page has it, and whether large files come in parts, so that an interrupted \
download can continue.

Exit status: 1 if the mirror that is set, or one that you named, doesn't answer.
"""

    def act(self) -> int:
        from poetry_tf.index.probe import probe_all

        pypi = Mirror("PyPI", pypi_index(), "pypi")
        resolved = self.resolved(setting_layers(self.folder()))
        setting = resolved.setting
        in_force = setting.mirrors or (
            (AUTO_MIRROR, AUTO_FALLBACK, pypi) if setting.kind == "auto" else (pypi,)
        )
        for path in resolved.folders:
            self.line_error(
                plain(f"{_format_folder(path)}: not tested, because it is not a server")
            )
        named = [self._named(word, pypi) for word in self.argument("mirror")]
        tested = [*dict.fromkeys(named or [*in_force, *MIRRORS.values(), pypi])]
        probes = dict(zip(tested, probe_all(tested), strict=True))
        newest = max((p.tensorflow for p in probes.values() if p.tensorflow), default=None)
        rows = [("", "mirror", "page", "TensorFlow", "last file", "large files")]
        for mirror, probe in probes.items():
            mark = "*" if mirror in in_force else ""
            name = "pypi" if mirror == pypi else mirror_key(mirror) or mirror.name
            if probe.fault is not None:
                rows.append((mark, name, probe.fault, "", "", ""))
                continue
            stale = " (not the newest)" if probe.tensorflow != newest else ""
            seconds = f"{probe.seconds:.2f} s"
            release = f"{probe.tensorflow}{stale}"
            rows.append((mark, name, seconds, release, probe.uploaded or "-", probe.files))
        for line in align_columns(rows):
            self.line(plain(line))
        answers = {mirror: probe.fault is None for mirror, probe in probes.items()}
        if named:
            return 0 if all(answers.values()) else 1
        # Of those that auto chooses from one is enough; of several that are set the first matters.
        required = in_force if setting.kind == "auto" else in_force[:1]
        return 0 if any(answers[mirror] for mirror in required) else 1

    def _named(self, word: str, pypi: Mirror) -> Mirror:
        if word.strip().lower() == "pypi":
            return pypi
        try:
            setting = parse_mirror([word])
        except MirrorError as error:
            raise PlanError(error.fault, error.remedy) from None
        if len(setting.mirrors) != 1:
            raise PlanError(
                f"{word!r} is not a mirror that can be tested",
                f"Give some of {NAMES}, pypi or URLs.",
            )
        return setting.mirrors[0]


class MirrorVerifyCommand(_MirrorCommand):
    name = "tf mirror verify"
    description = "Compares every hash in the lock file with PyPI's own."
    examples: ClassVar[Mapping[str, str]] = {
        "poetry tf mirror verify": "after locking through a mirror",
    }
    help = """\
If a mirror gave wrong hashes while you locked, every install takes its files. This command \
compares the lock file with PyPI's own index, whatever mirror is set. It leaves out packages from \
the project's own sources.

Exit status: 0 if all hashes are the same, 1 if one differs, is not on PyPI, or can't be compared.
"""

    def act(self) -> int:
        from poetry_tf.index.verify import verify

        root = self.root()
        project = Project.read(root)
        require_poetry(project)
        lock = project.lock
        if isinstance(lock, ProjectError):
            raise lock
        if lock is None:
            return self.fail(f"There is no {LOCK} in {root}", "Create it with `poetry lock`.")
        counts = [0, 0]

        def count(answered: int, asked: int) -> None:
            counts[:] = answered, asked

        def tell(_: int) -> None:
            self.line_error("<c2>{} of {} packages compared …</>".format(*counts))

        try:
            with told_regularly(tell, _TELL_SECONDS):
                result = verify(lock, pypi_index(), count)
        except NoResponse as error:
            return self.fail(
                f"PyPI could not be reached, and nothing was compared: {error}",
                "Run `poetry tf mirror verify` again when PyPI itself can be reached: it does not "
                "ask the mirror.",
            )
        for item in result.differences:
            if item.pypi is None:
                self.line_error(plain(f"{item.package}: PyPI has no {item.file}"))
                continue
            self.line_error(plain(f"{item.package}: {item.file} is another file on PyPI"))
            self.line_error(plain(f"    locked  {item.locked}"))
            self.line_error(plain(f"    on PyPI {item.pypi}"))
        for reason, what in result.unknown.items():
            self.warn(f"Not compared: {format_few(what)}: {reason}")
        if result.left_out:
            self.line_error(
                f"<comment>Packages not compared, because they are not from PyPI: "
                f"{result.left_out}</>"
            )
        if result.differences or result.unknown:
            differ, unknown = len(result.differences), sum(map(len, result.unknown.values()))
            problems = [f"locked files that differ from PyPI's: {differ}"] if differ else []
            problems += [f"not compared: {unknown}"] if unknown else []
            remedy = (
                "Don't install from this lock file: run `poetry tf mirror off`, and lock again."
            )
            return self.fail(", ".join(problems), remedy if differ else "")
        self.line(
            f"{LOCK}: every hash is the same on PyPI ({result.files} files of "
            f"{result.packages} packages)"
        )
        return 0


def _format_folder(path: Path) -> str:
    folder = SavedFolder(path)
    if not folder.is_there:
        return f"the folder {path}, which does not exist"
    return f"the folder {path}, with {format_count(len(folder.names()), 'distribution')}"


def _with_whole_paths(value: str) -> str:
    """The value with its folders as whole paths, for a file that counts in every folder."""
    parts = (
        [value] if names_folder(value) and SavedFolder(Path(value)).is_there else value.split(",")
    )
    found = []
    for part in parts:
        path = users_folder(part, Path.cwd()) if names_folder(part) else None
        found.append(folder_value(path) if isinstance(path, Path) else part)
    return ",".join(found)


def _word(text: str) -> str:
    return shell_word(text) or "MIRROR"


def _format_time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
