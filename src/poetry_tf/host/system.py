"""What kind of machine it is: its system, its distribution, and whether it is a container."""

from __future__ import annotations

from poetry_tf.host.machine import Machine

# Docker and Podman each leave a file in their containers; VS Code sets a variable in its own.
_LEFT_BEHIND = ("/.dockerenv", "/run/.containerenv")
_VARIABLES = ("REMOTE_CONTAINERS", "CODESPACES")


def in_container(machine: Machine) -> bool:
    """Whether it is a container rather than the machine that runs it."""
    return any(machine.find(path) for path in _LEFT_BEHIND) or any(
        machine.variable(name) for name in _VARIABLES
    )
