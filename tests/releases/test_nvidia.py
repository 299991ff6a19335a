from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from poetry_tf.releases import cudnn_package, driver, load, whole
from poetry_tf.releases.model import LINUX_X86_64, numbers
from poetry_tf.releases.nvidia import driver_capabilities, drivers, overlooked_folders
from poetry_tf.releases.resources import read_json


@pytest.mark.parametrize(
    ("cuda", "name", "linux", "least"),
    [
        ("12.5.1", "12.5 Update 1", "555.42.06", "525.60.13"),
        ("12.5", "12.5 Update 1", "555.42.06", "525.60.13"),
        ("12.5.0", "12.5 GA", "555.42.02", "525.60.13"),
        ("12.3", "12.3 Update 1", "545.23.08", "525.60.13"),
        ("12.2", "12.2 Update 2", "535.104.05", "525.60.13"),
        ("11.8", "11.8 GA", "520.61.05", "450.80.02"),
        ("11.2", "11.2.2 Update 2", "460.32.03", "450.80.02"),
        ("10.1", "10.1.105 and updates", "418.39", None),
        ("10", "10.2.89", "440.33", None),
    ],
)
def test_driver(cuda, name, linux, least):
    found = driver(cuda)
    assert found is not None
    assert (found.cuda, found.linux, found.linux_least) == (name, linux, least)


def test_an_unknown_cuda_has_no_driver():
    assert driver("99.1") is None
    assert driver("12.5.9") is None


def test_drivers_ascend_and_a_newer_cuda_wants_no_older_driver():
    for (one, _), (other, _) in pairwise(drivers()):
        assert numbers(one) < numbers(other)
    own = [(cuda, item.linux) for cuda, item in drivers() if item.linux is not None]
    for (one, first), (_, second) in pairwise(own):
        assert numbers(first) <= numbers(second) or one.startswith("11.0")


def test_a_cuda_without_a_driver_of_its_own_has_the_least_one():
    for cuda, item in drivers():
        assert item.linux or (numbers(cuda) >= (13, 4) and item.linux_least)
    newest = driver("13.5")
    assert newest is not None and (newest.linux, newest.linux_least) == (None, "580")


def test_every_cuda_of_a_wheel_has_a_driver_and_a_package():
    for release in whole().releases:
        for wheels in release.wheels.values():
            assert wheels.cuda is None or driver(wheels.cuda) is not None
        assert (cudnn_package(release) is None) == (release.cudnn is None)


@pytest.mark.parametrize(
    ("version", "package", "confidence"),
    [
        ("2.5.0", "libcudnn8=8.1.0.77-1+cuda11.2", "high"),
        ("2.13.1", "libcudnn8=8.6.0.163-1+cuda11.8", "high"),
        ("2.15.1", "libcudnn8=8.9.4.25-1+cuda12.2", "high"),
        ("2.16.2", "libcudnn8=8.9.6.50-1+cuda12.2", "high"),
        ("2.21.0", "libcudnn9-cuda-12=9.3.0.75-1", "high"),
    ],
)
def test_cudnn_package(version, package, confidence):
    release = whole().get(version)
    assert release is not None
    found = cudnn_package(release)
    assert found is not None
    assert (found.packages[0], found.confidence) == (package, confidence)
    assert found.source


def test_the_package_of_a_proven_pair_is_one_that_the_release_was_built_with():
    """What the container installs and what `releases` shows do not contradict each other."""
    for release in whole().releases:
        pair, found = load().container_pair(release), cudnn_package(release)
        if pair is not None and pair.proven:
            assert found is not None
            assert found.packages[0].partition("=")[2].startswith(f"{pair.cudnn}-")
            assert found.confidence != "low"


def test_there_is_no_cudnn_8_for_cuda_12_3():
    for entry in read_json("nvidia.json")["cudnn"]:
        assert not any(package.endswith("+cuda12.3") for package in entry["packages"])


def test_a_package_and_a_pin_are_of_the_wheels_cudnn():
    for release in whole().releases:
        found = cudnn_package(release)
        if found is None or release.cudnn is None:
            continue
        for package in found.packages:
            version = package.partition("=")[2]
            assert version.split(".")[0] == release.cudnn.split(".")[0]
        if release.and_cuda is not None:
            (pin,) = (text for text in release.and_cuda.requires if "nvidia-cudnn" in text)
            assert found.pinned is not None
            assert found.pinned.split(",")[0] in pin
        else:
            assert found.pinned is None


@pytest.mark.parametrize(
    ("version", "folders"),
    [
        ("2.13.1", ()),  # has no such wheels
        ("2.14.0", ()),
        ("2.16.1", ("cublas", "cudnn", "cufft", "cusolver", "cusparse")),
        ("2.16.2", ()),
        ("2.17.0", ()),
        ("2.18.1", ()),
        ("2.20.0", ()),
        ("2.21.0", ("cusolver",)),
    ],
)
def test_folders_that_a_release_overlooks(version, folders):
    release = whole().get(version)
    assert release is not None
    assert overlooked_folders(release) == folders


def test_where_each_release_with_wheels_of_nvidias_looks_is_known():
    for release in whole().releases:
        if release.and_cuda is not None and release.cuda is not None:
            assert "cuda_runtime" in (release.wheels[LINUX_X86_64].looks_in or ())


def test_nothing_is_said_of_the_folders_of_a_cuda_whose_wheels_are_not_known():
    release = whole().get("2.21.0")
    assert release is not None
    assert overlooked_folders(replace(release, cuda="13.1.0")) == ()
    linux = replace(release.wheels[LINUX_X86_64], looks_in=None)
    assert overlooked_folders(replace(release, wheels={LINUX_X86_64: linux})) == ()


def test_nvml_is_asked_for_from_2_21_on():
    wanted = {str(release.version): driver_capabilities(release) for release in whole().releases}
    assert wanted["2.20.0"] == ("compute",)
    assert wanted["2.21.0"] == ("compute", "utility")
