"""The base image and features of dev containers, and the oldest systems a lock has to support.

Kept by hand in ``data/images.json``, each entry with its source.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

from poetry_tf.releases.resources import read_json, value_of


@dataclass(frozen=True)
class Feature:
    """A dev container feature: its id without the version, and the major version to use."""

    id: str
    version: str
    options: tuple[str, ...] = ()
    """Its options; it silently ignores others."""
    downloads: tuple[str, ...] = ()
    """The hosts, besides the registry, from which it downloads."""
    apt: Mapping[str, str] = field(default_factory=dict)
    """The apt repository that it installs from, by major version of the feature."""
    retired: tuple[str, ...] = ()
    """The major versions that no longer work."""
    least_cuda: Mapping[str, str] = field(default_factory=dict)
    """The least CUDA that it can install, by distribution; any in one that is not there."""

    @property
    def name(self) -> str:
        """The last part of its id."""
        return self.id.rpartition("/")[2]

    @property
    def reference(self) -> str:
        return f"{self.id}:{self.version}"


@dataclass(frozen=True)
class MovedFeatures:
    """The features of an organisation that was deleted, and where they are now."""

    old: str
    """The start of their ids."""
    new: str
    not_moved: tuple[str, ...]
    """The names of those that have no successor."""

    def successor(self, name: str) -> str | None:
        """The id of the successor of a feature by that name; None if it has none."""
        return None if name in self.not_moved else self.new + name


@dataclass(frozen=True)
class Systems:
    """The oldest systems that the files of a lock have to support, as in platform tags.

    Attributes:
        glibc: the glibc of the container's image.
        macos: the macOS of a Mac: an assumption, since neither lock nor container has it.
    """

    glibc: str
    macos: str


@dataclass(frozen=True)
class Images:
    """The Python image and the features of a container."""

    repository: str
    generation: str
    distribution: str
    pythons: tuple[str, ...]
    """The Python minors that the image exists for, ascending."""
    retired_generations: frozenset[str]
    cuda: Feature
    git_lfs: Feature
    retired_poetry_features: tuple[str, ...]
    poetry_features: tuple[str, ...]
    cache_features: tuple[str, ...]
    moved_features: MovedFeatures
    poetry_tf_on_pypi: bool
    """Whether the name poetry-tf on PyPI is this project's."""
    systems: Systems

    def image(self, python: str) -> str:
        """The image reference for a Python minor such as "3.11"."""
        return f"{self.repository}:{self.tag(python)}"

    def tag(self, python: str) -> str:
        """The tag of the image for a Python minor."""
        return f"{self.generation}-{python}-{self.distribution}"

    @property
    def registry(self) -> str:
        """The registry of the image."""
        return self.repository.partition("/")[0]


@functools.cache
def load_images() -> Images:
    """The packaged data."""
    data = read_json("images.json")
    python, features, poetry = data["python"], data["features"], data["poetry_features"]
    systems = data["systems"]
    return value_of(
        Images,
        python,
        retired_generations=frozenset(python["retired_generations"]),
        cuda=value_of(Feature, features["cuda"]),
        git_lfs=value_of(Feature, features["git_lfs"]),
        retired_poetry_features=tuple(poetry["retired"]),
        poetry_features=tuple(poetry["living"]),
        cache_features=tuple(poetry["cache"]),
        poetry_tf_on_pypi=data["poetry_tf"]["on_pypi"],
        moved_features=value_of(MovedFeatures, data["moved_features"]),
        systems=Systems(systems["glibc"][python["distribution"]], systems["macos"]),
    )
