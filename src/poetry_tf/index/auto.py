"""``tf.mirror = "auto"``: the index that is best from here, chosen once a day.

The same small page is requested from Tsinghua's mirror, from one that has nothing in common with
it, and from PyPI, at the same time. The choice is kept in Poetry's cache.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poetry_tf.http.client import Client, Limits
from poetry_tf.http.errors import NoResponse, ReadError
from poetry_tf.http.failures import format_failure
from poetry_tf.http.parallel import run_parallel
from poetry_tf.index import mirrors
from poetry_tf.index.mirrors import Mirror

if TYPE_CHECKING:
    from poetry.config.config import Config

TIMEOUT = 2.0
"""Seconds within which an index has to answer."""
DAY = 24 * 3600.0
# A page of some tens of kilobytes: the time for it is that of a typical answer while solving. Its
# files are named with either of the two, which the page of a hotel's network is not.
PAGE = "absl-py"
_HOLDS = (b"absl_py-", b"absl-py-")
_ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.1"


@dataclass(frozen=True)
class PageAnswer:
    """The seconds that one index took for the whole page, or what was wrong."""

    seconds: float
    fault: str | None = None

    @property
    def ok(self) -> bool:
        return self.fault is None


NEVER = PageAnswer(TIMEOUT, f"did not answer within {TIMEOUT:.0f} s")


@dataclass(frozen=True)
class AutoChoice:
    """The index that was chosen."""

    mirrors: tuple[Mirror, ...]
    """Those to use before PyPI, in their order; none where PyPI itself is best."""
    reason: str | None = None
    """Why it is not Tsinghua's."""
    since: float = 0.0
    """When it was chosen, in seconds since 1970."""

    @property
    def notice(self) -> str:
        """The line that is shown to the user."""
        how = f"via {self.mirrors[0].name}" if self.mirrors else "itself"
        return f"PyPI {how}" + (f", {self.reason}" if self.reason else "")


def is_clearly_faster(pypi: float, mirror: float) -> bool:
    """Whether PyPI is so much faster than a mirror that it should be used instead.

    It takes at most half the time, and saves at least a tenth of a second a page, which is some
    seconds a lock. Less is within what the same index varies by from one minute to the next; and
    near mirrors are to be used where they are near.
    """
    return pypi <= mirror / 2 and mirror - pypi >= 0.1


def decide(
    preferred: PageAnswer, independent: PageAnswer, pypi: PageAnswer
) -> tuple[int, str | None]:
    """Which of the three is best (0, 1 or 2), and why it isn't the first."""
    name = mirrors.AUTO_MIRROR.name
    for index, answer in enumerate((preferred, independent)):
        if not answer.ok:
            continue
        if not (pypi.ok and is_clearly_faster(pypi.seconds, answer.seconds)):
            return index, None if index == 0 else f"since {name} {preferred.fault}"
        if index == 0:
            here = f"{pypi.seconds:.1f} s a page against {answer.seconds:.1f} s"
            return 2, f"which is faster from here than {name}: {here}"
    return 2, f"since {name} {preferred.fault}"


def is_settled(answers: Mapping[int, PageAnswer]) -> bool:
    """Whether the answers so far are enough to decide.

    PyPI can't be clearly faster than a mirror that answered before it.
    """
    for index in (0, 1):
        if index not in answers:
            return False
        if answers[index].ok:
            return True
    return 2 in answers


def choose_automatically(pypi: str, memory: ChoiceMemory) -> AutoChoice:
    """The index to use: the remembered one, or the one that is best now.

    `pypi` is the address of PyPI's simple index.
    """
    if (choice := remembered_choice(pypi, memory)) is not None:
        return choice
    urls = _urls(pypi)
    answers = measure_candidates([f"{url}/{PAGE}/" for url in urls])
    which, reason = decide(*answers)
    choice = AutoChoice(_from(which), reason, time.time())
    if answers[which].ok:  # else there is no network, of which nothing is learned
        memory.keep(urls, which, choice)
    return choice


