"""The shipped data is made from an index, and compared with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from poetry_tf.http.errors import ReadError
from poetry_tf.releases import DISTRIBUTIONS
from poetry_tf.releases.catalog import catalog_from
from poetry_tf.releases.reader import companions, index_reader, refresh
from poetry_tf.releases.reader.datafile import differences, render, write
from poetry_tf.releases.resources import read_json
from tests.support.wheel_index import (
    LINUX,
    File,
    MadeIndex,
    Serving,
    hollow_wheel,
    metadata,
    tensorflow_wheel,
    zipped,
)

CUDA = (
    "nvidia-cudnn-cu12==9.3.0.75 ; extra == 'and-cuda'",
    "tensorrt==8.5 ; extra == 'and-cuda'",
)
INTEL = 'tensorflow-intel ==2.13.1 ; platform_system == "Windows"'


def wheel_name(version: str, minor: str = "311", platform: str = LINUX) -> str:
    return f"tensorflow-{version}-cp{minor}-cp{minor}-{platform}.whl"


OLD = wheel_name("2.13.1", "38")
NEW = wheel_name("2.18.1", "39")
SHIM = wheel_name("2.13.1", "38", "win_amd64")
TEXT = f"tensorflow_text-2.13.0-cp311-cp311-{LINUX}.whl"


@pytest.fixture
def index():
    made = MadeIndex()
    old = tensorflow_wheel("2.13.1", requires=["numpy (<2)", INTEL], cuda="11.8", cudnn="8")
    new = tensorflow_wheel("2.18.1", requires=[*CUDA, INTEL.replace("13", "18")], exact="9.3.0")
    intel = tensorflow_wheel("2.13.1", requires=["numpy (<2)"], cuda=None)
    same = tensorflow_wheel("2.18.1", requires=[*CUDA, INTEL.replace("13", "18")], cuda=None)
    made.add(
        "tensorflow",
        *(File(wheel_name(version), b"") for version in ("2.4.0", "2.12.0rc0", "1.15.0")),
        File(NEW, new, uploaded="2025-03-12T20:00:00.000001Z"),
        File(wheel_name("2.18.1", "310"), same, uploaded="2025-03-13T00:00:00Z"),
        File(OLD, old, uploaded="2023-09-26T12:00:00Z"),
        File(SHIM, hollow_wheel("tensorflow", "2.13.1", [INTEL])),
        File("tensorflow-2.13.1.exe", b"never read"),
    )
    made.add(
        "tensorflow-intel",
        File("tensorflow_intel-2.13.1-cp38-cp38-win_amd64.whl", intel),
    )
    for name in ("cpu", "gpu", "macos", "cpu-aws"):
        made.add(f"tensorflow-{name}", File(f"tensorflow-{name}-1.15.0.tar.gz"))
    for name in companions.COMPANIONS:
        made.add(name, File(f"{name}-0.0.1.tar.gz"))
    text = hollow_wheel("tensorflow-text", "2.13.0", ["tensorflow (<2.14,>=2.13.0)", "numpy"])
    made.add("tensorflow-text", File(TEXT, text, requires_python=">=3.8"))
    made.add(
        "nvidia-cudnn-cu12", File("nvidia_cudnn_cu12-9.3.0.75-py3-none-manylinux2014_x86_64.whl")
    )
    made.add("tensorrt", File("tensorrt-8.5-cp310-none-manylinux_2_17_x86_64.whl"))
    with Serving(made):
        yield made


@pytest.fixture
def run(index, tmp_path, capsys):
    output = tmp_path / "data"
    output.mkdir()

    def run(*arguments: str):
        cache = () if "--cache" in arguments else ("--no-cache",)
        places = ("--index", index.url, "--output", str(output), *cache)
        status = refresh.main([*places, *arguments])
        return status, capsys.readouterr().err

    def read(name: str = "tensorflow.json"):
        return json.loads((output / name).read_text("utf-8"))

    def written():
        return {path.name: path.read_bytes() for path in output.iterdir()}

    run.output = output  # type: ignore[attr-defined]
    run.read = read  # type: ignore[attr-defined]
    run.written = written  # type: ignore[attr-defined]
    return run


def test_what_is_read(run, index):
    status, reported = run()
    assert status == 0, reported
    assert set(run.written()) == {
        *(f"{name}.json" for name in DISTRIBUTIONS),
        "companions.json",
        "hashes.json",
    }
    content = run.read()
    assert content["distribution"] == "tensorflow"
    assert content["from"] == "2.0"
    assert content["newest_upload"] == "2025-03-13"
    assert content["prereleases"] == ["2.12.0rc0"]
    assert content["older"] == ["1.15.0"]
    assert list(content["releases"]) == ["2.4.0", "2.13.1", "2.18.1"]
    listed = {
        file.name: file.sha256
        for file in index.projects["tensorflow"]
        if file.name.endswith(".whl")
    }
    hashes = run.read("hashes.json")["hashes"]
    assert hashes["tensorflow"] == listed
    assert [*hashes] == [*DISTRIBUTIONS]
    assert content["releases"]["2.4.0"] == {  # its wheels are not opened
        "uploaded": "2024-05-06",
        "yanked": False,
        "platforms": {"linux-x86_64": {"pythons": {LINUX: ["3.11"]}}},
    }
    files = {file.name: file for file in index.projects["tensorflow"]}
    assert content["releases"]["2.13.1"] == {
        "uploaded": "2023-09-26",
        "yanked": False,
        "platforms": {
            "linux-x86_64": {
                "pythons": {LINUX: ["3.8"]},
                "kind": "real",
                "cuda": "11.8",
                "cudnn": "8",
                "compute": ["sm_60", "compute_80"],
                "said_by": {"cuda": "build_info.py", "cudnn": "build_info.py"},
                "wheel": OLD,
                "sha256": files[OLD].sha256,
            },
            "windows-amd64": {
                "pythons": {"win_amd64": ["3.8"]},
                "kind": "shim",
                "target": "tensorflow-intel",
                "wheel": SHIM,
                "sha256": files[SHIM].sha256,
            },
        },
        "requires": ["numpy (<2)", INTEL],
        "unsatisfiable": [],
        "said": [{"platforms": ["windows-amd64"], "requires": [INTEL]}],
        "and_cuda": None,
    }
    late = content["releases"]["2.18.1"]
    assert late["uploaded"] == "2025-03-12"
    linux = late["platforms"]["linux-x86_64"]
    assert linux["pythons"] == {LINUX: ["3.9", "3.10"]}
    assert (linux["cuda"], linux["cudnn"]) == ("12.5.1", "9.3.0")
    assert late["requires"] == list(CUDA)
    assert late["unsatisfiable"] == [INTEL.replace("13", "18")]
    assert late["and_cuda"] == {
        "requires": ["nvidia-cudnn-cu12==9.3.0.75", "tensorrt==8.5"],
        "pythons": {"linux-x86_64": ["3.10"]},
    }
    assert run.read("tensorflow-gpu.json")["releases"] == {}
    text = run.read("companions.json")["companions"]["tensorflow-text"]
    assert text == {
        "0.0.1": {
            "uploaded": "2024-05-06",
            "yanked": False,
            "requires_python": None,
            "pure": False,
            "pythons": {},
            "fits": None,
            "by": None,
            "requires": [],
        },
        "2.13.0": {
            "uploaded": "2024-05-06",
            "yanked": False,
            "requires_python": ">=3.8",
            "pure": False,
            "pythons": {"linux-x86_64": ["3.11"]},
            "fits": "<2.14,>=2.13.0",
            "by": "metadata",
            "requires": ["tensorflow (<2.14,>=2.13.0)"],
        },
    }
    # One wheel a release and platform, and the catalog reads what was written.
    assert {path.rpartition("/")[2] for path in index.files_asked()} == {
        *(OLD, NEW, SHIM, TEXT),
        "tensorflow_intel-2.13.1-cp38-cp38-win_amd64.whl",
    }
    catalog = catalog_from(content, read_json("containers.json"))
    assert [str(one.version) for one in catalog.releases] == ["2.4.0", "2.13.1", "2.18.1"]
    newest = catalog.newest()
    assert newest is not None
    assert newest.and_cuda is not None
    assert newest.and_cuda.pythons == ("3.10",)


def test_where_it_looks_for_the_libraries_of_nvidias_wheels_is_read_once(run, index, tmp_path):
    path = "$ORIGIN/:$ORIGIN/../nvidia/cudnn/lib:$ORIGIN/../nvidia/cublas/lib"
    for file in index.projects["tensorflow"]:
        if file.name == NEW:
            file.content = tensorflow_wheel("2.18.1", requires=CUDA, runpath=path)
        if file.name == OLD:  # has no extra that would bring them
            file.content = tensorflow_wheel("2.13.1", cuda="11.8", cudnn="8", runpath=path)
    for _ in range(2):
        status, reported = run("--cache", str(tmp_path / "cache"))
        assert status == 0, reported
        wheels = {
            version: block["platforms"]["linux-x86_64"]
            for version, block in run.read()["releases"].items()
        }
        assert wheels["2.18.1"]["looks_in"] == ["cublas", "cudnn"]
        assert "looks_in" not in wheels["2.13.1"]
    assert len([path for path in index.files_asked() if path.endswith(NEW)]) < 8
    release = catalog_from(run.read(), read_json("containers.json")).get("2.18.1")
    assert release is not None
    assert release.wheels["linux-x86_64"].looks_in == ("cublas", "cudnn")


def test_the_same_index_gives_the_same_bytes(run, index):
    assert run()[0] == 0
    first = run.written()
    for files in index.projects.values():
        files.reverse()
    index.delay = 0.01
    for path in run.output.iterdir():
        path.unlink()
    assert run()[0] == 0
    assert run.written() == first
    for name, content in first.items():
        assert b"\r" not in content
        assert index.url.encode() not in content
        assert render(run.read(name)).encode() + b"\n" == content


def test_an_index_of_html_says_the_same_but_for_the_day(run, index):
    assert run()[0] == 0
    told_by_json = run.read()
    index.json = False
    assert run("--check")[0] == 0  # what an index doesn't tell contradicts nothing
    assert run()[0] == 0
    told_by_html = run.read()
    assert told_by_html["newest_upload"] is None
    for content in (told_by_json, told_by_html):
        del content["newest_upload"]
        for block in content["releases"].values():
            del block["uploaded"]
    assert told_by_html == told_by_json


@pytest.mark.sample
@pytest.mark.parametrize("day", ["2026-12-01T00:00:00Z", None])
def test_what_the_wheels_of_other_pythons_require_is_read(run, index, day):
    """h5py of 2.22.0rc0: one version for Python 3.14, another for the older ones."""
    own = ("h5py<3.15", "numpy"), ("h5py~=3.15.1", "numpy"), ("numpy", "h5py~=3.15.1")
    index.json = day is not None
    for python, requires in zip(("313", "314", "315"), own, strict=True):
        wheel = tensorflow_wheel("2.22.0", requires=requires, exact="9.10.0")
        index.add("tensorflow", File(wheel_name("2.22.0", python), wheel, uploaded=day or ""))
    assert run()[0] == 0
    once, block = run.written(), run.read()["releases"]["2.22.0"]
    assert block["requires"] == [
        'h5py<3.15; python_version < "3.14"',
        "numpy",
        'h5py~=3.15.1; python_version >= "3.14"',
    ]
    assert block["said"] == [
        {"platforms": ["linux-x86_64"], "requires": ["h5py<3.15", "numpy"]},
        {
            "platforms": ["linux-x86_64"],
            "pythons": ["3.14", "3.15"],
            "requires": ["h5py~=3.15.1", "numpy"],
        },
    ]
    index.projects["tensorflow"].reverse()
    assert run()[0] == 0
    assert run.written() == once
    release = catalog_from(run.read(), read_json("containers.json")).get("2.22.0")
    assert release is not None
    wheels = release.wheels["linux-x86_64"]
    assert wheels.requires == own[0]
    assert wheels.requires_by_python == {"3.14": own[1], "3.15": own[1]}


def test_of_old_releases_one_wheel_is_read(run, index):
    assert run()[0] == 0
    assert not [path for path in index.files_asked() if wheel_name("2.18.1", "310") in path]


def test_a_second_run_is_served_from_the_cache(run, index, tmp_path):
    cache = ("--cache", str(tmp_path / "cache"))
    assert run(*cache)[0] == 0
    first = run.written()
    asked = len(index.files_asked())
    index.requests.clear()
    assert run(*cache)[0] == 0
    assert index.files_asked() == []
    assert run.written() == first
    for kept in (tmp_path / "cache").iterdir():
        kept.write_text("{}")
    assert run(*cache)[0] == 0
    assert len(index.files_asked()) == asked
    assert run.written() == first


def test_a_run_that_was_cut_off_goes_on_where_it_was(run, index, tmp_path):
    cache = ("--cache", str(tmp_path / "cache"))
    index.gone.add(NEW)
    assert run(*cache)[0] == 2
    index.gone.clear()
    index.requests.clear()
    assert run(*cache)[0] == 0
    assert {path.rpartition("/")[2] for path in index.files_asked()} == {NEW}


def test_an_interrupted_run_stops_at_once_and_writes_nothing(run, index, monkeypatch, tmp_path):
    for minor in range(40):
        version = f"2.12.{minor}"
        index.add("tensorflow", File(wheel_name(version, "38"), tensorflow_wheel(version)))
    index.delay = 0.02
    real = index_reader.RefreshReport.progress

    def interrupt(self, what: str, done: int, total: int) -> None:
        real(self, what, done, total)
        if what == "wheels" and done == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(index_reader.RefreshReport, "progress", interrupt)
    status, reported = run("--cache", str(tmp_path / "cache"))
    assert status == 130
    assert reported.splitlines()[-1].startswith("error: interrupted: the data is unchanged")
    assert run.written() == {}
    assert 4 <= len(list((tmp_path / "cache").iterdir())) < 20


def test_a_wheel_is_asked_for_its_ends_only(run, index):
    """A shim's whole content comes with its end; a real wheel costs one request a member more."""
    assert run()[0] == 0
    asked = [path.rpartition("/")[2] for path in index.files_asked()]
    assert asked.count(SHIM) == 2  # its end, METADATA
    assert asked.count(OLD) == 3  # its end, METADATA, build_info.py
    assert asked.count(NEW) == 4  # and cudnn_version.h
    assert index.whole == []


