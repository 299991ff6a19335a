"""What reaches the project's environment from outside: Conda, PYTHONPATH, the user's packages."""

from __future__ import annotations

import re
from collections.abc import Iterator

from poetry_tf.doctor.host.child_programs import run_libraries_program
from poetry_tf.doctor.host.library_path import (
    LIBRARY_PATH,
    clean_library_path,
    is_below,
    library_folders,
)
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.model import HostFinding, HostSpec, Remedy, Subject
from poetry_tf.text import format_list

_ENVIRONMENT = Subject("environment")


def environment(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    """Whether the project's environment is its own, and imports its own TensorFlow."""
    if spec.python is None:
        return
    yield from _conda(machine, spec, spec.python)
    yield from _imported_from_outside(machine, spec)


# -- Conda -------------------------------------------------------------------------------------


def _conda(machine: Machine, spec: HostSpec, python: str) -> Iterator[HostFinding]:
    prefix = machine.variable("CONDA_PREFIX")
    if not prefix:
        return
    name = machine.variable("CONDA_DEFAULT_ENV") or prefix
    deactivate = ("conda deactivate",)
    if _environment_of(python) == _parts(prefix):
        # Poetry uses an active Conda environment other than base as the project's environment.
        yield _ENVIRONMENT.warning(
            f"Poetry uses the active Conda environment {name} as the project's environment",
            "its packages mix with the locked ones",
            Remedy(
                "Deactivate it, so that Poetry creates its own:",
                everywhere=(*deactivate, spec.install),
            ),
        )
        return
    if folders := [one for one in library_folders(machine) if is_below(one, prefix)]:
        loaded = run_libraries_program(machine, spec).lines_with("path")
        if spec.mode == "pip" and any(is_below(str(line["path"]), prefix) for line in loaded):
            return  # reported with the libraries
        yield _ENVIRONMENT.warning(
            f"{LIBRARY_PATH} puts Conda's libraries ({name}) before the project's",
            "programs may load another version of the C++ runtime, CUDA or cuDNN from there",
            clean_library_path(machine, folders),
        )
    elif _comes_first(machine, prefix, python):
        yield _ENVIRONMENT.note(
            f"the Conda environment {name} is active: `python` is Conda's, not the project's",
            "only `poetry run`, and programs that an editor starts, use the project's environment",
            Remedy("Deactivate it:", everywhere=deactivate),
        )


def _parts(path: str) -> list[str]:
    return [part for part in re.split(r"[\\/]", path) if part]


def _folders_in(machine: Machine, variable: str) -> list[list[str]]:
    """The folders in a variable, each as its parts."""
    separator = ";" if machine.system == "Windows" else ":"
    folders = (machine.variable(variable) or "").split(separator)
    return [parts for one in folders if (parts := _parts(one))]


def _environment_of(python: str) -> list[str]:
    """The folder of the environment of an interpreter; on Windows Conda's is right in it."""
    *folders, last, _ = _parts(python)
    return folders if last.lower() in {"bin", "scripts"} else [*folders, last]


def _comes_first(machine: Machine, prefix: str, python: str) -> bool:
    """Whether `python` in this shell is Conda's."""
    path = _folders_in(machine, "PATH")
    conda = [*_parts(prefix)] if machine.system == "Windows" else [*_parts(prefix), "bin"]
    own = _parts(python)[:-1]
    return conda in path and (own not in path or path.index(conda) < path.index(own))


# -- modules from elsewhere --------------------------------------------------------------------


def _imported_from_outside(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    output = run_libraries_program(machine, spec)
    user = output.text("user")
    found: dict[str, list[str]] = {}
    for line in output.lines_with("module"):
        if line.get("outside") is True:
            found.setdefault(str(line.get("folder")), []).append(str(line["module"]))
    paths = _folders_in(machine, "PYTHONPATH")
    for folder, names in found.items():
        seen = (
            f"Python imports {format_list(names)} from {folder}, not from the project's environment"
        )
        if any(_parts(folder)[: len(path)] == path for path in paths):
            needed = "PYTHONPATH comes before the project's environment"
            what = "Unset it. It is often set by `module load`, ~/.bashrc or the editor:"
            is_windows = machine.system == "Windows"
            command = "Remove-Item Env:PYTHONPATH" if is_windows else "unset PYTHONPATH"
            remedy = Remedy(what, everywhere=(command,))
        elif folder == user:
            needed = "the user's packages (pip install --user) come before the environment's"
            remedy = Remedy("Exclude them:", everywhere=("export PYTHONNOUSERSITE=1",))
        else:
            needed = "the environment has access to the system's packages (system-site-packages)"
            remedy = Remedy(
                "Create it again without them:",
                everywhere=(
                    "poetry config --local virtualenvs.options.system-site-packages false",
                    "poetry env remove --all",
                    spec.install,
                ),
            )
        yield _ENVIRONMENT.warning(seen, needed, remedy)
