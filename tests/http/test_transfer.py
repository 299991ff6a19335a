"""What an answer may cost, against a server that does not keep to it."""

from __future__ import annotations

import gzip
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial

import pytest
import requests
import urllib3
from hypothesis import example, given
from hypothesis import strategies as st
from urllib3.exceptions import DecodeError

from poetry_tf.http import transfer
from poetry_tf.http.client import Client, Limits, Session
from poetry_tf.http.errors import BadResponse, NoResponse
from poetry_tf.http.failures import Stopped
from poetry_tf.http.ranges import RemoteFile
from poetry_tf.http.transfer import Bounds, interrupted_by, receive
from tests.support.hostile import MB, endless, packed, sent
from tests.support.index import LocalIndex

Answer = Callable[[], Iterable[bytes]]
Serve = Callable[[Answer], str]
CHUNKED = "Transfer-Encoding: chunked"
CHUNK = b"10000\r\n" + b"x" * 65_536 + b"\r\n"


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serves one answer and returns the address of it."""
    with LocalIndex() as index:
        (wheel,) = index.add("demo", "1.0").wheels

        def start(answer: Answer) -> str:
            index.default.hostile = lambda *_: answer()
            return index.default.address(wheel)

        yield start


def _head(*headers: str, status: str = "200 OK") -> bytes:
    return b"".join(sent(headers=headers, status=status))


def _get(url: str, bounds: Bounds) -> requests.Response:
    return receive(partial(Session().get, url, stream=True, timeout=30), bounds)


ENDLESS: dict[str, Answer] = {
    "without a length": lambda: endless(b"x" * 9000, head=_head()),
    "in chunks": lambda: endless(CHUNK, head=_head(CHUNKED)),
    "in gzip": lambda: [_head("Content-Encoding: gzip"), packed()],
}


@pytest.mark.parametrize("answer", ENDLESS.values(), ids=ENDLESS)
def test_no_more_is_unpacked_than_was_asked_for(serve: Serve, answer: Answer) -> None:
    with _get(serve(answer), Bounds(10, size=MB)) as response:
        received = 0
        with pytest.raises(Stopped) as caught:
            for chunk in response.iter_content(65_536):
                received += len(chunk)
    assert caught.value.failure.kind == "too-large"
    assert received <= MB


def test_what_was_asked_for_is_read_whole(serve: Serve) -> None:
    url = serve(lambda: [_head("Content-Length: 1000000"), b"x" * MB])
    assert _get(url, Bounds(10, 10, MB, speed=1000)).content == b"x" * MB


@pytest.mark.parametrize("encoding", ["zstd", "br", "gzip, gzip", "x-unheard-of"])
def test_an_encoding_that_nobody_asked_for_is_not_unpacked(serve: Serve, encoding: str) -> None:
    with pytest.raises(Stopped) as caught:
        _get(serve(lambda: [_head(f"Content-Encoding: {encoding}"), packed()]), Bounds(10))
    assert caught.value.failure.kind == "encoding"


@given(
    st.lists(
        st.sampled_from([b"", b"x" * MB, b"ab" * 131_072, random.Random(0).randbytes(70_000)]),
        min_size=1,
    ),
    st.integers(1, 9000),
)
@example([b""], 3)
@example([b"x" * 262_144], 8192)
def test_what_gzip_packed_is_unpacked_whole(members: list[bytes], size: int) -> None:
    packed = b"".join(map(gzip.compress, members))
    parts = [packed[start : start + size] for start in range(0, len(packed), size)]
    chunks = [*transfer._unpacked(iter(parts))]
    assert b"".join(chunks) == b"".join(members)
    assert all(0 < len(chunk) <= 262_144 for chunk in chunks)  # an empty one would be the end
    with pytest.raises(DecodeError):
        [*transfer._unpacked(iter([packed[:-1]]))]


def test_a_packed_answer_may_be_empty(serve: Serve) -> None:
    url = serve(lambda: [_head("Content-Encoding: gzip", "Content-Length: 0")])
    assert _get(url, Bounds(10)).content == b""


@pytest.mark.parametrize(
    "data",
    [gzip.compress(b"x" * 1000)[:-9], b"<html>", gzip.compress(b"x") + b"<html>"],
    ids=["ends early", "is none", "is more"],
)
def test_packed_data_that_is_not_whole_is_reported(serve: Serve, data: bytes) -> None:
    response = _get(serve(lambda: [_head("Content-Encoding: gzip"), data]), Bounds(10))
    with pytest.raises(requests.exceptions.ContentDecodingError):
        _ = response.content


def test_an_answer_has_to_begin(serve: Serve) -> None:
    url = serve(lambda: endless(b"x", head=b"HTTP/1.1 200 OK\r\nX: ", seconds=0.05))
    begun = time.monotonic()
    with pytest.raises(Stopped) as caught:
        _get(url, Bounds(0.5))
    assert caught.value.failure.kind == "timeout"
    assert time.monotonic() - begun < 2


def test_an_answer_has_to_end(serve: Serve) -> None:
    url = serve(lambda: endless(b"x" * 100, head=_head(), seconds=0.05))
    begun = time.monotonic()
    with pytest.raises(Stopped) as caught:
        _ = _get(url, Bounds(10, whole=0.5)).content
    assert caught.value.failure.kind == "too-long"
    assert time.monotonic() - begun < 2


@pytest.mark.slow
def test_the_speed_is_shared_by_those_that_read(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """20 kB/s are enough for each of four where 60 are asked of all."""
    monkeypatch.setattr(transfer, "WINDOW", 0.6)
    monkeypatch.setattr(transfer, "CHUNK", 100)

    def answer() -> Iterator[bytes]:
        yield _head()
        for _ in range(60):
            time.sleep(0.02)
            yield b"x" * 400

    url, kinds = serve(answer), []

    def read() -> None:
        try:
            assert len(_get(url, Bounds(10, speed=60_000)).content) == 24_000
            kinds.append("whole")
        except Stopped as error:
            kinds.append(error.failure.kind)

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kinds == ["whole"] * 6
    read()
    assert kinds[6:] == ["slow"]


@pytest.mark.slow
@pytest.mark.parametrize(("size", "kind"), [(100, None), (1, "given-up")])
@pytest.mark.sample(every=2)
def test_where_there_is_no_choice_a_slow_one_is_waited_for_while_it_sends_something(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, *, size: int, kind: str | None
) -> None:
    """2 kB/s are something, 20 bytes are next to nothing."""
    monkeypatch.setattr(transfer, "WINDOW", 0.2)
    monkeypatch.setattr(transfer, "PATIENCE", 0.6)
    monkeypatch.setattr(transfer, "CHUNK", 10)
    parts = [b"x" * size] * 40

    def answer() -> Iterator[bytes]:
        yield _head()
        for part in parts:
            time.sleep(0.05)
            yield part

    speeds: list[float] = []
    response = _get(serve(answer), Bounds(10, speed=20_000, on_slow=speeds.append))
    try:
        assert response.content == b"".join(parts)
        ended = None
    except Stopped as error:
        ended = error.failure.kind
    assert ended == kind
    assert len(speeds) >= 3 and max(speeds) < 20_000


def test_a_thread_that_waits_hears_of_an_interrupt(serve: Serve) -> None:
    url = serve(lambda: endless(b"x", head=_head(), seconds=0.05))
    interrupt, ended = threading.Event(), threading.Event()

    def read() -> None:
        with interrupted_by(interrupt.is_set), suppress(KeyboardInterrupt):
            _ = _get(url, Bounds(10)).content
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    assert not ended.wait(0.4)
    interrupt.set()
    assert ended.wait(1)


REDIRECTS: dict[str, Answer] = {
    "of any length": lambda: endless(
        b"x" * 65_536, head=_head("Location: http://127.0.0.1:9/", status="302 Found")
    ),
    "in chunks": lambda: endless(
        CHUNK, head=_head("Location: http://127.0.0.1:9/", CHUNKED, status="302 Found")
    ),
}


@pytest.mark.parametrize("answer", REDIRECTS.values(), ids=REDIRECTS)
def test_the_body_of_a_redirect_is_not_read(serve: Serve, answer: Answer) -> None:
    begun = time.monotonic()
    with pytest.raises(NoResponse) as caught:
        Client(Limits(retries=0)).get(serve(answer), {})
    assert caught.value.failure.kind == "refused"
    assert time.monotonic() - begun < 5


def test_redirects_end(serve: Serve) -> None:
    redirect = _head("Location: ?", "Content-Length: 0", status="302 Found")
    with pytest.raises(NoResponse, match="TooManyRedirects"):
        Client().get(serve(lambda: [redirect]), {})


@pytest.mark.parametrize("length", [100, 40_000])
def test_a_part_is_no_larger_than_was_asked_for(serve: Serve, length: int) -> None:
    span = f"Content-Range: bytes 0-{length - 1}/100000"
    url = serve(lambda: endless(b"x" * 9000, head=_head(span, status="206 Partial Content")))
    client = Client()
    with pytest.raises(BadResponse, match="more than was requested"):
        RemoteFile(url, client).read(0, length)
    assert client.bytes < length + 1_000_000  # what is on its way


def test_a_connection_is_given_back_by_the_thread_that_closes_it(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given back by another, the next request could have it while it is closed."""
    release, threads = urllib3.HTTPResponse.release_conn, list[int]()
    closed = threading.Event()

    def released(response: urllib3.HTTPResponse) -> None:
        threads.append(threading.get_ident())
        release(response)
        closed.set()

    monkeypatch.setattr(urllib3.HTTPResponse, "release_conn", released)
    _get(serve(lambda: [_head("Content-Length: 100"), b"x" * 10]), Bounds(10)).close()
    assert closed.wait(10)
    assert threads and threading.get_ident() not in threads


LEAVING = """
import atexit, sys, threading
from contextlib import suppress
from functools import partial
from poetry_tf.http import transfer
from poetry_tf.http.client import Session

def get():
    send = partial(Session().get, sys.argv[1], stream=True, timeout=30)
    with suppress(BaseException):
        transfer.receive(send, transfer.Bounds(20)).content

transfer._FAREWELL = 20.0
atexit.unregister(transfer._end)
atexit.register(lambda: print(len(transfer._running)))  # runs after the other
atexit.register(transfer._end)
threading.Thread(target=get, daemon=True).start()
while not transfer._running:
    pass
"""


@pytest.mark.parametrize("delay", [0.2, 0.0])
def test_a_process_that_ends_waits_for_its_requests(serve: Serve, delay: float) -> None:
    """One that came back while the interpreter is taken down could crash it."""

    def answer() -> Iterator[bytes]:
        time.sleep(delay)
        yield _head("Content-Length: 4")
        time.sleep(0 if delay else 0.3)
        yield b"text"

    done = subprocess.run(
        [sys.executable, "-c", LEAVING, serve(answer)], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("0\n", "")
