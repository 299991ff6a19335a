"""One name for one option: `--format` with `--json` as its short form, and `--diff`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.poetry import PoetryRunner, Program, write_pyproject
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


@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("check --strct", ('The option "--strct" does not exist', "Did you mean `--strict`?", 2)),
        (
            "check --selct=TF1",
            ('The option "--selct" does not exist', "Did you mean `--select`?", 2),
        ),
        ("init --no-devcontaine", ('The option "--no-devcontaine"', "`--no-devcontainer`?", 1)),
        ("mirror use --locl tuna", ('The option "--locl" does not exist', "`--local`?", 1)),
        ("releases --xyzzy", ('The option "--xyzzy" does not exist', "Run `", 1)),
        ("check -z", ('The option "-z" does not exist', "Run `", 2)),
        ("init --from", ('The "--from" option requires a value', "Run `", 1)),
        ("check one", ("No arguments expected", "Run `", 2)),
        ("allow", ('Not enough arguments (missing: "host")', "For example: {} allow pypi.lan", 1)),
        ("mirror use", ("Not enough arguments", "For example: {} mirror use auto", 1)),
    ],
)
@pytest.mark.parametrize("program", ["poetry", "poetry_tf"])
def test_a_wrong_command_line_is_told_the_right_one(
    poetry: PoetryRunner,
    project: Path,
    program: Program,
    words: str,
    says: tuple[str, str, int],
):
    error, remedy, status = says
    start = "poetry tf" if program == "poetry" else "poetry-tf"
    done = poetry.call(*(["tf"] if program == "poetry" else []), *words.split(), program=program)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith(f"Error: {error}")
    assert remedy.format(start) in done.stderr
    command = " ".join(words.split()[: 2 if words.startswith("mirror") else 1])
    assert f"Run `{start} {command} --help` for its options" in done.stderr
    assert ("Did you mean" in done.stderr) is remedy.endswith("?")
    assert contents(project) == {}


def test_poetrys_own_commands_keep_their_errors(poetry: PoetryRunner):
    done = poetry.call("check", "--strct")
    assert 'The option "--strct" does not exist' in done.stderr
    assert "Did you mean" not in done.output


@pytest.mark.parametrize("host", [":8080", "8080", "", "http://", "pypi.lan/simple"])
def test_a_host_is_shown_by_an_example(poetry: PoetryRunner, host: str):
    done = poetry.call("tf", "allow", host)
    assert done.returncode == 1
    assert f"Error: {host!r} is not a host\n" in done.stderr
    assert "for example pypi.lan:8080" in done.stderr
    assert not poetry.config_file.exists()


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ("check --diff", "diff"),
        ("init -n --no-lock --dry-run", "dry-run"),
        ("devcontainer --diff", "diff"),
        ("devcontainer --dry-run", "dry-run"),
        ("devcontainer --check --diff", "diff"),
    ],
)
def test_what_only_shows_says_that_nothing_was_written(
    pinned: PoetryRunner, project: Path, words: str, option: str
):
    """Not on stdout, where a program reads the diff."""
    before = contents(project)
    done = pinned.call("tf", *words.split())
    assert done.stderr.endswith(f"Nothing was written (--{option}).\n")
    assert "Nothing was written" not in done.stdout
    assert "\n@@ " in done.stdout
    assert contents(project) == before


def test_a_folder_is_no_list(warm_poetry: PoetryRunner, project: Path):
    done = warm_poetry.call("tf", "init", "-n", "--from", ".")
    assert done.returncode == 1
    assert ": is a folder: give the file in it" in done.stderr
