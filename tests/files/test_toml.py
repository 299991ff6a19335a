"""The TOML editor: finds what `tomllib` reads, and changes only what it has to."""

from __future__ import annotations

import datetime
import json
import random
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from poetry_tf.files.documents import DocumentError
from poetry_tf.files.positions import Position
from poetry_tf.files.toml import Inline, TomlDocument
from poetry_tf.files.values import ABSENT, same
from tests.files.oracle import (
    changed,
    check_edit,
    check_refusal,
    comments,
    comments_elsewhere,
    draw_key,
    draw_path,
    draw_table,
    is_subsequence,
    mutate,
    offset,
    paths,
    removed,
    visible,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

parse = TomlDocument.parse

CHARACTERS = st.characters(exclude_categories=["Cs"])
KEYS = st.sampled_from(["a", "b", "tool", "poetry", "ü", "a.b", 'q"\\', "'", "", "#"]) | st.text(
    CHARACTERS
)
STRINGS = KEYS | st.sampled_from(["\n", '"""', "'''", "\\", "[x]", "{", '""', "x # y\n[z]\n"])
SCALARS = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | STRINGS
    | st.datetimes(timezones=st.none() | st.just(datetime.timezone.utc))
    | st.dates()
    | st.times()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(st.dictionaries(KEYS, inner, max_size=2), min_size=1, max_size=3)
        | st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=12,
)
TABLES = st.dictionaries(KEYS, VALUES, max_size=5)


class Noise:
    """Writes data as TOML in one of the many ways that there are for it."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.count = 0

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def comment(self) -> str:
        self.count += 1
        return f"# <{self.count}> ]}}\"'''"

    def blank(self) -> str:
        return self.rng.choice(["", " ", "\t", "  "])

    def document(self, data: dict[str, Any]) -> str:
        body, groups = self.table((), data)
        self.rng.shuffle(groups)
        text = "".join([*body, *groups])
        if self.chance(0.2):
            text = text.removesuffix("\n")
        return text.replace("\n", self.rng.choice(["\n", "\r\n"]))

    def table(self, path: tuple[str, ...], data: dict[str, Any]) -> tuple[list[str], list[str]]:
        """The lines of the table itself, and what may come in any order after them."""
        body: list[str] = []
        groups: list[str] = []
        for key, value in data.items():
            if isinstance(value, dict) and self.chance(0.6):
                groups += self.section((*path, key), value)
            elif self.is_tables(value) and self.chance(0.6):
                groups.append(self.sections((*path, key), value))
            else:
                body += [*self.lines(), *self.statement((key,), value)]
        return body, groups

    def section(self, path: tuple[str, ...], data: dict[str, Any]) -> list[str]:
        body, groups = self.table(path, data)
        if body or not groups or self.chance(0.3):
            groups.append(self.header("[", path, "]") + "".join(body))
        return groups

    def sections(self, path: tuple[str, ...], elements: list[dict[str, Any]]) -> str:
        text = ""
        for element in elements:
            body, groups = self.table(path, element)
            text += "".join([self.header("[[", path, "]]"), *body, *groups])
        return text

    @staticmethod
    def is_tables(value: Any) -> bool:
        return isinstance(value, list) and bool(value) and all(isinstance(e, dict) for e in value)

    def header(self, opening: str, path: tuple[str, ...], closing: str) -> str:
        lines = "".join(self.lines())
        return f"{lines}{self.blank()}{opening}{self.keys(path)}{closing}{self.end()}"

    def statement(self, keys: tuple[str, ...], value: Any) -> Iterator[str]:
        if isinstance(value, dict) and value and self.chance(0.5):
            for key, member in value.items():
                yield from self.statement((*keys, key), member)
        else:
            equals = f"{self.blank()}={self.blank()}"
            yield f"{self.blank()}{self.keys(keys)}{equals}{self.value(value)}{self.end()}"

    def lines(self) -> Iterator[str]:
        while self.chance(0.3):
            yield self.rng.choice(["\n", "  \n", f"{self.blank()}{self.comment()}\n"])

    def end(self) -> str:
        return f"{self.blank()}{self.comment() if self.chance(0.3) else ''}\n"

    def keys(self, path: tuple[str, ...]) -> str:
        dot = f"{self.blank()}.{self.blank()}"
        return f"{self.blank()}{dot.join(map(self.key, path))}{self.blank()}"

    def key(self, key: str) -> str:
        if re.fullmatch("[A-Za-z0-9_-]+", key) and self.chance(0.7):
            return key
        return self.literal(key) or self.basic(key)

    def value(self, value: Any) -> str:
        if isinstance(value, dict):
            members = [
                f"{self.keys((key,))}={self.blank()}{self.value(value[key])}" for key in value
            ]
            return f"{{{self.blank()}{', '.join(members)}{self.blank()}}}"
        if isinstance(value, list):
            text = "[" + self.gap()
            for index, element in enumerate(value):
                text += self.value(element) + self.gap()
                if index < len(value) - 1 or self.chance(0.3):
                    text += "," + self.gap()
            return text + "]"
        if isinstance(value, str):
            kinds = [self.literal, self.basic, self.long_literal, self.long_basic]
            self.rng.shuffle(kinds)
            return next(filter(None, (kind(value) for kind in kinds)))
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, datetime.datetime):
            return value.isoformat(self.rng.choice("T "))
        return value.isoformat() if isinstance(value, datetime.date | datetime.time) else str(value)

    def gap(self) -> str:
        kinds = [*[""] * 3, " ", "\n", "\n    ", f" {self.comment()}\n\t", f"\n{self.comment()}\n"]
        return self.rng.choice(kinds)

    def basic(self, text: str) -> str:
        return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")

    def literal(self, text: str) -> str | None:
        plain = not re.search(r"['\x00-\x08\x0a-\x1f\x7f]", text)
        return f"'{text}'" if plain and self.chance(0.5) else None

    def long_literal(self, text: str) -> str | None:
        plain = not re.search(r"'''|[\x00-\x08\x0b-\x1f\x7f]", text)
        return f"'''\n{text}'''" if plain and not text.endswith("'") else None

    def long_basic(self, text: str) -> str | None:
        pieces = [self.basic(piece)[1:-1] for piece in text.split("\n")]
        quoted = "\n".join(pieces).replace('\\"\\"', '""' if self.chance(0.5) else '\\"\\"')
        if '"""' in quoted:
            return None
        # A line feed right after the quotes is none of the string's.
        first = "\n" if text.startswith("\n") else self.rng.choice(["", "\n"])
        return f'"""{first}{quoted}"""'


