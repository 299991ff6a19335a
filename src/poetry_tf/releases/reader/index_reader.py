"""Reads wheels from an index: several at a time, each as far as it is needed, with a cache."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import requests
from packaging.version import Version

from poetry_tf.http.client import Client
from poetry_tf.http.errors import ReadError
from poetry_tf.http.pages import SimpleIndex
from poetry_tf.http.parallel import run_parallel
from poetry_tf.http.ranges import RangesUnsupported, RemoteFile
from poetry_tf.releases import names
from poetry_tf.releases.filenames import Distribution, distributions, minors_by_platform
from poetry_tf.releases.model import numbers
from poetry_tf.releases.reader.companions import CompanionFacts
from poetry_tf.releases.reader.derive import (
    Available,
    Block,
    Knowledge,
    Place,
    WheelFacts,
    block_of,
    by_python,
    facts_of_metadata,
    representatives,
    required_distributions,
    served,
)
from poetry_tf.releases.reader.members import (
    EXTRA,
    Build,
    build_of,
    required_tensorflow,
    requires_dist,
)
from poetry_tf.releases.reader.wheel import SMALL_TAIL, TAIL, Member, RemoteWheel
from poetry_tf.releases.reader.wheel_cache import CachedWheel
from poetry_tf.releases.runpath import nvidia_folders

WITH_HEADER: Final = "2.16"
"""The first series whose wheels contain NVIDIA's `cudnn_version.h`. To search earlier wheels for it
would read their whole directories: twice as many bytes as everything else together."""

CONNECTIONS: Final = 4

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


@dataclass(slots=True)
class RefreshReport:
    """Writes progress and problems to stderr, and counts the problems."""

    problems: int = 0
    _bar: str = ""

    def info(self, line: str) -> None:
        """Writes a line."""
        self._put(f"{line}\n")

    def problem(self, line: str) -> None:
        """Writes an error and counts it."""
        self.problems += 1
        self._put(f"error: {line}\n")

    def progress(self, what: str, done: int, total: int) -> None:
        """Updates the bar if stderr is a terminal; the last step removes it."""
        if not sys.stderr.isatty():
            return
        filled = 30 * done // max(total, 1)
        bar = f"{what} [{'#' * filled}{'.' * (30 - filled)}] {done}/{total}"
        self._put("", bar if done < total else "")

    def _put(self, text: str, bar: str | None = None) -> None:
        wipe = f"\r{' ' * len(self._bar)}\r" if self._bar else ""
        self._bar = self._bar if bar is None else bar
        sys.stderr.write(f"{wipe}{text}{self._bar}")
        sys.stderr.flush()


@dataclass(frozen=True, slots=True)
class IndexReader:
    """Reads an index over a few connections.

    Attributes:
        metadata: what is served beside a wheel, if not by a request for it; None where nothing is.
        needs_build: whether a wheel of which the server sends no part is an error, also where its
            metadata is served. If not, what it is built with is unknown.
    """

    index: SimpleIndex
    client: Client
    cache: Path | None
    report: RefreshReport
    metadata: Callable[[Distribution], str | None] | None = None
    needs_build: bool = True

    def pages(self, names: Iterable[str]) -> dict[str, Available]:
        """The files of each distribution; a page that cannot be read is reported and left out."""
        return self.each("pages", lambda name: distributions(self.index.files(name)), names)

    def wheel(self, place: Place, wheel: Distribution) -> WheelFacts:
        """Reads a wheel of TensorFlow. Raises `ReadError`, which starts with the file's name."""

        def facts(cached: CachedWheel) -> WheelFacts:
            requires, shim = requires_dist(_metadata(cached)), cached.is_shim()
            exact = series_numbers(place[1]) >= numbers(WITH_HEADER)
            build = Build() if shim else build_of(cached, requires, header=exact)
            folders = None
            if build != Build() and any(EXTRA in line for line in requires):
                path = cached.runpath()
                folders = nvidia_folders(path) if path is not None else None
            return WheelFacts(requires, build, shim, folders)

        try:
            return self._read(wheel, TAIL, facts)
        except RangesUnsupported:
            requires = None if self.needs_build else self._requires_beside(wheel)
            if requires is None:
                raise
            return facts_of_metadata(place, minors_by_platform([wheel])[place[2]], requires)

    def releases(
        self,
        files: Mapping[tuple[str, Version], Sequence[Distribution]],
        *,
        differing: Callable[[Distribution], bool] = lambda _: True,
    ) -> dict[Place, WheelFacts]:
        """Reads releases: one wheel of each platform, and the requirements of the others.

        Args:
            files: the files of each release, by name and version.
            differing: whether the requirements of a wheel may differ from those of the one that is
                read whole.

        What can't be read is reported and left out.
        """
        wheels: dict[Place, Distribution] = {}
        others: dict[tuple[Place, str], Distribution] = {}
        for (name, version), all_files in files.items():
            pythons = by_python(served(all_files))
            for platform, wheel in representatives(served(all_files)).items():
                place = (name, version, platform)
                wheels[place] = wheel
                for minor, other in pythons[platform].items():
                    if other != wheel and differing(other):
                        others[place, minor] = other
        more = f", and the requirements of {len(others)} more" if others else ""
        self.report.info(f"{len(wheels)} wheels of TensorFlow's, one a release and platform{more}")
        facts = self.each("wheels", lambda place: self.wheel(place, wheels[place]), wheels)
        lines = self.each("metadata", lambda key: self.requires(others[key]), others)
        for place, minor in others:
            if place not in facts:
                continue
            if (place, minor) not in lines:
                del facts[place]
            elif {*lines[place, minor]} != {*facts[place].requires}:
                by_minor = {**facts[place].by_python, minor: lines[place, minor]}
                facts[place] = replace(facts[place], by_python=by_minor)
        return facts

    def requires(self, wheel: Distribution) -> tuple[str, ...]:
        """The Requires-Dist of a wheel, from beside it where the index serves that (PEP 658).

        Raises `ReadError`, which starts with the file's name.
        """
        beside = self._requires_beside(wheel)
        if beside is not None:
            return beside
        return self._read(wheel, SMALL_TAIL, lambda cached: requires_dist(_metadata(cached)))

    def _requires_beside(self, wheel: Distribution) -> tuple[str, ...] | None:
        if not wheel.file.has_metadata:
            return None
        text = self.metadata(wheel) if self.metadata else self._metadata_beside(wheel)
        return None if text is None else requires_dist(text)

    def _metadata_beside(self, wheel: Distribution) -> str | None:
        url = f"{wheel.file.url}.metadata"
        with suppress(ReadError), self.client.get(url, {}) as response:
            if response.status_code == requests.codes.ok:
                return self.client.body(response).decode("utf-8")
        return None

    def companion(self, place: tuple[str, Version], wheel: Distribution) -> CompanionFacts:
        """Reads a companion's wheel. Raises `ReadError`, which starts with the file's name."""

        def facts(cached: CachedWheel) -> CompanionFacts:
            code = required_tensorflow(cached) if place[0] == "tensorflow-probability" else None
            return CompanionFacts(requires_dist(_metadata(cached)), code)

        return self._read(wheel, SMALL_TAIL, facts)

    def _read(
        self, wheel: Distribution, tail: int, parse: Callable[[CachedWheel], _Value]
    ) -> _Value:
        file = wheel.file
        keep = self.cache / f"{file.sha256}.json" if self.cache and file.sha256 else None
        cached = CachedWheel(keep, lambda: RemoteWheel(RemoteFile(file.url, self.client), tail))
        try:
            facts = parse(cached)
        except RangesUnsupported:
            raise RangesUnsupported(f"sends no part of {file.filename}, only all of it") from None
        except ReadError as error:
            raise ReadError(f"{file.filename}: {error}") from error
        cached.save()
        return facts

    def each(
        self, what: str, work: Callable[[_Key], _Value], keys: Iterable[_Key]
    ) -> dict[_Key, _Value]:
        """Does the work for each key, some at a time; reports what fails and leaves it out."""

        def result_or_error(key: _Key) -> _Value | ReadError:
            try:
                return work(key)
            except ReadError as error:
                return error

        keys = [*keys]
        jobs = [partial(result_or_error, key) for key in keys]
        results = run_parallel(
            jobs,
            workers=CONNECTIONS,
            on_result=lambda done: self.report.progress(what, len(done), len(jobs)),
        )
        read = {}
        for key, result in zip(keys, results.values(), strict=True):
            if isinstance(result, ReadError):
                self.report.problem(str(result))
            else:
                read[key] = result
        return read


def read_release(reader: IndexReader, name: str, version: Version, available: Available) -> Block:
    """Reads one release of a distribution of TensorFlow, as it is in a data file.

    Args:
        reader: the index.
        name: the distribution.
        version: the release.
        available: the files of the distribution.

    Raises:
        ReadError: it is no release, or a requirement of it is not understood. What could not be
            read is reported.
    """
    facts = reader.releases({(name, version): available[version]})
    required = sorted(required_distributions(facts.values()) - {name})
    pages = {name: available, **reader.pages(required)}
    own = {one: files for one, files in pages.items() if one in names.own()}
    facts |= reader.releases(
        {(one, version): own[one][version] for one in own if one != name and version in own[one]}
    )
    return block_of(name, version, Knowledge(own, facts, pages))


def series_numbers(version: Version) -> tuple[int, ...]:
    """The series of a version, as numbers that compare."""
    return version.major, version.minor


def _metadata(cached: CachedWheel) -> str:
    text = cached.text(Member.METADATA)
    if text is None:
        raise ReadError("it has no METADATA")
    return text
