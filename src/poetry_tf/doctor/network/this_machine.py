"""What on this machine breaks a build or slows it down: proxies, drive, route to NVIDIA.

Inside a container 127.0.0.1 is the container itself; WSL reads Windows drives slowly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from poetry_tf.doctor.answers import parse_json, table
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.model import HostFinding, Remedy, Subject
from poetry_tf.doctor.host.system import in_container
from poetry_tf.http.client import Client
from poetry_tf.http.errors import NoResponse, host_of
from poetry_tf.index.mirrors import without_credentials
from poetry_tf.text import format_list, shell_word

_PROXY = Subject("proxy")
_DRIVE = Subject("drive")
_ROUTE = Subject("route")
_NAMES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
_VARIABLES = tuple(name for pair in ((item, item.lower()) for item in _NAMES) for name in pair)
# As Docker's config.json and `docker info` spell them.
_DOCKER_KEYS = ("httpsProxy", "httpProxy", "allProxy")
_DOCKER_INFO = "{{json .HTTPSProxy}} {{json .HTTPProxy}}"


@dataclass(frozen=True)
class _Proxy:
    where: str
    address: str
    """Without a password."""
    reaches_container: bool
    """Whether a container gets it."""


def check_proxy(
    machine: Machine, home: str, container: Mapping[str, str] | None = None
) -> Iterator[HostFinding]:
    """Proxies on 127.0.0.1: inside a container that is the container itself.

    `container` is what devcontainer.json sets in the container, by the variables' names.
    """
    found = [*_proxies(machine, home, container or {})]
    local = [item for item in found if _is_loopback(item.address)]
    given = [item for item in local if item.reaches_container]
    if given:
        first = given[0]
        places = format_list(dict.fromkeys(item.where for item in given))
        inside = in_container(machine)
        yield _PROXY.warning(
            f"{places} {'set' if len({i.where for i in given}) > 1 else 'sets'} the proxy "
            f"{first.address}",
            "inside a container, 127.0.0.1 is the container itself, where no proxy runs: requests "
            + ("through it fail" if inside else "through it will fail there"),
            Remedy(
                "Let the proxy accept connections from other machines (in Clash: allow-lan: true), "
                f"and set it to {_address_inside(first.address)}; or remove the setting if the "
                "network works without a proxy"
            ),
        )
    elif local:
        first = local[0]
        yield _PROXY.note(
            f"this machine uses the proxy {first.address} ({first.where})",
            "containers don't get this setting, and can't reach that address; if they need a proxy,"
            f" set it to {_address_inside(first.address)}",
        )
    elif found:
        first = found[0]
        yield _PROXY.ok(f"the proxy {first.address} ({first.where})")


def _address_inside(address: str) -> str:
    port = _parts(address)[1]
    name = "http://host.docker.internal" + (f":{port}" if port else "")
    return (
        f"{name} (with Docker Engine on Linux, not Docker Desktop, also add "
        '"runArgs": ["--add-host=host.docker.internal:host-gateway"])'
    )


def _proxies(machine: Machine, home: str, container: Mapping[str, str]) -> Iterator[_Proxy]:
    inside = in_container(machine)
    for name in _VARIABLES:
        if value := machine.variable(name):
            yield _Proxy(f"the variable {name}", _without_password(value), inside)
    for name in _VARIABLES:
        if value := container.get(name):
            yield _Proxy(
                f"{name} in devcontainer.json", _without_password(value), reaches_container=True
            )
    config = parse_json(machine.read(f"{home}/.docker/config.json") or "")
    for settings in table(table(config).get("proxies")).values():
        for key in _DOCKER_KEYS:
            if isinstance(value := table(settings).get(key), str) and value:
                yield _Proxy(
                    "~/.docker/config.json", _without_password(value), reaches_container=True
                )
    ran = machine.run("git", "config", "--global", "--get", "http.proxy")
    if ran.succeeded and ran.output:
        # VS Code copies this file into its containers.
        yield _Proxy(
            "http.proxy in ~/.gitconfig", _without_password(ran.output), reaches_container=True
        )
    if inside:
        return
    ran = machine.run("docker", "info", "--format", _DOCKER_INFO)
    for text in ran.output.split(" ") if ran.succeeded else ():
        if isinstance(value := parse_json(text), str) and value:
            # The daemon's own: it downloads images through it, on its own machine.
            yield _Proxy("Docker's own settings", _without_password(value), reaches_container=False)


def _is_loopback(address: str) -> bool:
    host = _parts(address)[0]
    return host in ("localhost", "::1") or re.fullmatch(r"127(\.\d+){3}", host) is not None


def _without_password(address: str) -> str:
    address = address.strip()
    return without_credentials(address if "://" in address else f"http://{address}")


def _parts(address: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(address)
        return (parts.hostname or "").lower(), parts.port
    except ValueError:
        return "", None


# -- the drive ------------------------------------------------------------------------------


def check_drive(machine: Machine, root: Path) -> Iterator[HostFinding]:
    """A project on a Windows drive, which containers read slowly."""
    place = _windows_drive(machine, root)
    if place is None:
        return
    yield _DRIVE.warning(
        f"the project is on {place}",
        "containers run in WSL, where access to Windows drives is slow: many small files, as with "
        "Git and Python, take many times as long",
        Remedy(
            "Move the project into WSL's own file system, and open it from there",
            everywhere=(f"git clone . ~/{shell_word(root.name) or 'project'}",)
            if machine.system != "Windows"
            else (r"explorer \\wsl.localhost",),
        ),
    )


def _windows_drive(machine: Machine, root: Path) -> str | None:
    if machine.system == "Windows":
        name = root.drive
        return None if not name or name.startswith("\\\\") else f"the Windows drive {name}"
    is_wsl = "microsoft" in (machine.read("/proc/version") or "").lower()
    best: tuple[int, str | None] = (-1, None)
    for line in (machine.read("/proc/mounts") or "").splitlines():
        fields = line.split(" ")
        if len(fields) < 4:
            continue
        device, target, kind, options = (_unescaped(field) for field in fields[:4])
        if not root.is_relative_to(target) or len(target) < best[0]:
            continue
        letter = re.match(r"([A-Za-z]:)(?:\\|$)", device)
        # 9p is other things too: what says that it is a drive is its name, or the options.
        is_drive = kind == "drvfs" or (
            kind in ("9p", "virtiofs") and bool(letter or "drvfs" in device + options)
        )
        if kind == "virtiofs" and not is_wsl:
            is_drive = False
        name = f"the Windows drive {letter[1]}" if letter else "a Windows drive"
        best = (len(target), f"{name} ({target})" if is_drive else None)
    return best[1]


def _unescaped(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)


# -- the route to NVIDIA --------------------------------------------------------------------


def seems_in_china(machine: Machine, mirrors: tuple[str, ...]) -> bool:
    """Whether the machine's settings point to China.

    `mirrors` are the hosts of the mirrors of PyPI that are in force.
    """
    zone = machine.variable("TZ") or (machine.read("/etc/timezone") or "").strip()
    if not zone:
        ran = machine.run("readlink", "/etc/localtime")
        zone = ran.output if ran.succeeded else ""
    language = machine.variable("LC_ALL") or machine.variable("LANG") or ""
    return (
        any(host.endswith(".cn") or host in _MIRRORS_IN_CHINA for host in mirrors)
        or re.search(r"Asia/(Shanghai|Chongqing|Harbin|Urumqi)|\bPRC$", zone) is not None
        or language.startswith("zh_CN")
    )


# The mirrors in `poetry_tf.index.mirrors` that are in China, though not under ".cn".
_MIRRORS_IN_CHINA = {
    "mirrors.aliyun.com",
    "mirrors.cloud.tencent.com",
    "mirrors.huaweicloud.com",
}


def check_download_region(machine: Machine, url: str, client: Client) -> Iterator[HostFinding]:
    """Whether NVIDIA redirects to its server in China, which a proxy abroad prevents."""
    host, location, by_proxy = host_of(url), "", False
    try:
        with client.request("HEAD", url, {}, follow=False) as response:
            location = response.headers.get("Location", "") if response.is_redirect else ""
    except NoResponse:
        seen = f"{host} can't be reached"
        needed = "NVIDIA redirects users in China to its server there"
    else:
        target = host_of(location) if "//" in location else ""
        if target.endswith(".cn"):
            yield _ROUTE.ok(f"{host} redirects to NVIDIA's server in China ({target})")
            return
        by_proxy = any(machine.variable(name) for name in _VARIABLES)
        seen = f"{host} does not redirect to NVIDIA's server in China"
        reason = "the proxy in use is outside China" if by_proxy else "a proxy may be the reason"
        needed = f"it redirects users in China, for whom that server is much faster: {reason}"
    remedy = Remedy(
        "Connect to it directly: in Clash and compatible programs, put this rule before those that "
        "use a proxy",
        everywhere=(f"- DOMAIN-SUFFIX,{host.partition('.')[2]},DIRECT",),
    )
    yield (_ROUTE.warning if by_proxy else _ROUTE.note)(seen, needed, remedy)
