"""The JSONC editor: reads what JSONC is and nothing else, and changes only what it has to."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from poetry_tf.files.documents import DocumentError
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.files.positions import Position
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

parse = JsoncDocument.parse

KEYS = (
    st.sampled_from(["a", "b", "image", "ghcr.io/x/y:1", "ü", 'q"\\', "", "//", "/*"]) | st.text()
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | KEYS
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=5)


class Noise:
    """Writes data as JSONC with every liberty that the grammar leaves."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.count = 0

    def gap(self) -> str:
        self.count += 1
        number = f"<{self.count}>"
        kinds = [
            *[""] * 4,
            " ",
            "\n",
            "\n\t\t",
            "\n  \n    ",
            f' // {number} "}},\n',
            f"/* {number} ]*/",
            f"\n  /* {number} \n * */\n",
            f"\n//{number}\n",
        ]
        return self.rng.choice(kinds)

    def value(self, data: Any) -> str:
        if isinstance(data, dict):
            entries = [
                f"{self.string(key)}{self.gap()}:{self.gap()}{self.value(data[key])}"
                for key in data
            ]
            return self.box("{", entries, "}")
        if isinstance(data, list):
            return self.box("[", [self.value(element) for element in data], "]")
        return self.string(data) if isinstance(data, str) else json.dumps(data)

    def box(self, opening: str, entries: list[str], closing: str) -> str:
        text = opening + self.gap()
        for index, entry in enumerate(entries):
            text += entry + self.gap()
            if index < len(entries) - 1 or self.rng.random() < 0.3:
                text += "," + self.gap()
        return text + closing

    def string(self, text: str) -> str:
        return json.dumps(text, ensure_ascii=self.rng.random() < 0.5)

    def document(self, data: Any) -> str:
        text = self.gap() + self.value(data) + self.gap()
        text = text.replace("\n", self.rng.choice(["\n", "\n", "\r\n", "\r"]))
        return self.rng.choice(["", "", "\ufeff"]) + text


def pretty(data: Any, rng: random.Random) -> str:
    """As people write it: indented, comments here and there."""
    indent = rng.choice(["\t", "  ", "    "])
    lines = json.dumps(data, indent=indent, ensure_ascii=False).split("\n")
    out = []
    for number, line in enumerate(lines):
        comment = rng.choice(["", "", f" // <{number}>", f" /* <{number}> */"])
        out.append(line + comment)
        if rng.random() < 0.2:
            out.append(f"{indent}// <{number}00>")
    text = "\n".join(out) + rng.choice(["", "\n"])
    return text.replace("\n", rng.choice(["\n", "\r\n"]))


@st.composite
def documents(draw: st.DrawFn, data: st.SearchStrategy[Any] = OBJECTS) -> JsoncDocument:
    content = draw(data)
    rng = draw(st.randoms(use_true_random=False))
    text = pretty(content, rng) if rng.random() < 0.5 else Noise(rng).document(content)
    document = parse(text)
    assert json.dumps(document.data) == json.dumps(content)
    assert document.text == text
    return document


# Reading


@given(documents(VALUES))
def test_positions_and_sources(document: JsoncDocument) -> None:
    for path in paths(document.data):
        source = document.source(path)
        assert source is not None
        start = offset(document.text, document.value_position(path))
        assert document.text.startswith(source, start)
        assert json.dumps(parse(source).data) == json.dumps(document.get(path))
        key = offset(document.text, document.position(path))
        if path and isinstance(path[-1], str):
            assert json.JSONDecoder().raw_decode(document.text, key)[0] == path[-1]
        elif path:
            assert key == start
    assert document.position(()) == Position(1, 1)
    assert document.position(("absent", "b")) is None
    assert document.source(("absent",)) is None


@given(st.data(), documents(VALUES))
def test_malformed_text_raises_nothing_else(data: st.DataObject, document: JsoncDocument) -> None:
    text = mutate(data, document.text, '{}[]",:/*\\\n\r 0-1eE.tn\ufeff')
    try:
        parse(text)
    except DocumentError as error:
        assert error.position is not None
        assert str(error.position.line) in str(error)


