"""``[tool.poetry-tf]``: what cannot be derived and the project therefore decides."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from packaging.utils import NormalizedName, canonicalize_name

from poetry_tf.files.errors import ProjectError
from poetry_tf.files.project import Project
from poetry_tf.files.requirements import Requirement
from poetry_tf.files.toml import rendered
from poetry_tf.files.values import KeyPath
from poetry_tf.plan.environments import ENVIRONMENTS
from poetry_tf.text import did_you_mean, format_list

GpuChoice = Literal["auto", "system", "pip", "none"]
PinChoice = Literal["error", "warn", "off"]
SyncChoice = Literal["sync", "warn", "off"]
KerasChoice = Literal["own", "legacy"]
EngineChoice = Literal["docker", "podman"]

SETTINGS_PATH: KeyPath = ("tool", "poetry-tf")
REGISTRY_VARIABLE = "POETRY_TF_REGISTRY"
"""The registry on a machine, in a project that has the setting."""

# The settings whose value is one of a few words.
_WORDS: Mapping[str, tuple[str, ...]] = {
    "gpu": get_args(GpuChoice),
    "pin": get_args(PinChoice),
    "devcontainer": get_args(SyncChoice),
    "keras": get_args(KerasChoice),
    "engine": get_args(EngineChoice),
}
PROJECT_SETTINGS = (*_WORDS, "environments", "gpu-required", "registry", "ignore")
"""The keys of the table."""
# Without a port: the container tools cut a default off at its first colon.
_REGISTRY = re.compile(r"[a-z0-9][a-z0-9.-]*(/[a-z0-9][a-z0-9._-]*)*")


@dataclass(frozen=True)
class IgnoredRule:
    """A rule whose findings the project ignores: all, or those about one distribution."""

    code: str
    reason: str
    name: NormalizedName | None
    """The distribution; None for all findings of the rule."""
    path: KeyPath
    """The path of the entry in pyproject.toml."""


@dataclass(frozen=True)
class Settings:
    """The settings in force.

    What the attributes mean is shown in docs/reference/settings.md.

    Attributes:
        gpu: where CUDA and cuDNN come from.
        environments: where the lock file has to be installable; not set, the container's two.
        pin: what a requirement on more than one series of TensorFlow is.
        devcontainer: what happens to devcontainer.json when the locked TensorFlow changes.
        keras: which Keras `tf.keras` is: TensorFlow's own, or Keras 2 from tf-keras.
        engine: what runs the container; not set, Docker.
        gpu_required: whether the container must not start without a GPU.
        registry: the registry of the image, which a machine can override; not set, its makers'.
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

    def ignores(self, code: str, name: str | None = None) -> bool:
        """Whether the project ignores a finding with this code, about a distribution if any."""
        return any(item.code == code and item.name in (None, name) for item in self.ignore)


@dataclass(frozen=True)
class SettingProblem:
    """An invalid value in ``[tool.poetry-tf]``: where it is, and what is wrong with it."""

    path: KeyPath
    message: str
    remedy: str


def read_settings(project: Project) -> tuple[Settings, tuple[SettingProblem, ...]]:
    """The settings of a project, and its invalid values, which count as unset."""
    return parse_settings(project.pyproject.document.get(SETTINGS_PATH, {}))


def require_valid_settings(project: Project, replaced: Collection[str] = ()) -> None:
    """Raises `ProjectError` for the first invalid value, which would count as unset.

    Not for those of the settings that are about to be `replaced`.
    """
    pyproject = project.pyproject
    for problem in read_settings(project)[1]:
        if problem.path[len(SETTINGS_PATH) :][:1] not in [(key,) for key in replaced]:
            place = pyproject.position(problem.path)
            raise ProjectError(pyproject.path, problem.message, place, problem.remedy)


def pin_severity(settings: Settings, *, advises: bool) -> PinChoice:
    """What a requirement is that admits more than one series of TensorFlow.

    With `advises` it is at most a warning: poetry-tf does not decide there.
    """
    return "warn" if advises and settings.pin == "error" else settings.pin


def requirement_pin_severity(project: Project, item: Requirement) -> PinChoice:
    """What a requirement of a project is, if it admits more than one series of TensorFlow.

    A published package may have to admit several: that is for its author to decide.
    """
    pyproject = project.pyproject
    advises = not pyproject.is_managed and pyproject.publishes(item)
    return pin_severity(read_settings(project)[0], advises=advises)


