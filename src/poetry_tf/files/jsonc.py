"""JSON with comments and trailing commas, as in devcontainer.json: read strictly, edited in place.

The grammar is that of JSON with `//` and `/* */` comments, one trailing comma before a closing
bracket, and a byte order mark at the start. Of equal keys the last wins, as in `JSON.parse`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NoReturn

from poetry_tf.files.brackets import cut_below, put_below, rename_below
from poetry_tf.files.documents import MAX_DEPTH, Document, DocumentError
from poetry_tf.files.places import Entry, Root, Value
from poetry_tf.files.positions import (
    BOM,
    indent_at,
    line_start,
    newline_of,
    next_line,
    position_at,
    spliced,
    starts_line,
)
from poetry_tf.files.values import ABSENT, KeyPath, with_key, with_value, without

if TYPE_CHECKING:
    from typing_extensions import Self

_TRIVIA: Final = re.compile(r"(?:[ \t\r\n]+|//[^\r\n]*|/\*[\s\S]*?\*/)*")
_STRING: Final = re.compile(
    r'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*'
)
_STRING_OR_COMMENT: Final = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\r\n]*|/\*[\s\S]*?\*/')
_BLANK_LINE: Final = re.compile(r"\n[ \t]*\r?\n\Z")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_LITERALS: Final = {"true": True, "false": False, "null": None}
_LITERAL: Final = re.compile("|".join(_LITERALS))
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_DEFAULT_INDENT: Final = "    "


@dataclass(frozen=True)
class JsoncDocument(Document):
    """A JSONC text, its data and the places of its values.

    Indentation and line endings of what is added follow the file; an object or array that stands
    on one line stays there.
    """

    tree: Value = field(repr=False, compare=False)

    TRAIL = re.compile(r"(?:[ \t]*/\*[^\r\n]*?\*/)*(?:[ \t]*//[^\r\n]*)?")
    SEPARATOR = ": "
    CLOSING_COMMA = ""
    SPREADS = True

    @classmethod
    def parse(cls, text: str) -> Self:
        data, tree = _Parser(text).document()
        return cls(text, data, tree)

    @property
    def before(self) -> str:
        """What stands before the value: comments, blank lines."""
        return self.text[: self.tree.start].removeprefix(BOM)

    def with_before(self, before: str) -> str:
        """The text with something else before the value."""
        mark = BOM if self.text.startswith(BOM) else ""
        return f"{mark}{before}{self.text[self.tree.start :]}"

    def _locate(self, path: KeyPath) -> tuple[int, Value | None] | None:
        return self.tree.locate(path)

    def _put(self, path: KeyPath, value: Any) -> Self:
        splices = put_below(self, Root((), self.tree), path, value)
        return self._edited(splices, with_value(self.data, path, value))

    def remove_but_comments(self, path: KeyPath) -> Self:
        """As `remove`, but comments that have lines of their own stay, and no second blank line.

        One that ends a line goes with it.
        """
        return self if self.get(path, ABSENT) is ABSENT else self._cut(path, keeps_comments=True)

    def _cut(self, path: KeyPath, *, keeps_comments: bool = False) -> Self:
        document = self
        # There may be more members of the same key, of which the last wins.
        while document.get(path, ABSENT) is not ABSENT:
            splices = cut_below(document, Root((), document.tree), path)
            if keeps_comments:
                splices = [
                    (start, document._blank_end(start, end), new)
                    if new or (comments := document._comments_within(start, end)) == ""
                    else (start, end, comments)
                    for start, end, new in splices
                ]
            document = document.parse(spliced(document.text, splices))
            if isinstance(path[-1], int):
                break
        return document._verified(without(self.data, path))

    def _blank_end(self, start: int, end: int) -> int:
        """The end of a removal, with a blank line after it if there is one before it as well."""
        text = self.text
        is_lines = start == line_start(text, start) and end == line_start(text, end)
        after = next_line(text, end)
        is_blank = not text[end:after].strip() and after < len(text)
        return after if is_lines and is_blank and _BLANK_LINE.search(text[:start]) else end

    def _comments_within(self, start: int, end: int) -> str:
        """The comments in a stretch of text that stay when it goes, laid out as the stretch is."""
        text, newline = self.text, newline_of(self.text)
        is_one_line = not text[start:end].splitlines()[1:] and end != line_start(text, end)
        comments = [
            match[0]
            for match in _STRING_OR_COMMENT.finditer(text, start, end)
            if match[0][0] == "/" and (is_one_line or starts_line(text, match.start()))
        ]
        if not comments:
            return ""
        outer = indent_at(text, start)
        if start == line_start(text, start) and end == line_start(text, end):
            return "".join(f"{outer}{comment}{newline}" for comment in comments)
        if not is_one_line:
            inner = outer + self.indent_unit()
            lines = "".join(f"{newline}{inner}{comment}" for comment in comments)
            return f"{lines}{newline}{outer}"
        before = "" if text[start - 1] in " \t[{" else " "
        after = "" if text[end] in " \t\r\n,]}" else " "
        return before + " ".join(comments) + after

    def _rename(self, path: KeyPath, new_key: str) -> Self:
        splices = rename_below(self, Root((), self.tree), path, new_key)
        document = self.parse(spliced(self.text, splices)).remove(path)
        return document._verified(with_key(self.data, path, new_key))

    def render(self, value: Any, indent: str | None, old: str = "") -> str:  # noqa: ARG002
        unit = None if indent is None else self.indent_unit()
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=unit)
        except (TypeError, ValueError, RecursionError) as error:
            raise DocumentError(f"not a JSON value: {error}") from error
        # Half a surrogate pair is a string in JSON, but only an escape can be encoded as UTF-8.
        text = _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
        return text.replace("\n", newline_of(self.text) + (indent or ""))

    def render_key(self, key: str) -> str:
        return self.render(key, None)

    def indent_unit(self) -> str:
        boxes = [self.tree, *(entry.value for entry in self.tree.walk())]
        for box in boxes:
            outer = indent_at(self.text, box.start)
            for entry in box.entries:
                inner = indent_at(self.text, entry.start)
                if (
                    starts_line(self.text, entry.start)
                    and inner != outer
                    and inner.startswith(outer)
                ):
                    return inner.removeprefix(outer)
        return _DEFAULT_INDENT


class _Parser:
    """A recursive descent parser that returns the data and the places together."""

    def __init__(self, text: str) -> None:
        self.text = text

    def document(self) -> tuple[Any, Value]:
        start = self.after_trivia(len(BOM) if self.text.startswith(BOM) else 0)
        if start == len(self.text):
            self.fail("the file has no value", start)
        data, value = self.value(start, 0)
        end = self.after_trivia(value.end)
        if end != len(self.text):
            self.unexpected("the end of the file", end)
        return data, value

    def value(self, at: int, depth: int) -> tuple[Any, Value]:
        match self.text[at : at + 1]:
            case "{":
                return self.table(at, depth + 1)
            case "[":
                return self.array(at, depth + 1)
            case '"':
                end = self.string_end(at)
                return self.string(at, end), Value(at, end)
        if match := _LITERAL.match(self.text, at):
            return _LITERALS[match[0]], Value(at, match.end())
        if match := _NUMBER.match(self.text, at):
            return self.number(match), Value(at, match.end())
        self.unexpected("a value", at)

    def table(self, start: int, depth: int) -> tuple[dict[str, Any], Value]:
        data = {}
        entries = []
        at = self.entry(start, "}", depth)
        while self.text[at] != "}":
            if self.text[at] != '"':
                self.unexpected("a key in double quotes", at)
            key_end = self.string_end(at)
            key = self.string(at, key_end)
            colon = self.after_trivia(key_end)
            if self.text[colon : colon + 1] != ":":
                self.unexpected("a colon", colon)
            data[key], value = self.value(self.after_trivia(colon + 1), depth)
            comma, after = self.comma(start, value.end, "}")
            entries.append(Entry((key,), ((at, key_end),), value, comma))
            at = after
        return data, Value(start, at + 1, "table", tuple(entries))

    def array(self, start: int, depth: int) -> tuple[list[Any], Value]:
        data = []
        entries = []
        at = self.entry(start, "]", depth)
        while self.text[at] != "]":
            element, value = self.value(at, depth)
            data.append(element)
            comma, at = self.comma(start, value.end, "]")
            entries.append(Entry((), (), value, comma))
        return data, Value(start, at + 1, "array", tuple(entries))

    def entry(self, start: int, closing: str, depth: int) -> int:
        """The offset of the first entry in brackets, or of their end."""
        if depth > MAX_DEPTH:
            self.fail("nested too deeply", start)
        at = self.after_trivia(start + 1)
        if at == len(self.text):
            self.fail(f"the bracket is never closed by {closing}", start)
        return at

    def comma(self, start: int, at: int, closing: str) -> tuple[int | None, int]:
        """The comma after an entry, if any, and the offset of the next entry or the end."""
        at = self.after_trivia(at)
        comma = None
        if self.text[at : at + 1] == ",":
            comma = at
            at = self.after_trivia(at + 1)
        elif at < len(self.text) and self.text[at] != closing:
            self.unexpected(f"a comma or {closing}", at)
        if at == len(self.text):
            self.fail(f"the bracket is never closed by {closing}", start)
        return comma, at

    def after_trivia(self, at: int) -> int:
        """The next offset that is neither in white space nor in a comment."""
        match = _TRIVIA.match(self.text, at)
        end = match.end() if match else at
        if self.text.startswith("/*", end):
            self.fail("the comment is never closed", end)
        return end

    def string_end(self, at: int) -> int:
        match = _STRING.match(self.text, at)
        end = match.end() if match else at
        match self.text[end : end + 1]:
            case '"':
                return end + 1
            case "" | "\r" | "\n":
                self.fail("the string is never closed", at)
            case "\\":
                self.fail("unknown escape in a string", end)
            case _:
                self.fail("a control character in a string must be escaped", end)

    def string(self, start: int, end: int) -> str:
        if "\\" not in self.text[start:end]:
            return self.text[start + 1 : end - 1]
        return str(json.loads(self.text[start:end]))

    def number(self, match: re.Match[str]) -> int | float:
        if match[1] or match[2]:
            return float(match[0])
        try:
            return int(match[0])
        except ValueError:  # Python limits the digits that it converts.
            self.fail("the number is too long", match.start())

    def unexpected(self, expected: str, at: int) -> NoReturn:
        found = repr(self.text[at]) if at < len(self.text) else "the end of the file"
        self.fail(f"expected {expected}, found {found}", at)

    def fail(self, message: str, at: int) -> NoReturn:
        raise DocumentError(message, position_at(self.text, at))
