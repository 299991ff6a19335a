"""Packages in an apt repository: which are there, and which versions come nearest."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from poetry_tf.doctor.network.client import refused
from poetry_tf.http.client import Client
from poetry_tf.http.errors import BadResponse, ReadError, host_of

# Bytes of an index when unpacked; NVIDIA's is some tens of megabytes.
_LARGEST = 300_000_000


@dataclass(frozen=True)
class PackageRequest:
    """A package that is required: by its name alone, or with its version."""

    name: str
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name}={self.version}" if self.version else self.name


class NoRepository(ReadError):
    """There is no repository at the address."""


def missing_packages(
    url: str, requests: Sequence[PackageRequest], client: Client
) -> tuple[tuple[PackageRequest, str], ...]:
    """The packages that a flat repository lacks, with what comes nearest; empty for nothing.

    Raises `ReadError`.
    """
    versions = read_index(_index(url, client))
    return tuple(
        (request, nearest(request, versions))
        for request in requests
        if request.name not in versions
        or (request.version and request.version not in versions[request.name])
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
        raise BadResponse("answers with something other than a list of packages", host=host_of(url))
    return text


def read_index(text: bytes) -> dict[str, list[str]]:
    """The versions of each package in an index. What is malformed is left out."""
    versions: dict[str, list[str]] = {}
    for name, version in _entries(text.decode("utf-8", errors="replace")):
        versions.setdefault(name, []).append(version)
    return versions


def _entries(text: str) -> Iterator[tuple[str, str]]:
    """The name and the version in each paragraph that has both."""
    fields: dict[str, str] = {}
    for line in (*text.split("\n"), ""):
        key, colon, value = line.partition(":")
        if colon and key in ("Package", "Version"):
            fields[key] = value.strip()
        elif not line.strip():
            if fields.get("Package") and fields.get("Version"):
                yield fields["Package"], fields["Version"]
            fields = {}


def nearest(request: PackageRequest, versions: Mapping[str, Sequence[str]]) -> str:
    """The nearest package that a repository has to one that it lacks.

    That is another version of the same package, compared from the first number on, or a package
    whose name differs only in its numbers.
    """
    if request.version and (found := versions.get(request.name)):
        # For another CUDA ("+cuda12.2") the same version is another build.
        build = request.version.partition("+")[2]
        same = [version for version in found if version.partition("+")[2] == build]
        best = min(same or found, key=lambda version: distance(version, request.version))
        return f"{request.name}={best}"
    shape = re.compile(re.sub(r"[0-9]+", "[0-9]+", re.escape(request.name)))
    alike = [name for name in versions if shape.fullmatch(name)]
    return min(alike, key=lambda name: distance(name, request.name), default="")


def distance(one: str, other: str) -> tuple[int, ...]:
    """How far two versions are from one another, the earlier numbers before the later."""
    pairs = zip(_numbers(one), _numbers(other), strict=False)
    return tuple(abs(first - second) for first, second in pairs)


def _numbers(version: str) -> list[int]:
    return [int(part[:18]) for part in re.findall(r"[0-9]+", version)]
