"""The information that Docker or Podman returns, and whether it runs on this machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from poetry_tf.doctor.answers import parse_json, table
from poetry_tf.doctor.host.machine import CommandResult, Machine
from poetry_tf.doctor.host.model import HostSpec

DESKTOP = "Docker Desktop"

_DOCKER = ("docker", "info", "--format", "{{json .}}")
_PODMAN = ("podman", "info", "--format", "json")
# A context may have another address than DOCKER_HOST.
_ENDPOINT = ("docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
_ADDRESS = re.compile(r"(?:tcp|ssh|https?)://(?:[^/@]*@)?(\[[^\]]*\]|[^/:]*).*")
_LOOPBACK = re.compile(r"localhost|127(?:\.\d+){3}|\[::1\]|")


@dataclass(frozen=True)
class EngineInfo:
    """What is known of the container engine.

    Attributes:
        name: ``Docker`` or ``Podman``.
        result: the result of its ``info`` command.
        data: the parsed output of that command; empty if there is none.
        address: its address, where known.
        remote_host: the machine that it runs on, if another; else empty.
    """

    name: str
    result: CommandResult
    data: Mapping[str, Any]
    address: str = ""
    remote_host: str = ""

    @property
    def answers(self) -> bool:
        errors = self.data.get("ServerErrors")
        return self.result.succeeded and bool(self.data) and not errors

    @property
    def is_podman(self) -> bool:
        """Whether it is Podman, by its ``docker`` command or by its socket.

        Podman's versions are between 2 and 17; Docker has none of these.
        """
        number = re.match(r"\d+", self.version)
        is_between = number is not None and 2 <= int(number[0]) < 17
        return "host" in self.data or "podman" in self.address or is_between

    @property
    def is_rootless(self) -> bool:
        options = self.data.get("SecurityOptions")
        return "/run/user/" in self.address or (
            isinstance(options, list) and any("name=rootless" in str(item) for item in options)
        )

    @property
    def is_desktop(self) -> bool:
        return self.data.get("OperatingSystem") == DESKTOP

    @property
    def version(self) -> str:
        return str(self.data.get("ServerVersion"))


def has_container(spec: HostSpec) -> bool:
    """Whether the project is to run in a container with a GPU."""
    return spec.wants_gpu and not (spec.from_project and spec.config is None)


def query_engine(machine: Machine, spec: HostSpec) -> EngineInfo:
    """Queries the engine that is to run the container."""
    if spec.engine == "podman":
        ran = machine.run(*_PODMAN)
        known = table(parse_json(ran.output))
        return EngineInfo("Podman", ran, known, remote_host=_podman_host(machine, known))
    ran = machine.run(*_DOCKER)
    if ran.trouble == "missing":
        return EngineInfo("Docker", ran, {})
    known, address = table(parse_json(ran.output)), _endpoint(machine)
    return EngineInfo("Docker", ran, known, address, _docker_host(machine, known, address))


def runs_elsewhere(machine: Machine, spec: HostSpec) -> bool:
    """Whether the container runs on another machine, so the GPU of this one is irrelevant."""
    return has_container(spec) and bool(query_engine(machine, spec).remote_host)


def _endpoint(machine: Machine) -> str:
    ran = machine.run(*_ENDPOINT)
    if ran.succeeded and "://" in ran.output:
        return ran.output
    return machine.variable("DOCKER_HOST") or ""


def _remote_address(address: str) -> str:
    """A remote address without user name and password; empty if it is local."""
    match = _ADDRESS.fullmatch(address)
    if match is None or _LOOPBACK.fullmatch(match[1]):
        return ""
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _docker_host(machine: Machine, known: Mapping[str, Any], address: str) -> str:
    """The machine that Docker runs on, if it is another.

    A local socket may also be forwarded to another machine, by ssh. Both name and kernel differ
    then; the name alone may have changed since Docker was started.
    """
    if remote := _remote_address(address):
        return remote
    name, kernel = known.get("Name"), known.get("KernelVersion")
    own = (machine.read("/proc/sys/kernel/hostname") or "").strip()
    version = machine.read("/proc/version") or ""
    if not (own and version and isinstance(name, str) and isinstance(kernel, str)):
        return ""
    is_own = known.get("OperatingSystem") == DESKTOP or f" {kernel} " in version
    return "" if is_own or _short_name(name) == _short_name(own) else name


def _podman_host(machine: Machine, known: Mapping[str, Any]) -> str:
    host = known.get("host")
    if not (isinstance(host, dict) and host.get("serviceIsRemote") is True):
        return ""
    if machine.system != "Linux" and not machine.variable("CONTAINER_HOST"):
        return ""  # a local virtual machine
    return _remote_address(machine.variable("CONTAINER_HOST") or "") or str(
        host.get("hostname") or ""
    )


def _short_name(name: str) -> str:
    return name.partition(".")[0].lower()
