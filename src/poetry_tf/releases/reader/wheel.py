"""Single members of a remote wheel, and what TensorFlow's tell about CUDA and cuDNN.

A TensorFlow wheel is half a gigabyte, its zip directory two or three megabytes, and the files that
matter are a few kilobytes. So the directory is read from both of its ends, where those files stand
(auditwheel moves some to the front), and further inward only while something is missing: half of
the wheels tell everything in their last 40 kB.

Nothing that a wheel contains is ever executed.
"""

from __future__ import annotations

import ast
import enum
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.parser import HeaderParser
from typing import Final, Protocol

from poetry_tf.http.errors import ReadError

TAIL: Final = 40 * 1024
"""Bytes read at first from a file's end: all of a shim; and of a wheel whose members stand in order
the part with `tensorflow/python/platform`, whose 35 kB from the end are the farthest so far."""

SMALL_TAIL: Final = 16 * 1024
"""The same for a companion's wheel, whose whole directory mostly fits in it."""

HEAD: Final = 136 * 1024
MORE: Final = 96 * 1024
"""Bytes of the next steps, from the directory's start and from its end again. auditwheel orders
members as it likes, mostly METADATA first and `build_info.py` not far from one of the ends."""

STEP: Final = 256 * 1024
"""Bytes of the first step into the directory's middle; each further step is twice as long."""

_END: Final = b"PK\x05\x06"
_ENTRY: Final = b"PK\x01\x02"
_LOCAL: Final = b"PK\x03\x04"
_END_SIZE: Final = 22
_ENTRY_SIZE: Final = 46
_LOCAL_SIZE: Final = 30
_ORIGIN: Final = b"$ORIGIN/"
_STORED: Final = 0
_DEFLATED: Final = 8
_MEMBER_LIMIT: Final = 4 * 1024 * 1024

_RUNPATH_STEP: Final = 1024 * 1024
_RUNPATH_LIMIT: Final = 64 * 1024 * 1024
"""Packed bytes in which a RUNPATH is looked for: in 2.14 to 2.21 it lies in the first 2 to 4 MB."""


class Ranged(Protocol):
    """What a zip archive is read from; `poetry_tf.http.ranges.RemoteFile` is one."""

    def tail(self, length: int) -> tuple[bytes, int]:
        """The last bytes and the whole size."""

    def read(self, start: int, length: int) -> bytes:
        """Bytes from a place on."""


class Member(enum.Enum):
    """The files of a TensorFlow wheel that are worth reading; the value matches their paths."""

    METADATA = r"[^/]+\.dist-info/METADATA"
    BUILD_INFO = r"tensorflow(_core)?/python/platform/build_info\.py"
    CUDA_CONFIG = r"tensorflow(_core)?/include/.*/cuda/cuda_config\.h"
    # NVIDIA's header. 2.14 also has a `tsl/cuda/cudnn_version.h`, which defines no version.
    CUDNN_VERSION = r"tensorflow(_core)?/include/.*cudnn/include/cudnn_version\.h"
    # TensorFlow Probability's: which TensorFlow it demands when it is imported.
    PROBABILITY = r"tensorflow_probability/python/__init__\.py"
    PROBABILITY_OLD = r"tensorflow_probability/__init__\.py"
    # The library that opens those of CUDA; hundreds of megabytes, so only its start is read.
    FRAMEWORK = r"tensorflow/libtensorflow_framework\.so\.2"


_ENDINGS: Final = (
    *("/METADATA", "/build_info.py", "/cuda_config.h", "/cudnn_version.h"),
    *("tensorflow_probability/python/__init__.py", "tensorflow_probability/__init__.py"),
    "/libtensorflow_framework.so.2",
)
"""What the members' paths end in, which is much cheaper to see than a pattern."""


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    method: int
    flags: int
    crc: int
    size: int  # compressed, bytes
    offset: int


