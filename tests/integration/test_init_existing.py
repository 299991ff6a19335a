"""`poetry tf init` in a project that is there: what must change does, and no other byte."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from packaging.version import Version

from tests.support.index import LocalIndex, Mount
from tests.support.poetry import (
    KNOWS_DEPENDENCY_GROUPS,
    PoetryRunner,
    locked,
    write_pyproject,
)
from tests.support.projects import changed_lines, contents
from tests.support.tensorflow import PROBABILITY

LEGACY = """\
# The model of the paper.
[tool.poetry.dependencies]
six = "*"   # for the old scripts
tensorflow = "^2.13"\t# narrowed here, and this stays
python = '>=3.9,<3.12'

[tool.black]
line-length = 100   

[tool.poetry]
package-mode   =  false
name = "paper"
version = "1.0"
description = ""
authors = ["Jane <jane@example.org>"]

[build-system]
requires = ["poetry-core"]
build-backend = "poetry.core.masonry.api"
"""  # noqa: W291

SETUPTOOLS = 'setuptools = "<82"\n'
SETTINGS = ["[tool.poetry-tf]\n", 'gpu = "auto"\n']
AWS = (
    'tensorflow-cpu-aws = {{version = "{}", markers = '
    '"sys_platform == \\"linux\\" and platform_machine == \\"aarch64\\""}}\n'
)


def _init(
    poetry: PoetryRunner, text: str, *options: str, left: Iterable[str] = ()
) -> tuple[list[str], list[str]]:
    """Runs init and returns the lines of pyproject.toml that it took away and added.

    `left`: the codes of what `check` finds after it.
    """
    path = poetry.project / "pyproject.toml"
    path.write_bytes(text.encode())
    done = poetry.call("tf", "init", "-n", *options)
    assert done.ok, done.output
    gone, new = changed_lines(text.encode(), path.read_bytes())
    checked = poetry.call("tf", "check")
    assert re.findall(r"TF\d+", checked.output) == list(left), checked.output
    before = contents(poetry.project)
    assert poetry.call("tf", "init", "-n").ok
    assert contents(poetry.project) == before, "a second run changes nothing"
    return gone, [line for line in new if line.strip()]


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.sample
def test_a_caret_in_legacy_tables_is_narrowed_and_nothing_else_changes(
    warm_poetry: PoetryRunner, end: str
) -> None:
    gone, new = _init(warm_poetry, LEGACY.replace("\n", end))
    assert gone == [f'tensorflow = "^2.13"\t# narrowed here, and this stays{end}']
    pin = f'tensorflow = "~2.13"\t# narrowed here, and this stays{end}'
    assert new == [
        pin,
        *(line.replace("\n", end) for line in (AWS.format("~2.13"), SETUPTOOLS, *SETTINGS)),
    ]
    assert locked(warm_poetry.project)["tensorflow"] == "2.13.1"


def test_a_legacy_table_keeps_its_other_keys(warm_poetry: PoetryRunner) -> None:
    table = 'tensorflow = { version = ">=2.18", optional = true }  # ours'
    extras = '[tool.poetry.extras]\ntf = ["tensorflow"]\n\n[build-system]'
    text = LEGACY.replace('tensorflow = "^2.13"\t# narrowed here, and this stays', table)
    gone, new = _init(warm_poetry, text.replace("[build-system]", extras))
    assert gone == [f"{table}\n", 'tf = ["tensorflow"]\n']
    assert 'tf = ["tensorflow", "setuptools"]\n' in new
    assert new[0] == 'tensorflow = { version = "~2.18", optional = true }  # ours\n'


PROJECT = """\
[build-system]
requires = ["poetry-core>=2.0"]
build-backend = "poetry.core.masonry.api"

[project]
requires-python = ">=3.10,<3.13"   # as the cluster has
name = "paper"
version = "1.0"
dependencies = [
\t'six',
\t'tensorflow >=2.18',  # why not
\t# the end
]

