"""Whether there is an NVIDIA GPU with a driver that works with the CUDA of the build."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from poetry_tf.doctor.host import remedies
from poetry_tf.doctor.host.gpu_generation import (
    generation,
    named_capability,
    newest_capability,
    pci_capabilities,
    pci_displays,
)
from poetry_tf.doctor.host.machine import LIMIT, CommandResult, Machine
from poetry_tf.doctor.host.model import HostFinding, HostSpec, Remedy, Subject
from poetry_tf.doctor.host.series import (
    compiled_code,
    has_driver_for,
    has_windows_driver,
    is_built_with_cuda,
    is_runnable,
    is_served_by,
    minimum_drivers,
    move_command,
    newest_series,
    platform,
    without_gpu,
)
from poetry_tf.doctor.host.system import in_container, wsl
from poetry_tf.releases import Release
from poetry_tf.releases.model import LINUX_X86_64, numbers
from poetry_tf.text import format_list

_DRIVER = Subject("driver")
SMI_PROGRAMS = ("nvidia-smi", "/usr/lib/wsl/lib/nvidia-smi")
_FIELDS = ("name,driver_version,compute_cap", "name,driver_version")
_LOADED = "/proc/driver/nvidia/version"
# WSL supports GPUs from Maxwell on, better Pascal (CUDA on WSL User Guide).
_NOT_IN_WSL = {known for known in (generation("2.1"), generation("3.7")) if known}
_VERSION = re.compile(r"\d+(?:\.\d+)+")


@dataclass(frozen=True)
class DetectedGpu:
    """A GPU that the driver reports; the compute capability is None if not known."""

    name: str
    capability: str | None = None


def smi(machine: Machine) -> CommandResult:
    """The output of nvidia-smi for each GPU; an old one has no compute capability."""
    for program in SMI_PROGRAMS:
        for fields in _FIELDS:
            ran = machine.run(program, f"--query-gpu={fields}", "--format=csv,noheader")
            if not (ran.status and "not a valid field" in f"{ran.output}{ran.error}"):
                break
        if ran.trouble != "missing":
            return ran
    return ran


def gpus(machine: Machine) -> tuple[DetectedGpu, ...]:
    """The GPUs that the driver reports."""
    ran = smi(machine)
    found = []
    for line in ran.output.splitlines() if ran.succeeded else ():
        name, *rest = [part.strip() for part in line.split(",")]
        if rest and _VERSION.fullmatch(rest[0]):
            capability = rest[1] if len(rest) > 1 and _VERSION.fullmatch(rest[1]) else None
            if capability is None and len(known := pci_capabilities(machine)) == 1:
                (capability,) = known
            found.append(DetectedGpu(name, capability or named_capability(name)))
    return tuple(found)


def driver_version(machine: Machine) -> str | None:
    """The version of the NVIDIA driver; in WSL that of the driver on Windows."""
    ran = smi(machine)
    for line in ran.output.splitlines() if ran.succeeded else ():
        for part in line.split(",")[1:2]:
            if _VERSION.fullmatch(part.strip()):
                return part.strip()
    return _loaded_version(machine)


def _loaded_version(machine: Machine) -> str | None:
    """The version of the loaded kernel module."""
    match = re.search(r"Module.*?(\d+(?:\.\d+)+)", machine.read(_LOADED) or "")
    return match[1] if match else None


def has_gpu(machine: Machine) -> bool:
    """Whether the machine has an NVIDIA GPU, with or without a driver."""
    nodes = (
        path for pattern in ("/dev/dxg", "/dev/nvidia[0-9]*") for path in machine.find(pattern)
    )
    return bool(gpus(machine) or any(nodes) or pci_displays(machine))


def driver(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    """Whether the driver is installed, responds, and is new enough."""
    if not spec.uses_gpu or machine.system == "Darwin" or wsl(machine) == 1:
        return
    # For GPUs that are too old for WSL 2 only a series for Windows itself remains.
    is_usable = is_built_with_cuda(machine, spec)
    if not is_usable and generation(newest_gpu(machine)) not in _NOT_IN_WSL:
        return
    ran, version = smi(machine), driver_version(machine)
    if in_container(machine):
        # Other problems in a container are reported with its devices and libcuda.
        if version is not None:
            yield from _check_driver(machine, spec, version)
    elif ran.trouble == "timeout":
        seen = f"nvidia-smi did not answer within {LIMIT:g} seconds"
        needed = "the driver hangs, or the GPU has fallen off the bus"
        yield _DRIVER.error(seen, needed, remedies.RESTART)
    elif version is not None and (ran.succeeded or ran.trouble):
        yield from _check_driver(machine, spec, version)
    elif not ran.trouble:
        yield _smi_failed(machine, spec, ran)
    else:
        yield _no_driver(machine, spec)


def _format_gpus(machine: Machine) -> str:
    known = Counter(gpu.name for gpu in gpus(machine))
    if not known:
        return "an NVIDIA GPU"
    return format_list(name if count == 1 else f"{count} × {name}" for name, count in known.items())


def _smi_failed(machine: Machine, spec: HostSpec, ran: CommandResult) -> HostFinding:
    text = f"{ran.output}\n{ran.error}".strip()
    first = text.splitlines()[0] if text else f"no output, exit status {ran.status}"
    seen, loaded, remedy = f"nvidia-smi failed: {first}", _loaded_version(machine), remedies.RESTART
    capability = newest_gpu(machine)
    known = generation(capability)
    if "version mismatch" in text:
        needed = "the driver was updated while the old one was in use"
    elif known is not None and (loaded is None or numbers(loaded)[0] > known.branch):
        if (finding := _too_old(machine, spec, seen, capability)) is not None:
            return finding
        needed = f"the last NVIDIA driver for this GPU ({known.name}) is {known.branch}"
        remedy = remedies.last_driver(known.branch)
    elif "No devices were found" in text:
        needed = "the driver runs, but supports no GPU here: it may be too new or too old"
    elif loaded is not None:
        needed = (
            f"the kernel has loaded driver {loaded}, which doesn't work with this nvidia-smi: "
            "after an update the old driver often stays loaded"
        )
    else:
        needed = "the driver is installed, but the kernel hasn't loaded it"
        remedy = remedies.MODULE
    return _DRIVER.error(seen, needed, remedy)


def _no_driver(machine: Machine, spec: HostSpec) -> HostFinding:
    if wsl(machine):
        if not machine.find("/dev/dxg"):
            seen = "WSL passes no GPU through (there is no /dev/dxg)"
            return _DRIVER.error(seen, remedy=remedies.WSL_UPDATE)
        seen = "Windows has no NVIDIA driver that WSL can use, or no NVIDIA GPU"
        return _DRIVER.error(seen, remedy=remedies.WINDOWS_DRIVER)
    if machine.system == "Windows":
        seen = "Windows has no NVIDIA driver (no nvidia-smi), or no NVIDIA GPU"
        return _DRIVER.error(seen, remedy=remedies.driver(None))
    if not has_gpu(machine):
        seen = "this machine has no NVIDIA GPU"
        return _DRIVER.error(seen, remedy=without_gpu(spec))
    nouveau = machine.find("/sys/module/nouveau")
    other = "; nouveau is loaded, which TensorFlow can't use" if nouveau else ""
    seen = f"this machine has an NVIDIA GPU, but no NVIDIA driver{other}"
    capability = newest_gpu(machine)
    if (finding := _too_old(machine, spec, seen, capability)) is not None:
        return finding
    return _DRIVER.error(seen, remedy=driver_to_install(machine))


def driver_to_install(machine: Machine) -> Remedy:
    """Installs the driver for the GPU of the machine."""
    return remedies.driver(_branch(newest_gpu(machine)))


def _check_driver(machine: Machine, spec: HostSpec, version: str) -> Iterator[HostFinding]:
    finding = _check_version(machine, spec, _format_gpus(machine), version)
    yield finding
    if finding.remedy == newer_driver(machine, newest_gpu(machine)):
        yield from _served_series(machine, spec, version)


def _check_version(machine: Machine, spec: HostSpec, names: str, version: str) -> HostFinding:
    seen = f"{names}, driver {version}"
    required = spec.driver
    if required is None:
        return _DRIVER.ok(seen)
    known = generation(newest_gpu(machine))
    if known in _NOT_IN_WSL and is_passed_by_wsl(machine, spec):
        needed = f"containers get the GPU through WSL 2, which supports none so old ({known.name})"
        return _DRIVER.error(seen, needed, without_gpu(spec))
    whole, least = minimum_drivers(machine, required)
    built = _format_build(spec)
    if least is None or numbers(version) >= numbers(least):
        if whole is None or numbers(version) >= numbers(whole):
            return _DRIVER.ok(seen)
        if least is not None:
            needed = (
                f"{built}. It works with driver {least} or later, but needs {whole} or later if it "
                "has to compile code for the GPU at first use"
            )
            return _DRIVER.note(seen, needed)
    capability = newest_gpu(machine)
    if (finding := _too_old(machine, spec, seen, capability)) is not None:
        return finding
    needed = f"{built}, which needs driver {_format_minima(whole, least)}"
    return _DRIVER.error(seen, needed, newer_driver(machine, capability))


def _served_series(machine: Machine, spec: HostSpec, version: str) -> Iterator[HostFinding]:
    """The series for a user who can't install a driver, as on a cluster."""
    capability = newest_gpu(machine)
    series = newest_series(
        machine, spec, lambda release: is_served_by(machine, release, version, capability)
    )
    if series is not None:
        yield HostFinding(
            "series",
            "note",
            f"TensorFlow {series} is the newest series that works with driver {version}",
            remedy=Remedy(
                "To use it instead of a newer driver:",
                everywhere=(move_command(machine, spec, series),),
            ),
        )


