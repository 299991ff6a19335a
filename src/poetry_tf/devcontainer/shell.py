"""Shell text and arrays of arguments as calls and words, each with its place.

The text is split, not understood: no variable and no loop is looked into. That is enough to find
a program's arguments and to change one of them where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from poetry_tf.files.values import KeyPath


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
    for word, rest in tails(call):
        if word.program in _SHELLS:
            scripts = (
                script for option, script in pairwise(rest) if re.match(r"-[a-z]*c\Z", option.text)
            )
            return next(scripts, None)
    return None


def ends_in_comment(text: str) -> bool:
    *_, last = [None, *_TOKEN.finditer(text)]
    return last is not None and last["comment"] is not None


def tails(call: Call) -> Iterator[tuple[Word, Call]]:
    """Each word with the words that follow it."""
    return ((word, call[index + 1 :]) for index, word in enumerate(call))


def without_prefix(call: Call) -> Call:
    """A call from its program on: without ``sudo``, variables and the like."""
    index = next((i for i, word in enumerate(call) if not _PREFIX.match(word.text)), len(call))
    return call[index:]


# -- arguments ------------------------------------------------------------------------------

# Options of pip, pipx, uv and Poetry of which the next word is the value.
_WITH_VALUE = re.compile(
    r"-[rcetifCP]|--(?:requirement|constraint|editable|target|index-url|extra-index-url|find-links|"
    r"python|prefix|root|pip-args|suffix|directory|project|with)"
)


def plain(words: Sequence[Word]) -> Iterator[Word]:
    """The words that are neither options nor their values."""
    skip = False
    for word in words:
        if not skip and not word.text.startswith("-"):
            yield word
        skip = not skip and _WITH_VALUE.fullmatch(word.text) is not None
