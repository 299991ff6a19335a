"""The running poetry-tf as a wheel, wherever it was installed from.

It may come from a checkout, from Git or from a file, and the name on an index may be anybody's. So
no index is asked for it: the wheel is made of the installed files.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from packaging.specifiers import SpecifierSet

import poetry_tf

NAME = "poetry-tf"
_TAG = "py3-none-any"
_WHEEL = f"Wheel-Version: 1.0\nGenerator: poetry-tf\nRoot-Is-Purelib: true\nTag: {_TAG}\n"
_LICENSES = "licenses/"


def packed_requirements() -> list[str]:
    """What the running poetry-tf requires."""
    return [line for line in metadata.requires(NAME) or () if "extra ==" not in line]


def runs_on(python: str) -> bool:
    """Whether the running poetry-tf runs on a Python minor such as "3.11"."""
    required = metadata.metadata(NAME)["Requires-Python"] or ""
    return SpecifierSet(required).contains(f"{python}.99")


def pack() -> tuple[str, bytes]:
    """The file name of the wheel, and its content: always the same for the same files."""
    distribution = metadata.distribution(NAME)
    stem = f"poetry_tf-{distribution.version}"
    members = {**dict(_modules()), **dict(_metadata(distribution, f"{stem}.dist-info"))}
    record = f"{stem}.dist-info/RECORD"
    lines = [f"{name},sha256={_digest(body)},{len(body)}" for name, body in members.items()]
    members[record] = "\n".join([*lines, f"{record},,", ""]).encode()
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            entry = ZipInfo(name)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, ZIP_DEFLATED)
    return f"{stem}-{_TAG}.whl", buffer.getvalue()


def _modules() -> Iterator[tuple[str, bytes]]:
    root = Path(poetry_tf.__file__).parent
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(root.parent).as_posix(), path.read_bytes()


def _metadata(distribution: metadata.Distribution, folder: str) -> Iterator[tuple[str, bytes]]:
    for name in ("METADATA", "entry_points.txt"):
        if (text := distribution.read_text(name)) is not None:
            yield f"{folder}/{name}", text.encode()
    for file in sorted(map(str, distribution.files or ())):
        _, found, name = file.replace("\\", "/").partition(f".dist-info/{_LICENSES}")
        if found and (text := distribution.read_text(f"{_LICENSES}{name}")) is not None:
            yield f"{folder}/{_LICENSES}{name}", text.encode()
    yield f"{folder}/WHEEL", _WHEEL.encode()


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
