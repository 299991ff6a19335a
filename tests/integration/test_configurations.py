"""A project with several dev containers: `check`, `init` and `upgrade` as a person meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from poetry_tf.releases.images import load_images
from tests.integration.conftest import RIGHT, SetUp
from tests.support.poetry import PoetryRunner, Result, locked, write_pyproject
from tests.support.projects import changed_lines, contents, patched

IMAGES = load_images()
DEFAULT = ".devcontainer/devcontainer.json"
GPU = ".devcontainer/gpu/devcontainer.json"
CPU = ".devcontainer/cpu/devcontainer.json"
DOCS = ".devcontainer/docs/devcontainer.json"
NODE = """\
{
\t// the documentation
\t"image": "mcr.microsoft.com/devcontainers/javascript-node:1-18-bookworm",
\t"postCreateCommand": "npm ci",
}
"""
HAND = f"""\
{{
  "image": "{IMAGES.image("3.12")}", // ours: no CUDA here
  "onCreateCommand": "pipx install poetry==2.0.0",
  "postCreateCommand": "poetry install"
}}
"""
BROKEN = '{\n\t"image": "a"\n\t"name": "b"\n}\n'


def put(project: Path, name: str, text: str | bytes) -> None:
    path = project / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def check(poetry: PoetryRunner, *options: str) -> Result:
    result = poetry.call("tf", "check", *options)
    assert "Traceback" not in result.output
    return result


@pytest.fixture
def several(right: PoetryRunner, project: Path) -> PoetryRunner:
    """All right but a named one: a copy of the default with a wrong cuDNN, its lines otherwise."""
    text = RIGHT[DEFAULT].decode().replace("\n", "\r\n").replace("    ", "\t")
    text = text.replace("{\r\n", "{\r\n\t// the one with the GPU\r\n", 1)
    assert '"9.3.0.75"' in text
    put(project, GPU, text.replace('"9.3.0.75"', '"9.1.0.70" /* as the host */'))
    put(project, DOCS, NODE)
    return right


def test_a_finding_names_its_file(several: PoetryRunner, project: Path) -> None:
    before = contents(project)
    lines = before[GPU].decode().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "9.1.0.70" in text)
    found = check(several)
    assert found.returncode == 1
    (message,) = (text for text in found.stderr.splitlines() if " TF" in text)
    assert message.startswith(f"{GPU}:{line}:")
    (finding,) = json.loads(check(several, "--format", "json").stdout)["findings"]
    assert (finding["code"], finding["file"], finding["line"]) == ("TF503", GPU, line)
    assert finding["fixable"] is True
    annotated = check(several, "--format", "github").stdout
    assert annotated.startswith(f"::error file={GPU},line={line},")
    assert contents(project) == before


def test_the_fix_of_one_touches_no_other(several: PoetryRunner, project: Path) -> None:
    before = contents(project)
    shown = check(several, "--diff")
    assert contents(project) == before
    fixed = check(several, "--fix")
    assert fixed.ok, fixed.output
    after = contents(project)
    assert {name for name in after if after[name] != before.get(name)} == {GPU}
    assert patched(before, shown.stdout) == after
    gone, new = changed_lines(before[GPU], after[GPU])
    assert [line.replace("9.1.0.70", "9.3.0.75") for line in gone] == new
    assert len(new) == 1 and "/* as the host */" in new[0] and new[0].endswith("\r\n")
    assert f"  {GPU}\n" in fixed.stdout
    assert check(several, "--fix").ok
    assert contents(project) == after


def test_each_is_fixed_in_one_go(several: PoetryRunner, project: Path) -> None:
    put(project, DEFAULT, RIGHT[DEFAULT].replace(b'"9.3.0.75"', b'"8.9.0.0"'))
    put(project, CPU, HAND)
    found = json.loads(check(several, "--format", "json").stdout)["findings"]
    assert [(item["code"], item["file"]) for item in found] == [
        ("TF503", DEFAULT),
        ("TF503", GPU),
        ("TF506", CPU),
    ]
    assert check(several, "--fix").ok
    after = contents(project)
    assert after[DEFAULT] == RIGHT[DEFAULT]
    assert after[DOCS] == NODE.encode()
    gone, new = changed_lines(HAND.encode(), after[CPU])
    assert [line.strip() for line in gone] == ['"onCreateCommand": "pipx install poetry==2.0.0",']
    assert len(new) == 1


@pytest.mark.sample
@pytest.mark.parametrize(
    "command", [["check"], ["check", "--fix"], ["check", "--diff"], ["init", "-n"], ["upgrade"]]
)
def test_one_that_is_malformed_is_one_error_with_its_place(
    several: PoetryRunner, project: Path, command: list[str]
) -> None:
    put(project, GPU, RIGHT[DEFAULT])
    put(project, DOCS, BROKEN)
    before = contents(project)
    result = several.call("tf", *command)
    assert result.returncode == 1
    assert "Traceback" not in result.output
    assert f"{DOCS}:3:2" in result.stderr
    assert result.stderr.count(DOCS) == 1
    assert contents(project) == before
    # As with the default one.
    put(project, DOCS, NODE)
    put(project, DEFAULT, BROKEN)
    default = several.call("tf", *command)
    assert default.returncode == 1
    assert f"{DEFAULT}:3:2" in default.stderr


def test_a_commit_of_a_named_one_is_checked(several: PoetryRunner) -> None:
    """The hook is given no names of files, and runs where the commit is made."""
    found = several.call("check", "--format", "json", program="poetry_tf")
    assert [item["file"] for item in json.loads(found.stdout)["findings"]] == [GPU]
    assert several.call("check", "--fix", program="poetry_tf").ok
    assert several.call("check", program="poetry_tf").ok


# Commands that write containers


def test_init_brings_each_in_step(several: PoetryRunner, project: Path) -> None:
    done = several.call("tf", "init", "-n")
    assert done.ok, done.output
    after = contents(project)
    assert f"  {GPU}\n" in done.stdout and DOCS not in done.output
    assert after[DEFAULT] == RIGHT[DEFAULT]
    assert after[DOCS] == NODE.encode()
    assert b'"9.3.0.75" /* as the host */' in after[GPU]
    assert check(several).ok
    assert several.call("tf", "init", "-n").ok
    assert contents(project) == after


def test_init_takes_the_named_one_where_there_is_no_other(
    several: PoetryRunner, project: Path
) -> None:
    (project / DEFAULT).unlink()
    done = several.call("tf", "init", "-n")
    assert done.ok, done.output
    assert not (project / DEFAULT).exists()
    assert "CUDA 12.5 and cuDNN 9.3.0.75" in done.stdout
    assert f"devcontainer up --workspace-folder . --config {GPU}" in done.stdout
    assert check(several).ok
    # Asked for, a default one is made all the same.
    assert several.call("tf", "devcontainer").ok
    assert (project / DEFAULT).exists()


def test_init_makes_a_container_beside_one_that_is_for_something_else(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    write_pyproject(project, ["tensorflow >=2.18,<2.19"], requires_python=">=3.12,<3.13")
    put(project, DOCS, NODE)
    put(project, CPU, HAND.replace("2.0.0", "1.8.2"))
    done = warm_poetry.call("tf", "init", "-n")
    assert done.ok, done.output
    assert (project / DOCS).read_bytes() == NODE.encode()
    assert not (project / DEFAULT).exists(), "there is one for the project"
    assert check(warm_poetry).ok
    text = (project / CPU).read_text("utf-8")
    assert "nvidia" not in text and '", // ours: no CUDA here\n' in text


@pytest.mark.slow
def test_upgrade_moves_each(set_up: SetUp, project: Path) -> None:
    poetry = set_up("--tensorflow", "2.15", "--python", "3.11")
    text = (project / DEFAULT).read_text("utf-8")
    put(project, GPU, text.replace("\n", "\r\n"))
    put(project, DOCS, NODE)
    put(project, CPU, HAND)
    before = contents(project)
    shown = poetry.call("tf", "upgrade", "2.18", "--dry-run")
    assert "\n  CUDA 12.2 -> 12.5\n" in shown.stdout
    assert f"\n  {GPU}: CUDA 12.2 -> 12.5\n" in shown.stdout
    assert contents(project) == before
    done = poetry.call("tf", "upgrade", "2.18", "--json")
    assert done.ok, done.output
    page = json.loads(done.stdout)
    assert {DEFAULT, GPU} <= {*page["files"]} and DOCS not in page["files"]
    assert locked(project)["tensorflow"] == "2.18.1"
    after = contents(project)
    assert after[GPU].replace(b"\r\n", b"\n") == after[DEFAULT]
    assert after[DOCS] == before[DOCS]
    assert b"// ours: no CUDA here" in after[CPU] and b"nvidia" not in after[CPU]
    assert check(poetry).ok
