"""Doing many things at the same time, and for no longer than a limit."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def run_parallel(jobs: Sequence[Callable[[], T]], *, workers: int, until: float) -> list[T | None]:
    """What each job returns, in their order; None for one that isn't done by a moment.

    `until` is a time of `time.monotonic`. Looking a name up takes as long as the system likes, so
    threads that aren't done are left behind. What a job raises is raised here.
    """
    ahead: queue.SimpleQueue[tuple[int, Callable[[], T]]] = queue.SimpleQueue()
    came: queue.SimpleQueue[tuple[int, T | None, BaseException | None]] = queue.SimpleQueue()
    for item in enumerate(jobs):
        ahead.put(item)

    def work() -> None:
        while time.monotonic() < until:
            try:
                index, job = ahead.get_nowait()
            except queue.Empty:
                return
            try:
                came.put((index, job(), None))
            except BaseException as error:  # raised again where it is waited for
                came.put((index, None, error))

    for _ in range(min(workers, len(jobs))):
        threading.Thread(target=work, daemon=True).start()
    found: list[T | None] = [None] * len(jobs)
    for _ in jobs:
        try:
            index, result, error = came.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            break
        if error is not None:
            raise error
        found[index] = result
    return found
