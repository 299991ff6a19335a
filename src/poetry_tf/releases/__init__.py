"""What is known of TensorFlow's releases: generated data, and typed access to it.

Other packages import the names from here; each is loaded on first use, so a Poetry command loads
only what it needs. Nothing in here depends on Poetry or on a project. To update the data from an
index, run `python -m poetry_tf.releases.reader.refresh`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from poetry_tf.releases.catalog import DISTRIBUTIONS, Catalog, Standing, hashes, load, whole
    from poetry_tf.releases.companions import Companion, Fit, fits
    from poetry_tf.releases.model import (
        PLATFORMS,
        AndCuda,
        ContainerPair,
        Release,
        Wheels,
        series_of,
    )
    from poetry_tf.releases.names import Role, misspelling_of, named, normalize, own, role
    from poetry_tf.releases.nvidia import CudnnPackage, Driver, cudnn_package, driver

__all__ = [
    "DISTRIBUTIONS",
    "PLATFORMS",
    "AndCuda",
    "Catalog",
    "Companion",
    "ContainerPair",
    "CudnnPackage",
    "Driver",
    "Fit",
    "Release",
    "Role",
    "Standing",
    "Wheels",
    "cudnn_package",
    "driver",
    "fits",
    "hashes",
    "load",
    "misspelling_of",
    "named",
    "normalize",
    "own",
    "role",
    "series_of",
    "whole",
]

_HOMES = {
    "catalog": ("DISTRIBUTIONS", "Catalog", "Standing", "hashes", "load", "whole"),
    "companions": ("Companion", "Fit", "fits"),
    "model": ("PLATFORMS", "AndCuda", "ContainerPair", "Release", "Wheels", "series_of"),
    "names": ("Role", "misspelling_of", "named", "normalize", "own", "role"),
    "nvidia": ("CudnnPackage", "Driver", "cudnn_package", "driver"),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            value = getattr(import_module(f"{__name__}.{module}"), name)
            globals()[name] = value  # called once for each name
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
