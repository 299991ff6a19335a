"""Progress of long work."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def told_regularly(tell: Callable[[int], None], seconds: float) -> Iterator[None]:
    """Calls `tell` every so many seconds with how many have passed, from a thread."""
    ended, begun = threading.Event(), time.monotonic()

    def run() -> None:
        while not ended.wait(seconds):
            tell(int(time.monotonic() - begun))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def without_build_warnings() -> Iterator[None]:
    """Ignores what the build backends of packages warn of, which is for the packages' authors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
