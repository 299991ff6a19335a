"""The commands that the errors of the plan advise: each of them works in the project."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import replace

import pytest

from poetry_tf.actions.fix import fix_requirements
from poetry_tf.actions.init import with_options_fixed
from poetry_tf.actions.options import InitOptions, plan_options
from poetry_tf.files.project import Project
from poetry_tf.plan.derive import derive_plan, wants_container
from poetry_tf.plan.model import NoContainerError, PlanError
from poetry_tf.releases import load
from poetry_tf.releases.images import load_images
from tests.made import OLDER, codes, content_hash, in_memory, lock_text

CONTAINER = '{"image": "mcr.microsoft.com/devcontainers/python:3-3.7"}\n'


def made(
    python: str, tensorflow: str, *settings: str, locked: str | None = None, container: bool = False
) -> Project:
    name, _, constraint = tensorflow.partition(" ")
    text = "\n".join(
        [
            '[project]\nname = "demo"\nversion = "0.1.0"',
            f'requires-python = "{python}"',
            f'dependencies = ["{name} ({constraint})"]',
            "[tool.poetry]\npackage-mode = false",
            *settings,
        ]
    )
    lock = locked and lock_text((name, locked), content_hash=content_hash(text))
    return in_memory(text, lock=lock or None, container=CONTAINER if container else None)


MANAGED = "[tool.poetry-tf]"
PROJECTS = {
    "an old lock": made(">=3.7,<3.8", "tensorflow >=1.15,<1.16", locked="1.15.4"),
    "an old lock, managed": made(">=3.7,<3.8", "tensorflow ==1.15.4", MANAGED, locked="1.15.4"),
    "an old lock and a Python of today": made(
        ">=3.11,<3.12", "tensorflow ==1.15.4", MANAGED, locked="1.15.4"
    ),
    "an old pin": made(">=3.8,<3.12", "tensorflow >=1.15,<1.16"),
    "a pin before the data": made(">=3.8,<3.9", f"tensorflow =={OLDER}"),
    "a pin between releases": made(">=3.9,<3.12", "tensorflow ==2.16.0"),
    "a pin between releases, and an open Python": made(">=3.9", "tensorflow >=2.16,<2.16.1"),
    "a Python that is too new": made(">=3.13,<3.14", "tensorflow >=2.13.1,<2.14"),
    "a Python that nothing has": made(">=3.30,<3.31", "tensorflow >=2.13.1,<2.14"),
    "a Python that is too old": made(">=3.6,<3.7", "tensorflow >=2.13.1,<2.14"),
    "no container": made(">=3.7,<3.8", "tensorflow >=2.8.4,<2.9", MANAGED),
    "no container, with one": made(">=3.9,<3.10", "tensorflow >=2.13.1,<2.14", container=True),
    "without a container": made(
        ">=3.12,<3.13", "tensorflow >=2.8.4,<2.9", f'{MANAGED}\ndevcontainer = "off"'
    ),
    "another distribution": made(">=3.13,<3.14", "tensorflow-cpu >=2.13.1,<2.14"),
    "environments": made(
        ">=3.12,<3.13",
        "tensorflow >=2.13.1,<2.14",
        f'{MANAGED}\nenvironments = ["linux-x86_64", "macos-arm64"]',
    ),
    "an environment that later series lack": made(
        ">=3.12,<3.13",
        "tensorflow >=2.18.1,<2.19",
        f'{MANAGED}\nenvironments = ["linux-x86_64", "macos-x86_64"]',
    ),
    "wheels for CUDA": made(">=3.13,<3.14", "tensorflow >=2.16.2,<2.17", f'{MANAGED}\ngpu = "pip"'),
    "CUDA of the container": made(
        ">=3.13,<3.14", "tensorflow >=2.13.1,<2.14", f'{MANAGED}\ngpu = "system"'
    ),
    "CUDA for a distribution without": made(
        ">=3.11,<3.12", "tensorflow-cpu >=2.13.1,<2.14", f'{MANAGED}\ngpu = "system"'
    ),
}


def error_of(project: Project) -> PlanError:
    with pytest.raises(PlanError) as caught:
        derive_plan(project, load(), load_images())
    return caught.value


def advised(remedy: str) -> list[InitOptions]:
    """The options of the commands in a remedy."""
    return [options(shlex.split(text)) for text in re.findall(r"`poetry tf init ?([^`]*)`", remedy)]


def options(words: Sequence[str]) -> InitOptions:
    given = dict(zip(words[::2], words[1::2], strict=True))
    assert given.keys() <= {"--tensorflow", "--python", "--gpu"}
    return InitOptions(
        tensorflow=given.get("--tensorflow"),
        python=given.get("--python"),
        gpu=given.get("--gpu"),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("project", PROJECTS.values(), ids=PROJECTS)
@pytest.mark.sample(every=4)
def test_what_is_advised_works(project: Project):
    commands = advised(error_of(project).remedy)
    assert commands
    for command in commands:
        given = replace(command, container=wants_container(project))
        plan = plan_options(project, given)
        after = with_options_fixed(project, given, plan, new=False)
        assert derive_plan(after, load(), load_images()) is not None
        assert not {"TF102", "TF201", "TF202"} & {*codes(fix_requirements(after))}


@pytest.mark.parametrize("project", PROJECTS.values(), ids=PROJECTS)
def test_no_command_lacks_its_value(project: Project):
    remedy = error_of(project).remedy
    assert not re.search(r"--(tensorflow|python|gpu)\b(?! [\w.]+)", remedy)


def test_the_nearest_series_is_advised():
    remedy = error_of(PROJECTS["a Python that is too new"]).remedy
    assert "`poetry tf init --tensorflow 2.13 --python 3.11`" in remedy
    assert "`poetry tf init --tensorflow 2.20`" in remedy
    remedy = error_of(PROJECTS["an environment that later series lack"]).remedy
    assert "`poetry tf init --tensorflow 2.16`" in remedy


@pytest.mark.parametrize("locked", [None, "2.8.4"])
def test_a_project_without_a_container_needs_no_image(locked: str | None):
    project = made(">=3.7,<3.8", "tensorflow >=2.8.4,<2.9", locked=locked)
    plan = derive_plan(project, load(), load_images())
    assert plan is not None and plan.python == "3.7"
    assert "TF502" not in codes(project)
    with pytest.raises(NoContainerError):
        derive_plan(project, load(), load_images(), makes_container=True)
    managed = made(">=3.7,<3.8", "tensorflow >=2.8.4,<2.9", MANAGED, locked=locked)
    assert "TF502" in codes(managed)
    with_one = made(">=3.7,<3.8", "tensorflow >=2.8.4,<2.9", locked=locked, container=True)
    assert "TF502" in codes(with_one)
