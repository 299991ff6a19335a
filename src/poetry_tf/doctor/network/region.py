"""Whether downloads from NVIDIA come from its server in China."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.model import HostFinding, Remedy, Subject
from poetry_tf.doctor.network.proxy import PROXY_VARIABLES
from poetry_tf.http.client import Client
from poetry_tf.http.errors import NoResponse, host_of

_EXIT = Subject("exit")


@dataclass(frozen=True)
class DownloadRegion:
    """Where NVIDIA's server redirects requests from here: to its server in China, or nowhere."""

    host: str
    to: str
    reached: bool = True


def find_download_region(url: str, client: Client) -> DownloadRegion:
    """Requests a file of NVIDIA's without following the redirect."""
    host = host_of(url)
    try:
        with client.request("HEAD", url, {}, follow=False) as response:
            location = response.headers.get("Location", "") if response.is_redirect else ""
    except NoResponse:
        return DownloadRegion(host, "", reached=False)
    return DownloadRegion(host, host_of(location) if "//" in location else "")


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


# Those of the mirrors of PyPI in `poetry_tf.index.mirrors` that don't say so in their name.
_MIRRORS_IN_CHINA = {
    "mirrors.aliyun.com",
    "mirrors.cloud.tencent.com",
    "mirrors.huaweicloud.com",
}


def check_download_region(machine: Machine, region: DownloadRegion) -> Iterator[HostFinding]:
    """Whether downloads come from NVIDIA's server in China; a proxy abroad prevents that."""
    if region.to.endswith(".cn"):
        yield _EXIT.ok(f"{region.host} sends on to {region.to}, which is near")
        return
    by_proxy = any(machine.variable(name) for name in PROXY_VARIABLES)
    seen = f"{region.host} can't be reached"
    needed = "NVIDIA has a server in China too, and sends who comes from there on to it"
    if region.reached:
        seen = f"{region.host} doesn't send on to NVIDIA's server in China"
        needed = "It does that for who comes from there, and is much faster then: "
        needed += "the proxy in use leaves elsewhere" if by_proxy else "a proxy may be why"
    suffix = region.host.partition(".")[2]
    yield HostFinding(
        "exit",
        "warning" if by_proxy and region.reached else "note",
        seen,
        needed,
        Remedy(
            "Let it out directly: in Clash, and what reads its rules, before those that go by a "
            "proxy",
            everywhere=(f"- DOMAIN-SUFFIX,{suffix},DIRECT",),
        ),
    )
