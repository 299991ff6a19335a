"""What the lifecycle hooks of a devcontainer.json run, as far as poetry-tf has to know.

A hook holds a string for a shell, an array that is run without one, or an object of both kinds,
which run at the same time.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice, pairwise
from typing import Any, Final, TypeAlias

from poetry_tf.files.values import KeyPath, as_texts

HOOKS = (
    "onCreateCommand",
    "updateContentCommand",
    "postCreateCommand",
    "postStartCommand",
    "postAttachCommand",
)
"""The hooks that run in the container, in their order; initializeCommand runs on the host."""

MOST_INSTALLATIONS: Final = 8
"""The most installations of Poetry, or of poetry-tf, that are looked for in one command. Each is an
edit with the whole command."""

_MAX_LENGTH: Final = 10_000
"""The characters of the longest command that is looked into. What it runs is unknown, as if it
stood in a script."""

_INSTALLER = re.compile(r"(?:pip(?:x|\d[\d.]*)?|uv)\Z")
_INSTALLER_SITE = "install.python-poetry.org"
_PYTHON = re.compile(r"python[\d.]*\Z")
_INSTALLS = (["install"], ["sync"])
# What runs commands that stand elsewhere: by its name, or by its first argument.
_RUNNER = re.compile(
    r"poetry|make|just|task|invoke|inv|nox|tox|rake|mage|node|npx|bunx|ruby|perl|php"
)
_RUNS = re.compile(r"\S+ run(?:-script)?|p?npm (?:exec|dlx|test|start)|yarn (?!install|add)\S+")
_INSTALLERS_OF_PYTHON = frozenset({"pip", "pipx", "venv", "virtualenv", "ensurepip"})
_ENDS = frozenset({"exit", "exec"})
# A file without this line is for the shell that calls it.
_OTHER_LANGUAGE = re.compile(r"#!(?![^\r\n]*\b(?:ba|da|z|k)?sh\b)")
_MAX_SCRIPTS: Final = 8
_MAX_SCRIPT: Final = 30_000
"""The characters of the longest script that is looked into."""
_SCRIPT_SUFFIXES = (".sh", ".bash")
# The folder of the repository in the container, as far as a text tells it.
_WORKSPACE = re.compile(
    r"(?:\$\{containerWorkspaceFolder\}|\$PWD|\$\{PWD\}|/workspaces/[^/]+|/workspace|\./?\Z|\.(?=/))"
    r"(?:/+|\Z)"
)
# The distribution itself; poetry-core and the plugins have other names.
_POETRY = re.compile(
    r"poetry\s*(?:\[[^\]]*\]\s*)?(?P<spec>(?:[~=!<>]=?|@).*)?\Z", re.IGNORECASE | re.DOTALL
)
_EXACT = re.compile(r"==?=?\s*(?P<version>\d[\w.+!-]*)\Z")


@dataclass(frozen=True)
class Installation:
    """A place where Poetry is installed."""

    written: str
    """The requested version: "1.8.2", "~=1.8"; empty for any."""
    exact: bool
    path: KeyPath
    """The string of devcontainer.json that holds the version."""
    before: str | None
    """The text before the version in that string; None if it can't be changed in place."""
    after: str
    script: str = ""
    """The script of the repository that it stands in, if it does."""


