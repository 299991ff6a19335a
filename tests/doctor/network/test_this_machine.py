"""What on this machine breaks a build or slows it down: proxies, the drive, the route to NVIDIA."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.machines import RecordedMachine
from tests.support.servers import Answer, Server, anywhere

from poetry_tf.doctor.host.model import HostFinding
from poetry_tf.doctor.network.client import survey_client
from poetry_tf.doctor.network.this_machine import (
    check_download_region,
    check_drive,
    check_proxy,
    seems_in_china,
)

HOME = "/home/me"
PROXY = "http://127.0.0.1:7890"


def machine(system: str = "Linux", **answers: Any) -> RecordedMachine:
    return RecordedMachine({"system": system, "architecture": "x86_64", **answers})


def proxies(
    recorded: RecordedMachine, container: dict[str, str] | None = None
) -> list[HostFinding]:
    return [*check_proxy(recorded, HOME, container)]


def docker_config(**keys: str) -> dict[str, Any]:
    text = json.dumps({"auths": {}, "proxies": {"default": keys}})
    return {"read": {f"{HOME}/.docker/config.json": text}}


def test_without_a_proxy_nothing_is_said():
    assert proxies(machine()) == []


@pytest.mark.parametrize(
    ("recorded", "container", "where"),
    [
        (machine(**docker_config(httpsProxy=PROXY)), {}, "~/.docker/config.json"),
        (machine(), {"http_proxy": "localhost:7890"}, "http_proxy in devcontainer.json"),
        (
            machine(run={"git config --global --get http.proxy": {"status": 0, "output": PROXY}}),
            {},
            "http.proxy in ~/.gitconfig",
        ),
        (
            machine(
                find={"/.dockerenv": ["/.dockerenv"]}, variable={"ALL_PROXY": "socks5://[::1]:7890"}
            ),
            {},
            "the variable ALL_PROXY",
        ),
    ],
)
def test_a_proxy_that_a_container_is_given_and_cannot_reach(recorded, container, where):
    (found,) = proxies(recorded, container)
    assert (found.probe, found.state) == ("proxy", "warning")
    assert where in found.seen and "is the container itself" in found.needed
    assert found.remedy is not None and "host.docker.internal:7890" in found.remedy.what


def test_a_hosts_own_proxy_is_worth_knowing_and_no_fault():
    (found,) = proxies(machine(variable={"https_proxy": PROXY}))
    assert found.state == "note" and "host.docker.internal:7890" in found.needed


def test_a_proxy_elsewhere_is_in_order():
    (found,) = proxies(machine(variable={"HTTPS_PROXY": "http://proxy.test:8080"}))
    assert found.state == "ok"


def test_the_daemons_own_proxy_is_for_images_alone():
    run = {
        "docker info --format {{json .HTTPSProxy}} {{json .HTTPProxy}}": {
            "status": 0,
            "output": f'"{PROXY}" ""',
        }
    }
    (found,) = proxies(machine(run=run))
    assert found.state == "note" and "Docker's own settings" in found.seen


def test_no_password_is_shown():
    recorded = machine(**docker_config(httpProxy="http://me:secret@127.0.0.1:7890"))
    assert "secret" not in str(proxies(recorded))


@given(st.text(), st.text())
def test_any_setting_is_looked_at(address: str, config: str):
    proxies(
        machine(
            variable={"HTTPS_PROXY": address, "http_proxy": f"http://{address}"},
            read={f"{HOME}/.docker/config.json": config},
        )
    )


# -- the drive ------------------------------------------------------------------------------


MOUNTS = (
    "/dev/sdc / ext4 rw,relatime 0 0\n"
    "C:\\134 /mnt/c 9p rw,noatime,aname=drvfs;path=C:\\;uid=1000,trans=fd 0 0\n"
    "drvfsaD1 /mnt/d virtiofs rw,noatime 0 0\n"
    "none /mnt/share 9p rw,trans=virtio 0 0\n"
    "D:\\134 /mnt/My\\040Disk drvfs rw 0 0\n"
)
WSL = "Linux version 5.15.153.1-microsoft-standard-WSL2"


@pytest.mark.parametrize(
    ("root", "seen"),
    [
        ("/mnt/c/Users/me/p", "the Windows drive C: (/mnt/c)"),
        ("/mnt/d/p", "a Windows drive (/mnt/d)"),
        ("/mnt/My Disk/p", "the Windows drive D: (/mnt/My Disk)"),
        ("/home/me/p", None),
        ("/mnt/cc", None),
        ("/mnt/share/p", None),
    ],
)
@pytest.mark.skipif("os.name == 'nt'")
def test_a_windows_drive_is_told_by_its_mount(root: str, seen: str | None):
    recorded = machine(read={"/proc/mounts": MOUNTS, "/proc/version": WSL})
    found = [*check_drive(recorded, Path(root))]
    assert [item.seen for item in found] == ([f"the project is on {seen}"] if seen else [])


@pytest.mark.skipif("os.name == 'nt'")
@pytest.mark.parametrize("name", ["p", "my p", "x; touch pwned #", "$(touch pwned)", "it's"])
def test_a_folders_name_is_one_word_of_what_is_proposed(name: str):
    recorded = machine(read={"/proc/mounts": MOUNTS, "/proc/version": WSL})
    [found] = check_drive(recorded, Path("/mnt/c") / name)
    assert found.remedy is not None
    [command] = found.remedy.everywhere
    assert shlex.split(command, comments=True) == ["git", "clone", ".", f"~/{name}"]


def test_what_docker_desktop_mounts_on_a_mac_is_no_windows_drive():
    mounts = "virtiofs0 /workspaces virtiofs rw 0 0\n"
    recorded = machine(read={"/proc/mounts": mounts, "/proc/version": "Linux 6.1 linuxkit"})
    assert [*check_drive(recorded, Path("/workspaces/p"))] == []


@given(st.text())
def test_any_list_of_mounts_is_read(text: str):
    [*check_drive(machine(read={"/proc/mounts": text}), Path("/mnt/c"))]


# -- the route to NVIDIA --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recorded", "mirrors", "expected"),
    [
        (machine(), (), False),
        (machine(), ("pypi.tuna.tsinghua.edu.cn",), True),
        (machine(), ("mirrors.aliyun.com",), True),
        (machine(), ("pypi.example.test",), False),
        (machine(variable={"TZ": "Asia/Shanghai"}), (), True),
        (machine(read={"/etc/timezone": "Asia/Shanghai\n"}), (), True),
        (machine(read={"/etc/timezone": "Europe/Berlin\n"}), (), False),
        (machine(variable={"LANG": "zh_CN.UTF-8"}), (), True),
        (machine(variable={"LANG": "zh_TW.UTF-8"}), (), False),
    ],
)
def test_who_is_in_china_is_told_by_the_machines_settings(recorded, mirrors, expected):
    assert seems_in_china(recorded, mirrors) is expected


NVIDIA = "https://developer.download.nvidia.com"


def route_finding(server: Server, recorded: RecordedMachine) -> HostFinding:
    client = survey_client(anywhere, 2, {NVIDIA: server.url})
    (found,) = check_download_region(recorded, f"{NVIDIA}/cuda/Packages.gz", client)
    return found


def test_who_leaves_by_a_domestic_exit_is_told_so(server: Server):
    target = "https://developer.download.nvidia.cn/cuda/Packages.gz"
    server.answers["/cuda/Packages.gz"] = Answer(301, b"", {"Location": target})
    found = route_finding(server, machine())
    assert found.state == "ok" and "developer.download.nvidia.cn" in found.seen


def test_who_leaves_by_a_proxy_abroad_is_offered_the_rule(server: Server):
    found = route_finding(server, machine(variable={"HTTPS_PROXY": PROXY}))
    assert found.state == "warning" and found.remedy is not None
    assert found.remedy.everywhere == ("- DOMAIN-SUFFIX,download.nvidia.com,DIRECT",)
    assert route_finding(server, machine()).state == "note"
