"""What is found without a container: recorded machines, each with the lines that a user reads."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cleo.formatters.formatter import Formatter
from cleo.formatters.style import Style
from cleo.io.inputs.argv_input import ArgvInput
from poetry.console.application import Application
from tests.doctor.host import test_host, test_inside
from tests.support.machines import RecordedMachine

from poetry_tf.commands.doctor_output import format_finding
from poetry_tf.doctor.host.gpu_mode import gpu_mode
from poetry_tf.doctor.host.model import HostSpec, Remedy
from poetry_tf.doctor.host.probes import run_probes, summary_line
from poetry_tf.doctor.host.support import avx, wheels_install
from poetry_tf.doctor.host.system import family
from poetry_tf.doctor.host.tensorflow import tensorflow
from poetry_tf.doctor.host.visible import visible_gpus
from poetry_tf.plan.derive import make_plan
from poetry_tf.plan.release import requested_release
from poetry_tf.plan.settings import Settings
from poetry_tf.plugin import TensorFlowApplicationPlugin
from poetry_tf.releases import load
from poetry_tf.releases.images import load_images
from poetry_tf.releases.nvidia import libraries

RECORDINGS = Path(__file__).with_name("recordings")
NAMES = sorted(path.stem.removeprefix("bare-") for path in RECORDINGS.glob("bare-*.json"))


def recording(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((RECORDINGS / f"bare-{name}.json").read_text("utf-8"))
    return loaded


def spec_of(recorded: dict[str, Any]) -> HostSpec:
    project = recorded["project"]
    release = load().newest(project["series"])
    assert release is not None
    return HostSpec(release, project["mode"], python=project["python"])


def shown(recorded: dict[str, Any]) -> list[str]:
    """The lines of all findings but the good ones."""
    machine = RecordedMachine(recorded)
    formatter = Formatter()
    formatter.set_style("warning", Style())
    return [
        formatter.remove_format(line)
        for finding in run_probes(machine, spec_of(recorded))
        if finding.state != "ok"
        for line in format_finding(finding, family(machine))
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_machine_without_a_container_is_told(name: str):
    recorded = recording(name)
    assert shown(recorded) == recorded["shows"]


# -- the commands ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def application() -> Application:
    made = Application()
    TensorFlowApplicationPlugin().activate(made)
    return made


def remedies() -> Iterator[Remedy]:
    """The remedies of all recordings of this folder."""
    recorded = [(recording(name), spec_of(recording(name))) for name in NAMES]
    others = [(f"host-{name}", spec) for name, spec, _ in test_host.CASES]
    others += [(f"container-{name}", spec) for name, spec, *_ in test_inside.CASES]
    for name, spec in others:
        recorded.append((json.loads((RECORDINGS / f"{name}.json").read_text("utf-8")), spec))
    for played, spec in recorded:
        for finding in run_probes(RecordedMachine(played), spec):
            if finding.remedy is not None:
                yield finding.remedy


def test_poetry_takes_each_command_that_is_named(application: Application):
    named = {
        command
        for remedy in remedies()
        for command in (*remedy.everywhere, *itertools.chain(*remedy.commands.values()))
    }
    assert len(named) > 40
    parsed = set()
    for command in named:
        # A comment may hold the command for another place.
        for part in re.findall(r"poetry [^#;]+", command):
            _, *words = shlex.split(part)
            length = next(n for n in (3, 2, 1) if application.has(" ".join(words[:n])))
            own = application.find(" ".join(words[:length]))
            arguments = ArgvInput(["poetry", *words[length:]])
            arguments.bind(own.definition)
            arguments.validate()
            parsed.add(" ".join(words[:length]))
    assert {"tf init", "tf upgrade", "tf devcontainer", "add", "install", "sync"} <= parsed
    assert {"config", "env remove"} <= parsed


def test_each_init_that_is_named_gives_the_gpu_mode_that_it_names():
    planned = set()
    for remedy in remedies():
        for command in remedy.everywhere:
            words = shlex.split(command, comments=True)
            if words[:3] != ["poetry", "tf", "init"] or "--tensorflow" not in words:
                continue
            release = requested_release(load(), words[words.index("--tensorflow") + 1])
            gpu: Any = words[words.index("--gpu") + 1] if "--gpu" in words else "auto"
            plan = make_plan(load(), load_images(), release, Settings(gpu=gpu), None)
            if gpu != "none":
                assert plan.gpu.mode != "none", command
                assert plan.gpu.proven, command
            planned.add(gpu)
    assert planned == {"auto", "pip", "none"}


# -- variations --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "count", "sees"),
    [
        ("0", 2, True),
        ("1,0", 2, True),
        (" 1", 2, True),
        ("2", 2, False),
        ("-1,0", 2, False),
        ("GPU-0000000a", 2, True),
        ("GPU-1", 2, False),
        ("none", 2, False),
        ("", 2, False),
        ("-1", 2, False),
        # nvidia-smi isn't there: what can't be known is not said.
        ("7", 0, True),
        ("GPU-1", 0, True),
        ("", 0, False),
    ],
)
def test_what_a_variable_hides(value: str, count: int, sees: bool):
    recorded = recording("everything")
    listed = [f"GPU {i}: Tesla (UUID: GPU-0000000{'abc'[i]}-1111)" for i in range(count)]
    recorded["run"]["nvidia-smi -L"] = (
        {"status": 0, "output": "\n".join(listed)} if listed else {"trouble": "missing"}
    )
    recorded["variable"]["CUDA_VISIBLE_DEVICES"] = value
    found = list(visible_gpus(RecordedMachine(recorded), spec_of(recorded)))
    assert (not found) == sees, found


def test_a_hosts_variable_does_not_concern_its_container():
    recorded = recording("hidden")
    spec = replace(spec_of(recorded), config=".devcontainer/devcontainer.json")
    assert not list(visible_gpus(RecordedMachine(recorded), spec))


def test_the_series_that_is_named_can_be_installed_there():
    recorded = recording("old-glibc")
    for glibc, series in (("2.28", None), ("2.26", "2.20"), ("2.17", "2.20"), ("2.12", None)):
        recorded["run"]["<python> -c # glibc"]["output"] = f"glibc {glibc}"
        found = [*wheels_install(RecordedMachine(recorded), spec_of(recorded))]
        assert bool(found) == (glibc != "2.28")
        text = "\n".join(found[0].remedy.everywhere) if found and found[0].remedy else ""
        assert (f"--tensorflow {series} " in text) == (series is not None)
    # TensorFlow 2.8 has wheels for it, and no GPU without a container.
    spec = replace(spec_of(recorded), mode="none")
    (finding,) = wheels_install(RecordedMachine(recorded), spec)
    assert finding.remedy is not None
    assert finding.remedy.everywhere == (
        "poetry tf init --tensorflow 2.8 --no-devcontainer --gpu none",
    )


def test_nobody_is_told_to_install_what_cannot_be_installed():
    recorded = recording("old-glibc")
    machine, spec = RecordedMachine(recorded), spec_of(recorded)
    assert summary_line(machine, spec) == (
        "TensorFlow can't be installed: this system has glibc 2.17 (CentOS Linux 7 (Core)). "
        "Run: poetry tf init --tensorflow 2.20 --no-devcontainer --gpu pip"
    )
    assert not [*tensorflow(machine, spec)]
    assert [*tensorflow(machine, replace(spec, config=".devcontainer/devcontainer.json"))]


def test_a_container_has_a_glibc_of_its_own():
    recorded = recording("old-glibc")
    spec = replace(spec_of(recorded), config=".devcontainer/devcontainer.json")
    assert not [*wheels_install(RecordedMachine(recorded), spec)]


@pytest.mark.parametrize(
    ("series", "first", "mode"),
    [
        ("2.8", "2.12", "container"),
        ("2.11", "2.12", "container"),
        ("2.8", "2.14", "here"),
        ("2.13", "2.14", "here"),
        ("2.12", None, "container"),
        ("2.14", None, "here"),
    ],
)
def test_a_series_without_a_gpu_mode_is_told_the_first_with_one(
    series: str, first: str | None, mode: str
):
    release = load().newest(series)
    assert release is not None
    config = ".devcontainer/devcontainer.json" if mode == "container" else None
    spec = HostSpec(release, "none", config=config)
    found = [*gpu_mode(RecordedMachine(recording("everything")), spec)]
    says = {
        "container": f"{first} is the first series with a GPU",
        "here": f"{first} is the first series whose wheels bring them",
    }
    assert [item.needed.rpartition("; ")[2] for item in found] == ([says[mode]] if first else [])
    assert not [
        *gpu_mode(RecordedMachine(recording("everything")), replace(spec, refuses_gpu=True))
    ]


@pytest.mark.parametrize(
    ("series", "versions"),
    [("2.8", "CUDA 11.2 and cuDNN 8"), ("2.13", "CUDA 11.8 and cuDNN 8")],
)
@pytest.mark.parametrize(
    ("pythons", "fits"), [((), True), (("3.8", "3.9"), True), (("3.8",), False)]
)
def test_without_wheels_of_cuda_it_is_told_what_this_machine_needs(
    series: str, versions: str, pythons: tuple[str, ...], fits: bool
):
    """And of a later series only if it has wheels for the project's Python is the command named."""
    release = load().newest(series)
    assert release is not None
    (finding,) = gpu_mode(
        RecordedMachine(recording("everything")), HostSpec(release, "none", pythons=pythons)
    )
    assert f"only with {versions} installed on this machine" in finding.needed
    assert "2.14 is the first series whose wheels bring them" in finding.needed
    assert (finding.remedy is not None) == fits
    assert ("only for Python 3.9, 3.10 and 3.11" in finding.needed) != fits