@dataclass(frozen=True)
class Task:
    """One command of a hook: a string for a shell, or an array that is run without one."""

    hook: str
    path: KeyPath
    value: str | tuple[str, ...]
    read: Callable[[str], str | None] = field(default=lambda _: None, repr=False, compare=False)
    """Reads a script of the repository by its name, None where there is none."""

    @cached_property
    def scripts(self) -> Mapping[str, tuple[Call, ...]]:
        """The calls of each script of the repository that it runs, and of those that they run."""
        found: dict[str, tuple[Call, ...]] = {}
        waiting, seen = list(_named_scripts(self.calls)), set[str]()
        while waiting and len(found) < _MAX_SCRIPTS:
            name = waiting.pop(0)
            if name in seen or (text := self.read(name)) is None:
                continue
            seen.add(name)
            if len(text) <= _MAX_SCRIPT and not _OTHER_LANGUAGE.match(text):
                found[name] = calls = tuple(shell_calls(text, self.path))
                waiting += _named_scripts(calls)
        return found

    @cached_property
    def all_calls(self) -> tuple[Call, ...]:
        """Every call that it makes, those of the repository's scripts included."""
        return (*self.calls, *(call for calls in self.scripts.values() for call in calls))

    @property
    def may_use_poetry(self) -> bool:
        """Whether it uses Poetry, or runs what can't be looked into."""
        unread = set(_named_scripts(self.all_calls)) - {*self.scripts}
        return bool(unread) or any(map(_runs_others, self.all_calls))

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """Every call that it makes, those of a shell within it (``bash -c "…"``) included."""
        if sum(len(text) for _, text in self.texts) > _MAX_LENGTH:
            return ()
        if isinstance(self.value, str):
            return tuple(shell_calls(self.value, self.path))
        return tuple(with_nested(self._arguments))

    @property
    def _arguments(self) -> Call:
        return tuple(
            Word(text, (*self.path, index), 0, len(text), 0)
            for index, text in enumerate(self.value)
        )

    @property
    def texts(self) -> Iterator[tuple[KeyPath, str]]:
        """Its strings, each with its place."""
        if isinstance(self.value, str):
            return iter([(self.path, self.value)])
        return (((*self.path, index), text) for index, text in enumerate(self.value))

    @property
    def words(self) -> Iterator[Word]:
        """Every word of its calls."""
        return (word for call in self.calls for word in call)

    @cached_property
    def script(self) -> tuple[KeyPath, str]:
        """The place where shell text can be added, and the text there."""
        if isinstance(self.value, str):
            return self.path, self.value
        if nested := nested_script(self._arguments):
            return nested.path, nested.text
        return self.path, shlex.join(self.value)

    def followed_by(self, command: str) -> tuple[KeyPath, str]:
        """The place and its new text, so that a command runs after this one has succeeded."""
        path, text = self.script
        text = text.rstrip().rstrip(";")
        last = self.calls[-1] if self.calls else ()
        if any(word.text in _ENDS for word in last[: len(last) - len(without_prefix(last)) + 1]):
            end = "\n" if ends_in_comment(text) else ""
            return path, f"({text}{end}) && {command}"  # it ends the shell that it runs in
        if ends_in_comment(text):
            return path, f"{text}\n{command}"
        # What runs in the background is waited for.
        return path, f"{text} {'wait ' if text.endswith('&') else ''}&& {command}"

    @cached_property
    def installations(self) -> tuple[Installation, ...]:
        """Its installations of Poetry."""
        named = (
            installation
            for call in self.calls
            for word in _installed_words(call)
            if (installation := self._installation(word)) is not None
        )
        here = tuple(islice(named, MOST_INSTALLATIONS)) or tuple(self._from_install_script())
        return here or tuple(self._in_scripts())

    def _in_scripts(self) -> Iterator[Installation]:
        """The first in a script, which is left for a person to change."""
        for name in self.scripts:
            text = self.read(name) or ""
            script = Task(self.hook, self.path, text)
            found = script.installations if len(text) <= _MAX_LENGTH else ()
            for item in found[:1]:
                yield replace(item, before=None, script=name)
                return

    @property
    def plugins(self) -> Iterator[Word]:
        """What it installs besides Poetry, by pip, pipx, uv or Poetry itself."""
        for call in self.all_calls:
            yield from _installed_words(call)
            yield from _added_words(call)

    @property
    def installs_project(self) -> bool:
        return any(
            program == "poetry" and arguments[:1] in _INSTALLS
            for call in self.all_calls
            if not any(_installed_words(call))
            for program, arguments, _ in _programs(call)
        )

    @property
    def uses_poetry(self) -> bool:
        """Whether it needs Poetry."""
        programs = (next(iter(without_prefix(call)), None) for call in self.all_calls)
        return self.installs_project or any(item and item.program == "poetry" for item in programs)

    def _text(self, path: KeyPath) -> str:
        return dict(self.texts)[path]

    def _installation(self, word: Word) -> Installation | None:
        match = _POETRY.match(word.text)
        if match is None:
            return None
        spec = (match["spec"] or "").strip()
        exact = _EXACT.match(spec)
        return self._replaceable(
            word, "poetry==", exact["version"] if exact else spec, exact=exact is not None
        )

    def _from_install_script(self) -> Iterator[Installation]:
        """``curl … https://install.python-poetry.org | POETRY_VERSION=… python3 - --version …``."""
        calls = self.calls
        sites = (
            index
            for index, call in enumerate(calls)
            if any(_INSTALLER_SITE in word.text for word in call)
        )
        if (first := next(sites, None)) is None:
            return
        for word in self.words:
            if word.text.startswith("POETRY_VERSION="):
                yield self._versioned(word, len("POETRY_VERSION="))
                return
        for call in map(without_prefix, calls[first + 1 :]):
            if call and _PYTHON.match(call[0].program):
                yield self._installer_version(call)
                return
        yield Installation("", False, self.path, None, "")

    def _installer_version(self, call: Call) -> Installation:
        for option, value in pairwise(call):
            if option.text == "--version":
                return self._versioned(value, 0)
        for word in call:
            if word.text.startswith("--version="):
                return self._versioned(word, len("--version="))
        # After the script's name, or the "-" that stands for it.
        last, text = call[:2][-1], self._text(call[0].path)
        addition = " --version " if len(call) > 1 else " - --version "
        before, after = text[: last.end] + addition, text[last.end :]
        return Installation("", False, last.path, before, after)

    def _versioned(self, word: Word, offset: int) -> Installation:
        written = word.text[offset:]
        is_exact = re.match(r"\d", written) is not None
        return self._replaceable(word, word.text[:offset], written, exact=is_exact)

    def _replaceable(self, word: Word, start: str, written: str, *, exact: bool) -> Installation:
        """The installation by a word that becomes `start` and another version."""
        text = self._text(word.path)
        before, after = f"{text[: word.start]}{start}", text[word.end :]
        return Installation(written, exact, word.path, before, after)


