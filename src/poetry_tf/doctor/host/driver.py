"""Whether there is a GPU of NVIDIA's, and a driver for it that the locked CUDA can work with."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from poetry_tf.doctor.host import remedies
from poetry_tf.doctor.host.findings import HostFinding, Remedy
from poetry_tf.doctor.host.gpu_generation import (
    Generation,
    generation,
    named_capability,
    newest,
    pci_capabilities,
    pci_displays,
)
from poetry_tf.doctor.host.machine import LIMIT, CommandResult, Machine
from poetry_tf.doctor.host.needs import Needs
from poetry_tf.doctor.host.system import in_container, wsl
from poetry_tf.releases import Release, load
from poetry_tf.releases.model import LINUX_X86_64, WINDOWS_AMD64, numbers
from poetry_tf.releases.nvidia import Driver
from poetry_tf.releases.nvidia import driver as driver_for
from poetry_tf.text import format_list

_SMI = ("nvidia-smi", "/usr/lib/wsl/lib/nvidia-smi")
_FIELDS = ("name,driver_version,compute_cap", "name,driver_version")
_LOADED = "/proc/driver/nvidia/version"
# WSL hands in GPUs from Maxwell on, better Pascal (CUDA on WSL User Guide).
_NOT_IN_WSL = {known for known in (generation("2.1"), generation("3.7")) if known}
_VERSION = re.compile(r"\d+(?:\.\d+)+")


@dataclass(frozen=True)
class DetectedGpu:
    """A GPU as the driver tells of it: its name, and its compute capability where that is known."""

    name: str
    capability: str | None = None


def smi(machine: Machine) -> CommandResult:
    """What nvidia-smi says of each GPU; an old one knows no compute capability."""
    for program in _SMI:
        for fields in _FIELDS:
            ran = machine.run(program, f"--query-gpu={fields}", "--format=csv,noheader")
            if not (ran.status and "not a valid field" in f"{ran.output}{ran.error}"):
                break
        if ran.trouble != "missing":
            return ran
    return ran


def gpus(machine: Machine) -> tuple[DetectedGpu, ...]:
    """The GPUs that the driver knows."""
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
    """The version of NVIDIA's driver; in WSL that of Windows' own."""
    ran = smi(machine)
    for line in ran.output.splitlines() if ran.succeeded else ():
        for part in line.split(",")[1:2]:
            if _VERSION.fullmatch(part.strip()):
                return part.strip()
    return _loaded(machine)


def _loaded(machine: Machine) -> str | None:
    """The version that the kernel has loaded."""
    match = re.search(r"Module.*?(\d+(?:\.\d+)+)", machine.read(_LOADED) or "")
    return match[1] if match else None


def has_gpu(machine: Machine) -> bool:
    """Whether a GPU of NVIDIA's is in the machine, with or without a driver."""
    if gpus(machine) or machine.find("/dev/dxg"):
        return True
    return bool(pci_displays(machine))


def driver(machine: Machine, needs: Needs) -> Iterator[HostFinding]:
    """The driver: whether it is there, answers, and is new enough."""
    if not needs.wants_gpu or machine.system == "Darwin" or wsl(machine) == 1:
        return
    ran, version = smi(machine), driver_version(machine)
    if in_container(machine):
        # What a container lacks of it is told with its devices and libcuda.
        if version is not None:
            yield _judged(machine, needs, _names(machine), version)
    elif ran.trouble == "timeout":
        seen = f"nvidia-smi gave no answer within {LIMIT:g} seconds"
        needed = "a driver that hangs, or a GPU that has fallen off its bus"
        yield HostFinding("driver", "error", seen, needed, remedies.RESTART)
    elif version is not None and (ran.succeeded or ran.trouble):
        yield _judged(machine, needs, _names(machine), version)
    elif not ran.trouble:
        yield _failed(machine, needs, ran)
    else:
        yield _missing(machine, needs)


