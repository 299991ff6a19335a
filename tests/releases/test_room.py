"""What holds of the room as a whole."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files

import pytest

import poetry_tf.releases
from poetry_tf.releases.reader.datafile import render
from poetry_tf.releases.resources import read_json

DATA = files("poetry_tf.releases").joinpath("data")


def loaded_after(statement: str) -> set[str]:
    program = (
        f"import sys; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(result.stdout.split())


def test_importing_the_room_costs_nothing():
    loaded = loaded_after("import poetry_tf.releases")
    mine = {name for name in loaded if name.startswith("poetry_tf.")}
    assert mine == {"poetry_tf.releases"}
    assert not any(name.split(".")[0] in ("packaging", "requests", "json") for name in loaded)


def test_names_are_judged_without_reading_releases():
    loaded = loaded_after("from poetry_tf.releases import misspelling_of; misspelling_of('numpy')")
    assert "importlib.resources" not in loaded
    assert not any(name.split(".")[0] in ("packaging", "requests") for name in loaded)


def test_nothing_but_the_refresh_needs_requests_and_nothing_needs_poetry():
    loaded = loaded_after("from poetry_tf.releases import load, misspelling_of; load()")
    assert "requests" not in loaded
    loaded |= loaded_after("import poetry_tf.releases.reader.refresh")
    assert not any(name.split(".")[0] in ("poetry", "cleo", "tomlkit", "pip") for name in loaded)
    rooms = {name.split(".")[1] for name in loaded if name.startswith("poetry_tf.")}
    assert rooms == {"http", "releases"}


def test_every_exported_name_is_there():
    for name in poetry_tf.releases.__all__:
        assert getattr(poetry_tf.releases, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        poetry_tf.releases.nothing  # noqa: B018


def test_the_generated_files_are_as_the_generator_writes_it():
    for name in (*poetry_tf.releases.DISTRIBUTIONS, "companions", "hashes"):
        text = DATA.joinpath(f"{name}.json").read_text(encoding="utf-8")
        assert render(read_json(f"{name}.json")) + "\n" == text


def test_no_data_is_bound_to_an_index():
    for name in {path.name for path in DATA.iterdir()} - {"images.json", "breaking.json"}:
        text = DATA.joinpath(name).read_text(encoding="utf-8")
        json.loads(text)
        # What packages say of themselves may name addresses, but never where a file lies.
        assert ("/packages/" not in text) if name == "closure.json" else ("://" not in text)
        assert text.endswith("\n")
        assert not text.endswith("\n\n")
