"""Whether Docker or Podman is set up to pass a GPU to a container."""

from __future__ import annotations

import re
from collections.abc import Iterator

from poetry_tf.doctor.host import remedies
from poetry_tf.doctor.host.driver import driver_version, has_gpu
from poetry_tf.doctor.host.engine import EngineInfo, has_container, is_snap, query_engine
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.model import HostFinding, HostSpec, Subject
from poetry_tf.doctor.host.system import wsl
from poetry_tf.files.values import as_table
from poetry_tf.releases.model import numbers

_RUNTIME = Subject("runtime")
# Of two files for one kind the one in /var/run/cdi takes precedence: in this order
# (https://pkg.go.dev/tags.cncf.io/container-device-interface/pkg/cdi, "CDI Spec Priority").
_CDI = ("/var/run/cdi", "/etc/cdi")
_TOOLKIT = "/etc/nvidia-container-runtime/config.toml"
# https://github.com/canonical/docker-snap/issues/357
_SNAP_ALONE = "29.2"
# The first Docker whose `--gpus` uses CDI (its release notes; moby/moby#50228).
_GPUS_BY_CDI = "29.2"
# A field of CDI 0.7, which the toolkit writes from 1.19.1 on. A Podman before 5 reads no file with
# it (NVIDIA/nvidia-container-toolkit#1860 and #1940).
_NEWER_FIELD = "additionalGids"