def _names(machine: Machine) -> str:
    known = Counter(gpu.name for gpu in gpus(machine))
    if not known:
        return "a GPU of NVIDIA's"
    return format_list(name if count == 1 else f"{count} × {name}" for name, count in known.items())


def _failed(machine: Machine, needs: Needs, ran: CommandResult) -> HostFinding:
    said = f"{ran.output}\n{ran.error}".strip()
    first = said.splitlines()[0] if said else f"nothing, and ends with {ran.status}"
    seen, loaded, remedy = f"nvidia-smi says: {first}", _loaded(machine), remedies.RESTART
    capability = _capability(machine)
    known = generation(capability)
    if "version mismatch" in said:
        needed = "the driver was updated while the old one was running"
    elif known is not None and (loaded is None or numbers(loaded)[0] > known.branch):
        if (finding := _too_old(machine, needs, seen, capability)) is not None:
            return finding
        needed = f"NVIDIA's drivers for this GPU ({known.name}) end with {known.branch}"
        remedy = remedies.last_driver(known.branch)
    elif "No devices were found" in said:
        needed = "the driver runs and knows no GPU: it may be too new or too old for it"
    elif loaded is not None:
        needed = (
            f"the kernel has driver {loaded} loaded, which doesn't work with this nvidia-smi: "
            "after an update the old one often still runs"
        )
    else:
        needed = "the driver is installed, but the kernel hasn't loaded it"
        remedy = remedies.MODULE
    return HostFinding("driver", "error", seen, needed, remedy)


def _missing(machine: Machine, needs: Needs) -> HostFinding:
    if wsl(machine):
        if not machine.find("/dev/dxg"):
            seen = "WSL hands no GPU in (there is no /dev/dxg)"
            return HostFinding("driver", "error", seen, remedy=remedies.WSL_UPDATE)
        seen = "Windows has no driver of NVIDIA's that WSL can use, or no GPU of NVIDIA's"
        return HostFinding("driver", "error", seen, remedy=remedies.WINDOWS_DRIVER)
    if machine.system == "Windows":
        seen = "there is no driver of NVIDIA's (no nvidia-smi), or no GPU of NVIDIA's"
        return HostFinding("driver", "error", seen, remedy=remedies.driver(None))
    if not has_gpu(machine):
        seen = "this machine has no GPU of NVIDIA's"
        return HostFinding("driver", "error", seen, remedy=remedies.WITHOUT_GPU)
    nouveau = machine.find("/sys/module/nouveau")
    other = ", but nouveau, which TensorFlow can't use" if nouveau else ""
    seen = f"there is a GPU of NVIDIA's, and no driver of NVIDIA's for it{other}"
    capability = _capability(machine)
    if (finding := _too_old(machine, needs, seen, capability)) is not None:
        return finding
    return HostFinding("driver", "error", seen, remedy=remedies.driver(_branch(capability)))


def _judged(machine: Machine, needs: Needs, names: str, version: str) -> HostFinding:
    seen = f"{names}, driver {version}"
    wanted = needs.driver
    if wanted is None:
        return HostFinding("driver", "ok", seen)
    known = generation(_capability(machine))
    if known in _NOT_IN_WSL and _by_wsl(machine, needs):
        needed = f"WSL 2, by which a container gets a GPU, hands in none so old ({known.name})"
        return HostFinding("driver", "error", seen, needed, remedies.WITHOUT_GPU)
    whole, least = _minima(machine, wanted)
    built = _built(needs)
    if least is None or numbers(version) >= numbers(least):
        if whole is None or numbers(version) >= numbers(whole):
            return HostFinding("driver", "ok", seen)
        if least is not None:
            needed = (
                f"{built}: it runs with {least} or later, but where code has to be compiled for "
                f"the GPU at first use it takes {whole} or later"
            )
            return HostFinding("driver", "note", seen, needed)
    capability = _capability(machine)
    if (finding := _too_old(machine, needs, seen, capability)) is not None:
        return finding
    needed = f"{built}, which takes a driver of {_both(whole, least)}"
    return HostFinding("driver", "error", seen, needed, _newer(machine, capability))


