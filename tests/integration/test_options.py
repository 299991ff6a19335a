"""One name for one option: `--format` with `--json` as its short form, and `--diff`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.poetry import PoetryRunner, write_pyproject
from tests.support.projects import contents

SETTINGS = '\n[tool.poetry-tf]\nenvironments = ["linux-x86_64"]\ngpu = "none"\n'
WITH_JSON = ("check", "doctor", "env", "releases", "upgrade 2.19")


@pytest.fixture
def pinned(warm_poetry: PoetryRunner, project: Path) -> PoetryRunner:
    write_pyproject(
        project, ["tensorflow (>=2.18,<2.19)"], requires_python=">=3.11,<3.12", more=SETTINGS
    )
    return warm_poetry


@pytest.mark.sample
@pytest.mark.parametrize("command", WITH_JSON)
def test_json_is_short_for_format_json(pinned: PoetryRunner, project: Path, command: str):
    before, pages = contents(project), []
    for options in (["--format", "json"], ["--json"], ["--json", "--format=text"]):
        dry = ["--dry-run"] if command.startswith("upgrade") else []
        pages.append(pinned.call("tf", *command.split(), *options, *dry).stdout)
    assert json.loads(pages[0])
    assert pages[0] == pages[1] == pages[2]
    assert contents(project) == before


@pytest.mark.parametrize("command", WITH_JSON)
def test_an_unknown_format_is_refused(pinned: PoetryRunner, project: Path, command: str):
    before = contents(project)
    done = pinned.call("tf", *command.split(), "--format", "yaml")
    assert done.returncode in {1, 2}
    assert done.stdout == ""
    assert "Unknown format 'yaml'\nGive --format one of text, json" in done.stderr
    assert contents(project) == before


def test_two_formats_are_refused(pinned: PoetryRunner):
    done = pinned.call("tf", "check", "--format", "github", "--json")
    assert done.returncode == 2
    assert "--json and --format github contradict each other" in done.output


def test_diff_of_an_upgrade_is_its_page_and_unified_diffs(pinned: PoetryRunner, project: Path):
    before = contents(project)
    page = pinned.call("tf", "upgrade", "2.19", "--dry-run")
    shown = pinned.call("tf", "upgrade", "2.19", "--diff")
    assert page.ok and shown.ok, shown.output
    head = page.stdout.removesuffix("Nothing was written (--dry-run).\n")
    assert head != page.stdout and shown.stdout.startswith(head)
    diff = shown.stdout.removeprefix(head)
    assert "--- a/pyproject.toml\n+++ b/pyproject.toml\n" in diff
    assert "poetry.lock" not in diff
    assert diff.endswith("Nothing was written (--diff).\n")
    assert contents(project) == before
