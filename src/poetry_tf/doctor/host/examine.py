"""Which probes there are, and what they say together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from poetry_tf.doctor.host.devices import devices, libcuda
from poetry_tf.doctor.host.driver import compute, driver
from poetry_tf.doctor.host.engine import engine
from poetry_tf.doctor.host.engine_info import runs_elsewhere
from poetry_tf.doctor.host.findings import HostFinding
from poetry_tf.doctor.host.libraries import libraries
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.needs import Needs
from poetry_tf.doctor.host.processor import processor
from poetry_tf.doctor.host.rebuild import built
from poetry_tf.doctor.host.runtime import runtime
from poetry_tf.doctor.host.system import in_container, system
from poetry_tf.doctor.host.tensorflow import tensorflow
from poetry_tf.doctor.host.wheels import distributions, has_tensorflow, wheels

Probe = Callable[[Machine, Needs], Iterable[HostFinding]]
"""One subject; what it finds depends on nothing but the machine and what is needed of it."""


HOST: Sequence[Probe] = (system, processor, driver, compute, engine, runtime)
"""What is looked at on the machine that runs the container, in the order in which it is told."""
THERE: Sequence[Probe] = (engine, processor, runtime)
"""What is looked at of another machine whose Docker runs the container."""
INSIDE: Sequence[Probe] = (
    built,
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
"""What is looked at inside the container, or wherever else TensorFlow is installed."""
SLOW: Mapping[Probe, str] = {tensorflow: "Asking TensorFlow itself, which takes some seconds"}
"""What is said before a probe that one has to wait for."""


def probes(machine: Machine, needs: Needs) -> Sequence[Probe]:
    """What is to be looked at on a machine."""
    if in_container(machine):
        return INSIDE
    if runs_elsewhere(machine, needs):
        return THERE
    # Without a container TensorFlow runs right here.
    runs_here = needs.config is None and has_tensorflow(machine, needs)
    return tuple(dict.fromkeys((*HOST, *INSIDE))) if runs_here else HOST


def examine(
    machine: Machine, needs: Needs, tell: Callable[[str], None] | None = None
) -> Iterator[HostFinding]:
    """What every probe finds, one after the other, as it is found.

    `tell` is told what takes a while.
    """
    for probe in probes(machine, needs):
        if tell is not None and probe in SLOW:
            tell(SLOW[probe])
        found = list(probe(machine, needs))
        yield from found
        if probe is processor and found:
            # There can't be a GPU, so nothing more is looked for that one would take.
            needs = replace(needs, mode="none")


def works(findings: Iterable[HostFinding]) -> bool:
    """Whether TensorFlow will have its GPU, or none was asked for."""
    return not any(finding.state == "error" for finding in findings)
