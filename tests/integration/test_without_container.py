"""`poetry tf init --no-devcontainer`: the Python, the GPU and the next steps of this machine."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from poetry.utils.env import EnvManager
from virtualenv.seed.wheels import embed

from poetry_tf.releases import load
from tests.integration.conftest import SetUp
from tests.support.poetry import PoetryRunner, write_pyproject
from tests.support.pythons import add_python

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the interpreters are scripts")

LINUX = ("Linux", "x86_64")
NEWEST = load().series[-1]

Machine = Callable[..., PoetryRunner]


@pytest.fixture
def machine(warm_poetry: PoetryRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Poetry on a machine with some Pythons, of a system by the variables of its os-release."""

    def make(
        *minors: str,
        system: tuple[str, str] = LINUX,
        program: str | None = None,
        gpu: bool = True,
        **release: str,
    ) -> PoetryRunner:
        folder = tmp_path / "usr" / "bin"
        folder.mkdir(parents=True, exist_ok=True)
        for minor in minors:
            add_python(folder, minor)
        for minor in minors[:1]:
            add_python(folder, minor, "python")
        if program is not None:
            (folder / program).write_text("#!/bin/sh\nexit 1\n", "utf-8")
            (folder / program).chmod(0o755)
        warm_poetry.in_project = True  # no environment is activated
        warm_poetry.environ |= {
            "PATH": str(folder),
            "POETRY_VIRTUALENVS_USE_POETRY_PYTHON": "false",
        }
        monkeypatch.setattr(platform, "system", lambda: system[0])
        monkeypatch.setattr(platform, "machine", lambda: system[1])
        monkeypatch.setattr(platform, "freedesktop_os_release", lambda: release)
        monkeypatch.setattr("poetry_tf.actions.here.container_kind", lambda _: None)
        monkeypatch.setattr("poetry_tf.doctor.host.place.DEVICES", ())
        monkeypatch.setattr("poetry_tf.doctor.host.place.has_gpu", lambda _: gpu)
        return warm_poetry

    return make


def init(poetry: PoetryRunner, *options: str, stdin: str | None = None) -> Any:
    words = ["tf", "init", "--no-lock", *options]
    done = poetry.call(*words, "-n") if stdin is None else poetry.call(*words, stdin=stdin)
    assert done.ok, done.output
    return done


def written(poetry: PoetryRunner) -> dict[str, Any]:
    return tomlkit.parse((poetry.project / "pyproject.toml").read_text("utf-8")).unwrap()


def python_of(poetry: PoetryRunner) -> str:
    text: str = written(poetry)["project"]["requires-python"]
    return text


def steps(done: Any) -> list[str]:
    return [line[4:] for line in done.stdout.partition("Next:\n")[2].splitlines()]


# Which Python


def test_the_python_is_one_of_this_machine(machine: Machine) -> None:
    poetry = machine("3.11")
    done = init(poetry, "--no-devcontainer")
    assert python_of(poetry) == ">=3.11,<3.12"
    assert f"TensorFlow {load().releases[-1].version} on Python 3.11" in done.stdout
    folder = poetry.environ["PATH"]
    assert f"Python 3.11, which Poetry finds here ({folder}/python)\n" in done.stderr
    assert not any("Get Python" in step for step in steps(done))
    assert poetry.call("tf", "check").returncode == 1  # there is no lock


@pytest.mark.slow
def test_it_is_the_newest_that_tensorflow_has_wheels_for(machine: Machine) -> None:
    poetry = machine("3.14", "3.8", "3.12", "3.10")
    done = init(poetry, "--no-devcontainer")
    assert python_of(poetry) == ">=3.12,<3.13"
    assert "/python3.12)" in done.stderr


@pytest.mark.slow
def test_on_ubuntu_22_04_it_is_3_10(machine: Machine) -> None:
    poetry = machine("3.10", ID="ubuntu", VERSION_CODENAME="jammy", UBUNTU_CODENAME="jammy")
    done = init(poetry, "--no-devcontainer")
    assert python_of(poetry) == ">=3.10,<3.11"
    assert f"TensorFlow {load().releases[-1].version}" in done.stdout


@pytest.mark.slow
def test_an_older_series_is_chosen_for_an_older_python(machine: Machine) -> None:
    """RHEL 9 has 3.9, for which 2.20 is the last."""
    poetry = machine("3.9", ID="rhel", PLATFORM_ID="platform:el9")
    done = init(poetry, "--no-devcontainer")
    assert python_of(poetry) == ">=3.9,<3.10"
    assert "tensorflow (>=2.20.0,<2.21.0)" in written(poetry)["project"]["dependencies"]
    assert "TensorFlow 2.20 is the newest series with wheels for it\n" in done.stderr


