"""``poetry tf releases``: what is known of TensorFlow's releases.

It needs no project, and no network but for `--refresh`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cleo.helpers import argument, option
from cleo.io.inputs.argument import Argument
from cleo.io.inputs.option import Option
from packaging.version import Version

from poetry_tf.commands.base import (
    FORMAT_OPTIONS,
    TensorFlowCommand,
    align_columns,
    plain,
    titled_section,
)
from poetry_tf.plan.release import newer_than_data, prerelease_kind
from poetry_tf.releases import DISTRIBUTIONS, PLATFORMS, Catalog, Release, load, whole
from poetry_tf.releases.model import numbers, series_of
from poetry_tf.releases.summary import Plain, release_summary, series_summary, span, what_was_read

if TYPE_CHECKING:
    from poetry_tf.actions.refresh import NewRelease

# The two lines of the table's heading.
_PLATFORM_HEADS = ("Linux", "Linux", "macOS", "macOS", "Windows")
_HEADS = (
    ("TensorFlow", "Python", "CUDA", "cuDNN", "driver", "Keras", *_PLATFORM_HEADS),
    ("", "", "", "", "from", "", "x86_64", "aarch64", "x86_64", "arm64", ""),
)

_BASIS_TEXTS = {
    "tensorflow": "TensorFlow requires it",
    "metadata": "it requires this TensorFlow",
    "open": "it names only the oldest TensorFlow",
    "code": "stated in its code only",
    "extra": "stated in an extra only",
    "documented": "documented or tested",
}


class ReleasesCommand(TensorFlowCommand):
    _new: tuple[NewRelease, ...] | None = None
    """What `--refresh` has found."""

    name = "tf releases"
    description = "Shows the releases of TensorFlow: Python, CUDA, cuDNN, driver, platforms."
    arguments: ClassVar[list[Argument]] = [
        argument(
            "release",
            "Show everything about a series (2.15: its newest release) or a release (2.15.0).",
            optional=True,
        )
    ]
    options: ClassVar[list[Option]] = [
        option(
            "all", None, "Also show older series from 2.0 on, which poetry-tf does not support."
        ),
        option(
            "distribution",
            None,
            f"Show another distribution of TensorFlow: {', '.join(DISTRIBUTIONS[1:])}.",
            flag=False,
            default=DISTRIBUTIONS[0],
        ),
        option(
            "refresh",
            None,
            "Read newer releases from the index, and show what changed.",
        ),
        *FORMAT_OPTIONS,
    ]
    examples: ClassVar[Mapping[str, str]] = {
        "poetry tf releases": "the series to choose from",
        "poetry tf releases 2.15": "everything about one",
        "poetry tf releases --refresh": "also what came out since",
    }
    help = """\
Without an argument, a table of the series to choose from, each with its newest release: the \
Pythons and platforms that have wheels, the CUDA and cuDNN that the Linux wheels are built with, \
the oldest NVIDIA driver on Linux, and the Keras that it requires. With an argument, everything \
about one release.

