"""The kind of machine: its system, whether it is a container, and which versions that has."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Literal

from poetry_tf.devcontainer.poetry import CACHE_FOLDER
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.model import HostFinding, HostSpec, Remedy, Subject, System
from poetry_tf.text import format_list

_SYSTEM = Subject("system")
ContainerKind = Literal["devcontainer", "docker", "podman", "apptainer", "kubernetes", "other"]
# What is there in a container by what started it; the first match counts.
_CONTAINER_FILES: tuple[tuple[str, ContainerKind], ...] = (
    ("/.singularity.d", "apptainer"),
    ("/run/.containerenv", "podman"),
    ("/.dockerenv", "docker"),
    ("/.flatpak-info", "other"),
)
_CONTAINER_VARIABLES: tuple[tuple[str, ContainerKind], ...] = (
    ("APPTAINER_CONTAINER", "apptainer"),
    ("SINGULARITY_CONTAINER", "apptainer"),
    ("KUBERNETES_SERVICE_HOST", "kubernetes"),
)
# The variables of VS Code, Codespaces and DevPod in their containers, which may run in Kubernetes.
_DEVCONTAINER_VARIABLES = ("REMOTE_CONTAINERS", "CODESPACES", "DEVPOD")
# The images of the Dev Containers project and its features leave a folder; their CLI, which sets no
# variable, mounts the project in /workspaces by default.
_DEVCONTAINER_FILES = ("/usr/local/etc/vscode-dev-containers", "/workspaces")
# By ID and ID_LIKE of /etc/os-release.
_FAMILIES: dict[str, System] = {
    "arch": "arch",
    "debian": "debian",
    "ubuntu": "ubuntu",
    "fedora": "fedora",
    "rhel": "fedora",
    "centos": "fedora",
}


def in_container(machine: Machine) -> bool:
    """Whether the machine is a container."""
    return container_kind(machine) is not None


def container_kind(machine: Machine) -> ContainerKind | None:
    """What started the container that the machine is; None if it is none.

    A dev container is one that was created from a devcontainer.json, with any engine.
    """
    kind = _engines_container(machine)
    if any(machine.variable(name) for name in _DEVCONTAINER_VARIABLES):
        return "devcontainer"
    if kind is not None and _has_signs_of_devcontainer(machine):
        return "devcontainer"
    return kind


def _engines_container(machine: Machine) -> ContainerKind | None:
    named = (kind for name, kind in _CONTAINER_VARIABLES if machine.variable(name))
    marked = (kind for path, kind in _CONTAINER_FILES if machine.find(path))
    if kinds := (*named, *marked):
        return kinds[0]
    # The interface of systemd, which also counts WSL as a container.
    manager = machine.variable("container") or machine.read("/run/systemd/container") or ""
    return "other" if manager.strip() not in {"", "wsl"} else None


def _has_signs_of_devcontainer(machine: Machine) -> bool:
    is_ours = machine.variable("POETRY_CACHE_DIR") == CACHE_FOLDER
    return is_ours or any(machine.find(path) for path in _DEVCONTAINER_FILES)


def wsl(machine: Machine) -> Literal[0, 1, 2]:
    """The version of the Windows Subsystem for Linux; 0 if it is none.

    WSL 2 has a Linux kernel built by Microsoft, with a version that says so; WSL 1 has none.
    """
    kernel = machine.read("/proc/version") or ""
    if "microsoft" not in kernel.lower():
        return 0
    return 2 if "WSL2" in kernel or "microsoft-standard" in kernel else 1


def family(machine: Machine) -> System | None:
    """The system whose commands apply; None if not known."""
    if machine.system == "Windows":
        return "windows"
    known = os_release(machine)
    names = [known.get("ID", ""), *known.get("ID_LIKE", "").split()]
    return next((_FAMILIES[name] for name in names if name in _FAMILIES), None)


def system(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    """The system, and whether TensorFlow can use a GPU on it."""
    if not spec.uses_gpu:
        return
    if machine.system != "Linux":
        return  # reported by desktop
    name = os_release(machine).get("PRETTY_NAME") or machine.system
    if wsl(machine) == 1:
        yield _SYSTEM.error(
            f"{name} in WSL 1",
            "only WSL 2 passes the GPU through",
            Remedy(
                "In PowerShell:",
                everywhere=("wsl --list --verbose", "wsl --set-version <distribution> 2"),
            ),
        )
        return
    where = " in WSL 2" if wsl(machine) else ""
    yield _SYSTEM.ok(f"{name} ({machine.architecture}){where}")


def is_arm(architecture: str) -> bool:
    """Whether an architecture, as named by the system, is 64-bit ARM."""
    return architecture.lower() in {"aarch64", "arm64"}


def os_release(machine: Machine) -> dict[str, str]:
    """The variables of os-release(5)."""
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


# -- the versions in a container ---------------------------------------------------------------

_PYTHON = "/usr/local/bin/python3"


def container(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    """The versions in the container that differ from those in devcontainer.json."""
    if container_kind(machine) != "devcontainer":
        return
    found = {"Python": _python(machine), "CUDA": _cuda(machine), "cuDNN": _cudnn(machine)}
    other = [
        (name, expected, has)
        for name, expected in spec.container.items()
        if (has := found.get(name)) is not None
        and not any(_is_prefix(expected, item) for item in has)
    ]
    if other:
        made = format_list(
            f"{name} {' and '.join(has)}" if has else f"no {name}" for name, _, has in other
        )
        asked = format_list(f"{name} {expected}" for name, expected, _ in other)
        yield HostFinding(
            "container",
            "error" if spec.uses_gpu else "warning",
            f"this container has {made}",
            f"devcontainer.json requests {asked}",
            Remedy("Rebuild the container (in VS Code: Dev Containers: Rebuild Container)"),
        )


def _is_prefix(expected: str, installed: str) -> bool:
    """Whether one version is a prefix of the other, as 9.3.0 of 9.3.0.75."""
    ones, others = expected.split("."), installed.split(".")
    return all(one == other for one, other in zip(ones, others, strict=False))


def _python(machine: Machine) -> list[str] | None:
    """The Python of the image; None if it is not found."""
    match = re.match(r"Python (\d+\.\d+)", machine.run(_PYTHON, "--version").output)
    return [match[1]] if match else None


def _cuda(machine: Machine) -> list[str]:
    return [path.rpartition("-")[2] for path in machine.find("/usr/local/cuda-[0-9]*.[0-9]*")]


def _cudnn(machine: Machine) -> list[str]:
    paths = machine.find("/usr/lib/*/libcudnn.so.[0-9]*.[0-9]*.[0-9]*")
    return [path.rpartition(".so.")[2] for path in paths]
