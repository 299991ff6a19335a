"""`poetry tf check`: what it finds, where, and the exit status; it asks nobody and writes nothing.

Each test spoils one thing in a project that is right.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.made import content_hash, lock_text
from tests.support.index import LocalIndex
from tests.support.poetry import PoetryRunner, Result, locked, write_pyproject
from tests.support.projects import contents

PIN = "tensorflow (>=2.18.1,<2.19.0)"
CONTAINER = ".devcontainer/devcontainer.json"
STALE = "poetry.lock:1:1 TF302 pyproject.toml has changed since the lock file was made"


ALL_SET = "All set! TensorFlow 2.18.1, 1 container: no problems found.\n"


def _check(poetry: PoetryRunner, cwd: Path | None = None) -> Result:
    before = contents(poetry.project)
    result = poetry.call("tf", "check", cwd=cwd)
    assert contents(poetry.project) == before
    assert "Traceback" not in result.output
    return result


def _found(result: Result) -> list[str]:
    """The findings' own lines, without the mark of what is fixable; each has a hint below it."""
    lines = result.stderr.splitlines()
    found, remedies = lines[:-1:2], lines[1::2]
    assert all(re.fullmatch(r"    hint: \S.*", line) for line in remedies)
    plural = "s" if len(found) > 1 else ""
    assert re.match(rf"{len(found)} (problem|warning){plural}( \(|,|$)", lines[-1])
    fixable = re.search(r", (\d+) fixable with `poetry tf check --fix`$", lines[-1])
    assert sum(" [*] " in line for line in found) == (int(fixable[1]) if fixable else 0)
    return [line.replace(" [*]", "", 1) for line in found]


def _replace(project: Path, name: str, old: str, new: str) -> None:
    text = (project / name).read_bytes().decode()
    assert old in text
    (project / name).write_bytes(text.replace(old, new, 1).encode())


def test_all_set(right: PoetryRunner, index: LocalIndex) -> None:
    assert _check(right) == Result(0, ALL_SET, "")
    assert index.requests == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('gpu = "auto"', 'gpu = "rocm"', ['pyproject.toml:15:1 TF001 gpu is "rocm"']),
        (
            PIN,
            "tensorflow (>=2.18)",
            ["pyproject.toml:7:5 TF101 tensorflow >=2.18 admits more than one minor series", STALE],
        ),
        (PIN, "tensorflow", ["pyproject.toml:7:5 TF101 tensorflow without a version", STALE]),
        (
            PIN,
            PIN.replace("tensorflow", "tensorflow-gpu"),
            ["pyproject.toml:7:5 TF103 tensorflow-gpu is retired", STALE],
        ),
        (
            f'"{PIN}"',
            f'"{PIN}", "{PIN.replace("tensorflow", "tensorflow-cpu")}"',
            ["pyproject.toml:7:38 TF104 tensorflow and tensorflow-cpu hold the same files", STALE],
        ),
        (
            f'"{PIN}"',
            f'"{PIN}",\n\t"tersorflow"',
            ["pyproject.toml:8:2 TF106 tersorflow looks like a misspelling of tensorflow", STALE],
        ),
        (
            ">=3.12,<3.13",
            ">=3.12",
            ["pyproject.toml:5:1 TF201 Python >=3.12 admits Pythons for which", STALE],
        ),
        (
            ">=3.12,<3.13",
            ">=3.13",
            ["pyproject.toml:5:1 TF202 TensorFlow 2.18.1 has no wheel for Python >=3.13", STALE],
        ),
        ("package-mode = false", "", ["pyproject.toml:11:7 TF301 package-mode is on"]),
        (
            "package-mode = false",
            "package-mode = true",
            ["pyproject.toml:12:1 TF301 package-mode is on"],
        ),
        (
            "(>=2.18.1,<2.19.0)",
            "(>=2.17.1,<2.18.0)",
            [
                STALE,
                "TF303 tensorflow 2.18.1 is locked, but pyproject.toml requires >=2.17.1,<2.18.0",
                # The container follows the pin as the lock will.
                "TF503 tensorflow is required without and-cuda, but CUDA should come from its",
                "TF503 CUDA is installed in the container, but the wheels bring CUDA",
            ],
        ),
    ],
    ids=[
        "TF001",
        "TF101",
        "TF101 no version",
        "TF103",
        "TF104",
        "TF106",
        "TF201",
        "TF202",
        "TF301",
        "TF301 said so",
        "TF303",
    ],
)
def test_a_fault_in_pyproject_is_found_where_it_stands(
    right: PoetryRunner, index: LocalIndex, old: str, new: str, expected: list[str]
) -> None:
    _replace(right.project, "pyproject.toml", old, new)
    result = _check(right)
    assert (result.returncode, result.stdout) == (1, "")
    found = _found(result)
    assert len(found) == len(expected)
    assert all(part in line for part, line in zip(expected, found, strict=True)), found
    assert index.requests == []