The data was read from the wheels and is part of poetry-tf: it needs no network and no project. \
<info>--refresh</> reads newer releases from the index, and marks them.
"""

    def act(self) -> int:
        self.check_format()
        name = self.option("distribution")
        if name not in DISTRIBUTIONS:
            return self.fail(
                f"Unknown distribution of TensorFlow: {name!r}",
                f"Give one of {', '.join(DISTRIBUTIONS)}.",
            )
        version = self.argument("release")
        if self.option("refresh"):
            from poetry_tf.actions.refresh import refresh
            from poetry_tf.http.errors import ReadError

            def report(line: str) -> None:
                self.line_error(plain(f"poetry-tf: {line}"))

            try:
                self._new = refresh(name, Path.cwd(), report)
            except ReadError as error:
                return self.fail(f"Could not read the index: {error}")
        if version is not None:
            return self._one(whole(name), version)
        return self._table(whole(name) if self.option("all") else load(name))

    def _table(self, catalog: Catalog) -> int:
        rows = [series_summary(catalog, series) for series in catalog.series]
        if self.format == "json":
            new = None if self._new is None else [*map(_new_value, self._new)]
            return self._json({"data": catalog.data_version, "series": rows, "new": new})
        for line in align_columns([*_HEADS, *map(_table_row, rows)]):
            self.line(plain(line))
        self.line("")
        first = catalog.first_series
        more = "" if self.option("all") else f" For series before {first}: --all."
        self.line(f"Data of {catalog.data_version}.{more}")
        if any(row["origin"] != "packaged" for row in rows):
            self.line("* read from the index")
        for item in self._new or ():
            self.line(plain(_new_line(item)))
            for change in item.changes:
                self.line(plain(f"  {change}"))
        if self._new == ():
            self.line("The index has no newer release.")
        self.line("Everything about one: <info>poetry tf releases 2.15</>")
        return 0

    def _one(self, catalog: Catalog, version: str) -> int:
        release = _named(catalog, version)
        if release is None:
            return self.fail(*_unknown_error(catalog, version, was_read=self._new is not None))
        found = release_summary(catalog, release)
        if self.format == "json":
            return self._json({"data": catalog.data_version, "release": found})
        for line in _release_lines(found, what_was_read(release)):
            self.line(plain(line))
        first = load().first_series
        if numbers(release.series) < numbers(first):
            self.line("")
            self.line(f"Older than the releases that poetry-tf supports, from {first} on.")
        return 0

    def _json(self, value: Plain) -> int:
        self.write_json(value)
        return 0


def _named(catalog: Catalog, text: str) -> Release | None:
    """The newest release of a series, or the release of a version; None for what is neither."""
    try:
        version = Version(text)
    except ValueError:
        return None
    if len(version.release) < 2:
        return None
    series = series_of(version)
    return (catalog.newest(series) if str(version) == series else None) or catalog.get(version)


def _new_line(item: NewRelease) -> str:
    if item.release is None:
        return f"New since then: {item.version}, {prerelease_kind(item.version)}"
    return f"New since then: {item.version}, read from {what_was_read(item.release)}"


def _new_value(item: NewRelease) -> Plain:
    return {
        "version": str(item.version),
        "prerelease": item.version.is_prerelease,
        "origin": item.release and item.release.origin,
        "changes": list(item.changes),
    }


def _unknown_error(catalog: Catalog, version: str, *, was_read: bool) -> tuple[str, str]:
    """The message and the remedy for a version that is not known."""
    if catalog.standing(version) == "newer":
        if was_read:
            newest = catalog.releases[-1].version
            return f"The index has no TensorFlow {version}", f"Its newest release is {newest}."
        remedy = f"Read it from the index: poetry tf releases --refresh {version}"
        error = newer_than_data(catalog, f"TensorFlow {version}", remedy)
        return error.message, error.remedy
    if catalog.standing(version) == "prerelease":
        kind = prerelease_kind(Version(version))
        reason = f"TensorFlow {version} is {kind}, not a stable release"
        return reason, f"The known series are {catalog.series[0]} to {catalog.series[-1]}."
    if version.lstrip("vV").isdecimal():
        return f"{version} is not a series of TensorFlow", f"Give one such as {catalog.series[-1]}."
    reason = {
        "older": f"TensorFlow {version} is older than the releases that poetry-tf knows",
        "missing": f"There is no TensorFlow {version}",
    }.get(catalog.standing(version) or "", f"{version!r} is not a version of TensorFlow")
    return reason, f"The known series are {catalog.series[0]} to {catalog.series[-1]}."


def _table_row(row: Plain) -> tuple[str, ...]:
    """A series as a row of the table; `*` marks one that is not in the data."""
    pythons: dict[str, list[str]] = row["pythons"]
    most = max(pythons.values(), key=len, default=[])
    none = "-" if row["build_known"] else "?"
    return (
        row["newest"] + ("" if row["origin"] == "packaged" else " *"),
        span(most),
        row["cuda"] or none,
        row["cudnn"] or none,
        row["driver"] or none,
        row["keras"] or "-",
        # A platform with other Pythons than the Python column shows its own.
        *(
            ("x" if pythons[one] == most else span(pythons[one])) if one in pythons else "-"
            for one in PLATFORMS
        ),
    )


def _release_lines(release: Plain, what: str) -> Iterator[str]:
    """Everything about a release, as lines."""
    others = [other for other in release["releases"] if other != release["version"]]
    yanked = ", yanked" if release["yanked"] else ""
    name = f"{release['distribution']} {release['version']}"
    if known := release["inferred_from"]:
        yield f"{name}, newer than the data; these are the facts of {known}"
    elif release["origin"] == "read":
        yield f"{name}, {release['uploaded'] or 'date unknown'}, read from {what}"
    else:
        yield f"{name}, {release['uploaded']}{yanked}"
    if others:
        yield f"Also in {release['series']}: {', '.join(others)}"
    if not release["platforms"]:
        yield "It has no wheel."
    elif not release["opened"]:
        yield "Only the names of its wheels are known, not their contents."
    yield from titled_section(
        "Wheels", align_columns([*map(_platform_row, release["platforms"].items())])
    )
    yield from titled_section("GPU", _gpu_lines(release))
    yield from titled_section("Requires, on all platforms together", release["requires"])
    yield from titled_section("Left out, because no release satisfies it", release["unsatisfiable"])
    yield from titled_section(
        "Newest packages that fit it", align_columns([*map(_companion_row, release["companions"])])
    )


def _platform_row(item: tuple[str, Plain]) -> tuple[str, ...]:
    platform, wheels = item
    pythons = sorted({minor for minors in wheels["tags"].values() for minor in minors}, key=numbers)
    needs = f"glibc {wheels['glibc']}" if wheels["glibc"] else ""
    needs = f"macOS {wheels['macos']}" if wheels["macos"] else needs
    built = f"CUDA {wheels['cuda']}, cuDNN {wheels['cudnn']}" if wheels["cuda"] else ""
    if wheels["kind"] == "shim":
        built = f"through {wheels['target']}" if wheels["target"] else "empty"
        if wheels["usable"] != pythons:
            built += f", which has {span(wheels['usable']) or 'none of these'}"
    return platform, f"Python {span(pythons)}", needs, built


def _gpu_lines(release: Plain) -> Iterator[str]:
    driver, package = release["driver"], release["cudnn_package"]
    linux = release["platforms"].get(PLATFORMS[0], {})
    if not release["build_known"]:
        yield "CUDA and cuDNN of its build: unknown"
    if linux.get("compute"):
        yield f"compiled for {', '.join(linux['compute'])}"
    elif linux.get("cuda"):
        yield "GPU architectures: unknown"
    if driver:
        least = driver["linux_least"] or driver["linux"]
        newer = driver["linux"] if driver["linux"] != least else None
        more = f"; {newer} or later for a GPU that it is not compiled for" if newer else ""
        yield f"NVIDIA driver {least} or later (Linux){more}"
    if package:
        yield f"cuDNN as apt package: {' or '.join(package['packages'])}"
    if pair := release["container"]:
        sure = "proven" if pair["proven"] else "not proven"
        yield f"dev container: CUDA {pair['cuda']} with cuDNN {pair['cudnn']} ({sure})"
    if extra := release["and_cuda"]:
        where = [f"{span(minors)} on {one}" for one, minors in extra["pythons"].items() if minors]
        yield f"and-cuda: {'Python ' + ', '.join(where) if where else 'no platform has its wheels'}"


def _companion_row(fit: Plain) -> tuple[str, ...]:
    lacks = f"no wheel for {', '.join(fit['lacks'])}" if fit["lacks"] else ""
    return fit["name"], fit["version"], _BASIS_TEXTS[fit["basis"]], lacks