@pytest.mark.sample
@pytest.mark.parametrize(
    ("option", "python", "lacking"),
    [(("--tensorflow", NEWEST), "3.12", "3.12"), (("--python", "3.11"), "3.11", "3.11")],
)
def test_what_the_user_names_is_kept_and_what_lacks_is_said(
    machine: Machine, option: tuple[str, str], python: str, lacking: str
) -> None:
    poetry = machine("3.9", ID="rocky", ID_LIKE="rhel", PLATFORM_ID="platform:el9")
    done = init(poetry, "--no-devcontainer", *option)
    assert f"TensorFlow {load().releases[-1].version} on Python {python}\n" in done.stdout
    assert python_of(poetry).startswith(f">={python},")
    assert f"Poetry finds no Python {lacking} here, only 3.9: TensorFlow {NEWEST}" in done.stderr
    assert steps(done)[1] == (
        f"Get Python {lacking}: sudo dnf install python{lacking}, or poetry python install "
        f"{lacking} (experimental in Poetry)"
    )


def test_a_series_is_kept_with_the_python_that_is_here(machine: Machine) -> None:
    poetry = machine("3.12", "3.9")
    init(poetry, "--no-devcontainer", "--tensorflow", "2.13")
    assert python_of(poetry) == ">=3.9,<3.10"


@pytest.mark.sample
@pytest.mark.parametrize(
    ("machine_options", "ways"),
    [
        (
            {"minors": ["3.14"], "ID": "arch"},
            "3.13: poetry python install 3.13 (experimental in Poetry)",
        ),
        (
            {"minors": ["3.14"], "ID": "fedora"},
            "3.13: sudo dnf install python3.13, or poetry python install 3.13",
        ),
        (
            {"minors": ["3.6"], "ID": "linuxmint", "UBUNTU_CODENAME": "noble"},
            "3.12: sudo apt install python3.12, or poetry python install 3.12",
        ),
        (
            {"minors": ["3.14"], "system": ("Darwin", "arm64")},
            "3.13: brew install python@3.13, or poetry python install 3.13",
        ),
        (
            {"minors": ["3.14"], "system": ("Windows", "AMD64")},
            "3.13: winget install Python.Python.3.13, or poetry python install 3.13",
        ),
        (
            {"minors": ["3.6"], "PLATFORM_ID": "platform:el8", "modules": True},
            "3.13: a module of this cluster (module avail python, module load NAME), or poetry "
            "python install 3.13",
        ),
    ],
)
def test_where_none_fits_the_way_to_one_is_named(
    machine: Machine, machine_options: dict[str, Any], ways: str
) -> None:
    minors, modules = machine_options.pop("minors"), machine_options.pop("modules", False)
    poetry = machine(*minors, **machine_options)
    if modules:
        poetry.environ["LMOD_CMD"] = "/opt/lmod/libexec/lmod"
    done = init(poetry, "--no-devcontainer")
    python = ways.partition(":")[0]
    assert python_of(poetry).startswith(f">={python},"), "one that can be had"
    assert f"Poetry finds no Python {python} here, only {minors[0]}: " in done.stderr
    assert steps(done)[1].startswith(f"Get Python {ways}")


@pytest.mark.sample
@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ({"free_threaded": True}, "free-threaded"),
        ({"is_64bit": False}, "32-bit"),
        ({"implementation": "PyPy"}, "PyPy"),
        ({"level": "candidate"}, "a prerelease"),
        ({}, "Conda's base environment"),
    ],
)
def test_what_tensorflow_can_not_be_installed_for_is_not_chosen(
    machine: Machine, tmp_path: Path, kind: dict[str, Any], why: str
) -> None:
    poetry = machine()
    odd = tmp_path / "odd" / "bin"
    if not kind:
        (tmp_path / "odd" / "conda-meta").mkdir(parents=True)
        (tmp_path / "odd" / "condabin").mkdir()
    add_python(odd, "3.13", **kind)
    add_python(odd, "3.13", "python", **kind)
    poetry.environ["PATH"] += os.pathsep + str(odd)
    done = init(poetry, "--no-devcontainer")
    assert f"Poetry finds no Python 3.13 here, only 3.13 ({why}): " in done.stderr
    # Poetry looks at the minor alone, and would take it for a project on 3.13.
    (poetry.project / "pyproject.toml").unlink()
    good = add_python(tmp_path / "usr" / "bin", "3.13")
    add_python(tmp_path / "usr" / "bin", "3.12")
    done = init(poetry, "--no-devcontainer")
    assert python_of(poetry) == ">=3.13,<3.14"
    assert steps(done)[1] == f"Choose the Python: poetry env use {good}"


