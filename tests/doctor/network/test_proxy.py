"""A proxy at an address that a container cannot reach."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.machines import RecordedMachine

from poetry_tf.doctor.host.model import HostFinding
from poetry_tf.doctor.network.proxy import check_proxy

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
