"""What keeps `poetry tf check` no slower than `poetry check`, counted rather than timed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.projects import write

PROGRAM = """
import json, sys
if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib
from cleo.testers.command_tester import CommandTester
from poetry_tf.commands.check import CheckCommand
from poetry_tf.releases import resources

parsed, read = [], []
loads, text_of = tomllib.loads, resources.read_text
tomllib.loads = lambda text: parsed.append(len(text)) or loads(text)
resources.read_text = lambda name, *room: read.append(name) or text_of(name, *room)
tester = CommandTester(CheckCommand())
status = tester.execute("")
print(json.dumps({
    "status": status, "said": tester.io.fetch_output() + tester.io.fetch_error(),
    "parsed": parsed, "read": read, "modules": sorted(sys.modules),
}))
"""


@pytest.fixture(scope="module")
def cost(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a check of a sound project with 100 packages takes, in a process of its own."""
    root = tmp_path_factory.mktemp("cost") / "project"
    write(root, 100)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=root,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    found["size"] = (root / "poetry.lock").stat().st_size
    assert (found["status"], "All set!" in found["said"]) == (0, True), found["said"]
    return found


def test_each_file_is_parsed_once_and_the_lock_without_its_files(cost: dict[str, Any]) -> None:
    """pyproject.toml, poetry.toml, the lock, and the few lines of it that Poetry's hash needs."""
    assert len(cost["parsed"]) <= 4
    assert sum(cost["parsed"]) < cost["size"] / 4


def test_no_more_of_the_data_is_read_than_is_needed(cost: dict[str, Any]) -> None:
    assert len(cost["read"]) == len(set(cost["read"]))
    assert not [name for name in cost["read"] if name.startswith("tensorflow-")]


def test_nothing_of_the_network_or_of_installing_is_imported(cost: dict[str, Any]) -> None:
    heavy = (
        *("requests", "urllib3", "dulwich", "virtualenv", "poetry.repositories.http_repository"),
        *("poetry.installation", "poetry.puzzle", "poetry_tf.actions.lock", "poetry_tf.hooks"),
    )
    assert not [name for name in cost["modules"] if name.startswith(heavy)]


def test_a_benchmark_project_is_what_it_says(tmp_path: Path) -> None:
    write(tmp_path / "project", 7)
    assert (tmp_path / "project" / "poetry.lock").read_text().count("[[package]]") == 7
