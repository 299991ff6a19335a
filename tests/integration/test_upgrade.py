"""`poetry tf upgrade`: the page tells what will be, and then that is so, or nothing is changed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from poetry_tf.files.journal import MARKER
from poetry_tf.files.project import Project
from poetry_tf.plan.environments import DEFAULT_ENVIRONMENTS, make_targets, required_pythons
from poetry_tf.plan.installability import LockedPackages
from poetry_tf.releases import load
from poetry_tf.releases.images import load_images
from tests.integration.conftest import SetUp
from tests.support.index import LocalIndex
from tests.support.pages import named
from tests.support.poetry import PoetryRunner, Result, locked, write_pyproject
from tests.support.projects import changed_lines, contents, read_jsonc

NEWEST = load().releases[-1]
MANAGED = "\n[tool.poetry-tf]\n"
# What tensorflow-text has wheels for in the made-up index.
ONE = '\n[tool.poetry-tf]\nenvironments = ["linux-x86_64"]\n'

# Kills the process right before the journal gets its n-th state, or after its two a file of the
# project its new content.
KILLED = """
import os, runpy, sys
from pathlib import Path
left = int(sys.argv.pop(1))
rename = Path.replace
def replace(self, target):
    global left
    journals = Path(os.environ["POETRY_TF_STATE_DIR"])
    if Path(target).is_relative_to(Path.cwd()) or Path(target).is_relative_to(journals):
        left -= 1
        if not left:
            os._exit(137)
    return rename(self, target)
