"""Reads single members of a remote wheel by ranges.

A TensorFlow wheel is half a gigabyte, its zip directory two or three megabytes, and the needed
members are a few kilobytes. The directory is read from both ends, where their entries usually are
(auditwheel moves some to the front), and further inward only while one is missing: for half of the
wheels the last 40 kB are enough.
"""

from __future__ import annotations

import enum
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from poetry_tf.http.errors import ReadError
from poetry_tf.http.ranges import RemoteFile
from poetry_tf.releases.runpath import find_runpath

TAIL: Final = 40 * 1024
"""Bytes of the first read, from the end of the file. It covers a whole shim, and in a wheel with
sorted members the entries of `tensorflow/python/platform`: at most 35 kB from the end so far."""

SMALL_TAIL: Final = 16 * 1024
"""The same for a companion's wheel; mostly it covers the whole directory."""

HEAD: Final = 136 * 1024
MORE: Final = 96 * 1024
"""Bytes of the next two reads, from the start of the directory and again from its end. auditwheel
orders members arbitrarily, mostly METADATA first and `build_info.py` near one of the ends."""

STEP: Final = 256 * 1024
"""Bytes of the first read from the middle of the directory; each further one is twice as long."""

_END: Final = b"PK\x05\x06"
_ENTRY: Final = b"PK\x01\x02"
_LOCAL: Final = b"PK\x03\x04"
_END_SIZE: Final = 22
_ENTRY_SIZE: Final = 46
_LOCAL_SIZE: Final = 30
_STORED: Final = 0
_DEFLATED: Final = 8
_MEMBER_LIMIT: Final = 4 * 1024 * 1024

_RUNPATH_STEP: Final = 1024 * 1024
_RUNPATH_LIMIT: Final = 64 * 1024 * 1024
"""Compressed bytes searched for a RUNPATH: in 2.14 to 2.21 it is in the first 2 to 4 MB."""


class Member(enum.Enum):
    """The members that are read; the value is a regular expression for their paths."""

    METADATA = r"[^/]+\.dist-info/METADATA"
    BUILD_INFO = r"tensorflow(_core)?/python/platform/build_info\.py"
    CUDA_CONFIG = r"tensorflow(_core)?/include/.*/cuda/cuda_config\.h"
    # NVIDIA's header. 2.14 also has a `tsl/cuda/cudnn_version.h`, which defines no version.
    CUDNN_VERSION = r"tensorflow(_core)?/include/.*cudnn/include/cudnn_version\.h"
    # TensorFlow Probability: the minimum TensorFlow, checked when it is imported.
    PROBABILITY = r"tensorflow_probability/python/__init__\.py"
    PROBABILITY_OLD = r"tensorflow_probability/__init__\.py"
    # The library that opens the CUDA libraries; hundreds of megabytes, so only its start is read.
    FRAMEWORK = r"tensorflow/libtensorflow_framework\.so\.2"


_ENDINGS: Final = (
    *("/METADATA", "/build_info.py", "/cuda_config.h", "/cudnn_version.h"),
    *("tensorflow_probability/python/__init__.py", "tensorflow_probability/__init__.py"),
    "/libtensorflow_framework.so.2",
)
"""The ends of the members' paths: much faster to compare than the patterns."""


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    method: int
    flags: int
    crc: int
    size: int  # compressed, bytes
    offset: int


