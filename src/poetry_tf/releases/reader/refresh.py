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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Final

from packaging.version import Version

from poetry_tf.http.client import Client, masked
from poetry_tf.http.errors import ReadError
from poetry_tf.http.pages import SimpleIndex
from poetry_tf.releases.catalog import DISTRIBUTIONS
from poetry_tf.releases.filenames import Distribution
from poetry_tf.releases.model import numbers
from poetry_tf.releases.reader.companions import COMPANIONS, companion_blocks
from poetry_tf.releases.reader.datafile import (
    SCHEMA,
    differences,
    keep_unread,
    known_before,
    render,
    write,
)
from poetry_tf.releases.reader.derive import (
    Available,
    Block,
    Knowledge,
    block_of,
    outline,
    representatives,
    required_distributions,
    served,
    upload_days,
)
from poetry_tf.releases.reader.index_reader import IndexReader, RefreshReport, series_numbers

GENERATOR: Final = "python -m poetry_tf.releases.reader.refresh"

FIRST: Final = "2.0"
"""The first series in the data."""

OPENED: Final = "2.5"
"""The first series whose wheels are opened: no container is made for earlier ones."""

COMPARED: Final = "2026-11-01"
"""The requirements of wheels that were uploaded before this day were compared: of the 1,490 of 2.5
to 2.21 no two of one release and platform differ, so one is read. Of later ones each is."""


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
        report.problem(f"{name}: not found on the index")
        del listed[name]
    if "tensorflow" not in listed:
        raise ReadError("could not read the page of tensorflow")
    own = {name: listed[name] for name in DISTRIBUTIONS if name in listed}
    others = {
        name: {
            version: files for version, files in listed[name].items() if not version.is_prerelease
        }
        for name in COMPANIONS
        if name in listed
    }
    opened = {
        (name, version): files
        for name, versions in own.items()
        for version, files in sorted(versions.items())
        if _is_described(version) and series_numbers(version) >= numbers(OPENED)
    }
    facts = reader.releases(opened, differing=_may_differ)
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
                if series_numbers(version) >= numbers(OPENED)
                else outline(versions[version])
            )
        except ReadError as error:
            report.problem(f"{name} {version}: {error}")
            unread.append((name, str(version)))
    described = [
        version for version in sorted(versions) if series_numbers(version) >= numbers(FIRST)
    ]
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
            "pip is not installed for this Python, so the default index is unknown: give --index"
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
        report.problem("interrupted: the data is unchanged; run the command again to continue")
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
    return series_numbers(version) >= numbers(FIRST) and not version.is_prerelease


def _may_differ(wheel: Distribution) -> bool:
    return wheel.file.uploaded is None or wheel.file.uploaded >= COMPARED


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
    parser.add_argument("--no-cache", action="store_true", help="read every wheel again")
    return parser


if __name__ == "__main__":
    sys.exit(main())
