"""What an error of the network is called: real errors, of servers on 127.0.0.1."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import get_args

import pytest
import requests

from poetry_tf.http.failures import (
    Failure,
    Kind,
    WrongHash,
    failure_of_error,
    format_failure,
)

UNTRUSTED = Path(__file__).parents[1] / "support" / "untrusted.pem"
CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it"
HEADERS = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"


@contextmanager
def server(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of a server that treats each connection in this way."""
    with socket.create_server(("127.0.0.1", 0)) as listening, ExitStack() as connections:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                connections.enter_context(connection)
                with suppress(OSError):
                    serve(connection)

        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)


def silent(connection: socket.socket) -> None:
    connection.recv(1000)


def silent_after(sent: bytes) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(sent)

    return serve


def closing_after(sent: bytes) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        silent_after(sent)(connection)
        connection.shutdown(socket.SHUT_RDWR)

    return serve


def untrusted(connection: socket.socket) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(UNTRUSTED)
    context.wrap_socket(connection, server_side=True)


def error_of(url: str, **settings: object) -> requests.RequestException:
    with requests.Session() as session:
        session.trust_env = False
        with pytest.raises(requests.RequestException) as caught:
            session.get(url, timeout=0.3, **settings)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize(
    ("serve", "scheme", "kind"),
    [
        (silent, "http", "timeout"),
        (silent_after(HEADERS), "http", "timeout"),
        (silent, "https", "timeout"),
        (closing_after(b""), "http", "connection-lost"),
        (closing_after(b"no answer of HTTP\r\n\r\n"), "http", "connection-lost"),
        (closing_after(CUT), "http", "cut-short"),
        (closing_after(CUT), "https", "tls"),
        (untrusted, "https", "certificate"),
    ],
)
def test_the_errors_of_a_server(
    serve: Callable[[socket.socket], None], scheme: str, kind: Kind
) -> None:
    with server(serve) as host:
        error = error_of(f"{scheme}://{host}/")
    assert failure_of_error(error, 3.0).kind == kind


@pytest.mark.parametrize("outer", [ConnectionResetError(), TimeoutError(), None])
def test_a_closed_port_and_an_unknown_host(outer: Exception | None) -> None:
    """Whatever error was being handled when this one came."""
    with server(silent) as closed:
        pass
    try:
        if outer is not None:
            raise outer
    except OSError:
        errors = error_of(f"http://{closed}/"), error_of("http://certificate.reset.invalid/")
    else:
        errors = error_of(f"http://{closed}/"), error_of("http://certificate.reset.invalid/")
    assert [failure_of_error(error, 3.0).kind for error in errors] == ["refused", "unknown-host"]


def test_a_proxy_that_is_down() -> None:
    with server(silent) as closed:
        pass
    error = error_of("http://mirror.invalid/", proxies={"http": f"http://{closed}"})
    assert failure_of_error(error, 3.0).kind == "proxy"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (requests.TooManyRedirects("connection reset, timed out, refused"), "unreachable"),
        (requests.exceptions.ContentDecodingError("x"), "cut-short"),
        (ConnectionAbortedError(), "connection-lost"),
        (TimeoutError(), "timeout"),
        (ValueError("connection closed"), "unreachable"),
    ],
)
def test_an_error_is_known_by_its_type(error: Exception, kind: Kind) -> None:
    assert failure_of_error(error, 3.0).kind == kind


SECRET = "http://jane:s3cret@127.0.0.1:1/"


def test_no_address_is_shown() -> None:
    failure = failure_of_error(error_of(SECRET), 3.0)
    assert format_failure(failure) == "refuses connections"


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (Failure("timeout", seconds=4.7), "does not answer within 5 s"),
        (Failure("status", 503), "answers 503"),
        (Failure("status", 429, name="large files here"), "answers 429 for large files here"),
        (Failure("missing", name="six {1.1}"), "does not have six {1.1}"),
        (Failure("cut-off", name="six-1.1.whl"), "stops in the middle of six-1.1.whl"),
        (Failure("proxy"), "can't be reached through the proxy"),
    ],
)
def test_the_words_for_a_failure(failure: Failure, text: str) -> None:
    assert format_failure(failure) == text


def test_every_kind_has_words() -> None:
    wrong = (WrongHash("x", "sha256:0", "sha256:1", "poetry.lock"),)
    assert all(format_failure(Failure(kind, name="x", wrong=wrong)) for kind in get_args(Kind))


def test_what_another_try_may_change() -> None:
    assert Failure("status", 503).is_busy and Failure("cut-off").is_busy
    assert not Failure("status", 403).is_busy and not Failure("timeout").is_busy
    assert Failure("missing").is_missing and not Failure("metadata-missing").is_missing
