"""Whether TensorFlow has CUDA for the processor: what is missing can't be mended on the machine.

No wheel for Linux on ARM is built with CUDA; all of them were looked into. Grace and Jetson have an
NVIDIA GPU all the same, and NVIDIA's own builds of TensorFlow, which come in its containers.
"""

from __future__ import annotations

from collections.abc import Iterator

from poetry_tf.doctor.host.child_programs import run_tensorflow_program
from poetry_tf.doctor.host.engine_info import query_engine, runs_elsewhere
from poetry_tf.doctor.host.findings import HostFinding, Remedy
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.needs import Needs
from poetry_tf.doctor.host.system import in_container, is_arm
from poetry_tf.doctor.host.tensorflow import names_of_gpus
from poetry_tf.doctor.host.wheels import has_tensorflow
from poetry_tf.releases.model import LINUX_AARCH64


def processor(machine: Machine, needs: Needs) -> Iterator[HostFinding]:
    """Finds something where there can be no GPU; a Mac is told of with its system."""
    if not needs.wants_gpu:
        return
    in_it = in_container(machine)
    if not in_it and runs_elsewhere(machine, needs):
        known = query_engine(machine, needs).known
        if is_arm(architecture := str(known.get("Architecture"))):
            yield from _without_cuda(needs, architecture)
    elif machine.system != "Darwin" and is_arm(machine.architecture):
        runs_here = in_it or needs.config is None
        if not (runs_here and _lists_a_gpu(machine, needs)):
            yield from _without_cuda(needs, machine.architecture)


def _lists_a_gpu(machine: Machine, needs: Needs) -> bool:
    """Whether TensorFlow has one all the same, being NVIDIA's own."""
    if not has_tensorflow(machine, needs):
        return False
    return bool(names_of_gpus(run_tensorflow_program(machine, needs, compile_step=False)))


def _without_cuda(needs: Needs, architecture: str) -> Iterator[HostFinding]:
    """What is said of an ARM processor, unless a release has CUDA for it after all."""
    wheels = needs.release.wheels.get(LINUX_AARCH64)
    if wheels is None or wheels.cuda is None:
        yield HostFinding(
            "processor",
            "error",
            f"no wheel of TensorFlow for ARM ({architecture}) is built with CUDA",
            f"on this processor TensorFlow {needs.tensorflow} from PyPI uses the CPU alone, "
            "whatever GPU there is",
            Remedy(
                "Work on a machine with an x86_64 processor; on Jetson and Grace take NVIDIA's own "
                "containers with TensorFlow; or ask for no GPU:",
                everywhere=("poetry tf init --gpu none",),
            ),
        )
