"""Release, project and choices become the plan: the one place where such a decision is made."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from poetry.core.constraints.version import Version as PoetryVersion
from poetry.core.constraints.version import VersionConstraint, parse_constraint

from poetry_tf.plan.derive import derive_plan, make_plan
from poetry_tf.plan.main_line import main_requirement
from poetry_tf.plan.model import CONTAINER_PLATFORM, PlanError
from poetry_tf.plan.python import (
    admitted_minors,
    consecutive_runs,
    container_pythons,
    narrowed_range,
    python_range,
    release_pythons,
)
from poetry_tf.plan.release import choose_release, plan_gpu, planned_pythons, requested_release
from poetry_tf.plan.requirement import (
    admitted_releases,
    constraint_series,
    locked_tensorflow,
    requires_cuda_wheels,
)
from poetry_tf.plan.settings import GpuChoice, Settings
from poetry_tf.pyproject.pins import series_specifier, series_tilde
from poetry_tf.releases import Catalog, Release, load
from poetry_tf.releases.images import load_images
from tests.made import CONTAINED, OLDER, SERIES, in_memory, lock_text

CATALOG = load()
IMAGES = load_images()
NEWEST = CATALOG.releases[-1]
OLDEST = CONTAINED[0]
OLD_SERIES = ".".join(OLDER.split(".")[:2])
MODES: tuple[GpuChoice, ...] = ("auto", "system", "pip", "none")

release = pytest.mark.parametrize("release", CONTAINED, ids=lambda item: str(item.version))
numbers = st.integers(0, 99)


def constraint(text: str | None) -> VersionConstraint | None:
    return None if text is None else parse_constraint(text)


def the(version: str) -> Release:
    found = CATALOG.get(version)
    assert found is not None
    return found


# -- the pin --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        "~2.13.0",
        "~2.13",
        "~ 2.13.1",
        "~=2.13.0",
        "~=2.13.1",
        ">=2.13,<2.14",
        ">=2.13.0,<2.14.0",
        ">=2.13, <2.14",
        ">=2.13 <2.14",
        "<2.14,>=2.13",
        ">2.13,<2.14",
        ">=2.13.0rc0,<2.14",
        ">=2.13,<2.14.dev0",
        ">=2.13,<2.14.0rc0",
        ">=2.13.0,<=2.13.1",
        "2.13.*",
        "==2.13.*",
        "2.13",
        "2.13.1",
        "==2.13.1",
        "==2.13",
        "2.13.0 || 2.13.1",
        "~2.13.0 || ~2.13.2",
        ">=2.13,<2.14,!=2.13.0",
        ">=2.13,<3,<2.14",
        "^2.13,<2.14",
        "2.13.0rc1",
        "2.13.1.post1",
    ],
)
def test_a_pin_within_one_series_is_known_however_it_is_spelt(written: str):
    assert constraint_series(parse_constraint(written)) == "2.13"


@pytest.mark.parametrize(
    "written",
    [
        "^2.13",
        "^2",
        ">=2.13",
        ">2.13",
        "*",
        "~2",
        "2.*",
        "~=2.13",
        "<2.14",
        "<=2.13.1",
        ">=2.13,<2.15",
        ">=2.13,<=2.14",
        ">=2.13,<2.14.1",
        "!=2.14",
        "!=2.13.1",
        ">=2.13,!=2.14.*",
        "~2.13 || ~2.14",
        "2.13.1 || 2.14.0",
        "~2.13.1 || ^2.13",
        ">=2.14,<2.13",
    ],
)
def test_what_admits_more_than_one_series_or_nothing_is_in_none(written: str):
    assert constraint_series(parse_constraint(written)) is None


@settings(deadline=None)
@given(numbers, numbers, numbers)
def test_a_tilde_is_one_series_and_a_caret_never(major: int, minor: int, patch: int):
    version = f"{major}.{minor}.{patch}"
    assert constraint_series(parse_constraint(f"~{version}")) == f"{major}.{minor}"
    # Below 1.0 a caret means what a tilde means.
    caret = constraint_series(parse_constraint(f"^{version}"))
    assert caret == (None if major else f"{major}.{minor}")


@settings(deadline=None)
@given(st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=4))
def test_a_list_of_releases_is_one_series_if_they_all_are(versions: list[tuple[int, int, int]]):
    written = " || ".join(".".join(map(str, version)) for version in versions)
    series = {f"{major}.{minor}" for major, minor, _ in versions}
    assert constraint_series(parse_constraint(written)) == (
        series.pop() if len(series) == 1 else None
    )


@release
def test_the_pin_of_a_plan_begins_at_its_release_and_ends_with_its_series(release: Release):
    plan = make_plan(CATALOG, IMAGES, release, Settings("none"), None)
    assert constraint_series(parse_constraint(series_specifier(plan.release))) == release.series
    assert constraint_series(parse_constraint(series_tilde(plan.release))) == release.series
    for other in CATALOG.releases:
        within = other.series == release.series and other.version >= release.version
        assert SpecifierSet(series_specifier(plan.release)).contains(other.version) is within
        assert parse_constraint(series_tilde(plan.release)).allows(
            PoetryVersion.parse(str(other.version))
        ) is (within)


# -- which requirement counts ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("pyproject", "expected"),
    [
        ('[tool.poetry.dependencies]\nnumpy = "*"', None),
        (
            '[tool.poetry.dependencies]\ntensorflow-cpu = "~2.13"\ntensorflow = "~2.15"',
            ("tensorflow", "~2.15"),
        ),
        (
            '[tool.poetry.group.dev.dependencies]\ntensorflow = "~2.15"\n'
            '[tool.poetry.dependencies]\ntensorflow = "~2.13"',
            ("tensorflow", "~2.13"),
        ),
        (
            '[tool.poetry.dependencies]\ntensorflow = {version = "~2.13", optional = true}\n'
            '[tool.poetry.group.dev.dependencies]\ntensorflow = "~2.15"',
            ("tensorflow", "~2.15"),
        ),
        (
            "[tool.poetry.dependencies]\ntensorflow = [\n"
            """{version = "~2.13", markers = "python_version < '3.9'"}, {version = "~2.15"}]""",
            ("tensorflow", "~2.15"),
        ),
        (
            '[tool.poetry.dependencies]\nTensorflow_GPU = "2.12.0"',
            ("tensorflow-gpu", "2.12.0"),
        ),
        ('[tool.poetry.dependencies]\ntf-nightly = "*"', None),
    ],
    ids=["none", "variant", "group", "optional", "marker", "retired", "nightly"],
)
def test_the_plan_goes_by_tensorflow_itself_and_what_is_always_installed(
    pyproject: str, expected: tuple[str, str] | None
):
    item = main_requirement(in_memory(pyproject))
    assert (item and (item.name, item.written)) == expected


@pytest.mark.parametrize(
    ("packages", "expected"),
    [
        ([("numpy", "1.24.3")], None),
        ([("tensorflow", "2.13.1")], "2.13.1"),
        ([("tensorflow", "2.15.0.post1"), ("tensorflow", "2.13.1")], "2.15.0.post1"),
        ([("tensorflow", "2.9.0"), ("tensorflow", "2.13.1")], "2.13.1"),
        ([("tensorflow-cpu", "2.15.1")], "2.15.1"),
        ([("tensorflow-intel", "2.15.1"), ("tensorflow", "2.13.1")], "2.13.1"),
        ([("tensorflow", "a-path-of-mine")], None),
    ],
)
def test_the_locked_tensorflow_is_the_newest_that_markers_lock(
    packages: list[tuple[str, str]], expected: str | None
):
    project = in_memory("[project]", lock=lock_text(*packages))
    assert locked_tensorflow(project) == (None if expected is None else Version(expected))


# -- the release ----------------------------------------------------------------------------


def choose(written: str | None = None, python: str | None = None, choice: GpuChoice = "auto"):
    return choose_release(
        CATALOG,
        IMAGES,
        constraint=constraint(written),
        python=constraint(python),
        settings=Settings(choice),
    )


@release
def test_what_is_locked_stays_whatever_else_would_be_chosen(release: Release):
    chosen = choose_release(
        CATALOG, IMAGES, constraint=parse_constraint("*"), locked=release.version
    )
    assert chosen is release


@pytest.mark.parametrize("series", SERIES)
def test_a_pin_within_a_series_means_the_newest_release_of_it(series: str):
    assert choose(f"~{series}") is CATALOG.newest(series)


@pytest.mark.parametrize(("lower", "upper"), list(pairwise(SERIES)))
def test_a_wider_pin_means_the_series_it_was_written_for(lower: str, upper: str):
    assert choose(f"^{lower}") is CATALOG.newest(lower)
    assert choose(f">={lower}") is CATALOG.newest(lower)
    first = CATALOG.in_series(lower)[0]
    assert choose(f"{first.version} || ~{upper}") is first


@pytest.mark.parametrize("written", [None, "*", f"<={NEWEST.version}", "!=1.0"])
def test_without_a_lower_end_the_newest_release_is_chosen(written: str | None):
    assert choose(written) is NEWEST


def test_a_wider_pin_skips_the_series_that_have_no_wheel_for_the_projects_python():
    python = NEWEST.pythons[CONTAINER_PLATFORM][-1]
    fits = [item for item in CONTAINED if python in item.pythons[CONTAINER_PLATFORM]]
    assert fits[0] is not OLDEST, "the newest Python must be one that the oldest release lacks"
    chosen = choose(f">={OLDEST.version}", f"~{python}")
    assert chosen.series == fits[0].series


def test_a_yanked_release_is_only_chosen_where_all_are():
    first, second = replace(the("2.13.0"), yanked=False), replace(the("2.13.1"), yanked=True)
    both = Catalog(
        [first, second], pairs={}, prereleases=[], older=[], first_series=CATALOG.first_series
    )
    assert choose_release(both, IMAGES).version == first.version
    only = parse_constraint(str(second.version))
    assert choose_release(both, IMAGES, constraint=only).version == second.version


@pytest.mark.parametrize(
    ("written", "python", "says"),
    [
        (f"=={OLDER}", None, "No TensorFlow release that poetry-tf knows satisfies"),
        ("2.16.0", None, "No TensorFlow release that poetry-tf knows satisfies"),
        (">=99", None, "Unknown TensorFlow >=99; the newest known is 2."),
        ("~2.13", "~3.13", "has no wheel for Python 3.13"),
        ("~2.13", "~3.9", "No dev container can be made for Python 3.9"),
        ("~2.13", "^2.7", "has no wheel for Python"),
    ],
)
def test_where_nothing_fits_the_reason_is_named(written: str, python: str | None, says: str):
    with pytest.raises(PlanError) as caught:
        choose(written, python)
    assert says in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize("version", ["99.0.0", "99.0"])
def test_a_locked_release_of_a_later_series_is_newer_than_the_data(version: str):
    with pytest.raises(PlanError) as caught:
        choose_release(CATALOG, IMAGES, locked=Version(version))
    assert (
        f"Unknown TensorFlow {version} in poetry.lock; the newest known is" in caught.value.message
    )
    assert CATALOG.data_version in caught.value.message
    assert "poetry self update poetry-tf" in caught.value.remedy


@pytest.mark.parametrize("version", ["2.13.99", "2.13.2", f"{CATALOG.releases[-1].version}.post1"])
def test_a_locked_patch_release_that_is_not_known_is_planned_as_its_series(version: str):
    chosen = choose_release(CATALOG, IMAGES, locked=Version(version))
    known = CATALOG.newest(chosen.series)
    assert known is not None
    assert (chosen.version, chosen.inferred_from) == (Version(version), known.version)
    assert plan_gpu(CATALOG, chosen, "auto") == plan_gpu(CATALOG, known, "auto")


@pytest.mark.parametrize(
    ("pin", "version"),
    [
        ("2.13.99", "2.13.99"),
        ("~2.13.99", "2.13.99"),
        (">2.13.1,<2.14", "2.13.2"),
        (">=2.13.2,!=2.13.2,<2.14", "2.13.3"),
        ("^2.21.7", "2.21.7"),
    ],
)
def test_a_pin_that_no_known_release_satisfies_means_the_release_at_which_it_begins(
    pin: str, version: str
):
    assert choose(pin).version == Version(version)


def test_a_locked_release_candidate_is_named_as_one():
    with pytest.raises(PlanError, match=r"locked TensorFlow 2\.22\.0rc0 is a release candidate"):
        choose_release(CATALOG, IMAGES, locked=Version("2.22.0rc0"))


@pytest.mark.parametrize("version", [OLDER, "2.13.1+own"])
def test_a_locked_release_that_is_not_known_is_named(version: str):
    message = re.escape(f"Unknown TensorFlow {version} in poetry.lock; poetry-tf knows the final")
    with pytest.raises(PlanError, match=message):
        choose_release(CATALOG, IMAGES, locked=Version(version))


@settings(deadline=None)
@given(st.sampled_from(CONTAINED), st.sampled_from(CONTAINED))
def test_a_chosen_release_is_one_that_the_pin_admits(one: Release, other: Release):
    assume(one.version <= other.version)
    pin = parse_constraint(f">={one.version},<={other.version}")
    chosen = choose_release(CATALOG, IMAGES, constraint=pin)
    assert chosen in admitted_releases(CATALOG, pin)
    assert chosen.series == one.series


@pytest.mark.parametrize("series", CATALOG.series)
def test_a_series_that_is_asked_for_means_its_newest_release(series: str):
    assert requested_release(CATALOG, series) is CATALOG.newest(series)


@release
def test_a_release_that_is_asked_for_is_the_one(release: Release):
    assert requested_release(CATALOG, str(release.version)) is release


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("latest", "'latest' is not a version of TensorFlow"),
        ("", "'' is not a version of TensorFlow"),
        ("^2.13", "is not a version of TensorFlow"),
        ("2", "2 is not a series of TensorFlow"),
        (OLD_SERIES, f"TensorFlow {OLD_SERIES} is older than the releases that poetry-tf supports"),
        (OLDER, f"TensorFlow {OLDER} is older than the releases that poetry-tf supports"),
        ("99.1", "Unknown TensorFlow 99.1; the newest known is 2."),
        ("2.16.0", "There is no TensorFlow 2.16.0"),
        ("99.1.0rc0", "TensorFlow 99.1.0rc0 is a release candidate"),
    ],
)
def test_a_tensorflow_that_cannot_be_had_is_refused_with_the_reason(text: str, says: str):
    with pytest.raises(PlanError) as caught:
        requested_release(CATALOG, text)
    assert says in caught.value.message
    assert caught.value.remedy


def test_a_series_with_candidates_only_may_be_final_by_now():
    first = CATALOG.prereleases[-1]
    series = f"{first.major}.{first.minor}"
    if CATALOG.in_series(series):
        pytest.skip("no series of the data has candidates only")
    for text in (series, f"{series}.0"):
        with pytest.raises(PlanError, match=f"Unknown TensorFlow {text}; the newest known is"):
            requested_release(CATALOG, text)
    with pytest.raises(PlanError, match=f"{first} is a release candidate"):
        requested_release(CATALOG, str(first))


def test_a_candidate_is_not_said_to_be_missing():
    candidate = next(
        item for item in CATALOG.prereleases if CATALOG.in_series(f"{item.major}.{item.minor}")
    )
    with pytest.raises(PlanError) as caught:
        requested_release(CATALOG, str(candidate))
    assert "There is no" not in caught.value.message


# -- Pythons --------------------------------------------------------------------------------


def test_the_range_of_some_minors_admits_them_and_no_other():
    minors = ["3.8", "3.10", "3.11", "3.14"]
    range_ = python_range(minors)
    for number in range(6, 18):
        for patch in (0, 5, 20):
            version = PoetryVersion.parse(f"3.{number}.{patch}")
            assert range_.allows(version) is (f"3.{number}" in minors)
    assert python_range([]).is_empty()
    assert consecutive_runs(minors) == [["3.8"], ["3.10", "3.11"], ["3.14"]]


MINORS = ["3.9", "3.10", "3.11"]


@pytest.mark.parametrize(
    ("python", "expected"),
    [
        (None, ">=3.9,<3.12"),
        ("*", ">=3.9,<3.12"),
        (">=3.9", ">=3.9,<3.12"),
        (">=3.8.1", ">=3.9,<3.12"),
        (">=3.9.2", ">=3.9.2,<3.12"),
        ("^3.10.4", ">=3.10.4,<3.12"),
        (">=3.9,<4.0", ">=3.9,<3.12"),
        (">=3.8,<3.11", ">=3.9,<3.11"),
        (">3.9.7,<4", ">3.9.7,<3.12"),
        ("<3.12", ">=3.9,<3.12"),
        (">=3.9,<=3.11.5", ">=3.9,<=3.11.5"),
        (">=3.9,!=3.9.7,<3.13", ">=3.9,!=3.9.7,<3.12"),
        (">=3.9,!=3.9.7,!=3.10.2,<3.13", ">=3.9,!=3.9.7,!=3.10.2,<3.12"),
        ("~3.9 || >=3.10,!=3.10.2,<4", ">=3.9,!=3.10.2,<3.12"),
        # A gap: the lower part goes, because a union is nothing that every tool reads.
        (">=3.9,!=3.10.*,<4", ">=3.11,<3.12"),
        ("~3.9 || ~3.11 || ~3.14", ">=3.11,<3.12"),
        ("~3.9 || ~3.10 || ~3.13", ">=3.9,<3.11"),
        (">=3.9.1,<3.9.5 || >=3.10", ">=3.10,<3.12"),
    ],
)
def test_a_python_range_keeps_its_ends_and_loses_what_no_wheel_fits(
    python: str | None, expected: str
):
    assert narrowed_range(constraint(python), MINORS) == expected


patches = st.one_of(
    st.builds("3.{}".format, st.integers(6, 15)),
    st.builds("3.{}.{}".format, st.integers(6, 15), st.integers(0, 20)),
)


@settings(deadline=None)
@given(
    st.lists(
        st.builds(
            "{}{}".format, st.sampled_from([">=", ">", "<", "<=", "!=", "~=3.6,>="]), patches
        ),
        max_size=3,
    )
)
def test_a_narrowed_range_is_a_standard_one_within_the_old_that_wheels_fit(parts: list[str]):
    python = parse_constraint(",".join(parts) or "*")
    assume(admitted_minors(MINORS, python))
    written = narrowed_range(python, MINORS)
    result = parse_constraint(written)
    assert python.allows_all(result)
    assert python_range(MINORS).allows_all(result)
    assert not result.is_empty()
    SpecifierSet(written if written[0] in "<>=!~" else f"=={written}")
    assert narrowed_range(result, MINORS) == written


@release
@pytest.mark.parametrize("choice", MODES)
def test_a_container_has_pythons_with_a_wheel_and_an_image(release: Release, choice: GpuChoice):
    if choice == "pip" and (release.and_cuda is None or not release.and_cuda.pythons):
        pytest.skip("no and-cuda wheels")
    minors = container_pythons(release, IMAGES, choice, None)
    assert minors
    assert set(minors) <= {*release.pythons[CONTAINER_PLATFORM]} & {*IMAGES.pythons}
    if choice == "pip":
        assert release.and_cuda is not None
        assert set(minors) <= set(release.and_cuda.pythons)
    assert list(minors) == sorted(minors, key=lambda minor: int(minor.split(".")[1]))


def test_a_projects_range_limits_the_containers_python():
    assert container_pythons(the("2.18.1"), IMAGES, "auto", constraint("~3.11")) == ("3.11",)
    assert container_pythons(the("2.18.1"), IMAGES, "auto", constraint(">=3.11.4")) == (
        "3.11",
        "3.12",
    )


@pytest.mark.parametrize(
    ("version", "python", "says", "remedy"),
    [
        ("2.13.1", "~3.12", "TensorFlow 2.13.1 has no wheel for Python 3.12", "3.11"),
        ("2.13.1", "~3.8", "No dev container can be made for Python 3.8", "--python 3.11"),
        ("2.18.1", "<3.10", "No dev container can be made for Python 3.9", "--python 3.12"),
    ],
)
def test_it_is_said_which_of_wheel_and_image_there_is_none_of(
    version: str, python: str, says: str, remedy: str
):
    with pytest.raises(PlanError) as caught:
        planned_pythons(
            CATALOG,
            IMAGES,
            the(version),
            Settings(),
            mode="auto",
            python=constraint(python),
        )
    assert says in caught.value.message
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("version", "python"), [("2.14.1", "~3.11"), ("2.15.0", None), ("2.15.0", "*")]
)
def test_it_is_said_where_only_the_and_cuda_wheels_are_missing(version: str, python: str | None):
    assert the(version).and_cuda is not None
    with pytest.raises(PlanError) as caught:
        container_pythons(the(version), IMAGES, "pip", constraint(python))
    assert "and-cuda" in caught.value.message
    assert "None" not in caught.value.message
    assert "none" not in caught.value.remedy


# -- the GPU --------------------------------------------------------------------------------


def test_2_13_gets_the_pair_of_the_seed():
    gpu = plan_gpu(CATALOG, the("2.13.1"), "auto")
    assert (gpu.mode, gpu.cuda, gpu.cudnn) == ("system", "11.8", "8.6.0.163")


@pytest.mark.parametrize("series", ["2.16", "2.17"])
def test_an_unproven_pair_is_never_chosen_by_default_but_named_where_asked_for(series: str):
    newest = CATALOG.newest(series)
    assert newest is not None
    assert plan_gpu(CATALOG, newest, "auto").mode == "pip"
    gpu = plan_gpu(CATALOG, newest, "system")
    assert (gpu.mode, gpu.proven) == ("system", False)
    assert "not proven" in gpu.why


@release
@pytest.mark.parametrize("has_wheels", [False, True])
def test_auto_is_a_proven_pair_or_wheels_or_nothing(release: Release, has_wheels: bool):
    gpu = plan_gpu(CATALOG, release, "auto", has_wheels=has_wheels)
    pair = CATALOG.container_pair(release)
    proven = pair is not None and pair.proven
    assert gpu.proven
    assert gpu.why
    if release.and_cuda is not None and (has_wheels or not proven):
        assert gpu.mode == "pip"
    else:
        assert gpu.mode == ("system" if proven else "none")
    assert (gpu.cuda, gpu.cudnn) == (
        (pair.cuda, pair.cudnn) if pair and gpu.mode == "system" else (None, None)
    )


@release
def test_a_mode_that_is_asked_for_is_taken_or_refused(release: Release):
    assert plan_gpu(CATALOG, release, "none").mode == "none"
    pair = CATALOG.container_pair(release)
    if pair is not None:
        assert plan_gpu(CATALOG, release, "system").mode == "system"
    else:
        with pytest.raises(PlanError, match="No CUDA and cuDNN packages are known") as caught:
            plan_gpu(CATALOG, release, "system")
        assert f"tensorflow/tensorflow:{release.version}-gpu" in caught.value.remedy
    if release.and_cuda is not None:
        assert plan_gpu(CATALOG, release, "pip").mode == "pip"
    else:
        with pytest.raises(PlanError, match="has no and-cuda wheels; these begin with") as caught:
            plan_gpu(CATALOG, release, "pip")
        way = 'gpu = "system"' if pair else f"tensorflow/tensorflow:{release.version}-gpu"
        assert way in caught.value.remedy


def test_where_nothing_is_known_of_cuda_auto_goes_without():
    bare = replace(NEWEST, cuda=None, cudnn=None, and_cuda=None)
    assert plan_gpu(CATALOG, bare, "auto").mode == "none"
    with pytest.raises(PlanError, match="No CUDA and cuDNN packages are known"):
        plan_gpu(CATALOG, bare, "system")


# -- the whole ------------------------------------------------------------------------------


def plan_of(pyproject: str, lock: str | None = None):
    return derive_plan(in_memory(pyproject, lock=lock), CATALOG, IMAGES)


def test_a_project_without_tensorflow_has_no_plan():
    assert plan_of('[tool.poetry.dependencies]\nnumpy = "*"') is None


def test_a_locked_release_counts_before_the_pin():
    plan = plan_of(
        '[tool.poetry.dependencies]\ntensorflow = "~2.13"', lock_text(("tensorflow", "2.13.0"))
    )
    assert plan is not None
    assert plan.release.version == Version("2.13.0")


def test_a_plan_takes_the_newest_python_of_all_that_fit():
    text = '[project]\nrequires-python = ">=3.8"\ndependencies = ["tensorflow~=2.15.1"]\n'
    plan = plan_of(f"{text}[tool.poetry-tf]")
    assert plan is not None
    assert (plan.pythons, plan.python) == (("3.10", "3.11"), "3.11")
    plan = plan_of(text)  # without a container
    assert plan is not None
    assert (plan.pythons, plan.python) == (("3.9", "3.10", "3.11"), "3.11")


def test_a_project_that_asks_for_the_wheels_keeps_them():
    pyproject = '[project]\ndependencies = ["tensorflow[and-cuda]~=2.18.0"]'
    assert requires_cuda_wheels(in_memory(pyproject))
    plan = plan_of(pyproject)
    assert plan is not None
    assert plan.gpu.mode == "pip"
    assert not requires_cuda_wheels(in_memory('[project]\ndependencies = ["tensorflow"]'))


def test_settings_rule_over_what_would_be_derived():
    plan = plan_of(
        '[project]\ndependencies = ["tensorflow~=2.18.0"]\n[tool.poetry-tf]\ngpu = "none"'
    )
    assert plan is not None
    assert plan.gpu.mode == "none"


# -- environments ---------------------------------------------------------------------------


def test_a_declared_environment_narrows_the_releases():
    allowed = constraint(">=2.8")
    macs = choose_release(CATALOG, IMAGES, Settings(environments=("macos-x86_64",)))
    assert macs.series == "2.16", "the last with wheels for Intel Macs"
    assert choose_release(CATALOG, IMAGES, constraint=allowed).series == CATALOG.series[0]
    arm = choose_release(
        CATALOG, IMAGES, Settings(environments=("macos-arm64",)), constraint=allowed
    )
    assert arm.series == "2.13", "the first with wheels for Macs of today"
    choice = choose_release(CATALOG, IMAGES, Settings("system"), constraint=allowed)
    assert choice.series == "2.12", "the first whose CUDA can be installed"


def test_a_declared_environment_narrows_the_pythons():
    release = the("2.13.1")
    assert release_pythons(release) == ("3.8", "3.9", "3.10", "3.11")
    assert release_pythons(release, ("linux-x86_64", "windows-amd64")) == ("3.9", "3.10", "3.11")


def test_an_environment_without_wheels_is_named():
    with pytest.raises(PlanError, match=r"2.18.1 can't be installed on macos-x86_64"):
        choose_release(
            CATALOG,
            IMAGES,
            Settings(environments=("macos-x86_64",)),
            constraint=constraint("2.18.1"),
        )
