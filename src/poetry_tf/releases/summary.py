"""Summaries of releases, as JSON values (`dict`, `list`, `str`, `bool`, None)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, TypeAlias

from poetry_tf.releases.catalog import Catalog
from poetry_tf.releases.companions import Fit, bounds_on, companions, newest
from poetry_tf.releases.model import LINUX_X86_64, PLATFORMS, ContainerPair, Release, Wheels
from poetry_tf.releases.nvidia import CudnnPackage, Driver, cudnn_package, driver

Plain: TypeAlias = dict[str, Any]


def origin_note(release: Release, day: str) -> str:
    """Where the facts of a release come from, as a clause; empty if from the data.

    `day` is the day of the data.
    """
    return {
        "packaged": "",
        "read": f"newer than the data of poetry-tf ({day}), read from {what_was_read(release)}",
        "locked": f"newer than the data of poetry-tf ({day}), known from poetry.lock",
        "inferred": f"newer than the data of poetry-tf ({day}), treated as {release.inferred_from}",
    }[release.origin]


def what_was_read(release: Release) -> str:
    """What of a release was read, of one that was read on this machine."""
    return "its wheels" if release.is_build_known else "the metadata of its wheels alone"


def series_summary(catalog: Catalog, series: str) -> Plain:
    """The facts of the newest release of a series, and the list of its releases.

    Raises:
        LookupError: the catalog has no such series.
    """
    release = catalog.newest(series)
    if release is None:
        raise LookupError(series)
    cuda = driver(release.cuda) if release.cuda else None
    return {
        "series": series,
        "newest": str(release.version),
        "releases": [str(other.version) for other in catalog.in_series(series)],
        "uploaded": release.uploaded,
        "origin": release.origin,
        "pythons": {p: list(release.usable_on(p)) for p in PLATFORMS if release.usable_on(p)},
        "build_known": release.is_build_known,
        "cuda": release.cuda,
        "cudnn": release.cudnn,
        "driver": cuda and (cuda.linux_least or cuda.linux),
        "keras": keras(release),
    }


def keras(release: Release) -> str | None:
    """The Keras that a release requires, as a specifier; None if its wheels require none."""
    required = bounds_on("keras", release)
    if required is None:
        return None
    # The lower bound first, as usual.
    parts = sorted(required, key=lambda part: (part.operator[0] == "<", str(part)))
    return ",".join(map(str, parts)) or "any"


def release_summary(catalog: Catalog, release: Release) -> Plain:
    """All facts of a release."""
    return {
        "distribution": release.distribution,
        "version": str(release.version),
        "inferred_from": str(release.inferred_from) if release.inferred_from else None,
        "origin": release.origin,
        "series": release.series,
        "releases": [str(other.version) for other in catalog.in_series(release.series)],
        "uploaded": release.uploaded,
        "yanked": release.yanked,
        "opened": release.is_opened,
        "build_known": release.is_build_known,
        "platforms": {platform: _wheels(wheels) for platform, wheels in release.wheels.items()},
        "cuda": release.cuda,
        "cudnn": release.cudnn,
        "driver": _plain(driver(release.cuda) if release.cuda else None),
        "cudnn_package": _plain(cudnn_package(release)),
        "container": _plain(catalog.container_pair(release)),
        "and_cuda": _and_cuda(release),
        "requires": list(release.requires),
        "unsatisfiable": list(release.unsatisfiable),
        "companions": [
            _fit(fit, release)
            for name in companions()
            # A release without wheels needs no companions.
            if release.wheels and (fit := newest(name, release)) is not None
        ],
    }


def span(minors: Iterable[str]) -> str:
    """Ascending Python minors as ranges: `3.9-3.11`, or `2.7, 3.5-3.7` with a gap."""
    runs: list[list[str]] = []
    for minor in minors:
        major, _, number = minor.partition(".")
        if runs and runs[-1][-1] == f"{major}.{int(number) - 1}":
            runs[-1].append(minor)
        else:
            runs.append([minor])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _wheels(wheels: Wheels) -> Plain:
    return {
        "tags": {tag: list(minors) for tag, minors in wheels.tags.items()},
        "usable": list(wheels.usable),
        "glibc": wheels.glibc,
        "macos": wheels.macos,
        "kind": wheels.kind,
        "target": wheels.target,
        "cuda": wheels.cuda,
        "cudnn": wheels.cudnn,
        "compute": None if wheels.compute is None else list(wheels.compute),
        "requires": list(wheels.requires),
        "requires_by_python": {
            python: list(lines) for python, lines in wheels.requires_by_python.items()
        },
    }


def _plain(found: Driver | CudnnPackage | ContainerPair | None) -> Plain | None:
    if found is None:
        return None
    values = asdict(found)
    return {key: list(one) if isinstance(one, tuple) else one for key, one in values.items()}


def _and_cuda(release: Release) -> Plain | None:
    extra = release.and_cuda
    if extra is None:
        return None
    by_platform = {LINUX_X86_64: extra.pythons, **extra.elsewhere}
    return {
        "requires": list(extra.requires),
        "pythons": {platform: list(minors) for platform, minors in by_platform.items()},
    }


def _fit(fit: Fit, release: Release) -> Plain:
    companion = fit.companion
    return {
        "name": companion.name,
        "version": str(companion.version),
        "basis": fit.basis,
        "solved": fit.solved,
        "source": fit.source,
        "lacks": list(companion.lacks(release)),
    }
