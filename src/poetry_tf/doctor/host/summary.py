"""The one line that a container prints at its start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from poetry_tf.doctor.host.child_programs import run_tensorflow_program
from poetry_tf.doctor.host.devices import devices, libcuda
from poetry_tf.doctor.host.findings import HostFinding
from poetry_tf.doctor.host.libraries import libraries
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.needs import Needs
from poetry_tf.doctor.host.processor import processor
from poetry_tf.doctor.host.rebuild import built
from poetry_tf.doctor.host.tensorflow import names_of_gpus, tensorflow
from poetry_tf.doctor.host.wheels import distributions, has_tensorflow, wheels
from poetry_tf.text import format_list

Probe = Callable[[Machine, Needs], Iterator[HostFinding]]
_DOCTOR = "poetry tf doctor"


def summary_line(machine: Machine, needs: Needs) -> str:
    """What TensorFlow runs on; where it is the CPU, why, and what mends it."""
    for finding in built(machine, needs):
        return f"Rebuild the container: {finding.seen}, and {finding.needed}"
    if not has_tensorflow(machine, needs):
        return f"TensorFlow is not installed: {needs.install}"
    told = run_tensorflow_program(machine, needs, compile_step=False)
    version = told.text("version")
    name = f"TensorFlow {version or needs.tensorflow}"
    if version is not None and (gpus := names_of_gpus(told)):
        # A GPU is listed also with a cuDNN that the first convolution won't take.
        for finding in libraries(machine, needs):
            if finding.state == "error":
                return f"{name} uses {format_list(gpus)}, but {finding.seen}: {_mends(finding)}"
        return f"{name} uses {format_list(gpus)}"
    if version is not None and not needs.wants_gpu:
        return f"{name} uses the CPU: no GPU is asked for: poetry tf init --gpu auto"
    for finding in processor(machine, needs) if version is not None else ():
        return f"{name} uses the CPU: {finding.seen}: {_mends(finding)}"
    itself: Probe = partial(tensorflow, compile_step=False)
    around: tuple[Probe, ...] = (distributions, devices, libcuda, wheels, libraries)
    probes: tuple[Probe, ...] = (itself,) if version is None else (*around, itself)
    for probe in probes:
        for finding in probe(machine, needs):
            if finding.state == "error" or version is None:
                seen = finding.seen if version is None else f"{name} uses the CPU: {finding.seen}"
                return f"{seen}: {_mends(finding)}"
    return f"{name} uses the CPU: {_DOCTOR}"


def _mends(finding: HostFinding) -> str:
    """The one command that mends it, or tells what does."""
    remedy = finding.remedy
    if remedy is None:
        return _DOCTOR
    if remedy.where == "host":
        return f"on the host, {_DOCTOR}"
    return remedy.everywhere[0] if len(remedy.everywhere) == 1 else _DOCTOR
