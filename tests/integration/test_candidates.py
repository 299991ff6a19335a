"""A release without a wheel for one of the project's Pythons or environments is not chosen."""

from __future__ import annotations

from pathlib import Path

import pytest

from poetry_tf.releases import load
from tests.support.index import LocalIndex
from tests.support.poetry import KNOWS_DEPENDENCY_GROUPS, PoetryRunner, locked, write_pyproject
from tests.support.projects import contents

MANAGED = '\n[tool.poetry-tf]\ngpu = "auto"\n'
NEWEST = load().releases[-1].version


def project(
    poetry: PoetryRunner, python: str, *dependencies: str, runs: str | None = None, more: str = ""
) -> Path:
    """A managed project for a range of Pythons, on one of them."""
    poetry.python_version = f"{runs or python.removeprefix('>=').partition(',')[0]}.9"
    settings = MANAGED + more
    return write_pyproject(poetry.project, dependencies, requires_python=python, more=settings)


FORMS = ('"tensorflow (', '"tensorflow[', "tensorflow = ")


def added(path: Path) -> str:
    """The line that `add` wrote for TensorFlow."""
    lines = path.read_text("utf-8").splitlines()
    (line,) = (line.strip() for line in lines if line.strip().startswith(FORMS))
    return line


# A bare add


@pytest.mark.parametrize(("python", "version"), [("3.9", "2.20.0"), ("3.8", "2.13.1")])
@pytest.mark.parametrize("more", [MANAGED, ""], ids=["managed", "not managed"])
@pytest.mark.sample(every=3)
def test_an_open_ended_project_gets_the_newest_for_its_lowest_python(
    warm_poetry: PoetryRunner, python: str, version: str, more: str
) -> None:
    """`requires-python = ">=3.9"` is what `poetry init -n` writes: no release fits all of that."""
    warm_poetry.python_version = f"{python}.9"
    path = write_pyproject(warm_poetry.project, requires_python=f">={python}", more=more)
    done = warm_poetry.call("add", "--lock", "tensorflow")
    assert done.ok, done.output
    assert added(path).startswith(f'"tensorflow (>={version},<')
    assert locked(warm_poetry.project)["tensorflow"] == version
    line, *_ = done.stderr.strip().splitlines()
    release = load().get(version)
    assert release is not None
    last = release.pythons_on("linux-x86_64")[-1]
    end = f"3.{int(last.partition('.')[2]) + 1}"
    assert f'is open-ended: set requires-python = ">={python},<{end}"' in line


def test_the_offer_is_what_check_writes(warm_poetry: PoetryRunner) -> None:
    path = project(warm_poetry, ">=3.11")
    offer = warm_poetry.call("add", "--lock", "tensorflow").stderr
    wanted = offer.partition('set requires-python = "')[2].partition('"')[0]
    found = warm_poetry.call("tf", "check").output
    assert f'write "{wanted}"' in found
    path.write_text(path.read_text("utf-8").replace(">=3.11", wanted), "utf-8")
    assert "TF201" not in warm_poetry.call("tf", "check").output
    assert "better requires-python" not in warm_poetry.call("lock").output


@pytest.mark.sample
@pytest.mark.parametrize(
    "arguments",
    [["tensorflow@latest"], ["tensorflow[and-cuda]"], ["--group", "train", "tensorflow"]],
    ids=" ".join,
)
def test_in_every_form_it_is_the_newest_that_fits(
    warm_poetry: PoetryRunner, arguments: list[str]
) -> None:
    path = project(warm_poetry, ">=3.9,<3.10")
    done = warm_poetry.call("add", "--lock", *arguments)
    assert done.ok, done.output
    own_group = "--group" in arguments and not KNOWS_DEPENDENCY_GROUPS
    assert ('"~2.20.0"' if own_group else "(>=2.20.0,<2.21.0)") in added(path)
    assert locked(warm_poetry.project)["tensorflow"] == "2.20.0"


@pytest.mark.slow
def test_an_option_of_add_narrows_where_it_is_needed(warm_poetry: PoetryRunner) -> None:
    path = project(warm_poetry, ">=3.8,<3.14", runs="3.11")
    done = warm_poetry.call("add", "--lock", "tensorflow", "--python", ">=3.10,<3.14")
    assert done.ok, done.output
    assert f"(>={NEWEST}," in added(path)


