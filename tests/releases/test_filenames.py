from __future__ import annotations

import pytest
from packaging.requirements import Requirement
from packaging.tags import Tag
from packaging.version import Version

from poetry_tf.http.pages import IndexFile
from poetry_tf.releases.filenames import (
    distributions,
    fits,
    minors_by_platform,
    platforms,
    satisfying,
)


def one(name: str, **more):
    ((found,),) = distributions([IndexFile(name, "", **more)]).values()
    return found


def test_what_is_no_distribution_is_passed_over():
    found = distributions(
        IndexFile(name, "")
        for name in ("a-1.tar.gz", "a-1-py3-none-any.whl", "a-2.exe", "a-1-py2.7.egg", "a.whl", "")
    )
    assert list(found) == [Version("1")]
    assert [file.is_wheel for file in found[Version("1")]] == [False, True]


@pytest.mark.parametrize(
    ("tag", "names"),
    [
        ("manylinux_2_17_x86_64", ("linux-x86_64",)),
        ("manylinux2014_aarch64", ("linux-aarch64",)),
        ("linux_x86_64", ("linux-x86_64",)),
        ("macosx_10_15_x86_64", ("macos-x86_64",)),
        ("macosx_12_0_arm64", ("macos-arm64",)),
        ("macosx_11_0_universal2", ("macos-x86_64", "macos-arm64")),
        ("win_amd64", ("windows-amd64",)),
        ("win32", ()),
        ("musllinux_1_2_x86_64", ()),
        ("manylinux2014_i686", ()),
        ("macosx_10_6_intel", ("macos-x86_64",)),
    ],
)
def test_platforms(tag, names):
    assert platforms(Tag("cp311", "cp311", tag)) == names


def test_minors_by_platform():
    wheels = [
        one(f"tensorflow-2.15.0-{tags}.whl")
        for tags in (
            "cp310-cp310-manylinux_2_17_x86_64.manylinux2014_x86_64",
            "cp39-cp39-manylinux_2_17_x86_64",
            "cp310-cp310-macosx_12_0_arm64",
            "cp37-cp37m-win_amd64",
            "cp313-cp313t-win_amd64",
            "py3-none-any",
            "pp310-pypy310_pp73-win_amd64",
        )
    ]
    assert minors_by_platform(wheels) == {
        "linux-x86_64": ("3.9", "3.10"),
        "macos-arm64": ("3.10",),
        "windows-amd64": ("3.7",),
    }
    assert list(minors_by_platform(wheels)) == ["linux-x86_64", "macos-arm64", "windows-amd64"]


@pytest.mark.parametrize(
    ("name", "fitting"),
    [
        ("n-1-py3-none-manylinux2014_x86_64.whl", {"3.9", "3.11"}),
        ("n-1-py3-none-any.whl", {"3.9", "3.11"}),
        ("n-1-py2.py3-none-any.whl", {"3.9", "3.11"}),
        ("n-1-py2-none-any.whl", set()),
        ("n-1-py310-none-any.whl", {"3.11"}),
        ("n-1-cp39-abi3-manylinux2014_x86_64.whl", {"3.9", "3.11"}),
        ("n-1-cp310-abi3-manylinux2014_x86_64.whl", {"3.11"}),
        ("n-1-cp311-cp311-manylinux2014_x86_64.whl", {"3.11"}),
        ("n-1-cp311-none-manylinux2014_x86_64.whl", {"3.11"}),
        ("n-1-cp311-cp311-win_amd64.whl", set()),
        ("n-1-py3-none-manylinux2014_aarch64.whl", set()),
        ("n-1-cp311-cp311t-manylinux2014_x86_64.whl", set()),
        ("n-1-pp311-pypy311_pp73-manylinux2014_x86_64.whl", set()),
        ("n-1.tar.gz", {"3.9", "3.11"}),
    ],
)
def test_fits(name, fitting):
    assert {minor for minor in ("3.9", "3.11") if fits(one(name), minor, "linux-x86_64")} == fitting


def test_requires_python_counts():
    assert not fits(one("n-1.tar.gz", requires_python=">=3.10"), "3.9", "linux-x86_64")
    assert fits(one("n-1.tar.gz", requires_python=">=3.9.2"), "3.9", "linux-x86_64")
    assert fits(one("n-1.tar.gz", requires_python="no bound at all"), "3.9", "linux-x86_64")


def test_satisfying():
    available = distributions(
        [
            IndexFile("n-1.0.tar.gz", "", yanked=True),
            IndexFile("n-1.1.tar.gz", ""),
            IndexFile("n-2.0rc1.tar.gz", ""),
        ]
    )

    def names(text: str) -> list[str]:
        return [file.file.filename for file in satisfying(Requirement(text), available)]

    assert names("n") == ["n-1.1.tar.gz"]
    assert names("n==1.0") == ["n-1.0.tar.gz"]
    assert names("n<1.1") == []
    assert names("n>=1") == ["n-1.1.tar.gz"]
    assert names("n==2.0rc1") == ["n-2.0rc1.tar.gz"]
    assert names("n==3") == []
