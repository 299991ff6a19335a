"""Whether Docker or Podman is installed, running, and able to pass a GPU to a container."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from poetry_tf.doctor.answers import parse_json, table
from poetry_tf.doctor.host import remedies
from poetry_tf.doctor.host.machine import LIMIT, CommandResult, Machine
from poetry_tf.doctor.host.model import HostFinding, HostSpec, Remedy, Subject
from poetry_tf.doctor.host.system import wsl
from poetry_tf.releases.model import numbers

_ENGINE = Subject("engine")
# The first with `--gpus` (https://docs.docker.com/engine/release-notes/19.03/).
_FIRST_VERSION = "19.03"
_NO_DAEMON = ("Cannot connect", "daemon")
DESKTOP = "Docker Desktop"

_DOCKER_INFO = ("docker", "info", "--format", "{{json .}}")
_PODMAN_INFO = ("podman", "info", "--format", "json")
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
    def knows_gpus_by_cdi(self) -> bool:
        """Whether Docker has found descriptions of NVIDIA's GPUs."""
        found = self.data.get("DiscoveredDevices")
        return isinstance(found, list) and any("nvidia.com/gpu" in str(item) for item in found)

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
    return spec.uses_gpu and spec.config is not None


def query_engine(machine: Machine, spec: HostSpec) -> EngineInfo:
    """Queries the engine that the container is to run in."""
    if spec.engine == "podman":
        ran = machine.run(*_PODMAN_INFO)
        known = table(parse_json(ran.output))
        return EngineInfo("Podman", ran, known, remote_host=_podman_host(machine, known))
    ran = machine.run(*_DOCKER_INFO)
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


# -- findings -------------------------------------------------------------------------------