Path.replace = replace
runpy.run_module("poetry", run_name="__main__", alter_sys=True)
"""

Begin = Callable[..., PoetryRunner]


@pytest.fixture
def begin(set_up: SetUp) -> Begin:
    """Sets the project up for a series."""
    return lambda series, python="3.11": set_up("--tensorflow", series, "--python", python)


def holds(poetry: PoetryRunner) -> None:
    """Check, plain Poetry and an installation in the container have no fault with the project."""
    checked = poetry.call("tf", "check")
    assert checked.stdout.startswith("All set! "), checked.output
    plain = poetry.call("check", "--lock", plugins=False)
    assert plain.ok, plain.output
    made = Project.read(poetry.project)
    assert made.valid_lock is not None
    assert made.pyproject.python is not None
    pythons = required_pythons(made.pyproject.python.constraint)
    assert pythons
    packages = LockedPackages.of(made.valid_lock, made.pyproject)
    judged = make_targets(DEFAULT_ENVIRONMENTS[:1], pythons)
    assert [*packages.obstacles(judged, load_images().systems)] == []


def pyproject(project: Path) -> str:
    return (project / "pyproject.toml").read_text("utf-8")


def container(project: Path) -> dict[str, Any]:
    found = read_jsonc(project / ".devcontainer" / "devcontainer.json")
    assert isinstance(found, dict)
    return found


def refused(poetry: PoetryRunner, *arguments: str) -> Result:
    """A call that fails with one error and leaves everything as it is."""
    before = contents(poetry.project)
    done = poetry.call("tf", "upgrade", "-n", *arguments)
    assert done.returncode == 1, done.output
    assert contents(poetry.project) == before
    assert "Traceback" not in done.output
    assert len([line for line in done.stderr.splitlines() if line.startswith("Error:")]) == 1
    return done


@pytest.mark.parametrize(
    ("now", "target", "version"),
    [
        (("2.13", "3.11"), "2.15", "2.15.1"),
        (("2.15", "3.11"), "2.18", "2.18.1"),
        (("2.18", "3.12"), None, str(NEWEST.version)),
        (("2.21", "3.12"), "2.18", "2.18.1"),
        (("2.18", "3.11"), "2.13", "2.13.1"),
        (("2.15", "3.11"), "2.8", "2.8.4"),
    ],
)
@pytest.mark.sample
def test_a_project_moves_and_holds(
    begin: Begin, project: Path, now: tuple[str, str], target: str | None, version: str
) -> None:
    poetry = begin(*now)
    before = locked(project)
    arguments = [target] if target else []
    done = poetry.call("tf", "upgrade", "-n", *arguments)
    assert done.ok, done.output
    assert done.stdout.startswith(f"TensorFlow {before['tensorflow']} -> {version}\n")
    assert locked(project)["tensorflow"] == version
    assert f"tensorflow (>={version},<" in pyproject(project)
    holds(poetry)
    minor = ".".join(version.split(".")[:2])
    assert container(project)["name"] == f"project (TensorFlow {minor})"
    assert "rebuild the container" in done.stdout

    after = contents(project)
    again = poetry.call("tf", "upgrade", "-n", *arguments)
    assert again.stdout.endswith("Nothing to change.\n"), again.output
    assert contents(project) == after


def test_where_only_the_requirement_changes_nothing_has_to_be_rebuilt(begin: Begin) -> None:
    done = begin("2.18").call("tf", "upgrade", "2.18.0", "-n")
    assert done.ok, done.output
    assert "\nKept TensorFlow 2.18.1\n" in done.stdout
    assert "rebuild" not in done.stdout.lower()


@pytest.mark.slow
def test_keras_2_is_kept_by_every_command_that_comes_after(begin: Begin, project: Path) -> None:
    poetry = begin("2.15")
    done = poetry.call("tf", "upgrade", "2.16", "--legacy-keras", "-n")
    assert done.ok, done.output
    assert "Keras   2 from tf-keras" in done.stdout
    assert "tf.keras is Keras 3" not in done.stdout
    assert locked(project)["tf-keras"] == "2.16.0"
    assert container(project)["containerEnv"]["TF_USE_LEGACY_KERAS"] == "1"
    holds(poetry)
    for command in (["tf", "devcontainer"], ["tf", "check", "--fix"], ["tf", "init", "-n"]):
        before = contents(project)
        assert poetry.call(*command).ok
        assert contents(project) == before

    done = poetry.call("tf", "upgrade", "2.18", "-n")
    assert done.ok, done.output
    assert re.search(r"tf-keras +2\.16\.0 -> 2\.18\.0", done.stdout)
    assert container(project)["containerEnv"]["TF_USE_LEGACY_KERAS"] == "1"
    holds(poetry)


def test_where_tensorflow_has_keras_2_the_option_changes_nothing(
    begin: Begin, project: Path
) -> None:
    poetry = begin("2.13")
    done = poetry.call("tf", "upgrade", "2.15", "--legacy-keras", "-n")
    assert "2, TensorFlow's own: --legacy-keras changes nothing" in done.stdout
    assert "keras" not in pyproject(project)


@pytest.mark.slow
def test_companions_move_along(warm_poetry: PoetryRunner, project: Path) -> None:
    wanted = [
        "tensorflow-text",
        "tensorflow (>=2.15.1,<2.16)",
        "tensorflow-probability (>=0.23,<0.24)",
        "six",
    ]
    write_pyproject(project, wanted, requires_python=">=3.11,<3.12", more=ONE)
    assert warm_poetry.call("tf", "init", "-n").ok
    before = contents(project)
    done = warm_poetry.call("tf", "upgrade", "2.18", "-n")
    assert done.ok, done.output
    found = locked(project)
    assert (found["tensorflow-text"], found["tensorflow-probability"]) == ("2.18.0", "0.25.0")
    assert re.search(r"tensorflow-probability +0\.23\.0 -> 0\.25\.0", done.stdout)
    gone, new = changed_lines(before["pyproject.toml"], (project / "pyproject.toml").read_bytes())
    assert [line.strip() for line in gone] == [
        "'tensorflow (>=2.15.1,<2.16)',",
        "'tensorflow-probability (>=0.23,<0.24)',",
    ]
    assert [line.strip() for line in new] == [
        "'tensorflow (>=2.18.1,<2.19.0)',",
        "'tensorflow-probability (>=0.25.0,<0.26.0)',",
        '"tf-keras (>=2.18,<2.19)",',
    ]
    assert found["tf-keras"] == "2.18.0"
    holds(warm_poetry)
    # On to another series it moves along; before 2.15 there is none, and TensorFlow has Keras 2.
    assert warm_poetry.call("tf", "upgrade", "2.16", "-n").ok
    assert locked(project)["tf-keras"] == "2.16.0"
    assert warm_poetry.call("tf", "upgrade", "2.13", "-n").ok
    assert "tf-keras" not in pyproject(project)
    holds(warm_poetry)


@pytest.mark.slow
def test_a_wide_requirement_on_a_companion_is_narrowed_where_no_solver_would(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    """tensorflow-probability names no TensorFlow: also on the way down "*" is the newest."""
    (project / "pyproject.toml").write_text(
        '[tool.poetry]\nname = "a"\nversion = "1"\npackage-mode = false\n'
        'description = ""\nauthors = ["A <a@example.org>"]\n\n'
        '[tool.poetry.dependencies]\npython = ">=3.11,<3.12"\ntensorflow = "~2.18.1"\n'
        'tensorflow-probability = "*"  # for the priors\n\n[tool.poetry-tf]\n',
        "utf-8",
    )
    assert warm_poetry.call("tf", "init", "-n").ok
    assert locked(project)["tensorflow-probability"] == "0.25.0"
    done = warm_poetry.call("tf", "upgrade", "2.15", "-n")
    assert done.ok, done.output
    assert 'tensorflow-probability = "~0.23.0"  # for the priors\n' in pyproject(project)
    assert 'tensorflow = "~2.15.1"\n' in pyproject(project)
    holds(warm_poetry)


def test_where_no_release_of_a_companion_fits_it_says_which_series_have_one(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    wanted = ["tensorflow (>=2.15.1,<2.16)", "tensorflow-addons (>=0.23,<0.24)"]
    write_pyproject(project, wanted, requires_python=">=3.11,<3.12", more=ONE)
    done = refused(warm_poetry, "2.18")
    assert "No release of tensorflow-addons fits TensorFlow 2.18" in done.stderr
    assert "https://github.com/tensorflow/addons/issues/2807" in done.stderr
    assert re.search(r"tensorflow-addons +no release fits: .*TensorFlow 2\.8 to 2\.15", done.stdout)
    found = json.loads(refused(warm_poetry, "2.18", "--json").stdout)
    (addons,) = found["companions"]
    assert addons["release"]["to"] is None
    assert addons["series"][-1] == "2.15"
    assert found["applied"] is False


def test_by_default_it_moves_as_far_as_the_companions_do(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    wanted = ["tensorflow (>=2.15.1,<2.16)", "tensorflow-probability (>=0.23,<0.24)"]
    write_pyproject(project, wanted, requires_python=">=3.11,<3.12", more=ONE)
    assert warm_poetry.call("tf", "init", "-n").ok
    # The newest release of tensorflow-decision-forests is for exactly one release of TensorFlow.
    text = pyproject(project).replace(
        "'tensorflow-prob", "'tensorflow-decision-forests',\n'tensorflow-prob"
    )
    (project / "pyproject.toml").write_text(text, "utf-8")
    done = warm_poetry.call("tf", "upgrade", "--dry-run", "--json", "-n")
    found = json.loads(done.stdout)
    assert found["tensorflow"]["to"] == "2.19.0"
    assert {*found["not_newer"]} == {"2.20", "2.21"}
    assert "tensorflow-decision-forests" in found["not_newer"]["2.21"]


@pytest.mark.slow
def test_the_range_of_pythons_moves_where_it_must_and_is_reported(
    begin: Begin, project: Path
) -> None:
    poetry = begin("2.21", "3.13")
    done = poetry.call("tf", "upgrade", "2.18", "-n")
    assert done.ok, done.output
    assert ">=3.13,<3.14 -> >=3.12,<3.13: the project's range has to change" in done.stdout
    assert 'requires-python = ">=3.12,<3.13"\n' in pyproject(project)
    assert "python:3-3.12-" in container(project)["image"]
    assert "Python 3.13 -> 3.12" in done.stdout
    holds(poetry)


@pytest.mark.slow
def test_a_range_that_goes_on_fitting_is_only_cut(warm_poetry: PoetryRunner, project: Path) -> None:
    wanted = ["tensorflow (>=2.20,<2.21)"]
    write_pyproject(project, wanted, requires_python=">=3.10,<3.14", more=MANAGED)
    assert warm_poetry.call("tf", "init", "-n").ok
    assert warm_poetry.call("tf", "upgrade", "2.18", "-n").ok
    assert 'requires-python = ">=3.10,<3.13"\n' in pyproject(project)
    holds(warm_poetry)


@pytest.mark.slow
def test_bounds_of_the_old_series_go_with_it(warm_poetry: PoetryRunner, project: Path) -> None:
    wanted = ["tensorflow (>=2.10.1,<2.11)", "packaging"]
    write_pyproject(project, wanted, requires_python=">=3.10,<3.11", more=MANAGED)
    assert warm_poetry.call("tf", "init", "-n").ok
    assert "numpy (<2)" in pyproject(project)
    done = warm_poetry.call("tf", "upgrade", "2.18", "-n")
    assert done.ok, done.output
    assert "numpy" not in pyproject(project)
    assert "tensorflow-cpu-aws" not in pyproject(project)
    holds(warm_poetry)


@pytest.mark.slow
@pytest.mark.parametrize("command", [("upgrade", "2.21"), ("init", "--tensorflow", "2.21")])
def test_setuptools_goes_with_the_tensorboard_that_needs_an_old_one(
    begin: Begin, project: Path, command: tuple[str, ...]
) -> None:
    poetry = begin("2.20")
    assert "setuptools (<82)" in pyproject(project)
    assert locked(project)["setuptools"] == "81.0.0"
    done = poetry.call("tf", *command, "-n")
    assert done.ok, done.output
    assert "setuptools" not in pyproject(project)
    holds(poetry)
    assert poetry.call("tf", "upgrade", "2.20", "-n").ok
    assert "setuptools (<82)" in pyproject(project)
    holds(poetry)


def test_check_adds_the_bound_and_locks(warm_poetry: PoetryRunner, project: Path) -> None:
    wanted = ["tensorflow (>=2.20,<2.21)"]
    write_pyproject(project, wanted, requires_python=">=3.11,<3.12", more=MANAGED)
    assert warm_poetry.call("lock").ok
    assert locked(project)["setuptools"] == "82.0.0"
    checked = warm_poetry.call("tf", "check")
    assert "TF305 [*] tensorboard 2.20.1 admits setuptools 82" in checked.stderr
    assert warm_poetry.call("tf", "check", "--fix").ok
    assert "setuptools (<82)" in pyproject(project)
    assert locked(project)["setuptools"] == "81.0.0"
    assert warm_poetry.call("tf", "check").stdout.startswith("All set! ")


@pytest.mark.slow
def test_a_bound_that_the_user_wrote_stays(warm_poetry: PoetryRunner, project: Path) -> None:
    wanted = ["tensorflow (>=2.10.1,<2.11)", "numpy (>=1.26,<2)"]
    write_pyproject(project, wanted, requires_python=">=3.10,<3.11", more=MANAGED)
    assert warm_poetry.call("tf", "init", "-n").ok
    assert warm_poetry.call("tf", "upgrade", "2.18", "-n").ok
    assert "'numpy (>=1.26,<2)'" in pyproject(project)
    holds(warm_poetry)


@pytest.mark.slow
def test_in_its_own_series_it_moves_to_the_newest_release(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    wanted = ["tensorflow (==2.18.0)"]
    write_pyproject(project, wanted, requires_python=">=3.12,<3.13", more=MANAGED)
    assert warm_poetry.call("tf", "init", "-n").ok
    done = warm_poetry.call("tf", "upgrade", "2.18", "-n")
    assert done.ok, done.output
    assert done.stdout.startswith("TensorFlow 2.18.0 -> 2.18.1\n")
    assert "(>=2.18.1,<2.19.0)" in pyproject(project)
    holds(warm_poetry)


@pytest.mark.slow
def test_locked_versions_stay_unless_they_have_to_move(
    warm_poetry: PoetryRunner, project: Path, index: LocalIndex
) -> None:
    old, new = sorted(index.versions("six"), key=Version)[-2:]
    wanted = ["tensorflow (>=2.15.1,<2.16)", f"six (=={old})"]
    write_pyproject(project, wanted, requires_python=">=3.11,<3.12", more=MANAGED)
    assert warm_poetry.call("tf", "init", "-n").ok
    path = project / "pyproject.toml"
    path.write_text(pyproject(project).replace(f"six (=={old})", "six"), "utf-8")
    before = locked(project)
    done = warm_poetry.call("tf", "upgrade", "2.18", "-n", "--json")
    found = json.loads(done.stdout)["packages"]
    after = locked(project)
    assert after["six"] == old != new
    assert {name for name in before if name in after and before[name] != after[name]} == {
        *found["changed"]
    }
    assert {*found["added"]} == {*after} - {*before}
    assert {*found["removed"]} == {*before} - {*after}


@pytest.mark.slow
def test_an_unmanaged_project_stays_one(warm_poetry: PoetryRunner, project: Path) -> None:
    """So TensorFlow's metadata is not fixed in it: 2.18.1 asks for what there is not."""
    write_pyproject(project, ["tensorflow (>=2.15,<2.16)"], requires_python=">=3.11,<3.12")
    assert warm_poetry.call("lock", plugins=False).ok
    assert "In a project with [tool.poetry-tf] that is left out" in (
        refused(warm_poetry, "2.18.1").stderr
    )
    assert warm_poetry.call("tf", "upgrade", "2.18", "-n").ok
    assert {*contents(project)} == {"pyproject.toml", "poetry.lock"}
    assert "poetry-tf" not in pyproject(project)
    assert locked(project)["tensorflow"] == "2.18.0"
    assert warm_poetry.call("tf", "check").ok