@given(st.text() | st.text('{}[]",: 0-1eE.tn'))
def test_what_json_accepts_is_accepted(text: str) -> None:
    def refuse(name: str) -> None:
        raise ValueError(name)

    try:
        expected = json.loads(text, parse_constant=refuse)
    except ValueError:
        with pytest.raises(DocumentError):
            parse("x" + text)
        return
    assert json.dumps(parse(text).data) == json.dumps(expected)


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("", (1, 1), "no value"),
        ("\ufeff // nothing\n", (2, 1), "no value"),
        ("{", (1, 1), "never closed"),
        ('{"a": [1, 2}', (1, 12), "a comma or ]"),
        ('{"a": 1 "b": 2}', (1, 9), "a comma or }"),
        ('{\r\n\t"a" 1}', (2, 6), "a colon"),
        ('\ufeff{"a": tru}', (1, 7), "a value"),
        ("{a: 1}", (1, 2), "a key in double quotes"),
        ("{,}", (1, 2), "a key"),
        ("[1,,]", (1, 4), "a value"),
        ("[01]", (1, 3), "a comma"),
        ("[1.]", (1, 3), "a comma"),
        ("[+1]", (1, 2), "a value"),
        ("[NaN]", (1, 2), "a value"),
        ("['a']", (1, 2), "a value"),
        ('["a\nb"]', (1, 2), "never closed"),
        ('["a', (1, 2), "never closed"),
        ('["\\x"]', (1, 3), "unknown escape"),
        ('["\\u12g4"]', (1, 3), "unknown escape"),
        ('["\t"]', (1, 3), "control character"),
        ("[1] /* x", (1, 5), "comment is never closed"),
        ("[1] x", (1, 5), "the end of the file"),
        ("[1] / x", (1, 5), "the end of the file"),
        ("{}\n{}", (2, 1), "the end of the file"),
        ("[" * 5000, (1, 101), "too deeply"),
        ('{"a":' * 5000, (1, 501), "too deeply"),
        (f"[{'9' * 5000}]", (1, 2), "too long"),
        ("[\u00a01]", (1, 2), "a value"),
    ],
)
def test_malformed(text: str, position: tuple[int, int], message: str) -> None:
    with pytest.raises(DocumentError, match=message) as caught:
        parse(text)
    assert caught.value.position == Position(*position)


def test_of_equal_keys_the_last_wins() -> None:
    text = '{\n  "a": 1, // one\n  "b": 2,\n  "a": 3\n}\n'
    document = parse(text)
    assert document.data == {"a": 3, "b": 2}
    assert document.position(("a",)) == Position(4, 3)
    assert document.set(("a",), 4).text == text.replace("3", "4")
    assert document.remove(("a",)).text == '{\n  "b": 2\n}\n'
    assert document.rename(("a",), "c").text == '{\n  "b": 2,\n  "c": 3\n}\n'


def test_lone_surrogates() -> None:
    document = parse('{"a": "\\ud800"}')
    assert document.data == {"a": "\ud800"}
    edited = document.set(("b",), "\udfff")
    assert edited.text == '{"a": "\\ud800", "b": "\\udfff"}'
    edited.text.encode()


# Editing


@given(st.data(), documents(), VALUES)
def test_set_existing(data: st.DataObject, document: JsoncDocument, value: Any) -> None:
    path = data.draw(st.sampled_from(list(paths(document.data))))
    edited = document.set(path, value)
    assert json.dumps(edited.data, sort_keys=True) == json.dumps(
        changed(document.data, path, value), sort_keys=True
    )
    assert edited.set(path, value) is edited
    start = offset(document.text, document.value_position(path))
    end = start + len(document.source(path) or "")
    assert edited.text.startswith(document.text[:start])
    assert edited.text.endswith(document.text[end:])
    assert document.set(path, document.get(path)) is document


@given(st.data(), documents(), VALUES, KEYS)
def test_add_and_remove(data: st.DataObject, document: JsoncDocument, value: Any, key: str) -> None:
    box = draw_table(data, document)
    if isinstance(document.get(box), list):
        path = (*box, len(document.get(box)))
        edited = document.append(box, value)
        assert edited.text == document.set(path, value).text
    else:
        path = (*box, key)
        assume(key not in document.get(box))
        edited = document.set(path, value)
    assert json.dumps(edited.data) == json.dumps(changed(document.data, path, value))
    assert is_subsequence(visible(document.text), visible(edited.text))
    assert comments(edited.text) == comments(document.text)
    if isinstance(path[-1], str):
        assert edited.set(path, value) is edited
    back = edited.remove(path)
    assert back.data == document.data
    assert is_subsequence(visible(back.text), visible(edited.text))


