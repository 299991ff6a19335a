"""Requests on a thread of their own, with limits for time and size of the answer.

Nothing can break off a name look-up, and to a server that sends a byte a second a socket's timeout
never comes. So the caller only waits for the thread, until a bound is reached or the command is
interrupted, and leaves it behind then: it is a daemon, which ends with the process.
"""

from __future__ import annotations

import atexit
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Final

import requests
from urllib3.exceptions import DecodeError

from poetry_tf.http.failures import Failure, Kind, Stopped

WINDOW = 8.0
"""Seconds of waiting over which the speed is measured."""
LEAST = 100.0
"""Bytes a second, of all transfers together, below which a server is given up."""
PATIENCE = 120.0
"""Seconds of waiting over which that is measured: several times what a chunk takes at 2 kB/s where
eight transfers share it."""
CHUNK = 8192
"""Bytes that are read at a time: several come in a window at the lowest speed. Less than that is
lost when a connection breaks."""
_BUFFER: Final = 262_144  # bytes that are received before somebody wants them
_WORTH: Final = 65_536  # received bytes that are worth a change of threads at once
_WITH_GZIP_HEADER: Final = 16 + zlib.MAX_WBITS
_TICK: Final = 0.1  # seconds until it is noticed that a command was interrupted
_FAREWELL: Final = 0.5  # seconds that threads get at the end of the process

ENCODINGS: Final = "gzip"
"""What is asked for, and unpacked here within bounds; others are refused."""
_GZIP: Final = frozenset({"gzip", "x-gzip"})
_PLAIN: Final = frozenset({"", "identity"})


@dataclass(frozen=True)
class Bounds:
    """What an answer may cost.

    Attributes:
        start: seconds until its headers are there: with name look-up, connection and redirects.
        whole: seconds until its end; None for any time.
        size: bytes, unpacked; None for any number.
        speed: bytes a second that all transfers share; one that stays below its share for `WINDOW`
            is too slow. So one slow line for eight transfers isn't taken for a slow server.
        on_slow: called with the speed of one that is too slow, which then is waited for, until not
            even its share of `LEAST` comes.
    """

    start: float
    whole: float | None = None
    size: int | None = None
    speed: float = 0.0
    on_slow: Callable[[float], None] | None = None


def receive(send: Callable[[], requests.Response], bounds: Bounds) -> requests.Response:
    """The answer to a request that `send` makes. Its body is read within the bounds.

    Raises:
        What `send` raises, and `Stopped`, as does whatever reads the body.
    """
    transfer = _Transfer(send, time.monotonic())
    response = transfer.response(bounds)
    encoding = _encoding_of(response.headers)
    body = _Body(transfer, response.raw, bounds)
    response.raw = body
    if encoding not in _GZIP | _PLAIN:
        response.close()
        raise Stopped(Failure("encoding"))
    return response


