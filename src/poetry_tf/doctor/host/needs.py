"""What a project's TensorFlow needs of the machine that it runs on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from poetry_tf.releases import Release
from poetry_tf.releases.nvidia import Driver, driver


@dataclass(frozen=True)
class Needs:
    """What is looked for.

    Attributes:
        release: the TensorFlow that is locked, else pinned, else the newest.
        mode: where CUDA and cuDNN come from; ``none`` where no GPU was asked for.
        cuda, cudnn: the versions that a container's ``nvidia-cuda`` feature installs, with
            ``system`` only.
        engine: what runs the container.
        gpu_required: whether the container must not start without a GPU.
        python: the interpreter of the environment that the project is installed in; None where
            there is none.
        install: the command that installs the project.
        config: the devcontainer.json; None where the project has none.
        container: the versions that devcontainer.json names, by what they are of: ``Python``,
            ``CUDA``, ``cuDNN``.
        from_project: whether it is a project that needs this; else it is what the newest
            TensorFlow would need.
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
        """The command that also puts back what another package has changed."""
        return self.install.replace("poetry install", "poetry sync", 1)

    @property
    def tensorflow(self) -> str:
        return str(self.release.version)

    @property
    def driver(self) -> Driver | None:
        """What the CUDA that TensorFlow was built with wants of NVIDIA's driver."""
        return driver(self.release.cuda) if self.release.cuda else None
