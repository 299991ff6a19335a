"""The size of a file, and the speed at which it comes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

from poetry_tf.http.client import Client
from poetry_tf.http.errors import ReadError


@dataclass(frozen=True)
class Sample:
    """The beginning of a file, and the seconds that it took from its first byte on."""

    bytes: int
    seconds: float

    @property
    def rate(self) -> float:
        """Bytes per second."""
        return self.bytes / max(self.seconds, 0.001)


def download_sample(
    url: str, headers: Mapping[str, str], most: int, seconds: float, client: Client
) -> Sample | None:
    """Downloads the first bytes of a file, for so many seconds; None if none comes."""
    headers = {"Range": f"bytes=0-{most - 1}", "Accept-Encoding": "identity", **headers}
    count = 0
    try:
        with client.get(url, headers) as response:
            if response.status_code not in (200, 206):
                return None
            begin = time.monotonic()
            with closing(client.chunks(response, 16_384)) as chunks:
                for chunk in chunks:
                    count += len(chunk)
                    if count >= most or time.monotonic() - begin > seconds:
                        break
    except ReadError:
        return None
    return Sample(count, time.monotonic() - begin) if count else None


def content_length(url: str, client: Client) -> int | None:
    """The bytes of a file; None where the server does not say. Raises `NoResponse`."""
    with client.request("HEAD", url, {"Accept-Encoding": "identity"}) as response:
        written = response.headers.get("Content-Length", "")
        return int(written) if response.ok and written.isdecimal() else None