def _format_build(spec: HostSpec) -> str:
    return f"TensorFlow {spec.tensorflow} is built with CUDA {spec.release.cuda}"


def _format_minima(whole: str | None, least: str | None) -> str:
    if least and whole:
        return f"{least} or later, preferably {whole} or later"
    return f"{least or whole} or later"


def is_passed_by_wsl(machine: Machine, spec: HostSpec) -> bool:
    """Whether the container gets the GPU through WSL."""
    return has_windows_driver(machine) and platform(machine, spec) == LINUX_X86_64


def newest_gpu(machine: Machine) -> str | None:
    """The compute capability of the newest GPU, for which the driver is chosen."""
    found = [gpu.capability for gpu in gpus(machine)]
    return newest_capability(found or pci_capabilities(machine))


def _branch(capability: str | None) -> int | None:
    known = generation(capability)
    return known.branch if known else None


def alternative_to_newer_driver(machine: Machine, spec: HostSpec) -> Remedy | None:
    """What to do if the GPU is too old for a newer driver; None if it is not."""
    finding = _too_old(machine, spec, "", newest_gpu(machine))
    return finding.remedy if finding else None


def newer_driver(machine: Machine, capability: str | None) -> Remedy:
    """Installs a newer driver, where it has to be installed."""
    if wsl(machine):
        return remedies.WINDOWS_DRIVER
    remedy = remedies.newer_driver(_branch(capability))
    return replace(remedy, where="host") if in_container(machine) else remedy