@given(st.data(), documents())
def test_remove(data: st.DataObject, document: JsoncDocument) -> None:
    path = draw_path(data, document)
    edited = document.remove(path)
    assert json.dumps(edited.data) == json.dumps(removed(document.data, path))
    assert is_subsequence(edited.text, document.text)
    assert set(comments_elsewhere(document, path)) <= set(comments(edited.text))
    if isinstance(path[-1], str):
        assert edited.remove(path) is edited


def own_lines(text: str) -> set[str]:
    """The comments that have lines of their own."""
    return {line.strip() for line in text.splitlines() if line.strip() in comments(text)}


@given(st.data(), documents())
def test_remove_but_comments(data: st.DataObject, document: JsoncDocument) -> None:
    path = draw_path(data, document)
    edited = document.remove_but_comments(path)
    assert json.dumps(edited.data) == json.dumps(removed(document.data, path))
    # All but those that end a line that goes, or stand in it.
    left = comments(edited.text)
    assert set(left) <= set(comments(document.text))
    assert set(left) >= {*comments_elsewhere(document, path), *own_lines(document.text)}
    assert is_subsequence(visible(edited.text), visible(document.text))
    if isinstance(path[-1], str):
        assert edited.remove_but_comments(path) is edited


@given(st.data(), documents(), KEYS)
def test_rename(data: st.DataObject, document: JsoncDocument, key: str) -> None:
    path = draw_key(data, document)
    new = (*path[:-1], key)
    assume(path == new or key not in document.get(path[:-1]))
    edited = document.rename(path, key)
    assert list(edited.get(path[:-1]).values()) == list(document.get(path[:-1]).values())
    assert edited.get(new) == document.get(path)
    assert edited.rename(new, str(path[-1])).data == document.data
    assert comments(edited.text) == comments(document.text)


