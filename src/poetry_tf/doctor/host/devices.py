"""Whether the container has the GPU: its device nodes, and the driver's libcuda."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from poetry_tf.doctor.host import remedies
from poetry_tf.doctor.host.child_programs import DEVICES, ProgramOutput, run_gpu_program
from poetry_tf.doctor.host.driver import alternative_to_newer_driver, driver_to_install
from poetry_tf.doctor.host.gpu_generation import pci_displays
from poetry_tf.doctor.host.machine import LIMIT, Machine
from poetry_tf.doctor.host.model import HostFinding, HostSpec, Remedy, Subject
from poetry_tf.doctor.host.system import container_kind, in_container, wsl
from poetry_tf.doctor.host.visible import why_hidden
from poetry_tf.releases.model import major_minor
from poetry_tf.releases.nvidia import driver_libraries
from poetry_tf.text import format_list

_DEVICES = Subject("devices")
_LIBCUDA = Subject("libcuda")
_LOADED = "/proc/driver/nvidia/version"
_CAPABILITIES = "NVIDIA_DRIVER_CAPABILITIES"
_WSL_LIBRARY = "/usr/lib/wsl/lib/libcuda.so.1"


def has_devices(machine: Machine) -> bool:
    """Whether there is a device node of a GPU."""
    return any(machine.find(pattern) for pattern in (DEVICES[0], DEVICES[-1]))


def lacks_gpu(machine: Machine) -> bool:
    """Whether this is a container that was started without any GPU."""
    return machine.system == "Linux" and in_container(machine) and not has_devices(machine)


def sign_of_gpu(machine: Machine) -> str | None:
    """What says that the machine under a container may have a GPU; None where nothing does."""
    if machine.read(_LOADED) is not None:
        return "the host has an NVIDIA driver"
    kernel = (machine.read("/proc/version") or "").lower()
    return "the host is WSL 2" if "microsoft" in kernel else None


def devices(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    """The device nodes, and whether they can be opened."""
    if not spec.uses_gpu or machine.system != "Linux":
        return
    if not has_devices(machine):
        yield _no_device(machine, spec)
        return
    nodes = [path for pattern in DEVICES for path in machine.find(pattern)]
    output = run_gpu_program(machine)
    errors = {
        str(line["device"]): str(line.get("error", "")) for line in output.lines_with("device")
    }
    failed = {path: error for path, error in errors.items() if error}
    missing = [] if machine.find(DEVICES[-1]) else [p for p in DEVICES[1:3] if not machine.find(p)]
    if failed:
        yield _not_openable(machine, spec, failed)
    elif missing:
        what = "Restart the container; if that doesn't help, load the kernel module on the host"
        commands = ("sudo nvidia-modprobe -u -c=0",)
        yield _DEVICES.error(
            f"{format_list(missing)} {'is' if len(missing) == 1 else 'are'} missing",
            "CUDA needs them besides the GPU's own device",
            Remedy(what, everywhere=commands, where="host"),
        )
    elif output.result.trouble == "timeout" and len(errors) < len(nodes):
        yield _DEVICES.warning(
            f"{nodes[len(errors)]} did not open within {LIMIT:g} seconds",
            "a GPU that doesn't respond may need a reset: restart the machine",
        )
    else:
        yield _DEVICES.ok(f"{format_list(nodes)} can be opened")


def _no_device(machine: Machine, spec: HostSpec) -> HostFinding:
    visible = machine.variable("NVIDIA_VISIBLE_DEVICES")
    if not in_container(machine):
        return _DEVICES.error("there is no device file of an NVIDIA GPU")
    if visible in {"void", "none"}:
        seen = f"NVIDIA_VISIBLE_DEVICES={visible} hides every GPU from this container"
        what = "Remove NVIDIA_VISIBLE_DEVICES from devcontainer.json, and rebuild the container"
        if spec.config is None:
            what = "Start the container without this variable"
        return _DEVICES.error(seen, remedy=Remedy(what))
    if (sign := sign_of_gpu(machine)) is not None:
        seen = f"this container was started without a GPU, though {sign}"
    elif pci_displays(machine):
        seen = "this container has no GPU: the host has an NVIDIA GPU, but no NVIDIA driver"
        return _DEVICES.error(seen, remedy=replace(driver_to_install(machine), where="host"))
    else:
        seen = "this container has no GPU: the host has no NVIDIA driver"
        if spec.config is None:
            return _DEVICES.error(seen, remedy=remedies.WITHOUT_GPU)
    needed = "a container has only the GPUs that it was started with"
    if spec.config is None:
        return _DEVICES.error(seen, needed, remedies.start_with_gpu(container_kind(machine)))
    needed += ": devcontainer.json must request them, and the engine must pass them through"
    return _DEVICES.error(seen, needed, _engine_remedy(spec))


def _engine_remedy(spec: HostSpec) -> Remedy:
    if spec.engine == "podman":
        what = 'Request it in runArgs ("--device", "nvidia.com/gpu=all"), create its CDI file'
        engine = remedies.cdi(install=False).everywhere
    else:
        what = 'Request it in devcontainer.json ("hostRequirements"), register it with Docker'
        engine = remedies.REGISTER
    commands = ("poetry tf devcontainer", *engine, "poetry tf doctor")
    what += ", and rebuild the container"
    return Remedy(what, everywhere=commands, where="host")


def _not_openable(machine: Machine, spec: HostSpec, failed: dict[str, str]) -> HostFinding:
    paths, errors = format_list(failed), set(failed.values())
    if errors == {"EACCES"}:
        return _DEVICES.error(
            f"this user is not allowed to open {paths}",
            "CUDA opens them for reading and writing",
            Remedy(
                "Give every user access (the NVIDIA driver creates them with mode 0666)",
                everywhere=("ls -l /dev/nvidia*", "sudo chmod 0666 /dev/nvidia*"),
                where="host" if in_container(machine) else "here",
            ),
        )
    if "EPERM" in errors and in_container(machine):
        # `systemctl daemon-reload` on the host resets the container's devices, without these.
        commands: tuple[str, ...] = (
            "sudo nvidia-ctk system create-dev-char-symlinks --create-all",
        )
        if spec.engine == "podman":
            commands = remedies.cdi(install=False).everywhere
        return _DEVICES.error(
            f"this container is no longer allowed to open {paths}",
            "reloading systemd on the host removes the GPU from running containers (nvidia-smi "
            'fails with "Failed to initialize NVML: Unknown Error")',
            Remedy(
                "Create the device links that systemd looks for, then restart the container",
                everywhere=commands,
                where="host",
            ),
        )
    return _DEVICES.error(
        f"{paths} can't be opened: {format_list(sorted(errors))}",
        "the driver that created them is not loaded any more, or the GPU doesn't respond",
        Remedy("Restart it; `poetry tf doctor` there shows more", where="host"),
    )


def libcuda(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    """The driver's library, and whether it can be initialised."""
    if not spec.uses_gpu or machine.system != "Linux":
        return
    output = run_gpu_program(machine)
    path = output.text("libcuda")
    if not path:
        # Without a device the cause is the same, and is reported already.
        if has_devices(machine) and output.result.trouble != "timeout":
            yield _no_libcuda(machine, output, spec)
        return
    if "/stubs/" in path:
        yield _LIBCUDA.error(
            f"{path} is loaded, not the driver's library",
            "it is the stub of the CUDA toolkit that programs are linked with, and finds no GPU",
            Remedy("Remove the folder stubs from LD_LIBRARY_PATH"),
        )
        return
    status = output.number("init")
    if status is None:
        late = f"did not answer within {LIMIT:g} seconds"
        failed = (
            late if output.result.trouble == "timeout" else "crashed the program that called it"
        )
        yield _LIBCUDA.warning(
            f"{path} {failed}",
            "the driver is slow if a GPU is asleep, and never answers if it hangs",
        )
    elif status == 0:
        yield _check_cuda_version(machine, output, spec, path)
        yield from _other_libraries(machine, spec)
    elif any(line.get("error") for line in output.lines_with("device")) or why_hidden(machine):
        return  # follows from the device, or from the variable
    elif has_devices(machine) or status != 100:
        yield _init_failed(machine, status, path)