@st.composite
def documents(draw: st.DrawFn) -> TomlDocument:
    data = draw(TABLES)
    text = Noise(draw(st.randoms(use_true_random=False))).document(data)
    document = parse(text)
    assert same(document.data, data)
    assert document.text == text
    return document


def key_at(document: TomlDocument, path: Any) -> str:
    start = offset(document.text, document.position(path))
    match = re.compile(r"[A-Za-z0-9_-]+|\"(?:[^\"\\]|\\.)*\"|'[^']*'").match(document.text, start)
    assert match
    return next(iter(tomllib.loads(f"{match[0]} = 1")))


def pruned(data: Any) -> Any:
    """The data without what is empty: such tables may end with the last key in them."""
    if isinstance(data, dict):
        data = {key: pruned(value) for key, value in data.items()}
        return {key: value for key, value in data.items() if value not in ({}, [])}
    return [pruned(element) for element in data] if isinstance(data, list) else data


# Reading


@pytest.mark.slow
@given(documents())
def test_positions_and_sources(document: TomlDocument) -> None:
    for path in paths(document.data):
        if not path:
            continue
        source = document.source(path)
        start = offset(document.text, document.value_position(path))
        if source is not None:
            assert document.text.startswith(source, start)
            assert same(tomllib.loads(f"x = {source}")["x"], document.get(path))
        if isinstance(path[-1], str):
            assert key_at(document, path) == path[-1]
        elif source is None:
            assert document.text.startswith("[[", start)
        else:
            assert document.position(path) == document.value_position(path)
    assert document.position(()) == Position(1, 1)
    assert document.position(("absent", "b")) is None
    assert document.source(("absent",)) is None