class RemoteWheel:
    """The wanted members of one wheel, each read when it is asked for."""

    def __init__(self, file: Ranged, tail: int = TAIL) -> None:
        """Reads the wheel's end, `tail` bytes of it.

        Raises:
            ReadError: the file can't be read, or isn't a sound zip archive.
        """
        self._file = file
        self._tail = tail
        self._found: dict[Member, _Entry] = {}
        self._hollow = True  # as far as the directory has been read
        self._pieces = self._read_directory()

    def is_shim(self) -> bool:
        """Whether it holds nothing but its own metadata.

        Raises:
            ReadError: as for `text`.
        """
        while self._hollow and self._next():
            pass
        return self._hollow

    def text(self, member: Member) -> str | None:
        """The text of a member; None where the wheel has none such.

        To be sure that it has none takes the whole directory, a few megabytes.

        Raises:
            ReadError: the file can't be read, or isn't a sound zip archive.
        """
        while member not in self._found:
            if not self._next():
                return None
        return self._extract(self._found[member])

    def runpath(self) -> str | None:
        """The RUNPATH of the library that opens those of CUDA: where the loader then looks.

        It stands among the names that the library is linked by, which lie near its start, so that
        it is unpacked as far as that and no further. None where the wheel has no such library, or
        no such path in what is read of it.

        Raises:
            ReadError: as for `text`.
        """
        while Member.FRAMEWORK not in self._found:
            if not self._next():
                return None
        rest = b""
        for content in self._beginning(self._found[Member.FRAMEWORK]):
            whole, end, rest = (rest + content).rpartition(b"\0")
            at = whole.find(_ORIGIN) if end else -1
            if at >= 0:
                first = whole.rfind(b"\0", 0, at) + 1
                return whole[first:].partition(b"\0")[0].decode("utf-8", "replace")
        return None

    def _beginning(self, entry: _Entry) -> Iterator[bytes]:
        """A packed member's content from its start on, a piece at a time."""
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

    def _next(self) -> bool:
        """Looks through the next piece of the directory; false where there is none any more."""
        piece = next(self._pieces, None)
        if piece is None:
            return False
        for entry in piece:
            self._hollow = self._hollow and ".dist-info/" in entry.name
            if entry.name.endswith(_ENDINGS):
                for wanted in Member:
                    if wanted not in self._found and re.fullmatch(wanted.value, entry.name):
                        self._found[wanted] = entry
        return True

    def _read_directory(self) -> Iterator[list[_Entry]]:
        """The zip directory in pieces: its end, its start, its end again, then inward."""
        tail, size = self._file.tail(self._tail)
        end = tail.rfind(_END)
        if end < 0 or len(tail) - end < _END_SIZE:
            raise ReadError("it is no zip archive: its end is missing")
        length, start = struct.unpack_from("<II", tail, end + 12)
        origin = size - len(tail)  # where in the file the tail begins
        if 0xFFFFFFFF in (length, start) or start + length != origin + end:
            raise ReadError("its zip directory is not where its end says (or is a ZIP64)")
        if start >= origin:
            yield _entries(tail[start - origin : end])
            return
        first = _first_entry(tail[:end])
        yield _entries(tail[first:end])

        position, limit, rest = start, origin + first, b""  # what lies between is yet to be read
        for step in _steps():
            if position >= limit:
                return
            # A last step that would leave a crumb for another request takes it along.
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
        # A local header's extra field may be longer than the directory's: some slack saves asking
        # twice. The directory lies behind every member, so that there are bytes enough.
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
    """How many bytes each further request is for: from the front, or negative from the back."""
    yield HEAD
    yield -MORE
    step = STEP
    while True:
        yield step
        step *= 2


def _inflate(packed: bytes) -> bytes:
    # Bounded, so that a small malicious member cannot fill the memory.
    machine = zlib.decompressobj(-15)
    content = machine.decompress(packed, _MEMBER_LIMIT)
    if not machine.eof:
        raise zlib.error("incomplete or too large")
    return content


def _entry_length(data: bytes, at: int) -> int:
    """The length of the directory entry at a place; 0 where there isn't a whole header."""
    if data[at : at + 4] != _ENTRY or len(data) - at < _ENTRY_SIZE:
        return 0
    name, extra, comment = struct.unpack_from("<HHH", data, at + 28)
    return _ENTRY_SIZE + int(name) + int(extra) + int(comment)