@pytest.mark.slow
def test_a_declared_environment_counts(warm_poetry: PoetryRunner) -> None:
    more = 'environments = ["linux-x86_64", "macos-x86_64"]\n'
    path = project(warm_poetry, ">=3.11,<3.12", more=more)
    done = warm_poetry.call("add", "--lock", "tensorflow")
    assert done.ok, done.output
    assert locked(warm_poetry.project)["tensorflow"] == "2.16.2", "the last with wheels for Intel"
    assert path.read_text("utf-8").count("(>=2.16.2,<2.17.0)") == 2, "with CUDA's wheels, and not"


def test_where_nothing_fits_add_names_what_rules_the_releases_out(
    poetry: PoetryRunner,
) -> None:
    project(poetry, ">=3.11,<3.15")
    before = contents(poetry.project)
    done = poetry.call("add", "tensorflow")
    assert (done.returncode, contents(poetry.project)) == (1, before)
    assert "2.20.0 to 2.21.0: no wheel for Python 3.14\n" in done.stderr
    assert 'Narrow requires-python to ">=3.11,<3.14": tensorflow 2.21.0 has wheels' in done.stderr


def test_where_poetry_tf_only_advises_add_goes_on(warm_poetry: PoetryRunner) -> None:
    warm_poetry.python_version = "3.11.9"
    path = write_pyproject(warm_poetry.project, requires_python=">=3.11,<3.15")
    done = warm_poetry.call("add", "--lock", "tensorflow")
    assert done.ok, done.output
    assert f"(>={NEWEST}," in added(path)
    assert 'admits others: set requires-python = ">=3.11,<3.14"' in done.stderr


# Solving


def test_no_lock_has_a_release_that_cannot_be_installed(warm_poetry: PoetryRunner) -> None:
    project(warm_poetry, ">=3.9,<3.13", "tensorflow ~=2.13.0", runs="3.11")
    done = warm_poetry.call("lock")
    assert done.returncode == 1, "2.13 ends with Python 3.11"
    assert "2.13.0 to 2.13.1: no wheel for Python 3.12\n" in done.stderr
    assert 'Narrow requires-python to ">=3.9,<3.12": tensorflow 2.13.1' in done.stderr
    assert "Or use TensorFlow 2.16 to 2.20: poetry add tensorflow@~2.20" in done.stderr
    assert not (warm_poetry.project / "poetry.lock").exists()


@pytest.mark.slow
def test_another_series_that_is_proposed_can_be_taken(warm_poetry: PoetryRunner) -> None:
    project(warm_poetry, ">=3.13,<3.14", "tensorflow ~=2.18.0")
    result = warm_poetry.call("lock").stderr
    assert "2.18.0 to 2.18.1: no wheel for Python 3.13\n" in result
    assert "Use TensorFlow 2.20 to 2.21: poetry add tensorflow@~2.21" in result
    done = warm_poetry.call("add", "--lock", "tensorflow@~2.21")
    assert done.ok, done.output


@pytest.mark.slow
def test_a_patch_release_that_lacks_a_python_is_passed_over(warm_poetry: PoetryRunner) -> None:
    """tensorflow-intel 2.13.1, which holds the files for Windows, has none for Python 3.8."""
    more = 'environments = ["linux-x86_64", "windows-amd64"]\n'
    project(warm_poetry, ">=3.8,<3.12", "tensorflow ~=2.13.0", runs="3.11", more=more)
    done = warm_poetry.call("lock")
    assert done.ok, done.output
    assert locked(warm_poetry.project)["tensorflow"] == "2.13.0"


@pytest.mark.slow
def test_tensorflow_that_comes_through_others_is_filtered_too(warm_poetry: PoetryRunner) -> None:
    project(warm_poetry, ">=3.12,<3.13", "tensorflow-text >=2.13")
    done = warm_poetry.call("lock")
    assert done.ok, done.output
    assert locked(warm_poetry.project)["tensorflow"] == str(NEWEST)


def test_requirements_by_python_are_each_judged_where_they_count(
    warm_poetry: PoetryRunner,
) -> None:
    requirements = [
        'tensorflow (>=2.13,<2.14) ; python_version < "3.9"',
        'tensorflow (>=2.20,<2.21) ; python_version >= "3.9"',
    ]
    project(warm_poetry, ">=3.8,<3.14", *requirements, runs="3.11")
    done = warm_poetry.call("lock")
    assert done.ok, done.output
    lock = (warm_poetry.project / "poetry.lock").read_text("utf-8")
    assert '\nname = "tensorflow"\nversion = "2.13.1"\n' in lock
    assert '\nname = "tensorflow"\nversion = "2.20.0"\n' in lock


