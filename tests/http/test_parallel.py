"""Doing many things at once: in order, and without waiting for what hangs."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from poetry_tf.http.parallel import run_parallel


def test_results_come_in_the_order_of_the_jobs():
    jobs = [lambda number=number: number * number for number in range(50)]
    for until in (None, time.monotonic() + 30):
        assert [*run_parallel(jobs, workers=8, until=until).items()] == [
            (n, n * n) for n in range(50)
        ]
        assert run_parallel([], workers=8, until=until) == {}


def test_what_hangs_is_left_behind():
    ended = threading.Event()
    try:
        jobs = [ended.wait, lambda: True]
        assert run_parallel(jobs, workers=2, until=time.monotonic() + 0.3) == {1: True}
    finally:
        ended.set()


def test_no_more_than_the_workers_are_at_work():
    lock, at_work, most = threading.Lock(), [0], [0]

    def job() -> None:
        with lock:
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
        time.sleep(0.01)
        with lock:
            at_work[0] -= 1

    run_parallel([job] * 20, workers=3, until=time.monotonic() + 30)
    assert most[0] <= 3


def test_what_a_job_raises_is_raised():
    def job() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_parallel([job], workers=1, until=time.monotonic() + 30)


def test_the_first_failure_in_order_is_raised_and_no_further_job_starts():
    ran: list[int] = []

    def fail(number: int) -> None:
        ran.append(number)
        time.sleep(0.1 if number == 0 else 0)
        raise ValueError(number)

    with pytest.raises(ValueError, match="0"):
        run_parallel([partial(fail, number) for number in range(50)], workers=2)
    assert sorted(ran) == [0, 1]


def test_the_caller_stops_when_it_has_enough():
    ran: list[int] = []

    def job(number: int) -> None:
        time.sleep(0.01)
        ran.append(number)

    jobs = [partial(job, number) for number in range(50)]
    done = run_parallel(jobs, workers=1, on_result=lambda results: len(results) == 3)
    assert [*done] == [0, 1, 2]
    assert len(ran) < 50


def test_an_interrupt_waits_for_nobody():
    ended = threading.Event()

    def interrupt(_results: object) -> None:
        raise KeyboardInterrupt

    try:
        with pytest.raises(KeyboardInterrupt):
            run_parallel([lambda: True, ended.wait], workers=2, on_result=interrupt)
    finally:
        ended.set()


LEAVING = """
import pathlib, sys, tempfile, threading, time
from poetry_tf.http.parallel import run_parallel

begun = threading.Event()

def job():
    folder = pathlib.Path(tempfile.mkdtemp(dir=sys.argv[1]))
    begun.set()
    time.sleep(0.2)
    folder.rmdir()

threading.Thread(target=run_parallel, args=([job],), kwargs={"workers": 1}, daemon=True).start()
begun.wait()
"""


def test_a_process_that_ends_lets_a_job_delete_its_files(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", LEAVING, str(tmp_path)], check=True)
    assert not [*tmp_path.iterdir()]
