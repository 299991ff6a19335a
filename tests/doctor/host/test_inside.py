"""What is found inside a container: recorded ones are played back, and garbage is survived."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.machines import RecordedMachine

from poetry_tf.doctor.host.libraries import built_cudnn
from poetry_tf.doctor.host.machine import CommandResult
from poetry_tf.doctor.host.model import HostFinding, HostSpec
from poetry_tf.doctor.host.probes import (
    CONTAINER_PROBES,
    HOST_PROBES,
    probes_for,
    run_probes,
    summary_line,
    works,
)
from poetry_tf.doctor.host.python import python
from poetry_tf.doctor.host.tensorflow import tensorflow
from poetry_tf.releases import Release, load
from poetry_tf.releases.nvidia import libraries

RECORDINGS = Path(__file__).with_name("recordings")
PYTHON = "/workspaces/study/.venv/bin/python"
RTX = "TensorFlow 2.18.1 uses NVIDIA GeForce RTX 4090"
CPU = "TensorFlow 2.18.1 uses the CPU: "
DOCTOR = "On the host, run: poetry tf doctor"


def release(series: str) -> Release:
    found = load().newest(series)
    assert found is not None
    return found


def needs(**changed: Any) -> HostSpec:
    values: dict[str, Any] = {
        "release": release("2.18"),
        "mode": "pip",
        "python": PYTHON,
        "config": ".devcontainer/devcontainer.json",
    }
    return HostSpec(**{**values, **changed})


def recording(name: str) -> dict[str, Any]:
    text = (RECORDINGS / f"container-{name}.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def found(played: Mapping[str, Any], wanted: HostSpec) -> list[HostFinding]:
    return list(run_probes(RecordedMachine(played), wanted))


SYSTEM = needs(mode="system", container={"CUDA": "12.5", "cuDNN": "9.3.0.75"})
WITHOUT = needs(mode="system")
# The recording, what is needed there, what is not well there, and the line at the start.
CASES: list[tuple[str, HostSpec, dict[str, str], str]] = [
    ("everything", needs(), {}, RTX),
    ("system", SYSTEM, {}, RTX),
    ("wsl2", needs(), {}, RTX),
    (
        "no-devices",
        needs(),
        {"devices": "error"},
        f"{CPU}this container has no GPU: the host has no NVIDIA driver. {DOCTOR}",
    ),
    (
        "arm",
        needs(),
        {"processor": "error"},
        f"{CPU}no TensorFlow wheel for ARM (aarch64) is built with CUDA. "
        "Run: poetry tf init --gpu none",
    ),
    (
        "no-libraries",
        WITHOUT,
        {"libraries": "error", "tensorflow": "error"},
        f"{CPU}none of the 10 libraries of CUDA and cuDNN can be loaded. "
        "Run: poetry tf devcontainer",
    ),
    (
        "no-libraries",
        SYSTEM,
        {"container": "error", "libraries": "error", "tensorflow": "error"},
        "Rebuild the container: this container has no CUDA and no cuDNN, but "
        "devcontainer.json requests CUDA 12.5 and cuDNN 9.3.0.75",
    ),
    (
        "old-cudnn",
        WITHOUT,
        {"libraries": "error", "compile": "error"},
        f"{RTX}, but cuDNN 9.1.0 is loaded (/usr/lib/x86_64-linux-gnu/libcudnn.so.9). "
        "Run: poetry tf devcontainer",
    ),
    (
        "wheels-missing",
        needs(),
        {"wheels": "error", "libraries": "error", "tensorflow": "error"},
        f"{CPU}nvidia-cudnn-cu12==9.3.0.75 is not installed. Run: poetry install",
    ),
    (
        "2-21",
        needs(release=release("2.21")),
        {"libraries": "error", "tensorflow": "error"},
        "TensorFlow 2.21.0 uses the CPU: libcusolver.so.11 can't be loaded, though its wheels are "
        "installed. Run: poetry install",
    ),
    ("shadowed", needs(), {"libraries": "warning"}, RTX),
    ("no-ptxas", needs(), {"compile": "error"}, RTX),
    ("no-libdevice", needs(), {"compile": "error"}, RTX),
    ("full", needs(), {"compile": "warning"}, RTX),
    ("hang", needs(), {"libcuda": "warning", "compile": "warning"}, RTX),
    (
        "no-tensorflow",
        needs(install="poetry install --extras gpu"),
        {"tensorflow": "error"},
        "TensorFlow is not installed. Run: poetry install --extras gpu",
    ),
    (
        "revoked",
        needs(),
        {"devices": "error", "tensorflow": "error"},
        f"{CPU}this container is no longer allowed to open /dev/nvidia0, /dev/nvidiactl and "
        f"/dev/nvidia-uvm. {DOCTOR}",
    ),
    (
        "no-uvm",
        needs(),
        {"devices": "error", "libcuda": "error", "tensorflow": "error"},
        f"{CPU}/dev/nvidia-uvm is missing. {DOCTOR}",
    ),
    (
        "numpy-2",
        needs(),
        {"tensorflow": "error"},
        "TensorFlow can't be imported: it was built for NumPy 1, but NumPy 2 is installed. "
        "Run: poetry add 'numpy<2'",
    ),
    (
        "no-avx",
        needs(),
        {"avx": "error", "tensorflow": "error"},
        "TensorFlow crashes on import with an illegal instruction. Run: poetry tf doctor",
    ),
]


def name_of(case: tuple[str, HostSpec, dict[str, str], str]) -> str:
    return case[0] + ("-rebuild" if "container" in case[2] else "")


@pytest.mark.parametrize(
    ("name", "wanted", "unwell", "line"), CASES, ids=[name_of(case) for case in CASES]
)
def test_a_recorded_container_gives(name: str, wanted: HostSpec, unwell: dict[str, str], line: str):
    played = recording(name)
    findings = found(played, wanted)
    assert {item.probe: item.state for item in findings if item.state != "ok"} == unwell
    assert works(findings) == ("error" not in unwell.values())
    assert summary_line(RecordedMachine(played), wanted) == line
    reported = [item for item in findings if item.state == "error"]
    assert all(item.seen and (item.needed or item.remedy) for item in reported[:1])


def test_every_recording_is_played_back():
    names = {path.stem.removeprefix("container-") for path in RECORDINGS.glob("container-*.json")}
    assert names == {case[0] for case in CASES}


def test_an_arm_processor_with_a_tensorflow_of_nvidias_own_has_its_gpu():
    played = recording("arm")
    for key, ran in played["run"].items():
        if "# tensorflow" in key:
            ran["output"] = ran["output"].replace("[]", '["NVIDIA GH200 480GB"]')
    assert "processor" not in {item.probe for item in found(played, needs())}


@pytest.mark.parametrize(
    ("gpu", "says"),
    [
        ("Tesla K80, 470.256.02", "Use TensorFlow 2.14"),
        ("NVIDIA GeForce GTX 1080, 470.256.02, 6.1", "Install a newer driver"),
    ],
)
def test_a_driver_that_is_too_old_is_reported_with_what_helps_the_gpu(gpu: str, says: str):
    played = recording("everything")
    (key,) = [key for key in played["run"] if "# gpu" in key]
    played["run"][key]["output"] = played["run"][key]["output"].replace("12060", "11040")
    smi = "nvidia-smi --query-gpu=name,driver_version,compute_cap --format=csv,noheader"
    played["run"][smi] = {"status": 0, "output": gpu}
    reported = [item for item in found(played, needs()) if item.state == "error"]
    assert [item.probe for item in reported] == ["libcuda", "driver"]
    assert all(item.remedy is not None and says in item.remedy.what for item in reported)


def test_a_library_is_reported_in_one_line_where_all_are_well():
    wanted = [item.seen for item in found(recording("everything"), needs())]
    assert "CUDA 12.5 and cuDNN 9.3.0: all 10 libraries load" in wanted


def test_a_project_without_a_gpu_is_content_with_any_tensorflow():
    wanted = needs(mode="none")
    played = recording("no-devices")
    run = {key.removesuffix(" compile"): value for key, value in played["run"].items()}
    names = " ".join(libraries(wanted.release))
    run = {key.removesuffix(f" {names}"): value for key, value in run.items()}
    findings = found({**played, "run": run}, wanted)
    assert [item.state for item in findings] == ["ok"]
    line = summary_line(RecordedMachine({**played, "run": run}), wanted)
    assert line == f"{CPU}the project requests no GPU"


@pytest.mark.parametrize("installed", [None, "tf-keras", "tf_keras"])
def test_keras_2_has_to_be_installed_where_the_project_wants_it(installed: str | None):
    played = recording("everything")
    key = next(key for key in played["run"] if "# libraries" in key)
    if installed is not None:
        line = json.dumps({"distribution": "tf-keras", "version": "2.18.0", "holds": False})
        played["run"][key]["output"] += f"\n{line}"
    wanted = needs(legacy_keras=True)
    reported = [item for item in found(played, wanted) if item.probe == "keras"]
    line = summary_line(RecordedMachine(played), wanted)
    if installed is not None:
        assert not reported
        assert "tf-keras" not in line
        return
    (finding,) = reported
    assert (finding.state, finding.seen) == ("error", "tf-keras is not installed")
    assert finding.remedy is not None
    assert finding.remedy.everywhere == ("poetry install",)
    assert (
        line == "TensorFlow 2.18.1 has no tf.keras: tf-keras is not installed. Run: poetry install"
    )
    assert not [item for item in found(played, needs()) if item.probe == "keras"]


def test_a_part_of_the_driver_that_only_newer_releases_open_is_asked_for_there():
    played = recording("everything")
    for series, probes_unwell in (("2.20", set()), ("2.21", {"libcuda"})):
        wanted = needs(release=release(series))
        reported = [item for item in found(played, wanted) if "libnvidia-ml" in item.seen]
        assert {item.probe for item in reported} == probes_unwell
    played["load"]["libnvidia-ml.so.1"] = {"path": "/usr/lib/libnvidia-ml.so.1"}
    assert not [item for item in found(played, wanted) if "libnvidia-ml" in item.seen]


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_a_gpu_that_is_hidden_is_named(hidden: str):
    played = recording("no-uvm")
    nodes = ["/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm"]
    reported = [{"device": node, "error": ""} for node in nodes]
    reported += [{"libcuda": "/usr/lib/libcuda.so.1", "error": ""}]
    output = "\n".join(map(json.dumps, [*reported, {"speaks": 12060}, {"init": 100}]))
    played["find"]["/dev/nvidia-uvm"] = nodes[2:]
    played["run"]["<python> -c # gpu " + " ".join(nodes)] = {"status": 0, "output": output}
    played["variable"]["CUDA_VISIBLE_DEVICES"] = hidden
    (error,) = (item.seen for item in found(played, needs()) if item.state == "error")
    assert error == f'CUDA_VISIBLE_DEVICES="{hidden}" hides every GPU'


@pytest.mark.parametrize(
    ("holding", "state", "says"),
    [
        ({"tensorflow": "2.18.1", "tensorflow-cpu": "2.18.1"}, "warning", "are both installed"),
        ({"tensorflow-cpu": "2.18.1"}, "error", "no GPU support"),
        ({"tensorflow": "2.17.0"}, "warning", "tensorflow 2.17.0 is installed"),
    ],
)
def test_what_is_installed_is_compared_with_what_is_locked(
    holding: dict[str, str], state: str, says: str
):
    played = recording("everything")
    reported = [
        {"distribution": name, "version": version, "holds": True}
        for name, version in holding.items()
    ]
    reported.append(
        {"tensorflow": "/workspaces/study/.venv/lib/python3.11/site-packages/tensorflow"}
    )
    (key,) = [key for key in played["run"] if "# libraries" in key]
    played["run"][key] = {"status": 0, "output": "\n".join(map(json.dumps, reported))}
    (finding,) = [item for item in found(played, needs()) if item.probe == "distributions"]
    assert finding.state == state
    assert says in finding.seen
    assert finding.remedy is not None
    assert finding.remedy.everywhere


@pytest.mark.parametrize(
    ("python", "is_reported"), [("Python 3.11.9", False), ("Python 3.10.4", True), ("", False)]
)
def test_a_container_of_another_python_has_to_be_rebuilt(python: str, is_reported: bool):
    played = recording("everything")
    played["run"]["/usr/local/bin/python3 --version"] = {"status": 0, "output": python}
    wanted = needs(container={"Python": "3.11"})
    reported = [item for item in found(played, wanted) if item.probe == "container"]
    assert bool(reported) == is_reported
    assert summary_line(RecordedMachine(played), wanted).startswith("Rebuild") == is_reported


def test_a_host_without_a_container_looks_at_the_tensorflow_that_it_has():
    played = recording("everything")
    played["find"] = {key: path for key, path in played["find"].items() if "env" not in key}
    host = RecordedMachine(played)
    assert set(probes_for(host, needs())) == set(HOST_PROBES), "TensorFlow runs in the container"
    assert set(probes_for(host, needs(config=None))) >= set(CONTAINER_PROBES)
    without = set(probes_for(host, needs(config=None, python=None)))
    assert without == {*HOST_PROBES, python, tensorflow}, "which say that it is not installed"


@pytest.mark.parametrize("series", load().series)
def test_every_release_with_cuda_has_its_libraries_and_its_cudnn(series: str):
    one = release(series)
    names = libraries(one)
    assert any(name.startswith("libcudart.so.") for name in names)
    assert len(set(names)) == len(names)
    built = built_cudnn(one)
    assert built is not None
    assert len(built) == 3, "a minor version is what an older cuDNN is told by"
    assert f"libcudnn.so.{built[0]}" in names


def test_each_cuda_has_the_names_that_its_wheels_ask_for():
    assert libraries(release("2.13"))[:2] == ("libcudart.so.11.0", "libcublas.so.11")
    assert "libcurand.so.10" in libraries(release("2.13"))
    assert "libcurand.so.10" not in libraries(release("2.14"))
    assert "libcusolver.so.11" in libraries(release("2.18"))
    assert "libcusparse.so.12" in libraries(release("2.18"))
    assert libraries(whole_cpu()) == ()


def whole_cpu() -> Release:
    from poetry_tf.releases import whole

    return whole("tensorflow-cpu").releases[-1]


# -- what no machine should answer ----------------------------------------------------------

KEYS = ["device", "error", "libcuda", "speaks", "init", "distribution", "version", "holds"]
KEYS += ["tensorflow", "loading", "library", "path", "cuda", "cudnn", "broken", "file", "gpus"]
KEYS += ["compiled", "failed"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
NAMES = st.sampled_from([*libraries(release("2.18")), "nvidia-cudnn-cu12", "tensorflow"])
LINES = st.dictionaries(st.sampled_from(KEYS), VALUES | NAMES, max_size=4).map(json.dumps)
OUTPUTS = st.lists(LINES | st.text(max_size=30), max_size=12).map("\n".join)
RANS = st.builds(
    CommandResult,
    st.none() | st.integers(-20, 255),
    OUTPUTS,
    st.text(max_size=60),
    st.sampled_from(["", "missing", "timeout", "denied"]),
)
PATHS = st.lists(st.text(max_size=20), max_size=3).map(tuple)


class Answering(RecordedMachine):
    """A machine that answers whatever it likes."""

    def __init__(self, draw: Any) -> None:
        super().__init__({"system": "Linux", "architecture": "x86_64"})
        self._draw = draw

    def run(self, *command: str, limit: float = 0) -> CommandResult:
        ran: CommandResult = self._draw(RANS)
        return ran

    def read(self, path: str) -> str | None:
        text: str | None = self._draw(st.none() | st.text(max_size=30))
        return text

    def find(self, pattern: str) -> tuple[str, ...]:
        found: tuple[str, ...] = self._draw(PATHS)
        return found

    def variable(self, name: str) -> str | None:
        return self.read(name)


@pytest.mark.slow
@given(st.data(), st.sampled_from(["pip", "system", "none"]), st.sampled_from([PYTHON, None]))
def test_garbage_gives_findings_and_no_traceback(data: st.DataObject, mode: str, python: Any):
    wanted = needs(mode=mode, python=python, container={"CUDA": "12.5", "Python": "3.11"})
    machine = Answering(data.draw)
    for probe in CONTAINER_PROBES:
        assert all(item.seen for item in probe(machine, wanted))
    assert summary_line(machine, wanted)


@pytest.mark.parametrize("folder", ["my study; touch pwned #", "$(touch pwned)`id`", "it's"])
def test_a_folders_name_is_one_word_of_what_is_proposed(folder: str):
    played = json.loads(json.dumps(recording("no-ptxas")).replace("/study/", f"/{folder}/"))
    python = f"/workspaces/{folder}/.venv/bin/python"
    commands = [
        command
        for finding in found(played, HostSpec(**{**vars(needs()), "python": python}))
        if finding.remedy is not None
        for command in finding.remedy.everywhere
        if command.startswith("export")
    ]
    assert commands
    for command in commands:
        program, value = shlex.split(command, comments=True)
        assert program == "export"
        assert f"/{folder}/" in value
