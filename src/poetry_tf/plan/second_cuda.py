"""NVIDIA's libraries that another package brings, and that clash with TensorFlow's own CUDA.

Another framework (PyTorch, JAX) may require NVIDIA's wheels. TensorFlow's RUNPATH leads into their
folders first, so it takes a library from there and not the container's. What is locked says which.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, TypeAlias

from packaging.utils import NormalizedName

from poetry_tf.files.project import Project
from poetry_tf.plan.alternatives import Alternative, container_alternative
from poetry_tf.plan.environments import DEFAULT_ENVIRONMENTS, Target
from poetry_tf.plan.installations import LockedInstallation, installations
from poetry_tf.plan.lock_entries import LockedPackage, holds
from poetry_tf.plan.model import CONTAINER_PLATFORM
from poetry_tf.plan.requirement import tensorflow_distributions
from poetry_tf.releases import Release
from poetry_tf.releases.nvidia_wheels import (
    PREFIX,
    BuiltWith,
    NvidiaWheel,
    found_libraries,
    nvidia_wheels,
)

Kind: TypeAlias = Literal["overwritten", "refused", "older", "other"]
"""What is wrong with a wheel:

- `overwritten`: another wheel, for another CUDA, has libraries with the same paths.
- `refused`: it is older than what TensorFlow is built with, and TensorFlow refuses it.
- `older`: it is older than what TensorFlow is built with, which is not known to work.
- `other`: it is built for another CUDA than TensorFlow, which is not known to work.
"""


@dataclass(frozen=True)
class CudaClash:
    """An NVIDIA wheel that conflicts with TensorFlow's CUDA, or with another wheel.

    Attributes:
        brought_by: the packages that require the wheel; empty if the project does itself.
        beside: the other wheel with the same paths.
        beside_by: the packages that require that one.
        built: what TensorFlow is built with.
    """

    kind: Kind
    release: Release
    wheel: NvidiaWheel
    brought_by: tuple[str, ...]
    beside: NvidiaWheel | None = None
    beside_by: tuple[str, ...] = ()
    built: BuiltWith | None = None


def cuda_clashes(project: Project) -> tuple[CudaClash, ...]:
    """The clashes in what one installation of the project takes together, each once."""
    return _clashes(project, None, DEFAULT_ENVIRONMENTS)


def container_clashes(project: Project) -> tuple[CudaClash, ...]:
    """The clashes in what the dev container installs."""
    return _clashes(project, (container_alternative(project),), (CONTAINER_PLATFORM,))


def _clashes(
    project: Project, installed: Sequence[Alternative] | None, environments: Sequence[str]
) -> tuple[CudaClash, ...]:
    lock = project.valid_lock
    if lock is None or not any(name.startswith(PREFIX) for name in lock.versions):
        return ()
    found: dict[CudaClash, None] = {}
    for installation in installations(project, installed, environments):
        found |= dict.fromkeys(_clashes_in(installation))
    return tuple(found)


def _clashes_in(installation: LockedInstallation) -> Iterator[CudaClash]:
    """The clashes among the packages that are installed together in a target."""
    target, installed = installation.target, installation.packages
    release = installation.tensorflow
    if release is None or release.wheels[target.environment].cuda is None:
        return
    own = found_libraries(release, target.environment)
    brought = sorted(
        nvidia_wheels((one.name, one.parsed) for one in installed if one.name.startswith(PREFIX)),
        key=lambda wheel: (wheel.name, wheel.version),
    )
    overwritten: set[NvidiaWheel] = set()
    for first, second in combinations(brought, 2):
        if first.cuda != second.cuda and first.libraries & second.libraries:
            overwritten |= {first, second}
            yield CudaClash(
                "overwritten",
                release,
                second,
                _brought_by(installed, second.name, target),
                first,
                _brought_by(installed, first.name, target),
            )
    for wheel in brought:
        built = next((own[path] for path in sorted(wheel.libraries) if path in own), None)
        kind = _kind(wheel, release, built)
        if kind is not None and wheel not in overwritten:
            by = _brought_by(installed, wheel.name, target)
            yield CudaClash(kind, release, wheel, by, built=built)


def _kind(wheel: NvidiaWheel, release: Release, built: BuiltWith | None) -> Kind | None:
    if built is None:
        return None
    if wheel.minor < built.minor:
        return "refused" if built.refuses_older else "older"
    return "other" if wheel.cuda != int((release.cuda or "0").partition(".")[0]) else None


def _brought_by(
    installed: frozenset[LockedPackage], name: NormalizedName, target: Target
) -> tuple[str, ...]:
    """The packages that require an NVIDIA wheel, except NVIDIA's own and TensorFlow's."""
    found: set[str] = set()
    queue, seen = [name], {name}
    while queue:
        wanted = queue.pop()
        for package in installed:
            if package.name in seen or not any(
                edge.name == wanted and holds(edge.marker, target) for edge in package.requires
            ):
                continue
            seen.add(package.name)
            if package.name.startswith(PREFIX) or package.name == "cuda-toolkit":
                queue.append(package.name)
            else:
                found.add(package.name)
    return tuple(sorted(found - tensorflow_distributions() or found))
