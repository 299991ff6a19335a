"""Whether TensorFlow is built with CUDA for the processor.

No wheel for Linux on ARM is; all of them were checked. Grace and Jetson do have an NVIDIA GPU, and
NVIDIA builds TensorFlow for them, in its containers.
"""

from __future__ import annotations

from collections.abc import Iterator

from poetry_tf.doctor.host.child_programs import run_tensorflow_program
from poetry_tf.doctor.host.engine_info import query_engine, runs_elsewhere
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.model import HostFinding, HostSpec, Remedy, Subject
from poetry_tf.doctor.host.system import in_container, is_arm
from poetry_tf.doctor.host.tensorflow import gpu_names
from poetry_tf.doctor.host.wheels import has_tensorflow
from poetry_tf.releases.model import LINUX_AARCH64

_PROCESSOR = Subject("processor")


def processor(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    """Reports a processor without CUDA builds; the system probe reports a Mac."""
    if not spec.wants_gpu:
        return
    inside = in_container(machine)
    if not inside and runs_elsewhere(machine, spec):
        known = query_engine(machine, spec).data
        if is_arm(architecture := str(known.get("Architecture"))):
            yield from _no_cuda_build(spec, architecture)
    elif machine.system != "Darwin" and is_arm(machine.architecture):
        runs_here = inside or spec.config is None
        if not (runs_here and _lists_gpus(machine, spec)):
            yield from _no_cuda_build(spec, machine.architecture)


def _lists_gpus(machine: Machine, spec: HostSpec) -> bool:
    """Whether the installed TensorFlow lists a GPU, as NVIDIA's builds do."""
    if not has_tensorflow(machine, spec):
        return False
    return bool(gpu_names(run_tensorflow_program(machine, spec, compile_step=False)))


def _no_cuda_build(spec: HostSpec, architecture: str) -> Iterator[HostFinding]:
    """The finding for an ARM processor, unless the release has CUDA for it."""
    wheels = spec.release.wheels.get(LINUX_AARCH64)
    if wheels is None or wheels.cuda is None:
        yield _PROCESSOR.error(
            f"no wheel of TensorFlow for ARM ({architecture}) is built with CUDA",
            f"on this processor TensorFlow {spec.tensorflow} from PyPI uses the CPU alone, "
            "whatever GPU there is",
            Remedy(
                "Work on a machine with an x86_64 processor; on Jetson and Grace take NVIDIA's own "
                "containers with TensorFlow; or ask for no GPU:",
                everywhere=("poetry tf init --gpu none",),
            ),
        )