def test_a_file_without_a_hash_is_not_cached(run, index, tmp_path):
    for file in index.projects["tensorflow"]:
        file.hashed = False
    assert run("--cache", str(tmp_path / "cache"))[0] == 0
    assert len(list((tmp_path / "cache").iterdir())) == 2  # tensorflow-intel's, tensorflow-text's
    linux = run.read()["releases"]["2.18.1"]["platforms"]["linux-x86_64"]
    assert linux["sha256"] is None


def test_a_cache_that_cannot_be_written_is_none(run, index, tmp_path):
    (tmp_path / "cache").write_text("a file")
    assert run("--cache", str(tmp_path / "cache"))[0] == 0


def test_the_cache_is_where_caches_are(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    assert refresh.default_cache() == tmp_path / "poetry-tf" / "wheels"
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    monkeypatch.setattr(sys, "platform", "win32")
    assert refresh.default_cache() == tmp_path / "local" / "poetry-tf" / "wheels"


def replace(index: MadeIndex, name: str, content: bytes) -> None:
    next(file for file in index.projects["tensorflow"] if file.name == name).content = content


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (lambda i: i.gone.add(NEW), f"error: {NEW}: the server answers 404"),
        (lambda i: replace(i, NEW, b"no zip" * 99), f"error: {NEW}: it is not a zip archive"),
        (lambda i: replace(i, NEW, zipped({"a": "b"})), f"error: {NEW}: it has no METADATA"),
        (
            lambda i: i.broken.update({"tensorflow-intel": 403}),
            "error: tensorflow 2.18.1: could not find out whether tensorflow-intel is available",
        ),
        (
            lambda i: i.pages.update({"tensorrt": ("text/html", b"")}),
            "error: tensorrt: the index's page lists no file",
        ),
        (
            lambda i: replace(
                i,
                NEW,
                zipped(
                    {"tensorflow-2.18.1.dist-info/METADATA": metadata("tensorflow", "1", ["!"])}
                ),
            ),
            "error: tensorflow 2.18.1: its requirement '!' is malformed",
        ),
    ],
)
@pytest.mark.sample(every=3)
def test_one_fault_is_reported_and_the_rest_goes_on(run, index, fault, line):
    assert run()[0] == 0
    before = run.read()["releases"]
    index.requests.clear()
    fault(index)
    status, reported = run()
    assert status == 2
    assert line in reported
    assert "Traceback" not in reported
    # What was known of the release is kept, and nothing is made up.
    assert run.read()["releases"] == before
    assert list(run.read()["releases"]) == list(before)
    assert "tensorflow 2.18.1: kept as it was" in reported
    (run.output / "tensorflow.json").unlink()
    assert run()[0] == 2
    assert "2.18.1" not in run.read()["releases"]


