"""`poetry tf check --fix` and `--diff`: all that needs no decision, together or not at all."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from poetry_tf.files import journal
from tests.integration.conftest import RIGHT
from tests.support.poetry import PoetryRunner, Result, locked, write_pyproject
from tests.support.projects import contents, patched

PIN = "tensorflow (>=2.18.1,<2.19.0)"
PYTHON = ">=3.12,<3.13"
ANY = ">=3.11,<3.13"
CONTAINER = ".devcontainer/devcontainer.json"
LOCK, PYPROJECT = "poetry.lock", "pyproject.toml"

RESOLVING = "Resolving dependencies"
FIXABLE = "fixable with `poetry tf check --fix`"


def _replace(project: Path, name: str, old: str, new: str) -> None:
    text = (project / name).read_bytes().decode()
    assert old in text
    (project / name).write_bytes(text.replace(old, new, 1).encode())


def _check(poetry: PoetryRunner, *options: str) -> Result:
    result = poetry.call("tf", "check", *options)
    assert "Traceback" not in result.output
    return result


def _changed(before: dict[str, bytes], project: Path) -> set[str]:
    after = contents(project)
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


def _codes(result: Result) -> list[str]:
    return re.findall(r"^\S+ (TF\d{3}) ", result.stderr, re.MULTILINE)


def _fixed_codes(result: Result) -> set[str]:
    """The files that --fix says it wrote."""
    return {line.strip() for line in result.stdout.splitlines() if line.startswith("  ")}


def _fixed(poetry: PoetryRunner, left: tuple[str, ...] = ()) -> tuple[Result, set[str]]:
    """Runs --fix, and what holds of every --fix; returns what it said and the files it changed."""
    before = contents(poetry.project)
    calls_fixable = _check(poetry)
    assert contents(poetry.project) == before
    result = _check(poetry, "--fix")
    changed = _changed(before, poetry.project)
    assert _fixed_codes(result) == changed, "it says what it wrote"
    assert _codes(result) == list(left)
    assert result.returncode == (1 if left else 0)
    assert FIXABLE not in result.stderr, "what is left it doesn't call fixable"
    assert (FIXABLE in calls_fixable.stderr) == bool(changed)

    after = contents(poetry.project)
    same = _check(poetry)
    assert (same.returncode, _codes(same)) == (result.returncode, _codes(result))
    again = _check(poetry, "--fix")
    assert (again.returncode, contents(poetry.project)) == (result.returncode, after)
    assert _fixed_codes(again) == set()
    return result, changed


def _no(name: str) -> Callable[[Path], None]:
    return lambda project: (project / name).unlink()


def _put(name: str, old: str, new: str) -> Callable[[Path], None]:
    return lambda project: _replace(project, name, old, new)


# What --fix fixes


@pytest.mark.parametrize(
    "case",
    [
        (_put(PYPROJECT, PIN, "tensorflow >=2.18"), "TF101, TF302", {PYPROJECT, LOCK}, True),
        (
            _put(PYPROJECT, PIN, PIN.replace("tensorflow", "tensorflow-gpu")),
            "TF103, TF302",
            {PYPROJECT},
            False,
        ),
        (_put(PYPROJECT, PYTHON, ">=3.12"), "TF201, TF302", {PYPROJECT}, False),
        (_put(PYPROJECT, "package-mode = false", ""), "TF301", {PYPROJECT}, False),
        (_no(LOCK), "TF302", {LOCK}, True),
        (_no(CONTAINER), "TF501", {CONTAINER}, False),
        (_put(CONTAINER, "3-3.12", "3-3.11"), "TF502", {CONTAINER}, False),
        (_put(CONTAINER, '"9.3.0.75"', '"9.1.0.70"'), "TF503", {CONTAINER}, False),
        (_put(CONTAINER, '"gpu": "optional"', ""), "TF504", {CONTAINER}, False),
        (_put(CONTAINER, "3-3.12", "1-3.12"), "TF505", {CONTAINER}, False),
    ],
)
@pytest.mark.sample(every=3)
def test_what_is_fixed_is_reported_and_clean_afterwards(
    right: PoetryRunner,
    case: tuple[Callable[[Path], None], str, set[str], bool],
) -> None:
    spoil, says, changes, locks = case
    spoil(right.project)
    result, changed = _fixed(right)
    assert result.stdout.splitlines()[0] == f"Fixed {says} in"
    assert result.stdout.splitlines()[-1].startswith("All set! TensorFlow 2.18.1, 1 container")
    assert changed == changes
    assert (RESOLVING in result.stderr) is locks, "anew only if it must be"


def test_what_is_as_it_was_is_written_back_to_the_byte(right: PoetryRunner) -> None:
    """The lock was right for what --fix makes of pyproject.toml, so it stays."""
    _replace(right.project, PYPROJECT, PYTHON, ">=3.12")
    _fixed(right)
    assert contents(right.project) == RIGHT


def test_all_is_fixed_together(right: PoetryRunner, project: Path) -> None:
    _replace(project, PYPROJECT, PIN, "tensorflow (>=2.18)")
    _replace(project, PYPROJECT, PYTHON, ">=3.9")
    (project / LOCK).unlink()
    (project / CONTAINER).unlink()
    result, changed = _fixed(right)
    assert result.stdout.startswith("Fixed TF101, TF201, TF302, TF501 in\n")
    assert changed == {PYPROJECT, LOCK, CONTAINER}
    assert right.call("check", "--lock", plugins=False).ok


def test_a_fix_of_a_project_in_order_changes_nothing(right: PoetryRunner) -> None:
    result = _check(right, "--fix")
    assert (result.returncode, result.stderr, len(result.stdout.splitlines())) == (0, "", 1)
    assert result.stdout.startswith("All set! ")
    assert contents(right.project) == RIGHT


# The lock


def test_versions_that_are_locked_stay(right: PoetryRunner, project: Path) -> None:
    """2.18.0 is what the lock has; 2.18.1 is there, and the pin that --fix writes admits it."""
    write_pyproject(
        project, ["tensorflow (==2.18.0)", "six", "setuptools (<82)"], requires_python=ANY
    )
    (project / LOCK).unlink()
    assert right.call("lock", plugins=False).ok
    versions = locked(project)
    assert versions["tensorflow"] == "2.18.0"
    write_pyproject(
        project, ["tensorflow (>=2.18)", "six", "setuptools (<82)"], requires_python=ANY
    )
    result = _check(right, "--fix")
    assert result.ok, result.output
    # What only other platforms need goes, unless the project declares them.
    assert locked(project).items() <= versions.items()


@pytest.mark.slow
def test_what_changed_in_pyproject_without_us_is_locked(right: PoetryRunner, project: Path) -> None:
    _replace(project, PYPROJECT, f'"{PIN}"', f'"{PIN}", "six"')
    (before,) = re.findall(r"^# .*$", RIGHT[LOCK].decode(), re.MULTILINE)
    versions = locked(project)
    _, changed = _fixed(right)
    assert changed == {LOCK}
    assert {**versions, "six": locked(project)["six"]} == locked(project)
    assert (project / LOCK).read_text("utf-8").startswith(before)


@pytest.mark.slow
def test_a_locked_release_outside_the_pin_moves_and_the_container_with_it(
    right: PoetryRunner, project: Path
) -> None:
    _replace(project, PYPROJECT, PIN, "tensorflow (>=2.15.1,<2.16.0)")
    _replace(project, PYPROJECT, PYTHON, ">=3.11,<3.13")
    _, changed = _fixed(right)
    assert changed == {PYPROJECT, LOCK, CONTAINER}
    assert locked(project)["tensorflow"] == "2.15.1"
    assert "3-3.11-" in (project / CONTAINER).read_text("utf-8")


def test_the_name_of_the_container_moves_along(right: PoetryRunner, project: Path) -> None:
    """Also where nothing else of the container has to change: 2.19 takes the same CUDA."""
    assert "(TensorFlow 2.18)" in (project / CONTAINER).read_text("utf-8")
    _replace(project, PYPROJECT, PIN, "tensorflow (>=2.19.0,<2.20.0)")
    _, changed = _fixed(right)
    assert changed >= {LOCK, CONTAINER}
    assert "(TensorFlow 2.19)" in (project / CONTAINER).read_text("utf-8")


@pytest.mark.sample
@pytest.mark.parametrize("fault", ["no such package", "no index"])
def test_nothing_is_written_where_locking_fails(right: PoetryRunner, fault: str) -> None:
    _replace(right.project, PYPROJECT, PYTHON, ">=3.12")
    _replace(right.project, CONTAINER, "3-3.12", "3-3.11")
    extra = "no-such-package" if fault == "no such package" else "six"
    _replace(right.project, PYPROJECT, f'"{PIN}"', f'"{PIN}", "{extra}"')
    if fault == "no index":
        right.pypi = "http://127.0.0.1:9/"
        right.cache = right.home / "empty"
    before = contents(right.project)
    result = _check(right, "--fix")
    assert contents(right.project) == before
    assert result.returncode == 2
    assert (
        f"Could not lock the project; not written: {PYPROJECT}, {CONTAINER} and {LOCK}"
    ) in result.stderr
    assert _codes(result) == ["TF201", "TF302", "TF502"], "what there is to fix is told"
    assert result.stdout == ""


@pytest.mark.sample
@pytest.mark.parametrize(
    ("python", "requires", "said"),
    [
        (
            "3.10.13",
            'six = "*"',
            "../lib/pyproject.toml:6: lib requires Python 3.10.13, but this project admits "
            ">=3.12,<3.13 (pyproject.toml:5)",
        ),
        (
            ">=3.10",
            'tensorflow = "2.15.1"',
            "../lib/pyproject.toml:7: lib requires tensorflow 2.15.1, and this project "
            "tensorflow >=2.18.1,<2.19.0 (pyproject.toml:7)",
        ),
    ],
)
def test_the_line_of_another_project_that_cannot_be_locked_with_is_named(
    right: PoetryRunner, project: Path, python: str, requires: str, said: str
) -> None:
    other = project.parent / "lib" / PYPROJECT
    other.parent.mkdir()
    other.write_text(
        '[tool.poetry]\nname = "lib"\nversion = "1"\npackage-mode = true\n'
        f'[tool.poetry.dependencies]\npython = "{python}"\n{requires}\n',
        "utf-8",
    )
    _replace(project, PYPROJECT, f'"{PIN}"', f'"{PIN}", "lib @ ../lib"')
    before = contents(project)
    result = _check(right, "--fix")
    assert (result.returncode, contents(project)) == (2, before)
    assert said in result.stderr.splitlines()
    assert not re.search(r"</|<fg|options=", result.stderr), "Poetry's styles are no text"


@pytest.mark.slow
def test_a_lock_that_was_written_has_to_be_installed(right: PoetryRunner, project: Path) -> None:
    """Where the project has an environment; elsewhere nothing is out of date."""
    step = "Next: install what changed in the lock file: poetry install\n"
    (project / LOCK).unlink()
    assert step not in _check(right, "--fix").stdout
    (project / ".venv").mkdir()
    (project / LOCK).unlink()
    result = _check(right, "--fix")
    assert result.stdout.startswith(f"Fixed TF302 in\n  {LOCK}\n{step}All set! ")
    (project / CONTAINER).unlink()
    assert CONTAINER in (stdout := _check(right, "--fix").stdout) and step not in stdout


@pytest.mark.parametrize("command", [["check", "--fix"], ["init", "-n"], ["upgrade", "2.19", "-n"]])
def test_a_package_that_is_required_from_nowhere_is_told_in_one_line(
    right: PoetryRunner, project: Path, command: list[str]
) -> None:
    _replace(project, PYPROJECT, f'"{PIN}"', f'"{PIN}", "lib @ ../lib"')
    before = contents(project)
    result = right.call("tf", *command)
    assert result.returncode and contents(project) == before
    *_, error, line = (text for text in result.stderr.splitlines() if text.strip())
    assert re.search("(can't be locked|Could not lock the project)", error)
    assert line == "pyproject.toml:7: lib is required from ../lib, which does not exist"


def test_nothing_is_written_where_a_file_cannot_be(right: PoetryRunner, project: Path) -> None:
    _replace(project, PYPROJECT, PYTHON, ">=3.12")
    (project / CONTAINER).unlink()
    (project / CONTAINER).parent.rmdir()
    (project / CONTAINER).parent.symlink_to(project.parent / "elsewhere")
    (project.parent / "elsewhere").mkdir()
    before = contents(project)
    result = _check(right, "--fix")
    assert result.returncode == 2
    assert result.stderr.startswith("Error: ")
    assert contents(project) == before


# What is left


@pytest.mark.slow
def test_what_needs_a_decision_is_left(right: PoetryRunner, project: Path) -> None:
    cpu = PIN.replace("tensorflow", "tensorflow-cpu")
    _replace(project, PYPROJECT, f'"{PIN}"', f'"{PIN}",\n    "{cpu}"')
    _replace(project, CONTAINER, "3-3.12", "3-3.11")
    result, changed = _fixed(right, left=("TF104",))
    assert changed == {LOCK, CONTAINER}
    assert "Keep one of them" in result.stderr


def test_a_broken_lock_is_nobodys_but_its_owners(right: PoetryRunner, project: Path) -> None:
    text = "<<<<<<< HEAD\n" + RIGHT[LOCK].decode()
    (project / LOCK).write_text(text, "utf-8")
    _replace(project, CONTAINER, "3-3.12", "3-3.11")
    _, changed = _fixed(right, left=("TF302",))
    assert changed == {CONTAINER}


def test_a_container_that_cannot_be_read_is_left(right: PoetryRunner, project: Path) -> None:
    (project / CONTAINER).write_text('{\n  // ours\n  "image": \n}\n', "utf-8")
    _replace(project, PYPROJECT, "package-mode = false", "")
    _, changed = _fixed(right, left=("TF501",))
    assert changed == {PYPROJECT}


# Projects that never ran init


def test_a_project_that_is_not_managed_is_fixed_and_stays_so(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    write_pyproject(project, ["tensorflow >=2.18"], requires_python=PYTHON)
    result, changed = _fixed(warm_poetry)
    assert changed == {PYPROJECT}, "no lock, no container, no settings"
    text = (project / PYPROJECT).read_text("utf-8")
    assert "tensorflow >=2.18,<2.19" in text
    assert "poetry-tf" not in text
    assert RESOLVING not in result.stderr


@pytest.mark.slow
def test_the_lock_of_a_project_that_is_not_managed_is_kept_in_step(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    write_pyproject(project, ["tensorflow >=2.18"], requires_python=ANY)
    assert warm_poetry.call("lock").ok
    versions = locked(project)
    _, changed = _fixed(warm_poetry)
    assert changed == {PYPROJECT, LOCK}
    assert locked(project) == versions


@pytest.mark.parametrize("dependencies", [[], ["six"]])
def test_a_project_without_tensorflow_is_let_be(
    warm_poetry: PoetryRunner, project: Path, dependencies: list[str]
) -> None:
    write_pyproject(project, dependencies, more='readme = "README.md"\n')
    before = contents(project)
    result = _check(warm_poetry, "--fix")
    assert contents(project) == before
    assert result.ok, result.output


def test_an_interrupted_write_is_settled_first(right: PoetryRunner, project: Path) -> None:
    from poetry_tf.files import transaction
    from poetry_tf.files.snapshot import FileState

    class Killed(BaseException):
        pass

    def killed(self: object, change: object) -> None:
        raise Killed

    _replace(project, PYPROJECT, PYTHON, ">=3.12")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal.FileWrite, "rename", killed)
        patch.setattr(journal.FileWrite, "undo", lambda self: ())
        with pytest.raises(Killed):
            transaction.write_together(
                project,
                {project / PYPROJECT: RIGHT[PYPROJECT]},
                {project / PYPROJECT: FileState.of(project / PYPROJECT)},
            )
    output = _check(right)
    assert "interrupted" in output.stderr
    result = _check(right, "--fix")
    assert "Completed or undid an interrupted change: pyproject.toml" in result.stderr
    assert result.ok
    assert contents(project) == RIGHT


# --diff


def test_diff_shows_what_fix_writes(right: PoetryRunner, project: Path) -> None:
    _replace(project, PYPROJECT, "package-mode = false", "")
    _replace(project, PYPROJECT, PYTHON, ">=3.12")
    _replace(project, CONTAINER, "3-3.12", "3-3.11")
    before = contents(project)
    shown = _check(right, "--diff")
    assert shown.returncode == 1
    assert contents(project) == before
    assert _codes(shown) == ["TF201", "TF301", "TF302", "TF502"]
    assert RESOLVING not in shown.output
    assert _check(right, "--fix").ok
    assert patched(before, shown.stdout) == contents(project)


def test_diff_shows_a_file_that_fix_creates(right: PoetryRunner, project: Path) -> None:
    (project / CONTAINER).unlink()
    shown = _check(right, "--diff")
    assert shown.stdout.startswith(f"--- /dev/null\n+++ b/{CONTAINER}\n")
    assert not (project / CONTAINER).exists()
    assert patched(contents(project), shown.stdout) == RIGHT


def test_diff_says_that_the_lock_would_be_made_again(right: PoetryRunner, project: Path) -> None:
    (project / LOCK).unlink()
    right.pypi = "http://127.0.0.1:9/"
    shown = _check(right, "--diff")
    assert (shown.returncode, shown.stdout) == (1, "")
    assert "--fix would also update poetry.lock" in shown.stderr
    assert not (project / LOCK).exists()


def test_diff_goes_before_fix(right: PoetryRunner, project: Path) -> None:
    _replace(project, PYPROJECT, "package-mode = false", "")
    before = contents(project)
    assert _check(right, "--fix", "--diff") == _check(right, "--diff")
    assert contents(project) == before


@pytest.mark.slow
def test_a_lock_that_would_serve_less_is_not_written(warm_poetry: PoetryRunner) -> None:
    """Plain Poetry takes two releases here, and with setuptools beside it only the older one."""
    settings = "\n[tool.poetry-tf]\n"
    write_pyproject(
        warm_poetry.project, ["tensorflow (>=2.2,<3)"], requires_python=">=3.8,<3.14", more=settings
    )
    assert warm_poetry.call("lock", plugins=False).ok
    before = contents(warm_poetry.project)
    assert "which has no wheel" not in _check(warm_poetry).stderr
    result = _check(warm_poetry, "--fix")
    assert not result.ok and contents(warm_poetry.project) == before
    assert "would have no TensorFlow for " in result.stderr
    assert "with Python 3.12 and 3.13; nothing was written" in result.stderr
