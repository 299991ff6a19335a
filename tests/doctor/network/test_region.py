"""The way out to NVIDIA's servers."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.servers import Answer, Server

from poetry_tf.doctor.host.findings import HostFinding
from poetry_tf.doctor.host.machine import RecordedMachine
from poetry_tf.doctor.network.client import survey_client
from poetry_tf.doctor.network.region import (
    check_download_region,
    find_download_region,
    seems_in_china,
)

PROXY = "http://127.0.0.1:7890"


def machine(system: str = "Linux", **answers: Any) -> RecordedMachine:
    return RecordedMachine({"system": system, "architecture": "x86_64", **answers})


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


def exit_finding(server: Server, recorded: RecordedMachine) -> HostFinding:
    client = survey_client(2, {NVIDIA: server.url})
    (found,) = check_download_region(
        recorded, find_download_region(f"{NVIDIA}/cuda/Packages.gz", client)
    )
    return found


def test_who_leaves_by_a_domestic_exit_is_told_so(server: Server):
    target = "https://developer.download.nvidia.cn/cuda/Packages.gz"
    server.answers["/cuda/Packages.gz"] = Answer(301, b"", {"Location": target})
    found = exit_finding(server, machine())
    assert found.state == "ok" and "developer.download.nvidia.cn" in found.seen


def test_who_leaves_by_a_proxy_abroad_is_offered_the_rule(server: Server):
    found = exit_finding(server, machine(variable={"HTTPS_PROXY": PROXY}))
    assert found.state == "warning" and found.remedy is not None
    assert found.remedy.everywhere == ("- DOMAIN-SUFFIX,download.nvidia.com,DIRECT",)
    assert exit_finding(server, machine()).state == "note"
