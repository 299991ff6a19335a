"""What is installed in the project's environment: TensorFlow's distributions and CUDA's wheels."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

from poetry_tf.doctor.host.child_programs import run_libraries_program
from poetry_tf.doctor.host.findings import HostFinding, Remedy
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.needs import Needs
from poetry_tf.text import format_list


def has_tensorflow(machine: Machine, needs: Needs) -> bool:
    """Whether a TensorFlow is installed in the project's environment."""
    return needs.python is not None and any(
        run_libraries_program(machine, needs).having("tensorflow")
    )


def distributions(machine: Machine, needs: Needs) -> Iterator[HostFinding]:
    """Whether one TensorFlow is installed, and the one that is locked."""
    if not has_tensorflow(machine, needs):
        return  # TensorFlow's own probe says so
    holding = {
        str(line["distribution"]): str(line.get("version", ""))
        for line in run_libraries_program(machine, needs).having("distribution")
        if line.get("holds") is True
    }
    if len(holding) > 1:
        names = " ".join(sorted(holding))
        both = format_list(f"{name} {version}" for name, version in sorted(holding.items()))
        yield HostFinding(
            "distributions",
            "warning",
            f"{both} are installed over each other",
            "they write the same files, so what is there is a mixture",
            Remedy(
                "Remove them, and install the locked one",
                everywhere=(f"poetry run pip uninstall --yes {names}", needs.install),
            ),
        )
        return
    for name, version in holding.items():
        if name.startswith("tensorflow-cpu") and needs.wants_gpu:
            yield HostFinding(
                "distributions",
                "error",
                f"{name} is installed, which knows no GPU",
                "a GPU was asked for",
                Remedy("Install what is locked", everywhere=(needs.sync,)),
            )
        elif needs.from_project and version != needs.tensorflow:
            yield HostFinding(
                "distributions",
                "warning",
                f"{name} {version} is installed",
                f"{needs.tensorflow} is locked",
                Remedy("Install what is locked", everywhere=(needs.install,)),
            )


def wheels(machine: Machine, needs: Needs) -> Iterator[HostFinding]:
    """Whether the wheels that bring CUDA and cuDNN are installed as TensorFlow asks for them."""
    extra = needs.release.and_cuda
    if needs.mode != "pip" or extra is None or not has_tensorflow(machine, needs):
        return
    installed = {
        str(line["distribution"]): str(line.get("version", ""))
        for line in run_libraries_program(machine, needs).having("distribution")
    }
    # TensorRT is no longer opened by anything that is needed, and can't be had for every Python.
    wanted = [Requirement(text) for text in extra.requires if not text.startswith("tensorrt")]
    missing = [str(item) for item in wanted if canonicalize_name(item.name) not in installed]
    other = [
        f"{item.name} {version} instead of {item.specifier}"
        for item in wanted
        if (version := installed.get(canonicalize_name(item.name))) and not _fits(item, version)
    ]
    remedy = Remedy("Install what is locked", everywhere=(needs.install,))
    if missing:
        yield HostFinding(
            "wheels",
            "error",
            f"{format_list(missing)} {'is' if len(missing) == 1 else 'are'} not installed",
            f"TensorFlow {needs.tensorflow} takes CUDA and cuDNN from the wheels of its extra "
            "and-cuda",
            remedy,
        )
    if other:
        yield HostFinding(
            "wheels",
            "warning",
            f"{format_list(other)} {'is' if len(other) == 1 else 'are'} installed",
            "another package, PyTorch often, may have brought them",
            remedy,
        )
    if not missing and not other:
        yield HostFinding("wheels", "ok", f"all {len(wanted)} wheels of and-cuda are installed")


def _fits(item: Requirement, version: str) -> bool:
    try:
        return item.specifier.contains(version, prereleases=True)
    except InvalidVersion:
        return False
