"""Reads what is known of TensorFlow's releases from an index.

    python -m poetry_tf.releases.reader.refresh [--index URL] [--check] [--cache DIR | --no-cache] …

For each final release from 2.0 on, the file names are read; from 2.5 on also a few members of one
wheel for each platform, by ranges; for the companions, the metadata of one wheel of each release.
The results are written to `data/`: a file for each distribution, one for the companions, and one
for the hashes of all files of the distributions. The same state of the index gives the same bytes.

Members are cached: a run that was interrupted continues where it stopped, and the next run reads
only new wheels.

Exit status: 0 on success; 1 if `--check` found that the data lacks or contradicts something; 2 if
something could not be read (the rest is written, and a release that could not be read keeps its old
data); 130 if interrupted.
"""

from __future__ import annotations

import argparse
import ast
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Final, TypeVar

from packaging.version import Version

from poetry_tf.http.client import Client, masked
from poetry_tf.http.errors import ReadError
from poetry_tf.http.pages import SimpleIndex
from poetry_tf.http.parallel import run_parallel
from poetry_tf.http.ranges import RemoteFile
from poetry_tf.releases.catalog import DISTRIBUTIONS
from poetry_tf.releases.filenames import Distribution, distributions
from poetry_tf.releases.model import numbers
from poetry_tf.releases.reader.companions import COMPANIONS, CompanionFacts, companion_blocks
from poetry_tf.releases.reader.datafile import (
    SCHEMA,
    differences,
    keep_unread,
    known_before,
    render,
    write,
)
from poetry_tf.releases.reader.derive import (
    EXTRA,
    Available,
    Block,
    Knowledge,
    Place,
    WheelFacts,
    block_of,
    outline,
    representatives,
    required_distributions,
    served,
    upload_days,
)
from poetry_tf.releases.reader.members import (
    Build,
    build_of,
    nvidia_folders,
    required_tensorflow,
    requires_dist,
)
from poetry_tf.releases.reader.wheel import SMALL_TAIL, TAIL, Member, RemoteWheel
from poetry_tf.releases.reader.wheel_cache import CachedWheel

GENERATOR: Final = "python -m poetry_tf.releases.reader.refresh"

FIRST: Final = "2.0"
"""The first series in the data."""

OPENED: Final = "2.5"
"""The first series whose wheels are opened: no container is made for earlier ones."""

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
    """Reads an index over a few connections."""

    index: SimpleIndex
    client: Client
    cache: Path | None
    report: RefreshReport

    def pages(self, names: Iterable[str]) -> dict[str, Available]:
        """The files of each distribution; a page that cannot be read is reported and left out."""
        return self.each("pages", lambda name: distributions(self.index.files(name)), names)

    def wheel(self, place: Place, wheel: Distribution) -> WheelFacts:
        """Reads a wheel of TensorFlow. Raises `ReadError`, which starts with the file's name."""

        def facts(cached: CachedWheel) -> WheelFacts:
            requires, shim = requires_dist(_metadata(cached)), cached.is_shim()
            exact = _series_of(place[1]) >= numbers(WITH_HEADER)
            build = Build() if shim else build_of(cached, header=exact)
            folders = None
            if build != Build() and any(EXTRA in line for line in requires):
                path = cached.runpath()
                folders = nvidia_folders(path) if path is not None else None
            return WheelFacts(requires, build, shim, folders)

        return self._read(wheel, TAIL, facts)

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


@dataclass(frozen=True, slots=True)
class DataFile:
    """The new content of a data file.

    Attributes:
        content: what was read.
        unread: the releases, as `(distribution, version)`, that it lacks because they could not be
            read; the reason has been reported.
    """

    content: Block
    unread: list[tuple[str, str]]


