"""Old and new Poetrys do with the plugin what users are promised.

What follows is told as a user would see it, in processes of their own; the last test runs the other
tests in the same environment. One pair: ``pytest -m compatibility -k poetry2.1.4-python3.10``.

Each pair has a worker to itself (see `tests.conftest`), which makes its environment.
"""

from __future__ import annotations

import os
import re
import subprocess
from typing import Any

import pytest

from poetry_tf.releases import load
from tests.compatibility.environments import ROOT, Environment, bare
from tests.support.index import LocalIndex, Mount
from tests.support.poetry import PoetryRunner, Result, locked, write_pyproject
from tests.support.projects import contents

pytestmark = pytest.mark.compatibility

MANAGED = '\n[tool.poetry-tf]\ngpu = "auto"\n'
NEWEST = load().releases[-1].version
PIN = f"tensorflow (>={NEWEST},<{NEWEST.major}.{NEWEST.minor + 1}.0)"
WIDE = "tensorflow (>=2.13)"


def _project(poetry: PoetryRunner, *dependencies: str, more: str = MANAGED) -> None:
    write_pyproject(poetry.project, dependencies, requires_python="~=3.11.0", more=more)


def _quiet(done: Result) -> str:
    """The output of a command that went well and had nothing to warn of.

    A seam that this Poetry hasn't would be told on stderr.
    """
    assert done.ok, done.output
    assert done.stderr == ""
    return done.stdout


def _imports(poetry: PoetryRunner, *command: str) -> set[str]:
    """What a command imports of the plugin, beyond the module that Poetry loads by itself."""
    output = poetry.run(*command, environ={"PYTHONPROFILEIMPORTTIME": "1"}).stderr
    assert "poetry.console" in output
    return set(re.findall(r"\| +(poetry_tf\S*)", output))


def _pyproject(poetry: PoetryRunner) -> str:
    return (poetry.project / "pyproject.toml").read_text("utf-8")


def _lock(poetry: PoetryRunner) -> bytes:
    return (poetry.project / "poetry.lock").read_bytes()


# Poetry has the plugin, and what is none of the plugin's business stays as it is


def test_poetry_has_the_plugin(poetry: PoetryRunner, environment: Environment) -> None:
    assert environment.version in _quiet(poetry.run("--version"))
    listed = _quiet(poetry.run("list", "tf"))
    for command in ("tf init", "tf check", "tf devcontainer", "tf releases", "tf upgrade"):
        assert command in listed
        assert f"Usage:\n  poetry {command} " in _quiet(poetry.run(*command.split(), "--help"))
    assert "2.18" in _quiet(poetry.run("tf", "releases"))
    assert "2.18" in _quiet(poetry.run("releases", program="poetry_tf"))


def test_poetry_self_is_left_alone_where_a_guard_would_stop_a_project(poetry: PoetryRunner) -> None:
    _project(poetry, WIDE)
    before = contents(poetry.project)
    shown = _quiet(poetry.run("self", "show", "plugins"))
    assert re.search(r"poetry-tf.*\n\s+1 plugin and 1 application plugin", shown), shown
    assert contents(poetry.project) == before


def test_without_tensorflow_the_plugin_does_nothing(poetry: PoetryRunner) -> None:
    _project(poetry, "six", more="")
    assert "lock file" in _quiet(poetry.run("lock", plugins=False))
    plain = _lock(poetry)
    (poetry.project / "poetry.lock").unlink()
    _quiet(poetry.run("lock"))
    assert _lock(poetry) == plain
    for command in (["check"], ["lock"], ["remove", "--lock", "six"]):
        assert _imports(poetry, *command) == set()
    assert "poetry_tf.checks" in _imports(poetry, "tf", "check"), "imports are seen"


# TensorFlow stays within one series


def test_add_writes_one_series(poetry: PoetryRunner) -> None:
    _project(poetry)
    assert str(NEWEST) in _quiet(poetry.run("add", "--lock", "tensorflow", "six"))
    assert f'"{PIN}"' in _pyproject(poetry)
    assert locked(poetry.project)["tensorflow"] == str(NEWEST)
    _quiet(poetry.run("update", "--lock"))
    _quiet(poetry.run("check", "--lock"))
    _quiet(poetry.run("check", "--lock", plugins=False))


@pytest.mark.parametrize(
    ("declared", "command"),
    [
        ([WIDE], ["lock"]),
        ([WIDE], ["update", "--lock"]),
        ([], ["add", "--lock", "tensorflow@^2.13"]),
        ([], ["add", "--dry-run", "tensorflow>=2.13"]),
        ([], ["add", "--lock", "tersorflow"]),
    ],
    ids=lambda value: "-".join(value) or "nothing",
)
def test_a_guard_stops_before_anything_happens(
    poetry: PoetryRunner, index: LocalIndex, declared: list[str], command: list[str]
) -> None:
    _project(poetry, *declared)
    before = contents(poetry.project)
    stopped = poetry.run(*command)
    assert stopped.returncode == 1
    assert "Traceback" not in stopped.output
    reason = "looks like a misspelling of tensorflow" if "tersor" in command[-1] else "2.13"
    assert reason in stopped.stderr
    assert contents(poetry.project) == before
    assert not [request for request in index.requests if request.kind == "file"]


