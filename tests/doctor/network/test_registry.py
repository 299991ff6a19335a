"""Images and features in a registry: there, gone, refused, or out of reach."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.servers import INDEX, TOKEN, Answer, Server, anywhere, refused

from poetry_tf.doctor.network.client import format_error, survey_client
from poetry_tf.doctor.network.registry import (
    NotInRegistry,
    Reference,
    find_artifact,
    read_reference,
)
from poetry_tf.http.addresses import allowed_hosts, is_allowed
from poetry_tf.http.client import Client
from poetry_tf.http.errors import BadResponse, NoResponse, ReadError

NAME, TAG = "devcontainers/python", "3-3.11-bookworm"
PATH = f"/v2/{NAME}/manifests/{TAG}"


def reference(server: Server, tag: str = TAG, digest: str = "") -> Reference:
    return Reference(server.host, NAME, tag, digest)


def test_an_image_is_found_by_one_request_for_a_manifest(server: Server, client: Client):
    digest = server.image(NAME, TAG, ["arm64", "amd64"])
    found = find_artifact(reference(server), client, ("amd64", "arm64"))
    assert (found.digest, found.lacking) == (digest, ())
    assert [path for path in server.asked if "/token" not in path] == [PATH, PATH]


def test_what_an_image_lacks_is_named(server: Server, client: Client):
    server.image(NAME, TAG, ["amd64"])
    assert find_artifact(reference(server), client, ("amd64", "arm64")).lacking == ("arm64",)
    assert find_artifact(reference(server), client, ("riscv64",)).lacking == ("riscv64",)


def test_an_artifact_is_asked_for_by_its_digest_before_its_tag(server: Server, client: Client):
    digest = server.feature(NAME, "3")
    server.answers[f"/v2/{NAME}/manifests/3"] = Answer(500)
    assert find_artifact(reference(server, "3", digest), client).digest == digest


def test_a_registry_without_passes_is_asked_once(client: Client):
    with Server(wants_token=False) as server:
        server.feature(NAME, TAG)
        find_artifact(reference(server), client)
        assert server.asked == [PATH]


def test_the_pass_is_asked_for_without_any_password(server: Server, client: Client, tmp_path: Path):
    (tmp_path / ".netrc").write_text("default login me password secret\n", "utf-8")
    (tmp_path / ".netrc").chmod(0o600)
    server.feature(NAME, TAG)
    find_artifact(reference(server), client)
    sent = [headers.get("Authorization") for headers in server.headers]
    assert sent == [None, None, f"Bearer {TOKEN}"]


def test_a_pass_is_not_shown_to_a_server_that_a_manifest_is_sent_on_to(
    server: Server, client: Client
):
    with Server(wants_token=False) as other:
        other.feature(NAME, TAG)
        elsewhere = Answer(307, b"", {"Location": f"{other.url}{PATH}"})
        server.answers[PATH] = elsewhere
        assert find_artifact(reference(server), client).digest
        assert server.headers[-1]["Authorization"] == f"Bearer {TOKEN}"
        assert "Authorization" not in other.headers[0]


# What a registry may lead the client to


@pytest.fixture
def internal() -> Iterator[Server]:
    """A server on the local network, which a registry would like to read."""
    with Server(wants_token=False) as other:
        other.answers["/token"] = Answer(200, json.dumps({"token": "internal"}).encode())
        other.answers["/secret"] = Answer(200, b'{"layers": [{"size": 1, "digest": "secret"}]}')
        yield other


@pytest.fixture
def strict(server: Server) -> Client:
    """A client that may ask nothing on the local network but the registry."""
    allowed = allowed_hosts(server.host)
    return survey_client(lambda url: is_allowed(url, allowed), 2)


def challenge(realm: str) -> Answer:
    return Answer(401, b"", {"WWW-Authenticate": f'Bearer realm="{realm}",service="x"'})


@pytest.mark.parametrize(
    "realm",
    [
        "{internal.url}/token",
        "http://{server.host}@{internal.host}/token",
        "{server.url}\\\\@{internal.host}/token",
        "HTTPS://{internal.host}/token",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::ffff:10.0.0.1]/token",
        "https://2130706433/token",
        "ftp://{server.host}/token",
        "//{server.host}/token",
        "http://[::1/token",
    ],
)
def test_no_pass_is_asked_for_on_the_local_network(
    server: Server, strict: Client, internal: Server, realm: str
):
    server.wants_token = False
    server.answers[PATH] = challenge(realm.format(server=server, internal=internal))
    with pytest.raises(ReadError):
        find_artifact(reference(server), strict)
    assert server.asked == [PATH] and internal.asked == []


def test_a_request_for_a_pass_is_not_sent_on(server: Server, client: Client, internal: Server):
    """Also by a client that may ask everywhere: what answers would be sent to the registry."""
    server.answers["/token"] = Answer(307, b"", {"Location": f"{internal.url}/token"})
    with pytest.raises(BadResponse, match="answers 307"):
        find_artifact(reference(server), client)
    assert internal.asked == []
    assert not any("Authorization" in headers for headers in server.headers)


def test_no_manifest_is_taken_from_the_local_network(
    server: Server, strict: Client, internal: Server
):
    server.answers[PATH] = Answer(307, b"", {"Location": f"{internal.url}/secret"})
    with pytest.raises(NoResponse) as caught:
        find_artifact(reference(server), strict)
    assert caught.value.failure.kind == "local"
    words = f"redirects to {internal.host} on the local network, which was not followed"
    assert format_error(caught.value) == words
    assert internal.asked == []


@pytest.mark.parametrize(
    "answer",
    [
        refused(404, "MANIFEST_UNKNOWN"),
        refused(404, "NAME_UNKNOWN"),
        refused(403, "DENIED"),
        Answer(404, b"<html>not here"),
    ],
)
def test_what_is_gone_is_distinguished_from_what_cannot_be_asked(
    server: Server, client: Client, answer: Answer
):
    server.answers[PATH] = answer
    with pytest.raises(NotInRegistry):
        find_artifact(reference(server), client)


def test_a_registry_that_gives_no_pass_for_a_name_has_none_of_it(server: Server, client: Client):
    """So ghcr.io answers for an organisation that was deleted."""
    server.answers["/token"] = refused(403, "DENIED")
    with pytest.raises(NotInRegistry):
        find_artifact(reference(server), client)


def test_a_refusal_that_is_not_the_registrys_own_is_no_proof_that_it_is_gone(
    server: Server, client: Client
):
    server.answers[PATH] = Answer(403, b"<html>Access from your region is not allowed")
    with pytest.raises(BadResponse, match="block your region"):
        find_artifact(reference(server), client)


def test_a_registry_that_hangs_is_given_up_and_not_asked_again(server: Server):
    server.answers[PATH] = Answer(hangs=True)
    server.wants_token = False
    client = survey_client(anywhere, 0.2)
    for _ in range(3):
        with pytest.raises(NoResponse) as caught:
            find_artifact(reference(server), client)
        assert format_error(caught.value) == "does not answer within 0 s"
    assert len(server.asked) == 1


def test_a_closed_port_refuses(client: Client):
    with Server() as server:
        gone = reference(server)
    with pytest.raises(NoResponse) as caught:
        find_artifact(gone, client)
    assert format_error(caught.value) == "refuses connections"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("python", Reference("docker.io", "library/python")),
        ("python:3.11", Reference("docker.io", "library/python", "3.11")),
        ("me/python", Reference("docker.io", "me/python")),
        ("localhost:5000/a/b:c", Reference("localhost:5000", "a/b", "c")),
        ("ghcr.io/a/b/c:1", Reference("ghcr.io", "a/b/c", "1")),
        (f"a.test/b@sha256:{'0' * 64}", Reference("a.test", "b", "", f"sha256:{'0' * 64}")),
        ("", None),
        ("Upper/Case", None),
        ("a.test/b:tag with blanks", None),
        ("https://a.test/b", None),
    ],
)
def test_names_are_read_as_docker_reads_them(text: str, expected: Reference | None):
    assert read_reference(text) == expected


def test_only_this_machine_is_asked_without_tls():
    for registry, scheme in (
        ("127.0.0.1:5000", "http:"),
        ("localhost", "http:"),
        ("127.0.0.1.evil.test", "https:"),
        ("ghcr.io", "https:"),
    ):
        assert Reference(registry, "a", "b").url.startswith(f"{scheme}//")


@given(st.text())
def test_any_text_is_a_name_or_none(text: str):
    found = read_reference(text)
    assert found is None or found.repository


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
near_manifests = st.fixed_dictionaries(
    {},
    optional={
        "manifests": json_values
        | st.lists(st.fixed_dictionaries({"platform": json_values, "digest": json_values})),
        "layers": json_values
        | st.lists(st.fixed_dictionaries({"size": json_values, "digest": json_values})),
    },
)


@pytest.fixture(scope="module")
def lasting():
    with Server(wants_token=False) as server:
        yield server, survey_client(anywhere, 2)


@given(
    body=st.binary() | near_manifests.map(lambda value: json.dumps(value).encode()),
    status=st.sampled_from([200, 200, 200, 401, 403, 404, 500]),
    challenge=st.text(st.characters(min_codepoint=32, max_codepoint=126)),
)
def test_no_answer_whatever_is_more_than_an_error(lasting, body, status, challenge):
    server, client = lasting
    headers = {"Content-Type": INDEX, "WWW-Authenticate": f"Bearer {challenge}"}
    server.answers[PATH] = Answer(status, body, headers)
    try:
        assert find_artifact(reference(server), client, ("amd64",)).digest
    except ReadError as error:
        assert "\n" not in str(error)


@given(token=json_values)
def test_no_pass_whatever_is_more_than_an_error(token):
    with Server() as server:
        server.answers["/token"] = Answer(200, json.dumps(token).encode())
        with pytest.raises(ReadError):
            find_artifact(reference(server), survey_client(anywhere, 2))
