"""Why something could not be downloaded, as one kind of value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import requests


@dataclass(frozen=True)
class Fault:
    """Why an answer isn't taken, in words that go on from the way's name: "answers 503"."""

    cause: str
    kind: Literal["down", "busy", "lacks"] = "down"
    """`busy` is down for now: another try may succeed. `lacks` says nothing of other requests."""
    missing: int = 0
    """How much is lacking, to choose the better of two answers that both lack something."""
    wait: float = 0.0
    """Seconds after which the way asks to be tried again."""
    once: str = ""
    """What is told once of a way, where the cause names a file."""


# -- errors ---------------------------------------------------------------------------------


def fault_of_error(error: BaseException, seconds: float) -> Fault:
    """What an exception of the network says; `seconds` is for how long an answer was awaited.

    The exceptions' own texts hold addresses, with what secrets those may have, and are not shown.
    """
    text = str(error)
    if isinstance(error, requests.exceptions.SSLError):
        if "CERTIFICATE_VERIFY_FAILED" in text or "certificate" in text.lower():
            return Fault("has a certificate that is not valid")
        return Fault("breaks off the encrypted connection")
    if isinstance(error, requests.exceptions.ProxyError):
        return Fault("can't be reached through the proxy")
    if isinstance(error, requests.Timeout) or "timed out" in text:
        return Fault(f"does not answer within {seconds:.0f} s")
    if isinstance(
        error, (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)
    ):
        return Fault("sends answers that are cut short", "busy")
    if "refused" in text:
        return Fault("refuses connections")
    if "resol" in text or "getaddrinfo" in text:
        return Fault("is not to be found: no such host")
    if isinstance(error, (requests.ConnectionError, OSError)) and re.search(
        "aborted|reset|closed", text, re.IGNORECASE
    ):
        return Fault("breaks off connections", "busy")
    return Fault("can't be reached")
