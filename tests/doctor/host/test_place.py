"""What a user reads in each place: on clusters, in containers of any kind, on plain machines.

Beside each recording of a place lies the text: of a project that works without a container, and of
an empty folder. To write it again: ``PLACES=write pytest tests/doctor/host/test_place.py``.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cleo.formatters.formatter import Formatter
from cleo.formatters.style import Style
from packaging.version import Version
from poetry.core.constraints.version import parse_constraint
from tests.doctor.host.test_inside import CASES as INSIDE
from tests.doctor.host.test_inside import needs as inside
from tests.support.machines import RecordedMachine

from poetry_tf.commands.doctor_output import format_finding, format_title, format_verdict
from poetry_tf.commands.doctor_possibilities import format_possibilities
from poetry_tf.doctor.host.model import HostSpec, UnusablePython
from poetry_tf.doctor.host.place import spec_here
from poetry_tf.doctor.host.possibilities import find_possibilities, read_facts
from poetry_tf.doctor.host.probes import run_probes, summary_line, works
from poetry_tf.doctor.host.system import container_kind, family
from poetry_tf.releases import Catalog, load
from poetry_tf.releases.model import numbers
from poetry_tf.text import wrap_markup

RECORDINGS = Path(__file__).with_name("recordings")
NAMES = sorted(path.stem.removeprefix("place-") for path in RECORDINGS.glob("place-*.json"))
PYTHONS = ("3.12", "3.9")


def catalog() -> Catalog:
    """The releases of one day, so that a newer one changes no text."""
    whole = load()
    return Catalog(
        [one for one in whole.releases if one.version < Version("2.21.1")],
        pairs={one.series: pair for one in whole.releases if (pair := whole.container_pair(one))},
        prereleases=(),
        older=(),
        first_series=whole.first_series,
        yanked=whole.yanked,
    )


@pytest.fixture(autouse=True)
def on_one_day(monkeypatch: pytest.MonkeyPatch) -> None:
    day = catalog()
    monkeypatch.setattr("poetry_tf.doctor.host.possibilities.load", lambda: day)


def machine(name: str, **changed: Any) -> RecordedMachine:
    recording = json.loads((RECORDINGS / f"place-{name}.json").read_text("utf-8"))
    for kind, values in changed.items():
        recording[kind] = {**recording[kind], **values}
    return RecordedMachine(recording)


def needs(**changed: Any) -> HostSpec:
    release = load().get("2.20.0")
    assert release is not None
    return replace(HostSpec(release, "pip"), **changed)


def report(here: RecordedMachine, wanted: HostSpec) -> Iterator[str]:
    wanted = spec_here(here, wanted)
    yield format_title(wanted)
    findings = list(run_probes(here, wanted))
    for finding in findings:
        yield from format_finding(finding, family(here))
    yield format_verdict(findings, wanted, here)


def first_seconds(here: RecordedMachine) -> Iterator[str]:
    found = find_possibilities(here, PYTHONS)
    yield from format_possibilities(read_facts(here, PYTHONS), found)
    for note in found.notes:
        yield from format_finding(note, family(here))


def text_of(name: str) -> str:
    here = machine(name)
    project = "\n".join(report(here, needs()))
    return f"{project}\n\n-- in an empty folder --\n" + "\n".join(first_seconds(here)) + "\n"


@pytest.mark.parametrize("name", NAMES)
def test_a_user_reads(name: str):
    file = RECORDINGS / f"place-{name}.txt"
    text = text_of(name)
    if os.environ.get("PLACES") == "write":
        file.write_text(text, "utf-8")
    assert text == file.read_text("utf-8")


def test_each_text_belongs_to_a_recording():
    assert {path.stem.removeprefix("place-") for path in RECORDINGS.glob("place-*.txt")} == {*NAMES}


# -- containers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("apptainer", "apptainer"),
        ("docker", "docker"),
        ("docker-gpu", "docker"),
        ("kubernetes", "kubernetes"),
        ("nspawn", "other"),
        ("podman-without-gpu", "podman"),
        ("sandbox", "docker"),
        ("slurm-login", None),
        ("without-driver", None),
        ("wsl2-systemd", None),
    ],
)
def test_a_container_is_known_by_what_started_it(name: str, kind: str | None):
    assert container_kind(machine(name)) == kind


@pytest.mark.parametrize(
    "signs",
    [
        {"variable": {"REMOTE_CONTAINERS": "true"}},
        {"variable": {"CODESPACES": "true"}},
        {"variable": {"DEVPOD": "true"}},
        {"variable": {"POETRY_CACHE_DIR": "/mnt/poetry-cache"}},
        {"find": {"/workspaces": ["/workspaces"]}},
        {"find": {"/usr/local/etc/vscode-dev-containers": ["/usr/local/etc"]}},
    ],
)
def test_one_that_was_made_from_a_devcontainer_json_is_told_of_it(signs: dict[str, Any]):
    here = machine("docker-without-gpus", **signs)
    assert container_kind(here) == "devcontainer"
    wanted = needs(config=".devcontainer/devcontainer.json")
    assert "devcontainer.json must request them" in "\n".join(report(here, wanted))


CONTAINERS = [name for name in NAMES if container_kind(machine(name)) is not None]


@pytest.mark.parametrize("name", CONTAINERS)
@pytest.mark.parametrize("mode", ["pip", "system"])
@pytest.mark.parametrize("config", [None, ".devcontainer/devcontainer.json"])
def test_any_other_is_told_neither_of_that_file_nor_of_engines(
    name: str, mode: Any, config: str | None
):
    """Also where the project has one, of which this container was not made."""
    wanted = needs(mode=mode, config=config, container={"Python": "3.7", "CUDA": "1.0"})
    text = "\n".join([*report(machine(name), wanted), summary_line(machine(name), wanted)])
    assert "devcontainer" not in text.replace("--no-devcontainer", "")
    assert "nvidia-ctk" not in text
    assert "rebuild" not in text.lower()
    assert "engine" not in text


AMISS = [
    *(case[:2] for case in INSIDE),
    ("no-ptxas", inside(mode="system")),
    ("everything", inside(release=load().get("2.21.0"))),
]


@pytest.mark.parametrize(("name", "wanted"), AMISS)
def test_nor_is_it_with_anything_else_amiss(name: str, wanted: HostSpec):
    played = json.loads((RECORDINGS / f"container-{name}.json").read_text("utf-8"))
    del played["find"]["/usr/local/etc/vscode-dev-containers"]
    here = RecordedMachine(played)
    text = "\n".join([*report(here, wanted), summary_line(here, wanted)])
    assert "devcontainer" not in text.replace("--no-devcontainer", "")
    assert "containerEnv" not in text
    assert "rebuild" not in text.lower()


@pytest.mark.parametrize("name", [name for name in NAMES if name not in CONTAINERS])
def test_a_project_without_a_container_is_told_of_none_on_any_machine(name: str):
    text = "\n".join(report(machine(name), needs()))
    assert "devcontainer" not in text.replace("--no-devcontainer", "")
    assert "Docker" not in text
    assert "Podman" not in text


# -- clusters -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("slurm-login", "srun --gres=gpu:1 poetry tf doctor"),
        ("pbs-login", "qsub -I -l select=1:ngpus=1"),
        ("torque-login", "qsub -I -l nodes=1:gpus=1"),
        ("lsf-login", "bsub -I -gpu num=1 poetry tf doctor"),
    ],
)
def test_a_login_node_is_told_how_to_ask_for_another(name: str, command: str):
    findings = list(run_probes(machine(name), needs()))
    assert works(findings), "what the nodes have is not known here"
    (finding,) = (item for item in findings if item.probe == "cluster")
    assert finding.state == "note"
    assert finding.remedy is not None
    assert finding.remedy.everywhere[0] == command
    verdict = format_verdict(findings, needs(), machine(name))
    assert verdict == "A login node can't show whether TensorFlow will use a GPU."
    without = run_probes(machine(name), needs(mode="none"))
    assert "cluster" not in {item.probe for item in without}, "the project requests no GPU"


@pytest.mark.parametrize(
    ("name", "variables"),
    [
        ("slurm-login", {"SLURM_JOB_ID": "1", "SLURM_STEP_GPUS": "0"}),
        ("pbs-login", {"PBS_JOBID": "1", "CUDA_VISIBLE_DEVICES": "GPU-1"}),
        ("torque-login", {"PBS_JOBID": "1", "PBS_GPUFILE": "/var/1"}),
        ("lsf-login", {"LSB_JOBID": "1", "CUDA_VISIBLE_DEVICES": "0"}),
    ],
)
def test_a_job_that_was_promised_a_gpu_is_no_login_node(name: str, variables: dict[str, str]):
    findings = run_probes(machine(name, variable=variables), needs())
    assert [item.probe for item in findings if item.state == "error"] == ["driver"]


@pytest.mark.parametrize("hidden", ["", "-1", "NoDevFiles"])
def test_a_job_without_a_gpu_is_told_so(hidden: str):
    here = machine("slurm-job-without-gpu", variable={"CUDA_VISIBLE_DEVICES": hidden})
    (finding,) = (item for item in run_probes(here, needs()) if item.state == "error")
    assert finding.seen == "this job (Slurm 4711) has no GPU"


def test_a_workstation_with_slurm_and_a_gpu_is_no_login_node():
    here = machine("slurm-job", variable={"SLURM_JOB_ID": None, "SLURM_JOB_GPUS": None})
    assert works(run_probes(here, needs()))


def test_the_one_line_of_a_login_node_blames_nothing():
    programs = json.loads((RECORDINGS / "container-no-devices.json").read_text("utf-8"))["run"]
    here = machine("slurm-login", run={key: ran for key, ran in programs.items() if "-c #" in key})
    wanted = inside(config=None)
    assert summary_line(here, wanted) == (
        "TensorFlow 2.18.1 uses the CPU here: this is a login node of a cluster (Slurm), without "
        "a GPU; only a node with a GPU can show whether TensorFlow uses it. "
        "Run: srun --gres=gpu:1 poetry tf doctor"
    )
    verdict = format_verdict(list(run_probes(here, wanted)), wanted, here)
    assert verdict == "A login node can't show whether TensorFlow will use a GPU."


def test_what_else_is_wrong_on_a_login_node_is_an_error():
    unusable = UnusablePython("missing", ">=3.13", ("3.12",), suggested="3.13")
    wanted = needs(unusable=unusable)
    findings = list(run_probes(machine("slurm-login"), wanted))
    assert not works(findings)
    verdict = format_verdict(findings, wanted, machine("slurm-login"))
    assert verdict == 'TensorFlow will not work. Fix "python" first.'


def test_another_program_by_that_name_is_no_scheduler():
    ran = {"srun --version": {"status": 0, "output": "srun (serial runner) 1.0"}}
    findings = run_probes(machine("slurm-login", run=ran), needs())
    assert "cluster" not in {item.probe for item in findings}


def test_what_only_root_may_do_is_for_the_administrators_of_a_cluster():
    text = "\n".join(report(machine("slurm-job-without-driver"), needs()))
    assert "For the cluster's administrators: install the NVIDIA driver" in text


# -- who may do what ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "line", "command"),
    [
        ({"id -u": {"status": 0, "output": "0"}}, "Install", "apt install"),
        ({"id -u": {"status": 0, "output": "1000"}}, "As root: install", "apt install"),
        (
            {
                "id -u": {"status": 0, "output": "1000"},
                "sudo --version": {"status": 0, "output": "Sudo version 1.9.15p5"},
            },
            "Install",
            "sudo apt install",
        ),
    ],
)
def test_sudo_is_named_where_there_is_one(run: dict[str, Any], line: str, command: str):
    lines = [text.strip() for text in report(machine("without-sudo", run=run), needs())]
    assert any(text.startswith(f"{line} the NVIDIA driver") for text in lines)
    assert any(text.startswith(command) for text in lines)


# -- the Python -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["docker-gpu", "slurm-job", "without-driver"])
def test_a_python_that_poetry_refuses_is_told_and_no_install_beside_it(name: str):
    unusable = UnusablePython("missing", ">=3.13,<3.14", ("3.12", "3.9"), suggested="3.13")
    lines = list(report(machine(name), needs(unusable=unusable)))
    assert any("Poetry finds no Python for the project, only 3.12 and 3.9" in x for x in lines)
    assert not any("not installed" in text for text in lines)
    commands = [text.strip() for text in lines if text.strip().startswith("poetry ")]
    assert commands == ["poetry python install 3.13", "poetry env use 3.13", "poetry install"]
    assert summary_line(machine(name), needs(unusable=unusable)).startswith(
        "TensorFlow can't be installed: Poetry finds no Python"
    )


# -- the first sixty seconds ----------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.json")), ids=lambda path: path.stem)
def test_no_note_names_a_command_that_needs_a_project(path: Path):
    here = RecordedMachine(json.loads(path.read_text("utf-8")))
    for note in find_possibilities(here, PYTHONS).notes:
        assert note.state == "note"
        named = note.remedy.everywhere if note.remedy else ()
        assert not [one for one in named if one.startswith("poetry ") and "doctor" not in one]


@pytest.mark.parametrize("name", NAMES)
def test_tensorflow_runs_in_each_place(name: str):
    assert find_possibilities(machine(name), PYTHONS).runnable


@pytest.mark.parametrize(
    ("pythons", "series", "python", "lacks"),
    [
        (("3.13", "3.12"), "2.21", "3.13", False),
        (("3.9",), "2.20", "3.9", False),
        (("3.8", "3.6"), "2.21", "3.13", True),
        (("3.6",), "2.21", "3.13", True),
        (("3.14",), "2.21", "3.13", True),
        ((), "2.21", "3.13", False),
    ],
)
def test_the_python_is_one_that_is_here(
    pythons: tuple[str, ...], series: str, python: str, lacks: bool
):
    """With 3.8 alone there is a TensorFlow, but none with wheels of CUDA."""
    here = find_possibilities(machine("slurm-job"), pythons).items[-1]
    assert here.plan is not None
    assert (here.plan.release.series, here.plan.python) == (series, python)
    assert here.plan.gpu.mode == "pip"
    assert here.lacks_python == lacks
    assert (here.commands[0] == f"poetry python install {python}") == lacks


def test_a_project_without_tensorflow_keeps_its_pythons():
    admitted = parse_constraint(">=3.10,<3.12")
    found = find_possibilities(machine("old-glibc"), ("3.13", "3.11"), admitted)
    pythons = [item.plan.python for item in found.items if item.plan]
    assert pythons == ["3.11", "3.11"]
    assert "--python" not in found.items[-1].commands[-1]


def test_a_series_whose_wheels_need_a_newer_glibc_is_passed_over():
    wheels = [(one.series, one.wheels["linux-x86_64"].glibc) for one in catalog().releases]
    for glibc in ("2.17", "2.12"):
        ran = {"<python> -c # glibc": {"status": 0, "output": f"glibc {glibc}"}}
        here = find_possibilities(machine("old-glibc", run=ran), ()).items[-1]
        assert here.plan is not None
        fitting = [series for series, least in wheels if least and numbers(least) <= numbers(glibc)]
        assert here.plan.release.series == fitting[-1]


@pytest.mark.parametrize(
    ("system", "architecture", "environment"),
    [
        ("Darwin", "arm64", "macos-arm64"),
        ("Darwin", "x86_64", "macos-x86_64"),
        ("Windows", "AMD64", "windows-amd64"),
        ("Linux", "aarch64", None),
        ("Linux", "x86_64", None),
    ],
)
def test_the_project_is_made_for_this_system(
    system: str, architecture: str, environment: str | None
):
    here = RecordedMachine({"system": system, "architecture": architecture})
    item = find_possibilities(here, ("3.12",)).items[-1]
    assert item.plan is not None
    assert "3.12" in item.plan.release.usable_on(environment or f"linux-{architecture}")
    assert item.commands[0].partition("--environments ")[2] == (environment or "")


def test_an_engine_is_told_to_be_optional_where_no_project_asks_for_it():
    lines = list(first_seconds(machine("without-driver")))
    (at,) = (
        index
        for index, line in enumerate(lines)
        if "Docker was not found" in line and "engine" in line
    )
    assert lines[at + 1].strip() == "Only needed to work in a container"


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.json")), ids=lambda path: path.stem)
def test_commands_stand_below_a_colon(path: Path):
    here = RecordedMachine(json.loads(path.read_text("utf-8")))
    for wanted in (needs(), needs(config=".devcontainer/devcontainer.json")):
        for finding in run_probes(here, wanted):
            lines = list(format_finding(finding, family(here)))
            for line, below in itertools.pairwise(lines):
                if below.startswith(" " * 10) and not line.startswith(" " * 10):
                    assert line.endswith(":"), line


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.json")), ids=lambda path: path.stem)
@pytest.mark.parametrize("width", [60, 80])
def test_a_narrow_terminal_breaks_no_word_and_no_command(path: Path, width: int):
    here = RecordedMachine(json.loads(path.read_text("utf-8")))
    formatter = Formatter()
    formatter.set_style("warning", Style())
    for finding in run_probes(here, needs(config=".devcontainer/devcontainer.json")):
        whole = list(format_finding(finding, family(here)))
        fitted = list(format_finding(finding, family(here), lambda x: wrap_markup(x, width)))
        assert [line.split() for line in fitted] == [line.split() for line in whole]
        for line, shown in zip(whole, fitted, strict=True):
            if line.startswith(" " * 10):
                assert shown == line, "a command is copied"
                continue
            for part in map(formatter.remove_format, shown.split("\n")):
                assert len(part) <= width or " " not in part[8:].strip(), part


# -- what the project says --------------------------------------------------------------------


@pytest.mark.parametrize("off", [True, False])
def test_a_project_that_wants_no_container_needs_not_say_so_again(off: bool):
    """Of each command that moves it, or asks for no GPU."""
    commands: list[str] = []
    for name, wanted in (
        ("bare-older-gpu", needs()),
        ("bare-mac-newer", needs()),
        ("container-no-ptxas", inside(mode="system", config=None)),
    ):
        here = RecordedMachine(json.loads((RECORDINGS / f"{name}.json").read_text("utf-8")))
        text = "\n".join(report(here, replace(wanted, refuses_container=off)))
        found = re.findall("poetry tf init.*", text)
        assert found, name
        commands += found
    assert all(("--no-devcontainer" in command) != off for command in commands)


# -- a project on whatever there is ---------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_project_that_takes_any_machine_is_as_right_without_a_gpu(name: str):
    """Only where nothing says that there could be one."""
    here, wanted = machine(name), needs(mode="system")
    text = "\n".join(report(here, replace(wanted, gpu_optional=True)))
    if "on the CPU, as no NVIDIA GPU was found here" in text:
        errors = {item.probe for item in run_probes(here, wanted) if item.state == "error"}
        assert "devices" in errors or "driver" in errors, "the project that wants one is told"
        assert "cuDNN" not in text
        assert not re.search("^error +(devices|driver|libraries|libcuda)", text, re.MULTILINE)
    else:
        assert text == "\n".join(report(here, wanted))


def test_in_which_places_that_is():
    given = replace(needs(), gpu_optional=True)
    found = {name for name in NAMES if spec_here(machine(name), given).found_no_gpu}
    assert found == {"docker", "nspawn", "old-glibc", "sandbox"}


# -- one cause, one error -------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["system", "pip"])
@pytest.mark.parametrize("name", ["docker", "nspawn", "sandbox", "docker-without-gpus"])
def test_a_container_without_a_gpu_is_one_error(name: str, mode: Any):
    """What follows from it is none: libraries that no program needs then, or their wheels."""
    findings = list(run_probes(machine(name), needs(mode=mode)))
    assert [item.probe for item in findings if item.state == "error"] == ["devices"]
    assert not {"libcuda", "libraries", "wheels"} & {item.probe for item in findings}
