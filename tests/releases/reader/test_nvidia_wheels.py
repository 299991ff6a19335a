"""What is read of NVIDIA's wheels: the paths of their libraries, by release."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from poetry_tf.releases.reader import nvidia_wheels
from poetry_tf.releases.resources import read_json
from tests.support.wheel_index import File, MadeIndex, Serving, zipped

CUDNN = "nvidia/cudnn/lib/libcudnn.so.9"
OPS = "nvidia/cudnn/lib/libcudnn_ops.so.9"


def wheel(name: str, version: str, *libraries: str) -> File:
    content = zipped(dict.fromkeys((*libraries, "nvidia/cudnn/include/cudnn.h"), ""))
    stem = f"{name.replace('-', '_')}-{version}-py3-none"
    return File(f"{stem}-manylinux2014_x86_64.whl", content)


@pytest.fixture
def index():
    made = MadeIndex()
    for name in nvidia_wheels.NVIDIA_WHEELS:
        made.add(name, wheel(name, "1.0", f"nvidia/{name}/lib/lib.so.1"))
    made.projects["nvidia-cudnn-cu12"] = [
        *(wheel("nvidia-cudnn-cu12", version, CUDNN) for version in ("9.3.0.75", "9.4.0.58")),
        wheel("nvidia-cudnn-cu12", "9.5.1.17", CUDNN, OPS),
        File("nvidia_cudnn_cu12-9.6.0.74-py3-none-win_amd64.whl"),
    ]
    with Serving(made):
        yield made


def test_the_first_release_with_each_set_of_libraries_is_written(index, tmp_path: Path, capsys):
    arguments = ("--index", index.url, "--output", str(tmp_path))
    assert nvidia_wheels.main(arguments) == 0
    path = tmp_path / nvidia_wheels.DATA
    libraries = json.loads(path.read_text())["libraries"]
    assert {*libraries} == {*nvidia_wheels.NVIDIA_WHEELS}
    assert libraries["nvidia-cudnn-cu12"] == {
        "9.3.0.75": {"libraries": [CUDNN]},
        "9.5.1.17": {"libraries": [CUDNN, OPS]},
    }
    assert nvidia_wheels.main([*arguments, "--check"]) == 0
    index.projects["nvidia-cudnn-cu12"].append(wheel("nvidia-cudnn-cu12", "9.7.0.66", OPS))
    capsys.readouterr()
    assert nvidia_wheels.main([*arguments, "--check"]) == 1
    assert "nvidia-cudnn-cu12: the data differs" in capsys.readouterr().err
    # One that cannot be read keeps its data.
    before = path.read_text()
    index.projects["nvidia-cudnn-cu12"][-1].content = b""
    assert nvidia_wheels.main(arguments) == 2
    assert "nvidia_cudnn_cu12-9.7.0.66" in capsys.readouterr().err
    assert path.read_text() == before


def test_the_packaged_data_has_every_distribution():
    data = read_json(nvidia_wheels.DATA)
    assert [*data["libraries"]] == [*nvidia_wheels.NVIDIA_WHEELS]
    assert data["generator"] == nvidia_wheels.GENERATOR
