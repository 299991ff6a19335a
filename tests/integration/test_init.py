"""`poetry tf init` in an empty folder: what is written, and that it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tomlkit
from packaging.version import Version

from poetry_tf.releases import Release, load
from poetry_tf.releases.images import load_images
from tests.support.index import LocalIndex, Mount
from tests.support.poetry import PoetryRunner, locked
from tests.support.projects import contents, patched, read_jsonc

NEWEST = load().series[-1]
CUDA = "ghcr.io/devcontainers/features/nvidia-cuda:3"

WRITTEN = {"pyproject.toml", "poetry.toml", "poetry.lock", ".devcontainer/devcontainer.json"}

PYPROJECT_2_18 = """\
[project]
name = "project"
version = "0.1.0"
description = ""
requires-python = ">=3.12,<3.13"
dependencies = [
    "tensorflow (>=2.18.1,<2.19.0)",
    "setuptools (<82)",
]

[tool.poetry]
package-mode = false

[tool.poetry-tf]
gpu = "auto"
"""


def newest(series: str) -> Release:
    release = load().newest(series)
    assert release is not None
    return release


def pythons(release: Release) -> list[str]:
    return [minor for minor in release.pythons_on("linux-x86_64") if minor in load_images().pythons]


def pyproject(project: Path) -> dict[str, Any]:
    return tomlkit.parse((project / "pyproject.toml").read_text("utf-8")).unwrap()


def container(project: Path) -> dict[str, Any]:
    found = read_jsonc(project / ".devcontainer" / "devcontainer.json")
    assert isinstance(found, dict)
    return found


# The whole way


@pytest.mark.parametrize("series", [NEWEST, "2.13", "2.15", "2.16", "2.18"])
@pytest.mark.sample
def test_an_empty_folder_becomes_a_project_that_plain_poetry_installs(
    warm_poetry: PoetryRunner, project: Path, index: LocalIndex, series: str
) -> None:
    release = newest(series)
    python = pythons(release)[-1]
    warm_poetry.python_version = f"{python}.2"

    done = warm_poetry.call("tf", "init", "-n", "--tensorflow", series)
    assert done.ok, done.output
    assert f"TensorFlow {release.version} on Python {python}" in done.stdout
    assert set(contents(project)) == WRITTEN
    assert all(name in done.stdout for name in WRITTEN)
    # The poetry-tf of the tests is from a folder, and no container can have it from there.
    assert "  - The container has no poetry-tf" in done.stdout
    _assert_right(project, release, python)

    checked = warm_poetry.call("tf", "check")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.startswith("All set! ")

    before = contents(project)
    index.requests.clear()
    again = warm_poetry.call("tf", "init", "-n")
    assert again.ok
    assert "Nothing to change" in again.stdout
    assert (contents(project), index.requests) == (before, [])
    assert again.stderr == ""

    assert warm_poetry.call("check", "--lock", plugins=False).stdout == "All set!\n"
    dry = warm_poetry.call("install", "--dry-run", plugins=False)
    assert dry.ok, dry.output
    assert f"Installing tensorflow ({release.version})" in dry.stdout


def _without_setuptools(lines: list[str], release: Release) -> list[str]:
    """The requirements without the one that a TensorBoard before 2.21 needs."""
    if release.version >= Version("2.21"):
        return lines
    assert lines[-1] == "setuptools (<82)"
    return lines[:-1]


def _assert_right(project: Path, release: Release, python: str) -> None:
    major, minor = release.version.release[:2]
    pin = f">={release.version},<{major}.{minor + 1}.0"
    data = pyproject(project)
    assert data["project"]["requires-python"] == f">={python},<3.{int(python[2:]) + 1}"
    lines = _without_setuptools(data["project"]["dependencies"], release)
    assert all(f"({pin})" in line for line in lines)
    assert data["tool"] == {"poetry": {"package-mode": False}, "poetry-tf": {"gpu": "auto"}}
    assert (project / "poetry.toml").read_text("utf-8") == '[tf]\nmirror = "auto"\n'

    lock = (project / "poetry.lock").read_text("utf-8")
    assert "[package.source]" not in lock
    assert locked(project)["tensorflow"] == str(release.version)

    made = container(project)
    assert made["image"] == load_images().image(python)
    assert made["hostRequirements"] == {"gpu": "optional"}
    version = lock.partition(" by Poetry ")[2].split()[0]
    assert made["onCreateCommand"].endswith(f"pipx install poetry=={version}")
    pair = load().container_pair(release)
    assert pair is not None
    if pair.proven:
        assert made["features"][CUDA]["cudaVersion"] == pair.cuda
        assert made["features"][CUDA]["cudnnVersion"] == pair.cudnn
        (main, *others) = lines
        assert main == f"tensorflow ({pin})"
        # Up to 2.15 TensorFlow for the containers on Apple silicon is a distribution of its own.
        aws = 'sys_platform == "linux" and platform_machine == "aarch64"'
        expected = [f"tensorflow-cpu-aws ({pin}) ; {aws}"] if minor < 16 else []
        assert others == expected
        assert locked(project).get("tensorflow-cpu-aws") == (
            str(release.version) if others else None
        )
    else:
        assert CUDA not in made.get("features", {})
        _assert_wheels(lines, release)


def _assert_wheels(dependencies: list[str], release: Release) -> None:
    """Two complementary requirements: CUDA's wheels where they exist, none elsewhere."""
    major, minor = release.version.release[:2]
    pin = f"({f'>={release.version},<{major}.{minor + 1}.0'})"
    assert dependencies == [
        f'tensorflow[and-cuda] {pin} ; sys_platform == "linux" and platform_machine == "x86_64"',
        f'tensorflow {pin} ; sys_platform != "linux" or platform_machine != "x86_64"',
    ]