@pytest.mark.slow
def test_a_python_that_is_too_old_for_virtualenv_is_not_chosen(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """virtualenv refuses those that its own wheels of pip are not for."""
    poetry = machine("3.9", "3.10")
    monkeypatch.setattr(embed, "OLDEST_SUPPORTED", (3, 10), raising=False)
    options = ["--no-devcontainer", "--tensorflow", "2.13", "--python", "3.9"]
    poetry.environ["POETRY_VIRTUALENVS_OPTIONS_NO_PIP"] = "true"
    assert "can't create an environment" not in init(poetry, *options).stderr, (
        "its pip is not needed"
    )
    poetry.environ["POETRY_VIRTUALENVS_OPTIONS_NO_PIP"] = "false"
    done = init(poetry, *options)
    assert (
        "Poetry can't create an environment with Python 3.9 here: its virtualenv needs at least "
        in (done.stderr)
    )
    assert "TensorFlow 2.13.1 has wheels for Python 3.8, 3.9, 3.10 and 3.11\n" in done.stderr
    step = steps(done)[1]
    assert step == "Use another Python: poetry tf init --python 3.10"
    done = init(poetry, *step.partition("init ")[2].split())
    assert python_of(poetry) == ">=3.10,<3.11"
    assert "can't create an environment" not in done.stderr

    (poetry.project / "pyproject.toml").unlink()
    (Path(poetry.environ["PATH"]) / "python3.10").unlink()
    done = init(poetry, "--no-devcontainer")
    assert "only 3.9 (too old for virtualenv): " in done.stderr
    done = init(poetry, "--python", "3.9", "--tensorflow", "2.13")
    assert steps(done)[1] == "Use another Python: poetry tf init --python 3.11"
    add_environment(poetry.project / ".venv", "3.9")
    done = init(poetry)
    assert "environment of" not in done.stderr and "Take" not in done.stdout, "it is made already"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("minor", "options", "command"),
    [
        ("3.11", ["--tensorflow", "2.10"], "--tensorflow 2.12 --python 3.11"),
        ("3.11", ["--tensorflow", "2.10", "--gpu", "none"], "--tensorflow 2.12 --python 3.11"),
        ("3.9", ["--gpu", "pip", "--tensorflow", NEWEST], "--tensorflow 2.20 --python 3.9"),
        ("3.12", ["--python", "3.11"], "--python 3.12"),
        ("3.14", ["--tensorflow", "2.10"], None),
    ],
)
def test_what_fits_the_python_that_is_here_is_said(
    machine: Machine, minor: str, options: list[str], command: str | None
) -> None:
    poetry = machine(minor)
    done = init(poetry, "--no-devcontainer", *options)
    _, get, other, *_ = steps(done)
    assert get.startswith("Get Python ")
    if command is None:
        assert other.startswith("Install")
        return
    assert other == f"Or use what fits the Python here: poetry tf init {command}"
    done = init(poetry, *command.split())
    assert python_of(poetry).startswith(f">={minor},")
    assert "Get Python" not in done.stdout


def test_a_stub_of_the_windows_store_is_no_python(machine: Machine, tmp_path: Path) -> None:
    poetry = machine("3.11")
    stub = tmp_path / "usr" / "bin" / "python3.13"
    stub.write_text("#!/bin/sh\necho 'Python was not found' >&2\nexit 49\n", "utf-8")
    stub.chmod(0o755)
    init(poetry, "--no-devcontainer")
    assert python_of(poetry) == ">=3.11,<3.12"


def test_one_that_poetry_installed_counts(machine: Machine) -> None:
    poetry = machine("3.14")
    installed = poetry.home / "data" / "python" / "cpython@3.12.1" / "bin"
    add_python(installed, "3.12")
    done = init(poetry, "--no-devcontainer")
    assert python_of(poetry) == ">=3.12,<3.13"
    assert f"Python 3.12, which Poetry finds here ({installed}/python3.12)" in done.stderr


@pytest.mark.slow
def test_one_of_pyenv_counts(machine: Machine) -> None:
    poetry = machine("3.14")
    add_python(poetry.home / ".pyenv" / "versions" / "3.11.1" / "bin", "3.11")
    init(poetry, "--no-devcontainer")
    assert python_of(poetry) == ">=3.11,<3.12"


def test_in_an_activated_environment_it_is_the_one_of_that(
    machine: Machine, tmp_path: Path
) -> None:
    poetry = machine("3.13")
    poetry.in_project, poetry.python_version = False, "3.12.2"
    init(poetry, "--no-devcontainer")
    assert python_of(poetry) == ">=3.12,<3.13"


def add_environment(folder: Path, minor: str) -> Path:
    """A virtual environment, as far as Poetry looks at it."""
    (folder / "lib" / f"python{minor}" / "site-packages").mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text("include-system-site-packages = false\n", "utf-8")
    return add_python(folder / "bin", minor, "python")


@pytest.mark.sample
@pytest.mark.parametrize("place", [".venv", "env use"])
def test_the_environment_that_the_project_has_counts(machine: Machine, place: str) -> None:
    poetry = machine("3.13", "3.12")
    if place == ".venv":
        python = add_environment(poetry.project / ".venv", "3.10")
        expected = ">=3.10,<3.11"
    else:
        poetry.in_project = False
        poetry.environ["VIRTUAL_ENV"] = ""
        write_pyproject(poetry.project, ["packaging"], requires_python=">=3.9")
        name = EnvManager.generate_env_name("example", str(poetry.project))
        folder = poetry.home / "cache" / "virtualenvs"
        poetry.environ["POETRY_VIRTUALENVS_PATH"] = str(folder)
        python = add_environment(folder / f"{name}-py3.10", "3.10")
        chosen = f'[{name}]\nminor = "3.10"\npatch = "3.10.1"\n'
        (folder / "envs.toml").write_text(chosen, "utf-8")
        expected = ">=3.10,<3.14"
    done = init(poetry, "--no-devcontainer")
    assert python_of(poetry) == expected
    assert f"Python 3.10, of the project's environment ({python})\n" in done.stderr
    assert f"TensorFlow {load().releases[-1].version} on Python 3.10\n" in done.stdout
    assert not any("env use" in step for step in steps(done))
    done = init(poetry, "--no-devcontainer")
    assert "on Python 3.10\n" in done.stdout, "also of a project that is set up"