def _whole_entries(data: bytes) -> int:
    """How many bytes at the start of `data` are whole entries."""
    at = 0
    while (length := _entry_length(data, at)) and at + length <= len(data):
        at += length
    return at


def _first_entry(data: bytes) -> int:
    """Where the first whole entry starts in the end of a directory that was cut anywhere.

    The signature's bytes could stand inside an entry by chance, so that only a chain of entries
    which meets the end exactly counts.
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


def nvidia_folders(runpath: str) -> tuple[str, ...]:
    """The folders of NVIDIA's wheels that TensorFlow's RUNPATH names.

    `cublas` for `nvidia/cublas/lib` beside the package; the same from elsewhere leads nowhere.
    """
    places = (re.fullmatch(r"\$ORIGIN/\.\./nvidia/(\w+)/lib/?", one) for one in runpath.split(":"))
    return tuple(sorted({place[1] for place in places if place}))


@dataclass(frozen=True, slots=True)
class Build:
    """What a wheel tells about the CUDA and cuDNN it was built with.

    Attributes:
        cuda, cudnn, compute: as in `poetry_tf.releases.model.Wheels`.
        sources: "cuda" and "cudnn" to the name of the file that says so; only what is known.
    """

    cuda: str | None = None
    cudnn: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)
    compute: tuple[str, ...] = ()


class Texts(Protocol):
    """Where members' texts come from: a `RemoteWheel`, or a cache before one."""

    def text(self, member: Member) -> str | None:
        """The text of a member, or None."""


def build_of(wheel: Texts, *, header: bool = True) -> Build:
    """Reads CUDA and cuDNN out of a wheel, each from the most exact source that it has.

    `cudnn_version.h` is the header TensorFlow was compiled against; `cuda_config.h` is generated by
    its build; `build_info.py` is written from the same configuration, and is the only one of them
    that every wheel has. A CPU wheel says so in `build_info.py`, or has none of the headers.

    Args:
        wheel: where the texts come from.
        header: whether to look for `cudnn_version.h`. To find out that a wheel has none takes its
            whole directory, a megabyte or more.

    Raises:
        ReadError: a member can't be read, or two of them contradict each other.
    """
    text = wheel.text(Member.BUILD_INFO)
    info = build_info(text) if text is not None else {}
    if info.get("is_cuda_build") is False:
        return Build()
    sources: dict[str, str] = {}
    cuda, cudnn = dotted(info.get("cuda_version")), dotted(info.get("cudnn_version"))
    for key, value in (("cuda", cuda), ("cudnn", cudnn)):
        if value is not None:
            sources[key] = "build_info.py"

    text = wheel.text(Member.CUDNN_VERSION) if header else None
    exact = cudnn_version(text) if text is not None else None
    if exact is not None:
        if cudnn is not None and not _refines(exact, cudnn):
            raise ReadError(f"cudnn_version.h says {exact}, build_info.py {cudnn}")
        cudnn, sources["cudnn"] = exact, "cudnn_version.h"

    # A CUDA without a minor, as 2.2's "10" for 10.1, is no answer yet.
    if cuda is None or "." not in cuda or cudnn is None:
        text = wheel.text(Member.CUDA_CONFIG)
        config = cuda_config(text) if text is not None else {}
        value = config.get("cuda")
        if value is not None and (cuda is None or _refines(value, cuda)):
            cuda, sources["cuda"] = value, "cuda_config.h"
        value = config.get("cudnn")
        if value is not None and cudnn is None:
            cudnn, sources["cudnn"] = value, "cuda_config.h"
    return Build(cuda, cudnn, sources, compute_capabilities(info))


def _refines(exact: str, coarse: str) -> bool:
    return f"{exact}.".startswith(f"{coarse}.")