class _Transfer:
    """One request, and the thread that makes it and reads its answer."""

    def __init__(self, send: Callable[[], requests.Response], begun: float) -> None:
        self.begun = begun
        self.wire = 0
        self._send, self._changed = send, threading.Condition()
        self._response: requests.Response | None = None
        self._chunks: deque[bytes] = deque()
        self._buffered = 0
        self._error: BaseException | None = None
        self._is_over = self._is_wanted = self._is_left = False
        # The name says whose request it is, which decides what is logged.
        _run_apart(self._run, threading.current_thread().name)

    def response(self, bounds: Bounds) -> requests.Response:
        """The answer, as soon as its headers are there."""
        until = self.begun + bounds.start
        with self._changed:
            if not self._wait(lambda: self._response is not None or self._is_over, until):
                self._is_left = True
                raise Stopped(Failure("timeout", seconds=bounds.start))
            if self._response is None:
                assert self._error is not None
                raise self._error
            return self._response

    def chunk(self, size: int, until: float) -> bytes | None:
        """What came since, up to a size; None where nothing came in time, empty at the end."""
        with self._changed:
            self._is_wanted = True
            self._changed.notify_all()
            # Each change of threads takes the interpreter's lock from all others.
            soon = min(until, time.monotonic() + _TICK)
            if not self._wait(lambda: self._buffered >= _WORTH or self._is_over, soon) and (
                not self._wait(lambda: bool(self._chunks) or self._is_over, until)
            ):
                return None
            if _is_ending:  # what it left is not the whole answer
                raise SystemExit
            if not self._chunks and self._error is not None:
                raise self._error
            parts: list[bytes] = []
            while self._chunks and (not parts or size >= len(self._chunks[0])):
                parts.append(self._chunks.popleft())
                size -= len(parts[-1])
                self._buffered -= len(parts[-1])
            self._changed.notify_all()
            return b"".join(parts)

    def leave(self) -> None:
        """Has the thread end as soon as it can, and what it reads dropped."""
        with self._changed:
            self._is_left = self._is_wanted = True
            self._chunks.clear()
            self._changed.notify_all()
        raw = None if self._is_over or self._response is None else self._raw
        with suppress(Exception):  # urllib3 has it since 2.3, for connections that are in use
            raw.shutdown()  # type: ignore[union-attr]

    def _wait(self, ready: Callable[[], bool], until: float) -> bool:
        while not ready():
            check_interrupted()
            left = until - time.monotonic()
            if left <= 0:
                return False
            self._changed.wait(min(left, _TICK))
        return True

    def _run(self) -> None:
        _running.add(self)
        try:
            response = self._send()
            self._raw: Any = response.raw
            with self._changed:
                self._response = response
                self._changed.notify_all()
                # Nothing is received that nobody wants.
                while not self._is_wanted:
                    self._changed.wait()
            del response
            if not self._is_left:
                self._read()
            if self._is_left:
                self._raw.close()
                self._raw.release_conn()
        except BaseException as error:  # raised again by whoever waits
            self._error = error
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        _running.discard(self)

    def _read(self) -> None:
        parts = self._counted(self._raw.stream(CHUNK, decode_content=False))
        is_packed = _encoding_of(self._raw.headers) in _GZIP
        for chunk in _unpacked(parts) if is_packed else parts:
            with self._changed:
                self._chunks.append(chunk)
                self._buffered += len(chunk)
                if self._buffered >= _WORTH:
                    self._changed.notify_all()
                while self._buffered >= _BUFFER and not self._is_left:
                    self._changed.wait()
                if self._is_left:
                    return

    def _counted(self, parts: Iterator[bytes]) -> Iterator[bytes]:
        for part in parts:
            # Answers in chunks are not counted by urllib3.
            self.wire = self._raw.tell() or self.wire + len(part)
            yield part


def _encoding_of(headers: Mapping[str, str]) -> str:
    return headers.get("Content-Encoding", "").strip().lower()


def _unpacked(parts: Iterator[bytes]) -> Iterator[bytes]:
    """What gzip packed, of any number of members, in parts of at most `_BUFFER`.

    urllib3 unpacks no more at a time than it reads, in which most of the time goes.

    Raises:
        DecodeError: it is not gzip, or ends early.
    """
    stream, is_any = zlib.decompressobj(_WITH_GZIP_HEADER), False
    for part in parts:
        left, is_any, is_full = part, True, False
        while left or is_full:
            if stream.eof:
                stream = zlib.decompressobj(_WITH_GZIP_HEADER)
            try:
                chunk = stream.decompress(left, _BUFFER)
            except zlib.error as error:
                raise DecodeError(str(error)) from error
            left = stream.unconsumed_tail or stream.unused_data
            is_full = len(chunk) == _BUFFER and not stream.eof
            if chunk:
                yield chunk
    if is_any and not stream.eof:
        raise DecodeError("the data ends early")


_idle: list[SimpleQueue[tuple[Callable[[], None], str]]] = []


def _run_apart(job: Callable[[], None], name: str) -> None:
    """Runs a job on a thread that is idle, or on a new one."""
    try:
        jobs = _idle.pop()
    except IndexError:
        jobs = SimpleQueue()
        threading.Thread(target=_work, args=(jobs,), daemon=True).start()
    jobs.put((job, name))


def _work(jobs: SimpleQueue[tuple[Callable[[], None], str]]) -> None:
    thread = threading.current_thread()
    while True:
        job, thread.name = jobs.get()
        job()
        del job
        thread.name = "idle"
        _idle.append(jobs)