[tool.poetry]
package-mode = false
"""


def test_a_lower_bound_in_project_is_narrowed_and_nothing_else_changes(
    warm_poetry: PoetryRunner,
) -> None:
    gone, new = _init(warm_poetry, PROJECT)
    assert gone == ["\t'tensorflow >=2.18',  # why not\n"]
    bound = '\t"setuptools <82",\n'
    assert new == ["\t'tensorflow >=2.18,<2.19',  # why not\n", bound, *SETTINGS]


@pytest.mark.slow
def test_a_project_without_tensorflow_gets_it_beside_its_other_dependencies(
    warm_poetry: PoetryRunner,
) -> None:
    text = PROJECT.replace("\t'tensorflow >=2.18',  # why not\n", "")
    gone, new = _init(warm_poetry, text, "--tensorflow", "2.18")
    assert gone == []
    assert [line.strip(" \t,\n'\"") for line in new[:1]] == ["tensorflow (>=2.18.1,<2.19.0)"]
    assert new[1:] == ['\t"setuptools (<82)",\n', *SETTINGS]
    assert {"six", "tensorflow"} <= set(locked(warm_poetry.project))


@pytest.mark.slow
def test_a_legacy_project_without_tensorflow_gets_a_tilde(warm_poetry: PoetryRunner) -> None:
    text = LEGACY.replace('tensorflow = "^2.13"\t# narrowed here, and this stays\n', "")
    gone, new = _init(warm_poetry, text, "--tensorflow", "2.15")
    assert gone == []
    assert new == ['tensorflow = "~2.15.1"\n', AWS.format("~2.15.1"), SETUPTOOLS, *SETTINGS]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            '[tool.poetry.group.train.dependencies]\ntensorflow = "^2.18"\n',
            ['tensorflow = "~2.18"\n', SETUPTOOLS],
        ),
        (
            '[dependency-groups]\ntrain = ["six", "tensorflow>=2.18"] # here\n',
            ['train = ["six", "tensorflow>=2.18,<2.19", "setuptools<82"] # here\n'],
        ),
    ],
    ids=["legacy", "standard"],
)
@pytest.mark.slow
def test_tensorflow_in_a_group_is_narrowed_there(
    warm_poetry: PoetryRunner, before: str, after: list[str]
) -> None:
    text = PROJECT.replace("\t'tensorflow >=2.18',  # why not\n", "") + "\n" + before
    # Poetry 2.1 can't lock the standard's groups, and init can't make it.
    unread = before.startswith("[dependency-groups]") and not KNOWS_DEPENDENCY_GROUPS
    gone, new = _init(warm_poetry, text, left=["TF303"] if unread else [])
    assert gone == [before.splitlines(keepends=True)[1]]
    assert sorted(new) == sorted([*after, *SETTINGS])


DYNAMIC = """\
[project]
name = "paper"
version = "1.0"
requires-python = ">=3.10,<3.13"
dynamic = ["dependencies"]

[tool.poetry]
package-mode = false

