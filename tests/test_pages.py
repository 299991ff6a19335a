"""README.md and docs/: size, links, blocks, what is generated; and what they show to copy.

`tests/integration/test_pages.py` runs the commands.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tomlkit
import yaml
from poetry.factory import Factory

from poetry_tf.checks.findings import rules
from poetry_tf.plan.settings import parse_settings
from tests.support.index import Mount
from tests.support.messages import is_said
from tests.support.pages import PAGES, ROOT, blocks, named
from tests.support.poetry import NO_NETWORK, PoetryRunner, write_pyproject

SOURCE = "".join(path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py"))
VARIABLES = {*re.findall(r"POETRY_TF_[A-Z_]+[A-Z]", SOURCE), "POETRY_PYPI_MIRROR_URL"}
HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
IDS = [page.relative_to(ROOT).as_posix() for page in PAGES]
ASKED = re.compile(r"\bnamed\(\"([\w-]+)\"\)|tests\.support\.pages ([\w-]+)")


def test_the_readme_is_short():
    assert (ROOT / "README.md").stat().st_size <= 10_000


def test_what_is_made_from_the_program_is_current():
    command = [sys.executable, str(ROOT / ".ci" / "pages.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "up to date\n"), done.stdout + done.stderr


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    found: set[str] = set()
    for head in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        anchor = re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-")
        assert anchor not in found, f"{page} has the heading {head!r} twice"
        found.add(anchor)
    return found


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_link_leads_somewhere(page: Path):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        path, _, anchor = link.partition("#")
        if ":" in path:
            continue
        target = (page.parent / path) if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def linked(page: Path) -> set[Path]:
    """The pages to which a page has links."""
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8"))
    return {(page.parent / link).resolve() for link in links}


def test_every_page_is_in_the_index():
    docs = ROOT / "docs"
    chinese = {*(docs / "zh").glob("*.md")}
    assert {*docs.rglob("*.md")} - chinese - {docs / "README.md"} <= linked(docs / "README.md")
    assert chinese - {docs / "zh" / "README.md"} <= linked(docs / "zh" / "README.md")
    assert len(chinese) > 1 and chinese <= linked(ROOT / "README.md")


def asked() -> set[str]:
    """The names of blocks that tests and CI ask for."""
    workflows, tests = (ROOT / ".github").rglob("*.yml"), (ROOT / "tests").rglob("*.py")
    files = [ROOT / ".ci" / "run", *workflows, *tests]
    return {
        first or second
        for file in files
        for first, second in ASKED.findall(file.read_text("utf-8"))
    }


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_block_is_run_or_says_why_not(page: Path):
    names, before = asked(), ""
    for block in blocks(page):
        if block.name:
            assert block.name in names, f"{block}: nothing asks for {block.name}"
            assert named(block.name)
        elif block.kind == "output":
            assert block.argument or before in ("run", "output"), f"{block}: the output of what?"
        elif block.kind == "not run":
            assert block.argument, f"{block}: why not?"
        elif block.kind == "quote":
            for line in block.text.splitlines():
                assert is_said(line), f"{block}: the program doesn't say {line!r}"
        else:
            assert block.is_run_here, f"{block} is not run, and does not say why"
        before = block.kind


@pytest.mark.parametrize(
    ("quoted", "said"),
    [
        ("… looks like a misspelling of …", True),
        ("tersorflow looks like a misspelling of …", False),
        ("… looks like a misspelling", False),
        ("The project has no dev container", False),
        ("the project has no dev container", True),
        ("What the program can say, read from its source", False),
    ],
)
def test_a_quotation_is_what_the_program_says(quoted: str, said: bool):
    assert is_said(quoted) is said


def test_each_rule_is_explained_in_chinese_with_what_it_says():
    text = (ROOT / "docs" / "zh" / "errors.md").read_text("utf-8")
    codes = re.split(r"^### (TF\d{3})$", text, flags=re.MULTILINE)[1::2]
    sections = re.split(r"^### TF\d{3}$", text, flags=re.MULTILINE)[1:]
    assert codes == [rule.code for rule in rules()]
    for code, section in zip(codes, sections, strict=True):
        own = re.split(r"^#+ ", section, maxsplit=1, flags=re.MULTILINE)[0]
        assert "<!-- quote -->" in own or f"--select {code}\n" in own, code


@pytest.mark.parametrize("variable", sorted(set(VARIABLES)))
def test_every_variable_is_described(variable: str):
    page = ROOT / "docs" / "reference" / "environment-variables.md"
    assert f"| `{variable}` |" in page.read_text("utf-8")


def test_the_settings_that_are_shown_mean_something():
    assert parse_settings(tomlkit.parse(named("settings")).unwrap()["tool"]["poetry-tf"])[1] == ()


def test_the_source_that_is_shown_is_one_that_poetry_reads(project: Path):
    path = project / "pyproject.toml"
    path.write_text(f'[project]\nname = "a"\nversion = "1"\n{named("source")}', "utf-8")
    poetry = Factory().create_poetry(project)
    assert poetry.pool.repositories[0].name == "tuna"


def test_the_hooks_that_are_shown_are_there():
    (repository,) = yaml.safe_load(named("pre-commit"))["repos"]
    assert {hook["id"] for hook in repository["hooks"]} < {hook["id"] for hook in HOOKS}


def workflow() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(named("actions"))
    return found


def test_the_workflow_checks_and_annotates(poetry: PoetryRunner, project: Path):
    """Its last command; `tests/integration/test_pre_commit.py` runs them all, from the index."""
    (job,) = workflow()["jobs"].values()
    install, check = (step["run"] for step in job["steps"] if "run" in step)
    assert install.startswith("pip install git+https://github.com/OWNER/poetry-tf@")
    program, *arguments = check.split()
    assert program == "poetry-tf"
    write_pyproject(project, ["tensorflow >=2.18"], requires_python=">=3.12,<3.13")
    found = poetry.call(*arguments, program="poetry_tf")
    assert found.returncode == 1
    assert found.stdout.startswith("::error file=pyproject.toml,line=6,col=5,title=TF101::")
    write_pyproject(project, ["tensorflow >=2.18,<2.19"], requires_python=">=3.12,<3.13")
    assert poetry.call(*arguments, program="poetry_tf").ok


@pytest.mark.parametrize(
    ("path", "concerned"),
    [
        ("pyproject.toml", True),
        ("poetry.lock", True),
        ("poetry.toml", True),
        (".devcontainer/devcontainer.json", True),
        (".devcontainer.json", True),
        ("services/a/pyproject.toml", True),
        ("services/a/.devcontainer/devcontainer.json", True),
        (".devcontainer/gpu/devcontainer.json", True),
        (".devcontainer/gpu/more/devcontainer.json", False),
        (".devcontainer/feature/devcontainer-feature.json", False),
        ("my-pyproject.toml", False),
        ("pyproject.toml.j2", False),
        ("docs/devcontainer.json.md", False),
        ("src/main.py", False),
        ("uv.lock", False),
    ],
)
def test_a_hook_runs_for_the_files_concerned(path: str, concerned: bool):
    for hook in HOOKS:
        assert bool(re.search(hook["files"], path)) is concerned
        assert hook["pass_filenames"] is False


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: str(hook["id"]))
def test_a_hook_is_a_command_that_there_is(
    poetry: PoetryRunner, project: Path, hook: dict[str, Any]
):
    program, *arguments = hook["entry"].split()
    assert program == "poetry-tf"
    write_pyproject(project, ["tensorflow >=2.18"], requires_python=">=3.12,<3.13")
    done = poetry.call(*arguments, program="poetry_tf")
    assert done.returncode == (0 if "--fix" in arguments else 1)


def test_the_commands_for_mirrors_do_what_is_said(poetry: PoetryRunner, project: Path, pypi: Mount):
    """One after the other; the mirrors themselves can't be reached from here."""
    lines = [line.partition(" #")[0].split() for line in named("mirror").splitlines()]
    poetry.environ |= NO_NETWORK
    write_pyproject(project, ["six"])
    assert poetry.call("lock").ok
    statuses = {}
    for program, *arguments in lines:
        assert program == "poetry"
        statuses[" ".join(arguments)] = poetry.call(*arguments).returncode
    assert statuses.pop("tf mirror test tuna pypi") == 1
    assert len(statuses) == 7 and not any(statuses.values()), statuses
    assert poetry.config_file.read_text("utf-8") == (
        '[tf]\nmirror = "auto"\nlocal-hosts = ["mirror.lab"]\n'
    )
    assert (project / "poetry.toml").read_text("utf-8") == '[tf]\nmirror = "off"\n'
