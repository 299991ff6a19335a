"""What the options of `init` mean, and the plan with them: first they count, then what is there."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version
from poetry.core.constraints.version import parse_constraint

from poetry_tf.actions.options import InitOptions, parse_gpu, parse_python, plan_options
from poetry_tf.plan.model import PlanError
from poetry_tf.releases import load
from poetry_tf.releases.images import load_images
from tests.actions.projects import settled
from tests.made import CONTAINED, OLDER, in_memory, lock_text

CATALOG = load()


NEWEST = CATALOG.releases[-1]


def test_python_3_11_means_all_of_it_and_nothing_else():
    assert parse_python("3.11") == parse_constraint(">=3.11,<3.12")
    assert parse_python("3.9") == parse_constraint(">=3.9,<3.10")


@pytest.mark.parametrize(
    "option",
    [
        "3",
        "3.11.4",
        "^3.11",
        "2.7",
        "",
        "3.111",
        "3.11\n",
        "py311",
        "3.\uff11\uff11",
    ],
)
def test_what_is_no_python_minor_is_refused(option: str):
    with pytest.raises(PlanError, match="is not a Python version"):
        parse_python(option)


def test_a_gpu_mode_is_one_of_four():
    assert [parse_gpu(mode) for mode in ("auto", "system", "pip", "none")] == [
        "auto",
        "system",
        "pip",
        "none",
    ]
    for option in ("", "AUTO", "cuda", "True"):
        with pytest.raises(PlanError, match="is not a GPU mode"):
            parse_gpu(option)


def pin(version: str, python: str = ">=3.10,<3.12") -> str:
    return f'[project]\nrequires-python = "{python}"\ndependencies = ["tensorflow~={version}"]\n'


LOCKED = lock_text(("tensorflow", "2.13.0"))


@pytest.mark.parametrize(
    ("text", "lock", "option", "wanted"),
    [
        ("", None, None, str(NEWEST.version)),
        ("", None, "2.13", "2.13.1"),
        ("", None, "2.13.0", "2.13.0"),
        (pin("2.15.0"), None, None, "2.15.1"),
        (pin("2.15.0"), None, "2.13", "2.13.1"),
        (pin("2.13.0"), LOCKED, None, "2.13.0"),
        # Who asks for the series that is locked does not ask for an update.
        (pin("2.13.0"), LOCKED, "2.13", "2.13.0"),
        (pin("2.13.0"), LOCKED, "2.13.1", "2.13.1"),
        (pin("2.13.0"), LOCKED, "2.15", "2.15.1"),
        (pin("2.13.0"), lock_text(("tensorflow", OLDER)), "2.15", "2.15.1"),
    ],
)
def test_the_release_is_what_was_asked_for_else_what_is_there(
    text: str, lock: str | None, option: str | None, wanted: str
):
    plan = settled(text, lock, **({} if option is None else {"tensorflow": option}))
    assert plan.release.version == Version(wanted)


def test_a_pin_that_was_moved_beyond_the_lock_counts():
    assert settled(pin("2.18.0"), LOCKED).release.series == "2.18"


@pytest.mark.parametrize(
    ("declared", "option", "wanted"),
    [
        (">=3.8", None, ("3.10", "3.11")),
        (">=3.8", "3.10", ("3.10",)),
        (">=3.11", "3.10", ("3.10",)),
        ("~=3.11.4", None, ("3.11",)),
    ],
)
def test_the_pythons_are_those_asked_for_else_those_declared(
    declared: str, option: str | None, wanted: tuple[str, ...]
):
    plan = settled(pin("2.13.0", declared), **({} if option is None else {"python": option}))
    assert plan.pythons == wanted


def test_without_a_container_a_python_without_an_image_will_do():
    oldest = CONTAINED[0]
    lacking = next(
        minor for minor in oldest.pythons["linux-x86_64"] if minor not in load_images().pythons
    )
    text = pin(str(oldest.version), f"=={lacking}.*")
    assert settled(text, container=False).pythons == (lacking,)
    with pytest.raises(PlanError, match="No dev container can be made"):
        settled(text)


@settings(deadline=None)
@given(st.text(max_size=8), st.text(max_size=8))
def test_any_text_for_an_option_is_understood_or_refused(tensorflow: str, gpu: str):
    project = in_memory("")
    try:
        plan_options(
            project, InitOptions(tensorflow=tensorflow, gpu=parse_gpu(gpu) if gpu else None)
        )
    except PlanError as error:
        assert error.message
        assert error.remedy
