"""The hooks and the workflow as people use them: real pre-commit, real git, pip from the index."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.poetry import write_pyproject
from tests.test_pages import workflow

pytestmark = [pytest.mark.index, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
WIDE, PINNED = "tensorflow >=2.18", "tensorflow >=2.18,<2.19"
PYTHON = ">=3.12,<3.13"


def run(*command: str | Path, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Runs a command with the machine's settings, for pip above all, but in no git of its own."""
    machine = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(
        command,
        cwd=cwd,
        env={**machine, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def git(folder: Path, *arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    who = ("-c", "user.name=Jane", "-c", "user.email=jane@example.org")
    return run("git", *who, *arguments, cwd=folder, **environ)


def repository(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    assert git(folder, "init", "--quiet", "-b", "main").returncode == 0


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository as it lies here, uncommitted changes too, in a commit of its own."""
    copy = tmp_path_factory.mktemp("plugin") / "poetry-tf"
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    repository(copy)
    git(copy, "add", "--all")
    assert git(copy, "commit", "--quiet", "-m", "All of it").returncode == 0
    return copy


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where pre-commit keeps its environments: made once for both hooks."""
    return str(tmp_path_factory.mktemp("pre-commit"))


def use(hook: str, plugin: Path, project: Path, home: str) -> None:
    """Makes `project` a repository whose commits run the hook."""
    revision = git(plugin, "rev-parse", "HEAD").stdout.strip()
    repository(project)
    (project / ".pre-commit-config.yaml").write_text(
        f"repos:\n  - repo: {plugin}\n    rev: {revision}\n    hooks:\n      - id: {hook}\n"
    )
    command = (sys.executable, "-m", "pre_commit", "install")
    installed = run(*command, cwd=project, PRE_COMMIT_HOME=home)
    assert installed.returncode == 0, installed.stdout + installed.stderr


def commit(project: Path, home: str) -> tuple[int, str]:
    """Commits all there is; git's status, and what the hook said."""
    git(project, "add", "--all")
    done = git(project, "commit", "-m", "A change", PRE_COMMIT_HOME=home)
    return done.returncode, done.stdout + done.stderr


def test_check_stops_a_commit_that_is_wrong(plugin: Path, home: str, project: Path) -> None:
    use("poetry-tf-check", plugin, project, home)
    (project / "README.md").write_text("# A study\n")
    status, output = commit(project, home)
    assert status == 0, output
    assert "(no files to check)Skipped" in output

    path = write_pyproject(project, [WIDE], requires_python=PYTHON)
    before = path.read_bytes()
    status, output = commit(project, home)
    assert status == 1, output
    assert "poetry tf check" in output and "Failed" in output
    assert "pyproject.toml:6:5 TF101 [*] tensorflow >=2.18 admits" in output
    assert path.read_bytes() == before

    write_pyproject(project, [PINNED], requires_python=PYTHON)
    status, output = commit(project, home)
    assert status == 0, output
    assert "Passed" in output

    (project / "README.md").write_text("# A better study\n")
    assert "(no files to check)Skipped" in commit(project, home)[1]


def test_fix_corrects_a_commit_that_is_wrong(plugin: Path, home: str, project: Path) -> None:
    use("poetry-tf-fix", plugin, project, home)
    path = write_pyproject(project, [WIDE], requires_python=PYTHON)
    status, output = commit(project, home)
    assert status == 1, output
    assert "files were modified by this hook" in output
    assert "Fixed TF101 in" in output
    assert PINNED in path.read_text()
    status, output = commit(project, home)
    assert status == 0, output
    assert "Passed" in output


def test_try_repo_finds_both_hooks(plugin: Path, home: str, project: Path) -> None:
    repository(project)
    write_pyproject(project, [PINNED], requires_python=PYTHON)
    git(project, "add", "--all")
    command = (sys.executable, "-m", "pre_commit", "try-repo", plugin, "--all-files")
    done = run(*command, cwd=project, PRE_COMMIT_HOME=home)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Passed") == 2


def test_the_workflow_of_the_readme(plugin: Path, project: Path, tmp_path: Path) -> None:
    """Its commands one after the other, as a runner of GitHub's does, with this package for its."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "python"], check=True)
    path = f"{tmp_path / 'python' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    (job,) = workflow()["jobs"].values()
    install, check = (step["run"] for step in job["steps"] if "run" in step)
    shell = ("bash", "-e", "-o", "pipefail", "-c")
    here = {"PATH": path, "GITHUB_WORKSPACE": str(project)}
    done = run(
        *shell,
        install.replace("https://github.com/OWNER/poetry-tf", plugin.as_uri()),
        cwd=project,
        **here,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    write_pyproject(project, [WIDE], requires_python=PYTHON)
    done = run(*shell, check, cwd=project, **here)
    assert done.returncode == 1
    assert done.stdout.startswith("::error file=pyproject.toml,line=6,col=5,title=TF101::")
    write_pyproject(project, [PINNED], requires_python=PYTHON)
    assert run(*shell, check, cwd=project, **here).returncode == 0
