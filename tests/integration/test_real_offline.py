"""docs/offline.md from end to end, with the real index and then without any network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.poetry import PoetryRunner, write_pyproject

GUIDE = (Path(__file__).parents[2] / "docs" / "offline.md").read_text("utf-8")
PLACE = "/mnt/usb/tensorflow"
CUT_OFF = ["unshare", "--map-root-user", "--net"]
"""Runs a command in a network namespace of its own, in which there is nothing."""


def _can_be_cut_off() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*CUT_OFF, "true"], capture_output=True, check=False).returncode == 0


pytestmark = [
    pytest.mark.index,
    pytest.mark.skipif(not _can_be_cut_off(), reason="this system can't cut a process off"),
]


def _block(name: str, folder: Path) -> str:
    match = re.search(rf"<!-- run: {name} -->\s*```sh\n(.*?)```", GUIDE, re.DOTALL)
    assert match is not None
    return match[1].replace(PLACE, str(folder))


def test_the_guide_from_a_machine_with_a_network_to_one_without(
    real_poetry: PoetryRunner, tmp_path: Path
) -> None:
    """docopt has no wheel, so that something is built as well."""
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
    folder = tmp_path / "stick"
    program, *arguments = _block("save", folder).split()
    assert program == "poetry"
    saved = real_poetry.run(*arguments, timeout=300)
    assert saved.ok, saved.output
    assert {"docopt", "setuptools", "wheel", "poetry", "poetry-tf"} <= {
        path.name for path in (folder / "simple").iterdir()
    }

    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(sys.executable)
    script = f"""set -eu
! getent hosts tensorflow.org
{_block("install", folder)}
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
