"""The programs that look from inside a process, run for real."""

from __future__ import annotations

import ast
import glob
import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import time
import venv
from pathlib import Path

import pytest
from tests.doctor.host.test_inside import needs
from tests.support.elf import elf

from poetry_tf.doctor.host.child_programs import (
    ProgramOutput,
    read_glibc,
    run_libraries_program,
    run_tensorflow_program,
    run_windows_program,
)
from poetry_tf.doctor.host.environment import environment
from poetry_tf.doctor.host.libraries import libraries
from poetry_tf.doctor.host.machine import OWN_PYTHON, CommandResult, ThisMachine
from poetry_tf.doctor.host.model import HostSpec
from poetry_tf.doctor.host.tensorflow import tensorflow
from poetry_tf.doctor.host.wheels import has_tensorflow
from poetry_tf.releases.nvidia import libraries as libraries_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="libraries of Linux")

MACHINE = ThisMachine()


def needed(wanted: HostSpec) -> tuple[str, ...]:
    return libraries_of(wanted.release)


# What TensorFlow is asked for, as a module that answers without one.
TENSORFLOW = """
class _Device:
    name = "/physical_device:GPU:0"
class config:
    class experimental:
        @staticmethod
        def get_device_details(device):
            return {"device_name": "Tesla"}
        @staticmethod
        def set_memory_growth(device, grows):
            assert grows
    @staticmethod
    def list_physical_devices(kind):
        return [_Device]
class device:
    def __init__(self, name): pass
    def __enter__(self): pass
    def __exit__(self, *_): pass
def ones(shape):
    return float(shape[0])
def matmul(one, other):
    return one * other
def reduce_sum(product):
    return product * 16
def function(step, jit_compile):
    assert jit_compile
    return step
__version__ = "2.18.1"
"""


