"""What kind of machine it is: its system, its distribution, and whether it is a container."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Literal

from poetry_tf.doctor.host.findings import HostFinding, Remedy, System
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.needs import Needs
from poetry_tf.releases.model import WINDOWS_AMD64

# Docker and Podman each leave a file in their containers; VS Code sets a variable in its own.
_LEFT_BEHIND = ("/.dockerenv", "/run/.containerenv")
_VARIABLES = ("REMOTE_CONTAINERS", "CODESPACES")
# What /etc/os-release calls the systems that others name as what they are like.
_FAMILIES: dict[str, System] = {
    "arch": "arch",
    "debian": "debian",
    "ubuntu": "debian",
    "fedora": "fedora",
    "rhel": "fedora",
    "centos": "fedora",
}
_WITHOUT_GPU = Remedy("To ask for no GPU:", everywhere=("poetry tf init --gpu none",))


def in_container(machine: Machine) -> bool:
    """Whether it is a container rather than the machine that runs it."""
    return any(machine.find(path) for path in _LEFT_BEHIND) or any(
        machine.variable(name) for name in _VARIABLES
    )


def wsl(machine: Machine) -> Literal[0, 1, 2]:
    """Which Windows Subsystem for Linux it is; 0 where it is none.

    The kernel of the second is Microsoft's own build of Linux, and says so in its version; the
    first only pretends to be one.
    """
    kernel = machine.read("/proc/version") or ""
    if "microsoft" not in kernel.lower():
        return 0
    return 2 if "WSL2" in kernel or "microsoft-standard" in kernel else 1


def family(machine: Machine) -> System | None:
    """The system whose commands fit; None where that isn't known."""
    if machine.system == "Windows":
        return "windows"
    known = _os_release(machine)
    names = [known.get("ID", ""), *known.get("ID_LIKE", "").split()]
    return next((_FAMILIES[name] for name in names if name in _FAMILIES), None)


def system(machine: Machine, needs: Needs) -> Iterator[HostFinding]:
    """The system, and whether TensorFlow can have a GPU on it at all."""
    if not needs.wants_gpu:
        return
    if machine.system == "Darwin":
        yield _mac(machine)
        return
    if machine.system == "Windows":
        yield _windows(needs)
        return
    name = _os_release(machine).get("PRETTY_NAME") or machine.system
    if wsl(machine) == 1:
        yield HostFinding(
            "system",
            "error",
            f"{name} in WSL 1",
            "only WSL 2 hands on the GPU",
            Remedy(
                "In PowerShell:",
                everywhere=("wsl --list --verbose", "wsl --set-version <distribution> 2"),
            ),
        )
        return
    where = " in WSL 2" if wsl(machine) else ""
    yield HostFinding("system", "ok", f"{name} ({machine.architecture}){where}")


def _mac(machine: Machine) -> HostFinding:
    """macOS, where Apple's GPU is for programs outside of containers alone.

    Apple's plug-in is tensorflow-metal, whose last release (1.2.0, of January 2025) is built for
    TensorFlow 2.18 (https://developer.apple.com/metal/tensorflow-plugin and its page on PyPI).
    """
    needed = "no Mac of today has a GPU of NVIDIA's; the container works, on the CPU"
    if is_arm(machine.architecture):
        needed = (
            "a container here runs Linux on ARM, where TensorFlow uses the CPU alone; Apple's GPU "
            "it uses only without a container, by tensorflow-metal, which ends with TensorFlow 2.18"
        )
    seen = f"macOS on {machine.architecture}"
    return HostFinding("system", "error", seen, needed, _WITHOUT_GPU)


def _windows(needs: Needs) -> HostFinding:
    if not (needs.from_project and needs.config is None):
        return HostFinding("system", "ok", "Windows")
    wheels = needs.release.wheels.get(WINDOWS_AMD64)
    if wheels is not None and wheels.cuda is not None:
        # https://www.tensorflow.org/install/source_windows#gpu: 2.10 is the last with a GPU there.
        return HostFinding(
            "system",
            "note",
            "Windows, without a container",
            f"TensorFlow {needs.tensorflow} uses a GPU there as soon as CUDA {wheels.cuda} and "
            f"cuDNN {wheels.cudnn} for Windows are installed and on PATH, which is not looked at",
        )
    return HostFinding(
        "system",
        "error",
        "Windows, without a container",
        "from 2.11 on TensorFlow uses no GPU on Windows itself: it does in a container, by WSL 2",
        Remedy("Let it run in a container:", everywhere=("poetry tf devcontainer",)),
    )


def is_arm(architecture: str) -> bool:
    """Whether a processor, as a system calls it, is a 64-bit ARM."""
    return architecture.lower() in {"aarch64", "arm64"}


def _os_release(machine: Machine) -> dict[str, str]:
    """What os-release(5) says."""
    text = machine.read("/etc/os-release") or machine.read("/usr/lib/os-release") or ""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if not equals or key.startswith("#"):
            continue
        try:
            found[key] = " ".join(shlex.split(value))
        except ValueError:
            continue
    return found
