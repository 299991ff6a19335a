"""The settings in ``[tool.poetry-tf]``: what they mean, and what means nothing."""

from __future__ import annotations

from typing import get_args

import pytest

from poetry_tf.hooks.guards import GuardSettings
from poetry_tf.plan.settings import (
    GpuChoice,
    PinChoice,
    Settings,
    SyncChoice,
    pin_severity,
    read_settings,
    requirement_pin_severity,
)
from tests.made import in_memory

MODES = get_args(GpuChoice)


@pytest.mark.parametrize("gpu", MODES)
def test_a_setting_that_means_something_is_taken(gpu: str):
    settings, problems = read_settings(in_memory(f'[tool.poetry-tf]\ngpu = "{gpu}"'))
    assert (settings.gpu, problems) == (gpu, ())


def test_without_settings_gpu_is_auto():
    assert read_settings(in_memory("")) == (Settings(), ())


@pytest.mark.parametrize("written", ['"cuda"', '""', '"Auto"', "true", "1", "[]", "{}", "1.5"])
def test_a_value_that_means_nothing_is_reported_and_counts_as_unset(written: str):
    settings, (problem,) = read_settings(in_memory(f"[tool.poetry-tf]\ngpu = {written}"))
    assert settings == Settings()
    assert problem.path == ("tool", "poetry-tf", "gpu")
    assert '"auto", "system", "pip", "none"' in problem.remedy


def test_a_setting_that_is_unknown_is_reported_by_its_key():
    project = in_memory('[tool.poetry-tf]\ngpu = "pip"\ncuda = "11.8"')
    settings, (problem,) = read_settings(project)
    assert settings.gpu == "pip"
    assert problem.path == ("tool", "poetry-tf", "cuda")


@pytest.mark.parametrize("written", ["[tool]\npoetry-tf = 3", "[[tool.poetry-tf]]", "tool = 3"])
def test_settings_that_are_no_table_count_as_unset(written: str):
    settings, problems = read_settings(in_memory(written))
    assert settings == Settings()
    assert [item.path for item in problems] == (
        [] if written == "tool = 3" else [("tool", "poetry-tf")]
    )


@pytest.mark.parametrize("pin", get_args(PinChoice))
def test_how_strictly_pins_are_kept(pin: str):
    settings, problems = read_settings(in_memory(f'[tool.poetry-tf]\npin = "{pin}"'))
    assert (settings.pin, problems) == (pin, ())


@pytest.mark.parametrize("sync", get_args(SyncChoice))
def test_whether_the_container_follows(sync: str):
    settings, problems = read_settings(in_memory(f'[tool.poetry-tf]\ndevcontainer = "{sync}"'))
    assert (settings.devcontainer, problems) == (sync, ())


def test_environments_are_taken_as_written():
    project = in_memory('[tool.poetry-tf]\nenvironments = ["windows-amd64", "linux-x86_64"]')
    settings, problems = read_settings(project)
    assert (settings.environments, problems) == (("windows-amd64", "linux-x86_64"), ())


@pytest.mark.parametrize("written", ["[]", '"linux-x86_64"', "{}", "3"])
def test_environments_that_are_no_list_count_as_unset(written: str):
    settings, (problem,) = read_settings(in_memory(f"[tool.poetry-tf]\nenvironments = {written}"))
    assert settings.environments is None
    assert problem.path == ("tool", "poetry-tf", "environments")
    assert '"macos-arm64"' in problem.remedy


@pytest.mark.parametrize("name", ['"linux"', "3", "[]", '"Linux-x86_64"'])
def test_an_environment_that_is_unknown_is_reported_where_it_stands(name: str):
    written = f'[tool.poetry-tf]\nenvironments = ["linux-x86_64", {name}]'
    settings, (problem,) = read_settings(in_memory(written))
    assert settings.environments is None, "half of a list would be something else than was meant"
    assert problem.path == ("tool", "poetry-tf", "environments", 1)


def test_what_the_container_runs_on():
    table = '[tool.poetry-tf]\nengine = "podman"\ngpu-required = true\nregistry = "a.example/mcr"\n'
    settings, problems = read_settings(in_memory(table))
    assert problems == ()
    assert (settings.engine, settings.gpu_required, settings.registry) == (
        "podman",
        True,
        "a.example/mcr",
    )


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("engine", '"lxc"'),
        ("engine", "true"),
        ("gpu-required", '"yes"'),
        ("gpu-required", "1"),
        ("registry", "true"),
        ("registry", '""'),
        ("registry", '"registry.example:5000"'),
        ("registry", '"https://a.example"'),
        ("registry", '"a.example/"'),
        ("gpu_required", "true"),
    ],
)
def test_a_value_of_them_that_means_nothing_is_reported(key: str, written: str):
    settings, (problem,) = read_settings(in_memory(f"[tool.poetry-tf]\n{key} = {written}"))
    assert settings == Settings()
    assert problem.path == ("tool", "poetry-tf", key)
    assert problem.remedy


@pytest.mark.parametrize(
    ("pin", "advises", "expected"),
    [
        ("error", False, "error"),
        ("error", True, "warn"),
        ("warn", False, "warn"),
        ("warn", True, "warn"),
        ("off", False, "off"),
        ("off", True, "off"),
    ],
)
def test_rule_and_guard_take_a_wide_pin_for_the_same(
    pin: PinChoice, advises: bool, expected: PinChoice
):
    assert pin_severity(Settings(pin=pin), advises=advises) == expected
    assert GuardSettings(not advises, Settings(pin=pin)).pin == expected
    table = "" if advises else f'[tool.poetry-tf]\npin = "{pin}"\n'
    project = in_memory(
        '[project]\nname = "a"\nscripts = {a = "a:a"}\ndependencies = ["tensorflow>=2.13"]\n'
        + table
    )
    severity = requirement_pin_severity(project, project.pyproject.requirements[0])
    assert severity == ("warn" if advises else expected)
