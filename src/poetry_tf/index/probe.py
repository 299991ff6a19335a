"""The state of a mirror from this machine: speed, freshness, and whether it serves ranges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from poetry_tf.http.client import Client, Login
from poetry_tf.http.errors import BadResponse, ReadError
from poetry_tf.http.pages import IndexFile, SimpleIndex
from poetry_tf.http.parallel import run_parallel
from poetry_tf.http.ranges import RangesUnsupported, RemoteFile
from poetry_tf.index.auto import PAGE, measure_page, page_limits
from poetry_tf.index.credentials import Logins, make_grants
from poetry_tf.index.mirrors import Mirror
from poetry_tf.index.resolve import user_mirrors

LIMIT = 5.0
"""Seconds for a page, and for each step of what comes after it."""
_PART = 4096


@dataclass(frozen=True)
class Probe:
    """What one simple index answered, with texts for a table."""

    seconds: float
    """For a page of some tens of kilobytes."""
    fault: str | None = None
    """Why it can't be used; the rest is then empty."""
    tensorflow: Version | None = None
    """The newest final release that it has."""
    uploaded: str = ""
    """The day of TensorFlow's last file; empty where the index doesn't say."""
    files: str = ""
    """How a file of TensorFlow can be downloaded, or why it can't."""


def probe(url: str, login_of: Callable[[str], Login | None]) -> Probe:
    """Requests two pages of an index, and the first bytes of a wheel of TensorFlow's."""
    client = Client(page_limits(LIMIT), login_of=login_of)
    try:
        answer = measure_page(f"{url.rstrip('/')}/{PAGE}/", client)
        if answer.fault is not None:
            return Probe(answer.seconds, answer.fault)
        wheels = _wheels(SimpleIndex(url, client).files("tensorflow"))
        if not wheels:
            return Probe(answer.seconds, "has no TensorFlow")
        newest = max(version for version, _ in wheels)
        files = [file for version, file in wheels if version == newest]
        return Probe(
            answer.seconds,
            tensorflow=newest,
            uploaded=max(file.uploaded or "" for _, file in wheels)[:10],
            files=_probe_ranges(files, client),
        )
    except ReadError as error:
        return Probe(answer.seconds, str(error))
    finally:
        client.close()


def probe_all(mirrors: Sequence[Mirror]) -> list[Probe]:
    """All at once: they are different servers, and together take as long as the slowest."""
    login_of = Logins(make_grants(mirrors, user_mirrors()))
    jobs = [partial(probe, mirror.url, login_of) for mirror in mirrors]
    return [*run_parallel(jobs, workers=16).values()]


def _wheels(files: Sequence[IndexFile]) -> list[tuple[Version, IndexFile]]:
    found = []
    for file in files:
        try:
            version = parse_wheel_filename(file.filename)[1]
        except InvalidWheelFilename:
            continue
        if not (version.is_prerelease or file.yanked):
            found.append((version, file))
    return found


def _probe_ranges(files: Sequence[IndexFile], client: Client) -> str:
    """How a file can be downloaded, in words for a table."""
    # The wheels for Linux are the largest, and what a mirror would refuse.
    file = next((file for file in files if "linux" in file.filename), files[0])
    try:
        RemoteFile(file.url, client).read(0, _PART)
    except RangesUnsupported:
        return "whole only"
    except BadResponse as error:
        return error.problem
    except ReadError as error:
        return str(error)
    return "in parts"