@pytest.fixture(scope="module")
def libz() -> Path:
    path = MACHINE.load("libz.so.1").path
    if not path.startswith("/"):
        pytest.skip("there is no zlib")
    return Path(path)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment with a TensorFlow that is none."""
    site = tmp_path / "site-packages"
    (site / "tensorflow").mkdir(parents=True)
    (site / "tensorflow/__init__.py").write_text(TENSORFLOW)
    framework = site / "tensorflow/libtensorflow_framework.so.2"
    framework.write_bytes(elf("$ORIGIN/:$ORIGIN/../nvidia/cufft/lib:$ORIGIN/../nvidia/none"))
    about = site / "tensorflow-2.18.1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: tensorflow\nVersion: 2.18.1\n")
    (about / "RECORD").write_text("tensorflow/__init__.py,,\n")
    monkeypatch.setenv("PYTHONPATH", str(site))
    for name in ("LD_LIBRARY_PATH", "CONDA_PREFIX", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    return site


@pytest.fixture
def wanted(site: Path) -> HostSpec:
    return needs(python=sys.executable)


def library(output: ProgramOutput, name: str) -> dict[str, object]:
    (line,) = [line for line in output.lines_with("library") if line["library"] == name]
    return line


def test_a_library_is_found_where_tensorflows_own_file_says(
    site: Path, wanted: HostSpec, libz: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    wheel, other = site / "nvidia/cufft/lib", tmp_path / "other"
    for folder in (wheel, other):
        folder.mkdir(parents=True)
        shutil.copy(libz, folder / "libcufft.so.11")
    reported = run_libraries_program(MACHINE, wanted)
    assert library(reported, "libcufft.so.11")["path"] == str(wheel / "libcufft.so.11")
    assert "No such file" in str(library(reported, "libcublas.so.12")["error"])
    assert {"distribution": "tensorflow", "version": "2.18.1", "holds": True} in reported.lines
    # LD_LIBRARY_PATH goes before, as it does for TensorFlow.
    monkeypatch.setenv("LD_LIBRARY_PATH", str(other))
    reported = run_libraries_program(MACHINE, wanted)
    assert library(reported, "libcufft.so.11")["path"] == str(other / "libcufft.so.11")
    messages = [item.seen for item in libraries(MACHINE, wanted)]
    assert any(str(other) in seen and "before the wheels' own" in seen for seen in messages)


def test_a_tensorflow_of_another_place_is_reported(
    site: Path, wanted: HostSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (finding,) = environment(MACHINE, wanted)
    assert finding.state == "warning"
    assert f"tensorflow from {site}" in finding.seen
    assert "PYTHONPATH" in finding.needed
    # In the environment itself it is in its place.
    venv.create(tmp_path / "venv")
    (own,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    shutil.copytree(site, own, dirs_exist_ok=True)
    monkeypatch.delenv("PYTHONPATH")
    python = str(tmp_path / "venv/bin/python")
    spec = HostSpec(wanted.release, "pip", python=python)
    assert has_tensorflow(MACHINE, spec)
    assert not [*environment(MACHINE, spec)]
    monkeypatch.setenv("PYTHONPATH", str(site))
    assert [*environment(MACHINE, spec)]


def test_the_users_own_tensorflow_is_excluded_by_the_variable_that_is_named(
    site: Path, wanted: HostSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    venv.create(tmp_path / "venv", system_site_packages=True)
    minor = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    shutil.copytree(site, tmp_path / "user/lib" / minor / "site-packages")
    monkeypatch.delenv("PYTHONPATH")
    monkeypatch.setenv("PYTHONUSERBASE", str(tmp_path / "user"))
    spec = HostSpec(wanted.release, "pip", python=str(tmp_path / "venv/bin/python"))
    found = [item for item in environment(MACHINE, spec) if str(tmp_path / "user") in item.seen]
    assert [item.remedy and item.remedy.everywhere for item in found] == [
        ("export PYTHONNOUSERSITE=1",)
    ]
    monkeypatch.setenv("PYTHONNOUSERSITE", "1")
    assert not [item for item in environment(MACHINE, spec) if str(tmp_path) in item.seen]


def test_the_glibc_is_that_of_this_machine():
    name, version = platform.libc_ver()
    assert name != "glibc" or read_glibc(MACHINE) == version


def test_the_program_for_windows_is_one_of_an_old_python():
    asked: list[str] = []

    class Asking(ThisMachine):
        def run(self, *command: str, limit: float = 0) -> CommandResult:
            asked.append(command[2])
            return CommandResult(0, '{"avx": true}')

    assert run_windows_program(Asking(), needs()).lines == ({"avx": True},)
    ast.parse(asked[0], feature_version=(3, 8))


def test_a_library_that_the_wheels_have_where_tensorflow_does_not_look(
    site: Path, wanted: HostSpec, libz: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in needed(wanted):
        folder = site / "nvidia" / ("cusolver" if "cusolver" in name else "cufft") / "lib"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(libz, folder / name)
    lying = site / "nvidia/cusolver/lib"
    for name in ("libcudart.so.12", "libcudnn.so.9"):  # they'd be asked for their versions
        (site / "nvidia/cufft/lib" / name).unlink()
    asked = library(run_libraries_program(MACHINE, wanted), "libcusolver.so.11")
    assert asked["lies"] == str(lying / "libcusolver.so.11")
    seen = [item for item in libraries(MACHINE, wanted) if "libcusolver" in item.seen]
    assert [item.state for item in seen] == ["error"]
    monkeypatch.setenv("LD_LIBRARY_PATH", str(lying))
    assert "error" not in library(run_libraries_program(MACHINE, wanted), "libcusolver.so.11")
    assert not any("before the wheels' own" in item.seen for item in libraries(MACHINE, wanted))


def test_a_library_without_what_it_is_asked_for_is_not_the_right_one(
    site: Path, wanted: HostSpec, libz: Path
):
    folder = site / "nvidia/cufft/lib"
    folder.mkdir(parents=True)
    shutil.copy(libz, folder / "libcudnn.so.9")
    line = library(run_libraries_program(MACHINE, wanted), "libcudnn.so.9")
    assert "cudnnGetVersion" in str(line["error"])


def test_a_library_that_ends_the_process_is_named(site: Path, wanted: HostSpec, libz: Path):
    folder = site / "nvidia/cufft/lib"
    folder.mkdir(parents=True)
    # Its head says that there is more: touching that ends the process.
    (folder / "libcufft.so.11").write_bytes(libz.read_bytes()[:8192])
    (finding,) = [item for item in libraries(MACHINE, wanted) if "libcufft" in item.seen]
    assert finding.state == "error"
    reported = run_libraries_program(MACHINE, wanted)
    assert (
        reported.text("loading") == "libcufft.so.11" or library(reported, "libcufft.so.11")["error"]
    )


@pytest.mark.sample
@pytest.mark.parametrize(
    "content", [b"", b"\x7fELF", elf("x")[:150], b"\x7fELF\x02\x01" + b"\xff" * 90]
)
def test_a_file_that_is_no_library_is_survived(site: Path, wanted: HostSpec, content: bytes):
    (site / "tensorflow/libtensorflow_framework.so.2").write_bytes(content)
    folder = site / "nvidia/cufft/lib"
    folder.mkdir(parents=True)
    reported = run_libraries_program(MACHINE, wanted)
    assert reported.result.status == 0
    assert has_tensorflow(MACHINE, wanted)
    assert all(line["error"] for line in reported.lines_with("library"))


class Impatient(ThisMachine):
    """This machine, with less time than probes have."""

    def run(self, *command: str, limit: float = 0) -> CommandResult:
        return super().run(*command, limit=1)


@pytest.mark.slow
def test_a_library_that_hangs_is_given_up(site: Path, wanted: HostSpec):
    folder = site / "nvidia/cufft/lib"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "libcufft.so.11")  # opening it waits for a writer
    finding, *_ = libraries(Impatient(), wanted)
    assert finding.state == "warning"
    assert "loading libcufft.so.11 took longer" in finding.seen


@pytest.mark.slow
def test_what_was_printed_before_a_program_hangs_is_kept():
    program = "import os, time; print(1, flush=True); os.system('sleep 60 & wait'); print(2)"
    ran = MACHINE.run(OWN_PYTHON, "-c", program, limit=1)
    assert (ran.status, ran.output, ran.trouble) == (None, "1", "timeout")


INTERRUPTED = """
import signal, sys
from poetry_tf.doctor.host.machine import OWN_PYTHON, ThisMachine
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
sleeps = "import os, sys, time; "
sleeps += "os.mkdir(sys.argv[1]); os.rename(sys.argv[1], f'{sys.argv[1]}-{os.getpid()}'); "
try:
    ThisMachine().run(OWN_PYTHON, "-c", sleeps + "time.sleep(60)", sys.argv[1], limit=60)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_leaves_nothing_running(tmp_path: Path):
    parent = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(tmp_path / "child")],
        stdout=subprocess.PIPE,
        text=True,
    )
    while not (names := list(tmp_path.glob("child-*"))):
        assert parent.poll() is None
        time.sleep(0.01)
    child = int(names[0].name.partition("-")[2])
    os.kill(child, 0)  # it runs
    parent.send_signal(signal.SIGINT)
    output, _ = parent.communicate(timeout=60)
    assert output == "interrupted\n"
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_a_file_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    os.mkfifo(tmp_path / "gone")  # opening it waits for a writer
    (tmp_path / "here").write_text("text")
    impatient = ThisMachine(limit=0.1)
    assert impatient.read(str(tmp_path / "gone")) is None
    assert MACHINE.read(str(tmp_path / "here")) == "text"
    monkeypatch.setattr(glob, "glob", lambda _: threading.Event().wait())
    assert impatient.find("/net/*") == ()