def tasks(
    hook: str, value: Any, read: Callable[[str], str | None] = lambda _: None
) -> tuple[Task, ...]:
    """The commands of a hook; what is none (a number, say) is left out."""
    commands: dict[KeyPath, Any] = {(hook,): value}
    if isinstance(value, dict):
        commands = {(hook, name): item for name, item in value.items()}
    return tuple(
        Task(hook, path, item if isinstance(item, str) else tuple(item), read)
        for path, item in commands.items()
        if isinstance(item, str) or (isinstance(item, list) and as_texts(item) == item)
    )


def _named_scripts(calls: Iterable[Call]) -> Iterator[str]:
    """The shell scripts that calls run, by name: ``bash a.sh``, ``./a.sh``, ``source a.sh``.

    A name is as seen from the folder that an earlier ``cd`` went to.
    """
    folder = ""
    for call in map(without_prefix, calls):
        if not call:
            continue
        first, *arguments = call
        if first.text == "cd":
            target = _in_workspace(arguments[0].text) if arguments else "/"
            folder = target if target.startswith("/") else posixpath.join(folder, target)
            continue
        is_shell = first.program in _SHELLS or first.text in {".", "source"}
        if is_shell and nested_script(call) is not None:
            continue
        named = next(plain(tuple(arguments)), None) if is_shell else first
        if named and (is_shell or "/" in named.text) and "$(" not in named.text:
            name = _in_workspace(named.text)
            if is_shell or name.endswith(_SCRIPT_SUFFIXES) or not name.startswith("/"):
                yield posixpath.normpath(posixpath.join(folder, name))


def _runs_others(call: Call) -> bool:
    """Whether a call runs what can't be looked into: a target, a script of npm or Python."""
    program, *arguments = [word.text for word in without_prefix(call)] or [""]
    program = program.rpartition("/")[2]
    named = [argument for argument in arguments if not argument.startswith("-")][:1]
    if _PYTHON.match(program):
        option = next((item for item in arguments if item in {"-", "-c", "-m"}), None)
        if option == "-m":
            return not _INSTALLERS_OF_PYTHON.intersection(named)
        return any("poetry" in item for item in arguments) if option else bool(named)
    return bool(_RUNNER.fullmatch(program) or _RUNS.fullmatch(" ".join((program, *named))))


def _in_workspace(name: str) -> str:
    """A path without the folder that the repository has in the container."""
    return _WORKSPACE.sub("", name) or "."


def _installed_words(call: Call) -> Iterator[Word]:
    """The words that say what ``pip install …`` and its like install."""
    for index, word in enumerate(call):
        if _INSTALLER.match(word.program):
            names = list(plain(call[index + 1 :]))
            if names and names[0].text in {"tool", "pip"}:  # of uv
                names = names[1:]
            if names and names[0].text == "install":
                yield from names[1:]
            return


def _added_words(call: Call) -> Iterator[Word]:
    """The words that say what ``pipx inject poetry …`` and ``poetry self add …`` add to Poetry."""
    for program, arguments, rest in _programs(call):
        if (program == "pipx" and arguments[:1] == ["inject"]) or (
            program == "poetry" and arguments == ["self", "add"]
        ):
            yield from plain(call[rest:])
            return


# -- shell text and arrays of arguments, as calls and words ---------------------------------
# The text is split, not understood: no variable and no loop is looked into. That is enough to find
# a program's arguments and to change one of them where it stands.


