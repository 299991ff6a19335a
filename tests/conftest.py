"""Fixtures for every test; each is made when a test first asks for it."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support.index import LocalIndex, Mount
from tests.support.poetry import STATE_DIR, PoetryRunner

# Time says how busy the machine is, not whether an input is handled. CI looks at more examples.
# They are the same in every run, so that a change is judged by what it changes; with EXPLORE they
# are new ones.
settings.register_profile(
    "poetry-tf",
    deadline=None,
    derandomize="EXPLORE" not in os.environ,
    max_examples=int(os.environ.get("EXAMPLES", "15")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("poetry-tf")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Gives a file to one worker, as ``--dist loadfile`` does, but each environment to its own.

    The compatibility tests make an environment for a Poetry on a Python, so all tests in one of
    them have to be one worker's, while those in another may run at the same time.
    """
    from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

    class ByEnvironment(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            pair = re.search(r"\[(poetry[\w.]+-python[\d.]+)", nodeid)
            return pair[1] if pair else super()._split_scope(nodeid)

    config.option.loadscopereorder = False  # by the number of tests, which says little of the time
    return ByEnvironment(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item], config: pytest.Config) -> None:
    """Marks slow what `sample` leaves out, and puts the tests that run Poetry first, so that the
    workers end with short files together."""
    variants: dict[str, list[pytest.Function]] = {}
    for item in items:
        if isinstance(item, pytest.Function) and item.get_closest_marker("sample"):
            variants.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for name, several in variants.items():
        mark = several[0].get_closest_marker("sample")
        assert mark is not None
        # One of each kind: those named, every n-th, or the first.
        step = mark.kwargs.get("every", len(several))
        kept = {*mark.args} or {item.callspec.id for item in several[::step]}
        missing = kept - {item.callspec.id for item in several}
        if missing and not any("::" in argument for argument in config.args):
            raise pytest.UsageError(f"{name} has no variant {', '.join(sorted(missing))}")
        for item in several:
            if item.callspec.id not in kept:
                item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: "integration" not in item.nodeid)


def pytest_collection_finish() -> None:
    """Keeps the garbage collector from all that was collected and lives to the end.

    Else it goes through thousands of tests and all of Poetry again and again: a fifth of the time
    of a test that runs Poetry.
    """
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of locks and journals, one a worker: no test writes to the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("state")
        patch.setenv(STATE_DIR, str(folder))
        yield folder


@pytest.fixture(scope="session")
def tensorflow_index() -> Iterator[LocalIndex]:
    """The index with the made-up TensorFlow, one a worker. Tests want `index`, not this."""
    from tests.support.tensorflow import add_tensorflow

    with LocalIndex() as index:
        add_tensorflow(index)
        yield index


@pytest.fixture
def index(tensorflow_index: LocalIndex) -> LocalIndex:
    """The made-up TensorFlow, with an empty log and no mounts of other tests.

    Mount it as the test likes. To add packages make a `LocalIndex` of your own: this one is shared.
    """
    tensorflow_index.reset()
    return tensorflow_index


@pytest.fixture
def pypi(index: LocalIndex) -> Mount:
    """What stands for PyPI: pages in both forms, metadata, and the JSON API that mirrors lack."""
    return index.mount("pypi", api=True)


@pytest.fixture
def mirror(index: LocalIndex) -> Mount:
    """A mirror as they are in 2026: JSON and HTML pages and ranges, no metadata files, no API."""
    return index.mount("mirror", absolute=False, metadata=False)


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the pauses before a server is asked again so short that no test waits for them."""
    from urllib3.util import Retry

    from poetry_tf.index import failover

    monkeypatch.setattr(failover, "PAUSES", (0.01, 0.01))
    monkeypatch.setattr(Retry, "get_backoff_time", lambda _: 0.0)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty folder for a project."""
    path = tmp_path / "project"
    path.mkdir()
    return path


@pytest.fixture
def poetry(project: Path, tmp_path: Path, pypi: Mount) -> PoetryRunner:
    """Poetry in `project`, with `pypi` for PyPI, no mirror and an empty cache."""
    return PoetryRunner(project=project, home=tmp_path / "home", pypi=pypi.root)
