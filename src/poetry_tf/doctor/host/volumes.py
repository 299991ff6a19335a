"""Volumes with an environment that no container uses any more."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from poetry_tf.devcontainer.poetry import ENVIRONMENT_VOLUME
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.model import HostFinding, HostSpec, Remedy, Subject
from poetry_tf.text import format_count

_VOLUMES = Subject("volumes")
_PREFIX = ENVIRONMENT_VOLUME.partition("$")[0]


def volumes(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    """The volumes of poetry-tf's containers that no longer exist."""
    if spec.config is None:
        return
    unused = ("--quiet", "--filter", "dangling=true", "--filter", f"name={_PREFIX}")
    ran = machine.run(spec.engine, "volume", "ls", *unused)
    names = [name for name in ran.output.split() if name.startswith(_PREFIX)]
    if ran.succeeded and names:
        yield _VOLUMES.note(
            f"no container uses {format_count(len(names), 'volume')} with an environment",
            "a removed container uses its volume again when you open its project",
            Remedy(
                "Remove the volumes of projects that you deleted:",
                everywhere=(f"{spec.engine} volume rm {shlex.join(names)}",),
                where="host",
            ),
        )
