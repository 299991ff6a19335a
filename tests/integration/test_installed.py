"""What an installed TensorFlow finds: after Poetry's commands, by `check`, and by `tf env`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.elf import elf, runpath_of
from tests.support.index import LocalIndex
from tests.support.poetry import PoetryRunner, Result, write_pyproject
from tests.support.projects import contents, restore

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="libraries of Linux")

MANAGED = '\n[tool.poetry-tf]\ngpu = "pip"\ndevcontainer = "off"\n'
LOCKED: dict[str, dict[str, bytes]] = {}
"""The files of a locked project, made once in a worker."""
TOLD = "poetry-tf: linked 1 of NVIDIA's libraries where TensorFlow looks for them"
CUSOLVER = "libcusolver.so.11"


@pytest.fixture(scope="module")
def shelf() -> Iterator[LocalIndex]:
    """A TensorFlow 2.21.0 that does not look for cuSOLVER, and NVIDIA's wheels.

    It requires less than the real one, so that a command with the plugin can't solve it again.
    """
    with LocalIndex() as index:
        wheels = {"cublas": "libcublas.so.12", "cusolver": CUSOLVER}
        index.add(
            "tensorflow",
            "2.21.0",
            requires=[f"nvidia-{name}-cu12 ; extra == 'and-cuda'" for name in wheels],
            members={"tensorflow/libtensorflow_framework.so.2": elf(runpath_of("cublas"))},
        )
        for name, library in wheels.items():
            file = f"nvidia/{name}/lib/{library}"
            index.add(f"nvidia-{name}-cu12", "12.0", members={file: name.encode()})
        yield index


@pytest.fixture
def locked(poetry: PoetryRunner, shelf: LocalIndex) -> PoetryRunner:
    """A managed project with this TensorFlow, locked; nothing is installed."""
    shelf.reset()
    poetry.pypi = shelf.mount("pypi", api=True).root
    if not LOCKED:
        tensorflow = "tensorflow[and-cuda] (>=2.21.0,<2.22.0)"
        write_pyproject(poetry.project, [tensorflow], requires_python=">=3.11,<3.12", more=MANAGED)
        done = poetry.call("lock", plugins=False)
        assert done.ok, done.output
        LOCKED["made"] = contents(poetry.project)
    restore(poetry.project, LOCKED["made"])
    return poetry


def site(poetry: PoetryRunner) -> Path:
    (path,) = poetry.venv.glob("lib/python3.*/site-packages")
    return path


def link(poetry: PoetryRunner) -> Path:
    return site(poetry) / "nvidia/cublas/lib" / CUSOLVER


def installed(poetry: PoetryRunner, *options: str) -> Result:
    done = poetry.call("install", *options)
    assert done.ok, done.output
    return done


def test_install_links_what_tensorflow_overlooks(locked: PoetryRunner) -> None:
    done = installed(locked)
    assert done.stderr.splitlines() == [TOLD]
    assert link(locked).read_bytes() == b"cusolver"
    assert installed(locked).stderr == "", "there is nothing left to link"
    # `sync` too, after something else took the link away.
    link(locked).unlink()
    done = locked.call("sync")
    assert (done.returncode, done.stderr.splitlines()) == (0, [TOLD])
    assert link(locked).exists()


def test_other_commands_leave_the_environment_alone(locked: PoetryRunner) -> None:
    assert installed(locked, "--dry-run").stderr == ""
    installed(locked)
    link(locked).unlink()
    for command in (["install", "--dry-run"], ["check"]):
        done = locked.call(*command)
        assert done.ok, done.output
        assert TOLD not in done.output, command
    assert not link(locked).is_symlink()


def test_the_links_go_with_tensorflow(locked: PoetryRunner) -> None:
    installed(locked)
    shutil.rmtree(site(locked) / "tensorflow")
    assert "linked" not in installed(locked).output
    assert not link(locked).is_symlink()


def test_a_project_that_is_not_managed_is_left_alone(locked: PoetryRunner) -> None:
    path = locked.project / "pyproject.toml"
    path.write_text(path.read_text("utf-8").replace(MANAGED, ""), "utf-8")
    done = locked.call("lock", plugins=False)
    assert done.ok, done.output
    assert TOLD not in installed(locked).output
    assert not link(locked).is_symlink()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_folder_that_cannot_be_written_is_told(locked: PoetryRunner) -> None:
    installed(locked)
    link(locked).unlink()
    link(locked).parent.chmod(0o500)
    try:
        done = installed(locked)
    finally:
        link(locked).parent.chmod(0o700)
    _is_told(done)


def test_a_file_system_without_links_is_told(
    locked: PoetryRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, *_: object) -> None:
        raise PermissionError(1, "Operation not permitted", str(self))

    installed(locked)
    link(locked).unlink()
    monkeypatch.setattr(Path, "symlink_to", refuse)
    _is_told(installed(locked))
    # The variable helps there.
    done = locked.call("tf", "env")
    folder = site(locked) / "nvidia/cusolver/lib"
    assert done.output == (
        f'export LD_LIBRARY_PATH={folder}"${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}";\n'
    )


def _is_told(done: Result) -> None:
    (line,) = done.stderr.splitlines()
    assert line.startswith("poetry-tf: could not link NVIDIA's libraries for TensorFlow in ")
    assert line.endswith('To set their folders in a shell: eval "$(poetry tf env)"')


# -- check ------------------------------------------------------------------------------------


def _in_project(poetry: PoetryRunner) -> None:
    """Makes the environment that is installed the project's `.venv`."""
    shutil.copytree(poetry.venv, poetry.project / ".venv", symlinks=True)


