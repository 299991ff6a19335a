from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetry_tf.releases import names
from poetry_tf.releases.names import misspelling_of, named, normalize, own, role, roles
from poetry_tf.releases.resources import read_json

SEEN = [
    "tersorflow",
    "tenserflow",
    "tensorfow",
    "tensoflow",
    "tenorflow",
    "tesorflow",
    "tesnorflow",
    "tensroflow",
    "tensorlow",
    "tensforflow",
    "thensorflow",
    "tenosrflow",
    "tensowflow",
    "tensorflo",
]


@pytest.mark.parametrize("name", SEEN)
def test_misspellings_that_people_made(name):
    assert misspelling_of(name) == "tensorflow"
    assert misspelling_of(name.upper()) == "tensorflow"
    assert misspelling_of(f"{name}-gpu") == "tensorflow-gpu"
    assert misspelling_of(f"{name}_CPU.aws") == "tensorflow-cpu-aws"
    assert misspelling_of(f"{name}-probability") == "tensorflow-probability"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("tensor-flow", "tensorflow"),
        ("Tensor.Flow_CPU", "tensorflow-cpu"),
        ("tensorflowgpu", "tensorflow-gpu"),
        ("tensorflow-gup", "tensorflow-gpu"),
        ("tensorflow-ggpu", "tensorflow-gpu"),
        ("tensorflow-intell", "tensorflow-intel"),
        ("tensorflow-imtel", "tensorflow-intel"),
        ("tensorflwo-cpu", "tensorflow-cpu"),
        ("tensorflows", "tensorflow"),
        ("tensflow", "tensorflow"),
        ("tfnightly", "tf-nightly"),
        ("tf-nighly", "tf-nightly"),
    ],
)
def test_other_slips(name, meant):
    assert misspelling_of(name) == meant


@pytest.mark.parametrize(
    "name",
    [
        *(
            "sensorflow",
            "tensorflux",
            "tensorfox",
            "tensorfly",
            "teraflow",
            "textflow",
            "tenserfly",
        ),
        # The stem is right: the rest is somebody's choice of a name.
        *("tensorflow-npu", "tensorflow-xpu", "tensorflow-r", "tensorflow-io-2", "tensorflow-ops"),
        *("tensorflow-texts", "tensorflow-gpu-tools", "tensorflow-cpu-x", "tensorflow-wrapper"),
        *("", "t", "-", "torch", "tf", "numpy", "tensorflow-gp"),
    ],
)
def test_names_of_their_own_are_let_be(name):
    assert misspelling_of(name) is None


def test_no_known_name_is_caught():
    for name in roles():
        assert misspelling_of(name) is None
        assert misspelling_of(name.upper().replace("-", "_.")) is None


def test_roles():
    assert role("tensorflow") == role("TensorFlow_CPU") == "main"
    assert role("tensorflow-gpu") == "retired"
    assert role("tensorflow.intel") == "shim"
    assert role("tf_nightly") == "nightly"
    assert role("tf-keras") == "companion"
    assert role("tensorrt") == "other"
    assert role("torch") is None
    assert named("main") == {"tensorflow", "tensorflow-cpu"}
    assert named("shim") == {"tensorflow-cpu-aws", "tensorflow-intel", "tensorflow-macos"}
    assert named("main", "retired") < own()
    assert "keras" not in own()


def test_the_list_itself():
    every = [name for listed in read_json("names.json")["roles"].values() for name in listed]
    assert len(every) == len(set(every)) == len(roles())
    for listed in read_json("names.json")["roles"].values():
        assert listed == sorted(listed)
    for name in every:
        assert normalize(name) == name.replace(".", "-")


@given(st.text(max_size=40) | st.text(alphabet="tensorflw-_gpu.", max_size=24))
def test_any_text_gets_an_answer(name):
    meant = misspelling_of(name)
    assert meant is None or (meant in roles() and normalize(name) not in roles())
    assert role(name) is None or meant is None


@given(st.sampled_from(sorted(own())), st.integers(1, 9), st.sampled_from(string.ascii_lowercase))
def test_one_slip_in_the_stem_is_seen(name, place, letter):
    if not name.startswith("tensorflow"):
        return
    slipped = name[:place] + letter + name[place + 1 :]
    if slipped not in roles():
        assert misspelling_of(slipped) == name


def test_distance_counts_a_swap_once():
    for one, other, distance in [
        *(("", "", 0), ("a", "", 1), ("", "ab", 2), ("ab", "ba", 1), ("abc", "acb", 1)),
        *(("ca", "abc", 3), ("kitten", "sitting", 3), ("tenosrflow", "tensorflow", 1)),
    ]:
        assert names._distance(one, other) == distance
        assert names._distance(other, one) == distance