def _too_old(
    machine: Machine, spec: HostSpec, seen: str, capability: str | None
) -> HostFinding | None:
    """The finding for a GPU without a driver that is new enough; None if there is one."""
    known, required = generation(capability), spec.driver
    if known is None or required is None or has_driver_for(machine, spec.release, known):
        return None
    last = known.last(windows=has_windows_driver(machine))
    minima = _format_minima(*minimum_drivers(machine, required))
    needed = (
        f"{_format_build(spec)}, which needs driver {minima}; the last NVIDIA driver for this GPU "
        f"({known.name}) is {last}"
    )
    remedy = suggest_series(machine, spec, str(capability)) or without_gpu(spec)
    return _DRIVER.error(seen, needed, remedy)


def suggest_series(machine: Machine, spec: HostSpec, capability: str) -> Remedy | None:
    """Suggests the newest series with machine code or PTX for a GPU, and a driver for both."""
    known = generation(capability)
    if known in _NOT_IN_WSL and is_passed_by_wsl(machine, spec):
        return None

    def is_fit(release: Release) -> bool:
        code = compiled_code(release.wheels.get(platform(machine, spec)))
        return is_runnable(code, capability) and (
            known is None or has_driver_for(machine, release, known)
        )

    series = newest_series(machine, spec, is_fit)
    if series is None:
        return None
    what = f"Use TensorFlow {series}, the newest series for this GPU, or use the CPU:"
    commands = (move_command(machine, spec, series), *without_gpu(spec).everywhere)
    return Remedy(what, everywhere=commands)
