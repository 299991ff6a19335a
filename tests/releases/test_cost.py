"""What a lookup costs: 10 ms and a few megabytes are the budget.

Bytes and files are counted. Times are processor time and the least of several runs, so that a busy
machine doesn't count.
"""

from __future__ import annotations

import functools
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from poetry_tf.releases import catalog, companions, load, resources
from poetry_tf.releases.companions import newest

BUDGET = 0.010
"""Seconds for the first lookup in a process."""


CACHED = ((catalog, "_data"), (catalog, "_packaged"), (companions, "companions"))


@pytest.fixture(autouse=True)
def caches() -> Iterator[None]:
    """The caches that the other tests have, when these are done."""
    kept = [(module, name, getattr(module, name)) for module, name in CACHED]
    yield
    for module, name, function in kept:
        setattr(module, name, function)


def forget() -> None:
    """Makes the next lookup the first one again."""
    for module, name in CACHED:
        setattr(module, name, functools.cache(getattr(module, name).__wrapped__))


def look_up() -> None:
    release = load().get("2.15.1")
    assert release is not None
    assert load().container_pair(release) is not None


def least(work: Callable[[], object], times: int) -> float:
    """The processor time of the fastest run, in seconds."""
    found = []
    for _ in range(times):
        forget()
        begin = time.process_time()
        work()
        found.append(time.process_time() - begin)
    return min(found)


@pytest.fixture
def read(monkeypatch):
    """The names and sizes of the files that are read meanwhile."""
    found: dict[str, int] = {}
    real = resources.read_text

    def counted(name: str, *room: str) -> str:
        assert name not in found, "read twice"
        text = real(name, *room)
        found[name] = len(text)
        return text

    monkeypatch.setattr(resources, "read_text", counted)
    forget()
    yield found
    forget()


def test_a_lookup_reads_its_own_distribution_only(read):
    look_up()
    look_up()
    assert set(read) == {"tensorflow.json", "containers.json"}
    assert sum(read.values()) < 300_000


def test_a_lookup_takes_a_few_megabytes():
    forget()
    tracemalloc.start()
    try:
        look_up()
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 2_000_000
    assert most < 4_000_000


def test_the_first_lookup_is_within_its_budget():
    assert least(look_up, 15) < BUDGET


def test_a_second_lookup_costs_next_to_nothing():
    first = least(look_up, 5)
    look_up()
    begin = time.process_time()
    for _ in range(100):
        look_up()
    assert time.process_time() - begin < 10 * first


def test_companions_are_read_when_they_are_asked_for(read):
    release = load().get("2.15.1")
    assert release is not None
    assert "companions.json" not in read
    assert newest("tensorflow-text", release) is not None
    assert set(read) == {
        *("tensorflow.json", "containers.json", "companions.json", "documented.json")
    }


@pytest.mark.slow
def test_the_first_lookup_of_a_process_costs_a_third_of_what_poetry_has_imported_by_then(tmp_path):
    program = (
        "import time\n"
        "start = time.process_time()\n"
        "import dataclasses, enum, json, pathlib, re, types, typing\n"
        "import packaging.requirements, packaging.specifiers, packaging.version\n"
        "begin = time.process_time()\n"
        "from poetry_tf.releases import load\n"
        "load().container_pair(load().get('2.15.1'))\n"
        "print((time.process_time() - begin) / (begin - start))\n"
    )
    found = []
    for _ in range(12):  # the first compiles the modules
        result = subprocess.run(
            [sys.executable, "-X", f"pycache_prefix={tmp_path}", "-c", program],
            env={"PYTHONPATH": ":".join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=True,
        )
        found.append(float(result.stdout))
    assert min(found) < 1 / 3, found
