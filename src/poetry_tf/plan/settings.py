"""``[tool.poetry-tf]``: what cannot be derived, and the project therefore decides."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from packaging.utils import NormalizedName, canonicalize_name

from poetry_tf.files.project import Project
from poetry_tf.files.values import KeyPath
from poetry_tf.plan.environments import ENVIRONMENTS

GpuChoice = Literal["auto", "system", "pip", "none"]
PinChoice = Literal["error", "warn", "off"]
SyncChoice = Literal["sync", "warn", "off"]
KerasChoice = Literal["own", "legacy"]
EngineChoice = Literal["docker", "podman"]

SETTINGS_PATH: KeyPath = ("tool", "poetry-tf")

# Settings whose value is one of a few words.
_WORDS: Mapping[str, tuple[str, ...]] = {
    "gpu": get_args(GpuChoice),
    "pin": get_args(PinChoice),
    "devcontainer": get_args(SyncChoice),
    "keras": get_args(KerasChoice),
    "engine": get_args(EngineChoice),
}
# The container tools cut a default off at its first colon, so no port can be named in it.
_REGISTRY = re.compile(r"[a-z0-9][a-z0-9.-]*(/[a-z0-9][a-z0-9._-]*)*")


@dataclass(frozen=True)
class IgnoredRule:
    """A rule whose findings the project accepts, all of them or those about one distribution."""

    code: str
    reason: str
    name: NormalizedName | None
    path: KeyPath
    """Where it stands in pyproject.toml."""

    def covers(self, code: str, name: str | None) -> bool:
        """Whether it is about a finding with this code, about the distribution `name` if any."""
        return code == self.code and (self.name is None or self.name == name)


@dataclass(frozen=True)
class Settings:
    """The settings in force.

    Attributes:
        gpu: where CUDA and cuDNN come from.
        environments: where the lock has to be installable, by the names of
            `plan.environments`; None where nothing is declared, which means the container's.
        pin: what happens to a command that would leave TensorFlow without a pin on one series.
        devcontainer: whether devcontainer.json follows when the locked TensorFlow changes.
        keras: which Keras `tf.keras` is: TensorFlow's own, or Keras 2 from tf-keras where that is
            another one ("legacy").
        engine: what runs the container; each is asked for a GPU in its own way. None where nothing
            is said, which means Docker.
        gpu_required: whether the container is not to start without a GPU.
        registry: where the image comes from if a machine doesn't say, and so that it can; None
            where the image is named as its makers do.
        ignore: the findings that the project accepts, each with a reason.
    """

    gpu: GpuChoice = "auto"
    environments: tuple[str, ...] | None = None
    pin: PinChoice = "error"
    devcontainer: SyncChoice = "sync"
    keras: KerasChoice = "own"
    engine: EngineChoice | None = None
    gpu_required: bool = False
    registry: str | None = None
    ignore: tuple[IgnoredRule, ...] = ()


@dataclass(frozen=True)
class SettingProblem:
    """A value in ``[tool.poetry-tf]`` that means nothing: where, and what is wrong with it."""

    path: KeyPath
    message: str
    remedy: str


def read_settings(project: Project) -> tuple[Settings, tuple[SettingProblem, ...]]:
    """The settings in force; a value that cannot be used counts as unset and is reported."""
    return parse_settings(project.pyproject.document.get(SETTINGS_PATH, {}))


def parse_settings(table: object) -> tuple[Settings, tuple[SettingProblem, ...]]:
    """The choices that the value of ``[tool.poetry-tf]`` makes, and what in it means nothing."""
    if not isinstance(table, dict):
        problem = SettingProblem(
            SETTINGS_PATH, "poetry-tf is not a table", "Write [tool.poetry-tf]"
        )
        return Settings(), (problem,)
    problems = tuple(_problems({key: table[key] for key in table if key != "ignore"}))
    useless = {"ignore", *(problem.path[len(SETTINGS_PATH)] for problem in problems)}
    used = {key: value for key, value in table.items() if key not in useless}
    if "environments" in used:
        used["environments"] = tuple(used["environments"])
    ignore, mistaken = _read_ignore(table.get("ignore", []))
    fields = {key.replace("-", "_"): value for key, value in used.items()}
    return Settings(**fields, ignore=ignore), (*problems, *mistaken)


def _problems(table: Mapping[str, Any]) -> Iterator[SettingProblem]:
    for key, value in table.items():
        path = (*SETTINGS_PATH, key)
        if key in _WORDS:
            # A list or a table can't be looked up in anything, so the type comes first.
            if not (isinstance(value, str) and value in _WORDS[key]):
                yield SettingProblem(path, f"{key} is {value!r}", _write_one_of(_WORDS[key]))
        elif key == "environments":
            yield from _environment_problems(path, value)
        elif key == "gpu-required":
            if not isinstance(value, bool):
                yield SettingProblem(path, f"{key} is {value!r}", "Write true or false")
        elif key == "registry":
            if not (isinstance(value, str) and is_registry(value)):
                yield SettingProblem(path, f"registry is {value!r}", REGISTRY_REMEDY)
        else:
            yield SettingProblem(path, f"{key} is no setting of poetry-tf", "Remove it")


def _environment_problems(path: KeyPath, value: object) -> Iterator[SettingProblem]:
    if not isinstance(value, list) or not value:
        what = "is empty" if value == [] else f"is {value!r}"
        remedy = f"Write a list of some of {_quoted(ENVIRONMENTS)}"
        yield SettingProblem(path, f"environments {what}", remedy)
        return
    for index, name in enumerate(value):
        if not (isinstance(name, str) and name in ENVIRONMENTS):
            message = f"{name!r} is no environment that poetry-tf knows"
            yield SettingProblem((*path, index), message, _write_one_of(tuple(ENVIRONMENTS)))


def is_registry(text: str) -> bool:
    """Whether a text can stand for the registry that an image comes from."""
    return _REGISTRY.fullmatch(text) is not None


REGISTRY_REMEDY = (
    'Write a host such as "mcr.microsoft.com", with a path if need be. A port can\'t stand here: '
    "the container tools cut it off. Name it on the machine, in POETRY_TF_REGISTRY"
)


def _write_one_of(words: tuple[str, ...]) -> str:
    return f"Write one of {_quoted(words)}"


def _quoted(words: Mapping[str, object] | tuple[str, ...]) -> str:
    return ", ".join(f'"{word}"' for word in words)


def _read_ignore(value: Any) -> tuple[tuple[IgnoredRule, ...], tuple[SettingProblem, ...]]:
    """The rules that are let be; which codes there are is not known here."""
    place: KeyPath = (*SETTINGS_PATH, "ignore")
    if not isinstance(value, list):
        return (), (SettingProblem(place, "ignore is no array", _IGNORE_REMEDY),)
    entries: list[IgnoredRule] = []
    problems: list[SettingProblem] = []
    for index, entry in enumerate(value):
        path: KeyPath = (*place, index)
        if (problem := _mistake(entry)) is not None:
            problems.append(SettingProblem(path, f"ignore: {problem}", _IGNORE_REMEDY))
            continue
        name = entry.get("name")
        canonical = None if name is None else canonicalize_name(name)
        entries.append(IgnoredRule(entry["code"], entry["reason"], canonical, path))
    return tuple(entries), tuple(problems)


_IGNORE_REMEDY = 'Write ignore = [{ code = "TF101", reason = "why" }]'


def _mistake(entry: Any) -> str | None:
    """What is wrong with an entry of ``ignore``."""
    if not isinstance(entry, dict):
        return "an entry is no table with a code and a reason"
    if unknown := [key for key in entry if key not in {"code", "reason", "name"}]:
        return f"{unknown[0]} is no key of an entry"
    if not isinstance(entry.get("code"), str):
        return "an entry has no code"
    reason = entry.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        return f"{entry['code']} has no reason"
    if not isinstance(entry.get("name", ""), str):
        return f"the name of {entry['code']} is no text"
    return None
