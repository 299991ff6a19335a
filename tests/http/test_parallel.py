"""Doing many things at once: in order, and without waiting for what hangs."""

from __future__ import annotations

import threading
import time

import pytest

from poetry_tf.http.parallel import run_parallel


def test_results_come_in_the_order_of_the_jobs():
    jobs = [lambda number=number: number * number for number in range(50)]
    assert run_parallel(jobs, workers=8, until=time.monotonic() + 30) == [n * n for n in range(50)]
    assert run_parallel([], workers=8, until=time.monotonic() + 30) == []


def test_what_hangs_is_left_behind():
    ended = threading.Event()
    try:
        jobs = [ended.wait, lambda: True]
        assert run_parallel(jobs, workers=2, until=time.monotonic() + 0.3) == [None, True]
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
