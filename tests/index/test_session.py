"""What the session of the mirrors asks for, and what it stores."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from poetry.config.config import Config

from poetry_tf.index.session import MirrorSession
from tests.support.index import LocalIndex


@pytest.fixture
def index() -> Iterator[LocalIndex]:
    with LocalIndex() as index:
        index.add("demo", "1.0")
        yield index


@pytest.fixture
def session(tmp_path: Path) -> requests.Session:
    config = Config()
    config.merge({"cache-dir": str(tmp_path)})
    return MirrorSession(print, config, cache_id="PyPI").create_session()


def test_it_asks_only_for_what_is_unpacked(index: LocalIndex, session: requests.Session) -> None:
    """urllib3 asks for Brotli and Zstandard too where Poetry's environment has them."""
    request = session.prepare_request(requests.Request("GET", f"{index.url}demo/"))
    assert request.headers["Accept-Encoding"] == "gzip"
    assert request.headers["User-Agent"].startswith("poetry/")


def test_a_part_of_a_file_is_not_written_to_a_file(
    index: LocalIndex, session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing keeps it, and a lock file takes hundreds."""
    made: list[object] = []

    def make(*arguments: Any, **more: Any) -> Any:
        made.append(tempfile.NamedTemporaryFile(*arguments, **more))  # noqa: SIM115
        return made[-1]

    monkeypatch.setattr("cachecontrol.filewrapper.NamedTemporaryFile", make)
    (wheel,) = index.distributions[0].wheels
    url = index.default.address(wheel)
    assert session.get(url, headers={"Range": "bytes=0-9"}).content == wheel.content[:10]
    assert not made
    assert session.get(url).content == wheel.content
    assert made
