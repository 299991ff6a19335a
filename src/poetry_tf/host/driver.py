"""Whether there is a GPU of NVIDIA's, and a driver for it that the locked CUDA can work with."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from poetry_tf.host import remedies
from poetry_tf.host.findings import HostFinding, Remedy
from poetry_tf.host.machine import LIMIT, Machine, Ran
from poetry_tf.host.needs import Needs
from poetry_tf.host.system import in_container, wsl
from poetry_tf.releases import load
from poetry_tf.releases.model import LINUX_X86_64, numbers
from poetry_tf.words import listed

_SMI = ("nvidia-smi", "/usr/lib/wsl/lib/nvidia-smi")
_FIELDS = ("name,driver_version,compute_cap", "name,driver_version")
_LOADED = "/proc/driver/nvidia/version"
_VENDOR = "0x10de"
# The class of a PCI device that shows or computes pictures.
_DISPLAY = "0x03"
_VERSION = re.compile(r"\d+(?:\.\d+)+")


@dataclass(frozen=True)
class Gpu:
    """A GPU as the driver tells of it: its name, and its compute capability where that is told."""

    name: str
    capability: str | None = None


def smi(machine: Machine) -> Ran:
    """What nvidia-smi says of each GPU; an old one knows no compute capability."""
    for program in _SMI:
        for fields in _FIELDS:
            ran = machine.run(program, f"--query-gpu={fields}", "--format=csv,noheader")
            if not (ran.status and "not a valid field" in f"{ran.output}{ran.error}"):
                break
        if ran.trouble != "missing":
            return ran
    return ran


def gpus(machine: Machine) -> tuple[Gpu, ...]:
    """The GPUs that the driver knows."""
    ran = smi(machine)
    found = []
    for line in ran.output.splitlines() if ran.succeeded else ():
        name, *rest = [part.strip() for part in line.split(",")]
        if rest and _VERSION.fullmatch(rest[0]):
            capability = rest[1] if len(rest) > 1 and _VERSION.fullmatch(rest[1]) else None
            found.append(Gpu(name, capability))
    return tuple(found)


def driver_version(machine: Machine) -> str | None:
    """The version of NVIDIA's driver; in WSL that of Windows' own."""
    ran = smi(machine)
    for line in ran.output.splitlines() if ran.succeeded else ():
        for part in line.split(",")[1:2]:
            if _VERSION.fullmatch(part.strip()):
                return part.strip()
    match = re.search(r"Module.*?(\d+(?:\.\d+)+)", machine.read(_LOADED) or "")
    return match[1] if match else None


def has_gpu(machine: Machine) -> bool:
    """Whether a GPU of NVIDIA's is in the machine, with or without a driver."""
    if gpus(machine) or machine.find("/dev/dxg"):
        return True
    for path in machine.find("/sys/bus/pci/devices/*/vendor"):
        kind = machine.read(f"{path.removesuffix('vendor')}class") or ""
        if (machine.read(path) or "").strip() == _VENDOR and kind.startswith(_DISPLAY):
            return True
    return False


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
        yield _failed(ran)
    else:
        yield _missing(machine)


def _names(machine: Machine) -> str:
    known = Counter(gpu.name for gpu in gpus(machine))
    if not known:
        return "a GPU of NVIDIA's"
    return listed(name if count == 1 else f"{count} × {name}" for name, count in known.items())


def _failed(ran: Ran) -> HostFinding:
    said = f"{ran.output}\n{ran.error}".strip()
    first = said.splitlines()[0] if said else f"nothing, and ends with {ran.status}"
    if "version mismatch" in said:
        needed = "the driver was updated while the old one was running"
        return HostFinding("driver", "error", f"nvidia-smi says: {first}", needed, remedies.RESTART)
    if "No devices were found" in said:
        needed = "the driver runs and knows no GPU: it may be too new or too old for it"
        return HostFinding("driver", "error", f"nvidia-smi says: {first}", needed, remedies.RESTART)
    needed = "the driver is installed, but the kernel hasn't loaded it"
    return HostFinding("driver", "error", f"nvidia-smi says: {first}", needed, remedies.MODULE)


def _missing(machine: Machine) -> HostFinding:
    if wsl(machine):
        if not machine.find("/dev/dxg"):
            seen = "WSL hands no GPU in (there is no /dev/dxg)"
            return HostFinding("driver", "error", seen, remedy=remedies.WSL_UPDATE)
        seen = "Windows has no driver of NVIDIA's that WSL can use, or no GPU of NVIDIA's"
        return HostFinding("driver", "error", seen, remedy=remedies.WINDOWS_DRIVER)
    if machine.system == "Windows":
        seen = "there is no driver of NVIDIA's (no nvidia-smi), or no GPU of NVIDIA's"
        return HostFinding("driver", "error", seen, remedy=remedies.DRIVER)
    if not has_gpu(machine):
        seen = "this machine has no GPU of NVIDIA's"
        return HostFinding("driver", "error", seen, remedy=remedies.WITHOUT_GPU)
    nouveau = machine.find("/sys/module/nouveau")
    other = ", but nouveau, which TensorFlow can't use" if nouveau else ""
    seen = f"there is a GPU of NVIDIA's, and no driver of NVIDIA's for it{other}"
    return HostFinding("driver", "error", seen, remedy=remedies.DRIVER)


