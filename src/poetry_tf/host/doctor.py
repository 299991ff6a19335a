"""Which probes there are, and what they say together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from poetry_tf.host.findings import HostFinding
from poetry_tf.host.machine import Machine
from poetry_tf.host.needs import Needs
from poetry_tf.host.system import in_container

Probe = Callable[[Machine, Needs], Iterable[HostFinding]]
"""One subject; what it finds depends on nothing but the machine and what is needed of it."""


HOST: Sequence[Probe] = ()
"""What is looked at on the machine that runs the container, in the order in which it is told."""
INSIDE: Sequence[Probe] = ()
"""What is looked at inside the container, or wherever else TensorFlow is installed."""


def probes(machine: Machine) -> Sequence[Probe]:
    """What is to be looked at on a machine."""
    return INSIDE if in_container(machine) else HOST


def examine(machine: Machine, needs: Needs) -> Iterator[HostFinding]:
    """What every probe finds, one after the other, as it is found."""
    for probe in probes(machine):
        yield from probe(machine, needs)


def works(findings: Iterable[HostFinding]) -> bool:
    """Whether TensorFlow will have its GPU, or none was asked for."""
    return not any(finding.state == "error" for finding in findings)