@pytest.mark.slow
@given(st.data(), documents())
def test_malformed_text_raises_nothing_else(data: st.DataObject, document: TomlDocument) -> None:
    text = mutate(data, document.text, "{}[]\"',.=#\\\n\r 0-1eTa\ufeff")
    try:
        mutated = parse(text)
    except DocumentError:
        return
    # What is accepted must be understood: every path has its place.
    for path in paths(mutated.data):
        assert mutated.position(path) is not None


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("a = ", (1, 5)),
        ("a = 1\r\nb = \n", (2, 5)),
        ("a = 1\na = 2\n", (2, 6)),
        ("[a", (1, 3)),
        ("a = '\n'", (1, 6)),
        ("a = [1,", (1, 8)),
        ("\ufeffa = 1", (1, 1)),
        (f"a = {'9' * 5000}", None),
        ("a = " + "[" * 50_000, None),
        ("a = " + "[" * 150 + "]" * 150, None),
        (".".join("a" * 150) + " = 1", None),
    ],
)
def test_malformed(text: str, position: tuple[int, int] | None) -> None:
    with pytest.raises(DocumentError) as caught:
        parse(text)
    assert caught.value.position == (position and Position(*position))


# Editing


@pytest.mark.slow
@given(st.data(), documents(), VALUES)
def test_set_existing(data: st.DataObject, document: TomlDocument, value: Any) -> None:
    path = draw_path(data, document)
    source = document.source(path)
    if source is None and isinstance(path[-1], int) and not isinstance(value, dict):
        with pytest.raises(DocumentError, match="element by element"):
            document.set(path, value)
        return
    edited = document.set(path, value)
    assert same(edited.data, changed(document.data, path, value))
    assert edited.set(path, value) is edited
    if source is not None:
        start = offset(document.text, document.value_position(path))
        assert edited.text.startswith(document.text[:start])
        assert edited.text.endswith(document.text[start + len(source) :])
    assert document.set(path, document.get(path)) is document


@given(st.data(), documents(), VALUES, KEYS, st.booleans())
def test_add_and_remove(
    data: st.DataObject, document: TomlDocument, value: Any, key: str, inline: bool
) -> None:
    box = draw_table(data, document)
    new = Inline(value) if inline and isinstance(value, dict) else value
    if isinstance(document.get(box), list):
        assume(document.source(box) is not None or isinstance(value, dict))
        path = (*box, len(document.get(box)))
        edited = document.append(box, new)
        assert edited.text == document.set(path, new).text
    else:
        path = (*box, key)
        assume(key not in document.get(box))
        edited = document.set(path, new)
        assert edited.set(path, new) is edited
    assert same(edited.data, changed(document.data, path, value))
    assert is_subsequence(visible(document.text), visible(edited.text)) or any(
        # Within an inline table that has dotted keys the whole of it is written again.
        document.source(path[:length]) is not None
        for length in range(1, len(path))
    )
    assert comments(edited.text) == comments(document.text)
    back = edited.remove(path)
    assert same(pruned(back.data), pruned(document.data))


@given(documents(), st.lists(KEYS, min_size=1, max_size=3), VALUES)
def test_new_tables_on_the_way(document: TomlDocument, keys: list[str], value: Any) -> None:
    path = tuple(keys)
    blocked = any(not isinstance(document.get(path[:n], {}), dict) for n in range(1, len(path)))
    if blocked:
        with pytest.raises(DocumentError, match=r"is not a table|there is no"):
            document.set(path, value)
        return
    edited = document.set(path, value)
    assert same(edited.get(path), value)
    if document.get(path, ABSENT) is ABSENT:
        assert comments(edited.text) == comments(document.text)
        assert same(pruned(edited.remove(path).data), pruned(document.data))


@pytest.mark.slow
@given(st.data(), documents())
def test_remove(data: st.DataObject, document: TomlDocument) -> None:
    path = draw_path(data, document)
    edited = document.remove(path)
    assert same(pruned(edited.data), pruned(removed(document.data, path)))
    if isinstance(path[-1], str):
        assert edited.get(path, ABSENT) is ABSENT
        assert edited.remove(path) is edited
    if document.source(path) is not None:
        assert set(comments_elsewhere(document, path)) <= set(comments(edited.text))