@pytest.mark.slow
def test_an_environment_that_does_not_fit_is_replaced(machine: Machine) -> None:
    poetry = machine("3.12", "3.11")
    python = add_environment(poetry.project / ".venv", "3.14")
    done = init(poetry, "--no-devcontainer")
    assert python_of(poetry) == ">=3.12,<3.13"
    assert f"The project's environment has Python 3.14 ({python}): TensorFlow" in done.stderr
    folder = poetry.environ["PATH"]
    assert steps(done)[1] == f"Choose the Python: poetry env use {folder}/python"


def test_an_environment_that_nothing_replaces_needs_a_python_first(machine: Machine) -> None:
    poetry = machine("3.14")
    add_environment(poetry.project / ".venv", "3.14")
    done = init(poetry, "--no-devcontainer", "--python", "3.12")
    assert "The project's environment has Python 3.14 (" in done.stderr
    get, use = steps(done)[1:3]
    assert get.startswith("Get Python 3.12: ")
    assert use == "Create the project's environment with it: poetry env use 3.12"


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["VIRTUAL_ENV", "CONDA_PREFIX"])
def test_an_activated_environment_that_is_gone_is_ignored(
    machine: Machine, tmp_path: Path, variable: str
) -> None:
    poetry = machine("3.12")
    poetry.environ[variable] = str(tmp_path / "gone")
    done = init(poetry, "--no-devcontainer")
    gone = (
        f"{variable} is set to a folder that does not exist, and was ignored: {tmp_path / 'gone'}\n"
    )
    assert gone in done.stderr
    assert f"which Poetry finds here ({poetry.environ['PATH']}/python)" in done.stderr
    (tmp_path / "gone").mkdir()
    done = init(poetry, "--no-devcontainer")
    assert "names a folder" not in done.stderr and "activated" not in done.stderr


def test_without_environments_it_is_poetrys_own(machine: Machine) -> None:
    poetry = machine("3.10" if sys.version_info[:2] != (3, 10) else "3.11")
    poetry.environ["POETRY_VIRTUALENVS_CREATE"] = "false"
    done = init(poetry, "--no-devcontainer")
    assert python_of(poetry).startswith(f">=3.{sys.version_info.minor},")
    assert f"({sys.executable})" in done.stderr


def test_an_activated_environment_that_does_not_fit_has_to_be_left(machine: Machine) -> None:
    poetry = machine("3.13")
    poetry.in_project, poetry.python_version = False, "3.14.0"
    done = init(poetry, "--no-devcontainer")
    assert "no Python 3.13 in the activated environment, only 3.14: " in done.stderr
    assert steps(done)[1].startswith("Leave the activated environment")
    assert steps(done)[1].endswith("deactivate, or conda deactivate")


@pytest.mark.slow
def test_a_project_that_is_there_keeps_its_python(machine: Machine) -> None:
    poetry = machine("3.9")
    init(poetry, "--no-devcontainer")
    path = poetry.project / "pyproject.toml"
    before = path.read_bytes()
    shutil.rmtree(poetry.environ["PATH"])
    add_python(Path(poetry.environ["PATH"]), "3.12", "python")
    done = init(poetry)
    assert path.read_bytes() == before
    assert "no Python 3.9 here, only 3.12: " in done.stderr
    assert any(step.startswith("Get Python 3.9: ") for step in steps(done))


def test_a_project_with_a_range_of_pythons_keeps_it(machine: Machine) -> None:
    poetry = machine("3.11")
    write_pyproject(poetry.project, ["packaging"], requires_python=">=3.10,<3.13")
    done = init(poetry, "--no-devcontainer")
    assert python_of(poetry) == ">=3.10,<3.13"
    assert "Get Python" not in done.stdout and "finds no Python" not in done.stderr


@pytest.mark.slow
def test_with_a_container_the_pythons_are_those_of_the_images(machine: Machine) -> None:
    poetry = machine("3.9")
    done = init(poetry)
    assert python_of(poetry) == ">=3.13,<3.14"
    assert "Looking for" not in done.stderr and done.stderr == ""


@pytest.mark.slow
def test_poetry_installs_with_the_python_that_was_chosen(
    warm_poetry: PoetryRunner, tmp_path: Path
) -> None:
    """A real one: Poetry makes the environment of it."""
    real = tmp_path / "real"
    real.mkdir()
    (real / "python").symlink_to(sys.executable)
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    warm_poetry.in_project = True
    warm_poetry.environ |= {
        "PATH": str(real),
        "POETRY_VIRTUALENVS_USE_POETRY_PYTHON": "false",
    }
    done = warm_poetry.call("tf", "init", "-n", "--no-devcontainer")
    assert done.ok, done.output
    assert python_of(warm_poetry).startswith(f">={minor},")
    assert warm_poetry.call("tf", "check").stdout.startswith("All set! ")
    done = warm_poetry.run("install", "--dry-run")
    assert done.ok, done.output
    assert "Installing tensorflow" in done.stdout
    assert warm_poetry.python.exists()