def test_check_finds_an_environment_that_something_else_installed(locked: PoetryRunner) -> None:
    done = locked.call("install", plugins=False)
    assert done.ok, done.output
    _in_project(locked)
    found = json.loads(locked.call("tf", "check", "--format", "json").stdout)["findings"]
    (finding,) = [item for item in found if item["code"] == "TF601"]
    assert finding["severity"] == "warning"
    assert finding["message"] == (
        "TensorFlow in .venv does not find libcusolver.so.11 of its own wheels, so it uses the CPU"
    )
    assert finding["remedy"] == "Run `poetry install`, which links them"
    locked.in_project = True
    installed(locked)
    assert "TF601" not in locked.call("tf", "check").output


def test_check_finds_one_in_poetrys_folder(locked: PoetryRunner) -> None:
    done = locked.call("install", plugins=False)
    assert done.ok, done.output
    from poetry.utils.env import EnvManager

    name = EnvManager.generate_env_name("example", str(locked.project))
    folder = locked.home / "cache/virtualenvs" / f"{name}-py3.11"
    folder.parent.mkdir(parents=True)
    shutil.copytree(locked.venv, folder, symlinks=True)
    output = locked.call("tf", "check").output
    assert f"TF601 TensorFlow in ~/cache/virtualenvs/{folder.name} does not find" in output
    # Another project's is not this one's.
    folder.rename(folder.with_name("another-AAAAAAAA-py3.11"))
    assert "TF601" not in locked.call("tf", "check").output


def test_check_says_nothing_where_nothing_is_installed(locked: PoetryRunner) -> None:
    assert "TF601" not in locked.call("tf", "check").output


# -- tf env -----------------------------------------------------------------------------------

VALUE = "import os; print(os.environ.get('{name}'))"


def write_settings(poetry: PoetryRunner, tensorflow: str, settings: str) -> None:
    more = f'\n[tool.poetry-tf]\ndevcontainer = "off"\n{settings}\n'
    write_pyproject(poetry.project, [tensorflow], requires_python=">=3.11,<3.12", more=more)


