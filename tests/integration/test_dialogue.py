"""`poetry tf init` asks for what is open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tomlkit

from poetry_tf.releases import load
from poetry_tf.releases.images import load_images
from tests.support.poetry import PoetryRunner, write_pyproject
from tests.support.projects import contents, read_jsonc

pytestmark = pytest.mark.usefixtures("engine")

QUESTIONS = ("TensorFlow series (", "Python (", "GPU (", "PyPI mirror (")


def _written(project: Path, name: str = "pyproject.toml") -> dict[str, Any]:
    return tomlkit.parse((project / name).read_text("utf-8")).unwrap()


def _asked(stderr: str) -> list[str]:
    """The questions, in order and as often as they were asked."""
    found = [(stderr.find(what, i), what) for what in QUESTIONS for i in range(len(stderr))]
    return [what for _, what in sorted({item for item in found if item[0] >= 0})]


def test_enter_takes_every_default(warm_poetry: PoetryRunner, project: Path) -> None:
    asked = warm_poetry.call("tf", "init", "--no-lock", stdin="\n" * 4)
    assert asked.ok, asked.output
    assert _asked(asked.stderr) == list(QUESTIONS)
    by_hand = contents(project)
    for name in by_hand:
        (project / name).unlink()
    assert warm_poetry.call("tf", "init", "--no-lock", "-n").ok
    assert contents(project) == by_hand


@pytest.mark.sample
@pytest.mark.parametrize(
    ("answers", "taken"),
    [
        ("\n" * 4, ("2.15", ["from-conda"])),
        ("requirements.txt\n\n\n\n", ("2.13", ["from-pip"])),
        ("setup.py\n\n\n\n\n", ("2.15", ["from-conda"])),
        ("none\n2.16\n\n\n\n", ("2.16", [])),
    ],
    ids=["Enter", "the second", "a wrong one", "none"],
)
@pytest.mark.parametrize("options", [[], ["-C", "project"], ["-P", "project"]], ids=" ".join)
def test_a_list_in_the_folder_of_a_new_project_is_offered(
    warm_poetry: PoetryRunner,
    project: Path,
    options: list[str],
    answers: str,
    taken: tuple[str, list[str]],
) -> None:
    """The TensorFlow of a list is then the project's, and is not asked."""
    (project / "environment.yml").write_text("dependencies: [tensorflow=2.15, from-conda]\n")
    (project / "requirements.txt").write_text("tensorflow==2.13.1\nfrom-pip\n")
    folder = project.parent if options else project
    done = warm_poetry.call("tf", "init", "--no-lock", *options, stdin=answers, cwd=folder)
    assert done.ok, done.output
    required = _written(project)["project"]["dependencies"]
    series, packages = taken
    assert f"(>={series}." in required[0]
    assert [name for name in required if name.startswith("from")] == packages
    assert ("TensorFlow series (" in done.stderr) == (not packages)
    assert ("init --from" in done.stdout) == (not packages)


def test_answers_are_taken(warm_poetry: PoetryRunner, project: Path) -> None:
    done = warm_poetry.call("tf", "init", "--no-lock", stdin="2.18\n3.11\npip\noff\n")
    assert done.ok, done.output
    data = _written(project)
    assert "tensorflow[and-cuda] (>=2.18.1,<2.19.0)" in data["project"]["dependencies"][0]
    assert data["project"]["requires-python"] == ">=3.11,<3.12"
    assert data["tool"]["poetry-tf"] == {"gpu": "pip"}
    assert _written(project, "poetry.toml") == {"tf": {"mirror": "off"}}
    made = read_jsonc(project / ".devcontainer/devcontainer.json")
    assert made["image"] == load_images().image("3.11")


