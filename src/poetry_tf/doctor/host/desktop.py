"""What TensorFlow can use on Windows and on macOS, in a container and without one."""

from __future__ import annotations

from collections.abc import Iterator

from poetry_tf.doctor.host.child_programs import run_libraries_program
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.model import HostFinding, HostSpec, Remedy, Subject
from poetry_tf.doctor.host.series import place_options, runs_here, without_gpu
from poetry_tf.doctor.host.system import is_arm
from poetry_tf.releases import load
from poetry_tf.releases.companions import newest
from poetry_tf.releases.model import WINDOWS_AMD64

_SYSTEM = Subject("system")
_METAL = "tensorflow-metal"


def desktop(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    """Windows or macOS, and whether TensorFlow can use a GPU on it."""
    if not spec.uses_gpu:
        return
    if machine.system == "Windows":
        yield _windows(spec)
    elif machine.system == "Darwin":
        yield _mac(machine, spec) if runs_here(spec) else _container_on_mac(machine, spec)


# -- Windows -----------------------------------------------------------------------------------


def _windows(spec: HostSpec) -> HostFinding:
    if not runs_here(spec):
        return _SYSTEM.ok("Windows")
    seen = "Windows, without a container"
    wheels = spec.release.wheels.get(WINDOWS_AMD64)
    if wheels is not None and wheels.cuda is not None:
        return _SYSTEM.note(
            seen,
            f"TensorFlow {spec.tensorflow} uses a GPU if CUDA {wheels.cuda} and cuDNN "
            f"{wheels.cudnn} for Windows are installed and on PATH, which is not checked",
        )
    # The same by https://www.tensorflow.org/install/source_windows#gpu.
    last = [
        release.series
        for release in load().releases
        if (own := release.wheels.get(WINDOWS_AMD64)) is not None and own.cuda is not None
    ][-1]
    return _SYSTEM.error(
        seen,
        f"TensorFlow {spec.tensorflow} uses the CPU: {last} is the last series that uses a GPU on "
        "Windows itself. Newer series use it in WSL 2, and in containers, which run in WSL 2",
        Remedy(
            "Use a container, or set the project up in WSL 2, or use the CPU:",
            everywhere=(
                "poetry tf devcontainer",
                "wsl --install  # then in it: poetry tf init --no-devcontainer --gpu pip",
                *without_gpu(spec).everywhere,
            ),
        ),
    )


# -- macOS -------------------------------------------------------------------------------------


def _container_on_mac(machine: Machine, spec: HostSpec) -> HostFinding:
    """Containers on macOS cannot use Apple's GPU."""
    needed = "today's Macs have no NVIDIA GPU; the container works, on the CPU"
    if is_arm(machine.architecture):
        needed = (
            "a container on this Mac runs Linux on ARM, where TensorFlow uses only the CPU. It "
            f"uses Apple's GPU only without a container, with {_METAL}, which supports TensorFlow "
            f"up to {_last_with_metal()}"
        )
    return _SYSTEM.error(f"macOS on {machine.architecture}", needed, without_gpu(spec))


def _mac(machine: Machine, spec: HostSpec) -> HostFinding:
    seen = f"macOS on {machine.architecture}, without a container"
    uses_cpu = f"TensorFlow {spec.tensorflow} uses the CPU here"
    without = without_gpu(spec).everywhere
    if not is_arm(machine.architecture):
        needed = f"{uses_cpu}: no release uses the GPU of an Intel Mac"
        return _SYSTEM.error(seen, needed, without_gpu(spec))
    fit, last = newest(_METAL, spec.release), _last_with_metal()
    installed = _installed_metal(machine, spec)
    if fit is None:
        move = f"poetry tf init --tensorflow {last}{place_options(machine, spec)}"
        return _SYSTEM.error(
            seen,
            f"{uses_cpu}: for Apple's GPU it needs {_METAL}, which supports it up to {last}",
            Remedy(
                f"Use TensorFlow {last} and add {_METAL}, or use the CPU:",
                everywhere=(move, _add_metal(last), f"{without[0]}  # instead"),
            ),
        )
    if installed:
        return _SYSTEM.ok(f"{seen}, with {_METAL} {installed}")
    what = f"Add {_METAL}, which TensorFlow needs for Apple's GPU, or use the CPU:"
    commands = (_add_metal(spec.release.series), f"{without[0]}  # instead")
    return _SYSTEM.error(
        seen, f"{uses_cpu}: {_METAL} is not installed", Remedy(what, everywhere=commands)
    )


def _installed_metal(machine: Machine, spec: HostSpec) -> str | None:
    if spec.python is None:
        return None
    lines = run_libraries_program(machine, spec).lines_with("distribution")
    found = (str(line.get("version")) for line in lines if line["distribution"] == _METAL)
    return next(found, None)


def _last_with_metal() -> str:
    return [one.series for one in load().releases if newest(_METAL, one) is not None][-1]


def _add_metal(series: str) -> str:
    release = load().newest(series)
    fit = newest(_METAL, release) if release is not None else None
    version = fit.companion.version if fit is not None else None
    marker = "sys_platform == 'darwin' and platform_machine == 'arm64'"
    return f'poetry add {_METAL}@~{version} --markers "{marker}"'
