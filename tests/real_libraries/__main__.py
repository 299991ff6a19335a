"""Shows whether releases of TensorFlow find the libraries of their own and-cuda wheels.

    python -m tests.real_libraries [RELEASE ...]

Each is locked by `init` and installed by `poetry install`, on a machine that needs no GPU:
`driver.c` stands for the driver. The GPUs are counted that TensorFlow lists in a program, in a
Jupyter kernel and in a batch script, with the links of poetry-tf removed and after `poetry install`
has made them again: one if all libraries open, else none. It downloads 3 to 4 GB for each, and
removes them again. It needs a C compiler.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from poetry_tf.releases import load
from poetry_tf.releases.images import load_images
from poetry_tf.releases.model import numbers
from tests.compatibility.environments import find_python
from tests.integration.conftest import NETWORK, PYPI
from tests.real_use.cases import PLATFORM, run
from tests.support.poetry import PoetryRunner, locked, write_pyproject

DEFAULT: Final = ("2.16.1", "2.18.1", "2.20.0", "2.21.0")
PLACES: Final = ("program", "notebook", "batch script")
SETTINGS: Final = (
    f'\n[tool.poetry-tf]\ngpu = "pip"\ndevcontainer = "off"\nenvironments = ["{PLATFORM}"]\n'
)

COUNT: Final = """
import tensorflow as tf
print("gpus", len(tf.config.list_physical_devices("GPU")))
"""
# Runs the same in a kernel of the environment that it is started in.
KERNEL: Final = f"""
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel()
client.execute_interactive({COUNT!r}, timeout=300)
manager.shutdown_kernel(now=True)
"""


def main() -> int:
    print(f"| TensorFlow | links | {' | '.join(PLACES)} |")
    print("| --- " * (len(PLACES) + 2) + "|", flush=True)
    failed = False
    for name in sys.argv[1:] or DEFAULT:
        with tempfile.TemporaryDirectory(prefix="poetry-tf-libraries-") as folder:
            poetry, version = _set_up(Path(folder), name)
            environ = _environment(_driver(Path(folder)))
            for links in ("removed", "made"):
                run(poetry, "install", "--quiet")
                if links == "removed":
                    _remove_links(poetry)
                counts = [_count(poetry, place, environ) for place in PLACES]
                print(f"| {version} | {links} | {' | '.join(counts)} |", flush=True)
                failed |= links == "made" and set(counts) != {"1"}
    return int(failed)


def _set_up(folder: Path, name: str) -> tuple[PoetryRunner, str]:
    """A project that requires this release, locked by init."""
    release = load().get(name)
    assert release is not None, f"TensorFlow {name} is unknown"
    minors = [one for one in release.pythons_on(PLATFORM) if one in load_images().pythons]
    python = max((one for one in minors if find_python(one)), key=numbers)
    project = folder / "project"
    project.mkdir()
    network = {one: os.environ[one] for one in NETWORK if one in os.environ}
    poetry = PoetryRunner(
        project,
        folder / "home",
        pypi=PYPI,
        mirror="pypi",
        cache=folder / "cache",
        in_project=True,
        environ=network,
    )
    interpreter = find_python(python)
    subprocess.run([str(interpreter), "-m", "venv", "--without-pip", project / ".venv"], check=True)
    write_pyproject(
        project,
        [f"tensorflow[and-cuda] (=={name})", "ipykernel", "jupyter-client"],
        requires_python=f">={python},<3.{numbers(python)[1] + 1}",
        more=SETTINGS,
    )
    run(poetry, "tf", "init", "-n", "--mirror", "pypi", "--no-devcontainer")
    return poetry, locked(project)["tensorflow"]


def _remove_links(poetry: PoetryRunner) -> None:
    """Leaves what the wheels hold, which have no links."""
    for path in poetry.venv.glob("lib/python3.*/site-packages/nvidia/*/lib/*"):
        if path.is_symlink():
            path.unlink()


def _driver(folder: Path) -> Path:
    """A folder with the stand-in for the driver's libraries."""
    made = folder / "driver"
    made.mkdir()
    source = Path(__file__).with_name("driver.c")
    for name in ("libcuda.so.1", "libnvidia-ml.so.1"):
        command = ["cc", "-w", "-shared", "-fPIC", f"-Wl,-soname,{name}", "-o"]
        subprocess.run([*command, made / name, source], check=True)
    return made


def _environment(driver: Path) -> dict[str, str]:
    """The variables of a new shell, and the folder of the driver, which is the system's else."""
    names = ("PATH", "HOME", "LANG")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return {**kept, "LD_LIBRARY_PATH": str(driver), "TF_CPP_MIN_LOG_LEVEL": "3"}


def _count(poetry: PoetryRunner, place: str, environ: Mapping[str, str]) -> str:
    """How many GPUs TensorFlow lists; the end of what was printed where it says nothing."""
    command: list[str | Path] = [poetry.python, "-c", COUNT]
    if place == "notebook":
        command = [poetry.python, "-c", KERNEL]
    elif place == "batch script":
        script = poetry.home / "job.sh"
        script.write_text(f"#!/bin/sh\n'{poetry.python}' <<'END'\n{COUNT}END\n")
        command = ["sh", script]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("gpus ")]
    return lines[0].split()[1] if lines else (done.stderr or done.stdout)[-200:]


if __name__ == "__main__":
    sys.exit(main())
