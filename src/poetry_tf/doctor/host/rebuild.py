"""Whether the container is the one that devcontainer.json describes, or an older one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from poetry_tf.doctor.host.findings import HostFinding, Remedy
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.needs import Needs
from poetry_tf.doctor.host.system import in_container
from poetry_tf.text import format_list

REBUILD = "Rebuild the container (in VS Code: Dev Containers: Rebuild Container)"
_PYTHON = "/usr/local/bin/python3"


def built(machine: Machine, needs: Needs) -> Iterator[HostFinding]:
    """What the container was made with, where that isn't what devcontainer.json names now."""
    if not in_container(machine):
        return
    found = {"Python": _python(machine), "CUDA": _cuda(machine), "cuDNN": _cudnn(machine)}
    other = [
        (name, wanted, has)
        for name, wanted in needs.container.items()
        if (has := found.get(name)) is not None and not any(_fits(wanted, item) for item in has)
    ]
    if other:
        made = format_list(
            f"{name} {' and '.join(has)}" if has else f"no {name}" for name, _, has in other
        )
        wants = format_list(f"{name} {wanted}" for name, wanted, _ in other)
        yield HostFinding(
            "container",
            "error" if needs.wants_gpu else "warning",
            f"this container was made with {made}",
            f"devcontainer.json asks for {wants}",
            Remedy(REBUILD),
        )


def _fits(wanted: str, has: str) -> bool:
    """Whether one of two versions begins the other: 9.3.0 is found where 9.3.0.75 is installed."""
    ones, others = wanted.split("."), has.split(".")
    return all(one == other for one, other in zip(ones, others, strict=False))


def _python(machine: Machine) -> list[str] | None:
    """That of the image; None where it isn't in its place."""
    match = re.match(r"Python (\d+\.\d+)", machine.run(_PYTHON, "--version").output)
    return [match[1]] if match else None


def _cuda(machine: Machine) -> list[str]:
    return [path.rpartition("-")[2] for path in machine.find("/usr/local/cuda-[0-9]*.[0-9]*")]


def _cudnn(machine: Machine) -> list[str]:
    paths = machine.find("/usr/lib/*/libcudnn.so.[0-9]*.[0-9]*.[0-9]*")
    return [path.rpartition(".so.")[2] for path in paths]
