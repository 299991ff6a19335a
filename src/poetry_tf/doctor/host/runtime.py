"""Whether Docker or Podman knows how to hand a GPU into a container."""

from __future__ import annotations

import re
from collections.abc import Iterator

from poetry_tf.doctor.host import remedies
from poetry_tf.doctor.host.driver import driver_version
from poetry_tf.doctor.host.engine import is_snap
from poetry_tf.doctor.host.engine_info import EngineInfo, has_container, query_engine
from poetry_tf.doctor.host.findings import HostFinding
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.needs import Needs
from poetry_tf.doctor.host.system import wsl
from poetry_tf.releases.model import numbers

# Of two files of one kind that in /var/run/cdi wins: the first here are the ones that count
# (https://pkg.go.dev/tags.cncf.io/container-device-interface/pkg/cdi, "CDI Spec Priority").
_CDI = ("/var/run/cdi", "/etc/cdi")
_TOOLKIT = "/etc/nvidia-container-runtime/config.toml"
# https://github.com/canonical/docker-snap/issues/357
_SNAP_ALONE = "29.2"


def runtime(machine: Machine, needs: Needs) -> Iterator[HostFinding]:
    """Whether the engine hands the GPU in, as far as there is a driver to be handed in."""
    if not has_container(needs):
        return
    asked = query_engine(machine, needs)
    if not asked.answers:
        return
    if asked.elsewhere:
        if asked.name == "Docker" and not asked.is_podman and not asked.is_desktop:
            yield _registered_there(asked)
    elif driver_version(machine) is None:
        return
    elif needs.engine == "podman" and machine.system != "Linux":
        yield _in_a_machine_of_its_own()
    elif needs.engine == "podman":
        yield _cdi(machine)
        yield from _selinux(machine)
    elif not asked.is_podman and not asked.is_desktop:
        yield from _registered(machine, asked)


# -- Docker ---------------------------------------------------------------------------------

_NEEDED = "the container is started with the GPU only where it does, else without, on the CPU"


def _knows_runtime(asked: EngineInfo) -> bool:
    runtimes = asked.known.get("Runtimes")
    return isinstance(runtimes, dict) and "nvidia" in runtimes


def _registered(machine: Machine, asked: EngineInfo) -> Iterator[HostFinding]:
    has_toolkit = _has_toolkit(machine)
    snap = is_snap(machine, asked)
    version = re.match(r"\d+\.\d+", asked.version)
    if snap and has_toolkit and version and numbers(version[0]) >= numbers(_SNAP_ALONE):
        seen = "the NVIDIA Container Toolkit is installed beside Docker's snap, which has its own"
        needed = f"from {_SNAP_ALONE} on the snap starts no container with a GPU then"
        yield HostFinding("runtime", "error", seen, needed, remedies.SNAP_ALONE)
    elif _knows_runtime(asked):
        yield HostFinding("runtime", "ok", "Docker knows the nvidia runtime")
        if asked.is_rootless and not _without_cgroups(machine):
            seen = "the NVIDIA Container Toolkit sets cgroups, which Docker without root may not"
            needed = "the container with the GPU may fail to start"
            yield HostFinding("runtime", "warning", seen, needed, remedies.NO_CGROUPS)
    else:
        seen = "Docker doesn't know the nvidia runtime"
        if has_toolkit and not snap:
            seen += ", though the NVIDIA Container Toolkit is installed"
        remedy = remedies.toolkit(installed=has_toolkit, rootless=asked.is_rootless)
        remedy = remedies.SNAP_RUNTIME if snap else remedy
        yield HostFinding("runtime", "error", seen, _NEEDED, remedy)


def _registered_there(asked: EngineInfo) -> HostFinding:
    if _knows_runtime(asked):
        return HostFinding("runtime", "ok", "Docker there knows the nvidia runtime")
    found = asked.known.get("DiscoveredDevices")
    by_cdi = isinstance(found, list) and any("nvidia.com/gpu" in str(item) for item in found)
    seen = "Docker there doesn't know the nvidia runtime"
    if by_cdi:
        seen += ", though it knows the GPUs by CDI"
    remedy = remedies.toolkit(installed=by_cdi, rootless=asked.is_rootless)
    return HostFinding("runtime", "error", seen, _NEEDED, remedies.there(remedy))


def _has_toolkit(machine: Machine) -> bool:
    return machine.run("nvidia-ctk", "--version").trouble != "missing"


def _without_cgroups(machine: Machine) -> bool:
    text = machine.read(_TOOLKIT) or ""
    return re.search(r"(?m)^\s*no-cgroups\s*=\s*true", text) is not None


# -- Podman ---------------------------------------------------------------------------------


def _cdi(machine: Machine) -> HostFinding:
    """Podman takes a file's word for where the driver's parts are."""
    files: dict[str, str] = {}
    for folder in _CDI:
        texts = {path: machine.read(path) or "" for path in machine.find(f"{folder}/*")}
        # Those of the other folder say nothing of a kind that this one tells of.
        files = files or {path: text for path, text in texts.items() if "nvidia.com/gpu" in text}
    version = driver_version(machine)
    if not files:
        seen = "no file tells Podman of the GPUs (there is none of NVIDIA's in /etc/cdi)"
        remedy = remedies.cdi(install=not _has_toolkit(machine))
        return HostFinding("runtime", "error", seen, "it doesn't start the container then", remedy)
    for path, text in files.items():
        named = set(re.findall(r"libcuda\.so\.(\d+(?:\.\d+)+)", text))
        if named and version not in named and not wsl(machine):
            seen = f"{path} is of driver {', '.join(sorted(named))}, and {version} is installed"
            needed = "the files that it names are gone, so the container doesn't start"
            remedy = remedies.cdi(install=False, path=path)
            return HostFinding("runtime", "error", seen, needed, remedy)
    return HostFinding("runtime", "ok", f"{next(iter(files))} tells Podman of the GPUs")


def _selinux(machine: Machine) -> Iterator[HostFinding]:
    """Fedora's SELinux keeps containers from devices; a boolean of its own lets them."""
    enforced = (machine.read("/sys/fs/selinux/enforce") or "").strip() == "1"
    allowed = machine.read("/sys/fs/selinux/booleans/container_use_devices") or ""
    if enforced and allowed.startswith("0"):
        yield HostFinding(
            "runtime",
            "warning",
            "SELinux keeps containers from the machine's devices, the GPU among them",
            'unless "--security-opt=label=disable" is among the runArgs of devcontainer.json',
            remedies.SELINUX,
        )


def _in_a_machine_of_its_own() -> HostFinding:
    return HostFinding(
        "runtime",
        "warning",
        "Podman runs in a virtual machine of its own, into which can't be seen from here",
        "in there a file has to tell of the GPUs; nvidia-ctk cdi list names those that it tells of",
        remedies.PODMAN_CDI_IN_MACHINE,
    )
