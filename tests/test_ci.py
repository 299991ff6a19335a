"""What CI runs is what was reviewed: pinned actions, locked tools, no rights beyond reading."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.compatibility import environments
from tests.compatibility.environments import NEWEST, PAIRS, Pair
from tests.support.pages import PAGES, ROOT, blocks


def workflows() -> Iterator[Any]:
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        yield pytest.param(path.read_text("utf-8"), id=path.name)
    for block in (block for page in PAGES for block in blocks(page)):
        if "runs-on:" in block.text:
            yield pytest.param(block.text, id=str(block))


@pytest.mark.parametrize("text", [*workflows()])
def test_a_workflow_reads_only_and_pins_its_actions(text: str):
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    actions = [step for step in steps if "uses" in step]
    assert actions
    for step in actions:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step["uses"])
        if step["uses"].startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


RIGHTS = {
    ("refresh.yml", "pull-request"): {"contents": "write", "pull-requests": "write"},
    ("release.yml", "publish"): {"id-token": "write"},
}
"""The jobs that may do more than read: these run no code of the project."""


def test_only_two_jobs_may_write_and_they_run_nothing_of_the_project():
    found = {}
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        for name, job in yaml.safe_load(path.read_text("utf-8"))["jobs"].items():
            if "permissions" in job:
                found[path.name, name] = job["permissions"]
                text = str(job["steps"])
                assert not any(word in text for word in ("setup-python", "pip ", "poetry build"))
    assert found == RIGHTS


def test_the_daily_refresh_runs_each_program_that_writes_data():
    data = (ROOT / "src" / "poetry_tf" / "releases" / "data").glob("*.json")
    generators = {json.loads(path.read_text("utf-8")).get("generator") for path in data} - {None}
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "refresh.yml").read_text("utf-8"))
    runs = {step.get("run", "").strip() for step in workflow["jobs"]["read"]["steps"]}
    assert len(generators) > 1
    assert {f".venv/bin/{generator}" for generator in generators} <= runs


@pytest.mark.slow
def test_what_is_published_is_checked(tmp_path: Path):
    build = [sys.executable, "-m", "poetry", "build", "--output", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    problems = runpy.run_path(str(ROOT / ".ci" / "check_wheel.py"))["problems"]
    checked = problems(tmp_path, f"v{version('poetry-tf')}")
    assert checked == []
    assert "v9.9.9 needs" in problems(tmp_path, "v9.9.9")[0]
    wheel = next(tmp_path.glob("*.whl"))
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("poetry_tf/more.py", "")
    assert problems(tmp_path, f"v{version('poetry-tf')}") == ["the wheel has poetry_tf/more.py"]


def test_ci_installs_by_hashes_alone():
    text = (ROOT / ".ci" / "run").read_text("utf-8").replace("\\\n", "")
    installs = re.findall(r".*\b(?:pip\"? install|npm (?:install|ci)) .*", text)
    assert installs
    for line in installs:
        assert "--require-hashes" in line or "npm ci " in line


def test_locked_requirements_are_those_of_the_lock_file():
    command = [sys.executable, str(ROOT / ".ci" / "locked.py"), "main", "dev"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = [line for line in text.splitlines() if not line.startswith(" ")]
    names = {Requirement(line.removesuffix(" \\")).name for line in lines}
    assert {"poetry", "poetry-core", "tomlkit", "packaging", "pyyaml", "pytest", "ruff"} <= names
    assert "jsonschema" not in names
    assert text.count("--hash=sha256:") > len(lines)


RUN_BY_CI = [
    pair
    for pair in PAIRS
    if pair.poetry != NEWEST and str(pair) in (ROOT / ".ci" / "run").read_text("utf-8")
]


@pytest.fixture
def on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sysconfig.get_platform", lambda: "linux-x86_64")


@pytest.mark.parametrize("pair", RUN_BY_CI, ids=str)
def test_a_fixed_poetry_is_installed_by_hashes(
    on_linux: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pair: Pair
):
    commands: list[list[str]] = []
    made = tmp_path / "made"

    def run(command: list[str]) -> str:
        commands.append(command)
        made.mkdir(exist_ok=True)
        return ""

    monkeypatch.setattr(environments, "_run", run)
    environments.make(pair, Path("python3"), made, tmp_path / "plugin.whl")
    installs = [command for command in commands if "install" in command]
    assert len(installs) == 2
    assert installs[0][-5:-1] == ["--only-binary", ":all:", "--require-hashes", "-r"]
    assert installs[0][-1] == str(pair.locked)
    assert installs[1][-2:] == ["--no-deps", str(tmp_path / "plugin.whl")]


@pytest.mark.parametrize("pair", RUN_BY_CI, ids=str)
def test_its_list_has_all_that_is_wanted(on_linux: None, pair: Pair):
    locked = {}
    for line in pair.locked.read_text("utf-8").splitlines():
        found = re.fullmatch(r"(\S+)==(\S+) --hash=sha256:[0-9a-f]{64}", line)
        assert found is not None, line
        locked[canonicalize_name(found[1])] = found[2]
    for requirement in map(Requirement, [*pair.wanted, *environments.dependencies()]):
        assert locked[canonicalize_name(requirement.name)] in requirement.specifier
