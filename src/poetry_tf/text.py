"""Words for a person to read, and foreign text made safe to show and to pass to a shell."""

from __future__ import annotations

import difflib
import os
import re
import shlex
import unicodedata
from collections.abc import Iterable, Sequence

# What a terminal obeys, hides or reorders the rest of the line by: control characters but the tab,
# zero-width and bidirectional ones, line separators, invisible letters, halves of surrogate pairs.
# The joiner within an emoji stays.
_UNSEEN = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u180b-\u180f\u200b\u200c\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\U000110bd\U000110cd"
    "\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
    "|(?<![\u2190-\u2bff\ufe0f\U0001f000-\U0001faff])\u200d"
    "|\u200d(?![\u2190-\u2bff\U0001f000-\U0001faff])"
)
# Where CI services look for commands in what a program prints: "::" begins the line (GitHub), or
# "##[", "##vso[" (Azure) stands anywhere in it.
_COMMAND = re.compile(r"\A\s*(?=::)|##(?=\w*\[)")

# A word of a console line. A command in backticks or in the style of one, or behind a colon at the
# end, is one, so that it can be copied.
_WORD = re.compile(r"(?:(?<=: )poetry(?:-tf)? .*|<c1>.*?</>|`[^`]*`|\S)+")
_TAG = re.compile(r"(?<!\\)<[^<>]*>")


def format_list(items: Iterable[str]) -> str:
    """Words as a sentence lists them: "3.10, 3.11 and 3.12"."""
    *head, last = list(items) or ["none"]
    return f"{', '.join(head)} and {last}" if head else last


def format_few(items: Sequence[str]) -> str:
    """A list of words that counts what is more than four: "a, b, c and 5 more"."""
    return format_list(items if len(items) < 5 else [*items[:3], f"{len(items) - 3} more"])


def format_count(number: int, word: str) -> str:
    """A number of things: "1 package", "2 packages"."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that a misspelt one may mean; None if none is near."""
    words = {item.lower(): item for item in known}
    found = difflib.get_close_matches(word.lower().replace("_", "-"), words, 1)
    found = found or difflib.get_close_matches(word.lower(), words, 1)
    return words[found[0]] if found else None


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """The question for a misspelt word, with a space after it; empty where none is near."""
    found = closest(word, known) if isinstance(word, str) else None
    return f'Did you mean "{found}"? ' if found else ""


def format_size(count: int) -> str:
    """Bytes for a person: "1.9 GB"."""
    for unit, size in (("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)):
        if count >= size:
            value = count / size
            return f"{value:.0f} {unit}" if value >= 10 else f"{value:.1f} {unit}"
    return f"{count} B"


def visible(text: str) -> str:
    r"""Text as one line that neither a terminal nor a CI service obeys.

    Characters that would act or hide become escapes (``\n``, ``\x1b``, ``\u202e``), and a backslash
    breaks what starts a command. Applied twice it is the same as once.
    """
    shown = _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
    return _COMMAND.sub(r"\g<0>\\", shown)


def wrap_markup(text: str, width: int) -> str:
    """A console line with style tags, broken between words into lines of at most this width.

    A line with columns stays as it is.
    """
    body = text.lstrip(" ")
    if "  " in body or _shown_width(text) <= width:
        return text
    indent = text[: len(text) - len(body)]
    more = f"{indent}  " if body.startswith("- ") else indent
    lines = [indent]
    for found in _WORD.finditer(body):
        blank = "" if lines[-1] in {indent, more} else " "
        if blank and _shown_width(lines[-1]) + 1 + _shown_width(found[0]) > width:
            lines.append(more)
            blank = ""
        lines[-1] += blank + found[0]
    return "\n".join(lines)


def _shown_width(markup: str) -> int:
    """The columns that text with style tags takes on a terminal."""
    shown = _TAG.sub("", markup).replace(r"\<", "<")
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in shown)


def escape_markup(text: str) -> str:
    """Visible text to stand between the style tags of a console line."""
    shown = visible(text).replace("<", r"\<")
    # A backslash at the end would escape the tag that follows; cleo writes one for a NUL.
    kept = shown.rstrip("\\")
    return kept + "\0" * (len(shown) - len(kept))


def shell_word(text: str, *, posix: bool = os.name != "nt") -> str | None:
    """The text as one word of a command; None if it can't be one.

    Quoted for POSIX shells. Without `posix` the word also is the same in PowerShell, and cmd.exe
    runs no part of it. A word with `${` is none, since devcontainer.json substitutes that.
    """
    unfit = r"\t|\$\{" if posix else r"""[\t"'%&<>^|!]|\$\{"""
    if not text or text.startswith("-") or visible(text) != text or re.search(unfit, text):
        return None
    # A tilde within a word, as in "name@~1.2", is none to a shell.
    return text if re.fullmatch(r"[\w.@-]+@~[\w.]+", text, re.ASCII) else shlex.quote(text)
