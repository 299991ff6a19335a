"""`poetry tf init --from`: from a list of Conda's or pip's to a project that is locked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomlkit

from poetry_tf.actions import migrate
from tests.support.index import ANY, LocalIndex, Mount
from tests.support.poetry import PoetryRunner, locked
from tests.support.projects import contents
from tests.support.tensorflow import add_tensorflow

LINUX_310 = tuple(f"cp310-cp310-manylinux_2_17_{machine}" for machine in ("x86_64", "aarch64"))
LINUX_37 = ("cp37-cp37m-manylinux_2_17_x86_64",)

PACKAGES: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("pandas", "1.2.4", (), LINUX_37),
    ("pandas", "1.5.3", ("numpy", "slow-date"), LINUX_310),
    ("pandas", "2.0.0", ("numpy",), LINUX_310),
    ("opencv-python-headless", "4.8.0", ("numpy",), (ANY,)),
    ("slow-date", "1.0", (), (ANY,)),
    ("slow-date", "2.0", (), (ANY,)),
    # These two don't go together at 1.0.
    ("quiet", "1.0", ("slow-date (<2)",), (ANY,)),
    ("quiet", "2.0", ("slow-date (>=2)",), (ANY,)),
    ("lively", "1.0", ("slow-date (>=2)",), (ANY,)),
    ("lively", "1.1", ("slow-date (>=1)",), (ANY,)),
    # What it requires has no file for ARM.
    ("gui", "1.0", ("gui-lib",), (ANY,)),
    ("gui-lib", "1.0", (), ("py3-none-manylinux2014_x86_64",)),
    # No version of it goes with the NumPy of TensorFlow 2.15.
    ("numpy-two", "1.0", ("numpy (>=2)",), (ANY,)),
    # The newest can't be imported with the protobuf of TensorFlow 2.15.
    ("tensorflow-metadata", "1.17.3", ("protobuf (>=3.20.3)",), (ANY,)),
    ("tensorflow-metadata", "1.21.0", ("protobuf (>=3.20.3)",), (ANY,)),
)

ENVIRONMENT = """\
name: thesis
channels:
  - conda-forge
dependencies:
  - python=3.9
  - cudatoolkit=11.2
  - cudnn
  - tensorflow-gpu=2.5
  - pandas=1.2.4
  - opencv
  - quiet
  - nowhere-to-be-found
  - pip:
      - lively==1.0
      - -e .
