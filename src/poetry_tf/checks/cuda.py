"""TF108: the CUDA libraries that something other than TensorFlow brings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from poetry_tf.checks.findings import Context, Finding, Severity, rule
from poetry_tf.plan.requirement import tensorflow_distributions
from poetry_tf.plan.second_cuda import CudaClash, Kind, cuda_clashes
from poetry_tf.releases.nvidia_wheels import NvidiaWheel
from poetry_tf.text import format_list


@rule("TF108")
def second_cuda(context: Context) -> Iterator[Finding]:
    """Another package brings CUDA libraries that TensorFlow takes, or that overwrite others.

    PyTorch, JAX and others require NVIDIA's wheels. TensorFlow looks in the folders of these wheels
    first, before the libraries of the container.

    It is an error where two wheels for different CUDA versions hold the same files, as
    `nvidia-cudnn-cu12` and `nvidia-cudnn-cu13` do: both packages then use the one that is installed
    last. It is an error where the cuDNN is older than the one that TensorFlow is built with:
    TensorFlow refuses it and uses no GPU. Any other older library, and a library for another CUDA,
    is a warning: it is not known to work.

    What helps: a build of the other package without CUDA, versions of both that share a cuDNN, or a
    separate environment for each. The rule does not check builds of TensorFlow without CUDA.
    """
    lock = context.project.valid_lock
    if lock is None:
        return
    groups: dict[tuple[object, ...], list[CudaClash]] = {}
    # Errors first.
    for clash in sorted(cuda_clashes(context.project), key=lambda one: _LEVELS[one.kind]):
        groups.setdefault(_group(clash), []).append(clash)
    for group in groups.values():
        clash = group[0]
        yield Finding(
            lock.path,
            lock.position(clash.wheel.name, clash.wheel.version),
            _message(group),
            _remedy(clash),
            name=clash.wheel.name,
            level=_LEVELS[clash.kind],
        )


_LEVELS: dict[Kind, Severity] = {
    "overwritten": "error",
    "refused": "error",
    "older": "warning",
    "other": "warning",
}


def _group(clash: CudaClash) -> tuple[object, ...]:
    """What the clashes that are one finding have in common."""
    if clash.beside is not None:
        return clash.wheel, clash.beside
    return clash.kind, clash.brought_by, clash.release


def _message(group: Sequence[CudaClash]) -> str:
    clash, tensorflow = group[0], f"TensorFlow {group[0].release.version}"
    wheels = _wheels([one.wheel for one in group], clash.brought_by)
    are, them = ("is", "it") if len(group) == 1 else ("are", "them")
    if clash.beside is not None:
        return (
            f"{_wheels([clash.beside], clash.beside_by)} and {wheels} hold the same files for CUDA "
            f"{clash.beside.cuda} and CUDA {clash.wheel.cuda}: both use the one that "
            "is installed last"
        )
    if clash.kind == "refused":
        return (
            f"{wheels} {are} older than the cuDNN {_built(clash)} that {tensorflow} is built with; "
            f"TensorFlow finds {them} before the container's and refuses {them}"
        )
    if clash.kind == "older":
        built = format_list(map(_built, group))
        what = f"older than what {tensorflow} is built with ({built})"
    else:
        what = f"built for CUDA {clash.wheel.cuda}, {tensorflow} for CUDA {clash.release.cuda}"
    return (
        f"{wheels} {are} {what}; TensorFlow finds {them} before the container's, and this is not "
        "known to work"
    )


def _wheels(wheels: Iterable[NvidiaWheel], brought_by: Sequence[str]) -> str:
    text = format_list(f"{wheel.name} {wheel.version}" for wheel in wheels)
    if not brought_by:
        return text
    return f"{text} (required by {format_list(brought_by)})"


def _built(clash: CudaClash) -> str:
    return ".".join(map(str, clash.built.minor)) if clash.built else ""


def _remedy(clash: CudaClash) -> str:
    names = dict.fromkeys((*clash.brought_by, *clash.beside_by))
    others = [name for name in names if name not in tensorflow_distributions()]
    if not others:
        return _remedy_of_own(clash)
    other = format_list(others)
    share = {
        "overwritten": "versions that are built for the same CUDA",
        "refused": f"one that requires cuDNN {_built(clash)} or later",
    }.get(clash.kind, "versions that share their CUDA libraries with TensorFlow's and-cuda extra")
    return (
        f"Require a build of {other} without CUDA, or {share}, or keep TensorFlow and {other} in "
        "separate environments"
    )


def _remedy_of_own(clash: CudaClash) -> str:
    """The advice where nothing but the project's own requirement brings a wheel."""
    wheel = clash.wheel.name
    if clash.beside is not None:
        if not clash.brought_by and not clash.beside_by:
            return f"Remove the requirement on {wheel} or that on {clash.beside.name}"
        return f"Remove the requirement on {clash.beside.name if clash.brought_by else wheel}"
    if clash.kind == "refused":
        return f"Remove the requirement on {wheel}, or require {_built(clash)} or later"
    return (
        f"Remove the requirement on {wheel}, or require the version of TensorFlow's and-cuda extra"
    )
