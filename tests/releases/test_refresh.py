from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from poetry_tf.releases import refresh
from poetry_tf.releases.catalog import catalog_from
from poetry_tf.releases.datafile import differences, render, write
from poetry_tf.releases.index import ReadError
from poetry_tf.releases.resources import read_json

from .made_index import LINUX, File, MadeIndex, Serving, metadata, tensorflow_wheel, zipped

CUDA = (
    "nvidia-cudnn-cu12==9.3.0.75 ; extra == 'and-cuda'",
    "tensorrt==8.5 ; extra == 'and-cuda'",
)
INTEL = 'tensorflow-intel ==2.13.1 ; platform_system == "Windows"'


def wheel_name(version: str, minor: str = "311", platform: str = LINUX) -> str:
    return f"tensorflow-{version}-cp{minor}-cp{minor}-{platform}.whl"


@pytest.fixture
def index():
    made = MadeIndex()
    old = tensorflow_wheel("2.13.1", requires=["numpy (<2)", INTEL], cuda="11.8", cudnn="8")
    new = tensorflow_wheel("2.18.1", requires=[*CUDA, INTEL.replace("13", "18")], exact="9.3.0")
    made.add(
        "tensorflow",
        *(File(wheel_name(version), b"") for version in ("2.9.0", "2.12.0rc0", "1.15.0")),
        File(wheel_name("2.18.1", "39"), new, uploaded="2025-03-12T20:00:00.000001Z"),
        File(wheel_name("2.18.1", "310"), b"never read", uploaded="2025-03-13T00:00:00Z"),
        File(wheel_name("2.18.1", "310", "win_amd64"), b"never read"),
        File(wheel_name("2.13.1", "38"), old, uploaded="2023-09-26T12:00:00Z"),
        File(wheel_name("2.13.1", "38", "macosx_12_0_arm64"), b"never read"),
        File("tensorflow-2.13.1.exe", b"never read"),
    )
    made.add("tensorflow-intel", File("tensorflow_intel-2.13.1-cp38-cp38-win_amd64.whl"))
    made.add(
        "nvidia-cudnn-cu12", File("nvidia_cudnn_cu12-9.3.0.75-py3-none-manylinux2014_x86_64.whl")
    )
    made.add("tensorrt", File("tensorrt-8.5-cp310-none-manylinux_2_17_x86_64.whl"))
    with Serving(made):
        yield made


@pytest.fixture
def run(index, tmp_path, capsys):
    output = tmp_path / "tensorflow.json"

    def run(*arguments: str):
        status = refresh.main(["--index", index.url, "--output", str(output), *arguments])
        return status, capsys.readouterr().err

    run.output = output  # type: ignore[attr-defined]
    run.read = lambda: json.loads(output.read_text("utf-8"))  # type: ignore[attr-defined]
    return run


def test_what_is_read(run, index):
    status, told = run()
    assert status == 0, told
    content = run.read()
    assert content["from"] == "2.12"
    assert content["newest_upload"] == "2025-03-13"
    assert content["prereleases"] == ["2.12.0rc0"]
    assert content["older"] == ["1.15.0", "2.9.0"]
    assert list(content["releases"]) == ["2.13.1", "2.18.1"]
    files = {file.name: file for file in index.projects["tensorflow"]}
    assert content["releases"]["2.13.1"] == {
        "uploaded": "2023-09-26",
        "yanked": False,
        "pythons": {"linux-x86_64": ["3.8"], "macos-arm64": ["3.8"]},
        "cuda": "11.8",
        "cudnn": "8",
        "said_by": {"cuda": "build_info.py", "cudnn": "build_info.py"},
        "wheel": wheel_name("2.13.1", "38"),
        "sha256": files[wheel_name("2.13.1", "38")].sha256,
        "requires": ["numpy (<2)", INTEL],
        "unsatisfiable": [],
        "and_cuda": None,
    }
    late = content["releases"]["2.18.1"]
    assert late["uploaded"] == "2024-05-06"
    assert late["pythons"] == {"linux-x86_64": ["3.9", "3.10"], "windows-amd64": ["3.10"]}
    assert (late["cuda"], late["cudnn"]) == ("12.5.1", "9.3.0")
    assert late["requires"] == list(CUDA)
    assert late["unsatisfiable"] == [INTEL.replace("13", "18")]
    assert late["and_cuda"] == {
        "requires": ["nvidia-cudnn-cu12==9.3.0.75", "tensorrt==8.5"],
        "pythons": ["3.10"],
    }
    # One wheel a release, and the catalog reads what was written.
    assert {path.rpartition("/")[2] for path in index.files_asked()} == {
        wheel_name("2.13.1", "38"),
        wheel_name("2.18.1", "39"),
    }
    catalog = catalog_from(content, read_json("containers.json"))
    assert [str(one.version) for one in catalog.releases] == ["2.13.1", "2.18.1"]
    newest = catalog.newest()
    assert newest is not None
    assert newest.and_cuda is not None
    assert newest.and_cuda.pythons == ("3.10",)


def test_the_same_index_gives_the_same_bytes(run, index):
    assert run()[0] == 0
    first = run.output.read_bytes()
    index.projects["tensorflow"].reverse()
    index.delay = 0.01
    run.output.unlink()
    assert run()[0] == 0
    assert run.output.read_bytes() == first
    assert b"\r" not in first
    assert index.url.encode() not in first
    assert render(run.read()).encode() + b"\n" == first


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