def test_2_13_gets_the_pair_that_it_was_tested_with(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    assert warm_poetry.call("tf", "init", "-n", "--tensorflow", "2.13").ok
    options = container(project)["features"][CUDA]
    assert (options["cudaVersion"], options["cudnnVersion"]) == ("11.8", "8.6.0.163")


def test_without_any_option_it_is_the_newest(warm_poetry: PoetryRunner, project: Path) -> None:
    assert warm_poetry.call("tf", "init", "-n").ok
    assert locked(project)["tensorflow"] == str(newest(NEWEST).version)


def test_the_pyproject_that_a_new_project_gets(warm_poetry: PoetryRunner, project: Path) -> None:
    assert warm_poetry.call("tf", "init", "-n", "--tensorflow", "2.18").ok
    assert (project / "pyproject.toml").read_bytes().decode() == PYPROJECT_2_18


@pytest.mark.parametrize(
    ("folder", "name"), [("My Model_v2.1", "my-model-v2-1"), ("模型", "tensorflow-project")]
)
def test_any_folder_gives_a_valid_name(
    warm_poetry: PoetryRunner, tmp_path: Path, folder: str, name: str
) -> None:
    project = tmp_path / folder
    project.mkdir()
    done = warm_poetry.call("tf", "init", "-n", "--no-lock", cwd=project)
    assert done.ok, done.output
    assert ("The project is named tensorflow-project" in done.stderr) == (folder == "模型")
    assert pyproject(project)["project"]["name"] == name
    assert warm_poetry.call("check", cwd=project, plugins=False).ok


def test_other_files_in_the_folder_stay(warm_poetry: PoetryRunner, project: Path) -> None:
    (project / "train.py").write_text("import tensorflow\n", "utf-8")
    (project / "poetry.toml").write_text("# ours\n[virtualenvs]\nin-project = true\n", "utf-8")
    assert warm_poetry.call("tf", "init", "-n", "--tensorflow", "2.18").ok
    assert (project / "train.py").read_text("utf-8") == "import tensorflow\n"
    settings = (project / "poetry.toml").read_text("utf-8")
    assert settings.startswith("# ours\n[virtualenvs]\nin-project = true\n")
    assert tomlkit.parse(settings).unwrap()["tf"] == {"mirror": "auto"}
    assert warm_poetry.call("tf", "check").ok


# --tensorflow


def test_a_release_can_be_named(warm_poetry: PoetryRunner, project: Path) -> None:
    assert warm_poetry.call("tf", "init", "-n", "--tensorflow", "2.18.0", "--no-lock").ok
    assert pyproject(project)["project"]["dependencies"] == [
        "tensorflow (>=2.18.0,<2.19.0)",
        "setuptools (<82)",
    ]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("two", "'two' is not a version of TensorFlow"),
        ("2", "2 is not a series of TensorFlow"),
        ("2.16.0", "There is no TensorFlow 2.16.0"),
        ("9.9", "Unknown TensorFlow 9.9; the newest on the index is "),
        ("2.4.1", "TensorFlow 2.4.1 is older than the releases that poetry-tf supports"),
        ("1.15", "TensorFlow 1.15 is older than the releases that poetry-tf supports"),
        ("2.22", "Unknown TensorFlow 2.22; the newest on the index is "),
        ("2.22.0rc0", "TensorFlow 2.22.0rc0 is a release candidate"),
    ],
)
def test_a_tensorflow_that_cannot_be_had_is_one_error(
    warm_poetry: PoetryRunner, project: Path, wanted: str, expected: str
) -> None:
    refused = warm_poetry.call("tf", "init", "-n", "--tensorflow", wanted)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"Error: {expected}")
    assert len(refused.stderr.splitlines()) == 2, "what is wrong, and what to do"
    assert contents(project) == {}


