"""What Docker or Podman answers, and whether it runs its containers on this machine."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from poetry_tf.doctor.host.machine import CommandResult, Machine
from poetry_tf.doctor.host.needs import Needs

DESKTOP = "Docker Desktop"

_DOCKER = ("docker", "info", "--format", "{{json .}}")
_PODMAN = ("podman", "info", "--format", "json")
# A context may name another address than the variable does.
_ENDPOINT = ("docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
_ADDRESS = re.compile(r"(?:tcp|ssh|https?)://(?:[^/@]*@)?(\[[^\]]*\]|[^/:]*).*")
_LOOPBACK = re.compile(r"localhost|127(?:\.\d+){3}|\[::1\]|")


@dataclass(frozen=True)
class EngineInfo:
    """What the engine answered.

    Attributes:
        name: ``Docker`` or ``Podman``.
        ran: what came of asking it.
        known: its answer, as it names things; empty where there is none.
        address: the address at which it is asked, where that is known.
        elsewhere: the machine that it runs on, where that is another; else empty.
    """

    name: str
    ran: CommandResult
    known: Mapping[str, Any]
    address: str = ""
    elsewhere: str = ""

    @property
    def answers(self) -> bool:
        errors = self.known.get("ServerErrors")
        return self.ran.succeeded and bool(self.known) and not errors

    @property
    def is_podman(self) -> bool:
        """Whether the answer is Podman's: its package can bring a ``docker``, or its socket serve.

        Docker's own versions went from 1.13 to 17.03.
        """
        number = re.match(r"\d+", self.version)
        is_between = number is not None and 2 <= int(number[0]) < 17
        return "host" in self.known or "podman" in self.address or is_between

    @property
    def is_rootless(self) -> bool:
        options = self.known.get("SecurityOptions")
        return "/run/user/" in self.address or (
            isinstance(options, list) and any("name=rootless" in str(item) for item in options)
        )

    @property
    def is_desktop(self) -> bool:
        return self.known.get("OperatingSystem") == DESKTOP

    @property
    def version(self) -> str:
        return str(self.known.get("ServerVersion"))


def has_container(needs: Needs) -> bool:
    """Whether an engine matters at all."""
    return needs.wants_gpu and not (needs.from_project and needs.config is None)


def query_engine(machine: Machine, needs: Needs) -> EngineInfo:
    """Asks what is to run the container."""
    if needs.engine == "podman":
        ran = machine.run(*_PODMAN)
        known = _known(ran)
        return EngineInfo("Podman", ran, known, elsewhere=_podmans(machine, known))
    ran = machine.run(*_DOCKER)
    if ran.trouble == "missing":
        return EngineInfo("Docker", ran, {})
    known, address = _known(ran), _endpoint(machine)
    return EngineInfo("Docker", ran, known, address, _dockers(machine, known, address))


def runs_elsewhere(machine: Machine, needs: Needs) -> bool:
    """Whether the container runs on another machine, so that this one's GPU doesn't matter."""
    return has_container(needs) and bool(query_engine(machine, needs).elsewhere)


def _known(ran: CommandResult) -> Mapping[str, Any]:
    try:
        known = json.loads(ran.output)
    except (ValueError, RecursionError):
        return {}
    return known if isinstance(known, dict) else {}


def _endpoint(machine: Machine) -> str:
    ran = machine.run(*_ENDPOINT)
    if ran.succeeded and "://" in ran.output:
        return ran.output
    return machine.variable("DOCKER_HOST") or ""


def _remote(address: str) -> str:
    """An address on another machine without the name of a user and a password; else nothing."""
    match = _ADDRESS.fullmatch(address)
    if match is None or _LOOPBACK.fullmatch(match[1]):
        return ""
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _dockers(machine: Machine, known: Mapping[str, Any], address: str) -> str:
    """The machine that Docker runs on, where it is another.

    A socket of this machine may also lead to another one, through ssh. That has another name, and
    another kernel: a name alone may have changed since Docker was started.
    """
    if remote := _remote(address):
        return remote
    name, kernel = known.get("Name"), known.get("KernelVersion")
    own = (machine.read("/proc/sys/kernel/hostname") or "").strip()
    version = machine.read("/proc/version") or ""
    if not (own and version and isinstance(name, str) and isinstance(kernel, str)):
        return ""
    is_own = known.get("OperatingSystem") == DESKTOP or f" {kernel} " in version
    return "" if is_own or _short(name) == _short(own) else name


def _podmans(machine: Machine, known: Mapping[str, Any]) -> str:
    host = known.get("host")
    if not (isinstance(host, dict) and host.get("serviceIsRemote") is True):
        return ""
    if machine.system != "Linux" and not machine.variable("CONTAINER_HOST"):
        return ""  # in its own virtual machine, which has the GPU of this one
    return _remote(machine.variable("CONTAINER_HOST") or "") or str(host.get("hostname") or "")


def _short(name: str) -> str:
    return name.partition(".")[0].lower()