def test_a_companion_that_cannot_be_read_is_kept(run, index):
    assert run()[0] == 0
    before = run.written()["companions.json"]
    index.gone.add(TEXT)
    status, reported = run()
    assert status == 2
    assert f"error: {TEXT}: the server answers 404" in reported
    assert "tensorflow-text 2.13.0: kept as it was" in reported
    assert run.written()["companions.json"] == before
    (run.output / "companions.json").unlink()
    assert run()[0] == 2
    text = run.read("companions.json")["companions"]["tensorflow-text"]
    assert list(text) == ["0.0.1"]


def test_hashes_whose_page_cannot_be_read_are_kept(run, index):
    assert run()[0] == 0
    before = run.read("hashes.json")["hashes"]
    index.broken["tensorflow-intel"] = 403
    index.add("tensorflow", File(wheel_name("1.14.0"), b"new"))
    status, told = run()
    assert status == 2
    assert "error: tensorflow-intel: the index answers 403" in told
    after = run.read("hashes.json")["hashes"]
    assert after["tensorflow-intel"] == before["tensorflow-intel"]
    assert after["tensorflow"].keys() - before["tensorflow"].keys() == {wheel_name("1.14.0")}


def test_a_companion_whose_page_cannot_be_read_is_kept(run, index):
    assert run()[0] == 0
    before = run.written()["companions.json"]
    index.broken["tensorflow-text"] = 403
    status, reported = run()
    assert status == 2
    assert "error: tensorflow-text: the index answers 403" in reported
    assert run.written()["companions.json"] == before
    assert run("--check")[0] == 2