class _Body:
    """The body of an answer, in the place of urllib3's object in a response of requests."""

    def __init__(self, transfer: _Transfer, raw: Any, bounds: Bounds) -> None:
        self._transfer, self._raw, self._bounds = transfer, raw, bounds

    def stream(self, size: int, decode_content: bool) -> Iterator[bytes]:  # noqa: ARG002
        """The rest, unpacked, in parts. Raises `Stopped`, and urllib3's exceptions."""
        transfer, bounds = self._transfer, self._bounds
        end = float("inf") if bounds.whole is None else transfer.begun + bounds.whole
        received, speed = 0, _Speed(transfer, bounds)
        with _counted():
            while True:
                begun = time.monotonic()
                chunk = transfer.chunk(size, min(begun + WINDOW - speed.waited, end))
                now = time.monotonic()
                if chunk == b"":
                    return
                if chunk is not None:
                    received += len(chunk)
                    if bounds.size is not None and received > bounds.size:
                        raise self._exceeded(Failure("too-large"))
                    yield chunk
                if bounds.whole is not None and now > end:
                    kind: Kind = "given-up" if bounds.on_slow else "too-long"
                    average = transfer.wire / (now - transfer.begun)
                    raise self._exceeded(Failure(kind, seconds=bounds.whole, speed=average))
                if failure := speed.failure_after(now - begun):
                    raise self._exceeded(failure)

    def tell(self) -> int:
        """The bytes that came over the network."""
        return self._transfer.wire

    def close(self) -> None:
        """Drops what has not been read."""
        self._transfer.leave()

    def release_conn(self) -> None:
        """Does nothing: the thread that reads closes the connection or gives it back.

        Another request could have it while it is closed.
        """

    def _exceeded(self, failure: Failure) -> Stopped:
        self.close()
        return Stopped(failure)

    def __del__(self) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


class _Speed:
    """The speed of a transfer, over the time in which it was waited for."""

    def __init__(self, transfer: _Transfer, bounds: Bounds) -> None:
        self._transfer, self._bounds = transfer, bounds
        self.waited, self._before = 0.0, transfer.wire
        """Since when it is measured: seconds of waiting, and the bytes that had come."""
        self._slow, self._before_slow = 0.0, transfer.wire
        """The same, since when it is slow."""

    def failure_after(self, seconds: float) -> Failure | None:
        """What makes it too slow after so many more seconds of waiting."""
        self.waited += seconds
        if self.waited < WINDOW:
            return None
        wire, waited = self._transfer.wire, self.waited
        speed, share = (wire - self._before) / waited, 1 / _active
        self.waited, self._before = 0.0, wire
        if speed >= self._bounds.speed * share:
            self._slow, self._before_slow = 0.0, wire
            return None
        if self._bounds.on_slow is None:
            return Failure("slow", speed=speed)
        self._bounds.on_slow(speed)
        self._slow += waited
        if self._slow < PATIENCE:
            return None
        speed, seconds = (wire - self._before_slow) / self._slow, self._slow
        self._slow, self._before_slow = 0.0, wire
        return Failure("given-up", seconds=seconds, speed=speed) if speed < LEAST * share else None


# -- how many read, and who works -----------------------------------------------------------

_active = 0
_counting = threading.Lock()
_working: set[threading.Thread] = set()
_running: set[_Transfer] = set()
_is_ending = False
_is_interrupted: ContextVar[Callable[[], bool] | None] = ContextVar("_is_interrupted", default=None)


@contextmanager
def _counted() -> Iterator[None]:
    global _active  # noqa: PLW0603
    with _counting:
        _active += 1
    try:
        yield
    finally:
        with _counting:
            _active -= 1


@contextmanager
def interrupted_by(is_interrupted: Callable[[], bool]) -> Iterator[None]:
    """Within it, in this thread, waiting ends with `KeyboardInterrupt` when the function says so.

    Only the main thread hears of Ctrl-C.
    """
    token = _is_interrupted.set(is_interrupted)
    try:
        yield
    finally:
        _is_interrupted.reset(token)


def check_interrupted() -> None:
    """Raises what ends the work of this thread, if the command was interrupted or is over."""
    if _is_ending:
        raise SystemExit
    is_interrupted = _is_interrupted.get()
    if is_interrupted is not None and is_interrupted():
        raise KeyboardInterrupt


def wait(seconds: float) -> None:
    """Sleeps, unless the command is interrupted."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        check_interrupted()
        time.sleep(min(left, _TICK))


@contextmanager
def working() -> Iterator[None]:
    """Within it, this thread does a job that may make files, and a process that ends waits for it.

    The job ends at its next wait for an answer.
    """
    thread = threading.current_thread()
    _working.add(thread)
    try:
        yield
    finally:
        _working.discard(thread)


@atexit.register
def _end() -> None:
    """Lets the jobs of threads delete their unfinished files, and requests end.

    Daemons would just disappear; and one that comes back from a request while the interpreter is
    taken down can crash the process (daemon threads "are abruptly stopped at shutdown":
    https://docs.python.org/3/library/threading.html#thread-objects).
    """
    global _is_ending  # noqa: PLW0603
    _is_ending = True
    for transfer in tuple(_running):
        transfer.leave()
    until = time.monotonic() + _FAREWELL
    while (_working or _running) and time.monotonic() < until:
        time.sleep(_TICK / 10)