# --python


def test_a_python_that_fits_is_taken(warm_poetry: PoetryRunner, project: Path) -> None:
    done = warm_poetry.call("tf", "init", "-n", "--tensorflow", "2.18", "--python", "3.10")
    assert done.ok, done.output
    assert pyproject(project)["project"]["requires-python"] == ">=3.10,<3.11"
    assert container(project)["image"] == load_images().image("3.10")
    assert warm_poetry.call("tf", "check").ok


def test_the_newest_tensorflow_with_wheels_is_taken_for_a_python(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    assert warm_poetry.call("tf", "init", "-n", "--python", "3.12", "--no-lock").ok
    assert warm_poetry.call("tf", "init", "-n", "--python", "3.12", "--no-lock").ok
    fits = [r for r in load().releases if "3.12" in r.pythons_on("linux-x86_64")]
    (line,) = pyproject(project)["project"]["dependencies"]
    assert f"(>={fits[-1].version}," in line


@pytest.mark.parametrize(
    ("python", "expected", "remedy"),
    [
        ("3.9", "No dev container can be made for Python 3.9", "--python 3.12"),
        ("3.13", "TensorFlow 2.18.1 has no wheel for Python 3.13", "can have 3.10, 3.11 and"),
        ("3.7", "TensorFlow 2.18.1 has no wheel for Python 3.7", "can have 3.10, 3.11 and"),
        ("four", "--python: 'four' is not a Python version", "such as 3.11"),
        ("3.11.4", "--python: '3.11.4' is not a Python version", "such as 3.11"),
    ],
)
def test_a_python_that_does_not_fit_is_refused_with_the_one_to_take(
    warm_poetry: PoetryRunner, project: Path, python: str, expected: str, remedy: str
) -> None:
    refused = warm_poetry.call("tf", "init", "-n", "--tensorflow", "2.18", "--python", python)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"Error: {expected}")
    assert remedy in refused.stderr
    assert contents(project) == {}


def test_python_3_9_is_refused_for_the_reason_that_no_container_has_it(
    warm_poetry: PoetryRunner,
) -> None:
    refused = warm_poetry.call("tf", "init", "-n", "--tensorflow", "2.13", "--python", "3.9")
    assert "Poetry that can lock" in refused.stderr
    assert "--python 3.11" in refused.stderr


