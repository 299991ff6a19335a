"""Decoding a list of packages from any encoding that an editor or a shell writes."""

from __future__ import annotations

import codecs
import re
from contextlib import suppress
from pathlib import Path

from poetry_tf.files.errors import ProjectError
from poetry_tf.files.positions import Position
from poetry_tf.files.reading import MIB, read_file

MAX_BYTES = 4 * MIB
"""An export of 1,000 packages has about 50,000 bytes."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")

# PowerShell's `>` writes UTF-16 with a byte order mark.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16's, which it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def lists_beside(folder: Path) -> tuple[str, ...]:
    """The names of the package lists in a folder."""
    names = ("environment.yml", "environment.yaml", "requirements.txt")
    return tuple(name for name in names if (folder / name).is_file())


def read_list_file(path: Path) -> bytes:
    """The bytes of a file; raises `ProjectError` if it can't be read or is too large."""
    try:
        if path.is_dir():
            raise ProjectError(path, "is a folder: give the file in it")
        return read_file(path, MAX_BYTES)
    except FileNotFoundError:
        raise ProjectError(path, "the file does not exist") from None
    except (OSError, ValueError) as error:  # ValueError: not a valid file name
        reason = getattr(error, "strerror", None) or error
        raise ProjectError(path, f"cannot be read: {reason}") from None


def decode_list(data: bytes, path: Path) -> str:
    """The text with ``\n`` as line ends; raises `ProjectError` if it is not text."""
    if len(data) > MAX_BYTES:
        raise ProjectError(path, _size_message())
    mark, encoding = next((item for item in _MARKS if data.startswith(item[0])), (b"", "utf-8"))
    data = data[len(mark) :]
    text = _decode_gb18030(data) if encoding == "utf-8" else None
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
        raise ProjectError(path, "contains a zero byte, so it is not text", Position(line, 1))
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decode_gb18030(data: bytes) -> str | None:
    """The text if it is GBK, the encoding of Chinese Windows, and not UTF-8; else None."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        with suppress(UnicodeDecodeError):
            text = data.decode("gb18030")
            # An archive may happen to be valid, too.
            return None if _CONTROL.search(text) else text
    return None


def _size_message() -> str:
    return f"has more than {MAX_BYTES // MIB} MiB, so it is not a list of packages"