@pytest.mark.slow
@pytest.mark.parametrize("more", ["", MANAGED])
def test_a_project_without_a_lock_is_solved_before_it_moves(
    warm_poetry: PoetryRunner, project: Path, more: str
) -> None:
    wanted = ["tensorflow (>=2.15,<2.16)", "protobuf (<5)"]
    write_pyproject(project, wanted, requires_python=">=3.11,<3.12", more=more)
    assert "you require protobuf <5" in refused(warm_poetry, "2.21").stderr
    done = warm_poetry.call("tf", "upgrade", "2.16", "-n")
    assert "Moved to TensorFlow 2.16.2" in done.stdout, done.output
    assert (project / "poetry.lock").exists() is bool(more)
    assert ("poetry.lock was not written" in done.stdout) is not bool(more)


MAC = 'sys_platform == "darwin" and platform_machine == "arm64"'


@pytest.mark.parametrize("more", ["", MANAGED])
@pytest.mark.sample(every=2)
def test_what_served_a_platform_gives_way_and_the_lock_has_tensorflow_there(
    warm_poetry: PoetryRunner, project: Path, more: str
) -> None:
    lines = [
        'tensorflow (>=2.15.0,<2.15.1) ; sys_platform != "darwin"',
        f"tensorflow-macos (>=2.15.0,<2.15.1) ; {MAC}",
    ]
    write_pyproject(project, lines, requires_python=">=3.10,<3.12", more=more)
    assert warm_poetry.call("lock").ok
    done = warm_poetry.call("tf", "upgrade", "2.18", "-n")
    assert done.ok, done.output
    assert "tensorflow-macos" not in pyproject(project)
    assert "tensorflow-macos" not in locked(project)
    made = Project.read(project)
    assert made.valid_lock is not None
    packages = LockedPackages.of(made.valid_lock, made.pyproject)
    targets = make_targets(["linux-x86_64", "macos-arm64"], ["3.10", "3.11"])
    (tensorflow,) = [one for one in packages.packages if one.name == "tensorflow"]
    assert all(packages.needs(tensorflow, target) for target in targets)
    assert warm_poetry.call("check", "--lock", plugins=False).ok