@pytest.mark.slow
@given(st.data(), documents(), KEYS)
def test_rename(data: st.DataObject, document: TomlDocument, key: str) -> None:
    path = draw_key(data, document)
    assume(path[-1] == key or key not in document.get(path[:-1]))
    edited = document.rename(path, key)
    assert same(edited.get((*path[:-1], key)), document.get(path))
    assert same(edited.rename((*path[:-1], key), str(path[-1])).data, document.data)
    assert set(comments(document.text)) == set(comments(edited.text))


UGLY = """\
# The project's own header

top.dotted = 1   # one

[tool.poetry]   # main
name='x'
version = "1" # v
'qu oted'.inner = 0x10

# Dependencies
  [tool.poetry.dependencies]
  python = "^3.8" # py
  "tensorflow" = {version = '~2.1', extras=["and-cuda"]}
  # commented = "1"

# A floating remark.

# The mirror
[[tool.poetry.source]]
name = "one"
[[tool.poetry.source]] # two
name = "two"
urls = [
\t"a", # A
\t# between

\t"b" # B
]
text = '''
[not.a.header]
# not a comment'''

[build-system]
requires = ["poetry-core", ]
when = 1979-05-27 07:32:00 # then
[tool.poetry.group.dev.dependencies]
pytest = "*"
# the end
"""
POETRY = ("tool", "poetry")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("edit", "before", "after"),
    [
        (("set", (*POETRY, "name"), "y"), "'x'", "'y'"),
        (("set", (*POETRY, "name"), "it's"), "'x'", '"it\'s"'),
        (("set", (*POETRY, "version"), 2), '"1" # v', "2 # v"),
        (("set", (*POETRY, "qu oted", "inner"), [1]), "0x10", "[1]"),
        (("set", (*POETRY, "qu oted", "new"), 1), "0x10\n", "0x10\n'qu oted'.new = 1\n"),
        (("set", (*POETRY, "package-mode"), False), "0x10\n", "0x10\npackage-mode = false\n"),
        (("set", (*POETRY, "dependencies", "tensorflow", "version"), "~2"), "'~2.1'", "'~2'"),
        (
            ("set", (*POETRY, "dependencies", "tensorflow", "markers"), "x"),
            '["and-cuda"]}',
            '["and-cuda"], markers="x"}',
        ),
        (
            ("set", (*POETRY, "dependencies", "n"), Inline(version="1", extras=[])),
            '"and-cuda"]}\n',
            '"and-cuda"]}\n  n = {version = "1", extras = []}\n',
        ),
        (("remove", (*POETRY, "dependencies", "python")), '  python = "^3.8" # py\n', ""),
        (
            ("remove", (*POETRY, "dependencies", "tensorflow", "extras")),
            ', extras=["and-cuda"]',
            "",
        ),
        (
            ("rename", (*POETRY, "dependencies", "tensorflow"), "tensorflow-cpu"),
            '"tensorflow"',
            "tensorflow-cpu",
        ),
        (("rename", (*POETRY, "group", "dev"), "test"), "group.dev", "group.test"),
        (
            ("set", (*POETRY, "extras"), {"a": ["b"], "c d": {"e": 1}}),
            "# the end\n",
            '# the end\n\n[tool.poetry.extras]\na = ["b"]\n"c d" = {e = 1}\n',
        ),
        (
            ("set", ("tool", "poetry-tf", "gpu"), "auto"),
            "# the end\n",
            '# the end\n\n[tool.poetry-tf]\ngpu = "auto"\n',
        ),
        (
            ("set", ("build-system", "sub"), {}),
            "# then\n",
            "# then\n\n[build-system.sub]\n\n",
        ),
        (
            ("append", (*POETRY, "source"), {"name": "three"}),
            "# not a comment'''\n",
            "# not a comment'''\n\n[[tool.poetry.source]]\nname = \"three\"\n",
        ),
        (
            ("set", (*POETRY, "source", 0, "options"), {"a": 1}),
            'name = "one"\n',
            'name = "one"\n\n[tool.poetry.source.options]\na = 1\n\n',
        ),
        (("remove", (*POETRY, "source", 0)), '[[tool.poetry.source]]\nname = "one"\n', ""),
        (("append", (*POETRY, "source", 1, "urls"), "c"), '"b" # B\n', '"b", # B\n\t"c"\n'),
        (("set", (*POETRY, "source", 1, "urls", 0), "z"), '"a"', '"z"'),
        (
            ("set", (*POETRY, "source", 1, "urls"), ["z", "b", "a"]),
            '[\n\t"a", # A\n\t# between\n\n\t"b" # B\n]',
            '[\n\t"z",\n\t"b",\n\t"a",\n]',
        ),
        (("set", (*POETRY, "source", 1, "urls"), ["b"]), '\t"a", # A\n', ""),
        (
            ("remove", (*POETRY, "source", 1, "urls", 1)),
            ', # A\n\t# between\n\n\t"b" # B\n',
            " # A\n\t# between\n\n",
        ),
        (
            ("append", ("build-system", "requires"), "x"),
            '"poetry-core", ]',
            '"poetry-core", "x", ]',
        ),
        (("set", ("build-system", "when"), True), "1979-05-27 07:32:00", "true"),
        (
            ("remove", (*POETRY, "group")),
            '[tool.poetry.group.dev.dependencies]\npytest = "*"\n# the end\n',
            "",
        ),
        (("remove", ("top",)), "top.dotted = 1   # one\n", ""),
        (("set", ("top", "x"), 1), "# one\n", "# one\ntop.x = 1\n"),
        (("set", ("first",), 1), "# one\n", "# one\nfirst = 1\n"),
        (("append", ("list",), 1), "# one\n", "# one\nlist = [1]\n"),
        (("append", ("list",), {"a": 1}), "# the end\n", "# the end\n\n[[list]]\na = 1\n"),
    ],
    ids=str,
)
def test_ugly_file(newline: str, edit: Any, before: str, after: str) -> None:
    check_edit(parse(UGLY.replace("\n", newline)), edit, before, after)


