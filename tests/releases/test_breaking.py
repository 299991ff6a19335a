"""What breaks between series, as data: sound, sourced, and in agreement with the wheels."""

from __future__ import annotations

import re
from datetime import date
from itertools import pairwise

import pytest

from poetry_tf.plan.environments import ENVIRONMENTS
from poetry_tf.releases import load, role, whole
from poetry_tf.releases.breaking import breaking, ended, keras_major, majors, passed, retired
from poetry_tf.releases.companions import companions, fits
from poetry_tf.releases.model import LINUX_X86_64, numbers

URL = re.compile(r"https://[\w.-]+\.[a-z]+/\S*")
RUN = re.compile(r"(run|read): \S")


def test_every_entry_is_whole_and_has_sources():
    known = whole().series
    assert [one.at for one in breaking()] == sorted((one.at for one in breaking()), key=numbers)
    for one in breaking():
        assert one.at in known
        assert one.do.endswith(".")
        assert not one.what.endswith(".")
        assert not one.back or one.back.endswith(".")
        assert {*one.environments} <= {*ENVIRONMENTS}
        assert one.sources
        assert all(URL.fullmatch(text) or RUN.match(text) for text in one.sources)
        assert date(2026, 1, 1) < one.checked <= date.today()


def test_a_release_that_is_cited_is_one_that_there_is():
    sources = [source for one in breaking() for source in one.sources]
    sources += [source for one in retired() for source in one.sources]
    cited = [match[1] for text in sources if (match := re.search(r"/releases/tag/v(.+)", text))]
    assert cited
    assert all(whole().get(version) is not None for version in cited)


def test_what_is_retired_has_no_release_for_a_later_series():
    for one in retired():
        assert role(one.name) in {"companion", "other"}
        assert all(URL.fullmatch(source) or RUN.match(source) for source in one.sources)
        later = [item for item in load().releases if numbers(item.series) > numbers(one.last)]
        assert later
        assert not any(fits(one.name, release) for release in later)
        assert ended(one.name, one.last) is None
        assert ended(one.name, later[0].series) is one
        if one.name in companions():
            assert any(fits(one.name, release) for release in load().in_series(one.last))


def test_the_entries_on_keras_numpy_and_tensorboard_are_what_the_wheels_say():
    by_series = {series: load().newest(series) for series in load().series}
    at = {
        "keras": next(one.at for one in breaking() if one.unless_legacy_keras),
        "numpy": next(one.at for one in breaking() if one.package == "numpy"),
        "tensorboard": next(one.at for one in breaking() if one.unless_required),
    }
    for series, release in by_series.items():
        assert release is not None
        is_later = {what: numbers(series) >= numbers(begin) for what, begin in at.items()}
        assert keras_major(release) == (3 if is_later["keras"] else 2)
        # Before 2.12 the wheels name no upper bound, which `releases.bounds` adds.
        if numbers(series) >= (2, 12):
            assert (2 in majors(release, "numpy")) is is_later["numpy"]
        assert bool(majors(release, "tensorboard")) is not is_later["tensorboard"]


@pytest.mark.parametrize(
    ("old", "new", "series"),
    [
        ("2.15", "2.15", []),
        ("2.13", "2.15", ["2.14", "2.15"]),
        ("2.15", "2.17", ["2.16"] * 13 + ["2.17"] * 2),
        ("2.15", "2.16", ["2.16"] * 14),  # one of them is gone again in 2.17
        ("2.18", "2.15", ["2.18", "2.16"]),
        ("2.9", "2.8", ["2.9"]),
        ("2.16", "2.16", []),
    ],
)
def test_only_what_lies_between_two_series_is_passed(old: str, new: str, series: list[str]):
    found = passed(old, new)
    assert [one.at for one in found if not one.recurs] == series
    # The majors of protobuf may differ between any two.
    assert sum(one.recurs for one in found) == (old != new)


def test_the_gpus_that_are_named_are_those_that_the_wheels_lost():
    said = {
        (one.at, match[1])
        for one in breaking()
        if (match := re.search(r"no code for NVIDIA GPUs .* (\d)\.", one.what))
    }
    lost = set()
    for old, new in pairwise(load().series):
        before, after = (
            {text[3] for text in release.wheels[LINUX_X86_64].compute or () if text[2] == "_"}
            for release in (load().newest(old), load().newest(new))
            if release is not None
        )
        lost |= {(new, major) for major in before - after if major < min(after)}
    assert said == lost


def test_what_the_wheels_do_not_require_has_no_major():
    release = load().newest("2.18")
    assert release is not None
    assert majors(release, "numpy") == (1, 2)
    assert majors(release, "torch") == ()
    # An extra's requirement is none of the release's own.
    assert majors(release, "nvidia-cudnn-cu12") == ()