def test_the_line_of_an_old_python_stays_and_that_is_said(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    lines = [
        'tensorflow (>=2.20.0,<2.21) ; python_version < "3.11"',
        'tensorflow (>=2.20.0,<2.21) ; python_version >= "3.11"',
    ]
    write_pyproject(project, lines, requires_python=">=3.9,<3.13")
    done = warm_poetry.call("tf", "upgrade", "2.21", "-n")
    assert done.ok, done.output
    assert "pyproject.toml:6: tensorflow >=2.20.0,<2.21: tensorflow 2.21.0 has no wheel" in (
        done.stdout
    )
    assert lines[0] in pyproject(project)
    assert warm_poetry.call("lock", plugins=False).ok


def test_a_platform_that_a_series_has_left_is_named(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    lines = [
        f'tensorflow (>=2.15.1,<2.16) ; sys_platform == "{name}"' for name in ("linux", "darwin")
    ]
    write_pyproject(project, lines, requires_python=">=3.10,<3.12")
    told = refused(warm_poetry, "2.18").stderr
    assert "pyproject.toml:7: tensorflow >=2.15.1,<2.16 can't move to 2.18" in told
    assert "macos-x86_64" in told


@pytest.mark.slow
def test_the_commands_of_the_guide_do_what_stands_beside_them(begin: Begin, project: Path) -> None:
    for line in named("upgrade").splitlines():
        poetry = begin("2.15")
        before = contents(project)
        program, *arguments = line.partition("#")[0].split()
        assert program == "poetry"
        done = poetry.call(*arguments, "-n")
        assert done.ok, done.output
        assert (contents(project) == before) is ("--dry-run" in arguments)
        assert ("tf-keras" in locked(project)) is ("--legacy-keras" in arguments)
        holds(poetry)


# -- before it is done ----------------------------------------------------------------------


@pytest.mark.slow
def test_a_dry_run_shows_the_page_and_writes_nothing(begin: Begin, project: Path) -> None:
    poetry = begin("2.15")
    before = contents(project)
    done = poetry.call("tf", "upgrade", "2.18", "--dry-run")
    assert done.ok, done.output
    assert contents(project) == before
    for text in (
        "Python  >=3.11,<3.12, unchanged",
        "CUDA    12.2 -> 12.5, in the container",
        "cuDNN   8.9.4.25 -> 9.3.0.75",
        "driver  525.60.13 or later on the host",
        "Keras   2 -> 3",
        "tf.keras is Keras 3.",
        "https://github.com/tensorflow/tensorflow/releases/tag/v2.16.1",
        '+    "tensorflow (>=2.18.1,<2.19.0)",',
        "Rebuild the container after that.",
    ):
        assert text in done.stdout
    assert done.stdout.endswith("Nothing was written (--dry-run).\n")


@pytest.mark.parametrize(("answer", "moves"), [("\n", True), ("yes\n", True), ("no\n", False)])
@pytest.mark.sample(every=2)
def test_it_asks_before_it_writes(begin: Begin, project: Path, answer: str, moves: bool) -> None:
    poetry = begin("2.15")
    before = contents(project)
    done = poetry.call("tf", "upgrade", "2.18", stdin=answer)
    assert done.ok is moves
    assert (contents(project) != before) is moves
    assert ("Nothing was changed." in done.stdout) is not moves


@pytest.mark.slow
def test_a_question_without_an_answer_changes_nothing(begin: Begin, project: Path) -> None:
    poetry = begin("2.15")
    before = contents(project)
    done = poetry.run("tf", "upgrade", "2.18", stdin="")
    assert done.returncode == 1
    assert "give -n to go on without" in done.stderr
    assert contents(project) == before


@pytest.mark.slow
def test_programs_get_the_page_as_json(begin: Begin, project: Path) -> None:
    poetry = begin("2.15")
    before = contents(project)
    page = json.loads(poetry.call("tf", "upgrade", "2.18", "--dry-run", "--json").stdout)
    assert contents(project) == before
    assert page["tensorflow"] == {"from": "2.15.1", "to": "2.18.1"}
    assert page["cuda"] == {"from": "12.2", "to": "12.5"}
    assert page["keras"] == {"from": 2, "to": 3}
    assert page["applied"] is False
    assert {*page["files"]} == {"pyproject.toml", "poetry.lock", ".devcontainer/devcontainer.json"}
    assert all(one["sources"] for one in page["code"])
    done = json.loads(poetry.call("tf", "upgrade", "2.18", "--json").stdout)
    assert done == {**page, "applied": True}, "what was written, not what there is left to write"
    assert locked(project)["tensorflow"] == "2.18.1"


@pytest.mark.slow
def test_on_the_way_down_it_says_what_goes_back(begin: Begin, project: Path) -> None:
    poetry = begin("2.18")
    done = poetry.call("tf", "upgrade", "2.15", "--dry-run")
    assert "tf.keras is Keras 2 again" in done.stdout
    assert "tf.estimator is gone" not in done.stdout


# -- what can't be done ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["2.99"], "Unknown TensorFlow 2.99; the newest on the index is "),
        (["3"], "3 is not a series of TensorFlow"),
        (["nonsense"], "'nonsense' is not a version of TensorFlow"),
        (["2.16.0"], "There is no TensorFlow 2.16.0"),
        (["2.3"], "TensorFlow 2.3 is older than the releases that poetry-tf supports"),
        (["2.18", "--mirror", "nowhere"], "--mirror: 'nowhere' is not a mirror"),
    ],
)
@pytest.mark.sample(every=3)
def test_what_there_is_not_is_one_error(begin: Begin, arguments: list[str], expected: str) -> None:
    poetry = begin("2.15")
    assert expected in refused(poetry, *arguments).stderr
    assert expected in json.loads(refused(poetry, *arguments, "--json").stdout)["error"]["message"]


