"""The probes, which of them run on a machine, and their result: findings, or one line."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from poetry_tf.doctor.host.child_programs import run_tensorflow_program
from poetry_tf.doctor.host.cluster import cluster
from poetry_tf.doctor.host.compute import compute
from poetry_tf.doctor.host.desktop import desktop
from poetry_tf.doctor.host.devices import devices, lacks_gpu, libcuda
from poetry_tf.doctor.host.driver import driver
from poetry_tf.doctor.host.engine import engine, runs_elsewhere
from poetry_tf.doctor.host.environment import environment
from poetry_tf.doctor.host.gpu_mode import gpu_mode
from poetry_tf.doctor.host.libraries import libraries
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.model import HostFinding, HostSpec
from poetry_tf.doctor.host.place import fit_remedy, spec_here
from poetry_tf.doctor.host.python import python
from poetry_tf.doctor.host.runtime import runtime
from poetry_tf.doctor.host.support import avx, visual_cpp, wheels_install
from poetry_tf.doctor.host.system import container, in_container, system
from poetry_tf.doctor.host.tensorflow import gpu_names, processor, tensorflow
from poetry_tf.doctor.host.visible import visible_gpus
from poetry_tf.doctor.host.volumes import volumes
from poetry_tf.doctor.host.wheels import distributions, has_tensorflow, keras, wheels
from poetry_tf.text import format_list

Probe = Callable[[Machine, HostSpec], Iterable[HostFinding]]
"""Checks one subject; its findings depend only on the machine and the spec."""


HOST_PROBES: Sequence[Probe] = (
    cluster,
    system,
    desktop,
    wheels_install,
    avx,
    visual_cpp,
    gpu_mode,
    processor,
    driver,
    visible_gpus,
    compute,
    engine,
    runtime,
    volumes,
)
"""The probes of the machine that runs the container, in the order of the output."""
REMOTE_PROBES: Sequence[Probe] = (engine, processor, runtime)
"""The probes of a remote machine whose engine runs the container."""
CONTAINER_PROBES: Sequence[Probe] = (
    container,
    wheels_install,
    avx,
    gpu_mode,
    processor,
    python,
    distributions,
    keras,
    environment,
    visible_gpus,
    devices,
    libcuda,
    driver,
    compute,
    wheels,
    libraries,
    tensorflow,
)
"""The probes inside the container, or wherever TensorFlow is installed."""
SLOW_PROBES: Mapping[Probe, str] = {
    tensorflow: "Checking TensorFlow itself, which takes some seconds"
}
"""The message before a slow probe."""


def probes_for(machine: Machine, spec: HostSpec) -> Sequence[Probe]:
    """The probes for a machine."""
    if in_container(machine):
        return CONTAINER_PROBES
    if runs_elsewhere(machine, spec):
        return REMOTE_PROBES
    if spec.config is not None:
        return HOST_PROBES
    # Without a container TensorFlow runs on this machine.
    if has_tensorflow(machine, spec):
        return tuple(dict.fromkeys((*HOST_PROBES, *CONTAINER_PROBES)))
    return (*HOST_PROBES, python, tensorflow)


def run_probes(
    machine: Machine, spec: HostSpec, notify: Callable[[str], None] | None = None
) -> Iterator[HostFinding]:
    """Yields the findings of each probe in turn; calls `notify` before a slow one."""
    spec = spec_here(machine, spec)
    is_installable = True
    for probe in probes_for(machine, spec):
        if probe is tensorflow and not is_installable and not has_tensorflow(machine, spec):
            continue  # what would install it fails
        if notify is not None and probe in SLOW_PROBES and has_tensorflow(machine, spec):
            notify(SLOW_PROBES[probe])
        found = [fit_remedy(machine, finding) for finding in probe(machine, spec)]
        yield from found
        if probe in {python, wheels_install} and not works(found):
            is_installable = False
        has_no_gpu = probe is devices and lacks_gpu(machine) and spec.config is None
        if found and (probe in {cluster, processor} or has_no_gpu):
            # No GPU is possible: skip what concerns one. A container file can still request it.
            spec = replace(spec, mode="none")


def works(findings: Iterable[HostFinding]) -> bool:
    """Whether TensorFlow will use the GPU, or none is requested."""
    return not any(finding.state == "error" for finding in findings)


# -- in one line -----------------------------------------------------------------------------

_DOCTOR = "poetry tf doctor"


def summary_line(machine: Machine, spec: HostSpec) -> str:
    """The device that TensorFlow uses; if it is the CPU, why, and how to fix it."""
    spec = spec_here(machine, spec)
    for finding in container(machine, spec):
        return f"Rebuild the container: {finding.seen}, but {finding.needed}"
    for finding in python(machine, spec):
        return f"TensorFlow can't be installed: {_with_command(finding)}"
    if not has_tensorflow(machine, spec):
        for finding in wheels_install(machine, spec):
            return f"TensorFlow can't be installed: {_with_command(finding)}"
        return f"TensorFlow is not installed. Run: {spec.install}"
    output = run_tensorflow_program(machine, spec, compile_step=False)
    version = output.text("version")
    name = f"TensorFlow {version or spec.tensorflow}"
    for finding in keras(machine, spec) if version is not None else ():
        return f"{name} has no tf.keras: {_with_command(finding)}"
    if version is not None and (gpus := gpu_names(output)):
        # A GPU is also listed with a cuDNN that the first convolution rejects.
        for finding in libraries(machine, spec):
            if finding.state == "error":
                return f"{name} uses {format_list(gpus)}, but {_with_command(finding)}"
        return f"{name} uses {format_list(gpus)}"
    if version is not None and spec.found_no_gpu:
        return f"{name} uses the CPU: no NVIDIA GPU was found here"
    if version is not None and not spec.uses_gpu:
        for finding in gpu_mode(machine, spec):
            return f"{name} uses the CPU: {_with_command(finding, finding.needed)}"
        return f"{name} uses the CPU: the project requests no GPU"
    for finding in cluster(machine, spec) if version is not None else ():
        if finding.state == "note":
            text = f"{finding.seen}; {finding.needed}"
            return f"{name} uses the CPU here: {_with_command(finding, text)}"
    for finding in processor(machine, spec) if version is not None else ():
        return f"{name} uses the CPU: {_with_command(finding)}"
    import_probe: Probe = functools.partial(tensorflow, compile_step=False)
    others: tuple[Probe, ...] = (
        cluster,
        distributions,
        visible_gpus,
        devices,
        libcuda,
        wheels,
        libraries,
    )
    probes: tuple[Probe, ...] = (import_probe,) if version is None else (*others, import_probe)
    for probe in probes:
        for finding in (fit_remedy(machine, item) for item in probe(machine, spec)):
            if finding.state == "error" or version is None:
                text = _with_command(finding)
                return text if version is None else f"{name} uses the CPU: {text}"
    return f"{name} uses the CPU. Run: {_DOCTOR}"


def _with_command(finding: HostFinding, text: str = "") -> str:
    """A finding, or another text for it, with the command that fixes it, or else doctor's."""
    remedy = finding.remedy
    run, command = "Run", _DOCTOR
    if remedy is not None and remedy.where == "host":
        run = "On the host, run"
    elif remedy is not None and remedy.where != "cluster" and len(remedy.everywhere) == 1:
        (command,) = remedy.everywhere
    return f"{text or finding.seen}. {run}: {command}"
