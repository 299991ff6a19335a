"""Parallel jobs on threads, with an optional deadline."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from poetry_tf.http.transfer import working

T = TypeVar("T")


def run_parallel(
    jobs: Sequence[Callable[[], T]],
    *,
    workers: int,
    until: float | None = None,
    on_result: Callable[[Mapping[int, T]], bool | None] = lambda _: None,
) -> dict[int, T]:
    """The jobs' results by their indexes, in the jobs' order; without those not done in time.

    Args:
        until: the deadline, a time of `time.monotonic`. A name look-up takes as long as the
            system likes, so threads that are not done by then are left behind.
        on_result: called in this thread with the results so far, after each; True stops.

    Raises:
        What a job raises; of several, what the first in order raises. No further job starts then.
    """
    pending = deque(enumerate(jobs))
    ended: queue.SimpleQueue[tuple[int, list[T], BaseException | None]] = queue.SimpleQueue()

    def work() -> None:
        while until is None or time.monotonic() < until:
            try:
                index, job = pending.popleft()
            except IndexError:
                return
            try:
                with working():
                    result = job()
                ended.put((index, [result], None))
            except BaseException as error:  # raised again in the calling thread
                pending.clear()
                ended.put((index, [], error))

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(workers, len(jobs)))]
    for thread in threads:
        thread.start()
    left = set(range(len(jobs)))
    results: dict[int, T] = {}
    errors: dict[int, BaseException] = {}
    try:
        # Jobs start in order: what precedes one that failed has started, and may fail as well.
        while left and (not errors or min(left) < min(errors)):
            wait = None if until is None else max(0.0, until - time.monotonic())
            try:
                index, result, error = ended.get(timeout=wait)
            except queue.Empty:
                break
            left.discard(index)
            if error is not None:
                errors[index] = error
                continue
            (results[index],) = result
            if on_result(results):
                break
    finally:
        pending.clear()  # an interrupt leaves the threads behind
    if until is None:
        for thread in threads:
            thread.join()
    if errors:
        raise errors[min(errors)]
    return dict(sorted(results.items()))