def test_the_locked_release_is_found_on_its_line(right: PoetryRunner, project: Path) -> None:
    _replace(project, "pyproject.toml", "(>=2.18.1,<2.19.0)", "(>=2.17.1,<2.18.0)")
    (line,) = [line for line in _found(_check(right)) if "TF303" in line]
    lock = (project / "poetry.lock").read_text("utf-8").splitlines()
    number = int(line.split(":")[1])
    assert lock[number - 2 : number] == ['name = "tensorflow"', 'version = "2.18.1"']


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("3-3.12", "3-3.10", "4:5 TF502 the image has Python 3.10, but"),
        ('"9.3.0.75"', '"9.1.0.70"', "10:13 TF503 TensorFlow 2.18.1 needs CUDA 12.5 and cuDNN"),
        ('"12.5"', '"11.8"', "9:13 TF503 TensorFlow 2.18.1 needs CUDA 12.5 and cuDNN"),
        ('"gpu": "optional"', "", "19:5 TF504 the container does not ask for a GPU"),
        ("3-3.12", "1-3.12", "4:5 TF505 the images 1-… are retired"),
        ('"mounts"', '"runArgs": ["--runtime=nvidia"],\n    "mounts"', "22:5 TF505 --runtime=nv"),
        ("nvidia-cuda:3", "nvidia-cuda:1", "6:9 TF505 ghcr.io/devcontainers/features/nvidia-cuda:"),
        (
            "pipx install poetry==",
            "pipx install poetry==2.1.0 #",
            "48:5 TF506 Poetry 2.1.0 is inst",
        ),
    ],
    ids=[
        "TF502",
        "TF503 cudnn",
        "TF503 cuda",
        "TF504",
        "TF505 image",
        "TF505 argument",
        "TF505 feature",
        "TF506",
    ],
)
def test_a_fault_in_the_container_is_found_where_it_stands_and_fixed(
    right: PoetryRunner, index: LocalIndex, old: str, new: str, expected: str
) -> None:
    _replace(right.project, CONTAINER, old, new)
    result = _check(right)
    warning = "TF506" in expected
    assert (result.returncode, result.stdout) == (0 if warning else 1, "")
    (found,) = _found(result)
    assert found.startswith(f"{CONTAINER}:{expected}")
    assert index.requests == []

    assert right.call("tf", "devcontainer").ok
    assert _check(right).ok


def _no_container(project: Path) -> None:
    (project / CONTAINER).unlink()


def _malformed_container(project: Path) -> None:
    (project / CONTAINER).write_text('{\n  // ours\n  "image": \n}\n', "utf-8")


def _no_lock(project: Path) -> None:
    (project / "poetry.lock").unlink()


def _broken_lock(project: Path) -> None:
    (project / "poetry.lock").write_text("a = 1\n[[package\n", "utf-8")


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (_no_lock, "poetry.lock TF302 the project has no lock file"),
        (_broken_lock, "poetry.lock:2:10 TF302 could not read the lock file"),
        (_no_container, f"{CONTAINER} TF501 the project has no dev container"),
        (_malformed_container, f"{CONTAINER}:4:1 TF501 could not read devcontainer.json"),
    ],
    ids=["TF302 missing", "TF302 broken", "TF501 missing", "TF501 malformed"],
)
def test_a_missing_or_broken_file_is_found(
    right: PoetryRunner, project: Path, spoil: Callable[[Path], None], expected: str
) -> None:
    spoil(project)
    result = _check(right)
    assert (result.returncode, result.stdout) == (1, "")
    (found,) = _found(result)
    assert found.startswith(expected)


