"""The main job with the real TensorFlow, from the index that this machine has for PyPI's."""

from __future__ import annotations

from pathlib import Path

import pytest

from poetry_tf.releases import load
from tests.support.poetry import PoetryRunner, locked
from tests.support.projects import contents, read_jsonc

pytestmark = pytest.mark.index

CUDA = "ghcr.io/devcontainers/features/nvidia-cuda:3"


@pytest.mark.parametrize("series", [load().series[-1], "2.13", "2.15", "2.18"])
def test_init_locks_the_real_tensorflow(
    real_poetry: PoetryRunner, project: Path, series: str
) -> None:
    release = load().newest(series)
    assert release is not None
    python = [minor for minor in release.pythons_on("linux-x86_64") if minor != "3.9"][-1]
    real_poetry.python_version = f"{python}.2"

    done = real_poetry.run(
        "tf", "init", "-n", "--tensorflow", series, "--mirror", "off", timeout=300
    )
    assert done.ok, done.output
    assert locked(project)["tensorflow"] == str(release.version)
    assert "[package.source]" not in (project / "poetry.lock").read_text("utf-8")
    assert real_poetry.run("tf", "check").stdout.startswith("All set! ")

    made = read_jsonc(project / ".devcontainer" / "devcontainer.json")
    pair = load().container_pair(release)
    assert pair is not None
    options = made["features"][CUDA]
    assert (options["cudaVersion"], options["cudnnVersion"]) == (pair.cuda, pair.cudnn)
    if series == "2.13":
        assert (pair.cuda, pair.cudnn) == ("11.8", "8.6.0.163")

    before = contents(project)
    assert real_poetry.run("tf", "init", "-n").ok
    assert contents(project) == before

    assert real_poetry.run("check", "--lock", plugins=False).stdout == "All set!\n"
    dry = real_poetry.run("install", "--dry-run", plugins=False)
    assert dry.ok, dry.output
    assert f"Installing tensorflow ({release.version})" in dry.stdout