@pytest.mark.slow
def test_poetry_is_told_of_the_right_one(machine: Machine) -> None:
    """By the command of the next steps, with a real Python behind one that doesn't fit."""
    poetry = machine()
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = Path(poetry.environ["PATH"])
    add_python(folder, minor, "python", free_threaded=True)
    (folder / "python3").symlink_to(sys.executable)
    done = init(poetry, "--no-devcontainer")
    command = steps(done)[1].partition(": ")[2].split()
    assert command == ["poetry", "env", "use", str(folder / "python3")]
    used = poetry.run(*command[1:])
    assert used.ok, used.output
    assert poetry.python.exists()


# The GPU


@pytest.mark.parametrize("options", [(), ("--gpu", "auto")])
def test_a_container_without_a_gpu_is_said(machine: Machine, options: tuple[str, ...]) -> None:
    done = init(machine("3.10"), "--tensorflow", "2.10", *options)
    assert done.stderr.startswith("TensorFlow 2.10 runs on the CPU: ")
    assert "; 2.12 is the first series with a GPU\n" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("series", ["2.12", "2.16", NEWEST])
def test_nothing_is_said_of_a_container_with_a_gpu(machine: Machine, series: str) -> None:
    assert "CPU" not in init(machine("3.10"), "--tensorflow", series).stderr


@pytest.mark.sample
@pytest.mark.parametrize("more", [(), ("--no-devcontainer",)])
def test_nothing_is_said_to_who_asks_for_the_cpu(machine: Machine, more: tuple[str, ...]) -> None:
    options = ["--tensorflow", "2.10", "--gpu", "none", *more]
    assert "CPU" not in init(machine("3.10"), *options).stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("series", "text"),
    [
        ("2.10", "runs on the CPU; 2.14 is the first series with CUDA as Python packages\n"),
        (
            "2.13",
            "runs on the CPU, unless CUDA 11.8 and cuDNN 8.6.0.163 are installed on this machine; "
            "2.14 is the first series with CUDA as Python packages\n",
        ),
        (
            "2.18",
            "runs on the CPU, unless CUDA 12.5 and cuDNN 9.3.0.75 are installed on this machine. "
            "For CUDA as Python packages: poetry tf init --gpu pip --no-devcontainer\n",
        ),
    ],
)
def test_without_a_container_nothing_brings_cuda(machine: Machine, series: str, text: str) -> None:
    done = init(machine("3.10"), "--no-devcontainer", "--tensorflow", series)
    assert f"Without a container, nothing installs CUDA: TensorFlow {series} {text}" in done.stderr


@pytest.mark.slow
def test_the_wheels_of_cuda_bring_it(machine: Machine) -> None:
    poetry = machine("3.10")
    init(poetry, "--no-devcontainer", "--tensorflow", "2.18")
    done = init(poetry, "--gpu", "pip")
    assert "CPU" not in done.stderr
    assert "If that shows no GPU: poetry tf doctor" in steps(done)


@pytest.mark.slow
def test_cuda_for_which_there_are_no_packages_is_named(machine: Machine) -> None:
    poetry = machine("3.10")
    options = ["--tensorflow", "2.10", "--gpu", "system"]
    done = poetry.call("tf", "init", "-n", "--no-lock", *options)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        'It is built with CUDA 11.2 and cuDNN 8. Use gpu = "none" or "auto", or the image '
        "tensorflow/tensorflow:2.10.1-gpu. Where these versions are installed on this machine: "
        "`poetry tf init --gpu system --no-devcontainer`."
    )
    init(poetry, *options, "--no-devcontainer")


def test_without_a_gpu_no_download_of_cuda_is_advised(machine: Machine) -> None:
    done = init(machine("3.12", gpu=False), "--no-devcontainer")
    assert f"TensorFlow {NEWEST} runs on the CPU: no NVIDIA GPU was found here\n" in done.stderr
    assert "CUDA" not in done.stderr
    assert not any("doctor" in step for step in steps(done))


@pytest.mark.slow
def test_without_a_gpu_the_size_of_cuda_is_said(machine: Machine) -> None:
    poetry = machine("3.12", gpu=False)
    said = "No NVIDIA GPU was found here. The CUDA wheels are a download of 3 to 4 GB; --gpu none "
    done = init(poetry, "--no-devcontainer", "--gpu", "pip")
    assert said in done.stderr
    assert "tensorflow[and-cuda]" in written(poetry)["project"]["dependencies"][0]
    assert "NVIDIA" not in init(poetry, "--gpu", "none").stderr
    (poetry.project / "pyproject.toml").unlink()
    done = init(poetry, stdin=f"\n{ANSWERS}")
    assert "GPU (auto, system, pip, none) [auto]:" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "answer"),
    [
        ("nvidia-smi", "exit 9"),
        ("srun", "echo 'slurm 23.11.4'"),
        ("bsub", "echo 'IBM Spectrum LSF Standard 10.1.0.0' >&2"),
        ("module", ""),
    ],
)
def test_a_driver_and_a_login_node_let_a_gpu_be_expected(
    machine: Machine, program: str, answer: str
) -> None:
    poetry = machine("3.12", gpu=False)
    if program == "module":
        poetry.environ["MODULESHOME"] = "/usr/share/modules"
    else:
        path = Path(poetry.environ["PATH"]) / program
        path.write_text(f"#!/bin/sh\n{answer}\n", "utf-8")
        path.chmod(0o755)
    assert "NVIDIA" not in init(poetry, "--no-devcontainer", "--gpu", "pip").stderr


