"""docs/guides/offline.md from end to end, with the real index and then without any network."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from poetry_tf.files.lock import Lock
from poetry_tf.files.project import LOCK
from tests.support.pages import named
from tests.support.poetry import NO_NETWORK, PoetryRunner, write_pyproject

PLACE, SERVER = "/mnt/usb/tensorflow", "http://server:8000"
CUT_OFF = ["unshare", "--map-root-user", "--net"]
"""Runs a command in a network namespace of its own, in which there is nothing."""


def _can_be_cut_off() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*CUT_OFF, "true"], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.index


def _saved(real_poetry: PoetryRunner, folder: Path) -> None:
    """Saves a locked project. docopt has no wheel, so that something is built as well."""
    minor = f"3.{sys.version_info.minor}"
    real_poetry.mirror = "pypi"
    more = '\n[tool.poetry-tf]\ndevcontainer = "off"\n'
    write_pyproject(
        real_poetry.project,
        ["docopt (==0.6.2)", "absl-py"],
        requires_python=f"~={minor}.0",
        more=more,
    )
    locked = real_poetry.run("lock")
    assert locked.ok, locked.output
    program, *arguments = named("offline-save").replace(PLACE, str(folder)).split()
    assert program == "poetry"
    saved = real_poetry.run(*arguments, timeout=300)
    assert saved.ok, saved.output
    assert {"docopt", "setuptools", "wheel", "poetry", "poetry-tf"} <= {
        path.name for path in (folder / "simple").iterdir()
    }


@pytest.mark.skipif(not _can_be_cut_off(), reason="this system can't cut a process off")
def test_the_guide_from_a_machine_with_a_network_to_one_without(
    real_poetry: PoetryRunner, tmp_path: Path
) -> None:
    folder = tmp_path / "stick"
    _saved(real_poetry, folder)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(sys.executable)
    script = f"""set -eu
! getent hosts tensorflow.org
{named("offline-install").replace(PLACE, str(folder))}
.venv/bin/python -c 'import docopt, absl; print(docopt.__version__)'
cp poetry.lock before.lock
~/poetry/bin/poetry tf check
~/poetry/bin/poetry lock
cmp poetry.lock before.lock
! ~/poetry/bin/poetry add six
cmp poetry.lock before.lock
"""
    environ = {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "POETRY_VIRTUALENVS_IN_PROJECT": "true",
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(
        [*CUT_OFF, "bash", "-c", script],
        cwd=real_poetry.project,
        env=environ,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0.6.2" in done.stdout and "six is not in poetry.lock" in done.stderr


def test_a_served_folder_is_an_index_for_pip_and_uv(
    real_poetry: PoetryRunner, tmp_path: Path
) -> None:
    folder, tools = tmp_path / "stick", tmp_path / "tools"
    _saved(real_poetry, folder)
    lock = Lock.read(real_poetry.project / LOCK, (real_poetry.project / LOCK).read_text("utf-8"))
    listed = tmp_path / "requirements.txt"
    listed.write_text(
        "".join(
            f"{package['name']}=={package['version']}"
            + "".join(f" \\\n    --hash={digest}" for _, digest in lock.hashes(package))
            + "\n"
            for package in lock.data["package"]
        ),
        "utf-8",
    )
    subprocess.run([sys.executable, "-m", "venv", tools], check=True)
    install = f"{tools}/bin/pip --disable-pip-version-check install --quiet uv"
    subprocess.run(install.split(), check=True)
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        export, *commands = named("offline-served").replace(SERVER, address).splitlines()
        assert len(commands) == 2
        for number, command in enumerate(commands):
            environment = tmp_path / f"environment{number}"
            subprocess.run([sys.executable, "-m", "venv", environment], check=True)
            done = subprocess.run(
                ["/bin/sh", "-euc", f"{export}\n{command}"],
                cwd=tmp_path,
                # What is not in the folder is nowhere.
                env={
                    "PATH": f"{environment / 'bin'}:{tools / 'bin'}",
                    "VIRTUAL_ENV": str(environment),
                    "PIP_CONFIG_FILE": os.devnull,
                    "PIP_NO_CACHE_DIR": "1",
                    "UV_NO_CACHE": "1",
                    "UV_NO_CONFIG": "1",
                    **NO_NETWORK,
                },
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            program = "import docopt, absl; print(docopt.__version__)"
            python = environment / "bin" / "python"
            shown = subprocess.run([python, "-c", program], check=True, capture_output=True)
            assert shown.stdout.strip() == b"0.6.2"
        server.shutdown()
