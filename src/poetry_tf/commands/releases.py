"""``poetry tf releases``: what is known of TensorFlow's releases.

It needs no project and no network.
"""

from __future__ import annotations

import json
from typing import ClassVar

from cleo.helpers import argument, option
from cleo.io.inputs.argument import Argument
from cleo.io.inputs.option import Option

from poetry_tf.commands.base import TensorFlowCommand, align_columns, plain
from poetry_tf.commands.releases_output import (
    PLATFORM_HEADS,
    TABLE_HEADS,
    describe_release,
    table_row,
)
from poetry_tf.plan.release import newer_than_data
from poetry_tf.releases import DISTRIBUTIONS, Catalog, Release, load, whole
from poetry_tf.releases.summary import Plain, release_summary, series_summary


class ReleasesCommand(TensorFlowCommand):
    name = "tf releases"
    description = "Shows what is known of TensorFlow's releases."
    arguments: ClassVar[list[Argument]] = [
        argument(
            "release",
            "A series (2.15), for its newest release, or a release (2.15.0): shows everything "
            "about it.",
            optional=True,
        )
    ]
    options: ClassVar[list[Option]] = [
        option("all", None, "Also the series from 2.0 on that no project is planned for."),
        option(
            "distribution",
            None,
            f"Another distribution of TensorFlow: {', '.join(DISTRIBUTIONS[1:])}.",
            flag=False,
            default=DISTRIBUTIONS[0],
        ),
        option("json", None, "As JSON, for programs."),
    ]
    loggers: ClassVar[list[str]] = []
    help = """\
Without an argument, a table of the series to choose from, each by its newest release: the Pythons \
and platforms it has wheels for, the CUDA and cuDNN its Linux wheels are built with, the oldest \
NVIDIA driver on Linux, and the Keras it wants. With one, everything about a release.

All of it was read from the wheels and comes with poetry-tf: no network, no project.
"""

    def handle(self) -> int:
        name = self.option("distribution")
        if name not in DISTRIBUTIONS:
            return self.fail(
                f"{name!r} is no distribution of TensorFlow that poetry-tf knows",
                f"Give one of {', '.join(DISTRIBUTIONS)}.",
            )
        version = self.argument("release")
        if version is not None:
            return self._one(whole(name), version)
        return self._table(whole(name) if self.option("all") else load(name))

    def _table(self, catalog: Catalog) -> int:
        rows = [series_summary(catalog, series) for series in catalog.series]
        if self.option("json"):
            return self._json({"data": catalog.data_version, "series": rows})
        heads = [
            one + platforms for one, platforms in zip(TABLE_HEADS, PLATFORM_HEADS, strict=True)
        ]
        for line in align_columns([*heads, *map(table_row, rows)]):
            self.line(plain(line))
        self.line("")
        first = catalog.first_series
        more = "" if self.option("all") else f" Earlier series than {first}: --all."
        self.line(f"Known up to {catalog.data_version}.{more}")
        self.line("Everything about one: <info>poetry tf releases 2.15</>")
        return 0

    def _one(self, catalog: Catalog, version: str) -> int:
        release = _find_release(catalog, version)
        if release is None:
            return self.fail(*_unknown_error(catalog, version))
        found = release_summary(catalog, release)
        if self.option("json"):
            return self._json({"data": catalog.data_version, "release": found})
        for line in describe_release(found):
            self.line(plain(line))
        return 0

    def _json(self, value: Plain) -> int:
        self.line(plain(json.dumps(value, indent=2, ensure_ascii=False)))
        return 0


def _find_release(catalog: Catalog, version: str) -> Release | None:
    """The newest release of a series, or the release of a version."""
    in_series = catalog.newest(version) if version.count(".") == 1 else None
    return in_series or catalog.get(version)


def _unknown_error(catalog: Catalog, version: str) -> tuple[str, str]:
    """The message and the remedy for a version that is not known."""
    if catalog.standing(version) == "newer":
        error = newer_than_data(catalog, f"TensorFlow {version}")
        return error.message, error.remedy
    reason = {
        "prerelease": f"TensorFlow {version} exists, but is no stable release",
        "older": f"TensorFlow {version} is older than what poetry-tf knows",
        "missing": f"There is no TensorFlow {version}",
    }.get(catalog.standing(version) or "", f"{version!r} is no version of TensorFlow")
    return reason, f"Known are the series {catalog.series[0]} to {catalog.series[-1]}."
