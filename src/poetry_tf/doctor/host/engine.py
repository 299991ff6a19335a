"""Docker or Podman: whether it is there and answers, and can hand a GPU into a container."""

from __future__ import annotations

import re
from collections.abc import Iterator

from poetry_tf.doctor.host import remedies
from poetry_tf.doctor.host.engine_info import DESKTOP, EngineInfo, has_container, query_engine
from poetry_tf.doctor.host.findings import HostFinding, Remedy
from poetry_tf.doctor.host.machine import LIMIT, CommandResult, Machine
from poetry_tf.doctor.host.needs import Needs
from poetry_tf.doctor.host.system import wsl
from poetry_tf.releases.model import numbers

# The first that knows `--gpus` (https://docs.docker.com/engine/release-notes/19.03/).
_FIRST = "19.03"
_NO_DAEMON = ("Cannot connect", "daemon")


def engine(machine: Machine, needs: Needs) -> Iterator[HostFinding]:
    """Whether what runs the container is there and answers."""
    if not has_container(needs):
        return
    asked = query_engine(machine, needs)
    if asked.ran.trouble == "missing":
        yield _not_installed(machine, needs, asked.name)
    elif asked.elsewhere:
        yield _elsewhere(asked, needs)
    elif asked.ran.trouble:
        why = "may not be run"
        if asked.ran.trouble == "timeout":
            why = f"gave no answer within {LIMIT:g} s"
        remedy = _restart(machine, asked)
        yield HostFinding("engine", "error", f"{asked.name} {why}", remedy=remedy)
    elif needs.engine == "podman":
        yield _podman(machine, asked)
    else:
        yield _docker(machine, asked)


def _not_installed(machine: Machine, needs: Needs, name: str) -> HostFinding:
    needed = "the container runs in it"
    remedy = remedies.PODMAN if needs.engine == "podman" else remedies.DOCKER
    if needs.engine == "docker" and machine.system == "Darwin":
        remedy = remedies.DOCKER_ON_MAC
    elif needs.engine == "docker" and wsl(machine):
        remedy = remedies.DOCKER_IN_WSL
    return HostFinding("engine", "error", f"{name} is not to be found here", needed, remedy)


def _podman(machine: Machine, asked: EngineInfo) -> HostFinding:
    if not asked.ran.succeeded:
        remedy = remedies.PODMAN_SAYS if machine.system == "Linux" else remedies.PODMAN_MACHINE
        return HostFinding("engine", "error", f"Podman says: {_first(asked.ran)}", remedy=remedy)
    version = asked.known.get("version")
    number = version.get("Version", "") if isinstance(version, dict) else ""
    return HostFinding("engine", "ok", f"Podman {number} answers".replace("  ", " "))


def _docker(machine: Machine, asked: EngineInfo) -> HostFinding:
    if asked.is_podman:
        seen = "docker is Podman here"
        return HostFinding("engine", "error", seen, _ANOTHER_WAY, remedies.TO_PODMAN)
    if not asked.answers or not asked.known.get("ServerVersion"):
        said = f"{asked.ran.error}\n{asked.known.get('ServerErrors') or ''}"
        if "permission denied" in said:
            remedy = remedies.SNAP_GROUP if is_snap(machine, asked) else remedies.DOCKER_GROUP
            return HostFinding("engine", "error", "this user may not talk to Docker", remedy=remedy)
        seen = "Docker is installed and doesn't run"
        if asked.ran.error and not any(text in said for text in _NO_DAEMON):
            seen += f": {_first(asked.ran)}"
        return HostFinding("engine", "error", seen, remedy=_start(machine, asked))
    if is_too_old(asked.version):
        return HostFinding(
            "engine", "error", f"Docker {asked.version}", _TOO_OLD, remedies.NEWER_DOCKER
        )
    return _desktop(machine, asked)


_ANOTHER_WAY = "Podman is asked for a GPU in another way"
_TOO_OLD = f"it can hand a GPU into a container from {_FIRST} on"


def is_too_old(version: str) -> bool:
    """Whether a Docker has no ``--gpus``; one whose version isn't a number is a newer one."""
    match = re.match(r"\d+\.\d+", version)
    return match is not None and numbers(match[0]) < numbers(_FIRST)


