"""Reads what is known of TensorFlow's releases out of an index.

    python -m poetry_tf.releases.refresh [--index URL] [--check] [--cache DIR] …

Of every final release, all wheels' names and a few members of one Linux x86_64 wheel are read, by
ranges, and written to `data/tensorflow.json`. The same state of the index gives the same bytes.

Exit status: 0 when all went well, 1 when `--check` found that the data lacks or contradicts
something, 2 when something couldn't be read (the rest is done all the same; of a release that
couldn't be read, what was known of it before is kept).
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from packaging.version import InvalidVersion, Version

from poetry_tf.releases.datafile import SCHEMA, differences, known_before, render, write
from poetry_tf.releases.derive import (
    Block,
    WheelFacts,
    block_of,
    names_to_ask,
    representative,
    upload_days,
)
from poetry_tf.releases.files import Distribution, distributions
from poetry_tf.releases.index import (
    Client,
    ReadError,
    RemoteFile,
    SimpleIndex,
    without_credentials,
)
from poetry_tf.releases.wheel import Build, Member, RemoteWheel, build_of, requires_dist

DISTRIBUTION: Final = "tensorflow"
FIRST: Final = "2.12"
"""The first series to be described, unless told otherwise."""

CONNECTIONS: Final = 4
CACHE_FORMAT: Final = 1

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


@dataclass(slots=True)
class Report:
    """What is told on stderr, and whether something went wrong."""

    problems: int = 0

    def say(self, line: str) -> None:
        """Tells how far it has come."""
        sys.stderr.write(f"{line}\n")

    def problem(self, line: str) -> None:
        """Tells what couldn't be read."""
        self.problems += 1
        sys.stderr.write(f"error: {line}\n")


@dataclass(slots=True)
class CachedWheel:
    """A wheel's members, from the cache as far as they are there, and put there when they aren't.

    The cache holds texts, not conclusions: a better reader of them needs no new download. It is
    keyed by the file's hash, so that nothing in it can ever be stale.
    """

    file: Path | None
    open: Callable[[], RemoteWheel]
    _texts: dict[str, str | None] = field(default_factory=dict)
    _wheel: RemoteWheel | None = None

    def __post_init__(self) -> None:
        if self.file is None:
            return
        try:
            content = json.loads(self.file.read_text(encoding="utf-8"))
            if content["format"] == CACHE_FORMAT:
                self._texts = dict(content["members"])
        except (OSError, ValueError, LookupError, TypeError):
            self._texts = {}  # absent or damaged: read the wheel

    def text(self, member: Member) -> str | None:
        """The text of a member; None where the wheel has none such."""
        if member.name not in self._texts:
            if self._wheel is None:
                self._wheel = self.open()
            self._texts[member.name] = self._wheel.text(member)
        return self._texts[member.name]

    def save(self) -> None:
        """Keeps what was read, for the next run. A cache that can't be written is none."""
        if self.file is None or self._wheel is None:
            return
        content = {"format": CACHE_FORMAT, "members": self._texts}
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            write(self.file, json.dumps(content, indent=2, sort_keys=True) + "\n")
        except OSError:
            return


def read(
    index: SimpleIndex, client: Client, first: str, cache: Path | None, report: Report
) -> tuple[Block, list[str]]:
    """Reads everything that the data file is to hold.

    Returns:
        The file's content, and the versions of the releases that it lacks because they couldn't be
        read; why has been reported.

    Raises:
        ReadError: the index doesn't serve TensorFlow's page.
    """
    lowest = _series(first)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        # Even this one page by way of the pool: this thread's connection would be a fifth.
        listed = distributions(pool.submit(index.files, DISTRIBUTION).result())
        if not listed:
            raise ReadError(f"{DISTRIBUTION}: the index has no such distribution")
        described = [
            version
            for version in sorted(listed)
            if _series_of(version) >= lowest and not version.is_prerelease
        ]
        report.say(f"{DISTRIBUTION}: {len(described)} final releases from {first} on")

        def facts_of(version: Version) -> WheelFacts:
            try:
                wheel = representative(listed[version])
            except ReadError as error:
                raise ReadError(f"{DISTRIBUTION} {version}: {error}") from error
            said = read_wheel(wheel, client, cache)
            report.say(f"  {version}: {_told(said.build)}")
            return said

        facts = _each(pool, facts_of, described, report)
        wanted = sorted(names_to_ask(facts.values()))
        report.say(f"{len(wanted)} distributions that they require")
        available = _each(pool, lambda name: distributions(index.files(name)), wanted, report)

    blocks: dict[str, Block] = {}
    for version in facts:
        try:
            blocks[str(version)] = block_of(listed[version], facts[version], available)
        except ReadError as error:
            report.problem(f"{DISTRIBUTION} {version}: {error}")
    content = {
        "schema": SCHEMA,
        "generator": "python -m poetry_tf.releases.refresh",
        "distribution": DISTRIBUTION,
        "from": first,
        "newest_upload": max(
            (day for version in listed for day in upload_days(listed[version])), default=None
        ),
        "releases": blocks,
        "prereleases": [
            str(version)
            for version in sorted(listed)
            if _series_of(version) >= lowest and version.is_prerelease
        ],
        "older": [str(version) for version in sorted(listed) if _series_of(version) < lowest],
    }
    return content, [str(version) for version in described if str(version) not in blocks]