def _judged(machine: Machine, needs: Needs, names: str, version: str) -> HostFinding:
    seen = f"{names}, driver {version}"
    wanted = needs.driver
    if wanted is None:
        return HostFinding("driver", "ok", seen)
    windows = bool(wsl(machine)) or machine.system == "Windows"
    whole = wanted.windows if windows else wanted.linux
    least = wanted.windows_least if windows else wanted.linux_least
    built = f"TensorFlow {needs.tensorflow} is built with CUDA {needs.release.cuda}"
    if whole is None or numbers(version) >= numbers(whole):
        return HostFinding("driver", "ok", seen)
    if least is not None and numbers(version) >= numbers(least):
        needed = (
            f"{built}: it runs with {least} or later, but where code has to be compiled for the "
            f"GPU at first use it takes {whole} or later"
        )
        return HostFinding("driver", "note", seen, needed)
    both = f"at least {least}, better {whole}" if least else f"at least {whole}"
    needed = f"{built}, which takes a driver of {both}"
    remedy = remedies.WINDOWS_DRIVER if wsl(machine) else remedies.NEWER_DRIVER
    if in_container(machine) and not wsl(machine):
        remedy = Remedy(remedy.what, remedy.commands, remedy.everywhere, where="host")
    return HostFinding("driver", "error", seen, needed, remedy)


# -- compute capability ---------------------------------------------------------------------


def compute(machine: Machine, needs: Needs) -> Iterator[HostFinding]:
    """Whether TensorFlow holds code for each GPU, or has to have it compiled at first use.

    Machine code (``sm_80``) runs on its own capability and on later ones of the same major; PTX
    (``compute_90``) is compiled by the driver for its own capability and any later one (CUDA C++
    Programming Guide, "Binary Compatibility" and "PTX Compatibility").
    """
    if not needs.wants_gpu:
        return
    code = _code(needs.release.wheels.get(LINUX_X86_64))
    for gpu in gpus(machine) if code else ():
        if gpu.capability is None:
            continue
        capability = _pair(gpu.capability)
        if not _runs(code, capability):
            yield _unusable(needs, gpu)
        elif not any(kind == "sm" and _fits(own, capability) for kind, own in code):
            yield _compiled(machine, needs, gpu)


def _compiled(machine: Machine, needs: Needs, gpu: Gpu) -> HostFinding:
    seen = (
        f"{gpu.name} has compute capability {gpu.capability}, for which TensorFlow "
        f"{needs.tensorflow} holds no machine code, but PTX"
    )
    version, wanted = driver_version(machine), needs.driver
    windows = bool(wsl(machine)) or machine.system == "Windows"
    whole = (wanted.windows if windows else wanted.linux) if wanted else None
    if version is not None and whole is not None and numbers(version) < numbers(whole):
        needed = (
            f"the driver has to compile TensorFlow's code for it, and only {whole} or later can"
        )
        remedy = remedies.WINDOWS_DRIVER if wsl(machine) else remedies.NEWER_DRIVER
        return HostFinding("compute", "error", seen, needed, remedy)
    needed = (
        "the driver compiles TensorFlow's code for it at first use, which can take half an hour "
        "and is kept for the next time"
    )
    place = "" if needs.config is None and needs.from_project else " in containerEnv"
    what = f"So that it is kept whole (4 GiB), set{place}:"
    remedy = Remedy(what, everywhere=("CUDA_CACHE_MAXSIZE=4294967296",))
    return HostFinding("compute", "note", seen, needed, remedy)


def _unusable(needs: Needs, gpu: Gpu) -> HostFinding:
    capability = _pair(str(gpu.capability))
    seen = f"{gpu.name} has compute capability {gpu.capability}"
    needed = f"TensorFlow {needs.tensorflow} holds no code that runs on it"
    fitting = [
        release.series
        for release in load().releases
        if (code := _code(release.wheels.get(LINUX_X86_64))) and _runs(code, capability)
    ]
    if not fitting:
        return HostFinding("compute", "error", seen, f"{needed}, nor does any other")
    what = f"TensorFlow {fitting[-1]} is the newest series that has some:"
    command = f"poetry tf upgrade {fitting[-1]}"
    if numbers(fitting[-1]) < numbers(needs.release.series):
        command = f"poetry tf init --tensorflow {fitting[-1]}"
    return HostFinding("compute", "error", seen, needed, Remedy(what, everywhere=(command,)))


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