def test_a_wrong_answer_is_asked_again_with_what_is_possible(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    answers = "2.7\n2.18\n3.13\n3.12\nrocm\nnone\nnowhere\noff\n"
    done = warm_poetry.call("tf", "init", "--no-lock", stdin=answers)
    assert done.ok, done.output
    assert _asked(done.stderr) == [what for what in QUESTIONS for _ in range(2)]
    for wrong in (
        "TensorFlow 2.7 is older",
        "3.13 is not one of 3.12, ",
        "rocm is not one of auto, ",
    ):
        assert wrong in done.stderr
    assert "'nowhere' is not a mirror" in done.stderr
    data = _written(project)
    assert data["project"]["dependencies"] == [
        "tensorflow (>=2.18.1,<2.19.0)",
        "setuptools (<82)",
    ]
    assert data["tool"]["poetry-tf"] == {"gpu": "none"}


def test_the_pythons_offered_are_those_of_the_series(warm_poetry: PoetryRunner) -> None:
    done = warm_poetry.call("tf", "init", "--no-lock", stdin="2.13\n\n\n\n")
    release = load().newest("2.13")
    assert release is not None
    fits = [item for item in release.pythons_on("linux-x86_64") if item in load_images().pythons]
    assert f"Python ({', '.join(fits[::-1])}) [{fits[-1]}]:" in done.stderr
    assert f"Recommended: Python {fits[-1]}, the newest that fits TensorFlow 2.13." in done.stderr
    # 2.13 has no wheels of CUDA.
    assert "GPU (auto, system, none) [auto]:" in done.stderr


def test_the_newest_series_comes_first_and_only_what_the_options_admit(
    warm_poetry: PoetryRunner,
) -> None:
    done = warm_poetry.call("tf", "init", "--no-lock", "--python", "3.11", stdin="\n" * 3)
    newest = load().series[-1]
    assert f"TensorFlow series ({newest}, " in done.stderr
    assert f"Recommended: {newest}, the newest." in done.stderr
    with_3_11 = [one for one in load().series if "3.11" in _pythons(one)]
    assert f", {with_3_11[0]}) [{newest}]:" in done.stderr
    options = ["--no-lock", "--python", "3.10", "--gpu", "pip"]
    assert ", 2.8)" not in warm_poetry.call("tf", "init", *options, stdin="\n" * 2).stderr


def _pythons(series: str) -> tuple[str, ...]:
    release = load().newest(series)
    return release.pythons_on("linux-x86_64") if release is not None else ()


@pytest.mark.sample
@pytest.mark.parametrize(
    ("answers", "name", "refused"),
    [
        ("\n", "tensorflow-project", ""),
        ("My_Model\n", "My_Model", ""),
        ("模型 2\nkeras\nx\n", "x", "'keras' can't be the name of this project; try keras-project"),
    ],
)
def test_a_name_is_asked_for_where_the_folder_has_none(
    warm_poetry: PoetryRunner, project: Path, answers: str, name: str, refused: str
) -> None:
    folder = project / "模型"
    folder.mkdir()
    done = warm_poetry.call("tf", "init", "--no-lock", stdin=f"{answers}\n\n\n\n", cwd=folder)
    assert done.ok, done.output
    assert "the folder's name 模型 can't be the project's" in done.stderr
    assert refused in done.stderr
    assert _written(folder)["project"]["name"] == name


def test_a_patch_release_is_an_answer(warm_poetry: PoetryRunner, project: Path) -> None:
    done = warm_poetry.call("tf", "init", "--no-lock", stdin="2.16.0\n2.18.0\n\n\n\n")
    assert done.ok, done.output
    assert "tensorflow (>=2.18.0,<2.19.0)" in _written(project)["project"]["dependencies"][0]


def test_the_pythons_offered_are_those_of_the_cuda_wheels(warm_poetry: PoetryRunner) -> None:
    """With --gpu pip, 2.14 has fewer."""
    options = ["--tensorflow", "2.14", "--gpu", "pip", "--no-lock"]
    done = warm_poetry.call("tf", "init", *options, stdin="\n\n")
    assert done.ok, done.output
    assert "Python (3.10) [3.10]:" in done.stderr


def test_what_an_option_says_is_not_asked(warm_poetry: PoetryRunner) -> None:
    options = ["--tensorflow", "2.18", "--python", "3.12", "--mirror", "off", "--gpu", "none"]
    done = warm_poetry.call("tf", "init", *options, "--no-lock", stdin="")
    assert done.ok, done.output
    assert _asked(done.stderr) == []


def test_what_the_project_says_is_not_asked(warm_poetry: PoetryRunner, project: Path) -> None:
    assert warm_poetry.call("tf", "init", "-n", "--no-lock").ok
    before = contents(project)
    assert warm_poetry.call("tf", "init", "--no-lock", stdin="").ok
    assert contents(project) == before


def test_questions_leave_stdout_alone(warm_poetry: PoetryRunner) -> None:
    done = warm_poetry.call("tf", "init", "--no-lock", "--dry-run", stdin="\n" * 4)
    assert done.stdout.startswith("--- /dev/null\n"), "diffs alone, to be piped into patch"


def test_an_end_of_input_ends_the_questions(poetry: PoetryRunner, project: Path) -> None:
    """Somebody forgot -n in a script: it must not be asked for ever."""
    asked = poetry.run("tf", "init", "--no-lock", stdin="", timeout=30)
    assert asked.returncode == 1
    assert "The questions were not answered: the input ended" in " ".join(asked.stderr.split())
    assert len(_asked(asked.stderr)) == 1
    assert "Run it in a terminal, or give -n to take the defaults." in asked.stderr
    assert contents(project) == {}


@pytest.mark.parametrize("answer", ["keep", "", "narrow"])
def test_a_package_is_asked_whether_its_pin_stays(
    warm_poetry: PoetryRunner, project: Path, answer: str
) -> None:
    write_pyproject(project, ["tensorflow (>=2.13,<2.19)"], requires_python=">=3.10,<3.12")
    path = project / "pyproject.toml"
    text = path.read_text("utf-8").replace("package-mode = false", 'packages = [{include = "a"}]')
    path.write_text(text, "utf-8")
    done = warm_poetry.call("tf", "init", "--no-lock", stdin=f"{answer}\n\n\n")
    assert done.ok, done.output
    assert "Pin (keep, narrow) [keep]:" in done.stderr
    data, narrows = _written(project), answer == "narrow"
    assert data["tool"]["poetry-tf"].get("pin") == (None if narrows else "warn")
    assert ("tensorflow (>=2.13,<2.19)" in data["project"]["dependencies"]) != narrows