@pytest.mark.parametrize("fault", ["gone", "broken"])
def test_a_page_that_is_missing_costs_its_own_file_only(run, index, fault):
    assert run()[0] == 0
    before = run.written()
    if fault == "gone":
        index.gone.add("tensorflow-gpu")
    else:
        index.broken["tensorflow-gpu"] = 403
    index.projects["tensorflow"] = [
        file for file in index.projects["tensorflow"] if file.name != wheel_name("1.15.0")
    ]
    status, reported = run()
    assert status == 2
    assert "error: tensorflow-gpu: " in reported
    assert run.written()["tensorflow-gpu.json"] == before["tensorflow-gpu.json"]
    assert run.read()["older"] == []


def test_a_server_without_ranges(run, index):
    index.ranges = False
    status, reported = run()
    assert status == 2
    assert reported.count("the server sends no part of ") == 5
    assert list(run.read()["releases"]) == ["2.4.0"]
    assert run.read()["older"] == ["1.15.0"]


def test_a_release_that_is_gone_is_not_kept(run, index):
    assert run()[0] == 0
    index.projects["tensorflow"] = [
        file for file in index.projects["tensorflow"] if "2.13.1" not in file.name
    ]
    index.gone.add(NEW)
    assert run()[0] == 2
    assert list(run.read()["releases"]) == ["2.4.0", "2.18.1"]


