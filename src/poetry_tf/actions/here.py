"""Reads what a project without a container depends on of this machine."""

from __future__ import annotations

import os
import platform
import shutil

from poetry_tf.doctor.host.machine import ThisMachine
from poetry_tf.doctor.host.place import is_without_gpu
from poetry_tf.doctor.host.system import container_kind
from poetry_tf.plan.environments import ENVIRONMENTS
from poetry_tf.plan.here import Here

_OS_RELEASE = ("ID", "PLATFORM_ID", "VERSION_CODENAME", "UBUNTU_CODENAME")
# Set by Environment Modules and by Lmod.
_MODULES = ("MODULESHOME", "LMOD_CMD")
_ENGINES = ("docker", "podman")


def read_here() -> Here:
    """This machine, without its Pythons, for which each of them has to be started."""
    system, machine = platform.system(), platform.machine()
    kind = container_kind(ThisMachine())
    return Here(
        environment=next(
            (
                name
                for name, one in ENVIRONMENTS.items()
                if (one.platform_system, one.platform_machine) == (system, machine)
            ),
            None,
        ),
        systems=frozenset({system, *_distribution()}),
        has_modules=any(os.environ.get(name) for name in _MODULES),
        runs_containers=any(map(shutil.which, _ENGINES)) or kind == "devcontainer",
        is_container=kind is not None,
    )


def lacks_gpu() -> bool:
    """Whether this machine has no GPU of NVIDIA's, as far as can be seen."""
    return shutil.which("nvidia-smi") is None and is_without_gpu(ThisMachine())


def _distribution() -> set[str]:
    try:
        known = platform.freedesktop_os_release()
    except OSError:  # no Linux, or one without the file
        return set()
    return {known[name] for name in _OS_RELEASE if known.get(name)}
