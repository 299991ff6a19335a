"""``auto``: which way is taken, and for how long."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetry_tf.http.client import Client
from poetry_tf.index import auto, mirrors
from poetry_tf.index.auto import (
    DAY,
    NEVER,
    AutoChoice,
    ChoiceMemory,
    PageAnswer,
    decide,
    is_clearly_faster,
    is_settled,
)
from poetry_tf.index.mirrors import Mirror
from tests.support.index import LocalIndex, Mount

BAD = PageAnswer(0.1, "answered 503")


@pytest.mark.parametrize(
    ("pypi", "mirror", "clearly"),
    [
        (0.1, 0.3, True),
        (0.1, 0.2, True),
        (0.11, 0.2, False),
        (0.01, 0.1, False),
        (0.01, 0.02, False),
        (0.9, 1.8, True),
        (1.0, 1.8, False),
        (0.3, 0.1, False),
    ],
)
def test_pypi_has_to_be_clearly_faster(pypi: float, mirror: float, clearly: bool):
    assert is_clearly_faster(pypi, mirror) is clearly


@pytest.mark.parametrize(
    ("preferred", "independent", "pypi", "which", "reason"),
    [
        (PageAnswer(0.3), PageAnswer(0.1), PageAnswer(0.3), 0, None),
        (PageAnswer(0.3), PageAnswer(0.3), PageAnswer(0.2), 0, None),
        (PageAnswer(1.9), BAD, NEVER, 0, None),
        (PageAnswer(0.9), PageAnswer(0.1), PageAnswer(0.2), 2, "which is faster from here than"),
        (BAD, PageAnswer(0.3), PageAnswer(0.3), 1, "answered 503"),
        (NEVER, PageAnswer(0.3), NEVER, 1, "did not answer within 2 s"),
        (BAD, PageAnswer(0.9), PageAnswer(0.1), 2, "answered 503"),
        (BAD, NEVER, PageAnswer(1.9), 2, "answered 503"),
        (BAD, BAD, BAD, 2, "answered 503"),
    ],
)
def test_tsinghuas_is_taken_unless_it_fails_or_pypi_is_clearly_faster(
    preferred: PageAnswer, independent: PageAnswer, pypi: PageAnswer, which: int, reason: str | None
):
    chosen, why = decide(preferred, independent, pypi)
    assert chosen == which
    assert why is None if reason is None else reason in (why or "")


ANSWERS = st.builds(PageAnswer, st.floats(0, 2), st.sampled_from([None, None, "answered 503"]))


@given(st.lists(ANSWERS, min_size=3, max_size=3))
def test_what_is_decided_early_is_what_would_be_decided_at_the_end(answers: list[PageAnswer]):
    order = sorted(range(3), key=lambda index: answers[index].seconds)
    come: dict[int, PageAnswer] = {}
    for index in order:
        come[index] = answers[index]
        if is_settled(come):
            break
    early = decide(*(come.get(index, NEVER) for index in range(3)))
    assert early[0] == decide(*answers)[0]
    which, reason = early
    assert (reason is None) is (which == 0)
    if any(answer.ok for answer in answers):
        assert answers[which].ok


def test_the_line_says_which_way_and_why_where_it_is_not_tsinghuas():
    tuna, other = mirrors.AUTO_MIRROR, mirrors.AUTO_FALLBACK
    assert AutoChoice((tuna, other)).notice == "PyPI via TUNA (Tsinghua)"
    since = "since TUNA (Tsinghua) answered 503"
    assert AutoChoice((other,), since).notice == f"PyPI via Aliyun, {since}"
    assert AutoChoice((), since).notice == f"PyPI itself, {since}"


# Asking


@pytest.fixture
def mounts(
    index: LocalIndex, pypi: Mount, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, Mount]]:
    """The three ways, all on the local index."""
    found = {name: index.mount(name) for name in ("tuna", "aliyun")}
    monkeypatch.setattr(mirrors, "AUTO_MIRROR", Mirror("TUNA (Tsinghua)", found["tuna"].url))
    monkeypatch.setattr(mirrors, "AUTO_FALLBACK", Mirror("Aliyun", found["aliyun"].url))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield {**found, "pypi": pypi}


def chosen(mounts: dict[str, Mount], memory: ChoiceMemory) -> str:
    return auto.choose_automatically(mounts["pypi"].url, memory).notice


def test_all_three_are_asked_once_and_the_answer_is_remembered(
    mounts: dict[str, Mount], tmp_path: Path
):
    mounts["pypi"].delay = 0.2
    memory = ChoiceMemory(tmp_path / "a" / "auto.json")
    assert chosen(mounts, memory) == "PyPI via TUNA (Tsinghua)"
    mounts["tuna"].page_status = 503
    assert chosen(mounts, memory) == "PyPI via TUNA (Tsinghua)"
    assert len(mounts["tuna"].requests) == 1
    assert [path.name for path in memory.file.parent.iterdir()] == ["auto.json"]
    memory.forget()
    assert chosen(mounts, memory) == "PyPI via Aliyun, since TUNA (Tsinghua) answered 503"
    mounts["aliyun"].page_status = 403
    memory.forget()
    assert chosen(mounts, memory) == "PyPI itself, since TUNA (Tsinghua) answered 503"


def test_a_mirror_that_is_slow_from_here_is_passed_over(mounts: dict[str, Mount], tmp_path: Path):
    mounts["tuna"].delay = 0.8
    notice = chosen(mounts, ChoiceMemory(tmp_path / "auto.json"))
    assert notice.startswith("PyPI itself, which is faster from here than TUNA (Tsinghua): ")


def test_a_page_that_is_not_the_indexs_is_no_answer(mounts: dict[str, Mount], tmp_path: Path):
    mounts["tuna"].hidden = ("absl-py",)
    assert "since TUNA (Tsinghua) answered 404" in chosen(
        mounts, ChoiceMemory(tmp_path / "auto.json")
    )
    answer = auto.measure_page(f"{mounts['pypi'].url}six/", Client(auto.page_limits(2.0)))
    assert answer.fault == "did not answer with an index page"


def test_nothing_is_learnt_where_nobody_answers(mounts: dict[str, Mount], tmp_path: Path):
    for mount in mounts.values():
        mount.page_status = 500
    memory = ChoiceMemory(tmp_path / "auto.json")
    assert chosen(mounts, memory).startswith("PyPI itself")
    assert not memory.file.exists()


# Remembering

URLS = ["https://a.example.com/", "https://b.example.com/", "https://c.example.com/"]


def kept(file: Path, since: float) -> ChoiceMemory:
    memory = ChoiceMemory(file)
    memory.keep(URLS, 1, AutoChoice((), "since …", since))
    return memory


def test_it_is_remembered_for_a_day_among_the_same_ways(tmp_path: Path):
    file, now = tmp_path / "auto.json", time.time()
    found = kept(file, now - DAY / 2).recall(URLS)
    assert found == AutoChoice((mirrors.AUTO_FALLBACK,), "since …", now - DAY / 2)
    assert kept(file, now - DAY / 2).recall(URLS[::-1]) is None
    assert kept(file, now - DAY - 1).recall(URLS) is None
    assert kept(file, now + DAY).recall(URLS) is None, "the clock was set back"


@pytest.mark.parametrize(
    "change", [("which", 3), ("which", 1.0), ("which", True), ("since", "x"), ("reason", 1)]
)
def test_what_means_nothing_is_forgotten(tmp_path: Path, change: tuple[str, object]):
    memory = kept(tmp_path / "auto.json", time.time())
    data = json.loads(memory.file.read_text("utf-8"))
    memory.file.write_text(json.dumps({**data, change[0]: change[1]}), "utf-8")
    assert memory.recall(URLS) is None


@given(content=st.binary())
def test_any_file_is_read_or_forgotten(tmp_path_factory: pytest.TempPathFactory, content: bytes):
    memory = ChoiceMemory(tmp_path_factory.mktemp("memory") / "auto.json")
    memory.file.write_bytes(content)
    assert memory.recall(URLS) is None


def test_a_cache_that_cannot_be_written_is_no_fault(tmp_path: Path):
    (tmp_path / "file").write_text("", "utf-8")
    memory = kept(tmp_path / "file" / "auto.json", time.time())
    assert memory.recall(URLS) is None
    memory.forget()
