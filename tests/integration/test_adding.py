"""`poetry add NAME` writes the version that goes with the locked TensorFlow."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomlkit
from packaging.utils import canonicalize_name
from poetry.core.constraints.version import parse_constraint

from poetry_tf.hooks.candidates import ReleaseDemand
from poetry_tf.hooks.companions import source_builds
from tests.support.index import Distribution, LocalIndex
from tests.support.poetry import KNOWS_DEPENDENCY_GROUPS, PoetryRunner, locked, write_pyproject
from tests.support.projects import contents, restore
from tests.support.tensorflow import add_tensorflow

NATIVE = ("cp311-cp311-manylinux2014_x86_64",)
SETTINGS = '\n[tool.poetry-tf]\nenvironments = ["linux-x86_64"]\ngpu = "none"\n'


def everything() -> Iterator[Distribution]:
    # TensorFlow 2.15 requires numpy <2.0.0 in the made-up index too.
    yield Distribution("frames", "1.0", ("numpy >=1.23.5",))
    yield Distribution("frames", "1.5", ("numpy >=1.23.5",))
    yield Distribution("frames", "2.0", ("numpy >=2.0.0",))
    yield Distribution("frames", "2.1", ("numpy >=2.0.0",))
    yield Distribution("behind", "1.0")
    yield Distribution("behind", "2.0", ("frames >=2.0",))
    yield Distribution("newer-python", "1.0", requires_python=">=3.8")
    yield Distribution("newer-python", "2.0", requires_python=">=3.12")
    # A version that fits TensorFlow, and has no wheel for this Python, though the newest one has.
    yield Distribution("native", "1.0", ("numpy >=1.23.5",), tags=NATIVE)
    yield Distribution("native", "1.5", ("numpy >=1.23.5",), tags=("cp312-cp312-win_amd64",))
    yield Distribution("native", "2.0", ("numpy >=2.0.0",), tags=NATIVE)
    yield Distribution("only-new", "1.0", ("numpy >=2.0.0",))
    yield Distribution("simple", "3.2")
    yield Distribution("compiled", "1.0", tags=("cp311-cp311-win_amd64",), sdist=True)
    yield Distribution("needs-compiled", "1.0", ("compiled",))
    # The newest is for later Pythons, and the one between needs another numpy.
    yield Distribution("between", "1.0", ("numpy >=1.23.5",))
    yield Distribution("between", "1.5", ("numpy >=2.0.0",))
    yield Distribution("between", "2.0", requires_python=">=3.12")
    yield Distribution(
        "for-macs", "1.0", ("numpy >=2.0.0",), tags=("cp311-cp311-macosx_12_0_arm64",)
    )
    yield Distribution("bs4", "0.0.2", ("beautifulsoup4",))
    yield Distribution("beautifulsoup4", "4.15.0")
    yield Distribution("sklearn", "0.0")
    # With the protobuf of TensorFlow 2.15 the newest metadata can't be imported.
    for version in ("1.17.3", "1.21.0"):
        yield Distribution("tensorflow-metadata", version, ("protobuf >=3.20.3",))
    yield Distribution("tensorflow-datasets", "4.9.10", ("tensorflow-metadata",))
    yield Distribution("reader-of-datasets", "1.0", ("tensorflow-datasets",))
    yield Distribution("new-metadata", "1.0", ("tensorflow-metadata >=1.21",))


@pytest.fixture(scope="module")
def frames() -> Iterator[LocalIndex]:
    with LocalIndex() as index:
        add_tensorflow(index)
        index.extend(everything())
        yield index


@pytest.fixture(scope="module")
def cache_of_frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache-of-frames")


FILES: dict[str, dict[str, bytes]] = {}
"""The files of `project_of`, by what is in its pyproject.toml."""


@pytest.fixture
def with_2_15(poetry: PoetryRunner, frames: LocalIndex, cache_of_frames: Path) -> PoetryRunner:
    poetry.pypi, poetry.cache = frames.mount("pypi", api=True).root, cache_of_frames
    return project_of(poetry, SETTINGS)


def project_of(poetry: PoetryRunner, more: str) -> PoetryRunner:
    """A locked project on TensorFlow 2.15."""
    if more not in FILES:
        requires = ["tensorflow (>=2.15.1,<2.16.0)", "setuptools (<82)"]
        write_pyproject(poetry.project, requires, requires_python="~=3.11.0", more=more)
        done = poetry.call("lock")
        assert done.ok, done.output
        FILES[more] = contents(poetry.project)
    restore(poetry.project, FILES[more])
    return poetry


def text(poetry: PoetryRunner) -> str:
    return (poetry.project / "pyproject.toml").read_text("utf-8")


def told(stderr: str) -> list[str]:
    """The lines of ours, without that it looks for versions."""
    lines = [line for line in stderr.splitlines() if line.startswith("poetry-tf: ")]
    return [line for line in lines if "Looking for versions" not in line]


@pytest.mark.parametrize(
    ("name", "constraint", "line"),
    [
        (
            "frames",
            ">=1.5,<2.0",
            "frames 1.5: 2.1 needs numpy >=2.0.0, TensorFlow 2.15 numpy <2",
        ),
        (
            "behind",
            ">=1.0,<2.0",
            "behind 1.0: 2.0 needs frames 2.1, which needs numpy >=2.0.0, TensorFlow 2.15 numpy <2",
        ),
        (
            "newer-python",
            ">=1.0,<2.0",
            "newer-python 1.0: 2.0 needs Python >=3.12, the project Python >=3.11.0,<3.12.0",
        ),
        (
            "native",
            ">=1.0,<1.5",
            "native 1.0: 2.0 needs numpy >=2.0.0, TensorFlow 2.15 numpy <2",
        ),
        ("numpy", None, "TensorFlow 2.15 needs numpy"),
        (
            "between",
            ">=1.0,<2.0",
            "between 1.0: 1.5 needs numpy >=2.0.0, TensorFlow 2.15 numpy <2",
        ),
    ],
    ids=["itself", "what it needs", "its Python", "no wheel", "what TensorFlow needs", "between"],
)
@pytest.mark.sample("itself", "no wheel", "its Python", "between")
def test_the_version_that_fits_is_taken_and_why_is_said(
    with_2_15: PoetryRunner, name: str, constraint: str | None, line: str
) -> None:
    done = with_2_15.call("add", "--lock", name)
    assert done.ok, done.output
    (said,) = told(done.stderr)
    assert line in said, said
    if constraint is not None:
        assert f'"{name} ({constraint})"' in text(with_2_15).replace(".0.0)", ".0)")
    checked = with_2_15.call("tf", "check")
    assert "TF501" in checked.output and checked.output.count("TF") == checked.output.count(
        "TF501"
    ), "only the container is missing"


@pytest.mark.parametrize(
    "options", [[], ["--group", "dev"], ["--markers", "sys_platform == 'linux'"]], ids=str
)
@pytest.mark.sample
def test_the_files_are_those_of_adding_the_constraint_by_hand(
    with_2_15: PoetryRunner, options: list[str]
) -> None:
    done = with_2_15.call("add", "--lock", *options, "frames", "simple")
    assert done.ok, done.output
    by_itself = contents(with_2_15.project)
    restore(with_2_15.project, FILES[SETTINGS])
    done = with_2_15.call("add", "--lock", *options, "frames@^1.5", "simple")
    assert done.ok, done.output
    assert contents(with_2_15.project) == by_itself


def test_where_the_newest_fits_poetry_goes_its_own_way(
    with_2_15: PoetryRunner, frames: LocalIndex
) -> None:
    done = with_2_15.call("add", "--lock", "simple")
    assert done.ok, done.output
    assert done.stdout.count("Resolving dependencies") == 1
    assert not told(done.stderr) and "Looking" not in done.stderr
    assert "simple (>=3.2,<4.0)" in text(with_2_15)


@pytest.mark.slow
def test_a_version_that_the_user_wrote_stays(with_2_15: PoetryRunner) -> None:
    before = contents(with_2_15.project)
    done = with_2_15.call("add", "--lock", "frames@^2.0")
    assert done.returncode == 1
    assert contents(with_2_15.project) == before
    lines = [line.strip() for line in done.stderr.splitlines()]
    assert "frames >=2.0,<3.0 conflicts with what the project requires." in lines
    assert "frames 2.1 needs numpy >=2.0.0, TensorFlow 2.15 numpy <2." in lines
    assert "pyproject.toml:6: tensorflow >=2.15.1,<2.16.0" in lines
    assert "Another version fits: poetry add frames@^1.5" in lines
    assert "TensorFlow 2.18 fits it: poetry tf upgrade 2.18, then add it again." in lines
    for command in (["add", "--lock", "frames@^1.5"], ["tf", "upgrade", "-n", "2.18"]):
        advised = with_2_15.call(*command)
        assert advised.ok, advised.output
    advised = with_2_15.call("add", "--lock", "frames@^2.0")
    assert advised.ok, advised.output


@pytest.mark.slow
def test_where_nothing_fits_it_is_said_what_would_help(with_2_15: PoetryRunner) -> None:
    before = contents(with_2_15.project)
    done = with_2_15.call("add", "--lock", "only-new", "simple")
    assert done.returncode == 1
    assert contents(with_2_15.project) == before
    assert "only-new 1.0 needs numpy >=2.0.0, TensorFlow 2.15 numpy <2." in done.stderr
    assert "TensorFlow 2.18 fits it: poetry tf upgrade 2.18" in done.stderr
    assert "tf check --fix" not in done.stderr, "a hint that has nothing to do with it"


@pytest.mark.slow
def test_a_move_is_not_advised_whose_lock_cannot_be_installed(with_2_15: PoetryRunner) -> None:
    done = with_2_15.call("add", "--lock", "for-macs")
    assert done.returncode == 1
    assert "fits it" not in done.stderr
    assert "No lock with TensorFlow 2.18, 2.19 and 2.20 passes poetry tf check." in done.stderr


@pytest.mark.slow
def test_another_tensorflow_that_others_hold_back_is_for_upgrade(with_2_15: PoetryRunner) -> None:
    poetry = with_2_15
    aarch64 = 'sys_platform == "linux" and platform_machine == "aarch64"'
    requires = [
        "tensorflow (>=2.13.1,<2.14.0)",
        f"tensorflow-cpu-aws (>=2.13.1,<2.14.0) ; {aarch64}",
        "setuptools (<82)",
    ]
    more = '\n[tool.poetry-tf]\ngpu = "none"\n'
    write_pyproject(poetry.project, requires, requires_python="~=3.11.0", more=more)
    (poetry.project / "poetry.lock").unlink()
    assert poetry.call("lock").ok
    before = contents(poetry.project)
    done = poetry.call("add", "--lock", "tensorflow@~2.15")
    assert done.returncode == 1 and contents(poetry.project) == before
    assert "poetry tf upgrade 2.15" in done.stderr and "version solving failed" not in done.stderr
    assert poetry.call("tf", "upgrade", "-n", "2.15").ok


@pytest.mark.slow
def test_what_is_lost_is_said_as_it_is(with_2_15: PoetryRunner) -> None:
    done = with_2_15.call("add", "--lock", "tensorflow@~2.21")
    assert done.ok, done.output
    assert ("poetry-tf: removed setuptools (<82) from pyproject.toml, as no longer needed") in told(
        done.stderr
    )


COMPILED = (
    "poetry-tf: compiled 1.0 has no wheel for linux-x86_64: installing it there needs a compiler "
    "and the libraries that it uses"
)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["compiled", "needs-compiled"])
def test_what_is_built_from_source_is_said(with_2_15: PoetryRunner, name: str) -> None:
    done = with_2_15.call("add", "--lock", name)
    assert done.ok, done.output
    assert told(done.stderr) == [COMPILED]
    again = with_2_15.call("add", "--lock", "simple")
    assert again.ok and not told(again.stderr), "what was locked before is not said again"


def test_what_has_no_wheel_at_all_is_said_only_of_what_was_added(with_2_15: PoetryRunner) -> None:
    path = with_2_15.project / "poetry.lock"
    text = path.read_text("utf-8")
    package = (
        '[[package]]\nname = "source-only"\nversion = "1.0"\noptional = false\n'
        'python-versions = "*"\ngroups = ["main"]\n'
        'files = [{file = "source_only-1.0.tar.gz", hash = "sha256:00"}]\n\n'
    )
    path.write_text(text.replace("[[package]]", f"{package}[[package]]", 1), "utf-8")
    demand = ReleaseDemand(parse_constraint(">=3.11,<3.12"), ("linux-x86_64",))
    name = canonicalize_name("source-only")
    (line,) = source_builds(with_2_15.project, demand, {name}, ())
    assert line.startswith("source-only 1.0 has no wheel for linux-x86_64")
    assert line.endswith("unless it is pure Python")
    assert not [*source_builds(with_2_15.project, demand, (), ())]


@pytest.mark.slow
def test_several_names_are_solved_together_each_with_its_reason(with_2_15: PoetryRunner) -> None:
    done = with_2_15.call("add", "--lock", "frames", "simple", "newer-python")
    assert done.ok, done.output
    assert [line.split(": ")[1] for line in told(done.stderr)] == ["frames 1.5", "newer-python 1.0"]
    assert locked(with_2_15.project)["simple"] == "3.2"


@pytest.mark.slow
@pytest.mark.parametrize("table", ["legacy", "groups"])
def test_in_other_tables(with_2_15: PoetryRunner, table: str) -> None:
    if table == "groups" and not KNOWS_DEPENDENCY_GROUPS:
        pytest.skip("this Poetry reads no [dependency-groups]")
    path = with_2_15.project / "pyproject.toml"
    if table == "groups":
        path.write_text(f"{path.read_text('utf-8')}\n[dependency-groups]\ndev = []\n", "utf-8")
    else:
        path.write_text(
            '[tool.poetry]\nname = "example"\nversion = "0.1.0"\ndescription = ""\nauthors = []\n'
            'package-mode = false\n\n[tool.poetry.dependencies]\npython = "~3.11"\n'
            f'tensorflow = "~2.15.1"\nsetuptools = "<82"\n{SETTINGS}',
            "utf-8",
        )
    assert with_2_15.call("lock").ok
    options = ["--group", "dev"] if table == "groups" else []
    done = with_2_15.call("add", "--lock", *options, "frames")
    assert done.ok, done.output
    wanted = 'frames = "^1.5"' if table == "legacy" else '"frames (>=1.5,<2.0)"'
    assert wanted in path.read_text("utf-8")
    assert with_2_15.call("check", "--lock", plugins=False).ok


@pytest.mark.slow
def test_a_dry_run_writes_nothing(with_2_15: PoetryRunner) -> None:
    before = contents(with_2_15.project)
    done = with_2_15.call("add", "--lock", "--dry-run", "frames")
    assert done.ok, done.output
    assert contents(with_2_15.project) == before


def test_a_project_that_is_not_managed_is_poetrys_alone(with_2_15: PoetryRunner) -> None:
    path = with_2_15.project / "pyproject.toml"
    path.write_text(path.read_text("utf-8").replace(SETTINGS, ""), "utf-8")
    done = with_2_15.call("add", "--lock", "frames")
    assert done.returncode == 1
    assert "Looking for versions" not in done.stderr


KERAS = "(>=2.18,<2.19)"


# -- companions -----------------------------------------------------------------------------


@pytest.mark.sample
@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("tensorflow-probability", "tensorflow-probability (>=0.23.0,<0.24.0)"),
        ("tensorflow-text", "tensorflow-text (>=2.15.0,<2.16.0)"),
        ("tf-keras", "tf-keras (>=2.15.1,<2.16.0)"),
    ],
)
def test_a_companion_gets_the_release_for_this_tensorflow(
    with_2_15: PoetryRunner, name: str, written: str
) -> None:
    done = with_2_15.call("add", "--lock", name)
    assert done.ok, done.output
    assert f'"{written}' in text(with_2_15)
    checked = with_2_15.call("tf", "check")
    assert "TF105" not in checked.output and "TF304" not in checked.output


@pytest.mark.slow
def test_what_a_companion_needs_comes_with_it(
    poetry: PoetryRunner, frames: LocalIndex, cache_of_frames: Path
) -> None:
    poetry.pypi, poetry.cache = frames.mount("pypi", api=True).root, cache_of_frames
    requires = ["tensorflow (>=2.18.1,<2.19.0)", "setuptools (<82)"]
    write_pyproject(poetry.project, requires, requires_python="~=3.11.0", more=SETTINGS)
    done = poetry.call("add", "--lock", "tensorflow-probability")
    assert done.ok, done.output
    assert told(done.stderr) == ["poetry-tf: added tf-keras (>=2.18,<2.19) to pyproject.toml"]
    assert "tensorflow-probability (>=0.25.0,<0.26.0)" in text(poetry)
    assert {"tf-keras", "tensorflow-probability"} <= locked(poetry.project).keys()


@pytest.mark.slow
@pytest.mark.skipif(not KNOWS_DEPENDENCY_GROUPS, reason="it writes groups in its own tables")
@pytest.mark.parametrize(
    ("options", "added"),
    [
        (("--group", "ml"), [f"tf-keras {KERAS}"]),
        (("--optional", "ml"), [f"tf-keras {KERAS}"]),
        (("--python", "<3.11"), []),
    ],
    ids=["a group", "an extra", "a Python that the project excludes"],
)
def test_it_stands_where_the_companion_does(
    poetry: PoetryRunner,
    frames: LocalIndex,
    cache_of_frames: Path,
    options: tuple[str, ...],
    added: list[str],
) -> None:
    poetry.pypi, poetry.cache = frames.mount("pypi", api=True).root, cache_of_frames
    requires = ["tensorflow (>=2.18.1,<2.19.0)", "setuptools (<82)"]
    write_pyproject(poetry.project, requires, requires_python="~=3.11.0", more=SETTINGS)
    done = poetry.call("add", "--lock", "tensorflow-probability", *options)
    assert done.ok, done.output
    written = tomlkit.parse(text(poetry)).unwrap()
    lists = {**written.get("dependency-groups", {}), **written["project"]}
    lists |= lists.pop("optional-dependencies", {})
    beside = [line for line in lists.get("ml", []) if not line.startswith("tensorflow-prob")]
    assert beside == added
    assert not any("tf-keras" in line for line in lists["dependencies"])
    assert ("tf-keras" in locked(poetry.project)) is bool(added)
    assert poetry.call("tf", "check").output.count("TF10") == 0


@pytest.mark.slow
def test_beside_two_tensorflows_a_companion_gets_a_line_for_each(
    poetry: PoetryRunner, frames: LocalIndex, cache_of_frames: Path
) -> None:
    poetry.pypi, poetry.cache = frames.mount("pypi", api=True).root, cache_of_frames
    first, second = 'python_version < "3.11"', 'python_version >= "3.11"'
    requires = [
        f"tensorflow (>=2.15.1,<2.16.0) ; {first}",
        f"tensorflow (>=2.18.1,<2.19.0) ; {second}",
        "setuptools (<82)",
    ]
    write_pyproject(poetry.project, requires, requires_python=">=3.10,<3.12", more=SETTINGS)
    done = poetry.call("add", "--lock", "tensorflow-probability")
    assert done.ok, done.output
    assert tomlkit.parse(text(poetry)).unwrap()["project"]["dependencies"][3:] == [
        f"tensorflow-probability (>=0.23.0,<0.24.0) ; {first}",
        f"tensorflow-probability (>=0.25.0,<0.26.0) ; {second}",
        f"tf-keras {KERAS} ; {second}",
    ]
    assert poetry.call("tf", "check").output.count("TF10") == 0


METADATA = "poetry-tf: added tensorflow-metadata (<1.21) to pyproject.toml"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tensorflow-datasets", "reader-of-datasets"])
def test_what_only_the_lock_shows_is_completed_too(with_2_15: PoetryRunner, name: str) -> None:
    done = with_2_15.call("add", "--lock", name)
    assert done.ok, done.output
    assert told(done.stderr) == [METADATA]
    assert locked(with_2_15.project)["tensorflow-metadata"] == "1.17.3"
    assert "TF305" not in with_2_15.call("tf", "check").output
    assert with_2_15.call("check", "--lock", plugins=False).ok
    again = with_2_15.call("add", "--lock", "frames")
    assert again.ok and METADATA not in told(again.stderr), again.output


@pytest.mark.slow
def test_what_was_found_before_is_not_changed_by_another_addition(with_2_15: PoetryRunner) -> None:
    assert with_2_15.call("add", "--lock", "tensorflow-metadata@>=1", plugins=False).ok
    assert "TF305" in with_2_15.call("tf", "check").output
    done = with_2_15.call("add", "--lock", "simple")
    assert done.ok and not told(done.stderr), done.output
    assert "TF305" in with_2_15.call("tf", "check").output


@pytest.mark.slow
def test_where_the_completed_project_has_no_solution_it_is_left_to_check(
    with_2_15: PoetryRunner,
) -> None:
    done = with_2_15.call("add", "--lock", "new-metadata", "tensorflow-datasets")
    assert done.ok, done.output
    assert "tensorflow-metadata" not in text(with_2_15)
    assert locked(with_2_15.project)["tensorflow-metadata"] == "1.21.0"
    (line,) = told(done.stderr)
    assert "admits tensorflow-metadata 1.21" in line and "poetry tf check" in line
    assert with_2_15.call("check", "--lock", plugins=False).ok


@pytest.mark.slow
def test_an_environment_without_a_wheel_of_a_companion_is_left_out(
    with_2_15: PoetryRunner,
) -> None:
    wide = SETTINGS.replace('"linux-x86_64"', '"linux-x86_64", "linux-aarch64"')
    poetry = project_of(with_2_15, wide)
    done = poetry.call("add", "--lock", "tensorflow-text")
    assert done.ok, done.output
    assert (
        "poetry-tf: tensorflow-text 2.15.0 has no wheel for linux-aarch64: its marker excludes that"
    ) in told(done.stderr)
    assert "TF304" not in poetry.call("tf", "check").output


@pytest.mark.slow
def test_a_companion_of_which_none_fits_is_refused(with_2_15: PoetryRunner) -> None:
    path = with_2_15.project / "pyproject.toml"
    path.write_text(path.read_text("utf-8").replace("2.15.1,<2.16", "2.18.1,<2.19"), "utf-8")
    assert with_2_15.call("lock").ok
    before = contents(with_2_15.project)
    done = with_2_15.call("add", "--lock", "tensorflow-addons")
    assert done.returncode == 1
    assert "No release of tensorflow-addons fits TensorFlow 2.18.1 here." in done.stderr
    assert contents(with_2_15.project) == before


def test_the_name_that_no_longer_is_tensorflow_is_stopped(with_2_15: PoetryRunner) -> None:
    before = contents(with_2_15.project)
    done = with_2_15.call("add", "--lock", "tensorflow-gpu")
    assert done.returncode == 1
    assert "tensorflow-gpu is retired" in done.stderr and "poetry add tensorflow" in done.stderr
    assert contents(with_2_15.project) == before


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        (
            "tf-keras",
            (
                "pyproject.toml:6: tensorflow >=2.13.1,<2.14.0",
                "TensorFlow 2.13 needs none: its tf.keras is Keras 2.",
                "TensorFlow 2.14 has one: poetry tf upgrade 2.14, then add it again.",
            ),
        ),
        (
            "tensorflow-text",
            (
                "pyproject.toml:4 admits these Pythons.",
                "With Python 3.10 it fits: poetry tf init --python 3.10, then add it again.",
                "TensorFlow 2.14 has one: poetry tf upgrade 2.14, then add it again.",
            ),
        ),
    ],
)
@pytest.mark.slow
def test_a_refused_companion_names_the_line_and_the_ways_out(
    with_2_15: PoetryRunner, name: str, lines: tuple[str, ...]
) -> None:
    path = with_2_15.project / "pyproject.toml"
    path.write_text(path.read_text("utf-8").replace("2.15.1,<2.16", "2.13.1,<2.14"), "utf-8")
    assert with_2_15.call("lock").ok
    done = with_2_15.call("add", "--lock", name)
    assert done.returncode == 1
    assert {*lines} <= {line.strip() for line in done.stderr.splitlines()}, done.stderr
    if name == "tensorflow-text":
        moved = with_2_15.call("tf", "init", "-n", "--python", "3.10", "--no-devcontainer")
        assert moved.ok, moved.output
        with_2_15.python_version = "3.10.9"
        shutil.rmtree(with_2_15.venv)
        added = with_2_15.call("add", "--lock", name)
        assert added.ok, added.output


@pytest.mark.sample
@pytest.mark.parametrize("argument", ["tensorflow-cpu", "tf-nightly", "tensorflow-cpu@~2.15.1"])
def test_a_second_tensorflow_is_refused_at_once(
    with_2_15: PoetryRunner, frames: LocalIndex, argument: str
) -> None:
    before = contents(with_2_15.project)
    frames.requests.clear()
    done = with_2_15.call("add", "--lock", argument)
    assert done.returncode == 1
    assert "holds the same files as tensorflow, which the project requires" in done.stderr
    assert "Looking for versions" not in done.stderr and "Resolving" not in done.stdout
    assert contents(with_2_15.project) == before


@pytest.mark.slow
def test_one_for_a_group_is_left_to_the_rules(with_2_15: PoetryRunner) -> None:
    done = with_2_15.call("add", "--lock", "--group", "cpu", "tensorflow-cpu@~2.15.1")
    assert done.ok, done.output
    assert "hold the same files" in with_2_15.call("tf", "check").output


def test_what_check_finds_of_a_companion_is_said_at_once(with_2_15: PoetryRunner) -> None:
    done = with_2_15.call("add", "--lock", "tensorflow-probability@0.25.0")
    assert done.ok, done.output
    assert "is made for TensorFlow 2.18" in done.stderr and "tf check" in done.stderr


@pytest.mark.parametrize("argument", ["sklearn", "SKLearn", "sklearn==0.0", "sklearn[all]"])
@pytest.mark.sample
def test_a_name_that_is_not_the_distributions_is_refused(
    with_2_15: PoetryRunner, frames: LocalIndex, argument: str
) -> None:
    before = contents(with_2_15.project)
    frames.requests.clear()
    done = with_2_15.call("add", "--lock", "simple", argument)
    assert done.returncode == 1
    assert "poetry add scikit-learn" in done.stderr
    assert not [request for request in frames.requests if "sklearn" in str(request)]
    assert contents(with_2_15.project) == before


def test_a_name_that_only_requires_the_other_is_added_with_a_line(with_2_15: PoetryRunner) -> None:
    done = with_2_15.call("add", "--lock", "bs4")
    assert done.ok, done.output
    assert told(done.stderr) == [
        "poetry-tf: bs4 only installs beautifulsoup4. Add that instead: poetry add beautifulsoup4"
    ]
