"""What is found on a host: recorded machines are played back, and garbage is survived."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.machines import RecordedMachine

from poetry_tf.commands.doctor_output import as_document
from poetry_tf.commands.doctor_possibilities import (
    format_possibilities,
    format_possibilities_briefly,
    possibilities_as_json,
)
from poetry_tf.doctor.host.engine import query_engine
from poetry_tf.doctor.host.machine import LIMIT, CachingMachine, CommandResult, LoadResult
from poetry_tf.doctor.host.model import HostFinding, HostSpec
from poetry_tf.doctor.host.possibilities import find_possibilities, read_facts
from poetry_tf.doctor.host.probes import HOST_PROBES, run_probes, works
from poetry_tf.doctor.host.system import family
from poetry_tf.releases import load
from poetry_tf.releases.nvidia import Driver, own_image

RECORDINGS = Path(__file__).with_name("recordings")
NAMES = sorted(path.stem.removeprefix("host-") for path in RECORDINGS.glob("host-*.json"))


def needs(series: str = "2.18", **changed: Any) -> HostSpec:
    release = load().newest(series)
    assert release is not None
    values: dict[str, Any] = {
        "release": release,
        "mode": "system",
        "config": ".devcontainer/devcontainer.json",
    }
    return HostSpec(**{**values, **changed})


def machine(name: str) -> RecordedMachine:
    return RecordedMachine(json.loads((RECORDINGS / f"host-{name}.json").read_text("utf-8")))


def found(name: str, wanted: HostSpec) -> list[HostFinding]:
    return list(run_probes(machine(name), wanted))


PODMAN = needs(engine="podman")
# The recording, what is needed there, and what is not well there.
CASES: list[tuple[str, HostSpec, dict[str, str]]] = [
    ("arch", needs(), {}),
    ("ubuntu", needs(), {"driver": "note"}),
    ("fedora", PODMAN, {}),
    ("fedora-stale-cdi", PODMAN, {"runtime": "error"}),
    ("fedora-no-cdi", PODMAN, {"runtime": "error"}),
    ("wsl2", needs(), {}),
    ("wsl2-old-driver", needs(), {"driver": "error"}),
    # It has PTX alone for this GPU, which that driver can't compile.
    ("wsl2-old-driver", needs("2.13"), {"driver": "note", "compute": "error"}),
    ("wsl2-no-integration", needs(), {"engine": "error"}),
    ("wsl1", needs(), {"system": "error", "engine": "error"}),
    ("windows", needs(), {}),
    ("windows", needs(config=None), {"system": "error", "tensorflow": "warning"}),
    (
        "windows",
        needs("2.10", config=None),
        {"system": "note", "compute": "note", "tensorflow": "warning"},
    ),
    ("windows-hyper-v", needs(), {"engine": "error"}),
    ("docker-desktop", needs(), {"engine": "error"}),
    ("no-gpu", needs(), {"driver": "error"}),
    ("no-gpu", needs(mode="none"), {}),
    ("no-driver", needs(), {"driver": "error"}),
    ("old-driver", needs(), {"driver": "error", "series": "note"}),
    ("old-driver", needs("2.13"), {"driver": "note"}),
    ("old-driver", needs("2.11"), {}),
    ("between", needs(), {"driver": "note"}),
    ("newer-gpu", needs(), {"compute": "error"}),
    ("newer-gpu-beside", needs(), {"compute": "warning"}),
    ("ptx", needs("2.15"), {"compute": "note"}),
    ("newer-gpu-podman", PODMAN, {"compute": "error"}),
    ("newer-gpu-old-driver", needs(), {"driver": "note", "compute": "error"}),
    ("older-gpu", needs(), {"driver": "error"}),
    ("older-gpu", needs("2.14"), {"driver": "note"}),
    ("maxwell", needs(), {"compute": "error"}),
    ("maxwell", needs("2.16"), {}),
    ("driver-too-new", needs(), {"driver": "error"}),
    ("two-gpus", needs(), {"compute": "note"}),
    ("no-driver-pascal", needs(), {"driver": "error"}),
    ("no-driver-turing", PODMAN, {"driver": "error"}),
    ("no-driver-kepler", needs(), {"driver": "error"}),
    ("windows-kepler", needs(), {"driver": "error"}),
    ("windows-kepler", needs("2.14"), {"driver": "error"}),
    ("windows-kepler", needs("2.10", config=None), {"system": "note", "tensorflow": "warning"}),
    ("loaded-and-failing", needs(), {"driver": "error"}),
    ("no-runtime", needs(), {"runtime": "error"}),
    ("unregistered", needs(), {"runtime": "error"}),
    ("not-loaded", needs(), {"driver": "error"}),
    ("mismatch", needs(), {"driver": "error"}),
    ("hang", needs(), {"driver": "error", "engine": "error"}),
    ("stopped", needs(), {"engine": "error"}),
    ("refused", needs(), {"engine": "error"}),
    ("remote", needs(), {"engine": "warning"}),
    ("remote-tcp", needs(), {"engine": "warning", "runtime": "error"}),
    ("remote-arm", needs(), {"engine": "warning", "processor": "error"}),
    ("remote-from-mac", needs(), {"engine": "warning"}),
    ("remote-socket", needs(), {"engine": "warning", "runtime": "error"}),
    ("remote-silent", needs(), {"engine": "error"}),
    ("remote-podman", PODMAN, {"engine": "warning"}),
    ("docker-18", needs(), {"engine": "error", "runtime": "error"}),
    ("rootless", needs(), {"runtime": "warning"}),
    ("rootless-unregistered", needs(), {"runtime": "error"}),
    ("snap", needs(), {"runtime": "error"}),
    ("snap-and-toolkit", needs(), {"runtime": "error"}),
    ("podman-socket", needs(), {"engine": "error"}),
    ("podman-broken", PODMAN, {"engine": "error"}),
    ("podman-windows", PODMAN, {"runtime": "warning"}),
    ("podman-windows-stopped", PODMAN, {"engine": "error"}),
    ("fedora-two-cdi", PODMAN, {"runtime": "error"}),
    ("fedora-refreshed-cdi", PODMAN, {}),
    ("fedora-selinux", PODMAN, {"runtime": "warning"}),
    ("podman-as-docker", needs(), {"engine": "error"}),
    ("runtime-without-gpu", needs(), {"driver": "error", "runtime": "error"}),
    ("runtime-without-gpu", needs(gpu_required=True), {"driver": "error"}),
    ("cdi", needs(), {"runtime": "error", "volumes": "note"}),
    ("cdi", needs(gpu_required=True), {"volumes": "note"}),
    ("cdi-older", needs(), {"runtime": "error"}),
    ("cdi-older", needs(gpu_required=True), {"runtime": "error"}),
    ("wslc", needs(), {"engine": "error"}),
    ("podman-4-cdi", PODMAN, {"runtime": "error"}),
    ("arm", needs(), {"processor": "error"}),
    ("macos", needs(), {"system": "error", "engine": "error"}),
]


def test_every_recording_is_played_back():
    assert {name for name, *_ in CASES} == set(NAMES)


@pytest.mark.parametrize(("name", "wanted", "amiss"), CASES)
def test_each_machine_is_told_what_it_lacks_and_nothing_else(
    name: str, wanted: HostSpec, amiss: dict[str, str]
):
    findings = found(name, wanted)
    assert {item.probe: item.state for item in findings if item.state != "ok"} == amiss
    assert works(findings) == ("error" not in amiss.values())


@pytest.mark.parametrize(("name", "wanted", "amiss"), CASES)
def test_what_is_wrong_comes_with_what_fixes_it(name: str, wanted: HostSpec, amiss: dict[str, str]):
    for item in found(name, wanted):
        assert item.seen
        if item.state == "error":
            assert item.remedy is not None, item
            assert item.remedy.what
            document = as_document([item], wanted, machine(name))
            commands = document["findings"][0]["remedy"]["commands"]
            assert set(commands) == {"arch", "debian", "ubuntu", "fedora", "windows"}


def commands(name: str, probe: str, wanted: HostSpec | None = None) -> str:
    here = machine(name)
    item = next(item for item in found(name, wanted or needs()) if item.probe == probe)
    assert item.remedy is not None
    system = family(here)
    own = (item.remedy.commands_on(system) if system else None) or ()
    return "\n".join([item.remedy.what, *own, *item.remedy.everywhere])


def test_the_commands_are_those_of_the_system():
    assert "pacman -S nvidia-container-toolkit" in commands("no-runtime", "runtime")
    assert "nvidia-ctk runtime configure" in commands("no-runtime", "runtime")
    assert "pacman" not in commands("unregistered", "runtime")
    assert "ubuntu-drivers" in commands("no-driver", "driver")
    assert "dnf install nvidia-container-toolkit" in commands("fedora-no-cdi", "runtime", PODMAN)
    assert "cdi generate" in commands("fedora-stale-cdi", "runtime", PODMAN)
    assert "toolkit" not in commands("fedora-stale-cdi", "runtime", PODMAN).lower()
    assert "systemctl enable --now docker" in commands("stopped", "engine")
    assert "usermod -aG docker" in commands("refused", "engine")
    assert "WSL integration" in commands("wsl2-no-integration", "engine")
    assert "on Windows" in commands("wsl2-old-driver", "driver")
    assert "--gpu none" in commands("no-gpu", "driver")
    assert "--engine podman" in commands("podman-as-docker", "engine")
    assert "--config=$HOME/.config/docker" in commands("rootless-unregistered", "runtime")
    assert "systemctl --user restart docker" in commands("rootless-unregistered", "runtime")
    assert "nvidia-ctk" not in commands("snap", "runtime").replace("what nvidia-ctk writes", "")
    assert "apt remove nvidia-container-toolkit" in commands("snap-and-toolkit", "runtime")
    assert "apt install docker.io" in commands("docker-18", "engine")
    assert "podman system migrate" in commands("podman-broken", "engine", PODMAN)
    assert "podman machine start" in commands("podman-windows-stopped", "engine", PODMAN)
    assert "--gpu-availability none" in commands("runtime-without-gpu", "runtime")
    assert "--gpu-availability all" in commands("cdi", "runtime")
    assert "nvidia-ctk runtime configure" in commands("cdi-older", "runtime")
    assert "dev.containers.dockerPath" in commands("wslc", "engine")
    assert "no-additional-gids" in commands("podman-4-cdi", "runtime", PODMAN)
    assert "docker volume rm poetry-tf-venv-0a1b poetry-tf-venv-2c3d" in commands("cdi", "volumes")
    assert "podman machine ssh" in commands("podman-windows", "runtime", PODMAN)


def test_a_file_that_an_older_podman_reads_is_enough():
    recording = json.loads((RECORDINGS / "host-podman-4-cdi.json").read_text("utf-8"))
    text = recording["read"]["/etc/cdi/nvidia.yaml"]
    recording["read"]["/etc/cdi/nvidia.yaml"] = text.partition("  additionalGids")[0]
    here = list(run_probes(RecordedMachine(recording), PODMAN))
    (item,) = (item for item in here if item.probe == "runtime")
    assert (item.state, item.seen) == ("ok", "/etc/cdi/nvidia.yaml describes the GPUs to Podman")


@pytest.mark.parametrize(
    ("name", "says"),
    [("stopped", "sudo snap start docker"), ("refused", "snap enable"), ("hang", "snap restart")],
)
def test_a_snap_is_started_as_one(name: str, says: str):
    recording = json.loads((RECORDINGS / f"host-{name}.json").read_text("utf-8"))
    recording["find"]["/snap/bin/docker"] = ["/snap/bin/docker"]
    (item,) = (
        item for item in run_probes(RecordedMachine(recording), needs()) if item.probe == "engine"
    )
    assert item.remedy is not None
    assert any(says in command for command in item.remedy.everywhere)


@pytest.mark.parametrize(("name", "says"), [("stopped", "enable --now"), ("hang", "restart")])
def test_a_docker_of_ones_own_is_started_as_one(name: str, says: str):
    recording = json.loads((RECORDINGS / f"host-{name}.json").read_text("utf-8"))
    recording["variable"]["DOCKER_HOST"] = "unix:///run/user/1000/docker.sock"
    (item,) = (
        item for item in run_probes(RecordedMachine(recording), needs()) if item.probe == "engine"
    )
    assert item.remedy is not None
    assert item.remedy.everywhere == (f"systemctl --user {says} docker",)


def test_a_description_of_the_gpus_is_made_again_where_it_counts():
    stale = commands("fedora-two-cdi", "runtime", PODMAN)
    assert stale.endswith("--output=/var/run/cdi/nvidia.yaml")
    (item,) = (item for item in found("fedora-refreshed-cdi", PODMAN) if item.probe == "runtime")
    assert item.seen.startswith("/var/run/cdi/")


def test_selinux_is_reported_beside_the_description():
    seen = [item for item in found("fedora-selinux", PODMAN) if item.probe == "runtime"]
    assert [item.state for item in seen] == ["ok", "warning"]
    assert "label=disable" in seen[1].needed
    assert seen[1].remedy is not None
    assert "setsebool -P container_use_devices on" in seen[1].remedy.everywhere[0]


REMOTE = [name for name in NAMES if name.startswith("remote")]


@pytest.mark.parametrize("name", REMOTE)
def test_a_docker_elsewhere_is_judged_by_what_it_says_and_fixed_there(name: str):
    wanted = PODMAN if name == "remote-podman" else needs()
    reported = found(name, wanted)
    assert "on another machine" in reported[0].seen
    assert {item.probe for item in reported} <= {"engine", "processor", "runtime"}
    for item in reported:
        if item.remedy is not None and item.probe != "processor":
            assert item.remedy.where == "there"


def test_a_docker_of_this_machine_is_not_taken_for_another_by_its_name():
    recording = json.loads((RECORDINGS / "host-remote-socket.json").read_text("utf-8"))
    recording["read"]["/proc/version"] = "Linux version 6.1.0-28-amd64 (a@b) #1 SMP"
    (item,) = (
        item for item in run_probes(RecordedMachine(recording), needs()) if item.probe == "engine"
    )
    assert item.state == "ok"
    recording["read"]["/proc/sys/kernel/hostname"] = "lab.example"
    recording["read"]["/proc/version"] = "Linux version 5.4.0 (a@b) #1 SMP"
    (item,) = (
        item for item in run_probes(RecordedMachine(recording), needs()) if item.probe == "engine"
    )
    assert item.state == "ok"


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("ssh://somebody:secret@lab:22", "ssh://lab:22"),
        ("tcp://192.168.1.5:2375", "tcp://192.168.1.5:2375"),
        ("tcp://[fd00::5]:2375", "tcp://[fd00::5]:2375"),
        ("tcp://localhost:2375", ""),
        ("tcp://127.0.0.1:2375", ""),
        ("tcp://[::1]:2375", ""),
        ("tcp://:2375", ""),
        ("unix:///var/run/docker.sock", ""),
        ("npipe:////./pipe/docker_engine", ""),
    ],
)
def test_an_address_tells_whether_docker_is_elsewhere(address: str, place: str):
    recording = json.loads((RECORDINGS / "host-arch.json").read_text("utf-8"))
    recording["variable"]["DOCKER_HOST"] = address
    assert query_engine(RecordedMachine(recording), needs()).remote_host == place


def test_both_minima_of_the_driver_are_named_with_what_follows_from_each():
    (item,) = (item for item in found("between", needs()) if item.probe == "driver")
    driver = needs().driver
    assert driver is not None
    assert driver.linux_least is not None
    assert driver.linux is not None
    assert driver.linux_least in item.needed
    assert driver.linux in item.needed
    (item,) = (item for item in found("wsl2-old-driver", needs()) if item.probe == "driver")
    assert str(driver.windows_least) in item.needed


@pytest.mark.parametrize(("name", "probe"), [("older-gpu", "driver"), ("maxwell", "compute")])
def test_a_gpu_that_is_too_old_is_told_the_newest_series_for_it(name: str, probe: str):
    (item,) = (item for item in found(name, needs()) if item.probe == probe)
    assert item.remedy is not None
    command, without = item.remedy.everywhere
    assert without == "poetry tf init --gpu none"
    series = command.rpartition(" ")[2]
    assert works(found(name, needs(series)))
    newer = load().series[load().series.index(series) + 1]
    assert not works(found(name, needs(newer)))


def test_nobody_is_told_to_install_a_driver_that_there_is_not_for_the_gpu():
    (item,) = (item for item in found("older-gpu", needs()) if item.probe == "driver")
    assert "the last NVIDIA driver for this GPU (Kepler) is 470" in item.needed
    assert "TensorFlow 2.14" in commands("no-driver-kepler", "driver")
    assert "ubuntu-drivers install nvidia:470" in commands(
        "no-driver-kepler", "driver", needs("2.14")
    )
    assert "TensorFlow 2" not in commands("windows-kepler", "driver"), "WSL hands none in"
    assert "TensorFlow 2.10" in commands("windows-kepler", "driver", needs("2.15", config=None))
    assert "nvidia-580xx-dkms" in commands("driver-too-new", "driver")
    assert "nvidia-580xx-dkms" in commands("no-driver-pascal", "driver")
    assert "nvidia-open" not in commands("no-driver-pascal", "driver")
    assert "akmod-nvidia xorg" in commands("no-driver-turing", "driver", PODMAN)


def served(recording: dict[str, Any], wanted: HostSpec) -> tuple[str, ...]:
    """The command for the series that the driver of a recording serves."""
    reported = list(run_probes(RecordedMachine(recording), wanted))
    assert "Install a newer driver" in str([i.remedy for i in reported if i.probe == "driver"])
    remedies = [item.remedy for item in reported if item.probe == "series"]
    return remedies[0].everywhere if remedies and remedies[0] else ()


def test_who_may_not_install_a_driver_is_told_the_series_that_it_serves():
    recording = json.loads((RECORDINGS / "host-old-driver.json").read_text("utf-8"))
    assert served(recording, needs()) == ("poetry tf init --tensorflow 2.14",)
    assert works(found("old-driver", needs("2.14")))
    assert not works(found("old-driver", needs("2.15")))
    # Without a container only the wheels bring CUDA.
    bare = needs(config=None, mode="pip")
    command = "poetry tf init --tensorflow 2.14 --no-devcontainer --gpu pip"
    assert served(recording, bare) == (command,)
    # With PTX alone the driver of the whole toolkit is needed.
    (key,) = (key for key in recording["run"] if key.startswith("nvidia-smi") and "cap" in key)
    for version, commands in (("522.25", ("poetry tf init --tensorflow 2.14",)), ("470.82", ())):
        output = f"NVIDIA GeForce RTX 4090, {version}, 8.9"
        recording["run"][key] = {"status": 0, "output": output}
        assert served(recording, needs()) == commands


def test_a_gpu_that_is_too_new_is_sent_to_nvidias_image():
    (item,) = (item for item in found("newer-gpu", needs()) if item.probe == "compute")
    assert "CUDA_ERROR_INVALID_PTX" in item.needed
    assert f"no TensorFlow up to {load().series[-1]} has code for it" in item.needed
    run, without = commands("newer-gpu", "compute").splitlines()[1:]
    assert run == f"docker run --rm -it --gpus all {own_image().name}"
    assert without == "poetry tf init --gpu none"
    assert "podman run --rm -it --device nvidia.com/gpu=all" in commands(
        "newer-gpu-podman", "compute", PODMAN
    )
    # No command that fails there: without an engine the image is named alone.
    recording = json.loads((RECORDINGS / "host-newer-gpu.json").read_text("utf-8"))
    del recording["run"]["docker info --format {{json .}}"]
    (item,) = (
        item for item in run_probes(RecordedMachine(recording), needs()) if item.probe == "compute"
    )
    assert item.remedy is not None
    assert own_image().name in item.remedy.what
    assert item.remedy.everywhere == ("poetry tf init --gpu none",)


def test_a_gpu_that_is_too_new_is_hidden_where_there_is_another():
    assert commands("newer-gpu-beside", "compute").splitlines()[1:] == [
        "export CUDA_DEVICE_ORDER=PCI_BUS_ID",
        "export CUDA_VISIBLE_DEVICES=1",
    ]


def test_a_driver_that_is_loaded_is_not_loaded_again():
    assert "modprobe" in commands("not-loaded", "driver")
    for name in ("mismatch", "loaded-and-failing"):
        assert "Restart the machine" in commands(name, "driver")
        assert "modprobe" not in commands(name, "driver")


@pytest.mark.parametrize(
    ("whole", "least", "version", "state"),
    [
        ("560.1", "525.1", "560.2", "ok"),
        ("560.1", "525.1", "530.0", "note"),
        ("560.1", "525.1", "520.0", "error"),
        ("560.1", None, "550.0", "error"),
        (None, "525.1", "530.0", "ok"),
        (None, "525.1", "520.0", "error"),
        (None, None, "1.0", "ok"),
    ],
)
def test_a_driver_is_held_against_the_minima_that_there_are(
    whole: str | None, least: str | None, version: str, state: str
):
    class Wanting(HostSpec):
        @property
        def driver(self) -> Driver:
            return Driver("12.5", whole, None, least, None)

    recording = json.loads((RECORDINGS / "host-arch.json").read_text("utf-8"))
    (key,) = (key for key in recording["run"] if "compute_cap" in key)
    recording["run"][key]["output"] = f"NVIDIA GeForce RTX 4090, {version}, 8.9"
    wanted = Wanting(needs().release, "system", config="devcontainer.json")
    (item,) = (
        item for item in run_probes(RecordedMachine(recording), wanted) if item.probe == "driver"
    )
    assert item.state == state


def test_who_has_an_arm_processor_is_told_what_there_is_instead_of_a_driver():
    reported = found("arm", needs())
    assert [item.probe for item in reported] == ["system", "processor"]
    assert "--gpu none" in commands("arm", "processor")
    assert "x86_64" in commands("arm", "processor")
    assert found("arm", needs(mode="none")) == []


def test_no_password_of_a_docker_elsewhere_is_reported():
    (item,) = (item for item in found("remote", needs()) if item.probe == "engine")
    assert "somebody" not in item.seen
    assert "ssh://lab" in item.seen


# -- whatever a machine answers -------------------------------------------------------------

TEXT = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "NVIDIA, 1.2, 9.9",
            "a, 560.1",
            "ssh://a@b",
            "tcp://[::1",
            "1",
            "0 0",
            ",,,",
            "{}",
            "[]",
            '{"ServerVersion": 3, "Runtimes": 4, "OperatingSystem": []}',
            '{"ServerErrors": 7}',
            '{"ServerVersion": "18.09.1", "Name": "a", "KernelVersion": "1", "Runtimes": {}}',
            '{"ServerVersion": "29.2.0", "SecurityOptions": ["name=rootless"], "Runtimes": []}',
            '{"ServerVersion": "29.2.0", "DockerRootDir": "/var/snap/docker/common"}',
            '{"host": {}, "version": "5"}',
            '{"host": {"serviceIsRemote": true, "hostname": "a"}}',
            "nvidia.com/gpu libcuda.so.1.2.3",
            "Module 1.2",
            "0x10de",
        ]
    ),
)
RANS = st.one_of(
    st.builds(CommandResult, st.integers(0, 255), TEXT, TEXT),
    st.builds(
        CommandResult, st.none(), TEXT, TEXT, st.sampled_from(["missing", "timeout", "denied"])
    ),
)


class Babbling:
    """A machine that answers anything, and notes what it was made to run."""

    def __init__(self, system: str, architecture: str, draw: Any) -> None:
        self.system, self.architecture = system, architecture
        self._draw = draw
        self.commands: list[tuple[str, ...]] = []

    def run(self, *command: str, limit: float = LIMIT) -> CommandResult:
        self.commands.append(command)
        ran: CommandResult = self._draw(RANS)
        return ran

    def read(self, path: str) -> str | None:
        text: str | None = self._draw(st.none() | TEXT)
        return text

    def find(self, pattern: str) -> tuple[str, ...]:
        return (pattern,) if self._draw(st.booleans()) else ()

    def load(self, library: str) -> LoadResult:
        return LoadResult(error="none")

    def variable(self, name: str) -> str | None:
        text: str | None = self._draw(st.none() | TEXT)
        return text


@given(
    data=st.data(),
    system=st.sampled_from(["Linux", "Windows", "Darwin", "FreeBSD"]),
    architecture=st.sampled_from(["x86_64", "aarch64", "ARM64"]),
    engine=st.sampled_from(["docker", "podman"]),
)
def test_no_answer_is_too_odd_and_nothing_is_run_that_changes_the_machine(
    data: st.DataObject, system: str, architecture: str, engine: Any
):
    babbling = Babbling(system, architecture, data.draw)
    findings: Iterator[HostFinding] = (
        item for probe in HOST_PROBES for item in probe(babbling, needs(engine=engine))
    )
    assert all(item.seen for item in findings)
    for program, *arguments in babbling.commands:
        name = program.rpartition("/")[2]
        assert (name, arguments[0].partition("=")[0]) in {
            ("nvidia-smi", "--query-gpu"),
            ("nvidia-smi", "-L"),
            ("<python>", "-c"),
            ("sysctl", "-n"),
            ("nvidia-ctk", "--version"),
            ("docker", "info"),
            ("docker", "context"),
            ("podman", "info"),
            ("docker", "volume"),
            ("podman", "volume"),
            ("wslc", "--version"),
            ("wslc.exe", "--version"),
            ("srun", "--version"),
            ("qstat", "--version"),
            ("bsub", "-V"),
        }
        assert arguments[:2] == ["volume", "ls"] or arguments[0] != "volume"


@given(
    data=st.data(),
    system=st.sampled_from(["Linux", "Windows", "Darwin", "FreeBSD"]),
    architecture=st.sampled_from(["x86_64", "aarch64", "ARM64"]),
    pythons=st.sets(st.sampled_from(["3.6", "3.9", "3.11", "3.12", "3.14"])),
)
@settings(max_examples=15)
def test_no_answer_is_too_odd_to_say_what_can_run(
    data: st.DataObject, system: str, architecture: str, pythons: set[str]
):
    answering = CachingMachine(Babbling(system, architecture, data.draw))
    possibilities = find_possibilities(answering, pythons)
    facts = read_facts(answering, sorted(pythons))
    assert all(format_possibilities(facts, possibilities))
    assert format_possibilities_briefly(facts, possibilities)
    assert json.dumps(possibilities_as_json(facts, possibilities))