def read_wheel(wheel: Distribution, client: Client, cache: Path | None) -> WheelFacts:
    """Reads what a wheel says.

    Raises:
        ReadError: it can't be read; the message begins with the file's name.
    """
    file = wheel.file
    keep = cache / f"{file.sha256}.json" if cache and file.sha256 else None
    cached = CachedWheel(keep, lambda: RemoteWheel(RemoteFile(file.url, client)))
    try:
        metadata = cached.text(Member.METADATA)
        if metadata is None:
            raise ReadError("it has no METADATA")
        facts = WheelFacts(requires_dist(metadata), build_of(cached))
    except ReadError as error:
        raise ReadError(f"{file.filename}: {error}") from error
    cached.save()
    return facts


def _each(
    pool: ThreadPoolExecutor,
    work: Callable[[_Key], _Value],
    keys: Iterable[_Key],
    report: Report,
) -> dict[_Key, _Value]:
    """Does the work for each key, four at a time; reports what fails and leaves it out."""
    started = {key: pool.submit(work, key) for key in keys}
    done = {}
    for key, future in started.items():
        try:
            done[key] = future.result()
        except ReadError as error:
            report.problem(str(error))
    return done


def default_index() -> str:
    """The index that pip uses here, as its configuration or else pip itself says.

    Raises:
        ReadError: pip isn't installed for this Python, or keeps its default elsewhere by now.
    """
    configured = os.environ.get("PIP_INDEX_URL", "").strip()
    if configured:
        return configured
    # `pip config get` looks at a single file; what holds of all of them is what `list` shows.
    told = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        capture_output=True,
        text=True,
        check=False,
    )
    for line in told.stdout.splitlines():
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


def data_file() -> Path:
    """The data file of the source tree that this program runs from."""
    return Path(__file__).parent / "data" / "tensorflow.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; returns its exit status."""
    options = _parser().parse_args(arguments)
    output: Path = options.output
    report = Report()
    before = known_before(output)
    first = options.first or str(before.get("from", FIRST))
    client = Client()
    try:
        url = options.index or default_index()
        report.say(f"index: {without_credentials(url)}")
        content, unread = read(SimpleIndex(url, client), client, first, options.cache, report)
    except ReadError as error:
        report.problem(str(error))
        return 2
    finally:
        client.close()
    report.say(f"{client.requests} requests, {client.bytes:,} bytes")

    changes = differences(before, content)
    if options.check:
        for line in changes:
            report.say(line)
        report.say(f"{output.name}: {len(changes)} differences" if changes else "up to date")
        return 1 if changes else 2 if report.problems else 0

    for version in keep(unread, content, before):
        report.say(f"  {version}: kept as it was")
    try:
        write(output, render(content) + "\n")
    except OSError as error:
        report.problem(f"{output}: {error.strerror or error}")
        return 2
    report.say(f"{output.name}: {len(content['releases'])} releases, {len(changes)} changes")
    return 2 if report.problems else 0


def keep(unread: Iterable[str], content: Block, before: Mapping[str, Any]) -> list[str]:
    """Puts what was known of releases that couldn't be read this time into a new content.

    Returns:
        The versions of which something was known.
    """
    known: Mapping[str, Block] = before.get("releases", {})
    kept = [version for version in unread if version in known]
    blocks = content["releases"] | {version: known[version] for version in kept}
    content["releases"] = {version: blocks[version] for version in sorted(blocks, key=Version)}
    return kept


def _series_of(version: Version) -> tuple[int, int]:
    return version.major, version.minor


def _series(text: str) -> tuple[int, int]:
    return _series_of(Version(text))


def _told(build: Build) -> str:
    if build.cuda is None and build.cudnn is None:
        return "no CUDA"
    return f"CUDA {build.cuda or 'unknown'}, cuDNN {build.cudnn or 'unknown'}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m poetry_tf.releases.refresh",
        description="Reads what is known of TensorFlow's releases out of an index.",
    )
    parser.add_argument("--index", metavar="URL", help="a simple index (default: pip's)")
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; exit with 1 if the data lacks or contradicts what the index has",
    )
    parser.add_argument(
        "--output",
        metavar="PATH",
        type=Path,
        default=data_file(),
        help="the data file to write, or to check (default: the package's)",
    )
    parser.add_argument(
        "--cache", metavar="DIR", type=Path, help="keep what was read of wheels here"
    )
    parser.add_argument(
        "--from",
        dest="first",
        metavar="SERIES",
        type=_series_argument,
        help=f"the first series to describe (default: the data file's, else {FIRST})",
    )
    return parser


def _series_argument(text: str) -> str:
    try:
        major, minor = _series(text)
    except InvalidVersion:
        raise argparse.ArgumentTypeError(f"{text!r} is no version") from None
    return f"{major}.{minor}"


if __name__ == "__main__":
    sys.exit(main())