def test_several_faults_are_reported_together(right: PoetryRunner, project: Path) -> None:
    _replace(project, "pyproject.toml", PIN, "tensorflow")
    _replace(project, CONTAINER, "3-3.12", "3-3.10")
    codes = [line.split()[1] for line in _found(_check(right))]
    assert codes == ["TF101", "TF302", "TF502"]


def test_check_reads_no_index_even_where_that_is_down(
    right: PoetryRunner, index: LocalIndex
) -> None:
    right.pypi = "http://127.0.0.1:9/"
    assert _check(right).ok
    assert index.requests == []


def test_in_a_subfolder_it_checks_the_project_above(right: PoetryRunner, project: Path) -> None:
    (project / "src" / "deep").mkdir(parents=True)
    assert _check(right, cwd=project / "src" / "deep") == Result(0, ALL_SET, "")
    _replace(project, CONTAINER, "3-3.12", "3-3.10")
    (found,) = _found(_check(right, cwd=project / "src" / "deep"))
    assert found.startswith(f"../../{CONTAINER}:4:5 TF502 ")


# Where there is nothing to check, or nothing can be


def test_without_a_project_the_status_is_2(warm_poetry: PoetryRunner, project: Path) -> None:
    result = _check(warm_poetry)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"Error: No pyproject.toml in {project} or above it\n")
    assert "poetry tf init" in result.stderr


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("pyproject.toml", '[project]\nname = "x', "pyproject.toml:2:"),
        ("poetry.toml", "[tf]\nmirror = \n", "poetry.toml:2:"),
    ],
)
def test_a_project_that_cannot_be_read_has_status_2(
    right: PoetryRunner, project: Path, name: str, text: str, expected: str
) -> None:
    (project / name).write_text(text, "utf-8")
    result = _check(right)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"Error: {expected}")


def test_a_project_without_tensorflow_has_nothing_to_check(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    write_pyproject(project, ["six"])
    result = _check(warm_poetry)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "The project has no TensorFlow: nothing to check.\n"


def test_a_project_that_does_not_use_poetry_tf_is_not_asked_for_a_lock_or_a_container(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    write_pyproject(project, [PIN], requires_python=">=3.12,<3.13")
    said = "TensorFlow 2.18.1, no lock file, no container: no problems found."
    assert _check(warm_poetry) == Result(0, f"All set! {said}\n", "")


def test_a_project_that_does_not_use_poetry_tf_still_learns_of_a_wide_pin(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    write_pyproject(project, ["tensorflow >=2.18"], requires_python=">=3.12,<3.13")
    result = _check(warm_poetry)
    assert result.returncode == 1
    (found,) = _found(result)
    assert found.startswith("pyproject.toml:6:5 TF101 tensorflow >=2.18 admits")


def test_the_wide_pin_of_a_legacy_table_is_found_at_its_version(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    (project / "pyproject.toml").write_text(
        "[tool.poetry]\npackage-mode = false\n\n[tool.poetry.dependencies]\n"
        'python = ">=3.10,<3.12"\ntensorflow = { version = "^2.13", optional = false }\n',
        "utf-8",
    )
    (found,) = _found(_check(warm_poetry))
    assert found.startswith("pyproject.toml:6:")
    assert "TF101 tensorflow ^2.13 admits" in found


def test_what_is_advised_for_an_old_lock_sets_the_project_up(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    path = write_pyproject(project, ["tensorflow (==1.15.4)"], requires_python=">=3.7,<3.8")
    fitting = content_hash(path.read_text("utf-8"))
    lock = lock_text(("tensorflow", "1.15.4"), content_hash=fitting)
    whole = lock.replace("optional = false", 'optional = false\npython-versions = "*"\nfiles = []')
    (project / "poetry.lock").write_text(whole, "utf-8")
    result = warm_poetry.call("tf", "check")
    assert result.returncode == 2, "it could not be judged"
    (advised,) = re.findall(r"`poetry (tf init [^`]*)`", result.stderr)
    result = warm_poetry.call(*advised.split(), "-n")
    assert result.returncode == 0, result.output
    assert locked(project)["tensorflow"].startswith("2.8.")
    assert warm_poetry.call("tf", "check").returncode == 0