def in_shell(shell: str, script: str, name: str, environ: dict[str, str]) -> str:
    """What a program sees of a variable after a shell has run a script, twice."""
    run = f'"{sys.executable}" -c "{VALUE.format(name=name)}"'
    file = f"{script}\n{script}\n{run}\n"
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environ}
    done = subprocess.run(
        [shell, "-c", file], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.strip()


SHELLS = [
    pytest.param(
        shell,
        kind,
        marks=pytest.mark.skipif(shutil.which(shell) is None, reason=f"there is no {shell}"),
    )
    for shell, kind in (("sh", "sh"), ("bash", "bash"), ("zsh", "zsh"), ("fish", "fish"))
]


@pytest.mark.parametrize(("shell", "kind"), SHELLS)
def test_a_shell_takes_what_env_prints(poetry: PoetryRunner, shell: str, kind: str) -> None:
    write_settings(poetry, "tensorflow (>=2.18.0,<2.19.0)", 'keras = "legacy"')
    done = poetry.call("tf", "env", "--shell", kind)
    assert done.ok, done.output
    assert in_shell(shell, done.stdout, "TF_USE_LEGACY_KERAS", {}) == "1"


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_keras_2_that_is_not_installed_is_said(poetry: PoetryRunner, options: list[str]) -> None:
    write_settings(poetry, "tensorflow (>=2.18.0,<2.19.0)", 'keras = "legacy"')
    assert poetry.call("tf", "env", *options).stderr == "", "nothing is installed yet"
    (site,) = poetry.venv.glob("lib/python3*/site-packages")
    (site / "tensorflow").mkdir(exist_ok=True)
    done = poetry.call("tf", "env", *options)
    assert done.ok and "TF_USE_LEGACY_KERAS" in done.stdout
    assert done.stderr == (
        "tf.keras fails with TF_USE_LEGACY_KERAS: tf-keras, which has Keras 2, is not installed in "
        f"{site}. Run: poetry install\n"
    )
    (site / "tf_keras").mkdir()
    assert poetry.call("tf", "env", *options).stderr == ""


@pytest.mark.parametrize(("shell", "kind"), SHELLS)
def test_what_a_variable_has_stays(
    poetry: PoetryRunner, tmp_path: Path, shell: str, kind: str
) -> None:
    toolkit = tmp_path / "it's cuda's" / "12.5"
    plain = tmp_path / "it's" / "12.5"
    for folder in (toolkit, plain):
        (folder / "nvvm/libdevice").mkdir(parents=True)
    write_settings(poetry, "tensorflow (>=2.18.0,<2.19.0)", 'gpu = "system"')
    environ = {"CUDA_HOME": str(plain)}
    done = poetry.call("tf", "env", "--shell", kind, environ=environ)
    assert done.ok, done.output
    flag = f"--xla_gpu_cuda_data_dir={plain}"
    assert in_shell(shell, done.stdout, "XLA_FLAGS", {}) == f"{flag} {flag}"
    once = done.stdout
    assert in_shell(shell, once, "XLA_FLAGS", {"XLA_FLAGS": "--a"}) == f"{flag} {flag} --a"
    # XLA could not read it, and finds one of these by itself.
    for value in (str(toolkit), "/usr/local/cuda", "relative", ""):
        assert poetry.call("tf", "env", environ={"CUDA_HOME": value}).output == "", value


def test_powershell_gets_its_own_words(poetry: PoetryRunner, tmp_path: Path) -> None:
    (tmp_path / "nvvm/libdevice").mkdir(parents=True)
    settings = 'gpu = "system"\nkeras = "legacy"'
    write_settings(poetry, "tensorflow (>=2.18.0,<2.19.0)", settings)
    environ = {"CUDA_PATH": str(tmp_path)}
    done = poetry.call("tf", "env", "--shell", "powershell", environ=environ)
    assert done.stdout.splitlines() == [
        "$env:TF_USE_LEGACY_KERAS = '1'",
        f"$env:XLA_FLAGS = '--xla_gpu_cuda_data_dir={tmp_path}'"
        " + $(if ($env:XLA_FLAGS) { ' ' + $env:XLA_FLAGS })",
    ]


def test_programs_get_a_document(poetry: PoetryRunner) -> None:
    write_settings(poetry, "tensorflow (>=2.18.0,<2.19.0)", 'keras = "legacy"')
    document = json.loads(poetry.call("tf", "env", "--json").stdout)
    assert document["version"] == 1
    assert document["variables"] == [
        {
            "name": "TF_USE_LEGACY_KERAS",
            "value": "1",
            "why": "The project uses Keras 2.",
            "separator": "",
        }
    ]


def test_most_projects_need_none(poetry: PoetryRunner) -> None:
    write_settings(poetry, "tensorflow (>=2.18.0,<2.19.0)", 'gpu = "none"')
    assert poetry.call("tf", "env").output == ""
    assert json.loads(poetry.call("tf", "env", "--json").stdout)["variables"] == []


def test_an_unknown_shell_is_refused(poetry: PoetryRunner) -> None:
    write_settings(poetry, "tensorflow (>=2.18.0,<2.19.0)", 'gpu = "none"')
    done = poetry.call("tf", "env", "--shell", "cmd")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "Error: Unknown shell 'cmd'",
        "Give --shell one of sh, bash, zsh, fish, powershell and pwsh.",
    ]


def test_a_project_without_tensorflow_is_told(poetry: PoetryRunner) -> None:
    write_settings(poetry, "numpy", "")
    done = poetry.call("tf", "env")
    assert done.returncode == 1
    assert "The project has no TensorFlow" in done.stderr
