"""Whether TensorFlow has code for each GPU, or PTX that is compiled at first use.

Machine code (``sm_80``) runs on its own capability and on later ones of the same major; PTX
(``compute_90``) is compiled by the driver for its own capability and any later one (CUDA C++
Programming Guide, "Binary Compatibility" and "PTX Compatibility").
"""

from __future__ import annotations

from collections.abc import Iterator

from poetry_tf.doctor.host.driver import (
    DetectedGpu,
    driver_version,
    gpus,
    newer_driver,
    newest_gpu,
    suggest_series,
)
from poetry_tf.doctor.host.engine import query_engine
from poetry_tf.doctor.host.gpu_generation import generation
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.model import HostFinding, HostSpec, Remedy, Subject
from poetry_tf.doctor.host.series import (
    Code,
    compiled_code,
    has_driver_for,
    has_machine_code,
    is_runnable,
    minimum_drivers,
    newest_ptx,
    platform,
    without_gpu,
)
from poetry_tf.doctor.host.system import in_container
from poetry_tf.releases import load
from poetry_tf.releases.model import numbers
from poetry_tf.releases.nvidia import own_image

_COMPUTE = Subject("compute")


def compute(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    """The GPUs for which TensorFlow has no machine code."""
    if not spec.uses_gpu:
        return
    code = compiled_code(spec.release.wheels.get(platform(machine, spec)))
    found = gpus(machine) if code else ()
    usable = [
        index
        for index, gpu in enumerate(found)
        if gpu.capability is None or is_runnable(code, gpu.capability)
    ]
    for gpu in found:
        if gpu.capability is None or has_machine_code(code, gpu.capability):
            continue
        if is_runnable(code, gpu.capability):
            yield _compiled_at_first_use(machine, spec, gpu)
        elif newest_ptx(code, gpu.capability) is not None:
            yield _too_new(machine, spec, gpu, code, usable)
        elif finding := _too_old(machine, spec, gpu, another=bool(usable)):
            yield finding


def _compiled_at_first_use(machine: Machine, spec: HostSpec, gpu: DetectedGpu) -> HostFinding:
    seen = (
        f"{gpu.name} has compute capability {gpu.capability}, for which TensorFlow "
        f"{spec.tensorflow} has PTX, but no machine code"
    )
    version, required = driver_version(machine), spec.driver
    whole = minimum_drivers(machine, required)[0] if required else None
    if version is not None and whole is not None and numbers(version) < numbers(whole):
        needed = f"the driver must compile TensorFlow's code for it, and only {whole} or later can"
        return _COMPUTE.error(seen, needed, newer_driver(machine, gpu.capability))
    needed = (
        "the driver compiles TensorFlow's code for it at first use, which can take half an hour; "
        "the result is cached"
    )
    place = "" if spec.config is None else " in containerEnv"
    what = f"To make the cache large enough (4 GiB), set{place}:"
    remedy = Remedy(what, everywhere=("CUDA_CACHE_MAXSIZE=4294967296",))
    return _COMPUTE.note(seen, needed, remedy)


def _too_new(
    machine: Machine, spec: HostSpec, gpu: DetectedGpu, code: Code, usable: list[int]
) -> HostFinding:
    """The finding for a GPU for which compiling older GPUs' PTX fails."""
    seen = (
        f"{gpu.name} has compute capability {gpu.capability}, for which TensorFlow "
        f"{spec.tensorflow} has no machine code"
    )
    newest = max(own for kind, own in code if kind == "compute")
    # tensorflow/tensorflow issue 97387, and those in the data.
    needed = (
        f"its newest PTX is for {newest[0]}.{newest[1]}; users report that compiling it for newer "
        "GPUs fails with CUDA_ERROR_INVALID_PTX (github.com/tensorflow/tensorflow/issues/97387)"
    )
    if usable:
        # If TensorFlow lists both, it may choose the one on which its programs fail.
        what = "Hide it from TensorFlow:"
        indices = ",".join(map(str, usable))
        commands = (
            "export CUDA_DEVICE_ORDER=PCI_BUS_ID",
            f"export CUDA_VISIBLE_DEVICES={indices}",
        )
        return _COMPUTE.warning(seen, needed, Remedy(what, everywhere=commands))
    if (remedy := suggest_series(machine, spec, str(gpu.capability))) is not None:
        return _COMPUTE.error(seen, needed, remedy)
    needed += f"; no TensorFlow up to {load().series[-1]} has code for it"
    return _COMPUTE.error(seen, needed, _nvidias_image(machine, spec))


def _nvidias_image(machine: Machine, spec: HostSpec) -> Remedy:
    image, without = own_image(), without_gpu(spec).everywhere
    what = (
        f"Use NVIDIA's own image, which has code for it. Its last release has TensorFlow "
        f"{image.tensorflow} and CUDA {image.cuda} ({image.name})"
    )
    podman = "podman run --rm -it --device nvidia.com/gpu=all"
    run = podman if spec.engine == "podman" else "docker run --rm -it --gpus all"
    command = f"{run} {image.name}"
    if in_container(machine):
        return Remedy(f"{what}:", everywhere=(command,), where="host")
    commands = (command,) if query_engine(machine, spec).answers else ()
    return Remedy(f"{what}. Or use the CPU:", everywhere=(*commands, *without))


def _too_old(
    machine: Machine, spec: HostSpec, gpu: DetectedGpu, *, another: bool
) -> HostFinding | None:
    """The finding for a GPU that TensorFlow ignores; None if the driver probe reports it."""
    seen = f"{gpu.name} has compute capability {gpu.capability}"
    needed = f"TensorFlow {spec.tensorflow} has no code that runs on it"
    if another:
        return _COMPUTE.note(seen, f"{needed}, and ignores it")
    known = generation(newest_gpu(machine))
    if known is not None and not has_driver_for(machine, spec.release, known):
        return None
    remedy = suggest_series(machine, spec, str(gpu.capability))
    if remedy is None:
        needed += ", and neither has any other release that poetry-tf knows"
    return _COMPUTE.error(seen, needed, remedy or without_gpu(spec))