@pytest.mark.slow
def test_wheels_of_cuda_that_a_series_lacks_are_an_error(machine: Machine) -> None:
    poetry = machine("3.10")
    options = ["--no-devcontainer", "--tensorflow", "2.13", "--gpu", "pip"]
    done = poetry.call("tf", "init", "-n", "--no-lock", *options)
    assert done.returncode == 1
    assert "no and-cuda wheels; these begin with TensorFlow 2.14" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "suggested"),
    [
        (["--python", "3.15"], f"`poetry tf init --tensorflow {NEWEST} --python 3.13{{}}`."),
        (
            ["--python", "3.7", "--tensorflow", "2.13"],
            "`poetry tf init --tensorflow 2.13 --python 3.11{}`, "
            "or `poetry tf init --tensorflow 2.11{}`.",
        ),
        (
            ["--from", "list.txt"],
            f"`poetry tf init --from list.txt{{}} --tensorflow {NEWEST}`.",
        ),
        (
            ["--from", "env.yml"],
            "`poetry tf init --from env.yml --tensorflow 2.15 --python 3.11{}`\n",
        ),
    ],
)
@pytest.mark.parametrize("gpu", [(), ("--gpu", "none")])
def test_a_suggested_command_repeats_the_options(
    machine: Machine, options: list[str], suggested: str, gpu: tuple[str, ...]
) -> None:
    poetry = machine("3.11")
    (poetry.project / "list.txt").write_text("tensorflow==2.99\n", "utf-8")
    text = "dependencies: [python=3.13, tensorflow=2.15]\n"
    (poetry.project / "env.yml").write_text(text, "utf-8")
    done = poetry.call("tf", "init", "-n", "--no-lock", "--no-devcontainer", *options, *gpu)
    assert done.returncode == 1
    given = "".join(f" {word}" for word in ("--no-devcontainer", *gpu))
    assert suggested.replace("{}", given) in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("system", "series", "text"),
    [
        (
            ("Windows", "AMD64"),
            NEWEST,
            "runs on the CPU on Windows; in WSL 2 it uses an NVIDIA GPU",
        ),
        (("Windows", "AMD64"), "2.10", "runs on the CPU until CUDA 11.2 and cuDNN 8"),
        (("Darwin", "arm64"), NEWEST, "runs on the CPU on macOS"),
        (("Linux", "aarch64"), NEWEST, "runs on the CPU on this machine"),
    ],
)
def test_elsewhere_it_is_the_cpu(
    machine: Machine, system: tuple[str, str], series: str, text: str
) -> None:
    for gpu in ("auto", "none") if series == "2.10" else ("auto", "pip", "none"):
        poetry = machine("3.10", system=system)
        options = ["--no-devcontainer", "--tensorflow", series, "--gpu", gpu]
        done = init(poetry, *options)
        assert (f"TensorFlow {series} {text}" in done.stderr) is (gpu != "none")
        shutil.rmtree(poetry.environ["PATH"])
        (poetry.project / "pyproject.toml").unlink()


# The next steps


@pytest.mark.sample
@pytest.mark.parametrize(
    ("system", "last"),
    [
        (LINUX, "If that shows no GPU: poetry tf doctor"),
        (("Windows", "AMD64"), "If the import fails with DLL load failed, install the Microsoft "),
        (("Darwin", "arm64"), "Show the devices that it runs on: poetry run python -c "),
    ],
)
def test_the_next_steps_are_those_of_the_system(
    machine: Machine, system: tuple[str, str], last: str
) -> None:
    done = init(machine("3.12", system=system), "--no-devcontainer")
    lock, install, look, *_ = steps(done)
    assert lock.startswith("Lock the project")
    assert install == "Install it here: poetry install"
    command = look.partition(": ")[2]
    assert command.startswith("poetry run python -c ") and "'" not in command, "cmd.exe has no '"
    assert steps(done)[-2].startswith(last)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("system", "name", "series"),
    [
        (("Windows", "AMD64"), "windows-amd64", NEWEST),
        (("Darwin", "arm64"), "macos-arm64", NEWEST),
        (("Darwin", "x86_64"), "macos-x86_64", "2.16"),
        (("Linux", "aarch64"), None, NEWEST),
        (("FreeBSD", "amd64"), None, NEWEST),
    ],
)
def test_the_lock_is_for_this_machine_too(
    machine: Machine, system: tuple[str, str], name: str | None, series: str
) -> None:
    poetry = machine("3.12", system=system)
    done = init(poetry, "--no-devcontainer")
    assert f"TensorFlow {series}." in done.stdout
    expected = ["linux-x86_64", name] if name is not None else None
    assert written(poetry)["tool"]["poetry-tf"].get("environments") == expected
    init(poetry, "--environments", "linux-x86_64")
    assert written(poetry)["tool"]["poetry-tf"]["environments"] == ["linux-x86_64"]
    init(poetry)
    assert written(poetry)["tool"]["poetry-tf"]["environments"] == ["linux-x86_64"]