def _built(needs: Needs) -> str:
    return f"TensorFlow {needs.tensorflow} is built with CUDA {needs.release.cuda}"


def _both(whole: str | None, least: str | None) -> str:
    return f"at least {least}, better {whole}" if least and whole else f"at least {least or whole}"


def _on_windows(machine: Machine) -> bool:
    """Whether the driver is Windows' own, as it is in WSL."""
    return bool(wsl(machine)) or machine.system == "Windows"


def _by_wsl(machine: Machine, needs: Needs) -> bool:
    """Whether WSL is what hands the GPU in."""
    return _on_windows(machine) and _platform(machine, needs) == LINUX_X86_64


def _minima(machine: Machine, wanted: Driver) -> tuple[str | None, str | None]:
    """The driver that runs everything, and the one that runs what needn't be compiled first."""
    if _on_windows(machine):
        return wanted.windows, wanted.windows_least
    return wanted.linux, wanted.linux_least


def _capability(machine: Machine) -> str | None:
    """The compute capability of the newest GPU, which is the one that a driver is for."""
    found = gpus(machine)
    return newest(gpu.capability for gpu in found) if found else newest(pci_capabilities(machine))


def _branch(capability: str | None) -> int | None:
    known = generation(capability)
    return known.branch if known else None


def instead_of_newer(machine: Machine, needs: Needs) -> Remedy | None:
    """What to do where the GPU is too old for a newer driver; None where it isn't."""
    finding = _too_old(machine, needs, "", _capability(machine))
    return finding.remedy if finding else None


def _newer(machine: Machine, capability: str | None) -> Remedy:
    if wsl(machine):
        return remedies.WINDOWS_DRIVER
    remedy = remedies.newer_driver(_branch(capability))
    return replace(remedy, where="host") if in_container(machine) else remedy


def _too_old(
    machine: Machine, needs: Needs, seen: str, capability: str | None
) -> HostFinding | None:
    """What is said of a GPU for which there is no driver that would be new enough."""
    known, wanted = generation(capability), needs.driver
    if known is None or wanted is None or _can_have(machine, needs.release, known):
        return None
    whole, least = _minima(machine, wanted)
    needed = (
        f"{_built(needs)}, which takes a driver of {_both(whole, least)}; for this GPU "
        f"({known.name}) NVIDIA's drivers end with {known.last(windows=_on_windows(machine))}"
    )
    remedy = _fitting(machine, needs, str(capability)) or remedies.WITHOUT_GPU
    return HostFinding("driver", "error", seen, needed, remedy)


def _can_have(machine: Machine, release: Release, known: Generation) -> bool:
    """Whether a generation's last driver is new enough for a release."""
    wanted = driver_for(release.cuda) if release.cuda else None
    if wanted is None:
        return True
    whole, least = _minima(machine, wanted)
    needed = least or whole
    return needed is None or numbers(needed)[0] <= known.last(windows=_on_windows(machine))


# -- compute capability ---------------------------------------------------------------------


def compute(machine: Machine, needs: Needs) -> Iterator[HostFinding]:
    """Whether TensorFlow holds code for each GPU, or has to have it compiled at first use.

    Machine code (``sm_80``) runs on its own capability and on later ones of the same major; PTX
    (``compute_90``) is compiled by the driver for its own capability and any later one (CUDA C++
    Programming Guide, "Binary Compatibility" and "PTX Compatibility").
    """
    if not needs.wants_gpu:
        return
    code = _code(needs.release.wheels.get(_platform(machine, needs)))
    found = gpus(machine) if code else ()
    unusable = [gpu for gpu in found if gpu.capability and not _runs(code, _pair(gpu.capability))]
    for gpu in found:
        if gpu in unusable:
            if finding := _unusable(machine, needs, gpu, another=len(unusable) < len(found)):
                yield finding
        elif gpu.capability and not any(
            kind == "sm" and _fits(own, _pair(gpu.capability)) for kind, own in code
        ):
            yield _compiled(machine, needs, gpu)