@pytest.mark.parametrize(
    ("text", "path", "value", "expected"),
    [
        ("", ("a",), 1, "a = 1\n"),
        ("", ("a", "b"), 1, "[a]\nb = 1\n"),
        ("\n\n", ("a",), {}, "[a]\n\n\n"),
        ("# x", ("a",), 1, "# x\na = 1"),
        ("# x", ("a",), {"b": 1}, "# x\n\n[a]\nb = 1"),
        ("a = 1", ("b",), 2, "a = 1\nb = 2"),
        ("a=1\r\n", ("b",), 2, "a=1\r\nb=2\r\n"),
        ("a   = 1\n", ("b",), 2, "a   = 1\nb = 2\n"),
        ("[a]", ("b",), 2, "b = 2\n\n[a]"),
        ("# x\n\n# y\n[a]\n", ("b",), 2, "# x\n\nb = 2\n\n# y\n[a]\n"),
        ("[a]\n\n[b]\n", ("a", "c"), 1, "[a]\nc = 1\n\n[b]\n"),
        ("[a.b]\n[c]\n", ("a", "d"), 1, "[a.b]\n\n[a]\nd = 1\n\n[c]\n"),
        ("[a.b]\n# b's\n\n# c's\n[c]\n", ("a", "d"), {}, "[a.b]\n# b's\n\n[a.d]\n\n# c's\n[c]\n"),
        ("a = {}\n", ("a", "b", "c"), 1, "a = {b = {c = 1}}\n"),
        ("a = { }\n", ("a", "b"), {"c": 1}, "a = { b = {c = 1} }\n"),
        ("a = {b.c = 1}\n", ("a", "b", "d"), 1, "a = {b = {c = 1, d = 1}}\n"),
        ("a = []\n", ("a", 0), "x", 'a = ["x"]\n'),
        ("a = [\n]\n", ("a", 0), "x", 'a = [\n    "x",\n]\n'),
        ("a = [\n  # x\n]\n", ("a", 0), 1, "a = [\n  # x\n    1,\n]\n"),
        ("a = 'x'\n", ("a",), "\t", "a = '\t'\n"),
        ("a = '''x'''\n", ("a",), "y", 'a = "y"\n'),
        ("a = 1\n", ("a",), True, "a = true\n"),
        ("a = 1\n", ("a",), 1.0, "a = 1.0\n"),
        ("[a]\nb = 1\n", ("a",), 2, "a = 2\n"),
        (
            "[[a]]\nb = 1\n[[a]]\nb = 2\n",
            ("a",),
            [{"b": 2}, {"b": 1}],
            "[[a]]\nb = 2\n\n[[a]]\nb = 1\n",
        ),
        ("[[a]]\nb = 1\n", ("a",), [1], "a = [1]\n"),
        ("[[a]]\nb = 1\n", ("a",), [], "a = []\n"),
        ("[a]\nb = 1\nc = 2 # c\n", ("a",), {"c": 3}, "[a]\nc = 3 # c\n"),
    ],
)
def test_styles(text: str, path: Any, value: Any, expected: str) -> None:
    assert parse(text).set(path, value).text == expected


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("a = 1\n", ("b",), 1),
        ("a = 1", ("b",), 1),
        ("a = 1\n", ("b",), {"c": 1}),
        ("a = 1", ("b",), {"c": 1}),
        ("[tool.a]\nb = 1\n\n\n[c]\n", ("tool", "d"), {"e": 1}),
        ("[tool.a]\nb = 1 # x\n# y\n\n# z\n[c]\n", ("tool", "a", "d"), [1]),
        ("[tool.a]\nb = 1 # x\n\n[c]\n", ("tool", "d"), {"e": 1}),
        ("a = [\n  1, # x\n]\n", ("a", 1), 2),
        ("a = [\n  1 # x\n]\n", ("a", 1), 2),
        ("a = {b = 1}\n", ("a", "c"), 2),
    ],
)
def test_removing_what_was_added_restores_the_text(text: str, path: Any, value: Any) -> None:
    assert parse(text).set(path, value).remove(path).text == text


