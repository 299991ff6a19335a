"""What a machine is checked against, and the findings of the probes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from poetry_tf.releases import Release
from poetry_tf.releases.nvidia import Driver, driver

State = Literal["ok", "note", "warning", "error"]
"""``note`` is no problem; with an ``error`` TensorFlow cannot use the GPU."""

System = Literal["arch", "debian", "ubuntu", "fedora", "windows"]
"""The systems with commands of their own: Arch, Debian, Ubuntu, Fedora and RHEL, Windows."""


@dataclass(frozen=True)
class UnusablePython:
    """Why Poetry neither has an environment for the project nor could make one.

    Attributes:
        kind: ``missing`` if Poetry finds no Python that the project allows. Else whose Python it
            uses though the project does not allow it: that of the project's ``environment``, of an
            ``active`` one, or of the ``system``, because it must not create one. ``gone`` if the
            folder of the active one does not exist.
        required: the Pythons that the project allows.
        found: the Pythons that Poetry finds; or that of the environment.
        path: the folder of the environment; empty if it is missing.
        variable: what names the active environment.
        suggested: the Python minor to use.
    """

    kind: Literal["missing", "environment", "active", "gone", "system"]
    required: str
    found: tuple[str, ...]
    path: str = ""
    variable: str = ""
    suggested: str = ""
    has_suggested: bool = False
    """Whether Poetry finds a Python that the project allows, which then is `suggested`."""


@dataclass(frozen=True)
class HostSpec:
    """What a machine is checked against.

    Attributes:
        release: the locked TensorFlow, else the pinned one, else the newest.
        mode: where CUDA and cuDNN come from; ``none`` if no GPU is requested.
        python: the interpreter of the project's environment; None if there is none.
        unusable: why there is no interpreter, if installing the project does not help.
        install: the command that installs the project.
        config: the path of devcontainer.json; None if the project has none, or no container is
            made from it.
        container: the versions in devcontainer.json of ``Python``, ``CUDA`` and ``cuDNN``.
        legacy_keras: whether `tf.keras` is Keras 2 by tf-keras, though the release has another.
        pythons: the Python minors that the project allows; empty for any.
        refuses_gpu, refuses_container: whether the project's settings turn it off.
        gpu_required: whether the container must not start without a GPU.
        gpu_optional: whether the project runs without a container on whatever there is.
        found_no_gpu: whether no GPU is requested because the machine has none.
    """

    release: Release
    mode: Literal["system", "pip", "none"]
    engine: Literal["docker", "podman"] = "docker"
    python: str | None = None
    unusable: UnusablePython | None = None
    install: str = "poetry install"
    config: str | None = None
    container: Mapping[str, str] = field(default_factory=dict, hash=False)
    legacy_keras: bool = False
    pythons: tuple[str, ...] = ()
    refuses_gpu: bool = False
    refuses_container: bool = False
    gpu_required: bool = False
    gpu_optional: bool = False
    found_no_gpu: bool = False

    @property
    def uses_gpu(self) -> bool:
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


@dataclass(frozen=True)
class Remedy:
    """How to fix a problem. No command is run.

    Attributes:
        what: what to do, in words.
        commands: the commands that differ by system; Debian's are Ubuntu's, unless it has its own.
        everywhere: the commands that are the same on each system.
        where: where to run them: ``here``, as ``root``, on the ``host`` of the container, or
            ``there``, on the remote machine whose engine is used; ``cluster`` is for the cluster's
            administrators. The last three may have any system.
    """

    what: str
    commands: Mapping[System, tuple[str, ...]] = field(default_factory=dict)
    everywhere: tuple[str, ...] = ()
    where: Literal["here", "root", "host", "there", "cluster"] = "here"

    def commands_on(self, system: System) -> tuple[str, ...] | None:
        """The commands of a system; None if it has none of its own."""
        if system == "ubuntu" and system not in self.commands:
            system = "debian"
        return self.commands.get(system)


@dataclass(frozen=True)
class HostFinding:
    """A finding of a probe.

    Attributes:
        probe: the stable name of the probe: ``driver``, ``engine``, ``libraries``.
        state: how severe it is.
        seen: what was found, in a few words.
        needed: what is required and why; empty if that is obvious.
        remedy: how to fix it.
    """

    probe: str
    state: State
    seen: str
    needed: str = ""
    remedy: Remedy | None = None


@dataclass(frozen=True)
class Subject:
    """What a probe checks, by its name in the findings."""

    probe: str

    def ok(self, seen: str) -> HostFinding:
        return HostFinding(self.probe, "ok", seen)

    def note(self, seen: str, needed: str = "", remedy: Remedy | None = None) -> HostFinding:
        return HostFinding(self.probe, "note", seen, needed, remedy)

    def warning(self, seen: str, needed: str = "", remedy: Remedy | None = None) -> HostFinding:
        return HostFinding(self.probe, "warning", seen, needed, remedy)

    def error(self, seen: str, needed: str = "", remedy: Remedy | None = None) -> HostFinding:
        return HostFinding(self.probe, "error", seen, needed, remedy)
