"""Where doctor runs: which files apply there, and who can run which command."""

from __future__ import annotations

from dataclasses import replace

from poetry_tf.doctor.host.child_programs import DEVICES
from poetry_tf.doctor.host.cluster import find_scheduler
from poetry_tf.doctor.host.devices import sign_of_gpu
from poetry_tf.doctor.host.driver import has_gpu
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.model import HostFinding, HostSpec, Remedy
from poetry_tf.doctor.host.system import container_kind

_SUDO = "sudo "
# The probes of what only the administrators of a cluster can change.
_OF_MACHINE = {"driver", "devices", "engine", "libcuda", "runtime"}


def spec_here(machine: Machine, spec: HostSpec) -> HostSpec:
    """The spec, without devcontainer.json in a container that was not made from it.

    Where the CPU is as right as a GPU, none is requested on a machine that has none.
    """
    takes_either = spec.gpu_optional and spec.uses_gpu and machine.system == "Linux"
    if takes_either and is_without_gpu(machine) and sign_of_gpu(machine) is None:
        return replace(spec, mode="none", found_no_gpu=True)
    if spec.config is None or container_kind(machine) in {None, "devcontainer"}:
        return spec
    return replace(spec, config=None, container={})


def is_without_gpu(machine: Machine) -> bool:
    """Whether a machine has no GPU of NVIDIA's, and is no node of a cluster: there others do."""
    return not (
        any(map(machine.find, DEVICES)) or has_gpu(machine) or find_scheduler(machine) is not None
    )


def fit_remedy(machine: Machine, finding: HostFinding) -> HostFinding:
    """The finding with a remedy that this user can apply, or that names who can."""
    remedy = finding.remedy
    if remedy is None or remedy.where != "here":
        return finding
    if finding.probe in _OF_MACHINE and find_scheduler(machine) is not None:
        return replace(finding, remedy=replace(remedy, where="cluster"))
    if not _needs_sudo(remedy) or not _lacks_sudo(machine):
        return finding
    plain = replace(
        remedy,
        commands={system: _without_sudo(lines) for system, lines in remedy.commands.items()},
        everywhere=_without_sudo(remedy.everywhere),
    )
    return replace(finding, remedy=plain if _is_root(machine) else replace(plain, where="root"))


def _needs_sudo(remedy: Remedy) -> bool:
    commands = (*remedy.commands.values(), remedy.everywhere)
    return any(_SUDO in command for lines in commands for command in lines)


def _without_sudo(commands: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(command.replace(_SUDO, "") for command in commands)


def _lacks_sudo(machine: Machine) -> bool:
    """Whether there is no sudo, as in most containers; not on a machine without users of POSIX."""
    return _user(machine) != "" and machine.run("sudo", "--version").trouble == "missing"


def _is_root(machine: Machine) -> bool:
    return _user(machine) == "0"


def _user(machine: Machine) -> str:
    return machine.run("id", "-u").output if machine.system != "Windows" else ""