def engine(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    """Whether the container engine is installed and running."""
    if not has_container(spec):
        return
    info = query_engine(machine, spec)
    if info.result.trouble == "missing":
        yield _not_installed(machine, spec, info.name)
    elif info.remote_host:
        yield _remote_engine(info, spec)
    elif info.result.trouble:
        why = "can't be run by this user"
        if info.result.trouble == "timeout":
            why = f"did not answer within {LIMIT:g} s"
        remedy = _start(machine, info, again=True)
        if info.name == "Podman":
            remedy = remedies.RESTART if machine.system == "Linux" else remedies.PODMAN_MACHINE
        yield _ENGINE.error(f"{info.name} {why}", remedy=remedy)
    elif spec.engine == "podman":
        yield _podman(machine, info)
    else:
        yield _docker(machine, info)


def _not_installed(machine: Machine, spec: HostSpec, name: str) -> HostFinding:
    needed = RUNS_CONTAINER
    # For hostRequirements the tools use a command that it lacks
    # (https://github.com/microsoft/vscode-remote-release/issues/11723).
    wslc = "wslc.exe" if wsl(machine) else "wslc"
    if spec.engine == "docker" and machine.run(wslc, "--version").succeeded:
        seen = f"{name} was not found, only WSL containers (wslc)"
        needed = "they can't start a container with hostRequirements, which request the GPU"
        return _ENGINE.error(seen, needed, remedies.NOT_WSLC)
    remedy = remedies.PODMAN if spec.engine == "podman" else remedies.DOCKER
    if spec.engine == "docker" and machine.system == "Darwin":
        remedy = remedies.DOCKER_ON_MAC
    elif spec.engine == "docker" and wsl(machine):
        remedy = remedies.DOCKER_IN_WSL
    return _ENGINE.error(f"{name} was not found", needed, remedy)


def _podman(machine: Machine, info: EngineInfo) -> HostFinding:
    if not info.result.succeeded:
        remedy = remedies.PODMAN_SAYS if machine.system == "Linux" else remedies.PODMAN_MACHINE
        return _ENGINE.error(f"Podman failed: {_first_line(info.result)}", remedy=remedy)
    version = info.data.get("version")
    number = version.get("Version", "") if isinstance(version, dict) else ""
    return _ENGINE.ok(f"Podman {number} works".replace("  ", " "))


def _docker(machine: Machine, info: EngineInfo) -> HostFinding:
    if info.is_podman:
        seen = "the command docker runs Podman here"
        return _ENGINE.error(seen, _IS_PODMAN, remedies.TO_PODMAN)
    if not info.answers or not info.data.get("ServerVersion"):
        text = f"{info.result.error}\n{info.data.get('ServerErrors') or ''}"
        if "permission denied" in text:
            remedy = remedies.SNAP_GROUP if is_snap(machine, info) else remedies.DOCKER_GROUP
            return _ENGINE.error("this user is not allowed to use Docker", remedy=remedy)
        seen = "Docker is installed, but not running"
        if info.result.error and not any(message in text for message in _NO_DAEMON):
            seen += f": {_first_line(info.result)}"
        return _ENGINE.error(seen, remedy=_start(machine, info))
    if is_too_old(info.version):
        return _ENGINE.error(f"Docker {info.version}", _TOO_OLD, remedies.NEWER_DOCKER)
    return _desktop(machine, info)


RUNS_CONTAINER = "the dev container needs it"
_IS_PODMAN = "Podman takes other options for a GPU than Docker"
_TOO_OLD = f"Docker can pass a GPU to a container from {_FIRST_VERSION} on"


def is_too_old(version: str) -> bool:
    """Whether a Docker has no ``--gpus``; a version that is not a number counts as newer."""
    match = re.match(r"\d+\.\d+", version)
    return match is not None and numbers(match[0]) < numbers(_FIRST_VERSION)


def is_snap(machine: Machine, info: EngineInfo) -> bool:
    """Whether Docker is installed as a snap, which has its own folders."""
    folder = info.data.get("DockerRootDir")
    if isinstance(folder, str) and folder:
        return folder.startswith("/var/snap/docker/")
    return bool(machine.find("/snap/bin/docker")) and not machine.find("/usr/bin/docker")


def _start(machine: Machine, info: EngineInfo, *, again: bool = False) -> Remedy:
    if wsl(machine):
        return remedies.DOCKER_IN_WSL
    if machine.system != "Linux":
        return remedies.DOCKER_DESKTOP
    if is_snap(machine, info):
        return remedies.RESTART_SNAP if again else remedies.START_SNAP
    if info.is_rootless:
        return remedies.RESTART_ROOTLESS if again else remedies.START_ROOTLESS
    return remedies.RESTART_DOCKER if again else remedies.START_DOCKER


def _desktop(machine: Machine, info: EngineInfo) -> HostFinding:
    version = info.version
    if not info.is_desktop:
        name = "Docker's snap" if is_snap(machine, info) else "Docker"
        rootless = " (rootless)" if info.is_rootless else ""
        return _ENGINE.ok(f"{name} {version}{rootless} is running")
    if machine.system == "Linux" and not wsl(machine):
        needed = "on Linux it runs in a virtual machine, which has no GPU"
        seen = f"{DESKTOP} ({version})"
        return _ENGINE.error(seen, needed, remedies.DESKTOP_ON_LINUX)
    if machine.system == "Windows" and not _is_wsl(info):
        needed = "containers get the GPU through WSL 2, but this Docker Desktop uses Hyper-V"
        seen = f"{DESKTOP} ({version})"
        return _ENGINE.error(seen, needed, remedies.DESKTOP_WSL2)
    return _ENGINE.ok(f"{DESKTOP} ({version}) is running")


def _is_wsl(info: EngineInfo) -> bool:
    return "microsoft" in str(info.data.get("KernelVersion")).lower()


# -- on another machine ---------------------------------------------------------------------


def _remote_engine(info: EngineInfo, spec: HostSpec) -> HostFinding:
    where = f"on another machine ({info.remote_host})"
    if not info.answers:
        why = f"doesn't answer: {_first_line(info.result)}"
        if info.result.trouble == "timeout":
            why = f"did not answer within {LIMIT:g} s"
        seen = f"{info.name} {where} {why}"
        if info.name == "Podman":
            return _ENGINE.error(seen, remedy=remedies.PODMAN_THERE)
        needed = (
            "to use this machine's Docker instead: unset DOCKER_HOST; docker context use default"
        )
        return _ENGINE.error(seen, needed, remedies.DOCKER_THERE)
    if info.name == "Docker" and info.is_podman:
        seen = f"the command docker uses Podman {where}"
        return _ENGINE.error(seen, _IS_PODMAN, remedies.TO_PODMAN)
    if info.name == "Docker" and is_too_old(info.version):
        remedy = remedies.on_remote_host(remedies.NEWER_DOCKER)
        return _ENGINE.error(f"Docker {info.version} {where}", _TOO_OLD, remedy)
    if info.is_desktop and not _is_wsl(info):
        needed = "it runs in a virtual machine, which has no GPU"
        remedy = remedies.on_remote_host(remedies.DESKTOP_WSL2)
        return _ENGINE.error(f"{DESKTOP} {where}", needed, remedy)
    number = f" {info.version}" if info.name == "Docker" else ""
    driver = spec.driver
    least = (driver.linux_least or driver.linux) if driver else None
    return _ENGINE.warning(
        f"{info.name}{number} runs the container {where}",
        f"the GPU of that machine counts; from here only {info.name} can be asked about it",
        remedies.check_remote_host(least),
    )


def _first_line(ran: CommandResult) -> str:
    text = ran.error or ran.output
    text = text.rpartition("stderr=")[2]  # by ssh the remote message comes last
    return text.splitlines()[0] if text else f"no output, exit status {ran.status}"
