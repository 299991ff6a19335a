from __future__ import annotations

import pytest
from packaging.requirements import Requirement

from poetry_tf.releases.derive import (
    WheelFacts,
    and_cuda_of,
    block_of,
    is_unsatisfiable,
    names_to_ask,
    representative,
    without_extra,
)
from poetry_tf.releases.files import distributions
from poetry_tf.releases.index import IndexFile, ReadError
from poetry_tf.releases.wheel import Build

LINUX = "manylinux_2_17_x86_64"


def page(*names: str, **more):
    return distributions(IndexFile(name, "", **more) for name in names)


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("n==1; extra == 'and-cuda'", "n==1"),
        ("n (==1) ; extra == 'and_cuda'", "n==1"),
        ('n; python_version < "3.12" and extra == "and-cuda"', 'n; python_version < "3.12"'),
        (
            'n; (os_name == "nt" or os_name == "posix") and extra == "and-cuda"',
            'n; os_name == "nt" or os_name == "posix"',
        ),
        ("n==1; extra == 'other'", None),
        ("n==1; os_name == 'nt'", None),
        ("n==1", None),
    ],
)
def test_without_extra(text, inside):
    found = without_extra(Requirement(text), "and-cuda")
    assert (str(found) if found else None) == inside


@pytest.mark.parametrize(
    "marker",
    [
        'os_name == "nt" or os_name == "posix" and extra == "and-cuda"',
        'extra == "and-cuda" or os_name == "nt"',
        'extra == "and-cuda" and os_name == "nt"',
        'extra != "and-cuda"',
    ],
)
def test_a_marker_that_is_not_understood_is_not_guessed_at(marker):
    with pytest.raises(ReadError, match="not understood"):
        without_extra(Requirement(f"n; {marker}"), "and-cuda")


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("tensorflow-intel==2.18.1", True),
        ("tensorflow_intel (==2.18.1) ; platform_system == 'Windows'", True),
        ("tensorflow-intel==2.18.0", False),
        ("tensorflow-intel>=2.18.1", False),
        ("tensorflow-macos==2.18.1", True),  # the index has no such distribution
        ("numpy==99", False),
    ],
)
def test_unsatisfiable(text, lost):
    available = {
        "tensorflow-intel": page("tensorflow_intel-2.18.0-cp311-cp311-win_amd64.whl"),
        "tensorflow-macos": {},
    }
    assert is_unsatisfiable(Requirement(text), available) == lost


def test_nothing_is_concluded_from_a_page_that_was_not_read():
    with pytest.raises(ReadError, match="tensorflow-intel"):
        is_unsatisfiable(Requirement("tensorflow-intel==1"), {})
    with pytest.raises(ReadError, match="nvidia-x"):
        and_cuda_of([Requirement("nvidia-x; extra == 'and-cuda'")], ["3.11"], {})


def test_pythons_of_and_cuda():
    requirements = [
        Requirement("nvidia-x==1; extra == 'and-cuda'"),
        Requirement("tensorrt==8; extra == 'and-cuda'"),
        Requirement("late==1; python_version >= '3.12' and extra == 'and-cuda'"),
        Requirement("numpy"),
    ]
    available = {
        "nvidia-x": page("nvidia_x-1-py3-none-manylinux1_x86_64.whl"),
        "tensorrt": page(*(f"tensorrt-8-cp3{i}-none-{LINUX}.whl" for i in (9, 10, 12))),
        "late": {},
    }
    assert and_cuda_of(requirements, ["3.9", "3.10", "3.11", "3.12"], available) == {
        "requires": ["nvidia-x==1", "tensorrt==8", 'late==1; python_version >= "3.12"'],
        "pythons": ["3.9", "3.10"],
    }
    assert and_cuda_of([Requirement("numpy")], ["3.9"], {}) is None


def test_names_to_ask():
    said = WheelFacts(
        ("numpy", "Tensorflow_Intel==1", "nvidia.x; extra == 'and-cuda'", "not a requirement!"),
        Build(),
    )
    assert names_to_ask([said]) == {"tensorflow-intel", "nvidia-x"}


def test_the_wheel_that_speaks_for_a_release():
    names = [f"tensorflow-2.15.0-cp3{i}-cp3{i}-{LINUX}.whl" for i in (11, 10, 9)]
    files = [file for listed in page(*names).values() for file in listed]
    assert representative(files).file.filename == names[2]
    (yanked,) = page(names[2], yanked=True).values()
    assert representative([*files[:2], *yanked]).file.filename == names[1]
    (other,) = page("tensorflow-2.15.0-cp39-cp39-win_amd64.whl").values()
    with pytest.raises(ReadError, match="no Linux"):
        representative(other)


def test_yanked_files_do_not_count_unless_all_are():
    names = [f"tensorflow-2.15.0-cp3{i}-cp3{i}-{LINUX}.whl" for i in (9, 10)]
    (first,) = page(names[0], yanked=True, uploaded="2024-01-02T00:00:00Z").values()
    (second,) = page(names[1], uploaded="2024-01-03T00:00:00Z").values()
    block = block_of([*first, *second], WheelFacts((), Build()), {})
    assert block["pythons"] == {"linux-x86_64": ["3.10"]}
    assert block["uploaded"] == "2024-01-02"
    assert not block["yanked"]
    block = block_of(first, WheelFacts((), Build()), {})
    assert block["pythons"] == {"linux-x86_64": ["3.9"]}
    assert block["yanked"]


def test_a_malformed_requirement_is_told():
    (files,) = page(f"tensorflow-2.15.0-cp39-cp39-{LINUX}.whl").values()
    with pytest.raises(ReadError, match="malformed"):
        block_of(files, WheelFacts(("numpy >=",), Build()), {})
