"""The series of TensorFlow that a machine can use, and the command that moves a project to one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from poetry_tf.doctor.host import remedies
from poetry_tf.doctor.host.gpu_generation import Generation
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.model import HostSpec, Remedy
from poetry_tf.doctor.host.system import is_arm, wsl
from poetry_tf.releases import Release, Wheels, load
from poetry_tf.releases.model import (
    LINUX_AARCH64,
    LINUX_X86_64,
    MACOS_ARM64,
    MACOS_X86_64,
    WINDOWS_AMD64,
    major_minor,
    numbers,
)
from poetry_tf.releases.nvidia import Driver, own_image
from poetry_tf.releases.nvidia import driver as driver_for

Code = list[tuple[str, tuple[int, int]]]
"""Compiled code: its kind (``sm``, ``compute``) and compute capability."""


def runs_here(spec: HostSpec) -> bool:
    """Whether the project works without a container."""
    return spec.config is None


def platform(machine: Machine, spec: HostSpec) -> str:
    """The platform of the wheels: that of the container, or of this machine without one."""
    return own_platform(machine) if runs_here(spec) else _linux(machine)


def own_platform(machine: Machine) -> str:
    """The platform of this machine."""
    if machine.system == "Darwin":
        return MACOS_ARM64 if is_arm(machine.architecture) else MACOS_X86_64
    return WINDOWS_AMD64 if machine.system == "Windows" else _linux(machine)


def _linux(machine: Machine) -> str:
    return LINUX_AARCH64 if is_arm(machine.architecture) else LINUX_X86_64


# -- the driver --------------------------------------------------------------------------------


def has_windows_driver(machine: Machine) -> bool:
    """Whether the driver is the one on Windows, as in WSL."""
    return bool(wsl(machine)) or machine.system == "Windows"


def minimum_drivers(machine: Machine, required: Driver) -> tuple[str | None, str | None]:
    """The minimum drivers: for everything, and for code that needs no compilation."""
    if has_windows_driver(machine):
        return required.windows, required.windows_least
    return required.linux, required.linux_least


def has_driver_for(machine: Machine, release: Release, known: Generation) -> bool:
    """Whether the last driver for a generation is new enough for a release."""
    required = driver_for(release.cuda) if release.cuda else None
    if required is None:
        return True
    whole, least = minimum_drivers(machine, required)
    needed = least or whole
    return needed is None or numbers(needed)[0] <= known.last(windows=has_windows_driver(machine))


# -- the code ----------------------------------------------------------------------------------


def compiled_code(wheels: Wheels | None) -> Code:
    """The compiled code of a wheel. An architecture without a kind counts as both."""
    names = (wheels.compute if wheels else None) or ()
    found = (re.fullmatch(r"(?:(sm|compute)_)?(\d+)(\d)[a-z]?", name) for name in names)
    return [
        (kind, (int(match[2]), int(match[3])))
        for match in found
        if match
        for kind in ([match[1]] if match[1] else ["sm", "compute"])
    ]


def has_machine_code(code: Code, capability: str) -> bool:
    """Whether there is machine code for a GPU."""
    wanted = major_minor(capability)
    return any(kind == "sm" and own[0] == wanted[0] and own <= wanted for kind, own in code)


def is_runnable(code: Code, capability: str) -> bool:
    """Whether there is machine code for a GPU, or PTX that its driver can compile."""
    if has_machine_code(code, capability):
        return True
    ptx = newest_ptx(code, capability)
    first = major_minor(own_image().first)
    return ptx is not None and not ptx < first <= major_minor(capability)


def newest_ptx(code: Code, capability: str) -> tuple[int, int] | None:
    """The newest PTX for a GPU; None if there is none."""
    wanted = major_minor(capability)
    return max((own for kind, own in code if kind == "compute" and own <= wanted), default=None)


# -- series ------------------------------------------------------------------------------------


def is_built_with_cuda(machine: Machine, spec: HostSpec) -> bool:
    """Whether the wheels of the release are built with CUDA where the project works."""
    if not runs_here(spec) or machine.system == "Linux":
        return True  # judged by the processor
    wheels = spec.release.wheels.get(platform(machine, spec))
    return wheels is not None and wheels.cuda is not None


def has_gpu_mode(machine: Machine, spec: HostSpec, release: Release) -> bool:
    """Whether a release has a GPU mode that is known to work where the project works."""
    place = platform(machine, spec)
    wheels = release.wheels.get(place)
    if wheels is None or wheels.cuda is None:
        return False
    if place == WINDOWS_AMD64:
        return True
    if release.and_cuda is not None and release.and_cuda.pythons_on(place):
        return True
    pair = load().container_pair(release)
    return not runs_here(spec) and pair is not None and pair.proven


def newest_series(
    machine: Machine,
    spec: HostSpec,
    is_fit: Callable[[Release], bool],
    *,
    needs_gpu: bool = True,
) -> str | None:
    """The newest series with a GPU mode, if one is requested and needed, whose releases fit."""
    fitting = [
        release.series
        for release in load().releases
        if not release.yanked
        and fits_python(machine, spec, release)
        and (not (needs_gpu and spec.uses_gpu) or has_gpu_mode(machine, spec, release))
        and is_fit(release)
    ]
    return fitting[-1] if fitting else None


def fits_python(machine: Machine, spec: HostSpec, release: Release) -> bool:
    """Whether a release can be installed on a Python that the project admits."""
    usable = release.usable_on(platform(machine, spec))
    return not spec.pythons or any(minor in spec.pythons for minor in usable)


def first_series(machine: Machine, spec: HostSpec) -> Release | None:
    """The first release of a series after the project's that has a GPU mode."""
    later = (
        release
        for release in load().releases
        if numbers(release.series) > numbers(spec.release.series)
        and not release.yanked
        and has_gpu_mode(machine, spec, release)
    )
    return next(later, None)


def is_served_by(machine: Machine, release: Release, driver: str, capability: str | None) -> bool:
    """Whether a driver runs the code that a release has for a GPU."""
    required = driver_for(release.cuda) if release.cuda else None
    if required is None:
        return False
    whole, least = minimum_drivers(machine, required)
    code = compiled_code(release.wheels.get(LINUX_X86_64))
    if capability is not None and not has_machine_code(code, capability):
        if not is_runnable(code, capability):
            return False
        least = whole
    needed = least or whole
    return needed is not None and numbers(driver) >= numbers(needed)


def move_command(machine: Machine, spec: HostSpec, series: str) -> str:
    """The command that moves the project to a series."""
    # `upgrade` keeps the GPU mode.
    keeps_mode = not (runs_here(spec) and spec.mode == "system")
    if keeps_mode and numbers(series) > numbers(spec.release.series):
        return f"poetry tf upgrade {series}"
    return f"poetry tf init --tensorflow {series}{place_options(machine, spec)}"


def place_options(machine: Machine, spec: HostSpec) -> str:
    """The options of `init` for a project that works without a container; empty for others."""
    if not runs_here(spec):
        return ""
    has_wheels = spec.uses_gpu and platform(machine, spec) == LINUX_X86_64
    return f"{_without_container(spec)} --gpu {'pip' if has_wheels else 'none'}"


def _without_container(spec: HostSpec) -> str:
    return "" if spec.refuses_container else " --no-devcontainer"


def without_gpu(spec: HostSpec) -> Remedy:
    """Sets the project up for the CPU."""
    remedy = remedies.WITHOUT_GPU
    if not runs_here(spec):
        return remedy
    commands = tuple(f"{command}{_without_container(spec)}" for command in remedy.everywhere)
    return replace(remedy, everywhere=commands)
