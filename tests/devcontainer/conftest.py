"""A container that is started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.devcontainer.containers import data

TENSORFLOW = """
class config:
    @staticmethod
    def list_physical_devices():
        return ["/physical_device:GPU:0"]
__version__ = "2.99.0"
"""


@pytest.fixture
def start(tmp_path: Path):
    """Starts a container as a shell sees it: `poetry` and TensorFlow are stand-ins."""
    site, programs = tmp_path / "site", tmp_path / "bin"
    site.mkdir()
    programs.mkdir()
    poetry = programs / "poetry"

    def run(text: str, *, doctor: str, tensorflow: str = TENSORFLOW) -> list[str]:
        (site / "tensorflow.py").write_text(tensorflow)
        poetry.write_text(
            f'#!/bin/sh\nif [ "$1" = tf ]; then {doctor}; exit; fi\n'
            f'shift 2\nPYTHONPATH={site} exec {sys.executable} "$@"\n'
        )
        poetry.chmod(0o755)
        done = subprocess.run(
            ["/bin/sh", "-c", data(text)["postStartCommand"]],
            cwd=tmp_path,
            env={"PATH": f"{programs}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        return done.stdout.splitlines()

    return run
