"""TF108 on locks of the real wheels: TensorFlow beside PyTorch, JAX and its own CUDA extra."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.poetry import PoetryRunner, locked, write_pyproject

pytestmark = pytest.mark.index

SETTINGS = '\n[tool.poetry-tf]\nenvironments = ["linux-x86_64"]\n'


@pytest.mark.parametrize(
    ("wanted", "has", "found"),
    [
        (["tensorflow~=2.18.0", "torch==2.5.1"], "9.1.0.70", ["error", "warning"]),
        (["tensorflow~=2.18.0", "torch==2.7.1"], "9.5.1.17", []),
        (["tensorflow~=2.18.0", "torch==2.11.0"], "9.", ["warning"]),
        (["tensorflow[and-cuda]~=2.20.0", "torch==2.11.0"], "9.", ["error", "error"]),
        (["tensorflow~=2.20.0", "jax[cuda12]"], "9.", []),
        (["tensorflow[and-cuda]~=2.18.0"], "9.3.0.75", []),
        (["tensorflow-cpu~=2.18.0", "torch==2.5.1"], "9.1.0.70", []),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_real_wheels_bring_together(
    real_poetry: PoetryRunner, project: Path, wanted: list[str], has: str, found: list[str]
) -> None:
    real_poetry.mirror = "pypi"
    write_pyproject(project, wanted, requires_python=">=3.11,<3.12", more=SETTINGS)
    done = real_poetry.run("lock", timeout=300)
    assert done.ok, done.output
    versions = locked(project)
    names = {line.replace("[", "~").replace("=", "~").partition("~")[0] for line in wanted}
    assert names <= versions.keys()
    cudnn = [version for name, version in versions.items() if name.startswith("nvidia-cudnn")]
    assert any(version.startswith(has) for version in cudnn), versions
    page = real_poetry.run("tf", "check", "--select", "TF108", "--format", "json").stdout
    assert [one["severity"] for one in json.loads(page)["findings"]] == found, page
