"""Which breaking changes a move shows: by the series, the settings, what is required and locked."""

from __future__ import annotations

import pytest

from poetry_tf.actions.upgrade import plan_upgrade
from poetry_tf.files.lock import Lock
from poetry_tf.files.project import LOCK
from tests.made import NOWHERE, in_memory, lock_text

MOVES = [
    ("2.8", "2.9", "_GLIBCXX_USE_CXX11_ABI=1"),
    ("2.10", "2.11", "take no decay="),
    ("2.14", "2.15", "compute capability 3.5"),
    ("2.15", "2.16", "lr="),
    ("2.15", "2.18", "takes only paths that end in .keras"),
    ("2.15", "2.18", "tf.keras.Input"),
    ("2.15", "2.18", "DenseFeatures"),
    ("2.15", "2.16", "ends the process with an LLVM error"),
    ("2.17", "2.18", "tf.lite.Interpreter warns"),
]


def shown(
    old: str,
    new: str,
    *requires: str,
    legacy_keras: bool = False,
    gpu: str = "auto",
    environment: str = "linux-x86_64",
    protobufs: tuple[str, str] = ("4.25.3", "4.25.3"),
) -> str:
    """What the page says of the code, as one text."""
    major, minor = old.split(".")
    lines = [f"tensorflow (>={old},<{major}.{int(minor) + 1})", *requires]
    text = (
        f'[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.10,<3.11"\n'
        f"dependencies = {lines!r}\n[tool.poetry]\npackage-mode = false\n"
        f'[tool.poetry-tf]\ngpu = "{gpu}"\nenvironments = ["{environment}"]\n'
    )
    locks = [lock_text(("protobuf", version)) for version in protobufs]
    upgrade = plan_upgrade(in_memory(text, lock=locks[0]), new, legacy_keras=legacy_keras)
    changes = upgrade.changes(Lock.read(NOWHERE / LOCK, locks[1]))
    return "\n".join(f"{one.at} {one.what}: {one.do}" for one in changes)


@pytest.mark.parametrize(("old", "new", "text"), MOVES)
def test_a_move_shows_what_breaks_on_its_way(old: str, new: str, text: str):
    assert text in shown(old, new)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("2.9", "2.10", "_GLIBCXX_USE_CXX11_ABI=1"),
        ("2.16", "2.17", "lr="),
        ("2.15", "2.17", "LLVM error"),  # 2.17 is fine again
        ("2.18", "2.19", "tf.lite.Interpreter warns"),
    ],
)
def test_what_was_passed_before_or_is_over_is_not_shown(old: str, new: str, text: str):
    assert text not in shown(old, new)


def test_what_keras_3_breaks_does_not_matter_with_keras_2():
    with_keras_3, with_keras_2 = (
        shown("2.15", "2.18", "tensorflow-hub (~=0.16.0)", legacy_keras=legacy)
        for legacy in (False, True)
    )
    for text in ("lr=", "DenseFeatures", "KerasLayer", "tf.keras is Keras 3"):
        assert text in with_keras_3
        assert text not in with_keras_2
    assert "before 0.16 fails at import" in with_keras_2


def test_the_legacy_optimizers_are_no_way_past_2_15():
    assert "from 2.16 on that is there with --legacy-keras only" in shown("2.10", "2.16")


def test_what_is_about_a_package_is_shown_to_those_who_require_it():
    for name in ("tensorflow-hub", "tensorflow-model-optimization"):
        assert f"{name} before" in shown("2.15", "2.18", name)
        assert f"{name} before" not in shown("2.15", "2.18")
    assert "tensorflowjs has no release" in shown("2.19", "2.21", "tensorflowjs")
    assert "from_keras" in shown("2.15", "2.18", "tf2onnx")
    assert "from_keras" not in shown("2.15", "2.18", "tf2onnx", legacy_keras=True)


@pytest.mark.parametrize(
    ("environment", "new", "is_shown"),
    [
        ("macos-arm64", "2.17", True),
        ("macos-arm64", "2.16", False),
        ("linux-x86_64", "2.17", False),
    ],
)
def test_recommenders_end_on_macos_with_tensorflow_macos(
    environment: str, new: str, is_shown: bool
):
    text = shown("2.15", new, "tensorflow-recommenders", environment=environment)
    assert ("ends at 2.16" in text) is is_shown


def test_the_gpus_that_are_gone_do_not_matter_without_one():
    assert "Kepler" in shown("2.14", "2.15")
    assert "Kepler" not in shown("2.14", "2.15", gpu="none")


@pytest.mark.parametrize(
    ("old", "new", "protobufs", "is_shown"),
    [
        ("2.11", "2.12", ("3.19.6", "4.25.3"), True),
        ("2.15", "2.18", ("4.25.3", "5.29.6"), True),
        ("2.20", "2.21", ("5.29.6", "7.35.0"), True),
        ("2.18", "2.15", ("5.29.6", "4.25.3"), True),
        ("2.15", "2.18", ("4.25.3", "4.25.9"), False),
    ],
)
def test_a_move_of_protobufs_major_is_shown(
    old: str, new: str, protobufs: tuple[str, str], is_shown: bool
):
    assert ("another major of protobuf" in shown(old, new, protobufs=protobufs)) is is_shown
