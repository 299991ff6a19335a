"""The environment variables that TensorFlow needs where no container sets them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from poetry_tf.plan.model import Plan
from poetry_tf.releases.installed import LibraryLinks
from poetry_tf.releases.nvidia import libraries

# In this order, as the CUDA toolkit's installer, CMake and the modules of clusters set them.
_TOOLKITS: Final = ("CUDA_HOME", "CUDA_PATH", "CUDA_ROOT")
# Where XLA looks by itself.
_DEFAULT_TOOLKIT: Final = Path("/usr/local/cuda")


@dataclass(frozen=True)
class Variable:
    """An environment variable.

    Attributes:
        separator: what stands between this value and the one that the variable has; empty where it
            replaces that one.
        why: what it is for, as a sentence.
    """

    name: str
    value: str
    why: str
    separator: str = ""


def needed_variables(
    plan: Plan, links: LibraryLinks, environment: Mapping[str, str]
) -> Iterator[Variable]:
    """The variables that TensorFlow needs.

    Args:
        links: the links that the project's environment lacks.
        environment: the variables that are set.
    """
    if plan.legacy_keras:
        yield Variable("TF_USE_LEGACY_KERAS", "1", "The project uses Keras 2.")
    if plan.gpu.mode == "pip" and not set(libraries(plan.release)).isdisjoint(links.overlooked):
        yield Variable(
            "LD_LIBRARY_PATH",
            os.pathsep.join(map(str, links.folders)),
            "TensorFlow does not look for its libraries there, and they could not be linked.",
            os.pathsep,
        )
    toolkit = _toolkit(environment) if plan.gpu.mode == "system" else None
    if toolkit is not None:
        yield Variable(
            "XLA_FLAGS",
            f"--xla_gpu_cuda_data_dir={toolkit}",
            f"XLA looks for the CUDA toolkit in {_DEFAULT_TOOLKIT}.",
            " ",
        )


def _toolkit(environment: Mapping[str, str]) -> Path | None:
    """The CUDA toolkit that a variable names; None where XLA finds one without being told.

    XLA splits its flags at blanks, so a path with one can't be named.
    """
    for name in _TOOLKITS:
        folder = Path(environment.get(name, ""))
        if folder.is_absolute() and (folder / "nvvm" / "libdevice").is_dir():
            is_default = folder.resolve() == _DEFAULT_TOOLKIT.resolve()
            return None if is_default or " " in str(folder) else folder
    return None
