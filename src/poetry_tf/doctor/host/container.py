"""Whether the container was built from the current devcontainer.json."""

from __future__ import annotations

import re
from collections.abc import Iterator

from poetry_tf.doctor.host.findings import HostFinding, Remedy
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.spec import HostSpec
from poetry_tf.doctor.host.system import in_container
from poetry_tf.text import format_list

REBUILD = "Rebuild the container (in VS Code: Dev Containers: Rebuild Container)"
_PYTHON = "/usr/local/bin/python3"


def container(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    """The versions in the container that differ from those in devcontainer.json."""
    if not in_container(machine):
        return
    found = {"Python": _python(machine), "CUDA": _cuda(machine), "cuDNN": _cudnn(machine)}
    other = [
        (name, expected, has)
        for name, expected in spec.container.items()
        if (has := found.get(name)) is not None
        and not any(_is_prefix(expected, item) for item in has)
    ]
    if other:
        made = format_list(
            f"{name} {' and '.join(has)}" if has else f"no {name}" for name, _, has in other
        )
        wants = format_list(f"{name} {expected}" for name, expected, _ in other)
        yield HostFinding(
            "container",
            "error" if spec.wants_gpu else "warning",
            f"this container was made with {made}",
            f"devcontainer.json asks for {wants}",
            Remedy(REBUILD),
        )


def _is_prefix(expected: str, installed: str) -> bool:
    """Whether one version is a prefix of the other, as 9.3.0 of 9.3.0.75."""
    ones, others = expected.split("."), installed.split(".")
    return all(one == other for one, other in zip(ones, others, strict=False))


def _python(machine: Machine) -> list[str] | None:
    """The Python of the image; None if it is not found."""
    match = re.match(r"Python (\d+\.\d+)", machine.run(_PYTHON, "--version").output)
    return [match[1]] if match else None


def _cuda(machine: Machine) -> list[str]:
    return [path.rpartition("-")[2] for path in machine.find("/usr/local/cuda-[0-9]*.[0-9]*")]


def _cudnn(machine: Machine) -> list[str]:
    paths = machine.find("/usr/lib/*/libcudnn.so.[0-9]*.[0-9]*.[0-9]*")
    return [path.rpartition(".so.")[2] for path in paths]