def _compiled(machine: Machine, needs: Needs, gpu: DetectedGpu) -> HostFinding:
    seen = (
        f"{gpu.name} has compute capability {gpu.capability}, for which TensorFlow "
        f"{needs.tensorflow} holds no machine code, but PTX"
    )
    version, wanted = driver_version(machine), needs.driver
    whole = _minima(machine, wanted)[0] if wanted else None
    if version is not None and whole is not None and numbers(version) < numbers(whole):
        needed = (
            f"the driver has to compile TensorFlow's code for it, and only {whole} or later can"
        )
        remedy = _newer(machine, gpu.capability)
        return HostFinding("compute", "error", seen, needed, remedy)
    needed = (
        "the driver compiles TensorFlow's code for it at first use, which can take half an hour "
        "and is kept for the next time"
    )
    place = "" if needs.config is None and needs.from_project else " in containerEnv"
    what = f"So that it is kept whole (4 GiB), set{place}:"
    remedy = Remedy(what, everywhere=("CUDA_CACHE_MAXSIZE=4294967296",))
    return HostFinding("compute", "note", seen, needed, remedy)


def _unusable(
    machine: Machine, needs: Needs, gpu: DetectedGpu, *, another: bool
) -> HostFinding | None:
    """What is said of a GPU that TensorFlow passes over; nothing where the driver says it."""
    seen = f"{gpu.name} has compute capability {gpu.capability}"
    needed = f"TensorFlow {needs.tensorflow} holds no code that runs on it"
    if another:
        return HostFinding("compute", "note", seen, f"{needed}, and passes it over")
    known = generation(_capability(machine))
    if known is not None and not _can_have(machine, needs.release, known):
        return None
    remedy = _fitting(machine, needs, str(gpu.capability))
    if remedy is None:
        needed += ", nor does any other that is known here"
    return HostFinding("compute", "error", seen, needed, remedy or remedies.WITHOUT_GPU)


def _fitting(machine: Machine, needs: Needs, capability: str) -> Remedy | None:
    """The newest series for a GPU: it has code for it, and there is a driver for both."""
    known = generation(capability)
    if known in _NOT_IN_WSL and _by_wsl(machine, needs):
        return None
    fitting = [
        release.series
        for release in load().releases
        if (code := _code(release.wheels.get(_platform(machine, needs))))
        and _runs(code, _pair(capability))
        and (known is None or _can_have(machine, release, known))
    ]
    if not fitting:
        return None
    what = f"Take TensorFlow {fitting[-1]}, the newest series for this GPU, or ask for no GPU:"
    command = f"poetry tf upgrade {fitting[-1]}"
    if numbers(fitting[-1]) < numbers(needs.release.series):
        command = f"poetry tf init --tensorflow {fitting[-1]}"
    return Remedy(what, everywhere=(command, "poetry tf init --gpu none"))


def _platform(machine: Machine, needs: Needs) -> str:
    """The platform whose wheels run here: a container's, unless Windows has to do without."""
    without = needs.from_project and needs.config is None
    return WINDOWS_AMD64 if machine.system == "Windows" and without else LINUX_X86_64


def _code(wheels: object) -> list[tuple[str, tuple[int, int]]]:
    """What a wheel has compiled in: the kind (``sm``, ``compute``) and the capability."""
    names = getattr(wheels, "compute", ())
    found = (re.fullmatch(r"(sm|compute)_(\d+)(\d)[a-z]?", name) for name in names)
    return [(match[1], (int(match[2]), int(match[3]))) for match in found if match]


def _runs(code: list[tuple[str, tuple[int, int]]], capability: tuple[int, int]) -> bool:
    return any(_fits(own, capability) if kind == "sm" else own <= capability for kind, own in code)


def _fits(own: tuple[int, int], capability: tuple[int, int]) -> bool:
    return own[0] == capability[0] and own <= capability


def _pair(capability: str) -> tuple[int, int]:
    major, minor = (*numbers(capability), 0)[:2]
    return major, minor