[tool.poetry.dependencies]
tensorflow = {extras = ["and-cuda"], version = "^2.18"}  # GPUs
"""

ENRICHED = PROJECT.replace(
    "package-mode = false\n",
    'package-mode = false\n\n[tool.poetry.dependencies]\npython = "~3.11"\n'
    "tensorflow = {allow-prereleases = false}\n",
)

EXTRA = PROJECT.replace("\t'tensorflow >=2.18',  # why not\n", "").replace(
    "[tool.poetry]", "[project.optional-dependencies]\ntf = ['tensorflow>=2.18']\n\n[tool.poetry]"
)


@pytest.mark.parametrize(
    ("text", "before", "after", "beside"),
    [
        (DYNAMIC, '"^2.18"', '"~2.18"', [SETUPTOOLS]),
        (ENRICHED, "tensorflow >=2.18'", "tensorflow >=2.18,<2.19'", ['\t"setuptools <82",\n']),
        (EXTRA, "tensorflow>=2.18'", 'tensorflow>=2.18,<2.19\', "setuptools<82"', []),
    ],
    ids=["dependencies declared dynamic", "details in Poetry's table", "an extra"],
)
@pytest.mark.slow
def test_a_pin_is_narrowed_where_the_project_has_it(
    warm_poetry: PoetryRunner, text: str, before: str, after: str, beside: list[str]
) -> None:
    gone, new = _init(warm_poetry, text)
    (line,) = gone
    assert before in line
    assert sorted(new) == sorted([line.replace(before, after), *beside, *SETTINGS])


@pytest.mark.slow
def test_a_python_range_without_wheels_is_cut(warm_poetry: PoetryRunner) -> None:
    gone, new = _init(warm_poetry, PROJECT.replace("<3.13", "<4.0"))
    assert gone[0] == 'requires-python = ">=3.10,<4.0"   # as the cluster has\n'
    assert new[0] == 'requires-python = ">=3.10,<3.13"   # as the cluster has\n'


@pytest.mark.slow
def test_a_retired_distribution_is_renamed(warm_poetry: PoetryRunner, project: Path) -> None:
    text = PROJECT.replace("tensorflow >=2.18", "tensorflow-gpu >=2.12,<2.13")
    gone, new = _init(warm_poetry, text.replace("<3.13", "<3.12"))
    assert gone == ["\t'tensorflow-gpu >=2.12,<2.13',  # why not\n"]
    assert new[0].startswith("\t'tensorflow >=2.12")


@pytest.mark.slow
def test_another_series_can_be_asked_for_later(warm_poetry: PoetryRunner, project: Path) -> None:
    _init(warm_poetry, PROJECT)
    done = warm_poetry.call("tf", "init", "-n", "--tensorflow", "2.16")
    assert done.ok, done.output
    text = (project / "pyproject.toml").read_text("utf-8")
    assert ">=2.16.2,<2.17.0" in text and "2.18" not in text
    assert locked(project)["tensorflow"] == "2.16.2"
    assert warm_poetry.call("tf", "check").ok


@pytest.mark.slow
def test_package_mode_is_turned_off_where_nothing_is_shipped(warm_poetry: PoetryRunner) -> None:
    _, new = _init(warm_poetry, PROJECT.replace("package-mode = false\n", ""))
    assert "package-mode = false\n" in new


@pytest.mark.parametrize("module", ["paper/__init__.py", "src/paper/__init__.py", "paper.py"])
@pytest.mark.slow
def test_a_project_that_ships_a_package_keeps_package_mode(
    warm_poetry: PoetryRunner, project: Path, module: str
) -> None:
    (project / module).parent.mkdir(parents=True, exist_ok=True)
    (project / module).write_text("", "utf-8")
    # What it publishes gets no bound: that setuptools 82 is locked is told.
    text = PROJECT.replace("package-mode = false\n", "")
    _init(warm_poetry, text, "--tensorflow", "2.18", left=["TF305"])
    assert "setuptools" not in (project / "pyproject.toml").read_text("utf-8")
    assert "package-mode" not in (project / "pyproject.toml").read_text("utf-8")
    assert warm_poetry.call("check", "--lock", plugins=False).stdout == "All set!\n"


@pytest.mark.slow
def test_packages_that_are_locked_keep_their_versions(
    warm_poetry: PoetryRunner, project: Path, index: LocalIndex
) -> None:
    old, new = sorted(index.versions("six"), key=Version)[-2:]
    warm_poetry.python_version = "3.12.3"
    write_pyproject(
        project, [f"six (=={old})", "tensorflow (==2.18.0)"], requires_python="~=3.12.0"
    )
    assert warm_poetry.call("lock", plugins=False).ok
    assert locked(project)["six"] == old
    write_pyproject(project, ["six", "tensorflow (>=2.18)"], requires_python="~=3.12.0")
    assert warm_poetry.call("tf", "init", "-n").ok
    assert locked(project)["six"] == old != new
    assert "(>=2.18,<2.19)" in (project / "pyproject.toml").read_text("utf-8")


@pytest.mark.slow
def test_what_is_locked_is_what_the_pin_goes_by(warm_poetry: PoetryRunner, project: Path) -> None:
    """A project that has moved on keeps the series it runs with, whatever its old lower bound."""
    warm_poetry.python_version = "3.12.3"
    write_pyproject(project, ["tensorflow (==2.17.0)"], requires_python="~=3.12.0")
    assert warm_poetry.call("lock", plugins=False).ok
    write_pyproject(project, ["tensorflow (>=2.13)"], requires_python="~=3.12.0")
    assert warm_poetry.call("tf", "init", "-n").ok
    assert locked(project)["tensorflow"] == "2.17.0"
    assert "(>=2.17.0,<2.18.0)" in (project / "pyproject.toml").read_text("utf-8")


# One clear error, and nothing changed

GOOD = PROJECT.replace("tensorflow >=2.18", "tensorflow >=2.18.1,<2.19.0")


def _refused(poetry: PoetryRunner, *options: str) -> str:
    """Runs init, which must fail and leave everything as it is; returns what it says."""
    before, entries = contents(poetry.project), sorted(poetry.project.rglob("*"))
    refused = poetry.call("tf", "init", "-n", *options)
    assert refused.returncode == 1, refused.output
    assert contents(poetry.project) == before
    assert sorted(poetry.project.rglob("*")) == entries, "no folder or file is left over"
    errors = [line for line in refused.stderr.splitlines() if line.startswith("Error:")]
    assert len(errors) == 1, refused.stderr
    assert "Traceback" not in refused.output
    assert "Next:" not in refused.stdout
    return refused.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '[project]\nname = "x"\nversion = "1"\n\n[build-system]\nrequires = ["hatchling"]\n'
            'build-backend = "hatchling.build"\n',
            "this project uses the build backend hatchling.build, not Poetry",
        ),
        ('[project]\nname = "x"\nversion = "1"\n\n[tool.uv]\n', "this project uses uv, not Poetry"),
        ('[project]\nname = "x"\nname = "y"\n', "pyproject.toml:3:"),
        ('[tool.poetry\nname = "x"\n', "pyproject.toml:1:"),
        ("project = 1\n", "pyproject.toml:1:"),
        (
            GOOD.replace("2.18.1,<2.19.0", "2.13.9,<2.14"),
            "Could not lock the project; nothing was written",
        ),
        (GOOD.replace("'six'", "'six >'"), "pyproject.toml:10:"),
        (GOOD.replace("2.18.1,<2.19.0", "2.4,<2.5"), "No TensorFlow release that poetry-tf"),
        (GOOD.replace("3.10,<3.13", "3.13"), "TensorFlow 2.18.1 has no wheel for Python >=3.13"),
        (GOOD.replace("3.10,<3.13", "3.9,<3.10"), "No dev container can be made for Python 3.9"),
    ],
    ids=[
        "hatch",
        "uv",
        "key twice",
        "broken table",
        "no table",
        "release that doesn't exist",
        "broken requirement",
        "series too old",
        "python without wheel",
        "python without container",
    ],
)
def test_a_project_that_cannot_be_set_up_is_left_alone(
    warm_poetry: PoetryRunner, project: Path, text: str, expected: str
) -> None:
    (project / "pyproject.toml").write_text(text, "utf-8")
    assert expected in _refused(warm_poetry)


def test_a_file_that_is_not_utf_8_is_left_alone(warm_poetry: PoetryRunner, project: Path) -> None:
    (project / "pyproject.toml").write_bytes(b'[project]\nname = "caf\xe9"\n')
    assert "pyproject.toml:2:1: byte 0xe9 is not UTF-8" in _refused(warm_poetry)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("poetry.toml", "[tf\n", "poetry.toml:1:"),
        ("poetry.lock", "[[package]\n", "poetry.lock:1:"),
        ("poetry.lock", "a = 1\n", "poetry.lock:1:1: this is not a lock file from Poetry"),
        (".devcontainer/devcontainer.json", '{\n    "image": \n}\n', "devcontainer.json:3:1"),
        (
            ".devcontainer/devcontainer.json",
            "[]\n",
            "devcontainer.json:1:1: does not contain an object",
        ),
        (".devcontainer", "a file where a folder should be", "devcontainer.json: "),
        ("pyproject.toml/x", "", "pyproject.toml"),
        ("poetry.toml/x", "", "poetry.toml"),
    ],
)
def test_a_broken_file_beside_it_is_reported_and_left_alone(
    warm_poetry: PoetryRunner, project: Path, name: str, text: str, expected: str
) -> None:
    if not name.startswith("pyproject.toml"):
        (project / "pyproject.toml").write_text(GOOD, "utf-8")
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).write_text(text, "utf-8")
    assert expected in _refused(warm_poetry)


def test_a_read_only_file_is_reported_and_nothing_is_written(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    path = project / "pyproject.toml"
    path.write_text(PROJECT, "utf-8")
    path.chmod(0o444)
    try:
        with path.open("a"):
            pytest.skip("this user may write read-only files")
    except PermissionError:
        pass
    assert "pyproject.toml is read-only" in _refused(warm_poetry)


def _hide_six(pypi: Mount) -> None:
    pypi.hidden = ("six",)


def _fail_pages(pypi: Mount) -> None:
    pypi.page_status = 503


def _fail_files(pypi: Mount) -> None:
    pypi.file_status = 403


@pytest.mark.parametrize(
    ("fault", "empty", "expected"),
    [
        (_hide_six, False, "six"),
        (_fail_pages, True, "503"),
        (_fail_files, False, "403"),
        (_fail_files, True, "403"),
    ],
    ids=["unknown package", "pages answer 503", "files answer 403", "the same in an empty folder"],
)
@pytest.mark.usefixtures("short_pauses")
@pytest.mark.sample
def test_a_failing_index_is_reported_and_nothing_is_written(
    poetry: PoetryRunner, pypi: Mount, fault: Callable[[Mount], None], empty: bool, expected: str
) -> None:
    if not empty:
        (poetry.project / "pyproject.toml").write_text(PROJECT, "utf-8")
    fault(pypi)
    result = _refused(poetry)
    assert "Could not lock the project; nothing was written" in result
    assert expected in result


@pytest.mark.slow
def test_dependencies_that_contradict_each_other_are_reported_in_poetrys_words(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    (project / "pyproject.toml").write_text(PROJECT.replace("'six'", "'numpy <1.20'"), "utf-8")
    result = _refused(warm_poetry)
    assert "paper depends on both numpy (<1.20) and tensorflow" in result


def test_a_failed_lock_leaves_the_old_one(right: PoetryRunner, project: Path) -> None:
    text = (project / "pyproject.toml").read_text("utf-8")
    (project / "pyproject.toml").write_text(
        text.replace("dependencies = [", 'dependencies = [\n    "no-such-package",'), "utf-8"
    )
    assert "no-such-package" in _refused(right)


def _interrupted(process: subprocess.Popen[str]) -> str:
    """Presses Ctrl-C as a person does: again, when nothing has come of it after a while.

    Python drops the interrupt that reaches it inside a finalizer or a weak reference's callback. It
    shows one that reaches it at its very end, so that a busy machine gets some time.
    """
    for _ in range(10):
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=4)[1]
    process.kill()
    return process.communicate()[1]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_an_init_that_is_interrupted_leaves_nothing(
    poetry: PoetryRunner, project: Path, pypi: Mount
) -> None:
    pypi.delay = 0.2
    before = contents(project)
    process = poetry.start("tf", "init", "-n", "--mirror", "off")
    while not pypi.requests and process.poll() is None:
        time.sleep(0.02)
    reported = _interrupted(process)
    assert process.returncode != 0, reported
    assert contents(project) == before
    assert "Traceback" not in reported


PUBLISHED = """\
[project]
name = "paper"
version = "1.0"
requires-python = ">=3.10,<3.12"
dependencies = ["tensorflow (>=2.13,<2.19)", "setuptools (<82)"]  # of those who use it
scripts = { paper = "paper:main" }
"""


@pytest.mark.slow
def test_what_a_package_publishes_stays_and_is_locked(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    (project / "pyproject.toml").write_text(PUBLISHED, "utf-8")
    done = warm_poetry.call("tf", "init", "-n")
    assert done.ok, done.output
    text = (project / "pyproject.toml").read_text("utf-8")
    assert text.startswith(PUBLISHED)
    assert 'pin = "warn"' in text
    assert '"tensorflow >=2.13,<2.19" was kept, because' in done.stderr
    assert locked(project)["tensorflow"] == "2.18.1"
    check = warm_poetry.call("tf", "check")
    assert check.returncode == 0, check.output
    assert re.findall(r"TF\d{3}", check.stderr) == ["TF101"]
    before = contents(project)
    assert warm_poetry.call("tf", "check", "--fix").returncode == 0
    assert warm_poetry.call("tf", "init", "-n").ok
    assert contents(project) == before


def test_a_package_is_pinned_where_a_series_is_named(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    (project / "pyproject.toml").write_text(PUBLISHED, "utf-8")
    done = warm_poetry.call("tf", "init", "-n", "--no-lock", "--tensorflow", "2.15")
    assert done.ok, done.output
    text = (project / "pyproject.toml").read_text("utf-8")
    assert "tensorflow (>=2.15.1,<2.16.0)" in text and "pin =" not in text


@pytest.mark.slow
@pytest.mark.parametrize("series", ["2.15", "2.21"])
def test_what_only_the_lock_shows_is_fixed_as_well(warm_poetry: PoetryRunner, series: str) -> None:
    """A companion's newest release is for another TensorFlow, or breaks with what is locked."""
    wanted = [f"tensorflow (~={series}.0)", "tensorflow-probability", "tensorflow-hub"]
    path = write_pyproject(warm_poetry.project, wanted, requires_python="~=3.11.0")
    done = warm_poetry.call("tf", "init", "-n")
    assert done.ok, done.output
    text = path.read_text("utf-8")
    found = locked(warm_poetry.project)
    assert found["setuptools"] == "81.0.0"
    assert found["tensorflow-probability"] == PROBABILITY.get(series, "0.25.0")
    assert ("tensorflow-probability (>=" in text) is (series != "2.21")
    assert ("tf-keras (>=" in text) is (series == "2.21")
    assert warm_poetry.call("tf", "check").stdout.startswith("All set! ")
    before = contents(warm_poetry.project)
    assert warm_poetry.call("tf", "init", "-n").ok
    assert contents(warm_poetry.project) == before