def read(reader: IndexReader) -> dict[str, DataFile]:
    """Reads the data files, by name, without those for which nothing was read.

    Raises:
        ReadError: the index does not serve TensorFlow's page.
    """
    report = reader.report
    listed = reader.pages((*DISTRIBUTIONS, *COMPANIONS))
    for name in [name for name, files in listed.items() if not files]:
        report.problem(f"{name}: the index has no such distribution")
        del listed[name]
    if "tensorflow" not in listed:
        raise ReadError("nothing can be said without the page of tensorflow")
    own = {name: listed[name] for name in DISTRIBUTIONS if name in listed}
    others = {
        name: {
            version: files for version, files in listed[name].items() if not version.is_prerelease
        }
        for name in COMPANIONS
        if name in listed
    }
    wheels = {
        (name, version, platform): wheel
        for name, versions in own.items()
        for version, files in sorted(versions.items())
        if _is_described(version) and _series_of(version) >= numbers(OPENED)
        for platform, wheel in representatives(served(files)).items()
    }
    report.info(f"{len(wheels)} wheels of TensorFlow's, one a release and platform")
    facts = reader.each("wheels", lambda place: reader.wheel(place, wheels[place]), wheels)
    samples = {
        (name, version): wheel
        for name, versions in others.items()
        for version, files in sorted(versions.items())
        if (wheel := _sample(files)) is not None
    }
    report.info(f"{len(samples)} wheels of companions")
    companion_facts = reader.each(
        "wheels", lambda place: reader.companion(place, samples[place]), samples
    )
    required = sorted(required_distributions(facts.values()) - own.keys())
    report.info(f"{len(required)} pages of what they require")
    known = Knowledge(own, facts, own | reader.pages(required))

    files = {f"{name}.json": _distribution_file(name, known, report) for name in own}
    files["companions.json"] = DataFile(
        {
            "schema": SCHEMA,
            "generator": GENERATOR,
            "companions": companion_blocks(others, companion_facts),
        },
        [
            (name, str(version))
            for name, version in samples
            if (name, version) not in companion_facts
        ],
    )
    files["hashes.json"] = DataFile(_hashes(own), [])
    return files


def _hashes(own: Mapping[str, Available]) -> Block:
    """The content of the data file with the hashes of TensorFlow's own distributions."""
    return {
        "schema": SCHEMA,
        "generator": GENERATOR,
        "hashes": {
            name: {
                file.filename: file.sha256
                for version in sorted(versions)
                for file in sorted(
                    (one.file for one in versions[version]), key=attrgetter("filename")
                )
                if file.sha256 is not None
            }
            for name, versions in own.items()
        },
    }


def _distribution_file(name: str, known: Knowledge, report: RefreshReport) -> DataFile:
    """The data file of one distribution, with the releases whose wheels were read."""
    versions = known.listed[name]
    blocks: dict[str, Block] = {}
    unread: list[tuple[str, str]] = []
    for version in filter(_is_described, sorted(versions)):
        try:
            blocks[str(version)] = (
                block_of(name, version, known)
                if _series_of(version) >= numbers(OPENED)
                else outline(versions[version])
            )
        except ReadError as error:
            report.problem(f"{name} {version}: {error}")
            unread.append((name, str(version)))
    described = [version for version in sorted(versions) if _series_of(version) >= numbers(FIRST)]
    content = {
        "schema": SCHEMA,
        "generator": GENERATOR,
        "distribution": name,
        "from": FIRST,
        "newest_upload": max(
            (day for files in versions.values() for day in upload_days(files)), default=None
        ),
        "releases": blocks,
        "prereleases": [str(version) for version in described if version.is_prerelease],
        "older": [str(version) for version in sorted(versions) if version not in described],
    }
    return DataFile(content, unread)


def _sample(files: Sequence[Distribution]) -> Distribution | None:
    """The wheel that is read for a companion's release; None if it has no wheel."""
    wheels = [file for file in served(files) if file.is_wheel]
    chosen = [*representatives(wheels).values(), *sorted(wheels, key=lambda w: w.file.filename)]
    return chosen[0] if chosen else None