def test_tensorflow_is_asked_for_its_gpus_and_a_compiled_step(wanted: HostSpec):
    reported = run_tensorflow_program(MACHINE, wanted)
    assert {"gpus": ["Tesla"]} in reported.lines
    assert {"compiled": 4096.0} in reported.lines
    states = {item.probe: item.state for item in tensorflow(MACHINE, wanted)}
    assert states == {"tensorflow": "ok", "compile": "ok"}
    listing = run_tensorflow_program(MACHINE, wanted, compile_step=False)
    assert {"gpus": ["Tesla"]} in listing.lines
    assert not list(listing.lines_with("compiled"))


@pytest.mark.sample
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("raise ImportError('libfoo.so.1: cannot open shared object file')", "libfoo.so.1 is"),
        ("import nowhere_at_all", "the module nowhere_at_all is missing"),
        ("import os; os.abort()", "ended with"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "illegal instruction"),
        ("raise SystemExit(3)", "can't be imported"),
        ("raise ImportError('/lib/libm.so.6: version `GLIBC_2.38\\' not found')", "GLIBC_2.38"),
    ],
)
def test_why_tensorflow_cannot_be_imported_is_reported(
    site: Path, wanted: HostSpec, text: str, says: str
):
    (site / "tensorflow/__init__.py").write_text(text)
    (finding,) = tensorflow(MACHINE, wanted)
    assert finding.state == "error"
    assert says in finding.seen


@pytest.mark.sample
@pytest.mark.parametrize(
    ("failure", "state", "says"),
    [
        ("raise RuntimeError('libdevice not found at ./libdevice.10.bc')", "error", "libdevice"),
        ("raise RuntimeError('Couldn\\'t find ptxas in PATH')", "error", "ptxas"),
        ("raise MemoryError('CUDA_ERROR_OUT_OF_MEMORY')", "warning", "memory"),
        ("import os; os.abort()", "error", "crashed TensorFlow"),
        ("return 1", "error", "a wrong result"),
    ],
)
def test_why_a_step_cannot_be_compiled_is_reported(
    site: Path, wanted: HostSpec, failure: str, state: str, says: str
):
    path = site / "tensorflow/__init__.py"
    body = "def function(step, jit_compile):\n    assert jit_compile"
    assert body in TENSORFLOW
    text = TENSORFLOW.replace("def matmul(one, other):", f"def matmul(one, other):\n    {failure}")
    path.write_text(text)
    finding = list(tensorflow(MACHINE, wanted))[-1]
    assert (finding.probe, finding.state) == ("compile", state)
    assert says in finding.seen


def test_what_lies_in_the_folder_is_not_taken_for_tensorflow(
    wanted: HostSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "json.py").write_text("raise SystemExit('mine')")
    (tmp_path / "tensorflow.py").write_text("raise SystemExit('mine')")
    monkeypatch.chdir(tmp_path)
    assert run_tensorflow_program(MACHINE, wanted).text("version") == "2.18.1"
