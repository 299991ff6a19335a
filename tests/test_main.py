"""``poetry-tf …`` is ``poetry tf …``."""

from __future__ import annotations

import sys
from importlib import metadata

import pytest

from poetry_tf.__main__ import main, translate


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ("init", "tf init"),
        ("init -n --tensorflow 2.13", "tf init -n --tensorflow 2.13"),
        ("-n init", "-n tf init"),
        ("-C study init", "-C study tf init"),
        ("--directory study check", "--directory study tf check"),
        ("--directory=study check", "--directory=study tf check"),
        ("-P study -v devcontainer --dry-run", "-P study -v tf devcontainer --dry-run"),
        ("--project study check", "--project study tf check"),
        ("init --help", "tf init --help"),
        ("check -h", "tf check -h"),
        ("init -C study", "tf init -C study"),
        ("help init", "tf help init"),
        ("-C study help init", "-C study tf help init"),
        ("help", "tf help"),
        ("list", "tf list"),
        ("chek --fix", "tf chek --fix"),
        ("-C study", "-C study tf"),
        ("", "tf"),
        ("--help", "tf"),
        ("-h", "tf"),
        ("-C study --help", "-C study tf"),
    ],
)
def test_a_command_line_means_the_same_to_poetry(arguments: str, wanted: str):
    assert translate(arguments.split()) == wanted.split()


def test_what_was_given_is_not_changed():
    given = ["-C", "a folder", "init"]
    translate(given)
    assert given == ["-C", "a folder", "init"]


@pytest.mark.parametrize("words", ["--version", "-V", "check --version", "-C study -V"])
def test_the_version_is_poetry_tfs_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str
):
    monkeypatch.setattr(sys, "argv", ["poetry-tf", *words.split()])
    assert main() == 0
    assert f"poetry-tf {metadata.version('poetry-tf')} " in capsys.readouterr().out
