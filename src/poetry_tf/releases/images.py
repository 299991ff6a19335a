"""What dev containers are built from: the base image, the features, and which of them are retired.
And how old a system the files of a lock have to run on.

Kept by hand in ``data/images.json``, each entry with its source.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any


@dataclass(frozen=True)
class Feature:
    """A dev container feature: its id without the version, and the major version to ask for."""

    id: str
    version: str
    options: tuple[str, ...] = ()
    """The options that it knows: it passes over any other in silence."""
    downloads: tuple[str, ...] = ()
    """Where its files come from when it is installed, besides the registry."""
    apt: Mapping[str, str] = field(default_factory=dict)
    """The apt repository that it installs from, by its own major version."""

    @property
    def name(self) -> str:
        """What it is called, without where it is from."""
        return self.id.rpartition("/")[2]

    @property
    def reference(self) -> str:
        return f"{self.id}:{self.version}"


@dataclass(frozen=True)
class Systems:
    """The oldest systems that a lock's files have to run on, as wheels' platform tags count them.

    Attributes:
        glibc: the glibc of the container's image.
        macos: the macOS of a Mac, which no lock and no container says: an assumption.
    """

    glibc: str
    macos: str


@dataclass(frozen=True)
class Images:
    """The Python image and the features that a container is put together from."""

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
    systems: Systems

    def image(self, python: str) -> str:
        """The image reference for a Python minor such as "3.11"."""
        return f"{self.repository}:{self.tag(python)}"

    def tag(self, python: str) -> str:
        """The tag of the image for a Python minor."""
        return f"{self.generation}-{python}-{self.distribution}"

    @property
    def registry(self) -> str:
        """The registry that the image is from."""
        return self.repository.partition("/")[0]


@functools.cache
def load_images() -> Images:
    """The facts this version of poetry-tf ships."""
    text = resources.files("poetry_tf.releases").joinpath("data/images.json").read_text("utf-8")
    data = json.loads(text)
    python, features, poetry = data["python"], data["features"], data["poetry_features"]
    systems = data["systems"]
    return Images(
        repository=python["repository"],
        generation=python["generation"],
        distribution=python["distribution"],
        pythons=tuple(python["pythons"]),
        retired_generations=frozenset(python["retired_generations"]),
        cuda=_feature(features["cuda"]),
        git_lfs=_feature(features["git_lfs"]),
        retired_poetry_features=tuple(poetry["retired"]),
        poetry_features=tuple(poetry["living"]),
        cache_features=tuple(poetry["cache"]),
        systems=Systems(systems["glibc"][python["distribution"]], systems["macos"]),
    )


def _feature(data: dict[str, Any]) -> Feature:
    return Feature(
        data["id"],
        data["version"],
        tuple(data["options"]),
        tuple(data["downloads"]),
        data.get("apt", {}),
    )