def test_where_the_plugin_only_advises_it_warns_and_goes_on(poetry: PoetryRunner) -> None:
    _project(poetry, WIDE, more="")
    done = poetry.run("lock")
    assert done.ok
    assert "poetry-tf: tensorflow >=2.13 in pyproject.toml:6 admits more than one" in done.stderr
    assert (poetry.project / "poetry.lock").exists()


def test_install_and_remove_are_not_blocked_by_a_wide_pin(poetry: PoetryRunner) -> None:
    _project(poetry, WIDE, "six")
    assert poetry.run("lock", plugins=False).ok
    assert "tensorflow" in _quiet(poetry.run("install"))
    _quiet(poetry.run("sync"))
    assert "Writing lock file" in _quiet(poetry.run("remove", "--lock", "tensorflow"))
    assert set(locked(poetry.project)) == {"six"}


# The whole way


def test_init_without_a_container_finds_poetrys_pythons(
    poetry: PoetryRunner, environment: Environment
) -> None:
    poetry.in_project = True  # no environment is activated
    done = poetry.run("tf", "init", "-n", "--no-lock", "--no-devcontainer", environ={"PATH": ""})
    assert done.ok, done.output
    assert re.search(
        rf"Python (3\.\d+), which Poetry finds here \({environment.python}\)", done.stderr
    )


def test_init_makes_a_project_that_holds_with_the_plugin_and_without(poetry: PoetryRunner) -> None:
    poetry.python_version = "3.13.1"  # what init takes in an empty folder
    made = poetry.run("tf", "init", "-n", "--mirror", "off")
    assert made.ok, made.output
    assert "All set!" in _quiet(poetry.run("tf", "check"))
    before = contents(poetry.project)
    again = poetry.run("tf", "init", "-n", "--mirror", "off")
    assert again.ok, again.output
    assert contents(poetry.project) == before
    packages = locked(poetry.project)
    _quiet(poetry.run("check", "--lock"))
    _quiet(poetry.run("check", "--lock", plugins=False))
    _quiet(poetry.run("lock"))
    assert contents(poetry.project) == before
    _quiet(poetry.run("lock", plugins=False))
    assert locked(poetry.project) == packages
    _quiet(poetry.run("install", plugins=False))
    code = "import tensorflow; print(tensorflow.__version__)"
    result = subprocess.run([poetry.python, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == f"{NEWEST}\n"


MIRRORS: dict[str, dict[str, Any]] = {
    "html pages": {"formats": ("html",), "absolute": False, "metadata": False},
    "json pages": {"formats": ("json",), "absolute": False, "metadata": False},
    "both": {"absolute": False, "metadata": False},
}


def test_every_mirror_gives_the_lock_that_pypi_gives(
    poetry: PoetryRunner, index: LocalIndex, pypi: Mount
) -> None:
    _project(poetry, "tensorflow (>=2.18.1,<2.19)")
    _quiet(poetry.run("lock"))
    expected = _lock(poetry)
    assert b"127.0.0.1" not in expected
    asked = len(pypi.requests)
    for name, behaviour in MIRRORS.items():
        mirror = index.mount("mirror", **behaviour)
        poetry.mirror, poetry.cache = mirror.url, poetry.home / name
        (poetry.project / "poetry.lock").unlink()
        done = poetry.run("lock")
        assert done.ok, f"{name}: {done.output}"
        assert done.stderr == "poetry-tf: PyPI via 127.0.0.1\n", name
        assert _lock(poetry) == expected, name
        assert mirror.requests, name
    installed = poetry.run("install")
    assert installed.ok, installed.output
    assert len(pypi.requests) == asked
    assert "tensorflow" in _quiet(poetry.run("show", environ={"POETRY_TF_MIRROR": "off"}))


# The other tests, in the same environment


# What asks nothing of Poetry goes the same way with each, and the Pythons have a job of their own.
LEFT_OUT = [
    "compatibility",
    "releases",
    "files/test_edits.py",
    "files/test_jsonc.py",
    "files/test_toml.py",
    "files/test_transaction.py",
    "files/test_two_at_once.py",
]


def test_the_other_tests_pass_too(environment: Environment) -> None:
    ignored = [f"--ignore={ROOT / 'tests' / path}" for path in LEFT_OUT]
    options = ["-q", "--no-header", "-p", "no:cacheprovider", *ignored]
    command = [os.fspath(environment.python), "-m", "pytest", *options, "tests"]
    done = subprocess.run(
        command, cwd=ROOT, env=bare(), capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode:
        pytest.fail(f"{' '.join(command)}\n{done.stdout[-20_000:]}{done.stderr}", pytrace=False)
