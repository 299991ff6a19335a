"""What ``poetry tf init`` says about this machine, for a project without a container."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import poetry_tf
from poetry_tf.commands.base import plain
from poetry_tf.plan.here import (
    Here,
    is_too_old,
    lacks_python,
    nearest_for_here,
    package_command,
    python_here,
    unchosen_python,
)
from poetry_tf.plan.model import CONTAINER_PLATFORM, CPU, Plan
from poetry_tf.plan.release import first_gpu_series, no_gpu_reason
from poetry_tf.plan.settings import GpuChoice
from poetry_tf.poetry_internals.pythons import FoundPython
from poetry_tf.releases import load
from poetry_tf.releases.model import MACOS_ARM64, MACOS_X86_64, WINDOWS_AMD64
from poetry_tf.text import format_list, shell_word

_SHOW_DEVICES = "import tensorflow as tf; print(tf.config.list_physical_devices())"
_SYSTEMS = {WINDOWS_AMD64: "Windows", MACOS_ARM64: "macOS", MACOS_X86_64: "macOS"}


def missing_environment_note(variable: str, folder: str) -> str:
    """The note for an activated environment that does not exist."""
    return f"{variable} is set to a folder that does not exist, and was ignored: {folder}"


def chosen_python_note(plan: Plan, newest: str, here: Here, minors: Sequence[str]) -> str | None:
    """Which Python of this machine a project gets; None where none fits.

    `newest` is the series that it would have with any Python.
    """
    chosen = python_here(here, minors)
    if chosen is None:
        return None
    where = "of the project's environment" if chosen is here.own else "which Poetry finds here"
    text = f"Python {chosen.minor}, {where} ({chosen.executable})"
    if plan.release.series == newest:
        return text
    return f"{text}: TensorFlow {plan.release.series} is the newest series with wheels for it"


def no_python_warning(plan: Plan, here: Here, minors: Sequence[str]) -> str | None:
    """A warning if Poetry would install with no Python that fits; None if it would, or nothing is
    known."""
    if here.own is not None and not here.has_fitting_environment(minors):
        return (
            f"The project's environment has Python {_found(here.own)} ({here.own.executable}): "
            f"TensorFlow {plan.release.version} needs {any_of(minors)}"
        )
    wheels = plan.release.pythons_on(CONTAINER_PLATFORM)
    if is_too_old(here, minors):
        oldest = ".".join(map(str, here.oldest))
        return (
            f"Poetry can't create an environment with Python {any_of(minors)} here: its "
            f"virtualenv needs at least Python {oldest}. TensorFlow {plan.release.version} has "
            f"wheels for Python {format_list(wheels)}"
        )
    if not lacks_python(here, minors):
        return None
    found = dict.fromkeys(map(_found, here.pythons))
    where = "in the activated environment" if here.is_activated else "here"
    return (
        f"Poetry finds no Python {any_of(minors)} {where}, only {format_list(found)}: "
        f"TensorFlow {plan.release.version} has wheels for Python {format_list(wheels)}"
    )


def _found(python: FoundPython) -> str:
    return f"{python.minor} ({python.unfit})" if python.unfit else python.minor


def gpu_note(
    plan: Plan, choice: GpuChoice, here: Here, *, container: bool, given: str = ""
) -> str | None:
    """Why TensorFlow will use the CPU though nobody asked for that; None if it will not.

    The command that it suggests repeats the options `given`.
    """
    release, gpu = plan.release, plan.gpu
    subject = f"TensorFlow {release.series} runs on the CPU"
    if container:
        why = no_gpu_reason(load(), plan, choice)
        return f"{subject}: {why}" if why is not None else None
    if choice == "none" or release.distribution == CPU:
        return None
    if here.environment != CONTAINER_PLATFORM:
        return _elsewhere_note(plan, here)
    if here.lacks_gpu and gpu.mode == "pip":
        return (
            "No NVIDIA GPU was found here. The CUDA wheels are a download of 3 to 4 GB; --gpu none "
            "leaves them out"
        )
    if gpu.mode == "pip":
        return None
    if choice == "system":
        return (
            f"TensorFlow {release.series} uses the GPU only with CUDA {gpu.cuda} and cuDNN "
            f"{gpu.cudnn} on this machine, which nothing installs"
        )
    if here.lacks_gpu:
        return f"{subject}: no NVIDIA GPU was found here"
    text = f"Without a container, nothing installs CUDA: {subject}"
    if gpu.cuda is not None:
        text += f", unless CUDA {gpu.cuda} and cuDNN {gpu.cudnn} are installed on this machine"
    if release.and_cuda is not None:
        return f"{text}. For CUDA as Python packages: {poetry_tf.program} init --gpu pip{given}"
    first = first_gpu_series(load(), release, container=False)
    return f"{text}; {first} is the first series with CUDA as Python packages" if first else text


def _elsewhere_note(plan: Plan, here: Here) -> str:
    series = plan.release.series
    wheels = plan.release.wheels.get(here.environment or "")
    if wheels is not None and wheels.cuda is not None:
        return (
            f"TensorFlow {series} runs on the CPU until CUDA {wheels.cuda} and cuDNN "
            f"{wheels.cudnn} are installed on this machine"
        )
    name = _SYSTEMS.get(here.environment or "", "this machine")
    there = "; in WSL 2 it uses an NVIDIA GPU" if name == "Windows" else ""
    return f"TensorFlow {series} runs on the CPU on {name}{there}"


def steps_here(plan: Plan, here: Here, minors: Sequence[str]) -> Iterator[str]:
    """How the project is installed on this machine, with style tags."""
    too_old = is_too_old(here, minors)
    if too_old or lacks_python(here, minors):
        if not too_old:
            yield from _python_steps(here, minors)
        if (command := _command_for_here(plan, here, minors)) is not None:
            either = "Use another Python" if too_old else "Or use what fits the Python here"
            yield f"{either}: <c1>{command}</>"
    elif (chosen := unchosen_python(here, minors)) is not None:
        word = shell_word(str(chosen.executable)) or str(chosen.executable)
        yield f"Choose the Python: <c1>poetry env use {plain(word)}</>"
    yield "Install it here: <c1>poetry install</>"
    yield f'Show the devices that it runs on: <c1>poetry run python -c "{_SHOW_DEVICES}"</>'
    if here.environment == WINDOWS_AMD64:
        yield (
            "If the import fails with <c1>DLL load failed</>, install the Microsoft Visual C++ "
            "Redistributable (x64)"
        )
    elif plan.gpu.mode != "none" and here.environment == CONTAINER_PLATFORM and not here.lacks_gpu:
        yield f"If that shows no GPU: <c1>{poetry_tf.program} doctor</>"


def _command_for_here(plan: Plan, here: Here, minors: Sequence[str]) -> str | None:
    """The command that sets the project up for a Python of this machine; None if there is none.

    Where none of the minors will do, it is for the newest that can be installed.
    """
    release = plan.release
    needs_wheels = plan.gpu.mode == "pip"
    nearest = nearest_for_here(load(), release, here, needs_cuda_wheels=needs_wheels)
    if nearest is not None:
        to, minor = nearest[0], nearest[1].minor
    elif is_too_old(here, minors):
        to, minor = release, release.usable_on(here.environment or CONTAINER_PLATFORM)[-1]
    else:
        return None
    series = f" --tensorflow {to.series}" if to.series != release.series else ""
    return f"{poetry_tf.program} init{series} --python {minor}"


def _python_steps(here: Here, minors: Sequence[str]) -> Iterator[str]:
    """How to get a Python that fits."""
    if here.is_activated:
        yield (
            "Leave the activated environment, because Poetry installs into it, whatever its Python "
            "is: <c1>deactivate</>, or <c1>conda deactivate</>"
        )
    yield f"Get Python {any_of(minors)}: {python_ways(here, minors)}"
    if here.own is not None:
        yield f"Create the project's environment with it: <c1>poetry env use {minors[-1]}</>"


def python_ways(here: Here, minors: Sequence[str]) -> str:
    """The ways to a Python of some minors on this machine, with style tags."""
    commands = (package_command(here, minor) for minor in reversed(minors))
    ways = [f"<c1>{command}</>" for command in commands if command is not None][:1]
    if here.has_modules:
        ways.append(
            "a module of this cluster (<c1>module avail python</>, <c1>module load NAME</>)"
        )
    ways.append(f"<c1>poetry python install {minors[-1]}</> (experimental in Poetry)")
    return ", or ".join(ways)


def any_of(minors: Sequence[str]) -> str:
    """The minors as alternatives: "3.12 or 3.13"."""
    *head, last = minors
    return f"{', '.join(head)} or {last}" if head else last
