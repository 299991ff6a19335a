"""Errors of reading from a server, as exceptions with fields; each message is one line."""

from __future__ import annotations

from urllib.parse import urlsplit

from poetry_tf.http.failures import Failure, format_failure


class ReadError(Exception):
    """Something could not be read: from a server, or out of what it sent."""


class NoResponse(ReadError):
    """A server gave no answer.

    Attributes:
        host: the server, with a port that is not the usual one.
        failure: why.
        error: the name of the exception behind it, whose own text repeats the address,
            credentials and all.
    """

    def __init__(self, url: str, failure: Failure, error: str) -> None:
        by_proxy = f"{_hostname(url)} {format_failure(failure)}"
        super().__init__(
            by_proxy if failure.kind == "proxy" else f"no answer from {_hostname(url)} ({error})"
        )
        self.host, self.failure, self.error = host_of(url), failure, error


class Interrupted(ReadError):
    """A server stopped in the middle of an answer. The attributes are those of `NoResponse`."""

    def __init__(self, url: str, failure: Failure, error: str) -> None:
        super().__init__(f"the answer from {_hostname(url)} stopped in the middle ({error})")
        self.host, self.failure, self.error = host_of(url), failure, error


class BadResponse(ReadError):
    """A server answered, but not with what was requested.

    Attributes:
        problem: what is wrong, in words that follow the server's name.
        host: the server; empty where it goes without saying.
        status: the HTTP status, where that is what is wrong; else 0.
    """

    def __init__(self, problem: str, *, host: str = "", status: int = 0) -> None:
        super().__init__(f"{host or 'the server'} {problem}")
        self.problem, self.host, self.status = problem, host, status


def host_of(url: str) -> str:
    """The server of an address as people write it, with a port that is not the usual one."""
    try:
        port = urlsplit(url).port
    except ValueError:
        return "the server"
    return _hostname(url) if port is None else f"{_hostname(url)}:{port}"


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or "the server"
    except ValueError:
        return "the server"
