"""Whether there is an NVIDIA GPU, with a driver that works with the locked CUDA."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from poetry_tf.doctor.host import remedies
from poetry_tf.doctor.host.gpu_generation import (
    Generation,
    generation,
    named_capability,
    newest_capability,
    pci_capabilities,
    pci_displays,
)
from poetry_tf.doctor.host.machine import LIMIT, CommandResult, Machine
from poetry_tf.doctor.host.model import HostFinding, HostSpec, Remedy, Subject
from poetry_tf.doctor.host.system import in_container, wsl
from poetry_tf.releases import Release, Wheels, load
from poetry_tf.releases.model import LINUX_X86_64, WINDOWS_AMD64, major_minor, numbers
from poetry_tf.releases.nvidia import Driver
from poetry_tf.releases.nvidia import driver as driver_for
from poetry_tf.text import format_list

_DRIVER = Subject("driver")
_COMPUTE = Subject("compute")
_SMI = ("nvidia-smi", "/usr/lib/wsl/lib/nvidia-smi")
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
    for program in _SMI:
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
    """The version of NVIDIA's driver; in WSL that of the driver on Windows."""
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
    return bool(gpus(machine) or machine.find("/dev/dxg") or pci_displays(machine))


def driver(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    """Whether the driver is installed, responds, and is new enough."""
    if not spec.uses_gpu or machine.system == "Darwin" or wsl(machine) == 1:
        return
    ran, version = smi(machine), driver_version(machine)
    if in_container(machine):
        # Other problems in a container are reported with its devices and libcuda.
        if version is not None:
            yield _check_version(machine, spec, _format_gpus(machine), version)
    elif ran.trouble == "timeout":
        seen = f"nvidia-smi gave no answer within {LIMIT:g} seconds"
        needed = "a driver that hangs, or a GPU that has fallen off its bus"
        yield _DRIVER.error(seen, needed, remedies.RESTART)
    elif version is not None and (ran.succeeded or ran.trouble):
        yield _check_version(machine, spec, _format_gpus(machine), version)
    elif not ran.trouble:
        yield _smi_failed(machine, spec, ran)
    else:
        yield _no_driver(machine, spec)


def _format_gpus(machine: Machine) -> str:
    known = Counter(gpu.name for gpu in gpus(machine))
    if not known:
        return "a GPU of NVIDIA's"
    return format_list(name if count == 1 else f"{count} × {name}" for name, count in known.items())


def _smi_failed(machine: Machine, spec: HostSpec, ran: CommandResult) -> HostFinding:
    text = f"{ran.output}\n{ran.error}".strip()
    first = text.splitlines()[0] if text else f"nothing, and ends with {ran.status}"
    seen, loaded, remedy = f"nvidia-smi says: {first}", _loaded_version(machine), remedies.RESTART
    capability = _capability(machine)
    known = generation(capability)
    if "version mismatch" in text:
        needed = "the driver was updated while the old one was running"
    elif known is not None and (loaded is None or numbers(loaded)[0] > known.branch):
        if (finding := _too_old(machine, spec, seen, capability)) is not None:
            return finding
        needed = f"NVIDIA's drivers for this GPU ({known.name}) end with {known.branch}"
        remedy = remedies.last_driver(known.branch)
    elif "No devices were found" in text:
        needed = "the driver runs and knows no GPU: it may be too new or too old for it"
    elif loaded is not None:
        needed = (
            f"the kernel has driver {loaded} loaded, which doesn't work with this nvidia-smi: "
            "after an update the old one often still runs"
        )
    else:
        needed = "the driver is installed, but the kernel hasn't loaded it"
        remedy = remedies.MODULE
    return _DRIVER.error(seen, needed, remedy)


def _no_driver(machine: Machine, spec: HostSpec) -> HostFinding:
    if wsl(machine):
        if not machine.find("/dev/dxg"):
            seen = "WSL hands no GPU in (there is no /dev/dxg)"
            return _DRIVER.error(seen, remedy=remedies.WSL_UPDATE)
        seen = "Windows has no driver of NVIDIA's that WSL can use, or no GPU of NVIDIA's"
        return _DRIVER.error(seen, remedy=remedies.WINDOWS_DRIVER)
    if machine.system == "Windows":
        seen = "there is no driver of NVIDIA's (no nvidia-smi), or no GPU of NVIDIA's"
        return _DRIVER.error(seen, remedy=remedies.driver(None))
    if not has_gpu(machine):
        seen = "this machine has no GPU of NVIDIA's"
        return _DRIVER.error(seen, remedy=remedies.WITHOUT_GPU)
    nouveau = machine.find("/sys/module/nouveau")
    other = ", but nouveau, which TensorFlow can't use" if nouveau else ""
    seen = f"there is a GPU of NVIDIA's, and no driver of NVIDIA's for it{other}"
    capability = _capability(machine)
    if (finding := _too_old(machine, spec, seen, capability)) is not None:
        return finding
    return _DRIVER.error(seen, remedy=remedies.driver(_branch(capability)))


def _check_version(machine: Machine, spec: HostSpec, names: str, version: str) -> HostFinding:
    seen = f"{names}, driver {version}"
    required = spec.driver
    if required is None:
        return _DRIVER.ok(seen)
    known = generation(_capability(machine))
    if known in _NOT_IN_WSL and _is_passed_by_wsl(machine, spec):
        needed = f"WSL 2, by which a container gets a GPU, hands in none so old ({known.name})"
        return _DRIVER.error(seen, needed, remedies.WITHOUT_GPU)
    whole, least = _minima(machine, required)
    built = _format_build(spec)
    if least is None or numbers(version) >= numbers(least):
        if whole is None or numbers(version) >= numbers(whole):
            return _DRIVER.ok(seen)
        if least is not None:
            needed = (
                f"{built}: it runs with {least} or later, but where code has to be compiled for "
                f"the GPU at first use it takes {whole} or later"
            )
            return _DRIVER.note(seen, needed)
    capability = _capability(machine)
    if (finding := _too_old(machine, spec, seen, capability)) is not None:
        return finding
    needed = f"{built}, which takes a driver of {_format_minima(whole, least)}"
    return _DRIVER.error(seen, needed, _newer_driver(machine, capability))


def _format_build(spec: HostSpec) -> str:
    return f"TensorFlow {spec.tensorflow} is built with CUDA {spec.release.cuda}"


def _format_minima(whole: str | None, least: str | None) -> str:
    return f"at least {least}, better {whole}" if least and whole else f"at least {least or whole}"


def _on_windows(machine: Machine) -> bool:
    """Whether the driver is the one on Windows, as in WSL."""
    return bool(wsl(machine)) or machine.system == "Windows"


def _is_passed_by_wsl(machine: Machine, spec: HostSpec) -> bool:
    """Whether the container gets the GPU by WSL."""
    return _on_windows(machine) and _platform(machine, spec) == LINUX_X86_64


def _minima(machine: Machine, required: Driver) -> tuple[str | None, str | None]:
    """The minimum drivers: for everything, and for code that needs no compilation."""
    if _on_windows(machine):
        return required.windows, required.windows_least
    return required.linux, required.linux_least


def _capability(machine: Machine) -> str | None:
    """The compute capability of the newest GPU, for which the driver is chosen."""
    found = [gpu.capability for gpu in gpus(machine)]
    return newest_capability(found or pci_capabilities(machine))


def _branch(capability: str | None) -> int | None:
    known = generation(capability)
    return known.branch if known else None


def alternative_to_newer_driver(machine: Machine, spec: HostSpec) -> Remedy | None:
    """What to do if the GPU is too old for a newer driver; None if it is not."""
    finding = _too_old(machine, spec, "", _capability(machine))
    return finding.remedy if finding else None


def _newer_driver(machine: Machine, capability: str | None) -> Remedy:
    if wsl(machine):
        return remedies.WINDOWS_DRIVER
    remedy = remedies.newer_driver(_branch(capability))
    return replace(remedy, where="host") if in_container(machine) else remedy


def _too_old(
    machine: Machine, spec: HostSpec, seen: str, capability: str | None
) -> HostFinding | None:
    """The finding for a GPU without a driver that is new enough; None if there is one."""
    known, required = generation(capability), spec.driver
    if known is None or required is None or _has_driver_for(machine, spec.release, known):
        return None
    last = known.last(windows=_on_windows(machine))
    needed = (
        f"{_format_build(spec)}, which takes a driver of "
        f"{_format_minima(*_minima(machine, required))}; for this GPU ({known.name}) NVIDIA's "
        f"drivers end with {last}"
    )
    remedy = _suggest_series(machine, spec, str(capability)) or remedies.WITHOUT_GPU
    return _DRIVER.error(seen, needed, remedy)


def _has_driver_for(machine: Machine, release: Release, known: Generation) -> bool:
    """Whether the last driver for a generation is new enough for a release."""
    required = driver_for(release.cuda) if release.cuda else None
    if required is None:
        return True
    whole, least = _minima(machine, required)
    needed = least or whole
    return needed is None or numbers(needed)[0] <= known.last(windows=_on_windows(machine))


# -- compute capability ---------------------------------------------------------------------


def compute(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    """Whether TensorFlow has code for each GPU, or PTX that is compiled at first use.

    Machine code (``sm_80``) runs on its own capability and on later ones of the same major; PTX
    (``compute_90``) is compiled by the driver for its own capability and any later one (CUDA C++
    Programming Guide, "Binary Compatibility" and "PTX Compatibility").
    """
    if not spec.uses_gpu:
        return
    code = _compiled_code(spec.release.wheels.get(_platform(machine, spec)))
    found = gpus(machine) if code else ()
    unusable = [
        gpu for gpu in found if gpu.capability and not _runs(code, major_minor(gpu.capability))
    ]
    for gpu in found:
        if gpu in unusable:
            if finding := _unsupported(machine, spec, gpu, another=len(unusable) < len(found)):
                yield finding
        elif gpu.capability and not any(
            kind == "sm" and _fits(own, major_minor(gpu.capability)) for kind, own in code
        ):
            yield _compiled_at_first_use(machine, spec, gpu)


def _compiled_at_first_use(machine: Machine, spec: HostSpec, gpu: DetectedGpu) -> HostFinding:
    seen = (
        f"{gpu.name} has compute capability {gpu.capability}, for which TensorFlow "
        f"{spec.tensorflow} holds no machine code, but PTX"
    )
    version, required = driver_version(machine), spec.driver
    whole = _minima(machine, required)[0] if required else None
    if version is not None and whole is not None and numbers(version) < numbers(whole):
        needed = (
            f"the driver has to compile TensorFlow's code for it, and only {whole} or later can"
        )
        remedy = _newer_driver(machine, gpu.capability)
        return _COMPUTE.error(seen, needed, remedy)
    needed = (
        "the driver compiles TensorFlow's code for it at first use, which can take half an hour "
        "and is kept for the next time"
    )
    place = "" if spec.config is None and spec.from_project else " in containerEnv"
    what = f"So that it is kept whole (4 GiB), set{place}:"
    remedy = Remedy(what, everywhere=("CUDA_CACHE_MAXSIZE=4294967296",))
    return _COMPUTE.note(seen, needed, remedy)


def _unsupported(
    machine: Machine, spec: HostSpec, gpu: DetectedGpu, *, another: bool
) -> HostFinding | None:
    """The finding for a GPU that TensorFlow ignores; None if the driver probe reports it."""
    seen = f"{gpu.name} has compute capability {gpu.capability}"
    needed = f"TensorFlow {spec.tensorflow} holds no code that runs on it"
    if another:
        return _COMPUTE.note(seen, f"{needed}, and passes it over")
    known = generation(_capability(machine))
    if known is not None and not _has_driver_for(machine, spec.release, known):
        return None
    remedy = _suggest_series(machine, spec, str(gpu.capability))
    if remedy is None:
        needed += ", nor does any other that is known here"
    return _COMPUTE.error(seen, needed, remedy or remedies.WITHOUT_GPU)


def _suggest_series(machine: Machine, spec: HostSpec, capability: str) -> Remedy | None:
    """Suggests the newest series with code for a GPU and a driver for both."""
    known = generation(capability)
    if known in _NOT_IN_WSL and _is_passed_by_wsl(machine, spec):
        return None
    fitting = [
        release.series
        for release in load().releases
        if (code := _compiled_code(release.wheels.get(_platform(machine, spec))))
        and _runs(code, major_minor(capability))
        and (known is None or _has_driver_for(machine, release, known))
    ]
    if not fitting:
        return None
    what = f"Take TensorFlow {fitting[-1]}, the newest series for this GPU, or ask for no GPU:"
    command = f"poetry tf upgrade {fitting[-1]}"
    if numbers(fitting[-1]) < numbers(spec.release.series):
        command = f"poetry tf init --tensorflow {fitting[-1]}"
    return Remedy(what, everywhere=(command, "poetry tf init --gpu none"))


def _platform(machine: Machine, spec: HostSpec) -> str:
    """The platform of the wheels: that of the container, or Windows without one."""
    no_container = spec.from_project and spec.config is None
    return WINDOWS_AMD64 if machine.system == "Windows" and no_container else LINUX_X86_64


def _compiled_code(wheels: Wheels | None) -> list[tuple[str, tuple[int, int]]]:
    """The compiled code of a wheel: kind (``sm``, ``compute``) and compute capability.

    An architecture without a kind counts as both.
    """
    names = (wheels.compute if wheels else None) or ()
    found = (re.fullmatch(r"(?:(sm|compute)_)?(\d+)(\d)[a-z]?", name) for name in names)
    return [
        (kind, (int(match[2]), int(match[3])))
        for match in found
        if match
        for kind in ([match[1]] if match[1] else ["sm", "compute"])
    ]


def _runs(code: list[tuple[str, tuple[int, int]]], capability: tuple[int, int]) -> bool:
    return any(_fits(own, capability) if kind == "sm" else own <= capability for kind, own in code)


def _fits(own: tuple[int, int], capability: tuple[int, int]) -> bool:
    return own[0] == capability[0] and own <= capability
