"""Docker or Podman: whether it answers, and knows how to hand a GPU into a container."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from poetry_tf.host import remedies
from poetry_tf.host.driver import driver_version
from poetry_tf.host.findings import HostFinding, Remedy
from poetry_tf.host.machine import LIMIT, Machine, Ran
from poetry_tf.host.needs import Needs
from poetry_tf.host.system import wsl

_DOCKER = ("docker", "info", "--format", "{{json .}}")
_PODMAN = ("podman", "info", "--format", "json")
_CDI = ("/etc/cdi/*", "/var/run/cdi/*")
_DESKTOP = "Docker Desktop"
_TO_PODMAN = Remedy("Say so:", everywhere=("poetry tf devcontainer --engine podman",))


def engine(machine: Machine, needs: Needs) -> Iterator[HostFinding]:
    """Whether what runs the container is there and answers."""
    if _without_container(needs) or not needs.wants_gpu:
        return
    ran = machine.run(*_command(needs))
    name = needs.engine.capitalize()
    known = _known(ran)
    if ran.trouble == "missing":
        yield _not_installed(machine, needs, name)
    elif ran.trouble:
        remedy = _start_docker(machine)
        if needs.engine == "podman":
            remedy = remedies.RESTART
        elif remedy == remedies.START_DOCKER:
            remedy = remedies.RESTART_DOCKER
        why = "may not be run" if ran.trouble == "denied" else f"gave no answer within {LIMIT:g} s"
        yield HostFinding("engine", "error", f"{name} {why}", remedy=remedy)
    elif needs.engine == "podman":
        yield _podman(ran, known)
    else:
        yield from _docker(machine, ran, known)


def runtime(machine: Machine, needs: Needs) -> Iterator[HostFinding]:
    """Whether the engine hands the GPU in, as far as there is a driver to be handed in."""
    if _without_container(needs) or not needs.wants_gpu or driver_version(machine) is None:
        return
    ran = machine.run(*_command(needs))
    known = _known(ran)
    if not ran.succeeded or not known:
        return
    if needs.engine == "podman":
        yield from _cdi(machine)
    elif "host" not in known and known.get("OperatingSystem") != _DESKTOP:
        yield from _registered(machine, known)


def _without_container(needs: Needs) -> bool:
    return needs.from_project and needs.config is None


def _command(needs: Needs) -> tuple[str, ...]:
    return _PODMAN if needs.engine == "podman" else _DOCKER


def _known(ran: Ran) -> Mapping[str, Any]:
    try:
        known = json.loads(ran.output)
    except ValueError:
        return {}
    return known if isinstance(known, dict) else {}


def _not_installed(machine: Machine, needs: Needs, name: str) -> HostFinding:
    needed = "the container runs in it"
    remedy = remedies.PODMAN if needs.engine == "podman" else remedies.DOCKER
    if needs.engine == "docker" and machine.system == "Darwin":
        remedy = remedies.DOCKER_ON_MAC
    elif needs.engine == "docker" and wsl(machine):
        remedy = remedies.DOCKER_IN_WSL
    return HostFinding("engine", "error", f"{name} is not to be found here", needed, remedy)


def _podman(ran: Ran, known: Mapping[str, Any]) -> HostFinding:
    if not ran.succeeded:
        return HostFinding("engine", "error", f"Podman says: {_first(ran)}")
    version = known.get("version")
    number = version.get("Version", "") if isinstance(version, dict) else ""
    return HostFinding("engine", "ok", f"Podman {number} answers".replace("  ", " "))


def _docker(machine: Machine, ran: Ran, known: Mapping[str, Any]) -> Iterator[HostFinding]:
    if "host" in known:  # the answer is Podman's, whose package can bring a `docker`
        seen = "docker is Podman here"
        needed = "Podman is asked for a GPU in another way"
        yield HostFinding("engine", "error", seen, needed, _TO_PODMAN)
        return
    errors = known.get("ServerErrors")
    said = f"{ran.error}\n{errors or ''}"
    if not ran.succeeded or errors or not known.get("ServerVersion"):
        if "permission denied" in said:
            seen = "this user may not talk to Docker"
            yield HostFinding("engine", "error", seen, remedy=remedies.DOCKER_GROUP)
        else:
            seen = "Docker is installed and doesn't run"
            if ran.error and "Cannot connect" not in said and "daemon" not in said:
                seen += f": {_first(ran)}"
            yield HostFinding("engine", "error", seen, remedy=_start_docker(machine))
        return
    host = machine.variable("DOCKER_HOST") or ""
    if host.startswith(("tcp:", "ssh:")):
        seen = f"Docker {known['ServerVersion']} on another machine ({_bare(host)})"
        needed = "its GPU is the one that counts: run poetry tf doctor there"
        yield HostFinding("engine", "warning", seen, needed)
        return
    yield _desktop(machine, known)


def _start_docker(machine: Machine) -> Remedy:
    if wsl(machine):
        return remedies.DOCKER_IN_WSL
    return remedies.START_DOCKER if machine.system == "Linux" else remedies.DOCKER_DESKTOP


def _desktop(machine: Machine, known: Mapping[str, Any]) -> HostFinding:
    version = known["ServerVersion"]
    if known.get("OperatingSystem") != _DESKTOP:
        return HostFinding("engine", "ok", f"Docker {version} answers")
    kernel = str(known.get("KernelVersion"))
    if machine.system == "Linux" and not wsl(machine):
        needed = "on Linux it runs in a virtual machine that has no GPU"
        seen = f"{_DESKTOP} ({version})"
        return HostFinding("engine", "error", seen, needed, remedies.DESKTOP_ON_LINUX)
    if machine.system == "Windows" and "microsoft" not in kernel.lower():
        needed = "the GPU comes by WSL 2, and this one runs by Hyper-V"
        seen = f"{_DESKTOP} ({version})"
        return HostFinding("engine", "error", seen, needed, remedies.DESKTOP_WSL2)
    return HostFinding("engine", "ok", f"{_DESKTOP} ({version}) answers")


def _registered(machine: Machine, known: Mapping[str, Any]) -> Iterator[HostFinding]:
    runtimes = known.get("Runtimes")
    if isinstance(runtimes, dict) and "nvidia" in runtimes:
        yield HostFinding("runtime", "ok", "Docker knows the nvidia runtime")
        return
    has_toolkit = machine.run("nvidia-ctk", "--version").trouble != "missing"
    seen = "Docker doesn't know the nvidia runtime"
    if has_toolkit:
        seen += ", though the NVIDIA Container Toolkit is installed"
    needed = "the container is started with the GPU only where it does, else without, on the CPU"
    remedy = remedies.REGISTER if has_toolkit else remedies.toolkit()
    yield HostFinding("runtime", "error", seen, needed, remedy)


def _cdi(machine: Machine) -> Iterator[HostFinding]:
    paths = [path for pattern in _CDI for path in machine.find(pattern)]
    texts = {path: machine.read(path) or "" for path in paths}
    files = {path: text for path, text in texts.items() if "nvidia.com/gpu" in text}
    version = driver_version(machine)
    if not files:
        has_toolkit = machine.run("nvidia-ctk", "--version").trouble != "missing"
        seen = "no file tells Podman of the GPUs (there is none of NVIDIA's in /etc/cdi)"
        remedy = remedies.cdi(install=not has_toolkit)
        yield HostFinding("runtime", "error", seen, "it doesn't start the container then", remedy)
        return
    for path, text in files.items():
        named = set(re.findall(r"libcuda\.so\.(\d+(?:\.\d+)+)", text))
        if named and version not in named and not wsl(machine):
            seen = f"{path} is of driver {', '.join(sorted(named))}, and {version} is installed"
            needed = "the files that it names are gone, so the container doesn't start"
            yield HostFinding("runtime", "error", seen, needed, remedies.cdi(install=False))
            return
    yield HostFinding("runtime", "ok", f"{next(iter(files))} tells Podman of the GPUs")


def _first(ran: Ran) -> str:
    said = ran.error or ran.output
    return said.splitlines()[0] if said else f"nothing, and ends with {ran.status}"


def _bare(address: str) -> str:
    """An address without the name of a user and a password."""
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