def test_a_release_that_the_data_does_not_know_is_a_candidate(
    poetry: PoetryRunner, project: Path
) -> None:
    from tests.support.index import Distribution
    from tests.support.tensorflow import add_tensorflow

    version = f"{NEWEST.major}.{NEWEST.minor + 7}.0"
    tags = ("cp311-cp311-manylinux_2_27_x86_64",)
    with LocalIndex() as index:
        add_tensorflow(index)
        index.extend([Distribution("tensorflow", version, ("numpy",), tags=tags)])
        poetry.pypi = index.mount("pypi", api=True).root
        write_pyproject(project, requires_python=">=3.11,<3.12", more=MANAGED)
        done = poetry.call("add", "--lock", "tensorflow")
    assert done.ok, done.output
    assert locked(project)["tensorflow"] == version
    assert f"poetry-tf: tensorflow {version} is newer than the data" in done.stderr
    assert done.stderr.count("is newer than the data") == 1


@pytest.mark.slow
def test_tensorflow_1_is_none(poetry: PoetryRunner, project: Path) -> None:
    """Older than the data, and its wheels end with Python 3.7."""
    from tests.support.index import Distribution
    from tests.support.tensorflow import add_tensorflow

    tags = ("cp37-cp37m-manylinux2010_x86_64",)
    with LocalIndex() as index:
        add_tensorflow(index)
        index.extend([Distribution("tensorflow", "1.15.5", ("numpy",), tags=tags)])
        poetry.pypi = index.mount("pypi", api=True).root
        for more in (MANAGED, ""):
            path = write_pyproject(project, requires_python=">=3.11,<3.15", more=more)
            done = poetry.call("add", "--lock", "tensorflow")
            assert done.ok is not bool(more), done.output
            assert "1.15" not in done.output
            assert "1.15" not in path.read_text("utf-8")


# The dialogue


def test_the_dialogue_of_init_gets_one_series_for_the_python_that_was_answered(
    poetry: PoetryRunner,
) -> None:
    poetry.python_version = "3.9.9"
    answers = ["", "", "", "n", "", ">=3.9,<3.12", "yes", "tensorflow", "0", "", "", "no", "yes"]
    done = poetry.call("init", stdin="\n".join(answers) + "\n")
    assert done.ok, done.output
    text = (poetry.project / "pyproject.toml").read_text("utf-8")
    assert "tensorflow (>=2.20.0,<2.21.0)" in text


def test_init_without_a_dialogue_too(poetry: PoetryRunner) -> None:
    done = poetry.call("init", "-n", "--python", ">=3.8", "--dependency", "tensorflow")
    assert done.ok, done.output
    text = (poetry.project / "pyproject.toml").read_text("utf-8")
    assert "tensorflow (>=2.13.1,<2.14.0)" in text
    assert 'set requires-python = ">=3.8,<3.12"' in done.stderr


def test_a_misspelt_name_in_the_dialogue_writes_nothing(poetry: PoetryRunner) -> None:
    done = poetry.call("init", "-n", "--dependency", "tersorflow")
    assert done.returncode == 1
    assert "tersorflow looks like a misspelling of tensorflow" in done.stderr
    assert contents(poetry.project) == {}


def test_a_misspelt_name_with_a_constraint_in_the_dialogue_too(poetry: PoetryRunner) -> None:
    answers = ["", "", "", "n", "", ">=3.9,<3.12", "yes", "tersorflow>=1", "", "no", "yes"]
    done = poetry.call("init", stdin="\n".join(answers) + "\n")
    assert done.returncode == 1, done.output
    assert "tersorflow looks like a misspelling of tensorflow" in done.stderr
    assert contents(poetry.project) == {}


def test_a_wide_constraint_in_the_dialogue_is_reported_with_one_that_fits(
    poetry: PoetryRunner,
) -> None:
    done = poetry.call("init", "-n", "--python", ">=3.12,<3.13", "--dependency", "tensorflow>=2.13")
    assert done.ok, done.output
    assert "admits more than one minor series" in done.stderr
    assert "tensorflow@~2.16." in done.stderr, "the first with wheels for that Python"
