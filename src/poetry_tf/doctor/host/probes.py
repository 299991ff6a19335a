"""The probes, which of them run on a machine, and their overall result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from poetry_tf.doctor.host.container import container
from poetry_tf.doctor.host.devices import devices, libcuda
from poetry_tf.doctor.host.driver import compute, driver
from poetry_tf.doctor.host.engine import engine
from poetry_tf.doctor.host.engine_info import runs_elsewhere
from poetry_tf.doctor.host.findings import HostFinding
from poetry_tf.doctor.host.libraries import libraries
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.processor import processor
from poetry_tf.doctor.host.runtime import runtime
from poetry_tf.doctor.host.spec import HostSpec
from poetry_tf.doctor.host.system import in_container, system
from poetry_tf.doctor.host.tensorflow import tensorflow
from poetry_tf.doctor.host.wheels import distributions, has_tensorflow, wheels

Probe = Callable[[Machine, HostSpec], Iterable[HostFinding]]
"""Checks one subject; its findings depend only on the machine and the spec."""


HOST_PROBES: Sequence[Probe] = (system, processor, driver, compute, engine, runtime)
"""The probes of the machine that runs the container, in the order of the output."""
REMOTE_PROBES: Sequence[Probe] = (engine, processor, runtime)
"""The probes of a remote machine whose engine runs the container."""
CONTAINER_PROBES: Sequence[Probe] = (
    container,
    processor,
    distributions,
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
    tensorflow: "Asking TensorFlow itself, which takes some seconds"
}
"""The message before a slow probe."""


def probes_for(machine: Machine, spec: HostSpec) -> Sequence[Probe]:
    """The probes for a machine."""
    if in_container(machine):
        return CONTAINER_PROBES
    if runs_elsewhere(machine, spec):
        return REMOTE_PROBES
    # Without a container TensorFlow runs on this machine.
    runs_here = spec.config is None and has_tensorflow(machine, spec)
    return tuple(dict.fromkeys((*HOST_PROBES, *CONTAINER_PROBES))) if runs_here else HOST_PROBES


def run_probes(
    machine: Machine, spec: HostSpec, notify: Callable[[str], None] | None = None
) -> Iterator[HostFinding]:
    """Yields the findings of each probe in turn; calls `notify` before a slow one."""
    """    """
    for probe in probes_for(machine, spec):
        if notify is not None and probe in SLOW_PROBES:
            notify(SLOW_PROBES[probe])
        found = list(probe(machine, spec))
        yield from found
        if probe is processor and found:
            # No GPU is possible: skip what concerns one.
            spec = replace(spec, mode="none")


def works(findings: Iterable[HostFinding]) -> bool:
    """Whether TensorFlow will use the GPU, or none is requested."""
    return not any(finding.state == "error" for finding in findings)
