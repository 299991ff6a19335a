"""What a plan is, and the errors that say why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from packaging.utils import canonicalize_name

from poetry_tf.releases import Release
from poetry_tf.releases.model import LINUX_X86_64

GpuMode = Literal["system", "pip", "none"]

TF_KERAS = canonicalize_name("tf-keras")
"""The distribution that is Keras 2 for a TensorFlow with another Keras."""
LEGACY_KERAS = 2

CPU = "tensorflow-cpu"
"""The distribution that is TensorFlow without the GPU code."""

# The environment that TensorFlow's GPU wheels, and so the container's facts, are for.
CONTAINER_PLATFORM = LINUX_X86_64


class PlanError(Exception):
    """No plan can be made: `message` says why, `remedy` what the user can do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message}\n{remedy}")
        self.message = message
        self.remedy = remedy


class NoContainerError(PlanError):
    """TensorFlow has wheels for the project's Pythons, but no container can be made for them."""


class GpuModeError(PlanError):
    """The GPU mode that was chosen can't be had for this TensorFlow."""


@dataclass(frozen=True)
class GpuPlan:
    """How TensorFlow gets its CUDA and cuDNN in the container."""

    mode: GpuMode
    why: str
    """Why this mode: a sentence for the user, without the final stop."""
    cuda: str | None = None
    """CUDA's X.Y, as the container's feature takes it; only with ``system``."""
    cudnn: str | None = None
    """cuDNN's four-part version; only with ``system``."""
    proven: bool = True


@dataclass(frozen=True)
class Plan:
    """Everything that must hold in a project for one TensorFlow release."""

    release: Release
    pythons: tuple[str, ...]
    """The Python minors, ascending, that the release, the image and the project all admit."""
    gpu: GpuPlan
    legacy_keras: bool = False
    """Whether `tf.keras` is to be Keras 2 though the release's own is another."""

    @property
    def python(self) -> str:
        """The Python minor of a new container, such as "3.11"."""
        return self.pythons[-1]

    @property
    def specifier(self) -> str:
        """The pin as a standard version specifier, within one minor series."""
        major, minor = self.release.version.release[:2]
        return f">={self.release.version},<{major}.{minor + 1}.0"

    @property
    def tilde(self) -> str:
        """The same pin as Poetry's own tables spell it."""
        return f"~{self.release.version}"