def test_no_series_is_named_that_the_projects_python_cannot_have():
    played = recording("old-driver")
    for pythons, is_named in (((), True), (("3.11",), True), (("3.13",), False)):
        spec = replace(spec_of(played), pythons=pythons)
        findings = [*run_probes(RecordedMachine(played), spec)]
        named = [item for item in findings if item.probe == "series"]
        assert bool(named) == is_named, pythons


def test_the_line_at_the_start_says_it_too():
    played = test_inside.recording("no-devices")
    names = " ".join(libraries(test_inside.release("2.10")))
    run = {key.removesuffix(" compile"): value for key, value in played["run"].items()}
    key = next(key for key in run if "# libraries" in key)
    run[key.partition(" libcudart")[0]] = run[key]
    spec = test_inside.needs(release=test_inside.release("2.10"), mode="none")
    line = summary_line(RecordedMachine({**played, "run": run}), spec)
    assert names
    assert line.endswith(
        "2.12 is the first series with a GPU. Run: poetry tf init --tensorflow 2.12 --gpu auto"
    )


@pytest.mark.parametrize("value", ["", "-1", "NoDevFiles", "0", "none"])
def test_where_there_is_no_gpu_none_is_hidden(value: str):
    place = json.loads((RECORDINGS / "place-docker.json").read_text("utf-8"))
    place["variable"]["CUDA_VISIBLE_DEVICES"] = value
    spec = spec_of(recording("everything"))
    assert not [*visible_gpus(RecordedMachine(place), spec)]