def _metadata(cached: CachedWheel) -> str:
    text = cached.text(Member.METADATA)
    if text is None:
        raise ReadError("it has no METADATA")
    return text


def default_index() -> str:
    """The index that pip uses on this machine: the configured one, else pip's default.

    Raises:
        ReadError: pip is not installed for this Python, or its default is no longer found.
    """
    configured = os.environ.get("PIP_INDEX_URL", "").strip()
    if configured:
        return configured
    # `pip config get` reads a single file; `list` shows the merged configuration.
    completed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        capture_output=True,
        text=True,
        check=False,
    )
    for line in completed.stdout.splitlines():
        key, _, value = line.partition("=")
        if key == "global.index-url":
            return str(ast.literal_eval(value))
    try:
        from pip._internal.models.index import PyPI
    except ImportError:
        raise ReadError(
            "pip, which knows the default index, isn't installed for this Python: give --index"
        ) from None
    return str(PyPI.simple_url)


def default_cache() -> Path:
    """The default cache folder, in the user's cache folder of the system."""
    home = os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else None
    base = Path(home or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "poetry-tf" / "wheels"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program; returns its exit status."""
    options = _parser().parse_args(arguments)
    report, client = RefreshReport(), Client()
    cache = None if options.no_cache else options.cache
    started, spent = time.monotonic(), time.process_time()
    try:
        url = options.index or default_index()
        report.info(f"index: {masked(url)}")
        files = read(IndexReader(SimpleIndex(url, client), client, cache, report))
    except ReadError as error:
        report.problem(str(error))
        return 2
    except KeyboardInterrupt:
        report.problem("interrupted: the data is as it was, the next run goes on from here")
        return 130
    finally:
        client.close()
    report.info(
        f"{client.requests} requests, {client.bytes:,} bytes, "
        f"{time.monotonic() - started:.0f} s, of these {time.process_time() - spent:.0f} s our own"
    )
    before = {name: known_before(options.output / name) for name in files}
    changes = {name: differences(before[name], file.content) for name, file in files.items()}
    if options.check:
        return _print_changes(changes, report)
    for name, file in files.items():
        for distribution, version in keep_unread(file.unread, file.content, before[name]):
            report.info(f"  {distribution} {version}: kept as it was")
        try:
            write(options.output / name, render(file.content) + "\n")
        except OSError as error:
            report.problem(f"{options.output / name}: {error.strerror or error}")
            return 2
        report.info(f"{name}: {len(changes[name])} changes")
    return 2 if report.problems else 0


def _print_changes(changes: Mapping[str, Sequence[str]], report: RefreshReport) -> int:
    """Prints the differences that `--check` found; returns the exit status."""
    for name, lines in changes.items():
        for line in lines:
            report.info(f"{name}: {line}")
    count = sum(map(len, changes.values()))
    report.info(f"{count} differences" if count else "up to date")
    return 1 if count else 2 if report.problems else 0


def _is_described(version: Version) -> bool:
    return _series_of(version) >= numbers(FIRST) and not version.is_prerelease


def _series_of(version: Version) -> tuple[int, ...]:
    return version.major, version.minor


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=GENERATOR, description="Reads what is known of TensorFlow's releases out of an index."
    )
    parser.add_argument("--index", metavar="URL", help="a simple index (default: pip's)")
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; exit with 1 if the data lacks or contradicts what the index has",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        type=Path,
        default=Path(__file__).parent.parent / "data",
        help="the folder of the data files to write, or to check (default: the package's)",
    )
    parser.add_argument(
        "--cache",
        metavar="DIR",
        type=Path,
        default=default_cache(),
        help="keep what was read of wheels here (default: the user's cache folder)",
    )
    parser.add_argument("--no-cache", action="store_true", help="read every wheel anew")
    return parser


if __name__ == "__main__":
    sys.exit(main())
