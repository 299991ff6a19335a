"""The HTTP client of the survey, and texts for what servers answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from poetry_tf.http.client import Client, Limits
from poetry_tf.http.errors import BadResponse, Interrupted, NoResponse, ReadError
from poetry_tf.http.failures import format_failure
from poetry_tf.http.pages import BadPage

_TIMEOUT = 5.0


def survey_client(
    may_ask: Callable[[str], bool],
    timeout: float = _TIMEOUT,
    instead: Mapping[str, str] | None = None,
) -> Client:
    """A client that gives up slow servers and sends no password.

    Args:
        may_ask: whether a project may name an address. If not, it is not requested, also not after
            a redirect.
        timeout: seconds to wait for a connection, and for the next bytes on it.
        instead: as for `Client`.
    """
    limits = Limits(
        connect=timeout,
        read=timeout,
        retries=0,
        connections=4,
        gives_up=True,
        start=2 * timeout,
        max_seconds=20.0,
    )
    return Client(
        limits,
        login_of=lambda _: None,
        user_agent="poetry-tf",
        instead=instead,
        may_ask=may_ask,
    )


def refused(host: str, status: int) -> BadResponse:
    """The error for a status other than 200."""
    return BadResponse(format_status(status), host=host, status=status)


def format_status(status: int) -> str:
    """What a status other than 200 means, in words that follow the server's name."""
    if status in (403, 451):
        return f"refuses access ({status}): it may block your region, or your proxy's address"
    if status == 429:
        return "refuses access (429): it got too many requests from your address"
    if status in (401, 407):
        return f"requires a password ({status})"
    return f"answers {status}"


def format_error(error: Exception, host: str = "") -> str:
    """What went wrong with a server, in words that follow its name."""
    if isinstance(error, NoResponse | Interrupted):
        return format_failure(error.failure)
    if isinstance(error, BadPage):
        return format_status(error.status) if error.status else "sends a page that can't be read"
    if isinstance(error, BadResponse):
        return error.problem if error.host in ("", host) else str(error)
    return str(error) if isinstance(error, ReadError) else "sends a page that can't be read"
