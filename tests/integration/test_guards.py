"""Inside `poetry add`, `lock` and `update`: TensorFlow stays within one minor series."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomlkit

from poetry_tf.releases import load
from tests.support.index import LocalIndex
from tests.support.poetry import KNOWS_DEPENDENCY_GROUPS, PoetryRunner, locked, write_pyproject
from tests.support.projects import contents

MANAGED = '\n[tool.poetry-tf]\ngpu = "auto"\n'
NEWEST = load().releases[-1].version
AFTER = f"{NEWEST.major}.{NEWEST.minor + 1}.0"

LEGACY = """\
[tool.poetry]
name = "example"
version = "0.1.0"
description = ""
authors = []
package-mode = false

[tool.poetry.dependencies]
python = ">=3.11,<3.12"
"""


def _standard(poetry: PoetryRunner, *dependencies: str, more: str = MANAGED) -> Path:
    return write_pyproject(poetry.project, dependencies, requires_python="~=3.11.0", more=more)


def _legacy(poetry: PoetryRunner, more: str = MANAGED) -> Path:
    path = poetry.project / "pyproject.toml"
    path.write_text(LEGACY + more, "utf-8")
    return path


# A bare add


def test_add_writes_a_range_of_one_series_into_project(warm_poetry: PoetryRunner) -> None:
    path = _standard(warm_poetry)
    added = warm_poetry.call("add", "--lock", "tensorflow")
    assert added.ok, added.output
    assert f'"tensorflow (>={NEWEST},<{AFTER})"' in path.read_text("utf-8")
    assert locked(warm_poetry.project)["tensorflow"] == str(NEWEST)


def test_add_writes_a_tilde_into_legacy_tables(warm_poetry: PoetryRunner) -> None:
    path = _legacy(warm_poetry)
    assert warm_poetry.call("add", "--lock", "tensorflow").ok
    assert f'\ntensorflow = "~{NEWEST}"\n' in path.read_text("utf-8")


def test_add_does_so_too_where_poetry_tf_only_advises(warm_poetry: PoetryRunner) -> None:
    path = _legacy(warm_poetry, more="")
    added = warm_poetry.call("add", "--lock", "tensorflow")
    assert added.ok, added.output
    assert f'\ntensorflow = "~{NEWEST}"\n' in path.read_text("utf-8")


def test_add_with_extras(warm_poetry: PoetryRunner) -> None:
    path = _standard(warm_poetry)
    assert warm_poetry.call("add", "--lock", "tensorflow[and-cuda]").ok
    assert f'"tensorflow[and-cuda] (>={NEWEST},<{AFTER})"' in path.read_text("utf-8")


GROUP = '\n[tool.poetry.group.train.dependencies]\nsix = "*"\n'


NEW_GROUP = (
    f'\n[dependency-groups]\ntrain = [\n    "tensorflow (>={NEWEST},<{AFTER})"\n]\n'
    if KNOWS_DEPENDENCY_GROUPS
    else f'\n[tool.poetry.group.train.dependencies]\ntensorflow = "~{NEWEST}"\n'
)


@pytest.mark.sample
@pytest.mark.parametrize(
    ("more", "pin"),
    [
        (MANAGED, NEW_GROUP),
        (MANAGED + GROUP, f'tensorflow = "~{NEWEST}"'),
    ],
    ids=["new group", "legacy group"],
)
def test_add_to_a_group(warm_poetry: PoetryRunner, more: str, pin: str) -> None:
    path = _standard(warm_poetry, more=more)
    added = warm_poetry.call("add", "--lock", "--group", "train", "tensorflow")
    assert added.ok, added.output
    assert pin in path.read_text("utf-8")


def test_add_of_several_packages_guards_tensorflow_alone(warm_poetry: PoetryRunner) -> None:
    path = _legacy(warm_poetry)
    assert warm_poetry.call("add", "--lock", "numpy", "TensorFlow", "six").ok
    added = tomlkit.parse(path.read_text("utf-8")).unwrap()["tool"]["poetry"]["dependencies"]
    assert added["tensorflow"] == f"~{NEWEST}"
    assert added["numpy"][0] == added["six"][0] == "^"


def test_add_of_another_package_is_poetrys_own(warm_poetry: PoetryRunner) -> None:
    path = _legacy(warm_poetry)
    added = warm_poetry.call("add", "--lock", "six")
    assert added.ok
    assert '\nsix = "^' in path.read_text("utf-8")


@pytest.mark.parametrize("python", ["3.8", "3.9", "3.12", "3.13"])
@pytest.mark.sample("3.9", "3.13")
def test_add_takes_a_release_with_wheels_for_the_projects_python(
    warm_poetry: PoetryRunner, python: str
) -> None:
    warm_poetry.python_version = f"{python}.4"
    path = write_pyproject(warm_poetry.project, requires_python=f"~={python}.0", more=MANAGED)
    added = warm_poetry.call("add", "--lock", "tensorflow")
    assert added.ok, added.output
    fits = [item for item in load().releases if python in item.pythons_on("linux-x86_64")]
    assert f"(>={fits[-1].version}," in path.read_text("utf-8")
    assert locked(warm_poetry.project)["tensorflow"] == str(fits[-1].version)


def test_a_series_that_is_named_is_taken_as_written(warm_poetry: PoetryRunner) -> None:
    path = _legacy(warm_poetry)
    added = warm_poetry.call("add", "--lock", "tensorflow@~2.13")
    assert added.ok, added.output
    assert '\ntensorflow = "~2.13"\n' in path.read_text("utf-8")
    assert locked(warm_poetry.project)["tensorflow"] == "2.13.1"


# A wide pin stops before anything happens


def _stopped(poetry: PoetryRunner, index: LocalIndex, *command: str) -> str:
    before = contents(poetry.project)
    index.requests.clear()
    stopped = poetry.call(*command)
    assert (stopped.returncode, stopped.stdout.strip()) == (1, ""), stopped.output
    assert contents(poetry.project) == before
    assert index.requests == []
    assert "Traceback" not in stopped.stderr
    assert "does not follow semantic versioning" in stopped.stderr, "why"
    return stopped.stderr


@pytest.mark.parametrize(
    "wide",
    ["tensorflow@^2.13", "tensorflow>=2.13", "tensorflow[and-cuda]@~2", "tensorflow-cpu@>=2"],
)
def test_add_of_a_wide_pin_stops(poetry: PoetryRunner, index: LocalIndex, wide: str) -> None:
    _legacy(poetry)
    reported = _stopped(poetry, index, "add", wide)
    assert "admits more than one minor series of TensorFlow" in reported
    name = wide.partition("@")[0].partition(">")[0]
    assert f"poetry add {name}@~2." in reported


@pytest.mark.parametrize("directory", [[], ["-C", ".."], ["-P", ".."]], ids=["none", "-C", "-P"])
@pytest.mark.sample("-C")
def test_so_from_a_folder_below(poetry: PoetryRunner, directory: list[str]) -> None:
    _standard(poetry, "tensorflow (>=2.18)")
    below = poetry.project / "below"
    below.mkdir()
    done = poetry.run("lock", *directory, cwd=below)
    assert done.returncode == 1
    assert "series" in done.stderr
    assert not (poetry.project / "poetry.lock").exists()


@pytest.mark.parametrize(
    "command",
    [["lock"], ["update"], ["update", "six"], ["add", "six"], ["lock", "--regenerate"]],
    ids=" ".join,
)
def test_a_wide_pin_in_project_stops_what_solves(
    poetry: PoetryRunner, index: LocalIndex, command: list[str]
) -> None:
    _standard(poetry, "six", "tensorflow >=2.13")
    reported = _stopped(poetry, index, *command)
    assert "tensorflow >=2.13 in pyproject.toml:7 admits more than one minor series" in reported
    assert 'Write ">=2.13,<2.14", or run poetry tf check --fix' in reported


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ('tensorflow = "^2.13"', 11),
        ('tensorflow = { version = "^2.13", optional = true }', 11),
        ('\n[tool.poetry.group.train.dependencies]\ntensorflow = "^2.13"', 13),
    ],
    ids=["string", "table", "group"],
)
def test_a_wide_pin_in_legacy_tables_stops_what_solves(
    poetry: PoetryRunner, index: LocalIndex, line: str, number: int
) -> None:
    _legacy(poetry, more=f"\n{line}\n{MANAGED}" if number > 11 else f"{line}\n{MANAGED}")
    path = poetry.project / "pyproject.toml"
    number = path.read_text("utf-8").splitlines().index(line.strip().splitlines()[-1]) + 1
    reported = _stopped(poetry, index, "lock")
    assert f"tensorflow ^2.13 in pyproject.toml:{number} admits" in reported
    assert 'Write "~2.13"' in reported


def test_the_remedy_works(warm_poetry: PoetryRunner, index: LocalIndex) -> None:
    path = _standard(warm_poetry, "tensorflow >=2.13")
    assert 'Write ">=2.13,<2.14"' in _stopped(warm_poetry, index, "lock")
    path.write_text(path.read_text("utf-8").replace(">=2.13", ">=2.13,<2.14"), "utf-8")
    assert warm_poetry.call("lock").ok
    assert locked(warm_poetry.project)["tensorflow"] == "2.13.1"


@pytest.mark.slow
def test_an_add_that_narrows_a_wide_pin_goes_through(warm_poetry: PoetryRunner) -> None:
    """What counts is the project as it would be."""
    path = _standard(warm_poetry, "tensorflow >=2.13")
    added = warm_poetry.call("add", "--lock", "tensorflow@~2.15")
    assert added.ok, added.output
    assert "tensorflow (>=2.15,<2.16)" in path.read_text("utf-8")


# Where poetry-tf isn't asked to enforce


@pytest.mark.sample
@pytest.mark.parametrize("command", [["lock"], ["add", "--lock", "six"], ["update", "--lock"]])
def test_without_settings_it_is_one_warning_and_poetry_goes_on(
    warm_poetry: PoetryRunner, command: list[str]
) -> None:
    # 2.17.0 at the most: what PyPI's API says of later ones no Poetry can solve.
    _standard(warm_poetry, "tensorflow >=2.13,<2.17.1", more="")
    done = warm_poetry.call(*command)
    assert done.ok, done.output
    (warning,) = done.stderr.strip().splitlines()
    assert warning.startswith(
        "poetry-tf: tensorflow >=2.13,<2.17.1 in pyproject.toml:6 admits more than one minor series"
    )
    assert locked(warm_poetry.project)["tensorflow"] == "2.17.0"


@pytest.mark.parametrize("command", [["install", "--dry-run"], ["remove", "--lock", "six"]])
@pytest.mark.sample
def test_a_wide_pin_does_not_block_what_does_not_choose(
    warm_poetry: PoetryRunner, command: list[str]
) -> None:
    path = _standard(warm_poetry, "six", "tensorflow >=2.13,<2.17.1", more="")
    assert warm_poetry.call("lock").ok
    path.write_text(path.read_text("utf-8") + MANAGED, "utf-8")
    done = warm_poetry.call(*command)
    assert done.ok, done.output
    assert "minor series" not in done.output


def test_a_project_without_tensorflow_notices_nothing(warm_poetry: PoetryRunner) -> None:
    _standard(warm_poetry, "six", more="")
    with_plugin = warm_poetry.call("lock")
    lock = contents(warm_poetry.project)
    (warm_poetry.project / "poetry.lock").unlink()
    without = warm_poetry.call("lock", plugins=False)
    assert with_plugin == without
    assert contents(warm_poetry.project) == lock


@pytest.mark.parametrize(
    "command",
    [["version", "-s"], ["check"], ["config", "virtualenvs.in-project"], ["env", "info", "--path"]],
    ids=" ".join,
)
def test_what_scripts_read_stays_as_it_is(poetry: PoetryRunner, command: list[str]) -> None:
    _standard(poetry, "tensorflow >=2.13")
    (poetry.project / "poetry.toml").write_text('[tf]\nmirror = "auto"\n', "utf-8")
    assert poetry.call(*command) == poetry.call(*command, plugins=False)


def test_the_commands_are_listed(poetry: PoetryRunner) -> None:
    listed = poetry.call("list").stdout
    for name in ("tf init", "tf check", "tf devcontainer"):
        assert f"  {name} " in listed
        result = poetry.call(*name.split(), "--help").stdout
        assert "Usage:" in result and "Help:" in result
    assert "tf init" not in poetry.call("list", plugins=False).stdout


# How strictly


@pytest.mark.parametrize("command", [["lock"], ["add", "--lock", "six"], ["update", "--lock"]])
@pytest.mark.sample(every=2)
def test_pin_warn_is_one_warning(warm_poetry: PoetryRunner, command: list[str]) -> None:
    _standard(warm_poetry, "tensorflow >=2.13,<2.17.1", more='\n[tool.poetry-tf]\npin = "warn"\n')
    done = warm_poetry.call(*command)
    assert done.ok, done.output
    told = [line for line in done.stderr.splitlines() if "to pyproject.toml" not in line]
    (warning,) = told
    assert "admits more than one minor series" in warning


OFF = '\n[tool.poetry-tf]\npin = "off"\nenvironments = ["linux-x86_64"]\n'


@pytest.mark.slow
def test_pin_off_is_silence(warm_poetry: PoetryRunner) -> None:
    _standard(warm_poetry, "six", more=OFF)
    done = warm_poetry.call("add", "--lock", "tensorflow-cpu>=2.13,<2.17.1")
    assert done.ok, done.output
    assert "more than one minor series" not in done.output


# Misspelt names


@pytest.mark.parametrize("more", [MANAGED, "", '\n[tool.poetry-tf]\npin = "off"\n'])
@pytest.mark.parametrize("name", ["tersorflow", "tensorflow-gup@1.0", "tenserflow[and-cuda]>=2"])
def test_a_misspelt_name_is_stopped_before_anything_of_it_is_downloaded(
    poetry: PoetryRunner, index: LocalIndex, name: str, more: str
) -> None:
    _legacy(poetry, more)
    before = contents(poetry.project)
    index.requests.clear()
    stopped = poetry.call("add", "six", name)
    assert (stopped.returncode, contents(poetry.project)) == (1, before)
    assert "looks like a misspelling of tensorflow" in stopped.stderr
    written = name.partition("@")[0].partition("[")[0]
    assert not [item for item in index.requests if written in item.path]


COMMANDS = [["lock"], ["update"], ["add", "six"], ["install"], ["sync"], ["remove", "six"]]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_misspelt_name_in_pyproject_stops_what_may_solve(
    poetry: PoetryRunner, index: LocalIndex, command: list[str]
) -> None:
    _standard(poetry, "tersorflow ~=2.13.0", "six", more="")
    index.requests.clear()
    stopped = poetry.call(*command)
    assert stopped.returncode == 1
    assert "tersorflow in pyproject.toml:6 looks like a misspelling of tensorflow" in stopped.stderr
    assert index.requests == []


def test_a_real_package_of_a_near_name_is_none(poetry: PoetryRunner) -> None:
    _legacy(poetry)
    added = poetry.call("add", "--lock", "tensorflow-metal")
    assert "misspelling" not in added.output


def test_a_name_that_is_meant_is_let_through(poetry: PoetryRunner, index: LocalIndex) -> None:
    reason = '[{ code = "TF106", name = "tersorflow", reason = "ours, from the internal index" }]'
    path = _standard(poetry, "tersorflow ~=2.13.0", more=f"\n[tool.poetry-tf]\nignore = {reason}\n")
    result = poetry.call("lock").output
    assert "misspelling" not in result
    assert any("tersorflow" in item.path for item in index.requests), "Poetry looks for it"
    path.write_text(
        path.read_text("utf-8").replace('name = "tersorflow"', 'name = "other"'), "utf-8"
    )
    assert "misspelling" in poetry.call("lock").output


def test_a_misspelt_name_can_be_removed(poetry: PoetryRunner) -> None:
    path = _standard(poetry, "tersorflow ~=2.13.0", "six")
    done = poetry.call("remove", "--lock", "tersorflow")
    assert done.ok, done.output
    assert "tersorflow" not in path.read_text("utf-8")


# What the project says of itself


def test_a_pin_that_the_project_accepts_stops_nothing(warm_poetry: PoetryRunner) -> None:
    reason = '[{ code = "TF101", reason = "we test against every series" }]'
    more = f"\n[tool.poetry-tf]\nignore = {reason}\n"
    _standard(warm_poetry, "tensorflow >=2.13,<2.17.1", more=more)
    done = warm_poetry.call("lock")
    assert (done.ok, done.stderr) == (True, ""), done.output


def test_a_setting_that_means_nothing_is_reported(warm_poetry: PoetryRunner) -> None:
    more = '\n[tool.poetry-tf]\nenvironments = ["windows"]\n'
    _standard(warm_poetry, "tensorflow ~=2.18.0", more=more)
    done = warm_poetry.call("lock")
    assert done.ok, done.output
    (line,) = done.stderr.splitlines()
    assert 'unknown environment "windows"' in line
    assert 'Did you mean "windows-amd64"?' in line


def test_a_retired_distribution_is_reported(warm_poetry: PoetryRunner) -> None:
    _standard(warm_poetry, more="")
    done = warm_poetry.call("add", "--lock", "tensorflow-gpu@2.12.0")
    assert "tensorflow-gpu is retired" in done.stderr
