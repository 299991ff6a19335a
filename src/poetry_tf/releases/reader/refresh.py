"""Reads what is known of TensorFlow's releases out of an index.

    python -m poetry_tf.releases.reader.refresh [--index URL] [--check] [--cache DIR | --no-cache] …

Of every final release from 2.0 on the names of all wheels are looked at; from 2.5 on a few members
of one wheel a platform are read as well, by ranges; of the companions, the metadata of one wheel a
release. What comes of it is written to `data/`, a file for each distribution and one for the
companions. The same state of the index gives the same bytes.

What was read of a wheel is kept in a cache, so that a run that was cut off goes on where it was,
and the next one reads only what is new.

Exit status: 0 when all went well, 1 when `--check` found that the data lacks or contradicts
something, 2 when something couldn't be read (the rest is done all the same; of a release that
couldn't be read, what was known of it before is kept), 130 when it was interrupted.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
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
from poetry_tf.releases.reader.datafile import SCHEMA, differences, known_before, render, write
from poetry_tf.releases.reader.derive import (
    EXTRA,
    Available,
    Block,
    CompanionFacts,
    Knowledge,
    Place,
    WheelFacts,
    block_of,
    companion_blocks,
    names_to_ask,
    outline,
    representatives,
    served,
    upload_days,
)
from poetry_tf.releases.reader.wheel import (
    SMALL_TAIL,
    TAIL,
    Build,
    Member,
    RemoteWheel,
    build_of,
    nvidia_folders,
    required_tensorflow,
    requires_dist,
)

GENERATOR: Final = "python -m poetry_tf.releases.reader.refresh"

FIRST: Final = "2.0"
"""The first series that the data speaks of."""

OPENED: Final = "2.5"
"""The first series whose wheels are opened: the earlier ones run in no container."""

WITH_HEADER: Final = "2.16"
"""The first series whose wheels carry NVIDIA's `cudnn_version.h`. To see that an earlier wheel has
none would take its whole directory, in all twice as many bytes as everything else."""

COMPANIONS: Final[tuple[str, ...]] = (
    "keras",
    "tensorflow-addons",
    "tensorflow-decision-forests",
    "tensorflow-io",
    "tensorflow-io-gcs-filesystem",
    "tensorflow-metal",
    "tensorflow-probability",
    "tensorflow-text",
    "tf-keras",
)

CONNECTIONS: Final = 4
CACHE_FORMAT: Final = 2

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


@dataclass(slots=True)
class RefreshReport:
    """What is told on stderr, and whether something went wrong."""

    problems: int = 0
    _bar: str = ""

    def say(self, line: str) -> None:
        """Tells how far it has come."""
        self._put(f"{line}\n")

    def problem(self, line: str) -> None:
        """Tells what couldn't be read."""
        self.problems += 1
        self._put(f"error: {line}\n")

    def progress(self, what: str, done: int, total: int) -> None:
        """Moves the bar, where there is a person to see it; the last step takes it away."""
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


@dataclass(slots=True)
class CachedWheel:
    """A wheel's members, from the cache as far as they are there, and put there when they aren't.

    The cache holds texts, not conclusions: a better reader of them needs no new download. It is
    keyed by the file's hash, so that nothing in it can ever be stale.
    """

    file: Path | None
    open: Callable[[], RemoteWheel]
    _texts: dict[str, str | None] = field(default_factory=dict)
    _shim: bool | None = None
    _wheel: RemoteWheel | None = None

    def __post_init__(self) -> None:
        if self.file is None:
            return
        try:
            content = json.loads(self.file.read_text(encoding="utf-8"))
            if content["format"] == CACHE_FORMAT:
                self._texts, self._shim = dict(content["members"]), bool(content["shim"])
        except (OSError, ValueError, LookupError, TypeError):
            self._texts = {}  # absent or damaged: read the wheel

    def is_shim(self) -> bool:
        """Whether the wheel holds nothing but its own metadata."""
        if self._shim is None:
            self._shim = self._opened().is_shim()
        return self._shim

    def text(self, member: Member) -> str | None:
        """The text of a member; None where the wheel has none such."""
        if member.name not in self._texts:
            self._texts[member.name] = self._opened().text(member)
        return self._texts[member.name]

    def runpath(self) -> str | None:
        """As `RemoteWheel.runpath`."""
        if Member.FRAMEWORK.name not in self._texts:
            self._texts[Member.FRAMEWORK.name] = self._opened().runpath()
        return self._texts[Member.FRAMEWORK.name]

    def _opened(self) -> RemoteWheel:
        if self._wheel is None:
            self._wheel = self.open()
        return self._wheel

    def save(self) -> None:
        """Keeps what was read, for the next run. A cache that can't be written is none."""
        if self.file is None or self._wheel is None:
            return
        content = {"format": CACHE_FORMAT, "members": self._texts, "shim": self._shim}
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            write(self.file, json.dumps(content, indent=2, sort_keys=True) + "\n")
        except OSError:
            return


