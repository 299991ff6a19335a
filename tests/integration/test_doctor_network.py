"""`poetry tf doctor --network`: whether the container can still be built from here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.index import LocalIndex, Mount
from tests.support.poetry import NO_NETWORK, PoetryRunner, Result
from tests.support.projects import contents
from tests.support.servers import Answer, Server, refused

NAME = ".devcontainer/devcontainer.json"
IMAGE, TAG = "devcontainers/python", "3-3.11-bookworm"
NODE = "devcontainers/features/node"


@pytest.fixture
def server() -> Iterator[Server]:
    """A registry with an image and a feature."""
    with Server() as server:
        server.image(IMAGE, TAG, ["amd64", "arm64"])
        server.feature(NODE, "1")
        yield server


@pytest.fixture
def built(right: PoetryRunner, project: Path, server: Server) -> PoetryRunner:
    """A project whose container is made of what is in that registry."""
    write(
        project,
        {"image": f"{server.host}/{IMAGE}:{TAG}", "features": {f"{server.host}/{NODE}:1": {}}},
    )
    allow(right, server.host)
    right.environ |= {**NO_NETWORK, "NO_PROXY": "127.0.0.1,localhost"}
    return right


def allow(poetry: PoetryRunner, *hosts: str) -> None:
    """Lets the project name these hosts on the local network."""
    poetry.config_file.parent.mkdir(parents=True, exist_ok=True)
    poetry.config_file.write_text(f"[tf]\nlocal-hosts = {[*hosts]}\n", "utf-8")


def write(project: Path, content: dict[str, Any]) -> None:
    (project / NAME).write_text(json.dumps(content), "utf-8")


def document_of(result: Result) -> dict[str, Any]:
    document = json.loads(result.stdout)
    assert isinstance(document, dict)
    return document


def of(document: dict[str, Any], probe: str) -> list[dict[str, Any]]:
    """The findings of a probe."""
    return [item for item in document["findings"] if item["probe"] == probe]


def errors(document: dict[str, Any]) -> set[str]:
    return {item["probe"] for item in document["findings"] if item["state"] == "error"}


def test_all_that_is_there_is_reported(built: PoetryRunner, server: Server):
    result = built.call("tf", "doctor", "--network")
    lines = result.stdout.splitlines()
    assert f"ok      image: {server.host}/{IMAGE}:{TAG} is available" in lines
    assert f"ok      feature: {server.host}/{NODE}:1 is available" in lines
    assert any(line.startswith("ok      locked: PyPI has ") for line in lines)
    assert lines[-1] == "Everything that was checked is available from here."


def test_only_pages_and_manifests_are_downloaded(built: PoetryRunner, server: Server, pypi: Mount):
    pypi.requests.clear()
    assert built.call("tf", "doctor", "--network").ok
    assert {request.kind for request in pypi.requests} == {"page"}
    assert all("/manifests/" in path or path.startswith("/token") for path in server.asked)


def test_as_json_it_has_what_programs_compare(built: PoetryRunner, server: Server, project: Path):
    before = contents(project)
    document = document_of(built.call("tf", "doctor", "--network", "--json"))
    assert set(document) >= {"works", "findings", "trouble"}
    (image,) = of(document, "image")
    assert (image["state"], image["numbers"]["host"]) == ("ok", server.host)
    assert image["numbers"]["digest"].startswith("sha256:")
    (locked,) = of(document, "locked")
    assert set(locked["numbers"]) == {"host", "packages", "files"}
    assert locked["numbers"]["packages"] > 5
    assert document["works"] and not errors(document)
    assert contents(project) == before


def test_what_is_gone_is_an_error_with_what_takes_its_place(
    built: PoetryRunner, server: Server, project: Path
):
    server.answers["/token"] = refused(403, "DENIED")
    result = built.call("tf", "doctor", "--network", "--json")
    assert result.returncode == 1
    assert {"image", "feature"} <= errors(document_of(result))
    text = built.call("tf", "doctor", "--network").stdout
    assert "is gone" in text
    verdict = 'The container can\'t be built from here as it is. Fix "image" first.'
    assert text.splitlines()[-1] == verdict


def test_a_retired_image_is_reported_with_its_successor(built: PoetryRunner, project: Path):
    variable = "${localEnv:POETRY_TF_REGISTRY:a.test}"
    image = f"{variable}/devcontainers/python:1-3.11-bookworm"
    write(project, {"image": image, "features": {"./mine": {}}})
    with Server() as other:
        other.image(IMAGE, "1-3.11-bookworm", ["amd64"])
        result = built.call(
            "tf", "doctor", "--network", "--json", environ={"POETRY_TF_REGISTRY": other.host}
        )
    (image_found,) = of(document_of(result), "image")
    assert image_found["state"] == "error" and "retired" in image_found["needed"]
    assert "python:3-3.12-bookworm" in image_found["remedy"]["what"]


def test_a_server_that_is_not_reached_is_reported_once(built: PoetryRunner, project: Path):
    write(
        project,
        {
            "image": "registry.test/devcontainers/python:3-3.11-bookworm",
            "features": {"registry.test/features/one:1": {}, "registry.test/features/two:1": {}},
        },
    )
    document = document_of(built.call("tf", "doctor", "--network", "--json"))
    found = [item for item in document["findings"] if "registry.test" in item["seen"]]
    assert len(found) == 1
    assert len(found[0]["numbers"]["needed"]) == 3


def test_what_is_known_against_a_feature_is_reported_without_its_server(
    built: PoetryRunner, project: Path
):
    gone = "ghcr.io/devcontainers-contrib/features/poetry:2"
    write(project, {"image": "registry.test/own:1", "features": {gone: {}}})
    document = document_of(built.call("tf", "doctor", "--network", "--json"))
    found = [item for item in of(document, "feature") if item["state"] == "warning"]
    assert "its organisation was deleted" in found[0]["seen"]
    assert found[0]["remedy"]["everywhere"] == ["poetry tf devcontainer"]


def test_a_locked_file_that_is_gone_is_named(built: PoetryRunner, pypi: Mount):
    pypi.hidden = ("absl-py",)
    document = document_of(built.call("tf", "doctor", "--network", "--json"))
    lost = [item for item in of(document, "locked") if item["state"] == "error"]
    assert lost and lost[0]["seen"].startswith("absl-py ")
    assert lost[0]["numbers"]["files"]


def test_a_source_of_ones_own_wants_its_password_from_poetry_alone(
    built: PoetryRunner, project: Path, index: LocalIndex
):
    own = index.mount("own", page_status=401)
    lock = (project / "poetry.lock").read_text("utf-8")
    name = 'name = "absl-py"\n'
    source = f'[package.source]\ntype = "legacy"\nurl = "{own.url}"\nreference = "our-own"\n'
    head, found, rest = lock.partition(name)
    assert found
    package, _, others = rest.partition("\n[[package]]")
    (project / "poetry.lock").write_text(f"{head}{name}{package}\n{source}\n[[package]]{others}")
    result = built.call("tf", "doctor", "--network", "--json")
    (wants,) = [item for item in of(document_of(result), "locked") if "password" in item["seen"]]
    assert wants["state"] == "error"
    assert wants["remedy"]["everywhere"] == ["poetry config http-basic.our-own <username>"]
    environ = {
        "POETRY_HTTP_BASIC_OUR_OWN_USERNAME": "me",
        "POETRY_HTTP_BASIC_OUR_OWN_PASSWORD": "s",
    }
    result = built.call("tf", "doctor", "--network", "--json", environ=environ)
    (wants,) = [item for item in of(document_of(result), "locked") if "password" in item["seen"]]
    assert wants["state"] == "note"
    assert "locked" not in errors(document_of(result))
    assert {request.credentials for request in own.requests} == {None}


def test_the_mirror_in_force_is_asked_first(built: PoetryRunner, pypi: Mount, mirror: Mount):
    built.mirror = mirror.url
    pypi.requests.clear()
    document = document_of(built.call("tf", "doctor", "--network", "--json"))
    assert {item["numbers"]["host"] for item in of(document, "locked")} == {
        mirror.url.split("/")[2]
    }
    assert not errors(document) and mirror.requests
    assert {request.package for request in pypi.requests} <= {"poetry", "poetry-tf"}


def test_a_mirror_that_means_nothing_is_one_error(built: PoetryRunner):
    result = built.call("tf", "doctor", "--network", environ={"POETRY_TF_MIRROR": "nonsense"})
    assert result.returncode == 1
    assert "POETRY_TF_MIRROR" in result.stderr and "Traceback" not in result.output


def test_without_a_lock_the_rest_is_looked_for(built: PoetryRunner, project: Path):
    (project / "poetry.lock").unlink()
    document = document_of(built.call("tf", "doctor", "--network", "--json"))
    (locked,) = of(document, "locked")
    assert locked["state"] == "warning" and locked["remedy"]["everywhere"] == ["poetry lock"]
    assert of(document, "image")[0]["state"] == "ok" and not errors(document)


@pytest.mark.parametrize(
    ("name", "probe"), [(NAME, "image"), ("poetry.lock", "locked")], ids=["container", "lock"]
)
def test_a_broken_file_is_reported_with_its_place(
    built: PoetryRunner, project: Path, name: str, probe: str
):
    (project / name).write_text('{"image" = [', "utf-8")
    result = built.call("tf", "doctor", "--network", "--json")
    assert result.returncode == 1
    assert Path(name).name in of(document_of(result), probe)[0]["seen"]


def test_without_a_container_only_packages_are_looked_for(built: PoetryRunner, project: Path):
    (project / NAME).unlink()
    document = document_of(built.call("tf", "doctor", "--network", "--json"))
    assert of(document, "image")[0]["state"] == "note"
    assert of(document, "locked")[0]["state"] == "ok"


def test_without_a_project_nothing_is_asked(poetry: PoetryRunner):
    result = poetry.call("tf", "doctor", "--network")
    assert result.returncode == 1 and "poetry tf init" in result.stderr
    assert "No pyproject.toml" in result.stderr


def test_a_feature_that_was_fixed_and_is_gone_is_reported_separately(
    built: PoetryRunner, server: Server, project: Path
):
    key = f"{server.host}/{NODE}:1"
    resolved = f"{server.host}/{NODE}@sha256:{'0' * 64}"
    (project / ".devcontainer/devcontainer-lock.json").write_text(
        json.dumps({"features": {key: {"resolved": resolved}}}), "utf-8"
    )
    document = document_of(built.call("tf", "doctor", "--network", "--json"))
    (feature,) = of(document, "feature")
    assert feature["state"] == "error" and "devcontainer-lock.json" in feature["seen"]
    assert feature["remedy"]["everywhere"] == ["devcontainer upgrade"]


def test_what_a_container_cannot_reach_is_reported(
    built: PoetryRunner, project: Path, server: Server
):
    variables = {"containerEnv": {"HTTPS_PROXY": "http://127.0.0.1:7890"}}
    write(project, {"image": f"{server.host}/{IMAGE}:{TAG}", **variables})
    document = document_of(built.call("tf", "doctor", "--network", "--json"))
    (proxy,) = of(document, "proxy")
    assert proxy["state"] == "warning" and "devcontainer.json" in proxy["seen"]


def test_a_blocked_region_is_not_reported_as_gone(built: PoetryRunner, server: Server):
    server.wants_token = False
    server.answers[f"/v2/{IMAGE}/manifests/{TAG}"] = Answer(403, b"<html>not in your region")
    document = document_of(built.call("tf", "doctor", "--network", "--json"))
    (image,) = of(document, "image")
    assert "block your region" in image["seen"]
    (command,) = image["remedy"]["everywhere"]
    assert "--registry" in command and server.host.partition(":")[0] not in command


# What a cloned project names on the local network


def test_an_image_on_the_local_network_is_asked_for_after_the_command_that_is_named(
    built: PoetryRunner, project: Path
):
    with Server() as other:
        other.image(IMAGE, TAG, ["amd64"])
        other.feature(NODE, "1")
        name = f"{other.host}/{IMAGE}:{TAG}"
        (project / ".devcontainer/Dockerfile").write_text(f"FROM {name}\n", "utf-8")
        features: dict[str, Any] = {f"{other.host}/{NODE}:1": {}}
        write(project, {"build": {"dockerfile": "Dockerfile"}, "features": features})
        result = built.call("tf", "doctor", "--network", "--json")
        assert other.asked == []
        document = document_of(result)
        (image,), (feature,) = of(document, "image"), of(document, "feature")
        assert image["state"] == feature["state"] == "note"
        assert image["seen"].endswith(f"was not checked: {other.host} is on the local network")
        assert not errors(document)
        (command,) = image["remedy"]["everywhere"]
        assert command == f"poetry tf allow {other.host}"
        assert built.call(*command.split(" ")[1:]).ok
        document = document_of(built.call("tf", "doctor", "--network", "--json"))
        assert of(document, "image")[0]["state"] == "ok" and other.asked


def test_what_a_lock_of_features_leads_to_is_judged_by_its_own_host(
    built: PoetryRunner, project: Path, server: Server
):
    with Server() as other:
        key, digest = f"{server.host}/{NODE}:1", other.feature(NODE, "1")
        locked = {"features": {key: {"resolved": f"{other.host}/{NODE}@{digest}"}}}
        (project / ".devcontainer/devcontainer-lock.json").write_text(json.dumps(locked), "utf-8")
        document = document_of(built.call("tf", "doctor", "--network", "--json"))
        (feature,) = of(document, "feature")
        assert feature["state"] == "note" and other.asked == []


def test_a_source_on_the_local_network_is_not_asked(built: PoetryRunner, project: Path):
    lock = (project / "poetry.lock").read_text("utf-8")
    with LocalIndex() as other:
        source = f'[package.source]\ntype = "legacy"\nurl = "{other.url}"\nreference = "own"\n'
        head, found, rest = lock.partition('name = "absl-py"\n')
        package, _, others = rest.partition("\n[[package]]")
        (project / "poetry.lock").write_text(
            f"{head}{found}{package}\n{source}\n[[package]]{others}", "utf-8"
        )
        document = document_of(built.call("tf", "doctor", "--network", "--json"))
        assert other.requests == []
    (note,) = [item for item in of(document, "locked") if "on the local network" in item["seen"]]
    host = other.url.split("/")[2]
    assert note["seen"] == f"1 package from own was not checked: {host} is on the local network"
    assert note["remedy"]["everywhere"] == [f"poetry tf allow {host}"]
    assert not errors(document)