@pytest.mark.usefixtures("short_pauses")
@pytest.mark.parametrize("fault", ["gone", "broken", "empty", "down"])
def test_without_the_page_nothing_is_written(run, index, fault):
    if fault == "gone":
        index.gone.add("tensorflow")
    elif fault == "broken":
        index.broken["tensorflow"] = 403
    elif fault == "empty":
        index.pages["tensorflow"] = ("text/html", b"<html></html>")
    else:
        index.url = "http://me:secret@127.0.0.1:9/simple/"
    (run.output / "tensorflow.json").write_text("as it was")
    status, reported = run("--index", index.url)
    assert status == 2
    assert "error: " in reported
    assert "secret" not in reported
    assert run.written() == {"tensorflow.json": b"as it was"}


def test_check(run, index):
    status, reported = run("--check")
    assert status == 1
    assert "tensorflow.json: 2.13.1: a release that the data lacks" in reported
    assert "companions.json: tensorflow-text 2.13.0: a release that the data lacks" in reported
    assert run.written() == {}

    assert run()[0] == 0
    before = run.written()
    status, reported = run("--check")
    assert (status, reported.splitlines()[-1]) == (0, "up to date")

    wrong = run.read()
    linux = wrong["releases"]["2.13.1"]["platforms"]["linux-x86_64"]
    linux["cuda"] = "12.2"
    del linux["cudnn"]
    wrong["older"].remove("1.15.0")
    wrong["releases"]["2.99.0"] = wrong["releases"]["2.13.1"]  # a mirror may lag behind
    (run.output / "tensorflow.json").write_text(json.dumps(wrong))
    as_it_was = run.written()
    status, reported = run("--check")
    assert status == 1
    where = "tensorflow.json: 2.13.1: platforms.linux-x86_64"
    assert f'{where}.cuda: the index says "11.8", the data "12.2"' in reported
    assert f'{where}.cudnn: the index says "8", the data null' in reported
    assert "1.15.0: a version that the data lacks" in reported
    assert "3 differences" in reported
    assert "2.99.0" not in reported
    assert run.written() == as_it_was

    for name, content in before.items():
        (run.output / name).write_bytes(content)
    wrong = run.read("hashes.json")
    right = wrong["hashes"]["tensorflow"].pop(OLD)
    wrong["hashes"]["tensorflow"] |= {NEW: "0" * 64, "tensorflow-2.99.0.tar.gz": "0" * 64}
    (run.output / "hashes.json").write_text(json.dumps(wrong))
    status, told = run("--check")
    assert status == 1
    assert f"hashes.json: {OLD}: the index says {right}, the data nothing" in told
    assert f", the data {'0' * 64}" in told
    assert "2 differences" in told

    for name, content in before.items():
        (run.output / name).write_bytes(content)
    index.gone.add(NEW)
    assert run("--check")[0] == 2
    assert run.written() == before