@pytest.mark.parametrize(
    ("dependencies", "expected"),
    [
        ([], "The project has no TensorFlow"),
        (["tensorflow-rocm (>=2.14,<2.15)"], "whose releases poetry-tf does not know"),
    ],
)
def test_without_a_tensorflow_that_is_known_there_is_nothing_to_move(
    warm_poetry: PoetryRunner, project: Path, dependencies: list[str], expected: str
) -> None:
    write_pyproject(project, dependencies, requires_python=">=3.11,<3.12")
    assert expected in refused(warm_poetry).stderr


@pytest.mark.slow
def test_where_there_is_no_solution_the_users_own_requirement_is_named(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    wanted = ["tensorflow (>=2.15.1,<2.16)", "protobuf (<5)", "six"]
    write_pyproject(project, wanted, requires_python=">=3.11,<3.12", more=MANAGED)
    assert warm_poetry.call("tf", "init", "-n").ok
    done = refused(warm_poetry, "2.21")
    assert "No set of packages fits TensorFlow 2.21.0; nothing was changed" in done.stderr
    (message,) = [line for line in done.stderr.splitlines() if line.startswith("pyproject.toml:")]
    assert message.startswith(
        "pyproject.toml:7: you require protobuf <5, and TensorFlow 2.21.0 needs"
    )
    assert "six" not in message


@pytest.mark.slow
@pytest.mark.parametrize("series", ["2.14", "2.18", "2.21"])
def test_the_line_that_is_named_is_that_of_the_file_as_it_is(
    warm_poetry: PoetryRunner, project: Path, series: str
) -> None:
    """A move writes lines and removes some above it."""
    extras = '\n[project.optional-dependencies]\nold = ["protobuf (==4.25.0)"]\n'
    write_pyproject(
        project,
        ["tensorflow (>=2.15.1,<2.16)"],
        requires_python=">=3.11,<3.12",
        more=extras + MANAGED + 'devcontainer = "off"\n',
    )
    path = project / "pyproject.toml"
    text = path.read_text("utf-8")
    done = refused(warm_poetry, series)
    (line,) = (n for n, one in enumerate(text.splitlines(), 1) if "protobuf" in one)
    assert f"pyproject.toml:{line}: you require protobuf" in done.stderr


@pytest.mark.slow
def test_a_requirement_with_an_extra_is_named_too(
    warm_poetry: PoetryRunner, project: Path, index: LocalIndex
) -> None:
    index.add("holder", "1.0", requires=["protobuf (<5) ; extra == 'old'"])
    wanted = ["tensorflow (>=2.15.1,<2.16)", "holder[old] (>=1.0,<2)", "six"]
    write_pyproject(project, wanted, requires_python=">=3.11,<3.12", more=MANAGED)
    assert warm_poetry.call("tf", "init", "-n").ok
    done = refused(warm_poetry, "2.21")
    (told,) = [line for line in done.stderr.splitlines() if line.startswith("pyproject.toml:")]
    assert told.startswith("pyproject.toml:7: you require holder >=1.0,<2, which conflicts")


@pytest.mark.slow
def test_an_environment_that_later_series_have_left_holds_the_project_back(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    more = '\n[tool.poetry-tf]\nenvironments = ["linux-x86_64", "macos-x86_64"]\n'
    wanted = ["tensorflow (>=2.15.1,<2.16)"]
    write_pyproject(project, wanted, requires_python=">=3.11,<3.12", more=more)
    assert warm_poetry.call("tf", "init", "-n").ok
    assert (
        "TensorFlow 2.18.1 can't be installed on macos-x86_64"
        in refused(warm_poetry, "2.18").stderr
    )
    found = json.loads(warm_poetry.call("tf", "upgrade", "--dry-run", "--json").stdout)
    assert found["tensorflow"]["to"] == "2.16.2"


@pytest.mark.slow
def test_killed_between_the_writes_the_next_run_settles_it(begin: Begin, project: Path) -> None:
    """The journal is begun, then ready, then each of the three files gets its new content."""
    poetry = begin("2.15")
    before = contents(project)
    assert poetry.call("tf", "upgrade", "2.18", "-n").ok
    after = contents(project)
    for nth in range(1, 6):
        begin("2.15")
        killed = subprocess.run(
            [sys.executable, "-c", KILLED, str(nth), "tf", "upgrade", "2.18", "-n"],
            cwd=project,
            env=poetry._environment(None),
            capture_output=True,
            check=False,
        )
        assert killed.returncode == 137, killed.stderr
        assert (project / MARKER).exists() is (nth > 1)
        assert poetry.call("tf", "check", "--fix").ok
        left = {name: content for name, content in contents(project).items() if name in after}
        assert left == (before if nth < 3 else after), nth
        assert not (project / MARKER).exists()
        holds(poetry)
