"""The metadata of a wheel, read in parts."""

from __future__ import annotations

from typing import Any

import pytest
from poetry.config.config import Config
from poetry.utils.authenticator import Authenticator

from poetry_tf.index.wheels import TAIL, metadata_of
from tests.support.index import LocalIndex

# Names that take more room in the archive's directory than Poetry's own first request has.
MANY = {f"demo/a_module_with_a_long_name_{number}.py": b"x" * 900 for number in range(120)}
LARGE = {"demo/large.bin": bytes(range(256)) * 4000}


@pytest.mark.parametrize("members", [{}, LARGE, MANY, {**LARGE, **MANY}])
def test_one_request_for_most_wheels(members: dict[str, bytes]) -> None:
    with LocalIndex() as index:
        mount = index.mount("mirror", metadata=False)
        distribution = index.add("demo", "1.0", requires=["six (>=1.0)"], members=members)
        metadata = _read(mount.root, distribution)
    assert metadata is not None and metadata["requires_dist"] == ["six (>=1.0)"]
    assert [request.range for request in mount.requests] == [f"bytes=-{TAIL}"]


@pytest.mark.parametrize("behaviour", [{"range": False}, {"file_status": 403}, {"cut": -1}])
def test_a_wheel_that_cannot_be_read_in_parts(behaviour: dict[str, Any]) -> None:
    with LocalIndex() as index:
        mount = index.mount("mirror", metadata=False, **behaviour)
        distribution = index.add("demo", "1.0", members=LARGE)
        assert _read(mount.root, distribution) is None


def _read(root: str, distribution: Any) -> Any:
    (wheel,) = distribution.wheels
    session = Authenticator(Config(use_environment=False), disable_cache=True)
    return metadata_of(wheel.filename, f"{root}packages/{wheel.filename}", session)
