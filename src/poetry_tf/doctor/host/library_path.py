"""What `LD_LIBRARY_PATH` puts before the libraries of the project, and where it comes from."""

from __future__ import annotations

import re
from collections.abc import Collection

from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.model import Remedy
from poetry_tf.doctor.host.system import container_kind
from poetry_tf.text import format_list, shell_word

LIBRARY_PATH = "LD_LIBRARY_PATH"
# Modules of clusters that bring CUDA or cuDNN.
_MODULES = re.compile(r"cuda|cudnn|nvhpc|tensorrt|nccl", re.IGNORECASE)


def library_folders(machine: Machine) -> list[str]:
    """The folders in `LD_LIBRARY_PATH`."""
    return [folder for folder in (machine.variable(LIBRARY_PATH) or "").split(":") if folder]


def is_below(path: str, folder: str) -> bool:
    """Whether a path of that machine is in a folder, or is the folder."""
    return f"{path}/".startswith(f"{folder.rstrip('/')}/")


def clean_library_path(machine: Machine, unwanted: Collection[str]) -> Remedy:
    """Removes folders from `LD_LIBRARY_PATH`."""
    what = f"Remove {format_list(unwanted)} from {LIBRARY_PATH}"
    rest = [folder for folder in library_folders(machine) if folder not in unwanted]
    word = shell_word(":".join(rest), posix=True)
    command = f"export {LIBRARY_PATH}={word}" if word else f"unset {LIBRARY_PATH}"
    conda = machine.variable("CONDA_PREFIX")
    # LOADEDMODULES is set by Environment Modules and by Lmod.
    loaded = (machine.variable("LOADEDMODULES") or "").split(":")
    words = [shell_word(name, posix=True) for name in loaded if _MODULES.search(name)]
    if modules := [name for name in words if name is not None]:
        return Remedy(
            f"{what}; `module load` added it:",
            everywhere=(f"module unload {' '.join(modules)}",),
        )
    if conda and all(is_below(folder, conda) for folder in unwanted):
        return Remedy(
            f"{what}; an active Conda environment or ~/.bashrc adds it:",
            everywhere=("conda deactivate", command),
        )
    origin = "it is usually added by `module load`, ~/.bashrc or a batch script"
    if (kind := container_kind(machine)) is not None:
        origin = "it is set by the image, or by the command that started the container"
        if kind == "devcontainer":
            origin = "it is set by the image, or in devcontainer.json (containerEnv, remoteEnv)"
    return Remedy(f"{what}; {origin}:", everywhere=(command,))
