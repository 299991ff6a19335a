"""docs/guides/without-a-container.md: its commands, run as they are printed there."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest

from tests.support.pages import ROOT, named
from tests.support.poetry import PoetryRunner, Result

GUIDE = (ROOT / "docs" / "guides" / "without-a-container.md").read_text("utf-8")

pytestmark = pytest.mark.skipif(os.name == "nt", reason="its commands are for a POSIX shell")


def program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(0o755)


@pytest.fixture
def cluster(warm_poetry: PoetryRunner, tmp_path: Path) -> PoetryRunner:
    """Poetry on PATH, and what a cluster has, as far as a script sees it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("python", "python3"):
        (folder / name).symlink_to(sys.executable)
    program(folder, "srun", 'exec "$@"')
    # It shows the image a folder that it binds; here everything is to be seen.
    program(
        folder,
        "apptainer",
        'case "$1" in pull) touch "$2"; exit;; esac; shift\n'
        'while :; do case "$1" in --nv) shift;; --bind) shift 2;; *) break;; esac; done\n'
        'test -f "$1" && shift && exec "$@"',
    )
    (tmp_path / "scratch").mkdir()
    warm_poetry.in_project = True  # no environment is activated
    warm_poetry.environ |= {
        "PATH": f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin",
        "SCRATCH": str(tmp_path / "scratch"),
        "SLURM_SUBMIT_DIR": str(warm_poetry.project),
    }
    return warm_poetry


def run(poetry: PoetryRunner, text: str, *, in_project: bool = True) -> Result:
    """Runs commands in the environment of the runner, or with its own place for environments."""
    own = "" if in_project else "unset POETRY_VIRTUALENVS_IN_PROJECT\n"
    return poetry.shell(own + text)


@pytest.mark.slow
def test_it_is_set_up_and_installed(cluster: PoetryRunner) -> None:
    *commands, look, doctor = named("bare-linux").splitlines()
    done = run(cluster, "\n".join(commands))
    assert done.ok, done.output
    cluster.project /= "my-project"
    assert 'gpu = "pip"' in (cluster.project / "pyproject.toml").read_text("utf-8")
    assert "nvidia-cudnn" in (cluster.project / "poetry.lock").read_text("utf-8")
    assert cluster.call("tf", "check").stdout.startswith("All set! ")
    assert f"Show the devices that it runs on: {look}\n" in done.stdout
    # The made-up TensorFlow has no devices.
    words = shlex.split(look)
    assert words[:4] == ["poetry", "run", "python", "-c"]
    compile(words[4], "guide", "exec")
    done = run(cluster, 'poetry run python -c "import tensorflow"')
    assert done.ok, done.output
    assert "Traceback" not in run(cluster, doctor).output


@pytest.mark.slow
def test_the_cache_and_the_environments_go_where_is_room(cluster: PoetryRunner) -> None:
    scratch = Path(cluster.environ["SCRATCH"])
    done = run(cluster, named("bare-cache"))
    assert done.ok and done.stdout.strip().endswith(str(scratch / "pypoetry" / "virtualenvs"))
    # `env use` takes the Python on PATH, which is the one that runs the tests.
    python = f"--python {sys.version_info.major}.{sys.version_info.minor}"
    commands = named("bare-linux").partition("poetry install")[0]
    made = run(cluster, commands.replace("init -n", f"init -n {python}"))
    assert made.ok, made.output
    cluster.project /= "my-project"
    install = "poetry env use python3; poetry env info --path"
    own = run(cluster, named("bare-place") + install, in_project=False)
    assert own.ok, own.output
    assert own.stdout.strip().splitlines()[-1].startswith(str(scratch / "virtualenvs")), own.output
    local = run(cluster, named("bare-in-project") + install, in_project=False)
    assert local.stdout.strip().endswith(str(cluster.project / ".venv")), local.output


@pytest.mark.slow
def test_a_job_runs_in_the_environment(cluster: PoetryRunner) -> None:
    made = run(cluster, named("bare-linux").partition("poetry run")[0])
    assert made.ok, made.output
    cluster.project /= "my-project"
    cluster.environ["SLURM_SUBMIT_DIR"] = str(cluster.project)
    (cluster.project / "train.py").write_text("import sys; print(sys.prefix)\n", "utf-8")
    environment = str(cluster.project / ".venv")
    assert run(cluster, named("bare-batch")).stdout == f"{environment}\n"
    asked = 'python="$(poetry env info --executable)"'
    assert f'`{asked}`, then `srun "$python" train.py`' in GUIDE
    assert run(cluster, f'{asked}\nsrun "$python" train.py').stdout == f"{environment}\n"


@pytest.mark.slow
def test_a_shell_gets_the_variables(cluster: PoetryRunner) -> None:
    made = run(cluster, "poetry tf init -n --no-devcontainer --tensorflow 2.18")
    assert made.ok, made.output
    path = cluster.project / "pyproject.toml"
    look = 'echo "[${TF_USE_LEGACY_KERAS-}]"'
    assert run(cluster, named("bare-env") + look).output == "[]\n"
    path.write_text(path.read_text("utf-8") + 'keras = "legacy"\n', "utf-8")
    assert run(cluster, named("bare-env") + look).output == "[1]\n"


@pytest.mark.slow
def test_an_image_runs_it(cluster: PoetryRunner) -> None:
    scratch = Path(cluster.environ["SCRATCH"])
    done = run(cluster, named("bare-apptainer"))
    assert done.ok, done.output
    assert (scratch / "poetry" / "bin" / "pip").exists()
    poetry = f'exec {shlex.quote(sys.executable)} -m poetry "$@"'
    program(scratch / "poetry" / "bin", "poetry", poetry)  # pip would install it
    made = run(cluster, "poetry tf init -n --no-devcontainer")
    assert made.ok, made.output
    (cluster.project / "train.py").write_text("import tensorflow; print('trained')\n", "utf-8")
    done = run(cluster, named("bare-exec"))
    assert done.ok, done.output
    assert done.stdout.endswith("trained\n")
