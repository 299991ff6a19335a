"""The line that a container prints when it starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from poetry_tf.doctor.host.child_programs import run_tensorflow_program
from poetry_tf.doctor.host.container import container
from poetry_tf.doctor.host.devices import devices, libcuda
from poetry_tf.doctor.host.findings import HostFinding
from poetry_tf.doctor.host.libraries import libraries
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.processor import processor
from poetry_tf.doctor.host.spec import HostSpec
from poetry_tf.doctor.host.tensorflow import gpu_names, tensorflow
from poetry_tf.doctor.host.wheels import distributions, has_tensorflow, wheels
from poetry_tf.text import format_list

Probe = Callable[[Machine, HostSpec], Iterator[HostFinding]]
_DOCTOR = "poetry tf doctor"


def summary_line(machine: Machine, spec: HostSpec) -> str:
    """The device that TensorFlow uses; if it is the CPU, why, and how to fix it."""
    for finding in container(machine, spec):
        return f"Rebuild the container: {finding.seen}, and {finding.needed}"
    if not has_tensorflow(machine, spec):
        return f"TensorFlow is not installed: {spec.install}"
    output = run_tensorflow_program(machine, spec, compile_step=False)
    version = output.text("version")
    name = f"TensorFlow {version or spec.tensorflow}"
    if version is not None and (gpus := gpu_names(output)):
        # A GPU is also listed with a cuDNN that the first convolution rejects.
        for finding in libraries(machine, spec):
            if finding.state == "error":
                return (
                    f"{name} uses {format_list(gpus)}, but {finding.seen}: {_short_remedy(finding)}"
                )
        return f"{name} uses {format_list(gpus)}"
    if version is not None and not spec.wants_gpu:
        return f"{name} uses the CPU: no GPU is asked for: poetry tf init --gpu auto"
    for finding in processor(machine, spec) if version is not None else ():
        return f"{name} uses the CPU: {finding.seen}: {_short_remedy(finding)}"
    import_probe: Probe = partial(tensorflow, compile_step=False)
    others: tuple[Probe, ...] = (distributions, devices, libcuda, wheels, libraries)
    probes: tuple[Probe, ...] = (import_probe,) if version is None else (*others, import_probe)
    for probe in probes:
        for finding in probe(machine, spec):
            if finding.state == "error" or version is None:
                seen = finding.seen if version is None else f"{name} uses the CPU: {finding.seen}"
                return f"{seen}: {_short_remedy(finding)}"
    return f"{name} uses the CPU: {_DOCTOR}"


def _short_remedy(finding: HostFinding) -> str:
    """The command that fixes it, if it is one; else the doctor."""
    remedy = finding.remedy
    if remedy is None:
        return _DOCTOR
    if remedy.where == "host":
        return f"on the host, {_DOCTOR}"
    return remedy.everywhere[0] if len(remedy.everywhere) == 1 else _DOCTOR