def runtime(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    """Whether the engine passes the GPU to the container, if there is a driver."""
    if not has_container(spec):
        return
    info = query_engine(machine, spec)
    if not info.answers:
        return
    if info.remote_host:
        if info.name == "Docker" and not info.is_podman and not info.is_desktop:
            yield _registered_remotely(info, spec)
    elif driver_version(machine) is None:
        if not has_gpu(machine):
            yield from _without_gpu(info, spec)
    elif spec.engine == "podman" and machine.system != "Linux":
        yield _RUNTIME.warning(
            "Podman runs in its own virtual machine, which can't be checked from here",
            "a CDI file in the virtual machine must describe the GPUs; nvidia-ctk cdi list shows "
            "the GPUs that it describes",
            remedies.PODMAN_CDI_IN_MACHINE,
        )
    elif spec.engine == "podman":
        yield _cdi(machine, info)
        yield from _selinux(machine)
    elif not info.is_podman and not info.is_desktop:
        yield from _registered(machine, info, spec)


# -- Docker ---------------------------------------------------------------------------------

_WITHOUT_RUNTIME = "without it the container starts without the GPU, and uses the CPU"


def _knows_runtime(info: EngineInfo) -> bool:
    runtimes = info.data.get("Runtimes")
    return isinstance(runtimes, dict) and "nvidia" in runtimes


def _without_gpu(info: EngineInfo, spec: HostSpec) -> Iterator[HostFinding]:
    """The dev container tools look only at the runtime (devcontainers/cli#319)."""
    is_asked = spec.engine == "docker" and not info.is_podman and not spec.gpu_required
    if is_asked and not info.is_desktop and _knows_runtime(info):
        seen = "Docker has the nvidia runtime, but this machine has no NVIDIA GPU"
        needed = "with that runtime the container is started with a GPU, so it fails to start"
        yield _RUNTIME.error(seen, needed, remedies.GPU_NOT_AVAILABLE)


def _by_cdi(info: EngineInfo, spec: HostSpec, there: str = "") -> HostFinding | None:
    """What Docker does with GPUs that it knows only by CDI; None if it passes none through."""
    if not info.knows_gpus_by_cdi or numbers_of(info.version) < numbers(_GPUS_BY_CDI):
        return None
    if spec.gpu_required:
        return _RUNTIME.ok(f"Docker{there} passes the GPUs through by CDI")
    seen = f"Docker{there} knows the GPUs by CDI, but has no nvidia runtime"
    needed = (
        "the dev container tools look for that runtime, and start the container without the GPU"
    )
    return _RUNTIME.error(seen, needed, remedies.GPU_AVAILABLE)


def _registered(machine: Machine, info: EngineInfo, spec: HostSpec) -> Iterator[HostFinding]:
    has_toolkit = _has_toolkit(machine)
    snap = is_snap(machine, info)
    if snap and has_toolkit and numbers_of(info.version) >= numbers(_SNAP_ALONE):
        seen = "the NVIDIA Container Toolkit is installed beside Docker's snap, which has its own"
        needed = f"then the snap, from {_SNAP_ALONE} on, starts no container with a GPU"
        yield _RUNTIME.error(seen, needed, remedies.SNAP_ALONE)
    elif _knows_runtime(info):
        yield _RUNTIME.ok("Docker has the nvidia runtime")
        if info.is_rootless and not _without_cgroups(machine):
            seen = "the NVIDIA Container Toolkit sets cgroups, which rootless Docker can't"
            needed = "a container with the GPU may fail to start"
            yield _RUNTIME.warning(seen, needed, remedies.NO_CGROUPS)
    elif (finding := _by_cdi(info, spec)) is not None:
        yield finding
    else:
        seen = "Docker has no nvidia runtime"
        if has_toolkit and not snap:
            seen += ", though the NVIDIA Container Toolkit is installed"
        remedy = remedies.toolkit(installed=has_toolkit, rootless=info.is_rootless)
        remedy = remedies.SNAP_RUNTIME if snap else remedy
        yield _RUNTIME.error(seen, _WITHOUT_RUNTIME, remedy)


def _registered_remotely(info: EngineInfo, spec: HostSpec) -> HostFinding:
    if _knows_runtime(info):
        return _RUNTIME.ok("Docker on that machine has the nvidia runtime")
    if (finding := _by_cdi(info, spec, " on that machine")) is not None:
        return finding
    seen = "Docker on that machine has no nvidia runtime"
    if info.knows_gpus_by_cdi:
        seen += ", though it knows the GPUs by CDI"
    remedy = remedies.toolkit(installed=info.knows_gpus_by_cdi, rootless=info.is_rootless)
    return _RUNTIME.error(seen, _WITHOUT_RUNTIME, remedies.on_remote_host(remedy))


def numbers_of(version: str) -> tuple[int, ...]:
    """The numbers of a Docker's version; empty where it has none."""
    match = re.match(r"\d+\.\d+", version)
    return numbers(match[0]) if match else ()


def _has_toolkit(machine: Machine) -> bool:
    return machine.run("nvidia-ctk", "--version").trouble != "missing"


def _without_cgroups(machine: Machine) -> bool:
    text = machine.read(_TOOLKIT) or ""
    return re.search(r"(?m)^\s*no-cgroups\s*=\s*true", text) is not None


# -- Podman ---------------------------------------------------------------------------------

_NO_START = "Podman can't start the container without it"


def _cdi(machine: Machine, info: EngineInfo) -> HostFinding:
    """Whether a CDI file describes the installed driver to Podman."""
    podman = str(as_table(info.data.get("version")).get("Version"))
    is_old = re.match(r"[1-4]\.", podman) is not None
    files: dict[str, str] = {}
    unread: list[str] = []
    for folder in _CDI:
        texts = {path: machine.read(path) or "" for path in machine.find(f"{folder}/*")}
        texts = {path: text for path, text in texts.items() if "nvidia.com/gpu" in text}
        unread += [path for path, text in texts.items() if is_old and _NEWER_FIELD in text]
        # The first folder with a file for this kind takes precedence.
        files = files or {path: text for path, text in texts.items() if path not in unread}
    version = driver_version(machine)
    if not files and unread:
        seen = f"Podman {podman} can't read {unread[0]}, which the NVIDIA Container Toolkit wrote"
        return _RUNTIME.error(seen, _NO_START, remedies.older_cdi())
    if not files:
        seen = "there is no CDI file that describes the GPUs to Podman (in /etc/cdi)"
        remedy = remedies.cdi(install=not _has_toolkit(machine))
        return _RUNTIME.error(seen, _NO_START, remedy)
    for path, text in files.items():
        named = set(re.findall(r"libcuda\.so\.(\d+(?:\.\d+)+)", text))
        if named and version not in named and not wsl(machine):
            seen = f"{path} is for driver {', '.join(sorted(named))}, but {version} is installed"
            needed = "the files that it names no longer exist, so the container can't start"
            remedy = remedies.cdi(install=False, path=path)
            return _RUNTIME.error(seen, needed, remedy)
    return _RUNTIME.ok(f"{next(iter(files))} describes the GPUs to Podman")


def _selinux(machine: Machine) -> Iterator[HostFinding]:
    """SELinux on Fedora blocks devices for containers unless a boolean is set."""
    enforced = (machine.read("/sys/fs/selinux/enforce") or "").strip() == "1"
    allowed = machine.read("/sys/fs/selinux/booleans/container_use_devices") or ""
    if enforced and allowed.startswith("0"):
        yield _RUNTIME.warning(
            "SELinux blocks the machine's devices for containers, including the GPU",
            'unless runArgs in devcontainer.json has "--security-opt=label=disable"',
            remedies.SELINUX,
        )
