"""Whether TensorFlow's wheels can be installed on this machine, and its processor can run them.

Sources: PEP 600 (manylinux and glibc); https://www.tensorflow.org/install/pip, "Hardware
requirements" (AVX) and "Windows" (the Visual C++ runtime); tensorflow/tensorflow issues 89269 and
79362 (a newer runtime fixes "DLL initialization routine failed").
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from poetry_tf.doctor.host.child_programs import read_glibc, run_windows_program
from poetry_tf.doctor.host.engine import runs_elsewhere
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.model import HostFinding, HostSpec, Remedy, Subject
from poetry_tf.doctor.host.series import move_command, newest_series, platform, runs_here
from poetry_tf.doctor.host.system import in_container, is_arm, os_release
from poetry_tf.releases import Release
from poetry_tf.releases.model import MACOS_X86_64, numbers

_WHEELS = Subject("platform")
_GLIBC = Subject("glibc")
_AVX = Subject("avx")
_VISUAL_CPP = Subject("visual-c++")
_MUSL = "/lib/ld-musl-*.so.1"
VISUAL_CPP = Remedy(
    "Install or update the Visual C++ runtime (2015-2022, x64):",
    everywhere=("winget install Microsoft.VCRedist.2015+.x64",),
)


# -- wheels ------------------------------------------------------------------------------------


def wheels_install(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    """Whether there are wheels for the platform and C library where TensorFlow is installed."""
    is_inside = in_container(machine)
    if not is_inside and spec.config is not None:
        return
    place = platform(machine, spec)
    wheels = spec.release.wheels.get(place)
    if machine.system == "Linux":
        if wheels is not None and wheels.glibc is not None:
            yield from _glibc(machine, spec, wheels.glibc)
    elif not spec.release.usable_on(place):
        name = "Intel Macs" if place == MACOS_X86_64 else place
        series = newest_series(
            machine, spec, lambda one: bool(one.usable_on(place)), needs_gpu=False
        )
        remedy = (
            Remedy(
                f"Use TensorFlow {series}, the newest for {name}:",
                everywhere=(move_command(machine, spec, series),),
            )
            if series
            else None
        )
        yield _WHEELS.error(f"TensorFlow {spec.tensorflow} has no wheels for {name}", "", remedy)


def _glibc(machine: Machine, spec: HostSpec, least: str) -> Iterator[HostFinding]:
    found = read_glibc(machine)
    if found is None and not machine.find(_MUSL):
        return
    if found is not None and numbers(found) >= numbers(least):
        return
    name = os_release(machine).get("PRETTY_NAME")
    where = f" ({name})" if name else ""
    inside = in_container(machine)
    needed = (
        f"the wheels of TensorFlow {spec.tensorflow} need glibc {least} or later, so none of them "
        "can be installed here"
    )
    other = "an image with a newer system" if inside else "a container, which has its own glibc"
    if found is None:
        seen = f"this system has musl, not glibc{where}"
        kind = "an image" if inside else "a container, or a machine,"
        remedy = Remedy(f"Use {kind} with glibc, such as Debian or Ubuntu")
        yield _GLIBC.error(seen, needed, remedy)
        return
    place = platform(machine, spec)

    def is_fit(release: Release) -> bool:
        wheels = release.wheels.get(place)
        glibc = wheels.glibc if wheels else None
        return glibc is not None and numbers(glibc) <= numbers(found)

    series = newest_series(machine, spec, is_fit)
    remedy = Remedy(f"Use {other}, or a machine with a newer system")
    if series is not None:
        remedy = Remedy(
            f"Use {other}, or TensorFlow {series}, the newest whose wheels can be installed here:",
            everywhere=(move_command(machine, spec, series),),
        )
    yield _GLIBC.error(f"this system has glibc {found}{where}", needed, remedy)


# -- the processor -----------------------------------------------------------------------------


def avx(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    """Whether the processor has AVX, without which no TensorFlow for x86-64 can be imported."""
    if not in_container(machine) and runs_elsewhere(machine, spec):
        return
    if machine.system == "Darwin":
        yield from _rosetta(machine, spec)
        return
    if is_arm(machine.architecture):
        return
    if machine.system == "Windows":
        has_avx = next(
            (line["avx"] for line in run_windows_program(machine, spec).lines_with("avx")), None
        )
        if has_avx is False:
            yield _without_avx("the processor has no AVX", _OTHER_PROCESSOR)
        return
    information = machine.read("/proc/cpuinfo") or ""
    match = re.search(r"^flags\s*:(.*)$", information, re.MULTILINE)
    flags = match[1].split() if match else []
    if not flags or "avx" in flags:
        return
    name = re.search(r"^model name\s*:\s*(.+)$", information, re.MULTILINE)
    shown = f" ({name[1].strip()})" if name else ""
    if "VirtualApple" in shown:
        what = (
            "Use images for ARM: remove --platform=linux/amd64 and DOCKER_DEFAULT_PLATFORM, and "
            "rebuild the container"
        )
        yield _without_avx(f"this is an x86-64 container on Apple silicon{shown}", what)
    elif "hypervisor" in flags:
        what = (
            "Give the virtual machine the host's processor: in QEMU, libvirt and Proxmox with the "
            'CPU type "host". If the host has no AVX either, use another machine'
        )
        yield _without_avx(f"the processor of this virtual machine has no AVX{shown}", what)
    else:
        yield _without_avx(f"the processor has no AVX{shown}", _OTHER_PROCESSOR)


_OTHER_PROCESSOR = (
    "Use a machine with a newer processor, or build TensorFlow from source for this one: "
    "https://www.tensorflow.org/install/source"
)


def _without_avx(seen: str, what: str) -> HostFinding:
    needed = (
        "all TensorFlow wheels for x86-64 need AVX; without it, importing them crashes with an "
        "illegal instruction"
    )
    return _AVX.error(seen, needed, Remedy(what))


def _rosetta(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    translated = machine.run("sysctl", "-n", "sysctl.proc_translated").output == "1"
    if machine.architecture == "x86_64" and translated and runs_here(spec):
        what = "Install Python and Poetry for Apple silicon (arm64), and recreate the environment"
        yield _without_avx("this Python is for Intel Macs, and runs under Rosetta", what)


def visual_cpp(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    """Whether Windows has the Visual C++ runtime, where TensorFlow runs on it."""
    if machine.system != "Windows" or not runs_here(spec):
        return
    lines = run_windows_program(machine, spec).lines_with("lacks")
    if missing := [str(line["lacks"]) for line in lines]:
        yield _VISUAL_CPP.error(
            f"Windows has no {missing[0]}",
            "TensorFlow needs it; without it, importing TensorFlow fails (DLL load failed)",
            VISUAL_CPP,
        )
