"""The distributions of TensorFlow and the CUDA wheels in the project's environment."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

from poetry_tf.doctor.host.child_programs import run_libraries_program
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.model import HostFinding, HostSpec, Remedy, Subject
from poetry_tf.plan.model import TF_KERAS
from poetry_tf.text import format_list

_DISTRIBUTIONS = Subject("distributions")
_KERAS = Subject("keras")
_WHEELS = Subject("wheels")


def has_tensorflow(machine: Machine, spec: HostSpec) -> bool:
    """Whether TensorFlow is installed in the project's environment."""
    return spec.python is not None and any(
        run_libraries_program(machine, spec).lines_with("tensorflow")
    )


def distributions(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    """Whether exactly the locked TensorFlow is installed."""
    if not has_tensorflow(machine, spec):
        return  # reported by the tensorflow probe
    lines = run_libraries_program(machine, spec).lines_with("distribution")
    holding = _installed(line for line in lines if line.get("holds") is True)
    if len(holding) > 1:
        names = shlex.join(sorted(holding))
        both = format_list(f"{name} {version}" for name, version in sorted(holding.items()))
        yield _DISTRIBUTIONS.warning(
            f"{both} are both installed",
            "they have the same files, so the installed files are a mix of both",
            Remedy(
                "Remove them, and install the locked one",
                everywhere=(f"poetry run pip uninstall --yes {names}", spec.install),
            ),
        )
        return
    for name, version in holding.items():
        if name.startswith("tensorflow-cpu") and spec.uses_gpu:
            yield _DISTRIBUTIONS.error(
                f"{name} is installed, which has no GPU support",
                "the project requests a GPU",
                Remedy("Install the locked packages", everywhere=(spec.sync,)),
            )
        elif version != spec.tensorflow:
            yield _DISTRIBUTIONS.warning(
                f"{name} {version} is installed",
                f"{spec.tensorflow} is locked",
                Remedy("Install the locked packages", everywhere=(spec.install,)),
            )


def keras(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    """Whether Keras 2 is installed where `tf.keras` is to be it."""
    if not spec.legacy_keras or not has_tensorflow(machine, spec):
        return
    if TF_KERAS not in _installed(run_libraries_program(machine, spec).lines_with("distribution")):
        yield _KERAS.error(
            f"{TF_KERAS} is not installed",
            'with keras = "legacy", tf.keras is Keras 2 from tf-keras; without it tf.keras fails',
            Remedy("Install it", everywhere=(spec.install,)),
        )


def wheels(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    """Whether the wheels of CUDA and cuDNN are installed in the required versions."""
    extra = spec.release.and_cuda
    # The extra is only for Linux.
    if spec.mode != "pip" or machine.system != "Linux" or extra is None:
        return
    if not has_tensorflow(machine, spec):
        return
    installed = _installed(run_libraries_program(machine, spec).lines_with("distribution"))
    # Nothing required opens TensorRT any more, and it has no wheels for some Pythons.
    required = [Requirement(text) for text in extra.requires if not text.startswith("tensorrt")]
    missing = [str(item) for item in required if canonicalize_name(item.name) not in installed]
    other = [
        f"{item.name} {version} instead of {item.specifier}"
        for item in required
        if (version := installed.get(canonicalize_name(item.name))) and not _fits(item, version)
    ]
    remedy = Remedy("Install the locked packages", everywhere=(spec.install,))
    if missing:
        yield _WHEELS.error(
            f"{format_list(missing)} {'is' if len(missing) == 1 else 'are'} not installed",
            f"TensorFlow {spec.tensorflow} loads CUDA and cuDNN from the wheels of its extra "
            "and-cuda",
            remedy,
        )
    if other:
        yield _WHEELS.warning(
            f"{format_list(other)} {'is' if len(other) == 1 else 'are'} installed",
            "another package, often PyTorch, may have installed them",
            remedy,
        )
    if not missing and not other:
        yield _WHEELS.ok(f"all {len(required)} wheels of and-cuda are installed")


def _installed(lines: Iterable[dict[str, Any]]) -> dict[str, str]:
    """The versions of distributions by name."""
    return {str(line["distribution"]): str(line.get("version", "")) for line in lines}


def _fits(item: Requirement, version: str) -> bool:
    try:
        return item.specifier.contains(version, prereleases=True)
    except InvalidVersion:
        return False
