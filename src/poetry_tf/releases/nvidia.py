"""The NVIDIA driver, cuDNN package and libraries that a release needs.

`data/nvidia.json` is kept by hand, each entry with its source and how certain it is.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Literal

from poetry_tf.releases.model import LINUX_X86_64, Release, numbers
from poetry_tf.releases.resources import read_json, value_of


@dataclass(frozen=True, slots=True)
class Driver:
    """The NVIDIA driver for a CUDA release.

    Attributes:
        cuda: the CUDA release as named in NVIDIA's release notes: `12.5 Update 1`.
        linux, windows: the driver of its toolkit. It runs everything, including code that is
            compiled for a GPU at first use (PTX). None if there is none.
        linux_least, windows_least: the oldest driver for programs that need no such compilation
            (minor version compatibility). None if NVIDIA does not guarantee that.
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
        packages: for `apt-get install` (`libcudnn8=8.6.0.163-1+cuda11.8`), first the one that the
            release was built with. Empty if none is known.
        pinned: the version that the `and-cuda` extra pins or bounds; None if there is none.
        note: what else a user should know; may be empty.
    """

    packages: tuple[str, ...]
    pinned: str | None
    source: str
    confidence: Literal["high", "medium", "low"]
    note: str


@dataclass(frozen=True, slots=True)
class OwnImage:
    """NVIDIA's container image with TensorFlow, for GPUs that no wheel has code for.

    Attributes:
        tensorflow, cuda: what it holds.
        first: the compute capability from which on wheels fail that have only older GPUs' PTX.
    """

    name: str
    tensorflow: str
    cuda: str
    first: str
    source: str


@functools.cache
def drivers() -> tuple[tuple[str, Driver], ...]:
    """The CUDA releases, as versions with three parts, ascending, with their drivers."""
    return tuple(
        (entry["cuda"], value_of(Driver, entry, cuda=entry["name"]))
        for entry in _data()["drivers"]["releases"]
    )


def driver(cuda: str) -> Driver | None:
    """The driver for a CUDA as named by a wheel (`"11.8"`, `"12.5.1"`); None if unknown.

    Without a patch it is that of the last update, which runs programs of all of them.
    """
    parts = numbers(cuda)
    matching = [item for version, item in drivers() if numbers(version)[: len(parts)] == parts]
    return matching[-1] if matching else None


def own_image() -> OwnImage:
    """NVIDIA's last container image with TensorFlow."""
    entry = _data()["image"]
    return value_of(OwnImage, entry, first=entry["from"])


def cudnn_package(release: Release) -> CudnnPackage | None:
    """The Debian package of cuDNN for a release with CUDA; None if unknown."""
    if release.cudnn is None:
        return None
    for entry in _data()["cudnn"]:
        if release.series in entry["series"]:
            return value_of(CudnnPackage, entry)
    return None


def libraries(release: Release) -> tuple[str, ...]:
    """The libraries of CUDA and cuDNN that a release opens to list GPUs, in its order.

    Empty for a release that is built without CUDA, or with an unknown one.
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
    return tuple(name for entry in _driver_parts(release) for name in entry["libraries"])


def driver_capabilities(release: Release) -> tuple[str, ...]:
    """The values that NVIDIA_DRIVER_CAPABILITIES must have, if set, for a release.

    If it is not set, NVIDIA's container toolkit uses compute and utility.
    """
    least = (entry["capability"] for entry in _driver_parts(release))
    return tuple(dict.fromkeys(["compute", *least]))


def _driver_parts(release: Release) -> list[dict[str, Any]]:
    parts = _data()["libraries"]["driver"]
    return [part for part in parts if numbers(release.series) >= numbers(part["from"])]


def overlooked_folders(release: Release) -> tuple[str, ...]:
    """The folders of its own `and-cuda` wheels that a release does not look in, but should.

    `cusolver` stands for `nvidia/cusolver/lib`: the release opens libraries of that folder, but its
    RUNPATH lacks it. Empty if too little is known of the release.
    """
    linux = release.wheels.get(LINUX_X86_64)
    data = _data()["libraries"]["folders"]
    if release.and_cuda is None or linux is None or linux.looks_in is None:
        return ()
    if release.cuda is None or numbers(release.cuda)[0] not in data["majors"]:
        return ()
    stems = [name.partition(".so")[0] for name in libraries(release)]
    # Parts of cuDNN (libcudnn_ops) are in the folder of cuDNN.
    needed = {data["of"].get(stem.partition("_")[0]) for stem in stems} - {None}
    return tuple(sorted(needed - set(linux.looks_in)))


@functools.cache
def _data() -> dict[str, Any]:
    return read_json("nvidia.json")