def test_a_second_run_is_served_from_the_cache(run, index, tmp_path):
    cache = ("--cache", str(tmp_path / "cache"))
    assert run(*cache)[0] == 0
    first = run.output.read_bytes()
    assert len(index.files_asked()) == 7  # four members' worth of 2.18.1, three of 2.13.1
    index.requests.clear()
    assert run(*cache)[0] == 0
    assert index.files_asked() == []
    assert run.output.read_bytes() == first
    for kept in (tmp_path / "cache").iterdir():
        kept.write_text("{}")
    assert run(*cache)[0] == 0
    assert len(index.files_asked()) == 7
    assert run.output.read_bytes() == first


def test_a_file_without_a_hash_is_not_cached(run, index, tmp_path):
    for file in index.projects["tensorflow"]:
        file.hashed = False
    assert run("--cache", str(tmp_path / "cache"))[0] == 0
    assert not (tmp_path / "cache").exists()
    assert run.read()["releases"]["2.18.1"]["sha256"] is None


def test_a_cache_that_cannot_be_written_is_none(run, index, tmp_path):
    (tmp_path / "cache").write_text("a file")
    assert run("--cache", str(tmp_path / "cache"))[0] == 0


def replace(index: MadeIndex, name: str, content: bytes) -> None:
    next(file for file in index.projects["tensorflow"] if file.name == name).content = content


NEW = wheel_name("2.18.1", "39")


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (lambda i: i.gone.add(NEW), f"error: {NEW}: the server answers 404"),
        (lambda i: replace(i, NEW, b"no zip" * 99), f"error: {NEW}: it is no zip archive"),
        (lambda i: replace(i, NEW, zipped({"a": "b"})), f"error: {NEW}: it has no METADATA"),
        (
            lambda i: i.broken.update({"tensorflow-intel": 403}),
            "error: tensorflow-intel: the index answers 403",
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
def test_one_fault_is_told_and_the_rest_goes_on(run, index, fault, line):
    assert run()[0] == 0
    before = run.read()["releases"]
    index.requests.clear()
    fault(index)
    status, told = run()
    assert status == 2
    assert line in told
    assert "Traceback" not in told
    # What was known of the release is kept, and nothing is made up.
    assert run.read()["releases"] == before
    assert "2.18.1: kept as it was" in told
    run.output.unlink()
    assert run()[0] == 2
    assert "2.18.1" not in run.read()["releases"]


def test_a_server_without_ranges(run, index):
    index.ranges = False
    status, told = run()
    assert status == 2
    assert told.count("the server doesn't serve ranges") == 2
    assert run.read()["releases"] == {}
    assert run.read()["older"] == ["1.15.0", "2.9.0"]


def test_a_release_that_is_gone_is_not_kept(run, index):
    assert run()[0] == 0
    index.projects["tensorflow"] = [
        file for file in index.projects["tensorflow"] if "2.13.1" not in file.name
    ]
    index.gone.add(NEW)
    assert run()[0] == 2
    assert list(run.read()["releases"]) == ["2.18.1"]


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
    run.output.write_text("as it was")
    status, told = run("--index", index.url)
    assert status == 2
    assert "error: " in told
    assert "secret" not in told
    assert run.output.read_text() == "as it was"


def test_check(run, index):
    status, told = run("--check")
    assert status == 1
    assert "2.13.1: a release that the data lacks" in told
    assert not run.output.exists()

    assert run()[0] == 0
    before = run.output.read_bytes()
    status, told = run("--check")
    assert (status, told.splitlines()[-1]) == (0, "up to date")

    wrong = run.read()
    wrong["releases"]["2.13.1"]["cuda"] = "12.2"
    wrong["older"].remove("2.9.0")
    wrong["releases"]["2.99.0"] = wrong["releases"]["2.13.1"]  # a mirror may lag behind
    run.output.write_text(json.dumps(wrong))
    as_it_was = run.output.read_bytes()
    status, told = run("--check")
    assert status == 1
    assert '2.13.1: cuda: the index says "11.8", the data "12.2"' in told
    assert "2.9.0: a version that the data lacks" in told
    assert "2 differences" in told
    assert "2.99.0" not in told
    assert run.output.read_bytes() == as_it_was

    run.output.write_bytes(before)
    index.gone.add(NEW)
    assert run("--check")[0] == 2
    assert run.output.read_bytes() == before


def test_from(run, index):
    assert run("--from", "2.18")[0] == 0
    content = run.read()
    assert list(content["releases"]) == ["2.18.1"]
    assert content["older"] == ["1.15.0", "2.9.0", "2.12.0rc0", "2.13.1"]
    assert run("--check")[0] == 0  # the data itself says where it begins
    with pytest.raises(SystemExit):
        run("--from", "latest")


def test_at_most_four_connections(run, index):
    for minor in range(12):
        version = f"2.12.{minor}"
        index.add("tensorflow", File(wheel_name(version, "38"), tensorflow_wheel(version)))
    index.delay = 0.02
    assert run()[0] == 0
    assert len(run.read()["releases"]) == 14
    assert 2 <= index.most_open <= 4


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
    status, told = run("--output", str(tmp_path / "no" / "such" / "folder.json"))
    assert status == 2
    assert "No such file" in told


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
    assert max(map(len, render(read_json("tensorflow.json")).splitlines())) < 200


def test_differences_count_what_is_unknown_as_none():
    new: dict[str, Any] = {"releases": {}, "prereleases": [], "older": []}
    assert differences({}, new) == []


# --- pip's index ----------------------------------------------------------------------------------


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
    told = subprocess.run(
        [
            *(sys.executable, "-m", "poetry_tf.releases.refresh"),
            *("--index", index.url, "--output", str(tmp_path / "data.json")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout == ""
    assert "2 releases" in told.stderr