def test_what_can_not_be_installed_here_is_an_error(machine: Machine) -> None:
    poetry = machine("3.10", system=("Darwin", "arm64"))
    options = ["--no-devcontainer", "--tensorflow", "2.12"]
    done = poetry.call("tf", "init", "-n", "--no-lock", *options)
    assert done.returncode == 1
    assert "TensorFlow 2.12.1 can't be installed on macos-arm64" in done.stderr


@pytest.mark.slow
def test_the_lock_for_windows_holds(machine: Machine) -> None:
    poetry = machine("3.12", system=("Windows", "AMD64"))
    done = poetry.call("tf", "init", "-n", "--no-devcontainer", "--tensorflow", "2.18")
    assert done.ok, done.output
    assert poetry.call("tf", "check").stdout.startswith("All set! ")


# The dialogue

ANSWERS = "\n" * 4


@pytest.mark.slow
def test_here_is_asked_for_where_no_engine_is(machine: Machine) -> None:
    poetry = machine("3.11")
    done = init(poetry, stdin=f"\n{ANSWERS}")
    assert done.stderr.startswith("This machine has neither Docker nor Podman.")
    assert "Where TensorFlow runs (here, container) [here]:" in done.stderr
    assert "Python (3.13, 3.12, 3.11, 3.10) [3.11]:" in done.stderr
    assert "GPU (auto, system, pip, none) [pip]:" in done.stderr
    assert written(poetry)["tool"]["poetry-tf"] == {"gpu": "pip", "devcontainer": "off"}
    assert "tensorflow[and-cuda]" in written(poetry)["project"]["dependencies"][0]
    assert python_of(poetry) == ">=3.11,<3.12"
    assert not (poetry.project / ".devcontainer").exists()


@pytest.mark.slow
def test_enter_is_here_and_a_container_can_be_chosen(machine: Machine) -> None:
    poetry = machine("3.11")
    init(poetry, stdin=f"\n{ANSWERS}")
    assert written(poetry)["tool"]["poetry-tf"]["devcontainer"] == "off"
    (poetry.project / "pyproject.toml").unlink()
    init(poetry, stdin=f"container\n{ANSWERS}")
    assert (poetry.project / ".devcontainer/devcontainer.json").exists()
    assert "devcontainer" not in written(poetry)["tool"]["poetry-tf"]


@pytest.mark.slow
@pytest.mark.parametrize("series", ["2.10", "2.13"])
def test_here_is_the_cpu_where_no_wheels_bring_cuda(machine: Machine, series: str) -> None:
    poetry = machine("3.10")
    done = init(poetry, stdin=f"\n{series}\n\n\n\n")
    assert "GPU (auto, system, none) [auto]:" in done.stderr
    assert f"Without a container, nothing installs CUDA: TensorFlow {series} runs on" in done.stderr
    assert written(poetry)["tool"]["poetry-tf"]["gpu"] == "auto"


@pytest.mark.slow
def test_here_is_the_cpu_on_a_mac(machine: Machine) -> None:
    done = init(machine("3.12", system=("Darwin", "arm64")), stdin=f"\n{ANSWERS}")
    assert "GPU (auto, system, pip, none) [auto]:" in done.stderr
    assert "runs on the CPU on macOS" in done.stderr


def test_here_with_a_series_for_the_python_that_is_here(machine: Machine) -> None:
    done = init(machine("3.9"), stdin=f"\n{ANSWERS}")
    assert "[2.20]:" in done.stderr
    assert "TensorFlow 2.20.0 on Python 3.9" in done.stdout


@pytest.mark.sample
@pytest.mark.parametrize("program", ["docker", "podman"])
def test_an_engine_leaves_nothing_to_ask(machine: Machine, program: str) -> None:
    done = init(machine("3.11", program=program), stdin=ANSWERS)
    assert "Where TensorFlow runs" not in done.stderr


