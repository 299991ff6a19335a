"""Ranges of files on a server."""

from __future__ import annotations

import re

import requests

from poetry_tf.http.client import Client
from poetry_tf.http.errors import BadResponse


class RangesUnsupported(BadResponse):
    """A server sends files only whole."""


class RemoteFile:
    """One file on a server, read in ranges."""

    def __init__(self, url: str, client: Client) -> None:
        self._url = url
        self._client = client

    def tail(self, length: int) -> tuple[bytes, int]:
        """The last `length` bytes, or all of a shorter file, and the whole file's size in bytes.

        Raises:
            BadResponse: the file isn't there, or the server doesn't serve ranges.
            NoResponse, Interrupted: as `Client.get` and `Client.body`.
        """
        body, first, size = self._range(f"bytes=-{length}", length)
        if first != max(0, size - length):
            raise BadResponse("serves another range than was asked for")
        return body, size

    def read(self, start: int, length: int) -> bytes:
        """`length` bytes from `start` on; fewer only at the file's end.

        Raises:
            As `tail`.
        """
        body, first, size = self._range(f"bytes={start}-{start + length - 1}", length)
        if first != start or len(body) != min(length, size - start):
            raise BadResponse("serves another range than was asked for")
        return body

    def _range(self, requested: str, length: int) -> tuple[bytes, int, int]:
        """The bytes that were served, the offset of the first of them, and the file's size."""
        # Compression would make the ranges those of the compressed body.
        headers = {"Range": requested, "Accept-Encoding": "identity"}
        with self._client.get(self._url, headers, most=length) as response:
            if response.status_code == requests.codes.ok:
                # Leaving the block drops the connection: the body may be half a gigabyte.
                raise RangesUnsupported("doesn't serve ranges")
            if response.status_code != requests.codes.partial_content:
                raise BadResponse(f"answers {response.status_code}", status=response.status_code)
            span = re.fullmatch(
                r"bytes (\d+)-(\d+)/(\d+)", response.headers.get("Content-Range", "").strip()
            )
            if span is None:
                raise BadResponse("doesn't say which range it serves")
            first, last, size = (int(part) for part in span.groups())
            body = self._client.body(response)
        if len(body) != last - first + 1:
            raise BadResponse("stopped in the middle of a range")
        return body, first, size