def _other_libraries(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    """The other libraries of the driver that TensorFlow opens."""
    for name in driver_libraries(spec.release):
        if error := machine.load(name).error:
            yield _LIBCUDA.error(
                f"{name} can't be loaded: {error}",
                f"TensorFlow {spec.tensorflow} needs it; it is part of the driver",
                _set_capabilities(spec),
            )


def _set_capabilities(spec: HostSpec) -> Remedy:
    how = "in containerEnv, and rebuild the container"
    if spec.config is None:
        how = "when you start the container"
    return Remedy(f"Set {_CAPABILITIES} to compute,utility {how}")


def _no_libcuda(machine: Machine, output: ProgramOutput, spec: HostSpec) -> HostFinding:
    error = output.text("error") or f"the program that loads it ended with {output.result.status}"
    seen = f"libcuda.so.1 can't be loaded: {error}"
    needed = "it is part of the driver, and comes from the host"
    can = machine.variable(_CAPABILITIES)
    if machine.find(_WSL_LIBRARY):
        what = "Add WSL's folder to the loader's search path"
        commands = ("echo /usr/lib/wsl/lib | sudo tee /etc/ld.so.conf.d/wsl.conf", "sudo ldconfig")
        return _LIBCUDA.error(seen, needed, Remedy(what, everywhere=commands))
    if can and not {"all", "compute"} & set(can.split(",")):
        needed = f"{_CAPABILITIES}={can} excludes it: {needed}"
        return _LIBCUDA.error(seen, needed, _set_capabilities(spec))
    if not in_container(machine):
        return _LIBCUDA.error(seen, "it is part of the NVIDIA driver")
    if spec.config is None:
        kind = container_kind(machine)
        return _LIBCUDA.error(seen, needed, remedies.start_with_gpu(kind))
    what = (
        "Set the engine up to pass the whole driver through, not only the device, and rebuild the "
        "container"
    )
    engine = (remedies.REGISTER[0], *remedies.cdi(install=False).everywhere)
    return _LIBCUDA.error(seen, needed, Remedy(what, everywhere=engine, where="host"))


def _check_cuda_version(
    machine: Machine, output: ProgramOutput, spec: HostSpec, path: str
) -> HostFinding:
    number = output.number("speaks") or 0
    major, minor = number // 1000, number % 1000 // 10
    built = spec.release.cuda
    seen = f"the driver supports CUDA {major}.{minor} ({path})"
    if built is None or not number:
        return _LIBCUDA.ok(seen if number else f"{path} works")
    required = major_minor(built)
    if (major, minor) >= required:
        return _LIBCUDA.ok(seen)
    if major == required[0]:
        needed = (
            f"TensorFlow is built with CUDA {built}. It works with every driver for CUDA {major}, "
            "except on a GPU for which it has to compile code first"
        )
        return _LIBCUDA.note(seen, needed)
    least = spec.driver.linux_least or spec.driver.linux if spec.driver else None
    install = Remedy(
        f"Install a newer driver{f', {least} or later' if least else ''}",
        where="host" if in_container(machine) else "here",
    )
    return _LIBCUDA.error(
        seen,
        f"TensorFlow {spec.tensorflow} is built with CUDA {built}",
        alternative_to_newer_driver(machine, spec) or install,
    )


_VISIBLE_DEVICES = "CUDA_VISIBLE_DEVICES"
# The results of `cuInit`: name in cuda.h, and how to fix it.
_STATUSES: dict[int, tuple[str, str]] = {
    34: ("CUDA_ERROR_STUB_LIBRARY", "Remove the toolkit's folder stubs from LD_LIBRARY_PATH"),
    46: ("CUDA_ERROR_DEVICE_UNAVAILABLE", "End the program that uses the GPU exclusively"),
    100: ("CUDA_ERROR_NO_DEVICE", "Check with nvidia-smi whether the driver finds the GPU"),
    101: ("CUDA_ERROR_INVALID_DEVICE", "Check with nvidia-smi -L which GPUs there are"),
    802: ("CUDA_ERROR_SYSTEM_NOT_READY", "Start nvidia-fabricmanager on the host"),
    803: (
        "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
        "Restart the host, whose driver was updated while it was running; then the container",
    ),
    804: (
        "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE",
        "Remove /usr/local/cuda/compat from LD_LIBRARY_PATH, or install a newer driver",
    ),
    999: (
        "CUDA_ERROR_UNKNOWN",
        "Reload NVIDIA's kernel module, which can fail after a suspend, or restart the machine",
    ),
}


def _init_failed(machine: Machine, status: int, path: str) -> HostFinding:
    if wsl(machine) and not path.startswith("/usr/lib/wsl/") and not in_container(machine):
        # CUDA on WSL User Guide: no driver for Linux is to be installed in WSL 2.
        return _LIBCUDA.error(
            f"{path} is loaded, which belongs to a driver for Linux",
            "WSL 2 uses the Windows driver, in /usr/lib/wsl/lib",
            Remedy(
                "Remove the driver for Linux from WSL 2:",
                {"debian": ("sudo apt purge '^nvidia-driver-.*' '^libnvidia-compute-.*'",)},
                ("sudo ldconfig",),
            ),
        )
    name, what = _STATUSES.get(status, (f"error {status}", "Restart the container, then the host"))
    visible = machine.variable(_VISIBLE_DEVICES)
    if status in {100, 101} and visible is not None:
        seen = f'{_VISIBLE_DEVICES}="{visible}" hides the GPU'
        return _LIBCUDA.error(seen, remedy=Remedy(f"Unset {_VISIBLE_DEVICES}"))
    commands = ("sudo modprobe -r nvidia_uvm", "sudo modprobe nvidia_uvm") if status == 999 else ()
    return _LIBCUDA.error(
        f"the driver fails with {name}",
        "no program can use a GPU",
        Remedy(what, everywhere=commands, where="host" if in_container(machine) else "here"),
    )
