"""Whether TensorFlow is built for the processor, can be imported, and uses its GPUs.

No wheel for Linux on ARM is built with CUDA; all of them were checked. Grace and Jetson do have an
NVIDIA GPU, and NVIDIA builds TensorFlow for them, in its containers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from poetry_tf.doctor.host.child_programs import (
    TENSORFLOW_LIMIT,
    ProgramOutput,
    run_tensorflow_program,
)
from poetry_tf.doctor.host.devices import lacks_gpu
from poetry_tf.doctor.host.engine import query_engine, runs_elsewhere
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.model import HostFinding, HostSpec, Remedy, State, Subject
from poetry_tf.doctor.host.series import place_options, without_gpu
from poetry_tf.doctor.host.support import VISUAL_CPP, wheels_install
from poetry_tf.doctor.host.system import in_container, is_arm
from poetry_tf.doctor.host.visible import why_hidden
from poetry_tf.doctor.host.wheels import has_tensorflow
from poetry_tf.releases.model import LINUX_AARCH64, numbers
from poetry_tf.text import format_list, shell_word

_TENSORFLOW = Subject("tensorflow")
_COMPILE = Subject("compile")
_PROCESSOR = Subject("processor")
# The sum of the product of two 16 x 16 matrices of ones.
_SUM = 4096.0
# The signal SIGILL, a shell's form of it, and STATUS_ILLEGAL_INSTRUCTION of Windows.
_ILLEGAL_INSTRUCTION = frozenset({-4, 132, 0xC000001D})
# The first series in which Keras compiles by default.
_COMPILES_BY_ITSELF = (2, 16)


@dataclass(frozen=True)
class Reason:
    """The meaning of a message of TensorFlow.

    Attributes:
        pattern: a regular expression for the message; its groups fill `meaning`.
        meaning: what the message means.
        remedy: what to do; further lines are commands.
    """

    pattern: str
    meaning: str
    remedy: str = ""

    def match(self, text: str) -> tuple[str, Remedy | None] | None:
        found = re.search(self.pattern, text)
        if found is None:
            return None
        meaning = self.meaning.format(*(group or "" for group in found.groups()))
        what, *commands = self.remedy.splitlines() or [""]
        return meaning, Remedy(what, everywhere=tuple(commands)) if what else None


_NEWER_IMAGE = "Use an image with a newer Debian\npoetry tf devcontainer"
# The first match counts, so the most specific ones come first.
_NO_IMPORT = (
    Reason(
        r"(?i)compiled using NumPy 1\.x|_ARRAY_API not found|numpy\.core\.\w+ failed to import"
        r"|numpy\.dtype size changed",
        "it was built for NumPy 1, but NumPy 2 is installed",
        "Require NumPy 1\npoetry add 'numpy<2'",
    ),
    Reason(
        r"version `(GLIBC_[\d.]+)' not found",
        "this system is too old: it has no {}",
        _NEWER_IMAGE,
    ),
    Reason(
        r"Descriptors cannot(?: not)? be created directly|google\.protobuf",
        "it does not work with the installed protobuf",
        "Bound protobuf to what TensorFlow supports, and install it\npoetry tf check --fix"
        "\npoetry install",
    ),
    Reason(
        r"version `((?:GLIBCXX|CXXABI)_[\d.]+)' not found",
        "the C++ runtime that is loaded is too old: it has no {}",
        "Remove the folder with the older libstdc++ from LD_LIBRARY_PATH\nunset LD_LIBRARY_PATH",
    ),
    # Of its own self_check.
    Reason(
        r"Could not find the DLL\(s\) '?([\w.]+)",
        "Windows has no {}, which is part of the Visual C++ runtime",
        f"{VISUAL_CPP.what}\n{VISUAL_CPP.everywhere[0]}",
    ),
    # Windows says in its own language why: a DLL is missing, or doesn't start
    # (tensorflow/tensorflow issues 79362, 89269 and 93561).
    Reason(
        r"DLL load failed(?: while importing (\w+))?",
        "Windows can't load its DLL {}; the Visual C++ runtime is often missing or too old",
        f"{VISUAL_CPP.what}\n{VISUAL_CPP.everywhere[0]}",
    ),
    Reason(r"(\S+): cannot open shared object file", "{} is missing"),
    Reason(r"No module named '?([\w.]+)", "the module {} is missing"),
    Reason(r"(\w+(?:Error|Exception): .*)", "{}"),
)
_NO_GPU = (
    Reason(
        r"Could not load dynamic library '([^']+)'; dlerror: ",
        "it can't load {} (and maybe others)",
    ),
    Reason(r"failed call to cuInit:.*?(CUDA_ERROR_\w+)", "the driver fails with {}"),
    # The result of TensorFlow's stub for a missing libcuda.
    Reason(r"failed call to cuInit:.*\(303\)", "it can't load the driver's libcuda.so.1"),
    Reason(r"failed call to cuInit: (.*)", "the driver fails: {}"),
    Reason(
        r"Could not find cuda drivers on your machine", "it can't load the driver's libcuda.so.1"
    ),
    Reason(
        r"Cannot dlopen some GPU libraries", "it can't load one of the libraries of CUDA or cuDNN"
    ),
    Reason(
        r"Ignoring visible gpu device .*?with (?:core|Cuda compute capability )([\d.]*)",
        "it ignores the GPU, whose compute capability {} is too low",
    ),
)
_FULL = "another program uses the GPU's memory"
_PTXAS = "XLA needs ptxas and libdevice from the CUDA toolkit"
_NO_STEP = (
    Reason(
        r"(?i)libdevice(?:\.10\.bc)? not found|can't find libdevice|libdevice is required",
        "XLA doesn't find libdevice.10.bc",
        _PTXAS,
    ),
    Reason(
        r"(?i)(?:couldn't|could not|failed to) (?:find|invoke|get|launch|run|determine)"
        r"[^\n]*\bptxas\b|ptxas[^\n]*(?:not found|No such file)|No PTX compilation provider",
        "XLA doesn't find ptxas",
        _PTXAS,
    ),
    Reason(
        r"Loaded runtime CuDNN library: ([\d.]*\d) but source was compiled with:? ([\d.]*\d)",
        "it found cuDNN {}, but needs {} or later",
    ),
    Reason(
        r"(?i)RESOURCE_EXHAUSTED|OUT_OF_MEMORY|out of memory|OOM when",
        _FULL,
        "Find that program, and end it\nnvidia-smi",
    ),
    Reason(
        r"CUDA_ERROR_UNSUPPORTED_PTX_VERSION|unsupported toolchain",
        "the driver is too old for what this CUDA compiles",
        "Install the newest driver on the host",
    ),
    Reason(
        # The last for compute capability 12.0 (tensorflow/tensorflow issue 111958).
        r"CUDA_ERROR_NO_BINARY_FOR_GPU|no kernel image|CUDA_ERROR_INVALID_PTX"
        r"|PTX version [\d.]+ does not support target",
        "this TensorFlow has no code for this GPU",
    ),
    Reason(r"(CUDNN_STATUS_\w+)", "cuDNN fails with {}"),
)


def tensorflow(
    machine: Machine, spec: HostSpec, *, compile_step: bool = True
) -> Iterator[HostFinding]:
    """Whether TensorFlow can be imported, its GPUs, and whether it compiles for them."""
    if not has_tensorflow(machine, spec):
        if not any(item.state == "error" for item in wheels_install(machine, spec)):
            yield _not_installed(machine, spec)
        return
    # XLA doesn't compile for Apple's GPUs.
    compile_step = compile_step and machine.system != "Darwin"
    output = run_tensorflow_program(machine, spec, compile_step=compile_step)
    version = output.text("version")
    if version is None:
        yield _import_error(output, spec)
        return
    gpus = gpu_names(output)
    if not spec.uses_gpu:
        yield _TENSORFLOW.ok(f"TensorFlow {version} can be imported")
    elif gpus is None:
        yield _gpus_unknown(output, version)
    elif gpus:
        yield _TENSORFLOW.ok(f"TensorFlow {version} uses {format_list(gpus)}")
        if compile_step:
            yield from _compiled_step(machine, output, spec)
    else:
        yield _no_gpu(machine, output, version)


def gpu_names(output: ProgramOutput) -> list[str] | None:
    """The GPUs that TensorFlow lists; None if it ended before."""
    for line in output.lines_with("gpus"):
        if isinstance(line["gpus"], list):
            return [str(name) for name in line["gpus"]]
    return None


def _not_installed(machine: Machine, spec: HostSpec) -> HostFinding:
    state: State = "error" if spec.uses_gpu and in_container(machine) else "warning"
    seen = "TensorFlow is not installed in the project's environment"
    if spec.python is None:
        seen = "TensorFlow is not installed: the project has no environment here"
    return HostFinding(
        "tensorflow", state, seen, remedy=Remedy("Install it", everywhere=(spec.install,))
    )


def _import_error(output: ProgramOutput, spec: HostSpec) -> HostFinding:
    if output.result.trouble == "timeout":
        seen = f"TensorFlow took longer than {TENSORFLOW_LIMIT:g} seconds to import"
        needed = "the drive with the environment may be slow"
        return _TENSORFLOW.warning(seen, needed)
    if output.result.status in _ILLEGAL_INSTRUCTION:
        return _TENSORFLOW.error(
            "TensorFlow crashes on import with an illegal instruction",
            "its wheels need a processor with AVX, which a virtual machine may hide",
        )
    if output.result.status is None:
        return _TENSORFLOW.error(
            "TensorFlow can't be imported: the environment's Python can't be run"
        )
    broken = output.text("broken") or f"it ended with exit status {output.result.status}"
    meaning, remedy = _first_reason(_NO_IMPORT, f"{broken}\n{output.result.error}") or (
        broken,
        None,
    )
    if remedy is not None and remedy.what in _NEWER_IMAGE and spec.config is None:
        remedy = Remedy("Use a container, or a machine with a newer system")
    return _TENSORFLOW.error(
        f"TensorFlow can't be imported: {_shorten(meaning)}",
        remedy=remedy or Remedy("Reinstall the locked packages", everywhere=(spec.sync,)),
    )


def _gpus_unknown(output: ProgramOutput, version: str) -> HostFinding:
    how = f"it ended with exit status {output.result.status}"
    if output.result.trouble == "timeout":
        how = f"it did not answer within {TENSORFLOW_LIMIT:g} seconds"
    seen = f"TensorFlow {version} did not list its GPUs: {how}"
    return _TENSORFLOW.error(seen, _shorten(output.result.error.rpartition("\n")[2]))


def _no_gpu(machine: Machine, output: ProgramOutput, version: str) -> HostFinding:
    # Reported with the visible GPUs, or with the devices.
    if why_hidden(machine) is not None or lacks_gpu(machine):
        return _TENSORFLOW.ok(f"TensorFlow {version} can be imported")
    if machine.system != "Linux":
        return _TENSORFLOW.note(f"TensorFlow {version} uses the CPU")
    meaning, remedy = _first_reason(_NO_GPU, output.result.error) or ("it gives no reason", None)
    seen = f"TensorFlow {version} finds no GPU: {_shorten(meaning)}"
    return _TENSORFLOW.error(seen, remedy=remedy)


def _compiled_step(
    machine: Machine, output: ProgramOutput, spec: HostSpec
) -> Iterator[HostFinding]:
    """The step that XLA compiles, with ptxas and libdevice."""
    results = [line["compiled"] for line in output.lines_with("compiled")]
    if _SUM in results:
        yield _COMPILE.ok("a compiled step (jit_compile=True) runs on the GPU")
        return
    is_default = numbers(spec.release.series) >= _COMPILES_BY_ITSELF
    state: State = "error" if is_default else "warning"
    reason = "Keras compiles by default" if is_default else "jit_compile=True compiles"
    needed = f"{reason}, and XLA needs ptxas and libdevice to compile"
    failed = output.text("failed")
    remedy: Remedy | None = None
    if failed is not None:
        text = f"{failed}\n{output.result.error}"
        meaning, remedy = _first_reason(_NO_STEP, text) or (failed, None)
        if remedy is not None and remedy.what == _PTXAS:
            remedy = _toolkit(machine, output, spec)
        else:
            needed = ""
        if meaning == _FULL:
            state = "warning"  # temporary
    elif output.result.trouble == "timeout":
        state, meaning = "warning", f"it took longer than {TENSORFLOW_LIMIT:g} seconds"
        needed = "for a GPU newer than this TensorFlow, the driver first compiles everything once"
    elif not results and output.result.status != 0:
        ended = (f"it crashed TensorFlow (exit status {output.result.status})", None)
        meaning, remedy = _first_reason(_NO_STEP, output.result.error) or ended
        needed = ""
    else:
        meaning, needed = "it gave a wrong result", "the GPU may be faulty"
    yield HostFinding(
        "compile",
        state,
        f"a compiled step (jit_compile=True) fails: {_shorten(meaning)}",
        needed,
        remedy,
    )


def _toolkit(machine: Machine, output: ProgramOutput, spec: HostSpec) -> Remedy:
    if spec.mode == "pip":
        site = (output.text("file") or "").rpartition("/tensorflow/")[0]
        toolkit = shell_word(f"{site}/nvidia/cuda_nvcc", posix=True)
        commands = (
            f"export XLA_FLAGS=--xla_gpu_cuda_data_dir={toolkit}",
            f'export PATH="$PATH":{toolkit}/bin',
        )
        if not (site and toolkit):
            return Remedy("Install the wheels with ptxas and libdevice", everywhere=(spec.install,))
        return Remedy("Tell XLA where ptxas and libdevice are", everywhere=commands)
    if spec.config is None:
        if spec.release.and_cuda is None or machine.system != "Linux":
            return Remedy(f"{_PTXAS}: install the toolkit")
        command = f"poetry tf init{place_options(machine, spec)}"
        what = f"{_PTXAS}: install it, or use the one in TensorFlow's wheels:"
        return Remedy(what, everywhere=(command, spec.install))
    what = f"{_PTXAS}: let the feature nvidia-cuda install it, and rebuild the container"
    return Remedy(what, everywhere=("poetry tf devcontainer",))


def _first_reason(reasons: tuple[Reason, ...], text: str) -> tuple[str, Remedy | None] | None:
    return next((found for reason in reasons if (found := reason.match(text))), None)


def _shorten(text: str) -> str:
    """The first line of a message, at most 200 characters of it."""
    line = text.strip().partition("\n")[0].strip()
    return line if len(line) <= 200 else f"{line[:200]}…"


# -- the processor --------------------------------------------------------------------------


def processor(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    """Reports a processor without CUDA builds; the system probe reports a Mac."""
    if not spec.uses_gpu:
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
            f"no TensorFlow wheel for ARM ({architecture}) is built with CUDA",
            f"on this processor, TensorFlow {spec.tensorflow} from PyPI only uses the CPU, "
            "whatever GPU there is",
            Remedy(
                "Use a machine with an x86_64 processor; on Jetson and Grace, use NVIDIA's own "
                "containers with TensorFlow; or use the CPU:",
                everywhere=without_gpu(spec).everywhere,
            ),
        )
