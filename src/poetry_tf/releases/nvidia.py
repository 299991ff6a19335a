"""What a release's CUDA wants of NVIDIA's driver, and cuDNN's package for it.

`data/nvidia.json` is kept by hand, each entry with its source and how sure it is.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Literal

from poetry_tf.releases.model import LINUX_X86_64, Release, numbers
from poetry_tf.releases.resources import read_json


@dataclass(frozen=True, slots=True)
class Driver:
    """What one CUDA release wants of NVIDIA's driver.

    Attributes:
        cuda: the CUDA release as NVIDIA's release notes name it: `12.5 Update 1`.
        linux, windows: the driver that comes with its toolkit. It runs everything, also code that
            is compiled for a GPU at first use (PTX). None where there is none.
        linux_least, windows_least: the oldest driver that runs programs built with it which need no
            such compilation (minor-version compatibility). None where there is no such promise.
    """

    cuda: str
    linux: str | None
    windows: str | None
    linux_least: str | None
    windows_least: str | None


@dataclass(frozen=True, slots=True)
class CudnnPackage:
    """The Debian package of cuDNN for a release of TensorFlow.

    Attributes:
        packages: as `apt-get install` takes them (`libcudnn8=8.6.0.163-1+cuda11.8`), the one that
            the release was built with first. Empty where none is known.
        pinned: the version that the `and-cuda` extra pins or bounds; None where there is none.
        source: where that was found.
        confidence: how sure it is.
        note: what else a user should know; may be empty.
    """

    packages: tuple[str, ...]
    pinned: str | None
    source: str
    confidence: Literal["high", "medium", "low"]
    note: str


@functools.cache
def drivers() -> tuple[tuple[str, Driver], ...]:
    """Every CUDA release with all three parts of its version, ascending, and what it wants."""
    return tuple(
        (
            entry["cuda"],
            Driver(
                entry["name"],
                entry["linux"],
                entry["windows"],
                entry["linux_least"],
                entry["windows_least"],
            ),
        )
        for entry in _data()["drivers"]["releases"]
    )


def driver(cuda: str) -> Driver | None:
    """What a CUDA as a wheel names it (`"11.8"`, `"12.5.1"`) wants; None for an unknown one.

    Without a patch it is the last update's, because its driver runs what any of them built.
    """
    wanted = numbers(cuda)
    fitting = [item for version, item in drivers() if numbers(version)[: len(wanted)] == wanted]
    return fitting[-1] if fitting else None


def cudnn_package(release: Release) -> CudnnPackage | None:
    """The Debian package of cuDNN for a release with CUDA; None where none is known."""
    if release.cudnn is None:
        return None
    for entry in _data()["cudnn"]:
        if release.series in entry["series"]:
            return CudnnPackage(
                tuple(entry["packages"]),
                entry["pinned"],
                entry["source"],
                entry["confidence"],
                entry["note"],
            )
    return None


def libraries(release: Release) -> tuple[str, ...]:
    """The libraries of CUDA and cuDNN that a release opens when it looks for GPUs, in its order.

    Empty for a release that is built without CUDA, or with one that isn't known.
    """
    if release.cuda is None or release.cudnn is None:
        return ()
    data = _data()["libraries"]
    cuda, cudnn = numbers(release.cuda)[0], numbers(release.cudnn)[0]
    found = [
        f"{name}.so.{suffix}"
        for entry in (*data["cuda"], *data["also"])
        if entry["major"] == cuda
        and numbers(release.series) <= numbers(entry.get("until", release.series))
        for name, suffix in entry["libraries"].items()
    ]
    parts = [
        f"{name}.so.{cudnn}"
        for entry in data["cudnn"]
        if entry["major"] == cudnn
        for name in entry["libraries"]
    ]
    return (*found, *parts) if found else ()


def driver_libraries(release: Release) -> tuple[str, ...]:
    """The libraries of the driver without which a release lists no GPU, besides libcuda."""
    return tuple(
        name
        for entry in _data()["libraries"]["driver"]
        if numbers(release.series) >= numbers(entry["from"])
        for name in entry["libraries"]
    )


def driver_capabilities(release: Release) -> tuple[str, ...]:
    """What has to be among NVIDIA_DRIVER_CAPABILITIES, where that is set, for a release.

    Where it isn't set, NVIDIA's container toolkit takes compute and utility.
    """
    least = [
        entry["capability"]
        for entry in _data()["libraries"]["driver"]
        if numbers(release.series) >= numbers(entry["from"])
    ]
    return tuple(dict.fromkeys(["compute", *least]))


def overlooked_folders(release: Release) -> tuple[str, ...]:
    """The folders of its own `and-cuda` wheels that a release should look in, and doesn't.

    `cusolver` stands for `nvidia/cusolver/lib`. It opens libraries that lie there, but its RUNPATH
    doesn't name the folder. None for a release of which too little is known to say so.
    """
    linux = release.wheels.get(LINUX_X86_64)
    data = _data()["libraries"]["folders"]
    if release.and_cuda is None or linux is None or linux.looks_in is None:
        return ()
    if release.cuda is None or numbers(release.cuda)[0] not in data["majors"]:
        return ()
    stems = [name.partition(".so")[0] for name in libraries(release)]
    # A part of cuDNN (libcudnn_ops) lies where cuDNN does.
    needed = {data["of"].get(stem.partition("_")[0]) for stem in stems} - {None}
    return tuple(sorted(needed - set(linux.looks_in)))


@functools.cache
def _data() -> dict[str, Any]:
    return read_json("nvidia.json")
