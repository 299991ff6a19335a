"""Which TensorFlow on which Python a list means, and what comes nearest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetry_tf.migration import read_list
from poetry_tf.migration.tensorflow import GivenOptions, MigrationGoal, choose_goal, known_pairs
from poetry_tf.plan.derive import without_image_limits
from poetry_tf.plan.model import PlanError
from poetry_tf.plan.python import container_pythons
from poetry_tf.releases import load
from poetry_tf.releases.images import load_images
from tests.migration.lists import constrained, pip

CATALOG, IMAGES = load(), load_images()


def of(*entries: str, options: GivenOptions | None = None, container: bool = True) -> MigrationGoal:
    lines = "".join(f"  - {entry}\n" for entry in entries)
    found = read_list(f"dependencies:\n{lines}".encode(), Path("environment.yml"))
    images = IMAGES if container else without_image_limits(IMAGES, CATALOG)
    return choose_goal(found, options or GivenOptions(), CATALOG, images)


def goal(*lines: str) -> MigrationGoal:
    return choose_goal(pip(*lines), GivenOptions(), CATALOG, IMAGES)


def refusal(*entries: str, options: GivenOptions | None = None) -> PlanError:
    with pytest.raises(PlanError) as caught:
        of(*entries, options=options)
    return caught.value


def test_what_exists_is_what_is_meant() -> None:
    assert of("python=3.11", "tensorflow=2.14.0") == MigrationGoal("2.14.0", "3.11")
    assert of("python=3.11", "tensorflow=2.14") == MigrationGoal("2.14", "3.11")
    assert of("python=3.11.11=he870216_0", "tensorflow=2.14.0=gpu_py311_0") == MigrationGoal(
        "2.14.0", "3.11"
    )


def wheel(name: str, tags: str = "cp310-cp310-linux_x86_64", host: str = "https://a.test/") -> str:
    return f"{name.partition('-')[0]} @ {host}{name}-{tags}.whl#sha256=00"


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([wheel("tensorflow-2.15.0")], ("2.15.0", "3.10")),
        ([wheel("tensorflow-2.15.0%2Bcu122", "cp311-cp311-linux_x86_64")], ("2.15.0", "3.11")),
        (["https://a.test/tensorflow-2.15.0-cp310-cp310-linux_x86_64.whl"], ("2.15.0", "3.10")),
        # A file on one machine says its release, and has nothing to do with this machine.
        ([wheel("tensorflow-2.15.0", host="file:///b/")], ("2.15.0", None)),
        # Wheels beside it say the Python, where they are all for one that this TensorFlow has.
        (["tensorflow==2.15.1", wheel("torch-2.1.0")], ("2.15.1", "3.10")),
        (["tensorflow==2.15.1", wheel("torch-2.1.0", "cp38-abi3-linux_x86_64")], ("2.15.1", None)),
        (["tensorflow==2.15.1", wheel("torch-2.1.0", "cp38-cp38-any")], ("2.15.1", None)),
        (
            ["tensorflow==2.15.1", wheel("a-1"), wheel("b-1", "cp311-cp311-linux_x86_64")],
            ("2.15.1", None),
        ),
        (["tensorflow @ git+https://a.test/tensorflow.git"], (None, None)),
    ],
)
def test_a_wheel_says_its_release_and_its_python(
    lines: list[str], found: tuple[str | None, str | None]
) -> None:
    what = goal(*lines)
    assert (what.tensorflow, what.python) == found
    assert what.changes == ()


NO_TENSORFLOW = (
    "The list has no TensorFlow: the newest that fits was chosen. To choose another, give "
    "--tensorflow"
)


def test_what_is_open_stays_open_or_becomes_the_newest_that_fits() -> None:
    assert of("numpy") == MigrationGoal(notes=(NO_TENSORFLOW,))
    assert of("python", "tensorflow") == MigrationGoal()
    # CaImAn's: the newest below 2.16, on the newest Python that has it.
    assert of("python <=3.12", "tensorflow >=2.4.0,<2.16") == MigrationGoal("2.15", "3.11")
    assert of("python=3.12", "tensorflow").python == "3.12"


def test_what_is_merely_old_becomes_the_nearest_and_that_is_said() -> None:
    found = of("python=3.9", "tensorflow=2.5")
    assert (found.tensorflow, found.python) == ("2.12", "3.10")
    assert found.changes == (
        "Python 3.9 becomes 3.10: a dev container needs at least Python 3.10",
        "TensorFlow 2.5 becomes 2.12: 2.12 is the first that poetry-tf can set up with a GPU",
    )
    # A series that can be set up stays, though its Python can't.
    found = of("python=3.8", "tensorflow=2.10.1")
    assert (found.tensorflow, found.python) == ("2.10.1", "3.10")
    # Without a GPU, nothing has to be skipped.
    found = of("python=3.8", "tensorflow-cpu=2.4")
    assert (found.tensorflow, found.python, found.gpu) == ("2.8", "3.10", "none")


def test_without_a_container_old_pythons_can_stay() -> None:
    found = of("python=3.8", "tensorflow=2.10.1", container=False)
    assert found == MigrationGoal("2.10.1", "3.8")


def test_what_never_went_together_is_refused_with_the_ways_out() -> None:
    error = refusal("python=3.9", "numpy", "tensorflow-gpu=2.4.1")
    assert error.message == (
        "environment.yml:4: TensorFlow 2.4.1 never had a wheel for Python 3.9 "
        "(environment.yml:2): 2.4 had them for Python 3.6, 3.7 and 3.8"
    )
    assert error.remedy == (
        "The nearest that works: `poetry tf init --from environment.yml "
        "--tensorflow 2.12 --python 3.10`"
    )
    error = refusal("python=3.13", "tensorflow=2.15")
    assert error.remedy.splitlines() == [
        "To keep the TensorFlow of the list: `poetry tf init --from environment.yml --tensorflow "
        "2.15 --python 3.11`",
        "To keep the Python of the list: `poetry tf init --from environment.yml --tensorflow 2.21 "
        "--python 3.13`",
    ]
    assert (
        "TensorFlow 2 has no wheels for Python 3.99" in refusal("python=3.99", "tensorflow").message
    )


def test_the_proposals_of_a_refusal_are_taken() -> None:
    for python, tensorflow in (("2.15", "3.13"), ("2.12", "3.10")):
        options = GivenOptions(python, tensorflow)
        assert of("python=3.9", "tensorflow=2.4.1", options=options) == MigrationGoal()


def test_conda_built_what_pypi_never_had_and_an_export_proves_it() -> None:
    found = of("python=3.9.18=h955ad1f_0", "tensorflow=2.4.1=gpu_py39h8236f22_0")
    assert (found.tensorflow, found.python) == ("2.12", "3.10")
    assert len(found.changes) == 2


def test_an_option_goes_before_the_list() -> None:
    assert of("python=3.9", "tensorflow=2.4.1", options=GivenOptions(tensorflow="2.15")) == replace(
        of("python=3.9", "tensorflow=2.4.1", options=GivenOptions(tensorflow="2.15")),
        tensorflow=None,
    )
    found = of("python=3.13", "tensorflow=2.15", options=GivenOptions(tensorflow="2.20"))
    assert (found.tensorflow, found.python) == (None, "3.13")
    found = of("python=3.13", "tensorflow=2.15", options=GivenOptions(python="3.11"))
    assert (found.tensorflow, found.python, found.changes) == ("2.15", None, ())


def test_a_gpu_that_a_series_cannot_have_is_said() -> None:
    found = of("python=3.10", "tensorflow-gpu=2.10.0")
    assert (found.tensorflow, found.changes) == ("2.10.0", ())
    (remark,) = found.notes
    assert remark.endswith("The nearest with a GPU: --tensorflow 2.12")
    assert of("python=3.10", "tensorflow=2.10", "cudnn").notes
    assert of("python=3.10", "tensorflow=2.10").notes == ()
    assert of("python=3.10", "tensorflow-gpu=2.12").notes == ()


def test_the_first_generation_is_refused() -> None:
    error = refusal("python=3.6", "tensorflow-gpu==1.3.0")
    assert error.message.startswith("environment.yml:3: programs for TensorFlow 1.3.0 do not run")
    assert "tensorflow/tensorflow:1.3.0-gpu" in error.remedy
    assert "--tensorflow 2.12" in error.remedy
    assert (
        of("python=3.6", "tensorflow-gpu==1.3.0", options=GivenOptions(tensorflow="2.12")).python
        == "3.10"
    )


def test_what_nobody_knows_is_refused() -> None:
    assert "unknown TensorFlow 2.99; the newest known is " in refusal("tensorflow=2.99").message


def test_lines_that_contradict_each_other_are_refused() -> None:
    error = refusal("tensorflow=2.12", "tensorflow-gpu=2.11")
    assert error.message == (
        "environment.yml:3: 'tensorflow-gpu=2.11' contradicts 'tensorflow=2.12' (environment.yml:2)"
    )


def test_keras_tells_where_tensorflow_is_not_named() -> None:
    found = of("python ~=3.9", "keras <2.10.0,>=2.9.0rc0")
    assert (found.tensorflow, found.python) == ("2.9", "3.10")
    assert of("keras >=3").tensorflow is None


def test_the_wheels_with_cuda_are_a_choice_of_the_gpu_mode() -> None:
    found = read_list(b"tensorflow[and-cuda]==2.15.1\n", Path("requirements.txt"))
    assert choose_goal(found, GivenOptions(), CATALOG, IMAGES).gpu == "pip"


VERSION = st.sampled_from([*known_pairs(CATALOG), "1.15", "2.99", "3.0"])
PYTHON = st.sampled_from(["2.7", *(f"3.{minor}" for minor in range(5, 16))])
OPERATOR = st.sampled_from(["=", "==", ">=", "<=", "~=", "<", ">"])


@given(VERSION, OPERATOR, PYTHON, OPERATOR, st.booleans())
def test_any_two_give_a_pair_that_can_be_set_up_or_one_error(
    version: str, of_version: str, python: str, of_python: str, built: bool
) -> None:
    build = "=py_0" if built and of_version == "=" else ""
    try:
        found = of(f"tensorflow{of_version}{version}{build}", f"python{of_python}{python}")
    except PlanError as error:
        assert "environment.yml:" in error.message
        assert "`poetry tf init --from environment.yml --tensorflow" in error.remedy
        return
    series = ".".join((found.tensorflow or CATALOG.series[-1]).split(".")[:2])
    release = CATALOG.newest(series)
    assert release is not None
    assert found.python in container_pythons(release, IMAGES, "auto", None)


@pytest.mark.parametrize(
    ("line", "release", "note"),
    [
        ("tensorflow==2.15.0.post1", "2.15.0", "a post-release: 2.15.0 is the nearest"),
        ("tensorflow==2.16.0rc0", "2.16.1", "a candidate: 2.16.1 is the nearest"),
        ("tensorflow-cpu==2.18.0rc2", "2.18.0", "a candidate: 2.18.0 is the nearest"),
    ],
)
def test_a_candidate_or_post_release_becomes_the_nearest_final_one(
    line: str, release: str, note: str
) -> None:
    found = goal(line)
    assert found.tensorflow == release
    assert not found.changes
    assert any(note in text for text in found.notes)


def test_a_release_that_never_was_is_said_with_its_line() -> None:
    found = goal("numpy", "tensorflow==2.15.7")
    assert found.tensorflow == "2.15"
    assert found.notes == (
        "requirements.txt:2: unknown TensorFlow 2.15.7; the newest of 2.15 is required instead",
    )


def test_the_listed_release_of_the_series_that_is_given_stays() -> None:
    listing = pip("tensorflow==2.18.0")
    for python in (None, "3.11"):
        given = GivenOptions("2.18", python)
        assert choose_goal(listing, given, CATALOG, IMAGES).tensorflow == "2.18.0"
    assert choose_goal(listing, GivenOptions("2.17"), CATALOG, IMAGES).tensorflow is None


def test_lines_that_never_count_together_do_not_contradict() -> None:
    found = goal(
        'tensorflow==2.10.1 ; sys_platform == "win32"',
        'tensorflow==2.15.0 ; sys_platform == "linux"',
    )
    assert found.tensorflow == "2.15.0"
    found = goal(
        'tensorflow==2.13.1 ; python_version < "3.12"',
        'tensorflow==2.16.2 ; python_version >= "3.12"',
    )
    assert found.tensorflow == "2.16.2"
    with pytest.raises(PlanError, match="contradicts"):
        goal(
            'tensorflow==2.13.1 ; platform_machine == "x86_64"',
            'tensorflow==2.16.2 ; sys_platform == "linux"',
        )


def test_a_constraint_on_tensorflow_names_its_version() -> None:
    pair = (
        'tensorflow==2.12.0 ; python_version < "3.9"',
        'tensorflow==2.15.1 ; python_version >= "3.9"',
    )
    found = constrained(["tensorflow"], *pair)
    assert choose_goal(found, GivenOptions(), CATALOG, IMAGES) == MigrationGoal(tensorflow="2.15.1")
    found = constrained(["pandas"], "tensorflow<2.16")
    assert choose_goal(found, GivenOptions(), CATALOG, IMAGES).tensorflow == "2.15"
    found = constrained(["tensorflow>=2.12"], "tensorflow==2.11.0")
    with pytest.raises(PlanError, match="contradicts"):
        choose_goal(found, GivenOptions(), CATALOG, IMAGES)
    found = constrained(["tensorflow>=2.12"], "tensorflow==2.99.0")
    with pytest.raises(PlanError, match=r"unknown TensorFlow 2\.99\.0"):
        choose_goal(found, GivenOptions(), CATALOG, IMAGES)