@dataclass(frozen=True, slots=True)
class IndexReader:
    """Reads an index by a few connections."""

    index: SimpleIndex
    client: Client
    cache: Path | None
    report: RefreshReport

    def pages(self, wanted: Iterable[str]) -> dict[str, Available]:
        """The files of each distribution; a page that can't be read is reported and left out."""
        return self.each("pages", lambda name: distributions(self.index.files(name)), wanted)

    def wheel(self, place: Place, wheel: Distribution) -> WheelFacts:
        """What a wheel of TensorFlow's own says.

        Raises:
            ReadError: it can't be read; the message begins with the file's name.
        """

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
        """What a companion's wheel says.

        Raises:
            ReadError: it can't be read; the message begins with the file's name.
        """

        def facts(cached: CachedWheel) -> CompanionFacts:
            code = required_tensorflow(cached) if place[0] == "tensorflow-probability" else None
            return CompanionFacts(requires_dist(_metadata(cached)), code)

        return self._read(wheel, SMALL_TAIL, facts)

    def _read(
        self, wheel: Distribution, tail: int, understand: Callable[[CachedWheel], _Value]
    ) -> _Value:
        file = wheel.file
        keep = self.cache / f"{file.sha256}.json" if self.cache and file.sha256 else None
        cached = CachedWheel(keep, lambda: RemoteWheel(RemoteFile(file.url, self.client), tail))
        try:
            facts = understand(cached)
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
class Contents:
    """What came of reading an index.

    Attributes:
        files: a data file's name to its content; without those for which nothing could be read.
        unread: such a name to the releases, as `(distribution, version)`, that its content lacks
            because they couldn't be read; why has been reported.
    """

    files: dict[str, Block]
    unread: dict[str, list[tuple[str, str]]]


def read(reader: IndexReader) -> Contents:
    """Reads everything that the data files are to hold.

    Raises:
        ReadError: the index doesn't serve TensorFlow's page.
    """
    report = reader.report
    listed = reader.pages((*DISTRIBUTIONS, *COMPANIONS))
    for name in [name for name, files in listed.items() if not files]:
        report.problem(f"{name}: the index has no such distribution")
        del listed[name]
    if "tensorflow" not in listed:
        raise ReadError("nothing can be said without the page of tensorflow")
    own = {name: listed[name] for name in DISTRIBUTIONS if name in listed}
    others = {name: listed[name] for name in COMPANIONS if name in listed}

    wheels = {
        (name, version, platform): wheel
        for name, versions in own.items()
        for version, files in sorted(versions.items())
        if _is_described(version) and _series_of(version) >= numbers(OPENED)
        for platform, wheel in representatives(served(files)).items()
    }
    report.say(f"{len(wheels)} wheels of TensorFlow's, one a release and platform")
    facts = reader.each("wheels", lambda place: reader.wheel(place, wheels[place]), wheels)
    samples = {
        (name, version): wheel
        for name, versions in others.items()
        for version, files in sorted(versions.items())
        if not version.is_prerelease and (wheel := _sample(files)) is not None
    }
    report.say(f"{len(samples)} wheels of companions")
    said = reader.each("wheels", lambda place: reader.companion(place, samples[place]), samples)
    wanted = sorted(names_to_ask(facts.values()) - own.keys())
    report.say(f"{len(wanted)} pages of what they require")
    known = Knowledge(own, facts, own | reader.pages(wanted))

    contents = Contents({}, {})
    for name in own:
        _add_distribution(contents, name, known, report)
    _add_companions(contents, others, said)
    unread = [(name, str(version)) for name, version in samples if (name, version) not in said]
    contents.unread["companions.json"] = unread
    return contents


def _add_distribution(
    contents: Contents, name: str, known: Knowledge, report: RefreshReport
) -> None:
    """Puts one distribution's data file together, as far as its wheels were read."""
    versions = known.listed[name]
    blocks: dict[str, Block] = {}
    lost: list[tuple[str, str]] = []
    for version in filter(_is_described, sorted(versions)):
        try:
            blocks[str(version)] = (
                block_of(name, version, known)
                if _series_of(version) >= numbers(OPENED)
                else outline(versions[version])
            )
        except ReadError as error:
            report.problem(f"{name} {version}: {error}")
            lost.append((name, str(version)))
    contents.files[f"{name}.json"] = _content(name, versions, blocks)
    contents.unread[f"{name}.json"] = lost


