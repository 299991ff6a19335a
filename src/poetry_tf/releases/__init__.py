"""What is known of TensorFlow's releases: generated data, and typed access to it.

Users of this room import its names from here; each is loaded when first asked for, so that a Poetry
command that needs none of them pays for none. The room knows nothing of Poetry or of projects.
`python -m poetry_tf.releases.refresh` reads the data anew from an index.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from poetry_tf.releases.catalog import Catalog, Standing, load
    from poetry_tf.releases.model import PLATFORMS, AndCuda, ContainerPair, Release, series_of
    from poetry_tf.releases.names import Role, misspelling_of, named, normalize, own, role

__all__ = [
    "PLATFORMS",
    "AndCuda",
    "Catalog",
    "ContainerPair",
    "Release",
    "Role",
    "Standing",
    "load",
    "misspelling_of",
    "named",
    "normalize",
    "own",
    "role",
    "series_of",
]

_HOMES = {
    "catalog": ("Catalog", "Standing", "load"),
    "model": ("PLATFORMS", "AndCuda", "ContainerPair", "Release", "series_of"),
    "names": ("Role", "misspelling_of", "named", "normalize", "own", "role"),
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
