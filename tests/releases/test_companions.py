from __future__ import annotations

import pytest
from packaging.version import Version

from poetry_tf.releases import Release, fits, whole
from poetry_tf.releases.companions import companions, has_extra_for, newest
from poetry_tf.releases.names import named
from poetry_tf.releases.reader.companions import COMPANIONS
from poetry_tf.releases.resources import read_json


def the(version: str) -> Release:
    found = whole().get(version)
    assert found is not None
    return found


def versions(name: str, version: str) -> set[str]:
    """The minor series of a companion that fit a TensorFlow."""
    return {
        ".".join(map(str, fit.companion.version.release[:2])) for fit in fits(name, the(version))
    }


def test_who_is_a_companion():
    assert set(companions()) == set(COMPANIONS) <= named("companion")
    for name, releases in companions().items():
        assert [one.version for one in releases] == sorted(one.version for one in releases)
        assert {one.name for one in releases} == {name}
        assert releases


@pytest.mark.parametrize(
    ("probability", "tensorflow"),
    [
        ("0.9", "2.1.0"),
        *((f"0.{minor + 8}", f"2.{minor}.0") for minor in range(2, 16)),
        ("0.24", "2.16.1"),
        *(("0.25", f"2.{minor}.0") for minor in range(18, 22)),
    ],
)
def test_probability_by_its_code(probability, tensorflow):
    assert versions("tensorflow-probability", tensorflow) == {probability}
    found = newest("tensorflow-probability", the(tensorflow))
    assert found is not None
    assert (found.basis, found.solved) == ("code", False)
    needs_keras = Version(tensorflow) >= Version("2.16")
    assert any("tf-keras" in line for line in found.companion.requires) == needs_keras


@pytest.mark.parametrize("addons", range(12, 24))
def test_addons_by_what_they_were_built_for(addons: int):
    """Their extra admits up to three series, of which it is the last."""
    name = "tensorflow-addons"
    fitting = {
        release.series
        for release in whole().releases
        if f"0.{addons}" in versions(name, str(release.version))
    }
    assert fitting == {f"2.{addons - 8}"}
    found = newest(name, the(f"2.{addons - 8}.0"))
    assert found is not None
    assert (found.basis, found.solved) == ("documented", False)
    assert has_extra_for(found.companion, the(f"2.{addons - 9}.0"))
    after = whole().in_series(f"2.{addons - 7}")[-1]
    assert not has_extra_for(found.companion, after)


def test_addons_are_retired():
    assert versions("tensorflow-addons", "2.16.1") == set()


@pytest.mark.parametrize(
    ("tensorflow", "io"),
    [
        ("2.7.0", {"0.22", "0.23"}),
        ("2.8.0", {"0.24", "0.25"}),
        ("2.9.0", {"0.26"}),
        ("2.10.0", {"0.27"}),
        ("2.11.0", {"0.28", "0.29", "0.30", "0.31"}),
        ("2.12.0", {"0.32"}),
        ("2.13.0", {"0.33", "0.34"}),
        ("2.14.0", {"0.35"}),
        ("2.15.0", {"0.36"}),
        ("2.16.1", {"0.37"}),
        ("2.17.0", set()),
    ],
)
def test_io(tensorflow, io):
    assert versions("tensorflow-io", tensorflow) == io
    bases = {str(fit.companion.version): fit.basis for fit in fits("tensorflow_io", the("2.7.0"))}
    assert bases == {"0.22.0": "metadata", "0.23.0": "extra", "0.23.1": "extra"}


@pytest.mark.parametrize(
    ("tensorflow", "metal"),
    [
        ("2.5.0", "0.1"),
        *((f"2.{minor}.0", f"0.{minor - 4}") for minor in range(6, 13)),
        ("2.13.0", "1.0"),
        *((f"2.{minor}.0", "1.1") for minor in (14, 15, 17)),
        *((f"2.{minor}.0", "1.2") for minor in (18, 19)),
    ],
)
def test_metal_by_its_makers(tensorflow, metal):
    assert versions("tensorflow-metal", tensorflow) == {metal}
    found = newest("tensorflow-metal", the(tensorflow))
    assert found is not None
    assert found.basis == "documented"
    assert found.source == read_json("documented.json")["tensorflow-metal"]["source"]
    assert "linux-x86_64" in found.companion.lacks(the(tensorflow))