def _add_companions(
    contents: Contents,
    others: Mapping[str, Available],
    said: Mapping[tuple[str, Version], CompanionFacts],
) -> None:
    """Puts the companions' data file together."""
    final = {
        name: {version: files for version, files in versions.items() if not version.is_prerelease}
        for name, versions in others.items()
    }
    contents.files["companions.json"] = {
        "schema": SCHEMA,
        "generator": GENERATOR,
        "companions": companion_blocks(final, said),
    }


def _content(name: str, versions: Available, blocks: Mapping[str, Block]) -> Block:
    """One distribution's data file."""
    described = [version for version in sorted(versions) if _series_of(version) >= numbers(FIRST)]
    return {
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


def _sample(files: Sequence[Distribution]) -> Distribution | None:
    """The wheel that speaks for a companion's release; None where it has none."""
    wheels = [file for file in served(files) if file.is_wheel]
    chosen = [*representatives(wheels).values(), *sorted(wheels, key=lambda w: w.file.filename)]
    return chosen[0] if chosen else None


def _metadata(cached: CachedWheel) -> str:
    text = cached.text(Member.METADATA)
    if text is None:
        raise ReadError("it has no METADATA")
    return text


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


def default_cache() -> Path:
    """Where programs keep what they can get again, by the custom of the system."""
    home = os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else None
    base = Path(home or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "poetry-tf" / "wheels"


def data_folder() -> Path:
    """The data folder of the source tree that this program runs from."""
    return Path(__file__).parent.parent / "data"


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; returns its exit status."""
    options = _parser().parse_args(arguments)
    report, client = RefreshReport(), Client()
    cache = None if options.no_cache else options.cache
    started, spent = time.monotonic(), time.process_time()
    try:
        url = options.index or default_index()
        report.say(f"index: {masked(url)}")
        contents = read(IndexReader(SimpleIndex(url, client), client, cache, report))
    except ReadError as error:
        report.problem(str(error))
        return 2
    except KeyboardInterrupt:
        report.problem("interrupted: the data is as it was, the next run goes on from here")
        return 130
    finally:
        client.close()
    report.say(
        f"{client.requests} requests, {client.bytes:,} bytes, "
        f"{time.monotonic() - started:.0f} s, of these {time.process_time() - spent:.0f} s our own"
    )
    before = {name: known_before(options.output / name) for name in contents.files}
    changes = {name: differences(before[name], content) for name, content in contents.files.items()}
    if options.check:
        return _told(changes, report)
    for name, content in contents.files.items():
        for distribution, version in keep(contents.unread[name], content, before[name]):
            report.say(f"  {distribution} {version}: kept as it was")
        try:
            write(options.output / name, render(content) + "\n")
        except OSError as error:
            report.problem(f"{options.output / name}: {error.strerror or error}")
            return 2
        report.say(f"{name}: {len(changes[name])} changes")
    return 2 if report.problems else 0


def _told(changes: Mapping[str, Sequence[str]], report: RefreshReport) -> int:
    """Tells the differences that `--check` found; returns the exit status."""
    for name, lines in changes.items():
        for line in lines:
            report.say(f"{name}: {line}")
    count = sum(map(len, changes.values()))
    report.say(f"{count} differences" if count else "up to date")
    return 1 if count else 2 if report.problems else 0


def keep(unread: Iterable[tuple[str, str]], content: Block, before: Block) -> list[tuple[str, str]]:
    """Puts what was known of releases that couldn't be read this time into a new content.

    Returns:
        The releases of which something was known.
    """
    kept = []
    for name, releases in before.get("companions", {}).items():
        # One whose page couldn't be read; what is no companion any more is not missed.
        if name in COMPANIONS and name not in content["companions"]:
            content["companions"][name] = releases
            kept += [(name, version) for version in releases]
    if "companions" in content:
        content["companions"] = dict(sorted(content["companions"].items()))
    for name, version in unread:
        old, new = releases_in(before, name), releases_in(content, name)
        if version in old:
            new[version] = old[version]
            kept.append((name, version))
            for known in sorted(new, key=Version):  # a dict keeps the order of entering
                new[known] = new.pop(known)
    return kept


def releases_in(content: Block, name: str) -> dict[str, Block]:
    """The releases of a distribution in a data file's content, to be read or changed."""
    found: dict[str, Block] = (
        content.get("companions", {}).get(name, {})
        if "companions" in content
        else content.get("releases", {})
    )
    return found


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
        default=data_folder(),
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
