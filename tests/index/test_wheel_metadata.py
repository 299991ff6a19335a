"""The metadata of wheels: the packaged one is what Poetry would read, and the other is in parts."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from contextlib import suppress
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from poetry.config.config import Config
from poetry.inspection.info import PackageInfo
from poetry.inspection.lazy_wheel import UnsupportedWheelError
from poetry.utils.authenticator import Authenticator

from poetry_tf.index import wheel_metadata
from poetry_tf.index.wheel_metadata import (
    TAIL,
    OversizedMetadataError,
    SlowRequirementError,
    archive_of_metadata,
    check_requirements,
    known_metadata,
    metadata_of,
    own_metadata,
)
from poetry_tf.releases import load
from poetry_tf.releases.resources import read_json
from tests.support.index import LocalIndex

DATA = read_json(wheel_metadata.DATA)


@pytest.mark.slow
def test_every_record_is_one_that_poetry_takes() -> None:
    assert DATA["files"]
    for sha256, record in DATA["files"].items():
        assert re.fullmatch(rf"[0-9a-f]{{{wheel_metadata.PREFIX}}}", sha256)
        info = known_metadata({"sha256": sha256 + "0" * (64 - wheel_metadata.PREFIX)})
        assert info is not None
        assert (info.name, info.version) == (record["name"], record["version"])
        package = info.to_package()
        assert package.pretty_version == record["version"]
        SpecifierSet(record["python"] or "")
        for line in info.requires_dist or ():
            try:
                Requirement(line)
            except InvalidRequirement as error:
                pytest.fail(f"{record['name']} {record['version']}: {line}: {error}")


def test_nothing_is_known_of_another_wheel() -> None:
    assert known_metadata({"sha256": "0" * 64}) is None
    assert known_metadata({"md5": next(iter(DATA["files"]))}) is None
    assert known_metadata({}) is None


def test_what_is_handed_out_is_the_callers_own() -> None:
    sha256 = next(
        key for key, record in DATA["files"].items() if DATA["requires"][record["requires"]]
    )
    first = known_metadata({"sha256": sha256})
    assert first is not None and first.requires_dist
    first.requires_dist.clear()
    second = known_metadata({"sha256": sha256})
    assert second is not None and second.requires_dist


def test_the_newest_release_of_each_series_is_known() -> None:
    """So that no wheel of TensorFlow's own is asked for."""
    versions = {item["version"] for item in DATA["files"].values() if item["name"] == "tensorflow"}
    catalog = load()
    assert {
        str(release.version) for series in catalog.series if (release := catalog.newest(series))
    } <= versions


# Names that take more room in the archive's directory than Poetry's own first request has.
MANY = {f"demo/a_module_with_a_long_name_{number}.py": b"x" * 900 for number in range(120)}
LARGE = {"demo/large.bin": bytes(range(256)) * 4000}


@pytest.mark.parametrize("members", [{}, LARGE, MANY, {**LARGE, **MANY}])
def test_one_request_for_most_wheels(members: dict[str, bytes]) -> None:
    with LocalIndex() as index:
        mount = index.mount("mirror", metadata=False)
        distribution = index.add("demo", "1.0", requires=["six (>=1.0)"], members=members)
        metadata = _read(mount.root, distribution)
    assert metadata is not None and metadata.requires_dist == ["six (>=1.0)"]
    assert [request.range for request in mount.requests] == [f"bytes=-{TAIL}"]


@pytest.mark.parametrize("behaviour", [{"range": False}, {"file_status": 403}, {"cut": -1}])
def test_a_wheel_that_cannot_be_read_in_parts(behaviour: dict[str, Any]) -> None:
    with LocalIndex() as index:
        mount = index.mount("mirror", metadata=False, **behaviour)
        distribution = index.add("demo", "1.0", members=LARGE)
        assert _read(mount.root, distribution) is None


def _read(root: str, distribution: Any) -> Any:
    (wheel,) = distribution.wheels
    session = Authenticator(Config(use_environment=False), disable_cache=True)
    return metadata_of(wheel.filename, f"{root}packages/{wheel.filename}", session)


@pytest.mark.parametrize(
    ("stem", "name", "version"),
    [
        ("Zope.Interface-5.0", "zope-interface", "5.0"),
        ("zope_interface-5.0", "zope.interface", "5.0.0"),
        ("PyYAML-6", "pyyaml", "6.0"),
        ("torch-2.1+cu118", "torch", "2.1.0+cu118"),
        ("torch-2.1_cu118", "torch", "2.1+cu118"),
        ("demo-1!2.0", "demo", "1!2"),
        ("demo-1_2.0", "demo", "1!2.0"),
        ("demo-1.0.post1", "demo", "1.0-1"),
        ("demo-1.0_1", "demo", "1.0-1"),
        ("demo-1.0rc1", "demo", "1.0-RC.1"),
        ("demo-01.02", "demo", "1.2"),
        ("demo-1.0-1build", "demo", "1.0"),
    ],
)
def test_metadata_of_the_same_release_in_another_spelling(
    stem: str, name: str, version: str
) -> None:
    info = own_metadata(f"{stem}-py2.py3-none-any.whl", _metadata(name, version))
    assert info is not None and info.version == version


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("other", "1.0"),
        ("demo", "1.1"),
        ("demo", "1.0.post1"),
        ("demo", "1.0+x"),
        ("demo", "1!1.0"),
        ("", "1.0"),
        ("demo", ""),
        ("demo", "9" * 5_000),
    ],
)
def test_metadata_of_another_release(name: str, version: str) -> None:
    assert own_metadata("demo-1.0-py3-none-any.whl", _metadata(name, version)) is None