def remembered_choice(pypi: str, memory: ChoiceMemory) -> AutoChoice | None:
    """What was chosen within the last day, if anything was."""
    return memory.recall(_urls(pypi))


def _from(which: int) -> tuple[Mirror, ...]:
    """The mirrors from one on: those after the chosen one are used where it fails later."""
    return (mirrors.AUTO_MIRROR, mirrors.AUTO_FALLBACK)[which:]


def _urls(pypi: str) -> list[str]:
    return [url.rstrip("/") for url in (*(mirror.url for mirror in _from(0)), pypi)]


def measure_candidates(urls: Sequence[str]) -> tuple[PageAnswer, PageAnswer, PageAnswer]:
    """Requests a page of each at the same time, for no longer than `TIMEOUT`."""
    until = time.monotonic() + TIMEOUT
    with closing(Client(page_limits(TIMEOUT))) as client:
        jobs = [partial(measure_page, url, client) for url in urls]
        answers = run_parallel(jobs, workers=len(jobs), until=until, on_result=is_settled)
    first, second, third = (answers.get(index, NEVER) for index in range(3))
    return first, second, third


def page_limits(seconds: float) -> Limits:
    """The limits of a client that waits for so many seconds, and for a whole page a little more."""
    return Limits(
        connect=seconds, read=seconds, retries=0, start=2 * seconds, max_seconds=5 * seconds
    )


def measure_page(url: str, client: Client) -> PageAnswer:
    """Requests one page; the seconds include the connection."""
    begin = time.monotonic()
    try:
        with client.get(url, {"Accept": _ACCEPT}) as response:
            content = client.body(response)
    except NoResponse as error:
        if error.failure.kind == "timeout":
            seconds = error.failure.seconds
            return PageAnswer(seconds, f"did not answer within {seconds:.0f} s")
        if error.failure.kind == "proxy":
            return PageAnswer(time.monotonic() - begin, format_failure(error.failure))
        return PageAnswer(time.monotonic() - begin, "could not be reached")
    except ReadError:
        return PageAnswer(time.monotonic() - begin, "could not be reached")
    seconds = time.monotonic() - begin
    if not response.ok:
        return PageAnswer(seconds, f"answered {response.status_code}")
    if not any(word in content for word in _HOLDS):
        return PageAnswer(seconds, "did not answer with an index page")
    return PageAnswer(seconds)


# -- the memory -----------------------------------------------------------------------------


@dataclass(frozen=True)
class ChoiceMemory:
    """Stores the choice for a day in a small file, which is ignored if it can't be read."""

    file: Path

    def recall(self, urls: Sequence[str]) -> AutoChoice | None:
        """What was chosen among these addresses on this machine."""
        try:
            data: Any = json.loads(self.file.read_bytes())
            which, reason, since = data["which"], data["reason"], data["since"]
            if data["of"] != self._key(urls) or type(which) is not int or which not in range(3):
                return None
            if not (reason is None or isinstance(reason, str)):
                return None
            # A clock that was set back would remember for longer.
            if not 0 <= time.time() - since < DAY:
                return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return AutoChoice(_from(which), reason, since)

    def keep(self, urls: Sequence[str], which: int, choice: AutoChoice) -> None:
        content = {
            "of": self._key(urls),
            "which": which,
            "reason": choice.reason,
            "since": choice.since,
        }
        draft = self.file.with_name(f"{self.file.name}.{secrets.token_hex(4)}")
        with suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            try:
                draft.write_text(json.dumps(content), "utf-8")
                os.replace(draft, self.file)  # noqa: PTH105 - of two at once, one wins whole
            finally:
                draft.unlink(missing_ok=True)

    def forget(self) -> None:
        """Lets the next command that needs an index choose again."""
        with suppress(OSError):
            self.file.unlink(missing_ok=True)

    def _key(self, urls: Sequence[str]) -> list[str]:
        # A home folder may be several machines'.
        return [platform.node(), *urls]


def choice_memory(config: Config) -> ChoiceMemory:
    """The memory in the cache folder of Poetry's settings."""
    return ChoiceMemory(Path(config.get("cache-dir")) / "poetry-tf" / "auto.json")