"""


@pytest.fixture(scope="module")
def tensorflow_index() -> Iterator[LocalIndex]:
    """TensorFlow, and beside it what the lists of these tests name."""
    with LocalIndex() as index:
        add_tensorflow(index, PACKAGES)
        yield index


def dependencies(project: Path) -> list[str]:
    data = tomlkit.parse((project / "pyproject.toml").read_text("utf-8")).unwrap()
    found: list[str] = data["project"]["dependencies"]
    return found


def write(project: Path, text: str, name: str = "environment.yml") -> None:
    (project / name).write_text(text, "utf-8")


def test_an_environment_becomes_a_project_that_is_all_set(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    write(project, ENVIRONMENT)
    done = warm_poetry.call("tf", "init", "-n", "--from", "environment.yml")
    assert done.ok, done.output
    assert "From environment.yml, 9 packages:" in done.stdout
    for line in (
        "  Python 3.9 becomes 3.10: a dev container needs at least Python 3.10",
        "  TensorFlow 2.5 becomes 2.12: 2.12 is the first that poetry-tf can set up with a GPU",
        "  Required (3): opencv-python-headless, quiet, lively",
        "  Required with other versions (1):",
        "    pandas >=1.2.4,<2: no wheel for Python 3.10 (pandas=1.2.4)",
        "  Names on PyPI: opencv is opencv-python-headless",
        "  Left to the container, which has what this TensorFlow needs (2): cudatoolkit, cudnn",
    ):
        assert line in done.stdout.splitlines()
    lines = done.stderr.splitlines()
    assert lines[lines.index("Left for you to decide:") + 1 :] == [
        "environment.yml:15 -e .",
        "    the project itself: its setup.py or pyproject.toml is not read; add what it requires "
        "with `poetry add`",
        "environment.yml:12 nowhere-to-be-found",
        "    PyPI has no package of this name: it may have another name there, or be a library "
        "that belongs in the container's image",
    ]
    tensorflow, *others = dependencies(project)
    assert tensorflow.startswith("tensorflow (>=2.12")
    assert others[:4] == [
        "pandas (>=1.2.4,<2)",
        "opencv-python-headless",
        "quiet",
        "lively (==1.0)",
    ]
    assert locked(project)["pandas"] == "1.5.3"
    assert warm_poetry.call("tf", "check").stdout.startswith("All set! ")
    assert warm_poetry.call("check", "--lock", plugins=False).stdout == "All set!\n"
    assert "[package.source]" not in (project / "poetry.lock").read_text("utf-8")


@pytest.mark.slow
def test_versions_that_do_not_go_together_give_way(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    write(project, "tensorflow==2.15.*\nquiet==1.0\nlively==1.0\n", "requirements.txt")
    done = warm_poetry.call("tf", "init", "-n", "--from", "requirements.txt")
    assert done.ok, done.output
    assert "The versions of quiet and lively conflict; keeping what goes together" in done.stderr
    assert "  Required (1): quiet" in done.stdout
    assert "    lively >=1.0,<2: conflicts with the other packages (lively==1.0)" in done.stdout
    assert {"quiet (==1.0)", "lively (>=1.0,<2)"} <= {*dependencies(project)}
    assert locked(project)["lively"] == "1.1"
    assert warm_poetry.call("tf", "check").ok


@pytest.mark.slow
def test_what_is_locked_stays_where_versions_give_way(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    assert warm_poetry.call("tf", "init", "-n", "--tensorflow", "2.15").ok
    before = locked(project)
    write(project, "slow-date==1.0\nquiet==1.0\nlively==1.0\n", "requirements.txt")
    done = warm_poetry.call("tf", "init", "-n", "--from", "requirements.txt")
    assert done.ok, done.output
    assert done.stdout.count("Resolving dependencies...") <= 4, done.output
    assert {"slow-date (==1.0)", "quiet (==1.0)", "lively (>=1.0,<2)"} <= {*dependencies(project)}
    assert locked(project).items() >= before.items()
    assert warm_poetry.call("check", "--lock", plugins=False).ok


@pytest.mark.slow
def test_what_goes_with_nothing_is_left_to_the_user(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    lines = "tensorflow==2.15.*\nquiet\nnumpy-two\nlively\n"
    write(project, lines, "requirements.txt")
    done = warm_poetry.call("tf", "init", "-n", "--from", "requirements.txt")
    assert done.ok, done.output
    assert "Leaving out numpy-two: no version fits the rest" in done.stderr
    assert "requirements.txt:3 numpy-two\n    no version fits the other packages" in done.stderr
    assert {"quiet", "lively"} <= locked(project).keys()
    assert "numpy-two" not in (project / "pyproject.toml").read_text("utf-8")
    assert warm_poetry.call("tf", "check").ok


@pytest.mark.slow
def test_a_long_solve_says_that_it_goes_on(
    warm_poetry: PoetryRunner, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "_TELL_SECONDS", 0.001)
    write(project, "tensorflow==2.15.*\nquiet\ntensorflow-metadata\n", "requirements.txt")
    done = warm_poetry.call("tf", "init", "-n", "--from", "requirements.txt")
    assert done.ok, done.output
    assert "Still resolving, attempt 1 (0 s)" in done.stderr
    # What the lock shows is fixed, and locked again.
    assert "Still resolving (0 s)" in done.stderr
    assert locked(project)["tensorflow-metadata"] == "1.17.3"


@pytest.mark.slow
def test_a_version_that_breaks_beside_what_is_locked_gives_way(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    write(project, "tensorflow==2.15.*\ntensorflow-metadata==1.21.0\n", "requirements.txt")
    done = warm_poetry.call("tf", "init", "-n", "--from", "requirements.txt")
    assert done.ok, done.output
    assert re.search(r"    tensorflow-metadata <1.21: protobuf \S+, which is locked", done.stdout)
    assert "Left for you to decide" not in done.stderr
    assert locked(project)["tensorflow-metadata"] == "1.17.3"
    assert warm_poetry.call("tf", "check").stdout.startswith("All set! ")


@pytest.mark.sample
@pytest.mark.parametrize("series", ["2.20", "2.21"])
def test_what_tensorflow_no_longer_brings_is_required(
    warm_poetry: PoetryRunner, project: Path, index: LocalIndex, series: str
) -> None:
    index.add("tensorboard", "2.20.0")
    write(project, "tensorflow\ntensorboard\n", "requirements.txt")
    done = warm_poetry.call(
        *("tf", "init", "-n", "--from", "requirements.txt", "--tensorflow", series)
    )
    assert done.ok, done.output
    is_required = "tensorboard" in dependencies(project)
    assert is_required == (series == "2.21"), dependencies(project)


@pytest.mark.slow
def test_what_becomes_of_a_line_is_said_once(warm_poetry: PoetryRunner, project: Path) -> None:
    lines = "tensorflow==2.15.*\nnowhere @ file:///build/nowhere.whl\nquiet @ file:///q.whl\n"
    write(project, lines, "requirements.txt")
    shown = warm_poetry.call("tf", "init", "-n", "--dry-run", "--from", "requirements.txt")
    done = warm_poetry.call("tf", "init", "-n", "--from", "requirements.txt")
    assert done.ok, done.output
    stderr, (*left, end) = done.stderr.splitlines(), shown.stderr.splitlines()
    assert end == "Nothing was written (--dry-run)."
    assert stderr[-5:] == left[-5:]
    assert stderr[stderr.index("Left for you to decide:") + 1 :] == [
        "requirements.txt:2 nowhere @ file:///build/nowhere.whl",
        "    PyPI has no package of this name",
        "requirements.txt:3 quiet @ file:///q.whl",
        "    a file on one machine: PyPI's package of this name is used instead",
    ]


@pytest.mark.slow
def test_a_long_look_up_says_how_far_it_is(
    warm_poetry: PoetryRunner, project: Path, pypi: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "_TELL_LOOKUP_SECONDS", 0.001)
    pypi.delay = 0.05
    write(project, "tensorflow==2.15.*\nquiet\n", "requirements.txt")
    done = warm_poetry.call("tf", "init", "-n", "--from", "requirements.txt")
    assert done.ok, done.output
    assert re.search(r"Looked up [01] of [01]$", done.stderr, re.MULTILINE)


def test_an_index_that_fails_is_told_with_the_package_that_was_asked_for(
    poetry: PoetryRunner, project: Path
) -> None:
    poetry.pypi = "http://127.0.0.1:9/"
    write(project, "tensorflow==2.15.*\nquiet\n", "requirements.txt")
    done = poetry.call("tf", "init", "-n", "--from", "requirements.txt", "--mirror", "off")
    assert done.returncode == 1
    assert "looking up quiet: " in done.stderr
    assert [path.name for path in project.iterdir()] == ["requirements.txt"]


@pytest.mark.slow
def test_an_address_that_cannot_be_read_is_left_to_the_user(
    warm_poetry: PoetryRunner, project: Path, pypi: Mount
) -> None:
    gone = "http://127.0.0.1:9/gone-1.0-py3-none-any.whl"
    clone = "git+https://127.0.0.1:9/of/clone"
    there = f"{pypi.root}packages/slow_date-1.0-py3-none-any.whl"
    lines = f"tensorflow==2.15.*\ngone @ {gone}\nclone @ {clone}\nslow-date @ {there}\nquiet\n"
    write(project, lines, "requirements.txt")
    done = warm_poetry.call("tf", "init", "-n", "--from", "requirements.txt")
    assert done.ok, done.output
    assert "Reading gone from its address" in done.stderr
    stderr = done.stderr.splitlines()
    for line, text in ((2, f"gone @ {gone}"), (3, f"clone @ {clone}")):
        reason = stderr[stderr.index(f"requirements.txt:{line} {text}") + 1]
        assert re.fullmatch(r"    its address can't be read \(.+\): add it .+", reason), reason
    assert {f"slow-date @ {there}", "quiet"} <= {*dependencies(project)}
    assert {"slow-date", "quiet"} <= locked(project).keys()
    assert {"gone", "clone"}.isdisjoint(locked(project))
    assert warm_poetry.call("check", "--lock", plugins=False).ok


@pytest.mark.slow
def test_an_export_keeps_what_nothing_else_needs(warm_poetry: PoetryRunner, project: Path) -> None:
    packages = ["python=3.10.9=h7a1cb2a_2", "tensorflow=2.12.0=py310_0", "quiet=1.0=py_0"]
    packages += ["slow-date=1.0=py_0", "numpy=1.23.5=py310_0", "openssl=1.1.1n=h166bdaf_0"]
    packages += ["zlib=1.2.13=h5eee18b_1", "xz=5.6.4=h5eee18b_1", "tk=8.6.14=h39e8969_0"]
    packages += ["pip=25.0=py310h06a4308_0", "keras=2.12.0=py310_0", "grpcio=1.48.2=py310_0"]
    write(project, "dependencies:\n" + "".join(f"- {item}\n" for item in packages))
    done = warm_poetry.call("tf", "init", "-n", "--from", "environment.yml")
    assert done.ok, done.output
    assert "From environment.yml, an export of an environment, 12 packages:" in done.stdout
    assert "  Installed by the others, and in the lock file (2): slow-date, grpcio" in done.stdout
    tensorflow, quiet, numpy, *_ = dependencies(project)
    assert tensorflow.startswith("tensorflow (>=2.12.0,<2.13")
    assert quiet == "quiet (==1.0)"
    assert numpy.startswith("numpy (")
    assert locked(project)["slow-date"] == "1.0"


@pytest.mark.slow
def test_what_others_bring_is_locked_in_the_version_of_an_export(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    frozen = ["tensorflow==2.15.1", "lively==1.1", "slow-date==1.0", "quiet==2.0"]
    names = ("absl-py", "astunparse", "gast", "grpcio", "h5py", "six", "termcolor", "wrapt")
    frozen += [f"{name}==0.0.1" for name in names]  # which the index does not have
    write(project, "\n".join(frozen[:3] + frozen[4:]), "requirements.txt")
    done = warm_poetry.call("tf", "init", "-n", "--from", "requirements.txt")
    assert done.ok, done.output
    assert "slow-date" not in "".join(dependencies(project))
    assert locked(project)["slow-date"] == "1.0"
    # Of what goes with it only.
    write(project, "\n".join(frozen), "requirements.txt")
    for path in ("pyproject.toml", "poetry.lock"):
        (project / path).unlink()
    done = warm_poetry.call("tf", "init", "-n", "--from", "requirements.txt")
    assert done.ok, done.output
    assert locked(project)["slow-date"] == "2.0"


@pytest.mark.slow
def test_what_others_bring_is_locked_within_the_constraints(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    write(project, "tensorflow==2.15.1\nlively\n-c constraints.txt\n", "requirements.txt")
    write(project, "slow-date<2\nprotobuf==99\nabsent==1\n", "constraints.txt")
    done = warm_poetry.call("tf", "init", "-n", "--from", "requirements.txt")
    assert done.ok, done.output
    assert locked(project)["slow-date"] == "1.0"
    assert "From requirements.txt, 2 packages and 3 constraints:" in done.stdout
    assert "  Constraints on what the others bring, followed in the lock file (1): slow-date" in (
        done.stdout
    )
    assert "  Not needed by any locked package (1): absent" in done.stdout
    assert "constraints.txt:2 protobuf==99" in done.stderr
    assert warm_poetry.call("tf", "check").ok


@pytest.mark.slow
def test_what_brings_a_package_without_a_file_for_arm_is_left_out_there(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    write(project, "tensorflow==2.15.1\ngui==1.0\nquiet\n", "requirements.txt")
    done = warm_poetry.call("tf", "init", "-n", "--from", "requirements.txt")
    assert done.ok, done.output
    assert "Left out on linux-aarch64, because it has no files there: gui" in done.stdout
    assert warm_poetry.call("tf", "check").stdout.startswith("All set! ")


def test_it_is_read_from_standard_input(warm_poetry: PoetryRunner, project: Path) -> None:
    done = warm_poetry.call("tf", "init", "--from", "-", stdin="tensorflow==2.15.*\nquiet\n")
    assert done.ok, done.output
    assert "From standard input, 2 packages:" in done.stdout
    assert "quiet" in dependencies(project)
    refused = warm_poetry.call("tf", "init", "--from", "-", stdin="quiet\n==\n")
    assert refused.returncode == 1
    assert refused.stderr.startswith("Error: standard input:2:1: '==' is not a requirement")


@pytest.mark.slow
def test_an_existing_project_gets_what_it_lacks(warm_poetry: PoetryRunner, project: Path) -> None:
    assert warm_poetry.call("tf", "init", "-n", "--tensorflow", "2.15").ok
    write(project, ENVIRONMENT)
    done = warm_poetry.call("tf", "init", "-n", "--from", "environment.yml")
    assert done.ok, done.output
    assert dependencies(project)[0].startswith("tensorflow (>=2.15")
    assert "  The project's TensorFlow was kept; to change it, run `" in done.stdout
    assert {"quiet", "lively (==1.0)", "opencv-python-headless"} <= {*dependencies(project)}
    before = contents(project)
    again = warm_poetry.call("tf", "init", "-n", "--from", "environment.yml")
    assert again.ok, again.output
    assert contents(project) == before


@pytest.mark.slow
def test_a_project_in_poetrys_own_tables_gets_it_there(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    write(
        project,
        '[tool.poetry]\npackage-mode = false\n\n[tool.poetry.dependencies]\npython = "~3.10"\n'
        'tensorflow = "~2.15"\n',
        "pyproject.toml",
    )
    write(project, "lively[fast]==1.0\nquiet ; sys_platform == 'linux'\n", "requirements.txt")
    done = warm_poetry.call("tf", "init", "-n", "--from", "requirements.txt")
    assert done.ok, done.output
    text = (project / "pyproject.toml").read_text("utf-8")
    data = tomlkit.parse(text).unwrap()["tool"]["poetry"]["dependencies"]
    assert data["lively"] == {"version": "==1.0", "extras": ["fast"]}
    assert data["quiet"] == {"version": "*", "markers": 'sys_platform == "linux"'}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dependencies:\n  - python=3.9\n  - tensorflow=2.4.1\n", "environment.yml:3: TensorFlow"),
        (
            "dependencies:\n  - tensorflow=1.15\n",
            "environment.yml:2: programs for TensorFlow",
        ),
        ("dependencies:\n  - x: y\n", "environment.yml:2:5: 'x' is a key"),
    ],
)
def test_a_refusal_is_one_error_and_writes_nothing(
    warm_poetry: PoetryRunner, project: Path, text: str, expected: str
) -> None:
    write(project, text)
    before = contents(project)
    done = warm_poetry.call("tf", "init", "-n", "--from", "environment.yml")
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {expected}")
    assert "Traceback" not in done.output
    assert contents(project) == before


@pytest.mark.slow
def test_the_command_of_a_refusal_works(warm_poetry: PoetryRunner, project: Path) -> None:
    write(project, "dependencies:\n  - python=3.9\n  - tensorflow=2.4.1\n  - quiet\n")
    done = warm_poetry.call("tf", "init", "-n", "--from", "environment.yml")
    command = done.stderr.split("`")[1].removeprefix("poetry ").split()
    done = warm_poetry.call(*command, "-n")
    assert done.ok, done.output
    assert warm_poetry.call("tf", "check").stdout.startswith("All set! ")


def test_nothing_is_written_where_the_index_cannot_be_asked(
    poetry: PoetryRunner, project: Path, index: LocalIndex
) -> None:
    write(project, "tensorflow==2.15.*\nquiet\n", "requirements.txt")
    before = contents(project)
    for mount in index.mounts:
        mount.page_status = 403
    done = poetry.call("tf", "init", "-n", "--from", "requirements.txt")
    assert done.returncode == 1
    assert "Error: Could not lock the project; nothing was written" in done.stderr
    assert "Traceback" not in done.output
    assert contents(project) == before


def test_without_a_lock_nothing_is_asked(
    poetry: PoetryRunner, project: Path, index: LocalIndex
) -> None:
    write(project, ENVIRONMENT)
    done = poetry.call("tf", "init", "-n", "--no-lock", "--from", "environment.yml")
    assert done.ok, done.output
    assert index.requests == []
    assert "pandas (==1.2.4)" in dependencies(project)
    assert not (project / "poetry.lock").exists()


@pytest.mark.slow
def test_a_dry_run_shows_it_and_writes_nothing(warm_poetry: PoetryRunner, project: Path) -> None:
    write(project, ENVIRONMENT)
    before = contents(project)
    done = warm_poetry.call("tf", "init", "-n", "--dry-run", "--from", "environment.yml")
    assert done.ok, done.output
    assert "From environment.yml, 9 packages:" in done.stdout
    assert "pandas (>=1.2.4,<2)" in done.stdout, done.stdout
    assert contents(project) == before


@pytest.mark.slow
def test_a_folder_that_is_called_like_a_package_gives_the_project_another_name(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    write(project, "tensorflow==2.15.*\nquiet\n", "requirements.txt")
    folder = project / "quiet"
    folder.mkdir()
    done = warm_poetry.call("tf", "init", "-n", "--from", "../requirements.txt", cwd=folder)
    assert done.ok, done.output
    assert 'name = "quiet-project"' in (folder / "pyproject.toml").read_text("utf-8")
    again = warm_poetry.call("tf", "init", "-n", "--from", "../requirements.txt", cwd=folder)
    assert "Nothing to change" in again.stdout


@pytest.mark.sample
@pytest.mark.parametrize("name", ["environment.yml", "requirements.txt"])
def test_a_list_beside_a_new_project_is_mentioned(
    warm_poetry: PoetryRunner, project: Path, name: str
) -> None:
    write(project, "tensorflow==2.15.*\nquiet\n", name)
    done = warm_poetry.call("tf", "init", "-n", "--no-lock")
    run = f"poetry tf init --from {name}"
    assert f"Add the packages of {name} (the project's TensorFlow stays): {run}" in done.stdout
    assert f"Nothing is taken from {name}: `{run}` takes its packages" in done.stderr
    again = warm_poetry.call("tf", "init", "-n", "--no-lock")
    assert "--from" not in again.output, "said once, where the project was made"


@pytest.mark.index
def test_what_has_its_source_only_is_asked_for_what_it_requires(
    real_poetry: PoetryRunner, project: Path
) -> None:
    """By way of the mirror too: in an empty folder Poetry would find no project to go by."""
    write(project, "tensorflow==2.15.*\njsmin\n", "requirements.txt")
    done = real_poetry.call("tf", "init", "-n", "--from", "requirements.txt")
    assert done.ok, done.output
    assert "jsmin has no wheel: reading what its source requires" in done.stderr
    assert "jsmin" in locked(project)