def _metadata(name: str, version: str) -> bytes:
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()


def _pairs(number: int, glue: str = " ") -> str:
    terms = (f'(python_version == "3.{n}"{glue}and os_name == "os{n}")' for n in range(number))
    return f"six ; {f'{glue}or{glue}'.join(terms)}"


EXTRAS = " or ".join(f'extra == "an-extra-{number}"' for number in range(100))


@pytest.mark.parametrize(
    "written", [_pairs(40), _pairs(40, glue=""), f"six{' ' * 20_000}>1", f"six>{'1' * 50_000}"]
)
def test_a_requirement_that_takes_too_long_to_read(
    written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one with 40 alternatives takes hours; the bound itself is some seconds."""
    monkeypatch.setattr(wheel_metadata, "CALLS", wheel_metadata.CALLS // 10)
    info = PackageInfo(name="demo", version="1.0", requires_dist=["six", written])
    with pytest.raises(SlowRequirementError, match=r"^demo-1\.0\.tar\.gz has a requirement"):
        check_requirements("demo-1.0.tar.gz", info)


@pytest.mark.parametrize(
    "written",
    [
        _pairs(3),
        f"six ; {EXTRAS}",
        f'six ; python_version >= "3" and ({EXTRAS})',
        "no requirement ; at all",
        "six ; nonsense and (a or b)",
    ],
)
def test_a_long_or_wrong_requirement_is_left_to_poetry(written: str) -> None:
    info = PackageInfo(name="demo", version="1.0", requires_dist=["six", written])
    assert check_requirements("demo-1.0.tar.gz", info).requires_dist == ["six", written]


# -- METADATA alone ---------------------------------------------------------------------------


def _wheel(members: Mapping[str, bytes], extra: bytes = b"", comment: bytes = b"") -> BytesIO:
    file = BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = ZipInfo(name)
            info.extra, info.compress_type = extra, ZIP_DEFLATED
            archive.writestr(info, content)
        archive.comment = comment
    return file


NAME = "demo-1.0.dist-info/METADATA"
MEMBERS = st.dictionaries(
    st.sampled_from(
        ["demo/__init__.py", f"demo/_vendor/{NAME}", "demo.dist-info/METADATA.txt", "PK\1\2", "é/x"]
    ),
    st.binary(max_size=300),
)


@given(
    MEMBERS,
    st.binary(max_size=5000),
    MEMBERS,
    st.sampled_from([0, 1, 15, 30]),
    st.sampled_from([b"", b"signed"]),
)
def test_the_metadata_is_what_zipfile_reads(
    before: dict[str, bytes], content: bytes, after: dict[str, bytes], extra: int, comment: bytes
) -> None:
    """Whatever stands before and after it, and whatever fields a member has."""
    field = struct.pack("<HH", 0xCAFE, 4 * extra) + bytes(4 * extra) if extra else b""
    after = {name: data for name, data in after.items() if name not in before}
    wheel = _wheel({**before, NAME: content, **after}, field, comment)
    with ZipFile(BytesIO(archive_of_metadata(wheel, "demo"))) as archive:
        assert archive.namelist() == [NAME]
        assert archive.read(NAME) == content


@given(st.binary(max_size=200), st.data())
def test_an_archive_that_was_damaged_gives_no_other_metadata(
    content: bytes, data: st.DataObject
) -> None:
    """A wrong one is an error; it is read whole then, or the mirror is left."""
    whole = _wheel({"demo/a.py": b"x", NAME: content}).getvalue()
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    with suppress(Exception), ZipFile(BytesIO(_alone(damaged))) as archive:
        assert archive.read(archive.namelist()[0]) == content


def _alone(data: bytes) -> bytes:
    return archive_of_metadata(BytesIO(data), "demo")


@pytest.mark.parametrize(
    "wheel",
    [
        _wheel({"demo/a.py": b""}),
        _wheel({f"demo/{NAME}": b""}),
        BytesIO(b"no archive, but longer than the end of one"),
    ],
    ids=["without it", "of another", "none"],
)
def test_what_is_no_wheel_is_said(wheel: BytesIO) -> None:
    with pytest.raises(UnsupportedWheelError):
        archive_of_metadata(wheel, "demo")


def test_oversized_metadata_is_not_read() -> None:
    data = bytearray(_wheel({NAME: b"x" * 100}).getvalue())
    at = data.rindex(b"PK\1\2") + 20
    data[at : at + 4] = struct.pack("<L", 5_000_000)
    with pytest.raises(OversizedMetadataError):
        _alone(bytes(data))
