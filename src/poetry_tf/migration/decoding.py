"""The text of a list, out of whatever bytes an editor or a shell made of it."""

from __future__ import annotations

import codecs
import re
from contextlib import suppress
from pathlib import Path

from poetry_tf.files.errors import ProjectError
from poetry_tf.files.positions import Position

LIMIT = 4 * 1024 * 1024
"""Bytes; an export of a thousand packages has fifty thousand."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")

# PowerShell's `>` writes UTF-16 with such a mark.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16's, with which it begins
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def read_list_file(path: Path) -> bytes:
    """The bytes of a file; raises `ProjectError` where they can't be had."""
    try:
        if path.is_dir():
            raise ProjectError(path, "is a folder: name the file in it")
        if path.stat().st_size > LIMIT:
            raise ProjectError(path, _too_large())
        return path.read_bytes()
    except FileNotFoundError:
        raise ProjectError(path, "there is no such file") from None
    except (OSError, ValueError) as error:  # a name that no file can have
        reason = getattr(error, "strerror", None) or error
        raise ProjectError(path, f"cannot be read: {reason}") from None


def decode_list(data: bytes, path: Path) -> str:
    """The text, with line feeds alone; raises `ProjectError` for what is no text."""
    if len(data) > LIMIT:
        raise ProjectError(path, _too_large())
    mark, encoding = next((item for item in _MARKS if data.startswith(item[0])), (b"", "utf-8"))
    data = data[len(mark) :]
    text = _in_chinese(data) if encoding == "utf-8" else None
    try:
        text = text or data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        message = (
            f"byte {data[error.start]:#04x} is not UTF-8: save the file as UTF-8, and give the "
            "list itself, not an archive of the environment"
        )
        raise ProjectError(path, message, Position(line, 1)) from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise ProjectError(path, "holds a zero byte, so it is no text", Position(line, 1))
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise ProjectError(path, "is empty")
    return text


def _in_chinese(data: bytes) -> str | None:
    """A text that is no UTF-8 but GBK, in which Chinese Windows saves; None for any other."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        with suppress(UnicodeDecodeError):
            text = data.decode("gb18030")
            # An archive, too, may happen to be valid.
            return None if _CONTROL.search(text) else text
    return None


def _too_large() -> str:
    return f"has more than {LIMIT // 1024 // 1024} MiB, so it is no list of packages"
