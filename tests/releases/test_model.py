from __future__ import annotations

import pytest

from poetry_tf.releases.model import LINUX_AARCH64, LINUX_X86_64, AndCuda, Wheels, numbers


def wheels(*tags: str) -> Wheels:
    return Wheels(dict.fromkeys(tags, ("3.11",)))


@pytest.mark.parametrize(
    ("tags", "glibc"),
    [
        (("manylinux1_x86_64",), "2.5"),
        (("manylinux2010_x86_64",), "2.12"),
        (("manylinux_2_17_x86_64.manylinux2014_x86_64",), "2.17"),
        # In one name each tag is enough; of several wheels each counts.
        (("manylinux_2_28_x86_64.manylinux2014_x86_64",), "2.17"),
        (("manylinux_2_28_x86_64", "manylinux2014_x86_64"), "2.28"),
        (("manylinux_2_5_x86_64", "manylinux2010_x86_64"), "2.12"),
        (("linux_x86_64",), None),
        (("win_amd64",), None),
        ((), None),
    ],
)
def test_glibc(tags, glibc):
    assert wheels(*tags).glibc == glibc
    assert wheels(*tags).macos is None


@pytest.mark.parametrize(
    ("tags", "macos"),
    [
        (("macosx_10_9_x86_64", "macosx_10_14_x86_64"), "10.14"),
        (("macosx_12_0_arm64",), "12.0"),
        (("macosx_10_6_intel.macosx_10_9_x86_64",), "10.6"),
        (("win_amd64",), None),
    ],
)
def test_macos(tags, macos):
    assert wheels(*tags).macos == macos
    assert wheels(*tags).glibc is None


def test_where_and_cuda_is():
    extra = AndCuda((), ("3.10",), {LINUX_AARCH64: ("3.11",)})
    assert extra.pythons_on(LINUX_X86_64) == ("3.10",)
    assert extra.pythons_on(LINUX_AARCH64) == ("3.11",)
    assert extra.pythons_on("windows-amd64") == ()


def test_versions_as_numbers():
    assert sorted(["3.10", "3.9", "3.9.1"], key=numbers) == ["3.9", "3.9.1", "3.10"]
