"""Environments: what `poetry tf init` writes for them, and that plain Poetry reproduces it."""

from __future__ import annotations

from pathlib import Path

import pytest

from poetry_tf.files.lock import Lock
from poetry_tf.files.project import Project
from poetry_tf.plan.environments import make_targets
from poetry_tf.plan.installability import LockedPackages
from poetry_tf.releases.images import load_images
from tests.integration.test_init import pyproject
from tests.support.poetry import PoetryRunner, write_pyproject
from tests.support.projects import contents

FILESYSTEM = "tensorflow-io-gcs-filesystem"
EVERYWHERE = "linux-x86_64,linux-aarch64,macos-arm64,windows-amd64"


def packages(project: Path) -> dict[str, list[str]]:
    path = project / "poetry.lock"
    lock = Lock.read(path, path.read_text("utf-8"))
    return {name: sorted(map(str, versions)) for name, versions in lock.versions.items()}


@pytest.mark.parametrize(
    ("series", "beside"),
    [
        ("2.13", ["tensorflow-cpu-aws", "tensorflow-intel", "tensorflow-macos", *[FILESYSTEM] * 2]),
        ("2.15", ["tensorflow-cpu-aws", "tensorflow-intel", *[FILESYSTEM] * 2]),
        ("2.18", [FILESYSTEM] * 2),
        ("2.20", []),
    ],
)
@pytest.mark.sample
def test_what_the_environments_need_is_locked_and_plain_poetry_keeps_it(
    warm_poetry: PoetryRunner, project: Path, series: str, beside: list[str]
) -> None:
    python = "3.11"
    warm_poetry.python_version = f"{python}.2"
    options = ["--tensorflow", series, "--python", python, "--environments", EVERYWHERE]
    done = warm_poetry.call("tf", "init", "-n", *options)
    assert done.ok, done.output
    data = pyproject(project)
    assert data["tool"]["poetry-tf"]["environments"] == EVERYWHERE.split(",")
    names = [line.partition(" ")[0] for line in data["project"]["dependencies"]]
    assert sorted(names) == sorted(["tensorflow", *beside, "setuptools"])
    for name in {*beside}:
        assert f"Added {name} (" in done.stderr
    checked = warm_poetry.call("tf", "check")
    assert checked.ok, checked.output

    locked = packages(project)
    (version,) = locked["tensorflow"]
    for name in beside:
        assert locked[name] == (["0.31.0", "0.37.1"] if name == FILESYSTEM else [version])

    before = contents(project)
    again = warm_poetry.call("tf", "init", "-n", *options)
    assert "Nothing to change" in again.stdout
    assert (contents(project), again.stderr) == (before, "")

    # Locked anew by Poetry alone, from what PyPI's API says of one wheel: 2.18.1's asks for a
    # tensorflow-intel that there is not.
    relocked = warm_poetry.call("lock", plugins=False)
    assert relocked.ok == (series != "2.18"), relocked.output
    if relocked.ok:
        plain = packages(project)
        assert {name: plain.get(name) for name in ["tensorflow", *beside]} == {
            name: locked[name] for name in ["tensorflow", *beside]
        }


@pytest.mark.slow
def test_the_lines_follow_when_the_series_moves(warm_poetry: PoetryRunner, project: Path) -> None:
    options = ["--python", "3.11", "--environments", "linux-aarch64", "--environments"]
    options += ["windows-amd64, linux-aarch64"]
    assert warm_poetry.call("tf", "init", "-n", "--tensorflow", "2.13", *options).ok
    assert len(pyproject(project)["project"]["dependencies"]) == 6
    done = warm_poetry.call("tf", "init", "-n", "--tensorflow", "2.18")
    assert done.ok, done.output
    lines = pyproject(project)["project"]["dependencies"]
    assert [line.partition(" ")[0] for line in lines] == [
        "tensorflow",
        FILESYSTEM,
        FILESYSTEM,
        "setuptools",
    ]
    assert not {"tensorflow-cpu-aws", "tensorflow-intel"} & {*packages(project)}
    checked = warm_poetry.call("tf", "check")
    assert checked.ok, checked.output


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--environments", "linux-x86_64,linux"], "'linux' is not a known environment"),
        (["--environments", ","], "--environments is empty"),
        (
            ["--environments", "macos-x86_64", "--tensorflow", "2.18"],
            "TensorFlow 2.18.1 can't be installed on macos-x86_64",
        ),
    ],
)
def test_an_environment_that_cannot_be_had_is_an_error_that_says_so(
    warm_poetry: PoetryRunner, project: Path, options: list[str], says: str
) -> None:
    done = warm_poetry.call("tf", "init", "-n", *options)
    assert not done.ok
    assert says in done.stderr
    assert contents(project) == {}