@pytest.mark.parametrize(
    ("edit", "message", "position"),
    [
        (("set", ("a", "b"), 1), "a is not a table", (1, 5)),
        (("set", ("s", "b"), 1), r"there is no s\.b", (2, 3)),
        (("append", ("s",), 1), "element by element", (2, 3)),
        (("set", ("s", 0), 1), "element by element", (2, 3)),
        (("set", ("s", 3, "a"), 1), r"there is no s\[3\]", (2, 3)),
        (("set", ("new", 0), 1), "no array", None),
        (("set", (), 1), "always a table", None),
        (("set", ("n",), None), "not a TOML value", None),
        (("set", ("n",), "\ud800"), "not a TOML value", None),
        (("append", ("a",), 1), "a is not an array", (1, 5)),
        (("append", ("a", "b"), {}), "a is not a table", (1, 5)),
        (("remove", ()), "can't be removed", None),
        (("rename", ("b",), "c"), "there is no key b", None),
        (("rename", ("a",), "s"), "s exists already", (2, 3)),
    ],
    ids=str,
)
def test_impossible_edits(edit: Any, message: str, position: tuple[int, int] | None) -> None:
    check_refusal(parse("a = 1\n[[s]]\n[[s]]\n"), edit, message, position)


def test_append_to_sections_of_an_element() -> None:
    document = parse("[[a]]\n[[a]]\n").append(("a", 0, "b"), {"c": 1})
    assert document.text == "[[a]]\n\n[[a.b]]\nc = 1\n\n[[a]]\n"
    assert document.append(("a",), Inline(x=1)).data["a"][2] == {"x": 1}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_section_goes_with_the_comments_above_it_on_request(newline: str):
    text = "# file\n[a]\nx = 1\n\n# one\n\n# two\n# three\n[[b]]\ny = 1\n\n# of c\n[c]\n"
    document = TomlDocument.parse(text.replace("\n", newline))
    cut = document.remove_with_comments(("b", 0))
    assert cut.text == "# file\n[a]\nx = 1\n\n# one\n\n# of c\n[c]\n".replace("\n", newline)
    cut = document.remove_with_comments(("a",))
    assert cut.text.startswith("# file")
    assert document.remove_with_comments(("d",)) is document


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_new_section_goes_before_the_comments_of_the_next(newline: str):
    text = "[a]\nx = 1\n\n# of b\n[b]\n".replace("\n", newline)
    document = TomlDocument.parse(text).set(("a", "c"), {"y": 1})
    expected = "[a]\nx = 1\n\n[a.c]\ny = 1\n\n# of b\n[b]\n"
    assert document.text == expected.replace("\n", newline)