@pytest.mark.parametrize("tensorflow", ["2.20.0", "2.21.0"])
def test_metal_ends_before_2_20(tensorflow):
    assert fits("tensorflow-metal", the(tensorflow)) == ()


def test_text_and_decision_forests_declare_it():
    for series in whole().series[5:-2]:
        release = whole().in_series(series)[-1]
        found = newest("tensorflow-text", release)
        assert found is not None
        assert (found.basis, found.solved) == ("metadata", True)
    text = newest("tensorflow-text", the("2.13.1"))
    assert text is not None
    assert text.companion.lacks(the("2.13.1")) == (
        *("linux-aarch64", "macos-arm64", "windows-amd64"),
    )
    forests = newest("tensorflow-decision-forests", the("2.15.1"))
    assert forests is not None
    assert (str(forests.companion.version), forests.basis) == ("1.8.1", "metadata")
    assert newest("tensorflow-decision-forests", the("2.21.0")) is None


def test_tf_keras():
    """2.14.1 and 2.15.0 declare nothing; 2.20.0 is yanked."""
    bases = {str(one.version): one.basis for one in companions()["tf-keras"]}
    assert bases["2.14.1"] == bases["2.15.0"] == "documented"
    assert bases["2.15.1"] == bases["2.21.0"] == "metadata"
    yanked = [str(one.version) for one in companions()["tf-keras"] if one.yanked]
    assert yanked == ["2.20.0"]
    assert len(fits("tf-keras", the("2.20.0"))) == 2
    found = newest("tf-keras", the("2.20.0"))
    assert found is not None
    assert str(found.companion.version) == "2.20.1"


def test_keras_is_tensorflows_own_word():
    assert versions("keras", "2.15.1") == {"2.15"}
    found = newest("keras", the("2.18.0"))
    assert found is not None
    assert found.basis == "tensorflow"
    assert found.companion.version >= Version("3.15")  # no upper bound since 2.16
    # A release for Pythons that the TensorFlow lacks wheels for has none of its own to offer.
    assert "3.9" not in found.companion.pythons_for(the("2.18.0"), "linux-x86_64")


def test_where_the_filesystem_has_wheels():
    releases = {str(one.version): one for one in companions()["tensorflow-io-gcs-filesystem"]}
    windows = [version for version, one in releases.items() if "windows-amd64" in one.pythons]
    assert windows[-1] == "0.31.0"
    for python in ("3.7", "3.8"):
        last = [v for v, one in releases.items() if python in one.pythons["linux-x86_64"]]
        assert last[-1] == "0.34.0"
    assert releases["0.37.1"].requires_python == "<3.13,>=3.7"  # which promises too much
    assert "macos-arm64" not in releases["0.31.0"].pythons
    fit = newest("tensorflow-io-gcs-filesystem", the("2.13.1"))
    assert fit is not None
    assert (fit.basis, fit.companion.lacks(the("2.13.1"))) == ("tensorflow", ("windows-amd64",))
    # An extra by now: 2.20 works with the last release, 2.21 does not.
    optional = newest("tensorflow-io-gcs-filesystem", the("2.20.0"))
    assert optional is not None
    assert (str(optional.companion.version), optional.solved) == ("0.37.1", False)
    assert newest("tensorflow-io-gcs-filesystem", the("2.21.0")) is None


def test_an_open_end_is_no_promise():
    old = {str(one.version): one for one in companions()["tensorflow-addons"]}["0.7.1"]
    assert (old.fits, old.basis) == (">=2.1.0,<2.2", "open")
    assert versions("tensorflow-decision-forests", "2.5.0") == {"0.1"}


def test_what_is_no_companion_fits_nothing():
    assert fits("numpy", the("2.15.1")) == ()
    assert newest("numpy", the("2.15.1")) is None
