"""What the mark of a rule says is what its findings, its explanation and the list say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from poetry_tf.actions.fix import is_fixable
from poetry_tf.checks.findings import rules
from tests.made import found, in_memory, lock_text
from tests.support.poetry import PoetryRunner

OF_2_18 = 'dependencies = ["tensorflow~=2.18.1"]\n'
STUDY = f'[project]\nname = "study"\nrequires-python = ">=3.11,<3.12"\n{OF_2_18}[tool.poetry-tf]\n'
IMAGE = '{"image": "mcr.microsoft.com/devcontainers/python:1-3.12"}'

SPECIMENS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "TF101": ('[project]\ndependencies = ["tensorflow"]', {}),
    "TF103": ('[project]\ndependencies = ["tensorflow-gpu==2.13.0"]', {}),
    "TF104": (
        '[project]\nrequires-python = ">=3.10,<3.12"\ndependencies = [\n"tensorflow==2.15.1",\n'
        '\'tensorflow-macos==2.15.0 ; sys_platform == "darwin" and platform_machine == "arm64"\','
        "\n]",
        {},
    ),
    "TF102": (
        '[project]\nrequires-python = ">=3.10,<3.12"\n'
        "dependencies = [\"tensorflow~=2.15.0 ; sys_platform != 'darwin'\", "
        "\"tensorflow-macos~=2.15.0 ; sys_platform == 'darwin'\"]\n[tool.poetry-tf]\n",
        {},
    ),
    "TF105": (
        '[project]\nrequires-python = ">=3.10,<3.12"\n'
        'dependencies = ["tensorflow~=2.15.0", "tensorflow-io"]\n[tool.poetry-tf]\ngpu = "none"\n',
        {"lock": lock_text(("tensorflow", "2.15.1"), ("tensorflow-io", "0.30.0"))},
    ),
    "TF106": ('[project]\ndependencies = ["tersorflow~=2.13.0"]\n', {}),
    "TF107": (f'{STUDY}keras = "legacy"\n', {}),
    "TF109": (
        '[project]\nrequires-python = ">=3.10,<3.12"\n'
        'dependencies = ["tensorflow~=2.18.0", "tensorflow_probability"]\n[tool.poetry-tf]\n',
        {},
    ),
    "TF201": ('[project]\nrequires-python = ">=3.8"\n' + OF_2_18, {}),
    "TF301": (STUDY, {}),
    "TF302": (STUDY, {}),
    "TF303": (STUDY, {"lock": lock_text(("tensorflow", "2.17.0"))}),
    "TF305": (STUDY, {}),
    "TF306": (
        '[project]\nrequires-python = ">=3.10,<3.12"\ndependencies = ["tensorflow~=2.13.0"]\n',
        {
            "lock": lock_text(("tensorflow", "2.13.1")),
            "container": '{"onCreateCommand": "pipx install \'poetry<2\'"}',
        },
    ),
    "TF401": (
        f"[project]\n{OF_2_18}[[tool.poetry.source]]\n"
        'name = "near"\nurl = "https://mirrors.163.com/pypi/simple/"\n',
        {},
    ),
    "TF402": (
        f"[project]\n{OF_2_18}",
        {"poetry_toml": '[tf]\nmirror = "https://pypi.douban.com/simple"\n'},
    ),
    "TF501": (STUDY, {}),
    "TF502": (STUDY, {"container": IMAGE}),
    "TF503": (STUDY, {"container": IMAGE}),
    "TF504": (STUDY, {"container": IMAGE}),
    "TF505": (
        STUDY,
        {"container": '{"image": "mcr.microsoft.com/devcontainers/python:1-3.11"}'},
    ),
    "TF506": (STUDY, {"container": IMAGE}),
    "TF507": (f'{STUDY}keras = "legacy"\n', {"container": IMAGE}),
}
"""A project for each rule with the mark, of which `--fix` fixes what the rule finds."""
ELSEWHERE = {"TF508", "TF509"}
"""Those with tests in tests/devcontainer: they depend on the plugin itself."""


def test_each_rule_with_the_mark_has_a_specimen() -> None:
    assert {rule.code for rule in rules() if rule.fixable} == {*SPECIMENS, *ELSEWHERE}


@pytest.mark.parametrize("code", SPECIMENS)
def test_a_rule_with_the_mark_fixes(code: str) -> None:
    text, files = SPECIMENS[code]
    project = in_memory(text, **files)
    assert any(is_fixable(project, finding) for finding in found(project, code))


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.code)
def test_the_explanation_says_what_the_mark_says(poetry: PoetryRunner, rule: Any) -> None:
    explained = poetry.call("tf", "check", "--explain", rule.code).stdout
    listed = poetry.call("tf", "check", "--explain").stdout
    assert ("`poetry tf check --fix` fixes what needs no decision" in explained) is rule.fixable
    assert ("--fix" in explained) is rule.fixable
    mark = "[*]" if rule.fixable else "   "
    assert f"{rule.code} {mark} {rule.title}\n" in listed
    assert "\n[*] `poetry tf check --fix` fixes what needs no decision\n" in listed