@pytest.mark.slow
def test_without_a_gpu_tensorflow_cpu_is_locked_and_back(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    options = ["--python", "3.11", "--environments", "linux-x86_64,windows-amd64"]
    done = warm_poetry.call("tf", "init", "-n", "--tensorflow", "2.15", "--gpu", "none", *options)
    assert done.ok, done.output
    locked = packages(project)
    assert locked["tensorflow-cpu"] == locked["tensorflow-intel"] == ["2.15.1"]
    assert "tensorflow" not in locked
    checked = warm_poetry.call("tf", "check")
    assert checked.ok, checked.output
    assert warm_poetry.call("check", "--lock", plugins=False).stdout == "All set!\n"

    assert warm_poetry.call("tf", "init", "-n", "--gpu", "auto").ok
    locked = packages(project)
    assert locked["tensorflow"] == locked["tensorflow-intel"] == ["2.15.1"]
    assert "tensorflow-cpu" not in locked
    checked = warm_poetry.call("tf", "check")
    assert checked.ok, checked.output


@pytest.mark.slow
def test_an_old_release_is_set_up_without_cuda(warm_poetry: PoetryRunner, project: Path) -> None:
    """Nothing that can still be installed brings the CUDA 11.2 of 2.8 to 2.11."""
    environments = "linux-x86_64,linux-aarch64,windows-amd64"
    options = ["--tensorflow", "2.10", "--environments", environments]
    done = warm_poetry.call("tf", "init", "-n", *options)
    assert done.ok, done.output
    lines = pyproject(project)["project"]["dependencies"]
    # TensorFlow 2.10 is the last with its own wheel for Windows before tensorflow-intel.
    assert [line.partition(" ")[0] for line in lines] == [
        "tensorflow",
        "tensorflow-cpu-aws",
        FILESYSTEM,
        FILESYSTEM,
        "numpy",
        "setuptools",
    ]
    assert packages(project)["tensorflow-cpu-aws"] == ["2.10.1"]
    assert lines[-2:] == ["numpy (<2)", "setuptools (<82)"]
    container = (project / ".devcontainer" / "devcontainer.json").read_text("utf-8")
    assert "nvidia-cuda" not in container
    checked = warm_poetry.call("tf", "check")
    assert checked.ok, checked.output
    before = contents(project)
    for gpu in ("system", "pip"):
        refused = warm_poetry.call("tf", "init", "-n", "--gpu", gpu)
        assert not refused.ok
        assert "tensorflow/tensorflow:2.10.1-gpu" in refused.stderr
    assert contents(project) == before


@pytest.mark.parametrize(
    ("version", "more"),
    [("2.12.0", "\n[tool.poetry-tf]\n"), ("2.13.0", "\n[tool.poetry-tf]\n"), ("2.13.0", "")],
)
@pytest.mark.sample(every=2)
def test_the_distribution_of_one_platform_required_alone_gets_tensorflow_beside_it(
    warm_poetry: PoetryRunner, project: Path, version: str, more: str
) -> None:
    line = f"tensorflow-macos (=={version})"
    write_pyproject(project, [line], requires_python=">=3.10,<3.12", more=more)
    done = warm_poetry.call("tf", "check", "--fix")
    assert done.ok, done.output
    if not more:
        assert warm_poetry.call("lock").ok
    checked = warm_poetry.call("tf", "check")
    assert checked.ok, checked.output
    made = Project.read(project)
    assert made.valid_lock is not None
    found = LockedPackages.of(made.valid_lock, made.pyproject)
    targets = make_targets(["linux-x86_64", "macos-arm64"], ["3.10", "3.11"])
    assert [*found.obstacles(targets, load_images().systems)] == []
    mac, linux = (
        {
            one.name
            for target in targets
            for one in found.packages
            if target.environment == name and found.needs(one, target)
        }
        for name in ("macos-arm64", "linux-x86_64")
    )
    names = {"tensorflow", "tensorflow-macos"}
    assert (mac & names, linux & names) == ({"tensorflow-macos"}, {"tensorflow"})