def is_snap(machine: Machine, asked: EngineInfo) -> bool:
    """Whether this Docker is the snap's, which keeps everything in a place of its own."""
    folder = asked.known.get("DockerRootDir")
    if isinstance(folder, str) and folder:
        return folder.startswith("/var/snap/docker/")
    return bool(machine.find("/snap/bin/docker")) and not machine.find("/usr/bin/docker")


def _start(machine: Machine, asked: EngineInfo) -> Remedy:
    if wsl(machine):
        return remedies.DOCKER_IN_WSL
    if machine.system != "Linux":
        return remedies.DOCKER_DESKTOP
    if is_snap(machine, asked):
        return remedies.START_SNAP
    return remedies.START_ROOTLESS if asked.is_rootless else remedies.START_DOCKER


def _restart(machine: Machine, asked: EngineInfo) -> Remedy:
    if asked.name == "Podman":
        return remedies.RESTART if machine.system == "Linux" else remedies.PODMAN_MACHINE
    remedy = _start(machine, asked)
    again = {
        remedies.START_DOCKER.what: remedies.RESTART_DOCKER,
        remedies.START_ROOTLESS.what: remedies.RESTART_ROOTLESS,
        remedies.START_SNAP.what: remedies.RESTART_SNAP,
    }
    return again.get(remedy.what, remedy)


def _desktop(machine: Machine, asked: EngineInfo) -> HostFinding:
    version = asked.version
    if not asked.is_desktop:
        name = "Docker's snap" if is_snap(machine, asked) else "Docker"
        rootless = ", without root," if asked.is_rootless else ""
        return HostFinding("engine", "ok", f"{name} {version}{rootless} answers")
    if machine.system == "Linux" and not wsl(machine):
        needed = "on Linux it runs in a virtual machine that has no GPU"
        seen = f"{DESKTOP} ({version})"
        return HostFinding("engine", "error", seen, needed, remedies.DESKTOP_ON_LINUX)
    if machine.system == "Windows" and not _is_wsl(asked):
        needed = "the GPU comes by WSL 2, and this one runs by Hyper-V"
        seen = f"{DESKTOP} ({version})"
        return HostFinding("engine", "error", seen, needed, remedies.DESKTOP_WSL2)
    return HostFinding("engine", "ok", f"{DESKTOP} ({version}) answers")


def _is_wsl(asked: EngineInfo) -> bool:
    return "microsoft" in str(asked.known.get("KernelVersion")).lower()


# -- on another machine ---------------------------------------------------------------------


def _elsewhere(asked: EngineInfo, needs: Needs) -> HostFinding:
    where = f"on another machine ({asked.elsewhere})"
    if not asked.answers:
        late = f"gives no answer within {LIMIT:g} s"
        says = late if asked.ran.trouble == "timeout" else f"doesn't answer: {_first(asked.ran)}"
        seen = f"{asked.name} {where} {says}"
        if asked.name == "Podman":
            return HostFinding("engine", "error", seen, remedy=remedies.PODMAN_THERE)
        needed = (
            "to take the one of this machine instead: unset DOCKER_HOST; docker context use default"
        )
        return HostFinding("engine", "error", seen, needed, remedies.DOCKER_THERE)
    if asked.name == "Docker" and asked.is_podman:
        seen = f"docker is Podman, {where}"
        return HostFinding("engine", "error", seen, _ANOTHER_WAY, remedies.TO_PODMAN)
    if asked.name == "Docker" and is_too_old(asked.version):
        remedy = remedies.there(remedies.NEWER_DOCKER)
        return HostFinding("engine", "error", f"Docker {asked.version} {where}", _TOO_OLD, remedy)
    if asked.is_desktop and not _is_wsl(asked):
        needed = "it runs in a virtual machine that has no GPU"
        remedy = remedies.there(remedies.DESKTOP_WSL2)
        return HostFinding("engine", "error", f"{DESKTOP} {where}", needed, remedy)
    number = f" {asked.version}" if asked.name == "Docker" else ""
    driver = needs.driver
    least = (driver.linux_least or driver.linux) if driver else None
    return HostFinding(
        "engine",
        "warning",
        f"{asked.name}{number} runs the container {where}",
        f"the GPU there is the one that counts; from here only what {asked.name} says can be seen",
        remedies.look_there(least),
    )


def _first(ran: CommandResult) -> str:
    said = ran.error or ran.output
    said = said.rpartition("stderr=")[2]  # through ssh its own words come last
    return said.splitlines()[0] if said else f"nothing, and ends with {ran.status}"