def test_at_most_four_connections(run, index):
    for minor in range(12):
        version = f"2.12.{minor}"
        index.add("tensorflow", File(wheel_name(version, "38"), tensorflow_wheel(version)))
    index.delay = 0.02
    assert run()[0] == 0
    assert len(run.read()["releases"]) == 15
    assert 2 <= index.most_open <= 4


def test_a_person_sees_a_bar_that_goes_away(run, index, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    index.gone.add(NEW)
    reported = run()[1]
    assert "wheels [" in reported
    assert "] 1/4" in reported
    # Lines stand whole; the bar is wiped before each, and in the end.
    for line in reported.split("\n"):
        last = line.rpartition("\r")[2]
        assert "[" not in last


def test_the_data_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "data.json"
    write(path, "one\n")
    assert path.stat().st_mode & 0o777 == 0o644

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write(path, "two\n")
    assert path.read_text() == "one\n"
    assert list(tmp_path.iterdir()) == [path]


def test_an_output_that_cannot_be_written(run, tmp_path):
    status, reported = run("--output", str(tmp_path / "no" / "such" / "folder"))
    assert status == 2
    assert "No such file" in reported


def test_render():
    value = {"a": [1, 2], "long": ["x" * 60, "y" * 60], "b": {"c": "é", "d": {}}, "e": []}
    assert json.loads(render(value)) == value
    assert render(value).splitlines() == [
        "{",
        '  "a": [1, 2],',
        '  "long": [',
        f'    "{"x" * 60}",',
        f'    "{"y" * 60}"',
        "  ],",
        '  "b": {',
        '    "c": "é",',
        '    "d": {}',
        "  },",
        '  "e": []',
        "}",
    ]
    assert max(map(len, render(read_json("tensorflow.json")).splitlines())) < 250


def test_differences_count_what_is_unknown_as_none():
    new: dict[str, Any] = {"releases": {}, "prereleases": [], "older": []}
    assert differences({}, new) == []


# --- pip's index ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_default_index_is_pips(monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_INDEX_URL", "https://one.test/simple")
    assert refresh.default_index() == "https://one.test/simple"
    monkeypatch.delenv("PIP_INDEX_URL")
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = https://two.test/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    assert refresh.default_index() == "https://two.test/simple"
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    assert refresh.default_index().endswith("/simple")


def test_without_pip_the_index_has_to_be_named(monkeypatch):
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setitem(sys.modules, "pip._internal.models.index", None)
    with pytest.raises(ReadError, match="give --index"):
        refresh.default_index()


def test_as_a_program(index, tmp_path):
    result = subprocess.run(
        [
            *(sys.executable, "-m", "poetry_tf.releases.reader.refresh"),
            *("--index", index.url, "--output", str(tmp_path), "--no-cache"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""
    assert "tensorflow.json: 5 changes" in result.stderr
    assert (tmp_path / "tensorflow.json").exists()


@pytest.mark.index
def test_the_shipped_data_is_what_the_index_says(capsys):
    """From the cache where there is one: 3 s, else 100 MB."""
    status = refresh.main(["--check"])
    output = capsys.readouterr().err
    assert status == 0, output
    assert "up to date" in output
