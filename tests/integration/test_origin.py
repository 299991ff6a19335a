"""poetry-tf installed in each way that there is, and what its containers then install."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from poetry_tf.devcontainer.origin import running_origin
from poetry_tf.files.jsonc import JsoncDocument
from tests.support.poetry import SITE, PoetryRunner, write_pyproject

ROOT = Path(__file__).parents[2]
NAME = ".devcontainer/devcontainer.json"
ADDRESS = "https://git.example/owner/poetry-tf"
SETTINGS = '\n[tool.poetry-tf]\nenvironments = ["linux-x86_64"]\n'


def run(*command: str | Path, **environ: str) -> str:
    machine = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        command, env={**machine, **environ}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with what poetry-tf is built from."""
    folder = tmp_path_factory.mktemp("origin") / "poetry-tf"
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    git = ("git", "-C", folder, "-c", "user.name=Jane", "-c", "user.email=jane@example.org")
    run(*git, "init", "--quiet")
    run(*git, "add", "--all")
    run(*git, "commit", "--quiet", "-m", "All of it")
    return folder


@pytest.fixture(scope="module")
def wheel(checkout: Path) -> Path:
    folder = checkout.parent / "dist"
    pip = (sys.executable, "-m", "pip")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, checkout)
    (found,) = folder.iterdir()
    return found


SECRET = ADDRESS.replace("//", "//jane:s3cret@")


@pytest.fixture(scope="module")
def sites(checkout: Path, wheel: Path) -> Callable[[str], Path]:
    """The folder with poetry-tf as pip installs it in a way; made once for each."""
    ways: dict[str, tuple[str | Path, ...]] = {
        "index": ("--no-index", "--find-links", wheel.parent, "poetry-tf"),
        "https": (f"git+{SECRET}",),
        "file": (wheel,),
        "folder": (checkout,),
        "git": (f"git+{checkout.as_uri()}",),
    }
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-deps")

    def site(way: str) -> Path:
        target = checkout.parent / f"site-{way}"
        if not target.exists():
            options = ("--no-build-isolation", "--no-compile", "--target", target)
            run(*pip, *options, *ways[way], **by_https(checkout))
        return target

    return site


@pytest.fixture
def installed(poetry: PoetryRunner, sites: Callable[[str], Path]) -> Callable[[str], PoetryRunner]:
    """Poetry with the poetry-tf that is installed in a way, in a pinned project."""
    write_pyproject(
        poetry.project,
        ["tensorflow (>=2.18.1,<2.19.0)"],
        requires_python=">=3.11,<3.12",
        more=SETTINGS,
    )

    def install(way: str) -> PoetryRunner:
        poetry.environ["PYTHONPATH"] = os.pathsep.join(map(str, (sites(way), SITE)))
        return poetry

    return install


def by_https(checkout: Path) -> dict[str, str]:
    """Lets git find the repository at an address by https with a password."""
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{checkout.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": SECRET,
    }


def prepares(project: Path) -> str:
    made = JsoncDocument.parse((project / NAME).read_text("utf-8")).data
    assert "pipx install poetry==" in made["onCreateCommand"]
    return f"{made['onCreateCommand']}\n{made.get('updateContentCommand', '')}"


@pytest.mark.slow
def test_from_an_index_it_is_not_installed_by_its_name_while_pypi_has_it_not(
    installed: Callable[[str], PoetryRunner],
) -> None:
    poetry = installed("index")
    done = poetry.run("tf", "devcontainer")
    assert done.ok and "is not on PyPI" in done.stdout, done.output
    assert "poetry-tf" not in prepares(poetry.project)


@pytest.mark.slow
def test_from_git_by_https_it_is_installed_from_the_same_commit(
    installed: Callable[[str], PoetryRunner], checkout: Path
) -> None:
    poetry = installed("https")
    assert poetry.run("tf", "devcontainer").ok
    commit = run("git", "-C", checkout, "rev-parse", "HEAD").strip()
    requirement = f"poetry-tf@git+{ADDRESS}@{commit}"
    assert f"pipx inject poetry {requirement} ||" in prepares(poetry.project)
    text = (poetry.project / NAME).read_text("utf-8")
    assert "s3cret" not in text
    assert f"poetry-tf {requirement}\n" in poetry.run("tf", "devcontainer", "--explain").stdout


@pytest.mark.parametrize(
    "way",
    [
        "folder",
        pytest.param("file", marks=pytest.mark.slow),
        pytest.param("git", marks=pytest.mark.slow),
    ],
)
@pytest.mark.slow
def test_from_this_machine_it_is_not_installed_and_that_is_said(
    installed: Callable[[str], PoetryRunner], checkout: Path, wheel: Path, way: str
) -> None:
    poetry = installed(way)
    done = poetry.run("tf", "devcontainer")
    assert done.ok, done.output
    assert "inject" not in prepares(poetry.project)
    assert "poetry-tf" not in prepares(poetry.project)
    place = (wheel if way == "file" else checkout).as_uri()
    for result in (done, poetry.run("tf", "devcontainer", "--explain")):
        says = f"as it can't get it from {place}; `poetry install` works without it"
        assert says in result.stdout
    assert "poetry self add git+https://" in done.stdout
    assert poetry.run("tf", "devcontainer", "--check").ok


@pytest.mark.slow
def test_a_name_in_a_file_is_found_and_fixed_where_it_is_not_from_an_index(
    installed: Callable[[str], PoetryRunner],
) -> None:
    poetry = installed("https")
    assert poetry.run("tf", "devcontainer").ok
    path = poetry.project / NAME
    text = re.sub("(?m)^{", "{\n  // the study's", path.read_text("utf-8"))
    assert "TF508" not in poetry.run("tf", "check").output
    version, address = running_origin().version, rf"git\+{ADDRESS}@\w+"
    # As written while the name was taken for the project's own.
    text = re.sub(rf"poetry-tf@{address}", f"poetry-tf=={version}", text)
    path.write_text(text, "utf-8")

    installed("folder")
    found = poetry.run("tf", "check", "--select", "TF508")
    assert found.returncode == 1
    assert found.stderr.count(" TF508 ") == 1
    fixed = poetry.run("tf", "check", "--fix", "--select", "TF508")
    assert fixed.ok, fixed.output
    after = path.read_text("utf-8")
    assert "// the study's" in after
    assert "poetry-tf==" not in after
    assert poetry.run("tf", "devcontainer", "--check").ok

    # What is fixed one way by check is fixed the same way by devcontainer.
    path.write_text(text, "utf-8")
    assert poetry.run("tf", "devcontainer").ok
    assert path.read_text("utf-8") == after

    # And poetry-tf comes back once there is a place to have it from.
    installed("https")
    assert poetry.run("tf", "devcontainer").ok
    assert f"pipx inject poetry poetry-tf@git+{ADDRESS}@" in prepares(poetry.project)
