"""A proxy on this machine, at an address that means another machine inside a container."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from poetry_tf.doctor.answers import parse_json, table
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.model import HostFinding, Remedy, Subject
from poetry_tf.doctor.host.system import in_container
from poetry_tf.index.mirrors import without_credentials
from poetry_tf.text import format_list

_PROXY = Subject("proxy")
_NAMES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
PROXY_VARIABLES = tuple(name for pair in ((item, item.lower()) for item in _NAMES) for name in pair)
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
            f"{places} {'name' if len({i.where for i in given}) > 1 else 'names'} the proxy "
            f"{first.address}",
            "Inside a container 127.0.0.1 is the container itself, where no proxy listens: "
            + ("what goes by it fails here" if inside else "what goes by it there will fail"),
            _other_address(first.address),
        )
    elif local:
        first = local[0]
        yield _PROXY.note(
            f"this machine goes by the proxy {first.address} ({first.where})",
            "A container isn't given it, and couldn't reach it at that address: if it needs one, "
            f"{_address_inside(first.address)}",
        )
    elif found:
        first = found[0]
        yield _PROXY.ok(f"the proxy {first.address} ({first.where})")


def _other_address(address: str) -> Remedy:
    return Remedy(
        "Let the proxy listen for other machines too (in Clash: allow-lan: true), and write "
        f"{_address_inside(address)}; or take the setting away, where the network goes without"
    )


def _address_inside(address: str) -> str:
    port = _parts(address)[1]
    name = "http://host.docker.internal" + (f":{port}" if port else "")
    return (
        f"{name} in its place (with Docker Engine on Linux, without Docker Desktop, also "
        '"runArgs": ["--add-host=host.docker.internal:host-gateway"])'
    )


def _proxies(machine: Machine, home: str, container: Mapping[str, str]) -> Iterator[_Proxy]:
    inside = in_container(machine)
    for name in PROXY_VARIABLES:
        if value := machine.variable(name):
            yield _Proxy(f"the variable {name}", _without_password(value), inside)
    for name in PROXY_VARIABLES:
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
            # The daemon's own: it fetches images by it, on its own machine.
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
