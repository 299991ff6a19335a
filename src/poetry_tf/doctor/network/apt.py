"""Packages in an apt repository: availability, and the size with their dependencies."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from poetry_tf.doctor.network.client import refused
from poetry_tf.http.client import Client
from poetry_tf.http.errors import BadResponse, ReadError, host_of

# Bytes of an index when unpacked; NVIDIA's is some tens of megabytes.
_LARGEST = 300_000_000
_FIELDS = {"Package", "Version", "Size", "Filename", "Depends"}


@dataclass(frozen=True)
class PackageRequest:
    """A package that is required: by its name alone, or with its version."""

    name: str
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name}={self.version}" if self.version else self.name


@dataclass(frozen=True)
class AptPackage:
    """A package in the index."""

    name: str
    version: str
    size: int = 0
    file: str = ""
    needs: tuple[str, ...] = field(default=(), repr=False)
    """The names of what it depends on; of several that would do, the first."""


@dataclass(frozen=True)
class AptAvailability:
    """What a repository has of the requested packages.

    Attributes:
        lacking: what it does not have, with what comes nearest; an empty text for nothing.
        size: the bytes of the packages and of all their dependencies from there.
        largest: the address of the largest of these files.
    """

    lacking: tuple[tuple[PackageRequest, str], ...]
    size: int
    files: int
    largest: str = ""


def check_packages(url: str, requests: Sequence[PackageRequest], client: Client) -> AptAvailability:
    """Reads the index of a flat repository. Raises `ReadError`."""
    packages = read_index(_index(url, client))
    found: dict[str, AptPackage] = {}
    lacking = []
    for request in requests:
        entry = _choose(packages.get(request.name, ()), request.version)
        if entry is None:
            lacking.append((request, nearest(request, packages)))
        else:
            found[request.name] = entry
    pending = [name for entry in found.values() for name in entry.needs]
    while pending:
        name = pending.pop()
        if name in found or (entry := _choose(packages.get(name, ()))) is None:
            continue  # it comes from the distribution
        found[name] = entry
        pending += entry.needs
    largest = max(found.values(), key=lambda entry: entry.size, default=None)
    return AptAvailability(
        tuple(lacking),
        sum(entry.size for entry in found.values()),
        len(found),
        f"{url}{largest.file.removeprefix('./')}" if largest and largest.file else "",
    )


def _index(url: str, client: Client) -> bytes:
    with client.get(f"{url}Packages.gz", {"Accept-Encoding": "identity"}) as response:
        if response.status_code != 200:
            if response.status_code in (404, 410):
                raise NoRepository(f"{host_of(url)} has no apt repository at {url} any more")
            raise refused(host_of(url), response.status_code)
        packed = client.body(response)
    unpacker = zlib.decompressobj(wbits=31)
    try:
        text = unpacker.decompress(packed, _LARGEST)
    except zlib.error:
        text = b""
    if not re.match(rb"\s*[A-Za-z-]+:", text):
        raise BadResponse("answers with something that is no list of packages", host=host_of(url))
    return text


class NoRepository(ReadError):
    """There is no repository at the address."""


def read_index(text: bytes) -> dict[str, list[AptPackage]]:
    """The packages of an index by name. What is malformed is left out."""
    packages: dict[str, list[AptPackage]] = {}
    for fields in _stanzas(text.decode("utf-8", errors="replace")):
        name, version, size = (fields.get(key, "") for key in ("Package", "Version", "Size"))
        if name and version:
            packages.setdefault(name, []).append(
                AptPackage(
                    name,
                    version,
                    int(size) if re.fullmatch(r"[0-9]{1,15}", size) else 0,
                    fields.get("Filename", ""),
                    tuple(_names(fields.get("Depends", ""))),
                )
            )
    return packages


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    fields: dict[str, str] = {}
    for line in text.split("\n"):
        if not line.strip():
            if fields:
                yield fields
            fields = {}
            continue
        key, colon, value = line.partition(":")
        if colon and key in _FIELDS:
            fields[key] = value.strip()
    if fields:
        yield fields


def _names(depends: str) -> Iterator[str]:
    for part in depends.split(","):
        if match := re.match(r"\s*([a-z0-9][a-z0-9.+-]*)", part):
            yield match[1]


def _choose(entries: Iterable[AptPackage], version: str = "") -> AptPackage | None:
    fitting = [entry for entry in entries if version in ("", entry.version)]
    return max(fitting, key=lambda entry: _order(entry.version), default=None)


def nearest(request: PackageRequest, packages: dict[str, list[AptPackage]]) -> str:
    """What a repository has that comes nearest to what it lacks.

    That is another version of the same package, as near as its first parts tell, or the package
    that differs in the numbers of its name alone.
    """
    if request.version and (entries := packages.get(request.name)):
        # For another CUDA ("+cuda12.2") the same version is another build.
        build = request.version.partition("+")[2]
        same = [entry for entry in entries if entry.version.partition("+")[2] == build]
        best = min(same or entries, key=lambda entry: distance(entry.version, request.version))
        return f"{best.name}={best.version}"
    shape = re.compile(re.sub(r"[0-9]+", "[0-9]+", re.escape(request.name)))
    alike = [name for name in packages if shape.fullmatch(name)]
    return min(alike, key=lambda name: distance(name, request.name), default="")


def _order(version: str) -> list[tuple[int, int, str]]:
    """A key by which versions are sorted as people read them."""
    return [
        (1, int(part[:18]), "") if part.isdigit() and part.isascii() else (0, 0, part)
        for part in re.split(r"([0-9]+)", version)
    ]


def distance(one: str, other: str) -> tuple[int, ...]:
    """How far two versions are from one another, the earlier numbers before the later."""
    pairs = zip(_numbers(one), _numbers(other), strict=False)
    return tuple(abs(first - second) for first, second in pairs)


def _numbers(version: str) -> list[int]:
    return [int(part[:18]) for part in re.findall(r"[0-9]+", version)]


# -- the sources of a system ----------------------------------------------------------------


def release_files(texts: Mapping[str, str]) -> list[str]:
    """The address of what each apt source of a system begins with, by the files' contents.

    Both forms are read: lines (sources.list), and paragraphs (names ending in .sources).
    """
    found: dict[str, None] = {}
    for name, text in texts.items():
        pairs = _deb822(text) if name.endswith(".sources") else _one_line(text)
        for uri, suite in pairs:
            if not re.match(r"https?://[^\s/]", uri):
                continue
            # A suite that is a folder stands for itself: "./".
            folder = suite if suite.endswith("/") else f"dists/{suite}/"
            found[f"{uri.rstrip('/')}/{folder}InRelease"] = None
    return [*found]


def _one_line(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if match := re.match(r"deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)", line.strip()):
            yield match[1], match[2]


def _deb822(text: str) -> Iterator[tuple[str, str]]:
    for paragraph in re.split(r"\n[ \t]*\n", text):
        fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", paragraph, re.MULTILINE))
        lowered = {key.lower(): value.split() for key, value in fields.items()}
        if "deb" in lowered.get("types", ()) and lowered.get("enabled") != ["no"]:
            for uri in lowered.get("uris", ()):
                yield from ((uri, suite) for suite in lowered.get("suites", ()))


def has_release(url: str, client: Client) -> bool:
    """Whether an apt source is still there; old ones have no InRelease. Raises `ReadError`."""
    for address in (url, f"{url.removesuffix('InRelease')}Release"):
        with client.request("HEAD", address, {}) as response:
            if response.ok:
                return True
            if response.status_code not in (404, 410):
                raise refused(host_of(url), response.status_code)
    return False