@pytest.mark.parametrize("value", ["", "-1"])
def test_a_hidden_gpu_is_one_finding(value: str):
    played = recording("hidden")
    played["variable"]["CUDA_VISIBLE_DEVICES"] = value
    findings = [*run_probes(RecordedMachine(played), spec_of(played))]
    (finding,) = (item for item in findings if item.state == "error")
    assert finding.seen == f'CUDA_VISIBLE_DEVICES="{value}" hides every GPU'
    assert "neither an index" not in finding.needed


@pytest.mark.parametrize(
    ("information", "says"),
    [
        ("model name\t: VirtualApple @ 2.50GHz\nflags\t\t: fpu sse sse2\n", "Apple silicon"),
        ("model name\t: QEMU Virtual CPU\nflags\t\t: fpu sse2 hypervisor\n", "virtual machine"),
        ("flags\t\t: fpu sse2\n", "the processor has no AVX"),
        ("flags\t\t: fpu sse2 avx\n", ""),
        ("processor: 0\n", ""),
        ("", ""),
    ],
)
def test_a_processor_is_judged_by_its_flags(information: str, says: str):
    recorded = recording("everything")
    recorded["read"]["/proc/cpuinfo"] = information
    for mode in ("pip", "none"):
        spec: Any = replace(spec_of(recorded), mode=mode)
        found = [*avx(RecordedMachine(recorded), spec)]
        assert bool(found) == bool(says)
        assert all(says in item.seen and item.remedy for item in found)