class RemoteWheel:
    """The members of one wheel, each read on demand."""

    def __init__(self, file: RemoteFile, tail: int = TAIL) -> None:
        """Reads the last `tail` bytes of the wheel.

        Raises:
            ReadError: the file could not be read, or is not a valid zip archive.
        """
        self._file = file
        self._tail = tail
        self._found: dict[Member, _Entry] = {}
        self._is_shim = True  # as far as the directory has been read
        self._pieces = self._read_directory()

    def is_shim(self) -> bool:
        """Whether the wheel contains nothing but its metadata. Raises `ReadError`."""
        while self._is_shim and self._read_entries():
            pass
        return self._is_shim

    def text(self, member: Member) -> str | None:
        """The text of a member; None if the wheel has no such member.

        To return None, the whole directory is read: a few megabytes.

        Raises:
            ReadError: the file could not be read, or is not a valid zip archive.
        """
        while member not in self._found:
            if not self._read_entries():
                return None
        return self._extract(self._found[member])

    def paths(self) -> tuple[str, ...]:
        """The paths of all members, in a wheel that was just opened. Raises `ReadError`."""
        return tuple(entry.name for piece in self._pieces for entry in piece)

    def runpath(self) -> str | None:
        """The RUNPATH of the library that opens the CUDA libraries.

        It is in the string table near the start of the library, so only the start is read. None if
        the wheel has no such library, or the part that is read has no RUNPATH. Raises `ReadError`.
        """
        while Member.FRAMEWORK not in self._found:
            if not self._read_entries():
                return None
        return find_runpath(self._read_start(self._found[Member.FRAMEWORK]))

    def _read_start(self, entry: _Entry) -> Iterator[bytes]:
        """The content of a compressed member from its start, in pieces."""
        header = self._read(entry.offset, _LOCAL_SIZE)
        if header[:4] != _LOCAL or entry.method != _DEFLATED:
            raise ReadError(f"{entry.name} is packed in an unknown way")
        position = entry.offset + _LOCAL_SIZE + sum(struct.unpack_from("<HH", header, 26))
        end = position + min(entry.size, _RUNPATH_LIMIT)
        machine = zlib.decompressobj(-15)
        while position < end:
            length = min(_RUNPATH_STEP, end - position)
            packed = self._read(position, length)
            position += length
            while packed:
                try:  # bounded, as in `_inflate`
                    content = machine.decompress(packed, _MEMBER_LIMIT)
                except zlib.error as error:
                    raise ReadError(f"{entry.name} is damaged ({error})") from error
                yield content
                packed = machine.unconsumed_tail

    def _read_entries(self) -> bool:
        """Reads the next piece of the directory; false if there is none left."""
        piece = next(self._pieces, None)
        if piece is None:
            return False
        for entry in piece:
            self._is_shim = self._is_shim and ".dist-info/" in entry.name
            if entry.name.endswith(_ENDINGS):
                for member in Member:
                    if member not in self._found and re.fullmatch(member.value, entry.name):
                        self._found[member] = entry
        return True

    def _read_directory(self) -> Iterator[list[_Entry]]:
        """The zip directory in pieces: the end, the start, the end again, then inward."""
        tail, size = self._file.tail(self._tail)
        end = tail.rfind(_END)
        if end < 0 or len(tail) - end < _END_SIZE:
            raise ReadError("it is not a zip archive: its end is missing")
        length, start = struct.unpack_from("<II", tail, end + 12)
        origin = size - len(tail)  # offset of the tail in the file
        if 0xFFFFFFFF in (length, start) or start + length != origin + end:
            raise ReadError("its zip directory is not where its end says (or is a ZIP64)")
        if start >= origin:
            yield _entries(tail[start - origin : end])
            return
        first = _first_entry(tail[:end])
        yield _entries(tail[first:end])

        position, limit, rest = start, origin + first, b""  # between them is not read yet
        for step in _steps():
            if position >= limit:
                return
            # Read a small rest along with the last step, instead of by another request.
            length = limit - position if limit - position < abs(step) * 1.5 else abs(step)
            if step < 0 and length < limit - position:
                piece = self._read(limit - length, length)
                first = _first_entry(piece)
                yield _entries(piece[first:])
                limit -= length - first
                continue
            rest += self._read(position, length)
            position += length
            whole = _whole_entries(rest) if position < limit else len(rest)
            yield _entries(rest[:whole])
            rest = rest[whole:]

    def _extract(self, entry: _Entry) -> str:
        if entry.size > _MEMBER_LIMIT:
            raise ReadError(f"{entry.name} is too large to be what it should be")
        # The extra field of a local header may be longer than that of the directory: 64 bytes more
        # save a second request. The directory follows, so the file has these bytes.
        header = _LOCAL_SIZE + len(entry.name.encode())
        data = self._file.read(entry.offset, header + 64 + entry.size)
        if data[:4] != _LOCAL or len(data) < _LOCAL_SIZE:
            raise ReadError(f"{entry.name} is not where the zip directory says")
        begin = _LOCAL_SIZE + sum(struct.unpack_from("<HH", data, 26))
        if len(data) < begin + entry.size:
            data += self._read(entry.offset + len(data), begin + entry.size - len(data))
        packed = data[begin : begin + entry.size]
        if entry.flags & 1 or entry.method not in (_STORED, _DEFLATED):
            raise ReadError(f"{entry.name} is packed in an unknown way")
        try:
            content = _inflate(packed) if entry.method == _DEFLATED else packed
            if zlib.crc32(content) != entry.crc:
                raise ReadError(f"{entry.name} is damaged")
            return content.decode("utf-8")
        except (zlib.error, UnicodeDecodeError) as error:
            raise ReadError(f"{entry.name} is damaged ({error})") from error

    def _read(self, start: int, length: int) -> bytes:
        data = self._file.read(start, length)
        if len(data) != length:
            raise ReadError("it ends too early")
        return data


def _steps() -> Iterator[int]:
    """The bytes of each further read: from the front, or, if negative, from the back."""
    yield HEAD
    yield -MORE
    step = STEP
    while True:
        yield step
        step *= 2


def _inflate(packed: bytes) -> bytes:
    # Bounded, so that a small malicious member cannot exhaust the memory.
    machine = zlib.decompressobj(-15)
    content = machine.decompress(packed, _MEMBER_LIMIT)
    if not machine.eof:
        raise zlib.error("incomplete or too large")
    return content


def _entry_length(data: bytes, at: int) -> int:
    """The length of the directory entry at an offset; 0 if there is no whole header."""
    if data[at : at + 4] != _ENTRY or len(data) - at < _ENTRY_SIZE:
        return 0
    name, extra, comment = struct.unpack_from("<HHH", data, at + 28)
    return _ENTRY_SIZE + int(name) + int(extra) + int(comment)


def _whole_entries(data: bytes) -> int:
    """The length of the whole entries at the start of `data`."""
    at = 0
    while (length := _entry_length(data, at)) and at + length <= len(data):
        at += length
    return at


def _first_entry(data: bytes) -> int:
    """The offset of the first whole entry in the end of a directory, cut at any byte.

    The bytes of the signature may also occur inside an entry, so a match counts only if whole
    entries follow it up to the end.
    """
    at = data.find(_ENTRY)
    while at >= 0:
        if at + _whole_entries(data[at:]) == len(data):
            return at
        at = data.find(_ENTRY, at + 1)
    raise ReadError("its zip directory is malformed")


def _entries(data: bytes) -> list[_Entry]:
    if _whole_entries(data) != len(data):
        raise ReadError("its zip directory is malformed")
    found, at = [], 0
    while at < len(data):
        flags, method = struct.unpack_from("<HH", data, at + 8)
        crc, size = struct.unpack_from("<II", data, at + 16)
        name_length = struct.unpack_from("<H", data, at + 28)[0]
        offset = struct.unpack_from("<I", data, at + 42)[0]
        name = data[at + _ENTRY_SIZE : at + _ENTRY_SIZE + name_length].decode("utf-8", "replace")
        found.append(_Entry(name, method, flags, crc, size, offset))
        at += _entry_length(data, at)
    return found