UGLY = """\
// Für alle, see https://example.org  /* not a block */
{
\t"name": "x",\t// the name
\t/* before */ "image": "a:1", /* after */
\t"features": {
\t\t// "off": {},
\t\t"one:1": {}, // first
\t\t"two:2": { "v": "1" } // second
\t},
\t"runArgs": ["--gpus", "all"],
\t"mounts": [
\t\t"a", // A

\t\t"b"  // B
\t\t// end of mounts
\t],
\t"empty": {},
\t"list": [
\t],
\t"open": {
\t\t// only a comment
\t},
\t"last": {"a": 1, "b": [1,2,], }, // trailing
\t// the end
}
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("edit", "before", "after"),
    [
        (("set", ("name",), "y"), '"x",\t//', '"y",\t//'),
        (("set", ("image",), None), '"a:1",', "null,"),
        (
            ("set", ("features", "three:3"), {"v": "2"}),
            '"1" } // second\n',
            '"1" }, // second\n\t\t"three:3": {\n\t\t\t"v": "2"\n\t\t}\n',
        ),
        (
            ("set", ("features", "one:1", "v"), 1),
            '"one:1": {},',
            '"one:1": {\n\t\t\t"v": 1\n\t\t},',
        ),
        (("set", ("features", "two:2", "w"), [1]), '"1" } //', '"1", "w": [1] } //'),
        (("set", ("features", "two:2", "v"), "2"), '{ "v": "1" }', '{ "v": "2" }'),
        (("rename", ("features", "one:1"), "one:2"), '"one:1"', '"one:2"'),
        (
            ("remove", ("features", "two:2")),
            ', // first\n\t\t"two:2": { "v": "1" } // second',
            " // first",
        ),
        (("remove", ("features", "one:1")), '\t\t"one:1": {}, // first\n', ""),
        (("append", ("runArgs",), "x"), '"all"]', '"all", "x"]'),
        (("set", ("runArgs",), ["--gpus"]), '"--gpus", "all"', '"--gpus"'),
        (("set", ("runArgs",), ["--gpus", "0"]), '"all"', '"0"'),
        (("append", ("mounts",), "c"), '"b"  // B\n', '"b",  // B\n\t\t"c"\n'),
        (("remove", ("mounts", 0)), '\t\t"a", // A\n', ""),
        (("remove", ("mounts", 1)), ', // A\n\n\t\t"b"  // B\n', " // A\n\n"),
        (("set", ("empty", "a"), True), '{},\n\t"list', '{\n\t\t"a": true\n\t},\n\t"list'),
        (("append", ("list",), 1), "[\n\t],", "[\n\t\t1\n\t],"),
        (("set", ("open", "a"), 1), "comment\n", 'comment\n\t\t"a": 1\n'),
        (("append", ("last", "b"), 3), "[1,2,]", "[1,2,3,]"),
        (("remove", ("last", "b")), '"b": [1,2,], }', "}"),
        (("remove", ("last",)), '\t"last": {"a": 1, "b": [1,2,], }, // trailing\n', ""),
        (("set", ("new",), "x"), "// trailing\n", '// trailing\n\t"new": "x",\n'),
        (
            ("append", ("new", "list"), "x"),
            "// trailing\n",
            '// trailing\n\t"new": {\n\t\t"list": [\n\t\t\t"x"\n\t\t]\n\t},\n',
        ),
    ],
    ids=str,
)
def test_ugly_file(newline: str, edit: Any, before: str, after: str) -> None:
    check_edit(parse(UGLY.replace("\n", newline)), edit, before, after)


@pytest.mark.parametrize(
    ("text", "path", "value", "expected"),
    [
        ("{}", ("a",), 1, '{\n    "a": 1\n}'),
        ("{}\n", ("a", "b"), 1, '{\n    "a": {\n        "b": 1\n    }\n}\n'),
        ("{ }", ("a",), 1, '{\n    "a": 1\n}'),
        ("{/* x */}", ("a",), 1, '{/* x */ "a": 1}'),
        ("{ // x\n}", ("a",), 1, '{ // x\n    "a": 1\n}'),
        ("{// x\n/* y */}", ("a",), 1, '{// x\n/* y */\n    "a": 1\n}'),
        ('{"a": 1}', ("b",), {"c": [1]}, '{"a": 1, "b": {"c": [1]}}'),
        ('{"a":1}', ("b",), 2, '{"a":1, "b":2}'),
        ('{"a":1,"b":2}', ("c",), 3, '{"a":1,"b":2,"c":3}'),
        ('{"a": {}}', ("a", "b"), 1, '{"a": {"b": 1}}'),
        ('{"a": 1, // x\n}', ("b",), 2, '{"a": 1, // x\n    "b": 2,\n}'),
        ('{\n  "a": 1 }', ("b",), 2, '{\n  "a": 1,\n  "b": 2 }'),
        ('{\n  "a": 1 // x\n  , "b": 2\n}', ("c",), 3, '{\n  "a": 1 // x\n  , "b": 2, "c": 3\n}'),
        ("[1]", (), {"a": 1}, '{\n    "a": 1\n}'),
        ("[]", (0,), 1, "[\n    1\n]"),
        ("\ufeff[true]", (0,), 1, "\ufeff[1]"),
        ("[1, 2, 3]", (), [3, 1, 2], "[\n    3,\n    1,\n    2\n]"),
    ],
)
def test_styles(text: str, path: Any, value: Any, expected: str) -> None:
    assert parse(text).set(path, value).text == expected


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ('{"a": 1, "b": 2}', ("a",), '{"b": 2}'),
        ('{"a": 1, "b": 2}', ("b",), '{"a": 1}'),
        ('{"a": 1, /* b */ "b": 2}', ("b",), '{"a": 1 /* b */}'),
        ('{"a": 1, "b": 2,}', ("b",), '{"a": 1,}'),
        ('{ "a": 1 }', ("a",), "{}"),
        ('{\n  "a": 1 // x\n}', ("a",), "{}"),
        ('{\n  "a": 1\n  // x\n}', ("a",), "{\n  // x\n}"),
        ('{"a": 1,\n "b": 2}', ("b",), '{"a": 1}'),
        ('{"a": 1, // x\n "b": 2}', ("b",), '{"a": 1 // x\n}'),
        ("[1, 2, // x\n 3]", (1,), "[1, // x\n 3]"),
        ("[1, 2,\n 3]", (1,), "[1,\n 3]"),
        ("[\n  1 // x\n  , 2\n]", (0,), "[\n   // x\n   2\n]"),
    ],
)
def test_removals(text: str, path: Any, expected: str) -> None:
    edited = parse(text).remove(path)
    assert edited.text == expected


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ('{"a": 1, "b": 2}', ("a",), '{"b": 2}'),
        ('{\n  "a": 1, // x\n  "b": 2\n}', ("a",), '{\n  "b": 2\n}'),
        ('{\n  "a": 1, // x\n  "b": 2 // y\n}', ("b",), '{\n  "a": 1 // x\n}'),
        ('{\n\t"a": 1 // x\n}', ("a",), "{}"),
        ('{\n\t// x\n\t"a": 1\n}', ("a",), "{\n\t// x\n}"),
        ('{\n  "a": {\n    // x\n    "b": 1\n  }\n}', ("a", "b"), '{\n  "a": {\n    // x\n  }\n}'),
        (
            '{\n  "a": [\n    // v\n    1, // x\n    2 /* y */\n  ], // z\n  "b": 2\n}',
            ("a",),
            '{\n  // v\n  "b": 2\n}',
        ),
        ('{"a": {"b": 1 /* x */}, "c": 2}', ("a",), '{/* x */ "c": 2}'),
        ('{"a": 1, "b": [2 /* x */]}', ("b",), '{"a": 1 /* x */}'),
        ('{"a": [ 1 /* x */ ]}', ("a", 0), '{"a": [ /* x */ ]}'),
        ('{"a": 1, "b": [ // x\n  2]}', ("b",), '{"a": 1}'),
        ('{\n  "a": 1,\n\n  "b": 2,\n\n  "c": 3\n}', ("b",), '{\n  "a": 1,\n\n  "c": 3\n}'),
        ('{\n  "a": 1,\n\n  "b": 2\n\n}', ("b",), '{\n  "a": 1\n\n}'),
        ('{\n  "a": 1,\n  "b": 2,\n\n  "c": 3\n}', ("b",), '{\n  "a": 1,\n\n  "c": 3\n}'),
        ('["https://a", "//b", /* x */ "c"]', (1,), '["https://a", /* x */ "c"]'),
        ('[\n  "--gpus", "all", // x\n  "c"\n]', (1,), '[\n  "--gpus", // x\n  "c"\n]'),
    ],
)
def test_removals_but_for_comments(newline: str, text: str, path: Any, expected: str) -> None:
    edited = parse(text.replace("\n", newline)).remove_but_comments(path)
    assert edited.text == expected.replace("\n", newline)


@pytest.mark.parametrize(
    ("edit", "message", "position"),
    [
        (("set", ("a", "b"), 1), "a is not a table", (1, 7)),
        (("set", ("a", 0), 1), "a is not an array", (1, 7)),
        (("set", ("l", "b"), 1), r"there is no l\.b", (1, 15)),
        (("set", ("l", 2), 1), r"there is no l\[2\]", (1, 15)),
        (("set", ("new", 0), 1), "no array", None),
        (("set", ("a",), float("nan")), "not a JSON value", None),
        (("set", ("a",), {1, 2}), "not a JSON value", None),
        (("append", ("a",), 1), "a is not an array", (1, 7)),
        (("remove", ()), "can't be removed", None),
        (("rename", ("b",), "c"), "there is no key b", None),
        (("rename", ("l", 0), "c"), "there is no key", None),
        (("rename", ("a",), "l"), "l exists already", (1, 10)),
    ],
    ids=str,
)
def test_impossible_edits(edit: Any, message: str, position: tuple[int, int] | None) -> None:
    check_refusal(parse('{"a": 1, "l": [0]}'), edit, message, position)


def test_absent_paths() -> None:
    document = parse('{"a": [1]}')
    for path in (("b",), ("a", 1), ("a", -1), ("a", "x"), ("a", 0, "x")):
        assert document.get(path, "default") == "default"
        assert document.remove(path) is document
        assert document.position(path) is None
        assert document.value_position(path) is None
