"""The message for a project that can't be locked."""

from __future__ import annotations

from pathlib import Path

import pytest

from poetry_tf.actions.lock import LockingError, locking_error
from poetry_tf.actions.solver_failure import missing_paths, shortened, without_styles
from tests.made import on_disk


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<fg=blue;options=bold>* </><fg=default;options=bold>Check</>: it", "* Check: it"),
        (
            "<error>All attempts to connect to <c1>a.b</> failed.</>",
            "All attempts to connect to a.b failed.",
        ),
        ("<b>Note:</> <c2>1</c2> <warning>w</warning> <info>i</info>", "Note: 1 w i"),
        ("<options=bold>Note:</> it <fg=black;bg=yellow>is</>", "Note: it is"),
        ("<fg=no-such-colour>a</> <foo=bar> <fg> <>", "<fg=no-such-colour>a <foo=bar> <fg> <>"),
        # What looks like a style and is none.
        (
            "six (>=1,<2) requires Python <3.10 or <4,>3",
            "six (>=1,<2) requires Python <3.10 or <4,>3",
        ),
        ("Failed to clone <https://a.b/c>", "Failed to clone <https://a.b/c>"),
    ],
)
def test_the_styles_of_poetrys_console_are_taken_out(text: str, shown: str):
    assert without_styles(text) == shown
    error = locking_error(RuntimeError(text))
    assert isinstance(error, LockingError) and str(error) == shown


def test_of_a_long_explanation_the_end_is_shown():
    lines = [f"Because a (1.{number}) depends on b" for number in range(200)]
    shown = shortened("\n".join([*lines, "So, version solving failed." + " x" * 5000])).splitlines()
    assert shown[0] == "(171 lines of Poetry's explanation left out)"
    assert shown[1] == lines[171] and len(shown) == 31
    assert shown[-1].startswith("So, version solving failed.") and len(shown[-1]) < 700
    assert shortened("<fg=red>Because</> no") == "Because no"


LEGACY = '[tool.poetry]\nname = "demo"\n[tool.poetry.dependencies]\n'
STANDARD = '[project]\nname = "demo"\nversion = "1"\ndependencies = [\n"models"]\n'
GONE = "models is required from {}, which does not exist"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (f'{LEGACY}models = {{ path = "../models" }}\n', 4, GONE.format("../models")),
        (f'{LEGACY}models = {{ file = "a-1.whl" }}\n', 4, GONE.format("a-1.whl")),
        (f'{LEGACY}[tool.poetry.dependencies.models]\npath = "a"\n', 4, GONE.format("a")),
        (
            f'{LEGACY}models = [\n{{version = "1"}},\n{{path = "a", python = "<3.12"}}]\n',
            6,
            GONE.format("a"),
        ),
        (
            f'{LEGACY}[tool.poetry.group.dev.dependencies]\nmodels = {{ path = "a" }}\n',
            5,
            GONE.format("a"),
        ),
        (
            STANDARD.replace('"models"', '"models @ file:///no/such/a-1.tar.gz"'),
            5,
            GONE.format("/no/such/a-1.tar.gz"),
        ),
        (f'{STANDARD}[tool.poetry.dependencies]\nmodels = {{ path = "a" }}\n', 7, GONE.format("a")),
        (
            f'{LEGACY}models = {{ path = "empty" }}\n',
            4,
            "models is required from empty, a folder without pyproject.toml or setup.py",
        ),
    ],
)
def test_a_package_that_is_required_from_nowhere_is_told_with_its_line(
    tmp_path: Path, text: str, line: int, says: str
):
    (tmp_path / "empty").mkdir()
    project = on_disk(tmp_path, {"pyproject.toml": text})
    assert [*missing_paths(project)] == [f"pyproject.toml:{line}: {says}"]


def test_what_a_project_in_another_folder_requires_is_looked_for_from_there(tmp_path: Path):
    files = {
        "pyproject.toml": f'{LEGACY}lib = {{ path = "lib" }}\nold = {{ path = "old" }}\n',
        "lib/pyproject.toml": f'{LEGACY}models = {{ path = "../gone" }}\nown = {{ path = ".." }}\n',
        "old/setup.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    project = on_disk(tmp_path, {"pyproject.toml": files["pyproject.toml"]})
    assert [*missing_paths(project)] == [f"lib/pyproject.toml:4: {GONE.format('../gone')}"]