def parse_settings(table: object) -> tuple[Settings, tuple[SettingProblem, ...]]:
    """The settings in the value of ``[tool.poetry-tf]``, and its invalid values."""
    if not isinstance(table, dict):
        problem = SettingProblem(
            SETTINGS_PATH, "poetry-tf is not a table", "Write [tool.poetry-tf]"
        )
        return Settings(), (problem,)
    problems = tuple(_problems({key: table[key] for key in table if key != "ignore"}))
    skipped = {"ignore", *(problem.path[len(SETTINGS_PATH)] for problem in problems)}
    valid = {key: value for key, value in table.items() if key not in skipped}
    if "environments" in valid:
        valid["environments"] = tuple(valid["environments"])
    ignore, ignore_problems = _read_ignore(table.get("ignore", []))
    fields = {key.replace("-", "_"): value for key, value in valid.items()}
    return Settings(**fields, ignore=ignore), (*problems, *ignore_problems)


def _problems(table: Mapping[str, Any]) -> Iterator[SettingProblem]:
    for key, value in table.items():
        path = (*SETTINGS_PATH, key)
        if key in _WORDS:
            if value not in _WORDS[key]:
                meant = "off" if value is False else value
                remedy = did_you_mean(meant, _WORDS[key]) + _write_one_of(_WORDS[key])
                yield SettingProblem(path, f"{key} is {rendered(value)}", remedy)
        elif key == "environments":
            yield from _environment_problems(path, value)
        elif key == "gpu-required":
            if not isinstance(value, bool):
                yield SettingProblem(path, f"{key} is {rendered(value)}", "Write true or false")
        elif key == "registry":
            if not (isinstance(value, str) and is_registry(value)):
                yield SettingProblem(path, f"registry is {rendered(value)}", REGISTRY_REMEDY)
        else:
            known = PROJECT_SETTINGS
            remedy = did_you_mean(key, known) + f"The settings are {format_list(sorted(known))}"
            if key == "mirror":
                remedy = "Write it under [tf] in poetry.toml, by `poetry tf mirror use --local`"
            yield SettingProblem(path, f"unknown setting {key}", remedy)


def _environment_problems(path: KeyPath, value: object) -> Iterator[SettingProblem]:
    if not isinstance(value, list) or not value:
        what = "is empty" if value == [] else f"is {rendered(value)}"
        remedy = f"Write a list of some of {_quoted(ENVIRONMENTS)}"
        yield SettingProblem(path, f"environments {what}", remedy)
        return
    for index, name in enumerate(value):
        if not (isinstance(name, str) and name in ENVIRONMENTS):
            remedy = did_you_mean(name, ENVIRONMENTS) + _write_one_of(tuple(ENVIRONMENTS))
            yield SettingProblem((*path, index), f"unknown environment {rendered(name)}", remedy)


def is_named_like_ours(table: str) -> bool:
    """Whether the name of a table is one that somebody may write for poetry-tf's own."""
    return re.sub(r"[-_. ]", "", table).lower() in {"tf", "poetrytf", "poetrytensorflow"}


def is_registry(text: str) -> bool:
    """Whether a text is a registry without a port, with a path or without."""
    return _REGISTRY.fullmatch(text) is not None


REGISTRY_REMEDY = (
    'Write a host such as "mcr.microsoft.com", with a path if needed, but without a port: the '
    f"container tools cut it off. For a port, set {REGISTRY_VARIABLE} on the machine"
)


def _write_one_of(words: tuple[str, ...]) -> str:
    return f"Write one of {_quoted(words)}"


def _quoted(words: Mapping[str, object] | tuple[str, ...]) -> str:
    return ", ".join(f'"{word}"' for word in words)


def _read_ignore(value: Any) -> tuple[tuple[IgnoredRule, ...], tuple[SettingProblem, ...]]:
    """The ignored rules, also those with an unknown code."""
    place: KeyPath = (*SETTINGS_PATH, "ignore")
    if not isinstance(value, list):
        return (), (SettingProblem(place, "ignore is not an array", _IGNORE_REMEDY),)
    entries: list[IgnoredRule] = []
    problems: list[SettingProblem] = []
    for index, entry in enumerate(value):
        path: KeyPath = (*place, index)
        if (problem := _entry_problem(entry)) is not None:
            problems.append(SettingProblem(path, f"ignore: {problem}", _IGNORE_REMEDY))
            continue
        name = entry.get("name")
        canonical = None if name is None else canonicalize_name(name)
        entries.append(IgnoredRule(entry["code"], entry["reason"], canonical, path))
    return tuple(entries), tuple(problems)


_IGNORE_REMEDY = 'Write ignore = [{ code = "TF101", reason = "why" }]'


def _entry_problem(entry: Any) -> str | None:
    """What is wrong with an entry of ``ignore``."""
    if not isinstance(entry, dict):
        return "an entry is not a table with a code and a reason"
    if unknown := [key for key in entry if key not in {"code", "reason", "name"}]:
        return f"an entry has the unknown key {unknown[0]}"
    if not isinstance(entry.get("code"), str):
        return "an entry has no code"
    reason = entry.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        return f"{entry['code']} has no reason"
    if not isinstance(entry.get("name", ""), str):
        return f"the name of {entry['code']} is not a string"
    return None