def test_without_a_container_python_3_9_is_possible(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    options = ["--tensorflow", "2.13", "--python", "3.9", "--no-devcontainer"]
    done = warm_poetry.call("tf", "init", "-n", *options)
    assert done.ok, done.output
    assert set(contents(project)) == WRITTEN - {".devcontainer/devcontainer.json"}
    assert pyproject(project)["project"]["requires-python"] == ">=3.9,<3.10"
    assert locked(project)["tensorflow"] == "2.13.1"
    assert warm_poetry.call("tf", "check").stdout.startswith("All set! ")


# --gpu


@pytest.mark.slow
def test_system_installs_cuda_in_the_container_and_tells_that_it_is_unproven(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    done = warm_poetry.call("tf", "init", "-n", "--tensorflow", "2.16", "--gpu", "system")
    assert done.ok, done.output
    assert "TensorFlow 2.16.2 is not proven to find the GPU" in done.stderr
    pair = load().container_pair(newest("2.16"))
    assert pair is not None and not pair.proven
    assert container(project)["features"][CUDA]["cudnnVersion"] == pair.cudnn
    assert pyproject(project)["tool"]["poetry-tf"] == {"gpu": "system"}
    assert warm_poetry.call("tf", "check").ok


@pytest.mark.slow
def test_pip_takes_tensorflows_own_cuda_wheels(warm_poetry: PoetryRunner, project: Path) -> None:
    done = warm_poetry.call("tf", "init", "-n", "--tensorflow", "2.18", "--gpu", "pip")
    assert done.ok, done.output
    lines = pyproject(project)["project"]["dependencies"]
    _assert_wheels(_without_setuptools(lines, newest("2.18")), newest("2.18"))
    assert CUDA not in container(project).get("features", {})
    assert container(project)["hostRequirements"] == {"gpu": "optional"}
    assert any(name.startswith("nvidia-cudnn") for name in locked(project))
    assert warm_poetry.call("tf", "check").ok


def test_pip_is_refused_where_there_are_no_such_wheels(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    refused = warm_poetry.call("tf", "init", "-n", "--tensorflow", "2.13", "--gpu", "pip")
    assert refused.returncode == 1
    assert "Error: TensorFlow 2.13.1 has no and-cuda wheels" in refused.stderr
    assert "2.14" in refused.stderr
    assert contents(project) == {}


@pytest.mark.slow
def test_pip_takes_a_python_that_the_cuda_wheels_exist_for(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    release = newest("2.14")
    assert release.and_cuda is not None
    assert release.and_cuda.pythons[-1] != pythons(release)[-1], "else this shows nothing"
    assert warm_poetry.call("tf", "init", "-n", "--tensorflow", "2.14", "--gpu", "pip").ok
    python = release.and_cuda.pythons[-1]
    assert container(project)["image"] == load_images().image(python)
    assert pyproject(project)["project"]["requires-python"].startswith(f">={python},")
    assert warm_poetry.call("tf", "check").ok


@pytest.mark.slow
def test_none_leaves_cuda_out(warm_poetry: PoetryRunner, project: Path) -> None:
    done = warm_poetry.call("tf", "init", "-n", "--tensorflow", "2.18", "--gpu", "none")
    assert done.ok
    assert ", on the CPU" in done.stdout
    made = container(project)
    assert "hostRequirements" not in made and CUDA not in made.get("features", {})
    assert not any(name.startswith("nvidia") for name in locked(project))
    assert warm_poetry.call("tf", "check").ok


def test_another_gpu_mode_is_refused(warm_poetry: PoetryRunner, project: Path) -> None:
    refused = warm_poetry.call("tf", "init", "-n", "--gpu", "rocm")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "--gpu: 'rocm' is not a GPU mode" in refused.stderr
    assert "auto, system, pip, none" in refused.stderr
    assert contents(project) == {}


@pytest.mark.parametrize("series", ["2.13", "2.18"])
@pytest.mark.parametrize("second", ["system", "none", "auto"])
@pytest.mark.slow
def test_the_gpu_mode_can_be_changed_later(
    warm_poetry: PoetryRunner, project: Path, series: str, second: str
) -> None:
    first = "none" if second == "system" else "pip" if series == "2.18" else "system"
    assert warm_poetry.call("tf", "init", "-n", "--tensorflow", series, "--gpu", first).ok
    done = warm_poetry.call("tf", "init", "-n", "--gpu", second)
    assert done.ok, done.output
    assert pyproject(project)["tool"]["poetry-tf"] == {"gpu": second}
    checked = warm_poetry.call("tf", "check")
    assert checked.ok, checked.output
    if second != "auto":
        assert not any("and-cuda" in line for line in pyproject(project)["project"]["dependencies"])


@pytest.mark.sample
@pytest.mark.parametrize(
    ("mirror", "gpu", "is_said"),
    [("aliyun", "system", True), ("off", "system", False), ("aliyun", "pip", False)],
)
def test_with_a_mirror_in_china_it_says_what_needs_no_other_source(
    warm_poetry: PoetryRunner, mirror: str, gpu: str, is_said: bool
) -> None:
    options = ["--tensorflow", "2.18", "--gpu", gpu, "--mirror", mirror, "--no-lock"]
    done = warm_poetry.call("tf", "init", "-n", *options)
    assert done.ok, done.output
    assert ("init --gpu pip needs neither" in done.stdout) == is_said


# --mirror, --write-source


@pytest.mark.parametrize("mirror", ["off", "bfsu", "https://pypi.example.org/simple/"])
def test_the_mirror_setting_is_written_as_asked(
    warm_poetry: PoetryRunner, project: Path, mirror: str
) -> None:
    options = ["--mirror", mirror, "--no-lock"]
    assert warm_poetry.call("tf", "init", "-n", *options).ok
    settings = tomlkit.parse((project / "poetry.toml").read_text("utf-8")).unwrap()
    assert settings == {"tf": {"mirror": mirror}}


@pytest.mark.parametrize("mirror", ["tsinghua university", "ftp://mirror.example.org/"])
def test_a_mirror_that_means_nothing_is_refused(
    warm_poetry: PoetryRunner, project: Path, mirror: str
) -> None:
    refused = warm_poetry.call("tf", "init", "-n", "--mirror", mirror)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"{mirror!r} is not a mirror" in refused.stderr
    assert "tuna" in refused.stderr
    assert contents(project) == {}


def test_off_locks_without_a_word_on_mirrors(warm_poetry: PoetryRunner, project: Path) -> None:
    done = warm_poetry.call("tf", "init", "-n", "--mirror", "off")
    assert done.ok
    assert done.stderr == ""


@pytest.mark.parametrize("mirror", ["./wheels", "./wheels,tuna"])
def test_write_source_refuses_a_folder(
    warm_poetry: PoetryRunner, project: Path, mirror: str
) -> None:
    before = contents(project)
    done = warm_poetry.call("tf", "init", "-n", "--mirror", mirror, "--write-source", "--no-lock")
    assert done.returncode == 1
    assert "--write-source can't write the folder ./wheels: a source in pyproject" in done.stderr
    assert contents(project) == before


@pytest.mark.slow
def test_write_source_binds_the_lock_to_the_mirror_and_tells_what_that_costs(
    poetry: PoetryRunner, project: Path, mirror: Mount, pypi: Mount
) -> None:
    done = poetry.call("tf", "init", "-n", "--mirror", mirror.url, "--write-source")
    assert done.ok, done.output
    assert "The lock file is tied to this mirror" in done.stderr
    (source,) = pyproject(project)["tool"]["poetry"]["source"]
    assert (source["url"], source["priority"]) == (mirror.url, "primary")
    lock = tomlkit.parse((project / "poetry.lock").read_text("utf-8")).unwrap()
    assert {package["source"]["url"] for package in lock["package"]} == {mirror.url.rstrip("/")}
    assert not (project / "poetry.toml").exists()
    assert mirror.requests and not pypi.requests

    before = contents(project)
    assert poetry.call("tf", "check").ok
    assert poetry.call("tf", "init", "-n").ok
    after = contents(project)
    after.pop("poetry.toml", None)
    assert after == before
    assert poetry.call("check", "--lock", plugins=False).ok


# --no-lock, --no-devcontainer, --dry-run


def test_no_lock_makes_no_request(poetry: PoetryRunner, project: Path, index: LocalIndex) -> None:
    done = poetry.call("tf", "init", "-n", "--no-lock")
    assert done.ok
    assert done.stderr == ""
    assert set(contents(project)) == WRITTEN - {"poetry.lock"}
    assert "poetry lock" in done.stdout, "the next step"
    assert index.requests == []


@pytest.mark.slow
def test_no_devcontainer(warm_poetry: PoetryRunner, project: Path) -> None:
    done = warm_poetry.call("tf", "init", "-n", "--no-devcontainer")
    assert done.ok
    assert set(contents(project)) == WRITTEN - {".devcontainer/devcontainer.json"}
    assert "poetry install" in done.stdout, "the next step"
    assert pyproject(project)["tool"]["poetry-tf"]["devcontainer"] == "off"
    assert warm_poetry.call("tf", "check").stdout.startswith("All set! ")
    before = contents(project)
    assert warm_poetry.call("tf", "init", "-n").ok
    assert contents(project) == before, "what was said once is remembered"
    assert warm_poetry.call("tf", "devcontainer").ok, "and can be had all the same"
    assert (project / ".devcontainer" / "devcontainer.json").exists()


@pytest.mark.slow
def test_the_diffs_of_a_dry_run_are_what_a_run_writes(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    options = ["tf", "init", "-n", "--tensorflow", "2.18"]
    dry = warm_poetry.call(*options, "--dry-run", "-v")
    assert dry.ok, dry.output
    assert "Writing lock file" not in dry.output
    assert contents(project) == {}
    assert warm_poetry.call(*options).ok
    assert patched({}, dry.stdout) == contents(project)


IN_THE_WAY = """\
[project]
name = "demo"  # <info>no tag</info>, \\<c1> neither
version = "0.1.0"
requires-python = ">=3.9"  # C:\\
dependencies = ["tensorflow>=2.18"]{more}

[tool.poetry]
# the last line has no end"""


@pytest.mark.sample
@pytest.mark.parametrize(
    ("end", "more"),
    [
        ("\n", ""),
        ("\r\n", ""),
    ],
    ids=["lf", "crlf"],
)
def test_the_diffs_of_a_dry_run_in_a_project_apply_byte_by_byte(
    warm_poetry: PoetryRunner, project: Path, end: str, more: str
) -> None:
    text = IN_THE_WAY.format(more=more).replace("\n", end)
    (project / "pyproject.toml").write_bytes(text.encode())
    before = contents(project)
    dry = warm_poetry.call("tf", "init", "-n", "--no-lock", "--dry-run")
    assert dry.ok, dry.output
    assert contents(project) == before
    assert warm_poetry.call("tf", "init", "-n", "--no-lock").ok
    assert patched(before, dry.stdout) == contents(project)


def test_a_diff_shows_other_separators_as_escapes_in_their_line(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    text = IN_THE_WAY.format(more="  # \u2028 \x85 end")
    (project / "pyproject.toml").write_text(text, "utf-8")
    dry = warm_poetry.call("tf", "init", "-n", "--no-lock", "--dry-run")
    assert "# \\u2028 \\x85 end\n" in dry.stdout


def test_a_dry_run_shows_diffs_alone(warm_poetry: PoetryRunner, project: Path) -> None:
    """So that they can be piped into ``patch``."""
    dry = warm_poetry.call("tf", "init", "-n", "--no-lock", "--dry-run")
    assert dry.ok
    assert dry.stderr == "Nothing was written (--dry-run).\n"
    assert dry.stdout.startswith("--- /dev/null\n+++ b/pyproject.toml\n")
    marks = {line[:1] for line in dry.stdout.splitlines()}
    assert marks == {"-", "+", "@"}


@pytest.mark.slow
def test_a_dry_run_says_of_the_lock_how_long_it_is(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    dry = warm_poetry.call("tf", "init", "-n", "--dry-run")
    assert warm_poetry.call("tf", "init", "-n").ok
    assert f"poetry.lock: {len(locked(project))} packages" in dry.stdout
    assert "+++ b/poetry.lock" not in dry.stdout


@pytest.mark.slow
def test_releases_after_a_post_release_are_locked_by_their_number(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    """2.15.0.post1 stands before 2.15.1, and its pin is a valid one."""
    done = warm_poetry.call("tf", "init", "-n", "--tensorflow", "2.15.0.post1")
    assert done.ok, done.output
    assert Version(locked(project)["tensorflow"]) >= Version("2.15.0.post1")
    assert warm_poetry.call("tf", "check").ok


def test_a_release_that_was_named_is_the_lowest_and_that_is_said(
    poetry: PoetryRunner, project: Path
) -> None:
    done = poetry.call("tf", "init", "-n", "--tensorflow", "2.18.0", "--gpu", "none")
    assert done.ok, done.output
    note = "TensorFlow 2.18.0 is the lowest that is taken: 2.18.1 is the newest of 2.18."
    assert f"{note} For 2.18.0 alone, write ==2.18.0 in pyproject.toml" in done.output
    assert "is the lowest" not in poetry.call("tf", "init", "-n", "--tensorflow", "2.18").output


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("place", [[], ["--no-devcontainer"]], ids=["container", "here"])
def test_a_release_that_cannot_be_set_up_gives_way_to_a_later_one_of_its_series(
    warm_poetry: PoetryRunner, project: Path, place: list[str], listed: bool
) -> None:
    """The and-cuda extra of 2.15.0 can't be installed, and a solver takes 2.15.1 anyway."""
    given = ["--tensorflow", "2.15.0"]
    if listed:
        (project / "my.txt").write_text("tensorflow==2.15.0\n", "utf-8")
        given = ["--from", "my.txt"]
    done = warm_poetry.call("tf", "init", "-n", *given, "--gpu", "pip", "--no-lock", *place)
    assert done.ok, done.output
    text = (project / "pyproject.toml").read_text("utf-8")
    assert "tensorflow[and-cuda] (>=2.15.1,<2.16.0)" in text
    assert "TensorFlow 2.15.1 was taken: 2.15.0 can't be set up in this way" in done.output


def test_a_suggested_command_repeats_the_list_and_what_else_was_given(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    (project / "my list.txt").write_text("tensorflow==2.15.0\nscipy\n", "utf-8")
    given = ["--environments", "linux-x86_64", "--mirror", "ustc", "--gpu", "none"]
    done = warm_poetry.call("tf", "init", "-n", "--from", "my list.txt", "--python", "3.13", *given)
    assert done.returncode == 1
    rest = "--from 'my list.txt' --gpu none --environments linux-x86_64 --mirror ustc"
    told = " ".join(done.stderr.split())
    assert f"Run `poetry tf init --tensorflow 2.15 --python 3.11 {rest}`, or" in told
    assert f"`poetry tf init --tensorflow 2.20 {rest}`." in told


def test_from_another_folder_the_next_steps_begin_with_the_way_there(
    poetry: PoetryRunner, project: Path
) -> None:
    (folder := project / "my study").mkdir()
    for option in ("-C", "-P"):
        done = poetry.call(option, "my study", "tf", "init", "-n", "--tensorflow", "2.18")
        assert done.ok, done.output
        steps = done.output.partition("Next:\n")[2].splitlines()
        assert steps[0] == "  - Go to the project's folder: cd 'my study'"
    assert "cd " not in poetry.call("tf", "init", "-n", cwd=folder).output