@dataclass(frozen=True)
class Word:
    """A word of a command, without its quotes, and its place."""

    text: str
    path: KeyPath
    """The string of devcontainer.json that holds it."""
    start: int
    end: int
    """Its span in that string, quotes included."""
    inside: int | None
    """Where its text stands literally in that string; None if escapes change it."""

    @property
    def program(self) -> str:
        """The program that it calls, if it calls one."""
        return self.text.rpartition("/")[2]


Call: TypeAlias = tuple[Word, ...]
"""A program with its arguments."""

# To a shell "poetry>=1.8" without quotes is a redirection, but the intention is clear.
_TOKEN = re.compile(
    r"""(?P<blank>[ \t]+|\\\r?\n)
      | (?P<comment>\#[^\r\n]*)
      | (?P<word>(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[<>](?=[=\d])|[^\s'"\\;&|()<>`])+)
      | (?P<end>.)""",
    re.VERBOSE | re.DOTALL,
)
_PIECE = re.compile(
    r"""'(?P<single>[^']*)'|"(?P<double>(?:\\.|[^"\\])*)"|\\(?P<escaped>.)|.""", re.S
)
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "su"})
# What may stand before the program.
_PREFIX = re.compile(r"(?:\w+=.*|-.*|sudo|env|exec|time|command|if|then|else|elif|do|while|!|\{)\Z")


def shell_calls(text: str, path: KeyPath, offset: int = 0) -> Iterator[Call]:
    """The calls in shell text, which begins at an offset of the string at a path."""
    words: list[Word] = []
    for match in _TOKEN.finditer(text):
        if match["end"]:
            yield from with_nested(tuple(words))
            words = []
        elif match["word"]:
            words.append(_word(match, path, offset))
    yield from with_nested(tuple(words))


def _word(match: re.Match[str], path: KeyPath, offset: int) -> Word:
    raw = match["word"]
    text = "".join(map(_unquoted, _PIECE.finditer(raw)))
    at = raw.find(text)
    start = match.start() + offset
    return Word(text, path, start, match.end() + offset, None if at < 0 else start + at)


def _unquoted(piece: re.Match[str]) -> str:
    if piece["double"] is not None:
        return re.sub(r'\\(["\\$`])', r"\1", piece["double"])
    return next((text for text in piece.groups() if text is not None), piece[0])


def with_nested(call: Call) -> Iterator[Call]:
    """A call, if it has any words, and those of the script that it passes to a shell."""
    if call:
        yield call
    script = nested_script(call)
    if script is not None and script.inside is not None:
        yield from shell_calls(script.text, script.path, script.inside)


def nested_script(call: Call) -> Word | None:
    """The script in ``bash -lc "…"``."""
    for index, word in enumerate(call):
        if word.program in _SHELLS:
            scripts = (
                script
                for option, script in pairwise(call[index + 1 :])
                if re.match(r"-[a-z]*c\Z", option.text)
            )
            return next(scripts, None)
    return None


def ends_in_comment(text: str) -> bool:
    *_, last = [None, *_TOKEN.finditer(text)]
    return last is not None and last["comment"] is not None


def without_prefix(call: Call) -> Call:
    """A call from its program on: without ``sudo``, variables and the like."""
    index = next((i for i, word in enumerate(call) if not _PREFIX.match(word.text)), len(call))
    return call[index:]


# Options of pip, pipx, uv and Poetry whose value is the next word.
_WITH_VALUE = re.compile(
    r"-[rcetifCP]|--(?:requirement|constraint|editable|target|index-url|extra-index-url|find-links|"
    r"python|prefix|root|pip-args|suffix|directory|project|with)"
)


def plain(call: Call) -> Iterator[Word]:
    """The words that are neither options nor their values."""
    skip = False
    for word in call:
        if not skip and not word.text.startswith("-"):
            yield word
        skip = not skip and _WITH_VALUE.fullmatch(word.text) is not None


def _programs(call: Call) -> list[tuple[str, list[str], int]]:
    """For each word: the program that it would call, the first two plain words after it, and the
    index of what follows those."""
    end = len(call)
    # The index of the first plain word from each one on.
    at = [end] * (end + 2)
    found = []
    for index in reversed(range(end)):
        word = call[index]
        first = at[index + 1]
        second = at[first + 1]
        arguments = [call[place].text for place in (first, second) if place < end]
        found.append((word.program, arguments, second + 1))
        skipped = 2 if _WITH_VALUE.fullmatch(word.text) else 1
        at[index] = at[index + skipped] if word.text.startswith("-") else index
    return found[::-1]
