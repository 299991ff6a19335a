"""The plan, and the errors for when none can be made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from packaging.utils import canonicalize_name

from poetry_tf.releases import Release
from poetry_tf.releases.breaking import keras_major
from poetry_tf.releases.model import LINUX_X86_64

GpuMode = Literal["system", "pip", "none"]

TF_KERAS = canonicalize_name("tf-keras")
"""The distribution that has Keras 2 for a TensorFlow with another Keras."""
LEGACY_KERAS = 2
"""The major version of Keras that ``keras = "legacy"`` means."""

CPU = "tensorflow-cpu"
"""The distribution of TensorFlow without the GPU code."""

CONTAINER_PLATFORM = LINUX_X86_64
"""The environment of TensorFlow's GPU wheels, for which containers are planned."""


def needs_keras_2(release: Release) -> bool:
    """Whether Keras 2 is a distribution of its own for a release of TensorFlow."""
    return keras_major(release) not in {None, LEGACY_KERAS}


class PlanError(Exception):
    """No plan can be made: `message` says why, `remedy` what the user can do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message}\n{remedy}")
        self.message = message
        self.remedy = remedy


class NoContainerError(PlanError):
    """TensorFlow has wheels for the project's Pythons, but no container can be made for them."""


class GpuModeError(PlanError):
    """The chosen GPU mode is not available for this TensorFlow."""


@dataclass(frozen=True)
class GpuPlan:
    """How TensorFlow gets CUDA and cuDNN in the container."""

    mode: GpuMode
    why: str
    """Why this mode, as text for the user without a final stop."""
    cuda: str | None = None
    """CUDA's version as X.Y; only with ``system``. Where the machine has to have it, and no
    packages are known, this and the next are what the release says of its build."""
    cudnn: str | None = None
    """cuDNN's four-part version; only with ``system``."""
    proven: bool = True
    """Whether the pair of CUDA and cuDNN is proven for the release."""
    clashing: tuple[str, ...] = ()
    """NVIDIA's wheels, from another package, that TensorFlow takes instead of these; then
    nothing is proven."""


@dataclass(frozen=True)
class Plan:
    """Everything that must hold in a project for one TensorFlow release."""

    release: Release
    pythons: tuple[str, ...]
    """The Python minors, ascending, that the release, the image and the project all admit."""
    gpu: GpuPlan
    legacy_keras: bool = False
    """Whether `tf.keras` has to be Keras 2 although the release has another."""

    @property
    def python(self) -> str:
        """The Python minor of a new container, such as "3.11"."""
        return self.pythons[-1]
