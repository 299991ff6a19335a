"""Why a project that did not choose the CPU gets no GPU: its release has no GPU mode that works."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.model import HostFinding, HostSpec, Remedy
from poetry_tf.doctor.host.series import (
    first_series,
    fits_python,
    has_gpu_mode,
    place_options,
    platform,
    runs_here,
)
from poetry_tf.releases.model import LINUX_X86_64
from poetry_tf.text import format_list


def gpu_mode(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    """The first series with a GPU mode, for a release with CUDA but without such a mode."""
    wheels = spec.release.wheels.get(LINUX_X86_64)
    if spec.uses_gpu or spec.refuses_gpu or platform(machine, spec) != LINUX_X86_64:
        return
    if wheels is None or wheels.cuda is None or has_gpu_mode(machine, spec, spec.release):
        return
    if (first := first_series(machine, spec)) is None:
        return
    options = " --gpu auto"
    if runs_here(spec):
        cudnn = f" and cuDNN {spec.release.cudnn}" if spec.release.cudnn else ""
        seen = f"no wheels bring CUDA and cuDNN for TensorFlow {spec.tensorflow}"
        needed = (
            f"it uses a GPU only with CUDA {wheels.cuda}{cudnn} installed on this machine; "
            f"{first.series} is the first series whose wheels bring them"
        )
        options = place_options(machine, replace(spec, mode="pip"))
    else:
        seen = (
            f"TensorFlow {spec.tensorflow} gets no GPU: no CUDA and cuDNN are known to work with "
            "it in a container"
        )
        needed = f"{first.series} is the first series with a GPU"
    command = f"poetry tf init --tensorflow {first.series}{options}"
    remedy: Remedy | None = Remedy("To switch to it:", everywhere=(command,))
    if not fits_python(machine, spec, first):
        pythons = format_list(first.usable_on(LINUX_X86_64))
        needed += f", and has wheels only for Python {pythons}"
        remedy = None
    yield HostFinding("gpu", "note", seen, needed, remedy)