@pytest.mark.slow
def test_what_is_decided_is_not_asked(machine: Machine) -> None:
    poetry = machine("3.11")
    assert "Where TensorFlow runs" not in init(poetry, "--no-devcontainer", stdin=ANSWERS).stderr
    assert "Where TensorFlow runs" not in init(poetry, stdin=ANSWERS).stderr
    (poetry.project / "pyproject.toml").unlink()
    init(poetry)
    assert "Where TensorFlow runs" not in init(poetry, stdin=ANSWERS).stderr


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["docker", "podman", "apptainer", "kubernetes", "other"])
def test_here_is_asked_for_in_a_container_without_an_engine(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    poetry = machine("3.11")
    monkeypatch.setattr("poetry_tf.actions.here.container_kind", lambda _: kind)
    done = init(poetry, stdin=f"\n{ANSWERS}")
    assert done.stderr.startswith(
        "This container has neither Docker nor Podman. here (recommended): in this container. "
        "container: in a dev container, on a machine"
    )
    assert "Where TensorFlow runs (here, container) [here]:" in done.stderr
    assert written(poetry)["tool"]["poetry-tf"]["devcontainer"] == "off"
    assert not (poetry.project / ".devcontainer").exists()


def test_a_dev_container_is_not_asked_whether_it_has_an_engine(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine that made it makes it again, from the new file."""
    poetry = machine("3.11")
    monkeypatch.setattr("poetry_tf.actions.here.container_kind", lambda _: "devcontainer")
    assert "Where TensorFlow runs" not in init(poetry, stdin=ANSWERS).stderr


def test_without_a_dialogue_nothing_is_asked(machine: Machine) -> None:
    poetry = machine("3.11")
    init(poetry)
    assert (poetry.project / ".devcontainer/devcontainer.json").exists()


# Another series


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "first", "before"),
    [
        ((), "2.12", "in the container"),
        (("--no-devcontainer",), "2.14", "installed on the machine"),
    ],
)
def test_an_upgrade_says_where_its_series_has_no_gpu(
    set_up: SetUp, more: tuple[str, ...], first: str, before: str
) -> None:
    poetry = set_up("--tensorflow", "2.15", "--python", "3.10", *more)
    page = poetry.call("tf", "upgrade", "2.13", "--dry-run", "-n").stdout
    assert f"8.6, {before}" in page or f"11.8, {before}" in page, page
    page = poetry.call("tf", "upgrade", "2.10", "--dry-run", "-n").stdout
    none = "none: no CUDA and cuDNN are known to work with this TensorFlow"
    assert f"{none}; {first} is the first series with a GPU\n" in page


# With a container


@pytest.mark.slow
def test_a_python_that_only_the_container_has_is_told(machine: Machine) -> None:
    """Without it Poetry refuses `add`, `lock` and `install` on the host, and that is told there."""
    poetry = machine("3.9", ID="rocky", PLATFORM_ID="platform:el9")
    done = init(poetry, "--tensorflow", NEWEST, "--python", "3.12")
    assert (
        "Poetry has no Python 3.12 here, and without it poetry add and its other commands work in "
        "the container only. To get it: sudo dnf install python3.12, or poetry python install 3.12 "
        "(experimental in Poetry)"
    ) in steps(done)
    for command in ("add numpy", "lock", "install"):
        refused = poetry.call(*command.split())
        assert refused.returncode == 1
        name = command.split()[0]
        assert refused.stderr.rstrip().endswith(
            f"The container has one: run poetry {name} there. "
            "To get such a Python here: poetry tf doctor"
        )


def test_in_an_activated_environment_doctor_says_how(machine: Machine) -> None:
    poetry = machine("3.12")
    poetry.in_project = False
    poetry.python_version = "3.9.1"
    done = init(poetry, "--tensorflow", NEWEST, "--python", "3.12")
    assert any(step.endswith("To get it: poetry tf doctor") for step in steps(done))


def test_nothing_is_said_of_a_python_that_is_here(machine: Machine) -> None:
    done = init(machine("3.9", "3.12"), "--tensorflow", NEWEST, "--python", "3.12")
    assert not any("Poetry has no Python" in step for step in steps(done))


# CUDA of the machine


@pytest.mark.slow
@pytest.mark.parametrize("series", ["2.8", "2.11"])
def test_cuda_of_the_machine_serves_a_series_that_no_container_has_packages_for(
    machine: Machine, series: str
) -> None:
    poetry = machine("3.10")
    options = ("--tensorflow", series, "--gpu", "system")
    done = init(poetry, "--no-devcontainer", *options)
    assert (
        f"TensorFlow {series} uses the GPU only with CUDA 11.2 and cuDNN 8 on this machine, which "
        "nothing installs\n"
    ) in done.stderr
    settings = {"gpu": "system", "devcontainer": "off"}
    assert written(poetry)["tool"]["poetry-tf"] == settings
    assert "TF001" not in poetry.call("tf", "check").stderr
    assert poetry.call("tf", "env").ok
    assert poetry.call("tf", "devcontainer").returncode == 1  # nor is one made with them
    (poetry.project / "pyproject.toml").unlink()
    refused = poetry.call("tf", "init", "-n", "--no-lock", *options)
    assert refused.returncode == 1
    assert (
        f"No CUDA and cuDNN packages are known to work with TensorFlow {series}" in refused.stderr
    )


@pytest.mark.slow
def test_a_container_that_is_kept_gets_no_such_cuda(machine: Machine) -> None:
    """`devcontainer = "off"` leaves a file alone, which `check` still judges."""
    poetry = machine("3.10")
    init(poetry, "--no-devcontainer", "--tensorflow", "2.11", "--gpu", "system")
    file = poetry.project / ".devcontainer/devcontainer.json"
    file.parent.mkdir()
    file.write_text('{"image": "x/y"}\n', "utf-8")
    assert " TF001 No CUDA and cuDNN packages are known" in poetry.call("tf", "check").stderr