def dotted(value: object) -> str | None:
    """A version as TensorFlow's build writes it, with dots: `"64_112"` (Windows) is `"11.2"`.

    None for anything that is no version: empty, not text, or another notation.
    """
    if not isinstance(value, str):
        return None
    windows = re.fullmatch(r"64_(\d+)", value.strip())
    if windows:
        digits = windows[1]
        # CUDA's DLLs carry major and minor in three digits, cuDNN's its major alone in one.
        return f"{digits[:-1]}.{digits[-1]}" if len(digits) > 2 else digits
    return value.strip() if re.fullmatch(r"\d+(\.\d+)*", value.strip()) else None


def build_info(text: str) -> dict[str, object]:
    """The variables of a `build_info.py`, read without running it.

    They are plain assignments in 2.0 to 2.2, a dict in 2.3 and an OrderedDict since.

    Raises:
        ReadError: it is no Python.
    """
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ReadError("build_info.py is no Python") from error
    found: dict[str, object] = {}
    for statement in module.body:
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            continue
        target = statement.targets[0]
        if isinstance(target, ast.Name):
            value = _literal(statement.value)
            if target.id == "build_info":
                found |= _mapping(statement.value)
            elif isinstance(value, str | bool):
                found[target.id] = value
    return found


def _mapping(node: ast.expr) -> dict[str, object]:
    """A dict display, or a call with keywords or with one dict or list of pairs."""
    keywords: list[ast.keyword] = []
    if isinstance(node, ast.Call):
        keywords = node.keywords
        if len(node.args) != 1:
            return {key.arg: _literal(key.value) for key in keywords if key.arg}
        node = node.args[0]
    value = _literal(node)
    try:
        found = dict(value) if isinstance(value, dict | list | tuple) else {}
    except (TypeError, ValueError):
        found = {}
    return found | {key.arg: _literal(key.value) for key in keywords if key.arg}


def _literal(node: ast.expr) -> object:
    try:
        value: object = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None
    return value


def compute_capabilities(info: Mapping[str, object]) -> tuple[str, ...]:
    """The GPU architectures out of a `build_info.py`'s variables; empty where it names none."""
    value = info.get("cuda_compute_capabilities")
    names = value if isinstance(value, list | tuple) else ()
    return tuple(one for one in names if isinstance(one, str) and re.fullmatch(r"\w+", one))


def cudnn_version(text: str) -> str | None:
    """`"9.3.0"` out of NVIDIA's `cudnn_version.h`; None where it doesn't define all three parts."""
    parts = [
        re.search(rf"^\s*#\s*define\s+CUDNN_{part}\s+(\d+)\s*$", text, re.MULTILINE)
        for part in ("MAJOR", "MINOR", "PATCHLEVEL")
    ]
    numbers = [part[1] for part in parts if part is not None]
    return ".".join(numbers) if len(numbers) == len(parts) else None


def cuda_config(text: str) -> dict[str, str]:
    """`cuda` and `cudnn` out of TensorFlow's `cuda_config.h`, as far as it defines them."""
    found = {}
    for key, name in (("cuda", "TF_CUDA_VERSION"), ("cudnn", "TF_CUDNN_VERSION")):
        define = re.search(rf'^\s*#\s*define\s+{name}\s+"([^"]*)"', text, re.MULTILINE)
        value = dotted(define[1]) if define else None
        if value is not None:
            found[key] = value
    return found


def required_tensorflow(wheel: Texts) -> str | None:
    """The TensorFlow that a TensorFlow Probability demands at least, by its code; None without."""
    for member in (Member.PROBABILITY, Member.PROBABILITY_OLD):
        found = re.search(
            r"^\s*required_tensorflow_version\s*=\s*['\"](\d+(?:\.\d+)*)['\"]",
            wheel.text(member) or "",
            re.MULTILINE,
        )
        if found:
            return found[1]
    return None


def requires_dist(metadata: str) -> tuple[str, ...]:
    """Every Requires-Dist of a METADATA file, in its order and spelling.

    Raises:
        ReadError: it has no Name, so isn't metadata at all.
    """
    message = HeaderParser().parsestr(metadata)
    if message["Name"] is None:
        raise ReadError("METADATA has no Name")
    # A folded header keeps its line breaks; a requirement has none.
    return tuple(" ".join(str(value).split()) for value in message.get_all("Requires-Dist", ()))
