"""What a project's TensorFlow requires of the machine that it runs on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from poetry_tf.releases import Release
from poetry_tf.releases.nvidia import Driver, driver


@dataclass(frozen=True)
class HostSpec:
    """What a machine is checked against.

    Attributes:
        release: the locked TensorFlow, else the pinned one, else the newest.
        mode: where CUDA and cuDNN come from; ``none`` if no GPU is requested.
        cuda, cudnn: the versions that a container's ``nvidia-cuda`` feature installs, with
            ``system`` only.
        engine: the container engine.
        gpu_required: whether the container must not start without a GPU.
        python: the interpreter of the project's environment; None if there is none.
        install: the command that installs the project.
        config: the path of devcontainer.json; None if the project has none.
        container: the versions in devcontainer.json of ``Python``, ``CUDA`` and ``cuDNN``.
        from_project: whether it is derived from a project; else from the newest TensorFlow.
    """

    release: Release
    mode: Literal["system", "pip", "none"]
    cuda: str | None = None
    cudnn: str | None = None
    engine: Literal["docker", "podman"] = "docker"
    gpu_required: bool = False
    python: str | None = None
    install: str = "poetry install"
    config: str | None = None
    container: Mapping[str, str] = field(default_factory=dict, hash=False)
    from_project: bool = True

    @property
    def wants_gpu(self) -> bool:
        return self.mode != "none"

    @property
    def sync(self) -> str:
        """The install command that also restores what was changed outside of Poetry."""
        return self.install.replace("poetry install", "poetry sync", 1)

    @property
    def tensorflow(self) -> str:
        return str(self.release.version)

    @property
    def driver(self) -> Driver | None:
        """The NVIDIA driver that the CUDA of the TensorFlow build requires."""
        return driver(self.release.cuda) if self.release.cuda else None
