"""Foreign text on the console and in commands: shown whole, obeyed by nobody."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import unicodedata

import pytest
from cleo.formatters.formatter import Formatter
from hypothesis import example, given
from hypothesis import strategies as st

from poetry_tf.text import escape_markup, shell_word, visible, wrap_markup

# Every kind of character, those that act on a terminal as often as all others.
ACTING = (
    "\x00\x07\x08\n\r\x1b\x7f\x85\x9b\xad\u061c\u200b\u200d\u200e\u2028\u2029\u202e\u2066\ufeff"
)
FOREIGN = st.text(st.one_of(st.characters(), st.sampled_from(f"{ACTING}\ud800:#[]<>\\/ '\"$`{{")))
# Format characters that are seen: Arabic number signs, and the joiner of an emoji.
SEEN = re.compile(r"[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u200d]")


@given(FOREIGN)
@example(" \u3000::error::x")
@example("###[error]x")
@example("##vso[task.setvariable]x")
def test_what_is_shown_is_one_line_that_nothing_obeys(text: str) -> None:
    shown = visible(text)
    assert len(shown.splitlines()) <= 1
    acting = {
        char for char in shown if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    }
    assert not {char for char in acting if not SEEN.match(char)} - {"\t"}
    assert not shown.lstrip().startswith("::")
    assert not re.search(r"##\w*\[", shown)


@given(FOREIGN)
def test_showing_twice_is_showing_once(text: str) -> None:
    assert visible(visible(text)) == visible(text)


@given(
    st.text(st.one_of(st.characters(), st.sampled_from(ACTING)).filter(lambda c: c not in "\\#"))
)
def test_without_backslashes_two_texts_never_look_the_same(text: str) -> None:
    back = re.sub(r"\A(\s*)\\(?=::)", r"\1", visible(text))
    assert re.sub(r"\\(?:[nrt]|x..|u.{4}|U.{8})", lambda m: _unescaped(m[0]), back) == text


def _unescaped(escape: str) -> str:
    simple = {"\\n": "\n", "\\r": "\r", "\\t": "\t"}
    return simple.get(escape) or chr(int(escape[2:], 16))


@pytest.mark.parametrize(
    "text",
    [
        "numpy (>=1.26,<2)",
        "C:\\Users\\me\\new",
        "深度学习　项目",
        "Ångström, naïve, Ελλάδα, Україна, עברית, العربية",
        "👩‍👩‍👧 ❤️ 👍🏽 🏳️‍🌈 ❤️‍🔥 🧑🏽‍🚀",
        "葛󠄀",
        "std::vector # [a] ##",
        "tab\tstays",
        "",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\r\x1b[31m\x9b", r"a\nb\r\x1b[31m\x9b"),
        ("a\u202eb\u2066c\u200bd", r"a\u202eb\u2066c\u200bd"),
        ("\ud800", r"\ud800"),
        ("a\u200db", r"a\u200db"),
        ("  ::error::x", r"  \::error::x"),
        ("a ##[group]b", r"a ##\[group]b"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_what_would_act_is_an_escape(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(FOREIGN, st.booleans())
@example("</>", True)
@example("a\\", True)
@example("\\<error>", True)
@example("<<b>", True)
def test_no_style_comes_from_foreign_text(text: str, decorated: bool) -> None:
    formatter = Formatter(decorated)
    coloured = "\x1b[31m{}\x1b[39m" if decorated else "{}"
    formatted = formatter.format(f"<fg=red>{escape_markup(text)}</>")
    pieces = formatted.replace("\x1b[31m", "").replace("\x1b[39m", "")
    assert pieces == visible(text)
    assert not text or not decorated or formatted.startswith(coloured[:5])


@pytest.mark.skipif(sys.platform == "win32", reason="there is no POSIX shell")
@given(FOREIGN, st.booleans())
@example("x; touch pwned #", False)
@example("$(touch pwned)`id`", False)
@example('it\'s "mine"', True)
@example("${localEnv:HOME}", True)
@example("-rf", True)
def test_a_word_stays_one_word_to_a_shell(text: str, posix: bool) -> None:
    word = shell_word(text, posix=posix)
    if word is None:
        return
    assert shlex.split(word, comments=True) == [text]
    assert "${" not in word
    assert not word.startswith("-")
    assert posix or not re.search(r"""["%&<>^|!]""", word)


def test_shells_take_the_word_as_it_is() -> None:
    for text in ("x; touch pwned #", "a b", "$(x)`y`", "it's", "学习"):
        word = shell_word(text, posix=True)
        done = subprocess.run(["sh", "-c", f"printf %s {word}"], capture_output=True, check=True)
        assert done.stdout.decode() == text


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("one two three", ["one two", "three"]),
        ("<comment>one two three</>", ["<comment>one two", "three</>"]),
        ("- one two three", ["- one two", "  three"]),
        ("    one two three", ["    one", "    two", "    three"]),
        (r"one \<b> three four", [r"one \<b>", "three four"]),
        ("run <c1>poetry lock</> now", ["run", "<c1>poetry lock</>", "now"]),
        ("run `poetry lock` now", ["run", "`poetry lock`", "now"]),
        ("Update it: poetry self update x", ["Update it:", "poetry self update x"]),
        ("name   version  what it is", ["name   version  what it is"]),
        ("镜像源 地址", ["镜像源", "地址"]),
        ("", [""]),
    ],
)
def test_a_line_breaks_between_words_and_not_in_a_command(text: str, lines: list[str]) -> None:
    assert wrap_markup(text, 10).split("\n") == lines
    assert wrap_markup(text, 100) == text
