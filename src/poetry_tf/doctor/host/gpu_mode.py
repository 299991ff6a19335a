"""Why a project has no GPU though it asks for none: its TensorFlow has no mode that is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.model import HostFinding, HostSpec, Remedy
from poetry_tf.doctor.host.series import (
    first_series,
    has_gpu_mode,
    place_options,
    platform,
    runs_here,
)
from poetry_tf.releases.model import LINUX_X86_64


def gpu_mode(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    """The first series with a GPU, for a release whose wheels use one, and which can't get it."""
    wheels = spec.release.wheels.get(LINUX_X86_64)
    if spec.uses_gpu or platform(machine, spec) != LINUX_X86_64:
        return
    if wheels is None or wheels.cuda is None or has_gpu_mode(machine, spec, spec.release):
        return
    if (first := first_series(machine, spec)) is None:
        return
    why = "no CUDA and cuDNN are known to work with it in a container"
    options = " --gpu auto"
    if runs_here(spec):
        why = "without a container it needs wheels of CUDA and cuDNN, and has none"
        options = place_options(machine, replace(spec, mode="pip"))
    yield HostFinding(
        "gpu",
        "note",
        f"TensorFlow {spec.tensorflow} gets no GPU: {why}",
        f"{first} is the first series with a GPU",
        Remedy("To move to it:", everywhere=(f"poetry tf init --tensorflow {first}{options}",)),
    )
