"""What is known of TensorFlow's releases: generated data, and typed access to it.

Users of this room import its names from here; each is loaded when first asked for, so that a Poetry
command that needs none of them pays for none. The room knows nothing of Poetry or of projects.
`python -m poetry_tf.releases.reader.refresh` reads the data anew from an index.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from poetry_tf.releases.catalog import DISTRIBUTIONS, Catalog, Standing, load, whole
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
    "catalog": ("DISTRIBUTIONS", "Catalog", "Standing", "load", "whole"),
    "companions": ("Companion", "Fit", "fits"),
    "model": ("PLATFORMS", "AndCuda", "ContainerPair", "Release", "Wheels", "series_of"),
    "names": ("Role", "misspelling_of", "named", "normalize", "own", "role"),
    "nvidia": ("CudnnPackage", "Driver", "cudnn_package", "driver"),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            value = getattr(import_module(f"{__name__}.{module}"), name)
            globals()[name] = value  # so that this function is asked once a name
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
