"""The client: limits, given-up servers, sessions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from poetry_tf.http.client import Client, Limits
from poetry_tf.http.errors import BadResponse, Interrupted, NoResponse
from poetry_tf.http.parallel import run_parallel
from tests.support.index import LocalIndex
from tests.support.servers import Answer, Server
from tests.support.wheel_index import File, MadeIndex, Serving


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(wants_token=False) as server:
        server.answers["/large"] = Answer(200, b"x" * 1_000_000)
        server.answers["/hangs"] = Answer(hangs=True)
        yield server


def read(client: Client, url: str) -> int:
    with client.get(url, {}) as response:
        return len(client.body(response))


def test_an_answer_that_is_too_large_is_not_read_whole(server: Server) -> None:
    url = f"{server.url}/large"
    assert read(Client(), url) == 1_000_000
    client = Client(Limits(max_bytes=100_000))
    with pytest.raises(BadResponse, match="sends more than was requested"):
        read(client, url)
    assert 0 < client.bytes < 1_000_000


def test_an_answer_that_takes_too_long_is_not_read_whole(server: Server) -> None:
    with pytest.raises(BadResponse, match="takes longer than 0 s"):
        read(Client(Limits(max_seconds=0.0)), f"{server.url}/large")


@pytest.mark.parametrize("gives_up", [True, False])
def test_a_server_that_hangs_is_given_up_if_the_limits_say_so(
    server: Server, gives_up: bool
) -> None:
    client = Client(Limits(read=0.2, retries=0, gives_up=gives_up))
    for _ in range(2):
        with pytest.raises(NoResponse) as caught:
            read(client, f"{server.url}/hangs")
        assert (caught.value.failure.kind, caught.value.host) == ("timeout", server.host)
    assert len(server.asked) == (1 if gives_up else 2)


def test_an_answer_that_is_cut_short() -> None:
    with LocalIndex() as index:
        index.add("plain", "1.0")
        mount = index.mount("pypi", cut_pages=True)
        with pytest.raises(Interrupted) as caught:
            read(Client(), f"{mount.url}plain/")
    assert caught.value.failure.kind == "cut-short"


def test_threads_that_follow_take_over_the_connections() -> None:
    index = MadeIndex()
    index.add("a", File("a-1.tar.gz", b"0123456789"))
    with Serving(index):
        client = Client()
        for _ in range(3):
            run_parallel([partial(read, client, f"{index.url}a/")] * 4, workers=2)
        assert 1 <= index.most_open <= 2
        client.close()
